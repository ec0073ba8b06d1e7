/* judge.c - the judge `rubric`: settings, one batch from items to verdicts. See rubric.h.
 *
 * A call asks hone.judging/1 for the questions, has the backend answer them, and hands the answers back until no further
 * question comes: three rounds at most, as a question has three attempts. Only items that still wait have answers in a later
 * round; a verdict that came before is not passed on twice. */
#include "rubric.h"

#include <stdint.h>

static const char backends[] = "policy|model|endpoint";
static const rubric_backend *const table_of_backends[] = {&rubric_policy, &rubric_model,
                                                          &rubric_endpoint};

static const hone_field *const fields[] = {
    HONE_ANY("rubric", HONE_REQUIRED, "path of a rubric (a Lua data file), or its table"),
    HONE_ANY("prompt", 0, "path of a prompt, or its table; none: hone's own"),
    HONE_ENUM("backend", "policy", backends, 0,
              "who answers: a model of the run, another model, a server"),
    HONE_STR("model", NULL, 0, "which model; none: the first policy"),
    HONE_MAP_OF("decoding", 0,
                "mode (labels|generate), temperature, max_tokens, repeats, seed, max_field"),
    HONE_INT("orders", 0, 0, 4, 0,
             "in how many orders candidates are shown; 0: two for pairs, one otherwise"),
    HONE_F64("min_mass", .5, 0, 1, 0, "labels with less probability together are no verdict"),
    HONE_MAP_OF(
        "budget", 0,
        "calls, tokens, money, seconds; otherwise (stop|degrade|abstain): when it is spent"),
    HONE_STR("url", NULL, 0, "of an endpoint, as http://127.0.0.1:8080/v1"),
    HONE_STR("key", NULL, HONE_SECRET, "of an endpoint"),
    HONE_MAP_OF("prices", 0, "of an endpoint: input, output, per million tokens; currency"),
    HONE_MAP_OF(
        "http", 0,
        "of an endpoint: concurrency, rate, burst, tries, timeout, connect, backoff, backoff_max, "
        "retry_after_max, hedge, break_after, break, max_body; times in seconds"),
    HONE_MAP_OF("extra", 0, "of an endpoint: further members of each request"),
    HONE_COMPONENT("otherwise", HONE_IFACE_JUDGE, 0,
                   "judges what a spent budget leaves, with budget.otherwise = \"degrade\""),
    NULL};

/* ---- memory of a call -------------------------------------------------------------------------------------- */

typedef struct rubric_block {
    struct rubric_block *next;
    size_t size, used;
    _Alignas(16) char bytes[];
} rubric_block;

enum { BLOCK = 1 << 16 };

void *rubric_get(rubric_pool *p, size_t n, size_t size)
{
    const hone_mem_v1 *mem = p->judge->mem.vt;
    rubric_block *b = p->blocks;
    if (size && n > (SIZE_MAX / 4) / size) {
        hone_host_fail(p->judge->host, HONE_E_LIMIT, "%zu elements are too many", n);
        return NULL;
    }
    const size_t want = (n * size + 15) & ~(size_t)15;
    if (!b || b->size - b->used < want) {
        const size_t bytes = want > BLOCK ? want : BLOCK;
        b = mem->resize(p->judge->mem.self, NULL, 0, sizeof *b + bytes);
        if (!b) {
            hone_host_fail(p->judge->host, HONE_E_NOMEM, "no memory for %zu bytes", bytes);
            return NULL;
        }
        b->next = p->blocks;
        b->size = bytes;
        b->used = 0;
        p->blocks = b;
    }
    void *out = b->bytes + b->used;
    b->used += want;
    memset(out, 0, want);
    return out;
}

static void free_pool(rubric_pool *p)
{
    const hone_mem_v1 *mem = p->judge->mem.vt;
    while (p->blocks) {
        rubric_block *b = p->blocks;
        p->blocks = b->next;
        mem->resize(p->judge->mem.self, b, sizeof *b + b->size, 0);
    }
}

hone_str rubric_keep(rubric_pool *p, hone_str s, int *failed)
{
    char *copy = s.len ? rubric_get(p, s.len, 1) : NULL;
    if (s.len && !copy)
        *failed = 1;
    if (copy)
        memcpy(copy, s.ptr, s.len);
    return (hone_str){copy, copy ? s.len : 0};
}

