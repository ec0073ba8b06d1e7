/* text.c - JSON, written: values of the host's into one growing buffer. See command.h.
 *
 * Numbers are the shortest that read back equal, in every locale. A failure is sticky, so a writer looks once. */
#include "command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = HONE_VALUE_DEPTH + 4 };
#define TEXT_MAX ((size_t)1 << 31)

void jtext_clear(jtext *t)
{
    t->n = 0;
    t->failed = 0;
}

void jtext_release(jtext *t)
{
    if (t->p)
        memory_resize(t->mem, t->p, t->cap, 0);
    t->p = NULL;
    t->n = t->cap = 0;
}

static char *room(jtext *t, size_t n)
{
    if (t->failed)
        return NULL;
    if (n > t->cap - t->n) {
        size_t cap = t->cap ? t->cap : 4096;
        if (n > TEXT_MAX - t->n) {
            t->failed = 1;
            return NULL;
        }
        while (cap - t->n < n)
            cap *= 2;
        char *p = memory_resize(t->mem, t->p, t->cap, cap);
        if (!p) {
            t->failed = 1;
            return NULL;
        }
        t->p = p;
        t->cap = cap;
    }
    return t->p + t->n;
}

void jtext_bytes(jtext *t, const char *p, size_t n)
{
    char *to = room(t, n);
    if (to && n) {
        memcpy(to, p, n);
        t->n += n;
    }
}

void jtext_raw(jtext *t, const char *z)
{
    jtext_bytes(t, z, strlen(z));
}

/* Bytes of the character that begins at p, or 0 when it is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (p[0] < 0x80)
        return 1;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static int is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void jtext_string(jtext *t, hone_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    jtext_bytes(t, "\"", 1);
    while (i < s.len) {
        size_t from = i, len;
        while (i < s.len && is_plain(p[i]))
            i++;
        jtext_bytes(t, s.ptr + from, i - from);
        if (i == s.len)
            break;
        if (p[i] < 0x20 || p[i] == '"' || p[i] == '\\') {
            char esc[8];
            const char *known = strchr("\"\\\n\r\t", p[i]);
            if (p[i] && known)
                snprintf(esc, sizeof esc, "\\%c", "\"\\nrt"[known - "\"\\\n\r\t"]);
            else
                snprintf(esc, sizeof esc, "\\u%04x", (unsigned)p[i]);
            jtext_raw(t, esc);
            i++;
        } else if ((len = utf8_length(p + i, s.len - i)) > 0) {
            jtext_bytes(t, s.ptr + i, len);
            i += len;
        } else {
            jtext_raw(t, "\xef\xbf\xbd");
            i++;
        }
    }
    jtext_bytes(t, "\"", 1);
}

void jtext_integer(jtext *t, int64_t x)
{
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)x);
    jtext_raw(t, number);
}

void jtext_number(jtext *t, double x)
{
    char number[40];
    if (!isfinite(x)) {
        jtext_raw(t, "null");
        return;
    }
    for (int digits = 1; digits <= 17; digits += digits == 1 ? 14 : 1) {
        snprintf(number, sizeof number, "%.*g", digits, x);
        if (strtod(number, NULL) == x)
            break;
    }
    for (char *c = number; *c; c++) /* whatever the locale's decimal point is */
        if (*c == ',')
            *c = '.';
    if (!strpbrk(number, ".en")) { /* stays no integer */
        size_t n = strlen(number);
        memcpy(number + n, ".0", 3);
    }
    jtext_raw(t, number);
}

void jtext_key(jtext *t, const char *name, int *first)
{
    if (!*first)
        jtext_bytes(t, ",", 1);
    *first = 0;
    jtext_string(t, hone_str_c(name));
    jtext_bytes(t, ":", 1);
}

static void value_at(jtext *t, const hone_value *v, int depth)
{
    if (depth > DEPTH_MAX) {
        t->failed = 1;
        return;
    }
    switch (v->type) {
    case HONE_BOOL:
        jtext_raw(t, v->u.boolean ? "true" : "false");
        break;
    case HONE_I64:
        jtext_integer(t, v->u.i64);
        break;
    case HONE_F64:
        jtext_number(t, v->u.f64);
        break;
    case HONE_STRING:
    case HONE_BYTES:
        jtext_string(t, v->u.str);
        break;
    case HONE_LIST:
        jtext_bytes(t, "[", 1);
        for (size_t i = 0; i < v->u.list.n; i++) {
            if (i)
                jtext_bytes(t, ",", 1);
            value_at(t, &v->u.list.items[i], depth + 1);
        }
        jtext_bytes(t, "]", 1);
        break;
    case HONE_MAP:
        jtext_bytes(t, "{", 1);
        for (size_t i = 0; i < v->u.map.n; i++) {
            if (i)
                jtext_bytes(t, ",", 1);
            jtext_string(t, v->u.map.pairs[i].key);
            jtext_bytes(t, ":", 1);
            value_at(t, &v->u.map.pairs[i].value, depth + 1);
        }
        jtext_bytes(t, "}", 1);
        break;
    default:
        jtext_raw(t, "null");
    }
}

void jtext_value(jtext *t, const hone_value *v)
{
    value_at(t, v, 0);
}

const hone_value *member(const hone_value *map, const char *name)
{
    size_t n = strlen(name);
    if (!map || map->type != HONE_MAP)
        return NULL;
    for (size_t i = 0; i < map->u.map.n; i++) {
        hone_str key = map->u.map.pairs[i].key;
        if (key.len == n && memcmp(key.ptr, name, n) == 0)
            return &map->u.map.pairs[i].value;
    }
    return NULL;
}

int number_of(const hone_value *v, double *out)
{
    if (!v)
        return 0;
    if (v->type == HONE_F64)
        *out = v->u.f64;
    else if (v->type == HONE_I64)
        *out = (double)v->u.i64;
    else if (v->type == HONE_BOOL)
        *out = v->u.boolean ? 1 : 0;
    else
        return 0;
    return 1;
}
