/* check.h - is this run of bytes one JSON value? See check.c. */
#ifndef HONE_SOURCES_CHECK_H
#define HONE_SOURCES_CHECK_H
#include "hone/base.h"

/* NULL when `p` holds one JSON object (white space around it allowed); else what is wrong, with *at the
 * byte. Reads nothing past n. [any-thread] */
const char *check_row(const char *p, size_t n, size_t *at);
#endif
