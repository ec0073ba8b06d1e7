/* attention.c - attention/1: causal grouped-query attention over a forest of segments.
 *
 *   y_t = sum_j p_tj v_j,  p_t = softmax over j of cap(scale * q_t . k_j),
 *   cap(s) = softcap*tanh(s/softcap), or s where softcap is 0
 *   j: the token itself and its ancestors (with a window: the nearest `window` of them)
 *   q, y (T, H*D)  k, v (T, KV*D)  logsumexp (T, H) kept for backward
 *   head h reads key/value head h/(H/KV)
 *
 * Keys and values lie in pages of 64 positions counted from the root (hone/ops.h), so a query
 * adds the same pages in the same order whether it comes alone or with a thousand others. In
 * TRAIN and SCORE pages are built from the batch in shared scratch; in PREFILL and DECODE the
 * batch's keys are written into the pages of the sequence state, which are then read. The layout
 * of a page is private to this file and its kernel: per key/value head K^T [D][64] and V [64][D];
 * for backward K^T, V^T [D][64] and K [64][D].
 *
 * Forward tasks: (block of queries, key/value head). Backward tasks: (tree, query head), which
 * own the gradients of that tree's pages for that head: segments in reverse order, each adding
 * the rows it had copied to its parent's page when it is done. Then the query heads of a
 * key/value head are summed, in order, into dk and dv. Nothing depends on which thread runs what.
 * (compute.md 2; FlashAttention: Dao et al. 2022)
 *
 * Invariants: segments of one tree are adjacent and parents come first; rows of a page that no key
 * was written to have no effect, whatever they hold. */
#include "base/alloc.h"
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"

#include <string.h>

enum { GROUP_MAX = 16, SERIAL_FLOPS = 300000 };

/* a run of queries of one segment */
struct block {
    int64_t segment, first, n;
};

struct plan {
    const hone_op_args *a;
    const hone_exec *ex;
    const hone_attention *attr;
    const hone_batch *b;
    int64_t hd, H, KV, G; /* G: query heads of a key/value head */
    int64_t part, parts;  /* heads of a group in one task; tasks a group */
    int64_t stride;       /* floats from page to page */
    float *pages;
    float *grads; /* backward */
    int64_t grad_stride;
    int64_t *tree_first; /* n_trees + 1 segment indices */
    struct block *blocks;
    int64_t n_blocks;
    int persistent, with_kt;
    int fill_own; /* a forward task writes the keys and values that only it reads */
};

static int64_t block_rows(int64_t part)
{
    int64_t n = HONE_ATTN_ROWS / part;
    return n > HONE_PAGE ? HONE_PAGE : n;
}

static size_t round64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

/* ---- shapes ---------------------------------------------------------------------------------- */
static hone_status check_segments(hone_shape_ctx *c)
{
    const hone_batch *b = c->batch;
    int64_t token = 0, tree = -1;
    for (uint32_t i = 0; i < b->n_segments; i++) {
        const hone_segment *s = &b->segments[i];
        int root = s->parent < 0;
        if (s->first_token != token || s->n_tokens < 1 || s->start < 0 || s->page_begin < 0 ||
            s->parent >= (int32_t)i || s->tree != tree + root || s->tree < 0 || s->copy_page < -1 ||
            s->copy_page >= b->n_pages)
            return hone__op_fail(c, HONE_E_INVALID, "segment %u is malformed", i);
        tree = s->tree;
        token += s->n_tokens;
        for (int64_t p = 0; p <= (s->start + s->n_tokens - 1) / HONE_PAGE; p++)
            if (b->page_ids[s->page_begin + p] < 0 || b->page_ids[s->page_begin + p] >= b->n_pages)
                return hone__op_fail(c, HONE_E_INVALID, "segment %u has a page outside the pool",
                                     i);
    }
    if (token != b->n_tokens || tree + 1 != b->n_trees)
        return hone__op_fail(c, HONE_E_INVALID, "segments do not cover the batch");
    return HONE_OK;
}

