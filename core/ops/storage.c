/* storage.c - see storage.h: rows into panels and back, blocks of codes into panels, for each type.
 *
 * The loops are one text; a type is the pair of functions that narrow and widen one value, which the
 * compiler inlines. Rounding and widening are those of base/half.h; quantised values are widened by the
 * kernels' own function. */
#include "ops/storage.h"

#include "base/half.h"
#include "ops/kernels.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE int64_t pack_half(uint16_t (*const narrow)(float), const uint16_t infinite,
                         const float *rows, int64_t lane, int64_t n, int64_t cols, uint16_t *panel)
{
    int64_t first = -1;
    for (int64_t k = 0; k < cols; k++)
        for (int64_t r = 0; r < n; r++) {
            const float x = rows[r * cols + k];
            const uint16_t h = narrow(x);
            panel[k * HONE_PANEL + lane + r] = h;
            if ((h & 0x7fffu) == infinite && (hone_f32_bits(x) & 0x7fffffffu) != 0x7f800000u &&
                (first < 0 || r * cols + k < first))
                first = r * cols + k;
        }
    return first;
}

INLINE void unpack_half(float (*const widen)(uint16_t), const uint16_t *panel, int64_t lane,
                        int64_t n, int64_t cols, float *rows)
{
    for (int64_t k = 0; k < cols; k++)
        for (int64_t r = 0; r < n; r++)
            rows[r * cols + k] = widen(panel[k * HONE_PANEL + lane + r]);
}

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* to (4 inputs, 4 of 32 outputs) = from (4 rows of cols inputs), turned. */
INLINE void turn(const float *from, int64_t cols, float *to)
{
    const quad *r0 = (const void *)from, *r1 = (const void *)(from + cols),
               *r2 = (const void *)(from + 2 * cols), *r3 = (const void *)(from + 3 * cols);
    const quad a = __builtin_shufflevector(*r0, *r1, 0, 4, 1, 5),
               b = __builtin_shufflevector(*r0, *r1, 2, 6, 3, 7),
               c = __builtin_shufflevector(*r2, *r3, 0, 4, 1, 5),
               d = __builtin_shufflevector(*r2, *r3, 2, 6, 3, 7);
    *(quad *)(void *)to = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    *(quad *)(void *)(to + HONE_PANEL) = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    *(quad *)(void *)(to + 2 * HONE_PANEL) = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    *(quad *)(void *)(to + 3 * HONE_PANEL) = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

static int64_t pack_f32(const float *rows, int64_t lane, int64_t n, int64_t cols, void *panel)
{
    float *to = (float *)panel + lane;
    const int64_t k4 = cols & ~(int64_t)3, n4 = n & ~(int64_t)3;
    for (int64_t k = 0; k < k4; k += 4)
        for (int64_t r = 0; r < n4; r += 4)
            turn(rows + r * cols + k, cols, to + k * HONE_PANEL + r);
    for (int64_t k = 0; k < cols; k++)
        for (int64_t r = k < k4 ? n4 : 0; r < n; r++)
            to[k * HONE_PANEL + r] = rows[r * cols + k];
    return -1;
}

static void unpack_f32(const void *panel, int64_t lane, int64_t n, int64_t cols, float *rows)
{
    const float *from = (const float *)panel + lane;
    for (int64_t k = 0; k < cols; k++)
        for (int64_t r = 0; r < n; r++)
            rows[r * cols + k] = from[k * HONE_PANEL + r];
}

static int64_t pack_bf16(const float *rows, int64_t lane, int64_t n, int64_t cols, void *panel)
{
    return pack_half(hone_f32_to_bf16, 0x7f80u, rows, lane, n, cols, panel);
}

static void widen_f32(const void *panel, int64_t n, float *out)
{
    memcpy(out, panel, (size_t)(n * HONE_PANEL) * sizeof *out);
}

static void widen_bf16(const void *panel, int64_t n, float *out)
{
    const uint16_t *from = panel;
    for (int64_t i = 0; i < n * HONE_PANEL; i++)
        out[i] = hone_bf16_to_f32(from[i]);
}

static void widen_f16(const void *panel, int64_t n, float *out)
{
    const uint16_t *from = panel;
    for (int64_t i = 0; i < n * HONE_PANEL; i++)
        out[i] = hone_f16_to_f32(from[i]);
}

static void unpack_bf16(const void *panel, int64_t lane, int64_t n, int64_t cols, float *rows)
{
    unpack_half(hone_bf16_to_f32, panel, lane, n, cols, rows);
}

static int64_t pack_f16(const float *rows, int64_t lane, int64_t n, int64_t cols, void *panel)
{
    return pack_half(hone_f32_to_f16, 0x7c00u, rows, lane, n, cols, panel);
}

static void unpack_f16(const void *panel, int64_t lane, int64_t n, int64_t cols, float *rows)
{
    unpack_half(hone_f16_to_f32, panel, lane, n, cols, rows);
}

/* ---- quantised --------------------------------------------------------------------------------- */
INLINE void unpack_quant(const uint32_t type, const void *panel, int64_t lane, int64_t n,
                         int64_t cols, float *rows)
{
    for (int64_t r = 0; r < n; r++)
        HONE_KERNEL_PICK(gemm)->widen_row(panel, type, lane + r, cols, rows + r * cols);
}

static void put_half(unsigned char *at, int64_t lane, uint16_t h)
{
    memcpy(at + 2 * lane, &h, sizeof h);
}

/* Codes of 32 inputs: four bytes of a lane lie side by side, so four (or eight halves) go in at once. */
static void put_codes(const int8_t *q, int bits, int64_t lane, unsigned char *codes)
{
    unsigned char *at = codes + lane * 4;
    uint32_t low, high;
    for (int g = 0; bits == 8 && g < 8; g++, at += 128)
        memcpy(at, q + 4 * g, sizeof low);
    for (int g = 0; bits == 4 && g < 4; g++, at += 128) {
        memcpy(&low, q + 8 * g, sizeof low);
        memcpy(&high, q + 8 * g + 4, sizeof high);
        low = (low & 0x0f0f0f0fu) | (high & 0x0f0f0f0fu) << 4;
        memcpy(at, &low, sizeof low);
    }
}

enum { Q8_0 = 64 + 1024, Q4_0 = 64 + 512, Q4_1 = 128 + 512, Q4_K = 128 + 8 * (64 + 512) };

static void put_q8_0(const hone_quant_block *from, int64_t b, int64_t lane, void *panel)
{
    unsigned char *at = (unsigned char *)panel + b * Q8_0;
    put_half(at, lane, from->d);
    put_codes(from->q, 8, lane, at + 64);
}

static void put_q4_0(const hone_quant_block *from, int64_t b, int64_t lane, void *panel)
{
    unsigned char *at = (unsigned char *)panel + b * Q4_0;
    put_half(at, lane, from->d);
    put_codes(from->q, 4, lane, at + 64);
}

static void put_q4_1(const hone_quant_block *from, int64_t b, int64_t lane, void *panel)
{
    unsigned char *at = (unsigned char *)panel + b * Q4_1;
    put_half(at, lane, from->d);
    put_half(at + 64, lane, from->m);
    put_codes(from->q, 4, lane, at + 128);
}

static void put_q4_k(const hone_quant_block *from, int64_t b, int64_t lane, void *panel)
{
    unsigned char *at = (unsigned char *)panel + b * Q4_K;
    put_half(at, lane, from->d);
    put_half(at + 64, lane, from->m);
    at += 128;
    for (int64_t j = 0; j < 8; j++, at += 64 + 512) {
        at[lane] = from->scale[j];
        at[32 + lane] = from->min[j];
        put_codes(from->q + 32 * j, 4, lane, at + 64);
    }
}

#define WIDEN(T, name)                                                                             \
    static void unpack_##name(const void *panel, int64_t lane, int64_t n, int64_t cols,            \
                              float *rows)                                                         \
    {                                                                                              \
        unpack_quant(T, panel, lane, n, cols, rows);                                               \
    }                                                                                              \
    static void widen_##name(const void *panel, int64_t n, float *out)                             \
    {                                                                                              \
        HONE_KERNEL_PICK(gemm)->widen_codes(panel, T, 0, n, out);                                  \
    }
