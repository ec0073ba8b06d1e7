/* rows_table.c - the table of one kernel set: hone__k_rows_<set> (see rows.h). */
#include "ops/kern/rows_set.h"

#define SET_NAME_(s) #s
#define SET_NAME(s) SET_NAME_(s)

const hone_rows_kernels HONE_KFN(rows) = {
    .set = SET_NAME(HONE_KERN),
    .row_lse = HONE_KFN(row_lse),
    .row_entropy = HONE_KFN(row_entropy),
    .row_softmax = HONE_KFN(row_softmax),
    .row_logprob_grad = HONE_KFN(row_logprob_grad),
    .row_softcap = HONE_KFN(row_softcap),
    .row_argmax = HONE_KFN(row_argmax),
    .row_divergence = HONE_KFN(row_divergence),
    .row_divergence_grad = HONE_KFN(row_divergence_grad),
    .rmsnorm = HONE_KFN(rmsnorm),
    .add_rmsnorm = HONE_KFN(add_rmsnorm),
    .rmsnorm_dx = HONE_KFN(rmsnorm_dx),
    .norm_dw = HONE_KFN(norm_dw),
    .layernorm = HONE_KFN(layernorm),
    .layernorm_dx = HONE_KFN(layernorm_dx),
    .colsum = HONE_KFN(colsum),
    .rope = HONE_KFN(rope),
    .swiglu = HONE_KFN(swiglu),
    .swiglu_bwd = HONE_KFN(swiglu_bwd),
    .geglu = HONE_KFN(geglu),
    .geglu_bwd = HONE_KFN(geglu_bwd),
    .unary = HONE_KFN(unary),
    .unary_bwd = HONE_KFN(unary_bwd),
    .binary = HONE_KFN(binary),
    .binary_bwd = HONE_KFN(binary_bwd),
    .row_sum = HONE_KFN(row_sum),
    .row_dot = HONE_KFN(row_dot),
    .row_axpy = HONE_KFN(row_axpy),
    .attn_fwd = HONE_KFN(attn_fwd),
    .attn_bwd = HONE_KFN(attn_bwd),
};
