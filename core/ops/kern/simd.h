/* simd.h - one vector of 16 floats, four implementations of equal bits.
 *
 * A kernel is written once over v16 and compiled per kernel set (-DHONE_KERN=c|avx2|avx512|neon):
 * float[16] and fmaf, two 8-lane registers, one 16-lane register, or four 4-lane ones
 * (simd_neon.h). The bits are equal because
 * every operation here is correctly rounded or a pure bit operation, because fused multiply-adds
 * are written out (the build has -ffp-contract=off), and because a reduction is one fixed tree
 * over 16 lanes whatever the register.
 *
 * exp, log, tanh and sigmoid are polynomials of our own (Remez, fitted here; no libm), within
 * about 1 ulp for exp and log, 2 for the others (test_simd measures them against double).
 * Denormal arguments count as 0 and denormal results become 0, as FTZ/DAZ (set on every thread
 * that computes) does for the rest.
 *
 * NaN: v_max(a, b) and v_min(a, b) are the machine's: b when either is NaN, so a constant goes
 * first; v_maxn and v_minn give NaN when either is NaN. The payload of a NaN is not specified. */
#ifndef HONE_CORE_OPS_KERN_SIMD_H
#define HONE_CORE_OPS_KERN_SIMD_H
#include "ops/cpu.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HONE_SIMD_c 1
#define HONE_SIMD_avx2 2
#define HONE_SIMD_avx512 3
#define HONE_SIMD_neon 4
#define HONE_SIMD_CAT_(a, b) a##b
#define HONE_SIMD_CAT(a, b) HONE_SIMD_CAT_(a, b)
#define HONE_SIMD HONE_SIMD_CAT(HONE_SIMD_, HONE_KERN)

/* V_BIG: the functions made of many operations. Plain C calls them, and under a sanitizer calls
 * everything: 16 floats in memory, inlined over each other, take the compiler minutes a file. */
#if HONE_SIMD >= 2
#define V_FN static inline __attribute__((always_inline, unused))
#define V_BIG V_FN
#elif defined(HONE_SANITIZED)
#define V_FN static __attribute__((noinline, unused))
#define V_BIG V_FN
#else
#define V_FN static inline __attribute__((unused))
#define V_BIG static __attribute__((noinline, unused))
#endif
#define V_UNROLL(n) V_PRAGMA(GCC unroll n)
#define V_PRAGMA(x) _Pragma(#x)
enum { V_LANES = 16 };

#if HONE_SIMD == HONE_SIMD_neon
#include "ops/kern/simd_neon.h"

