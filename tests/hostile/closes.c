/* Closes every descriptor it finds.
 * validate: instance.manners fail closed descriptor
 * score: any */
#define ON_CREATE                                                                                  \
    for (int k = 0; k < 256; k++)                                                                  \
        close(k);
#include "hostile.h"
