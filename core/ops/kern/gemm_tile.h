/* gemm_tile.h - the micro-kernel: R rows times 32 columns of accumulators over one chain.
 *
 * Included by gemm.c once per kernel set. tile_<R>() computes, for r < R and c < 32 of one panel (or
 * of a few panels side by side when R is small, so that one row keeps the multipliers as busy as
 * fourteen),
 *   acc = load ? C[r][c] : 0;  for i < len: acc = fma(a[i*R + r], b[i*32 + c], acc)
 * and stores it by the rules of struct tile_end. b is a packed panel of floats, or a stored one as it lies in
 * memory (tile_bf16_<R>, tile_f16_<R>), widened in registers on the way. Whatever R and the set are, an element sees this
 * one chain: that is the whole of the bit rule. `width` is 32, a multiple of it (several panels), or
 * 16 where the rest of the panel is padding (adapters of rank 16).
 *
 * AVX-512: up to 14 x 32, 28 of 32 registers are accumulators. AVX2: 6 x 16, each half of the panel
 * in turn; so does NEON, in 24 of 32 registers. Plain C: 4 x 32 with fmaf. Loops over registers must unroll completely: a spilled
 * accumulator costs more than half the speed (tests/unit/test_gemm.c counts stack accesses). */
#ifndef HONE_CORE_OPS_KERN_GEMM_TILE_H
#define HONE_CORE_OPS_KERN_GEMM_TILE_H
#include "ops/kern/quant.h"

#include <stddef.h>
#include <math.h>
#include <stdint.h>

#define TILE_INLINE static inline __attribute__((always_inline))

/* What happens at the ends of the chain. */
struct tile_end {
    int load;          /* start from C, not from 0 */
    int add;           /* C = fma(alpha, acc, C) */
    float alpha;       /* without add: C = alpha*acc unless it is 1 */
    const float *bias; /* then C += bias[c], or NULL (32 readable per panel) */
    const char *pf;    /* next panel, to bring into L2 meanwhile, or NULL */
    int64_t pf_step;   /* bytes to advance per element of the chain: TILE_INPUT or less */
};

/* Bytes of one input in a panel of this type. */
#define TILE_INPUT(T) ((T) == HONE_F32 ? 128 : 64)

#if defined(__AVX512F__)
#include <immintrin.h>
enum { TILE_ROWS = 14 };
#define TILE_VEC __m512
#define TILE_LANES 16
#define TILE_ZERO() _mm512_setzero_ps()
#define TILE_LOAD(p) _mm512_loadu_ps(p)
#define TILE_STORE(p, v) _mm512_storeu_ps(p, v)
#define TILE_SET1(x) _mm512_set1_ps(x)
#define TILE_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define TILE_FNMA(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define TILE_MUL(a, b) _mm512_mul_ps(a, b)
#define TILE_ADD(a, b) _mm512_add_ps(a, b)
/* R rows -> panels taken together */
#define TILE_PANELS(R) ((R) <= 3 ? 4 : (R) <= 6 ? 2 : 1)
#define TILE_SPLIT(R) 1 /* passes over a panel */
#elif defined(__AVX2__)
#include <immintrin.h>
enum { TILE_ROWS = 6 };
#define TILE_VEC __m256
#define TILE_LANES 8
#define TILE_ZERO() _mm256_setzero_ps()
#define TILE_LOAD(p) _mm256_loadu_ps(p)
#define TILE_STORE(p, v) _mm256_storeu_ps(p, v)
#define TILE_SET1(x) _mm256_set1_ps(x)
#define TILE_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define TILE_FNMA(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define TILE_MUL(a, b) _mm256_mul_ps(a, b)
#define TILE_ADD(a, b) _mm256_add_ps(a, b)
#define TILE_PANELS(R) ((R) == 1 ? 2 : 1)
#define TILE_SPLIT(R) ((R) <= 2 ? 1 : 2)
#elif HONE_SIMD == HONE_SIMD_neon
enum { TILE_ROWS = 6 };
#define TILE_VEC float32x4_t
#define TILE_LANES 4
#define TILE_ZERO() vdupq_n_f32(0.0f)
#define TILE_LOAD(p) vld1q_f32(p)
#define TILE_STORE(p, v) vst1q_f32(p, v)
#define TILE_SET1(x) vdupq_n_f32(x)
#define TILE_FMA(a, b, c) vfmaq_f32(c, b, a)
#define TILE_FNMA(a, b, c) vfmsq_f32(c, b, a)
#define TILE_MUL(a, b) vmulq_f32(a, b)
#define TILE_ADD(a, b) vaddq_f32(a, b)
#define TILE_PANELS(R) 1
#define TILE_SPLIT(R) ((R) <= 2 ? 1 : 2)
/* Row r of a[0..R) in every lane. Four rows are one load, and the product takes its lane: six rows one by one would
 * be six registers, and two accumulators on the stack. */
