/* grow.c - growing texts in the host's counted memory, and texts as JSON strings.
 *
 * What every source of this folder's neighbours needs too (plugins/source/local.mk compiles it into them). A text grows
 * by doubling; nothing here has a limit of its own, who reads from outside sets one. Source: RFC 8259, section 7. */
#include "grow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void *memory_resize(const memory *m, void *p, size_t old_size, size_t size)
{
    return ((const hone_mem_v1 *)m->ref.vt)->resize(m->ref.self, p, old_size, size);
}

int text_add(const memory *mem, text *t, const void *p, size_t n)
{
    if (n > t->cap - t->n) {
        size_t cap = t->cap ? t->cap : 1024;
        while (cap - t->n < n)
            cap *= 2;
        char *q = memory_resize(mem, t->p, t->cap, cap);
        if (!q)
            return ENOMEM;
        t->p = q;
        t->cap = cap;
    }
    if (n)
        memcpy(t->p + t->n, p, n);
    t->n += n;
    return 0;
}

void text_free(const memory *mem, text *t)
{
    memory_resize(mem, t->p, t->cap, 0);
    memset(t, 0, sizeof *t);
}

/* Bytes of the UTF-8 character at p, 0: it is none. (Unicode, table 3-7) */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    unsigned char c = p[0], low = 0x80, high = 0xBF;
    size_t k = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (k == 0 || k > n)
        return 0;
    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < k; i++, low = 0x80, high = 0xBF)
        if (p[i] < low || p[i] > high)
            return 0;
    return k;
}

int text_add_json(const memory *mem, text *t, const char *p, size_t n, size_t *bad)
{
    size_t plain = 0;
    int e = text_add(mem, t, "\"", 1);
    for (size_t i = 0, k; i < n && !e; i += k) {
        unsigned char c = (unsigned char)p[i];
        char esc[8];
        k = utf8_length((const unsigned char *)p + i, n - i);
        if (k == 0 || c == 0) {
            *bad = i;
            return EILSEQ;
        }
        if (c >= 32 && c != '"' && c != '\\')
            continue;
        e = text_add(mem, t, p + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r')
            snprintf(esc, sizeof esc, "\\%c",
                     c == '\n'   ? 'n'
                     : c == '\t' ? 't'
                     : c == '\r' ? 'r'
                                 : c);
        else
            snprintf(esc, sizeof esc, "\\u%04x", c);
        if (!e)
            e = text_add(mem, t, esc, strlen(esc));
    }
    if (!e)
        e = text_add(mem, t, p + plain, n - plain);
    return e ? e : text_add(mem, t, "\"", 1);
}
