/* Writes an outcome of the call before.
 * validate: reward.borrowed crash borrowed memory
 * score: any */
#include "hone/reward.h"
static hone_outcome *kept;
#define ON_CALL                                                                                    \
    if (kept)                                                                                      \
        kept->score = 2;                                                                           \
    kept = out;
#include "hostile.h"
