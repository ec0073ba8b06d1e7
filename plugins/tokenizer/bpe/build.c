/* build.c - vocabulary, merges and rules into the tables that encoding and decoding use.
 *
 * The loaders put ids, texts and merges here; every contradiction (an id or a text given twice, a
 * merge whose parts or whole are no tokens) is found here and named, whatever file it came from.
 *
 * The byte-level alphabet (GPT-2, Radford et al. 2019, encoder.py): printable Latin-1 bytes stand for
 * themselves, the other 68 for U+0100 + k in the order of their value. */
#include "bpe.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int printable(int b)
{
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
}

/* The byte that a character of the alphabet stands for, or -1. */
static int byte_of(uint32_t c)
{
    if (c < 256)
        return printable((int)c) ? (int)c : -1;
    if (c >= 256 + 68)
        return -1;
    int k = (int)c - 256; /* the k-th byte that is not printable */
    for (int b = 0; b < 256; b++)
        if (!printable(b) && k-- == 0)
            return b;
    return -1;
}

size_t bpe_byte_char(unsigned char b, char out[4])
{
    uint32_t k = 256;
    if (printable(b))
        return bpe_put_char(b, out);
    for (int i = 0; i < b; i++)
        k += !printable(i);
    return bpe_put_char(k, out);
}

int bpe_unmap(hone_str text, char *out, size_t *n)
{
    size_t k = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t len;
        uint32_t c = bpe_decode_char((const unsigned char *)text.ptr + i, text.len - i, &len);
        int b = byte_of(c);
        if (b < 0)
            return 0;
        out[k++] = (char)b;
        i += len;
    }
    *n = k;
    return 1;
}

static hone_status no_memory(const bpe_tok *t)
{
    return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
}

static int shown(hone_str s) /* how much of a text an error shows */
{
    return (int)(s.len < 80 ? s.len : 80);
}

hone_status bpe_vocab_begin(bpe_tok *t, int32_t n_ids, const char *where)
{
    if (n_ids <= 0)
        return hone_host_fail(t->host, HONE_E_PARSE, "%s: the vocabulary is empty", where);
    if (n_ids > BPE_MAX_ID)
        return hone_host_fail(t->host, HONE_E_LIMIT, "%s: id %d is past the limit of %d", where,
                              n_ids - 1, BPE_MAX_ID);
    size_t n = (size_t)n_ids;
    t->text = bpe_arena_alloc(&t->arena, n * sizeof *t->text);
    t->bytes = bpe_arena_alloc(&t->arena, n * sizeof *t->bytes);
    t->special = bpe_arena_alloc(&t->arena, n);
    if (!t->text || !t->bytes || !t->special)
        return no_memory(t);
    memset(t->text, 0, n * sizeof *t->text);
    memset(t->bytes, 0, n * sizeof *t->bytes);
    memset(t->special, 0, n);
    if (!bpe_strmap_init(&t->by_text, &t->arena, t->text, n))
        return no_memory(t);
    t->n_ids = n_ids;
    return HONE_OK;
}

hone_status bpe_vocab_set(bpe_tok *t, int32_t id, hone_str text, const char *where)
{
    if (id < 0 || id >= t->n_ids)
        return hone_host_fail(t->host, HONE_E_PARSE, "%s: id %d of \"%.*s\" is out of range", where,
                              id, shown(text), text.ptr);
    if (t->text[id].ptr) {
        hone_str before = t->text[id];
        if (before.len == text.len && memcmp(before.ptr, text.ptr, text.len) == 0)
            return HONE_OK;
        return hone_host_fail(t->host, HONE_E_PARSE,
                              "%s: id %d is given twice: \"%.*s\" and \"%.*s\"", where, id,
                              shown(before), before.ptr, shown(text), text.ptr);
    }
    t->text[id] = bpe_arena_str(&t->arena, text.ptr, text.len);
    if (!t->text[id].ptr)
        return no_memory(t);
    int32_t other = bpe_strmap_put(&t->by_text, id);
    if (other >= 0 && !t->same_text)
        return hone_host_fail(t->host, HONE_E_PARSE,
                              "%s: token \"%.*s\" is given twice: ids %d and %d", where,
                              shown(text), text.ptr, other, id);
    return HONE_OK;
}

