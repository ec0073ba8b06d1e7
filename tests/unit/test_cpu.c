/* test_cpu.c - the kernel set follows HONE_CPU where the machine can, and OpenBLAS is opened with
 * the kernels of this processor. */
#include "ops/blas.h"
#include "ops/cpu.h"
#include "support.h"
#include "tensor/pool.h"

#include <math.h>

static void test_an_unknown_kernel_set_is_a_usage_error(void **state)
{
    (void)state;
    setenv("HONE_CPU", "avx9", 1);
    assert_int_equal(hone_cpu_check(), HONE_E_USAGE);
    assert_non_null(strstr(hone_error_get()->what, "avx9"));
    for (int set = 0; set < HONE_CPU_SETS; set++)
        assert_non_null(strstr(hone_error_get()->hint, hone_cpu_set_name(set)));
    setenv("HONE_CPU", "c", 1);
    assert_int_equal(hone_cpu_check(), HONE_OK);
    setenv("HONE_CPU", "", 1);
    assert_int_equal(hone_cpu_check(), HONE_OK);
    const int most = HONE_CPU_SETS - 1;
    if (hone_cpu_get()->best < most) {
        setenv("HONE_CPU", hone_cpu_set_name(most), 1);
        assert_int_equal(hone_cpu_check(), HONE_E_UNSUPPORTED);
        assert_int_equal(hone_cpu_use(most), HONE_E_UNSUPPORTED);
    }
    unsetenv("HONE_CPU");
}

static void test_sets_have_names_and_the_best_can_be_used(void **state)
{
    (void)state;
    const hone_cpu *c = hone_cpu_get();
    assert_string_equal(hone_cpu_set_name(HONE_CPU_C), "c");
    assert_string_equal(hone_cpu_set_name(7), "?");
    assert_int_equal(hone_cpu_use(HONE_CPU_C), HONE_OK);
    assert_int_equal(c->used, HONE_CPU_C);
    assert_int_equal(hone_cpu_use(c->best), HONE_OK);
    assert_int_equal(hone_cpu_use(-1), HONE_E_UNSUPPORTED);
    assert_int_equal(c->used, c->best);
#if defined(__x86_64__)
    /* AVX-512 is not needed for AVX2: run this under valgrind, which has no AVX-512, to see it */
    assert_int_equal(c->best >= HONE_CPU_AVX2, c->avx2 && c->fma && c->f16c);
#endif
    if (c->avx512)
        assert_true(c->avx2 && c->fma);
#if defined(__aarch64__)
    assert_true(c->neon);
    assert_string_equal(hone_cpu_set_name(c->best), "neon");
#endif
}

static void test_openblas_is_opened_with_this_processor_s_kernels(void **state)
{
    (void)state;
    const hone_blas *b;
    setenv("OPENBLAS_CORETYPE", "", 1); /* empty counts as unset */
    assert_int_equal(hone_blas_get(&b), HONE_OK);
    assert_int_equal(b->asked_by_user, 0);
    if (hone_blas_core_type()) {
        assert_string_equal(b->asked, hone_blas_core_type());
        assert_string_equal(getenv("OPENBLAS_CORETYPE"), hone_blas_core_type());
    }
    assert_true(b->corename[0] != '\0');
    assert_string_equal(getenv("OPENBLAS_NUM_THREADS"), "1");
    const float x[2 * 3] = {1, 2, 3, 4, 5, 6}, w[2 * 3] = {1, 0, -1, 2, 1, 0};
    float y[2 * 2];
    b->sgemm(101, 111, 112, 2, 2, 3, 1.0f, x, 3, w, 3, 0.0f, y, 2);
    const float want[4] = {-2, 4, -2, 13};
    for (int i = 0; i < 4; i++)
        assert_true(y[i] == want[i]);
    hone_pool *p;
    assert_int_equal(hone_pool_create(2, &p), HONE_OK);
    assert_true(hone_blas_measure(b, hone_pool_exec(p), 16, 33, 20, 0.0) > 0.0);
    hone_pool_destroy(p);
}

static int has(const char *const *types, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(types[i], name) == 0)
            return 1;
    return 0;
}

/* What a processor is asked for follows from its instructions, not from knowing its model. */
static void test_the_core_type_of_openblas_follows_the_instructions(void **state)
{
    (void)state;
    const struct {
        hone_cpu cpu;
        const char *choice; /* on the best set */
        size_t types;
    } made[] = {
        {{.vendor = "GenuineIntel", .best = HONE_CPU_AVX512, .avx512 = 1, .avx = 1, .sse42 = 1},
         "SkylakeX",
         6},
        {{.vendor = "AuthenticAMD",
          .best = HONE_CPU_AVX512,
          .avx512 = 1,
          .avx512_bf16 = 1,
          .avx = 1,
          .sse42 = 1},
         "SkylakeX",
         8},
        {{.vendor = "AuthenticAMD", .best = HONE_CPU_AVX2, .avx2 = 1, .avx = 1, .sse42 = 1},
         "Zen",
         5},
        {{.vendor = "GenuineIntel", .best = HONE_CPU_AVX2, .avx2 = 1, .avx = 1, .sse42 = 1},
         "Haswell",
         5},
        {{.vendor = "A new maker", .best = HONE_CPU_AVX2, .avx2 = 1, .avx = 1, .sse42 = 1},
         "Haswell",
         5},
        {{.vendor = "GenuineIntel", .avx = 1, .sse42 = 1}, "Sandybridge", 3},
        {{.vendor = "GenuineIntel", .sse42 = 1}, "Nehalem", 2},
        {{.vendor = "GenuineIntel"}, NULL, 1},
        {{.vendor = ""}, NULL, 0}, /* no x86 */
    };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        const char *types[HONE_BLAS_TYPES];
        const hone_cpu *c = &made[i].cpu;
        const size_t n = hone_blas_types(c, types);
        const char *choice = hone_blas_choose(c, c->best);
        assert_int_equal(n, made[i].types);
        if (!made[i].choice) {
            assert_null(choice);
            continue;
        }
        assert_string_equal(choice, made[i].choice);
        assert_true(has(types, n, choice)); /* never one that it cannot run */
        assert_int_equal(has(types, n, "Cooperlake"), c->avx512_bf16);
        assert_int_equal(has(types, n, "SkylakeX"), c->avx512);
        assert_int_equal(has(types, n, "Haswell"), c->best >= HONE_CPU_AVX2);
    }
    /* a lesser kernel set is compared with its own instructions */
    assert_string_equal(hone_blas_choose(&made[0].cpu, HONE_CPU_AVX2), "Haswell");
    assert_string_equal(hone_blas_choose(&made[1].cpu, HONE_CPU_AVX2), "Zen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_kernel_set_is_a_usage_error),
        cmocka_unit_test(test_sets_have_names_and_the_best_can_be_used),
        cmocka_unit_test(test_the_core_type_of_openblas_follows_the_instructions),
        cmocka_unit_test(test_openblas_is_opened_with_this_processor_s_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
