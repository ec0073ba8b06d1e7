/* The byte-level BPE tokenizer: ids of the reference implementations, every refusal, hostile texts. */
#include "text_support.h"

#include "base/file.h"
#include "nn/reader.h"

#include <pthread.h>

/* ---- small tokenizers of our own ------------------------------------------------------------------------- */
/* A spec of tokenizer.json: the model's vocab and merges, further members of the model and of the file. */
static char *spec(const char *vocab, const char *merges, const char *model_more, const char *more)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 24);
    hone_buf_addf(&b,
                  "{\"format\":\"tokenizer.json\",\"json\":{%s\"model\":{\"type\":\"BPE\",%"
                  "s\"vocab\":%s,\"merges\":%s}",
                  more, model_more, vocab, merges);
    if (!strstr(more, "pre_tokenizer"))
        hone_buf_adds(&b, ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}");
    if (!strstr(more, "decoder"))
        hone_buf_adds(&b, ",\"decoder\":{\"type\":\"ByteLevel\"}");
    hone_buf_adds(&b, "}}");
    return hone_buf_detach(&b, NULL);
}

/* The whole byte alphabet as "vocab" members from id 0, in the order of bytes, then `extra`. */
static char *alphabet(const char *extra)
{
    hone_buf b;
    int rest = 0;
    hone_buf_init(&b, 1 << 20);
    hone_buf_addc(&b, '{');
    for (int i = 0; i < 256; i++) {
        int plain = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        hone_buf_addf(&b, "%s\"\\u%04x\":%d", i ? "," : "", plain ? i : 256 + rest++, i);
    }
    hone_buf_addf(&b, "%s}", extra);
    return hone_buf_detach(&b, NULL);
}

typedef struct made {
    tt_tokenizer t;
    hone_arena arena;
} made;

static hone_status make(made *m, const char *vocab_extra, const char *merges,
                        const char *model_more, const char *more)
{
    char *vocab = alphabet(vocab_extra), *text = spec(vocab, merges, model_more, more);
    hone_arena_init(&m->arena, 0);
    hone_status s = tt_create_text(&m->t, &m->arena, text);
    hone_free(vocab);
    hone_free(text);
    if (s < 0)
        hone_arena_release(&m->arena);
    return s;
}

static void drop(made *m)
{
    tt_destroy(&m->t);
    hone_arena_release(&m->arena);
}

static void refused(const char *vocab_extra, const char *merges, const char *model_more,
                    const char *more, hone_status code, const char *text)
{
    made m;
    hone_status s = make(&m, vocab_extra, merges, model_more, more);
    if (s != code || !strstr(hone_error_get()->what, text))
        fprintf(stderr, "%s %s: %d %s\n", model_more, more, s, s < 0 ? hone_error_get()->what : "");
    assert_int_equal(s, code);
    assert_non_null(strstr(hone_error_get()->what, text));
}

static void encodes(const tt_tokenizer *t, const char *text, size_t len, uint32_t flags,
                    const char *want)
{
    hone_tokens ids;
    hone_buf b;
    hone_str s = {text, len};
    hone_tokens_init(&ids, HONE_TOKENS_SPANS);
    hone_buf_init(&b, 1 << 20);
    assert_int_equal(hone_tokenizer_encode(&t->t, s, flags, &ids), HONE_OK);
    for (size_t i = 0; i < ids.n; i++)
        hone_buf_addf(&b, "%s%d:%u-%u", i ? " " : "", ids.ids[i], ids.spans[i].begin,
                      ids.spans[i].end);
    assert_string_equal(b.ptr, want);
    hone_buf_release(&b);
    hone_tokens_release(&ids);
}

#define HELLO ",\"he\":256,\"ll\":257,\"hell\":258,\"\\u0120w\":259"
#define HELLO_MERGES "[\"h e\",\"l l\",[\"he\",\"ll\"],\"\\u0120 w\"]"

static void test_merges_go_by_rank_and_keep_places(void **state)
{
    (void)state;
    made m;
    assert_int_equal(make(&m, HELLO, HELLO_MERGES, "", ""), HONE_OK);
    encodes(&m.t, "hello world", 11, 0,
            "258:0-4 111:4-5 259:5-7 111:7-8 114:8-9 108:9-10 100:10-11");
    encodes(&m.t, "lllhe", 5, 0, "257:0-2 108:2-3 256:3-5");
    encodes(&m.t, "", 0, 0, "");
    encodes(&m.t, "a\0b", 3, 0, "97:0-1 0:1-2 98:2-3");
    assert_int_equal(m.t.t.vocab_size, 260);
    drop(&m);
}

