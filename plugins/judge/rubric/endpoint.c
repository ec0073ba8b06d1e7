/* endpoint.c - a batch of questions, in waves of requests that the budget covers.
 *
 * Each wave: reserve the most that its requests can take, send them all at once through hone.http/1 (which tries again what
 * passes, within the number of tries that was reserved), count what they took. A server is met with one request, alone: if it refuses a
 * member of the request that it does not know (400: response_format, logprobs, seed, max_tokens), that member is left out
 * from then on, said in the log, and the question is put again; so not every request of the first wave is spent on learning that.
 *
 * What a failure means. The key refused, no such address, or no such model: nothing can be answered, the batch fails. A request
 * that cannot be read by the server (too long): truncated. Filtered: refused. No answer in all tries, or only errors of the
 * server's own: timeout. A body that is no chat completion: unparsed. Money is spent (402, insufficient_quota): budget.
 * Texts of the server reach a message only with control characters taken out, and the host cuts out the key.
 * Source: judges.md section 4; OpenAI's API reference. */
#include "endpoint_private.h"
#include "endpoint_reply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BODY_MAX = 256 << 20, SAID = 200 };

typedef struct job { /* a question that waits for its answer */
    grown body;
    uint32_t takes;          /* as the body was written */
    int done, told, garbled; /* garbled: bodies that were no JSON */
} job;

typedef struct wave {
    endpoint *e;
    pool *p;
    const endpoint_question *questions;
    endpoint_answer *answers;
    endpoint_fn fn; /* gets each of them once */
    void *ctx;
    job *jobs;
    const size_t *at; /* question of each request */
    const budget_worst *worst;
    budget_sum used;
    uint64_t waited;      /* by the last exchange */
    uint64_t out_of_time; /* the budget of seconds ends there, before the call does; or 0 */
    hone_status fatal;    /* nothing can be answered */
    char why[512];
} wave;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- responses ------------------------------------------------------------------------------------------------ */

static void finish(wave *w, size_t i, uint32_t detail, hone_str why)
{
    endpoint_answer *a = &w->answers[w->at[i]];
    a->detail = detail;
    a->why = pool_copy(w->p, why);
    w->jobs[w->at[i]].done = 1;
}

/* What the server said, fit for a message. */
static void said(hone_str s, char out[SAID + 1])
{
    const size_t n = s.len < SAID ? s.len : SAID;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)s.ptr[i] < 32 || s.ptr[i] == 127 ? ' ' : s.ptr[i];
    out[n] = '\0';
}

