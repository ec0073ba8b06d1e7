/* test_region.c - regions: zeroed, aligned, growing, counted by name. */
#include "support.h"
#include "tensor/region.h"

static hone_region_stat find(const char *name)
{
    hone_region_stat all[64], none = {0};
    const size_t n = hone_region_stats(all, 64);
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i];
    return none;
}

static void test_a_region_is_zeroed_aligned_and_writable(void **state)
{
    (void)state;
    hone_region r;
    assert_int_equal(hone_region_init(&r, "a", 100001), HONE_OK);
    assert_int_equal((uintptr_t)r.base % 64, 0);
    assert_int_equal(r.size, 100001);
    for (size_t i = 0; i < r.size; i++)
        assert_int_equal(((char *)r.base)[i], 0);
    memset(r.base, 1, r.size);
    hone_region_drop(&r);
    assert_int_equal(((char *)r.base)[100000], 0);
    hone_region_release(&r);
    hone_region_release(&r);
    assert_null(r.base);
}

static void test_growing_keeps_contents(void **state)
{
    (void)state;
    hone_region r;
    assert_int_equal(hone_region_init(&r, "b", 0), HONE_OK);
    assert_null(r.base);
    assert_int_equal(hone_region_grow(&r, 10), HONE_OK);
    memcpy(r.base, "contents", 9);
    assert_int_equal(hone_region_grow(&r, (size_t)20 << 20), HONE_OK);
    assert_string_equal(r.base, "contents");
    assert_int_equal(((char *)r.base)[(20 << 20) - 1], 0);
    ((char *)r.base)[(20 << 20) - 1] = 1;
    assert_int_equal(hone_region_grow(&r, 5), HONE_OK);
    assert_int_equal(r.size, (size_t)20 << 20);
    hone_region_release(&r);
}

static void test_regions_are_counted_by_name_with_their_peak(void **state)
{
    (void)state;
    hone_region a, b;
    char name[] = "weights"; /* another address, the same name */
    assert_int_equal(hone_region_init(&a, "weights", 1 << 16), HONE_OK);
    assert_int_equal(hone_region_init(&b, name, 1 << 17), HONE_OK);
    assert_int_equal(find("weights").bytes, (1 << 16) + (1 << 17));
    assert_int_equal(find("weights").count, 2);
    assert_int_equal(hone_region_grow(&a, 1 << 18), HONE_OK);
    assert_int_equal(find("weights").bytes, (1 << 18) + (1 << 17));
    hone_region_release(&a);
    hone_region_release(&b);
    assert_int_equal(find("weights").bytes, 0);
    assert_int_equal(find("weights").count, 0);
    assert_int_equal(find("weights").peak, (1 << 18) + (1 << 17));
}

static void test_too_much_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    hone_region r, big;
    assert_int_equal(hone_region_init(&big, "big", SIZE_MAX - 5), HONE_E_NOMEM);
    assert_null(big.base);
    assert_int_equal(hone_region_init(&big, "big", SIZE_MAX / 4), HONE_E_NOMEM);
    assert_non_null(strstr(hone_error_get()->what, "big"));
    assert_int_equal(hone_region_init(&r, "c", 64), HONE_OK);
    memcpy(r.base, "here", 5);
    assert_int_equal(hone_region_grow(&r, SIZE_MAX - 5), HONE_E_NOMEM);
    assert_int_equal(hone_region_grow(&r, SIZE_MAX / 4), HONE_E_NOMEM);
    assert_int_equal(r.size, 64);
    assert_string_equal(r.base, "here");
    hone_region_release(&r);
}

static void test_many_names_share_the_last_entry(void **state)
{
    (void)state;
    static char names[100][8];
    hone_region r[100];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        assert_int_equal(hone_region_init(&r[i], names[i], 4096), HONE_OK);
    }
    assert_true(find("other").bytes > 0);
    for (int i = 0; i < 100; i++)
        hone_region_release(&r[i]);
    assert_int_equal(find("other").bytes, 0);
    assert_int_equal(find("n3").bytes, 0);
}

static void test_a_planned_region_is_counted_and_not_backed(void **state)
{
    (void)state;
    hone_region r;
    hone_region_plan(1);
    /* only addresses are taken: as many as the thread sanitizer leaves */
    assert_int_equal(hone_region_init(&r, "planned", (size_t)1 << 38), HONE_OK);
    assert_true(hone_region_planning());
    assert_int_equal(find("planned").bytes, (size_t)1 << 38);
    hone_region_release(&r);
    hone_region_plan(0);
    assert_false(hone_region_planning());
    assert_int_equal(find("planned").peak, (size_t)1 << 38);
    hone_region_stats_reset();
    assert_int_equal(find("planned").peak, 0);
}

static void test_the_limit_is_on_all_regions_together(void **state)
{
    (void)state;
    hone_region a, b;
    hone_region_limit(1 << 20);
    assert_int_equal(hone_region_init(&a, "limited", 700 << 10), HONE_OK);
    assert_int_equal(hone_region_init(&b, "limited", 400 << 10), HONE_E_LIMIT);
    assert_non_null(strstr(hone_error_get()->what, "1.0 MB are allowed"));
    assert_null(b.base);
    assert_int_equal(hone_region_init(&b, "limited", 300 << 10), HONE_OK);
    assert_int_equal(hone_region_grow(&a, 800 << 10), HONE_E_LIMIT);
    assert_int_equal(a.size, 700 << 10);
    hone_region_release(&b);
    assert_int_equal(hone_region_grow(&a, 800 << 10), HONE_OK);
    hone_region_limit(0);
    assert_int_equal(hone_region_grow(&a, 8 << 20), HONE_OK);
    hone_region_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_region_is_zeroed_aligned_and_writable),
        cmocka_unit_test(test_growing_keeps_contents),
        cmocka_unit_test(test_regions_are_counted_by_name_with_their_peak),
        cmocka_unit_test(test_too_much_is_refused_and_changes_nothing),
        cmocka_unit_test(test_a_planned_region_is_counted_and_not_backed),
        cmocka_unit_test(test_the_limit_is_on_all_regions_together),
        cmocka_unit_test(test_many_names_share_the_last_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
