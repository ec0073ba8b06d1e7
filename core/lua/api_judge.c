/* api_judge.c - what compositions of judges, prompts and the loops around them need of C.
 *
 *   core.read_file(name) -> text      a file that the recipe may read: reports, labels, prompts, its own run's
 *   core.attack_make(list, items, seed) -> { { item =, attack =, text = }, ... }
 *   core.attack_breaks(attack, original, mutated, { lowest, highest }, tolerance, floor_tolerance) -> boolean
 *
 * The compositions themselves are Lua (scripts/lib/hone/compose.lua): a judge is a component like any other, asked
 * through core.interface. Everything here runs on the control thread. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/file.h"
#include "judge/attack.h"
#include "lua/recipe.h"

#define FILE_MAX ((size_t)64 << 20)

/* The bytes of a small file: FILE_MAX at most. */
static int l_read_file(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    char *path = NULL;
    hone_buf text;
    hone_buf_init(&text, FILE_MAX);
    hone_status s = hone_recipe_file(hone__lua_recipe(L), name, &path);
    if (s >= 0)
        s = hone_file_read(path, FILE_MAX, &text);
    hone_free(path);
    if (s >= 0)
        lua_pushlstring(L, text.ptr, text.len);
    hone_buf_release(&text);
    return s < 0 ? hone_lua_raise(L) : 1;
}

/* ---- attacks (judge/attack.h) ---------------------------------------------------------------------------- */

enum { ATTACKS_MAX = 64 };

/* The text `key` of the table at `index`, or none; valid while the table lives. */
static hone_str field(lua_State *L, int index, const char *key)
{
    hone_str out = {"", 0};
    lua_getfield(L, index, key);
    if (lua_type(L, -1) == LUA_TSTRING)
        out.ptr = lua_tolstring(L, -1, &out.len);
    lua_pop(L, 1);
    return out;
}

/* Completions of the items (tables with prompt, completion, maybe rubric and best) under the attacks of `list`; those
 * that do not apply are left out. Another prompt's answer is that of the next item. */
static int l_attack_make(lua_State *L)
{
    size_t chosen[ATTACKS_MAX], n, len, n_all;
    const char *list = luaL_checklstring(L, 1, &len);
    const uint64_t seed = (uint64_t)luaL_checkinteger(L, 3);
    const hone_attack *attacks = hone_attacks(&n_all);
    luaL_checktype(L, 2, LUA_TTABLE);
    if (n_all > ATTACKS_MAX || hone_attacks_choose((hone_str){list, len}, chosen, &n) < 0)
        return hone_lua_raise(L);
    const lua_Integer items = (lua_Integer)lua_rawlen(L, 2);
    lua_settop(L, 3);
    lua_newtable(L); /* 4: the result */
    for (lua_Integer i = 1; i <= items; i++) {
        lua_rawgeti(L, 2, i);
        lua_rawgeti(L, 2, i % items + 1);
        if (!lua_istable(L, 5) || !lua_istable(L, 6))
            return luaL_error(L, "attack_make: item %d is no table", (int)i);
        const hone_attack_source src = {.prompt = field(L, 5, "prompt"),
                                        .completion = field(L, 5, "completion"),
                                        .other = items > 1 ? field(L, 6, "completion")
                                                           : (hone_str){"", 0},
                                        .rubric = field(L, 5, "rubric"),
                                        .best = field(L, 5, "best"),
                                        .seed = seed,
                                        .item = (uint64_t)i};
        for (size_t k = 0; k < n; k++) {
            hone_buf text;
            hone_buf_init(&text, FILE_MAX);
            hone_status s = attacks[chosen[k]].make(&src, &text);
            if (s > 0) {
                lua_createtable(L, 0, 3);
                lua_pushlstring(L, text.ptr, text.len);
                lua_setfield(L, -2, "text");
                lua_pushinteger(L, i);
                lua_setfield(L, -2, "item");
                lua_pushstring(L, attacks[chosen[k]].name);
                lua_setfield(L, -2, "attack");
                lua_rawseti(L, 4, (lua_Integer)lua_rawlen(L, 4) + 1);
            }
            hone_buf_release(&text);
            if (s < 0)
                return hone_lua_raise(L);
        }
        lua_settop(L, 4);
    }
    return 1;
}

static int l_attack_breaks(lua_State *L)
{
    size_t chosen[ATTACKS_MAX], n, len, n_all;
    const char *name = luaL_checklstring(L, 1, &len);
    hone_attack_params p = {.tolerance = luaL_checknumber(L, 5),
                            .floor_tolerance = luaL_checknumber(L, 6)};
    const hone_attack *attacks = hone_attacks(&n_all);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_rawgeti(L, 4, 1);
    lua_rawgeti(L, 4, 2);
    p.lowest = luaL_checknumber(L, -2);
    p.highest = luaL_checknumber(L, -1);
    if (n_all > ATTACKS_MAX || hone_attacks_choose((hone_str){name, len}, chosen, &n) < 0)
        return hone_lua_raise(L);
    lua_pushboolean(L, hone_attack_breaks(attacks[chosen[0]].relation, luaL_checknumber(L, 2),
                                          luaL_checknumber(L, 3), &p));
    return 1;
}

void hone__lua_open_judge(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"read_file", l_read_file},
                                     {"attack_make", l_attack_make},
                                     {"attack_breaks", l_attack_breaks},
                                     {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
