/* estimates.h - what a step's samples tell of it whatever the objective: agreement with the sampler, ratio, KL, lengths.
 *
 * Objectives report what they compute anyway (hone/objective.h). What recipes-and-cli.md promises of every method and
 * an objective did not report is estimated here from log-probs that the step has: no pass is run for it. [control-thread] */
#ifndef HONE_CORE_TRAIN_ESTIMATES_H
#define HONE_CORE_TRAIN_ESTIMATES_H
#include "train/update.h"

/* The trained-on tokens of a step. */
typedef struct hone__trained {
    const hone_train_seq *const *seq; /* (n_seq) */
    const size_t *seq_begin;          /* (n_seq + 1) into tok and logp */
    const size_t *tok;                /* place of the token in its sequence */
    const double *logp;               /* of the policy, before the step */
    const double *entropy;            /* of its distribution there, or NULL */
    size_t n_seq;
    int scored; /* a score of each sequence is trained, not its tokens */
} hone__trained;

/* The weight of what stands in `m` under that name, 0: nothing. */
double hone__estimate_weight(const hone_metrics *m, const char *name);
/* mismatch/mean and /max: |log-prob of the trainer - of the sampler| over tokens that were sampled. */
void hone__estimate_mismatch(const hone__trained *t, hone_metrics *m);
/* Of sequences that were sampled, with x = log-prob - the sampler's (untruncated, at its temperature):
 * ratio/mean, /min, /max of e^x, ratio/ess = (sum e^x)^2 / (n sum e^2x), clip/low and /high 0 unless `ratio`, and the
 * k1 = mean(-x) and k3 = mean(e^x - 1 - x) of KL(sampler || policy) unless `kl`   (Schulman 2020, "Approximating KL").
 * ratio, kl: the objective reported them itself. */
void hone__estimate_policy(const hone__trained *t, int ratio, int kl, hone_metrics *m);
/* Of sequences that are given, not sampled: length/mean, /min, /max in trained-on tokens (scored: all behind the prompt), and /truncated, the share of those
 * that were cut; and entropy, the mean of what the policy's next token is uncertain by. */
void hone__estimate_lengths(const hone__trained *t, hone_metrics *m);
#endif
