/* ops_support.h - runs one op on made-up tensors: buffers, views, batches of segments, threads,
 * kernel sets.
 *
 * Scratch is filled with NaN before every run, so that reading what was not written shows. Every
 * tensor has a guard after it. A batch is built from (tokens, parent) pairs, with pages laid out
 * as hone/ops.h says. */
#ifndef HONE_TESTS_OPS_SUPPORT_H
#define HONE_TESTS_OPS_SUPPORT_H
#include "support.h"

#include "hone/ops.h"
#include "ops/attrs.h"
#include "ops/cpu.h"
#include "ops/kernels.h"
#include "ops/registry.h"
#include "tensor/pool.h"

#include <math.h>

static hone_pool *ops_pools[2]; /* 1 and 3 threads */
static inline int ops_setup(void **state)
{
    (void)state;
    hone_fp_setup();
    assert_ok(hone_pool_create(1, &ops_pools[0]));
    assert_ok(hone_pool_create(3, &ops_pools[1]));
    return 0;
}
static inline int ops_teardown(void **state)
{
    (void)state;
    hone_pool_destroy(ops_pools[0]);
    hone_pool_destroy(ops_pools[1]);
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */
static uint64_t ops_seed = 1;
static inline float ops_number(void) /* about [-2, 2), never near 0 */
{
    ops_seed = ops_seed * 6364136223846793005u + 1442695040888963407u;
    float x = (float)((int64_t)(ops_seed >> 33) - (1 << 30)) * 0x1p-29f;
    return x + (x < 0 ? -0.01f : 0.01f);
}
static inline uint32_t ops_below(uint32_t n)
{
    ops_seed = ops_seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(ops_seed >> 33) % n;
}

/* ---- batches --------------------------------------------------------------------------------- */
enum { OPS_SEGMENTS = 64 };
struct ops_batch {
    hone_batch b;
    hone_segment seg[OPS_SEGMENTS];
    int32_t *tokens, *positions, *page_ids;
    int64_t page_cap;
};
/* n segments: tokens and parent (-1: a root) each */
static inline struct ops_batch *ops_batch_new(int n, const int64_t (*seg)[2])
{
    struct ops_batch *m = hone_calloc(1, sizeof *m);
    int64_t T = 0, ids = 0, pages = 0, trees = 0;
    for (int i = 0; i < n; i++)
        T += seg[i][0];
    m->page_cap = (T / HONE_PAGE + 2) * n + n;
    m->tokens = hone_calloc((size_t)T, 4);
    m->positions = hone_calloc((size_t)T, 4);
    m->page_ids = hone_calloc((size_t)m->page_cap, 4);
    T = 0;
    for (int i = 0; i < n; i++) {
        hone_segment *s = &m->seg[i], *p = seg[i][1] < 0 ? NULL : &m->seg[seg[i][1]];
        *s = (hone_segment){.first_token = T,
                            .n_tokens = seg[i][0],
                            .parent = (int32_t)seg[i][1],
                            .copy_page = -1,
                            .page_begin = ids,
                            .start = p ? p->start + p->n_tokens : 0};
        s->tree = p ? p->tree : trees++;
        int64_t full = s->start / HONE_PAGE, last = (s->start + s->n_tokens - 1) / HONE_PAGE;
        for (int64_t g = 0; g <= last; g++)
            m->page_ids[ids + g] = g < full ? m->page_ids[p->page_begin + g] : (int32_t)pages++;
        if (s->start % HONE_PAGE)
            s->copy_page = m->page_ids[p->page_begin + full];
        ids += last + 1;
        for (int64_t t = 0; t < s->n_tokens; t++) {
            m->tokens[T + t] = (int32_t)ops_below(1000);
            m->positions[T + t] = (int32_t)(s->start + t);
        }
        T += s->n_tokens;
    }
    m->b = (hone_batch){.struct_size = sizeof(hone_batch),
                        .n_segments = (uint32_t)n,
                        .n_tokens = T,
                        .tokens = m->tokens,
                        .positions = m->positions,
                        .segments = m->seg,
                        .page_ids = m->page_ids,
                        .n_pages = pages,
                        .n_trees = trees};
    return m;
}
static inline void ops_batch_free(struct ops_batch *m)
{
    if (m) {
        hone_free(m->tokens);
        hone_free(m->positions);
        hone_free(m->page_ids);
    }
    hone_free(m);
}

/* ---- tensors --------------------------------------------------------------------------------- */
enum { OPS_GUARD = 16 };
static const float ops_guard = 12345.0f;
static inline int64_t ops_floats(const hone_view *v)
{
    if (v->layout == HONE_PANELS)
        return hone_panel_floats(v->rows, v->cols);
    return v->rows > 0 ? (v->rows - 1) * v->ld + v->cols : 0;
}
static inline hone_view ops_view(int64_t rows, int64_t cols, uint32_t dtype, uint32_t layout,
                                 int64_t pad)
{
    hone_view v = {.dtype = dtype, .layout = layout, .rows = rows, .cols = cols, .ld = cols + pad};
    size_t n = (size_t)ops_floats(&v) + OPS_GUARD;
    float *p = aligned_alloc(64, (n * 4 + 63) / 64 * 64);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = ops_guard;
    v.data = p;
    return v;
}
static inline float *ops_at(const hone_view *v, int64_t r, int64_t c)
{
    float *p = v->data;
    return v->layout == HONE_PANELS ? p + (r / 32 * v->cols + c) * 32 + r % 32 : p + r * v->ld + c;
}
static inline void ops_fill(const hone_view *v, float scale, int positive)
{
    if (v->layout == HONE_PANELS)
        memset(v->data, 0, (size_t)ops_floats(v) * 4);
    for (int64_t r = 0; r < v->rows; r++)
        for (int64_t c = 0; c < v->cols; c++) {
            float x = ops_number() * scale;
            *ops_at(v, r, c) = positive ? fabsf(x) + 0.05f : x;
        }
}
static inline hone_view ops_copy(const hone_view *v)
{
    hone_view w = ops_view(v->rows, v->cols, v->dtype, v->layout, v->ld - v->cols);
    memcpy(w.data, v->data, ((size_t)ops_floats(v) + OPS_GUARD) * 4);
    return w;
}
/* Nothing was written outside of the tensor: between rows, behind it. */
static inline int ops_intact(const hone_view *v)
{
    const float *p = v->data;
    int64_t n = ops_floats(v);
    for (int64_t i = n; i < n + OPS_GUARD; i++)
        if (p[i] != ops_guard)
            return 0;
    for (int64_t r = 0; v->layout == HONE_ROWS && r + 1 < v->rows; r++)
        for (int64_t c = v->cols; c < v->ld; c++)
            if (p[r * v->ld + c] != ops_guard)
                return 0;
    return 1;
}
/* Same bits, up to the kind of NaN. */
static inline int ops_equal(const hone_view *a, const hone_view *b)
{
    if (a->rows != b->rows || a->cols != b->cols)
        return 0;
    for (int64_t r = 0; r < a->rows; r++)
        for (int64_t c = 0; c < a->cols; c++) {
            float x = *ops_at(a, r, c), y = *ops_at(b, r, c);
            if (memcmp(&x, &y, 4) && !(a->dtype == HONE_F32 && x != x && y != y)) {
                fprintf(stderr, "row %lld column %lld: %.9g and %.9g\n", (long long)r, (long long)c,
                        (double)x, (double)y);
                return 0;
            }
        }
    return 1;
}

/* ---- one op ---------------------------------------------------------------------------------- */
struct ops_run {
    const hone_op *op;
    const void *attr;
    const hone_batch *batch;
    uint32_t mode, n_in, want; /* want: inputs whose gradient is asked for */
    int64_t pad;               /* floats between rows */
    hone_view in[HONE_OP_MAX_IN], out[HONE_OP_MAX_OUT], extra[HONE_OP_MAX_EXTRA];
    hone_view dout[HONE_OP_MAX_OUT], din[HONE_OP_MAX_IN];
    uint8_t fresh[HONE_OP_MAX_IN];
    hone_shape_ctx ctx;
};

static inline hone_status ops_infer(struct ops_run *r)
{
    static hone_shape shapes[HONE_OP_MAX_IN];
    for (uint32_t i = 0; i < r->n_in; i++)
        shapes[i] = (hone_shape){r->in[i].rows, r->in[i].cols, r->in[i].dtype, r->in[i].layout};
    r->ctx = (hone_shape_ctx){.struct_size = sizeof r->ctx,
                              .mode = r->mode,
                              .n_in = r->n_in,
                              .needs_grad = r->want,
                              .in = shapes,
                              .attr = r->attr,
                              .batch = r->batch};
    return r->op->infer(&r->ctx);
}
static inline hone_op_args ops_args(struct ops_run *r, int backward)
{
    hone_op_args a = {.struct_size = sizeof a,
                      .mode = r->mode,
                      .n_in = r->n_in,
                      .n_out = r->ctx.n_out,
                      .n_extra = r->ctx.n_extra,
                      .in = r->in,
                      .out = r->out,
                      .extra = r->extra,
                      .attr = r->attr,
                      .batch = r->batch};
    if (backward) {
        a.dout = r->dout;
        a.din = r->din;
        a.din_fresh = r->fresh;
    }
    return a;
}
static inline const hone_exec *ops_exec(int pool, size_t thread, size_t shared)
{
    assert_ok(hone_pool_reserve(ops_pools[pool], thread + 64, shared + 64));
    const hone_exec *ex = hone_pool_exec(ops_pools[pool]);
    memset(ex->shared_scratch, 0xff, shared);
    for (uint32_t t = 0; t < ex->n_threads; t++)
        memset(ex->thread_scratch(ex, t), 0xff, thread);
    return ex;
}
/* Makes outputs (and extras in TRAIN mode) unless they are there, and runs. */
static inline void ops_forward(struct ops_run *r, int pool)
{
    hone_status s = ops_infer(r);
    if (s < 0)
        fprintf(stderr, "%s: %s\n", r->op->name, r->ctx.error);
    assert_int_equal(s, HONE_OK);
    for (uint32_t i = 0; i < r->ctx.n_out; i++)
        if (!r->out[i].data)
            r->out[i] = ops_view(r->ctx.out[i].rows, r->ctx.out[i].cols, r->ctx.out[i].dtype,
                                 HONE_ROWS, r->pad);
    for (uint32_t i = 0; i < r->ctx.n_extra; i++)
        if (r->mode == HONE_MODE_TRAIN && !r->extra[i].data)
            r->extra[i] = ops_view(r->ctx.extra[i].rows, r->ctx.extra[i].cols,
                                   r->ctx.extra[i].dtype, r->ctx.extra[i].layout, 0);
    hone_op_args a = ops_args(r, 0);
    assert_ok(r->op->fwd(&a, ops_exec(pool, r->ctx.thread_scratch, r->ctx.shared_scratch)));
}
/* dout and din must be there where wanted. */
static inline void ops_backward(struct ops_run *r, int pool)
{
    hone_op_args a = ops_args(r, 1);
    assert_ok(r->op->bwd(&a, ops_exec(pool, r->ctx.thread_scratch_bwd, r->ctx.shared_scratch_bwd)));
}
/* Gradient buffers of the wanted inputs, holding rubbish (fresh) or numbers to add to. */
static inline void ops_gradients(struct ops_run *r, int fresh)
{
    for (uint32_t i = 0; i < r->n_in; i++) {
        r->fresh[i] = (uint8_t)fresh;
        if (!(r->want >> i & 1))
            continue;
        r->din[i] = ops_view(r->in[i].rows, r->in[i].cols, HONE_F32, r->in[i].layout,
                             r->in[i].ld - r->in[i].cols);
        if (!fresh)
            ops_fill(&r->din[i], 1, 0);
        else
            for (int64_t y = 0; y < r->in[i].rows; y++)
                for (int64_t x = 0; x < r->in[i].cols; x++)
                    *ops_at(&r->din[i], y, x) = NAN;
    }
}
static inline void ops_douts(struct ops_run *r)
{
    for (uint32_t i = 0; i < r->ctx.n_out; i++) {
        r->dout[i] = ops_view(r->out[i].rows, r->out[i].cols, HONE_F32, HONE_ROWS, r->pad);
        ops_fill(&r->dout[i], 1, 0);
    }
}
static inline void ops_drop(hone_view *v)
{
    free(v->data);
    v->data = NULL;
}
/* Frees outputs, extras and gradients; inputs when `inputs`. */
static inline void ops_clear(struct ops_run *r, int inputs)
{
    for (int i = 0; i < HONE_OP_MAX_OUT; i++) {
        ops_drop(&r->out[i]);
        ops_drop(&r->dout[i]);
    }
    for (int i = 0; i < HONE_OP_MAX_EXTRA; i++)
        ops_drop(&r->extra[i]);
    for (int i = 0; i < HONE_OP_MAX_IN; i++) {
        ops_drop(&r->din[i]);
        if (inputs)
            ops_drop(&r->in[i]);
    }
}
/* Runs the body once per kernel set this machine has. */
#define EACH_SET(set)                                                                              \
    for (int set = 0, set##_was_ = hone_cpu_get()->used;                                           \
         set < HONE_CPU_SETS || (hone_cpu_use(set##_was_), 0); set++)                              \
        if (hone_cpu_use(set) < 0)                                                                 \
            continue;                                                                              \
        else
#endif
