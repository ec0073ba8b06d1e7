/* Reads one number more than there are.
 * validate: instance.call crash past the end of the array in
 * call: any */
#define ON_SCALE                                                                                   \
    if (in[n] == 77)                                                                               \
        return HONE_OK;
#include "hostile_kind.h"
