/* elementwise.c - small ops of the tape on two tensors: add, sub, mul, div, min, max.
 *
 * a, y (T,C); b is the same shape, or broadcast: (1,C) over rows, (T,1) over columns, (1,1) over
 * all. Backward sums a broadcast b: over rows as one chain per column from the stored gradient,
 * over a row by the row's fixed tree, over all as a chain of row sums: no split among threads
 * touches a sum. add/1 passes its gradient: din 0 (and din 1, of the same shape) may be the
 * buffer of dout 0. Other small ops (sum, masked_mean, concat, slice, gather_rows, cast, detach):
 * reshape.c. */
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"

#include <string.h>

enum { SAME, ROW, COLUMN, ONE };

static int how(int64_t rows, int64_t cols, int64_t brows, int64_t bcols)
{
    if (brows == rows && bcols == cols)
        return SAME;
    if (brows == 1 && bcols == 1)
        return ONE;
    if (brows == 1 && bcols == cols)
        return ROW;
    if (brows == rows && bcols == 1)
        return COLUMN;
    return -1;
}

static hone_status infer_binary(hone_shape_ctx *c, uint32_t saves)
{
    HONE_TRY(hone__op_inputs(c, 2, 2, 0));
    const hone_shape *a = &c->in[0], *b = &c->in[1];
    if (how(a->rows, a->cols, b->rows, b->cols) < 0)
        return hone__op_fail(c, HONE_E_SHAPE,
                             "%lld x %lld with %lld x %lld: the second must be as the first, "
                             "a row, a column or one number",
                             (long long)a->rows, (long long)a->cols, (long long)b->rows,
                             (long long)b->cols);
    c->n_out = 1;
    c->out[0] = hone__shape(a->rows, a->cols);
    c->saves_in = saves;
    c->thread_scratch_bwd = (size_t)a->cols * sizeof(float);
    return HONE_OK;
}

struct job {
    const hone_op_args *a;
    const hone_exec *ex;
    int op, how, flat;
};

static int is_flat(const hone_view *v)
{
    return v->ld == v->cols || v->rows == 1;
}
static int how_args(const hone_op_args *a)
{
    return how(a->in[0].rows, a->in[0].cols, a->in[1].rows, a->in[1].cols);
}
/* b's numbers that go with row t (flat: with element t) of a */
static const float *b_at(const struct job *j, int64_t t)
{
    const hone_view *b = &j->a->in[1];
    if (!b->data)
        return NULL;
    if (j->how == ONE || j->how == ROW)
        return b->data;
    return j->flat ? (const float *)b->data + t : hone__row(b, t);
}
static float *at(const hone_view *v, const struct job *j, int64_t t)
{
    return !v->data ? NULL : j->flat ? (float *)v->data + t : hone__row(v, t);
}

static void fwd_range(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct job *j = arg;
    const hone_op_args *a = j->a;
    int64_t step = j->flat ? to - from : 1, n = j->flat ? step : a->in[0].cols;
    int one = j->how == ONE || j->how == COLUMN;
    for (int64_t t = from; t < to; t += step)
        hone_rows()->binary(j->op, at(&a->in[0], j, t), b_at(j, t), one, at(&a->out[0], j, t), n);
}

static hone_status fwd_binary(const hone_op_args *a, const hone_exec *ex, int op)
{
    struct job j = {.a = a, .ex = ex, .op = op, .how = how_args(a)};
    j.flat = (j.how == ONE || (j.how == SAME && is_flat(&a->in[1]))) && is_flat(&a->in[0]) &&
             is_flat(&a->out[0]);
    const hone_view *x = &a->in[0];
    hone__op_ranges(ex, j.flat ? x->rows * x->cols : x->rows, j.flat ? 1 : x->cols, j.flat ? 64 : 1,
                    fwd_range, &j);
    return HONE_OK;
}

