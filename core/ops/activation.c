/* activation.c - swiglu/1, geglu/1 and the ops of one number: exp, log, sigmoid, gelu, scale,
 * clamp, ...
 *
 *   swiglu: y = silu(gate)*up     geglu: y = gelu(gate)*up (tanh form)      gate, up, y (T,C)
 * All are elementwise: any split gives the same bits, and out 0 may lie over in 0. Slopes: see
 * kern/elementwise.c. A list of X(name, kernel op, flags, what backward reads) makes the
 * descriptors. */
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"

/* ---- gated ----------------------------------------------------------------------------------- */
static hone_status infer_gated(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 2, 2, 0));
    const hone_shape *g = &c->in[0], *u = &c->in[1];
    if (g->rows != u->rows || g->cols != u->cols)
        return hone__op_fail(c, HONE_E_SHAPE, "gate is %lld x %lld, up %lld x %lld",
                             (long long)g->rows, (long long)g->cols, (long long)u->rows,
                             (long long)u->cols);
    c->n_out = 1;
    c->out[0] = hone__shape(g->rows, g->cols);
    c->saves_in = 3;
    return HONE_OK;
}

struct gated {
    const hone_op_args *a;
    int gelu;
};

static void gated_fwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct gated *j = arg;
    const hone_op_args *a = j->a;
    for (int64_t t = from; t < to; t++)
        (j->gelu ? hone_rows()->geglu
                 : hone_rows()->swiglu)(hone__row(&a->in[0], t), hone__row(&a->in[1], t),
                                        hone__row(&a->out[0], t), a->in[0].cols);
}
static void gated_bwd_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct gated *j = arg;
    const hone_op_args *a = j->a;
    for (int64_t t = from; t < to; t++)
        (j->gelu ? hone_rows()->geglu_bwd : hone_rows()->swiglu_bwd)(
            hone__row(&a->in[0], t), hone__row(&a->in[1], t), hone__row(&a->dout[0], t),
            hone__wants(a, 0) ? hone__row(&a->din[0], t) : NULL, hone__acc(a, 0),
            hone__wants(a, 1) ? hone__row(&a->din[1], t) : NULL, hone__acc(a, 1), a->in[0].cols);
}
static hone_status gated_fwd(const hone_op_args *a, const hone_exec *ex, int gelu)
{
    struct gated j = {a, gelu};
    hone__op_ranges(ex, a->in[0].rows, a->in[0].cols * 2, 1, gated_fwd_rows, &j);
    return HONE_OK;
}
static hone_status gated_bwd(const hone_op_args *a, const hone_exec *ex, int gelu)
{
    struct gated j = {a, gelu};
    if (!hone__arrived(a, 0))
        hone__op_no_gradient(a);
    else
        hone__op_ranges(ex, a->in[0].rows, a->in[0].cols * 4, 1, gated_bwd_rows, &j);
    return HONE_OK;
}
static hone_status fwd_swiglu(const hone_op_args *a, const hone_exec *ex)
{
    return gated_fwd(a, ex, 0);
}
static hone_status bwd_swiglu(const hone_op_args *a, const hone_exec *ex)
{
    return gated_bwd(a, ex, 0);
}
static hone_status fwd_geglu(const hone_op_args *a, const hone_exec *ex)
{
    return gated_fwd(a, ex, 1);
}
static hone_status bwd_geglu(const hone_op_args *a, const hone_exec *ex)
{
    return gated_bwd(a, ex, 1);
}
static uint64_t cost_gated(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 12;
    return n * 20;
}
const hone_op hone_op_swiglu = {.struct_size = sizeof(hone_op),
                                .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,
                                .name = "swiglu/1",
                                .infer = infer_gated,
                                .fwd = fwd_swiglu,
                                .bwd = bwd_swiglu,
                                .cost = cost_gated};
const hone_op hone_op_geglu = {.struct_size = sizeof(hone_op),
                               .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,
                               .name = "geglu/1",
                               .infer = infer_gated,
                               .fwd = fwd_geglu,
                               .bwd = bwd_geglu,
                               .cost = cost_gated};

/* ---- one number in, one out ------------------------------------------------------------------ */
enum { NOTHING = 0, READS_X = 1, READS_Y = 2 };

static hone_status infer_unary(hone_shape_ctx *c, uint32_t reads, size_t attr_size)
{
    HONE_TRY(hone__op_inputs(c, 1, 1, 0));
    if (attr_size)
        HONE_TRY(hone__op_attr(c));
    c->n_out = 1;
    c->out[0] = hone__shape(c->in[0].rows, c->in[0].cols);
    c->saves_in = (reads & READS_X) != 0;
    c->saves_out = (reads & READS_Y) != 0;
    return HONE_OK;
}

struct unary {
    int op, flat, backward, acc;
    float p, q;
    const hone_view *x, *y, *dy, *dx;
};

static int is_flat(const hone_view *v)
{
    return !v->data || v->ld == v->cols || v->rows == 1;
}

