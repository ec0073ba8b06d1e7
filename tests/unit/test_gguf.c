/* test_gguf.c - GGUF files built byte by byte: read when valid, refused with key or tensor when not. */
#include "support.h"

#include "base/buf.h"
#include "base/json.h"
#include "nn/gguf.h"

/* ---- a file in memory ------------------------------------------------------------------------------- */
static void put(hone_buf *b, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        hone_buf_addc(b, (char)(v >> (8 * i)));
}
static void put_str(hone_buf *b, const char *z)
{
    put(b, strlen(z), 8);
    hone_buf_adds(b, z);
}
static void begin(hone_buf *b, uint32_t version, uint64_t tensors, uint64_t pairs)
{
    hone_buf_init(b, 1 << 20);
    hone_buf_adds(b, "GGUF");
    put(b, version, 4);
    put(b, tensors, 8);
    put(b, pairs, 8);
}
static void put_u32(hone_buf *b, const char *key, uint32_t v)
{
    put_str(b, key);
    put(b, 4, 4);
    put(b, v, 4);
}
static void put_tensor(hone_buf *b, const char *name, uint32_t n_dims, const uint64_t *dims,
                       uint32_t type, uint64_t at)
{
    put_str(b, name);
    put(b, n_dims, 4);
    for (uint32_t i = 0; i < n_dims; i++)
        put(b, dims[i], 8);
    put(b, type, 4);
    put(b, at, 8);
}
static void pad(hone_buf *b, size_t to)
{
    while (b->len % to)
        hone_buf_addc(b, 0);
}

/* Parsed from an exactly sized copy, so that the address sanitizer sees a read past the end. */
static hone_status parse_copy(const void *p, size_t n, hone_gguf *g, void **copy)
{
    *copy = malloc(n ? n : 1);
    if (n)
        memcpy(*copy, p, n);
    return hone_gguf_parse(g, *copy, n, "x.gguf");
}
static void refused(hone_buf *b, hone_status code, const char *text)
{
    hone_gguf g;
    void *copy;
    assert_fails(parse_copy(b->ptr, b->len, &g, &copy), code, text);
    assert_non_null(strstr(hone_error_get()->what, "x.gguf"));
    free(copy);
    hone_buf_release(b);
}

/* Everything a file may hold: every value type, a nested array, two tensors. */
static void make_valid(hone_buf *b)
{
    static const uint64_t matrix[2] = {32, 2}, vector[1] = {3};
    begin(b, 3, 2, 8);
    put_str(b, "general.architecture"), put(b, 8, 4), put_str(b, "llama");
    put_u32(b, "llama.block_count", 4000000000u);
    put_str(b, "f"), put(b, 6, 4), put(b, 0x3727c5ac, 4);
    put_str(b, "yes"), put(b, 7, 4), put(b, 1, 1);
    put_str(b, "small"), put(b, 1, 4), put(b, 0xfe, 1);
    put_str(b, "big"), put(b, 10, 4), put(b, UINT64_MAX, 8);
    put_str(b, "tokens"), put(b, 9, 4), put(b, 8, 4), put(b, 2, 8), put_str(b, "a\xC3\xA9"),
        put_str(b, "\xff");
    put_str(b, "nested"), put(b, 9, 4), put(b, 9, 4), put(b, 1, 8), put(b, 3, 4), put(b, 2, 8),
        put(b, 0xffff, 2), put(b, 7, 2);
    put_tensor(b, "m", 2, matrix, 8, 32); /* q8_0: 2 rows of 34 bytes */
    put_tensor(b, "v", 1, vector, 0, 0);
    pad(b, 32);
    put(b, 0x3f800000, 4), put(b, 0x40000000, 4), put(b, 0x40400000, 4);
    pad(b, 32);
    for (int row = 0; row < 2; row++) {
        put(b, 0x3800, 2); /* 0.5 */
        for (int i = 0; i < 32; i++)
            put(b, (uint64_t)(row ? -i : i), 1);
    }
}

