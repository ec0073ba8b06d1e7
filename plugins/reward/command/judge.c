/* judge.c - the judge "command": items as a line to a program, a line with their verdicts back.
 *
 * The rules of the reward's whole batches: a batch during which the program died is asked again, nothing is put into
 * the sink before the whole answer was read. */
#include "command.h"

#include <math.h>
#include <string.h>

static const hone_field *const fields[] = {COMMAND_FIELDS, NULL};

/* Room for the arrays of one verdict. */
typedef struct arrays {
    void *p;
    size_t size;
} arrays;

static void put_text(jtext *t, const char *key, hone_str s)
{
    if (!s.ptr)
        return;
    jtext_raw(t, key);
    jtext_string(t, s);
}

static void put_item(jtext *t, const hone_judge_item *it)
{
    jtext_raw(t, "{\"id\":");
    jtext_integer(t, (int64_t)it->id);
    put_text(t, ",\"prompt\":", it->prompt);
    jtext_raw(t, ",\"candidates\":[");
    for (size_t i = 0; i < it->n_candidates; i++) {
        jtext_raw(t, i ? "," : "");
        jtext_string(t, it->candidates[i]);
    }
    jtext_raw(t, "]");
    put_text(t, ",\"reference\":", it->reference);
    put_text(t, ",\"rubric\":", it->rubric);
    if (it->n_criteria)
        jtext_raw(t, ",\"criteria\":[");
    for (size_t i = 0; i < it->n_criteria; i++) {
        jtext_raw(t, i ? ",{\"name\":" : "{\"name\":");
        jtext_string(t, it->criteria[i].name);
        put_text(t, ",\"text\":", it->criteria[i].text);
        jtext_raw(t, "}");
    }
    if (it->n_criteria)
        jtext_raw(t, "]");
    put_row(t, it->messages, it->n_messages, it->columns, it->n_columns);
    jtext_raw(t, "}");
}

static const hone_judge_item *item_at(const hone_judge_item *items, size_t stride, size_t i)
{
    return (const hone_judge_item *)((const char *)items + i * stride);
}

/* ---- verdicts ------------------------------------------------------------------------------------------ */

/* Room for `n` numbers of `size` bytes behind what `a` already gave; NULL on no memory. */
static void *room(const command *c, arrays *a, size_t n, size_t size)
{
    void *p;
    if (n > SIZE_MAX / 16 / size)
        return NULL;
    p = memory_resize(&c->mem, NULL, 0, n ? n * size : 1);
    a->p = p;
    a->size = n ? n * size : 1;
    return p;
}

static size_t length(const hone_value *list)
{
    return list && list->type == HONE_LIST ? list->u.list.n : 0;
}

/* The ranking as candidate numbers, each at most once. */
static int read_ranking(const hone_value *list, size_t k, uint32_t *out)
{
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *v = &list->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0 || (uint64_t)v->u.i64 >= k)
            return 0;
        out[i] = (uint32_t)v->u.i64;
        for (size_t j = 0; j < i; j++)
            if (out[j] == out[i])
                return 0;
    }
    return 1;
}

/* Criteria x candidates; with one candidate a plain list will do. null: not judged. */
static int read_criteria(const hone_value *list, size_t k, double *out)
{
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *row = &list->u.list.items[i];
        if (row->type == HONE_LIST ? row->u.list.n != k : k != 1)
            return 0;
        for (size_t j = 0; j < k; j++) {
            const hone_value *v = row->type == HONE_LIST ? &row->u.list.items[j] : row;
            if (v->type == HONE_NULL)
                out[i * k + j] = (double)NAN;
            else if (!number_of(v, &out[i * k + j]))
                return 0;
        }
    }
    return 1;
}

static hone_str string_in(const hone_value *map, const char *name)
{
    const hone_value *v = member(map, name);
    hone_str none = {NULL, 0};
    return v && v->type == HONE_STRING ? v->u.str : none;
}

static hone_status put_failed(const hone_verdict_sink *sink, size_t i, uint32_t status,
                              hone_str why)
{
    hone_verdict v = {
        .struct_size = sizeof v, .status = status, .score = (double)NAN, .reasoning = why};
    return sink->put(sink, i, &v);
}

