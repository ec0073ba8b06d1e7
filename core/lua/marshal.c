/* marshal.c - views of described C memory, and tables into it. See marshal.h.
 *
 * Key idea: each described struct gets one metatable whose __index has a table from names to members, so
 * reading s.completion is one table look-up and one push. A view knows the frame (the call) it belongs to; when
 * the call returns the frame's id changes and every view of it is dead, whoever kept it.
 *
 * Invariant: no C pointer reaches Lua but inside a view. Source: plugin-abi.md sections 3a and 8. */
#include "lua/marshal.h"

#include "base/alloc.h"
#include "base/json.h"
#include "hone/reward.h"

#include <string.h>

#define VIEW_MAGIC 0x686f6e6556696577ull
static const char struct_types, array_type; /* addresses are registry keys */

void *hone__arena_need(lua_State *L, hone_arena *a, size_t n, size_t size)
{
    void *p = hone_arena_calloc(a, n ? n : 1, size ? size : 1);
    if (!p)
        hone_lua_raise(L);
    return p;
}

/* ---- frames ------------------------------------------------------------------------------------ */

int hone__frame_push(hone_lua *l)
{
    hone__ffi *f = hone__ffi_of(l);
    if (!f)
        return -1;
    for (int i = 0; i < HONE_FRAMES; i++)
        if (!f->frames[i].id) {
            f->frames[i].id = ++f->next_id;
            return i;
        }
    hone_fail(HONE_E_LIMIT, "calls between Lua and components are nested too deep");
    return -1;
}

void hone__frame_pop(hone_lua *l, int frame)
{
    hone__ffi *f = l->ffi;
    f->frames[frame].id = 0;
    hone_arena_clear(&f->frames[frame].arena);
}

hone__view *hone__test_view(lua_State *L, int index)
{
    hone__view *v = lua_type(L, index) == LUA_TUSERDATA && lua_rawlen(L, index) == sizeof *v
                        ? lua_touserdata(L, index)
                        : NULL;
    return v && v->magic == VIEW_MAGIC ? v : NULL;
}

hone__view *hone__check_view(lua_State *L, int index)
{
    hone__view *v = hone__test_view(L, index);
    if (!v)
        luaL_error(L, "a batch or sample is expected here, not a %s", luaL_typename(L, index));
    hone__ffi *f = hone_lua_of(L)->ffi;
    if (f->frames[v->frame].id != v->frame_id)
        luaL_error(L, "a sample or array is used after its call has returned: copy what you keep");
    return v;
}

/* ---- C to Lua ---------------------------------------------------------------------------------- */

static int named_values(const hone_struct_desc *d)
{
    return d && d->members[0] && d->members[1] && !d->members[2] &&
           d->members[0]->type == HONE_T_STR && d->members[1]->type == HONE_T_VALUE;
}

static void push_str(lua_State *L, hone_str s)
{
    lua_pushlstring(L, s.ptr ? s.ptr : "", s.ptr ? s.len : 0);
}

void hone__push_elem(lua_State *L, int frame, uint16_t type, const hone_struct_desc *of,
                     const void *at)
{
    union {
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
        float f32;
        double f64;
        hone_str str;
        hone_value value;
        const char *cstr;
    } u;
    switch (type) {
    case HONE_T_U8:
    case HONE_T_CHAR:
        lua_pushinteger(L, *(const uint8_t *)at);
        break;
    case HONE_T_I32:
    case HONE_A_TENSOR:
    case HONE_A_PARAM:
    case HONE_A_STATUS:
        memcpy(&u.i32, at, sizeof u.i32);
        lua_pushinteger(L, u.i32);
        break;
    case HONE_T_U32:
        memcpy(&u.u32, at, sizeof u.u32);
        lua_pushinteger(L, u.u32);
        break;
    case HONE_T_I64:
    case HONE_T_U64:
        memcpy(&u.i64, at, sizeof u.i64);
        lua_pushinteger(L, u.i64);
        break;
    case HONE_T_F32:
        memcpy(&u.f32, at, sizeof u.f32);
        lua_pushnumber(L, (double)u.f32);
        break;
    case HONE_T_F64:
        memcpy(&u.f64, at, sizeof u.f64);
        lua_pushnumber(L, u.f64);
        break;
    case HONE_T_STR:
        memcpy(&u.str, at, sizeof u.str);
        push_str(L, u.str);
        break;
    case HONE_T_VALUE:
        memcpy(&u.value, at, sizeof u.value);
        hone_lua_push_value(L, &u.value);
        break;
    case HONE_T_CSTR:
        memcpy(&u.cstr, at, sizeof u.cstr);
        lua_pushstring(L, u.cstr); /* nil for NULL */
        break;
    case HONE_T_STRUCT:
        hone__push_view(L, frame, of, at, 0);
        break;
    default:
        lua_pushnil(L);
        break;
    }
}

