/* hone/scorer.h - the models of a run, asked from a component: log-probs, labels, answers, values, embeddings.
 *
 * The host's interface "hone.model.scorer/1", by host->get_iface in create. A request waits until the engine has time: between
 * two decode steps while completions are drawn, at once while the run waits for rewards. The engine never waits for who
 * asks. The numbers are those of training and generation, bit for bit, whatever is asked together.
 *
 * Which model, as every slot is asked: "" the first policy; NAME a policy or a reference of the run, as it is now; "base", "base:NAME"
 * the weights that a policy's adapter stands on, with the adapter off; "model:M" another one, M a known name, folder or
 * file: loaded when it is first asked for, kept until the run ends, frozen, in the type of its file. From a box M is a known
 * name, or a path that was granted for reading. (plugin-abi.md 4, 7; judges.md 2, 4) */
#ifndef HONE_SCORER_H
#define HONE_SCORER_H
#include "hone/plugin.h"
#include "hone/reward.h"
#include "hone/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_SCORER "hone.model.scorer/1"

/* A prompt and what follows it, each as ids or, where the ids are NULL, as text: a prompt like one given to the policy as
 * text, a completion without any token added. */
typedef struct hone_score_item {
    hone_str prompt, completion;
    const int32_t *prompt_ids;
    size_t n_prompt_ids;
    const int32_t *ids;
    size_t n_ids;
} hone_score_item;

typedef struct hone_logprob_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* The completion of item number `item`: its ids and the natural log-prob of each, NaN for a first token that follows
     * nothing. Once an item, in order. [any-thread] */
    hone_status (*put)(const struct hone_logprob_sink *sink, size_t item, const int32_t *ids_bor,
                       const float *logprobs_bor, size_t n);
} hone_logprob_sink;

/* What a model is to go on from: a conversation through its chat template, or a text like one given to the policy as text,
 * where messages are NULL. `begin` is how the answer begins already: it follows without any token added. */
typedef struct hone_label_item {
    hone_str prompt;
    const hone_message *messages;
    size_t n_messages;
    hone_str begin;
    const hone_str *labels; /* 1 or more texts, no two of the same tokens */
    size_t n_labels;
} hone_label_item;

typedef struct hone_label_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* Item number `item`: the natural log-prob of each label as the text that follows, at temperature 1. Where the tokens of one label
     * begin another's, what belongs to the longer one is taken off the shorter. n_tokens: what was computed for the
     * item, prompt and labels. Once an item, in order. [any-thread] */
    hone_status (*put)(const struct hone_label_sink *sink, size_t item, const double *logprobs_bor,
                       size_t n, uint64_t n_tokens);
} hone_label_sink;

typedef struct hone_answer_item {
    hone_str prompt; /* as in hone_label_item */
    const hone_message *messages;
    size_t n_messages;
    hone_str begin;
    hone_str grammar; /* GBNF that the answer keeps to; {NULL,0}: none */
    hone_str schema;  /* or a JSON Schema that describes it; {NULL,0}: none */
    uint64_t sample;  /* with the rule's seed: all that the draw depends on */
} hone_answer_item;

typedef struct hone_answer_rule {
    uint32_t struct_size;
    int32_t max_tokens; /* of an answer, 1 or more */
    double temperature; /* 0: the likeliest token */
    double top_p;       /* 1: all */
    uint64_t seed;
} hone_answer_rule;

typedef struct hone_answer_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* The answer to item number `item`, without `begin`: valid UTF-8, its ids, their log-probs in the distribution that they were
     * drawn from. finish: HONE_FINISH_STOP, then it is whole and in its grammar; HONE_FINISH_LENGTH, then it was cut.
     * n_prompt: tokens that it went on from. Once an item, in order. [any-thread] */
    hone_status (*put)(const struct hone_answer_sink *sink, size_t item, hone_str text,
                       uint32_t finish, const int32_t *ids_bor, const float *logprobs_bor, size_t n,
                       uint64_t n_prompt);
} hone_answer_sink;

/* A whole conversation, the answer its last message; or prompt and completion as text, where messages are NULL. */
typedef struct hone_value_item {
    hone_str prompt, completion;
    const hone_message *messages;
    size_t n_messages;
} hone_value_item;

/* A text without special tokens, or its ids where they are not NULL. */
typedef struct hone_embed_item {
    hone_str text;
    const int32_t *ids;
    size_t n_ids;
} hone_embed_item;

#define HONE_EMBED_MEAN 0u /* the mean over the text's tokens */
#define HONE_EMBED_LAST 1u /* that of its last token */
#define HONE_EMBED_UNIT 2u /* brought to length 1; a vector of zeros stays one */

typedef struct hone_embed_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* Item number `item`: a vector of the model's hidden width; n 0: it is longer than the model's positions. n_tokens: what
     * was computed for it. Once an item, in order. [any-thread] */
    hone_status (*put)(const struct hone_embed_sink *sink, size_t item, const float *vector_bor,
                       size_t n, uint64_t n_tokens);
} hone_embed_sink;

typedef struct hone_model_scorer_v1 {
    uint32_t struct_size, reserved;
    /* Log-probs at temperature 1 under the model `model`: the name of one of the run's policies or references, or "" for
     * the first. `call` is the call that it is made in: E_TIMEOUT at its deadline, E_CANCELLED; NULL: a minute.
     * E_STATE when there is no such model now. [any-thread & active] */
    hone_status (*logprobs)(void *self, const hone_call *call, hone_str model,
                            const hone_score_item *items_bor, size_t n, size_t stride,
                            const hone_logprob_sink *sink);
    /* How likely each label is, from one prefill of each prompt: labels are its children and see it, not each other. E_INVALID:
     * no label, an empty one, two of the same tokens, or the model has no tokenizer or template for what was given. E_RANGE:
     * longer than the model's positions. [any-thread & active] */
    hone_status (*labels)(void *self, const hone_call *call, hone_str model,
                          const hone_label_item *items_bor, size_t n, size_t stride,
                          const hone_label_sink *sink);
    /* Draws one answer to each item, all in one batch; it changes nothing whether they are asked together. A bad grammar or schema
     * is E_PARSE, E_INVALID or E_UNSUPPORTED, with its place. [any-thread & active] */
    hone_status (*answers)(void *self, const hone_call *call, hone_str model,
                           const hone_answer_rule *rule_bor, const hone_answer_item *items_bor,
                           size_t n, size_t stride, const hone_answer_sink *sink);
    /* What a reward model's head gives each item: out (n). E_UNSUPPORTED: the model has no such head. [any-thread & active] */
    hone_status (*values)(void *self, const hone_call *call, hone_str model,
                          const hone_value_item *items_bor, size_t n, size_t stride,
                          double *out_bor);
    /* What is asked when this model is: JSON with "name", "path", "arch", "parameters", "checksum" (16 hexadecimal digits of
     * the weights, with the adapters that it is asked with), "vocabulary", "positions", "hidden" (the width of embeddings),
     * "template", "head" (true: values can be asked for). [any-thread & active] */
    hone_status (*describe)(void *self, const hone_call *call, hone_str model,
                            const hone_text_sink *sink);
    /* What the model makes of each text: its last hidden states, behind the final norm, as one vector. flags: HONE_EMBED_*; others are
     * E_INVALID, and so is an item without tokens. [any-thread & active] */
    hone_status (*embed)(void *self, const hone_call *call, hone_str model, uint32_t flags,
                         const hone_embed_item *items_bor, size_t n, size_t stride,
                         const hone_embed_sink *sink);
} hone_model_scorer_v1;

#ifdef __cplusplus
}
#endif
#endif
