/* adapter_merge.c - an adapter added to the weights it stands on, and taken off again to the bit.
 *
 * Merging rounds W + scale B A to float32, which nothing can undo by subtraction; so the matrices that it changes are kept
 * as they were, in a region of their own, and unmerging copies them back. It costs their memory once and a forward's
 * adapter products never. While it is merged a forward with the adapter computes the base alone, and one without it, or
 * with gradients, is refused: there is no base to compare with until it is taken off.
 *
 * Only matrices stored as float32 are merged in place: any other type would round the sum to what it can hold. A model that is
 * written (hone_params_get_merged_rows) is the float32 sum whatever the base is stored as. */
#include "nn/params_int.h"

#include "base/alloc.h"
#include "ops/kernels.h"
#include "ops/storage.h"

#include <string.h>

/* Bytes of the matrices that the adapter stands on. */
static hone_status kept_size(const hone_params *p, const struct hone__adapter *ad, size_t *out)
{
    size_t sum = 0;
    for (int32_t i = 0; i < ad->n_pairs; i++) {
        const hone_param_item *w = p->items[ad->pairs[i].target];
        if (w->dtype != HONE_F32) {
            hone_fail(HONE_E_UNSUPPORTED,
                      "adapter %s: %s is stored as %s, and the sum would be rounded to it",
                      ad->name, w->name, hone_storage_get(w->dtype)->name);
            return hone_fail_hint(
                "load the base as f32, or save the merged model: policy:save(path)");
        }
        if (!hone_add_size(sum, hone__params_bytes(w), &sum))
            return hone_fail(HONE_E_LIMIT, "adapter %s: too large to be merged", ad->name);
    }
    *out = sum;
    return HONE_OK;
}

static hone_status merge_rows(hone_params *p, hone_param i, uint32_t mask)
{
    const hone_param_item *w = p->items[i];
    float *rows = hone_reallocarray(NULL, (size_t)w->cols * HONE_PANEL, sizeof *rows);
    hone_status s = rows ? HONE_OK : HONE_E_NOMEM;
    for (int64_t r = 0; r < w->rows && s >= 0; r += HONE_PANEL) {
        const int64_t n = w->rows - r < HONE_PANEL ? w->rows - r : HONE_PANEL;
        s = hone_params_get_merged_rows(p, i, mask, r, n, rows);
        if (s >= 0)
            s = hone_params_set_rows(p, i, r, n, rows);
    }
    hone_free(rows);
    return s;
}

/* The kept bytes to where they were. */
static void put_back(hone_params *p, const struct hone__adapter *ad)
{
    const char *at = p->kept.base;
    for (int32_t i = 0; i < ad->n_pairs; i++) {
        const hone_param_item *w = p->items[ad->pairs[i].target];
        memcpy(w->data, at, hone__params_bytes(w));
        at += hone__params_bytes(w);
        hone__params_touch(p, ad->pairs[i].target);
    }
}

hone_status hone_params_merge(hone_params *p, int32_t k)
{
    size_t bytes = 0;
    if (k < 0 || k >= HONE_ADAPTERS_MAX || !p->adapters[k].name)
        return hone_fail(HONE_E_NOT_FOUND, "adapter: there is no number %d", k);
    const struct hone__adapter *ad = &p->adapters[k];
    HONE_TRY(hone__params_unmerged(p, "to merge another"));
    HONE_TRY(kept_size(p, ad, &bytes));
    HONE_TRY(hone_region_init(&p->kept, "parameters", bytes));
    if (!hone_region_planning()) {
        char *at = p->kept.base;
        hone_status s = HONE_OK;
        for (int32_t i = 0; i < ad->n_pairs; i++) {
            const hone_param_item *w = p->items[ad->pairs[i].target];
            memcpy(at, w->data, hone__params_bytes(w));
            at += hone__params_bytes(w);
        }
        for (int32_t i = 0; i < ad->n_pairs && s >= 0; i++)
            s = merge_rows(p, ad->pairs[i].target, 1u << k);
        if (s < 0) {
            put_back(p, ad);
            hone_region_release(&p->kept);
            return s;
        }
    }
    p->merged = 1u << k;
    return HONE_OK;
}

hone_status hone_params_unmerge(hone_params *p)
{
    if (!p->merged)
        return hone_fail(HONE_E_STATE, "adapter: none is merged into the base");
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX && !hone_region_planning(); k++)
        if (p->merged >> k & 1)
            put_back(p, &p->adapters[k]);
    hone_region_release(&p->kept);
    p->merged = 0;
    return HONE_OK;
}

uint32_t hone_params_merged(const hone_params *p)
{
    return p->merged;
}

hone_status hone__params_unmerged(const hone_params *p, const char *to)
{
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++)
        if (p->merged >> k & 1) {
            hone_fail(HONE_E_STATE, "adapter %s is merged into the base: %s, take it off first",
                      p->adapters[k].name, to);
            return hone_fail_hint("policy:unmerge() gives back the base as it was");
        }
    return HONE_OK;
}

hone_status hone_params_check_merged(const hone_params *p, uint32_t mask, int training)
{
    if (mask == HONE_ADAPTERS_ACTIVE)
        mask = p->active;
    if (!p->merged || (!training && (mask & p->merged) == p->merged))
        return HONE_OK;
    return hone__params_unmerged(p, training ? "to train" : "to compute without it");
}

hone_status hone__params_copy_merged(hone_params *to, const hone_params *from)
{
    if (!from->merged)
        return HONE_OK;
    HONE_TRY(hone_region_init(&to->kept, "parameters", from->kept.size));
    if (!hone_region_planning())
        memcpy(to->kept.base, from->kept.base, from->kept.size);
    to->merged = from->merged;
    return HONE_OK;
}
