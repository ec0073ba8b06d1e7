/* hostile_objective.h - a mean log-likelihood that is in order, but for what the file that includes it defines
 * (hostile_kind.h has the idea). */
#include "hone/objective.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef USES
#define USES 0
#endif
#ifndef ON_LOSS /* code before the tokens; may return */
#define ON_LOSS
#endif
#ifndef ON_TOKEN /* code for token t, its `grad` */
#define ON_TOKEN
#endif
#ifndef ON_END
#define ON_END
#endif
#ifndef SHOW
#define SHOW hone_str_c("-sum(mask logp) / total_tokens")
#endif
static const hone_host *the_host;

static uint32_t uses(void *self)
{
    (void)self;
    return USES;
}
static hone_status loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    double sum = 0, over = in->total_tokens > 0 ? in->total_tokens : 1;
    (void)self;
    ON_LOSS
    for (size_t t = 0; t < in->n_tokens; t++) {
        double grad = -in->mask[t] / over;
        sum += in->mask[t] * in->logp[t];
        ON_TOKEN
        out->grad_logp[t] = grad;
    }
    out->loss = -sum / over;
    if (out->metric) /* Lua gives none */
        out->metric(out, "nll", HONE_METRIC_MEAN, out->loss, 1);
    ON_END
    return HONE_OK;
}
static hone_str show(void *self)
{
    (void)self;
    return SHOW;
}
static const hone_objective_v1 table = {sizeof table, 0, uses, loss, show, NULL};
#define KIND HONE_KIND_OBJECTIVE
#define IFACE HONE_IFACE_OBJECTIVE
#define TABLE_OF &table
#include "hostile_common.h"
