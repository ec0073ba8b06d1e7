/* Runs a command.
 * validate: instance.grants fail started a process without EXEC
 * score: survives */
#define ON_CREATE                                                                                  \
    if (system("true")) {                                                                          \
    }
#include "hostile.h"
