/* simd_neon.h - simd.h on AArch64: 16 floats in four registers of NEON.
 *
 * Included by simd.h alone, for -DHONE_KERN=neon. Every operation gives the bits that plain C gives there (and AVX2
 * and AVX-512 elsewhere): sums, products, quotients, roots and fused multiply-adds are rounded once; the tree over
 * 16 lanes is the same one.
 *
 * What differs from x86 is met here: FMAX and FMIN order signed zeros and prefer NaN, so v_max and v_min are a
 * comparison and a choice; a choice keeps a denormal, where the machine's max gives 0, so bits are cleared after it.
 * There are no masked loads: the tail of a row goes through a copy, and never touches memory beyond it.
 * Source: Arm ARM, A64 SIMD instructions; Arm C Language Extensions. */
#ifndef HONE_CORE_OPS_KERN_SIMD_NEON_H
#define HONE_CORE_OPS_KERN_SIMD_NEON_H
#include "ops/kern/simd.h"
#if HONE_SIMD == HONE_SIMD_neon
#include <arm_neon.h>

typedef struct v16 {
    float32x4_t a, b, c, d;
} v16;
typedef struct vm {
    uint32x4_t a, b, c, d; /* all bits or none */
} vm;
#define V4_(e0, e1, e2, e3) ((v16){(e0), (e1), (e2), (e3)})
#define VM4_(e0, e1, e2, e3) ((vm){(e0), (e1), (e2), (e3)})
#define V_ALL_(x) V4_(x, x, x, x)

V_FN v16 v_zero(void)
{
    const float32x4_t z = vdupq_n_f32(0.0f);
    return V_ALL_(z);
}
V_FN v16 v_set1(float x)
{
    const float32x4_t a = vdupq_n_f32(x);
    return V_ALL_(a);
}
V_FN v16 v_load(const float *p)
{
    return V4_(vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12));
}
V_FN void v_store(float *p, v16 x)
{
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}
V_FN vm vm_first(int n)
{
    static const uint32_t ones[32] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                                      ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    const uint32_t *p = ones + 16 - n;
    return VM4_(vld1q_u32(p), vld1q_u32(p + 4), vld1q_u32(p + 8), vld1q_u32(p + 12));
}
V_FN v16 v_loadn(const float *p, int n)
{
    float copy[V_LANES] = {0};
    memcpy(copy, p, (size_t)n * sizeof *p);
    return v_load(copy);
}
V_FN void v_storen(float *p, v16 x, int n)
{
    float copy[V_LANES];
    v_store(copy, x);
    memcpy(p, copy, (size_t)n * sizeof *p);
}
#define V_OP2_(name, f)                                                                            \
    V_FN v16 name(v16 x, v16 y)                                                                    \
    {                                                                                              \
        return V4_(f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d));                            \
    }
#define V_WORDS_(f, x, y)                                                                          \
    vreinterpretq_f32_u32(f(vreinterpretq_u32_f32(x), vreinterpretq_u32_f32(y)))
#define V_AND_(x, y) V_WORDS_(vandq_u32, x, y)
#define V_OR_(x, y) V_WORDS_(vorrq_u32, x, y)
#define V_XOR_(x, y) V_WORDS_(veorq_u32, x, y)
/* A denormal becomes a zero of its sign. */
V_FN float32x4_t v_flush_(float32x4_t x)
{
    const uint32x4_t u = vreinterpretq_u32_f32(x);
    const uint32x4_t keep = vorrq_u32(vtstq_u32(u, vdupq_n_u32(0x7f800000u)),
                                      vdupq_n_u32(1u << 31));
    return vreinterpretq_f32_u32(vandq_u32(u, keep));
}
#define V_MAX_(x, y) v_flush_(vbslq_f32(vcgtq_f32(x, y), x, y))
#define V_MIN_(x, y) v_flush_(vbslq_f32(vcltq_f32(x, y), x, y))
V_OP2_(v_add, vaddq_f32)
V_OP2_(v_sub, vsubq_f32)
V_OP2_(v_mul, vmulq_f32)
V_OP2_(v_div, vdivq_f32)
V_OP2_(v_max, V_MAX_)
V_OP2_(v_min, V_MIN_)
V_OP2_(v_and, V_AND_)
V_OP2_(v_or, V_OR_)
V_OP2_(v_xor, V_XOR_)
#define V_CMP_(name, f)                                                                            \
    V_FN vm name(v16 x, v16 y)                                                                     \
    {                                                                                              \
        return VM4_(f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d));                           \
    }
