/* endpoint_reply.h - what a chat completion says: the text, why it ended, what it cost, how likely labels were. */
#ifndef HONE_RUBRIC_ENDPOINT_REPLY_H
#define HONE_RUBRIC_ENDPOINT_REPLY_H
#include "hone/judge.h"
#include "pool.h"

typedef struct endpoint_reply {
    uint32_t detail; /* HONE_VERDICT_OK, UNPARSED, REFUSED, TRUNCATED */
    hone_str text;   /* the reply; empty: there is none */
    hone_str why;    /* what is wrong with it */
    hone_str model;  /* that the server says it was */
    int has_usage;
    uint64_t tokens_in, tokens_out;
    const hone_value *logprobs; /* the list choices[0].logprobs.content, or NULL */
} endpoint_reply;

/* Reads the parsed body; everything points into it, or into the pool. Never fails for what it holds; 0: no memory. */
int endpoint_reply_read(const hone_value *body, pool *p, endpoint_reply *out);

/* The message of a body that is an error ({"error": {"message": ...}}, {"error": "..."}, {"message": ...}, {"detail": ...}), or
 * empty. */
hone_str endpoint_error(const hone_value *body);

/* Natural log-probs of `labels` from the log-probs of the reply's tokens: `prefix` (how the reply was to begin), white space and
 * marks of emphasis in front of the label are passed over. A label that the server does not list gets -INFINITY. 1: *out is
 * filled (n_labels); 0: it cannot be told, because the server listed nothing, the reply begins with no label, or a listed token
 * begins several labels and was not the one taken. Source: judges.md 2. */
int endpoint_labels(const hone_value *logprobs, hone_str prefix, const hone_str *labels,
                    size_t n_labels, double *out);

/* Does the name stand for another model tomorrow ("gpt-4o", "x-latest"; not "gpt-4o-2024-08-06", "gpt-4-0613", "org/model",
 * "model:tag", "model.gguf")? */
int endpoint_floats(hone_str model);
#endif
