/* quant_int.h - products of quantised panels with activations of 8 bits: sums of integers, 32 inputs at a time.
 *
 * A row of x becomes blocks of 32 codes with one scale: a = max|x|, d = a/127, q = round(x * (127/a)), ties to
 * even; a block with a below 2^-100 is zero, one that is not finite makes its products NaN. Then, for output n,
 *   acc = 0;  for each block: acc = fma(float(sum of q*code), d*scale[n], acc)
 *                             acc = fma(minimum[n], d*float(sum of q), acc)      types with a minimum
 * The sums of integers are exact (below 2^24), so every kernel set has the same bits, and rows do not know of each
 * other. The ends of the chain are gemm_tile.h's. Included by gemm.c once per kernel set.
 *
 * A packed block of R rows, in words: 8 x R of four codes, R scales, R first values of sums, R times d*sum of q.
 * Codes of weights are multiplied as they lie, 0 .. 15 in Q4_0, and with AVX-512's VNNI, which adds u8 x s8 in one
 * instruction, those of 8 bits shifted by 128: a sum begins with minus what that adds.
 * Without it pairs are added in 16 bits, where |code| * +-q does not overflow. NEON multiplies s8 x s8, with SDOT or by halves.
 * Source: the integer products of llama.cpp (Q8_0 activations); Intel SDM, VPDPBUSD; Arm ARM, SDOT. */
#ifndef HONE_CORE_OPS_KERN_QUANT_INT_H
#define HONE_CORE_OPS_KERN_QUANT_INT_H
#include "ops/kern/quant_tile.h"
#include "ops/kern/simd.h"

#include <math.h>

enum { INT_WORDS = 11 }; /* of a packed block, for each row */
#if defined(TILE_VEC) && PACK_LANES == 16
enum { INT_ROWS = 4, INT_UNROLL = 2, INT_VECS = 2 };
#define INT_EACH TILE_TO_4
#elif defined(TILE_VEC) && PACK_LANES == 4
enum { INT_ROWS = 2, INT_UNROLL = 2, INT_VECS = 4 };
#define INT_EACH TILE_TO_2
#elif defined(TILE_VEC)
enum { INT_ROWS = 1, INT_UNROLL = 1, INT_VECS = 2 }; /* two need more than 16 registers */
#define INT_EACH(D, T, NAME) D(T, NAME, 1)
#else
enum { INT_ROWS = 1 };
#define INT_EACH(D, T, NAME) D(T, NAME, 1)
#endif

/* ---- rows ------------------------------------------------------------------------------------- */
/* 32 whole numbers within -127 .. 127 as bytes. */
V_FN void int_bytes(v16 x0, v16 x1, int8_t *q)
{
#if HONE_SIMD == HONE_SIMD_avx512
    _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x0)));
    _mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x1)));
