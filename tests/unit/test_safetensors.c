/* test_safetensors.c - what is written is read back; what is hostile is refused with its place. */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "nn/safetensors.h"

/* A file in memory: header text with its length in front, then n data bytes. */
static hone_buf make(const char *header, size_t n)
{
    hone_buf b;
    unsigned char length[8];
    size_t len = strlen(header);
    hone_buf_init(&b, 1 << 20);
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)len >> (8 * i));
    hone_buf_add(&b, length, 8);
    hone_buf_adds(&b, header);
    for (size_t i = 0; i < n; i++)
        hone_buf_addc(&b, (char)i);
    return b;
}

/* Parsed from an exactly sized copy, so that the address sanitizer sees a read past the end. */
static hone_status parse_copy(const void *p, size_t n, hone_safetensors *st, void **copy)
{
    *copy = malloc(n ? n : 1);
    if (n)
        memcpy(*copy, p, n);
    return hone_safetensors_parse(st, *copy, n, "x.safetensors");
}

static void refused(const char *header, size_t data, hone_status code, const char *text)
{
    hone_safetensors st;
    void *copy;
    hone_buf b = make(header, data);
    assert_fails(parse_copy(b.ptr, b.len, &st, &copy), code, text);
    assert_non_null(strstr(hone_error_get()->what, "x.safetensors"));
    free(copy);
    hone_buf_release(&b);
}

static void test_valid_file_gives_its_tensors(void **state)
{
    (void)state;
    hone_safetensors st;
    void *copy;
    hone_buf b = make(
        "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"U8\",\"shape\":[2,3],"
        "\"data_offsets\":[4,10]},\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,4],\"data_offsets\":[4,4]}}",
        10);
    assert_ok(parse_copy(b.ptr, b.len, &st, &copy));
    assert_int_equal(st.n, 3);
    const hone_file_tensor *t = hone_safetensors_find(&st, hone_str_c("b"));
    assert_non_null(t);
    assert_int_equal(t->rows, 2);
    assert_int_equal(t->cols, 3);
    float out[3];
    hone_file_tensor_read(t, 3, 3, out);
    assert_true(out[0] == 7 && out[1] == 8 && out[2] == 9);
    t = hone_safetensors_find(&st, hone_str_c("a"));
    assert_int_equal(t->n_dims, 0);
    assert_int_equal(t->rows * t->cols, 1);
    assert_null(hone_safetensors_find(&st, hone_str_c("c")));
    assert_int_equal(hone_value_get(&st.metadata, "format")->u.str.len, 2);
    hone_safetensors_release(&st);
    free(copy);
    hone_buf_release(&b);
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    hone_buf b = make("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    for (size_t n = 0; n < b.len; n++) {
        hone_safetensors st;
        void *copy;
        assert_true(parse_copy(b.ptr, n, &st, &copy) < 0);
        assert_true(hone_error_get()->what[0]);
        free(copy);
    }
    hone_buf_release(&b);
}

