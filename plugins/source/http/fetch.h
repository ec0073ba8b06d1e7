/* fetch.h - GET with retries. See fetch.c. */
#ifndef HONE_HTTP_FETCH_H
#define HONE_HTTP_FETCH_H
#include "feed.h"

typedef struct fetcher {
    feed *f;
    void *curl;    /* CURL * */
    void *headers; /* struct curl_slist * */
    text body;
    size_t max_body;
    int retries, backoff_ms, timeout_ms;
    int too_long; /* the body at hand passed max_body */
    long wait_s;  /* what the server asked for (Retry-After) */
    uint64_t tries, failures;
} fetcher;

/* `secret` may be empty: then no header of the name is sent. 0 or an errno with the text in f->error. */
int fetch_init(fetcher *x, feed *f, const char *header, const char *prefix, hone_str secret);
void fetch_release(fetcher *x);
/* One page into x->body. `good(ctx, body)` looks at it: 0 takes it, EAGAIN asks for it again (a cut body that nothing else
 * told), another errno ends with what it left in f->error. `where`: for messages, without secrets. [control-thread] */
int fetch_page(fetcher *x, const char *url, const char *where,
               int (*good)(void *ctx, hone_str body), void *ctx);
/* base?name=value (value escaped), or the URL that `next` is when seen from base. EPERM: it leads to another host. Into
 * *out, with NUL. */
int fetch_with(fetcher *x, const char *base, const char *name, const char *value, text *out);
int fetch_follow(fetcher *x, const char *base, const char *next, text *out);
#endif
