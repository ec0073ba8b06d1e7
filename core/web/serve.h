/* serve.h - answering HTTP: the one place that knows libmicrohttpd.
 *
 * A server is a table of routes (method, path, function) and limits. A request is handed over when it has arrived whole and
 * passed the checks below, so a function sees only what it asked for; its answer leaves whole, or the connection ends before
 * the first byte of it. There are no folders behind it: a path that is not in the table is 404, so there is nothing that
 * ".." could leave.
 *
 * Checked before a function is called: the head's size; that Host names this server (a page of another site whose name was
 * bound to this machine's address names its own: DNS rebinding); that the method fits the path; that the body says how long it
 * is and is within the route's limit. With `own_pages`, everything but GET besides: the type application/json, the header
 * `X-Hone: 1`, which a form of another site cannot send, and, where the browser says them, Origin and Sec-Fetch-Site (CSRF).
 *
 * Threads: `threads` of libmicrohttpd's own poll all connections and call the functions, so up to that many run at once and a
 * slow one holds up the connections of its thread; a further thread cuts connections that take longer over a request, or over
 * taking an answer, than they may, which is what ends those that trickle. There is no TLS: a proxy does that.
 *
 *   hone_serve_start -> hone_serve_wait (until hone_serve_interrupt) -> hone_serve_stop
 *
 * Source: RFC 9110, 9112; the limits are those of this header. */
#ifndef HONE_CORE_WEB_SERVE_H
#define HONE_CORE_WEB_SERVE_H
#include "base/buf.h"

typedef struct hone_serve hone_serve;

/* One request, whole. Everything is borrowed and lives until the function returns. */
typedef struct hone_serve_request {
    const char *method, *path; /* as sent, without the query, nothing decoded */
    hone_str body;
    void *connection;
} hone_serve_request;
/* A header, a value of the query (as sent, not decoded) or a cookie by name; NULL when absent. [io-thread] */
const char *hone_serve_header(const hone_serve_request *q, const char *name);
const char *hone_serve_query(const hone_serve_request *q, const char *name);
const char *hone_serve_cookie(const hone_serve_request *q, const char *name);

/* What the function answers. It comes as 200, application/json, an empty body, "no-store". */
typedef struct hone_serve_answer {
    int status;
    const char *type, *cache;
    hone_buf body;
    hone_str
        fixed; /* instead of body, where its ptr is set: bytes that live as long as the server */
    char cookie[512]; /* Set-Cookie, or "" */
} hone_serve_answer;
/* An error for the client: {"error":{"message":...}} with that status. Returns HONE_OK. */
hone_status hone_serve_say(hone_serve_answer *a, int status, const char *fmt, ...)
    HONE_PRINTF(3, 4);

/* A negative status is logged and answered as 500, without its text. [io-thread] */
typedef hone_status (*hone_serve_fn)(void *ctx, const hone_serve_request *q, hone_serve_answer *a);
typedef struct hone_serve_route {
    const char *method, *path; /* GET answers HEAD too */
    hone_serve_fn fn;
    size_t max_body; /* bytes; more is 413 */
} hone_serve_route;

typedef struct hone_serve_opts {
    const char *bind; /* an address: "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;    /* 0: any that is free */
    const hone_serve_route *routes;
    size_t n_routes;
    void *ctx;
    const char *const
        *hosts; /* further values of Host ("label.example.org"), or NULL; ends with NULL */
    const char *const *headers; /* name, value, name, value, ..., NULL: of every answer; or NULL */
    int own_pages;              /* see above */
    unsigned threads;           /* 0: 2 */
    unsigned connections;       /* at once; 0: 256. Further ones wait to be taken */
    size_t head;                /* bytes of a request's head, 0: 16 KiB; more is 431 or 414 */
    double request_s;           /* a request has arrived after so many seconds, or is cut; 0: 20 */
    double answer_s;            /* an answer was taken after so many seconds, or is cut; 0: 60 */
} hone_serve_opts;

/* Listens and answers. The strings and tables of `o` are borrowed until hone_serve_stop. E_USAGE: `bind` is no address;
 * E_IO: the port is taken. [any-thread] */
hone_status hone_serve_start(const hone_serve_opts *o, hone_serve **out);
uint16_t hone_serve_port(const hone_serve *v);
int hone_serve_is_loopback(const hone_serve *v);
/* "http://127.0.0.1:8080", what `bind` and the port are in a browser; a name for "any address" is 127.0.0.1. */
const char *hone_serve_url(const hone_serve *v);
/* Blocks until hone_serve_interrupt was called. [any-thread, one] */
void hone_serve_wait(hone_serve *v);
/* Ends hone_serve_wait. Safe in a signal handler. */
void hone_serve_interrupt(hone_serve *v);
/* Takes no connection any more, lets the answers that were begun leave whole (within answer_s), and ends. NULL allowed. */
void hone_serve_stop(hone_serve *v);
/* Connections that were cut for their slowness so far; for tests and logs. */
uint64_t hone_serve_cut(const hone_serve *v);
#endif
