/* http_loop.c - the one thread on which all requests of hone.http/1 are under way.
 *
 * Key idea: libcurl's multi interface moves the bytes; this thread decides what may start. It owns every exchange and every
 * place from hone__http_loop_add on until it has closed the batch, so nothing of them needs a lock; what crosses threads is
 * the list of new batches, each batch's list of answers, and one atomic word that ends a batch. It sleeps in
 * curl_multi_poll until bytes move, a time comes, or somebody wakes it.
 *
 * A try is counted when its request leaves (CURLOPT_PREREQFUNCTION). libcurl would send a request again by itself when a
 * kept connection turns out to be closed; the same hook ends that try, so that nothing is sent that is not counted.
 * Names are looked up by one try per place at a time, since libcurl takes a thread for each look-up; the others
 * wait, and find the name in the cache.
 *
 * Does not: look at settings, grants, recordings; retry what is whole but wrong to the caller.
 * Invariants: batch->running and place->running are the runs in the multi handle; a settled exchange has none. A batch's
 * requests start in order; one whose place is not ready holds up those behind it.
 * Source: libcurl-multi(3), RFC 9110. */
#include "host/curl.h"
#include "host/http.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#if LIBCURL_VERSION_NUM < 0x075500
#error "hone needs libcurl 7.85 or later"
#endif

enum {
    HEAD_MAX = 64 << 10,
    KNOWN_S = 300,   /* a name is looked up again after that */
    IDLE_MS = 60000, /* the longest sleep */
    HEDGE_BUSY = 2   /* runs of one exchange */
};

struct hone__http_run {
    hone__http_exchange *x;
    hone__http_run *next; /* in the loop's list of free ones */
    CURL *easy;
    hone_buf body, head;
    uint64_t begun;
    int sent, again; /* its request has left; it was about to leave twice */
    int too_long, probe, scout;
};

struct hone__http_loop {
    pthread_t thread;
    pthread_mutex_t lock;
    CURLM *multi;
    hone__http_batch *incoming; /* under the lock */
    int stop;                   /* under the lock */
    hone__http_batch *batches;  /* of the thread from here on */
    hone__http_run *free_runs;
};

/* ---- what libcurl calls -------------------------------------------------------------------------------- */

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    hone__http_run *r = ctx;
    n *= size;
    if (n > r->body.max - r->body.len) {
        r->too_long = 1;
        return 0;
    }
    return hone_buf_add(&r->body, p, n) < 0 ? 0 : n;
}

/* Lines "name: value"; those of an interim response are dropped when the next one begins. */
static size_t take_head(char *p, size_t size, size_t n, void *ctx)
{
    hone__http_run *r = ctx;
    n *= size;
    size_t k = n;
    while (k && (p[k - 1] == '\n' || p[k - 1] == '\r'))
        k--;
    if (k > 5 && memcmp(p, "HTTP/", 5) == 0) {
        hone_buf_clear(&r->head);
        return n;
    }
    if (k == 0 || !memchr(p, ':', k) || k + 1 > r->head.max - r->head.len)
        return n; /* more than anybody reads: the rest is left out */
    if (hone_buf_add(&r->head, p, k) < 0 || hone_buf_addc(&r->head, '\n') < 0)
        return 0;
    return n;
}

