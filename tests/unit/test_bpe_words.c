/* Ways to take a text apart that must not change its ids: words between U+2581, places to cut. Each is compared with
 * the general way (scanner = "regex"), which takes a text as one. */
#include "text_support.h"

#include "base/buf.h"

static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

/* Few characters, so that what may join often meets; bytes that are no UTF-8 and a literal U+2581 among them. */
static void random_text(uint64_t *seed, hone_buf *b)
{
    static const char *const parts[] = {"a",  "b",  "ab", " ",      " ",      "  ",     "   ",
                                        ">",  "</", "\n", "\u2581", "\xFF",   "X",      "\u00e9",
                                        "a ", " b", "> ", "<s>",    "</s>",   ".",      "'s",
                                        "1",  "!",  "Z",  "\u4e2d", "\u3002", "e\u0301"};
    hone_buf_clear(b);
    for (size_t n = next_random(seed) % 30; n > 0; n--)
        hone_buf_adds(b, parts[next_random(seed) % (sizeof parts / sizeof *parts)]);
}

static void same(const hone_tokens *x, const hone_tokens *y, hone_str text)
{
    int differ = x->n != y->n;
    for (size_t i = 0; !differ && i < x->n; i++)
        differ = x->ids[i] != y->ids[i] || (x->spans && (x->spans[i].begin != y->spans[i].begin ||
                                                         x->spans[i].end != y->spans[i].end));
    if (differ)
        fprintf(stderr, "differs: \"%.*s\"\n", (int)text.len, text.ptr);
    assert_false(differ);
}

typedef struct pair {
    tt_tokenizer fast, slow;
    hone_arena arena;
} pair;

static void pair_make(pair *p, const char *json)
{
    hone_value v;
    hone_arena_init(&p->arena, 0);
    assert_int_equal(hone_json_parse(json, strlen(json), "spec", &p->arena, &v), HONE_OK);
    assert_int_equal(tt_create(&p->fast, &v, 0), HONE_OK);
    assert_int_equal(tt_create(&p->slow, &v, 1), HONE_OK);
}

static void pair_drop(pair *p)
{
    tt_destroy(&p->fast);
    tt_destroy(&p->slow);
    hone_arena_release(&p->arena);
}

/* A vocabulary in which some characters may join across the begin of a word: ">" does. */
#define CHARS(normalizer, more)                                                                    \
    "{\"format\":\"tokenizer.json\",\"json\":{\"normalizer\":" normalizer                          \
    ",\"added_tokens\":[{\"id\":40,\"content\":\"<s>\",\"special\":true,\"normalized\":false}],"   \
    "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"fuse_unk\":true,"                        \
    "\"unk_token\":\"<unk>\"," more "\"vocab\":{\"<unk>\":0,\"\u2581\":1,\"a\":2,\"b\":3,\">\":4," \
    "\"<\":5,\"/\":6,\"\\n\":7,\"ab\":8,\"\u2581a\":9,\"\u2581ab\":10,\"\u2581\u2581\":11,"        \
    "\">\u2581\":12,\">\u2581<\":13,\"ba\":14,\"</\":15,\"\u2581\u2581\u2581\":17,"                \
    "\"aba\":18,\"s\":19,\"<s>\":40},"                                                             \
    "\"merges\":[[\"b\",\"a\"],[\"\u2581\",\"a\"],[\"a\",\"b\"],[\"\u2581\",\"\u2581\"],"          \
    "[\"\u2581a\",\"b\"],[\">\",\"\u2581\"],[\">\u2581\",\"<\"],[\"<\",\"/\"],"                    \
    "[\"\u2581\u2581\",\"\u2581\"],[\"ab\",\"a\"]]}}}"
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}"
#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"\u2581\"}"

