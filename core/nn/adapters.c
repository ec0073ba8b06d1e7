/* adapters.c - low-rank adapters of the parameter store (LoRA; Hu et al. 2021).
 *
 * An adapter is a run of parameters A, B, A, B, ... in a region of its own, one pair for every base
 * matrix whose role it names, and a table from base parameter to pair. Whether a forward sees it is
 * a bit of the mask the forward is given; `linear` computes it, the model knows nothing of it.
 * Dropping one leaves a hole in the numbering of parameters, so that nothing else is renumbered. */
#include "nn/params_int.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const linear_roles[] = {"q", "k", "v", "o", "gate", "up", "down", NULL};

/* A matrix that holds several side by side has all of their roles: "q+k+v". */
static int is_role(const char *of, const char *role)
{
    size_t n = strlen(role);
    for (const char *at = of; at; at = strchr(at, '+') ? strchr(at, '+') + 1 : NULL)
        if (strncmp(at, role, n) == 0 && (at[n] == '+' || at[n] == 0))
            return 1;
    return 0;
}

static int has_role(const char *const *roles, const char *of)
{
    for (; *roles; roles++)
        if (is_role(of, *roles))
            return 1;
    return 0;
}

/* "model.layers.0.self_attn.q_proj.weight" ->
 * "base_model.model.<module>.lora_A.<adapter>.weight" */
static hone_status pair_name(char *out, size_t size, const char *base, char which,
                             const char *adapter)
{
    size_t n = strlen(base), tail = strlen(".weight");
    int len;
    if (n > tail && strcmp(base + n - tail, ".weight") == 0)
        n -= tail;
    len = snprintf(out, size, "base_model.model.%.*s.lora_%c.%s.weight", (int)n, base, which,
                   adapter);
    if (len < 0 || (size_t)len >= size)
        return hone_fail(HONE_E_LIMIT, "adapter %s: the name of its part of %s is too long",
                         adapter, base);
    return HONE_OK;
}

static hone_status add_pair(hone_params *p, int32_t k, hone_param base, const char *adapter,
                            int32_t rank)
{
    const hone_param_item *w = p->items[base];
    char name[512];
    hone_param_spec spec;
    hone_param a, b;
    memset(&spec, 0, sizeof spec);
    spec.struct_size = sizeof spec;
    spec.name = name;
    spec.role = w->role;
    spec.layer = w->layer;
    spec.init = HONE_INIT_ZERO;
    HONE_TRY(pair_name(name, sizeof name, w->name, 'A', adapter));
    spec.rows = rank;
    spec.cols = w->cols;
    HONE_TRY(hone__params_add(p, &spec, k, base, &a));
    HONE_TRY(pair_name(name, sizeof name, w->name, 'B', adapter));
    spec.rows = w->rows;
    spec.cols = rank;
    HONE_TRY(hone__params_add(p, &spec, k, base, &b));
    p->adapters[k].a_of[base] = a;
    return HONE_OK;
}

/* A's values: element e of pair number i is a function of (seed, i, e) alone. */
static hone_status init_pairs(hone_params *p, const struct hone__adapter *ad,
                              const hone_adapter_spec *spec)
{
    hone_rng_key key = {spec->seed, HONE_RNG_INIT, 0, 1, 0};
    for (hone_param i = 0; i < ad->n; i += 2) {
        const hone_param_item *it = p->items[ad->first + i];
        double bound = 1.0 / sqrt((double)it->cols);
        float *row = hone_reallocarray(NULL, (size_t)it->cols, sizeof *row);
        hone_status s = HONE_OK;
        if (!row)
            return HONE_E_NOMEM;
        key.sample = (uint64_t)(i / 2);
        for (int64_t r = 0; r < it->rows && s >= 0; r++) {
            for (int64_t c = 0; c < it->cols; c++) {
                uint64_t e = (uint64_t)(r * it->cols + c);
                row[c] = spec->init == HONE_LORA_INIT_NORMAL
                             ? (float)(hone_rng_normal(&key, e) / (double)spec->rank)
                             : (float)((2.0 * hone_rng_uniform(&key, e) - 1.0) * bound);
            }
            s = hone_params_set_rows(p, ad->first + i, r, 1, row);
        }
        hone_free(row);
        HONE_TRY(s);
    }
    return HONE_OK;
}

/* Is there a matrix that an adapter with this role would be put on? */
static int there_is(const hone_params *p, const char *role)
{
    for (hone_param i = 0; i < p->n_base; i++)
        if (!p->items[i]->is_vector && !(p->items[i]->flags & HONE_PARAM_EMBEDDING) &&
            is_role(p->items[i]->role, role))
            return 1;
    return 0;
}

