/* test_model - what must hold for every model: gradients by differences, and the same bits however
 * a computation is split, shared, replayed, resumed token by token, or spread over threads and
 * kernel sets. */
#include "model_shapes.h"

#include "base/json.h"
#include "base/trace.h"
#include "ops/cpu.h"
#include "ops/registry.h"

/* Prompt lengths and children of the forest of these tests: prompts that end inside, at and past a
 * page. */
static const struct {
    int prompt, n_children, child[8];
} trees[] = {{5, 3, {4, 1, 7}},
             {64, 2, {3, 70}},
             {70, 8, {1, 2, 3, 60, 5, 6, 58, 8}},
             {1, 1, {2}},
             {30, 0, {0}}};
enum { N_TREES = sizeof trees / sizeof trees[0], MAX_TOKENS = 2048 };

static void tree_ids(const hone_model *m, size_t tree, int child, int32_t *out)
{
    int n = child < 0 ? trees[tree].prompt : trees[tree].child[child];
    random_ids(m, 1000 + tree * 16 + (uint64_t)(child + 1), n, out);
    if (child >= 0)
        out[0] = (int32_t)child; /* first tokens differ */
}

/* Each tree: prompt tokens and every child's tokens are targets. */
static void build_shared(const hone_model *m, hone_forest *f)
{
    int32_t ids[256];
    hone_forest_init(f);
    for (size_t t = 0; t < N_TREES; t++) {
        int32_t root;
        tree_ids(m, t, -1, ids);
        root = hone_forest_segment(f, -1, ids, trees[t].prompt);
        assert_true(root >= 0);
        assert_true(hone_forest_targets(f, root, 1, trees[t].prompt - 1) >= 0);
        for (int c = 0; c < trees[t].n_children; c++) {
            int32_t seg;
            tree_ids(m, t, c, ids);
            seg = hone_forest_segment(f, root, ids, trees[t].child[c]);
            assert_true(seg >= 0);
            assert_true(hone_forest_targets(f, seg, 0, trees[t].child[c]) >= 0);
        }
    }
    assert_non_null(hone_forest_build(f));
}

/* The same targets in the same order of asking; each child is a chain of its own with the prompt in
 * front. */
static void build_unshared(const hone_model *m, hone_forest *f)
{
    int32_t ids[512];
    hone_forest_init(f);
    for (size_t t = 0; t < N_TREES; t++) {
        int n = trees[t].prompt;
        int32_t root;
        tree_ids(m, t, -1, ids);
        root = hone_forest_segment(f, -1, ids, n);
        assert_true(hone_forest_targets(f, root, 1, n - 1) >= 0);
        for (int c = 0; c < trees[t].n_children; c++) {
            int32_t seg;
            tree_ids(m, t, c, ids + n);
            seg = hone_forest_segment(f, -1, ids, n + trees[t].child[c]);
            assert_true(hone_forest_targets(f, seg, n, trees[t].child[c]) >= 0);
        }
    }
    assert_non_null(hone_forest_build(f));
}

/* Weights by number of asking -> by place in the batch. */
static void target_weights(const hone_forest *f, float *w)
{
    for (int64_t k = 0; k < f->n_targets; k++)
        w[hone_forest_slot(f, k)] = centred(77, (uint64_t)k) / 16.0f;
}

static double weighted(const float *w, const float *lp, int64_t n)
{
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++)
        sum += (double)w[k] * (double)lp[k];
    return sum;
}

static float *copy_grads(hone_model *m, size_t *n)
{
    float *g;
    *n = hone_params_flat_length(m->params);
    g = malloc(*n * sizeof *g);
    memcpy(g, hone_params_grads(m->params), *n * sizeof *g);
    return g;
}

/* Gradients of the weighted sum, from zero, by parts of at most max_tokens. */
static float *grads_of(hone_model *m, hone_tape *t, hone_forest *f, int64_t max_tokens,
                       const hone_tape_options *o, float *logp, size_t *n)
{
    float w[MAX_TOKENS];
    int32_t parts = hone_forest_split(f, max_tokens);
    assert_true(parts >= 1 && f->n_targets <= MAX_TOKENS);
    target_weights(f, w);
    assert_ok(hone_params_need_grads(m->params, NULL));
    hone_params_zero_grads(m->params);
    for (int32_t i = 0; i < parts; i++) {
        const hone_forest_part *p = hone_forest_part_get(f, i);
        model_grads(m, t, &p->batch, o, w + p->first_target, logp ? logp + p->first_target : NULL);
    }
    assert_ok(hone_tape_finish_grads(t));
    return copy_grads(m, n);
}

