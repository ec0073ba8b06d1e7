/* hone's BPE trainer: the reference's merges and vocabulary, determinism, what it refuses, what it makes. */
#include "text_support.h"

#include "base/file.h"
#include "text/bpe_train.h"

static const hone_value *path_at(const hone_value *v, const char *path)
{
    const hone_value *found = hone_value_path(v, path);
    assert_non_null(found);
    return found;
}

static void test_the_reference_merges_and_vocabulary(void **state)
{
    (void)state;
    const char *corpus = shared_path("assets/tokenizers/bpe-training/corpus.en");
    hone_buf text, json, expected;
    hone_arena arena;
    hone_value made, want;
    if (!corpus)
        skip_without("assets/tokenizers/bpe-training");
    hone_buf_init(&text, 1 << 24);
    hone_buf_init(&json, 1 << 24);
    hone_buf_init(&expected, 1 << 24);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_file_read(corpus, 1 << 24, &text), HONE_OK);
    hone_str special = hone_str_c("<|endoftext|>"), texts = hone_buf_str(&text);
    hone_bpe_train_config cfg = {.vocab_size = 500, .special = &special, .n_special = 1};
    hone_bpe_train_info info;
    assert_int_equal(hone_bpe_train(&texts, 1, &cfg, &json, NULL, &info), HONE_OK);
    assert_int_equal(info.vocab_size, 500);
    assert_int_equal(info.n_merges, 243);
    assert_int_equal(hone_json_parse(json.ptr, json.len, "made", &arena, &made), HONE_OK);
    assert_int_equal(
        hone_json_parse_file(
            shared_path("assets/tokenizers/bpe-training/train-bpe-reference-vocab.json"), 0, &arena,
            &want),
        HONE_OK);
    const hone_value *vocab = path_at(&made, "model.vocab"),
                     *merges = path_at(&made, "model.merges");
    assert_int_equal(vocab->u.map.n, want.u.map.n);
    for (size_t i = 0; i < want.u.map.n; i++) {
        const hone_value *id = hone_value_get_str(vocab, want.u.map.pairs[i].key);
        assert_non_null(id);
        assert_int_equal(id->u.i64, want.u.map.pairs[i].value.u.i64);
    }
    assert_int_equal(
        hone_file_read(shared_path("assets/tokenizers/bpe-training/train-bpe-reference-merges.txt"),
                       1 << 20, &expected),
        HONE_OK);
    char *p = expected.ptr;
    for (size_t i = 0; i < merges->u.list.n; i++) {
        char *end = strchr(p, '\n');
        hone_str line = {p, end ? (size_t)(end - p) : strlen(p)};
        assert_true(hone_str_same(line, merges->u.list.items[i].u.str));
        p += line.len + (end != NULL);
    }
    assert_int_equal(*p, 0);
    hone_buf_release(&text);
    hone_buf_release(&json);
    hone_buf_release(&expected);
    hone_arena_release(&arena);
}

/* Trains on `texts` and creates the tokenizer of what came out. */
static void train(const hone_str *texts, size_t n, const hone_bpe_train_config *cfg,
                  hone_arena *arena, tt_tokenizer *t, hone_buf *json)
{
    hone_buf config, all;
    hone_buf_init(&config, 1 << 20);
    hone_buf_init(&all, 1 << 24);
    hone_buf_clear(json);
    assert_int_equal(hone_bpe_train(texts, n, cfg, json, &config, NULL), HONE_OK);
    hone_buf_addf(&all, "{\"format\":\"tokenizer.json\",\"json\":%s,\"config\":%s}", json->ptr,
                  config.ptr);
    hone_status s = tt_create_text(t, arena, all.ptr);
    if (s < 0)
        fprintf(stderr, "%s\n", hone_error_get()->what);
    assert_int_equal(s, HONE_OK);
    hone_buf_release(&config);
    hone_buf_release(&all);
}

#define STR(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const hone_str corpus[] = {
    STR("low low low low low lower lower newest newest newest newest newest newest widest widest "
        "widest"),
    STR("<|im_start|>user 12345 12345 it's it's\n\n  <|im_end|>\xE4\xB8\xAD\xE4\xB8\xAD \xFF")};
static const hone_str specials[] = {STR("<|im_start|>"), STR("<|im_end|>"), STR("<|pad|>")};

static void test_what_is_made_can_be_used(void **state)
{
    (void)state;
    hone_arena arena;
    tt_tokenizer t;
    hone_buf json, text;
    hone_tokens ids;
    hone_arena_init(&arena, 0);
    hone_buf_init(&json, 1 << 24);
    hone_buf_init(&text, 1 << 16);
    hone_tokens_init(&ids, HONE_TOKENS_SPANS);
    hone_bpe_train_config cfg = {.vocab_size = 400,
                                 .special = specials,
                                 .n_special = 3,
                                 .single_digits = 1,
                                 .eos = specials[1],
                                 .pad = specials[2],
                                 .chat_template = hone_str_c("{{ messages }}")};
    train(corpus, 2, &cfg, &arena, &t, &json);
    assert_int_equal(t.t.eos, 1);
    assert_int_equal(t.t.pad, 2);
    assert_int_equal(t.t.bos, -1);
    assert_int_equal(hone_tokenizer_encode(&t.t, corpus[0], 0, &ids), HONE_OK);
    assert_int_equal(ids.n, 16); /* every word is one token by now */
    hone_tokens_clear(&ids);
    assert_int_equal(
        hone_tokenizer_encode(&t.t, hone_str_c(" 123<|im_end|>"), HONE_ENCODE_SPECIAL, &ids),
        HONE_OK);
    assert_int_equal(ids.n, 5); /* the space, three digits, the special token */
    assert_int_equal(ids.ids[4], 1);
    hone_tokens_clear(&ids);
    assert_int_equal(hone_tokenizer_encode(&t.t, corpus[1], HONE_ENCODE_SPECIAL, &ids), HONE_OK);
    assert_int_equal(hone_tokenizer_decode_bytes(&t.t, ids.ids, ids.n, 0, &text), HONE_OK);
    assert_true(hone_str_same(hone_buf_str(&text), corpus[1]));
    tt_destroy(&t);
    hone_tokens_release(&ids);
    hone_buf_release(&json);
    hone_buf_release(&text);
    hone_arena_release(&arena);
}

