/* Calls a sink after the call that lent it.
 * validate: fuzz.borrowed crash borrowed memory was used after the call had returned: the argument sink
 * call: any */
#define ON_WORDS                                                                                   \
    static const text_words *kept;                                                                 \
    if (kept)                                                                                      \
        kept->put(kept, 0, text);                                                                  \
    kept = sink;
#include "hostile_kind.h"
