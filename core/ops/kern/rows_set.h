/* rows_set.h - what the files of one kernel set share: prototypes of the set's own functions
 * (rows_table.c collects them) and the loop over a row. Included by kern/ sources only, after
 * HONE_KERN is set. */
#ifndef HONE_CORE_OPS_KERN_ROWS_SET_H
#define HONE_CORE_OPS_KERN_ROWS_SET_H
#include "ops/kern/rows.h"
#include "ops/kern/simd.h"

/* m lanes from p, zeros beyond; m is a constant 16 in all but the last step of a row */
V_FN v16 v_get(const float *p, int m)
{
    return m == V_LANES ? v_load(p) : v_loadn(p, m);
}
V_FN void v_put(float *p, v16 x, int m)
{
    if (m == V_LANES)
        v_store(p, x);
    else
        v_storen(p, x, m);
}
/* write, or add to what is there */
V_FN void v_out(float *p, v16 x, int m, int acc)
{
    if (acc)
        x = v_add(v_get(p, m), x);
    v_put(p, x, m);
}
/* Runs the body for i = 0, 16, .. < n with m lanes each. */
#define V_ROW(n, ...)                                                                              \
    do {                                                                                           \
        int64_t i = 0;                                                                             \
        for (; i + V_LANES <= (n); i += V_LANES) {                                                 \
            const int m = V_LANES;                                                                 \
            __VA_ARGS__                                                                            \
        }                                                                                          \
        if (i < (n)) {                                                                             \
            const int m = (int)((n)-i);                                                            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    } while (0)

/* Four running sums over the row: `expr` gives the term of lanes i..i+m, with dead lanes zero. */
#define SUM_ROW(n, total, ...)                                                                     \
    do {                                                                                           \
        v16 s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero();                            \
        V_ROW(n, {                                                                                 \
            v16 term;                                                                              \
            __VA_ARGS__                                                                            \
            v16 s = v_add(s0, term);                                                               \
            s0 = s1, s1 = s2, s2 = s3, s3 = s;                                                     \
        });                                                                                        \
        total = v_sum(v_add(v_add(s0, s1), v_add(s2, s3)));                                        \
    } while (0)

#ifdef HONE_KERN
float HONE_KFN(row_lse)(const float *z, int64_t n, float inv_temp, float *max);
float HONE_KFN(row_entropy)(const float *z, int64_t n, float inv_temp, float lse);
void HONE_KFN(row_softmax)(const float *z, int64_t n, float inv_temp, float lse, float *p);
void HONE_KFN(row_logprob_grad)(const float *z, int64_t n, float inv_temp, float lse,
                                int64_t target, float g, float g_entropy, float entropy, float *dz,
                                int acc);
void HONE_KFN(row_softcap)(float *z, int64_t n, float scale, float softcap);
float HONE_KFN(row_divergence)(const float *zs, float lse_s, const float *zt, float lse_t,
                               int64_t n, float inv_temp, float beta, float *part);
void HONE_KFN(row_divergence_grad)(const float *zs, float lse_s, const float *zt, float lse_t,
                                   int64_t n, float inv_temp, float beta, float part, float g,
                                   float *dz);
int64_t HONE_KFN(row_argmax)(const float *z, int64_t n);
float HONE_KFN(row_sum)(const float *x, int64_t n);
float HONE_KFN(row_dot)(const float *a, const float *b, int64_t n);
void HONE_KFN(row_axpy)(float a, const float *x, float *y, int64_t n);

float HONE_KFN(rmsnorm)(const float *x, const float *w, float w_offset, float eps, float *y,
                        int64_t n);
float HONE_KFN(add_rmsnorm)(const float *x, const float *delta, const float *w, float w_offset,
                            float eps, float *sum, float *y, int64_t n);
void HONE_KFN(rmsnorm_dx)(const float *x, const float *w, float w_offset, float rstd,
                          const float *dy, const float *base, float *dx, int64_t n, int acc);
void HONE_KFN(norm_dw)(const float *x, int64_t ldx, const float *dy, int64_t lddy,
                       const float *mean, const float *rstd, int64_t ldr, int64_t rows,
                       int64_t heads, int64_t n, float *dw, int64_t c0, int64_t c1, int acc);
void HONE_KFN(layernorm)(const float *x, const float *w, const float *b, float eps, float *y,
                         int64_t n, float *mean, float *rstd);
void HONE_KFN(layernorm_dx)(const float *x, const float *w, float mean, float rstd, const float *dy,
                            float *dx, int64_t n, int acc);
void HONE_KFN(colsum)(const float *x, int64_t ld, int64_t rows, float *d, int64_t c0, int64_t c1,
                      int acc);

void HONE_KFN(rope)(const float *x, float *y, const float *cs, const float *sn, int64_t heads,
                    int64_t head_dim, int64_t rotary, int interleaved, int inverse, int acc);
void HONE_KFN(swiglu)(const float *g, const float *u, float *y, int64_t n);
void HONE_KFN(swiglu_bwd)(const float *g, const float *u, const float *dy, float *dg, int acc_g,
                          float *du, int acc_u, int64_t n);
void HONE_KFN(geglu)(const float *g, const float *u, float *y, int64_t n);
void HONE_KFN(geglu_bwd)(const float *g, const float *u, const float *dy, float *dg, int acc_g,
                         float *du, int acc_u, int64_t n);

void HONE_KFN(unary)(int op, const float *x, float *y, int64_t n, float p, float q);
void HONE_KFN(unary_bwd)(int op, const float *x, const float *y, const float *dy, float *dx,
                         int64_t n, float p, float q, int acc);
void HONE_KFN(binary)(int op, const float *a, const float *b, int b_one, float *y, int64_t n);
void HONE_KFN(binary_bwd)(int op, int which, const float *a, const float *b, int b_one,
                          const float *dy, float *g, int64_t n, int acc);

void HONE_KFN(attn_fwd)(const hone_attn_fwd *a);
void HONE_KFN(attn_bwd)(const hone_attn_bwd *a);
#endif
#endif