static hone_status infer_attention(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 3, 3, 0));
    HONE_TRY(hone__op_attr(c));
    const hone_attention *t = c->attr;
    const hone_shape *q = &c->in[0], *k = &c->in[1], *v = &c->in[2];
    if (t->n_heads < 1 || t->n_kv_heads < 1 || t->head_dim < 1 || t->n_heads % t->n_kv_heads ||
        t->window < 0 || !(t->softcap >= 0.0f) || t->head_dim > 1024)
        return hone__op_fail(c, HONE_E_INVALID, "%d heads over %d key/value heads of %d, window %d",
                             t->n_heads, t->n_kv_heads, t->head_dim, t->window);
    int64_t hd = t->head_dim, H = t->n_heads, KV = t->n_kv_heads;
    if (q->cols != H * hd || k->cols != KV * hd || v->cols != KV * hd || k->rows != q->rows ||
        v->rows != q->rows)
        return hone__op_fail(c, HONE_E_SHAPE,
                             "q %lld x %lld, k %lld x %lld, v %lld x %lld for %lld/%lld heads "
                             "of %lld",
                             (long long)q->rows, (long long)q->cols, (long long)k->rows,
                             (long long)k->cols, (long long)v->rows, (long long)v->cols,
                             (long long)H, (long long)KV, (long long)hd);
    c->n_out = 1;
    c->out[0] = hone__shape(q->rows, q->cols);
    c->n_extra = 1;
    c->extra[0] = hone__shape(q->rows, H);
    c->saves_in = 7;
    c->saves_out = 1;
    if (!c->batch)
        return HONE_OK;
    const hone_batch *b = c->batch;
    if (b->n_tokens != q->rows)
        return hone__op_fail(c, HONE_E_SHAPE, "%lld rows for a batch of %lld tokens",
                             (long long)q->rows, (long long)b->n_tokens);
    HONE_TRY(check_segments(c));
    int64_t G = H / KV, part = G > GROUP_MAX ? GROUP_MAX : G;
    int persistent = (c->mode == HONE_MODE_PREFILL || c->mode == HONE_MODE_DECODE) && b->state;
    size_t pool = (size_t)b->n_pages * (size_t)hd * HONE_PAGE * sizeof(float);
    size_t blocks = (size_t)(b->n_tokens / block_rows(part) + 2 * (int64_t)b->n_segments + 1);
    size_t blocks_bwd = (size_t)(b->n_tokens / HONE_ATTN_BWD_ROWS + 2 * (int64_t)b->n_segments + 1);
    size_t trees = round64((size_t)(b->n_trees + 1) * sizeof(int64_t));
    c->shared_scratch = trees + round64(blocks * sizeof(struct block)) +
                        (persistent ? 0 : pool * 2 * (size_t)KV);
    c->shared_scratch_bwd = trees + round64(blocks_bwd * sizeof(struct block)) +
                            pool * (3 * (size_t)KV + 2 * (size_t)H);
    c->thread_scratch = (size_t)hone_attn_fwd_floats(hd) * sizeof(float);
    c->thread_scratch_bwd = (size_t)hone_attn_bwd_floats(hd) * sizeof(float);
    return HONE_OK;
}

/* ---- laying the work out --------------------------------------------------------------------- */
static void make_plan(struct plan *p, const hone_op_args *a, const hone_exec *ex, int backward)
{
    const hone_attention *t = a->attr;
    const hone_batch *b = a->batch;
    *p = (struct plan){.a = a,
                       .ex = ex,
                       .attr = t,
                       .b = b,
                       .hd = t->head_dim,
                       .H = t->n_heads,
                       .KV = t->n_kv_heads};
    p->G = p->H / p->KV;
    p->part = p->G > GROUP_MAX ? GROUP_MAX : p->G;
    p->parts = (p->G + p->part - 1) / p->part;
    char *at = ex->shared_scratch;
    p->tree_first = (int64_t *)(void *)at;
    at += round64((size_t)(b->n_trees + 1) * sizeof(int64_t));
    p->blocks = (struct block *)(void *)at;
    /* blocks end where positions are multiples of their size, so that they straddle fewer pages */
    int64_t rows = backward ? HONE_ATTN_BWD_ROWS : block_rows(p->part), tree = -1;
    for (int64_t i = 0; i < b->n_segments; i++) {
        const hone_segment *s = &b->segments[i];
        if (s->tree != tree)
            p->tree_first[++tree] = i;
        for (int64_t q = 0; q < s->n_tokens;) {
            int64_t n = rows - (s->start + q) % rows;
            if (n > s->n_tokens - q)
                n = s->n_tokens - q;
            p->blocks[p->n_blocks++] = (struct block){i, q, n};
            q += n;
        }
    }
    p->tree_first[b->n_trees] = b->n_segments;
    at += round64((size_t)p->n_blocks * sizeof(struct block));
    p->persistent = !backward && (a->mode == HONE_MODE_PREFILL || a->mode == HONE_MODE_DECODE) &&
                    b->state;
    p->with_kt = backward;
    int64_t plane = p->hd * HONE_PAGE;
    if (p->persistent) {
        p->pages = b->state(b, t->slot, &p->stride);
    } else {
        p->stride = (backward ? 3 : 2) * p->KV * plane;
        p->pages = (float *)(void *)at;
    }
    p->grads = p->pages + b->n_pages * p->stride;
    p->grad_stride = 2 * p->H * plane;
}

