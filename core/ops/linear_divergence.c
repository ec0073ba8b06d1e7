/* linear_divergence.c - the divergence between a teacher's and a student's next-token distributions, with the
 * log-probs (and entropy) of the targets, and all gradients: never a T x V array.
 *
 * It stands where linear_logprob/1 stands when the objective distils. The teacher comes as its hidden
 * states and head, or as the K largest log-probs of each target (from a file): then the divergence is that of
 * K + 1 events, the K tokens and all others together, which is the whole one where K is the vocabulary and never
 * above it (data processing). A block of rows meets the whole vocabulary at a time, twice (the student's
 * head, the teacher's), in shared scratch; each pair of rows is reduced where it lies. Backward
 * computes both logits again, writes the student's dlogits over the teacher's, and multiplies: dH = dlogits W, dW +=
 * dlogits^T h. The teacher gets no gradient.
 *
 * Invariants: those of linear_logprob.c: per row in forward, one chain over rows for dW, blocks end nowhere that
 * matters; log-probs have the bits of linear_logprob/1. Source: kern/divergence.c, objectives.md. */
#include "ops/linear.h"

#include "base/error.h"
#include "hone/math.h"
#include "ops/head.h"
#include "ops/kern/rows.h"
#include "ops/kernels.h"
#include "ops/op_util.h"
#include "ops/storage.h"

#include <stdio.h>
#include <string.h>

enum { TOPK_MOST = 4096 };

/* What the other tokens have at least, together, where the teacher's K say 1 up to rounding. */
#define LEAST_REST 1e-7

/* Where things lie in shared scratch, in floats. */
struct layout {
    int64_t block, ldz, C;
    int64_t zs, zt, x, dh; /* (block, ldz) twice, (block, larger C) twice */
    int64_t total;
};

static struct layout layout(int64_t n_targets, int64_t V, int64_t Cs, int64_t Ct)
{
    struct layout l = {.block = hone__head_block_rows(n_targets, V, 2),
                       .ldz = hone__head_padded(V),
                       .C = Cs > Ct ? Cs : Ct};
    l.zt = l.block * l.ldz;
    l.x = 2 * l.zt;
    l.dh = l.x + hone__head_padded(l.block * l.C);
    l.total = l.dh + hone__head_padded(l.block * l.C);
    return l;
}

static int is_rows(const hone_shape *s)
{
    return s->layout == HONE_ROWS && s->dtype == HONE_F32;
}
static int is_head(const hone_shape *s)
{
    return s->layout == HONE_PANELS && hone_storage_get(s->dtype) && s->rows >= 1 && s->cols >= 1;
}

static hone_status refuse(hone_shape_ctx *c, hone_status s, const char *why)
{
    snprintf(c->error, sizeof c->error, "%s", why);
    return s;
}

static size_t events_bytes(const hone_shape *ids)
{
    return (size_t)(ids->cols + 1) * 3 * sizeof(double) + (size_t)ids->cols * sizeof(float);
}

