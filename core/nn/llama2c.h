/* llama2c.h - read the .bin files of llama2.c as if they were GGUF.
 *
 * Such a file is a header of seven numbers and the float32 weights of a llama in a fixed order (the legacy
 * layout, and version 1 with its magic "ak42"). It becomes a hone_gguf with GGUF's names and keys, so that
 * everything that reads GGUF reads it: the rows of q and k have GGUF's order in both. The tokenizer is
 * tok<vocabulary>.bin or tokenizer.bin beside it, if there is one. Version 2 (int8 groups) is refused.
 * Does not: write such files. Source: llama2.c's run.c and export.py, tokenizer.py. */
#ifndef HONE_CORE_NN_LLAMA2C_H
#define HONE_CORE_NN_LLAMA2C_H
#include "nn/gguf.h"

/* E_PARSE, E_RANGE, E_UNSUPPORTED with path and reason. g->raw is NULL. On failure *g needs no release.
 *                                                                                         [any-thread] */
hone_status hone_llama2c_open(hone_gguf *g, const char *path);
/* The same on borrowed bytes; tokenizer: those of its file, or NULL. `name` stands in errors. */
hone_status hone_llama2c_parse(hone_gguf *g, const void *bytes, size_t n, const void *tokenizer,
                               size_t n_tokenizer, const char *name);
#endif
