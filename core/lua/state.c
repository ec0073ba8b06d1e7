/* state.c - making, guarding, calling and pumping the Lua state. See state.h.
 *
 * Key ideas. The state's address lies in every coroutine's extra space, so any C function finds it. A guard
 * is a step budget that a count hook and charging C functions draw from; once it is used up `tripped` stays
 * set until the guard is left, and hone's pcall and resume raise again, so a script cannot outlive it. A
 * call from elsewhere runs on a coroutine of a pool, so it never meets the recipe's own stack.
 *
 * Invariant: Lua runs on the control thread only. Source: plugin-abi.md section 8. */
#include "lua/state_private.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/paths.h"
#include "lua/component.h"
#include "lua/iface.h"

#include <errno.h>
#include <lualib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_MEMORY ((size_t)4 << 30)
#define DEFAULT_GUARD_MEMORY ((size_t)256 << 20)
#define DEFAULT_GUARD_STEPS 2000000000ull

/* The extra space of a coroutine holds the state's address; its lowest bit: the hook ended this coroutine, so
 * its hooks are off for good (Lua gives no way to see that) and nothing may run on it any more. */
hone_lua *hone_lua_of(lua_State *L)
{
    return (hone_lua *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}

static void mark_stopped(lua_State *L, int stopped)
{
    *(uintptr_t *)lua_getextraspace(L) = (uintptr_t)hone_lua_of(L) | (uintptr_t)stopped;
}

int hone__lua_was_stopped(lua_State *co)
{
    return (*(uintptr_t *)lua_getextraspace(co) & 1) != 0;
}

lua_State *hone_lua_main(hone_lua *l)
{
    return l->L;
}

hone_registry *hone_lua_registry(hone_lua *l)
{
    return l->opts.registry;
}

const char *hone_lua_recipe_dir(hone_lua *l)
{
    return l->recipe_dir;
}

size_t hone_lua_memory(const hone_lua *l)
{
    return l->used;
}

/* ---- math.random ------------------------------------------------------------------------------- */

void hone_lua_random_seed(hone_lua *l, uint64_t seed)
{
    __atomic_store_n(&l->run_seed, seed, __ATOMIC_RELAXED); /* replicas read it */
    l->random = (hone_lua_random){.key = {seed, HONE_RNG_USER, 0, 0, 0}};
}

uint64_t hone_lua_random_position(const hone_lua *l)
{
    return l->random.at;
}

void hone_lua_random_seek(hone_lua *l, uint64_t position)
{
    l->random.at = position;
}

hone_lua_random hone_lua_random_get(const hone_lua *l)
{
    return l->random;
}

void hone_lua_random_set(hone_lua *l, const hone_lua_random *stream)
{
    l->random = *stream;
}

hone_lua_random hone_lua_random_enter(hone_lua *l, const char *purpose, uint64_t step,
                                      uint64_t sample)
{
    hone_lua_random outer = l->random;
    l->random = (hone_lua_random){.key = {.seed = l->run_seed,
                                          .purpose = hone_rng_purpose(purpose),
                                          .step = step,
                                          .sample = sample}};
    return outer;
}

void hone_lua_random_step(hone_lua *l, uint64_t step)
{
    __atomic_store_n(&l->run_step, step, __ATOMIC_RELAXED);
}

/* ---- memory ------------------------------------------------------------------------------------ */

static void hook(lua_State *L, lua_Debug *ar);
#define MAX_TEXT ((size_t)64 << 20)

/* One instruction on a string (a comparison, a look-up) takes as long as the string is, and the hook counts
 * instructions: where a large block is, it is asked more often, at once. A block of `unit` bytes is usual. A comparison
 * of texts full of zeros takes 10 ns a byte: so those above 32 MB are looked at after each instruction, and
 * above MAX_TEXT there are none in a guarded call. */
static void watch_closely(hone_lua *l, size_t block, size_t unit)
{
    size_t every = HONE_LUA_HOOK_EVERY * unit / block;
    if ((int64_t)(block >> 20) > l->weight)
        l->weight = (int64_t)(block >> 20);
    if (every < 1)
        every = 1;
    if (every >= (size_t)l->hook_every)
        return;
    l->hook_every = (int)every;
    if (l->running)
        lua_sethook(l->running, hook, LUA_MASKCOUNT, l->hook_every);
}

/* Is this block the stack of a coroutine, deeper than any program needs? A __call that leads to itself grows the
 * stack by a slot a round and moves all of it each time, in one instruction: with Lua's own limit of a million
 * slots for many minutes. Stacks are new blocks without a type that have an odd number of slots, some doubled
 * size and five to spare; arrays of tables are powers of two, or as long as who made them said: hone_lua_new_list
 * says an even number, and a script can say one only by having as much on its stack. */
static int is_deep_stack(const void *p, size_t type, size_t size)
{
    const size_t slot = 16;
    return !p && !type && size > HONE_LUA_STACK * slot && size % slot == 0 && size / slot % 2 == 1;
}

void hone_lua_new_list(lua_State *L, size_t n)
{
    size_t most = 1000000, room = n < most ? n : most;
    lua_createtable(L, (int)(room + room % 2), 0);
}

static void *allocate(void *ud, void *p, size_t old_size, size_t size)
{
    hone_lua *l = ud;
    const int text = !p && old_size == LUA_TSTRING;
    if (text && l->guard_depth && size > MAX_TEXT)
        return NULL;
    if (l->guard_depth && is_deep_stack(p, old_size, size)) {
        if (!l->tripped)
            l->tripped = HONE_TRIP_STEPS;
        return NULL;
    }
    if (!p)
        old_size = 0; /* Lua passes the kind of object there */
    if (size == 0) {
        l->used -= old_size;
        hone_free(p);
        return NULL;
    }
    if (size > old_size && (size - old_size > l->limit || l->used > l->limit - (size - old_size)))
        return NULL;
    void *q = hone_realloc(p, size);
    if (!q)
        return NULL;
    if (l->guard_depth && size > old_size) { /* filling it is work too */
        l->steps -= (int64_t)((size - old_size) / 64);
        if (size > (size_t)1 << 20)
            watch_closely(l, size, text ? (size_t)1 << 15 : (size_t)1 << 20);
    }
    l->used = l->used - old_size + size;
    return q;
}

/* ---- guards ------------------------------------------------------------------------------------ */

#define TRIPPED "stopped: "

/* level: where the recipe's function stands on the stack, 0 in a hook, 1 in a C function. */
static int trip(lua_State *L, hone_lua *l, int level)
{
    luaL_where(L, level);
    lua_pushstring(L, l->tripped == HONE_TRIP_DEADLINE ? TRIPPED
                          "the deadline of this call has passed"
                                                       : TRIPPED "this call took too many steps");
    lua_concat(L, 2);
    return lua_error(L);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    hone_lua *l = hone_lua_of(L);
    (void)ar;
    if (!l->guard_depth)
        return;
    l->steps -= l->hook_every * l->weight;
    if (l->steps < 0 && !l->tripped)
        l->tripped = HONE_TRIP_STEPS;
    else if (l->deadline && !l->tripped && hone_now_ns() > l->deadline)
        l->tripped = HONE_TRIP_DEADLINE;
    if (l->tripped) {
        mark_stopped(L, 1);
        trip(L, l, 0);
    }
}

/* Setting a hook begins its count anew: a coroutine that has it already goes on counting. */
void hone__lua_hook_thread(hone_lua *l, lua_State *co)
{
    int every = l->guard_depth ? l->hook_every : 0;
    if (!every)
        lua_sethook(co, NULL, 0, 0);
    else if (lua_gethook(co) != hook || lua_gethookcount(co) != every)
        lua_sethook(co, hook, LUA_MASKCOUNT, every);
    l->running = every ? co : NULL;
}

void hone__lua_rethrow(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    if (l->guard_depth && l->tripped)
        trip(L, l, 1);
}

void hone_lua_charge(lua_State *L, uint64_t steps)
{
    hone_lua *l = hone_lua_of(L);
    if (!l->guard_depth)
        return;
    l->steps -= steps > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)steps;
    if (l->steps < 0 && !l->tripped)
        l->tripped = HONE_TRIP_STEPS;
    else if (l->deadline && !l->tripped && hone_now_ns() > l->deadline)
        l->tripped = HONE_TRIP_DEADLINE;
    if (l->tripped)
        trip(L, l, 1);
}

