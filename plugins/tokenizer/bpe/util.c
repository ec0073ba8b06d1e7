/* util.c - memory of the plugin, its hash maps, look-ups on values.
 *
 * Memory comes from the host (hone.mem/1) where offered, so that the host counts it and tests can
 * fail it; a 16-byte header keeps the size that interface asks back. The maps are open addressing
 * over ids: the keys stay where they are, in the tables by id. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

typedef union mem_header {
    size_t size;
    long double align_a;
    long long align_b;
} mem_header;

void *bpe_resize(const bpe_mem *m, void *p, size_t n)
{
    mem_header *h = p ? (mem_header *)p - 1 : NULL;
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t before = h ? h->size + sizeof *h : 0, after = n + sizeof *h;
    h = m->vt ? m->vt->resize(m->self, h, before, after) : realloc(h, after);
    if (!h)
        return NULL;
    h->size = n;
    return h + 1;
}

void *bpe_alloc(const bpe_mem *m, size_t n)
{
    void *p = bpe_resize(m, NULL, n);
    if (p)
        memset(p, 0, n);
    return p;
}

void bpe_free(const bpe_mem *m, void *p)
{
    if (!p)
        return;
    mem_header *h = (mem_header *)p - 1;
    if (m->vt)
        m->vt->resize(m->self, h, h->size + sizeof *h, 0);
    else
        free(h);
}

struct bpe_chunk {
    struct bpe_chunk *next;
    size_t used, size;
};

void *bpe_arena_alloc(bpe_arena *a, size_t n)
{
    if (n > SIZE_MAX / 4)
        return NULL;
    n = (n + 7) & ~(size_t)7;
    struct bpe_chunk *c = a->head;
    if (!c || c->size - c->used < n) {
        size_t size = n > 65536 ? n : 65536;
        c = bpe_resize(a->mem, NULL, sizeof *c + size);
        if (!c)
            return NULL;
        c->used = 0;
        c->size = size;
        if (a->head && n > 65536) { /* a big block does not end the chunk in use */
            c->next = a->head->next;
            a->head->next = c;
        } else {
            c->next = a->head;
            a->head = c;
        }
    }
    void *p = (char *)(c + 1) + c->used;
    c->used += n;
    return p;
}

void bpe_arena_release(bpe_arena *a)
{
    for (struct bpe_chunk *c = a->head, *next; c; c = next) {
        next = c->next;
        bpe_free(a->mem, c);
    }
    a->head = NULL;
}

hone_str bpe_arena_str(bpe_arena *a, const char *p, size_t n)
{
    hone_str s = {NULL, 0};
    char *q = bpe_arena_alloc(a, n + 1);
    if (!q)
        return s;
    if (n)
        memcpy(q, p, n);
    q[n] = 0;
    s.ptr = q;
    s.len = n;
    return s;
}

int bpe_vec_room(const bpe_mem *m, bpe_vec *v, size_t more, size_t size)
{
    if (more <= v->cap - v->n)
        return 1;
    if (more > (size_t)1 << 31 || v->n + more > (size_t)1 << 31)
        return 0;
    size_t cap = v->cap ? v->cap : 64;
    while (cap < v->n + more)
        cap *= 2;
    void *p = bpe_resize(m, v->v, cap * size);
    if (!p)
        return 0;
    v->v = p;
    v->cap = cap;
    return 1;
}

uint64_t bpe_hash(const void *p, size_t n)
{
    const unsigned char *s = p;
    uint64_t h = 0x9E3779B97F4A7C15u ^ n;
    while (n >= 8) {
        uint64_t k;
        memcpy(&k, s, 8);
        h = (h ^ k) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
        s += 8;
        n -= 8;
    }
    uint64_t k = 0;
    if (n)
        memcpy(&k, s, n);
    h = (h ^ k) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 29;
}

static uint32_t slots_for(size_t n)
{
    uint32_t size = 16;
    while (size < n * 2)
        size *= 2;
    return size;
}

int bpe_strmap_init(bpe_strmap *s, bpe_arena *a, const hone_str *keys, size_t n_keys)
{
    uint32_t size = slots_for(n_keys);
    s->slots = bpe_arena_alloc(a, size * sizeof *s->slots);
    if (!s->slots)
        return 0;
    memset(s->slots, 0xFF, size * sizeof *s->slots);
    s->mask = size - 1;
    s->keys = keys;
    return 1;
}

static uint32_t strmap_find(const bpe_strmap *s, hone_str key)
{
    uint32_t i = (uint32_t)bpe_hash(key.ptr, key.len) & s->mask;
    while (s->slots[i] >= 0) {
        hone_str k = s->keys[s->slots[i]];
        if (k.len == key.len && memcmp(k.ptr, key.ptr, key.len) == 0)
            break;
        i = (i + 1) & s->mask;
    }
    return i;
}

int32_t bpe_strmap_put(bpe_strmap *s, int32_t id)
{
    uint32_t i = strmap_find(s, s->keys[id]);
    int32_t before = s->slots[i];
    if (before < 0)
        s->slots[i] = id;
    return before;
}

int32_t bpe_strmap_get(const bpe_strmap *s, hone_str key)
{
    if (!s->slots || !key.ptr)
        return -1;
    return s->slots[strmap_find(s, key)];
}

int bpe_merges_init(bpe_merges *m, bpe_arena *a, size_t n)
{
    uint32_t size = slots_for(n);
    m->slots = bpe_arena_alloc(a, size * sizeof *m->slots);
    if (!m->slots)
        return 0;
    memset(m->slots, 0xFF, size * sizeof *m->slots);
    m->mask = size - 1;
    m->n = 0;
    return 1;
}

void bpe_merges_put(bpe_merges *m, uint32_t a, uint32_t b, uint32_t rank, int32_t id, int replace)
{
    uint64_t key = (uint64_t)a << 32 | b;
    uint32_t i = (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32) & m->mask;
    for (;; i = (i + 1) & m->mask) {
        bpe_merge *e = &m->slots[i];
        int found = e->id >= 0 && e->a == a && e->b == b;
        if (e->id >= 0 && !found)
            continue;
        if (found && !replace)
            return;
        m->n += !found;
        e->a = a;
        e->b = b;
        e->rank = rank;
        e->id = id;
        return;
    }
}

const hone_value *bpe_get(const hone_value *map, const char *key)
{
    if (!map || map->type != HONE_MAP)
        return NULL;
    size_t n = strlen(key);
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        if (p->key.len == n && memcmp(p->key.ptr, key, n) == 0)
            return p->value.type == HONE_NULL ? NULL : &p->value;
    }
    return NULL;
}

int bpe_is(const hone_value *v, const char *z)
{
    return v && v->type == HONE_STRING && v->u.str.len == strlen(z) &&
           memcmp(v->u.str.ptr, z, v->u.str.len) == 0;
}

int bpe_flag(const hone_value *map, const char *key, int dflt)
{
    const hone_value *v = bpe_get(map, key);
    return v && v->type == HONE_BOOL ? v->u.boolean != 0 : dflt;
}

const void *bpe_find(const void *hay, size_t n, const void *needle, size_t k)
{
    const char *p = hay, *end = p + n;
    while (k && (size_t)(end - p) >= k &&
           (p = memchr(p, *(const char *)needle, (size_t)(end - p) - k + 1))) {
        if (memcmp(p, needle, k) == 0)
            return p;
        p++;
    }
    return NULL;
}
