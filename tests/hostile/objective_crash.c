/* Crashes.
 * validate: instance.call crash loss
 * call: dies */
#define ON_LOSS abort();
#include "hostile_objective.h"
