/* validate_claims.c - what a component says of itself, tried: its capabilities, and that a box changes nothing.
 *
 * Each test compares the digests of calls that have to give the same: twice, in a second instance, in another process
 * (validate.c runs those tests twice), in another order, cut in parts, from two threads, in a box. (validate.h) */
#include "cli/validate.h"

#include "host/grant.h"
#include "abi/desc.h"
#include "base/file.h"
#include "base/rng.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum { BATCH = HONE__V_BATCH };

/* ---- the same again ------------------------------------------------------------------------------- */

static void differ(hone__v *v, const uint64_t *a, const uint64_t *b, const size_t *at, size_t n,
                   const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (a[at ? at[i] : i] != b[i])
            return hone__v_fail(v, "item %zu: %s", at ? at[i] : i, what);
}

void hone__vt_deterministic(hone__v *v)
{
    uint64_t a[BATCH], b[BATCH];
    hone__vwork wa = {.seed = v->seed, .n = BATCH, .digest = a}, wb = wa;
    if (hone__v_no_work(v))
        return;
    if (!hone__v_has_cap(v, HONE_CAP_DETERMINISTIC))
        return hone__v_skip(v, "it does not say DETERMINISTIC");
    wb.digest = b;
    hone__vinst *i = hone__v_need(v), *k = i ? hone__v_need(v) : NULL;
    if (k && hone__v_work(v, i, &wa) && hone__v_work(v, k, &wb)) {
        differ(v, a, b, NULL, BATCH,
               "the same batch gives another result in a second instance, "
               "though it says DETERMINISTIC");
        if (wa.whole != wb.whole)
            hone__v_fail(v, "the same batch gives another result in a second instance, though it "
                            "says DETERMINISTIC");
    }
    if (k && !(v->info->c.caps & HONE_CAP_STATEFUL) && hone__v_work(v, i, &wb)) {
        differ(v, a, b, NULL, BATCH,
               "the same batch twice gives two results, though it says DETERMINISTIC");
        if (wa.whole != wb.whole)
            hone__v_fail(v, "the same batch twice gives two results, though it says DETERMINISTIC");
    }
    v->page->digest = wa.whole;
    hone__v_destroy(v, k);
    hone__v_destroy(v, i);
}

void hone__vt_pure(hone__v *v)
{
    uint64_t a[BATCH], b[BATCH];
    hone__vwork wa = {.seed = v->seed, .n = BATCH, .digest = a},
                other = {.seed = v->seed + 1, .n = BATCH}, wb = wa;
    if (hone__v_no_work(v))
        return;
    if (!hone__v_has_cap(v, HONE_CAP_PURE))
        return hone__v_skip(v, "it does not say PURE");
    wb.digest = b;
    hone__vinst *i = hone__v_need(v), *k = i ? hone__v_need(v) : NULL;
    if (k && hone__v_work(v, i, &wa)) {
        for (int r = 0; r < 5 && hone__v_work(v, k, &other); r++)
            other.seed++;
        nanosleep(&(struct timespec){.tv_nsec = 1100000}, NULL); /* another millisecond */
        if (!hone__v_failed(v) && hone__v_work(v, k, &wb)) {
            differ(v, a, b, NULL, BATCH,
                   "what was called before changes the result, though it says PURE");
            if (wa.whole != wb.whole)
                hone__v_fail(v, "what was called before changes the result, though it says PURE");
        }
    }
    v->page->digest = wa.whole;
    hone__v_destroy(v, k);
    hone__v_destroy(v, i);
}

