/* adapters.c - low-rank adapters of the parameter store (LoRA; Hu et al. 2021), and its kin.
 *
 * An adapter is a run of parameters A, B (and m of DoRA), A, B, ... in a region of its own, one pair for every
 * base matrix that it stands on, and a table from base parameter to pair. Whether a forward sees it is
 * a bit of the mask the forward is given; `linear` computes it, the model knows nothing of it.
 * Dropping one leaves a hole in the numbering of parameters, so that nothing else is renumbered.
 * Norms of DoRA are in adapter_norms.c. */
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

/* Length of "model.layers.0.self_attn.q_proj" in "model.layers.0.self_attn.q_proj.weight". */
static size_t module_length(const char *name)
{
    size_t n = strlen(name), tail = strlen(".weight");
    return n > tail && strcmp(name + n - tail, ".weight") == 0 ? n - tail : n;
}

/* A matrix that an adapter can stand on, and one that `target` names: a role, or the module's last name. */
static int can_adapt(const hone_param_item *w)
{
    return !w->is_vector && !(w->flags & HONE_PARAM_EMBEDDING);
}

static int is_meant(const hone_param_item *w, const char *target)
{
    size_t n = module_length(w->name), tail = strlen(target);
    return is_role(w->role, target) || (tail && n > tail && w->name[n - tail - 1] == '.' &&
                                        strncmp(w->name + n - tail, target, tail) == 0);
}

static int is_any(const hone_param_item *w, const char *const *targets)
{
    for (; *targets; targets++)
        if (is_meant(w, *targets))
            return 1;
    return 0;
}

/* "model.layers.0.self_attn.q_proj.weight" -> "base_model.model.<module>.lora_A.<adapter>.weight" */
static hone_status part_name(char *out, size_t size, const char *base, const char *part,
                             const char *adapter)
{
    int len = snprintf(out, size, "base_model.model.%.*s.%s.%s.weight", (int)module_length(base),
                       base, part, adapter);
    if (len < 0 || (size_t)len >= size)
        return hone_fail(HONE_E_LIMIT, "adapter %s: the name of its part of %s is too long",
                         adapter, base);
    return HONE_OK;
}

/* A parameter of the adapter on base matrix w; cols 0: a vector. */
static hone_status add_part(hone_params *p, int32_t k, hone_param base, const char *part,
                            int64_t rows, int64_t cols, hone_param *out)
{
    const hone_param_item *w = p->items[base];
    char name[512];
    hone_param_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.struct_size = sizeof spec;
    spec.name = name;
    spec.role = w->role;
    spec.layer = w->layer;
    spec.init = HONE_INIT_ZERO;
    spec.rows = rows;
    spec.cols = cols;
    HONE_TRY(part_name(name, sizeof name, w->name, part, p->adapters[k].name));
    return hone__params_add(p, &spec, k, base, out);
}

static hone_status add_pair(hone_params *p, int32_t k, const hone_adapter_target *t)
{
    struct hone__adapter *ad = &p->adapters[k];
    const hone_param_item *w = p->items[t->param];
    struct hone__pair *pair = &ad->pairs[ad->n_pairs];
    *pair = (struct hone__pair){.target = t->param,
                                .m = HONE_NONE,
                                .a0 = HONE_NONE,
                                .b0 = HONE_NONE,
                                .alpha = t->alpha,
                                .at = ad->n_norms};
    pair->scale = ad->kind & HONE_LORA_RANK_STABLE ? t->alpha / sqrtf((float)t->rank)
                                                   : t->alpha / (float)t->rank;
    HONE_TRY(add_part(p, k, t->param, "lora_A", t->rank, w->cols, &pair->a));
    HONE_TRY(add_part(p, k, t->param, "lora_B", w->rows, t->rank, &pair->b));
    p->items[pair->b]->lr_scale = ad->b_lr_scale;
    if (ad->kind & HONE_LORA_DORA) {
        HONE_TRY(add_part(p, k, t->param, "lora_magnitude_vector", w->rows, 0, &pair->m));
        ad->n_norms += (size_t)w->rows;
    }
    if (ad->init == HONE_LORA_INIT_PRINCIPAL) {
        HONE_TRY(add_part(p, k, t->param, "pissa_A", t->rank, w->cols, &pair->a0));
        HONE_TRY(add_part(p, k, t->param, "pissa_B", w->rows, t->rank, &pair->b0));
        p->items[pair->a0]->fixed = p->items[pair->b0]->fixed = 1;
        p->items[pair->a0]->trainable = p->items[pair->b0]->trainable = 0;
    }
    ad->pair_of[t->param] = ad->n_pairs++;
    return HONE_OK;
}

