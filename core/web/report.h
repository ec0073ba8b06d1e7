/* report.h - the report of one or several runs: one HTML page that needs nothing beside itself.
 *
 * Made from run.json, metrics.jsonl, timings.jsonl and rollouts.jsonl.zst. The page makes no request
 * (its content security policy forbids any), every text of the files is escaped, and its bytes
 * depend on the files only. Curves are SVG drawn here; a small script adds the pointer's values and
 * the table of samples. docs/runs.md describes it for its readers. */
#ifndef HONE_CORE_WEB_REPORT_H
#define HONE_CORE_WEB_REPORT_H
#include "hone/base.h"

enum {
    HONE_REPORT_RUNS = 8,      /* at most so many side by side */
    HONE_REPORT_SAMPLES = 2000 /* at most so many on a page, shared among its runs */
};

/* Writes the report of run_dirs[0..n) to `out_path` (NULL: run_dirs[0]/report.html), all or nothing.
 * A run that is still going, was killed or was cut off is reported as far as it came. Fails with
 * E_NOT_FOUND when a folder is no run directory, E_PARSE with file:line when a whole line cannot be
 * read, E_INVALID when n is 0 or above HONE_REPORT_RUNS. Holds the metrics and the chosen samples in
 * memory; the rollouts are read twice as a stream.                               [control-thread] */
hone_status hone_report_write(const char *const *run_dirs, size_t n, const char *out_path);
#endif
