/* judge.c - the reward that asks a judge: each sample becomes an item with one candidate, the verdict's score
 * its score.
 *
 * One call a batch, as the judge's own interface has it. A verdict that abstains or fails stays that; a verdict
 * without a score (only a ranking) is an error, and so is an item that the judge did not answer. The judge's
 * reasoning becomes the note "reasoning", its criteria the note "criteria", a map from their names. It declares nothing of itself (not reentrant, not batch-invariant),
 * since that is the judge's to know. */
#include "rewards.h"

#include "hone/judge.h"

#include <math.h>
#include <stdint.h>

typedef struct asking {
    reward base;
    hone_ref judge;
    hone_str reference, rubric;
} asking;

enum { F_JUDGE, F_REFERENCE, F_RUBRIC };
static const hone_field *const fields[] = {
    HONE_COMPONENT("judge", HONE_IFACE_JUDGE, HONE_REQUIRED, "the judge that is asked"),
    HONE_STR("reference", "reference", 0, "data column with the reference, where a row has it"),
    HONE_STR("rubric", NULL, 0, "rubric given to the judge; none: its own"), NULL};

/* What the sink of one call writes to. */
typedef struct answers {
    const asking *r;
    const hone_notes *notes;
    hone_outcome *out;
    size_t n, stride;
} answers;

/* The note "criteria": what was said of each criterion that has a name and a number. */
static void note_criteria(const answers *a, size_t item, const hone_verdict *v)
{
    size_t n = 0;
    if (!a->notes || !HONE_HAS(v, hone_verdict, criterion_names) || !v->criteria ||
        v->n_criteria == 0 || v->n_criteria > SIZE_MAX / sizeof(hone_pair))
        return;
    hone_pair *pairs = memory_get(&a->r->base, v->n_criteria * sizeof *pairs);
    if (!pairs)
        return;
    for (size_t i = 0; i < v->n_criteria; i++) /* one candidate: one column */
        if (isfinite(v->criteria[i])) {
            memset(&pairs[n], 0, sizeof pairs[n]);
            pairs[n].key = v->criterion_names[i];
            pairs[n].value.type = HONE_F64;
            pairs[n++].value.u.f64 = v->criteria[i];
        }
    const hone_value map = {.type = HONE_MAP, .u.map = {pairs, n}};
    if (n)
        a->notes->put(a->notes, item, hone_str_c("criteria"), &map);
    memory_put(&a->r->base, pairs, v->n_criteria * sizeof *pairs);
}

static hone_status put(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    const answers *a = sink->ctx;
    if (item >= a->n)
        return HONE_E_RANGE;
    if (a->notes && v->reasoning.len) {
        const int failed = v->status != HONE_SCORE;
        hone_value text = {.type = HONE_STRING, .u.str = v->reasoning};
        a->notes->put(a->notes, item, hone_str_c(failed ? "reason" : "reasoning"), &text);
    }
    note_criteria(a, item, v);
    if (v->status == HONE_SCORE && isfinite((float)v->score))
        hone_outcome_set(a->out, a->stride, item, HONE_SCORE, (float)v->score);
    else
        hone_outcome_set(a->out, a->stride, item,
                         v->status == HONE_ABSTAIN ? HONE_ABSTAIN : HONE_ERROR, 0);
    return HONE_OK;
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const asking *r = self;
    const hone_judge_v1 *vt = r->judge.vt;
    answers a = {r, notes, out, n, out_stride};
    const hone_verdict_sink sink = {sizeof sink, 0, &a, put};
    if (n == 0)
        return HONE_OK;
    if (n > SIZE_MAX / sizeof(hone_judge_item))
        return hone_host_fail(r->base.host, HONE_E_LIMIT, "%zu samples in one batch", n);
    hone_judge_item *items = memory_get(&r->base, n * sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    memset(items, 0, n * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        items[i].id = s->id;
        items[i].prompt = s->prompt;
        items[i].messages = s->messages;
        items[i].n_messages = s->n_messages;
        items[i].candidates = &s->completion;
        items[i].n_candidates = 1;
        items[i].rubric = r->rubric;
        items[i].columns = s->columns;
        items[i].n_columns = s->n_columns;
        for (size_t k = 0; k < s->n_columns; k++)
            if (s->columns[k].value.type == HONE_STRING &&
                s->columns[k].name.len == r->reference.len && r->reference.len &&
                memcmp(s->columns[k].name.ptr, r->reference.ptr, r->reference.len) == 0)
                items[i].reference = s->columns[k].value.u.str;
    }
    hone_status s = vt->judge(r->judge.self, call, items, n, sizeof *items, &sink);
    memory_put(&r->base, items, n * sizeof *items);
    return s;
}

static const hone_reward_v1 table = {sizeof(hone_reward_v1), 0, score, NULL, NULL};
static const void *get_iface(void *self, const char *iface_id)
{
    (void)self;
    return strcmp(iface_id, HONE_IFACE_REWARD) == 0 ? &table : NULL;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    hone_ref judge;
    hone_status s = cfg->component(cfg, F_JUDGE, &judge);
    if (s < 0)
        return s;
    s = reward_create(host, sizeof(asking), NULL, &base);
    if (s < 0)
        return s;
    asking *r = (asking *)base;
    r->judge = judge;
    r->reference = cfg->str(cfg, F_REFERENCE);
    r->rubric = cfg->str(cfg, F_RUBRIC);
    *self_out = r;
    return HONE_OK;
}

const hone_component judge_component = {.struct_size = sizeof(hone_component),
                                        .id = "org.hone.reward.judge",
                                        .kind = HONE_KIND_REWARD,
                                        .version = "0.1.0",
                                        .vendor = "hone",
                                        .license = "MIT",
                                        .summary = "what a judge says of each completion",
                                        .url = "",
                                        .fields = fields,
                                        .needs = reward_needs,
                                        .provides = reward_provides,
                                        .create = create,
                                        .destroy = reward_destroy,
                                        .get_iface = get_iface};
