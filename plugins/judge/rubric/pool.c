/* pool.c - see pool.h. Blocks double from 4 KB to 1 MB; a larger request has a block of its own. */
#include "pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20 };
#define ONE_MAX ((size_t)1 << 30)

typedef struct pool_block {
    struct pool_block *next;
    size_t size, used; /* of the bytes behind this head */
} pool_block;
enum { HEAD = (sizeof(pool_block) + 15) / 16 * 16 };

static void *resize(const pool *p, void *old, size_t old_size, size_t size)
{
    const hone_mem_v1 *vt = p->mem.vt;
    return vt->resize(p->mem.self, old, old_size, size);
}

void *pool_alloc(pool *p, size_t n, size_t size)
{
    if (size && n > ONE_MAX / size)
        return NULL;
    size_t want = (n * size + 15) / 16 * 16;
    pool_block *b = p->head;
    if (want == 0)
        want = 16;
    if (!b || b->size - b->used < want) {
        size_t room = b ? 2 * b->size : BLOCK_MIN;
        room = room > BLOCK_MAX ? BLOCK_MAX : room;
        room = room < want ? want : room;
        pool_block *fresh = resize(p, NULL, 0, HEAD + room);
        if (!fresh)
            return NULL;
        fresh->next = b;
        fresh->size = room;
        fresh->used = 0;
        p->head = b = fresh;
    }
    void *at = (char *)b + HEAD + b->used;
    b->used += want;
    memset(at, 0, want);
    return at;
}

hone_str pool_copy(pool *p, hone_str s)
{
    char *to = s.len < ONE_MAX ? pool_alloc(p, s.len + 1, 1) : NULL;
    if (!to)
        return (hone_str){NULL, 0};
    if (s.len)
        memcpy(to, s.ptr, s.len);
    return (hone_str){to, s.len};
}

void pool_release(pool *p)
{
    while (p->head) {
        pool_block *b = p->head;
        p->head = b->next;
        resize(p, b, HEAD + b->size, 0);
    }
}

/* ---- texts ----------------------------------------------------------------------------------------------- */

void grown_init(grown *g, const pool *owner, size_t max)
{
    memset(g, 0, sizeof *g);
    g->owner = owner;
    g->max = max;
}

void grown_release(grown *g)
{
    if (g->ptr)
        resize(g->owner, g->ptr, g->cap, 0);
    grown_init(g, g->owner, g->max);
}

void grown_add(grown *g, const void *p, size_t n)
{
    if (g->failed || n == 0)
        return;
    if (n >= g->max - g->len) {
        g->failed = 1;
        return;
    }
    if (g->len + n + 1 > g->cap) {
        size_t cap = g->cap ? g->cap : 256;
        while (cap < g->len + n + 1)
            cap *= 2;
        char *more = resize(g->owner, g->ptr, g->cap, cap);
        if (!more) {
            g->failed = 1;
            return;
        }
        g->ptr = more;
        g->cap = cap;
    }
    memcpy(g->ptr + g->len, p, n);
    g->len += n;
    g->ptr[g->len] = '\0';
}

void grown_z(grown *g, const char *z)
{
    grown_add(g, z, strlen(z));
}

/* Length of the well-formed character at s (1-4), or 0. */
static size_t character(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    const size_t k = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < k)
        return 0;
    for (size_t i = 1; i < k; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return k;
}

void grown_json(grown *g, hone_str s)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)s.ptr;
    grown_add(g, "\"", 1);
    for (size_t i = 0; i < s.len;) {
        size_t run = i;
        while (run < s.len && p[run] >= 32 && p[run] < 127 && p[run] != '"' && p[run] != '\\')
            run++;
        grown_add(g, s.ptr + i, run - i);
        i = run;
        if (i == s.len)
            break;
        const size_t k = character(p + i, s.len - i);
        if (p[i] == '"' || p[i] == '\\') {
            grown_add(g, "\\", 1);
            grown_add(g, s.ptr + i, 1);
        } else if (p[i] == '\n') {
            grown_z(g, "\\n");
        } else if (k == 1) {
            const char u[6] = {'\\', 'u', '0', '0', hex[p[i] >> 4], hex[p[i] & 15]};
            grown_add(g, u, 6);
        } else if (k) {
            grown_add(g, s.ptr + i, k);
        } else {
            grown_z(g, "\\ufffd");
        }
        i += k ? k : 1;
    }
    grown_add(g, "\"", 1);
}

void grown_u64(grown *g, uint64_t v)
{
    char text[24];
    grown_add(g, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)v));
}

void grown_f64(grown *g, double v)
{
    char text[40];
    if (!isfinite(v)) {
        grown_z(g, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    for (char *c = text; *c; c++)
        if (*c == ',') /* another locale's point */
            *c = '.';
    grown_z(g, text);
}

void grown_value(grown *g, const hone_value *v)
{
    char text[24];
    switch (v->type) {
    case HONE_BOOL:
        grown_z(g, v->u.boolean ? "true" : "false");
        break;
    case HONE_I64:
        grown_add(g, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v->u.i64));
        break;
    case HONE_F64:
        grown_f64(g, v->u.f64);
        break;
    case HONE_STRING:
        grown_json(g, v->u.str);
        break;
    case HONE_LIST:
        grown_z(g, "[");
        for (size_t i = 0; i < v->u.list.n; i++) {
            if (i)
                grown_z(g, ",");
            grown_value(g, &v->u.list.items[i]);
        }
        grown_z(g, "]");
        break;
    case HONE_MAP:
        grown_z(g, "{");
        for (size_t i = 0; i < v->u.map.n; i++) {
            if (i)
                grown_z(g, ",");
            grown_json(g, v->u.map.pairs[i].key);
            grown_z(g, ":");
            grown_value(g, &v->u.map.pairs[i].value);
        }
        grown_z(g, "}");
        break;
    default:
        grown_z(g, "null");
    }
}
