/* test_attention.c - attention and rotary positions over forests, pages and sequence state.
 *
 * A token's output must have the same bits whether its segment is a branch of a forest or part of
 * an unshared chain, and whether its query came alone, in a chunk, or with all others. Goldens of
 * PyTorch (../shared/assets/reference/torch-cs336-a1) pin the values. */
#include "ops_support.h"

#include "base/file.h"
#include "base/json.h"
#include "ops/rope_table.h"

enum { HEADS = 6, KV = 2, QCOLS = HEADS, VEC_MAX = 4096 };

static hone_attention attention_of(int hd, int window, float softcap)
{
    return (hone_attention){.struct_size = sizeof(hone_attention),
                            .n_heads = HEADS,
                            .n_kv_heads = KV,
                            .head_dim = hd,
                            .window = window,
                            .scale = 0.35f,
                            .softcap = softcap};
}

/* rows `from..` of b become copies of rows of a, as listed */
static void take_rows(const hone_view *a, const int64_t *rows, int64_t n, hone_view *b)
{
    *b = ops_view(n, a->cols, HONE_F32, HONE_ROWS, 0);
    for (int64_t i = 0; i < n; i++)
        memcpy(ops_at(b, i, 0), ops_at(a, rows[i], 0), (size_t)a->cols * 4);
}
static struct ops_run run_on(const hone_attention *a, const hone_batch *b, uint32_t mode)
{
    return (struct ops_run){.op = hone_op_find("attention/1"),
                            .attr = a,
                            .batch = b,
                            .mode = mode,
                            .n_in = 3,
                            .want = mode == HONE_MODE_TRAIN ? 7 : 0};
}
static void random_inputs(struct ops_run *r, int64_t T, int hd)
{
    r->in[0] = ops_view(T, HEADS * hd, HONE_F32, HONE_ROWS, 0);
    for (int i = 1; i < 3; i++)
        r->in[i] = ops_view(T, KV * hd, HONE_F32, HONE_ROWS, 0);
    for (int i = 0; i < 3; i++)
        ops_fill(&r->in[i], 1, 0);
}

/* ---- forest against plain chains ------------------------------------------------------------- */
struct shape {
    int n;
    int64_t seg[OPS_SEGMENTS][2];
};
static const struct shape forests[] = {
    /* a prompt with 8 children whose first tokens differ (all are random) */
    {9, {{70, -1}, {5, 0}, {1, 0}, {58, 0}, {59, 0}, {20, 0}, {64, 0}, {130, 0}, {3, 0}}},
    {4, {{64, -1}, {1, 0}, {64, 0}, {65, 0}}}, /* a full page is shared, none copied */
    {6,
     {{3, -1},
      {4, 0},
      {60, 1},
      {9, 1},
      {2, 3},
      {100, 0}}}, /* branches of branches, inside one page */
    {5, {{129, -1}, {40, 0}, {1, -1}, {17, 2}, {17, 2}}}, /* two trees */
    {3, {{63, -1}, {1, 0}, {1, 1}}}, /* a child ends a page, its child begins one */
};

/* the tokens of a segment's chain, from the root */
static int64_t chain_of(const struct ops_batch *m, int s, int64_t *rows)
{
    int64_t n = m->seg[s].parent >= 0 ? chain_of(m, m->seg[s].parent, rows) : 0;
    for (int64_t t = 0; t < m->seg[s].n_tokens; t++)
        rows[n++] = m->seg[s].first_token + t;
    return n;
}
static int is_leaf(const struct ops_batch *m, int n, int s)
{
    for (int i = 0; i < n; i++)
        if (m->seg[i].parent == s)
            return 0;
    return 1;
}

