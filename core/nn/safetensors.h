/* safetensors.h - read and write safetensors files.
 *
 * A file is: header length (8 bytes, little endian), a JSON object name -> {dtype, shape, data_offsets},
 * the bytes of all tensors back to back. Reading maps the file and checks everything in the header before
 * a tensor is handed out; writing streams rows in the order of the header, so that a model is never
 * held twice. Does not: shards (core/nn/reader). Format: safetensors 0.4. */
#ifndef HONE_CORE_NN_SAFETENSORS_H
#define HONE_CORE_NN_SAFETENSORS_H
#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "nn/dequant.h"

#define HONE_SAFETENSORS_HEADER_MAX ((size_t)100 << 20) /* as the reference implementation */

typedef struct hone_safetensors {
    hone_mapped file;
    hone_arena arena;
    hone_file_tensor *tensors; /* by place in the file */
    size_t n;
    hone_map names;      /* -> hone_file_tensor */
    hone_value metadata; /* __metadata__: a map of strings, or HONE_NULL */
} hone_safetensors;

/* Opens and checks a file. E_PARSE, E_LIMIT, E_RANGE, E_UNSUPPORTED with path, tensor and reason; refused
 * are: overlaps, holes, bytes behind the last tensor, sizes that do not match shapes, names twice.
 * On failure *st needs no release.                                                        [any-thread] */
hone_status hone_safetensors_open(hone_safetensors *st, const char *path);
/* The same on borrowed bytes; `name` stands in errors. */
hone_status hone_safetensors_parse(hone_safetensors *st, const void *bytes, size_t n,
                                   const char *name);
void hone_safetensors_release(hone_safetensors *st);
/* NULL when there is none. Borrowed from st. Reading tensors is [any-thread]. */
const hone_file_tensor *hone_safetensors_find(const hone_safetensors *st, hone_str name);

/* ---- writing ----------------------------------------------------------------------------------------- */
typedef struct hone_safetensors_entry {
    const char *name;
    uint32_t type; /* HONE_FT_* with a safetensors name */
    uint32_t n_dims;
    int64_t dims[HONE_FILE_DIMS];
    size_t tag;  /* the caller's: which tensor this is */
    size_t size; /* bytes; set by _create */
} hone_safetensors_entry;

typedef struct hone_safetensors_writer {
    hone_writer out;
    const hone_safetensors_entry *entries;
    size_t n, at; /* entry being written */
    size_t done;  /* bytes of it */
    unsigned char *block;
} hone_safetensors_writer;

/* Begins `path` (beside it, until close). Sorts `entries` into file order - wider types first, then by
 * name, so that every tensor is aligned and the order is a function of the set alone - and writes the
 * header; metadata: name/value pairs, n_meta of them, after {"format":"pt"}. `entries` must live until
 * close. On failure *w needs nothing.                                                 [control-thread] */
hone_status hone_safetensors_create(hone_safetensors_writer *w, const char *path,
                                    hone_safetensors_entry *entries, size_t n,
                                    const char *const (*metadata)[2], size_t n_meta);
/* Bytes of the file that _create would begin: header and data (for planning shards and disk). */
hone_status hone_safetensors_plan(hone_safetensors_entry *entries, size_t n, uint64_t *bytes);
/* The next n values of the entries in order, narrowed to the entry's type; a call must not cross into the
 * next entry. Types F32, F16, BF16. Errors are sticky until close. */
hone_status hone_safetensors_add(hone_safetensors_writer *w, const float *values, size_t n);
/* The same for raw bytes in the entry's own type, little endian. */
hone_status hone_safetensors_add_bytes(hone_safetensors_writer *w, const void *bytes, size_t n);
/* Flush, fsync, rename into place; E_STATE when an entry is incomplete. Always ends the writer. */
hone_status hone_safetensors_close(hone_safetensors_writer *w);
void hone_safetensors_abandon(hone_safetensors_writer *w); /* the target stays as it was */
#endif
