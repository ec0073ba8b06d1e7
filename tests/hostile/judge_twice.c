/* Gives two verdicts on an item.
 * validate: instance.call fail a second verdict on item 0
 * call: survives */
#define ON_ITEM                                                                                    \
    if (sink->put(sink, i, &v) < 0)                                                                \
        return HONE_OK;
#include "hostile_judge.h"
