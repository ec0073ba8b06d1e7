/* dequant.c - the type table, and the decoders of ggml's block formats.
 *
 * A ggml block holds 32 elements (or 256 for the K types and IQ4_XS) with one or two f16 scales; K types
 * add 4- or 6-bit scales of sub-blocks. Decoders are written from the layouts, one short function each,
 * in the order of float operations that ggml's own decoder uses, so that results are equal bit for bit
 * (no fused multiply-add: the tree is compiled with -ffp-contract=off).
 *
 * Does not: quantise (quant.c, quant_k.c), compute on quantised values (core/ops).
 * Sources: ggml-common.h block layouts; the gguf Python package as reference of values. */
#include "nn/dequant.h"
#include "base/alloc.h"
#include "base/half.h"
#include "nn/quant.h"

#include <string.h>

static inline uint16_t load16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t load64(const unsigned char *p)
{
    return (uint64_t)load32(p) | (uint64_t)load32(p + 4) << 32;
}
static inline float scale_at(const unsigned char *p)
{
    return hone_f16_to_f32(load16(p));
}

/* ---- one element a block ------------------------------------------------------------------------ */
#define PLAIN(name, bytes, expr)                                                                   \
    static void widen_##name(const unsigned char *restrict src, float *restrict dst, size_t n)     \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                           \
            const unsigned char *p = src + i * (bytes);                                            \
            dst[i] = (expr);                                                                       \
        }                                                                                          \
    }
static inline double load_f64(const unsigned char *p)
{
    uint64_t u = load64(p);
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}
PLAIN(f32, 4, hone_f32_from_bits(load32(p)))
PLAIN(f16, 2, hone_f16_to_f32(load16(p)))
PLAIN(bf16, 2, hone_bf16_to_f32(load16(p)))
PLAIN(f64, 8, (float)load_f64(p))
PLAIN(i64, 8, (float)(int64_t)load64(p))
PLAIN(i32, 4, (float)(int32_t)load32(p))
PLAIN(i16, 2, (float)(int16_t)load16(p))
PLAIN(i8, 1, (float)(int8_t)p[0])
PLAIN(u64, 8, (float)load64(p))
PLAIN(u32, 4, (float)load32(p))
PLAIN(u16, 2, (float)load16(p))
PLAIN(u8, 1, (float)p[0])
PLAIN(bool, 1, p[0] ? 1.0f : 0.0f)
PLAIN(f8_e4m3, 1, hone_f8e4m3_to_f32(p[0]))
PLAIN(f8_e5m2, 1, hone_f8e5m2_to_f32(p[0]))
#undef PLAIN

static void narrow_f32(const float *src, unsigned char *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = hone_f32_bits(src[i]);
        dst[4 * i] = (unsigned char)u;
        dst[4 * i + 1] = (unsigned char)(u >> 8);
        dst[4 * i + 2] = (unsigned char)(u >> 16);
        dst[4 * i + 3] = (unsigned char)(u >> 24);
    }
}
static void narrow_f16(const float *src, unsigned char *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = hone_f32_to_f16(src[i]);
        dst[2 * i] = (unsigned char)h;
        dst[2 * i + 1] = (unsigned char)(h >> 8);
    }
}
static void narrow_bf16(const float *src, unsigned char *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = hone_f32_to_bf16(src[i]);
        dst[2 * i] = (unsigned char)h;
        dst[2 * i + 1] = (unsigned char)(h >> 8);
    }
}

/* ---- blocks of 32 -------------------------------------------------------------------------------- */
/* d; 16 bytes: element i in the low, i + 16 in the high half. d * (q - 8) */
static void widen_q4_0(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 18, dst += 32) {
        float d = scale_at(src);
        for (int i = 0; i < 16; i++) {
            dst[i] = (float)((src[2 + i] & 15) - 8) * d;
            dst[i + 16] = (float)((src[2 + i] >> 4) - 8) * d;
        }
    }
}
/* d, m; as above. d * q + m */
static void widen_q4_1(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 20, dst += 32) {
        float d = scale_at(src), m = scale_at(src + 2);
        for (int i = 0; i < 16; i++) {
            dst[i] = (float)(src[4 + i] & 15) * d + m;
            dst[i + 16] = (float)(src[4 + i] >> 4) * d + m;
        }
    }
}
/* d; 32 fifth bits; 16 bytes. d * (q - 16) */
static void widen_q5_0(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 22, dst += 32) {
        float d = scale_at(src);
        uint32_t high = load32(src + 2);
        for (int i = 0; i < 16; i++) {
            int q0 = (src[6 + i] & 15) | (int)(high >> i & 1) << 4;
            int q1 = (src[6 + i] >> 4) | (int)(high >> (i + 16) & 1) << 4;
            dst[i] = (float)(q0 - 16) * d;
            dst[i + 16] = (float)(q1 - 16) * d;
        }
    }
}
/* d, m; 32 fifth bits; 16 bytes. d * q + m */
static void widen_q5_1(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 24, dst += 32) {
        float d = scale_at(src), m = scale_at(src + 2);
        uint32_t high = load32(src + 4);
        for (int i = 0; i < 16; i++) {
            int q0 = (src[8 + i] & 15) | (int)(high >> i & 1) << 4;
            int q1 = (src[8 + i] >> 4) | (int)(high >> (i + 16) & 1) << 4;
            dst[i] = (float)q0 * d + m;
            dst[i + 16] = (float)q1 * d + m;
        }
    }
}
/* d; 32 signed bytes. d * q */
static void widen_q8_0(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 34, dst += 32) {
        float d = scale_at(src);
        for (int i = 0; i < 32; i++)
            dst[i] = (float)(int8_t)src[2 + i] * d;
    }
}
static void widen_iq4_nl(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 18, dst += 32) {
        float d = scale_at(src);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)hone__iq4_values[src[2 + i] & 15];
            dst[i + 16] = d * (float)hone__iq4_values[src[2 + i] >> 4];
        }
    }
}

