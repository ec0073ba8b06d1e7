/* An outcome status that nobody knows.
 * validate: instance.call fail no such status
 * score: survives unknown outcome */
#define ANSWER hone_outcome_set(out, out_stride, i, 17, score);
#include "hostile.h"
