/* magnitude.c - the rows of a weight get another length: DoRA's second half (Liu et al. 2024, eq. 5).
 *
 *   y[t][n] = x[t][n] * (m[n] / norm[n]) + b[n]     x (T,N), m, norm, b (N)
 *
 * x is what `linear` made of V = W + scale B A without a bias, and norm[n] = |V[n]|. As in the paper (section 4.3) and
 * in PEFT the norm counts as a constant in backward: dx = dy m / norm, dm = sum over t of dy x / norm, db = sum over
 * t of dy. The sums are one chain over rows from the stored gradient, so that no split into micro-batches changes a bit;
 * a product is rounded before it is added, in every kernel set. Where the norm is 0 the row of V is zeros
 * and so is x: its factor is 0. Without a bias x / norm is y / m, and it is y that is kept for dm: whoever reads y mostly
 * keeps it too, and y may lie where x was (an output of magnitude 0 is then past learning). Does not: know where norms come from (nn/adapter_norms.c). */
#include "ops/builtin.h"
#include "ops/op_util.h"

enum { X = 0, M = 1, NORM = 2, BIAS = 3 };

static hone_status infer(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 3, 4, 0));
    const int64_t n = c->in[X].cols;
    HONE_TRY(hone__op_vector(c, M, n, "magnitudes"));
    HONE_TRY(hone__op_vector(c, NORM, n, "norms"));
    if (c->n_in > BIAS)
        HONE_TRY(hone__op_vector(c, BIAS, n, "bias"));
    c->needs_grad &= ~(1u << NORM);
    c->n_out = 1;
    c->out[0] = hone__shape(c->in[X].rows, n);
    const int learns = c->needs_grad >> M & 1, from_y = c->n_in <= BIAS;
    c->saves_in = (!learns  ? 0
                   : from_y ? 1u << M
                            : 1u << X | 1u << NORM) |
                  (c->needs_grad >> X & 1 ? 1u << M | 1u << NORM : 0);
    c->saves_out = learns && from_y;
    return HONE_OK;
}

/* a / b, and 0 where b is 0: NaN stays what it is. */
static float share(float a, float b)
{
    return b == 0.0f ? 0.0f * a : a / b;
}

struct job {
    const hone_op_args *a;
};

static void fwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    const hone_op_args *a = ((const struct job *)arg)->a;
    const float *m = a->in[M].data, *norm = a->in[NORM].data;
    const float *b = a->n_in > BIAS ? a->in[BIAS].data : NULL;
    const int64_t n = a->in[X].cols;
    (void)thread;
    for (int64_t t = from; t < to; t++) {
        const float *x = hone__row(&a->in[X], t);
        float *y = hone__row(&a->out[0], t);
        for (int64_t c = 0; c < n; c++)
            y[c] = x[c] * share(m[c], norm[c]);
        for (int64_t c = 0; b && c < n; c++)
            y[c] = y[c] + b[c];
    }
}

static hone_status fwd(const hone_op_args *a, const hone_exec *ex)
{
    struct job j = {a};
    hone__op_ranges(ex, a->in[X].rows, a->in[X].cols, 1, fwd_rows, &j);
    return HONE_OK;
}

static void dx_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    const hone_op_args *a = ((const struct job *)arg)->a;
    const float *m = a->in[M].data, *norm = a->in[NORM].data;
    const int64_t n = a->dout[0].cols;
    (void)thread;
    for (int64_t t = from; t < to; t++) {
        const float *dy = hone__row(&a->dout[0], t);
        float *dx = hone__row(&a->din[X], t);
        for (int64_t c = 0; c < n; c++) {
            const float d = dy[c] * share(m[c], norm[c]);
            dx[c] = hone__acc(a, X) ? dx[c] + d : d;
        }
    }
}

/* Columns [from, to) of dm: sums of dy x / norm, or of dy y / m. */
static void dm_columns(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    const hone_op_args *a = ((const struct job *)arg)->a;
    const int from_y = a->n_in <= BIAS;
    const hone_view *v = from_y ? &a->out[0] : &a->in[X];
    const float *by = a->in[from_y ? M : NORM].data;
    float *dm = a->din[M].data;
    (void)thread;
    for (int64_t c = from; c < to && !hone__acc(a, M); c++)
        dm[c] = 0.0f;
    for (int64_t t = 0; t < a->dout[0].rows; t++) {
        const float *dy = hone__row(&a->dout[0], t), *x = hone__row(v, t);
        for (int64_t c = from; c < to; c++)
            dm[c] = dm[c] + dy[c] * share(x[c], by[c]);
    }
}

static void db_columns(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    const hone_op_args *a = ((const struct job *)arg)->a;
    float *db = a->din[BIAS].data;
    (void)thread;
    for (int64_t c = from; c < to && !hone__acc(a, BIAS); c++)
        db[c] = 0.0f;
    for (int64_t t = 0; t < a->dout[0].rows; t++) {
        const float *dy = hone__row(&a->dout[0], t);
        for (int64_t c = from; c < to; c++)
            db[c] = db[c] + dy[c];
    }
}

static hone_status bwd(const hone_op_args *a, const hone_exec *ex)
{
    struct job j = {a};
    if (!hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    const int64_t rows = a->dout[0].rows, n = a->dout[0].cols;
    if (hone__wants(a, M))
        hone__op_ranges(ex, n, rows, 64, dm_columns, &j);
    if (a->n_in > BIAS && hone__wants(a, BIAS))
        hone__op_ranges(ex, n, rows, 64, db_columns, &j);
    if (hone__wants(a, X))
        hone__op_ranges(ex, rows, n, 1, dx_rows, &j);
    return HONE_OK;
}

static uint64_t cost(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[X].rows * a->in[X].cols);
    *bytes = n * 8;
    return n * 2;
}

const hone_op hone_op_magnitude = {.struct_size = sizeof(hone_op),
                                   .flags = HONE_OP_INPLACE,
                                   .name = "magnitude/1",
                                   .infer = infer,
                                   .fwd = fwd,
                                   .bwd = bwd,
                                   .cost = cost};
