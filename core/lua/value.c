/* value.c - Lua values as hone_value trees and back.
 *
 * Keys of maps are sorted, because the order of a Lua table depends on addresses and on a seed that changes
 * from process to process, and the same run must give the same bytes. Depth is limited, so a table that holds
 * itself is an error and not a hang. Source: plugin-abi.md section 3 (hone_value). */
#include "lua/state_private.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    lua_State *L;
    hone_arena *arena;
    char path[128];
    size_t path_len;
};

static hone_status bad(struct walk *w, const char *what)
{
    return hone_fail(HONE_E_TYPE, "%s%s%s", w->path_len ? w->path : "", w->path_len ? ": " : "",
                     what);
}

/* Appends ".key" or "[n]" for errors; returns the length to go back to. */
static size_t enter(struct walk *w, hone_str key, size_t index)
{
    size_t back = w->path_len, room = sizeof w->path - back;
    int n = index ? snprintf(w->path + back, room, "[%zu]", index)
                  : snprintf(w->path + back, room, "%s%.*s", back ? "." : "",
                             key.len > 40 ? 40 : (int)key.len, key.ptr);
    if (n > 0 && (size_t)n < room)
        w->path_len = back + (size_t)n;
    return back;
}

static void leave(struct walk *w, size_t back)
{
    w->path_len = back;
    w->path[back] = 0;
}

static int utf8(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;
    while (p < end) {
        unsigned c = *p++, more = c < 0x80 ? 0 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        if (c >= 0x80 && (c < 0xC2 || c > 0xF4 || (size_t)(end - p) < more))
            return 0;
        for (unsigned i = 0; i < more; i++)
            if ((p[i] & 0xC0) != 0x80)
                return 0;
        if (more && ((c == 0xE0 && p[0] < 0xA0) || (c == 0xED && p[0] > 0x9F) ||
                     (c == 0xF0 && p[0] < 0x90) || (c == 0xF4 && p[0] > 0x8F)))
            return 0;
        p += more;
    }
    return 1;
}

static hone_status convert(struct walk *w, int index, unsigned depth, hone_value *out);

static int key_order(const void *a, const void *b)
{
    const hone_pair *x = a, *y = b;
    size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
    int d = n ? memcmp(x->key.ptr, y->key.ptr, n) : 0;
    return d ? d : (x->key.len > y->key.len) - (x->key.len < y->key.len);
}

static hone_status to_list(struct walk *w, int index, size_t n, unsigned depth, hone_value *out)
{
    hone_value *items = hone_arena_calloc(w->arena, n, sizeof *items);
    hone_str none = {NULL, 0};
    if (!items)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t back = enter(w, none, i + 1);
        lua_rawgeti(w->L, index, (lua_Integer)i + 1);
        hone_status s = convert(w, lua_gettop(w->L), depth + 1, &items[i]);
        lua_pop(w->L, 1);
        HONE_TRY(s);
        leave(w, back);
    }
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = n;
    return HONE_OK;
}

static hone_status to_map(struct walk *w, int index, size_t n, unsigned depth, hone_value *out)
{
    lua_State *L = w->L;
    hone_pair *pairs = hone_arena_calloc(w->arena, n, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    size_t k = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        char text[32];
        hone_str key;
        if (lua_type(L, -2) == LUA_TSTRING) {
            key.ptr = lua_tolstring(L, -2, &key.len);
        } else if (lua_isinteger(L, -2)) {
            key.ptr = text;
            key.len = (size_t)snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, -2));
        } else {
            lua_pop(L, 2);
            return bad(w, "a key of the table is neither a string nor an integer");
        }
        if (!utf8(key.ptr, key.len)) {
            lua_pop(L, 2);
            return bad(w, "a key of the table is no UTF-8 text");
        }
        pairs[k].key = hone_arena_str(w->arena, key);
        size_t back = enter(w, key, 0);
        hone_status s = !pairs[k].key.ptr && key.len
                            ? HONE_E_NOMEM
                            : convert(w, lua_gettop(L), depth + 1, &pairs[k].value);
        if (s < 0) {
            lua_pop(L, 2);
            return s;
        }
        leave(w, back);
        k++;
    }
    qsort(pairs, k, sizeof *pairs, key_order);
    for (size_t i = 1; i < k; i++)
        if (key_order(&pairs[i - 1], &pairs[i]) == 0)
            return bad(w, "the table has the same key as a number and as a string");
    out->type = HONE_MAP;
    out->u.map.pairs = pairs;
    out->u.map.n = k;
    return HONE_OK;
}

