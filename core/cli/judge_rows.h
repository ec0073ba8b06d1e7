/* judge_rows.h - the items of a data file, for verbs that ask a judge about them. */
#ifndef HONE_CORE_CLI_JUDGE_ROWS_H
#define HONE_CORE_CLI_JUDGE_ROWS_H
#include "base/arena.h"
#include "cli/judge_open.h"
#include "judge/ask.h"

typedef struct hone_cli_items {
    hone_arena arena; /* all of it */
    hone_ask_item *items;
    hone_value *rows; /* as they were read */
    size_t n;
    char sha256[65]; /* of the file; "" for a pipe */
} hone_cli_items;

/* Items of `path` by the source `source` (NULL: told by the file), at most `limit` (0: all). Two rows of one id are E_EXISTS;
 * a file without a row is E_INVALID. [control-thread] */
hone_status hone_cli_items_read(hone_registry *r, const char *source, const char *path,
                                int64_t limit, hone_cli_items *out);
void hone_cli_items_release(hone_cli_items *items); /* what is all zero is allowed */
#endif
