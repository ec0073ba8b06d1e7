/* elementwise.c - the small ops of the tape, one number at a time: values and slopes.
 *
 * One loop per op, chosen outside it. The slopes follow PyTorch where a function has a corner:
 * clamp passes the gradient on its closed interval, equal operands of min and max get half each,
 * abs and relu have slope 0 at 0. */
#include "ops/kern/rows_set.h"
#include "ops/kern/gelu.h"

V_FN v16 one_(void)
{
    return v_set1(1.0f);
}
V_FN v16 silu_slope(v16 g, v16 s)
{
    return v_mul(s, v_fma(g, v_sub(one_(), s), one_()));
}

#define MAP(name, ...)                                                                             \
    case HONE_EW_##name:                                                                           \
        V_ROW(n, {                                                                                 \
            v16 a = v_get(x + i, m);                                                               \
            v_put(y + i, (__VA_ARGS__), m);                                                        \
        });                                                                                        \
        break;

void HONE_KFN(unary)(int op, const float *x, float *y, int64_t n, float p, float q)
{
    const v16 vp = v_set1(p), vq = v_set1(q);
    switch (op) {
        MAP(COPY, a)
        MAP(SCALE, v_mul(a, vp))
        MAP(ADD_SCALAR, v_add(a, vp))
        MAP(CLAMP, v_min(vq, v_max(vp, a)))
        MAP(EXP, v_exp(a))
        MAP(LOG, v_log(a))
        MAP(NEG, v_neg(a))
        MAP(ABS, v_abs(a))
        MAP(SQUARE, v_mul(a, a))
        MAP(SQRT, v_sqrt(a))
        MAP(SIGMOID, v_sigmoid(a))
        MAP(LOGSIGMOID, v_sub(v_min(v_zero(), a), v_log1p_exp_neg(a)))
        MAP(TANH, v_tanh(a))
        MAP(RELU, v_max(v_zero(), a))
        MAP(SILU, v_mul(a, v_sigmoid(a)))
        MAP(GELU, v_mul(a, gelu_gate(a)))
    default:
        break;
    }
}

/* a: x, b: y, d: dy */
#define SLOPE(name, use_x, use_y, ...)                                                             \
    case HONE_EW_##name:                                                                           \
        V_ROW(n, {                                                                                 \
            v16 a = use_x ? v_get(x + i, m) : v_zero();                                            \
            v16 b = use_y ? v_get(y + i, m) : v_zero();                                            \
            v16 d = v_get(dy + i, m);                                                              \
            (void)a, (void)b;                                                                      \
            v_out(dx + i, (__VA_ARGS__), m, acc);                                                  \
        });                                                                                        \
        break;

/* 1, 0 or -1 times d by the sign of a; NaN stays */
V_FN v16 by_sign(v16 a, v16 d)
{
    v16 s = v_sel(v_lt(v_zero(), a), d, v_sel(v_lt(a, v_zero()), v_neg(d), v_zero()));
    return v_sel(v_isnan(a), a, s);
}
/* d where lo <= a <= hi; NaN stays */
V_FN v16 inside(v16 a, v16 lo, v16 hi, v16 d)
{
    v16 s = v_sel(vm_and(v_le(lo, a), v_le(a, hi)), d, v_zero());
    return v_sel(v_isnan(a), a, s);
}

