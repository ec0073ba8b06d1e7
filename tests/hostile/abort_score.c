/* Calls abort in score.
 * validate: instance.call crash Aborted
 * score: dies */
#define ON_CALL abort();
#include "hostile.h"
