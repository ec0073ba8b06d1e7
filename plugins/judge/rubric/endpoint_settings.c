/* endpoint_settings.c - the settings of an endpoint, each checked, and named when it is wrong.
 *
 * Seconds and amounts come as numbers a person writes; inside they are milliseconds, nanoseconds and picos. A key that nobody
 * knows is an error, so that a limit with a slip in its name is not a limit that is not there. */
#include "endpoint_private.h"
#include "endpoint_reply.h"

#include <math.h>
#include <string.h>

typedef struct row {
    const char *name;
    double min, max;
} row;

static hone_status bad(const endpoint *e, const char *where, const char *what)
{
    return hone_host_fail(e->host, HONE_E_INVALID, "%s: %s", where, what);
}

/* The numbers of a map, NaN for those that are not there. `words`: names that are read elsewhere, or NULL. */
static hone_status numbers(const endpoint *e, const char *where, const hone_value *map,
                           const row *rows, size_t n, const char *word, double *out)
{
    for (size_t k = 0; k < n; k++)
        out[k] = (double)NAN;
    if (!map || map->type == HONE_NULL || (map->type == HONE_LIST && map->u.list.n == 0))
        return HONE_OK;
    if (map->type != HONE_MAP)
        return bad(e, where, "that is no map");
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        size_t k = 0;
        if (word && p->key.len == strlen(word) && memcmp(p->key.ptr, word, p->key.len) == 0)
            continue;
        while (k < n && (p->key.len != strlen(rows[k].name) ||
                         memcmp(p->key.ptr, rows[k].name, p->key.len) != 0))
            k++;
        if (k == n)
            return hone_host_fail(e->host, HONE_E_INVALID, "%s: no setting is called \"%.*s\"",
                                  where, (int)(p->key.len < 60 ? p->key.len : 60), p->key.ptr);
        const double v = p->value.type == HONE_I64   ? (double)p->value.u.i64
                         : p->value.type == HONE_F64 ? p->value.u.f64
                                                     : (double)NAN;
        if (!(v >= rows[k].min && v <= rows[k].max))
            return hone_host_fail(e->host, HONE_E_RANGE, "%s.%s is a number from %g to %g", where,
                                  rows[k].name, rows[k].min, rows[k].max);
        out[k] = v;
    }
    return HONE_OK;
}

static hone_str word(const hone_value *map, const char *key)
{
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        if (p->key.len == strlen(key) && memcmp(p->key.ptr, key, p->key.len) == 0)
            return p->value.type == HONE_STRING ? p->value.u.str : (hone_str){"?", 1};
    }
    return (hone_str){NULL, 0};
}

static int is(hone_str s, const char *z)
{
    return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0;
}

static hone_status read_prices(endpoint *e, const hone_value *map)
{
    static const row rows[] = {{"input", 0, 1e6}, {"output", 0, 1e6}};
    double v[2];
    hone_status s = numbers(e, "prices", map, rows, 2, "currency", v);
    if (s < 0)
        return s;
    e->price_in = isnan(v[0]) ? 0 : v[0];
    e->price_out = isnan(v[1]) ? 0 : v[1];
    e->budget.price_in = (uint64_t)llround(e->price_in * 1e6); /* picos a token */
    e->budget.price_out = (uint64_t)llround(e->price_out * 1e6);
    return HONE_OK;
}

static hone_status read_budget(endpoint *e, const hone_value *map)
{
    static const row rows[] = {
        {"calls", 0, 1e15}, {"tokens", 0, 1e15}, {"money", 0, 1e6}, {"seconds", 0, 1e9}};
    double v[4];
    const hone_str otherwise = word(map, "otherwise");
    hone_status s = numbers(e, "budget", map, rows, 4, "otherwise", v);
    if (s < 0)
        return s;
    if (!isnan(v[0]))
        e->budget.limit.calls = (uint64_t)v[0];
    if (!isnan(v[1]))
        e->budget.limit.tokens = (uint64_t)v[1];
    if (!isnan(v[2]))
        e->budget.limit.money = (uint64_t)floor(v[2] * BUDGET_PICO);
    if (!isnan(v[3]))
        e->budget.ns = (uint64_t)(v[3] * 1e9);
    if (!isnan(v[2]) && !e->budget.price_in && !e->budget.price_out)
        return bad(e, "budget.money",
                   "needs prices = {input = ..., output = ...}, per million tokens");
    if (otherwise.len && !is(otherwise, "stop") && !is(otherwise, "degrade") &&
        !is(otherwise, "abstain"))
        return bad(e, "budget.otherwise", "is \"stop\", \"degrade\" or \"abstain\"");
    e->otherwise = is(otherwise, "degrade")   ? ENDPOINT_DEGRADE
                   : is(otherwise, "abstain") ? ENDPOINT_ABSTAIN
                                              : ENDPOINT_STOP;
    return HONE_OK;
}

static uint32_t ms(double seconds)
{
    return isnan(seconds) ? 0 : (uint32_t)ceil(seconds * 1000);
}

