/* policy.c - the backends `policy` and `model`: log-probs of labels through the host's hone.model.scorer/1.
 *
 * Each label of each question is one completion behind the question's text and prefix; the log-prob of a label is the sum
 * over its tokens (teacher forcing), so labels of several tokens are right too. */
#include "rubric.h"

#include "hone/scorer.h"

#include <math.h>

typedef struct scoring {
    hone_ref scorer;
    hone_str model;
} scoring;

static hone_status open_scorer(rubric_judge *j, const hone_config *cfg)
{
    const hone_mem_v1 *mem = j->mem.vt;
    const hone_value *decoding = cfg->value(cfg, F_DECODING);
    hone_ref scorer;
    for (size_t i = 0; decoding && decoding->type == HONE_MAP && i < decoding->u.map.n; i++) {
        const hone_pair *p = &decoding->u.map.pairs[i];
        if (p->key.len == 4 && memcmp(p->key.ptr, "mode", 4) == 0 && p->value.type == HONE_STRING &&
            p->value.u.str.len == 8)
            return hone_host_fail(
                j->host, HONE_E_UNSUPPORTED,
                "decoding.mode = \"generate\": this backend asks for labels only");
    }
    hone_status s = j->host->get_iface(j->host, HONE_IFACE_SCORER, &scorer);
    if (s < 0 && s != HONE_E_NOT_FOUND)
        return s;
    if (s < 0) /* a rubric of programs needs none */
        memset(&scorer, 0, sizeof scorer);
    scoring *sc = mem->resize(j->mem.self, NULL, 0, sizeof *sc);
    if (!sc)
        return hone_host_fail(j->host, HONE_E_NOMEM, "no memory for a judge");
    *sc = (scoring){scorer, cfg->str(cfg, F_MODEL)};
    j->state = sc;
    return HONE_OK;
}

static void close_scorer(rubric_judge *j)
{
    const hone_mem_v1 *mem = j->mem.vt;
    mem->resize(j->mem.self, j->state, sizeof(scoring), 0);
}

static void about(const rubric_judge *j, const hone_config *cfg, rubric_about *a)
{
    (void)j;
    rubric_add_text(a, "model", cfg->str(cfg, F_MODEL));
}

/* Where the log-probs of one request go: label by label, in the order of the items. */
typedef struct sums {
    double *sums;
    uint64_t *tokens;
    size_t n;
} sums;

static hone_status take_logprobs(const hone_logprob_sink *sink, size_t item, const int32_t *ids,
                                 const float *logprobs, size_t n)
{
    const sums *s = sink->ctx;
    (void)ids;
    if (item >= s->n)
        return HONE_E_RANGE;
    s->sums[item] = n ? 0 : (double)NAN;
    s->tokens[item] = n;
    for (size_t i = 0; i < n; i++)
        s->sums[item] += (double)logprobs[i];
    return HONE_OK;
}

static hone_status answer(rubric_judge *j, const hone_call *call, rubric_pool *pool,
                          const hone_judging_question *q, size_t n, hone_judging_answer *a)
{
    const scoring *sc = j->state;
    const hone_model_scorer_v1 *vt = sc->scorer.vt;
    size_t total = 0, at = 0;
    if (!vt)
        return hone_host_fail(j->host, HONE_E_UNSUPPORTED, "there is no model here to ask");
    for (size_t i = 0; i < n; i++)
        total += q[i].n_labels;
    hone_score_item *items = rubric_get(pool, total, sizeof *items);
    sums s = {rubric_get(pool, total, sizeof *s.sums), rubric_get(pool, total, sizeof *s.tokens),
              total};
    if (!items || !s.sums || !s.tokens)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        char *prompt = rubric_get(pool, q[i].text.len + q[i].prefix.len + 1, 1);
        if (!prompt)
            return HONE_E_NOMEM;
        memcpy(prompt, q[i].text.ptr, q[i].text.len);
        memcpy(prompt + q[i].text.len, q[i].prefix.ptr, q[i].prefix.len);
        for (size_t k = 0; k < q[i].n_labels; k++, at++) {
            items[at].prompt = (hone_str){prompt, q[i].text.len + q[i].prefix.len};
            items[at].completion = q[i].labels[k];
        }
    }
    const hone_logprob_sink sink = {sizeof sink, 0, &s, take_logprobs};
    const hone_status st = vt->logprobs(sc->scorer.self, call, sc->model, items, total,
                                        sizeof *items, &sink);
    if (st < 0)
        return st;
    at = 0;
    for (size_t i = 0; i < n; i++) {
        a[i].detail = HONE_VERDICT_OK;
        a[i].label_logprobs = s.sums + at;
        a[i].n_labels = q[i].n_labels;
        for (size_t k = 0; k < q[i].n_labels; k++)
            a[i].tokens_out += s.tokens[at + k];
        at += q[i].n_labels;
    }
    return HONE_OK;
}

const rubric_backend rubric_policy = {"policy", open_scorer, close_scorer, about, answer};
const rubric_backend rubric_model = {"model", open_scorer, close_scorer, about, answer};
