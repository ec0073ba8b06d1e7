/* words.c - see words.h. ASCII goes by a table; utf8proc says what any other character is. */
#include "curate/words.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

#define OTHER HONE_CHAR_OTHER
#define BLANK HONE_CHAR_SPACE
#define WORD HONE_CHAR_WORD
#define FOUR(k) k, k, k, k
#define TEN(k) FOUR(k), FOUR(k), k, k
#define LETTERS TEN(WORD), TEN(WORD), FOUR(WORD), WORD, WORD
static const unsigned char ascii_kinds[128] = {
    FOUR(OTHER), FOUR(OTHER), OTHER, FOUR(BLANK), BLANK,       TEN(OTHER),
    FOUR(OTHER), FOUR(OTHER), BLANK, FOUR(OTHER), TEN(OTHER),  OTHER,
    TEN(WORD),   FOUR(OTHER), OTHER, OTHER,       OTHER,       LETTERS,
    FOUR(OTHER), OTHER,       OTHER, LETTERS,     FOUR(OTHER), OTHER};

/* Scripts that write no blanks between words. */
static int stands_alone(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF) ||
           (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1780 && c <= 0x17FF) ||
           (c >= 0x1000 && c <= 0x109F);
}

int hone_char_kind(uint32_t c)
{
    if (c < 0x80)
        return ascii_kinds[c];
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return stands_alone(c) ? HONE_CHAR_ALONE : HONE_CHAR_WORD;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return HONE_CHAR_SPACE;
    default:
        return HONE_CHAR_OTHER;
    }
}

static size_t put_code(uint32_t c, char out[4])
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

/* Appends a character in lower case. */
static hone_status add_low(hone_buf *out, uint32_t c)
{
    char bytes[4];
    c = c < 0x80 ? (c >= 'A' && c <= 'Z' ? c | 32 : c)
                 : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return hone_buf_add(out, bytes, put_code(c, bytes));
}

void hone_words_init(hone_words *w)
{
    memset(w, 0, sizeof *w);
    hone_buf_init(&w->low, HONE_BUF_MAX_DEFAULT);
}

void hone_words_release(hone_words *w)
{
    if (w->low.ptr)
        hone_buf_release(&w->low);
    hone_free(w->v);
    memset(w, 0, sizeof *w);
}

static hone_status add_word(hone_words *w, size_t from, size_t to)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 256;
        hone_word *grown = hone_reallocarray(w->v, cap, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        w->v = grown;
        w->cap = cap;
    }
    w->v[w->n++] = (hone_word){hone_xxh64(w->low.ptr, w->low.len, 0), (uint32_t)from,
                               (uint32_t)(to - from)};
    hone_buf_clear(&w->low);
    return HONE_OK;
}

/* Letters and digits of ASCII from i on, in lower case behind what `low` has. */
static hone_status ascii_run(hone_str t, size_t i, size_t *to, hone_buf *low)
{
    size_t end = i;
    while (end < t.len && (unsigned char)t.ptr[end] < 0x80 &&
           ascii_kinds[(unsigned char)t.ptr[end]] == HONE_CHAR_WORD)
        end++;
    const size_t at = low->len;
    HONE_TRY(hone_buf_add(low, t.ptr + i, end - i));
    for (size_t k = at; k < low->len; k++)
        low->ptr[k] = (char)(low->ptr[k] >= 'A' && low->ptr[k] <= 'Z' ? low->ptr[k] | 32
                                                                      : low->ptr[k]);
    *to = end;
    return HONE_OK;
}

hone_status hone_words_of(hone_words *w, hone_str text)
{
    size_t from = 0;
    w->n = 0;
    hone_buf_clear(&w->low);
    if (text.len >= UINT32_MAX)
        return hone_fail(HONE_E_LIMIT, "a text of 4 GiB and more");
    for (size_t i = 0; i < text.len;) {
        uint32_t c = (unsigned char)text.ptr[i];
        int kind, n = 1;
        if (c < 0x80) {
            kind = ascii_kinds[c];
            if (kind == HONE_CHAR_WORD) {
                from = w->low.len ? from : i;
                HONE_TRY(ascii_run(text, i, &i, &w->low));
                continue;
            }
        } else {
            n = hone_utf8_step(text, i, &c);
            if (n <= 0)
                return hone_fail(HONE_E_PARSE, "a text is not well-formed UTF-8");
            kind = hone_char_kind(c);
        }
        if (kind == HONE_CHAR_WORD) {
            from = w->low.len ? from : i;
            HONE_TRY(add_low(&w->low, c));
        } else {
            if (w->low.len)
                HONE_TRY(add_word(w, from, i));
            if (kind == HONE_CHAR_ALONE) {
                HONE_TRY(add_low(&w->low, c));
                HONE_TRY(add_word(w, i, i + (size_t)n));
            }
        }
        i += (size_t)n;
    }
    return w->low.len ? add_word(w, from, text.len) : HONE_OK;
}

static const char *const folds[] = {"none", "space", "case", "words", NULL};

const char *hone_fold_name(hone_fold how)
{
    return folds[how];
}

hone_status hone_fold_parse(const char *name, hone_fold *out)
{
    for (int i = 0; folds[i]; i++)
        if (strcmp(name, folds[i]) == 0) {
            *out = (hone_fold)i;
            return HONE_OK;
        }
    const char *close = hone_closest(name, folds);
    hone_fail(HONE_E_USAGE, "normalise %s: none, space, case or words", name);
    return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_USAGE;
}

hone_status hone_fold_text(hone_fold how, hone_str t, hone_buf *out)
{
    size_t room;
    int blank = 0;
    if (how == HONE_FOLD_NONE)
        return hone_buf_add_str(out, t);
    if (!hone_mul_size(
            t.len, 2, &room)) /* a small letter may be longer than its capital, not twice as long */
        return hone_fail(HONE_E_LIMIT, "a text is too long");
    HONE_TRY(hone_buf_reserve(out, room + 8));
    char *const begin = out->ptr + out->len, *to = begin;
    for (size_t i = 0; i < t.len;) {
        uint32_t c = (unsigned char)t.ptr[i];
        const int n = c < 0x80 ? 1 : hone_utf8_step(t, i, &c);
        if (n <= 0)
            return hone_fail(HONE_E_PARSE, "a text is not well-formed UTF-8");
        const int kind = c < 0x80 ? ascii_kinds[c] : hone_char_kind(c);
        if (how == HONE_FOLD_WORDS ? kind < HONE_CHAR_WORD : kind == HONE_CHAR_SPACE) {
            blank = to > begin;
            i += (size_t)n;
            continue;
        }
        *to = ' ';
        to += blank;
        blank = 0;
        if (c < 0x80) {
            *to++ = how != HONE_FOLD_SPACE && c >= 'A' && c <= 'Z' ? (char)(c | 32) : (char)c;
        } else if (how == HONE_FOLD_SPACE) {
            memcpy(to, t.ptr + i, (size_t)n);
            to += n;
        } else {
            to += put_code((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), to);
        }
        i += (size_t)n;
    }
    out->len += (size_t)(to - begin);
    out->ptr[out->len] = 0;
    return HONE_OK;
}
