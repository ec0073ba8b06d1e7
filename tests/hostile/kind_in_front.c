/* Writes in front of its results.
 * validate: instance.call fail wrote in front of the array out
 * call: any */
#define ON_SCALE                                                                                   \
    if (n)                                                                                         \
        out[-1] = 1;
#include "hostile_kind.h"