static void test_valid_file_gives_metadata_and_tensors(void **state)
{
    (void)state;
    hone_buf b;
    hone_gguf g;
    void *copy;
    float out[64];
    make_valid(&b);
    assert_ok(parse_copy(b.ptr, b.len, &g, &copy));
    assert_int_equal(g.version, 3);
    assert_int_equal(g.metadata.u.map.n, 8);
    assert_true(hone_str_eq(hone_value_get(&g.metadata, "general.architecture")->u.str, "llama"));
    assert_int_equal(hone_value_get(&g.metadata, "llama.block_count")->u.i64, 4000000000);
    assert_true(hone_value_get(&g.metadata, "f")->u.f64 == 1e-5); /* a float, in its short form */
    assert_int_equal(hone_value_get(&g.metadata, "yes")->type, HONE_BOOL);
    assert_int_equal(hone_value_get(&g.metadata, "small")->u.i64, -2);
    assert_int_equal(hone_value_get(&g.metadata, "big")->type, HONE_F64);
    const hone_value *tokens = hone_value_get(&g.metadata, "tokens");
    assert_int_equal(tokens->u.list.n, 2);
    assert_int_equal(tokens->u.list.items[0].type, HONE_STRING);
    assert_int_equal(tokens->u.list.items[1].type, HONE_BYTES);
    const hone_value *nested = hone_value_get(&g.metadata, "nested");
    assert_int_equal(nested->u.list.items[0].u.list.items[0].u.i64, -1);

    const hone_file_tensor *m = hone_gguf_find(&g, hone_str_c("m"));
    assert_int_equal(m->rows, 2); /* the file counts from the innermost dimension */
    assert_int_equal(m->cols, 32);
    hone_file_tensor_read(m, 0, 64, out);
    assert_true(out[5] == 2.5f && out[32 + 31] == -15.5f);
    const hone_file_tensor *v = hone_gguf_find(&g, hone_str_c("v"));
    assert_int_equal(v->n_dims, 1);
    hone_file_tensor_read(v, 0, 3, out);
    assert_true(out[2] == 3.0f);
    assert_null(hone_gguf_find(&g, hone_str_c("w")));
    hone_gguf_release(&g);
    free(copy);
    hone_buf_release(&b);
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    hone_buf b;
    make_valid(&b);
    for (size_t n = 0; n < b.len; n++) {
        hone_gguf g;
        void *copy;
        assert_true(parse_copy(b.ptr, n, &g, &copy) < 0);
        assert_non_null(strstr(hone_error_get()->what, "x.gguf"));
        free(copy);
    }
    hone_buf_release(&b);
}

/* One byte changed anywhere: read or refused, never a crash or a read outside (address sanitizer). */
static void test_every_changed_byte_is_survived(void **state)
{
    (void)state;
    hone_buf b;
    float out[64];
    make_valid(&b);
    for (size_t at = 0; at < b.len; at++) {
        for (int flip = 0; flip < 3; flip++) {
            static const unsigned char masks[3] = {0x01, 0x80, 0xff};
            hone_gguf g;
            void *copy;
            b.ptr[at] = (char)(b.ptr[at] ^ masks[flip]);
            if (parse_copy(b.ptr, b.len, &g, &copy) >= 0) {
                for (size_t i = 0; i < g.n; i++)
                    if (g.tensors[i].rows * g.tensors[i].cols <= 64)
                        hone_file_tensor_read(&g.tensors[i], 0,
                                              g.tensors[i].rows * g.tensors[i].cols, out);
                hone_gguf_release(&g);
            }
            free(copy);
            b.ptr[at] = (char)(b.ptr[at] ^ masks[flip]);
        }
    }
    hone_buf_release(&b);
}