WIDEN(HONE_Q8_0, q8_0)
WIDEN(HONE_Q4_0, q4_0)
WIDEN(HONE_Q4_1, q4_1)
WIDEN(HONE_Q4_K, q4_k)

static const hone_storage table[] = {
    {HONE_F32, 1, "f32", 1, HONE_PANEL * 4, pack_f32, unpack_f32, widen_f32, NULL},
    {HONE_BF16, 0, "bf16", 1, HONE_PANEL * 2, pack_bf16, unpack_bf16, widen_bf16, NULL},
    {HONE_F16, 0, "f16", 1, HONE_PANEL * 2, pack_f16, unpack_f16, widen_f16, NULL},
    {HONE_Q8_0, 0, "q8_0", 32, Q8_0, NULL, unpack_q8_0, widen_q8_0, put_q8_0},
    {HONE_Q4_0, 0, "q4_0", 32, Q4_0, NULL, unpack_q4_0, widen_q4_0, put_q4_0},
    {HONE_Q4_1, 0, "q4_1", 32, Q4_1, NULL, unpack_q4_1, widen_q4_1, put_q4_1},
    {HONE_Q4_K, 0, "q4_k", 256, Q4_K, NULL, unpack_q4_k, widen_q4_k, put_q4_k},
};

const hone_storage *hone_storage_get(uint32_t dtype)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].dtype == hone_view_stored(dtype))
            return &table[i];
    return NULL;
}

const hone_storage *hone_storage_named(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
