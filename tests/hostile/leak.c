/* Forgets to give memory back.
 * validate: instance.leak fail leaks memory
 * score: survives */
#define ON_CALL                                                                                    \
    void *volatile lost = malloc(100);                                                             \
    (void)lost;
#include "hostile.h"
