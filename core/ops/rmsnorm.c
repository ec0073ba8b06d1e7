/* rmsnorm.c - rmsnorm/1, add_rmsnorm/1 (with the residual sum fused in), head_rmsnorm/1.
 *
 *   y = x * rsqrt(mean(x^2) + eps) * (w_offset + w), row by row (Zhang & Sennrich 2019, eq. 4)
 *     x, y (T,C)  w (C)  rstd (T,1) kept for backward
 *   with xhat = x*rstd and g = dy*(w_offset + w):
 *     dx = rstd*(g - xhat*mean(g*xhat))        dw = sum over rows of dy*xhat
 *
 * head_rmsnorm treats each of n_heads equal parts of a row as a row of its own, with one shared
 * w. add_rmsnorm returns sum = x + delta and the norm of it; both of its inputs have the same
 * gradient, d sum + (gradient through the norm), so they may share the buffer of d sum: then it
 * is completed in place.
 *
 * Rows are independent; dw is one chain over rows (then heads) from the stored value, split by
 * columns. */
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"

#include <string.h>

/* ---- shapes ---------------------------------------------------------------------------------- */
static hone_status infer_norm(hone_shape_ctx *c, uint32_t n_in, int by_head)
{
    HONE_TRY(hone__op_inputs(c, n_in, n_in, 0));
    HONE_TRY(hone__op_attr(c));
    const hone_norm_attr *attr = c->attr;
    int64_t heads = by_head ? attr->n_heads : 1;
    const hone_shape *x = &c->in[0];
    if (!(attr->eps >= 0.0f))
        return hone__op_fail(c, HONE_E_INVALID, "eps is negative or not a number");
    if (heads < 1 || x->cols % heads || x->cols == 0)
        return hone__op_fail(c, HONE_E_SHAPE, "%lld columns are not %lld heads", (long long)x->cols,
                             (long long)heads);
    if (n_in == 3 && (c->in[1].rows != x->rows || c->in[1].cols != x->cols))
        return hone__op_fail(c, HONE_E_SHAPE, "x is %lld x %lld, delta %lld x %lld",
                             (long long)x->rows, (long long)x->cols, (long long)c->in[1].rows,
                             (long long)c->in[1].cols);
    HONE_TRY(hone__op_vector(c, n_in - 1, x->cols / heads, "w"));
    c->n_out = n_in == 3 ? 2 : 1;
    for (uint32_t i = 0; i < c->n_out; i++)
        c->out[i] = hone__shape(x->rows, x->cols);
    c->n_extra = 1;
    c->extra[0] = hone__shape(x->rows, heads);
    c->saves_in = 1u << (n_in - 1) | (n_in == 2);
    c->saves_out = n_in == 3;
    return HONE_OK;
}
static hone_status infer_rmsnorm(hone_shape_ctx *c)
{
    return infer_norm(c, 2, 0);
}
static hone_status infer_add_rmsnorm(hone_shape_ctx *c)
{
    return infer_norm(c, 3, 0);
}
static hone_status infer_head_rmsnorm(hone_shape_ctx *c)
{
    return infer_norm(c, 2, 1);
}

/* ---- forward --------------------------------------------------------------------------------- */
static int64_t heads_of(const hone_op_args *a)
{
    const hone_norm_attr *attr = a->attr;
    return attr->n_heads > 0 ? attr->n_heads : 1;
}

static void fwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    const hone_norm_attr *attr = a->attr;
    const hone_rows_kernels *k = hone_rows();
    const float *w = a->in[a->n_in - 1].data;
    int64_t heads = heads_of(a), n = a->in[0].cols / heads;
    float *extra = a->n_extra ? a->extra[0].data : NULL;
    for (int64_t t = from; t < to; t++) {
        const float *x = hone__row(&a->in[0], t);
        for (int64_t h = 0; h < heads; h++) {
            float rstd;
            if (a->n_in == 3)
                rstd = k->add_rmsnorm(x, hone__row(&a->in[1], t), w, attr->w_offset, attr->eps,
                                      hone__row(&a->out[0], t), hone__row(&a->out[1], t), n);
            else
                rstd = k->rmsnorm(x + h * n, w, attr->w_offset, attr->eps,
                                  hone__row(&a->out[0], t) + h * n, n);
            if (extra)
                extra[t * a->extra[0].ld + h] = rstd;
        }
    }
}
static hone_status fwd_norm(const hone_op_args *a, const hone_exec *ex)
{
    hone__op_ranges(ex, a->in[0].rows, a->in[0].cols, 1, fwd_rows, (void *)(uintptr_t)a);
    return HONE_OK;
}

