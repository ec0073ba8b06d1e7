/* reshape.c - ops that move or sum: sum, masked_mean, concat, slice, gather_rows, cast, detach.
 *
 * Sums over rows are one chain in double over the rows' fixed-tree sums, in row order, on one
 * thread: the tensors are those of objectives, a number a token. gather_rows adds gradients of a
 * row that was taken several times in the order of the index. */
#include "base/half.h"
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"

#include <string.h>

static uint64_t cost_move(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->out[0].rows * a->out[0].cols);
    *bytes = n * 8;
    return 0;
}
static uint64_t cost_sum(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 4;
    return n;
}
/* d (=|+=) x, n numbers */
static void move(const float *x, float *d, int64_t n, int acc)
{
    if (acc)
        hone_rows()->row_axpy(1.0f, x, d, n);
    else
        memcpy(d, x, (size_t)n * sizeof(float));
}

/* ---- sum/1, masked_mean/1 -------------------------------------------------------------------- */
static hone_status infer_sum(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 1, 1, 0));
    c->n_out = 1;
    c->out[0] = hone__shape(1, 1);
    return HONE_OK;
}
static hone_status fwd_sum(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    double sum = 0;
    for (int64_t t = 0; t < a->in[0].rows; t++)
        sum += (double)hone_rows()->row_sum(hone__row(&a->in[0], t), a->in[0].cols);
    *(float *)a->out[0].data = (float)sum;
    return HONE_OK;
}
static hone_status bwd_sum(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    if (!hone__wants(a, 0) || !hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    float g = *(const float *)a->dout[0].data;
    for (int64_t t = 0; t < a->din[0].rows; t++) {
        float *d = hone__row(&a->din[0], t);
        for (int64_t c = 0; c < a->din[0].cols; c++)
            d[c] = hone__acc(a, 0) ? d[c] + g : g;
    }
    return HONE_OK;
}

static hone_status infer_masked_mean(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 2, 2, 0));
    const hone_shape *x = &c->in[0], *w = &c->in[1];
    if (w->rows != x->rows || (w->cols != x->cols && w->cols != 1))
        return hone__op_fail(c, HONE_E_SHAPE, "x is %lld x %lld, mask %lld x %lld",
                             (long long)x->rows, (long long)x->cols, (long long)w->rows,
                             (long long)w->cols);
    c->n_out = 1;
    c->out[0] = hone__shape(1, 1);
    c->saves_in = 3;
    c->saves_out = 1;
    return HONE_OK;
}
/* sum of mask over x's shape; *product: of x*mask */
static double masked_sums(const hone_op_args *a, double *product)
{
    const hone_view *x = &a->in[0], *w = &a->in[1];
    const hone_rows_kernels *k = hone_rows();
    double den = 0, num = 0;
    for (int64_t t = 0; t < x->rows; t++) {
        const float *xr = hone__row(x, t), *wr = hone__row(w, t);
        if (w->cols == x->cols) {
            num += (double)k->row_dot(xr, wr, x->cols);
            den += (double)k->row_sum(wr, x->cols);
        } else {
            num += (double)k->row_sum(xr, x->cols) * (double)*wr;
            den += (double)*wr * (double)x->cols;
        }
    }
    *product = num;
    return den;
}
static hone_status fwd_masked_mean(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    double num, den = masked_sums(a, &num);
    *(float *)a->out[0].data = den == 0 ? 0.0f : (float)(num / den);
    return HONE_OK;
}
static hone_status bwd_masked_mean(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    const hone_view *x = &a->in[0], *w = &a->in[1];
    double num, den = hone__arrived(a, 0) ? masked_sums(a, &num) : 0;
    if (den == 0) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    float g = (float)((double)*(const float *)a->dout[0].data / den),
          mean = *(const float *)a->out[0].data;
    int wide = w->cols == x->cols;
    for (int64_t t = 0; t < x->rows; t++) {
        const float *xr = hone__row(x, t), *wr = hone__row(w, t);
        float *dx = hone__wants(a, 0) ? hone__row(&a->din[0], t) : NULL;
        float *dw = hone__wants(a, 1) ? hone__row(&a->din[1], t) : NULL;
        if (dw && !wide && !hone__acc(a, 1))
            *dw = 0.0f;
        for (int64_t c = 0; c < x->cols; c++) {
            float d = g * wr[wide ? c : 0], e = g * (xr[c] - mean);
            if (dx)
                dx[c] = hone__acc(a, 0) ? dx[c] + d : d;
            if (dw && wide)
                dw[c] = hone__acc(a, 1) ? dw[c] + e : e;
            else if (dw)
                *dw += e;
        }
    }
    return HONE_OK;
}

