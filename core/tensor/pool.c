/* pool.c - see pool.h. One word holds the state of the pool; everything else follows from it.
 *
 *   state = generation << 12 | open << 11 | helpers inside
 * To start a job the caller writes its fields, then publishes a new generation with `open` set. A
 * helper that sees an open state enters by compare-and-swap (inside + 1), takes tasks until none is
 * left, and leaves (inside - 1). The caller takes tasks too; when none is left it clears `open`, so
 * that nobody enters any more, and waits until nobody is inside. Only then may the fields change: a
 * helper that sleeps through a job costs nothing and finds nothing.
 * Waiting is a short spin and then a futex on that word; helpers and the caller use different
 * bitset masks. The generation keeps a helper from entering the same job twice; its wrap-around is
 * harmless.
 */
#include "tensor/pool.h"

#include "base/alloc.h"
#include "base/trace.h"
#include "tensor/region.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define INSIDE_MASK 0x7FFu
#define OPEN 0x800u
#define GENERATION 0x1000u
enum { MASK_HELPER = 1, MASK_CALLER = 2 };

/* Turns of the spin before sleeping: helpers some 20 us, so that the next op of a step finds them.
 */
enum { SPIN_HELPER = 1000, SPIN_CALLER = 4000 };

struct helper {
    struct hone_pool *pool;
    pthread_t thread;
    uint32_t index;
    hone_region scratch;
};

struct hone_pool {
    hone_exec exec;
    uint32_t n_threads, n_started;
    int spins_helper, spins_caller;
    struct helper *helpers; /* n_threads; entry 0 is the caller's (scratch only) */
    hone_region shared;
    /* the job, written only while nobody is inside */
    hone_task_fn fn;
    void *arg;
    int64_t n_tasks;
    char traced[HONE_TRACE_NAME]; /* the span that started it, while a trace is recorded */
    uint32_t phase;
    _Alignas(64) _Atomic int64_t next;
    _Alignas(64) _Atomic uint32_t state;
    _Atomic uint32_t sleepers; /* helpers on the futex */
    _Atomic uint32_t caller_sleeps;
    _Atomic int stop;
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint32_t mask)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, NULL, NULL, mask);
}

static void futex_wake(_Atomic uint32_t *word, int n, uint32_t mask)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, n, NULL, NULL, mask);
}

static void take_tasks(struct hone_pool *p, uint32_t thread)
{
    const int64_t n = p->n_tasks;
    const hone_task_fn fn = p->fn;
    void *const arg = p->arg;
    hone_trace_span span;
    int64_t taken = 0;
    hone_trace_begin(&span, p->traced, HONE_TRACE_TASKS, p->phase);
    for (;; taken++) {
        const int64_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= n)
            break;
        fn(arg, i, thread);
    }
    if (taken)
        hone_trace_end(&span, &(hone_trace_detail){.layer = -1, .tasks = taken});
}

static void name_for_trace(uint32_t helper)
{
    char name[HONE_TRACE_NAME];
    snprintf(name, sizeof name, "helper %u", helper);
    hone_trace_thread(name);
}

static void *helper_main(void *arg)
{
    struct helper *h = arg;
    struct hone_pool *p = h->pool;
    uint32_t done = 0; /* generation bits of the last job entered */
    hone_fp_setup();
    name_for_trace(h->index);
    for (;;) {
        uint32_t s = atomic_load(&p->state);
        int spins = 0;
        while (!(s & OPEN) || (s & ~(OPEN | INSIDE_MASK)) == done) {
            if (atomic_load(&p->stop))
                return NULL;
            if (spins++ < p->spins_helper) {
                pause_cpu();
            } else {
                atomic_fetch_add(&p->sleepers, 1);
                s = atomic_load(&p->state);
                if ((!(s & OPEN) || (s & ~(OPEN | INSIDE_MASK)) == done) &&
                    !atomic_load(&p->stop)) {
                    hone_trace_span span;
                    hone_trace_begin(&span, "asleep", HONE_TRACE_WAIT, HONE_TRACE_NO_PHASE);
                    futex_wait(&p->state, s, MASK_HELPER);
                    hone_trace_end(&span, NULL);
                }
                atomic_fetch_sub(&p->sleepers, 1);
            }
            s = atomic_load(&p->state);
        }
        if (!atomic_compare_exchange_strong(&p->state, &s, s + 1))
            continue;
        done = s & ~(OPEN | INSIDE_MASK);
        take_tasks(p, h->index);
        s = atomic_fetch_sub(&p->state, 1) - 1;
        if (!(s & OPEN) && !(s & INSIDE_MASK) && atomic_load(&p->caller_sleeps))
            futex_wake(&p->state, 1, MASK_CALLER);
    }
}

