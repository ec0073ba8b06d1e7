/* utf8.c - is it UTF-8, and if not, the nearest text that is (see utf8.h).
 *
 * Ill-formed parts are cut as Unicode 15, table 3-7 has it: the longest beginning of a well-formed
 * sequence is one U+FFFD, so that a cut character shows as one mark and nothing after it is lost. */
#include "base/utf8.h"

#include <utf8proc.h>

#include <string.h>

/* How many bytes at p are the beginning of a well-formed sequence (at least 1), and how many it needs. */
static size_t subpart(const unsigned char *p, size_t n, size_t *need)
{
    unsigned char lo = 0x80, hi = 0xBF, c = p[0];
    *need = c < 0x80                 ? 1
            : c >= 0xC2 && c <= 0xDF ? 2
            : c >= 0xE0 && c <= 0xEF ? 3
            : c >= 0xF0 && c <= 0xF4 ? 4
                                     : 0;
    if (c == 0xE0)
        lo = 0xA0;
    else if (c == 0xED)
        hi = 0x9F;
    else if (c == 0xF0)
        lo = 0x90;
    else if (c == 0xF4)
        hi = 0x8F;
    size_t k = 1;
    for (; k < *need && k < n; k++) {
        if (p[k] < lo || p[k] > hi)
            break;
        lo = 0x80;
        hi = 0xBF;
    }
    return k;
}

int hone_utf8_step(hone_str s, size_t i, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)s.ptr + i;
    size_t need, k = subpart(p, s.len - i, &need);
    if (need == 0 || k < need)
        return need != 0 && i + k == s.len ? -1 : 0;
    if (code)
        *code = need == 1   ? p[0]
                : need == 2 ? (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu)
                : need == 3 ? (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu)
                            : (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 |
                                  (p[3] & 0x3Fu);
    return (int)need;
}

#define HIGH 0x8080808080808080ull
/* Vectors of the baseline's width, read from any address. */
typedef uint64_t words __attribute__((vector_size(16), aligned(1), may_alias));

/* 64 bytes at p without a high bit? */
static inline int ascii64(const char *p)
{
    const words *v = (const words *)(const void *)p;
    const words all = v[0] | v[1] | v[2] | v[3];
    return ((all[0] | all[1]) & HIGH) == 0;
}

/* Where the well-formed text that begins at i ends. */
static size_t valid_run(hone_str s, size_t i)
{
    while (i < s.len) {
        uint64_t w;
        size_t left = s.len - i;
        if (left >= 64 && ascii64(s.ptr + i)) {
            i += 64;
            continue;
        }
        if (left < 64 && s.len >= 64 && ascii64(s.ptr + s.len - 64))
            return s.len; /* the end, with some of what was seen before */
        if (left >= sizeof w) {
            memcpy(&w, s.ptr + i, sizeof w);
            if ((w & HIGH) == 0) {
                i += sizeof w;
                continue;
            }
        }
        if ((unsigned char)s.ptr[i] < 0x80) {
            i++;
            continue;
        }
        int k = hone_utf8_step(s, i, NULL);
        if (k <= 0)
            break;
        i += (size_t)k;
    }
    return i;
}

int hone_utf8_valid(hone_str s)
{
    return valid_run(s, 0) == s.len;
}

hone_status hone_utf8_clean(hone_str s, hone_buf *out)
{
    for (size_t i = 0; i < s.len;) {
        size_t end = valid_run(s, i), need;
        HONE_TRY(hone_buf_add(out, s.ptr + i, end - i));
        if (end == s.len)
            break;
        HONE_TRY(hone_buf_add(out, "\xEF\xBF\xBD", 3));
        i = end + subpart((const unsigned char *)s.ptr + end, s.len - end, &need);
    }
    return HONE_OK;
}

int hone_utf8_is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c | 32) >= 'a' && (c | 32) <= 'z';
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return 1;
    default:
        return 0;
    }
}
