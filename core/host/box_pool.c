/* box_pool.c - several boxes for one REENTRANT instance: each call has one to itself.
 *
 * Key idea: a box runs one call at a time, so what may be entered by several calls at once has several boxes, each an
 * instance of the same settings. A further one is started when a call has waited two milliseconds for a free one. So a
 * crash, a deadline or too much memory costs the call that caused it and no other, as it would not where calls share a
 * process.
 *
 * Only where nobody can tell: a component that is STATEFUL, or offers hone.state/1, hone.metrics/1 or hone.source/1,
 * has one box, and its calls follow each other. Further boxes share the first one's file, policy, descriptions and plans, which do not change.
 *
 * Invariants: boxes are added, never taken away before the instance goes; one that cannot be started is not used, and the
 * others go on. Source: plugin-abi.md section 7, "One slot per call in flight". */
#include "host/box_proxy.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "hone/source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POOL_MAX = 64 }; /* as many as core/score has workers */
static const uint64_t patience_ns = 2000000;

struct hone__pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    size_t n, max;
    hone__proxy *_Atomic proxies[POOL_MAX]; /* the first is the instance's own */
    int busy[POOL_MAX];                     /* -1: could not be started */
};

static int offers(const hone__proxy *p, const char *id)
{
    for (size_t i = 0; i < p->n_offers; i++)
        if (p->offers[i].desc && strcmp(p->offers[i].desc->id, id) == 0)
            return 1;
    return 0;
}

hone_status hone__pool_create(hone__proxy *first)
{
    const uint64_t caps = first->inst->info->c.caps;
    if (!(caps & HONE_CAP_REENTRANT) || (caps & HONE_CAP_STATEFUL) ||
        offers(first, HONE_IFACE_STATE) || offers(first, HONE_IFACE_METRICS) ||
        offers(first, HONE_IFACE_SOURCE))
        return HONE_OK;
    struct hone__pool *pool = hone_calloc(1, sizeof *pool);
    pthread_condattr_t attr;
    if (!pool)
        return HONE_E_NOMEM;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &attr);
    pthread_condattr_destroy(&attr);
    pool->n = 1;
    pool->max = POOL_MAX;
    atomic_init(&pool->proxies[0], first);
    first->pool = pool;
    return HONE_OK;
}

static hone__proxy *further(hone__proxy *first)
{
    hone__proxy *p = hone_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->inst = first->inst;
    p->plugin = first->plugin;
    memcpy(p->sha256, first->sha256, sizeof p->sha256);
    p->policy = first->policy;
    p->slow = first->slow;
    p->further = 1;
    p->n_offers = first->n_offers;
    for (size_t i = 0; i < p->n_offers; i++) {
        p->offers[i] = first->offers[i];
        p->offers[i].proxy = p;
        p->offers[i].stub = NULL;
    }
    hone_arena_init(&p->answers, HONE__BOX_OUT * 2);
    hone_arena_init(&p->kept, 0);
    hone_buf_init(&p->state, HONE__BOX_OUT);
    return p;
}

/* Under the pool's lock, dropped meanwhile: one more box; its place, or -1. */
static int add(hone__proxy *first)
{
    struct hone__pool *pool = first->pool;
    hone__proxy *p = further(first);
    if (!p)
        return -1;
    const size_t i = pool->n++;
    pool->busy[i] = 1;
    atomic_store(&pool->proxies[i], p);
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_lock(&p->lock);
    hone_status s = hone__proxy_revive(p);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_lock(&pool->lock);
    if (s >= 0)
        return (int)i;
    hone_log(HONE_LOG_WARN, first->inst->info->c.id,
             "no further box for a call at the same time: %.300s", hone_error_get()->what);
    pool->busy[i] = -1;
    pool->max = pool->n;
    return -1;
}

static int free_one(const struct hone__pool *pool)
{
    for (size_t i = 0; i < pool->n; i++)
        if (!pool->busy[i])
            return (int)i;
    return -1;
}

static hone__proxy *take(hone__proxy *first)
{
    struct hone__pool *pool = first->pool;
    int i, patient = 1;
    pthread_mutex_lock(&pool->lock);
    while ((i = free_one(pool)) < 0) {
        if (!patient && pool->n < pool->max && (i = add(first)) >= 0)
            break;
        if (pool->n == pool->max) {
            pthread_cond_wait(&pool->freed, &pool->lock);
            continue;
        }
        patient = !hone_cond_wait_ns(&pool->freed, &pool->lock, patience_ns);
    }
    pool->busy[i] = 1;
    pthread_mutex_unlock(&pool->lock);
    return atomic_load(&pool->proxies[i]);
}

hone__proxy *hone__pool_enter(hone__proxy *first)
{
    hone__proxy *p = first->pool ? take(first) : first;
    pthread_mutex_lock(&p->lock);
    return p;
}

void hone__pool_leave(hone__proxy *first, hone__proxy *p)
{
    struct hone__pool *pool = first->pool;
    pthread_mutex_unlock(&p->lock);
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->n; i++)
        if (atomic_load(&pool->proxies[i]) == p)
            pool->busy[i] = 0;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

hone__proxy *hone__pool_at(hone__proxy *first, size_t i)
{
    if (!first->pool)
        return i == 0 ? first : NULL;
    return i < POOL_MAX ? atomic_load(&first->pool->proxies[i]) : NULL;
}

void hone__pool_free(hone__proxy *first)
{
    struct hone__pool *pool = first->pool;
    for (size_t i = 1; pool && i < pool->n; i++)
        hone__proxy_free(atomic_load(&pool->proxies[i]));
    if (!pool)
        return;
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    hone_free(pool);
    first->pool = NULL;
}
