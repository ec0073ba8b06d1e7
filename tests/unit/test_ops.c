/* test_ops.c - what every op of the registry must do, tested from one table of samples.
 *
 * A sample says how to make inputs (a letter each) and attributes; everything else is common:
 * values and gradients against the float64 definition (ops_ref.h) and its finite differences,
 * equal bits in every kernel set, with 1 and 3 threads, in place, with gaps between rows, row by
 * row, NaN in and NaN out, odd sizes, gradients that accumulate, are absent, or share a buffer.
 * An op without a sample fails the test. */
#include "ops_support.h"

#include "ops_ref.h"

enum { VOCAB = 40 };

/* Letters of an input, for T rows and C columns:
 *   x (T,C)   p (T,C) positive   r (1,C)   v (C,1)   c (T,1)   m (T,1) positive   1 (1,1)
 *   d (T,C+2)   2 (T,2C)   4 (T,4C)   i index (T+2,1) into T rows   b (C+5,1)
 *   k, l: ids (n_targets,3) of VOCAB and their log-probs, whose sum is below 1
 *   in panels: w (C+5,C)   a (2,C)   o (C+5,2)   e (VOCAB,C) */
struct sample {
    const char *name, *inputs;
    ref_fn *ref;
    const void *attr;
    uint32_t no_grad; /* inputs without gradient */
    int flags;
};
enum {
    MIXES_ROWS = 1, /* rows are not independent, or not one to one */
    NO_BACKWARD = 2,
    EXACT = 4, /* finite differences hold up to rounding of float32 */
    BLOCKS = 8 /* gradient of no input flows (detach) */
};

static const hone_norm_attr norm = {1e-5f, 0.0f, 0, 0}, norm1 = {1e-6f, 1.0f, 0, 0},
                            norm2 = {1e-5f, 0.0f, 2, 0};
static const hone_scalar_attr factor = {-1.7f};
static const hone_clamp_attr bounds = {-0.7f, 0.9f};
static hone_rope rope_half = {.struct_size = sizeof(hone_rope), .n_heads = 2, .theta = 10000},
                 rope_pair = {.struct_size = sizeof(hone_rope),
                              .n_heads = 2,
                              .theta = 500,
                              .interleaved = 1},
                 rope_part = {.struct_size = sizeof(hone_rope),
                              .n_heads = 2,
                              .theta = 10000,
                              .scaling = HONE_ROPE_LINEAR,
                              .factor = 4};
static hone_attention att = {.struct_size = sizeof(hone_attention),
                             .n_heads = 4,
                             .n_kv_heads = 2,
                             .scale = 0.4f},
                      att_window = {.struct_size = sizeof(hone_attention),
                                    .n_heads = 4,
                                    .n_kv_heads = 2,
                                    .scale = 0.4f,
                                    .window = 5},
                      att_cap = {.struct_size = sizeof(hone_attention),
                                 .n_heads = 4,
                                 .n_kv_heads = 2,
                                 .scale = 0.4f,
                                 .softcap = 3};
static hone_slice_attr slice_cols, slice_rows;
static const hone_cast_attr to_f32 = {HONE_F32};
static const hone_linear_attr plain = {0}, adapted = {1, 1, {0.5f}};
static const hone_embed_attr embed = {0.5f};
static const hone_linear_logprob_attr logprob = {0.8f, 0, 1, 1}, logprob_cap = {1, 4, 0.7f, 0};
static const hone_logits_attr logits = {4, 0.7f};
static const hone_linear_divergence_attr forward_kl = {1, 0, 1, 1, 0, 1, 0, 0, 0},
                                         reverse_kl = {0.8f, 4, 0.7f, 0.5f, 3, 0.6f, 1, 0, 0},
                                         jsd = {0.8f, 0, 1, 0.8f, 0, 1, 0.3f, 1, 0},
                                         forward_few = {1, 0, 1, 1, 0, 1, 0, 0, 1},
                                         reverse_few = {0.8f, 4, 0.7f, 0.5f, 0, 1, 1, 0, 1},
                                         jsd_few = {0.8f, 0, 1, 0.8f, 0, 1, 0.3f, 1, 1};

