/* adamw.c - Adam with decoupled weight decay, in float32.
 *
 *   m = b1 m + (1 - b1) g     v = b2 v + (1 - b2) g^2
 *   p = p - lr wd p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 * All scalars of a step (bias corrections, step size) are computed once a call in double and rounded to float; each
 * element then takes additions, products, divisions and a square root in one fixed order.
 * Source: Loshchilov & Hutter 2017 (arXiv:1711.05101); order of operations as PyTorch's AdamW. */
#include "optimizers.h"

/* Scalars of one slice and step, already float. */
typedef struct adamw_step {
    float keep;         /* 1 - lr * weight_decay */
    float scale;        /* of the gradient */
    float rest1;        /* 1 - beta1 */
    float beta2, rest2; /* 1 - beta2 */
    float root2;        /* sqrt(1 - beta2^t) */
    float eps, size;    /* lr / (1 - beta1^t) */
} adamw_step;

/* p (n)  g (n)  m, v (n): first and second moments. */
OPT_BODY adamw_loop_body(int isa, float *restrict p, const float *restrict g, float *restrict m,
                         float *restrict v, size_t n, const adamw_step *k)
{
    (void)isa;
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] * k->scale;
        float pi = p[i] * k->keep;
        float mi = m[i] + k->rest1 * (gi - m[i]);
        float vi = v[i] * k->beta2 + k->rest2 * (gi * gi);
        float denom = __builtin_sqrtf(vi) / k->root2 + k->eps;
        m[i] = mi;
        v[i] = vi;
        p[i] = pi - k->size * (mi / denom);
    }
}
OPT_LOOP(adamw_loop, isa,
         (int isa, float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
          size_t n, const adamw_step *k),
         (isa, p, g, m, v, n, k))

typedef struct adamw {
    optimizer o;
    adam_numbers k;
} adamw;

void hone__opt_adamw_state(hone_opt_state_spec *out)
{
    out->n_buffers = 2;
    out->names[0] = "exp_avg";
    out->names[1] = "exp_avg_sq";
    out->cut = HONE_OPT_CUT_ANY;
    out->tag = 0;
}

void hone__opt_adamw_slice(const optimizer *o, const adam_numbers *a, const hone_opt_slice *s,
                           double lr, const hone_opt_info *info)
{
    double c1 = 1 - hone_powi(a->beta1, info->step), c2 = 1 - hone_powi(a->beta2, info->step);
    adamw_step k;
    k.keep = (float)(1 - lr * s->weight_decay);
    k.scale = (float)info->grad_scale;
    k.rest1 = (float)(1 - a->beta1);
    k.beta2 = (float)a->beta2;
    k.rest2 = (float)(1 - a->beta2);
    k.root2 = (float)hone_sqrt(c2);
    k.eps = (float)a->eps;
    k.size = (float)(lr / c1);
    adamw_loop(o->isa, s->param, s->grad, s->state[0], s->state[1], s->length, &k);
}

static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    (void)o, (void)param;
    hone__opt_adamw_state(out);
    out->cut = HONE_OPT_CUT_DEFAULT; /* as the table says */
    return HONE_OK;
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    hone_status st = hone__opt_check(o, s, 2);
    if (st >= 0)
        hone__opt_adamw_slice(o, &((const adamw *)o)->k, s, s->lr, info);
    return st;
}

static const hone_field *const fields[] = {
    HONE_F64("beta1", .9, 0, .999999, 0, "decay of the mean of gradients"),
    HONE_F64("beta2", .999, 0, .999999, 0, "decay of the mean of squared gradients"),
    HONE_F64("eps", 1e-8, 1e-30, 1, 0, "added to the root of the mean square"), NULL};
enum { BETA1, BETA2, EPS };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    ((adamw *)o)->k = (adam_numbers){cfg->f64(cfg, BETA1), cfg->f64(cfg, BETA2),
                                     cfg->f64(cfg, EPS)};
    return HONE_OK;
}

static const opt_rule rule = {sizeof(adamw), HONE_OPT_ELEMENTWISE, configure, state_spec, step,
                              NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

const hone_component hone__opt_adamw = {
    OPT_HEAD("adamw", "Adam with decoupled weight decay", hone__opt_needs), .fields = fields,
    .create = create};