static hone_status divergence_infer(hone_shape_ctx *c)
{
    const hone_linear_divergence_attr *at = c->attr;
    if (c->n_in != 4 || !at || !c->batch)
        return refuse(c, HONE_E_INVALID,
                      "hidden, the head, the teacher's two and a batch are wanted");
    if (!(at->inv_temperature > 0.0f) || !(at->divergence_inv_temperature > 0.0f))
        return refuse(c, HONE_E_INVALID, "the temperature must be positive");
    if (!(at->beta >= 0.0f && at->beta <= 1.0f))
        return refuse(c, HONE_E_INVALID, "beta must be between 0 and 1");
    const hone_shape *h = &c->in[0], *w = &c->in[1], *th = &c->in[2], *tw = &c->in[3];
    const int64_t n = c->batch->n_targets;
    HONE_TRY(hone__head_shapes(c));
    if (at->topk) {
        if (th->dtype != HONE_I32 || th->layout != HONE_ROWS || !is_rows(tw))
            return refuse(c, HONE_E_TYPE,
                          "the teacher's ids are i32 rows, its log-probs float32 rows");
        if (th->rows != n || tw->rows != n || th->cols != tw->cols || th->cols > w->rows ||
            th->cols > TOPK_MOST)
            return refuse(c, HONE_E_SHAPE,
                          "the teacher's ids and log-probs are one row a target, at most "
                          "4096 and at most the vocabulary");
    } else {
        if (!is_rows(th) || !is_head(tw))
            return refuse(c, HONE_E_TYPE,
                          "the teacher's hidden must be float32 rows, its head a panelled weight");
        if (th->rows != h->rows || th->cols != tw->cols)
            return refuse(c, HONE_E_SHAPE,
                          "the teacher's hidden fits neither the batch nor its head");
        if (tw->rows != w->rows) {
            snprintf(c->error, sizeof c->error,
                     "the teacher has %lld tokens, the student %lld: one vocabulary is wanted",
                     (long long)tw->rows, (long long)w->rows);
            return HONE_E_SHAPE;
        }
    }
    HONE_TRY(hone__head_trained(c));
    const struct layout l = layout(n, w->rows, w->cols, at->topk ? 1 : tw->cols);
    c->n_out = at->want_entropy ? 3 : 2;
    for (uint32_t i = 0; i < c->n_out; i++)
        c->out[i] = (hone_shape){n, 1, HONE_F32, HONE_ROWS};
    c->n_extra = 0;
    c->saves_in = 15;
    c->saves_out = 0;
    c->needs_grad &= 3;
    c->thread_scratch = HONE_GEMM_SCRATCH;
    if (at->topk && events_bytes(th) > c->thread_scratch)
        c->thread_scratch = events_bytes(th);
    c->thread_scratch_bwd = c->thread_scratch;
    c->shared_scratch = c->shared_scratch_bwd = (size_t)l.total * sizeof(float);
    return HONE_OK;
}

/* One block: targets t0..t1, its distinct rows being first[0..n] (first target of each). */
struct block {
    const hone_op_args *args;
    const hone_exec *ex;
    const hone_linear_divergence_attr *at;
    struct layout l;
    int64_t t0, t1, n;
    int32_t first[HONE__HEAD_BLOCK + 1]; /* relative to t0; first[n] = t1 - t0 */
    float *zs, *zt, *x;
    int64_t V;
};

static hone_status check(const hone_op_args *args)
{
    const hone_linear_divergence_attr *at = args->attr;
    const hone_batch *b = args->batch;
    const int64_t V = args->in[1].rows;
    HONE_TRY(hone__head_targets(args, "linear_divergence/1"));
    for (int64_t t = 0; at->topk && t < b->n_targets; t++) {
        const int32_t *ids = (const int32_t *)args->in[2].data + t * args->in[2].ld;
        for (int64_t k = 0; k < args->in[2].cols; k++)
            if (ids[k] < 0 || ids[k] >= V)
                return hone_fail(
                    HONE_E_RANGE,
                    "linear_divergence/1: the teacher of target %lld has id %d of %lld",
                    (long long)t, ids[k], (long long)V);
    }
    return HONE_OK;
}

/* z = x w^T, x being the block's rows of hidden, put side by side. */
static void logits_of(struct block *k, const hone_view *h, const hone_view *w, float *z)
{
    for (int64_t i = 0; i < k->n; i++)
        memcpy(k->x + i * h->cols,
               (const float *)h->data + k->args->batch->target_row[k->t0 + k->first[i]] * h->ld,
               (size_t)h->cols * sizeof(float));
    const hone_gemm g = {.M = k->n,
                         .N = w->rows,
                         .K = w->cols,
                         .x = k->x,
                         .ldx = h->cols,
                         .w = w->data,
                         .wtype = w->dtype,
                         .alpha = 1.0f,
                         .y = z,
                         .ldy = k->l.ldz};
    hone_gemm_fwd(k->ex, &g);
}

