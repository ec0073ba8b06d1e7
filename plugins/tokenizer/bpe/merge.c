/* merge.c - one word to ids: byte pairs joined in the order of their rank.
 *
 * At each step the pair of neighbours with the lowest rank is joined, the leftmost of equals (Sennrich
 * et al. 2016; the order of Hugging Face tokenizers' Word::merge_all). Short words look for the
 * lowest rank by a scan over an array; long ones keep a heap of pairs over a linked list, so that a
 * word of n bytes costs n log n. Words of at most 16 bytes and 8 ids are remembered in a
 * direct-mapped cache. */
#include "bpe.h"

#include <string.h>

enum { SHORT_WORD = 40 };
#define NO_RANK UINT32_MAX

int bpe_push(bpe_work *w, int32_t id, size_t begin, size_t end, int spans)
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

/* One symbol a byte; a byte without token is `unk` or left out. */
static size_t first_symbols(const bpe_tok *t, const unsigned char *text, size_t n, int32_t *ids,
                            uint32_t *begin)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = t->byte_id[text[i]];
        if (id < 0)
            id = t->unk;
        if (id < 0)
            continue;
        ids[k] = id;
        begin[k] = (uint32_t)i;
        k++;
    }
    return k;
}

static int merge_short(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                       size_t base, int spans)
{
    int32_t ids[SHORT_WORD], to[SHORT_WORD];
    uint32_t begin[SHORT_WORD], end[SHORT_WORD], rank[SHORT_WORD];
    size_t k = first_symbols(t, text, n, ids, begin);
    for (size_t i = 0; i < k; i++)
        end[i] = begin[i] + 1;
    for (size_t i = 0; i + 1 < k; i++) {
        const bpe_merge *e = bpe_merges_get(&t->merges, (uint32_t)ids[i], (uint32_t)ids[i + 1]);
        rank[i] = e ? e->rank : NO_RANK;
        to[i] = e ? e->id : -1;
    }
    while (k > 1) {
        size_t at = 0;
        uint32_t best = rank[0];
        for (size_t i = 1; i + 1 < k; i++)
            if (rank[i] < best) {
                best = rank[i];
                at = i;
            }
        if (best == NO_RANK)
            break;
        ids[at] = to[at];
        end[at] = end[at + 1];
        size_t tail = k - at - 2;
        memmove(ids + at + 1, ids + at + 2, tail * sizeof *ids);
        memmove(begin + at + 1, begin + at + 2, tail * sizeof *begin);
        memmove(end + at + 1, end + at + 2, tail * sizeof *end);
        memmove(rank + at + 1, rank + at + 2, tail * sizeof *rank);
        memmove(to + at + 1, to + at + 2, tail * sizeof *to);
        k--;
        for (size_t i = at ? at - 1 : 0; i <= at && i + 1 < k; i++) {
            const bpe_merge *e = bpe_merges_get(&t->merges, (uint32_t)ids[i], (uint32_t)ids[i + 1]);
            rank[i] = e ? e->rank : NO_RANK;
            to[i] = e ? e->id : -1;
        }
    }
    for (size_t i = 0; i < k; i++)
        if (!bpe_push(w, ids[i], base + begin[i], base + end[i], spans))
            return 0;
    return 1;
}

static int before(const bpe_heap_item *a, const bpe_heap_item *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->pos < b->pos;
}

int bpe_heap_push(bpe_work *w, bpe_heap_item item)
{
    if (!bpe_vec_room(w->mem, &w->heap, 1, sizeof item))
        return 0;
    bpe_heap_item *h = w->heap.v;
    size_t i = w->heap.n++;
    while (i > 0 && before(&item, &h[(i - 1) / 2])) {
        h[i] = h[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h[i] = item;
    return 1;
}

bpe_heap_item bpe_heap_pop(bpe_work *w)
{
    bpe_heap_item *h = w->heap.v, top = h[0], last = h[--w->heap.n];
    size_t n = w->heap.n, i = 0;
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= n)
            break;
        if (c + 1 < n && before(&h[c + 1], &h[c]))
            c++;
        if (!before(&h[c], &last))
            break;
        h[i] = h[c];
        i = c;
    }
    if (n)
        h[i] = last;
    return top;
}

