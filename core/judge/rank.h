/* rank.h - agreement in order: Kendall tau-b, Spearman, pairwise accuracy.
 *
 * Two scores x, y of each of n rows; a row that lacks one is left out. tau-b counts pairs in
 * O(n log n) by merge sort (Knight 1966). "within": only pairs of one cluster are compared, which is
 * what a policy's advantage sees; their counts are added over clusters before the quotient is taken.
 * Conventions: interval.h. */
#ifndef HONE_CORE_JUDGE_RANK_H
#define HONE_CORE_JUDGE_RANK_H
#include "judge/interval.h"

/* (C - D)/sqrt((C + D + Tx)(C + D + Ty)) over all pairs. n: rows. Constant x or y is a reason. */
hone_status hone_rank_tau_b(const double *x, const double *y, size_t n, const hone_boot *boot,
                            hone_figure *out);
/* The same over pairs within one of the n `group`s. n: pairs. boot->cluster NULL: group is used. */
hone_status hone_rank_tau_b_within(const double *x, const double *y, const uint64_t *group,
                                   size_t n, const hone_boot *boot, hone_figure *out);
/* Pearson's correlation of mid-ranks. n: rows. */
hone_status hone_rank_spearman(const double *x, const double *y, size_t n, const hone_boot *boot,
                               hone_figure *out);

typedef enum hone_rank_ties {
    HONE_RANK_TIES_BOTH, /* right: same order, or tied by both; of all pairs (Deutsch et al. 2023) */
    HONE_RANK_TIES_HALF  /* pairs that y orders; a tie of x is half right: what the gate asks */
} hone_rank_ties;
/* Pearson's correlation of the scores themselves. n: rows. */
hone_status hone_rank_pearson(const double *x, const double *y, size_t n, const hone_boot *boot,
                              hone_figure *out);

/* How often x orders a pair as y does. |x_i - x_j| <= epsilon is a tie of x. group NULL: all pairs,
 * then at most 20,000 rows, more are a reason. n: pairs. */
hone_status hone_rank_pairwise(const double *x, const double *y, const uint64_t *group, size_t n,
                               double epsilon, hone_rank_ties ties, const hone_boot *boot,
                               hone_figure *out);
#endif
