/* confusion.h - what the judge says where experts say something: table, sensitivity, precision.
 *
 * Conventions: interval.h; shares get Wilson intervals whose counts are divided by the design effect of
 * the clusters (hone_interval_share). */
#ifndef HONE_CORE_JUDGE_CONFUSION_H
#define HONE_CORE_JUDGE_CONFUSION_H
#include "judge/interval.h"

/* counts (q, q), rows: expert, columns: judge; each value counts as its nearest level (ascending).
 * Returns the rows counted. */
size_t hone_confusion_table(const double *judge, const double *expert, size_t n,
                            const double *levels, size_t q, uint64_t *counts);
/* counts[q] of the values, nearest level; returns how many. */
size_t hone_confusion_histogram(const double *x, size_t n, const double *levels, size_t q,
                                uint64_t *counts);

typedef struct hone_confusion {
    size_t tp, fp, tn, fn;
    hone_figure tpr, tnr, precision, accuracy; /* n: the denominators */
} hone_confusion;
/* positive: judge >= judge_at, expert >= expert_at */
hone_status hone_confusion_binary(const double *judge, const double *expert, size_t n,
                                  double judge_at, double expert_at, const hone_boot *boot,
                                  hone_confusion *out);
/* The threshold on the judge's score with the largest TPR + TNR (the higher one when equal); choose it
 * on dev, report it on test. With one class only *why says so and *threshold is left alone; else *why
 * is NULL. O(n log n). */
hone_status hone_confusion_threshold(const double *judge, const double *expert, size_t n,
                                     double expert_at, double *threshold, const char **why);
#endif
