/* rows.c - the sources json (an array of objects) and jsonl (an object a line).
 *
 * One window of bytes slides over the file; a row is found in it (the end of a line; the matching
 * bracket), checked whole (check.c), and copied into the batch. Nothing is consumed before its row is
 * good, so that the rows before a bad one are handed out first and the position stands before it.
 *
 * A malformed row is an error "path:line: what", or left out and counted (on_error = skip). Where the
 * file itself is damaged (compression, an array without commas) it is always an error: nobody knows
 * where the next row begins. Empty lines of jsonl are no rows. A UTF-8 byte order mark is passed over.
 *
 * Position: row, byte, line, skipped, and size and fingerprint of the file; 64 bytes.
 * Sources: RFC 8259, jsonlines.org. */
#include "batch.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BATCH_ROWS = 256, BATCH_BYTES = 1 << 20, WINDOW = 256 * 1024, POSITION_SIZE = 64 };
static const char position_magic[8] = {'h', 'o', 'n', 'e', 'r', 'o', 'w', '1'};
enum { BEFORE_ARRAY, FIRST_ELEMENT, NEXT_ELEMENT, AFTER_COMMA, AFTER_ARRAY }; /* of json */

typedef struct rows {
    memory mem;
    const hone_host *host;
    int array;    /* json, not jsonl */
    int skip_bad; /* on_error */
    size_t max_row;
    char *path;
    size_t path_size;
    bytes *file;
    /* the window: bytes [begin, end) of `cap`; `begin` is byte `at` of the stream */
    char *window;
    size_t begin, end, cap, scanned; /* scanned: bytes after begin already looked at */
    int at_end;
    /* where we stand */
    uint64_t row, at, line, skipped;
    uint32_t phase;
    /* scan of a row of json, kept while the window fills */
    unsigned depth, in_string, escaped;
    batch out;
    char error[700];
} rows;

static int fail(rows *r, int code, const char *what)
{
    snprintf(r->error, sizeof r->error, "%s:%llu: %s", r->path, (unsigned long long)r->line, what);
    return code;
}

/* ---- the window ----------------------------------------------------------------------------------- */

/* More bytes behind `end`; at_end when there are none. */
static int fill(rows *r)
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
        if (r->end > r->max_row)
            return fail(r, EFBIG, "a row is longer than max_row_bytes");
        w = memory_resize(&r->mem, r->window, r->cap, cap);
        if (!w)
            return fail(r, ENOMEM, "out of memory");
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
static void consume(rows *r, size_t n)
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

static int pass_mark(rows *r)
{
    while (r->at == 0 && r->end - r->begin < 3 && !r->at_end) {
        int e = fill(r);
        if (e)
            return e;
    }
    if (r->at == 0 && r->end - r->begin >= 3 &&
        memcmp(r->window + r->begin, "\xEF\xBB\xBF", 3) == 0)
        consume(r, 3);
    return 0;
}

/* ---- finding rows: *n bytes at the window's begin, and *take bytes to consume with them. *n 0: the end */

static int find_line(rows *r, size_t *n, size_t *take)
{
    int e = pass_mark(r);
    if (e)
        return e;
    for (;;) {
        const char *p = r->window + r->begin, *nl = NULL;
        size_t have = r->end - r->begin, blank = 0;
        if (have > r->scanned)
            nl = memchr(p + r->scanned, '\n', have - r->scanned);
        if (!nl && !r->at_end) {
            r->scanned = have;
            if (have > r->max_row)
                return fail(r, EFBIG, "a row is longer than max_row_bytes");
            e = fill(r);
            if (e)
                return e;
            continue;
        }
        *n = nl ? (size_t)(nl - p) : have;
        *take = nl ? *n + 1 : have;
        while (blank < *n && (p[blank] == ' ' || p[blank] == '\t' || p[blank] == '\r'))
            blank++;
        if (blank < *n) {
            if (*n > r->max_row)
                return fail(r, EFBIG, "a row is longer than max_row_bytes");
            return 0;
        }
        if (!nl) {
            *n = 0;
            consume(r, have);
            return 0;
        }
        consume(r, *take); /* an empty line */
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
            consume(r, 1);
        }
        if (r->at_end) {
            *out = -1;
            return 0;
        }
        int e = fill(r);
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
                    return fail(r, EINVAL, "a bracket closes nothing");
                r->depth--;
            }
        }
        if (i > r->max_row)
            return fail(r, EFBIG, "a row is longer than max_row_bytes");
        if (r->at_end)
            return fail(r, EINVAL, "the array is not closed");
        int e = fill(r);
        if (e)
            return e;
    }
}

