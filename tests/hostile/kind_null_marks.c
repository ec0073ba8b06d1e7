/* Fills in a count, and no marks.
 * validate: instance.call fail 2 elements at NULL
 * call: any */
#define ON_FOUND out->marks = NULL;
#include "hostile_kind.h"
