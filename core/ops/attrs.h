/* attrs.h - attributes of the built-in ops, as they stand behind hone_op_args.attr, and what each
 * op takes and gives. T: rows. Vectors (weights of norms) may come as (1,C) or (C,1). All float32
 * unless said.
 *
 *   rmsnorm/1       norm       x (T,C), w (C)               -> y          extra rstd (T,1)
 *   add_rmsnorm/1   norm       x (T,C), delta (T,C), w (C)  -> sum, y     extra rstd (T,1)
 *   head_rmsnorm/1  norm       x (T,H*D), w (D)             -> y          extra rstd (T,H)
 *   layernorm/1     norm       x (T,C), w (C), b (C)        -> y          extra mean, rstd (T,1)
 *   rope/1          rope       x (T,H*D)                    -> y          the batch's positions
 *   attention/1     attention  q (T,H*D), k, v (T,KV*D)     -> y (T,H*D)  extra logsumexp (T,H)
 *   swiglu/1 geglu/1           gate (T,C), up (T,C)         -> y
 *   magnitude/1                x (T,C), m, norm, [bias] (C) -> y = x m / norm + bias; no gradient to norm
 *   add/1 sub/1 mul/1 div/1 min/1 max/1
 *                              a (T,C), b (T,C) or (1,C) or (T,1) or (1,1) -> y (T,C)
 *   scale/1 add_scalar/1  scalar  x                         -> y
 *   clamp/1         clamp      x                            -> y
 *   exp/1 log/1 neg/1 abs/1 square/1 sqrt/1 sigmoid/1 logsigmoid/1 tanh/1 relu/1 silu/1 gelu/1
 *                              x                            -> y
 *   sum/1                      x                            -> (1,1)
 *   masked_mean/1              x (T,C), mask (T,C) or (T,1) -> (1,1)      sum(x*mask)/sum(mask)
 *   concat/1                   n inputs (T,Ci)              -> (T,sum Ci)
 *   slice/1         slice      x                            -> some columns, or rows
 *   gather_rows/1              x (T,C), index i32 (N,1)     -> (N,C)
 *   cast/1          cast       x                            -> y of that dtype
 *   detach/1                   x                            -> y = x; no gradient flows back
 *
 * The second column: hone_<it>_attr below, but hone_rope and hone_attention of hone/model.h.
 * linear/1, embed/1, linear_logprob/1, linear_divergence/1, logits/1: linear.h. */
#ifndef HONE_CORE_OPS_ATTRS_H
#define HONE_CORE_OPS_ATTRS_H
#include "hone/model.h"
#include "hone/ops.h"
#include "ops/linear.h"

typedef struct hone_norm_attr {
    float eps, w_offset; /* the weight is (w_offset + w); layernorm does not use w_offset */
    int32_t n_heads;     /* head_rmsnorm only, else 0 */
    uint32_t reserved;
} hone_norm_attr;

typedef struct hone_scalar_attr {
    float value;
} hone_scalar_attr;

typedef struct hone_clamp_attr {
    float lo, hi;
} hone_clamp_attr;

typedef struct hone_slice_attr {
    int64_t first, count;
    uint32_t axis; /* 0: columns, 1: rows */
    uint32_t reserved;
} hone_slice_attr;

typedef struct hone_cast_attr {
    uint32_t dtype; /* HONE_F32, HONE_BF16, HONE_F16, HONE_I32 */
} hone_cast_attr;
#endif
