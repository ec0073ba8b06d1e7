/* quant_k.c - encoders of ggml's K types: 256 values with a scale (and minimum) per 16 or 32.
 *
 * Each group is fitted alone, the groups' scales are rounded to multiples of one f16 scale, and the codes
 * are taken anew with the scale that was stored. Two fits do the work:
 *   symmetric   x ~ d q             Q3_K (codes improved one at a time), Q6_K (19 scales tried)
 *   with offset x ~ d q - m, m >= 0 Q2_K, Q4_K, Q5_K: weighted least squares for d and m at each of a
 *                                   row of spreads, the least error kept
 * Groups of zeros get scale zero. Ties and the order of float operations are those of ggml's reference
 * encoders, without fused multiply-add: ggml built with fusion differs in the last bit of a fit, which
 * at times changes a code (test_quant.c counts them).
 *
 * Does not: weigh by an importance matrix. Source of the layouts: ggml-common.h. */
#include "nn/quant.h"
#include "base/half.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define TINY 1e-15f /* groups of smaller values are taken as zero */
enum { GROUP = 32, ABREAST = 4 };

/* To nearest, ties to even, within [lo, hi]; NaN gives lo. */
static inline int nearest(float x, int lo, int hi)
{
    x = !(x > (float)lo) ? (float)lo : x > (float)hi ? (float)hi : x;
    return (int)((x + 12582912.0f) - 12582912.0f);
}
/* Stores f as f16 and returns what was stored. */
static inline float store_scale(unsigned char *p, float f)
{
    uint16_t h = hone_f32_to_f16(f);
    p[0] = (unsigned char)h;
    p[1] = (unsigned char)(h >> 8);
    return hone_f16_to_f32(h);
}
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

/* ---- fits ------------------------------------------------------------------------------------------ */
/* Sums for codes of x at 1/scale = is, each value weighing by its square. */
static void sums(const float *x, int n, int half, float is, float *qx, float *qq)
{
    *qx = *qq = 0.0f;
    for (int i = 0; i < n; i++) {
        float q = (float)nearest(is * x[i], -half, half - 1), w = x[i] * x[i];
        *qx += w * x[i] * q;
        *qq += w * q * q;
    }
}

/* Symmetric, codes -half .. half-1 (stored + half): the peak on -half, and that moved by up to 0.9. */
static float fit_scales(const float *x, int n, int half, unsigned char *code)
{
    float peak = extreme(x, n), qx, qq, best, scale, chosen;
    if (fabsf(peak) < TINY) {
        memset(code, 0, (size_t)n);
        return 0.0f;
    }
    chosen = (float)-half / peak;
    sums(x, n, half, chosen, &qx, &qq);
    scale = qq != 0.0f ? qx / qq : 0.0f;
    best = scale * qx;
    for (int t = -9; t <= 9; t++) {
        float is = -((float)half + 0.1f * (float)t) / peak;
        if (t == 0)
            continue;
        sums(x, n, half, is, &qx, &qq);
        if (qq > 0.0f && qx * qx > best * qq) {
            scale = qx / qq;
            best = scale * qx;
            chosen = is;
        }
    }
    for (int i = 0; i < n; i++)
        code[i] = (unsigned char)(nearest(chosen * x[i], -half, half - 1) + half);
    return scale;
}

/* Symmetric: the peak on -half, then codes are moved one at a time while that lowers the error. */
static float fit_codes(const float *x, int n, int half, unsigned char *code)
{
    float peak = extreme(x, n), qx = 0.0f, qq = 0.0f, q[16];
    if (fabsf(peak) < TINY) {
        memset(code, 0, (size_t)n);
        return 0.0f;
    }
    for (int i = 0; i < n; i++) {
        float w = x[i] * x[i];
        q[i] = (float)nearest((float)-half / peak * x[i], -half, half - 1);
        qx += w * x[i] * q[i];
        qq += w * q[i] * q[i];
    }
    for (int pass = 0, moved = 1; pass < 5 && moved; pass++) {
        moved = 0;
        for (int i = 0; i < n; i++) {
            float w = x[i] * x[i], rest_qx = qx - w * x[i] * q[i], rest_qq, now;
            if (!(rest_qx > 0.0f))
                continue;
            rest_qq = qq - w * q[i] * q[i];
            now = (float)nearest(x[i] * rest_qq / rest_qx, -half, half - 1);
            if (now == q[i])
                continue;
            rest_qx += w * x[i] * now;
            rest_qq += w * now * now;
            if (rest_qq > 0.0f && rest_qx * rest_qx * qq > qx * qx * rest_qq) {
                q[i] = now;
                qx = rest_qx;
                qq = rest_qq;
                moved = 1;
            }
        }
    }
    for (int i = 0; i < n; i++)
        code[i] = (unsigned char)((int)q[i] + half);
    return qq > 0.0f ? qx / qq : 0.0f;
}

