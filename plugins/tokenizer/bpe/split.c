/* split.c - normalised text to words to ids: the fast scanners, or a list of PCRE2 steps.
 *
 * A step works inside each piece that the step before left, as Hugging Face's Sequence does: a
 * look-ahead sees the end of its piece. Patterns run with PCRE2's JIT, Unicode classes and match
 * limits; a match limit hit is an error, never another cut. Bytes that are no UTF-8 match nothing and
 * come out as pieces between the matches. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "bpe.h"

#include <pcre2.h>
#include <string.h>

enum { MATCH_LIMIT = 10000000, JIT_STACK = 1 << 20, BATCH = 256 };

static inline uint32_t cache_slot(uint64_t a, uint64_t b)
{
    uint64_t h = (a * 0x9E3779B97F4A7C15u) ^ ((b ^ a >> 31) * 0xC2B2AE3D27D4EB4Fu);
    return (uint32_t)(h >> 40) & (BPE_CACHE_SLOTS - 1);
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
    bpe_cached *e = &w->cache[cache_slot(key[0], key[1])];
    size_t first = w->ids.n;
    if (e->len != n || e->key[0] != key[0] || e->key[1] != key[1]) {
        if (!bpe_word(t, w, p, n, base, spans))
            return 0;
        size_t k = w->ids.n - first;
        if (k <= BPE_CACHE_IDS) {
            e->key[0] = key[0];
            e->key[1] = key[1];
            e->len = (uint8_t)n;
            e->n = (uint8_t)k;
            memcpy(e->ids, (int32_t *)w->ids.v + first, k * sizeof(int32_t));
        }
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

static int add_word(const bpe_tok *t, bpe_work *w, const unsigned char *p, size_t n, size_t left,
                    size_t base, int spans, int whole)
{
    if (!bpe_vec_room(w->mem, &w->ids, n + BPE_CACHE_IDS, sizeof(int32_t)))
        return 0;
    return whole ? cached_word(t, w, p, n, left, base, spans) : bpe_word(t, w, p, n, base, spans);
}

static int add_piece(bpe_work *w, size_t begin, size_t end)
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
    int ok = !c->held || add_piece(c->w, c->held_begin, c->held_end);
    c->held = 0;
    return ok;
}

static int cut(cutter *c, size_t begin, size_t end, int match)
{
    if (begin == end)
        return 1;
    switch (c->behavior) {
    case BPE_REMOVED:
        return match ? 1 : add_piece(c->w, begin, end);
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
        return add_piece(c->w, begin, end);
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
    if (!w->match_data) {
        pcre2_match_context *mc = pcre2_match_context_create(NULL);
        w->match_context = mc;
        w->match_data = pcre2_match_data_create(1, NULL);
        w->jit_stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL);
        if (!mc || !w->match_data || !w->jit_stack) {
            bpe_work_release_match(w);
            return HONE_E_NOMEM;
        }
        pcre2_jit_stack_assign(mc, NULL, w->jit_stack);
        pcre2_set_match_limit(mc, MATCH_LIMIT);
    }
    PCRE2_SPTR p = text + piece.begin;
    size_t n = piece.end - piece.begin, at = 0, last = 0;
    while (at <= n) {
        int rc = pcre2_match(s->re, p, n, at, 0, w->match_data, w->match_context);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0) {
            w->failed = rc == PCRE2_ERROR_NOMEMORY
                            ? NULL
                            : "a match limit of the pre-tokenizer's pattern was hit";
            return rc == PCRE2_ERROR_NOMEMORY ? HONE_E_NOMEM : HONE_E_LIMIT;
        }
        size_t *o = pcre2_get_ovector_pointer(w->match_data);
        if (o[1] <= o[0]) { /* empty: go on behind the next character */
            uint32_t len = 1;
            if (o[0] < n)
                bpe_decode_char(p + o[0], n - o[0], &len);
            at = o[0] + len;
            continue;
        }
        if (!cut(c, piece.begin + last, piece.begin + o[0], s->invert) ||
            !cut(c, piece.begin + o[0], piece.begin + o[1], !s->invert))
            return HONE_E_NOMEM;
        at = last = o[1];
    }
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

