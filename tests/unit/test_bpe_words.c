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
    static const char *const parts[] = {
        "a",      "b",    "ab", " ",      " ",  "  ", "   ",    ">",      "</",     "\n",
        "\u2581", "\xFF", "X",  "\u00e9", "a ", " b", "> ",     "<s>",    "aab",    "</>",
        "</s>",   ".",    "'s", "1",      "!",  "Z",  "\u4e2d", "\u3002", "e\u0301"};
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
    if (tt_create(&p->fast, &v, 0) < 0)
        fail_msg("%s", hone_error_get()->what);
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

/* ---- places to cut ---------------------------------------------------------------------------------------- */

/* Byte-level, as GPT-2's, Llama 3's and Qwen 2's patterns cut; "ab", "a b" and so on are tokens where no cut is between. */
static char *bytes_spec(const char *pre, const char *normalizer, const char *added)
{
    hone_buf b;
    int rest = 0, id = 256;
    hone_buf_init(&b, 1 << 20);
    hone_buf_adds(
        &b, "{\"format\":\"tokenizer.json\",\"json\":{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int i = 0; i < 256; i++) {
        int plain = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        hone_buf_addf(&b, "%s\"\\u%04x\":%d", i ? "," : "", plain ? i : 256 + rest++, i);
    }
    static const char *const often[] = {"a", "b", ">", "<", "\\u0120", "\\u010a",
                                        "'", "s", "1", "!", "."};
    enum { N = sizeof often / sizeof *often };
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++)
            hone_buf_addf(&b, ",\"%s%s\":%d", often[i], often[k], id++);
    hone_buf_adds(&b, "},\"merges\":[");
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++)
            hone_buf_addf(&b, "%s[\"%s\",\"%s\"]", i + k ? "," : "", often[i], often[k]);
    hone_buf_addf(&b, "]},\"normalizer\":%s,\"pre_tokenizer\":%s,\"added_tokens\":[%s],",
                  normalizer, pre, added);
    hone_buf_adds(
        &b, "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
            "{\"id\":\"a\"}},{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"b\"}}],"
            "\"special_tokens\":{\"a\":{\"id\":\"a\",\"ids\":[97]},\"b\":{\"id\":\"b\",\"ids\":[98]"
            "}}}}}");
    return hone_buf_detach(&b, NULL);
}
#define GPT2 "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define GPT2_SPACE "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"
#define SPLIT(re)                                                                                  \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" re   \
    "\"},\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"           \
    "\"use_regex\":false}]}"
#define LLAMA(n)                                                                                   \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}" n              \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define ADDED(id, text, more) "{\"id\":" id ",\"content\":\"" text "\"," more "}"
#define RAW "\"special\":true,\"normalized\":false"
#define NORMAL "\"special\":false,\"normalized\":true"

/* Cuts the text again and again, each time knowing no more than some bytes of it, and puts the parts together. */
static size_t in_parts(const tt_tokenizer *t, hone_str text, uint32_t flags, uint64_t *seed,
                       hone_tokens *out)
{
    const hone_tokenizer_v1 *v = t->t.ref.vt;
    size_t done = 0, parts = 0, part = 1 + next_random(seed) % 12;
    for (size_t have = part; done < text.len || parts == 0;) {
        hone_str known = {text.ptr + done, have < text.len - done ? have : text.len - done};
        int last = done + known.len == text.len;
        int32_t at = last ? (int32_t)known.len : v->cut(t->t.ref.self, known, flags);
        assert_true(at >= 0 && (last || (size_t)at < known.len));
        if (at == 0 && !last) {
            have += part;
            continue;
        }
        hone_tokens ids;
        hone_tokens_init(&ids, out->want);
        known.len = (size_t)at;
        assert_int_equal(hone_tokenizer_encode(&t->t, known,
                                               flags | (done ? HONE_ENCODE_CONTINUES : 0) |
                                                   (last ? 0 : HONE_ENCODE_GOES_ON),
                                               &ids),
                         HONE_OK);
        for (size_t i = 0; i < ids.n && ids.spans; i++) {
            ids.spans[i].begin += (uint32_t)done;
            ids.spans[i].end += (uint32_t)done;
        }
        assert_int_equal(hone_tokens_add(out, ids.ids, ids.spans, NULL, ids.n), HONE_OK);
        hone_tokens_release(&ids);
        done += known.len;
        have = part;
        parts++;
    }
    return parts;
}

