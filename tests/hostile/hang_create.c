/* Never comes back from create.
 * validate: instance.create fail did not come back within 3 s, in create
 * score: any */
#define ON_CREATE                                                                                  \
    for (;;)                                                                                       \
        pause();
#include "hostile.h"
