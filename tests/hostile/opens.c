/* Leaves a file open.
 * validate: instance.manners fail left descriptor
 * validate: instance.grants fail opened a file without FS_READ: /etc/passwd
 * score: survives */
#include <fcntl.h>
#define ON_CREATE                                                                                  \
    if (open("/etc/passwd", O_RDONLY) < 0) {                                                       \
    }
#include "hostile.h"
