/* A model without keys and values, and the op pack it is made of: what sequence state is in general.
 *
 * Each layer: u = W_u x, z = W_z x, g = W_g x over the normed stream x;
 *   c_t = w_0 u_t + w_1 u_(t-1) + w_2 u_(t-2) + w_3 u_(t-3)            test_conv/1: state 3 rows
 *   h_t = a_t h_(t-1) + c_t,  a_t = (1 + z_t / (1 + |z_t|)) / 2        test_decay/1: state 1 row
 *   stream += W_o (silu(g) * h)
 * Both ops mix tokens and keep their state as hone/ops.h says ("recurrent state"): side by side in one
 * slot a layer, the last three u at float 0, h at float 3 * width. No position is known to the model but
 * through them. Every sum is one chain in token order, in plain multiplies and adds (compile with
 * -ffp-contract=off), so no bit depends on mode, split, thread or kernel set.
 *
 * Two components in one file: kind `ops` and kind `model`; compiled with -DWITHOUT_OPS, the model alone. */
#include "hone/model.h"

#include <stdio.h>
#include <string.h>

enum { TAPS = 4, BACK = TAPS - 1, COLUMNS = 64, LAYERS_MAX = 16 };

/* ---- ops ------------------------------------------------------------------------------------- */
typedef struct place {
    uint32_t slot;
    int32_t offset; /* floats into the slot's page */
} place;

static float *row(const hone_view *v, int64_t r)
{
    return (float *)v->data + r * v->ld;
}

/* One op's work: the batch, its pages where they persist, and a range of columns a task. */
typedef struct job {
    const hone_op_args *a;
    const hone_batch *b;
    float *pages; /* NULL: TRAIN and SCORE */
    int64_t stride, width, blocks;
    int backward;
} job;

static int open_job(job *j, const hone_op_args *a, int backward)
{
    const place *p = a->attr;
    memset(j, 0, sizeof *j);
    j->a = a;
    j->b = a->batch;
    j->width = a->in[0].cols;
    j->blocks = (j->width + COLUMNS - 1) / COLUMNS;
    j->backward = backward;
    if (!backward && (a->mode == HONE_MODE_PREFILL || a->mode == HONE_MODE_DECODE) && j->b->state) {
        j->pages = j->b->state(j->b, p->slot, &j->stride);
        if (!j->pages)
            return 0;
        j->pages += p->offset;
    }
    return 1;
}

static float *page_of(const job *j, const hone_segment *s, int64_t position)
{
    return j->pages + j->b->page_ids[s->page_begin + position / HONE_PAGE] * j->stride;
}

/* The row of the token `back` before token t of segment s, along its ancestors, or -1: it is before the
 * batch. *root and *rest then say in which root, and how many tokens before its first. */
static int64_t row_before(const hone_batch *b, const hone_segment *s, int64_t t, int64_t back,
                          const hone_segment **root, int64_t *rest)
{
    t -= back;
    while (t < 0 && s->parent >= 0) {
        s = &b->segments[s->parent];
        t += s->n_tokens;
    }
    *root = s;
    *rest = -t;
    return t < 0 ? -1 : s->first_token + t;
}

/* Segments [*first, *last) of a tree: they are adjacent. */
static void tree_segments(const hone_batch *b, int64_t tree, int64_t *first, int64_t *last)
{
    int64_t i = 0, n = b->n_segments;
    while (i < n && b->segments[i].tree != tree)
        i++;
    *first = i;
    while (i < n && b->segments[i].tree == tree)
        i++;
    *last = i;
}

static hone_status infer_rows(hone_shape_ctx *c, uint32_t n_in)
{
    if (c->n_in != n_in || c->in[0].dtype != HONE_F32 || c->in[0].layout != HONE_ROWS) {
        snprintf(c->error, sizeof c->error, "%u inputs, not %u rows of floats", c->n_in, n_in);
        return HONE_E_SHAPE;
    }
    if (c->batch && c->batch->n_tokens != c->in[0].rows) {
        snprintf(c->error, sizeof c->error, "a batch of %lld tokens",
                 (long long)c->batch->n_tokens);
        return HONE_E_SHAPE;
    }
    c->n_out = 1;
    c->out[0] = c->in[0];
    return HONE_OK;
}

