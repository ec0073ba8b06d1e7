/* data.c - see data.h.
 *
 * A state of liblua's own is made for each text, with an allocator that counts and refuses, and a count hook that ends
 * what runs too long. No library is opened, so the string metatable is not there either. The tree is built outside of
 * Lua's stack of calls, with raw access only: nothing of the text runs any more by then.
 *
 * Invariant: Lua's errors are caught in one lua_pcall around loading and running; walking the result allocates in the
 * arena only (keys are read with lua_type first, so none is converted in place). */
#include "judge/data.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DATA_BYTES = 4 << 20,
    MEMORY = 32 << 20,  /* at one time */
    TURNOVER = 1 << 28, /* bytes ever asked for: what concatenation copies counts too */
    INSTRUCTIONS = 500000,
    HOOK_EVERY = 1000,
    NODES = 100000,
    DEPTH = 32,
    PLACE = 256
};

struct budget {
    size_t used, asked;
    long left;
};

static void *allocate(void *ud, void *p, size_t old_size, size_t size)
{
    struct budget *b = ud;
    if (!p)
        old_size = 0; /* then it is a type */
    if (size == 0) {
        hone_free(p);
        b->used -= old_size;
        return NULL;
    }
    if (size > old_size && size - old_size > MEMORY - b->used)
        return NULL;
    if (size > old_size && size > TURNOVER - b->asked)
        return NULL;
    void *q = hone_realloc(p, size);
    if (q) {
        b->used += size - old_size;
        b->asked += size > old_size ? size : 0;
    }
    return q;
}

static struct budget *budget_of(lua_State *L)
{
    void *ud;
    lua_getallocf(L, &ud);
    return ud;
}

static void count(lua_State *L, lua_Debug *ar)
{
    struct budget *b = budget_of(L);
    (void)ar;
    if ((b->left -= HOOK_EVERY) <= 0)
        luaL_error(L, "it computes too much for data");
}

struct chunk {
    const char *text, *name;
    size_t len;
    int loaded;
};

/* (chunk) -> what it returns. The chunk's one upvalue, its environment, is an empty table. */
static int run(lua_State *L)
{
    struct chunk *c = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, c->text, c->len, c->name, "t") != LUA_OK)
        return lua_error(L);
    lua_newtable(L);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
    c->loaded = 1;
    lua_sethook(L, count, LUA_MASKCOUNT, HOOK_EVERY);
    lua_call(L, 0, 1);
    lua_sethook(L, NULL, 0, 0);
    return 1;
}

/* ---- the result as a tree ---------------------------------------------------------------------------- */

struct walk {
    lua_State *L;
    hone_arena *arena;
    const char *name;
    size_t nodes, n_place;
    char place[PLACE];
    const void *open[DEPTH]; /* the tables around this one */
    int depth;
};

static hone_status bad(const struct walk *w, const char *what)
{
    return hone_fail(HONE_E_PARSE, "%s: %s%s%s", w->name, w->n_place ? w->place : "",
                     w->n_place ? ": " : "", what);
}

static size_t enter_place(struct walk *w, hone_str key, size_t index)
{
    const size_t was = w->n_place;
    size_t room = sizeof w->place - was;
    int n = key.ptr ? snprintf(w->place + was, room, "%s%.*s", was ? "." : "",
                               (int)(key.len < 60 ? key.len : 60), key.ptr)
                    : snprintf(w->place + was, room, "[%zu]", index);
    w->n_place = n < 0 ? was : (size_t)n < room ? was + (size_t)n : sizeof w->place - 1;
    return was;
}

static void leave_place(struct walk *w, size_t was)
{
    w->place[was] = 0;
    w->n_place = was;
}

static hone_status walk_value(struct walk *w, hone_value *out);

static hone_status text_of(struct walk *w, int index, hone_str *out)
{
    hone_str s;
    s.ptr = lua_tolstring(w->L, index, &s.len);
    if (!hone_utf8_valid(s))
        return bad(w, "the text is not UTF-8");
    *out = hone_arena_str(w->arena, s);
    return s.len && !out->ptr ? HONE_E_NOMEM : HONE_OK;
}

static hone_status walk_list(struct walk *w, size_t n, hone_value *out)
{
    hone_value *items = hone_arena_calloc(w->arena, n ? n : 1, sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t was = enter_place(w, (hone_str){NULL, 0}, i + 1);
        lua_rawgeti(w->L, -1, (lua_Integer)i + 1);
        HONE_TRY(walk_value(w, &items[i]));
        lua_pop(w->L, 1);
        leave_place(w, was);
    }
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = n;
    return HONE_OK;
}

