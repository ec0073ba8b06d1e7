/* The host's side of tokenizers: what a component may not do, streaming, clean text. */
#include "text_support.h"

/* ---- UTF-8 ------------------------------------------------------------------------------------------------ */
#define FFFD "\xEF\xBF\xBD"

static void cleans(const char *text, size_t n, const char *want)
{
    hone_buf b;
    hone_str s = {text, n};
    hone_buf_init(&b, 1 << 16);
    assert_int_equal(hone_utf8_clean(s, &b), HONE_OK);
    assert_string_equal(b.ptr, want);
    assert_int_equal(hone_utf8_valid(s), strcmp(text, want) == 0);
    hone_buf_release(&b);
}

static void test_ill_formed_parts_become_one_mark_each(void **state)
{
    (void)state;
    cleans("aé中😀", 10, "aé中😀");
    cleans("a\xE4\xB8", 3, "a" FFFD); /* cut */
    cleans("\xE4\xB8x", 3, FFFD "x"); /* cut in the middle */
    cleans("\xF0\x9F\x98y", 4, FFFD "y");
    cleans("\x80\x80", 2, FFFD FFFD); /* continuation without a beginning */
    cleans("\xC0\xAF", 2, FFFD FFFD); /* overlong */
    cleans("\xE0\x80\x80", 3, FFFD FFFD FFFD);
    cleans("\xED\xA0\x80", 3, FFFD FFFD FFFD); /* surrogate */
    cleans("\xF4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD);
    cleans("\xF1\x80\x80\xE1\x80\xC0", 6, FFFD FFFD FFFD); /* Unicode 15, table 3-8 */
    cleans("\xFF", 1, FFFD);
    cleans("", 0, "");
}

static void test_step_tells_cut_from_wrong(void **state)
{
    (void)state;
    uint32_t code = 0;
    hone_str s = {"\xE4\xB8\xAD", 3}, cut = {"\xE4\xB8", 2}, wrong = {"\xE4z", 2};
    assert_int_equal(hone_utf8_step(s, 0, &code), 3);
    assert_int_equal(code, 0x4E2D);
    assert_int_equal(hone_utf8_step(cut, 0, &code), -1);
    assert_int_equal(hone_utf8_step(wrong, 0, &code), 0);
}

/* ---- a component that misbehaves ---------------------------------------------------------------------------- */
static struct {
    int32_t ids[4];
    hone_span32 spans[4];
    size_t n;
    int times, no_offsets, vocab, eos, cut;
    size_t first_text;
} bad;

static hone_status bad_encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                              const hone_ids_sink *sink)
{
    (void)self;
    (void)texts;
    (void)n;
    hone_status s = HONE_OK;
    for (int i = 0; i < bad.times && s >= 0; i++)
        s = sink->put(sink, bad.first_text + (size_t)i, bad.ids,
                      (flags & HONE_ENCODE_OFFSETS) && !bad.no_offsets ? bad.spans : NULL, bad.n);
    return s;
}
static hone_status bad_decode(void *self, const hone_ids *ids, size_t n, uint32_t flags,
                              const hone_text_sink *sink)
{
    (void)self;
    (void)ids;
    (void)n;
    (void)flags;
    return sink->put(sink, 0, hone_str_c("x"));
}
static int32_t bad_size(void *self)
{
    (void)self;
    return bad.vocab;
}
static hone_str bad_text(void *self, int32_t id)
{
    (void)self;
    (void)id;
    return hone_str_c("x");
}
static int32_t bad_id(void *self, hone_str text)
{
    (void)self;
    (void)text;
    return 1000; /* past the vocabulary */
}
static int32_t bad_special(void *self, const char *name)
{
    (void)self;
    return strcmp(name, "eos") == 0 ? bad.eos : -1;
}
static int32_t bad_is_special(void *self, int32_t id)
{
    (void)self;
    (void)id;
    return 1;
}
static void bad_fingerprint(void *self, char out[65])
{
    (void)self;
    memset(out, 'a', 65);
}
static int32_t bad_cut(void *self, hone_str text, uint32_t flags)
{
    (void)self;
    (void)text;
    (void)flags;
    return bad.cut;
}
static hone_tokenizer_v1 bad_vt = {
    sizeof bad_vt, 0,      bad_encode,  bad_decode,     bad_size,        bad_text,
    bad_text,      bad_id, bad_special, bad_is_special, bad_fingerprint, bad_cut};