/* ---- gradients ------------------------------------------------------------------------------- */
/* Along a direction: the gradient's own plus a random one, each of length 1. */
static void check_direction(hone_model *m, hone_forest *f, const hone_param_item *it,
                            const float *grad, const hone_tape_options *o)
{
    const hone_batch *b = hone_forest_build(f);
    float w[MAX_TOKENS], lp[MAX_TOKENS];
    float *saved = malloc(it->length * sizeof *saved), *dir = malloc(it->length * sizeof *dir);
    float *at = it->data;
    double norm = 0.0, rnorm = 0.0, slope = 0.0, up, down, eps = 2e-2, diff[2], got;
    target_weights(f, w);
    memcpy(saved, it->data, it->length * sizeof *saved);
    for (size_t i = 0; i < it->length; i++) {
        norm += (double)grad[i] * (double)grad[i];
        dir[i] = saved[i] != 0.0f || it->adapter >= 0 ? centred(9, i)
                                                      : 0.0f; /* padding stays zero */
        rnorm += (double)dir[i] * (double)dir[i];
    }
    norm = sqrt(norm) + 1e-30;
    rnorm = sqrt(rnorm) + 1e-30;
    for (size_t i = 0; i < it->length; i++) {
        dir[i] = (float)((double)grad[i] / norm +
                         (saved[i] != 0.0f ? (double)dir[i] / rnorm : 0.0));
        slope += (double)grad[i] * (double)dir[i];
    }
    for (int half = 0; half < 2;
         half++) { /* central differences at eps and eps / 2, extrapolated */
        double step = half ? eps / 2 : eps;
        for (size_t i = 0; i < it->length; i++)
            at[i] = saved[i] + (float)step * dir[i];
        model_logprobs(m, tape, HONE_MODE_SCORE, b, o, lp);
        up = weighted(w, lp, b->n_targets);
        for (size_t i = 0; i < it->length; i++)
            at[i] = saved[i] - (float)step * dir[i];
        model_logprobs(m, tape, HONE_MODE_SCORE, b, o, lp);
        down = weighted(w, lp, b->n_targets);
        diff[half] = (up - down) / (2.0 * step);
    }
    memcpy(it->data, saved, it->length * sizeof *saved);
    got = (4.0 * diff[1] - diff[0]) / 3.0;
    if (fabs(got - slope) > 4e-3 * fabs(slope) + 2e-4)
        fail_with("%s: slope %.7g, by differences %.7g", it->name, slope, got);
    free(saved);
    free(dir);
}

/* Adds the adapters to the weights they stand on. */
static void merge(hone_params *p)
{
    for (hone_param i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (it->adapter >= 0)
            continue;
        float *rows = malloc((size_t)it->rows * (size_t)it->cols * sizeof *rows);
        assert_ok(hone_params_get_merged_rows(p, i, HONE_ADAPTERS_ACTIVE, 0, it->rows, rows));
        assert_ok(hone_params_set_rows(p, i, 0, it->rows, rows));
        free(rows);
    }
}

static void check_gradients(const char *json)
{
    test_model t = random_model(json);
    hone_forest f;
    size_t n;
    float *g;
    build_shared(t.m, &f);
    g = grads_of(t.m, tape, &f, 0, NULL, NULL, &n);
    for (hone_param i = 0; i < hone_params_count(t.m->params); i++) {
        const hone_param_item *it = hone_params_item(t.m->params, i);
        check_direction(t.m, &f, it, g + it->flat, NULL);
    }
    free(g);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_gradients_match_differences(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++)
        check_gradients(shapes[j]);
}

