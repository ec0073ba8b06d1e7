/* test_dequant.c - 16-bit floats both ways, and every block format against ggml's own values. */
#include "support.h"

#include "base/file.h"
#include "base/half.h"
#include "base/json.h"
#include "nn/dequant.h"

#include <math.h>

/* ---- 16-bit floats --------------------------------------------------------------------------------- */
static void test_f16_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t back = hone_f32_to_f16(hone_f16_to_f32((uint16_t)h));
        int nan = (h & 0x7c00) == 0x7c00 && (h & 0x3ff);
        assert_int_equal(back, nan ? (h | 0x200) : h);
    }
}

static void test_bf16_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t back = hone_f32_to_bf16(hone_bf16_to_f32((uint16_t)h));
        int nan = (h & 0x7f80) == 0x7f80 && (h & 0x7f);
        assert_int_equal(back, nan ? (h | 0x40) : h);
    }
}

/* The definition: between two neighbours the nearer one, at the middle the even one. */
static void test_f16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7bff; h++) {
        double low = (double)hone_f16_to_f32((uint16_t)h),
               high = (double)hone_f16_to_f32((uint16_t)(h + 1));
        float middle = (float)((low + high) / 2); /* exact: one more bit */
        assert_true((double)middle == (low + high) / 2);
        assert_int_equal(hone_f32_to_f16(middle), h & 1 ? h + 1 : h);
        assert_int_equal(hone_f32_to_f16(nextafterf(middle, 0.0f)), h);
        assert_int_equal(hone_f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(hone_f32_to_f16(-nextafterf(middle, INFINITY)), (h + 1) | 0x8000);
    }
    assert_int_equal(hone_f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(hone_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(hone_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(hone_f32_to_f16(1e-10f), 0);
    assert_int_equal(hone_f32_to_f16(-1e-10f), 0x8000);
}

static void test_bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(hone_f32_to_bf16(hone_f32_from_bits(0x3f808000)), 0x3f80);
    assert_int_equal(hone_f32_to_bf16(hone_f32_from_bits(0x3f818000)), 0x3f82);
    assert_int_equal(hone_f32_to_bf16(hone_f32_from_bits(0x3f808001)), 0x3f81);
    assert_int_equal(hone_f32_to_bf16(hone_f32_from_bits(0x3f807fff)), 0x3f80);
    assert_int_equal(hone_f32_to_bf16(hone_f32_from_bits(0x7f7fffff)), 0x7f80);
    assert_int_equal(hone_f32_to_bf16(hone_f32_from_bits(0x7f800001)) & 0x7fc0, 0x7fc0);
}

static void test_float8_values(void **state)
{
    (void)state;
    assert_true(hone_f8e4m3_to_f32(0x7e) == 448.0f);
    assert_true(hone_f8e4m3_to_f32(0x08) == 0x1p-6f);
    assert_true(hone_f8e4m3_to_f32(0x81) == -0x1p-9f);
    assert_true(isnan(hone_f8e4m3_to_f32(0x7f)));
    assert_true(hone_f8e5m2_to_f32(0x7b) == 57344.0f);
    assert_true(hone_f8e5m2_to_f32(0x01) == 0x1p-16f);
    assert_true(isinf(hone_f8e5m2_to_f32(0xfc)));
}

/* ---- the table ------------------------------------------------------------------------------------- */
static void test_type_table_finds_its_rows(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++) {
        const hone_file_type *t = hone_file_type_get(i);
        assert_int_equal(t->id, i);
        assert_ptr_equal(hone_file_type_named(t->name), t);
        if (t->ggml >= 0) {
            assert_ptr_equal(hone_file_type_ggml((uint32_t)t->ggml), t);
            assert_string_equal(hone_ggml_type_name((uint32_t)t->ggml), t->name);
        }
        if (t->safetensors)
            assert_ptr_equal(hone_file_type_safetensors(hone_str_c(t->safetensors)), t);
        assert_true(t->block <= HONE_FILE_BLOCK_MAX);
    }
    assert_null(hone_file_type_get(HONE_FT_COUNT));
    assert_null(hone_file_type_ggml(16));
    assert_null(hone_file_type_safetensors(hone_str_c("F3")));
    assert_null(hone_file_type_named("Q4_0"));
}

static void test_size_of_a_shape_cannot_wrap(void **state)
{
    (void)state;
    size_t size;
    assert_true(hone_file_type_size(hone_file_type_get(HONE_FT_Q4_0), 64, &size));
    assert_int_equal(size, 36);
    assert_false(hone_file_type_size(hone_file_type_get(HONE_FT_Q4_0), 65, &size));
    assert_false(hone_file_type_size(hone_file_type_get(HONE_FT_F64), UINT64_MAX / 8 + 1, &size));
    hone_file_tensor t = {.type = hone_file_type_get(HONE_FT_F32), .n_dims = 2};
    t.dims[0] = t.dims[1] = INT64_C(1) << 32;
    assert_fails(hone_file_tensor_shape(&t), HONE_E_RANGE, "too large");
    t.dims[0] = 0; /* a zero must not hide the rest */
    t.n_dims = 3;
    t.dims[2] = INT64_C(1) << 32;
    assert_fails(hone_file_tensor_shape(&t), HONE_E_RANGE, "too large");
    t.type = hone_file_type_get(HONE_FT_Q4_K);
    t.n_dims = 2;
    t.dims[0] = 2;
    t.dims[1] = 128;
    assert_fails(hone_file_tensor_shape(&t), HONE_E_SHAPE, "block of 256");
}

/* ---- block formats against ggml's values ------------------------------------------------------------ */
static void check_golden(const hone_value *golden, const char *file, uint32_t type, int64_t cols)
{
    char relative[128];
    hone_mapped bytes;
    const hone_value *want = hone_value_get(golden, file);
    assert_non_null(want);
    snprintf(relative, sizeof relative, "assets/models/ggml-quants/%s", file);
    const char *path = shared_path(relative);
    assert_non_null(path);
    assert_ok(hone_file_map(path, &bytes));
    hone_file_tensor t = {
        .type = hone_file_type_get(type), .n_dims = 2, .dims = {2, cols}, .data = bytes.ptr};
    assert_ok(hone_file_tensor_shape(&t));
    assert_int_equal(t.size, bytes.len);
    size_t n = (size_t)(2 * cols);
    assert_int_equal(want->u.list.n, n);
    float *got = malloc(n * sizeof *got), *piece = malloc(n * sizeof *piece);
    hone_file_tensor_read(&t, 0, (int64_t)n, got);
    for (size_t i = 0; i < n; i++) {
        const hone_value *v = &want->u.list.items[i];
        float x = v->type == HONE_I64 ? (float)v->u.i64 : (float)v->u.f64;
        if (hone_f32_bits(x) != hone_f32_bits(got[i]) && x != 0.0f)
            print_error("%s[%zu]: %.9g, want %.9g\n", file, i, (double)got[i], (double)x);
        assert_true(x == got[i]);
    }
    /* any range of elements gives the same values, also within blocks */
    for (int64_t first = 0; first < 70; first += 7)
        for (int64_t count = 0; count < (int64_t)n - first; count += 13) {
            hone_file_tensor_read(&t, first, count, piece);
            assert_memory_equal(piece, got + first, (size_t)count * sizeof *piece);
        }
    free(got);
    free(piece);
    hone_file_unmap(&bytes);
}

static void test_blocks_have_the_values_ggml_gives(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t type;
        int64_t cols;
    } cases[] = {
        {"q4_0_64_noim_expected.bin", HONE_FT_Q4_0, 64},
        {"q4_1_64_noim_expected.bin", HONE_FT_Q4_1, 64},
        {"q5_0_64_noim_expected.bin", HONE_FT_Q5_0, 64},
        {"q5_1_64_noim_expected.bin", HONE_FT_Q5_1, 64},
        {"q8_0_64_noim_expected.bin", HONE_FT_Q8_0, 64},
        {"iq4_nl_64_noim_expected.bin", HONE_FT_IQ4_NL, 64},
        {"q2_k_512_noim_expected.bin", HONE_FT_Q2_K, 512},
        {"q3_k_512_noim_expected.bin", HONE_FT_Q3_K, 512},
        {"q4_k_512_noim_expected.bin", HONE_FT_Q4_K, 512},
        {"q5_k_512_noim_expected.bin", HONE_FT_Q5_K, 512},
        {"q6_k_512_noim_expected.bin", HONE_FT_Q6_K, 512},
    };
    const char *path = shared_path("goldens/ggml_dequant.json");
    hone_arena arena;
    hone_value golden;
    if (!path)
        skip_without("goldens/ggml_dequant.json");
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse_file(path, 0, &arena, &golden));
    assert_int_equal(golden.u.map.n, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_golden(&golden, cases[i].file, cases[i].type, cases[i].cols);
    hone_arena_release(&arena);
}