#elif HONE_SIMD == 3
/* ---- AVX-512: one register ------------------------------------------------------------------- */
#include <immintrin.h>
typedef __m512 v16;
typedef __mmask16 vm;
V_FN v16 v_zero(void)
{
    return _mm512_setzero_ps();
}
V_FN v16 v_set1(float x)
{
    return _mm512_set1_ps(x);
}
V_FN v16 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
V_FN void v_store(float *p, v16 x)
{
    _mm512_storeu_ps(p, x);
}
V_FN vm vm_first(int n)
{
    return (vm)((1u << n) - 1u);
}
V_FN v16 v_loadn(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(vm_first(n), p);
}
V_FN void v_storen(float *p, v16 x, int n)
{
    _mm512_mask_storeu_ps(p, vm_first(n), x);
}
V_FN v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}
V_FN v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}
V_FN v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}
V_FN v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}
V_FN v16 v_sqrt(v16 a)
{
    return _mm512_sqrt_ps(a);
}
V_FN v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
V_FN v16 v_fnma(v16 a, v16 b, v16 c)
{
    return _mm512_fnmadd_ps(a, b, c);
}
V_FN v16 v_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}
V_FN v16 v_min(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}
V_FN v16 v_bits(uint32_t x)
{
    return _mm512_castsi512_ps(_mm512_set1_epi32((int)x));
}
V_FN v16 v_and(v16 a, v16 b)
{
    return _mm512_and_ps(a, b);
}
V_FN v16 v_or(v16 a, v16 b)
{
    return _mm512_or_ps(a, b);
}
V_FN v16 v_xor(v16 a, v16 b)
{
    return _mm512_xor_ps(a, b);
}
V_FN vm v_lt(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
V_FN vm v_le(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
V_FN vm v_eq(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
V_FN vm v_unord(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
}
V_FN vm vm_and(vm a, vm b)
{
    return (vm)(a & b);
}
V_FN int vm_any(vm a)
{
    return a != 0;
}
V_FN v16 v_sel(vm m, v16 a, v16 b)
{
    return _mm512_mask_blend_ps(m, b, a);
}
/* t = n + 1.5*2^23 as v_exp makes it: 2^(n-1) */
V_FN v16 v_half_pow2(v16 t)
{
    __m512i i = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(i, _mm512_set1_epi32(126 << 23)));
}
/* x = m * 2^e with sqrt(1/2) <= m < sqrt(2), for normal positive x; returns e */
V_FN v16 v_split(v16 x, v16 *m)
{
    __m512i i = _mm512_castps_si512(x);
    __m512i e = _mm512_srai_epi32(_mm512_sub_epi32(i, _mm512_set1_epi32(0x3f3504f3)), 23);
    *m = _mm512_castsi512_ps(_mm512_sub_epi32(i, _mm512_slli_epi32(e, 23)));
    return _mm512_cvtepi32_ps(e);
}
V_FN v16 v_swap_pairs(v16 a)
{
    return _mm512_permute_ps(a, 0xB1);
}
V_FN __m256 v_top_(v16 a)
{
    return _mm512_extractf32x8_ps(a, 1);
}
V_FN __m256 v_low_(v16 a)
{
    return _mm512_castps512_ps256(a);
}

#elif HONE_SIMD == 2
/* ---- AVX2: two registers --------------------------------------------------------------------- */
#include <immintrin.h>
typedef struct v16 {
    __m256 lo, hi;
} v16;
typedef v16 vm;
#define V2_(e0, e1) ((v16){(e0), (e1)})
V_FN v16 v_zero(void)
{
    return V2_(_mm256_setzero_ps(), _mm256_setzero_ps());
}
V_FN v16 v_set1(float x)
{
    __m256 a = _mm256_set1_ps(x);
    return V2_(a, a);
}
V_FN v16 v_load(const float *p)
{
    return V2_(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}
V_FN void v_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.lo);
    _mm256_storeu_ps(p + 8, x.hi);
}
V_FN vm vm_first(int n)
{
    static const int32_t ones[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                     -1, -1, -1, -1, -1, -1, -1, -1};
    const float *p = (const float *)(const void *)(ones + 16 - n);
    return v_load(p);
}
V_FN v16 v_loadn(const float *p, int n)
{
    vm m = vm_first(n);
    return V2_(_mm256_maskload_ps(p, _mm256_castps_si256(m.lo)),
               _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.hi)));
}
V_FN void v_storen(float *p, v16 x, int n)
{
    vm m = vm_first(n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.lo), x.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.hi), x.hi);
}
#define V_OP2_(name, f)                                                                            \
    V_FN v16 name(v16 a, v16 b)                                                                    \
    {                                                                                              \
        return V2_(f(a.lo, b.lo), f(a.hi, b.hi));                                                  \
    }
V_OP2_(v_add, _mm256_add_ps)
V_OP2_(v_sub, _mm256_sub_ps)
V_OP2_(v_mul, _mm256_mul_ps)
V_OP2_(v_div, _mm256_div_ps)
V_OP2_(v_max, _mm256_max_ps)
V_OP2_(v_min, _mm256_min_ps)
V_OP2_(v_and, _mm256_and_ps)
V_OP2_(v_or, _mm256_or_ps)
V_OP2_(v_xor, _mm256_xor_ps)
#define V_CMP_(name, how)                                                                          \
    V_FN vm name(v16 a, v16 b)                                                                     \
    {                                                                                              \
        return V2_(_mm256_cmp_ps(a.lo, b.lo, how), _mm256_cmp_ps(a.hi, b.hi, how));                \
    }
