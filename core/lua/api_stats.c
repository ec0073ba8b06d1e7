/* api_stats.c - the statistics of judges (core/judge/stats.h) for recipes.
 *
 *   core.stats(name, args) -> result
 *
 * One entry with a table of questions; scripts/lib/hone/stats.lua makes it pleasant. Lists become arrays in
 * memory that Lua collects, so that a raised error leaks nothing; false, nil and NaN are "missing". A figure
 * is { value, lo, hi, n, why, note } with what is not there absent, so no recipe meets a NaN. Clusters are
 * texts or numbers. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "judge/stats.h"

#include <math.h>
#include <string.h>

#define ARGS 2 /* stack index of the table of arguments */

/* ---- arguments ---- */

static void *array(lua_State *L, size_t n, size_t size)
{
    size_t bytes;
    if (!hone_mul_size(n ? n : 1, size, &bytes)) {
        luaL_error(L, "a list of %I entries is too long", (lua_Integer)n);
        return NULL;
    }
    return lua_newuserdatauv(L, bytes, 0);
}

/* The number on top, popped; false and nil: missing. */
static double pop_number(lua_State *L, const char *key, size_t i)
{
    double v = (double)NAN;
    if (lua_type(L, -1) == LUA_TNUMBER)
        v = lua_tonumber(L, -1);
    else if (lua_isboolean(L, -1) && lua_toboolean(L, -1))
        luaL_error(L, "%s[%d]: true is no number: 1 and 0 are wanted (false is a missing value)",
                   key, (int)i + 1);
    else if (!lua_isnil(L, -1) && !lua_isboolean(L, -1) && !lua_islightuserdata(L, -1))
        luaL_error(L, "%s[%d]: a number or false (missing) is wanted, not a %s", key, (int)i + 1,
                   luaL_typename(L, -1));
    lua_pop(L, 1);
    return v;
}

/* Pushes args[key] as a table; its length, or no table: pushes nil and gives 0 (an error if `must`). */
static size_t list_of(lua_State *L, const char *key, int must)
{
    if (lua_getfield(L, ARGS, key) == LUA_TTABLE)
        return lua_rawlen(L, -1);
    if (must || !lua_isnil(L, -1))
        luaL_error(L, "%s: a list is wanted, not %s", key, luaL_typename(L, -1));
    return 0;
}

/* args[key] as numbers, left on the stack; NULL when absent. Lists of one question have one length. */
static double *numbers(lua_State *L, const char *key, int must, size_t *n)
{
    size_t len = list_of(L, key, must);
    if (lua_isnil(L, -1)) {
        *n = 0;
        return NULL;
    }
    double *v = array(L, len, sizeof *v);
    for (size_t i = 0; i < len; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        v[i] = pop_number(L, key, i);
    }
    *n = len;
    return v;
}

static void same_length(lua_State *L, const char *key, size_t n, size_t want)
{
    if (n != want)
        luaL_error(L, "%s: %I entries, where %I are wanted", key, (lua_Integer)n,
                   (lua_Integer)want);
}

static double *numbers_like(lua_State *L, const char *key, size_t want)
{
    size_t n;
    double *v = numbers(L, key, 1, &n);
    same_length(L, key, n, want);
    return v;
}

/* Texts or numbers as cluster numbers; NULL when absent. */
static uint64_t *clusters(lua_State *L, const char *key, size_t want)
{
    size_t n = list_of(L, key, 0);
    if (lua_isnil(L, -1))
        return NULL;
    same_length(L, key, n, want);
    uint64_t *v = array(L, n, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        if (lua_isinteger(L, -1)) {
            v[i] = (uint64_t)lua_tointeger(L, -1);
        } else if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
            const char *z = lua_tolstring(L, -1, &len); /* converts the copy on the stack */
            v[i] = hone_xxh64(z, len, 0);
        } else {
            luaL_error(L, "%s[%d]: a text or number is wanted", key, (int)i + 1);
        }
        lua_pop(L, 1);
    }
    return v;
}

static double option(lua_State *L, const char *key, double dflt)
{
    double v = dflt;
    lua_getfield(L, ARGS, key);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            luaL_error(L, "%s: a number is wanted, not %s", key, luaL_typename(L, -1));
        v = lua_tonumber(L, -1);
    }
    lua_pop(L, 1);
    return v;
}

