/* convert.h - a model on disk as a GGUF file: types, names, metadata, streamed tensor by tensor.
 *
 * From GGUF (and what reads like it) tensors keep names and order and metadata is copied as it is; from a
 * Hugging Face folder the model's component says what things are called. Matrices take the type that is
 * asked for, vectors are f32. Memory is a few megabytes whatever the model's size: pages of the source are let
 * go as they are done. To a Hugging Face folder: hone_hf_write. */
#ifndef HONE_CORE_NN_CONVERT_H
#define HONE_CORE_NN_CONVERT_H
#include "nn/model.h"
#include "nn/reader.h"

/* What --type names: one type for all matrices, a mix by role as llama.cpp has them, or "keep". */
typedef struct hone_convert_type {
    const char *name;
    uint32_t
        type; /* HONE_FT_* of matrices that no rule of the mix names; HONE_FT_COUNT: as stored */
    int32_t number; /* general.file_type; -1: none */
    int32_t mix;
    const char *text; /* one line of help */
} hone_convert_type;
/* Case does not matter. NULL when unknown.                                            [any-thread] */
const hone_convert_type *hone_convert_type_named(const char *name);
const hone_convert_type *hone_convert_type_at(size_t i); /* NULL past the last */

#define HONE_CONVERT_OVERWRITE (1u << 0)    /* a file that is there is replaced; else E_EXISTS */
#define HONE_CONVERT_NO_TOKENIZER (1u << 1) /* none is written */

typedef struct hone_convert_options {
    const hone_convert_type *type;
    uint32_t flags;
    const char *pre;       /* name of the pre-tokenizer, or NULL: found by its rules */
    const hone_exec *exec; /* or NULL */
} hone_convert_options;

typedef struct hone_convert_report {
    size_t tensors, fallbacks; /* fallbacks: rows were no multiple of the block */
    uint64_t bytes;            /* of the tensors */
    size_t type_tensors[HONE_FT_COUNT];
    uint64_t type_values[HONE_FT_COUNT];
} hone_convert_report;

/* Writes the file `path`. m: the source's model, declared (HONE_MODEL_DECLARED is enough); may be NULL when
 * the source is GGUF and the type no mix. E_RANGE: a value that the type cannot hold, with tensor and row.
 * On failure `path` is what it was.                                                 [control-thread] */
hone_status hone_convert_gguf(const char *path, hone_weights *from, const hone_model *m,
                              const hone_convert_options *o, hone_convert_report *report);
#endif
