/* gated.c - rotary positions and gated activations.
 *
 * silu(g) = g*s with s = sigmoid(g); the tanh form of gelu is g*sigmoid(2c(g + 0.044715 g^3)) with
 * c = sqrt(2/pi), which is the same function and keeps its accuracy for very negative g. */
#include "ops/kern/rows_set.h"

V_FN v16 silu_slope(v16 g, v16 s)
{
    return v_mul(s, v_fma(g, v_sub(v_set1(1.0f), s), v_set1(1.0f)));
}
#include "ops/kern/gelu.h"

void HONE_KFN(rope)(const float *x, float *y, const float *cs, const float *sn, int64_t heads,
                    int64_t head_dim, int64_t rotary, int interleaved, int inverse, int acc)
{
    int64_t half = rotary / 2;
    v16 flip = inverse ? v_bits(0x80000000u) : v_zero();
    for (int64_t h = 0; h < heads; h++, x += head_dim, y += head_dim) {
        if (interleaved)
            V_ROW(rotary, {
                v16 a = v_get(x + i, m);
                v16 s = v_xor(v_get(sn + i, m), flip);
                v_out(y + i, v_fma(v_swap_pairs(a), s, v_mul(a, v_get(cs + i, m))), m, acc);
            });
        else
            V_ROW(half, {
                v16 a = v_get(x + i, m);
                v16 b = v_get(x + half + i, m);
                v16 c = v_get(cs + i, m);
                v16 s = v_xor(v_get(sn + i, m), flip);
                v_out(y + i, v_fnma(b, s, v_mul(a, c)), m, acc);
                v_out(y + half + i, v_fma(a, s, v_mul(b, c)), m, acc);
            });
        const float *rest = x + rotary;
        float *out = y + rotary;
        if (rotary < head_dim && (rest != out || acc))
            V_ROW(head_dim - rotary, { v_out(out + i, v_get(rest + i, m), m, acc); });
    }
}

void HONE_KFN(swiglu)(const float *g, const float *u, float *y, int64_t n)
{
    V_ROW(n, {
        v16 a = v_get(g + i, m);
        v_put(y + i, v_mul(v_mul(a, v_sigmoid(a)), v_get(u + i, m)), m);
    });
}

void HONE_KFN(swiglu_bwd)(const float *g, const float *u, const float *dy, float *dg, int acc_g,
                          float *du, int acc_u, int64_t n)
{
    V_ROW(n, {
        v16 a = v_get(g + i, m);
        v16 b = v_get(u + i, m);
        v16 d = v_get(dy + i, m);
        v16 s = v_sigmoid(a);
        if (dg)
            v_out(dg + i, v_mul(v_mul(d, b), silu_slope(a, s)), m, acc_g);
        if (du)
            v_out(du + i, v_mul(d, v_mul(a, s)), m, acc_u);
    });
}

void HONE_KFN(geglu)(const float *g, const float *u, float *y, int64_t n)
{
    V_ROW(n, {
        v16 a = v_get(g + i, m);
        v_put(y + i, v_mul(v_mul(a, gelu_gate(a)), v_get(u + i, m)), m);
    });
}

void HONE_KFN(geglu_bwd)(const float *g, const float *u, const float *dy, float *dg, int acc_g,
                         float *du, int acc_u, int64_t n)
{
    V_ROW(n, {
        v16 a = v_get(g + i, m);
        v16 b = v_get(u + i, m);
        v16 d = v_get(dy + i, m);
        v16 s = gelu_gate(a);
        if (dg)
            v_out(dg + i, v_mul(v_mul(d, b), gelu_slope(a, s)), m, acc_g);
        if (du)
            v_out(du + i, v_mul(d, v_mul(a, s)), m, acc_u);
    });
}