static void test_what_a_file_gets_wrong_is_named(void **state)
{
    (void)state;
    refused(",\"ab\":256", "[\"a q\"]", "", "", HONE_E_PARSE, "\"a\" + \"q\" gives no token");
    refused("", "[\"a \\u4e00\"]", "", "", HONE_E_PARSE,
            "merges[0]: \"\xE4\xB8\x80\" is not in the vocabulary");
    refused("", "[\"ab\"]", "", "", HONE_E_PARSE, "model.merges[0] is no pair");
    refused("", "[\"a b c\"]", "", "", HONE_E_PARSE, "model.merges[0] is no pair");
    refused("", "[[\"a\"]]", "", "", HONE_E_PARSE, "model.merges[0] is no pair");
    refused("", "[7]", "", "", HONE_E_PARSE, "model.merges[0] is no pair");
    refused(",\"ab\":97", "[]", "", "", HONE_E_PARSE, "id 97 is given twice: \"a\" and \"ab\"");
    refused(",\"ab\":-1", "[]", "", "", HONE_E_PARSE, "model.vocab[\"ab\"] is no id");
    refused(",\"ab\":99999999", "[]", "", "", HONE_E_PARSE, "model.vocab[\"ab\"] is no id");
    refused(",\"ab\":1.5", "[]", "", "", HONE_E_PARSE, "model.vocab[\"ab\"] is no id");
    refused(",\"ab\":\"x\"", "[]", "", "", HONE_E_PARSE, "model.vocab[\"ab\"] is no id");
    refused("", "[]", "\"unk_token\":\"<none>\",", "", HONE_E_PARSE, "unk_token");
    refused("", "[]", "", "\"added_tokens\":[{\"id\":300}],", HONE_E_PARSE,
            "added_tokens[0] lacks");
    refused("", "[]", "", "\"added_tokens\":[{\"id\":97,\"content\":\"<x>\"}],", HONE_E_PARSE,
            "id 97 is given twice");
    refused("", "[]", "", "\"added_tokens\":[{\"id\":256,\"content\":\"a\"}],", HONE_E_PARSE,
            "token \"a\" is given twice: ids 97 and 256");
    refused("", "[]", "", "\"added_tokens\":7,", HONE_E_PARSE, "added_tokens is no list");
    refused("", "{}", "", "", HONE_E_PARSE, "model.merges");
    static const char *const specs[] = {
        "{}",
        "{\"format\":\"tokenizer.json\"}",
        "{\"format\":\"tokenizer.json\",\"json\":[]}",
        "{\"format\":\"tokenizer.json\",\"json\":{\"model\":[]}}",
        "{\"format\":\"tokenizer.json\",\"json\":{\"model\":{\"type\":\"BPE\",\"vocab\":{},"
        "\"merges\":[]}}}",
        "{\"format\":\"gguf\"}",
        "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"gpt2\"}}",
        "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"gpt2\",\"tokenizer.ggml."
        "tokens\":[]}}",
        "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"gpt2\",\"tokenizer.ggml."
        "tokens\":[1]}}",
        "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"gpt2\",\"tokenizer.ggml."
        "tokens\":[\"a\"]}}"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        tt_tokenizer t;
        hone_arena arena;
        hone_arena_init(&arena, 0);
        assert_true(tt_create_text(&t, &arena, specs[i]) < 0);
        assert_true(strlen(hone_error_get()->what) > 5);
        hone_arena_release(&arena);
    }
}

static void test_what_is_not_handled_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *model, *more, *name;
    } cases[] = {
        {"\"dropout\":0.1,", "", "model.dropout"},
        {"", "\"normalizer\":{\"type\":\"Other\"},", "normalizer \"Other\""},
        {"", "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Other\"}]},",
         "normalizer \"Other\""},
        {"", "\"pre_tokenizer\":{\"type\":\"Other\"},", "pre_tokenizer \"Other\""},
        {"", "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"second\"},",
         "prepend_scheme \"second\""},
        {"",
         "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
         "\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"},"
         "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},",
         "pattern \"(a\""},
        {"", "\"decoder\":{\"type\":\"Other\"},", "decoder \"Other\""},
        {"", "\"post_processor\":{\"type\":\"Other\"},", "post_processor \"Other\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused("", "[]", cases[i].model, cases[i].more, HONE_E_UNSUPPORTED, cases[i].name);
    tt_tokenizer t;
    hone_arena arena;
    hone_arena_init(&arena, 0);
    assert_int_equal(tt_create_text(&t, &arena,
                                    "{\"format\":\"tokenizer.json\",\"json\":{\"model\":{\"type\":"
                                    "\"Other\",\"vocab\":[]}}}"),
                     HONE_E_UNSUPPORTED);
    assert_non_null(strstr(hone_error_get()->what, "\"Other\""));
    assert_int_equal(
        tt_create_text(&t, &arena,
                       "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"rwkv\"}}"),
        HONE_E_UNSUPPORTED);
    assert_int_equal(
        tt_create_text(
            &t, &arena,
            "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"gpt2\",\"tokenizer.ggml."
            "pre\":\"nobody\","
            "\"tokenizer.ggml.tokens\":[\"a\",\"b\",\"ab\"],\"tokenizer.ggml.merges\":[\"a b\"]}}"),
        HONE_E_UNSUPPORTED);
    assert_non_null(strstr(hone_error_get()->what, "\"nobody\""));
    hone_arena_release(&arena);
}

#define ADDED(id, text, more) "{\"id\":" #id ",\"content\":\"" text "\"" more "}"