static int find_element(rows *r, size_t *n, size_t *take)
{
    int c, e = pass_mark(r);
    if (!e)
        e = next_byte(r, &c);
    if (e)
        return e;
    if (r->phase == BEFORE_ARRAY) {
        if (c != '[')
            return fail(r, EINVAL,
                        c < 0 ? "the file is empty, an array of objects was expected"
                              : "an array of objects was expected (for an object a line use the "
                                "source jsonl)");
        consume(r, 1);
        r->phase = FIRST_ELEMENT;
        e = next_byte(r, &c);
        if (e)
            return e;
    }
    if (c == ']' && (r->phase == FIRST_ELEMENT || r->phase == NEXT_ELEMENT)) {
        consume(r, 1);
        r->phase = AFTER_ARRAY;
        e = next_byte(r, &c);
        if (e)
            return e;
    } else if (r->phase == NEXT_ELEMENT) {
        if (c != ',')
            return fail(r, EINVAL,
                        c < 0 ? "the array is not closed"
                              : "\",\" or \"]\" was expected after a row");
        consume(r, 1);
        r->phase = AFTER_COMMA;
        e = next_byte(r, &c);
        if (e)
            return e;
    }
    if (c == ']' && r->phase == AFTER_COMMA)
        return fail(r, EINVAL, "a comma before the end of the array");
    if (r->phase == AFTER_ARRAY) {
        *n = 0;
        return c < 0 ? 0 : fail(r, EINVAL, "more follows after the array");
    }
    if (c < 0)
        return fail(r, EINVAL, "the array is not closed");
    e = find_end_of_element(r, n);
    *take = *n;
    if (!e && *n == 0)
        return fail(r, EINVAL, "a row is missing between two commas");
    return e;
}

/* ---- the stream ----------------------------------------------------------------------------------- */

static int bad_row(rows *r, const char *why, size_t at, size_t n)
{
    if (r->skip_bad) {
        if (r->skipped < 10)
            hone_host_log(r->host, HONE_LEVEL_WARN, "%s:%llu: left out: %s at byte %zu of the row",
                          r->path, (unsigned long long)r->line, why, at);
        r->skipped++;
        return 0;
    }
    (void)n;
    snprintf(r->error, sizeof r->error, "%s:%llu: %s, at byte %zu of the row", r->path,
             (unsigned long long)r->line, why, at);
    return EINVAL;
}

static int next_batch(rows *r)
{
    while (r->out.n < BATCH_ROWS && r->out.len < BATCH_BYTES) {
        size_t n = 0, take = 0, bad;
        const char *why;
        int e = r->array ? find_element(r, &n, &take) : find_line(r, &n, &take);
        if (e)
            return e;
        if (n == 0)
            return 0;
        why = check_row(r->window + r->begin, n, &bad);
        e = why ? bad_row(r, why, bad, n) : batch_add(&r->out, r->window + r->begin, n);
        if (e == ENOMEM || e == EOVERFLOW)
            return fail(r, e, e == ENOMEM ? "out of memory" : "a batch is longer than 2 GiB");
        if (e)
            return e;
        consume(r, take);
        r->phase = r->array ? NEXT_ELEMENT : r->phase;
        r->row += why == NULL;
    }
    return 0;
}

static int stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    rows *r = s->private_data;
    return batch_schema(&r->mem, out) ? fail(r, ENOMEM, "out of memory") : 0;
}

static int stream_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    rows *r = s->private_data;
    int e;
    r->error[0] = 0;
    e = next_batch(r);
    if (e && r->out.n == 0)
        return e;
    if (r->out.n == 0) {
        memset(out, 0, sizeof *out);
        return 0;
    }
    return batch_hand_out(&r->out, out) ? fail(r, ENOMEM, "out of memory") : 0;
}

static const char *stream_error(struct ArrowArrayStream *s)
{
    rows *r = s->private_data;
    return r->error[0] ? r->error : NULL;
}

static void stream_release(struct ArrowArrayStream *s)
{
    s->release = NULL;
}

static hone_status source_open(void *self, struct ArrowArrayStream *out)
{
    struct ArrowArrayStream s = {stream_schema, stream_next, stream_error, stream_release, self};
    *out = s;
    return HONE_OK;
}

static void put64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}
static uint64_t get64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static hone_status source_position(void *self, const hone_bytes_sink *sink)
{
    const rows *r = self;
    unsigned char p[POSITION_SIZE];
    memcpy(p, position_magic, 8);
    put64(p + 8, r->row);
    put64(p + 16, r->at);
    put64(p + 24, r->line);
    put64(p + 32, r->skipped);
    put64(p + 40, (uint64_t)r->array << 32 | r->phase);
    put64(p + 48, bytes_file_size(r->file));
    put64(p + 56, bytes_fingerprint(r->file));
    return sink->put(sink, p, sizeof p);
}

