/* http.c - hone.http/1: who may have it, what may be sent, and the waiting of who called.
 *
 * Key idea: the caller's requests stay where they are, since it waits until each is answered; what is made of them here
 * is an address that was looked at, a list of headers, and a place (scheme, host and port) whose bucket, breaker and count
 * all calls of the instance share. The thread of http_loop.c hands back one answer after the other, and they go to the sink on
 * the caller's own thread, with what the server echoed of a secret cut out.
 *
 * One loop, and so one thread, per registry; it starts with the first call. With a recording being replayed nothing is sent and no
 * thread is started. Does not: look into bodies. Source: plugin-abi.md section 4; judges.md section 4. */
#include "host/curl.h"
#include "host/http.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "host/grant.h"
#include "host/registry_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_REQUESTS = 1 << 20,
    MAX_HEADERS = 100,
    HEADER_MAX = 64 << 10,
    URL_MAX = 16 << 10,
    LOOK_EVERY_MS = 20 /* at the word that cancels */
};

/* What the registry has once. */
struct hone__http {
    pthread_mutex_t lock;
    hone__http_loop *loop; /* NULL until the first call */
    hone__http_tape *tape; /* or NULL */
};

typedef struct hone__http_link { /* one instance's */
    hone_instance *inst;
    hone__http *http;
    pthread_mutex_t lock;
    hone__http_place *places;
    _Atomic uint64_t counters[HONE_HTTP_COUNTERS]; /* the plugin's, of whatever it counts */
} hone__http_link;

/* ---- what may be sent --------------------------------------------------------------------------------- */

static hone_status refuse(hone__http_exchange *x, const char *why)
{
    x->status = HONE_E_INVALID;
    snprintf(x->why, sizeof x->why, "%s", why);
    return HONE_OK;
}

static int is_token(hone_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c && strchr("!#$%&'*+-.^_`|~", c))))
            return 0;
    }
    return s.len != 0;
}

static int is_line(hone_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] < 32 && s.ptr[i] != '\t') || s.ptr[i] == 127)
            return 0;
    return 1;
}

static int same_name(hone_str s, const char *z)
{
    return s.len == strlen(z) && strncasecmp(s.ptr, z, s.len) == 0;
}

static hone_status add_header(hone__http_exchange *x, const hone_http_header *h)
{
    hone_buf line;
    if (!is_token(h->name) || !is_line(h->value) || !is_line(h->secret) ||
        h->name.len + h->value.len + h->secret.len > HEADER_MAX)
        return refuse(x, "a header that cannot be sent (a line break in a secret?)");
    if (same_name(h->name, "content-length") || same_name(h->name, "transfer-encoding"))
        return refuse(x, "the length of a body is the host's to say");
    hone_buf_init(&line, 2 * HEADER_MAX);
    hone_buf_add_str(&line, h->name);
    hone_buf_adds(&line,
                  h->value.len + h->secret.len ? ": " : ";"); /* ";": libcurl's empty header */
    hone_buf_add_str(&line, h->value);
    hone_buf_add_str(&line, h->secret);
    struct curl_slist *more = line.failed ? NULL : hone__curl.slist_append(x->headers, line.ptr);
    if (more)
        x->headers = more;
    if (line.cap)
        explicit_bzero(line.ptr, line.len);
    hone_buf_release(&line);
    return more ? HONE_OK : HONE_E_NOMEM;
}

/* This machine; "127.0.0.1.example.org" is a name like any other. */
static int loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

/* *fresh: nobody asked there before. */
static hone__http_place *place_of(hone__http_link *link, const char *origin, int *fresh)
{
    hone__http_place *p;
    pthread_mutex_lock(&link->lock);
    for (p = link->places; p && strcmp(p->origin, origin) != 0;)
        p = p->next;
    *fresh = !p;
    if (!p) {
        p = hone_calloc(1, sizeof *p);
        if (p && (p->origin = hone_strdup(origin)) == NULL) {
            hone_free(p);
            p = NULL;
        }
        if (p) {
            p->next = link->places;
            link->places = p;
        }
    }
    pthread_mutex_unlock(&link->lock);
    return p;
}

static int has_secret(const hone_http_request *r)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (r->headers[i].secret.len)
            return 1;
    return 0;
}

