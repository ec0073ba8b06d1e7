/* test_hf_tokenizer.c - tokenizer.json made from GGUF metadata splits text as the GGUF file's own rules do. */
#include "text_support.h"

#include "base/file.h"
#include "nn/hf.h"

static hone_value text_value(const char *z)
{
    hone_value v = {.type = HONE_STRING};
    v.u.str = hone_str_c(z);
    return v;
}
static hone_value int_value(int64_t x)
{
    hone_value v = {.type = HONE_I64};
    v.u.i64 = x;
    return v;
}
static hone_value list_value(const hone_value *items, size_t n)
{
    hone_value v = {.type = HONE_LIST};
    v.u.list.items = items;
    v.u.list.n = n;
    return v;
}

enum { N_PAIRS = 9 };
/* A small vocabulary; `pre` and `kind` as given. Static storage. */
static hone_value metadata(const char *kind, const char *pre)
{
    static hone_value tokens[6], types[6], merges[2];
    static hone_pair pairs[N_PAIRS];
    static const char *const texts[6] = {"<unk>", "<|end|>", "a", "b", "ab", "<user>"};
    static const int kinds[6] = {2, 3, 1, 1, 1, 4};
    for (int i = 0; i < 6; i++) {
        tokens[i] = text_value(texts[i]);
        types[i] = int_value(kinds[i]);
    }
    merges[0] = text_value("a b");
    pairs[0] = (hone_pair){hone_str_c("tokenizer.ggml.model"), text_value(kind)};
    pairs[1] = (hone_pair){hone_str_c("tokenizer.ggml.pre"), text_value(pre)};
    pairs[2] = (hone_pair){hone_str_c("tokenizer.ggml.tokens"), list_value(tokens, 6)};
    pairs[3] = (hone_pair){hone_str_c("tokenizer.ggml.token_type"), list_value(types, 6)};
    pairs[4] = (hone_pair){hone_str_c("tokenizer.ggml.merges"), list_value(merges, 1)};
    pairs[5] = (hone_pair){hone_str_c("tokenizer.ggml.bos_token_id"), int_value(1)};
    pairs[6] = (hone_pair){hone_str_c("tokenizer.ggml.add_bos_token"),
                           {.type = HONE_BOOL, .u.boolean = 1}};
    pairs[7] = (hone_pair){hone_str_c("tokenizer.chat_template"), text_value("{{ x }}")};
    pairs[8] = (hone_pair){hone_str_c("tokenizer.ggml.eos_token_id"), int_value(77)};
    hone_value m = {.type = HONE_MAP};
    m.u.map.pairs = pairs;
    m.u.map.n = N_PAIRS;
    return m;
}

static void test_rules_and_added_tokens_are_spelled_out(void **state)
{
    (void)state;
    hone_value m = metadata("gpt2", "starcoder"), json;
    hone_buf text;
    hone_arena arena;
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, 1 << 20);
    assert_ok(hone_hf_tokenizer_json(&m, &text));
    assert_ok(hone_json_parse(text.ptr, text.len, "tokenizer.json", &arena, &json));
    const hone_value *added = hone_value_get(&json, "added_tokens");
    assert_int_equal(added->u.list.n, 3);
    assert_int_equal(hone_value_get(&added->u.list.items[2], "id")->u.i64, 5);
    assert_int_equal(hone_value_get(&added->u.list.items[2], "special")->u.boolean, 0);
    assert_int_equal(hone_value_get(&added->u.list.items[1], "special")->u.boolean, 1);
    const hone_value *first =
        &hone_value_path(&json, "pre_tokenizer.pretokenizers")->u.list.items[0];
    assert_true(hone_str_eq(hone_value_get(first, "type")->u.str, "Digits"));
    assert_int_equal(hone_value_path(&json, "model.vocab.ab")->u.i64, 4);
    assert_true(
        hone_str_eq(hone_value_path(&json, "post_processor.type")->u.str, "TemplateProcessing"));
    hone_buf_clear(&text);
    assert_ok(hone_hf_tokenizer_config(&m, &text));
    assert_ok(hone_json_parse(text.ptr, text.len, "tokenizer_config.json", &arena, &json));
    assert_true(hone_str_eq(hone_value_get(&json, "bos_token")->u.str, "<|end|>"));
    assert_null(hone_value_get(&json, "eos_token")); /* an id past the vocabulary is no token */
    assert_true(hone_str_eq(hone_value_get(&json, "chat_template")->u.str, "{{ x }}"));
    hone_buf_release(&text);
    hone_arena_release(&arena);
}

static void test_unknown_rules_are_refused(void **state)
{
    (void)state;
    hone_buf text;
    hone_value m = metadata("gpt2", "martian");
    hone_buf_init(&text, 1 << 20);
    assert_fails(hone_hf_tokenizer_json(&m, &text), HONE_E_UNSUPPORTED, "\"martian\"");
    m = metadata("bert", "default");
    assert_fails(hone_hf_tokenizer_json(&m, &text), HONE_E_UNSUPPORTED, "\"bert\"");
    m = metadata("llama", "default");
    assert_fails(hone_hf_tokenizer_json(&m, &text), HONE_E_PARSE, "a score for each token");
    hone_buf_release(&text);
}