static int flag(lua_State *L, const char *key)
{
    lua_getfield(L, ARGS, key);
    int v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

static int is_text(lua_State *L, const char *key, const char *text)
{
    lua_getfield(L, ARGS, key);
    const char *z = lua_tostring(L, -1);
    int same = z && strcmp(z, text) == 0;
    lua_pop(L, 1);
    return same;
}

/* seed, replicates, level, cluster; interval = false: no interval (NULL). */
static const hone_boot *boot_of(lua_State *L, size_t n, hone_boot *b)
{
    double replicates = option(L, "replicates", 0), level = option(L, "level", .95);
    if (!(replicates >= 0 && replicates <= 1e6))
        luaL_error(L, "replicates: 0 to 1000000 is wanted");
    if (!(level > 0 && level < 1))
        luaL_error(L, "level: between 0 and 1 is wanted");
    *b = (hone_boot){
        .cluster = clusters(L, "cluster", n), .replicates = (uint32_t)replicates, .level = level};
    lua_getfield(L, ARGS, "seed");
    b->seed = (uint64_t)lua_tointeger(L, -1);
    int none = lua_getfield(L, ARGS, "interval") == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    lua_pop(L, 2);
    return none ? NULL : b;
}

/* args.ratings: a list of rows, each a list with a number or false for each rater. */
static hone_ratings ratings(lua_State *L)
{
    size_t n = list_of(L, "ratings", 1), raters = 0, cells, levels;
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TTABLE)
            luaL_error(L, "ratings[%d]: a list with an entry for each rater is wanted", (int)i + 1);
        size_t k = lua_rawlen(L, -1);
        raters = k > raters ? k : raters;
        lua_pop(L, 1);
    }
    if (!hone_mul_size(n, raters, &cells))
        luaL_error(L, "ratings: too many");
    double *x = array(L, cells, sizeof *x);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        for (size_t j = 0; j < raters; j++) {
            lua_rawgeti(L, -1, (lua_Integer)j + 1);
            x[i * raters + j] = pop_number(L, "ratings", i);
        }
        lua_pop(L, 1);
    }
    hone_ratings r = {.x = x, .items = n, .raters = raters};
    r.levels = numbers(L, "levels", 0, &levels);
    r.n_levels = levels;
    return r;
}

static size_t column(lua_State *L, const char *key, size_t raters)
{
    double c = option(L, key, 0);
    if (!(c >= 1 && c <= (double)raters))
        luaL_error(L, "%s: the number of a column is wanted, 1 to %d", key, (int)raters);
    return (size_t)c - 1;
}

/* ---- results ---- */

static void push_figure(lua_State *L, const hone_figure *f)
{
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, (lua_Integer)f->n);
    lua_setfield(L, -2, "n");
    if (!f->why) {
        lua_pushnumber(L, f->value);
        lua_setfield(L, -2, "value");
        if (isfinite(f->lo)) {
            lua_pushnumber(L, f->lo);
            lua_setfield(L, -2, "lo");
        }
        if (isfinite(f->hi)) {
            lua_pushnumber(L, f->hi);
            lua_setfield(L, -2, "hi");
        }
    } else {
        lua_pushstring(L, f->why);
        lua_setfield(L, -2, "why");
    }
    if (f->note) {
        lua_pushstring(L, f->note);
        lua_setfield(L, -2, "note");
    }
}

static int figure(lua_State *L, hone_status s, const hone_figure *f)
{
    hone_lua_check(L, s);
    push_figure(L, f);
    return 1;
}

static void set_figure(lua_State *L, const char *key, const hone_figure *f)
{
    push_figure(L, f);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double v)
{
    lua_pushnumber(L, v);
    lua_setfield(L, -2, key);
}

static void set_count(lua_State *L, const char *key, size_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *z)
{
    if (z) {
        lua_pushstring(L, z);
        lua_setfield(L, -2, key);
    }
}