/* How the spreads of a fit with offset are tried: (first + step * t + top) / (max - min), t = 0 .. tries. */
typedef struct spread {
    int n, top;
    float first, step;
    int tries;
    int absolute; /* errors are absolute, not squared */
} spread;

/* Four groups are fitted abreast, a lane each: the sums of one are a chain that nothing else fills. A lane's
 * operations and their order are those of its group alone. */
typedef float lanes __attribute__((vector_size(16)));
typedef int32_t masks __attribute__((vector_size(16)));
#define EACH(x) ((lanes){0} + (x)) /* not for -0 */
#define PICK(mask, a, b) ((lanes)(((mask) & (masks)(a)) | (~(mask) & (masks)(b))))
#define NEAREST(x, top) /* as nearest(x, 0, top), in floats */                                     \
    ((PICK((x) > 0.0f, PICK((x) > (top), EACH(top), (x)), EACH(0.0f)) + 12582912.0f) - 12582912.0f)

static int any(const masks *m)
{
    int32_t all = 0;
    for (int j = 0; j < ABREAST; j++)
        all |= (*m)[j];
    return all != 0;
}

static void offset_error(const spread *p, const lanes *x, const lanes *w, const lanes *code,
                         const lanes *scale, const lanes *min, lanes *out)
{
    const masks size = (masks){0} + 0x7fffffff;
    lanes sum = {0};
    for (int i = 0; i < p->n; i++) {
        const lanes e = *scale * code[i] + *min - x[i];
        sum += w[i] * (p->absolute ? (lanes)((masks)e & size) : e * e);
    }
    *out = sum;
}

/* x ~ scale * code - below, code 0 .. top, below >= 0, of four groups one after the other. */
static void fit_offset(const spread *p, const float *src, const float *weight, unsigned char *to,
                       float *scales, float *below)
{
    lanes x[GROUP] = {{0}}, w[GROUP] = {{0}}, code[GROUP], trial[GROUP], best, error;
    const float top = (float)p->top;
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < ABREAST; j++) {
            x[i][j] = src[j * p->n + i];
            w[i][j] = weight[j * p->n + i];
        }
    lanes min = x[0], max = x[0], sw = w[0], sx = sw * x[0];
    for (int i = 1; i < p->n; i++) {
        min = PICK(x[i] < min, x[i], min);
        max = PICK(x[i] > max, x[i], max);
        sw += w[i];
        sx += w[i] * x[i];
    }
    min = PICK(min > 0.0f, EACH(0.0f), min);
    const masks flat = max == min;
    const lanes low = min, start = top / (max - min);
    lanes scale = 1.0f / start;
    for (int i = 0; i < p->n; i++)
        code[i] = NEAREST(start * (x[i] - low), top);
    offset_error(p, x, w, code, &scale, &min, &best);
    for (int t = 0; t <= p->tries; t++) {
        lanes sl = {0}, sll = {0}, sxl = {0};
        /* ggml's search: the range is that of the best offset so far */
        const lanes is = (p->first + p->step * (float)t + top) / (max - min);
        for (int i = 0; i < p->n; i++) {
            const lanes l = NEAREST(is * (x[i] - min), top), wl = w[i] * l;
            trial[i] = l;
            sl += wl;
            sll += wl * l;
            sxl += wl * x[i];
        }
        const lanes det = sw * sll - sl * sl;
        lanes d = (sw * sxl - sx * sl) / det, m = (sll * sx - sl * sxl) / det;
        const masks above = m > 0.0f;
        m = PICK(above, EACH(0.0f), m);
        d = PICK(above, sxl / sll, d);
        offset_error(p, x, w, trial, &d, &m, &error);
        const masks better = (det > 0.0f) & (error < best);
        if (!any(&better))
            continue;
        for (int i = 0; i < p->n; i++)
            code[i] = PICK(better, trial[i], code[i]);
        best = PICK(better, error, best);
        scale = PICK(better, d, scale);
        min = PICK(better, m, min);
    }
    for (int j = 0; j < ABREAST; j++) {
        scales[j] = flat[j] ? 0.0f : scale[j];
        below[j] = -(flat[j] ? low[j] : min[j]);
        for (int i = 0; i < p->n; i++)
            to[j * p->n + i] = (unsigned char)(flat[j] ? 0 : (int)code[i][j]);
    }
}

