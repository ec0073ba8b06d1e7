/* Its reasoning is gone when it is read.
 * validate: instance.call crash judge of 24 items
 * call: any */
#include <sys/mman.h>
#define ON_ITEM                                                                                    \
    char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);       \
    munmap(p, 65536);                                                                              \
    v.reasoning = (hone_str){p, 100};
#include "hostile_judge.h"
