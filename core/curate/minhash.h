/* minhash.h - how alike two texts are: shingles of words, signatures, bands.
 *
 * A text is the set of its runs of n words (5); two texts are as alike as their sets: |A and B| / |A or B| (Jaccard). Each of P hash functions has
 * the same least value over both sets with just that probability, so P such values, a signature, stand for a text (Broder 1997). They are cut
 * into bands of r values each; two texts whose band number i is equal, for any i, are candidates, which happens with probability
 * 1 - (1 - J^r)^b (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4). With 20 bands of 6: 0.27 at J = 0.5, 0.92 at 0.7, 0.998
 * at 0.8.
 *
 * The functions are h(x) = a x + b modulo 2^32 with odd a over the upper half of a 64-bit hash of the shingle; a and b come from base/rng.
 * Texts of fewer than n words are one shingle; texts without words have none and are like nothing. All calls [any-thread]. */
#ifndef HONE_CORE_CURATE_MINHASH_H
#define HONE_CORE_CURATE_MINHASH_H
#include "curate/words.h"

enum { HONE_MINHASH_MAX = 1024 }; /* bands x rows */

typedef struct hone_minhash {
    uint32_t words, bands, rows;
    uint32_t a[HONE_MINHASH_MAX], b[HONE_MINHASH_MAX];
} hone_minhash;

/* E_USAGE: a number out of range. */
hone_status hone_minhash_init(hone_minhash *m, uint32_t words, uint32_t bands, uint32_t rows,
                              uint64_t seed);
/* The probability that two texts so alike become candidates. */
double hone_minhash_found(const hone_minhash *m, double jaccard);

typedef struct hone_shingles {
    uint64_t *v;
    size_t n, cap;
} hone_shingles;
/* The hashes of all runs of m->words words, one for each place; in place of those before. */
hone_status hone_shingles_of(const hone_minhash *m, const hone_words *w, hone_shingles *out);
void hone_shingles_sort(hone_shingles *s); /* sorted, each once: a set */
double hone_shingles_jaccard(const hone_shingles *a, const hone_shingles *b); /* of two sets */
void hone_shingles_release(hone_shingles *s);

/* sig: bands x rows values. Without shingles all are UINT32_MAX. */
void hone_minhash_sign(const hone_minhash *m, const hone_shingles *s, uint32_t *sig);
/* key: one for each band; the number of the band is part of it. */
void hone_minhash_keys(const hone_minhash *m, const uint32_t *sig, uint64_t *key);
#endif
