/* layernorm.c - layernorm/1: y = (x - mean)/sqrt(var + eps)*w + b, row by row (Ba et al. 2016;
 * biased variance).
 *
 *   x, y (T,C)  w, b (C)  mean, rstd (T,1) kept for backward; xhat = (x - mean)*rstd, g = dy*w:
 *   dx = rstd*(g - mean(g) - xhat*mean(g*xhat))
 *   dw = sum over rows of dy*xhat   db = sum over rows of dy */
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"

static hone_status infer_layernorm(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 3, 3, 0));
    HONE_TRY(hone__op_attr(c));
    const hone_norm_attr *attr = c->attr;
    const hone_shape *x = &c->in[0];
    if (!(attr->eps >= 0.0f))
        return hone__op_fail(c, HONE_E_INVALID, "eps is negative or not a number");
    if (x->cols == 0)
        return hone__op_fail(c, HONE_E_SHAPE, "x has no columns");
    HONE_TRY(hone__op_vector(c, 1, x->cols, "w"));
    HONE_TRY(hone__op_vector(c, 2, x->cols, "b"));
    c->n_out = 1;
    c->out[0] = hone__shape(x->rows, x->cols);
    c->n_extra = 2;
    c->extra[0] = c->extra[1] = hone__shape(x->rows, 1);
    c->saves_in = 3;
    return HONE_OK;
}

static void fwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    const hone_norm_attr *attr = a->attr;
    int keep = a->n_extra == 2 && a->extra[0].data && a->extra[1].data;
    for (int64_t t = from; t < to; t++) {
        float mean, rstd;
        hone_rows()->layernorm(hone__row(&a->in[0], t), a->in[1].data, a->in[2].data, attr->eps,
                               hone__row(&a->out[0], t), a->in[0].cols, &mean, &rstd);
        if (keep) {
            *hone__row(&a->extra[0], t) = mean;
            *hone__row(&a->extra[1], t) = rstd;
        }
    }
}
static hone_status fwd_layernorm(const hone_op_args *a, const hone_exec *ex)
{
    hone__op_ranges(ex, a->in[0].rows, a->in[0].cols, 1, fwd_rows, (void *)(uintptr_t)a);
    return HONE_OK;
}

static void bwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    for (int64_t t = from; t < to; t++)
        hone_rows()->layernorm_dx(hone__row(&a->in[0], t), a->in[1].data,
                                  *hone__row(&a->extra[0], t), *hone__row(&a->extra[1], t),
                                  hone__row(&a->dout[0], t), hone__row(&a->din[0], t),
                                  a->in[0].cols, hone__acc(a, 0));
}
static void bwd_w(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    const hone_view *x = &a->in[0], *dy = &a->dout[0];
    hone_rows()->norm_dw(x->data, x->ld, dy->data, dy->ld, a->extra[0].data, a->extra[1].data,
                         a->extra[1].ld, x->rows, 1, x->cols, a->din[1].data, from, to,
                         hone__acc(a, 1));
}
static void bwd_b(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    hone_rows()->colsum(a->dout[0].data, a->dout[0].ld, a->dout[0].rows, a->din[2].data, from, to,
                        hone__acc(a, 2));
}
static hone_status bwd_layernorm(const hone_op_args *a, const hone_exec *ex)
{
    if (!hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    void *arg = (void *)(uintptr_t)a;
    int64_t rows = a->in[0].rows, cols = a->in[0].cols;
    if (hone__wants(a, 1))
        hone__op_ranges(ex, cols, rows, 16, bwd_w, arg);
    if (hone__wants(a, 2))
        hone__op_ranges(ex, cols, rows, 16, bwd_b, arg);
    if (hone__wants(a, 0))
        hone__op_ranges(ex, rows, cols, 1, bwd_rows, arg);
    return HONE_OK;
}

static uint64_t cost_layernorm(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 8;
    return n * 7;
}

const hone_op hone_op_layernorm = {.struct_size = sizeof(hone_op),
                                   .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,
                                   .name = "layernorm/1",
                                   .attr_size = sizeof(hone_norm_attr),
                                   .infer = infer_layernorm,
                                   .fwd = fwd_layernorm,
                                   .bwd = bwd_layernorm,
                                   .cost = cost_layernorm};