hone_status bpe_kinds_begin(bpe_tok *t)
{
    size_t n = (size_t)t->n_ids;
    t->kind = bpe_arena_alloc(&t->arena, n);
    t->score = bpe_arena_alloc(&t->arena, n * sizeof *t->score);
    if (!t->kind || !t->score)
        return no_memory(t);
    memset(t->kind, BPE_T_CONTROL, n);
    memset(t->score, 0, n * sizeof *t->score);
    return HONE_OK;
}

hone_status bpe_pieces_done(bpe_tok *t)
{
    if (!bpe_strmap_init(&t->pieces, &t->arena, t->text, (size_t)t->n_ids))
        return no_memory(t);
    for (int32_t id = 0; id < t->n_ids; id++)
        if (t->text[id].ptr)
            bpe_strmap_put(&t->pieces, id);
    return HONE_OK;
}

hone_status bpe_vocab_done(bpe_tok *t, const char *where)
{
    (void)where;
    for (int b = 0; b < 256; b++)
        t->byte_id[b] = -1;
    for (int32_t id = 0; id < t->n_ids; id++) {
        hone_str s = t->text[id];
        if (!s.ptr)
            continue;
        char *out = bpe_arena_alloc(&t->arena, s.len + 1);
        size_t n;
        if (!out)
            return no_memory(t);
        if (t->raw_bytes) {
            memcpy(out, s.ptr, s.len);
            n = s.len;
        } else if (!bpe_unmap(s, out,
                              &n)) { /* not of the alphabet: itself, as Hugging Face decodes it */
            t->bytes[id] = s;
            continue;
        }
        out[n] = 0;
        t->bytes[id].ptr = out;
        t->bytes[id].len = n;
        if (n == 1)
            t->byte_id[(unsigned char)out[0]] = id;
    }
    for (int b = 0; b < 256; b++)
        t->byte_piece[b] = -1;
    for (int32_t id = 0; id < t->n_ids && t->byte_fallback; id++) {
        int b = bpe_byte_token(t->text[id]);
        if (b >= 0)
            t->byte_piece[b] = id;
    }
    t->has_gaps = 0;
    for (int b = 0; b < 256; b++)
        t->has_gaps |= t->byte_id[b] < 0;
    return HONE_OK;
}

hone_status bpe_merge_add(bpe_tok *t, size_t index, hone_str a, hone_str b, int replace)
{
    int32_t left = bpe_strmap_get(&t->by_text, a), right = bpe_strmap_get(&t->by_text, b);
    if (left < 0 || right < 0) {
        hone_str missing = left < 0 ? a : b;
        return hone_host_fail(t->host, HONE_E_PARSE,
                              "tokenizer: merges[%zu]: \"%.*s\" is not in the vocabulary", index,
                              shown(missing), missing.ptr);
    }
    char stack[256], *joined = stack;
    if (a.len + b.len > sizeof stack)
        joined = bpe_resize(&t->mem, NULL, a.len + b.len);
    if (!joined)
        return no_memory(t);
    /* the prefix of a part inside of a word is not part of the whole */
    size_t cut = t->prefix.len && b.len >= t->prefix.len ? t->prefix.len : 0;
    memcpy(joined, a.ptr, a.len);
    memcpy(joined + a.len, b.ptr + cut, b.len - cut);
    hone_str s = {joined, a.len + b.len - cut};
    int32_t id = bpe_strmap_get(&t->by_text, s);
    hone_status st = HONE_OK;
    if (id < 0)
        st = hone_host_fail(
            t->host, HONE_E_PARSE,
            "tokenizer: merges[%zu]: \"%.*s\" + \"%.*s\" gives no token of the vocabulary", index,
            shown(a), a.ptr, shown(b), b.ptr);
    else
        bpe_merges_put(&t->merges, (uint32_t)left, (uint32_t)right, (uint32_t)index, id, replace);
    if (joined != stack)
        bpe_free(&t->mem, joined);
    return st;
}

