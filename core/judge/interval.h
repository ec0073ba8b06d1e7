/* interval.h - intervals: the cluster bootstrap by prompt, means, shares, corrected prevalence, PPI++.
 *
 * Items of one prompt are not independent, so what is drawn again (or left out in turn) is the prompt.
 * More than HONE_BOOT_CLUSTERS clusters are dealt to that many groups first, which keeps them
 * independent and makes 10 million rows cost one pass. Numbers are drawn by counter: same inputs, same
 * bits. In every function here and in the other headers of statistics:
 *   - NaN in an input is "missing" and its row is left out; an infinity is a reason;
 *   - what the data cannot tell is out->why, with HONE_OK; a status below zero is E_NOMEM or a
 *     programmer's error (E_INVALID), and outputs are untouched then;
 *   - boot == NULL: no interval, only the value. [any-thread] throughout. */
#ifndef HONE_CORE_JUDGE_INTERVAL_H
#define HONE_CORE_JUDGE_INTERVAL_H
#include "judge/figure.h"

#define HONE_BOOT_CLUSTERS 1000
#define HONE_BOOT_MIN_CLUSTERS 5 /* fewer: no interval, and a note that says so */

typedef struct hone_boot {
    const uint64_t
        *cluster; /* [n] of the rows: any numbers (a hash of prompt_id); NULL: each its own */
    uint32_t replicates; /* 0: 1,000 */
    uint64_t seed;
    double level; /* 0: .95 */
} hone_boot;

/* The mean of x; of a - b by rows that have both (paired). n: rows used. */
hone_status hone_interval_mean(const double *x, size_t n, const hone_boot *boot, hone_figure *out);
hone_status hone_interval_difference(const double *a, const double *b, size_t n,
                                     const hone_boot *boot, hone_figure *out);
/* sum(num)/sum(den) over rows that have both; den >= 0. n: rows used. */
hone_status hone_interval_ratio(const double *num, const double *den, size_t n,
                                const hone_boot *boot, hone_figure *out);
/* The share of rows with x != 0: Wilson's interval, with the number of rows divided by the design
 * effect of the clusters (never below 1); with no clusters Wilson as it is. */
hone_status hone_interval_share(const double *x, size_t n, const hone_boot *boot, hone_figure *out);
/* Wilson 1927 from counts; they may be fractions (effective counts). n of the figure: n rounded. */
hone_figure hone_interval_wilson(double hits, double n, double level);

/* Share of positives among n judged items, corrected for what the judge gets wrong (Rogan & Gladen
 * 1978): theta = (p + q0 - 1)/(q0 + q1 - 1), with the interval of Lang & Reiczigel 2014. Clipped to
 * [0, 1]. A judge no better than chance (q0 + q1 <= 1) is a reason. Counts may be effective ones. */
typedef struct hone_prevalence {
    double hits, n;             /* judged positive, judged */
    double true_pos, positives; /* experts say yes: judge agrees, all */
    double true_neg, negatives; /* experts say no: judge agrees, all */
} hone_prevalence;
hone_figure hone_prevalence_corrected(const hone_prevalence *in, double level);
/* The same from rows: judge and expert (0/1, NaN: unknown) on n labelled rows, judge_more on n_more
 * rows without label, from which p is taken (with none the labels' own share, which theta then is).
 * Design effects of the clusters divide the counts. boot->cluster is of the labelled rows, cluster_more
 * of the others. n: labelled. */
hone_status hone_prevalence_estimate(const double *judge, const double *expert, size_t n,
                                     const double *judge_more, size_t n_more,
                                     const uint64_t *cluster_more, const hone_boot *boot,
                                     hone_figure *out);

/* Prediction-powered mean (Angelopoulos, Duchi & Zrnic 2023): y by experts and y_hat by the judge on
 * n rows, y_hat_more on n_more rows: mean(lambda y_hat_more) + mean(y - lambda y_hat), lambda =
 * clip(cov(y, y_hat)/((1 + n/n_more) var(y_hat)), 0, 1). n_more = 0: the plain mean. *lambda may be
 * NULL. n: labelled rows used. */
hone_status hone_ppi_mean(const double *y, const double *y_hat, size_t n, const double *y_hat_more,
                          size_t n_more, const uint64_t *cluster_more, const hone_boot *boot,
                          hone_figure *out, double *lambda);
#endif
