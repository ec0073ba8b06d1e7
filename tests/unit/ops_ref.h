/* ops_ref.h - the built-in ops as defined, in double and without any cleverness.
 *
 * These are what kernels are tested against, and what finite differences are taken of. One
 * function an op: inputs and outputs are dense arrays, row by row. */
#ifndef HONE_TESTS_OPS_REF_H
#define HONE_TESTS_OPS_REF_H
#include "ops/attrs.h"
#include "ops/rope_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ref {
    const double *in[HONE_OP_MAX_IN];
    double *out[HONE_OP_MAX_OUT];
    int64_t rows[HONE_OP_MAX_IN], cols[HONE_OP_MAX_IN], out_rows[HONE_OP_MAX_OUT],
        out_cols[HONE_OP_MAX_OUT];
    uint32_t n_in, n_out;
    const void *attr;
    const hone_batch *batch;
};
typedef void ref_fn(const struct ref *r);

/* ---- one number ------------------------------------------------------------------------------ */
static double ref_sigmoid1(double x)
{
    return 1 / (1 + exp(-x));
}
static double ref_gelu1(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
#define REF_UNARY(name, expr)                                                                      \
    static void ref_##name(const struct ref *r)                                                    \
    {                                                                                              \
        for (int64_t i = 0; i < r->rows[0] * r->cols[0]; i++) {                                    \
            double x = r->in[0][i];                                                                \
            r->out[0][i] = (expr);                                                                 \
        }                                                                                          \
    }
#define REF_SCALAR ((double)((const hone_scalar_attr *)r->attr)->value)
#define REF_LO ((double)((const hone_clamp_attr *)r->attr)->lo)
#define REF_HI ((double)((const hone_clamp_attr *)r->attr)->hi)
REF_UNARY(scale, x *REF_SCALAR)
REF_UNARY(add_scalar, x + REF_SCALAR)
REF_UNARY(clamp, x<REF_LO ? REF_LO : x> REF_HI ? REF_HI : x)
REF_UNARY(exp, exp(x))
REF_UNARY(log, log(x))
REF_UNARY(neg, -x)
REF_UNARY(abs, fabs(x))
REF_UNARY(square, x *x)
REF_UNARY(sqrt, sqrt(x))
REF_UNARY(sigmoid, ref_sigmoid1(x))
REF_UNARY(logsigmoid, -log1p(exp(-x)))
REF_UNARY(tanh, tanh(x))
REF_UNARY(relu, x > 0 ? x : 0)
REF_UNARY(silu, x *ref_sigmoid1(x))
REF_UNARY(gelu, ref_gelu1(x))
REF_UNARY(copy, x)

/* ---- two, b broadcast ------------------------------------------------------------------------ */
#define REF_BINARY(name, expr)                                                                     \
    static void ref_##name(const struct ref *r)                                                    \
    {                                                                                              \
        for (int64_t t = 0; t < r->rows[0]; t++)                                                   \
            for (int64_t c = 0; c < r->cols[0]; c++) {                                             \
                double a = r->in[0][t * r->cols[0] + c];                                           \
                double b =                                                                         \
                    r->in[1][(r->rows[1] == 1 ? 0 : t) * r->cols[1] + (r->cols[1] == 1 ? 0 : c)];  \
                r->out[0][t * r->cols[0] + c] = (expr);                                            \
            }                                                                                      \
    }
REF_BINARY(add, a + b)
REF_BINARY(sub, a - b)
REF_BINARY(mul, a *b)
REF_BINARY(div, a / b)
REF_BINARY(min, a < b ? a : b)
REF_BINARY(max, a > b ? a : b)
REF_BINARY(swiglu, a *ref_sigmoid1(a) * b)
REF_BINARY(geglu, ref_gelu1(a) * b)

/* ---- norms ----------------------------------------------------------------------------------- */
static void ref_rms_row(const double *x, const double *w, const hone_norm_attr *a, double *y,
                        int64_t n)
{
    double s = 0;
    for (int64_t i = 0; i < n; i++)
        s += x[i] * x[i];
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] / sqrt(s / (double)n + (double)a->eps) * ((double)a->w_offset + w[i]);
}
static void ref_rmsnorm(const struct ref *r)
{
    const hone_norm_attr *a = r->attr;
    int64_t n = a->n_heads > 0 ? r->cols[0] / a->n_heads : r->cols[0];
    for (int64_t i = 0; i < r->rows[0] * r->cols[0]; i += n)
        ref_rms_row(r->in[0] + i, r->in[1], a, r->out[0] + i, n);
}
static void ref_add_rmsnorm(const struct ref *r)
{
    int64_t n = r->cols[0];
    for (int64_t i = 0; i < r->rows[0] * n; i++)
        r->out[0][i] = r->in[0][i] + r->in[1][i];
    for (int64_t i = 0; i < r->rows[0] * n; i += n)
        ref_rms_row(r->out[0] + i, r->in[2], r->attr, r->out[1] + i, n);
}
static void ref_layernorm(const struct ref *r)
{
    const hone_norm_attr *a = r->attr;
    int64_t n = r->cols[0];
    for (int64_t t = 0; t < r->rows[0]; t++) {
        const double *x = r->in[0] + t * n;
        double m = 0, v = 0;
        for (int64_t i = 0; i < n; i++)
            m += x[i] / (double)n;
        for (int64_t i = 0; i < n; i++)
            v += (x[i] - m) * (x[i] - m) / (double)n;
        for (int64_t i = 0; i < n; i++)
            r->out[0][t * n + i] = (x[i] - m) / sqrt(v + (double)a->eps) * r->in[1][i] +
                                   r->in[2][i];
    }
}

