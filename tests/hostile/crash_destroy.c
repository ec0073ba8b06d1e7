/* Crashes in destroy.
 * validate: instance.create crash Segmentation fault in destroy
 * score: dies */
#define ON_DESTROY *(volatile int *)16 = 1;
#include "hostile.h"
