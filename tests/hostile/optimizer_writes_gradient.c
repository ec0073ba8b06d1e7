/* Changes the gradient.
 * validate: instance.call crash read-only
 * call: any */
#define ON_SLICE ((float *)(size_t)s->grad)[0] = 0;
#include "hostile_optimizer.h"
