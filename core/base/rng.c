/* rng.c - see rng.h.
 *
 * Philox 4x32-10 turns a counter of 128 bits and a key of 64 into 128 random bits. The counter holds
 * the index (64 bits), the low halves of sample and step; everything else (seed, purpose, the high
 * halves, which kind of number is drawn) is mixed into the key. So two numbers of one run differ in
 * their counter whenever step or sample < 2^32 differ, and kinds never share bits.
 *
 * Layout, fixed for ever (checkpoints and recorded runs depend on it): a block gives four u32, or two
 * u64 / uniforms, or two normals. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3" (2011); the finaliser is Stafford's variant 13 of the 64-bit mixers. */
#include "base/rng.h"

#include "base/hash.h"
#include "base/math64.h"

#include <string.h>

enum { KIND_U32 = 1, KIND_U64 = 2, KIND_NORMAL = 3, KIND_PERMUTE = 4, KIND_BELOW = 5 /* and up */ };

void hone_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static uint64_t key_of(const hone_rng_key *k, uint32_t kind)
{
    uint64_t h = mix(k->seed + 0x9E3779B97F4A7C15u);
    h = mix(h ^ ((uint64_t)k->purpose << 32 | k->pad)) + kind;
    return mix(h ^ ((k->step >> 32) << 32 | k->sample >> 32));
}

static void block(const hone_rng_key *k, uint32_t kind, uint64_t index, uint32_t out[4])
{
    const uint64_t h = key_of(k, kind);
    uint32_t key[2] = {(uint32_t)h, (uint32_t)(h >> 32)};
    uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)k->sample,
                           (uint32_t)k->step};
    hone_philox4x32(counter, key, out);
}

uint32_t hone_rng_u32(const hone_rng_key *k, uint64_t index)
{
    uint32_t b[4];
    block(k, KIND_U32, index / 4, b);
    return b[index % 4];
}

static uint64_t pick64(const uint32_t b[4], uint64_t index)
{
    return index % 2 ? (uint64_t)b[3] << 32 | b[2] : (uint64_t)b[1] << 32 | b[0];
}

uint64_t hone_rng_u64(const hone_rng_key *k, uint64_t index)
{
    uint32_t b[4];
    block(k, KIND_U64, index / 2, b);
    return pick64(b, index);
}

double hone_rng_uniform(const hone_rng_key *k, uint64_t index)
{
    return (double)(hone_rng_u64(k, index) >> 11) * 0x1p-53;
}

/* Box and Muller (1958): r = sqrt(-2 ln u), u in (0,1]; the even index is r cos, the odd r sin. */
double hone_rng_normal(const hone_rng_key *k, uint64_t index)
{
    uint32_t b[4];
    block(k, KIND_NORMAL, index / 2, b);
    double u = (double)((pick64(b, 0) >> 11) + 1) * 0x1p-53;
    double angle = (double)(pick64(b, 1) >> 11) * 0x1p-53 * 6.283185307179586;
    double square = -2.0 * hone_math_log(u), r = square > 0.0 ? __builtin_sqrt(square) : 0.0;
    return r * (index % 2 ? hone_math_sin(angle) : hone_math_cos(angle));
}

/* Lemire (2019): the high half of u * n; u is drawn again while the low half falls short. */
uint64_t hone_rng_below(const hone_rng_key *k, uint64_t index, uint64_t n)
{
    uint64_t least = n > 1 ? (0 - n) % n : 0;
    for (uint32_t attempt = 0;; attempt++) {
        uint32_t b[4];
        block(k, KIND_BELOW + attempt, index / 2, b);
        unsigned __int128 p = (unsigned __int128)pick64(b, index) * n;
        if ((uint64_t)p >= least)
            return (uint64_t)(p >> 64);
    }
}

enum { LANES = 8 };

/* Blocks first .. first + LANES of one key, side by side: a block alone waits for ten products in turn. */
static void blocks(uint64_t key, const hone_rng_key *k, uint64_t first, uint64_t out[LANES][2])
{
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = (uint32_t)key,
                                                         k1 = (uint32_t)(key >> 32);
    for (unsigned l = 0; l < LANES; l++) {
        c0[l] = (uint32_t)(first + l);
        c1[l] = (uint32_t)((first + l) >> 32);
        c2[l] = (uint32_t)k->sample;
        c3[l] = (uint32_t)k->step;
    }
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned l = 0; l < LANES; l++) {
            const uint64_t p0 = (uint64_t)0xD2511F53u * c0[l], p1 = (uint64_t)0xCD9E8D57u * c2[l];
            c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
            c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
            c1[l] = (uint32_t)p1;
            c3[l] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (unsigned l = 0; l < LANES; l++) {
        out[l][0] = (uint64_t)c1[l] << 32 | c0[l];
        out[l][1] = (uint64_t)c3[l] << 32 | c2[l];
    }
}

void hone_rng_below_each(const hone_rng_key *k, uint64_t n, size_t count, uint64_t *out)
{
    const uint64_t key = key_of(k, KIND_BELOW), least = n > 1 ? (0 - n) % n : 0;
    for (size_t i = 0; i < count; i += 2 * LANES) {
        uint64_t r[LANES][2];
        blocks(key, k, i / 2, r);
        for (size_t j = 0; j < 2 * LANES && i + j < count; j++) {
            const unsigned __int128 p = (unsigned __int128)r[j / 2][j % 2] * n;
            out[i + j] = (uint64_t)p >= least ? (uint64_t)(p >> 64) : hone_rng_below(k, i + j, n);
        }
    }
}

uint32_t hone_rng_purpose(const char *name)
{
    uint64_t h = hone_xxh64(name, strlen(name), 0x686f6e65);
    uint32_t p = (uint32_t)(h ^ h >> 32);
    return p < 0x10000u ? p + 0x10000u : p;
}

/* Short ones by Fisher and Yates, exactly uniform; longer ones by a Feistel network of eight rounds
 * on the next even number of bits, walked until it lands below n (at most 4 steps on average). */
uint64_t hone_rng_permute(const hone_rng_key *k, uint64_t i, uint64_t n)
{
    enum { SHORT = 64 };
    if (n <= 1)
        return 0;
    if (n <= SHORT) {
        uint8_t at[SHORT];
        hone_rng_key own = *k;
        own.purpose ^= 0x70000000u;
        for (unsigned j = 0; j < n; j++)
            at[j] = (uint8_t)j;
        for (unsigned j = (unsigned)n - 1; j > 0; j--) {
            unsigned other = (unsigned)hone_rng_below(&own, j, j + 1);
            uint8_t t = at[j];
            at[j] = at[other];
            at[other] = t;
        }
        return at[i];
    }
    uint32_t keys[16];
    for (uint64_t j = 0; j < 4; j++)
        block(k, KIND_PERMUTE, j, keys + 4 * j);
    unsigned half = 1;
    while (half < 32 && (uint64_t)1 << (2 * half) < n)
        half++;
    uint64_t mask = ((uint64_t)1 << half) - 1, x = i;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (unsigned round = 0; round < 8; round++) {
            uint64_t key = (uint64_t)keys[2 * round + 1] << 32 | keys[2 * round];
            uint64_t next = left ^ (mix(right + key) & mask);
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}
