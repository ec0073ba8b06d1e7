/* schedule_free.c - AdamW whose average of weights takes the place of a schedule, in float32.
 *
 *   y = (1 - b) z + b x                                the weights trained with: gradients are taken there
 *   v = b2 v + (1 - b2) g^2      lr_t = lr sqrt(1 - b2^t)
 *   z' = z - lr_t (g / (sqrt(v) + eps) + wd y)         the sequence that steps
 *   x' = (1 - c) x + c z'        c = lr_t^2 / sum over s <= t of lr_s^2       the weights to evaluate and to save
 * Parameters hold y; z and v are state, and the sum of squares, a number a panel. x is not kept: it follows from y and z
 * (the slot `evaluation`), and y' is computed without it, by differences, so that what does not move stays exactly:
 *   x = z + (y - z) / b     y' = z' + (1 - c) (y - z + b (z - z'))
 * A schedule of the learning rate is not needed beyond a warm-up, but taken as it comes.
 * Source: Defazio et al. 2024 (arXiv:2405.15682), algorithm 1. */
#include "optimizers.h"

typedef struct free_step {
    float scale, beta2, rest2, eps, decay, lr;
    float ahead, old; /* b lr, 1 - c */
} free_step;

/* y, z (n)  g (n)  v (n) */
OPT_BODY free_loop_body(int isa, float *restrict y, const float *restrict g, float *restrict z,
                        float *restrict v, size_t n, const free_step *k)
{
    (void)isa;
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] * k->scale;
        float vi = v[i] * k->beta2 + k->rest2 * (gi * gi);
        float by = gi / (__builtin_sqrtf(vi) + k->eps) + k->decay * y[i];
        float apart = y[i] - z[i];
        float zi = z[i] - k->lr * by;
        v[i] = vi;
        z[i] = zi;
        y[i] = zi + k->old * (apart + k->ahead * by);
    }
}
OPT_LOOP(free_loop, isa,
         (int isa, float *restrict y, const float *restrict g, float *restrict z, float *restrict v,
          size_t n, const free_step *k),
         (isa, y, g, z, v, n, k))

typedef struct schedule_free {
    optimizer o;
    double beta1, beta2, eps;
} schedule_free;

enum { Z, V, SUM };
static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    (void)o, (void)param;
    out->n_buffers = 3;
    out->names[Z] = "z";
    out->names[V] = "exp_avg_sq";
    out->names[SUM] = "weight_sum";
    out->kinds[SUM] = HONE_OPT_STATE_BLOCKS;
    out->cut = HONE_OPT_CUT_PANELS;
    return HONE_OK;
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    const schedule_free *x = (const schedule_free *)o;
    hone_status st = hone__opt_check(o, s, 3);
    if (st < 0)
        return st;
    double lr = s->lr * hone_sqrt(1 - hone_powi(x->beta2, info->step)), c = 0;
    size_t unit = hone_opt_unit(s);
    if (unit == 0)
        return HONE_OK;
    /* the same sum in every panel: it is kept where the slice can see it */
    float sum = (float)((double)s->state[SUM][0] + lr * lr);
    if (sum > 0)
        c = lr * lr / (double)sum;
    if (c > 1)
        c = 1;
    for (size_t i = 0; i < s->length / unit; i++)
        s->state[SUM][i] = sum;
    if (info->step == 1)
        for (size_t i = 0; i < s->length; i++)
            s->state[Z][i] = s->param[i];
    free_step k;
    k.scale = (float)info->grad_scale;
    k.beta2 = (float)x->beta2;
    k.rest2 = (float)(1 - x->beta2);
    k.eps = (float)x->eps;
    k.decay = (float)s->weight_decay;
    k.lr = (float)lr;
    k.ahead = (float)(x->beta1 * lr);
    k.old = (float)(1 - c);
    free_loop(o->isa, s->param, s->grad, s->state[Z], s->state[V], s->length, &k);
    return HONE_OK;
}

static hone_status evaluation(const optimizer *o, const hone_opt_slice *s,
                              const hone_opt_info *info)
{
    const schedule_free *x = (const schedule_free *)o;
    hone_status st = hone__opt_check(o, s, 3);
    (void)info;
    const float beta = (float)x->beta1, *z = s->state[Z];
    for (size_t i = 0; st >= 0 && i < s->length; i++)
        s->param[i] = z[i] + (s->param[i] - z[i]) / beta;
    return st;
}

static const hone_field *const fields[] = {
    HONE_F64("beta1", .9, .01, .999999, 0, "share of the average in the weights trained with"),
    HONE_F64("beta2", .999, 0, .999999, 0, "decay of the mean of squared gradients"),
    HONE_F64("eps", 1e-8, 1e-30, 1, 0, "added to the root of the mean square"), NULL};
enum { BETA1, BETA2, EPS };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    schedule_free *x = (schedule_free *)o;
    x->beta1 = cfg->f64(cfg, BETA1);
    x->beta2 = cfg->f64(cfg, BETA2);
    x->eps = cfg->f64(cfg, EPS);
    return HONE_OK;
}

static const opt_rule rule = {sizeof(schedule_free), 0, configure, state_spec, step, evaluation};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

const hone_component hone__opt_schedule_free = {
    OPT_HEAD("schedule_free", "AdamW with an average of weights instead of a schedule",
             hone__opt_needs),
    .fields = fields, .create = create};
