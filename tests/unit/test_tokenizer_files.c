/* Tokenizers from the files they come in: ids of the reference implementations, and what damaged files get. */
#include "text_support.h"

#include "base/file.h"
#include "nn/reader.h"

typedef struct opened {
    hone_weights *w;
    tt_tokenizer t;
} opened;

static hone_status open_file(opened *o, const char *path)
{
    HONE_TRY(hone_weights_open(path, HONE_WEIGHTS_NO_TENSORS, &o->w));
    hone_status s = tt_create(&o->t, hone_weights_tokenizer(o->w), 0);
    if (s < 0)
        hone_weights_close(o->w);
    return s;
}

static void close_file(opened *o)
{
    tt_destroy(&o->t);
    hone_weights_close(o->w);
}

/* Numbers up to `end` (or a line's end) from *p on. */
static size_t numbers(const char **p, char end, int32_t *out, size_t most)
{
    size_t n = 0;
    while (**p && **p != end && **p != '\n' && n < most) {
        char *after;
        long v = strtol(*p, &after, 10);
        if (after == *p) {
            ++*p;
            continue;
        }
        out[n++] = (int32_t)v;
        *p = after;
    }
    return n;
}

static void ids_are(opened *o, hone_str text, const int32_t *want, size_t n, int whole)
{
    hone_tokens ids;
    hone_buf back;
    hone_tokens_init(&ids, HONE_TOKENS_SPANS);
    hone_buf_init(&back, 1 << 26);
    assert_int_equal(hone_tokenizer_encode(&o->t.t, text, HONE_ENCODE_SPECIAL, &ids), HONE_OK);
    if (ids.n != n || (n && memcmp(ids.ids, want, n * sizeof *want) != 0))
        fprintf(stderr, "differs: %.*s\n", (int)(text.len < 200 ? text.len : 200), text.ptr);
    assert_int_equal(ids.n, n);
    if (n)
        assert_memory_equal(ids.ids, want, n * sizeof *want);
    if (whole) { /* byte-level: the text comes back, and the places tile it */
        assert_int_equal(hone_tokenizer_decode_bytes(&o->t.t, ids.ids, ids.n, 0, &back), HONE_OK);
        assert_true(hone_str_same(hone_buf_str(&back), text));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(ids.spans[i].begin, i ? ids.spans[i - 1].end : 0);
    }
    hone_buf_release(&back);
    hone_tokens_release(&ids);
}

/* llama.cpp's pairs of texts (divided by a line) and ids (a line each). */
static void pairs(opened *o, const char *name)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char path[160];
    hone_buf texts, ids;
    size_t cases = 0;
    hone_buf_init(&texts, 1 << 20);
    hone_buf_init(&ids, 1 << 20);
    snprintf(path, sizeof path, "assets/tokenizers/gguf-vocab/ggml-vocab-%s.gguf.inp", name);
    assert_int_equal(hone_file_read(shared_path(path), 1 << 20, &texts), HONE_OK);
    snprintf(path, sizeof path, "assets/tokenizers/gguf-vocab/ggml-vocab-%s.gguf.out", name);
    assert_int_equal(hone_file_read(shared_path(path), 1 << 20, &ids), HONE_OK);
    const char *q = ids.ptr;
    for (char *p = texts.ptr; p; cases++) {
        char *end = strstr(p, mark);
        hone_str text = {p, end ? (size_t)(end - p) : strlen(p)};
        int32_t want[4096];
        size_t n = numbers(&q, '\n', want, 4096);
        q += *q == '\n';
        ids_are(o, text, want, n, 1);
        p = end ? end + sizeof mark - 1 : NULL;
    }
    assert_true(cases >= 40);
    hone_buf_release(&texts);
    hone_buf_release(&ids);
}

static void test_vocab_and_merges_give_the_ids_of_the_pairs(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"gpt-2", "gpt2"}, {"qwen2", "qwen2"}};
    if (!shared_path("assets/tokenizers/gguf-vocab"))
        skip_without("assets/tokenizers/gguf-vocab");
    for (int i = 0; i < 2; i++) {
        char path[128];
        opened o;
        snprintf(path, sizeof path, "assets/tokenizers/%s", names[i][1]);
        assert_int_equal(open_file(&o, shared_path(path)), HONE_OK);
        pairs(&o, names[i][0]);
        if (i) {
            assert_int_equal(hone_tokenizer_stop_id(&o.t.t, hone_str_c("<|im_end|>")), 151645);
            assert_int_equal(o.t.t.eos, 151645);
        }
        close_file(&o);
    }
}

