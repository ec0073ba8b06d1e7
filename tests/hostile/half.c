/* Answers every other sample.
 * validate: reward.answers fail was not answered
 * score: survives */
#define ANSWER                                                                                     \
    if (i % 2 == 0)                                                                                \
        hone_outcome_set(out, out_stride, i, HONE_SCORE, score);
#include "hostile.h"