/* ---- sharing --------------------------------------------------------------------------------- */
static void check_forest(const char *json)
{
    test_model t = random_model(json);
    float a[MAX_TOKENS], b[MAX_TOKENS];
    hone_forest shared, plain;
    double off = 0.0, norm = 0.0;
    float *ga, *gb;
    size_t n;
    build_shared(t.m, &shared);
    build_unshared(t.m, &plain);
    assert_int_equal(shared.n_targets, plain.n_targets);
    assert_true(shared.n_tokens < plain.n_tokens);
    ga = grads_of(t.m, tape, &shared, 0, NULL, a, &n);
    gb = grads_of(t.m, tape, &plain, 0, NULL, b, &n);
    for (int64_t k = 0; k < shared.n_targets; k++)
        assert_bits(&a[hone_forest_slot(&shared, k)], &b[hone_forest_slot(&plain, k)], 1);
    for (size_t i = 0; i < n; i++) {
        off += ((double)ga[i] - (double)gb[i]) * ((double)ga[i] - (double)gb[i]);
        norm += (double)gb[i] * (double)gb[i];
    }
    if (sqrt(off / norm) > 1e-6)
        fail_with("gradients differ by %.3g of their norm", sqrt(off / norm));
    free(ga);
    free(gb);
    hone_forest_release(&shared);
    hone_forest_release(&plain);
    model_close(&t);
}

static void test_shared_prompts_change_no_bit_of_logprobs(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++)
        check_forest(shapes[j]);
}

/* ---- splits, replays, threads, kernel sets --------------------------------------------------- */
static void check_splits(const char *json)
{
    static const int64_t budgets[] = {1, 100, 200, 300};
    test_model t = random_model(json);
    float a[MAX_TOKENS], b[MAX_TOKENS];
    hone_forest f;
    float *ga, *gb;
    size_t n;
    build_shared(t.m, &f);
    ga = grads_of(t.m, tape, &f, 0, NULL, a, &n);
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        gb = grads_of(t.m, tape, &f, budgets[i], NULL, b, &n);
        assert_true(f.n_parts > 1);
        assert_bits(a, b, (size_t)f.n_targets);
        assert_bits(ga, gb, n);
        free(gb);
    }
    free(ga);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_micro_batches_change_no_bit_of_gradients(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++)
        check_splits(shapes[j]);
}

static void test_checkpointing_changes_no_bit(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++) {
        test_model t = random_model(shapes[j]);
        float a[MAX_TOKENS], b[MAX_TOKENS];
        hone_tape_stats keep, replay;
        hone_forest f;
        float *ga, *gb;
        size_t n;
        build_shared(t.m, &f);
        ga = grads_of(t.m, tape, &f, 0, NULL, a, &n);
        hone_tape_get_stats(tape, &keep);
        for (uint32_t every = 1; every <= 4; every++) {
            hone_tape_options o = {.adapters = HONE_ADAPTERS_ACTIVE, .checkpoint_every = every};
            gb = grads_of(t.m, tape, &f, 0, &o, b, &n);
            hone_tape_get_stats(tape, &replay);
            if (every == 1)
                assert_true(replay.kept_bytes < keep.kept_bytes);
            assert_bits(a, b, (size_t)f.n_targets);
            assert_bits(ga, gb, n);
            free(gb);
        }
        free(ga);
        hone_forest_release(&f);
        model_close(&t);
    }
}

static void check_threads_change_no_bit(const char *json)
{
    test_model t = random_model(json);
    hone_pool *pools[2] = {pool1, pool3};
    float a[MAX_TOKENS], b[MAX_TOKENS];
    hone_forest f;
    float *ga, *gb;
    size_t n;
    build_shared(t.m, &f);
    ga = grads_of(t.m, tape, &f, 0, NULL, a, &n);
    for (int i = 0; i < 2; i++) {
        hone_tape *other;
        assert_ok(hone_tape_create(hone_pool_exec(pools[i]), &other));
        gb = grads_of(t.m, other, &f, 0, NULL, b, &n);
        assert_bits(a, b, (size_t)f.n_targets);
        assert_bits(ga, gb, n);
        free(gb);
        hone_tape_destroy(other);
    }
    free(ga);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++)
        check_threads_change_no_bit(shapes[j]);
}

/* Spans of linear/1 in the trace at `path`, and the outputs that they show. */
static void count_products(const char *path, int *jobs, size_t *outputs)
{
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    assert_ok(hone_json_parse_file(path, 0, &a, &v));
    const hone_value *events = hone_value_get(&v, "traceEvents");
    assert_non_null(events);
    *jobs = 0;
    *outputs = 0;
    for (size_t i = 0; i < events->u.list.n; i++) {
        const hone_value *e = &events->u.list.items[i], *cat = hone_value_get(e, "cat"),
                         *name = hone_value_get(e, "name");
        if (!cat || !hone_str_eq(cat->u.str, "op") || !hone_str_eq(name->u.str, "linear/1"))
            continue;
        ++*jobs;
        *outputs += hone_value_path(e, "args.out")->u.list.n;
    }
    hone_arena_release(&a);
}

