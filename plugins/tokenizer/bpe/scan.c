/* scan.c - words of the well-known patterns, found by hand.
 *
 * Each scanner gives what the regular expression in bpe.h gives, match by match (a test compares
 * them on random text); PCRE2 runs at a tenth of this speed. Characters have one of four
 * classes: letter (\p{L}), number (\p{N}), space (White_Space), other. A byte that begins no UTF-8
 * character is an `other` of one byte.
 *
 * Classes of the first plane are looked up in a table that is filled once from utf8proc. */
#include "bpe.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

enum { L = BPE_C_LETTER, N = BPE_C_NUMBER, S = BPE_C_SPACE, O = BPE_C_OTHER };

static uint8_t plane0[65536];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int class_of(uint32_t c)
{
    if ((c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
        (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
        c == 0x3000)
        return S;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return L;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return N;
    default:
        return O;
    }
}

static void fill(void)
{
    for (uint32_t c = 0; c < 65536; c++)
        plane0[c] = (uint8_t)class_of(c);
}

void bpe_classes_init(void)
{
    pthread_once(&once, fill);
}

int bpe_class(uint32_t code)
{
    return code < 65536 ? plane0[code] : code > 0x10FFFF ? O : class_of(code);
}

int bpe_category(uint32_t code)
{
    return code > 0x10FFFF ? 0 : (int)utf8proc_category((utf8proc_int32_t)code);
}

int bpe_is_word(uint32_t c)
{
    switch (bpe_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
        return 1;
    case UTF8PROC_CATEGORY_SO: /* letters in circles and squares are Alphabetic */
        return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
               (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
    default:
        return bpe_class(c) == L || c == 0x200C || c == 0x200D;
    }
}

int bpe_is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
               (c >= 123 && c <= 126);
    switch (bpe_category(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return 1;
    default:
        return 0;
    }
}

size_t bpe_put_char(uint32_t code, char out[4])
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)out);
}

uint32_t bpe_decode_char(const unsigned char *p, size_t n, uint32_t *len)
{
    uint32_t c = p[0];
    *len = 1;
    if (c < 0x80)
        return c;
    if (c >= 0xC2 && c <= 0xDF && n >= 2 && (p[1] & 0xC0) == 0x80) {
        *len = 2;
        return (c & 0x1F) << 6 | (p[1] & 0x3Fu);
    }
    if ((c & 0xF0) == 0xE0 && n >= 3 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        uint32_t code = (c & 0x0F) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        if (code >= 0x800 && (code < 0xD800 || code > 0xDFFF)) {
            *len = 3;
            return code;
        }
    }
    if (c >= 0xF0 && c <= 0xF4 && n >= 4 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80 &&
        (p[3] & 0xC0) == 0x80) {
        uint32_t code = (c & 0x07) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 |
                        (p[3] & 0x3Fu);
        if (code >= 0x10000 && code <= 0x10FFFF) {
            *len = 4;
            return code;
        }
    }
    return UINT32_MAX;
}

static inline int class_at(const unsigned char *p, size_t i, size_t n, uint32_t *len)
{
    if (p[i] < 0x80) {
        *len = 1;
        return plane0[p[i]];
    }
    return bpe_class(bpe_decode_char(p + i, n - i, len));
}

static inline size_t run_of(int cls, const unsigned char *p, size_t i, size_t n)
{
    uint32_t len;
    while (i < n && class_at(p, i, n, &len) == cls)
        i += len;
    return i;
}

/* Length of a contraction at p[i] == '\'', or 0. */
static size_t contraction(const unsigned char *p, size_t i, size_t n, int caseless)
{
    if (i + 1 >= n)
        return 0;
    unsigned char a = p[i + 1], b = i + 2 < n ? p[i + 2] : 0;
    if (caseless) {
        if (a == 0xC5 && b == 0xBF)
            return 3; /* long s folds to s */
        if (a >= 'A' && a <= 'Z')
            a = (unsigned char)(a + 32);
        if (b >= 'A' && b <= 'Z')
            b = (unsigned char)(b + 32);
    }
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return 0;
}

/* \s+(?!\S)|\s+ at i, a space: the run without its last character when something follows it.
 * `stop`: what follows counts as the end (it was cut off by an earlier step). */
static size_t spaces(const unsigned char *p, size_t i, size_t n, int digits_apart)
{
    size_t q = i, last = i;
    uint32_t len;
    int cls = S;
    while (q < n && (cls = class_at(p, q, n, &len)) == S) {
        last = q;
        q += len;
    }
    if (q >= n || last == i || (digits_apart && cls == N))
        return q;
    return last;
}

static size_t next_gpt2(const unsigned char *p, size_t i, size_t n, int digits_apart)
{
    uint32_t len, len2;
    if (p[i] == '\'') {
        size_t c = contraction(p, i, n, 0);
        if (c)
            return i + c;
    }
    int cls = class_at(p, i, n, &len);
    if (p[i] == ' ' && i + 1 < n) {
        int second = class_at(p, i + 1, n, &len2);
        if (second == L || second == O || (second == N && !digits_apart))
            return run_of(second, p, i + 1 + len2, n);
    }
    if (cls == S)
        return spaces(p, i, n, digits_apart);
    if (cls == N && digits_apart)
        return i + len;
    return run_of(cls, p, i + len, n);
}

static inline int newline(unsigned char c)
{
    return c == '\n' || c == '\r';
}

static size_t next_llama3(const unsigned char *p, size_t i, size_t n, int max_digits)
{
    uint32_t len, len2;
    if (p[i] == '\'') {
        size_t c = contraction(p, i, n, 1);
        if (c)
            return i + c;
    }
    int cls = class_at(p, i, n, &len);
    if (cls == L)
        return run_of(L, p, i + len, n);
    int second = i + len < n ? class_at(p, i + len, n, &len2) : -1;
    if (cls != N && !newline(p[i]) && second == L)
        return run_of(L, p, i + len + len2, n);
    if (cls == N) {
        size_t q = i + len;
        for (int k = 1; k < max_digits && q < n && class_at(p, q, n, &len) == N; k++)
            q += len;
        return q;
    }
    if (cls == O || (p[i] == ' ' && second == O)) {
        size_t q = run_of(O, p, i + len, n);
        while (q < n && newline(p[q]))
            q++;
        return q;
    }
    size_t q = i, after_newline = 0;
    while (q < n && class_at(p, q, n, &len) == S) {
        if (newline(p[q]))
            after_newline = q + 1;
        q += len;
    }
    return after_newline ? after_newline : spaces(p, i, n, 0);
}

size_t bpe_scan(int scanner, const unsigned char *text, size_t n, size_t *from, uint32_t *ends,
                size_t max)
{
    size_t k = 0, i = *from;
    switch (scanner) {
    case BPE_SCAN_GPT2:
        for (; k < max && i < n; k++)
            ends[k] = (uint32_t)(i = next_gpt2(text, i, n, 0));
        break;
    case BPE_SCAN_GPT2_DIGITS:
        for (; k < max && i < n; k++)
            ends[k] = (uint32_t)(i = next_gpt2(text, i, n, 1));
        break;
    case BPE_SCAN_LLAMA3:
        for (; k < max && i < n; k++)
            ends[k] = (uint32_t)(i = next_llama3(text, i, n, 3));
        break;
    case BPE_SCAN_QWEN2:
        for (; k < max && i < n; k++)
            ends[k] = (uint32_t)(i = next_llama3(text, i, n, 1));
        break;
    default:
        break;
    }
    *from = i;
    return k;
}