static void test_header_is_checked(void **state)
{
    (void)state;
    hone_buf b;
    hone_buf_init(&b, 64);
    hone_buf_adds(&b, "GGML....");
    refused(&b, HONE_E_PARSE, "no GGUF file");
    begin(&b, 1, 0, 0);
    refused(&b, HONE_E_UNSUPPORTED, "version 1");
    begin(&b, 3u << 24, 0, 0);
    refused(&b, HONE_E_UNSUPPORTED, "big-endian");
    begin(&b, 3, UINT64_MAX, 0);
    refused(&b, HONE_E_PARSE, "tensor descriptions end past");
    begin(&b, 3, 0, UINT64_MAX / 2);
    refused(&b, HONE_E_PARSE, "metadata entries end past");
}

static void test_hostile_metadata_is_refused(void **state)
{
    (void)state;
    hone_buf b;
    begin(&b, 3, 0, 2);
    put_u32(&b, "a", 1), put_u32(&b, "a", 2);
    refused(&b, HONE_E_PARSE, "key \"a\" twice");
    begin(&b, 3, 0, 1);
    put_str(&b, "a"), put(&b, 13, 4), put(&b, 0, 8);
    refused(&b, HONE_E_PARSE, "\"a\": value type 13");
    begin(&b, 3, 0, 1);
    put_str(&b, "a"), put(&b, 7, 4), put(&b, 2, 1);
    refused(&b, HONE_E_PARSE, "boolean of value 2");
    begin(&b, 3, 0, 1);
    put_str(&b, "a"), put(&b, 8, 4), put(&b, UINT64_MAX, 8);
    refused(&b, HONE_E_PARSE, "\"a\": cut off");
    begin(&b, 3, 0, 1); /* an array that claims more than the file could hold */
    put_str(&b, "a"), put(&b, 9, 4), put(&b, 0, 4), put(&b, UINT64_MAX, 8);
    refused(&b, HONE_E_PARSE, "ends past the file");
    begin(&b, 3, 0, 1);
    put_str(&b, "a"), put(&b, 9, 4), put(&b, 99, 4), put(&b, 0, 8);
    refused(&b, HONE_E_PARSE, "value type 99");
    begin(&b, 3, 0, 1);
    put_str(&b, "a"), put(&b, 9, 4);
    for (int i = 0; i < 100; i++) /* arrays in arrays in arrays */
        put(&b, 9, 4), put(&b, 1, 8);
    refused(&b, HONE_E_LIMIT, "nested deeper");
    begin(&b, 3, 0, 1);
    put_str(&b, ""), put(&b, 4, 4), put(&b, 0, 4);
    refused(&b, HONE_E_PARSE, "malformed key");
    for (uint32_t bad = 0; bad < 100; bad += 33) {
        begin(&b, 3, 0, 1);
        put_u32(&b, "general.alignment", bad);
        refused(&b, HONE_E_RANGE, "no power of two");
    }
}

static void tensor_refused(uint32_t n_dims, const uint64_t *dims, uint32_t type, uint64_t at,
                           hone_status code, const char *text)
{
    hone_buf b;
    begin(&b, 3, 1, 0);
    put_tensor(&b, "t", n_dims, dims, type, at);
    pad(&b, 32);
    for (int i = 0; i < 64; i++)
        put(&b, 0, 1);
    refused(&b, code, text);
}