/* ---- rope ------------------------------------------------------------------------------------ */
static void ref_rope(const struct ref *r)
{
    const hone_rope *a = r->attr;
    float inv[512], factor;
    if (hone__rope_frequencies(a, inv, &factor) < 0)
        abort();
    int64_t half = a->rotary_dim / 2;
    memcpy(r->out[0], r->in[0], (size_t)(r->rows[0] * r->cols[0]) * sizeof(double));
    for (int64_t t = 0; t < r->rows[0]; t++)
        for (int64_t h = 0; h < a->n_heads; h++)
            for (int64_t i = 0; i < half; i++) {
                int64_t at = t * r->cols[0] + h * a->head_dim;
                int64_t p = at + (a->interleaved ? 2 * i : i),
                        q = at + (a->interleaved ? 2 * i + 1 : i + half);
                double ang = (double)((float)r->batch->positions[t] * inv[i]);
                double c = cos(ang) * (double)factor, s = sin(ang) * (double)factor;
                r->out[0][p] = r->in[0][p] * c - r->in[0][q] * s;
                r->out[0][q] = r->in[0][q] * c + r->in[0][p] * s;
            }
}

/* ---- attention ------------------------------------------------------------------------------- */
static void ref_attention(const struct ref *r)
{
    const hone_attention *a = r->attr;
    const hone_batch *b = r->batch;
    int64_t hd = a->head_dim, H = a->n_heads, KV = a->n_kv_heads;
    int64_t *seen = malloc((size_t)b->n_tokens * sizeof *seen);
    double *p = malloc((size_t)b->n_tokens * sizeof *p);
    for (int64_t i = 0; i < b->n_segments; i++)
        for (int64_t t = 0; t < b->segments[i].n_tokens; t++) {
            /* the token and its ancestors, nearest first */
            int64_t n = 0, me = b->segments[i].first_token + t;
            for (int64_t s = i, from = t; s >= 0; s = b->segments[s].parent) {
                for (int64_t k = from; k >= 0; k--)
                    seen[n++] = b->segments[s].first_token + k;
                from = b->segments[s].parent >= 0 ? b->segments[b->segments[s].parent].n_tokens - 1
                                                  : 0;
            }
            if (a->window > 0 && n > a->window)
                n = a->window;
            for (int64_t h = 0; h < H; h++) {
                int64_t kv = h / (H / KV);
                double top = -HUGE_VAL, sum = 0;
                for (int64_t j = 0; j < n; j++) {
                    double s = 0;
                    for (int64_t d = 0; d < hd; d++)
                        s += r->in[0][(me * H + h) * hd + d] *
                             r->in[1][(seen[j] * KV + kv) * hd + d];
                    s *= (double)a->scale;
                    if (a->softcap > 0.0f)
                        s = (double)a->softcap * tanh(s / (double)a->softcap);
                    p[j] = s;
                    top = s > top ? s : top;
                }
                for (int64_t j = 0; j < n; j++)
                    sum += p[j] = exp(p[j] - top);
                for (int64_t d = 0; d < hd; d++) {
                    double o = 0;
                    for (int64_t j = 0; j < n; j++)
                        o += p[j] / sum * r->in[2][(seen[j] * KV + kv) * hd + d];
                    r->out[0][(me * H + h) * hd + d] = o;
                }
            }
        }
    free(seen);
    free(p);
}

