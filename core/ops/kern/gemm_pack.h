/* gemm_pack.h - operands of the micro-kernel: copies and 16 x 16 transposes.
 *
 * Moves values, never computes with them, except that bf16 and f16 weights are widened (exactly) to
 * f32 on the way. Included by gemm.c once per kernel set. */
#ifndef HONE_CORE_OPS_KERN_GEMM_PACK_H
#define HONE_CORE_OPS_KERN_GEMM_PACK_H
#include "hone/ops.h"
#include "ops/kern/simd.h"

#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#define PACK_FETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)
#elif HONE_SIMD == HONE_SIMD_neon
#include <arm_neon.h>
#define PACK_FETCH(p) __builtin_prefetch(p, 0, 2)
#endif

#define PACK_INLINE static inline __attribute__((always_inline))

PACK_INLINE float half_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, mag = h & 0x7FFFu, bits;
    float f;
    if (mag >= 0x7C00u) { /* inf, NaN (made quiet, as the instruction does) */
        bits = sign | 0x7F800000u | (mag & 0x3FFu) << 13 | ((mag & 0x3FFu) ? 0x400000u : 0u);
    } else if (mag >= 0x400u) {
        bits = sign | ((mag << 13) + 0x38000000u);
    } else if (mag) { /* subnormal half: a normal float */
        uint32_t shift = (uint32_t)__builtin_clz(mag) - 21u;
        bits = sign | (113u - shift) << 23 | ((mag << shift & 0x3FFu) << 13);
    } else {
        bits = sign;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* One stored value: output `lane` of input k of a panel. */
PACK_INLINE float widen(const void *panel, const uint32_t type, int64_t k, int64_t lane)
{
    const int64_t i = k * 32 + lane;
    if (type == HONE_F32)
        return ((const float *)panel)[i];
    uint16_t h = ((const uint16_t *)panel)[i];
    if (type == HONE_F16)
        return half_to_f32(h);
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#if defined(__AVX512F__)
#define PACK_LANES 16
typedef __m512 pack_vec;
/* PACK_LANES outputs of input k of a panel, from output `lane` on. */
PACK_INLINE pack_vec pack_load(const void *panel, const uint32_t type, int64_t k, int64_t lane)
{
    const int64_t i = k * 32 + lane;
    if (type == HONE_F32)
        return _mm512_loadu_ps((const float *)panel + i);
    __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)((const uint16_t *)panel + i));
    if (type == HONE_F16)
        return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
#define PACK_LOAD(p) _mm512_loadu_ps(p)
#define PACK_STORE(p, v) _mm512_storeu_ps(p, v)
#define PACK_ZERO() _mm512_setzero_ps()

PACK_INLINE void transpose(__m512 r[16])
{
    __m512 t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]);
        __m512d c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
        r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
}
#elif defined(__AVX2__)
#define PACK_LANES 8
typedef __m256 pack_vec;
PACK_INLINE pack_vec pack_load(const void *panel, const uint32_t type, int64_t k, int64_t lane)
{
    const int64_t i = k * 32 + lane;
    if (type == HONE_F32)
        return _mm256_loadu_ps((const float *)panel + i);
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)((const uint16_t *)panel + i));
    if (type == HONE_F16)
        return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
#define PACK_LOAD(p) _mm256_loadu_ps(p)
#define PACK_STORE(p, v) _mm256_storeu_ps(p, v)
#define PACK_ZERO() _mm256_setzero_ps()