/* A's values: element e of pair number i is a function of (seed, i, e) alone. */
static hone_status init_pairs(hone_params *p, const struct hone__adapter *ad,
                              const hone_adapter_spec *spec)
{
    hone_rng_key key = {spec->seed, HONE_RNG_INIT, 0, 1, 0};
    for (int32_t i = 0; i < ad->n_pairs; i++) {
        const hone_param_item *it = p->items[ad->pairs[i].a];
        double bound = 1.0 / sqrt((double)it->cols);
        float *row = hone_reallocarray(NULL, (size_t)it->cols, sizeof *row);
        hone_status s = HONE_OK;
        if (!row)
            return HONE_E_NOMEM;
        key.sample = (uint64_t)i;
        for (int64_t r = 0; r < it->rows && s >= 0; r++) {
            for (int64_t c = 0; c < it->cols; c++) {
                uint64_t e = (uint64_t)(r * it->cols + c);
                row[c] = spec->init == HONE_LORA_INIT_NORMAL
                             ? (float)(hone_rng_normal(&key, e) / (double)it->rows)
                             : (float)((2.0 * hone_rng_uniform(&key, e) - 1.0) * bound);
            }
            s = hone_params_set_rows(p, ad->pairs[i].a, r, 1, row);
        }
        hone_free(row);
        HONE_TRY(s);
    }
    return HONE_OK;
}

/* Is there a matrix that an adapter with this target would be put on? */
static int there_is(const hone_params *p, const char *target)
{
    for (hone_param i = 0; i < p->n_base; i++)
        if (can_adapt(p->items[i]) && is_meant(p->items[i], target))
            return 1;
    return 0;
}

static void add_word(char *out, size_t size, const char *word)
{
    size_t n = strlen(out);
    if (n + 1 < size)
        snprintf(out + n, size - n, "%s%s", n ? " " : "", word);
}

static hone_status check_targets(const hone_params *p, const hone_adapter_spec *spec)
{
    for (size_t i = 0; i < spec->n_targets; i++) {
        const hone_adapter_target *t = &spec->targets[i];
        if (t->param < 0 || t->param >= p->n_base || !can_adapt(p->items[t->param]))
            return hone_fail(HONE_E_NOT_FOUND, "adapter: parameter %d is no matrix of the base",
                             t->param);
        if (t->rank < 1 || t->rank > HONE_ADAPTER_RANK_MAX)
            return hone_fail(HONE_E_RANGE, "adapter: rank %d on %s (1 to %d)", t->rank,
                             p->items[t->param]->name, HONE_ADAPTER_RANK_MAX);
        for (size_t k = 0; k < i; k++)
            if (spec->targets[k].param == t->param)
                return hone_fail(HONE_E_EXISTS, "adapter: %s is named twice",
                                 p->items[t->param]->name);
    }
    return HONE_OK;
}

