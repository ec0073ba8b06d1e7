/* adbc.c - rows of any database that has an ADBC driver.
 *
 * The driver runs in a box of its own (link.c) and gives rows as JSON. Place: with `key`, a column that is unique, not
 * null and rises, the last key: going on is `WHERE key >= last ORDER BY key`. Without it, rows are counted and stepped
 * over, which needs a query with an order of its own. Either way the row before us is asked for again and must be
 * what it was, by its hash. So a lost connection, a server that restarts and a driver that crashes lose and repeat
 * nothing: the query is asked again from there, after a pause that doubles. Other failures (a statement that is wrong, a
 * password) end at once.
 *
 * Columns and limit become part of the query. Memory: one line and one batch. Source: the ADBC specification, 1.0.0. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "link.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIXED = 64, KEY_MAX = 4096, PAUSE_MAX_MS = 30000 };
static const char magic[8] = {'h', 'o', 'n', 'e', 'a', 'd', 'b', '1'};
enum {
    F_DRIVER,
    F_ENTRY,
    F_URI,
    F_USER,
    F_PASSWORD,
    F_DATABASE,
    F_CONNECTION,
    F_STATEMENT,
    F_TABLE,
    F_QUERY,
    F_KEY,
    F_COLUMNS,
    F_LIMIT,
    F_QUOTE,
    F_FILES,
    F_RETRIES,
    F_BACKOFF,
    F_TIMEOUT
};

typedef struct source {
    feed f;
    link_to link;
    text base, options, query, request, key, quote, last; /* last: the last key as JSON */
    names wanted;
    int64_t limit;
    int retries, backoff_ms, failures; /* since the last row */
    uint64_t fingerprint;
    /* where we stand */
    uint64_t given, hash, schema;
    int ended;
} source;

static int add(source *s, text *t, const char *z)
{
    return text_add(&s->f.mem, t, z, strlen(z));
}

static int add_name(source *s, text *t, const char *name, size_t n)
{
    int e = add(s, t, s->quote.p);
    for (size_t i = 0; i < n && !e; i++) {
        e = text_add(&s->f.mem, t, name + i, 1);
        if (!e && name[i] == s->quote.p[0])
            e = text_add(&s->f.mem, t, name + i, 1);
    }
    return e ? e : add(s, t, s->quote.p);
}

/* The last key as SQL: an integer, or a text whose quotes are doubled. */
static int add_last(source *s, text *t)
{
    const hone_json_v1 *json = s->link.parser.vt;
    const hone_value *v;
    void *doc;
    char number[32];
    int e = EINVAL;
    if (json->parse(s->link.parser.self, (hone_str){s->last.p, s->last.n}, &doc, &v) < 0)
        return feed_fail(&s->f, EINVAL, "the key of the last row is no JSON");
    if (v->type == HONE_I64) {
        snprintf(number, sizeof number, "%lld", (long long)v->u.i64);
        e = add(s, t, number);
    } else if (v->type == HONE_STRING) {
        e = add(s, t, "'");
        for (size_t i = 0; i < v->u.str.len && !e; i++) {
            e = text_add(&s->f.mem, t, v->u.str.ptr + i, 1);
            if (!e && v->u.str.ptr[i] == '\'')
                e = add(s, t, "'");
        }
        if (!e)
            e = add(s, t, "'");
    }
    json->release(s->link.parser.self, doc);
    return e == EINVAL ? feed_fail(&s->f, e, "the key of the last row is neither integer nor text")
                       : e;
}