/* The block that begins at target t0, with the logits (before cap and temperature) of both. */
static void begin(struct block *k, const hone_op_args *args, const hone_exec *ex, int64_t t0)
{
    const hone_batch *b = args->batch;
    const hone_view *w = &args->in[1], *tw = &args->in[3];
    const hone_linear_divergence_attr *at = args->attr;
    float *scratch = ex->shared_scratch;
    int64_t t = t0;
    *k = (struct block){.args = args,
                        .ex = ex,
                        .at = at,
                        .l = layout(b->n_targets, w->rows, w->cols, at->topk ? 1 : tw->cols),
                        .t0 = t0,
                        .V = w->rows};
    k->zs = scratch;
    k->zt = scratch + k->l.zt;
    k->x = scratch + k->l.x;
    for (; t < b->n_targets; t++) { /* a row stays whole */
        if (t > t0 && b->target_row[t] == b->target_row[t - 1])
            continue;
        if (k->n == k->l.block)
            break;
        k->first[k->n++] = (int32_t)(t - t0);
    }
    k->t1 = t;
    k->first[k->n] = (int32_t)(t - t0);
    if (!at->topk)
        logits_of(k, &args->in[2], tw, k->zt);
    logits_of(k, &args->in[0], w, k->zs); /* last: dW wants its rows in x */
}

static void cap(float *z, int64_t n, float scale, float softcap)
{
    if (softcap > 0.0f || !(scale == 1.0f))
        hone_rows()->row_softcap(z, n, scale, softcap);
}

/* Row i of a block: logits as they count, and what normalises them. */
struct pair {
    float *zs, *zt;
    float lse, lse_s,
        lse_t; /* at the log-probs' temperature; student and teacher at the divergence's */
};

static struct pair pair_of(const struct block *k, int64_t i)
{
    const hone_linear_divergence_attr *at = k->at;
    struct pair p = {.zs = k->zs + i * k->l.ldz, .zt = k->zt + i * k->l.ldz};
    cap(p.zs, k->V, at->logit_scale, at->softcap);
    p.lse = hone_rows()->row_lse(p.zs, k->V, at->inv_temperature, NULL);
    p.lse_s = at->divergence_inv_temperature == at->inv_temperature
                  ? p.lse
                  : hone_rows()->row_lse(p.zs, k->V, at->divergence_inv_temperature, NULL);
    if (!at->topk) {
        cap(p.zt, k->V, at->teacher_logit_scale, at->teacher_softcap);
        p.lse_t = hone_rows()->row_lse(p.zt, k->V, at->divergence_inv_temperature, NULL);
    }
    return p;
}

/* ---- a teacher of K tokens ---------------------------------------------------------------------------- */

/* K + 1 events of a target: the teacher's tokens, then all others. */
struct events {
    int64_t n;          /* K */
    const int32_t *ids; /* K */
    double *p, *c;      /* K + 1: the student's probability; d = sum p c's derivative in p */
    double value, mean; /* the divergence; sum of p c */
};

/* Reads target t's events; the row of logits is as it was when this returns. */
static struct events events_of(const struct block *k, const struct pair *r, int64_t t,
                               void *scratch)
{
    const hone_view *ids = &k->args->in[2], *logq = &k->args->in[3];
    const double it = (double)k->at->divergence_inv_temperature, beta = (double)k->at->beta;
    struct events e = {.n = ids->cols, .ids = (const int32_t *)ids->data + t * ids->ld};
    const float *given = (const float *)logq->data + t * logq->ld;
    double *lp = scratch, left = 1;
    float *kept;
    e.p = lp + e.n + 1;
    e.c = e.p + e.n + 1;
    kept = (float *)(void *)(e.c + e.n + 1);
    for (int64_t j = 0; j < e.n; j++) {
        kept[j] = r->zs[e.ids[j]];
        lp[j] = (double)kept[j] * it - (double)r->lse_s;
    }
    for (int64_t j = 0; j < e.n; j++)
        r->zs[e.ids[j]] = -1e30f;
    lp[e.n] = (double)hone_rows()->row_lse(r->zs, k->V, k->at->divergence_inv_temperature, NULL) -
              (double)r->lse_s;
    for (int64_t j = 0; j < e.n; j++)
        r->zs[e.ids[j]] = kept[j];
    for (int64_t j = 0; j < e.n; j++)
        left -= hone_exp((double)given[j]);
    left = e.n == k->V ? 0 : left < LEAST_REST ? LEAST_REST : left;
    if (lp[e.n] < -80) /* also where there are no others */
        lp[e.n] = -80;
    for (int64_t j = 0; j <= e.n; j++) {
        const double lq = j < e.n ? (double)given[j] : left > 0 ? hone_log(left) : -80;
        const double q = j < e.n || left > 0 ? hone_exp(lq) : 0;
        const double p = j == e.n && e.n == k->V ? 0 : hone_exp(lp[j]);
        e.p[j] = p;
        if (beta == 0) {
            e.c[j] = p == 0 ? 0 : -q / p;
            e.mean -= q;
            e.value += q == 0 ? 0 : q * (lq - lp[j]);
        } else if (beta == 1) {
            e.c[j] = lp[j] - lq;
            e.mean += p == 0 ? 0 : p * e.c[j];
        } else {
            const double m = beta * q + (1 - beta) * p, lm = m == 0 ? 0 : hone_log(m);
            e.c[j] = m == 0 ? 0 : (1 - beta) * (lp[j] - lm);
            e.mean += p == 0 ? 0 : p * e.c[j];
            e.value += q == 0 ? 0 : beta * q * (lq - lm);
        }
    }
    if (beta != 0)
        e.value += e.mean;
    return e;
}