int hone_lua_in_guard(lua_State *L)
{
    return hone_lua_of(L)->guard_depth > 0;
}

void hone_lua_guard_enter(lua_State *L, uint64_t deadline_ns)
{
    hone_lua *l = hone_lua_of(L);
    if (l->guard_depth++ == 0) {
        size_t more = l->opts.guard_memory;
        l->tripped = HONE_TRIP_NONE;
        l->steps = (int64_t)l->opts.guard_steps;
        l->deadline = deadline_ns;
        l->hook_every = HONE_LUA_HOOK_EVERY;
        l->weight = 1;
        if (l->used <= l->opts.memory && more < l->opts.memory - l->used)
            l->limit = l->used + more;
    }
    hone__lua_hook_thread(l, L);
}

hone_status hone_lua_guard_leave(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    mark_stopped(L, 0); /* a protected call has put its hooks right */
    if (--l->guard_depth > 0)
        return l->tripped ? HONE_E_LIMIT : HONE_OK;
    l->running = NULL;
    lua_sethook(L, NULL, 0, 0);
    l->limit = l->opts.memory;
    int tripped = l->tripped;
    l->tripped = HONE_TRIP_NONE;
    if (!tripped)
        return HONE_OK;
    /* The error that trip() raised begins with the place, unless the script caught it and went on to end well. */
    char place[200] = "";
    const hone_error *e = hone_error_get();
    const char *end = e->code == HONE_E_SCRIPT ? strstr(e->what, ": " TRIPPED) : NULL;
    if (end)
        snprintf(place, sizeof place, " at %.*s", (int)(end - e->what), e->what);
    if (tripped == HONE_TRIP_DEADLINE) {
        hone_fail(HONE_E_TIMEOUT, "the Lua function was stopped at its deadline%s", place);
        return hone_fail_hint("does it loop for ever? `timeout` gives a reward more time");
    }
    hone_fail(HONE_E_LIMIT, "the Lua function was stopped after %llu steps%s",
              (unsigned long long)l->opts.guard_steps, place);
    return hone_fail_hint("does it loop for ever?");
}

