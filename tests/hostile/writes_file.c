/* Writes a file.
 * validate: instance.grants fail opened a file for writing without FS_WRITE
 * score: survives */
#include <stdio.h>
#define ON_CREATE                                                                                  \
    FILE *f = fopen("/dev/shm/hostile-was-here", "w");                                             \
    if (f) {                                                                                       \
        fclose(f);                                                                                 \
        unlink("/dev/shm/hostile-was-here");                                                       \
    }
#include "hostile.h"
