/* sqlite.c - rows of a SQLite database: a table, a view or a query, read-only.
 *
 * Place. A table with rowids is read in their order, and the position is the last one: going on is one look-up,
 * however far. Views, queries and tables without rowids are counted: going on steps over the rows before. Either
 * way the position has a hash of the last row handed on; when that row is another one now, the data has changed
 * and the position is refused.
 *
 * Types. SQLite lets any cell hold anything. A cell that is not what its column was declared as is an error which
 * names table, row and column (strict = false takes it as it is). Blobs have no place in JSON: an error, or base64.
 *
 * Safe against the file and the query: opened read-only, views and triggers untrusted, and an authorizer allows
 * reading alone, so a query cannot attach other files or write. One statement is open at a time: a reading sees one
 * state of the database. Sources: sqlite.org/c3ref, sqlite.org/datatype3.html section 3.1. */
#include "feed.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { POSITION = 64, BUSY_MS = 10000 };
static const char magic[8] = {'h', 'o', 'n', 'e', 's', 'q', 'l', '1'};
enum {
    F_PATH,
    F_TABLE,
    F_QUERY,
    F_COLUMNS,
    F_WHERE,
    F_LIMIT,
    F_STRICT,
    F_BLOBS,
    F_ON_ERROR,
    F_MAX_ROW
};
typedef enum affinity { ANY, INTEGER, REAL, TEXT, BOOLEAN, BLOB, NUMERIC } affinity;

typedef struct source {
    feed f;
    sqlite3 *db;
    sqlite3_stmt *st; /* NULL: not begun */
    text path, table, query, where, json;
    names wanted; /* empty: all */
    int strict, base64, skip_bad, by_rowid;
    char rowid[8]; /* the name that reaches it */
    int64_t limit, max_row;
    uint64_t fingerprint; /* of the statement and its columns */
    /* where we stand: rows stepped over, those left out, the last one handed on */
    uint64_t rows, skipped, hash;
    int64_t last;
    int ended;
} source;

static int sql_fail(source *s, const char *doing)
{
    int code = sqlite3_errcode(s->db), e = EIO;
    if (code == SQLITE_NOMEM)
        e = ENOMEM;
    else if (code == SQLITE_ERROR || code == SQLITE_NOTADB || code == SQLITE_CORRUPT ||
             code == SQLITE_MISMATCH)
        e = EINVAL;
    else if (code == SQLITE_AUTH)
        e = EPERM;
    else if (code == SQLITE_TOOBIG)
        e = EFBIG;
    else if (code == SQLITE_CANTOPEN)
        e = ENOENT;
    return feed_fail(&s->f, e, "%s: %s: %s", s->path.p, doing, sqlite3_errmsg(s->db));
}

/* Reading tables and calling functions; nothing else. */
static int reads_only(void *ctx, int action, const char *a, const char *b, const char *c,
                      const char *d)
{
    (void)ctx;
    (void)c;
    (void)d;
    if (action == SQLITE_FUNCTION && b && sqlite3_stricmp(b, "load_extension") == 0)
        return SQLITE_DENY;
    if (action == SQLITE_PRAGMA) /* table_info of the table-valued functions */
        return a && sqlite3_strnicmp(a, "table_", 6) == 0 ? SQLITE_OK : SQLITE_DENY;
    return action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
                   action == SQLITE_RECURSIVE
               ? SQLITE_OK
               : SQLITE_DENY;
}

/* ---- the statement -------------------------------------------------------------------------------------- */

static int add(source *s, text *t, const char *z)
{
    return text_add(&s->f.mem, t, z, strlen(z));
}

static int add_name(source *s, text *t, const char *name)
{
    int e = add(s, t, "\"");
    for (const char *p = name; *p && !e; p++)
        e = *p == '"' ? add(s, t, "\"\"") : text_add(&s->f.mem, t, p, 1);
    return e ? e : add(s, t, "\"");
}

static int end_text(source *s, text *t)
{
    return text_add(&s->f.mem, t, "", 1);
}

