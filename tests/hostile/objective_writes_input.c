/* Changes the log-probs.
 * validate: instance.call crash read-only: the numbers of the batch
 * call: any */
#define ON_TOKEN ((double *)(size_t)in->logp)[t] = 0;
#include "hostile_objective.h"
