/* Returns a status that there is none of.
 * validate: instance.call fail scale returned -99, which is no status
 * call: survives */
#define ON_SCALE return hone_host_fail(the_host, (hone_status)-99, "odd");
#include "hostile_kind.h"
