/* Takes a number for a place in its table: enums are open.
 * validate: fuzz.numbers crash norm of org.hostile.text/1
 * call: survives */
#define ON_NORM                                                                                    \
    static const double by_mode[3] = {1, 2, 3};                                                    \
    const volatile double *at = by_mode;                                                           \
    return at[mode];
#include "hostile_kind.h"
