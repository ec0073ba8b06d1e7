/* scan.c - see scan.h.
 *
 * A recursive descent whose only state is where it stands. For each column a count says how many of its parts match the keys
 * on the way here; a value is wanted by the columns all of whose parts are matched. Runs of plain bytes are passed over eight at a time
 * (a quote, a backslash, a control character or a high bit stops the run) and copied as a whole.
 *
 * Equal keys of an object are told by their 64-bit hashes, kept on a stack while the object is open. */
#include "curate/scan.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define ONES 0x0101010101010101ull
#define HIGH 0x8080808080808080ull

typedef struct reader {
    hone_scan *s;
    const char *begin, *p, *end;
    unsigned wanted; /* columns that take what comes; with no columns bit 0 */
    unsigned char matched[HONE_SCAN_COLUMNS];
    unsigned found;
    int depth;
} reader;

static const char *const silent[] = {"role", "from", "id",   "uuid",    "source", "url",
                                     "type", "name", "meta", "dataset", "lang",   "language"};

int hone_scan_silent(hone_str key)
{
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (hone_str_eq(key, silent[i]))
            return 1;
    return 0;
}

static hone_status wrong(const reader *r, const char *what)
{
    return hone_fail(HONE_E_PARSE, "byte %zu: %s", (size_t)(r->p - r->begin) + 1, what);
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static hone_status read_column(hone_scan *s, hone_str name)
{
    if (s->n_columns == HONE_SCAN_COLUMNS)
        return hone_fail(HONE_E_USAGE, "%s: at most %d columns can be named", s->spec,
                         HONE_SCAN_COLUMNS);
    hone_scan_column *c = &s->column[s->n_columns++];
    c->name = name;
    for (size_t i = 0, from = 0; i <= name.len; i++) {
        if (i < name.len && name.ptr[i] != '.')
            continue;
        if (i == from || c->n == HONE_SCAN_PARTS)
            return hone_fail(HONE_E_USAGE,
                             "%s: a column is a name, or names parted by dots (at most %d)",
                             s->spec, HONE_SCAN_PARTS);
        c->part[c->n++] = (hone_str){name.ptr + from, i - from};
        from = i + 1;
    }
    return HONE_OK;
}

hone_status hone_scan_init(hone_scan *s, const char *columns)
{
    memset(s, 0, sizeof *s);
    hone_buf_init(&s->text, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&s->key, HONE_BUF_MAX_DEFAULT);
    for (size_t i = 0; i < HONE_SCAN_COLUMNS; i++)
        hone_buf_init(&s->part[i], HONE_BUF_MAX_DEFAULT);
    if (!columns)
        return HONE_OK;
    s->spec = hone_strdup(columns);
    hone_status st = s->spec ? HONE_OK : HONE_E_NOMEM;
    for (const char *from = s->spec; st >= 0 && from;) {
        const char *comma = strchr(from, ',');
        st = read_column(s, (hone_str){from, comma ? (size_t)(comma - from) : strlen(from)});
        from = comma ? comma + 1 : NULL;
    }
    if (st < 0)
        hone_scan_release(s);
    return st;
}

void hone_scan_release(hone_scan *s)
{
    if (!s->text.ptr)
        return;
    hone_free(s->spec);
    hone_buf_release(&s->text);
    hone_buf_release(&s->key);
    for (size_t i = 0; i < HONE_SCAN_COLUMNS; i++) {
        hone_buf_release(&s->part[i]);
        hone_free(s->part_end[i]);
    }
    hone_free(s->end);
    hone_free(s->keys);
    memset(s, 0, sizeof *s);
}

/* ---- strings ---------------------------------------------------------------------------------------------------- */

/* The first byte from p that is a quote, a backslash or a control character; *wide: a high bit was passed. */
static const char *plain_run(const char *p, const char *end, int *wide)
{
    uint64_t high = 0;
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ (ONES * '"'), slash = w ^ (ONES * '\\');
        uint64_t stop = ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) |
                        ((w - ONES * 0x20) & ~w);
        if (stop & HIGH)
            break;
        high |= w;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        high |= (unsigned char)*p++;
    *wide |= (high & HIGH) != 0 || (high & 0x80) != 0;
    return p;
}

