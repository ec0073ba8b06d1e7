/* encode.c - one text to ids: added tokens, normalisation, words.
 *
 * As Hugging Face does it: added tokens that are matched on the text as written are cut out first,
 * what lies between is normalised, those matched on normalised text are cut out of that, and only the
 * rest goes to the pre-tokenizer. Special tokens are looked for when the caller asks. */
#include "bpe.h"

#include <string.h>

#define AT_BEGIN (1u << 31) /* the segment begins the caller's text */

uint32_t bpe_char_before(const unsigned char *p, size_t at)
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
    if (begin > 0 && bpe_is_word(bpe_char_before(p, begin)))
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
                uint32_t c = bpe_char_before(p, *begin);
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

/* Words of text without added tokens; first: it begins the caller's text. */
static hone_status segment(const bpe_tok *t, bpe_work *w, hone_str text, size_t begin, size_t end,
                           size_t base, int first, int spans)
{
    const unsigned char *p = (const unsigned char *)text.ptr + begin;
    if (t->model == BPE_M_BYTES)
        return bpe_segment(t, w, p, end - begin, base + begin, spans);
    return bpe_general(t, w, p, end - begin, base + begin, first && begin == 0, spans);
}

/* Normalised text at `base` of `spans`. */
static hone_status normalised(const bpe_tok *t, bpe_work *w, hone_str text, size_t base,
                              uint32_t flags, int spans)
{
    const bpe_matcher *m = flags & HONE_ENCODE_SPECIAL ? &t->norm : &t->norm_plain;
    int first = (flags & AT_BEGIN) != 0;
    size_t done = 0, from = 0, begin, end;
    const bpe_added *a;
    hone_status s;
    while (m->n && next_added(m, text, done, &from, &begin, &end, &a)) {
        s = segment(t, w, text, done, begin, base, first, spans);
        if (s < 0)
            return s;
        if (!bpe_push(w, a->id, base + begin, base + end, spans))
            return HONE_E_NOMEM;
        done = end;
        w->inner = 0;
    }
    return segment(t, w, text, done, text.len, base, first, spans);
}

static hone_status written(const bpe_tok *t, bpe_work *w, hone_str text, size_t base,
                           uint32_t flags, int spans)
{
    int same = !t->n_rules && !t->spm_on;
    hone_status s = HONE_OK;
    if (text.len == 0)
        return HONE_OK;
    w->inner = base == 0 && w->continues;
    if (base == 0 && !w->inner)
        flags |= AT_BEGIN;
    if (t->nfc)
        s = bpe_nfc(w, (const unsigned char *)text.ptr, text.len, spans, &same);
    else if (!same)
        s = bpe_normalize(t, w, text, (flags & AT_BEGIN) != 0, spans);
    if (s < 0)
        return s;
    if (same)
        return normalised(t, w, text, base, flags, spans);
    size_t first = w->spans.n;
    hone_str n = bpe_text_str(&w->norm);
    s = normalised(t, w, n, 0, flags, spans);
    const uint32_t *from = w->norm.from.v, *to = w->norm.to.v;
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

/* tokenizer.json's truncation: as many ids of the text as leave room for what is put around. */
static void truncate(const bpe_tok *t, bpe_work *w, size_t around, size_t front, int spans)
{
    size_t room = t->max_length > around ? t->max_length - around : 0, n = w->ids.n - front;
    if (!t->max_length || n <= room)
        return;
    if (t->truncate_left) {
        int32_t *ids = (int32_t *)w->ids.v + front;
        hone_span32 *v = (hone_span32 *)w->spans.v + (spans ? front : 0);
        memmove(ids, ids + (n - room), room * sizeof *ids);
        if (spans)
            memmove(v, v + (n - room), room * sizeof *v);
    }
    w->ids.n = front + room;
    if (spans)
        w->spans.n = front + room;
}

hone_status bpe_encode(const bpe_tok *t, bpe_work *w, hone_str text, uint32_t flags)
{
    int add = (flags & HONE_ENCODE_ADD) != 0, spans = (flags & HONE_ENCODE_OFFSETS) != 0;
    const bpe_matcher *m = flags & HONE_ENCODE_SPECIAL ? &t->raw : &t->raw_plain;
    size_t done = 0, from = 0, begin, end;
    const bpe_added *a;
    hone_status s;
    w->ids.n = w->spans.n = 0;
    w->failed = NULL;
    w->continues = (flags & HONE_ENCODE_CONTINUES) != 0;
    if (text.len > INT32_MAX) {
        w->failed = "a text is longer than 2 GiB";
        return HONE_E_LIMIT;
    }
    for (size_t i = 0; add && !w->continues && i < t->n_front; i++)
        if (!bpe_push(w, t->add_front[i], 0, 0, spans))
            return HONE_E_NOMEM;
    while (m->n && next_added(m, text, done, &from, &begin, &end, &a)) {
        hone_str part = {text.ptr + done, begin - done};
        s = written(t, w, part, done, flags & HONE_ENCODE_SPECIAL, spans);
        if (s < 0)
            return s;
        if (!bpe_push(w, a->id, begin, end, spans))
            return HONE_E_NOMEM;
        done = end;
    }
    hone_str rest = {text.ptr + done, text.len - done};
    s = written(t, w, rest, done, flags & HONE_ENCODE_SPECIAL, spans);
    if (s >= 0 && (flags & HONE_ENCODE_TRUNCATE))
        truncate(t, w, add ? t->n_front + t->n_back : 0, add ? t->n_front : 0, spans);
    for (size_t i = 0; s >= 0 && add && !(flags & HONE_ENCODE_GOES_ON) && i < t->n_back; i++)
        if (!bpe_push(w, t->add_back[i], text.len, text.len, spans))
            return HONE_E_NOMEM;
    return s;
}
