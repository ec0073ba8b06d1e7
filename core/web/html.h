/* html.h - text into HTML: escaping, numbers for people, data blocks for the page's script. */
#ifndef HONE_CORE_WEB_HTML_H
#define HONE_CORE_WEB_HTML_H
#include "base/buf.h"

/* Appends text, inert in an element and in a double-quoted attribute: & < > " ' are escaped, control
 * characters and malformed UTF-8 become U+FFFD. */
void hone__web_text(hone_buf *out, hone_str s);
void hone__web_textz(hone_buf *out, const char *z);
/* Appends JSON so that it cannot end a <script> element or open a comment in it: every < > & becomes
 * its \u escape (in JSON they stand inside strings only). */
void hone__web_json(hone_buf *out, hone_str json);
/* A number as people read it: 4 significant digits, "12,345" from 10,000 on, "1.2e-06"; "-" for NAN. */
void hone__web_number(double v, char out[32]);
/* "0.8 s", "4 min 12 s", "2 h 5 min". */
void hone__web_duration(double seconds, char out[32]);

/* The page's style sheet and script (page.c). */
extern const char hone__web_css[], hone__web_js[];
#endif