static int add_from(source *s, text *t)
{
    if (!s->query.p[0])
        return add_name(s, t, s->table.p);
    int e = add(s, t, "(");
    if (!e)
        e = add(s, t, s->query.p);
    return e ? e : add(s, t, "\n)"); /* the query may end in a comment */
}

static int prepare(source *s, const char *sql, sqlite3_stmt **out)
{
    const char *rest = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, out, &rest) != SQLITE_OK)
        return sql_fail(s, s->query.p[0] ? "query" : "table");
    if (!*out || !sqlite3_stmt_readonly(*out) || (rest && *rest)) {
        sqlite3_finalize(*out);
        *out = NULL;
        return feed_fail(&s->f, EPERM, "%s: the query must be one SELECT", s->path.p);
    }
    return 0;
}

/* SELECT [rowid,] columns FROM ... [WHERE rowid >= ?1 and the filter] [ORDER BY rowid] */
static int begin(source *s, int64_t from)
{
    text t = {0};
    const char *glue = " WHERE ";
    int e = add(s, &t, "SELECT "), some = s->rows > 0 && s->by_rowid;
    if (!e && s->by_rowid) {
        e = add(s, &t, s->rowid);
        if (!e)
            e = add(s, &t, ",");
    }
    for (size_t i = 0; i < s->wanted.n && !e; i++) {
        e = i ? add(s, &t, ",") : 0;
        if (!e)
            e = add_name(s, &t, names_at(&s->wanted, i));
    }
    if (!e)
        e = add(s, &t, s->wanted.n ? " FROM " : "* FROM ");
    if (!e)
        e = add_from(s, &t);
    if (!e && some) {
        e = add(s, &t, glue);
        if (!e)
            e = add(s, &t, s->rowid);
        if (!e)
            e = add(s, &t, " >= ?1");
        glue = " AND ";
    }
    if (!e && s->where.p[0]) {
        e = add(s, &t, glue);
        if (!e)
            e = add(s, &t, "(");
        if (!e)
            e = add(s, &t, s->where.p);
        if (!e)
            e = add(s, &t, "\n)");
    }
    if (!e && s->by_rowid) {
        e = add(s, &t, " ORDER BY ");
        if (!e)
            e = add(s, &t, s->rowid);
    }
    if (!e)
        e = end_text(s, &t);
    if (e)
        feed_fail(&s->f, e, "out of memory");
    else
        e = prepare(s, t.p, &s->st);
    text_free(&s->f.mem, &t);
    if (!e && some && sqlite3_bind_int64(s->st, 1, from) != SQLITE_OK)
        e = sql_fail(s, "bind");
    return e;
}

/* The names a statement gives, behind `skip` of them; EINVAL where two are equal. */
static int names_of(source *s, sqlite3_stmt *st, int from, names *out)
{
    for (int i = from; i < sqlite3_column_count(st); i++) {
        const char *name = sqlite3_column_name(st, i);
        if (!name)
            return feed_fail(&s->f, ENOMEM, "out of memory");
        if (out->n && names_find(out, name) >= 0)
            return feed_fail(&s->f, EINVAL,
                             "%s: two columns are called \"%s\"; name them apart with AS",
                             s->path.p, name);
        if (names_add(&s->f.mem, out, name, strlen(name)))
            return feed_fail(&s->f, ENOMEM, "out of memory");
    }
    return 0;
}

/* A name of the rowid that no column of the table has; the table must have one. */
static int find_rowid(source *s, const names *all)
{
    static const char *const aliases[] = {"rowid", "_rowid_", "oid"};
    static const char kind[] =
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    sqlite3_stmt *st = NULL;
    int table = 0;
    s->by_rowid = 0;
    if (s->query.p[0])
        return 0;
    if (sqlite3_prepare_v2(s->db, kind, -1, &st, NULL) != SQLITE_OK)
        return sql_fail(s, "schema");
    if (sqlite3_bind_text(st, 1, s->table.p, -1, SQLITE_STATIC) == SQLITE_OK)
        table = sqlite3_step(st) == SQLITE_ROW;
    sqlite3_finalize(st);
    for (size_t k = 0; table && k < 3; k++) {
        int taken = 0;
        for (size_t i = 0; i < all->n; i++)
            taken |= sqlite3_stricmp(names_at(all, i), aliases[k]) == 0;
        if (taken)
            continue;
        text t = {0};
        int e = add(s, &t, "SELECT ");
        if (!e)
            e = add(s, &t, aliases[k]);
        if (!e)
            e = add(s, &t, " FROM ");
        if (!e)
            e = add_from(s, &t);
        if (!e)
            e = end_text(s, &t);
        if (e)
            return feed_fail(&s->f, e, "out of memory");
        s->by_rowid = sqlite3_prepare_v2(s->db, t.p, -1, &st, NULL) == SQLITE_OK;
        sqlite3_finalize(st);
        text_free(&s->f.mem, &t);
        snprintf(s->rowid, sizeof s->rowid, "%s", aliases[k]);
        return 0;
    }
    return 0;
}

