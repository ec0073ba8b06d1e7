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
/* Forgets peaks: from here on the peak of each name is what is mapped now. */
void hone_region_stats_reset(void);

/* Planning (hone run --dry-run): regions are mapped and counted as ever, but only reserved: the
 * system promises no memory for them, however large they are, and whoever would fill one or compute
 * in one asks hone_region_planning() and leaves it alone. What is counted meanwhile is what a run
 * of the same calls maps. Switch it only while no region is in use. [control-thread] */
void hone_region_plan(int on);
int hone_region_planning(void);
/* No region is made or grown beyond this sum of all of them (E_LIMIT); 0 = no limit. */
void hone_region_limit(size_t bytes);
#endif