#define SCORES(more)                                                                               \
    "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"llama\"," more                  \
    "\"tokenizer.ggml.tokens\":[\"<unk>\",\"<s>\",\"</s>\",\"\u2581\",\"a\",\"b\",\">\",\"<\","    \
    "\"/\",\"ab\",\"\u2581a\",\"\u2581ab\",\"\u2581\u2581\",\">\u2581\",\">\u2581<\",\"ba\","      \
    "\"</\",\"<0xFF>\",\"a\u2581\u2581\"],\"tokenizer.ggml.token_type\":"                          \
    "[2,3,3,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6,1],\"tokenizer.ggml.scores\":"                           \
    "[0,0,0,-20,-21,-22,-23,-24,-25,-3,-2,-5,-4,-6,-7,-1,-8,0,-9],"                                \
    "\"tokenizer.ggml.unknown_token_id\":0,\"tokenizer.ggml.bos_token_id\":1,"                     \
    "\"tokenizer.ggml.eos_token_id\":2}}"

static const char *const whole_texts[] = {
    CHARS(REPLACE, ""),
    CHARS("{\"type\":\"Sequence\",\"normalizers\":[" PREPEND "," REPLACE "]}", ""),
    CHARS(REPLACE, "\"ignore_merges\":true,"),
    CHARS(REPLACE, "\"end_of_word_suffix\":\"b\","),
    SCORES(""),
    SCORES("\"tokenizer.ggml.add_space_prefix\":false,"),
};

static void test_words_merge_as_the_whole_text_does(void **state)
{
    (void)state;
    hone_buf text;
    hone_buf_init(&text, 1 << 16);
    for (size_t k = 0; k < sizeof whole_texts / sizeof *whole_texts; k++) {
        pair p;
        uint64_t seed = 3 + k;
        pair_make(&p, whole_texts[k]);
        for (int i = 0; i < 6000; i++) {
            hone_tokens x, y;
            random_text(&seed, &text);
            hone_tokens_init(&x, i & 1 ? HONE_TOKENS_SPANS : 0);
            hone_tokens_init(&y, i & 1 ? HONE_TOKENS_SPANS : 0);
            uint32_t flags = i & 2 ? HONE_ENCODE_SPECIAL : 0;
            hone_str s = hone_buf_str(&text);
            assert_int_equal(hone_tokenizer_encode(&p.fast.t, s, flags, &x), HONE_OK);
            assert_int_equal(hone_tokenizer_encode(&p.slow.t, s, flags, &y), HONE_OK);
            same(&x, &y, s);
            hone_tokens_release(&x);
            hone_tokens_release(&y);
        }
        pair_drop(&p);
    }
    hone_buf_release(&text);
}

/* The cache begins small: more words than it has at first, twice, give the ids that each has alone. */
static void test_the_cache_of_words_grows_and_keeps(void **state)
{
    (void)state;
    pair p;
    hone_buf text;
    hone_tokens once, twice;
    pair_make(&p, SCORES(""));
    hone_buf_init(&text, 1 << 22);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 20000; i++) {
            hone_buf_addc(&text, ' ');
            for (int k = i + 1; k; k /= 3)
                hone_buf_addc(&text, "ab<"[k % 3]);
        }
    hone_tokens_init(&once, 0);
    hone_tokens_init(&twice, HONE_TOKENS_SPANS); /* places go past the cache */
    assert_int_equal(hone_tokenizer_encode(&p.fast.t, hone_buf_str(&text), 0, &once), HONE_OK);
    assert_int_equal(hone_tokenizer_encode(&p.slow.t, hone_buf_str(&text), 0, &twice), HONE_OK);
    assert_int_equal(once.n, twice.n);
    assert_memory_equal(once.ids, twice.ids, once.n * sizeof *once.ids);
    hone_tokens_release(&once);
    hone_tokens_release(&twice);
    hone_buf_release(&text);
    pair_drop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_merge_as_the_whole_text_does),
        cmocka_unit_test(test_the_cache_of_words_grows_and_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
