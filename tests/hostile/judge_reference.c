/* Takes every item to have a reference.
 * validate: judge.bare crash a NULL pointer was followed
 * call: any */
#define ON_ITEM                                                                                    \
    if (*(const volatile char *)item->reference.ptr == 77)                                         \
        continue;
#include "hostile_judge.h"