static void test_added_tokens_are_found_as_their_flags_say(void **state)
{
    (void)state;
    made m;
    assert_int_equal(
        make(
            &m, "", "[]", "",
            "\"added_tokens\":[" ADDED(256, "<s>", ",\"special\":true") "," ADDED(257, "<sep>", ",\"special\":true,\"lstrip\":true") "," ADDED(
                258, "<pad>",
                ",\"special\":true,\"rstrip\":true") "," ADDED(259, "cat",
                                                               ",\"single_word\":"
                                                               "true,\"normalized\":"
                                                               "false") "," ADDED(260,
                                                                                  "<s"
                                                                                  "x",
                                                                                  ","
                                                                                  "\""
                                                                                  "no"
                                                                                  "rm"
                                                                                  "al"
                                                                                  "iz"
                                                                                  "ed"
                                                                                  "\""
                                                                                  ":t"
                                                                                  "ru"
                                                                                  "e") "," ADDED(261,
                                                                                                 "<"
                                                                                                 "s"
                                                                                                 ">"
                                                                                                 ">",
                                                                                                 ","
                                                                                                 "\"special\":false,\"normalized\":false") "],"),
        HONE_OK);
    encodes(&m.t, "a<s>b", 5, HONE_ENCODE_SPECIAL, "97:0-1 256:1-4 98:4-5");
    encodes(&m.t, "a<s>b", 5, 0, "97:0-1 60:1-2 115:2-3 62:3-4 98:4-5");
    encodes(&m.t, "a \n<sep> b", 10, HONE_ENCODE_SPECIAL, "97:0-1 257:1-8 32:8-9 98:9-10");
    encodes(&m.t, "a <pad> \tb", 10, HONE_ENCODE_SPECIAL, "97:0-1 32:1-2 258:2-9 98:9-10");
    encodes(
        &m.t, "cat cats 1cat", 13, 0,
        "259:0-3 32:3-4 99:4-5 97:5-6 116:6-7 115:7-8 32:8-9 49:9-10 99:10-11 97:11-12 116:12-13");
    encodes(&m.t, "<s>>", 4, HONE_ENCODE_SPECIAL,
            "261:0-4"); /* the longer of two that begin at one place */
    encodes(&m.t, "<sx", 3, 0, "260:0-3");
    assert_int_equal(hone_tokenizer_stop_id(&m.t.t, hone_str_c("<s>")), 256);
    assert_int_equal(hone_tokenizer_stop_id(&m.t.t, hone_str_c("cat")), -1); /* not special: text */
    assert_true(hone_tokenizer_is_special(&m.t.t, 256));
    assert_false(hone_tokenizer_is_special(&m.t.t, 259));
    drop(&m);
}

static void test_post_processor_adds_its_tokens_when_asked(void **state)
{
    (void)state;
    made m;
    static const char more[] =
        "\"added_tokens\":[{\"id\":256,\"content\":\"<s>\",\"special\":true},{\"id\":257,"
        "\"content\":\"</s>\",\"special\":true}],"
        "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},{"
        "\"type\":\"TemplateProcessing\",\"single\":["
        "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":"
        "0}},"
        "{\"SpecialToken\":{\"id\":\"</"
        "s>\",\"type_id\":0}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[256]},"
        "\"</s>\":{\"id\":\"</s>\",\"ids\":[257]}}}]},";
    assert_int_equal(make(&m, "", "[]", "", more), HONE_OK);
    encodes(&m.t, "a", 1, HONE_ENCODE_ADD, "256:0-0 97:0-1 257:1-1");
    encodes(&m.t, "a", 1, 0, "97:0-1");
    drop(&m);
    refused("", "[]", "",
            "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
            "\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],"
            "\"special_tokens\":{\"<s>\":{\"ids\":[999]}}},",
            HONE_E_PARSE, "no token of the vocabulary");
    /* an id below the highest that no token has (found by the fuzzer) */
    refused(",\"zz\":300", "[]", "",
            "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
            "\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],"
            "\"special_tokens\":{\"<s>\":{\"ids\":[299]}}},",
            HONE_E_PARSE, "no token of the vocabulary");
}

static void test_nfc_keeps_the_places_of_the_text_as_written(void **state)
{
    (void)state;
    made m;
    assert_int_equal(make(&m, ",\"\\u00c3\\u00a9\":256", "[\"\\u00c3 \\u00a9\"]", "",
                          "\"normalizer\":{\"type\":\"NFC\"},"),
                     HONE_OK);
    encodes(&m.t, "xe\xCC\x81y", 5, 0, "120:0-1 256:1-4 121:4-5"); /* e + combining acute */
    encodes(&m.t, "x\xC3\xA9y", 4, 0, "120:0-1 256:1-3 121:3-4");
    encodes(&m.t, "\xCC\x81\xFFz", 4, 0,
            "204:0-1 129:1-2 255:2-3 122:3-4"); /* a mark alone, a byte that is no text */
    drop(&m);
}

static void test_prefix_space_has_no_place(void **state)
{
    (void)state;
    made m;
    assert_int_equal(make(&m, "", "[]", "",
                          "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},"),
                     HONE_OK);
    encodes(&m.t, "ab", 2, 0, "32:0-0 97:0-1 98:1-2");
    encodes(&m.t, " a", 2, 0, "32:0-1 97:1-2");
    drop(&m);
}