/* ---- sums and moves -------------------------------------------------------------------------- */
static void ref_sum(const struct ref *r)
{
    double s = 0;
    for (int64_t i = 0; i < r->rows[0] * r->cols[0]; i++)
        s += r->in[0][i];
    r->out[0][0] = s;
}
static void ref_masked_mean(const struct ref *r)
{
    double num = 0, den = 0;
    for (int64_t t = 0; t < r->rows[0]; t++)
        for (int64_t c = 0; c < r->cols[0]; c++) {
            double w = r->in[1][t * r->cols[1] + (r->cols[1] == 1 ? 0 : c)];
            num += r->in[0][t * r->cols[0] + c] * w;
            den += w;
        }
    r->out[0][0] = num / den;
}
static void ref_concat(const struct ref *r)
{
    int64_t off = 0;
    for (uint32_t i = 0; i < r->n_in; off += r->cols[i], i++)
        for (int64_t t = 0; t < r->rows[i]; t++)
            for (int64_t c = 0; c < r->cols[i]; c++)
                r->out[0][t * r->out_cols[0] + off + c] = r->in[i][t * r->cols[i] + c];
}
static void ref_slice(const struct ref *r)
{
    const hone_slice_attr *a = r->attr;
    for (int64_t t = 0; t < r->out_rows[0]; t++)
        for (int64_t c = 0; c < r->out_cols[0]; c++)
            r->out[0][t * r->out_cols[0] + c] =
                r->in[0]
                     [(t + (a->axis ? a->first : 0)) * r->cols[0] + c + (a->axis ? 0 : a->first)];
}
static void ref_gather(const struct ref *r)
{
    for (int64_t t = 0; t < r->out_rows[0]; t++)
        for (int64_t c = 0; c < r->cols[0]; c++)
            r->out[0][t * r->cols[0] + c] = r->in[0][(int64_t)r->in[1][t] * r->cols[0] + c];
}