TILE_INLINE float32x4_t tile_row(const float *a, const int r, const int R)
{
    const int q = r / 4 * 4;
    if (R - q >= 4) {
        const float32x4_t x = vld1q_f32(a + q);
        return vdupq_n_f32(x[r - q]);
    }
    if (R - q >= 2 && r - q < 2) {
        const float32x2_t x = vld1_f32(a + q);
        return vdupq_n_f32(x[r - q]);
    }
    return vdupq_n_f32(a[r]);
}
#define TILE_ROW(a, r, R) tile_row(a, r, R)
#else
enum { TILE_ROWS = 4 };
#define TILE_PANELS(R) 1
#endif

#ifdef TILE_VEC
#ifndef TILE_ROW
#define TILE_ROW(a, r, R) TILE_SET1((a)[r])
#endif

/* One vector of finished sums into the result, as struct tile_end says. */
TILE_INLINE void tile_put(TILE_VEC y, float *c, const float *bias, const struct tile_end *e)
{
    if (e->add)
        y = TILE_FMA(TILE_SET1(e->alpha), y, TILE_LOAD(c));
    else if (!(e->alpha == 1.0f))
        y = TILE_MUL(TILE_SET1(e->alpha), y);
    if (bias)
        y = TILE_ADD(y, TILE_LOAD(bias));
    TILE_STORE(c, y);
}

/* R rows x NV vectors of a panel stored as T; vector v lies in the panel at b + (v/VP)*bs bytes, from output
 * `lane` + (v%VP)*LANES on, VP vectors to a panel. */
TILE_INLINE void tile_body(const uint32_t T, const int R, const int NV, const int VP, const int PF,
                           int64_t len, const float *a, const char *b, int64_t bs, int64_t lane,
                           float *c, int64_t ldc, int64_t cs, const float *bias,
                           const struct tile_end *e)
{
    TILE_VEC acc[14][8];
    if (e->load) {
#pragma GCC unroll 14
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++)
                acc[r][v] = TILE_LOAD(c + r * ldc + (v / VP) * cs + (v % VP) * TILE_LANES);
    } else {
#pragma GCC unroll 14
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++)
                acc[r][v] = TILE_ZERO();
    }
    const char *pf = e->pf;
    const int64_t step = PF ? e->pf_step : 0;
    for (int64_t i = 0; i < len; i++) {
        TILE_VEC w[8];
#pragma GCC unroll 8
        for (int v = 0; v < NV; v++)
            w[v] = pack_load(b + (v / VP) * bs, T, 0, lane + (v % VP) * TILE_LANES);
        if (PF) {
#pragma GCC unroll 4
            for (int q = 0; q < (NV + VP - 1) / VP; q++) {
                PACK_FETCH(pf + q * bs);
                if (TILE_INPUT(T) > 64)
                    PACK_FETCH(pf + q * bs + 64);
            }
            pf += step;
        }
#pragma GCC unroll 14
        for (int r = 0; r < R; r++) {
            TILE_VEC x = TILE_ROW(a, r, R);
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++)
                acc[r][v] = TILE_FMA(x, w[v], acc[r][v]);
        }
        a += R;
        b += TILE_INPUT(T);
    }
    if (e->add) {
        const TILE_VEC s = TILE_SET1(e->alpha);
#pragma GCC unroll 14
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++)
                acc[r][v] = TILE_FMA(
                    s, acc[r][v], TILE_LOAD(c + r * ldc + (v / VP) * cs + (v % VP) * TILE_LANES));
    } else if (!(e->alpha == 1.0f)) {
        const TILE_VEC s = TILE_SET1(e->alpha);
#pragma GCC unroll 14
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++)
                acc[r][v] = TILE_MUL(s, acc[r][v]);
    }
    if (bias) {
#pragma GCC unroll 14
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++)
                acc[r][v] = TILE_ADD(acc[r][v],
                                     TILE_LOAD(bias + (v / VP) * 32 + (v % VP) * TILE_LANES));
    }
#pragma GCC unroll 14
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int v = 0; v < NV; v++)
            TILE_STORE(c + r * ldc + (v / VP) * cs + (v % VP) * TILE_LANES, acc[r][v]);
}