/* Scores: the pair that makes the best token comes first, every way to make it is a merge, and added tokens
 * are made by none. */
static void test_scores_become_merges(void **state)
{
    (void)state;
    static const char *const texts[8] = {"<unk>", "a", "b", "c", "ab", "bc", "abc", "<c>"};
    static const int kinds[8] = {2, 1, 1, 1, 1, 1, 1, 4};
    static const int scores[8] = {0, -9, -9, -9, -2, -1, -3, 0};
    hone_value tokens[8], types[8], score[8];
    for (int i = 0; i < 8; i++) {
        tokens[i] = text_value(texts[i]);
        types[i] = int_value(kinds[i]);
        score[i] = int_value(scores[i]);
    }
    hone_pair pairs[] = {{hone_str_c("tokenizer.ggml.model"), text_value("llama")},
                         {hone_str_c("tokenizer.ggml.tokens"), list_value(tokens, 8)},
                         {hone_str_c("tokenizer.ggml.token_type"), list_value(types, 8)},
                         {hone_str_c("tokenizer.ggml.scores"), list_value(score, 8)}};
    hone_value m = {.type = HONE_MAP};
    m.u.map.pairs = pairs;
    m.u.map.n = 4;
    hone_buf text;
    hone_buf_init(&text, 1 << 20);
    assert_ok(hone_hf_tokenizer_json(&m, &text));
    assert_non_null(strstr(text.ptr, "\"merges\":[[\"b\",\"c\"],[\"a\",\"b\"],[\"a\",\"bc\"],"
                                     "[\"ab\",\"c\"]]"));
    assert_non_null(strstr(text.ptr, "\"unk_token\":\"<unk>\""));
    assert_non_null(strstr(text.ptr, "\"Prepend\""));
    assert_non_null(strstr(text.ptr, "\"content\":\"<c>\""));
    score[3] = text_value("no number");
    hone_buf_clear(&text);
    assert_fails(hone_hf_tokenizer_json(&m, &text), HONE_E_PARSE, "token 3");
    hone_buf_release(&text);
}

/* The real model's metadata, turned into tokenizer.json: every golden text has its golden ids. */
static void test_smollm2_keeps_its_ids(void **state)
{
    (void)state;
    const char *lines = shared_path("goldens/smollm2_tokenizer.jsonl");
    char *model = NULL;
    hone_weights *w;
    if (!lines)
        skip_without("goldens/smollm2_tokenizer.jsonl");
    if (hone_weights_locate("smollm2-135m-instruct", &model) < 0)
        skip_without("the model smollm2-135m-instruct");
    hone_free(model);
    hone_buf text, golden;
    hone_arena arena;
    hone_value json, line;
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, 64 << 20);
    hone_buf_init(&golden, 64 << 20);
    assert_ok(hone_weights_open("smollm2-135m-instruct", HONE_WEIGHTS_NO_TENSORS, &w));
    assert_ok(hone_hf_tokenizer_json(hone_weights_config(w), &text));
    assert_ok(hone_json_parse(text.ptr, text.len, "tokenizer.json", &arena, &json));
    hone_pair pairs[2] = {{hone_str_c("format"), text_value("tokenizer.json")},
                          {hone_str_c("json"), json}};
    hone_value spec = {.type = HONE_MAP};
    spec.u.map.pairs = pairs;
    spec.u.map.n = 2;
    tt_tokenizer tt;
    assert_ok(tt_create(&tt, &spec, 0));
    assert_ok(hone_file_read(lines, golden.max, &golden));
    int n = 0;
    for (char *p = golden.ptr, *end; (end = strchr(p, '\n')) != NULL; p = end + 1, n++) {
        hone_arena one;
        hone_tokens got;
        hone_arena_init(&one, 0);
        hone_tokens_init(&got, 0);
        assert_ok(hone_json_parse(p, (size_t)(end - p), "golden", &one, &line));
        const hone_value *ids = hone_value_get(&line, "ids");
        assert_ok(hone_tokenizer_encode(&tt.t, hone_value_get(&line, "text")->u.str,
                                        HONE_ENCODE_SPECIAL, &got));
        assert_int_equal(got.n, ids->u.list.n);
        for (size_t i = 0; i < got.n; i++)
            assert_int_equal(got.ids[i], ids->u.list.items[i].u.i64);
        hone_tokens_release(&got);
        hone_arena_release(&one);
    }
    assert_true(n > 100);
    tt_destroy(&tt);
    hone_weights_close(w);
    hone_buf_release(&text);
    hone_buf_release(&golden);
    hone_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_and_added_tokens_are_spelled_out),
        cmocka_unit_test(test_unknown_rules_are_refused),
        cmocka_unit_test(test_scores_become_merges),
        cmocka_unit_test(test_smollm2_keeps_its_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
