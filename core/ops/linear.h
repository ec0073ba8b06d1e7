/* linear.h - attributes and descriptors of the ops that read a panelled weight.
 *
 *   linear/1          x (T,K), W (N,K) panels, [bias (N,1) or (1,N)], then for each adapter a
 *                     A_a (r,K) panels, B_a (N,r) panels
 *                     -> y (T,N) = x W^T + b + sum_a scale_a (x A_a^T) B_a^T
 *   embed/1           table (V,C) panels  -> y (T,C), y[t] = scale*table[batch->tokens[t]]
 *   linear_logprob/1  hidden (T,C), W (V,C) panels  -> logp (n_targets,1), [entropy (n_targets,1)]
 *   logits/1          hidden (T,C), W (V,C) panels  -> (n_logit_rows,V)
 *
 * The last two see z = inv_temperature * cap(logit_scale * h W^T), cap(v) =
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

typedef struct hone_linear_logprob_attr {
    float inv_temperature; /* > 0 */
    float softcap;         /* 0 = none */
    float logit_scale;     /* 1 when unused */
    uint32_t want_entropy; /* a second output */
} hone_linear_logprob_attr;

typedef struct hone_logits_attr {
    float softcap, logit_scale;
} hone_logits_attr;

/* Forward of 2 or HONE_LINEAR_TOGETHER linear/1 of one x, none with adapters, as one job: the bits of one after the other.
 * [worker-thread] */
enum { HONE_LINEAR_TOGETHER = 3 };
void hone_linear_together(const hone_op_args *const *args, int n, const hone_exec *ex);

extern const hone_op hone_op_linear, hone_op_embed, hone_op_linear_logprob, hone_op_logits;
#endif