/* One function per type and R. Several panels at once are TILE_PANELS(R) of them. */
#define TILE_VP (32 / TILE_LANES)
#define TILE_CALL(T, R, NV, o)                                                                     \
    do {                                                                                           \
        if (e->pf && (o) == 0)                                                                     \
            tile_body(T, R, NV, TILE_VP, 1, len, a, b, bs, o, c + (o), ldc, cs,                    \
                      e->bias ? e->bias + (o) : e->bias, e);                                       \
        else                                                                                       \
            tile_body(T, R, NV, TILE_VP, 0, len, a, b, bs, o, c + (o), ldc, cs,                    \
                      e->bias ? e->bias + (o) : e->bias, e);                                       \
    } while (0)
#define TILE_DEFINE(T, NAME, R)                                                                    \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *panel,  \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        const char *b = panel;                                                                     \
        if (TILE_PANELS(R) > 1 && width > 32) {                                                    \
            TILE_CALL(T, R, TILE_PANELS(R) * TILE_VP, 0);                                          \
        } else if (width == 16) {                                                                  \
            TILE_CALL(T, R, 16 / TILE_LANES, 0);                                                   \
        } else {                                                                                   \
            enum { NV = TILE_VP / TILE_SPLIT(R) };                                                 \
            for (int o = 0; o < 32; o += NV * TILE_LANES)                                          \
                TILE_CALL(T, R, NV, o);                                                            \
        }                                                                                          \
    }

#else /* plain C: the definition */

TILE_INLINE void tile_put(float y, float *c, const float *bias, const struct tile_end *e)
{
    if (e->add)
        y = fmaf(e->alpha, y, *c);
    else if (!(e->alpha == 1.0f))
        y = e->alpha * y;
    *c = bias ? y + *bias : y;
}

TILE_INLINE void tile_body(const uint32_t T, const int R, const int W, int64_t len, const float *a,
                           const void *b, float *c, int64_t ldc, const struct tile_end *e)
{
    float acc[TILE_ROWS][32], w[32];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < W; v++)
            acc[r][v] = e->load ? c[r * ldc + v] : 0.0f;
    for (int64_t i = 0; i < len; i++, a += R) {
        for (int v = 0; v < W; v++)
            w[v] = stored_value(T, b, i, v);
        for (int r = 0; r < R; r++)
            for (int v = 0; v < W; v++)
                acc[r][v] = fmaf(a[r], w[v], acc[r][v]);
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < W; v++)
            tile_put(acc[r][v], c + r * ldc + v, e->bias ? e->bias + v : NULL, e);
}
#define TILE_DEFINE(T, NAME, R)                                                                    \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *b,      \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        (void)bs, (void)cs;                                                                        \
        if (width == 16)                                                                           \
            tile_body(T, R, 16, len, a, b, c, ldc, e);                                             \
        else                                                                                       \
            tile_body(T, R, 32, len, a, b, c, ldc, e);                                             \
    }
#endif

#define TILE_TO_2(D, T, NAME) D(T, NAME, 1) D(T, NAME, 2)
#define TILE_TO_4(D, T, NAME) TILE_TO_2(D, T, NAME) D(T, NAME, 3) D(T, NAME, 4)
#define TILE_TO_6(D, T, NAME) TILE_TO_4(D, T, NAME) D(T, NAME, 5) D(T, NAME, 6)
#define TILE_TO_9(D, T, NAME) TILE_TO_6(D, T, NAME) D(T, NAME, 7) D(T, NAME, 8) D(T, NAME, 9)
#define TILE_TO_12(D, T, NAME) TILE_TO_9(D, T, NAME) D(T, NAME, 10) D(T, NAME, 11) D(T, NAME, 12)
#define TILE_TO_14(D, T, NAME) TILE_TO_12(D, T, NAME) D(T, NAME, 13) D(T, NAME, 14)
#if defined(__AVX512F__)
#define TILE_EACH TILE_TO_14
#elif defined(TILE_VEC)
#define TILE_EACH TILE_TO_6
#else
#define TILE_EACH TILE_TO_4
#endif
TILE_EACH(TILE_DEFINE, HONE_F32, tile_)
TILE_EACH(TILE_DEFINE, HONE_BF16, tile_bf16_)
TILE_EACH(TILE_DEFINE, HONE_F16, tile_f16_)

typedef void tile_fn(int64_t len, const float *a, const void *b, int64_t bs, float *c, int64_t ldc,
                     int64_t cs, int width, const struct tile_end *e);
/* By what b is stored as and rows. */
#define TILE_ENTRY(T, NAME, R) [R] = NAME##R,
static tile_fn *const tiles[][TILE_ROWS + 1] = {
    [HONE_F32] = {TILE_EACH(TILE_ENTRY, HONE_F32, tile_)},
    [HONE_BF16] = {TILE_EACH(TILE_ENTRY, HONE_BF16, tile_bf16_)},
    [HONE_F16] = {TILE_EACH(TILE_ENTRY, HONE_F16, tile_f16_)},
};
#endif
