/* map.h - bytes -> pointer hash map (open addressing, xxh3), insertion order kept for iteration.
 * Keys are copied. No removal of single keys is offered beyond hone_map_del (marks a tombstone). */
#ifndef HONE_CORE_BASE_MAP_H
#define HONE_CORE_BASE_MAP_H
#include "hone/base.h"

typedef struct hone_map_entry {
    char *key; /* NUL-terminated copy; NULL = deleted */
    size_t key_len;
    uint64_t hash;
    void *value;
} hone_map_entry;
typedef struct hone_map {
    hone_map_entry *entries; /* in insertion order, [0, n) */
    size_t n, cap, live;
    uint32_t *slots; /* entry index + 1, 0 = empty */
    size_t n_slots;
} hone_map;

void hone_map_init(hone_map *m);
void hone_map_release(hone_map *m); /* values are the caller's: free them first */
/* Insert or replace. *old (may be NULL) gets the replaced value or NULL. */
hone_status hone_map_put(hone_map *m, const void *key, size_t len, void *value, void **old);
void *hone_map_get(const hone_map *m, const void *key, size_t len); /* NULL when absent */
int hone_map_has(const hone_map *m, const void *key, size_t len);
void *hone_map_del(hone_map *m, const void *key, size_t len); /* the value, or NULL */
#endif
