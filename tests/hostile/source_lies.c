/* Other rows in another process, and so in a box.
 * validate: instance.deterministic fail another
 * validate: instance.boxed fail in a box it gives another result
 * data: survives "number": */
#define ON_BATCH b->numbers[3] = getpid();
#include "hostile_source.h"