static void test_bytes_without_token_become_unk_or_nothing(void **state)
{
    (void)state;
    tt_tokenizer t;
    hone_arena arena;
    hone_arena_init(&arena, 0);
    char *with = spec("{\"a\":0,\"b\":1,\"?\":2,\"ab\":3}", "[\"a b\"]", "\"unk_token\":\"?\",",
                      "");
    assert_int_equal(tt_create_text(&t, &arena, with), HONE_OK);
    encodes(&t, "axb ab", 6, 0, "0:0-1 2:1-2 1:2-3 2:3-4 3:4-6");
    encodes(&t, "axb ab", 6, 0, "0:0-1 2:1-2 1:2-3 2:3-4 3:4-6"); /* and so from the cache */
    tt_destroy(&t);
    char *without = spec("{\"a\":0,\"b\":1,\"?\":2,\"ab\":3}", "[\"a b\"]", "", "");
    assert_int_equal(tt_create_text(&t, &arena, without), HONE_OK);
    encodes(&t, "axb ab", 6, 0, "3:0-3 3:4-6"); /* the reference drops it before it merges */
    tt_destroy(&t);
    hone_free(with);
    hone_free(without);
    hone_arena_release(&arena);
}

static void test_ignore_merges_takes_whole_words(void **state)
{
    (void)state;
    made m;
    assert_int_equal(
        make(&m, ",\"ab\":256,\"abc\":257", "[\"b c\"]", "\"ignore_merges\":true,", ""),
        HONE_E_PARSE); /* no token "bc" */
    assert_int_equal(
        make(&m, ",\"ab\":256,\"abc\":257,\"bc\":258", "[\"b c\"]", "\"ignore_merges\":true,", ""),
        HONE_OK);
    encodes(&m.t, "abc abcd", 8, 0, "257:0-3 32:3-4 97:4-5 258:5-7 100:7-8");
    drop(&m);
}

/* ---- texts that are hard --------------------------------------------------------------------------------------- */
static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

/* Letters, digits, spaces, marks and newlines of several scripts, weighted so that runs occur. */
static void random_text(uint64_t *seed, hone_buf *b)
{
    static const char *const parts[] = {"a",
                                        "b",
                                        "Z",
                                        " ",
                                        " ",
                                        "  ",
                                        "\n",
                                        "\r\n",
                                        "\t",
                                        "1",
                                        "23",
                                        "456",
                                        "'s",
                                        "'LL",
                                        "'",
                                        "\xC5\xBF",
                                        ".",
                                        "!?",
                                        "\xC3\xA9",
                                        "\xE4\xB8\xAD",
                                        "\xE2\x80\xAF",
                                        "\xC2\xA0",
                                        "\xE3\x80\x80",
                                        "\xC2\xBD",
                                        "\xD9\xA3",
                                        "\xF0\x9F\x98\x80",
                                        "_",
                                        "\xCC\x81",
                                        "'\xC5\xBF",
                                        "\x0B",
                                        "\xE2\x80\xA8"};
    hone_buf_clear(b);
    for (size_t n = next_random(seed) % 40; n > 0; n--)
        hone_buf_adds(b, parts[next_random(seed) % (sizeof parts / sizeof *parts)]);
}

static void same_ids(const tt_tokenizer *a, const tt_tokenizer *b, hone_str text)
{
    hone_tokens x, y;
    hone_tokens_init(&x, 0);
    hone_tokens_init(&y, HONE_TOKENS_SPANS);
    assert_int_equal(hone_tokenizer_encode(&a->t, text, 0, &x), HONE_OK);
    assert_int_equal(hone_tokenizer_encode(&b->t, text, 0, &y), HONE_OK);
    if (x.n != y.n || (x.n > 0 && memcmp(x.ids, y.ids, x.n * sizeof *x.ids) != 0))
        fprintf(stderr, "differs: %.*s\n", (int)text.len, text.ptr);
    assert_int_equal(x.n, y.n);
    if (x.n)
        assert_memory_equal(x.ids, y.ids, x.n * sizeof *x.ids);
    for (size_t i = 0; i < y.n; i++)
        assert_int_equal(y.spans[i].end - y.spans[i].begin,
                         hone_tokenizer_token_bytes(&b->t, y.ids[i]).len);
    hone_tokens_release(&x);
    hone_tokens_release(&y);
}

/* A vocabulary in which every two bytes that are neighbours in `text` may join shows where words are cut. */
static void test_hand_written_scanners_cut_as_their_patterns(void **state)
{
    (void)state;
#define SPLIT(re)                                                                                  \
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":" \
    "{\"Regex\":\"" re "\"},\"behavior\":\"Isolated\"},"                                           \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},"
