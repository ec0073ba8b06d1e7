/* adbc_main.c - the program hone-adbc: loads one ADBC driver, runs one query, writes its rows as lines.
 *
 * A driver is foreign code, so it never comes into hone: the source `adbc` starts this program in a box (hone.process/1)
 * and reads lines. What is asked for comes as one line of JSON on standard input (never by argv: it may hold a password):
 *   {"driver": PATH, "entry": "", "database": {..}, "connection": {..}, "statement": {..}, "query": SQL,
 *    "skip": n, "key": "column or empty", "drop_key": false}
 * Lines on standard output: "S" + the columns' names and formats; "R" + the key as JSON + tab + the row as JSON, for
 * each row behind the first `skip`; at the end "E", or "F" + {"text": .., "again": true where asking again may help}.
 * The driver's schema and arrays are checked as those of any source (train/arrow_rows.h). Bytes become base64;
 * numbers that JSON has no word for are an error that names the column. Source: the ADBC specification, 1.0.0. */
#include "cli/adbc.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "train/arrow_rows.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MAX = 4 << 20 };

typedef struct link_to { /* what has been made so far */
    hone_adbc_driver driver;
    char later[4096]; /* a driver of a later revision may think the table longer */
    hone_adbc_object database, connection, statement;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    int have_driver, have_database, have_connection, have_statement;
} link_to;

static int failed(const char *text, int again)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "text", text);
    hone_jw_kbool(&w, "again", again);
    hone_jw_end(&w);
    printf("F%s\n", b.ptr ? b.ptr : "{}");
    hone_buf_release(&b);
    return 1;
}

/* 0 when the status is 0; else says what the driver said. */
static int check(hone_adbc_status status, hone_adbc_error *e, const char *doing)
{
    char text[2000];
    if (status == 0)
        return 0;
    int again = status == HONE_ADBC_UNKNOWN ||
                (status >= HONE_ADBC_INTERNAL && status <= HONE_ADBC_TIMEOUT);
    /* SQLSTATE of class 22, 23, 26, 28, 3D, 42: the statement, the data or the name is wrong for ever */
    static const char *const final[] = {"22", "23", "26", "28", "3D", "42"};
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        again &= strncmp(e->sqlstate, final[i], 2) != 0;
    /* libpq gives no SQLSTATE when the server turns a connection away */
    static const char *const words[] = {"authentication failed", "no password supplied",
                                        "does not exist"};
    for (size_t i = 0; e->message && i < sizeof words / sizeof *words; i++)
        again &= strstr(e->message, words[i]) == NULL;
    snprintf(text, sizeof text, "%s: %s", doing,
             e->message ? e->message : "the driver says nothing");
    if (e->release)
        e->release(e);
    memset(e, 0, sizeof *e);
    return failed(text, again);
}

static int stream_failed(link_to *l, int code, const char *doing)
{
    char text[2000];
    const char *why = l->stream.get_last_error ? l->stream.get_last_error(&l->stream) : NULL;
    snprintf(text, sizeof text, "%s: %s", doing, why && *why ? why : strerror(code));
    return failed(text, code != EINVAL && code != ENOMEM && code != ENOTSUP && code != ENOSYS &&
                            code != ENOENT);
}

static int own_failure(const char *doing)
{
    char text[2000];
    const hone_error *e = hone_error_get();
    snprintf(text, sizeof text, "%s: %s%s%s", doing, e->what, e->hint[0] ? "; " : "", e->hint);
    return failed(text, 0);
}

/* ---- the driver ------------------------------------------------------------------------------------------- */

static const char *text_of(const hone_value *ask, const char *key)
{
    const hone_value *v = hone_value_get(ask, key);
    return v && v->type == HONE_STRING ? v->u.str.ptr : "";
}

/* libadbc_driver_sqlite.so -> AdbcDriverSqliteInit */
static void usual_entry(const char *path, char *out, size_t n)
{
    const char *base = strrchr(path, '/'), *p = strstr(base ? base : path, "adbc_driver_");
    size_t k = (size_t)snprintf(out, n, "AdbcDriver");
    p = p ? p + strlen("adbc_driver_") : "";
    for (int first = 1; *p && *p != '.' && k + 6 < n; p++, first = 0)
        if (isalnum((unsigned char)*p))
            out[k++] = (char)(first ? toupper((unsigned char)*p) : *p);
    snprintf(out + k, n - k, "Init");
}

