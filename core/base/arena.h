/* arena.h - many small objects, one release. Chunks double up to 1 MB; 16-byte aligned. */
#ifndef HONE_CORE_BASE_ARENA_H
#define HONE_CORE_BASE_ARENA_H
#include "hone/base.h"

typedef struct hone_arena {
    struct hone_arena_chunk *head;
    size_t used, max; /* bytes handed out; most it may hand out, 0 = 1 GiB */
} hone_arena;

void hone_arena_init(hone_arena *a, size_t max);
void hone_arena_release(hone_arena *a);
void hone_arena_clear(hone_arena *a); /* everything handed out is gone; one chunk is kept */
void *hone_arena_alloc(hone_arena *a, size_t size);            /* not zeroed; NULL and error set */
void *hone_arena_calloc(hone_arena *a, size_t n, size_t size); /* zeroed, overflow checked */
char *hone_arena_strndup(hone_arena *a, const char *p, size_t n); /* NUL added */
hone_str hone_arena_str(hone_arena *a,
                        hone_str s); /* copy; {NULL,0} on failure of a non-empty one */
#endif
