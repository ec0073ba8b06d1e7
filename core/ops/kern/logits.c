/* logits.c - kernels over one row of logits, and sums of a row.
 *
 * The sampler and linear_logprob/1 both call row_lse, so a log-probability has the same bits in
 * generation and in training. Vector number j of a row goes to running sum j mod 4; the four end
 * in one fixed tree. */
#include "ops/kern/rows_set.h"

float HONE_KFN(row_sum)(const float *x, int64_t n)
{
    float total;
    SUM_ROW(n, total, { term = v_get(x + i, m); });
    return total;
}

float HONE_KFN(row_dot)(const float *a, const float *b, int64_t n)
{
    float total;
    SUM_ROW(n, total, { term = v_mul(v_get(a + i, m), v_get(b + i, m)); });
    return total;
}

void HONE_KFN(row_axpy)(float a, const float *x, float *y, int64_t n)
{
    v16 f = v_set1(a);
    V_ROW(n, { v_put(y + i, v_fma(f, v_get(x + i, m), v_get(y + i, m)), m); });
}

static float row_max(const float *z, int64_t n)
{
    v16 top = v_set1(-INFINITY);
    V_ROW(n, {
        v16 x = v_get(z + i, m);
        if (m != V_LANES)
            x = v_sel(vm_first(m), x, v_set1(-INFINITY));
        top = v_maxn(top, x);
    });
    return v_hmax(top);
}

/* exp(z*inv_temp - off), dead lanes 0 */
V_FN v16 exp_shifted(const float *z, int m, v16 it, v16 off)
{
    v16 e = v_exp(v_sub(v_mul(v_get(z, m), it), off));
    return m == V_LANES ? e : v_sel(vm_first(m), e, v_zero());
}

float HONE_KFN(row_lse)(const float *z, int64_t n, float inv_temp, float *max)
{
    float top = row_max(z, n) * inv_temp, total;
    v16 it = v_set1(inv_temp), off = v_set1(top);
    SUM_ROW(n, total, { term = exp_shifted(z + i, m, it, off); });
    if (max)
        *max = top;
    float logs[V_LANES];
    v_store(logs, v_log(v_set1(total)));
    return top + logs[0];
}

float HONE_KFN(row_entropy)(const float *z, int64_t n, float inv_temp, float lse)
{
    v16 it = v_set1(inv_temp), off = v_set1(lse);
    float total;
    SUM_ROW(n, total, {
        v16 logp = v_sub(v_mul(v_get(z + i, m), it), off);
        v16 p = v_exp(logp);
        /* p = 0 has no part, and 0 * -infinity would be NaN */
        term = v_sel(v_eq(p, v_zero()), v_zero(), v_mul(p, v_neg(logp)));
        if (m != V_LANES)
            term = v_sel(vm_first(m), term, v_zero());
    });
    return total;
}

void HONE_KFN(row_softmax)(const float *z, int64_t n, float inv_temp, float lse, float *p)
{
    v16 it = v_set1(inv_temp), off = v_set1(lse);
    V_ROW(n, { v_put(p + i, exp_shifted(z + i, m, it, off), m); });
}

void HONE_KFN(row_logprob_grad)(const float *z, int64_t n, float inv_temp, float lse,
                                int64_t target, float g, float g_entropy, float entropy, float *dz,
                                int acc)
{
    v16 it = v_set1(inv_temp), off = v_set1(lse), gt = v_set1(g * inv_temp);
    v16 get = v_set1(g_entropy * inv_temp), h = v_set1(entropy);
    v16 iota = v_iota(), neg_gt = v_neg(gt), neg_get = v_neg(get);
    V_ROW(n, {
        v16 logp = v_sub(v_mul(v_get(z + i, m), it), off);
        v16 p = v_exp(logp);
        v16 d = v_mul(p, neg_gt);
        if (g_entropy != 0.0f)
            d = v_fma(v_sel(v_eq(p, v_zero()), v_zero(), v_mul(p, v_add(logp, h))), neg_get, d);
        if (target >= i && target < i + V_LANES)
            d = v_sel(v_eq(iota, v_set1((float)(target - i))), v_add(d, gt), d);
        v_out(dz + i, d, m, acc);
    });
}

void HONE_KFN(row_softcap)(float *z, int64_t n, float scale, float softcap)
{
    v16 s = v_set1(scale), cap = v_set1(softcap);
    if (softcap != 0.0f)
        V_ROW(n, {
            v16 x = v_mul(v_get(z + i, m), s);
            v_put(z + i, v_mul(v_tanh(v_div(x, cap)), cap), m);
        });
    else if (scale != 1.0f)
        V_ROW(n, { v_put(z + i, v_mul(v_get(z + i, m), s), m); });
}

int64_t HONE_KFN(row_argmax)(const float *z, int64_t n)
{
    float top = row_max(z, n);
    v16 t = v_set1(top);
    int64_t at = -1;
    V_ROW(n, {
        if (at < 0 && vm_any(v_eq(v_get(z + i, m), t)))
            for (int j = m - 1; j >= 0; j--)
                if (z[i + j] == top)
                    at = i + j;
    });
    return at;
}
