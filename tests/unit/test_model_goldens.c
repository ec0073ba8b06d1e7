/* test_model_goldens - models against values that another implementation computed (see
 * shared/README.md). */
#include "models.h"

#include "base/file.h"
#include "nn/safetensors.h"

static hone_pool *pool;
static hone_tape *tape;

static int setup(void **state)
{
    (void)state;
    assert_ok(hone_pool_create(2, &pool));
    assert_ok(hone_tape_create(hone_pool_exec(pool), &tape));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hone_tape_destroy(tape);
    hone_pool_destroy(pool);
    hone_registry_close(components_registry);
    return 0;
}

static size_t read_ids(const hone_value *v, int32_t *out, size_t max)
{
    size_t n = v->u.list.n;
    assert_true(v->type == HONE_LIST && n <= max);
    for (size_t i = 0; i < n; i++)
        out[i] = (int32_t)v->u.list.items[i].u.i64;
    return n;
}

static double number(const hone_value *v)
{
    return v->type == HONE_I64 ? (double)v->u.i64 : v->u.f64;
}

/* 24 greedy ids after the first `prompt` ids, by PREFILL and DECODE on a sequence state. */
static void greedy(hone_model *m, const int32_t *ids, int32_t prompt, size_t n, int32_t *out)
{
    hone_state *st;
    hone_seq q;
    assert_ok(hone_state_create(&m->info, 0, &st));
    q = hone_seq_create(st);
    assert_true(q >= 0);
    for (size_t i = 0; i < n; i++) {
        hone_seq_step step = {q, i ? 1 : prompt, i ? &out[i - 1] : ids, NULL, HONE_LOGITS_LAST, 0};
        const hone_batch *b;
        hone_tensor h, z;
        const float *logits;
        assert_ok(hone_state_batch(st, &step, 1, &b));
        assert_ok(hone_model_begin(m, tape, i ? HONE_MODE_DECODE : HONE_MODE_PREFILL, b, NULL));
        h = hone_model_hidden(m, tape);
        z = hone_model_logits(m, tape, h);
        assert_ok(hone_tape_forward(tape));
        hone_state_commit(st);
        logits = hone_tape_value(tape, z).data;
        out[i] = 0;
        for (int32_t v = 1; v < (int32_t)m->info.vocab_size; v++)
            if (logits[v] > logits[out[i]])
                out[i] = v;
    }
    hone_state_destroy(st);
}

static void check_tiny(const char *name)
{
    char rel[160];
    const char *path, *expected;
    int32_t ids[512], want[64], got[64];
    float lp[512], w[512];
    hone_arena arena;
    hone_value v;
    hone_forest f;
    const hone_batch *b;
    const hone_value *a;
    size_t n, n_greedy;
    double worst = 0.0, norm, loss = 0.0;
    test_model t;
    snprintf(rel, sizeof rel, "assets/models/tiny-random/%s/expected.json", name);
    expected = shared_path(rel);
    if (!expected)
        skip_without(rel);
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse_file(expected, 0, &arena, &v));
    snprintf(rel, sizeof rel, "assets/models/tiny-random/%s", name);
    path = shared_path(rel);
    t = model_open(path, pool);
    n = read_ids(hone_value_get(&v, "ids"), ids, 512);

    hone_forest_init(&f);
    assert_int_equal(hone_forest_segment(&f, -1, ids, (int64_t)n), 0);
    assert_int_equal(hone_forest_targets(&f, 0, 1, (int64_t)n - 1), 0);
    b = hone_forest_build(&f);
    assert_non_null(b);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, b, NULL, lp);
    a = hone_value_get(&v, "logprobs");
    assert_int_equal(a->u.list.n, n - 1);
    for (size_t i = 0; i + 1 < n; i++)
        worst = fmax(worst, fabs((double)lp[i] - number(&a->u.list.items[i])));
    print_message("%s: log-probs differ by at most %.2g\n", name, worst);
    assert_true(worst <= 2e-5);

    for (size_t i = 0; i + 1 < n; i++)
        w[i] = -1.0f / (float)(n - 1);
    assert_ok(hone_params_need_grads(t.m->params, NULL));
    hone_params_zero_grads(t.m->params);
    model_grads(t.m, tape, b, NULL, w, lp);
    assert_ok(hone_tape_finish_grads(tape));
    for (size_t i = 0; i + 1 < n; i++)
        loss -= (double)lp[i] / (double)(n - 1);
    norm = sqrt(hone_params_grad_sq(t.m->params));
    print_message("%s: loss %.7f, gradient norm %.7f (%.7f)\n", name, loss, norm,
                  number(hone_value_get(&v, "grad_norm")));
    assert_true(fabs(loss - number(hone_value_get(&v, "loss"))) <= 2e-5);
    assert_true(fabs(norm / number(hone_value_get(&v, "grad_norm")) - 1.0) <= 1e-4);

    n_greedy = read_ids(hone_value_get(&v, "greedy24_from_first16"), want, 64);
    greedy(t.m, ids, 16, n_greedy, got);
    for (size_t i = 0; i < n_greedy; i++)
        assert_int_equal(got[i], want[i]);
    hone_forest_release(&f);
    hone_arena_release(&arena);
    model_close(&t);
}

