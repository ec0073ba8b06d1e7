/* optimizer.c - see optimizer.h. */
#include "train/optimizer.h"

#include "base/alloc.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

#define SLICE 65536

static int glob(const char *p, const char *s)
{
    const char *star = NULL, *mark = NULL;
    while (*s) {
        if (*p == '*') {
            star = ++p;
            mark = s;
        } else if (*p == '?' || *p == *s) {
            p++;
            s++;
        } else if (star) {
            p = star;
            s = ++mark;
        } else {
            return 0;
        }
    }
    while (*p == '*')
        p++;
    return *p == '\0';
}

static hone_status read_groups(hone_optimizer *o, const hone_value *config)
{
    double wd = 0;
    if (config)
        HONE_TRY(hone_value_f64(config, "weight_decay", 0, &wd));
    o->groups[0] = (hone_opt_group){.match = "", .lr_scale = 1, .weight_decay = wd};
    o->n_groups = 1;
    const hone_value *list = config ? hone_value_get(config, "groups") : NULL;
    if (!list || list->type == HONE_NULL)
        return HONE_OK;
    if (list->type != HONE_LIST || list->u.list.n >= HONE_OPT_MAX_GROUPS)
        return hone_fail(HONE_E_TYPE, "optimizer groups: a list of at most %d",
                         HONE_OPT_MAX_GROUPS - 1);
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *g = &list->u.list.items[i];
        hone_opt_group *to = &o->groups[o->n_groups];
        hone_str match;
        HONE_TRY(hone_value_string(g, "match", (hone_str){NULL, 0}, &match));
        if (!match.ptr || match.len >= sizeof to->match)
            return hone_fail(HONE_E_INVALID, "optimizer group %zu: match is missing or too long",
                             i + 1);
        memset(to, 0, sizeof *to);
        memcpy(to->match, match.ptr, match.len);
        HONE_TRY(hone_value_f64(g, "lr_scale", 1, &to->lr_scale));
        HONE_TRY(hone_value_f64(g, "weight_decay", wd, &to->weight_decay));
        o->n_groups++;
    }
    return HONE_OK;
}

/* The component's own keys: without those of the host. */
static hone_status own_keys(hone_arena *a, const hone_value *config, hone_value *out)
{
    static const char *const host[] = {"lr", "weight_decay", "groups"};
    memset(out, 0, sizeof *out);
    out->type = HONE_MAP;
    if (!config || config->type != HONE_MAP)
        return HONE_OK;
    hone_pair *p = hone_arena_calloc(a, config->u.map.n + 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < config->u.map.n; i++) {
        int skip = 0;
        for (size_t k = 0; k < sizeof host / sizeof *host; k++)
            skip |= hone_str_eq(config->u.map.pairs[i].key, host[k]);
        if (!skip)
            p[n++] = config->u.map.pairs[i];
    }
    out->u.map.pairs = p;
    out->u.map.n = n;
    return HONE_OK;
}

hone_status hone_optimizer_create(hone_registry *reg, const char *name, const hone_value *config,
                                  hone_optimizer **out)
{
    hone_arena a;
    hone_value own;
    hone_ref ref;
    hone_optimizer *o = hone_calloc(1, sizeof *o);
    if (!o)
        return HONE_E_NOMEM;
    hone_arena_init(&a, 0);
    hone_status s;
    HONE_TRY_GOTO(read_groups(o, config), done);
    HONE_TRY_GOTO(own_keys(&a, config, &own), done);
    HONE_TRY_GOTO(hone_instance_create(reg, HONE_KIND_OPTIMIZER, name, &own, &o->instance), done);
    HONE_TRY_GOTO(hone_instance_ref(o->instance, HONE_IFACE_OPTIMIZER, &ref), done);
    o->vt = ref.vt;
    o->self = ref.self;
done:
    hone_arena_release(&a);
    if (s < 0)
        hone_optimizer_destroy(o);
    else
        *out = o;
    return s;
}

void hone_optimizer_destroy(hone_optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < HONE_OPT_MAX_STATE; i++)
        hone_region_release(&o->state[i]);
    hone_instance_unref(o->instance);
    hone_free(o);
}

