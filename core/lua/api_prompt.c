/* api_prompt.c - prompts, data tables and figures with intervals, for the loops around judges.
 *
 *   core.data_file(name) -> table     a table written in Lua, read as data, with no function in reach (judge/data.h);
 *                                     FILE.json is read as JSON
 *   core.canonical(table) -> text     its canonical JSON, which hashes of rubrics and prompts are of
 *   core.prompt(table or name) -> prompt, facts        id, hash, vars (names used), data    (judge/prompt.h)
 *   core.prompt_render(prompt, { name = text }) -> list of { role, content }
 *   core.mean(values, { clusters =, seed =, level = }) -> { value, lo, hi, n, why, note }      false: missing
 *   core.difference(a, b, options) -> the same, of a - b by place
 *   core.strengths(n, games, ridge) -> list, list of standard errors       games: { a, b, share of a }
 *
 * Arrays that a call needs are memory of the Lua state, so that an error on the way leaks nothing. Everything here runs on
 * the control thread. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "judge/data.h"
#include "judge/interval.h"
#include "judge/prompt.h"
#include "judge/strength.h"
#include "lua/recipe.h"

#include <math.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 20)

static int l_data_file(lua_State *L)
{
    size_t n;
    const char *name = luaL_checklstring(L, 1, &n);
    char *path = NULL;
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone_recipe_file(hone__lua_recipe(L), name, &path);
    if (s >= 0 && n > 5 && strcmp(name + n - 5, ".json") == 0)
        s = hone_json_parse_file(path, FILE_MAX, &a, &v);
    else if (s >= 0)
        s = hone_data_read_file(path, &a, &v);
    hone_free(path);
    if (s >= 0)
        hone_lua_push_value(L, &v);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

static int l_canonical(lua_State *L)
{
    hone_arena a;
    hone_value v, sorted;
    hone_buf text;
    hone_jw w;
    luaL_checktype(L, 1, LUA_TTABLE);
    hone_arena_init(&a, 0);
    hone_buf_init(&text, FILE_MAX);
    hone_status s = hone_lua_to_value(L, 1, &a, &v);
    if (s >= 0)
        s = hone_data_sorted(&v, "table", &a, &sorted);
    if (s >= 0) {
        hone_jw_init(&w, &text, 0);
        hone_data_canonical(&w, &sorted);
        s = hone_buf_check(&text, "canonical JSON");
    }
    if (s >= 0)
        lua_pushlstring(L, text.ptr, text.len);
    hone_buf_release(&text);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* ---- prompts ------------------------------------------------------------------------------------------------- */

#define PROMPT_TYPE "hone.prompt"

static void prompt_release(void *p)
{
    hone_prompt_destroy(p);
}

static hone_status read_prompt(lua_State *L, hone_prompt **out)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        char *path = NULL;
        hone_status s = hone_recipe_file(hone__lua_recipe(L), lua_tostring(L, 1), &path);
        if (s >= 0)
            s = hone_prompt_read_file(path, out);
        hone_free(path);
        return s;
    }
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 1, &a, &v);
    if (s >= 0)
        s = hone_prompt_from_value(&v, "prompt", out);
    hone_arena_release(&a);
    return s;
}

static int l_prompt(lua_State *L)
{
    hone_prompt *p = NULL;
    if (read_prompt(L, &p) < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, p, PROMPT_TYPE);
    lua_createtable(L, 0, 4);
    lua_pushlstring(L, p->id.ptr, p->id.len);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, p->hash);
    lua_setfield(L, -2, "hash");
    lua_createtable(L, (int)p->n_vars, 0);
    for (size_t i = 0; i < p->n_vars; i++) {
        lua_pushlstring(L, p->vars[i].ptr, p->vars[i].len);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "vars");
    hone_lua_push_value(L, &p->root);
    lua_setfield(L, -2, "data");
    return 2;
}

