/* grammar_run.c - the automaton at work: states by need, their bytes, their masks.
 *
 * A stack is a list of frames (where to go on, frame below); equal lists are one list, so a stack is a number. An item is
 * (node that eats bytes, stack); a state is a sorted set of items and whether the text may end; equal states are one state. So a state
 * says everything about what may follow, a step from it is looked up after the first time, and a grammar without real
 * recursion has finitely many states: it runs as its deterministic automaton, built where it is visited.
 *
 * A mask walks the sorted vocabulary (grammar_vocab.c): only bytes that differ from the token before are followed.
 *
 * Invariant: -1 (outside) is never stored as a state; STEP_UNKNOWN and STEP_OUT are the two values of a step that is none. */
#include "gen/grammar_int.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "gen/grammar_vocab.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_UNKNOWN = -1, STEP_OUT = -2 };
enum { MAX_ITEMS = 1 << 14, MAX_STATES = 1 << 22, MAX_FRAMES = 1 << 24 };

typedef struct frame {
    int32_t node, below; /* below: -1 none */
} frame;

typedef struct state {
    size_t first; /* of its items */
    uint32_t n;
    int32_t next_same; /* in its bucket; -1 */
    uint64_t hash;
    uint64_t *mask; /* or NULL */
    size_t allowed;
    uint8_t ends;
} state;

struct hone_matcher {
    hone_grammar *g;
    const hone_vocab *v;
    size_t mask_words, n_masks;
    frame *frames;
    size_t n_frames, cap_frames;
    int32_t *frame_slots; /* open addressing: frame number + 1 */
    size_t n_frame_slots;
    uint64_t *items; /* node << 32 | stack + 1 */
    size_t n_items, cap_items;
    state *states;
    int32_t *steps; /* n_states x n_classes */
    size_t n_states, cap_states;
    int32_t *buckets; /* first state, -1 */
    size_t n_buckets;
    int32_t start;
    /* of one step */
    uint64_t *todo, *seen; /* items to expand; a set (0: empty) */
    size_t cap_todo, n_seen, cap_seen;
    uint64_t *found;
    size_t n_found, cap_found;
    int32_t *path; /* states along a token */
};

static uint64_t item_of(int32_t node, int32_t stack)
{
    return (uint64_t)(uint32_t)node << 32 | (uint32_t)(stack + 1);
}
static int32_t node_of(uint64_t item)
{
    return (int32_t)(item >> 32);
}
static int32_t stack_of(uint64_t item)
{
    return (int32_t)(uint32_t)item - 1;
}
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
    return x ^ (x >> 29);
}

/* Room for n elements in a list that doubles. */
static hone_status room(void *list, size_t *cap, size_t n, size_t size)
{
    void **at = list;
    if (n <= *cap)
        return HONE_OK;
    size_t want = *cap ? *cap : 64;
    while (want < n)
        want *= 2;
    void *grown = hone_reallocarray(*at, want, size);
    if (!grown)
        return HONE_E_NOMEM;
    *at = grown;
    *cap = want;
    return HONE_OK;
}

/* ---- stacks ------------------------------------------------------------------------------------------------ */

static hone_status more_frame_slots(hone_matcher *m)
{
    const size_t n = m->n_frame_slots ? 2 * m->n_frame_slots : 256;
    int32_t *slots = hone_calloc(n, sizeof *slots);
    if (!slots)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < m->n_frames; i++) {
        size_t at = (size_t)mix(item_of(m->frames[i].node, m->frames[i].below)) & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = (int32_t)i + 1;
    }
    hone_free(m->frame_slots);
    m->frame_slots = slots;
    m->n_frame_slots = n;
    return HONE_OK;
}

