/* value.c - the value loss: what a head of one number says before each token, against what it was to say.
 *
 *   l_t = 1/2 max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2)        mean over the tokens of the step
 *
 * V_old and R (returns) come with the advantage `gae`, from the head as it was when the samples were drawn. The loss stands
 * alone as the objective `value`, for a critic that is a policy of its own, and in `ppo` with the weight vf_coef, where
 * policy and head share their weights. Micro-batches: weights depend on totals of the whole step only.
 * Source: PPO2 of OpenAI's baselines; Huang et al. 2022, The 37 Implementation Details of PPO, 9. */
#include "objectives.h"

typedef struct value_objective {
    memory mem;
    double clip;
} value_objective;

#define COVERED(in, field)                                                                         \
    ((in)->struct_size >= offsetof(hone_objective_in, field) + sizeof(in)->field)

hone_status value_loss(const memory *mem, const char *name, const hone_objective_in *in,
                       const totals *all, double weight, double clip, hone_objective_out *out,
                       double *loss)
{
    double sum = 0, n = 0, clipped = 0, values = 0, returns = 0, error = 0;
    if (!in->value || !out->grad_value)
        return hone_host_fail(mem->host, HONE_E_INVALID, "%s: needs values", name);
    if (!COVERED(in, returns) || !in->returns || !in->old_value)
        return hone_host_fail(mem->host, HONE_E_INVALID,
                              "%s: needs returns, which come with the advantage gae", name);
    for (size_t s = 0; s < in->n_seqs; s++) {
        for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++) {
            const double m = in->mask[t], w = weight * m / all->tokens;
            const double v = in->value[t], r = in->returns[t], o = in->old_value[t];
            const double c = clip > 0 ? clamped(v, o - clip, o + clip) : v;
            const int cut = (c - r) * (c - r) > (v - r) * (v - r);
            const double e = cut ? c - r : v - r;
            if (m == 0)
                continue;
            sum += w * e * e / 2;
            out->grad_value[t] += cut ? 0 : w * e; /* c is not v where it is cut */
            error += m * e * e / 2;
            clipped += m * cut;
            values += m * v;
            returns += m * r;
            n += m;
        }
    }
    *loss += sum;
    put_mean(out, "value/loss", error, n);
    put_mean(out, "value/clip", clipped, n);
    put_mean(out, "value/mean", values, n);
    put_mean(out, "value/returns", returns, n);
    return HONE_OK;
}

/* ---- the objective `value` ------------------------------------------------------------------------ */

static uint32_t value_uses(void *self)
{
    (void)self;
    return HONE_OBJ_VALUE;
}

static hone_status value_objective_loss(void *self, const hone_objective_in *in,
                                        hone_objective_out *out)
{
    const value_objective *p = self;
    totals all;
    double loss = 0;
    if (!fits_shape(in, out))
        return hone_host_fail(p->mem.host, HONE_E_SHAPE,
                              "value: the sequences do not fit the arrays");
    all = totals_of(in);
    hone_status st = value_loss(&p->mem, "value", in, &all, 1, p->clip, out, &loss);
    if (st >= 0)
        out->loss = loss;
    return st;
}

static hone_str value_show(void *self)
{
    (void)self;
    return hone_str_c(
        "value: the value loss of PPO by itself, for a critic that is a policy of its "
        "own\n" VALUE_SHOW
        "source: Schulman et al. 2017 (arXiv:1707.06347); the clip: PPO2 of OpenAI's baselines\n"
        "differences: in ppo it is added with the weight vf_coef. trl's PPO trainer clips at .2, "
        "verl and openrlhf at .5.\n");
}

/* clang-format off */
static const hone_field *const value_fields[] = {FIELD_VF_CLIP, NULL};
/* clang-format on */

static hone_status value_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    const settings s = {cfg, value_fields};
    memory mem;
    hone_status st = memory_init(&mem, host);
    if (st < 0)
        return st;
    value_objective *p = memory_get(&mem, 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    p->mem = mem;
    p->clip = settings_f64(&s, "vf_clip", 0);
    *self_out = p;
    return HONE_OK;
}

static void value_destroy(void *self)
{
    memory mem = ((value_objective *)self)->mem;
    memory_put(&mem, self, 1, sizeof(value_objective));
}

static const hone_objective_v1 value_vtable = {sizeof(hone_objective_v1), 0,          value_uses,
                                               value_objective_loss,      value_show, NULL};

static const void *value_get_iface(void *self, const char *iface_id)
{
    (void)self;
    return same_text(iface_id, HONE_IFACE_OBJECTIVE) ? &value_vtable : NULL;
}

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_OBJECTIVE, NULL};
static const hone_component component_value = {
    COMPONENT_HEAD("org.hone.objective.value", "a critic's loss: values against returns"),
    .fields = value_fields,
    .needs = needs,
    .provides = provides,
    .create = value_create,
    .destroy = value_destroy,
    .get_iface = value_get_iface};
const hone_component *const value_components[] = {&component_value, NULL};