static int about_to_send(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    hone__http_run *r = ctx;
    hone__http_place *place = r->x->place;
    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (r->sent) {
        r->again = 1;
        return CURL_PREREQFUNC_ABORT;
    }
    r->sent = 1;
    r->x->attempts++;
    if (r->scout) {
        place->scouting = r->scout = 0;
        place->known = hone_now_ns();
    }
    return CURL_PREREQFUNC_OK;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)ctx;
    (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- answers -------------------------------------------------------------------------------------------- */

void hone__http_exchange_release(hone__http_exchange *x)
{
    for (struct curl_slist *h = x->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    hone__curl.slist_free_all(x->headers);
    x->headers = NULL;
    hone_buf_release(&x->body);
    hone_buf_release(&x->head);
    hone_free(x->url);
    hone_free(x->method);
    x->url = x->method = NULL;
}

static void end_run(hone__http_loop *l, hone__http_run *r)
{
    hone__http_exchange *x = r->x;
    hone__curl.multi_remove_handle(l->multi, r->easy);
    x->place->running--;
    x->batch->running--;
    if (r->scout)
        x->place->scouting = 0;
    if (!r->sent && x->batch->sends != UINT64_MAX)
        x->batch->sends++;
    x->runs[x->runs[1] == r] = NULL;
    hone_buf_release(&r->body);
    hone_buf_release(&r->head);
    r->x = NULL;
    r->next = l->free_runs;
    l->free_runs = r;
}

/* Its response is known; who waits for it may take it. */
static void settle(hone__http_loop *l, hone__http_exchange *x)
{
    hone__http_batch *b = x->batch;
    for (int i = 0; i < HEDGE_BUSY; i++) {
        hone__http_run *r = x->runs[i];
        if (!r)
            continue;
        x->lost += r->sent != 0;
        hone__http_breaker_undo(&x->place->breaker, r->probe);
        end_run(l, r);
    }
    x->latency_ns = x->begun ? hone_now_ns() - x->begun : 0;
    x->settled = 1;
    x->next = NULL;
    b->settled++;
    pthread_mutex_lock(&l->lock);
    *b->answered_end = x;
    b->answered_end = &x->next;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&l->lock);
}

static void settle_as(hone__http_loop *l, hone__http_exchange *x, hone_status s, const char *why)
{
    x->status = s;
    x->code = 0;
    hone_buf_clear(&x->body);
    hone_buf_clear(&x->head);
    if (!why[0])
        why = hone_status_text(s);
    snprintf(x->why, sizeof x->why, "%s", why);
    settle(l, x);
}

/* No further try: the response of the last one that had any, or its failure. */
static void settle_last(hone__http_loop *l, hone__http_exchange *x)
{
    if (x->code)
        x->status = HONE_OK;
    settle(l, x);
}

/* ---- one try --------------------------------------------------------------------------------------------- */

static void set_options(const hone__http_run *r, const hone_http_policy *p, uint64_t left_ms)
{
    const hone__http_exchange *x = r->x;
    const hone_http_request *q = x->request;
    CURL *c = r->easy;
    const uint64_t ms = left_ms < p->timeout_ms ? left_ms : p->timeout_ms;
    hone__curl.easy_reset(c);
    hone__curl.easy_setopt(c, CURLOPT_PRIVATE, (void *)(uintptr_t)r);
    hone__curl.easy_setopt(c, CURLOPT_URL, x->url);
    hone__curl.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    hone__curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    hone__curl.easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    hone__curl.easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    hone__curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    hone__curl.easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    hone__curl.easy_setopt(c, CURLOPT_USERAGENT, "hone");
    hone__curl.easy_setopt(c, CURLOPT_HTTPHEADER, x->headers);
    hone__curl.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)p->connect_ms);
    hone__curl.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(ms ? ms : 1));
    hone__curl.easy_setopt(c, CURLOPT_DNS_CACHE_TIMEOUT, r->scout ? 1L : -1L);
    hone__curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    hone__curl.easy_setopt(c, CURLOPT_WRITEDATA, (void *)(uintptr_t)r);
    hone__curl.easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
    hone__curl.easy_setopt(c, CURLOPT_HEADERDATA, (void *)(uintptr_t)r);
    hone__curl.easy_setopt(c, CURLOPT_PREREQFUNCTION, about_to_send);
    hone__curl.easy_setopt(c, CURLOPT_PREREQDATA, (void *)(uintptr_t)r);
    hone__curl.easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    if (q->n_body || strcmp(x->method, "POST") == 0) {
        hone__curl.easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->n_body);
        hone__curl.easy_setopt(c, CURLOPT_POSTFIELDS, q->n_body ? (const char *)q->body : "");
        hone__curl.easy_setopt(c, CURLOPT_POST, 1L);
    } else if (strcmp(x->method, "HEAD") == 0) {
        hone__curl.easy_setopt(c, CURLOPT_NOBODY, 1L);
    }
    if (strcmp(x->method, "HEAD") != 0)
        hone__curl.easy_setopt(c, CURLOPT_CUSTOMREQUEST, x->method);
}

static hone__http_run *a_run(hone__http_loop *l)
{
    hone__http_run *r = l->free_runs;
    if (r) {
        l->free_runs = r->next;
        return r;
    }
    r = hone_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->easy = hone__curl.easy_init();
    if (!r->easy) {
        hone_free(r);
        return NULL;
    }
    return r;
}

