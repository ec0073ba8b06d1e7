/* validate_environment.c - environments: episodes begun, played for a turn, and let go (validate.h).
 *
 * One ordinary call is a whole small rollout: reset of n episodes, a step of those that go on, forget. What came out is
 * compared in digests as for other kinds. Ids differ between calls on purpose: what an environment keeps of one call may
 * not show in another. */
#include "cli/validate.h"

#include "base/hash.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "hone/environment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct larger_episode {
    hone_episode e;
    unsigned char poison[24];
} larger_episode;
typedef struct larger_action {
    hone_action a;
    unsigned char poison[24];
} larger_action;
typedef struct larger_call {
    hone_call c;
    unsigned char poison[32];
} larger_call;

typedef struct answers {
    hone__v *v;
    const char *what;
    size_t n;
    uint64_t *digest; /* of each item of the call: 0: no answer yet */
    uint32_t *status;
} answers;

static uint64_t hash_str(hone_str s, uint64_t h)
{
    return hone_xxh64(s.ptr ? s.ptr : "", s.len, h);
}

static hone_status put(const hone_observation_sink *sink, size_t item,
                       const hone_observation *given)
{
    answers *a = sink->ctx;
    hone_observation o;
    memset(&o, 0, sizeof o);
    memcpy(&o, given, given->struct_size < sizeof o ? given->struct_size : sizeof o);
    if (item >= a->n)
        return hone__v_refuse(a->v, HONE_E_RANGE, "%s: an answer to item %zu of %zu", a->what, item,
                              a->n);
    if (a->digest[item])
        return hone__v_refuse(a->v, HONE_E_EXISTS, "%s: a second answer to item %zu", a->what,
                              item);
    if (o.status < HONE_EPISODE_ON || o.status > HONE_EPISODE_ERROR)
        hone__v_fail(a->v, "%s: item %zu: its status is %u", a->what, item, o.status);
    else if (!a->v->lenient && !isfinite(o.reward))
        hone__v_fail(a->v, "%s: item %zu: its reward is %f", a->what, item, o.reward);
    else if (!hone_utf8_valid(o.text) || !hone_utf8_valid(o.role))
        hone__v_fail(a->v, "%s: item %zu: its text is no valid UTF-8", a->what, item);
    a->status[item] = o.status;
    uint64_t h = hone_xxh64(&o.status, sizeof o.status, 1);
    h = hone_xxh64(&o.reward, sizeof o.reward, h);
    a->digest[item] = hash_str(o.reason, hash_str(o.role, hash_str(o.text, h))) | 1;
    return HONE_OK;
}

/* What item k is about: a question with an answer in its row. */
static int make_episode(const hone__vwork *w, size_t k, uint64_t id, hone__vfence *texts,
                        hone__vfence *tables, hone_episode *e)
{
    const hone_rng_key key = {w->seed, HONE_RNG_USER, 0, k, 0};
    const unsigned a = (unsigned)hone_rng_below(&key, 0, 90),
                   b = (unsigned)hone_rng_below(&key, 1, 90);
    char text[96];
    memset(e, 0, sizeof *e);
    e->id = id;
    e->group = k;
    e->seed = hone_rng_u64(&key, 2);
    snprintf(text, sizeof text, "What is %u + %u?", a, b);
    e->prompt = w->items == HONE__V_ODD ? hone__v_odd_text(texts, k)
                                        : hone__v_put_text(texts, text);
    if (w->items == HONE__V_BARE)
        return 1;
    hone_column *col = hone__v_fence_take(tables, sizeof *col, 8);
    if (!col)
        return 0;
    snprintf(text, sizeof text, "%u", a + b);
    memset(col, 0, sizeof *col);
    col->name = hone__v_put_text(texts, "answer");
    col->value.type = HONE_STRING;
    col->value.u.str = hone__v_put_text(texts, text);
    e->columns = col;
    e->n_columns = 1;
    return 1;
}

/* What the policy says in episode k: mostly an answer, sometimes something that calls for another turn. */
static hone_str said(const hone__vwork *w, size_t k, hone__vfence *texts)
{
    static const char *const plain[] = {"3+4=", "Answer: 7", "<call>12</call>", "I do not know."};
    if (w->items == HONE__V_ODD)
        return hone__v_odd_text(texts, k + 1);
    if (w->items == HONE__V_EMPTY)
        return (hone_str){NULL, 0};
    if (w->items != HONE__V_LONG)
        return hone__v_put_text(texts, plain[k % 4]);
    char *p = hone__v_fence_take(texts, HONE__V_MEGABYTE, 1);
    for (size_t at = 0; p && at < HONE__V_MEGABYTE; at++)
        p[at] = "3+4=7 and "[at % 10];
    return (hone_str){p, p ? HONE__V_MEGABYTE : 0};
}

