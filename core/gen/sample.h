/* sample.h - one token from one row of logits.
 *
 * The choice depends on the row and one uniform number alone, so batch size, thread count and finishing
 * order change nothing. Log-probs use the same kernel as linear_logprob, so a sampler's and a trainer's
 * agree bit for bit. Order of the rules: repetition penalty, temperature, top-k, top-p, min-p. */
#ifndef HONE_CORE_GEN_SAMPLE_H
#define HONE_CORE_GEN_SAMPLE_H
#include "base/error.h"

typedef struct hone_sample_rule {
    double temperature; /* > 0; ignored when greedy */
    int greedy;         /* the largest logit, the lowest id among equals */
    int32_t top_k;      /* 0 = all */
    double top_p;       /* 1 = all; the smallest set with at least this mass */
    double min_p;       /* 0 = all; tokens at least this share of the likeliest one */
    double
        repetition_penalty; /* 1 = none; Keskar et al. 2019 (CTRL), on tokens of prompt and completion */
} hone_sample_rule;

/* E_RANGE, naming the field, for values that make no distribution. */
hone_status hone_sample_rule_check(const hone_sample_rule *r);

typedef struct hone_choice {
    int32_t id;
    float logprob; /* in the distribution that was sampled from */
    float full;    /* in the full distribution at the temperature (greedy: temperature 1) */
} hone_choice;

/* logits (n): read only unless the penalty applies. seen (n_seen): ids for the penalty. work: 3n floats.
 * u in [0,1). E_FAIL when no logit is finite. [worker-thread] */
hone_status hone_sample_choose(const hone_sample_rule *r, const float *logits, int64_t n,
                               const int32_t *seen, size_t n_seen, double u, float *work,
                               hone_choice *out);
/* The likeliest `max` ids that the rules leave, likeliest first, with their shares (sum 1): what a sampler of the
 * recipe weighs. Greedy: at temperature 1. Never one whose logit is -inf. E_FAIL as above. */
hone_status hone_sample_candidates(const hone_sample_rule *r, const float *logits, int64_t n,
                                   const int32_t *seen, size_t n_seen, int64_t max, float *work,
                                   int32_t *ids, double *share, int64_t *count);
/* Draws from n candidates by weights (0 or more, at least one above; greedy: the first of the largest): which, and
 * the log of its share. E_RANGE for weights that make no distribution. */
hone_status hone_sample_weighted(const hone_sample_rule *r, const double *weight, int64_t n,
                                 double u, int64_t *which, float *logprob);
/* Log-prob of `id` in the full distribution at the temperature (greedy: 1): hone_choice.full. */
hone_status hone_sample_full(const hone_sample_rule *r, const float *logits, int64_t n, int32_t id,
                             float *out);
#endif
