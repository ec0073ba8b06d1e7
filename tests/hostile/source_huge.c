/* A batch of 2^60 rows.
 * validate: instance.call fail shorter than its batch
 * data: refuses shorter than its batch */
#define ON_BATCH out->length = (int64_t)1 << 60;
#include "hostile_source.h"