static const struct sample samples[] = {
    {"rmsnorm/1", "xr", ref_rmsnorm, &norm, 0, 0},
    {"rmsnorm/1", "xv", ref_rmsnorm, &norm1, 0, 0},
    {"add_rmsnorm/1", "xxr", ref_add_rmsnorm, &norm, 0, 0},
    {"add_rmsnorm/1", "xxv", ref_add_rmsnorm, &norm1, 0, 0},
    {"head_rmsnorm/1", "2r", ref_rmsnorm, &norm2, 0, 0},
    {"layernorm/1", "xrv", ref_layernorm, &norm, 0, 0},
    {"rope/1", "2", ref_rope, &rope_half, 0, MIXES_ROWS},
    {"rope/1", "2", ref_rope, &rope_pair, 0, MIXES_ROWS},
    {"rope/1", "2", ref_rope, &rope_part, 0, MIXES_ROWS},
    {"attention/1", "422", ref_attention, &att, 0, MIXES_ROWS},
    {"attention/1", "422", ref_attention, &att_window, 0, MIXES_ROWS},
    {"attention/1", "422", ref_attention, &att_cap, 0, MIXES_ROWS},
    {"swiglu/1", "xx", ref_swiglu, NULL, 0, 0},
    {"geglu/1", "xx", ref_geglu, NULL, 0, 0},
    {"scale/1", "x", ref_scale, &factor, 0, 0},
    {"add_scalar/1", "x", ref_add_scalar, &factor, 0, 0},
    {"clamp/1", "x", ref_clamp, &bounds, 0, 0},
    {"exp/1", "x", ref_exp, NULL, 0, 0},
    {"log/1", "p", ref_log, NULL, 0, 0},
    {"neg/1", "x", ref_neg, NULL, 0, 0},
    {"abs/1", "x", ref_abs, NULL, 0, 0},
    {"square/1", "x", ref_square, NULL, 0, 0},
    {"sqrt/1", "p", ref_sqrt, NULL, 0, 0},
    {"sigmoid/1", "x", ref_sigmoid, NULL, 0, 0},
    {"logsigmoid/1", "x", ref_logsigmoid, NULL, 0, 0},
    {"tanh/1", "x", ref_tanh, NULL, 0, 0},
    {"relu/1", "x", ref_relu, NULL, 0, 0},
    {"silu/1", "x", ref_silu, NULL, 0, 0},
    {"gelu/1", "x", ref_gelu, NULL, 0, 0},
#define BROADCAST(name, ref, x, X)                                                                 \
    {name, "x" X, ref, NULL, 0, 0}, {name, "xr", ref, NULL, 0, 0}, {name, "x" x, ref, NULL, 0, 0}, \
    {                                                                                              \
        name, "x1", ref, NULL, 0, MIXES_ROWS                                                       \
    }
    BROADCAST("add/1", ref_add, "c", "x"),
    BROADCAST("sub/1", ref_sub, "c", "x"),
    BROADCAST("mul/1", ref_mul, "c", "x"),
    BROADCAST("div/1", ref_div, "m", "p"),
    BROADCAST("min/1", ref_min, "c", "x"),
    BROADCAST("max/1", ref_max, "c", "x"),
    {"sum/1", "x", ref_sum, NULL, 0, MIXES_ROWS},
    {"masked_mean/1", "xp", ref_masked_mean, NULL, 0, MIXES_ROWS},
    {"masked_mean/1", "xm", ref_masked_mean, NULL, 0, MIXES_ROWS},
    {"concat/1", "xdx", ref_concat, NULL, 0, 0},
    {"slice/1", "d", ref_slice, &slice_cols, 0, 0},
    {"slice/1", "d", ref_slice, &slice_rows, 0, MIXES_ROWS},
    {"gather_rows/1", "xi", ref_gather, NULL, 2, MIXES_ROWS},
    {"cast/1", "x", ref_copy, &to_f32, 0, 0},
    {"detach/1", "x", ref_copy, NULL, 0, BLOCKS},
    {"magnitude/1", "xrs", ref_magnitude, NULL, 4, 0},
    {"magnitude/1", "xrsv", ref_magnitude, NULL, 4, 0},
    {"linear/1", "xw", ref_linear, &plain, 0, 0},
    {"linear/1", "xwbao", ref_linear, &adapted, 0, 0},
    {"embed/1", "e", ref_embed, &embed, 0, MIXES_ROWS},
    {"linear_logprob/1", "xe", ref_linear_logprob, &logprob, 0, MIXES_ROWS},
    {"linear_logprob/1", "xe", ref_linear_logprob, &logprob_cap, 0, MIXES_ROWS},
    {"linear_divergence/1", "xexe", ref_linear_divergence, &forward_kl, 12, MIXES_ROWS},
    {"linear_divergence/1", "xexe", ref_linear_divergence, &reverse_kl, 12, MIXES_ROWS},
    {"linear_divergence/1", "xexe", ref_linear_divergence, &jsd, 12, MIXES_ROWS},
    {"linear_divergence/1", "xekl", ref_linear_divergence, &forward_few, 12, MIXES_ROWS},
    {"linear_divergence/1", "xekl", ref_linear_divergence, &reverse_few, 12, MIXES_ROWS},
    {"linear_divergence/1", "xekl", ref_linear_divergence, &jsd_few, 12, MIXES_ROWS},
    {"logits/1", "xe", ref_logits, &logits, 0, MIXES_ROWS | NO_BACKWARD},
};
#define EACH_SAMPLE(s)                                                                             \
    for (const struct sample *s = samples; s < samples + sizeof samples / sizeof *samples; s++)

