/* head.c - see head.h. */
#include "ops/head.h"

#include "base/error.h"
#include "ops/kernels.h"
#include "ops/op_util.h"
#include "ops/storage.h"

#include <string.h>

enum { BLOCK_BYTES = 64 << 20, BLOCK_LEAST = 16 };

hone_status hone__head_shapes(hone_shape_ctx *c)
{
    const hone_shape *h = &c->in[0], *w = &c->in[1];
    if (h->layout != HONE_ROWS || h->dtype != HONE_F32 || w->layout != HONE_PANELS ||
        !hone_storage_get(w->dtype))
        return hone__op_fail(c, HONE_E_TYPE,
                             "hidden must be float32 rows, the head a panelled weight");
    if (h->cols != w->cols || w->rows < 1 || w->cols < 1)
        return hone__op_fail(c, HONE_E_SHAPE, "hidden (%lld, %lld) and head (%lld, %lld)",
                             (long long)h->rows, (long long)h->cols, (long long)w->rows,
                             (long long)w->cols);
    return HONE_OK;
}

hone_status hone__head_trained(hone_shape_ctx *c)
{
    const hone_storage *s = hone_storage_get(c->in[1].dtype);
    if ((c->needs_grad & 2) && !s->trained)
        return hone__op_fail(c, HONE_E_TYPE, "a head stored as %s cannot be trained", s->name);
    return HONE_OK;
}

hone_status hone__head_targets(const hone_op_args *args, const char *op)
{
    const hone_batch *b = args->batch;
    const int64_t T = args->in[0].rows, V = args->in[1].rows;
    for (int64_t t = 0; t < b->n_targets; t++) {
        if (b->target_row[t] < 0 || b->target_row[t] >= T ||
            (t && b->target_row[t] < b->target_row[t - 1]))
            return hone_fail(HONE_E_RANGE, "%s: target %lld has row %d (of %lld, in rising order)",
                             op, (long long)t, b->target_row[t], (long long)T);
        if (b->target_id[t] < 0 || b->target_id[t] >= V)
            return hone_fail(HONE_E_RANGE, "%s: target %lld is id %d of %lld", op, (long long)t,
                             b->target_id[t], (long long)V);
    }
    return HONE_OK;
}

int64_t hone__head_block_rows(int64_t n_targets, int64_t V, int64_t arrays)
{
    int64_t n = BLOCK_BYTES / (arrays * (int64_t)sizeof(float) * V);
    n = n < BLOCK_LEAST ? BLOCK_LEAST : n > HONE__HEAD_BLOCK ? HONE__HEAD_BLOCK : n;
    return n < n_targets ? n : n_targets > 0 ? n_targets : 1;
}

void hone__head_begin_backward(const hone_op_args *args)
{
    const hone_view *dh = &args->din[0], *dw = &args->din[1];
    for (int64_t r = 0; dh->data && args->din_fresh[0] && r < dh->rows; r++)
        memset(hone__row(dh, r), 0, (size_t)dh->cols * sizeof(float));
    if (dw->data && args->din_fresh[1])
        memset(dw->data, 0, (size_t)hone_panel_floats(dw->rows, dw->cols) * sizeof(float));
}

void hone__head_backward(const hone_op_args *args, const hone_exec *ex, const hone__head_rows *r)
{
    const hone_view *w = &args->in[1], *dh = &args->din[0], *dw = &args->din[1];
    hone_gemm g = {.M = r->n,
                   .N = w->rows,
                   .K = w->cols,
                   .x = r->x,
                   .ldx = r->ldx,
                   .w = w->data,
                   .wtype = w->dtype,
                   .alpha = 1.0f,
                   .y = r->z,
                   .ldy = r->ldz};
    if (dh->data && r->consecutive >= 0) {
        g.add = 1;
        hone_gemm_dx(ex, &g, hone__row(dh, r->consecutive), dh->ld);
    } else if (dh->data) {
        hone_gemm_dx(ex, &g, r->apart, dh->cols);
        for (int64_t i = 0; i < r->n; i++) {
            float *d = hone__row(dh, args->batch->target_row[r->t0 + r->first[i]]);
            for (int64_t c = 0; c < dh->cols; c++)
                d[c] = d[c] + r->apart[i * dh->cols + c];
        }
    }
    if (dw->data) {
        g.add = 1;
        hone_gemm_dw(ex, &g, dw->data);
    }
}
