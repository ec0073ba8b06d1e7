/* Takes a gigabyte for a handful of samples.
 * validate: instance.appetite fail MB at once
 * score: survives */
#define ON_CALL                                                                                    \
    char *volatile p = malloc((size_t)1 << 30);                                                    \
    if (p) {                                                                                       \
        p[0] = 1;                                                                                  \
        free(p);                                                                                   \
    }
#include "hostile.h"
