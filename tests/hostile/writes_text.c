/* Writes into the text of a completion.
 * validate: instance.call crash read-only: the texts
 * score: any */
#define ON_SAMPLE                                                                                  \
    if (s->completion.len)                                                                         \
        ((char *)(size_t)s->completion.ptr)[0] = 'x';
#include "hostile.h"
