/* validate_judge.c - judges: items with one, two and four candidates, and what a verdict may be (validate.h). */
#include "cli/validate.h"

#include "base/hash.h"
#include "base/rng.h"
#include "hone/judge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 4, CRITERIA = 2 };

typedef struct larger_item {
    hone_judge_item item;
    unsigned char poison[24];
} larger_item;
typedef struct larger_call {
    hone_call c;
    unsigned char poison[32];
} larger_call;

typedef struct verdicts {
    hone__v *v;
    const char *items;
    size_t stride, n;
    uint64_t *digest; /* 0: no verdict yet */
} verdicts;

static int make_item(const hone__vwork *w, size_t k, hone__vfence *texts, hone__vfence *tables,
                     hone_judge_item *it)
{
    const hone_rng_key key = {w->seed, HONE_RNG_USER, 0, k, 0};
    const size_t counts[] = {1, 2, MOST};
    const unsigned a = (unsigned)hone_rng_below(&key, 0, 90),
                   b = (unsigned)hone_rng_below(&key, 1, 90);
    char text[128];
    memset(it, 0, sizeof *it);
    it->id = k + 1;
    it->n_candidates = counts[k % 3];
    hone_str *c = hone__v_fence_take(tables, it->n_candidates * sizeof *c, 8);
    hone_criterion *crit = hone__v_fence_take(tables, CRITERIA * sizeof *crit, 8);
    hone_message *m = hone__v_fence_take(tables, sizeof *m, 8);
    hone_column *col = hone__v_fence_take(tables, sizeof *col, 8);
    if (!c || !crit || !m || !col)
        return 0;
    snprintf(text, sizeof text, "What is %u + %u?", a, b);
    it->prompt = hone__v_put_text(texts, text);
    for (size_t i = 0; i < it->n_candidates; i++) {
        snprintf(text, sizeof text, "It is %u.", a + b + (unsigned)hone_rng_below(&key, 2 + i, 3));
        if (w->items == HONE__V_ODD)
            c[i] = hone__v_odd_text(texts, k + i);
        else if (w->items == HONE__V_EMPTY)
            c[i] = (hone_str){NULL, 0};
        else if (w->items == HONE__V_ECHO)
            c[i] = it->prompt;
        else if (w->items != HONE__V_LONG)
            c[i] = hone__v_put_text(texts, text);
        else {
            char *p = hone__v_fence_take(texts, HONE__V_MEGABYTE, 1);
            if (!p)
                return 0;
            for (size_t at = 0; at < HONE__V_MEGABYTE; at++)
                p[at] = "It is 12. "[at % 10];
            c[i] = (hone_str){p, HONE__V_MEGABYTE};
        }
    }
    it->candidates = c;
    m->role = hone__v_put_text(texts, "user");
    m->content = it->prompt;
    it->messages = m;
    it->n_messages = 1;
    if (w->items == HONE__V_BARE)
        return 1;
    snprintf(text, sizeof text, "It is %u.", a + b);
    it->reference = w->items == HONE__V_ODD ? hone__v_odd_text(texts, k + 2)
                                            : hone__v_put_text(texts, text);
    if (k % 2) { /* a judge with a rubric of its own may refuse another */
        it->rubric = hone__v_put_text(texts, "Is the number right?");
        it->criteria = crit;
        it->n_criteria = CRITERIA;
    }
    for (int i = 0; i < CRITERIA; i++) {
        crit[i].name = hone__v_put_text(texts, i ? "short" : "right");
        crit[i].text = hone__v_put_text(texts, i ? "It says no more." : "The number is right.");
    }
    memset(col, 0, sizeof *col);
    col->name = hone__v_put_text(texts, "answer");
    col->value.type = HONE_STRING;
    col->value.u.str = it->reference;
    it->columns = col;
    it->n_columns = 1;
    return 1;
}

static uint64_t hash_str(hone_str s, uint64_t h)
{
    return hone_xxh64(s.ptr ? s.ptr : "", s.len, h);
}

static void check_verdict(hone__v *v, size_t item, const hone_judge_item *it, const hone_verdict *d)
{
    uint32_t seen = 0;
    if (d->status == HONE_PENDING || d->status > HONE_ERROR)
        return hone__v_fail(v, "item %zu: the verdict's status is %u", item, d->status);
    if (d->status != HONE_SCORE)
        return;
    if (!v->lenient && !d->ranking && !isfinite(d->score))
        return hone__v_fail(v, "item %zu: a verdict without a ranking whose score is %f", item,
                            d->score);
    if (d->ranking && d->n_ranking != it->n_candidates)
        return hone__v_fail(v, "item %zu: a ranking of %zu for %zu candidates", item, d->n_ranking,
                            it->n_candidates);
    for (size_t i = 0; d->ranking && i < d->n_ranking; i++) {
        if (d->ranking[i] >= it->n_candidates || (seen >> d->ranking[i] & 1))
            return hone__v_fail(v,
                                "item %zu: its ranking names candidate %u twice, or there is no "
                                "such one",
                                item, d->ranking[i]);
        seen |= 1u << d->ranking[i];
    }
    for (size_t i = 0; d->label_probs && i < d->n_label_probs; i++)
        if (!(d->label_probs[i] >= 0 && d->label_probs[i] <= 1.000001))
            return hone__v_fail(v, "item %zu: a label's probability is %f", item,
                                d->label_probs[i]);
}

