/* cut.c - where a text that goes on may be cut, so that its parts have the ids of the whole.
 *
 * A place counts only where every step of encoding stops by itself, whatever is before and behind: the
 * character to its right begins a word after the character to its left in each of the patterns that
 * scan.c knows, or is a space that becomes U+2581 which nothing joins from the left (apart.c); no added
 * token reaches across, nor looks across; the normalizer does nothing or changes each side alone. So only
 * the two characters at the place and the added tokens are looked at, and a text is cut at any size. What
 * has other rules (PCRE2, charsmaps, Unigram, whose sums run over the whole text) is never cut.
 *
 * The part behind a cut is encoded with HONE_ENCODE_CONTINUES: nothing is put in front of it (w->inner). */
#include "bpe.h"

#include <string.h>
#include <utf8proc.h>

enum { MOST_LOOKS = 64 }; /* at added tokens, a call: a text of such tokens only is not cut */

static const char *behind(
    const bpe_tok *t) /* how the space that a cut stands before is normalised */
{
    return t->model == BPE_M_BYTES ? " " : BPE_WS;
}

int bpe_cuts(const bpe_tok *t)
{
    const hone_str ws = {BPE_WS, 3};
    if (t->model == BPE_M_BYTES)
        return t->scanner != BPE_SCAN_NONE && !t->n_rules && !t->spm_on;
    if (!t->words_apart || !t->only_spaces || t->n_steps)
        return 0;
    int32_t id = bpe_strmap_get(&t->pieces, ws); /* else two unknowns may meet at the cut */
    return id >= 0 && (t->model == BPE_M_CHARS || t->kind[id] == BPE_T_NORMAL);
}

/* Does the content, put so that k bytes of it lie before the place, agree with the text as far as that goes? */
static int agrees(hone_str c, hone_str text, size_t at, size_t k)
{
    size_t n = c.len - k < text.len - at ? c.len - k : text.len - at;
    return k <= at && memcmp(text.ptr + at - k, c.ptr, k) == 0 &&
           memcmp(text.ptr + at, c.ptr + k, n) == 0;
}

/* Tokens matched on the text as written: one that may reach across, or asks what is on the other side. */
static int reached(const bpe_matcher *m, hone_str text, size_t at)
{
    for (size_t i = 0; i < m->n; i++) {
        const bpe_added *a = m->v[i];
        for (size_t k = 0; k <= a->content.len; k++) {
            int inside = k > 0 && k < a->content.len;
            if ((inside || a->single_word || (a->rstrip && k > 0)) &&
                agrees(a->content, text, at, k))
                return 1;
        }
    }
    return 0;
}

/* Tokens matched on normalised text: any that might, by the two characters at the place alone. */
static int reached_normal(const bpe_matcher *m, hone_str text, size_t at, const char *right)
{
    size_t n = strlen(right);
    for (size_t i = 0; i < m->n; i++) {
        hone_str c = m->v[i]->content;
        int asks = m->v[i]->single_word || m->v[i]->rstrip;
        if (bpe_find(c.ptr + 1, c.len - 1, right, n) ||
            (asks && (c.ptr[c.len - 1] == text.ptr[at - 1] ||
                      memcmp(c.ptr, right, n < c.len ? n : c.len) == 0)))
            return 1;
    }
    return 0;
}

/* Does a word begin at `at`, 0 < at < n, whatever else there is? */
static int begins_word(const bpe_tok *t, const unsigned char *p, size_t n, size_t at)
{
    uint32_t len, right = bpe_decode_char(p + at, n - at, &len), left = bpe_char_before(p, at);
    if (right == UINT32_MAX || left == UINT32_MAX)
        return 0;
    if (t->model != BPE_M_BYTES) /* left: not a space, nor what a space becomes */
        return right == ' ' && left != ' ' && left != 0x2581 && !t->ws_joins[p[at - 1]];
    int before = bpe_class(left);
    if (right == ' ')
        return before != BPE_C_SPACE;
    if (before != BPE_C_LETTER && before != BPE_C_NUMBER)
        return 0;
    if (right < 0x80) /* ' may shorten a word */
        return bpe_class(right) == BPE_C_SPACE;
    if (t->nfc || before != BPE_C_LETTER || bpe_class(right) != BPE_C_OTHER || bpe_is_word(right))
        return 0;
    return bpe_is_punctuation(right); /* between ideographs, which have no spaces */
}

size_t bpe_cut(const bpe_tok *t, hone_str text, uint32_t flags)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    int special = (flags & HONE_ENCODE_SPECIAL) != 0, looks = 0;
    const bpe_matcher *raw = special ? &t->raw : &t->raw_plain,
                      *norm = special ? &t->norm : &t->norm_plain;
    if (!t->cuts || (flags & HONE_ENCODE_TRUNCATE) || text.len > INT32_MAX)
        return 0;
    for (size_t at = text.len; at-- > 1 && looks < MOST_LOOKS;) {
        if (!begins_word(t, p, text.len, at))
            continue;
        looks++;
        if (norm->n && (p[at] != ' ' || reached_normal(norm, text, at, behind(t))))
            continue;
        if (!reached(raw, text, at))
            return at;
    }
    return 0;
}
