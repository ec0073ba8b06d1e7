/* judge_page.h - a report about a judge as one HTML page that needs nothing beside itself.
 *
 * Made from the JSON document alone (judge/report.h's kinds), so the page of a stored document is made again byte by byte. It
 * makes no request and runs no script; every text of the document is escaped. */
#ifndef HONE_CORE_WEB_JUDGE_PAGE_H
#define HONE_CORE_WEB_JUDGE_PAGE_H
#include "base/json.h"

/* Appends the page. E_INVALID: no report of a known kind. [any-thread] */
hone_status hone_judge_page(const hone_value *report, hone_buf *out);
/* Writes the page, all or nothing. E_INVALID: no report of a known kind. [control-thread] */
hone_status hone_judge_page_write(const hone_value *report, const char *path);
#endif
