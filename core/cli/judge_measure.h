/* judge_measure.h - what calibrate and reliability share: rows of a file, where they are from, the store. */
#ifndef HONE_CORE_CLI_JUDGE_MEASURE_H
#define HONE_CORE_CLI_JUDGE_MEASURE_H
#include "cli/component.h"
#include "judge/book.h"
#include "judge/calibrate.h"

/* Streams the rows of a file into `j`; with j->opts.skip_bad malformed ones are counted. [control-thread] */
hone_status hone_cli_judge_read(hone_registry *r, const char *path, int kind, hone_joined *j);

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
