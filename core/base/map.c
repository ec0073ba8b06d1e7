/* map.c - see map.h.
 *
 * The entries stand in one array in order of insertion; the table of slots holds their numbers, so
 * growing moves 4 bytes a key. Linear probing, at most two thirds full, dead entries counted as full
 * until the next rebuild drops them. Source of the layout: Python's compact dict. */
#include "base/map.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <string.h>

void hone_map_init(hone_map *m)
{
    memset(m, 0, sizeof *m);
}

void hone_map_release(hone_map *m)
{
    for (size_t i = 0; i < m->n; i++)
        hone_free(m->entries[i].key);
    hone_free(m->entries);
    hone_free(m->slots);
    hone_map_init(m);
}

/* The slot of a key, or of the first empty one where it would go. Needs n_slots > n. */
static size_t find(const hone_map *m, const void *key, size_t len, uint64_t hash)
{
    size_t mask = m->n_slots - 1, i = (size_t)hash & mask;
    for (;; i = (i + 1) & mask) {
        uint32_t e = m->slots[i];
        if (e == 0)
            return i;
        const hone_map_entry *entry = &m->entries[e - 1];
        if (entry->hash == hash && entry->key && entry->key_len == len &&
            (len == 0 || memcmp(entry->key, key, len) == 0))
            return i;
    }
}

/* Room for one more entry: drops the dead, doubles when needed. The map is unchanged on failure. */
static hone_status make_room(hone_map *m)
{
    if (m->n < m->cap && (m->n + 1) * 3 <= m->n_slots * 2)
        return HONE_OK;
    size_t n_slots = 16, cap, bytes;
    while (n_slots < (m->live + 1) * 2)
        n_slots *= 2;
    cap = n_slots / 3 * 2;
    if (cap >= UINT32_MAX)
        return hone_fail(HONE_E_LIMIT, "a table of more than %zu keys", m->live);
    if (!hone_mul_size(n_slots, sizeof *m->slots, &bytes))
        return hone_fail(HONE_E_NOMEM, "out of memory");
    uint32_t *slots = hone_calloc(n_slots, sizeof *slots);
    hone_map_entry *entries = hone_reallocarray(NULL, cap, sizeof *entries);
    if (!slots || !entries) {
        hone_free(slots);
        hone_free(entries);
        return HONE_E_NOMEM;
    }
    size_t k = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->entries[i].key)
            entries[k++] = m->entries[i];
    for (size_t i = 0; i < k; i++) {
        size_t s = (size_t)entries[i].hash & (n_slots - 1);
        while (slots[s])
            s = (s + 1) & (n_slots - 1);
        slots[s] = (uint32_t)(i + 1);
    }
    hone_free(m->entries);
    hone_free(m->slots);
    m->entries = entries;
    m->slots = slots;
    m->n = k;
    m->cap = cap;
    m->n_slots = n_slots;
    return HONE_OK;
}

hone_status hone_map_put(hone_map *m, const void *key, size_t len, void *value, void **old)
{
    HONE_TRY(make_room(m));
    uint64_t hash = hone_xxh64(key, len, 0);
    size_t s = find(m, key, len, hash);
    if (m->slots[s]) {
        hone_map_entry *e = &m->entries[m->slots[s] - 1];
        if (old)
            *old = e->value;
        e->value = value;
        return HONE_OK;
    }
    char *copy = hone_strndup(key, len);
    if (!copy)
        return HONE_E_NOMEM;
    hone_map_entry *e = &m->entries[m->n++];
    e->key = copy;
    e->key_len = len;
    e->hash = hash;
    e->value = value;
    m->slots[s] = (uint32_t)m->n;
    m->live++;
    if (old)
        *old = NULL;
    return HONE_OK;
}

static hone_map_entry *look(const hone_map *m, const void *key, size_t len)
{
    if (m->live == 0)
        return NULL;
    uint32_t e = m->slots[find(m, key, len, hone_xxh64(key, len, 0))];
    return e ? &m->entries[e - 1] : NULL;
}

void *hone_map_get(const hone_map *m, const void *key, size_t len)
{
    const hone_map_entry *e = look(m, key, len);
    return e ? e->value : NULL;
}

int hone_map_has(const hone_map *m, const void *key, size_t len)
{
    return look(m, key, len) != NULL;
}

void *hone_map_del(hone_map *m, const void *key, size_t len)
{
    hone_map_entry *e = look(m, key, len);
    if (!e)
        return NULL;
    hone_free(e->key);
    e->key = NULL;
    e->key_len = 0;
    m->live--;
    return e->value;
}