static void set_numbers(lua_State *L, const char *key, const double *v, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushnumber(L, v[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

/* ---- questions ---- */

static int q_agreement(lua_State *L)
{
    hone_ratings r = ratings(L);
    hone_boot b;
    hone_figure f;
    hone_agree_kind kind;
    const hone_boot *boot = boot_of(L, r.items, &b);
    lua_getfield(L, ARGS, "kind");
    if (!hone_agree_find(luaL_optstring(L, -1, ""), &kind))
        return luaL_error(L, "kind: no measure of agreement \"%s\"", luaL_optstring(L, -1, ""));
    lua_getfield(L, ARGS, "one");
    if (lua_isnil(L, -1))
        return figure(L, hone_agree_all(&r, kind, boot, &f), &f);
    size_t one = column(L, "one", r.raters);
    return flag(L, "difference") ? figure(L, hone_agree_difference(&r, one, kind, boot, &f), &f)
                                 : figure(L, hone_agree_with(&r, one, kind, boot, &f), &f);
}

static int q_order(lua_State *L)
{
    size_t n;
    const double *x = numbers(L, "x", 1, &n), *y = numbers_like(L, "y", n);
    hone_boot b;
    hone_figure f;
    const hone_boot *boot = boot_of(L, n, &b);
    const uint64_t *within = clusters(L, "within", n);
    hone_status s;
    if (is_text(L, "kind", "spearman"))
        s = hone_rank_spearman(x, y, n, boot, &f);
    else if (is_text(L, "kind", "pairwise"))
        s = hone_rank_pairwise(
            x, y, within, n, option(L, "epsilon", 0),
            is_text(L, "ties", "half") ? HONE_RANK_TIES_HALF : HONE_RANK_TIES_BOTH, boot, &f);
    else
        s = within ? hone_rank_tau_b_within(x, y, within, n, boot, &f)
                   : hone_rank_tau_b(x, y, n, boot, &f);
    return figure(L, s, &f);
}

static int q_mean(lua_State *L)
{
    size_t n;
    const double *x = numbers(L, "x", 1, &n), *other = NULL;
    hone_boot b;
    hone_figure f;
    const hone_boot *boot = boot_of(L, n, &b);
    if (is_text(L, "kind", "share"))
        return figure(L, hone_interval_share(x, n, boot, &f), &f);
    if (is_text(L, "kind", "mean"))
        return figure(L, hone_interval_mean(x, n, boot, &f), &f);
    other = numbers_like(L, "y", n);
    return is_text(L, "kind", "ratio")
               ? figure(L, hone_interval_ratio(x, other, n, boot, &f), &f)
               : figure(L, hone_interval_difference(x, other, n, boot, &f), &f);
}

static int q_wilson(lua_State *L)
{
    hone_figure f = hone_interval_wilson(option(L, "hits", 0), option(L, "n", 0),
                                         option(L, "level", .95));
    push_figure(L, &f);
    return 1;
}

static int q_prevalence(lua_State *L)
{
    hone_boot b;
    hone_figure f;
    if (lua_getfield(L, ARGS, "judge") != LUA_TTABLE) { /* counts */
        hone_prevalence in = {option(L, "hits", 0),     option(L, "n", 0),
                              option(L, "true_pos", 0), option(L, "positives", 0),
                              option(L, "true_neg", 0), option(L, "negatives", 0)};
        f = hone_prevalence_corrected(&in, option(L, "level", .95));
        push_figure(L, &f);
        return 1;
    }
    size_t n, more;
    const double *judge = numbers(L, "judge", 1, &n), *expert = numbers_like(L, "expert", n);
    const double *rest = numbers(L, "more", 0, &more);
    const uint64_t *of_rest = clusters(L, "cluster_more", more);
    const hone_boot *boot = boot_of(L, n, &b);
    return figure(L, hone_prevalence_estimate(judge, expert, n, rest, more, of_rest, boot, &f), &f);
}

static int q_ppi(lua_State *L)
{
    hone_boot b;
    hone_figure f;
    double lambda = 0;
    size_t n, more;
    const double *judge = numbers(L, "judge", 1, &n), *expert = numbers_like(L, "expert", n);
    const double *rest = numbers(L, "more", 0, &more);
    const uint64_t *of_rest = clusters(L, "cluster_more", more);
    const hone_boot *boot = boot_of(L, n, &b);
    hone_lua_check(L, hone_ppi_mean(expert, judge, n, rest, more, of_rest, boot, &f, &lambda));
    push_figure(L, &f);
    set_number(L, "lambda", lambda);
    return 1;
}

static int q_reliability(lua_State *L)
{
    static const double targets[4] = {.5, .7, .8, .9};
    static const char *const names[4] = {"0.5", "0.7", "0.8", "0.9"};
    hone_ratings r = ratings(L);
    const uint64_t *group = clusters(L, "group", r.items);
    hone_boot b;
    hone_reliability m;
    const hone_boot *boot = boot_of(L, r.items, &b);
    if (!group)
        return luaL_error(L, "group: a list is wanted: the prompt of each completion");
    hone_lua_check(L, hone_reliability_measure(r.x, r.items, r.raters, group, boot, &m));
    lua_newtable(L);
    set_figure(L, "rho", &m.rho);
    set_figure(L, "zero_variance", &m.zero_variance);
    set_figure(L, "tie_share", &m.tie_share);
    set_figure(L, "flip_once", &m.flip_once);
    set_number(L, "flip", m.flip);
    set_number(L, "msb", m.msb);
    set_number(L, "mse", m.mse);
    set_number(L, "var_c", m.var_c);
    set_number(L, "var_e", m.var_e);
    set_number(L, "repeats", m.repeats);
    set_number(L, "group_size", m.group_size);
    set_count(L, "groups", m.groups);
    set_count(L, "completions", m.completions);
    set_count(L, "dropped_groups", m.dropped_groups);
    lua_newtable(L);
    for (int k = 0; k < 4; k++) {
        size_t need = hone_reliability_repeats(&m, targets[k]);
        if (need)
            set_count(L, names[k], need);
    }
    lua_setfield(L, -2, "repeats_needed");
    return 1;
}

static int q_confusion(lua_State *L)
{
    size_t n, q;
    const double *judge = numbers(L, "judge", 1, &n), *expert = numbers_like(L, "expert", n);
    hone_boot b;
    hone_confusion c;
    const hone_boot *boot = boot_of(L, n, &b);
    const double *levels = numbers(L, "levels", 0, &q);
    if (q > HONE_AGREE_LEVELS)
        return luaL_error(L, "levels: 256 at most");
    for (size_t k = 1; k < q; k++)
        if (!(levels[k] > levels[k - 1]))
            return luaL_error(L, "levels: ascending numbers are wanted");
    double expert_at = option(L, "expert_at", 1);
    hone_lua_check(L, hone_confusion_binary(judge, expert, n, option(L, "judge_at", expert_at),
                                            expert_at, boot, &c));
    uint64_t *counts = array(L, q * q, sizeof *counts);
    lua_newtable(L);
    set_figure(L, "tpr", &c.tpr);
    set_figure(L, "tnr", &c.tnr);
    set_figure(L, "precision", &c.precision);
    set_figure(L, "accuracy", &c.accuracy);
    set_count(L, "tp", c.tp);
    set_count(L, "fp", c.fp);
    set_count(L, "tn", c.tn);
    set_count(L, "fn", c.fn);
    if (levels) {
        hone_confusion_table(judge, expert, n, levels, q, counts);
        lua_newtable(L);
        for (size_t i = 0; i < q; i++) {
            lua_newtable(L);
            for (size_t j = 0; j < q; j++) {
                lua_pushinteger(L, (lua_Integer)counts[i * q + j]);
                lua_rawseti(L, -2, (lua_Integer)j + 1);
            }
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "counts");
    }
    return 1;
}

static int q_threshold(lua_State *L)
{
    size_t n;
    const double *judge = numbers(L, "judge", 1, &n), *expert = numbers_like(L, "expert", n);
    const char *why;
    double at = 0;
    hone_lua_check(
        L, hone_confusion_threshold(judge, expert, n, option(L, "expert_at", 1), &at, &why));
    if (why) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    lua_pushnumber(L, at);
    return 1;
}

static int q_curve(lua_State *L)
{
    size_t n;
    const double *p = numbers(L, "x", 1, &n), *y = numbers_like(L, "y", n);
    hone_boot b;
    hone_figure brier, ece;
    hone_isotonic m = {NULL, NULL, 0};
    const hone_boot *boot = boot_of(L, n, &b);
    double bins = option(L, "bins", 10);
    if (!(bins >= 1 && bins <= 1000))
        return luaL_error(L, "bins: 1 to 1000 is wanted");
    hone_lua_check(L, hone_curve_brier(p, y, n, boot, &brier));
    hone_lua_check(L, hone_curve_ece(p, y, n, (size_t)bins, boot, &ece));
    double *knots = array(L, n, 2 * sizeof *knots); /* before the fit: it may raise */
    hone_lua_check(L, hone_isotonic_fit(p, y, n, &m));
    size_t count = m.n < n ? m.n : n; /* a knot is a row's */
    for (size_t k = 0; k < count; k++) {
        knots[2 * k] = m.x[k];
        knots[2 * k + 1] = m.y[k];
    }
    hone_isotonic_release(&m);
    lua_newtable(L);
    set_figure(L, "brier", &brier);
    set_figure(L, "ece", &ece);
    lua_newtable(L);
    for (size_t k = 0; k < count; k++) {
        lua_createtable(L, 2, 0);
        lua_pushnumber(L, knots[2 * k]);
        lua_rawseti(L, -2, 1);
        lua_pushnumber(L, knots[2 * k + 1]);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
    lua_setfield(L, -2, "isotonic");
    return 1;
}

static int q_alt_test(lua_State *L)
{
    hone_ratings r = ratings(L);
    hone_boot b;
    hone_alt_test t;
    const hone_boot *boot = boot_of(L, r.items, &b);
    size_t judge = column(L, "one", r.raters);
    double *p = array(L, r.raters, sizeof *p);
    hone_lua_check(L, hone_alt_test_run(&r, judge, flag(L, "distance"), option(L, "epsilon", .2),
                                        option(L, "q", .05), boot, p, &t));
    lua_newtable(L);
    set_text(L, "why", t.why);
    set_number(L, "epsilon", t.epsilon);
    set_count(L, "experts", t.experts);
    set_count(L, "items", t.items);
    set_numbers(L, "p", p, r.raters);
    if (!t.why) {
        lua_pushboolean(L, t.passed);
        lua_setfield(L, -2, "passed");
        set_number(L, "winning_rate", t.winning_rate);
        set_number(L, "advantage", t.advantage);
        set_count(L, "beaten", t.beaten);
    }
    return 1;
}

/* args: players, a, b (numbers from 1), wins_a, wins_b, ties: lists of one length */
static int q_strength(lua_State *L)
{
    double players = option(L, "players", 0);
    size_t n;
    const double *a = numbers(L, "a", 1, &n), *b = numbers_like(L, "b", n);
    const double *wa = numbers_like(L, "wins_a", n), *wb = numbers_like(L, "wins_b", n);
    const double *ties = numbers_like(L, "tied", n);
    hone_strengths out;
    if (!(players >= 0 && players <= HONE_STRENGTH_PLAYERS))
        return luaL_error(L, "at most %d candidates have strengths", HONE_STRENGTH_PLAYERS);
    size_t k = (size_t)players;
    hone_match *m = array(L, n, sizeof *m);
    double *s = array(L, k, sizeof *s), *se = array(L, k, sizeof *se);
    for (size_t i = 0; i < n; i++) {
        if (!(a[i] >= 1 && a[i] <= players && b[i] >= 1 && b[i] <= players))
            return luaL_error(L, "match %d: there is no such candidate", (int)i + 1);
        m[i] = (hone_match){(uint32_t)a[i] - 1, (uint32_t)b[i] - 1, wa[i], wb[i], ties[i]};
    }
    hone_lua_check(L,
                   hone_strength_fit(m, n, k, option(L, "ridge", 0), flag(L, "ties"), s, se, &out));
    lua_newtable(L);
    set_text(L, "why", out.why);
    set_count(L, "parts", out.parts);
    if (!out.why) {
        set_number(L, "eta", out.eta);
        set_numbers(L, "strength", s, k);
        set_numbers(L, "se", se, k);
    }
    return 1;
}

static int q_length_control(lua_State *L)
{
    size_t n;
    const double *y = numbers(L, "x", 1, &n), *d = numbers_like(L, "y", n);
    hone_boot b;
    hone_length_control f;
    const hone_boot *boot = boot_of(L, n, &b);
    hone_lua_check(L, hone_length_control_fit(y, d, n, boot, &f));
    lua_newtable(L);
    set_figure(L, "raw", &f.raw);
    set_figure(L, "controlled", &f.controlled);
    set_figure(L, "slope", &f.slope);
    return 1;
}

static int l_stats(lua_State *L)
{
    static const luaL_Reg questions[] = {{"agreement", q_agreement},
                                         {"order", q_order},
                                         {"mean", q_mean},
                                         {"wilson", q_wilson},
                                         {"prevalence", q_prevalence},
                                         {"ppi", q_ppi},
                                         {"reliability", q_reliability},
                                         {"confusion", q_confusion},
                                         {"threshold", q_threshold},
                                         {"curve", q_curve},
                                         {"alt_test", q_alt_test},
                                         {"strength", q_strength},
                                         {"length_control", q_length_control},
                                         {NULL, NULL}};
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, ARGS, LUA_TTABLE);
    lua_settop(L, ARGS);
    luaL_checkstack(L, 32, "statistics");
    for (const luaL_Reg *q = questions; q->name; q++)
        if (strcmp(q->name, name) == 0)
            return q->func(L);
    return luaL_error(L, "there is no statistic \"%s\"", name);
}

void hone__lua_open_stats(lua_State *L)
{
    lua_pushcfunction(L, l_stats);
    lua_setfield(L, -2, "stats");
}
