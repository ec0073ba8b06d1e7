/* report.h - the JSON documents about a judge (kinds calibration and reliability), for people: text, Markdown.
 *
 * Which figures a kind has, in which order and under which name is one table, which the HTML page (web/judge_page.h)
 * reads too. A figure that the document lacks is left out; one without a value is shown with its reason. Texts from the
 * document are data: control characters and what Markdown would take for markup are neutralised. */
#ifndef HONE_CORE_JUDGE_REPORT_H
#define HONE_CORE_JUDGE_REPORT_H
#include "base/json.h"

typedef struct hone_report_row {
    const char *section; /* NULL: of the section before */
    const char *path;    /* dotted; a figure {value, lo, hi, n} */
    const char *label, *meaning;
} hone_report_row;

/* The rows of a kind, ended by a NULL path; NULL for a kind that is not known. */
const hone_report_row *hone_judge_report_rows(hone_str kind);
/* The first lines: what was compared ("pointwise, 120 items of 40 prompts, 3 experts, 300 labels, split dev"). */
hone_status hone_judge_report_head(const hone_value *report, hone_buf *out);
/* For a terminal, and as Markdown; E_INVALID for a document that is no such report. [any-thread] */
hone_status hone_judge_report_text(const hone_value *report, hone_buf *out);
hone_status hone_judge_report_md(const hone_value *report, hone_buf *out);
#endif