/* Calls fn for each position of the segment after which state is written, the last one first: fn may read the
 * page that the segment began from, which only the first one overwrites. */
static void each_write(const job *j, const hone_segment *s, int64_t c0, int64_t c1,
                       void (*fn)(const job *j, const hone_segment *s, int64_t t, int64_t c0,
                                  int64_t c1))
{
    for (int64_t t = s->n_tokens - 1; t >= 0; t--)
        if (t == s->n_tokens - 1 || (s->start + t) % HONE_PAGE == HONE_PAGE - 1)
            fn(j, s, t, c0, c1);
}

/* test_conv/1: u (T, C), w (1, 4 C) -> (T, C) */
static hone_status infer_conv(hone_shape_ctx *c)
{
    hone_status s = infer_rows(c, 2);
    if (s < 0)
        return s;
    if (c->in[1].rows * c->in[1].cols != TAPS * c->in[0].cols) {
        snprintf(c->error, sizeof c->error, "weights are not %d a column", (int)TAPS);
        return HONE_E_SHAPE;
    }
    c->saves_in = 3;
    return HONE_OK;
}

/* u of `back` tokens before token t; NULL: before the sequence. */
static const float *u_before(const job *j, const hone_segment *s, int64_t t, int64_t back)
{
    const hone_segment *root;
    int64_t rest, r = row_before(j->b, s, t, back, &root, &rest);
    if (r >= 0)
        return row(&j->a->in[0], r);
    if (!j->pages || root->start == 0 || rest > BACK)
        return NULL;
    return page_of(j, root, root->start - 1) + (BACK - rest) * j->width;
}

/* The newest three u after token t. Ascending: an entry comes from a later one of the same page. */
static void write_conv(const job *j, const hone_segment *s, int64_t t, int64_t c0, int64_t c1)
{
    float *page = page_of(j, s, s->start + t);
    for (int64_t k = 0; k < BACK; k++) {
        const float *u = u_before(j, s, t, BACK - 1 - k);
        for (int64_t c = c0; c < c1; c++)
            page[k * j->width + c] = u ? u[c] : 0.0f;
    }
}

static void conv_forward(const job *j, int64_t tree, int64_t c0, int64_t c1)
{
    const float *w = j->a->in[1].data;
    int64_t first, last;
    tree_segments(j->b, tree, &first, &last);
    for (int64_t i = first; i < last; i++) {
        const hone_segment *s = &j->b->segments[i];
        for (int64_t t = 0; t < s->n_tokens; t++) {
            float *y = row(&j->a->out[0], s->first_token + t);
            for (int64_t k = 0; k < TAPS; k++) {
                const float *u = u_before(j, s, t, k);
                for (int64_t c = c0; c < c1; c++) {
                    float add = u ? w[k * j->width + c] * u[c] : 0.0f;
                    y[c] = k ? y[c] + add : add;
                }
            }
        }
    }
    for (int64_t i = last - 1; j->pages && i >= first;
         i--) /* who reads a page, before who owns it */
        each_write(j, &j->b->segments[i], c0, c1, write_conv);
}

