/* decode.c - ids to text by tokenizer.json's decoders.
 *
 * A decoder is given the texts of all tokens and gives their new texts; the text is what they are when
 * put together. What a step makes of a token may depend on its place (first, last) and, for CTC, on the
 * one before, never on more. Bytes are given raw: a cut character is the host's to show.
 * Byte-level BPE alone needs none of this: its tokens' bytes stand in a table (bpe.c).
 * Source: huggingface/tokenizers, src/decoders. */
#include "bpe.h"

#include <string.h>

/* The texts: w->seg.bytes cut by w->pieces; a step writes w->seg2.bytes and w->pieces2. */
static int put(bpe_work *w, const char *p, size_t n)
{
    bpe_vec *v = &w->seg2.bytes;
    if (n > w->decode_most - (v->n < w->decode_most ? v->n : w->decode_most)) {
        w->failed = "the decoder makes a text more than 64 times as long";
        return 0;
    }
    if (!bpe_vec_room(w->mem, v, n, 1))
        return 0;
    if (n)
        memcpy((char *)v->v + v->n, p, n);
    v->n += n;
    return 1;
}

static int close_token(bpe_work *w, size_t begin)
{
    bpe_piece p = {(uint32_t)begin, (uint32_t)w->seg2.bytes.n};
    if (w->seg2.bytes.n > UINT32_MAX || !bpe_vec_room(w->mem, &w->pieces2, 1, sizeof p))
        return 0;
    ((bpe_piece *)w->pieces2.v)[w->pieces2.n++] = p;
    return 1;
}

static int begins(hone_str s, hone_str with)
{
    return with.len && s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0;
}

/* p with every `a` replaced by b, a not empty. */
static int put_replaced(bpe_work *w, hone_str s, hone_str a, hone_str b)
{
    size_t i = 0;
    while (a.len && s.len - i >= a.len) {
        const char *q = bpe_find(s.ptr + i, s.len - i, a.ptr, a.len);
        size_t k = q ? (size_t)(q - s.ptr) : s.len;
        if (!q)
            break;
        if (!put(w, s.ptr + i, k - i) || !put(w, b.ptr, b.len))
            return 0;
        i = k + a.len;
    }
    return put(w, s.ptr + i, s.len - i);
}

/* In the token that was just written at `begin`, every `from` becomes `to`, which is no longer. */
static void shrink(bpe_work *w, size_t begin, hone_str from, hone_str to)
{
    char *p = (char *)w->seg2.bytes.v + begin;
    size_t n = w->seg2.bytes.n - begin, o = 0;
    for (size_t i = 0; i < n;) {
        if (from.len && n - i >= from.len && memcmp(p + i, from.ptr, from.len) == 0) {
            memcpy(p + o, to.ptr, to.len);
            o += to.len;
            i += from.len;
        } else {
            p[o++] = p[i++];
        }
    }
    w->seg2.bytes.n = begin + o;
}