/* dz += g * d divergence / dz: it p_j (c - mean), c being the others' for all but the K. */
static void add_events_grad(const struct block *k, const struct pair *r, const struct events *e,
                            float g, float *dz)
{
    const float it = k->at->divergence_inv_temperature;
    const double rest = e->c[e->n];
    hone_rows()->row_logprob_grad(r->zs, k->V, it, r->lse_s, -1, g * (float)(e->mean - rest), 0.0f,
                                  0.0f, dz, 1);
    for (int64_t j = 0; j < e->n; j++)
        dz[e->ids[j]] += it * g * (float)(e->p[j] * (e->c[j] - rest));
}

/* ---- forward ------------------------------------------------------------------------------------------ */

static void reduce_task(void *arg, int64_t i, uint32_t thread)
{
    const struct block *k = arg;
    const hone_op_args *args = k->args;
    const hone_linear_divergence_attr *at = k->at;
    const struct pair r = pair_of(k, i);
    const float it = at->inv_temperature;
    float d = 0.0f, h = 0.0f;
    if (!at->topk)
        d = hone_rows()->row_divergence(r.zs, r.lse_s, r.zt, r.lse_t, k->V,
                                        at->divergence_inv_temperature, at->beta, NULL);
    if (at->want_entropy)
        h = hone_rows()->row_entropy(r.zs, k->V, it, r.lse);
    for (int64_t t = k->t0 + k->first[i]; t < k->t0 + k->first[i + 1]; t++) {
        if (at->topk)
            d = (float)events_of(k, &r, t, k->ex->thread_scratch(k->ex, thread)).value;
        *hone__row(&args->out[0], t) = r.zs[args->batch->target_id[t]] * it - r.lse;
        *hone__row(&args->out[1], t) = d;
        if (at->want_entropy)
            *hone__row(&args->out[2], t) = h;
    }
}

static hone_status divergence_fwd(const hone_op_args *args, const hone_exec *ex)
{
    HONE_TRY(check(args));
    struct block k;
    for (int64_t t = 0; t < args->batch->n_targets; t = k.t1) {
        begin(&k, args, ex, t);
        ex->parallel(ex, k.n, reduce_task, &k);
    }
    return HONE_OK;
}

/* ---- backward ----------------------------------------------------------------------------------------- */

static float sum_of(const hone_view *v, int64_t t0, int64_t t1)
{
    float sum = 0.0f;
    for (int64_t t = t0; v->data && t < t1; t++)
        sum += *hone__row(v, t);
    return sum;
}

