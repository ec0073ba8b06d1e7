/* apart.c - words of a text that no pre-tokenizer cuts: what stands between U+2581.
 *
 * SentencePiece's BPE, and tokenizer.json's BPE without a pre-tokenizer, merge a text as one piece. Two
 * neighbours join only into a piece of the vocabulary, so where no piece has U+2581 behind the character
 * that stands before it, nothing joins across, and what lies on each side merges as it would alone. Most
 * vocabularies have no such piece; some have a few (Gemma: ">" + U+2581 + "</"), and there the words on
 * both sides are one. Words go through the cache, with the ids that the whole piece would have had.
 *
 * ws_joins is kept by the last byte of the character before: too many words may be taken as one, never too
 * few. words_apart is 0 where more than the two neighbours decides: affixes, whole pieces looked up first,
 * pieces of bytes that merge, parts of unused pieces. */
#include "bpe.h"

#include <string.h>

static int is_ws(const unsigned char *p, size_t n)
{
    return n >= 3 && memcmp(p, BPE_WS, 3) == 0;
}

void bpe_apart_mark(bpe_tok *t, hone_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 1; i < s.len; i++)
        if (is_ws(p + i, s.len - i) && !(i >= 3 && is_ws(p + i - 3, 3)))
            t->ws_joins[p[i - 1]] = 1;
}

void bpe_apart_merges(bpe_tok *t)
{
    const bpe_merges *m = &t->merges;
    const hone_str ws = {BPE_WS, 3};
    t->words_apart = t->n_steps == 0 && !t->ignore_merges && !t->prefix.len && !t->suffix.len &&
                     bpe_strmap_get(&t->pieces, ws) >= 0;
    for (uint32_t i = 0; m->slots && i <= m->mask && t->words_apart; i++) {
        const bpe_merge *e = &m->slots[i];
        if (e->id < 0)
            continue;
        hone_str a = t->text[e->a], b = t->text[e->b];
        if (!is_ws((const unsigned char *)b.ptr, b.len) ||
            (a.len >= 3 && is_ws((const unsigned char *)a.ptr + a.len - 3, 3)))
            continue;
        if (!a.len || bpe_byte_token(a) >= 0 || (int32_t)e->a == t->unk)
            t->words_apart = 0; /* its text is not what it stands for */
        else
            t->ws_joins[(unsigned char)a.ptr[a.len - 1]] = 1;
    }
}

/* Where the word that begins at `begin` ends. */
static size_t word_end(const bpe_tok *t, const unsigned char *text, size_t begin, size_t n)
{
    size_t i = begin;
    while (is_ws(text + i, n - i))
        i += 3;
    while (i < n) {
        const unsigned char *p = memchr(text + i, 0xE2, n - i);
        if (!p)
            return n;
        i = (size_t)(p - text);
        if (!is_ws(p, n - i)) {
            i++;
            continue;
        }
        if (i > begin && !t->ws_joins[p[-1]])
            return i;
        while (is_ws(text + i, n - i))
            i += 3;
    }
    return n;
}

hone_status bpe_apart(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                      size_t base, int spans)
{
    size_t floor = w->ids.n;
    for (size_t begin = 0, end; begin < n; begin = end) {
        size_t first = w->ids.n;
        end = word_end(t, text, begin, n);
        if (!bpe_add_word(t, w, text + begin, end - begin, n - begin, base + begin, spans, !spans))
            return HONE_E_NOMEM;
        if (t->model == BPE_M_SCORES && first > floor && w->ids.n > first)
            bpe_join_unknown(t, w, first, spans);
    }
    return HONE_OK;
}
