/* Starts a process and waits for it.
 * validate: instance.manners fail started a child process
 * validate: instance.grants fail started a process without EXEC
 * score: survives */
#include <sys/wait.h>
#define ON_CALL                                                                                    \
    pid_t child = fork();                                                                          \
    if (child == 0)                                                                                \
        _exit(0);                                                                                  \
    if (child > 0)                                                                                 \
        waitpid(child, NULL, 0);
#include "hostile.h"
