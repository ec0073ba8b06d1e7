/* json_write.c - the streaming writer and the texts of numbers (json.h).
 *
 * The writer keeps one bit a level for "is an object" and "has items" and puts commas, colons and
 * line breaks itself; its error is the buffer's sticky one. Numbers are written by snprintf under the
 * C locale of this thread, with the fewest digits that read back equal: what has a decimal text of 15
 * digits (6 for float) is printed right by %.15g, so three tries are enough except for subnormals. */
#include "base/json.h"

#include <float.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---------------------------------------------------------------------------------- */

static locale_t c_locale;
static pthread_once_t c_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

double hone_parse_f64(const char *s, const char **end)
{
    char *stop;
    pthread_once(&c_once, make_c_locale);
    double v = c_locale ? strtod_l(s, &stop, c_locale) : strtod(s, &stop);
    if (end)
        *end = stop;
    return v;
}

static float parse_f32(const char *s)
{
    return c_locale ? strtof_l(s, NULL, c_locale) : strtof(s, NULL);
}

static size_t put_word(char out[32], const char *word)
{
    size_t n = strlen(word);
    memcpy(out, word, n + 1);
    return n;
}

static size_t special(double v, char out[32])
{
    if (v != v)
        return put_word(out, "nan");
    return put_word(out, v < 0 ? "-inf" : "inf");
}

size_t hone_format_f64(double v, char out[32])
{
    if (v - v != 0.0)
        return special(v, out);
    pthread_once(&c_once, make_c_locale);
    locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    int n = 0, first = v < DBL_MIN && v > -DBL_MIN ? 1 : DBL_DIG;
    for (int digits = first; digits <= DBL_DECIMAL_DIG; digits++) {
        n = snprintf(out, 32, "%.*g", digits, v);
        if (digits == DBL_DECIMAL_DIG || hone_parse_f64(out, NULL) == v)
            break;
    }
    if (before)
        uselocale(before);
    return (size_t)n;
}

size_t hone_format_f32(float v, char out[32])
{
    if (v - v != 0.0f)
        return special((double)v, out);
    pthread_once(&c_once, make_c_locale);
    locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    int n = 0, first = v < FLT_MIN && v > -FLT_MIN ? 1 : FLT_DIG;
    for (int digits = first; digits <= FLT_DECIMAL_DIG; digits++) {
        n = snprintf(out, 32, "%.*g", digits, (double)v);
        if (digits == FLT_DECIMAL_DIG || parse_f32(out) == v)
            break;
    }
    if (before)
        uselocale(before);
    return (size_t)n;
}

/* ---- the writer ------------------------------------------------------------------------------- */

void hone_jw_init(hone_jw *w, hone_buf *out, int indent)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    w->indent = indent;
}

static int bit(const uint64_t *bits, int i)
{
    return (int)(bits[i / 64] >> (i % 64) & 1);
}

static void set_bit(uint64_t *bits, int i, int on)
{
    uint64_t one = (uint64_t)1 << (i % 64);
    bits[i / 64] = on ? bits[i / 64] | one : bits[i / 64] & ~one;
}

static void misuse(hone_jw *w, const char *what)
{
    if (!w->out->failed)
        w->out->failed = hone_fail(HONE_E_STATE, "JSON writer: %s", what);
}

static void new_line(hone_jw *w, int depth)
{
    if (w->indent <= 0)
        return;
    hone_buf_addc(w->out, '\n');
    for (int i = 0; i < depth * w->indent; i++)
        hone_buf_addc(w->out, ' ');
}

/* Before a value: its comma, or nothing after a key. 0 when it may not stand here. */
static int before_value(hone_jw *w)
{
    if (w->after_key) {
        w->after_key = 0;
        return 1;
    }
    if (w->depth > 0 && bit(w->is_map, w->depth)) {
        misuse(w, "a value without its key in an object");
        return 0;
    }
    if (w->depth == 0 && bit(w->has_items, 0)) {
        misuse(w, "a second value after the end of the first");
        return 0;
    }
    if (w->depth > 0) {
        if (bit(w->has_items, w->depth))
            hone_buf_addc(w->out, ',');
        new_line(w, w->depth);
    }
    set_bit(w->has_items, w->depth, 1);
    return 1;
}

static void open(hone_jw *w, int map)
{
    if (!before_value(w))
        return;
    if (w->depth == HONE_JSON_DEPTH) {
        misuse(w, "nested more than 512 deep");
        return;
    }
    hone_buf_addc(w->out, map ? '{' : '[');
    w->depth++;
    set_bit(w->is_map, w->depth, map);
    set_bit(w->has_items, w->depth, 0);
}

void hone_jw_map(hone_jw *w)
{
    open(w, 1);
}

void hone_jw_list(hone_jw *w)
{
    open(w, 0);
}

void hone_jw_end(hone_jw *w)
{
    if (w->depth == 0 || w->after_key) {
        misuse(w, w->depth ? "a key without its value" : "an end without a begin");
        return;
    }
    int map = bit(w->is_map, w->depth), items = bit(w->has_items, w->depth);
    w->depth--;
    if (items)
        new_line(w, w->depth);
    hone_buf_addc(w->out, map ? '}' : ']');
}

/* The length of the well-formed UTF-8 character at p, or 0. */
static size_t utf8_at(const unsigned char *p, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t k = p[0] < 0x80   ? 1
               : p[0] < 0xC0 ? 0
               : p[0] < 0xE0 ? 2
               : p[0] < 0xF0 ? 3
               : p[0] < 0xF8 ? 4
                             : 0;
    if (k <= 1)
        return k;
    if (n < k)
        return 0;
    uint32_t u = p[0] & (0x7Fu >> k);
    for (size_t i = 1; i < k; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        u = u << 6 | (p[i] & 0x3Fu);
    }
    return u < least[k] || u > 0x10FFFF || (u >= 0xD800 && u <= 0xDFFF) ? 0 : k;
}