static void conv_backward(const job *j, int64_t tree, int64_t c0, int64_t c1)
{
    const hone_op_args *a = j->a;
    const float *w = a->in[1].data;
    const hone_segment *root;
    int64_t first, last, rest;
    tree_segments(j->b, tree, &first, &last);
    if (a->din_fresh[0])
        for (int64_t i = first; i < last; i++)
            for (int64_t t = 0; t < j->b->segments[i].n_tokens; t++)
                memset(row(&a->din[0], j->b->segments[i].first_token + t) + c0, 0,
                       (size_t)(c1 - c0) * sizeof(float));
    for (int64_t i = last - 1; i >= first; i--) {
        const hone_segment *s = &j->b->segments[i];
        for (int64_t t = s->n_tokens - 1; t >= 0; t--) {
            const float *dy = row(&a->dout[0], s->first_token + t);
            for (int64_t k = 0; k < TAPS; k++) {
                int64_t r = row_before(j->b, s, t, k, &root, &rest);
                float *du = r < 0 ? NULL : row(&a->din[0], r);
                for (int64_t c = c0; du && c < c1; c++)
                    du[c] += w[k * j->width + c] * dy[c];
            }
        }
    }
}

/* dw: one chain over all tokens of the batch, from what is stored. */
static void conv_weights(const job *j, int64_t c0, int64_t c1)
{
    const hone_op_args *a = j->a;
    float *dw = a->din[1].data;
    if (a->din_fresh[1])
        for (int64_t k = 0; k < TAPS; k++)
            memset(dw + k * j->width + c0, 0, (size_t)(c1 - c0) * sizeof(float));
    for (uint32_t i = 0; i < j->b->n_segments; i++) {
        const hone_segment *s = &j->b->segments[i];
        for (int64_t t = 0; t < s->n_tokens; t++) {
            const float *dy = row(&a->dout[0], s->first_token + t);
            for (int64_t k = 0; k < TAPS; k++) {
                const float *u = u_before(j, s, t, k);
                for (int64_t c = c0; u && c < c1; c++)
                    dw[k * j->width + c] += dy[c] * u[c];
            }
        }
    }
}

/* test_decay/1: z (T, C), c (T, C) -> h (T, C) */
static hone_status infer_decay(hone_shape_ctx *c)
{
    hone_status s = infer_rows(c, 2);
    if (s < 0)
        return s;
    if (c->in[1].rows != c->in[0].rows || c->in[1].cols != c->in[0].cols) {
        snprintf(c->error, sizeof c->error, "decays and values of two shapes");
        return HONE_E_SHAPE;
    }
    c->saves_in = 1;
    c->saves_out = 1;
    return HONE_OK;
}

static float decay(float z)
{
    return 0.5f + 0.5f * (z / (1.0f + (z < 0 ? -z : z)));
}

static float decay_slope(float z)
{
    float d = 1.0f + (z < 0 ? -z : z);
    return 0.5f / (d * d);
}

/* h before token t, NULL: zeros */
static const float *h_before(const job *j, const hone_segment *s, int64_t t)
{
    const hone_segment *root;
    int64_t rest, r = row_before(j->b, s, t, 1, &root, &rest);
    if (r >= 0)
        return row(&j->a->out[0], r);
    return j->pages && root->start > 0 ? page_of(j, root, root->start - 1) : NULL;
}

static void write_decay(const job *j, const hone_segment *s, int64_t t, int64_t c0, int64_t c1)
{
    memcpy(page_of(j, s, s->start + t) + c0, row(&j->a->out[0], s->first_token + t) + c0,
           (size_t)(c1 - c0) * sizeof(float));
}

static void decay_forward(const job *j, int64_t tree, int64_t c0, int64_t c1)
{
    int64_t first, last;
    tree_segments(j->b, tree, &first, &last);
    for (int64_t i = first; i < last; i++) {
        const hone_segment *s = &j->b->segments[i];
        for (int64_t t = 0; t < s->n_tokens; t++) {
            int64_t r = s->first_token + t;
            const float *z = row(&j->a->in[0], r), *x = row(&j->a->in[1], r),
                        *h = h_before(j, s, t);
            float *y = row(&j->a->out[0], r);
            for (int64_t c = c0; c < c1; c++)
                y[c] = decay(z[c]) * (h ? h[c] : 0.0f) + x[c];
        }
    }
    for (int64_t i = last - 1; j->pages && i >= first; i--)
        each_write(j, &j->b->segments[i], c0, c1, write_decay);
}

