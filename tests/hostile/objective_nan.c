/* A loss that is no number.
 * validate: instance.call fail the loss is
 * call: any */
#define ON_END out->loss = (double)__builtin_nan("");
#include "hostile_objective.h"
