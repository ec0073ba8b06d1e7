/* pretok.c - normalised text to pieces to ids, for every model but bytes.
 *
 * Pre-tokenizers cut pieces or rewrite them (byte-level alphabet, Metaspace); rewriting keeps the places.
 * Without any the whole text is one piece. What a piece becomes is the model's: chars.c, merge_spm.c,
 * unigram.c, words.c. Source: huggingface/tokenizers, src/pre_tokenizers. */
#include "bpe.h"

#include <string.h>

/* A piece, rewritten, as one piece or (Metaspace with split) several. */
static int rewrite(const bpe_step *s, bpe_work *w, bpe_piece piece, int first)
{
    const bpe_mem *m = w->mem;
    const bpe_text *in = &w->seg;
    bpe_text *out = &w->seg2;
    const char *p = (const char *)in->bytes.v;
    size_t begin = out->bytes.n, k = s->pattern.len;
    char put[4];
    if (s->kind == BPE_STEP_PREFIX_SPACE)
        return (p[piece.begin] == ' ' ||
                bpe_text_put(m, out, in, " ", 1, piece.begin, piece.begin)) &&
               bpe_text_copy(m, out, in, piece.begin, piece.end) &&
               bpe_add_piece(w, begin, out->bytes.n);
    if (s->kind == BPE_STEP_BYTES) {
        for (size_t i = piece.begin; i < piece.end; i++)
            if (!bpe_text_put(m, out, in, put, bpe_byte_char((unsigned char)p[i], put), i, i + 1))
                return 0;
        return bpe_add_piece(w, begin, out->bytes.n);
    }
    int has = p[piece.begin] == ' ' ||
              (piece.end - piece.begin >= k && memcmp(p + piece.begin, s->pattern.ptr, k) == 0);
    int at_begin = first && ((const uint32_t *)in->from.v)[piece.begin] == 0;
    if (!has && (s->scheme == BPE_ALWAYS || (s->scheme == BPE_FIRST && at_begin)) &&
        !bpe_text_put(m, out, in, s->pattern.ptr, k, piece.begin, piece.begin))
        return 0;
    for (size_t i = piece.begin; i < piece.end; i++)
        if (p[i] == ' ' ? !bpe_text_put(m, out, in, s->pattern.ptr, k, i, i + 1)
                        : !bpe_text_copy(m, out, in, i, i + 1))
            return 0;
    const char *q = (const char *)out->bytes.v;
    for (size_t i = begin + 1; s->split && i + k <= out->bytes.n; i++)
        if (memcmp(q + i, s->pattern.ptr, k) == 0) {
            if (!bpe_add_piece(w, begin, i))
                return 0;
            begin = i;
        }
    return bpe_add_piece(w, begin, out->bytes.n);
}

static hone_status rewrite_step(bpe_work *w, const bpe_step *s, int first)
{
    bpe_vec swap = w->pieces;
    w->pieces = w->pieces2;
    w->pieces2 = swap;
    w->pieces2.n = 0;
    bpe_text_clear(&w->seg2);
    for (size_t i = 0; i < w->pieces.n; i++)
        if (!rewrite(s, w, ((bpe_piece *)w->pieces.v)[i], first))
            return HONE_E_NOMEM;
    bpe_text t = w->seg;
    w->seg = w->seg2;
    w->seg2 = t;
    return HONE_OK;
}

static hone_status model(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                         size_t left, size_t base, int spans)
{
    if (t->words_apart)
        return bpe_apart(t, w, text, n, base, spans);
    w->unk_floor = w->ids.n;
    return bpe_add_word(t, w, text, n, left, base, spans, !spans) ? HONE_OK
           : w->failed                                            ? HONE_E_INVALID
                                                                  : HONE_E_NOMEM;
}

hone_status bpe_general(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int first, int spans)
{
    if (n == 0)
        return HONE_OK;
    if (t->n_steps == 0)
        return model(t, w, text, n, n, base, spans);
    if (!bpe_text_init(w->mem, &w->seg, text, n))
        return HONE_E_NOMEM;
    w->pieces.n = w->pieces2.n = 0;
    if (!bpe_add_piece(w, 0, n))
        return HONE_E_NOMEM;
    for (int k = 0; k < t->n_steps; k++) {
        const bpe_step *s = &t->steps[k];
        hone_status st = s->kind == BPE_STEP_PREFIX_SPACE || s->kind == BPE_STEP_METASPACE ||
                                 s->kind == BPE_STEP_BYTES
                             ? rewrite_step(w, s, first)
                             : bpe_cut_step(w, s, w->seg.bytes.v);
        if (st < 0)
            return st;
    }
    size_t before = w->spans.n;
    for (size_t i = 0; i < w->pieces2.n; i++) {
        bpe_piece p = ((bpe_piece *)w->pieces2.v)[i];
        hone_status st = model(t, w, (unsigned char *)w->seg.bytes.v + p.begin, p.end - p.begin,
                               w->seg.bytes.n - p.begin, p.begin, spans);
        if (st < 0)
            return st;
    }
    const uint32_t *from = w->seg.from.v, *to = w->seg.to.v;
    for (size_t i = before; i < w->spans.n; i++) {
        hone_span32 *v = &((hone_span32 *)w->spans.v)[i];
        uint32_t end = v->end > v->begin ? to[v->end - 1] : from[v->begin];
        v->begin = (uint32_t)base + from[v->begin];
        v->end = (uint32_t)base + end;
    }
    return HONE_OK;
}
