/* sandbox.c - the globals of a recipe: an allow-list, with hone's versions of what could escape or hang.
 *
 * Out: io, os, package, debug (but traceback), dofile, loadfile, string.dump, bytecode, finalizers (no hook runs
 * in __gc), collectgarbage("stop"). Replaced: load (text only), require (scripts/lib and the recipe's folder),
 * pcall, xpcall, coroutine.resume and wrap (a guard's limit passes through them), pairs (sorted keys: the
 * order of Lua's own changes from process to process), math.random (counter-based, the run's seed), print,
 * pattern matching (pattern.c), and those table and string functions that work long inside one
 * instruction, which charge their length. Source: plugin-abi.md section 8, recipes-and-cli.md (Sandbox). */
#include "lua/state_private.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"

#include <limits.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOADED "hone.loaded"
#define PRELOAD "hone.preload"

/* ---- protected calls: a tripped guard goes through --------------------------------------------- */

static int pcall_done(lua_State *L, int status, lua_KContext extra)
{
    hone__lua_rethrow(L);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)extra;
}

static int safe_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_done);
    return pcall_done(L, status, 0);
}

/* An error that a count hook raised calls the handler with hooks off: nothing could stop it then. */
static int handle_error(lua_State *L)
{
    const hone_lua *l = hone_lua_of(L);
    if (l->guard_depth && l->tripped)
        return 1;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int safe_xpcall(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle_error, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, pcall_done);
    return pcall_done(L, status, 2);
}

/* ---- coroutines -------------------------------------------------------------------------------- */

/* Resumes co with the n arguments on top of L; results (or the error value) come onto L. -1 on error. */
static int resume(lua_State *L, lua_State *co, int n)
{
    hone_lua *l = hone_lua_of(L);
    int results = 0;
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_State *outer = l->running;
    hone__lua_hook_thread(l, co);
    lua_xmove(L, co, n);
    int status = lua_resume(co, L, n, &results);
    l->running = outer;
    if (l->guard_depth && outer) /* what it allocated may want a closer look from here on too */
        hone__lua_hook_thread(l, outer);
    hone__lua_rethrow(L);
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(L, results + 1)) {
            lua_pop(co, results);
            lua_pushliteral(L, "too many results to resume");
            return -1;
        }
        lua_xmove(co, L, results);
        return results;
    }
    lua_xmove(co, L, 1);
    return -1;
}

static lua_State *check_thread(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

static int safe_resume(lua_State *L)
{
    lua_State *co = check_thread(L);
    int n = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, n >= 0);
    lua_insert(L, n >= 0 ? -(n + 1) : -2);
    return n >= 0 ? n + 1 : 2;
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n = resume(L, co, lua_gettop(L));
    if (n >= 0)
        return n;
    if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD && !hone__lua_was_stopped(co)) {
        lua_resetthread(co); /* runs what is to be closed */
        lua_settop(co, 0);
    }
    return lua_error(L);
}

static int safe_close(lua_State *L)
{
    hone__lua_rethrow(
        L); /* a coroutine that the hook ended would close its variables with hooks off */
    lua_State *co = check_thread(L);
    if (hone__lua_was_stopped(co))
        return luaL_error(L, "a coroutine that a limit ended cannot be closed");
    hone__lua_hook_thread(hone_lua_of(L), co); /* what is to be closed runs under the guard too */
    hone_lua_of(L)->running = hone_lua_of(L)->guard_depth ? L : NULL;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, LUA_MULTRET);
    hone__lua_rethrow(L);
    return lua_gettop(L);
}

static int safe_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* ---- metatables, loading, garbage -------------------------------------------------------------- */

static int safe_setmetatable(lua_State *L)
{
    int t = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, t == LUA_TNIL || t == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (t == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "finalizers (__gc) are not allowed in recipes");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static const char *read_piece(lua_State *L, void *ud, size_t *size)
{
    (void)ud;
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        *size = 0;
        return NULL;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "reader function must return a string");
    lua_replace(L, 5);
    return lua_tolstring(L, 5, size);
}