static int hex4(const char *p, const char *end, unsigned *out)
{
    unsigned v = 0;
    if (end - p < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i], low = c | 32;
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v * 16 + (low - 'a' + 10);
        else
            return 0;
    }
    *out = v;
    return 1;
}

static size_t put_code(unsigned c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* Behind the backslash; what it stands for, in n bytes of out. */
static hone_status escape(reader *r, char out[4], size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = r->p < r->end ? *r->p : 0;
    const char *at = c ? strchr(from, c) : NULL;
    unsigned u, low;
    if (at) {
        out[0] = to[at - from];
        *n = 1;
        r->p++;
        return HONE_OK;
    }
    if (c != 'u')
        return wrong(r, r->p < r->end ? "an unknown escape" : "a string is not closed");
    if (!hex4(r->p + 1, r->end, &u))
        return wrong(r, "\\u needs four hexadecimal digits");
    r->p += 5;
    if (u >= 0xDC00 && u <= 0xDFFF)
        return wrong(r, "a low surrogate without its high one");
    if (u >= 0xD800 && u <= 0xDBFF) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u' ||
            !hex4(r->p + 2, r->end, &low) || low < 0xDC00 || low > 0xDFFF)
            return wrong(r, "a high surrogate without its low one");
        r->p += 6;
        u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
    }
    *n = put_code(u, out);
    return HONE_OK;
}

/* At the opening quote; appends what the string says to `out` (NULL: nowhere). */
static hone_status string(reader *r, hone_buf *out)
{
    r->p++;
    for (;;) {
        int wide = 0;
        const char *from = r->p;
        r->p = plain_run(from, r->end, &wide);
        if (wide && !hone_utf8_valid((hone_str){from, (size_t)(r->p - from)})) {
            r->p = from;
            return wrong(r, "the string is not well-formed UTF-8");
        }
        if (out && r->p > from)
            HONE_TRY(hone_buf_add(out, from, (size_t)(r->p - from)));
        if (r->p == r->end)
            return wrong(r, "a string is not closed");
        if (*r->p == '"') {
            r->p++;
            return HONE_OK;
        }
        if (*r->p != '\\')
            return wrong(r, "a control character in a string");
        char code[4];
        size_t n = 0;
        r->p++;
        HONE_TRY(escape(r, code, &n));
        if (out)
            HONE_TRY(hone_buf_add(out, code, n));
    }
}

/* ---- pieces ----------------------------------------------------------------------------------------------------- */

static hone_status end_piece(hone_buf *text, size_t **ends, size_t *n, size_t *cap)
{
    if (*n == *cap) {
        size_t more = *cap ? 2 * *cap : 32;
        size_t *grown = hone_reallocarray(*ends, more, sizeof **ends);
        if (!grown)
            return HONE_E_NOMEM;
        *ends = grown;
        *cap = more;
    }
    (*ends)[(*n)++] = text->len;
    return hone_buf_addc(text, '\n');
}

/* Where the text of column c is collected: one column and none write at once to where it belongs. */
static hone_buf *place_of(hone_scan *s, size_t c)
{
    return s->n_columns > 1 ? &s->part[c] : &s->text;
}

static hone_status end_in(hone_scan *s, size_t c)
{
    if (s->n_columns > 1)
        return end_piece(&s->part[c], &s->part_end[c], &s->part_n[c], &s->part_cap[c]);
    return end_piece(&s->text, &s->end, &s->n, &s->cap);
}