/* Looks at the columns; refuses names that are not there; notes what the statement is. */
static int look(source *s)
{
    text t = {0};
    names all = {{0}, 0};
    sqlite3_stmt *st = NULL;
    char list[400];
    int e = add(s, &t, "SELECT * FROM ");
    if (!e)
        e = add_from(s, &t);
    if (!e)
        e = end_text(s, &t);
    if (e)
        feed_fail(&s->f, e, "out of memory");
    if (!e && s->query.p[0]) { /* alone: a sub-query's equal names are told apart by SQLite */
        e = prepare(s, s->query.p, &st);
        if (!e)
            e = names_of(s, st, 0, &all);
        sqlite3_finalize(st);
        st = NULL;
        names_free(&s->f.mem, &all);
    }
    if (!e)
        e = prepare(s, t.p, &st);
    if (!e)
        e = names_of(s, st, 0, &all);
    names_join(&all, list, sizeof list);
    for (size_t i = 0; i < s->wanted.n && !e; i++)
        if (names_find(&all, names_at(&s->wanted, i)) < 0)
            e = feed_fail(&s->f, EINVAL, "%s: %s has no column \"%s\"; it has: %s", s->path.p,
                          s->query.p[0] ? "the query" : s->table.p, names_at(&s->wanted, i), list);
    if (!e)
        e = find_rowid(s, &all);
    uint64_t h = feed_hash(FEED_HASH, t.p, t.n);
    for (int i = 0; !e && i < sqlite3_column_count(st); i++) {
        const char *type = sqlite3_column_decltype(st, i);
        h = feed_hash(h, names_at(&all, (size_t)i), strlen(names_at(&all, (size_t)i)) + 1);
        h = feed_hash(h, type ? type : "", type ? strlen(type) + 1 : 1);
    }
    h = feed_hash(h, s->wanted.t.p, s->wanted.t.n);
    s->fingerprint = feed_hash(h, s->where.p, s->where.n);
    sqlite3_finalize(st);
    names_free(&s->f.mem, &all);
    text_free(&s->f.mem, &t);
    return e;
}

/* ---- cells ---------------------------------------------------------------------------------------------- */

static int has(const char *type, const char *word)
{
    size_t n = strlen(word);
    for (; *type; type++)
        if (sqlite3_strnicmp(type, word, (int)n) == 0)
            return 1;
    return 0;
}

/* datatype3.html 3.1, and booleans, which SQLite counts as numbers. */
static affinity affinity_of(const char *type)
{
    return !type || !*type                                               ? ANY
           : has(type, "BOOL")                                           ? BOOLEAN
           : has(type, "INT")                                            ? INTEGER
           : has(type, "CHAR") || has(type, "CLOB") || has(type, "TEXT") ? TEXT
           : has(type, "BLOB")                                           ? BLOB
           : has(type, "REAL") || has(type, "FLOA") || has(type, "DOUB") ? REAL
           : has(type, "ANY") || has(type, "JSON")                       ? ANY
                                                                         : NUMERIC;
}

static int fits(affinity a, int storage, sqlite3_value *v)
{
    switch (a) {
    case INTEGER:
        return storage == SQLITE_INTEGER;
    case BOOLEAN:
        return storage == SQLITE_INTEGER && (uint64_t)sqlite3_value_int64(v) < 2;
    case REAL:
        return storage == SQLITE_FLOAT || storage == SQLITE_INTEGER;
    case TEXT:
        return storage == SQLITE_TEXT;
    case BLOB:
        return storage == SQLITE_BLOB;
    default: /* a column of dates or decimals is NUMERIC and holds text */
        return 1;
    }
}