/* load(chunk [, name [, mode [, env]]]): text only, whatever the mode says. */
static int safe_load(lua_State *L)
{
    int status, has_env = !lua_isnone(L, 4);
    const char *name;
    size_t len;
    luaL_optstring(L, 3, NULL);
    if (lua_type(L, 1) == LUA_TSTRING) {
        const char *text = lua_tolstring(L, 1, &len);
        name = luaL_optstring(L, 2, "=(load)");
        hone_lua_charge(L, len);
        status = luaL_loadbufferx(L, text, len, name, "t");
    } else {
        name = luaL_optstring(L, 2, "=(load)");
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, 5);
        status = lua_load(L, read_piece, NULL, name, "t");
    }
    if (status != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

static int safe_collectgarbage(lua_State *L)
{
    static const char *const options[] = {"collect", "count", "step", NULL};
    switch (luaL_checkoption(L, 1, "collect", options)) {
    case 0:
        hone_lua_charge(L, hone_lua_of(L)->used / 64);
        lua_gc(L, LUA_GCCOLLECT);
        lua_pushinteger(L, 0);
        return 1;
    case 1:
        lua_pushnumber(L, (double)hone_lua_of(L)->used / 1024.0);
        return 1;
    default:
        hone_lua_charge(L, 10000);
        lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, 0));
        return 1;
    }
}

static int safe_print(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    int n = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (l->opts.print)
        l->opts.print(l->opts.print_ctx, text, len);
    else
        hone_log(HONE_LOG_INFO, "recipe", "%.*s", len > 2000 ? 2000 : (int)len, text);
    return 0;
}

/* ---- pairs in sorted order --------------------------------------------------------------------- */

static int rank(int type)
{
    return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : type == LUA_TBOOLEAN ? 2 : 3;
}

static int raw_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

/* Upvalues: the sorted keys (a sequence), how far we are. Keys that are gone are passed over. */
static int sorted_next(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    for (;;) {
        i++;
        if (lua_rawgeti(L, lua_upvalueindex(1), i) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(3)) != LUA_TNIL) {
            lua_pushinteger(L, i);
            lua_replace(L, lua_upvalueindex(2));
            return 2;
        }
        lua_pop(L, 2);
    }
}

/* Is key at index a before key at index b? Numbers, then strings by bytes, then false, true, then others. */
static int key_less(lua_State *L, int a, int b)
{
    int ra = rank(lua_type(L, a)), rb = rank(lua_type(L, b));
    if (ra != rb)
        return ra < rb;
    if (ra == 0)
        return lua_compare(L, a, b, LUA_OPLT);
    if (ra == 1) {
        size_t na, nb;
        const char *x = lua_tolstring(L, a, &na), *y = lua_tolstring(L, b, &nb);
        int d = memcmp(x, y, na < nb ? na : nb);
        return d ? d < 0 : na < nb;
    }
    return ra == 2 ? lua_toboolean(L, a) < lua_toboolean(L, b) : 0;
}

/* Heap sort of the sequence at index t: no worst case, no comparator that could lie. */
static void sift(lua_State *L, int t, lua_Integer root, lua_Integer n)
{
    for (;;) {
        lua_Integer child = 2 * root;
        if (child > n)
            return;
        lua_rawgeti(L, t, child);
        if (child < n) {
            lua_rawgeti(L, t, child + 1);
            if (key_less(L, -2, -1)) {
                lua_remove(L, -2);
                child++;
            } else {
                lua_pop(L, 1);
            }
        }
        lua_rawgeti(L, t, root);
        if (!key_less(L, -1, -2)) {
            lua_pop(L, 2);
            return;
        }
        lua_rawseti(L, t, child);
        lua_rawseti(L, t, root);
        root = child;
    }
}

static int sorted_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    size_t count = 0, list = lua_rawlen(L, 1);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        count++;
    hone_lua_charge(L, count);
    if (count == list) { /* a sequence: Lua's own order is that of its indexes */
        lua_pushcfunction(L, raw_next);
        lua_pushvalue(L, 1);
        lua_pushnil(L);
        return 3;
    }
    hone_lua_new_list(L, count);
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, 2, ++n);
    }
    hone_lua_charge(L, 16 * count);
    for (lua_Integer i = n / 2; i > 0; i--)
        sift(L, 2, i, n);
    for (lua_Integer last = n; last > 1; last--) {
        lua_rawgeti(L, 2, 1);
        lua_rawgeti(L, 2, last);
        lua_rawseti(L, 2, 1);
        lua_rawseti(L, 2, last);
        sift(L, 2, 1, last - 1);
    }
    lua_pushinteger(L, 0);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, sorted_next, 3);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* ---- math.random ------------------------------------------------------------------------------- */