/* Every place in texts around the widths that are looked at in one go. */
static void test_utf8_is_checked_at_every_place(void **state)
{
    static const char *const parts[] = {"\xC3\xA9", "\xF0\x9F\x98\x80", "\x80", "\xC3", "\xF0\x9F"};
    static const int good[] = {1, 1, 0, 0, 0};
    char text[210];
    (void)state;
    for (size_t n = 1; n <= 200; n += n > 140 ? 7 : 1)
        for (size_t k = 0; k < 5; k++) {
            const size_t len = strlen(parts[k]);
            memset(text, 'a', sizeof text);
            assert_true(hone_utf8_valid((hone_str){text, n}));
            for (size_t at = 0; at + len <= n; at++) {
                memcpy(text + at, parts[k], len);
                assert_int_equal(hone_utf8_valid((hone_str){text, n}), good[k]);
                if (good[k]) /* cut behind its first byte */
                    assert_false(hone_utf8_valid((hone_str){text, at + 1}));
                memset(text + at, 'a', len);
            }
        }
}

static void test_what_a_component_may_not_give(void **state)
{
    (void)state;
    hone_tokenizer t;
    hone_ref ref = {NULL, &bad_vt};
    hone_tokens out;
    char hex[65];
    hone_str text = {"abc", 3};
    memset(&bad, 0, sizeof bad);
    bad.eos = -1;
    assert_int_equal(hone_tokenizer_init(&t, NULL, ref),
                     HONE_E_MISBEHAVED); /* an empty vocabulary */
    bad.vocab = 10;
    bad.eos = 10;
    assert_int_equal(hone_tokenizer_init(&t, NULL, ref), HONE_E_MISBEHAVED); /* eos past it */
    bad.eos = 2;
    assert_int_equal(hone_tokenizer_init(&t, NULL, ref), HONE_OK);
    hone_tokens_init(&out, HONE_TOKENS_SPANS);
    bad.n = 1;
    bad.ids[0] = 3;
    bad.spans[0].end = 3;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED); /* no answer */
    bad.times = 2;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED); /* two answers */
    assert_int_equal(out.n, 0);
    bad.times = 1;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_OK);
    assert_int_equal(out.n, 1);
    bad.first_text = 1;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED);
    bad.first_text = 0;
    bad.ids[0] = 10;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED);
    bad.ids[0] = -1;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED);
    bad.ids[0] = 3;
    bad.spans[0].end = 4;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED);
    bad.spans[0].begin = 3;
    bad.spans[0].end = 2;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED);
    bad.no_offsets = 1;
    assert_int_equal(hone_tokenizer_encode(&t, text, 0, &out), HONE_E_MISBEHAVED);
    assert_int_equal(out.n, 1); /* as it was */
    assert_int_equal(hone_tokenizer_id(&t, text), -1);
    assert_int_equal(hone_tokenizer_stop_id(&t, text), -1);
    assert_false(hone_tokenizer_is_special(&t, 10));
    hone_tokenizer_fingerprint(&t, hex);
    assert_int_equal(strlen(hex), 64);
    hone_tokens_release(&out);
    size_t at = 7;
    for (bad.cut = -1; bad.cut < 5; bad.cut++) /* inside of the text, or 0 */
        assert_int_equal(hone_tokenizer_cut(&t, text, 0, &at),
                         bad.cut < 0 || bad.cut > 2 ? HONE_E_MISBEHAVED : HONE_OK);
    assert_int_equal(at, 2);
    hone_tokenizer_v1 old = bad_vt;
    old.struct_size = offsetof(hone_tokenizer_v1, cut); /* of before there was any */
    ref.vt = &old;
    assert_int_equal(hone_tokenizer_init(&t, NULL, ref), HONE_OK);
    assert_int_equal(hone_tokenizer_cut(&t, text, 0, &at), HONE_OK);
    assert_int_equal(at, 0);
    old.struct_size = offsetof(hone_tokenizer_v1, decode);
    ref.vt = &old;
    assert_int_equal(hone_tokenizer_init(&t, NULL, ref), HONE_E_MISBEHAVED);
}

/* ---- streaming -------------------------------------------------------------------------------------------------- */
static void make_llama(tt_tokenizer *t, hone_arena *arena)
{
    assert_int_equal(
        tt_create_text(t, arena,
                       "{\"format\":\"gguf\",\"metadata\":{\"tokenizer.ggml.model\":\"llama\","
                       "\"tokenizer.ggml.tokens\":[\"<unk>\",\"<s>\",\"</s>\","
                       "\"<0xE4>\",\"<0xB8>\",\"<0xAD>\",\"\\u2581Once\",\"\\u2581a\",\"<0xF0>\","
                       "\"<0x80>\",\"\\u4e2d\",\"<0x41>\"],"
                       "\"tokenizer.ggml.token_type\":[2,3,3,6,6,6,1,1,6,6,1,6],\"tokenizer.ggml."
                       "bos_token_id\":1,\"tokenizer.ggml.eos_token_id\":2}}"),
        HONE_OK);
}