V_CMP_(v_lt, _CMP_LT_OQ)
V_CMP_(v_le, _CMP_LE_OQ)
V_CMP_(v_eq, _CMP_EQ_OQ)
V_CMP_(v_unord, _CMP_UNORD_Q)
V_FN v16 v_sqrt(v16 a)
{
    return V2_(_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi));
}
V_FN v16 v_fma(v16 a, v16 b, v16 c)
{
    return V2_(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}
V_FN v16 v_fnma(v16 a, v16 b, v16 c)
{
    return V2_(_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi));
}
V_FN v16 v_bits(uint32_t x)
{
    __m256 a = _mm256_castsi256_ps(_mm256_set1_epi32((int)x));
    return V2_(a, a);
}
V_FN vm vm_and(vm a, vm b)
{
    return v_and(a, b);
}
V_FN int vm_any(vm a)
{
    return _mm256_movemask_ps(_mm256_or_ps(a.lo, a.hi)) != 0;
}
V_FN v16 v_sel(vm m, v16 a, v16 b)
{
    return V2_(_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi));
}
V_FN __m256 v_half_pow2_(__m256 t)
{
    __m256i i = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(i, _mm256_set1_epi32(126 << 23)));
}
V_FN v16 v_half_pow2(v16 t)
{
    return V2_(v_half_pow2_(t.lo), v_half_pow2_(t.hi));
}
V_FN __m256 v_split_(__m256 x, __m256 *m)
{
    __m256i i = _mm256_castps_si256(x);
    __m256i e = _mm256_srai_epi32(_mm256_sub_epi32(i, _mm256_set1_epi32(0x3f3504f3)), 23);
    *m = _mm256_castsi256_ps(_mm256_sub_epi32(i, _mm256_slli_epi32(e, 23)));
    return _mm256_cvtepi32_ps(e);
}
V_FN v16 v_split(v16 x, v16 *m)
{
    __m256 elo = v_split_(x.lo, &m->lo), ehi = v_split_(x.hi, &m->hi);
    return V2_(elo, ehi);
}
V_FN v16 v_swap_pairs(v16 a)
{
    return V2_(_mm256_permute_ps(a.lo, 0xB1), _mm256_permute_ps(a.hi, 0xB1));
}
V_FN __m256 v_top_(v16 a)
{
    return a.hi;
}
V_FN __m256 v_low_(v16 a)
{
    return a.lo;
}

#else
/* ---- plain C: the definition ----------------------------------------------------------------- */
typedef struct v16 {
    float f[16];
} v16;
typedef struct vm {
    uint32_t m[16]; /* all bits or none */
} vm;
#define V_EACH_ for (int i = 0; i < 16; i++)
#define V_MAP_(expr)                                                                               \
    do {                                                                                           \
        v16 r_;                                                                                    \
        V_EACH_ r_.f[i] = (expr);                                                                  \
        return r_;                                                                                 \
    } while (0)
#define V_MASK_(expr)                                                                              \
    do {                                                                                           \
        vm r_;                                                                                     \
        V_EACH_ r_.m[i] = (expr) ? 0xffffffffu : 0u;                                               \
        return r_;                                                                                 \
    } while (0)
V_FN uint32_t v_u32_(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}
V_FN float v_f32_(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}
V_FN v16 v_set1(float x)
{
    V_MAP_(x);
}
V_FN v16 v_zero(void)
{
    return v_set1(0.0f);
}
V_FN v16 v_load(const float *p)
{
    v16 r;
    memcpy(r.f, p, sizeof r.f);
    return r;
}
V_FN void v_store(float *p, v16 x)
{
    memcpy(p, x.f, sizeof x.f);
}
V_FN vm vm_first(int n)
{
    V_MASK_(i < n);
}
V_FN v16 v_loadn(const float *p, int n)
{
    V_MAP_(i < n ? p[i] : 0.0f);
}
V_FN void v_storen(float *p, v16 x, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = x.f[i];
}
V_FN v16 v_add(v16 a, v16 b)
{
    V_MAP_(a.f[i] + b.f[i]);
}
V_FN v16 v_sub(v16 a, v16 b)
{
    V_MAP_(a.f[i] - b.f[i]);
}
V_FN v16 v_mul(v16 a, v16 b)
{
    V_MAP_(a.f[i] * b.f[i]);
}
V_FN v16 v_div(v16 a, v16 b)
{
    V_MAP_(a.f[i] / b.f[i]);
}
V_FN v16 v_sqrt(v16 a)
{
    V_MAP_(sqrtf(a.f[i]));
}
V_FN v16 v_fma(v16 a, v16 b, v16 c)
{
    V_MAP_(fmaf(a.f[i], b.f[i], c.f[i]));
}
V_FN v16 v_fnma(v16 a, v16 b, v16 c)
{
    V_MAP_(fmaf(-a.f[i], b.f[i], c.f[i]));
}
/* the machine's max and min give 0 for a denormal operand too, where a choice would keep it */
V_FN float v_flush_(float x)
{
    return v_u32_(x) & 0x7f800000u ? x : v_f32_(v_u32_(x) & 0x80000000u);
}
V_FN float v_larger_(float a, float b)
{
    return v_flush_(a > b ? a : b);
}
V_FN v16 v_max(v16 a, v16 b)
{
    V_MAP_(v_larger_(a.f[i], b.f[i]));
}
V_FN v16 v_min(v16 a, v16 b)
{
    V_MAP_(v_flush_(a.f[i] < b.f[i] ? a.f[i] : b.f[i]));
}
V_FN v16 v_bits(uint32_t x)
{
    V_MAP_(v_f32_(x));
}
V_FN v16 v_and(v16 a, v16 b)
{
    V_MAP_(v_f32_(v_u32_(a.f[i]) & v_u32_(b.f[i])));
}
V_FN v16 v_or(v16 a, v16 b)
{
    V_MAP_(v_f32_(v_u32_(a.f[i]) | v_u32_(b.f[i])));
}
V_FN v16 v_xor(v16 a, v16 b)
{
    V_MAP_(v_f32_(v_u32_(a.f[i]) ^ v_u32_(b.f[i])));
}
V_FN vm v_lt(v16 a, v16 b)
{
    V_MASK_(a.f[i] < b.f[i]);
}
V_FN vm v_le(v16 a, v16 b)
{
    V_MASK_(a.f[i] <= b.f[i]);
}
V_FN vm v_eq(v16 a, v16 b)
{
    V_MASK_(a.f[i] == b.f[i]);
}
V_FN vm v_unord(v16 a, v16 b)
{
    V_MASK_(a.f[i] != a.f[i] || b.f[i] != b.f[i]);
}
V_FN vm vm_and(vm a, vm b)
{
    V_MASK_(a.m[i] & b.m[i]);
}
V_FN int vm_any(vm a)
{
    uint32_t any = 0;
    V_EACH_ any |= a.m[i];
    return any != 0;
}
V_FN v16 v_sel(vm m, v16 a, v16 b)
{
    V_MAP_(m.m[i] ? a.f[i] : b.f[i]);
}
V_FN v16 v_half_pow2(v16 t)
{
    V_MAP_(v_f32_((v_u32_(t.f[i]) << 23) + (126u << 23)));
}
V_FN v16 v_split(v16 x, v16 *m)
{
    v16 e;
    V_EACH_
    {
        uint32_t u = v_u32_(x.f[i]);
        int32_t k = (int32_t)(u - 0x3f3504f3u) >> 23; /* arithmetic shift, as gcc and clang do */
        m->f[i] = v_f32_(u - ((uint32_t)k << 23));
        e.f[i] = (float)k;
    }
    return e;
}
V_FN v16 v_swap_pairs(v16 a)
{
    V_MAP_(a.f[i ^ 1]);
}
#endif

