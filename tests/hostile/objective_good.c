/* A loss in order.
 * validate: objective.slopes pass
 * validate: instance.boxed pass
 * validate: fuzz.ordinary pass
 * call: survives */
#include "hostile_objective.h"
