/* endpoint.h - questions put to a server that speaks OpenAI's chat completions: hosted, or llama.cpp, vLLM, ollama next door.
 *
 * A unit of its own: it knows messages and labels, not rubrics. See endpoint.c. */
#ifndef HONE_RUBRIC_ENDPOINT_H
#define HONE_RUBRIC_ENDPOINT_H
#include "hone/http.h"
#include "hone/judge.h"
#include "pool.h"

/* Settings as the configuration has them; maps may be NULL. */
typedef struct endpoint_settings {
    hone_str url;             /* ".../v1", or the whole address of chat/completions */
    hone_str key;             /* secret; empty: none is sent */
    hone_str model;           /* needed */
    const hone_value *prices; /* input, output: per million tokens; currency */
    const hone_value *budget; /* calls, tokens, money, seconds, otherwise */
    const hone_value *http; /* concurrency, rate, burst, tries, timeout, ...: endpoint_settings.c */
    const hone_value *extra; /* further members of the request */
} endpoint_settings;

enum { ENDPOINT_STOP = 0, ENDPOINT_DEGRADE = 1, ENDPOINT_ABSTAIN = 2 }; /* budget.otherwise */

typedef struct endpoint_question {
    const hone_message *messages;
    size_t n_messages;
    hone_str prefix; /* how the reply is to begin, in front of a label */
    const hone_str *labels;
    size_t n_labels;
    hone_str schema; /* JSON Schema of the reply, or empty */
    double temperature;
    uint64_t seed;
    uint32_t max_tokens;
} endpoint_question;

typedef struct endpoint_answer {
    uint32_t detail; /* HONE_VERDICT_*; TIMEOUT: it did not answer, in all tries */
    hone_str text, why;
    double *label_logprobs; /* n_labels of the question; NULL: the server does not tell them */
    double cost;
    uint64_t tokens_in, tokens_out, latency_ns;
} endpoint_answer;

typedef struct endpoint endpoint;
/* E_INVALID naming the setting, E_REFUSED without --allow=...:net. [control-thread] */
hone_status endpoint_open(const hone_host *host, const endpoint_settings *s, endpoint **out);
void endpoint_close(endpoint *e); /* NULL is allowed [control-thread] */
/* An answer is known: on the thread that asked; its texts lie in the pool. A failure ends the batch. */
typedef hone_status (*endpoint_fn)(void *ctx, size_t question, const endpoint_answer *a);
/* Answers n questions, each once, in the order of the answers; memory comes from `p`. A failure ends the batch: no question of any batch could be answered (a refused key, no
 * such model), or the call was cancelled. One batch at a time. [worker-thread & active] */
hone_status endpoint_ask(endpoint *e, const hone_call *call, const endpoint_question *q, size_t n,
                         pool *p, endpoint_fn fn, void *ctx);
/* ENDPOINT_STOP ...: what is to be done about questions that the budget did not reach. [any-thread] */
int endpoint_otherwise(const endpoint *e);
/* The address without what stands behind "?", for the spec; valid until close. [any-thread] */
hone_str endpoint_place(const endpoint *e);
#endif
