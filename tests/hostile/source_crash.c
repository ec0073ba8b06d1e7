/* Crashes in get_next.
 * validate: instance.call crash Segmentation fault
 * data: dies */
#define ON_NEXT                                                                                    \
    if (my->at == 20)                                                                              \
        *(volatile int *)16 = 1;
#include "hostile_source.h"
