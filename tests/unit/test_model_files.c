/* test_model_files.c - a model written as a Hugging Face folder, from memory or straight from its GGUF file
 * (rotary rows permuted), is the same model: its logits have the same bits. That the numbers are right is
 * test_model_goldens.c's business. */
#include "hone/plugin.h" /* before cmocka, which has a macro of the name of host->fail */

#include "support.h"

#include "nn/choose.h"
#include "nn/forest.h"
#include "nn/hf.h"
#include "nn/safetensors.h"
#include "tensor/pool.h"

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

/* Logits of every position of one text. */
static void run_text(loaded *l, const int32_t *ids, int64_t n, float *logits)
{
    hone_forest f;
    hone_forest_init(&f);
    int32_t segment = hone_forest_segment(&f, -1, ids, n);
    assert_true(segment >= 0);
    for (int64_t r = 0; r < n; r++)
        assert_ok(hone_forest_logits(&f, r));
    const hone_batch *batch = hone_forest_build(&f);
    assert_non_null(batch);
    assert_ok(hone_model_begin(l->m, l->tape, HONE_MODE_SCORE, batch, NULL));
    hone_tensor h = hone_model_hidden(l->m, l->tape);
    hone_tensor lg = hone_model_logits(l->m, l->tape, h);
    hone_tape_keep(l->tape, lg);
    assert_ok(hone_tape_forward(l->tape));
    hone_view v = hone_tape_value(l->tape, lg);
    assert_int_equal(v.cols, l->m->info.vocab_size);
    for (int64_t r = 0; r < n; r++)
        memcpy(logits + r * v.cols, (const float *)v.data + r * v.ld,
               (size_t)v.cols * sizeof *logits);
    hone_forest_release(&f);
}

static void test_written_and_converted_models_give_the_same_bits(void **state)
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
    run_text(&l, ids, N, got);
    /* written as a Hugging Face folder and read again: the same bits */
    const char *dir = scratch_path("stories-hf");
    hone_hf_options o = {.type = HONE_FT_F32, .like = l.w};
    assert_ok(hone_hf_write(dir, l.m, &o));
    close_model(&l);
    open_model(dir, &l);
    run_text(&l, ids, N, expected);
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
    run_text(&l, ids, N, expected);
    assert_memory_equal(expected, got, N * V * sizeof(float));
    close_model(&l);
    hone_safetensors_release(&want);
    free(expected);
    free(got);
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
        cmocka_unit_test(test_written_and_converted_models_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
