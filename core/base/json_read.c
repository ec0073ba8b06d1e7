/* json_read.c - JSON text to a tree of hone_value (json.h).
 *
 * cJSON builds the tree; what it leaves open is closed around it. A strict scan comes first: the whole
 * grammar of RFC 8259, UTF-8, depth, escapes, so that cJSON only ever sees well-formed text and every
 * error has its line and column. Then the tree is copied into the arena in document order, with a
 * lexer running along the text in step: numbers are read from their own digits (cJSON keeps a double
 * only) and strings with \u0000 are decoded here (cJSON cuts them). Keys of an object are checked
 * for duplicates with a hash table, so time is linear.
 *
 * Limits: depth HONE_JSON_DEPTH; numbers of at most 63 characters (cJSON's own). */
#include "base/json.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

#include <cjson/cJSON.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 63, FEW_KEYS = 12 };
#define FILE_MAX_DEFAULT ((size_t)256 << 20)

typedef struct reader {
    const char *text, *end, *at;
    const char *name; /* for errors; never NULL */
    hone_arena *arena;
    int depth;
} reader;

/* ---- errors ----------------------------------------------------------------------------------- */

/* "name:line:column: what", with the offending line as detail. */
static hone_status bad(const reader *r, const char *where, const char *what)
{
    size_t line = 1, shown;
    const char *start = r->text;
    for (const char *p = r->text; p < where; p++)
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    size_t column = (size_t)(where - start) + 1;
    const char *from = where - start > 60 ? where - 60 : start, *stop = where;
    while (stop < r->end && *stop != '\n' && stop - where < 40)
        stop++;
    hone_fail(HONE_E_PARSE, "%s:%zu:%zu: %s", r->name, line, column, what);
    char cut[128];
    shown = (size_t)(stop - from);
    for (size_t i = 0; i < shown; i++)
        cut[i] = (unsigned char)from[i] < 32 || (unsigned char)from[i] > 126 ? '?' : from[i];
    cut[shown] = 0;
    return hone_fail_detail("%s", cut), HONE_E_PARSE;
}

/* ---- the strict scan -------------------------------------------------------------------------- */

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static int is_digit(const reader *r, const char *p)
{
    return p < r->end && *p >= '0' && *p <= '9';
}

static int hex4(const char *p, const char *end, unsigned *out)
{
    unsigned v = 0;
    if (end - p < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 16;
        if (d == 16)
            return 0;
        v = v << 4 | d;
    }
    *out = v;
    return 1;
}

/* The length of one well-formed UTF-8 character of two or more bytes, or 0 (Unicode, table 3-7). */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (n >= 2 && p[0] >= 0xC2 && p[0] <= 0xDF && (p[1] & 0xC0) == 0x80)
        return 2;
    if (n >= 3 && (p[0] & 0xF0) == 0xE0 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80 &&
        !(p[0] == 0xE0 && p[1] < 0xA0) && !(p[0] == 0xED && p[1] > 0x9F))
        return 3;
    if (n >= 4 && p[0] >= 0xF0 && p[0] <= 0xF4 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80 &&
        (p[3] & 0xC0) == 0x80 && !(p[0] == 0xF0 && p[1] < 0x90) && !(p[0] == 0xF4 && p[1] > 0x8F))
        return 4;
    return 0;
}

static hone_status scan_escape(reader *r)
{
    const char *start = r->at++; /* at the backslash */
    unsigned u, low;
    if (r->at == r->end)
        return bad(r, start, "a string that does not end");
    switch (*r->at++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return HONE_OK;
    case 'u':
        if (!hex4(r->at, r->end, &u))
            return bad(r, start, "\\u wants four hexadecimal digits");
        r->at += 4;
        if (u >= 0xDC00 && u <= 0xDFFF)
            return bad(r, start, "the second half of a surrogate pair without its first");
        if (u >= 0xD800 && u <= 0xDBFF) {
            if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u' ||
                !hex4(r->at + 2, r->end, &low) || low < 0xDC00 || low > 0xDFFF)
                return bad(r, start, "the first half of a surrogate pair without its second");
            r->at += 6;
        }
        return HONE_OK;
    default:
        return bad(r, start, "unknown escape in a string");
    }
}

