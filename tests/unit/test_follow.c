/* test_follow.c - a run's metrics read while they are written: whole lines only, what was cut back is read anew. */
#include "support.h"

#include "base/file.h"
#include "web/follow.h"

#include <math.h>

static const char *path;

static void put(const char *text)
{
    assert_int_equal(hone_file_replace(path, text, strlen(text)), HONE_OK);
}

static void add(const char *text)
{
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* A look that finds `fresh` rows; the table has then `rows`. */
static void look(hone__follow *f, size_t fresh, size_t rows)
{
    size_t got = 99;
    assert_int_equal(hone__follow_look(f, &got), HONE_OK);
    assert_int_equal(got, fresh);
    assert_int_equal(f->table.n_rows, rows);
}

static int begin(void **state)
{
    static hone__follow f;
    path = scratch_path("metrics.jsonl");
    unlink(path);
    assert_int_equal(hone__follow_open(&f, path), HONE_OK);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    hone__follow_release(*state);
    return 0;
}

static void test_rows_come_as_they_are_written(void **state)
{
    hone__follow *f = *state;
    look(f, 0, 0); /* no file yet */
    put("");
    look(f, 0, 0);
    add("{\"step\":1,\"loss\":3}\n{\"step\":2,\"lo");
    look(f, 1, 1);
    look(f, 0, 1);
    add("ss\":2}\n{\"step\":3,\"kl\":0.5}\n");
    look(f, 2, 3);
    const double *loss = hone__web_column_get(&f->table, "loss"),
                 *kl = hone__web_column_get(&f->table, "kl");
    assert_true(loss && loss[0] == 3 && loss[1] == 2 && isnan(loss[2]));
    assert_true(kl && isnan(kl[0]) && kl[2] == 0.5);
    assert_int_equal(f->anew, 0);
}

static void test_a_file_that_was_cut_back_is_read_anew(void **state)
{
    hone__follow *f = *state;
    put("{\"step\":1,\"loss\":3}\n{\"step\":2,\"loss\":2}\n{\"step\":3,\"loss\":1}\n");
    look(f, 3, 3);
    put("{\"step\":1,\"loss\":3}\n");
    look(f, 0, 1);
    assert_int_equal(f->anew, 1);
    add("{\"step\":2,\"loss\":9}\n");
    look(f, 1, 2);
    /* cut back, and longer again before it was looked at: the line that was last is another one */
    put("{\"step\":1,\"loss\":3}\n{\"step\":2,\"loss\":8}\n{\"step\":3,\"loss\":7}\n");
    look(f, 1, 3);
    assert_int_equal(f->anew, 2);
    assert_true(hone__web_column_get(&f->table, "loss")[1] == 8);
}

static void test_bad_lines_are_passed_over_and_counted(void **state)
{
    static const char *const bad[] = {"",      "[1]",           "{\"loss\":1}", "{\"step\":null}",
                                      "{\"st", "{\"step\":1}}", "\xff\xfe",     "{\"step\":\"2\"}",
                                      "7 {}",  "{\"step\":1,}"};
    hone__follow *f = *state;
    put("{\"step\":1,\"loss\":3}\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        add(bad[i]);
        add("\n");
        look(f, i == 0, 1);
        assert_int_equal(f->passed_over, i + 1);
    }
    add("{\"step\":2,\"loss\":2,\"note\":\"x\",\"list\":[1]}\n");
    look(f, 1, 2);
    assert_int_equal(f->table.n_cols, 1); /* what is no number is no column */
}

static void test_a_step_again_replaces_what_followed_it(void **state)
{
    hone__follow *f = *state;
    put("{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":2}\n{\"step\":3,\"a\":3}\n{\"step\":2,\"b\":4}\n");
    look(f, 2, 2);
    assert_true(f->table.step[1] == 2 && isnan(hone__web_column_get(&f->table, "a")[1]) &&
                hone__web_column_get(&f->table, "b")[1] == 4);
}

static void test_a_folder_is_an_error(void **state)
{
    size_t fresh;
    hone__follow f;
    (void)state;
    assert_int_equal(hone__follow_open(&f, scratch_dir()), HONE_OK);
    assert_true(hone__follow_look(&f, &fresh) < 0);
    hone__follow_release(&f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_rows_come_as_they_are_written),
        T(test_a_file_that_was_cut_back_is_read_anew),
        T(test_bad_lines_are_passed_over_and_counted),
        T(test_a_step_again_replaces_what_followed_it),
        T(test_a_folder_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
