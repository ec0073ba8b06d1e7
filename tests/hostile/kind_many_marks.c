/* Hands its sink a count that is larger than what it has.
 * validate: instance.call crash reading the marks that words gave to marks
 * call: any */
#define ON_WORDS                                                                                   \
    static const uint32_t few[2];                                                                  \
    if (sink->marks(sink, few, 1 << 23) < 0)                                                       \
        return HONE_OK;
#include "hostile_kind.h"
