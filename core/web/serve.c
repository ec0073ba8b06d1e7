/* serve.c - the server of serve.h on libmicrohttpd.
 *
 * libmicrohttpd's own limit is on silence: a client that sends a byte a second is never silent. So every connection has a
 * record here with the time since which it owes something (a whole request, or the taking of an answer), and the sweeper
 * shuts down the socket of one that owes too long; libmicrohttpd then sees its end and cleans up. The record is unlinked under
 * the lock before the socket is closed (MHD_CONNECTION_NOTIFY_CLOSED), so the sweeper never touches a number that means
 * another socket by then.
 *
 * Stopping: `active` counts requests whose function was called and whose answer has not left. When it is 0, `closed` is set
 * under the same lock, and from then on a request that arrives ends its connection unanswered; so nothing is half-written when
 * the daemon stops. */
#include "web/serve.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "web/mhd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVING, WORKING, SENDING };
enum { THREADS = 2, CONNECTIONS = 256, HEAD = 16 << 10, SWEEP_MS = 250 };
#define REQUEST_S 20.0
#define ANSWER_S 60.0

typedef struct peer {
    struct peer *next, *prev;
    int fd, phase, cut;
    uint64_t since;
} peer;

/* One request on its way in. */
typedef struct call {
    const hone_serve_route *route;
    hone_buf body;
    int counted; /* in `active` */
} call;

struct hone_serve {
    hone_serve_opts o;
    struct MHD_Daemon *daemon;
    uint16_t port;
    int any, loopback;         /* of the address */
    char address[64], url[96]; /* "127.0.0.1", "[::1]" */
    int event;                 /* hone_serve_interrupt */
    pthread_t sweeper;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    peer *peers;
    unsigned active;
    int stopping, closed, end;
    uint64_t cut;
};

/* ---- requests -------------------------------------------------------------------------------------- */