static hone_status take_string(reader *r)
{
    hone_scan *s = r->s;
    if (!r->wanted)
        return string(r, NULL);
    const char *at = r->p;
    for (size_t c = 0; c < HONE_SCAN_COLUMNS; c++)
        if (r->wanted >> c & 1) {
            r->p = at;
            HONE_TRY(string(r, place_of(s, c)));
            HONE_TRY(end_in(s, c));
        }
    return HONE_OK;
}

/* A number or a word, as it is written: text where a column was named, nothing otherwise. */
static hone_status take_bare(reader *r, const char *from)
{
    hone_scan *s = r->s;
    for (size_t c = 0; s->n_columns && c < s->n_columns; c++)
        if (r->wanted >> c & 1) {
            HONE_TRY(hone_buf_add(place_of(s, c), from, (size_t)(r->p - from)));
            HONE_TRY(end_in(s, c));
        }
    return HONE_OK;
}

static int digits(reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > from;
}

static hone_status number(reader *r)
{
    const char *from = r->p;
    if (*r->p == '-')
        r->p++;
    const int zero = r->p < r->end && *r->p == '0';
    const char *whole = r->p;
    if (!digits(r) || (zero && r->p - whole > 1))
        return wrong(r, "a number is malformed");
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!digits(r))
            return wrong(r, "a number is malformed");
    }
    if (r->p < r->end && (*r->p | 32) == 'e') {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (!digits(r))
            return wrong(r, "a number is malformed");
    }
    return take_bare(r, from);
}

static hone_status word(reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *from = r->p;
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(r->end - r->p) >= n && memcmp(r->p, words[i], n) == 0) {
            r->p += n;
            return i == 2 ? HONE_OK : take_bare(r, from);
        }
    }
    return wrong(r, "no value");
}

/* ---- objects and lists ------------------------------------------------------------------------------------------ */

