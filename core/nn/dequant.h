/* dequant.h - element types of model files, and a tensor as a file holds it.
 *
 * One table describes every type: names in safetensors and GGUF, elements and bytes of a block, the
 * function that widens blocks to f32. A new type is a new row. A hone_file_tensor is a view into a
 * mapped file whose place and size its reader has checked; nothing here allocates or fails. */
#ifndef HONE_CORE_NN_DEQUANT_H
#define HONE_CORE_NN_DEQUANT_H
#include "base/error.h"

enum { HONE_FILE_DIMS = 8, HONE_FILE_BLOCK_MAX = 256 };

/* Element types: HONE_FT_F32 ... (the row of the table). */
enum {
    HONE_FT_F32 = 0,
    HONE_FT_F16,
    HONE_FT_BF16,
    HONE_FT_F64,
    HONE_FT_I64,
    HONE_FT_I32,
    HONE_FT_I16,
    HONE_FT_I8,
    HONE_FT_U64,
    HONE_FT_U32,
    HONE_FT_U16,
    HONE_FT_U8,
    HONE_FT_BOOL,
    HONE_FT_F8_E4M3,
    HONE_FT_F8_E5M2,
    HONE_FT_Q4_0,
    HONE_FT_Q4_1,
    HONE_FT_Q5_0,
    HONE_FT_Q5_1,
    HONE_FT_Q8_0,
    HONE_FT_Q2_K,
    HONE_FT_Q3_K,
    HONE_FT_Q4_K,
    HONE_FT_Q5_K,
    HONE_FT_Q6_K,
    HONE_FT_IQ4_NL,
    HONE_FT_IQ4_XS,
    HONE_FT_COUNT
};

typedef struct hone_file_type {
    uint32_t id;             /* HONE_FT_* */
    int32_t ggml;            /* number in GGUF files, -1 = none */
    const char *name;        /* "f32", "q4_0": what hone prints */
    const char *safetensors; /* "F32", or NULL */
    uint32_t block, bytes;   /* elements and bytes of a block */
    /* dst[0 .. n*block) = the values of n blocks, as the type's reference implementation gives them in
     * float32. src may be unaligned. */
    void (*widen)(const unsigned char *src, float *dst, size_t n);
    /* The inverse, n blocks: one-element types to nearest, ties to even; block types as in quant.h.
     * NULL: not written. */
    void (*narrow)(const float *src, unsigned char *dst, size_t n);
} hone_file_type;

/* Row of the table; id < HONE_FT_COUNT.                                              [any-thread] */
const hone_file_type *hone_file_type_get(uint32_t id);
/* By the number of a GGUF file, by the name of a safetensors file; NULL when unknown. [any-thread] */
const hone_file_type *hone_file_type_ggml(uint32_t number);
const hone_file_type *hone_file_type_safetensors(hone_str name);
/* By hone's own name ("bf16"); NULL when unknown. */
const hone_file_type *hone_file_type_named(const char *name);
/* What ggml calls a type number, known to hone or not ("iq2_xxs"; "?" past the list). */
const char *hone_ggml_type_name(uint32_t number);
/* Bytes of n elements (n a multiple of the block); 0 = does not fit or overflows.      */
int hone_file_type_size(const hone_file_type *t, uint64_t n, size_t *out);

typedef struct hone_file_tensor {
    hone_str name;
    const hone_file_type *type;
    uint32_t n_dims, shard;       /* shard: which file of several */
    int64_t dims[HONE_FILE_DIMS]; /* outermost first, whatever the order in the file */
    int64_t rows, cols;           /* dims[0] x the product of the others; 1 x 1 for a scalar */
    const unsigned char *data;    /* into the mapping; unaligned at times */
    size_t size;
} hone_file_tensor;

/* Sets rows, cols and size from type and dims. E_SHAPE / E_RANGE without a name in the text. */
hone_status hone_file_tensor_shape(hone_file_tensor *t);
/* out[0 .. n) = elements [first, first + n) in row-major order, in f32. The caller has checked the
 * range. Elements that share a block with the range cost as much as the block.          [any-thread] */
void hone_file_tensor_read(const hone_file_tensor *t, int64_t first, int64_t n, float *out);

/* What a tensor of type t whose rows have `cols` elements is stored as: t, or where the rows are no multiple
 * of its block what llama.cpp takes instead (Q2_K, Q3_K, IQ4_XS: IQ4_NL; Q4_K: Q5_0; Q5_K: Q5_1; Q6_K: Q8_0;
 * F16 where that does not fit either). */
const hone_file_type *hone_file_type_for_rows(const hone_file_type *t, int64_t cols);
#endif