static int l_prompt_render(lua_State *L)
{
    const hone_prompt *p = hone__lua_check(L, 1, PROMPT_TYPE);
    luaL_checktype(L, 2, LUA_TTABLE);
    hone_prompt_binding *b = lua_newuserdatauv(L, (p->n_vars + 1) * sizeof *b, 0);
    size_t n = 0, n_out = 0;
    for (size_t i = 0; i < p->n_vars; i++) { /* names are bounded by the prompt's own memory */
        lua_pushlstring(L, p->vars[i].ptr, p->vars[i].len);
        const char *name = lua_tostring(L, -1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 2) ==
            LUA_TSTRING) { /* text and name stay: in table 2, and on the stack */
            size_t len;
            const char *text = lua_tolstring(L, -1, &len);
            b[n++] = (hone_prompt_binding){name, {text, len}};
        }
        lua_pop(L, 1);
        luaL_checkstack(L, 4, "a prompt's variables");
    }
    hone_arena a;
    hone_message *m = NULL;
    hone_arena_init(&a, 0);
    hone_status s = hone_prompt_render(p, b, n, &a, &m, &n_out);
    if (s >= 0)
        lua_createtable(L, (int)n_out, 0);
    for (size_t i = 0; s >= 0 && i < n_out; i++) {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, m[i].role.ptr, m[i].role.len);
        lua_setfield(L, -2, "role");
        lua_pushlstring(L, m[i].content.ptr, m[i].content.len);
        lua_setfield(L, -2, "content");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* ---- statistics ---------------------------------------------------------------------------------------------- */

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

static int push_figure(lua_State *L, const hone_figure *f)
{
    lua_createtable(L, 0, 5);
    if (hone_figure_has(f)) {
        lua_pushnumber(L, f->value);
        lua_setfield(L, -2, "value");
    }
    if (hone_figure_has_interval(f)) {
        lua_pushnumber(L, f->lo);
        lua_setfield(L, -2, "lo");
        lua_pushnumber(L, f->hi);
        lua_setfield(L, -2, "hi");
    }
    lua_pushinteger(L, (lua_Integer)f->n);
    lua_setfield(L, -2, "n");
    if (f->why) {
        lua_pushstring(L, f->why);
        lua_setfield(L, -2, "why");
    }
    if (f->note) {
        lua_pushstring(L, f->note);
        lua_setfield(L, -2, "note");
    }
    return 1;
}

static int l_mean(lua_State *L)
{
    size_t n;
    hone_figure f;
    const double *x = numbers(L, 1, &n);
    const hone_boot b = boot_of(L, 2, n);
    if (hone_interval_mean(x, n, &b, &f) < 0)
        return hone_lua_raise(L);
    return push_figure(L, &f);
}

static int l_difference(lua_State *L)
{
    size_t n, m;
    hone_figure f;
    const double *x = numbers(L, 1, &n), *y = numbers(L, 2, &m);
    if (n != m)
        return luaL_error(L, "difference: %d values and %d", (int)n, (int)m);
    const hone_boot b = boot_of(L, 3, n);
    if (hone_interval_difference(x, y, n, &b, &f) < 0)
        return hone_lua_raise(L);
    return push_figure(L, &f);
}

static int l_strengths(lua_State *L)
{
    const lua_Integer players = luaL_checkinteger(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_argcheck(L, players >= 1 && players <= HONE_STRENGTH_PLAYERS, 1, "too many players");
    const size_t n = (size_t)lua_rawlen(L, 2), p = (size_t)players;
    hone_match *m = lua_newuserdatauv(L, (n + 1) * sizeof *m, 0);
    double *x = lua_newuserdatauv(L, 2 * p * sizeof *x, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        for (int k = 1; k <= 3; k++)
            lua_rawgeti(L, -k, k);
        const double share = luaL_checknumber(L, -1);
        m[i] = (hone_match){.a = (uint32_t)(luaL_checkinteger(L, -3) - 1),
                            .b = (uint32_t)(luaL_checkinteger(L, -2) - 1),
                            .wins_a = share,
                            .wins_b = 1 - share};
        lua_pop(L, 4);
    }
    hone_strengths out;
    if (hone_strength_fit(m, n, p, luaL_checknumber(L, 3), 0, x, x + p, &out) < 0)
        return hone_lua_raise(L);
    if (out.why)
        return luaL_error(L, "strengths: %s", out.why);
    for (size_t part = 0; part < 2; part++) {
        lua_createtable(L, (int)p, 0);
        for (size_t i = 0; i < p; i++) {
            lua_pushnumber(L, x[part * p + i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
    }
    return 2;
}

void hone__lua_open_prompt(lua_State *L)
{
    hone__lua_type(L, PROMPT_TYPE, prompt_release);
    static const luaL_Reg funcs[] = {{"data_file", l_data_file}, {"canonical", l_canonical},
                                     {"prompt", l_prompt},       {"prompt_render", l_prompt_render},
                                     {"mean", l_mean},           {"difference", l_difference},
                                     {"strengths", l_strengths}, {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
