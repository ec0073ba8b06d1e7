/* quant_keep.h - blocks of files into the panels of ops/storage.h, code by code.
 *
 * What a file holds as q8_0, q4_0, q4_1 or q4_k is kept so in memory, q5_0 and iq4_nl as q8_0, whose codes and
 * f16 scale hold theirs: the values are the file's, bit for bit. */
#ifndef HONE_CORE_NN_QUANT_KEEP_H
#define HONE_CORE_NN_QUANT_KEEP_H
#include "nn/dequant.h"
#include "ops/storage.h"

/* The quantised storage that holds a file type (HONE_FT_*) without loss; 0: none. [any-thread] */
uint32_t hone_quant_keeps(uint32_t file_type);
/* What a matrix with rows of `cols` inputs is stored as when `storage` is asked for: itself, or, where the rows are
 * no multiple of its block, what hone_file_type_for_rows takes instead. */
uint32_t hone_quant_storage_for(uint32_t storage, int64_t cols);
/* One block of a file of a type that hone_quant_keeps knows. */
void hone_quant_block_read(uint32_t file_type, const unsigned char *src, hone_quant_block *out);
/* `n` values (whole blocks of a quantised storage, row `lane` of a panel, from input 0) made codes as files are
 * (nn/quant.h). -1, or the place of the first value that is not finite or beyond HONE_QUANT_MAX. */
int64_t hone_quant_put_values(const hone_storage *s, const float *values, int64_t n, int64_t lane,
                              void *panel);
#endif
