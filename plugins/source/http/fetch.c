/* fetch.c - GET over libcurl, asked again until the answer is whole.
 *
 * An answer counts when its status is 200 and its body is whole: as long as it said, ended as its encoding says, and
 * good to who asked (JSON that ends). Lost connections, time-outs, cut bodies and the statuses 408, 429, 500, 502, 503, 504
 * are asked again after a pause that doubles (Retry-After, up to a minute, when the server gives one); another status is
 * an error at once. Nothing of an answer is used before all of it is there, so a failure in the middle loses or repeats
 * nothing. Redirects are not followed and cursors lead to the same host only: the secret goes nowhere else. It is in
 * no message. Source: RFC 9110. */
#include "fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { PAUSE_MAX_MS = 30000, SERVER_PAUSE_MAX_S = 60 };

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    fetcher *x = ctx;
    n *= size;
    if (n > x->max_body - x->body.n) {
        x->too_long = 1;
        return 0;
    }
    return text_add(&x->f->mem, &x->body, p, n) ? 0 : n;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char name[] = "retry-after:";
    fetcher *x = ctx;
    size_t k = sizeof name - 1;
    char number[16];
    n *= size;
    if (n > k && n - k < sizeof number && strncasecmp(p, name, k) == 0) {
        memcpy(number, p + k, n - k);
        number[n - k] = 0;
        x->wait_s = strtol(number, NULL, 10); /* a date gives 0: the usual pause */
    }
    return n;
}

int fetch_init(fetcher *x, feed *f, const char *header, const char *prefix, hone_str secret)
{
    static int begun;
    struct curl_slist *list = NULL;
    text line = {0};
    int e = 0;
    if (!begun && curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return feed_fail(f, ENOMEM, "libcurl does not start");
    begun = 1;
    x->f = f;
    x->curl = curl_easy_init();
    list = curl_slist_append(list, "Accept: application/json");
    if (!x->curl || !list)
        e = ENOMEM;
    x->headers = list;
    if (!e && secret.len) {
        for (size_t i = 0; i < secret.len; i++)
            if ((unsigned char)secret.ptr[i] < 32)
                e = EINVAL;
        if (e)
            return feed_fail(f, EINVAL,
                             "the secret holds a control character (a line break at its end?)");
        e = text_add(&f->mem, &line, header, strlen(header));
        if (!e)
            e = text_add(&f->mem, &line, ": ", 2);
        if (!e)
            e = text_add(&f->mem, &line, prefix, strlen(prefix));
        if (!e)
            e = text_add(&f->mem, &line, secret.ptr, secret.len);
        if (!e)
            e = text_add(&f->mem, &line, "", 1);
        list = e ? NULL : curl_slist_append(x->headers, line.p);
        e = list ? 0 : ENOMEM;
        if (line.p)
            memset(line.p, 0, line.n);
        text_free(&f->mem, &line);
    }
    if (e)
        return feed_fail(f, e, "out of memory");
    CURL *c = x->curl;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->headers);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "hone");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    return 0;
}

void fetch_release(fetcher *x)
{
    for (struct curl_slist *p = x->headers; p; p = p->next)
        memset(p->data, 0, strlen(p->data));
    curl_slist_free_all(x->headers);
    if (x->curl)
        curl_easy_cleanup(x->curl);
    if (x->f)
        text_free(&x->f->mem, &x->body);
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

/* Is it worth asking again? */
static int passes(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
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
        return 1;
    default:
        return 0;
    }
}

/* The beginning of a body, for a message: printable characters only. */
static void begin_of(const text *body, char out[161])
{
    size_t n = body->n < 160 ? body->n : 160;
    for (size_t i = 0; i < n; i++)
        out[i] = body->p[i] >= 32 && body->p[i] < 127 ? body->p[i] : ' ';
    out[n] = 0;
}

