/* math64.c - see math64.h.
 *
 * The key idea: an exact argument reduction (a few-part constant whose products with a small integer
 * are exact, or integer arithmetic with the bits of 2/pi), then a Taylor or atanh series long enough
 * that its tail is below 2^-57, with the leading terms added last. Where one double is not enough
 * (pow), pairs hi + lo carry about 100 bits (Dekker 1971). The order of operations is the result:
 * do not reassociate. Constants were worked out with 400 digits. Needs -ffp-contract=off. */
#include "base/math64.h"

#include <stdint.h>
#include <string.h>

#define LN2_HI 0x1.62e42fee00000p-1   /* 32 bits: products with |k| < 2^20 are exact */
#define LN2_LO 0x1.a39ef35793c76p-33  /* the rest, rounded */
#define LN2_MID 0x1.a39ef35600000p-33 /* the rest in two parts */
#define LN2_END 0x1.93c7673007e5fp-65
#define INV_LN2 0x1.71547652b82fep+0
#define TWO_OVER_PI 0x1.45f306dc9c883p-1
#define PIO2_1 0x1.921fb54400000p+0 /* pi/2 in three parts of 33 bits and a rest */
#define PIO2_2 0x1.0b4611a600000p-34
#define PIO2_3 0x1.3198a2e000000p-69
#define PIO2_4 0x1.b839a252049c1p-104
#define PIO2_HI 0x1.921fb54442d18p+0
#define PIO2_LO 0x1.1a62633145c07p-54

typedef struct pair {
    double hi, lo;
} pair;

static uint64_t bits_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double from_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static double infinity(int negative)
{
    return from_bits(negative ? 0xFFF0000000000000u : 0x7FF0000000000000u);
}

static double not_a_number(void)
{
    return from_bits(0x7FF8000000000000u);
}

/* x * 2^k for |k| < 2200, in steps that are exact until the last. */
static double scale(double x, int k)
{
    while (k > 1000) {
        x *= 0x1p1000;
        k -= 1000;
    }
    while (k < -1000) {
        x *= 0x1p-1000;
        k += 1000;
    }
    return x * from_bits((uint64_t)(1023 + k) << 52);
}

/* The integer next to v, |v| < 2^62, halves away from zero. */
static int64_t nearest(double v)
{
    return (int64_t)(v < 0 ? v - 0.5 : v + 0.5);
}

static pair two_sum(double a, double b)
{
    pair r;
    r.hi = a + b;
    double bb = r.hi - a;
    r.lo = (a - (r.hi - bb)) + (b - bb);
    return r;
}

/* a * b exactly, by splitting each into 26 bits; |a|, |b| < 2^990. */
static pair two_prod(double a, double b)
{
    pair r;
    double ta = 134217729.0 * a, tb = 134217729.0 * b;
    double ah = ta - (ta - a), al = a - ah, bh = tb - (tb - b), bl = b - bh;
    r.hi = a * b;
    r.lo = ((ah * bh - r.hi) + ah * bl + al * bh) + al * bl;
    return r;
}

static pair pair_add(pair a, pair b)
{
    pair s = two_sum(a.hi, b.hi);
    s.lo += a.lo + b.lo;
    return two_sum(s.hi, s.lo);
}

static pair pair_mul(pair a, pair b)
{
    pair p = two_prod(a.hi, b.hi);
    p.lo += a.hi * b.lo + a.lo * b.hi;
    return two_sum(p.hi, p.lo);
}

/* e^(hi + lo), |lo| tiny beside hi, hi within the range of results. k ln2 is taken off, then
 * e^r = 1 + r + r^2 (1/2! + r/3! + ... ), |r| <= 0.35. */
static double exp_pair(double hi, double lo)
{
    int64_t k = nearest(hi * INV_LN2);
    double kd = (double)k;
    pair r = two_sum(hi - kd * LN2_HI, -(kd * LN2_MID));
    r.lo += lo - kd * LN2_END;
    pair n = two_sum(r.hi, r.lo);
    double x = n.hi, q = 1.0 / 87178291200.0;
    q = q * x + 1.0 / 6227020800.0;
    q = q * x + 1.0 / 479001600.0;
    q = q * x + 1.0 / 39916800.0;
    q = q * x + 1.0 / 3628800.0;
    q = q * x + 1.0 / 362880.0;
    q = q * x + 1.0 / 40320.0;
    q = q * x + 1.0 / 5040.0;
    q = q * x + 1.0 / 720.0;
    q = q * x + 1.0 / 120.0;
    q = q * x + 1.0 / 24.0;
    q = q * x + 1.0 / 6.0;
    q = q * x + 0.5;
    pair one = two_sum(1.0, x);
    double y = one.hi + (one.lo + (n.lo + x * x * q));
    return scale(y, (int)k);
}

