/* divergence.c - kernels over two rows of logits: the divergence of a teacher and a student.
 *
 * p = softmax of the student's row, q of the teacher's, m = beta q + (1 - beta) p:
 *   beta 0   sum q (log q - log p)                          d/dz = it (p - q)
 *   beta 1   sum p (log p - log q)                          d/dz = it p (log p - log q - part)
 *   between  beta sum q (log q - log m) + part              d/dz = it p ((1-beta)(log p - log m) - part)
 * part = the sum over p of the bracket, it = the inverse temperature. A probability that is 0 has no
 * part: 0 times infinity would be NaN. Source: Agarwal et al. 2023 (arXiv:2306.13649), eq. 1.
 *
 * Invariant: the same bits in every kernel set, as in logits.c. */
#include "ops/kern/rows_set.h"

/* t where w is no zero */
V_FN v16 where(v16 w, v16 t)
{
    return v_sel(v_eq(w, v_zero()), v_zero(), t);
}
/* dead lanes 0 */
V_FN v16 alive(v16 t, int m)
{
    return m == V_LANES ? t : v_sel(vm_first(m), t, v_zero());
}
V_FN v16 log_prob(const float *z, int m, v16 it, v16 lse)
{
    return v_sub(v_mul(v_get(z, m), it), lse);
}

float HONE_KFN(row_divergence)(const float *zs, float lse_s, const float *zt, float lse_t,
                               int64_t n, float inv_temp, float beta, float *part)
{
    v16 it = v_set1(inv_temp), ls = v_set1(lse_s), lt = v_set1(lse_t);
    v16 b = v_set1(beta), rest = v_set1(1.0f - beta);
    float student = 0.0f, teacher = 0.0f;
    if (beta == 0.0f) {
        SUM_ROW(n, teacher, {
            v16 t = log_prob(zt + i, m, it, lt), q = v_exp(t);
            term = alive(where(q, v_mul(q, v_sub(t, log_prob(zs + i, m, it, ls)))), m);
        });
    } else if (beta == 1.0f) {
        SUM_ROW(n, student, {
            v16 s = log_prob(zs + i, m, it, ls), p = v_exp(s);
            term = alive(where(p, v_mul(p, v_sub(s, log_prob(zt + i, m, it, lt)))), m);
        });
    } else {
        SUM_ROW(n, student, {
            v16 s = log_prob(zs + i, m, it, ls), p = v_exp(s);
            v16 q = v_exp(log_prob(zt + i, m, it, lt));
            v16 both = v_fma(b, q, v_mul(rest, p));
            term = alive(where(both, where(p, v_mul(v_mul(rest, p), v_sub(s, v_log(both))))), m);
        });
        SUM_ROW(n, teacher, {
            v16 t = log_prob(zt + i, m, it, lt), q = v_exp(t);
            v16 p = v_exp(log_prob(zs + i, m, it, ls));
            v16 both = v_fma(b, q, v_mul(rest, p));
            term = alive(where(both, where(q, v_mul(v_mul(b, q), v_sub(t, v_log(both))))), m);
        });
    }
    if (part)
        *part = student;
    return student + teacher;
}

void HONE_KFN(row_divergence_grad)(const float *zs, float lse_s, const float *zt, float lse_t,
                                   int64_t n, float inv_temp, float beta, float part, float g,
                                   float *dz)
{
    v16 it = v_set1(inv_temp), ls = v_set1(lse_s), lt = v_set1(lse_t), f = v_set1(g * inv_temp);
    v16 b = v_set1(beta), rest = v_set1(1.0f - beta), e = v_set1(part);
    if (beta == 0.0f)
        V_ROW(n, {
            v16 p = v_exp(log_prob(zs + i, m, it, ls)), q = v_exp(log_prob(zt + i, m, it, lt));
            v_put(dz + i, v_mul(f, v_sub(p, q)), m);
        });
    else if (beta == 1.0f)
        V_ROW(n, {
            v16 s = log_prob(zs + i, m, it, ls), p = v_exp(s);
            v16 c = v_sub(v_sub(s, log_prob(zt + i, m, it, lt)), e);
            v_put(dz + i, where(p, v_mul(v_mul(f, p), c)), m);
        });
    else
        V_ROW(n, {
            v16 s = log_prob(zs + i, m, it, ls), p = v_exp(s);
            v16 both = v_fma(b, v_exp(log_prob(zt + i, m, it, lt)), v_mul(rest, p));
            v16 c = v_sub(v_mul(rest, v_sub(s, v_log(both))), e);
            v_put(dz + i, where(both, where(p, v_mul(v_mul(f, p), c))), m);
        });
}
