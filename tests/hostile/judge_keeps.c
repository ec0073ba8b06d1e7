/* Reads a candidate after the call that lent it.
 * validate: judge.borrowed crash borrowed memory
 * call: any */
#define ON_ITEM                                                                                    \
    static hone_str kept;                                                                          \
    if (kept.len && *(const volatile char *)kept.ptr == 77)                                        \
        continue;                                                                                  \
    kept = item->candidates[0];
#include "hostile_judge.h"
