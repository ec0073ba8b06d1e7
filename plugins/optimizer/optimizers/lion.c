/* lion.c - the sign of an interpolated momentum, in float32.
 *
 *   u = sign(b1 m + (1 - b1) g)     p = p - lr (u + wd p)     m = b2 m + (1 - b2) g
 * One array of state. Every element moves by lr, so lr is a third to a tenth of AdamW's and weight decay as much
 * larger; sign(0) is 0.
 * Source: Chen et al. 2023 (arXiv:2302.06675), algorithm 2. */
#include "optimizers.h"

typedef struct lion_step {
    float keep, scale, lr; /* keep: 1 - lr * weight_decay */
    float beta1, rest1, beta2, rest2;
} lion_step;

/* p (n)  g (n)  m (n) */
OPT_BODY lion_loop_body(int isa, float *restrict p, const float *restrict g, float *restrict m,
                        size_t n, const lion_step *k)
{
    (void)isa;
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] * k->scale;
        float ui = k->beta1 * m[i] + k->rest1 * gi;
        float by = k->lr * (float)((ui > 0) - (ui < 0));
        m[i] = k->beta2 * m[i] + k->rest2 * gi;
        p[i] = p[i] * k->keep - by;
    }
}
OPT_LOOP(lion_loop, isa,
         (int isa, float *restrict p, const float *restrict g, float *restrict m, size_t n,
          const lion_step *k),
         (isa, p, g, m, n, k))

typedef struct lion {
    optimizer o;
    double beta1, beta2;
} lion;

static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    (void)o, (void)param;
    out->n_buffers = 1;
    out->names[0] = "exp_avg";
    return HONE_OK;
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    const lion *x = (const lion *)o;
    hone_status st = hone__opt_check(o, s, 1);
    lion_step k;
    if (st < 0)
        return st;
    k.keep = (float)(1 - s->lr * s->weight_decay);
    k.scale = (float)info->grad_scale;
    k.lr = (float)s->lr;
    k.beta1 = (float)x->beta1;
    k.rest1 = (float)(1 - x->beta1);
    k.beta2 = (float)x->beta2;
    k.rest2 = (float)(1 - x->beta2);
    lion_loop(o->isa, s->param, s->grad, s->state[0], s->length, &k);
    return HONE_OK;
}

static const hone_field *const fields[] = {
    HONE_F64("beta1", .9, 0, .999999, 0, "share of the momentum in the sign that is taken"),
    HONE_F64("beta2", .99, 0, .999999, 0, "decay of the momentum"), NULL};
enum { BETA1, BETA2 };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    ((lion *)o)->beta1 = cfg->f64(cfg, BETA1);
    ((lion *)o)->beta2 = cfg->f64(cfg, BETA2);
    return HONE_OK;
}

static const opt_rule rule = {sizeof(lion), HONE_OPT_ELEMENTWISE, configure, state_spec, step,
                              NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

const hone_component hone__opt_lion = {
    OPT_HEAD("lion", "the sign of an interpolated momentum", hone__opt_needs), .fields = fields,
    .create = create};
