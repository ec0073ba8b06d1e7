/* @name@.c - a loss: supervised training that looks less at tokens the model knows already.
 *   l = -(1 - p)^gamma log p,  p = exp(logp)          (focal loss, Lin et al. 2017, eq. 4)
 * averaged over the tokens of the whole optimizer step, so that any split into micro-batches gives the same update. */
#include "hone/math.h"
#include "hone/objective.h"

#include <string.h>

enum { GAMMA }; /* places in the table of settings */
static const hone_field *const fields[] = {
    HONE_INT("gamma", 2, 1, 8, 0, "how little a token that is known counts"), NULL};

static uint32_t uses(void *self)
{
    (void)self;
    return 0; /* logp and mask, which are always there */
}

static hone_status loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    const hone_config *cfg = self;
    const uint64_t gamma = (uint64_t)cfg->i64(cfg, GAMMA);
    double sum = 0, known = 0, n = 0;
    if (in->total_tokens <= 0)
        return HONE_OK;
    for (size_t t = 0; t < in->n_tokens; t++) {
        const double weight = in->mask[t] / in->total_tokens, logp = in->logp[t];
        if (weight == 0)
            continue;
        const double p = hone_exp(logp), rest = hone_powi(1 - p, gamma - 1);
        sum += weight * -(rest * (1 - p) * logp);
        out->grad_logp[t] += weight * ((double)gamma * rest * p * logp - rest * (1 - p));
        known += in->mask[t] * p;
        n += in->mask[t];
    }
    out->loss += sum;
    if (n > 0)
        out->metric(out, "known", HONE_METRIC_MEAN, known / n, n);
    return HONE_OK;
}

static hone_str show(void *self)
{
    (void)self;
    return hone_str_c("-(1 - p)^gamma log p, mean over tokens (focal loss)");
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
static const hone_objective_v1 table = {sizeof(hone_objective_v1), 0, uses, loss, show, NULL};
HONE_DEFINE_OBJECTIVE(component, table, .id = "@id@", .version = "0.1.0",
                      .summary = "focal loss: known tokens count less",
                      .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT,
                      .fields = fields, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
