/* forest.c - batches of segment forests: building, numbering pages, splitting at trees.
 *
 * Adding keeps flat arrays; building sorts targets by row and numbers pages; splitting copies a run
 * of trees with everything renumbered from 0. Invariants: segments are depth-first, so a tree is a
 * run of segments and of tokens, and a segment's parent lies in the same tree. */
#include "nn/forest.h"

#include "base/alloc.h"

#include <string.h>

enum { MAX_COUNT = 1 << 30 };

void hone_forest_init(hone_forest *f)
{
    memset(f, 0, sizeof *f);
}

void hone_forest_release(hone_forest *f)
{
    hone_free(f->tokens);
    hone_free(f->positions);
    hone_free(f->segments);
    hone_free(f->tree_begin);
    hone_free(f->page_ids);
    hone_free(f->target_row);
    hone_free(f->target_id);
    hone_free(f->target_slot);
    hone_free(f->logit_rows);
    hone_free(f->parts);
    hone_free(f->local);
    hone_free(f->local_segments);
    memset(f, 0, sizeof *f);
}

void hone_forest_clear(hone_forest *f)
{
    f->n_tokens = f->n_segments = f->n_trees = f->n_page_ids = f->n_pages = 0;
    f->n_targets = f->n_logit_rows = 0;
    f->built = f->n_parts = 0;
}

/* Grows one or more arrays of the same capacity. */
static hone_status grow(int64_t *cap, int64_t need, void **a, size_t sa, void **b, size_t sb,
                        void **c, size_t sc)
{
    void **p[3] = {a, b, c};
    size_t size[3] = {sa, sb, sc};
    int64_t n = *cap ? *cap : 64;
    if (need <= *cap)
        return HONE_OK;
    if (need > MAX_COUNT)
        return hone_fail(HONE_E_LIMIT, "batch: more than %d entries", (int)MAX_COUNT);
    while (n < need)
        n *= 2;
    for (int i = 0; i < 3; i++)
        if (p[i]) {
            void *q = hone_reallocarray(*p[i], (size_t)n, size[i]);
            if (!q)
                return HONE_E_NOMEM;
            *p[i] = q;
        }
    *cap = n;
    return HONE_OK;
}

/* hone_reallocarray through a typed pointer without aliasing trouble. */
#define GROW1(cap, need, a)                                                                        \
    do {                                                                                           \
        void *a_ = f->a;                                                                           \
        hone_status s_ = grow(&f->cap, need, &a_, sizeof *f->a, NULL, 0, NULL, 0);                 \
        f->a = a_;                                                                                 \
        if (s_ < 0)                                                                                \
            return s_;                                                                             \
    } while (0)

int32_t hone_forest_segment(hone_forest *f, int32_t parent, const int32_t *tokens, int64_t n)
{
    int64_t start = 0, index = f->n_segments, walk;
    hone_segment *sg;
    void *a, *b;
    hone_status s;
    if (f->built)
        return hone_fail(HONE_E_STATE, "batch: it is built; clear it before adding segments");
    if (n < 1 || n > MAX_COUNT)
        return hone_fail(HONE_E_INVALID, "batch: a segment of %lld tokens", (long long)n);
    if (parent < -1 || parent >= index)
        return hone_fail(HONE_E_INVALID, "batch: segment %lld has parent %d", (long long)index,
                         parent);
    if (parent >=
        0) { /* depth-first: the parent is on the path from the last segment to its root */
        for (walk = index - 1; walk >= 0 && walk != parent;)
            walk = f->segments[walk].parent;
        if (walk != parent)
            return hone_fail(HONE_E_INVALID,
                             "batch: segment %lld below %d is not in depth-first order",
                             (long long)index, parent);
        start = f->segments[parent].start + f->segments[parent].n_tokens;
    }
    if (start + n > MAX_COUNT)
        return hone_fail(HONE_E_LIMIT, "batch: a sequence of %lld tokens", (long long)(start + n));
    a = f->tokens;
    b = f->positions;
    s = grow(&f->cap_tokens, f->n_tokens + n, &a, sizeof *f->tokens, &b, sizeof *f->positions, NULL,
             0);
    f->tokens = a;
    f->positions = b;
    if (s < 0)
        return s;
    GROW1(cap_segments, index + 1, segments);
    GROW1(cap_trees, f->n_trees + 2, tree_begin);
    if (parent < 0)
        f->tree_begin[f->n_trees++] = index;
    f->tree_begin[f->n_trees] = index + 1;
    sg = &f->segments[index];
    memset(sg, 0, sizeof *sg);
    sg->first_token = f->n_tokens;
    sg->n_tokens = n;
    sg->start = start;
    sg->parent = parent;
    sg->copy_page = -1;
    sg->tree = f->n_trees - 1;
    memcpy(f->tokens + f->n_tokens, tokens, (size_t)n * sizeof *tokens);
    for (int64_t i = 0; i < n; i++)
        f->positions[f->n_tokens + i] = (int32_t)(start + i);
    f->n_tokens += n;
    f->n_segments++;
    return (int32_t)index;
}

