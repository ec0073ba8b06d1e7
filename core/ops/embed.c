/* embed.c - rows of the token table, and their gradient scattered back into its panels.
 *
 * The table is a panelled weight like any other (often the head's as well), so a row is read with a
 * stride of 32. Backward adds dy to the rows in token order, one chain for each element, parallel
 * over columns and never over tokens: micro-batches, threads and repeated tokens do not change
 * bits. The flag DEFER asks the tape to run it once, after the last micro-batch, because a tied
 * head adds to the same gradient. */
#include "ops/linear.h"

#include "base/error.h"
#include "ops/kernels.h"
#include "ops/storage.h"

#include <stdio.h>
#include <string.h>

static hone_status embed_infer(hone_shape_ctx *c)
{
    if (c->n_in != 1 || !c->attr || !c->batch) {
        snprintf(c->error, sizeof c->error, "one table and a batch are wanted");
        return HONE_E_INVALID;
    }
    const hone_shape *w = &c->in[0];
    if (w->layout != HONE_PANELS || w->rows < 1 || w->cols < 1 || !hone_storage_get(w->dtype)) {
        snprintf(c->error, sizeof c->error, "the table must be a panelled weight");
        return HONE_E_TYPE;
    }
    if ((c->needs_grad & 1) && !hone_storage_get(w->dtype)->trained) {
        snprintf(c->error, sizeof c->error, "a table stored as %s cannot be trained",
                 hone_storage_get(w->dtype)->name);
        return HONE_E_TYPE;
    }
    c->n_out = 1;
    c->n_extra = 0;
    c->out[0] = (hone_shape){c->batch->n_tokens, w->cols, HONE_F32, HONE_ROWS};
    c->saves_in = c->saves_out = 0;
    c->thread_scratch = c->thread_scratch_bwd = 0;
    c->shared_scratch = c->shared_scratch_bwd = 0;
    return HONE_OK;
}

struct job {
    const hone_op_args *args;
    int64_t parts;
};

static void embed_fwd_task(void *arg, int64_t task, uint32_t thread)
{
    const struct job *j = arg;
    const hone_view *w = &j->args->in[0], *y = &j->args->out[0];
    const float scale = ((const hone_embed_attr *)j->args->attr)->scale;
    const int64_t t0 = y->rows * task / j->parts, t1 = y->rows * (task + 1) / j->parts;
    (void)thread;
    for (int64_t t = t0; t < t1; t++) {
        float *o = (float *)y->data + t * y->ld;
        hone_panel_row(w, j->args->batch->tokens[t], o);
        if (!(scale == 1.0f))
            for (int64_t c = 0; c < y->cols; c++)
                o[c] *= scale;
    }
}

static hone_status embed_fwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_batch *b = args->batch;
    const int64_t V = args->in[0].rows;
    for (int64_t t = 0; t < b->n_tokens; t++)
        if (b->tokens[t] < 0 || b->tokens[t] >= V)
            return hone_fail(HONE_E_RANGE,
                             "embed/1: token %lld has the id %d of a table of %lld rows",
                             (long long)t, b->tokens[t], (long long)V);
    struct job j = {args, b->n_tokens < 64 ? 1 : 4 * (int64_t)ex->n_threads};
    ex->parallel(ex, j.parts, embed_fwd_task, &j);
    return HONE_OK;
}

static void embed_bwd_task(void *arg, int64_t task, uint32_t thread)
{
    const struct job *j = arg;
    const hone_view *d = &j->args->din[0], *dy = &j->args->dout[0];
    const float scale = ((const hone_embed_attr *)j->args->attr)->scale;
    const int64_t C = d->cols, c0 = C * task / j->parts, c1 = C * (task + 1) / j->parts;
    (void)thread;
    for (int64_t t = 0; t < dy->rows; t++) {
        const int64_t id = j->args->batch->tokens[t];
        const float *g = (const float *)dy->data + t * dy->ld;
        float *o = (float *)d->data + id / HONE_PANEL * C * HONE_PANEL + id % HONE_PANEL;
        for (int64_t c = c0; c < c1; c++)
            o[c * HONE_PANEL] = o[c * HONE_PANEL] + scale * g[c];
    }
}

static hone_status embed_bwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_view *d = &args->din[0];
    if (!args->dout[0].data || !d->data)
        return HONE_OK;
    if (args->din_fresh[0])
        memset(d->data, 0, (size_t)hone_panel_floats(d->rows, d->cols) * sizeof(float));
    struct job j = {args, 1};
    if (args->dout[0].rows * d->cols >= 16384) {
        j.parts = 2 * (int64_t)ex->n_threads;
        j.parts = d->cols < j.parts ? d->cols : j.parts;
    }
    ex->parallel(ex, j.parts, embed_bwd_task, &j);
    return HONE_OK;
}

static uint64_t embed_cost(const hone_op_args *args, uint64_t *bytes)
{
    const uint64_t n = (uint64_t)args->out[0].rows * (uint64_t)args->out[0].cols;
    if (bytes)
        *bytes = n * (64 + sizeof(float)); /* a cache line for every element read */
    return n;
}

const hone_op hone_op_embed = {
    .struct_size = sizeof(hone_op),
    .flags = HONE_OP_DEFER,
    .name = "embed/1",
    .attr_size = sizeof(hone_embed_attr),
    .infer = embed_infer,
    .fwd = embed_fwd,
    .bwd = embed_bwd,
    .cost = embed_cost,
};
