/* report.c - `hone report RUN...`: one self-contained page of one run, or of several side by side. */
#include "web/report.h"

#include "base/alloc.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

#include <stdio.h>

int hone_cli_report(int argc, char **argv)
{
    static const char *out;
    static const hone_arg options[] = {
        {"out", HONE_ARG_STR, &out, "FILE", "the page (report.html in the first run directory)"},
        {0}};
    static const char *const examples[] = {"hone report runs/grpo-20260131-235959-1a2b",
                                           "hone report runs/a runs/b --out compare.html", NULL};
    static const hone_args spec = {
        "report",
        "RUN... [--out FILE]",
        "Writes one HTML page with curves, outcomes, times and samples. It needs nothing beside "
        "itself\n"
        "and asks for nothing; several runs stand side by side. A run may still be going.",
        options,
        examples,
        1,
        HONE_REPORT_RUNS};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    char *own = out ? NULL : hone_path_join(rest.v[0], "report.html");
    hone_status s = out || own ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_report_write((const char *const *)rest.v, (size_t)rest.n, out ? out : own);
    if (s >= 0)
        printf("%s\n", out ? out : own);
    hone_free(own);
    return hone_cli_finish(hone_cli_fail(s));
}
