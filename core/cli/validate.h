/* validate.h - what the files of `hone plugin validate` share: one test in one process, and its surroundings.
 *
 * The program starts itself again for every test (a hidden verb), with a page of shared memory as its last word: the
 * child writes there where it is (`stage`) before each call into the plugin, and what came out. So a child that
 * crashes, hangs or closes every descriptor still leaves what it was doing. validate.c is the parent and the table;
 * validate_child.c the child; validate_library.c, validate_instance.c and the files of the kinds hold the tests.
 *
 * Two ideas carry the rest. Work: each kind has one function that makes an ordinary batch call on items which are a
 * pure function of (seed, number), and gives a digest an item; determinism, permutations, threads, lack of memory,
 * leaks and the like are then tests on digests and written once. Fences: what a plugin is given lies against a page
 * that cannot be touched, is read-only while the call runs and gone when it returns, so that a fault is a signal at
 * an address with a name. (plugin-abi.md 9) */
#ifndef HONE_CORE_CLI_VALIDATE_H
#define HONE_CORE_CLI_VALIDATE_H
#include "host/registry.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "cli/args.h"
#include "hone/reward.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { HONE__V_PASS = 1, HONE__V_FAIL, HONE__V_CRASH, HONE__V_SKIP, HONE__V_WARN };

/* The shared page. */
enum { HONE__V_TEXT = 1 << 16 };
typedef struct hone__vpage {
    uint32_t result; /* HONE__V_*, 0: the child came to no result */
    uint32_t done;   /* 1: the child ended by itself */
    uint64_t digest; /* of tests that compare two processes */
    char stage[256]; /* where the child is, or was: "create", "score of 7 samples" */
    char with[256];  /* under which circumstances, or "" */
    char fault[256]; /* what the touched address was, written by the signal handler */
    char text[HONE__V_TEXT];
} hone__vpage;

typedef struct hone__v hone__v;
typedef struct hone__vinst hone__vinst;

typedef struct hone__vtest {
    const char *name;
    void (*run)(hone__v *v);
    uint32_t flags; /* HONE__VT_* */
    const char *about;
} hone__vtest;
#define HONE__VT_GATE (1u << 0)   /* where it does not pass, the tests behind it are skipped */
#define HONE__VT_TWICE (1u << 1)  /* run in two processes, whose digests must be equal */
#define HONE__VT_FILE (1u << 2)   /* of the file, not of a component */
#define HONE__VT_NATIVE (1u << 3) /* of a shared object only */
#define HONE__VT_SLOW (1u << 4)   /* three times the time */

/* One ordinary call: items number index[0..n) of the sequence that `seed` makes. */
enum { HONE__V_PLAIN = 0, HONE__V_ODD, HONE__V_EMPTY, HONE__V_ECHO, HONE__V_LONG, HONE__V_BARE };
typedef struct hone__vwork {
    uint64_t seed;
    size_t n;
    const size_t *index; /* NULL: 0..n-1 */
    int items;           /* HONE__V_PLAIN, ... */
    int larger;          /* structs and strides larger than the plugin knows */
    int keep;            /* leave the fences of a finished call up */
    const uint32_t *cancelled;
    uint64_t *digest; /* n: what came out for each item, 0 = nothing; or NULL */
    uint64_t whole;   /* of everything that came out */
} hone__vwork;

typedef struct hone__vkind {
    const char *kind, *iface;
    /* Adds the settings without which an instance of the kind cannot be made, in the way number `attempt`; 1 when
     * there may be another way. The first that makes an instance, and work where `work` does, is taken. NULL: none. */
    hone_status (*settings)(hone__v *v, int attempt, hone_pair *pairs, size_t *n);
    /* One call, between hone__v_enter and hone__v_leave; its status is the plugin's. A fault of the plugin that the
     * status does not tell is said with hone__v_fail. */
    hone_status (*work)(hone__v *v, hone__vinst *i, hone__vwork *w);
    const hone__vtest *tests; /* of this kind alone, ended by a name of NULL */
    int cancels;              /* its calls take a hone_call */
} hone__vkind;
const hone__vkind *hone__v_kind(const hone_component_info *info); /* NULL: no work is known */
/* Of a kind that hone does not know, whose interface somebody described: its calls are made from the description. NULL:
 * nobody did. */
