/* Does not look whether it was cancelled.
 * validate: fuzz.cancelled fail in a call that was cancelled before it began
 * call: survives */
#undef hone_cancelled
#define ON_TALLY usleep((unsigned)n * 300);
#include "hostile_kind.h"
