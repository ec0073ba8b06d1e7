/* Leaves out an item.
 * validate: judge.answers fail was not answered, though the call succeeded
 * call: survives */
#define ON_ITEM                                                                                    \
    if (i == 0)                                                                                    \
        continue;
#include "hostile_judge.h"
