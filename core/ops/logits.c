/* logits.c - the head's outputs for the rows that generation asks for.
 *
 * The same chain as linear_logprob/1, so that the distribution sampled from and the log-probs of
 * training have equal bits. Rows are gathered first; nothing but the wanted rows meets the head.
 * Inference only: training never makes a T x V array. */
#include "ops/linear.h"

#include "base/error.h"
#include "ops/head.h"
#include "ops/kern/rows.h"
#include "ops/kernels.h"
#include "ops/storage.h"

#include <stdio.h>
#include <string.h>

static hone_status logits_infer(hone_shape_ctx *c)
{
    if (c->n_in != 2 || !c->attr || !c->batch) {
        snprintf(c->error, sizeof c->error, "hidden, the head and a batch are wanted");
        return HONE_E_INVALID;
    }
    const hone_shape *h = &c->in[0], *w = &c->in[1];
    HONE_TRY(hone__head_shapes(c));
    c->n_out = 1;
    c->n_extra = 0;
    c->out[0] = (hone_shape){c->batch->n_logit_rows, w->rows, HONE_F32, HONE_ROWS};
    c->saves_in = c->saves_out = 0;
    c->thread_scratch = HONE_GEMM_SCRATCH;
    c->shared_scratch = (size_t)c->batch->n_logit_rows * (size_t)h->cols * sizeof(float);
    c->thread_scratch_bwd = c->shared_scratch_bwd = 0;
    return HONE_OK;
}

static void cap_task(void *arg, int64_t row, uint32_t thread)
{
    const hone_op_args *args = arg;
    const hone_logits_attr *at = args->attr;
    const hone_view *y = &args->out[0];
    (void)thread;
    hone_rows()->row_softcap((float *)y->data + row * y->ld, y->cols, at->logit_scale, at->softcap);
}

static hone_status logits_fwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_logits_attr *at = args->attr;
    const hone_view *h = &args->in[0], *w = &args->in[1], *y = &args->out[0];
    const hone_batch *b = args->batch;
    float *rows = ex->shared_scratch;
    for (int64_t i = 0; i < b->n_logit_rows; i++) {
        const int64_t r = b->logit_rows[i];
        if (r < 0 || r >= h->rows)
            return hone_fail(HONE_E_RANGE, "logits/1: row %lld of %lld is wanted", (long long)r,
                             (long long)h->rows);
        memcpy(rows + i * h->cols, (const float *)h->data + r * h->ld,
               (size_t)h->cols * sizeof(float));
    }
    const hone_gemm g = {.M = b->n_logit_rows,
                         .N = w->rows,
                         .K = w->cols,
                         .x = rows,
                         .ldx = h->cols,
                         .w = w->data,
                         .wtype = w->dtype,
                         .alpha = 1.0f,
                         .y = y->data,
                         .ldy = y->ld};
    hone_gemm_fwd(ex, &g);
    if (at->softcap > 0.0f || !(at->logit_scale == 1.0f)) {
        hone_op_args copy = *args;
        ex->parallel(ex, b->n_logit_rows, cap_task, &copy);
    }
    return HONE_OK;
}

static uint64_t logits_cost(const hone_op_args *args, uint64_t *bytes)
{
    const uint64_t n = (uint64_t)args->out[0].rows, V = (uint64_t)args->in[1].rows;
    const uint64_t C = (uint64_t)args->in[1].cols;
    if (bytes)
        *bytes = (V * C + n * (V + C)) * sizeof(float);
    return 2 * n * V * C;
}

const hone_op hone_op_logits = {
    .struct_size = sizeof(hone_op),
    .name = "logits/1",
    .attr_size = sizeof(hone_logits_attr),
    .infer = logits_infer,
    .fwd = logits_fwd,
    .cost = logits_cost,
};
