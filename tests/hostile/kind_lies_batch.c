/* Says BATCH_INVARIANT, and counts lines.
 * validate: instance.batch_invariant fail another order of the batch gives another result
 * call: survives */
#define ON_LINE sum += (double)i;
#include "hostile_kind.h"
