/* Reads one candidate more than there are.
 * validate: instance.call crash judge of 24 items: past the end of
 * call: any */
#define ON_ITEM                                                                                    \
    if (((const volatile hone_str *)item->candidates)[k + 4096].len == 77)                         \
        continue;
#include "hostile_judge.h"
