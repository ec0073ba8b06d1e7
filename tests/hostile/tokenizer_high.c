/* An id beyond its vocabulary.
 * validate: instance.call fail of a vocabulary of 256
 * call: survives */
#define ON_TEXT                                                                                    \
    if (n_ids)                                                                                     \
        ids[0] = 256;
#include "hostile_tokenizer.h"
