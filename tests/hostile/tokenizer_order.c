/* Answers texts in another order.
 * validate: instance.call fail ids of text 1, after 0 of
 * call: survives */
#define ON_TEXT                                                                                    \
    if (i == 0) {                                                                                  \
        free(ids);                                                                                 \
        free(spans);                                                                               \
        continue;                                                                                  \
    }
#include "hostile_tokenizer.h"
