/* optimizers.c - the plugin's entry: instances of all rules, made, asked and stepped in one way.
 *
 * The host owns parameters, gradients and state; gradients are multiplied by grad_scale (clipping) by the rules.
 * An instance holds settings alone, so a run that is resumed with a new one goes on with the same bits. */
#include "optimizers.h"

#include <string.h>

static int best_isa(void)
{
#if OPT_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return 2;
    if (__builtin_cpu_supports("avx2"))
        return 1;
#endif
    return 0;
}

hone_status hone__opt_create(const opt_rule *rule, const hone_host *host, const hone_config *cfg,
                             void **self_out)
{
    hone_ref mem;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem);
    if (s < 0)
        return s;
    optimizer *o = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, rule->size);
    if (!o)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(o, 0, rule->size);
    o->host = host;
    o->mem = mem;
    o->rule = rule;
    o->isa = best_isa();
    s = rule->configure ? rule->configure(o, cfg) : HONE_OK;
    if (s < 0)
        hone__opt_destroy(o);
    else
        *self_out = o;
    return s;
}

void hone__opt_destroy(void *self)
{
    optimizer *o = self;
    hone_ref mem = o->mem;
    ((const hone_mem_v1 *)mem.vt)->resize(mem.self, o, o->rule->size, 0);
}

hone_status hone__opt_check(const optimizer *o, const hone_opt_slice *s, uint32_t n_state)
{
    for (uint32_t k = 0; k < n_state; k++)
        if (!s->state[k])
            return hone_host_fail(o->host, HONE_E_INVALID, "a slice without its state");
    if (s->layout == HONE_LAYOUT_FLAT)
        return HONE_OK;
    if (s->rows < 1 || s->cols < 0 || s->rows > INT64_MAX / 64 ||
        (s->cols && s->cols > INT64_MAX / 64 / (s->rows + 31)))
        return hone_host_fail(o->host, HONE_E_INVALID, "a slice of a matrix without a shape");
    size_t cols = s->cols ? (size_t)s->cols : 1, rows = (size_t)s->rows,
           most = s->layout == HONE_LAYOUT_PANELS ? (rows + 31) / 32 * 32 * cols : s->length;
    int whole_units = s->layout != HONE_LAYOUT_PANELS || s->length % (32 * cols) == 0;
    if (s->length > most || !whole_units ||
        (s->layout == HONE_LAYOUT_ROWS && s->length < rows * cols))
        return hone_host_fail(o->host, HONE_E_INVALID, "%zu floats are no slice of %zu x %zu",
                              s->length, rows, cols);
    return HONE_OK;
}

static hone_status state_spec(void *self, const hone_opt_param *param, hone_opt_state_spec *out)
{
    const optimizer *o = self;
    return o->rule->state_spec(o, param, out);
}

static const hone_opt_slice *slice_at(const hone_opt_slice *slices, size_t i, size_t stride)
{
    return (const hone_opt_slice *)(const void *)((const char *)slices + i * stride);
}

static hone_status step(void *self, const hone_opt_slice *slices, size_t n, size_t stride,
                        const hone_opt_info *info)
{
    const optimizer *o = self;
    hone_status s = HONE_OK;
    if (info->step == 0)
        return hone_host_fail(o->host, HONE_E_INVALID, "steps count from 1");
    for (size_t i = 0; i < n && s >= 0; i++)
        s = o->rule->step(o, slice_at(slices, i, stride), info);
    return s;
}

static hone_status evaluation(void *self, const hone_opt_slice *slices, size_t n, size_t stride,
                              const hone_opt_info *info)
{
    const optimizer *o = self;
    hone_status s = HONE_OK;
    if (info->step == 0)
        return hone_host_fail(o->host, HONE_E_INVALID, "steps count from 1");
    for (size_t i = 0; i < n && s >= 0; i++)
        s = o->rule->evaluation(o, slice_at(slices, i, stride), info);
    return s;
}

/* By what the rule promises: cut anywhere or as it says, one set of weights or two. */
static const hone_optimizer_v1 plain = {sizeof plain, 0, state_spec, step, NULL},
                               elementwise = {sizeof elementwise, HONE_OPT_ELEMENTWISE, state_spec,
                                              step, NULL},
                               two_weights = {sizeof two_weights, 0, state_spec, step, evaluation};

const void *hone__opt_get_iface(void *self, const char *iface_id)
{
    const optimizer *o = self;
    if (strcmp(iface_id, HONE_IFACE_OPTIMIZER) != 0)
        return NULL;
    return o->rule->evaluation                     ? &two_weights
           : o->rule->flags & HONE_OPT_ELEMENTWISE ? &elementwise
                                                   : &plain;
}

const char *const hone__opt_needs[] = {HONE_IFACE_MEM, NULL};
const char *const hone__opt_provides[] = {HONE_IFACE_OPTIMIZER, NULL};
static const hone_component *const components[] = {
    &hone__opt_adamw, &hone__opt_adafactor,     &hone__opt_adam8bit, &hone__opt_lion,
    &hone__opt_muon,  &hone__opt_schedule_free, &hone__opt_sgd,      NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