/* ---- errors ------------------------------------------------------------------------------------ */

#define ERROR_TYPE "hone.error"

static int error_tostring(lua_State *L)
{
    const hone_error *e = luaL_checkudata(L, 1, ERROR_TYPE);
    lua_pushstring(L, e->what);
    if (e->hint[0]) {
        lua_pushfstring(L, " (%s)", e->hint);
        lua_concat(L, 2);
    }
    return 1;
}

static int error_index(lua_State *L)
{
    const hone_error *e = luaL_checkudata(L, 1, ERROR_TYPE);
    const char *key = luaL_checkstring(L, 2);
    if (strcmp(key, "code") == 0)
        lua_pushstring(L, hone_status_name(e->code));
    else if (strcmp(key, "message") == 0)
        lua_pushstring(L, e->what);
    else if (strcmp(key, "detail") == 0)
        lua_pushstring(L, e->detail);
    else if (strcmp(key, "hint") == 0)
        lua_pushstring(L, e->hint);
    else
        lua_pushnil(L);
    return 1;
}

static void make_error_type(lua_State *L)
{
    luaL_newmetatable(L, ERROR_TYPE);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, error_index);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "hone.error");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static hone_error *push_error(lua_State *L)
{
    hone_error *e = lua_newuserdatauv(L, sizeof *e, 0);
    memset(e, 0, sizeof *e);
    luaL_setmetatable(L, ERROR_TYPE);
    return e;
}

