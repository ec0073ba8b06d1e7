/* Crashes in score.
 * validate: instance.call crash Segmentation fault in score of 24 samples
 * score: dies */
#define ON_CALL *(volatile int *)16 = 1;
#include "hostile.h"
