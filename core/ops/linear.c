/* linear.c - y = x W^T + b, with any number of low-rank adapters beside it.
 *
 * Order of the sums, the same in every mode: chain over the inputs, then the bias, then adapter
 * after adapter: u_a = x A_a^T (a chain), y = fma(scale_a, u_a B_a^T, y). Backward, dx = dy W
 * first, then du_a A_a, adapter after adapter, each a chain from 0 that is added once; weight
 * gradients are chains over tokens from the stored gradient (ops/kernels.h). u_a is kept for dB_a.
 *
 * A gradient that nobody wants costs nothing: x is read in backward only for dW and dA, the frozen
 * W only for dx. LoRA: Hu et al. 2021, eq. 3, scale = alpha/r. */
#include "ops/linear.h"

#include "base/error.h"
#include "ops/kernels.h"
#include "ops/storage.h"

#include <stdio.h>

enum { IN_X = 0, IN_W = 1, IN_BIAS = 2 };

/* Index of adapter a's A; its B is the next one. */
static uint32_t in_a(const hone_linear_attr *at, uint32_t a)
{
    return 2 + (at->has_bias ? 1 : 0) + 2 * a;
}

static int is_weight(const hone_shape *s)
{
    return s->layout == HONE_PANELS && s->rows > 0 && s->cols > 0 && hone_storage_get(s->dtype);
}

static int is_rows(const hone_shape *s)
{
    return s->layout == HONE_ROWS && s->dtype == HONE_F32;
}

static int wants(const hone_shape_ctx *c, uint32_t i)
{
    return c->needs_grad >> i & 1;
}

static hone_status linear_infer(hone_shape_ctx *c)
{
    const hone_linear_attr *at = c->attr;
    if (!at || at->n_adapters > HONE_LINEAR_ADAPTERS ||
        c->n_in != 2 + (at->has_bias ? 1u : 0u) + 2 * at->n_adapters) {
        snprintf(c->error, sizeof c->error, "%u inputs do not fit the attributes", c->n_in);
        return HONE_E_INVALID;
    }
    const hone_shape *x = &c->in[IN_X], *w = &c->in[IN_W];
    if (!is_rows(x) || !is_weight(w)) {
        snprintf(c->error, sizeof c->error, "x must be float32 rows, W a panelled weight");
        return HONE_E_TYPE;
    }
    if (x->cols != w->cols) {
        snprintf(c->error, sizeof c->error, "x (%lld, %lld) and W (%lld, %lld)", (long long)x->rows,
                 (long long)x->cols, (long long)w->rows, (long long)w->cols);
        return HONE_E_SHAPE;
    }
    if (at->has_bias) {
        const hone_shape *b = &c->in[IN_BIAS];
        if (!is_rows(b) || (b->rows != 1 && b->cols != 1) || b->rows * b->cols != w->rows) {
            snprintf(c->error, sizeof c->error, "a bias of (%lld, %lld) for %lld outputs",
                     (long long)b->rows, (long long)b->cols, (long long)w->rows);
            return HONE_E_SHAPE;
        }
    }
    int64_t ranks = 0, rank_max = 0;
    int saves_x = wants(c, IN_W), saves_u = 0;
    uint32_t saves = wants(c, IN_X) ? 1u << IN_W : 0;
    for (uint32_t i = 0; i < at->n_adapters; i++) {
        const uint32_t ia = in_a(at, i);
        const hone_shape *a = &c->in[ia], *b = &c->in[ia + 1];
        if (!is_weight(a) || !is_weight(b) || a->dtype != HONE_F32 || b->dtype != HONE_F32 ||
            a->cols != w->cols || b->rows != w->rows || b->cols != a->rows) {
            snprintf(c->error, sizeof c->error,
                     "adapter %u: A (%lld, %lld) and B (%lld, %lld) beside W (%lld, %lld)", i,
                     (long long)a->rows, (long long)a->cols, (long long)b->rows, (long long)b->cols,
                     (long long)w->rows, (long long)w->cols);
            return HONE_E_SHAPE;
        }
        ranks += a->rows;
        rank_max = a->rows > rank_max ? a->rows : rank_max;
        saves_x |= wants(c, ia);
        saves_u |= wants(c, ia + 1);
        if (wants(c, IN_X))
            saves |= 1u << ia;
        if (wants(c, IN_X) || wants(c, ia))
            saves |= 1u << (ia + 1);
    }
    if (wants(c, IN_W) && !hone_storage_get(w->dtype)->trained) {
        snprintf(c->error, sizeof c->error, "a weight stored as %s cannot be trained",
                 hone_storage_get(w->dtype)->name);
        return HONE_E_TYPE;
    }
    if (saves_x)
        saves |= 1u << IN_X;
    c->n_out = 1;
    c->out[0] = (hone_shape){x->rows, w->rows, HONE_F32, HONE_ROWS};
    c->saves_in = saves;
    c->saves_out = 0;
    c->n_extra = 0;
    c->thread_scratch = c->thread_scratch_bwd = HONE_GEMM_SCRATCH;
    c->shared_scratch = c->shared_scratch_bwd = 0;
    if (ranks) {
        const size_t rows = (size_t)x->rows;
        if (c->mode == HONE_MODE_TRAIN && saves_u) {
            c->n_extra = 1;
            c->extra[0] = (hone_shape){x->rows, ranks, HONE_F32, HONE_ROWS};
        } else {
            c->shared_scratch = rows * (size_t)rank_max * sizeof(float);
        }
        c->shared_scratch_bwd = rows * (size_t)rank_max * 2 * sizeof(float);
    }
    return HONE_OK;
}

