/* merge_spm.c - SentencePiece's BPE: of all neighbours whose whole is a piece, those with the best score join.
 *
 * Symbols begin as characters (or as the user's pieces, which never join); a heap holds the candidate
 * pairs by score, then by place. A whole is looked up by its text, so no list of merges is needed. Pieces
 * marked unused serve to join through, and are taken apart again at the end. A character without piece
 * becomes its bytes where the model has pieces for bytes, otherwise unk, several of which in a row are one.
 *
 * Where nothing joins across the begin of a word, words are done one by one (apart.c).
 * Source: sentencepiece's bpe_model.cc (SampleEncode at alpha 0); llama.cpp's llm_tokenizer_spm. */
#include "bpe.h"

#include <string.h>

typedef struct spm_symbol {
    int32_t prev, next;  /* -1: none */
    uint32_t begin, end; /* begin == end: joined into another */
    int frozen;
} spm_symbol;
typedef struct spm_split { /* an unused piece, and where it came from two parts */
    int32_t id;
    uint32_t left_len;
} spm_split;

/* The rank of a score in the heap: the better, the lower. The bits of a float, made to sort as it does. */
static uint32_t rank_of(double score)
{
    const float f = (float)score + 0.0f; /* -0 is 0 */
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

static int32_t piece_of(const bpe_tok *t, const unsigned char *p, size_t n)
{
    hone_str s = {(const char *)p, n};
    return bpe_strmap_get(&t->pieces, s);
}

static int offer(const bpe_tok *t, bpe_work *w, const unsigned char *text, int32_t left)
{
    const spm_symbol *s = w->symbols.v;
    if (left < 0 || s[left].next < 0)
        return 1;
    const spm_symbol *a = &s[left], *b = &s[a->next];
    if (a->frozen || b->frozen)
        return 1;
    int32_t id = piece_of(t, text + a->begin, b->end - a->begin);
    if (id < 0)
        return 1;
    if (t->kind[id] == BPE_T_UNUSED) {
        const spm_split *have = w->splits.v;
        size_t i = 0;
        while (i < w->splits.n && have[i].id != id)
            i++;
        if (i == w->splits.n) {
            spm_split one = {id, a->end - a->begin};
            if (!bpe_vec_room(w->mem, &w->splits, 1, sizeof one))
                return 0;
            ((spm_split *)w->splits.v)[w->splits.n++] = one;
        }
    }
    bpe_heap_item item = {rank_of(t->score[id]), (uint32_t)left, (int32_t)(b->end - a->begin)};
    return bpe_heap_push(w, item);
}

int bpe_unknown(const bpe_tok *t, bpe_work *w, const unsigned char *p, size_t n, size_t at,
                int spans)
{
    int all = t->byte_fallback;
    for (size_t i = 0; all && i < n; i++)
        all = t->byte_piece[p[i]] >= 0;
    for (size_t i = 0; all && i < n; i++)
        if (!bpe_push(w, t->byte_piece[p[i]], at, at + n, spans))
            return 0;
    if (all || t->unk < 0)
        return 1;
    if (w->ids.n > w->unk_floor && ((int32_t *)w->ids.v)[w->ids.n - 1] == t->unk) {
        if (spans)
            ((hone_span32 *)w->spans.v)[w->spans.n - 1].end = (uint32_t)(at + n);
        return 1;
    }
    return bpe_push(w, t->unk, at, at + n, spans);
}

void bpe_join_unknown(const bpe_tok *t, bpe_work *w, size_t at, int spans)
{
    int32_t *ids = w->ids.v;
    hone_span32 *v = w->spans.v;
    if (t->unk < 0 || ids[at] != t->unk || ids[at - 1] != t->unk)
        return;
    memmove(ids + at, ids + at + 1, (w->ids.n - at - 1) * sizeof *ids);
    w->ids.n--;
    if (!spans)
        return;
    v[at - 1].end = v[at].end;
    memmove(v + at, v + at + 1, (w->spans.n - at - 1) * sizeof *v);
    w->spans.n--;
}

/* text[begin, end) as a piece, an unused one as what it was made of. Depth: the parts get shorter. */
static int give(const bpe_tok *t, bpe_work *w, const unsigned char *text, uint32_t begin,
                uint32_t end, size_t base, int spans, int depth)
{
    int32_t id = piece_of(t, text + begin, end - begin);
    if (id < 0)
        return bpe_unknown(t, w, text + begin, end - begin, base + begin, spans);
    const spm_split *s = w->splits.v;
    if (t->kind[id] == BPE_T_UNUSED && depth < 64)
        for (size_t i = 0; i < w->splits.n; i++)
            if (s[i].id == id && s[i].left_len < end - begin) {
                uint32_t at = begin + s[i].left_len;
                return give(t, w, text, begin, at, base, spans, depth + 1) &&
                       give(t, w, text, at, end, base, spans, depth + 1);
            }
    return bpe_push(w, id, base + begin, base + end, spans);
}

int bpe_scores_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
                    int spans)
{
    hone_str all = {(const char *)text, n};
    w->symbols.n = w->heap.n = w->splits.n = 0;
    w->unk_floor = w->ids.n;
    for (size_t i = 0; i < n;) {
        uint32_t len;
        const bpe_added *user = t->spm.user.n ? bpe_match_at(&t->spm.user, all, i) : NULL;
        if (user)
            len = (uint32_t)user->content.len;
        else
            bpe_decode_char(text + i, n - i, &len);
        if (!bpe_vec_room(w->mem, &w->symbols, 1, sizeof(spm_symbol)))
            return 0;
        int32_t k = (int32_t)w->symbols.n++;
        spm_symbol one = {k - 1, k + 1, (uint32_t)i, (uint32_t)i + len, user != NULL};
        ((spm_symbol *)w->symbols.v)[k] = one;
        i += len;
    }
    spm_symbol *s = w->symbols.v;
    int32_t count = (int32_t)w->symbols.n;
    if (count == 0)
        return 1;
    s[count - 1].next = -1;
    for (int32_t i = 0; i + 1 < count; i++)
        if (!offer(t, w, text, i))
            return 0;
    while (w->heap.n) {
        bpe_heap_item top = bpe_heap_pop(w);
        spm_symbol *a = &s[top.pos];
        if (a->begin == a->end || a->next < 0 || s[a->next].end - a->begin != (uint32_t)top.id)
            continue; /* one of them was joined meanwhile */
        spm_symbol *b = &s[a->next];
        a->end = b->end;
        a->next = b->next;
        b->begin = b->end;
        if (a->next >= 0)
            s[a->next].prev = (int32_t)top.pos;
        if (!offer(t, w, text, a->prev) || !offer(t, w, text, (int32_t)top.pos))
            return 0;
    }
    for (int32_t i = 0; i >= 0; i = s[i].next)
        if (!give(t, w, text, s[i].begin, s[i].end, base, spans, 0))
            return 0;
    return 1;
}

hone_status bpe_scores_done(bpe_tok *t)
{
    int unused = 0, joins = 0;
    if (!bpe_strmap_init(&t->pieces, &t->arena, t->text, (size_t)t->n_ids))
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    for (int32_t id = 0; id < t->n_ids; id++) {
        hone_str s = t->text[id];
        if (!s.len || t->kind[id] == BPE_T_CONTROL || t->kind[id] == BPE_T_UNKNOWN ||
            t->kind[id] == BPE_T_BYTE)
            continue;
        bpe_strmap_put(&t->pieces, id);
        bpe_apart_mark(t, s);
        unused |= t->kind[id] == BPE_T_UNUSED;
    }
    for (int b = 0; b < 256; b++)
        joins |= t->ws_joins[b];
    t->words_apart = !t->spm.suffix && !(unused && joins);
    return HONE_OK;
}