void hone__vt_batch_invariant(hone__v *v)
{
    uint64_t all[BATCH], part[BATCH];
    size_t index[BATCH];
    hone_rng_key key = {v->seed, HONE_RNG_PERMUTE, 0, 0, 0};
    hone__vwork w = {.seed = v->seed, .n = BATCH, .digest = all};
    if (hone__v_no_work(v))
        return;
    if (!hone__v_has_cap(v, HONE_CAP_BATCH_INVARIANT))
        return hone__v_skip(v, "it does not say BATCH_INVARIANT");
    hone__vinst *i = hone__v_need(v);
    if (!i || !hone__v_work(v, i, &w))
        return hone__v_destroy(v, i);
    for (size_t k = 0; k < BATCH; k++)
        index[k] = hone_rng_permute(&key, k, BATCH);
    hone__vwork p = {.seed = v->seed, .n = BATCH, .index = index, .digest = part};
    if (hone__v_work(v, i, &p))
        differ(v, all, part, index, BATCH,
               "another order of the batch gives another result, though it says BATCH_INVARIANT");
    static const size_t cuts[] = {1, 2, 7, 14};
    for (size_t at = 0, c = 0; c < 4 && !hone__v_failed(v); at += cuts[c++]) {
        p = (hone__vwork){.seed = v->seed, .n = cuts[c], .index = index + at, .digest = part};
        if (hone__v_work(v, i, &p))
            differ(v, all, part, index + at, cuts[c],
                   "a part of the batch gives another result, though it says BATCH_INVARIANT");
    }
    hone__v_destroy(v, i);
}

/* ---- threads -------------------------------------------------------------------------------------- */

typedef struct worker {
    hone__v *v;
    hone__vinst *i;
    uint64_t seed, digest[BATCH];
    int rounds;
    _Atomic int *go;
    atomic_int done;
} worker;

static void *work_along(void *p)
{
    worker *t = p;
    uint64_t first[BATCH];
    hone__vwork w = {.seed = t->seed, .n = BATCH, .digest = first};
    atomic_fetch_add(t->go, 1);
    while (atomic_load(t->go) < 2)
        sched_yield();
    for (int r = 0; r < t->rounds && !hone__v_failed(t->v); r++) {
        if (!hone__v_work(t->v, t->i, &w))
            break;
        differ(t->v, t->digest, first, NULL, BATCH,
               "two threads in one instance give another result than one, though it says "
               "REENTRANT");
    }
    atomic_store(&t->done, 1);
    return NULL;
}

void hone__vt_reentrant(hone__v *v)
{
    enum { ROUNDS = 60, FEW_ROUNDS = 4 };
    static worker t[2];
    pthread_t id[2];
    _Atomic int go = 0;
    if (hone__v_no_work(v))
        return;
    if (v->lua)
        return hone__v_skip(v, "written in Lua: its calls run on the control thread");
    if (!hone__v_has_cap(v, HONE_CAP_REENTRANT))
        return hone__v_skip(v, "it does not say REENTRANT");
    hone__vinst *i = hone__v_need(v);
    for (int k = 0; i && k < 2; k++) {
        hone__vwork w = {.seed = v->seed + (uint64_t)k, .n = BATCH, .digest = t[k].digest};
        if (!hone__v_work(v, i, &w))
            return hone__v_destroy(v, i);
        t[k].v = v;
        t[k].i = i;
        t[k].seed = w.seed;
        t[k].rounds = hone__v_asks() ? FEW_ROUNDS : ROUNDS;
        atomic_store(&t[k].done, 0);
        t[k].go = &go;
    }
    if (!i)
        return;
    int n = 0;
    while (n < 2 && pthread_create(&id[n], NULL, work_along, &t[n]) == 0)
        n++;
    atomic_fetch_add(&go, 2 - n);
    for (int k = 0; k < n; k++)
        hone__v_join(id[k], &t[k].done);
    hone__v_destroy(v, i);
}

/* ---- in a box ------------------------------------------------------------------------------------- */