/* ---- packing --------------------------------------------------------------------------------------- */
/* Two runs of 128 values, each four planes of 32 by bit pair. */
static void put_pairs(unsigned char *dst, const unsigned char *code)
{
    for (int run = 0; run < 2; run++, code += 128, dst += 32)
        for (int i = 0; i < 32; i++)
            dst[i] = (unsigned char)((code[i] & 3) | (code[i + 32] & 3) << 2 |
                                     (code[i + 64] & 3) << 4 | (code[i + 96] & 3) << 6);
}
/* 64 values at a time, low halves first. */
static void put_halves(unsigned char *dst, const unsigned char *code)
{
    for (int run = 0; run < 4; run++, code += 64, dst += 32)
        for (int i = 0; i < 32; i++)
            dst[i] = (unsigned char)((code[i] & 15) | (code[i + 32] & 15) << 4);
}

/* ---- types ----------------------------------------------------------------------------------------- */
/* 16 bytes of scale (low) and minimum (high); 64 bytes of codes; d, dmin. */
void hone__quant_q2_k(const float *src, unsigned char *dst, size_t n)
{
    static const spread how = {16, 3, -0.5f, 0.1f, 15, 1};
    unsigned char code[256];
    float w[256], scale[16], below[16];
    for (; n; n--, src += 256, dst += 84) {
        float top = 0.0f, deep = 0.0f;
        for (int i = 0; i < 256; i++)
            w[i] = fabsf(src[i]);
        for (int j = 0; j < 16; j += ABREAST)
            fit_offset(&how, src + 16 * j, w + 16 * j, code + 16 * j, scale + j, below + j);
        for (int j = 0; j < 16; j++) {
            top = scale[j] > top ? scale[j] : top;
            deep = below[j] > deep ? below[j] : deep;
        }
        float is = top > 0.0f ? 15.0f / top : 0.0f, im = deep > 0.0f ? 15.0f / deep : 0.0f;
        float d = store_scale(dst + 80, top / 15.0f), dmin = store_scale(dst + 82, deep / 15.0f);
        for (int j = 0; j < 16; j++) {
            int s = nearest(is * scale[j], 0, 15), m = nearest(im * below[j], 0, 15);
            float dl = d * (float)s, ml = dmin * (float)m;
            dst[j] = (unsigned char)(s | m << 4);
            for (int i = 16 * j; dl != 0.0f && i < 16 * j + 16; i++)
                code[i] = (unsigned char)nearest((src[i] + ml) / dl, 0, 3);
        }
        put_pairs(dst + 16, code);
    }
}

/* 32 bytes of third bits; 64 bytes of codes; 12 bytes of sixteen 6-bit scales; d. */
void hone__quant_q3_k(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[256];
    float scale[16];
    for (; n; n--, src += 256, dst += 110) {
        for (int j = 0; j < 16; j++)
            scale[j] = fit_codes(src + 16 * j, 16, 4, code + 16 * j);
        float peak = extreme(scale, 16), is = peak != 0.0f ? -32.0f / peak : 0.0f;
        float d = store_scale(dst + 108, is != 0.0f ? 1.0f / is : 0.0f);
        unsigned char *packed = dst + 96;
        memset(packed, 0, 12);
        memset(dst, 0, 32);
        for (int j = 0; j < 16; j++) {
            /* of a block of zeros the stored scales are zero bytes, which mean -32; d is zero then */
            int s = peak != 0.0f ? nearest(is * scale[j], -32, 31) + 32 : 0;
            float dl = d * (float)(s - 32);
            packed[j % 8] = (unsigned char)(packed[j % 8] | (s & 15) << (j < 8 ? 0 : 4));
            packed[8 + j % 4] = (unsigned char)(packed[8 + j % 4] | s >> 4 << (2 * (j / 4)));
            for (int i = 16 * j; dl != 0.0f && i < 16 * j + 16; i++)
                code[i] = (unsigned char)(nearest(src[i] / dl, -4, 3) + 4);
        }
        for (int i = 0; i < 256; i++)
            if (code[i] & 4)
                dst[i % 32] = (unsigned char)(dst[i % 32] | 1 << (i / 32));
        put_pairs(dst + 32, code);
    }
}

