/* test_model_files.c - models as files give the numbers their reference implementations give.
 *
 * stories260K (GGUF, rotary rows permuted): logits of llama2.c at 36 positions. SmolLM2-135M-Instruct
 * (GGUF Q4_1): log-probs and logits of transformers. A converted model gives the same bits as the one it was
 * made of. (Random models in safetensors: test_model_goldens.c.) */
#include "hone/plugin.h" /* before cmocka, which has a macro of the name of host->fail */

#include "support.h"

#include "base/json.h"
#include "nn/choose.h"
#include "nn/forest.h"
#include "nn/hf.h"
#include "nn/safetensors.h"
#include "tensor/pool.h"

#include <math.h>

static hone_pool *pool;
static hone_registry *registry;

typedef struct loaded {
    hone_weights *w;
    hone_instance *inst;
    hone_model *m;
    hone_tape *tape;
} loaded;

static void open_model(const char *path, loaded *l)
{
    hone_tensor_reader r;
    assert_ok(hone_weights_open(path, 0, &l->w));
    assert_ok(hone_model_choose(registry, hone_weights_format(l->w), hone_weights_config(l->w),
                                path, 0, &l->inst, &l->m));
    hone_weights_reader(l->w, &r);
    assert_ok(hone_model_load(l->m, &r, hone_pool_exec(pool)));
    assert_ok(hone_tape_create(hone_pool_exec(pool), &l->tape));
}
static void close_model(loaded *l)
{
    hone_tape_destroy(l->tape);
    hone_model_destroy(l->m);
    hone_instance_unref(l->inst);
    hone_weights_close(l->w);
}

/* Log-probs of ids[1 ..] (may be NULL) and logits (n_logits rows from row `from`) of one text. */
static void run_text(loaded *l, const int32_t *ids, int64_t n, float *logprobs, int64_t from,
                     float *logits)
{
    hone_forest f;
    hone_forest_init(&f);
    int32_t segment = hone_forest_segment(&f, -1, ids, n);
    assert_true(segment >= 0);
    if (logprobs)
        assert_true(hone_forest_targets(&f, segment, 1, n - 1) == 0);
    for (int64_t r = from; r < n; r++)
        assert_ok(hone_forest_logits(&f, r));
    const hone_batch *batch = hone_forest_build(&f);
    assert_non_null(batch);
    assert_ok(hone_model_begin(l->m, l->tape, HONE_MODE_SCORE, batch, NULL));
    hone_tensor h = hone_model_hidden(l->m, l->tape), lp = HONE_NONE;
    if (logprobs) {
        lp = hone_model_logprob(l->m, l->tape, h, 1.0f, NULL);
        hone_tape_keep(l->tape, lp);
    }
    hone_tensor lg = hone_model_logits(l->m, l->tape, h);
    hone_tape_keep(l->tape, lg);
    assert_ok(hone_tape_forward(l->tape));
    hone_view v = hone_tape_value(l->tape, lg);
    assert_int_equal(v.cols, l->m->info.vocab_size);
    for (int64_t r = 0; r < n - from; r++)
        memcpy(logits + r * v.cols, (const float *)v.data + r * v.ld,
               (size_t)v.cols * sizeof *logits);
    if (logprobs) {
        v = hone_tape_value(l->tape, lp);
        for (int64_t i = 0; i < n - 1; i++)
            logprobs[i] = ((const float *)v.data)[i * v.ld];
    }
    hone_forest_release(&f);
}

static double number(const hone_value *v)
{
    return v->type == HONE_I64 ? (double)v->u.i64 : v->u.f64;
}

