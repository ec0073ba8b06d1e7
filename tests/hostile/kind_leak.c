/* Keeps memory for each call.
 * validate: instance.leak fail leaks memory
 * validate: fuzz.leak fail each call of scale leaves 1 blocks, 100 bytes
 * call: survives */
#define ON_SCALE                                                                                   \
    static void *volatile kept;                                                                    \
    kept = malloc(100);                                                                            \
    (void)kept;
#include "hostile_kind.h"