static int has(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

/* An answer that is whole goes out at once. */
static hone_status tell(wave *w, size_t question)
{
    job *j = &w->jobs[question];
    if (!j->done || j->told)
        return HONE_OK;
    j->told = 1;
    return w->fn(w->ctx, question, &w->answers[question]);
}

static void fatal(wave *w, hone_status s, uint32_t code, const char *text)
{
    if (w->fatal == HONE_OK) {
        w->fatal = s;
        snprintf(w->why, sizeof w->why, "%.200s: %u: %.200s", w->e->place.ptr, code, text);
    }
}

/* A 400: does the server not know a member? 1: left out from now on, ask again. */
static int learn(wave *w, const endpoint_question *q, const job *j, const char *text)
{
    static const struct {
        uint32_t bit;
        const char *words[3], *name;
    } rows[] = {
        {ENDPOINT_SCHEMA, {"response_format", "json_schema", "schema"}, "response_format"},
        {ENDPOINT_LOGPROBS, {"logprobs", "log_probs", "top_logprobs"}, "logprobs"},
        {ENDPOINT_SEED, {"seed", "seed", "seed"}, "seed"},
        {ENDPOINT_MAX_TOKENS, {"max_completion_tokens", "max_tokens", "max_tokens"}, "max_tokens"}};
    endpoint *e = w->e;
    uint32_t bit = 0;
    const char *name = "";
    for (size_t i = 0; i < 4 && !bit; i++)
        for (size_t k = 0; k < 3 && !bit; k++)
            if ((j->takes & rows[i].bit) && has(text, rows[i].words[k])) {
                bit = rows[i].bit;
                name = rows[i].name;
            }
    /* it does not say what: the members that the fewest servers know, one after the other */
    for (size_t i = 0; i < 2 && !bit && !e->answered; i++)
        if ((j->takes & rows[i].bit) && (i == 0 ? !q->n_labels && q->schema.len : q->n_labels)) {
            bit = rows[i].bit;
            name = rows[i].name;
        }
    if (!bit)
        return 0;
    if (e->takes & bit)
        hone_host_log(e->host, HONE_LEVEL_WARN,
                      "%s: the server does not take %s (%.120s): it is left out%s", e->place.ptr,
                      name, text,
                      bit == ENDPOINT_SEED       ? "; its replies may not come again"
                      : bit == ENDPOINT_LOGPROBS ? "; labels are read from the text"
                                                 : "");
    e->takes &= ~bit;
    return 1;
}

static void refused(wave *w, size_t i, uint32_t code, const hone_value *body, hone_str raw)
{
    char text[SAID + 1];
    job *j = &w->jobs[w->at[i]];
    hone_str message = body ? endpoint_error(body) : (hone_str){NULL, 0};
    said(message.len ? message : raw, text);
    if (code == 401 || code == 403)
        fatal(w, HONE_E_REFUSED, code, text);
    else if (code == 404 || code == 405 || code == 501 || (code >= 300 && code < 400))
        fatal(w, HONE_E_NOT_FOUND, code, text);
    else if (code == 402 || (code == 429 && has(text, "quota")))
        finish(w, i, HONE_VERDICT_BUDGET, hone_str_c(text));
    else if (code == 429 || code == 408 || code == 425 || code >= 500)
        finish(w, i, HONE_VERDICT_TIMEOUT, hone_str_c(text));
    else if (has(text, "content_filter") || has(text, "content_policy") ||
             has(text, "content management"))
        finish(w, i, HONE_VERDICT_REFUSED, hone_str_c(text));
    else if (code == 413 || has(text, "context") || has(text, "too long"))
        finish(w, i, HONE_VERDICT_TRUNCATED, hone_str_c(text));
    else if ((code == 400 || code == 422) && learn(w, &w->questions[w->at[i]], j, text))
        return; /* it is put again */
    else if (!w->e->answered)
        fatal(w, HONE_E_INVALID, code, text);
    else
        finish(w, i, HONE_VERDICT_UNPARSED, hone_str_c(text));
}

static void note_model(endpoint *e, hone_str model)
{
    const size_t n = model.len < sizeof e->is_model - 1 ? model.len : sizeof e->is_model - 1;
    if (n == 0 || (strlen(e->is_model) == n && memcmp(e->is_model, model.ptr, n) == 0))
        return;
    if (e->is_model[0] && !e->warned_model) {
        e->warned_model = 1;
        hone_host_log(e->host, HONE_LEVEL_WARN,
                      "%s: the model behind \"%.100s\" has changed from %s to %.*s: what was "
                      "measured of this judge holds no more",
                      e->place.ptr, e->model.ptr, e->is_model, (int)n, model.ptr);
    }
    memcpy(e->is_model, model.ptr, n);
    e->is_model[n] = '\0';
}

static hone_status answered(wave *w, size_t i, const hone_value *body)
{
    endpoint *e = w->e;
    const endpoint_question *q = &w->questions[w->at[i]];
    endpoint_answer *a = &w->answers[w->at[i]];
    endpoint_reply r;
    if (!endpoint_reply_read(body, w->p, &r))
        return HONE_E_NOMEM;
    const int empty = body->type != HONE_MAP || (r.detail == HONE_VERDICT_UNPARSED && !r.has_usage);
    hone_str error = empty ? endpoint_error(body) : (hone_str){NULL, 0};
    if (error.len) { /* some servers send errors with 200 */
        finish(w, i, HONE_VERDICT_TIMEOUT, error);
        return HONE_OK;
    }
    e->answered = 1;
    note_model(e, r.model);
    finish(w, i, r.detail, r.why);
    a->text = pool_copy(w->p, r.text);
    a->tokens_in = r.has_usage ? r.tokens_in : 0;
    a->tokens_out = r.has_usage ? r.tokens_out : 0;
    a->cost = ((double)a->tokens_in * e->price_in + (double)a->tokens_out * e->price_out) / 1e6;
    if (q->n_labels && r.detail != HONE_VERDICT_REFUSED && r.logprobs) {
        double *p = pool_alloc(w->p, q->n_labels, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        if (endpoint_labels(r.logprobs, q->prefix, q->labels, q->n_labels, p))
            a->label_logprobs = p;
    }
    /* a label is all that was asked for: what follows it may be cut */
    if (q->n_labels && r.detail == HONE_VERDICT_TRUNCATED)
        a->detail = a->text.len ? HONE_VERDICT_OK : HONE_VERDICT_TRUNCATED;
    return a->text.ptr ? HONE_OK : HONE_E_NOMEM;
}

/* What the request took, as budgets count. */
static void count(wave *w, size_t i, const hone_http_response *r, const endpoint_answer *a)
{
    endpoint *e = w->e;
    const budget_worst *worst = &w->worst[i];
    uint64_t in = (uint64_t)r->lost * worst->tokens_in, out = (uint64_t)r->lost * worst->tokens_out;
    if (r->status == HONE_OK && r->code < 300 && (a->tokens_in || a->tokens_out)) {
        in += a->tokens_in;
        out += a->tokens_out;
    } else if (r->status == HONE_E_LIMIT || (r->status == HONE_OK && r->code < 300)) {
        if (r->attempts > r->lost) { /* answered, and it does not say what that took */
            in += worst->tokens_in;
            out += worst->tokens_out;
        }
    }
    budget_add(&w->used, &(budget_sum){r->attempts, in + out, budget_price(&e->budget, in, out)});
}

static hone_status take(const hone_http_sink *sink, size_t i, const hone_http_response *r)
{
    wave *w = sink->ctx;
    endpoint *e = w->e;
    const hone_json_v1 *json = e->json.vt;
    endpoint_answer *a = &w->answers[w->at[i]];
    const hone_str raw = {(const char *)r->body, r->n_body};
    const hone_value *body = NULL;
    void *doc = NULL;
    hone_status s = HONE_OK;
    a->latency_ns += r->latency_ns;
    a->tokens_in = a->tokens_out = 0;
    if (r->status == HONE_OK && (raw.len == 0 || json->parse(e->json.self, raw, &doc, &body) < 0))
        body = NULL;
    if (r->status == HONE_OK && r->code == 200 && body)
        s = answered(w, i, body);
    else if (r->status == HONE_OK && r->code == 200 && !w->jobs[w->at[i]].garbled++)
        ; /* cut, without saying so: once more */
    else if (r->status == HONE_OK && r->code == 200)
        finish(w, i, HONE_VERDICT_UNPARSED, hone_str_c("the response is no JSON, or is cut off"));
    else if (r->status == HONE_OK)
        refused(w, i, r->code, body, raw);
    else if (r->status == HONE_E_CANCELLED || r->status == HONE_E_NOMEM ||
             r->status == HONE_E_NOT_FOUND || r->status == HONE_E_INVALID) {
        if (w->fatal == HONE_OK) {
            w->fatal = r->status;
            snprintf(w->why, sizeof w->why, "%.200s: %.*s", e->place.ptr,
                     (int)(r->why.len < 200 ? r->why.len : 200), r->why.len ? r->why.ptr : "");
        }
    } else if (r->status == HONE_E_LIMIT && r->attempts)
        finish(w, i, HONE_VERDICT_UNPARSED, r->why);
    else if (r->status == HONE_E_TIMEOUT && w->out_of_time && now_ns() >= w->out_of_time)
        finish(w, i, HONE_VERDICT_BUDGET, hone_str_c("the budget of seconds is spent"));
    else if (r->status != HONE_E_LIMIT) /* that one was not sent: it waits for the next wave */
        finish(w, i, HONE_VERDICT_TIMEOUT, r->why);
    count(w, i, r, a);
    json->release(e->json.self, doc);
    return s < 0 ? s : tell(w, w->at[i]);
}

/* ---- a wave ------------------------------------------------------------------------------------------------------ */

static hone_status no_memory(const endpoint *e)
{
    return hone_host_fail(e->host, HONE_E_NOMEM, "no memory for the requests");
}

/* Sends the first k of the questions at[]; `sends` tries together. */
static hone_status send_wave(wave *w, const hone_call *call, size_t k, uint64_t sends)
{
    endpoint *e = w->e;
    const hone_http_v1 *http = e->http.vt;
    const hone_http_header headers[] = {{{"Content-Type", 12}, {"application/json", 16}, {NULL, 0}},
                                        {{"Authorization", 13}, {"Bearer ", 7}, e->key}};
    const hone_http_sink sink = {sizeof sink, 0, w, take};
    hone_http_policy policy = e->policy;
    hone_call limited = {.struct_size = sizeof limited};
    const uint64_t left = budget_time_left(&e->budget), begun = now_ns();
    hone_http_request *r = pool_alloc(w->p, k, sizeof *r);
    if (!r)
        return no_memory(e);
    for (size_t i = 0; i < k; i++) {
        const grown *body = &w->jobs[w->at[i]].body;
        r[i].url = e->url;
        r[i].headers = headers;
        r[i].n_headers = e->key.len ? 2 : 1;
        r[i].body = (const uint8_t *)body->ptr;
        r[i].n_body = body->len;
    }
    if (call)
        memcpy(&limited, call,
               call->struct_size < sizeof limited ? call->struct_size : sizeof limited);
    limited.struct_size = sizeof limited;
    if (left != BUDGET_NONE && (!limited.deadline_ns || begun + left < limited.deadline_ns)) {
        limited.deadline_ns = begun + left;
        w->out_of_time = limited.deadline_ns;
    }
    policy.max_sends = sends;
    const hone_status s = http->exchange(e->http.self, &limited, &policy, r, k, sizeof *r, &sink);
    w->waited = now_ns() - begun;
    budget_waited(&e->budget, w->waited);
    return s;
}

/* ---- what outlives a box --------------------------------------------------------------------------------------------- */

enum { KEPT = 4 }; /* counters of the host's: calls, tokens, money, nanoseconds */

/* The host counts along, modulo 2^64: what is taken before it is sent, and afterwards what was used instead. A box that dies
 * between the two has spent all that was taken. */
static hone_status keep(const endpoint *e, const budget_sum *plus, const budget_sum *minus,
                        uint64_t ns)
{
    const hone_http_v1 *http = e->http.vt;
    const uint64_t more[KEPT] = {plus->calls - minus->calls, plus->tokens - minus->tokens,
                                 plus->money - minus->money, ns};
    uint64_t now;
    hone_status s = HONE_OK;
    for (uint32_t i = 0; s >= 0 && i < KEPT && HONE_HAS(http, hone_http_v1, count); i++)
        if (more[i])
            s = http->count(e->http.self, i, more[i], &now);
    return s;
}

/* What was spent before this box. */
static hone_status take_kept(endpoint *e)
{
    const hone_http_v1 *http = e->http.vt;
    uint64_t *const to[KEPT] = {&e->budget.used.calls, &e->budget.used.tokens,
                                &e->budget.used.money, &e->budget.ns_used};
    hone_status s = HONE_OK;
    for (uint32_t i = 0; s >= 0 && i < KEPT && HONE_HAS(http, hone_http_v1, count); i++)
        s = http->count(e->http.self, i, 0, to[i]);
    return s;
}

/* ---- waves ----------------------------------------------------------------------------------------------------------- */

static hone_status one_wave(wave *w, const hone_call *call, size_t *at, budget_worst *worst,
                            size_t n)
{
    endpoint *e = w->e;
    budget_sum taken;
    uint64_t sends = 0;
    char why[80];
    const size_t most = e->met ? n : 1;
    const size_t k = budget_time_left(&e->budget)
                         ? budget_reserve(&e->budget, worst, most, e->policy.tries, &sends, &taken)
                         : 0;
    w->at = at;
    w->worst = worst;
    memset(&w->used, 0, sizeof w->used);
    if (k == 0) { /* the next one may be shorter */
        const char *what = budget_short_of(&e->budget, worst);
        snprintf(why, sizeof why, "the budget of %s is spent", what ? what : "the moment");
        finish(w, 0, HONE_VERDICT_BUDGET, hone_str_c(why));
        return tell(w, at[0]);
    }
    const budget_sum none = {0};
    hone_status s = keep(e, &taken, &none, 0);
    if (s >= 0) {
        s = send_wave(w, call, k, sends);
        const hone_status after = keep(e, &w->used, &taken, w->waited);
        s = s < 0 ? s : after;
    }
    e->met = 1;
    if (budget_settle(&e->budget, &taken, &w->used) && !e->warned_usage) {
        e->warned_usage = 1;
        hone_host_log(e->host, HONE_LEVEL_WARN,
                      "%s: the server counts more tokens than its requests can take: it does not "
                      "keep to max_tokens, and the "
                      "budget cannot be kept exactly",
                      e->place.ptr);
    }
    if (s >= 0 && w->fatal < 0)
        s = hone_host_fail(e->host, w->fatal, "%s", w->why);
    return s;
}

static hone_status all_waves(wave *w, const hone_call *call, size_t n)
{
    endpoint *e = w->e;
    size_t *at = pool_alloc(w->p, n, sizeof *at);
    budget_worst *worst = pool_alloc(w->p, n, sizeof *worst);
    if (!at || !worst)
        return no_memory(e);
    for (;;) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            job *j = &w->jobs[i];
            if (j->done)
                continue;
            grown_release(&j->body);
            grown_init(&j->body, &e->own, BODY_MAX);
            j->takes = e->takes;
            endpoint_request(e, &w->questions[i], e->takes, &j->body, &worst[k]);
            if (j->body.failed)
                return no_memory(e);
            at[k++] = i;
        }
        if (k == 0)
            return HONE_OK;
        if (call && call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED))
            return hone_host_fail(e->host, HONE_E_CANCELLED, "cancelled");
        const hone_status s = one_wave(w, call, at, worst, k);
        if (s < 0)
            return s;
    }
}