/* The place, and a warning where a secret would be read by everybody on the way. */
static hone_status find_place(hone__http_link *link, hone__http_exchange *x, CURLU *u)
{
    char *scheme = NULL, *host = NULL, *port = NULL, origin[600];
    hone_status s = HONE_OK;
    if (hone__curl.url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
        hone__curl.url_get(u, CURLUPART_HOST, &host, 0) ||
        hone__curl.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
        s = refuse(x, "the address has no scheme, host or port");
    } else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        s = refuse(x, "the address is neither http nor https");
    } else if ((size_t)snprintf(origin, sizeof origin, "%s://%s:%s", scheme, host, port) >=
               sizeof origin) {
        s = refuse(x, "the address has too long a host");
    } else {
        for (char *p = origin; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        int fresh;
        x->place = place_of(link, origin, &fresh);
        s = x->place ? HONE_OK : HONE_E_NOMEM;
        if (x->place && fresh && strcmp(scheme, "http") == 0 && !loopback(host) &&
            has_secret(x->request))
            hone_log(HONE_LOG_WARN, link->inst->info->c.id,
                     "%s: its secret crosses the network readable to all (http, not https)",
                     origin);
    }
    hone__curl.free(scheme);
    hone__curl.free(host);
    hone__curl.free(port);
    return s;
}

/* Fills x from x->request; one that cannot be sent has its status then. */
static hone_status prepare(hone__http_link *link, hone__http_exchange *x)
{
    const hone_http_request *r = x->request;
    const hone_str method = r->method.len ? r->method : hone_str_c(r->n_body ? "POST" : "GET");
    if (r->url.len == 0 || r->url.len > URL_MAX || !is_line(r->url))
        return refuse(x, "the address is empty, too long, or no line");
    if (!is_token(method) || method.len > 16)
        return refuse(x, "that is no method");
    if (r->n_headers > MAX_HEADERS || (r->n_headers && !r->headers) || (r->n_body && !r->body))
        return refuse(x, "more than 100 headers, or a count without what it counts");
    x->url = hone_strndup(r->url.ptr, r->url.len);
    x->method = hone_strndup(method.ptr, method.len);
    CURLU *u = hone__curl.url();
    hone_status s = x->url && x->method && u ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0 && hone__curl.url_set(u, CURLUPART_URL, x->url, CURLU_DISALLOW_USER))
        s = refuse(x,
                   "that is no address (a user or a password in it is given as a secret header)");
    else if (s >= 0)
        s = find_place(link, x, u);
    hone__curl.url_cleanup(u);
    for (size_t i = 0; i < r->n_headers && s >= 0 && x->status >= 0; i++)
        s = add_header(x, &r->headers[i]);
    if (s >= 0 && x->status >= 0) { /* no pause before a large body */
        struct curl_slist *more = hone__curl.slist_append(x->headers, "Expect:");
        if (more)
            x->headers = more;
        else
            s = HONE_E_NOMEM;
    }
    return s;
}

/* ---- answers to the sink ------------------------------------------------------------------------------- */

/* Lines "name: value\n" as headers. */
static size_t split_head(const hone_buf *head, hone_http_header *out, size_t max)
{
    const char *p = head->ptr, *end = p + head->len;
    size_t n = 0;
    while (p < end && n < max) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *colon;
        if (!nl)
            break;
        colon = memchr(p, ':', (size_t)(nl - p));
        if (colon) {
            memset(&out[n], 0, sizeof out[n]);
            out[n].name = (hone_str){p, (size_t)(colon - p)};
            for (colon++; colon < nl && (*colon == ' ' || *colon == '\t'); colon++)
                ;
            out[n].value = (hone_str){colon, (size_t)(nl - colon)};
            n++;
        }
        p = nl + 1;
    }
    return n;
}