static hone_status read_http(endpoint *e, const hone_value *map)
{
    enum {
        CONCURRENCY,
        RATE,
        BURST,
        TRIES,
        TIMEOUT,
        CONNECT,
        BACKOFF,
        BACKOFF_MAX,
        RETRY_AFTER_MAX,
        HEDGE,
        BREAK_AFTER,
        BREAK,
        MAX_BODY,
        N
    };
    static const row rows[N] = {{"concurrency", 1, 4096},
                                {"rate", 0, 1e6},
                                {"burst", 1, 1e6},
                                {"tries", 1, 100},
                                {"timeout", .001, 86400},
                                {"connect", .001, 3600},
                                {"backoff", .001, 3600},
                                {"backoff_max", .001, 86400},
                                {"retry_after_max", .001, 86400},
                                {"hedge", .001, 86400},
                                {"break_after", 1, 1e6},
                                {"break", .001, 3600},
                                {"max_body", 1024, 1 << 30}};
    double v[N];
    hone_status s = numbers(e, "http", map, rows, N, NULL, v);
    if (s < 0)
        return s;
    e->policy = (hone_http_policy){
        .struct_size = sizeof e->policy,
        .tries = isnan(v[TRIES]) ? 5 : (uint32_t)v[TRIES],
        .concurrency = isnan(v[CONCURRENCY]) ? 0 : (uint32_t)v[CONCURRENCY],
        .timeout_ms = isnan(v[TIMEOUT]) ? 120000 : ms(v[TIMEOUT]),
        .connect_ms = ms(v[CONNECT]),
        .backoff_ms = ms(v[BACKOFF]),
        .backoff_max_ms = ms(v[BACKOFF_MAX]),
        .retry_after_max_ms = ms(v[RETRY_AFTER_MAX]),
        .hedge_ms = ms(v[HEDGE]),
        .break_after = isnan(v[BREAK_AFTER]) ? 0 : (uint32_t)v[BREAK_AFTER],
        .break_ms = ms(v[BREAK]),
        .max_body = isnan(v[MAX_BODY]) ? 0 : (uint64_t)v[MAX_BODY],
        .rate = isnan(v[RATE]) ? 0 : v[RATE],
        .burst = isnan(v[BURST]) ? 0 : v[BURST],
    };
    return HONE_OK;
}

/* Members that are the client's own to write. */
static hone_status read_extra(endpoint *e, const hone_value *map)
{
    static const char *const own[] = {"model",
                                      "messages",
                                      "temperature",
                                      "seed",
                                      "max_tokens",
                                      "max_completion_tokens",
                                      "logprobs",
                                      "top_logprobs",
                                      "response_format",
                                      "stream",
                                      "n",
                                      NULL};
    if (!map || map->type == HONE_NULL || (map->type == HONE_LIST && map->u.list.n == 0))
        return HONE_OK;
    if (map->type != HONE_MAP)
        return bad(e, "extra", "that is no map");
    for (size_t i = 0; i < map->u.map.n; i++)
        for (size_t k = 0; own[k]; k++)
            if (is(map->u.map.pairs[i].key, own[k]))
                return hone_host_fail(e->host, HONE_E_INVALID,
                                      "extra.%s: that member of the request is not free", own[k]);
    e->extra = map;
    return HONE_OK;
}

static hone_status read_url(endpoint *e, hone_str url)
{
    static const char path[] = "/chat/completions";
    const size_t k = sizeof path - 1;
    const char *q = url.len ? memchr(url.ptr, '?', url.len) : NULL;
    size_t n = q ? (size_t)(q - url.ptr) : url.len;
    grown g;
    if (url.len == 0) {
        return bad(e, "url", "an endpoint needs one, as \"http://127.0.0.1:8080/v1\"");
    }
    while (n && url.ptr[n - 1] == '/')
        n--;
    grown_init(&g, &e->own, 1 << 16);
    grown_add(&g, url.ptr, n);
    if (n < k || memcmp(url.ptr + n - k, path, k) != 0)
        grown_add(&g, path, k);
    e->place = g.failed ? (hone_str){NULL, 0} : pool_copy(&e->own, (hone_str){g.ptr, g.len});
    if (q)
        grown_add(&g, q, url.len - (size_t)(q - url.ptr));
    e->url = g.failed ? (hone_str){NULL, 0} : pool_copy(&e->own, (hone_str){g.ptr, g.len});
    const int failed = !e->place.ptr || !e->url.ptr;
    grown_release(&g);
    return failed ? hone_host_fail(e->host, HONE_E_NOMEM, "url: no memory, or it is too long")
                  : HONE_OK;
}

static int starts(hone_str s, const char *z)
{
    const size_t n = strlen(z);
    return s.len >= n && memcmp(s.ptr, z, n) == 0;
}

hone_status endpoint_settings_read(endpoint *e, const endpoint_settings *s)
{
    if (s->model.len == 0)
        return bad(e, "model", "an endpoint needs the name of a model");
    hone_status st = read_url(e, s->url);
    if (st >= 0)
        st = read_prices(e, s->prices);
    if (st >= 0)
        st = read_budget(e, s->budget);
    if (st >= 0)
        st = read_http(e, s->http);
    if (st >= 0)
        st = read_extra(e, s->extra);
    if (st < 0)
        return st;
    e->model = pool_copy(&e->own, s->model);
    e->key = s->key;
    if (!e->model.ptr)
        return hone_host_fail(e->host, HONE_E_NOMEM, "no memory");
    const int near_ = starts(e->url, "http://127.") || starts(e->url, "http://localhost") ||
                      starts(e->url, "http://[::1]");
    if (endpoint_floats(s->model) && !near_)
        hone_host_log(e->host, HONE_LEVEL_WARN,
                      "model \"%.*s\" floats: who serves it may put another model behind the name, "
                      "and then what was "
                      "measured of this judge holds no more; name a dated version",
                      (int)(s->model.len < 100 ? s->model.len : 100), s->model.ptr);
    return HONE_OK;
}