static void test_streamed_text_is_the_decoded_text(void **state)
{
    (void)state;
    tt_tokenizer t;
    hone_arena arena;
    hone_buf whole, streamed;
    uint64_t seed = 5;
    hone_arena_init(&arena, 0);
    hone_buf_init(&whole, 1 << 16);
    hone_buf_init(&streamed, 1 << 16);
    make_llama(&t, &arena);
    for (int round = 0; round < 3000; round++) {
        int32_t ids[12];
        size_t n = (size_t)round % 12;
        uint32_t flags = round % 2 ? HONE_DECODE_SKIP_SPECIAL : 0;
        hone_decoder d;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            ids[i] = (int32_t)(seed >> 40) % 12;
            ids[i] = ids[i] < 0 ? -ids[i] : ids[i];
        }
        hone_buf_clear(&whole);
        hone_buf_clear(&streamed);
        assert_int_equal(hone_tokenizer_decode(&t.t, ids, n, flags, &whole), HONE_OK);
        hone_decoder_init(&d, &t.t, flags);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(hone_decoder_push(&d, ids[i], &streamed), HONE_OK);
            assert_true(hone_utf8_valid(hone_buf_str(&streamed)));
        }
        assert_int_equal(hone_decoder_finish(&d, &streamed), HONE_OK);
        assert_string_equal(streamed.ptr, whole.ptr);
        hone_decoder_release(&d);
    }
    tt_destroy(&t);
    hone_buf_release(&whole);
    hone_buf_release(&streamed);
    hone_arena_release(&arena);
}

static void test_a_character_is_held_back_until_it_is_whole(void **state)
{
    (void)state;
    tt_tokenizer t;
    hone_arena arena;
    hone_buf out;
    hone_decoder d;
    hone_arena_init(&arena, 0);
    hone_buf_init(&out, 1 << 16);
    make_llama(&t, &arena);
    hone_decoder_init(&d, &t.t, 0);
    assert_int_equal(hone_decoder_push(&d, 3, &out), HONE_OK);
    assert_int_equal(hone_decoder_push(&d, 4, &out), HONE_OK);
    assert_string_equal(out.ptr, "");
    assert_int_equal(hone_decoder_push(&d, 5, &out), HONE_OK);
    assert_string_equal(out.ptr, "\xE4\xB8\xAD");
    assert_int_equal(hone_decoder_push(&d, 3, &out), HONE_OK);
    assert_int_equal(hone_decoder_finish(&d, &out), HONE_OK);
    assert_string_equal(out.ptr, "\xE4\xB8\xAD" FFFD);
    hone_buf_clear(&out);
    hone_decoder_after(&d,
                       1); /* the text follows bos: SentencePiece's first space is not part of it */
    assert_int_equal(hone_decoder_push(&d, 6, &out), HONE_OK);
    assert_string_equal(out.ptr, "Once");
    assert_int_equal(hone_decoder_push(&d, 99, &out), HONE_E_RANGE);
    hone_decoder_release(&d);
    tt_destroy(&t);
    hone_buf_release(&out);
    hone_arena_release(&arena);
}

static void test_lists_of_tokens_fill_what_was_not_given(void **state)
{
    (void)state;
    hone_tokens t;
    int32_t ids[20];
    uint8_t ones[20];
    for (int i = 0; i < 20; i++) {
        ids[i] = i;
        ones[i] = 1;
    }
    hone_tokens_init(&t, HONE_TOKENS_MASK);
    assert_int_equal(hone_tokens_add(&t, ids, NULL, NULL, 20), HONE_OK);
    t.want |= HONE_TOKENS_SPANS; /* asked for later */
    assert_int_equal(hone_tokens_add(&t, ids, NULL, ones, 20), HONE_OK);
    assert_int_equal(t.n, 40);
    assert_int_equal(t.mask[19], 0);
    assert_int_equal(t.mask[20], 1);
    assert_int_equal(t.spans[0].end, 0);
    assert_int_equal(t.spans[39].end, 0);
    hone_alloc_fail_after(1, 0);
    hone_status s = HONE_OK;
    for (int i = 0; i < 100 && s >= 0; i++)
        s = hone_tokens_add(&t, ids, NULL, NULL, 20);
    hone_alloc_fail_after(0, 0);
    assert_int_equal(s, HONE_E_NOMEM);
    assert_int_equal(t.ids[39], 19);
    hone_tokens_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_is_checked_at_every_place),
        cmocka_unit_test(test_ill_formed_parts_become_one_mark_each),
        cmocka_unit_test(test_step_tells_cut_from_wrong),
        cmocka_unit_test(test_what_a_component_may_not_give),
        cmocka_unit_test(test_streamed_text_is_the_decoded_text),
        cmocka_unit_test(test_a_character_is_held_back_until_it_is_whole),
        cmocka_unit_test(test_lists_of_tokens_fill_what_was_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