static int add_base64(source *s, const unsigned char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int e = add(s, &s->json, "\"");
    for (size_t i = 0; i < n && !e; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        char out[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
                       i + 2 < n ? digits[v & 63] : '='};
        e = text_add(&s->f.mem, &s->json, out, 4);
    }
    return e ? e : add(s, &s->json, "\"");
}

/* The place of the row at hand, for messages. */
static int bad_cell(source *s, int column, const char *why)
{
    char row[60];
    if (s->by_rowid)
        snprintf(row, sizeof row, "rowid %lld", (long long)sqlite3_column_int64(s->st, 0));
    else
        snprintf(row, sizeof row, "row %llu", (unsigned long long)s->rows + 1);
    return feed_fail(&s->f, EINVAL, "%s: %s, %s: column \"%s\": %s", s->path.p,
                     s->query.p[0] ? "query" : s->table.p, row, sqlite3_column_name(s->st, column),
                     why);
}

static int add_cell(source *s, int i)
{
    static const char *const storages[] = {"", "an integer", "a number", "text", "a blob", "null"};
    int storage = sqlite3_column_type(s->st, i), e;
    const char *declared = sqlite3_column_decltype(s->st, i);
    affinity a = affinity_of(declared);
    char number[40], why[120];
    size_t bad = 0;
    if (storage == SQLITE_NULL)
        return add(s, &s->json, "null");
    if (s->strict && !fits(a, storage, sqlite3_column_value(s->st, i))) {
        snprintf(why, sizeof why, "is declared %.40s and holds %s", declared, storages[storage]);
        return bad_cell(s, i, why);
    }
    switch (storage) {
    case SQLITE_INTEGER:
        if (a == BOOLEAN && fits(a, storage, sqlite3_column_value(s->st, i)))
            return add(s, &s->json, sqlite3_column_int64(s->st, i) ? "true" : "false");
        snprintf(number, sizeof number, "%lld%s", (long long)sqlite3_column_int64(s->st, i),
                 a == REAL ? ".0" : "");
        return add(s, &s->json, number);
    case SQLITE_FLOAT:
        if (!isfinite(sqlite3_column_double(s->st, i)))
            return bad_cell(s, i, "holds an infinite number");
        snprintf(number, sizeof number, "%.17g", sqlite3_column_double(s->st, i));
        if (!strpbrk(number, ".e"))
            snprintf(number + strlen(number), 3, ".0");
        return add(s, &s->json, number);
    case SQLITE_TEXT: {
        const char *p = (const char *)sqlite3_column_text(s->st, i);
        e = p ? text_add_json(&s->f.mem, &s->json, p, (size_t)sqlite3_column_bytes(s->st, i), &bad)
              : ENOMEM;
        return e == EILSEQ ? bad_cell(s, i, "holds text that is not UTF-8, or a NUL") : e;
    }
    default: {
        const void *p = sqlite3_column_blob(s->st, i);
        if (!s->base64)
            return bad_cell(s, i,
                            "holds a blob; take it as text: blobs = base64, or hex() in a query");
        return add_base64(s, p, p ? (size_t)sqlite3_column_bytes(s->st, i) : 0);
    }
    }
}

