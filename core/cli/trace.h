/* trace.h - the option --trace FILE of what runs models: where time went, as a file and as a table. */
#ifndef HONE_CORE_CLI_TRACE_H
#define HONE_CORE_CLI_TRACE_H
#include "base/error.h"

/* A line of a table of options; `at` is the address of a `const char *`. */
#define HONE_CLI_TRACE(at)                                                                         \
    {                                                                                              \
        "trace", HONE_ARG_STR, at, "FILE",                                                         \
            "where time goes, per thread, as a Chrome trace (Perfetto reads it), and a table"      \
    }

/* Before the work: fails when the file could not be written. `path` NULL: no trace, here and below. Nothing is recorded before
 * hone_cli_trace_start.                                                                        [control-thread] */
hone_status hone_cli_trace_open(const char *path);
void hone_cli_trace_start(void);
void hone_cli_trace_stop(void); /* what comes after the work is not recorded */
/* Writes the file, and prints the table on stderr. `s` is how the work ended: its error is kept, and the trace of
 * what was done is written all the same.                                                       [control-thread] */
hone_status hone_cli_trace_close(const char *path, hone_status s);
#endif
