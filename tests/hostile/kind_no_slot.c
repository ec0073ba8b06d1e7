/* Leaves out a slot that is not optional.
 * validate: fuzz.table fail has no find, which is not optional
 * call: any */
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(text_v1), 0, tally, words, scale, NULL, name, norm                                  \
    }
#include "hostile_kind.h"
