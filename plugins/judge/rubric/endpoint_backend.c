/* endpoint_backend.c - the backend `endpoint`: the rubric judge's questions to the client of endpoint.h, and what follows when
 * its budget is spent.
 *
 * Answers are handed on one by one as they come, so that a verdict is out, and in the store, while other requests are still under way.
 * A budget that is spent: `abstain` leaves the verdicts at "budget"; `stop` puts them all and then ends the call with
 * E_LIMIT; `degrade` gives those items to the judge of the setting `otherwise` (judge.c). */
#include "endpoint.h"
#include "rubric.h"

static hone_status open_remote(rubric_judge *j, const hone_config *cfg)
{
    const endpoint_settings s = {.url = cfg->str(cfg, F_URL),
                                 .key = cfg->str(cfg, F_KEY),
                                 .model = cfg->str(cfg, F_MODEL),
                                 .prices = cfg->value(cfg, F_PRICES),
                                 .budget = cfg->value(cfg, F_BUDGET),
                                 .http = cfg->value(cfg, F_HTTP),
                                 .extra = cfg->value(cfg, F_EXTRA)};
    endpoint *client;
    hone_status st = endpoint_open(j->host, &s, &client);
    if (st < 0)
        return st;
    j->when_spent = endpoint_otherwise(client);
    if (j->when_spent == RUBRIC_DEGRADE && !cfg->is_set(cfg, F_OTHERWISE))
        st = hone_host_fail(
            j->host, HONE_E_INVALID,
            "budget.otherwise is \"degrade\": the setting `otherwise` names the judge to turn to");
    if (st >= 0 && j->when_spent == RUBRIC_DEGRADE)
        st = cfg->component(cfg, F_OTHERWISE, &j->otherwise);
    if (st < 0) {
        endpoint_close(client);
        return st;
    }
    j->state = client;
    return HONE_OK;
}

static void close_remote(rubric_judge *j)
{
    endpoint_close(j->state);
}

static void about(const rubric_judge *j, const hone_config *cfg, rubric_about *a)
{
    const hone_value *extra = cfg->value(cfg, F_EXTRA);
    rubric_add_text(a, "model", cfg->str(cfg, F_MODEL));
    rubric_add_text(a, "url", endpoint_place(j->state));
    if (extra && a->n < RUBRIC_ABOUT) {
        a->pairs[a->n].key = hone_str_c("extra");
        a->pairs[a->n++].value = *extra;
    }
}

typedef struct handing_on {
    rubric_judge *judge;
    rubric_pool *pool;
    const hone_judging_question *questions;
    hone_judging_answer *answers;
} handing_on;

static hone_status hand_on(void *ctx, size_t i, const endpoint_answer *from)
{
    const handing_on *h = ctx;
    hone_judging_answer *a = &h->answers[i];
    int failed = 0;
    a->detail = from->detail;
    a->text = rubric_keep(h->pool, from->text, &failed);
    a->cost = from->cost;
    a->latency_ns = from->latency_ns;
    a->tokens_in = from->tokens_in;
    a->tokens_out = from->tokens_out;
    if (from->label_logprobs) {
        const size_t n = h->questions[i].n_labels;
        double *p = rubric_get(h->pool, n, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        memcpy(p, from->label_logprobs, n * sizeof *p);
        a->label_logprobs = p;
        a->n_labels = n;
    }
    if (failed)
        return HONE_E_NOMEM;
    if (from->why.len && from->detail != HONE_VERDICT_OK)
        hone_host_log(h->judge->host, HONE_LEVEL_DEBUG, "item %llu: %.*s",
                      (unsigned long long)h->questions[i].item,
                      (int)(from->why.len < 300 ? from->why.len : 300), from->why.ptr);
    return rubric_answered(h->judge, a);
}

static hone_status answer(rubric_judge *j, const hone_call *call, rubric_pool *pool_of_call,
                          const hone_judging_question *questions, size_t n,
                          hone_judging_answer *answers)
{
    handing_on h = {j, pool_of_call, questions, answers};
    pool p = {.mem = j->mem};
    endpoint_question *q = pool_alloc(&p, n, sizeof *q);
    hone_status s = q ? HONE_OK
                      : hone_host_fail(j->host, HONE_E_NOMEM, "no memory for %zu questions", n);
    for (size_t i = 0; q && i < n; i++)
        q[i] = (endpoint_question){.messages = questions[i].messages,
                                   .n_messages = questions[i].n_messages,
                                   .prefix = questions[i].prefix,
                                   .labels = questions[i].labels,
                                   .n_labels = questions[i].n_labels,
                                   .schema = questions[i].schema,
                                   .temperature = questions[i].temperature,
                                   .seed = questions[i].seed,
                                   .max_tokens = questions[i].max_tokens};
    if (s >= 0)
        s = endpoint_ask(j->state, call, q, n, &p, hand_on, &h);
    pool_release(&p);
    return s;
}

const rubric_backend rubric_endpoint = {"endpoint", open_remote, close_remote, about, answer};
