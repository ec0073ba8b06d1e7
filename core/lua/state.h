/* state.h - the recipe's Lua state: made, limited, called, pumped.
 *
 * One state, owned by the control thread. Globals are an allow-list (sandbox.h): no io, no os, no debug but
 * traceback, text chunks only, require limited to scripts/lib and the recipe's folder. Memory is counted by
 * the state's allocator. Inside a guard (every function that hone calls in the loop) steps and memory are
 * limited, and a limit that was hit stays hit: it is raised again after every pcall.
 *
 * Calls from other threads are queued (hone_lua_call_on_control) and run by the control thread when it pumps: every
 * binding that blocks pumps while it waits, so that a Lua reward runs while the recipe waits in a rollout.
 * Nothing longjmps through C: whoever runs Lua does it through hone_lua_pcall. (plugin-abi.md 8) */
#ifndef HONE_CORE_LUA_STATE_H
#define HONE_CORE_LUA_STATE_H
#include "host/registry.h"
#include "base/arena.h"
#include "base/rng.h"

#include <lauxlib.h>
#include <lua.h>

typedef struct hone_lua hone_lua;

typedef struct hone_lua_opts {
    hone_registry *registry; /* components are found in and added to it; or NULL */
    const char *lib_dir;     /* of require; NULL: hone_paths_lib() */
    const char *recipe_dir;  /* of require; or NULL: none */
    uint64_t seed;           /* of math.random */
    size_t memory;           /* bytes of the whole state; 0: 4 GiB */
    size_t guard_memory;     /* bytes a guarded call may add; 0: 256 MiB */
    uint64_t
        guard_steps; /* VM instructions (and steps of string functions) a guarded call may take; 0: 2e9 */
    void (*print)(void *ctx, const char *text,
                  size_t len); /* what print() does with a line; NULL: the log */
    void *print_ctx;
} hone_lua_opts;

/* The calling thread becomes the control thread. [control-thread] */
hone_status hone_lua_create(const hone_lua_opts *opts, hone_lua **out);
/* All instances of its components must be gone. NULL allowed. [control-thread] */
void hone_lua_destroy(hone_lua *l);
lua_State *hone_lua_main(hone_lua *l);
hone_lua *hone_lua_of(lua_State *L); /* of any coroutine of it */
hone_registry *hone_lua_registry(hone_lua *l);
const char *hone_lua_recipe_dir(hone_lua *l);
size_t hone_lua_memory(const hone_lua *l); /* bytes in use */

/* require(name) gives what `open` leaves on the stack (a table). */
void hone_lua_preload(hone_lua *l, const char *name, lua_CFunction open);

/* ---- calling ---------------------------------------------------------------------------------------
 * lua_pcall with errors as hone_status: an error raised by hone_lua_raise is set again as it was; any
 * other is HONE_E_SCRIPT with the message as text and the traceback as detail. Pops function and
 * arguments, as lua_pcall; leaves nothing on failure. */
hone_status hone_lua_pcall(lua_State *L, int nargs, int nresults);
/* Raises the thread's current error in Lua: the value is an error object, tostring gives its text,
 * .code .message .detail .hint its parts. Never returns; use as `return hone_lua_raise(L);` */
int hone_lua_raise(lua_State *L);
/* if (s < 0) raise. */
void hone_lua_check(lua_State *L, hone_status s);
/* Loads a file (text only), leaves the chunk on the main stack; errors as hone_status with file:line. */
hone_status hone_lua_load(hone_lua *l, const char *path);
hone_status hone_lua_load_text(hone_lua *l, const char *text, size_t len, const char *chunk_name);

/* ---- guards ----------------------------------------------------------------------------------------
 * Limits for what is called between enter and leave, on the coroutine L and all that it resumes; nested
 * guards share the outermost one's limits. leave is called whatever happened; it says E_LIMIT when a
 * limit was hit, with a text. `deadline_ns` 0: none. */
void hone_lua_guard_enter(lua_State *L, uint64_t deadline_ns);
hone_status hone_lua_guard_leave(lua_State *L);
int hone_lua_in_guard(lua_State *L); /* is a function running that hone called? */
/* C functions that work long on behalf of Lua say so: raises when the steps are used up. */
void hone_lua_charge(lua_State *L, uint64_t steps);

/* A new table with room for a list of n, onto the stack. Its room is even: see is_deep_stack in state.c. Raises. */
void hone_lua_new_list(lua_State *L, size_t n);

/* ---- math.random -----------------------------------------------------------------------------------
 * A stream is a key and how many numbers were taken. The recipe's own stream is part of a checkpoint.
 * Functions that a resumed run may call once more, or not again, for work it has done (rewards, whose
 * outcomes are journalled; maps and generators, which read up to their place) draw from a stream that is
 * entered for the call and keyed by what they are called for, so that they disturb nobody. */
typedef struct hone_lua_random {
    hone_rng_key key;
    uint64_t at;
} hone_lua_random;
void hone_lua_random_seed(hone_lua *l, uint64_t seed); /* of the run; the recipe's stream begins */
uint64_t hone_lua_random_position(const hone_lua *l);
void hone_lua_random_seek(hone_lua *l, uint64_t position);
hone_lua_random hone_lua_random_get(const hone_lua *l);
void hone_lua_random_set(hone_lua *l, const hone_lua_random *stream);
/* Enters the stream of (run seed, purpose by name, step, sample); gives what to set afterwards. */
hone_lua_random hone_lua_random_enter(hone_lua *l, const char *purpose, uint64_t step,
                                      uint64_t sample);
/* The step in progress: it keys the streams of components. */
void hone_lua_random_step(hone_lua *l, uint64_t step);

/* ---- the control thread's queue --------------------------------------------------------------------
 * Runs fn(arg, L) on the control thread with a coroutine of its own, and waits: at once when the caller
 * is the control thread, otherwise when it pumps. E_TIMEOUT when the deadline passes before it began (0:
 * none). [any-thread] */
typedef hone_status (*hone_lua_fn)(void *arg, lua_State *L);
hone_status hone_lua_call_on_control(hone_lua *l, hone_lua_fn fn, void *arg, uint64_t deadline_ns);
/* Runs what is queued now; returns how many calls it ran. [control-thread] */
size_t hone_lua_pump(hone_lua *l);
/* Pumps until done(ctx) is true, sleeping between; hone_lua_wake ends a sleep. [control-thread] */
void hone_lua_pump_until(hone_lua *l, int (*done)(void *ctx), void *ctx);
void hone_lua_wake(hone_lua *l); /* [any-thread] */
int hone_lua_on_control(const hone_lua *l);

/* ---- values ----------------------------------------------------------------------------------------
 * A Lua value as a hone_value in the arena, and back. Tables with keys 1..n are lists, others maps in
 * sorted key order (integer keys as their decimal text); an empty table is an empty map. Strings that
 * are not UTF-8 are HONE_BYTES. Functions, userdata and depth over HONE_VALUE_DEPTH are E_TYPE naming the
 * path. Null in a list becomes hone.null (a light userdata NULL), in a map it is absent. */
hone_status hone_lua_to_value(lua_State *L, int index, hone_arena *arena, hone_value *out);
void hone_lua_push_value(lua_State *L, const hone_value *v);
#endif