#define LLAMA(n)                                                                                   \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}" n              \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
    static const char *const rules[] = {
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},",
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\","
        "\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},",
        SPLIT(LLAMA("{1,3}")), SPLIT(LLAMA(""))};
    hone_buf vocab, merges, text;
    hone_arena arena;
    hone_value v;
    hone_buf_init(&vocab, 1 << 24);
    hone_buf_init(&merges, 1 << 24);
    hone_buf_init(&text, 1 << 16);
    hone_arena_init(&arena, 0);
    /* all pairs of 40 bytes that occur often: "ab" is one token exactly when no cut is between */
    static const unsigned char often[] =
        "abZ \n\r\t1234'sLl.!?e\xC3\xA9\xC5\xBF\xE2\x80\xA8\xC2\xA0\xAF\xBD\x0B";
    hone_buf_adds(&merges, "[");
    int id = 256;
    for (size_t i = 0; i + 1 < sizeof often; i++)
        for (size_t j = 0; j + 1 < sizeof often; j++) {
            char pair[2][16];
            int fresh = 1;
            for (size_t k = 0; k < i; k++)
                fresh &= often[k] != often[i];
            for (size_t k = 0; k < j; k++)
                fresh &= often[k] != often[j];
            for (int side = 0; side < 2; side++) {
                int b = side ? often[j] : often[i], at = b, rest = 0;
                for (int k = 0; k < b; k++)
                    rest += !((k >= '!' && k <= '~') || (k >= 0xA1 && k <= 0xAC) || k >= 0xAE);
                if (!((b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE))
                    at = 256 + rest;
                snprintf(pair[side], sizeof pair[side], "\\u%04x", at);
            }
            if (!fresh)
                continue;
            hone_buf_addf(&vocab, ",\"%s%s\":%d", pair[0], pair[1], id);
            hone_buf_addf(&merges, "%s[\"%s\",\"%s\"]", id > 256 ? "," : "", pair[0], pair[1]);
            id++;
        }
    hone_buf_adds(&merges, "]");
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        tt_tokenizer fast, slow;
        char *all = alphabet(vocab.ptr), *json = spec(all, merges.ptr, "", rules[r]);
        assert_int_equal(hone_json_parse(json, strlen(json), "spec", &arena, &v), HONE_OK);
        assert_int_equal(tt_create(&fast, &v, 0), HONE_OK);
        assert_int_equal(tt_create(&slow, &v, 1), HONE_OK);
        uint64_t seed = 7 + r;
        for (int i = 0; i < 4000; i++) {
            random_text(&seed, &text);
            same_ids(&fast, &slow, hone_buf_str(&text));
        }
        tt_destroy(&fast);
        tt_destroy(&slow);
        hone_free(all);
        hone_free(json);
    }
    hone_arena_release(&arena);
    hone_buf_release(&vocab);
    hone_buf_release(&merges);
    hone_buf_release(&text);
}

static void test_any_bytes_come_back(void **state)
{
    (void)state;
    made m;
    hone_buf text, back;
    uint64_t seed = 11;
    assert_int_equal(make(&m, HELLO, HELLO_MERGES, "", ""), HONE_OK);
    hone_buf_init(&text, 1 << 16);
    hone_buf_init(&back, 1 << 16);
    for (int i = 0; i < 2000; i++) {
        hone_tokens ids;
        hone_buf_clear(&text);
        hone_buf_clear(&back);
        for (size_t n = next_random(&seed) % 60; n > 0; n--)
            hone_buf_addc(&text, (char)next_random(&seed));
        hone_tokens_init(&ids, HONE_TOKENS_SPANS);
        assert_int_equal(
            hone_tokenizer_encode(&m.t.t, hone_buf_str(&text), HONE_ENCODE_SPECIAL, &ids), HONE_OK);
        assert_int_equal(hone_tokenizer_decode_bytes(&m.t.t, ids.ids, ids.n, 0, &back), HONE_OK);
        assert_int_equal(back.len, text.len);
        assert_memory_equal(back.ptr, text.ptr, text.len);
        for (size_t k = 0; k < ids.n; k++)
            assert_int_equal(ids.spans[k].begin, k ? ids.spans[k - 1].end : 0);
        hone_tokens_release(&ids);
    }
    hone_buf_release(&text);
    hone_buf_release(&back);
    drop(&m);
}

/* Quadratic merging would take hours here: the runner's time limit is the test. */
static void test_a_word_of_two_megabytes_is_merged_in_time(void **state)
{
    (void)state;
    made m;
    assert_int_equal(make(&m, ",\"aa\":256,\"aaaa\":257", "[\"a a\",\"aa aa\"]", "", ""), HONE_OK);
    size_t n = (2u << 20) + 3;
    char *text = hone_alloc(n);
    hone_tokens ids;
    hone_str s = {text, n};
    memset(text, 'a', n);
    hone_tokens_init(&ids, 0);
    assert_int_equal(hone_tokenizer_encode(&m.t.t, s, 0, &ids), HONE_OK);
    assert_int_equal(ids.n, (n / 4) + 2);
    assert_int_equal(ids.ids[0], 257);
    assert_int_equal(ids.ids[ids.n - 2], 256);
    assert_int_equal(ids.ids[ids.n - 1], 97);
    hone_tokens_release(&ids);
    hone_free(text);
    drop(&m);
}

/* Words beside the limit of 16 bytes, of 40 bytes, of 8 ids: through the cache, the scan and the heap. */
static void test_every_way_of_merging_agrees(void **state)
{
    (void)state;
    made m;
    assert_int_equal(make(&m, HELLO, HELLO_MERGES, "", ""), HONE_OK);
    for (size_t n = 1; n < 100; n++) {
        char text[100];
        hone_tokens once, twice;
        hone_str s = {text, n};
        for (size_t i = 0; i < n; i++)
            text[i] = "hell"[i % 4];
        hone_tokens_init(&once, HONE_TOKENS_SPANS);
        hone_tokens_init(&twice, HONE_TOKENS_SPANS);
        assert_int_equal(hone_tokenizer_encode(&m.t.t, s, 0, &once), HONE_OK);
        assert_int_equal(hone_tokenizer_encode(&m.t.t, s, 0, &twice), HONE_OK);
        assert_int_equal(once.n, n / 4 + (n % 4 == 3 ? 2 : n % 4 != 0));
        assert_int_equal(once.n, twice.n);
        assert_memory_equal(once.ids, twice.ids, once.n * sizeof *once.ids);
        assert_memory_equal(once.spans, twice.spans, once.n * sizeof *once.spans);
        hone_tokens_release(&once);
        hone_tokens_release(&twice);
    }
    drop(&m);
}