int hone_lua_raise(lua_State *L)
{
    hone_error keep =
        *hone_error_get(); /* making the object may fail for memory, which sets another */
    *push_error(L) = keep;
    return lua_error(L);
}

void hone_lua_check(lua_State *L, hone_status s)
{
    if (s < 0)
        hone_lua_raise(L);
}

/* "file:line" of the innermost Lua function that is not of hone's own module: the place in the recipe. */
static int where(lua_State *L, char *out, size_t n)
{
    lua_Debug ar;
    const char *lib = hone_paths_lib();
    size_t len = strlen(lib);
    out[0] = 0;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline <= 0)
            continue;
        int own = ar.source[0] == '@' && strncmp(ar.source + 1, lib, len) == 0;
        if (!own || !out[0])
            snprintf(out, n, "%s:%d", ar.short_src, ar.currentline);
        if (!own)
            break;
    }
    return out[0] != 0;
}

/* The frames of the recipe and what it requires, innermost first, into out; those of hone's own module and of C
 * say nothing to its author. Returns how many. One frame is "called at", and nothing when `text` begins with it. */
static void trace(lua_State *L, const char *text, char *out, size_t n)
{
    lua_Debug ar;
    const char *lib = hone_paths_lib();
    char place[160], first[160] = "";
    size_t len = strlen(lib), at = (size_t)snprintf(out, n, "stack traceback:");
    int frames = 0;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sln", &ar);
        if (ar.currentline <= 0 || (ar.source[0] == '@' && strncmp(ar.source + 1, lib, len) == 0))
            continue;
        snprintf(place, sizeof place, "%s:%d", ar.short_src, ar.currentline);
        if (frames++ == 0)
            memcpy(first, place, sizeof first);
        if (at >= n)
            continue;
        if (ar.name)
            at += (size_t)snprintf(out + at, n - at, "\n%s: in %s", place, ar.name);
        else
            at += (size_t)snprintf(out + at, n - at, "\n%s: in %s", place,
                                   strcmp(ar.what, "main") == 0 ? "the main chunk" : "a function");
    }
    if (frames > 1)
        return;
    out[0] = '\0';
    if (frames == 1 && strncmp(text, first, strlen(first)) != 0)
        snprintf(out, n, "called at %s", first);
}

/* Turns any error value into an error object while the stack is still there. */
static int message_handler(lua_State *L)
{
    const hone_error *have = luaL_testudata(L, 1, ERROR_TYPE);
    char at[200];
    if (have) {
        if (!have->detail[0] && have->code != HONE_E_USAGE && where(L, at, sizeof at)) {
            hone_error copy = *have;
            snprintf(copy.detail, sizeof copy.detail, "called at %s", at);
            *push_error(L) = copy;
        }
        return 1;
    }
    const char *text = luaL_tolstring(L, 1, NULL);
    hone_error *e = push_error(L);
    e->code = HONE_E_SCRIPT;
    snprintf(e->what, sizeof e->what, "%s", text);
    trace(L, text, e->detail, sizeof e->detail);
    return 1;
}

/* Sets the thread's error from the value on top and pops it. */
static hone_status take_error(lua_State *L, int rc)
{
    hone_status s;
    const hone_error *e = lua_touserdata(L, -1) ? luaL_testudata(L, -1, ERROR_TYPE) : NULL;
    if (e) {
        s = hone_error_set(e);
    } else if (rc == LUA_ERRMEM) {
        s = hone_fail(HONE_E_LIMIT, "the script used more memory than it may");
        hone_fail_hint("keep fewer rows or texts in tables");
    } else {
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown error";
        s = hone_fail(HONE_E_SCRIPT, "%s", text);
    }
    lua_pop(L, 1);
    return s;
}