typedef struct playing {
    hone__vfence in, texts, tables;
    char *episodes, *actions;
    larger_call *call;
    size_t episode_stride, action_stride;
    answers reset, step;
    uint64_t *id, *digest; /* of the episodes; digest: of their steps */
} playing;

static hone_status room(hone__v *v, const hone__vwork *w, hone_arena *a, playing *p)
{
    const size_t n = w->n + 1, each = w->items == HONE__V_LONG || w->items == HONE__V_ODD
                                          ? 2 * (size_t)HONE__V_MEGABYTE
                                          : 512;
    p->episode_stride = w->larger ? sizeof(larger_episode) : sizeof(hone_episode);
    p->action_stride = w->larger ? sizeof(larger_action) : sizeof(hone_action);
    p->reset = (answers){v, "reset", w->n, hone_arena_calloc(a, n, sizeof(uint64_t)),
                         hone_arena_calloc(a, n, sizeof(uint32_t))};
    p->step = (answers){v, "step", 0, hone_arena_calloc(a, n, sizeof(uint64_t)),
                        hone_arena_calloc(a, n, sizeof(uint32_t))};
    p->id = hone_arena_calloc(a, n, sizeof *p->id);
    p->digest = hone_arena_calloc(a, n, sizeof *p->digest);
    if (!p->reset.digest || !p->reset.status || !p->step.digest || !p->step.status || !p->id ||
        !p->digest)
        return HONE_E_NOMEM;
    HONE_TRY(hone__v_fence_open(&p->texts, n * each, "the texts of the episodes"));
    HONE_TRY(hone__v_fence_open(&p->tables, n * 128, "their columns"));
    HONE_TRY(hone__v_fence_open(&p->in,
                                n * (p->episode_stride + p->action_stride) + sizeof(larger_call),
                                "the episodes and actions"));
    p->episodes = hone__v_fence_take(&p->in, w->n * p->episode_stride, 8);
    p->actions = hone__v_fence_take(&p->in, w->n * p->action_stride, 8);
    p->call = hone__v_fence_take(&p->in, sizeof *p->call, 8);
    return p->episodes && p->actions && p->call ? HONE_OK : HONE_E_NOMEM;
}

/* Everything is written before the first call: from then on it is read-only. */
static hone_status fill(const hone__vwork *w, playing *p)
{
    static uint64_t ids;
    memset(p->call, 0xA5, sizeof *p->call);
    p->call->c = (hone_call){.struct_size = w->larger ? sizeof *p->call : sizeof p->call->c,
                             .n = (uint32_t)w->n,
                             .id = 1,
                             .cancelled = w->cancelled};
    memset(p->episodes, 0xA5, w->n * p->episode_stride);
    memset(p->actions, 0xA5, w->n * p->action_stride);
    for (size_t k = 0; k < w->n; k++) {
        const size_t which = w->index ? w->index[k] : k;
        hone_episode e;
        p->id[k] = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
        if (!make_episode(w, which, p->id[k], &p->texts, &p->tables, &e))
            return hone_fail(HONE_E_LIMIT, "the episodes do not fit");
        memcpy(p->episodes + k * p->episode_stride, &e, sizeof e);
        hone_action a = {.id = p->id[k],
                         .text = said(w, which, &p->texts),
                         .turn = 1,
                         .finish = HONE_FINISH_STOP,
                         .last = which % 5 == 4};
        memcpy(p->actions + k * p->action_stride, &a, sizeof a);
    }
    return HONE_OK;
}

static hone_status called(hone__v *v, hone__vinst *i, const char *what, hone_status s)
{
    s = hone__v_leave(v, i, what, s);
    if (s > 0)
        hone__v_fail(v, "%s returned %d: a status is 0 or negative", what, s);
    return s;
}

