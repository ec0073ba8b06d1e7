/* label_page.h - the labelling page: labels.h behind a browser (serve.h).
 *
 * Whoever has no token gets the page's own files and nothing else: no text, no name, no count. */
#ifndef HONE_CORE_WEB_LABEL_PAGE_H
#define HONE_CORE_WEB_LABEL_PAGE_H
#include "judge/labels.h"
#include "web/serve.h"

typedef struct hone_label_page hone_label_page;

typedef struct hone_label_page_opts {
    const char *bind; /* NULL: 127.0.0.1 */
    uint16_t port;    /* 0: any */
    const char *
        origin; /* how experts reach it, where a proxy is between ("https://label.example.org"), or NULL */
    double request_s; /* 0: serve.h's */
} hone_label_page_opts;

/* Serves `l`, which is borrowed until the end. E_USAGE: bind or origin is none. */
hone_status hone_label_page_start(hone_labels *l, const hone_label_page_opts *o,
                                  hone_label_page **out);
/* "http://127.0.0.1:8080", or the origin; a token goes behind "/#". */
const char *hone_label_page_url(const hone_label_page *p);
hone_serve *hone_label_page_serve(hone_label_page *p); /* to wait on, and to interrupt */
void hone_label_page_stop(hone_label_page *p);         /* NULL is allowed */
#endif
