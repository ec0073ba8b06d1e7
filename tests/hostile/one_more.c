/* Writes one outcome more than there are samples.
 * validate: instance.call crash past the end of the outcomes
 * score: any */
#define ON_CALL hone_outcome_set(out, out_stride, n, HONE_SCORE, 1);
#include "hostile.h"
