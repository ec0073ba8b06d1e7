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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_configurations_are_refused_by_name)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