/* dh_t = dy_t + sum over the next tokens n (one in the segment, or the first of each child) of a_n dh_n:
 * a column of the tree's dh stands in the scratch, filled backwards. */
static void decay_backward(const job *j, int64_t tree, int64_t c0, int64_t c1, float *dh)
{
    const hone_op_args *a = j->a;
    int64_t first, last, base, n;
    tree_segments(j->b, tree, &first, &last);
    base = j->b->segments[first].first_token;
    n = j->b->segments[last - 1].first_token + j->b->segments[last - 1].n_tokens - base;
    for (int64_t c = c0; c < c1; c++) {
        for (int64_t t = 0; t < n; t++)
            dh[t] = row(&a->dout[0], base + t)[c];
        for (int64_t i = last - 1; i >= first; i--) {
            const hone_segment *s = &j->b->segments[i];
            for (int64_t t = s->n_tokens - 1; t >= 0; t--) {
                const hone_segment *root;
                int64_t rest, r = s->first_token + t;
                int64_t before = row_before(j->b, s, t, 1, &root, &rest);
                float d = dh[r - base], z = row(&a->in[0], r)[c];
                if (before >= 0)
                    dh[before - base] += decay(z) * d;
                if (a->din[0].data) {
                    float h = before >= 0 ? row(&a->out[0], before)[c] : 0.0f;
                    float *dz = &row(&a->din[0], r)[c], g = d * h * decay_slope(z);
                    *dz = a->din_fresh[0] ? g : *dz + g;
                }
                if (a->din[1].data) {
                    float *dx = &row(&a->din[1], r)[c];
                    *dx = a->din_fresh[1] ? d : *dx + d;
                }
            }
        }
    }
}

/* ---- tasks: a tree and a block of columns each ------------------------------------------------ */
typedef struct work {
    job j;
    const hone_exec *ex;
    void (*tree)(const job *j, int64_t tree, int64_t c0, int64_t c1);
    int decay_bwd;
} work;

static void columns(const job *j, int64_t block, int64_t *c0, int64_t *c1)
{
    *c0 = block * COLUMNS;
    *c1 = *c0 + COLUMNS < j->width ? *c0 + COLUMNS : j->width;
}

static void tree_task(void *arg, int64_t task, uint32_t thread)
{
    const work *w = arg;
    int64_t c0, c1;
    columns(&w->j, task % w->j.blocks, &c0, &c1);
    if (w->decay_bwd)
        decay_backward(&w->j, task / w->j.blocks, c0, c1, w->ex->thread_scratch(w->ex, thread));
    else
        w->tree(&w->j, task / w->j.blocks, c0, c1);
}

static void weight_task(void *arg, int64_t task, uint32_t thread)
{
    const work *w = arg;
    int64_t c0, c1;
    (void)thread;
    columns(&w->j, task, &c0, &c1);
    conv_weights(&w->j, c0, c1);
}

static void run_trees(work *w)
{
    w->ex->parallel(w->ex, w->j.b->n_trees * w->j.blocks, tree_task, w);
}

static void no_gradient(const hone_op_args *a)
{
    for (uint32_t i = 0; i < a->n_in; i++)
        for (int64_t r = 0; a->din[i].data && a->din_fresh[i] && r < a->din[i].rows; r++)
            memset(row(&a->din[i], r), 0, (size_t)a->din[i].cols * sizeof(float));
}

static hone_status fwd(const hone_op_args *a, const hone_exec *ex,
                       void (*tree)(const job *j, int64_t tree, int64_t c0, int64_t c1))
{
    work w = {.ex = ex, .tree = tree};
    if (!open_job(&w.j, a, 0))
        return HONE_E_STATE;
    run_trees(&w);
    return HONE_OK;
}

