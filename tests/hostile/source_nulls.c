/* Nulls in a column whose schema says it has none.
 * validate: source.schema fail its schema says it has none
 * data: survives "number":null */
#define ON_BATCH                                                                                   \
    static const unsigned char bits[2] = {0xfe, 0xff};                                             \
    b->number_buffers[0] = bits;                                                                   \
    b->column[0].null_count = 1;
#include "hostile_source.h"