int fetch_page(fetcher *x, const char *url, const char *where,
               int (*good)(void *ctx, hone_str body), void *ctx)
{
    char why[CURL_ERROR_SIZE] = "", first[161];
    long pause = x->backoff_ms, status = 0;
    CURL *c = x->curl;
    int e = EIO;
    if (curl_easy_setopt(c, CURLOPT_URL, url) != CURLE_OK)
        return feed_fail(x->f, ENOMEM, "out of memory");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
    for (int k = 0; k <= x->retries; k++) {
        if (k) {
            long ms = x->wait_s > 0
                          ? 1000 * (x->wait_s < SERVER_PAUSE_MAX_S ? x->wait_s : SERVER_PAUSE_MAX_S)
                          : pause;
            pause_ms(ms);
            pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
        }
        x->body.n = 0;
        x->too_long = 0;
        x->wait_s = 0;
        why[0] = 0;
        status = 0;
        x->tries++;
        CURLcode code = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        if (x->too_long) {
            e = feed_fail(x->f, EFBIG, "%s: a page is longer than max_page_bytes (%zu)", where,
                          x->max_body);
            break;
        }
        if (code == CURLE_OK && status == 200) {
            e = good(ctx, (hone_str){x->body.p ? x->body.p : "", x->body.n});
            if (e != EAGAIN)
                break;
            snprintf(why, sizeof why, "the body is no JSON, or is cut off");
            continue;
        }
        begin_of(&x->body, first);
        if (code == CURLE_OK)
            snprintf(why, sizeof why, "status %ld%s%.160s", status, first[0] ? ": " : "", first);
        else if (!why[0])
            snprintf(why, sizeof why, "%s", curl_easy_strerror(code));
        if (!passes(code, status)) {
            e = feed_fail(x->f,
                          status == 401 || status == 403 ? EPERM
                          : status == 404                ? ENOENT
                                                         : EIO,
                          "%s: %s", where, why);
            break;
        }
        e = EAGAIN;
    }
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, NULL);
    x->failures += e != 0;
    return e == EAGAIN ? feed_fail(x->f, EIO, "%s: %s (asked %d times)", where, why, x->retries + 1)
                       : e;
}

int fetch_with(fetcher *x, const char *base, const char *name, const char *value, text *out)
{
    const memory *mem = &x->f->mem;
    char *escaped = curl_easy_escape(x->curl, value, (int)strlen(value));
    int e = escaped ? 0 : ENOMEM;
    out->n = 0;
    if (!e)
        e = text_add(mem, out, base, strlen(base));
    if (!e)
        e = text_add(mem, out, strchr(base, '?') ? "&" : "?", 1);
    if (!e)
        e = text_add(mem, out, name, strlen(name));
    if (!e)
        e = text_add(mem, out, "=", 1);
    if (!e)
        e = text_add(mem, out, escaped, strlen(escaped));
    if (!e)
        e = text_add(mem, out, "", 1);
    curl_free(escaped);
    return e ? feed_fail(x->f, e, "out of memory") : 0;
}

/* scheme, host and port of both are one? */
static int same_place(CURLU *a, CURLU *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    int same = 1;
    for (int i = 0; i < 3; i++) {
        char *p = NULL, *q = NULL;
        curl_url_get(a, parts[i], &p, CURLU_DEFAULT_PORT);
        curl_url_get(b, parts[i], &q, CURLU_DEFAULT_PORT);
        same &= p && q && strcasecmp(p, q) == 0;
        curl_free(p);
        curl_free(q);
    }
    return same;
}

int fetch_follow(fetcher *x, const char *base, const char *next, text *out)
{
    CURLU *a = curl_url(), *b = curl_url();
    char *url = NULL;
    int e = a && b ? 0 : ENOMEM;
    out->n = 0;
    if (!e && (curl_url_set(a, CURLUPART_URL, base, 0) || curl_url_set(b, CURLUPART_URL, base, 0) ||
               curl_url_set(b, CURLUPART_URL, next, 0)))
        e = feed_fail(x->f, EINVAL, "the cursor is no address: %.200s", next);
    else if (!e && !same_place(a, b))
        e = feed_fail(x->f, EPERM, "the cursor leads to another host, which is not asked: %.200s",
                      next);
    if (!e && curl_url_get(b, CURLUPART_URL, &url, 0))
        e = ENOMEM;
    if (!e)
        e = text_add(&x->f->mem, out, url, strlen(url) + 1);
    curl_free(url);
    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return e == ENOMEM ? feed_fail(x->f, e, "out of memory") : e;
}
