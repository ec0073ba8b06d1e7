/* A number for every token, and one more.
 * validate: instance.call fail token scores for
 * score: survives */
#define OWN_SCORE
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(hone_reward_v1), 0, NULL, score_tokens, NULL                                        \
    }
#define TOKENS(n) ((n) + 1)
#include "hostile_tokens.h"
#include "hostile.h"
