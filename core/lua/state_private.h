/* state_private.h - what the files of core/lua's machinery share. Bindings do not include it. */
#ifndef HONE_CORE_LUA_STATE_PRIVATE_H
#define HONE_CORE_LUA_STATE_PRIVATE_H
#include "host/trail.h"
#include "lua/state.h"

#include <pthread.h>

enum { HONE_LUA_STACK = 41000, HONE_LUA_HOOK_EVERY = 1000, HONE_LUA_POOL = 8, HONE_LUA_DEPTH = 24 };
enum { HONE_TRIP_NONE, HONE_TRIP_STEPS, HONE_TRIP_DEADLINE };

struct hone__lua_job {
    hone_lua_fn fn;
    void *arg;
    hone_status status;
    hone_error error;
    int started, done;
    hone_trail trail; /* of the thread that waits */
    struct hone__lua_job *next;
};

struct hone_lua {
    lua_State *L;
    hone_lua_opts opts;
    char *lib_dir, *recipe_dir;
    pthread_t control;
    /* memory: `limit` is what the allocator allows now */
    size_t used, limit;
    /* the outermost guard */
    int guard_depth, tripped;
    int hook_every;     /* instructions between two looks, in this guard */
    int64_t weight;     /* steps an instruction counts for: MB of the largest block, 1 at least */
    lua_State *running; /* the coroutine that runs, inside a guard */
    int64_t steps;
    uint64_t deadline;
    /* calls from other threads */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct hone__lua_job *head, *tail;
    int woken, closing, run_depth;
    int64_t calls; /* of other threads and of closures, that have not returned */
    /* coroutines that calls run on: registry references */
    lua_State *pool[HONE_LUA_POOL];
    int pool_ref[HONE_LUA_POOL], n_pool;
    uint64_t run_seed, run_step;
    hone_lua_random random; /* what math.random draws from now */
    hone_arena arena;       /* what components in Lua need as long as the state lives */
    void *components, *ffi; /* component.c's and marshal.c's */
};

/* sandbox.c: fills the globals. Raises. */
void hone__lua_open_sandbox(lua_State *L);
/* pattern.c: string.find, match, gmatch, gsub with a step budget, into the table on top. */
void hone__lua_open_patterns(lua_State *L);
/* Raises when a guard was tripped: after every pcall and resume. */
void hone__lua_rethrow(lua_State *L);
/* Hooks a coroutine that is about to run as the guard wants. */
void hone__lua_hook_thread(hone_lua *l, lua_State *co);
/* Around what must not outlive the state: destroying waits for it. [any-thread] */
void hone_lua_call_begins(hone_lua *l);
void hone_lua_call_ends(hone_lua *l);
/* Did the hook end this coroutine? Then no hook fires on it any more: nothing may run there. */
int hone__lua_was_stopped(lua_State *co);
void hone__component_close(hone_lua *l);
#endif