static void test_header_length_is_not_believed(void **state)
{
    (void)state;
    hone_safetensors st;
    unsigned char bytes[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
    assert_fails(hone_safetensors_parse(&st, bytes, 16, "f"), HONE_E_LIMIT, "header claims");
    memset(bytes, 0, 8);
    bytes[0] = 9;
    assert_fails(hone_safetensors_parse(&st, bytes, 16, "f"), HONE_E_PARSE, "ends past the file");
    bytes[0] = 0;
    assert_fails(hone_safetensors_parse(&st, bytes, 16, "f"), HONE_E_PARSE, "begin with");
    assert_fails(hone_safetensors_parse(&st, NULL, 0, "f"), HONE_E_PARSE, "no safetensors file");
}

static void test_hostile_headers_are_refused(void **state)
{
    (void)state;
#define T(dtype, shape, offsets)                                                                   \
    "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    refused(T("F32", "[2]", "[0,8]"), 7, HONE_E_RANGE, "\"a\": it ends at byte 8");
    refused(T("F32", "[2]", "[0,8]"), 9, HONE_E_RANGE, "1 bytes behind");
    refused(T("F32", "[2]", "[4,12]"), 12, HONE_E_RANGE, "hole");
    refused(T("F32", "[3]", "[0,8]"), 8, HONE_E_SHAPE, "need 12 bytes");
    refused(T("F32", "[2]", "[8,0]"), 8, HONE_E_RANGE, "backwards");
    refused(T("F32", "[2]", "[-8,0]"), 8, HONE_E_RANGE, "backwards");
    refused(T("F32", "[2]", "[0,9223372036854775807]"), 8, HONE_E_RANGE, "ends at byte");
    refused(T("F32", "[2]", "[0]"), 8, HONE_E_PARSE, "pair of offsets");
    refused(T("F32", "[2]", "[0,8.5]"), 8, HONE_E_PARSE, "pair of offsets");
    refused(T("F32", "[-2]", "[0,8]"), 8, HONE_E_PARSE, "list of sizes");
    refused(T("F32", "2", "[0,8]"), 8, HONE_E_PARSE, "no shape");
    refused(T("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, HONE_E_UNSUPPORTED, "9 dimensions");
    refused(T("F32", "[4294967296,4294967296]", "[0,0]"), 0, HONE_E_RANGE, "too large");
    refused(T("F32", "[2305843009213693952,4]", "[0,0]"), 0, HONE_E_RANGE, "too large");
    refused(T("F31", "[2]", "[0,8]"), 8, HONE_E_UNSUPPORTED, "\"F31\"");
    refused("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HONE_E_PARSE, "no dtype");
    refused("{\"a\":[]}", 0, HONE_E_PARSE, "no object");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
            2, HONE_E_PARSE, "");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
            3, HONE_E_RANGE, "inside the one");
    refused("{\"__metadata__\":[]}", 0, HONE_E_PARSE, "__metadata__");
    refused("{\"__metadata__\":{\"a\":1}}", 0, HONE_E_PARSE, "__metadata__");
    refused("{\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, HONE_E_PARSE,
            "malformed name");
    refused("[1]", 0, HONE_E_PARSE, "begin with");
    refused("{\"a\":", 0, HONE_E_PARSE, "");
#undef T
}

static void test_deep_header_is_an_error_and_no_crash(void **state)
{
    (void)state;
    enum { DEEP = 10000 };
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_buf_adds(&b, "{\"a\":");
    for (int i = 0; i < DEEP; i++)
        hone_buf_addc(&b, '[');
    for (int i = 0; i < DEEP; i++)
        hone_buf_addc(&b, ']');
    hone_buf_addc(&b, '}');
    hone_buf file = make(b.ptr, 0);
    hone_safetensors st;
    assert_true(hone_safetensors_parse(&st, file.ptr, file.len, "deep") < 0);
    hone_buf_release(&b);
    hone_buf_release(&file);
}

/* ---- writing ---------------------------------------------------------------------------------------- */
static void fill(hone_safetensors_entry e[3])
{
    memset(e, 0, 3 * sizeof *e);
    e[0] = (hone_safetensors_entry){
        .name = "z.weight", .type = HONE_FT_BF16, .n_dims = 2, .dims = {2, 3}, .tag = 0};
    e[1] = (hone_safetensors_entry){
        .name = "a.bias", .type = HONE_FT_BF16, .n_dims = 1, .dims = {3}, .tag = 1};
    e[2] = (hone_safetensors_entry){
        .name = "m.scale", .type = HONE_FT_F32, .n_dims = 1, .dims = {1}, .tag = 2};
}

static const float written[3][6] = {{1, 2, 3, 4, 5, 6}, {-1, 0.5f, 256}, {3.25f}};

static hone_status write_file(const char *path)
{
    hone_safetensors_entry e[3];
    hone_safetensors_writer w;
    static const char *const meta[][2] = {{"hone.step", "12"}};
    fill(e);
    HONE_TRY(hone_safetensors_create(&w, path, e, 3, meta, 1));
    for (size_t i = 0; i < 3; i++) {
        size_t n = e[i].tag == 0 ? 6 : e[i].tag == 1 ? 3 : 1;
        for (size_t k = 0; k < n; k++) { /* in pieces of any size */
            hone_status s = hone_safetensors_add(&w, &written[e[i].tag][k], 1);
            if (s < 0) {
                hone_safetensors_abandon(&w);
                return s;
            }
        }
    }
    return hone_safetensors_close(&w);
}

static void test_written_file_is_read_back(void **state)
{
    (void)state;
    const char *path = scratch_path("w.safetensors");
    hone_safetensors st;
    float out[6];
    assert_ok(write_file(path));
    assert_ok(hone_safetensors_open(&st, path));
    assert_int_equal(st.n, 3);
    /* order: wider first, then by name; every tensor aligned */
    assert_true(hone_str_eq(st.tensors[0].name, "m.scale"));
    assert_true(hone_str_eq(st.tensors[1].name, "a.bias"));
    assert_true(hone_str_eq(st.tensors[2].name, "z.weight"));
    assert_int_equal((size_t)(st.tensors[0].data - st.file.ptr) % 8, 0);
    hone_file_tensor_read(&st.tensors[2], 0, 6, out);
    assert_memory_equal(out, written[0], sizeof out);
    hone_file_tensor_read(&st.tensors[0], 0, 1, out);
    assert_true(out[0] == 3.25f);
    assert_true(hone_str_eq(hone_value_get(&st.metadata, "hone.step")->u.str, "12"));
    assert_true(hone_str_eq(hone_value_get(&st.metadata, "format")->u.str, "pt"));
    hone_safetensors_release(&st);
}

static void test_planned_size_is_the_size(void **state)
{
    (void)state;
    hone_safetensors_entry e[3];
    hone_safetensors_writer w;
    uint64_t planned, size;
    const char *path = scratch_path("p.safetensors");
    fill(e);
    assert_ok(hone_safetensors_plan(e, 3, &planned));
    assert_ok(hone_safetensors_create(&w, path, e, 3, NULL, 0));
    for (size_t i = 0; i < 3; i++)
        assert_ok(hone_safetensors_add(&w, written[e[i].tag],
                                       e[i].size / hone_file_type_get(e[i].type)->bytes));
    assert_ok(hone_safetensors_close(&w));
    assert_ok(hone_file_size(path, &size));
    assert_int_equal(size, planned);
}

static void test_an_incomplete_file_never_appears(void **state)
{
    (void)state;
    hone_safetensors_entry e[3];
    hone_safetensors_writer w;
    const char *path = scratch_path("i.safetensors");
    fill(e);
    assert_ok(hone_safetensors_create(&w, path, e, 3, NULL, 0));
    assert_ok(hone_safetensors_add(&w, written[2], 1));
    assert_fails(hone_safetensors_add(&w, written[0], 4), HONE_E_STATE, "a.bias");
    assert_ok(hone_safetensors_add(&w, written[1], 2));
    assert_fails(hone_safetensors_close(&w), HONE_E_STATE, "a.bias");
    assert_false(hone_file_exists(path));
}

static void test_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    const char *path = scratch_path("d.safetensors");
    hone_safetensors st;
    assert_ok(write_file(path));
    for (int64_t room = 0; room < 200; room += 40) {
        hone_file_fault_after(room);
        hone_status s = write_file(path);
        hone_file_fault_after(-1);
        assert_int_equal(s, HONE_E_NO_SPACE);
        assert_ok(hone_safetensors_open(&st, path));
        hone_safetensors_release(&st);
    }
}