#elif HONE_SIMD == HONE_SIMD_avx2
    const __m256i a = _mm256_packs_epi32(_mm256_cvtps_epi32(x0.lo), _mm256_cvtps_epi32(x0.hi));
    const __m256i b = _mm256_packs_epi32(_mm256_cvtps_epi32(x1.lo), _mm256_cvtps_epi32(x1.hi));
    const __m256i c = _mm256_packs_epi16(a, b); /* packing goes by halves: words 0 2 4 6, 1 3 5 7 */
    _mm256_storeu_si256((__m256i *)(void *)q,
                        _mm256_permutevar8x32_epi32(c, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
#elif HONE_SIMD == HONE_SIMD_neon
    const int16x8_t a = vcombine_s16(vmovn_s32(vcvtq_s32_f32(x0.a)),
                                     vmovn_s32(vcvtq_s32_f32(x0.b)));
    const int16x8_t b = vcombine_s16(vmovn_s32(vcvtq_s32_f32(x0.c)),
                                     vmovn_s32(vcvtq_s32_f32(x0.d)));
    const int16x8_t c = vcombine_s16(vmovn_s32(vcvtq_s32_f32(x1.a)),
                                     vmovn_s32(vcvtq_s32_f32(x1.b)));
    const int16x8_t d = vcombine_s16(vmovn_s32(vcvtq_s32_f32(x1.c)),
                                     vmovn_s32(vcvtq_s32_f32(x1.d)));
    vst1q_s8(q, vcombine_s8(vmovn_s16(a), vmovn_s16(b)));
    vst1q_s8(q + 16, vcombine_s8(vmovn_s16(c), vmovn_s16(d)));
#else
    float f[32];
    v_store(f, x0);
    v_store(f + 16, x1);
    for (int i = 0; i < 32; i++)
        q[i] = (int8_t)f[i];
#endif
}

V_FN void int_block(const float *x, int64_t R, int64_t r, int32_t off, float *out)
{
    int8_t q[32] = {0};
    float d = 0.0f, sum = 0.0f;
    const v16 x0 = v_load(x), x1 = v_load(x + 16);
    const float a = v_hmax(v_maxn(v_abs(x0), v_abs(x1)));
    if (!(a < INFINITY)) {
        d = NAN;
    } else if (a >= 0x1p-100f) {
        /* the sum of both constants has no fraction bits left: rounded to nearest, ties to even */
        const v16 inv = v_set1(127.0f / a), magic = v_set1(12582912.0f);
        const v16 r0 = v_sub(v_add(v_mul(x0, inv), magic), magic);
        const v16 r1 = v_sub(v_add(v_mul(x1, inv), magic), magic);
        d = a / 127.0f;
        sum = v_sum(v_add(r0, r1)); /* exact in any order */
        int_bytes(r0, r1, q);
    }
    const int32_t first = -off * (int32_t)sum;
    for (int g = 0; g < 8; g++)
        memcpy(out + g * R + r, q + 4 * g, 4);
    out[8 * R + r] = d;
    memcpy(out + 9 * R + r, &first, sizeof first);
    out[10 * R + r] = d * sum;
}

/* Rows of x, K inputs each, as one tile. */
static void int_pack(const float *x, int64_t ldx, int64_t R, int64_t K, int32_t off, float *out)
{
    for (int64_t b = 0; b < K / 32; b++, out += INT_WORDS * R)
        for (int64_t r = 0; r < R; r++)
            int_block(x + r * ldx + 32 * b, R, r, off, out);
}

/* What the codes of weights are too high by where they are multiplied: a row's sums begin with its part of that. */
static int32_t int_off(uint32_t type)
{
#if defined(TILE_VEC) && PACK_LANES == 16
    if (QUANT_BITS(type) == 8 && hone_cpu_get()->avx512_vnni)
        return 128;
#endif
    return type == HONE_Q4_0 ? 8 : 0;
}

/* ---- the tile --------------------------------------------------------------------------------- */
#ifdef TILE_VEC
#if PACK_LANES == 16
#define INT_VNNI hone_cpu_get()->avx512_vnni
#define INT_OFF 1 /* signed codes are shifted to be unsigned */
#define INT_SET1(x) _mm512_set1_epi32(x)
#define INT_AND(a, b) _mm512_and_si512(a, b)
#define INT_HIGH(a) _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15))
#define INT_TO_FLOAT(a) _mm512_cvtepi32_ps(a)
#define INT_SHIFTED(a) _mm512_xor_si512(a, _mm512_set1_epi8(-128))
#define INT_PAIRS(u, s) _mm512_madd_epi16(_mm512_maddubs_epi16(u, s), _mm512_set1_epi16(1))
#define INT_SUM(a, b) _mm512_add_epi32(a, b)
#define INT_ABS(a) _mm512_abs_epi8(a)
#define INT_SIGNED(q, w) _mm512_mask_sub_epi8(q, _mm512_movepi8_mask(w), _mm512_setzero_si512(), q)
/* By name, so that the set runs where the instruction is missing, too. */
TILE_INLINE quant_vec int_vnni(quant_vec acc, quant_vec u, const float *q)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0"
            : "+v"(acc)
            : "v"(u), "m"(*(const int32_t *)(const void *)q));
    return acc;
}
#elif PACK_LANES == 4
#define INT_VNNI hone_cpu_get()->dotprod
#define INT_OFF 0
#define INT_SET1(x) vdupq_n_s32(x)
#define INT_AND(a, b) vandq_s32(a, b)
#define INT_HIGH(a) vreinterpretq_s32_u8(vshrq_n_u8(vreinterpretq_u8_s32(a), 4))
#define INT_TO_FLOAT(a) vcvtq_f32_s32(a)
#define INT_PAIRS(u, s) int_products(vreinterpretq_s8_s32(u), vreinterpretq_s8_s32(s))
#define INT_SUM(a, b) vaddq_s32(a, b)
#define INT_ABS(a) (a) /* both factors are signed */
#define INT_SIGNED(q, w) (q)
#define INT_SHIFTED(a) (a)
TILE_INLINE int32x4_t int_products(int8x16_t u, int8x16_t s)
{
    return vpaddq_s32(vpaddlq_s16(vmull_s8(vget_low_s8(u), vget_low_s8(s))),
                      vpaddlq_s16(vmull_high_s8(u, s)));
}
/* By name, so that the set runs where the instruction is missing, too. */
TILE_INLINE quant_vec int_vnni(quant_vec acc, quant_vec u, const float *q)
{
    const float32x4_t s = vld1q_dup_f32(q);
    __asm__(".arch armv8.2-a+dotprod\n\tsdot %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(u), "w"(s));
    return acc;
}
#else
#define INT_OFF 0
#define INT_SET1(x) _mm256_set1_epi32(x)
#define INT_AND(a, b) _mm256_and_si256(a, b)
#define INT_HIGH(a) _mm256_and_si256(_mm256_srli_epi16(a, 4), _mm256_set1_epi8(15))
#define INT_TO_FLOAT(a) _mm256_cvtepi32_ps(a)
#define INT_PAIRS(u, s) _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1))
#define INT_SUM(a, b) _mm256_add_epi32(a, b)
#define INT_ABS(a) _mm256_abs_epi8(a)
#define INT_SIGNED(q, w) _mm256_sign_epi8(q, w)
#define INT_SHIFTED(a) (a)
TILE_INLINE quant_vec int_vnni(quant_vec acc, quant_vec u, const float *q)
{
    (void)u, (void)q;
    return acc;
}
#endif

TILE_INLINE int32_t int_word(const float *p)
{
    int32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* acc + sums of four products; u: codes as they are loaded (8 bits: signed, or shifted for VNNI). */
TILE_INLINE quant_vec int_dot(const uint32_t T, const int VNNI, quant_vec acc, quant_vec u,
                              const float *q)
{
    if (VNNI)
        return int_vnni(acc, u, q);
    const quant_vec s = INT_SET1(int_word(q));
    if (QUANT_BITS(T) == 8)
        return INT_SUM(acc, INT_PAIRS(INT_ABS(u), INT_SIGNED(s, u)));
    return INT_SUM(acc, INT_PAIRS(u, s));
}

TILE_INLINE void int_body(const uint32_t T, const int VNNI, const int R, const int NV,
                          int64_t blocks, const float *a, const char *panel, int64_t lane, float *c,
                          int64_t ldc, const float *bias, const struct tile_end *e)
{
    TILE_VEC acc[INT_ROWS][INT_VECS];
    const int words = QUANT_WORDS(T) / 4; /* groups of four inputs to a load */
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            acc[r][v] = TILE_ZERO();
    for (int64_t b = 0; b < blocks; b++, a += INT_WORDS * R) {
        quant_vec sum[INT_ROWS][INT_VECS];
        const unsigned char *codes = quant_codes(T, quant_block(T, panel, b)) + lane * 4;
        const int off = T == HONE_Q4_0 || (QUANT_BITS(T) == 8 && VNNI && INT_OFF);
#pragma GCC unroll 4
        for (int r = 0; r < R; r++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                sum[r][v] = INT_SET1(off ? int_word(a + 9 * R + r) : 0);
#pragma GCC unroll INT_UNROLL
        for (int g = 0; g < 8; g += words) {
            quant_vec z[INT_VECS];
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) {
                z[v] = QUANT_LOAD(codes + g / words * 128 + v * TILE_LANES * 4);
                if (QUANT_BITS(T) == 8 && VNNI)
                    z[v] = INT_SHIFTED(z[v]);
            }
#pragma GCC unroll 4
            for (int r = 0; r < R; r++)
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++)
                    sum[r][v] = int_dot(T, VNNI, sum[r][v],
                                        words == 2 ? INT_AND(z[v], INT_SET1(0x0f0f0f0f)) : z[v],
                                        a + g * R + r);
            if (words == 2)
#pragma GCC unroll 4
                for (int r = 0; r < R; r++)
#pragma GCC unroll 4
                    for (int v = 0; v < NV; v++)
                        sum[r][v] = int_dot(T, VNNI, sum[r][v], INT_HIGH(z[v]),
                                            a + (g + 1) * R + r);
        }
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) {
            TILE_VEC d, m = TILE_ZERO();
            quant_scales(T, panel, b, lane + v * TILE_LANES, &d, &m);
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                acc[r][v] = TILE_FMA(INT_TO_FLOAT(sum[r][v]), TILE_MUL(TILE_SET1(a[8 * R + r]), d),
                                     acc[r][v]);
                if (T == HONE_Q4_K)
                    acc[r][v] = TILE_FNMA(m, TILE_SET1(a[10 * R + r]), acc[r][v]);
                else if (QUANT_MIN(T))
                    acc[r][v] = TILE_FMA(m, TILE_SET1(a[10 * R + r]), acc[r][v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++)
            tile_put(acc[r][v], c + r * ldc + v * TILE_LANES, bias ? bias + v * TILE_LANES : NULL,
                     e);
}

#define INT_TURN(T, VNNI, R)                                                                       \
    do {                                                                                           \
        const int64_t blocks = len / INT_WORDS;                                                    \
        if (width == 16 && TILE_LANES == 16) {                                                     \
            int_body(T, VNNI, R, 1, blocks, a, panel, 0, c, ldc, e->bias, e);                      \
        } else {                                                                                   \
            for (int o = 0; o < width; o += INT_VECS * TILE_LANES)                                 \
                int_body(T, VNNI, R, INT_VECS, blocks, a, panel, o, c + o, ldc,                    \
                         e->bias ? e->bias + o : e->bias, e);                                      \
        }                                                                                          \
    } while (0)
#ifdef INT_VNNI
#define INT_DEFINE(T, NAME, R)                                                                     \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *panel,  \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        (void)bs, (void)cs;                                                                        \
        if (INT_VNNI)                                                                              \
            INT_TURN(T, 1, R);                                                                     \
        else                                                                                       \
            INT_TURN(T, 0, R);                                                                     \
    }
#else
#define INT_DEFINE(T, NAME, R)                                                                     \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *panel,  \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        (void)bs, (void)cs;                                                                        \
        INT_TURN(T, 0, R);                                                                         \
    }
#endif

#else /* plain C: the definition */

PACK_INLINE void int_one(const uint32_t T, int64_t len, const float *a, const void *panel, float *c,
                         int width, const struct tile_end *e)
{
    float acc[32] = {0};
    for (int64_t b = 0; b < len / INT_WORDS; b++, a += INT_WORDS) {
        const unsigned char *codes = quant_codes(T, quant_block(T, panel, b));
        int8_t q[32];
        memcpy(q, a, sizeof q);
        for (int64_t n = 0; n < width; n++) {
            int32_t sum = 0;
            float d, m;
            for (int64_t i = 0; i < 32; i++)
                sum += q[i] * quant_code(T, codes, i, n);
            quant_scale(T, panel, b, n, &d, &m);
            acc[n] = fmaf((float)sum, a[8] * d, acc[n]);
            if (QUANT_MIN(T))
                acc[n] = fmaf(m, a[10], acc[n]);
        }
    }
    for (int n = 0; n < width; n++)
        tile_put(acc[n], c + n, e->bias ? e->bias + n : NULL, e);
}
#define INT_DEFINE(T, NAME, R)                                                                     \
    static __attribute__((noinline)) void NAME##R(int64_t len, const float *a, const void *panel,  \
                                                  int64_t bs, float *c, int64_t ldc, int64_t cs,   \
                                                  int width, const struct tile_end *e)             \
    {                                                                                              \
        (void)bs, (void)cs, (void)ldc;                                                             \
        int_one(T, len, a, panel, c, width, e);                                                    \
    }
#endif

INT_EACH(INT_DEFINE, HONE_Q8_0, int_q8_0_)
INT_EACH(INT_DEFINE, HONE_Q4_0, int_q4_0_)
INT_EACH(INT_DEFINE, HONE_Q4_1, int_q4_1_)
INT_EACH(INT_DEFINE, HONE_Q4_K, int_q4_k_)
static tile_fn *const int_tiles[][INT_ROWS + 1] = {
    [HONE_Q8_0] = {INT_EACH(TILE_ENTRY, HONE_Q8_0, int_q8_0_)},
    [HONE_Q4_0] = {INT_EACH(TILE_ENTRY, HONE_Q4_0, int_q4_0_)},
    [HONE_Q4_1] = {INT_EACH(TILE_ENTRY, HONE_Q4_1, int_q4_1_)},
    [HONE_Q4_K] = {INT_EACH(TILE_ENTRY, HONE_Q4_K, int_q4_k_)},
};
#endif
