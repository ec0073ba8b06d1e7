/* csv.c - records of comma or tab separated values as JSON objects. (RFC 4180)
 *
 * A record ends at a newline outside of quotes; quotes inside quotes are doubled; a CR before the newline
 * goes with it. Empty lines are no records. The first record names the columns, unless header = no.
 *
 * Types: what the settings say, else what fits all of a column's cells in the first 1,000 records: integer,
 * number, bool, string. 007 is a string. A later cell that does not fit is a malformed row, never a string among
 * numbers. An empty cell is null, and "" in a column of strings. */
#include "rows.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 10000, SAMPLE = 1000, SAMPLE_BYTES = 8 << 20 };
enum { T_UNSEEN, T_INTEGER, T_NUMBER, T_BOOL, T_STRING, T_JSON };
static const char *const type_names[] = {"string", "integer", "number", "bool", "string", "json"};

typedef struct column {
    char *name; /* in names, with NUL */
    int type, given;
} column;
struct csv {
    char sep;
    column *columns;
    size_t n, cap;
    text cell;
};
enum { AT_START, IN_FIELD, QUOTED, QUOTE };

/* ---- records ---------------------------------------------------------------------------------------- */

int csv_find(rows *r, size_t *n, size_t *take)
{
    int e = rows_pass_mark(r);
    if (e)
        return e;
    for (;;) {
        size_t i = r->scanned;
        const char *p = r->window + r->begin;
        size_t have = r->end - r->begin;
        unsigned state = r->state;
        for (; i < have; i++) {
            char c = p[i];
            if (state == QUOTED) {
                const char *quote = memchr(p + i, '"', have - i);
                if (!quote) {
                    i = have;
                    break;
                }
                i = (size_t)(quote - p);
                state = QUOTE;
                continue;
            }
            if (c == '\n')
                break;
            if (c == '"' && (state == AT_START || state == QUOTE)) {
                r->opened = state == AT_START ? i : r->opened;
                state = QUOTED;
            } else {
                state = c == r->csv->sep              ? AT_START
                        : state == QUOTE && c == '\r' ? QUOTE
                                                      : IN_FIELD;
            }
        }
        r->state = state;
        r->scanned = i;
        if (i == have && !r->at_end) {
            if (have > r->opt->max_row)
                return rows_fail(r, EFBIG, "a record is longer than max_row_bytes%s",
                                 state == QUOTED ? " (is a quote not closed?)" : "");
            e = rows_fill(r);
            if (e)
                return e;
            continue;
        }
        if (i == have && state == QUOTED) {
            for (size_t k = 0; k < r->opened; k++)
                r->line += p[k] == '\n';
            return rows_fail(r, EINVAL, "a quote is opened here and never closed");
        }
        *n = i > 0 && p[i - 1] == '\r' ? i - 1 : i;
        *take = i < have ? i + 1 : have;
        if (*n > r->opt->max_row)
            return rows_fail(r, EFBIG, "a record is longer than max_row_bytes");
        if (*n > 0)
            return 0;
        if (i == have) {
            rows_consume(r, have);
            return 0;
        }
        rows_consume(r, *take); /* an empty line */
        r->state = 0;
    }
}

/* The field at *at of the record, into c->cell; *at behind its separator, or SIZE_MAX behind the last.
 * EINVAL: text behind a closing quote. */
static int next_field(rows *r, const char *p, size_t n, size_t *at, int *quoted)
{
    struct csv *c = r->csv;
    size_t i = *at;
    c->cell.n = 0;
    *quoted = i < n && p[i] == '"';
    if (!*quoted) {
        const char *sep = i < n ? memchr(p + i, c->sep, n - i) : NULL;
        size_t end = sep ? (size_t)(sep - p) : n;
        *at = sep ? end + 1 : SIZE_MAX;
        return text_add(&r->mem, &c->cell, p + i, end - i);
    }
    for (i++;;) {
        const char *quote = i < n ? memchr(p + i, '"', n - i) : NULL;
        size_t end = quote ? (size_t)(quote - p) : n;
        int e = text_add(&r->mem, &c->cell, p + i, end - i);
        if (e)
            return e;
        if (end + 1 < n && p[end + 1] == '"') {
            e = text_add(&r->mem, &c->cell, "\"", 1);
            if (e)
                return e;
            i = end + 2;
            continue;
        }
        if (end + 1 < n && p[end + 1] != c->sep)
            return EINVAL;
        *at = end + 1 < n ? end + 2 : SIZE_MAX;
        return 0;
    }
}