/* Every folder of the material. */
static void test_tiny_random_models(void **state)
{
    const char *folder = shared_path("assets/models/tiny-random");
    char **names;
    size_t n;
    (void)state;
    if (!folder)
        skip_without("assets/models/tiny-random");
    assert_ok(hone_list_dir(folder, &names, &n));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        check_tiny(names[i]);
    hone_names_free(names, n);
}

/* ---- stories260K: GGUF, q and k permuted ----------------------------------------------------- */
/* Values of a float64 run of the same network, rounded, for 36 tokens. */
static void test_stories260k_logits(void **state)
{
    const char *model = shared_path("assets/models/stories260K/stories260K.gguf");
    const hone_file_tensor *ids, *want;
    const hone_batch *b;
    hone_safetensors st;
    hone_forest f;
    hone_tensor h, z;
    test_model t;
    int32_t tokens[64];
    int64_t long_ids[64];
    float *rows;
    const float *got;
    double worst = 0.0;
    (void)state;
    if (!model)
        skip_without("assets/models/stories260K");
    t = model_open(model, pool);
    assert_ok(hone_safetensors_open(
        &st, shared_path("assets/models/stories260K/logits_run.c_36x512.safetensors")));
    ids = hone_safetensors_find(&st, hone_str_c("tokens"));
    want = hone_safetensors_find(&st, hone_str_c("logits_f64_rounded"));
    assert_true(ids && want && ids->rows == 36 && want->rows == 36 && want->cols == 512);
    memcpy(long_ids, ids->data, 36 * sizeof *long_ids);
    for (int i = 0; i < 36; i++)
        tokens[i] = (int32_t)long_ids[i];
    hone_forest_init(&f);
    assert_int_equal(hone_forest_segment(&f, -1, tokens, 36), 0);
    for (int i = 0; i < 36; i++)
        assert_ok(hone_forest_logits(&f, i));
    b = hone_forest_build(&f);
    assert_ok(hone_model_begin(t.m, tape, HONE_MODE_SCORE, b, NULL));
    h = hone_model_hidden(t.m, tape);
    z = hone_model_logits(t.m, tape, h);
    assert_ok(hone_tape_forward(tape));
    got = hone_tape_value(tape, z).data;
    rows = malloc((size_t)36 * 512 * sizeof *rows);
    hone_file_tensor_read(want, 0, (int64_t)36 * 512, rows);
    for (int i = 0; i < 36 * 512; i++) { /* not fmax: gcc 12 for AArch64 dies of it */
        const double off = fabs((double)got[i] - (double)rows[i]);
        worst = off > worst ? off : worst;
    }
    print_message("stories260K: logits differ by at most %.2g\n", worst);
    assert_true(worst <= 3e-5);
    free(rows);
    hone_safetensors_release(&st);
    hone_forest_release(&f);
    model_close(&t);
}

