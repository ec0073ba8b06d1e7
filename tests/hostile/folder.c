/* Changes the working directory.
 * validate: instance.manners fail changed the working directory
 * score: any */
#define ON_CREATE                                                                                  \
    if (chdir("/")) {                                                                              \
    }
#include "hostile.h"