/* An instance of the same component in a box, from a registry of its own. NULL: failed; the thread's error. */
static hone__vinst *boxed_one(hone__v *v, hone__vinst *i, hone_registry **r)
{
    hone_registry_opts o = {.trial = 1, .seed = v->seed};
    const hone_plugin *p;
    const hone_component_info *info = NULL;
    hone_value settings = hone__v_with_setting(v, "box",
                                               (hone_value){.type = HONE_BOOL, .u.boolean = 1});
    hone_status s = hone_registry_open(&o, r);
    if (s >= 0 && !v->lua)
        s = hone__v_desk_open(*r);
    if (s >= 0 && v->lua && !hone_desc_builtin(v->kind->iface)) {
        s = hone_fail(HONE_E_UNSUPPORTED, "a file in Lua knows hone's own kinds in its box");
        hone_fail_hint("what is of another kind is part of a recipe");
    }
    if (s >= 0)
        s = hone_registry_allow(*r, v->allow);
    if (s >= 0)
        s = hone_registry_open_file(*r, v->path, &p);
    for (size_t k = 0; s >= 0 && p->components[k]; k++)
        if (strcmp(p->components[k]->c.id, v->component) == 0)
            info = p->components[k];
    if (s >= 0 && !info)
        s = hone_fail(HONE_E_NOT_FOUND, "%s: %s is no longer in it", v->path, v->component);
    const hone_value *path = hone_value_get(&settings, "path"); /* made for this test */
    if (s >= 0 && path && path->type == HONE_STRING && hone_file_exists(path->u.str.ptr))
        s = hone_registry_allow_read(*r, info, path->u.str.ptr);
    if (s >= 0)
        s = hone_instance_create_info(*r, info, &settings, &i->inst);
    if (s >= 0)
        i->vt = hone_instance_iface(i->inst, v->kind->iface, &i->self);
    if (s >= 0 && !i->vt)
        s = hone_fail(HONE_E_MISBEHAVED, "its box gives no %s", v->kind->iface);
    return s < 0 ? NULL : i;
}

hone__vinst *hone__v_boxed(hone__v *v, hone__vinst *i, hone_registry **r)
{
    hone__v_stage(v, "create in a box");
    if (!boxed_one(v, i, r)) {
        const hone_status s = hone_error_get()->code;
        if (s == HONE_E_REFUSED && (hone_registry_granted(v->registry, v->info) & HONE_CAP_EXEC))
            hone__v_skip(v, "the programs it starts have boxes of their own");
        else if (s == HONE_E_REFUSED || s == HONE_E_UNSUPPORTED)
            hone__v_skip(v, "%s; %s", hone__v_error(), hone_error_get()->hint);
        else
            hone__v_fail(v, "in a box: %s", hone__v_error());
        return NULL;
    }
    if (hone_instance_is_boxed(i->inst))
        return i;
    hone__v_skip(v, "a component of kind %s runs in process", v->info->c.kind);
    return NULL;
}

void hone__vt_boxed(hone__v *v)
{
    uint64_t a[BATCH], b[BATCH];
    hone__vwork wa = {.seed = v->seed, .n = BATCH, .digest = a}, wb = wa;
    hone__vinst box = {0};
    hone_registry *r = NULL;
    wb.digest = b;
    if (hone__v_no_work(v))
        return;
    if (hone_kind_shares_memory(v->info->c.kind))
        return hone__v_skip(v, "a component of kind %s shares the memory of the computation",
                            v->info->c.kind);
    if (hone_value_get(&v->settings, "path") && !hone__v_has_cap(v, HONE_CAP_FS_READ))
        return hone__v_skip(v, "it does not ask for FS_READ, so there is no file to it in a box");
    hone__vinst *i = hone__v_need(v);
    if (!i || !hone__v_work(v, i, &wa))
        return hone__v_destroy(v, i);
    if (hone__v_boxed(v, &box, &r) && hone__v_work(v, &box, &wb) &&
        hone__v_has_cap(v, HONE_CAP_DETERMINISTIC)) {
        differ(v, a, b, NULL, BATCH, "in a box it gives another result than in process");
        if (wa.whole != wb.whole)
            hone__v_fail(v, "in a box it gives another result than in process");
    }
    hone_instance_unref(box.inst);
    hone_registry_close(r);
    hone__v_destroy(v, i);
}