static hone_status source_seek(void *self, const void *position, size_t n)
{
    rows *r = self;
    const unsigned char *p = position;
    uint64_t at = 0, phase = 0;
    if (n != 0) {
        if (n != POSITION_SIZE || memcmp(p, position_magic, 8) != 0 ||
            get64(p + 40) >> 32 != (uint64_t)r->array ||
            (get64(p + 40) & 0xFFFFFFFFu) > AFTER_ARRAY)
            return hone_host_fail(r->host, HONE_E_INVALID,
                                  "%s: this is not a position of this source", r->path);
        if (get64(p + 48) != bytes_file_size(r->file) ||
            get64(p + 56) != bytes_fingerprint(r->file))
            return hone_host_fail(r->host, HONE_E_STATE,
                                  "%s: the file has changed since the position was taken", r->path);
        at = get64(p + 16);
        phase = get64(p + 40) & 0xFFFFFFFFu;
    }
    if (bytes_seek(r->file, at, r->error, sizeof r->error) != 0)
        return hone_host_fail(r->host, HONE_E_IO, "%s", r->error);
    r->begin = r->end = r->scanned = 0;
    r->at_end = 0;
    r->at = at;
    r->phase = (uint32_t)phase;
    r->row = n ? get64(p + 8) : 0;
    r->line = n ? get64(p + 24) : 1;
    r->skipped = n ? get64(p + 32) : 0;
    r->out.n = r->out.len = 0;
    return HONE_OK;
}

static int64_t source_row_count(void *self)
{
    (void)self;
    return -1;
}

static int64_t source_skipped(void *self)
{
    return (int64_t)((rows *)self)->skipped;
}

/* ---- instances ------------------------------------------------------------------------------------ */

enum { F_PATH, F_ON_ERROR, F_MAX_ROW };
static const hone_field *const fields[] = {
    HONE_PATH("path", NULL, HONE_REQUIRED,
              "the file; plain, gzip or zstd, told by its first bytes"),
    HONE_ENUM("on_error", "stop", "stop|skip", 0,
              "a malformed row: an error, or left out and counted"),
    HONE_INT("max_row_bytes", 64 << 20, 1, 1 << 30, 0, "longest row accepted"), NULL};

static void destroy(void *self)
{
    rows *r = self;
    memory mem = r->mem;
    bytes_close(r->file);
    batch_release(&r->out);
    memory_resize(&mem, r->window, r->cap, 0);
    memory_resize(&mem, r->path, r->path_size, 0);
    memory_resize(&mem, r, sizeof *r, 0);
}

static hone_status create(int array, const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    hone_str path = cfg->str(cfg, F_PATH);
    rows *r;
    int e;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    if (s < 0)
        return s;
    if (memchr(path.ptr, 0, path.len))
        return hone_host_fail(host, HONE_E_INVALID, "path holds a NUL");
    r = memory_resize(&mem, NULL, 0, sizeof *r);
    if (!r)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(r, 0, sizeof *r);
    r->mem = mem;
    r->host = host;
    r->array = array;
    r->skip_bad = cfg->i64(cfg, F_ON_ERROR) == 1;
    r->max_row = (size_t)cfg->i64(cfg, F_MAX_ROW);
    r->line = 1;
    batch_init(&r->out, &mem);
    r->window = memory_resize(&mem, NULL, 0, WINDOW);
    if (r->window)
        r->cap = WINDOW;
    r->path = memory_resize(&mem, NULL, 0, path.len + 1);
    if (!r->path || !r->window) {
        r->path_size = r->path ? path.len + 1 : 0;
        s = hone_host_fail(host, HONE_E_NOMEM, "out of memory");
        goto failed;
    }
    r->path_size = path.len + 1;
    memcpy(r->path, path.ptr, path.len);
    r->path[path.len] = 0;
    e = bytes_open(&mem, r->path, &r->file, r->error, sizeof r->error);
    if (e) {
        s = hone_host_fail(host,
                           e == ENOENT    ? HONE_E_NOT_FOUND
                           : e == ENOMEM  ? HONE_E_NOMEM
                           : e == ENOTSUP ? HONE_E_UNSUPPORTED
                           : e == EINVAL  ? HONE_E_INVALID
                                          : HONE_E_IO,
                           "%s", r->error);
        goto failed;
    }
    *self_out = r;
    return HONE_OK;
failed:
    destroy(r);
    return s;
}

static hone_status create_json(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return create(1, host, cfg, self_out);
}
static hone_status create_jsonl(const hone_host *host, const hone_config *cfg, void **self_out)
{
    return create(0, host, cfg, self_out);
}

static const hone_source_v1 vtable = {sizeof(hone_source_v1), 0,           source_open,
                                      source_position,        source_seek, source_row_count,
                                      source_skipped,         NULL};
static const void *get_iface(void *self, const char *iface_id)
{
    (void)self;
    return strcmp(iface_id, HONE_IFACE_SOURCE) == 0 ? &vtable : NULL;
}

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_SOURCE, NULL};
#define HEAD(name, text)                                                                           \
    .struct_size = sizeof(hone_component), .id = "org.hone.source." name,                          \
    .kind = HONE_KIND_SOURCE, .version = "0.1.0", .vendor = "hone", .license = "MIT",              \
    .summary = text, .url = "", .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_FS_READ,                 \
    .fields = fields, .needs = needs, .provides = provides, .destroy = destroy,                    \
    .get_iface = get_iface
static const hone_component json = {HEAD("json", "a JSON file that holds an array of objects"),
                                    .create = create_json};
static const hone_component jsonl = {HEAD("jsonl", "a JSON object a line"), .create = create_jsonl};
static const hone_component *const components[] = {&json, &jsonl, NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
