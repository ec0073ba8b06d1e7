/* Reads a text after the call that lent it.
 * validate: fuzz.borrowed crash borrowed memory was used after the call had returned: the texts of the arguments
 * call: any */
#define ON_WORDS                                                                                   \
    static hone_str kept;                                                                          \
    if (kept.len && kept.ptr[0] == 77)                                                             \
        return HONE_OK;                                                                            \
    kept = text;
#include "hostile_kind.h"
