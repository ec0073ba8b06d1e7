/* chars.c - BPE on the characters of a piece, as tokenizer.json's BPE does where it is not byte-level.
 *
 * A character is looked up with the affixes that the model puts on (a prefix on all but the first, a suffix
 * on the last); one without token becomes its bytes (<0xNN>), or unk, which takes several in a row when
 * fuse_unk says so, or nothing. Then pairs join by rank (merge.c).
 * Source: huggingface/tokenizers, models/bpe/model.rs (merge_word). */
#include "bpe.h"

#include <string.h>

static int add(bpe_work *w, int32_t id, size_t begin, size_t end)
{
    if (!bpe_vec_room(w->mem, &w->symbols, 1, sizeof(bpe_symbol)))
        return 0;
    int32_t k = (int32_t)w->symbols.n++;
    bpe_symbol one = {id, k - 1, k + 1, (uint32_t)begin, (uint32_t)end};
    ((bpe_symbol *)w->symbols.v)[k] = one;
    return 1;
}

/* The character with its affixes; -1: no token. */
static int32_t look_up(const bpe_tok *t, const unsigned char *p, size_t n, int first, int last)
{
    char text[4 + 2 * BPE_MAX_AFFIX];
    size_t k = 0;
    if (!first) {
        memcpy(text, t->prefix.ptr ? t->prefix.ptr : "", t->prefix.len);
        k = t->prefix.len;
    }
    memcpy(text + k, p, n);
    k += n;
    if (last && t->suffix.len) {
        memcpy(text + k, t->suffix.ptr, t->suffix.len);
        k += t->suffix.len;
    }
    hone_str s = {text, k};
    return bpe_strmap_get(&t->pieces, s);
}

int bpe_chars_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n, size_t base,
                   int spans)
{
    size_t unk_begin = 0, unk_end = 0; /* an unknown not yet given out */
    uint32_t len;
    w->symbols.n = w->heap.n = 0;
    if (t->ignore_merges) {
        hone_str s = {(const char *)text, n};
        int32_t id = bpe_strmap_get(&t->pieces, s);
        if (id >= 0)
            return bpe_push(w, id, base, base + n, spans);
    }
    for (size_t i = 0; i < n; i += len) {
        bpe_decode_char(text + i, n - i, &len);
        int32_t id = look_up(t, text + i, len, i == 0, i + len == n);
        if (id >= 0) {
            if (unk_end && !add(w, t->unk, unk_begin, unk_end))
                return 0;
            unk_end = 0;
            if (!add(w, id, i, i + len))
                return 0;
            continue;
        }
        int all = t->byte_fallback;
        for (size_t k = 0; all && k < len; k++)
            all = t->byte_piece[text[i + k]] >= 0;
        for (size_t k = 0; all && k < len; k++)
            if (!add(w, t->byte_piece[text[i + k]], i, i + len))
                return 0;
        if (all || t->unk < 0)
            continue;
        if (unk_end && !t->fuse_unk && !add(w, t->unk, unk_begin, unk_end))
            return 0;
        if (!unk_end || !t->fuse_unk)
            unk_begin = i;
        unk_end = i + len;
    }
    return (!unk_end || add(w, t->unk, unk_begin, unk_end)) && bpe_merge_symbols(t, w, base, spans);
}
