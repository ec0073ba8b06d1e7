/* gguf_tokenizer.h - the tokenizer of a model as GGUF metadata: the inverse of hone_hf_tokenizer_json. */
#ifndef HONE_CORE_NN_GGUF_TOKENIZER_H
#define HONE_CORE_NN_GGUF_TOKENIZER_H
#include "nn/gguf_write.h"
#include "nn/reader.h"

/* Adds tokens, kinds, scores or merges, the name of the pre-tokenizer, special ids and the chat template of a
 * Hugging Face model. vocab: rows of the embedding; ids without a token become unused ones. `pre` names the
 * pre-tokenizer where the table does not know it, or NULL. E_UNSUPPORTED: rules GGUF has no name for (the
 * error says which); E_PARSE: a vocabulary that is none. A model without a tokenizer adds nothing.
 *                                                                                      [any-thread] */
hone_status hone_gguf_put_tokenizer(hone_gguf_meta *m, const hone_weights *w, int64_t vocab,
                                    const char *pre);

/* The name GGUF has for a byte-level pre-tokenizer: the expressions of its Splits in order, whether it takes digits
 * one by one, whether a word that is a token is taken whole, whether the text is NFC (where no name agrees
 * with that, one that differs in it alone); {NULL, 0} when none is known. (hf_tokenizer.c) */
hone_str hone__gguf_pre_name(const hone_str *splits, size_t n, int digits, int ignore_merges,
                             int nfc);
#endif