/* The student's dlogits of row i, over the teacher's logits. */
static void gradient_task(void *arg, int64_t i, uint32_t thread)
{
    const struct block *k = arg;
    const hone_op_args *args = k->args;
    const hone_linear_divergence_attr *at = k->at;
    const struct pair r = pair_of(k, i);
    const float it = at->inv_temperature, dit = at->divergence_inv_temperature;
    const int64_t t0 = k->t0 + k->first[i], t1 = k->t0 + k->first[i + 1];
    const hone_view *dl = &args->dout[0], *dd = &args->dout[1];
    const float g = sum_of(dl, t0, t1), gd = sum_of(dd, t0, t1);
    const float gh = at->want_entropy ? sum_of(&args->dout[2], t0, t1) : 0.0f;
    float *dz = r.zt, part = 0.0f;
    if (at->topk) {
        memset(dz, 0, (size_t)k->V * sizeof *dz);
        for (int64_t t = t0; dd->data && t < t1; t++) {
            struct events e = events_of(k, &r, t, k->ex->thread_scratch(k->ex, thread));
            add_events_grad(k, &r, &e, *hone__row(dd, t), dz);
        }
    } else {
        if (at->beta > 0.0f)
            hone_rows()->row_divergence(r.zs, r.lse_s, r.zt, r.lse_t, k->V, dit, at->beta, &part);
        hone_rows()->row_divergence_grad(r.zs, r.lse_s, r.zt, r.lse_t, k->V, dit, at->beta, part,
                                         gd, dz);
    }
    if (dl->data || !(gh == 0.0f)) {
        const float h = gh == 0.0f ? 0.0f : hone_rows()->row_entropy(r.zs, k->V, it, r.lse);
        hone_rows()->row_logprob_grad(r.zs, k->V, it, r.lse, -1, g, gh, h, dz, 1);
        for (int64_t t = t0; dl->data && t < t1; t++)
            dz[args->batch->target_id[t]] += it * *hone__row(dl, t);
    }
    if (at->softcap > 0.0f) {
        const float inv = 1.0f / at->softcap;
        for (int64_t j = 0; j < k->V; j++) {
            const float q = r.zs[j] * inv;
            dz[j] = dz[j] * (1.0f - q * q);
        }
    }
    if (!(at->logit_scale == 1.0f))
        for (int64_t j = 0; j < k->V; j++)
            dz[j] *= at->logit_scale;
}

static hone_status divergence_bwd(const hone_op_args *args, const hone_exec *ex)
{
    const hone_batch *b = args->batch;
    if (!args->dout[0].data && !args->dout[1].data && !(args->n_out > 2 && args->dout[2].data))
        return HONE_OK;
    hone__head_begin_backward(args);
    struct block k;
    for (int64_t t = 0; t < b->n_targets; t = k.t1) {
        begin(&k, args, ex, t);
        ex->parallel(ex, k.n, gradient_task, &k);
        const hone__head_rows rows = {.t0 = k.t0,
                                      .n = k.n,
                                      .first = k.first,
                                      .x = k.x,
                                      .ldx = args->in[1].cols,
                                      .z = k.zt,
                                      .ldz = k.l.ldz,
                                      .consecutive = -1,
                                      .apart = (float *)ex->shared_scratch + k.l.dh};
        hone__head_backward(args, ex, &rows);
    }
    return HONE_OK;
}

static uint64_t divergence_cost(const hone_op_args *args, uint64_t *bytes)
{
    const hone_linear_divergence_attr *at = args->attr;
    const uint64_t n = (uint64_t)args->batch->n_targets, V = (uint64_t)args->in[1].rows;
    const uint64_t C = (uint64_t)args->in[1].cols, Ct = at->topk ? 0 : (uint64_t)args->in[3].cols;
    if (bytes)
        *bytes = hone_storage_bytes(&args->in[1]) + (Ct ? hone_storage_bytes(&args->in[3]) : 0) +
                 n * (4 * V + C + Ct) * sizeof(float);
    return n * V * (2 * (C + Ct) + 60); /* and some sixty for exp, log and the sums */
}

const hone_op hone_op_linear_divergence = {
    .struct_size = sizeof(hone_op),
    .name = "linear_divergence/1",
    .attr_size = sizeof(hone_linear_divergence_attr),
    .infer = divergence_infer,
    .fwd = divergence_fwd,
    .bwd = divergence_bwd,
    .cost = divergence_cost,
};