/* ---- super-blocks of 256 ------------------------------------------------------------------------- */
/* d; high 2 bits of 8 scales; low 4 bits of them; 128 bytes. d * (scale - 32) * value, 32 at a time */
static void widen_iq4_xs(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 136) {
        float d = scale_at(src);
        uint32_t high = load16(src + 2);
        const unsigned char *q = src + 8;
        for (int s = 0; s < 8; s++, q += 16, dst += 32) {
            int scale = (src[4 + s / 2] >> (4 * (s % 2)) & 15) | (int)(high >> (2 * s) & 3) << 4;
            float dl = d * (float)(scale - 32);
            for (int i = 0; i < 16; i++) {
                dst[i] = dl * (float)hone__iq4_values[q[i] & 15];
                dst[i + 16] = dl * (float)hone__iq4_values[q[i] >> 4];
            }
        }
    }
}
/* 16 bytes: scale in the low, min in the high half; 64 bytes of 2-bit values; d, dmin.
 * Values: two runs of 128, each four planes of 32 by bit pair; a scale per 16. */
static void widen_q2_k(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 84) {
        const unsigned char *scales = src, *q = src + 16;
        float d = scale_at(src + 80), dmin = scale_at(src + 82);
        for (int run = 0; run < 2; run++, q += 32)
            for (int shift = 0; shift < 8; shift += 2)
                for (int half = 0; half < 2; half++, scales++, dst += 16) {
                    float dl = d * (float)(*scales & 15), ml = dmin * (float)(*scales >> 4);
                    for (int i = 0; i < 16; i++)
                        dst[i] = dl * (float)(q[16 * half + i] >> shift & 3) - ml;
                }
    }
}
/* 32 bytes of third bits, inverted; 64 bytes of 2-bit values; 12 bytes of sixteen 6-bit scales; d. */
static void widen_q3_k(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 110) {
        const unsigned char *mask = src, *q = src + 32, *packed = src + 96;
        float d = scale_at(src + 108);
        int k = 0;
        for (int run = 0; run < 2; run++, q += 32)
            for (int plane = 0; plane < 4; plane++)
                for (int half = 0; half < 2; half++, k++, dst += 16) {
                    int low = k < 8 ? packed[k] & 15 : packed[k - 8] >> 4;
                    int scale = low | (packed[8 + k % 4] >> (2 * (k / 4)) & 3) << 4;
                    float dl = d * (float)(scale - 32);
                    int bit = 4 * run + plane;
                    for (int i = 0; i < 16; i++) {
                        int at = 16 * half + i;
                        int v = (q[at] >> (2 * plane) & 3) - (mask[at] >> bit & 1 ? 0 : 4);
                        dst[i] = dl * (float)v;
                    }
                }
    }
}
/* The j-th of eight (scale, min) pairs of 6 bits each in the 12 bytes of Q4_K and Q5_K. */
static void scale_min(const unsigned char *p, int j, int *scale, int *min)
{
    if (j < 4) {
        *scale = p[j] & 63;
        *min = p[j + 4] & 63;
    } else {
        *scale = (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
        *min = p[j + 4] >> 4 | (p[j] >> 6) << 4;
    }
}
/* d, dmin; 12 bytes of scales; 128 bytes: 64 values at a time, low halves first. */
static void widen_q4_k(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 144) {
        float d = scale_at(src), dmin = scale_at(src + 2);
        const unsigned char *q = src + 16;
        for (int j = 0; j < 8; j++, dst += 32) {
            int scale, min, shift = 4 * (j & 1);
            scale_min(src + 4, j, &scale, &min);
            float dl = d * (float)scale, ml = dmin * (float)min;
            for (int i = 0; i < 32; i++)
                dst[i] = dl * (float)(q[32 * (j / 2) + i] >> shift & 15) - ml;
        }
    }
}
/* d, dmin; 12 bytes of scales; 32 bytes of fifth bits; 128 bytes as in Q4_K. */
static void widen_q5_k(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 176) {
        float d = scale_at(src), dmin = scale_at(src + 2);
        const unsigned char *high = src + 16, *q = src + 48;
        for (int j = 0; j < 8; j++, dst += 32) {
            int scale, min, shift = 4 * (j & 1);
            scale_min(src + 4, j, &scale, &min);
            float dl = d * (float)scale, ml = dmin * (float)min;
            for (int i = 0; i < 32; i++) {
                int v = (q[32 * (j / 2) + i] >> shift & 15) | (high[i] >> j & 1) << 4;
                dst[i] = dl * (float)v - ml;
            }
        }
    }
}
/* 128 bytes of low halves; 64 bytes of high bit pairs; 16 signed scales; d. Two runs of 128 values. */
static void widen_q6_k(const unsigned char *restrict src, float *restrict dst, size_t n)
{
    for (size_t b = 0; b < n; b++, src += 210) {
        float d = scale_at(src + 208);
        for (int run = 0; run < 2; run++) {
            const unsigned char *low = src + 64 * run, *high = src + 128 + 32 * run;
            const unsigned char *scales = src + 192 + 8 * run;
            for (int plane = 0; plane < 4; plane++, dst += 32)
                for (int i = 0; i < 32; i++) {
                    int l = low[32 * (plane & 1) + i] >> (plane & 2 ? 4 : 0) & 15;
                    int v = (l | (high[i] >> (2 * plane) & 3) << 4) - 32;
                    dst[i] = d * (float)(int8_t)scales[2 * plane + i / 16] * (float)v;
                }
        }
    }
}