static void pool_parallel(const hone_exec *ex, int64_t n, hone_task_fn fn, void *arg)
{
    struct hone_pool *p = ex->ctx;
    hone_trace_span span;
    hone_fp_setup();
    if (n <= 1 || p->n_threads == 1) {
        for (int64_t i = 0; i < n; i++)
            fn(arg, i, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->n_tasks = n;
    if (hone_trace_on())
        hone_trace_current(p->traced, &p->phase);
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    uint32_t s = atomic_load(&p->state);
    s = (s & ~(OPEN | INSIDE_MASK)) + GENERATION;
    atomic_store(&p->state, s | OPEN);
    if (atomic_load(&p->sleepers)) {
        const int64_t more = n - 1;
        hone_trace_begin(&span, "wakes helpers", HONE_TRACE_WAIT, HONE_TRACE_NO_PHASE);
        futex_wake(&p->state, more < p->n_threads ? (int)more : (int)p->n_threads, MASK_HELPER);
        hone_trace_end(&span, NULL);
    }
    take_tasks(p, 0);
    s = atomic_fetch_and(&p->state, ~OPEN) & ~OPEN;
    int spins = 0;
    span.start = 0;
    if (s & INSIDE_MASK)
        hone_trace_begin(&span, "waits for helpers", HONE_TRACE_WAIT, HONE_TRACE_NO_PHASE);
    while (s & INSIDE_MASK) {
        if (spins++ < p->spins_caller) {
            pause_cpu();
        } else {
            atomic_store(&p->caller_sleeps, 1);
            s = atomic_load(&p->state);
            if (s & INSIDE_MASK)
                futex_wait(&p->state, s, MASK_CALLER);
            atomic_store(&p->caller_sleeps, 0);
        }
        s = atomic_load(&p->state);
    }
    hone_trace_end(&span, NULL);
}

static void *pool_thread_scratch(const hone_exec *ex, uint32_t thread)
{
    const struct hone_pool *p = ex->ctx;
    return p->helpers[thread].scratch.base;
}

/* HONE_THREADS, or what the affinity mask allows. */
static hone_status default_threads(uint32_t *out)
{
    const char *z = getenv("HONE_THREADS");
    if (z && *z) {
        char *end;
        errno = 0;
        const long n = strtol(z, &end, 10);
        if (errno || *end || n < 1 || n > HONE_POOL_MAX) {
            hone_fail(HONE_E_USAGE, "HONE_THREADS: \"%s\" is not a number of threads", z);
            return hone_fail_hint("1 to %d; unset it to use every processor", HONE_POOL_MAX);
        }
        *out = (uint32_t)n;
        return HONE_OK;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    *out = n < 1 ? 1 : n > HONE_POOL_MAX ? HONE_POOL_MAX : (uint32_t)n;
    return HONE_OK;
}

hone_status hone_pool_create(uint32_t n_threads, hone_pool **out)
{
    hone_status s = HONE_OK;
    if (n_threads == 0)
        HONE_TRY(default_threads(&n_threads));
    if (n_threads > HONE_POOL_MAX)
        return hone_fail(HONE_E_RANGE, "%u threads are more than %d", n_threads, HONE_POOL_MAX);
    /* over-aligned: the contended words have cache lines of their own */
    hone_region home;
    HONE_TRY(hone_region_init(&home, "thread pool", sizeof(hone_pool)));
    hone_pool *p = home.base;
    memset(p, 0, sizeof *p);
    p->helpers = hone_calloc(n_threads, sizeof *p->helpers);
    if (!p->helpers) {
        hone_region_release(&home);
        return HONE_E_NOMEM;
    }
    p->n_threads = n_threads;
    p->exec = (hone_exec){.struct_size = sizeof(hone_exec),
                          .n_threads = n_threads,
                          .ctx = p,
                          .parallel = pool_parallel,
                          .thread_scratch = pool_thread_scratch};
    /* more threads than processors: a spinning thread would keep a working one off its processor */
    cpu_set_t set;
    CPU_ZERO(&set);
    const int fits = sched_getaffinity(0, sizeof set, &set) != 0 ||
                     (int)n_threads <= CPU_COUNT(&set);
    p->spins_helper = fits ? SPIN_HELPER : 0;
    p->spins_caller = fits ? SPIN_CALLER : 0;
    for (uint32_t i = 0; i < n_threads; i++) {
        p->helpers[i].pool = p;
        p->helpers[i].index = i;
        HONE_TRY_GOTO(hone_region_init(&p->helpers[i].scratch, "thread scratch", 0), fail);
    }
    HONE_TRY_GOTO(hone_region_init(&p->shared, "shared scratch", 0), fail);
    hone_fp_setup();
    sigset_t all, old; /* signals are for the threads that wait for them, never for helpers */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->n_started = 1;
    for (uint32_t i = 1; i < n_threads; i++, p->n_started++) {
        const int e = pthread_create(&p->helpers[i].thread, NULL, helper_main, &p->helpers[i]);
        if (e) {
            s = hone_fail(HONE_E_NOMEM, "thread %u of %u could not be started: %s", i + 1,
                          n_threads, strerror(e));
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (s < 0)
        goto fail;
    *out = p;
    return HONE_OK;
fail:
    hone_pool_destroy(p);
    return s;
}

void hone_pool_destroy(hone_pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, 1);
    atomic_fetch_add(&p->state, GENERATION);
    futex_wake(&p->state, HONE_POOL_MAX, MASK_HELPER);
    for (uint32_t i = 1; i < p->n_started; i++)
        pthread_join(p->helpers[i].thread, NULL);
    for (uint32_t i = 0; i < p->n_threads; i++)
        hone_region_release(&p->helpers[i].scratch);
    hone_region_release(&p->shared);
    hone_free(p->helpers);
    hone_region home = {.base = p, .size = sizeof *p, .name = "thread pool"};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    home.mapped = (sizeof *p + page - 1) / page * page;
    hone_region_release(&home);
}

uint32_t hone_pool_threads(const hone_pool *p)
{
    return p->n_threads;
}

const hone_exec *hone_pool_exec(hone_pool *p)
{
    return &p->exec;
}

hone_status hone_pool_reserve(hone_pool *p, size_t thread_bytes, size_t shared_bytes)
{
    for (uint32_t i = 0; i < p->n_threads; i++)
        HONE_TRY(hone_region_grow(&p->helpers[i].scratch, thread_bytes));
    HONE_TRY(hone_region_grow(&p->shared, shared_bytes));
    p->exec.shared_scratch = p->shared.base;
    return HONE_OK;
}
