/* label_page.c - routes of the labelling page.
 *
 *   GET  /  /label.css  /label.js  /worker.js  ... the page's own files (core/web/label), the same for everybody
 *   POST /api/session   Authorization: Bearer T    sets the cookie
 *   POST /api/leave                                forgets it
 *   GET  /api/task      GET /api/items?from=&n=    rubric and progress; tasks
 *   POST /api/labels    {"events":[...]}           labels.h's events
 *   GET  /api/status    GET /api/conflicts         for a lead
 * A token comes in the header or in the cookie, which scripts cannot read and other sites do not send. Everything below /api
 * answers 401 with the same words for a token that is missing, wrong or taken back. */
#include "web/label_page.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char hone__label_html[], hone__label_css[], hone__label_js[],
    hone__label_icon[], hone__label_worker[];
extern const size_t hone__label_html_len, hone__label_css_len, hone__label_js_len,
    hone__label_icon_len, hone__label_worker_len;

enum { ITEMS = 100, CONFLICTS = 200, BODY = 1 << 20, SETTLE = 64 << 10 };

struct hone_label_page {
    hone_labels *labels;
    hone_serve *serve;
    char origin[256], host[256], cookie[48];
    const char *hosts[2];
    int secure;
};

static const char *const headers[] = {"Content-Security-Policy",
                                      "default-src 'none'; script-src 'self'; style-src 'self'; "
                                      "img-src 'self'; connect-src 'self'; worker-src 'self'; "
                                      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                                      "X-Content-Type-Options",
                                      "nosniff",
                                      "X-Frame-Options",
                                      "DENY",
                                      "Referrer-Policy",
                                      "no-referrer",
                                      "Cross-Origin-Opener-Policy",
                                      "same-origin",
                                      "Cross-Origin-Resource-Policy",
                                      "same-origin",
                                      "Permissions-Policy",
                                      "camera=(), microphone=(), geolocation=(), payment=()",
                                      NULL};

/* ---- files ----------------------------------------------------------------------------------------- */

static hone_status file(hone_serve_answer *a, const char *type, const unsigned char *p, size_t n)
{
    a->type = type;
    a->cache = "no-cache";
    a->fixed = (hone_str){(const char *)p, n};
    return HONE_OK;
}

static hone_status get_page(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    (void)q;
    return file(a, "text/html; charset=utf-8", hone__label_html, hone__label_html_len);
}

static hone_status get_css(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    (void)q;
    return file(a, "text/css; charset=utf-8", hone__label_css, hone__label_css_len);
}

static hone_status get_js(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    (void)q;
    return file(a, "text/javascript; charset=utf-8", hone__label_js, hone__label_js_len);
}

static hone_status get_worker(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    (void)q;
    return file(a, "text/javascript; charset=utf-8", hone__label_worker, hone__label_worker_len);
}

static hone_status get_icon(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    (void)q;
    return file(a, "image/svg+xml", hone__label_icon, hone__label_icon_len);
}

/* ---- who ------------------------------------------------------------------------------------------- */

static hone_str token_of(const hone_label_page *p, const hone_serve_request *q)
{
    const char *h = hone_serve_header(q, "Authorization");
    if (h)
        return strncmp(h, "Bearer ", 7) == 0 ? hone_str_c(h + 7) : (hone_str){NULL, 0};
    return hone_str_c(hone_serve_cookie(q, p->cookie));
}

/* 1 and who asks, or 0 and the refusal. */
static int known(hone_label_page *p, const hone_serve_request *q, hone_label_expert *e,
                 hone_serve_answer *a)
{
    if (hone_labels_who(p->labels, token_of(p, q), e))
        return 1;
    hone_serve_say(a, 401, "open the link that you were given");
    return 0;
}

static int leads(hone_label_page *p, const hone_serve_request *q, hone_label_expert *e,
                 hone_serve_answer *a)
{
    if (!known(p, q, e, a))
        return 0;
    if (e->lead)
        return 1;
    hone_serve_say(a, 403, "this is the lead's");
    return 0;
}

