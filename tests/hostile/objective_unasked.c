/* Reads log-probs it did not say it uses.
 * validate: instance.call crash a NULL pointer was followed
 * call: any */
#define ON_TOKEN                                                                                   \
    if (*(const volatile double *)&in->old_logp[t] == 77)                                          \
        continue;
#include "hostile_objective.h"
