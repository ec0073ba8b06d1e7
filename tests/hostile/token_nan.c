/* Numbers of tokens that are none.
 * validate: instance.call fail is not finite
 * score: survives */
#define OWN_SCORE
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(hone_reward_v1), 0, NULL, score_tokens, NULL                                        \
    }
#define NUMBER __builtin_nanf("")
#include "hostile_tokens.h"
#include "hostile.h"