static void unary_range(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct unary *u = arg;
    const hone_rows_kernels *k = hone_rows();
    int64_t step = u->flat ? to - from : 1, n = u->flat       ? step
                                                : u->backward ? u->dx->cols
                                                              : u->x->cols;
    for (int64_t t = from; t < to; t += step) {
#define AT(v) (!(v) || !(v)->data ? NULL : u->flat ? (float *)(v)->data + t : hone__row(v, t))
        if (u->backward)
            k->unary_bwd(u->op, AT(u->x), AT(u->y), AT(u->dy), AT(u->dx), n, u->p, u->q, u->acc);
        else
            k->unary(u->op, AT(u->x), AT(u->y), n, u->p, u->q);
#undef AT
    }
}

static hone_status run_unary(const hone_op_args *a, const hone_exec *ex, int op, float p, float q,
                             int backward)
{
    struct unary u = {
        .op = op, .backward = backward, .p = p, .q = q, .x = &a->in[0], .y = &a->out[0]};
    if (backward) {
        if (!hone__wants(a, 0) || !hone__arrived(a, 0)) {
            hone__op_no_gradient(a);
            return HONE_OK;
        }
        u.dy = &a->dout[0];
        u.dx = &a->din[0];
        u.acc = hone__acc(a, 0);
        u.flat = is_flat(u.dy) && is_flat(u.dx) && is_flat(u.x) && is_flat(u.y);
    } else {
        u.flat = is_flat(u.x) && is_flat(u.y);
    }
    const hone_view *v = backward ? u.dx : u.x;
    int64_t n = u.flat ? v->rows * v->cols : v->rows;
    hone__op_ranges(ex, n, u.flat ? 1 : v->cols, u.flat ? 64 : 1, unary_range, &u);
    return HONE_OK;
}
static uint64_t cost_unary(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 8;
    return n;
}

#define NO_ATTR(attr) 0, 0
#define SCALAR(attr) ((const hone_scalar_attr *)(attr))->value, 0
#define LO_HI(attr) ((const hone_clamp_attr *)(attr))->lo, ((const hone_clamp_attr *)(attr))->hi

/* id, name, kernel op, parameters, size of attributes, what backward reads */
#define UNARY_LIST(X)                                                                              \
    X(scale, "scale/1", SCALE, SCALAR, sizeof(hone_scalar_attr), NOTHING)                          \
    X(add_scalar, "add_scalar/1", ADD_SCALAR, SCALAR, sizeof(hone_scalar_attr), NOTHING)           \
    X(clamp, "clamp/1", CLAMP, LO_HI, sizeof(hone_clamp_attr), READS_X)                            \
    X(exp, "exp/1", EXP, NO_ATTR, 0, READS_Y)                                                      \
    X(log, "log/1", LOG, NO_ATTR, 0, READS_X)                                                      \
    X(neg, "neg/1", NEG, NO_ATTR, 0, NOTHING)                                                      \
    X(abs, "abs/1", ABS, NO_ATTR, 0, READS_X)                                                      \
    X(square, "square/1", SQUARE, NO_ATTR, 0, READS_X)                                             \
    X(sqrt, "sqrt/1", SQRT, NO_ATTR, 0, READS_Y)                                                   \
    X(sigmoid, "sigmoid/1", SIGMOID, NO_ATTR, 0, READS_Y)                                          \
    X(logsigmoid, "logsigmoid/1", LOGSIGMOID, NO_ATTR, 0, READS_X)                                 \
    X(tanh, "tanh/1", TANH, NO_ATTR, 0, READS_Y)                                                   \
    X(relu, "relu/1", RELU, NO_ATTR, 0, READS_X)                                                   \
    X(silu, "silu/1", SILU, NO_ATTR, 0, READS_X)                                                   \
    X(gelu, "gelu/1", GELU, NO_ATTR, 0, READS_X)

#define DEFINE(id, text, code, params, size, reads)                                                \
    static hone_status infer_##id(hone_shape_ctx *c)                                               \
    {                                                                                              \
        return infer_unary(c, reads, size);                                                        \
    }                                                                                              \
    static hone_status fwd_##id(const hone_op_args *a, const hone_exec *ex)                        \
    {                                                                                              \
        return run_unary(a, ex, HONE_EW_##code, params(a->attr), 0);                               \
    }                                                                                              \
    static hone_status bwd_##id(const hone_op_args *a, const hone_exec *ex)                        \
    {                                                                                              \
        return run_unary(a, ex, HONE_EW_##code, params(a->attr), 1);                               \
    }                                                                                              \
    static const hone_op op_##id = {.struct_size = sizeof(hone_op),                                \
                                    .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,                      \
                                    .name = text,                                                  \
                                    .attr_size = size,                                             \
                                    .infer = infer_##id,                                           \
                                    .fwd = fwd_##id,                                               \
                                    .bwd = bwd_##id,                                               \
                                    .cost = cost_unary};
UNARY_LIST(DEFINE)
#define LISTED(id, text, code, params, size, reads) &op_##id,
const hone_op *const hone__ops_unary[] = {UNARY_LIST(LISTED) NULL};
