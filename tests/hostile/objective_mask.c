/* A gradient where the mask is zero.
 * validate: instance.call fail a token that the mask leaves out has a gradient
 * call: survives */
#define ON_TOKEN grad -= .125;
#include "hostile_objective.h"