static hone_status to_table(struct walk *w, int index, unsigned depth, hone_value *out)
{
    lua_State *L = w->L;
    if (depth >= HONE_VALUE_DEPTH)
        return bad(w, "the table is nested too deep (does it hold itself?)");
    if (!lua_checkstack(L, 6))
        return bad(w, "the table is nested too deep");
    size_t n = lua_rawlen(L, index), count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    if (count == 0) {
        out->type = HONE_MAP;
        out->u.map.pairs = NULL;
        out->u.map.n = 0;
        return HONE_OK;
    }
    return n == count ? to_list(w, index, n, depth, out) : to_map(w, index, count, depth, out);
}

static hone_status convert(struct walk *w, int index, unsigned depth, hone_value *out)
{
    lua_State *L = w->L;
    hone_value v;
    memset(&v, 0, sizeof v);
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        v.type = HONE_NULL;
        break;
    case LUA_TBOOLEAN:
        v.type = HONE_BOOL;
        v.u.boolean = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            v.type = HONE_I64;
            v.u.i64 = lua_tointeger(L, index);
        } else {
            v.type = HONE_F64;
            v.u.f64 = lua_tonumber(L, index);
        }
        break;
    case LUA_TSTRING: {
        hone_str s;
        s.ptr = lua_tolstring(L, index, &s.len);
        v.type = utf8(s.ptr, s.len) ? HONE_STRING : HONE_BYTES;
        v.u.str = hone_arena_str(w->arena, s);
        if (s.len && !v.u.str.ptr)
            return HONE_E_NOMEM;
        break;
    }
    case LUA_TTABLE:
        HONE_TRY(to_table(w, index, depth, &v));
        break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL) {
            v.type = HONE_NULL;
            break;
        }
        return bad(w, "a value that only this program understands cannot be kept");
    default: {
        char text[64];
        snprintf(text, sizeof text, "a %s is no plain value", lua_typename(L, lua_type(L, index)));
        return bad(w, text);
    }
    }
    *out = v;
    return HONE_OK;
}

hone_status hone_lua_to_value(lua_State *L, int index, hone_arena *arena, hone_value *out)
{
    struct walk w = {.L = L, .arena = arena};
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 8))
        return hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
    hone_status s = convert(&w, lua_absindex(L, index), 0, out);
    lua_settop(L, top);
    return s;
}

void hone_lua_push_value(lua_State *L, const hone_value *v)
{
    luaL_checkstack(L, 4, "value too deep");
    switch (v->type) {
    case HONE_BOOL:
        lua_pushboolean(L, v->u.boolean != 0);
        break;
    case HONE_I64:
        lua_pushinteger(L, v->u.i64);
        break;
    case HONE_F64:
        lua_pushnumber(L, v->u.f64);
        break;
    case HONE_STRING:
    case HONE_BYTES:
        lua_pushlstring(L, v->u.str.ptr ? v->u.str.ptr : "", v->u.str.len);
        break;
    case HONE_LIST:
        hone_lua_new_list(L, v->u.list.n);
        for (size_t i = 0; i < v->u.list.n; i++) {
            if (v->u.list.items[i].type == HONE_NULL)
                lua_pushlightuserdata(L, NULL);
            else
                hone_lua_push_value(L, &v->u.list.items[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case HONE_MAP:
        lua_createtable(L, 0, v->u.map.n > 1000000 ? 1000000 : (int)v->u.map.n);
        for (size_t i = 0; i < v->u.map.n; i++) {
            if (v->u.map.pairs[i].value.type == HONE_NULL)
                continue;
            lua_pushlstring(L, v->u.map.pairs[i].key.ptr ? v->u.map.pairs[i].key.ptr : "",
                            v->u.map.pairs[i].key.len);
            hone_lua_push_value(L, &v->u.map.pairs[i].value);
            lua_rawset(L, -3);
        }
        break;
    default:
        lua_pushnil(L);
        break;
    }
}
