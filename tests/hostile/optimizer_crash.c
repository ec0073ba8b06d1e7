/* Crashes.
 * validate: instance.call crash step
 * call: dies */
#define ON_STEP abort();
#include "hostile_optimizer.h"