const char *hone_serve_header(const hone_serve_request *q, const char *name)
{
    return hone__mhd.lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

const char *hone_serve_query(const hone_serve_request *q, const char *name)
{
    return hone__mhd.lookup_connection_value(q->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *hone_serve_cookie(const hone_serve_request *q, const char *name)
{
    return hone__mhd.lookup_connection_value(q->connection, MHD_COOKIE_KIND, name);
}

hone_status hone_serve_say(hone_serve_answer *a, int status, const char *fmt, ...)
{
    char text[512];
    hone_jw w;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hone_buf_clear(&a->body);
    a->status = status;
    a->fixed = (hone_str){NULL, 0};
    hone_jw_init(&w, &a->body, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "error");
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "message", text);
    hone_jw_end(&w);
    hone_jw_end(&w);
    return a->body.failed;
}

/* ---- who is asked ---------------------------------------------------------------------------------- */

/* Is `host` (a value of Host, or what follows "http://" in Origin) this server? */
static int is_us(const hone_serve *v, const char *host, int *listed)
{
    char name[80];
    const char *port = NULL;
    unsigned char raw[16];
    *listed = 0;
    for (const char *const *h = v->o.hosts; h && *h; h++)
        if (strcasecmp(*h, host) == 0)
            return *listed = 1;
    size_t n = strlen(host);
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        if (!end)
            return 0;
        n = (size_t)(end - host) + 1;
        port = end + 1;
    } else if ((port = strchr(host, ':')) != NULL) {
        n = (size_t)(port - host);
    } else {
        port = host + n;
    }
    if (!n || n >= sizeof name)
        return 0;
    memcpy(name, host, n);
    name[n] = 0;
    char own[8];
    snprintf(own, sizeof own, ":%u", v->port);
    if (strcmp(port, own) != 0 && !(v->port == 80 && !*port))
        return 0;
    if (strcasecmp(name, "localhost") == 0)
        return v->loopback || v->any;
    if (strcasecmp(name, v->address) == 0)
        return 1;
    if (!v->any)
        return 0;
    if (name[0] == '[') { /* an address as such cannot be bound to another machine */
        name[n - 1] = 0;
        return inet_pton(AF_INET6, name + 1, raw) == 1;
    }
    return inet_pton(AF_INET, name, raw) == 1;
}

static int own_origin(const hone_serve *v, const char *origin)
{
    int listed;
    if (strncmp(origin, "https://", 8) == 0)
        return is_us(v, origin + 8, &listed) && listed;
    return strncmp(origin, "http://", 7) == 0 && is_us(v, origin + 7, &listed);
}

static int is_json(const char *type)
{
    static const char json[] = "application/json";
    return type && strncasecmp(type, json, sizeof json - 1) == 0 &&
           (!type[sizeof json - 1] || strchr("; \t", type[sizeof json - 1]));
}

static hone_status bad_guard(const hone_serve *v, const hone_serve_request *q, hone_serve_answer *a)
{
    const char *ours = hone_serve_header(q, "X-Hone");
    const char *origin = hone_serve_header(q, "Origin");
    const char *site = hone_serve_header(q, "Sec-Fetch-Site");
    if (!is_json(hone_serve_header(q, "Content-Type")))
        return hone_serve_say(a, 415, "the body must be application/json");
    if (!ours || strcmp(ours, "1") != 0)
        return hone_serve_say(a, 403, "the header X-Hone is missing");
    if (origin && !own_origin(v, origin))
        return hone_serve_say(a, 403, "asked by a page of another origin");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return hone_serve_say(a, 403, "asked by a page of another site");
    return HONE_OK;
}

/* Finds the route, or writes the refusal (a->status other than 200). */
static const hone_serve_route *look_up(const hone_serve *v, const hone_serve_request *q,
                                       hone_serve_answer *a, char allow[64])
{
    const hone_serve_route *found = NULL;
    const char *host = hone_serve_header(q, "Host");
    const char *length = hone_serve_header(q, "Content-Length");
    const int reads = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
    int listed;
    if (!host || !is_us(v, host, &listed)) {
        hone_serve_say(a, 421, "Host does not name this server");
        return NULL;
    }
    for (size_t i = 0; i < v->o.n_routes; i++) {
        const hone_serve_route *r = &v->o.routes[i];
        if (strcmp(r->path, q->path) != 0)
            continue;
        if (strcmp(r->method, reads ? "GET" : q->method) == 0)
            found = r;
        const size_t n = strlen(allow);
        snprintf(allow + n, 64 - n, "%s%s", n ? ", " : "", r->method);
    }
    if (!found) {
        if (*allow)
            hone_serve_say(a, 405, "not this method: %s", allow);
        else
            hone_serve_say(a, 404, "there is no such page");
        return NULL;
    }
    allow[0] = 0;
    if (!reads && v->o.own_pages)
        bad_guard(v, q, a);
    if (a->status != 200)
        return NULL;
    const char *end = NULL;
    errno = 0;
    unsigned long long bytes = length ? strtoull(length, (char **)&end, 10) : 0;
    if (hone_serve_header(q, "Transfer-Encoding") || (!reads && !length))
        hone_serve_say(a, 411, "the body's length must be told before it");
    else if (length && (errno || *end || length[0] < '0' || length[0] > '9'))
        hone_serve_say(a, 400, "Content-Length is no number");
    else if (bytes > (reads ? 0 : found->max_body))
        hone_serve_say(a, 413, "the body is larger than %zu bytes", reads ? 0 : found->max_body);
    return a->status == 200 ? found : NULL;
}

/* ---- answers --------------------------------------------------------------------------------------- */

static void phase(hone_serve *v, peer *p, int to)
{
    if (!p)
        return;
    pthread_mutex_lock(&v->lock);
    p->phase = to;
    p->since = hone_now_ns();
    pthread_mutex_unlock(&v->lock);
}

static peer *peer_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = hone__mhd.get_connection_info(
        c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static struct MHD_Response *make_response(hone_serve_answer *a)
{
    struct MHD_Response *r;
    if (a->fixed.ptr)
        return hone__mhd.create_response_from_buffer(a->fixed.len, (void *)(uintptr_t)a->fixed.ptr,
                                                     MHD_RESPMEM_PERSISTENT);
    size_t n = a->body.len;
    if (!n)
        return hone__mhd.create_response_from_buffer(0, (void *)(uintptr_t) "",
                                                     MHD_RESPMEM_PERSISTENT);
    char *bytes = hone_buf_detach(&a->body, &n);
    r = hone__mhd.create_response_from_buffer_with_free_callback(n, bytes, hone_free);
    if (!r)
        hone_free(bytes);
    return r;
}

/* Queues the answer. A connection without one is closed by libmicrohttpd, before any byte. */
static enum MHD_Result send_answer(hone_serve *v, struct MHD_Connection *c, hone_serve_answer *a,
                                   const char *allow)
{
    enum MHD_Result ok = MHD_NO;
    struct MHD_Response *r = a->body.failed < 0 ? NULL : make_response(a);
    int closing;
    if (!r)
        return MHD_NO;
    hone__mhd.add_response_header(r, "Content-Type", a->type);
    hone__mhd.add_response_header(r, "Cache-Control", a->cache);
    for (const char *const *h = v->o.headers; h && h[0]; h += 2)
        hone__mhd.add_response_header(r, h[0], h[1]);
    if (a->cookie[0])
        hone__mhd.add_response_header(r, "Set-Cookie", a->cookie);
    if (allow[0])
        hone__mhd.add_response_header(r, "Allow", allow);
    pthread_mutex_lock(&v->lock);
    closing = v->stopping;
    pthread_mutex_unlock(&v->lock);
    if (closing)
        hone__mhd.add_response_header(r, "Connection", "close");
    phase(v, peer_of(c), SENDING);
    ok = hone__mhd.queue_response(c, (unsigned)a->status, r);
    hone__mhd.destroy_response(r);
    return ok;
}

static void answer_init(hone_serve_answer *a)
{
    memset(a, 0, sizeof *a);
    a->status = 200;
    a->type = "application/json; charset=utf-8";
    a->cache = "no-store";
    hone_buf_init(&a->body, (size_t)64 << 20);
}

static int begin(hone_serve *v, call *k)
{
    pthread_mutex_lock(&v->lock);
    const int open = !v->closed;
    v->active += (unsigned)open;
    k->counted = open;
    pthread_mutex_unlock(&v->lock);
    return open;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n, void **state)
{
    hone_serve *v = cls;
    call *k = *state;
    hone_serve_request q = {.method = method, .path = path, .connection = c};
    hone_serve_answer a;
    char allow[64] = "";
    enum MHD_Result ok = MHD_YES;
    (void)version;
    if (!k) { /* the head is there */
        k = hone_calloc(1, sizeof *k);
        if (!k)
            return MHD_NO;
        *state = k;
        answer_init(&a);
        k->route = look_up(v, &q, &a, allow);
        hone_buf_init(&k->body, k->route ? k->route->max_body + 1 : 1);
        if (!k->route)
            ok = begin(v, k) ? send_answer(v, c, &a, allow) : MHD_NO;
        hone_buf_release(&a.body);
        return ok;
    }
    if (*n) { /* Content-Length was checked: this fits, or memory is out */
        if (hone_buf_add(&k->body, upload, *n) < 0)
            return MHD_NO;
        *n = 0;
        return MHD_YES;
    }
    if (!k->route || !begin(v, k))
        return MHD_NO;
    phase(v, peer_of(c), WORKING);
    answer_init(&a);
    q.body = hone_buf_str(&k->body);
    hone_status s = k->route->fn(v->o.ctx, &q, &a);
    if (s >= 0 && a.body.failed < 0)
        s = hone_buf_check(&a.body, "the answer");
    if (s < 0) {
        const hone_error *e = hone_error_get();
        hone_log(HONE_LOG_WARN, "serve", "%s %s: %s%s%s", method, k->route->path, e->what,
                 e->detail[0] ? ": " : "", e->detail);
        a.cookie[0] = 0;
        a.type = "application/json; charset=utf-8";
        hone_serve_say(&a, 500, "hone could not do that; its log tells why");
    }
    ok = send_answer(v, c, &a, allow);
    hone_buf_release(&a.body);
    return ok;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode how)
{
    hone_serve *v = cls;
    call *k = *state;
    (void)how;
    if (!k)
        return;
    *state = NULL;
    phase(v, peer_of(c), RECEIVING);
    if (k->counted) {
        pthread_mutex_lock(&v->lock);
        v->active--;
        pthread_cond_broadcast(&v->changed);
        pthread_mutex_unlock(&v->lock);
    }
    hone_buf_release(&k->body);
    hone_free(k);
}

/* ---- connections ----------------------------------------------------------------------------------- */

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    hone_serve *v = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = hone__mhd.get_connection_info(
            c, MHD_CONNECTION_INFO_CONNECTION_FD);
        peer *p = hone_calloc(1, sizeof *p);
        *context = p;
        if (!p)
            return;
        p->fd = info ? info->connect_fd : -1;
        p->since = hone_now_ns();
        pthread_mutex_lock(&v->lock);
        p->next = v->peers;
        if (p->next)
            p->next->prev = p;
        v->peers = p;
        pthread_cond_broadcast(&v->changed);
        pthread_mutex_unlock(&v->lock);
        return;
    }
    peer *p = *context;
    if (!p)
        return;
    *context = NULL;
    pthread_mutex_lock(&v->lock);
    if (p->next)
        p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else
        v->peers = p->next;
    pthread_mutex_unlock(&v->lock);
    hone_free(p);
}

