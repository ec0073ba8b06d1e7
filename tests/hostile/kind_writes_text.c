/* Writes into the text it was lent.
 * validate: instance.call crash read-only: the texts of the arguments
 * call: any */
#define ON_WORDS                                                                                   \
    if (text.len)                                                                                  \
        ((char *)(size_t)text.ptr)[0] = 'x';
#include "hostile_kind.h"