static hone_status scan_string(reader *r)
{
    const char *start = r->at++;
    for (;;) {
        while (r->at < r->end && (unsigned char)*r->at >= 0x20 && (unsigned char)*r->at < 0x80 &&
               *r->at != '"' && *r->at != '\\')
            r->at++;
        if (r->at == r->end)
            return bad(r, start, "a string that does not end");
        unsigned char c = (unsigned char)*r->at;
        if (c == '"') {
            r->at++;
            return HONE_OK;
        }
        if (c == '\\') {
            HONE_TRY(scan_escape(r));
        } else if (c < 0x20) {
            return bad(r, r->at,
                       c == '\n' ? "a line break inside a string"
                                 : "a control character inside a string");
        } else {
            size_t n = utf8_length((const unsigned char *)r->at, (size_t)(r->end - r->at));
            if (n == 0)
                return bad(r, r->at, "not valid UTF-8");
            r->at += n;
        }
    }
}

static hone_status scan_number(reader *r)
{
    const char *start = r->at;
    if (*r->at == '-')
        r->at++;
    if (!is_digit(r, r->at))
        return bad(r, start, "a value is missing or malformed");
    if (*r->at == '0' && is_digit(r, r->at + 1))
        return bad(r, start, "a number may not begin with 0");
    while (is_digit(r, r->at))
        r->at++;
    if (r->at < r->end && *r->at == '.') {
        if (!is_digit(r, ++r->at))
            return bad(r, start, "a digit is missing after the point");
        while (is_digit(r, r->at))
            r->at++;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        if (!is_digit(r, r->at))
            return bad(r, start, "a digit is missing in the exponent");
        while (is_digit(r, r->at))
            r->at++;
    }
    if (r->at - start > NUMBER_MAX)
        return bad(r, start, "a number of more than 63 characters");
    return HONE_OK;
}

static hone_status scan_word(reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return bad(r, r->at, "a value is missing or malformed");
    r->at += n;
    return HONE_OK;
}

static hone_status scan_scalar(reader *r)
{
    if (r->at == r->end)
        return bad(r, r->at, "the text ends where a value is expected");
    switch (*r->at) {
    case '"':
        return scan_string(r);
    case 't':
        return scan_word(r, "true");
    case 'f':
        return scan_word(r, "false");
    case 'n':
        return scan_word(r, "null");
    case 'N':
    case 'I':
        return bad(r, r->at, "NaN and Infinity are not JSON");
    default:
        return scan_number(r);
    }
}

static hone_status scan_key(reader *r)
{
    skip_space(r);
    if (r->at == r->end || *r->at != '"')
        return bad(r, r->at,
                   r->at < r->end && *r->at == '}' ? "a comma before the end of an object"
                                                   : "a key in quotes is expected");
    HONE_TRY(scan_string(r));
    skip_space(r);
    if (r->at == r->end || *r->at != ':')
        return bad(r, r->at, "':' is expected after a key");
    r->at++;
    return HONE_OK;
}

/* The whole text, without recursion: one bit a level says whether it is an object. */
static hone_status scan(reader *r)
{
    uint64_t is_object[HONE_JSON_DEPTH / 64 + 1] = {0};
    int depth = 0;
    for (;;) {
        skip_space(r);
        if (r->at < r->end && (*r->at == '{' || *r->at == '[')) {
            int object = *r->at == '{';
            if (depth == HONE_JSON_DEPTH)
                return bad(r, r->at, "nested more than 512 deep");
            depth++;
            uint64_t bit = (uint64_t)1 << (depth % 64);
            is_object[depth / 64] = (is_object[depth / 64] & ~bit) | (object ? bit : 0);
            r->at++;
            skip_space(r);
            if (!(r->at < r->end && *r->at == (object ? '}' : ']'))) {
                if (object)
                    HONE_TRY(scan_key(r));
                continue;
            }
        } else {
            HONE_TRY(scan_scalar(r));
        }
        for (;;) { /* after a value: close what ends here */
            skip_space(r);
            if (depth == 0) {
                if (r->at != r->end)
                    return bad(r, r->at, "text after the end of the value");
                return HONE_OK;
            }
            int object = is_object[depth / 64] >> (depth % 64) & 1;
            if (r->at < r->end && *r->at == (object ? '}' : ']')) {
                r->at++;
                depth--;
                continue;
            }
            if (r->at == r->end)
                return bad(r, r->at,
                           object ? "an object that does not end" : "a list that does not end");
            if (*r->at != ',')
                return bad(r, r->at, object ? "',' or '}' is expected" : "',' or ']' is expected");
            r->at++;
            if (object)
                HONE_TRY(scan_key(r));
            break;
        }
    }
}

/* ---- from cJSON's tree into the arena --------------------------------------------------------- */