/* ---- concat/1, slice/1 ----------------------------------------------------------------------- */
static hone_status infer_concat(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 1, HONE_OP_MAX_IN, 0));
    int64_t cols = 0;
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (c->in[i].rows != c->in[0].rows)
            return hone__op_fail(c, HONE_E_SHAPE, "input %u has %lld rows, input 0 %lld", i,
                                 (long long)c->in[i].rows, (long long)c->in[0].rows);
        cols += c->in[i].cols;
    }
    c->n_out = 1;
    c->out[0] = hone__shape(c->in[0].rows, cols);
    return HONE_OK;
}
static void concat_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    for (int64_t t = from; t < to; t++) {
        float *y = hone__row(&a->out[0], t);
        for (uint32_t i = 0; i < a->n_in; y += a->in[i].cols, i++)
            move(hone__row(&a->in[i], t), y, a->in[i].cols, 0);
    }
}
static void concat_bwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const hone_op_args *a = arg;
    for (int64_t t = from; t < to; t++) {
        const float *dy = hone__row(&a->dout[0], t);
        for (uint32_t i = 0; i < a->n_in; dy += a->in[i].cols, i++)
            if (hone__wants(a, i))
                move(dy, hone__row(&a->din[i], t), a->in[i].cols, hone__acc(a, i));
    }
}
static hone_status fwd_concat(const hone_op_args *a, const hone_exec *ex)
{
    hone__op_ranges(ex, a->out[0].rows, a->out[0].cols, 1, concat_rows, (void *)(uintptr_t)a);
    return HONE_OK;
}
static hone_status bwd_concat(const hone_op_args *a, const hone_exec *ex)
{
    if (!hone__arrived(a, 0))
        hone__op_no_gradient(a);
    else
        hone__op_ranges(ex, a->dout[0].rows, a->dout[0].cols, 1, concat_bwd_rows,
                        (void *)(uintptr_t)a);
    return HONE_OK;
}

static hone_status infer_slice(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 1, 1, 0));
    HONE_TRY(hone__op_attr(c));
    const hone_slice_attr *s = c->attr;
    int64_t n = s->axis ? c->in[0].rows : c->in[0].cols;
    if (s->axis > 1 || s->first < 0 || s->count < 0 || s->count > n || s->first > n - s->count)
        return hone__op_fail(c, HONE_E_RANGE, "%s %lld.. (%lld of them) of %lld",
                             s->axis ? "rows" : "columns", (long long)s->first, (long long)s->count,
                             (long long)n);
    c->n_out = 1;
    c->out[0] = s->axis ? hone__shape(s->count, c->in[0].cols)
                        : hone__shape(c->in[0].rows, s->count);
    return HONE_OK;
}
static hone_status fwd_slice(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    const hone_slice_attr *s = a->attr;
    int64_t row = s->axis ? s->first : 0, col = s->axis ? 0 : s->first;
    for (int64_t t = 0; t < a->out[0].rows; t++)
        move(hone__row(&a->in[0], t + row) + col, hone__row(&a->out[0], t), a->out[0].cols, 0);
    return HONE_OK;
}
static hone_status bwd_slice(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    if (!hone__wants(a, 0))
        return HONE_OK;
    hone__op_no_gradient(a); /* fresh: everything outside the slice is 0 */
    const hone_slice_attr *s = a->attr;
    int64_t row = s->axis ? s->first : 0, col = s->axis ? 0 : s->first;
    for (int64_t t = 0; hone__arrived(a, 0) && t < a->dout[0].rows; t++)
        move(hone__row(&a->dout[0], t), hone__row(&a->din[0], t + row) + col, a->dout[0].cols, 1);
    return HONE_OK;
}

/* ---- gather_rows/1 --------------------------------------------------------------------------- */
static hone_status infer_gather(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 2, 2, 2));
    if (c->in[1].dtype != HONE_I32 || c->in[1].cols != 1)
        return hone__op_fail(c, HONE_E_TYPE, "the index must be one column of int32");
    c->n_out = 1;
    c->out[0] = hone__shape(c->in[1].rows, c->in[0].cols);
    c->saves_in = 2;
    return HONE_OK;
}
static int32_t index_at(const hone_op_args *a, int64_t i)
{
    return ((const int32_t *)a->in[1].data)[i * a->in[1].ld];
}
static hone_status fwd_gather(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    for (int64_t i = 0; i < a->out[0].rows; i++)
        if (index_at(a, i) < 0 || index_at(a, i) >= a->in[0].rows)
            return hone_fail(HONE_E_RANGE, "gather_rows: index %lld is %d, of %lld rows",
                             (long long)i, (int)index_at(a, i), (long long)a->in[0].rows);
    for (int64_t i = 0; i < a->out[0].rows; i++)
        move(hone__row(&a->in[0], index_at(a, i)), hone__row(&a->out[0], i), a->out[0].cols, 0);
    return HONE_OK;
}
static hone_status bwd_gather(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    if (!hone__wants(a, 0))
        return HONE_OK;
    if (!hone__acc(a, 0))
        for (int64_t r = 0; r < a->din[0].rows; r++)
            memset(hone__row(&a->din[0], r), 0, (size_t)a->din[0].cols * sizeof(float));
    for (int64_t i = 0; hone__arrived(a, 0) && i < a->dout[0].rows; i++)
        move(hone__row(&a->dout[0], i), hone__row(&a->din[0], index_at(a, i)), a->dout[0].cols, 1);
    return HONE_OK;
}

