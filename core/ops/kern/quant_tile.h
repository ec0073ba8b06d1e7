/* quant_tile.h - the micro-kernel over quantised panels, for few rows: codes become values in registers.
 *
 * The same chain, ends and meaning as gemm_tile.h; what differs is where a value comes from. Worth it up to
 * QUANT_DIRECT rows, in tiles of up to QUANT_ROWS that each widen for themselves: with more, gemm.c widens a
 * stretch of a panel once and multiplies floats. The chain begins
 * with a block (gemm.c cuts it at multiples of 256). Included by gemm.c once per kernel set. */
#ifndef HONE_CORE_OPS_KERN_QUANT_TILE_H
#define HONE_CORE_OPS_KERN_QUANT_TILE_H
#include "ops/kern/gemm_tile.h"
#include "ops/kern/quant.h"

#if defined(TILE_VEC) && PACK_LANES == 16
enum { QUANT_ROWS = 8, QUANT_DIRECT = 24 };
#define QUANT_EACH(D, T, NAME) TILE_TO_6(D, T, NAME) D(T, NAME, 7) D(T, NAME, 8)
#elif defined(TILE_VEC)
enum { QUANT_ROWS = 2, QUANT_DIRECT = 2 }; /* as many as leave scales and minima in registers */
#define QUANT_EACH TILE_TO_2
#else
enum { QUANT_ROWS = 4, QUANT_DIRECT = 4 };
#define QUANT_EACH TILE_TO_4
#endif

#ifdef TILE_VEC
/* Panels at once, and vectors of a panel at once, so that accumulators, scales and minima stay in registers. */
#if PACK_LANES == 16
#define QUANT_PANELS(R) ((R) == 1 ? 2 : 1)
#define QUANT_SPLIT(R) 1
#else
#define QUANT_PANELS(R) 1
#define QUANT_SPLIT(R) 2
#endif
#define QUANT_VP (32 / PACK_LANES / QUANT_SPLIT(1))

/* NP panels x VP vectors of each from output `lane` on. PF: the next panels' block comes to L2 meanwhile. */
TILE_INLINE void quant_body(const uint32_t T, const int R, const int NP, const int VP, const int PF,
                            int64_t len, const float *a, const char *b, int64_t bs, int64_t lane,
                            float *c, int64_t ldc, int64_t cs, const float *bias,
                            const struct tile_end *e)
{
    TILE_VEC acc[QUANT_ROWS][4];
    const int NV = NP * VP, words = QUANT_WORDS(T);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            acc[r][v] = e->load ? TILE_LOAD(c + r * ldc + (v / VP) * cs + (v % VP) * TILE_LANES)
                                : TILE_ZERO();
    for (int64_t blk = 0; blk < len / 32; blk++) {
        const unsigned char *codes[4];
        TILE_VEC d[4], m[4];
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) {
            const int64_t at = lane + (v % VP) * TILE_LANES;
            const char *panel = b + (v / VP) * bs;
            m[v] = TILE_ZERO();
            quant_scales(T, panel, blk, at, &d[v], &m[v]);
            codes[v] = quant_codes(T, quant_block(T, panel, blk)) + at * 4;
        }
        if (PF)
#pragma GCC unroll 4
            for (int p = 0; p < NP; p++) {
                const char *next = (const char *)quant_block(T, e->pf + p * bs, blk);
                for (int64_t i = 0; i < QUANT_BLOCK(T); i += 64)
                    PACK_FETCH(next + i);
            }
        for (int64_t g = 0; g < 32 / words; g++) {
            quant_vec z[4];
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                z[v] = QUANT_LOAD(codes[v] + g * 128);
#pragma GCC unroll 8
            for (int j = 0; j < words; j++) {
                TILE_VEC w[4];
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++)
                    w[v] = quant_widen(T, z[v], QUANT_BIT(j), d[v], m[v]);
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) {
                    const TILE_VEC x = TILE_SET1(a[j * R + r]);
#pragma GCC unroll 4
                    for (int v = 0; v < NV; v++)
                        acc[r][v] = TILE_FMA(x, w[v], acc[r][v]);
                }
            }
            a += words * R;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            tile_put(acc[r][v], c + r * ldc + (v / VP) * cs + (v % VP) * TILE_LANES,
                     bias ? bias + (v / VP) * 32 + (v % VP) * TILE_LANES : NULL, e);
}

#define QUANT_CALL(T, R, NP, VP, o)                                                                \
    do {                                                                                           \
        const float *bias = e->bias ? e->bias + (o) : e->bias;                                     \
        if (e->pf && (o) == 0)                                                                     \
            quant_body(T, R, NP, VP, 1, len, a, b, bs, o, c + (o), ldc, cs, bias, e);              \
        else                                                                                       \
            quant_body(T, R, NP, VP, 0, len, a, b, bs, o, c + (o), ldc, cs, bias, e);              \
    } while (0)
#define QUANT_DEFINE(T, NAME, R)                                                                   \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *panel,  \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        const char *b = panel;                                                                     \
        if (QUANT_PANELS(R) > 1 && width > 32)                                                     \
            QUANT_CALL(T, R, QUANT_PANELS(R), QUANT_VP, 0);                                        \
        else if (width == 16)                                                                      \
            QUANT_CALL(T, R, 1, 16 / TILE_LANES, 0);                                               \
        else                                                                                       \
            for (int o = 0; o < 32; o += QUANT_VP * TILE_LANES)                                    \
                QUANT_CALL(T, R, 1, QUANT_VP, o);                                                  \
    }

#else /* plain C: the definition */
#define QUANT_PANELS(R) 1
#define QUANT_DEFINE(T, NAME, R)                                                                   \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *b,      \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        (void)bs, (void)cs;                                                                        \
        tile_body(T, R, width == 16 ? 16 : 32, len, a, b, c, ldc, e);                              \
    }
#endif

QUANT_EACH(QUANT_DEFINE, HONE_Q8_0, tile_q8_0_)
QUANT_EACH(QUANT_DEFINE, HONE_Q4_0, tile_q4_0_)
QUANT_EACH(QUANT_DEFINE, HONE_Q4_1, tile_q4_1_)
QUANT_EACH(QUANT_DEFINE, HONE_Q4_K, tile_q4_k_)
static tile_fn *const quant_tiles[][QUANT_ROWS + 1] = {
    [HONE_Q8_0] = {QUANT_EACH(TILE_ENTRY, HONE_Q8_0, tile_q8_0_)},
    [HONE_Q4_0] = {QUANT_EACH(TILE_ENTRY, HONE_Q4_0, tile_q4_0_)},
    [HONE_Q4_1] = {QUANT_EACH(TILE_ENTRY, HONE_Q4_1, tile_q4_1_)},
    [HONE_Q4_K] = {QUANT_EACH(TILE_ENTRY, HONE_Q4_K, tile_q4_k_)},
};
#endif