static hone_status deliver(hone__http_link *link, hone__http_exchange *x,
                           const hone_http_sink *sink)
{
    hone_http_header headers[MAX_HEADERS];
    hone_status s = HONE_OK;
    if (!hone__http_tape_replays(link->http->tape)) {
        s = hone__http_redact(x->request, &x->body);
        if (s >= 0)
            s = hone__http_redact(x->request, &x->head);
        if (s >= 0 && link->http->tape && x->key[0])
            s = hone__http_tape_record(link->http->tape, x);
        if (s < 0)
            return s;
    }
    const hone_http_response r = {
        .struct_size = sizeof r,
        .status = x->status,
        .code = x->status < 0 ? 0 : x->code,
        .attempts = x->attempts,
        .lost = x->lost,
        .body = x->status < 0 ? NULL : (const uint8_t *)x->body.ptr,
        .n_body = x->status < 0 ? 0 : x->body.len,
        .headers = headers,
        .n_headers = x->status < 0 ? 0 : split_head(&x->head, headers, MAX_HEADERS),
        .why = hone_str_c(x->status < 0 ? x->why : ""),
        .latency_ns = x->latency_ns,
    };
    s = sink->put(sink, x->index, &r);
    hone__http_exchange_release(x); /* what is not needed any more, while others are under way */
    return s;
}

/* Until the loop has closed the batch; the sink gets what comes. */
static hone_status wait_for(hone__http_link *link, hone__http_batch *b, const hone_call *call,
                            const hone_http_sink *sink)
{
    pthread_mutex_t *lock = hone__http_loop_lock(link->http->loop);
    hone_status s = HONE_OK;
    pthread_mutex_lock(lock);
    while (b->answered || !b->closed) {
        hone__http_exchange *x = b->answered;
        if (x) {
            b->answered = x->next;
            if (!b->answered)
                b->answered_end = &b->answered;
            pthread_mutex_unlock(lock);
            if (s >= 0)
                s = deliver(link, x, sink);
            if (s < 0 && !atomic_exchange(&b->abort, s))
                hone__http_loop_wake(link->http->loop);
            pthread_mutex_lock(lock);
            continue;
        }
        const int watch = call && call->cancelled && !atomic_load(&b->abort);
        if (watch && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED)) {
            atomic_store(&b->abort, HONE_E_CANCELLED);
            hone__http_loop_wake(link->http->loop);
        } else if (watch) {
            hone_cond_wait_ns(&b->changed, lock, LOOK_EVERY_MS * HONE__HTTP_MS);
        } else {
            pthread_cond_wait(&b->changed, lock);
        }
    }
    pthread_mutex_unlock(lock);
    return s;
}

static hone_status replay_all(hone__http_link *link, hone__http_batch *b,
                              const hone_http_sink *sink)
{
    for (size_t i = 0; i < b->n; i++) {
        hone__http_exchange *x = &b->all[i];
        if (x->status >= 0)
            HONE_TRY(hone__http_tape_replay(link->http->tape, x));
        HONE_TRY(deliver(link, x, sink));
    }
    return HONE_OK;
}

/* ---- the call ------------------------------------------------------------------------------------------- */

static hone_status start_loop(hone__http *h)
{
    hone_status s = HONE_OK;
    pthread_mutex_lock(&h->lock);
    if (!h->loop)
        s = hone__http_loop_create(&h->loop);
    pthread_mutex_unlock(&h->lock);
    return s;
}

static hone_status send_all(hone__http_link *link, hone__http_batch *b, const hone_call *call,
                            const hone_http_sink *sink)
{
    hone_status s = HONE_OK;
    size_t refused = 0;
    HONE_TRY(start_loop(link->http));
    for (size_t i = 0; i < b->n && s >= 0; i++) {
        if (b->all[i].status >= 0)
            continue;
        b->all[i].settled = 1;
        refused++;
        s = deliver(link, &b->all[i], sink);
    }
    b->settled = refused;
    if (s < 0 || refused == b->n)
        return s;
    hone__http_loop_add(link->http->loop, b);
    return wait_for(link, b, call, sink);
}

