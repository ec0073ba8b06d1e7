/* region.h - large numeric memory: one mmap each, counted by name.
 *
 * Parameters, gradients, optimizer state, activations, sequence pages and scratch live in regions,
 * not on the heap: 64-byte aligned (a page), zeroed by the system, huge pages asked for from 8 MB
 * on, and every region is counted under its name, so that `--dry-run`, `hone doctor` and the run's
 * timings can say where memory went. A region may grow; its contents stay, its address may change.
 */
#ifndef HONE_CORE_TENSOR_REGION_H
#define HONE_CORE_TENSOR_REGION_H
#include "base/error.h"

typedef struct hone_region {
    void *base;    /* NULL when size 0 */
    size_t size;   /* bytes asked for */
    size_t mapped; /* bytes mapped: whole pages */
    const char *name;
} hone_region;

/* `name` must live as long as the region (a literal); regions of one name are counted together.
 * size 0 is an empty region. E_NOMEM leaves *r empty. [any-thread] */
hone_status hone_region_init(hone_region *r, const char *name, size_t size);
/* At least `size` bytes; new bytes are zero; never shrinks. On E_NOMEM the region is as before. */
hone_status hone_region_grow(hone_region *r, size_t size);
/* Gives the pages back but keeps the addresses: the contents become zero. */
void hone_region_drop(hone_region *r);
void hone_region_release(hone_region *r); /* safe on a zeroed struct, and twice */

typedef struct hone_region_stat {
    const char *name;
    size_t bytes, peak; /* now, and the most so far */
    uint32_t count;
} hone_region_stat;
/* Fills at most `max` entries, in the order names first appeared; returns how many there are. */
size_t hone_region_stats(hone_region_stat *out, size_t max);
#endif
