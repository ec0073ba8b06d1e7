/* region.c - see region.h. The table of names is small and guarded by one mutex. */
#include "tensor/region.h"

#include "base/alloc.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NAMES = 32, HUGE_FROM = 8 << 20 };
static hone_region_stat stats[NAMES];
static size_t n_stats;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int planning;
static size_t limit, all; /* bytes: allowed, mapped */

/* Moves the count of `name` by from -> to bytes; `regions` by +1, 0, -1. */
static void count(const char *name, size_t from, size_t to, int regions)
{
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < n_stats && strcmp(stats[i].name, name) != 0)
        i++;
    if (i == n_stats) {
        if (n_stats < NAMES - 1)
            stats[n_stats++].name = name;
        else if (n_stats == NAMES - 1)
            stats[n_stats++].name = "other";
        else
            i = NAMES - 1;
    }
    stats[i].bytes += to - from;
    all += to - from;
    stats[i].count += (uint32_t)regions;
    if (stats[i].bytes > stats[i].peak)
        stats[i].peak = stats[i].bytes;
    pthread_mutex_unlock(&lock);
}

static hone_status round_up(size_t size, size_t *out)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t n;
    if (!hone_add_size(size, page - 1, &n))
        return HONE_E_NOMEM;
    *out = n / page * page;
    return HONE_OK;
}

static hone_status no_memory(const char *name, size_t size)
{
    return hone_fail(HONE_E_NOMEM, "%s: the system gave no %zu MB of memory", name,
                     (size >> 20) + 1);
}

static hone_status within_limit(const char *name, size_t from, size_t to)
{
    pthread_mutex_lock(&lock);
    const size_t after = all - from + to, allowed = limit;
    pthread_mutex_unlock(&lock);
    if (!allowed || after <= allowed || planning)
        return HONE_OK;
    hone_fail(HONE_E_LIMIT, "%s: %.1f MB more would make %.1f MB in all, and %.1f MB are allowed",
              name, (double)(to - from) / 1048576.0, (double)after / 1048576.0,
              (double)allowed / 1048576.0);
    return hone_fail_hint("allow more memory (--memory), or do less at once: fewer or shorter "
                          "sequences, smaller micro-batches");
}

static void advise(void *p, size_t mapped)
{
    if (mapped >= HUGE_FROM)
        (void)madvise(p, mapped, MADV_HUGEPAGE); /* a wish: kernels without it say EINVAL */
}

hone_status hone_region_init(hone_region *r, const char *name, size_t size)
{
    memset(r, 0, sizeof *r);
    if (size == 0) {
        r->name = name;
        return HONE_OK;
    }
    size_t mapped;
    if (round_up(size, &mapped) < 0)
        return no_memory(name, size);
    HONE_TRY(within_limit(name, 0, mapped));
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (planning ? MAP_NORESERVE : 0);
    void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED)
        return no_memory(name, size);
    if (!planning)
        advise(p, mapped);
    r->base = p;
    r->size = size;
    r->mapped = mapped;
    r->name = name;
    count(name, 0, mapped, 1);
    return HONE_OK;
}

hone_status hone_region_grow(hone_region *r, size_t size)
{
    if (size <= r->size)
        return HONE_OK;
    if (!r->base) {
        hone_region fresh;
        HONE_TRY(hone_region_init(&fresh, r->name ? r->name : "other", size));
        *r = fresh;
        return HONE_OK;
    }
    size_t mapped;
    if (round_up(size, &mapped) < 0)
        return no_memory(r->name, size);
    if (mapped > r->mapped) {
        HONE_TRY(within_limit(r->name, r->mapped, mapped));
        void *p = mremap(r->base, r->mapped, mapped, MREMAP_MAYMOVE);
        if (p == MAP_FAILED)
            return no_memory(r->name, size);
        if (!planning)
            advise(p, mapped);
        count(r->name, r->mapped, mapped, 0);
        r->base = p;
        r->mapped = mapped;
    }
    r->size = size;
    return HONE_OK;
}

void hone_region_drop(hone_region *r)
{
    if (r->base)
        (void)madvise(r->base, r->mapped, MADV_DONTNEED);
}

void hone_region_release(hone_region *r)
{
    if (r->base) {
        munmap(r->base, r->mapped);
        count(r->name, r->mapped, 0, -1);
    }
    memset(r, 0, sizeof *r);
}

size_t hone_region_stats(hone_region_stat *out, size_t max)
{
    pthread_mutex_lock(&lock);
    const size_t n = n_stats;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = stats[i];
    pthread_mutex_unlock(&lock);
    return n;
}

void hone_region_stats_reset(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_stats; i++)
        stats[i].peak = stats[i].bytes;
    pthread_mutex_unlock(&lock);
}

void hone_region_plan(int on)
{
    planning = on;
}

int hone_region_planning(void)
{
    return planning;
}

void hone_region_limit(size_t bytes)
{
    pthread_mutex_lock(&lock);
    limit = bytes;
    pthread_mutex_unlock(&lock);
}