/* "EncodingName: E\nSample: text\nEncoded: [1, 2]\n" again and again; texts may hold lines. */
static size_t plan(opened *o, const char *encoding, const char *text)
{
    size_t cases = 0;
    char head[80];
    int k = snprintf(head, sizeof head, "EncodingName: %s\n", encoding);
    for (const char *p = text; (p = strstr(p, head)) != NULL; cases++) {
        const char *sample = p + k + strlen("Sample: "), *end = strstr(sample, "\nEncoded: [");
        int32_t want[8192];
        assert_non_null(end);
        hone_str s = {sample, (size_t)(end - sample)};
        const char *q = end + strlen("\nEncoded: [");
        size_t n = numbers(&q, ']', want, 8192);
        ids_are(o, s, want, n, 1);
        p = q;
    }
    return cases;
}

static void test_tiktoken_files_give_the_ids_of_the_plans(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ranks;
        size_t cases;
    } all[] = {{"r50k_base", "r50k_base", 67},   {"p50k_base", "p50k_base", 67},
               {"p50k_edit", "p50k_base", 72},   {"cl100k_base", "cl100k_base", 75},
               {"o200k_base", "o200k_base", 70}, {"o200k_harmony", "o200k_base", 84}};
    hone_buf text;
    if (!shared_path("assets/tokenizers/tiktoken"))
        skip_without("assets/tokenizers/tiktoken");
    hone_buf_init(&text, 1 << 22);
    assert_int_equal(
        hone_file_read(shared_path("assets/tokenizers/tiktoken/TestPlans.txt"), 1 << 22, &text),
        HONE_OK);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char from[128], name[64];
        opened o;
        snprintf(from, sizeof from, "assets/tokenizers/tiktoken/%s.tiktoken", all[i].ranks);
        snprintf(name, sizeof name, "%s.tiktoken", all[i].name); /* the name says which */
        const char *to = scratch_path(name);
        assert_int_equal(hone_file_copy(shared_path(from), to), HONE_OK);
        assert_int_equal(open_file(&o, to), HONE_OK);
        assert_int_equal(plan(&o, all[i].name, text.ptr), all[i].cases);
        close_file(&o);
    }
    hone_buf_release(&text);
}

static void test_sentencepiece_models_give_the_ids_expected(void **state)
{
    (void)state;
    hone_arena arena;
    hone_value list;
    if (!shared_path("assets/tokenizers/sentencepiece"))
        skip_without("assets/tokenizers/sentencepiece");
    hone_arena_init(&arena, 0);
    assert_int_equal(
        hone_json_parse_file(shared_path("assets/tokenizers/sentencepiece/hf_expected.json"),
                             1 << 20, &arena, &list),
        HONE_OK);
    assert_int_equal(list.u.list.n, 4);
    for (size_t i = 0; i < list.u.list.n; i++) {
        const hone_value *row = &list.u.list.items[i], *ids = hone_value_get(row, "ids");
        int32_t want[64];
        char path[160];
        opened o;
        for (size_t k = 0; k < ids->u.list.n; k++)
            want[k] = (int32_t)ids->u.list.items[k].u.i64;
        snprintf(path, sizeof path, "assets/tokenizers/sentencepiece/%s",
                 hone_value_get(row, "model")->u.str.ptr);
        assert_int_equal(open_file(&o, shared_path(path)), HONE_OK);
        ids_are(&o, hone_value_get(row, "text")->u.str, want, ids->u.list.n, 0);
        close_file(&o);
    }
    hone_arena_release(&arena);
}

/* ---- a SentencePiece model of our own ---------------------------------------------------------------- */
static void varint(hone_buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        hone_buf_addc(b, (char)(v | 0x80));
    hone_buf_addc(b, (char)v);
}

static void field_bytes(hone_buf *b, unsigned number, const void *p, size_t n)
{
    varint(b, number << 3 | 2);
    varint(b, n);
    hone_buf_add(b, p, n);
}

