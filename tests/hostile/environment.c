/* Changes the environment.
 * validate: instance.manners fail changed the environment
 * score: survives */
#define ON_CREATE setenv("HOSTILE", "yes", 1);
#include "hostile.h"