static hone_gemm base_product(const hone_op_args *args)
{
    const hone_linear_attr *at = args->attr;
    const hone_view *x = &args->in[IN_X], *w = &args->in[IN_W], *y = &args->out[0];
    hone_gemm g = {.M = x->rows,
                   .N = w->rows,
                   .K = w->cols,
                   .x = x->data,
                   .ldx = x->ld,
                   .w = w->data,
                   .wtype = w->dtype,
                   .alpha = 1.0f,
                   .y = y->data,
                   .ldy = y->ld};
    if (at->has_bias)
        g.bias = args->in[IN_BIAS].data;
    return g;
}

void hone_linear_together(const hone_op_args *const *args, int n, const hone_exec *ex)
{
    hone_gemm g[HONE_GEMM_TOGETHER];
    for (int i = 0; i < n; i++)
        g[i] = base_product(args[i]);
    hone_gemm_fwd_together(ex, g, n);
}

static hone_status linear_fwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_linear_attr *at = args->attr;
    const hone_view *x = &args->in[IN_X], *w = &args->in[IN_W], *y = &args->out[0];
    const hone_gemm g = base_product(args);
    hone_gemm_fwd(ex, &g);
    int64_t column = 0;
    for (uint32_t i = 0; i < at->n_adapters; i++) {
        const hone_view *a = &args->in[in_a(at, i)], *b = a + 1;
        const int64_t r = a->rows;
        float *u = ex->shared_scratch;
        int64_t ldu = r;
        if (args->n_extra && args->extra[0].data) {
            u = (float *)args->extra[0].data + column;
            ldu = args->extra[0].ld;
        }
        hone_gemm down = {.M = x->rows,
                          .N = r,
                          .K = w->cols,
                          .x = x->data,
                          .ldx = x->ld,
                          .w = a->data,
                          .wtype = HONE_F32,
                          .alpha = 1.0f,
                          .y = u,
                          .ldy = ldu};
        hone_gemm_fwd(ex, &down);
        hone_gemm up = {.M = x->rows,
                        .N = w->rows,
                        .K = r,
                        .x = u,
                        .ldx = ldu,
                        .w = b->data,
                        .wtype = HONE_F32,
                        .add = 1,
                        .alpha = at->scale[i],
                        .y = y->data,
                        .ldy = y->ld};
        hone_gemm_fwd(ex, &up);
        column += r;
    }
    return HONE_OK;
}

static int wanted(const hone_op_args *args, uint32_t i)
{
    return args->din[i].data != NULL;
}