static hone_status put(const hone_verdict_sink *sink, size_t item, const hone_verdict *given)
{
    verdicts *a = sink->ctx;
    hone_verdict d;
    memset(&d, 0, sizeof d);
    memcpy(&d, given, given->struct_size < sizeof d ? given->struct_size : sizeof d);
    if (item >= a->n)
        return hone__v_refuse(a->v, HONE_E_RANGE, "a verdict on item %zu of %zu", item, a->n);
    if (a->digest[item])
        return hone__v_refuse(a->v, HONE_E_EXISTS, "a second verdict on item %zu", item);
    const hone_judge_item *it = (const hone_judge_item *)(const void *)(a->items +
                                                                        item * a->stride);
    check_verdict(a->v, item, it, &d);
    uint64_t h = hone_xxh64(&d.status, sizeof d.status, 1);
    h = hone_xxh64(&d.score, d.ranking ? 0 : sizeof d.score, h);
    h = hone_xxh64(d.ranking ? d.ranking : &d.status, d.n_ranking * sizeof *d.ranking, h);
    h = hone_xxh64(d.criteria ? (const void *)d.criteria : &h,
                   d.criteria ? d.n_criteria * it->n_candidates * sizeof *d.criteria : 0, h);
    h = hash_str(d.spec_hash, hash_str(d.reasoning, h));
    a->digest[item] = h | 1;
    return HONE_OK;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    const size_t stride = w->larger ? sizeof(larger_item) : sizeof(hone_judge_item);
    const hone_judge_v1 *vt = i->vt;
    hone__vfence in = {0}, texts = {0}, tables = {0};
    verdicts a = {.v = v, .n = w->n, .stride = stride};
    hone_verdict_sink sink = {sizeof sink, 0, &a, put};
    hone_arena scratch;
    size_t each = w->items == HONE__V_LONG || w->items == HONE__V_ODD
                      ? (MOST + 1) * (size_t)HONE__V_MEGABYTE
                      : 1024;
    w->whole = 0;
    if (!HONE_HAS(vt, hone_judge_v1, judge)) {
        hone__v_fail(v, "its table has no judge");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone_arena_init(&scratch, (size_t)1 << 30);
    a.digest = hone_arena_calloc(&scratch, w->n + 1, sizeof *a.digest);
    hone_status s = a.digest ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = hone__v_fence_open(&texts, (w->n + 1) * each, "the texts of the items");
    if (s >= 0)
        s = hone__v_fence_open(&tables, (w->n + 1) * 512, "the candidates and criteria");
    if (s >= 0)
        s = hone__v_fence_open(&in, (w->n + 1) * stride + sizeof(larger_call), "the items");
    char *items = s >= 0 ? hone__v_fence_take(&in, w->n * stride, 8) : NULL;
    larger_call *call = s >= 0 ? hone__v_fence_take(&in, sizeof *call, 8) : NULL;
    for (size_t k = 0; s >= 0 && k < w->n; k++) {
        hone_judge_item one;
        memset(items + k * stride, 0xA5, stride);
        if (!make_item(w, w->index ? w->index[k] : k, &texts, &tables, &one))
            s = hone_fail(HONE_E_LIMIT, "the items do not fit");
        memcpy(items + k * stride, &one, sizeof one);
    }
    if (s >= 0) {
        char what[64];
        memset(call, 0xA5, sizeof *call);
        call->c = (hone_call){.struct_size = w->larger ? sizeof *call : sizeof call->c,
                              .n = (uint32_t)w->n,
                              .id = 1,
                              .cancelled = w->cancelled};
        hone__v_fence_readonly(&in);
        hone__v_fence_readonly(&texts);
        hone__v_fence_readonly(&tables);
        a.items = items;
        snprintf(what, sizeof what, "judge of %zu items", w->n);
        hone__v_enter(v, i, what);
        s = vt->judge(i->self, &call->c, (const hone_judge_item *)(const void *)items, w->n, stride,
                      &sink);
        s = hone__v_leave(v, i, "judge", s);
        if (s > 0)
            hone__v_fail(v, "judge returned %d: a status is 0 or negative", s);
        for (size_t k = 0; k < w->n; k++) {
            if (w->digest)
                w->digest[k] = a.digest[k];
            w->whole = hone_xxh64(&a.digest[k], sizeof a.digest[k], w->whole);
        }
    }
    hone__v_fence_close(&in, w->keep);
    hone__v_fence_close(&texts, w->keep);
    hone__v_fence_close(&tables, w->keep);
    hone_arena_release(&scratch);
    return s;
}

/* ---- tests of judges ------------------------------------------------------------------------------ */

static void t_answers(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_PLAIN, 12, "item");
}
static void t_empty(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_EMPTY, 6, "item");
}
static void t_echo(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_ECHO, 6, "item");
}
static void t_long(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_LONG, 3, "item");
}
static void t_bare(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_BARE, 6, "item");
}

static const hone__vtest tests[] = {
    {"judge.answers", t_answers, 0, "every item gets a verdict, with 1, 2 and 4 candidates"},
    {"judge.empty", t_empty, 0, "empty candidates"},
    {"judge.echo", t_echo, 0, "the prompt as the candidate"},
    {"judge.long", t_long, 0, "candidates of a megabyte"},
    {"judge.bare", t_bare, 0, "no reference, rubric or columns"},
    {"judge.strides", hone__v_strides, 0, "items further apart than their size"},
    {"judge.borrowed", hone__v_borrowed, 0, "nothing of a call is used after it"},
    {0}};
const hone__vkind hone__v_judge = {HONE_KIND_JUDGE, HONE_IFACE_JUDGE, NULL, work, tests, 1};
