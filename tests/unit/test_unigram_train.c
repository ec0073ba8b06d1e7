/* The Unigram trainer: what it learns, that it depends on nothing but its input, and that the files work. */
#include "text_support.h"

#include "base/file.h"
#include "text/unigram_train.h"

static void train(const hone_str *texts, size_t n, size_t size, hone_buf *json,
                  hone_bpe_train_info *info)
{
    static const hone_str special = {"<|end|>", 7};
    hone_unigram_train_config cfg = {
        .base = {.vocab_size = size, .special = &special, .n_special = 1, .eos = special}};
    hone_buf config;
    hone_buf_init(json, 1 << 26);
    hone_buf_init(&config, 1 << 20);
    assert_int_equal(hone_unigram_train(texts, n, &cfg, json, &config, info), HONE_OK);
    assert_non_null(strstr(config.ptr, "<|end|>"));
    hone_buf_release(&config);
}

typedef struct made {
    hone_arena arena;
    hone_value spec, json;
    hone_pair pairs[2];
    tt_tokenizer t;
} made;

static void load(made *m, const hone_buf *json)
{
    hone_arena_init(&m->arena, 0);
    assert_int_equal(hone_json_parse(json->ptr, json->len, "made", &m->arena, &m->json), HONE_OK);
    m->pairs[0].key = hone_str_c("format");
    m->pairs[0].value.type = HONE_STRING;
    m->pairs[0].value.u.str = hone_str_c("tokenizer.json");
    m->pairs[1].key = hone_str_c("json");
    m->pairs[1].value = m->json;
    m->spec.type = HONE_MAP;
    m->spec.u.map.pairs = m->pairs;
    m->spec.u.map.n = 2;
    assert_int_equal(tt_create(&m->t, &m->spec, 0), HONE_OK);
}

static void drop(made *m)
{
    tt_destroy(&m->t);
    hone_arena_release(&m->arena);
}

static const char words[] =
    "the cat sat on the mat. the cats sat on the mats. the mat was the cat's mat.\n"
    "a cat and a mat and the cat and the mat sat and sat.\n";

static void test_what_is_seen_often_becomes_a_piece(void **state)
{
    (void)state;
    hone_str text = hone_str_c(words);
    hone_buf json;
    hone_bpe_train_info info;
    made m;
    train(&text, 1, 300, &json, &info);
    assert_true(info.vocab_size <= 300);
    assert_int_equal(info.n_merges, info.vocab_size - 258);
    load(&m, &json);
    assert_true(hone_tokenizer_id(&m.t.t, hone_str_c("\xE2\x96\x81the")) >= 258);
    assert_true(hone_tokenizer_id(&m.t.t, hone_str_c("at")) >= 258 ||
                hone_tokenizer_id(&m.t.t, hone_str_c("\xE2\x96\x81mat")) >= 258);
    assert_int_equal(hone_tokenizer_id(&m.t.t, hone_str_c("<|end|>")), 0);
    assert_int_equal(hone_tokenizer_stop_id(&m.t.t, hone_str_c("<|end|>")), 0);
    /* every character of the texts is a piece, everything else is bytes: texts come back */
    static const char *const texts[] = {"the cat sat", "a\nb the\n\nmats.", "\xF0\x9F\xA6\x99 zzz",
                                        "x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hone_tokens ids;
        hone_buf back;
        hone_tokens_init(&ids, HONE_TOKENS_SPANS);
        hone_buf_init(&back, 1 << 16);
        assert_int_equal(hone_tokenizer_encode(&m.t.t, hone_str_c(texts[i]), 0, &ids), HONE_OK);
        assert_int_equal(hone_tokenizer_decode(&m.t.t, ids.ids, ids.n, 0, &back), HONE_OK);
        assert_true(hone_str_eq(hone_buf_str(&back), texts[i]));
        for (size_t k = 0; k < ids.n; k++)
            assert_int_not_equal(ids.ids[k], 1); /* never unknown */
        hone_buf_release(&back);
        hone_tokens_release(&ids);
    }
    drop(&m);
    hone_buf_release(&json);
}

static void test_the_order_of_texts_does_not_matter(void **state)
{
    (void)state;
    hone_str a[] = {hone_str_c(words), hone_str_c("one two three two three one"), hone_str_c("")};
    hone_str b[] = {a[2], a[1], a[0]};
    hone_buf x, y;
    train(a, 3, 320, &x, NULL);
    train(b, 3, 320, &y, NULL);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.ptr, y.ptr, x.len);
    hone_buf_release(&x);
    hone_buf_release(&y);
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    hone_str text = hone_str_c(words);
    hone_buf out;
    hone_buf_init(&out, 1 << 20);
    hone_unigram_train_config small = {.base = {.vocab_size = 260}};
    assert_int_equal(hone_unigram_train(&text, 1, &small, &out, NULL, NULL), HONE_E_INVALID);
    assert_non_null(strstr(hone_error_get()->what, "different characters"));
    hone_unigram_train_config none = {.base = {.vocab_size = 256}};
    assert_int_equal(hone_unigram_train(&text, 1, &none, &out, NULL, NULL), HONE_E_INVALID);
    hone_unigram_train_config shrink = {.base = {.vocab_size = 300}, .shrink = 1};
    assert_int_equal(hone_unigram_train(&text, 1, &shrink, &out, NULL, NULL), HONE_E_INVALID);
    assert_int_equal(out.len, 0);
    hone_unigram_train_config fine = {.base = {.vocab_size = 300}};
    assert_int_equal(hone_unigram_train(NULL, 0, &fine, &out, NULL, NULL), HONE_OK);
    hone_buf_release(&out);
}

/* With 1,000 pieces of this text, its lines joined: sentencepiece 0.2.3 has 2.990 bytes a token, tokenizers
 * 0.23.3 3.016, this trainer 2.991. */
static void test_a_book_is_spelled_as_shortly_as_by_the_reference(void **state)
{
    (void)state;
    hone_buf text, json;
    hone_tokens ids;
    made m;
    if (!shared_path("assets/tokenizers/sentencepiece/botchan.txt"))
        skip_without("assets/tokenizers/sentencepiece/botchan.txt");
    hone_buf_init(&text, 1 << 22);
    assert_int_equal(
        hone_file_read(shared_path("assets/tokenizers/sentencepiece/botchan.txt"), 1 << 22, &text),
        HONE_OK);
    for (size_t i = 0; i < text.len; i++)
        text.ptr[i] = (char)(text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
    hone_str s = hone_buf_str(&text);
    train(&s, 1, 1258, &json, NULL);
    load(&m, &json);
    hone_tokens_init(&ids, 0);
    assert_int_equal(hone_tokenizer_encode(&m.t.t, s, 0, &ids), HONE_OK);
    double rate = (double)s.len / (double)ids.n;
    assert_true(rate > 2.97);
    hone_tokens_release(&ids);
    drop(&m);
    hone_buf_release(&json);
    hone_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_seen_often_becomes_a_piece),
        cmocka_unit_test(test_the_order_of_texts_does_not_matter),
        cmocka_unit_test(test_what_cannot_be_is_refused),
        cmocka_unit_test(test_a_book_is_spelled_as_shortly_as_by_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
