/* Reads a text as if it ended in NUL.
 * validate: instance.call crash past the end of the texts
 * score: any */
#define ON_SAMPLE                                                                                  \
    if (s->completion.ptr)                                                                         \
        score = (float)strlen(s->completion.ptr);
#include "hostile.h"