static void begin(hone__http_loop *l, hone__http_exchange *x, uint64_t now)
{
    hone__http_batch *b = x->batch;
    hone__http_place *place = x->place;
    hone__http_run *r = a_run(l);
    if (!r) {
        settle_as(l, x, HONE_E_NOMEM, "out of memory");
        return;
    }
    CURL *easy = r->easy;
    memset(r, 0, sizeof *r);
    r->easy = easy;
    r->x = x;
    r->begun = now;
    hone_buf_init(&r->body, (size_t)b->policy.max_body);
    hone_buf_init(&r->head, HEAD_MAX);
    r->scout = place->known == 0 || now - place->known > KNOWN_S * UINT64_C(1000000000);
    place->scouting |= r->scout;
    r->probe = hone__http_breaker_begin(&place->breaker);
    if (b->policy.rate > 0)
        hone__http_bucket_take(&place->bucket);
    if (b->sends != UINT64_MAX)
        b->sends--;
    x->runs[x->runs[0] != NULL] = r;
    x->tries++;
    if (x->begun == 0)
        x->begun = now;
    place->running++;
    b->running++;
    set_options(r, &b->policy,
                b->deadline ? (b->deadline - now) / HONE__HTTP_MS + 1 : UINT64_C(1) << 40);
    if (hone__curl.multi_add_handle(l->multi, r->easy) != CURLM_OK) {
        hone__http_breaker_undo(&place->breaker, r->probe);
        end_run(l, r);
        settle_as(l, x, HONE_E_NOMEM, "libcurl takes no further request");
    }
}

/* ---- how a try ended --------------------------------------------------------------------------------------- */

/* The value of a header (name in lower case) in lines "name: value\n"; empty when it is not there. */
static hone_str header_of(const hone_buf *head, const char *name)
{
    const size_t n = strlen(name);
    const char *p = head->ptr, *end = head->ptr + head->len;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            break;
        if ((size_t)(nl - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0)
            return (hone_str){p + n + 1, (size_t)(nl - p) - n - 1};
        p = nl + 1;
    }
    return (hone_str){"", 0};
}

/* Is a failure one that passes? `sent`: of the server, not of the request. */
static int passes(CURLcode rc, int sent)
{
    switch (rc) {
    case CURLE_UNSUPPORTED_PROTOCOL: /* what came back is no HTTP */
        return sent;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_ABORTED_BY_CALLBACK: /* it was about to leave twice */
        return 1;
    default:
        return 0;
    }
}

/* Again after `ms`, or, where that is too late or too often, no more. */
static void once_more(hone__http_loop *l, hone__http_exchange *x, uint64_t ms, uint64_t now)
{
    hone__http_batch *b = x->batch;
    const uint64_t at = now + ms * HONE__HTTP_MS;
    if (x->runs[0] || x->runs[1])
        return; /* the other run goes on */
    if (x->tries >= b->policy.tries || (b->deadline && at >= b->deadline)) {
        settle_last(l, x);
        return;
    }
    x->at = at;
    x->next = b->waiting;
    b->waiting = x;
}

static void keep(hone__http_exchange *x, hone__http_run *r, uint32_t code)
{
    hone_buf_release(&x->body);
    hone_buf_release(&x->head);
    x->body = r->body;
    x->head = r->head;
    hone_buf_init(&r->body, 1);
    hone_buf_init(&r->head, 1);
    x->code = code;
    x->status = HONE_OK;
    x->why[0] = '\0';
}

static void said(hone__http_place *place, uint64_t ms, uint64_t now)
{
    const uint64_t at = now + ms * HONE__HTTP_MS;
    if (at > place->not_before)
        place->not_before = at;
}