/* Queries, keys and values are one job, gate and up another: three less a layer, and the bits of one after the other (as a profile
 * has them run). Adapters stay apart. */
static void test_products_of_one_input_are_one_job_with_the_same_bits(void **state)
{
    (void)state;
    enum { LAYERS = 3 };
    test_model t = random_model(TIED);
    hone_adapter_spec spec = {.name = "a", .rank = 3, .alpha = 6.0f, .seed = 11};
    float apart[MAX_TOKENS], together[MAX_TOKENS];
    char path[PATH_MAX];
    hone_forest f;
    int jobs;
    size_t outputs;
    snprintf(path, sizeof path, "%s/products.json", scratch_dir());
    int32_t ids[20], root;
    for (int i = 0; i < 20; i++)
        ids[i] = 3 * i;
    hone_forest_init(&f);
    root = hone_forest_segment(&f, -1, ids, 20);
    assert_true(root >= 0 && hone_forest_targets(&f, root, 1, 19) >= 0);
    const hone_batch *b = hone_forest_build(&f);
    assert_non_null(b);
    assert_ok(hone_tape_set_profile(tape, 1));
    model_logprobs(t.m, tape, HONE_MODE_SCORE, b, NULL, apart);
    assert_ok(hone_tape_set_profile(tape, 0));
    for (int adapters = 0; adapters < 2; adapters++) {
        if (adapters) /* B is zero: the same function */
            assert_int_equal(hone_params_add_adapter(t.m->params, &spec), 0);
        assert_ok(hone_trace_open(path, 0));
        hone_trace_record(1);
        model_logprobs(t.m, tape, HONE_MODE_SCORE, b, NULL, together);
        assert_ok(hone_trace_close(NULL));
        assert_bits(apart, together, (size_t)f.n_targets);
        count_products(path, &jobs, &outputs);
        assert_int_equal(jobs, adapters ? 7 * LAYERS : 4 * LAYERS);
        assert_int_equal(outputs, 7 * LAYERS);
    }
    hone_forest_release(&f);
    model_close(&t);
}

static void check_kernel_sets(const char *json)
{
    test_model t = random_model(json);
    int used = hone_cpu_get()->used;
    float a[MAX_TOKENS], b[MAX_TOKENS];
    hone_forest f;
    float *ga, *gb;
    size_t n;
    build_shared(t.m, &f);
    ga = grads_of(t.m, tape, &f, 0, NULL, a, &n);
    for (int set = 0; set < HONE_CPU_SETS; set++) {
        if (hone_cpu_use(set) < 0)
            continue;
        gb = grads_of(t.m, tape, &f, 0, NULL, b, &n);
        assert_bits(a, b, (size_t)f.n_targets);
        assert_bits(ga, gb, n);
        free(gb);
    }
    assert_ok(hone_cpu_use(used));
    free(ga);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_kernel_sets_change_no_bit(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++)
        check_kernel_sets(shapes[j]);
}

/* ---- modes ----------------------------------------------------------------------------------- */
/* Each child of each tree by generation: the prompt prefilled in two pieces, forked, then by
 * pieces. */
static void test_modes_give_the_same_bits(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++) {
        test_model t = random_model(shapes[j]);
        float train[MAX_TOKENS], score[MAX_TOKENS], got[512];
        struct steps s = {t.m, NULL, NULL};
        hone_forest f;
        int64_t k = 0;
        float *g;
        size_t n;
        build_shared(t.m, &f);
        g = grads_of(t.m, tape, &f, 0, NULL, train, &n);
        model_logprobs(t.m, tape, HONE_MODE_SCORE, hone_forest_build(&f), NULL, score);
        assert_bits(train, score, (size_t)f.n_targets);
        assert_ok(hone_state_create(&t.m->info, 0, &s.st));
        for (size_t tree = 0; tree < N_TREES; tree++) {
            int32_t ids[512];
            int n_prompt = trees[tree].prompt, cut = n_prompt / 3;
            hone_seq root = hone_seq_create(s.st);
            tree_ids(t.m, tree, -1, ids);
            if (cut)
                feed(&s, root, ids, 0, cut, n_prompt, got);
            feed(&s, root, ids, cut, n_prompt, n_prompt, got);
            for (int i = 1; i < n_prompt; i++)
                assert_bits(&got[i], &score[hone_forest_slot(&f, k++)], 1);
            for (int c = 0; c < trees[tree].n_children; c++) {
                int len = n_prompt + trees[tree].child[c], at = n_prompt;
                hone_seq q = hone_seq_fork(s.st, root);
                assert_true(q >= 0);
                tree_ids(t.m, tree, c, ids + n_prompt);
                k++;               /* its first token is predicted by the prompt's last row */
                while (at < len) { /* one token at a time, every fourth step three */
                    int step = at % 4 == 3 ? 3 : 1;
                    int to = at + step < len ? at + step : len;
                    feed(&s, q, ids, at, to, len, got);
                    at = to;
                }
                for (int i = n_prompt + 1; i < len; i++)
                    assert_bits(&got[i], &score[hone_forest_slot(&f, k++)], 1);
                assert_int_equal(hone_seq_length(s.st, q), len);
                hone_seq_release(s.st, q);
            }
        }
        assert_int_equal(k, f.n_targets);
        free(g);
        hone_state_destroy(s.st);
        hone_forest_release(&f);
        model_close(&t);
    }
}