/* s->query for the place where we stand; *drop: the key was added to the columns. */
static int make_query(source *s, int *drop)
{
    text *t = &s->query;
    char number[40];
    int keyed = s->key.p[0] != 0, plain = !keyed && !s->wanted.n && s->limit < 0;
    int e = 0;
    t->n = 0;
    *drop = keyed && s->wanted.n && names_find(&s->wanted, s->key.p) < 0;
    if (plain)
        return add(s, t, s->base.p);
    e = add(s, t, "SELECT ");
    for (size_t i = 0; i < s->wanted.n && !e; i++) {
        const char *name = names_at(&s->wanted, i);
        e = i ? add(s, t, ", ") : 0;
        if (!e)
            e = add_name(s, t, name, strlen(name));
    }
    if (!e && *drop) {
        e = add(s, t, ", ");
        if (!e)
            e = add_name(s, t, s->key.p, strlen(s->key.p));
    }
    if (!e)
        e = add(s, t, s->wanted.n ? " FROM (" : "* FROM (");
    if (!e)
        e = add(s, t, s->base.p);
    if (!e)
        e = add(s, t, "\n) AS hone_rows");
    if (!e && keyed && s->given) {
        e = add(s, t, " WHERE ");
        if (!e)
            e = add_name(s, t, s->key.p, strlen(s->key.p));
        if (!e)
            e = add(s, t, " >= ");
        if (!e)
            e = add_last(s, t);
    }
    if (!e && keyed) {
        e = add(s, t, " ORDER BY ");
        if (!e)
            e = add_name(s, t, s->key.p, strlen(s->key.p));
    }
    if (!e && s->limit >= 0) { /* with a key, the row before us comes again */
        uint64_t n = (uint64_t)s->limit;
        if (keyed && s->given)
            n -= s->given - 1;
        snprintf(number, sizeof number, " LIMIT %llu", (unsigned long long)n);
        e = add(s, t, number);
    }
    return e;
}