typedef struct worker {
    const hone_tokenizer *t;
    uint64_t sum;
} worker;

static void *encode_much(void *arg)
{
    worker *w = arg;
    hone_buf text;
    uint64_t seed = 3;
    hone_buf_init(&text, 1 << 16);
    for (int i = 0; i < 3000; i++) {
        hone_tokens ids;
        random_text(&seed, &text);
        hone_tokens_init(&ids, 0);
        if (hone_tokenizer_encode(w->t, hone_buf_str(&text), 0, &ids) < 0)
            break;
        for (size_t k = 0; k < ids.n; k++)
            w->sum = w->sum * 31 + (uint64_t)ids.ids[k];
        hone_tokens_release(&ids);
    }
    hone_buf_release(&text);
    return NULL;
}

static void test_threads_share_one_instance(void **state)
{
    (void)state;
    made m;
    worker w[4];
    pthread_t thread[4];
    assert_int_equal(make(&m, HELLO, HELLO_MERGES, "", ""), HONE_OK);
    memset(w, 0, sizeof w);
    for (int i = 0; i < 4; i++) {
        w[i].t = &m.t.t;
        assert_int_equal(pthread_create(&thread[i], NULL, encode_much, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_true(w[i].sum == w[0].sum && w[i].sum != 0);
    drop(&m);
}

static void test_every_failed_allocation_of_the_plugin_is_reported(void **state)
{
    (void)state;
    size_t before, after, bytes;
    char *vocab = alphabet(HELLO),
         *json = spec(
             vocab, HELLO_MERGES, "\"ignore_merges\":true,",
             "\"normalizer\":{\"type\":\"NFC\"},\"added_tokens\":[" ADDED(300, "<s>", "") "],");
    hone_arena arena;
    hone_value v;
    int done = 0;
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_json_parse(json, strlen(json), "spec", &arena, &v), HONE_OK);
    hone_alloc_stats(&before, &bytes);
    for (uint64_t n = 1; n < 200 && !done; n++) {
        tt_tokenizer t;
        hone_tokens ids;
        hone_str text = hone_str_c(
            "hello e\xCC\x81 <s> hellhellhellhellhellhellhellhellhellhellhellhell");
        hone_tokens_init(&ids, HONE_TOKENS_SPANS);
        hone_alloc_fail_after(n, 0);
        hone_status s = tt_create(&t, &v, 0);
        int made_it = s >= 0;
        if (s >= 0)
            s = hone_tokenizer_encode(&t.t, text, 0, &ids);
        hone_alloc_fail_after(0, 0);
        if (made_it)
            tt_destroy(&t);
        hone_tokens_release(&ids);
        if (s < 0)
            assert_int_equal(s, HONE_E_NOMEM);
        done = s >= 0;
        hone_alloc_stats(&after, &bytes);
        assert_int_equal(after, before);
    }
    assert_true(done);
    hone_free(vocab);
    hone_free(json);
    hone_arena_release(&arena);
}

static void test_fingerprint_tells_tokenizers_apart(void **state)
{
    (void)state;
    char a[65], b[65], c[65];
    made m;
    assert_int_equal(make(&m, HELLO, HELLO_MERGES, "", ""), HONE_OK);
    hone_tokenizer_fingerprint(&m.t.t, a);
    drop(&m);
    assert_int_equal(make(&m, HELLO, HELLO_MERGES, "", ""), HONE_OK);
    hone_tokenizer_fingerprint(&m.t.t, b);
    drop(&m);
    assert_int_equal(make(&m, HELLO, "[\"l l\",\"h e\",[\"he\",\"ll\"],\"\\u0120 w\"]", "", ""),
                     HONE_OK);
    hone_tokenizer_fingerprint(&m.t.t, c);
    drop(&m);
    assert_int_equal(strlen(a), 64);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------------ */
static void test_gguf_llama_vocabulary_is_decoded(void **state)
{
    (void)state;
    tt_tokenizer t;
    hone_arena arena;
    hone_buf out;
    hone_tokens none;
    hone_arena_init(&arena, 0);
    hone_buf_init(&out, 1 << 16);
    assert_int_equal(
        tt_create_text(&t, &arena,
                       "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"llama\","
                       "\"tokenizer.ggml.tokens\":[\"<unk>\",\"<s>\",\"</s>\","
                       "\"<0xE4>\",\"<0xB8>\",\"<0xAD>\",\"\\u2581Once\",\"\\u2581a\",\".\",\"<"
                       "0x41>\"],\"tokenizer.ggml.token_type\":[2,3,3,6,6,6,1,1,1,1],"
                       "\"tokenizer.ggml.bos_token_id\":1,\"tokenizer.ggml.eos_token_id\":2,"
                       "\"tokenizer.ggml.padding_token_id\":4294967295}}"),
        HONE_OK);
    assert_int_equal(hone_tokenizer_decode(&t.t, (int32_t[]){1, 6, 7, 8, 3, 4, 5, 9}, 8,
                                           HONE_DECODE_SKIP_SPECIAL, &out),
                     HONE_OK);
    assert_string_equal(
        out.ptr, "Once a.\xE4\xB8\xAD<0x41>"); /* no space behind bos; a normal token is its text */
    hone_buf_clear(&out);
    assert_int_equal(hone_tokenizer_decode(&t.t, (int32_t[]){6, 7, 3}, 3, 0, &out), HONE_OK);
    assert_string_equal(out.ptr, " Once a\xEF\xBF\xBD");
    hone_tokens_init(&none, 0);
    assert_int_equal(hone_tokenizer_encode(&t.t, hone_str_c("Once"), 0, &none), HONE_E_UNSUPPORTED);
    assert_non_null(strstr(hone_error_get()->what, "scores is missing"));
    assert_int_equal(t.t.pad, -1);
    assert_int_equal(t.t.bos, 1);
    assert_int_equal(hone_tokenizer_decode(&t.t, (int32_t[]){99}, 1, 0, &out), HONE_E_RANGE);
    assert_int_equal(hone_tokenizer_decode(&t.t, (int32_t[]){-1}, 1, 0, &out), HONE_E_RANGE);
    tt_destroy(&t);
    hone_buf_release(&out);
    hone_arena_release(&arena);
}

/* ---- the references --------------------------------------------------------------------------------------------------- */
static void ids_are(const tt_tokenizer *t, hone_str text, const int32_t *want, size_t n, int spaced)
{
    hone_tokens ids;
    hone_buf back;
    hone_tokens_init(&ids, 0);
    hone_buf_init(&back, 1 << 26);
    assert_int_equal(hone_tokenizer_encode(&t->t, text, HONE_ENCODE_SPECIAL, &ids), HONE_OK);
    if (ids.n != n || (n > 0 && memcmp(ids.ids, want, n * sizeof *want) != 0))
        fprintf(stderr, "differs: %.*s\n", (int)(text.len < 300 ? text.len : 300), text.ptr);
    assert_int_equal(ids.n, n);
    if (n)
        assert_memory_equal(ids.ids, want, n * sizeof *want);
    assert_int_equal(hone_tokenizer_decode(&t->t, ids.ids, ids.n, 0, &back), HONE_OK);
    hone_str got = hone_buf_str(&back);
    if (n && spaced) { /* the space the tokenizer put in front */
        assert_true(got.len && got.ptr[0] == ' ');
        got.ptr++;
        got.len--;
    }
    assert_true(hone_str_same(got, text));
    hone_buf_release(&back);
    hone_tokens_release(&ids);
}

/* llama.cpp's pairs: texts divided by a line, ids a line each. */
static void check_pairs(const tt_tokenizer *t, const char *name, int spaced)
{
    char path[128];
    hone_buf texts, ids;
    size_t cases = 0;
    hone_buf_init(&texts, 1 << 20);
    hone_buf_init(&ids, 1 << 20);
    snprintf(path, sizeof path, "assets/tokenizers/gguf-vocab/ggml-vocab-%s.gguf.inp", name);
    assert_int_equal(hone_file_read(shared_path(path), 1 << 20, &texts), HONE_OK);
    snprintf(path, sizeof path, "assets/tokenizers/gguf-vocab/ggml-vocab-%s.gguf.out", name);
    assert_int_equal(hone_file_read(shared_path(path), 1 << 20, &ids), HONE_OK);
    const char *q = ids.ptr;
    for (char *p = texts.ptr; p;) {
        static const char mark[] = "\n__ggml_vocab_test__\n";
        char *end = strstr(p, mark);
        hone_str text = {p, end ? (size_t)(end - p) : strlen(p)};
        int32_t want[4096];
        size_t n = 0;
        for (; *q && *q != '\n' && n < 4096; n++) {
            char *after;
            want[n] = (int32_t)strtol(q, &after, 10);
            q = after;
            while (*q == ' ')
                q++;
        }
        q += *q == '\n';
        ids_are(t, text, want, n, spaced);
        cases++;
        p = end ? end + sizeof mark - 1 : NULL;
    }
    assert_true(cases >= 40);
    hone_buf_release(&texts);
    hone_buf_release(&ids);
}

static void test_gguf_pairs(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt-2", "phi-3"};
    if (!shared_path("assets/tokenizers/gguf-vocab"))
        skip_without("assets/tokenizers/gguf-vocab");
    for (int i = 0; i < 2; i++) {
        char path[128];
        hone_weights *w;
        tt_tokenizer t;
        snprintf(path, sizeof path, "assets/tokenizers/gguf-vocab/ggml-vocab-%s.gguf", names[i]);
        assert_int_equal(hone_weights_open(shared_path(path), HONE_WEIGHTS_NO_TENSORS, &w),
                         HONE_OK);
        assert_int_equal(tt_create(&t, hone_weights_tokenizer(w), 0), HONE_OK);
        check_pairs(&t, names[i], i == 1);
        tt_destroy(&t);
        hone_weights_close(w);
    }
}

/* A tokenizer.json tree of vocab.json and merges.txt. */
static void load_pair(hone_arena *arena, const char *vocab_path, const char *merges_path,
                      const char *rules, tt_tokenizer *t)
{
    hone_buf vocab, merges, list;
    hone_value *v = hone_arena_alloc(arena, sizeof *v);
    hone_buf_init(&vocab, 1 << 26);
    hone_buf_init(&merges, 1 << 26);
    hone_buf_init(&list, 1 << 26);
    assert_int_equal(hone_file_read(vocab_path, 1 << 26, &vocab), HONE_OK);
    assert_int_equal(hone_file_read(merges_path, 1 << 26, &merges), HONE_OK);
    hone_jw w;
    hone_jw_init(&w, &list, 0);
    hone_jw_list(&w);
    for (char *p = merges.ptr, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        hone_str line = {p, end ? (size_t)(end - p) : strlen(p)};
        if (line.len && strncmp(p, "#version", 8) != 0)
            hone_jw_str(&w, line);
        if (!end)
            break;
    }
    hone_jw_end(&w);
    char *json = spec(vocab.ptr, list.ptr, "", rules);
    assert_int_equal(hone_json_parse(json, strlen(json), "spec", arena, v), HONE_OK);
    assert_int_equal(tt_create(t, v, 0), HONE_OK);
    hone_free(json);
    hone_buf_release(&vocab);
    hone_buf_release(&merges);
    hone_buf_release(&list);
}

static void test_gpt2_and_qwen2_files(void **state)
{
    (void)state;
    tt_tokenizer t;
    hone_arena arena;
    if (!shared_path("assets/tokenizers/qwen2/vocab.json"))
        skip_without("assets/tokenizers/qwen2");
    hone_arena_init(&arena, (size_t)1 << 32);
    load_pair(&arena, shared_path("assets/tokenizers/gpt2/vocab.json"),
              shared_path("assets/tokenizers/gpt2/merges.txt"), "", &t);
    check_pairs(&t, "gpt-2", 0);
    tt_destroy(&t);
    load_pair(&arena, shared_path("assets/tokenizers/qwen2/vocab.json"),
              shared_path("assets/tokenizers/qwen2/merges.txt"),
              "\"normalizer\":{\"type\":\"NFC\"}," SPLIT(LLAMA("")), &t);
    check_pairs(&t, "qwen2", 0);
    tt_destroy(&t);
    hone_arena_release(&arena);
}

static void test_smollm2_ids(void **state)
{
    (void)state;
    const char *path = shared_path("goldens/smollm2_tokenizer.jsonl");
    hone_weights *w;
    tt_tokenizer t;
    hone_buf file;
    hone_arena arena;
    hone_value row;
    size_t cases = 0;
    if (!path)
        skip_without("goldens/smollm2_tokenizer.jsonl");
    if (hone_weights_open("smollm2-135m-instruct", HONE_WEIGHTS_NO_TENSORS, &w) < 0) {
        fprintf(stderr, "skipped: smollm2-135m-instruct is not there (scripts/fetch-model)\n");
        skip();
    }
    assert_int_equal(tt_create(&t, hone_weights_tokenizer(w), 0), HONE_OK);
    hone_buf_init(&file, 1 << 26);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_file_read(path, 1 << 26, &file), HONE_OK);
    for (char *p = file.ptr, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_int_equal(hone_json_parse(p, (size_t)(end - p), "golden", &arena, &row), HONE_OK);
        const hone_value *list = hone_value_get(&row, "ids");
        int32_t *want = hone_alloc(list->u.list.n * sizeof *want);
        for (size_t i = 0; i < list->u.list.n; i++)
            want[i] = (int32_t)list->u.list.items[i].u.i64;
        ids_are(&t, hone_value_get(&row, "text")->u.str, want, list->u.list.n, 0);
        hone_free(want);
        cases++;
    }
    assert_int_equal(cases, 141);
    hone_buf_release(&file);
    hone_arena_release(&arena);
    tt_destroy(&t);
    hone_weights_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_go_by_rank_and_keep_places),
        cmocka_unit_test(test_what_a_file_gets_wrong_is_named),
        cmocka_unit_test(test_what_is_not_handled_is_refused_by_name),
        cmocka_unit_test(test_added_tokens_are_found_as_their_flags_say),
        cmocka_unit_test(test_post_processor_adds_its_tokens_when_asked),
        cmocka_unit_test(test_nfc_keeps_the_places_of_the_text_as_written),
        cmocka_unit_test(test_prefix_space_has_no_place),
        cmocka_unit_test(test_bytes_without_token_become_unk_or_nothing),
        cmocka_unit_test(test_ignore_merges_takes_whole_words),
        cmocka_unit_test(test_hand_written_scanners_cut_as_their_patterns),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_a_word_of_two_megabytes_is_merged_in_time),
        cmocka_unit_test(test_every_way_of_merging_agrees),
        cmocka_unit_test(test_threads_share_one_instance),
        cmocka_unit_test(test_every_failed_allocation_of_the_plugin_is_reported),
        cmocka_unit_test(test_fingerprint_tells_tokenizers_apart),
        cmocka_unit_test(test_gguf_llama_vocabulary_is_decoded),
        cmocka_unit_test(test_gguf_pairs),
        cmocka_unit_test(test_gpt2_and_qwen2_files),
        cmocka_unit_test(test_smollm2_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