static hone_status exchange(void *self, const hone_call *call, const hone_http_policy *policy,
                            const hone_http_request *requests, size_t n, size_t stride,
                            const hone_http_sink *sink)
{
    hone__http_link *link = self;
    hone_status s = HONE_OK;
    hone__http_batch b;
    if (n == 0)
        return HONE_OK;
    if (!requests || !sink || !sink->put || n > MAX_REQUESTS || stride < sizeof *requests)
        return hone__host_failed(hone_fail(HONE_E_INVALID, "exchange: no requests or no sink, more "
                                                           "than a million, or a short stride"));
    memset(&b, 0, sizeof b);
    b.policy = hone__http_policy_of(policy);
    b.sends = b.policy.max_sends;
    b.deadline = call ? call->deadline_ns : 0;
    b.n = n;
    b.answered_end = &b.answered;
    b.all = hone_calloc(n, sizeof *b.all);
    if (!b.all)
        return hone__host_failed(HONE_E_NOMEM);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b.changed, &attr);
    pthread_condattr_destroy(&attr);
    for (size_t i = 0; i < n; i++) {
        hone__http_exchange *x = &b.all[i];
        x->batch = &b;
        x->index = i;
        x->request = (const void *)((const char *)requests + i * stride);
        hone_buf_init(&x->body, (size_t)1 << 40);
        hone_buf_init(&x->head, (size_t)1 << 20);
    }
    for (size_t i = 0; i < n && s >= 0; i++) {
        s = prepare(link, &b.all[i]);
        if (s >= 0 && link->http->tape && b.all[i].status >= 0)
            s = hone__http_tape_ask(link->http->tape, &b.all[i]);
    }
    if (s >= 0)
        s = hone__http_tape_replays(link->http->tape) ? replay_all(link, &b, sink)
                                                      : send_all(link, &b, call, sink);
    for (size_t i = 0; i < n; i++)
        hone__http_exchange_release(&b.all[i]);
    hone_free(b.all);
    pthread_cond_destroy(&b.changed);
    return s < 0 ? hone__host_failed(s) : HONE_OK;
}

static hone_status count(void *self, uint32_t counter, uint64_t add, uint64_t *now)
{
    hone__http_link *link = self;
    if (counter >= HONE_HTTP_COUNTERS)
        return hone__host_failed(
            hone_fail(HONE_E_RANGE, "count: there are %d counters", HONE_HTTP_COUNTERS));
    *now = atomic_fetch_add(&link->counters[counter], add) + add;
    return HONE_OK;
}

static const hone_http_v1 http_v1 = {sizeof(hone_http_v1), 0, exchange, count};

/* ---- whose it is ------------------------------------------------------------------------------------------ */

static void close_http(void *ctx)
{
    hone__http *h = ctx;
    if (h->loop)
        hone__http_loop_destroy(h->loop);
    hone__http_tape_close(h->tape);
    pthread_mutex_destroy(&h->lock);
    hone_free(h);
}

static hone_status open_http(hone_registry *r)
{
    if (r->http)
        return HONE_OK;
    HONE_TRY(hone__curl_open());
    hone__http *h = hone_calloc(1, sizeof *h);
    if (!h)
        return HONE_E_NOMEM;
    hone_status s = hone__http_tape_open(&h->tape);
    if (s >= 0) {
        pthread_mutex_init(&h->lock, NULL);
        s = hone_registry_at_close(r, close_http, h);
        if (s < 0) {
            close_http(h);
            return s;
        }
        r->http = h;
        return HONE_OK;
    }
    hone_free(h);
    return s;
}

hone_status hone__http_make(void *ctx, hone_instance *inst, hone_ref *out)
{
    (void)ctx;
    if (!inst)
        return hone_fail(HONE_E_STATE, "hone.http/1 belongs to an instance: ask for it in create");
    if (inst->reg->beyond) /* a box: the host knows what was granted, and does the work */
        return inst->reg->beyond->iface(HONE_IFACE_HTTP, out);
    HONE_TRY(hone_registry_need(inst->reg, inst->info, HONE_CAP_NET));
    HONE_TRY(open_http(inst->reg));
    if (!inst->http) {
        hone__http_link *link = hone_calloc(1, sizeof *link);
        if (!link)
            return HONE_E_NOMEM;
        pthread_mutex_init(&link->lock, NULL);
        link->inst = inst;
        link->http = inst->reg->http;
        inst->http = link;
    }
    out->self = inst->http;
    out->vt = &http_v1;
    return HONE_OK;
}

void hone__http_unlink(hone__http_link *link)
{
    if (!link)
        return;
    for (hone__http_place *p = link->places, *next; p; p = next) {
        next = p->next;
        hone_free(p->origin);
        hone_free(p);
    }
    pthread_mutex_destroy(&link->lock);
    hone_free(link);
}
