/* quant.c - encoders of the blocks of 32, and of the non-linear 4-bit codes.
 *
 * Q4_0 and Q5_0 put the value of largest magnitude on the most negative code and round to nearest;
 * Q4_1 and Q5_1 spread their codes between least and largest value; Q8_0 is symmetric. IQ4_NL and
 * IQ4_XS try scales around the one that puts the largest value on the end of the code table, and keep
 * the one of least error where a value weighs by its square: for codes c of values x and weights w the
 * best scale is sum(w c x) / sum(w c c), and the error falls with sum(w c x)^2 / sum(w c c).
 *
 * Ties and the order of float operations are ggml's, so that bytes are equal (test_quant.c). Scales are
 * kept as f16; blocks of 32 are coded with the f32 scale, as ggml does. */
#include "nn/quant.h"
#include "base/half.h"

#include <math.h>
#include <string.h>

const int8_t hone__iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};

static inline void store_scale(unsigned char *p, float f)
{
    uint16_t h = hone_f32_to_f16(f);
    p[0] = (unsigned char)h;
    p[1] = (unsigned char)(h >> 8);
}
/* x without its fraction, within [lo, hi]; NaN gives lo. */
static inline unsigned whole(float x, int lo, int hi)
{
    return (unsigned)(!(x > (float)lo) ? lo : x > (float)hi ? hi : (int)x);
}
static inline float inverse(float d)
{
    return d != 0.0f ? 1.0f / d : 0.0f;
}

/* The value of largest magnitude of n, with its sign: the first of them. */
static float extreme(const float *x, int n)
{
    float size = 0.0f, value = 0.0f;
    for (int i = 0; i < n; i++)
        if (size < fabsf(x[i])) {
            size = fabsf(x[i]);
            value = x[i];
        }
    return value;
}

/* The largest magnitude of 32, NaNs left out. */
static float largest(const float *x)
{
    float m[8] = {0};
    for (int i = 0; i < 32; i += 8)
        for (int j = 0; j < 8; j++)
            m[j] = m[j] < fabsf(x[i + j]) ? fabsf(x[i + j]) : m[j];
    for (int n = 4; n; n /= 2)
        for (int j = 0; j < n; j++)
            m[j] = m[j] < m[j + n] ? m[j + n] : m[j];
    return m[0];
}

