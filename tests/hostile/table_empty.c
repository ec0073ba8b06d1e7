/* A table without a single function.
 * validate: instance.call fail neither score
 * score: any */
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(hone_reward_v1), 0, NULL, NULL, NULL                                                \
    }
#define OWN_SCORE
#include "hostile.h"