static void ended(hone__http_loop *l, hone__http_run *r, CURLcode rc)
{
    hone__http_exchange *x = r->x;
    hone__http_place *place = x->place;
    const hone_http_policy *p = &x->batch->policy;
    const uint64_t now = hone_now_ns();
    const int too_long = r->too_long,
              nomem = r->body.failed == HONE_E_NOMEM || r->head.failed == HONE_E_NOMEM;
    uint64_t ms = 0;
    long code = 0;
    if (rc == CURLE_OK)
        hone__curl.easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &code);
    const int sent = r->sent;
    const int broken = rc != CURLE_OK ? passes(rc, sent) : hone__http_broken((uint32_t)code);
    if (hone__http_breaker_end(&place->breaker, p, r->probe, broken && !too_long, now))
        hone_log(HONE_LOG_WARN, NULL, "%s: failed %u times in a row: nothing is sent for a while",
                 place->origin, place->breaker.failed);
    if (rc == CURLE_OK && code) {
        const int asked = hone__http_passes((uint32_t)code) &&
                          hone__http_retry_after(header_of(&r->head, "retry-after"),
                                                 header_of(&r->head, "date"), time(NULL), &ms);
        keep(x, r, (uint32_t)code);
        end_run(l, r);
        if (!hone__http_passes((uint32_t)code) || (asked && ms > p->retry_after_max_ms)) {
            settle(l, x);
            return;
        }
        const uint64_t own = hone__http_backoff_ms(p, x->index, x->tries);
        if (asked)
            said(place, ms, now);
        once_more(l, x, asked && ms > own ? ms : own, now);
        return;
    }
    x->lost += r->sent != 0;
    if (!x->code) {
        x->status = rc == CURLE_OPERATION_TIMEDOUT ? HONE_E_TIMEOUT : HONE_E_IO;
        snprintf(x->why, sizeof x->why, "%s: %s", place->origin,
                 r->again                           ? "the server closed the connection"
                 : rc == CURLE_UNSUPPORTED_PROTOCOL ? "its answer is not HTTP"
                                                    : hone__curl.easy_strerror(rc));
    }
    if (rc == CURLE_COULDNT_RESOLVE_HOST)
        place->known = 0;
    end_run(l, r);
    if (too_long)
        settle_as(l, x, HONE_E_LIMIT, "the response's body is longer than max_body");
    else if (nomem)
        settle_as(l, x, HONE_E_NOMEM, "out of memory");
    else if (passes(rc, sent))
        once_more(l, x, hone__http_backoff_ms(p, x->index, x->tries), now);
    else if (!x->runs[0] && !x->runs[1])
        settle_last(l, x);
}

/* ---- what may start ------------------------------------------------------------------------------------- */

static void sooner(uint64_t *next, uint64_t at)
{
    if (at < *next)
        *next = at;
}

/* May a try of it begin? Else *next is when to look again, where that is a time. */
static int ready(hone__http_exchange *x, uint64_t now, uint64_t *next)
{
    hone__http_place *place = x->place;
    const hone_http_policy *p = &x->batch->policy;
    uint64_t ns = hone__http_breaker_wait(&place->breaker, now);
    if (place->scouting || place->running >= p->concurrency || ns == HONE__HTTP_NEVER)
        return 0; /* an end of a try changes that */
    if (ns == 0 && place->not_before > now)
        ns = place->not_before - now;
    if (ns == 0)
        ns = hone__http_bucket_wait(&place->bucket, p, now);
    if (ns)
        sooner(next, now + ns);
    return ns == 0;
}

/* 0: it has to wait. */
static int try_begin(hone__http_loop *l, hone__http_exchange *x, uint64_t now, uint64_t *next)
{
    hone__http_batch *b = x->batch;
    if (hone__http_breaker_gave_up(&x->place->breaker, now)) {
        if (x->code)
            settle_last(l, x);
        else
            settle_as(l, x, HONE_E_IO, x->why[0] ? x->why : "the server is down (circuit open)");
        return 1;
    }
    if (b->sends == 0) {
        if (b->running)
            return 0; /* one that does not leave gives its own back */
        if (x->tries)
            settle_last(l, x);
        else
            settle_as(l, x, HONE_E_LIMIT, "max_sends is used up");
        return 1;
    }
    if (!ready(x, now, next))
        return 0;
    begin(l, x, now);
    return 1;
}

static void schedule(hone__http_loop *l, hone__http_batch *b, uint64_t now, uint64_t *next)
{
    hone__http_exchange *list = b->waiting;
    b->waiting = NULL;
    while (list) {
        hone__http_exchange *x = list;
        list = x->next;
        if (x->at <= now && try_begin(l, x, now, next))
            continue;
        if (x->at > now)
            sooner(next, x->at);
        x->next = b->waiting;
        b->waiting = x;
    }
    for (; b->fresh < b->n; b->fresh++) {
        hone__http_exchange *x = &b->all[b->fresh];
        if (!x->settled && !try_begin(l, x, now, next))
            break;
    }
    const uint64_t hedge = b->policy.hedge_ms * HONE__HTTP_MS;
    for (size_t i = 0; hedge && b->running && i < b->fresh; i++) {
        hone__http_exchange *x = &b->all[i];
        hone__http_run *r = x->runs[0] ? x->runs[0] : x->runs[1];
        if (x->settled || !r || x->hedged || x->tries >= b->policy.tries || b->sends == 0)
            continue;
        if (now - r->begun < hedge)
            sooner(next, r->begun + hedge);
        else if (ready(x, now, next)) {
            x->hedged = 1;
            begin(l, x, now);
        }
    }
}

