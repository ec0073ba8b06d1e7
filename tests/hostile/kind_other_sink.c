/* Hands a callback a sink of its own.
 * validate: instance.call fail calls put with what is not the sink of a call under way
 * call: any */
#define ON_WORDS                                                                                   \
    text_words mine = *sink;                                                                       \
    mine.put(&mine, 0, text);
#include "hostile_kind.h"
