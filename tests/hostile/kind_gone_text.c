/* Returns a text that is gone.
 * validate: instance.call crash reading the text that name returned
 * call: any */
#include <sys/mman.h>
#define ON_NAME                                                                                    \
    char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);       \
    munmap(p, 65536);                                                                              \
    return (hone_str){p, 100};
#include "hostile_kind.h"
