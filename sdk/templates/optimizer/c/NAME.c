/* @name@.c - an optimizer: Lion, the sign of a running mean of gradients.
 *   p = p (1 - lr wd) - lr sign(b1 m + (1 - b1) g),   m = b2 m + (1 - b2) g     (Chen et al. 2023, algorithm 2)
 * Every element is on its own, so the host may cut slices over threads as it likes (ELEMENTWISE). */
#include "hone/optimizer.h"

#include <string.h>

enum { BETA1, BETA2 }; /* places in the table of settings */
static const hone_field *const fields[] = {
    HONE_F64("beta1", .9, 0, .999999, 0, "weight of the mean in the direction"),
    HONE_F64("beta2", .99, 0, .999999, 0, "decay of the mean"), NULL};

static hone_status state_spec(void *self, const hone_opt_param *param, hone_opt_state_spec *out)
{
    (void)self;
    (void)param;
    out->n_buffers =
        1; /* as long as the parameter, zero at the start; the host keeps and saves it */
    out->names[0] = "exp_avg";
    return HONE_OK;
}

static hone_status step(void *self, const hone_opt_slice *slices, size_t n, size_t stride,
                        const hone_opt_info *info)
{
    const hone_config *cfg = self;
    const float b1 = (float)cfg->f64(cfg, BETA1), b2 = (float)cfg->f64(cfg, BETA2);
    const float scale = (float)info->grad_scale; /* clipping */
    for (size_t i = 0; i < n; i++) {
        const hone_opt_slice *s = (const hone_opt_slice *)(const void *)((const char *)slices +
                                                                         i * stride);
        const float lr = (float)s->lr, keep = (float)(1 - s->lr * s->weight_decay);
        float *p = s->param, *m = s->state[0];
        for (size_t k = 0; k < s->length; k++) {
            float g = s->grad[k] * scale, c = b1 * m[k] + (1 - b1) * g;
            p[k] = p[k] * keep - lr * (float)((c > 0) - (c < 0));
            m[k] = b2 * m[k] + (1 - b2) * g;
        }
    }
    return HONE_OK;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    (void)host;
    *self_out = (void *)(uintptr_t)cfg; /* all it keeps are its settings, valid until destroy */
    return HONE_OK;
}
static void destroy(void *self)
{
    (void)self;
}
static const hone_optimizer_v1 table = {sizeof(hone_optimizer_v1), HONE_OPT_ELEMENTWISE, state_spec,
                                        step, NULL};
HONE_DEFINE_OPTIMIZER(component, table, .id = "@id@", .version = "0.1.0",
                      .summary = "Lion: the sign of a running mean",
                      .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT,
                      .fields = fields, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
