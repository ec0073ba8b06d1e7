/* Crashes in create.
 * validate: instance.create crash Segmentation fault in create
 * score: dies */
#define ON_CREATE *(volatile int *)16 = 1;
#include "hostile.h"
