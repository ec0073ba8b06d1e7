/* gen.h - batched generation: prompts in, completions out.
 *
 * Each prompt is prefilled once; its state is forked for every sample; all live sequences decode together;
 * finished ones leave and new ones enter. Token choice depends on (seed, step, sample, token index) only, so
 * the size of the batch, the number of threads and the finishing order change nothing. The forward is the
 * model's one forward in PREFILL and DECODE, so log-probs equal the trainer's bit for bit.
 * (compute.md 6, architecture.md step 3) */
#ifndef HONE_CORE_GEN_GEN_H
#define HONE_CORE_GEN_GEN_H
#include "gen/grammar.h"
#include "gen/sample.h"
#include "nn/model.h"
#include "nn/state.h"
#include "tensor/region.h"
#include "tensor/pool.h"
#include "text/tokenizer.h"

typedef struct hone_gen hone_gen;

/* An engine over a model (borrowed; its parameters may change between runs). `tokenizer` may be NULL: then
 * completions have no text and stop strings are refused. */
hone_status hone_gen_create(hone_model *m, const hone_tokenizer *tokenizer, hone_pool *pool,
                            hone_gen **out);
void hone_gen_destroy(hone_gen *g);

typedef struct hone_gen_prompt {
    const int32_t *ids;
    size_t n;
    uint64_t
        first_sample; /* global number of its first sample: what the random stream is keyed by */
    uint32_t n_samples;
    uint32_t max_tokens; /* new tokens a sample, where it is less than the run's; 0 = the run's */
    uint64_t
        first_token; /* number of the first new token in its sample's random stream: > 0 where a sample goes on */
    /* What its completions keep to, or NULL. Tokens that would leave it have probability 0, end tokens do where it may not
     * end: a completion that ends (STOP) is in the grammar, one that is cut (LENGTH) begins a text that is. The engine keeps
     * the automaton of the last grammars, by their text. Borrowed. */
    hone_grammar *grammar;
} hone_gen_prompt;

typedef struct hone_completion {
    size_t prompt;        /* index into the prompts */
    uint64_t sample;      /* first_sample + its place in the group */
    const int32_t *ids;   /* with the end token when finish is STOP by an id */
    const float *logprob; /* of the distribution sampled from */
    const float *full;    /* of the full distribution at the temperature */
    size_t n;
    hone_str text;   /* valid UTF-8, special tokens left out, cut before a stop string */
    uint32_t finish; /* HONE_FINISH_* (hone/reward.h) */
} hone_completion;

typedef struct hone_gen_params {
    hone_sample_rule rule;
    uint64_t seed, step;
    int32_t max_tokens;      /* new tokens a sample, >= 1 */
    const int32_t *stop_ids; /* end tokens */
    size_t n_stop_ids;
    const hone_str *stop_strings;
    size_t n_stop_strings;
    int ignore_stop_ids;
    uint32_t adapters;      /* mask, HONE_ADAPTERS_ACTIVE, HONE_ADAPTERS_NONE */
    uint32_t max_sequences; /* decoding together; 0 = 64 */
    void *ctx;
    /* All optional. A failure stops the run. Called on the calling thread. */
    hone_status (*on_token)(void *ctx, size_t prompt, uint64_t sample, int32_t id,
                            hone_str new_text);
    hone_status (*on_finish)(void *ctx, const hone_completion *c); /* borrowed */
    hone_status (*between)(void *ctx);                             /* between two decode steps */
    /* Changes the logits (n) of the next token in place, before any rule. hone_completion.full stays that of the
     * model's own. */
    hone_status (*logits)(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                          size_t n_ids, float *logits, int64_t n);
    /* A sampler: the likeliest `candidates` ids after the rules with their shares, which it changes to weights. */
    hone_status (*weigh)(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, const int32_t *candidates, double *weight, int64_t n);
    uint32_t candidates; /* at most; 0 = 64 */
    /* After each token: 1 ends the sample here (HONE_FINISH_STOP), its text as it is. */
    hone_status (*stop)(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids, size_t n_ids,
                        hone_str text);
} hone_gen_params;

/* Runs all prompts to their end. With a grammar: E_USAGE beside stop strings or `stop`, which would cut it; E_INVALID without
 * a tokenizer; E_UNSUPPORTED where the vocabulary cannot spell what the grammar asks for. While regions are planned (tensor/region.h) it maps what they can
 * come to need and gives each sample its most tokens, all zeros; only on_finish is called. E_INVALID: an empty prompt, an id outside the vocabulary, a prompt longer
 * than the model's positions. [control-thread] */
hone_status hone_gen_run(hone_gen *g, const hone_gen_prompt *prompts, size_t n,
                         const hone_gen_params *p);

typedef struct hone_gen_stats {
    uint64_t prompt_tokens, new_tokens, decode_steps;
    double prefill_s, decode_s;
    size_t state_bytes;
    double grammar_s;        /* of prefill_s and decode_s: masks of grammars */
    uint64_t grammar_states; /* of the run's automata, at its end */
} hone_gen_stats;
void hone_gen_get_stats(const hone_gen *g, hone_gen_stats *out); /* of the last run */
#endif
