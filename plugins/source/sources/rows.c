/* rows.c - the rows of one file: finds them, checks them, hands them on.
 *
 * One window of bytes slides over the file; a row is found in it (the end of a line; the matching
 * bracket; the end of a record), checked whole (check.c) or made into JSON (csv.c, text.c), and copied into the
 * batch. Nothing is consumed before its row is good, so that the rows before a bad one are handed out
 * first and the position stands before it.
 *
 * A malformed row is an error "path:line: what", or left out and counted (on_error = skip). Where the
 * file itself is damaged (compression, an array without commas, a quote that is never closed) it is always an
 * error: nobody knows where the next row begins. Empty lines of jsonl are no rows. A UTF-8 byte order
 * mark is passed over. What the DuckDB program reads comes as jsonl through a pipe; its position is the row.
 *
 * Position: row, byte, line, skipped, and size and fingerprint of the file; 64 bytes.
 * Sources: RFC 8259, jsonlines.org. */
#include "rows.h"
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BATCH_ROWS = 256, BATCH_BYTES = 1 << 20 };
static const char position_magic[8] = {'h', 'o', 'n', 'e', 'r', 'o', 'w', '1'};
enum { BEFORE_ARRAY, FIRST_ELEMENT, NEXT_ELEMENT, AFTER_COMMA, AFTER_ARRAY }; /* of json */

int rows_fail(rows *r, int code, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(r->error, sizeof r->error, "%s:%llu: ", r->path, (unsigned long long)r->line);
    va_start(ap, fmt);
    if (n > 0 && (size_t)n < sizeof r->error)
        vsnprintf(r->error + n, sizeof r->error - (size_t)n, fmt, ap);
    va_end(ap);
    return code;
}

/* ---- the window ----------------------------------------------------------------------------------- */

/* More bytes behind `end`; at_end when there are none. */
int rows_fill(rows *r)
{
    size_t got;
    int e;
    if (r->begin > 0 && (r->end == r->cap || r->begin == r->end)) {
        memmove(r->window, r->window + r->begin, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
    }
    if (r->end == r->cap) {
        size_t cap = 2 * r->cap;
        char *w;
        if (r->end > r->opt->max_row)
            return rows_fail(r, EFBIG, "a row is longer than max_row_bytes");
        w = memory_resize(&r->mem, r->window, r->cap, cap);
        if (!w)
            return rows_fail(r, ENOMEM, "out of memory");
        r->window = w;
        r->cap = cap;
    }
    e = bytes_read(r->file, r->window + r->end, r->cap - r->end, &got, r->error, sizeof r->error);
    if (e)
        return e;
    r->end += got;
    r->at_end = got == 0;
    return 0;
}

/* Takes n bytes off the window, counting lines. */
void rows_consume(rows *r, size_t n)
{
    const char *p = r->window + r->begin, *end = p + n;
    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        r->line++;
        p++;
    }
    r->begin += n;
    r->at += n;
    r->scanned = 0;
}

int rows_pass_mark(rows *r)
{
    while (r->at == 0 && r->end - r->begin < 3 && !r->at_end) {
        int e = rows_fill(r);
        if (e)
            return e;
    }
    if (r->at == 0 && r->end - r->begin >= 3 &&
        memcmp(r->window + r->begin, "\xEF\xBB\xBF", 3) == 0)
        rows_consume(r, 3);
    return 0;
}

/* ---- finding rows: *n bytes at the window's begin, and *take bytes to consume with them. *n 0: the end */

int rows_find_line(rows *r, size_t *n, size_t *take)
{
    int e = rows_pass_mark(r);
    if (e)
        return e;
    for (;;) {
        const char *p = r->window + r->begin, *nl = NULL;
        size_t have = r->end - r->begin, blank = 0;
        if (have > r->scanned)
            nl = memchr(p + r->scanned, '\n', have - r->scanned);
        if (!nl && !r->at_end) {
            r->scanned = have;
            if (have > r->opt->max_row)
                return rows_fail(r, EFBIG, "a row is longer than max_row_bytes");
            e = rows_fill(r);
            if (e)
                return e;
            continue;
        }
        *n = nl ? (size_t)(nl - p) : have;
        *take = nl ? *n + 1 : have;
        while (blank < *n && (p[blank] == ' ' || p[blank] == '\t' || p[blank] == '\r'))
            blank++;
        if (blank < *n) {
            if (*n > r->opt->max_row)
                return rows_fail(r, EFBIG, "a row is longer than max_row_bytes");
            return 0;
        }
        if (!nl) {
            *n = 0;
            rows_consume(r, have);
            return 0;
        }
        rows_consume(r, *take); /* an empty line */
    }
}

