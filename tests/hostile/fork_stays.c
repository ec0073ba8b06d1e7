/* Starts a process and leaves it behind.
 * validate: instance.manners fail left a child process
 * score: survives */
#define ON_CREATE                                                                                  \
    if (fork() == 0) {                                                                             \
        sleep(1);                                                                                  \
        _exit(0);                                                                                  \
    }
#include "hostile.h"
