/* added.c - finds added tokens in a text: leftmost, then longest.
 *
 * The contents are sorted by bytes; a candidate place (its first byte begins some content) narrows a
 * range of them byte by byte. Few bytes of a text are candidates, so this costs little more than the
 * look at each byte, or memchr where all contents begin alike. */
#include "bpe.h"

#include <string.h>

/* First index in [lo, hi) whose byte `d` is >= b (contents shorter than d come first). */
static size_t lower(const bpe_matcher *m, size_t lo, size_t hi, size_t d, int b)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        hone_str c = m->v[mid]->content;
        int byte = d < c.len ? (unsigned char)c.ptr[d] : -1;
        if (byte < b)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const bpe_added *bpe_match_at(const bpe_matcher *m, hone_str text, size_t at)
{
    size_t lo = 0, hi = m->n;
    const bpe_added *found = NULL;
    for (size_t d = 0; at + d < text.len && lo < hi; d++) {
        int b = (unsigned char)text.ptr[at + d];
        lo = lower(m, lo, hi, d, b);
        hi = lower(m, lo, hi, d, b + 1);
        if (lo < hi && m->v[lo]->content.len == d + 1)
            found = m->v[lo];
    }
    return found;
}

int bpe_match_next(const bpe_matcher *m, hone_str text, size_t from, size_t *begin,
                   const bpe_added **out)
{
    for (size_t i = from; m->n && i < text.len; i++) {
        if (m->only >= 0) {
            const char *p = memchr(text.ptr + i, m->only, text.len - i);
            if (!p)
                return 0;
            i = (size_t)(p - text.ptr);
        } else if (!m->first[(unsigned char)text.ptr[i]]) {
            continue;
        }
        const bpe_added *a = bpe_match_at(m, text, i);
        if (a) {
            *begin = i;
            *out = a;
            return 1;
        }
    }
    return 0;
}
