/* http.c - rows from an address that gives pages of JSON, each with the cursor of the next.
 *
 * Place. A page is used once all of it is there (fetch.c), so the place is: the cursor of the page, how many of its rows
 * were handed on, and a hash of the last of them. Going on asks for that page again and goes past them; when the last is
 * another one now, the position is refused. A server that gives the same cursor twice would never end: an error. With
 * `key`, rows that come again at the begin of the next page (because rows were added in front meanwhile) are passed over:
 * the last RECENT keys are remembered, in the position, too.
 *
 * Memory: one page and one batch. Source: RFC 9110, RFC 8259. */
#include "fetch.h"
#include "page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    RECENT = 1024,
    CURSOR_MAX = 2048,
    FIXED = 64,
    POSITION_MAX = FIXED + CURSOR_MAX + 8 * RECENT
};
static const char magic[8] = {'h', 'o', 'n', 'e', 'h', 't', 't', '1'};
enum {
    F_URL,
    F_ROWS,
    F_NEXT,
    F_CURSOR,
    F_SIZE,
    F_PAGE,
    F_COLUMNS,
    F_COLUMNS_PARAM,
    F_TYPES,
    F_KEY,
    F_LIMIT,
    F_SECRET,
    F_HEADER,
    F_PREFIX,
    F_RETRIES,
    F_BACKOFF,
    F_TIMEOUT,
    F_MAX_PAGE
};

typedef struct source {
    feed f;
    fetcher fetch;
    page_rules rules;
    text url, rows, next, cursor_param, size_param, columns_param, key, shown, ask, json;
    hone_ref parser;
    void *doc; /* the page at hand, or NULL */
    page now;
    int64_t limit, page_size;
    uint64_t fingerprint;
    /* where we stand */
    char cursor[CURSOR_MAX]; /* of the page at hand, "" for the first */
    uint64_t at, given, hash;
    int ended;
    uint64_t recent[RECENT], n_recent; /* a ring */
} source;

static void drop_page(source *s)
{
    if (s->doc)
        ((const hone_json_v1 *)s->parser.vt)->release(s->parser.self, s->doc);
    s->doc = NULL;
}

/* ---- a page --------------------------------------------------------------------------------------------- */

static int parse(void *ctx, hone_str body)
{
    source *s = ctx;
    const hone_value *root;
    drop_page(s);
    if (((const hone_json_v1 *)s->parser.vt)->parse(s->parser.self, body, &s->doc, &root) < 0) {
        s->doc = NULL;
        return EAGAIN;
    }
    int e = page_read(&s->f, &s->rules, root, s->shown.p, &s->now);
    if (e)
        drop_page(s);
    return e;
}

/* name=value behind what is in s->ask. */
static int ask_for(source *s, const char *name, const char *value)
{
    text longer = {0};
    int e = fetch_with(&s->fetch, s->ask.p, name, value, &longer);
    if (e) {
        text_free(&s->f.mem, &longer);
        return e;
    }
    text_free(&s->f.mem, &s->ask);
    s->ask = longer;
    return 0;
}

