/* state.c - pages of sequence state, sequences that share them, batches made of them.
 *
 * One region holds all pages; page p starts at p * page_floats and holds its state slots side by
 * side, so that a page is copied and zeroed in one piece and the region can grow at its end
 * (addresses may change between batches, never in one: the ops ask for them at each call).
 *
 * Invariants: a page with position >= length of some sequence (the partial one) belongs to that
 * sequence alone; refs[p] counts sequences that hold p; pages past `fresh` were never handed out
 * and are zero. */
#include "nn/state.h"

#include "base/alloc.h"
#include "tensor/region.h"

#include <string.h>

enum { MAX_SEQS = 1 << 20 };
#define MAX_BYTES ((size_t)64 << 30)

struct seq {
    int32_t *pages;
    int32_t n_pages, cap_pages; /* n_pages may run ahead of length while a batch is pending */
    int64_t length, pending;    /* new tokens of the batch that is not committed */
    int32_t live;
};

struct hone_state {
    uint32_t n_slots, flags; /* HONE_STATE_* */
    size_t state_floats, page_floats;
    int64_t max_pages, n_pages, fresh; /* n_pages: in the region */
    hone_region region;
    int32_t *refs, *unused; /* by page; a stack of pages free again */
    int64_t n_unused, live, peak;
    struct seq *seqs;
    int32_t n_seqs, cap_seqs;
    int32_t *pending; /* sequences of the batch */
    int32_t n_pending, cap_pending;
    hone_batch batch;
    hone_segment *segments;
    int32_t *ints; /* tokens, positions, target rows and ids, logit rows, page ids */
    size_t cap_segments, cap_ints;
};

hone_status hone_state_create(const hone_model_info *info, int64_t max_pages, hone_state **out)
{
    hone_state *st;
    size_t floats, page, limit;
    int64_t per_slot = info->state_floats;
    if (per_slot == 0) {
        if (info->n_kv_heads < 0 || info->head_dim < 0 || info->n_kv_heads > 1 << 20 ||
            info->head_dim > 1 << 20)
            return hone_fail(HONE_E_RANGE, "sequence state: impossible heads");
        per_slot = 2 * info->n_kv_heads * info->head_dim * HONE_PAGE;
    }
    if (per_slot < 0 || max_pages < 0 ||
        !hone_mul_size((size_t)per_slot, info->n_state_slots, &floats) ||
        !hone_mul_size(floats, sizeof(float), &page) || page > MAX_BYTES)
        return hone_fail(HONE_E_RANGE, "sequence state: a page of %lld floats in %u layers",
                         (long long)per_slot, info->n_state_slots);
    limit = page ? MAX_BYTES / page : (size_t)1 << 24;
    if (limit > INT32_MAX)
        limit = INT32_MAX;
    st = hone_calloc(1, sizeof *st);
    if (!st)
        return HONE_E_NOMEM;
    st->n_slots = info->n_state_slots;
    st->flags = info->state_flags;
    st->state_floats = (size_t)per_slot;
    st->page_floats = floats;
    st->max_pages = max_pages && (size_t)max_pages < limit ? max_pages : (int64_t)limit;
    st->region.name = "sequence state";
    *out = st;
    return HONE_OK;
}

void hone_state_destroy(hone_state *st)
{
    if (!st)
        return;
    for (int32_t i = 0; i < st->n_seqs; i++)
        hone_free(st->seqs[i].pages);
    hone_region_release(&st->region);
    hone_free(st->refs);
    hone_free(st->unused);
    hone_free(st->seqs);
    hone_free(st->pending);
    hone_free(st->segments);
    hone_free(st->ints);
    hone_free(st);
}

/* ---- pages ----------------------------------------------------------------------------------- */
static float *page_data(const hone_state *st, int32_t page)
{
    return (float *)st->region.base + (size_t)page * st->page_floats;
}