static int load(const hone_value *ask, link_to *l)
{
    char name[200], text[1000];
    const char *path = text_of(ask, "driver"), *entry = text_of(ask, "entry");
    hone_adbc_error e = {0};
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so) {
        snprintf(text, sizeof text, "the driver does not load: %s", dlerror());
        return failed(text, 0);
    }
    usual_entry(path, name, sizeof name);
    void *symbol = *entry ? dlsym(so, entry) : dlsym(so, "AdbcDriverInit");
    if (!symbol && !*entry)
        symbol = dlsym(so, name);
    if (!symbol) {
        snprintf(text, sizeof text, "%s is no ADBC driver: it has no %s", path,
                 *entry ? entry : "AdbcDriverInit");
        return failed(text, 0);
    }
    hone_adbc_init_fn init;
    memcpy(&init, &symbol, sizeof init);
    if (check(init(HONE_ADBC_1_0_0, &l->driver, &e), &e, "the driver does not start"))
        return 1;
    l->have_driver = 1;
    const hone_adbc_driver *d = &l->driver;
    if (!d->database_new || !d->database_set_option || !d->database_init || !d->database_release ||
        !d->connection_new || !d->connection_init || !d->connection_release || !d->statement_new ||
        !d->statement_set_sql_query || !d->statement_execute_query || !d->statement_release)
        return failed("the driver lacks functions of ADBC 1.0.0", 0);
    return 0;
}

static int set_options(const hone_value *ask, const char *which, hone_adbc_object *o,
                       hone_adbc_option_fn set)
{
    const hone_value *map = hone_value_get(ask, which);
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++) {
        char doing[200];
        hone_adbc_error e = {0};
        const hone_value *v = &map->u.map.pairs[i].value;
        snprintf(doing, sizeof doing, "%s option \"%.100s\"", which, map->u.map.pairs[i].key.ptr);
        if (v->type != HONE_STRING || !set)
            return failed(doing, 0);
        if (check(set(o, map->u.map.pairs[i].key.ptr, v->u.str.ptr, &e), &e, doing))
            return 1;
    }
    return 0;
}

static int open_all(const hone_value *ask, link_to *l)
{
    hone_adbc_error e = {0};
    const hone_adbc_driver *d = &l->driver;
    if (load(ask, l))
        return 1;
    l->database.private_driver = &l->driver;
    if (check(d->database_new(&l->database, &e), &e, "database"))
        return 1;
    l->have_database = 1;
    if (set_options(ask, "database", &l->database, d->database_set_option) ||
        check(d->database_init(&l->database, &e), &e, "database"))
        return 1;
    l->connection.private_driver = &l->driver;
    if (check(d->connection_new(&l->connection, &e), &e, "connection"))
        return 1;
    l->have_connection = 1;
    if (set_options(ask, "connection", &l->connection, d->connection_set_option) ||
        check(d->connection_init(&l->connection, &l->database, &e), &e, "connection"))
        return 1;
    l->statement.private_driver = &l->driver;
    if (check(d->statement_new(&l->connection, &l->statement, &e), &e, "statement"))
        return 1;
    l->have_statement = 1;
    if (set_options(ask, "statement", &l->statement, d->statement_set_option) ||
        check(d->statement_set_sql_query(&l->statement, text_of(ask, "query"), &e), &e, "query") ||
        check(d->statement_execute_query(&l->statement, &l->stream, NULL, &e), &e, "query"))
        return 1;
    if (!l->stream.release || !l->stream.get_schema || !l->stream.get_next)
        return failed("the driver gave no stream", 0);
    return 0;
}

static void close_all(link_to *l)
{
    hone_adbc_error e = {0};
    if (l->schema.release)
        l->schema.release(&l->schema);
    if (l->stream.release)
        l->stream.release(&l->stream);
    if (l->have_statement)
        l->driver.statement_release(&l->statement, &e);
    if (l->have_connection)
        l->driver.connection_release(&l->connection, &e);
    if (l->have_database)
        l->driver.database_release(&l->database, &e);
    if (l->have_driver && l->driver.release)
        l->driver.release(&l->driver, &e);
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static hone_status base64(hone_arena *a, hone_value *v)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)v->u.str.ptr;
    size_t n = v->u.str.len, k = 0;
    char *out = hone_arena_alloc(a, (n + 2) / 3 * 4 + 1);
    if (!out)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i += 3) {
        unsigned x = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        out[k++] = digits[x >> 18];
        out[k++] = digits[x >> 12 & 63];
        out[k++] = i + 1 < n ? digits[x >> 6 & 63] : '=';
        out[k++] = i + 2 < n ? digits[x & 63] : '=';
    }
    out[k] = 0;
    v->type = HONE_STRING;
    v->u.str.ptr = out;
    v->u.str.len = k;
    return HONE_OK;
}

/* Values as JSON has them. The row is this program's own copy. */
static hone_status plain(hone_arena *a, hone_value *v)
{
    switch (v->type) {
    case HONE_BYTES:
        return base64(a, v);
    case HONE_F64:
        return isfinite(v->u.f64)
                   ? HONE_OK
                   : hone_fail(HONE_E_RANGE,
                               "holds NaN or an infinite number; cast it in the query");
    case HONE_LIST:
        for (size_t i = 0; i < v->u.list.n; i++)
            HONE_TRY(plain(a, (hone_value *)(uintptr_t)&v->u.list.items[i]));
        return HONE_OK;
    case HONE_MAP:
        for (size_t i = 0; i < v->u.map.n; i++) {
            hone_status s = plain(a, (hone_value *)(uintptr_t)&v->u.map.pairs[i].value);
            if (s < 0)
                return hone_fail_at("column %.*s", (int)v->u.map.pairs[i].key.len,
                                    v->u.map.pairs[i].key.ptr);
        }
        return HONE_OK;
    default:
        return HONE_OK;
    }
}

