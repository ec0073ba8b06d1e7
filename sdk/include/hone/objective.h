/* hone/objective.h - losses and advantages as plain arithmetic on per-token log-probs.
 *
 * Arrays are flat and unpadded: sequence s owns tokens [seq_begin[s], seq_begin[s+1]). All numbers are
 * double. The host calls `loss` once per micro-batch; totals over the whole optimizer step are given, so
 * that any split into micro-batches gives the same update. An objective that needs every sequence of the
 * step at once says WHOLE_BATCH: the host then scores first (same bits) and calls once. (objectives.md) */
#ifndef HONE_OBJECTIVE_H
#define HONE_OBJECTIVE_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_OBJECTIVE "hone.objective/1"
#define HONE_IFACE_ADVANTAGE "hone.advantage/1"

/* What an objective reads (bits of `uses`). logp and mask are always there. */
#define HONE_OBJ_OLD (1u << 0) /* log-probs of the policy that the update starts from */
#define HONE_OBJ_REF (1u << 1)
#define HONE_OBJ_SAMPLER (1u << 2)
#define HONE_OBJ_ENTROPY (1u << 3)
#define HONE_OBJ_VALUE (1u << 4)
#define HONE_OBJ_ADVANTAGE (1u << 5)
#define HONE_OBJ_PAIRS (1u << 6)       /* preference pairs: sequences 2i chosen, 2i+1 rejected */
#define HONE_OBJ_WHOLE_BATCH (1u << 7) /* not separable over sequences */
#define HONE_OBJ_UNPAIRED (1u << 8)    /* role[] says desirable or not */
#define HONE_OBJ_TEACHER (1u << 9)     /* teacher_logp */
#define HONE_OBJ_DIVERGENCE (1u << 10) /* divergence, of the kind that `wants` tells */
#define HONE_OBJ_COMPLETED                                                                         \
    (1u << 11) /* samples that were cut off at the limit are to be left out */
#define HONE_OBJ_COLLISION (1u << 12) /* collision */
#define HONE_OBJ_BEHIND                                                                            \
    (1u << 13) /* with VALUE: of the state behind each token (a score), not before it */

enum { HONE_ROLE_NONE = 0, HONE_ROLE_CHOSEN = 1, HONE_ROLE_REJECTED = 2 };

typedef struct hone_objective_in {
    uint32_t struct_size, reserved;
    size_t n_tokens, n_seqs;
    const size_t *seq_begin; /* n_seqs + 1 */
    const double *logp;      /* n_tokens: the policy's */
    const double *mask;      /* n_tokens: weight of the token, 0 = not trained on */
    const double *old_logp, *ref_logp, *sampler_logp, *entropy, *value,
        *advantage; /* n_tokens, or NULL */
    const double
        *length; /* n_seqs: |y|, the sum of mask (given explicitly: sums may come as one token) */
    const uint32_t *group; /* n_seqs */
    const uint32_t *role;  /* n_seqs, HONE_ROLE_*, or NULL */
    double total_tokens, total_seqs,
        total_pairs;   /* over the whole optimizer step: sum of mask, sequences with mask, pairs */
    double max_length; /* longest completion allowed (dr_grpo), 0 = unknown */
    const double *teacher_logp; /* n_tokens or NULL: log-probs of the policy that is learnt from */
    const double *divergence; /* n_tokens or NULL: teacher against policy, of whole distributions */
    const double
        *collision; /* n_tokens or NULL: log of the sum of squared probabilities, a constant */
    const double
        *margin; /* n_seqs or NULL: by how much the chosen one is better; of pair i at 2i */
    double total_chosen_tokens; /* over the step: sum of mask of sequences that are not REJECTED */
    const uint8_t *truncated;   /* n_seqs or NULL: 1 = cut off at the limit */
    double total_chosen_seqs;   /* over the step: sequences with mask that are not REJECTED */
    /* What the values were when the samples were drawn, and what they are to be: n_tokens, or NULL. */
    const double *old_value, *returns;
} hone_objective_in;