/* ---- making a sample ------------------------------------------------------------------------- */
static struct ops_batch *batch_for(int64_t T)
{
    int64_t a = T < 3 ? T : T / 2 + 1, b = (T - a) / 2, c = T - a - b;
    const int64_t seg[3][2] = {{a, -1}, {c, 0}, {b, 0}};
    struct ops_batch *m = ops_batch_new(T < 3 ? 1 : b > 0 ? 3 : 2, seg);
    static int32_t rows[512], ids[512], wanted[2];
    int64_t n = 0;
    for (int64_t t = 0; t < T; t++) {
        m->tokens[t] %= VOCAB;
        for (int k = 0; k < (t % 5 == 4 ? 0 : t == a - 1 ? 2 : 1); k++) {
            rows[n] = (int32_t)t;
            ids[n++] = (int32_t)ops_below(VOCAB);
        }
    }
    m->b.n_targets = n;
    m->b.target_row = rows;
    m->b.target_id = ids;
    wanted[0] = 0;
    wanted[1] = (int32_t)(T - 1);
    m->b.n_logit_rows = T > 1 ? 2 : 1;
    m->b.logit_rows = wanted;
    return m;
}

static struct ops_run run_for(const struct sample *s, struct ops_batch *m, int64_t T, int64_t C,
                              int64_t pad)
{
    struct ops_run r = {.op = hone_op_find(s->name),
                        .attr = s->attr,
                        .batch = m ? &m->b : NULL,
                        .mode = HONE_MODE_TRAIN,
                        .n_in = (uint32_t)strlen(s->inputs),
                        .pad = pad};
    assert_non_null(r.op);
    rope_half.head_dim = rope_pair.head_dim = rope_half.rotary_dim = rope_pair.rotary_dim =
        (int32_t)C & ~1;
    rope_part.head_dim = (int32_t)C;
    rope_part.rotary_dim = (int32_t)(C + 1) / 2 & ~1;
    if (C % 2 && (s->attr == &rope_half || s->attr == &rope_pair))
        rope_half.head_dim = rope_pair.head_dim = (int32_t)C;
    att.head_dim = att_window.head_dim = att_cap.head_dim = (int32_t)C;
    slice_cols = (hone_slice_attr){.first = 1, .count = C};
    slice_rows = (hone_slice_attr){.first = T / 2, .count = T - T / 2, .axis = 1};
    for (uint32_t i = 0; i < r.n_in; i++) {
        int64_t rows = T, cols = C;
        uint32_t layout = HONE_ROWS, dtype = HONE_F32;
        switch (s->inputs[i]) {
        case 'r':
        case 's':
            rows = 1;
            break;
        case 'v':
            rows = C, cols = 1;
            break;
        case 'c':
        case 'm':
            cols = 1;
            break;
        case '1':
            rows = cols = 1;
            break;
        case 'd':
            cols = C + 2;
            break;
        case '2':
            cols = 2 * C;
            break;
        case '4':
            cols = 4 * C;
            break;
        case 'i':
            rows = T + 2, cols = 1, dtype = HONE_I32;
            break;
        case 'w':
            rows = C + 5, layout = HONE_PANELS;
            break;
        case 'b':
            rows = C + 5, cols = 1;
            break;
        case 'a':
            rows = 2, layout = HONE_PANELS;
            break;
        case 'o':
            rows = C + 5, cols = 2, layout = HONE_PANELS;
            break;
        case 'e':
            rows = VOCAB, layout = HONE_PANELS;
            break;
        case 'k':
            rows = m->b.n_targets, cols = 3, dtype = HONE_I32;
            break;
        case 'l':
            rows = m->b.n_targets, cols = 3;
            break;
        default:
            break;
        }
        /* vectors and panels have no gaps */
        int64_t gap = rows == T && layout == HONE_ROWS && dtype == HONE_F32 && s->inputs[i] != 'v'
                          ? pad
                          : 0;
        r.in[i] = ops_view(rows, cols, dtype, layout, gap);
        if (s->inputs[i] == 'k')
            for (int64_t t = 0; t < 3 * rows; t++) /* three that differ */
                ((int32_t *)r.in[i].data)[t] = t % 3
                                                   ? (((int32_t *)r.in[i].data)[t - 1] + 7) % VOCAB
                                                   : (int32_t)ops_below(VOCAB);
        else if (s->inputs[i] == 'l')
            for (int64_t t = 0; t < 3 * rows; t++)
                ((float *)r.in[i].data)[t] = -1.2f - 0.01f * (float)ops_below(300);
        else if (dtype == HONE_I32)
            for (int64_t t = 0; t < rows; t++)
                ((int32_t *)r.in[i].data)[t] = (int32_t)ops_below((uint32_t)T);
        else
            ops_fill(&r.in[i], strchr("wao", s->inputs[i]) ? 0.3f : 1,
                     strchr("pms", s->inputs[i]) != NULL);
        if (!(s->no_grad >> i & 1) && !(s->flags & NO_BACKWARD))
            r.want |= 1u << i;
    }
    return r;
}
/* rope needs two columns a head */
static int64_t fit(const struct sample *s, int64_t C)
{
    int64_t least = s->attr == &rope_part ? 3 : s->ref == ref_rope ? 2 : 1;
    return C < least ? least : C;
}

