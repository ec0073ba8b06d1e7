/* hf.h - write a model folder in Hugging Face layout, whole or not at all.
 *
 * config.json, generation_config.json, model.safetensors (or shards with their index), tokenizer.json,
 * tokenizer_config.json with the chat template: what transformers, llama.cpp's converter and hone itself
 * read. The folder is written beside its place and renamed. Weights stream by rows from the parameter
 * store or straight from another model's file: memory stays at a megabyte whatever the model's size.
 * Does not: choose what to write (adapters are merged by the caller, or saved by nn/peft.h). */
#ifndef HONE_CORE_NN_HF_H
#define HONE_CORE_NN_HF_H
#include "base/buf.h"
#include "nn/model.h"
#include "nn/reader.h"

#define HONE_HF_OVERWRITE (1u << 0) /* a folder that is there is replaced; else E_EXISTS */

typedef struct hone_hf_options {
    uint32_t
        type; /* HONE_FT_F32, HONE_FT_BF16, HONE_FT_F16; HONE_FT_COUNT: each tensor without loss: f32,
                    * bf16 and f16 as they are, f8 as bf16, all else as f32 */
    uint32_t flags;       /* HONE_HF_* */
    uint64_t shard_bytes; /* weights of one file, 0 = all */
    /* Tokenizer, chat template and generation configuration: files of a Hugging Face folder are copied,
     * those of a GGUF model are made from its metadata; what cannot be made is logged. NULL: none. */
    const hone_weights *like;
    /* Weights come from here instead of from the parameter store (conversion without loading); the
     * model then only names them. NULL: from the store. */
    const hone_tensor_reader *from;
    uint32_t merge; /* adapters that are added to what is written (a mask); not with `from` */
} hone_hf_options;

/* Writes the folder `path` with the base parameters of m and the adapters that are named. E_EXISTS, E_NO_SPACE,
 * E_IO ...: then `path` is what it was.                                             [control-thread] */
hone_status hone_hf_write(const char *path, hone_model *m, const hone_hf_options *options);
/* The usual case: one file, from the store, replacing what is there; dtype HONE_F32, HONE_BF16, HONE_F16, or
 * HONE_STORAGE_KEEP: each as it is stored. */
hone_status hone_hf_save(hone_model *m, const hone_weights *like, const char *path, uint32_t dtype,
                         uint32_t merge);

/* tokenizer.json of a GGUF model's metadata, appended to out. E_UNSUPPORTED for vocabularies whose rules
 * tokenizer.json cannot be made from.                                                  [any-thread] */
hone_status hone_hf_tokenizer_json(const hone_value *metadata, hone_buf *out);
/* tokenizer_config.json of a GGUF model's metadata, chat template included. */
hone_status hone_hf_tokenizer_config(const hone_value *metadata, hone_buf *out);
#endif
