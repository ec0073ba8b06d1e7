/* spm.c - SentencePiece's normalizer on one segment of text.
 *
 * Beginnings of the text are replaced one after the other: a piece of the user's stays as it stands, what
 * the charsmap knows (the longest of several) becomes its text, any other character itself. Spaces at the
 * ends and second spaces go when remove_extra says so, one space comes in front (dummy prefix), and a
 * space is written U+2581 (escape). Source: sentencepiece's normalizer.cc, Normalizer::Normalize. */
#include "bpe.h"

#include <string.h>

/* The beginning of text[i, n): what takes its place and how many bytes it has. */
static size_t prefix(const bpe_spm *s, hone_str text, size_t i, hone_str *out)
{
    const unsigned char *p = (const unsigned char *)text.ptr + i;
    size_t n = text.len - i, k;
    uint32_t len;
    const bpe_added *user = s->user.n ? bpe_match_at(&s->user, text, i) : NULL;
    out->ptr = text.ptr + i;
    if (user)
        return out->len = user->content.len;
    if ((k = bpe_charsmap_find(&s->map, p, n, 0, out)) > 0)
        return k;
    if (bpe_decode_char(p, n, &len) == UINT32_MAX && !s->keep_invalid) {
        out->ptr = "\xEF\xBF\xBD";
        out->len = 3;
        return 1;
    }
    return out->len = len;
}

/* The bytes of r stand for in[a, b), spaces escaped. */
static int put(const bpe_spm *s, const bpe_mem *m, const bpe_text *in, bpe_text *out, hone_str r,
               size_t a, size_t b)
{
    const char *source = (const char *)in->bytes.v;
    int same = r.len == b - a && r.ptr == source + a;
    for (size_t i = 0; i < r.len;) {
        if (s->escape && r.ptr[i] == ' ') {
            size_t at = same ? a + i : a, end = same ? at + 1 : b;
            if (!bpe_text_put(m, out, in, BPE_WS, 3, at, end))
                return 0;
            i++;
            continue;
        }
        size_t k = i;
        while (k < r.len && !(s->escape && r.ptr[k] == ' '))
            k++;
        if (same ? !bpe_text_copy(m, out, in, a + i, a + k)
                 : !bpe_text_put(m, out, in, r.ptr + i, k - i, a, b))
            return 0;
        i = k;
    }
    return 1;
}

static int space(const bpe_spm *s, const bpe_mem *m, const bpe_text *in, bpe_text *out, size_t at)
{
    return bpe_text_put(m, out, in, s->escape ? BPE_WS : " ", s->escape ? 3 : 1, at, at);
}

int bpe_spm_run(const bpe_spm *s, const bpe_mem *m, const bpe_text *in, bpe_text *out, int first)
{
    hone_str text = bpe_text_str(in), r;
    size_t i = 0, ws = s->escape ? 3 : 1;
    int dummy = s->dummy_prefix && (first || !s->first_only), after_space = s->remove_extra;
    bpe_text_clear(out);
    while (s->remove_extra && i < text.len) {
        size_t k = prefix(s, text, i, &r);
        if (r.len != 1 || r.ptr[0] != ' ')
            break;
        i += k;
    }
    if (i == text.len)
        return 1;
    if (dummy && !s->suffix && !space(s, m, in, out, i))
        return 0;
    while (i < text.len) {
        size_t k = prefix(s, text, i, &r), cut = 0;
        while (after_space && r.len && r.ptr[0] == ' ') {
            r.ptr++;
            r.len--;
            cut++;
        }
        /* what stands for itself keeps its places although spaces were cut off */
        size_t a = cut && r.ptr == text.ptr + i + cut ? i + cut : i;
        if (r.len) {
            if (!put(s, m, in, out, r, a, i + k))
                return 0;
            after_space = r.ptr[r.len - 1] == ' ';
        }
        i += k;
        if (!s->remove_extra)
            after_space = 0;
    }
    while (s->remove_extra && out->bytes.n >= ws &&
           memcmp((char *)out->bytes.v + out->bytes.n - ws, s->escape ? BPE_WS : " ", ws) == 0)
        out->bytes.n = out->from.n = out->to.n = out->bytes.n - ws;
    return !dummy || !s->suffix || space(s, m, in, out, text.len);
}

int bpe_spm_spaces(const bpe_mem *m, hone_str text, int dummy, int map, bpe_text *out)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    dummy = dummy && text.len;
    size_t n = text.len + (dummy ? 3 : 0);
    bpe_text_clear(out);
    for (size_t i = 0; i < text.len; i++)
        n += p[i] == ' ' ? 2 : 0;
    if (!bpe_vec_room(m, &out->bytes, n, 1) ||
        (map && (!bpe_vec_room(m, &out->from, n, sizeof(uint32_t)) ||
                 !bpe_vec_room(m, &out->to, n, sizeof(uint32_t)))))
        return 0;
    char *q = out->bytes.v;
    size_t k = 0;
    if (dummy) {
        memcpy(q, BPE_WS, 3);
        k = 3;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] == ' ') {
            memcpy(q + k, BPE_WS, 3);
            k += 3;
        } else {
            q[k++] = (char)p[i];
        }
    }
    out->bytes.n = k;
    if (!map)
        return 1;
    uint32_t *from = out->from.v, *to = out->to.v;
    k = 0;
    if (dummy)
        for (; k < 3; k++)
            from[k] = to[k] = 0; /* stands for nothing of the text */
    for (size_t i = 0; i < text.len; i++)
        for (int times = p[i] == ' ' ? 3 : 1; times > 0; times--, k++) {
            from[k] = (uint32_t)i;
            to[k] = (uint32_t)i + 1;
        }
    out->from.n = out->to.n = k;
    return 1;
}