/* What English spelling lost to tokenization, as WordPiece and CTC put it back. */
static void clean_up(bpe_work *w, size_t begin)
{
    static const char *const pairs[][2] = {{" .", "."},     {" ?", "?"},           {" !", "!"},
                                           {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
                                           {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
                                           {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        hone_str from = {pairs[k][0], strlen(pairs[k][0])}, to = {pairs[k][1], strlen(pairs[k][1])};
        shrink(w, begin, from, to);
    }
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

int bpe_byte_token(hone_str s)
{
    if (s.len != 6 || memcmp(s.ptr, "<0x", 3) != 0 || s.ptr[5] != '>' || hex(s.ptr[3]) < 0 ||
        hex(s.ptr[4]) < 0)
        return -1;
    return hex(s.ptr[3]) << 4 | hex(s.ptr[4]);
}

static hone_status replace(bpe_work *w, const bpe_decoder *d, hone_str s)
{
    size_t done = 0, at = 1, end = 0;
    int found;
    if (!d->re)
        return put_replaced(w, s, d->a, d->b) ? HONE_OK : HONE_E_NOMEM;
    while ((found = bpe_regex_next(w, d->re, (const unsigned char *)s.ptr, s.len, &at, &end)) > 0) {
        if (!put(w, s.ptr + done, at - done) || !put(w, d->b.ptr, d->b.len))
            return HONE_E_NOMEM;
        done = end;
    }
    if (found < 0)
        return found;
    return put(w, s.ptr + done, s.len - done) ? HONE_OK : HONE_E_NOMEM;
}

static int strip(bpe_work *w, const bpe_decoder *d, hone_str s)
{
    for (size_t k = 0; k < d->start && begins(s, d->a); k++) {
        s.ptr += d->a.len;
        s.len -= d->a.len;
    }
    for (size_t k = 0; k < d->stop && s.len >= d->a.len && d->a.len; k++) {
        if (memcmp(s.ptr + s.len - d->a.len, d->a.ptr, d->a.len) != 0)
            break;
        s.len -= d->a.len;
    }
    return put(w, s.ptr, s.len);
}

/* The denormalizer; of a part of a text (inner) what needs the text's ends is left out. */
static int undo(bpe_work *w, const bpe_decoder *d, hone_str s, int inner)
{
    bpe_spm spm = *d->spm;
    if (inner) {
        spm.dummy_prefix = spm.remove_extra = 0;
        spm.keep_invalid = 1;
    }
    w->norm.most = w->norm2.most = 64 * s.len + (1 << 20);
    if (!bpe_text_init(w->mem, &w->norm, s.ptr, s.len) ||
        !bpe_spm_run(&spm, w->mem, &w->norm, &w->norm2, 1))
        return 0;
    hone_str out = bpe_text_str(&w->norm2);
    return put(w, out.ptr, out.len);
}

/* One token; first, last: its place. */
static hone_status token(bpe_work *w, const bpe_decoder *d, hone_str s, hone_str before, int first,
                         int last, int inner)
{
    static const hone_str space = {" ", 1}, none = {"", 0};
    size_t begin = w->seg2.bytes.n;
    int ok = 1, byte;
    switch (d->kind) {
    case BPE_D_WORDPIECE:
        if (!first && begins(s, d->a))
            ok = put(w, s.ptr + d->a.len, s.len - d->a.len);
        else
            ok = (first || put(w, " ", 1)) && put(w, s.ptr, s.len);
        break;
    case BPE_D_METASPACE:
        ok = put_replaced(w, s, d->a, first && d->first ? none : space);
        break;
    case BPE_D_SUFFIX:
        ok = put_replaced(w, s, d->a, last ? none : space);
        break;
    case BPE_D_FALLBACK:
        byte = bpe_byte_token(s);
        ok = byte >= 0 ? put(w, (const char[]){(char)byte}, 1) : put(w, s.ptr, s.len);
        break;
    case BPE_D_UNDO:
        ok = undo(w, d, s, inner);
        break;
    case BPE_D_STRIP:
        ok = strip(w, d, s);
        break;
    case BPE_D_CTC:
        if (before.ptr && s.len == before.len && memcmp(s.ptr, before.ptr, s.len) == 0)
            return HONE_OK;
        ok = put_replaced(w, s, d->a, none);
        if (ok && d->cleanup) {
            clean_up(w, begin);
            if (d->b.len)
                shrink(w, begin, d->b, space);
        }
        break;
    case BPE_D_BYTES:
        ok = bpe_vec_room(w->mem, &w->seg2.bytes, s.len, 1);
        size_t n = s.len;
        if (ok && bpe_unmap(s, (char *)w->seg2.bytes.v + begin, &n))
            w->seg2.bytes.n += n;
        else if (ok)
            ok = put(w, s.ptr, s.len);
        break;
    case BPE_D_JOIN:
        ok = (first || put(w, " ", 1)) && put(w, s.ptr, s.len);
        break;
    default: {
        hone_status r = replace(w, d, s);
        if (r < 0)
            return r;
    }
    }
    if (!ok)
        return HONE_E_NOMEM;
    if (d->cleanup && d->kind == BPE_D_WORDPIECE)
        clean_up(w, begin);
    return close_token(w, begin) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status step(bpe_work *w, const bpe_decoder *d, int inner, int *fused)
{
    size_t n = w->pieces.n;
    hone_str before = {NULL, 0};
    w->seg2.bytes.n = w->pieces2.n = 0;
    if (d->kind == BPE_D_FUSE) {
        *fused = 1;
        if (!put(w, w->seg.bytes.v, w->seg.bytes.n) || !close_token(w, 0))
            return HONE_E_NOMEM;
    }
    for (size_t i = 0; d->kind != BPE_D_FUSE && i < n; i++) {
        bpe_piece p = ((bpe_piece *)w->pieces.v)[i];
        hone_str s = {(char *)w->seg.bytes.v + p.begin, p.end - p.begin};
        bpe_decoder one = *d;
        if (inner && *fused) /* the whole text's ends are elsewhere */
            one.start = one.stop = 0;
        hone_status r = token(w, &one, s, before, i == 0 && !inner, i + 1 == n && !inner, inner);
        if (r < 0)
            return r;
        before = s;
    }
    bpe_text t = w->seg;
    bpe_vec v = w->pieces;
    w->seg = w->seg2;
    w->seg2 = t;
    w->pieces = w->pieces2;
    w->pieces2 = v;
    return HONE_OK;
}

hone_status bpe_decode(const bpe_tok *t, bpe_work *w, const int32_t *ids, size_t n, uint32_t flags,
                       int inner)
{
    int fused = 0;
    size_t length = 0;
    w->seg2.bytes.n = w->pieces2.n = 0;
    for (size_t i = 0; i < n; i++)
        length += ids[i] >= 0 && ids[i] < t->n_ids ? t->text[ids[i]].len + 1 : 0;
    w->decode_most = 64 * length + (1 << 20); /* a hostile file's rules may make more and more */
    for (size_t i = 0; i < n; i++) {
        int32_t id = ids[i];
        if (id < 0 || id >= t->n_ids || !t->text[id].ptr)
            return HONE_E_RANGE;
        if ((flags & HONE_DECODE_SKIP_SPECIAL) && t->special[id])
            continue;
        hone_str s = t->text[id];
        size_t begin = w->seg2.bytes.n;
        if (!put(w, s.ptr, s.len) || !close_token(w, begin))
            return HONE_E_NOMEM;
    }
    bpe_text swap = w->seg;
    bpe_vec v = w->pieces;
    w->seg = w->seg2;
    w->seg2 = swap;
    w->pieces = w->pieces2;
    w->pieces2 = v;
    for (int k = 0; k < t->n_decoders; k++) {
        hone_status s = step(w, &t->decoders[k], inner, &fused);
        if (s < 0)
            return s == HONE_E_NOMEM && w->failed ? HONE_E_LIMIT : s;
    }
    return HONE_OK;
}

hone_status bpe_decoder_bytes(bpe_tok *t, bpe_work *w)
{
    for (int32_t id = 0; id < t->n_ids && t->n_decoders; id++) {
        if (!t->text[id].ptr)
            continue;
        hone_status s = bpe_decode(t, w, &id, 1, 0, 1);
        if (s < 0)
            return s;
        t->bytes[id] = bpe_arena_str(&t->arena, w->seg.bytes.n ? w->seg.bytes.v : "",
                                     w->seg.bytes.n);
        if (!t->bytes[id].ptr)
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}