/* ---- the table ----------------------------------------------------------------------------------- */
#define ROW(id, ggml, name, st, block, bytes)                                                      \
    [HONE_FT_##id] = {HONE_FT_##id, ggml, #name, st, block, bytes, widen_##name, NULL}
#define QUANT(id, ggml, name, block, bytes)                                                        \
    [HONE_FT_##                                                                                    \
        id] = {HONE_FT_##id, ggml, #name, NULL, block, bytes, widen_##name, hone__quant_##name}
static const hone_file_type types[HONE_FT_COUNT] = {
    [HONE_FT_F32] = {HONE_FT_F32, 0, "f32", "F32", 1, 4, widen_f32, narrow_f32},
    [HONE_FT_F16] = {HONE_FT_F16, 1, "f16", "F16", 1, 2, widen_f16, narrow_f16},
    [HONE_FT_BF16] = {HONE_FT_BF16, 30, "bf16", "BF16", 1, 2, widen_bf16, narrow_bf16},
    ROW(F64, 28, f64, "F64", 1, 8),
    ROW(I64, 27, i64, "I64", 1, 8),
    ROW(I32, 26, i32, "I32", 1, 4),
    ROW(I16, 25, i16, "I16", 1, 2),
    ROW(I8, 24, i8, "I8", 1, 1),
    ROW(U64, -1, u64, "U64", 1, 8),
    ROW(U32, -1, u32, "U32", 1, 4),
    ROW(U16, -1, u16, "U16", 1, 2),
    ROW(U8, -1, u8, "U8", 1, 1),
    ROW(BOOL, -1, bool, "BOOL", 1, 1),
    ROW(F8_E4M3, -1, f8_e4m3, "F8_E4M3", 1, 1),
    ROW(F8_E5M2, -1, f8_e5m2, "F8_E5M2", 1, 1),
    QUANT(Q4_0, 2, q4_0, 32, 18),
    QUANT(Q4_1, 3, q4_1, 32, 20),
    QUANT(Q5_0, 6, q5_0, 32, 22),
    QUANT(Q5_1, 7, q5_1, 32, 24),
    QUANT(Q8_0, 8, q8_0, 32, 34),
    QUANT(Q2_K, 10, q2_k, 256, 84),
    QUANT(Q3_K, 11, q3_k, 256, 110),
    QUANT(Q4_K, 12, q4_k, 256, 144),
    QUANT(Q5_K, 13, q5_k, 256, 176),
    QUANT(Q6_K, 14, q6_k, 256, 210),
    QUANT(IQ4_NL, 20, iq4_nl, 32, 18),
    QUANT(IQ4_XS, 23, iq4_xs, 256, 136),
};
#undef ROW
#undef QUANT

const hone_file_type *hone_file_type_get(uint32_t id)
{
    return id < HONE_FT_COUNT ? &types[id] : NULL;
}

const hone_file_type *hone_file_type_ggml(uint32_t number)
{
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++)
        if (types[i].ggml >= 0 && (uint32_t)types[i].ggml == number)
            return &types[i];
    return NULL;
}

const hone_file_type *hone_file_type_safetensors(hone_str name)
{
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++) {
        const char *z = types[i].safetensors;
        if (z && strlen(z) == name.len && memcmp(z, name.ptr, name.len) == 0)
            return &types[i];
    }
    return NULL;
}