/* ---- backward -------------------------------------------------------------------------------- */
/* da, row by row */
static void bwd_a_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct job *j = arg;
    const hone_op_args *a = j->a;
    int one = j->how == ONE || j->how == COLUMN;
    for (int64_t t = from; t < to; t++)
        hone_rows()->binary_bwd(j->op, 0, at(&a->in[0], j, t), b_at(j, t), one,
                                hone__row(&a->dout[0], t), hone__row(&a->din[0], t), a->din[0].cols,
                                hone__acc(a, 0));
}
/* db of the same shape, or a column: row by row */
static void bwd_b_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    const struct job *j = arg;
    const hone_op_args *a = j->a;
    int64_t n = a->dout[0].cols;
    const hone_rows_kernels *k = hone_rows();
    float *terms = j->how == COLUMN ? j->ex->thread_scratch(j->ex, thread) : NULL;
    for (int64_t t = from; t < to; t++) {
        float *db = hone__row(&a->din[1], t);
        if (j->how == SAME) {
            k->binary_bwd(j->op, 1, at(&a->in[0], j, t), b_at(j, t), 0, hone__row(&a->dout[0], t),
                          db, n, hone__acc(a, 1));
        } else {
            k->binary_bwd(j->op, 1, at(&a->in[0], j, t), b_at(j, t), 1, hone__row(&a->dout[0], t),
                          terms, n, 0);
            float sum = k->row_sum(terms, n);
            *db = hone__acc(a, 1) ? *db + sum : sum;
        }
    }
}
/* db of one row: a chain over rows for columns from..to */
static void bwd_b_cols(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct job *j = arg;
    const hone_op_args *a = j->a;
    const hone_rows_kernels *k = hone_rows();
    float terms[256], *db = a->din[1].data;
    if (!hone__acc(a, 1))
        memset(db + from, 0, (size_t)(to - from) * sizeof(float));
    for (int64_t c = from; c < to; c += 256) {
        int64_t n = to - c < 256 ? to - c : 256;
        for (int64_t t = 0; t < a->dout[0].rows; t++) {
            const float *x = at(&a->in[0], j, t), *b = b_at(j, t);
            k->binary_bwd(j->op, 1, x ? x + c : NULL, b ? b + c : NULL, 0,
                          hone__row(&a->dout[0], t) + c, terms, n, 0);
            k->row_axpy(1.0f, terms, db + c, n);
        }
    }
}
/* db of one number */
static void bwd_b_one(struct job *j)
{
    const hone_op_args *a = j->a;
    const hone_rows_kernels *k = hone_rows();
    int64_t n = a->dout[0].cols;
    float *terms = j->ex->thread_scratch(j->ex, 0), *db = a->din[1].data;
    double sum = hone__acc(a, 1) ? (double)*db : 0.0;
    for (int64_t t = 0; t < a->dout[0].rows; t++) {
        k->binary_bwd(j->op, 1, at(&a->in[0], j, t), b_at(j, t), 1, hone__row(&a->dout[0], t),
                      terms, n, 0);
        sum += (double)k->row_sum(terms, n);
    }
    *db = (float)sum;
}

static hone_status bwd_binary(const hone_op_args *a, const hone_exec *ex, int op)
{
    if (!hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    struct job j = {.a = a, .ex = ex, .op = op, .how = how_args(a)};
    int64_t rows = a->dout[0].rows, cols = a->dout[0].cols;
    int pass = op == HONE_EW_ADD && j.how == SAME;
    int shared = pass && hone__wants(a, 0) && hone__wants(a, 1) &&
                 a->din[1].data == a->din[0].data &&
                 (a->din[0].data == a->dout[0].data || !hone__acc(a, 1));
    if (hone__wants(a, 1) && !shared && !(pass && a->din[1].data == a->dout[0].data) &&
        !(hone__wants(a, 0) && a->din[0].data == a->din[1].data)) {
        if (j.how == SAME || j.how == COLUMN)
            hone__op_ranges(ex, rows, cols, 1, bwd_b_rows, &j);
        else if (j.how == ROW)
            hone__op_ranges(ex, cols, rows, 16, bwd_b_cols, &j);
        else
            bwd_b_one(&j);
    }
    if (hone__wants(a, 0) && !(op == HONE_EW_ADD && a->din[0].data == a->dout[0].data))
        hone__op_ranges(ex, rows, cols, 1, bwd_a_rows, &j);
    /* both operands were one tensor: the second part is added to the first */
    if (hone__wants(a, 0) && hone__wants(a, 1) && a->din[0].data == a->din[1].data && !shared)
        hone__op_ranges(ex, rows, cols, 1, bwd_b_rows, &j);
    return HONE_OK;
}

static uint64_t cost_binary(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 8 + 4 * (uint64_t)(a->in[1].rows * a->in[1].cols);
    return n;
}

/* id, name, kernel op, which inputs backward reads, further flags */
#define BINARY_LIST(X)                                                                             \
    X(add, "add/1", ADD, 0, HONE_OP_PASS_GRAD)                                                     \
    X(sub, "sub/1", SUB, 0, 0)                                                                     \
    X(mul, "mul/1", MUL, 3, 0)                                                                     \
    X(div, "div/1", DIV, 3, 0)                                                                     \
    X(min, "min/1", MIN, 3, 0)                                                                     \
    X(max, "max/1", MAX, 3, 0)

#define DEFINE(id, text, code, saves, more)                                                        \
    static hone_status infer_##id(hone_shape_ctx *c)                                               \
    {                                                                                              \
        return infer_binary(c, saves);                                                             \
    }                                                                                              \
    static hone_status fwd_##id(const hone_op_args *a, const hone_exec *ex)                        \
    {                                                                                              \
        return fwd_binary(a, ex, HONE_EW_##code);                                                  \
    }                                                                                              \
    static hone_status bwd_##id(const hone_op_args *a, const hone_exec *ex)                        \
    {                                                                                              \
        return bwd_binary(a, ex, HONE_EW_##code);                                                  \
    }                                                                                              \
    static const hone_op op_##id = {.struct_size = sizeof(hone_op),                                \
                                    .flags = HONE_OP_INPLACE | HONE_OP_CHEAP | (more),             \
                                    .name = text,                                                  \
                                    .infer = infer_##id,                                           \
                                    .fwd = fwd_##id,                                               \
                                    .bwd = bwd_##id,                                               \
                                    .cost = cost_binary};
BINARY_LIST(DEFINE)
#define LISTED(id, text, code, saves, more) &op_##id,
const hone_op *const hone__ops_binary[] = {BINARY_LIST(LISTED) NULL};
