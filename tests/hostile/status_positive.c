/* A status above zero.
 * validate: instance.call fail a status is 0 or negative
 * score: any */
#define ON_CALL                                                                                    \
    if (n)                                                                                         \
        return 5;
#include "hostile.h"
