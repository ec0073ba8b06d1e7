/* novelty.c - see novelty.h.
 *
 * Words get numbers in the order they come. A look numbers the distinct words of its text (`place`), keeps for each the bits of where
 * it stands there, and goes through candidates word by word: V, all ones at first, becomes (V + (V & M)) | (V & ~M) for the mask M of
 * each word; the zeros of V are the length of the longest common subsequence. */
#include "curate/novelty.h"

#include "base/alloc.h"
#include "curate/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_PLACE UINT32_MAX

typedef struct word {
    uint64_t hash;
    uint32_t *texts; /* that have it, each once, ascending */
    size_t n, cap;
    uint32_t place; /* among the distinct words of the text that is looked up */
} word;

typedef struct asked { /* a distinct word of the text that is looked up */
    uint32_t number;   /* of the word; NO_PLACE: no text has it */
    uint32_t times;
    size_t texts;
} asked;

struct hone_novelty {
    hone_words words;
    word *known;
    size_t n_known, cap_known;
    uint32_t *slots; /* word + 1 by its hash; 0: empty */
    size_t n_slots;
    uint32_t *all; /* the words of all texts, one behind the other */
    size_t n_all, cap_all;
    size_t *end; /* of each text in `all` */
    size_t n_texts, cap_texts;
    /* Of the text at hand. */
    uint32_t *own; /* its words' numbers; NO_PLACE: unknown */
    asked *list;
    size_t cap_own, cap_list;
    uint64_t *mask, *v; /* `blocks` words of 64 bits for each distinct word; the column */
    size_t cap_mask, cap_v;
    uint32_t *seen; /* of each text: the look that came by it last */
    uint32_t *got;  /* and how many of the words that were gone through it may have, at most */
    uint32_t *candidates;
    size_t cap_seen, cap_got, cap_candidates;
    uint32_t look;
    uint64_t compared;
};

static hone_status grow(void **p, size_t need, size_t *cap, size_t size)
{
    if (need <= *cap)
        return HONE_OK;
    size_t more = *cap ? *cap : 64;
    while (more < need)
        if (!hone_mul_size(more, 2, &more))
            return hone_fail(HONE_E_LIMIT, "novelty: too much text");
    void *grown = hone_reallocarray(*p, more, size);
    if (!grown)
        return HONE_E_NOMEM;
    *p = grown;
    *cap = more;
    return HONE_OK;
}

hone_status hone_novelty_create(hone_novelty **out)
{
    hone_novelty *n = hone_calloc(1, sizeof *n);
    if (!n)
        return HONE_E_NOMEM;
    hone_words_init(&n->words);
    n->n_slots = 1024;
    n->slots = hone_calloc(n->n_slots, sizeof *n->slots);
    if (!n->slots) {
        hone_novelty_destroy(n);
        return HONE_E_NOMEM;
    }
    *out = n;
    return HONE_OK;
}

void hone_novelty_destroy(hone_novelty *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n_known; i++)
        hone_free(n->known[i].texts);
    hone_words_release(&n->words);
    hone_free(n->known);
    hone_free(n->slots);
    hone_free(n->all);
    hone_free(n->end);
    hone_free(n->own);
    hone_free(n->list);
    hone_free(n->mask);
    hone_free(n->v);
    hone_free(n->seen);
    hone_free(n->got);
    hone_free(n->candidates);
    hone_free(n);
}

size_t hone_novelty_count(const hone_novelty *n)
{
    return n->n_texts;
}

uint64_t hone_novelty_compared(const hone_novelty *n)
{
    return n->compared;
}

/* ---- words ---------------------------------------------------------------------------------------------------------- */

static size_t slot_of(const hone_novelty *n, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 29) & (n->n_slots - 1);
    while (n->slots[i] && n->known[n->slots[i] - 1].hash != hash)
        i = (i + 1) & (n->n_slots - 1);
    return i;
}

static hone_status more_slots(hone_novelty *n)
{
    uint32_t *old = n->slots;
    uint32_t *grown = hone_calloc(2 * n->n_slots, sizeof *grown);
    if (!grown)
        return HONE_E_NOMEM;
    n->slots = grown;
    n->n_slots *= 2;
    for (size_t i = 0; i < n->n_known; i++)
        n->slots[slot_of(n, n->known[i].hash)] = (uint32_t)i + 1;
    hone_free(old);
    return HONE_OK;
}

