/* term.h - text for a terminal: how wide it is, and lines that fit.
 *
 * In a pipe the width is 0, and nothing is cut or wrapped: one line each, for grep. In a terminal it is COLUMNS, what the
 * terminal says, or 80. Widths are counted in characters of UTF-8, taken as one column each. */
#ifndef HONE_CORE_CLI_TERM_H
#define HONE_CORE_CLI_TERM_H
#include <stddef.h>

size_t hone_term_width(void); /* of stdout [any-thread] */
/* Prints `text` from column `at` on, continued below at column `indent`, with a newline. Width 0: on one line. */
void hone_term_wrap(const char *text, size_t at, size_t indent, size_t width);
/* Prints at most `room` columns of `text`, its end as "..." where it is longer. room 0: all of it. No newline. */
void hone_term_cut(const char *text, size_t room);
#endif
