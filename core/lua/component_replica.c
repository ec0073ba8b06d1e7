/* component_replica.c - Lua states of their own for the calls of one component.
 *
 * Key idea: a function is copied as what the compiler made of it (lua_dump of a function that was loaded as
 * text here) and its upvalues as plain values, once, when the component is made. Whoever calls takes a state
 * that nobody uses, or makes one, runs in it on its own thread and gives it back: nothing waits for the
 * recipe's thread, and no two threads are in one state. Each has the limits of the recipe's.
 *
 * Does not: share anything between states. A function with an upvalue that cannot be copied (a function, a
 * userdata, a table with a metatable) is refused by name when the component is made.
 * Source: plugin-abi.md section 8 (States). */
#include "lua/component_private.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <pthread.h>
#include <string.h>

enum { MOST = 64, DEPTH = 32 };
/* One value in a buffer: its tag, then what it has. */
enum {
    P_NIL = 'n',
    P_FALSE = 'f',
    P_TRUE = 't',
    P_INT = 'i',
    P_NUM = 'd',
    P_STR = 's',
    P_TABLE = '{',
    P_END = '}',
    P_LIGHT = 'p', /* hone.null, hone.abstain */
    P_ENV = 'e',   /* the globals */
    P_HONE = 'h'   /* what require "hone" gives there */
};

struct hone__lua_replica {
    hone_lua *l;
    hone__lua_fn *fns;
    struct hone__lua_replica *next_free, *next;
};

struct hone__lua_replicas {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    hone__lua_replica *free, *all;
    size_t n, n_fns;
    const char *module; /* NULL: the functions below */
    hone_buf *code, *upvalues;
};

/* ---- plain values ------------------------------------------------------------------------------ */

static void add(lua_State *L, hone_buf *b, const void *p, size_t n)
{
    hone_lua_check(L, hone_buf_add(b, p, n));
}

static void put(lua_State *L, int index, hone_buf *b, int depth, const char *name)
{
    char tag;
    size_t n;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 6, "nested too deep");
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        add(L, b, "n", 1);
        return;
    case LUA_TBOOLEAN:
        add(L, b, lua_toboolean(L, index) ? "t" : "f", 1);
        return;
    case LUA_TNUMBER: {
        lua_Integer i = lua_tointeger(L, index);
        lua_Number d = lua_tonumber(L, index);
        int whole = lua_isinteger(L, index);
        add(L, b, whole ? "i" : "d", 1);
        add(L, b, whole ? (void *)&i : (void *)&d, 8);
        return;
    }
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, index, &n);
        add(L, b, "s", 1);
        add(L, b, &n, sizeof n);
        add(L, b, s, n);
        return;
    }
    case LUA_TLIGHTUSERDATA: {
        void *p = lua_touserdata(L, index);
        tag = P_LIGHT;
        add(L, b, &tag, 1);
        add(L, b, &p, sizeof p);
        return;
    }
    case LUA_TTABLE:
        if (depth >= DEPTH)
            luaL_error(L, "upvalue %s: nested too deep (does it hold itself?)", name);
        if (lua_getmetatable(L, index))
            luaL_error(L, "upvalue %s: a table with a metatable is no plain value", name);
        add(L, b, "{", 1);
        for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
            put(L, -2, b, depth + 1, name);
            put(L, -1, b, depth + 1, name);
        }
        add(L, b, "}", 1);
        return;
    default:
        hone_fail(HONE_E_TYPE, "upvalue %s: a %s cannot be copied to another state", name,
                  luaL_typename(L, index));
        hone_fail_hint(
            "state = \"replicated\" wants upvalues of plain values; put the function with "
            "all it calls in a module beside the recipe, and say module = \"its name\"");
        hone_lua_raise(L);
    }
}

/* Pushes the next value of [*p, end): what put() wrote. */
static void get(lua_State *L, const char **p)
{
    lua_Integer i;
    lua_Number d;
    size_t n;
    void *light;
    luaL_checkstack(L, 6, "nested too deep");
    switch (*(*p)++) {
    case P_FALSE:
    case P_TRUE:
        lua_pushboolean(L, (*p)[-1] == P_TRUE);
        return;
    case P_INT:
        memcpy(&i, *p, 8);
        *p += 8;
        lua_pushinteger(L, i);
        return;
    case P_NUM:
        memcpy(&d, *p, 8);
        *p += 8;
        lua_pushnumber(L, d);
        return;
    case P_STR:
        memcpy(&n, *p, sizeof n);
        *p += sizeof n;
        lua_pushlstring(L, *p, n);
        *p += n;
        return;
    case P_LIGHT:
        memcpy(&light, *p, sizeof light);
        *p += sizeof light;
        lua_pushlightuserdata(L, light);
        return;
    case P_TABLE:
        lua_newtable(L);
        while (**p != P_END) {
            get(L, p);
            get(L, p);
            lua_rawset(L, -3);
        }
        (*p)++;
        return;
    case P_ENV:
        lua_pushglobaltable(L);
        return;
    case P_HONE:
        lua_getglobal(L, "hone");
        return;
    default:
        lua_pushnil(L);
        return;
    }
}

