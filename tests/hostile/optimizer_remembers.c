/* Keeps something beside the host's state.
 * validate: optimizer.resume fail it keeps something beside the host's state
 * call: survives */
#define ON_STEP                                                                                    \
    static float seen;                                                                             \
    seen += .25f;                                                                                  \
    for (size_t i = 0; i < count; i++)                                                             \
        slices[0].state[0][0] += seen;
#include "hostile_optimizer.h"