/* All children of a prompt in one decode batch, step by step, finishing at different times. */
static void check_decoding_together_gives_the_same_bits(const char *json)
{
    test_model t = random_model(json);
    float score[MAX_TOKENS];
    int32_t ids[8][80], prompt[80];
    int64_t k0 = 0, k;
    hone_state *st;
    hone_forest f;
    hone_seq root, q[8];
    const size_t tree = 2;
    build_shared(t.m, &f);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, hone_forest_build(&f), NULL, score);
    for (size_t i = 0; i < tree; i++) {
        k0 += trees[i].prompt - 1;
        for (int c = 0; c < trees[i].n_children; c++)
            k0 += trees[i].child[c];
    }
    k0 += trees[tree].prompt - 1;
    assert_ok(hone_state_create(&t.m->info, 0, &st));
    root = hone_seq_create(st);
    tree_ids(t.m, tree, -1, prompt);
    {
        struct steps s = {t.m, st, NULL};
        float got[80];
        feed(&s, root, prompt, 0, trees[tree].prompt, trees[tree].prompt, got);
    }
    for (int c = 0; c < 8; c++) {
        q[c] = hone_seq_fork(st, root);
        tree_ids(t.m, tree, c, ids[c]);
    }
    hone_seq_release(st, root);
    for (int i = 0; i < 60; i++) {
        hone_seq_step steps[8];
        float lp[8];
        int who[8];
        int32_t next[8];
        size_t n = 0;
        const hone_batch *b;
        for (int c = 0; c < 8; c++)
            if (i + 1 < trees[tree].child[c]) {
                who[n] = c;
                next[n] = ids[c][i + 1];
                steps[n] = (hone_seq_step){q[c], 1, &ids[c][i], &next[n], HONE_LOGITS_NONE, 0};
                n++;
            }
        if (!n)
            break;
        assert_ok(hone_state_batch(st, steps, n, &b));
        model_logprobs(t.m, tape, HONE_MODE_DECODE, b, NULL, lp);
        hone_state_commit(st);
        for (size_t s = 0; s < n; s++) {
            k = k0;
            for (int c = 0; c < who[s]; c++)
                k += trees[tree].child[c];
            assert_bits(&lp[s], &score[hone_forest_slot(&f, k + i + 1)], 1);
        }
    }
    hone_state_destroy(st);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_decoding_together_gives_the_same_bits(void **state)
{
    (void)state;
    for (int j = 0; j < FEW; j++)
        check_decoding_together_gives_the_same_bits(few[j]);
}

/* ---- op packs -------------------------------------------------------------------------------- */
/* Runs first: the shared registry has not loaded the pack yet. */
static void test_an_op_pack_comes_with_a_model_and_goes_with_its_registry(void **state)
{
    const char *paths[3] = {registry_path, hone_paths_plugins(), NULL};
    hone_registry_opts o = {.paths = paths, .only_paths = 1, .in_process = 1, .seed = 7};
    hone_registry *r;
    (void)state;
    assert_ok(hone_registry_open(&o, &r));
    assert_null(hone_op_find("test_conv/1"));
    for (int again = 0; again < 2; again++) {
        test_model t = model_random_in(r, again ? TIED : RECURRENT, 1);
        model_close(&t);
        assert_non_null(hone_op_find("test_conv/1"));
        assert_non_null(hone_op_find("test_decay/1"));
    }
    hone_registry_close(r);
    assert_null(hone_op_find("test_conv/1"));
    assert_null(hone_op_find("test_decay/1"));
}

