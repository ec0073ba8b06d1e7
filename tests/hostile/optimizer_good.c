/* An optimizer in order.
 * validate: optimizer.resume pass
 * validate: optimizer.cut pass
 * call: survives */
#include "hostile_optimizer.h"