static void give_up(hone__http_loop *l, hone__http_batch *b, hone_status s)
{
    for (size_t i = 0; i < b->n; i++)
        if (!b->all[i].settled)
            settle_as(l, &b->all[i], s,
                      s == HONE_E_TIMEOUT ? "the call's deadline passed" : "cancelled");
    b->waiting = NULL;
    b->fresh = b->n;
}

static void close_batch(hone__http_loop *l, hone__http_batch *b)
{
    pthread_mutex_lock(&l->lock);
    b->closed = 1;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&l->lock);
}

/* Every batch once. The time of the next look. */
static uint64_t look(hone__http_loop *l, uint64_t now)
{
    uint64_t next = now + IDLE_MS * HONE__HTTP_MS;
    for (hone__http_batch **at = &l->batches; *at;) {
        hone__http_batch *b = *at;
        const int abort_ = atomic_load(&b->abort);
        if (abort_ || (b->deadline && now >= b->deadline))
            give_up(l, b, abort_ ? abort_ : HONE_E_TIMEOUT);
        else
            schedule(l, b, now, &next);
        if (b->deadline)
            sooner(&next, b->deadline);
        if (b->settled < b->n) {
            at = &b->next;
            continue;
        }
        *at = b->next; /* from here on it is the caller's */
        close_batch(l, b);
    }
    return next;
}

/* ---- the thread ------------------------------------------------------------------------------------------- */

static int take_incoming(hone__http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    hone__http_batch **end = &l->batches;
    while (*end)
        end = &(*end)->next;
    *end = l->incoming;
    l->incoming = NULL;
    const int stop = l->stop;
    pthread_mutex_unlock(&l->lock);
    return stop;
}

static void *run_loop(void *ctx)
{
    hone__http_loop *l = ctx;
    while (!take_incoming(l)) {
        const uint64_t next = look(l, hone_now_ns());
        int running, left, moved = 0;
        CURLMsg *m;
        hone__curl.multi_perform(l->multi, &running);
        while ((m = hone__curl.multi_info_read(l->multi, &left)) != NULL) {
            hone__http_run *r = NULL;
            const CURLcode rc = m->data.result;
            hone__curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
            ended(l, r, rc);
            moved = 1;
        }
        const uint64_t now = hone_now_ns();
        const uint64_t ms = next > now ? (next - now) / HONE__HTTP_MS + 1 : 0;
        if (!moved && ms)
            hone__curl.multi_poll(l->multi, NULL, 0, (int)ms, NULL);
    }
    return NULL;
}

hone_status hone__http_loop_create(hone__http_loop **out)
{
    sigset_t all, before;
    if (hone__curl.global_init(CURL_GLOBAL_DEFAULT) != 0)
        return hone_fail(HONE_E_NOMEM, "libcurl does not start");
    hone__http_loop *l = hone_calloc(1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    l->multi = hone__curl.multi_init();
    if (!l->multi) {
        hone_free(l);
        return hone_fail(HONE_E_NOMEM, "libcurl does not start");
    }
    pthread_mutex_init(&l->lock, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int e = pthread_create(&l->thread, NULL, run_loop, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e) {
        hone__curl.multi_cleanup(l->multi);
        pthread_mutex_destroy(&l->lock);
        hone_free(l);
        return hone_fail(HONE_E_NOMEM, "cannot start the thread of hone.http/1: %s", strerror(e));
    }
    *out = l;
    return HONE_OK;
}

void hone__http_loop_destroy(hone__http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_mutex_unlock(&l->lock);
    hone__curl.multi_wakeup(l->multi);
    pthread_join(l->thread, NULL);
    for (hone__http_run *r = l->free_runs, *next; r; r = next) {
        next = r->next;
        hone__curl.easy_cleanup(r->easy);
        hone_free(r);
    }
    hone__curl.multi_cleanup(l->multi);
    pthread_mutex_destroy(&l->lock);
    hone_free(l);
    hone__curl.global_cleanup();
}

void hone__http_loop_add(hone__http_loop *l, hone__http_batch *b)
{
    pthread_mutex_lock(&l->lock);
    b->next = l->incoming;
    l->incoming = b;
    pthread_mutex_unlock(&l->lock);
    hone__curl.multi_wakeup(l->multi);
}

pthread_mutex_t *hone__http_loop_lock(hone__http_loop *l)
{
    return &l->lock;
}

void hone__http_loop_wake(hone__http_loop *l)
{
    hone__curl.multi_wakeup(l->multi);
}
