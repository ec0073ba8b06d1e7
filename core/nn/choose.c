/* choose.c - one instance of each model component is asked; those that lose are dropped.
 *
 * A component that cannot be loaded is an error only when no other knows the configuration: a broken
 * plugin on the search path must not keep the others from working. */
#include "nn/choose.h"
#include "base/log.h"
#include "nn/packs.h"

enum { COMPONENTS_MAX = 64 };

static hone_status make(hone_registry *r, const hone_component_info *info, hone_instance **inst,
                        hone_model_choice *choice)
{
    hone_ref ref;
    HONE_TRY(hone_instance_create_info(r, info, NULL, inst));
    hone_status s = hone_instance_ref(*inst, HONE_IFACE_MODEL, &ref);
    if (s < 0) {
        hone_instance_unref(*inst);
        return s;
    }
    *choice = (hone_model_choice){ref.vt, ref.self, hone_instance_id(*inst), *inst};
    return HONE_OK;
}

/* A component that could not be asked might have known the model: the error's hint says so, and one that was refused
 * makes it a refusal. */
static hone_status name_the_unasked(const hone_registry *r, const hone_error *broken)
{
    hone_error e = *hone_error_get();
    if (broken->code == HONE_E_REFUSED) {
        e.code = HONE_E_REFUSED;
        hone_error_set(&e);
    }
    if (broken->code < 0) {
        hone_fail_hint("one was not asked: %s%s%s", broken->what, broken->hint[0] ? "; " : "",
                       broken->hint);
        return e.code;
    }
    for (size_t i = 0; i < hone_registry_n_plugins(r); i++) {
        const hone_plugin *p = hone_registry_plugin(r, i);
        if (p->problem && p->refused == HONE_E_REFUSED) {
            hone_fail_hint("%s was not asked: %s%s%s", p->path, p->problem, p->hint ? "; " : "",
                           p->hint ? p->hint : "");
            break;
        }
    }
    return e.code;
}

hone_status hone_model_choose(hone_registry *registry, const char *format, const hone_value *config,
                              const char *place, uint32_t flags, hone_instance **inst,
                              hone_model **out)
{
    hone_instance *made[COMPONENTS_MAX];
    hone_model_choice choices[COMPONENTS_MAX];
    const hone_component_info *info;
    hone_error broken = {0};
    size_t n = 0;
    hone_model *model = NULL;
    hone_status s;
    HONE_TRY(hone_packs_load(registry));
    for (size_t i = 0;
         n < COMPONENTS_MAX && (info = hone_registry_component(registry, HONE_KIND_MODEL, i));
         i++) {
        if (make(registry, info, &made[n], &choices[n]) >= 0) {
            n++;
        } else {
            if (broken.code != HONE_E_REFUSED)
                broken = *hone_error_get();
            hone_log(HONE_LOG_WARN, info->c.id, "%s", hone_error_get()->what);
        }
    }
    if (n == 0 && broken.code < 0)
        return hone_error_set(&broken);
    if (n == 0) {
        hone_fail(HONE_E_NOT_FOUND, "%s: no model plugin was found", place);
        return hone_fail_hint("hone plugin list shows where hone looked");
    }
    s = hone_model_create(choices, n, format, config, place, flags, &model);
    for (size_t i = 0; i < n; i++) {
        if (s >= 0 && choices[i].self == model->self && choices[i].vt == model->vt)
            *inst = made[i];
        else
            hone_instance_unref(made[i]);
    }
    if (s >= 0)
        *out = model;
    else if (s == HONE_E_UNSUPPORTED)
        s = name_the_unasked(registry, &broken);
    return s;
}