static void field_number(hone_buf *b, unsigned number, uint64_t v)
{
    varint(b, number << 3);
    varint(b, v);
}

static void piece(hone_buf *b, const char *text, float score, unsigned type)
{
    hone_buf m;
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    hone_buf_init(&m, 1 << 16);
    field_bytes(&m, 1, text, strlen(text));
    varint(&m, 2 << 3 | 5);
    for (int i = 0; i < 4; i++)
        hone_buf_addc(&m, (char)(bits >> 8 * i));
    if (type != 1)
        field_number(&m, 3, type);
    field_bytes(b, 1, m.ptr, m.len);
    hone_buf_release(&m);
}

#define WS "\xE2\x96\x81"

/* unigram (1) or bpe (2), with a user's piece, bytes for "z" and, when asked, a charsmap. */
static void model(hone_buf *b, unsigned type, int bytes, const void *map, size_t n_map)
{
    hone_buf m;
    piece(b, "<unk>", 0, 2);
    piece(b, "<s>", 0, 3);
    piece(b, "</s>", 0, 3);
    piece(b, WS, -4, 1);
    piece(b, "a", -3, 1);
    piece(b, "b", -3.5F, 1);
    piece(b, "ab", -1, 1);
    piece(b, WS "ab", -2, 1);
    piece(b, "<sep>", 0, 4);
    piece(b, "ba", -0.5F, 5); /* unused: joined through, never given */
    if (bytes)
        piece(b, "<0x7A>", 0, 6);
    hone_buf_init(&m, 1 << 16);
    field_number(&m, 3, type);
    field_number(&m, 35, (uint64_t)bytes);
    field_bytes(b, 2, m.ptr, m.len);
    hone_buf_clear(&m);
    field_bytes(&m, 1, "own", 3);
    if (n_map)
        field_bytes(&m, 2, map, n_map);
    field_bytes(b, 3, m.ptr, m.len);
    hone_buf_release(&m);
}

static hone_status open_bytes(opened *o, const char *name, const void *p, size_t n)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return open_file(o, path);
}

static void encodes(opened *o, const char *text, const char *want)
{
    hone_tokens ids;
    hone_buf b;
    hone_tokens_init(&ids, HONE_TOKENS_SPANS);
    hone_buf_init(&b, 1 << 16);
    assert_int_equal(hone_tokenizer_encode(&o->t.t, hone_str_c(text), HONE_ENCODE_SPECIAL, &ids),
                     HONE_OK);
    for (size_t i = 0; i < ids.n; i++)
        hone_buf_addf(&b, "%s%d:%u-%u", i ? " " : "", ids.ids[i], ids.spans[i].begin,
                      ids.spans[i].end);
    hone_buf_addc(&b, 0);
    assert_string_equal(b.ptr, want);
    hone_buf_release(&b);
    hone_tokens_release(&ids);
}

static void test_a_sentencepiece_model_of_each_type(void **state)
{
    (void)state;
    for (unsigned type = 1; type <= 2; type++) {
        hone_buf b;
        opened o;
        hone_buf_init(&b, 1 << 16);
        model(&b, type, 1, NULL, 0);
        assert_int_equal(open_bytes(&o, "own.model", b.ptr, b.len), HONE_OK);
        encodes(&o, "ab", "7:0-2"); /* the space in front has no place of its own */
        encodes(&o, "  ab   a ",
                "7:2-4 3:4-5 4:7-8"); /* runs of spaces are one, none at the ends */
        encodes(&o, "a<sep>b", "3:0-0 4:0-1 8:1-6 5:6-7");
        encodes(&o, "z", "3:0-0 10:0-1"); /* no piece: its byte */
        encodes(&o, "a<s>ab", "3:0-0 4:0-1 1:1-4 7:4-6");
        encodes(&o, "xx", "3:0-0 0:0-2"); /* no piece and no byte: one unknown */
        encodes(&o, "", "");
        close_file(&o);
        hone_buf_release(&b);
    }
}

static void decodes(opened *o, const int32_t *ids, size_t n, const char *want)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 16);
    assert_int_equal(hone_tokenizer_decode(&o->t.t, ids, n, 0, &b), HONE_OK);
    hone_buf_addc(&b, 0);
    assert_string_equal(b.ptr, want);
    hone_buf_release(&b);
}