static hone_status more_pages(hone_state *st)
{
    int64_t n = st->n_pages ? st->n_pages * 2 : 16;
    int32_t *refs, *unused;
    size_t bytes;
    if (st->n_pages >= st->max_pages) {
        hone_fail(HONE_E_LIMIT, "sequence state: all %lld pages of %d positions are in use",
                  (long long)st->max_pages, HONE_PAGE);
        return hone_fail_hint("generate fewer sequences at once, or shorter ones");
    }
    if (n > st->max_pages)
        n = st->max_pages;
    if (!hone_mul_size((size_t)n, st->page_floats * sizeof(float), &bytes))
        return hone_fail(HONE_E_LIMIT, "sequence state: too large");
    refs = hone_reallocarray(st->refs, (size_t)n, sizeof *refs);
    if (!refs)
        return HONE_E_NOMEM;
    st->refs = refs;
    unused = hone_reallocarray(st->unused, (size_t)n, sizeof *unused);
    if (!unused)
        return HONE_E_NOMEM;
    st->unused = unused;
    HONE_TRY(hone_region_grow(&st->region, bytes));
    st->n_pages = n;
    return HONE_OK;
}

/* A zeroed page with one reference, or < 0. */
static int32_t take_page(hone_state *st)
{
    int32_t page;
    if (st->n_unused) {
        page = st->unused[--st->n_unused];
        if (!hone_region_planning())
            memset(page_data(st, page), 0, st->page_floats * sizeof(float));
    } else {
        if (st->fresh == st->n_pages)
            HONE_TRY(more_pages(st));
        page = (int32_t)st->fresh++;
    }
    st->refs[page] = 1;
    if (++st->live > st->peak)
        st->peak = st->live;
    return page;
}

static void drop_page(hone_state *st, int32_t page)
{
    if (--st->refs[page] == 0) {
        st->unused[st->n_unused++] = page;
        st->live--;
    }
}

static int64_t pages_for(int64_t length)
{
    return (length + HONE_PAGE - 1) / HONE_PAGE;
}

static hone_status room_for_pages(struct seq *s, int64_t n)
{
    int32_t cap = s->cap_pages ? s->cap_pages : 4, *q;
    if (n <= s->cap_pages)
        return HONE_OK;
    if (n > INT32_MAX / 2)
        return hone_fail(HONE_E_LIMIT, "sequence state: a sequence of %lld pages", (long long)n);
    while (cap < n)
        cap *= 2;
    q = hone_reallocarray(s->pages, (size_t)cap, sizeof *q);
    if (!q)
        return HONE_E_NOMEM;
    s->pages = q;
    s->cap_pages = cap;
    return HONE_OK;
}

static void drop_tail(hone_state *st, struct seq *s, int64_t keep)
{
    while (s->n_pages > keep)
        drop_page(st, s->pages[--s->n_pages]);
}

/* The batch that was not committed is forgotten. */
static void roll_back(hone_state *st)
{
    for (int32_t i = 0; i < st->n_pending; i++) {
        struct seq *s = &st->seqs[st->pending[i]];
        s->pending = 0;
        drop_tail(st, s, pages_for(s->length));
    }
    st->n_pending = 0;
}

/* ---- sequences ------------------------------------------------------------------------------- */
static struct seq *find(const hone_state *st, hone_seq q)
{
    return q >= 0 && q < st->n_seqs && st->seqs[q].live ? &st->seqs[q] : NULL;
}

void hone_state_reset(hone_state *st)
{
    roll_back(st);
    for (int32_t i = 0; i < st->n_seqs; i++)
        if (st->seqs[i].live)
            hone_seq_release(st, i);
}

hone_seq hone_seq_create(hone_state *st)
{
    int32_t i = 0;
    while (i < st->n_seqs && st->seqs[i].live)
        i++;
    if (i == st->n_seqs) {
        if (i == MAX_SEQS)
            return hone_fail(HONE_E_LIMIT, "sequence state: more than %d sequences", (int)MAX_SEQS);
        if (i == st->cap_seqs) {
            int32_t cap = i ? i * 2 : 16;
            struct seq *q = hone_reallocarray(st->seqs, (size_t)cap, sizeof *q);
            if (!q)
                return HONE_E_NOMEM;
            st->seqs = q;
            st->cap_seqs = cap;
        }
        memset(&st->seqs[i], 0, sizeof st->seqs[i]);
        st->n_seqs++;
    }
    st->seqs[i].live = 1;
    st->seqs[i].length = st->seqs[i].pending = 0;
    st->seqs[i].n_pages = 0;
    return i;
}

