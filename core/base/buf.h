/* buf.h - a growable byte buffer with a mandatory maximum (curl's dynbuf, git's strbuf).
 *
 * Always NUL-terminated one past `len`. Errors are sticky: once an append failed, later ones fail
 * with the same code, so a writer checks once at the end. init/release/clear as everywhere. */
#ifndef HONE_CORE_BASE_BUF_H
#define HONE_CORE_BASE_BUF_H
#include "base/error.h"

typedef struct hone_buf {
    char *ptr; /* never NULL after init: an empty buffer points at "" */
    size_t len, cap, max;
    hone_status failed;
} hone_buf;

#define HONE_BUF_MAX_DEFAULT ((size_t)1 << 30)

void hone_buf_init(hone_buf *b, size_t max); /* allocates nothing */
void hone_buf_release(hone_buf *b);
void hone_buf_clear(hone_buf *b); /* len = 0, memory kept, error forgotten */
hone_status hone_buf_reserve(hone_buf *b, size_t more);
hone_status hone_buf_add(hone_buf *b, const void *p, size_t n);
hone_status hone_buf_adds(hone_buf *b, const char *z);
hone_status hone_buf_add_str(hone_buf *b, hone_str s);
hone_status hone_buf_addc(hone_buf *b, char c);
hone_status hone_buf_addf(hone_buf *b, const char *fmt, ...) HONE_PRINTF(2, 3);
/* HONE_OK, or the failure of the first append, reported as "<what>: ..." (memory as itself). */
hone_status hone_buf_check(const hone_buf *b, const char *what);
/* Hands the bytes over: *b is empty again; free with hone_free. NULL when b->failed. */
char *hone_buf_detach(hone_buf *b, size_t *len);
static inline hone_str hone_buf_str(const hone_buf *b)
{
    hone_str s = {b->ptr, b->len};
    return s;
}
#endif
