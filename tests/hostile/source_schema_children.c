/* A schema of -1 columns.
 * validate: instance.call fail -1 children
 * data: refuses -1 children */
#define ON_SCHEMA out->n_children = -1;
#include "hostile_source.h"