int64_t hone_forest_row(const hone_forest *f, int32_t segment, int64_t i)
{
    const hone_segment *sg, *up;
    if (segment < 0 || segment >= f->n_segments)
        return -1;
    sg = &f->segments[segment];
    if (i < 0 || i >= sg->n_tokens)
        return -1;
    if (i > 0)
        return sg->first_token + i - 1;
    if (sg->parent < 0)
        return -1;
    up = &f->segments[sg->parent];
    return up->first_token + up->n_tokens - 1;
}

int64_t hone_forest_target(hone_forest *f, int64_t row, int32_t id)
{
    void *a = f->target_row, *b = f->target_id, *c = f->target_slot;
    hone_status s;
    if (row < 0 || row >= f->n_tokens)
        return hone_fail(HONE_E_INVALID, "batch: a target in row %lld of %lld", (long long)row,
                         (long long)f->n_tokens);
    if (f->built)
        return hone_fail(HONE_E_STATE, "batch: targets are added before it is built");
    s = grow(&f->cap_targets, f->n_targets + 1, &a, sizeof *f->target_row, &b, sizeof *f->target_id,
             &c, sizeof *f->target_slot);
    f->target_row = a;
    f->target_id = b;
    f->target_slot = c;
    if (s < 0)
        return s;
    f->target_row[f->n_targets] = (int32_t)row;
    f->target_id[f->n_targets] = id;
    return f->n_targets++;
}

int64_t hone_forest_targets(hone_forest *f, int32_t segment, int64_t first, int64_t n)
{
    int64_t number = f->n_targets;
    if (segment < 0 || segment >= f->n_segments || first < 0 || n < 0 ||
        first + n > f->segments[segment].n_tokens)
        return hone_fail(HONE_E_INVALID, "batch: targets for tokens %lld..%lld of segment %d",
                         (long long)first, (long long)(first + n), segment);
    for (int64_t i = first; i < first + n; i++) {
        int64_t row = hone_forest_row(f, segment, i), k;
        if (row < 0) {
            hone_fail(HONE_E_INVALID, "batch: nothing predicts the first token of a sequence");
            k = HONE_E_INVALID;
        } else {
            k = hone_forest_target(f, row, f->tokens[f->segments[segment].first_token + i]);
        }
        if (k < 0) {
            f->n_targets = number;
            return k;
        }
    }
    return number;
}

hone_status hone_forest_logits(hone_forest *f, int64_t row)
{
    if (f->built)
        return hone_fail(HONE_E_STATE, "batch: logits are asked for before it is built");
    if (row < 0 || row >= f->n_tokens ||
        (f->n_logit_rows && row <= f->logit_rows[f->n_logit_rows - 1]))
        return hone_fail(HONE_E_INVALID, "batch: logits of row %lld of %lld, not in order",
                         (long long)row, (long long)f->n_tokens);
    GROW1(cap_logit_rows, f->n_logit_rows + 1, logit_rows);
    f->logit_rows[f->n_logit_rows++] = (int32_t)row;
    return HONE_OK;
}

