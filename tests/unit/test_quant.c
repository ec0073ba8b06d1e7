/* test_quant.c - encoders of block formats: ggml's bytes, and how far values move. */
#include "support.h"

#include "base/file.h"
#include "nn/dequant.h"

#include <math.h>

/* Encodes the input of a ggml-quants pair; counts bytes and values that differ from ggml's. */
static void compare(const char *stem, uint32_t id, size_t n, size_t *bytes, size_t *values)
{
    const hone_file_type *type = hone_file_type_get(id);
    char name[128];
    hone_mapped in, want;
    snprintf(name, sizeof name, "assets/models/ggml-quants/%s_noim_input.bin", stem);
    const char *path = shared_path(name);
    assert_non_null(path);
    assert_ok(hone_file_map(path, &in));
    snprintf(name, sizeof name, "assets/models/ggml-quants/%s_noim_expected.bin", stem);
    path = shared_path(name);
    assert_non_null(path);
    assert_ok(hone_file_map(path, &want));
    assert_int_equal(in.len, n * sizeof(float));
    assert_int_equal(want.len, n / type->block * type->bytes);
    float *x = malloc(n * sizeof *x), *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    unsigned char *got = malloc(want.len);
    memcpy(x, in.ptr, in.len);
    type->narrow(x, got, n / type->block);
    type->widen(got, a, n / type->block);
    type->widen(want.ptr, b, n / type->block);
    *bytes = *values = 0;
    for (size_t i = 0; i < want.len; i++)
        *bytes += got[i] != want.ptr[i];
    for (size_t i = 0; i < n; i++)
        *values += a[i] != b[i];
    if (*bytes)
        print_message("%s: %zu of %zu bytes, %zu of %zu values differ\n", stem, *bytes, want.len,
                      *values, n);
    free(x);
    free(a);
    free(b);
    free(got);
    hone_file_unmap(&in);
    hone_file_unmap(&want);
}

static void test_bytes_are_those_of_ggml(void **state)
{
    (void)state;
    static const struct {
        const char *stem;
        uint32_t type;
        size_t n;
    } cases[] = {
        {"q4_0_64", HONE_FT_Q4_0, 128},   {"q4_1_64", HONE_FT_Q4_1, 128},
        {"q5_0_64", HONE_FT_Q5_0, 128},   {"q5_1_64", HONE_FT_Q5_1, 128},
        {"q8_0_64", HONE_FT_Q8_0, 128},   {"iq4_nl_64", HONE_FT_IQ4_NL, 128},
        {"q2_k_512", HONE_FT_Q2_K, 1024}, {"q3_k_512", HONE_FT_Q3_K, 1024},
        {"q4_k_512", HONE_FT_Q4_K, 1024}, {"q5_k_512", HONE_FT_Q5_K, 1024},
        {"q6_k_512", HONE_FT_Q6_K, 1024},
    };
    if (!shared_path("assets/models/ggml-quants/q4_0_64_noim_input.bin"))
        skip_without("assets/models/ggml-quants");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes, values;
        compare(cases[i].stem, cases[i].type, cases[i].n, &bytes, &values);
        assert_int_equal(bytes, 0);
        assert_int_equal(values, 0);
    }
}

/* ---- what must hold for every block type ------------------------------------------------------------- */
static int is_quant(const hone_file_type *t)
{
    return t->block > 1 && t->narrow;
}

/* Values like weights: sums of three uniform ones. */
static void fill(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t z = (seed << 32 | i) * UINT64_C(0x9E3779B97F4A7C15);
        float sum = 0.0f;
        for (int k = 0; k < 3; k++) {
            z ^= z >> 29;
            z *= UINT64_C(0xBF58476D1CE4E5B9);
            z ^= z >> 32;
            sum += (float)(z >> 40) / 16777216.0f - 0.5f;
        }
        x[i] = 0.04f * sum;
    }
}

/* Root mean square of the error over that of the values, for weights as they are: about half a step of
 * the code over its range. A fit that stopped searching, or codes off by one, is past these. */
static void test_errors_are_those_of_the_code(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        double most;
    } cases[] = {
        {HONE_FT_Q8_0, 0.00496}, {HONE_FT_Q6_K, 0.01692},   {HONE_FT_Q5_1, 0.03631},
        {HONE_FT_Q5_K, 0.03459}, {HONE_FT_Q5_0, 0.03979},   {HONE_FT_Q4_1, 0.07524},
        {HONE_FT_Q4_K, 0.06806}, {HONE_FT_IQ4_NL, 0.07262}, {HONE_FT_IQ4_XS, 0.07313},
        {HONE_FT_Q4_0, 0.08034}, {HONE_FT_Q3_K, 0.14431},   {HONE_FT_Q2_K, 0.28425},
    };
    enum { N = 64 * 256 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    unsigned char *bytes = malloc(N * 2);
    fill(x, N, 1);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const hone_file_type *t = hone_file_type_get(cases[c].type);
        double error = 0, power = 0;
        t->narrow(x, bytes, N / t->block);
        t->widen(bytes, y, N / t->block);
        for (size_t i = 0; i < N; i++) {
            error += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
            power += (double)x[i] * (double)x[i];
        }
        error = sqrt(error / power);
        if (error > 1.01 * cases[c].most || error < 0.99 * cases[c].most)
            fail_msg("%s: relative error %.5f, not %.5f", t->name, error, cases[c].most);
    }
    free(x);
    free(y);
    free(bytes);
}

