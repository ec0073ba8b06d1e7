/* sgd.c - gradient descent with momentum, in float32.
 *
 *   g = g + wd p     b = mu b + (1 - damp) g  (b = g at the first step)     p = p - lr (b, or g + mu b with Nesterov)
 * Source: as PyTorch's SGD (coupled weight decay, Sutskever et al. 2013 momentum, Nesterov). */
#include "optimizers.h"

typedef struct sgd_step {
    float scale, decay, lr, momentum, fresh; /* fresh: 1 - dampening, 1 at the first step */
    int nesterov;
} sgd_step;

/* p (n)  g (n)  buf (n): momentum */
OPT_BODY sgd_body(int nesterov, float *restrict p, const float *restrict g, float *restrict buf,
                  size_t n, const sgd_step *k)
{
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] * k->scale + k->decay * p[i];
        float bi = k->momentum * buf[i] + k->fresh * gi;
        buf[i] = bi;
        gi = nesterov ? gi + k->momentum * bi : bi;
        p[i] = p[i] - k->lr * gi;
    }
}
OPT_BODY sgd_loop_body(int isa, float *restrict p, const float *restrict g, float *restrict buf,
                       size_t n, const sgd_step *k)
{
    (void)isa;
    if (k->nesterov)
        sgd_body(1, p, g, buf, n, k);
    else
        sgd_body(0, p, g, buf, n, k);
}
OPT_LOOP(sgd_loop, isa,
         (int isa, float *restrict p, const float *restrict g, float *restrict buf, size_t n,
          const sgd_step *k),
         (isa, p, g, buf, n, k))

OPT_BODY sgd_plain_body(int isa, float *restrict p, const float *restrict g, size_t n,
                        const sgd_step *k)
{
    (void)isa;
    for (size_t i = 0; i < n; i++) {
        float gi = g[i] * k->scale + k->decay * p[i];
        p[i] = p[i] - k->lr * gi;
    }
}
OPT_LOOP(sgd_plain, isa,
         (int isa, float *restrict p, const float *restrict g, size_t n, const sgd_step *k),
         (isa, p, g, n, k))

typedef struct sgd {
    optimizer o;
    double momentum, dampening;
    int nesterov;
} sgd;

static hone_status state_spec(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out)
{
    (void)param;
    out->n_buffers = ((const sgd *)o)->momentum != 0;
    out->names[0] = "momentum_buffer";
    return HONE_OK;
}

static hone_status step(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info)
{
    const sgd *x = (const sgd *)o;
    hone_status st = hone__opt_check(o, s, x->momentum != 0);
    sgd_step k;
    if (st < 0)
        return st;
    k.scale = (float)info->grad_scale;
    k.decay = (float)s->weight_decay;
    k.lr = (float)s->lr;
    k.momentum = (float)x->momentum;
    k.fresh = info->step == 1 ? 1 : (float)(1 - x->dampening);
    k.nesterov = x->nesterov;
    if (x->momentum != 0)
        sgd_loop(o->isa, s->param, s->grad, s->state[0], s->length, &k);
    else
        sgd_plain(o->isa, s->param, s->grad, s->length, &k);
    return HONE_OK;
}

static const hone_field *const fields[] = {
    HONE_F64("momentum", 0, 0, .999999, 0, "decay of the velocity; 0: none, and no state"),
    HONE_F64("dampening", 0, 0, 1, 0, "share of the gradient kept out of the velocity"),
    HONE_FLAG("nesterov", 0, 0, "look ahead along the velocity"), NULL};
enum { MOMENTUM, DAMPENING, NESTEROV };

static hone_status configure(optimizer *o, const hone_config *cfg)
{
    sgd *x = (sgd *)o;
    x->nesterov = (int)cfg->i64(cfg, NESTEROV);
    x->momentum = cfg->f64(cfg, MOMENTUM);
    x->dampening = cfg->f64(cfg, DAMPENING);
    if (x->nesterov && (x->momentum == 0 || x->dampening != 0))
        return hone_host_fail(o->host, HONE_E_INVALID,
                              "sgd: nesterov needs a momentum and no dampening");
    return HONE_OK;
}

static const opt_rule rule = {sizeof(sgd), HONE_OPT_ELEMENTWISE, configure, state_spec, step, NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return hone__opt_create(&rule, host, cfg, self_out);
}

const hone_component hone__opt_sgd = {
    OPT_HEAD("sgd", "gradient descent with momentum", hone__opt_needs), .fields = fields,
    .create = create};