static int by_key(const void *a, const void *b)
{
    const hone_str x = ((const hone_pair *)a)->key, y = ((const hone_pair *)b)->key;
    const int c = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return c ? c : x.len < y.len ? -1 : x.len > y.len;
}

static hone_status walk_map(struct walk *w, size_t n, hone_value *out)
{
    hone_pair *pairs = hone_arena_calloc(w->arena, n, sizeof *pairs);
    size_t k = 0;
    if (!pairs)
        return HONE_E_NOMEM;
    lua_pushnil(w->L);
    while (lua_next(w->L, -2)) {
        HONE_TRY(text_of(w, -2, &pairs[k].key));
        const size_t was = enter_place(w, pairs[k].key, 0);
        HONE_TRY(walk_value(w, &pairs[k].value));
        lua_pop(w->L, 1);
        leave_place(w, was);
        k++;
    }
    qsort(pairs, k, sizeof *pairs, by_key);
    out->type = HONE_MAP;
    out->u.map.pairs = pairs;
    out->u.map.n = k;
    return HONE_OK;
}

static hone_status walk_table(struct walk *w, hone_value *out)
{
    const void *self = lua_topointer(w->L, -1);
    const size_t n = lua_rawlen(w->L, -1);
    size_t numbers = 0, names = 0;
    for (int i = 0; i < w->depth; i++)
        if (w->open[i] == self)
            return bad(w, "the table is inside itself: a cycle");
    if (w->depth == DEPTH)
        return bad(w, "tables are nested too deep");
    lua_pushnil(w->L);
    while (lua_next(w->L, -2)) {
        if (lua_isinteger(w->L, -2) && lua_tointeger(w->L, -2) >= 1 &&
            (size_t)lua_tointeger(w->L, -2) <= n)
            numbers++;
        else if (lua_type(w->L, -2) == LUA_TSTRING)
            names++;
        else
            return bad(w, "a key is neither a name nor one of 1..n: a list has no gaps");
        lua_pop(w->L, 1);
    }
    if (numbers && names)
        return bad(w, "a table is a list or has names, not both");
    if (numbers != n)
        return bad(w, "the list has a gap (a nil inside)");
    w->open[w->depth++] = self;
    hone_status s = names ? walk_map(w, names, out) : walk_list(w, n, out);
    w->depth--;
    return s;
}

static hone_status walk_value(struct walk *w, hone_value *out)
{
    if (++w->nodes > NODES)
        return hone_fail(HONE_E_LIMIT, "%s: more than %d values", w->name, NODES);
    if (!lua_checkstack(w->L, 6))
        return hone_fail(HONE_E_LIMIT, "%s: nested too deep", w->name);
    switch (lua_type(w->L, -1)) {
    case LUA_TBOOLEAN:
        out->type = HONE_BOOL;
        out->u.boolean = lua_toboolean(w->L, -1);
        return HONE_OK;
    case LUA_TNUMBER:
        if (lua_isinteger(w->L, -1)) {
            out->type = HONE_I64;
            out->u.i64 = lua_tointeger(w->L, -1);
            return HONE_OK;
        }
        out->type = HONE_F64;
        out->u.f64 = lua_tonumber(w->L, -1);
        return isfinite(out->u.f64) ? HONE_OK : bad(w, "the number is not finite");
    case LUA_TSTRING:
        out->type = HONE_STRING;
        return text_of(w, -1, &out->u.str);
    case LUA_TTABLE:
        return walk_table(w, out);
    default:
        return bad(w, "a function is no data");
    }
}

/* ---- reading --------------------------------------------------------------------------------------------- */

static hone_status lua_failed(lua_State *L, const char *name, int rc, int loaded)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown error";
    if (rc == LUA_ERRMEM)
        return hone_fail(HONE_E_LIMIT, "%s: it needs more memory than data may", name);
    hone_fail(loaded ? HONE_E_SCRIPT : HONE_E_PARSE, "%s", text);
    return hone_fail_hint(
        "the file is Lua that returns one table; no function or global can be used in it");
}

