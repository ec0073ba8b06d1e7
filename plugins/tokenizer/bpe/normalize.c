/* normalize.c - the normalizers of tokenizer.json, one after the other, on a segment of text.
 *
 * Each rule reads one bpe_text and writes the other; both keep where their bytes come from. Unicode's
 * forms are made grapheme by grapheme, so that a token's place is known to the grapheme. Bytes that are
 * no UTF-8 pass as they are. Source: huggingface/tokenizers, src/normalizers; spm_precompiled. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* One grapheme cluster begins at i; where it ends. */
static size_t grapheme(const unsigned char *p, size_t n, size_t i)
{
    utf8proc_int32_t state = 0;
    uint32_t len, before = bpe_decode_char(p + i, n - i, &len);
    for (i += len; i < n && before != UINT32_MAX; i += len) {
        if (p[i] < 0x80 && p[i] != '\n')
            return i; /* ASCII joins nothing before it, but for CR LF */
        uint32_t c = bpe_decode_char(p + i, n - i, &len);
        if (c == UINT32_MAX ||
            utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, &state))
            return i;
        before = c;
    }
    return i;
}

static hone_status form(const bpe_mem *m, int flags, const bpe_text *in, bpe_text *out)
{
    const unsigned char *p = in->bytes.v;
    size_t n = in->bytes.n, done = 0;
    for (size_t i = 0, end; i < n; i = end) {
        if (p[i] < 0x80 && (i + 1 == n || p[i + 1] < 0x80)) {
            end = i + 1;
            continue;
        }
        end = grapheme(p, n, i);
        utf8proc_uint8_t *made = NULL;
        utf8proc_ssize_t k = utf8proc_map(p + i, (utf8proc_ssize_t)(end - i), &made,
                                          (utf8proc_option_t)flags);
        int ok = k != UTF8PROC_ERROR_NOMEM;
        if (k >= 0 && ((size_t)k != end - i || memcmp(made, p + i, end - i) != 0)) {
            ok = bpe_text_copy(m, out, in, done, i) &&
                 bpe_text_put(m, out, in, made, (size_t)k, i, end);
            done = end;
        }
        free(made);
        if (!ok)
            return HONE_E_NOMEM;
    }
    return bpe_text_copy(m, out, in, done, n) ? HONE_OK : HONE_E_NOMEM;
}

