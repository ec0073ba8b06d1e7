/* bpe_train.h - makes a byte-level BPE tokenizer from texts.
 *
 * Words are cut by GPT-2's pattern (each digit apart, if asked), every byte is a token, and the most frequent
 * pair of neighbours is joined again and again; of equals, the one with the greatest bytes (first part, then
 * second). The result depends on the texts and the configuration alone: not on order of texts, threads or machine.
 * Source: Sennrich et al. 2016; the order of ties is that of Stanford CS336's reference trainer. */
#ifndef HONE_CORE_TEXT_BPE_TRAIN_H
#define HONE_CORE_TEXT_BPE_TRAIN_H
#include "base/buf.h"

typedef struct hone_bpe_train_config {
    size_t vocab_size;       /* entries in all: special tokens, 256 bytes, the rest merges */
    const hone_str *special; /* ids 0, 1, ... in this order; never inside of a word */
    size_t n_special;
    int single_digits;      /* each number character is a word of its own */
    int64_t min_count;      /* a pair seen less often is not joined; 0 is 1 */
    hone_str bos, eos, pad; /* texts of special tokens, or {NULL, 0} */
    hone_str chat_template; /* Jinja, or {NULL, 0} */
} hone_bpe_train_config;

typedef struct hone_bpe_train_info {
    size_t vocab_size, n_merges; /* fewer than asked for when no pair is left */
    size_t n_words, n_distinct;
} hone_bpe_train_info;

/* Appends tokenizer.json and tokenizer_config.json (either may be NULL; info too). E_INVALID: too small a
 * vocabulary, a special token that is empty, given twice, or a bos/eos/pad that is none of them; E_LIMIT. [any-thread] */
hone_status hone_bpe_train(const hone_str *texts, size_t n, const hone_bpe_train_config *cfg,
                           hone_buf *tokenizer_json, hone_buf *config_json,
                           hone_bpe_train_info *info);

/* For the other trainer (unigram_train.c): the same checks, the same tokenizer_config.json. */
hone_status hone__train_check(const hone_bpe_train_config *cfg);
hone_status hone__train_config_json(const hone_bpe_train_config *cfg, hone_buf *out);
#endif
