/* Goes wrong when its sink takes no more.
 * validate: fuzz.sinks crash words of org.hostile.text/1
 * call: survives */
#define ON_WORD                                                                                    \
    if (s < 0)                                                                                     \
        abort();
#include "hostile_kind.h"
