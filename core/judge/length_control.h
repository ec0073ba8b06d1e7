/* length_control.h - which system wins at equal length (section 5).
 *
 * logit p(a preferred) = b0 + b1 tanh(d/sd(d)), d = length of a minus length of b; the controlled win
 * rate is s(b0). For comparing systems; in rewards the slope is only reported. Maximum likelihood with a
 * small ridge, cluster-robust intervals (sandwich). Idea: Dubois et al. 2024 (length-controlled
 * AlpacaEval). Conventions: interval.h. */
#ifndef HONE_CORE_JUDGE_LENGTH_CONTROL_H
#define HONE_CORE_JUDGE_LENGTH_CONTROL_H
#include "judge/interval.h"

typedef struct hone_length_control {
    hone_figure raw, controlled; /* win rates of a, ties half; n: comparisons */
    hone_figure slope;           /* b1 */
} hone_length_control;
/* y in [0, 1]: 1 a preferred, .5 tie, 0 b; d: the difference of lengths. */
hone_status hone_length_control_fit(const double *y, const double *d, size_t n,
                                    const hone_boot *boot, hone_length_control *out);
#endif