static hone_status check_spec(const hone_params *p, const hone_adapter_spec *spec,
                              const char *const *roles)
{
    if (!p->sealed)
        return hone_fail(HONE_E_STATE, "adapter: the model has no parameters yet");
    if (spec->rank < 1 || spec->rank > HONE_ADAPTER_RANK_MAX)
        return hone_fail(HONE_E_RANGE, "adapter: rank %d (1 to %d)", spec->rank,
                         HONE_ADAPTER_RANK_MAX);
    if (spec->init > HONE_LORA_INIT_PRINCIPAL)
        return hone_fail(HONE_E_UNSUPPORTED, "adapter: initialisation %u", spec->init);
    if (spec->init == HONE_LORA_INIT_PRINCIPAL && !spec->exec)
        return hone_fail(HONE_E_INVALID, "adapter: PiSSA starts with products, and nothing to run"
                                         " them on is given");
    if (!isfinite(spec->alpha) || !isfinite(spec->b_lr_scale) || spec->b_lr_scale < 0)
        return hone_fail(HONE_E_RANGE, "adapter: alpha %g, %g times the learning rate for B",
                         (double)spec->alpha, (double)spec->b_lr_scale);
    if (spec->n_targets)
        return check_targets(p, spec);
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

/* The pairs, in the order of the base. */
static hone_status add_pairs(hone_params *p, int32_t k, const hone_adapter_spec *spec,
                             const char *const *roles)
{
    for (hone_param i = 0; i < p->n_base; i++) {
        hone_adapter_target t = {i, spec->rank, spec->alpha};
        const hone_adapter_target *use = NULL;
        for (size_t j = 0; j < spec->n_targets && !use; j++)
            use = spec->targets[j].param == i ? &spec->targets[j] : NULL;
        if (!spec->n_targets && can_adapt(p->items[i]) && is_any(p->items[i], roles))
            use = &t;
        if (!use)
            continue;
        const hone_param_item *w = p->items[i];
        if (spec->init == HONE_LORA_INIT_PRINCIPAL &&
            (use->rank > w->rows || use->rank > w->cols || !(use->alpha > 0))) {
            hone_fail(HONE_E_RANGE,
                      "adapter: %s is %lld x %lld, and PiSSA wants %d singular values"
                      " of it, with an alpha above 0",
                      w->name, (long long)w->rows, (long long)w->cols, use->rank);
            return hone_fail_hint("give a smaller rank, or name targets");
        }
        HONE_TRY(add_pair(p, k, use));
    }
    return HONE_OK;
}

static void list_roles(const hone_params *p, struct hone__adapter *ad, const char *const *roles)
{
    for (; roles && *roles; roles++)
        if (there_is(p, *roles))
            add_word(ad->roles, sizeof ad->roles, *roles);
    for (int32_t i = 0; !roles && i < ad->n_pairs;
         i++) { /* exact targets: their roles, each once */
        const char *role = p->items[ad->pairs[i].target]->role;
        int seen = 0;
        for (int32_t j = 0; j < i; j++)
            seen |= strcmp(p->items[ad->pairs[j].target]->role, role) == 0;
        if (!seen)
            add_word(ad->roles, sizeof ad->roles, role);
    }
}

static void forget(struct hone__adapter *ad)
{
    hone_region_release(&ad->region);
    hone_region_release(&ad->norms);
    hone_free(ad->name);
    hone_free(ad->pairs);
    hone_free(ad->pair_of);
    memset(ad, 0, sizeof *ad);
}

void hone__params_release_adapters(hone_params *p)
{
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++)
        forget(&p->adapters[k]);
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
    HONE_TRY(hone__params_unmerged(p, "to add another"));
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
    ad->kind = spec->kind;
    ad->init = spec->init;
    ad->b_lr_scale = spec->b_lr_scale > 0 ? spec->b_lr_scale : 1;
    ad->name = hone_strdup(name);
    ad->pairs = hone_calloc((size_t)p->n_base, sizeof *ad->pairs);
    ad->pair_of = hone_reallocarray(NULL, (size_t)p->n_base, sizeof *ad->pair_of);
    if (!ad->name || !ad->pairs || !ad->pair_of) {
        s = HONE_E_NOMEM;
        goto fail;
    }
    memset(ad->pair_of, 0xff, (size_t)p->n_base * sizeof *ad->pair_of);
    HONE_TRY_GOTO(add_pairs(p, k, spec, roles), fail);
    list_roles(p, ad, spec->n_targets ? NULL : roles);
    ad->first = first;
    ad->n = p->n - first;
    HONE_TRY_GOTO(hone__params_place(p, first, &ad->region, "adapters"), fail);
    HONE_TRY_GOTO(hone__params_place_norms(p, ad), fail);
    if (spec->init == HONE_LORA_INIT_PRINCIPAL)
        HONE_TRY_GOTO(hone__params_init_principal(p, ad, spec->seed, spec->exact != 0, spec->exec),
                      fail);
    else if (!hone_region_planning())
        HONE_TRY_GOTO(init_pairs(p, ad, spec), fail);
    if (!hone_region_planning())
        HONE_TRY_GOTO(hone__params_init_magnitudes(p, ad), fail);
    hone_params_drop_grads(p);
    p->active |= 1u << k;
    return k;
fail:
    hone__params_unadd(p, first);
    forget(ad);
    return s;
}

hone_status hone_params_drop_adapter(hone_params *p, int32_t k)
{
    struct hone__adapter *ad;
    if (k < 0 || k >= HONE_ADAPTERS_MAX || !p->adapters[k].name)
        return hone_fail(HONE_E_NOT_FOUND, "adapter: there is no number %d", k);
    if (p->merged >> k & 1)
        HONE_TRY(hone__params_unmerged(p, "to drop it"));
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
    forget(ad);
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
    out->scale = ad->kind & HONE_LORA_RANK_STABLE ? ad->alpha / sqrtf((float)ad->rank)
                                                  : ad->alpha / (float)ad->rank;
    for (hone_param i = ad->first; i < ad->first + ad->n; i++)
        if (!p->items[i]->fixed)
            out->n_params += (size_t)p->items[i]->rows * (size_t)p->items[i]->cols;
    memcpy(out->roles, ad->roles, sizeof out->roles);
    out->kind = ad->kind;
    out->init = ad->init;
    out->b_lr_scale = ad->b_lr_scale;
    out->n_targets = ad->n_pairs;
    return HONE_OK;
}