static void test_order_of_texts_changes_nothing(void **state)
{
    (void)state;
    hone_buf a, b;
    hone_str turned[2] = {corpus[1], corpus[0]};
    hone_bpe_train_config cfg = {.vocab_size = 330, .special = specials, .n_special = 3};
    hone_buf_init(&a, 1 << 24);
    hone_buf_init(&b, 1 << 24);
    assert_int_equal(hone_bpe_train(corpus, 2, &cfg, &a, NULL, NULL), HONE_OK);
    assert_int_equal(hone_bpe_train(turned, 2, &cfg, &b, NULL, NULL), HONE_OK);
    assert_string_equal(a.ptr, b.ptr);
    hone_buf_release(&a);
    hone_buf_release(&b);
}

static void merges_are(const hone_str *text, size_t vocab, int64_t min_count, const char *want)
{
    hone_buf json, got;
    hone_arena arena;
    hone_value v;
    hone_bpe_train_config cfg = {.vocab_size = vocab, .min_count = min_count};
    hone_buf_init(&json, 1 << 24);
    hone_buf_init(&got, 1 << 16);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_bpe_train(text, 1, &cfg, &json, NULL, NULL), HONE_OK);
    assert_int_equal(hone_json_parse(json.ptr, json.len, "made", &arena, &v), HONE_OK);
    const hone_value *m = path_at(&v, "model.merges");
    for (size_t i = 0; i < m->u.list.n; i++) {
        hone_buf_adds(&got, i ? "|" : "");
        hone_buf_add_str(&got, m->u.list.items[i].u.str);
    }
    assert_string_equal(got.ptr, want);
    hone_buf_release(&json);
    hone_buf_release(&got);
    hone_arena_release(&arena);
}

static void test_ties_go_to_the_greatest_bytes(void **state)
{
    (void)state;
    hone_str ties = hone_str_c("ab ba cb"), overlap = hone_str_c("aaaaa"),
             same = hone_str_c("abc\nabc\nbcab\nabcab");
    merges_are(&ties, 257, 0, "c b");
    merges_are(&ties, 300, 2, ""); /* nothing is there twice */
    merges_are(&ties, 300, 0, "c b|b a|a b|\xC4\xA0 cb|\xC4\xA0 ba");
    merges_are(&overlap, 300, 0, "a a|aa aa|aaaa a");
    merges_are(&same, 300, 0, "a b|ab c|c ab|b cab|abc ab"); /* no pair is left */
}

static void test_what_cannot_be_trained_is_refused(void **state)
{
    (void)state;
    hone_buf json;
    static const hone_str twice[] = {{"<a>", 3}, {"<a>", 3}}, empty[] = {{"", 0}},
                          byte[] = {{"a", 1}}, mapped[] = {{"\xC4\xA0", 2}};
    hone_buf_init(&json, 1 << 24);
    hone_bpe_train_config cfg = {.vocab_size = 255};
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    cfg.vocab_size = (size_t)1 << 40;
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    cfg.vocab_size = 300;
    cfg.special = twice;
    cfg.n_special = 2;
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    cfg.n_special = 1;
    cfg.special = empty;
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    cfg.special = byte;
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    assert_non_null(strstr(hone_error_get()->what, "spelled as another"));
    cfg.special = mapped;
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    cfg.special = specials;
    cfg.eos = hone_str_c("</s>");
    assert_int_equal(hone_bpe_train(corpus, 1, &cfg, &json, NULL, NULL), HONE_E_INVALID);
    assert_non_null(strstr(hone_error_get()->what, "none of the special tokens"));
    assert_int_equal(json.len, 0);
    hone_buf_release(&json);
}

static void test_every_failed_allocation_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    size_t before, after, bytes;
    hone_bpe_train_config cfg = {.vocab_size = 300, .special = specials, .n_special = 3};
    int done = 0;
    hone_alloc_stats(&before, &bytes);
    for (uint64_t n = 1; n < 5000 && !done; n++) {
        hone_buf json;
        hone_buf_init(&json, 1 << 24);
        hone_alloc_fail_after(n, 0);
        hone_status s = hone_bpe_train(corpus, 2, &cfg, &json, NULL, NULL);
        hone_alloc_fail_after(0, 0);
        hone_buf_release(&json);
        done = s >= 0;
        if (!done)
            assert_int_equal(s, HONE_E_NOMEM);
        hone_alloc_stats(&after, &bytes);
        assert_int_equal(after, before);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reference_merges_and_vocabulary),
        cmocka_unit_test(test_what_is_made_can_be_used),
        cmocka_unit_test(test_order_of_texts_changes_nothing),
        cmocka_unit_test(test_ties_go_to_the_greatest_bytes),
        cmocka_unit_test(test_what_cannot_be_trained_is_refused),
        cmocka_unit_test(test_every_failed_allocation_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