/* n elements from p as a list of their own; (name, value) pairs as a table by name. */
static void push_list(lua_State *L, int frame, const hone_member *m, const char *p, size_t n)
{
    luaL_checkstack(L, 8, "nested too deep");
    hone_lua_charge(L, n);
    hone_lua_new_list(L, n);
    for (size_t i = 0; i < n; i++) {
        const char *at = p + i * m->elem_size;
        if (m->type == HONE_T_STRUCT && named_values(m->of)) {
            hone_column c;
            memcpy(&c, at, sizeof c);
            push_str(L, c.name);
            hone_lua_push_value(L, &c.value);
            lua_rawset(L, -3);
            continue;
        }
        if (m->type == HONE_T_STRUCT)
            hone__push_copy(L, frame, m->of, at);
        else
            hone__push_elem(L, frame, m->type, m->of, at);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* A struct as a table of its own, with its arrays: it may be kept. */
void hone__push_copy(lua_State *L, int frame, const hone_struct_desc *d, const void *base)
{
    lua_newtable(L);
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        const char *at = (const char *)base + m->offset;
        if (m->type >= HONE_T_OPAQUE)
            continue;
        if (!m->flags) {
            hone__push_elem(L, frame, m->type, m->of, at);
        } else if (m->flags & HONE_M_INLINE) {
            if (m->flags & HONE_M_ARRAY)
                continue; /* pointers to arrays in place: views only */
            push_list(L, frame, m, at, m->count2_offset);
        } else {
            size_t n;
            memcpy(&at, at, sizeof at);
            if (!at)
                continue;
            hone_lua_check(L, hone_desc_count(d, m, base, &n));
            push_list(L, frame, m, at, n);
        }
        lua_setfield(L, -2, m->name);
    }
}

/* hone_sample.finish is a text in Lua, as in rollouts and data files: by HONE_FINISH_*. */
static const char *const finishes[] = {"unknown", "stop", "length", "cancelled", NULL};

static int is_finish(const hone_struct_desc *d, const hone_member *m)
{
    return m->type == HONE_T_U32 && !m->flags && strcmp(m->name, "finish") == 0 &&
           strcmp(d->name, "hone_sample") == 0;
}

static void push_member(lua_State *L, const hone__view *v, const hone_member *m)
{
    int frame = (int)v->frame;
    const char *at = v->base + m->offset;
    size_t n;
    if (is_finish(v->desc, m)) {
        uint32_t k;
        memcpy(&k, at, sizeof k);
        lua_pushstring(L, finishes[k <= HONE_FINISH_CANCELLED ? k : 0]);
        return;
    }
    if (!m->flags) {
        hone__push_elem(L, frame, m->type, m->of, at);
        return;
    }
    hone_lua_check(L, hone_desc_count(v->desc, m, v->base, &n));
    if ((m->flags & HONE_M_ARRAY) && (m->flags & HONE_M_INLINE)) {
        lua_newtable(L);
        for (uint32_t k = 0; k < m->count2_offset; k++) {
            const void *p;
            memcpy(&p, at + k * sizeof p, sizeof p);
            if (!p)
                continue;
            hone__push_array(L, frame, m->type, m->of, p, n, m->elem_size,
                             (m->flags & HONE_M_MUTABLE) != 0);
            lua_rawseti(L, -2, (lua_Integer)k + 1);
        }
        return;
    }
    const void *p = at;
    if (m->flags & HONE_M_ARRAY)
        memcpy(&p, at, sizeof p);
    if (!p) {
        if (m->type == HONE_T_STRUCT)
            lua_newtable(L);
        else
            lua_pushnil(L);
        return;
    }
    if (m->type == HONE_T_STRUCT &&
        !named_values(m->of)) { /* messages, criteria: a list of tables */
        lua_createtable(L, n > 1000 ? 1000 : (int)n, 0);
        for (size_t i = 0; i < n; i++) {
            hone__push_copy(L, frame, m->of, (const char *)p + i * m->elem_size);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        return;
    }
    hone__push_array(L, frame, m->type, m->of, p, n, m->elem_size,
                     (m->flags & HONE_M_MUTABLE) || ((m->flags & HONE_M_INLINE) && v->writable));
}

/* The value called `name` among n (name, value) pairs, or nil. */
static void push_named(lua_State *L, const char *base, size_t n, hone_str name)
{
    for (size_t i = 0; i < n; i++) {
        hone_column c;
        memcpy(&c, base + i * sizeof c, sizeof c);
        if (hone_str_same(c.name, name)) {
            hone_lua_push_value(L, &c.value);
            return;
        }
    }
    lua_pushnil(L);
}

/* Upvalue 1: name -> member number + 1, negative for NAME_len; functions for callbacks and methods. Upvalue 2: the
 * struct's description. */
static int struct_index(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    lua_pushvalue(L, 2);
    int type = lua_rawget(L, lua_upvalueindex(1));
    if (type == LUA_TNUMBER) {
        lua_Integer i = lua_tointeger(L, -1);
        if (i > 0) {
            push_member(L, v, v->desc->members[i - 1]);
            return 1;
        }
        const hone_member *m = v->desc->members[-i - 1];
        size_t n;
        if (m->type == HONE_T_STR && !m->flags) {
            hone_str s;
            memcpy(&s, v->base + m->offset, sizeof s);
            n = s.len;
        } else {
            hone_lua_check(L, hone_desc_count(v->desc, m, v->base, &n));
        }
        lua_pushinteger(L, (lua_Integer)n);
        return 1;
    }
    if (type != LUA_TNIL)
        return 1;
    const hone_member *columns = lua_type(L, 2) == LUA_TSTRING
                                     ? hone_desc_member(v->desc, "columns")
                                     : NULL;
    if (!columns || !named_values(columns->of)) {
        if (lua_type(L, 2) != LUA_TSTRING)
            return luaL_error(L, "a %s has no [%s]", v->desc->name, luaL_tolstring(L, 2, NULL));
        return luaL_error(L, "a %s has no member \"%s\"", v->desc->name, lua_tostring(L, 2));
    }
    const void *p;
    hone_str name;
    size_t n;
    memcpy(&p, v->base + columns->offset, sizeof p);
    name.ptr = lua_tolstring(L, 2, &name.len);
    hone_lua_check(L, hone_desc_count(v->desc, columns, v->base, &n));
    push_named(L, p, p ? n : 0, name);
    return 1;
}

static int struct_newindex(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    const hone_member *m = lua_type(L, 2) == LUA_TSTRING
                               ? hone_desc_member(v->desc, lua_tostring(L, 2))
                               : NULL;
    if (!m)
        return luaL_error(L, "a %s has no such member", v->desc->name);
    if (!v->writable || m->flags || m->type > HONE_T_F64)
        return luaL_error(L, "%s.%s cannot be written", v->desc->name, m->name);
    hone__read_elem(L, 3, NULL, m->type, NULL, v->base + m->offset, m->name);
    return 0;
}

static int struct_tostring(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    lua_pushfstring(L, "%s", v->desc->name);
    return 1;
}

/* A callback of a sink: upvalue 1 is its prepared slot. sink:put(...) */
static int call_callback(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    hone__slot *s = lua_touserdata(L, lua_upvalueindex(1));
    if (v->desc != s->table)
        return luaL_error(L, "%s belongs to a %s, not to a %s", s->slot->name, s->table->name,
                          v->desc->name);
    void (*fn)(void);
    uint32_t size = UINT32_MAX;
    if (v->desc->members[0]->type == HONE_T_SIZE)
        memcpy(&size, v->base, sizeof size);
    if (size < s->slot->offset + sizeof fn)
        return luaL_error(L, "this host's %s has no %s", s->table->name, s->slot->name);
    memcpy(&fn, v->base + s->slot->offset, sizeof fn);
    if (!fn)
        return luaL_error(L, "this %s has no %s", s->table->name, s->slot->name);
    return hone__call_slot(L, s, fn, v->base, 2, NULL);
}

/* The metatable of views of `d`, onto the stack. */
static void push_struct_type(lua_State *L, const hone_struct_desc *d)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &struct_types) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &struct_types);
    }
    if (lua_rawgetp(L, -1, d) != LUA_TNIL) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_newtable(L); /* metatable */
    lua_newtable(L); /* names */
    for (int i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        if (m->type == HONE_T_OPAQUE || m->type == HONE_T_SIZE || m->type == HONE_T_PAD ||
            m->type == HONE_T_FUNC)
            continue;
        lua_pushinteger(L, i + 1);
        lua_setfield(L, -2, m->name);
        if (m->type == HONE_T_STR || (m->flags & HONE_M_ARRAY)) {
            lua_pushfstring(L, "%s_len", m->name);
            if (lua_rawget(L, -2) == LUA_TNIL) {
                lua_pushfstring(L, "%s_len", m->name);
                lua_pushinteger(L, -(i + 1));
                lua_rawset(L, -4);
            }
            lua_pop(L, 1);
        }
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "names"); /* callbacks are added by hone__ffi_slot */
    lua_pushcclosure(L, struct_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, struct_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, struct_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, d);
    lua_remove(L, -2);
}

