/* Counted memory: overflow, counting, injected failures. */
#include "support.h"

static void test_sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    size_t out = 7;
    assert_int_equal(hone_mul_size(SIZE_MAX / 2, 3, &out), 0);
    assert_int_equal(hone_add_size(SIZE_MAX, 1, &out), 0);
    assert_int_equal(out, 7);
    assert_int_equal(hone_mul_size(6, 7, &out), 1);
    assert_int_equal(out, 42);
    assert_int_equal(hone_add_size(SIZE_MAX - 1, 1, &out), 1);
    assert_true(out == SIZE_MAX);
    hone_error_clear();
    assert_null(hone_calloc(SIZE_MAX / 4, 8));
    assert_int_equal(hone_error_get()->code, HONE_E_NOMEM);
    assert_null(hone_alloc(SIZE_MAX));
    void *p = hone_alloc(4);
    assert_null(hone_reallocarray(p, SIZE_MAX / 2, 4));
    hone_free(p);
}

static void test_live_blocks_and_bytes_are_counted(void **state)
{
    (void)state;
    size_t blocks, bytes, b2, n2;
    hone_alloc_stats(&blocks, &bytes);
    char *p = hone_alloc(100), *q = hone_calloc(10, 5);
    assert_true(p && q);
    for (int i = 0; i < 50; i++)
        assert_int_equal(q[i], 0);
    assert_int_equal((uintptr_t)p % 16, 0);
    hone_alloc_stats(&b2, &n2);
    assert_int_equal(b2, blocks + 2);
    assert_int_equal(n2, bytes + 150);
    memset(p, 'x', 100);
    p = hone_realloc(p, 1000);
    assert_int_equal(p[99], 'x');
    p = hone_realloc(p, 10);
    hone_alloc_stats(&b2, &n2);
    assert_int_equal(n2, bytes + 60);
    hone_free(p);
    hone_free(q);
    hone_free(NULL);
    hone_alloc_stats(&b2, &n2);
    assert_int_equal(b2, blocks);
    assert_int_equal(n2, bytes);
}

static void test_nth_request_fails_once_or_for_good(void **state)
{
    (void)state;
    hone_alloc_fail_after(2, 0);
    void *a = hone_alloc(1), *b = hone_alloc(1), *c = hone_alloc(1);
    assert_non_null(a);
    assert_null(b);
    assert_int_equal(hone_error_get()->code, HONE_E_NOMEM);
    assert_non_null(c);
    hone_alloc_fail_after(1, 1);
    assert_null(hone_alloc(1));
    assert_null(hone_calloc(1, 1));
    assert_null(hone_realloc(a, 100)); /* a is unchanged */
    hone_alloc_fail_after(0, 0);
    a = hone_realloc(a, 100);
    assert_non_null(a);
    hone_free(a);
    hone_free(c);
}

static void test_copies_of_strings(void **state)
{
    (void)state;
    char *z = hone_strdup("abc"), *n = hone_strndup("a\0bc", 3);
    assert_string_equal(z, "abc");
    assert_memory_equal(n, "a\0b", 4);
    assert_null(hone_strdup(NULL));
    hone_free(z);
    hone_free(n);
    void *p = hone_alloc(0), *q = hone_alloc(0);
    assert_true(p && q && p != q);
    hone_free(p);
    hone_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_that_overflow_are_refused),
        cmocka_unit_test(test_live_blocks_and_bytes_are_counted),
        cmocka_unit_test(test_nth_request_fails_once_or_for_good),
        cmocka_unit_test(test_copies_of_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