/* ---- adapters -------------------------------------------------------------------------------- */
static void randomise_adapter(hone_model *m)
{
    for (hone_param i = 0; i < hone_params_count(m->params); i++) {
        const hone_param_item *it = hone_params_item(m->params, i);
        float row[256];
        assert_true(it->adapter < 0 || it->cols <= 256);
        for (int64_t r = 0; it->adapter >= 0 && !it->fixed && r < it->rows; r++) {
            assert_true(!it->is_vector || hone_params_get_rows(m->params, i, 0, 1, row) >= 0);
            for (int64_t c = 0; c < it->cols; c++)
                row[c] = it->is_vector /* magnitudes: a third more or less */
                             ? row[c] * (1.0f + 0.3f * centred(4000, (uint64_t)c))
                             : 0.3f * centred((uint64_t)i + 3000, (uint64_t)(r * it->cols + c));
            assert_ok(hone_params_set_rows(m->params, i, r, 1, row));
        }
    }
}

static void check_adapters(const char *json, uint32_t kind, uint32_t init)
{
    test_model t = random_model(json);
    hone_adapter_spec spec = {
        .name = "a", .rank = 3, .alpha = 6.0f, .init = init, .kind = kind, .seed = 11};
    hone_tape_options off = {.adapters = HONE_ADAPTERS_NONE};
    float base[MAX_TOKENS], lp[MAX_TOKENS], on[MAX_TOKENS];
    double differ = 0.0, worst = 0.0;
    const hone_batch *b;
    hone_forest f;
    hone_model *merged;
    uint64_t sum;
    float *g, *h;
    size_t n;
    spec.exec = hone_pool_exec(pool3);
    if (kind & HONE_LORA_RANK_STABLE) /* the same scale: differences go by steps of one length */
        spec.alpha = 2.0f * sqrtf(3.0f);
    build_shared(t.m, &f);
    b = hone_forest_build(&f);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, b, NULL, base);
    assert_int_equal(hone_params_add_adapter(t.m->params, &spec), 0);
    hone_params_freeze_base(t.m->params);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, b, NULL, lp); /* B is zero: the same function */
    if (init != HONE_LORA_INIT_PRINCIPAL)
        assert_bits(base, lp, (size_t)f.n_targets);
    for (int64_t k = 0; k < f.n_targets; k++) /* PiSSA: it is subtracted again */
        assert_true(fabs((double)lp[k] - (double)base[k]) < 2e-5);
    randomise_adapter(t.m);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, b, NULL, on);
    for (int64_t k = 0; k < f.n_targets; k++)
        differ = fmax(differ, fabs((double)on[k] - (double)base[k]));
    assert_true(differ > 0.01);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, b, &off, lp);
    assert_bits(base, lp, (size_t)f.n_targets);

    sum = hone_params_checksum(t.m->params);
    g = grads_of(t.m, tape, &f, 0, NULL, lp, &n);
    assert_bits(on, lp, (size_t)f.n_targets);
    assert_true(hone_params_checksum(t.m->params) == sum);
    for (hone_param i = 0; i < hone_params_count(t.m->params); i++) {
        const hone_param_item *it = hone_params_item(t.m->params, i);
        if (it->adapter < 0 || it->fixed)
            assert_null(it->grad);
        else
            check_direction(t.m, &f, it, g + it->flat, NULL);
    }
    h = grads_of(t.m, tape, &f, 100, NULL, lp, &n);
    assert_bits(g, h, n);

    assert_ok(hone_model_copy(t.m, &merged));
    assert_true(hone_params_checksum(merged->params) == sum);
    merge(merged->params);
    hone_params_set_active(merged->params, 0);
    model_logprobs(merged, tape, HONE_MODE_SCORE, b, NULL, lp);
    for (int64_t k = 0; k < f.n_targets; k++)
        worst = fmax(worst, fabs((double)on[k] - (double)lp[k]));
    assert_true(worst < 1e-4);
    hone_model_destroy(merged);
    free(g);
    free(h);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_adapters(void **state)
{
    (void)state;
    check_adapters(TIED, 0, 0);
    check_adapters(TIED, HONE_LORA_RANK_STABLE, 0);
    check_adapters(shapes[9], 0, 0); /* q, k, v in one matrix: one adapter for the roles it has */
    check_adapters(RECURRENT, 0, 0); /* some of the usual roles */
}

