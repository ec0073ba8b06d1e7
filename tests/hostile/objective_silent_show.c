/* No formula.
 * validate: objective.show fail gives no text
 * call: survives */
#define SHOW hone_str_c("")
#include "hostile_objective.h"