static int by_content(const void *a, const void *b)
{
    hone_str x = (*(const bpe_added *const *)a)->content,
             y = (*(const bpe_added *const *)b)->content;
    int c = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return c ? c : (x.len > y.len) - (x.len < y.len);
}

int bpe_matcher_init(bpe_tok *t, bpe_matcher *m, const bpe_added *list, size_t n, int normalized,
                     int with_special)
{
    m->v = bpe_arena_alloc(&t->arena, (n + 1) * sizeof *m->v);
    if (!m->v)
        return 0;
    m->n = 0;
    m->only = -1;
    memset(m->first, 0, sizeof m->first);
    int distinct = 0;
    for (size_t i = 0; i < n; i++) {
        const bpe_added *a = &list[i];
        if (a->normalized != normalized || (a->special && !with_special) || a->content.len == 0)
            continue;
        m->v[m->n++] = a;
        unsigned char b = (unsigned char)a->content.ptr[0];
        if (!m->first[b]) {
            m->first[b] = 1;
            m->only = b;
            distinct++;
        }
    }
    if (distinct != 1)
        m->only = -1;
    qsort(m->v, m->n, sizeof *m->v, by_content);
    return 1;
}

static int step_is(const bpe_step *s, const char *pattern)
{
    return s->kind == BPE_STEP_REGEX && !s->invert && s->behavior == BPE_ISOLATED &&
           s->pattern.len == strlen(pattern) &&
           memcmp(s->pattern.ptr, pattern, s->pattern.len) == 0;
}

static int choose_scanner(const bpe_tok *t)
{
    const bpe_step *s = t->steps;
    int n = t->n_steps;
    if (n && s->kind == BPE_STEP_PREFIX_SPACE) {
        s++;
        n--;
    }
    if (n == 1 && step_is(s, BPE_RE_GPT2))
        return BPE_SCAN_GPT2;
    if (n == 1 && step_is(s, BPE_RE_LLAMA3))
        return BPE_SCAN_LLAMA3;
    if (n == 1 && step_is(s, BPE_RE_QWEN2))
        return BPE_SCAN_QWEN2;
    if (n == 2 && step_is(s + 1, BPE_RE_GPT2) &&
        ((s->kind == BPE_STEP_DIGITS && s->individual) || step_is(s, "\\p{N}")))
        return BPE_SCAN_GPT2_DIGITS;
    return BPE_SCAN_NONE;
}

static void hash_num(crypto_hash_sha256_state *h, uint64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(v >> 8 * i);
    crypto_hash_sha256_update(h, b, 8);
}

static void hash_str(crypto_hash_sha256_state *h, hone_str s)
{
    hash_num(h, s.ptr ? s.len : UINT64_MAX);
    if (s.len)
        crypto_hash_sha256_update(h, (const unsigned char *)s.ptr, s.len);
}

static void hash_map(crypto_hash_sha256_state *h, const bpe_charsmap *c)
{
    hone_str units = {(const char *)c->units, 4 * c->n_units}, text = {c->text, c->n_text};
    hash_str(h, units);
    hash_str(h, text);
}

/* What byte-level BPE does not have. */
static void hash_rules(const bpe_tok *t, crypto_hash_sha256_state *h)
{
    hash_num(h, (uint64_t)t->model);
    for (int32_t id = 0; t->score && id < t->n_ids; id++) {
        uint64_t bits;
        memcpy(&bits, &t->score[id], sizeof bits);
        hash_num(h, bits);
        hash_num(h, t->kind[id]);
    }
    hash_str(h, t->prefix);
    hash_str(h, t->suffix);
    hash_num(h, (uint64_t)(t->fuse_unk | t->byte_fallback << 1 | t->float_sums << 2 |
                           t->user_zero << 3 | t->spm_on << 4));
    hash_num(h, t->max_word_chars);
    for (int i = 0; i < t->n_rules; i++) {
        const bpe_rule *r = &t->rules[i];
        hash_num(h, (uint64_t)(r->kind | r->left << 8 | r->right << 9) | (uint64_t)r->form << 32);
        hash_str(h, r->a);
        hash_str(h, r->b);
        hash_num(h, r->re != NULL);
        hash_map(h, &r->map);
    }
    for (int i = 0; i < t->n_decoders; i++) {
        const bpe_decoder *d = &t->decoders[i];
        hash_num(h, (uint64_t)(d->kind | d->cleanup << 8 | d->first << 9));
        hash_num(h, d->start);
        hash_num(h, d->stop);
        hash_str(h, d->a);
        hash_str(h, d->b);
    }
    if (t->spm_on) {
        const bpe_spm *p = &t->spm;
        hash_num(h, (uint64_t)(p->dummy_prefix | p->suffix << 1 | p->remove_extra << 2 |
                               p->escape << 3 | p->first_only << 4 | p->keep_invalid << 5));
        hash_map(h, &p->map);
        if (t->undo.map.units)
            hash_map(h, &t->undo.map);
    }
}

