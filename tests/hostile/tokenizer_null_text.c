/* A token's text at NULL, with a length.
 * validate: fuzz.chance fail is a text of 5 bytes at NULL
 * call: any */
#define ON_TOKEN                                                                                   \
    if (id < 8)                                                                                    \
        return (hone_str){NULL, 5};
#include "hostile_tokenizer.h"