const hone__vkind *hone__v_described(hone__v *v);
extern const hone__vkind hone__v_reward, hone__v_judge, hone__v_tokenizer, hone__v_optimizer,
    hone__v_objective, hone__v_advantage, hone__v_source, hone__v_model, hone__v_environment;

struct hone__v {
    hone__vpage *page;
    const char *path; /* the file: .so or .lua */
    const char *component, *work_dir;
    const hone_arg_list *sets;
    const char *const *allow; /* grants, NULL-terminated, or NULL */
    uint64_t seed;
    const hone__vtest *test;
    int lua, opened;
    int lenient; /* settings by chance: numbers need not be finite */
    hone_registry *registry;
    hone_plugin *plugin; /* NULL: written in Lua */
    hone_component_info *info;
    const hone__vkind *kind;
    hone_arena arena;
    hone_value settings;
    size_t n_set;         /* of them, given with --set */
    char misbehaved[512]; /* the first misbehaviour that was logged */
};

struct hone__vinst {
    hone_instance *inst;
    const void *vt;
    void *self;
    struct {
        const void *desc, *vt;
        void *self;
    } known[8]; /* tables of described interfaces that were asked for */
    size_t n_known;
};

/* ---- results (validate_child.c) ---- */
void hone__v_fail(hone__v *v, const char *fmt, ...) HONE_PRINTF(2, 3); /* the first one stays */
void hone__v_warn(hone__v *v, const char *fmt, ...) HONE_PRINTF(2, 3);
void hone__v_skip(hone__v *v, const char *fmt, ...) HONE_PRINTF(2, 3);
void hone__v_note(hone__v *v, const char *fmt, ...) HONE_PRINTF(2, 3); /* said where it passes */
/* A failure, and what the callback that noticed it returns. */
hone_status hone__v_refuse(hone__v *v, hone_status s, const char *fmt, ...) HONE_PRINTF(3, 4);
int hone__v_failed(const hone__v *v);
void hone__v_stage(hone__v *v, const char *fmt, ...) HONE_PRINTF(2, 3);
void hone__v_with(hone__v *v, const char *fmt, ...) HONE_PRINTF(2, 3);
/* The thread's current error as one line. Borrowed until the next call on this thread. */
const char *hone__v_error(void);

/* ---- an instance ---- */
/* Opens registry and component, once; 0: it could not, which is said (a failure). */
int hone__v_open(hone__v *v);
/* NULL: failed, and what failed is the thread's error. `settings` NULL: the usual ones. */
hone__vinst *hone__v_create(hone__v *v, const hone_value *settings);
/* The same, and a failure is the test's. */
hone__vinst *hone__v_need(hone__v *v);
void hone__v_destroy(hone__v *v, hone__vinst *i);
/* Around each call into the plugin. */
void hone__v_enter(hone__v *v, hone__vinst *i, const char *what);
hone_status hone__v_leave(hone__v *v, hone__vinst *i, const char *what, hone_status s);
/* An ordinary call of n items on it; a failure is the test's. */
int hone__v_work(hone__v *v, hone__vinst *i, hone__vwork *w);
/* Tests of kinds whose calls take a batch of structs: each of n <= 16 such items is answered (its digest is not 0;
 * `item`: what one is called); strides; arguments kept past a call. */
void hone__v_all_answered(hone__v *v, int items, size_t n, const char *item);
void hone__v_strides(hone__v *v);
void hone__v_borrowed(hone__v *v);
/* What the component's create sees instead of the host's own struct, when these are set. */
typedef struct hone__vhooks {
    uint32_t host_size, config_size; /* struct_size it reads; 0: the real one */
    uint64_t fail_host;              /* the n-th request of the host's memory in create fails */
} hone__vhooks;
extern hone__vhooks hone__v_hooks;

