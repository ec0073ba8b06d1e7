/* desk_models.c - which model a name at the desk stands for (hone/scorer.h says how they are spelled).
 *
 * The engines here are the desk's own: a request may be served between two decode steps of a policy's own engine, whose
 * pages and slots it must not touch. Weights are shared, whoever decodes with them. */
#include "train/desk_private.h"

#include "base/alloc.h"
#include "base/file.h"
#include "host/grant.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

hone_status hone__desk_first(hone_desk *d)
{
    return d->n_policies || !d->make ? HONE_OK : d->make(d->make_ctx);
}

static hone_status policy_named(hone_desk *d, hone_str name, size_t *out)
{
    HONE_TRY(hone__desk_first(d));
    for (size_t i = 0; i < d->n_policies; i++)
        if (!name.len || hone_str_eq(name, d->policies[i]->name)) {
            *out = i;
            return HONE_OK;
        }
    hone_fail(HONE_E_STATE, "no model \"%.*s\" is there to be asked",
              (int)(name.len < 64 ? name.len : 64), name.ptr ? name.ptr : "");
    return hone_fail_hint(
        "a policy or a reference of the run by its name, \"\" the first; \"base\" without its "
        "adapter; \"model:M\" another one, by known name, folder or file");
}

static int starts(hone_str s, const char *with)
{
    const size_t n = strlen(with);
    return s.len >= n && memcmp(s.ptr, with, n) == 0;
}

static hone_str behind(hone_str s, size_t n)
{
    return (hone_str){s.ptr + n, s.len - n};
}

/* A box sees files that it was granted; a known name is the host's to open. */
static hone_status may_open(hone_desk *d, hone_instance *who, const char *model)
{
    char real[PATH_MAX], granted[PATH_MAX];
    const char *path;
    if (!who || !hone_instance_is_boxed(who))
        return HONE_OK;
    if (!strchr(model, '/') && !hone_file_exists(model) && !hone_file_is_dir(model))
        return HONE_OK;
    const hone_component_info *info = hone_instance_info(who);
    const int there = realpath(model, real) != NULL;
    for (size_t i = 0; there && (path = hone_registry_granted_path(d->env.registry, info,
                                                                   HONE_CAP_FS_READ, i)) != NULL;
         i++) {
        const size_t n = realpath(path, granted) ? strlen(granted) : 0;
        if (n && strncmp(real, granted, n) == 0 && (real[n] == '\0' || real[n] == '/'))
            return HONE_OK;
    }
    hone_fail(HONE_E_REFUSED, "it may not have the model %.200s opened", model);
    return hone_fail_hint("name a known model, or grant the path: --allow=%s:fs-read:%.200s",
                          hone_instance_id(who), model);
}

static hone_status loaded(hone_desk *d, hone_instance *who, hone_str name, hone__desk_model *out)
{
    hone_policy_config cfg = {.storage = HONE_STORAGE_KEEP};
    hone_status s;
    size_t i = 0;
    while (i < d->n_loaded && !hone_str_eq(name, d->loaded[i].name))
        i++;
    char *model = hone_strndup(name.ptr, name.len);
    if (!model)
        return HONE_E_NOMEM;
    s = memchr(name.ptr, 0, name.len) || !name.len
            ? hone_fail(HONE_E_INVALID, "\"model:\" without the name of a model")
            : may_open(d, who, model);
    if (s >= 0 && i == d->n_loaded) {
        if (i == HONE__DESK_LOADED)
            s = hone_fail(HONE_E_LIMIT, "more than %d models beside the run's", HONE__DESK_LOADED);
        cfg.name = cfg.model = model;
        if (s >= 0)
            s = hone_policy_create(&d->env, &cfg, &d->loaded[i].policy);
        if (s >= 0) {
            d->loaded[d->n_loaded++].name = model;
            model = NULL;
        }
    }
    hone_free(model);
    HONE_TRY(s);
    *out = (hone__desk_model){d->loaded[i].policy, HONE_ADAPTERS_NONE, &d->loaded[i].gen};
    return HONE_OK;
}

hone_status hone__desk_find(hone_desk *d, hone_instance *who, hone_str name, hone__desk_model *out)
{
    size_t i = 0;
    int base = 0;
    if (starts(name, "model:"))
        return loaded(d, who, behind(name, 6), out);
    while (i < d->n_policies && !hone_str_eq(name, d->policies[i]->name))
        i++; /* a policy may be called "base" */
    if (i == d->n_policies) {
        base = hone_str_eq(name, "base") || starts(name, "base:");
        if (base)
            name = behind(name, name.len > 4 ? 5 : 4);
        HONE_TRY(policy_named(d, name, &i));
    }
    hone_policy *p = d->policies[i];
    if (base && p->optimizer && p->adapter < 0) {
        hone_fail(HONE_E_STATE, "%s trains all of its weights: there is no base left", p->name);
        return hone_fail_hint("give it an adapter (lora = { rank = 16 }), or make a reference: "
                              "policy:reference()");
    }
    *out = (hone__desk_model){p, base ? HONE_ADAPTERS_NONE : hone_policy_mask(p), &d->gens[i]};
    return HONE_OK;
}

hone_status hone__desk_add(hone_desk *d, hone_policy *p)
{
    if (!d)
        return HONE_OK;
    if (d->n_policies == HONE__DESK_POLICIES)
        return hone_fail(HONE_E_LIMIT, "more than %d policies at one time", HONE__DESK_POLICIES);
    d->gens[d->n_policies] = NULL;
    d->policies[d->n_policies++] = p;
    return HONE_OK;
}

void hone__desk_remove(hone_desk *d, const hone_policy *p)
{
    size_t k = 0;
    for (size_t i = 0; d && i < d->n_policies; i++) {
        if (d->policies[i] == p) {
            hone_gen_destroy(d->gens[i]);
            continue;
        }
        d->policies[k] = d->policies[i];
        d->gens[k++] = d->gens[i];
    }
    if (d)
        d->n_policies = k;
}

void hone__desk_forget(hone_desk *d)
{
    for (size_t i = 0; i < d->n_policies; i++) {
        hone_gen_destroy(d->gens[i]);
        d->gens[i] = NULL;
    }
    for (size_t i = 0; i < d->n_loaded; i++) {
        hone_gen_destroy(d->loaded[i].gen);
        hone_policy_destroy(d->loaded[i].policy);
        hone_free(d->loaded[i].name);
    }
    d->n_loaded = 0;
}