/* The cookie with `value`; empty: forgotten. */
static void set_cookie(const hone_label_page *p, hone_str value, hone_serve_answer *a)
{
    snprintf(a->cookie, sizeof a->cookie, "%s=%.*s; Path=/; HttpOnly; SameSite=Strict%s%s",
             p->cookie, (int)value.len, value.len ? value.ptr : "",
             value.len ? "; Max-Age=31536000" : "; Max-Age=0", p->secure ? "; Secure" : "");
}

static hone_status post_session(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_jw w;
    if (!known(p, q, &e, a))
        return HONE_OK;
    set_cookie(p, token_of(p, q), a);
    hone_jw_init(&w, &a->body, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "expert", e.name);
    hone_jw_kbool(&w, "lead", e.lead);
    hone_jw_end(&w);
    return HONE_OK;
}

static hone_status post_leave(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)q;
    set_cookie(ctx, (hone_str){NULL, 0}, a);
    return hone_buf_adds(&a->body, "{}");
}

/* ---- work ------------------------------------------------------------------------------------------ */

static hone_status get_task(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_jw w;
    if (!known(p, q, &e, a))
        return HONE_OK;
    hone_jw_init(&w, &a->body, 0);
    hone_jw_map(&w);
    hone_status s = hone_labels_put_task(p->labels, &e, &w);
    hone_jw_end(&w);
    return s;
}

/* A number of the query within [0, most]; dflt when absent; -1 when it is none. */
static int64_t number(const hone_serve_request *q, const char *name, int64_t dflt, int64_t most)
{
    const char *v = hone_serve_query(q, name);
    int64_t n = 0;
    if (!v)
        return dflt;
    if (!*v)
        return -1;
    for (; *v; v++) {
        if (*v < '0' || *v > '9' || n > most)
            return -1;
        n = n * 10 + (*v - '0');
    }
    return n <= most ? n : -1;
}

static hone_status get_items(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_jw w;
    if (!known(p, q, &e, a))
        return HONE_OK;
    const int64_t from = number(q, "from", 0, 1000000000), n = number(q, "n", ITEMS, ITEMS);
    if (from < 0 || n < 0)
        return hone_serve_say(a, 400, "from and n are numbers, n at most %d", ITEMS);
    hone_jw_init(&w, &a->body, 0);
    hone_jw_map(&w);
    hone_status s = hone_labels_put_items(p->labels, &e, from, n, 4 << 20, &w);
    hone_jw_end(&w);
    return s;
}

static hone_status post_labels(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_arena arena;
    hone_value body;
    hone_jw w;
    if (!known(p, q, &e, a))
        return HONE_OK;
    hone_arena_init(&arena, 64 << 20);
    hone_status s = hone_json_parse(q->body.ptr, q->body.len, "the body", &arena, &body);
    if (s >= 0) {
        hone_jw_init(&w, &a->body, 0);
        hone_jw_map(&w);
        s = hone_labels_take(p->labels, &e, &body, &w);
        hone_jw_end(&w);
    }
    hone_arena_release(&arena);
    if (s == HONE_E_PARSE || s == HONE_E_INVALID || s == HONE_E_TYPE || s == HONE_E_LIMIT)
        return hone_serve_say(a, 400, "%s", hone_error_get()->what);
    return s;
}

static hone_status get_status(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_jw w;
    if (!leads(p, q, &e, a))
        return HONE_OK;
    hone_jw_init(&w, &a->body, 0);
    hone_jw_map(&w);
    hone_status s = hone_labels_put_status(p->labels, &w);
    hone_jw_end(&w);
    return s;
}

static hone_status get_conflicts(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_jw w;
    if (!leads(p, q, &e, a))
        return HONE_OK;
    hone_jw_init(&w, &a->body, 0);
    hone_jw_map(&w);
    hone_status s = hone_labels_put_conflicts(p->labels, &e, CONFLICTS, &w);
    hone_jw_end(&w);
    return s;
}

