/* Says STATEFUL and has no state to save.
 * validate: instance.state fail offers no hone.state/1
 * score: survives */
#define CAPS HONE_CAP_STATEFUL
#include "hostile.h"
