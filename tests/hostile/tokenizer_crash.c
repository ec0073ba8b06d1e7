/* Crashes at an empty text.
 * validate: instance.call crash encode
 * call: any */
#define ON_TEXT                                                                                    \
    if (n_ids == 0)                                                                                \
        abort();
#include "hostile_tokenizer.h"
