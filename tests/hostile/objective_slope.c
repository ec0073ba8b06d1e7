/* A gradient of twice the slope.
 * validate: objective.slopes fail the loss's slope there is
 * call: survives */
#define ON_TOKEN grad *= 2;
#include "hostile_objective.h"
