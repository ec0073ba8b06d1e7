/* linear_logprob.c - head product, softmax, log-probs of targets, entropy, and all their gradients,
 * never as a T x V array.
 *
 * Targets are triples (row, id, weight) sorted by row; a parent's last row carries one for each
 * child. A block of at most 256 rows meets the whole vocabulary at a time: they are gathered,
 * multiplied by the head into shared scratch, and each row is reduced where it lies. Rows without a
 * target never reach the head. With z = inv_temperature * cap(logit_scale * h W^T) of a row and
 * p = softmax(z):
 *   logp = z[id] - lse(z)                      d logp / dz = onehot(id) - p
 *   H    = -sum p log p                        d H / dz    = -p (log p + H)
 * Backward computes the logits of a block again (7 % of a full step) and turns them into dlogits in
 * place; dH = dlogits W, dW += dlogits^T h, a chain over rows in order from the stored gradient.
 * When the head is frozen and no entropy is trained, forward keeps d logp / d h of each target
 * instead, and backward is one multiplication by the upstream gradient.
 *
 * Invariant: nothing depends on where blocks end: forward is per row, dW is one chain through them,
 * and a row's targets are never in two blocks.
 * Does not look at weights: they belong to the objective. */
#include "ops/linear.h"

#include "base/error.h"
#include "ops/head.h"
#include "ops/kern/rows.h"
#include "ops/kernels.h"
#include "ops/op_util.h"
#include "ops/storage.h"

#include <stdio.h>
#include <string.h>

/* Where things lie in shared scratch, in floats. */
struct layout {
    int64_t block, ldz;
    int64_t z, h, dh; /* (block, ldz), (block, C), (block, C) */
    int64_t total;
};

static struct layout layout(int64_t n_targets, int64_t V, int64_t C)
{
    struct layout l = {.block = hone__head_block_rows(n_targets, V, 1),
                       .ldz = hone__head_padded(V)};
    l.h = l.block * l.ldz;
    l.dh = l.h + hone__head_padded(l.block * C);
    l.total = l.dh + hone__head_padded(l.block * C);
    return l;
}

static hone_status logprob_infer(hone_shape_ctx *c)
{
    const hone_linear_logprob_attr *at = c->attr;
    if (c->n_in != 2 || !at || !c->batch) {
        snprintf(c->error, sizeof c->error, "hidden, the head and a batch are wanted");
        return HONE_E_INVALID;
    }
    if (!(at->inv_temperature > 0.0f)) {
        snprintf(c->error, sizeof c->error, "the temperature must be positive");
        return HONE_E_INVALID;
    }
    HONE_TRY(hone__head_shapes(c));
    HONE_TRY(hone__head_trained(c));
    const hone_shape *w = &c->in[1];
    const int64_t n = c->batch->n_targets;
    const struct layout l = layout(n, w->rows, w->cols);
    c->n_out = at->want_entropy ? 2 : 1;
    c->out[0] = c->out[1] = (hone_shape){n, 1, HONE_F32, HONE_ROWS};
    c->n_extra = 0;
    c->saves_in = c->saves_out = 0;
    c->thread_scratch = HONE_GEMM_SCRATCH;
    c->shared_scratch = (size_t)l.total * sizeof(float);
    c->thread_scratch_bwd = HONE_GEMM_SCRATCH;
    const size_t row = (size_t)l.ldz * sizeof(float);
    if (at->softcap > 0.0f)
        c->thread_scratch = c->thread_scratch_bwd = row > HONE_GEMM_SCRATCH ? row
                                                                            : HONE_GEMM_SCRATCH;
    c->shared_scratch_bwd = (size_t)l.total * sizeof(float);
    if (c->mode != HONE_MODE_TRAIN || !c->needs_grad)
        return HONE_OK;
    c->n_extra = 1;
    c->extra[0] = (hone_shape){n, 1, HONE_F32, HONE_ROWS}; /* lse of each target's row */
    c->saves_in = 3;
    if (!(c->needs_grad & 2) &&
        at->want_entropy != HONE_ENTROPY_TRAINED) { /* frozen head: d logp / d h of each target */
        c->n_extra = 2;
        c->extra[1] = (hone_shape){n, w->cols, HONE_F32, HONE_ROWS};
        c->saves_in = 0;
        c->shared_scratch_bwd = c->thread_scratch_bwd = 0;
    }
    return HONE_OK;
}

/* One block: targets t0..t1, its distinct rows being first[0..n] (first target of each). */
struct block {
    const hone_op_args *args;
    const hone_exec *ex;
    const hone_linear_logprob_attr *at;
    int64_t t0, t1, n;                   /* n: distinct rows */
    int32_t first[HONE__HEAD_BLOCK + 1]; /* relative to t0; first[n] = t1 - t0 */
    float *z;
    int64_t ldz, V;
    const float *x; /* the block's hidden rows */
    int64_t ldx;
    int64_t consecutive; /* row of hidden at which they lie one after another, or -1 */
};

static int keeps_directions(const hone_op_args *args)
{
    return args->n_extra == 2 && args->extra[1].data;
}

