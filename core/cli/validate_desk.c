/* validate_desk.c - the models that a component under test may ask: those of a run, by the desk of a run (validate.h).
 *
 * hone.model.scorer/1 and hone.tokenizer/1 are offered as a run offers them (train/desk.h). The run's own model is the
 * embedded `tiny`, read when it is first asked for; what a setting names (`model:M`: a known name, a folder, a file) is loaded
 * as in a run. Nothing of it costs a component that asks no model more than a pool of one thread.
 *
 * A model answers slowly, so batches for who asks one are smaller (hone__v_most); a test says so where it passes. Requests of
 * other threads are served while the child's main thread waits for them (hone__v_join).
 *
 * Invariant: a registry has one desk; both go when it closes, the model first. */
#include "cli/validate.h"

#include "base/alloc.h"
#include "ops/cpu.h"
#include "train/desk.h"

#include <stdio.h>
#include <time.h>

typedef struct desk {
    hone_env env;
    hone_policy *model; /* the run's, once it was asked for */
    struct desk *next;
} desk;
static desk *desks;     /* of this test's registries that are open */
static hone_pool *pool; /* for all of them, as long as there is a process */

static hone_status make_model(void *ctx)
{
    desk *d = ctx;
    const hone_policy_config cfg = {.model = "tiny", .storage = HONE_STORAGE_KEEP};
    return hone_policy_create(&d->env, &cfg, &d->model);
}

static void close_desk(void *ctx)
{
    desk *d = ctx;
    desk **at = &desks;
    while (*at && *at != d)
        at = &(*at)->next;
    if (*at)
        *at = d->next;
    hone_policy_destroy(d->model);
    hone_free(d);
}

void hone__v_desk_forget(void)
{
    desks = NULL; /* of the test before in this process, whose registry stays open */
}

hone_status hone__v_desk_open(hone_registry *r)
{
    HONE_TRY(hone_cpu_check());
    if (!pool)
        HONE_TRY(hone_pool_create(1, &pool));
    desk *d = hone_calloc(1, sizeof *d);
    if (!d)
        return HONE_E_NOMEM;
    d->env = (hone_env){.registry = r, .pool = pool};
    hone_status s = hone_desk_open(&d->env);
    if (s >= 0)
        s = hone_registry_at_close(r, close_desk, d);
    if (s < 0) {
        hone_free(d);
        return s;
    }
    d->next = desks;
    desks = d;
    hone_desk_when_none(d->env.desk, make_model, d);
    return HONE_OK;
}

int hone__v_asks(void)
{
    for (const desk *d = desks; d; d = d->next)
        if (hone_desk_asked(d->env.desk))
            return 1;
    return 0;
}

size_t hone__v_most(hone__v *v, hone__vinst *i, size_t n, int few)
{
    hone__vwork w = {.seed = v->seed, .n = 1};
    if (!hone__v_asks() && i && v->kind)
        (void)v->kind->work(v, i, &w); /* the first call may be the first that asks */
    if (!hone__v_asks() || n <= (size_t)few)
        return n;
    hone__v_note(v, "%d instead of %zu: it asks a model", few, n);
    return (size_t)few;
}

void hone__v_join(pthread_t id, const atomic_int *done)
{
    while (desks && !atomic_load(done)) {
        size_t n = 0;
        for (const desk *d = desks; d; d = d->next)
            n += hone_desk_serve(d->env.desk);
        if (!n)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    pthread_join(id, NULL);
}