/* ---- types -------------------------------------------------------------------------------------------- */

static size_t count_digits(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    return i;
}

/* A number as JSON writes it: T_INTEGER, T_NUMBER, or T_STRING for anything else. */
static int number_type(const char *p, size_t n)
{
    size_t i = n && p[0] == '-', whole = count_digits(p + i, n - i), k;
    if (whole == 0 || (whole > 1 && p[i] == '0'))
        return T_STRING;
    i += whole;
    if (i == n)
        return whole <= 18 ? T_INTEGER : T_STRING; /* a longer one is a name, not a number */
    if (p[i] == '.') {
        k = count_digits(p + i + 1, n - i - 1);
        if (k == 0)
            return T_STRING;
        i += 1 + k;
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        i++;
        i += i < n && (p[i] == '+' || p[i] == '-');
        k = count_digits(p + i, n - i);
        if (k == 0 || k > 3)
            return T_STRING;
        i += k;
    }
    return i == n && n < 60 ? T_NUMBER : T_STRING;
}

/* 1 and 0, or -1 for neither. */
static int truth(const char *p, size_t n)
{
    static const char *const words[] = {"false", "true", "False", "True", "FALSE", "TRUE"};
    for (int i = 0; i < 6; i++)
        if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0)
            return i & 1;
    return -1;
}

static int cell_type(const char *p, size_t n)
{
    return truth(p, n) >= 0 ? T_BOOL : number_type(p, n);
}

static void widen(column *c, int seen)
{
    if (c->given || c->type == seen)
        return;
    if (c->type == T_UNSEEN)
        c->type = seen;
    else if (c->type + seen == T_INTEGER + T_NUMBER)
        c->type = T_NUMBER;
    else
        c->type = T_STRING;
}

/* ---- the header ------------------------------------------------------------------------------------------ */

static int add_name(rows *r, const char *p, size_t n)
{
    struct csv *c = r->csv;
    char own[32];
    column *col;
    if (c->n == MAX_COLUMNS)
        return rows_fail(r, EINVAL, "more than %d columns", MAX_COLUMNS);
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 32;
        column *v = memory_resize(&r->mem, c->columns, c->cap * sizeof *v, cap * sizeof *v);
        if (!v)
            return rows_fail(r, ENOMEM, "out of memory");
        c->columns = v;
        c->cap = cap;
    }
    if (n == 0) {
        snprintf(own, sizeof own, "column%zu", c->n + 1);
        p = own;
        n = strlen(own);
    }
    for (size_t i = 0; i < c->n; i++)
        if (strlen(c->columns[i].name) == n && memcmp(c->columns[i].name, p, n) == 0)
            return rows_fail(r, EINVAL,
                             "the column name \"%.*s\" is there twice (does the file have a "
                             "header? header = \"no\" numbers the columns)",
                             (int)(n < 60 ? n : 60), p);
    col = &c->columns[c->n];
    memset(col, 0, sizeof *col);
    col->name = memory_resize(&r->mem, NULL, 0, n + 1);
    if (!col->name)
        return rows_fail(r, ENOMEM, "out of memory");
    memcpy(col->name, p, n);
    col->name[n] = 0;
    c->n++;
    return 0;
}

static int read_header(rows *r, const char *p, size_t n)
{
    struct csv *c = r->csv;
    size_t at = 0, bad;
    int e, quoted, others[3] = {0, 0, 0};
    while (at != SIZE_MAX) {
        e = next_field(r, p, n, &at, &quoted);
        if (e)
            return rows_fail(
                r, e, e == ENOMEM ? "out of memory" : "text behind a closing quote in the header");
        r->json.n = 0;
        e = text_add_json(&r->mem, &r->json, c->cell.p ? c->cell.p : "", c->cell.n, &bad);
        if (e)
            return rows_fail(r, e == EILSEQ ? EINVAL : e, "%s",
                             e == EILSEQ ? "a column's name is not UTF-8" : "out of memory");
        for (size_t i = 0; i < c->cell.n; i++)
            for (int k = 0; k < 3; k++)
                others[k] += c->cell.p[i] == ",;\t"[k];
        if (r->opt->no_header)
            e = add_name(r, "", 0);
        else
            e = add_name(r, c->cell.p, c->cell.n);
        if (e)
            return e;
    }
    if (c->n == 1 && !r->opt->separator)
        for (int k = 0; k < 3; k++)
            if (others[k] > 0)
                return rows_fail(r, EINVAL,
                                 "one column only, with %s in it: give separator = \"%s\"",
                                 k == 0   ? "commas"
                                 : k == 1 ? "semicolons"
                                          : "tabs",
                                 k == 0   ? ","
                                 : k == 1 ? ";"
                                          : "\\t");
    return 0;
}

