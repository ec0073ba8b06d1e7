/* A kind of its own, in order.
 * validate: fuzz.chance pass
 * validate: instance.boxed pass
 * validate: instance.batch_invariant pass
 * validate: instance.cancel pass
 * validate: fuzz.boxed pass
 * call: survives */
#include "hostile_kind.h"