void rubric_add_text(rubric_about *a, const char *key, hone_str value)
{
    if (a->n == RUBRIC_ABOUT)
        return;
    a->pairs[a->n].key = hone_str_c(key);
    a->pairs[a->n].value = (hone_value){.type = HONE_STRING, .u.str = value};
    a->n++;
}

/* ---- one batch ------------------------------------------------------------------------------------------------ */

typedef struct rubric_batch {
    rubric_judge *judge;
    rubric_pool pool;
    const hone_verdict_sink *out;
    const hone_call *call;
    const hone_judge_item *items;
    size_t stride, from;              /* from: the item that hone.judging/1 calls 0 now */
    hone_judging_question *questions; /* of this round */
    hone_judging_answer *answers;     /* of all rounds; those of items that wait are used again */
    size_t n_questions, cap_questions, n_answers, cap_answers;
    unsigned char *done;
    size_t *waiting;        /* of each item: questions of this round that are not answered */
    unsigned char *settled; /* of each item: settled in this round */
    size_t *spent, n_spent; /* items that a spent budget did not reach */
    size_t n;
} batch;

/* Room for one more; the old array stays in the pool. */
static void *grown(batch *b, void *old, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return old;
    const size_t more = *cap ? 2 * *cap : 64;
    void *p = rubric_get(&b->pool, more, size);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, old, n * size);
    *cap = more;
    return p;
}

