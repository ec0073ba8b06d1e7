/* unigram_train.h - makes a Unigram tokenizer from texts.
 *
 * A text is cut at spaces (written U+2581 in front of what follows) and newlines. All substrings seen at least
 * twice are candidates; expectation and maximisation give them probabilities, those whose loss costs the
 * likelihood least go, again and again, until the vocabulary has its size. Bytes are pieces too, so no text
 * is without ids. The result depends on the texts and the configuration alone: not on order, threads or machine.
 * Source: Kudo 2018 (Subword Regularization); the procedure of SentencePiece's unigram trainer. */
#ifndef HONE_CORE_TEXT_UNIGRAM_TRAIN_H
#define HONE_CORE_TEXT_UNIGRAM_TRAIN_H
#include "text/bpe_train.h"

typedef struct hone_unigram_train_config {
    hone_bpe_train_config base; /* vocab_size: special tokens, <unk>, 256 bytes, the rest pieces */
    size_t max_piece;           /* characters of a piece at most; 0 is 16 */
    size_t seeds;               /* candidates to begin with; 0 is 1,000,000 */
    double shrink;              /* what part of the pieces a round keeps; 0 is 0.75 */
} hone_unigram_train_config;

/* Appends tokenizer.json and tokenizer_config.json (either may be NULL; info too, whose n_merges is the number
 * of pieces). E_INVALID as hone_bpe_train, and where the characters of the texts alone do not fit. [any-thread] */
hone_status hone_unigram_train(const hone_str *texts, size_t n,
                               const hone_unigram_train_config *cfg, hone_buf *tokenizer_json,
                               hone_buf *config_json, hone_bpe_train_info *info);
#endif