/* ---- fences (validate_fence.c) ---- */
typedef struct hone__vfence {
    char *base, *end; /* usable bytes end at `end`, where a forbidden page begins */
    size_t size;
    char *at; /* handed out from the end down */
    const char *name;
} hone__vfence;
hone_status hone__v_fence_open(hone__vfence *f, size_t size, const char *name);
void *hone__v_fence_take(hone__vfence *f, size_t n, size_t align); /* NULL: full */
enum { HONE__V_MEGABYTE = 1 << 20, HONE__V_GUARD = 0x5A };
hone_str hone__v_put(hone__vfence *f, const char *p, size_t n); /* a copy; {NULL, 0}: full */
hone_str hone__v_put_text(hone__vfence *f, const char *z);
hone_str hone__v_odd_text(hone__vfence *f, size_t i); /* number i of those that are hard to read */
void hone__v_fence_readonly(hone__vfence *f);
void hone__v_fence_close(hone__vfence *f, int keep); /* gone; with keep its place stays forbidden */
void hone__v_fence_signals(hone__vpage *page);       /* names what was touched, then dies of it */

/* ---- memory of the plugin (validate_heap.c) ---- */
/* From now on malloc and the like of the plugin at `entry` (an address in it) and of libstdc++ go through here. */
hone_status hone__v_heap_watch(const void *entry);
/* What is called instead of `fn`, which may be one of these functions itself: .destroy = free. */
void (*hone__v_heap_instead(void (*fn)(void *)))(void *);
void hone__v_heap_fail_after(uint64_t n); /* the n-th request fails; 0: none */
int hone__v_heap_hit(void);               /* the one that should fail was asked for */
void hone__v_heap_live(size_t *blocks, size_t *bytes);
size_t hone__v_heap_largest(void); /* bytes of the largest request so far */

/* ---- the process (validate_process.c) ---- */
typedef struct hone__vproc hone__vproc;
hone__vproc *hone__v_proc_take(void);
/* What is no longer as it was, as words parted by "; " in `out`; 1 when something is. `caps`: what was granted. */
int hone__v_proc_changed(const hone__vproc *before, uint64_t caps, hone_buf *out);
void hone__v_proc_free(hone__vproc *p);
/* Watches for calls of the system that ask for more than was granted. */
hone_status hone__v_trap_start(const char *const *allowed_paths, uint64_t caps);
/* Text of the first call seen, or NULL. */
const char *hone__v_trap_seen(void);
extern _Thread_local int hone__v_inside; /* this thread is in the plugin */

/* ---- models (validate_desk.c) ---- */
/* Items of a large batch for a component that asks a model; of one that is cancelled: what the model has begun it ends. */
enum { HONE__V_FEW = 64, HONE__V_FEWEST = 8 };
/* Offers a run's models on r. */
hone_status hone__v_desk_open(hone_registry *r);
void hone__v_desk_forget(void); /* another test begins in this process */
int hone__v_asks(void);         /* a model was asked in this test */
/* n, or at most `few` for a component that asks a model, which the test's text says then. */
size_t hone__v_most(hone__v *v, hone__vinst *i, size_t n, int few);
/* pthread_join, during which requests to models are served; the thread sets *done at its end. */
void hone__v_join(pthread_t id, const atomic_int *done);

/* ---- tests ---- */
enum { HONE__V_BATCH = 24 }; /* items of an ordinary call */
int hone__v_no_work(
    hone__v *v); /* 1: the test cannot go on without an ordinary call; a skip or failure was said */
int hone__v_has_cap(const hone__v *v, uint64_t cap);
/* The usual settings with one more, or with another value; in the arena. */
hone_value hone__v_with_setting(hone__v *v, const char *name, hone_value value);
/* An instance in a box, in `i`, which is zero before; give back i->inst and *r. NULL: failed; the thread's error. */
hone__vinst *hone__v_boxed(hone__v *v, hone__vinst *i, hone_registry **r);
void hone__vt_deterministic(hone__v *v);
void hone__vt_pure(hone__v *v);
void hone__vt_batch_invariant(hone__v *v);
void hone__vt_reentrant(hone__v *v);
void hone__vt_boxed(hone__v *v);
void hone__v_run_one(hone__v *v, const hone__vtest *test);
const hone__vtest *hone__v_test(const char *name); /* NULL: none */
extern const hone__vtest hone__v_library_tests[], hone__v_instance_tests[], hone__v_fuzz_tests[];
#endif
