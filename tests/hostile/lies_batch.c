/* Says BATCH_INVARIANT and looks at the place in the batch.
 * validate: instance.batch_invariant fail says BATCH_INVARIANT
 * score: survives */
#define CAPS HONE_CAP_BATCH_INVARIANT
#define ON_SAMPLE score += (float)i;
#include "hostile.h"