const hone_file_type *hone_file_type_named(const char *name)
{
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const char *hone_ggml_type_name(uint32_t number)
{
    static const char *const names[] = {
        "f32",   "f16",        "q4_0",       "q4_1",       "q4_2",     "q4_3",     "q5_0",
        "q5_1",  "q8_0",       "q8_1",       "q2_k",       "q3_k",     "q4_k",     "q5_k",
        "q6_k",  "q8_k",       "iq2_xxs",    "iq2_xs",     "iq3_xxs",  "iq1_s",    "iq4_nl",
        "iq3_s", "iq2_s",      "iq4_xs",     "i8",         "i16",      "i32",      "i64",
        "f64",   "iq1_m",      "bf16",       "q4_0_4_4",   "q4_0_4_8", "q4_0_8_8", "tq1_0",
        "tq2_0", "iq4_nl_4_4", "iq4_nl_4_8", "iq4_nl_8_8", "mxfp4"};
    return number < sizeof names / sizeof *names ? names[number] : "?";
}

int hone_file_type_size(const hone_file_type *t, uint64_t n, size_t *out)
{
    return n % t->block == 0 && n / t->block <= SIZE_MAX &&
           hone_mul_size((size_t)(n / t->block), t->bytes, out);
}

const hone_file_type *hone_file_type_for_rows(const hone_file_type *t, int64_t cols)
{
    static const uint32_t instead[HONE_FT_COUNT] = {
        [HONE_FT_Q2_K] = HONE_FT_IQ4_NL,   [HONE_FT_Q3_K] = HONE_FT_IQ4_NL,
        [HONE_FT_IQ4_XS] = HONE_FT_IQ4_NL, [HONE_FT_Q4_K] = HONE_FT_Q5_0,
        [HONE_FT_Q5_K] = HONE_FT_Q5_1,     [HONE_FT_Q6_K] = HONE_FT_Q8_0};
    if (cols % t->block == 0)
        return t;
    if (instead[t->id] && cols % types[instead[t->id]].block == 0)
        return &types[instead[t->id]];
    return &types[HONE_FT_F16];
}

hone_status hone_file_tensor_shape(hone_file_tensor *t)
{
    uint64_t n = 1, rest = 1;
    size_t size;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        uint64_t d = (uint64_t)t->dims[i];
        if (t->dims[i] < 0 || (d && n > INT64_MAX / d))
            return hone_fail(HONE_E_RANGE, "its shape is too large");
        n *= d;
        /* a zero dimension must not hide an overflow of the others */
        if (i > 0) {
            if (d && rest > INT64_MAX / d)
                return hone_fail(HONE_E_RANGE, "its shape is too large");
            rest *= d;
        }
    }
    uint64_t last = t->n_dims ? (uint64_t)t->dims[t->n_dims - 1] : 1;
    if (last % t->type->block)
        return hone_fail(HONE_E_SHAPE,
                         "its rows of %llu elements are no multiple of %s's block of %u",
                         (unsigned long long)last, t->type->name, t->type->block);
    if (!hone_file_type_size(t->type, n, &size))
        return hone_fail(HONE_E_RANGE, "its shape is too large");
    t->rows = t->n_dims ? t->dims[0] : 1;
    t->cols = (int64_t)rest;
    t->size = size;
    return HONE_OK;
}

void hone_file_tensor_read(const hone_file_tensor *t, int64_t first, int64_t n, float *out)
{
    const hone_file_type *type = t->type;
    int64_t block = type->block, skip = first % block;
    const unsigned char *p = t->data + (size_t)(first / block) * type->bytes;
    float tmp[HONE_FILE_BLOCK_MAX];
    if (skip && n > 0) { /* the range begins within a block */
        int64_t take = block - skip < n ? block - skip : n;
        type->widen(p, tmp, 1);
        memcpy(out, tmp + skip, (size_t)take * sizeof *out);
        p += type->bytes;
        out += take;
        n -= take;
    }
    int64_t whole = n / block;
    if (whole > 0)
        type->widen(p, out, (size_t)whole);
    n -= whole * block;
    if (n > 0) { /* and ends within one */
        type->widen(p + (size_t)whole * type->bytes, tmp, 1);
        memcpy(out + whole * block, tmp, (size_t)n * sizeof *out);
    }
}