/* ---- products -------------------------------------------------------------------------------- */
static void ref_add_product(const double *x, const double *w, double scale, double *y, int64_t T,
                            int64_t N, int64_t K)
{
    for (int64_t t = 0; t < T; t++)
        for (int64_t n = 0; n < N; n++)
            for (int64_t k = 0; k < K; k++)
                y[t * N + n] += scale * x[t * K + k] * w[n * K + k];
}
static void ref_linear(const struct ref *r)
{
    const hone_linear_attr *a = r->attr;
    int64_t T = r->rows[0], N = r->rows[1], K = r->cols[0];
    for (int64_t i = 0; i < T * N; i++)
        r->out[0][i] = a->has_bias ? r->in[2][i % N] : 0;
    ref_add_product(r->in[0], r->in[1], 1, r->out[0], T, N, K);
    for (uint32_t i = 0; i < a->n_adapters; i++) {
        uint32_t at = 2 + (a->has_bias != 0) + 2 * i;
        int64_t rank = r->rows[at];
        double *u = calloc((size_t)(T * rank), sizeof *u);
        ref_add_product(r->in[0], r->in[at], 1, u, T, rank, K);
        ref_add_product(u, r->in[at + 1], (double)a->scale[i], r->out[0], T, N, rank);
        free(u);
    }
}
static void ref_magnitude(const struct ref *r)
{
    for (int64_t t = 0; t < r->rows[0]; t++)
        for (int64_t c = 0; c < r->cols[0]; c++)
            r->out[0][t * r->cols[0] + c] = r->in[0][t * r->cols[0] + c] * r->in[1][c] /
                                                r->in[2][c] +
                                            (r->n_in > 3 ? r->in[3][c] : 0);
}
static void ref_embed(const struct ref *r)
{
    const hone_embed_attr *a = r->attr;
    int64_t C = r->cols[0];
    for (int64_t t = 0; t < r->batch->n_tokens; t++)
        for (int64_t c = 0; c < C; c++)
            r->out[0][t * C + c] = (double)a->scale * r->in[0][r->batch->tokens[t] * C + c];
}
/* one row of logits */
static void ref_head(const struct ref *r, int64_t row, float scale, float cap, double inv_temp,
                     double *z)
{
    int64_t V = r->rows[1], C = r->cols[0];
    memset(z, 0, (size_t)V * sizeof *z);
    ref_add_product(r->in[0] + row * C, r->in[1], (double)scale, z, 1, V, C);
    for (int64_t v = 0; v < V; v++)
        z[v] = inv_temp * (cap > 0.0f ? (double)cap * tanh(z[v] / (double)cap) : z[v]);
}
static void ref_linear_logprob(const struct ref *r)
{
    const hone_linear_logprob_attr *a = r->attr;
    int64_t V = r->rows[1];
    double *z = malloc((size_t)V * sizeof *z);
    for (int64_t i = 0; i < r->batch->n_targets; i++) {
        ref_head(r, r->batch->target_row[i], a->logit_scale, a->softcap, (double)a->inv_temperature,
                 z);
        double sum = 0, h = 0;
        for (int64_t v = 0; v < V; v++)
            sum += exp(z[v]);
        for (int64_t v = 0; v < V; v++)
            h -= exp(z[v]) / sum * (z[v] - log(sum));
        r->out[0][i] = z[r->batch->target_id[i]] - log(sum);
        if (r->n_out > 1)
            r->out[1][i] = h;
    }
    free(z);
}
/* log-probs of a teacher's row i at the divergence's temperature */
static void ref_teacher(const struct ref *r, int64_t row, double *logq)
{
    const hone_linear_divergence_attr *a = r->attr;
    const struct ref t = {.in = {r->in[2], r->in[3]},
                          .rows = {r->rows[2], r->rows[3]},
                          .cols = {r->cols[2], r->cols[3]}};
    double sum = 0;
    ref_head(&t, row, a->teacher_logit_scale, a->teacher_softcap,
             (double)a->divergence_inv_temperature, logq);
    for (int64_t v = 0; v < t.rows[1]; v++)
        sum += exp(logq[v]);
    for (int64_t v = 0; v < t.rows[1]; v++)
        logq[v] -= log(sum);
}
/* the divergence of n events */
static double ref_divergence(double beta, const double *logq, const double *logp, int64_t n)
{
    double d = 0;
    for (int64_t j = 0; j < n; j++) {
        double q = exp(logq[j]), p = exp(logp[j]), m = log(beta * q + (1 - beta) * p);
        if (beta == 0)
            d += q * (logq[j] - logp[j]);
        else if (beta == 1)
            d += p * (logp[j] - logq[j]);
        else
            d += beta * q * (logq[j] - m) + (1 - beta) * p * (logp[j] - m);
    }
    return d;
}
static void ref_linear_divergence(const struct ref *r)
{
    const hone_linear_divergence_attr *a = r->attr;
    const hone_linear_logprob_attr plain = {a->inv_temperature, a->softcap, a->logit_scale,
                                            a->want_entropy};
    struct ref lp = *r;
    int64_t V = r->rows[1], K = r->cols[2];
    double *logp = malloc((size_t)V * 2 * sizeof *logp), *logq = logp + V;
    lp.attr = &plain;
    lp.n_out = a->want_entropy ? 2 : 1;
    lp.out[1] = r->out[2];
    ref_linear_logprob(&lp);
    for (int64_t i = 0; i < r->batch->n_targets; i++) {
        double sum = 0, rest_p = 0, rest_q = 1, p[64], q[64];
        ref_head(r, r->batch->target_row[i], a->logit_scale, a->softcap,
                 (double)a->divergence_inv_temperature, logp);
        for (int64_t v = 0; v < V; v++)
            sum += exp(logp[v]);
        for (int64_t v = 0; v < V; v++)
            logp[v] -= log(sum);
        if (!a->topk) {
            ref_teacher(r, r->batch->target_row[i], logq);
            r->out[1][i] = ref_divergence((double)a->beta, logq, logp, V);
            continue;
        }
        for (int64_t k = 0; k < K; k++) {
            p[k] = logp[(int64_t)r->in[2][i * K + k]];
            q[k] = r->in[3][i * K + k];
            rest_q -= exp(q[k]);
        }
        for (int64_t v = 0; v < V; v++) {
            int among = 0;
            for (int64_t k = 0; k < K; k++)
                among |= v == (int64_t)r->in[2][i * K + k];
            rest_p += among ? 0 : exp(logp[v]);
        }
        p[K] = log(rest_p);
        q[K] = log(rest_q);
        r->out[1][i] = ref_divergence((double)a->beta, q, p, K + 1);
    }
    free(logp);
}
static void ref_logits(const struct ref *r)
{
    const hone_logits_attr *a = r->attr;
    for (int64_t i = 0; i < r->batch->n_logit_rows; i++)
        ref_head(r, r->batch->logit_rows[i], a->logit_scale, a->softcap, 1,
                 r->out[0] + i * r->rows[1]);
}
#endif
