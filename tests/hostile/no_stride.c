/* Takes outcomes to lie as far apart as its own struct.
 * validate: reward.strides fail past the end of its outcome
 * score: survives */
#define ANSWER                                                                                     \
    out[i].score = score;                                                                          \
    out[i].status = HONE_SCORE;
#include "hostile.h"
