/* hostile_optimizer.h - gradient descent with momentum that is in order, but for what the file that includes it defines
 * (hostile_kind.h has the idea). No box: it shares the memory of the computation, so nobody loads it untrusted. */
#include "hone/optimizer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ON_SPEC /* code after `out` was filled */
#define ON_SPEC
#endif
#ifndef ON_STEP /* code before the slices; may return */
#define ON_STEP
#endif
#ifndef ON_SLICE /* code for slice `s`, `n` floats */
#define ON_SLICE
#endif
static const hone_host *the_host;

static hone_status state_spec(void *self, const hone_opt_param *param, hone_opt_state_spec *out)
{
    (void)self;
    (void)param;
    out->n_buffers = 1;
    out->names[0] = "momentum";
    ON_SPEC
    return HONE_OK;
}
static hone_status step(void *self, const hone_opt_slice *slices, size_t count, size_t stride,
                        const hone_opt_info *info)
{
    (void)self;
    ON_STEP
    for (size_t i = 0; i < count; i++) {
        const hone_opt_slice *s = (const hone_opt_slice *)(const void *)((const char *)slices +
                                                                         i * stride);
        size_t n = s->length;
        ON_SLICE
        for (size_t k = 0; k < n; k++) {
            s->state[0][k] = 0.5f * s->state[0][k] + s->grad[k] * (float)info->grad_scale;
            s->param[k] -= (float)s->lr * s->state[0][k];
        }
    }
    return HONE_OK;
}
static const hone_optimizer_v1 table = {sizeof table, HONE_OPT_ELEMENTWISE, state_spec, step, NULL};
#define KIND HONE_KIND_OPTIMIZER
#define IFACE HONE_IFACE_OPTIMIZER
#define TABLE_OF &table
#include "hostile_common.h"