/* The row at hand into s->json. */
static int make_row(source *s)
{
    int first = s->by_rowid, n = sqlite3_column_count(s->st);
    int e = add(s, &s->json, "{");
    for (int i = first; i < n && !e; i++) {
        const char *name = sqlite3_column_name(s->st, i);
        size_t bad;
        e = i > first ? add(s, &s->json, ",") : 0;
        if (!e)
            e = name ? text_add_json(&s->f.mem, &s->json, name, strlen(name), &bad) : ENOMEM;
        if (e == EILSEQ)
            return feed_fail(&s->f, EINVAL, "%s: column %d has a name that is not UTF-8", s->path.p,
                             i - first + 1);
        if (!e)
            e = add(s, &s->json, ":");
        if (!e)
            e = add_cell(s, i);
        if (!e && s->json.n > (size_t)s->max_row)
            return bad_cell(s, i, "its row is longer than max_row_bytes");
    }
    if (!e)
        e = add(s, &s->json, "}");
    return e == ENOMEM ? feed_fail(&s->f, e, "out of memory") : e;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static void stop(source *s)
{
    sqlite3_finalize(s->st);
    s->st = NULL;
}

/* One step: 1 a row is at hand, 0 the end, or -errno. */
static int step(source *s)
{
    int code = sqlite3_step(s->st);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : -sql_fail(s, "reading");
}

/* The row at hand is done with; its hash, or 0 when it was left out. */
static void count_row(source *s, uint64_t hash)
{
    s->rows++;
    s->hash = hash;
    if (s->by_rowid)
        s->last = sqlite3_column_int64(s->st, 0);
}

/* Begins where we stand: behind the last row, which must be what it was. */
static int go_on(source *s)
{
    int e = begin(s, s->last);
    if (e || s->rows == 0)
        return e;
    uint64_t over = s->by_rowid ? 1 : s->rows;
    for (uint64_t i = 0; i < over; i++) {
        int got = step(s);
        if (got < 0)
            return -got;
        if (!got || (s->by_rowid && sqlite3_column_int64(s->st, 0) != s->last))
            return feed_fail(&s->f, ESTALE, "%s: the row at the position is not there any more",
                             s->path.p);
    }
    s->json.n = 0;
    if (s->hash && (make_row(s) != 0 || feed_hash(FEED_HASH, s->json.p, s->json.n) != s->hash))
        return feed_fail(&s->f, ESTALE, "%s: the row at the position is another one now",
                         s->path.p);
    return 0;
}

static int fill(feed *f)
{
    source *s = (source *)f;
    while (!s->ended && !feed_full(f)) {
        if (s->limit >= 0 && s->rows - s->skipped >= (uint64_t)s->limit) {
            s->ended = 1;
            break;
        }
        int e = s->st ? 0 : go_on(s), got;
        if (e) {
            stop(s);
            return e;
        }
        got = step(s);
        if (got <= 0) {
            stop(s); /* a failure is met again from here */
            s->ended = got == 0;
            if (got < 0)
                return -got;
            break;
        }
        s->json.n = 0;
        e = make_row(s);
        if (e == EINVAL && s->skip_bad) {
            s->skipped++;
            count_row(s, 0);
            continue;
        }
        if (!e && batch_add(&f->out, s->json.p, s->json.n))
            e = feed_fail(f, ENOMEM, "out of memory");
        if (e) {
            stop(s);
            return e;
        }
        count_row(s, feed_hash(FEED_HASH, s->json.p, s->json.n));
    }
    if (s->ended)
        stop(s);
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
    unsigned char p[POSITION];
    memcpy(p, magic, 8);
    put64(p + 8, s->fingerprint);
    put64(p + 16, s->rows);
    put64(p + 24, s->skipped);
    put64(p + 32, s->hash);
    put64(p + 40, (uint64_t)s->last);
    put64(p + 48, (uint64_t)s->ended);
    put64(p + 56, (uint64_t)s->by_rowid);
    return sink->put(sink, p, sizeof p);
}

static hone_status source_seek(void *self, const void *position, size_t n)
{
    source *s = self;
    const unsigned char *p = position;
    if (n && (n != POSITION || memcmp(p, magic, 8) != 0 || get64(p + 24) > get64(p + 16)))
        return hone_host_fail(s->f.host, HONE_E_INVALID,
                              "%s: this is not a position of this source", s->path.p);
    if (n && (get64(p + 8) != s->fingerprint || get64(p + 56) != (uint64_t)s->by_rowid))
        return hone_host_fail(s->f.host, HONE_E_STATE,
                              "%s: table, columns or query are not those of the position",
                              s->path.p);
    stop(s);
    feed_clear(&s->f);
    s->rows = n ? get64(p + 16) : 0;
    s->skipped = n ? get64(p + 24) : 0;
    s->hash = n ? get64(p + 32) : 0;
    s->last = n ? (int64_t)get64(p + 40) : 0;
    s->ended = n && get64(p + 48) == 1;
    if (s->ended || !s->rows)
        return HONE_OK;
    int e = go_on(s);
    if (e)
        stop(s);
    return e ? hone_host_fail(s->f.host, feed_status(e), "%s", s->f.error) : HONE_OK;
}

static int64_t source_row_count(void *self)
{
    (void)self;
    return -1;
}

static int64_t source_skipped(void *self)
{
    return (int64_t)((const source *)self)->skipped;
}

static hone_status source_push_down(void *self, const hone_str *columns, size_t n, hone_str filter,
                                    int64_t limit)
{
    source *s = self;
    names v = {{0}, 0};
    text w = {0};
    int e = 0;
    if (s->st || s->rows || memchr(filter.len ? filter.ptr : "x", 0, filter.len))
        return hone_host_fail(s->f.host, HONE_E_STATE, "%s: push_down comes before reading",
                              s->path.p);
    for (size_t i = 0; i < n && columns && !e; i++)
        e = names_add(&s->f.mem, &v, columns[i].ptr, columns[i].len);
    if (!e)
        e = text_add(&s->f.mem, &w, filter.ptr, filter.len);
    if (!e)
        e = end_text(s, &w);
    if (e) {
        names_free(&s->f.mem, &v);
        text_free(&s->f.mem, &w);
        return hone_host_fail(s->f.host, HONE_E_NOMEM, "out of memory");
    }
    names old = s->wanted;
    text old_where = s->where;
    int64_t old_limit = s->limit;
    if (columns)
        s->wanted = v;
    if (filter.len)
        s->where = w;
    if (limit >= 0 && (s->limit < 0 || limit < s->limit))
        s->limit = limit;
    e = look(s);
    if (!e) {
        e = begin(s, 0); /* the filter is looked at now */
        stop(s);
    }
    if (e) {
        s->wanted = old;
        s->where = old_where;
        s->limit = old_limit;
        names_free(&s->f.mem, &v);
        text_free(&s->f.mem, &w);
        char why[sizeof s->f.error];
        memcpy(why, s->f.error, sizeof why);
        look(s);
        return hone_host_fail(s->f.host, feed_status(e), "%s", why);
    }
    if (columns)
        names_free(&s->f.mem, &old);
    else
        names_free(&s->f.mem, &v);
    text_free(&s->f.mem, filter.len ? &old_where : &w);
    return HONE_OK;
}

/* ---- settings ------------------------------------------------------------------------------------------- */

static const hone_field *const fields[] = {
    HONE_PATH("path", NULL, HONE_REQUIRED, "the database"),
    HONE_STR("table", "", 0, "a table or view; the only table where it has but one"),
    HONE_STR("query", "", 0, "one SELECT instead, with an order of its own"),
    HONE_STR("columns", "", 0, "only these: a,b"),
    HONE_STR("where", "", 0, "only rows of which this SQL is true"),
    HONE_INT("limit", -1, -1, 9007199254740992.0, 0, "at most so many rows; -1: all"),
    HONE_FLAG("strict", 1, 0, "a cell that is not what its column was declared as is an error"),
    HONE_ENUM("blobs", "refuse", "refuse|base64", 0, "JSON holds no bytes"),
    HONE_ENUM("on_error", "stop", "stop|skip", 0, "a bad row: an error, or left out and counted"),
    HONE_INT("max_row_bytes", 64 << 20, 1, 1 << 30, 0, "longest row accepted"),
    NULL};

static int keep(source *s, const hone_config *cfg, uint32_t field, text *out)
{
    hone_str v = cfg->str(cfg, field);
    if (v.len && memchr(v.ptr, 0, v.len))
        return feed_fail(&s->f, EINVAL, "a setting holds a NUL");
    int e = text_add(&s->f.mem, out, v.ptr ? v.ptr : "", v.len);
    if (!e)
        e = end_text(s, out);
    return e ? feed_fail(&s->f, e, "out of memory") : 0;
}

/* The table where none was named: the only one. */
static int only_table(source *s)
{
    static const char sql[] =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
        "'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    sqlite3_stmt *st = NULL;
    names all = {{0}, 0};
    char list[400];
    int e = 0, code = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
        return sql_fail(s, "is this a database?");
    while (!e && (code = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        e = name ? names_add(&s->f.mem, &all, name, strlen(name)) : ENOMEM;
    }
    if (!e && code != SQLITE_DONE)
        e = sql_fail(s, "schema");
    else if (e)
        feed_fail(&s->f, e, "out of memory");
    sqlite3_finalize(st);
    names_join(&all, list, sizeof list);
    if (!e && all.n != 1)
        e = feed_fail(&s->f, EINVAL, "%s: say which by table or query: %s", s->path.p,
                      all.n ? list : "it has no tables");
    if (!e) {
        s->table.n = 0;
        e = add(s, &s->table, names_at(&all, 0));
        if (!e)
            e = end_text(s, &s->table);
    }
    names_free(&s->f.mem, &all);
    return e;
}

static int open_database(source *s)
{
    int on = 0;
    if (sqlite3_open_v2(s->path.p, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return s->db ? sql_fail(s, "open") : feed_fail(&s->f, ENOMEM, "out of memory");
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, &on);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, (int)s->max_row);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_set_authorizer(s->db, reads_only, NULL);
    return 0;
}

static hone_status read_settings(source *s, const hone_config *cfg)
{
    hone_str columns = cfg->str(cfg, F_COLUMNS);
    int e = keep(s, cfg, F_PATH, &s->path);
    if (!e)
        e = keep(s, cfg, F_TABLE, &s->table);
    if (!e)
        e = keep(s, cfg, F_QUERY, &s->query);
    if (!e)
        e = keep(s, cfg, F_WHERE, &s->where);
    if (!e && names_split(&s->f.mem, &s->wanted, columns.ptr, columns.len))
        e = feed_fail(&s->f, ENOMEM, "out of memory");
    s->limit = cfg->i64(cfg, F_LIMIT);
    s->strict = cfg->i64(cfg, F_STRICT) != 0;
    s->base64 = cfg->i64(cfg, F_BLOBS) == 1;
    s->skip_bad = cfg->i64(cfg, F_ON_ERROR) == 1;
    s->max_row = cfg->i64(cfg, F_MAX_ROW);
    if (!e && s->table.p[0] && s->query.p[0])
        e = feed_fail(&s->f, EINVAL, "%s: table or query, not both", s->path.p);
    if (!e)
        e = open_database(s);
    if (!e && !s->table.p[0] && !s->query.p[0])
        e = only_table(s);
    if (!e)
        e = look(s);
    if (!e) {
        e = begin(s, 0);
        stop(s);
    }
    return e ? hone_host_fail(s->f.host, feed_status(e), "%s", s->f.error) : HONE_OK;
}

static void destroy(void *self)
{
    source *s = self;
    memory mem = s->f.mem;
    stop(s);
    sqlite3_close(s->db);
    text *const texts[] = {&s->path, &s->table, &s->query, &s->where, &s->json};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        text_free(&mem, texts[i]);
    names_free(&mem, &s->wanted);
    feed_release(&s->f);
    memory_resize(&mem, s, sizeof *s, 0);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    hone_status st = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    if (st < 0)
        return st;
    source *s = memory_resize(&mem, NULL, 0, sizeof *s);
    if (!s)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(s, 0, sizeof *s);
    feed_init(&s->f, &mem, host, fill);
    st = read_settings(s, cfg);
    if (st < 0)
        destroy(s);
    else
        *self_out = s;
    return st;
}

static const hone_source_v1 vtable = {sizeof(hone_source_v1),
                                      0,
                                      source_open,
                                      source_position,
                                      source_seek,
                                      source_row_count,
                                      source_skipped,
                                      source_push_down};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
HONE_DEFINE_SOURCE(component, vtable, .id = "org.hone.source.sqlite", .version = "0.1.0",
                   .vendor = "hone", .license = "MIT",
                   .summary = "a table, view or query of a SQLite database", .url = "",
                   .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_FS_READ, .fields = fields,
                   .needs = needs, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
