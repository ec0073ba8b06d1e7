/* Blocks signals.
 * validate: instance.manners fail changed the signal mask
 * score: survives */
#include <signal.h>
#define ON_CREATE                                                                                  \
    sigset_t all;                                                                                  \
    sigemptyset(&all);                                                                             \
    sigaddset(&all, SIGUSR2);                                                                      \
    sigprocmask(SIG_BLOCK, &all, NULL);
#include "hostile.h"