hone_seq hone_seq_fork(hone_state *st, hone_seq from)
{
    struct seq *a, *b;
    hone_seq q;
    int64_t full, all;
    hone_status s;
    roll_back(st);
    if (!find(st, from))
        return hone_fail(HONE_E_INVALID, "sequence state: no sequence %d", from);
    q = hone_seq_create(st);
    if (q < 0)
        return q;
    a = &st->seqs[from];
    b = &st->seqs[q];
    full = a->length / HONE_PAGE;
    all = pages_for(a->length);
    HONE_TRY_GOTO(room_for_pages(b, all), fail);
    for (int64_t i = 0; i < full; i++) {
        b->pages[b->n_pages++] = a->pages[i];
        st->refs[a->pages[i]]++;
    }
    if (all > full) {
        int32_t page = take_page(st);
        HONE_TRY_GOTO(page, fail);
        if (!hone_region_planning())
            memcpy(page_data(st, page), page_data(st, a->pages[full]),
                   st->page_floats * sizeof(float));
        b->pages[b->n_pages++] = page;
    }
    b->length = a->length;
    return q;
fail:
    hone_seq_release(st, q);
    return s;
}

void hone_seq_release(hone_state *st, hone_seq q)
{
    struct seq *s;
    roll_back(st);
    s = find(st, q);
    if (!s)
        return;
    drop_tail(st, s, 0);
    s->live = 0;
    s->length = 0;
}

int64_t hone_seq_length(const hone_state *st, hone_seq q)
{
    const struct seq *s = find(st, q);
    return s ? s->length : -1;
}

hone_status hone_seq_truncate(hone_state *st, hone_seq q, int64_t length)
{
    struct seq *s;
    roll_back(st);
    s = find(st, q);
    if (!s || length < 0 || length > s->length)
        return hone_fail(HONE_E_INVALID, "sequence state: sequence %d cannot be cut to %lld", q,
                         (long long)length);
    if ((st->flags & HONE_STATE_RECURRENT) && length % HONE_PAGE && length != s->length)
        return hone_fail(HONE_E_UNSUPPORTED,
                         "sequence state: a recurrent model keeps its state of every %d positions;"
                         " sequence %d cannot be cut to %lld",
                         HONE_PAGE, q, (long long)length);
    drop_tail(st, s, pages_for(length));
    if (length % HONE_PAGE && st->refs[s->pages[s->n_pages - 1]] > 1) { /* it will be written to */
        int32_t old = s->pages[s->n_pages - 1], page = take_page(st);
        HONE_TRY(page);
        memcpy(page_data(st, page), page_data(st, old), st->page_floats * sizeof(float));
        drop_page(st, old);
        s->pages[s->n_pages - 1] = page;
    }
    s->length = length;
    return HONE_OK;
}

/* ---- batches --------------------------------------------------------------------------------- */
static float *slot_state(const hone_batch *batch, uint32_t slot, int64_t *stride)
{
    const hone_state *st = batch->ctx;
    if (slot >= st->n_slots)
        return NULL;
    *stride = (int64_t)st->page_floats;
    return (float *)st->region.base + (size_t)slot * st->state_floats;
}

static hone_status room_for_batch(hone_state *st, size_t n_segments, size_t n_ints)
{
    if (n_segments > st->cap_segments) {
        hone_segment *q = hone_reallocarray(st->segments, n_segments * 2, sizeof *q);
        if (!q)
            return HONE_E_NOMEM;
        st->segments = q;
        st->cap_segments = n_segments * 2;
    }
    if (n_segments > (size_t)st->cap_pending) {
        int32_t *q = hone_reallocarray(st->pending, n_segments * 2, sizeof *q);
        if (!q)
            return HONE_E_NOMEM;
        st->pending = q;
        st->cap_pending = (int32_t)n_segments * 2;
    }
    if (n_ints > st->cap_ints) {
        int32_t *q = hone_reallocarray(st->ints, n_ints * 2, sizeof *q);
        if (!q)
            return HONE_E_NOMEM;
        st->ints = q;
        st->cap_ints = n_ints * 2;
    }
    return HONE_OK;
}