/* Runs n tasks, here when there is little to do. */
static void run_tasks(const hone_exec *ex, int64_t n, int small, hone_task_fn fn, void *arg)
{
    if (!small && n > 1)
        ex->parallel(ex, n, fn, arg);
    else
        for (int64_t i = 0; i < n; i++)
            fn(arg, i, 0);
}

/* ---- filling pages --------------------------------------------------------------------------- */
/* Row `row` of a page from one key: as a column of a transposed plane, or as a row. */
static void put_column(float *plane, int64_t row, const float *x, int64_t hd)
{
    for (int64_t d = 0; d < hd; d++)
        plane[d * HONE_PAGE + row] = x[d];
}
static void put_row(float *plane, int64_t row, const float *x, int64_t hd)
{
    memcpy(plane + row * hd, x, (size_t)hd * sizeof(float));
}
/* The first n rows of a page from another. */
static void copy_rows(float *to, const float *from, int64_t n, int64_t hd, int transposed)
{
    if (transposed) {
        for (int64_t d = 0; d < hd; d++)
            memcpy(to + d * HONE_PAGE, from + d * HONE_PAGE, (size_t)n * sizeof(float));
    } else {
        memcpy(to, from, (size_t)(n * hd) * sizeof(float));
    }
}

/* One plane of one key/value head for one tree: its keys or its values, transposed or not. */
static void fill_plane(const struct plan *p, int64_t tree, const hone_view *x, int64_t head,
                       int64_t plane, int transposed)
{
    int64_t hd = p->hd, off = plane * hd * HONE_PAGE;
    for (int64_t i = p->tree_first[tree]; i < p->tree_first[tree + 1]; i++) {
        const hone_segment *s = &p->b->segments[i];
        const int32_t *ids = p->b->page_ids + s->page_begin;
        int64_t inside = s->start % HONE_PAGE;
        if (inside && s->copy_page >= 0)
            copy_rows(p->pages + ids[s->start / HONE_PAGE] * p->stride + off,
                      p->pages + s->copy_page * p->stride + off, inside, hd, transposed);
        for (int64_t t = 0; t < s->n_tokens; t++) {
            int64_t pos = s->start + t, row = pos % HONE_PAGE;
            float *page = p->pages + ids[pos / HONE_PAGE] * p->stride + off;
            const float *src = hone__row(x, s->first_token + t) + head * hd;
            if (transposed)
                put_column(page, row, src, hd);
            else
                put_row(page, row, src, hd);
        }
    }
}
static void fill_task(void *arg, int64_t task, uint32_t thread)
{
    (void)thread;
    const struct plan *p = arg;
    const hone_view *k = &p->a->in[1], *v = &p->a->in[2];
    int64_t planes = p->with_kt ? 3 : 2, plane = task % planes, head = task / planes % p->KV;
    int64_t tree = task / planes / p->KV, at = head * planes + plane;
    if (!p->with_kt) /* K^T, V */
        fill_plane(p, tree, plane == 0 ? k : v, head, at, plane == 0);
    else /* K^T, V^T, K */
        fill_plane(p, tree, plane == 1 ? v : k, head, at, plane < 2);
}
static void fill_pages(struct plan *p)
{
    int64_t planes = p->with_kt ? 3 : 2;
    run_tasks(p->ex, p->b->n_trees * p->KV * planes,
              p->b->n_tokens * p->KV * p->hd < HONE_OPS_SMALL / 2, fill_task, p);
}

