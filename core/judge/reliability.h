/* reliability.h - within-group discriminability, the question reinforcement learning asks (section 7).
 *
 * s_pir = mu + P_p + C_p(i) + e: prompts p, completions i of a prompt, repeats r of the judge. Only
 * C_p(i) moves an advantage, so rho is its share in the variance of a completion's mean score within
 * its prompt: rho = (MSB - MSE)/MSB. Unequal numbers of repeats are weighed by them. Conventions:
 * interval.h; what is drawn again is the prompt. */
#ifndef HONE_CORE_JUDGE_RELIABILITY_H
#define HONE_CORE_JUDGE_RELIABILITY_H
#include "judge/interval.h"

typedef struct hone_reliability {
    hone_figure rho;           /* n: completions; below 0 when noise is all there is */
    hone_figure zero_variance; /* share of groups whose completions all score the same; n: groups */
    hone_figure tie_share;     /* share of pairs of one group with equal scores; n: pairs */
    hone_figure
        flip_once; /* measured: an advantage's sign changes between two single runs; n: pairs */
    double flip;   /* arccos(rho)/pi at the repeats used, rho clipped to [0, 1]; .5 when unknown */
    double msb, mse;     /* 0 when unknown */
    double var_c, var_e; /* never below 0 */
    double repeats;      /* mean number of repeats that count in MSB (n0 of an unbalanced design) */
    size_t groups, completions, scores, dropped_groups; /* dropped: fewer than two completions */
    double group_size;                                  /* mean, of the groups kept */
} hone_reliability;

/* x (rows, repeats): the scores of one completion a row, NaN: no verdict; group[rows]: its prompt.
 * boot->cluster is not read. With one repeat rho is a reason and the rest still holds. */
hone_status hone_reliability_measure(const double *x, size_t rows, size_t repeats,
                                     const uint64_t *group, const hone_boot *boot,
                                     hone_reliability *out);
/* Repeats needed for reliability `target` (0 < target < 1): ceil(target/(1-target) var_e/var_c), at
 * least 1; 0 when no number is enough or it is unknown. */
size_t hone_reliability_repeats(const hone_reliability *r, double target);
/* How far one criterion tells completions of a prompt apart: mean over groups of the standard
 * deviation of its completions' means, divided by `range` (> 0) of the criterion. n: groups. */
hone_status hone_reliability_contrast(const double *x, size_t rows, size_t repeats,
                                      const uint64_t *group, double range, const hone_boot *boot,
                                      hone_figure *out);
#endif