/* The next byte that is no white space, or -1 at the end of the file; white space is consumed. */
static int next_byte(rows *r, int *out)
{
    for (;;) {
        while (r->begin < r->end) {
            char c = r->window[r->begin];
            if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
                *out = (unsigned char)c;
                return 0;
            }
            rows_consume(r, 1);
        }
        if (r->at_end) {
            *out = -1;
            return 0;
        }
        int e = rows_fill(r);
        if (e)
            return e;
    }
}

/* An element of the array, up to the comma or bracket behind it: brackets counted, strings passed. */
static int find_end_of_element(rows *r, size_t *n)
{
    size_t i = 0;
    r->depth = r->in_string = r->escaped = 0;
    for (;;) {
        for (; r->begin + i < r->end; i++) {
            char c = r->window[r->begin + i];
            if (r->escaped) {
                r->escaped = 0;
            } else if (r->in_string) {
                r->escaped = c == '\\';
                r->in_string = c != '"';
            } else if (c == '"') {
                r->in_string = 1;
            } else if (c == '{' || c == '[') {
                r->depth++;
            } else if (r->depth == 0 && (c == ',' || c == ']')) {
                *n = i;
                return 0;
            } else if (c == '}' || c == ']') {
                if (r->depth == 0)
                    return rows_fail(r, EINVAL, "a bracket closes nothing");
                r->depth--;
            }
        }
        if (i > r->opt->max_row)
            return rows_fail(r, EFBIG, "a row is longer than max_row_bytes");
        if (r->at_end)
            return rows_fail(r, EINVAL, "the array is not closed");
        int e = rows_fill(r);
        if (e)
            return e;
    }
}

static int find_element(rows *r, size_t *n, size_t *take)
{
    int c, e = rows_pass_mark(r);
    if (!e)
        e = next_byte(r, &c);
    if (e)
        return e;
    if (r->phase == BEFORE_ARRAY) {
        if (c != '[')
            return rows_fail(r, EINVAL, "%s",
                             c < 0
                                 ? "the file is empty, an array of objects was expected"
                                 : "an array of objects was expected (for an object a line use the "
                                   "source jsonl)");
        rows_consume(r, 1);
        r->phase = FIRST_ELEMENT;
        e = next_byte(r, &c);
        if (e)
            return e;
    }
    if (c == ']' && (r->phase == FIRST_ELEMENT || r->phase == NEXT_ELEMENT)) {
        rows_consume(r, 1);
        r->phase = AFTER_ARRAY;
        e = next_byte(r, &c);
        if (e)
            return e;
    } else if (r->phase == NEXT_ELEMENT) {
        if (c != ',')
            return rows_fail(r, EINVAL, "%s",
                             c < 0 ? "the array is not closed"
                                   : "\",\" or \"]\" was expected after a row");
        rows_consume(r, 1);
        r->phase = AFTER_COMMA;
        e = next_byte(r, &c);
        if (e)
            return e;
    }
    if (c == ']' && r->phase == AFTER_COMMA)
        return rows_fail(r, EINVAL, "a comma before the end of the array");
    if (r->phase == AFTER_ARRAY) {
        *n = 0;
        return c < 0 ? 0 : rows_fail(r, EINVAL, "more follows after the array");
    }
    if (c < 0)
        return rows_fail(r, EINVAL, "the array is not closed");
    e = find_end_of_element(r, n);
    *take = *n;
    if (!e && *n == 0)
        return rows_fail(r, EINVAL, "a row is missing between two commas");
    return e;
}

/* ---- the reader ------------------------------------------------------------------------------------ */

static int bad_row(rows *r, const char *why, size_t at)
{
    if (r->opt->skip_bad) {
        if (r->skipped < 10)
            hone_host_log(r->host, HONE_LEVEL_WARN, "%s:%llu: left out: %s at byte %zu of the row",
                          r->path, (unsigned long long)r->line, why, at);
        r->skipped++;
        return 0;
    }
    return rows_fail(r, EINVAL, "%s, at byte %zu of the row", why, at);
}

static int find(rows *r, size_t *n, size_t *take)
{
    switch (r->kind) {
    case KIND_JSON:
        return find_element(r, n, take);
    case KIND_CSV:
    case KIND_TSV:
        return csv_find(r, n, take);
    case KIND_TEXT:
        return rows_find_text(r, n, take);
    default:
        return rows_find_line(r, n, take);
    }
}

/* The row of n bytes at the window's begin into the batch; *good 0: it was left out. */
static int take_row(rows *r, size_t n, int *good)
{
    const char *why = NULL;
    char reason[600];
    size_t bad = 0;
    int e = 0;
    *good = 1;
    r->json.n = 0;
    if (r->kind == KIND_CSV || r->kind == KIND_TSV) {
        e = csv_make(r, n, reason, sizeof reason);
        if (e == EINVAL) {
            *good = 0;
            if (!r->opt->skip_bad)
                return rows_fail(r, EINVAL, "%s", reason);
            return bad_row(r, reason, 0);
        }
    } else if (r->kind == KIND_TEXT) {
        e = rows_make_text(r, n, &why, &bad);
    } else {
        why = check_row(r->window + r->begin, n, &bad);
        if (!why)
            e = batch_add(r->out, r->window + r->begin, n);
    }
    if (why) {
        *good = 0;
        return bad_row(r, why, bad);
    }
    if (!e && r->json.n)
        e = batch_add(r->out, r->json.p, r->json.n);
    if (e == ENOMEM || e == EOVERFLOW)
        return rows_fail(r, e, e == ENOMEM ? "out of memory" : "a batch is longer than 2 GiB");
    return e;
}