static int chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static int nmt_drops(uint32_t c)
{
    return (c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F ||
           c == 0x9F;
}

static int nmt_space(uint32_t c)
{
    return c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

/* What takes the place of a character: length in `put`, or -1: itself. */
static int instead(const bpe_rule *r, uint32_t c, char put[16])
{
    int category;
    switch (r->kind) {
    case BPE_N_LOWER:
        if (c == 0x130) {
            memcpy(put, "i\xCC\x87", 3);
            return 3;
        }
        break;
    case BPE_N_MARKS:
    case BPE_N_MN:
        category = bpe_category(c);
        return category == UTF8PROC_CATEGORY_MN ||
                       (r->kind == BPE_N_MARKS &&
                        (category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME))
                   ? 0
                   : -1;
    case BPE_N_CLEAN:
        if (c == '\t' || c == '\n' || c == '\r' || bpe_class(c) == BPE_C_SPACE) {
            category = c == 0x85 ? UTF8PROC_CATEGORY_CC : 0; /* NEL is a control character */
            put[0] = ' ';
            return c == ' ' ? -1 : category || c == 0x0B || c == 0x0C ? 0 : 1;
        }
        category = bpe_category(c);
        return c == 0 || c == 0xFFFD || category == UTF8PROC_CATEGORY_CC ||
                       category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO
                   ? 0
                   : -1;
    case BPE_N_CHINESE:
        if (!chinese(c))
            return -1;
        put[0] = ' ';
        size_t n = bpe_put_char(c, put + 1);
        put[n + 1] = ' ';
        return (int)n + 2;
    case BPE_N_NMT:
        put[0] = ' ';
        return nmt_drops(c) ? 0 : nmt_space(c) ? 1 : -1;
    default:
        break;
    }
    uint32_t lower = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return lower == c ? -1 : (int)bpe_put_char(lower, put);
}

static hone_status each(const bpe_mem *m, const bpe_rule *r, const bpe_text *in, bpe_text *out)
{
    const unsigned char *p = in->bytes.v;
    size_t n = in->bytes.n, done = 0;
    uint32_t len;
    for (size_t i = 0; i < n; i += len) {
        char put[16];
        uint32_t c = bpe_decode_char(p + i, n - i, &len);
        int k = c == UINT32_MAX ? -1 : instead(r, c, put);
        if (k < 0)
            continue;
        if (!bpe_text_copy(m, out, in, done, i) ||
            !bpe_text_put(m, out, in, put, (size_t)k, i, i + len))
            return HONE_E_NOMEM;
        done = i + len;
    }
    return bpe_text_copy(m, out, in, done, n) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status strip(const bpe_mem *m, const bpe_rule *r, const bpe_text *in, bpe_text *out)
{
    const unsigned char *p = in->bytes.v;
    size_t n = in->bytes.n, begin = 0, end = 0;
    uint32_t len;
    while (r->left && begin < n &&
           bpe_class(bpe_decode_char(p + begin, n - begin, &len)) == BPE_C_SPACE)
        begin += len;
    end = r->right ? begin : n;
    for (size_t i = begin; r->right && i < n; i += len)
        if (bpe_class(bpe_decode_char(p + i, n - i, &len)) != BPE_C_SPACE)
            end = i + len;
    return bpe_text_copy(m, out, in, begin, end) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status replace(bpe_work *w, const bpe_rule *r, const bpe_text *in, bpe_text *out)
{
    const bpe_mem *m = w->mem;
    const unsigned char *p = in->bytes.v;
    size_t n = in->bytes.n, done = 0, at = 1, end = 0;
    for (;;) {
        int found = 0;
        if (r->re) {
            found = bpe_regex_next(w, r->re, p, n, &at, &end);
        } else {
            const unsigned char *q = bpe_find(p + end, n - end, r->a.ptr, r->a.len);
            found = q != NULL;
            if (q) {
                at = (size_t)(q - p);
                end = at + r->a.len;
            }
        }
        if (found < 0)
            return found;
        if (!found)
            break;
        if (!bpe_text_copy(m, out, in, done, at) ||
            !bpe_text_put(m, out, in, r->b.ptr, r->b.len, at, end))
            return HONE_E_NOMEM;
        done = end;
    }
    return bpe_text_copy(m, out, in, done, n) ? HONE_OK : HONE_E_NOMEM;
}

/* Short graphemes whole, otherwise character by character; the shortest beginning that the map knows
 * stands for all of it, as Hugging Face does it. */
static hone_status charsmap(const bpe_mem *m, const bpe_charsmap *map, const bpe_text *in,
                            bpe_text *out)
{
    const unsigned char *p = in->bytes.v;
    size_t n = in->bytes.n, done = 0;
    hone_str r;
    for (size_t i = 0, end; i < n; i = end) {
        end = grapheme(p, n, i);
        uint32_t len = (uint32_t)(end - i);
        for (size_t at = i; at < end; at += len) {
            if (end - i >= 6 || at > i || !bpe_charsmap_find(map, p + i, end - i, 1, &r)) {
                bpe_decode_char(p + at, end - at, &len);
                if (!bpe_charsmap_find(map, p + at, len, 1, &r))
                    continue;
            }
            if (!bpe_text_copy(m, out, in, done, at) ||
                !bpe_text_put(m, out, in, r.ptr, r.len, at, at + len))
                return HONE_E_NOMEM;
            done = at + len;
        }
    }
    return bpe_text_copy(m, out, in, done, n) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status bytes(const bpe_mem *m, const bpe_text *in, bpe_text *out)
{
    const unsigned char *p = in->bytes.v;
    char put[4];
    for (size_t i = 0; i < in->bytes.n; i++)
        if (!bpe_text_put(m, out, in, put, bpe_byte_char(p[i], put), i, i + 1))
            return HONE_E_NOMEM;
    return HONE_OK;
}

static hone_status prepend(const bpe_mem *m, const bpe_rule *r, const bpe_text *in, bpe_text *out)
{
    if (in->bytes.n && !bpe_text_put(m, out, in, r->a.ptr, r->a.len, 0, 0))
        return HONE_E_NOMEM;
    return bpe_text_copy(m, out, in, 0, in->bytes.n) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status run(bpe_work *w, const bpe_rule *r, const bpe_text *in, bpe_text *out)
{
    switch (r->kind) {
    case BPE_N_FORM:
        return form(w->mem, r->form, in, out);
    case BPE_N_STRIP:
        return strip(w->mem, r, in, out);
    case BPE_N_REPLACE:
        return replace(w, r, in, out);
    case BPE_N_PREPEND:
        return prepend(w->mem, r, in, out);
    case BPE_N_CHARSMAP:
        return charsmap(w->mem, &r->map, in, out);
    case BPE_N_BYTES:
        return bytes(w->mem, in, out);
    default:
        return each(w->mem, r, in, out);
    }
}

/* Rules that make more and more of a text, as a hostile file may have them, end here. */
enum { MOST_TIMES = 64, MOST_MORE = 1 << 20 };

hone_status bpe_normalize(const bpe_tok *t, bpe_work *w, hone_str text, int first, int map)
{
    if (t->only_spaces) {
        int dummy = (t->only_spaces == BPE_SPACES_FRONT && !w->inner) ||
                    (t->only_spaces == BPE_SPACES_FIRST && first);
        w->norm.most = 0;
        return bpe_spm_spaces(w->mem, text, dummy, map, &w->norm) ? HONE_OK : HONE_E_NOMEM;
    }
    w->norm.most = w->norm2.most = text.len * MOST_TIMES + MOST_MORE;
    if (!bpe_text_init(w->mem, &w->norm, text.ptr, text.len))
        return HONE_E_NOMEM;
    for (int i = 0; i < t->n_rules + t->spm_on; i++) {
        bpe_text_clear(&w->norm2);
        hone_status s = HONE_OK;
        if (i < t->n_rules)
            s = run(w, &t->rules[i], &w->norm, &w->norm2);
        else if (!bpe_spm_run(&t->spm, w->mem, &w->norm, &w->norm2, first))
            s = HONE_E_NOMEM;
        if (s == HONE_E_NOMEM && w->norm2.bytes.n > text.len * (MOST_TIMES / 2) + MOST_MORE / 2) {
            w->failed = "the normalizer makes a text more than 64 times as long";
            s = HONE_E_LIMIT;
        }
        if (s < 0)
            return s;
        bpe_text swap = w->norm;
        w->norm = w->norm2;
        w->norm2 = swap;
    }
    return HONE_OK;
}
