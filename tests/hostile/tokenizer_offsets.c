/* Offsets beyond the text.
 * validate: tokenizer.offsets fail which is not in order
 * call: survives */
#define ON_TEXT                                                                                    \
    if (n_ids)                                                                                     \
        spans[n_ids - 1].end += 9;
#include "hostile_tokenizer.h"
