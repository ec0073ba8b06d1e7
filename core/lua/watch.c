/* watch.c - did the rewards of a run ever say anything?
 *
 * error_limit (core/score) stops a run in which too large a share of many samples failed. This file closes
 * the gap below it: a run too short for a share to mean something must not end well when a reward failed on
 * everything it was given, or when no update found a sample to learn from. Counts are kept for each id of a
 * reward over all rollouts of the process (a resumed run counts from where it goes on) and looked at once,
 * at the recipe's end: an abstention or one score clears a reward.
 *
 * Does not: look at rollouts whose error_limit is 1 (the recipe said that failures do not matter). */
#include "lua/api.h"

#include "base/alloc.h"

#include <string.h>

typedef struct watched {
    char id[96];
    uint64_t n, failed;
    char reason[600]; /* the last one */
} watched;

struct hone__lua_watch {
    watched *rewards;
    size_t n;
    uint64_t updates, usable;
};

static struct hone__lua_watch *watch_of(hone_recipe *r)
{
    if (!r->watch)
        r->watch = hone_calloc(1, sizeof *r->watch);
    return r->watch;
}

static watched *reward_of(struct hone__lua_watch *w, const char *id)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->rewards[i].id, id) == 0)
            return &w->rewards[i];
    watched *more = hone_reallocarray(w->rewards, w->n + 1, sizeof *more);
    if (!more)
        return NULL;
    w->rewards = more;
    memset(&more[w->n], 0, sizeof *more);
    snprintf(more[w->n].id, sizeof more->id, "%s", id);
    return &more[w->n++];
}

hone_status hone__lua_watch_rollout(hone_recipe *r, const hone_rollout *ro, double error_limit)
{
    struct hone__lua_watch *w = watch_of(r);
    if (!w)
        return HONE_E_NOMEM;
    for (size_t c = 0; c < ro->n_components && error_limit < 1; c++) {
        watched *x = reward_of(w, ro->component[c]);
        if (!x)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < ro->n_samples; i++) {
            const hone_score_result *res = &ro->results[c * ro->n_samples + i];
            x->n++;
            if (res->status != HONE_ERROR && res->status != HONE_TIMEOUT)
                continue;
            x->failed++;
            snprintf(x->reason, sizeof x->reason, "%.*s", (int)res->reason.len,
                     res->reason.ptr ? res->reason.ptr : "");
        }
    }
    return HONE_OK;
}

hone_status hone__lua_watch_update(hone_recipe *r, const hone_train_tree *trees, size_t n)
{
    struct hone__lua_watch *w = watch_of(r);
    int usable = 0;
    if (!w)
        return HONE_E_NOMEM;
    for (size_t t = 0; t < n && !usable; t++)
        for (size_t k = 0; k < trees[t].n_seqs; k++)
            usable |= !trees[t].seqs[k].left_out;
    w->updates++;
    w->usable += (uint64_t)usable;
    return HONE_OK;
}

hone_status hone__lua_watch_end(const hone_recipe *r)
{
    const struct hone__lua_watch *w = r->watch;
    for (size_t i = 0; w && i < w->n; i++) {
        const watched *x = &w->rewards[i];
        if (x->n == 0 || x->failed < x->n)
            continue;
        hone_fail(HONE_E_FAIL, "reward %s failed on every sample of the run (%llu)", x->id,
                  (unsigned long long)x->n);
        hone_fail_detail("the last reason: %s", x->reason);
        return hone_fail_hint("try it alone with: hone score --reward %s --data FILE", x->id);
    }
    if (w && w->updates && !w->usable) {
        hone_fail(
            HONE_E_FAIL,
            "no update of the run had a sample to learn from (%llu updates): every sample was "
            "left out of its group",
            (unsigned long long)w->updates);
        return hone_fail_hint(
            "a sample that a weighted reward did not score is left out: the shares "
            "are reward/NAME/abstain, error, timeout of metrics.jsonl");
    }
    return HONE_OK;
}

void hone__lua_watch_free(hone_recipe *r)
{
    if (r->watch)
        hone_free(r->watch->rewards);
    hone_free(r->watch);
    r->watch = NULL;
}
