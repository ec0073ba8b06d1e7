/* Does not look at what malloc gave.
 * validate: instance.no_malloc crash malloc
 * score: survives */
#define ON_CALL                                                                                    \
    int *volatile p = malloc(64);                                                                  \
    p[3] = 1;                                                                                      \
    free(p);
#include "hostile.h"