static void *sweep(void *arg)
{
    hone_serve *v = arg;
    const uint64_t most[] = {(uint64_t)(v->o.request_s * 1e9), 0, (uint64_t)(v->o.answer_s * 1e9)};
    pthread_mutex_lock(&v->lock);
    while (!v->end) {
        const uint64_t now = hone_now_ns();
        for (peer *p = v->peers; p; p = p->next)
            if (p->phase != WORKING && !p->cut && now - p->since > most[p->phase]) {
                p->cut = 1;
                v->cut++;
                shutdown(p->fd, SHUT_RDWR);
            }
        if (v->peers)
            hone_cond_wait_ns(&v->changed, &v->lock, (uint64_t)SWEEP_MS * 1000000);
        else
            pthread_cond_wait(&v->changed, &v->lock);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

uint64_t hone_serve_cut(const hone_serve *v)
{
    hone_serve *own = (hone_serve *)(uintptr_t)v;
    pthread_mutex_lock(&own->lock);
    const uint64_t n = v->cut;
    pthread_mutex_unlock(&own->lock);
    return n;
}

/* ---- start, stop ----------------------------------------------------------------------------------- */

/* Nothing is decoded: paths are compared as sent. */
static size_t as_it_is(void *cls, struct MHD_Connection *c, char *text)
{
    (void)cls;
    (void)c;
    return strlen(text);
}

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

static hone_status parse_address(hone_serve *v, address *a)
{
    char text[INET6_ADDRSTRLEN] = "";
    const char *bind = v->o.bind;
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, bind, &a->v4.sin_addr) == 1) {
        const uint32_t ip = ntohl(a->v4.sin_addr.s_addr);
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(v->o.port);
        v->any = ip == INADDR_ANY;
        v->loopback = ip >> 24 == 127;
        inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof text);
        snprintf(v->address, sizeof v->address, "%s", text);
        return HONE_OK;
    }
    if (inet_pton(AF_INET6, bind, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons(v->o.port);
        v->any = IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr) != 0;
        v->loopback = IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) != 0;
        inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof text);
        snprintf(v->address, sizeof v->address, "[%s]", text);
        return HONE_OK;
    }
    hone_fail(HONE_E_USAGE, "\"%s\" is no address", bind);
    return hone_fail_hint(
        "a number such as 127.0.0.1 (this machine only), 0.0.0.0 (all networks) or ::1");
}