static int safe_random(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    const hone_rng_key k = l->random.key;
    int n = lua_gettop(L);
    if (n == 0) {
        lua_pushnumber(L, hone_rng_uniform(&k, l->random.at++));
        return 1;
    }
    lua_Integer lo = n == 1 ? 1 : luaL_checkinteger(L, 1),
                hi = luaL_checkinteger(L, n == 1 ? 1 : 2);
    if (n > 2)
        return luaL_error(L, "wrong number of arguments");
    if (n == 1 && hi == 0) {
        lua_pushinteger(L, (lua_Integer)hone_rng_u64(&k, l->random.at++));
        return 1;
    }
    luaL_argcheck(L, lo <= hi, n, "interval is empty");
    uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
    uint64_t x = span ? hone_rng_below(&k, l->random.at, span) : hone_rng_u64(&k, l->random.at);
    l->random.at++;
    lua_pushinteger(L, (lua_Integer)((uint64_t)lo + x));
    return 1;
}

static int safe_randomseed(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    l->random.key.seed = (uint64_t)luaL_checkinteger(L, 1);
    l->random.at = 0;
    return 0;
}

/* ---- functions that work long inside one instruction ------------------------------------------- */

/* The originals ask the table's length themselves, and __len may say something else each time: they would count to
 * what no hook sees. */
static void refuse_own_length(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TTABLE && luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        luaL_error(L, "a table with a __len of its own is not taken here: use a loop");
}

static int call_original(lua_State *L)
{
    int args = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, args, LUA_MULTRET);
    return lua_gettop(L);
}

/* Charges for the length of argument 1 (a string, or a table), then calls the original, upvalue 1. Upvalue 2: a
 * factor in 1/64 steps an element; upvalue 3: 1 = n log n, and so many times the bytes of the strings. */
static int charged(lua_State *L)
{
    uint64_t n = 0, bytes = 0;
    refuse_own_length(L);
    if (lua_type(L, 1) == LUA_TSTRING)
        n = lua_rawlen(L, 1);
    else if (lua_type(L, 1) == LUA_TTABLE)
        n = lua_rawlen(L, 1);
    uint64_t factor = (uint64_t)lua_tointeger(L, lua_upvalueindex(2)),
             cost = n / 64 * factor + n % 64 * factor / 64;
    if (lua_toboolean(L, lua_upvalueindex(3))) {
        for (uint64_t i = 1; lua_type(L, 1) == LUA_TTABLE && i <= n; i++) {
            if (lua_rawgeti(L, 1, (lua_Integer)i) == LUA_TSTRING)
                bytes += lua_rawlen(L, -1);
            lua_pop(L, 1);
        }
        for (uint64_t m = n; m > 1; m >>= 1)
            cost += n + bytes / 16;
    }
    hone_lua_charge(L, cost);
    return call_original(L);
}

/* table.concat, table.unpack, table.move, utf8.codepoint: charges for a range given as arguments too. */
static int charged_range(lua_State *L)
{
    int from = (int)lua_tointeger(L, lua_upvalueindex(2));
    uint64_t n = lua_type(L, 1) == LUA_TTABLE || lua_type(L, 1) == LUA_TSTRING ? lua_rawlen(L, 1)
                                                                               : 0;
    int has_a, has_b; /* 1.0 and "1" are integers to the originals */
    lua_Integer a = lua_tointegerx(L, from, &has_a), b = lua_tointegerx(L, from + 1, &has_b);
    if (!has_a)
        a = 1;
    if (!has_b)
        refuse_own_length(L);
    if (has_b)
        n = b < a ? 0 : (uint64_t)b - (uint64_t)a;
    else if (has_a && a < 0)
        n += (uint64_t) - (a + 1) + 1; /* to the end, from before the beginning */
    hone_lua_charge(L, n);
    return call_original(L);
}

