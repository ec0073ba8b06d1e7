/* link.h - the program hone-adbc at work: started in a box, asked, read line by line. See link.c. */
#ifndef HONE_ADBC_LINK_H
#define HONE_ADBC_LINK_H
#include "feed.h"

typedef struct link_to {
    feed *f;
    hone_ref process; /* hone.process/1 */
    hone_ref parser;  /* hone.json/1 */
    void *running;
    text program, driver, files,
        hide; /* hide: texts that must be in no message, each ended by NUL */
    size_t n_hidden;
    int timeout_s;
    char said[1000]; /* what it says went wrong */
} link_to;

enum { LINK_ROW = 1, LINK_END = 0, LINK_AGAIN = -1, LINK_FAILED = -2 };

int link_program(link_to *l); /* finds hone-adbc beside the program that runs: 0 or an errno */
int link_hide(link_to *l, const char *p, size_t n); /* 0 or ENOMEM */
/* Starts it and sends the request; *schema the line of columns, until the next call. LINK_ROW, or LINK_AGAIN and
 * LINK_FAILED with what was said in l->said. [control-thread] */
int link_start(link_to *l, hone_str request, hone_str *schema);
/* A row: its key and itself as JSON, until the next call. LINK_*. [control-thread] */
int link_next(link_to *l, hone_str *key, hone_str *row);
void link_stop(link_to *l);
void link_release(link_to *l);
#endif
