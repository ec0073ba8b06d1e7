/* Numbers of a step: how parts combine, and that a checkpoint gives them back as they were. */
#include "support.h"

#include "train/metrics.h"

#include <math.h>

static hone_arena arena;

static void kept_as_text(const hone_metrics *m, hone_buf *b)
{
    hone_jw w;
    hone_buf_init(b, 1 << 20);
    hone_jw_init(&w, b, 0);
    hone_metrics_keep(m, &w);
    assert_ok(b->failed);
}

static hone_status from_text(const char *text, size_t len, hone_metrics *m)
{
    hone_value v;
    assert_ok(hone_json_parse(text, len, NULL, &arena, &v));
    return hone_metrics_kept(m, &v);
}

static void test_parts_combine_the_same_behind_a_checkpoint(void **state)
{
    (void)state;
    hone_metrics whole, early, late;
    hone_buf b;
    double x, y;
    hone_metrics_init(&whole);
    hone_metrics_init(&early);
    hone_metrics_init(&late);
    hone_metrics *const first[2] = {&whole, &early};
    for (int i = 0; i < 2; i++) {
        hone_metrics_add(first[i], "z/mean", HONE_METRIC_MEAN, 0.1, 3);
        hone_metrics_add(first[i], "a/sum", HONE_METRIC_SUM, 2, 1);
        hone_metrics_add(first[i], "m/min", HONE_METRIC_MIN, -4, 1);
        hone_metrics_add(first[i], "m/max", HONE_METRIC_MAX, 1e300, 1);
        hone_metrics_add(first[i], "nothing", HONE_METRIC_MEAN, 1, 0);
        hone_metrics_set(first[i], "not", (double)NAN);
    }
    hone_metrics_set(&late, "of before", 1); /* goes */
    kept_as_text(&early, &b);
    assert_ok(from_text(b.ptr, b.len, &late));
    assert_false(hone_metrics_get(&late, "of before", &x));
    assert_false(hone_metrics_get(&late, "nothing", &x));
    assert_true(hone_metrics_get(&late, "not", &x) && isnan(x));
    hone_metrics *const both[2] = {&whole, &late};
    for (int i = 0; i < 2; i++) {
        hone_metrics_add(both[i], "z/mean", HONE_METRIC_MEAN, 0.7, 4);
        hone_metrics_add(both[i], "a/sum", HONE_METRIC_SUM, 5, 1);
        hone_metrics_add(both[i], "m/min", HONE_METRIC_MIN, -3, 1);
        hone_metrics_add(both[i], "m/max", HONE_METRIC_MAX, 3, 1);
    }
    static const char *const names[] = {"z/mean", "a/sum", "m/min", "m/max"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(hone_metrics_get(&whole, names[i], &x));
        assert_true(hone_metrics_get(&late, names[i], &y));
        assert_memory_equal(&x, &y, sizeof x);
        assert_string_equal(late.items[i].name, names[i]); /* in the order of first mention */
    }
    hone_buf_release(&b);
    hone_metrics_release(&whole);
    hone_metrics_release(&early);
    hone_metrics_release(&late);
}

static void test_what_is_no_list_of_metrics_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[[]]",
        "[[\"x\",0,1]]",
        "[[\"x\",0,1,1,1]]",
        "[[5,0,1,1]]",
        "[[\"x\",4,1,1]]",
        "[[\"x\",-1,1,1]]",
        "[[\"x\",0.5,1,1]]",
        "[[\"x\",0,\"1\",1]]",
        "[[\"x\",0,1,0]]",
        "[[\"x\",0,1,null]]",
        "[[\"x\",0,1,-2]]",
        "[[\"0123456789012345678901234567890123456789012345678901234567890123\",0,1,1]]",
        "[[\"x\",0,1,1],[\"y\"]]"};
    hone_metrics m;
    double x;
    hone_metrics_init(&m);
    hone_metrics_set(&m, "here", 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(from_text(bad[i], strlen(bad[i]), &m), HONE_E_INVALID);
        assert_true(m.n == 1 && hone_metrics_get(&m, "here", &x) && x == 3);
    }
    assert_ok(from_text("[[\"x\",0,1,1],[\"x\",1,2,1]]", 25, &m)); /* twice: one of them */
    assert_int_equal(m.n, 1);
    assert_ok(from_text("[]", 2, &m));
    assert_int_equal(m.n, 0);
    hone_metrics_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_combine_the_same_behind_a_checkpoint),
        cmocka_unit_test(test_what_is_no_list_of_metrics_changes_nothing),
    };
    hone_arena_init(&arena, 1 << 20);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hone_arena_release(&arena);
    return failed;
}
