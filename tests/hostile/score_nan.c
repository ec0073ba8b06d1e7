/* Scores that are no numbers.
 * validate: instance.call fail not a number
 * score: survives not finite */
#define ON_SAMPLE score = (float)__builtin_nan("");
#include "hostile.h"
