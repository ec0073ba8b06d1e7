/* A batch of a negative number of rows.
 * validate: instance.call fail shorter than its batch
 * data: refuses shorter than its batch */
#define ON_BATCH out->length = -BATCH;
#include "hostile_source.h"