/* Makes s callable as view:name(...). */
void hone__add_callback(lua_State *L, hone__slot *s)
{
    push_struct_type(L, s->table);
    lua_getfield(L, -1, "names");
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, call_callback, 1);
    lua_setfield(L, -2, s->slot->name);
    lua_pop(L, 2);
}

static hone__view *new_view(lua_State *L, int frame)
{
    hone__view *v = lua_newuserdatauv(L, sizeof *v, 1);
    hone__ffi *f = hone_lua_of(L)->ffi;
    memset(v, 0, sizeof *v);
    v->magic = VIEW_MAGIC;
    v->frame = (uint32_t)frame;
    v->frame_id = f->frames[frame].id;
    return v;
}

hone__view *hone__push_view(lua_State *L, int frame, const hone_struct_desc *d, const void *base,
                            int writable)
{
    hone__view *v = new_view(L, frame);
    v->desc = d;
    v->base = (char *)(uintptr_t)base;
    v->type = HONE_T_STRUCT;
    v->writable = writable != 0;
    push_struct_type(L, d);
    lua_setmetatable(L, -2);
    return v;
}

/* ---- arrays ------------------------------------------------------------------------------------ */

/* Element i (from 0) of the array at stack index `at`. Views of structs are pooled: the same index of the same array
 * object gives the same view. */