static void test_sentencepiece_models_of_words_and_characters(void **state)
{
    (void)state;
    hone_buf b;
    opened o;
    hone_buf_init(&b, 1 << 16);
    model(&b, 3, 0, NULL, 0); /* words: cut before each space, whole or unknown */
    assert_int_equal(open_bytes(&o, "own.model", b.ptr, b.len), HONE_OK);
    encodes(&o, "ab ab", "7:0-2 7:2-5");
    encodes(&o, "ab x <sep> ab", "7:0-2 0:2-10 7:10-13"); /* unknowns in a row are one */
    encodes(&o, "a", "0:0-1");
    close_file(&o);
    hone_buf_clear(&b);
    model(&b, 4, 1, NULL, 0); /* characters and the user's pieces */
    assert_int_equal(open_bytes(&o, "own.model", b.ptr, b.len), HONE_OK);
    encodes(&o, "ab<sep>a", "3:0-0 4:0-1 5:1-2 8:2-7 4:7-8");
    encodes(&o, "zxb", "3:0-0 10:0-1 0:1-2 5:2-3");
    close_file(&o);
    hone_buf_release(&b);
}

/* A charsmap that says 'a' is "b": a trie of one character in a double array. */
static size_t a_is_b(unsigned char out[4 + 4 * 98 + 2])
{
    memset(out, 0, 4 + 4 * 98 + 2);
    out[0] = 4 * 98 & 255;
    out[1] = 4 * 98 >> 8;
    unsigned char *unit = out + 4 + 4 * 'a';
    unit[0] = 'a';             /* its label */
    unit[1] = 1 | 1 << 2;      /* it has a value, at its place xor 1 */
    out[4 + 4 * 96 + 3] = 128; /* the value: the text at 0 */
    out[4 + 4 * 98] = 'b';
    return 4 + 4 * 98 + 2;
}

static void test_a_denormalizer_changes_what_is_decoded(void **state)
{
    (void)state;
    static const int32_t ids[] = {3, 4, 6, 4}, one[] = {7};
    unsigned char map[4 + 4 * 98 + 2];
    size_t n = a_is_b(map);
    hone_buf b, m;
    opened o;
    hone_buf_init(&b, 1 << 16);
    hone_buf_init(&m, 1 << 16);
    model(&b, 2, 0, NULL, 0);
    field_bytes(&m, 2, map, n);
    for (unsigned f = 3; f <= 5; f++)
        field_number(&m, f, 0);
    field_bytes(&b, 5, m.ptr, m.len);
    assert_int_equal(open_bytes(&o, "own.model", b.ptr, b.len), HONE_OK);
    encodes(&o, "ab", "7:0-2"); /* not what is encoded */
    decodes(&o, ids, 4, "bbbb");
    decodes(&o, one, 1, "bb");
    close_file(&o);
    hone_buf_release(&m);
    hone_buf_release(&b);
}

