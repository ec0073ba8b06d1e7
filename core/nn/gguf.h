/* gguf.h - read GGUF files (versions 2 and 3, little endian).
 *
 * A file is: magic, version, counts; key/value metadata; tensor descriptions; padding to the alignment;
 * tensor data. The metadata becomes one flat hone_value map with the file's dotted keys. Everything is
 * checked when the file is opened; tensors are views into the mapping, dims turned to row-major order.
 * Does not: find files, join split ones (core/nn/reader), interpret keys. Format: ggml docs/gguf.md. */
#ifndef HONE_CORE_NN_GGUF_H
#define HONE_CORE_NN_GGUF_H
#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "nn/dequant.h"

enum { HONE_GGUF_DIMS = 4, HONE_GGUF_NESTING = 4, HONE_GGUF_ALIGNMENT = 32 };

typedef struct hone_gguf {
    hone_mapped file;
    hone_arena arena; /* everything below but tensor data: lives after the file is unmapped */
    uint32_t version;
    uint64_t alignment, data_start;
    hone_value
        metadata;  /* HONE_MAP; text that is not UTF-8 is HONE_BYTES, u64 past 2^63 is HONE_F64 */
    hone_str *raw; /* of each pair of metadata: value type and value as the file has them; mapped */
    hone_file_tensor *tensors; /* in file order */
    size_t n;
    hone_map names; /* -> hone_file_tensor */
} hone_gguf;

/* Opens and checks a file. E_PARSE (cut off, malformed), E_RANGE (offsets), E_UNSUPPORTED (version, byte
 * order, tensor type), E_LIMIT, with path, key or tensor, and reason. On failure *g needs no release.
 *                                                                                         [any-thread] */
hone_status hone_gguf_open(hone_gguf *g, const char *path);
/* The same on borrowed bytes; `name` stands in errors. */
hone_status hone_gguf_parse(hone_gguf *g, const void *bytes, size_t n, const char *name);
void hone_gguf_release(hone_gguf *g);
int hone__utf8(hone_str s); /* well-formed? */
const hone_file_tensor *hone_gguf_find(const hone_gguf *g,
                                       hone_str name); /* NULL when there is none */
#endif
