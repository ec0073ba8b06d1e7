/* test_model_config - configurations that no component runs, or not as they say, are refused by the name of
 * what is wrong with them: the architecture, the key, the value. What a right one computes is test_model's. */
#include "models.h"

static hone_status try_config(const char *json)
{
    hone_instance *inst = NULL;
    hone_arena arena;
    hone_value v;
    hone_model *m = NULL;
    hone_status s;
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse(json, strlen(json), "test", &arena, &v));
    s = model_choose("hf", &v, "config.json", &inst, &m);
    if (s >= 0) {
        hone_model_destroy(m);
        hone_instance_unref(inst);
    }
    hone_arena_release(&arena);
    return s;
}

#define SMALL                                                                                      \
    "\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":56,\"num_hidden_layers\":"  \
    "1,"                                                                                           \
    "\"num_attention_heads\":4,\"vocab_size\":97"
static void test_configurations_are_refused_by_name(void **state)
{
    (void)state;
    assert_ok(try_config("{" SMALL "}"));
    assert_fails(try_config("{\"model_type\":\"rwkv\"}"), HONE_E_UNSUPPORTED, "\"rwkv\"");
    assert_fails(try_config("{" SMALL ",\"resid_multiplier\":0.5}"), HONE_E_UNSUPPORTED,
                 "resid_multiplier");
    assert_ok(try_config("{" SMALL ",\"resid_multiplier\":null}"));
    assert_fails(try_config("{" SMALL ",\"rope_scaling\":{\"type\":\"ntk\",\"factor\":4}}"),
                 HONE_E_UNSUPPORTED, "ntk");
    assert_fails(
        try_config("{" SMALL ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2,\"mscale\":3}}"),
        HONE_E_UNSUPPORTED, "rope_scaling.mscale");
    assert_fails(try_config("{" SMALL ",\"hidden_act\":\"gelu\"}"), HONE_E_UNSUPPORTED, "gelu");
    assert_fails(try_config("{" SMALL ",\"num_key_value_heads\":3}"), HONE_E_RANGE,
                 "4 query heads");
    assert_fails(try_config("{" SMALL ",\"num_key_value_heads\":\"x\"}"), HONE_E_TYPE,
                 "num_key_value_heads");
    assert_fails(try_config("{" SMALL ",\"head_dim\":0}"), HONE_E_RANGE, "head_dim");
    assert_fails(try_config("{" SMALL ",\"rms_norm_eps\":-1}"), HONE_E_RANGE, "epsilon");
    assert_fails(try_config("{\"model_type\":\"llama\"}"), HONE_E_INVALID, "hidden_size");
    assert_fails(try_config("{" SMALL ",\"max_position_embeddings\":-5}"), HONE_E_RANGE,
                 "max_position_embeddings");
}

static int teardown(void **state)
{
    (void)state;
    hone_registry_close(components_registry);
    return 0;
}

#define SIZES                                                                                      \
    "\"hidden_size\":32,\"intermediate_size\":40,\"num_attention_heads\":4,\"vocab_size\":61,"     \
    "\"num_hidden_layers\":3,\"num_key_value_heads\":2,"
/* Keys as published files of these models have them; sizes are small ones. */
static void test_published_keys_are_understood(void **state)
{
    static const char *const published[] = {
        "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\"," SIZES
        "\"attention_bias\":false,\"pretraining_tp\":1,\"use_cache\":true,\"torch_dtype\":"
        "\"bfloat16\","
        "\"rope_scaling\":{\"factor\":32.0,\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"
        "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"},\"rope_theta\":500000."
        "0,"
        "\"eos_token_id\":[1,8,9],\"tie_word_embeddings\":true,\"transformers_version\":\"4.45."
        "0\"}",
        "{\"architectures\":[\"Qwen2ForCausalLM\"],\"model_type\":\"qwen2\"," SIZES
        "\"max_window_layers\":21,\"sliding_window\":32768,\"use_sliding_window\":false,"
        "\"use_mrope\":false,\"rope_theta\":1000000.0}",
        "{\"architectures\":[\"Qwen3ForCausalLM\"],\"model_type\":\"qwen3\"," SIZES
        "\"head_dim\":128,\"max_window_layers\":28,\"rope_scaling\":null,\"sliding_window\":null}",
        "{\"architectures\":[\"Gemma2ForCausalLM\"],\"model_type\":\"gemma2\"," SIZES
        "\"hidden_act\":\"gelu_pytorch_tanh\",\"hidden_activation\":\"gelu_pytorch_tanh\","
        "\"cache_implementation\":\"hybrid\",\"sliding_window\":4096,\"sliding_window_size\":4096}",
        "{\"architectures\":[\"Gemma3ForCausalLM\"],\"model_type\":\"gemma3_text\"," SIZES
        "\"attn_logit_softcapping\":null,\"final_logit_softcapping\":null,\"sliding_window_"
        "pattern\":6,"
        "\"query_pre_attn_scalar\":256,\"rope_local_base_freq\":10000,\"rope_theta\":1000000,"
        "\"cache_implementation\":\"hybrid\",\"use_bidirectional_attention\":false}",
        "{\"architectures\":[\"Phi3ForCausalLM\"],\"model_type\":\"phi3\"," SIZES
        "\"auto_map\":{\"AutoConfig\":\"x.Phi3Config\"},\"embd_pdrop\":0.0,\"resid_pdrop\":0.0,"
        "\"full_attn_mod\":1,\"interpolate_factor\":1,\"lm_head_bias\":false,\"mlp_bias\":false,"
        "\"attention_bias\":false,\"partial_rotary_factor\":0.5,\"original_max_position_"
        "embeddings\":4096,"
        "\"max_position_embeddings\":131072,\"sliding_window\":262144,\"rope_scaling\":"
        "{\"long_factor\":[1,2],\"short_factor\":[1,1.5],\"type\":\"longrope\"}}",
        "{\"architectures\":[\"SmolLM3ForCausalLM\"],\"model_type\":\"smollm3\"," SIZES
        "\"max_window_layers\":28,\"no_rope_layer_interval\":4,\"no_rope_layers\":[1,1,0],"
        "\"pretraining_tp\":2,\"use_sliding_window\":false,\"layer_types\":[\"full_attention\","
        "\"full_attention\",\"full_attention\"]}",
        "{\"architectures\":[\"GraniteForCausalLM\"],\"model_type\":\"granite\"," SIZES
        "\"attention_multiplier\":0.015625,\"embedding_multiplier\":12.0,\"logits_scaling\":8.0,"
        "\"residual_multiplier\":0.22,\"mlp_bias\":false,\"attention_dropout\":0.1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_ok(try_config(published[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_configurations_are_refused_by_name),
                                       cmocka_unit_test(test_published_keys_are_understood)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