static void blanks(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static hone_status value(reader *r);

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static hone_status note_key(reader *r, size_t first)
{
    hone_scan *s = r->s;
    if (s->n_keys == s->cap_keys) {
        size_t cap = s->cap_keys ? 2 * s->cap_keys : 64;
        uint64_t *grown = hone_reallocarray(s->keys, cap, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        s->keys = grown;
        s->cap_keys = cap;
    }
    uint64_t hash = hone_xxh64(s->key.ptr, s->key.len, 0);
    if (s->n_keys - first < 16) /* few: at once; many: when the object ends */
        for (size_t i = first; i < s->n_keys; i++)
            if (s->keys[i] == hash)
                return wrong(r, "a key stands twice in an object");
    s->keys[s->n_keys++] = hash;
    return HONE_OK;
}

static hone_status keys_differ(reader *r, size_t first)
{
    hone_scan *s = r->s;
    size_t n = s->n_keys - first;
    if (n > 16) {
        qsort(s->keys + first, n, sizeof *s->keys, by_value);
        for (size_t i = first + 1; i < s->n_keys; i++)
            if (s->keys[i] == s->keys[i - 1])
                return wrong(r, "a key stands twice in an object");
    }
    s->n_keys = first;
    return HONE_OK;
}

/* What the key in s->key makes of the columns; what was before is the caller's to put back. */
static void step_into(reader *r)
{
    hone_scan *s = r->s;
    hone_str key = hone_buf_str(&s->key);
    if (!s->n_columns) {
        if (hone_scan_silent(key))
            r->wanted = 0;
        return;
    }
    for (size_t c = 0; c < s->n_columns; c++) {
        const hone_scan_column *col = &s->column[c];
        if (r->wanted >> c & 1 || r->matched[c] > col->n)
            continue;
        if (!hone_str_same(col->part[r->matched[c]], key)) {
            r->matched[c] = HONE_SCAN_PARTS + 1; /* nothing below is of it */
        } else if (++r->matched[c] == col->n) {
            r->wanted |= 1u << c;
            r->found |= 1u << c;
        }
    }
}

static hone_status object(reader *r)
{
    hone_scan *s = r->s;
    const size_t first = s->n_keys;
    const unsigned wanted = r->wanted;
    unsigned char matched[HONE_SCAN_COLUMNS];
    memcpy(matched, r->matched, sizeof matched);
    r->p++;
    blanks(r);
    if (r->p < r->end && *r->p == '}') {
        r->p++;
        return HONE_OK;
    }
    for (;;) {
        blanks(r);
        if (r->p == r->end || *r->p != '"')
            return wrong(r, "a key is missing");
        hone_buf_clear(&s->key);
        HONE_TRY(string(r, &s->key));
        HONE_TRY(note_key(r, first));
        blanks(r);
        if (r->p == r->end || *r->p != ':')
            return wrong(r, "a colon is missing");
        r->p++;
        step_into(r);
        HONE_TRY(value(r));
        r->wanted = wanted;
        memcpy(r->matched, matched, sizeof matched);
        blanks(r);
        if (r->p < r->end && *r->p == ',') {
            r->p++;
            continue;
        }
        if (r->p == r->end || *r->p != '}')
            return wrong(r, "an object is not closed");
        r->p++;
        return keys_differ(r, first);
    }
}

static hone_status list(reader *r)
{
    r->p++;
    blanks(r);
    if (r->p < r->end && *r->p == ']') {
        r->p++;
        return HONE_OK;
    }
    for (;;) {
        HONE_TRY(value(r));
        blanks(r);
        if (r->p < r->end && *r->p == ',') {
            r->p++;
            continue;
        }
        if (r->p == r->end || *r->p != ']')
            return wrong(r, "a list is not closed");
        r->p++;
        return HONE_OK;
    }
}

static hone_status value(reader *r)
{
    hone_status s;
    blanks(r);
    if (r->p == r->end)
        return wrong(r, "a value is missing");
    switch (*r->p) {
    case '"':
        return take_string(r);
    case '{':
    case '[':
        if (r->depth == HONE_JSON_DEPTH)
            return wrong(r, "nested too deep");
        r->depth++;
        s = *r->p == '{' ? object(r) : list(r);
        r->depth--;
        return s;
    case 't':
    case 'f':
    case 'n':
        return word(r);
    default:
        return *r->p == '-' || (*r->p >= '0' && *r->p <= '9') ? number(r) : wrong(r, "no value");
    }
}

/* The pieces of each column, in the order in which they were named. */
static hone_status join(hone_scan *s)
{
    for (size_t c = 0; s->n_columns > 1 && c < s->n_columns; c++)
        for (size_t i = 0, from = 0; i < s->part_n[c]; i++) {
            HONE_TRY(hone_buf_add(&s->text, s->part[c].ptr + from, s->part_end[c][i] - from));
            HONE_TRY(end_piece(&s->text, &s->end, &s->n, &s->cap));
            from = s->part_end[c][i] + 1;
        }
    return HONE_OK;
}

hone_status hone_scan_row(hone_scan *s, hone_str row)
{
    reader r = {.s = s, .begin = row.ptr, .p = row.ptr, .end = row.ptr + row.len};
    r.wanted = s->n_columns == 0;
    s->n = s->n_keys = 0;
    hone_buf_clear(&s->text);
    for (size_t c = 0; c < s->n_columns; c++) {
        hone_buf_clear(&s->part[c]);
        s->part_n[c] = 0;
    }
    blanks(&r);
    if (r.p == r.end || *r.p != '{')
        return wrong(&r, "a row is an object");
    HONE_TRY(value(&r));
    blanks(&r);
    if (r.p != r.end)
        return wrong(&r, "more text behind the object");
    for (size_t c = 0; c < s->n_columns; c++)
        if (!(r.found >> c & 1))
            return hone_fail(HONE_E_NOT_FOUND, "no column \"%.*s\"", (int)s->column[c].name.len,
                             s->column[c].name.ptr);
    return join(s);
}
