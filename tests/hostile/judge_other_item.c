/* Gives a verdict on an item there is none of.
 * validate: instance.call fail a verdict on item 24 of 24
 * call: survives */
#define ON_JUDGE                                                                                   \
    hone_verdict more = {.struct_size = sizeof more, .status = HONE_ABSTAIN};                      \
    if (sink->put(sink, n, &more) == HONE_E_FAIL)                                                  \
        return HONE_OK;
#include "hostile_judge.h"