static hone_status fwd_conv(const hone_op_args *a, const hone_exec *ex)
{
    return fwd(a, ex, conv_forward);
}

static hone_status bwd_conv(const hone_op_args *a, const hone_exec *ex)
{
    work w = {.ex = ex, .tree = conv_backward};
    open_job(&w.j, a, 1);
    if (!a->dout[0].data) {
        no_gradient(a);
        return HONE_OK;
    }
    if (a->din[0].data)
        run_trees(&w);
    if (a->din[1].data)
        ex->parallel(ex, w.j.blocks, weight_task, &w);
    return HONE_OK;
}

static hone_status fwd_decay(const hone_op_args *a, const hone_exec *ex)
{
    return fwd(a, ex, decay_forward);
}

static hone_status bwd_decay(const hone_op_args *a, const hone_exec *ex)
{
    work w = {.ex = ex, .decay_bwd = 1};
    open_job(&w.j, a, 1);
    if (!a->dout[0].data)
        no_gradient(a);
    else
        run_trees(&w);
    return HONE_OK;
}

/* infer_decay's scratch: a column of the batch */
static hone_status infer_decay_scratch(hone_shape_ctx *c)
{
    hone_status s = infer_decay(c);
    c->thread_scratch_bwd = (size_t)c->in[0].rows * sizeof(float);
    return s;
}

static uint64_t cost(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = 12 * n;
    return 8 * n;
}

static const hone_op conv = {.struct_size = sizeof(hone_op),
                             .flags = HONE_OP_STATEFUL,
                             .name = "test_conv/1",
                             .attr_size = sizeof(place),
                             .infer = infer_conv,
                             .fwd = fwd_conv,
                             .bwd = bwd_conv,
                             .cost = cost};
static const hone_op decayed = {.struct_size = sizeof(hone_op),
                                .flags = HONE_OP_STATEFUL,
                                .name = "test_decay/1",
                                .attr_size = sizeof(place),
                                .infer = infer_decay_scratch,
                                .fwd = fwd_decay,
                                .bwd = bwd_decay,
                                .cost = cost};
static const hone_op *const pack[] = {&conv, &decayed, NULL};
static const hone_ops_v1 ops_table = {sizeof(hone_ops_v1), 0, pack};

/* ---- the model ------------------------------------------------------------------------------- */
typedef struct layer {
    hone_param norm, u, z, g, conv, o;
} layer;
typedef struct model {
    const hone_mem_v1 *mem;
    void *mem_self;
    int64_t vocab, hidden, inner, layers, positions;
    hone_param embed, norm;
    layer l[LAYERS_MAX];
    char json[512];
} model;

static hone_status create_model(const hone_host *host, const hone_config *cfg, void **out)
{
    hone_ref mem;
    model *m;
    (void)cfg;
    if (host->get_iface(host, HONE_IFACE_MEM, &mem) < 0)
        return hone_host_fail(host, HONE_E_NOT_FOUND, "the host has no hone.mem/1");
    m = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, sizeof *m);
    if (!m)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(m, 0, sizeof *m);
    m->mem = mem.vt;
    m->mem_self = mem.self;
    *out = m;
    return HONE_OK;
}

static void destroy_model(void *self)
{
    model *m = self;
    m->mem->resize(m->mem_self, m, sizeof *m, 0);
}

static const hone_value *get(const hone_value *map, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < map->u.map.n; i++)
        if (map->u.map.pairs[i].key.len == n && !memcmp(map->u.map.pairs[i].key.ptr, key, n))
            return &map->u.map.pairs[i].value;
    return NULL;
}

static int32_t probe(void *self, hone_str format, const hone_value *config)
{
    const hone_value *v = get(config, "model_type");
    (void)self;
    return format.len == 2 && v && v->type == HONE_STRING && v->u.str.len == 10 &&
                   !memcmp(v->u.str.ptr, "test_decay", 10)
               ? 90
               : 0;
}

