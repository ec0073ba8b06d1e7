/* calibration_curve.h - does .8 mean 80 %: Brier score, expected calibration error, isotonic map.
 *
 * p is the judge's score brought to [0, 1], y what experts say in [0, 1] (a share is allowed).
 * Conventions: interval.h. Isotonic: pool adjacent violators, O(n log n) for the sort. */
#ifndef HONE_CORE_JUDGE_CALIBRATION_CURVE_H
#define HONE_CORE_JUDGE_CALIBRATION_CURVE_H
#include "judge/interval.h"

/* mean((p - y)^2) */
hone_status hone_curve_brier(const double *p, const double *y, size_t n, const hone_boot *boot,
                             hone_figure *out);
/* sum_b n_b/n |mean p - mean y| over `bins` (0: 10; at most 1,000) of equal width in [0, 1]. Biased
 * upwards for small n, which the note says. */
hone_status hone_curve_ece(const double *p, const double *y, size_t n, size_t bins,
                           const hone_boot *boot, hone_figure *out);

/* The non-decreasing step function nearest to y: knots (x, y) ascending. */
typedef struct hone_isotonic {
    double *x, *y;
    size_t n; /* 0: nothing to fit */
} hone_isotonic;
/* Any x and y, finite; rows that lack one are left out. Release with hone_isotonic_release. */
hone_status hone_isotonic_fit(const double *x, const double *y, size_t n, hone_isotonic *out);
void hone_isotonic_release(hone_isotonic *m);
/* Linear between knots, constant outside; 0 for an empty map. */
double hone_isotonic_at(const hone_isotonic *m, double x);
#endif
