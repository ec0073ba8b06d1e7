/* Takes a text to end in NUL.
 * validate: instance.call crash past the end of the texts of the arguments
 * call: any */
#define ON_WORDS                                                                                   \
    if (strlen(text.ptr ? text.ptr : "") == 77777)                                                 \
        return HONE_OK;
#include "hostile_kind.h"