static const int64_t sizes[][2] = {{1, 1},    {3, 17},  {17, 3},  {17, 129},
                                   {129, 17}, {1, 129}, {129, 1}, {3, 64}};
#define EACH_SIZE(z) for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)

/* ---- the definition -------------------------------------------------------------------------- */
struct dense {
    struct ref r;
    double *in[HONE_OP_MAX_IN], *out[HONE_OP_MAX_OUT];
};
static double *dense_of(const hone_view *v)
{
    double *p = malloc((size_t)(v->rows * v->cols + 1) * sizeof *p);
    assert_non_null(p);
    for (int64_t t = 0; t < v->rows; t++)
        for (int64_t c = 0; c < v->cols; c++)
            p[t * v->cols + c] = v->dtype == HONE_I32 ? (double)((int32_t *)v->data)[t * v->ld + c]
                                                      : (double)*ops_at(v, t, c);
    return p;
}
static struct dense dense_new(const struct ops_run *r)
{
    struct dense d = {
        .r = {.n_in = r->n_in, .n_out = r->ctx.n_out, .attr = r->attr, .batch = r->batch}};
    for (uint32_t i = 0; i < r->n_in; i++) {
        d.r.in[i] = d.in[i] = dense_of(&r->in[i]);
        d.r.rows[i] = r->in[i].rows;
        d.r.cols[i] = r->in[i].cols;
    }
    for (uint32_t i = 0; i < r->ctx.n_out; i++) {
        d.r.out_rows[i] = r->ctx.out[i].rows;
        d.r.out_cols[i] = r->ctx.out[i].cols;
        d.r.out[i] = d.out[i] = calloc((size_t)(d.r.out_rows[i] * d.r.out_cols[i] + 1),
                                       sizeof(double));
    }
    return d;
}
static void dense_free(struct dense *d)
{
    for (int i = 0; i < HONE_OP_MAX_IN; i++)
        free(d->in[i]);
    for (int i = 0; i < HONE_OP_MAX_OUT; i++)
        free(d->out[i]);
}
static int near(double x, double y, double tol)
{
    return fabs(x - y) <= tol * (1 + fabs(y));
}

/* ---- tests ----------------------------------------------------------------------------------- */
static void test_every_op_has_a_sample_and_a_name(void **state)
{
    (void)state;
    size_t n = 0;
    for (const hone_op *o; (o = hone_op_at(n)) != NULL; n++) {
        int found = 0;
        EACH_SAMPLE(s)
        found += !strcmp(s->name, o->name);
        if (!found)
            fprintf(stderr, "no sample of %s\n", o->name);
        assert_true(found > 0);
        assert_ptr_equal(hone_op_find(o->name), o);
        assert_true(o->struct_size == sizeof *o && o->infer && o->fwd && o->cost);
    }
    assert_true(n > 30);
    assert_null(hone_op_find("rmsnorm/2"));
    const hone_op *o = NULL;
    assert_fails(hone_op_get("rmsnrm/1", &o), HONE_E_NOT_FOUND, "rmsnrm/1");
    assert_non_null(strstr(hone_error_get()->hint, "rmsnorm/1"));
    assert_ok(hone_op_get("attention/1", &o));
    assert_string_equal(o->name, "attention/1");
}

static void test_values_are_those_of_the_definition_in_every_kernel_set(void **state)
{
    (void)state;
    EACH_SAMPLE(s) EACH_SIZE(z)
    {
        int64_t T = sizes[z][0], C = fit(s, sizes[z][1]);
        struct ops_batch *m = batch_for(T);
        struct ops_run r = run_for(s, m, T, C, 0), first = {0};
        ops_forward(&r, 0);
        struct dense d = dense_new(&r);
        s->ref(&d.r);
        ops_clear(&r, 0);
        EACH_SET(set)
        {
            ops_forward(&r, 0);
            for (uint32_t o = 0; o < r.ctx.n_out; o++) {
                assert_true(ops_intact(&r.out[o]));
                for (int64_t t = 0; t < r.out[o].rows; t++)
                    for (int64_t c = 0; c < r.out[o].cols; c++) {
                        double got = (double)*ops_at(&r.out[o], t, c),
                               want = d.out[o][t * r.out[o].cols + c];
                        if (!near(got, want, 1e-5))
                            fprintf(
                                stderr,
                                "%s (%s) %lldx%lld set %d output %u [%lld,%lld]: %.9g, not %.9g\n",
                                s->name, s->inputs, (long long)T, (long long)C, set, o,
                                (long long)t, (long long)c, got, want);
                        assert_true(near(got, want, 1e-5));
                    }
            }
            if (!first.out[0].data) {
                first = r;
                memset(r.out, 0, sizeof r.out);
                memset(r.extra, 0, sizeof r.extra);
                continue;
            }
            for (uint32_t o = 0; o < r.ctx.n_out; o++)
                assert_true(ops_equal(&r.out[o], &first.out[o]));
            for (uint32_t o = 0; o < r.ctx.n_extra; o++)
                assert_true(ops_equal(&r.extra[o], &first.extra[o]));
            ops_clear(&r, 0);
        }
        ops_clear(&first, 0);
        ops_clear(&r, 1);
        dense_free(&d);
        ops_batch_free(m);
    }
}

