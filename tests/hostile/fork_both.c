/* Starts a process that goes on as if it were hone.
 * validate: instance.manners fail a child process
 * score: any */
#define ON_CREATE fork();
#include "hostile.h"