/* What Q4_K and Q5_K share: d, dmin and the 12 bytes of eight 6-bit pairs at dst, codes 0 .. top. */
static void offset_block(const spread *how, const float *src, unsigned char *dst,
                         unsigned char *code)
{
    float w[256], scale[8], below[8], top = 0.0f, deep = 0.0f;
    for (int j = 0; j < 8; j++) {
        const float *x = src + 32 * j;
        float sum = 0.0f, rms;
        for (int i = 0; i < 32; i++)
            sum += x[i] * x[i];
        rms = sqrtf(sum / 32.0f);
        for (int i = 0; i < 32; i++)
            w[32 * j + i] = rms + fabsf(x[i]);
    }
    for (int j = 0; j < 8; j += ABREAST)
        fit_offset(how, src + 32 * j, w + 32 * j, code + 32 * j, scale + j, below + j);
    for (int j = 0; j < 8; j++) {
        top = scale[j] > top ? scale[j] : top;
        deep = below[j] > deep ? below[j] : deep;
    }
    float is = top > 0.0f ? 63.0f / top : 0.0f, im = deep > 0.0f ? 63.0f / deep : 0.0f;
    float d = store_scale(dst, top / 63.0f), dmin = store_scale(dst + 2, deep / 63.0f);
    unsigned char *p = dst + 4;
    memset(p, 0, 12);
    for (int j = 0; j < 8; j++) {
        int s = nearest(is * scale[j], 0, 63), m = nearest(im * below[j], 0, 63);
        float dl = d * (float)s, ml = dmin * (float)m;
        if (j < 4) {
            p[j] = (unsigned char)s;
            p[j + 4] = (unsigned char)m;
        } else {
            p[j + 4] = (unsigned char)((s & 15) | (m & 15) << 4);
            p[j - 4] = (unsigned char)(p[j - 4] | s >> 4 << 6);
            p[j] = (unsigned char)(p[j] | m >> 4 << 6);
        }
        for (int i = 32 * j; dl != 0.0f && i < 32 * j + 32; i++)
            code[i] = (unsigned char)nearest((src[i] + ml) / dl, 0, how->top);
    }
}

void hone__quant_q4_k(const float *src, unsigned char *dst, size_t n)
{
    static const spread how = {32, 15, -1.0f, 0.1f, 20, 0};
    unsigned char code[256];
    for (; n; n--, src += 256, dst += 144) {
        offset_block(&how, src, dst, code);
        put_halves(dst + 16, code);
    }
}

/* 32 bytes of fifth bits before the halves. */
void hone__quant_q5_k(const float *src, unsigned char *dst, size_t n)
{
    static const spread how = {32, 31, -0.5f, 0.1f, 15, 0};
    unsigned char code[256];
    for (; n; n--, src += 256, dst += 176) {
        offset_block(&how, src, dst, code);
        memset(dst + 16, 0, 32);
        for (int i = 0; i < 256; i++)
            dst[16 + i % 32] = (unsigned char)(dst[16 + i % 32] | code[i] >> 4 << (i / 32));
        put_halves(dst + 48, code);
    }
}

/* 128 bytes of low halves; 64 bytes of high pairs; 16 signed scales; d. */
void hone__quant_q6_k(const float *src, unsigned char *dst, size_t n)
{
    unsigned char code[256], high[256];
    float scale[16];
    for (; n; n--, src += 256, dst += 210) {
        for (int j = 0; j < 16; j++)
            scale[j] = fit_scales(src + 16 * j, 16, 32, code + 16 * j);
        float peak = extreme(scale, 16);
        if (fabsf(peak) < TINY) {
            memset(dst, 0, 210);
            continue;
        }
        float is = -128.0f / peak, d = store_scale(dst + 208, 1.0f / is);
        for (int j = 0; j < 16; j++) {
            int s = nearest(is * scale[j], -128, 127);
            float dl = d * (float)s;
            dst[192 + j] = (unsigned char)s;
            for (int i = 16 * j; dl != 0.0f && i < 16 * j + 16; i++)
                code[i] = (unsigned char)(nearest(src[i] / dl, -32, 31) + 32);
        }
        for (int run = 0; run < 2; run++)
            for (int i = 0; i < 64; i++)
                dst[64 * run + i] = (unsigned char)((code[128 * run + i] & 15) |
                                                    (code[128 * run + 64 + i] & 15) << 4);
        for (int i = 0; i < 256; i++)
            high[i] = code[i] >> 4;
        put_pairs(dst + 128, high);
    }
}
