/* update.h - from token sequences to optimizer steps.
 *
 * Training data are trees: a prompt and the sequences that follow it (a group, the two halves of a pair, one
 * conversation). A step builds one segment forest, splits it at tree boundaries into micro-batches, runs the
 * model once per part, asks the objective for loss and gradient of the log-probs, goes backward, and updates.
 * The normalisers are those of the whole step, weight gradients are one chain in batch order: any split gives
 * the same bits. Rows without a target never reach the output layer. (compute.md 2-4, architecture.md step 6)
 *
 * With several ranks (train/comm.h) the functions here are collective: each rank gives the same trees, which is
 * checked. Passes without gradients are divided by micro-batch, the optimizer's step by slice; losses, metrics
 * and parameters come out with the same bits on every rank, and with those of one rank alone. */
#ifndef HONE_CORE_TRAIN_UPDATE_H
#define HONE_CORE_TRAIN_UPDATE_H
#include "host/registry.h"
#include "nn/forest.h"
#include "train/metrics.h"
#include "train/policy.h"

typedef struct hone_train_seq {
    const int32_t *ids; /* n tokens after the prompt */
    size_t n;
    const uint8_t *mask;       /* n: 1 = trained on; NULL = all */
    const float *sampler_logp; /* n: of the distribution sampled from, or NULL */
    const float *full_logp;    /* n: of the full one at the temperature (old log-probs), or NULL */
    const double *advantage;   /* n: one a token, or NULL */
    const double *value;   /* n: what a head said before each token when it was drawn, or NULL */
    const double *returns; /* n: what it is to say (with value), or NULL */
    double seq_advantage;  /* used when advantage is NULL */
    uint32_t group, role;  /* HONE_ROLE_* */
    const int32_t
        *teacher_ids; /* n x teacher_k: the teacher's likeliest tokens at each place, or NULL */
    const float *teacher_logp; /* n x teacher_k: their log-probs */
    uint32_t teacher_k;
    double teacher_temperature; /* at which they are */
    double margin;              /* of a pair's chosen sequence: by how much it is better */
    int truncated;              /* cut off at the limit */
    int left_out;               /* no gradient, not counted */
    int counted_only; /* no gradient can come of it (advantage 0): only the normalisers count it */
} hone_train_seq;

typedef struct hone_train_tree {
    const int32_t *
        prompt; /* n_prompt may be 0: then there is one sequence and its first token has no target */
    size_t n_prompt;
    const hone_train_seq *seqs;
    size_t n_seqs;
} hone_train_tree;

enum { HONE_REF_NONE = 0, HONE_REF_ADAPTER_OFF = 1, HONE_REF_MODEL = 2 };

typedef struct hone_update_params {
    const hone_objective_v1 *objective;
    void *objective_self;
    hone_instance *objective_instance; /* or NULL */
    double temperature;                /* of the log-probs; 1 for supervised data */
    double lr;                         /* this step's */
    double clip;                       /* largest gradient norm; 0 = none */
    double clip_value;                 /* largest element of a gradient, before; 0 = none */
    double max_length;                 /* longest completion allowed (dr_grpo) */
    size_t micro_tokens;               /* tokens a micro-batch; 0 = automatic */
    uint32_t checkpoint_every;         /* activation checkpointing; 0 = none */
    uint32_t reference;                /* HONE_REF_* */
    hone_policy *reference_policy;
    hone_policy *teacher_policy; /* whom objectives that distil learn from, or NULL */
    uint32_t teacher_adapters;   /* a mask, of its adapters */
    uint64_t seed;               /* of noise on embeddings */
    int full_is_old; /* full_logp was drawn by this very version: it is old_logp, and mismatch is measured */
    int measure_mismatch;
} hone_update_params;

/* One optimizer step over all trees; metrics are added. A non-finite gradient skips the step (metric
 * "skipped"); the third in a row is E_FAIL. */
hone_status hone_policy_step(hone_policy *p, const hone_train_tree *trees, size_t n,
                             const hone_update_params *u, hone_metrics *m);
/* Loss and metrics without gradients (evaluation). */
hone_status hone_policy_loss(hone_policy *p, const hone_train_tree *trees, size_t n,
                             const hone_update_params *u, double *loss, hone_metrics *m);
/* Log-probs of every token of every sequence, in order, masked or not (a root's first token: NaN). `adapters`: a mask. */
hone_status hone_policy_logprobs(hone_policy *p, const hone_train_tree *trees, size_t n,
                                 double temperature, uint32_t adapters, size_t micro_tokens,
                                 float *out);
/* What the head of one number says before every token of every sequence, likewise. E_UNSUPPORTED: the policy has none. */
hone_status hone_policy_token_values(hone_policy *p, const hone_train_tree *trees, size_t n,
                                     size_t micro_tokens, double *out);
/* Largest token count of a micro-batch that is planned for by default. */
size_t hone_policy_auto_tokens(const hone_policy *p);
#endif