static hone_status put_verdict(command *c, const hone_judge_item *it, size_t i, const hone_value *m,
                               const hone_verdict_sink *sink)
{
    arrays a[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    const hone_value *ranking = member(m, "ranking"), *criteria = member(m, "criteria"),
                     *probs = member(m, "label_probs");
    size_t k = it->n_candidates;
    hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE, .score = (double)NAN};
    double latency = 0;
    int good = 1, any;
    hone_status s = HONE_OK;
    if (m->type == HONE_NULL)
        return put_failed(sink, i, HONE_ABSTAIN, string_in(m, "none"));
    if (member(m, "error"))
        return put_failed(sink, i, HONE_ERROR, string_in(m, "error"));
    if (member(m, "abstain"))
        return put_failed(sink, i, HONE_ABSTAIN, string_in(m, "abstain"));
    any = number_of(m->type == HONE_MAP ? member(m, "score") : m, &v.score) && isfinite(v.score);
    v.reasoning = string_in(m, "reasoning");
    v.spec_hash = string_in(m, "spec_hash");
    number_of(member(m, "cost"), &v.cost);
    if (number_of(member(m, "latency_ms"), &latency) && latency > 0 && latency < 1e12)
        v.latency_ns = (uint64_t)(latency * 1e6);
    if (length(ranking) && length(ranking) <= k) {
        v.n_ranking = length(ranking);
        v.ranking = room(c, &a[0], v.n_ranking, sizeof *v.ranking);
        good = v.ranking && read_ranking(ranking, k, a[0].p);
        any = 1;
    }
    if (good && length(criteria)) {
        v.n_criteria = length(criteria);
        v.criteria = k && v.n_criteria <= SIZE_MAX / 16 / k / sizeof(double)
                         ? room(c, &a[1], v.n_criteria * k, sizeof(double))
                         : NULL;
        good = v.criteria && read_criteria(criteria, k, a[1].p);
    }
    if (good && length(probs)) {
        v.n_label_probs = length(probs);
        v.label_probs = room(c, &a[2], v.n_label_probs, sizeof(double));
        good = v.label_probs != NULL;
        for (size_t j = 0; good && j < v.n_label_probs; j++)
            good = number_of(&probs->u.list.items[j], (double *)a[2].p + j);
    }
    if (!good || !any)
        s = put_failed(sink, i, HONE_ERROR,
                       hone_str_c("the program's answer for this item is no verdict"));
    else
        s = sink->put(sink, i, &v);
    for (int j = 0; j < 3; j++)
        if (a[j].p)
            memory_resize(&c->mem, a[j].p, a[j].size, 0);
    return s;
}

/* ---- the call ------------------------------------------------------------------------------------------ */

static hone_status ask(command *c, const hone_judge_item *items, size_t n, size_t stride,
                       const hone_process_wait *w, answer *a)
{
    program *p = &c->programs[0];
    hone_status s;
    command_begin(c, p);
    jtext_raw(&c->out, ",\"items\":[");
    for (size_t i = 0; i < n; i++) {
        jtext_raw(&c->out, i ? "," : "");
        put_item(&c->out, item_at(items, stride, i));
    }
    jtext_raw(&c->out, "]");
    s = command_send(c, p, w);
    return s < 0 ? s : command_receive(c, p, w, a);
}

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    command *c = self;
    const hone_process_wait w = command_wait(call);
    answer a = {NULL, NULL};
    hone_status s = HONE_E_IO;
    if (n == 0)
        return HONE_OK;
    for (int k = 0; k <= c->retries && s == HONE_E_IO; k++)
        s = ask(c, items, n, stride, &w, &a);
    if (s < 0)
        return s;
    const hone_value *list = member(a.root, "verdicts");
    if (!list || list->type != HONE_LIST)
        s = command_fail(c, HONE_E_PARSE, "the program's answer has no list \"verdicts\"");
    else if (list->u.list.n != n)
        s = command_fail(c, HONE_E_SHAPE, "the program answered %zu verdicts for %zu items",
                         list->u.list.n, n);
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = put_verdict(c, item_at(items, stride, i), i, &list->u.list.items[i], sink);
    answer_release(c, &a);
    return s < 0 ? s : HONE_OK;
}

static const hone_judge_v1 table = {.struct_size = sizeof(hone_judge_v1), .judge = judge};
static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    command *c = s < 0 ? NULL : memory_resize(&mem, NULL, 0, sizeof *c);
    if (!c)
        return s < 0 ? s : hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(c, 0, sizeof *c);
    c->mem = mem;
    s = command_open(c, "judge", 1, host, cfg);
    if (s < 0)
        memory_resize(&mem, c, sizeof *c, 0);
    else
        *self_out = c;
    return s;
}

static void destroy(void *self)
{
    command *c = self;
    memory mem = c->mem;
    command_close(c);
    memory_resize(&mem, c, sizeof *c, 0);
}

HONE_DEFINE_JUDGE(judge_command, table, .id = "org.hone.judge.command", .version = "0.1.0",
                  .vendor = "hone", .license = "MIT",
                  .summary = "what a program of yours says, in any language", .url = "",
                  .caps = COMMAND_CAPS, .fields = fields, .needs = command_needs, .create = create,
                  .destroy = destroy);