/* How many of n places the range i..j has, which count from the end where they are negative; j 0: not given. */
static uint64_t places(lua_Integer i, lua_Integer j, uint64_t n)
{
    const lua_Integer len = n > INT64_MAX ? INT64_MAX : (lua_Integer)n;
    if (i < 0)
        i = i < -len ? 1 : len + i + 1;
    if (j < 0)
        j = j < -len ? 0 : len + j + 1;
    i = i < 1 ? 1 : i;
    j = j > len ? len : j;
    return j < i ? 0 : (uint64_t)(j - i) + 1;
}

/* string.byte(s, i = 1, j = i): a step a byte of the range, whatever the text around it. utf8.len(s, i = 1, j = -1): a
 * step for four. Upvalue 2: bytes a step; upvalue 3: what j is when it is not given, 0 for i. */
static int charged_slice(lua_State *L)
{
    lua_Integer i = lua_isnoneornil(L, 2) ? 1 : lua_tointeger(L, 2),
                j = lua_isnoneornil(L, 3) ? lua_tointeger(L, lua_upvalueindex(3))
                                          : lua_tointeger(L, 3);
    if (lua_isnoneornil(L, 3) && j == 0)
        j = i;
    if (lua_type(L, 1) == LUA_TSTRING)
        hone_lua_charge(L, places(i, j, lua_rawlen(L, 1)) /
                               (uint64_t)lua_tointeger(L, lua_upvalueindex(2)));
    return call_original(L);
}

/* utf8.offset(s, n, i): the bytes of n characters, at most four each. */
static int charged_offset(lua_State *L)
{
    lua_Integer n = lua_tointeger(L, 2);
    uint64_t most = lua_type(L, 1) == LUA_TSTRING ? lua_rawlen(L, 1) : 0,
             steps = n < 0 ? (uint64_t) - (n + 1) + 1 : (uint64_t)n;
    hone_lua_charge(L, steps < most ? steps : most);
    return call_original(L);
}

/* table.insert(t, [at,] v), table.remove(t, [at]): an eighth of a step for each element that moves. Upvalue 2: how
 * many arguments mean that `at` is given. */
static int charged_shift(lua_State *L)
{
    refuse_own_length(L);
    if (lua_gettop(L) >= (int)lua_tointeger(L, lua_upvalueindex(2)) &&
        lua_type(L, 1) == LUA_TTABLE) {
        lua_Integer at = lua_tointeger(L, 2);
        uint64_t n = lua_rawlen(L, 1);
        hone_lua_charge(L, at >= 1 && (uint64_t)at <= n ? (n - (uint64_t)at) / 8 : 0);
    }
    return call_original(L);
}

static int safe_rep(lua_State *L)
{
    size_t len, sep_len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_len);
    if (n <= 0 || (len == 0 && sep_len == 0)) { /* Lua's own would count to n for nothing */
        lua_pushliteral(L, "");
        return 1;
    }
    size_t one = len + sep_len, total;
    if (one < len || !hone_mul_size(one, (size_t)n, &total) || total > ((size_t)1 << 40))
        return luaL_error(L, "resulting string too large");
    total -= sep_len;
    hone_lua_charge(L, total / 64 + (uint64_t)n);
    luaL_Buffer b;
    char *p = luaL_buffinitsize(L, &b, total);
    for (lua_Integer i = 0; i < n; i++) {
        memcpy(p, s, len);
        p += len;
        if (i + 1 < n) {
            memcpy(p, sep, sep_len);
            p += sep_len;
        }
    }
    luaL_pushresultsize(&b, total);
    return 1;
}

static int safe_traceback(lua_State *L)
{
    const char *text = lua_tostring(L, 1);
    if (!text && !lua_isnoneornil(L, 1)) {
        lua_pushvalue(L, 1);
        return 1;
    }
    luaL_traceback(L, L, text, 1);
    return 1;
}

/* ---- require ----------------------------------------------------------------------------------- */