static void check_forest(const struct shape *f, const hone_attention *a, int set)
{
    struct ops_batch *m = ops_batch_new(f->n, f->seg);
    struct ops_run r = run_on(a, &m->b, HONE_MODE_TRAIN);
    random_inputs(&r, m->b.n_tokens, a->head_dim);
    ops_forward(&r, 1);
    ops_douts(&r);
    ops_gradients(&r, 1);
    ops_backward(&r, 1);
    double *sum[3];
    for (int i = 0; i < 3; i++)
        sum[i] = calloc((size_t)(r.in[i].rows * r.in[i].cols), sizeof(double));
    /* every leaf as a chain of its own; a shared token's dout goes to the first leaf that has it */
    uint8_t *given = calloc((size_t)m->b.n_tokens, 1);
    for (int s = 0; s < f->n; s++) {
        if (!is_leaf(m, f->n, s))
            continue;
        int64_t rows[VEC_MAX], n = chain_of(m, s, rows);
        const int64_t one[1][2] = {{n, -1}};
        struct ops_batch *c = ops_batch_new(1, one);
        struct ops_run p = run_on(a, &c->b, HONE_MODE_TRAIN);
        for (int i = 0; i < 3; i++)
            take_rows(&r.in[i], rows, n, &p.in[i]);
        ops_forward(&p, 0);
        hone_view want, lse;
        take_rows(&r.out[0], rows, n, &want);
        take_rows(&r.extra[0], rows, n, &lse);
        assert_true(ops_equal(&p.out[0], &want));
        assert_true(ops_equal(&p.extra[0], &lse));
        take_rows(&r.dout[0], rows, n, &p.dout[0]);
        for (int64_t t = 0; t < n; t++) {
            if (given[rows[t]])
                memset(ops_at(&p.dout[0], t, 0), 0, (size_t)p.dout[0].cols * 4);
            given[rows[t]] = 1;
        }
        ops_gradients(&p, 1);
        ops_backward(&p, 0);
        for (int i = 0; i < 3; i++)
            for (int64_t t = 0; t < n; t++)
                for (int64_t k = 0; k < p.in[i].cols; k++)
                    sum[i][rows[t] * p.in[i].cols + k] += (double)*ops_at(&p.din[i], t, k);
        ops_drop(&want);
        ops_drop(&lse);
        ops_clear(&p, 1);
        ops_batch_free(c);
    }
    for (int i = 0; i < 3; i++) {
        for (int64_t t = 0; t < r.in[i].rows; t++)
            for (int64_t k = 0; k < r.in[i].cols; k++) {
                double want = sum[i][t * r.in[i].cols + k], got = (double)*ops_at(&r.din[i], t, k);
                if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want))))
                    fprintf(stderr, "set %d d input %d [%lld,%lld]: %.9g, not %.9g\n", set, i,
                            (long long)t, (long long)k, got, want);
                assert_true(fabs(got - want) <= 1e-5 * (1 + fabs(want)));
            }
        free(sum[i]);
    }
    free(given);
    ops_clear(&r, 1);
    ops_batch_free(m);
}

