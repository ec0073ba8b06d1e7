/* Keeps a text of the call, and looks at it in the next one.
 * validate: reward.borrowed crash borrowed memory
 * score: any */
#include "hone/base.h"
static hone_str kept;
#define ON_CALL                                                                                    \
    if (kept.len)                                                                                  \
        my->count += (unsigned char)kept.ptr[0];
#define ON_SAMPLE kept = s->completion;
#include "hostile.h"
