/* Never comes back from score.
 * validate: instance.call fail did not come back within 3 s, in score
 * score: survives deadline passed */
#define ON_CALL                                                                                    \
    for (;;)                                                                                       \
        pause();
#include "hostile.h"
