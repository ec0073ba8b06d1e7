/* agreement.h - how far raters agree: Cohen, Fleiss, Krippendorff, Gwet, intraclass correlation.
 *
 * Ratings are a matrix of items by raters; a judge is one more column. Three questions are asked of
 * it: do all columns agree (the experts' ceiling), does one column agree with the others (judge and
 * experts), and how much is the second below the first, on the same bootstrap replicates (the gate's
 * line). All cost one pass over the matrix plus work on sums per cluster. Conventions of NaN, reasons
 * and boot: interval.h; boot->cluster is by item.
 * Sources: judges.md section 6; Cohen 1968, Fleiss 1971, Krippendorff 2011, Gwet 2008 and 2014, Shrout
 * & Fleiss 1979. */
#ifndef HONE_CORE_JUDGE_AGREEMENT_H
#define HONE_CORE_JUDGE_AGREEMENT_H
#include "judge/interval.h"

#define HONE_AGREE_LEVELS                                                                          \
    256 /* more distinct values are no levels: alpha_interval and icc remain */

typedef struct hone_ratings {
    const double *x; /* (items, raters) row-major; NaN: missing */
    size_t items, raters;
    /* The scale, ascending: each value counts as its nearest level, half-way as the lower. NULL: the
     * values found are the levels. Alpha interval/ratio and icc take values as they are. */
    const double *levels;
    size_t n_levels;
} hone_ratings;

/* Kind, its name in reports and Lua. Weights by index of level: |i-j|/(q-1) or its square.
 * Kappa of more than two columns: the pairs of columns are pooled, 1 - sum(w O)/sum(w E) with E from
 * the two columns on the items they share. ICC uses items that every column rated. */
#define HONE_AGREE_KINDS(X)                                                                        \
    X(ACCURACY, "accuracy") /* pairs of raters that say the same level */                          \
    X(KAPPA, "kappa")                                                                              \
    X(KAPPA_LINEAR, "kappa_linear")                                                                \
    X(KAPPA_QUADRATIC, "kappa_quadratic") /* "kappa_w" of the reports */                           \
    X(FLEISS, "fleiss")                                                                            \
    X(AC1, "ac1")                                                                                  \
    X(AC2_LINEAR, "ac2_linear")                                                                    \
    X(AC2_QUADRATIC, "ac2_quadratic") /* "ac2" of the reports */                                   \
    X(ALPHA_NOMINAL, "alpha_nominal")                                                              \
    X(ALPHA_ORDINAL, "alpha_ordinal") /* "alpha" of the reports */                                 \
    X(ALPHA_INTERVAL, "alpha_interval")                                                            \
    X(ALPHA_RATIO, "alpha_ratio")                                                                  \
    X(ICC1, "icc1")                                                                                \
    X(ICC2, "icc2")                                                                                \
    X(ICC3, "icc3")                                                                                \
    X(ICC1_MEAN, "icc1_mean") /* of the mean over the raters, by Spearman-Brown */                 \
    X(ICC2_MEAN, "icc2_mean")                                                                      \
    X(ICC3_MEAN, "icc3_mean")
typedef enum hone_agree_kind {
#define X(id, name) HONE_AGREE_##id,
    HONE_AGREE_KINDS(X)
#undef X
        HONE_AGREE_COUNT
} hone_agree_kind;
const char *hone_agree_name(hone_agree_kind k);              /* "?" when it is none */
int hone_agree_find(const char *name, hone_agree_kind *out); /* 1 when found */

/* All columns among themselves. n: items with two ratings or more. */
hone_status hone_agree_all(const hone_ratings *r, hone_agree_kind kind, const hone_boot *boot,
                           hone_figure *out);
/* Column `one` with each of the others, pooled: pairs (one, other) are the units. For icc the second
 * column is the mean of the others. n: items with `one` and another. */
hone_status hone_agree_with(const hone_ratings *r, size_t one, hone_agree_kind kind,
                            const hone_boot *boot, hone_figure *out);
/* hone_agree_with minus the same measure over pairs of the others among themselves. Needs two other
 * columns that share items. n: items with two of the others and `one`. Not for icc (E_INVALID). */
hone_status hone_agree_difference(const hone_ratings *r, size_t one, hone_agree_kind kind,
                                  const hone_boot *boot, hone_figure *out);
/* Fleiss 1971 from a table (items, levels) of how many raters chose each level; no interval. */
hone_figure hone_agree_fleiss_table(const double *counts, size_t items, size_t levels);
#endif
