/* reply.h - what a model wrote, read as a verdict.
 *
 * Thoughts (<think>...</think>) are taken out first: an unterminated one means that the reply was cut. Then the last JSON object
 * that has the wanted key decides, and where there is none, the last "verdict: LABEL" in the text. What it says is checked:
 * labels by their set, ids by theirs, each once, all of them. Nothing else in the reply counts, and nothing is guessed: a
 * reply that says two things in its last object, or a label that is none, is unparsed. Source: judges.md section 3. */
#ifndef HONE_CORE_JUDGE_REPLY_H
#define HONE_CORE_JUDGE_REPLY_H
#include "base/json.h"

enum {
    HONE_REPLY_VERDICT = 0,  /* {"reasoning": "", "verdict": LABEL}: field 0 */
    HONE_REPLY_CRITERIA = 1, /* {"reasoning": "", "criteria": {id: LABEL, ...}} */
    HONE_REPLY_RANKING =
        2 /* {"reasoning": "", "ranking": [ID, ...]}: the labels of field 0 are the ids */
};

typedef struct hone_reply_field {
    hone_str id;
    const hone_str *labels;
    size_t n_labels;
} hone_reply_field;

typedef struct hone_reply_want {
    uint32_t form;
    const hone_reply_field *fields;
    size_t n_fields;
} hone_reply_want;

typedef struct hone_reply {
    uint32_t detail; /* HONE_VERDICT_OK, UNPARSED, TRUNCATED or REFUSED */
    const size_t *
        choice; /* of OK: the label's number, for each field; of RANKING: all ids, the best first */
    hone_str reasoning; /* in the arena */
    const char *why;    /* what was wrong, as one tells the model; or NULL */
} hone_reply;

/* Never fails for what the reply holds; E_NOMEM. `truncated`: the transport says that the text was cut. [any-thread] */
hone_status hone_reply_read(hone_str text, int truncated, const hone_reply_want *want,
                            hone_arena *arena, hone_reply *out);
/* One label of `field`, where a label alone was asked for: the reply is the label, or says "verdict: LABEL" last. */
hone_status hone_reply_label(hone_str text, int truncated, const hone_reply_field *field,
                             hone_arena *arena, hone_reply *out);
/* Appends the JSON Schema that a reply is to have: reasoning first, then the verdict. */
hone_status hone_reply_schema(const hone_reply_want *want, size_t max_reasoning, hone_buf *out);
/* The text without its thoughts; 0 when one is not terminated. */
int hone_reply_visible(hone_str text, hone_str *out);

/* Log-probs of labels as one number: sum(v p) / sum(p), what they had together, and how sure that is (entropy of p / sum(p),
 * nats). probs (n) become p / sum(p). 0 when the mass is below `min_mass`, or no log-prob is a number: then *mass only. */
int hone_reply_labels(const double *logprobs, const double *values, size_t n, double min_mass,
                      double *value, double *mass, double *entropy, double *probs);
#endif