double hone_math_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.8)
        return infinity(0);
    if (x < -745.2)
        return 0.0;
    return exp_pair(x, 0.0);
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), for finite x > 0. */
static double split(double x, int *k)
{
    int e = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        e = -54;
    }
    uint64_t u = bits_of(x);
    e += (int)(u >> 52) - 1023;
    u = (u & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u;
    double m = from_bits(u);
    if (m >= 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        e++;
    }
    *k = e;
    return m;
}

/* The tail of log((1+s)/(1-s)) / s = 2 + 2z/3 + 2z^2/5 + ...: from the term of z^`first` on, over
 * z^first. z <= 0.0295, so 12 terms leave less than 2^-60. */
static double atanh_tail(double z, int first)
{
    double sum = 0.0;
    for (int n = 12; n >= first; n--)
        sum = sum * z + 2.0 / (double)(2 * n + 1);
    return sum;
}

double hone_math_log(double x)
{
    if (x != x)
        return x;
    if (x <= 0.0)
        return x == 0.0 ? infinity(1) : not_a_number();
    if (x > 0x1.fffffffffffffp+1023)
        return x;
    int k;
    double m = split(x, &k), f = m - 1.0, kd = (double)k;
    double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    /* log(1+f) = 2s + sR = f - (f^2/2 - s (f^2/2 + R)) */
    double r = z * atanh_tail(z, 1);
    return kd * LN2_HI - ((half - (s * (half + r) + kd * LN2_LO)) - f);
}

/* log x to about 2^-65, for finite x > 0. */
static pair log_pair(double x)
{
    int k;
    double f = split(x, &k) - 1.0, kd = (double)k;
    pair d = two_sum(2.0, f), s, z, sum, ln2, third = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
    s.hi = f / d.hi;
    pair back = two_prod(s.hi, d.hi);
    s.lo = (((f - back.hi) - back.lo) - s.hi * d.lo) / d.hi;
    s = two_sum(s.hi, s.lo);
    z = pair_mul(s, s);
    sum = pair_mul(pair_mul(s, z), third);
    sum.lo += s.hi * z.hi * z.hi * atanh_tail(z.hi, 2);
    s.hi *= 2.0;
    s.lo *= 2.0;
    sum = pair_add(s, sum);
    ln2 = two_sum(kd * LN2_HI, kd * LN2_MID);
    ln2.lo += kd * LN2_END;
    return pair_add(ln2, sum);
}

/* 1 when y is an odd integer, 2 when an even one, 0 otherwise. */
static int parity(double y)
{
    double a = y < 0 ? -y : y;
    if (a >= 0x1p53)
        return 2;
    int64_t i = (int64_t)a;
    if ((double)i != a)
        return 0;
    return i & 1 ? 1 : 2;
}

double hone_math_pow(double x, double y)
{
    if (y == 0.0 || x == 1.0)
        return 1.0;
    if (x != x || y != y)
        return x + y;
    int whole = parity(y), negative = 0;
    double a = x < 0 ? -x : x;
    if (bits_of(x) >> 63 && whole == 1)
        negative = 1;
    if (a == 0.0 || a > 0x1.fffffffffffffp+1023) {
        int large = (a == 0.0) == (y < 0);
        double r = large ? infinity(0) : 0.0;
        return negative ? -r : r;
    }
    if (a == 1.0 && (y > 0x1.fffffffffffffp+1023 || y < -0x1.fffffffffffffp+1023))
        return 1.0;
    if (x < 0 && whole == 0)
        return y > 0x1.fffffffffffffp+1023 || y < -0x1.fffffffffffffp+1023
                   ? ((a > 1.0) == (y > 0) ? infinity(0) : 0.0)
                   : not_a_number();
    if (a == 1.0)
        return negative ? -1.0 : 1.0;
    double r;
    pair l = log_pair(a);
    double rough = y * l.hi; /* |log| >= 2^-53, so a huge y is decided here */
    if (rough > 710.0) {
        r = infinity(0);
    } else if (rough < -746.0) {
        r = 0.0;
    } else {
        pair p = two_prod(y, l.hi);
        p.lo += y * l.lo;
        p = two_sum(p.hi, p.lo);
        r = p.hi > 709.8 ? infinity(0) : p.hi < -745.2 ? 0.0 : exp_pair(p.hi, p.lo);
    }
    return negative ? -r : r;
}

/* 2/pi in binary, 64 places a word. */
static const uint64_t two_over_pi[20] = {
    0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u, 0xdb6295993c439041u, 0xfe5163abdebbc561u,
    0xb7246e3a424dd2e0u, 0x06492eea09d1921cu, 0xfe1deb1cb129a73eu, 0xe88235f52ebb4484u,
    0xe99c7026b45f7e41u, 0x3991d639835339f4u, 0x9c845f8bbdf9283bu, 0x1ff897ffde05980fu,
    0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u, 0x4f463f669e5fea2du, 0x7527bac7ebe5f17bu,
    0x3d0739f78a5292eau, 0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu, 0xf0cfbc209af4361du,
};

