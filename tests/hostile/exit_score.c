/* Calls exit in score.
 * validate: instance.call crash it called exit
 * score: any */
#define ON_CALL exit(7);
#include "hostile.h"
