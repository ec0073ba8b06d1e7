/* stats_cases.h - every statistic of core/judge on one matrix of anything: no NaN comes out, nothing crashes.
 *
 * Shared by the fuzz target and by tests/unit/test_judge_hostile.c. stats_all() returns NULL, or the name of what broke a
 * promise; a status below zero is allowed where the header says so. */
#ifndef HONE_TESTS_STATS_CASES_H
#define HONE_TESTS_STATS_CASES_H
#include "judge/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A figure as figure.h promises it. */
static inline int stats_sane(const hone_figure *f)
{
    if (isnan(f->value) || isnan(f->lo) || isnan(f->hi))
        return 0;
    if (f->why)
        return f->why[0] != 0;
    return isfinite(f->value) && f->lo <= f->value && f->value <= f->hi;
}

#define STATS_CHECK(call)                                                                          \
    do {                                                                                           \
        hone_figure f_ = {.value = (double)NAN};                                                   \
        hone_status s_ = (call);                                                                   \
        if (s_ >= 0 && !stats_sane(&f_))                                                           \
            return #call;                                                                          \
    } while (0)
/* Strengths of `raters` players whose matches are the first rows of x. */
static inline const char *stats_strengths(const double *x, size_t items, size_t raters, int ties)
{
    hone_match m[32];
    double s[32], se[32];
    hone_strengths out;
    size_t n = 0, players = raters < 2 ? 2 : raters > 32 ? 32 : raters;
    for (size_t i = 0; i < items && n < 32; i++, n++) {
        const double *row = x + i * raters;
        m[n] = (hone_match){(uint32_t)(i % players), (uint32_t)((i + 1 + i / players) % players),
                            raters > 0 ? fabs(row[0]) : 1, raters > 1 ? fabs(row[1]) : 1,
                            raters > 2 ? fabs(row[2]) : 0};
    }
    if (hone_strength_fit(m, n, players, 0, ties, s, se, &out) < 0)
        return NULL; /* a match that is none */
    for (size_t k = 0; k < players; k++)
        if (!isfinite(s[k]) || !isfinite(se[k]))
            return "strength";
    return isfinite(out.eta) ? NULL : "eta";
}

static inline const char *stats_agreement(const hone_ratings *r, const hone_boot *boot)
{
    for (int k = 0; k < HONE_AGREE_COUNT; k++) {
        hone_agree_kind kind = (hone_agree_kind)k;
        STATS_CHECK(hone_agree_all(r, kind, boot, &f_));
        STATS_CHECK(hone_agree_with(r, 0, kind, boot, &f_));
        STATS_CHECK(hone_agree_difference(r, 0, kind, boot, &f_));
    }
    hone_alt_test t;
    if (hone_alt_test_run(r, 0, 0, 0, 0, boot, NULL, &t) >= 0 &&
        (isnan(t.winning_rate) || isnan(t.advantage)))
        return "alt_test";
    if (hone_alt_test_run(r, 0, 1, .1, .2, boot, NULL, &t) >= 0 &&
        (isnan(t.winning_rate) || isnan(t.advantage)))
        return "alt_test by distance";
    hone_figure table = hone_agree_fleiss_table(r->x, r->items, r->raters);
    return stats_sane(&table) ? NULL : "fleiss of a table";
}

