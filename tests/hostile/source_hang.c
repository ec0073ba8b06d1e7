/* Hangs in get_next.
 * validate: instance.call fail did not come back
 * data: any */
#define ON_NEXT                                                                                    \
    if (my->at == 20)                                                                              \
        for (;;)                                                                                   \
            sleep(1);
#include "hostile_source.h"