/* The block that begins at target t0, with its logits (before cap and temperature) in z. */
static void begin(struct block *k, const hone_op_args *args, const hone_exec *ex, int64_t t0)
{
    const hone_batch *b = args->batch;
    const hone_view *h = &args->in[0], *w = &args->in[1];
    const struct layout l = layout(b->n_targets, w->rows, w->cols);
    float *scratch = ex->shared_scratch;
    *k = (struct block){.args = args,
                        .ex = ex,
                        .at = args->attr,
                        .t0 = t0,
                        .z = scratch + l.z,
                        .ldz = l.ldz,
                        .V = w->rows};
    k->consecutive = b->target_row[t0];
    /* A row stays whole, so that dW is one chain over rows wherever blocks end. Directions are one
     * row of z for each target, and each has a chain of its own: those may be cut anywhere. */
    const int each = keeps_directions(args);
    int64_t t = t0;
    for (; t < b->n_targets && !(each && t - t0 == l.block); t++) {
        if (t > t0 && b->target_row[t] == b->target_row[t - 1])
            continue;
        if (k->n == l.block)
            break;
        if (b->target_row[t] != b->target_row[t0] + k->n)
            k->consecutive = -1;
        k->first[k->n++] = (int32_t)(t - t0);
    }
    k->t1 = t;
    k->first[k->n] = (int32_t)(t - t0);
    if (k->consecutive >= 0) {
        k->x = (const float *)h->data + k->consecutive * h->ld;
        k->ldx = h->ld;
    } else {
        float *rows = scratch + l.h;
        for (int64_t i = 0; i < k->n; i++)
            memcpy(rows + i * h->cols,
                   (const float *)h->data + b->target_row[t0 + k->first[i]] * h->ld,
                   (size_t)h->cols * sizeof(float));
        k->x = rows;
        k->ldx = h->cols;
    }
    const hone_gemm g = {.M = k->n,
                         .N = w->rows,
                         .K = w->cols,
                         .x = k->x,
                         .ldx = k->ldx,
                         .w = w->data,
                         .wtype = w->dtype,
                         .alpha = 1.0f,
                         .y = k->z,
                         .ldy = k->ldz};
    hone_gemm_fwd(ex, &g);
}

static void cap(const struct block *k, float *z)
{
    if (k->at->softcap > 0.0f || !(k->at->logit_scale == 1.0f))
        hone_rows()->row_softcap(z, k->V, k->at->logit_scale, k->at->softcap);
}

static void reduce_task(void *arg, int64_t i, uint32_t thread)
{
    const struct block *k = arg;
    const hone_op_args *args = k->args;
    const float it = k->at->inv_temperature;
    float *z = k->z + i * k->ldz;
    (void)thread;
    cap(k, z);
    const float lse = hone_rows()->row_lse(z, k->V, it, NULL);
    const float entropy = k->at->want_entropy ? hone_rows()->row_entropy(z, k->V, it, lse) : 0.0f;
    for (int64_t t = k->t0 + k->first[i]; t < k->t0 + k->first[i + 1]; t++) {
        *hone__row(&args->out[0], t) = z[args->batch->target_id[t]] * it - lse;
        if (k->at->want_entropy)
            *hone__row(&args->out[1], t) = entropy;
        if (args->n_extra && args->extra[0].data)
            *hone__row(&args->extra[0], t) = lse;
    }
}

/* z -> gradient of the raw logits. z is capped already; `targets` of them with upstream gradients
 * g. */
static void row_gradient(const struct block *k, float *z, float lse, const int32_t *ids,
                         const float *g, int64_t ldg, int64_t targets, float g_entropy, float *copy)
{
    const hone_linear_logprob_attr *at = k->at;
    const float it = at->inv_temperature;
    const int capped = at->softcap > 0.0f;
    float entropy = 0.0f, sum = 0.0f;
    if (!(g_entropy == 0.0f))
        entropy = hone_rows()->row_entropy(z, k->V, it, lse);
    if (capped)
        memcpy(copy, z, (size_t)k->V * sizeof *z);
    for (int64_t i = 0; g && i < targets; i++)
        sum += g[i * ldg];
    if (targets == 1) {
        hone_rows()->row_logprob_grad(z, k->V, it, lse, ids[0], sum, g_entropy, entropy, z, 0);
    } else {
        hone_rows()->row_logprob_grad(z, k->V, it, lse, -1, sum, g_entropy, entropy, z, 0);
        for (int64_t i = 0; g && i < targets; i++)
            z[ids[i]] += it * g[i * ldg];
    }
    if (capped) {
        const float inv = 1.0f / at->softcap;
        for (int64_t j = 0; j < k->V; j++) {
            const float q = copy[j] * inv;
            z[j] = z[j] * (1.0f - q * q);
        }
    }
    if (!(at->logit_scale == 1.0f))
        for (int64_t j = 0; j < k->V; j++)
            z[j] *= at->logit_scale;
}