static void test_stories260k_gives_the_logits_of_llama2c(void **state)
{
    (void)state;
    enum { N = 36, V = 512 };
    const char *path = shared_path("assets/models/stories260K/logits_run.c_36x512.safetensors");
    hone_safetensors want;
    int32_t ids[N];
    float tokens[N];
    loaded l;
    if (!path)
        skip_without("assets/models/stories260K");
    assert_ok(hone_safetensors_open(&want, path));
    hone_file_tensor_read(hone_safetensors_find(&want, hone_str_c("tokens")), 0, N, tokens);
    for (int i = 0; i < N; i++)
        ids[i] = (int32_t)tokens[i];
    float *expected = malloc(N * V * sizeof(float)), *got = malloc(N * V * sizeof(float));
    hone_file_tensor_read(hone_safetensors_find(&want, hone_str_c("logits_f64_rounded")), 0, N * V,
                          expected);
    open_model(shared_path("assets/models/stories260K"), &l);
    run_text(&l, ids, N, NULL, 0, got);
    double worst = 0;
    for (int i = 0; i < N * V; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)expected[i]));
    if (!(worst <= 3e-5))
        print_error("largest difference %g\n", worst);
    assert_true(worst <= 3e-5);

    /* written as a Hugging Face folder and read again: the same bits */
    const char *dir = scratch_path("stories-hf");
    hone_hf_options o = {.type = HONE_FT_F32, .like = l.w};
    assert_ok(hone_hf_write(dir, l.m, &o));
    close_model(&l);
    open_model(dir, &l);
    run_text(&l, ids, N, NULL, 0, expected);
    assert_memory_equal(expected, got, N * V * sizeof(float));
    /* and converted straight from the GGUF file, without loading */
    hone_weights *gguf;
    hone_tensor_reader r;
    hone_instance *inst;
    hone_model *empty;
    assert_ok(hone_weights_open(shared_path("assets/models/stories260K"), 0, &gguf));
    assert_ok(hone_model_choose(registry, "gguf", hone_weights_config(gguf), "stories", 0, &inst,
                                &empty));
    hone_weights_reader(gguf, &r);
    hone_hf_options direct = {.type = HONE_FT_F32, .from = &r, .flags = HONE_HF_OVERWRITE};
    assert_ok(hone_hf_write(dir, empty, &direct));
    hone_model_destroy(empty);
    hone_instance_unref(inst);
    hone_weights_close(gguf);
    close_model(&l);
    open_model(dir, &l);
    run_text(&l, ids, N, NULL, 0, expected);
    assert_memory_equal(expected, got, N * V * sizeof(float));
    close_model(&l);
    hone_safetensors_release(&want);
    free(expected);
    free(got);
}

static void test_smollm2_gives_the_logprobs_of_transformers(void **state)
{
    (void)state;
    const char *path = shared_path("goldens/smollm2.json");
    char *model = NULL;
    hone_arena arena;
    hone_value golden;
    loaded l;
    if (!path)
        skip_without("goldens/smollm2.json");
    if (hone_weights_locate("smollm2-135m-instruct", &model) < 0)
        skip_without("the model smollm2-135m-instruct");
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse_file(path, 0, &arena, &golden));
    open_model(model, &l);
    hone_free(model);
    float *logits = malloc(49152 * sizeof *logits);
    const hone_value *texts = hone_value_get(&golden, "texts");
    assert_true(texts->u.list.n >= 5);
    for (size_t t = 0; t < texts->u.list.n; t++) {
        const hone_value *text = &texts->u.list.items[t], *ids = hone_value_get(text, "ids");
        const hone_value *logprobs = hone_value_get(text, "logprobs"),
                         *top = hone_value_get(text, "last_logits_top10");
        int32_t id[64];
        float got[64];
        size_t n = ids->u.list.n;
        assert_true(n <= 64 && logprobs->u.list.n == n - 1);
        for (size_t i = 0; i < n; i++)
            id[i] = (int32_t)ids->u.list.items[i].u.i64;
        run_text(&l, id, (int64_t)n, got, (int64_t)n - 1, logits);
        for (size_t i = 0; i + 1 < n; i++) {
            double want = number(&logprobs->u.list.items[i]);
            if (!(fabs((double)got[i] - want) <= 2e-4))
                print_error("text %zu, log-prob %zu: %g, want %g\n", t, i, (double)got[i], want);
            assert_true(fabs((double)got[i] - want) <= 2e-4);
        }
        for (size_t i = 0; i < top->u.list.n; i++) {
            const hone_value *pair = &top->u.list.items[i];
            double want = number(&pair->u.list.items[1]);
            assert_true(fabs((double)logits[pair->u.list.items[0].u.i64] - want) <= 1e-3);
        }
    }
    free(logits);
    close_model(&l);
    hone_arena_release(&arena);
}

static int set_up(void **state)
{
    (void)state;
    hone_registry_opts none = {0};
    return hone_pool_create(2, &pool) < 0 || hone_registry_open(&none, &registry) < 0;
}
static int tear_down(void **state)
{
    (void)state;
    hone_registry_close(registry);
    hone_pool_destroy(pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories260k_gives_the_logits_of_llama2c),
        cmocka_unit_test(test_smollm2_gives_the_logprobs_of_transformers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
