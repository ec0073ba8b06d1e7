/* api.c - userdata, context and the module "hone.core" (see api.h). */
#include "lua/api.h"

#include "base/alloc.h"

#include <string.h>

static const char recipe_key;

typedef struct box {
    void *p;
    void (*release)(void *p);
} box;

hone_recipe *hone__lua_recipe(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &recipe_key);
    hone_recipe *r = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return r;
}

void hone__lua_set_recipe(lua_State *L, hone_recipe *r)
{
    lua_pushlightuserdata(L, r);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &recipe_key);
}

static int box_close(lua_State *L)
{
    box *b = lua_touserdata(L, 1);
    if (b && b->p) {
        void *p = b->p;
        b->p = NULL;
        b->release(p);
    }
    return 0;
}

void hone__lua_type(lua_State *L, const char *type, void (*release)(void *p))
{
    luaL_newmetatable(L, type);
    lua_pushcfunction(L, box_close);
    lua_setfield(L, -2, "__gc");
    lua_pushlightuserdata(L, *(void **)&release);
    lua_setfield(L, -2, "release");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void hone__lua_push(lua_State *L, void *p, const char *type)
{
    box *b = lua_newuserdatauv(L, sizeof *b, 1);
    b->p = NULL;
    luaL_getmetatable(L, type);
    lua_getfield(L, -1, "release");
    void *f = lua_touserdata(L, -1);
    lua_pop(L, 1);
    memcpy(&b->release, &f, sizeof f);
    lua_setmetatable(L, -2);
    b->p = p;
}

void *hone__lua_check(lua_State *L, int index, const char *type)
{
    box *b = luaL_checkudata(L, index, type);
    if (!b->p)
        luaL_error(L, "this %s was closed", type);
    return b->p;
}

void *hone__lua_test(lua_State *L, int index, const char *type)
{
    box *b = luaL_testudata(L, index, type);
    return b ? b->p : NULL;
}

hone_status hone__lua_options(lua_State *L, int index, hone_arena *arena, hone_value *out)
{
    if (lua_isnoneornil(L, index)) {
        *out = (hone_value){.type = HONE_MAP};
        return HONE_OK;
    }
    HONE_TRY(hone_lua_to_value(L, index, arena, out));
    if (out->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "a table with named entries is wanted");
    return HONE_OK;
}

hone_status hone__lua_call(lua_State *L, int nargs, int nresults, const char *what,
                           const char *hint)
{
    hone_lua_guard_enter(L, 0);
    hone_status s = hone_lua_pcall(L, nargs, nresults), guard = hone_lua_guard_leave(L);
    if (guard < 0 && s >= 0 && nresults > 0)
        lua_pop(L, nresults);
    if (guard < 0)
        s = guard;
    if (s < 0 && s != HONE_E_INTERRUPTED) {
        hone_fail_at("%s", what);
        if (hint && !hone_error_get()->hint[0])
            hone_fail_hint("%s", hint);
    }
    return s;
}

/* core.call(what, hint, fn, ...) -> one result: for functions of the recipe that the Lua side calls. */
static int core_call(lua_State *L)
{
    const char *what = luaL_checkstring(L, 1), *hint = luaL_optstring(L, 2, NULL);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    if (hone__lua_call(L, lua_gettop(L) - 3, 1, what, hint) < 0)
        return hone_lua_raise(L);
    return 1;
}

static int core_close(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TUSERDATA);
    if (luaL_getmetafield(L, 1, "release") == LUA_TNIL)
        return luaL_error(L, "this cannot be closed");
    lua_pop(L, 1);
    if (hone_lua_in_guard(L)) /* hone is in the middle of something that may use it */
        return luaL_error(L, "nothing can be closed inside a function that hone calls");
    return box_close(L);
}

int hone__lua_open_core(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, core_close);
    lua_setfield(L, -2, "close");
    lua_pushcfunction(L, core_call);
    lua_setfield(L, -2, "call");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    hone__lua_open_components(L);
    hone__lua_open_policy(L);
    hone__lua_open_train(L);
    hone__lua_open_spread(L);
    hone__lua_open_tape(L);
    hone__lua_open_run(L);
    hone__lua_open_plan(L);
    hone__lua_open_gate(L);
    hone__lua_open_data(L);
    hone__lua_open_judge(L);
    hone__lua_open_prompt(L);
    hone__lua_open_evidence(L);
    hone__lua_open_stats(L);
    hone__lua_open_calibrate(L);
    hone__lua_open_curate(L);
    return 1;
}