static hone_status number_of(hone_novelty *n, uint64_t hash, uint32_t *out)
{
    size_t i = slot_of(n, hash);
    if (!n->slots[i]) {
        if (n->n_known >= NO_PLACE - 1)
            return hone_fail(HONE_E_LIMIT, "novelty: too many different words");
        HONE_TRY(grow((void **)&n->known, n->n_known + 1, &n->cap_known, sizeof *n->known));
        if (2 * (n->n_known + 1) > n->n_slots) {
            HONE_TRY(more_slots(n));
            i = slot_of(n, hash);
        }
        n->known[n->n_known++] = (word){.hash = hash, .place = NO_PLACE};
        n->slots[i] = (uint32_t)n->n_known;
    }
    *out = n->slots[i] - 1;
    return HONE_OK;
}

hone_status hone_novelty_add(hone_novelty *n, hone_str text)
{
    HONE_TRY(hone_words_of(&n->words, text));
    if (n->n_texts >= UINT32_MAX || n->n_all + n->words.n > UINT32_MAX)
        return hone_fail(HONE_E_LIMIT, "novelty: too many texts");
    const uint32_t this = (uint32_t)n->n_texts;
    HONE_TRY(grow((void **)&n->end, n->n_texts + 1, &n->cap_texts, sizeof *n->end));
    HONE_TRY(grow((void **)&n->all, n->n_all + n->words.n, &n->cap_all, sizeof *n->all));
    size_t cap = n->cap_seen;
    HONE_TRY(grow((void **)&n->seen, n->n_texts + 1, &n->cap_seen, sizeof *n->seen));
    HONE_TRY(grow((void **)&n->got, n->n_texts + 1, &n->cap_got, sizeof *n->got));
    HONE_TRY(
        grow((void **)&n->candidates, n->n_texts + 1, &n->cap_candidates, sizeof *n->candidates));
    memset(n->seen + cap, 0, (n->cap_seen - cap) * sizeof *n->seen);
    for (size_t i = 0; i < n->words.n;
         i++) { /* what a failure leaves is of no text, and harmless */
        uint32_t number = 0;
        HONE_TRY(number_of(n, n->words.v[i].hash, &number));
        word *w = &n->known[number];
        n->all[n->n_all + i] = number;
        if (w->n && w->texts[w->n - 1] == this)
            continue;
        HONE_TRY(grow((void **)&w->texts, w->n + 1, &w->cap, sizeof *w->texts));
        w->texts[w->n++] = this;
    }
    n->n_all += n->words.n;
    n->end[n->n_texts++] = n->n_all;
    return HONE_OK;
}

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static int by_rarity(const void *a, const void *b)
{
    const asked *x = a, *y = b;
    return x->texts != y->texts     ? (x->texts < y->texts ? -1 : 1)
           : x->number != y->number ? (x->number < y->number ? -1 : 1)
                                    : 0;
}

/* Its words: `own`, and the distinct ones in `list` with their masks. */
static hone_status take(hone_novelty *n, size_t *n_list, size_t blocks)
{
    const size_t m = n->words.n;
    size_t k = 0, room;
    HONE_TRY(grow((void **)&n->own, m, &n->cap_own, sizeof *n->own));
    HONE_TRY(grow((void **)&n->list, m, &n->cap_list, sizeof *n->list));
    HONE_TRY(grow((void **)&n->v, blocks, &n->cap_v, sizeof *n->v));
    for (size_t i = 0; i < m; i++) {
        const size_t slot = slot_of(n, n->words.v[i].hash);
        n->own[i] = n->slots[slot] ? n->slots[slot] - 1 : NO_PLACE;
        if (n->own[i] == NO_PLACE)
            continue;
        word *w = &n->known[n->own[i]];
        if (w->place == NO_PLACE) {
            w->place = (uint32_t)k;
            n->list[k++] = (asked){n->own[i], 0, w->n};
        }
        n->list[w->place].times++;
    }
    *n_list = k;
    if (!hone_mul_size(k, blocks, &room))
        return hone_fail(HONE_E_LIMIT, "novelty: the text is too long");
    HONE_TRY(grow((void **)&n->mask, room, &n->cap_mask, sizeof *n->mask));
    if (room)
        memset(n->mask, 0, room * sizeof *n->mask);
    for (size_t i = 0; i < m; i++)
        if (n->own[i] != NO_PLACE)
            n->mask[n->known[n->own[i]].place * blocks + i / 64] |= (uint64_t)1 << (i % 64);
    return HONE_OK;
}