/* Metrics: how values of several micro-batches combine. */
enum {
    HONE_METRIC_MEAN = 0, /* sum of value*weight / sum of weight */
    HONE_METRIC_SUM = 1,
    HONE_METRIC_MIN = 2,
    HONE_METRIC_MAX = 3
};
typedef struct hone_objective_out {
    uint32_t struct_size, reserved;
    double loss;          /* this call's part of the step's loss: parts are summed */
    double *grad_logp;    /* n_tokens, zeroed by the host: d loss / d logp */
    double *grad_entropy; /* n_tokens or NULL */
    double *grad_value;   /* n_tokens or NULL */
    void *ctx;
    void (*metric)(const struct hone_objective_out *out, const char *name, uint32_t how,
                   double value, double weight); /* [worker-thread & active] */
    size_t n_tokens;                             /* of the arrays: those of `in` */
    double *grad_divergence;                     /* n_tokens or NULL */
} hone_objective_out;

/* What an objective wants computed beside log-probs. The host fills in what holds where it says nothing. */
typedef struct hone_objective_wants {
    uint32_t struct_size, reserved;
    /* DIVERGENCE: 0 = KL(teacher || policy), 1 = KL(policy || teacher), between: b KL(teacher || m) + (1 - b)
     * KL(policy || m), m = b teacher + (1 - b) policy; of both at this temperature. (0, 1) */
    double beta, temperature;
    /* NEFTune: while training, uniform noise of at most this / sqrt(tokens * width) is added to the embeddings. (0) */
    double embed_noise;
} hone_objective_wants;

typedef struct hone_objective_v1 {
    uint32_t struct_size, reserved;
    uint32_t (*uses)(
        void *self); /* HONE_OBJ_*, may depend on the configuration; cannot fail [any-thread] */
    hone_status (*loss)(void *self, const hone_objective_in *in_bor,
                        hone_objective_out *out_bor); /* [worker-thread & active] */
    /* The formula, its source, its parameters' meaning and where trainers differ, as plain text, valid
     * until destroy; {NULL,0} on failure. [any-thread] */
    hone_str (*show)(void *self);
    /* May depend on the configuration. Optional. [any-thread] */
    hone_status (*wants)(void *self, hone_objective_wants *out_bor);
} hone_objective_v1;

/* Advantages: from rewards of a batch to one number a sequence, or one a token. */
typedef struct hone_advantage_in {
    uint32_t struct_size, reserved;
    size_t n_seqs, n_rewards, n_tokens;
    const double *rewards;   /* n_rewards x n_seqs, row-major */
    const uint8_t *scored;   /* n_rewards x n_seqs: 0 = no score (abstain, error, timeout) */
    const double *weights;   /* n_rewards */
    const uint32_t *group;   /* n_seqs */
    const double *length;    /* n_seqs */
    const size_t *seq_begin; /* n_seqs + 1, or NULL when no token arrays are given */
    const double *mask, *value, *logp, *ref_logp; /* n_tokens or NULL */
    const double *baseline;                       /* n_seqs or NULL (remax) */
    double max_length;                            /* longest completion allowed, 0 = unknown */
} hone_advantage_in;
typedef struct hone_advantage_out {
    uint32_t struct_size, per_token; /* the plugin sets per_token to 1 when it filled token */
    double *seq;                     /* n_seqs */
    double *token;                   /* n_tokens, or NULL */
    double *combined; /* n_seqs: the weighted reward of each sequence, NaN when it left its group */
    uint8_t *left_out; /* n_seqs: 1 = left its group: no gradient */
    double *
        returns; /* n_tokens or NULL: what a value head learns (gae: advantage + value, before whitening) */
    size_t n_seqs, n_tokens; /* of the arrays: those of `in` */
} hone_advantage_out;
#define HONE_ADV_PER_TOKEN (1u << 0)
#define HONE_ADV_VALUE (1u << 1) /* reads value */
typedef struct hone_advantage_v1 {
    uint32_t struct_size, flags;
    hone_status (*compute)(void *self, const hone_advantage_in *in_bor,
                           hone_advantage_out *out_bor); /* [worker-thread & active] */
    hone_str (*show)(
        void *self); /* as above; {NULL,0} on failure; valid until destroy [any-thread] */
} hone_advantage_v1;

/* In C, `const hone_component NAME`, an objective with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_OBJECTIVE(name, table, ...)                                                    \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_OBJECTIVE, HONE_IFACE_OBJECTIVE, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