/* ---- backward -------------------------------------------------------------------------------- */
/* dx of one row into din[i]; base: gradient that arrived at `sum`, or NULL */
static void dx_row(const hone_op_args *a, const float *x, int64_t t, const float *base, uint32_t i)
{
    const hone_norm_attr *attr = a->attr;
    const hone_rows_kernels *k = hone_rows();
    const hone_view *dnorm = &a->dout[a->n_out - 1];
    int64_t heads = heads_of(a), n = a->in[0].cols / heads;
    const float *w = a->in[a->n_in - 1].data, *rstd = hone__row(&a->extra[0], t);
    float *dx = hone__row(&a->din[i], t);
    /* the buffer of d sum holds the first part already */
    int acc = base == dx ? 0 : hone__acc(a, i);
    if (!dnorm->data) {
        if (base != dx && acc)
            k->binary(HONE_EW_ADD, dx, base, 0, dx, n);
        else if (base != dx)
            k->unary(HONE_EW_COPY, base, dx, n, 0, 0);
        return;
    }
    for (int64_t h = 0; h < heads; h++)
        k->rmsnorm_dx(x + h * n, w, attr->w_offset, rstd[h], hone__row(dnorm, t) + h * n,
                      base ? base + h * n : NULL, dx + h * n, n, acc);
}

static void bwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    int fused = a->n_in == 3;
    const hone_view *xs = fused ? &a->out[0] : &a->in[0];
    const float *dsum = fused && hone__arrived(a, 0) ? a->dout[0].data : NULL;
    int want0 = hone__wants(a, 0), want1 = fused && hone__wants(a, 1);
    if (want0 && want1 && a->din[0].data == a->din[1].data)
        want1 = 0;
    /* what lies in the buffer of d sum goes last: it is overwritten */
    int first = want0 && want1 && a->din[0].data == (const void *)dsum;
    for (int64_t t = from; t < to; t++) {
        const float *x = hone__row(xs, t), *base = dsum ? hone__row(&a->dout[0], t) : NULL;
        if (first && want1)
            dx_row(a, x, t, base, 1);
        if (want0)
            dx_row(a, x, t, base, 0);
        if (!first && want1)
            dx_row(a, x, t, base, 1);
    }
}

static void bwd_cols(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    const hone_view *x = a->n_in == 3 ? &a->out[0] : &a->in[0], *dy = &a->dout[a->n_out - 1];
    uint32_t w = a->n_in - 1;
    int64_t heads = heads_of(a);
    hone_rows()->norm_dw(x->data, x->ld, dy->data, dy->ld, NULL, a->extra[0].data, a->extra[0].ld,
                         x->rows, heads, x->cols / heads, a->din[w].data, from, to,
                         hone__acc(a, w));
}

static hone_status bwd_norm(const hone_op_args *a, const hone_exec *ex)
{
    uint32_t w = a->n_in - 1, norm = a->n_out - 1;
    int64_t n = a->in[0].cols / heads_of(a);
    if (!hone__arrived(a, norm) && !(a->n_in == 3 && hone__arrived(a, 0))) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    /* before the rows: dy's buffer may be the one dx goes to */
    if (hone__wants(a, w)) {
        if (hone__arrived(a, norm))
            hone__op_ranges(ex, n, a->in[0].rows * heads_of(a), 16, bwd_cols, (void *)(uintptr_t)a);
        else if (!hone__acc(a, w))
            memset(a->din[w].data, 0, (size_t)n * sizeof(float));
    }
    if (hone__wants(a, 0) || (a->n_in == 3 && hone__wants(a, 1)))
        hone__op_ranges(ex, a->in[0].rows, a->in[0].cols, 1, bwd_rows, (void *)(uintptr_t)a);
    return HONE_OK;
}

static uint64_t cost_norm(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 4 * (a->n_in == 3 ? 4 : 2);
    return n * (a->n_in == 3 ? 5 : 4);
}

const hone_op hone_op_rmsnorm = {.struct_size = sizeof(hone_op),
                                 .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,
                                 .name = "rmsnorm/1",
                                 .attr_size = sizeof(hone_norm_attr),
                                 .infer = infer_rmsnorm,
                                 .fwd = fwd_norm,
                                 .bwd = bwd_norm,
                                 .cost = cost_norm};
const hone_op hone_op_add_rmsnorm = {.struct_size = sizeof(hone_op),
                                     .flags = HONE_OP_INPLACE | HONE_OP_PASS_GRAD | HONE_OP_CHEAP,
                                     .name = "add_rmsnorm/1",
                                     .attr_size = sizeof(hone_norm_attr),
                                     .infer = infer_add_rmsnorm,
                                     .fwd = fwd_norm,
                                     .bwd = bwd_norm,
                                     .cost = cost_norm};
const hone_op hone_op_head_rmsnorm = {.struct_size = sizeof(hone_op),
                                      .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,
                                      .name = "head_rmsnorm/1",
                                      .attr_size = sizeof(hone_norm_attr),
                                      .infer = infer_head_rmsnorm,
                                      .fwd = fwd_norm,
                                      .bwd = bwd_norm,
                                      .cost = cost_norm};
