/* rng.h - counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011).
 *
 * Nothing is stateful: a number is a pure function of (seed, purpose, step, sample, index), so order
 * of evaluation, threads and resumption change nothing. Purposes are the enum below; a third party
 * uses hone_rng_purpose("name"). */
#ifndef HONE_CORE_BASE_RNG_H
#define HONE_CORE_BASE_RNG_H
#include <stddef.h>
#include <stdint.h>

enum {
    HONE_RNG_INIT = 1,    /* parameter initialisation: sample = param index, index = element */
    HONE_RNG_SAMPLE = 2,  /* token choice: step, sample, index = token index */
    HONE_RNG_SHUFFLE = 3, /* data order: step = epoch, index = row */
    HONE_RNG_BOOTSTRAP = 4,
    HONE_RNG_DROPOUT = 5,
    HONE_RNG_USER = 6,    /* recipes and plugins */
    HONE_RNG_PERMUTE = 7, /* permuted-reward controls */
    HONE_RNG_NOISE = 8    /* on embeddings: step, sample = tree, index = token * width + column */
};
typedef struct hone_rng_key {
    uint64_t seed;
    uint32_t purpose;
    uint32_t pad;
    uint64_t step, sample;
} hone_rng_key;

/* The four words of one counter. Known-answer tests: Random123's kat_vectors. */
void hone_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
uint32_t hone_rng_u32(const hone_rng_key *k, uint64_t index);
uint64_t hone_rng_u64(const hone_rng_key *k, uint64_t index);
double hone_rng_uniform(const hone_rng_key *k, uint64_t index); /* [0,1), 53 bits */
double hone_rng_normal(const hone_rng_key *k,
                       uint64_t index); /* N(0,1); own log and cos: same bits everywhere */
uint64_t hone_rng_below(const hone_rng_key *k, uint64_t index,
                        uint64_t n); /* [0,n), unbiased; n > 0 */
/* out[i] = hone_rng_below(k, i, n) for i < count: the same numbers, several at a time. */
void hone_rng_below_each(const hone_rng_key *k, uint64_t n, size_t count, uint64_t *out);
uint32_t hone_rng_purpose(const char *name); /* >= 2^16 */
/* Position i of a pseudo-random permutation of [0,n): a Feistel network with cycle walking, so a
 * shuffled stream needs no memory and can seek. */
uint64_t hone_rng_permute(const hone_rng_key *k, uint64_t i, uint64_t n);
#endif