/* DIR/name.lua or DIR/name/init.lua, really inside DIR (links are followed first): onto the stack as a path. */
static int find_in(lua_State *L, const char *dir, const char *name)
{
    static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
    char root[PATH_MAX], path[PATH_MAX], real[PATH_MAX];
    if (!realpath(dir, root))
        return 0;
    size_t len = strlen(root);
    for (int i = 0; i < 2; i++) {
        int n = i ? snprintf(path, sizeof path, forms[1], root, name)
                  : snprintf(path, sizeof path, forms[0], root, name);
        if (n < 0 || (size_t)n >= sizeof path || !realpath(path, real))
            continue;
        if (strncmp(real, root, len) == 0 && (real[len] == '/' || strcmp(root, "/") == 0)) {
            lua_pushstring(L, real);
            return 1;
        }
    }
    return 0;
}

static int name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > 200 || name[0] == '.' || name[n - 1] == '.' || strstr(name, ".."))
        return 0;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '_' || *p == '-' || *p == '.'))
            return 0;
    return 1;
}

static int safe_require(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    size_t name_len;
    const char *name = luaL_checklstring(L, 1, &name_len);
    char file[256];
    if (strlen(name) != name_len)
        return luaL_error(L, "module name '%s': it holds a NUL", name);
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PRELOAD);
    if (lua_getfield(L, 3, name) == LUA_TNIL) {
        lua_settop(L, 2);
        if (!name_ok(name))
            return luaL_error(L, "module name '%s': only letters, digits, _, - and single dots",
                              name);
        snprintf(file, sizeof file, "%s", name);
        for (char *p = file; *p; p++)
            if (*p == '.')
                *p = '/';
        if (!find_in(L, l->lib_dir, file) && !(l->recipe_dir && find_in(L, l->recipe_dir, file)))
            return luaL_error(L, "module '%s' not found: looked in %s%s%s", name, l->lib_dir,
                              l->recipe_dir ? " and " : "", l->recipe_dir ? l->recipe_dir : "");
        const char *path = lua_tostring(L, 3);
        const char *chunk = lua_pushfstring(L, "@%s", path);
        hone_buf b; /* nothing between here and its release may raise */
        hone_buf_init(&b, 16 << 20);
        hone_status s = hone_file_read(path, 16 << 20, &b);
        int rc = s >= 0 ? luaL_loadbufferx(L, b.ptr, b.len, chunk, "t") : LUA_OK;
        hone_buf_release(&b);
        hone_lua_check(L, s);
        if (rc != LUA_OK)
            return lua_error(L);
    }
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

struct preload {
    const char *name;
    lua_CFunction open;
};

static int add_preload(lua_State *L)
{
    const struct preload *p = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PRELOAD);
    lua_pushcfunction(L, p->open);
    lua_setfield(L, -2, p->name);
    return 0;
}

void hone_lua_preload(hone_lua *l, const char *name, lua_CFunction open)
{
    struct preload p = {name, open};
    lua_pushcfunction(l->L, add_preload);
    lua_pushlightuserdata(l->L, &p);
    if (hone_lua_pcall(l->L, 1, 0) < 0)
        hone_log(HONE_LOG_ERROR, NULL, "no memory to offer the module %s", name);
}

/* ---- the allow-list ---------------------------------------------------------------------------- */

/* Copies the named functions of the library on top into a new table that takes its place. */
static void keep_only(lua_State *L, const char *const *names)
{
    lua_newtable(L);
    for (size_t i = 0; names[i]; i++) {
        lua_getfield(L, -2, names[i]);
        lua_setfield(L, -2, names[i]);
    }
    lua_remove(L, -2);
}

static void open_library(lua_State *L, const char *name, lua_CFunction open,
                         const char *const *names)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    keep_only(L, names);
}

static void set(lua_State *L, const char *name, lua_CFunction f)
{
    lua_pushcfunction(L, f);
    lua_setfield(L, -2, name);
}

static void charge(lua_State *L, const char *name, lua_Integer factor, int sorting)
{
    lua_getfield(L, -1, name);
    lua_pushinteger(L, factor);
    lua_pushboolean(L, sorting);
    lua_pushcclosure(L, charged, 3);
    lua_setfield(L, -2, name);
}

static void put_charged(lua_State *L, const char *name, lua_CFunction with, lua_Integer a,
                        lua_Integer b)
{
    lua_getfield(L, -1, name);
    lua_pushinteger(L, a);
    lua_pushinteger(L, b);
    lua_pushcclosure(L, with, 3);
    lua_setfield(L, -2, name);
}

