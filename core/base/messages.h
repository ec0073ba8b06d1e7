/* messages.h - the conversation that a row holds, read the same way wherever rows come in.
 *
 * A conversation is a list of { role, content }, in the column `messages`, or in `prompt` instead of a text. */
#ifndef HONE_CORE_BASE_MESSAGES_H
#define HONE_CORE_BASE_MESSAGES_H
#include "base/json.h"

typedef struct hone_messages {
    const hone_message *at; /* NULL without a conversation */
    size_t n;
} hone_messages;

/* The n messages of `list`, which live in `arena` and point to the list's texts; a role or content that is missing is "".
 * HONE_E_TYPE, naming what is wrong, when it is not a list of maps with texts; `out` is then as it was. [any-thread] */
hone_status hone_messages_read(const hone_value *list, hone_arena *arena, hone_messages *out);

/* What a row asks: its text in `prompt`, or the conversation there or in `messages`, and then the last text of the user's.
 * Without either the prompt is "". [any-thread] */
hone_status hone_messages_of_row(const hone_value *row, hone_arena *arena, hone_str *prompt,
                                 hone_messages *out);
#endif
