/* encode.c - one text to ids: added tokens, normalisation, words.
 *
 * As Hugging Face does it: added tokens that are matched on the text as written are cut out first,
 * what lies between is normalised, those matched on normalised text are cut out of that, and only the
 * rest goes to the pre-tokenizer. Special tokens are looked for when the caller asks. */
#include "bpe.h"

#include <string.h>

static int add_id(bpe_work *w, int32_t id, size_t begin, size_t end, int spans)
{
    if (!bpe_vec_room(w->mem, &w->ids, 1, sizeof(int32_t)))
        return 0;
    if (spans) {
        if (!bpe_vec_room(w->mem, &w->spans, 1, sizeof(hone_span32)))
            return 0;
        hone_span32 s = {(uint32_t)begin, (uint32_t)end};
        ((hone_span32 *)w->spans.v)[w->spans.n++] = s;
    }
    ((int32_t *)w->ids.v)[w->ids.n++] = id;
    return 1;
}

static uint32_t char_before(const unsigned char *p, size_t at)
{
    size_t i = at;
    uint32_t len;
    do
        i--;
    while (i > 0 && at - i < 4 && (p[i] & 0xC0) == 0x80);
    uint32_t c = bpe_decode_char(p + i, at - i, &len);
    return len == at - i ? c : UINT32_MAX;
}

static int stands_alone(hone_str text, size_t begin, size_t end)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    uint32_t len;
    if (begin > 0 && bpe_is_word(char_before(p, begin)))
        return 0;
    return end == text.len || !bpe_is_word(bpe_decode_char(p + end, text.len - end, &len));
}

/* The next added token that counts, with the white space it takes along. */
static int next_added(const bpe_matcher *m, hone_str text, size_t done, size_t *from, size_t *begin,
                      size_t *end, const bpe_added **out)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    while (bpe_match_next(m, text, *from, begin, out)) {
        const bpe_added *a = *out;
        *end = *begin + a->content.len;
        *from = *end;
        if (*begin < done || (a->single_word && !stands_alone(text, *begin, *end)))
            continue;
        uint32_t len;
        if (a->lstrip)
            while (*begin > done) {
                uint32_t c = char_before(p, *begin);
                if (bpe_class(c) != BPE_C_SPACE)
                    break;
                *begin -= c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
            }
        if (a->rstrip)
            while (*end < text.len &&
                   bpe_class(bpe_decode_char(p + *end, text.len - *end, &len)) == BPE_C_SPACE)
                *end += len;
        return 1;
    }
    return 0;
}

/* Normalised text at `base` of `spans`. */
static hone_status normalised(const bpe_tok *t, bpe_work *w, hone_str text, size_t base,
                              int special, int spans)
{
    const bpe_matcher *m = special ? &t->norm : &t->norm_plain;
    size_t done = 0, from = 0, begin, end;
    const bpe_added *a;
    hone_status s;
    while (m->n && next_added(m, text, done, &from, &begin, &end, &a)) {
        s = bpe_segment(t, w, (const unsigned char *)text.ptr + done, begin - done, base + done,
                        spans);
        if (s < 0)
            return s;
        if (!add_id(w, a->id, base + begin, base + end, spans))
            return HONE_E_NOMEM;
        done = end;
    }
    return bpe_segment(t, w, (const unsigned char *)text.ptr + done, text.len - done, base + done,
                       spans);
}

static hone_status written(const bpe_tok *t, bpe_work *w, hone_str text, size_t base, int special,
                           int spans)
{
    int same = 1;
    if (text.len == 0)
        return HONE_OK;
    if (t->nfc) {
        hone_status s = bpe_nfc(w, (const unsigned char *)text.ptr, text.len, spans, &same);
        if (s < 0)
            return s;
    }
    if (same)
        return normalised(t, w, text, base, special, spans);
    size_t first = w->spans.n;
    hone_str n = {w->norm.v, w->norm.n};
    hone_status s = normalised(t, w, n, 0, special, spans);
    const uint32_t *from = w->norm_begin.v, *to = w->norm_end.v;
    for (size_t i = first; s >= 0 && i < w->spans.n; i++) {
        hone_span32 *v = &((hone_span32 *)w->spans.v)[i];
        if (v->begin < v->end) {
            v->end = (uint32_t)base + to[v->end - 1];
            v->begin = (uint32_t)base + from[v->begin];
        } else {
            v->begin = v->end = (uint32_t)base +
                                (v->begin < n.len ? from[v->begin] : (uint32_t)text.len);
        }
    }
    return s;
}

hone_status bpe_encode(const bpe_tok *t, bpe_work *w, hone_str text, uint32_t flags)
{
    int special = (flags & HONE_ENCODE_SPECIAL) != 0, spans = (flags & HONE_ENCODE_OFFSETS) != 0;
    const bpe_matcher *m = special ? &t->raw : &t->raw_plain;
    size_t done = 0, from = 0, begin, end;
    const bpe_added *a;
    hone_status s;
    w->ids.n = w->spans.n = 0;
    w->failed = NULL;
    if (text.len > INT32_MAX) {
        w->failed = "a text is longer than 2 GiB";
        return HONE_E_LIMIT;
    }
    for (size_t i = 0; (flags & HONE_ENCODE_ADD) && i < t->n_front; i++)
        if (!add_id(w, t->add_front[i], 0, 0, spans))
            return HONE_E_NOMEM;
    while (m->n && next_added(m, text, done, &from, &begin, &end, &a)) {
        hone_str part = {text.ptr + done, begin - done};
        s = written(t, w, part, done, special, spans);
        if (s < 0)
            return s;
        if (!add_id(w, a->id, begin, end, spans))
            return HONE_E_NOMEM;
        done = end;
    }
    hone_str rest = {text.ptr + done, text.len - done};
    s = written(t, w, rest, done, special, spans);
    for (size_t i = 0; s >= 0 && (flags & HONE_ENCODE_ADD) && i < t->n_back; i++)
        if (!add_id(w, t->add_back[i], text.len, text.len, spans))
            return HONE_E_NOMEM;
    return s;
}