static int offer(const bpe_tok *t, bpe_work *w, int32_t left)
{
    bpe_symbol *s = w->symbols.v;
    if (left < 0 || s[left].next < 0)
        return 1;
    const bpe_merge *e = bpe_merges_get(&t->merges, (uint32_t)s[left].id,
                                        (uint32_t)s[s[left].next].id);
    if (!e)
        return 1;
    bpe_heap_item item = {e->rank, (uint32_t)left, e->id};
    return bpe_heap_push(w, item);
}

int bpe_merge_symbols(const bpe_tok *t, bpe_work *w, size_t base, int spans)
{
    bpe_symbol *s = w->symbols.v;
    int32_t k = (int32_t)w->symbols.n;
    w->heap.n = 0;
    if (k == 0)
        return 1;
    s[k - 1].next = -1;
    for (int32_t i = 0; i + 1 < k; i++)
        if (!offer(t, w, i))
            return 0;
    while (w->heap.n) {
        bpe_heap_item top = bpe_heap_pop(w);
        bpe_symbol *a = &s[top.pos];
        if (a->id < 0 || a->next < 0)
            continue; /* joined meanwhile */
        bpe_symbol *b = &s[a->next];
        const bpe_merge *e = bpe_merges_get(&t->merges, (uint32_t)a->id, (uint32_t)b->id);
        if (!e || e->id != top.id)
            continue; /* another pair stands here now */
        a->id = top.id;
        a->end = b->end;
        a->next = b->next;
        b->id = -1;
        if (b->next >= 0)
            s[b->next].prev = (int32_t)top.pos;
        if (!offer(t, w, a->prev) || !offer(t, w, (int32_t)top.pos))
            return 0;
    }
    for (int32_t i = 0; i >= 0; i = s[i].next)
        if (!bpe_push(w, s[i].id, base + s[i].begin, base + s[i].end, spans))
            return 0;
    return 1;
}

static int merge_long(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                      size_t base, int spans)
{
    w->symbols.n = 0;
    if (n > INT32_MAX || !bpe_vec_room(w->mem, &w->symbols, n, sizeof(bpe_symbol)))
        return 0;
    bpe_symbol *s = w->symbols.v;
    int32_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = t->byte_id[text[i]];
        if (id < 0)
            id = t->unk;
        if (id < 0)
            continue;
        bpe_symbol one = {id, k - 1, k + 1, (uint32_t)i, (uint32_t)i + 1};
        s[k++] = one;
    }
    w->symbols.n = (size_t)k;
    return bpe_merge_symbols(t, w, base, spans);
}

static int model_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                      size_t base, int spans)
{
    switch (t->model) {
    case BPE_M_CHARS:
        return bpe_chars_word(t, w, text, n, base, spans);
    case BPE_M_SCORES:
        return bpe_scores_word(t, w, text, n, base, spans);
    case BPE_M_UNIGRAM:
        return bpe_unigram_word(t, w, text, n, base, spans);
    case BPE_M_WORDPIECE:
        return bpe_wordpiece_word(t, w, text, n, base, spans);
    case BPE_M_SPM_WORD:
    case BPE_M_SPM_CHAR:
        return bpe_spm_pieces_word(t, w, text, n, base, spans);
    default:
        return bpe_wordlevel_word(t, w, text, n, base, spans);
    }
}

int bpe_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
             int spans)
{
    if (t->model != BPE_M_BYTES)
        return model_word(t, w, text, n, base, spans);
    if (t->ignore_merges) {
        hone_str s = {(const char *)text, n};
        int32_t id = bpe_strmap_get(&t->by_bytes, s);
        if (id >= 0)
            return bpe_push(w, id, base, base + n, spans);
    }
    if (n <= SHORT_WORD)
        return merge_short(t, w, text, n, base, spans);
    return merge_long(t, w, text, n, base, spans);
}
