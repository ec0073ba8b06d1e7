/* grammar_utf8.c - sets of characters, as ranges and as rows of bytes.
 *
 * A range of characters is split where its UTF-8 changes length and where a trailing byte does not run over all of
 * 80..BF; each piece is one range a byte. The pieces of one range share no byte sequence. (Unicode 15, table 3-7; the
 * splitting: R. Cox, "Regular expression matching in the wild", 2010) */
#include "gen/grammar_int.h"

#include <stdlib.h>
#include <string.h>

static int by_lo(const void *a, const void *b)
{
    const hone__crange *x = a, *y = b;
    if (x->lo != y->lo)
        return x->lo < y->lo ? -1 : 1;
    return x->hi < y->hi ? -1 : x->hi > y->hi;
}

/* r without U+D800..U+DFFF, into out; how many. */
static size_t no_surrogates(hone__crange r, hone__crange *out)
{
    size_t n = 0;
    if (r.hi > 0x10ffff)
        r.hi = 0x10ffff;
    if (r.lo > r.hi)
        return 0;
    if (r.hi < 0xd800 || r.lo > 0xdfff) {
        out[n++] = r;
        return n;
    }
    if (r.lo < 0xd800)
        out[n++] = (hone__crange){r.lo, 0xd7ff};
    if (r.hi > 0xdfff)
        out[n++] = (hone__crange){0xe000, r.hi};
    return n;
}

size_t hone__crange_normal(hone__crange *r, size_t n, int negate, hone__crange *out)
{
    size_t k = 0, m = 0;
    uint32_t next = 0;
    if (n > 1)
        qsort(r, n, sizeof *r, by_lo);
    for (size_t i = 0; i < n; i++) { /* joined, in place: surrogates count as no gap */
        if (k && r[i].lo <= r[k - 1].hi + 1) {
            if (r[i].hi > r[k - 1].hi)
                r[k - 1].hi = r[i].hi;
        } else
            r[k++] = r[i];
    }
    if (!negate) {
        for (size_t i = 0; i < k; i++)
            m += no_surrogates(r[i], out + m);
        return m;
    }
    for (size_t i = 0; i < k && next <= 0x10ffff; i++) {
        if (r[i].lo > next)
            m += no_surrogates((hone__crange){next, r[i].lo - 1}, out + m);
        next = r[i].hi + 1;
    }
    if (next <= 0x10ffff)
        m += no_surrogates((hone__crange){next, 0x10ffff}, out + m);
    return m;
}

static uint8_t spell(uint32_t c, uint8_t *b)
{
    if (c < 0x80) {
        b[0] = (uint8_t)c;
        return 1;
    }
    uint8_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6)
        b[i] = (uint8_t)(0x80 | (c & 0x3f));
    b[0] = (uint8_t)((0xf0 << (4 - n)) | c);
    return n;
}

size_t hone__utf8_rows(hone__crange r, hone__utf8_row *out)
{
    static const uint32_t last[3] = {0x7f, 0x7ff, 0xffff};
    hone__crange left[16];
    size_t n_left = 0, n = 0;
    left[n_left++] = r;
    while (n_left) {
        hone__crange x = left[--n_left];
        int cut = 0;
        for (int i = 0; !cut && i < 3; i++)
            if (x.lo <= last[i] && x.hi > last[i]) {
                left[n_left++] = (hone__crange){last[i] + 1, x.hi};
                left[n_left++] = (hone__crange){x.lo, last[i]};
                cut = 1;
            }
        for (int i = 1; !cut && x.hi > 0x7f && i < 4; i++) {
            const uint32_t m = (1u << (6 * i)) - 1;
            if ((x.lo & ~m) == (x.hi & ~m))
                continue;
            const uint32_t at = x.lo & m ? x.lo | m : (x.hi & m) != m ? (x.hi & ~m) - 1 : 0;
            if (!at)
                continue;
            left[n_left++] = (hone__crange){at + 1, x.hi};
            left[n_left++] = (hone__crange){x.lo, at};
            cut = 1;
        }
        if (cut)
            continue;
        out[n].n = spell(x.lo, out[n].lo);
        (void)spell(x.hi, out[n].hi);
        n++;
    }
    return n;
}
