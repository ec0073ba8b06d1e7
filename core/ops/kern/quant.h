/* quant.h - quantised panels as a kernel reads them: values of 32 inputs at a time, in registers.
 *
 * A block holds 32 inputs of 32 outputs: scales (and minima) of the outputs, then their codes. Codes of four
 * inputs lie side by side for each output, as integer products want them:
 *   8 bits: byte (i, lane) at i/4*128 + lane*4 + i%4                        -128 .. 127
 *   4 bits: byte i/8*128 + lane*4 + i%4, its low half for i%8 < 4, else its high one      0 .. 15
 * (ops/storage.h has the layout of scales.) A value is scale*code, or scale*code + minimum: one rounding of the
 * product, one of the sum, as the decoder of the file format has it; so a product over quantised panels
 * has the bits of the product over the same values in float32.
 *
 * Included by gemm.c once per kernel set. Source: ggml's formats Q8_0, Q4_0, Q4_1, Q4_K (nn/dequant.c). */
#ifndef HONE_CORE_OPS_KERN_QUANT_H
#define HONE_CORE_OPS_KERN_QUANT_H
#include "ops/kern/gemm_pack.h"
#include "ops/storage.h"

/* By type, all constants to the compiler. */
#define QUANT_BITS(T) ((T) == HONE_Q8_0 ? 8 : 4)
#define QUANT_MIN(T) ((T) == HONE_Q4_1 || (T) == HONE_Q4_K)
/* Bytes from one block of 32 inputs to the next, but for HONE_Q4_K, whose eight share scales. */
#define QUANT_CODES(T) (128 * QUANT_BITS(T))
#define QUANT_BLOCK(T) (QUANT_CODES(T) + ((T) == HONE_Q4_1 ? 128 : 64))
#define QUANT_SUPER (128 + 8 * QUANT_BLOCK(HONE_Q4_K))

/* Where block `b` (32 inputs) of a panel begins: its scales (HONE_Q4_K: bytes of scale, then of minimum). */
PACK_INLINE const unsigned char *quant_block(const uint32_t T, const void *panel, int64_t b)
{
    const unsigned char *p = panel;
    return T == HONE_Q4_K ? p + b / 8 * QUANT_SUPER + 128 + b % 8 * QUANT_BLOCK(T)
                          : p + b * QUANT_BLOCK(T);
}
PACK_INLINE const unsigned char *quant_codes(const uint32_t T, const unsigned char *block)
{
    return block + QUANT_BLOCK(T) - QUANT_CODES(T);
}
/* HONE_Q4_K: the halves d and dmin of the block's eight. */
PACK_INLINE const unsigned char *quant_super(const void *panel, int64_t b)
{
    return (const unsigned char *)panel + b / 8 * QUANT_SUPER;
}

PACK_INLINE float quant_half(const unsigned char *p, int64_t lane)
{
    uint16_t h;
    memcpy(&h, p + 2 * lane, sizeof h);
    return half_to_f32(h);
}

/* Scale and (0 where the type has none) minimum of output `lane` in block b. */
PACK_INLINE void quant_scale(const uint32_t T, const void *panel, int64_t b, int64_t lane, float *d,
                             float *m)
{
    const unsigned char *block = quant_block(T, panel, b);
    *m = 0.0f;
    if (T == HONE_Q4_K) {
        const unsigned char *super = quant_super(panel, b);
        *d = quant_half(super, lane) * (float)block[lane];
        *m = -(quant_half(super + 64, lane) * (float)block[32 + lane]);
    } else {
        *d = quant_half(block, lane);
        if (QUANT_MIN(T))
            *m = quant_half(block + 64, lane);
    }
}

/* The code of input i of a block, less what the type takes off. */
PACK_INLINE int32_t quant_code(const uint32_t T, const unsigned char *codes, int64_t i,
                               int64_t lane)
{
    if (QUANT_BITS(T) == 8)
        return (int8_t)codes[i / 4 * 128 + lane * 4 + i % 4];
    return (codes[i / 8 * 128 + lane * 4 + i % 4] >> (i % 8 < 4 ? 0 : 4) & 15) -
           (T == HONE_Q4_0 ? 8 : 0);
}

