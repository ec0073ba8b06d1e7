/* A batch with fewer columns than its schema.
 * validate: instance.call fail 1 children, its schema has 2
 * data: refuses 1 children, its schema has 2 */
#define ON_BATCH out->n_children = 1;
#include "hostile_source.h"
