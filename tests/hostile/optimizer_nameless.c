/* State without a name.
 * validate: instance.call fail of its state has no name
 * call: any */
#define ON_SPEC out->names[0] = NULL;
#include "hostile_optimizer.h"
