/* words.c - the models that look words up: WordPiece and WordLevel, SentencePiece's word and char.
 *
 * WordPiece takes the longest piece that begins the rest of the word, pieces behind the first spelled with
 * a prefix ("##"); where none does, or the word is too long, the whole word is unk (Schuster & Nakajima
 * 2012; BERT). GGUF spells it the other way round: U+2581 before the first piece.
 * WordLevel takes the word itself, or unk.
 * SentencePiece's word model cuts before each U+2581 (also where white space is a suffix), its char model cuts
 * characters and the user's pieces; what is no piece is unk, several in a row one, or its bytes. Source:
 * sentencepiece's word_model.cc, char_model.cc, model_interface.cc (SplitIntoWords). */
#include "bpe.h"

#include <string.h>

static int unknown(const bpe_tok *t, bpe_work *w, size_t n, size_t base, int spans)
{
    if (t->unk < 0) {
        w->failed = "a word is not in the vocabulary, and there is no unk_token";
        return 0;
    }
    return bpe_push(w, t->unk, base, base + n, spans);
}

static size_t count(const unsigned char *p, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += (p[i] & 0xC0) != 0x80;
    return k;
}

int bpe_wordlevel_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                       size_t base, int spans)
{
    hone_str s = {(const char *)text, n};
    int32_t id = bpe_strmap_get(&t->pieces, s);
    return id < 0 ? unknown(t, w, n, base, spans) : bpe_push(w, id, base, base + n, spans);
}

int bpe_wordpiece_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                       size_t base, int spans)
{
    size_t ids = w->ids.n, places = w->spans.n, i = 0;
    if (count(text, n) > t->max_word_chars)
        return unknown(t, w, n, base, spans);
    while (i < n) {
        hone_str affix = i ? t->prefix : t->word_begin;
        size_t end = n - i < t->longest ? n : i + t->longest;
        int32_t id = -1;
        for (; end > i; end--) {
            if (end < n && (text[end] & 0xC0) == 0x80)
                continue;
            char part[BPE_MAX_PIECE + BPE_MAX_AFFIX];
            memcpy(part, affix.ptr ? affix.ptr : "", affix.len);
            memcpy(part + affix.len, text + i, end - i);
            hone_str s = {part, affix.len + end - i};
            id = bpe_strmap_get(&t->pieces, s);
            if (id >= 0)
                break;
        }
        if (id < 0) {
            w->ids.n = ids;
            w->spans.n = places;
            return unknown(t, w, n, base, spans);
        }
        if (!bpe_push(w, id, base + i, base + end, spans))
            return 0;
        i = end;
    }
    return 1;
}

/* Where the piece that begins text[i, n) ends. */
static size_t piece_end(const bpe_tok *t, hone_str all, size_t i)
{
    const unsigned char *p = (const unsigned char *)all.ptr;
    uint32_t len;
    if (t->model == BPE_M_SPM_CHAR) {
        const bpe_added *user = t->spm.user.n ? bpe_match_at(&t->spm.user, all, i) : NULL;
        if (user)
            return i + user->content.len;
        bpe_decode_char(p + i, all.len - i, &len);
        return i + len;
    }
    for (size_t begin = i; i < all.len;) {
        if (i > begin && all.len - i >= 3 && memcmp(p + i, BPE_WS, 3) == 0)
            return i;
        bpe_decode_char(p + i, all.len - i, &len);
        i += len;
    }
    return all.len;
}

int bpe_spm_pieces_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int spans)
{
    hone_str all = {(const char *)text, n};
    for (size_t i = 0, end; i < n; i = end) {
        end = piece_end(t, all, i);
        hone_str s = {all.ptr + i, end - i};
        int32_t id = bpe_strmap_get(&t->by_text, s);
        int normal = id >= 0 && t->kind[id] != BPE_T_CONTROL && t->kind[id] != BPE_T_UNKNOWN &&
                     t->kind[id] != BPE_T_BYTE;
        if (!normal ? !bpe_unknown(t, w, text + i, end - i, base + i, spans)
                    : !bpe_push(w, id, base + i, base + end, spans))
            return 0;
    }
    return 1;
}

void bpe_wordpiece_done(bpe_tok *t)
{
    t->longest = 1;
    for (int32_t id = 0; id < t->n_ids; id++)
        if (t->text[id].len > t->longest)
            t->longest = t->text[id].len;
    if (t->longest > BPE_MAX_PIECE)
        t->longest = BPE_MAX_PIECE;
}