PACK_INLINE void transpose(__m256 r[8])
{
    __m256 t[8], u[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        u[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        u[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        u[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        u[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}
#elif HONE_SIMD == HONE_SIMD_neon
#define PACK_LANES 4
typedef float32x4_t pack_vec;
PACK_INLINE float32x4_t pack_halves(const void *p)
{
    uint16x4_t h;
    memcpy(&h, p, sizeof h);
    return vcvt_f32_f16(vreinterpret_f16_u16(h));
}
PACK_INLINE pack_vec pack_load(const void *panel, const uint32_t type, int64_t k, int64_t lane)
{
    const int64_t i = k * 32 + lane;
    if (type == HONE_F32)
        return vld1q_f32((const float *)panel + i);
    if (type == HONE_F16)
        return pack_halves((const uint16_t *)panel + i);
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16((const uint16_t *)panel + i), 16));
}
#define PACK_LOAD(p) vld1q_f32(p)
#define PACK_STORE(p, v) vst1q_f32(p, v)
#define PACK_ZERO() vdupq_n_f32(0.0f)

PACK_INLINE void transpose(float32x4_t r[4])
{
    const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
#endif

/* Rows of x (len columns from its first) as a tile: dst[i*R + r] = x[r*ld + i], R <= 16. May write
 * up to 15 floats past the tile. */
static void pack_rows(const float *x, int64_t ld, int64_t R, int64_t len, float *dst)
{
    if (R == 1) {
        memcpy(dst, x, (size_t)len * sizeof *x);
        return;
    }
    int64_t i = 0;
#if defined(PACK_LANES) && PACK_LANES >= 8
    for (; i + PACK_LANES <= len; i += PACK_LANES) {
        for (int64_t q = 0; q < R; q += PACK_LANES) { /* AVX2: R <= 6, one turn */
            pack_vec v[PACK_LANES];
            for (int64_t r = 0; r < PACK_LANES; r++)
                v[r] = q + r < R ? PACK_LOAD(x + (q + r) * ld + i) : PACK_ZERO();
            transpose(v);
#pragma GCC unroll 16
            for (int64_t j = 0; j < PACK_LANES; j++)
                PACK_STORE(dst + (i + j) * R + q, v[j]);
        }
    }
#elif defined(                                                                                     \
    PACK_LANES) /* NEON, R <= 6: what a store puts past its row, the next row's overwrites */
    for (; i + 4 <= len; i += 4) {
        pack_vec v[4], u[4];
        for (int64_t r = 0; r < 4; r++) {
            v[r] = r < R ? PACK_LOAD(x + r * ld + i) : PACK_ZERO();
            u[r] = r + 4 < R ? PACK_LOAD(x + (r + 4) * ld + i) : PACK_ZERO();
        }
        transpose(v);
        transpose(u);
        for (int64_t j = 0; j < 4; j++) {
            PACK_STORE(dst + (i + j) * R, v[j]);
            if (R > 4)
                PACK_STORE(dst + (i + j) * R + 4, u[j]);
        }
    }
#endif
    for (; i < len; i++)
        for (int64_t r = 0; r < R; r++)
            dst[i * R + r] = x[r * ld + i];
}

/* Columns as a tile: dst[t*R + r] = x[t*ld + r] for t < len: the transposed operand of dW. May
 * write up to 15 floats past the tile. */
static void pack_columns(const float *x, int64_t ld, int64_t R, int64_t len, float *dst)
{
#if defined(__AVX512F__)
    const __mmask16 m = (__mmask16)((1u << R) - 1u);
    for (int64_t t = 0; t < len; t++, x += ld, dst += R)
        _mm512_storeu_ps(dst, _mm512_maskz_loadu_ps(m, x));
#elif defined(__AVX2__)
    const __m256i m = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)R),
                                         _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    for (int64_t t = 0; t < len; t++, x += ld, dst += R)
        _mm256_storeu_ps(dst, _mm256_maskload_ps(x, m));
#else
    for (int64_t t = 0; t < len; t++, x += ld, dst += R)
        for (int64_t r = 0; r < R; r++)
            dst[r] = x[r];
#endif
}

/* Up to 32 columns as a panel: dst[t*32 + c] = x[t*ld + c]; zeros from column n to the 16th or
 * 32nd, whichever a tile will read. */
static void pack_panel(const float *x, int64_t ld, int64_t n, int64_t len, float *dst)
{
    if (n == 32) {
        for (int64_t t = 0; t < len; t++, x += ld, dst += 32)
            memcpy(dst, x, 32 * sizeof *dst);
    } else if (n == 16) {
        for (int64_t t = 0; t < len; t++, x += ld, dst += 32)
            memcpy(dst, x, 16 * sizeof *dst);
    } else {
        for (int64_t t = 0; t < len; t++, x += ld, dst += 32) {
            memset(dst, 0, 32 * sizeof *dst);
            for (int64_t c = 0; c < n; c++)
                dst[c] = x[c];
        }
    }
}

/* The transposed weight as a panel of input columns: dst[(n - n0)*32 + c] = W[n][k0 + c] for
 * n0 <= n < n1 (n0 a multiple of 32; up to the end of n1's panel is written) and c < 32, zeros from
 * column K on. Panels of w are `bytes` long. */
PACK_INLINE void pack_transposed_as(const char *w, int64_t bytes, const uint32_t type, int64_t K,
                                    int64_t n0, int64_t n1, int64_t k0, float *dst)
{
    for (int64_t q = n0 / 32; q * 32 < n1; q++, dst += 32 * 32) {
        const void *panel = w + q * bytes;
#ifdef PACK_LANES
        for (int64_t n = 0; n < 32; n += PACK_LANES)
            for (int64_t c = 0; c < 32; c += PACK_LANES) {
                pack_vec v[PACK_LANES];
                if (k0 + c + PACK_LANES <= K) {
#pragma GCC unroll 16
                    for (int64_t j = 0; j < PACK_LANES; j++)
                        v[j] = pack_load(panel, type, k0 + c + j, n);
                } else {
                    for (int64_t j = 0; j < PACK_LANES; j++)
                        v[j] = k0 + c + j < K ? pack_load(panel, type, k0 + c + j, n) : PACK_ZERO();
                }
                transpose(v);
#pragma GCC unroll 16
                for (int64_t j = 0; j < PACK_LANES; j++)
                    PACK_STORE(dst + (n + j) * 32 + c, v[j]);
            }
#else
        for (int64_t c = 0; c < 32; c++)
            for (int64_t n = 0; n < 32; n++)
                dst[n * 32 + c] = k0 + c < K ? widen(panel, type, k0 + c, n) : 0.0f;
#endif
    }
}

static void pack_transposed(const void *w, int64_t bytes, uint32_t type, int64_t K, int64_t n0,
                            int64_t n1, int64_t k0, float *dst)
{
    if (type == HONE_F32)
        pack_transposed_as(w, bytes, HONE_F32, K, n0, n1, k0, dst);
    else if (type == HONE_BF16)
        pack_transposed_as(w, bytes, HONE_BF16, K, n0, n1, k0, dst);
    else
        pack_transposed_as(w, bytes, HONE_F16, K, n0, n1, k0, dst);
}
#endif