static void push_element(lua_State *L, int at, hone__view *v, size_t i)
{
    char *p = v->base + i * v->stride;
    if (v->type != HONE_T_STRUCT) {
        hone__push_elem(L, (int)v->frame, v->type, NULL, p);
        return;
    }
    if (lua_getiuservalue(L, at, 1) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, at, 1);
    }
    hone__view *e;
    if (lua_rawgeti(L, -1, (lua_Integer)i + 1) == LUA_TNIL) {
        lua_pop(L, 1);
        e = hone__push_view(L, (int)v->frame, v->desc, p, v->writable);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)i + 1);
    } else {
        e = lua_touserdata(L, -1);
        e->base = p;
        e->frame = v->frame;
        e->frame_id = v->frame_id;
    }
    e->index = (uint32_t)i;
    e->extra = v->extra;
    lua_remove(L, -2);
}

static int array_map(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    size_t n = v->n;
    hone_lua_new_list(L, n);
    for (size_t i = 0; i < n; i++) {
        lua_pushvalue(L, 2);
        push_element(L, 1, v, i);
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_call(L, 2, 1);
        hone__check_view(L, 1);
        lua_rawseti(L, 3, (lua_Integer)i + 1);
    }
    return 1;
}

static int array_totable(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    hone_lua_charge(L, v->n);
    hone_lua_new_list(L, v->n);
    for (size_t i = 0; i < v->n; i++) {
        if (v->type == HONE_T_STRUCT)
            hone__push_copy(L, (int)v->frame, v->desc, v->base + i * v->stride);
        else
            hone__push_elem(L, (int)v->frame, v->type, NULL, v->base + i * v->stride);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* batch:note(i, name, value): a named value beside sample i (rewards). */
static int array_note(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    lua_Integer i = luaL_checkinteger(L, 2);
    hone_str name;
    name.ptr = luaL_checklstring(L, 3, &name.len);
    luaL_argcheck(L, i >= 1 && (size_t)i <= v->n, 2, "no such sample");
    const hone_notes *notes = v->extra;
    if (!notes || !notes->put)
        return 0; /* nobody wants notes */
    hone_arena *arena = &((hone__ffi *)hone_lua_of(L)->ffi)->frames[v->frame].arena;
    hone_value value;
    hone_lua_check(L, hone_lua_to_value(L, 4, arena, &value));
    notes->put(notes, (size_t)i - 1, name, &value);
    return 0;
}

static int array_index(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    int isnum;
    lua_Integer i = lua_tointegerx(L, 2, &isnum);
    if (isnum && lua_type(L, 2) == LUA_TNUMBER) {
        if (i < 1 || (size_t)i > v->n)
            return 0;
        push_element(L, 1, v, (size_t)i - 1);
        return 1;
    }
    if (v->type == HONE_T_STRUCT && named_values(v->desc) && lua_type(L, 2) == LUA_TSTRING) {
        hone_str name;
        name.ptr = lua_tolstring(L, 2, &name.len);
        push_named(L, v->base, v->n, name);
        return 1;
    }
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return luaL_error(L, "an array has no \"%s\"", luaL_tolstring(L, 2, NULL));
    return 1;
}

static int array_newindex(lua_State *L)
{
    hone__view *v = hone__check_view(L, 1);
    lua_Integer i = luaL_checkinteger(L, 2);
    if (!v->writable || v->type == HONE_T_STRUCT)
        return luaL_error(L, "this array cannot be written");
    if (i < 1 || (size_t)i > v->n)
        return luaL_error(L, "index %I is outside of 1..%I", (LUAI_UACINT)i, (LUAI_UACINT)v->n);
    hone__read_elem(L, 3, NULL, v->type, NULL, v->base + (size_t)(i - 1) * v->stride, "element");
    return 0;
}

static int array_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)hone__check_view(L, 1)->n);
    return 1;
}

