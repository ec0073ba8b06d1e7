/* judge_report.h - a report about a judge, as its JSON document: printed, and written to files by their names. */
#ifndef HONE_CORE_CLI_JUDGE_REPORT_H
#define HONE_CORE_CLI_JUDGE_REPORT_H
#include "base/json.h"
#include "cli/args.h"

/* E_USAGE when one of `files` ends in nothing that can be written: asked before the work begins. */
hone_status hone_cli_judge_report_names(const hone_arg_list *files);
/* Prints the document as text, or as it is with `json`; writes each of `files` as its name ends: .md, .html, .json.
 * [control-thread] */
hone_status hone_cli_judge_report(hone_str document, const hone_arg_list *files, int json);
#endif
