/* alloc.c - see alloc.h.
 *
 * Each block has a 16-byte header with its size and a mark, so that live bytes can be counted and a
 * pointer that is not ours is caught at once in developer builds. Counting is relaxed atomics; the
 * fault injector is one atomic load when it is off. Developer builds take it from the environment too:
 * HONE_FAULT_NOMEM=N fails the N-th request of the process; HONE_FAULT_NOMEM_COUNT=FILE writes there,
 * at exit, how many requests there were (tests/torture). */
#include "base/alloc.h"

#include "base/error.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

typedef union header {
    struct {
        size_t size;
        uint64_t mark;
    } h;
    max_align_t align;
} header;

#define MARK_LIVE 0x686f6e652d6c6976u
#define MARK_DEAD 0x686f6e652d646561u

static atomic_size_t live_blocks, live_bytes;
static _Atomic uint64_t fail_in; /* 0 = off; otherwise the request that brings it to 0 fails */
static atomic_int fail_sticky;

int hone_mul_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return 0;
    *out = r;
    return 1;
}

int hone_add_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return 0;
    *out = r;
    return 1;
}

void hone_alloc_stats(size_t *blocks, size_t *bytes)
{
    if (blocks)
        *blocks = atomic_load_explicit(&live_blocks, memory_order_relaxed);
    if (bytes)
        *bytes = atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

void hone_alloc_fail_after(uint64_t n, int sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_in, n);
}

#ifdef HONE_DEVELOPER
static _Atomic uint64_t requests; /* counted only when somebody asks */
static int counting;

__attribute__((constructor)) static void read_fault(void)
{
    const char *z = getenv("HONE_FAULT_NOMEM");
    if (z && *z)
        atomic_store(&fail_in, strtoull(z, NULL, 10));
    z = getenv("HONE_FAULT_NOMEM_COUNT");
    counting = z && *z;
}

__attribute__((destructor)) static void write_count(void)
{
    const char *z = getenv("HONE_FAULT_NOMEM_COUNT");
    FILE *f = counting && z ? fopen(z, "w") : NULL;
    if (f) {
        fprintf(f, "%llu\n", (unsigned long long)atomic_load(&requests));
        fclose(f);
    }
}
#endif

static int injected(void)
{
#ifdef HONE_DEVELOPER
    if (counting)
        atomic_fetch_add(&requests, 1);
#endif
    uint64_t n = atomic_load_explicit(&fail_in, memory_order_relaxed);
    while (n != 0) {
        if (n == 1 && atomic_load(&fail_sticky))
            return 1;
        if (atomic_compare_exchange_weak(&fail_in, &n, n - 1))
            return n == 1;
    }
    return 0;
}

static void *refuse(size_t size)
{
    hone_fail(HONE_E_NOMEM, "out of memory (%zu bytes asked for)", size);
    return NULL;
}

static void *begin(header *h, size_t size)
{
    h->h.size = size;
    h->h.mark = MARK_LIVE;
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&live_bytes, size, memory_order_relaxed);
    return h + 1;
}

void *hone_alloc(size_t size)
{
    size_t total;
    header *h = NULL;
    if (!injected() && hone_add_size(size, sizeof(header), &total))
        h = malloc(total);
    return h ? begin(h, size) : refuse(size);
}

void *hone_calloc(size_t n, size_t size)
{
    size_t bytes, total;
    header *h = NULL;
    if (!hone_mul_size(n, size, &bytes))
        return refuse(SIZE_MAX);
    if (!injected() && hone_add_size(bytes, sizeof(header), &total))
        h = calloc(1, total);
    return h ? begin(h, bytes) : refuse(bytes);
}

void *hone_realloc(void *p, size_t size)
{
    if (!p)
        return hone_alloc(size);
    header *h = (header *)p - 1;
    assert(h->h.mark == MARK_LIVE);
    size_t before = h->h.size, total;
    if (injected() || !hone_add_size(size, sizeof(header), &total))
        return refuse(size);
    h = realloc(h, total);
    if (!h)
        return refuse(size);
    h->h.size = size;
    atomic_fetch_add_explicit(&live_bytes, size - before, memory_order_relaxed); /* wraps: right */
    return h + 1;
}

void *hone_reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!hone_mul_size(n, size, &bytes))
        return refuse(SIZE_MAX);
    return hone_realloc(p, bytes);
}

void hone_free(void *p)
{
    if (!p)
        return;
    header *h = (header *)p - 1;
    assert(h->h.mark == MARK_LIVE);
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&live_bytes, h->h.size, memory_order_relaxed);
    h->h.mark = MARK_DEAD;
    free(h);
}

char *hone_strndup(const char *p, size_t n)
{
    size_t total;
    if (!hone_add_size(n, 1, &total))
        return refuse(n);
    char *z = hone_alloc(total);
    if (!z)
        return NULL;
    if (n)
        memcpy(z, p, n);
    z[n] = 0;
    return z;
}

char *hone_strdup(const char *z)
{
    return z ? hone_strndup(z, strlen(z)) : NULL;
}