static int make_request(source *s)
{
    text *t = &s->request;
    char rest[80];
    size_t bad;
    int drop, e = make_query(s, &drop);
    t->n = 0;
    if (!e)
        e = add(s, t, s->options.p); /* {"driver": .., "database": {..}, .. */
    if (!e)
        e = add(s, t, ",\"query\":");
    if (!e)
        e = text_add_json(&s->f.mem, t, s->query.p, s->query.n, &bad);
    if (!e)
        e = add(s, t, ",\"key\":");
    if (!e)
        e = text_add_json(&s->f.mem, t, s->key.p, strlen(s->key.p), &bad);
    snprintf(rest, sizeof rest, ",\"drop_key\":%s,\"skip\":%llu}\n", drop ? "true" : "false",
             s->given && !s->key.p[0] ? (unsigned long long)(s->given - 1) : 0ull);
    if (!e)
        e = add(s, t, rest);
    return e == EILSEQ   ? feed_fail(&s->f, EINVAL, "query or key: no UTF-8, or a NUL")
           : e == ENOMEM ? feed_fail(&s->f, e, "out of memory")
                         : e;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

static int end_with(source *s, int code)
{
    link_stop(&s->link);
    return s->link.said[0]
               ? feed_fail(&s->f, code, "%s", s->link.said)
               : feed_fail(&s->f, EPERM, "the program that holds the driver was not started");
}

/* A failure that may pass: 0 after a pause, or the error when it has come too often. */
static int wait_a_while(source *s)
{
    long ms = s->backoff_ms;
    link_stop(&s->link);
    for (int i = 0; i < s->failures && ms < PAUSE_MAX_MS; i++)
        ms *= 2;
    if (s->failures++ >= s->retries) {
        char why[sizeof s->link.said];
        memcpy(why, s->link.said, sizeof why);
        return feed_fail(&s->f, EIO, "%s (asked %d times)", why, s->failures);
    }
    pause_ms(ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
    return 0;
}

/* The driver at work from where we stand; the row before us was what it was. LINK_*, or an errno in *e. */
static int arrive(source *s, int *e)
{
    hone_str schema, key, row;
    *e = make_request(s);
    if (*e)
        return LINK_FAILED;
    int got = link_start(&s->link, (hone_str){s->request.p, s->request.n}, &schema);
    if (got != LINK_ROW) {
        *e = got == LINK_FAILED ? end_with(s, EINVAL) : 0;
        return got;
    }
    uint64_t h = feed_hash(FEED_HASH, schema.ptr, schema.len);
    if (s->schema && s->schema != h) {
        *e = feed_fail(&s->f, ESTALE, "the columns are not what they were: %.*s",
                       (int)(schema.len < 600 ? schema.len : 600), schema.ptr);
        link_stop(&s->link);
        return LINK_FAILED;
    }
    s->schema = h;
    if (!s->given)
        return LINK_ROW;
    got = link_next(&s->link, &key, &row);
    if (got < 0) {
        *e = got == LINK_FAILED ? end_with(s, EINVAL) : 0;
        return got;
    }
    if (got == LINK_END || feed_hash(FEED_HASH, row.ptr, row.len) != s->hash) {
        link_stop(&s->link);
        *e = feed_fail(&s->f, ESTALE, "the row at the position is %s",
                       got == LINK_END ? "not there any more"
                                       : "another one now (has the query an order?)");
        return LINK_FAILED;
    }
    return LINK_ROW;
}

/* The driver at work, however often it takes. */
static int get_going(source *s)
{
    while (!s->link.running) {
        int e = 0, got = arrive(s, &e);
        if (got == LINK_FAILED)
            return e;
        if (got == LINK_AGAIN && (e = wait_a_while(s)) != 0)
            return e;
    }
    return 0;
}

static int fill(feed *f)
{
    source *s = (source *)f;
    while (!s->ended && !feed_full(f)) {
        hone_str key, row;
        int e, got;
        if (s->limit >= 0 && s->given >= (uint64_t)s->limit) {
            s->ended = 1;
            break;
        }
        e = get_going(s);
        if (e)
            return e;
        got = link_next(&s->link, &key, &row);
        if (got == LINK_END) {
            s->ended = 1;
            break;
        }
        if (got == LINK_FAILED)
            return end_with(s, EINVAL);
        if (got == LINK_AGAIN) {
            e = wait_a_while(s);
            if (e)
                return e;
            continue;
        }
        if (key.len > KEY_MAX)
            return feed_fail(f, EFBIG, "a key is longer than %d bytes", KEY_MAX);
        s->last.n = 0;
        if (batch_add(&f->out, row.ptr, row.len) || text_add(&f->mem, &s->last, key.ptr, key.len))
            return feed_fail(f, ENOMEM, "out of memory");
        s->hash = feed_hash(FEED_HASH, row.ptr, row.len);
        s->given++;
        s->failures = 0;
    }
    if (s->ended)
        link_stop(&s->link);
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
    unsigned char p[FIXED + KEY_MAX];
    memcpy(p, magic, 8);
    put64(p + 8, s->fingerprint);
    put64(p + 16, s->given);
    put64(p + 24, s->hash);
    put64(p + 32, s->schema);
    put64(p + 40, (uint64_t)s->ended);
    put64(p + 48, s->last.n);
    put64(p + 56, 0);
    if (s->last.n)
        memcpy(p + FIXED, s->last.p, s->last.n);
    return sink->put(sink, p, FIXED + s->last.n);
}

static hone_status source_seek(void *self, const void *position, size_t n)
{
    source *s = self;
    const unsigned char *p = position;
    uint64_t len = n >= FIXED ? get64(p + 48) : 0;
    if (n && (n < FIXED || memcmp(p, magic, 8) != 0 || len > KEY_MAX || n != FIXED + len))
        return hone_host_fail(s->f.host, HONE_E_INVALID, "this is not a position of this source");
    if (n && get64(p + 8) != s->fingerprint)
        return hone_host_fail(s->f.host, HONE_E_STATE,
                              "query, columns or key are not those of the position");
    link_stop(&s->link);
    feed_clear(&s->f);
    s->given = n ? get64(p + 16) : 0;
    s->hash = n ? get64(p + 24) : 0;
    s->schema = n ? get64(p + 32) : 0;
    s->ended = n && get64(p + 40) == 1;
    s->failures = 0;
    s->last.n = 0;
    if (len && text_add(&s->f.mem, &s->last, p + FIXED, len))
        return hone_host_fail(s->f.host, HONE_E_NOMEM, "out of memory");
    if (!s->given || s->ended)
        return HONE_OK;
    int e = get_going(s);
    return e ? hone_host_fail(s->f.host, feed_status(e), "%s", s->f.error) : HONE_OK;
}

static int64_t source_row_count(void *self)
{
    (void)self;
    return -1;
}

static void look(source *s)
{
    uint64_t h = feed_hash(FEED_HASH, s->base.p, s->base.n);
    h = feed_hash(h, s->key.p, s->key.n);
    s->fingerprint = feed_hash(h, s->wanted.t.p, s->wanted.t.n);
}

static hone_status source_push_down(void *self, const hone_str *columns, size_t n, hone_str filter,
                                    int64_t limit)
{
    source *s = self;
    names v = {{0}, 0};
    int e = 0;
    if (filter.len)
        return hone_host_fail(s->f.host, HONE_E_UNSUPPORTED, "filters go into the query");
    if (s->link.running || s->given)
        return hone_host_fail(s->f.host, HONE_E_STATE, "push_down comes before reading");
    for (size_t i = 0; i < n && columns && !e; i++)
        e = names_add(&s->f.mem, &v, columns[i].ptr, columns[i].len);
    if (e) {
        names_free(&s->f.mem, &v);
        return hone_host_fail(s->f.host, HONE_E_NOMEM, "out of memory");
    }
    if (columns) {
        names_free(&s->f.mem, &s->wanted);
        s->wanted = v;
    }
    if (limit >= 0 && (s->limit < 0 || limit < s->limit))
        s->limit = limit;
    look(s);
    return HONE_OK;
}

/* ---- settings ------------------------------------------------------------------------------------------- */

static const hone_field *const fields[] = {
    HONE_PATH("driver", NULL, HONE_REQUIRED,
              "the driver: a shared object, such as libadbc_driver_postgresql.so"),
    HONE_STR("entry", "", 0, "its function, where it is not the usual one"),
    HONE_STR("uri", "", HONE_SECRET,
             "where the database is; with a password: env:NAME or file:PATH"),
    HONE_STR("username", "", 0, "the database option username"),
    HONE_STR("password", "", HONE_SECRET, "the database option password: env:NAME or file:PATH"),
    HONE_MAP_OF("database", 0, "further options of the database, as the driver calls them"),
    HONE_MAP_OF("connection", 0, "options of the connection"),
    HONE_MAP_OF("statement", 0, "options of the statement"),
    HONE_STR("table", "", 0, "a table or view: name, or schema.name"),
    HONE_STR("query", "", 0, "SQL instead, with an order of its own"),
    HONE_STR("key", "", 0, "a column, unique and never null, to read by and go on from"),
    HONE_STR("columns", "", 0, "only these: a,b"),
    HONE_INT("limit", -1, -1, 9007199254740992.0, 0, "at most so many rows; -1: all"),
    HONE_STR("quote", "\"", 0, "the character that names are put in"),
    HONE_PATH("files", "", 0, "a file or folder the driver may read: the database, certificates"),
    HONE_INT("retries", 8, 0, 100, 0,
             "how often a lost connection is made again without a row coming"),
    HONE_INT("backoff_ms", 250, 0, 60000, 0, "first pause before that; it doubles, up to 30 s"),
    HONE_INT("timeout_s", 300, 1, 86400, 0, "the longest wait for a row"),
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

/* Is it an address or a connection text with a password? That is hidden, too: behind user: and before @, behind
 * password= */
static int hide_password(source *s, hone_str uri)
{
    int e = link_hide(&s->link, uri.ptr, uri.len);
    const char *at = uri.len ? memchr(uri.ptr, '@', uri.len) : NULL;
    for (const char *p = uri.ptr; at && p < at && !e; p++)
        if (*p == ':' && p[1] != '/' && p + 1 < at) {
            e = link_hide(&s->link, p + 1, (size_t)(at - p - 1));
            break;
        }
    for (size_t i = 0; i + 9 < uri.len && !e; i++)
        if (memcmp(uri.ptr + i, "password=", 9) == 0) {
            size_t k = i + 9;
            while (k < uri.len && uri.ptr[k] != '&' && uri.ptr[k] != ' ')
                k++;
            e = link_hide(&s->link, uri.ptr + i + 9, k - i - 9);
        }
    return e;
}

static int add_option(source *s, const char *name, hone_str v, int *some)
{
    size_t bad;
    int e;
    if (!v.len)
        return 0;
    e = add(s, &s->options, *some ? ",\"" : "\"");
    if (!e)
        e = add(s, &s->options, name);
    if (!e)
        e = add(s, &s->options, "\":");
    if (!e)
        e = text_add_json(&s->f.mem, &s->options, v.ptr, v.len, &bad);
    *some = 1;
    return e;
}

/* "name":{..} of a MAP whose values are texts. */
static int add_map(source *s, const hone_config *cfg, uint32_t field, const char *name, int some)
{
    const hone_value *map = cfg->value(cfg, field);
    size_t bad;
    int e = 0;
    for (size_t i = 0; map && i < map->u.map.n && !e; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        if (p->value.type != HONE_STRING)
            return feed_fail(&s->f, EINVAL, "%s: option \"%.*s\" is no text", name, (int)p->key.len,
                             p->key.ptr);
        e = some ? add(s, &s->options, ",") : 0;
        if (!e)
            e = text_add_json(&s->f.mem, &s->options, p->key.ptr, p->key.len, &bad);
        if (!e)
            e = add(s, &s->options, ":");
        if (!e)
            e = text_add_json(&s->f.mem, &s->options, p->value.u.str.ptr, p->value.u.str.len, &bad);
        some = 1;
    }
    return e;
}

static int make_options(source *s, const hone_config *cfg)
{
    hone_str uri = cfg->str(cfg, F_URI), password = cfg->str(cfg, F_PASSWORD);
    int some = 1, e = add(s, &s->options, "{\"entry\":\"\"");
    if (!e)
        e = add_option(s, "driver", hone_str_c(s->link.driver.p), &some);
    if (!e && cfg->str(cfg, F_ENTRY).len)
        e = add_option(s, "entry", cfg->str(cfg, F_ENTRY), &some);
    some = 0;
    if (!e)
        e = add(s, &s->options, ",\"database\":{");
    if (!e)
        e = add_option(s, "uri", uri, &some);
    if (!e)
        e = add_option(s, "username", cfg->str(cfg, F_USER), &some);
    if (!e)
        e = add_option(s, "password", password, &some);
    if (!e)
        e = add_map(s, cfg, F_DATABASE, "database", some);
    if (!e)
        e = add(s, &s->options, "},\"connection\":{");
    if (!e)
        e = add_map(s, cfg, F_CONNECTION, "connection", 0);
    if (!e)
        e = add(s, &s->options, "},\"statement\":{");
    if (!e)
        e = add_map(s, cfg, F_STATEMENT, "statement", 0);
    if (!e)
        e = text_add(&s->f.mem, &s->options, "}", 2);
    if (!e)
        e = hide_password(s, uri);
    if (!e)
        e = link_hide(&s->link, password.ptr, password.len);
    return e == EILSEQ   ? feed_fail(&s->f, EINVAL, "a setting is no UTF-8, or holds a NUL")
           : e == ENOMEM ? feed_fail(&s->f, e, "out of memory")
                         : e;
}

/* The query, or all of the table. */
static int make_base(source *s, const hone_config *cfg)
{
    hone_str table = cfg->str(cfg, F_TABLE), query = cfg->str(cfg, F_QUERY);
    int e = 0;
    if (!table.len == !query.len)
        return feed_fail(&s->f, EINVAL, "table or query is needed, one of them");
    if (query.len)
        return keep(s, cfg, F_QUERY, &s->base);
    const char *dot = memchr(table.ptr, '.', table.len);
    size_t first = dot ? (size_t)(dot - table.ptr) : table.len;
    e = add(s, &s->base, "SELECT * FROM ");
    if (!e)
        e = add_name(s, &s->base, table.ptr, first);
    if (!e && dot) {
        e = add(s, &s->base, ".");
        if (!e)
            e = add_name(s, &s->base, dot + 1, table.len - first - 1);
    }
    if (!e)
        e = text_add(&s->f.mem, &s->base, "", 1);
    return e ? feed_fail(&s->f, e, "out of memory") : 0;
}

/* The whole path: the program that reads it stands elsewhere. */
static int make_real(source *s, text *path)
{
    char real[PATH_MAX];
    if (!path->p[0])
        return 0;
    if (!realpath(path->p, real))
        return feed_fail(&s->f, errno == ENOENT ? ENOENT : EIO, "%s: %s", path->p, strerror(errno));
    path->n = 0;
    int e = text_add(&s->f.mem, path, real, strlen(real) + 1);
    return e ? feed_fail(&s->f, e, "out of memory") : 0;
}

static hone_status read_settings(source *s, const hone_config *cfg)
{
    hone_str columns = cfg->str(cfg, F_COLUMNS);
    int e = keep(s, cfg, F_DRIVER, &s->link.driver);
    if (!e)
        e = make_real(s, &s->link.driver);
    if (!e)
        e = keep(s, cfg, F_FILES, &s->link.files);
    if (!e)
        e = make_real(s, &s->link.files);
    if (!e)
        e = keep(s, cfg, F_KEY, &s->key);
    if (!e)
        e = keep(s, cfg, F_QUOTE, &s->quote);
    if (!e && strlen(s->quote.p) != 1)
        e = feed_fail(&s->f, EINVAL, "quote: one character is needed");
    if (!e && names_split(&s->f.mem, &s->wanted, columns.ptr, columns.len))
        e = feed_fail(&s->f, ENOMEM, "out of memory");
    if (!e)
        e = make_base(s, cfg);
    if (!e)
        e = make_options(s, cfg);
    if (!e)
        e = link_program(&s->link);
    s->limit = cfg->i64(cfg, F_LIMIT);
    s->retries = (int)cfg->i64(cfg, F_RETRIES);
    s->backoff_ms = (int)cfg->i64(cfg, F_BACKOFF);
    s->link.timeout_s = (int)cfg->i64(cfg, F_TIMEOUT);
    if (!e)
        look(s);
    return e ? hone_host_fail(s->f.host, feed_status(e), "%s", s->f.error) : HONE_OK;
}

static void destroy(void *self)
{
    source *s = self;
    memory mem = s->f.mem;
    text *const texts[] = {&s->base, &s->options, &s->query, &s->request,
                           &s->key,  &s->quote,   &s->last};
    link_release(&s->link);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i]->p)
            memset(texts[i]->p, 0, texts[i]->n); /* options and request hold passwords */
        text_free(&mem, texts[i]);
    }
    names_free(&mem, &s->wanted);
    feed_release(&s->f);
    memory_resize(&mem, s, sizeof *s, 0);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    hone_ref process, parser;
    hone_status st = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    if (st >= 0)
        st = host->get_iface(host, HONE_IFACE_JSON, &parser);
    if (st >= 0)
        st = host->get_iface(host, HONE_IFACE_PROCESS, &process);
    if (st < 0)
        return st;
    source *s = memory_resize(&mem, NULL, 0, sizeof *s);
    if (!s)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(s, 0, sizeof *s);
    feed_init(&s->f, &mem, host, fill);
    s->link.f = &s->f;
    s->link.process = process;
    s->link.parser = parser;
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
static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, HONE_IFACE_PROCESS, NULL};
HONE_DEFINE_SOURCE(component, vtable, .id = "org.hone.source.adbc", .version = "0.1.0",
                   .vendor = "hone", .license = "MIT",
                   .summary = "a database, through any ADBC driver", .url = "",
                   .caps = HONE_CAP_EXEC | HONE_CAP_NET | HONE_CAP_FS_READ, .fields = fields,
                   .needs = needs, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