hone_status hone_lua_pcall(lua_State *L, int nargs, int nresults)
{
    int base = lua_gettop(L) - nargs;
    if (!lua_checkstack(L, 8)) {
        lua_settop(L, base - 1);
        return hone_fail(HONE_E_LIMIT, "the script's stack is too deep");
    }
    lua_pushcfunction(L, message_handler); /* a light C function: cannot fail */
    lua_insert(L, base);
    int rc = lua_pcall(L, nargs, nresults, base);
    lua_remove(L, base);
    return rc == LUA_OK ? HONE_OK : take_error(L, rc);
}

/* ---- loading ----------------------------------------------------------------------------------- */

struct chunk {
    const char *text, *name;
    size_t len;
};

/* Compiles in protected mode: the parser may run out of memory. */
static int load_chunk(lua_State *L)
{
    const struct chunk *c = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, c->text, c->len, c->name, "t") != LUA_OK)
        return lua_error(L);
    return 1;
}

hone_status hone_lua_load_text(hone_lua *l, const char *text, size_t len, const char *chunk_name)
{
    struct chunk c = {text, chunk_name, len};
    if (len && text[0] == LUA_SIGNATURE[0])
        return hone_fail(HONE_E_SCRIPT, "%s: is compiled Lua, which hone does not run",
                         chunk_name + (*chunk_name == '@'));
    lua_pushcfunction(l->L, load_chunk);
    lua_pushlightuserdata(l->L, &c);
    hone_status s = hone_lua_pcall(l->L, 1, 1);
    if (s == HONE_E_SCRIPT) { /* the traceback of the compiler says nothing */
        hone_error e = *hone_error_get();
        e.detail[0] = 0;
        hone_error_set(&e);
        hone_fail_hint("recipes are Lua 5.4; the line is where the parser could go no further");
    }
    return s;
}

hone_status hone_lua_load(hone_lua *l, const char *path)
{
    hone_buf b;
    hone_buf_init(&b, 64 << 20);
    hone_status s = hone_file_read(path, 64 << 20, &b);
    char name[300];
    snprintf(name, sizeof name, "@%s", path);
    if (s >= 0) {
        size_t skip = 0;
        if (b.len > 1 &&
            b.ptr[0] == '#') { /* "#!" line: the newline stays, so that lines count right */
            while (skip < b.len && b.ptr[skip] != '\n')
                skip++;
        }
        s = hone_lua_load_text(l, b.ptr + skip, b.len - skip, name);
    }
    hone_buf_release(&b);
    return s;
}

/* ---- the queue --------------------------------------------------------------------------------- */

int hone_lua_on_control(const hone_lua *l)
{
    return pthread_equal(pthread_self(), l->control);
}

static int new_thread(lua_State *L)
{
    hone_lua *l = lua_touserdata(L, 1);
    lua_State *co = lua_newthread(L);
    l->pool[l->n_pool] = co;
    l->pool_ref[l->n_pool] = luaL_ref(L, LUA_REGISTRYINDEX);
    l->n_pool++;
    return 0;
}

static hone_status run_job(hone_lua *l, hone_lua_fn fn, void *arg)
{
    lua_State *own = NULL;
    if (l->run_depth >= HONE_LUA_DEPTH)
        return hone_fail(HONE_E_LIMIT,
                         "calls between Lua and components are nested more than %d deep",
                         HONE_LUA_DEPTH);
    int slot = l->run_depth;
    if (slot < HONE_LUA_POOL) {
        if (slot >= l->n_pool) {
            lua_pushcfunction(l->L, new_thread);
            lua_pushlightuserdata(l->L, l);
            HONE_TRY(hone_lua_pcall(l->L, 1, 0));
        }
        own = l->pool[slot];
    } else {
        own =
            l->pool[HONE_LUA_POOL - 1]; /* very deep: share the last one, above what stands on it */
    }
    int top = lua_gettop(own);
    l->run_depth++;
    hone_status s = fn(arg, own);
    l->run_depth--;
    lua_settop(own, top);
    return s;
}

