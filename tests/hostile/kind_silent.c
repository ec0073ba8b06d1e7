/* Fails without a text.
 * validate: instance.call fail scale returned E_FAIL without a text
 * call: survives */
#define ON_SCALE return HONE_E_FAIL;
#include "hostile_kind.h"