/* The stack with `node` on top of `below`. */
static hone_status push(hone_matcher *m, int32_t node, int32_t below, int32_t *out)
{
    if (2 * (m->n_frames + 1) > m->n_frame_slots)
        HONE_TRY(more_frame_slots(m));
    size_t at = (size_t)mix(item_of(node, below)) & (m->n_frame_slots - 1);
    for (int32_t f; (f = m->frame_slots[at]) != 0; at = (at + 1) & (m->n_frame_slots - 1))
        if (m->frames[f - 1].node == node && m->frames[f - 1].below == below) {
            *out = f - 1;
            return HONE_OK;
        }
    if (m->n_frames == MAX_FRAMES)
        return hone_fail(HONE_E_LIMIT, "the grammar nests deeper than can be followed");
    HONE_TRY(room(&m->frames, &m->cap_frames, m->n_frames + 1, sizeof *m->frames));
    m->frames[m->n_frames] = (frame){node, below};
    *out = (int32_t)m->n_frames++;
    m->frame_slots[at] = *out + 1;
    return HONE_OK;
}

/* ---- states ------------------------------------------------------------------------------------------------ */

/* *fresh: the item was not seen in this step yet. */
static hone_status see(hone_matcher *m, uint64_t item, int *fresh)
{
    const uint64_t key = item + 1; /* 0 is empty; no item is all ones */
    if (2 * (m->n_seen + 1) > m->cap_seen) {
        const size_t n = m->cap_seen ? 2 * m->cap_seen : 256;
        uint64_t *grown = hone_calloc(n, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < m->cap_seen; i++) {
            size_t at = (size_t)mix(m->seen[i]) & (n - 1);
            if (!m->seen[i])
                continue;
            while (grown[at])
                at = (at + 1) & (n - 1);
            grown[at] = m->seen[i];
        }
        hone_free(m->seen);
        m->seen = grown;
        m->cap_seen = n;
    }
    size_t at = (size_t)mix(key) & (m->cap_seen - 1);
    while (m->seen[at] && m->seen[at] != key)
        at = (at + 1) & (m->cap_seen - 1);
    *fresh = m->seen[at] == 0;
    m->seen[at] = key;
    m->n_seen += (size_t)*fresh;
    return HONE_OK;
}

