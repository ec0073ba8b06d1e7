/* rows.h - kernels that work on rows: norms, activations, rotary positions, attention, small ops.
 *
 * Written once over simd.h, compiled once per kernel set into a table hone__k_rows_<set>; the
 * three give equal bits (compute.md 4). They take rows, never views: splitting among threads,
 * broadcasting and gradient bookkeeping belong to the op files. A result of a row depends on that
 * row alone.
 *
 * `acc`: 0 = write the destination, 1 = add to it. Sums over a row use 16 virtual lanes and one
 * fixed tree; sums over rows are one chain in row order. NaN in gives NaN out. Nothing here can
 * fail. */
#ifndef HONE_CORE_OPS_KERN_ROWS_H
#define HONE_CORE_OPS_KERN_ROWS_H
#include "ops/cpu.h"

#include <stdint.h>

/* y = f(x): p, q are the op's parameters */
enum {
    HONE_EW_COPY,
    HONE_EW_SCALE,      /* x*p */
    HONE_EW_ADD_SCALAR, /* x+p */
    HONE_EW_CLAMP,      /* min(max(x, p), q) */
    HONE_EW_EXP,
    HONE_EW_LOG,
    HONE_EW_NEG,
    HONE_EW_ABS,
    HONE_EW_SQUARE,
    HONE_EW_SQRT,
    HONE_EW_SIGMOID,
    HONE_EW_LOGSIGMOID,
    HONE_EW_TANH,
    HONE_EW_RELU,
    HONE_EW_SILU,
    HONE_EW_GELU, /* tanh form */
    HONE_EW_UNARY_COUNT
};
enum {
    HONE_EW_ADD,
    HONE_EW_SUB,
    HONE_EW_MUL,
    HONE_EW_DIV,
    HONE_EW_MIN,
    HONE_EW_MAX,
    HONE_EW_BINARY_COUNT
};

/* One block of queries of one segment that share a key/value head. */
typedef struct hone_attn_fwd {
    const float *q; /* first query, first head of the group */
    int64_t ldq;
    float *out; /* as q */
    int64_t ldo;
    float *lse; /* (query, head) with ldlse, or NULL */
    int64_t ldlse;
    int32_t n_queries, group, head_dim, window;
    float scale, softcap;
    int64_t start;      /* position of the first query */
    const float *pages; /* page 0, this head: K^T [hd][64] then V [64][hd] */
    int64_t page_stride;
    const int32_t *page_ids; /* by position/64 */
    float *scratch;          /* hone_attn_fwd_floats() */
} hone_attn_fwd;

/* The same backward, for one query head. Pages: K^T, V^T [hd][64], K [64][hd]; page gradients:
 * dK, dV [64][hd], accumulated. dq is written, or added to with `acc`; NULL where not wanted. */
typedef struct hone_attn_bwd {
    const float *q, *out, *dout;
    int64_t ldq, ldo, lddo;
    const float *lse;
    int64_t ldlse;
    float *dq;
    int64_t lddq;
    int32_t acc, want_kv;
    int32_t n_queries, head_dim, window, reserved;
    float scale, softcap;
    int64_t start;
    const float *pages;
    int64_t page_stride;
    float *grads; /* page 0, this query head */
    int64_t grad_stride;
    const int32_t *page_ids;
    float *scratch; /* hone_attn_bwd_floats() */
} hone_attn_bwd;

enum { HONE_ATTN_ROWS = 96, HONE_ATTN_BWD_ROWS = 64 }; /* most rows (query, head) of one block */
static inline int64_t hone_attn_fwd_floats(int64_t head_dim)
{
    return HONE_ATTN_ROWS * (2 * (head_dim + 16) + 64 + 48);
}
static inline int64_t hone_attn_bwd_floats(int64_t head_dim)
{
    return HONE_ATTN_BWD_ROWS * (3 * (head_dim + 16) + 2 * 64 + 48);
}

