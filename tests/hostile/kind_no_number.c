/* Makes an index of a float that is no number.
 * validate: fuzz.numbers crash scale of org.hostile.text/1
 * call: survives */
#define ON_SCALE                                                                                   \
    static const float steps[4] = {1, 2, 3, 4};                                                    \
    volatile const float *at = steps + (isfinite(by) && fabsf(by) < 4 ? 0 : (ptrdiff_t)1 << 40);   \
    if (*at == 77)                                                                                 \
        return HONE_OK;
#include "hostile_kind.h"