static hone_status expand_one(hone_matcher *m, uint64_t item, size_t *n_todo, int *ends)
{
    const hone__gnode *n = &m->g->nodes[node_of(item)];
    int32_t stack = stack_of(item);
    int fresh;
    if (n->dead)
        return HONE_OK;
    HONE_TRY(see(m, item, &fresh));
    if (!fresh)
        return HONE_OK;
    if (m->n_seen > 16 * (size_t)MAX_ITEMS || m->n_found > MAX_ITEMS) {
        hone_fail(HONE_E_LIMIT,
                  "the grammar is too ambiguous: a text can be read in more than %d ways",
                  MAX_ITEMS);
        return hone_fail_hint("let alternatives begin differently");
    }
    HONE_TRY(room(&m->todo, &m->cap_todo, *n_todo + 2, sizeof *m->todo));
    switch (n->kind) {
    case HONE__G_BYTES:
        HONE_TRY(room(&m->found, &m->cap_found, m->n_found + 1, sizeof *m->found));
        m->found[m->n_found++] = item;
        break;
    case HONE__G_SPLIT:
        m->todo[(*n_todo)++] = item_of(n->arg, stack);
        m->todo[(*n_todo)++] = item_of(n->next, stack);
        break;
    case HONE__G_CALL:
        if (m->g->nodes[n->next].dead)
            break;
        if (n->next != 0)
            HONE_TRY(push(m, n->next, stack, &stack));
        m->todo[(*n_todo)++] = item_of(m->g->rules[n->arg].start, stack);
        break;
    default:
        if (stack < 0)
            *ends = 1;
        else
            m->todo[(*n_todo)++] = item_of(m->frames[stack].node, m->frames[stack].below);
    }
    return HONE_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static hone_status more_buckets(hone_matcher *m)
{
    const size_t n = m->n_buckets ? 2 * m->n_buckets : 256;
    int32_t *b = hone_alloc(n * sizeof *b);
    if (!b)
        return HONE_E_NOMEM;
    memset(b, 0xff, n * sizeof *b);
    for (size_t i = 0; i < m->n_states; i++) {
        const size_t at = (size_t)m->states[i].hash & (n - 1);
        m->states[i].next_same = b[at];
        b[at] = (int32_t)i;
    }
    hone_free(m->buckets);
    m->buckets = b;
    m->n_buckets = n;
    return HONE_OK;
}

/* The state of found[0 .. n_found) and `ends`; found is sorted. */
static hone_status intern(hone_matcher *m, int ends, int32_t *out)
{
    const size_t bytes = m->n_found * sizeof *m->found;
    const uint64_t hash = hone_xxh64(m->found, bytes, (uint64_t)ends);
    if (m->n_states >= m->n_buckets)
        HONE_TRY(more_buckets(m));
    const size_t bucket = (size_t)hash & (m->n_buckets - 1);
    for (int32_t i = m->buckets[bucket]; i >= 0; i = m->states[i].next_same) {
        const state *s = &m->states[i];
        if (s->hash == hash && s->n == m->n_found && s->ends == ends &&
            (bytes == 0 || memcmp(m->items + s->first, m->found, bytes) == 0)) {
            *out = i;
            return HONE_OK;
        }
    }
    if (m->n_states == MAX_STATES)
        return hone_fail(HONE_E_LIMIT, "the grammar has more states than can be kept (%d)",
                         MAX_STATES);
    const size_t classes = m->g->n_classes;
    if (m->n_states == m->cap_states) { /* two lists, one capacity */
        const size_t cap = m->cap_states ? 2 * m->cap_states : 64;
        state *grown = hone_reallocarray(m->states, cap, sizeof *grown);
        if (grown)
            m->states = grown;
        int32_t *steps = grown ? hone_reallocarray(m->steps, cap * classes, sizeof *steps) : NULL;
        if (!steps)
            return HONE_E_NOMEM;
        m->steps = steps;
        m->cap_states = cap;
    }
    HONE_TRY(room(&m->items, &m->cap_items, m->n_items + m->n_found, sizeof *m->items));
    state *s = &m->states[m->n_states];
    *s = (state){.first = m->n_items,
                 .n = (uint32_t)m->n_found,
                 .next_same = m->buckets[bucket],
                 .hash = hash,
                 .ends = (uint8_t)ends};
    if (bytes)
        memcpy(m->items + m->n_items, m->found, bytes);
    m->n_items += m->n_found;
    for (size_t c = 0; c < classes; c++)
        m->steps[m->n_states * classes + c] = STEP_UNKNOWN;
    m->buckets[bucket] = (int32_t)m->n_states;
    *out = (int32_t)m->n_states++;
    return HONE_OK;
}

/* The state of all that can be reached from todo[0 .. n_todo) without eating; *out STEP_OUT where that is nothing. */
static hone_status close_over(hone_matcher *m, size_t n_todo, int32_t *out)
{
    int ends = 0;
    if (m->cap_seen > 8192) { /* a set that grew once is not cleared at every step */
        hone_free(m->seen);
        m->seen = NULL;
        m->cap_seen = 0;
    } else if (m->n_seen)
        memset(m->seen, 0, m->cap_seen * sizeof *m->seen);
    m->n_seen = m->n_found = 0;
    while (n_todo) {
        const uint64_t item = m->todo[--n_todo];
        HONE_TRY(expand_one(m, item, &n_todo, &ends));
    }
    if (m->n_found == 0 && !ends) {
        *out = STEP_OUT;
        return HONE_OK;
    }
    if (m->n_found > 1)
        qsort(m->found, m->n_found, sizeof *m->found, by_number);
    return intern(m, ends, out);
}

/* A step that was not looked up before. */
static hone_status new_step(hone_matcher *m, int32_t from, uint32_t class, int32_t *out)
{
    const uint8_t byte = m->g->class_byte[class];
    const state *s = &m->states[from];
    size_t n = 0;
    HONE_TRY(room(&m->todo, &m->cap_todo, s->n, sizeof *m->todo));
    for (size_t i = 0; i < s->n; i++) {
        const uint64_t item = m->items[s->first + i];
        const hone__gnode *node = &m->g->nodes[node_of(item)];
        if (byte >= node->lo && byte <= node->hi)
            m->todo[n++] = item_of(node->next, stack_of(item));
    }
    HONE_TRY(close_over(m, n, out));
    m->steps[(size_t)from * m->g->n_classes + class] = *out;
    return HONE_OK;
}

static hone_status step(hone_matcher *m, int32_t from, uint8_t byte, int32_t *out)
{
    const uint32_t class = m->g->byte_class[byte];
    *out = m->steps[(size_t)from * m->g->n_classes + class];
    return *out == STEP_UNKNOWN ? new_step(m, from, class, out) : HONE_OK;
}

/* ---- what is offered ------------------------------------------------------------------------------------- */

hone_status hone_matcher_create(hone_grammar *g, const hone_vocab *v, hone_matcher **out)
{
    hone_matcher *m = hone_calloc(1, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    m->g = hone_grammar_addref(g);
    m->v = v;
    m->mask_words = (hone_vocab_size(v) + 63) / 64;
    m->path = hone_calloc(v->longest + 1, sizeof *m->path);
    hone_status s = m->path ? room(&m->todo, &m->cap_todo, 1, sizeof *m->todo) : HONE_E_NOMEM;
    if (s >= 0) {
        m->todo[0] = item_of(g->rules[g->root].start, -1);
        s = close_over(m, 1, &m->start);
    }
    if (s < 0) {
        hone_matcher_destroy(m);
        return s;
    }
    *out = m;
    return HONE_OK;
}

static void forget(hone_matcher *m)
{
    for (size_t i = 0; i < m->n_states; i++)
        hone_free(m->states[i].mask);
    hone_free(m->frames);
    hone_free(m->frame_slots);
    hone_free(m->items);
    hone_free(m->states);
    hone_free(m->steps);
    hone_free(m->buckets);
    hone_free(m->todo);
    hone_free(m->seen);
    hone_free(m->found);
    hone_free(m->path);
}

void hone_matcher_destroy(hone_matcher *m)
{
    if (!m)
        return;
    forget(m);
    hone_grammar_unref(m->g);
    hone_free(m);
}

const hone_grammar *hone_matcher_grammar(const hone_matcher *m)
{
    return m->g;
}

int32_t hone_matcher_start(const hone_matcher *m)
{
    return m->start;
}

hone_status hone_matcher_eat(hone_matcher *m, int32_t from, hone_str bytes, int32_t *next)
{
    for (size_t i = 0; i < bytes.len && from >= 0; i++)
        HONE_TRY(step(m, from, (uint8_t)bytes.ptr[i], &from));
    *next = from < 0 ? -1 : from;
    return HONE_OK;
}

int hone_matcher_may_end(const hone_matcher *m, int32_t at)
{
    return at >= 0 && m->states[at].ends;
}

int hone_matcher_must_end(const hone_matcher *m, int32_t at)
{
    return at >= 0 && m->states[at].ends && m->states[at].n == 0;
}

static hone_status fill_mask(hone_matcher *m, int32_t at, uint64_t *mask, size_t *allowed)
{
    const hone_vocab *v = m->v;
    size_t alive = 0, n = 0; /* path[0 .. alive]: the states along the token before */
    m->path[0] = at;
    for (size_t i = 0; i < v->n; i++) {
        const hone__vtoken *t = &v->tokens[i];
        if (t->shared > alive)
            continue; /* it has the byte that led out */
        size_t d = t->shared;
        int32_t s = m->path[d];
        while (d < t->len) {
            HONE_TRY(step(m, s, t->bytes[d], &s));
            if (s < 0)
                break;
            m->path[++d] = s;
        }
        alive = d;
        if (d == t->len) {
            mask[t->id / 64] |= (uint64_t)1 << (t->id % 64);
            n++;
        }
    }
    *allowed = n;
    return HONE_OK;
}

hone_status hone_matcher_mask(hone_matcher *m, int32_t at, const uint64_t **mask, size_t *n)
{
    if (!m->states[at].mask) {
        size_t allowed = 0;
        uint64_t *fresh = hone_calloc(m->mask_words + 1, sizeof *fresh);
        if (!fresh)
            return HONE_E_NOMEM;
        const hone_status s = fill_mask(m, at, fresh, &allowed);
        if (s < 0) {
            hone_free(fresh);
            return s;
        }
        m->states[at].mask = fresh;
        m->states[at].allowed = allowed;
        m->n_masks++;
    }
    *mask = m->states[at].mask;
    *n = m->states[at].allowed;
    return HONE_OK;
}

size_t hone_matcher_states(const hone_matcher *m)
{
    return m->n_states;
}

size_t hone_matcher_memory(const hone_matcher *m)
{
    return m->n_masks * m->mask_words * sizeof(uint64_t) +
           m->cap_states * (sizeof *m->states + m->g->n_classes * sizeof *m->steps) +
           m->cap_items * sizeof *m->items + m->cap_frames * sizeof *m->frames +
           m->n_frame_slots * sizeof *m->frame_slots;
}

/* The stack of `from` rebuilt in m. Lowest frame first: a deep stack is turned round in todo. */
static hone_status copy_stack(hone_matcher *m, const hone_matcher *from, int32_t stack,
                              int32_t *out)
{
    size_t n = 0;
    for (; stack >= 0; stack = from->frames[stack].below) {
        HONE_TRY(room(&m->todo, &m->cap_todo, n + 1, sizeof *m->todo));
        m->todo[n++] = (uint64_t)(uint32_t)from->frames[stack].node;
    }
    *out = -1;
    while (n)
        HONE_TRY(push(m, (int32_t)m->todo[--n], *out, out));
    return HONE_OK;
}

static hone_status copy_state(hone_matcher *m, const hone_matcher *from, int32_t *at)
{
    const state *s = &from->states[*at];
    m->n_found = 0;
    HONE_TRY(room(&m->found, &m->cap_found, s->n, sizeof *m->found));
    for (size_t i = 0; i < s->n; i++) {
        const uint64_t item = from->items[s->first + i];
        int32_t stack;
        HONE_TRY(copy_stack(m, from, stack_of(item), &stack));
        m->found[m->n_found++] = item_of(node_of(item), stack);
    }
    if (m->n_found > 1) /* stacks have other numbers now */
        qsort(m->found, m->n_found, sizeof *m->found, by_number);
    return intern(m, s->ends, at);
}

hone_status hone_matcher_trim(hone_matcher *m, int32_t *states, size_t n)
{
    hone_matcher *fresh;
    hone_status s = hone_matcher_create(m->g, m->v, &fresh);
    int32_t *now = s >= 0 ? hone_calloc(n + 1, sizeof *now) : NULL;
    if (!now) {
        if (s >= 0)
            hone_matcher_destroy(fresh);
        return s < 0 ? s : HONE_E_NOMEM;
    }
    for (size_t i = 0; s >= 0 && i < n; i++) {
        now[i] = states[i];
        if (now[i] >= 0)
            s = copy_state(fresh, m, &now[i]);
    }
    if (s >= 0) { /* m keeps its place, fresh its content */
        const hone_matcher old = *m;
        *m = *fresh;
        *fresh = old;
        if (n)
            memcpy(states, now, n * sizeof *now);
    }
    hone_free(now);
    hone_matcher_destroy(fresh);
    return s;
}
