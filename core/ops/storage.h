/* storage.h - what a weight's values are stored as in its panels: one row of a table for each type.
 *
 * A weight W (N outputs x K inputs) lies in panels of 32 outputs, one after the other (ops/kernels.h).
 * What is inside a panel is said here and in kern/gemm_pack.h and nowhere else: its size, how rows go
 * in and come out (here), how a kernel widens 16 outputs of one input in registers (pack_load there).
 * Widening is exact, so a product over stored values has the bits of the same product over the same
 * values in float32. f32, bf16 and f16 panels are [K][32]. The quantised types have block > 1 and panels of
 * K / block blocks (32 outputs x `block` inputs), each of scales, then codes (kern/quant.h has their order):
 *   q8_0   32 x f16 d                                  codes of 8 bits    d*code
 *   q4_0   32 x f16 d                                  codes of 4 bits    d*(code - 8)
 *   q4_1   32 x f16 d, 32 x f16 m                      codes of 4 bits    d*code + m
 *   q4_k   32 x f16 d, 32 x f16 m, then eight times    codes of 4 bits    (d*scale)*code - m*min
 *          32 x u8 scale, 32 x u8 min, codes of 32 inputs
 * A file's values of these types are kept, not made anew: blocks go in by `put`.
 *
 * A further type is a row here, a case of pack_load (or of quant.h) and its number in hone/ops.h.
 * Does not know files (nn/dequant.h) or which parameter is stored how (nn/params.h). */
#ifndef HONE_CORE_OPS_STORAGE_H
#define HONE_CORE_OPS_STORAGE_H
#include "hone/ops.h"

/* One output's part of a block: d and m are f16 bits; of blocks of 32, scale and min are not used. */
typedef struct hone_quant_block {
    uint16_t d, m;
    uint8_t scale[8], min[8];
    int8_t q[256]; /* codes as above: q4_0's are 0 .. 15 */
} hone_quant_block;

typedef struct hone_storage {
    uint32_t dtype;      /* HONE_F32, HONE_BF16, HONE_F16, HONE_Q8_0 ... HONE_Q4_K */
    int32_t trained;     /* optimizers can change such values: float32 alone */
    const char *name;    /* "bf16" */
    int64_t block;       /* inputs stored together: K is a multiple of it */
    int64_t block_bytes; /* of 32 outputs x block inputs */
    /* Outputs [lane, lane + n) of a panel from n rows of `cols` inputs (one after the other), rounded to
     * nearest, ties to even; other outputs stay. Returns -1, or the place in `rows` of the first finite
     * value that would become infinite (the panel is then unspecified). NULL: quantised, see put. */
    int64_t (*pack)(const float *rows, int64_t lane, int64_t n, int64_t cols, void *panel);
    /* The values as they are, in float32. */
    void (*unpack)(const void *panel, int64_t lane, int64_t n, int64_t cols, float *rows);
    /* The first n inputs (a multiple of block) of a panel as they lie, in float32: out (n, 32). */
    void (*widen)(const void *panel, int64_t n, float *out);
    /* Inputs [b*block, (b + 1)*block) of output `lane`. NULL: not quantised. */
    void (*put)(const hone_quant_block *from, int64_t b, int64_t lane, void *panel);
} hone_storage;

/* Beside the dtype of a view: forward products over these codes sum integers (kern/quant_int.h). */
#define HONE_VIEW_INTEGER 0x100u
static inline uint32_t hone_view_stored(uint32_t dtype)
{
    return dtype & ~HONE_VIEW_INTEGER;
}

/* The row of a dtype (of a view), by the name of one; NULL: weights are not stored so. [any-thread] */
const hone_storage *hone_storage_get(uint32_t dtype);
const hone_storage *hone_storage_named(const char *name);

/* Bytes of one panel of `cols` inputs. */
static inline int64_t hone_storage_panel_bytes(const hone_storage *s, int64_t cols)
{
    return cols / s->block * s->block_bytes;
}

/* Bytes of a panelled weight, padding included; 0: not stored so. */
static inline uint64_t hone_storage_bytes(const hone_view *w)
{
    const hone_storage *s = hone_storage_get(w->dtype);
    return s ? (uint64_t)((w->rows + 31) / 32) * (uint64_t)hone_storage_panel_bytes(s, w->cols) : 0;
}
#endif
