/* gelu.h - the tanh form of gelu, gelu(x) = x*gate(x) with gate(x) = sigmoid(2c(x + 0.044715 x^3)),
 * c = sqrt(2/pi) (Hendrycks & Gimpel 2016). Shared by the gated and the plain activation. */
#ifndef HONE_CORE_OPS_KERN_GELU_H
#define HONE_CORE_OPS_KERN_GELU_H
#include "ops/kern/simd.h"

V_FN v16 gelu_gate(v16 x)
{
    v16 c = v_fma(v_mul(x, x), v_set1(2.0f * 0.7978845608f * 0.044715f),
                  v_set1(2.0f * 0.7978845608f));
    return v_sigmoid(v_mul(x, c));
}
/* derivative of gelu, s = gate(x): s + x s (1-s) 2c (1 + 3*0.044715 x^2) */
V_FN v16 gelu_slope(v16 x, v16 s)
{
    v16 c = v_fma(v_mul(x, x), v_set1(6.0f * 0.7978845608f * 0.044715f),
                  v_set1(2.0f * 0.7978845608f));
    return v_fma(v_mul(v_mul(x, c), v_sub(v_set1(1.0f), s)), s, s);
}
#endif
