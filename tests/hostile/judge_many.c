/* A ranking of more candidates than there are.
 * validate: instance.call fail a ranking of 5 for 4 candidates
 * call: survives */
#define ON_ITEM                                                                                    \
    if (k == 4) {                                                                                  \
        order[4] = 4;                                                                              \
        v.n_ranking = 5;                                                                           \
    }
#include "hostile_judge.h"