/* 64 binary places of 2/pi from place `at` on (0 = the first after the point); zeros before it. */
static uint64_t places(int at)
{
    if (at <= -64)
        return 0;
    if (at < 0)
        return two_over_pi[0] >> -at;
    int word = at / 64, shift = at % 64;
    if (shift == 0)
        return two_over_pi[word];
    return two_over_pi[word] << shift | two_over_pi[word + 1] >> (64 - shift);
}

/* x mod pi/2 for x >= 2^19, by integers (Payne & Hanek 1983): x = m 2^e; of the product m * 2/pi only
 * the 192 places from the quadrant's two bits down are formed. Returns the quadrant mod 4. */
static int reduce_large(double x, pair *r)
{
    uint64_t u = bits_of(x), m = (u & 0x000FFFFFFFFFFFFFu) | 0x0010000000000000u;
    int e = (int)(u >> 52 & 0x7FF) - 1075, at = e - 2;
    unsigned __int128 p0 = (unsigned __int128)m * places(at + 128);
    unsigned __int128 p1 = (unsigned __int128)m * places(at + 64) + (uint64_t)(p0 >> 64);
    uint64_t w0 = (uint64_t)p0, w1 = (uint64_t)p1;
    uint64_t w2 = m * places(at) + (uint64_t)(p1 >> 64);
    int quadrant = (int)(w2 >> 62), negative = (int)(w2 >> 61 & 1);
    w2 &= 0x3FFFFFFFFFFFFFFFu;
    if (negative) { /* the nearer multiple is the next: fraction - 1, negated */
        quadrant++;
        w0 = ~w0 + 1;
        w1 = ~w1 + (w0 == 0);
        w2 = (~w2 + (w0 == 0 && w1 == 0)) & 0x3FFFFFFFFFFFFFFFu;
    }
    /* fraction = w2 2^-62 + w1 2^-126 + w0 2^-190, at most 1/2; each word as two exact doubles */
    pair f = two_sum((double)(w2 >> 32) * 0x1p-30, (double)(w2 & 0xFFFFFFFFu) * 0x1p-62);
    pair g = two_sum((double)(w1 >> 32) * 0x1p-94, (double)(w1 & 0xFFFFFFFFu) * 0x1p-126);
    g.lo += (double)w0 * 0x1p-190;
    pair half_pi = {PIO2_HI, PIO2_LO};
    *r = pair_mul(pair_add(f, g), half_pi);
    if (negative) {
        r->hi = -r->hi;
        r->lo = -r->lo;
    }
    return quadrant & 3;
}

/* |x| = quadrant pi/2 + r, |r| <= pi/4 and a little. */
static int reduce(double x, pair *r)
{
    if (x >= 0x1p19)
        return reduce_large(x, r);
    int64_t n = nearest(x * TWO_OVER_PI);
    double nd = (double)n;
    pair a = two_sum(x - nd * PIO2_1, -(nd * PIO2_2));
    pair b = two_sum(a.hi, -(nd * PIO2_3));
    b.lo += a.lo - nd * PIO2_4;
    *r = two_sum(b.hi, b.lo);
    return (int)(n & 3);
}

static double sin_kernel(pair r)
{
    double x = r.hi, z = x * x, q = -1.0 / 121645100408832000.0;
    q = q * z + 1.0 / 355687428096000.0;
    q = q * z - 1.0 / 1307674368000.0;
    q = q * z + 1.0 / 6227020800.0;
    q = q * z - 1.0 / 39916800.0;
    q = q * z + 1.0 / 362880.0;
    q = q * z - 1.0 / 5040.0;
    q = q * z + 1.0 / 120.0;
    q = q * z - 1.0 / 6.0;
    return x + (x * z * q + r.lo * (1.0 - 0.5 * z));
}

static double cos_kernel(pair r)
{
    double x = r.hi, z = x * x, q = 1.0 / 2432902008176640000.0;
    q = q * z - 1.0 / 6402373705728000.0;
    q = q * z + 1.0 / 20922789888000.0;
    q = q * z - 1.0 / 87178291200.0;
    q = q * z + 1.0 / 479001600.0;
    q = q * z - 1.0 / 3628800.0;
    q = q * z + 1.0 / 40320.0;
    q = q * z - 1.0 / 720.0;
    q = q * z + 1.0 / 24.0;
    double half = 0.5 * z, w = 1.0 - half;
    return w + (((1.0 - w) - half) + (z * z * q - x * r.lo));
}

/* sin(x) for shift 0, cos(x) for shift 1; x >= 0. */
static double circle(double x, int shift)
{
    pair r;
    int quadrant = (reduce(x, &r) + shift) & 3;
    double y = quadrant & 1 ? cos_kernel(r) : sin_kernel(r);
    return quadrant & 2 ? -y : y;
}

double hone_math_sin(double x)
{
    if (!(x - x == 0.0))
        return not_a_number();
    if (x == 0.0)
        return x;
    return x < 0 ? -circle(-x, 0) : circle(x, 0);
}

double hone_math_cos(double x)
{
    if (!(x - x == 0.0))
        return not_a_number();
    return circle(x < 0 ? -x : x, 1);
}