/* d(sum of dout*out)/d(element e of input i), from the definition */
static double slope(struct dense *d, const struct sample *s, const struct ops_run *r, uint32_t i,
                    int64_t e)
{
    double x = d->in[i][e], h = 1e-5 * (1 + fabs(x)), v[2];
    for (int k = 0; k < 2; k++) {
        d->in[i][e] = k ? x - h : x + h;
        s->ref(&d->r);
        v[k] = 0;
        for (uint32_t o = 0; o < r->ctx.n_out; o++)
            for (int64_t t = 0; t < r->out[o].rows; t++)
                for (int64_t c = 0; c < r->out[o].cols; c++)
                    v[k] += d->out[o][t * r->out[o].cols + c] * (double)*ops_at(&r->dout[o], t, c);
    }
    d->in[i][e] = x;
    return (v[0] - v[1]) / (2 * h);
}

static void test_gradients_are_finite_differences_and_accumulate(void **state)
{
    (void)state;
    EACH_SAMPLE(s) EACH_SIZE(z)
    {
        int64_t T = sizes[z][0], C = fit(s, sizes[z][1]);
        if ((s->flags & (NO_BACKWARD | BLOCKS)) || T * C > 17 * 129)
            continue;
        struct ops_batch *m = batch_for(T);
        struct ops_run r = run_for(s, m, T, C, 0);
        ops_forward(&r, 0);
        ops_douts(&r);
        struct dense d = dense_new(&r);
        for (int fresh = 0; fresh < 2; fresh++) {
            ops_gradients(&r, fresh);
            hone_view before[HONE_OP_MAX_IN] = {0};
            for (uint32_t i = 0; i < r.n_in; i++)
                if (r.din[i].data)
                    before[i] = ops_copy(&r.din[i]);
            ops_backward(&r, 0);
            for (uint32_t i = 0; i < r.n_in; i++) {
                if (!r.din[i].data)
                    continue;
                assert_true(ops_intact(&r.din[i]));
                int64_t n = r.in[i].rows * r.in[i].cols, tries = n < 12 ? n : 12;
                for (int64_t k = 0; k < tries; k++) {
                    int64_t e = n < 12 ? k : (int64_t)ops_below((uint32_t)n);
                    int64_t t = e / r.in[i].cols, c = e % r.in[i].cols;
                    double want = slope(&d, s, &r, i, e) +
                                  (fresh ? 0 : (double)*ops_at(&before[i], t, c));
                    double got = (double)*ops_at(&r.din[i], t, c);
                    if (!near(got, want, 1e-4))
                        fprintf(
                            stderr,
                            "%s (%s) %lldx%lld d input %u [%lld,%lld]: %.9g, not %.9g (fresh %d)\n",
                            s->name, s->inputs, (long long)T, (long long)C, i, (long long)t,
                            (long long)c, got, want, fresh);
                    assert_true(near(got, want, 1e-4));
                }
                ops_drop(&before[i]);
                ops_drop(&r.din[i]);
            }
        }
        dense_free(&d);
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
}

/* Outputs, extras and gradients of a run, kept for comparison. */
static void full_run(struct ops_run *r, int pool, int backward)
{
    ops_forward(r, pool);
    if (backward && r->want)
        ops_backward(r, pool);
}
static void assert_same_results(const struct sample *s, const struct ops_run *a,
                                const struct ops_run *b, int backward)
{
    int same = 1;
    for (uint32_t o = 0; o < a->ctx.n_out; o++)
        same &= ops_equal(&a->out[o], &b->out[o]);
    for (uint32_t o = 0; o < a->ctx.n_extra; o++)
        same &= ops_equal(&a->extra[o], &b->extra[o]);
    for (uint32_t i = 0; backward && i < a->n_in; i++)
        if (a->want >> i & 1)
            same &= ops_equal(&a->din[i], &b->din[i]) && ops_intact(&b->din[i]);
    if (!same)
        fprintf(stderr, "%s (%s)\n", s->name, s->inputs);
    assert_true(same);
}

static void test_threads_sets_and_gaps_do_not_change_a_bit(void **state)
{
    (void)state;
    /* large enough to be split among threads; the last is odd in both directions */
    static const int64_t big[][2] = {{129, 640}, {300, 129}, {17, 17}};
    EACH_SAMPLE(s) for (int z = 0; z < 3; z++)
    {
        int64_t T = big[z][0], C = big[z][1];
        if (s->ref == ref_attention || s->ref == ref_linear)
            C = C > 80 ? 80 : C;
        struct ops_batch *m = batch_for(T);
        struct ops_run one = run_for(s, m, T, C, 0);
        int backward = !(s->flags & NO_BACKWARD);
        ops_forward(&one, 0);
        ops_douts(&one);
        ops_gradients(&one, 0);
        hone_view start[HONE_OP_MAX_IN] = {0};
        for (uint32_t i = 0; i < one.n_in; i++)
            if (one.din[i].data)
                start[i] = ops_copy(&one.din[i]);
        if (backward)
            ops_backward(&one, 0);
        for (int how = 0; how < 3; how++) /* 3 threads; gaps between rows; other sets */
            EACH_SET(set)
            {
                if (how < 2 && set != hone_cpu_get()->best)
                    continue;
                if (how == 2 && z == 0 && set == HONE_CPU_C && s->ref != ref_attention)
                    continue; /* slow */
                struct ops_run two = one;
                int64_t gap = how == 1 ? 7 : 0;
                memset(two.out, 0, sizeof two.out);
                memset(two.extra, 0, sizeof two.extra);
                two.pad = gap;
                for (uint32_t i = 0; i < two.n_in; i++) {
                    int wide = how == 1 && two.in[i].rows == T && two.in[i].layout == HONE_ROWS &&
                               two.in[i].dtype == HONE_F32 && s->inputs[i] != 'v';
                    if (!wide)
                        continue;
                    two.in[i] = ops_view(T, two.in[i].cols, HONE_F32, HONE_ROWS, gap);
                    for (int64_t t = 0; t < T; t++)
                        memcpy(ops_at(&two.in[i], t, 0), ops_at(&one.in[i], t, 0),
                               (size_t)two.in[i].cols * 4);
                }
                for (uint32_t i = 0; i < two.n_in; i++)
                    if (start[i].data) {
                        two.din[i] = ops_view(start[i].rows, start[i].cols, HONE_F32,
                                              start[i].layout, two.in[i].ld - two.in[i].cols);
                        for (int64_t t = 0; t < start[i].rows; t++)
                            for (int64_t c = 0; c < start[i].cols; c++)
                                *ops_at(&two.din[i], t, c) = *ops_at(&start[i], t, c);
                        if (start[i].layout == HONE_PANELS)
                            memcpy(two.din[i].data, start[i].data,
                                   (size_t)ops_floats(&start[i]) * 4);
                    }
                full_run(&two, how == 0 ? 1 : 0, backward);
                assert_same_results(s, &one, &two, backward);
                for (int i = 0; i < HONE_OP_MAX_OUT; i++)
                    two.dout[i].data = NULL;
                for (uint32_t i = 0; i < two.n_in; i++)
                    if (two.in[i].data != one.in[i].data)
                        ops_drop(&two.in[i]);
                ops_clear(&two, 0);
            }
        for (uint32_t i = 0; i < one.n_in; i++)
            ops_drop(&start[i]);
        ops_clear(&one, 1);
        ops_batch_free(m);
    }
}

static void test_in_place_gives_the_same_bits(void **state)
{
    (void)state;
    int n = 0;
    EACH_SAMPLE(s)
    {
        struct ops_batch *m = batch_for(17);
        struct ops_run r = run_for(s, m, 17, 19, 0);
        r.mode = HONE_MODE_SCORE; /* nothing is kept, so nothing forbids it */
        ops_forward(&r, 0);
        if (r.op->flags & HONE_OP_INPLACE) {
            struct ops_run p = r;
            memset(p.out, 0, sizeof p.out);
            p.in[0] = p.out[0] = ops_copy(&r.in[0]);
            ops_forward(&p, 0);
            for (uint32_t o = 0; o < r.ctx.n_out; o++)
                assert_true(ops_equal(&p.out[o], &r.out[o]));
            p.in[0].data = NULL;
            for (int i = 0; i < HONE_OP_MAX_OUT; i++)
                ops_drop(&p.out[i]);
            n++;
        }
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
    assert_true(n > 20);
}

static void test_a_row_does_not_depend_on_its_neighbours(void **state)
{
    (void)state;
    EACH_SAMPLE(s)
    {
        if (s->flags & MIXES_ROWS)
            continue;
        int64_t T = 17, C = 77;
        struct ops_run r = run_for(s, NULL, T, C, 0);
        ops_forward(&r, 0);
        for (int64_t t = 0; t < T; t += 8) {
            struct ops_run p = r;
            memset(p.out, 0, sizeof p.out);
            memset(p.extra, 0, sizeof p.extra);
            for (uint32_t i = 0; i < p.n_in; i++)
                if (p.in[i].rows == T && p.in[i].layout == HONE_ROWS) {
                    p.in[i].data = ops_at(&r.in[i], t, 0);
                    p.in[i].rows = 1;
                }
            ops_forward(&p, 0);
            for (uint32_t o = 0; o < r.ctx.n_out; o++) {
                hone_view row = r.out[o];
                row.data = ops_at(&r.out[o], t, 0);
                row.rows = 1;
                assert_true(ops_equal(&p.out[o], &row));
            }
            ops_clear(&p, 0);
        }
        ops_clear(&r, 1);
    }
}

static void test_nan_in_gives_nan_out(void **state)
{
    (void)state;
    EACH_SAMPLE(s) EACH_SET(set)
    {
        for (uint32_t i = 0; i < strlen(s->inputs); i++) {
            struct ops_batch *m = batch_for(17);
            struct ops_run r = run_for(s, m, 17, 19, 0);
            if (r.in[i].dtype == HONE_F32) {
                int64_t row = s->inputs[i] == 'e' ? (r.n_in == 1 ? m->tokens[0] : 0)
                                                  : r.in[i].rows - 1;
                int64_t col = s->attr == &slice_cols ? 3 : 0;
                *ops_at(&r.in[i], row, col) = NAN;
                if (s->ref == ref_gather)
                    ((int32_t *)r.in[1].data)[0] = 16;
                if ((!strcmp(s->name, "linear_logprob/1") || s->ref == ref_linear_divergence) &&
                    i == 0) /* a row with a target */
                    *ops_at(&r.in[0], m->b.target_row[0], 0) = NAN;
                ops_forward(&r, 0);
                int64_t found = 0, others = 0;
                for (int64_t t = 0; t < r.out[0].rows; t++)
                    for (int64_t c = 0; c < r.out[0].cols; c++)
                        if (isnan(*ops_at(&r.out[r.ctx.n_out >= 2 && s->inputs[2] != 0], t, c)))
                            t == 16 || r.in[i].rows != 17 ? found++ : others++;
                if (s->flags & MIXES_ROWS ? found + others == 0 : !found || others)
                    fprintf(stderr, "%s (%s) input %u set %d: %lld NaN, %lld elsewhere\n", s->name,
                            s->inputs, i, set, (long long)found, (long long)others);
                assert_true(found + (s->flags & MIXES_ROWS ? others : 0) > 0);
                assert_true(!others || (s->flags & MIXES_ROWS));
            }
            ops_clear(&r, 1);
            ops_batch_free(m);
        }
    }
}

static void test_absent_gradients_count_as_zero(void **state)
{
    (void)state;
    EACH_SAMPLE(s)
    {
        if (s->flags & NO_BACKWARD)
            continue;
        struct ops_batch *m = batch_for(9);
        struct ops_run r = run_for(s, m, 9, 19, 0);
        ops_forward(&r, 0);
        ops_gradients(&r, 1);
        /* no gradient at all: the executor skips such an op, unless it asks row by row */
        if (!strpbrk(s->inputs, "we")) {
            ops_backward(&r, 0);
            for (uint32_t i = 0; i < r.n_in; i++)
                for (int64_t t = 0; r.din[i].data && t < r.din[i].rows; t++)
                    for (int64_t c = 0; c < r.din[i].cols; c++)
                        assert_true(*ops_at(&r.din[i], t, c) == 0.0f);
        }
        /* one of two: the same as zeros */
        for (uint32_t o = 0; r.ctx.n_out == 2 && o < 2; o++) {
            struct ops_run p = r;
            ops_douts(&p);
            memset(p.dout[o].data, 0, (size_t)ops_floats(&p.dout[o]) * 4);
            ops_gradients(&p, 1);
            ops_backward(&p, 0);
            ops_drop(&p.dout[o]);
            for (uint32_t i = 0; i < r.n_in; i++)
                ops_drop(&r.din[i]);
            ops_gradients(&r, 1);
            memcpy(r.dout, p.dout, sizeof r.dout);
            ops_backward(&r, 0);
            for (uint32_t i = 0; i < r.n_in; i++)
                for (int64_t t = 0; r.din[i].data && t < r.din[i].rows; t++)
                    for (int64_t c = 0; c < r.din[i].cols; c++)
                        assert_true(near((double)*ops_at(&r.din[i], t, c),
                                         (double)*ops_at(&p.din[i], t, c), 1e-6));
            for (uint32_t i = 0; i < r.n_in; i++) {
                ops_drop(&p.din[i]);
                ops_drop(&r.din[i]);
            }
            ops_drop(&r.dout[1 - o]);
        }
        if (!r.din[0].data)
            ops_gradients(&r, 1);
        /* each input alone gives what it gives with the others */
        ops_douts(&r);
        ops_backward(&r, 0);
        for (uint32_t i = 0; i < r.n_in; i++) {
            if (!r.din[i].data)
                continue;
            struct ops_run p = r;
            p.want = 1u << i;
            memset(p.din, 0, sizeof p.din);
            memset(p.out, 0, sizeof p.out);
            memset(p.extra, 0, sizeof p.extra);
            ops_forward(&p, 0);
            ops_gradients(&p, 1);
            ops_backward(&p, 0);
            /* a frozen head keeps d logp/d hidden instead of recomputing logits: other rounding */
            if (!strchr(s->inputs, 'e'))
                assert_true(ops_equal(&p.din[i], &r.din[i]));
            memset(p.dout, 0, sizeof p.dout);
            ops_clear(&p, 0);
        }
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
}

static void test_gradients_pass_through_the_buffer_of_the_output(void **state)
{
    (void)state;
    int n = 0;
    EACH_SAMPLE(s)
    {
        const hone_op *op = hone_op_find(s->name);
        if (!(op->flags & HONE_OP_PASS_GRAD) || s->inputs[1] != 'x')
            continue;
        for (int both = 0; both < 3; both++) { /* input 0 there; input 1 too; input 1 alone */
            struct ops_run r = run_for(s, NULL, 17, 19, 0), p;
            ops_forward(&r, 0);
            ops_douts(&r);
            ops_gradients(&r, 1);
            p = r;
            p.dout[0] = ops_copy(&r.dout[0]);
            ops_backward(&r, 0);
            hone_view w = {0}, other = {0};
            if (r.n_in == 3)
                w = p.din[2] = ops_copy(&r.din[2]);
            other = ops_copy(&r.din[0]);
            p.din[0] = both < 2 ? p.dout[0] : other;
            p.din[1] = both > 0 ? p.dout[0] : other;
            ops_backward(&p, 0);
            for (int i = 0; i < 2; i++)
                assert_true(ops_equal(&p.din[i], &r.din[i]));
            if (r.n_in == 3)
                assert_true(ops_equal(&w, &r.din[2]));
            ops_drop(&p.dout[0]);
            ops_drop(&w);
            ops_drop(&other);
            ops_clear(&r, 1);
            n++;
        }
    }
    assert_true(n >= 6);
}

static void test_shapes_that_do_not_fit_are_refused_with_a_text(void **state)
{
    (void)state;
    EACH_SAMPLE(s)
    {
        struct ops_batch *m = batch_for(9);
        struct ops_run r = run_for(s, m, 9, 19, 0);
        assert_int_equal(ops_infer(&r), HONE_OK);
        for (uint32_t i = 0; i < r.n_in; i++) {
            hone_view was = r.in[i];
            r.in[i].dtype = HONE_U8;
            r.ctx.error[0] = 0;
            assert_true(ops_infer(&r) < 0 && r.ctx.error[0]);
            r.in[i] = was;
            if (r.n_in > 1 && s->ref != ref_gather && s->ref != ref_concat && s->inputs[1] != '1') {
                r.in[i].rows += 3;
                r.in[i].cols += 4;
                if (ops_infer(&r) >= 0)
                    fprintf(stderr, "%s (%s) input %u\n", s->name, s->inputs, i);
                assert_true(ops_infer(&r) < 0 && r.ctx.error[0]);
            }
            r.in[i] = was;
        }
        uint32_t n = r.n_in;
        r.n_in = 0;
        assert_true(ops_infer(&r) < 0 && r.ctx.error[0]);
        if (s->ref != ref_concat) {
            r.n_in = n + 1;
            r.in[n] = r.in[0];
            assert_true(ops_infer(&r) < 0 && r.ctx.error[0]);
            r.in[n].data = NULL;
        }
        r.n_in = n;
        if (r.op->attr_size) {
            r.attr = NULL;
            assert_true(ops_infer(&r) < 0 && r.ctx.error[0]);
        }
        ops_clear(&r, 1);
        ops_batch_free(m);
    }
}

static hone_status infer_two(hone_shape_ctx *c)
{
    c->n_out = 0;
    return HONE_OK;
}
static hone_status run_two(const hone_op_args *a, const hone_exec *ex)
{
    (void)a;
    (void)ex;
    return HONE_OK;
}
static void test_a_pack_adds_ops_all_or_none(void **state)
{
    (void)state;
    hone_op good = {.struct_size = sizeof good,
                    .name = "two/1",
                    .infer = infer_two,
                    .fwd = run_two},
            bad = good;
    const hone_op *pack[] = {&good, &bad, NULL};
    bad.name = "two";
    assert_fails(hone_op_register_pack(pack), HONE_E_INVALID, "two");
    assert_null(hone_op_find("two/1"));
    bad.name = "rmsnorm/1";
    assert_fails(hone_op_register_pack(pack), HONE_E_EXISTS, "rmsnorm/1");
    assert_null(hone_op_find("two/1"));
    bad.name = "three/1";
    assert_ok(hone_op_register_pack(pack));
    assert_ptr_equal(hone_op_find("two/1"), &good);
    assert_ptr_equal(hone_op_find("three/1"), &bad);
    hone_op_unregister_pack(pack);
    assert_null(hone_op_find("two/1"));
    assert_null(hone_op_find("three/1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_op_has_a_sample_and_a_name),
        cmocka_unit_test(test_values_are_those_of_the_definition_in_every_kernel_set),
        cmocka_unit_test(test_gradients_are_finite_differences_and_accumulate),
        cmocka_unit_test(test_threads_sets_and_gaps_do_not_change_a_bit),
        cmocka_unit_test(test_in_place_gives_the_same_bits),
        cmocka_unit_test(test_a_row_does_not_depend_on_its_neighbours),
        cmocka_unit_test(test_nan_in_gives_nan_out),
        cmocka_unit_test(test_absent_gradients_count_as_zero),
        cmocka_unit_test(test_gradients_pass_through_the_buffer_of_the_output),
        cmocka_unit_test(test_shapes_that_do_not_fit_are_refused_with_a_text),
        cmocka_unit_test(test_a_pack_adds_ops_all_or_none),
    };
    return cmocka_run_group_tests(tests, ops_setup, ops_teardown);
}
