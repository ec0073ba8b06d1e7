/* test.c - @name@ under the SDK's test host: what it answers for, what it declares, what it refuses. */
#include "hone/testing.h"

static hone_status failed;
static hone_model_info said;
static int n_params;
static hone_param param(const hone_store_v1 *store, const hone_param_spec *s)
{
    (void)store;
    HONE_CHECK(s->name && s->role && s->rows > 0);
    return n_params++;
}
static void info(const hone_store_v1 *store, const hone_model_info *i)
{
    (void)store;
    said = *i;
}
static hone_status fail_text(const hone_store_v1 *store, hone_status s, hone_str text)
{
    (void)store;
    HONE_CHECK(text.len > 0);
    return failed = s;
}
static void used_key(const hone_store_v1 *store, const char *key)
{
    (void)store;
    HONE_CHECK(key[0] != 0);
}

int main(void)
{
    hone_test t;
    if (!hone_test_begin(&t, "@name@", NULL))
        return hone_test_result();
    const hone_model_v1 *m = hone_test_iface(&t, HONE_IFACE_MODEL);
    if (!HONE_CHECK(m != NULL))
        return hone_test_result();
    hone_pair pairs[3] = {
        {hone_str_c("model_type"), {.type = HONE_STRING, .u.str = hone_str_c("@name@")}},
        {hone_str_c("vocab_size"), {.type = HONE_I64, .u.i64 = 512}},
        {hone_str_c("hidden_size"), {.type = HONE_I64, .u.i64 = 32}}};
    hone_value config = {.type = HONE_MAP, .u.map = {pairs, 3}};
    const hone_store_v1 store = {sizeof store, 0, NULL, param, info, fail_text, used_key};
    HONE_CHECK(m->probe(t.self, hone_str_c("hf"), &config) == 100);
    HONE_CHECK(m->probe(t.self, hone_str_c("gguf"), &config) == 0);
    HONE_CHECK(m->declare(t.self, hone_str_c("hf"), &config, &store) == HONE_OK);
    HONE_CHECK(n_params == 3 && said.vocab_size == 512 && said.hidden == 32);
    HONE_CHECK(m->config_json(t.self).len > 0);
    pairs[1].value.u.i64 = -1;
    HONE_CHECK(m->declare(t.self, hone_str_c("hf"), &config, &store) == HONE_E_INVALID);
    pairs[0].value.u.str = hone_str_c("llama");
    HONE_CHECK(m->probe(t.self, hone_str_c("hf"), &config) == 0);
    hone_test_end(&t);
    (void)failed;
    return hone_test_result();
}
