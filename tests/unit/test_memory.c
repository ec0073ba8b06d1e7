/* test_memory.c - amounts of memory: what people write, what control groups say. */
#include "base/file.h"
#include "base/memory.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

static void test_amounts_are_read_with_their_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"200M", 200u << 20}, {"1.5G", 1536u << 20}, {"4096", 4096},
                {"64k", 65536},       {"64K", 65536},        {"2T", (uint64_t)2 << 40}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t v = 0;
        assert_int_equal(hone_memory_parse(good[i].text, &v), HONE_OK);
        assert_int_equal(v, good[i].bytes);
    }
}

static void test_what_is_no_amount_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "M",   "0",   "-1G",   "1X",
                                      "1GB", "nan", "inf", "1e30T", "1 G"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t v = 7;
        assert_int_equal(hone_memory_parse(bad[i], &v), HONE_E_USAGE);
        assert_int_equal(v, 7);
    }
}

static void put(const char *dir, const char *leaf, const char *text)
{
    assert_int_equal(hone_mkdirs(dir), HONE_OK);
    char *path = hone_path_join(dir, leaf);
    assert_non_null(path);
    assert_int_equal(hone_file_replace(path, text, strlen(text)), HONE_OK);
    hone_free(path);
}

static void test_the_smallest_limit_on_the_way_up_holds(void **state)
{
    (void)state;
    char root[] = "/tmp/hone-memory-XXXXXX", dir[128];
    assert_non_null(mkdtemp(root));
    put(root, "memory.max", "max\n");
    assert_int_equal(hone_memory_group_limit(root, "0::/a/b\n"), 0);
    snprintf(dir, sizeof dir, "%s/a", root);
    put(dir, "memory.max", "1000000\n");
    snprintf(dir, sizeof dir, "%s/a/b", root);
    put(dir, "memory.max", "2000000\n");
    assert_int_equal(hone_memory_group_limit(root, "0::/a/b\n"), 1000000);
    assert_int_equal(hone_memory_group_limit(root, "0::/elsewhere\n"), 0);
    snprintf(dir, sizeof dir, "%s/memory/x", root);
    put(dir, "memory.limit_in_bytes", "700000\n");
    assert_int_equal(hone_memory_group_limit(root, "9:cpu:/x\n5:memory:/x\n0::/a/b"), 700000);
    assert_int_equal(hone_memory_group_limit(root, "no such line"), 0);
    assert_int_equal(hone_memory_group_limit(root, ""), 0);
    assert_int_equal(hone_remove_tree(root), HONE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts_are_read_with_their_unit),
        cmocka_unit_test(test_what_is_no_amount_is_a_usage_error),
        cmocka_unit_test(test_the_smallest_limit_on_the_way_up_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