static int load_page(source *s)
{
    char number[24];
    int e = 0;
    s->ask.n = 0;
    if (s->cursor[0] && !s->cursor_param.p[0]) {
        e = fetch_follow(&s->fetch, s->url.p, s->cursor, &s->ask);
    } else {
        e = text_add(&s->f.mem, &s->ask, s->url.p, s->url.n)
                ? feed_fail(&s->f, ENOMEM, "out of memory")
                : 0;
        if (!e && s->cursor[0])
            e = ask_for(s, s->cursor_param.p, s->cursor);
        int64_t size = s->page_size;
        if (s->limit >= 0 && s->limit < size && s->limit > 0)
            size = s->limit;
        snprintf(number, sizeof number, "%lld", (long long)size);
        if (!e && s->size_param.p[0] && size > 0)
            e = ask_for(s, s->size_param.p, number);
        if (!e && s->columns_param.p[0] && s->rules.columns.n) {
            char list[2000];
            names_join(&s->rules.columns, list, sizeof list);
            e = ask_for(s, s->columns_param.p, list);
        }
    }
    if (e)
        return e;
    return fetch_page(&s->fetch, s->ask.p, s->shown.p, parse, s);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static int seen(const source *s, uint64_t key)
{
    uint64_t n = s->n_recent < RECENT ? s->n_recent : RECENT;
    for (uint64_t i = 0; i < n; i++)
        if (s->recent[i] == key)
            return 1;
    return 0;
}

/* The page at hand is done with: its cursor is the next one's. */
static int turn(source *s)
{
    if (!s->now.next[0]) {
        s->ended = 1;
    } else if (strcmp(s->now.next, s->cursor) == 0) {
        return feed_fail(&s->f, EINVAL,
                         "%s: the server gave the cursor \"%.100s\" again: it would never end",
                         s->shown.p, s->cursor);
    } else {
        snprintf(s->cursor, sizeof s->cursor, "%s", s->now.next);
        s->at = 0;
        s->hash = 0;
    }
    drop_page(s);
    return 0;
}

/* The page where we stand, and the row before us is what it was. */
static int arrive(source *s)
{
    int e = load_page(s);
    if (e || !s->at)
        return e;
    e = ESTALE;
    if (s->at <= s->now.list->u.list.n)
        e = page_row(&s->f, &s->rules, &s->now.list->u.list.items[s->at - 1], s->at, s->shown.p,
                     &s->json);
    if (!e && feed_hash(FEED_HASH, s->json.p, s->json.n) == s->hash)
        return 0;
    drop_page(s);
    return feed_fail(&s->f, ESTALE, "%s: the page at the position is not what it was", s->shown.p);
}

static int fill(feed *f)
{
    source *s = (source *)f;
    while (!s->ended && !feed_full(f)) {
        int e = 0;
        if (s->limit >= 0 && s->given >= (uint64_t)s->limit) {
            s->ended = 1;
            break;
        }
        if (!s->doc && f->out.n) /* rows at hand go out before the server is asked for more */
            break;
        if (!s->doc)
            e = arrive(s);
        if (e)
            return e;
        if (s->at == s->now.list->u.list.n) {
            e = turn(s);
            if (e)
                return e;
            continue;
        }
        const hone_value *row = &s->now.list->u.list.items[s->at];
        uint64_t key = page_key(&s->rules, row);
        e = page_row(f, &s->rules, row, s->at + 1, s->shown.p, &s->json);
        if (!e && s->rules.key[0] && !key)
            e = feed_fail(f, EINVAL,
                          "%s: row %llu of the page has no text or integer in its key \"%s\"",
                          s->shown.p, (unsigned long long)s->at + 1, s->rules.key);
        if (e)
            return e;
        uint64_t h = feed_hash(FEED_HASH, s->json.p, s->json.n);
        if (!key || !seen(s, key)) {
            if (batch_add(&f->out, s->json.p, s->json.n))
                return feed_fail(f, ENOMEM, "out of memory");
            s->given++;
            if (key)
                s->recent[s->n_recent++ % RECENT] = key;
        }
        s->at++;
        s->hash = h;
    }
    return 0;
}

static hone_status source_open(void *self, struct ArrowArrayStream *out)
{
    feed_open(self, out);
    return HONE_OK;
}

static hone_status source_position(void *self, const hone_bytes_sink *sink)
{
    const source *s = self;
    unsigned char p[POSITION_MAX];
    uint64_t n = s->n_recent < RECENT ? s->n_recent : RECENT;
    size_t len = strlen(s->cursor);
    memcpy(p, magic, 8);
    put64(p + 8, s->fingerprint);
    put64(p + 16, s->at);
    put64(p + 24, s->given);
    put64(p + 32, s->hash);
    put64(p + 40, (uint64_t)s->ended);
    put64(p + 48, s->n_recent);
    put64(p + 56, len);
    memcpy(p + FIXED, s->cursor, len);
    for (uint64_t i = 0; i < n; i++)
        put64(p + FIXED + len + 8 * i, s->recent[i]);
    return sink->put(sink, p, FIXED + len + 8 * n);
}

static hone_status source_seek(void *self, const void *position, size_t n)
{
    source *s = self;
    const unsigned char *p = position;
    uint64_t recent = 0, len = 0, n_recent = 0;
    if (n >= FIXED) {
        n_recent = get64(p + 48);
        recent = n_recent < RECENT ? n_recent : RECENT;
        len = get64(p + 56);
    }
    if (n && (n < FIXED || memcmp(p, magic, 8) != 0 || len >= CURSOR_MAX ||
              n != FIXED + len + 8 * recent || memchr(p + FIXED, 0, len)))
        return hone_host_fail(s->f.host, HONE_E_INVALID,
                              "%s: this is not a position of this source", s->shown.p);
    if (n && get64(p + 8) != s->fingerprint)
        return hone_host_fail(s->f.host, HONE_E_STATE,
                              "%s: address or settings are not those of the position", s->shown.p);
    drop_page(s);
    feed_clear(&s->f);
    memcpy(s->cursor, n ? p + FIXED : (const unsigned char *)"", len);
    s->cursor[len] = 0;
    s->at = n ? get64(p + 16) : 0;
    s->given = n ? get64(p + 24) : 0;
    s->hash = n ? get64(p + 32) : 0;
    s->ended = n && get64(p + 40) == 1;
    s->n_recent = n_recent;
    for (uint64_t i = 0; i < recent; i++)
        s->recent[i] = get64(p + FIXED + len + 8 * i);
    if (!s->at || s->ended)
        return HONE_OK;
    int e = arrive(s);
    return e ? hone_host_fail(s->f.host, feed_status(e), "%s", s->f.error) : HONE_OK;
}

static int64_t source_row_count(void *self)
{
    (void)self;
    return -1;
}

static void look(source *s)
{
    const text *const texts[] = {&s->url, &s->rows, &s->next, &s->cursor_param, &s->key};
    uint64_t h = FEED_HASH;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        h = feed_hash(h, texts[i]->p, texts[i]->n);
    h = feed_hash(h, s->rules.columns.t.p, s->rules.columns.t.n);
    s->fingerprint = feed_hash(h, s->rules.typed.t.p, s->rules.typed.t.n);
}

static hone_status source_push_down(void *self, const hone_str *columns, size_t n, hone_str filter,
                                    int64_t limit)
{
    source *s = self;
    names v = {{0}, 0};
    int e = 0;
    if (filter.len)
        return hone_host_fail(s->f.host, HONE_E_UNSUPPORTED, "%s: it has no filters", s->shown.p);
    if (s->doc || s->given)
        return hone_host_fail(s->f.host, HONE_E_STATE, "%s: push_down comes before reading",
                              s->shown.p);
    for (size_t i = 0; i < n && columns && !e; i++)
        e = names_add(&s->f.mem, &v, columns[i].ptr, columns[i].len);
    if (e) {
        names_free(&s->f.mem, &v);
        return hone_host_fail(s->f.host, HONE_E_NOMEM, "out of memory");
    }
    if (columns) {
        names_free(&s->f.mem, &s->rules.columns);
        s->rules.columns = v;
    }
    if (limit >= 0 && (s->limit < 0 || limit < s->limit))
        s->limit = limit;
    look(s);
    return HONE_OK;
}

/* ---- settings ------------------------------------------------------------------------------------------- */

static const hone_field *const fields[] = {
    HONE_STR("url", NULL, HONE_REQUIRED, "http:// or https://, of the first page"),
    HONE_STR("rows", "", 0,
             "where a page has its rows: data.items; else data, items, results, rows, records"),
    HONE_STR("next", "next", 0, "where a page has the cursor of the next; none: the last page"),
    HONE_STR("cursor_param", "", 0,
             "the parameter that takes the cursor; without it the cursor is an address"),
    HONE_STR("size_param", "", 0, "the parameter that takes page_size"),
    HONE_INT("page_size", 0, 0, 1000000, 0, "rows a page, asked for by size_param"),
    HONE_STR("columns", "", 0, "only these: a,b"),
    HONE_STR("columns_param", "", 0, "the parameter that takes the columns"),
    HONE_STR("types", "", 0,
             "name:type,...: what must be so: bool, integer, number, string, list, object"),
    HONE_STR("key", "", 0, "a column that tells rows apart: rows that come again are passed over"),
    HONE_INT("limit", -1, -1, 9007199254740992.0, 0, "at most so many rows; -1: all"),
    HONE_STR("secret", "", HONE_SECRET, "sent as a header: env:NAME or file:PATH"),
    HONE_STR("secret_header", "Authorization", 0, "the header's name"),
    HONE_STR("secret_prefix", "Bearer ", 0, "what stands before the secret"),
    HONE_INT("retries", 8, 0, 100, 0, "how often a page is asked for again"),
    HONE_INT("backoff_ms", 250, 0, 60000, 0, "first pause before that; it doubles, up to 30 s"),
    HONE_INT("timeout_s", 60, 1, 3600, 0, "of one answer"),
    HONE_INT("max_page_bytes", 64 << 20, 1, 1 << 30, 0, "longest page accepted"),
    NULL};

static int keep(source *s, const hone_config *cfg, uint32_t field, text *out)
{
    hone_str v = cfg->str(cfg, field);
    if (v.len && memchr(v.ptr, 0, v.len))
        return feed_fail(&s->f, EINVAL, "a setting holds a NUL");
    int e = text_add(&s->f.mem, out, v.ptr ? v.ptr : "", v.len);
    if (!e)
        e = text_add(&s->f.mem, out, "", 1);
    return e ? feed_fail(&s->f, e, "out of memory") : 0;
}

static hone_status read_settings(source *s, const hone_config *cfg)
{
    const struct {
        uint32_t field;
        text *to;
    } kept[] = {{F_URL, &s->url},         {F_ROWS, &s->rows},
                {F_NEXT, &s->next},       {F_CURSOR, &s->cursor_param},
                {F_SIZE, &s->size_param}, {F_COLUMNS_PARAM, &s->columns_param},
                {F_KEY, &s->key}};
    text header = {0}, prefix = {0};
    hone_str columns = cfg->str(cfg, F_COLUMNS), types = cfg->str(cfg, F_TYPES);
    int e = 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept && !e; i++)
        e = keep(s, cfg, kept[i].field, kept[i].to);
    if (!e)
        e = keep(s, cfg, F_HEADER, &header);
    if (!e)
        e = keep(s, cfg, F_PREFIX, &prefix);
    if (!e && strncmp(s->url.p, "http://", 7) != 0 && strncmp(s->url.p, "https://", 8) != 0)
        e = feed_fail(&s->f, EINVAL, "url: it begins with http:// or https://");
    if (!e && strpbrk(header.p, ":\r\n"))
        e = feed_fail(&s->f, EINVAL, "secret_header: a header's name is needed");
    if (!e) { /* messages show it without its parameters: they may hold a secret */
        e = text_add(&s->f.mem, &s->shown, s->url.p, strcspn(s->url.p, "?"));
        if (!e)
            e = text_add(&s->f.mem, &s->shown, "", 1);
        if (!e)
            e = names_split(&s->f.mem, &s->rules.columns, columns.ptr, columns.len);
        if (e)
            feed_fail(&s->f, e, "out of memory");
    }
    if (!e)
        e = page_types(&s->f, types.ptr, types.len, &s->rules.typed);
    s->rules.rows = s->rows.p;
    s->rules.next = s->next.p;
    s->rules.key = s->key.p;
    s->limit = cfg->i64(cfg, F_LIMIT);
    s->page_size = cfg->i64(cfg, F_PAGE);
    s->fetch.retries = (int)cfg->i64(cfg, F_RETRIES);
    s->fetch.backoff_ms = (int)cfg->i64(cfg, F_BACKOFF);
    s->fetch.timeout_ms = (int)cfg->i64(cfg, F_TIMEOUT) * 1000;
    s->fetch.max_body = (size_t)cfg->i64(cfg, F_MAX_PAGE);
    if (!e)
        e = fetch_init(&s->fetch, &s->f, header.p, prefix.p, cfg->str(cfg, F_SECRET));
    if (!e)
        look(s);
    text_free(&s->f.mem, &header);
    text_free(&s->f.mem, &prefix);
    return e ? hone_host_fail(s->f.host, feed_status(e), "%s", s->f.error) : HONE_OK;
}

