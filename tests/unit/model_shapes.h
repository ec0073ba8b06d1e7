/* model_shapes.h - one small model of each shape, with random parameters, for tests that hold for every model.
 *
 * Beside the shipped architectures there is one with recurrent state, from a plugin that is compiled when the test
 * begins (plugins/recurrent.c). Also what those tests share: pools of several sizes, a tape, numbers made of
 * nothing, feeding tokens to a sequence. Not for tests of files: those have models.h. */
#ifndef HONE_TESTS_MODEL_SHAPES_H
#define HONE_TESTS_MODEL_SHAPES_H
#include "models.h"
#include "plugins.h"

#include "base/rng.h"

#define TIED                                                                                       \
    "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":56,\"num_hidden_layers\":" \
    "3,"                                                                                           \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,\"vocab_size\":97,"       \
    "\"tie_word_embeddings\":true,\"rms_norm_eps\":1e-5}"
#define UNTIED                                                                                     \
    "{\"model_type\":\"qwen2\",\"hidden_size\":48,\"intermediate_size\":40,\"num_hidden_layers\":" \
    "2,"                                                                                           \
    "\"num_attention_heads\":3,\"num_key_value_heads\":3,\"vocab_size\":65,"                       \
    "\"tie_word_embeddings\":false,\"rms_norm_eps\":1e-6}"

/* plugins/recurrent.c: state that is no keys and values, ops from a pack */
#define RECURRENT                                                                                  \
    "{\"model_type\":\"test_decay\",\"hidden_size\":40,\"inner_size\":72,\"num_hidden_layers\":3," \
    "\"vocab_size\":83,\"max_position_embeddings\":4096}"
#define SIZES                                                                                      \
    "\"hidden_size\":32,\"intermediate_size\":40,\"num_attention_heads\":4,\"vocab_size\":61,"     \
    "\"num_hidden_layers\":3,\"num_key_value_heads\":2,"
/* One of each shape, with all that it may have. */
static const char *const shapes[] = {
    TIED,
    UNTIED,
    "{\"model_type\":\"mistral\"," SIZES "\"head_dim\":12,\"sliding_window\":21}",
    "{\"model_type\":\"llama\"," SIZES "\"attention_bias\":true,\"mlp_bias\":true,"
    "\"max_position_embeddings\":40,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":3}}",
    "{\"model_type\":\"llama\"," SIZES "\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":8,"
    "\"rope_theta\":5000.0,\"original_max_position_embeddings\":16}}",
    "{\"model_type\":\"qwen3\"," SIZES "\"head_dim\":16,\"attention_bias\":true,"
    "\"use_sliding_window\":true,\"sliding_window\":9,\"max_window_layers\":1}",
    "{\"model_type\":\"gemma\"," SIZES "\"head_dim\":16}",
    "{\"model_type\":\"gemma2\"," SIZES "\"head_dim\":16,\"query_pre_attn_scalar\":24,"
    "\"sliding_window\":20,\"attn_logit_softcapping\":4.0,\"final_logit_softcapping\":3.0}",
    "{\"model_type\":\"gemma3_text\"," SIZES "\"head_dim\":16,\"sliding_window\":33,"
    "\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\"],"
    "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"linear\",\"factor\":8.0},"
    "\"sliding_attention\":{\"rope_theta\":500.0}}}",
    "{\"model_type\":\"phi3\"," SIZES "\"partial_rotary_factor\":0.5,\"sliding_window\":70,"
    "\"max_position_embeddings\":4096,\"original_max_position_embeddings\":1024,\"rope_scaling\":"
    "{\"type\":\"longrope\",\"short_factor\":[1.0,1.5],\"long_factor\":[2.0,9.0]}}",
    "{\"model_type\":\"smollm3\"," SIZES "\"no_rope_layers\":[1,0,1],\"use_sliding_window\":true,"
    "\"sliding_window\":17}",
    "{\"model_type\":\"olmo2\"," SIZES "\"attention_bias\":true}",
    "{\"model_type\":\"olmo3\"," SIZES "\"sliding_window\":13,\"layer_types\":"
    "[\"sliding_attention\",\"full_attention\",\"full_attention\"],\"rope_scaling\":"
    "{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":32}}",
    "{\"model_type\":\"granite\"," SIZES "\"embedding_multiplier\":3.0,\"logits_scaling\":2.0,"
    "\"residual_multiplier\":0.7,\"attention_multiplier\":0.2}",
    RECURRENT,
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };
/* Where not all are needed. */
static const char *const few[] = {TIED, UNTIED, RECURRENT};
enum { FEW = sizeof few / sizeof few[0] };