/* ---- copying the functions --------------------------------------------------------------------- */

static int write_code(lua_State *L, const void *p, size_t n, void *ud)
{
    (void)L;
    return hone_buf_add(ud, p, n) < 0;
}

/* Is the value at index what require "hone" gave the recipe? */
static int is_hone(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    int same = 0;
    if (lua_getfield(L, LUA_REGISTRYINDEX, "hone.loaded") == LUA_TTABLE) {
        lua_getfield(L, -1, "hone");
        same = lua_istable(L, -1) && lua_rawequal(L, -1, index);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return same;
}

static void copy_function(lua_State *L, int fn, hone_buf *code, hone_buf *up)
{
    const char *name;
    if (lua_iscfunction(L, fn))
        luaL_error(L, "state = \"replicated\": a function of C cannot be copied");
    lua_pushvalue(L, fn);
    int failed = lua_dump(L, write_code, code, 0);
    lua_pop(L, 1);
    hone_lua_check(L, hone_buf_check(code, "code of a function"));
    if (failed)
        luaL_error(L, "the function cannot be copied");
    for (int i = 1; (name = lua_getupvalue(L, fn, i)) != NULL; i++) {
        lua_pushglobaltable(L);
        int globals = lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        if (globals)
            add(L, up, "e", 1);
        else if (is_hone(L, -1))
            add(L, up, "h", 1);
        else
            put(L, -1, up, 0, name);
        lua_pop(L, 1);
    }
}

void hone__lua_replicas_make(lua_State *L, int t, const char *module, hone__lua_component *lc)
{
    hone_arena *a = &lc->l->arena;
    hone__lua_replicas *p = hone__arena_need(L, a, 1, sizeof *p);
    p->code = hone__arena_need(L, a, lc->n, sizeof *p->code);
    p->upvalues = hone__arena_need(L, a, lc->n, sizeof *p->upvalues);
    for (size_t i = 0; i < lc->n; i++) {
        hone_buf_init(&p->code[i], (size_t)16 << 20);
        hone_buf_init(&p->upvalues[i], (size_t)64 << 20);
    }
    p->n_fns = lc->n;
    p->module = module;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->freed, NULL);
    lc->replicas = p; /* from here on the state frees it */
    for (size_t i = 0; !module && i < lc->n; i++) {
        lua_getfield(L, t, lc->impls[i].slot->name);
        copy_function(L, lua_gettop(L), &p->code[i], &p->upvalues[i]);
        lua_pop(L, 1);
    }
}

/* ---- a state of its own ------------------------------------------------------------------------ */

static int open_small_hone(lua_State *L)
{
    lua_newtable(L);
    hone_lua_push_abstain(L);
    lua_setfield(L, -2, "abstain");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}

struct setup {
    const hone__lua_component *lc;
    hone__lua_replica *r;
};

