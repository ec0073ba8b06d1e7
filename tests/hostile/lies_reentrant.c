/* Says REENTRANT and keeps what it works on in one place.
 * validate: instance.reentrant fail says REENTRANT
 * score: survives */
#include <sched.h>
#define CAPS HONE_CAP_REENTRANT
#define ON_SAMPLE                                                                                  \
    my->count = s->completion.len + 100 * s->id +                                                  \
                (s->completion.len ? (uint64_t)s->completion.ptr[0] : 0);                          \
    sched_yield();                                                                                 \
    score = (float)my->count;
#include "hostile.h"