/* The next string or number of the text, in document order; the text is known to be well-formed. */
static const char *next_token(reader *r)
{
    for (;; r->at++) {
        char c = *r->at;
        if (c == '"' || c == '-' || (c >= '0' && c <= '9'))
            break;
    }
    const char *start = r->at;
    if (*start == '"') {
        for (r->at++; *r->at != '"'; r->at++)
            if (*r->at == '\\')
                r->at++;
        r->at++;
    } else {
        while (r->at < r->end && (is_digit(r, r->at) || strchr("+-.eE", *r->at)))
            r->at++;
    }
    return start;
}

static size_t put_utf8(char *out, unsigned u)
{
    if (u < 0x80) {
        out[0] = (char)u;
        return 1;
    }
    if (u < 0x800) {
        out[0] = (char)(0xC0 | u >> 6);
        out[1] = (char)(0x80 | (u & 0x3F));
        return 2;
    }
    if (u < 0x10000) {
        out[0] = (char)(0xE0 | u >> 12);
        out[1] = (char)(0x80 | (u >> 6 & 0x3F));
        out[2] = (char)(0x80 | (u & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | u >> 18);
    out[1] = (char)(0x80 | (u >> 12 & 0x3F));
    out[2] = (char)(0x80 | (u >> 6 & 0x3F));
    out[3] = (char)(0x80 | (u & 0x3F));
    return 4;
}

/* Decodes the raw text between two quotes; an escape is never shorter than what it stands for. */
static hone_status decode(reader *r, const char *p, const char *stop, hone_str *out)
{
    char *z = hone_arena_alloc(r->arena, (size_t)(stop - p) + 1);
    size_t n = 0;
    if (!z)
        return hone_error_get()->code;
    while (p < stop) {
        if (*p != '\\') {
            z[n++] = *p++;
            continue;
        }
        unsigned u = 0, low = 0;
        char c = p[1];
        p += 2;
        if (c == 'u') {
            hex4(p, stop, &u);
            p += 4;
            if (u >= 0xD800 && u <= 0xDBFF) {
                hex4(p + 2, stop, &low);
                u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
            n += put_utf8(z + n, u);
        } else {
            z[n++] = c == 'b'   ? '\b'
                     : c == 'f' ? '\f'
                     : c == 'n' ? '\n'
                     : c == 'r' ? '\r'
                     : c == 't' ? '\t'
                                : c;
        }
    }
    z[n] = 0;
    out->ptr = z;
    out->len = n;
    return HONE_OK;
}

/* A string of cJSON's into the arena; with \u0000 in it, from the text itself. */
static hone_status take_string(reader *r, const char *decoded, hone_str *out, const char **where)
{
    const char *raw = next_token(r), *stop = r->at - 1;
    if (where)
        *where = raw;
    for (const char *p = raw + 1; (p = memchr(p, '\\', (size_t)(stop - p))) != NULL; p += 2)
        if (stop - p >= 6 && memcmp(p, "\\u0000", 6) == 0)
            return decode(r, raw + 1, stop, out);
    hone_str s = hone_arena_str(r->arena, hone_str_c(decoded));
    if (!s.ptr)
        return hone_error_get()->code;
    *out = s;
    return HONE_OK;
}

static hone_status take_number(reader *r, hone_value *out)
{
    const char *p = next_token(r), *stop = r->at;
    const char *start = p;
    char copy[NUMBER_MAX + 1];
    int whole = 1, negative = *p == '-';
    uint64_t v = 0;
    for (const char *q = p + negative; q < stop; q++) {
        if (*q < '0' || *q > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*q - '0'), &v)) {
            whole = 0;
            break;
        }
    }
    uint64_t most = negative ? (uint64_t)1 << 63 : ((uint64_t)1 << 63) - 1;
    if (whole && v <= most && !(negative && v == 0)) {
        out->type = HONE_I64;
        out->u.i64 = negative ? (int64_t)(0 - v) : (int64_t)v;
        return HONE_OK;
    }
    memcpy(copy, p, (size_t)(stop - p));
    copy[stop - p] = 0;
    double d = hone_parse_f64(copy, NULL);
    if (d - d != 0.0) {
        bad(r, start, "a number too large for a double");
        return hone_fail_detail("%s", copy);
    }
    out->type = HONE_F64;
    out->u.f64 = d;
    return HONE_OK;
}

/* E_PARSE at the second of two equal keys. `where[i]` is the place of key i. */
static hone_status check_unique(reader *r, const hone_pair *pairs, const char *const *where,
                                size_t n)
{
    size_t twin = 0;
    if (n <= FEW_KEYS) {
        for (size_t i = 1; i < n; i++)
            for (size_t j = 0; j < i; j++)
                if (hone_str_same(pairs[i].key, pairs[j].key)) {
                    twin = i;
                    goto found;
                }
        return HONE_OK;
    }
    size_t room = 32;
    while (room < 2 * n)
        room *= 2;
    size_t *slots = hone_calloc(room, sizeof *slots);
    if (!slots)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n && !twin; i++) {
        size_t s = (size_t)hone_xxh64(pairs[i].key.ptr, pairs[i].key.len, 0) & (room - 1);
        while (slots[s] && !hone_str_same(pairs[slots[s] - 1].key, pairs[i].key))
            s = (s + 1) & (room - 1);
        if (slots[s])
            twin = i;
        slots[s] = i + 1;
    }
    hone_free(slots);
    if (!twin)
        return HONE_OK;
found:
    return bad(r, where[twin], "the same key twice in one object");
}