/* pairs over named values (columns), sorted by nothing: in the order of the row. */
static int array_pairs_next(lua_State *L)
{
    hone__view *v = hone__check_view(L, lua_upvalueindex(1));
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    if ((size_t)i >= v->n)
        return 0;
    lua_pushinteger(L, i + 1);
    lua_replace(L, lua_upvalueindex(2));
    if (v->type == HONE_T_STRUCT && named_values(v->desc)) {
        hone_column c;
        memcpy(&c, v->base + (size_t)i * v->stride, sizeof c);
        push_str(L, c.name);
        hone_lua_push_value(L, &c.value);
    } else {
        lua_pushinteger(L, i + 1);
        push_element(L, lua_upvalueindex(1), v, (size_t)i);
    }
    return 2;
}

static int array_pairs(lua_State *L)
{
    hone__check_view(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, array_pairs_next, 2);
    return 1;
}

static void push_array_type(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"map", array_map}, {"totable", array_totable}, {"note", array_note}, {NULL, NULL}};
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &array_type) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, array_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, array_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, array_len);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, array_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_type);
}

hone__view *hone__push_array(lua_State *L, int frame, uint16_t type, const hone_struct_desc *d,
                             const void *base, size_t n, size_t stride, int writable)
{
    hone__view *v = new_view(L, frame);
    v->desc = d;
    v->base = (char *)(uintptr_t)base;
    v->type = type;
    v->array = 1;
    v->n = base ? n : 0;
    v->stride = stride;
    v->writable = writable != 0;
    push_array_type(L);
    lua_setmetatable(L, -2);
    return v;
}

/* ---- Lua to C ---------------------------------------------------------------------------------- */

static int wrong(lua_State *L, int index, const char *what, const char *want)
{
    return luaL_error(L, "%s: %s expected, got %s", what, want, luaL_typename(L, index));
}

static lua_Integer integer(lua_State *L, int index, const char *what, lua_Integer lo,
                           lua_Integer hi)
{
    int ok;
    lua_Integer i = lua_tointegerx(L, index, &ok);
    if (lua_type(L, index) == LUA_TBOOLEAN)
        return lua_toboolean(L, index);
    if (!ok || lua_type(L, index) != LUA_TNUMBER)
        wrong(L, index, what, "an integer");
    if (i < lo || i > hi)
        luaL_error(L, "%s: %I is out of range", what, (LUAI_UACINT)i);
    return i;
}