hone_status hone_data_read(const char *text, size_t len, const char *name, hone_arena *arena,
                           hone_value *out)
{
    struct budget b = {0, 0, INSTRUCTIONS};
    char chunk_name[PLACE];
    struct chunk c = {text, chunk_name, len, 0};
    hone_value v = {0};
    if (len > DATA_BYTES)
        return hone_fail(HONE_E_LIMIT, "%s: longer than %d bytes", name, DATA_BYTES);
    if (len && text[0] == LUA_SIGNATURE[0])
        return hone_fail(HONE_E_PARSE, "%s: is compiled Lua, which hone does not read", name);
    snprintf(chunk_name, sizeof chunk_name, "@%s", name);
    lua_State *L = lua_newstate(allocate, &b);
    if (!L)
        return hone_fail(HONE_E_NOMEM, "%s: no memory to read it", name);
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, &c);
    int rc = lua_pcall(L, 1, 1, 0);
    hone_status s = HONE_OK;
    if (rc != LUA_OK)
        s = lua_failed(L, name, rc, c.loaded);
    else if (!lua_istable(L, -1)) {
        s = hone_fail(HONE_E_PARSE, "%s: it returns no table", name);
        hone_fail_hint("the last statement is: return { ... }");
    } else {
        struct walk w = {.L = L, .arena = arena, .name = name};
        s = walk_value(&w, &v);
    }
    lua_close(L);
    if (s >= 0)
        *out = v;
    return s;
}

hone_status hone_data_read_file(const char *path, hone_arena *arena, hone_value *out)
{
    hone_buf b;
    hone_buf_init(&b, DATA_BYTES + 1);
    hone_status s = hone_file_read(path, DATA_BYTES, &b);
    if (s >= 0)
        s = hone_data_read(b.ptr, b.len, path, arena, out);
    hone_buf_release(&b);
    return s;
}

static hone_status sort_maps(hone_value *v, const char *name, int depth)
{
    if (depth > DEPTH)
        return hone_fail(HONE_E_PARSE, "%s: tables are nested too deep", name);
    if (v->type == HONE_LIST) /* the copy is the arena's own: it may be written */
        for (size_t i = 0; i < v->u.list.n; i++)
            HONE_TRY(sort_maps((hone_value *)(uintptr_t)&v->u.list.items[i], name, depth + 1));
    if (v->type != HONE_MAP)
        return HONE_OK;
    hone_pair *pairs = (hone_pair *)(uintptr_t)v->u.map.pairs;
    for (size_t i = 0; i < v->u.map.n; i++)
        HONE_TRY(sort_maps(&pairs[i].value, name, depth + 1));
    if (v->u.map.n)
        qsort(pairs, v->u.map.n, sizeof *pairs, by_key);
    return HONE_OK;
}

hone_status hone_data_sorted(const hone_value *v, const char *name, hone_arena *arena,
                             hone_value *out)
{
    HONE_TRY(hone_value_copy(arena, v, out));
    return sort_maps(out, name, 0);
}

void hone_data_canonical(hone_jw *w, const hone_value *v)
{
    switch (v->type) {
    case HONE_MAP:
        hone_jw_map(w);
        for (size_t i = 0; i < v->u.map.n; i++) {
            hone_jw_key_str(w, v->u.map.pairs[i].key);
            hone_data_canonical(w, &v->u.map.pairs[i].value);
        }
        hone_jw_end(w);
        break;
    case HONE_LIST:
        hone_jw_list(w);
        for (size_t i = 0; i < v->u.list.n; i++)
            hone_data_canonical(w, &v->u.list.items[i]);
        hone_jw_end(w);
        break;
    case HONE_F64:
        hone_jw_f64(w, v->u.f64 == 0 ? 0 : v->u.f64); /* no -0 */
        break;
    default:
        hone_jw_value(w, v);
    }
}

hone_status hone_data_hash(const hone_value *map, const char *but, hone_arena *arena,
                           hone_str *json, char hash[65])
{
    hone_value bare = *map;
    hone_pair *pairs = hone_arena_calloc(arena, map->u.map.n + 1, sizeof *pairs);
    hone_buf b;
    hone_jw w;
    if (!pairs)
        return HONE_E_NOMEM;
    bare.u.map.n = 0;
    for (size_t i = 0; i < map->u.map.n; i++)
        if (!hone_str_eq(map->u.map.pairs[i].key, but))
            pairs[bare.u.map.n++] = map->u.map.pairs[i];
    bare.u.map.pairs = pairs;
    hone_buf_init(&b, 1 << 26);
    hone_jw_init(&w, &b, 0);
    hone_data_canonical(&w, &bare);
    hone_status s = hone_buf_check(&b, "canonical JSON");
    if (s >= 0) {
        const hone_str text = hone_arena_str(arena, hone_buf_str(&b));
        s = text.ptr ? HONE_OK : HONE_E_NOMEM;
        if (s >= 0) {
            hone_sha256_of(b.ptr, b.len, hash);
            *json = text;
        }
    }
    hone_buf_release(&b);
    return s;
}
