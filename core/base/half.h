/* half.h - 16-bit and 8-bit floats to f32 and back, by bits alone.
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even, as the hardware and PyTorch do:
 * overflow becomes infinity, tiny values become subnormals or zero with their sign, a NaN stays a
 * NaN (its top payload bits are kept, the quiet bit is set). No table, no branch on the machine:
 * the same bits everywhere. IEEE 754-2008 binary16; bfloat16 is the upper half of binary32.
 * The float8 types are those of OCP OFP8 1.0: E4M3 has no infinity, E5M2 is a truncated binary16. */
#ifndef HONE_CORE_BASE_HALF_H
#define HONE_CORE_BASE_HALF_H
#include <stdint.h>
#include <string.h>

static inline uint32_t hone_f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float hone_f32_from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float hone_bf16_to_f32(uint16_t h)
{
    return hone_f32_from_bits((uint32_t)h << 16);
}
static inline uint16_t hone_f32_to_bf16(float x)
{
    uint32_t u = hone_f32_bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float hone_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 0x3ffu;
    if (e == 31)
        return hone_f32_from_bits(sign | 0x7f800000u | m << 13 | (m ? 0x400000u : 0));
    if (e)
        return hone_f32_from_bits(sign | (e + 112) << 23 | m << 13);
    /* subnormal: m * 2^-24, exact in f32 */
    return hone_f32_from_bits(sign | hone_f32_bits((float)m * 0x1p-24f));
}
static inline uint16_t hone_f32_to_f16(float x)
{
    uint32_t u = hone_f32_bits(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
    if (a >= 0x477ff000u) /* 65520 and up rounds to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (a >= 0x38800000u) /* normal: 2^-14 and up */
        return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13));
    if (a < 0x33000000u) /* below 2^-25: zero (2^-25 itself is a tie with even zero) */
        return (uint16_t)sign;
    /* subnormal: the significand shifted right by 14..24 places, rounded to even */
    uint32_t shift = 126u - (a >> 23), m = (a & 0x7fffffu) | 0x800000u;
    uint32_t q = m >> shift, rest = m & ((1u << shift) - 1), half = 1u << (shift - 1);
    return (uint16_t)(sign | (q + (rest > half || (rest == half && (q & 1u)))));
}

static inline float hone_f8e5m2_to_f32(uint8_t b)
{
    return hone_f16_to_f32((uint16_t)(b << 8));
}
static inline float hone_f8e4m3_to_f32(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 0x80u) << 24, e = (b >> 3) & 15u, m = b & 7u;
    if (e == 15 && m == 7)
        return hone_f32_from_bits(sign | 0x7fc00000u);
    if (e)
        return hone_f32_from_bits(sign | (e + 120) << 23 | m << 20);
    return hone_f32_from_bits(sign | hone_f32_bits((float)m * 0x1p-9f));
}
#endif