static int64_t number(const hone_value *config, const hone_store_v1 *store, const char *key,
                      int64_t max)
{
    const hone_value *v = get(config, key);
    char text[96];
    store->used_key(store, key);
    if (v && v->type == HONE_I64 && v->u.i64 >= 1 && v->u.i64 <= max)
        return v->u.i64;
    snprintf(text, sizeof text, "\"%s\" is no number from 1 to %lld", key, (long long)max);
    store->fail(store, HONE_E_RANGE, hone_str_c(text));
    return 0;
}

static hone_param param(const hone_store_v1 *store, int64_t at, const char *name, const char *role,
                        int64_t rows, int64_t cols, uint32_t flags)
{
    char full[96];
    hone_param_spec s;
    if (at >= 0)
        snprintf(full, sizeof full, "layers.%lld.%s", (long long)at, name);
    else
        snprintf(full, sizeof full, "%s", name);
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.flags = flags;
    s.name = full;
    s.role = role;
    s.rows = rows;
    s.cols = cols;
    s.layer = at < 0 ? 0 : (uint32_t)at;
    s.init = flags & HONE_PARAM_NORM ? HONE_INIT_ONE : HONE_INIT_NORMAL;
    s.init_std = cols ? 0.08f : 0.5f;
    return store->param(store, &s);
}

static hone_status declare(void *self, hone_str format, const hone_value *config,
                           const hone_store_v1 *store)
{
    model *m = self;
    hone_model_info info;
    (void)format;
    m->vocab = number(config, store, "vocab_size", 1 << 20);
    m->hidden = number(config, store, "hidden_size", 1 << 14);
    m->inner = number(config, store, "inner_size", 1 << 14);
    m->layers = number(config, store, "num_hidden_layers", LAYERS_MAX);
    m->positions = number(config, store, "max_position_embeddings", 1 << 24);
    if (!m->vocab || !m->hidden || !m->inner || !m->layers || !m->positions)
        return HONE_E_RANGE;
    m->embed = param(store, -1, "embed.weight", "embed", m->vocab, m->hidden,
                     HONE_PARAM_EMBEDDING | HONE_PARAM_HEAD);
    for (int64_t i = 0; i < m->layers; i++) {
        layer *l = &m->l[i];
        l->norm = param(store, i, "norm.weight", "norm", m->hidden, 0, HONE_PARAM_NORM);
        l->u = param(store, i, "u.weight", "up", m->inner, m->hidden, 0);
        l->z = param(store, i, "z.weight", "q", m->inner, m->hidden, 0);
        l->g = param(store, i, "g.weight", "gate", m->inner, m->hidden, 0);
        l->conv = param(store, i, "conv.weight", "conv", TAPS * m->inner, 0, 0);
        l->o = param(store, i, "o.weight", "down", m->hidden, m->inner, 0);
    }
    m->norm = param(store, -1, "norm.weight", "norm", m->hidden, 0, HONE_PARAM_NORM);
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    info.n_layers = info.n_state_slots = (uint32_t)m->layers;
    info.vocab_size = m->vocab;
    info.hidden = m->hidden;
    info.intermediate = m->inner;
    info.max_positions = m->positions;
    info.embed = info.head = m->embed;
    info.logit_scale = info.embed_scale = 1.0f;
    info.state_floats = (BACK + 1) * m->inner;
    info.state_flags = HONE_STATE_RECURRENT;
    store->info(store, &info);
    return HONE_OK;
}

