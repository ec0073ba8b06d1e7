/* policy.c - the backends `policy` and `model`: models of this process, through the host's hone.model.scorer/1.
 *
 * `policy` asks the run's first policy, or the one that `model` names ("base": its weights with the adapter off); `model` asks another
 * model, which is loaded when the judge is made. A question with labels is one prefill with the labels as its children
 * (teacher forcing); one with a schema is an answer drawn within that schema, so that it cannot fail to parse unless it is cut.
 * Models with a chat template are given messages, others the text. */
#include "rubric.h"

#include "hone/scorer.h"

#include <math.h>

enum { TEMPLATE_UNKNOWN = 0, TEMPLATE_NONE, TEMPLATE_CHAT };

typedef struct scoring {
    hone_ref scorer;
    hone_str model; /* as the scorer spells it */
    size_t size;    /* of this */
    char checksum[17];
    int input; /* TEMPLATE_* */
    char name[];
} scoring;

/* ---- which model --------------------------------------------------------------------------------------------- */

/* What follows `"key":` in flat JSON of the host's; or NULL. */
static const char *value_of(hone_str json, const char *key, size_t *left)
{
    const size_t n = strlen(key);
    for (size_t i = 0; i + n + 3 < json.len; i++)
        if (json.ptr[i] == '"' && memcmp(json.ptr + i + 1, key, n) == 0 &&
            json.ptr[i + 1 + n] == '"' && json.ptr[i + 2 + n] == ':') {
            *left = json.len - (i + 3 + n);
            return json.ptr + i + 3 + n;
        }
    return NULL;
}

static hone_status take_description(const hone_text_sink *sink, size_t index, hone_str text)
{
    scoring *sc = sink->ctx;
    size_t left = 0;
    const char *at = value_of(text, "template", &left);
    (void)index;
    sc->input = at && left && *at == 't' ? TEMPLATE_CHAT : TEMPLATE_NONE;
    at = value_of(text, "checksum", &left);
    if (at && left > 17)
        memcpy(sc->checksum, at + 1, 16);
    return HONE_OK;
}

static hone_status describe(const rubric_judge *j, const hone_call *call)
{
    scoring *sc = j->state;
    const hone_model_scorer_v1 *vt = sc->scorer.vt;
    const hone_text_sink sink = {sizeof sink, 0, sc, take_description};
    if (!vt)
        return hone_host_fail(j->host, HONE_E_UNSUPPORTED, "there is no model here to ask");
    return vt->describe(sc->scorer.self, call, sc->model, &sink);
}

static hone_status open_scorer(rubric_judge *j, const hone_config *cfg, const char *prefix)
{
    const hone_mem_v1 *mem = j->mem.vt;
    const hone_str given = cfg->str(cfg, F_MODEL);
    const size_t k = strlen(prefix), size = sizeof(scoring) + k + given.len + 1;
    hone_ref scorer;
    hone_status s = j->host->get_iface(j->host, HONE_IFACE_SCORER, &scorer);
    if (s < 0 && s != HONE_E_NOT_FOUND)
        return s;
    if (s < 0) /* a rubric of programs needs none */
        memset(&scorer, 0, sizeof scorer);
    const hone_model_scorer_v1 *vt = scorer.vt;
    if (vt && (!HONE_HAS(vt, hone_model_scorer_v1, labels) ||
               !HONE_HAS(vt, hone_model_scorer_v1, describe)))
        return hone_host_fail(j->host, HONE_E_UNSUPPORTED,
                              "this host's models cannot be asked for labels and answers");
    scoring *sc = mem->resize(j->mem.self, NULL, 0, size);
    if (!sc)
        return hone_host_fail(j->host, HONE_E_NOMEM, "no memory for a judge");
    memset(sc, 0, size);
    sc->scorer = scorer;
    sc->size = size;
    memcpy(sc->name, prefix, k);
    if (given.len)
        memcpy(sc->name + k, given.ptr, given.len);
    sc->model = (hone_str){sc->name, k + given.len};
    j->state = sc;
    return HONE_OK;
}

static void close_scorer(rubric_judge *j)
{
    const hone_mem_v1 *mem = j->mem.vt;
    scoring *sc = j->state;
    mem->resize(j->mem.self, sc, sc->size, 0);
}

static hone_status open_policy(rubric_judge *j, const hone_config *cfg)
{
    return open_scorer(j, cfg, "");
}

/* Another model is loaded now: a run that it does not fit in is refused before it begins. */
static hone_status open_model(rubric_judge *j, const hone_config *cfg)
{
    const hone_str given = cfg->str(cfg, F_MODEL);
    if (!given.len)
        return hone_host_fail(j->host, HONE_E_INVALID,
                              "backend = \"model\" needs `model`: a known name, folder or file");
    const char *prefix = given.len > 6 && memcmp(given.ptr, "model:", 6) == 0 ? "" : "model:";
    hone_status s = open_scorer(j, cfg, prefix);
    if (s < 0)
        return s;
    s = describe(j, NULL);
    if (s < 0)
        close_scorer(j);
    return s;
}

static void about(const rubric_judge *j, const hone_config *cfg, rubric_about *a)
{
    const scoring *sc = j->state;
    rubric_add_text(a, "model", cfg->str(cfg, F_MODEL));
    if (sc->checksum[0])
        rubric_add_text(a, "checksum", hone_str_c(sc->checksum));
}

/* ---- labels ------------------------------------------------------------------------------------------------ */