static hone_str *keep_all(batch *b, const hone_str *in, size_t n, int *failed)
{
    hone_str *out = rubric_get(&b->pool, n, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = rubric_keep(&b->pool, in[i], failed);
    *failed |= !out;
    return out;
}

static hone_status take_question(const hone_judging_sink *sink, const hone_judging_question *q)
{
    batch *b = sink->ctx;
    hone_judging_question *list = grown(b, b->questions, b->n_questions, &b->cap_questions,
                                        sizeof *list);
    int failed = 0;
    if (!list)
        return HONE_E_NOMEM;
    b->questions = list;
    hone_judging_question *to = &list[b->n_questions];
    *to = *q;
    to->item += b->from;
    to->text = rubric_keep(&b->pool, q->text, &failed);
    to->prefix = rubric_keep(&b->pool, q->prefix, &failed);
    to->schema = rubric_keep(&b->pool, q->schema, &failed);
    if (q->n_labels)
        to->labels = keep_all(b, q->labels, q->n_labels, &failed);
    hone_message *m = rubric_get(&b->pool, q->n_messages, sizeof *m);
    for (size_t i = 0; m && i < q->n_messages; i++) {
        m[i].role = rubric_keep(&b->pool, q->messages[i].role, &failed);
        m[i].content = rubric_keep(&b->pool, q->messages[i].content, &failed);
    }
    to->messages = m;
    if (failed || !m)
        return HONE_E_NOMEM;
    b->n_questions++;
    return HONE_OK;
}

static hone_status take_verdict(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    batch *b = sink->ctx;
    item += b->from;
    if (item >= b->n)
        return hone_host_fail(b->judge->host, HONE_E_RANGE, "a verdict on item %zu of %zu", item,
                              b->n);
    if (b->done[item])
        return HONE_OK;
    b->done[item] = 1;
    if (v->detail == HONE_VERDICT_BUDGET) {
        b->spent[b->n_spent++] = item;
        if (b->judge->when_spent == RUBRIC_DEGRADE)
            return HONE_OK; /* its verdict comes from the other judge */
    }
    return b->out->put(b->out, item, v);
}

/* Verdicts on `n` items from item `from` on, with their answers. */
static hone_status settle(batch *b, size_t from, size_t n, hone_judging_answer *answers, size_t k)
{
    const hone_judging_v1 *jv = b->judge->judging.vt;
    const hone_judging_sink questions = {sizeof questions, 0, b, take_question};
    const hone_verdict_sink verdicts = {sizeof verdicts, 0, b, take_verdict};
    const void *items = (const char *)b->items + from * b->stride;
    b->from = from;
    const hone_status s = jv->settle(b->judge->judging.self, b->judge->spec, b->call, items, n,
                                     b->stride, answers, k, sizeof *answers, &verdicts, &questions);
    b->from = 0;
    return s;
}

hone_status rubric_answered(rubric_judge *j, const hone_judging_answer *a)
{
    batch *b = j->at;
    size_t k = 0;
    if (!b || a->item >= b->n || b->waiting[a->item] == 0 || --b->waiting[a->item])
        return HONE_OK;
    for (size_t i = 0; i < b->n_answers; i++)
        k += b->answers[i].item == a->item;
    hone_judging_answer *list = rubric_get(&b->pool, k, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    k = 0;
    for (size_t i = 0; i < b->n_answers; i++)
        if (b->answers[i].item == a->item) {
            list[k] = b->answers[i];
            list[k++].item = 0;
        }
    b->settled[a->item] = 1;
    return settle(b, (size_t)a->item, 1, list, k);
}

/* What no answer has settled alone: the first time, also the items that nothing was asked about. */
static hone_status settle_rest(batch *b, int first)
{
    size_t k = 0;
    for (size_t i = 0; i < b->n_answers; i++)
        k += !b->settled[b->answers[i].item];
    if (k == 0 && !first)
        return HONE_OK;
    hone_judging_answer *list = rubric_get(&b->pool, k, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    k = 0;
    for (size_t i = 0; i < b->n_answers; i++)
        if (!b->settled[b->answers[i].item])
            list[k++] = b->answers[i];
    return settle(b, 0, b->n, list, k);
}

/* Answers the questions of this round; they are behind the answers that are kept. */
static hone_status answer_round(batch *b, const hone_call *call)
{
    const size_t n = b->n_questions, first = b->n_answers;
    while (b->cap_answers < first + n) {
        hone_judging_answer *more = grown(b, b->answers, b->cap_answers, &b->cap_answers,
                                          sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        b->answers = more;
    }
    memset(b->waiting, 0, b->n * sizeof *b->waiting);
    memset(b->settled, 0, b->n);
    for (size_t i = 0; i < n; i++) {
        b->answers[first + i] = (hone_judging_answer){.item = b->questions[i].item,
                                                      .number = b->questions[i].number,
                                                      .attempt = b->questions[i].attempt,
                                                      .detail = HONE_VERDICT_UNPARSED};
        b->waiting[b->questions[i].item]++;
    }
    b->n_answers += n;
    const hone_judging_question *asked = b->questions;
    b->questions = NULL; /* new ones may come while these are answered */
    b->n_questions = b->cap_questions = 0;
    return n ? b->judge->backend->answer(b->judge, call, &b->pool, asked, n, b->answers + first)
             : HONE_OK;
}

static void drop_done(batch *b)
{
    size_t k = 0;
    for (size_t i = 0; i < b->n_answers; i++)
        if (!b->done[b->answers[i].item])
            b->answers[k++] = b->answers[i];
    b->n_answers = k;
}

static hone_status run(batch *b)
{
    const hone_judging_v1 *jv = b->judge->judging.vt;
    const hone_judging_sink questions = {sizeof questions, 0, b, take_question};
    hone_status s = jv->ask(b->judge->judging.self, b->judge->spec, b->items, b->n, b->stride,
                            &questions);
    for (int first = 1; s >= 0 && (first || b->n_questions); first = 0) {
        s = answer_round(b, b->call);
        if (s >= 0)
            s = settle_rest(b, first);
        drop_done(b);
    }
    return s;
}

/* ---- when a budget is spent ------------------------------------------------------------------------------------- */

static hone_status put_for(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    batch *b = sink->ctx;
    if (item >= b->n_spent)
        return hone_host_fail(b->judge->host, HONE_E_RANGE, "a verdict on item %zu of %zu", item,
                              b->n_spent);
    return b->out->put(b->out, b->spent[item], v);
}

static hone_status turn_to_other(batch *b)
{
    const hone_judge_v1 *vt = b->judge->otherwise.vt;
    const hone_verdict_sink sink = {sizeof sink, 0, b, put_for};
    hone_judge_item *items = rubric_get(&b->pool, b->n_spent, sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    const size_t known = b->stride < sizeof *items ? b->stride : sizeof *items; /* an older host */
    for (size_t i = 0; i < b->n_spent; i++)
        memcpy(&items[i], (const char *)b->items + b->spent[i] * b->stride, known);
    hone_host_log(b->judge->host, HONE_LEVEL_INFO,
                  "the budget is spent: the other judge is asked about %zu items", b->n_spent);
    return vt->judge(b->judge->otherwise.self, b->call, items, b->n_spent, sizeof *items, &sink);
}

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    rubric_judge *j = self;
    batch b = {.judge = j,
               .pool = {j, NULL},
               .out = sink,
               .call = call,
               .items = items,
               .stride = stride,
               .n = n};
    if (n == 0)
        return HONE_OK;
    b.done = rubric_get(&b.pool, n, 1);
    b.settled = rubric_get(&b.pool, n, 1);
    b.waiting = rubric_get(&b.pool, n, sizeof *b.waiting);
    b.spent = rubric_get(&b.pool, n, sizeof *b.spent);
    j->at = &b;
    hone_status s = b.done && b.settled && b.waiting && b.spent ? run(&b) : HONE_E_NOMEM;
    j->at = NULL;
    if (s >= 0 && b.n_spent && j->when_spent == RUBRIC_DEGRADE)
        s = turn_to_other(&b);
    else if (s >= 0 && b.n_spent && j->when_spent == RUBRIC_STOP)
        s = hone_host_fail(
            j->host, HONE_E_LIMIT,
            "the budget is spent: %zu items have no verdict (budget.otherwise is \"stop\")",
            b.n_spent);
    free_pool(&b.pool);
    return s;
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

static hone_str spec(void *self)
{
    rubric_judge *j = self;
    return ((const hone_judging_v1 *)j->judging.vt)->describe(j->judging.self, j->spec);
}

static void destroy(void *self)
{
    rubric_judge *j = self;
    const hone_mem_v1 *mem = j->mem.vt;
    ((const hone_judging_v1 *)j->judging.vt)->close(j->judging.self, j->spec);
    j->backend->close(j);
    mem->resize(j->mem.self, j, sizeof *j, 0);
}

static void put_setting(hone_pair *pairs, size_t *n, const char *key, const hone_value *v)
{
    if (!v)
        return;
    pairs[*n].key = hone_str_c(key);
    pairs[*n].value = *v;
    ++*n;
}

/* The settings that are the host's business, with what the backend adds to the spec. */
static hone_status open_spec(rubric_judge *j, const hone_config *cfg)
{
    const hone_judging_v1 *jv = j->judging.vt;
    hone_pair pairs[8];
    rubric_about about = {.n = 0};
    size_t n = 0;
    memset(pairs, 0, sizeof pairs);
    memset(&about, 0, sizeof about);
    rubric_add_text(&about, "backend", hone_str_c(j->backend->name));
    j->backend->about(j, cfg, &about);
    const hone_value orders = {.type = HONE_I64, .u.i64 = cfg->i64(cfg, F_ORDERS)};
    const hone_value mass = {.type = HONE_F64, .u.f64 = cfg->f64(cfg, F_MIN_MASS)};
    const hone_value with = {.type = HONE_MAP, .u.map = {about.pairs, about.n}};
    put_setting(pairs, &n, "rubric", cfg->value(cfg, F_RUBRIC));
    put_setting(pairs, &n, "prompt", cfg->value(cfg, F_PROMPT));
    put_setting(pairs, &n, "decoding", cfg->value(cfg, F_DECODING));
    put_setting(pairs, &n, "orders", &orders);
    put_setting(pairs, &n, "min_mass", &mass);
    put_setting(pairs, &n, "with", &with);
    const hone_value settings = {.type = HONE_MAP, .u.map = {pairs, n}};
    return jv->open(j->judging.self, &settings, &j->spec);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    hone_ref mem, judging;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_JUDGING, &judging);
    if (s < 0)
        return s;
    const hone_mem_v1 *mv = mem.vt;
    rubric_judge *j = mv->resize(mem.self, NULL, 0, sizeof *j);
    if (!j)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory for a judge");
    *j = (rubric_judge){.host = host, .mem = mem, .judging = judging};
    j->backend = table_of_backends[cfg->i64(cfg, F_BACKEND)];
    s = j->backend->open(j, cfg);
    if (s >= 0 && (s = open_spec(j, cfg)) < 0)
        j->backend->close(j);
    if (s < 0) {
        mv->resize(mem.self, j, sizeof *j, 0);
        return s;
    }
    *self_out = j;
    return HONE_OK;
}

static const hone_judge_v1 judge_v1 = {
    .struct_size = sizeof judge_v1, .judge = judge, .spec = spec};
static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_JUDGING, NULL};

HONE_DEFINE_JUDGE(rubric_component, judge_v1, .id = "org.hone.judge.rubric", .version = "0.1.0",
                  .vendor = "hone", .license = "MIT",
                  .summary = "judges by a rubric, with the run's model, another one or an endpoint",
                  .url = "", .caps = HONE_CAP_SLOW | HONE_CAP_NET, .fields = fields, .needs = needs,
                  .create = create, .destroy = destroy);
