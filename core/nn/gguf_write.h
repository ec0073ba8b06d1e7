/* gguf_write.h - write a GGUF file (version 3) as a stream.
 *
 * Metadata is gathered first (hone_gguf_meta), then the tensors are listed, then their bytes follow in that
 * order. The file is written beside its place and renamed when it is whole. Memory: the metadata and one
 * buffer. Does not: choose types or make values (core/nn/convert). Format: ggml docs/gguf.md. */
#ifndef HONE_CORE_NN_GGUF_WRITE_H
#define HONE_CORE_NN_GGUF_WRITE_H
#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "nn/gguf.h"

/* ---- metadata ---------------------------------------------------------------------------------------- */
typedef struct hone_gguf_meta {
    hone_buf
        bytes; /* the pairs as the file has them; its sticky failure is reported by hone_gguf_create */
    hone_map keys;
    uint64_t n;
} hone_gguf_meta;

void hone_gguf_meta_init(hone_gguf_meta *m);
void hone_gguf_meta_release(hone_gguf_meta *m);
int hone_gguf_meta_has(const hone_gguf_meta *m, const char *key);
/* A key that is there already is left as it is: what is said first counts.            [any-thread] */
void hone_gguf_meta_u32(hone_gguf_meta *m, const char *key, uint32_t v);
void hone_gguf_meta_f32(hone_gguf_meta *m, const char *key, float v);
void hone_gguf_meta_bool(hone_gguf_meta *m, const char *key, int v);
void hone_gguf_meta_str(hone_gguf_meta *m, const char *key, hone_str v);
void hone_gguf_meta_f32s(hone_gguf_meta *m, const char *key, const float *v, size_t n);
void hone_gguf_meta_i32s(hone_gguf_meta *m, const char *key, const int32_t *v, size_t n);
void hone_gguf_meta_strs(hone_gguf_meta *m, const char *key, const hone_str *v, size_t n);
/* What hone_gguf.raw holds: value type and value. */
void hone_gguf_meta_raw(hone_gguf_meta *m, hone_str key, hone_str raw);
/* By the rule of hone/model.h's gguf_json: whole numbers u32 (i64 past it), others f32, lists of one kind
 * arrays. E_UNSUPPORTED, with the key, for maps, nested and mixed lists. */
hone_status hone_gguf_meta_value(hone_gguf_meta *m, hone_str key, const hone_value *v);

/* ---- the file ---------------------------------------------------------------------------------------- */
typedef struct hone_gguf_entry {
    const char *name;
    uint32_t type, n_dims;        /* HONE_FT_* with a ggml number; 1 to HONE_GGUF_DIMS */
    int64_t dims[HONE_GGUF_DIMS]; /* outermost first */
    size_t tag;                   /* the caller's */
    size_t size;                  /* bytes; set by hone_gguf_create */
} hone_gguf_entry;

typedef struct hone_gguf_writer {
    hone_writer out;
    const hone_gguf_entry *entries;
    size_t n, at, done; /* entry being written, bytes of it */
} hone_gguf_writer;

/* Begins `path`: header, metadata, tensor descriptions. `entries` must live until close. E_INVALID: a name
 * twice, or longer than llama.cpp's 63 bytes; E_SHAPE: a row that is no multiple of its type's block.
 * On failure *w needs nothing.                                                       [control-thread] */
hone_status hone_gguf_create(hone_gguf_writer *w, const char *path, const hone_gguf_meta *meta,
                             hone_gguf_entry *entries, size_t n);
/* The next n bytes of the tensors in order; a call must not cross into the next one. Sticky errors. */
hone_status hone_gguf_add(hone_gguf_writer *w, const void *bytes, size_t n);
/* Flush, fsync, rename into place; E_STATE when a tensor is incomplete. Always ends the writer. */
hone_status hone_gguf_close(hone_gguf_writer *w);
void hone_gguf_abandon(hone_gguf_writer *w); /* the target stays as it was */
#endif
