/* Changes the rounding of numbers.
 * validate: instance.manners fail changed the floating-point mode
 * score: survives */
#include <fenv.h>
#define ON_CALL fesetround(FE_UPWARD);
#include "hostile.h"
