/* Changes a signal handler.
 * validate: instance.manners fail changed the signal handler of User
 * score: survives */
#include <signal.h>
#define ON_CREATE signal(SIGUSR1, SIG_IGN);
#include "hostile.h"