static hone_status linear_bwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_linear_attr *at = args->attr;
    const hone_view *x = &args->in[IN_X], *w = &args->in[IN_W], *dy = &args->dout[0];
    const hone_view *din = args->din;
    const uint8_t *fresh = args->din_fresh;
    if (!dy->data)
        return HONE_OK;
    /* dy in the place of y; the products below differ in x, w and shapes */
    hone_gemm g = {.M = dy->rows,
                   .N = w->rows,
                   .K = w->cols,
                   .x = x->data,
                   .ldx = x->ld,
                   .w = w->data,
                   .wtype = w->dtype,
                   .alpha = 1.0f,
                   .y = dy->data,
                   .ldy = dy->ld};
    if (wanted(args, IN_X)) {
        g.add = !fresh[IN_X];
        hone_gemm_dx(ex, &g, din[IN_X].data, din[IN_X].ld);
    }
    if (wanted(args, IN_W)) {
        g.add = !fresh[IN_W];
        hone_gemm_dw(ex, &g, din[IN_W].data);
    }
    if (at->has_bias && wanted(args, IN_BIAS))
        hone_gemm_columns(ex, dy->rows, w->rows, dy->data, dy->ld, !fresh[IN_BIAS],
                          din[IN_BIAS].data);
    int64_t column = 0;
    for (uint32_t i = 0; i < at->n_adapters; i++) {
        const uint32_t ia = in_a(at, i);
        const hone_view *a = &args->in[ia], *b = a + 1;
        const int64_t r = a->rows;
        float *du = ex->shared_scratch, *su = du + dy->rows * r;
        if (wanted(args, IN_X) || wanted(args, ia)) { /* du = scale * dy B */
            hone_gemm up = {.M = dy->rows,
                            .N = w->rows,
                            .K = r,
                            .w = b->data,
                            .wtype = HONE_F32,
                            .alpha = at->scale[i],
                            .y = dy->data,
                            .ldy = dy->ld};
            hone_gemm_dx(ex, &up, du, r);
        }
        hone_gemm down = {.M = dy->rows,
                          .N = r,
                          .K = w->cols,
                          .x = x->data,
                          .ldx = x->ld,
                          .w = a->data,
                          .wtype = HONE_F32,
                          .alpha = 1.0f,
                          .y = du,
                          .ldy = r};
        if (wanted(args, IN_X)) {
            down.add = 1;
            hone_gemm_dx(ex, &down, din[IN_X].data, din[IN_X].ld);
        }
        if (wanted(args, ia)) {
            down.add = !fresh[ia];
            hone_gemm_dw(ex, &down, din[ia].data);
        }
        if (wanted(args, ia + 1)) { /* dB += dy^T (scale u) */
            const float *u = (const float *)args->extra[0].data + column;
            for (int64_t t = 0; t < dy->rows; t++)
                for (int64_t c = 0; c < r; c++)
                    su[t * r + c] = at->scale[i] * u[t * args->extra[0].ld + c];
            hone_gemm up = {.M = dy->rows,
                            .N = w->rows,
                            .K = r,
                            .x = su,
                            .ldx = r,
                            .add = !fresh[ia + 1],
                            .alpha = 1.0f,
                            .y = dy->data,
                            .ldy = dy->ld};
            hone_gemm_dw(ex, &up, din[ia + 1].data);
        }
        column += r;
    }
    return HONE_OK;
}

static uint64_t linear_cost(const hone_op_args *args, uint64_t *bytes)
{
    const hone_linear_attr *at = args->attr;
    const hone_view *x = &args->in[IN_X], *w = &args->in[IN_W];
    const uint64_t T = (uint64_t)x->rows, N = (uint64_t)w->rows, K = (uint64_t)w->cols;
    uint64_t flops = 2 * T * N * K, floats = T * (N + K);
    for (uint32_t i = 0; i < at->n_adapters; i++) {
        const uint64_t r = (uint64_t)args->in[in_a(at, i)].rows;
        flops += 2 * T * r * (N + K);
        floats += r * (N + K) + T * r;
    }
    if (bytes)
        *bytes = floats * sizeof(float) + hone_storage_bytes(w);
    return flops;
}

const hone_op hone_op_linear = {
    .struct_size = sizeof(hone_op),
    .name = "linear/1",
    .attr_size = sizeof(hone_linear_attr),
    .infer = linear_infer,
    .fwd = linear_fwd,
    .bwd = linear_bwd,
    .cost = linear_cost,
};
