/* minhash.c - see minhash.h. */
#include "curate/minhash.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 8 };

hone_status hone_minhash_init(hone_minhash *m, uint32_t words, uint32_t bands, uint32_t rows,
                              uint64_t seed)
{
    if (words < 1 || words > 64)
        return hone_fail(HONE_E_USAGE, "shingles have from 1 to 64 words, not %u", words);
    if (bands < 1 || rows < 1 || bands > HONE_MINHASH_MAX || rows > HONE_MINHASH_MAX ||
        bands * rows > HONE_MINHASH_MAX)
        return hone_fail(HONE_E_USAGE, "bands x rows is from 1 to %d, not %u x %u",
                         HONE_MINHASH_MAX, bands, rows);
    const hone_rng_key key = {.seed = seed, .purpose = hone_rng_purpose("curate.minhash")};
    memset(m, 0, sizeof *m);
    m->words = words;
    m->bands = bands;
    m->rows = rows;
    for (uint32_t i = 0; i < HONE_MINHASH_MAX; i++) {
        m->a[i] = hone_rng_u32(&key, 2 * (uint64_t)i) | 1;
        m->b[i] = hone_rng_u32(&key, 2 * (uint64_t)i + 1);
    }
    return HONE_OK;
}

double hone_minhash_found(const hone_minhash *m, double jaccard)
{
    double band = 1, none = 1;
    for (uint32_t r = 0; r < m->rows; r++)
        band *= jaccard;
    for (uint32_t b = 0; b < m->bands; b++)
        none *= 1 - band;
    return 1 - none;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9E3779B97F4A7C15ull;
    return h ^ h >> 29;
}

hone_status hone_shingles_of(const hone_minhash *m, const hone_words *w, hone_shingles *out)
{
    const size_t k = w->n < m->words ? w->n : m->words;
    const size_t n = w->n ? w->n - k + 1 : 0;
    if (n > out->cap) {
        uint64_t *grown = hone_reallocarray(out->v, n, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        out->v = grown;
        out->cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t h = k;
        for (size_t j = 0; j < k; j++)
            h = mix(h, w->v[i + j].hash);
        h ^= h >> 32;
        h *= 0xD6E8FEB86659FD93ull;
        out->v[i] = h ^ h >> 32;
    }
    out->n = n;
    return HONE_OK;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void hone_shingles_sort(hone_shingles *s)
{
    size_t n = 0;
    if (s->n)
        qsort(s->v, s->n, sizeof *s->v, by_value);
    for (size_t i = 0; i < s->n; i++)
        if (n == 0 || s->v[i] != s->v[n - 1])
            s->v[n++] = s->v[i];
    s->n = n;
}

double hone_shingles_jaccard(const hone_shingles *a, const hone_shingles *b)
{
    size_t both = 0;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        both += a->v[i] == b->v[k];
        if (a->v[i] <= b->v[k]) {
            k += a->v[i] == b->v[k];
            i++;
        } else {
            k++;
        }
    }
    const size_t all = a->n + b->n - both;
    return all ? (double)both / (double)all : 0;
}

void hone_shingles_release(hone_shingles *s)
{
    hone_free(s->v);
    memset(s, 0, sizeof *s);
}

/* A group of LANES functions over all shingles: their values stay in registers. */
static void sign_lanes(const uint64_t *v, size_t n, const uint32_t *a, const uint32_t *b,
                       uint32_t *out)
{
    typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));
    lanes va, vb, least;
    memcpy(&va, a, sizeof va);
    memcpy(&vb, b, sizeof vb);
    memset(&least, 0xFF, sizeof least);
    for (size_t i = 0; i < n; i++) {
        const lanes h = va * (uint32_t)(v[i] >> 32) + vb;
        const lanes less = (lanes)(h < least);
        least = (h & less) | (least & ~less);
    }
    memcpy(out, &least, sizeof least);
}

void hone_minhash_sign(const hone_minhash *m, const hone_shingles *s, uint32_t *sig)
{
    const size_t all = (size_t)m->bands * m->rows;
    for (size_t i = 0; i < all; i += LANES) {
        uint32_t out[LANES];
        sign_lanes(s->v, s->n, m->a + i, m->b + i, out);
        memcpy(sig + i, out, (all - i < LANES ? all - i : LANES) * sizeof *sig);
    }
}

void hone_minhash_keys(const hone_minhash *m, const uint32_t *sig, uint64_t *key)
{
    for (uint32_t b = 0; b < m->bands; b++)
        key[b] = hone_xxh64(sig + (size_t)b * m->rows, m->rows * sizeof *sig, b + 1);
}
