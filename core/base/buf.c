/* buf.c - see buf.h.
 *
 * Growth is by half again, never past max + 1 (the NUL). The empty buffer points at a shared "" that
 * is never written, so that init cannot fail and `ptr` is always a C string. */
#include "base/buf.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char nothing[1];

void hone_buf_init(hone_buf *b, size_t max)
{
    b->ptr = nothing;
    b->len = b->cap = 0;
    b->max = max;
    b->failed = HONE_OK;
}

void hone_buf_release(hone_buf *b)
{
    if (b->cap)
        hone_free(b->ptr);
    hone_buf_init(b, b->max);
}

void hone_buf_clear(hone_buf *b)
{
    b->len = 0;
    b->failed = HONE_OK;
    if (b->cap)
        b->ptr[0] = 0;
}

hone_status hone_buf_reserve(hone_buf *b, size_t more)
{
    size_t want;
    if (b->failed)
        return b->failed;
    if (!hone_add_size(b->len, more, &want) || want > b->max)
        return b->failed = hone_fail(HONE_E_LIMIT, "a text grew past its limit of %zu bytes",
                                     b->max);
    if (b->cap && want < b->cap)
        return HONE_OK;
    size_t cap = b->cap + b->cap / 2;
    if (cap < 64)
        cap = 64;
    if (cap <= want)
        cap = want + 1; /* no overflow: want <= max, and want + 1 == 0 needs want == SIZE_MAX */
    if (b->max < SIZE_MAX && cap > b->max + 1)
        cap = b->max + 1;
    if (cap == 0)
        return b->failed = hone_fail(HONE_E_LIMIT, "a text grew past the address space");
    char *p = hone_realloc(b->cap ? b->ptr : NULL, cap);
    if (!p)
        return b->failed = HONE_E_NOMEM;
    p[b->len] = 0;
    b->ptr = p;
    b->cap = cap;
    return HONE_OK;
}

hone_status hone_buf_add(hone_buf *b, const void *p, size_t n)
{
    if (n == 0)
        return b->failed;
    HONE_TRY(hone_buf_reserve(b, n));
    memcpy(b->ptr + b->len, p, n);
    b->len += n;
    b->ptr[b->len] = 0;
    return HONE_OK;
}

hone_status hone_buf_adds(hone_buf *b, const char *z)
{
    return hone_buf_add(b, z, strlen(z));
}

hone_status hone_buf_add_str(hone_buf *b, hone_str s)
{
    return hone_buf_add(b, s.ptr, s.len);
}

hone_status hone_buf_addc(hone_buf *b, char c)
{
    if (b->failed || b->len + 1 >= b->cap)
        HONE_TRY(hone_buf_reserve(b, 1));
    b->ptr[b->len++] = c;
    b->ptr[b->len] = 0;
    return HONE_OK;
}

hone_status hone_buf_addf(hone_buf *b, const char *fmt, ...)
{
    va_list args, again;
    if (b->failed)
        return b->failed;
    va_start(args, fmt);
    va_copy(again, args);
    char small[256];
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = hone_fail(HONE_E_INVALID, "a text could not be formatted");
    } else if ((size_t)n < sizeof small) {
        hone_buf_add(b, small, (size_t)n);
    } else if (hone_buf_reserve(b, (size_t)n) == HONE_OK) {
        vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return b->failed;
}

char *hone_buf_detach(hone_buf *b, size_t *len)
{
    if (b->failed || (b->cap == 0 && hone_buf_reserve(b, 0) != HONE_OK))
        return NULL;
    char *p = b->ptr;
    if (len)
        *len = b->len;
    hone_buf_init(b, b->max);
    return p;
}

hone_status hone_buf_check(const hone_buf *b, const char *what)
{
    if (b->failed >= 0 || b->failed == HONE_E_NOMEM)
        return b->failed;
    return hone_fail(b->failed, "%s: its text grew past %zu bytes", what, b->max);
}
