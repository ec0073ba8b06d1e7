/* tokenizer.h - the host's side of hone.tokenizer/1: lists of ids, clean text, streaming.
 *
 * A hone_tokenizer wraps the reference that a tokenizer component gave (sdk: hone/tokenizer.h) and
 * checks what comes back: ids in range, offsets inside the text and monotone, one answer a text. It
 * owns nothing of the plugin; whoever created the instance keeps it alive. Text that reaches people
 * or rewards is valid UTF-8: a cut character is shown as U+FFFD, the ids stay exact.
 *
 * Instances are REENTRANT: every function here may be called from several threads at once.
 * It does not know models or templates (chat.h does). */
#ifndef HONE_CORE_TEXT_TOKENIZER_H
#define HONE_CORE_TEXT_TOKENIZER_H
#include "host/registry.h"
#include "base/utf8.h"
#include "hone/tokenizer.h"

/* A growable list of ids with what belongs to each. spans and mask are there (not NULL) once
 * hone_tokens_want() asked for them, and then have room for as many items as ids. */
typedef struct hone_tokens {
    int32_t *ids;
    hone_span32 *spans; /* bytes of the text each id stands for, or NULL */
    uint8_t *mask;      /* 1 = takes part in the loss, or NULL */
    size_t n, cap;
    uint32_t want; /* HONE_TOKENS_* */
} hone_tokens;
#define HONE_TOKENS_SPANS (1u << 0)
#define HONE_TOKENS_MASK (1u << 1)

void hone_tokens_init(hone_tokens *t, uint32_t want); /* allocates nothing */
void hone_tokens_release(hone_tokens *t);
void hone_tokens_clear(hone_tokens *t); /* n = 0, memory kept */
/* Appends; spans NULL are {0,0}, mask NULL is 0. */
hone_status hone_tokens_add(hone_tokens *t, const int32_t *ids, const hone_span32 *spans,
                            const uint8_t *mask, size_t n);
hone_status hone_tokens_add1(hone_tokens *t, int32_t id);

typedef struct hone_tokenizer {
    hone_ref ref;                           /* a hone_tokenizer_v1; borrowed */
    hone_instance *instance;                /* which ref.self is, borrowed; NULL: none behind it */
    int32_t vocab_size, bos, eos, pad, unk; /* -1 = none */
} hone_tokenizer;

/* Reads sizes and special ids. E_MISBEHAVED when the vocabulary is empty or a slot is missing. */
hone_status hone_tokenizer_init(hone_tokenizer *t, hone_instance *inst, hone_ref ref);

/* Appends the ids of `text` (flags: HONE_ENCODE_SPECIAL | HONE_ENCODE_ADD; offsets are filled when
 * `out` wants spans). On failure `out` is as it was. Text need not be valid UTF-8. [any-thread] */
hone_status hone_tokenizer_encode(const hone_tokenizer *t, hone_str text, uint32_t flags,
                                  hone_tokens *out);
/* Where `text`, which more follows, may be cut (hone_tokenizer_v1.cut); *at is 0 where no place is known, and for
 * a tokenizer that does not cut. [any-thread] */
hone_status hone_tokenizer_cut(const hone_tokenizer *t, hone_str text, uint32_t flags, size_t *at);
/* n texts in one call; outs[i] gets those of texts[i] (appended). On failure some outs may have grown. [any-thread] */
hone_status hone_tokenizer_encode_all(const hone_tokenizer *t, const hone_str *texts, size_t n,
                                      uint32_t flags, hone_tokens *outs);
/* Appends the text of ids as valid UTF-8 (hone_utf8_clean). flags: HONE_DECODE_SKIP_SPECIAL. [any-thread] */
hone_status hone_tokenizer_decode(const hone_tokenizer *t, const int32_t *ids, size_t n,
                                  uint32_t flags, hone_buf *out);
/* The same, raw bytes. [any-thread] */
hone_status hone_tokenizer_decode_bytes(const hone_tokenizer *t, const int32_t *ids, size_t n,
                                        uint32_t flags, hone_buf *out);

/* By vocabulary or special text ("<|im_end|>"); -1 when there is none. [any-thread] */
int32_t hone_tokenizer_id(const hone_tokenizer *t, hone_str text);
int hone_tokenizer_is_special(const hone_tokenizer *t, int32_t id); /* [any-thread] */
hone_str hone_tokenizer_token_text(const hone_tokenizer *t,
                                   int32_t id); /* as in the vocabulary [any-thread] */
hone_str hone_tokenizer_token_bytes(const hone_tokenizer *t, int32_t id);   /* [any-thread] */
void hone_tokenizer_fingerprint(const hone_tokenizer *t, char out_hex[65]); /* [any-thread] */
/* The one id that a stop string stands for: a special token spelled exactly so. -1: compare text. [any-thread] */
int32_t hone_tokenizer_stop_id(const hone_tokenizer *t, hone_str stop);

/* ---- streaming -------------------------------------------------------------------------------------
 * Feeds ids one by one and gives text as soon as it is whole: bytes that may begin a character are
 * held back until the next id or finish(). The concatenation of all that is given equals
 * hone_tokenizer_decode of all ids. */
typedef struct hone_decoder {
    const hone_tokenizer *tokenizer;
    uint32_t flags;
    int32_t before; /* the id before, or -1 */
    hone_buf piece;
    char held[4]; /* the beginning of a character */
    uint32_t n_held;
} hone_decoder;
void hone_decoder_init(hone_decoder *d, const hone_tokenizer *t, uint32_t flags);
void hone_decoder_release(hone_decoder *d);
/* The text goes on after `id` (the last of a prompt), whose own text is not given out. */
void hone_decoder_after(hone_decoder *d, int32_t id);
hone_status hone_decoder_push(hone_decoder *d, int32_t id, hone_buf *out);
hone_status hone_decoder_finish(
    hone_decoder *d, hone_buf *out); /* what is held becomes U+FFFD; ready for a new text */
#endif
