/* Asks for a gigabyte because a number says so.
 * validate: instance.appetite fail asked malloc for 1024 MB
 * call: survives */
#define ON_SCALE                                                                                   \
    static void *volatile big;                                                                     \
    big = malloc((size_t)1 << 30);                                                                 \
    free(big);
#include "hostile_kind.h"
