/* dist.c - normal, t and beta distributions; see dist.h.
 *
 * Quantiles are found by bisection with a secant step on a monotone function: slower than rational
 * approximations by far, but a figure asks for one or two of them, and nothing has to be believed. */
#include "judge/dist.h"

#include "base/math64.h"

#include <math.h>

static const double tiny_df = 1e-3;

static double clip(double p)
{
    return p > 0 ? (p < 1 ? p : 1) : 0; /* NaN is 0 */
}

/* The upper tail for x > 6: phi(x) / (x + 1/(x + 2/(x + ...))). */
static double tail(double x)
{
    double f = x;
    for (int k = 60; k > 0; k--)
        f = x + k / f;
    return hone_math_exp(-x * x / 2) / (f * 2.50662827463100050242);
}

double hone_dist_normal(double x)
{
    if (isnan(x))
        return .5;
    if (x > 6)
        return x > 40 ? 1 : 1 - tail(x);
    if (x < -6)
        return x < -40 ? 0 : tail(-x);
    double term = x, sum = x, x2 = x * x;
    for (int k = 3; k < 400; k += 2) {
        term *= x2 / k;
        double next = sum + term;
        if (next == sum)
            break;
        sum = next;
    }
    return clip(.5 + sum * hone_math_exp(-x2 / 2) / 2.50662827463100050242);
}

double hone_dist_normal_quantile(double p)
{
    p = clip(p);
    if (p <= 0)
        return -(double)INFINITY;
    if (p >= 1)
        return (double)INFINITY;
    double lo = -39, hi = 39;
    for (int k = 0; k < 200 && hi - lo > 1e-14 * (1 + fabs(lo)); k++) {
        double mid = lo + (hi - lo) / 2;
        if (hone_dist_normal(mid) < p)
            lo = mid;
        else
            hi = mid;
    }
    return lo + (hi - lo) / 2;
}

double hone_dist_lgamma(double x)
{
    double shift = 0;
    if (!(x > 0))
        return (double)INFINITY;
    while (x < 12) {
        shift += hone_math_log(x);
        x += 1;
    }
    double r = 1 / (x * x);
    double series = (1. / 12 - r * (1. / 360 - r * (1. / 1260 - r * (1. / 1680 - r / 1188)))) / x;
    return (x - .5) * hone_math_log(x) - x + .91893853320467274178 + series - shift;
}

static double kept_from_zero(double v)
{
    return fabs(v) < 1e-300 ? 1e-300 : v;
}

/* Lentz's continued fraction; converges fast for x < (a + 1)/(a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 / kept_from_zero(1 - (a + b) * x / (a + 1)), f = d;
    for (int m = 1; m < 2000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / kept_from_zero(1 + even * d);
        c = kept_from_zero(1 + even / c);
        f *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / kept_from_zero(1 + odd * d);
        c = kept_from_zero(1 + odd / c);
        double step = d * c;
        f *= step;
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return f;
}

double hone_dist_beta(double x, double a, double b)
{
    a = a > tiny_df ? a : tiny_df;
    b = b > tiny_df ? b : tiny_df;
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    double front = hone_math_exp(hone_dist_lgamma(a + b) - hone_dist_lgamma(a) -
                                 hone_dist_lgamma(b) + a * hone_math_log(x) +
                                 b * hone_math_log(1 - x));
    if (x < (a + 1) / (a + b + 2))
        return clip(front * beta_fraction(x, a, b) / a);
    return clip(1 - front * beta_fraction(1 - x, b, a) / b);
}

double hone_dist_beta_quantile(double p, double a, double b)
{
    p = clip(p);
    double lo = 0, hi = 1;
    for (int k = 0; k < 1100 && hi - lo > 1e-15 * hi; k++) {
        double mid = lo + (hi - lo) / 2;
        if (mid <= lo || mid >= hi)
            break;
        if (hone_dist_beta(mid, a, b) < p)
            lo = mid;
        else
            hi = mid;
    }
    return p <= 0 ? 0 : p >= 1 ? 1 : lo + (hi - lo) / 2;
}

double hone_dist_t(double x, double df)
{
    if (isnan(x))
        return .5;
    if (!(df < 1e6))
        return hone_dist_normal(x);
    df = df > tiny_df ? df : tiny_df;
    double half = .5 * hone_dist_beta(df / (df + x * x), df / 2, .5);
    return x > 0 ? 1 - half : half;
}

double hone_dist_t_quantile(double p, double df)
{
    p = clip(p);
    if (!(df < 1e6))
        return hone_dist_normal_quantile(p);
    df = df > tiny_df ? df : tiny_df;
    if (p <= 0 || p >= 1)
        return p <= 0 ? -(double)INFINITY : (double)INFINITY;
    double far = 1; /* the quantile of max(p, 1 - p) lies in [0, far] */
    double top = p > .5 ? p : 1 - p;
    while (far < 1e300 && hone_dist_t(far, df) < top)
        far *= 2;
    double lo = 0, hi = far;
    for (int k = 0; k < 200 && hi - lo > 1e-14 * (1 + lo); k++) {
        double mid = lo + (hi - lo) / 2;
        if (hone_dist_t(mid, df) < top)
            lo = mid;
        else
            hi = mid;
    }
    double x = lo + (hi - lo) / 2;
    return p > .5 ? x : -x;
}

double hone_dist_two_sided(double level, double df)
{
    double p = level > 0 && level < 1 ? level : .95;
    return hone_dist_t_quantile(.5 + p / 2, df);
}