/* One value: output `lane` of input k. */
PACK_INLINE float quant_value(const uint32_t T, const void *panel, int64_t k, int64_t lane)
{
    const unsigned char *codes = quant_codes(T, quant_block(T, panel, k / 32));
    float d, m;
    quant_scale(T, panel, k / 32, lane, &d, &m);
    const float q = (float)quant_code(T, codes, k % 32, lane) * d;
    return QUANT_MIN(T) ? q + m : q;
}

#ifdef PACK_LANES
#if PACK_LANES == 16
typedef __m512i quant_vec;
#define QUANT_HALVES(p) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define QUANT_BYTES(p)                                                                             \
    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p))))
#define QUANT_LOAD(p) _mm512_loadu_si512(p)
#define QUANT_MUL(a, b) _mm512_mul_ps(a, b)
#define QUANT_ADD(a, b) _mm512_add_ps(a, b)
#define QUANT_SUB(a, b) _mm512_sub_ps(a, b)
/* The code at bit `s` of each word as a float: signed bytes; halves of bytes less `bias`. */
PACK_INLINE pack_vec quant_byte(quant_vec z, const int s)
{
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(z, (unsigned)(24 - s)), 24));
}
PACK_INLINE pack_vec quant_nibble(quant_vec z, const int s, const int bias)
{
    /* the permutation reads the low four bits of each index: a table of all codes */
    const __m512 codes = _mm512_add_ps(
        _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_set1_ps((float)-bias));
    return _mm512_permutexvar_ps(s ? _mm512_srli_epi32(z, (unsigned)s) : z, codes);
}
#elif PACK_LANES == 4
typedef int32x4_t quant_vec;
#define QUANT_HALVES(p) pack_halves(p)
#define QUANT_BYTES(p) quant_bytes(p)
#define QUANT_LOAD(p) vreinterpretq_s32_u8(vld1q_u8(p))
#define QUANT_MUL(a, b) vmulq_f32(a, b)
#define QUANT_ADD(a, b) vaddq_f32(a, b)
#define QUANT_SUB(a, b) vsubq_f32(a, b)
PACK_INLINE pack_vec quant_bytes(const unsigned char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(w)))));
}
PACK_INLINE pack_vec quant_byte(quant_vec z, const int s)
{
    return vcvtq_f32_s32((int32x4_t)((uint32x4_t)z << (24 - s)) >> 24);
}
PACK_INLINE pack_vec quant_nibble(quant_vec z, const int s, const int bias)
{
    const int32x4_t q = (z >> s) & 15;
    return vcvtq_f32_s32(bias ? vsubq_s32(q, vdupq_n_s32(bias)) : q);
}
#else
typedef __m256i quant_vec;
#define QUANT_HALVES(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define QUANT_BYTES(p)                                                                             \
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p))))
#define QUANT_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define QUANT_MUL(a, b) _mm256_mul_ps(a, b)
#define QUANT_ADD(a, b) _mm256_add_ps(a, b)
#define QUANT_SUB(a, b) _mm256_sub_ps(a, b)
PACK_INLINE pack_vec quant_byte(quant_vec z, const int s)
{
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(z, 24 - s), 24));
}
PACK_INLINE pack_vec quant_nibble(quant_vec z, const int s, const int bias)
{
    const __m256i q = _mm256_and_si256(_mm256_srli_epi32(z, s), _mm256_set1_epi32(15));
    return _mm256_cvtepi32_ps(bias ? _mm256_sub_epi32(q, _mm256_set1_epi32(bias)) : q);
}
#endif

