/* desk_private.h - a request at the desk, between desk.c (who asks), desk_models.c (which model) and desk_serve.c (what is
 * computed). */
#ifndef HONE_CORE_TRAIN_DESK_PRIVATE_H
#define HONE_CORE_TRAIN_DESK_PRIVATE_H
#include "base/arena.h"
#include "hone/scorer.h"
#include "train/desk.h"

/* The model that a request is about. */
typedef struct hone__desk_model {
    hone_policy *p;
    uint32_t adapters; /* a mask */
    hone_gen **gen;    /* its engine at the desk, made when first needed */
} hone__desk_model;

typedef struct hone__request {
    struct hone__request *next;
    hone_instance *who; /* or NULL: the host itself */
    hone_str model;
    hone_status (*serve)(struct hone__request *q, const hone__desk_model *m);
    const void *items;
    size_t n, stride;
    const hone_answer_rule *rule; /* of answers */
    uint32_t flags;               /* of embeddings */
    int state;
    hone_status status;
    hone_error error;
    hone_arena arena; /* of the answer */
    void *answer;
} hone__request;

/* The model called `name`, which `who` may ask. On demand it is loaded. [control-thread] */
hone_status hone__desk_find(hone_desk *d, hone_instance *who, hone_str name, hone__desk_model *out);
/* Before the first policy is looked for: makes one where somebody wants that. [control-thread] */
hone_status hone__desk_first(hone_desk *d);
/* Frees what was loaded on demand, and the engines of all. */
void hone__desk_forget(hone_desk *d);

/* What came of each item, by kind: q->answer is a list of n (the description is one). */
typedef struct hone__logprobs {
    hone_tokens ids; /* hone_tokens_release */
    float *logprobs;
} hone__logprobs;
typedef struct hone__labels {
    double *logprobs;
    size_t n;
    uint64_t n_tokens;
} hone__labels;
typedef struct hone__answer {
    hone_str text;
    uint32_t finish;
    int32_t *ids;
    float *logprobs;
    size_t n;
    uint64_t n_prompt;
} hone__answer;
typedef struct hone__embedded {
    const float *vector; /* of the hidden width; NULL: the text is too long */
    size_t n;
    uint64_t n_tokens;
} hone__embedded;
hone_status hone__serve_logprobs(hone__request *q, const hone__desk_model *m); /* hone__logprobs */
hone_status hone__serve_labels(hone__request *q, const hone__desk_model *m);   /* hone__labels */
hone_status hone__serve_answers(hone__request *q, const hone__desk_model *m);  /* hone__answer */
hone_status hone__serve_values(hone__request *q, const hone__desk_model *m);   /* double */
hone_status hone__serve_embed(hone__request *q, const hone__desk_model *m);    /* hone__embedded */
hone_status hone__serve_describe(hone__request *q, const hone__desk_model *m); /* hone_str */

/* Item i of a request's list. */
static inline const void *hone__request_item(const hone__request *q, size_t i)
{
    return (const char *)q->items + i * q->stride;
}

enum { HONE__DESK_POLICIES = 64, HONE__DESK_LOADED = 16 };
typedef struct hone__desk_loaded {
    char *name; /* M of "model:M" */
    hone_policy *policy;
    hone_gen *gen;
} hone__desk_loaded;
typedef struct hone__desk_client {
    struct hone__desk_client *next;
    hone_desk *desk;
    hone_instance *who;
} hone__desk_client;

#include <pthread.h>
#include <stdatomic.h>
struct hone_desk {
    pthread_t control;
    pthread_mutex_t lock;
    pthread_cond_t served;
    hone__request *queue, **tail;
    hone_env env; /* of models that are loaded here: the run's, without a desk */
    hone_policy *policies[HONE__DESK_POLICIES];
    hone_gen *gens[HONE__DESK_POLICIES]; /* of the desk, by policy; or NULL */
    size_t n_policies;
    hone__desk_loaded loaded[HONE__DESK_LOADED];
    size_t n_loaded;
    hone_instance *given[HONE__DESK_POLICIES]; /* tokenizers that were given out: they stay */
    size_t n_given;
    hone__desk_client *clients;     /* who has hone.model.scorer/1, until the instance ends */
    hone_status (*make)(void *ctx); /* hone_desk_when_none; or NULL */
    void *make_ctx;
    _Atomic uint64_t asked;
};
#endif
