/* messages.c - see messages.h. */
#include "base/messages.h"

hone_status hone_messages_read(const hone_value *list, hone_arena *arena, hone_messages *out)
{
    if (list->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "messages: a list of { role, content } is wanted");
    size_t n = list->u.list.n;
    hone_message *m = hone_arena_calloc(arena, n ? n : 1, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hone_value *one = &list->u.list.items[i];
        if (one->type != HONE_MAP)
            return hone_fail(HONE_E_TYPE, "messages: entry %zu is not a { role, content }", i + 1);
        HONE_TRY(hone_value_string(one, "role", hone_str_c(""), &m[i].role));
        HONE_TRY(hone_value_string(one, "content", hone_str_c(""), &m[i].content));
    }
    *out = (hone_messages){m, n};
    return HONE_OK;
}

hone_status hone_messages_of_row(const hone_value *row, hone_arena *arena, hone_str *prompt,
                                 hone_messages *out)
{
    const hone_value *asked = hone_value_get(row, "prompt"),
                     *list = hone_value_get(row, "messages");
    hone_messages found = {NULL, 0};
    hone_str text = hone_str_c("");
    if (asked && asked->type == HONE_STRING)
        text = asked->u.str;
    if (asked && asked->type == HONE_LIST)
        list = asked;
    if (list && list->type == HONE_LIST)
        HONE_TRY(hone_messages_read(list, arena, &found));
    for (size_t i = 0; i < found.n; i++)
        if (hone_str_eq(found.at[i].role, "user"))
            text = found.at[i].content;
    *prompt = text;
    *out = found;
    return HONE_OK;
}
