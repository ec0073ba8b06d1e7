/* reader.h - a model as it lies on disk: one object over a Hugging Face folder or a GGUF file.
 *
 * hone_weights gives the configuration, the tensors by name, the tokenizer's description, the chat
 * template and the ids that end a text, whatever the format. Tensors are views into mapped files and are
 * widened row by row straight to where they go: no f32 copy of the file exists. Loading a model:
 * hone_weights_open, hone_model_create(format, config), hone_weights_reader, hone_model_load; then
 * hone_weights_unmap when only metadata is needed longer.
 *
 * M, the argument of most commands, is a path (a Hugging Face folder, a folder with one GGUF model, a
 * GGUF file) or a known name: "tiny" (the embedded model) or a folder of <cache>/models. */
#ifndef HONE_CORE_NN_READER_H
#define HONE_CORE_NN_READER_H
#include "base/arena.h"
#include "nn/dequant.h"
#include "nn/model.h"

typedef struct hone_weights hone_weights;

/* The path that M stands for (hone_free it). E_NOT_FOUND names what there is. [any-thread] */
hone_status hone_weights_locate(const char *model, char **path);

/* Tensors need not be there: for the tokenizer, the template, the configuration. A folder then needs only
 * config.json or tokenizer.json, and M may be the path of a tokenizer.json. */
#define HONE_WEIGHTS_NO_TENSORS (1u << 0)

/* Opens M and checks all of it: header and metadata of every file, JSON files, shards against their index.
 * E_NOT_FOUND, E_PARSE, E_RANGE, E_UNSUPPORTED, E_LIMIT with file and place. [any-thread] */
hone_status hone_weights_open(const char *model, uint32_t flags, hone_weights **out);
void hone_weights_close(hone_weights *w); /* NULL is allowed */
/* Drops the mappings: no tensor may be read after; everything else stays. */
void hone_weights_unmap(hone_weights *w);

/* All borrowed until close. */
const char *hone_weights_path(const hone_weights *w);   /* folder or file */
const char *hone_weights_format(const hone_weights *w); /* "hf" or "gguf" */
const hone_value *hone_weights_config(
    const hone_weights *w); /* config.json, or the metadata map; NULL: none */
const hone_value *hone_weights_generation_config(const hone_weights *w); /* or NULL */
/* What tokenizer components are created from (hone/tokenizer.h); NULL when the model has none. */
const hone_value *hone_weights_tokenizer(const hone_weights *w);

/* The chat template and the texts of its bos_token and eos_token; {NULL, 0} where there is none. */
typedef struct hone_weights_chat {
    hone_str source, bos, eos;
} hone_weights_chat;
void hone_weights_get_chat(const hone_weights *w, hone_weights_chat *out);
/* Ids that end a text, of generation configuration, configuration or metadata, each once; returns how many
 * there are and writes at most `max`. */
size_t hone_weights_stop_ids(const hone_weights *w, int32_t *out, size_t max);

/* The GGUF file (of several, the first, which has the metadata), or NULL. */
const struct hone_gguf *hone_weights_gguf(const hone_weights *w);

size_t hone_weights_count(const hone_weights *w);
const hone_file_tensor *hone_weights_tensor(const hone_weights *w, size_t i); /* in file order */
const hone_file_tensor *hone_weights_find(const hone_weights *w, const char *name); /* or NULL */
/* What hone_model_load reads through. Borrows w. */
void hone_weights_reader(hone_weights *w, hone_tensor_reader *out);
/* Files of the model in the order they were opened; bytes: of all of them. */
size_t hone_weights_files(const hone_weights *w, uint64_t *bytes);
#endif