static hone_status split_digits(const bpe_step *s, const unsigned char *text, bpe_piece piece,
                                cutter *c)
{
    c->behavior = s->individual ? BPE_ISOLATED : BPE_CONTIGUOUS;
    for (size_t i = piece.begin, last = i; i <= piece.end;) {
        uint32_t len = 1;
        int number = i < piece.end &&
                     bpe_class(bpe_decode_char(text + i, piece.end - i, &len)) == BPE_C_NUMBER;
        if (i == piece.end || number) {
            if (!cut(c, last, i, 0) || (number && !cut(c, i, i + len, 1)))
                return HONE_E_NOMEM;
            last = i + len;
        }
        i += len;
    }
    return HONE_OK;
}

static hone_status run_steps(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n)
{
    w->pieces.n = w->pieces2.n = 0;
    if (!add_piece(w, 0, n))
        return HONE_E_NOMEM;
    for (int k = 0; k < t->n_steps; k++) {
        const bpe_step *s = &t->steps[k];
        if (s->kind == BPE_STEP_PREFIX_SPACE)
            continue; /* bpe_segment did it */
        bpe_vec swap = w->pieces;
        w->pieces = w->pieces2;
        w->pieces2 = swap;
        w->pieces2.n = 0;
        for (size_t i = 0; i < w->pieces.n; i++) {
            bpe_piece piece = ((bpe_piece *)w->pieces.v)[i];
            cutter c = {w, s->behavior, 0, 0, 0, 0};
            hone_status st = s->kind == BPE_STEP_DIGITS   ? split_digits(s, text, piece, &c)
                             : s->kind == BPE_STEP_STRING ? split_string(s, text, piece, &c)
                                                          : split_regex(w, s, text, piece, &c);
            if (st < 0)
                return st;
            if (!cut_flush(&c))
                return HONE_E_NOMEM;
        }
    }
    return HONE_OK;
}

static hone_status words(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                         size_t base, int spans)
{
    int whole = !spans || !t->has_gaps;
    if (t->scanner != BPE_SCAN_NONE) {
        uint32_t ends[BATCH];
        size_t from = 0, begin = 0;
        while (from < n) {
            size_t k = bpe_scan(t->scanner, text, n, &from, ends, BATCH);
            for (size_t i = 0; i < k; i++) {
                if (!add_word(t, w, text + begin, ends[i] - begin, n - begin, base + begin, spans,
                              whole))
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
        if (!add_word(t, w, text + p.begin, p.end - p.begin, n - p.begin, base + p.begin, spans,
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
    if (t->n_steps == 0 || t->steps[0].kind != BPE_STEP_PREFIX_SPACE || text[0] == ' ')
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

hone_status bpe_step_compile(bpe_tok *t, bpe_step *s)
{
    int code = 0;
    size_t at = 0;
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    if (!cc)
        return HONE_E_NOMEM;
    pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(cc, 100);
    s->re = pcre2_compile((PCRE2_SPTR)s->pattern.ptr, s->pattern.len,
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE, &code,
                          &at, cc);
    pcre2_compile_context_free(cc);
    if (!s->re) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(code, text, sizeof text);
        return hone_host_fail(t->host, HONE_E_UNSUPPORTED,
                              "tokenizer: pre-tokenizer pattern \"%.*s\": %s at byte %zu",
                              (int)(s->pattern.len < 200 ? s->pattern.len : 200), s->pattern.ptr,
                              (const char *)text, at);
    }
    pcre2_jit_compile(s->re, PCRE2_JIT_COMPLETE); /* without JIT it is only slower */
    return HONE_OK;
}

void bpe_step_release(bpe_step *s)
{
    if (s->re)
        pcre2_code_free(s->re);
    s->re = NULL;
}

void bpe_work_release_match(bpe_work *w)
{
    if (w->match_data)
        pcre2_match_data_free(w->match_data);
    if (w->match_context)
        pcre2_match_context_free(w->match_context);
    if (w->jit_stack)
        pcre2_jit_stack_free(w->jit_stack);
    w->match_data = w->match_context = w->jit_stack = NULL;
}
