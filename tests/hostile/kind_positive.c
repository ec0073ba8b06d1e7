/* Returns how many it did as its status.
 * validate: instance.call fail scale returned 24: a status is 0 or negative
 * call: any */
#define ON_SCALE                                                                                   \
    if (n)                                                                                         \
        return (hone_status)n;
#include "hostile_kind.h"
