/* Says DETERMINISTIC, and counts calls.
 * validate: instance.deterministic fail though it says DETERMINISTIC
 * call: survives */
#define ON_LINE                                                                                    \
    static double calls;                                                                           \
    sum += calls++;
#include "hostile_kind.h"
