/* judge_measure.h - what calibrate and reliability share: rows of files, of the store, of a judge that is asked now. */
#ifndef HONE_CORE_CLI_JUDGE_MEASURE_H
#define HONE_CORE_CLI_JUDGE_MEASURE_H
#include "cli/component.h"
#include "cli/judge_open.h"
#include "judge/book.h"
#include "judge/calibrate.h"

/* Streams the rows of a file into `j`; with j->opts.skip_bad malformed ones are counted. [control-thread] */
hone_status hone_cli_judge_read(hone_registry *r, const char *path, int kind, hone_joined *j);

/* Is one of the first 1,000 rows one of lists of candidates (listwise.h)? A NULL path has none. [control-thread] */
hone_status hone_cli_judge_is_list(hone_registry *r, const char *path, int kind, int *list);

/* Labels of the store (of `batch`, NULL: all) as rows. sha256 (65 bytes) gets the hash of what they say. */
hone_status hone_cli_judge_labels(hone_book *book, const char *batch, hone_joined *j, char *sha256);

typedef struct hone_cli_judge_asking {
    const hone_cli_judge_args *judge;
    const char *items; /* file */
    int64_t repeats;
    int orders, labelled; /* both orders; only items that `j` has a label of, in its split */
} hone_cli_judge_asking;
/* Asks the judge about the items and adds items and verdicts to `j`. Answers that the store has are not asked again. */
hone_status hone_cli_judge_ask(const hone_cli_judge_asking *a, hone_book *book, hone_joined *j);

typedef struct hone_cli_judge_origin {
    hone_calib_about about;
    hone_calib_source data[4];
    char at[21], version[32];
} hone_cli_judge_origin;
/* Names and hashes of the files (name, path; a NULL path is left out; ends with a NULL name), the verdicts' judge, the
 * time, hone's version; test_reads -1. `out` points into itself: it is not copied. */
hone_status hone_cli_judge_origin_of(const hone_joined *j, const char *const (*files)[2],
                                     hone_cli_judge_origin *out);
/* The store: where `path` says, else where one is; made there when `must`. *out NULL: there is none. */
hone_status hone_cli_judge_store(const char *path, int must, hone_book **out);
#endif
