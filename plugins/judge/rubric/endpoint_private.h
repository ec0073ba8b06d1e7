/* endpoint_private.h - what endpoint.c (batches), endpoint_settings.c and endpoint_request.c (bodies) share. */
#ifndef HONE_RUBRIC_ENDPOINT_PRIVATE_H
#define HONE_RUBRIC_ENDPOINT_PRIVATE_H
#include "endpoint.h"
#include "endpoint_budget.h"

enum { ENDPOINT_LABEL_TOKENS = 16, ENDPOINT_TOP = 20 };

/* What a server may not know; it is left out once the server has said so. */
enum {
    ENDPOINT_SCHEMA = 1 << 0,     /* response_format */
    ENDPOINT_LOGPROBS = 1 << 1,   /* logprobs, top_logprobs */
    ENDPOINT_SEED = 1 << 2,       /* seed */
    ENDPOINT_MAX_TOKENS = 1 << 3, /* max_tokens; without it: max_completion_tokens */
    ENDPOINT_ALL = 15
};

struct endpoint {
    const hone_host *host;
    hone_ref http, json;
    pool own; /* texts of the settings */
    hone_str url, place, key, model;
    const hone_value *extra;
    hone_http_policy policy;
    budget budget;
    double price_in, price_out; /* per million tokens */
    int otherwise;
    uint32_t takes; /* ENDPOINT_*: what the server has not refused */
    int met;        /* it has answered, or at least been asked */
    int answered;   /* it has answered a question */
    int warned_usage, warned_model;
    char is_model[128]; /* that it said it was */
};

/* Reads them into *e, whose host, own and budget are there. */
hone_status endpoint_settings_read(endpoint *e, const endpoint_settings *s);
/* The body of a request, and the most that one try of it can take. */
void endpoint_request(const endpoint *e, const endpoint_question *q, uint32_t takes, grown *body,
                      budget_worst *worst);
#endif