/* The questions of one request, and where their answers go. */
typedef struct asking {
    rubric_pool *pool;
    hone_judging_answer **answers; /* by item of the request */
    size_t n;
} asking;

static hone_status take_labels(const hone_label_sink *sink, size_t item, const double *logprobs,
                               size_t n, uint64_t n_tokens)
{
    const asking *x = sink->ctx;
    if (item >= x->n)
        return HONE_E_RANGE;
    hone_judging_answer *a = x->answers[item];
    if (n == 0) { /* longer than the model's positions */
        a->detail = HONE_VERDICT_TRUNCATED;
        return HONE_OK;
    }
    double *copy = rubric_get(x->pool, n, sizeof *copy);
    if (!copy)
        return HONE_E_NOMEM;
    memcpy(copy, logprobs, n * sizeof *copy);
    a->detail = HONE_VERDICT_OK;
    a->label_logprobs = copy;
    a->n_labels = n;
    a->tokens_in = n_tokens;
    return HONE_OK;
}

static hone_status ask_labels(const scoring *sc, const hone_call *call, asking *x,
                              const hone_judging_question *q, size_t n, hone_judging_answer *a)
{
    const hone_model_scorer_v1 *vt = sc->scorer.vt;
    hone_label_item *items = rubric_get(x->pool, n, sizeof *items);
    x->n = 0;
    if (!items)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!q[i].n_labels)
            continue;
        const int chat = sc->input == TEMPLATE_CHAT && q[i].n_messages;
        items[x->n] = (hone_label_item){.prompt = q[i].text,
                                        .messages = chat ? q[i].messages : NULL,
                                        .n_messages = chat ? q[i].n_messages : 0,
                                        .begin = q[i].prefix,
                                        .labels = q[i].labels,
                                        .n_labels = q[i].n_labels};
        x->answers[x->n++] = &a[i];
    }
    const hone_label_sink sink = {sizeof sink, 0, x, take_labels};
    return x->n ? vt->labels(sc->scorer.self, call, sc->model, items, x->n, sizeof *items, &sink)
                : HONE_OK;
}

/* ---- answers ----------------------------------------------------------------------------------------------- */

static hone_status take_answer(const hone_answer_sink *sink, size_t item, hone_str text,
                               uint32_t finish, const int32_t *ids, const float *logprobs, size_t n,
                               uint64_t n_prompt)
{
    const asking *x = sink->ctx;
    int failed = 0;
    (void)ids;
    (void)logprobs;
    if (item >= x->n)
        return HONE_E_RANGE;
    hone_judging_answer *a = x->answers[item];
    a->text = rubric_keep(x->pool, text, &failed);
    a->detail = finish == HONE_FINISH_STOP ? HONE_VERDICT_OK : HONE_VERDICT_TRUNCATED;
    a->tokens_in = n_prompt;
    a->tokens_out = n;
    return failed ? HONE_E_NOMEM : HONE_OK;
}

/* Those questions from `first` on that are drawn by the same rule, in one request. */
static hone_status ask_answers(const scoring *sc, const hone_call *call, asking *x,
                               const hone_judging_question *q, size_t n, hone_judging_answer *a,
                               unsigned char *asked, size_t first)
{
    const hone_model_scorer_v1 *vt = sc->scorer.vt;
    hone_answer_item *items = rubric_get(x->pool, n - first, sizeof *items);
    const hone_answer_rule rule = {.struct_size = sizeof rule,
                                   .max_tokens = q[first].max_tokens ? (int32_t)q[first].max_tokens
                                                                     : 256,
                                   .temperature = q[first].temperature,
                                   .top_p = 1};
    x->n = 0;
    if (!items)
        return HONE_E_NOMEM;
    for (size_t i = first; i < n; i++) {
        if (asked[i] || q[i].n_labels || q[i].max_tokens != q[first].max_tokens ||
            q[i].temperature < q[first].temperature || q[i].temperature > q[first].temperature)
            continue;
        const int chat = sc->input == TEMPLATE_CHAT && q[i].n_messages;
        items[x->n] = (hone_answer_item){.prompt = q[i].text,
                                         .messages = chat ? q[i].messages : NULL,
                                         .n_messages = chat ? q[i].n_messages : 0,
                                         .begin = q[i].prefix,
                                         .schema = q[i].schema,
                                         .sample = q[i].seed};
        x->answers[x->n++] = &a[i];
        asked[i] = 1;
    }
    const hone_answer_sink sink = {sizeof sink, 0, x, take_answer};
    return vt->answers(sc->scorer.self, call, sc->model, &rule, items, x->n, sizeof *items, &sink);
}

static hone_status answer(rubric_judge *j, const hone_call *call, rubric_pool *pool,
                          const hone_judging_question *q, size_t n, hone_judging_answer *a)
{
    scoring *sc = j->state;
    asking x = {pool, rubric_get(pool, n, sizeof *x.answers), 0};
    unsigned char *asked = rubric_get(pool, n, 1);
    if (!x.answers || !asked)
        return HONE_E_NOMEM;
    hone_status s = sc->input == TEMPLATE_UNKNOWN ? describe(j, call) : HONE_OK;
    if (s >= 0)
        s = ask_labels(sc, call, &x, q, n, a);
    for (size_t i = 0; s >= 0 && i < n; i++)
        if (!asked[i] && !q[i].n_labels)
            s = ask_answers(sc, call, &x, q, n, a, asked, i);
    return s;
}

const rubric_backend rubric_policy = {"policy", open_policy, close_scorer, about, answer};
const rubric_backend rubric_model = {"model", open_model, close_scorer, about, answer};
