/* guide.c - see guide.h. */
#include "gen/guide.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { KEPT = 8 };                                  /* automata between runs */
static const size_t most_memory = (size_t)64 << 20; /* of one automaton, before it is trimmed */

struct hone__guides {
    const hone_tokenizer *tokenizer;
    hone_vocab *vocab;
    hone_matcher **list; /* in the order of their first use */
    size_t n, cap;
};

hone_status hone__guides_create(const hone_tokenizer *t, hone__guides **out)
{
    hone__guides *gs = hone_calloc(1, sizeof *gs);
    if (!gs)
        return HONE_E_NOMEM;
    gs->tokenizer = t;
    const hone_status s = hone_vocab_create(t, &gs->vocab);
    if (s < 0) {
        hone_free(gs);
        return s;
    }
    *out = gs;
    return HONE_OK;
}

void hone__guides_destroy(hone__guides *gs)
{
    if (!gs)
        return;
    for (size_t i = 0; i < gs->n; i++)
        hone_matcher_destroy(gs->list[i]);
    hone_free(gs->list);
    hone_vocab_destroy(gs->vocab);
    hone_free(gs);
}

hone_status hone__guides_begin(hone__guides *gs, hone_grammar *g, hone__guide *out)
{
    size_t i = 0;
    for (; i < gs->n; i++) {
        const hone_grammar *have = hone_matcher_grammar(gs->list[i]);
        if (have == g || hone_str_same(hone_grammar_text(have), hone_grammar_text(g)))
            break;
    }
    if (i == gs->n) {
        if (gs->n == gs->cap) {
            const size_t cap = gs->cap ? 2 * gs->cap : KEPT;
            hone_matcher **grown = hone_reallocarray(gs->list, cap, sizeof *grown);
            if (!grown)
                return HONE_E_NOMEM;
            gs->list = grown;
            gs->cap = cap;
        }
        HONE_TRY(hone_matcher_create(g, gs->vocab, &gs->list[gs->n]));
        gs->n++;
    }
    *out = (hone__guide){.matcher = gs->list[i],
                         .state = hone_matcher_start(gs->list[i]),
                         .n_mask = hone_vocab_size(gs->vocab)};
    return HONE_OK;
}

void hone__guides_settle(hone__guides *gs)
{
    if (!gs || gs->n <= KEPT)
        return;
    const size_t gone = gs->n - KEPT;
    for (size_t i = 0; i < gone; i++)
        hone_matcher_destroy(gs->list[i]);
    memmove(gs->list, gs->list + gone, KEPT * sizeof *gs->list);
    gs->n = KEPT;
}

static hone__guide *guide_at(hone__guide *guides, size_t i, size_t stride)
{
    return (hone__guide *)(void *)((char *)guides + i * stride);
}

hone_status hone__guides_trim(hone__guides *gs, hone__guide *guides, size_t n, size_t stride)
{
    for (size_t k = 0; gs && k < gs->n; k++) {
        hone_matcher *m = gs->list[k];
        if (hone_matcher_memory(m) < most_memory)
            continue;
        int32_t *states = hone_calloc(n + 1, sizeof *states);
        if (!states)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < n; i++)
            states[i] = guide_at(guides, i, stride)->matcher == m
                            ? guide_at(guides, i, stride)->state
                            : -1;
        const hone_status s = hone_matcher_trim(m, states, n);
        for (size_t i = 0; s >= 0 && i < n; i++)
            if (guide_at(guides, i, stride)->matcher == m)
                guide_at(guides, i, stride)->state = states[i];
        hone_free(states);
        HONE_TRY(s);
    }
    return HONE_OK;
}

size_t hone__guides_states(const hone__guides *gs)
{
    size_t n = 0;
    for (size_t i = 0; gs && i < gs->n; i++)
        n += hone_matcher_states(gs->list[i]);
    return n;
}

hone_status hone__guide_look(hone__guide *g, int ends)
{
    size_t n;
    HONE_TRY(hone_matcher_mask(g->matcher, g->state, &g->mask, &n));
    g->may_end = hone_matcher_may_end(g->matcher, g->state);
    if (n == 0 && !(g->may_end && ends)) {
        hone_fail(HONE_E_UNSUPPORTED,
                  "the grammar asks for characters that no token of the model spells");
        return hone_fail_hint("let the grammar keep to characters of the model's vocabulary");
    }
    return HONE_OK;
}

void hone__guide_mask_row(const hone__guide *g, const int32_t *ends, size_t n_ends, const float *in,
                          float *out, int64_t n)
{
    const int64_t known = (int64_t)g->n_mask < n ? (int64_t)g->n_mask : n;
    for (int64_t i = 0; i < known; i += 64) { /* whole words are mostly all or nothing */
        const uint64_t word = g->mask[i / 64];
        const int64_t k = known - i < 64 ? known - i : 64;
        if (word == 0)
            for (int64_t j = 0; j < k; j++)
                out[i + j] = -INFINITY;
        else if (word == ~(uint64_t)0)
            memcpy(out + i, in + i, (size_t)k * sizeof *out);
        else
            for (int64_t j = 0; j < k;
                 j++) { /* without a branch: bits of -inf where the mask has none */
                uint32_t bits;
                memcpy(&bits, in + i + j, sizeof bits);
                const uint32_t keep = 0u - (uint32_t)(word >> j & 1);
                bits = (bits & keep) | (0xff800000u & ~keep);
                memcpy(out + i + j, &bits, sizeof bits);
            }
    }
    for (int64_t i = known; i < n; i++)
        out[i] = -INFINITY;
    for (size_t i = 0; i < n_ends; i++)
        if (ends[i] >= 0 && ends[i] < n)
            out[ends[i]] = g->may_end ? in[ends[i]] : -INFINITY;
}

hone_status hone__guide_step(hone__guides *gs, hone__guide *g, int32_t id)
{
    HONE_TRY(hone_matcher_eat(g->matcher, g->state, hone_vocab_bytes(gs->vocab, id), &g->state));
    if (g->state < 0)
        return hone_fail(HONE_E_FAIL, "token %d left the grammar", id);
    return HONE_OK;
}

hone_status hone__guide_spelled(const hone__guides *gs, const int32_t *ids, size_t n, hone_str text)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const hone_str b = hone_vocab_bytes(gs->vocab, ids[i]);
        if (b.len > text.len - at || memcmp(text.ptr + at, b.ptr, b.len) != 0)
            goto other;
        at += b.len;
    }
    if (at == text.len)
        return HONE_OK;
other:
    return hone_fail(HONE_E_UNSUPPORTED,
                     "a grammar needs a tokenizer whose text is that of its tokens, one after "
                     "the other; this one changes it");
}
