/* A score that is no number, and no ranking.
 * validate: instance.call fail a verdict without a ranking whose score is
 * call: survives */
#define ON_ITEM                                                                                    \
    v.score = (double)__builtin_nan("");                                                           \
    v.n_ranking = 0;                                                                               \
    v.ranking = NULL;
#include "hostile_judge.h"
