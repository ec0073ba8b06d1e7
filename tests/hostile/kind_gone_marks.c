/* Fills in more marks than there are.
 * validate: instance.call fail its marks has too many elements to be true
 * call: any */
#define ON_FOUND out->n_marks = 0x7fffffff;
#include "hostile_kind.h"