#define V_UNORD_(x, y) vmvnq_u32(vandq_u32(vceqq_f32(x, x), vceqq_f32(y, y)))
V_CMP_(v_lt, vcltq_f32)
V_CMP_(v_le, vcleq_f32)
V_CMP_(v_eq, vceqq_f32)
V_CMP_(v_unord, V_UNORD_)
V_FN v16 v_sqrt(v16 x)
{
    return V4_(vsqrtq_f32(x.a), vsqrtq_f32(x.b), vsqrtq_f32(x.c), vsqrtq_f32(x.d));
}
V_FN v16 v_fma(v16 x, v16 y, v16 z)
{
    return V4_(vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
               vfmaq_f32(z.d, x.d, y.d));
}
V_FN v16 v_fnma(v16 x, v16 y, v16 z)
{
    return V4_(vfmsq_f32(z.a, x.a, y.a), vfmsq_f32(z.b, x.b, y.b), vfmsq_f32(z.c, x.c, y.c),
               vfmsq_f32(z.d, x.d, y.d));
}
V_FN v16 v_bits(uint32_t x)
{
    const float32x4_t a = vreinterpretq_f32_u32(vdupq_n_u32(x));
    return V_ALL_(a);
}
V_FN vm vm_and(vm x, vm y)
{
    return VM4_(vandq_u32(x.a, y.a), vandq_u32(x.b, y.b), vandq_u32(x.c, y.c), vandq_u32(x.d, y.d));
}
V_FN int vm_any(vm x)
{
    return vmaxvq_u32(vorrq_u32(vorrq_u32(x.a, x.b), vorrq_u32(x.c, x.d))) != 0;
}
V_FN v16 v_sel(vm m, v16 x, v16 y)
{
    return V4_(vbslq_f32(m.a, x.a, y.a), vbslq_f32(m.b, x.b, y.b), vbslq_f32(m.c, x.c, y.c),
               vbslq_f32(m.d, x.d, y.d));
}
V_FN float32x4_t v_half_pow2_(float32x4_t t)
{
    const uint32x4_t i = vshlq_n_u32(vreinterpretq_u32_f32(t), 23);
    return vreinterpretq_f32_u32(vaddq_u32(i, vdupq_n_u32(126u << 23)));
}
V_FN v16 v_half_pow2(v16 t)
{
    return V4_(v_half_pow2_(t.a), v_half_pow2_(t.b), v_half_pow2_(t.c), v_half_pow2_(t.d));
}
V_FN float32x4_t v_split_(float32x4_t x, float32x4_t *m)
{
    const uint32x4_t i = vreinterpretq_u32_f32(x);
    const int32x4_t e = vshrq_n_s32(vreinterpretq_s32_u32(vsubq_u32(i, vdupq_n_u32(0x3f3504f3u))),
                                    23);
    *m = vreinterpretq_f32_u32(vsubq_u32(i, vshlq_n_u32(vreinterpretq_u32_s32(e), 23)));
    return vcvtq_f32_s32(e);
}
V_FN v16 v_split(v16 x, v16 *m)
{
    const float32x4_t a = v_split_(x.a, &m->a), b = v_split_(x.b, &m->b);
    const float32x4_t c = v_split_(x.c, &m->c), d = v_split_(x.d, &m->d);
    return V4_(a, b, c, d);
}
V_FN v16 v_swap_pairs(v16 x)
{
    return V4_(vrev64q_f32(x.a), vrev64q_f32(x.b), vrev64q_f32(x.c), vrev64q_f32(x.d));
}

/* ---- reductions: 16 -> 8 -> 4 -> 2 -> 1, lane i with lane i + half --------------------------- */
V_FN float v_sum(v16 x)
{
    const float32x4_t s4 = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    const float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
/* largest lane, no NaN among them */
V_FN float v_top_lane(v16 x)
{
    const float32x4_t s4 = V_MAX_(V_MAX_(x.a, x.c), V_MAX_(x.b, x.d));
    const float32x4_t s2 = V_MAX_(s4, vextq_f32(s4, s4, 2));
    return vgetq_lane_f32(V_MAX_(s2, vextq_f32(s2, s2, 1)), 0);
}
#endif
#endif
