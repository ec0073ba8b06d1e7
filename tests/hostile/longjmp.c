/* Jumps out of score into a create that has returned.
 * validate: instance.call crash score of 24 samples
 * score: dies */
#undef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 2
#include <setjmp.h>
static jmp_buf place;
static volatile char deep[1];
#define ON_CREATE                                                                                  \
    volatile char room[1 << 16];                                                                   \
    room[0] = 1;                                                                                   \
    deep[0] = room[0];                                                                             \
    if (setjmp(place))                                                                             \
        return HONE_OK;
#define ON_CALL                                                                                    \
    if (deep[0])                                                                                   \
        longjmp(place, 1);
#include "hostile.h"