int rows_next(rows *r, int *ended)
{
    *ended = 0;
    while (r->out->n < BATCH_ROWS && r->out->len < BATCH_BYTES) {
        size_t n = 0, take = 0;
        int good, e = find(r, &n, &take);
        if (!e && n == 0) {
            *ended = 1;
            return 0;
        }
        if (!e)
            e = take_row(r, n, &good);
        if (e)
            return e;
        rows_consume(r, take);
        r->state = 0;
        r->phase = r->kind == KIND_JSON ? NEXT_ELEMENT : r->phase;
        r->row += (uint64_t)good;
    }
    return 0;
}

void rows_tell(const rows *r, unsigned char p[ROWS_POSITION])
{
    memcpy(p, position_magic, 8);
    put64(p + 8, r->row);
    put64(p + 16, r->at);
    put64(p + 24, r->line);
    put64(p + 32, r->skipped);
    put64(p + 40, (uint64_t)r->kind << 32 | r->phase);
    put64(p + 48, r->size);
    put64(p + 56, r->fingerprint);
}

int rows_seek(rows *r, const unsigned char *p)
{
    uint64_t at = 0, row = 0;
    int e;
    if (p) {
        if (memcmp(p, position_magic, 8) != 0 || get64(p + 40) >> 32 != (uint64_t)r->kind ||
            (get64(p + 40) & 0xFFFFFFFFu) > AFTER_ARRAY)
            return rows_fail(r, EPROTO, "this is not a position of this source");
        if (get64(p + 48) != r->size || get64(p + 56) != r->fingerprint)
            return rows_fail(r, ESTALE, "the file has changed since the position was taken");
        at = get64(p + 16);
        row = get64(p + 8) + get64(p + 32);
    }
    if (r->kind == KIND_DUCKDB) {
        bytes_close(r->file);
        r->file = NULL;
        e = bytes_query(&r->mem, r->path, r->opt, row, &r->file, r->error, sizeof r->error);
        at = 0;
    } else {
        e = bytes_seek(r->file, at, r->error, sizeof r->error);
    }
    if (e)
        return e;
    r->begin = r->end = r->scanned = 0;
    r->state = 0;
    r->at_end = 0;
    r->at = p ? get64(p + 16) : 0;
    r->phase = p ? (uint32_t)(get64(p + 40) & 0xFFFFFFFFu) : 0;
    r->row = p ? get64(p + 8) : 0;
    r->line = p ? get64(p + 24) : 1;
    r->skipped = p ? get64(p + 32) : 0;
    return !p && r->csv ? csv_start(r) : 0;
}

void rows_close(rows *r)
{
    memory mem;
    if (!r)
        return;
    mem = r->mem;
    csv_close(r);
    bytes_close(r->file);
    text_free(&mem, &r->json);
    memory_resize(&mem, r->window, r->cap, 0);
    memory_resize(&mem, r, sizeof *r, 0);
}

int rows_open(const hone_host *host, const memory *mem, kind k, const char *path, const char *shown,
              const options *opt, batch *out, rows **rows_out, char *err, size_t err_size)
{
    int e;
    rows *r = memory_resize(mem, NULL, 0, sizeof *r);
    if (!r) {
        snprintf(err, err_size, "%s: out of memory", path);
        return ENOMEM;
    }
    memset(r, 0, sizeof *r);
    r->mem = *mem;
    r->host = host;
    r->kind = k;
    r->opt = opt;
    r->path = path;
    r->shown = shown;
    r->line = 1;
    r->out = out;
    r->window = memory_resize(mem, NULL, 0, WINDOW);
    r->cap = r->window ? WINDOW : 0;
    e = r->window ? bytes_open(mem, path, &r->file, r->error, sizeof r->error)
                  : rows_fail(r, ENOMEM, "out of memory");
    if (!e) {
        r->size = bytes_file_size(r->file);
        r->fingerprint = bytes_fingerprint(r->file);
        if (k == KIND_DUCKDB)
            e = rows_seek(r, NULL);
        if (k == KIND_CSV || k == KIND_TSV)
            e = csv_open(r);
    }
    if (e) {
        snprintf(err, err_size, "%s", r->error);
        rows_close(r);
        return e;
    }
    *rows_out = r;
    return 0;
}