hone_status hone_params_adapter_pair(const hone_params *p, int32_t k, int32_t i,
                                     hone_adapter_pair *out)
{
    if (k < 0 || k >= HONE_ADAPTERS_MAX || !p->adapters[k].name)
        return hone_fail(HONE_E_NOT_FOUND, "adapter: there is no number %d", k);
    if (i < 0 || i >= p->adapters[k].n_pairs)
        return hone_fail(HONE_E_RANGE, "adapter %s: there is no pair %d", p->adapters[k].name, i);
    const struct hone__pair *pair = &p->adapters[k].pairs[i];
    *out = (hone_adapter_pair){.target = pair->target,
                               .a = pair->a,
                               .b = pair->b,
                               .m = pair->m,
                               .a0 = pair->a0,
                               .b0 = pair->b0,
                               .alpha = pair->alpha,
                               .scale = pair->scale};
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
    mask &= ~p->merged; /* it is in W */
    if (w < 0 || w >= p->n_base)
        return 0;
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX && mask >> k; k++) {
        const struct hone__adapter *ad = &p->adapters[k];
        if (!(mask >> k & 1) || !ad->name || ad->pair_of[w] < 0)
            continue;
        const struct hone__pair *pair = &ad->pairs[ad->pair_of[w]];
        if (n < max)
            out[n] = (hone_lora){pair->a, pair->b, pair->scale};
        n++;
        if (pair->a0 >= 0 && n < max)
            out[n] = (hone_lora){pair->a0, pair->b0, -pair->scale};
        n += pair->a0 >= 0;
    }
    return n;
}

int32_t hone_params_magnitude(const hone_params *p, hone_param w, uint32_t mask, hone_param *m,
                              const float **norm)
{
    const struct hone__adapter *with = NULL;
    int32_t on = 0;
    if (mask == HONE_ADAPTERS_ACTIVE)
        mask = p->active;
    mask &= ~p->merged; /* it is in W */
    if (w < 0 || w >= p->n_base)
        return 0;
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX && mask >> k; k++) {
        const struct hone__adapter *ad = &p->adapters[k];
        if (!(mask >> k & 1) || !ad->name || ad->pair_of[w] < 0)
            continue;
        on++;
        if (ad->pairs[ad->pair_of[w]].m >= 0)
            with = ad;
    }
    if (!with)
        return 0;
    if (on > 1)
        return hone_fail(HONE_E_UNSUPPORTED,
                         "adapter %s: it has magnitudes (DoRA) and another adapter is on %s too",
                         with->name, p->items[w]->name);
    const struct hone__pair *pair = &with->pairs[with->pair_of[w]];
    *m = pair->m;
    *norm = hone__params_norms(with) + pair->at;
    return 1;
}

/* What an adapter is, but for its parameters' values: they are placed below. */
static hone_status copy_table(struct hone__adapter *dst, const struct hone__adapter *src,
                              int32_t n_base)
{
    *dst = *src;
    memset(&dst->region, 0, sizeof dst->region);
    memset(&dst->norms, 0, sizeof dst->norms);
    dst->norms_of = dst->squares_of = 0;
    dst->name = hone_strdup(src->name);
    dst->pairs = hone_calloc((size_t)n_base, sizeof *dst->pairs);
    dst->pair_of = hone_reallocarray(NULL, (size_t)n_base, sizeof *dst->pair_of);
    if (!dst->name || !dst->pairs || !dst->pair_of)
        return HONE_E_NOMEM;
    memcpy(dst->pairs, src->pairs, (size_t)src->n_pairs * sizeof *dst->pairs);
    memcpy(dst->pair_of, src->pair_of, (size_t)n_base * sizeof *dst->pair_of);
    return HONE_OK;
}

hone_status hone__params_copy_adapters(hone_params *to, const hone_params *from)
{
    /* numbers of adapters and of parameters stay: go by parameter index, holes included */
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++) {
        if (!from->adapters[k].name)
            continue;
        hone_status s = copy_table(&to->adapters[k], &from->adapters[k], from->n_base);
        if (s < 0) {
            forget(&to->adapters[k]);
            return s;
        }
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
            spec.rows = it->is_vector ? it->cols : it->rows;
            spec.cols = it->is_vector ? 0 : it->cols;
            HONE_TRY(hone__params_add(to, &spec, it->adapter, it->target, &at));
            to->items[at]->trainable = it->trainable;
            to->items[at]->lr_scale = it->lr_scale;
            to->items[at]->fixed = it->fixed;
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
        HONE_TRY(hone__params_place_norms(to, dst));
    }
    to->active = from->active;
    return HONE_OK;
}