static void charge_range(lua_State *L, const char *name, lua_Integer from)
{
    lua_getfield(L, -1, name);
    lua_pushinteger(L, from);
    lua_pushcclosure(L, charged_range, 2);
    lua_setfield(L, -2, name);
}

void hone__lua_open_sandbox(lua_State *L)
{
    static const char *const base[] = {"assert",   "error",    "getmetatable", "ipairs", "next",
                                       "rawequal", "rawget",   "rawlen",       "rawset", "select",
                                       "tonumber", "tostring", "type",         NULL};
    static const char *const string[] = {"byte",     "char",    "format", "len",    "lower", "pack",
                                         "packsize", "reverse", "sub",    "unpack", "upper", NULL};
    static const char *const table[] = {"concat", "insert", "move",   "pack",
                                        "remove", "sort",   "unpack", NULL};
    static const char *const math[] = {
        "abs",  "acos", "asin", "atan", "ceil",       "cos",  "deg",        "exp",  "floor",
        "fmod", "huge", "log",  "max",  "maxinteger", "min",  "mininteger", "modf", "pi",
        "rad",  "sin",  "sqrt", "tan",  "tointeger",  "type", "ult",        NULL};
    static const char *const utf8[] = {"char", "charpattern", "codepoint", "codes",
                                       "len",  "offset",      NULL};
    static const char *const coroutine[] = {"close",  "create", "isyieldable", "running",
                                            "status", "yield",  NULL};

    open_library(L, "_G", luaopen_base, base); /* the new globals are on top from here on */
    set(L, "pcall", safe_pcall);
    set(L, "xpcall", safe_xpcall);
    set(L, "setmetatable", safe_setmetatable);
    set(L, "load", safe_load);
    set(L, "collectgarbage", safe_collectgarbage);
    set(L, "print", safe_print);
    set(L, "pairs", sorted_pairs);
    set(L, "require", safe_require);
    lua_pushliteral(L, LUA_VERSION);
    lua_setfield(L, -2, "_VERSION");

    open_library(L, LUA_STRLIBNAME, luaopen_string, string);
    set(L, "rep", safe_rep);
    hone__lua_open_patterns(L);
    put_charged(L, "byte", charged_slice, 1, 0);
    static const char *const texts[] = {"lower", "reverse", "upper", NULL}, *const formats[] = {
                                                                                "format", "pack",
                                                                                "packsize",
                                                                                "unpack", NULL};
    for (size_t i = 0; texts[i]; i++)
        charge(L, texts[i], 1, 0);
    for (size_t i = 0; formats[i]; i++) /* what they make is charged as memory, like sub's */
        charge(L, formats[i], 16, 0);
    lua_pushliteral(L, ""); /* the metatable of all strings */
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    lua_setfield(L, -2, "string");

    open_library(L, LUA_TABLIBNAME, luaopen_table, table);
    put_charged(L, "insert", charged_shift, 3, 0);
    put_charged(L, "remove", charged_shift, 2, 0);
    charge(L, "sort", 64, 1);
    charge_range(L, "concat", 3);
    charge_range(L, "unpack", 2);
    charge_range(L, "move", 2);
    lua_setfield(L, -2, "table");

    open_library(L, LUA_MATHLIBNAME, luaopen_math, math);
    set(L, "random", safe_random);
    set(L, "randomseed", safe_randomseed);
    lua_setfield(L, -2, "math");

    open_library(L, LUA_UTF8LIBNAME, luaopen_utf8, utf8);
    put_charged(L, "len", charged_slice, 4, -1);
    put_charged(L, "offset", charged_offset, 0, 0);
    charge_range(L, "codepoint", 2);
    lua_setfield(L, -2, "utf8");

    open_library(L, LUA_COLIBNAME, luaopen_coroutine, coroutine);
    set(L, "resume", safe_resume);
    set(L, "wrap", safe_wrap);
    lua_getfield(L, -1, "close");
    lua_pushcclosure(L, safe_close, 1);
    lua_setfield(L, -2, "close");
    lua_setfield(L, -2, "coroutine");

    lua_newtable(L);
    set(L, "traceback", safe_traceback);
    lua_setfield(L, -2, "debug");

    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