hone_status endpoint_ask(endpoint *e, const hone_call *call, const endpoint_question *questions,
                         size_t n, pool *p, endpoint_fn fn, void *ctx)
{
    wave w = {.e = e, .p = p, .questions = questions, .fn = fn, .ctx = ctx};
    if (n == 0)
        return HONE_OK;
    w.answers = pool_alloc(p, n, sizeof *w.answers);
    w.jobs = pool_alloc(p, n, sizeof *w.jobs);
    if (!w.answers || !w.jobs)
        return no_memory(e);
    const hone_status s = all_waves(&w, call, n);
    for (size_t i = 0; i < n; i++)
        if (w.jobs[i].body.owner)
            grown_release(&w.jobs[i].body);
    return s;
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

hone_status endpoint_open(const hone_host *host, const endpoint_settings *settings, endpoint **out)
{
    hone_ref mem, http, json;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_JSON, &json);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_HTTP, &http);
    if (s < 0)
        return s;
    const hone_mem_v1 *mv = mem.vt;
    endpoint *e = mv->resize(mem.self, NULL, 0, sizeof *e);
    if (!e)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory for an endpoint");
    memset(e, 0, sizeof *e);
    e->host = host;
    e->http = http;
    e->json = json;
    e->own.mem = mem;
    e->takes = ENDPOINT_ALL;
    budget_init(&e->budget);
    s = endpoint_settings_read(e, settings);
    if (s >= 0)
        s = take_kept(e);
    if (s < 0) {
        endpoint_close(e);
        return s;
    }
    *out = e;
    return HONE_OK;
}

void endpoint_close(endpoint *e)
{
    if (!e)
        return;
    const hone_ref mem = e->own.mem;
    budget_release(&e->budget);
    pool_release(&e->own);
    ((const hone_mem_v1 *)mem.vt)->resize(mem.self, e, sizeof *e, 0);
}

int endpoint_otherwise(const endpoint *e)
{
    return e->otherwise;
}

hone_str endpoint_place(const endpoint *e)
{
    return e->place;
}