/* ---- reductions: 16 -> 8 -> 4 -> 2 -> 1, lane i with lane i + half --------------------------- */
#if HONE_SIMD == 2 || HONE_SIMD == 3
V_FN float v_sum(v16 a)
{
    __m256 s8 = _mm256_add_ps(v_low_(a), v_top_(a));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
/* largest lane, no NaN among them */
V_FN float v_top_lane(v16 a)
{
    __m256 s8 = _mm256_max_ps(v_low_(a), v_top_(a));
    __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}
#elif HONE_SIMD != HONE_SIMD_neon
V_FN float v_sum(v16 a)
{
    for (int half = 8; half >= 1; half /= 2)
        for (int i = 0; i < half; i++)
            a.f[i] = a.f[i] + a.f[i + half];
    return a.f[0];
}
V_FN float v_top_lane(v16 a)
{
    for (int half = 8; half >= 1; half /= 2)
        for (int i = 0; i < half; i++)
            a.f[i] = v_larger_(a.f[i], a.f[i + half]);
    return a.f[0];
}
#endif

/* ---- the rest is common ---------------------------------------------------------------------- */
V_FN v16 v_neg(v16 a)
{
    return v_xor(a, v_bits(0x80000000u));
}
V_FN v16 v_abs(v16 a)
{
    return v_and(a, v_bits(0x7fffffffu));
}
V_FN v16 v_copysign(v16 mag, v16 sign)
{
    return v_or(v_and(mag, v_bits(0x7fffffffu)), v_and(sign, v_bits(0x80000000u)));
}
V_FN vm v_isnan(v16 a)
{
    return v_unord(a, a);
}
V_FN v16 v_maxn(v16 a, v16 b)
{
    return v_sel(v_isnan(a), a, v_max(a, b));
}
V_FN v16 v_minn(v16 a, v16 b)
{
    return v_sel(v_isnan(a), a, v_min(a, b));
}
/* largest lane; NaN when any lane is */
V_FN float v_hmax(v16 a)
{
    return vm_any(v_isnan(a)) ? NAN : v_top_lane(a);
}
/* (a0+a1) + (a2+a3), then the tree: what four running sums end in */
V_FN float v_sum4(v16 a0, v16 a1, v16 a2, v16 a3)
{
    return v_sum(v_add(v_add(a0, a1), v_add(a2, a3)));
}
V_FN v16 v_iota(void)
{
    static const float lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return v_load(lanes);
}

/* e^x. x = n ln 2 + r, |r| <= ln(2)/2; e^r a polynomial of degree 6 (relative error 3e-9),
 * doubled, times 2^(n-1), so that n = 128 needs no second step. Below about -87 exactly 0; above
 * 88.73 infinity. */
V_BIG v16 v_exp(v16 x)
{
    const v16 magic = v_set1(12582912.0f);
    x = v_min(v_set1(88.8f), v_max(v_set1(-87.5f), x));
    v16 t = v_fma(x, v_set1(1.44269502f), magic);
    v16 n = v_sub(t, magic);
    v16 r = v_fnma(n, v_set1(0.693147182f), x);
    r = v_fma(n, v_set1(1.90465421e-09f), r);
    v16 p = v_set1(2 * 0.00138143457f);
    p = v_fma(p, r, v_set1(2 * 0.00836883743f));
    p = v_fma(p, r, v_set1(2 * 0.0416683998f));
    p = v_fma(p, r, v_set1(2 * 0.166665196f));
    p = v_fma(p, r, v_set1(2 * 0.499999934f));
    p = v_fma(p, r, v_set1(2.0f));
    p = v_fma(p, r, v_set1(2.0f));
    return v_mul(p, v_half_pow2(t));
}

/* ln x. x = m 2^e, f = m - 1; ln(1+f) = f - f^2/2 + f^3 q(f), q of degree 7 (relative error 6e-9).
 * 0 and denormals give -infinity, negative numbers NaN. */
V_BIG v16 v_log(v16 x)
{
    v16 m, e = v_split(x, &m);
    v16 f = v_sub(m, v_set1(1.0f));
    v16 q = v_set1(-0.0763227411f);
    q = v_fma(q, f, v_set1(0.127608556f));
    q = v_fma(q, f, v_set1(-0.131606347f));
    q = v_fma(q, f, v_set1(0.142018831f));
    q = v_fma(q, f, v_set1(-0.166233273f));
    q = v_fma(q, f, v_set1(0.200012207f));
    q = v_fma(q, f, v_set1(-0.250008217f));
    q = v_fma(q, f, v_set1(0.333333318f));
    q = v_fma(q, f, v_set1(-0.5f));
    v16 r = v_mul(v_mul(f, f), q);
    r = v_fma(e, v_set1(-1.90465421e-09f), r);
    r = v_add(r, f);
    r = v_fma(e, v_set1(0.693147182f), r);
    r = v_sel(v_lt(x, v_set1(1.17549435e-38f)), v_set1(-INFINITY), r);
    r = v_sel(v_lt(x, v_zero()), v_set1(NAN), r);
    r = v_sel(v_eq(x, v_set1(INFINITY)), x, r);
    return v_sel(v_isnan(x), x, r);
}

/* ln(1 + e^-|x|), the smooth part of logsigmoid and softplus */
V_BIG v16 v_log1p_exp_neg(v16 x)
{
    const v16 one = v_set1(1.0f);
    v16 e = v_exp(v_neg(v_abs(x))), u = v_add(one, e);
    /* what rounding took from u, to first order */
    return v_add(v_log(u), v_div(v_sub(e, v_sub(u, one)), u));
}

V_BIG v16 v_sigmoid(v16 x)
{
    const v16 one = v_set1(1.0f);
    v16 e = v_exp(v_neg(v_abs(x)));
    v16 d = v_div(one, v_add(one, e));
    return v_sel(v_lt(x, v_zero()), v_mul(e, d), d);
}

/* |x| < 0.625: x + x^3 q(x^2); else 1 - 2/(e^2|x| + 1) with the sign of x */
V_BIG v16 v_tanh(v16 x)
{
    v16 a = v_abs(x), y = v_mul(x, x);
    v16 q = v_set1(-0.00571704506f);
    q = v_fma(q, y, v_set1(0.0206505871f));
    q = v_fma(q, y, v_set1(-0.0537434979f));
    q = v_fma(q, y, v_set1(0.133314913f));
    q = v_fma(q, y, v_set1(-0.333332839f));
    v16 small = v_fma(v_mul(x, y), q, x);
    v16 e = v_exp(v_add(a, a));
    v16 big = v_sub(v_set1(1.0f), v_div(v_set1(2.0f), v_add(e, v_set1(1.0f))));
    return v_copysign(v_sel(v_lt(a, v_set1(0.625f)), small, big), x);
}
#endif