/* Longest common subsequence of the text at hand, of m words, with these. */
static size_t common(hone_novelty *n, const uint32_t *other, size_t n_other, size_t m,
                     size_t blocks)
{
    size_t zeros = 0;
    memset(n->v, 0xFF, blocks * sizeof *n->v);
    for (size_t i = 0; i < n_other; i++) {
        const uint32_t place = n->known[other[i]].place;
        uint64_t carry = 0;
        if (place == NO_PLACE)
            continue;
        const uint64_t *mask = n->mask + place * blocks;
        for (size_t b = 0; b < blocks; b++) {
            const uint64_t v = n->v[b], u = v & mask[b], part = v + u, sum = part + carry;
            carry = (part < v) | (sum < part);
            n->v[b] = sum | (v & ~mask[b]);
        }
    }
    for (size_t b = 0; b < blocks; b++) {
        uint64_t left = ~n->v[b];
        if (b == blocks - 1 && m % 64)
            left &= ((uint64_t)1 << (m % 64)) - 1;
        zeros += (size_t)__builtin_popcountll(left);
    }
    return zeros;
}

/* Text t, which has at most `may` of the words, as far as it may reach `least`; 0 where it cannot. */
static double compare(hone_novelty *n, uint32_t t, size_t may, double least, size_t blocks)
{
    const size_t from = t ? n->end[t - 1] : 0, len = n->end[t] - from, m = n->words.n;
    const double need = least * (double)(m + len) / 2 * (1 - 1e-12);
    size_t shared = 0;
    if ((double)(m < len ? m : len) < need || (double)may < need)
        return 0;
    for (size_t i = 0; i < len; i++)
        shared += n->known[n->all[from + i]].place != NO_PLACE;
    if ((double)shared < need || !shared)
        return 0;
    n->compared++;
    return 2.0 * (double)common(n, n->all + from, len, m, blocks) / (double)(m + len);
}

hone_status hone_novelty_look(hone_novelty *n, hone_str text, double least, size_t *which,
                              double *score)
{
    if (!(least >= 0 && least <= 1))
        return hone_fail(HONE_E_USAGE, "novelty: a limit from 0 to 1 is wanted");
    HONE_TRY(hone_words_of(&n->words, text));
    const size_t m = n->words.n, blocks = m / 64 + 1;
    size_t n_list = 0, best = HONE_NOVELTY_NONE, left = 0;
    double most = 0;
    hone_status s = take(n, &n_list, blocks);
    if (++n->look == 0) { /* once in 4 billion looks */
        memset(n->seen, 0, n->cap_seen * sizeof *n->seen);
        n->look = 1;
    }
    /* A text shorter than this one needs the fewest words of it: at least as many as it has itself. */
    const double fewest = least * (double)m / (2 - least) * (1 - 1e-12);
    for (size_t i = 0; i < n_list; i++)
        left += n->list[i].times;
    if (s >= 0 && n_list) /* places are read through the words: the list may be sorted */
        qsort(n->list, n_list, sizeof *n->list, by_rarity);
    size_t n_candidates = 0;
    for (size_t i = 0; s >= 0 && i < n_list && left && (double)left >= fewest; i++) {
        const word *w = &n->known[n->list[i].number];
        for (size_t k = 0; k < w->n && w->texts[k] < n->n_texts; k++) {
            const uint32_t t = w->texts[k];
            if (n->seen[t] != n->look) {
                n->seen[t] = n->look;
                n->got[t] = 0;
                n->candidates[n_candidates++] = t;
            }
            n->got[t] += n->list[i].times;
        }
        left -= n->list[i].times;
    }
    for (size_t i = 0; s >= 0 && i < n_candidates; i++) {
        const uint32_t t = n->candidates[i];
        const double x = compare(n, t, n->got[t] + left, least, blocks);
        if (x > 0 && x >= least * (1 - 1e-12) && (x > most || (x >= most && t < best))) {
            most = x;
            best = t;
        }
    }
    for (size_t i = 0; i < n_list; i++)
        n->known[n->list[i].number].place = NO_PLACE;
    if (s < 0)
        return s;
    *which = best;
    *score = most;
    return HONE_OK;
}