static hone_tensor forward(void *self, const hone_graph_v1 *g, hone_ctx *c)
{
    const model *m = self;
    hone_tensor sum = g->embed(c, m->embed, 1.0f), delta = HONE_NONE, x;
    for (int64_t i = 0; i < m->layers; i++) {
        const layer *l = &m->l[i];
        place at = {(uint32_t)i, 0};
        hone_tensor in[2], conved, h;
        g->block(c, (int32_t)i);
        x = i == 0 ? g->rmsnorm(c, sum, l->norm, 1e-5f, 0.0f)
                   : g->add_rmsnorm(c, sum, delta, l->norm, 1e-5f, 0.0f, &sum);
        in[0] = g->linear(c, x, l->u, HONE_NONE);
        in[1] = g->param(c, l->conv);
        g->op(c, "test_conv/1", in, 2, &at, sizeof at, &conved, 1);
        at.offset = (int32_t)(BACK * m->inner);
        in[0] = g->linear(c, x, l->z, HONE_NONE);
        in[1] = conved;
        g->op(c, "test_decay/1", in, 2, &at, sizeof at, &h, 1);
        delta = g->linear(c, g->swiglu(c, g->linear(c, x, l->g, HONE_NONE), h), l->o, HONE_NONE);
    }
    return g->add_rmsnorm(c, sum, delta, m->norm, 1e-5f, 0.0f, &sum);
}

static hone_str config_json(void *self)
{
    model *m = self;
    hone_str s = {m->json, 0};
    int n = snprintf(m->json, sizeof m->json,
                     "{\n  \"model_type\": \"test_decay\",\n  \"vocab_size\": %lld,\n  "
                     "\"hidden_size\": %lld,\n  \"inner_size\": %lld,\n  \"num_hidden_layers\": "
                     "%lld,\n  \"max_position_embeddings\": %lld\n}\n",
                     (long long)m->vocab, (long long)m->hidden, (long long)m->inner,
                     (long long)m->layers, (long long)m->positions);
    s.len = n > 0 && (size_t)n < sizeof m->json ? (size_t)n : 0;
    return s;
}

static const hone_model_v1 model_table = {.struct_size = sizeof(hone_model_v1),
                                          .probe = probe,
                                          .declare = declare,
                                          .forward = forward,
                                          .config_json = config_json};

/* ---- the plugin ------------------------------------------------------------------------------ */
static const void *model_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_MODEL) == 0 ? &model_table : NULL;
}
static const char *const model_provides[] = {HONE_IFACE_MODEL, NULL};
static const char *const model_needs[] = {HONE_IFACE_MEM, NULL};
static const hone_component model_component = {.struct_size = sizeof(hone_component),
                                               .id = "org.test.model.decay",
                                               .kind = HONE_KIND_MODEL,
                                               .version = "1.0.0",
                                               .summary = "a decayed sum and a short convolution",
                                               .caps = HONE_CAP_DETERMINISTIC |
                                                       HONE_CAP_BATCH_INVARIANT,
                                               .needs = model_needs,
                                               .provides = model_provides,
                                               .create = create_model,
                                               .destroy = destroy_model,
                                               .get_iface = model_iface};

static hone_status create_ops(const hone_host *host, const hone_config *cfg, void **out)
{
    (void)host;
    (void)cfg;
    *out = (void *)(uintptr_t)pack;
    return HONE_OK;
}
static void destroy_ops(void *self)
{
    (void)self;
}
static const void *ops_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_OPS) == 0 ? &ops_table : NULL;
}
static const char *const ops_provides[] = {HONE_IFACE_OPS, NULL};
static const hone_component ops_component = {.struct_size = sizeof(hone_component),
                                             .id = "org.test.ops.decay",
                                             .kind = HONE_KIND_OPS,
                                             .version = "1.0.0",
                                             .summary = "ops with recurrent state",
                                             .caps = HONE_CAP_DETERMINISTIC |
                                                     HONE_CAP_BATCH_INVARIANT,
                                             .provides = ops_provides,
                                             .create = create_ops,
                                             .destroy = destroy_ops,
                                             .get_iface = ops_iface};

static const hone_component *const components[] = {&model_component,
#ifdef WITHOUT_OPS
                                                   NULL, /* the list ends before the pack */
#endif
                                                   &ops_component, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry), .magic = &magic, .components = components};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
