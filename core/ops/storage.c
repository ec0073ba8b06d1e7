/* storage.c - see storage.h: rows into panels and back, for each type.
 *
 * The loops are one text; a type is the pair of functions that narrow and widen one value, which the
 * compiler inlines. Rounding and widening are those of base/half.h. */
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

static int64_t pack_f32(const float *rows, int64_t lane, int64_t n, int64_t cols, void *panel)
{
    float *to = (float *)panel + lane;
    for (int64_t k = 0; k < cols; k++)
        for (int64_t r = 0; r < n; r++)
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

static const hone_storage table[] = {
    {HONE_F32, 1, "f32", 1, HONE_PANEL * 4, pack_f32, unpack_f32},
    {HONE_BF16, 0, "bf16", 1, HONE_PANEL * 2, pack_bf16, unpack_bf16},
    {HONE_F16, 0, "f16", 1, HONE_PANEL * 2, pack_f16, unpack_f16},
};

const hone_storage *hone_storage_get(uint32_t dtype)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].dtype == dtype)
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