/* Frozen head: one row of z for each target, d logp / d logits in its place. */
static void direction_task(void *arg, int64_t i, uint32_t thread)
{
    const struct block *k = arg;
    const float one = 1.0f;
    float *z = k->z + i * k->ldz;
    float *copy = k->at->softcap > 0.0f ? k->ex->thread_scratch(k->ex, thread) : NULL;
    const int64_t t = k->t0 + i;
    const float lse = *hone__row(&k->args->extra[0], t);
    row_gradient(k, z, lse, &k->args->batch->target_id[t], &one, 0, 1, 0.0f, copy);
}

static void keep_directions(struct block *k)
{
    const hone_view *w = &k->args->in[1], *keep = &k->args->extra[1];
    const int64_t targets = k->t1 - k->t0;
    /* a row of several targets is copied for each; from the back, so that no row is overwritten
     * before it was read */
    for (int64_t i = k->n - 1; i >= 0; i--)
        for (int64_t t = k->first[i + 1] - 1; t >= k->first[i]; t--)
            if (t != i)
                memcpy(k->z + t * k->ldz, k->z + i * k->ldz, (size_t)k->V * sizeof(float));
    k->ex->parallel(k->ex, targets, direction_task, k);
    const hone_gemm g = {.M = targets,
                         .N = w->rows,
                         .K = w->cols,
                         .w = w->data,
                         .wtype = w->dtype,
                         .alpha = 1.0f,
                         .y = k->z,
                         .ldy = k->ldz};
    hone_gemm_dx(k->ex, &g, (float *)keep->data + k->t0 * keep->ld, keep->ld);
}

static hone_status logprob_fwd(const hone_op_args *args, const hone_exec *ex)
{
    HONE_TRY(hone__head_targets(args, "linear_logprob/1"));
    struct block k;
    for (int64_t t = 0; t < args->batch->n_targets; t = k.t1) {
        begin(&k, args, ex, t);
        ex->parallel(ex, k.n, reduce_task, &k);
        if (keeps_directions(args))
            keep_directions(&k);
    }
    return HONE_OK;
}

static void gradient_task(void *arg, int64_t i, uint32_t thread)
{
    const struct block *k = arg;
    const hone_op_args *args = k->args;
    const hone_view *dl = &args->dout[0];
    float *z = k->z + i * k->ldz;
    float *copy = k->at->softcap > 0.0f ? k->ex->thread_scratch(k->ex, thread) : NULL;
    const int64_t t = k->t0 + k->first[i], n = k->first[i + 1] - k->first[i];
    float g_entropy = 0.0f;
    if (k->at->want_entropy == HONE_ENTROPY_TRAINED && args->dout[1].data)
        for (int64_t j = 0; j < n; j++)
            g_entropy += *hone__row(&args->dout[1], t + j);
    cap(k, z);
    row_gradient(k, z, *hone__row(&args->extra[0], t), &args->batch->target_id[t],
                 dl->data ? hone__row(dl, t) : NULL, dl->ld, n, g_entropy, copy);
}

static hone_status logprob_bwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_batch *b = args->batch;
    const hone_view *w = &args->in[1], *dh = &args->din[0];
    const hone_linear_logprob_attr *at = args->attr;
    if (!args->dout[0].data && !(at->want_entropy == HONE_ENTROPY_TRAINED && args->dout[1].data))
        return HONE_OK;
    hone__head_begin_backward(args);
    if (keeps_directions(args)) {
        for (int64_t t = 0; dh->data && t < b->n_targets; t++) {
            const float g = *hone__row(&args->dout[0], t);
            const float *s = (const float *)args->extra[1].data + t * args->extra[1].ld;
            float *d = (float *)dh->data + b->target_row[t] * dh->ld;
            for (int64_t c = 0; c < dh->cols; c++)
                d[c] = d[c] + g * s[c];
        }
        return HONE_OK;
    }
    const struct layout l = layout(b->n_targets, w->rows, w->cols);
    struct block k;
    for (int64_t t = 0; t < b->n_targets; t = k.t1) {
        begin(&k, args, ex, t);
        ex->parallel(ex, k.n, gradient_task, &k);
        const hone__head_rows rows = {.t0 = k.t0,
                                      .n = k.n,
                                      .first = k.first,
                                      .x = k.x,
                                      .ldx = k.ldx,
                                      .z = k.z,
                                      .ldz = k.ldz,
                                      .consecutive = k.consecutive,
                                      .apart = (float *)ex->shared_scratch + l.dh};
        hone__head_backward(args, ex, &rows);
    }
    return HONE_OK;
}

static uint64_t logprob_cost(const hone_op_args *args, uint64_t *bytes)
{
    const uint64_t n = (uint64_t)args->batch->n_targets, V = (uint64_t)args->in[1].rows;
    const uint64_t C = (uint64_t)args->in[1].cols;
    if (bytes)
        *bytes = hone_storage_bytes(&args->in[1]) + n * (2 * V + C) * sizeof(float);
    return n * V * (2 * C + 20); /* and some twenty for exp and the sums */
}

const hone_op hone_op_linear_logprob = {
    .struct_size = sizeof(hone_op),
    .name = "linear_logprob/1",
    .attr_size = sizeof(hone_linear_logprob_attr),
    .infer = logprob_infer,
    .fwd = logprob_fwd,
    .bwd = logprob_bwd,
    .cost = logprob_cost,
};