static hone_status write_row(hone_value *row, const char *key, int drop_key, hone_arena *a,
                             hone_buf *line)
{
    hone_jw w;
    hone_buf_clear(line);
    hone_buf_addc(line, 'R');
    HONE_TRY(plain(a, row));
    if (*key) {
        const hone_value *k = hone_value_get(row, key);
        if (!k || (k->type != HONE_I64 && k->type != HONE_STRING))
            return hone_fail(HONE_E_TYPE,
                             "the key %s is missing, null, or neither integer nor text", key);
        hone_jw_init(&w, line, 0);
        hone_jw_value(&w, k);
        if (drop_key) { /* it was asked for last */
            if (row->u.map.n == 0 || !hone_str_eq(row->u.map.pairs[row->u.map.n - 1].key, key))
                return hone_fail(HONE_E_TYPE, "the key %s is not the last column", key);
            row->u.map.n--;
        }
    }
    hone_buf_addc(line, '\t');
    hone_jw_init(&w, line, 0);
    hone_jw_value(&w, row);
    hone_buf_addc(line, '\n');
    return line->failed;
}

static int write_schema(const link_to *l)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, ASK_MAX);
    hone_jw_init(&w, &b, 0);
    hone_jw_list(&w);
    for (int64_t i = 0; i < l->schema.n_children; i++) {
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "name", l->schema.children[i]->name ? l->schema.children[i]->name : "");
        hone_jw_kcstr(&w, "format", l->schema.children[i]->format);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    int bad = b.failed < 0 || printf("S%s\n", b.ptr) < 0;
    hone_buf_release(&b);
    return bad ? failed("the columns are too many", 0) : 0;
}

static int write_batch(const link_to *l, const struct ArrowArray *batch, const hone_value *ask,
                       int64_t *skip, int64_t *at, hone_arena *a, hone_buf *line)
{
    const hone_value *drop = hone_value_get(ask, "drop_key");
    const char *key = text_of(ask, "key");
    char doing[40];
    int64_t i = *skip < batch->length ? *skip : batch->length;
    *skip -= i;
    *at += i;
    for (; i < batch->length; i++) {
        hone_value row;
        ++*at;
        hone_status s = hone__arrow_row(&l->schema, batch, i, "adbc", a, &row);
        if (s >= 0)
            s = write_row(&row, key, drop && drop->type == HONE_BOOL && drop->u.boolean, a, line);
        if (s < 0) {
            snprintf(doing, sizeof doing, "row %lld", (long long)*at);
            return own_failure(doing);
        }
        if (fwrite(line->ptr, 1, line->len, stdout) != line->len)
            return 1;
        hone_arena_clear(a);
    }
    return 0;
}

static int run(const hone_value *ask, link_to *l)
{
    const hone_value *n = hone_value_get(ask, "skip");
    int64_t skip = n && n->type == HONE_I64 && n->u.i64 > 0 ? n->u.i64 : 0, at = 0;
    struct ArrowArray batch;
    hone_arena a;
    hone_buf line;
    if (open_all(ask, l))
        return 1;
    int code = l->stream.get_schema(&l->stream, &l->schema);
    if (code)
        return stream_failed(l, code, "the columns");
    if (hone_arrow_check_schema(&l->schema) < 0)
        return own_failure("the columns");
    if (write_schema(l))
        return 1;
    hone_arena_init(&a, 0);
    hone_buf_init(&line, (size_t)1 << 30);
    int bad = 0;
    while (!bad) {
        memset(&batch, 0, sizeof batch);
        code = l->stream.get_next(&l->stream, &batch);
        if (code) {
            bad = stream_failed(l, code, "reading");
            break;
        }
        if (!batch.release)
            break;
        bad = hone_arrow_check_batch(&l->schema, &batch) < 0
                  ? own_failure("a batch")
                  : write_batch(l, &batch, ask, &skip, &at, &a, &line);
        batch.release(&batch);
    }
    hone_arena_release(&a);
    hone_buf_release(&line);
    if (!bad)
        puts("E");
    return bad;
}

int main(void)
{
    static link_to l;
    hone_arena a;
    hone_value ask;
    char *text = NULL;
    size_t cap = 0;
    ssize_t n = getline(&text, &cap, stdin);
    int bad = 1;
    hone_arena_init(&a, 0);
    if (n <= 0 || n > ASK_MAX || hone_json_parse(text, (size_t)n, "request", &a, &ask) < 0)
        failed("hone-adbc is started by the source adbc, which tells it what to do", 0);
    else
        bad = run(&ask, &l);
    fflush(stdout);
    close_all(&l);
    hone_arena_release(&a);
    free(text);
    return bad;
}
