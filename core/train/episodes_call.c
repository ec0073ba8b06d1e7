/* episodes_call.c - calls of an environment, and what its answers may be. See episodes.h.
 *
 * Key idea: the environment is somebody else's. An answer is checked before anything is done with it - status, reward,
 * UTF-8, length - and what is wrong with one episode, or left without an answer, puts that episode in error with a reason,
 * as a sample that a reward could not score. Only what says that nothing can go on (out of memory, an interrupt, a share
 * of failures beyond error_limit) ends the rollout.
 *
 * A call has a deadline; a box that passes it is ended by the proxy, Lua is stopped by its guard. */
#include "train/episodes_private.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20, REASON_MAX = 700, ROLE_MAX = 64 };

/* ---- outcomes --------------------------------------------------------------------------------------------- */

static hone_score_result *outcome_of(const hone__episodes *e, size_t i)
{
    return &e->r->env->outcome[i];
}

/* The episode is in error, with the first reason that it got. */
static hone_status broken(hone__episodes *e, size_t i, uint32_t status, hone_str why)
{
    hone_score_result *o = outcome_of(e, i);
    hone_buf clean;
    if (o->status == HONE_ERROR || o->status == HONE_TIMEOUT)
        return HONE_OK;
    hone_buf_init(&clean, (size_t)1 << 20);
    why.len = why.len < REASON_MAX ? why.len : REASON_MAX;
    hone_status s = hone_utf8_clean(why, &clean);
    o->status = status;
    o->score = 0;
    o->reason = hone_arena_str(&e->r->arena, hone_buf_str(&clean));
    hone_buf_release(&clean);
    e->lines[i].over = 1;
    return s < 0 ? s : o->reason.ptr ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone__episode_broken(hone__episodes *e, size_t i, const char *why)
{
    return broken(e, i, HONE_ERROR, hone_str_c(why));
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static hone_status keep_text(hone__episodes *e, size_t i, const char *what, hone_str text,
                             size_t most, hone_str *out)
{
    char why[256];
    if (text.len > most) {
        snprintf(why, sizeof why, "its %s has %zu bytes; %zu are allowed", what, text.len, most);
        return hone__episode_broken(e, i, why);
    }
    if (!hone_utf8_valid(text)) {
        snprintf(why, sizeof why,
                 "its %s is no valid UTF-8: replace what is not before it is returned", what);
        return hone__episode_broken(e, i, why);
    }
    *out = hone_arena_str(&e->call, text);
    return out->ptr ? HONE_OK : HONE_E_NOMEM;
}

static hone_status take_one(hone__episodes *e, size_t i, const hone_observation *o)
{
    hone__line *l = &e->lines[i];
    char why[128];
    if (o->status == HONE_EPISODE_ERROR)
        return broken(e, i, HONE_ERROR,
                      o->reason.len ? o->reason : hone_str_c("no reason was given"));
    if (o->status != HONE_EPISODE_ON && o->status != HONE_EPISODE_DONE) {
        snprintf(why, sizeof why, "status %u is none of ON, DONE, ERROR", o->status);
        return hone__episode_broken(e, i, why);
    }
    if (!isfinite(o->reward) || !isfinite(l->reward + o->reward) ||
        fabs(l->reward + o->reward) > 3.4e38)
        return hone__episode_broken(e, i, "its reward is not finite");
    HONE_TRY(keep_text(e, i, "observation", o->text, TEXT_MAX, &l->say));
    HONE_TRY(keep_text(e, i, "role", o->role, ROLE_MAX, &l->role));
    l->status = o->status;
    l->reward += o->reward;
    return HONE_OK;
}

static hone_status put(const hone_observation_sink *sink, size_t item, const hone_observation *o)
{
    hone__episodes *e = sink->ctx;
    if (item >= e->n_call)
        return hone_fail(HONE_E_RANGE, "an answer to item %zu of %zu", item, e->n_call);
    if (o->struct_size < sizeof *o)
        return hone_fail(HONE_E_ABI, "the observation of item %zu is too small a struct", item);
    hone__line *l = &e->lines[e->call_of[item]];
    if (l->answered)
        return hone_fail(HONE_E_EXISTS, "item %zu was answered already", item);
    l->answered = 1;
    hone_status s = take_one(e, e->call_of[item], o);
    if (s < 0)
        e->failed = s;
    return s;
}

typedef hone_status call_fn(hone__episodes *e, const hone_call *call, const void *items,
                            const hone_observation_sink *sink);

/* One call over e->call_of[..n_call): what it leaves without an answer is in error, with the call's reason. */
static hone_status call_env(hone__episodes *e, const char *name, call_fn *fn, const void *items)
{
    static uint64_t calls;
    const hone_observation_sink sink = {sizeof sink, 0, e, put};
    const uint64_t t0 = hone_now_ns();
    const hone_call call = {.struct_size = sizeof call,
                            .n = (uint32_t)e->n_call,
                            .id = (5ull << 61) + __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED),
                            .deadline_ns = t0 + (uint64_t)(e->env->timeout_s * 1e9)};
    char why[REASON_MAX + 64];
    hone_arena_clear(&e->call);
    for (size_t k = 0; k < e->n_call; k++) {
        hone__line *l = &e->lines[e->call_of[k]];
        l->answered = 0;
        l->say = l->role = (hone_str){"", 0};
    }
    hone_instance_enter(e->env->instance);
    hone_status s = hone_instance_leave(e->env->instance, name, fn(e, &call, items, &sink));
    e->seconds[e->n_seconds++] = (double)(hone_now_ns() - t0) * 1e-9;
    if (e->failed < 0)
        return e->failed;
    if (s == HONE_E_INTERRUPTED || s == HONE_E_NOMEM)
        return s;
    const uint32_t status = s == HONE_E_TIMEOUT ? HONE_TIMEOUT : HONE_ERROR;
    snprintf(why, sizeof why, "%s: %s", name,
             s < 0 ? hone_error_get()->what : "it was not answered");
    for (size_t k = 0; k < e->n_call; k++)
        if (!e->lines[e->call_of[k]].answered)
            HONE_TRY(broken(e, e->call_of[k], status, hone_str_c(why)));
    return HONE_OK;
}

static hone_status call_reset(hone__episodes *e, const hone_call *call, const void *items,
                              const hone_observation_sink *sink)
{
    return e->env->vt->reset(e->env->self, call, items, e->n_call, sizeof(hone_episode), sink);
}

static hone_status call_step(hone__episodes *e, const hone_call *call, const void *items,
                             const hone_observation_sink *sink)
{
    return e->env->vt->step(e->env->self, call, items, e->n_call, sizeof(hone_action), sink);
}

hone_status hone__episodes_reset_call(hone__episodes *e, const hone_episode *items)
{
    return call_env(e, "reset", call_reset, items);
}

hone_status hone__episodes_step_call(hone__episodes *e, const hone_action *items)
{
    return call_env(e, "step", call_step, items);
}

hone_status hone__episodes_read_tools(hone__episodes *e)
{
    if (!HONE_HAS(e->env->vt, hone_environment_v1, tools))
        return HONE_OK;
    hone_instance_enter(e->env->instance);
    hone_str text = e->env->vt->tools(e->env->self);
    HONE_TRY(hone_instance_leave(e->env->instance, "tools", HONE_OK));
    if (!text.len)
        return HONE_OK;
    hone_value *v = hone_arena_calloc(&e->r->arena, 1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    hone_str own = hone_arena_str(&e->r->arena, text);
    if (!own.ptr)
        return HONE_E_NOMEM;
    char what[160];
    snprintf(what, sizeof what, "environment %s: tools", e->env->id);
    HONE_TRY(hone_json_parse(own.ptr, own.len, what, &e->r->arena, v));
    if (v->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "environment %s: tools is a JSON list", e->env->id);
    e->tools = v;
    return HONE_OK;
}

void hone__episodes_let_go(hone__episodes *e)
{
    const size_t n = e->r->n_samples;
    size_t k = 0;
    uint64_t *ids = HONE_HAS(e->env->vt, hone_environment_v1, forget) ? hone_calloc(n, sizeof *ids)
                                                                      : NULL;
    for (size_t i = 0; ids && i < n; i++)
        if (e->lines[i].begun)
            ids[k++] = e->r->first_sample + i;
    if (k) {
        const hone_error was = *hone_error_get(); /* what ended the rollout is what is told */
        hone_instance_enter(e->env->instance);
        (void)hone_instance_leave(e->env->instance, "forget",
                                  e->env->vt->forget(e->env->self, ids, k));
        if (was.code < 0)
            hone_error_set(&was);
    }
    hone_free(ids);
}

hone_status hone__episodes_check(const hone__episodes *e)
{
    enum { FEW = 8 };
    const size_t n = e->r->n_samples;
    size_t failed = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t st = outcome_of(e, i)->status;
        if (st != HONE_ERROR && st != HONE_TIMEOUT)
            continue;
        failed++;
        last = i;
    }
    if (e->p->error_limit >= 1 || n < FEW || (double)failed <= e->p->error_limit * (double)n)
        return HONE_OK;
    const hone_str why = outcome_of(e, last)->reason;
    hone_fail(HONE_E_FAIL, "environment %s failed in %zu of %zu episodes", e->env->id, failed, n);
    hone_fail_detail("the last, sample %llu of step %llu: %.*s",
                     (unsigned long long)(e->r->first_sample + last),
                     (unsigned long long)e->r->step, (int)why.len, why.ptr);
    return hone_fail_hint("the share that may fail is error_limit (%g); an environment from a file "
                          "is looked at with: hone plugin validate FILE",
                          e->p->error_limit);
}
