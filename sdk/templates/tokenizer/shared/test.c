/* test.c - @name@ under the SDK's test host: decoding what was encoded gives the text back. */
#include "hone/testing.h"

static int32_t ids[600];
static size_t n_ids;
static char text[4096];
static size_t n_text;

static hone_status put_ids(const hone_ids_sink *sink, size_t i, const int32_t *got,
                           const hone_span32 *offsets, size_t n)
{
    (void)sink;
    HONE_CHECK(i == 0 && n <= 600);
    for (size_t k = 1; offsets && k < n; k++)
        HONE_CHECK(offsets[k].begin == offsets[k - 1].end);
    if (n)
        memcpy(ids, got, n * sizeof *got);
    n_ids = n;
    return HONE_OK;
}
static hone_status put_text(const hone_text_sink *sink, size_t i, hone_str got)
{
    (void)sink;
    HONE_CHECK(i == 0 && got.len <= sizeof text);
    if (got.len)
        memcpy(text, got.ptr, got.len);
    n_text = got.len;
    return HONE_OK;
}

/* spec = { json = { model = { type = name } } } */
static hone_status begin(hone_test *t, const char *name)
{
    static hone_pair type, model, json;
    static hone_value inner, outer, spec;
    type = (hone_pair){hone_str_c("type"), {.type = HONE_STRING, .u.str = hone_str_c(name)}};
    inner = (hone_value){.type = HONE_MAP, .u.map = {&type, 1}};
    model = (hone_pair){hone_str_c("model"), inner};
    outer = (hone_value){.type = HONE_MAP, .u.map = {&model, 1}};
    json = (hone_pair){hone_str_c("json"), outer};
    spec = (hone_value){.type = HONE_MAP, .u.map = {&json, 1}};
    if (!hone_test_prepare(t, "@name@"))
        return HONE_E_FAIL;
    t->values[0] = &spec;
    return hone_test_create(t);
}

int main(void)
{
    hone_test t;
    HONE_CHECK(begin(&t, "BPE") == HONE_E_UNSUPPORTED); /* left to another component */
    if (!HONE_CHECK(begin(&t, "@name@") == HONE_OK))
        return hone_test_result();
    const hone_tokenizer_v1 *k = hone_test_iface(&t, HONE_IFACE_TOKENIZER);
    if (!HONE_CHECK(k != NULL))
        return hone_test_result();
    const hone_ids_sink to_ids = {sizeof to_ids, 0, NULL, put_ids};
    const hone_text_sink to_text = {sizeof to_text, 0, NULL, put_text};
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    const hone_str in[3] = {{all, 256}, hone_str_c("caf\xc3\xa9 <|end|>"), {"", 0}};
    for (int i = 0; i < 3; i++) {
        HONE_CHECK(k->encode(t.self, &in[i], 1, HONE_ENCODE_SPECIAL | HONE_ENCODE_OFFSETS,
                             &to_ids) == HONE_OK);
        const hone_ids back = {ids, n_ids};
        HONE_CHECK(k->decode(t.self, &back, 1, 0, &to_text) == HONE_OK);
        HONE_CHECK(n_text == in[i].len && (!n_text || memcmp(text, in[i].ptr, n_text) == 0));
    }
    HONE_CHECK(k->encode(t.self, &in[1], 1, HONE_ENCODE_ADD, &to_ids) == HONE_OK);
    HONE_CHECK(ids[n_ids - 1] == k->special(t.self, "eos"));
    const int32_t outside = k->vocab_size(t.self);
    const hone_ids bad = {&outside, 1};
    HONE_CHECK(k->decode(t.self, &bad, 1, 0, &to_text) == HONE_E_RANGE && t.error[0]);
    HONE_CHECK(k->token_bytes(t.self, outside).ptr == NULL);
    HONE_CHECK(k->token_id(t.self, hone_str_c("<|end|>")) == k->special(t.self, "eos"));
    hone_test_end(&t);
    return hone_test_result();
}