static void test_a_damaged_sentencepiece_model_is_an_error_wherever_it_is_cut(void **state)
{
    (void)state;
    static const unsigned char map[] = {8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x', 0};
    hone_buf b;
    opened o;
    hone_buf_init(&b, 1 << 16);
    model(&b, 1, 1, map, sizeof map);
    assert_int_equal(open_bytes(&o, "own.model", b.ptr, b.len), HONE_OK);
    close_file(&o);
    size_t refused = 0;
    for (size_t n = 0; n < b.len; n++) {
        hone_status s = open_bytes(&o, "own.model", b.ptr, n);
        if (s >= 0) { /* cut between two parts: a shorter model */
            close_file(&o);
            continue;
        }
        refused++;
        assert_true(s == HONE_E_PARSE || s == HONE_E_UNSUPPORTED);
        assert_non_null(strstr(hone_error_get()->what, "own.model"));
    }
    assert_true(refused > b.len * 3 / 4);
    for (size_t i = 0; i < b.len; i++) /* any byte may be anything */
        for (int bit = 0; bit < 8; bit += 3) {
            b.ptr[i] ^= (char)(1 << bit);
            if (open_bytes(&o, "own.model", b.ptr, b.len) >= 0) {
                hone_tokens ids;
                hone_tokens_init(&ids, HONE_TOKENS_SPANS);
                assert_int_equal(
                    hone_tokenizer_encode(&o.t.t, hone_str_c(" ab<sep> z\xFFx"), 0, &ids), HONE_OK);
                hone_tokens_release(&ids);
                close_file(&o);
            }
            b.ptr[i] ^= (char)(1 << bit);
        }
    hone_buf_release(&b);
}

static void test_what_is_wrong_in_a_file_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *said;
        hone_status code;
    } cases[] = {
        {"gpt2.tiktoken", "", "vocabulary is empty", HONE_E_PARSE},
        {"gpt2.tiktoken", "IQ== 0\nIg==\n", "line 2: no \"base64 rank\"", HONE_E_PARSE},
        {"gpt2.tiktoken", "IQ== 0\n!! 1\n", "line 2: the token is no base64", HONE_E_PARSE},
        {"gpt2.tiktoken", "IQ== 0\nIg== x\n", "line 2: the rank is no number", HONE_E_PARSE},
        {"gpt2.tiktoken", "IQ== 99999999999999999999\n", "line 1: the rank is no number",
         HONE_E_PARSE},
        {"gpt2.tiktoken", "IQ== 0\nIQ== 1\n", "given twice", HONE_E_PARSE},
        {"gpt2.tiktoken", "IQ== 0\nIg== 0\n", "id 0 is given twice", HONE_E_PARSE},
        {"other.tiktoken", "IQ== 0\n", "known: r50k_base", HONE_E_UNSUPPORTED},
        {"a.model", "", "vocabulary is empty", HONE_E_PARSE},
        {"a.model", "not a model at all", "a.model: byte", HONE_E_PARSE},
        {"a.model", "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", "past the end", HONE_E_PARSE},
        {"a.model", "\x0B", "unknown wire type", HONE_E_PARSE},
        {"a.model", "\x0A\x04\x0A\x02zz", "no piece is of type unknown", HONE_E_PARSE},
        {"a.model", "\x0A\x02\x0A\x00", "a piece is empty", HONE_E_PARSE},
        {"a.model", "\x0A\x06\x0A\x02zz\x18\x09", "type is unknown", HONE_E_PARSE},
        {"a.model", "\x12\x02\x18\x05", "model type 5", HONE_E_UNSUPPORTED},
        {"vocab.txt", "[UNK]\na\n\nb\n", "line 3 is empty", HONE_E_PARSE},
        {"vocab.txt", "[UNK]\na\na\n", "given twice: ids 1 and 2", HONE_E_PARSE},
        {"vocab.txt", "a\nb\n", "there is no [UNK]", HONE_E_PARSE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        opened o;
        size_t n = i == 13 ? 4 : strlen(cases[i].text);
        hone_status s = open_bytes(&o, cases[i].name, cases[i].text, n);
        if (s != cases[i].code || !strstr(hone_error_get()->what, cases[i].said))
            fprintf(stderr, "%zu: %d %s\n", i, s, s < 0 ? hone_error_get()->what : "");
        assert_int_equal(s, cases[i].code);
        assert_non_null(strstr(hone_error_get()->what, cases[i].said));
        unlink(scratch_path(cases[i].name));
    }
}

static void test_vocab_txt_is_wordpiece_as_bert_has_it(void **state)
{
    (void)state;
    static const char text[] =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n,\nel\n\xE4\xB8\xAD\n";
    opened o;
    hone_buf b;
    assert_int_equal(open_bytes(&o, "vocab.txt", text, strlen(text)), HONE_OK);
    encodes(&o,
            "UNaff\xC3\xA0"
            "ble,\xC3\x89L",
            "4:0-2 5:2-5 6:5-10 7:10-11 8:11-14");
    encodes(&o,
            "un\xE4\xB8\xAD"
            "el unknown",
            "4:0-2 9:2-5 8:5-7 1:8-15");
    encodes(&o, "[CLS] un", "2:0-5 4:6-8");
    hone_buf_init(&b, 1 << 16);
    assert_int_equal(hone_tokenizer_decode(&o.t.t, (int32_t[]){4, 5, 6, 7, 8}, 5, 0, &b), HONE_OK);
    assert_true(hone_str_eq(hone_buf_str(&b), "unaffable, el"));
    hone_buf_release(&b);
    close_file(&o);
    unlink(scratch_path("vocab.txt"));
}