/* Differences are taken with the norms as they were before, which is what the paper's gradient is of. */
static void test_adapters_with_magnitudes(void **state)
{
    (void)state;
    check_adapters(TIED, HONE_LORA_DORA, 0);
    check_adapters(shapes[2], HONE_LORA_DORA, 0); /* with biases */
    check_adapters(shapes[9], HONE_LORA_DORA | HONE_LORA_RANK_STABLE, 0);
}

static void test_adapters_that_start_from_singular_vectors(void **state)
{
    (void)state;
    check_adapters(TIED, 0, HONE_LORA_INIT_PRINCIPAL);
    check_adapters(shapes[2], HONE_LORA_DORA, HONE_LORA_INIT_PRINCIPAL);
}

/* ---- steady state ---------------------------------------------------------------------------- */
static void check_a_second_step_allocates_nothing(const char *json)
{
    test_model t = random_model(json);
    size_t blocks, after, n;
    hone_tape_stats s1, s2;
    hone_forest f;
    float *g;
    build_shared(t.m, &f);
    g = grads_of(t.m, tape, &f, 200, NULL, NULL, &n);
    free(g);
    hone_alloc_stats(&blocks, NULL);
    hone_tape_get_stats(tape, &s1);
    hone_alloc_fail_after(1, 1);
    g = grads_of(t.m, tape, &f, 200, NULL, NULL, &n);
    hone_alloc_fail_after(0, 0);
    hone_alloc_stats(&after, NULL);
    hone_tape_get_stats(tape, &s2);
    assert_int_equal(blocks, after);
    assert_int_equal(s1.plan_misses, s2.plan_misses);
    assert_true(s2.plan_hits > s1.plan_hits);
    assert_int_equal(s1.arena_bytes, s2.arena_bytes);
    assert_true(s2.flops > 0);
    free(g);
    hone_forest_release(&f);
    model_close(&t);
}

static void test_a_second_step_allocates_nothing(void **state)
{
    (void)state;
    for (int j = 0; j < FEW; j++)
        check_a_second_step_allocates_nothing(few[j]);
}

/* ---- configurations -------------------------------------------------------------------------- */
#define SMALL                                                                                      \
    "\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":56,\"num_hidden_layers\":"  \
    "1,"                                                                                           \
    "\"num_attention_heads\":4,\"vocab_size\":97"
/* What is written for a configuration reads back to the same one. */
static void test_config_json_reads_back(void **state)
{
    static const char *const jsons[] = {
        "{" SMALL
        ",\"eos_token_id\":[1,2],\"bos_token_id\":7,\"rope_theta\":12345.5,\"rope_scaling\":"
        "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
        "\"original_max_position_embeddings\":64}}"};
    (void)state;
    for (int i = 0; i < SHAPES + 1; i++) {
        test_model a = model_random_in(registry, i < SHAPES ? shapes[i] : jsons[0], 1), b;
        hone_str x, y;
        char text[4096];
        assert_ok(hone_model_config_json(a.m, &x));
        snprintf(text, sizeof text, "%.*s", (int)x.len, x.ptr);
        b = model_random_in(registry, text, 1);
        assert_ok(hone_model_config_json(b.m, &y));
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.ptr, y.ptr, x.len);
        assert_true(hone_params_checksum(a.m->params) == hone_params_checksum(b.m->params));
        model_close(&a);
        model_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_op_pack_comes_with_a_model_and_goes_with_its_registry),
        cmocka_unit_test(test_gradients_match_differences),
        cmocka_unit_test(test_shared_prompts_change_no_bit_of_logprobs),
        cmocka_unit_test(test_micro_batches_change_no_bit_of_gradients),
        cmocka_unit_test(test_checkpointing_changes_no_bit),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_products_of_one_input_are_one_job_with_the_same_bits),
        cmocka_unit_test(test_kernel_sets_change_no_bit),
        cmocka_unit_test(test_modes_give_the_same_bits),
        cmocka_unit_test(test_decoding_together_gives_the_same_bits),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_adapters_with_magnitudes),
        cmocka_unit_test(test_adapters_that_start_from_singular_vectors),
        cmocka_unit_test(test_a_second_step_allocates_nothing),
        cmocka_unit_test(test_config_json_reads_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