static int by_rank(const void *a, const void *b)
{
    const bpe_merge *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Vocabulary, merges and rules in one order, little-endian: the same for the same tokenizer, whichever
 * file it came from is not promised (a GGUF file writes its rules differently). */
static hone_status fingerprint(bpe_tok *t)
{
    crypto_hash_sha256_state h;
    unsigned char out[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&h);
    hash_num(&h, (uint64_t)t->n_ids);
    for (int32_t id = 0; id < t->n_ids; id++) {
        hash_str(&h, t->text[id]);
        hash_num(&h, t->special[id]);
    }
    bpe_merge *sorted = bpe_alloc(&t->mem, ((size_t)t->merges.n + 1) * sizeof *sorted);
    if (!sorted)
        return no_memory(t);
    size_t k = 0;
    for (uint32_t i = 0; t->merges.slots && i <= t->merges.mask; i++)
        if (t->merges.slots[i].id >= 0)
            sorted[k++] = t->merges.slots[i];
    qsort(sorted, k, sizeof *sorted, by_rank);
    for (size_t i = 0; i < k; i++) {
        hash_num(&h, sorted[i].a);
        hash_num(&h, sorted[i].b);
    }
    bpe_free(&t->mem, sorted);
    for (size_t i = 0; i < t->n_added; i++) {
        const bpe_added *a = &t->added[i];
        hash_str(&h, a->content);
        hash_num(&h, (uint64_t)a->id << 8 |
                         (uint64_t)(a->special | a->single_word << 1 | a->lstrip << 2 |
                                    a->rstrip << 3 | a->normalized << 4));
    }
    for (int i = 0; i < t->n_steps; i++) {
        const bpe_step *s = &t->steps[i];
        hash_num(&h, (uint64_t)(s->kind | s->behavior << 4 | s->invert << 8 | s->individual << 9 |
                                s->scheme << 10 | s->split << 12) |
                         (uint64_t)s->count << 32);
        hash_str(&h, s->pattern);
    }
    for (size_t i = 0; i < t->n_front; i++)
        hash_num(&h, (uint64_t)t->add_front[i]);
    for (size_t i = 0; i < t->n_back; i++)
        hash_num(&h, (uint64_t)t->add_back[i] | 1ull << 40);
    hash_num(&h, (uint64_t)(t->nfc | t->ignore_merges << 1 | (t->model == BPE_M_SCORES) << 2 |
                            t->strip_after_bos << 3));
    if (t->model != BPE_M_BYTES || t->n_rules || t->n_decoders)
        hash_rules(t, &h);
    hash_num(&h, (uint64_t)(uint32_t)t->unk);
    crypto_hash_sha256_final(&h, out);
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof out; i++) {
        t->fingerprint[2 * i] = hex[out[i] >> 4];
        t->fingerprint[2 * i + 1] = hex[out[i] & 15];
    }
    t->fingerprint[64] = 0;
    return HONE_OK;
}

/* The tables of models other than bytes. */
static hone_status finish_model(bpe_tok *t)
{
    switch (t->model) {
    case BPE_M_CHARS:
        bpe_apart_merges(t);
        return HONE_OK;
    case BPE_M_SCORES:
        return bpe_scores_done(t);
    case BPE_M_UNIGRAM:
        return bpe_unigram_done(t);
    case BPE_M_WORDPIECE:
        bpe_wordpiece_done(t);
        return HONE_OK;
    default:
        return HONE_OK;
    }
}

