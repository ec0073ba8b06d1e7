/* Offsets of a text column that fall.
 * validate: instance.call fail its offsets do not rise
 * data: refuses its offsets do not rise */
#define ON_BATCH b->ends[5] = 2;
#include "hostile_source.h"