static void test_zeros_and_constants_survive(void **state)
{
    (void)state;
    float x[256], y[256];
    unsigned char bytes[512];
    for (uint32_t id = 0; id < HONE_FT_COUNT; id++) {
        const hone_file_type *t = hone_file_type_get(id);
        if (!is_quant(t))
            continue;
        memset(x, 0, sizeof x);
        memset(bytes, 0xAA, sizeof bytes);
        t->narrow(x, bytes, 256 / t->block);
        t->widen(bytes, y, 256 / t->block);
        for (int i = 0; i < 256; i++)
            assert_true(y[i] == 0.0f);
        assert_int_equal(bytes[256 / t->block * t->bytes], 0xAA); /* nothing written behind */
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int i = 0; i < 256; i++)
                x[i] = (float)sign * 0.75f;
            t->narrow(x, bytes, 256 / t->block);
            t->widen(bytes, y, 256 / t->block);
            for (int i = 0; i < 256; i++)
                if (fabsf(y[i] - x[i]) > 0.04f)
                    fail_msg("%s: %g became %g", t->name, (double)x[i], (double)y[i]);
        }
    }
}

/* What a block decodes to encodes to values that are close to it for every type: types with a free search
 * over scales need not find the same bytes again, but must not drift. */
static void test_quantising_twice_changes_little(void **state)
{
    (void)state;
    float x[1024], once[1024], twice[1024];
    unsigned char bytes[2048];
    fill(x, 1024, 2);
    for (uint32_t id = 0; id < HONE_FT_COUNT; id++) {
        const hone_file_type *t = hone_file_type_get(id);
        double moved = 0, power = 0;
        if (!is_quant(t))
            continue;
        t->narrow(x, bytes, 1024 / t->block);
        t->widen(bytes, once, 1024 / t->block);
        t->narrow(once, bytes, 1024 / t->block);
        t->widen(bytes, twice, 1024 / t->block);
        for (int i = 0; i < 1024; i++) {
            moved += ((double)once[i] - (double)twice[i]) * ((double)once[i] - (double)twice[i]);
            power += (double)once[i] * (double)once[i];
        }
        if (sqrt(moved / power) > 0.06)
            fail_msg("%s: moved by %.4f", t->name, sqrt(moved / power));
    }
}

/* Values that are not allowed (the converter refuses them) are no undefined behaviour and end. */
static void test_values_out_of_range_are_harmless(void **state)
{
    (void)state;
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f, 1e-30f, 65504.0f};
    float x[256];
    unsigned char bytes[512];
    for (uint32_t id = 0; id < HONE_FT_COUNT; id++) {
        const hone_file_type *t = hone_file_type_get(id);
        if (!is_quant(t))
            continue;
        for (size_t k = 0; k < sizeof odd / sizeof *odd; k++)
            for (int every = 1; every < 256; every *= 3) {
                fill(x, 256, k);
                for (int i = 0; i < 256; i += every)
                    x[i] = odd[(k + (size_t)i % 3 * (every > 9)) % (sizeof odd / sizeof *odd)];
                memset(bytes, 0xAA, sizeof bytes);
                t->narrow(x, bytes, 256 / t->block);
                assert_int_equal(bytes[256 / t->block * t->bytes], 0xAA);
            }
    }
}

/* A block alone gives the bytes it gives among others. */
static void test_blocks_do_not_depend_on_each_other(void **state)
{
    (void)state;
    float x[1024];
    unsigned char all[2048], one[512];
    fill(x, 1024, 3);
    for (uint32_t id = 0; id < HONE_FT_COUNT; id++) {
        const hone_file_type *t = hone_file_type_get(id);
        if (!is_quant(t))
            continue;
        t->narrow(x, all, 1024 / t->block);
        for (size_t b = 0; b < 1024 / t->block; b++) {
            t->narrow(x + b * t->block, one, 1);
            assert_memory_equal(one, all + b * t->bytes, t->bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_those_of_ggml),
        cmocka_unit_test(test_errors_are_those_of_the_code),
        cmocka_unit_test(test_zeros_and_constants_survive),
        cmocka_unit_test(test_quantising_twice_changes_little),
        cmocka_unit_test(test_values_out_of_range_are_harmless),
        cmocka_unit_test(test_blocks_do_not_depend_on_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
