/* guide.h - the grammars of an engine's samples: their automata, kept from run to run, and what they do to a row of
 * logits.
 *
 * A guide is one sample's place in its grammar. Masks are made on the control thread (hone__guide_look); a row is masked
 * wherever it is drawn (hone__guide_mask_row), since that only reads. Used by gen.c alone. */
#ifndef HONE_CORE_GEN_GUIDE_H
#define HONE_CORE_GEN_GUIDE_H
#include "gen/grammar.h"

typedef struct hone__guides hone__guides;
typedef struct hone__guide {
    hone_matcher *matcher; /* NULL: the sample is free */
    int32_t state;
    int may_end;
    const uint64_t *mask; /* of the state, after look */
    size_t n_mask;        /* ids that it speaks of */
} hone__guide;

/* For the vocabulary of t, which is borrowed. */
hone_status hone__guides_create(const hone_tokenizer *t, hone__guides **out);
void hone__guides_destroy(hone__guides *gs); /* NULL is allowed */
/* A guide at the beginning of g. */
hone_status hone__guides_begin(hone__guides *gs, hone_grammar *g, hone__guide *out);
/* The run is over, no guide is in use: all but the last few automata go. */
void hone__guides_settle(hone__guides *gs);
/* Automata that grew large forget what the n guides (every `stride` bytes) do not need. */
hone_status hone__guides_trim(hone__guides *gs, hone__guide *guides, size_t n, size_t stride);
size_t hone__guides_states(const hone__guides *gs);

/* Fills mask and may_end. E_UNSUPPORTED: no token of the vocabulary may come next, nor (`ends`: may an end be drawn?) an end. */
hone_status hone__guide_look(hone__guide *g, int ends);
/* out (n) = in, with -inf for what may not come next. ends (n_ends): ids that end the text. [any-thread] */
void hone__guide_mask_row(const hone__guide *g, const int32_t *ends, size_t n_ends, const float *in,
                          float *out, int64_t n);
/* The sample goes on by this token, which its mask allowed. */
hone_status hone__guide_step(hone__guides *gs, hone__guide *g, int32_t id);
/* The bytes of these ids, which make `text`: E_UNSUPPORTED where a tokenizer spells them otherwise when they stand together. */
hone_status hone__guide_spelled(const hone__guides *gs, const int32_t *ids, size_t n,
                                hone_str text);
#endif