/* ---- forward --------------------------------------------------------------------------------- */
static void fwd_task(void *arg, int64_t task, uint32_t thread)
{
    const struct plan *p = arg;
    const hone_op_args *a = p->a;
    /* late blocks see the most keys: first, so that threads end together */
    int64_t i = p->n_blocks - 1 - task / (p->KV * p->parts);
    int64_t kv = task / p->parts % p->KV, first = task % p->parts * p->part;
    const struct block *blk = &p->blocks[i];
    const hone_segment *s = &p->b->segments[blk->segment];
    int64_t t = s->first_token + blk->first, head = kv * p->G + first;
    int64_t group = p->G - first < p->part ? p->G - first : p->part;
    const hone_view *lse = a->n_extra && a->extra[0].data ? &a->extra[0] : NULL;
    if (p->fill_own) {
        fill_plane(p, s->tree, &a->in[1], kv, 2 * kv, 1);
        fill_plane(p, s->tree, &a->in[2], kv, 2 * kv + 1, 0);
    }
    hone_attn_fwd f = {.q = hone__row(&a->in[0], t) + head * p->hd,
                       .ldq = a->in[0].ld,
                       .out = hone__row(&a->out[0], t) + head * p->hd,
                       .ldo = a->out[0].ld,
                       .lse = lse ? hone__row(lse, t) + head : NULL,
                       .ldlse = lse ? lse->ld : 0,
                       .n_queries = (int32_t)blk->n,
                       .group = (int32_t)group,
                       .head_dim = (int32_t)p->hd,
                       .window = p->attr->window,
                       .scale = p->attr->scale,
                       .softcap = p->attr->softcap,
                       .start = s->start + blk->first,
                       .pages = p->pages + kv * 2 * p->hd * HONE_PAGE,
                       .page_stride = p->stride,
                       .page_ids = p->b->page_ids + s->page_begin,
                       .scratch = p->ex->thread_scratch(p->ex, thread)};
    hone_rows()->attn_fwd(&f);
}

static uint64_t flops(const hone_op_args *a)
{
    const hone_attention *t = a->attr;
    uint64_t pairs = 0;
    for (uint32_t i = 0; i < a->batch->n_segments; i++) {
        const hone_segment *s = &a->batch->segments[i];
        uint64_t n = (uint64_t)s->n_tokens;
        pairs += n * (uint64_t)s->start + n * (n + 1) / 2;
    }
    return pairs * 4 * (uint64_t)t->head_dim * (uint64_t)t->n_heads;
}

static hone_status fwd_attention(const hone_op_args *a, const hone_exec *ex)
{
    struct plan p;
    make_plan(&p, a, ex, 0);
    if (p.persistent && (!p.pages || p.stride < 2 * p.KV * p.hd * HONE_PAGE))
        return hone_fail(HONE_E_STATE, "attention: pages of slot %u are too small", p.attr->slot);
    /* decoding: a tree is one block of queries, whose task alone reads what the tree adds to a head's pages */
    p.fill_own = p.parts == 1 && p.n_blocks == a->batch->n_trees;
    if (!p.fill_own)
        fill_pages(&p);
    run_tasks(ex, p.n_blocks * p.KV * p.parts, flops(a) < SERIAL_FLOPS, fwd_task, &p);
    return HONE_OK;
}

/* ---- backward -------------------------------------------------------------------------------- */
static float *grad_page(const struct plan *p, int64_t page, int64_t head)
{
    return p->grads + page * p->grad_stride + head * 2 * p->hd * HONE_PAGE;
}

/* first page (by position) whose rows from `start` on belong to the segment alone */
static int64_t own_page(const hone_segment *s)
{
    return s->start / HONE_PAGE;
}