/* Stable by row: counting in place of a sort, since rows are small numbers. */
static hone_status sort_targets(hone_forest *f)
{
    int64_t *count, n = f->n_targets;
    int32_t *row, *id;
    int sorted = 1;
    for (int64_t k = 0; k < n; k++) {
        f->target_slot[k] = k;
        sorted &= k == 0 || f->target_row[k - 1] <= f->target_row[k];
    }
    if (sorted)
        return HONE_OK;
    count = hone_calloc((size_t)f->n_tokens + 1, sizeof *count);
    row = hone_reallocarray(NULL, (size_t)n, 2 * sizeof *row);
    if (!count || !row) {
        hone_free(count);
        hone_free(row);
        return HONE_E_NOMEM;
    }
    id = row + n;
    for (int64_t k = 0; k < n; k++)
        count[f->target_row[k] + 1]++;
    for (int64_t r = 0; r < f->n_tokens; r++)
        count[r + 1] += count[r];
    for (int64_t k = 0; k < n; k++) {
        int64_t slot = count[f->target_row[k]]++;
        f->target_slot[k] = slot;
        row[slot] = f->target_row[k];
        id[slot] = f->target_id[k];
    }
    memcpy(f->target_row, row, (size_t)n * sizeof *row);
    memcpy(f->target_id, id, (size_t)n * sizeof *id);
    hone_free(count);
    hone_free(row);
    return HONE_OK;
}

/* Pages of every segment: the parent's full ones, then own ones. */
static hone_status number_pages(hone_forest *f)
{
    f->n_page_ids = f->n_pages = 0;
    for (int64_t i = 0; i < f->n_segments; i++) {
        hone_segment *sg = &f->segments[i];
        int64_t n = (sg->start + sg->n_tokens + HONE_PAGE - 1) / HONE_PAGE;
        int64_t shared = sg->parent < 0 ? 0 : sg->start / HONE_PAGE;
        const hone_segment *up = sg->parent < 0 ? NULL : &f->segments[sg->parent];
        GROW1(cap_page_ids, f->n_page_ids + n, page_ids);
        sg->page_begin = f->n_page_ids;
        for (int64_t k = 0; k < n; k++)
            f->page_ids[sg->page_begin + k] = k < shared ? f->page_ids[up->page_begin + k]
                                                         : (int32_t)f->n_pages++;
        sg->copy_page = up && sg->start % HONE_PAGE ? f->page_ids[up->page_begin + shared] : -1;
        f->n_page_ids += n;
    }
    return HONE_OK;
}

const hone_batch *hone_forest_build(hone_forest *f)
{
    hone_batch *b = &f->whole.batch;
    if (f->built)
        return b;
    if (f->n_segments == 0) {
        hone_fail(HONE_E_INVALID, "batch: it has no tokens");
        return NULL;
    }
    if (number_pages(f) < 0 || sort_targets(f) < 0)
        return NULL;
    memset(&f->whole, 0, sizeof f->whole);
    b->struct_size = sizeof *b;
    b->n_segments = (uint32_t)f->n_segments;
    b->n_tokens = f->n_tokens;
    b->tokens = f->tokens;
    b->positions = f->positions;
    b->segments = f->segments;
    b->page_ids = f->page_ids;
    b->n_pages = f->n_pages;
    b->n_trees = f->n_trees;
    b->n_targets = f->n_targets;
    b->target_row = f->target_row;
    b->target_id = f->target_id;
    b->n_logit_rows = f->n_logit_rows;
    b->logit_rows = f->logit_rows;
    f->built = 1;
    return b;
}

int64_t hone_forest_slot(const hone_forest *f, int64_t k)
{
    return f->built && k >= 0 && k < f->n_targets ? f->target_slot[k] : -1;
}

/* ---- parts ----------------------------------------------------------------------------------- */
static int64_t tree_tokens(const hone_forest *f, int64_t tree)
{
    const hone_segment *first = &f->segments[f->tree_begin[tree]];
    const hone_segment *last = &f->segments[f->tree_begin[tree + 1] - 1];
    return last->first_token + last->n_tokens - first->first_token;
}

/* Places of one run of trees in the flat arrays. */
struct run {
    int64_t tree0, tree1, seg0, seg1, tok0, tok1, page0, page1, id0, id1, tgt0, tgt1, log0, log1;
};

static void find_run(const hone_forest *f, int64_t tree0, int64_t tree1, const struct run *prev,
                     struct run *r)
{
    const hone_segment *last;
    r->tree0 = tree0;
    r->tree1 = tree1;
    r->seg0 = f->tree_begin[tree0];
    r->seg1 = f->tree_begin[tree1];
    last = &f->segments[r->seg1 - 1];
    r->tok0 = f->segments[r->seg0].first_token;
    r->tok1 = last->first_token + last->n_tokens;
    r->id0 = f->segments[r->seg0].page_begin;
    r->id1 = r->seg1 < f->n_segments ? f->segments[r->seg1].page_begin : f->n_page_ids;
    r->page0 = f->page_ids[r->id0]; /* a root's first page is the lowest of its tree */
    r->page1 = r->id1 < f->n_page_ids ? f->page_ids[r->id1] : f->n_pages;
    r->tgt0 = r->tgt1 = prev ? prev->tgt1 : 0;
    while (r->tgt1 < f->n_targets && f->target_row[r->tgt1] < r->tok1)
        r->tgt1++;
    r->log0 = r->log1 = prev ? prev->log1 : 0;
    while (r->log1 < f->n_logit_rows && f->logit_rows[r->log1] < r->tok1)
        r->log1++;
}

