/* A float more than the slice has.
 * validate: instance.call crash past the end of
 * call: any */
#define ON_SLICE n++;
#include "hostile_optimizer.h"