static void finish(hone_lua *l, struct hone__lua_job *j, hone_status s)
{
    j->status = s;
    if (s < 0)
        j->error = *hone_error_get();
    pthread_mutex_lock(&l->lock);
    j->done = 1;
    pthread_cond_broadcast(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

size_t hone_lua_pump(hone_lua *l)
{
    for (size_t n = 0;; n++) {
        pthread_mutex_lock(&l->lock);
        struct hone__lua_job *j = l->head;
        if (j) {
            l->head = j->next;
            if (!l->head)
                l->tail = NULL;
            j->started = 1;
        }
        pthread_mutex_unlock(&l->lock);
        if (!j)
            return n;
        const hone_trail mine = hone_trail_set(&j->trail);
        const hone_status s = run_job(l, j->fn, j->arg);
        hone_trail_set(&mine);
        finish(l, j, s);
    }
}

static void until(uint64_t ns, struct timespec *ts)
{
    ts->tv_sec = (time_t)(ns / 1000000000);
    ts->tv_nsec = (long)(ns % 1000000000);
}

void hone_lua_pump_until(hone_lua *l, int (*done)(void *ctx), void *ctx)
{
    for (;;) {
        hone_lua_pump(l);
        if (done(ctx))
            return;
        struct timespec ts;
        until(hone_now_ns() + 20000000,
              &ts); /* should a wake be forgotten, look again after 20 ms */
        pthread_mutex_lock(&l->lock);
        if (!l->head && !l->woken)
            pthread_cond_timedwait(&l->cond, &l->lock, &ts);
        l->woken = 0;
        pthread_mutex_unlock(&l->lock);
    }
}

void hone_lua_wake(hone_lua *l)
{
    pthread_mutex_lock(&l->lock);
    l->woken = 1;
    pthread_cond_broadcast(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

static void unlink_job(hone_lua *l, struct hone__lua_job *j)
{
    struct hone__lua_job **p = &l->head, *last = NULL;
    while (*p && *p != j) {
        last = *p;
        p = &(*p)->next;
    }
    if (*p)
        *p = j->next;
    if (l->tail == j)
        l->tail = last;
}

void hone_lua_call_begins(hone_lua *l)
{
    __atomic_fetch_add(&l->calls, 1, __ATOMIC_ACQ_REL);
}

void hone_lua_call_ends(hone_lua *l)
{
    __atomic_fetch_sub(&l->calls, 1, __ATOMIC_ACQ_REL);
}

static hone_status call_from_elsewhere(hone_lua *l, hone_lua_fn fn, void *arg,
                                       uint64_t deadline_ns);

hone_status hone_lua_call_on_control(hone_lua *l, hone_lua_fn fn, void *arg, uint64_t deadline_ns)
{
    if (hone_lua_on_control(l))
        return run_job(l, fn, arg);
    hone_lua_call_begins(l);
    hone_status s = call_from_elsewhere(l, fn, arg, deadline_ns);
    hone_lua_call_ends(l);
    return s;
}

static hone_status call_from_elsewhere(hone_lua *l, hone_lua_fn fn, void *arg, uint64_t deadline_ns)
{
    struct hone__lua_job j = {.fn = fn, .arg = arg, .trail = hone_trail_get()};
    struct timespec ts;
    until(deadline_ns, &ts);
    pthread_mutex_lock(&l->lock);
    if (l->closing) {
        pthread_mutex_unlock(&l->lock);
        return hone_fail(HONE_E_CANCELLED, "the recipe is ending");
    }
    if (l->tail)
        l->tail->next = &j;
    else
        l->head = &j;
    l->tail = &j;
    pthread_cond_broadcast(&l->cond);
    while (!j.done) {
        int rc = deadline_ns && !j.started ? pthread_cond_timedwait(&l->cond, &l->lock, &ts)
                                           : pthread_cond_wait(&l->cond, &l->lock);
        if (rc == ETIMEDOUT && !j.started && !j.done) {
            unlink_job(l, &j);
            pthread_mutex_unlock(&l->lock);
            hone_fail(HONE_E_TIMEOUT,
                      "the deadline passed while the call waited for the recipe's thread");
            return hone_fail_hint(
                "Lua components run on the recipe's own thread, while it waits in hone");
        }
    }
    pthread_mutex_unlock(&l->lock);
    return j.status < 0 ? hone_error_set(&j.error) : j.status;
}

/* ---- life -------------------------------------------------------------------------------------- */

static int panic(lua_State *L)
{
    (void)L;
    hone_log(HONE_LOG_HOST_MISBEHAVING, NULL, "an error in Lua outside of a protected call");
    return 0; /* and Lua aborts: this cannot be survived */
}

static int open_state(lua_State *L)
{
    make_error_type(L);
    hone__lua_open_sandbox(L);
    return 0;
}

hone_status hone_lua_create(const hone_lua_opts *opts, hone_lua **out)
{
    hone_lua *l = hone_calloc(1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    l->opts = *opts;
    if (!l->opts.memory)
        l->opts.memory = DEFAULT_MEMORY;
    if (!l->opts.guard_memory)
        l->opts.guard_memory = DEFAULT_GUARD_MEMORY;
    if (!l->opts.guard_steps)
        l->opts.guard_steps = DEFAULT_GUARD_STEPS;
    l->limit = l->opts.memory;
    hone_lua_random_seed(l, opts->seed);
    l->control = pthread_self();
    hone_arena_init(&l->arena, 0);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->cond, &attr);
    pthread_condattr_destroy(&attr);
    hone_status s = HONE_E_NOMEM;
    l->lib_dir = hone_strdup(opts->lib_dir ? opts->lib_dir : hone_paths_lib());
    l->recipe_dir = hone_strdup(opts->recipe_dir);
    if (!l->lib_dir || (opts->recipe_dir && !l->recipe_dir))
        goto fail;
    l->L = lua_newstate(allocate, l);
    if (!l->L) {
        hone_fail(HONE_E_NOMEM, "no memory for Lua");
        goto fail;
    }
    *(hone_lua **)lua_getextraspace(l->L) = l;
    lua_atpanic(l->L, panic);
    lua_pushcfunction(l->L, open_state);
    s = hone_lua_pcall(l->L, 0, 0);
    if (s < 0) {
        if (s == HONE_E_LIMIT)
            s = hone_fail(HONE_E_NOMEM, "no memory for Lua");
        goto fail;
    }
    *out = l;
    return HONE_OK;
fail:
    hone_lua_destroy(l);
    return s;
}

void hone_lua_destroy(hone_lua *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = 1;
    pthread_mutex_unlock(&l->lock);
    if (l->head)
        hone_fail(HONE_E_CANCELLED, "the recipe is ending");
    for (struct hone__lua_job *j = l->head, *next; j; j = next) {
        next = j->next;
        j->started = 1;
        finish(l, j, HONE_E_CANCELLED);
    }
    l->head = l->tail = NULL;
    while (__atomic_load_n(&l->calls, __ATOMIC_ACQUIRE) > 0) { /* closures are theirs till then */
        const struct timespec ms = {0, 1000000};
        nanosleep(&ms, NULL);
    }
    if (l->L)
        lua_close(l->L); /* handles let their instances go */
    l->L = NULL;
    hone_lua_ffi_close(l);
    hone__component_close(l);
    hone_arena_release(&l->arena);
    pthread_cond_destroy(&l->cond);
    pthread_mutex_destroy(&l->lock);
    hone_free(l->lib_dir);
    hone_free(l->recipe_dir);
    hone_free(l);
}