static int fill(lua_State *L)
{
    struct setup *s = lua_touserdata(L, 1);
    const hone__lua_component *lc = s->lc;
    const hone__lua_replicas *p = lc->replicas;
    if (!hone__ffi_of(s->r->l))
        hone_lua_raise(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "hone");
    lua_call(L, 1, 1);
    lua_setglobal(L, "hone");
    if (p->module) {
        lua_getglobal(L, "require");
        lua_pushstring(L, p->module);
        lua_call(L, 1, 1);
        luaL_checktype(L, -1, LUA_TTABLE);
    }
    for (size_t i = 0; i < p->n_fns; i++) {
        hone__lua_fn *fn = &s->r->fns[i];
        const hone_slot *slot = lc->impls[i].slot;
        fn->slot = hone__ffi_slot(L, slot, lc->iface->table, lc->iface->structs);
        if (p->module) {
            if (lua_getfield(L, -1, slot->name) != LUA_TFUNCTION)
                luaL_error(L, "module \"%s\" has no function %s any more", p->module, slot->name);
        } else {
            const char *at = p->upvalues[i].ptr, *end = at + p->upvalues[i].len;
            if (luaL_loadbufferx(L, p->code[i].ptr, p->code[i].len, "=copy", "b") != LUA_OK)
                return lua_error(L);
            for (int k = 1; at < end; k++) {
                get(L, &at);
                if (!lua_setupvalue(L, -2, k))
                    lua_pop(L, 1);
            }
        }
        fn->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return 0;
}

static void free_replica(const hone__lua_replicas *p, hone__lua_replica *r)
{
    for (size_t i = 0; r->fns && i < p->n_fns; i++)
        hone_arena_release(&r->fns[i].out);
    hone_lua_destroy(r->l);
    hone_free(r->fns);
    hone_free(r);
}

static hone_status make_replica(const hone__lua_component *lc, hone__lua_replica **out)
{
    const hone__lua_replicas *p = lc->replicas;
    const hone_lua *from = lc->l;
    hone__lua_replica *r = hone_calloc(1, sizeof *r);
    if (!r)
        return HONE_E_NOMEM;
    hone_status s = HONE_E_NOMEM;
    hone_lua_opts o = {.lib_dir = from->lib_dir,
                       .recipe_dir = from->recipe_dir,
                       .memory = from->opts.memory,
                       .guard_memory = from->opts.guard_memory,
                       .guard_steps = from->opts.guard_steps};
    r->fns = hone_calloc(p->n_fns, sizeof *r->fns);
    for (size_t i = 0; r->fns && i < p->n_fns; i++) {
        r->fns[i].fn = r->fns[i].batch = r->fns[i].text = LUA_NOREF;
        hone_arena_init(&r->fns[i].out, (size_t)1 << 30);
    }
    if (r->fns)
        s = hone_lua_create(&o, &r->l);
    if (s >= 0) {
        lua_State *L = hone_lua_main(r->l);
        struct setup setup = {lc, r};
        hone_lua_preload(r->l, "hone", open_small_hone);
        lua_pushcfunction(L, fill);
        lua_pushlightuserdata(L, &setup);
        s = hone_lua_pcall(L, 1, 0);
    }
    if (s < 0) {
        hone_error e = *hone_error_get();
        free_replica(p, r);
        return hone_error_set(&e);
    }
    *out = r;
    return HONE_OK;
}

hone_status hone__lua_replica_take(hone__lua_component *lc, hone__lua_replica **out)
{
    hone__lua_replicas *p = lc->replicas;
    hone__lua_replica *r;
    pthread_mutex_lock(&p->lock);
    while (!p->free && p->n >= MOST)
        pthread_cond_wait(&p->freed, &p->lock);
    r = p->free;
    if (r)
        p->free = r->next_free;
    else
        p->n++;
    pthread_mutex_unlock(&p->lock);
    if (!r) {
        hone_status s = make_replica(lc, &r);
        pthread_mutex_lock(&p->lock);
        if (s >= 0) {
            r->next = p->all;
            p->all = r;
        } else {
            p->n--;
        }
        pthread_mutex_unlock(&p->lock);
        if (s < 0)
            return s;
    }
    r->l->control = pthread_self(); /* this thread alone is in it */
    r->l->run_seed = __atomic_load_n(&lc->l->run_seed, __ATOMIC_RELAXED);
    r->l->run_step = __atomic_load_n(&lc->l->run_step, __ATOMIC_RELAXED);
    *out = r;
    return HONE_OK;
}

void hone__lua_replica_give(hone__lua_component *lc, hone__lua_replica *r)
{
    hone__lua_replicas *p = lc->replicas;
    pthread_mutex_lock(&p->lock);
    r->next_free = p->free;
    p->free = r;
    pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->lock);
}

hone_lua *hone__lua_replica_state(hone__lua_replica *r)
{
    return r->l;
}

hone__lua_fn *hone__lua_replica_fn(hone__lua_replica *r, size_t index)
{
    return &r->fns[index];
}

void hone__lua_replicas_free(hone__lua_replicas *p)
{
    if (!p)
        return;
    for (hone__lua_replica *r = p->all, *next; r; r = next) {
        next = r->next;
        free_replica(p, r);
    }
    for (size_t i = 0; i < p->n_fns; i++) {
        hone_buf_release(&p->code[i]);
        hone_buf_release(&p->upvalues[i]);
    }
    pthread_cond_destroy(&p->freed);
    pthread_mutex_destroy(&p->lock);
}