static size_t same_in_parts(const char *json, uint64_t seed)
{
    pair p;
    hone_buf text;
    size_t parts = 0;
    pair_make(&p, json);
    hone_buf_init(&text, 1 << 16);
    for (int i = 0; i < 4000; i++) {
        hone_tokens x, y;
        uint32_t flags = (i & 2 ? HONE_ENCODE_SPECIAL : 0) | (i & 4 ? HONE_ENCODE_ADD : 0);
        hone_tokens_init(&x, i & 1 ? HONE_TOKENS_SPANS : 0);
        hone_tokens_init(&y, i & 1 ? HONE_TOKENS_SPANS : 0);
        random_text(&seed, &text);
        assert_int_equal(hone_tokenizer_encode(&p.fast.t, hone_buf_str(&text), flags, &x), HONE_OK);
        parts += in_parts(&p.fast, hone_buf_str(&text), flags, &seed, &y) - 1;
        same(&x, &y, hone_buf_str(&text));
        hone_tokens_release(&x);
        hone_tokens_release(&y);
    }
    hone_buf_release(&text);
    pair_drop(&p);
    return parts;
}

static void test_a_text_cut_anywhere_has_the_ids_of_the_whole(void **state)
{
    (void)state;
    static const char *const pre[] = {GPT2, GPT2_SPACE, SPLIT(LLAMA("{1,3}")), SPLIT(LLAMA(""))};
    static const char *const added[] = {
        "",
        ADDED("900", "<s>", RAW) "," ADDED("901", "> <", RAW),
        ADDED("900", "<s>", RAW ",\"rstrip\":true,\"lstrip\":true") "," ADDED("901", "b a", RAW),
        ADDED("900", "aab", RAW ",\"single_word\":true") "," ADDED("901", "b</",
                                                                   NORMAL ",\"rstrip\":true"),
        ADDED("900", " b", NORMAL ",\"single_word\":true") "," ADDED("901", "</",
                                                                     NORMAL ",\"rstrip\":true"),
    };
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < sizeof added / sizeof *added; k++)
            for (int nfc = 0; nfc < 2; nfc++) {
                char *json = bytes_spec(pre[i], nfc ? "{\"type\":\"NFC\"}" : "null", added[k]);
                size_t parts = same_in_parts(json,
                                             5 + i + 10 * k); /* the last is in the way always */
                assert_in_range(parts, k < 4 ? 3000 : 0, k < 4 ? SIZE_MAX : 0);
                hone_free(json);
            }
    assert_in_range(same_in_parts(CHARS(REPLACE, ""), 1), 3000, SIZE_MAX);
    assert_in_range(
        same_in_parts(
            CHARS("{\"type\":\"Sequence\",\"normalizers\":[" PREPEND "," REPLACE "]}", ""), 2),
        3000, SIZE_MAX);
    assert_in_range(same_in_parts(SCORES(""), 3), 3000, SIZE_MAX);
}

/* Rules that look further than the two characters at a place: such a text stays whole. */
static void test_what_has_no_places_to_cut_is_not_cut(void **state)
{
    (void)state;
    static const char *const never[] = {
        CHARS("{\"type\":\"Lowercase\"}", ""),
        CHARS(REPLACE, "\"ignore_merges\":true,"),
        CHARS(REPLACE, "\"end_of_word_suffix\":\"b\","),
    };
    for (size_t k = 0; k < sizeof never / sizeof *never; k++)
        assert_int_equal(same_in_parts(never[k], k), 0);
    char *json = bytes_spec(SPLIT("a+|b"), "null", "");
    assert_int_equal(same_in_parts(json, 9), 0);
    hone_free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_merge_as_the_whole_text_does),
        cmocka_unit_test(test_the_cache_of_words_grows_and_keeps),
        cmocka_unit_test(test_a_text_cut_anywhere_has_the_ids_of_the_whole),
        cmocka_unit_test(test_what_has_no_places_to_cut_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
