/* A number for every token, in order.
 * validate: reward.answers pass
 * score: survives */
#define OWN_SCORE
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(hone_reward_v1), 0, NULL, score_tokens, NULL                                        \
    }
#include "hostile_tokens.h"
#include "hostile.h"
