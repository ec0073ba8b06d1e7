/* Says time-out, which only the host does.
 * validate: instance.call fail TIMEOUT
 * score: survives unknown outcome */
#define ANSWER hone_outcome_set(out, out_stride, i, HONE_TIMEOUT, score);
#include "hostile.h"