/* Two columns of n rows each, some of it as groups and thresholds. */
static inline const char *stats_columns(const double *x, const double *y, const uint64_t *group,
                                        size_t n, const hone_boot *boot)
{
    for (int ties = 0; ties < 2; ties++) {
        hone_rank_ties t = ties ? HONE_RANK_TIES_HALF : HONE_RANK_TIES_BOTH;
        STATS_CHECK(hone_rank_pairwise(x, y, NULL, n, 0, t, boot, &f_));
        STATS_CHECK(hone_rank_pairwise(x, y, NULL, n, .5, t, boot, &f_));
        STATS_CHECK(hone_rank_pairwise(x, y, group, n, 0, t, boot, &f_));
        STATS_CHECK(hone_rank_pairwise(x, y, group, n, .5, t, boot, &f_));
    }
    STATS_CHECK(hone_rank_tau_b(x, y, n, boot, &f_));
    STATS_CHECK(hone_rank_tau_b_within(x, y, group, n, boot, &f_));
    STATS_CHECK(hone_rank_spearman(x, y, n, boot, &f_));
    STATS_CHECK(hone_rank_pearson(x, y, n, boot, &f_));
    STATS_CHECK(hone_interval_mean(x, n, boot, &f_));
    STATS_CHECK(hone_interval_difference(x, y, n, boot, &f_));
    STATS_CHECK(hone_interval_ratio(x, y, n, boot, &f_));
    STATS_CHECK(hone_interval_share(x, n, boot, &f_));
    STATS_CHECK(hone_curve_brier(x, y, n, boot, &f_));
    STATS_CHECK(hone_curve_ece(x, y, n, 0, boot, &f_));
    STATS_CHECK(hone_curve_ece(x, y, n, 3, boot, &f_));
    STATS_CHECK(hone_prevalence_estimate(x, y, n, y, n / 2, group, boot, &f_));
    STATS_CHECK(hone_prevalence_estimate(x, y, n / 2, x, n, NULL, boot, &f_));
    STATS_CHECK(hone_ppi_mean(x, y, n, y, n / 2, group, boot, &f_, NULL));
    STATS_CHECK(hone_ppi_mean(x, y, n, y, n, NULL, boot, &f_, NULL));
    if (n >= 6) {
        hone_prevalence in = {x[0], x[1], x[2], x[3], x[4], x[5]};
        hone_figure f = hone_prevalence_corrected(&in, y[0]);
        if (!stats_sane(&f))
            return "hone_prevalence_corrected";
        f = hone_interval_wilson(x[0], x[1], y[0]);
        if (!stats_sane(&f))
            return "hone_interval_wilson";
    }
    hone_length_control l;
    if (hone_length_control_fit(x, y, n, boot, &l) >= 0 &&
        (!stats_sane(&l.raw) || !stats_sane(&l.controlled) || !stats_sane(&l.slope)))
        return "hone_length_control_fit";
    hone_confusion c;
    if (hone_confusion_binary(x, y, n, .5, .5, boot, &c) >= 0 &&
        (!stats_sane(&c.tpr) || !stats_sane(&c.tnr) || !stats_sane(&c.precision) ||
         !stats_sane(&c.accuracy)))
        return "hone_confusion_binary";
    double at = 0;
    const char *why;
    if (hone_confusion_threshold(x, y, n, .5, &at, &why) >= 0 && !why && !isfinite(at))
        return "hone_confusion_threshold";
    static const double levels[3] = {-1, 0, 4};
    uint64_t counts[9], sum = 0;
    size_t used = hone_confusion_table(x, y, n, levels, 3, counts);
    for (int k = 0; k < 9; k++)
        sum += counts[k];
    if (sum != used)
        return "hone_confusion_table";
    hone_isotonic m;
    if (hone_isotonic_fit(x, y, n, &m) >= 0) {
        double before = hone_isotonic_at(&m, -(double)INFINITY), v;
        int ok = isfinite(before);
        for (size_t i = 0; i < m.n && ok; i++, before = v) {
            v = hone_isotonic_at(&m, m.x[i]);
            ok = isfinite(v) && (i == 0 || m.x[i] > m.x[i - 1]) && v >= before;
        }
        ok = ok && isfinite(hone_isotonic_at(&m, (double)NAN));
        hone_isotonic_release(&m);
        if (!ok)
            return "hone_isotonic";
    }
    return NULL;
}

static inline const char *stats_within(const double *x, size_t rows, size_t repeats,
                                       const uint64_t *group, const hone_boot *boot)
{
    hone_reliability r;
    if (hone_reliability_measure(x, rows, repeats, group, boot, &r) >= 0) {
        const double numbers[] = {r.flip, r.msb, r.mse, r.var_c, r.var_e, r.repeats, r.group_size};
        if (!stats_sane(&r.rho) || !stats_sane(&r.zero_variance) || !stats_sane(&r.tie_share) ||
            !stats_sane(&r.flip_once))
            return "hone_reliability_measure";
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (!isfinite(numbers[k]))
                return "a number of hone_reliability";
        hone_reliability_repeats(&r, .8);
    }
    STATS_CHECK(hone_reliability_contrast(x, rows, repeats, group, 2, boot, &f_));
    return NULL;
}

/* x (items, raters), group[items]. Columns 0 and 1 are two scores when there are two. */
static inline const char *stats_all(const double *x, size_t items, size_t raters,
                                    const uint64_t *group, const hone_boot *boot)
{
    static const double scale[5] = {1, 2, 3, 4, 5};
    hone_ratings r = {.x = x, .items = items, .raters = raters};
    const char *bad = stats_agreement(&r, boot);
    r.levels = scale;
    r.n_levels = 5;
    bad = bad ? bad : stats_agreement(&r, boot);
    bad = bad ? bad : stats_within(x, items, raters, group, boot);
    bad = bad ? bad : stats_strengths(x, items, raters, 0);
    bad = bad ? bad : stats_strengths(x, items, raters, 1);
    double *a = malloc((items + 1) * sizeof *a), *b = malloc((items + 1) * sizeof *b);
    for (size_t i = 0; a && b && i < items; i++) {
        a[i] = raters ? x[i * raters] : 0;
        b[i] = raters > 1 ? x[i * raters + 1] : (double)NAN;
    }
    if (a && b && !bad)
        bad = stats_columns(a, b, group, items, boot);
    free(a);
    free(b);
    return bad;
}
#endif
