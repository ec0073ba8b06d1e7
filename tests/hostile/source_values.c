/* A column without values.
 * validate: instance.call fail its values are missing
 * data: refuses its values are missing */
#define ON_BATCH b->number_buffers[1] = NULL;
#include "hostile_source.h"
