/* pool.h - memory of the endpoint client: blocks of the host's counted memory that are given back together, and a text that
 * grows in one. Errors of a text are sticky: look at `failed` once, at its end. */
#ifndef HONE_RUBRIC_POOL_H
#define HONE_RUBRIC_POOL_H
#include "hone/plugin.h"

typedef struct pool {
    hone_ref mem; /* hone.mem/1 */
    struct pool_block *head;
} pool;

/* Zeroed, 16-byte aligned; NULL: no memory, or more than 1 GiB. */
void *pool_alloc(pool *p, size_t n, size_t size);
hone_str pool_copy(pool *p, hone_str s); /* with a NUL behind it; {NULL, 0}: no memory */
void pool_release(pool *p);              /* everything it gave is gone; it may be used again */

typedef struct grown {
    const pool *owner; /* whose memory it takes; not part of the pool */
    char *ptr;
    size_t len, cap, max;
    int failed; /* no memory, or longer than max */
} grown;
void grown_init(grown *g, const pool *owner, size_t max);
void grown_release(grown *g);
void grown_add(grown *g, const void *p, size_t n);
void grown_z(grown *g, const char *z);
/* As a JSON string. What is not UTF-8 becomes U+FFFD. */
void grown_json(grown *g, hone_str s);
/* Numbers as JSON, in no locale: a double in the shortest of 15, 16, 17 digits that reads back equal. */
void grown_u64(grown *g, uint64_t v);
void grown_f64(grown *g, double v);
/* Any value: what is neither JSON nor text (bytes, NaN) becomes null. */
void grown_value(grown *g, const hone_value *v);
#endif