/* IQ4_XS is in no golden: by its definition, from a block built by hand. */
static void test_iq4_xs_block(void **state)
{
    (void)state;
    unsigned char block[136] = {0};
    float got[256];
    block[0] = 0x00, block[1] = 0x38; /* d = 0.5 */
    /* scale of sub-block 3: 6 bits 0b10_0101 = 37 -> 5; the others 0 -> -32 */
    block[2] = 2u << 6, block[3] = 0;
    block[5] = 5u << 4;
    block[8 + 3 * 16 + 4] = 0xF0; /* element 4: code 0, element 20: code 15 */
    hone_file_type_get(HONE_FT_IQ4_XS)->widen(block, got, 1);
    assert_true(got[3 * 32 + 4] == 0.5f * 5 * -127);
    assert_true(got[3 * 32 + 20] == 0.5f * 5 * 113);
    assert_true(got[0] == 0.5f * -32 * -127);
}

static void test_narrowing_writes_little_endian(void **state)
{
    (void)state;
    float x[3] = {1.0f, -2.5f, 3.0e38f};
    unsigned char out[12];
    hone_file_type_get(HONE_FT_F32)->narrow(x, out, 3);
    assert_memory_equal(out, "\x00\x00\x80\x3f\x00\x00\x20\xc0", 8);
    hone_file_type_get(HONE_FT_F16)->narrow(x, out, 3);
    assert_memory_equal(out, "\x00\x3c\x00\xc1\x00\x7c", 6);
    hone_file_type_get(HONE_FT_BF16)->narrow(x, out, 3);
    assert_memory_equal(out, "\x80\x3f\x20\xc0\x62\x7f", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f16_survives_a_round_trip),
        cmocka_unit_test(test_bf16_survives_a_round_trip),
        cmocka_unit_test(test_f16_rounds_to_nearest_even),
        cmocka_unit_test(test_bf16_rounds_to_nearest_even),
        cmocka_unit_test(test_float8_values),
        cmocka_unit_test(test_type_table_finds_its_rows),
        cmocka_unit_test(test_size_of_a_shape_cannot_wrap),
        cmocka_unit_test(test_blocks_have_the_values_ggml_gives),
        cmocka_unit_test(test_iq4_xs_block),
        cmocka_unit_test(test_narrowing_writes_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