/* ---- cast/1, detach/1 ------------------------------------------------------------------------ */
static hone_status infer_cast(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 1, 1, 1));
    HONE_TRY(hone__op_attr(c));
    const hone_cast_attr *t = c->attr;
    uint32_t from = c->in[0].dtype, to = t->dtype;
    if (c->in[0].layout != HONE_ROWS || from < HONE_F32 || from > HONE_I32 || to < HONE_F32 ||
        to > HONE_I32)
        return hone__op_fail(c, HONE_E_TYPE, "cannot cast dtype %u to %u", from, to);
    c->n_out = 1;
    c->out[0] = (hone_shape){c->in[0].rows, c->in[0].cols, to, HONE_ROWS};
    return HONE_OK;
}
static float read_as_f32(const hone_view *v, int64_t i)
{
    switch (v->dtype) {
    case HONE_BF16:
        return hone_bf16_to_f32(((const uint16_t *)v->data)[i]);
    case HONE_F16:
        return hone_f16_to_f32(((const uint16_t *)v->data)[i]);
    case HONE_I32:
        return (float)((const int32_t *)v->data)[i];
    default:
        return ((const float *)v->data)[i];
    }
}
/* towards zero, NaN to 0, too large to the end of the range */
static int32_t to_i32(float x)
{
    if (x != x)
        return 0;
    return x >= 2147483648.0f ? INT32_MAX : x < -2147483648.0f ? INT32_MIN : (int32_t)x;
}
static hone_status fwd_cast(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    const hone_view *x = &a->in[0], *y = &a->out[0];
    for (int64_t t = 0; t < y->rows; t++)
        for (int64_t c = 0; c < y->cols; c++) {
            int64_t i = t * x->ld + c, o = t * y->ld + c;
            if (x->dtype == HONE_I32 && y->dtype == HONE_I32) {
                ((int32_t *)y->data)[o] = ((const int32_t *)x->data)[i];
                continue;
            }
            float f = read_as_f32(x, i);
            switch (y->dtype) {
            case HONE_BF16:
                ((uint16_t *)y->data)[o] = hone_f32_to_bf16(f);
                break;
            case HONE_F16:
                ((uint16_t *)y->data)[o] = hone_f32_to_f16(f);
                break;
            case HONE_I32:
                ((int32_t *)y->data)[o] = to_i32(f);
                break;
            default:
                ((float *)y->data)[o] = f;
            }
        }
    return HONE_OK;
}
/* Gradients are float32 and pass a change of precision as they are. */
static hone_status bwd_cast(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    if (!hone__wants(a, 0) || !hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    if (a->in[0].dtype == HONE_I32 || ((const hone_cast_attr *)a->attr)->dtype == HONE_I32)
        return hone_fail(HONE_E_UNSUPPORTED, "cast: no gradient flows through integers");
    for (int64_t t = 0; t < a->din[0].rows; t++)
        move(hone__row(&a->dout[0], t), hone__row(&a->din[0], t), a->din[0].cols, hone__acc(a, 0));
    return HONE_OK;
}

static hone_status infer_detach(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 1, 1, 0));
    c->needs_grad = 0; /* nothing flows back: the tape leaves out what is above */
    c->n_out = 1;
    c->out[0] = hone__shape(c->in[0].rows, c->in[0].cols);
    return HONE_OK;
}
static hone_status fwd_detach(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    for (int64_t t = 0; a->out[0].data != a->in[0].data && t < a->out[0].rows; t++)
        move(hone__row(&a->in[0], t), hone__row(&a->out[0], t), a->out[0].cols, 0);
    return HONE_OK;
}
static hone_status bwd_detach(const hone_op_args *a, const hone_exec *ex)
{
    (void)ex;
    hone__op_no_gradient(a);
    return HONE_OK;
}

#define OP(id, text, size, more, price)                                                            \
    static const hone_op op_##id = {.struct_size = sizeof(hone_op),                                \
                                    .flags = (more),                                               \
                                    .name = text,                                                  \
                                    .attr_size = size,                                             \
                                    .infer = infer_##id,                                           \
                                    .fwd = fwd_##id,                                               \
                                    .bwd = bwd_##id,                                               \
                                    .cost = price};
OP(sum, "sum/1", 0, HONE_OP_CHEAP, cost_sum)
OP(masked_mean, "masked_mean/1", 0, HONE_OP_CHEAP, cost_sum)
OP(concat, "concat/1", 0, HONE_OP_CHEAP, cost_move)
OP(slice, "slice/1", sizeof(hone_slice_attr), HONE_OP_CHEAP, cost_move)
OP(gather, "gather_rows/1", 0, HONE_OP_CHEAP, cost_move)
OP(cast, "cast/1", sizeof(hone_cast_attr), HONE_OP_CHEAP, cost_move)
OP(detach, "detach/1", 0, HONE_OP_CHEAP | HONE_OP_INPLACE, cost_move)
const hone_op *const hone__ops_reshape[] = {&op_sum,    &op_masked_mean, &op_concat, &op_slice,
                                            &op_gather, &op_cast,        &op_detach, NULL};
