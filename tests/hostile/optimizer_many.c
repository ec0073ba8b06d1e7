/* Asks for more arrays than there are.
 * validate: instance.call fail state_spec asks for 9 arrays, at most 4 are given
 * call: any */
#define ON_SPEC out->n_buffers = 9;
#include "hostile_optimizer.h"
