/* trail.c - see trail.h. */
#include "host/registry_private.h"

#include "hone/scorer.h"

#include <string.h>

static _Thread_local hone_trail trail;

hone_trail hone_trail_get(void)
{
    return trail;
}

hone_trail hone_trail_set(const hone_trail *t)
{
    const hone_trail before = trail;
    trail = *t;
    return before;
}

uint32_t hone_trail_watch(uint32_t watching)
{
    const uint32_t before = trail.watching;
    trail.watching = watching;
    return before;
}

/* ---- entering and leaving ------------------------------------------------------------------------------------------- */

static void tell(hone_instance *inst)
{
    const hone_registry *r = inst->reg;
    if (!r->reached || trail.watching)
        return;
    if (trail.n > 0 && trail.n <= HONE_TRAIL && trail.at[trail.n - 1] == inst) {
        r->reached(r->reached_ctx, &trail);
        return;
    }
    const hone_trail alone = {.at = {inst},
                              .n = 1}; /* too deep, or reached from outside of a call */
    r->reached(r->reached_ctx, &alone);
}

void hone__trail_enter(hone_instance *inst)
{
    if (trail.n < HONE_TRAIL)
        trail.at[trail.n] = inst;
    trail.n++;
    if (inst->created && atomic_load_explicit(&inst->holds, memory_order_acquire))
        tell(inst);
}

void hone__trail_leave(const hone_instance *inst)
{
    (void)inst;
    if (trail.n)
        trail.n--;
}

static int is_inside(const hone_instance *inst)
{
    for (uint32_t i = 0; i < trail.n && i < HONE_TRAIL; i++)
        if (trail.at[i] == inst)
            return 1;
    return 0;
}

/* ---- holding ---------------------------------------------------------------------------------------------------------- */

uint32_t hone__trail_counts(const char *id)
{
    return strcmp(id, HONE_IFACE_SCORER) == 0 ? HONE_HOLDS_MODEL
           : strcmp(id, "hone.http/1") == 0   ? HONE_HOLDS_NET
                                              : 0;
}

void hone__trail_obtained(hone_instance *inst, const char *id)
{
    const uint32_t what = hone__trail_counts(id);
    if (!what)
        return;
    atomic_fetch_or(&inst->holds_itself, what);
    for (hone_instance *i = inst; i; i = i->outer) {
        const uint32_t before = atomic_fetch_or(&i->holds, what);
        if (!before && i->created &&
            is_inside(i)) /* in the middle of a call: from here on it is one */
            tell(i);
    }
}

void hone__trail_adopt(hone_instance *outer, hone_instance *inner)
{
    inner->outer = outer;
    inner->beside = outer->inner;
    outer->inner = inner;
    const uint32_t what = atomic_load(&inner->holds);
    for (hone_instance *i = outer; what && i; i = i->outer)
        atomic_fetch_or(&i->holds, what);
}

void hone__trail_orphan(hone_instance *outer, hone_instance *inner)
{
    for (hone_instance **at = &outer->inner; *at; at = &(*at)->beside)
        if (*at == inner) {
            *at = inner->beside;
            inner->outer = inner->beside = NULL;
            return;
        }
}

uint32_t hone_instance_holds(const hone_instance *inst)
{
    return atomic_load(&((hone_instance *)(uintptr_t)inst)->holds);
}

uint32_t hone_instance_holds_itself(const hone_instance *inst)
{
    return atomic_load(&((hone_instance *)(uintptr_t)inst)->holds_itself);
}

hone_instance *hone_instance_inner(const hone_instance *inst, size_t i)
{
    hone_instance *at = inst->inner;
    while (at && i--)
        at = at->beside;
    return at;
}

hone_instance *hone_instance_outer(const hone_instance *inst)
{
    return inst->outer;
}

uint32_t hone_instance_refs(const hone_instance *inst)
{
    return atomic_load(&((hone_instance *)(uintptr_t)inst)->refs);
}

uint64_t hone_instance_changes(const hone_instance *inst)
{
    return atomic_load(&((hone_instance *)(uintptr_t)inst)->changes);
}

void hone_registry_listen(hone_registry *r, hone_reached_fn reached, hone_changing_fn changing,
                          void *ctx)
{
    r->reached = reached;
    r->changing = changing;
    r->reached_ctx = ctx;
}