/* Scales, and where the type has them minima (HONE_Q4_K: minus them), of PACK_LANES outputs from `lane` on. */
PACK_INLINE void quant_scales(const uint32_t T, const void *panel, int64_t b, int64_t lane,
                              pack_vec *d, pack_vec *m)
{
    const unsigned char *block = quant_block(T, panel, b);
    if (T == HONE_Q4_K) {
        const unsigned char *super = quant_super(panel, b);
        *d = QUANT_MUL(QUANT_HALVES(super + 2 * lane), QUANT_BYTES(block + lane));
        *m = QUANT_MUL(QUANT_HALVES(super + 64 + 2 * lane), QUANT_BYTES(block + 32 + lane));
    } else {
        *d = QUANT_HALVES(block + 2 * lane);
        if (QUANT_MIN(T))
            *m = QUANT_HALVES(block + 64 + 2 * lane);
    }
}
/* Value of the code at bit s of the words z. */
PACK_INLINE pack_vec quant_widen(const uint32_t T, quant_vec z, const int s, pack_vec d, pack_vec m)
{
    pack_vec q = QUANT_BITS(T) == 8 ? quant_byte(z, s) : quant_nibble(z, s, T == HONE_Q4_0 ? 8 : 0);
    q = QUANT_MUL(q, d);
    if (T == HONE_Q4_K)
        return QUANT_SUB(q, m);
    return QUANT_MIN(T) ? QUANT_ADD(q, m) : q;
}
/* Inputs of a block whose codes share their words, and bytes of those words. */
#define QUANT_WORDS(T) (QUANT_BITS(T) == 8 ? 4 : 8)
/* The bit where input j of them has its code. */
#define QUANT_BIT(j) (8 * ((j) % 4) + 4 * ((j) / 4))
#endif

/* Block b as floats: dst[i*32 + lane]. */
PACK_INLINE void quant_unpack_as(const uint32_t T, const void *panel, int64_t b, float *dst)
{
#ifdef PACK_LANES
    const unsigned char *codes = quant_codes(T, quant_block(T, panel, b));
    const int words = QUANT_WORDS(T);
    for (int64_t lane = 0; lane < 32; lane += PACK_LANES) {
        pack_vec d = PACK_ZERO(), m = PACK_ZERO();
        quant_scales(T, panel, b, lane, &d, &m);
        for (int64_t g = 0; g < 32 / words; g++) {
            const quant_vec z = QUANT_LOAD(codes + g * 128 + lane * 4);
#pragma GCC unroll 8
            for (int j = 0; j < words; j++)
                PACK_STORE(dst + (g * words + j) * 32 + lane,
                           quant_widen(T, z, QUANT_BIT(j), d, m));
        }
    }
#else
    for (int64_t i = 0; i < 32; i++)
        for (int64_t lane = 0; lane < 32; lane++)
            dst[i * 32 + lane] = quant_value(T, panel, b * 32 + i, lane);
#endif
}

/* One stored value of any type. */
PACK_INLINE float stored_value(const uint32_t T, const void *panel, int64_t k, int64_t lane)
{
    return T >= HONE_Q8_0 ? quant_value(T, panel, k, lane) : widen(panel, T, k, lane);
}

/* Inputs [k0, k0 + len) of a panel, both multiples of 32: dst[(k - k0)*32 + lane]. */
static void quant_unpack(const void *panel, uint32_t type, int64_t k0, int64_t len, float *dst)
{
    for (int64_t b = k0 / 32; b < (k0 + len) / 32; b++, dst += 32 * 32) {
        if (type == HONE_Q8_0)
            quant_unpack_as(HONE_Q8_0, panel, b, dst);
        else if (type == HONE_Q4_0)
            quant_unpack_as(HONE_Q4_0, panel, b, dst);
        else if (type == HONE_Q4_1)
            quant_unpack_as(HONE_Q4_1, panel, b, dst);
        else
            quant_unpack_as(HONE_Q4_K, panel, b, dst);
    }
}

/* As pack_transposed: one block of 32 inputs of the panels of [n0, n1). */
static void quant_transposed(const void *w, int64_t bytes, uint32_t type, int64_t n0, int64_t n1,
                             int64_t k0, float *dst)
{
    float block[32 * 32];
    for (int64_t q = n0 / 32; q * 32 < n1; q++, dst += 32 * 32) {
        quant_unpack((const char *)w + q * bytes, type, k0, 32, block);
        pack_transposed(block, sizeof block, HONE_F32, 32, 0, 32, 0, dst);
    }
}
#endif