static void test_hostile_tensors_are_refused(void **state)
{
    (void)state;
    static const uint64_t four[5] = {4, 1, 1, 1, 1}, zero[1] = {0},
                          huge[2] = {UINT64_C(1) << 40, UINT64_C(1) << 40};
    static const uint64_t negative[1] = {UINT64_MAX}, odd[2] = {33, 1},
                          wraps[2] = {UINT64_C(1) << 62, 4}, fits[1] = {16}, over[1] = {17};
    tensor_refused(0, four, 0, 0, HONE_E_PARSE, "\"t\": 0 dimensions");
    tensor_refused(5, four, 0, 0, HONE_E_PARSE, "\"t\": 5 dimensions");
    tensor_refused(1, zero, 0, 0, HONE_E_RANGE, "dimension of 0");
    tensor_refused(1, negative, 0, 0, HONE_E_RANGE, "dimension of 18446744073709551615");
    tensor_refused(2, huge, 0, 0, HONE_E_RANGE, "too large");
    tensor_refused(2, wraps, 0, 0, HONE_E_RANGE, "too large");
    tensor_refused(2, odd, 8, 0, HONE_E_SHAPE, "block of 32");
    tensor_refused(1, four, 16, 0, HONE_E_UNSUPPORTED, "iq2_xxs");
    tensor_refused(1, four, 4000, 0, HONE_E_UNSUPPORTED, "4000 (?)");
    tensor_refused(1, over, 0, 0, HONE_E_RANGE, "end past the file");
    tensor_refused(1, fits, 0, 32, HONE_E_RANGE, "end past the file");
    tensor_refused(1, four, 0, UINT64_MAX - 31, HONE_E_RANGE, "end past the file");
    tensor_refused(1, four, 0, 4, HONE_E_RANGE, "no multiple of 32");

    hone_buf b;
    begin(&b, 3, 1, 0);
    put_tensor(&b, "\xC0\x80", 1, fits, 0, 0);
    for (int i = 0; i < 128; i++)
        put(&b, 0, 1);
    refused(&b, HONE_E_PARSE, "malformed name");
    begin(&b, 3, 2, 0);
    put_tensor(&b, "t", 1, fits, 0, 0), put_tensor(&b, "t", 1, fits, 0, 64);
    for (int i = 0; i < 256; i++)
        put(&b, 0, 1);
    refused(&b, HONE_E_PARSE, "\"t\" twice");
    begin(&b, 3, 2, 0);
    put_tensor(&b, "t", 1, fits, 0, 0), put_tensor(&b, "u", 1, fits, 0, 32);
    for (int i = 0; i < 256; i++)
        put(&b, 0, 1);
    refused(&b, HONE_E_RANGE, "overlap");
}

static hone_status parse_and_release(const hone_buf *b)
{
    hone_gguf g;
    HONE_TRY(hone_gguf_parse(&g, b->ptr, b->len, "x.gguf"));
    hone_gguf_release(&g);
    return HONE_OK;
}
static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    hone_buf b;
    make_valid(&b);
    assert_survives_no_memory(parse_and_release(&b));
    hone_buf_release(&b);
}

/* ---- files that others wrote ------------------------------------------------------------------------- */
static void test_files_of_others(void **state)
{
    (void)state;
    hone_gguf g;
    const char *path = shared_path("assets/models/stories260K/stories260K.gguf");
    if (!path)
        skip_without("assets/models/stories260K");
    assert_ok(hone_gguf_open(&g, path));
    assert_int_equal(g.n, 3 + 5 * 9);
    assert_int_equal(g.data_start, 14176);
    assert_int_equal(hone_value_get(&g.metadata, "tokenizer.ggml.tokens")->u.list.n, 512);
    assert_int_equal(hone_value_get(&g.metadata, "tokenizer.ggml.padding_token_id")->u.i64,
                     4294967295);
    const hone_file_tensor *t = hone_gguf_find(&g, hone_str_c("blk.4.attn_v.weight"));
    assert_int_equal((size_t)(t->data - g.file.ptr), 1028192); /* gguf_dump_ggml.txt */
    assert_int_equal(t->size, 8192);
    hone_gguf_release(&g);

    assert_ok(
        hone_gguf_open(&g, shared_path("assets/models/format-fixtures/weight-inspect/empty.gguf")));
    assert_int_equal(g.n, 0);
    hone_gguf_release(&g);
    path = shared_path("assets/models/format-fixtures/weight-inspect/tiny.gguf");
    assert_fails(hone_gguf_open(&g, path), HONE_E_RANGE,
                 "\"test.weight.0\": 32768 bytes at offset 0 end past the file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_file_gives_metadata_and_tensors),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_changed_byte_is_survived),
        cmocka_unit_test(test_header_is_checked),
        cmocka_unit_test(test_hostile_metadata_is_refused),
        cmocka_unit_test(test_hostile_tensors_are_refused),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
        cmocka_unit_test(test_files_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