static void test_writer_refuses_what_cannot_be(void **state)
{
    (void)state;
    hone_safetensors_entry e[3];
    hone_safetensors_writer w;
    const char *path = scratch_path("r.safetensors");
    fill(e);
    e[1].name = "z.weight";
    assert_fails(hone_safetensors_create(&w, path, e, 3, NULL, 0), HONE_E_EXISTS, "z.weight");
    fill(e);
    e[0].type = HONE_FT_Q4_0;
    assert_fails(hone_safetensors_create(&w, path, e, 3, NULL, 0), HONE_E_UNSUPPORTED, "z.weight");
    fill(e);
    e[0].dims[0] = e[0].dims[1] = INT64_C(1) << 40;
    assert_fails(hone_safetensors_create(&w, path, e, 3, NULL, 0), HONE_E_RANGE, "z.weight");
    fill(e);
    e[0].n_dims = HONE_FILE_DIMS + 1;
    assert_fails(hone_safetensors_create(&w, path, e, 3, NULL, 0), HONE_E_INVALID, "9 dimensions");
    assert_false(hone_file_exists(path));
    /* integers are written as bytes, and nothing after the last entry */
    e[0] = (hone_safetensors_entry){.name = "i", .type = HONE_FT_I64, .n_dims = 0};
    assert_ok(hone_safetensors_create(&w, path, e, 1, NULL, 0));
    assert_fails(hone_safetensors_add(&w, written[0], 1), HONE_E_UNSUPPORTED, "i64 is not written");
    assert_ok(hone_safetensors_add_bytes(&w, "\7\0\0\0\0\0\0\0", 8));
    assert_fails(hone_safetensors_add(&w, written[0], 1), HONE_E_STATE,
                 "more data than the file holds");
    assert_ok(hone_safetensors_close(&w));
    hone_safetensors st;
    float seven;
    assert_ok(hone_safetensors_open(&st, path));
    hone_file_tensor_read(hone_safetensors_find(&st, hone_str_c("i")), 0, 1, &seven);
    assert_true(seven == 7.0f);
    hone_safetensors_release(&st);
}