static hone_status play(hone__v *v, hone__vinst *i, const hone__vwork *w, playing *p)
{
    const hone_environment_v1 *vt = i->vt;
    const hone_observation_sink first = {sizeof first, 0, &p->reset, put},
                                then = {sizeof then, 0, &p->step, put};
    char what[64];
    snprintf(what, sizeof what, "reset of %zu episodes", w->n);
    hone__v_enter(v, i, what);
    HONE_TRY(called(v, i, "reset",
                    vt->reset(i->self, &p->call->c, (const hone_episode *)(const void *)p->episodes,
                              w->n, p->episode_stride, &first)));
    for (size_t k = 0; k < w->n; k++)
        if (p->reset.digest[k] && p->reset.status[k] == HONE_EPISODE_DONE)
            hone__v_fail(v, "reset: item %zu is over before it began", k);
    size_t from = 0;
    hone_status s = HONE_OK;
    while (s >= 0 && from < w->n) { /* in runs without gaps */
        size_t to = from;
        while (to < w->n && p->reset.status[to] == HONE_EPISODE_ON)
            to++;
        if (to > from) {
            p->step.n = to - from;
            memset(p->step.digest, 0, p->step.n * sizeof *p->step.digest);
            snprintf(what, sizeof what, "step of %zu episodes", to - from);
            hone__v_enter(v, i, what);
            s = called(
                v, i, "step",
                vt->step(i->self, &p->call->c,
                         (const hone_action *)(const void *)(p->actions + from * p->action_stride),
                         to - from, p->action_stride, &then));
            for (size_t k = from; k < to; k++)
                p->digest[k] = p->step.digest[k - from];
        }
        from = to + 1;
    }
    return s;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    const hone_environment_v1 *vt = i->vt;
    playing p;
    hone_arena scratch;
    memset(&p, 0, sizeof p);
    w->whole = 0;
    if (!HONE_HAS(vt, hone_environment_v1, reset) || !HONE_HAS(vt, hone_environment_v1, step)) {
        hone__v_fail(v, "its table has no reset or no step");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone_arena_init(&scratch, (size_t)1 << 30);
    hone_status s = room(v, w, &scratch, &p);
    if (s >= 0)
        s = fill(w, &p);
    if (s >= 0) {
        hone__v_fence_readonly(&p.in);
        hone__v_fence_readonly(&p.texts);
        hone__v_fence_readonly(&p.tables);
        s = play(v, i, w, &p);
        if (HONE_HAS(vt, hone_environment_v1, forget)) {
            hone__v_enter(v, i, "forget");
            hone_status gone = called(v, i, "forget", vt->forget(i->self, p.id, w->n));
            s = s < 0 ? s : gone;
        }
        for (size_t k = 0; k < w->n; k++) {
            const uint64_t both[2] = {p.reset.digest[k], p.digest[k]};
            const uint64_t d = both[0] ? hone_xxh64(both, sizeof both, 0) | 1 : 0;
            if (w->digest)
                w->digest[k] = d;
            w->whole = hone_xxh64(&d, sizeof d, w->whole);
        }
    }
    hone__v_fence_close(&p.in, w->keep);
    hone__v_fence_close(&p.texts, w->keep);
    hone__v_fence_close(&p.tables, w->keep);
    hone_arena_release(&scratch);
    return s;
}

/* ---- tests of environments -------------------------------------------------------------------------- */

static void t_answers(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_PLAIN, 12, "episode");
}
static void t_empty(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_EMPTY, 6, "episode");
}
static void t_odd(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_ODD, 8, "episode");
}
static void t_long(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_LONG, 3, "episode");
}
static void t_bare(hone__v *v)
{
    hone__v_all_answered(v, HONE__V_BARE, 6, "episode");
}

/* Actions of episodes that were never begun, and forget of such: an error each, or a failure; no crash. */
static void t_strangers(hone__v *v)
{
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    const hone_environment_v1 *vt = i->vt;
    uint64_t digest[2] = {0}, ids[2] = {1ull << 62, UINT64_MAX};
    uint32_t status[2] = {0};
    answers a = {v, "step", 2, digest, status};
    const hone_observation_sink sink = {sizeof sink, 0, &a, put};
    const hone_call call = {.struct_size = sizeof call, .n = 2, .id = 1};
    const hone_action actions[2] = {{.id = ids[0], .text = hone_str_c("7"), .turn = 1},
                                    {.id = ids[1], .text = hone_str_c(""), .turn = UINT32_MAX}};
    hone__v_enter(v, i, "step of strangers");
    const hone_status s = called(v, i, "step",
                                 vt->step(i->self, &call, actions, 2, sizeof *actions, &sink));
    for (size_t k = 0; s >= 0 && k < 2; k++)
        if (!digest[k])
            hone__v_fail(v,
                         "an episode that was never begun is not answered; an error is expected");
    if (HONE_HAS(vt, hone_environment_v1, forget)) {
        hone__v_enter(v, i, "forget of strangers");
        (void)called(v, i, "forget", vt->forget(i->self, ids, 2));
    }
    hone__v_destroy(v, i);
}

static const hone__vtest tests[] = {
    {"environment.answers", t_answers, 0, "every episode begins, and every action is answered"},
    {"environment.empty", t_empty, 0, "a policy that says nothing"},
    {"environment.odd", t_odd, 0, "texts that are hard to read"},
    {"environment.long", t_long, 0, "actions of a megabyte"},
    {"environment.bare", t_bare, 0, "rows without columns"},
    {"environment.strangers", t_strangers, 0, "actions of episodes that were never begun"},
    {"environment.strides", hone__v_strides, 0, "items further apart than their size"},
    {"environment.borrowed", hone__v_borrowed, 0, "nothing of a call is used after it"},
    {0}};
const hone__vkind hone__v_environment = {
    HONE_KIND_ENVIRONMENT, HONE_IFACE_ENVIRONMENT, NULL, work, tests, 1};