static void destroy(void *self)
{
    source *s = self;
    memory mem = s->f.mem;
    text *const texts[] = {&s->url,           &s->rows, &s->next,  &s->cursor_param, &s->size_param,
                           &s->columns_param, &s->key,  &s->shown, &s->ask,          &s->json};
    drop_page(s);
    fetch_release(&s->fetch);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        text_free(&mem, texts[i]);
    names_free(&mem, &s->rules.columns);
    names_free(&mem, &s->rules.typed);
    feed_release(&s->f);
    memory_resize(&mem, s, sizeof *s, 0);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    hone_ref parser;
    hone_status st = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    if (st >= 0)
        st = host->get_iface(host, HONE_IFACE_JSON, &parser);
    if (st < 0)
        return st;
    source *s = memory_resize(&mem, NULL, 0, sizeof *s);
    if (!s)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(s, 0, sizeof *s);
    s->parser = parser;
    feed_init(&s->f, &mem, host, fill);
    st = read_settings(s, cfg);
    if (st < 0)
        destroy(s);
    else
        *self_out = s;
    return st;
}

static const hone_source_v1 vtable = {
    sizeof(hone_source_v1), 0,    source_open,     source_position, source_seek,
    source_row_count,       NULL, source_push_down};
static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, NULL};
HONE_DEFINE_SOURCE(component, vtable, .id = "org.hone.source.http", .version = "0.1.0",
                   .vendor = "hone", .license = "MIT",
                   .summary = "pages of JSON from a server, with a cursor", .url = "",
                   .caps = HONE_CAP_NET, .fields = fields, .needs = needs, .create = create,
                   .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
