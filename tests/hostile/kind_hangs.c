/* Never returns when a text is empty.
 * validate: fuzz.text fail did not come back within 3 s, in words of org.hostile.text/1
 * call: survives */
#define ON_WORDS                                                                                   \
    for (volatile int forever = text.len == 0; forever;)                                           \
        sleep(1);
#include "hostile_kind.h"
