/* Never comes back from destroy.
 * validate: instance.create fail did not come back within 3 s, in destroy
 * score: any */
#define ON_DESTROY                                                                                 \
    for (;;)                                                                                       \
        sleep(1);
#include "hostile.h"
