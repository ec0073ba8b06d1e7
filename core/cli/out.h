/* out.h - how the command line speaks: errors to stderr, exit codes. */
#ifndef HONE_CORE_CLI_OUT_H
#define HONE_CORE_CLI_OUT_H
#include "base/error.h"

enum {
    HONE_EXIT_OK = 0,
    HONE_EXIT_FAILED = 1,
    HONE_EXIT_USAGE = 2,
    HONE_EXIT_REFUSED = 3,
    HONE_EXIT_INTERRUPTED = 130
};

/* The exit code that belongs to a status. */
int hone_cli_exit_code(hone_status s);
/* Prints the thread's current error on stderr ("hone: what", "  detail", "  hint: ...") and returns
 * the exit code of `s`; prints nothing and returns 0 when s >= 0.            [control-thread] */
int hone_cli_fail(hone_status s);
/* A usage error of `verb` (NULL: of hone itself) with its text; prints it with "see hone VERB
 * --help" and returns 2.                                                     [control-thread] */
int hone_cli_usage(const char *verb, const char *fmt, ...) HONE_PRINTF(2, 3);
/* Flushes stdout; a result that could not be written (disk full, closed pipe) turns code 0 into 1. */
int hone_cli_finish(int code);
#endif
