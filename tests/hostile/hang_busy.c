/* Counts for ever.
 * validate: instance.call fail did not come back within 3 s, in score
 * score: survives deadline passed */
#define ON_CALL                                                                                    \
    for (volatile int k = 0;; k++) {                                                               \
    }
#include "hostile.h"
