/* A batch whose list of columns is NULL.
 * validate: instance.call fail 2 children
 * data: refuses 2 children */
#define ON_BATCH out->children = NULL;
#include "hostile_source.h"
