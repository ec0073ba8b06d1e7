/* Crashes.
 * validate: instance.call crash judge of 24 items
 * call: dies */
#define ON_JUDGE abort();
#include "hostile_judge.h"