void HONE_KFN(unary_bwd)(int op, const float *x, const float *y, const float *dy, float *dx,
                         int64_t n, float p, float q, int acc)
{
    const v16 vp = v_set1(p), vq = v_set1(q);
    switch (op) {
        SLOPE(COPY, 0, 0, d)
        SLOPE(ADD_SCALAR, 0, 0, d)
        SLOPE(SCALE, 0, 0, v_mul(d, vp))
        SLOPE(CLAMP, 1, 0, inside(a, vp, vq, d))
        SLOPE(EXP, 0, 1, v_mul(d, b))
        SLOPE(LOG, 1, 0, v_div(d, a))
        SLOPE(NEG, 0, 0, v_neg(d))
        SLOPE(ABS, 1, 0, by_sign(a, d))
        SLOPE(SQUARE, 1, 0, v_mul(d, v_add(a, a)))
        SLOPE(SQRT, 0, 1, v_div(d, v_add(b, b)))
        SLOPE(SIGMOID, 0, 1, v_mul(d, v_mul(b, v_sub(one_(), b))))
        SLOPE(LOGSIGMOID, 1, 0, v_mul(d, v_sigmoid(v_neg(a))))
        SLOPE(TANH, 0, 1, v_mul(d, v_fnma(b, b, one_())))
        SLOPE(RELU, 1, 0, v_sel(v_isnan(a), a, v_sel(v_lt(v_zero(), a), d, v_zero())))
        SLOPE(SILU, 1, 0, v_mul(d, silu_slope(a, v_sigmoid(a))))
        SLOPE(GELU, 1, 0, v_mul(d, gelu_slope(a, gelu_gate(a))))
    default:
        break;
    }
}

#define PAIR(name, ...)                                                                            \
    case HONE_EW_##name:                                                                           \
        V_ROW(n, {                                                                                 \
            v16 c = v_get(a + i, m);                                                               \
            v16 d = b_one ? all : v_get(b + i, m);                                                 \
            v_put(y + i, (__VA_ARGS__), m);                                                        \
        });                                                                                        \
        break;

void HONE_KFN(binary)(int op, const float *a, const float *b, int b_one, float *y, int64_t n)
{
    const v16 all = v_set1(b[0]);
    switch (op) {
        PAIR(ADD, v_add(c, d))
        PAIR(SUB, v_sub(c, d))
        PAIR(MUL, v_mul(c, d))
        PAIR(DIV, v_div(c, d))
        PAIR(MIN, v_minn(c, d))
        PAIR(MAX, v_maxn(c, d))
    default:
        break;
    }
}

/* d if u < v, half of it if equal, NaN if either is, else 0 */
V_FN v16 less_share(v16 u, v16 v, v16 d)
{
    v16 s = v_sel(v_eq(u, v), v_mul(d, v_set1(0.5f)), v_zero());
    s = v_sel(v_lt(u, v), d, s);
    return v_sel(v_unord(u, v), v_add(u, v), s);
}

#define PAIR_SLOPE(name, of_a, of_b)                                                               \
    case HONE_EW_##name:                                                                           \
        if (which == 0)                                                                            \
            PAIR_LOOP(of_a);                                                                       \
        else                                                                                       \
            PAIR_LOOP(of_b);                                                                       \
        break;
#define PAIR_LOOP(expr)                                                                            \
    V_ROW(n, {                                                                                     \
        v16 u = a ? v_get(a + i, m) : v_zero();                                                    \
        v16 v = b_one || !b ? all : v_get(b + i, m);                                               \
        v16 d = v_get(dy + i, m);                                                                  \
        (void)u, (void)v;                                                                          \
        v_out(g + i, (expr), m, acc);                                                              \
    })

void HONE_KFN(binary_bwd)(int op, int which, const float *a, const float *b, int b_one,
                          const float *dy, float *g, int64_t n, int acc)
{
    const v16 all = v_set1(b ? b[0] : 0.0f);
    switch (op) {
        PAIR_SLOPE(ADD, d, d)
        PAIR_SLOPE(SUB, d, v_neg(d))
        PAIR_SLOPE(MUL, v_mul(d, v), v_mul(d, u))
        PAIR_SLOPE(DIV, v_div(d, v), v_neg(v_div(v_mul(d, v_div(u, v)), v)))
        PAIR_SLOPE(MIN, less_share(u, v, d), less_share(v, u, d))
        PAIR_SLOPE(MAX, less_share(v, u, d), less_share(u, v, d))
    default:
        break;
    }
}
