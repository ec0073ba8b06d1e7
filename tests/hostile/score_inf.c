/* Scores without an end.
 * validate: instance.call fail not a number
 * score: survives not finite */
#define ON_SAMPLE score = (float)__builtin_inf();
#include "hostile.h"