static int is_str(hone_str s, const char *z)
{
    return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0;
}

/* Is all that the normalizer does ' ' to U+2581, and one of these in front (BPE_SPACES_*). */
static int only_spaces(const bpe_tok *t)
{
    const bpe_rule *r = t->rules;
    const bpe_spm *s = &t->spm;
    int n = t->n_rules, front = 0;
    if (t->nfc || t->force_regex)
        return BPE_SPACES_NO;
    if (t->spm_on)
        return n || !s->escape || !s->keep_invalid || s->remove_extra || s->suffix || s->map.units
                   ? BPE_SPACES_NO
               : !s->dummy_prefix ? BPE_SPACES_ONLY
               : s->first_only    ? BPE_SPACES_FIRST
                                  : BPE_SPACES_FRONT;
    if (n == 2 && r->kind == BPE_N_PREPEND && is_str(r->a, BPE_WS)) {
        front = 1;
        r++;
        n--;
    }
    if (n != 1 || r->kind != BPE_N_REPLACE || r->re || !is_str(r->a, " ") || !is_str(r->b, BPE_WS))
        return BPE_SPACES_NO;
    return front ? BPE_SPACES_FRONT : BPE_SPACES_ONLY;
}

hone_status bpe_tok_finish(bpe_tok *t, bpe_work *w)
{
    t->only_spaces = only_spaces(t);
    hone_status st = finish_model(t);
    if (st < 0)
        return st;
    if (t->force_regex)
        t->words_apart = 0; /* the general way everywhere: what the others are compared with */
    if (t->ignore_merges && t->model == BPE_M_BYTES) {
        if (!bpe_strmap_init(&t->by_bytes, &t->arena, t->bytes, (size_t)t->n_ids))
            return no_memory(t);
        for (int32_t id = 0; id < t->n_ids;
             id++) /* not those outside the alphabet: no word is spelled so */
            if (t->bytes[id].ptr && t->bytes[id].len && t->bytes[id].ptr != t->text[id].ptr)
                bpe_strmap_put(&t->by_bytes, id);
    }
    for (size_t i = 0; i < t->n_added; i++) {
        bpe_added *a = &t->added[i];
        if (a->normalized && t->nfc && !bpe_nfc_str(&t->arena, a->content, &a->content))
            return no_memory(t);
        if (a->normalized && t->n_rules) {
            hone_status s = bpe_normalize(t, w, a->content, 1, 1);
            if (s < 0)
                return s == HONE_E_NOMEM ? no_memory(t)
                                         : hone_host_fail(t->host, s, "tokenizer: %s", w->failed);
            hone_str n = bpe_text_str(&w->norm);
            a->content = bpe_arena_str(&t->arena, n.ptr, n.len);
            if (!a->content.ptr)
                return no_memory(t);
        }
    }
    const bpe_added *list = t->added;
    size_t n = t->n_added;
    if (!bpe_matcher_init(t, &t->raw, list, n, 0, 1) ||
        !bpe_matcher_init(t, &t->raw_plain, list, n, 0, 0) ||
        !bpe_matcher_init(t, &t->norm, list, n, 1, 1) ||
        !bpe_matcher_init(t, &t->norm_plain, list, n, 1, 0))
        return no_memory(t);
    t->scanner = t->force_regex ? BPE_SCAN_NONE : choose_scanner(t);
    for (int i = 0; i < t->n_steps && t->scanner == BPE_SCAN_NONE; i++)
        if (t->steps[i].kind == BPE_STEP_REGEX &&
            (st = bpe_regex_compile(t->host, t->steps[i].pattern, "pre-tokenizer",
                                    &t->steps[i].re)) < 0)
            return st;
    t->cuts = bpe_cuts(t);
    st = bpe_decoder_bytes(t, w);
    if (st < 0)
        return st == HONE_E_NOMEM ? no_memory(t)
                                  : hone_host_fail(t->host, st, "tokenizer: %s",
                                                   w->failed ? w->failed : "decoder");
    return fingerprint(t);
}