static void test_forest_equals_unshared_chains(void **state)
{
    (void)state;
    const hone_attention kinds[] = {attention_of(16, 0, 0), attention_of(64, 0, 0),
                                    attention_of(20, 40, 0), attention_of(7, 0, 2)};
    EACH_SET(set)
    for (size_t f = 0; f < sizeof forests / sizeof *forests; f++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (set != HONE_CPU_C || k < 1)
                check_forest(&forests[f], &kinds[k], set);
}

/* ---- sequence state: one at a time, in chunks, all at once ----------------------------------- */
static float *pool_base;
static int64_t pool_stride;
static float *pool_of(const hone_batch *b, uint32_t slot, int64_t *stride)
{
    (void)b;
    *stride = pool_stride;
    return pool_base + (int64_t)slot * 16; /* slots apart, to see that the slot is honoured */
}

/* Feeds rows from..from+n of a chain of `total` to the state, as one segment with its own pages
 * 0, 1, .. */
static void feed(const hone_attention *a, const struct ops_run *all, int64_t from, int64_t n,
                 uint32_t mode, hone_view *out)
{
    int32_t ids[64], pos[VEC_MAX];
    int64_t pages = (from + n + HONE_PAGE - 1) / HONE_PAGE, rows[VEC_MAX];
    for (int64_t i = 0; i < pages; i++)
        ids[i] = (int32_t)((i * 3 + 1) % 64); /* scattered over the pool */
    for (int64_t i = 0; i < n; i++) {
        rows[i] = from + i;
        pos[i] = (int32_t)(from + i);
    }
    const hone_segment s = {.n_tokens = n, .start = from, .parent = -1, .copy_page = -1};
    const hone_batch b = {.struct_size = sizeof b,
                          .n_segments = 1,
                          .n_tokens = n,
                          .tokens = pos,
                          .positions = pos,
                          .segments = &s,
                          .page_ids = ids,
                          .n_pages = 64,
                          .n_trees = 1,
                          .state = pool_of};
    struct ops_run r = run_on(a, &b, mode);
    for (int i = 0; i < 3; i++)
        take_rows(&all->in[i], rows, n, &r.in[i]);
    ops_forward(&r, 0);
    for (int64_t i = 0; i < n; i++)
        memcpy(ops_at(out, from + i, 0), ops_at(&r.out[0], i, 0), (size_t)out->cols * 4);
    ops_clear(&r, 1);
}

static void test_one_at_a_time_equals_all_at_once(void **state)
{
    (void)state;
    const hone_attention kinds[] = {attention_of(64, 0, 0), attention_of(20, 70, 3)};
    enum { N = 201 };
    const int64_t one[1][2] = {{N, -1}};
    EACH_SET(set) for (int k = 0; k < 2; k++)
    {
        hone_attention a = kinds[k];
        a.slot = 1;
        struct ops_batch *m = ops_batch_new(1, one);
        struct ops_run r = run_on(&a, &m->b, HONE_MODE_SCORE);
        random_inputs(&r, N, a.head_dim);
        ops_forward(&r, 1);
        for (int how = 0; how < 3;
             how++) { /* one by one; a prompt, then one by one; uneven chunks */
            hone_view out = ops_view(N, HEADS * a.head_dim, HONE_F32, HONE_ROWS, 0);
            pool_stride = 2 * KV * a.head_dim * HONE_PAGE + 16;
            pool_base = malloc((size_t)(64 * pool_stride) * 4);
            memset(pool_base, 0xff, (size_t)(64 * pool_stride) * 4); /* pages need no preparation */
            int64_t at = 0;
            if (how == 1)
                feed(&a, &r, 0, at = 100, HONE_MODE_PREFILL, &out);
            static const int64_t chunks[] = {63, 2, 64, 1, 30, 41};
            for (int i = 0; at < N; i++) {
                int64_t n = how == 2 ? chunks[i] : 1;
                feed(&a, &r, at, n, how == 2 ? HONE_MODE_PREFILL : HONE_MODE_DECODE, &out);
                at += n;
            }
            assert_true(ops_equal(&out, &r.out[0]));
            ops_drop(&out);
            free(pool_base);
        }
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
}

/* A prompt in the state, then two children that decode together from it: each copies the partial
 * page. */
static void test_children_of_a_prompt_decode_from_a_copied_page(void **state)
{
    (void)state;
    hone_attention a = attention_of(16, 0, 0);
    const int64_t tree[3][2] = {{70, -1}, {2, 0}, {2, 0}};
    struct ops_batch *m = ops_batch_new(3, tree);
    struct ops_run r = run_on(&a, &m->b, HONE_MODE_SCORE);
    random_inputs(&r, 74, a.head_dim);
    ops_forward(&r, 0);
    hone_view out = ops_view(74, HEADS * a.head_dim, HONE_F32, HONE_ROWS, 0);
    pool_stride = 2 * KV * a.head_dim * HONE_PAGE;
    pool_base = calloc((size_t)(64 * pool_stride), 4);
    feed(&a, &r, 0, 70, HONE_MODE_PREFILL, &out); /* pages 1 and 4 */
    for (int64_t step = 0; step < 2; step++) {
        const int32_t ids[4] = {1, 10, 1, 11},
                      pos[2] = {(int32_t)(70 + step), (int32_t)(70 + step)};
        const int64_t rows[2] = {70 + step, 72 + step};
        hone_segment s[2];
        for (int i = 0; i < 2; i++)
            s[i] = (hone_segment){.first_token = i,
                                  .n_tokens = 1,
                                  .start = 70 + step,
                                  .parent = -1,
                                  .copy_page = step == 0 ? 4 : -1,
                                  .page_begin = 2 * i,
                                  .tree = i};
        const hone_batch b = {.struct_size = sizeof b,
                              .n_segments = 2,
                              .n_tokens = 2,
                              .tokens = pos,
                              .positions = pos,
                              .segments = s,
                              .page_ids = ids,
                              .n_pages = 64,
                              .n_trees = 2,
                              .state = pool_of};
        struct ops_run p = run_on(&a, &b, HONE_MODE_DECODE);
        for (int i = 0; i < 3; i++)
            take_rows(&r.in[i], rows, 2, &p.in[i]);
        ops_forward(&p, 1);
        hone_view want;
        take_rows(&r.out[0], rows, 2, &want);
        assert_true(ops_equal(&p.out[0], &want));
        ops_drop(&want);
        ops_clear(&p, 1);
    }
    ops_drop(&out);
    free(pool_base);
    ops_clear(&r, 1);
    ops_batch_free(m);
}

static void test_large_scores_do_not_overflow(void **state)
{
    (void)state;
    hone_attention a = attention_of(16, 0, 0);
    const int64_t one[1][2] = {{130, -1}};
    struct ops_batch *m = ops_batch_new(1, one);
    struct ops_run r = run_on(&a, &m->b, HONE_MODE_TRAIN);
    random_inputs(&r, 130, a.head_dim);
    for (int64_t t = 0; t < 130; t++) {
        for (int64_t c = 0; c < r.in[0].cols; c++)
            *ops_at(&r.in[0], t, c) *= 100;
        for (int64_t c = 0; c < r.in[1].cols; c++)
            *ops_at(&r.in[1], t, c) *= 100;
    }
    ops_forward(&r, 0);
    ops_douts(&r);
    ops_gradients(&r, 1);
    ops_backward(&r, 0);
    for (int64_t t = 0; t < 130; t++)
        for (int64_t c = 0; c < r.out[0].cols; c++) {
            assert_true(fabsf(*ops_at(&r.out[0], t, c)) <= 2.1f); /* between values */
            assert_true(isfinite(*ops_at(&r.din[0], t, c)));
        }
    ops_clear(&r, 1);
    ops_batch_free(m);
}

static void test_malformed_segments_are_refused(void **state)
{
    (void)state;
    hone_attention a = attention_of(4, 0, 0);
    const int64_t tree[3][2] = {{70, -1}, {2, 0}, {2, 0}};
    for (int k = 0; k < 8; k++) {
        struct ops_batch *m = ops_batch_new(3, tree);
        struct ops_run r = run_on(&a, &m->b, HONE_MODE_SCORE);
        random_inputs(&r, 74, a.head_dim);
        assert_int_equal(ops_infer(&r), HONE_OK);
        r.ctx.error[0] = 0;
        switch (k) {
        case 0:
            m->seg[1].first_token++;
            break;
        case 1:
            m->seg[2].parent = 2;
            break;
        case 2:
            m->seg[2].n_tokens = 0;
            break;
        case 3:
            m->page_ids[0] = 99;
            break;
        case 4:
            m->seg[1].copy_page = 99;
            break;
        case 5:
            m->seg[2].tree = 5;
            break;
        case 6:
            m->b.n_tokens = 70;
            break;
        default:
            m->seg[1].start = -1;
            break;
        }
        assert_true(ops_infer(&r) < 0 && r.ctx.error[0]);
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
}

/* ---- goldens --------------------------------------------------------------------------------- */
/* A tensor of a safetensors file as bytes: enough of the format for two small files of known
 * shape. */
struct golden {
    hone_arena arena;
    char *bytes;
    size_t len;
    hone_value head;
};
static int golden_open(struct golden *g, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "assets/reference/torch-cs336-a1/%s", name);
    const char *p = shared_path(path);
    if (!p)
        return 0;
    FILE *f = fopen(p, "rb");
    assert_non_null(f);
    g->bytes = malloc(1 << 20);
    g->len = fread(g->bytes, 1, 1 << 20, f);
    fclose(f);
    uint64_t n;
    memcpy(&n, g->bytes, 8);
    hone_arena_init(&g->arena, 0);
    assert_ok(hone_json_parse(g->bytes + 8, (size_t)n, name, &g->arena, &g->head));
    return 1;
}
static const void *golden_tensor(const struct golden *g, const char *name)
{
    uint64_t n;
    memcpy(&n, g->bytes, 8);
    const hone_value *t = hone_value_get(&g->head, name), *off = hone_value_get(t, "data_offsets");
    assert_non_null(off);
    size_t at = (size_t)n + 8 + (size_t)off->u.list.items[0].u.i64;
    assert_true(at < g->len);
    return g->bytes + at;
}
static void golden_close(struct golden *g)
{
    hone_arena_release(&g->arena);
    free(g->bytes);
}

static void test_rope_equals_torch(void **state)
{
    (void)state;
    struct golden g;
    if (!golden_open(&g, "rope.safetensors"))
        skip_without("assets/reference/torch-cs336-a1");
    const float *x = golden_tensor(&g, "x"), *want = golden_tensor(&g, "expected");
    const int64_t chain[1][2] = {{12, -1}};
    struct ops_batch *m = ops_batch_new(1, chain);
    hone_rope rope = {.struct_size = sizeof rope,
                      .interleaved = 1,
                      .n_heads = 1,
                      .head_dim = 64,
                      .rotary_dim = 64,
                      .theta = 10000};
    EACH_SET(set) for (int b = 0; b < 4; b++)
    {
        struct ops_run r = {.op = hone_op_find("rope/1"),
                            .attr = &rope,
                            .batch = &m->b,
                            .mode = HONE_MODE_SCORE,
                            .n_in = 1};
        r.in[0] = ops_view(12, 64, HONE_F32, HONE_ROWS, 0);
        memcpy(r.in[0].data, x + b * 12 * 64, 12 * 64 * 4);
        ops_forward(&r, 0);
        for (int64_t i = 0; i < 12 * 64; i++) {
            double w = (double)want[b * 12 * 64 + i], got = (double)((float *)r.out[0].data)[i];
            assert_true(fabs(got - w) <= 1e-6 * (1 + fabs(w)));
        }
        ops_clear(&r, 1);
    }
    ops_batch_free(m);
    golden_close(&g);
}

/* The golden has any mask; ours is causal: query i becomes the last token of a chain of the keys
 * it sees. */
static void test_attention_equals_torch(void **state)
{
    (void)state;
    struct golden g;
    if (!golden_open(&g, "sdpa.safetensors"))
        skip_without("assets/reference/torch-cs336-a1");
    const float *q = golden_tensor(&g, "q"), *k = golden_tensor(&g, "k"),
                *v = golden_tensor(&g, "v");
    const float *want = golden_tensor(&g, "expected");
    const uint8_t *mask = golden_tensor(&g, "mask");
    hone_attention a = {
        .struct_size = sizeof a, .n_heads = 1, .n_kv_heads = 1, .head_dim = 64, .scale = 0.125f};
    int rows = 0;
    EACH_SET(set) for (int b = 0; b < 4; b++) for (int i = 0; i < 12; i++)
    {
        int64_t see[16], n = 0;
        for (int j = 0; j < 16; j++)
            if (mask[(b * 12 + i) * 16 + j])
                see[n++] = j;
        if (!n)
            continue;
        const int64_t chain[1][2] = {{n, -1}};
        struct ops_batch *m = ops_batch_new(1, chain);
        struct ops_run r = run_on(&a, &m->b, HONE_MODE_SCORE);
        for (int t = 0; t < 3; t++) {
            r.in[t] = ops_view(n, 64, HONE_F32, HONE_ROWS, 0);
            for (int64_t j = 0; j < n; j++)
                memcpy(ops_at(&r.in[t], j, 0),
                       t == 0 ? q + (b * 12 + i) * 64 : (t == 1 ? k : v) + (b * 16 + see[j]) * 64,
                       256);
        }
        ops_forward(&r, 0);
        for (int64_t d = 0; d < 64; d++)
            assert_true(fabs((double)*ops_at(&r.out[0], n - 1, d) -
                             (double)want[(b * 12 + i) * 64 + d]) <= 1e-6);
        rows++;
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
    assert_true(rows >= 40);
    golden_close(&g);
}

/* ---- angles ---------------------------------------------------------------------------------- */
static void test_rope_scaling_follows_the_definitions(void **state)
{
    (void)state;
    float plain[32], scaled[32], f;
    hone_rope r = {
        .struct_size = sizeof r, .n_heads = 1, .head_dim = 64, .rotary_dim = 64, .theta = 500000};
    assert_ok(hone__rope_frequencies(&r, plain, &f));
    assert_true(plain[0] == 1.0f && fabs((double)plain[16] - 1 / sqrt(500000)) < 1e-9 && f == 1.0f);
    r.scaling = HONE_ROPE_LINEAR;
    r.factor = 4;
    assert_ok(hone__rope_frequencies(&r, scaled, &f));
    for (int i = 0; i < 32; i++)
        assert_true(scaled[i] == plain[i] / 4);
    /* Llama 3.1: wavelengths below 2048 stay, above 8192 are stretched 8-fold, between moves
     * smoothly */
    r.scaling = HONE_ROPE_LLAMA3;
    r.factor = 8;
    r.low_freq_factor = 1;
    r.high_freq_factor = 4;
    r.original_max_positions = 8192;
    assert_ok(hone__rope_frequencies(&r, scaled, &f));
    int kept = 0, stretched = 0, between = 0;
    for (int i = 0; i < 32; i++) {
        double wave = 2 * 3.14159265358979 / (double)plain[i];
        if (wave < 2048) {
            kept++;
            assert_true(scaled[i] == plain[i]);
        } else if (wave > 8192) {
            stretched++;
            assert_true(scaled[i] == plain[i] / 8);
        } else {
            double s = (8192 / wave - 1) / 3,
                   want = (1 - s) * (double)plain[i] / 8 + s * (double)plain[i];
            between++;
            assert_true(fabs((double)scaled[i] / want - 1) < 1e-6);
        }
    }
    assert_true(kept > 5 && stretched > 5 && between > 1);
    /* yarn: fast dimensions stay, slow ones are stretched, amplitude 0.1 ln(factor) + 1 */
    r = (hone_rope){.struct_size = sizeof r,
                    .n_heads = 1,
                    .head_dim = 64,
                    .rotary_dim = 64,
                    .theta = 10000,
                    .scaling = HONE_ROPE_YARN,
                    .factor = 4,
                    .original_max_positions = 4096};
    float base[32];
    assert_ok(hone__rope_frequencies(&r, scaled, &f));
    r.scaling = HONE_ROPE_NONE;
    float one;
    assert_ok(hone__rope_frequencies(&r, base, &one));
    assert_true(fabs((double)f - (0.1 * log(4) + 1)) < 1e-6);
    assert_true(scaled[0] == base[0] && fabsf(scaled[31] / (base[31] / 4) - 1) < 1e-6f);
    for (int i = 1; i < 32; i++)
        assert_true(scaled[i] < scaled[i - 1]);
    /* factors divide frequencies */
    float factors[32];
    for (int i = 0; i < 32; i++)
        factors[i] = 1.0f + (float)i;
    r.scaling = HONE_ROPE_FACTORS;
    r.factors = factors;
    r.n_factors = 32;
    r.attention_factor = 1.25;
    assert_ok(hone__rope_frequencies(&r, scaled, &f));
    assert_true(f == 1.25f);
    for (int i = 0; i < 32; i++)
        assert_true(fabs((double)scaled[i] * (1 + i) / (double)base[i] - 1) < 1e-6);
    r.n_factors = 31;
    assert_fails(hone__rope_frequencies(&r, scaled, &f), HONE_E_INVALID, "31 factors");
    r.n_factors = 0;
    r.scaling = 77;
    assert_fails(hone__rope_frequencies(&r, scaled, &f), HONE_E_UNSUPPORTED, "rope");
    r.scaling = HONE_ROPE_LINEAR;
    r.factor = 0;
    assert_fails(hone__rope_frequencies(&r, scaled, &f), HONE_E_INVALID, "factor");
    r = (hone_rope){.struct_size = sizeof r, .rotary_dim = 64, .theta = -1};
    assert_fails(hone__rope_frequencies(&r, scaled, &f), HONE_E_INVALID, "theta");
}

/* Below the original length as without scaling; at position p as transformers for a sequence of p + 1. */
static void test_dynamic_rope_grows_with_the_position(void **state)
{
    hone_rope r = {.struct_size = sizeof r,
                   .n_heads = 1,
                   .head_dim = 8,
                   .rotary_dim = 8,
                   .theta = 100,
                   .scaling = HONE_ROPE_DYNAMIC,
                   .factor = 3,
                   .original_max_positions = 20};
    const hone__rope_table *t;
    const float *c, *s;
    (void)state;
    assert_ok(hone__rope_table_get(&r, 400, &t));
    for (int p = 0; p <= 400; p += 19) {
        double theta = 100;
        if (p + 1 > 20)
            theta *= pow(3.0 * (p + 1) / 20 - 2, 8.0 / 6);
        hone__rope_row(t, p, &c, &s);
        for (int i = 0; i < 4; i++) {
            double angle = p * pow(theta, -i / 4.0);
            assert_true(fabs((double)c[i] - cos(angle)) < 5e-5);
            assert_true(fabs((double)s[i] - sin(angle)) < 5e-5);
        }
    }
    r.factor = 0.5;
    assert_fails(hone__rope_table_get(&r, 4, &t), HONE_E_INVALID, "dynamic");
    hone__rope_clear();
}

/* A table lives on after the factors it was made from, and other factors are another table. */
static void test_rope_factors_are_compared_by_value(void **state)
{
    float one[4] = {1, 2, 3, 4}, two[4] = {1, 2, 3, 5};
    hone_rope r = {.struct_size = sizeof r,
                   .rotary_dim = 8,
                   .theta = 100,
                   .scaling = HONE_ROPE_FACTORS,
                   .factors = one,
                   .n_factors = 4};
    const hone__rope_table *a, *b, *c;
    (void)state;
    assert_ok(hone__rope_table_get(&r, 4, &a));
    r.factors = two;
    assert_ok(hone__rope_table_get(&r, 4, &b));
    two[3] = 4;
    assert_ok(hone__rope_table_get(&r, 4, &c));
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a, c);
    hone__rope_clear();
}

static void test_rope_tables_are_kept_and_survive_no_memory(void **state)
{
    (void)state;
    hone_rope r = {
        .struct_size = sizeof r, .n_heads = 1, .head_dim = 8, .rotary_dim = 8, .theta = 77};
    const hone__rope_table *t = NULL, *u = NULL;
    const float *c1, *s1, *c2, *s2;
    assert_ok(hone__rope_table_get(&r, 10, &t));
    hone__rope_row(t, 10, &c1, &s1);
    assert_ok(hone__rope_table_get(&r, 5000, &u));
    assert_ptr_equal(t, u);
    hone__rope_row(t, 10, &c2, &s2);
    assert_ptr_equal(c1, c2); /* blocks do not move */
    hone__rope_row(t, 4999, &c2, &s2);
    assert_true(fabs((double)c2[0] - cos(4999)) < 1e-6 && fabs((double)s2[0] - sin(4999)) < 1e-6);
    assert_fails(hone__rope_table_get(&r, HONE_ROPE_MAX_POSITION, &u), HONE_E_RANGE, "position");
    assert_fails(hone__rope_table_get(&r, -1, &u), HONE_E_RANGE, "position");
    hone__rope_clear();
    hone_status s;
    uint64_t nth = 0;
    size_t before, after;
    hone_alloc_stats(&before, NULL);
    do {
        hone_alloc_fail_after(++nth, 0);
        s = hone__rope_table_get(&r, 600, &u);
        hone_alloc_fail_after(0, 0);
        assert_true(s == HONE_OK || s == HONE_E_NOMEM);
        hone__rope_clear();
        hone_alloc_stats(&after, NULL);
        assert_int_equal(before, after);
    } while (s < 0);
    assert_true(nth > 3);
}

/* A spilled accumulator costs half the speed and no result: only this test sees it. */
static void test_products_keep_accumulators_in_registers(void **state)
{
    (void)state;
#if defined(HONE_SANITIZED) || !defined(__OPTIMIZE__) || !defined(__x86_64__)
    skip();
#else
    static const char *const names[] = {"mm_6_4_avx512", "mm_6_3_avx512", "mm_3_4_avx512",
                                        "mm_6_1_avx2", "mm_3_1_avx2"};
    int fmas = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char command[256], line[512];
        snprintf(command, sizeof command,
                 "objdump -d --no-show-raw-insn --disassemble=hone__k_%s /proc/%ld/exe 2>/dev/null",
                 names[i], (long)getpid());
        FILE *f = popen(command, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
            fmas += strstr(line, "vfmadd") != NULL;
            if ((strstr(line, "%zmm") || strstr(line, "%ymm")) &&
                (strstr(line, "(%rsp)") || strstr(line, "(%rbp)")))
                fail_msg("%s spills: %s", names[i], line);
        }
        pclose(f);
    }
    if (fmas == 0) {
        print_message("objdump is not there: nothing was looked at\n");
        skip();
    }
    assert_true(fmas > 60);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forest_equals_unshared_chains),
        cmocka_unit_test(test_one_at_a_time_equals_all_at_once),
        cmocka_unit_test(test_children_of_a_prompt_decode_from_a_copied_page),
        cmocka_unit_test(test_large_scores_do_not_overflow),
        cmocka_unit_test(test_malformed_segments_are_refused),
        cmocka_unit_test(test_rope_equals_torch),
        cmocka_unit_test(test_attention_equals_torch),
        cmocka_unit_test(test_rope_scaling_follows_the_definitions),
        cmocka_unit_test(test_rope_tables_are_kept_and_survive_no_memory),
        cmocka_unit_test(test_dynamic_rope_grows_with_the_position),
        cmocka_unit_test(test_rope_factors_are_compared_by_value),
        cmocka_unit_test(test_products_keep_accumulators_in_registers),
    };
    return cmocka_run_group_tests(tests, ops_setup, ops_teardown);
}