static double number(lua_State *L, int index, const char *what)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        wrong(L, index, what, "a number");
    return lua_tonumber(L, index);
}

static hone_str string(lua_State *L, int index, hone_arena *arena, const char *what)
{
    hone_str s;
    if (lua_type(L, index) != LUA_TSTRING)
        wrong(L, index, what, "a string");
    s.ptr = lua_tolstring(L, index, &s.len);
    if (!arena)
        return s; /* anchored by the caller's stack */
    char *copy = hone__arena_need(L, arena, s.len + 1, 1);
    memcpy(copy, s.ptr, s.len);
    s.ptr = copy;
    return s;
}

void hone__read_elem(lua_State *L, int index, hone_arena *arena, uint16_t type,
                     const hone_struct_desc *of, void *at, const char *what)
{
    switch (type) {
    case HONE_T_U8:
    case HONE_T_CHAR:
        *(uint8_t *)at = (uint8_t)integer(L, index, what, 0, 255);
        break;
    case HONE_A_TENSOR:
    case HONE_A_PARAM: {
        int32_t x = lua_isnil(L, index)
                        ? -1
                        : (int32_t)integer(L, index, what, INT32_MIN, INT32_MAX); /* nil: none */
        memcpy(at, &x, sizeof x);
        break;
    }
    case HONE_T_I32:
    case HONE_A_STATUS: {
        int32_t x = (int32_t)integer(L, index, what, INT32_MIN, INT32_MAX);
        memcpy(at, &x, sizeof x);
        break;
    }
    case HONE_T_U32: {
        uint32_t x = (uint32_t)integer(L, index, what, 0, UINT32_MAX);
        memcpy(at, &x, sizeof x);
        break;
    }
    case HONE_T_I64:
    case HONE_T_U64: {
        int64_t x = integer(L, index, what, INT64_MIN, INT64_MAX);
        memcpy(at, &x, sizeof x);
        break;
    }
    case HONE_T_F32: {
        float x = (float)number(L, index, what);
        memcpy(at, &x, sizeof x);
        break;
    }
    case HONE_T_F64: {
        double x = number(L, index, what);
        memcpy(at, &x, sizeof x);
        break;
    }
    case HONE_T_STR: {
        hone_str s = string(L, index, arena, what);
        memcpy(at, &s, sizeof s);
        break;
    }
    case HONE_T_CSTR: {
        hone_str s = {NULL, 0};
        if (!lua_isnil(L, index)) {
            s = string(L, index, arena, what);
            if (s.len && memchr(s.ptr, 0, s.len))
                luaL_error(L, "%s: the string holds a NUL", what);
        }
        memcpy(at, &s.ptr, sizeof s.ptr);
        break;
    }
    case HONE_T_VALUE: {
        hone_value v;
        hone_status s = hone_lua_to_value(L, index, arena, &v);
        if (s < 0) {
            hone_fail_at("%s", what);
            hone_lua_raise(L);
        }
        memcpy(at, &v, sizeof v);
        break;
    }
    case HONE_T_STRUCT:
        hone__read_struct(L, index, arena, of, at, what);
        break;
    default:
        luaL_error(L, "%s: cannot be given from Lua", what);
    }
}

static void write_count(lua_State *L, const hone_struct_desc *d, const hone_member *m, void *base,
                        size_t n)
{
    const hone_member *c = hone_desc_member_at(d, m->count_offset);
    uint64_t have = 0;
    if (m->flags & HONE_M_PLUS1) {
        if (n == 0)
            luaL_error(L, "%s.%s: needs one element more than %s", d->name, m->name, c->name);
        n--;
    }
    if (m->flags & HONE_M_PRODUCT)
        return; /* its counts are given, or those of other arrays */
    memcpy(&have, (char *)base + c->offset, c->elem_size);
    if (have && have != n)
        luaL_error(L, "%s.%s: has %I elements, another array counted by %s has %I", d->name,
                   m->name, (LUAI_UACINT)n, c->name, (LUAI_UACINT)have);
    if (c->type == HONE_T_U32) {
        uint32_t x = (uint32_t)n;
        if (n > UINT32_MAX)
            luaL_error(L, "%s.%s: too many elements", d->name, m->name);
        memcpy((char *)base + c->offset, &x, sizeof x);
    } else {
        uint64_t x = n;
        memcpy((char *)base + c->offset, &x, sizeof x);
    }
}