static hone_registry *registry; /* shipped plugins and recurrent.c */
static const char *registry_path;
static hone_pool *pool, *pool1, *pool3;
static hone_tape *tape;

static inline int setup(void **state)
{
    const char *paths[3] = {hone_paths_plugins(), NULL, NULL};
    hone_registry_opts o = {.paths = paths, .only_paths = 1, .in_process = 1, .seed = 7};
    (void)state;
    registry_path = paths[1] = compile_plugin(
        "tests/unit/plugins/recurrent.c", "-O2 -ffp-contract=off", "model_plugins", "recurrent");
    assert_ok(hone_registry_open(&o, &registry));
    assert_ok(hone_pool_create(2, &pool));
    assert_ok(hone_pool_create(1, &pool1));
    assert_ok(hone_pool_create(3, &pool3));
    assert_ok(hone_tape_create(hone_pool_exec(pool), &tape));
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    hone_tape_destroy(tape);
    hone_pool_destroy(pool);
    hone_pool_destroy(pool1);
    hone_pool_destroy(pool3);
    hone_registry_close(components_registry);
    hone_registry_close(registry);
    return 0;
}

/* Pseudo-random numbers of a test: a function of (what, i). */
static inline uint32_t bits(uint64_t what, uint64_t i)
{
    hone_rng_key k = {what, HONE_RNG_USER, 0, 0, 0};
    return hone_rng_u32(&k, i);
}

static inline float centred(uint64_t what, uint64_t i)
{
    return (float)bits(what, i) / 2147483648.0f - 1.0f;
}

static inline void random_ids(const hone_model *m, uint64_t what, int64_t n, int32_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (int32_t)(bits(what, (uint64_t)i) % (uint32_t)m->info.vocab_size);
}

/* Random parameters at a scale that makes logits matter (0.02 would leave softmax nearly
 * uniform). */
static inline test_model random_model(const char *json)
{
    test_model t = model_random_in(registry, json, 5);
    for (hone_param i = 0; i < hone_params_count(t.m->params); i++) {
        const hone_param_item *it = hone_params_item(t.m->params, i);
        float *row = malloc((size_t)it->cols * sizeof *row);
        for (int64_t r = 0; r < it->rows; r++) {
            for (int64_t c = 0; c < it->cols; c++) {
                float v = centred((uint64_t)i + 100, (uint64_t)(r * it->cols + c));
                row[c] = it->init == HONE_INIT_ONE ? 1.0f + 0.3f * v : 0.25f * v;
            }
            assert_ok(hone_params_set_rows(t.m->params, i, r, 1, row));
        }
        free(row);
    }
    return t;
}

static inline void assert_bits(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            fail_with("element %zu of %zu: %.9g and %.9g", i, n, (double)a[i], (double)b[i]);
}

struct steps {
    hone_model *m;
    hone_state *st;
    float *out;
};

/* Feeds tokens [from, to) of ids to a sequence in one batch; log-probs of the next token of each go
 * to out. */
static inline void feed(struct steps *s, hone_seq q, const int32_t *ids, int from, int to, int len,
                        float *out)
{
    int32_t next[256];
    hone_seq_step step = {q, to - from, ids + from, next, HONE_LOGITS_NONE, 0};
    const hone_batch *b;
    float lp[256];
    int k = 0;
    for (int i = from; i < to; i++)
        next[i - from] = i + 1 < len ? ids[i + 1] : -1;
    assert_ok(hone_state_batch(s->st, &step, 1, &b));
    model_logprobs(s->m, tape, to - from == 1 ? HONE_MODE_DECODE : HONE_MODE_PREFILL, b, NULL, lp);
    hone_state_commit(s->st);
    for (int i = from; i < to; i++)
        if (next[i - from] >= 0)
            out[i + 1] = lp[k++];
}
#endif