static hone_status post_settle(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    hone_label_page *p = ctx;
    hone_label_expert e;
    hone_arena arena;
    hone_value body;
    hone_jw w;
    if (!leads(p, q, &e, a))
        return HONE_OK;
    hone_arena_init(&arena, 4 << 20);
    hone_status s = hone_json_parse(q->body.ptr, q->body.len, "the body", &arena, &body);
    if (s >= 0) {
        hone_jw_init(&w, &a->body, 0);
        hone_jw_map(&w);
        s = hone_labels_settle(p->labels, &e, &body, &w);
        hone_jw_end(&w);
    }
    hone_arena_release(&arena);
    if (s == HONE_E_PARSE || s == HONE_E_INVALID || s == HONE_E_TYPE || s == HONE_E_LIMIT ||
        s == HONE_E_STATE)
        return hone_serve_say(a, s == HONE_E_STATE ? 409 : 400, "%s", hone_error_get()->what);
    return s;
}

static const hone_serve_route routes[] = {
    {"GET", "/", get_page, 0},
    {"GET", "/label.css", get_css, 0},
    {"GET", "/label.js", get_js, 0},
    {"GET", "/worker.js", get_worker, 0},
    {"GET", "/icon.svg", get_icon, 0},
    {"POST", "/api/session", post_session, 64},
    {"POST", "/api/leave", post_leave, 64},
    {"GET", "/api/task", get_task, 0},
    {"GET", "/api/items", get_items, 0},
    {"POST", "/api/labels", post_labels, BODY},
    {"GET", "/api/status", get_status, 0},
    {"GET", "/api/conflicts", get_conflicts, 0},
    {"POST", "/api/settle", post_settle, SETTLE},
};

/* ---- start, stop ----------------------------------------------------------------------------------- */

/* "https://name[:port]" into host; what comes behind is none. */
static hone_status take_origin(hone_label_page *p, const char *origin)
{
    const char *host = strstr(origin, "://");
    size_t n = strlen(origin);
    while (n && origin[n - 1] == '/')
        n--;
    p->secure = strncmp(origin, "https://", 8) == 0;
    if (!host || (!p->secure && strncmp(origin, "http://", 7) != 0) || n >= sizeof p->origin ||
        strcspn(host + 3, "/?#@ \t") < n - (size_t)(host + 3 - origin) ||
        n <= (size_t)(host + 3 - origin)) {
        hone_fail(HONE_E_USAGE, "\"%s\" is no origin", origin);
        return hone_fail_hint("it is like https://label.example.org");
    }
    memcpy(p->origin, origin, n);
    snprintf(p->host, sizeof p->host, "%.*s", (int)(n - (size_t)(host + 3 - origin)), host + 3);
    p->hosts[0] = p->host;
    return HONE_OK;
}

hone_status hone_label_page_start(hone_labels *l, const hone_label_page_opts *o,
                                  hone_label_page **out)
{
    hone_label_page *p = hone_calloc(1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    p->labels = l;
    hone_serve_opts so = {.bind = o->bind ? o->bind : "127.0.0.1",
                          .port = o->port,
                          .routes = routes,
                          .n_routes = sizeof routes / sizeof *routes,
                          .ctx = p,
                          .hosts = p->hosts,
                          .headers = headers,
                          .own_pages = 1,
                          .request_s = o->request_s};
    hone_status s = o->origin ? take_origin(p, o->origin) : HONE_OK;
    char id[32] = "";
    if (s >= 0) /* cookies know no ports: another labelling on this machine has another name */
        s = hone_labels_fact(l, "id", id, sizeof id);
    snprintf(p->cookie, sizeof p->cookie, "hone-%s", id);
    if (s >= 0)
        s = hone_serve_start(&so, &p->serve);
    if (s < 0) {
        hone_free(p);
        return s;
    }
    if (!p->origin[0])
        snprintf(p->origin, sizeof p->origin, "%s", hone_serve_url(p->serve));
    *out = p;
    return HONE_OK;
}

const char *hone_label_page_url(const hone_label_page *p)
{
    return p->origin;
}

hone_serve *hone_label_page_serve(hone_label_page *p)
{
    return p->serve;
}

void hone_label_page_stop(hone_label_page *p)
{
    if (!p)
        return;
    hone_serve_stop(p->serve);
    hone_free(p);
}