typedef struct hone_rows_kernels {
    const char *set;

    /* ---- one row of logits: the sampler and linear_logprob call these, so that bits agree */
    /* log sum exp of z*inv_temp (inv_temp > 0); *max = largest z*inv_temp if not NULL. */
    float (*row_lse)(const float *z, int64_t n, float inv_temp, float *max);
    /* Entropy of softmax(z*inv_temp), given its lse. */
    float (*row_entropy)(const float *z, int64_t n, float inv_temp, float lse);
    /* p = exp(z*inv_temp - lse); p == z is allowed. */
    void (*row_softmax)(const float *z, int64_t n, float inv_temp, float lse, float *p);
    /* dz (=|+=) g * d logp(target)/dz + g_entropy * dH/dz: with p = softmax,
     *   inv_temp * (g*(1[j == target] - p_j) - g_entropy*p_j*(log p_j + entropy)). dz == z is
     *       allowed. */
    void (*row_logprob_grad)(const float *z, int64_t n, float inv_temp, float lse, int64_t target,
                             float g, float g_entropy, float entropy, float *dz, int acc);
    /* z = scale*z, then softcap*tanh(z/softcap) unless softcap is 0; in place. */
    void (*row_softcap)(float *z, int64_t n, float scale, float softcap);
    /* Index of the first largest; -1 if any is NaN or n is 0. */
    int64_t (*row_argmax)(const float *z, int64_t n);

    /* ---- two rows of logits: linear_divergence. zs the student's, zt the teacher's, each with its lse at
     * inv_temp; beta as in hone_linear_divergence_attr. */
    /* The divergence. *part (may be NULL) is what row_divergence_grad wants: the sum over p of the
     * student's terms. */
    float (*row_divergence)(const float *zs, float lse_s, const float *zt, float lse_t, int64_t n,
                            float inv_temp, float beta, float *part);
    /* dz = g * d divergence / d zs. dz may be zt. */
    void (*row_divergence_grad)(const float *zs, float lse_s, const float *zt, float lse_t,
                                int64_t n, float inv_temp, float beta, float part, float g,
                                float *dz);

    /* ---- norms ------------------------------------------------------------------------------- */
    /* y = (x*rstd)*(w_offset + w), rstd = 1/sqrt(mean(x^2) + eps); returns rstd. y == x is
     * allowed. */
    float (*rmsnorm)(const float *x, const float *w, float w_offset, float eps, float *y,
                     int64_t n);
    /* sum = x + delta, then the norm of it. sum may be x or delta. */
    float (*add_rmsnorm)(const float *x, const float *delta, const float *w, float w_offset,
                         float eps, float *sum, float *y, int64_t n);
    /* dx (=|+=) base + rstd*(dy*w - xhat*mean(dy*w*xhat)); base NULL = 0; base == dx with acc 0 and
     * dy == dx are allowed. */
    void (*rmsnorm_dx)(const float *x, const float *w, float w_offset, float rstd, const float *dy,
                       const float *base, float *dx, int64_t n, int acc);
    /* dw[c] (=|+=) chain over (row, head) of dy*(x - mean)*rstd, for columns c0..c1 of a head. x,
     * dy: (rows, heads*n); rstd, mean (rows, heads) with ldr; mean NULL counts as 0. */
    void (*norm_dw)(const float *x, int64_t ldx, const float *dy, int64_t lddy, const float *mean,
                    const float *rstd, int64_t ldr, int64_t rows, int64_t heads, int64_t n,
                    float *dw, int64_t c0, int64_t c1, int acc);
    /* y = (x - mean)*rstd*w + b; biased variance. */
    void (*layernorm)(const float *x, const float *w, const float *b, float eps, float *y,
                      int64_t n, float *mean, float *rstd);
    void (*layernorm_dx)(const float *x, const float *w, float mean, float rstd, const float *dy,
                         float *dx, int64_t n, int acc);
    /* d[c] (=|+=) chain over rows of x[r][c], columns c0..c1. */
    void (*colsum)(const float *x, int64_t ld, int64_t rows, float *d, int64_t c0, int64_t c1,
                   int acc);

    /* ---- rotary positions -------------------------------------------------------------------- */
    /* Rotates each head of one row by the angles of its position. halves: cos, sin (rotary/2),
     * pairs (i, i + rotary/2); interleaved: cos, sin (rotary), each angle twice, sin of the even
     * lane negated. inverse rotates back. y == x is allowed. */
    void (*rope)(const float *x, float *y, const float *cos, const float *sin, int64_t heads,
                 int64_t head_dim, int64_t rotary, int interleaved, int inverse, int acc);

    /* ---- gated activations ------------------------------------------------------------------- */
    void (*swiglu)(const float *g, const float *u, float *y, int64_t n); /* y may be g or u */
    void (*swiglu_bwd)(const float *g, const float *u, const float *dy, float *dg, int acc_g,
                       float *du, int acc_u,
                       int64_t n); /* dg or du may be NULL, or one of g, u, dy with acc 0 */
    void (*geglu)(const float *g, const float *u, float *y, int64_t n);
    void (*geglu_bwd)(const float *g, const float *u, const float *dy, float *dg, int acc_g,
                      float *du, int acc_u, int64_t n);

    /* ---- small ops --------------------------------------------------------------------------- */
    void (*unary)(int op, const float *x, float *y, int64_t n, float p,
                  float q); /* y == x is allowed */
    /* dx (=|+=) dy * f'(x); y = f(x) is read by EXP, SQRT, SIGMOID, TANH; x by the others that
     * need it */
    void (*unary_bwd)(int op, const float *x, const float *y, const float *dy, float *dx, int64_t n,
                      float p, float q, int acc);
    /* y = a op b; b_one: b is one number. y may be a or b. */
    void (*binary)(int op, const float *a, const float *b, int b_one, float *y, int64_t n);
    /* which 0: g (=|+=) dy * da; 1: dy * db, elementwise (the caller sums a broadcast b). Equal
     * operands of min and max share the gradient by halves. */
    void (*binary_bwd)(int op, int which, const float *a, const float *b, int b_one,
                       const float *dy, float *g, int64_t n, int acc);
    float (*row_sum)(const float *x, int64_t n);
    float (*row_dot)(const float *a, const float *b, int64_t n);
    void (*row_axpy)(float a, const float *x, float *y, int64_t n); /* y = fma(a, x, y) */

    /* ---- attention --------------------------------------------------------------------------- */
    void (*attn_fwd)(const hone_attn_fwd *a);
    void (*attn_bwd)(const hone_attn_bwd *a);
} hone_rows_kernels;

HONE_KERNEL_TABLES(hone_rows_kernels, rows);
/* The table in use. */
static inline const hone_rows_kernels *hone_rows(void)
{
    return HONE_KERNEL_PICK(rows);
}
#endif