/* ---- memory ------------------------------------------------------------------------------------------- */
static hone_status open_and_release(const char *path)
{
    hone_safetensors st;
    HONE_TRY(hone_safetensors_open(&st, path));
    hone_safetensors_release(&st);
    return HONE_OK;
}

static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *path = scratch_path("m.safetensors");
    assert_survives_no_memory(write_file(path));
    assert_survives_no_memory(open_and_release(path));
}

/* ---- files that others wrote -------------------------------------------------------------------------- */
static void test_files_of_others(void **state)
{
    (void)state;
    hone_safetensors st;
    const char *path = shared_path("assets/models/format-fixtures/burn_mnist.safetensors");
    if (!path)
        skip_without("assets/models/format-fixtures");
    assert_ok(hone_safetensors_open(&st, path));
    const hone_file_tensor *t = hone_safetensors_find(&st, hone_str_c("conv1.weight"));
    assert_non_null(t);
    assert_int_equal(t->n_dims, 4);
    assert_int_equal(t->rows, 8);
    assert_int_equal(t->cols, 9);
    t = hone_safetensors_find(&st, hone_str_c("norm1.num_batches_tracked"));
    float count;
    hone_file_tensor_read(t, 0, 1, &count);
    assert_true(count >= 0 && count == (float)(int)count);
    hone_safetensors_release(&st);
    assert_ok(hone_safetensors_open(
        &st, shared_path("assets/models/format-fixtures/burn_multi_layer.safetensors")));
    assert_int_equal(st.n, 9);
    hone_safetensors_release(&st);
    assert_ok(hone_safetensors_open(
        &st, shared_path("assets/models/format-fixtures/hf2q-tiny_model/model.safetensors")));
    assert_int_equal(st.n, 5);
    hone_safetensors_release(&st);
    /* five stray bytes at its end: the reference implementation refuses it too */
    path = shared_path("assets/models/format-fixtures/weight-inspect/tiny.safetensors");
    assert_fails(hone_safetensors_open(&st, path), HONE_E_RANGE, "5 bytes behind");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_file_gives_its_tensors),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_header_length_is_not_believed),
        cmocka_unit_test(test_hostile_headers_are_refused),
        cmocka_unit_test(test_deep_header_is_an_error_and_no_crash),
        cmocka_unit_test(test_written_file_is_read_back),
        cmocka_unit_test(test_planned_size_is_the_size),
        cmocka_unit_test(test_an_incomplete_file_never_appears),
        cmocka_unit_test(test_full_disk_leaves_the_old_file),
        cmocka_unit_test(test_writer_refuses_what_cannot_be),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
        cmocka_unit_test(test_files_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