/* Codes 0 .. 2*half-1 for -half .. half-1 steps of the scale, which is returned. */
static float code_signed(const float *x, int half, unsigned char code[32])
{
    float d = extreme(x, 32) / (float)-half, id = inverse(d);
    for (int i = 0; i < 32; i++)
        code[i] = (unsigned char)whole(x[i] * id + ((float)half + 0.5f), 0, 2 * half - 1);
    return d;
}
/* Codes 0 .. top for least .. largest value. */
static float code_between(const float *x, int top, unsigned char code[32], float *least)
{
    float min = x[0], max = x[0];
    for (int i = 1; i < 32; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    float d = (max - min) / (float)top, id = inverse(d);
    for (int i = 0; i < 32; i++)
        code[i] = (unsigned char)whole((x[i] - min) * id + 0.5f, 0, top);
    *least = min;
    return d;
}

/* 16 bytes: code i in the low half, i + 16 in the high half. */
static void put_low(unsigned char *dst, const unsigned char code[32])
{
    for (int i = 0; i < 16; i++)
        dst[i] = (unsigned char)((code[i] & 15) | (code[i + 16] & 15) << 4);
}
/* 4 bytes of fifth bits, then the rest. */
static void put_high_low(unsigned char *dst, const unsigned char code[32])
{
    memset(dst, 0, 4);
    for (int i = 0; i < 32; i++)
        dst[i / 8] = (unsigned char)(dst[i / 8] | (code[i] >> 4 & 1) << (i % 8));
    put_low(dst + 4, code);
}

void hone__quant_q4_0(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[32];
    for (; n; n--, src += 32, dst += 18) {
        store_scale(dst, code_signed(src, 8, code));
        put_low(dst + 2, code);
    }
}
void hone__quant_q5_0(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[32];
    for (; n; n--, src += 32, dst += 22) {
        store_scale(dst, code_signed(src, 16, code));
        put_high_low(dst + 2, code);
    }
}
void hone__quant_q4_1(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[32];
    float least;
    for (; n; n--, src += 32, dst += 20) {
        store_scale(dst, code_between(src, 15, code, &least));
        store_scale(dst + 2, least);
        put_low(dst + 4, code);
    }
}
void hone__quant_q5_1(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[32];
    float least;
    for (; n; n--, src += 32, dst += 24) {
        store_scale(dst, code_between(src, 31, code, &least));
        store_scale(dst + 2, least);
        put_high_low(dst + 4, code);
    }
}
void hone__quant_q8_0(const float *restrict src, unsigned char *restrict dst, size_t n)
{
    for (; n; n--, src += 32, dst += 34) {
        float d = largest(src) / 127.0f, id = inverse(d);
        store_scale(dst, d);
        for (int i = 0; i < 32; i++) {
            float x = src[i] * id;
            x = !(x > -128.0f) ? -128.0f : x > 127.0f ? 127.0f : x;
            const int whole = (int)x;
            const float rest = x - (float)whole; /* exact; halves go away from zero */
            dst[2 + i] = (unsigned char)(whole + (rest >= 0.5f) - (rest <= -0.5f));
        }
    }
}

/* ---- non-linear codes ------------------------------------------------------------------------------ */
/* The code whose value is nearest; halfway the larger one. */
static int nearest_code(float x)
{
    int i = 0;
    if (!(x > (float)hone__iq4_values[0]))
        return 0;
    for (int step = 8; step; step /= 2) /* the last value that is not above x */
        i += x >= (float)hone__iq4_values[i + step] ? step : 0;
    if (i == 15)
        return 15;
    return x - (float)hone__iq4_values[i] < (float)hone__iq4_values[i + 1] - x ? i : i + 1;
}

/* The scale of least weighted error for 32 values (0 when all are zero). */
static float fit_codes(const float *x)
{
    enum { TRIES = 7 };
    float peak = extreme(x, 32), scale = 0.0f, best = 0.0f;
    if (fabsf(peak) < 1e-15f)
        return 0.0f;
    for (int t = -TRIES - 1; t <= TRIES; t++) {
        /* the peak on code 0 first, then with the table's end moved by -7 .. 7 */
        float id = t < -TRIES ? 1.0f / (-peak / (float)hone__iq4_values[0])
                              : ((float)t + (float)hone__iq4_values[0]) / peak;
        float qx = 0.0f, qq = 0.0f;
        for (int i = 0; i < 32; i++) {
            float q = (float)hone__iq4_values[nearest_code(id * x[i])], w = x[i] * x[i];
            qx += w * q * x[i];
            qq += w * q * q;
        }
        if (t < -TRIES || (qq > 0.0f && qx * qx > best * qq)) {
            scale = qx / qq;
            best = scale * qx;
        }
    }
    return scale;
}

void hone__quant_iq4_nl(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[32];
    for (; n; n--, src += 32, dst += 18) {
        float d = fit_codes(src), id = inverse(d);
        store_scale(dst, d);
        for (int i = 0; i < 32; i++)
            code[i] = (unsigned char)nearest_code(id * src[i]);
        put_low(dst + 2, code);
    }
}

/* Eight scales of 32 values each, as multiples -32 .. 31 of one. */
void hone__quant_iq4_xs(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[32];
    for (; n; n--, dst += 136) {
        float scale[8];
        unsigned high = 0;
        for (int s = 0; s < 8; s++)
            scale[s] = fit_codes(src + 32 * s);
        float d = -extreme(scale, 8) / 32.0f, id = inverse(d);
        memset(dst, 0, 8);
        store_scale(dst, d);
        for (int s = 0; s < 8; s++, src += 32) {
            float x = id * scale[s];
            x = !(x > -32.0f) ? -32.0f : x > 31.0f ? 31.0f : x;
            int l = (int)((x + 12582912.0f) - 12582912.0f); /* to nearest, ties to even */
            float dl = d * (float)l, idl = inverse(dl);
            for (int i = 0; i < 32; i++)
                code[i] = (unsigned char)nearest_code(idl * src[i]);
            put_low(dst + 8 + 16 * s, code);
            l += 32;
            dst[4 + s / 2] = (unsigned char)(dst[4 + s / 2] | (l & 15) << (4 * (s % 2)));
            high |= (unsigned)(l >> 4) << (2 * s);
        }
        dst[2] = (unsigned char)high;
        dst[3] = (unsigned char)(high >> 8);
    }
}
