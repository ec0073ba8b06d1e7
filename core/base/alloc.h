/* alloc.h - counted, fault-injectable heap memory.
 *
 * All heap memory of the host goes through here, so that tests can count it (no leak) and fail the
 * n-th request (torture). Large numeric buffers do not: they are regions (core/tensor). */
#ifndef HONE_CORE_BASE_ALLOC_H
#define HONE_CORE_BASE_ALLOC_H
#include <stddef.h>
#include <stdint.h>

void *hone_alloc(size_t size); /* NULL and E_NOMEM set on failure; size 0 gives a unique pointer */
void *hone_calloc(size_t n, size_t size); /* zeroed; overflow is a failure */
void *hone_realloc(void *p, size_t size); /* p unchanged on failure */
void *hone_reallocarray(void *p, size_t n, size_t size);
void hone_free(void *p);                     /* NULL is allowed */
char *hone_strdup(const char *z);            /* NULL in, NULL out */
char *hone_strndup(const char *p, size_t n); /* adds a NUL */

/* a*b or a+b into *out; returns 0 and leaves *out alone when it overflows. */
int hone_mul_size(size_t a, size_t b, size_t *out);
int hone_add_size(size_t a, size_t b, size_t *out);

/* Tests: blocks and bytes now live; fail the n-th request from now (0 = never), then all after it
 * when `sticky`. Thread-safe. */
void hone_alloc_stats(size_t *blocks, size_t *bytes);
void hone_alloc_fail_after(uint64_t n, int sticky);
#endif
