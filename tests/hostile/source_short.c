/* A column that is shorter than its batch.
 * validate: instance.call fail shorter than its batch
 * data: refuses shorter than its batch */
#define ON_BATCH b->column[1].length = BATCH - 1;
#include "hostile_source.h"