/* ---- SmolLM2-135M-Instruct, Q4_1 ------------------------------------------------------------- */
/* A model that scripts/fetch-model has put there, or NULL. */
static const char *fetched(const char *name)
{
    static char path[PATH_MAX];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache)
        snprintf(path, sizeof path, "%s/hone/models/%s", cache, name);
    else
        snprintf(path, sizeof path, "%s/.cache/hone/models/%s", home ? home : "", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

static void check_text(hone_model *m, const hone_value *text)
{
    int32_t ids[512], want[64], got[64];
    float lp[512];
    size_t n = read_ids(hone_value_get(text, "ids"), ids, 512), n_greedy;
    const hone_value *a = hone_value_get(text, "logprobs");
    const hone_value *top = hone_value_get(text, "last_logits_top10");
    double worst = 0.0, worst_top = 0.0;
    const hone_batch *b;
    const float *logits;
    hone_tensor h, lpt, z;
    hone_forest f;
    hone_forest_init(&f);
    assert_int_equal(hone_forest_segment(&f, -1, ids, (int64_t)n), 0);
    assert_int_equal(hone_forest_targets(&f, 0, 1, (int64_t)n - 1), 0);
    assert_ok(hone_forest_logits(&f, (int64_t)n - 1));
    b = hone_forest_build(&f);
    assert_ok(hone_model_begin(m, tape, HONE_MODE_SCORE, b, NULL));
    h = hone_model_hidden(m, tape);
    lpt = hone_model_logprob(m, tape, h, 1.0f, NULL);
    z = hone_model_logits(m, tape, h);
    assert_ok(hone_tape_forward(tape));
    memcpy(lp, hone_tape_value(tape, lpt).data, (n - 1) * sizeof *lp);
    logits = hone_tape_value(tape, z).data;
    for (size_t i = 0; i + 1 < n; i++)
        worst = fmax(worst, fabs((double)lp[i] - number(&a->u.list.items[i])));
    for (size_t i = 0; i < top->u.list.n; i++) {
        const hone_value *pair = &top->u.list.items[i];
        double z0 = number(&pair->u.list.items[1]);
        worst_top = fmax(worst_top, fabs((double)logits[pair->u.list.items[0].u.i64] - z0));
    }
    print_message("SmolLM2, %zu tokens: log-probs differ by at most %.2g, top logits by %.2g\n", n,
                  worst, worst_top);
    assert_true(worst <= 2e-4 && worst_top <= 1e-3);
    n_greedy = read_ids(hone_value_get(text, "greedy32_ids"), want, 64);
    greedy(m, ids, (int32_t)n, n_greedy, got);
    for (size_t i = 0; i < n_greedy; i++)
        assert_int_equal(got[i], want[i]);
    hone_forest_release(&f);
}

static void test_smollm2_texts(void **state)
{
    const char *golden = shared_path("goldens/smollm2.json"),
               *model = fetched("smollm2-135m-instruct");
    const hone_value *texts;
    hone_arena arena;
    hone_value v;
    test_model t;
    (void)state;
    if (!golden || !model)
        skip_without("smollm2-135m-instruct or its goldens");
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse_file(golden, 0, &arena, &v));
    t = model_open(model, pool);
    texts = hone_value_get(&v, "texts");
    for (size_t i = 0; i < texts->u.list.n; i++)
        check_text(t.m, &texts->u.list.items[i]);
    model_close(&t);
    hone_arena_release(&arena);
}

/* ---- Gemma 3 270M, Q4_K_M -------------------------------------------------------------------- */
/* "The capital of France is Paris", by transformers 5.23 on the weights that the gguf package dequantises, in float32. */
static void test_gemma3_270m(void **state)
{
    static const int32_t ids[] = {2, 818, 5279, 529, 7001, 563, 9079};
    static const double want[] = {-2.93739, -9.66311, -0.86597, -5.11183, -1.35206, -2.47683};
    static const int32_t follows[] = {236761, 1030, 563,    506,  1346,   13896, 3207, 528,
                                      506,    1902, 236761, 1030, 563,    506,   1346, 13896,
                                      3207,   528,  506,    1902, 236761, 1030,  563,  506};
    enum { N = 7, NEXT = 24 };
    const char *model = fetched("gemma-3-270m");
    int32_t got[NEXT];
    float lp[N];
    hone_forest f;
    test_model t;
    (void)state;
    if (!model)
        skip_without("gemma-3-270m");
    t = model_open(model, pool);
    hone_forest_init(&f);
    assert_int_equal(hone_forest_segment(&f, -1, ids, N), 0);
    assert_int_equal(hone_forest_targets(&f, 0, 1, N - 1), 0);
    model_logprobs(t.m, tape, HONE_MODE_SCORE, hone_forest_build(&f), NULL, lp);
    for (int i = 0; i + 1 < N; i++)
        if (!(fabs((double)lp[i] - want[i]) <= 2e-4))
            fail_with("token %d: %.6f, not %.6f", i + 1, (double)lp[i], want[i]);
    greedy(t.m, ids, N, NEXT, got);
    for (int i = 0; i < NEXT; i++)
        assert_int_equal(got[i], follows[i]);
    hone_forest_release(&f);
    model_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_random_models),
        cmocka_unit_test(test_stories260k_logits),
        cmocka_unit_test(test_smollm2_texts),
        cmocka_unit_test(test_gemma3_270m),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
