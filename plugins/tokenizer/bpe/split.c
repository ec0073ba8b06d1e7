/* split.c - normalised text to words to ids: the fast scanners, or a list of PCRE2 steps.
 *
 * A step works inside each piece that the step before left, as Hugging Face's Sequence does: a
 * look-ahead sees the end of its piece. Patterns run with PCRE2's JIT, Unicode classes and match
 * limits; a match limit hit is an error, never another cut. Bytes that are no UTF-8 match nothing and
 * come out as pieces between the matches. */
#include "bpe.h"

#include <string.h>

enum { BATCH = 256 };

static inline uint32_t cache_slot(uint64_t a, uint64_t b, uint32_t mask)
{
    uint64_t h = (a * 0x9E3779B97F4A7C15u) ^ ((b ^ a >> 31) * 0xC2B2AE3D27D4EB4Fu);
    return (uint32_t)(h >> 40) & mask;
}

/* Four times as many slots, the words that are there kept. Without memory it stays as it is. */
static void grow_cache(bpe_work *w)
{
    uint32_t mask = 4 * (w->cache_mask + 1) - 1;
    w->cache_puts = 0;
    bpe_cached *cache = bpe_alloc(w->mem, ((size_t)mask + 1) * sizeof *cache);
    if (!cache)
        return;
    for (uint32_t i = 0; i <= w->cache_mask; i++)
        if (w->cache[i].len)
            cache[cache_slot(w->cache[i].key[0], w->cache[i].key[1], mask)] = w->cache[i];
    bpe_free(w->mem, w->cache);
    w->cache = cache;
    w->cache_mask = mask;
}

/* The word's ids are those from ids[first] on. */
static void remember(bpe_work *w, const uint64_t key[2], size_t n, size_t first)
{
    size_t k = w->ids.n - first;
    if (k > BPE_CACHE_IDS)
        return;
    if (w->cache_puts++ > w->cache_mask && w->cache_mask + 1 < BPE_CACHE_MOST)
        grow_cache(w);
    bpe_cached *e = &w->cache[cache_slot(key[0], key[1], w->cache_mask)];
    e->key[0] = key[0];
    e->key[1] = key[1];
    e->len = (uint8_t)n;
    e->n = (uint8_t)k;
    memcpy(e->ids, (int32_t *)w->ids.v + first, k * sizeof(int32_t));
}

