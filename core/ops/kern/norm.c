/* norm.c - RMS norm, layer norm and their gradients, row by row; sums over rows by columns.
 *
 * A row's sums run over 16 lanes and end in the fixed tree. The gradient of a weight is one chain
 * of fused multiply-adds over rows per column, starting from what is stored: no split of the rows
 * into micro-batches changes its bits. */
#include "ops/kern/rows_set.h"

static float rstd_of(v16 squares, int64_t n, float eps)
{
    return 1.0f / sqrtf(v_sum(squares) / (float)n + eps);
}

V_FN void rms_apply(const float *x, const float *w, v16 woff, v16 r, float *y, int m)
{
    v_put(y, v_mul(v_mul(v_get(x, m), r), v_add(woff, v_get(w, m))), m);
}

float HONE_KFN(rmsnorm)(const float *x, const float *w, float w_offset, float eps, float *y,
                        int64_t n)
{
    v16 sq = v_zero(), woff = v_set1(w_offset);
    V_ROW(n, {
        v16 a = v_get(x + i, m);
        sq = v_fma(a, a, sq);
    });
    float rstd = rstd_of(sq, n, eps);
    v16 r = v_set1(rstd);
    V_ROW(n, { rms_apply(x + i, w + i, woff, r, y + i, m); });
    return rstd;
}

float HONE_KFN(add_rmsnorm)(const float *x, const float *delta, const float *w, float w_offset,
                            float eps, float *sum, float *y, int64_t n)
{
    v16 sq = v_zero(), woff = v_set1(w_offset);
    V_ROW(n, {
        v16 a = v_add(v_get(x + i, m), v_get(delta + i, m));
        v_put(sum + i, a, m);
        sq = v_fma(a, a, sq);
    });
    float rstd = rstd_of(sq, n, eps);
    v16 r = v_set1(rstd);
    V_ROW(n, { rms_apply(sum + i, w + i, woff, r, y + i, m); });
    return rstd;
}

void HONE_KFN(rmsnorm_dx)(const float *x, const float *w, float w_offset, float rstd,
                          const float *dy, const float *base, float *dx, int64_t n, int acc)
{
    v16 dot = v_zero(), woff = v_set1(w_offset), r = v_set1(rstd);
    V_ROW(n, {
        v16 g = v_mul(v_get(dy + i, m), v_add(woff, v_get(w + i, m)));
        dot = v_fma(g, v_mul(v_get(x + i, m), r), dot);
    });
    v16 mean = v_set1(v_sum(dot) / (float)n);
    V_ROW(n, {
        v16 g = v_mul(v_get(dy + i, m), v_add(woff, v_get(w + i, m)));
        v16 d = v_mul(v_fnma(v_mul(v_get(x + i, m), r), mean, g), r);
        if (base)
            d = v_add(v_get(base + i, m), d);
        v_out(dx + i, d, m, acc);
    });
}

void HONE_KFN(norm_dw)(const float *x, int64_t ldx, const float *dy, int64_t lddy,
                       const float *mean, const float *rstd, int64_t ldr, int64_t rows,
                       int64_t heads, int64_t n, float *dw, int64_t c0, int64_t c1, int acc)
{
    V_ROW(c1 - c0, {
        v16 s = acc ? v_get(dw + c0 + i, m) : v_zero();
        for (int64_t t = 0; t < rows; t++) {
            const float *xr = x + t * ldx + c0 + i, *dr = dy + t * lddy + c0 + i;
            for (int64_t h = 0; h < heads; h++) {
                v16 a = v_get(xr + h * n, m);
                if (mean)
                    a = v_sub(a, v_set1(mean[t * ldr + h]));
                s = v_fma(v_get(dr + h * n, m), v_mul(a, v_set1(rstd[t * ldr + h])), s);
            }
        }
        v_put(dw + c0 + i, s, m);
    });
}

void HONE_KFN(layernorm)(const float *x, const float *w, const float *b, float eps, float *y,
                         int64_t n, float *mean, float *rstd)
{
    v16 total = v_zero(), sq = v_zero();
    V_ROW(n, { total = v_add(total, v_get(x + i, m)); });
    float mu = v_sum(total) / (float)n;
    v16 vmu = v_set1(mu);
    V_ROW(n, {
        v16 d = v_sub(v_get(x + i, m), vmu);
        if (m != V_LANES)
            d = v_sel(vm_first(m), d, v_zero());
        sq = v_fma(d, d, sq);
    });
    float rs = rstd_of(sq, n, eps);
    v16 r = v_set1(rs);
    V_ROW(n, {
        v16 xhat = v_mul(v_sub(v_get(x + i, m), vmu), r);
        v_put(y + i, v_fma(xhat, v_get(w + i, m), v_get(b + i, m)), m);
    });
    *mean = mu;
    *rstd = rs;
}

void HONE_KFN(layernorm_dx)(const float *x, const float *w, float mean, float rstd, const float *dy,
                            float *dx, int64_t n, int acc)
{
    v16 total = v_zero(), dot = v_zero(), mu = v_set1(mean), r = v_set1(rstd);
    V_ROW(n, {
        v16 g = v_mul(v_get(dy + i, m), v_get(w + i, m));
        total = v_add(total, g);
        dot = v_fma(g, v_mul(v_sub(v_get(x + i, m), mu), r), dot);
    });
    v16 mg = v_set1(v_sum(total) / (float)n), md = v_set1(v_sum(dot) / (float)n);
    V_ROW(n, {
        v16 g = v_mul(v_get(dy + i, m), v_get(w + i, m));
        v16 xhat = v_mul(v_sub(v_get(x + i, m), mu), r);
        v_out(dx + i, v_mul(v_fnma(xhat, md, v_sub(g, mg)), r), m, acc);
    });
}

void HONE_KFN(colsum)(const float *x, int64_t ld, int64_t rows, float *d, int64_t c0, int64_t c1,
                      int acc)
{
    V_ROW(c1 - c0, {
        v16 s = acc ? v_get(d + c0 + i, m) : v_zero();
        for (int64_t t = 0; t < rows; t++)
            s = v_add(s, v_get(x + t * ld + c0 + i, m));
        v_put(d + c0 + i, s, m);
    });
}