static hone_status listen_on(hone_serve *v)
{
    address a;
    HONE_TRY(parse_address(v, &a));
    /* Not epoll: libmicrohttpd 0.9.75 takes 128 events at a time, and when there are just so many it sleeps before it looks at
     * them; a thread whose 128 connections were cut at once then stood still until its own time limit. */
    unsigned flags = MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC;
    if (a.any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    v->port = v->o.port; /* its threads read that from the first request on */
    v->daemon = hone__mhd.start_daemon(
        flags, v->o.port, NULL, NULL, on_request, v, MHD_OPTION_SOCK_ADDR, &a.any,
        MHD_OPTION_THREAD_POOL_SIZE, v->o.threads, MHD_OPTION_CONNECTION_LIMIT, v->o.connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, v->o.head, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)ceil(fmax(v->o.request_s, v->o.answer_s)), MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, v, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        v, MHD_OPTION_UNESCAPE_CALLBACK, as_it_is, v, MHD_OPTION_END);
    if (!v->daemon) {
        hone_fail(HONE_E_IO, "%s port %u: cannot listen there: %s", v->o.bind, v->o.port,
                  errno ? strerror(errno) : "libmicrohttpd does not say why");
        return hone_fail_hint("another program may have the port: --port 0 takes one that is free");
    }
    const union MHD_DaemonInfo *info = hone__mhd.get_daemon_info(v->daemon,
                                                                 MHD_DAEMON_INFO_BIND_PORT);
    if (!v->port)
        v->port = info ? info->port : 0;
    snprintf(v->url, sizeof v->url, "http://%s:%u",
             !v->any                       ? v->address
             : a.any.sa_family == AF_INET6 ? "[::1]"
                                           : "127.0.0.1",
             v->port);
    return HONE_OK;
}