static hone_status open_text(opened *o, hone_arena *arena, const char *text)
{
    o->w = NULL;
    return tt_create_text(&o->t, arena, text);
}

static void test_gguf_vocabularies_of_kind_bert_and_t5(void **state)
{
    (void)state;
    opened o;
    hone_arena arena;
    hone_tokens ids;
    hone_arena_init(&arena, 0);
    hone_tokens_init(&ids, 0);
    assert_int_equal(
        open_text(&o, &arena,
                  "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"bert\","
                  "\"tokenizer.ggml.tokens\":[\"[PAD]\",\"[UNK]\",\"[CLS]\",\"[SEP]\","
                  "\"\u2581un\",\"aff\",\"able\",\"\u2581,\"],"
                  "\"tokenizer.ggml.token_type\":[3,2,3,3,1,1,1,1],"
                  "\"tokenizer.ggml.unknown_token_id\":1,\"tokenizer.ggml.bos_token_id\":2,"
                  "\"tokenizer.ggml.seperator_token_id\":3}}"),
        HONE_OK);
    encodes(&o,
            "UNaff\xC3\xA0"
            "ble, x",
            "4:0-2 5:2-5 6:5-10 7:10-11 1:12-13");
    assert_int_equal(hone_tokenizer_encode(&o.t.t, hone_str_c("un"), HONE_ENCODE_ADD, &ids),
                     HONE_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.ids[0], 2);
    assert_int_equal(ids.ids[2], 3);
    tt_destroy(&o.t);
    static const char t5[] = "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"t5\","
                             "\"tokenizer.ggml.tokens\":[\"<pad>\",\"</"
                             "s>\",\"<unk>\",\"\u2581\",\"a\",\"b\",\"ab\",\"<x>\"],"
                             "\"tokenizer.ggml.scores\":[0,0,0,-2,-3,-3.5,-4,0],"
                             "\"tokenizer.ggml.token_type\":[3,3,2,1,1,1,1,4],\"tokenizer.ggml."
                             "remove_extra_whitespaces\":true,"
                             "\"tokenizer.ggml.add_space_prefix\":true%s}}";
    char text[1024];
    snprintf(text, sizeof text, t5, "");
    assert_int_equal(open_text(&o, &arena, text), HONE_OK);
    encodes(&o, " ab  ba<x>zz", "3:1-1 6:1-3 3:3-4 5:5-6 4:6-7 7:7-10 3:10-10 2:10-12");
    assert_int_equal(o.t.t.eos, 1);
    tt_destroy(&o.t);
    snprintf(text, sizeof text, t5, ",\"tokenizer.ggml.precompiled_charsmap\":[1,2,3,4,5]");
    assert_int_equal(open_text(&o, &arena, text), HONE_E_PARSE);
    assert_non_null(strstr(hone_error_get()->what, "precompiled_charsmap"));
    snprintf(text, sizeof text, t5, ",\"tokenizer.ggml.precompiled_charsmap\":[1000]");
    assert_int_equal(open_text(&o, &arena, text), HONE_E_PARSE);
    hone_tokens_release(&ids);
    hone_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vocab_and_merges_give_the_ids_of_the_pairs),
        cmocka_unit_test(test_tiktoken_files_give_the_ids_of_the_plans),
        cmocka_unit_test(test_sentencepiece_models_give_the_ids_expected),
        cmocka_unit_test(test_a_sentencepiece_model_of_each_type),
        cmocka_unit_test(test_sentencepiece_models_of_words_and_characters),
        cmocka_unit_test(test_a_denormalizer_changes_what_is_decoded),
        cmocka_unit_test(test_a_damaged_sentencepiece_model_is_an_error_wherever_it_is_cut),
        cmocka_unit_test(test_what_is_wrong_in_a_file_is_named_with_its_place),
        cmocka_unit_test(test_gguf_vocabularies_of_kind_bert_and_t5),
        cmocka_unit_test(test_vocab_txt_is_wordpiece_as_bert_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
