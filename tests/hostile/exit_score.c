/* Calls exit in score.
 * validate: instance.call crash exit status 7
 * score: any */
#define ON_CALL exit(7);
#include "hostile.h"