hone_status hone_serve_start(const hone_serve_opts *o, hone_serve **out)
{
    pthread_condattr_t monotonic;
    hone_serve *v = hone_calloc(1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    v->o = *o;
    v->o.threads = o->threads ? o->threads : THREADS;
    v->o.connections = o->connections ? o->connections : CONNECTIONS;
    v->o.head = o->head ? o->head : HEAD;
    v->o.request_s = o->request_s > 0 ? o->request_s : REQUEST_S;
    v->o.answer_s = o->answer_s > 0 ? o->answer_s : ANSWER_S;
    pthread_mutex_init(&v->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&v->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int swept = 0;
    v->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    hone_status s = v->event < 0 ? hone_fail_errno("eventfd") : hone__mhd_open();
    if (s >= 0) {
        errno = 0;
        s = listen_on(v);
    }
    if (s >= 0) {
        swept = pthread_create(&v->sweeper, NULL, sweep, v) == 0;
        s = swept ? HONE_OK : hone_fail(HONE_E_NOMEM, "a thread cannot be started");
    }
    if (s < 0) {
        if (v->daemon)
            hone__mhd.stop_daemon(v->daemon);
        if (v->event >= 0)
            close(v->event);
        pthread_cond_destroy(&v->changed);
        pthread_mutex_destroy(&v->lock);
        hone_free(v);
        return s;
    }
    *out = v;
    return HONE_OK;
}

uint16_t hone_serve_port(const hone_serve *v)
{
    return v->port;
}

int hone_serve_is_loopback(const hone_serve *v)
{
    return v->loopback;
}

const char *hone_serve_url(const hone_serve *v)
{
    return v->url;
}

void hone_serve_wait(hone_serve *v)
{
    struct pollfd p = {.fd = v->event, .events = POLLIN};
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        continue;
}

void hone_serve_interrupt(hone_serve *v)
{
    const int saved = errno;
    const uint64_t one = 1;
    ssize_t n = write(v->event, &one, sizeof one);
    (void)n; /* full means that it was called before */
    errno = saved;
}

void hone_serve_stop(hone_serve *v)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->lock);
    v->stopping = 1;
    pthread_mutex_unlock(&v->lock);
    const int listener = hone__mhd.quiesce_daemon(v->daemon);
    const uint64_t deadline = hone_now_ns() + (uint64_t)(v->o.answer_s * 1e9);
    pthread_mutex_lock(&v->lock);
    while (v->active && hone_now_ns() < deadline)
        hone_cond_wait_ns(&v->changed, &v->lock, (uint64_t)SWEEP_MS * 1000000);
    v->closed = 1;
    pthread_mutex_unlock(&v->lock);
    hone__mhd.stop_daemon(v->daemon);
    if (listener >= 0)
        close(listener);
    pthread_mutex_lock(&v->lock);
    v->end = 1;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->sweeper, NULL);
    close(v->event);
    pthread_cond_destroy(&v->changed);
    pthread_mutex_destroy(&v->lock);
    hone_free(v);
}