/* Marks the sequences of the batch as pending and gives them pages. Rolled back by the caller. */
static hone_status take_pages(hone_state *st, const hone_seq_step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct seq *s = find(st, steps[i].seq);
        int64_t need;
        if (!s || steps[i].n < 1 || s->pending)
            return hone_fail(HONE_E_INVALID, "sequence state: step %zu: sequence %d, %d tokens", i,
                             steps[i].seq, steps[i].n);
        need = pages_for(s->length + steps[i].n);
        HONE_TRY(room_for_pages(s, need));
        s->pending = steps[i].n;
        st->pending[st->n_pending++] = steps[i].seq;
        while (s->n_pages < need) {
            int32_t page = take_page(st);
            HONE_TRY(page);
            s->pages[s->n_pages++] = page;
        }
    }
    return HONE_OK;
}

hone_status hone_state_batch(hone_state *st, const hone_seq_step *steps, size_t n,
                             const hone_batch **out)
{
    hone_batch *b = &st->batch;
    int32_t *tokens, *positions, *rows, *ids, *logits, *pages;
    int64_t n_tokens = 0, n_pages = 0, k = 0;
    hone_status s;
    roll_back(st);
    if (n < 1 || n > MAX_SEQS)
        return hone_fail(HONE_E_INVALID, "sequence state: a batch of %zu sequences", n);
    for (size_t i = 0; i < n; i++) {
        const struct seq *q = find(st, steps[i].seq);
        n_tokens += steps[i].n > 0 ? steps[i].n : 0;
        n_pages += q ? pages_for(q->length + (steps[i].n > 0 ? steps[i].n : 0)) : 0;
    }
    if (n_tokens > INT32_MAX)
        return hone_fail(HONE_E_LIMIT, "sequence state: a batch of %lld tokens",
                         (long long)n_tokens);
    HONE_TRY(room_for_batch(st, n, (size_t)n_tokens * 5 + (size_t)n_pages));
    s = take_pages(st, steps, n);
    if (s < 0) {
        roll_back(st);
        return s;
    }
    tokens = st->ints;
    positions = tokens + n_tokens;
    rows = positions + n_tokens;
    ids = rows + n_tokens;
    logits = ids + n_tokens;
    pages = logits + n_tokens;
    memset(b, 0, sizeof *b);
    b->struct_size = sizeof *b;
    n_pages = 0;
    for (size_t i = 0; i < n; i++) {
        const hone_seq_step *p = &steps[i];
        const struct seq *q = &st->seqs[p->seq];
        hone_segment *sg = &st->segments[i];
        memset(sg, 0, sizeof *sg);
        sg->first_token = k;
        sg->n_tokens = p->n;
        sg->start = q->length;
        sg->parent = sg->copy_page = -1;
        sg->page_begin = n_pages;
        sg->tree = (int64_t)i;
        memcpy(pages + n_pages, q->pages, (size_t)q->n_pages * sizeof *pages);
        n_pages += q->n_pages;
        memcpy(tokens + k, p->tokens, (size_t)p->n * sizeof *tokens);
        for (int32_t j = 0; j < p->n; j++, k++) {
            positions[k] = (int32_t)(q->length + j);
            if (p->targets && p->targets[j] >= 0) {
                rows[b->n_targets] = (int32_t)k;
                ids[b->n_targets++] = p->targets[j];
            }
            if (p->logits == HONE_LOGITS_ALL || (p->logits == HONE_LOGITS_LAST && j == p->n - 1))
                logits[b->n_logit_rows++] = (int32_t)k;
        }
    }
    b->n_segments = (uint32_t)n;
    b->n_tokens = n_tokens;
    b->tokens = tokens;
    b->positions = positions;
    b->segments = st->segments;
    b->page_ids = pages;
    b->n_pages = st->n_pages;
    b->n_trees = (int64_t)n;
    b->target_row = rows;
    b->target_id = ids;
    b->logit_rows = logits;
    b->state = slot_state;
    b->ctx = st;
    *out = b;
    return HONE_OK;
}

void hone_state_commit(hone_state *st)
{
    for (int32_t i = 0; i < st->n_pending; i++) {
        struct seq *s = &st->seqs[st->pending[i]];
        s->length += s->pending;
        s->pending = 0;
    }
    st->n_pending = 0;
}

void hone_state_get_stats(const hone_state *st, hone_state_stats *out)
{
    out->pages_live = st->live;
    out->pages_peak = st->peak;
    out->max_pages = st->max_pages;
    out->page_bytes = st->page_floats * sizeof(float);
}
