/* api_evidence.c - what a recipe can say of a judge before it trains on it: lint, attacks, the gate's decision.
 *
 *   core.lint(rubric table) -> report of kind lint            (judge/lint.h)
 *   core.attack_report(names, original, mutated, { range =, clusters =, tolerance =, floor_tolerance =, seed = }) -> report of
 *       kind attack; mutated[k][i] is a number, false (no number), or nil (the attack does not apply)     (judge/attack.h)
 *   core.gate_decide(judge, { calibration =, reliability =, attack =, lint = }, { policy =, repeats =, days = }) -> the gate's document
 *       The documents go to the store of judges with the record, so what was decided from can be looked at.    (judge/gate.h)
 *   core.judge_spec(component) -> JSON text, or nil
 *   core.utc() -> text                                        the time, for reports
 *
 * Arrays that a call needs are memory of the Lua state, so that an error on the way leaks nothing. Everything here runs on
 * the control thread. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "judge/attack.h"
#include "judge/gate.h"
#include "judge/interval.h"
#include "judge/key.h"
#include "judge/lint.h"

#include <math.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)64 << 20)

/* What is wrong with a rubric: a table, or the path of one. */
static int l_lint(lua_State *L)
{
    hone_rubric *r = NULL;
    hone_lint l;
    hone_arena a;
    hone_value v;
    hone_buf text;
    hone_jw w;
    hone_arena_init(&a, 0);
    hone_lint_init(&l);
    hone_buf_init(&text, DOCUMENT_MAX);
    hone_status s = hone__lua_options(L, 1, &a, &v);
    if (s >= 0)
        s = hone_rubric_from_value(&v, "rubric", &r);
    if (s >= 0)
        s = hone_lint_rubric(&l, r, NULL);
    if (s >= 0) {
        hone_jw_init(&w, &text, 0);
        hone_lint_json(&l, r, &w);
        s = hone_buf_check(&text, "lint");
    }
    if (s >= 0)
        s = hone_json_parse(text.ptr, text.len, "lint", &a, &v);
    if (s >= 0)
        hone_lua_push_value(L, &v);
    hone_rubric_destroy(r);
    hone_lint_release(&l);
    hone_buf_release(&text);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* ---- attacks ---------------------------------------------------------------------------------------------- */

/* A list of numbers at `index`, anything else being missing, in memory of the state (left on the stack). */
static double *numbers(lua_State *L, int index, size_t *n)
{
    luaL_checktype(L, index, LUA_TTABLE);
    *n = (size_t)lua_rawlen(L, index);
    double *x = lua_newuserdatauv(L, (*n + 1) * sizeof *x, 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        x[i] = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : (double)NAN;
        lua_pop(L, 1);
    }
    return x;
}

/* Options at `index`: clusters are any texts or numbers, one a value; their hashes are left on the stack. */
static hone_boot boot_of(lua_State *L, int index, size_t n)
{
    hone_boot b = {0};
    if (lua_isnoneornil(L, index))
        return b;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "seed");
    b.seed = (uint64_t)luaL_optinteger(L, -1, 0);
    lua_getfield(L, index, "level");
    b.level = luaL_optnumber(L, -1, 0);
    lua_pop(L, 2);
    if (lua_getfield(L, index, "clusters") == LUA_TNIL) {
        lua_pop(L, 1);
        return b;
    }
    const int list = lua_gettop(L);
    if (lua_type(L, list) != LUA_TTABLE || (size_t)lua_rawlen(L, list) != n)
        luaL_error(L, "clusters: a list with one entry for each of %d values is wanted", (int)n);
    uint64_t *c = lua_newuserdatauv(L, (n + 1) * sizeof *c, 0);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        const char *z = luaL_tolstring(L, -1, &len);
        c[i] = hone_xxh64(z, len, 0);
        lua_pop(L, 2);
    }
    b.cluster = c;
    return b;
}

