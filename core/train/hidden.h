/* hidden.h - the last hidden states of texts, behind the final norm: what heads and embeddings are made of. */
#ifndef HONE_CORE_TRAIN_HIDDEN_H
#define HONE_CORE_TRAIN_HIDDEN_H
#include "hone/scorer.h"
#include "train/policy.h"

/* Text number `text`: as many rows of the model's hidden width as it has ids, `ld` floats apart. */
typedef hone_status (*hone_hidden_fn)(void *ctx, size_t text, const float *rows_bor, int64_t ld);

/* What is taken: hidden states, or what the model's head of one number says of them (rows of one float). */
enum { HONE_ROWS_HIDDEN = 0, HONE_ROWS_VALUE = 1 };

/* Calls take once a text (of one id or more each), in order; never while memory is planned. `adapters`: a mask. Texts are
 * computed together as far as memory is planned for; what they are computed with changes nothing. E_INVALID: a text without
 * ids. [control-thread] */
hone_status hone_policy_hidden(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               uint32_t what, hone_hidden_fn take, void *ctx);
/* One vector of the hidden width a text: out (n, hidden). flags: HONE_EMBED_* (hone/scorer.h); others are E_INVALID.
 * Sums are of doubles, in the order of the tokens. [control-thread] */
hone_status hone_policy_embed(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                              uint32_t flags, float *out);
#endif
