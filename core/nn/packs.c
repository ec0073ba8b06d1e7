/* packs.c - loads op packs with the first model and unloads them with the registry.
 *
 * Not at start: a pack's file is loaded, and most commands need no op. One note for each registry says
 * which packs it gave, held by the registry itself (hone_registry_at_close), so that there is no order
 * of closing to get wrong: whoever runs ops needs a component, and components go before the registry.
 *
 * Invariant: a component is noted before its ops are registered; what is in the note is what is undone. */
#include "nn/packs.h"

#include "base/alloc.h"
#include "base/log.h"
#include "hone/ops.h"
#include "ops/registry.h"

#include <string.h>

enum { PACKS_MAX = 64 };

struct note {
    struct note *next;
    hone_registry *of;
    const hone_component_info *seen[PACKS_MAX]; /* also those that failed: they warn once */
    hone_instance *inst[PACKS_MAX];             /* or NULL */
    const hone_op *const *ops[PACKS_MAX];
    size_t n;
};
static struct note *notes;

static void forget(void *ctx)
{
    struct note *p = ctx, **at = &notes;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->inst[i])
            continue;
        hone_op_unregister_pack(p->ops[i]);
        hone_instance_unref(p->inst[i]);
    }
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    hone_free(p);
}

static hone_status note_of(hone_registry *r, struct note **out)
{
    struct note *p = notes;
    while (p && p->of != r)
        p = p->next;
    if (!p) {
        p = hone_calloc(1, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        hone_status s = hone_registry_at_close(r, forget, p);
        if (s < 0) {
            hone_free(p);
            return s;
        }
        p->of = r;
        p->next = notes;
        notes = p;
    }
    *out = p;
    return HONE_OK;
}

static hone_status open_pack(hone_registry *r, const hone_component_info *info,
                             hone_instance **inst, const hone_op *const **ops)
{
    hone_instance *made;
    hone_ref ref;
    hone_status s;
    HONE_TRY(hone_instance_create_info(r, info, NULL, &made));
    HONE_TRY_GOTO(hone_instance_ref(made, HONE_IFACE_OPS, &ref), fail);
    const hone_ops_v1 *vt = ref.vt;
    if (!HONE_HAS(vt, hone_ops_v1, ops)) {
        s = hone_fail(HONE_E_MISBEHAVED, "%s: it has no table of ops", info->c.id);
        goto fail;
    }
    HONE_TRY_GOTO(hone_op_register_pack(vt->ops), fail);
    *inst = made;
    *ops = vt->ops;
    return HONE_OK;
fail:
    hone_instance_unref(made);
    return s;
}

static int seen(const struct note *p, const hone_component_info *info)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->seen[i] == info)
            return 1;
    return 0;
}

hone_status hone_packs_load(hone_registry *r)
{
    const hone_component_info *info;
    struct note *p = NULL;
    for (size_t i = 0; (info = hone_registry_component(r, HONE_KIND_OPS, i)) != NULL; i++) {
        if (!p)
            HONE_TRY(note_of(r, &p));
        if (seen(p, info))
            continue;
        if (p->n == PACKS_MAX) {
            hone_log(HONE_LOG_WARN, info->c.id, "not loaded: it is one op pack too many");
            break;
        }
        hone_instance *inst = NULL;
        const hone_op *const *ops = NULL;
        hone_status s = open_pack(r, info, &inst, &ops);
        if (s == HONE_E_NOMEM)
            return s;
        if (s < 0)
            hone_log(HONE_LOG_WARN, info->c.id, "%s", hone_error_get()->what);
        p->seen[p->n] = info;
        p->inst[p->n] = inst;
        p->ops[p->n++] = ops;
    }
    return HONE_OK;
}
