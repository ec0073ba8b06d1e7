/* Loses what is no ASCII.
 * validate: tokenizer.round_trip fail decode(encode(x)) is
 * call: survives */
#define ON_LIST                                                                                    \
    for (size_t k = 0; s >= 0 && k < n_bytes; k++)                                                 \
        bytes[k] &= 0x7f;
#include "hostile_tokenizer.h"