static void quote(hone_buf *b, hone_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0, plain = 0;
    hone_buf_addc(b, '"');
    while (i < s.len) {
        unsigned char c = p[i];
        size_t n = 1;
        if (c >= 0x20 && c != '"' && c != '\\' && (n = utf8_at(p + i, s.len - i)) > 0) {
            i += n;
            continue;
        }
        hone_buf_add(b, s.ptr + plain, i - plain);
        if (n == 0)
            hone_buf_adds(b, "\xEF\xBF\xBD");
        else if (c == '"' || c == '\\')
            hone_buf_addf(b, "\\%c", c);
        else if (c == '\n')
            hone_buf_adds(b, "\\n");
        else if (c == '\t')
            hone_buf_adds(b, "\\t");
        else if (c == '\r')
            hone_buf_adds(b, "\\r");
        else
            hone_buf_addf(b, "\\u%04x", c);
        plain = ++i;
    }
    hone_buf_add(b, s.ptr + plain, s.len - plain);
    hone_buf_addc(b, '"');
}

void hone_jw_key_str(hone_jw *w, hone_str key)
{
    if (w->depth == 0 || !bit(w->is_map, w->depth) || w->after_key) {
        misuse(w, "a key where none may stand");
        return;
    }
    if (bit(w->has_items, w->depth))
        hone_buf_addc(w->out, ',');
    new_line(w, w->depth);
    set_bit(w->has_items, w->depth, 1);
    quote(w->out, key);
    hone_buf_adds(w->out, w->indent > 0 ? ": " : ":");
    w->after_key = 1;
}

void hone_jw_key(hone_jw *w, const char *key)
{
    hone_jw_key_str(w, hone_str_c(key));
}

void hone_jw_str(hone_jw *w, hone_str s)
{
    if (before_value(w))
        quote(w->out, s);
}

void hone_jw_cstr(hone_jw *w, const char *z)
{
    if (z)
        hone_jw_str(w, hone_str_c(z));
    else
        hone_jw_null(w);
}

void hone_jw_i64(hone_jw *w, int64_t v)
{
    if (before_value(w))
        hone_buf_addf(w->out, "%lld", (long long)v);
}

void hone_jw_f64(hone_jw *w, double v)
{
    char text[32];
    if (v - v != 0.0)
        hone_jw_null(w);
    else if (before_value(w))
        hone_buf_add(w->out, text, hone_format_f64(v, text));
}

void hone_jw_f32(hone_jw *w, float v)
{
    char text[32];
    if (v - v != 0.0f)
        hone_jw_null(w);
    else if (before_value(w))
        hone_buf_add(w->out, text, hone_format_f32(v, text));
}

void hone_jw_bool(hone_jw *w, int v)
{
    if (before_value(w))
        hone_buf_adds(w->out, v ? "true" : "false");
}

void hone_jw_null(hone_jw *w)
{
    if (before_value(w))
        hone_buf_adds(w->out, "null");
}

/* A number that a reader makes a double again: 2 becomes 2.0, so that a tree comes back as it was. */
static void put_typed_f64(hone_jw *w, double v)
{
    size_t before = w->out->len;
    hone_jw_f64(w, v);
    if (v - v != 0.0 || w->out->failed)
        return;
    for (size_t i = before; i < w->out->len; i++)
        if (strchr(".eE", w->out->ptr[i]))
            return;
    hone_buf_adds(w->out, ".0");
}

void hone_jw_value(hone_jw *w, const hone_value *v)
{
    if (w->out->failed)
        return;
    switch (v->type) {
    case HONE_BOOL:
        hone_jw_bool(w, v->u.boolean != 0);
        break;
    case HONE_I64:
        hone_jw_i64(w, v->u.i64);
        break;
    case HONE_F64:
        put_typed_f64(w, v->u.f64);
        break;
    case HONE_STRING:
    case HONE_BYTES:
        hone_jw_str(w, v->u.str);
        break;
    case HONE_LIST:
        hone_jw_list(w);
        for (size_t i = 0; i < v->u.list.n && !w->out->failed; i++)
            hone_jw_value(w, &v->u.list.items[i]);
        hone_jw_end(w);
        break;
    case HONE_MAP:
        hone_jw_map(w);
        for (size_t i = 0; i < v->u.map.n && !w->out->failed; i++) {
            hone_jw_key_str(w, v->u.map.pairs[i].key);
            hone_jw_value(w, &v->u.map.pairs[i].value);
        }
        hone_jw_end(w);
        break;
    default:
        hone_jw_null(w);
        break;
    }
}

void hone_jw_kstr(hone_jw *w, const char *k, hone_str s)
{
    hone_jw_key(w, k);
    hone_jw_str(w, s);
}

void hone_jw_kcstr(hone_jw *w, const char *k, const char *z)
{
    hone_jw_key(w, k);
    hone_jw_cstr(w, z);
}

void hone_jw_ki64(hone_jw *w, const char *k, int64_t v)
{
    hone_jw_key(w, k);
    hone_jw_i64(w, v);
}

void hone_jw_kf64(hone_jw *w, const char *k, double v)
{
    hone_jw_key(w, k);
    hone_jw_f64(w, v);
}

void hone_jw_kbool(hone_jw *w, const char *k, int v)
{
    hone_jw_key(w, k);
    hone_jw_bool(w, v);
}
