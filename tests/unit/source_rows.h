/* source_rows.h - what the tests of sources share: a file of settings and path opened, its rows drained. */
#ifndef HONE_TEST_SOURCE_ROWS_H
#define HONE_TEST_SOURCE_ROWS_H

#include "components.h"

#include "base/file.h"
#include "train/source.h"

static hone_arena arena; /* cleared by each test */

/* Opens a shipped source: `path`, and `more` settings as JSON without the braces, or NULL. */
static inline hone_status open_path(const char *component, const char *path, const char *more,
                                    hone_data **out)
{
    char settings[900];
    hone_value v;
    snprintf(settings, sizeof settings, "{\"path\":\"%s\"%s%s}", path, more ? "," : "",
             more ? more : "");
    assert_ok(hone_json_parse(settings, strlen(settings), NULL, &arena, &v));
    return hone_data_open(shipped(), component, &v, out);
}

/* All rows as JSON, one a line. */
static inline hone_status drain(hone_data *d, hone_buf *out, uint64_t at_most)
{
    hone_arena a;
    hone_status s = 1;
    hone_arena_init(&a, 0);
    for (uint64_t i = 0; i < at_most; i++) {
        hone_value row;
        hone_jw w;
        s = hone_data_next(d, &a, &row);
        if (s <= 0)
            break;
        hone_jw_init(&w, out, 0);
        hone_jw_value(&w, &row);
        hone_buf_addc(out, '\n');
        hone_arena_clear(&a);
    }
    hone_arena_release(&a);
    return s;
}

#endif