static void list_roles(const hone_params *p, char *out, size_t size, const char *const *roles)
{
    size_t n = 0;
    out[0] = 0;
    for (; *roles && n + 1 < size; roles++) {
        if (!there_is(p, *roles))
            continue;
        int k = snprintf(out + n, size - n, "%s%s", n ? " " : "", *roles);
        n += k > 0 ? (size_t)k : 0;
    }
}

static hone_status check_spec(const hone_params *p, const hone_adapter_spec *spec,
                              const char *const *roles)
{
    if (!p->sealed)
        return hone_fail(HONE_E_STATE, "adapter: the model has no parameters yet");
    if (spec->rank < 1 || spec->rank > 4096)
        return hone_fail(HONE_E_RANGE, "adapter: rank %d (1 to 4096)", spec->rank);
    if (spec->init > HONE_LORA_INIT_NORMAL)
        return hone_fail(HONE_E_UNSUPPORTED, "adapter: initialisation %u", spec->init);
    int any = 0;
    for (; *roles; roles++) {
        int found = there_is(p, *roles);
        any |= found;
        if (!found && spec->roles) { /* else: those of the usual ones that there are */
            hone_fail(HONE_E_NOT_FOUND, "adapter: the model has no matrix with the role \"%s\"",
                      *roles);
            return hone_fail_hint("roles of decoders are q k v o gate up down");
        }
    }
    if (!any) {
        hone_fail(HONE_E_NOT_FOUND, "adapter: the model has no matrix of the usual roles");
        return hone_fail_hint("name the roles of its own that are wanted");
    }
    return HONE_OK;
}

int32_t hone_params_add_adapter(hone_params *p, const hone_adapter_spec *spec)
{
    const char *name = spec->name ? spec->name : "default";
    const char *const *roles = spec->roles ? spec->roles : linear_roles;
    struct hone__adapter *ad;
    hone_param first = p->n;
    int32_t k = 0;
    hone_status s;
    HONE_TRY(check_spec(p, spec, roles));
    if (hone_params_find_adapter(p, name) >= 0)
        return hone_fail(HONE_E_EXISTS, "adapter: there is one named %s", name);
    while (k < HONE_ADAPTERS_MAX && p->adapters[k].name)
        k++;
    if (k == HONE_ADAPTERS_MAX)
        return hone_fail(HONE_E_LIMIT, "adapter: a model has at most %d", HONE_ADAPTERS_MAX);
    ad = &p->adapters[k];
    memset(ad, 0, sizeof *ad);
    ad->rank = spec->rank;
    ad->alpha = spec->alpha;
    list_roles(p, ad->roles, sizeof ad->roles, roles);
    ad->name = hone_strdup(name);
    ad->a_of = hone_reallocarray(NULL, (size_t)p->n_base, sizeof *ad->a_of);
    if (!ad->name || !ad->a_of) {
        s = HONE_E_NOMEM;
        goto fail;
    }
    memset(ad->a_of, 0xff, (size_t)p->n_base * sizeof *ad->a_of);
    for (hone_param i = 0; i < p->n_base; i++) {
        const hone_param_item *w = p->items[i];
        if (!w->is_vector && !(w->flags & HONE_PARAM_EMBEDDING) && has_role(roles, w->role))
            HONE_TRY_GOTO(add_pair(p, k, i, name, spec->rank), fail);
    }
    ad->first = first;
    ad->n = p->n - first;
    HONE_TRY_GOTO(hone__params_place(p, first, &ad->region, "adapters"), fail);
    if (!hone_region_planning())
        HONE_TRY_GOTO(init_pairs(p, ad, spec), fail);
    hone_params_drop_grads(p);
    p->active |= 1u << k;
    return k;
fail:
    hone__params_unadd(p, first);
    hone_region_release(&ad->region);
    hone_free(ad->name);
    hone_free(ad->a_of);
    memset(ad, 0, sizeof *ad);
    return s;
}

hone_status hone_params_drop_adapter(hone_params *p, int32_t k)
{
    struct hone__adapter *ad;
    if (k < 0 || k >= HONE_ADAPTERS_MAX || !p->adapters[k].name)
        return hone_fail(HONE_E_NOT_FOUND, "adapter: there is no number %d", k);
    ad = &p->adapters[k];
    hone_params_drop_grads(p);
    if (ad->first + ad->n == p->n) {
        hone__params_unadd(p, ad->first);
    } else {
        for (hone_param i = ad->first; i < ad->first + ad->n; i++) {
            hone_map_del(&p->names, p->items[i]->name, strlen(p->items[i]->name));
            p->items[i] = NULL;
        }
    }
    hone_region_release(&ad->region);
    hone_free(ad->name);
    hone_free(ad->a_of);
    memset(ad, 0, sizeof *ad);
    p->active &= ~(1u << k);
    p->flat_dirty = 1;
    return HONE_OK;
}