static void fill_part(const hone_forest *f, const struct run *r, hone_segment *sg, int32_t *local,
                      hone_forest_part *out)
{
    hone_batch *b = &out->batch;
    int32_t *pages = local, *rows = pages + (r->id1 - r->id0), *logit = rows + (r->tgt1 - r->tgt0);
    memset(out, 0, sizeof *out);
    for (int64_t i = r->seg0; i < r->seg1; i++) {
        hone_segment *d = &sg[i - r->seg0];
        *d = f->segments[i];
        d->first_token -= r->tok0;
        if (d->parent >= 0)
            d->parent -= (int32_t)r->seg0;
        if (d->copy_page >= 0)
            d->copy_page -= (int32_t)r->page0;
        d->page_begin -= r->id0;
        d->tree -= r->tree0;
    }
    for (int64_t i = r->id0; i < r->id1; i++)
        pages[i - r->id0] = f->page_ids[i] - (int32_t)r->page0;
    for (int64_t i = r->tgt0; i < r->tgt1; i++)
        rows[i - r->tgt0] = f->target_row[i] - (int32_t)r->tok0;
    for (int64_t i = r->log0; i < r->log1; i++)
        logit[i - r->log0] = f->logit_rows[i] - (int32_t)r->tok0;
    b->struct_size = sizeof *b;
    b->n_segments = (uint32_t)(r->seg1 - r->seg0);
    b->n_tokens = r->tok1 - r->tok0;
    b->tokens = f->tokens + r->tok0;
    b->positions = f->positions + r->tok0;
    b->segments = sg;
    b->page_ids = pages;
    b->n_pages = r->page1 - r->page0;
    b->n_trees = r->tree1 - r->tree0;
    b->n_targets = r->tgt1 - r->tgt0;
    b->target_row = rows;
    b->target_id = f->target_id + r->tgt0;
    b->n_logit_rows = r->log1 - r->log0;
    b->logit_rows = logit;
    out->first_token = r->tok0;
    out->first_segment = r->seg0;
    out->first_target = r->tgt0;
    out->first_logit = r->log0;
}

int32_t hone_forest_split(hone_forest *f, int64_t max_tokens)
{
    size_t words, at = 0;
    struct run r, prev;
    if (!hone_forest_build(f))
        return hone_error_get()->code;
    words = (size_t)(f->n_page_ids + f->n_targets + f->n_logit_rows);
    if (words > f->cap_local) {
        int32_t *q = hone_reallocarray(f->local, words, sizeof *q);
        if (!q)
            return HONE_E_NOMEM;
        f->local = q;
        f->cap_local = words;
    }
    if ((size_t)f->n_segments > f->cap_local_segments) {
        hone_segment *q = hone_reallocarray(f->local_segments, (size_t)f->n_segments, sizeof *q);
        if (!q)
            return HONE_E_NOMEM;
        f->local_segments = q;
        f->cap_local_segments = (size_t)f->n_segments;
    }
    GROW1(cap_parts, f->n_trees, parts);
    f->n_parts = 0;
    for (int64_t t0 = 0, t1; t0 < f->n_trees; t0 = t1) {
        int64_t n = tree_tokens(f, t0);
        for (t1 = t0 + 1; t1 < f->n_trees; t1++) {
            n += tree_tokens(f, t1);
            if (max_tokens > 0 && n > max_tokens)
                break;
        }
        find_run(f, t0, t1, f->n_parts ? &prev : NULL, &r);
        fill_part(f, &r, f->local_segments + r.seg0, f->local + at, &f->parts[f->n_parts++]);
        at += (size_t)(r.id1 - r.id0 + r.tgt1 - r.tgt0 + r.log1 - r.log0);
        prev = r;
    }
    return f->n_parts;
}

const hone_forest_part *hone_forest_part_get(const hone_forest *f, int32_t i)
{
    return i >= 0 && i < f->n_parts ? &f->parts[i] : NULL;
}
