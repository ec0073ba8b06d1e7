/* hone/judging.h - what all judges that ask a model have in common: rubric and prompt to questions, replies to verdicts.
 *
 * The host's interface "hone.judging/1", by host->get_iface in create. A judge opens its settings once; for a batch of items
 * it asks for the questions, puts them to whatever it has (an engine, an endpoint, a person), and hands the answers back:
 *
 *   judging->ask(items)              -> questions
 *   loop: answer the questions;
 *   judging->settle(items, answers)  -> verdicts, and perhaps further questions: a repair, another seed
 *
 * until no further question comes. So a judge writes its transport and nothing else: fences, neutralised texts, both orders of a
 * pair, parsing, criteria, programs that verify, weights, caps and hashes are the host's. (judges.md 2, 3)
 *
 * Settings, a map: `rubric` (path of a Lua data file, or its table; required), `prompt` (the same; none: hone's own), `decoding`
 * = { mode = "labels" | "generate", temperature, max_tokens, repeats, seed, max_field }, `orders` (in how many orders candidates
 * are shown: 2 for pairs, 1 for lists), `min_mass` (.5), `with` (a map: what else the verdicts depend on, for the spec). */
#ifndef HONE_JUDGING_H
#define HONE_JUDGING_H
#include "hone/judge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_JUDGING "hone.judging/1"

/* What a model is to answer. With labels: how likely each of them is behind text (or messages) and prefix. Without: a reply,
 * which is to be a JSON object as `schema` has it; where the decoding cannot be constrained, whatever the model writes. */
typedef struct hone_judging_question {
    uint64_t item; /* number of the item in the batch */
    uint32_t number,
        attempt; /* of the question among the item's; 0, then 1 (a repair), 2 (another seed) */
    uint64_t seed;
    const hone_message *messages; /* for models that converse */
    size_t n_messages;
    hone_str text;          /* the same for models that continue a text */
    hone_str prefix;        /* how the reply begins: it is already written; or empty */
    const hone_str *labels; /* what may follow the prefix, byte by byte; or NULL */
    size_t n_labels;
    hone_str schema; /* JSON Schema of the reply; empty where labels are asked for */
    double temperature;
    uint32_t max_tokens, reserved;
} hone_judging_question;

typedef struct hone_judging_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* One question more. [worker-thread & active] */
    hone_status (*put)(const struct hone_judging_sink *sink,
                       const hone_judging_question *question_bor);
} hone_judging_sink;

typedef struct hone_judging_answer {
    uint64_t item;            /* the question's */
    uint32_t number, attempt; /* the question's */
    uint32_t
        detail; /* HONE_VERDICT_OK: it was answered; TRUNCATED: the text is cut; else why it was not */
    uint32_t reserved;
    hone_str text;                /* the reply as it came, thinking and all */
    const double *label_logprobs; /* natural, of each whole label; or NULL */
    size_t n_labels;
    double cost;                    /* 0 when unknown */
    uint64_t latency_ns;            /* 0 when unknown */
    uint64_t tokens_in, tokens_out; /* 0 when unknown */
} hone_judging_answer;

typedef struct hone_judging_v1 {
    uint32_t struct_size, reserved;
    /* Reads settings, rubric and prompt; *spec_own is closed by close. E_INVALID and E_PARSE with the place.
     * [control-thread] */
    hone_status (*open)(void *self, const hone_value *settings_bor, uint64_t *spec_own);
    void (*close)(void *self, uint64_t spec_own); /* 0 is allowed; cannot fail [control-thread] */
    /* The spec as JSON: rubric and its hash, prompt, decoding, parser, aggregation, what `with` held. Cannot fail; valid until
     * close. [any-thread] */
    hone_str (*describe)(void *self, uint64_t spec);
    /* The questions of n items; an item that cannot be asked about has none, and settle says why. [worker-thread & active] */
    hone_status (*ask)(void *self, uint64_t spec, const hone_judge_item *items_bor, size_t n,
                       size_t stride, const hone_judging_sink *sink);
    /* Verdicts on those items that have an answer in `answers`, or that had no question, from all answers that they got so far;
     * items about which a question is put to `again` get theirs later. E_INVALID for an answer to no question.
     * [worker-thread & active] */
    hone_status (*settle)(void *self, uint64_t spec, const hone_call *call,
                          const hone_judge_item *items_bor, size_t n, size_t stride,
                          const hone_judging_answer *answers_bor, size_t n_answers,
                          size_t answer_stride, const hone_verdict_sink *verdicts,
                          const hone_judging_sink *again);
} hone_judging_v1;

#ifdef __cplusplus
}
#endif
#endif
