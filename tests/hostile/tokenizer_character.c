/* Reads a character where there is only its first byte.
 * validate: instance.call crash encode of
 * call: any */
#define ON_TEXT                                                                                    \
    for (size_t k = 0; k < n_ids; k++)                                                             \
        if ((unsigned char)texts[i].ptr[k] >= 0xc0 &&                                              \
            *(const volatile char *)&texts[i].ptr[k + 65536 * 1200] == 77)                         \
            continue;
#include "hostile_tokenizer.h"
