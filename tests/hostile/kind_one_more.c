/* Writes one result more than there are lines.
 * validate: instance.call crash past the end of the outputs
 * call: any */
#define ON_TALLY OUT_AT(n)->mean = 1;
#include "hostile_kind.h"
