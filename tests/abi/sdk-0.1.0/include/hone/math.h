/* hone/math.h - exp, log and their kin from +, -, *, / alone.
 *
 * The C library's exp and log differ in their last bits between machines (other versions, other
 * instruction sets). A loss, an advantage or a schedule that goes into a weight must not: these give
 * the same bits everywhere, within 1 to 2 units in the last place. Needs -ffp-contract=off (hone.mk
 * sets it) and round-to-nearest. Header only; usable in plugins and in the core.
 *
 * Method: exp by x = k ln 2 + r and Taylor's series of degree 13 in |r| <= ln(2)/2 (its rest is below
 * 5e-18); log by m in [sqrt(1/2), sqrt(2)) and 2 atanh((m-1)/(m+1)). [any-thread] */
#ifndef HONE_MATH_H
#define HONE_MATH_H
#include "hone/base.h"
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_LN2 0.6931471805599453094
#define HONE_LN2_HI 0x1.62e42fefa0000p-1 /* k * HI is exact for |k| < 2^14 */
#define HONE_LN2_LO 0x1.cf79abc9e3b3ap-40

static inline double hone_math_from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static inline uint64_t hone_math_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}
static inline double hone_math_inf(void)
{
    return hone_math_from_bits((uint64_t)0x7FF << 52);
}
static inline double hone_math_nan(void)
{
    return hone_math_from_bits((uint64_t)0x7FF8 << 48);
}
/* Neither infinite nor NaN. */
static inline int hone_math_finite(double x)
{
    return (hone_math_bits(x) >> 52 & 0x7FF) != 0x7FF;
}
static inline double hone_math_abs(double x)
{
    return hone_math_from_bits(hone_math_bits(x) & ~((uint64_t)1 << 63));
}

/* e^r - 1 for |r| <= 0.36 */
static inline double hone_math_expm1_small(double r)
{
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    return r + r * r * p;
}

static inline double hone_exp(double x)
{
    double kd, r, y;
    int64_t k;
    if (x != x)
        return x;
    if (x > 709.782712893384)
        return hone_math_inf();
    if (x < -745.2)
        return 0.0;
    kd = x * 0x1.71547652b82fep+0; /* 1 / ln 2 */
    k = (int64_t)(kd + (kd < 0 ? -0.5 : 0.5));
    kd = (double)k;
    r = (x - kd * HONE_LN2_HI) - kd * HONE_LN2_LO;
    y = 1.0 + hone_math_expm1_small(r);
    if (k > 1023) { /* 2^1024 is no double */
        y = y * 2.0;
        k -= 1;
    }
    if (k < -1021) { /* the result may be subnormal: scale in two steps */
        y = y * hone_math_from_bits((uint64_t)(1023 - 1000) << 52);
        k += 1000;
    }
    return y * hone_math_from_bits((uint64_t)(k + 1023) << 52);
}

static inline double hone_expm1(double x)
{
    if (x > -0.36 && x < 0.36)
        return hone_math_expm1_small(x);
    return hone_exp(x) - 1.0;
}

/* 2 atanh(s) for |s| <= 0.1716 */
static inline double hone_math_atanh2(double s)
{
    double z = s * s, p = 1.0 / 23.0;
    p = p * z + 1.0 / 21.0;
    p = p * z + 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    return 2.0 * s + 2.0 * s * z * p;
}

/* log of a negative number is NaN, of 0 is -infinity. */
static inline double hone_log(double x)
{
    uint64_t bits;
    int64_t k = 0;
    double m;
    if (x != x || x == hone_math_inf())
        return x;
    if (x < 0)
        return hone_math_nan();
    if (x == 0)
        return -hone_math_inf();
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0; /* 2^54 */
        k = -54;
    }
    bits = hone_math_bits(x);
    k += (int64_t)(bits >> 52) - 1023;
    m = hone_math_from_bits((bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1023 << 52);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k += 1;
    }
    m = hone_math_atanh2((m - 1.0) / (m + 1.0));
    return (double)k * HONE_LN2_HI + (m + (double)k * HONE_LN2_LO);
}

/* log(1 + x) */
static inline double hone_log1p(double x)
{
    if (x > -0.29 && x < 0.41)
        return hone_math_atanh2(x / (2.0 + x));
    return hone_log(1.0 + x);
}

/* 1 / (1 + e^-x) */
static inline double hone_sigmoid(double x)
{
    double e;
    if (x >= 0)
        return 1.0 / (1.0 + hone_exp(-x));
    e = hone_exp(x);
    return e / (1.0 + e);
}

/* log(sigmoid(x)) */
static inline double hone_logsigmoid(double x)
{
    return x >= 0 ? -hone_log1p(hone_exp(-x)) : x - hone_log1p(hone_exp(x));
}

/* log(1 - e^x) for x < 0 */
static inline double hone_log1mexp(double x)
{
    return x > -HONE_LN2 ? hone_log(-hone_expm1(x)) : hone_log1p(-hone_exp(x));
}

/* cos(pi x) for x in [0, 1] */
static inline double hone_cospi(double x)
{
    double y, z, p;
    if (x > 0.5)
        return -hone_cospi(1.0 - x);
    if (x > 0.25) { /* sin(pi (1/2 - x)) */
        y = 3.14159265358979323846 * (0.5 - x);
        z = y * y;
        p = -1.0 / 121645100408832000.0;
        p = p * z + 1.0 / 355687428096000.0;
        p = p * z - 1.0 / 1307674368000.0;
        p = p * z + 1.0 / 6227020800.0;
        p = p * z - 1.0 / 39916800.0;
        p = p * z + 1.0 / 362880.0;
        p = p * z - 1.0 / 5040.0;
        p = p * z + 1.0 / 120.0;
        p = p * z - 1.0 / 6.0;
        return y + y * z * p;
    }
    y = 3.14159265358979323846 * x;
    z = y * y;
    p = -1.0 / 6402373705728000.0;
    p = p * z + 1.0 / 20922789888000.0;
    p = p * z - 1.0 / 87178291200.0;
    p = p * z + 1.0 / 479001600.0;
    p = p * z - 1.0 / 3628800.0;
    p = p * z + 1.0 / 40320.0;
    p = p * z - 1.0 / 720.0;
    p = p * z + 1.0 / 24.0;
    p = p * z - 0.5;
    return 1.0 + z * p;
}

/* b^n by repeated squaring. */
static inline double hone_powi(double b, uint64_t n)
{
    double r = 1.0;
    for (; n; n >>= 1) {
        if (n & 1)
            r *= b;
        b *= b;
    }
    return r;
}

/* sqrt: IEEE 754 rounds it correctly everywhere. */
static inline double hone_sqrt(double x)
{
    return __builtin_sqrt(x);
}

#ifdef __cplusplus
}
#endif
#endif