int32_t hone_params_find_adapter(const hone_params *p, const char *name)
{
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++)
        if (p->adapters[k].name && strcmp(p->adapters[k].name, name) == 0)
            return k;
    return -1;
}

hone_status hone_params_adapter_info(const hone_params *p, int32_t k, hone_adapter_info *out)
{
    const struct hone__adapter *ad;
    if (k < 0 || k >= HONE_ADAPTERS_MAX || !p->adapters[k].name)
        return hone_fail(HONE_E_NOT_FOUND, "adapter: there is no number %d", k);
    ad = &p->adapters[k];
    memset(out, 0, sizeof *out);
    out->name = ad->name;
    out->rank = ad->rank;
    out->alpha = ad->alpha;
    out->scale = ad->alpha / (float)ad->rank;
    for (hone_param i = ad->first; i < ad->first + ad->n; i++)
        out->n_params += (size_t)p->items[i]->rows * (size_t)p->items[i]->cols;
    memcpy(out->roles, ad->roles, sizeof out->roles);
    return HONE_OK;
}

void hone_params_set_active(hone_params *p, uint32_t mask)
{
    p->active = mask;
}

uint32_t hone_params_active(const hone_params *p)
{
    return p->active;
}

uint32_t hone_params_loras(const hone_params *p, hone_param w, uint32_t mask, hone_lora *out,
                           uint32_t max)
{
    uint32_t n = 0;
    if (mask == HONE_ADAPTERS_ACTIVE)
        mask = p->active;
    if (w < 0 || w >= p->n_base)
        return 0;
    for (int32_t k = 0; mask >> k && k < HONE_ADAPTERS_MAX; k++) {
        const struct hone__adapter *ad = &p->adapters[k];
        if (!(mask >> k & 1) || !ad->name || ad->a_of[w] < 0)
            continue;
        if (n < max) {
            out[n].a = ad->a_of[w];
            out[n].b = ad->a_of[w] + 1;
            out[n].scale = ad->alpha / (float)ad->rank;
        }
        n++;
    }
    return n;
}

hone_status hone__params_copy_adapters(hone_params *to, const hone_params *from)
{
    /* numbers of adapters and of parameters stay: go by parameter index, holes included */
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++) {
        const struct hone__adapter *src = &from->adapters[k];
        struct hone__adapter *dst = &to->adapters[k];
        if (!src->name)
            continue;
        *dst = *src;
        memset(&dst->region, 0, sizeof dst->region);
        dst->name = hone_strdup(src->name);
        dst->a_of = hone_reallocarray(NULL, (size_t)from->n_base, sizeof *dst->a_of);
        if (!dst->name || !dst->a_of)
            return HONE_E_NOMEM;
        memcpy(dst->a_of, src->a_of, (size_t)from->n_base * sizeof *dst->a_of);
    }
    for (hone_param i = to->n_base; i < from->n; i++) {
        const hone_param_item *it = from->items[i];
        hone_param_spec spec;
        hone_param at;
        memset(&spec, 0, sizeof spec);
        if (it) {
            spec.struct_size = sizeof spec;
            spec.name = it->name;
            spec.role = it->role;
            spec.layer = it->layer;
            spec.rows = it->rows;
            spec.cols = it->cols;
            HONE_TRY(hone__params_add(to, &spec, it->adapter, it->target, &at));
            to->items[at]->trainable = it->trainable;
        } else {
            HONE_TRY(hone__params_hole(to));
        }
    }
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++) {
        struct hone__adapter *dst = &to->adapters[k];
        const struct hone__adapter *src = &from->adapters[k];
        char *at;
        if (!src->name)
            continue;
        HONE_TRY(hone_region_init(&dst->region, "adapters", src->region.size));
        if (!hone_region_planning())
            memcpy(dst->region.base, src->region.base, src->region.size);
        at = dst->region.base;
        for (hone_param i = dst->first; i < dst->first + dst->n; i++) {
            to->items[i]->data = at;
            at += hone__params_bytes(to->items[i]);
        }
    }
    to->active = from->active;
    return HONE_OK;
}