/* One word through the cache. The ids vector has room for n more. */
static int cached_word(const bpe_tok *t, bpe_work *w, const unsigned char *p, size_t n, size_t left,
                       size_t base, int spans)
{
    static const uint64_t keep[9] = {0,          0xFF,         0xFFFF,         0xFFFFFF,
                                     0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF,
                                     UINT64_MAX};
    uint64_t key[2] = {0, 0};
    if (n > 16)
        return bpe_word(t, w, p, n, base, spans);
    if (left >= 16) {
        memcpy(key, p, 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        key[0] &= keep[n < 8 ? n : 8];
        key[1] &= keep[n < 8 ? 0 : n - 8];
#else
        key[0] = key[1] = 0;
        memcpy(key, p, n);
#endif
    } else {
        memcpy(key, p, n);
    }
    bpe_cached *e = &w->cache[cache_slot(key[0], key[1], w->cache_mask)];
    size_t first = w->ids.n;
    if (e->len != n || e->key[0] != key[0] || e->key[1] != key[1]) {
        if (!bpe_word(t, w, p, n, base, spans))
            return 0;
        remember(w, key, n, first);
        return 1;
    }
    memcpy((int32_t *)w->ids.v + first, e->ids, sizeof e->ids);
    w->ids.n += e->n;
    if (spans) {
        /* byte-level: the bytes of the ids are the bytes of the word, one after the other */
        if (!bpe_vec_room(w->mem, &w->spans, e->n, sizeof(hone_span32)))
            return 0;
        size_t at = base;
        for (size_t i = 0; i < e->n; i++) {
            size_t end = at + t->bytes[e->ids[i]].len;
            hone_span32 s = {(uint32_t)at, (uint32_t)end};
            ((hone_span32 *)w->spans.v)[w->spans.n++] = s;
            at = end;
        }
    }
    return 1;
}

int bpe_add_word(const bpe_tok *t, bpe_work *w, const unsigned char *p, size_t n, size_t left,
                 size_t base, int spans, int whole)
{
    if (!bpe_vec_room(w->mem, &w->ids, n + BPE_CACHE_IDS, sizeof(int32_t)))
        return 0;
    return whole ? cached_word(t, w, p, n, left, base, spans) : bpe_word(t, w, p, n, base, spans);
}

int bpe_add_piece(bpe_work *w, size_t begin, size_t end)
{
    if (begin == end)
        return 1;
    if (!bpe_vec_room(w->mem, &w->pieces2, 1, sizeof(bpe_piece)))
        return 0;
    bpe_piece p = {(uint32_t)begin, (uint32_t)end};
    ((bpe_piece *)w->pieces2.v)[w->pieces2.n++] = p;
    return 1;
}

/* What the split of one piece has given so far: gaps and matches alternate in any order. */
typedef struct cutter {
    bpe_work *w;
    int behavior;
    int held, held_match; /* a part not yet given out (for the joining behaviours) */
    size_t held_begin, held_end;
} cutter;

static int cut_flush(cutter *c)
{
    int ok = !c->held || bpe_add_piece(c->w, c->held_begin, c->held_end);
    c->held = 0;
    return ok;
}

static int cut(cutter *c, size_t begin, size_t end, int match)
{
    if (begin == end)
        return 1;
    switch (c->behavior) {
    case BPE_REMOVED:
        return match ? 1 : bpe_add_piece(c->w, begin, end);
    case BPE_WITH_PREVIOUS:
        if (match && c->held && !c->held_match) {
            c->held_end = end;
            return cut_flush(c);
        }
        break;
    case BPE_WITH_NEXT:
        if (!match && c->held && c->held_match) {
            c->held_end = end;
            return cut_flush(c);
        }
        break;
    case BPE_CONTIGUOUS:
        if (c->held && c->held_match == match) {
            c->held_end = end;
            return 1;
        }
        break;
    default:
        return bpe_add_piece(c->w, begin, end);
    }
    if (!cut_flush(c))
        return 0;
    c->held = 1;
    c->held_match = match;
    c->held_begin = begin;
    c->held_end = end;
    return 1;
}

static hone_status split_regex(bpe_work *w, const bpe_step *s, const unsigned char *text,
                               bpe_piece piece, cutter *c)
{
    const unsigned char *p = text + piece.begin;
    size_t n = piece.end - piece.begin, at = 1, end = 0, last = 0;
    int found;
    while ((found = bpe_regex_next(w, s->re, p, n, &at, &end)) > 0) {
        if (!cut(c, piece.begin + last, piece.begin + at, s->invert) ||
            !cut(c, piece.begin + at, piece.begin + end, !s->invert))
            return HONE_E_NOMEM;
        last = end;
    }
    if (found < 0)
        return found;
    return cut(c, piece.begin + last, piece.end, s->invert) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status split_string(const bpe_step *s, const unsigned char *text, bpe_piece piece,
                                cutter *c)
{
    size_t last = piece.begin, k = s->pattern.len;
    for (size_t i = piece.begin; k && i + k <= piece.end;) {
        if (memcmp(text + i, s->pattern.ptr, k) != 0) {
            i++;
            continue;
        }
        if (!cut(c, last, i, s->invert) || !cut(c, i, i + k, !s->invert))
            return HONE_E_NOMEM;
        last = i = i + k;
    }
    return cut(c, last, piece.end, s->invert) ? HONE_OK : HONE_E_NOMEM;
}

/* Each character is a match or none: punctuation, digits, white space. */
static hone_status split_class(const bpe_step *s, const unsigned char *text, bpe_piece piece,
                               cutter *c)
{
    for (size_t i = piece.begin, last = i; i <= piece.end;) {
        uint32_t len = 1, code = i < piece.end ? bpe_decode_char(text + i, piece.end - i, &len) : 0;
        int match = i < piece.end && (s->kind == BPE_STEP_DIGITS  ? bpe_class(code) == BPE_C_NUMBER
                                      : s->kind == BPE_STEP_PUNCT ? bpe_is_punctuation(code)
                                                                  : bpe_class(code) == BPE_C_SPACE);
        if (i == piece.end || match) {
            if (!cut(c, last, i, s->invert) || (match && !cut(c, i, i + len, !s->invert)))
                return HONE_E_NOMEM;
            last = i + len;
        }
        i += len;
    }
    return HONE_OK;
}

/* \w+|[^\w\s]+: white space is dropped. */
static hone_status split_words(bpe_work *w, const unsigned char *text, bpe_piece piece)
{
    int before = -1;
    size_t begin = piece.begin;
    for (size_t i = piece.begin; i <= piece.end;) {
        uint32_t len = 1, code = i < piece.end ? bpe_decode_char(text + i, piece.end - i, &len) : 0;
        int now = i == piece.end                   ? -1
                  : bpe_is_word(code)              ? 1
                  : bpe_class(code) == BPE_C_SPACE ? 0
                                                   : 2;
        if (now != before) {
            if (before > 0 && !bpe_add_piece(w, begin, i))
                return HONE_E_NOMEM;
            begin = i;
            before = now;
        }
        i += len;
    }
    return HONE_OK;
}

static hone_status split_fixed(bpe_work *w, const bpe_step *s, const unsigned char *text,
                               bpe_piece piece)
{
    size_t begin = piece.begin, k = 0;
    for (size_t i = piece.begin; i < piece.end;) {
        uint32_t len;
        bpe_decode_char(text + i, piece.end - i, &len);
        i += len;
        if (++k < s->count && i < piece.end)
            continue;
        if (!bpe_add_piece(w, begin, i))
            return HONE_E_NOMEM;
        begin = i;
        k = 0;
    }
    return HONE_OK;
}

static hone_status split_scripts(bpe_work *w, const unsigned char *text, bpe_piece piece)
{
    int before = -1;
    size_t begin = piece.begin;
    for (size_t i = piece.begin; i < piece.end;) {
        uint32_t len, code = bpe_decode_char(text + i, piece.end - i, &len);
        int now = bpe_script(w, text + i, len, code);
        if (now < 0)
            return now;
        if (now != BPE_ANY_SCRIPT && before != BPE_ANY_SCRIPT && before >= 0 && before != now) {
            if (!bpe_add_piece(w, begin, i))
                return HONE_E_NOMEM;
            begin = i;
        }
        before = now;
        i += len;
    }
    return bpe_add_piece(w, begin, piece.end) ? HONE_OK : HONE_E_NOMEM;
}

hone_status bpe_cut_step(bpe_work *w, const bpe_step *s, const unsigned char *text)
{
    bpe_vec swap = w->pieces;
    w->pieces = w->pieces2;
    w->pieces2 = swap;
    w->pieces2.n = 0;
    for (size_t i = 0; i < w->pieces.n; i++) {
        bpe_piece piece = ((bpe_piece *)w->pieces.v)[i];
        int behavior = s->kind != BPE_STEP_DIGITS ? s->behavior
                       : s->individual            ? BPE_ISOLATED
                                                  : BPE_CONTIGUOUS;
        cutter c = {w, behavior, 0, 0, 0, 0};
        hone_status st;
        switch (s->kind) {
        case BPE_STEP_REGEX:
            st = split_regex(w, s, text, piece, &c);
            break;
        case BPE_STEP_STRING:
            st = split_string(s, text, piece, &c);
            break;
        case BPE_STEP_WORDS:
            st = split_words(w, text, piece);
            break;
        case BPE_STEP_FIXED:
            st = split_fixed(w, s, text, piece);
            break;
        case BPE_STEP_SCRIPTS:
            st = split_scripts(w, text, piece);
            break;
        default:
            st = split_class(s, text, piece, &c);
            break;
        }
        if (st < 0)
            return st;
        if (!cut_flush(&c))
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

static hone_status run_steps(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n)
{
    w->pieces.n = w->pieces2.n = 0;
    if (!bpe_add_piece(w, 0, n))
        return HONE_E_NOMEM;
    for (int k = 0; k < t->n_steps; k++) {
        /* the two that rewrite: bpe_segment did the one, the other is the model's own alphabet */
        if (t->steps[k].kind == BPE_STEP_PREFIX_SPACE || t->steps[k].kind == BPE_STEP_BYTES)
            continue;
        hone_status s = bpe_cut_step(w, &t->steps[k], text);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static hone_status words(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                         size_t base, int spans)
{
    /* else the bytes of the ids are not those of the word */
    int whole = !spans || (!t->has_gaps && !t->n_decoders);
    if (t->scanner != BPE_SCAN_NONE) {
        uint32_t ends[BATCH];
        size_t from = 0, begin = 0;
        while (from < n) {
            size_t k = bpe_scan(t->scanner, text, n, &from, ends, BATCH);
            for (size_t i = 0; i < k; i++) {
                if (!bpe_add_word(t, w, text + begin, ends[i] - begin, n - begin, base + begin,
                                  spans, whole))
                    return HONE_E_NOMEM;
                begin = ends[i];
            }
        }
        return HONE_OK;
    }
    hone_status s = run_steps(t, w, text, n);
    if (s < 0)
        return s;
    for (size_t i = 0; i < w->pieces2.n; i++) {
        bpe_piece p = ((bpe_piece *)w->pieces2.v)[i];
        if (!bpe_add_word(t, w, text + p.begin, p.end - p.begin, n - p.begin, base + p.begin, spans,
                          whole))
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

hone_status bpe_segment(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                        size_t base, int spans)
{
    if (n == 0)
        return HONE_OK;
    if (t->n_steps == 0 || t->steps[0].kind != BPE_STEP_PREFIX_SPACE || text[0] == ' ' || w->inner)
        return words(t, w, text, n, base, spans);
    w->prefixed.n = 0;
    if (!bpe_vec_room(w->mem, &w->prefixed, n + 1, 1))
        return HONE_E_NOMEM;
    unsigned char *p = w->prefixed.v;
    p[0] = ' ';
    memcpy(p + 1, text, n);
    size_t first = w->spans.n;
    hone_status s = words(t, w, p, n + 1, 1, spans);
    for (size_t i = first; s >= 0 && i < w->spans.n; i++) { /* the space has no place in the text */
        hone_span32 *v = &((hone_span32 *)w->spans.v)[i];
        v->begin = (uint32_t)(base + (v->begin > 2 ? v->begin - 2 : 0));
        v->end = (uint32_t)(base + (v->end > 2 ? v->end - 2 : 0));
    }
    return s;
}
