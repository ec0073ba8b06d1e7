/* chars.c - characters, n-grams and references of text.h. */
#include "text.h"

#include <utf8proc.h>

uint32_t text_char(hone_str s, size_t *at)
{
    utf8proc_int32_t c = 0;
    const size_t left = s.len - *at;
    const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.ptr + *at,
                                                (utf8proc_ssize_t)(left < 4 ? left : 4), &c);
    if (n <= 0)
        return 0xDC00u + (unsigned char)s.ptr[(*at)++];
    *at += (size_t)n;
    return (uint32_t)c;
}

size_t text_put(uint32_t c, char out[4])
{
    if (c >= 0xDC00 && c < 0xDD00) {
        out[0] = (char)(c - 0xDC00);
        return 1;
    }
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

int text_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

uint32_t text_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xD800 && c < 0xE000)
        return c;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

uint32_t text_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (c >= 0xD800 && c < 0xE000)
        return c;
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
}

int text_class(uint32_t c, char major)
{
    return utf8proc_category_string((utf8proc_int32_t)c)[0] == major;
}

uint64_t text_key(hone_str s)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211u;
    return h;
}

size_t text_split(hone_str s, uint64_t *out)
{
    size_t n = 0, from = 0, at = 0;
    while (at < s.len) {
        const size_t before = at;
        if (!text_is_space(text_char(s, &at)))
            continue;
        if (before > from)
            out[n++] = text_key(part(s, from, before));
        from = at;
    }
    if (s.len > from)
        out[n++] = text_key(part(s, from, s.len));
    return n;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

size_t grams_of(const uint64_t *words, size_t n_words, size_t n, uint64_t *out)
{
    if (n_words < n)
        return 0;
    for (size_t i = 0; i + n <= n_words; i++) {
        uint64_t h = 0x9E3779B97F4A7C15u;
        for (size_t k = 0; k < n; k++) {
            h = (h ^ words[i + k]) * 0xBF58476D1CE4E5B9u;
            h ^= h >> 29;
        }
        out[i] = h;
    }
    qsort(out, n_words - n + 1, sizeof *out, by_value);
    return n_words - n + 1;
}

size_t grams_shared(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
    size_t both = 0;
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (a[i] == b[k]) {
            both++;
            i++;
            k++;
        } else if (a[i] < b[k])
            i++;
        else
            k++;
    }
    return both;
}

size_t grams_distinct(uint64_t *a, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || a[i] != a[i - 1])
            a[k++] = a[i];
    return k;
}

size_t words_common(const uint64_t *a, size_t n, const uint64_t *b, size_t m, uint32_t *row)
{
    memset(row, 0, (m + 1) * sizeof *row);
    for (size_t i = 0; i < n; i++) {
        uint32_t diagonal = 0;
        for (size_t k = 0; k < m; k++) {
            const uint32_t above = row[k + 1];
            if (a[i] == b[k])
                row[k + 1] = diagonal + 1;
            else if (row[k] > above)
                row[k + 1] = row[k];
            diagonal = above;
        }
    }
    return row[m];
}

void best_reference(const scoring *s, hone_str column, uint32_t on_missing, compare_fn compare,
                    verdict *v)
{
    const hone_value *reference = reference_of(s, column, on_missing, v);
    const size_t n = reference && reference->type == HONE_LIST ? reference->u.list.n : 1;
    double best = 0;
    if (!reference)
        return;
    for (size_t i = 0; i < n; i++) {
        cell_text buf;
        const hone_str text = cell_as_text(
            reference->type == HONE_LIST ? &reference->u.list.items[i] : reference, &buf);
        const double x = text.ptr ? compare(s->self, s->sample->completion, text) : -3;
        if (x < 0) {
            error_is(v, x == NO_MEMORY  ? "out of memory"
                        : x == TOO_LONG ? "a text has more than 10,000 words"
                                        : "the reference is no text");
            return;
        }
        best = x > best ? x : best;
    }
    score_is(v, best);
}