static hone_status convert(reader *r, const cJSON *in, hone_value *out);

static hone_status convert_list(reader *r, const cJSON *in, hone_value *out)
{
    size_t n = 0, i = 0;
    for (const cJSON *c = in->child; c; c = c->next)
        n++;
    hone_value *items = hone_arena_calloc(r->arena, n, sizeof *items);
    if (!items)
        return hone_error_get()->code;
    for (const cJSON *c = in->child; c; c = c->next)
        HONE_TRY(convert(r, c, &items[i++]));
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = n;
    return HONE_OK;
}

static hone_status convert_map(reader *r, const cJSON *in, hone_value *out)
{
    size_t n = 0, i = 0;
    const char *few[FEW_KEYS], **where = few;
    hone_status s = HONE_OK;
    for (const cJSON *c = in->child; c; c = c->next)
        n++;
    hone_pair *pairs = hone_arena_calloc(r->arena, n, sizeof *pairs);
    if (!pairs)
        return hone_error_get()->code;
    if (n > FEW_KEYS && !(where = hone_reallocarray(NULL, n, sizeof *where)))
        return HONE_E_NOMEM;
    for (const cJSON *c = in->child; c; c = c->next, i++) {
        HONE_TRY_GOTO(take_string(r, c->string, &pairs[i].key, &where[i]), done);
        HONE_TRY_GOTO(convert(r, c, &pairs[i].value), done);
    }
    HONE_TRY_GOTO(check_unique(r, pairs, where, n), done);
    out->type = HONE_MAP;
    out->u.map.pairs = pairs;
    out->u.map.n = n;
done:
    if (where != few)
        hone_free(where);
    return s;
}

static hone_status convert(reader *r, const cJSON *in, hone_value *out)
{
    switch (in->type & 0xFF) {
    case cJSON_Object:
        return convert_map(r, in, out);
    case cJSON_Array:
        return convert_list(r, in, out);
    case cJSON_String:
        out->type = HONE_STRING;
        return take_string(r, in->valuestring, &out->u.str, NULL);
    case cJSON_Number:
        return take_number(r, out);
    case cJSON_True:
    case cJSON_False:
        out->type = HONE_BOOL;
        out->u.boolean = (in->type & 0xFF) == cJSON_True;
        return HONE_OK;
    default:
        out->type = HONE_NULL;
        return HONE_OK;
    }
}

/* ---- entry ------------------------------------------------------------------------------------ */

static void use_our_memory(void)
{
    cJSON_Hooks hooks = {hone_alloc, hone_free};
    cJSON_InitHooks(&hooks);
}

hone_status hone_json_parse(const char *text, size_t len, const char *name, hone_arena *arena,
                            hone_value *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, use_our_memory);
    reader r = {
        .text = text, .end = text + len, .at = text, .name = name ? name : "JSON", .arena = arena};
    hone_value v = {0};
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) /* a byte order mark is let pass */
        r.text = r.at = text += 3;
    HONE_TRY(scan(&r));
    hone_error_clear();
    cJSON *tree = cJSON_ParseWithLengthOpts(text, (size_t)(r.end - text), NULL, 0);
    if (!tree) /* the text is well-formed: only memory can be missing */
        return hone_error_get()->code < 0
                   ? hone_error_get()->code
                   : hone_fail(HONE_E_PARSE, "%s: cJSON refused the text", r.name);
    r.at = text;
    hone_status s = convert(&r, tree, &v);
    cJSON_Delete(tree);
    if (s == HONE_OK)
        *out = v;
    return s;
}

hone_status hone_json_parse_file(const char *path, size_t max_bytes, hone_arena *arena,
                                 hone_value *out)
{
    hone_buf text;
    hone_buf_init(&text, max_bytes ? max_bytes : FILE_MAX_DEFAULT);
    hone_status s = hone_file_read(path, text.max, &text);
    if (s == HONE_OK)
        s = hone_json_parse(text.ptr, text.len, path, arena, out);
    hone_buf_release(&text);
    return s;
}
