/* A gradient for one token more than there are.
 * validate: instance.call crash past the end of the gradients
 * call: any */
#define ON_END out->grad_logp[in->n_tokens] = 1;
#include "hostile_objective.h"