/* mutated[k] of the list at `index`: numbers, and which of them were made. */
static void mutated_row(lua_State *L, int index, size_t k, size_t n, double *x, unsigned char *made)
{
    lua_rawgeti(L, index, (lua_Integer)k + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    for (size_t i = 0; i < n; i++) {
        const int type = lua_rawgeti(L, -1, (lua_Integer)i + 1);
        made[i] = type != LUA_TNIL;
        x[i] = type == LUA_TNUMBER ? lua_tonumber(L, -1) : (double)NAN;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static hone_attack_params attack_params(lua_State *L, int index, size_t n)
{
    const hone_boot boot = boot_of(L, index, n);
    hone_attack_params p = {.cluster = boot.cluster, .seed = boot.seed};
    lua_getfield(L, index, "tolerance");
    p.tolerance = luaL_optnumber(L, -1, .02);
    lua_getfield(L, index, "floor_tolerance");
    p.floor_tolerance = luaL_optnumber(L, -1, .1);
    lua_getfield(L, index, "range");
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    p.lowest = luaL_checknumber(L, -2);
    p.highest = luaL_checknumber(L, -1);
    lua_pop(L, 5);
    return p;
}

static int l_attack_report(lua_State *L)
{
    size_t n, n_all;
    lua_settop(L, 4);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checktype(L, 4, LUA_TTABLE);
    const size_t k_all = (size_t)lua_rawlen(L, 1);
    const double *original = numbers(L, 2, &n);
    const hone_attack_params p = attack_params(L, 4, n);
    const hone_attack *attacks = hone_attacks(&n_all);
    if ((size_t)lua_rawlen(L, 3) != k_all || k_all > n_all)
        return luaL_error(L, "attack_report: one list of scores for each attack is wanted");
    double *x = lua_newuserdatauv(L, (3 * k_all * n + 1) * sizeof *x, 0);
    double *change = x + k_all * n, *broken = change + k_all * n;
    unsigned char *made = lua_newuserdatauv(L, k_all * n + 1, 0);
    hone_attack_result *results = lua_newuserdatauv(L, (k_all + 1) * sizeof *results, 0);
    hone_attack_report r = {.results = results, .n = k_all, .items = n};
    hone_status s = HONE_OK;
    for (size_t k = 0; k < k_all && s >= 0; k++) {
        size_t which, one;
        lua_rawgeti(L, 1, (lua_Integer)k + 1);
        s = hone_attacks_choose(hone_str_c(luaL_checkstring(L, -1)), &which, &one);
        lua_pop(L, 1);
        if (s < 0)
            break;
        mutated_row(L, 3, k, n, x + k * n, made + k * n);
        for (size_t i = 0; i < n; i++) {
            const double y = x[k * n + i];
            const int both = made[k * n + i] && isfinite(y) && isfinite(original[i]);
            change[k * n + i] = both ? y - original[i] : (double)NAN;
            broken[k * n + i] = both ? hone_attack_breaks(attacks[which].relation, original[i], y,
                                                          &p)
                                     : (double)NAN;
        }
        s = hone_attack_measure(which, original, x + k * n, made + k * n, n, &p, &results[k]);
    }
    if (s >= 0)
        s = hone_attack_lines(&r, change, broken, &p);
    hone_buf text;
    hone_jw w;
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_buf_init(&text, DOCUMENT_MAX);
    if (s >= 0) {
        hone_jw_init(&w, &text, 0);
        hone_jw_map(&w);
        hone_jw_key(&w, "kind");
        hone_jw_cstr(&w, "attack");
        hone_attack_write(&w, &r);
        hone_jw_end(&w);
        s = hone_buf_check(&text, "attack report");
    }
    if (s >= 0)
        s = hone_json_parse(text.ptr, text.len, "attack report", &a, &v);
    if (s >= 0)
        hone_lua_push_value(L, &v);
    hone_buf_release(&text);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* ---- the gate ------------------------------------------------------------------------------------------------- */

/* What a decision is made of; everything lies in the arena. */
struct decision {
    hone_gate_evidence e;
    hone_value docs[4]; /* in the order of `kinds` */
    hone_arena arena;
    char key[65], spec[65], now[21];
};
static const char *const kinds[4] = {"calibration", "reliability", "attack", "lint"};

/* The document `kind` of the table at `index`; *out is NULL when it is not there. */
static hone_status document_at(lua_State *L, int index, const char *kind, hone_arena *a,
                               hone_value *v, const hone_value **out)
{
    hone_status s = HONE_OK;
    lua_getfield(L, index, kind);
    if (!lua_isnil(L, -1)) {
        s = hone_lua_to_value(L, lua_gettop(L), a, v);
        if (s >= 0)
            *out = v;
    }
    lua_pop(L, 1);
    return s;
}

static hone_status keep(const struct decision *d, const hone_gate *g, int64_t *id)
{
    hone_book *b;
    hone_buf text;
    HONE_TRY(hone_book_open(NULL, &b));
    hone_buf_init(&text, DOCUMENT_MAX);
    hone_status s = HONE_OK;
    for (size_t i = 0; i < 3 && s >= 0; i++) { /* lint is in the record itself */
        hone_jw w;
        if (d->docs[i].type != HONE_MAP)
            continue;
        hone_buf_clear(&text);
        hone_jw_init(&w, &text, 0);
        hone_jw_value(&w, &d->docs[i]);
        s = hone_buf_check(&text, kinds[i]);
        if (s >= 0)
            s = hone_book_put_run(b, kinds[i], d->spec, hone_buf_str(&text), NULL);
    }
    if (s >= 0)
        s = hone_gate_keep(g, &d->e, b, id);
    hone_buf_release(&text);
    hone_book_close(b);
    return s;
}

static hone_status prepare(lua_State *L, hone_lua_comp *c, struct decision *d)
{
    const hone_value **docs[4] = {&d->e.calibration, &d->e.reliability, &d->e.attack, &d->e.lint};
    HONE_TRY(hone_judge_key(c->instance, d->key, NULL));
    if (!d->key[0])
        return hone_fail(HONE_E_INVALID, "%s tells no spec, so no record can name it", c->id);
    const hone_str spec = hone_judge_spec(c->instance);
    if (spec.len)
        hone_sha256_of(spec.ptr, spec.len, d->spec);
    for (size_t i = 0; i < 4; i++)
        HONE_TRY(document_at(L, 2, kinds[i], &d->arena, &d->docs[i], docs[i]));
    const hone_value *rubric = d->e.lint ? hone_value_get(d->e.lint, "rubric") : NULL;
    d->e.rubric = rubric && rubric->type == HONE_STRING
                      ? hone_arena_strndup(&d->arena, rubric->u.str.ptr, rubric->u.str.len)
                      : "";
    hone_book_now(d->now);
    d->e.key = d->key;
    d->e.spec = d->spec;
    d->e.now = d->now;
    d->e.judge = c->id;
    return d->e.rubric ? HONE_OK : HONE_E_NOMEM;
}

static int l_gate_decide(lua_State *L)
{
    hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct decision *d = lua_newuserdatauv(L, sizeof *d, 0);
    memset(d, 0, sizeof *d);
    lua_getfield(L, 3, "repeats");
    d->e.repeats = luaL_optnumber(L, -1, 0);
    lua_getfield(L, 3, "days");
    d->e.age_days = luaL_optnumber(L, -1, 0);
    lua_getfield(L, 3, "policy");
    d->e.policy = luaL_optstring(L, -1, ""); /* stays on the stack */
    hone_gate g;
    hone_buf text;
    hone_value v;
    int64_t id = 0;
    int decided = 0;
    hone_arena_init(&d->arena, 0);
    hone_buf_init(&text, DOCUMENT_MAX);
    hone_status s = c->instance ? prepare(L, c, d) : hone_fail(HONE_E_INVALID, "a judge is wanted");
    if (s >= 0)
        s = hone_gate_decide(&d->e, &g);
    decided = s >= 0;
    if (s >= 0)
        s = hone_gate_json(&g, &d->e, &text);
    if (s >= 0 && !hone__lua_recipe(L)->opt.plan) /* a plan writes nothing */
        s = keep(d, &g, &id);
    if (s >= 0)
        s = hone_json_parse(text.ptr, text.len, "gate", &d->arena, &v);
    if (s >= 0) {
        hone_lua_push_value(L, &v);
        lua_pushinteger(L, (lua_Integer)id);
        lua_setfield(L, -2, "record");
    }
    if (decided)
        hone_gate_release(&g);
    hone_buf_release(&text);
    hone_arena_release(&d->arena);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* core.judge_spec(component) -> its spec as JSON text, or nil: no call of the judge, so nobody counts it as one. */
static int l_judge_spec(lua_State *L)
{
    const hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    const hone_str spec = c->instance ? hone_judge_spec(c->instance) : (hone_str){NULL, 0};
    if (!spec.len)
        return 0;
    lua_pushlstring(L, spec.ptr, spec.len);
    return 1;
}

/* The present time as reports have it: "2026-01-31T23:59:59Z". */
static int l_utc(lua_State *L)
{
    char now[21];
    hone_book_now(now);
    lua_pushstring(L, now);
    return 1;
}

void hone__lua_open_evidence(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"utc", l_utc},
                                     {"judge_spec", l_judge_spec},
                                     {"lint", l_lint},
                                     {"attack_report", l_attack_report},
                                     {"gate_decide", l_gate_decide},
                                     {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
