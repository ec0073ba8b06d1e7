/* linear.h - attributes and descriptors of the ops that read a panelled weight.
 *
 *   linear/1          x (T,K), W (N,K) panels, [bias (N,1) or (1,N)], then for each adapter a
 *                     A_a (r,K) panels, B_a (N,r) panels
 *                     -> y (T,N) = x W^T + b + sum_a scale_a (x A_a^T) B_a^T
 *   embed/1           table (V,C) panels  -> y (T,C), y[t] = scale*table[batch->tokens[t]]
 *   linear_logprob/1  hidden (T,C), W (V,C) panels  -> logp (n_targets,1), [entropy (n_targets,1)]
 *   logits/1          hidden (T,C), W (V,C) panels  -> (n_logit_rows,V)
 *   linear_divergence/1
 *                     hidden (T,C), W (V,C) panels, and of the teacher
 *                     hidden (T,Ct), W (V,Ct) panels, or its largest K of each target: ids
 *                     (n_targets,K) i32, log-probs (n_targets,K)
 *                     -> logp, divergence (n_targets,1), [entropy (n_targets,1)]
 *
 * The last three see z = inv_temperature * cap(logit_scale * h W^T), cap(v) =
 * softcap*tanh(v/softcap); logits/1 leaves inv_temperature out. */
#ifndef HONE_CORE_OPS_LINEAR_H
#define HONE_CORE_OPS_LINEAR_H
#include "hone/ops.h"

enum { HONE_LINEAR_ADAPTERS = 4 };
typedef struct hone_linear_attr {
    uint32_t has_bias, n_adapters;
    float scale[HONE_LINEAR_ADAPTERS];
} hone_linear_attr;

typedef struct hone_embed_attr {
    float scale;
} hone_embed_attr;

/* Is there an output of entropies, and does a gradient come through it? */
enum { HONE_ENTROPY_NONE = 0, HONE_ENTROPY_TRAINED = 1, HONE_ENTROPY_SHOWN = 2 };

typedef struct hone_linear_logprob_attr {
    float inv_temperature; /* > 0 */
    float softcap;         /* 0 = none */
    float logit_scale;     /* 1 when unused */
    uint32_t want_entropy; /* HONE_ENTROPY_*: a second output */
} hone_linear_logprob_attr;

/* beta 0: KL(teacher || student); 1: KL(student || teacher); between: the generalised Jensen-Shannon
 * divergence beta KL(teacher || m) + (1 - beta) KL(student || m), m = beta teacher + (1 - beta) student. */
typedef struct hone_linear_divergence_attr {
    float inv_temperature; /* of log-probs and entropy */
    float softcap, logit_scale;
    float divergence_inv_temperature; /* of student and teacher in the divergence */
    float teacher_softcap, teacher_logit_scale;
    float beta;            /* 0 .. 1 */
    uint32_t want_entropy; /* a third output */
    uint32_t topk;         /* inputs 2 and 3 are ids and log-probs (at that temperature) */
} hone_linear_divergence_attr;

typedef struct hone_logits_attr {
    float softcap, logit_scale;
} hone_logits_attr;

/* Forward of 2 or HONE_LINEAR_TOGETHER linear/1 of one x, none with adapters, as one job: the bits of one after the other.
 * [worker-thread] */
enum { HONE_LINEAR_TOGETHER = 3 };
void hone_linear_together(const hone_op_args *const *args, int n, const hone_exec *ex);

extern const hone_op hone_op_linear, hone_op_embed, hone_op_linear_logprob, hone_op_logits,
    hone_op_linear_divergence;
#endif
