/* Divides by a gradient of zero.
 * validate: optimizer.zero_gradient fail no numbers
 * call: survives */
#define ON_SLICE                                                                                   \
    for (size_t k = 0; k < n; k++)                                                                 \
        s->param[k] += s->grad[k] / (s->grad[k] * s->grad[k] * 1e30f);
#include "hostile_optimizer.h"