/* { name = value, ... } into (name, value) pairs, sorted by name. */
static const void *read_named(lua_State *L, int index, hone_arena *arena, size_t *n)
{
    hone_value map;
    hone_lua_check(L, hone_lua_to_value(L, index, arena, &map));
    if (map.type != HONE_MAP)
        luaL_error(L, "columns: a table of names and values is expected");
    hone_column *c = hone__arena_need(L, arena, map.u.map.n, sizeof *c);
    for (size_t i = 0; i < map.u.map.n; i++) {
        c[i].name = map.u.map.pairs[i].key;
        c[i].value = map.u.map.pairs[i].value;
    }
    *n = map.u.map.n;
    return c;
}

enum { HONE_LUA_MEMBERS = 64 };

static size_t read_array(lua_State *L, int index, hone_arena *arena, const hone_struct_desc *d,
                         const hone_member *m, void *base)
{
    size_t n = 0;
    const void *p;
    if (m->type == HONE_T_STRUCT && named_values(m->of)) {
        p = read_named(L, index, arena, &n);
    } else {
        if (lua_type(L, index) != LUA_TTABLE && !hone__test_view(L, index))
            wrong(L, index, m->name, "a list");
        n = (size_t)luaL_len(L, index);
        size_t bytes;
        if (!hone_mul_size(n, m->elem_size, &bytes))
            luaL_error(L, "%s: too many elements", m->name);
        char *q = hone__arena_need(L, arena, n, m->elem_size);
        for (size_t i = 0; i < n; i++) {
            lua_geti(L, index, (lua_Integer)i + 1);
            hone__read_elem(L, lua_gettop(L), arena, m->type, m->of, q + i * m->elem_size, m->name);
            lua_pop(L, 1);
        }
        p = q;
    }
    write_count(L, d, m, base, n);
    memcpy((char *)base + m->offset, &p, sizeof p);
    return n;
}

void hone__copy_back(lua_State *L, int index, const hone_struct_desc *d, const void *base)
{
    if (lua_type(L, index) != LUA_TTABLE)
        return;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "nested too deep");
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        int in_place = (m->flags & HONE_M_INLINE) != 0;
        if (!(m->flags & HONE_M_ARRAY) || !(m->flags & HONE_M_MUTABLE) || m->type > HONE_T_F64)
            continue;
        if (lua_getfield(L, index, m->name) == LUA_TTABLE) {
            size_t n;
            hone_lua_check(L, hone_desc_count(d, m, base, &n));
            hone_lua_charge(L, n);
            for (uint32_t k = 0; k < (in_place ? m->count2_offset : 1); k++) {
                const char *p;
                memcpy(&p, (const char *)base + m->offset + k * sizeof p, sizeof p);
                if (in_place)
                    lua_geti(L, -1, (lua_Integer)k + 1);
                for (size_t j = 0; p && lua_type(L, -1) == LUA_TTABLE && j < n; j++) {
                    hone__push_elem(L, -1, m->type, NULL, p + j * m->elem_size);
                    lua_rawseti(L, -2, (lua_Integer)j + 1);
                }
                if (in_place)
                    lua_pop(L, 1);
            }
        }
        lua_pop(L, 1);
    }
}

/* A list of arrays, each as long as the count says, into the pointers that stand in place. */
static void read_arrays(lua_State *L, int index, hone_arena *arena, const hone_struct_desc *d,
                        const hone_member *m, void *base)
{
    lua_Integer n = luaL_len(L, index);
    luaL_checkstack(L, 8, "nested too deep");
    if (n < 0 || n > (lua_Integer)m->count2_offset)
        luaL_error(L, "%s.%s: at most %d arrays", d->name, m->name, (int)m->count2_offset);
    for (lua_Integer k = 0; k < n; k++) {
        hone_member one = *m;
        one.flags = (uint16_t)(m->flags & ~HONE_M_INLINE);
        one.offset = m->offset + (uint32_t)k * (uint32_t)sizeof(void *);
        if (lua_geti(L, index, k + 1) != LUA_TNIL)
            read_array(L, lua_gettop(L), arena, d, &one, base);
        lua_pop(L, 1);
    }
}

