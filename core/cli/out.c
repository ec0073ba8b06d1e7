/* out.c - see out.h. The one place that turns errors into text for people. */
#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int hone_cli_exit_code(hone_status s)
{
    if (s >= 0)
        return HONE_EXIT_OK;
    switch (s) {
    case HONE_E_USAGE:
        return HONE_EXIT_USAGE;
    case HONE_E_REFUSED:
        return HONE_EXIT_REFUSED;
    case HONE_E_INTERRUPTED:
        return HONE_EXIT_INTERRUPTED;
    default:
        return HONE_EXIT_FAILED;
    }
}

/* Each line of `text` with two spaces before it. */
static void print_indented(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(stderr, "  %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

int hone_cli_fail(hone_status s)
{
    if (s >= 0)
        return HONE_EXIT_OK;
    const hone_error *e = hone_error_get();
    fflush(stdout);
    fprintf(stderr, "hone: %s\n", e->code < 0 && e->what[0] ? e->what : hone_status_text(s));
    if (e->code < 0) {
        print_indented(e->detail);
        if (e->hint[0])
            fprintf(stderr, "  hint: %s\n", e->hint);
    }
    return hone_cli_exit_code(s);
}

int hone_cli_usage(const char *verb, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    hone_fail(HONE_E_USAGE, "%s%s%s", verb ? verb : "", verb ? ": " : "", text);
    hone_fail_hint("see: hone %s%s--help", verb ? verb : "", verb ? " " : "");
    return hone_cli_fail(HONE_E_USAGE);
}

int hone_cli_finish(int code)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        hone_status s = hone_fail_errno("standard output");
        if (code == HONE_EXIT_OK)
            code = hone_cli_fail(s);
    }
    return code;
}