hone_status hone_optimizer_bind(hone_optimizer *o, const hone_params *p)
{
    uint32_t n_state = 0;
    for (int32_t i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (!it || !it->trainable)
            continue;
        hone_opt_param op = {.struct_size = sizeof op,
                             .name = hone_str_c(it->name),
                             .rows = it->rows,
                             .cols = it->is_vector ? 0 : it->cols};
        hone_opt_state_spec spec = {.struct_size = sizeof spec};
        hone_instance_enter(o->instance);
        HONE_TRY(
            hone_instance_leave(o->instance, "state_spec", o->vt->state_spec(o->self, &op, &spec)));
        if (spec.n_buffers > HONE_OPT_MAX_STATE)
            return hone_fail(HONE_E_MISBEHAVED, "%s: state_spec asks for %u buffers",
                             hone_instance_id(o->instance), spec.n_buffers);
        for (uint32_t k = 0; k < spec.n_buffers; k++)
            o->state_names[k] = spec.names[k];
        if (spec.n_buffers > n_state)
            n_state = spec.n_buffers;
    }
    o->flat = hone_params_flat_length(p);
    o->n_state = n_state;
    o->step = 0;
    for (uint32_t k = 0; k < HONE_OPT_MAX_STATE; k++) {
        hone_region_release(&o->state[k]);
        if (k < n_state)
            HONE_TRY(hone_region_init(&o->state[k], "optimizer", o->flat * sizeof(float)));
    }
    return HONE_OK;
}

typedef struct job {
    hone_optimizer *o;
    hone_opt_slice *slices;
    hone_opt_info info;
    hone_status failed;
    hone_error error;
    int claimed;
} job;

static void step_task(void *arg, int64_t task, uint32_t thread)
{
    job *j = arg;
    (void)thread;
    hone_instance_enter(j->o->instance);
    hone_status s = j->o->vt->step(j->o->self, &j->slices[task], 1, sizeof j->slices[task],
                                   &j->info);
    s = hone_instance_leave(j->o->instance, "step", s);
    if (s < 0 && !__atomic_exchange_n(&j->claimed, 1, __ATOMIC_ACQ_REL)) {
        j->error = *hone_error_get();
        j->failed = s;
    }
}

static const hone_opt_group *group_of(const hone_optimizer *o, const char *name, uint32_t *index)
{
    size_t best = 0;
    for (size_t i = 1; i < o->n_groups; i++) {
        if (glob(o->groups[i].match, name))
            best = i;
    }
    *index = (uint32_t)best;
    return &o->groups[best];
}

hone_status hone_optimizer_step(hone_optimizer *o, hone_params *p, hone_pool *pool, double lr,
                                double clip, double *norm_out)
{
    if (hone_region_planning()) {
        *norm_out = 0;
        return HONE_OK;
    }
    double norm = sqrt(hone_params_grad_sq(p));
    *norm_out = norm;
    if (!isfinite(norm))
        return 1;
    if (o->flat != hone_params_flat_length(p))
        return hone_fail(HONE_E_STATE,
                         "the set of trainable parameters changed after the optimizer was made");
    int cut = (o->vt->flags & HONE_OPT_ELEMENTWISE) != 0;
    size_t n = 0, cap = 0;
    for (int32_t i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (it && it->trainable)
            cap += cut ? it->length / SLICE + 1 : 1;
    }
    job j = {.o = o};
    j.slices = hone_calloc(cap ? cap : 1, sizeof *j.slices);
    if (!j.slices)
        return HONE_E_NOMEM;
    j.info = (hone_opt_info){
        .struct_size = sizeof j.info, .step = o->step + 1, .grad_norm = norm, .grad_scale = 1.0};
    if (clip > 0 && clip / (norm + 1e-6) < 1) /* as torch.nn.utils.clip_grad_norm_ */
        j.info.grad_scale = clip / (norm + 1e-6);
    for (int32_t i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (!it || !it->trainable || !it->grad)
            continue;
        uint32_t gi;
        const hone_opt_group *g = group_of(o, it->name, &gi);
        size_t step = cut ? SLICE : it->length;
        for (size_t at = 0; at < it->length; at += step) {
            hone_opt_slice *s = &j.slices[n++];
            s->param = it->data + at;
            s->grad = it->grad + at;
            for (uint32_t k = 0; k < o->n_state; k++)
                s->state[k] = (float *)o->state[k].base + it->flat + at;
            s->length = it->length - at < step ? it->length - at : step;
            s->rows = it->rows;
            s->cols = it->is_vector ? 0 : it->cols;
            s->layout = cut                         ? HONE_LAYOUT_FLAT
                        : it->layout == HONE_PANELS ? HONE_LAYOUT_PANELS
                                                    : HONE_LAYOUT_ROWS;
            s->group = gi;
            s->lr = lr * g->lr_scale;
            s->weight_decay = g->weight_decay;
        }
    }
    const hone_exec *ex = hone_pool_exec(pool);
    if (hone_instance_caps(o->instance) & HONE_CAP_REENTRANT)
        ex->parallel(ex, (int64_t)n, step_task, &j);
    else
        for (size_t i = 0; i < n; i++)
            step_task(&j, (int64_t)i, 0);
    hone_free(j.slices);
    if (j.failed < 0)
        return hone_error_set(&j.error);
    o->step++;
    return HONE_OK;
}