static void bwd_task(void *arg, int64_t task, uint32_t thread)
{
    const struct plan *p = arg;
    const hone_op_args *a = p->a;
    int64_t tree = task / p->H, head = task % p->H, plane = p->hd * HONE_PAGE;
    int64_t first = p->tree_first[tree], last = p->tree_first[tree + 1];
    int want_kv = hone__wants(a, 1) || hone__wants(a, 2);
    if (want_kv)
        for (int64_t i = first; i < last; i++) {
            const hone_segment *s = &p->b->segments[i];
            for (int64_t g = own_page(s); g <= (s->start + s->n_tokens - 1) / HONE_PAGE; g++)
                memset(grad_page(p, p->b->page_ids[s->page_begin + g], head), 0,
                       (size_t)(2 * plane) * sizeof(float));
        }
    int64_t blk = p->n_blocks;
    while (blk > 0 && p->blocks[blk - 1].segment >= last)
        blk--;
    for (int64_t i = last - 1; i >= first; i--) {
        const hone_segment *s = &p->b->segments[i];
        const int32_t *ids = p->b->page_ids + s->page_begin;
        int64_t end = blk;
        while (blk > 0 && p->blocks[blk - 1].segment == i)
            blk--;
        for (int64_t j = blk; j < end; j++) { /* queries in order: one chain into a page */
            int64_t t = s->first_token + p->blocks[j].first;
            hone_attn_bwd f = {.q = hone__row(&a->in[0], t) + head * p->hd,
                               .ldq = a->in[0].ld,
                               .out = hone__row(&a->out[0], t) + head * p->hd,
                               .ldo = a->out[0].ld,
                               .dout = hone__row(&a->dout[0], t) + head * p->hd,
                               .lddo = a->dout[0].ld,
                               .lse = hone__row(&a->extra[0], t) + head,
                               .ldlse = a->extra[0].ld,
                               .want_kv = want_kv,
                               .n_queries = (int32_t)p->blocks[j].n,
                               .head_dim = (int32_t)p->hd,
                               .window = p->attr->window,
                               .scale = p->attr->scale,
                               .softcap = p->attr->softcap,
                               .start = s->start + p->blocks[j].first,
                               .pages = p->pages + head / p->G * 3 * plane,
                               .page_stride = p->stride,
                               .grads = grad_page(p, 0, head),
                               .grad_stride = p->grad_stride,
                               .page_ids = ids,
                               .scratch = p->ex->thread_scratch(p->ex, thread)};
            if (hone__wants(a, 0)) {
                f.dq = hone__row(&a->din[0], t) + head * p->hd;
                f.lddq = a->din[0].ld;
                f.acc = hone__acc(a, 0);
            }
            hone_rows()->attn_bwd(&f);
        }
        int64_t inside = s->start % HONE_PAGE;
        if (want_kv && inside && s->copy_page >= 0) {
            float *from = grad_page(p, ids[own_page(s)], head),
                  *to = grad_page(p, s->copy_page, head);
            hone_rows()->row_axpy(1.0f, from, to, inside * p->hd);
            hone_rows()->row_axpy(1.0f, from + plane, to + plane, inside * p->hd);
        }
    }
}

/* dk and dv of the tokens of one block: the query heads of a key/value head, summed in order */
static void sum_task(void *arg, int64_t task, uint32_t thread)
{
    (void)thread;
    const struct plan *p = arg;
    const hone_op_args *a = p->a;
    const struct block *blk = &p->blocks[task];
    const hone_segment *s = &p->b->segments[blk->segment];
    const hone_rows_kernels *k = hone_rows();
    for (uint32_t which = 0; which < 2; which++) {
        if (!hone__wants(a, 1 + which))
            continue;
        for (int64_t t = blk->first; t < blk->first + blk->n; t++) {
            int64_t pos = s->start + t, page = p->b->page_ids[s->page_begin + pos / HONE_PAGE];
            float *d = hone__row(&a->din[1 + which], s->first_token + t);
            for (int64_t kv = 0; kv < p->KV; kv++, d += p->hd)
                for (int64_t g = 0; g < p->G; g++) {
                    const float *row = grad_page(p, page, kv * p->G + g) +
                                       which * p->hd * HONE_PAGE + pos % HONE_PAGE * p->hd;
                    if (g == 0 && !hone__acc(a, 1 + which))
                        k->unary(HONE_EW_COPY, row, d, p->hd, 0, 0);
                    else
                        k->row_axpy(1.0f, row, d, p->hd);
                }
        }
    }
}

static hone_status bwd_attention(const hone_op_args *a, const hone_exec *ex)
{
    if (!hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    struct plan p;
    make_plan(&p, a, ex, 1);
    int small = flops(a) < SERIAL_FLOPS;
    fill_pages(&p);
    run_tasks(ex, p.b->n_trees * p.H, small, bwd_task, &p);
    if (hone__wants(a, 1) || hone__wants(a, 2))
        run_tasks(ex, p.n_blocks, small, sum_task, &p);
    return HONE_OK;
}

static uint64_t cost_attention(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t rows = (uint64_t)a->in[0].rows;
    *bytes = 4 * rows * (uint64_t)(2 * a->in[0].cols + 2 * a->in[1].cols);
    return a->batch ? flops(a) : 0;
}

const hone_op hone_op_attention = {.struct_size = sizeof(hone_op),
                                   .flags = HONE_OP_STATEFUL,
                                   .name = "attention/1",
                                   .attr_size = sizeof(hone_attention),
                                   .infer = infer_attention,
                                   .fwd = fwd_attention,
                                   .bwd = bwd_attention,
                                   .cost = cost_attention};