/* "a,b" in the order of the columns. */
static int rename_columns(rows *r)
{
    struct csv *c = r->csv;
    const char *p = r->opt->columns;
    size_t i = 0, n = c->n;
    for (size_t k = 0; k < n; k++)
        memory_resize(&r->mem, c->columns[k].name, strlen(c->columns[k].name) + 1, 0);
    c->n = 0;
    for (; *p; i++) {
        size_t len = strcspn(p, ",");
        int e = add_name(r, p, len);
        if (e)
            return e;
        p += len + (p[len] == ',');
    }
    if (i != n)
        return rows_fail(r, EINVAL, "columns names %zu columns, the file has %zu", i, n);
    return 0;
}

/* "name:type,name:type" */
static int read_types(rows *r)
{
    struct csv *c = r->csv;
    const char *p = r->opt->types;
    while (*p) {
        size_t len = strcspn(p, ","), colon = len, k = 0, t;
        while (colon > 0 && p[colon - 1] != ':')
            colon--;
        for (t = T_INTEGER; t <= T_JSON; t++)
            if (colon > 0 && strlen(type_names[t]) == len - colon &&
                memcmp(type_names[t], p + colon, len - colon) == 0)
                break;
        while (k < c->n && colon > 0 &&
               !(strlen(c->columns[k].name) == colon - 1 &&
                 memcmp(c->columns[k].name, p, colon - 1) == 0))
            k++;
        if (colon == 0 || t > T_JSON)
            return rows_fail(r, EINVAL,
                             "types: \"%.*s\": name:type is needed, with integer, number, bool, "
                             "string or json",
                             (int)(len < 80 ? len : 80), p);
        if (k == c->n)
            return rows_fail(r, EINVAL, "types: no column is called \"%.*s\"",
                             (int)(colon < 80 ? colon - 1 : 80), p);
        c->columns[k].type = (int)t;
        c->columns[k].given = 1;
        p += len + (p[len] == ',');
    }
    return 0;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static int add_cell(rows *r, const column *col, int quoted, char *why, size_t why_size)
{
    struct csv *c = r->csv;
    const char *p = c->cell.p ? c->cell.p : "", *made = NULL;
    size_t n = c->cell.n, bad = 0;
    int e;
    if (col->type == T_STRING || col->type == T_UNSEEN) {
        e = text_add_json(&r->mem, &r->json, p, n, &bad);
        if (e != EILSEQ)
            return e;
        snprintf(why, why_size, "column \"%.60s\": %s at byte %zu of the cell", col->name,
                 p[bad] ? "not UTF-8" : "a NUL byte", bad);
        return EINVAL;
    }
    if (n == 0 && !quoted)
        return text_add(&r->mem, &r->json, "null", 4);
    if (col->type == T_BOOL && truth(p, n) >= 0)
        made = truth(p, n) ? "true" : "false";
    else if (col->type == T_JSON) {
        /* one value: the member of an object, and the one element of a list in it */
        static const char *const around[2][2] = {{"{\"v\":", "}"}, {"{\"v\":[", "]}"}};
        const char *wrong = NULL;
        for (int i = 0; i < 2 && !wrong; i++) {
            text whole = {0};
            e = text_add(&r->mem, &whole, around[i][0], strlen(around[i][0]));
            e = e ? e : text_add(&r->mem, &whole, p, n);
            e = e ? e : text_add(&r->mem, &whole, around[i][1], strlen(around[i][1]));
            wrong = e ? NULL : check_row(whole.p, whole.n, &bad);
            text_free(&r->mem, &whole);
            if (e)
                return e;
        }
        if (!wrong)
            return text_add(&r->mem, &r->json, p, n);
    } else if (col->type == T_INTEGER || col->type == T_NUMBER) {
        int t = number_type(p, n);
        if (t == col->type || t == T_INTEGER) {
            e = text_add(&r->mem, &r->json, p, n);
            return e || t == col->type ? e : text_add(&r->mem, &r->json, ".0", 2);
        }
    }
    if (made)
        return text_add(&r->mem, &r->json, made, strlen(made));
    size_t shown = 0; /* the cell, as far as it can be shown */
    while (shown < n && shown < 40 && (unsigned char)p[shown] >= 32 &&
           (unsigned char)p[shown] < 127)
        shown++;
    snprintf(why, why_size,
             "column \"%.60s\" is %s%s and this cell is \"%.*s\" (types = \"%.60s:string\" takes "
             "it as text)",
             col->name, type_names[col->type], col->given ? "" : " by its first rows", (int)shown,
             p, col->name);
    return EINVAL;
}

int csv_make(rows *r, size_t n, char *why, size_t why_size)
{
    struct csv *c = r->csv;
    const char *p = r->window + r->begin;
    size_t at = 0, i = 0, bad;
    int quoted, e = text_add(&r->mem, &r->json, "{", 1);
    for (; !e && at != SIZE_MAX; i++) {
        e = next_field(r, p, n, &at, &quoted);
        if (e == EINVAL) {
            snprintf(why, why_size, "field %zu: text behind a closing quote", i + 1);
            return EINVAL;
        }
        if (e || i >= c->n)
            continue;
        if (i)
            e = text_add(&r->mem, &r->json, ",", 1);
        if (!e)
            e = text_add_json(&r->mem, &r->json, c->columns[i].name, strlen(c->columns[i].name),
                              &bad);
        if (!e)
            e = text_add(&r->mem, &r->json, ":", 1);
        if (!e)
            e = add_cell(r, &c->columns[i], quoted, why, why_size);
    }
    if (!e && i != c->n) {
        snprintf(why, why_size, "%zu field%s where there are %zu columns%s", i, i == 1 ? "" : "s",
                 c->n, i < c->n ? " (is a quote or a separator missing?)" : "");
        return EINVAL;
    }
    return e ? e : text_add(&r->mem, &r->json, "}", 1);
}

int csv_start(rows *r)
{
    size_t n, take;
    if (r->opt->no_header)
        return 0;
    int e = csv_find(r, &n, &take);
    if (!e && n)
        rows_consume(r, take);
    r->state = 0;
    return e;
}

/* Looks at the first records for what their cells are. */
static int infer(rows *r)
{
    struct csv *c = r->csv;
    size_t n, take;
    for (int k = 0; k < SAMPLE && r->at < SAMPLE_BYTES; k++) {
        int e = csv_find(r, &n, &take), quoted;
        if (e == EINVAL || e == EFBIG)
            return 0; /* said again, with its place, when it is read */
        if (e || n == 0)
            return e;
        size_t at = 0;
        for (size_t i = 0; at != SIZE_MAX && i < c->n; i++) {
            e = next_field(r, r->window + r->begin, n, &at, &quoted);
            if (e == EINVAL)
                break;
            if (e)
                return rows_fail(r, e, "out of memory");
            if (c->cell.n || quoted)
                widen(&c->columns[i],
                      quoted && c->cell.n == 0 ? T_STRING : cell_type(c->cell.p, c->cell.n));
        }
        rows_consume(r, take);
        r->state = 0;
    }
    return 0;
}

int csv_open(rows *r)
{
    size_t n, take;
    struct csv *c = memory_resize(&r->mem, NULL, 0, sizeof *c);
    if (!c)
        return rows_fail(r, ENOMEM, "out of memory");
    memset(c, 0, sizeof *c);
    r->csv = c;
    c->sep = r->opt->separator ? r->opt->separator : r->kind == KIND_TSV ? '\t' : ',';
    int e = csv_find(r, &n, &take);
    if (!e && n == 0)
        return rows_fail(r, EINVAL, "the file is empty, a header was expected");
    if (!e)
        e = read_header(r, r->window + r->begin, n);
    if (!e && *r->opt->columns)
        e = rename_columns(r);
    if (!e)
        e = read_types(r);
    if (!e && !r->opt->no_header)
        rows_consume(r, take);
    r->state = 0;
    r->scanned = 0;
    if (!e)
        e = infer(r);
    return e ? e : rows_seek(r, NULL);
}

void csv_close(rows *r)
{
    struct csv *c = r->csv;
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        memory_resize(&r->mem, c->columns[i].name, strlen(c->columns[i].name) + 1, 0);
    memory_resize(&r->mem, c->columns, c->cap * sizeof *c->columns, 0);
    text_free(&r->mem, &c->cell);
    memory_resize(&r->mem, c, sizeof *c, 0);
    r->csv = NULL;
}