/* Counts are numbers of the struct that may be given too: each must be that of the arrays it counts. */
static void check_arrays(lua_State *L, const hone_struct_desc *d, const void *base,
                         const size_t *given)
{
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        const void *p;
        size_t n;
        if (!(m->flags & HONE_M_ARRAY))
            continue;
        hone_lua_check(L, hone_desc_count(d, m, base, &n));
        if (m->flags & HONE_M_INLINE) /* each was compared with the count as it was read */
            continue;
        memcpy(&p, (const char *)base + m->offset, sizeof p);
        if (p && i < HONE_LUA_MEMBERS && given[i] != n)
            luaL_error(L, "%s.%s: has %I elements, its count says %I", d->name, m->name,
                       (LUAI_UACINT)given[i], (LUAI_UACINT)n);
        if (!p && n && !(m->flags & (HONE_M_NULLABLE | HONE_M_PLUS1)))
            luaL_error(L, "%s.%s: is missing, and its count says %I", d->name, m->name,
                       (LUAI_UACINT)n);
    }
}

void hone__read_struct(lua_State *L, int index, hone_arena *arena, const hone_struct_desc *d,
                       void *at, const char *what)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "nested too deep");
    memset(at, 0, d->size);
    hone__view *v = hone__test_view(L, index);
    if (v && !v->array &&
        v->desc == d) { /* a view of the same struct: its bytes, valid while its call is */
        hone__check_view(L, index);
        memcpy(at, v->base, d->size);
        return;
    }
    if (lua_type(L, index) != LUA_TTABLE)
        wrong(L, index, what, "a table");
    size_t known = 0, given = 0, lengths[HONE_LUA_MEMBERS];
    memset(lengths, 0, sizeof lengths);
    /* numbers first: what they count is compared with them */
    for (int arrays = 0; arrays < 2; arrays++)
        for (size_t i = 0; d->members[i]; i++) {
            const hone_member *m = d->members[i];
            char *p = (char *)at + m->offset;
            if (((m->flags & HONE_M_ARRAY) != 0) != arrays)
                continue;
            if (m->type == HONE_T_SIZE) {
                uint32_t size = d->size;
                memcpy(p, &size, sizeof size);
                continue;
            }
            if (m->type >= HONE_T_OPAQUE)
                continue;
            if (lua_getfield(L, index, m->name) == LUA_TNIL) {
                lua_pop(L, 1);
                continue;
            }
            known++;
            if ((m->flags & HONE_M_ARRAY) && !(m->flags & HONE_M_INLINE)) {
                size_t n = read_array(L, lua_gettop(L), arena, d, m, at);
                if (i < HONE_LUA_MEMBERS)
                    lengths[i] = n;
            } else if ((m->flags & HONE_M_INLINE) && !(m->flags & HONE_M_ARRAY)) {
                for (uint32_t k = 0; k < m->count2_offset; k++) {
                    if (lua_geti(L, -1, (lua_Integer)k + 1) != LUA_TNIL)
                        hone__read_elem(L, lua_gettop(L), arena, m->type, m->of,
                                        p + k * m->elem_size, m->name);
                    lua_pop(L, 1);
                }
            } else if (m->flags & HONE_M_INLINE) {
                read_arrays(L, lua_gettop(L), arena, d, m, at);
            } else {
                if (is_finish(d, m) && lua_type(L, -1) == LUA_TSTRING) {
                    uint32_t k = (uint32_t)luaL_checkoption(L, -1, NULL, finishes);
                    memcpy(p, &k, sizeof k);
                } else {
                    hone__read_elem(L, lua_gettop(L), arena, m->type, m->of, p, m->name);
                }
            }
            lua_pop(L, 1);
        }
    check_arrays(L, d, at, lengths);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        given++;
    if (given == known)
        return;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        if (lua_type(L, -2) != LUA_TSTRING || !hone_desc_member(d, lua_tostring(L, -2)))
            luaL_error(L, "%s: a %s has no member \"%s\"", what, d->name,
                       luaL_tolstring(L, -2, NULL));
}
