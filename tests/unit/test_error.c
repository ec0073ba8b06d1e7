/* Errors: three parts, one record a thread, suggestions. */
#include "support.h"

#include <errno.h>
#include <pthread.h>

static void test_message_detail_and_hint_are_kept_apart(void **state)
{
    (void)state;
    assert_int_equal(hone_fail(HONE_E_PARSE, "a.json: line %d", 7), HONE_E_PARSE);
    assert_int_equal(hone_fail_detail("the %s", "detail"), HONE_E_PARSE);
    assert_int_equal(hone_fail_hint("the hint"), HONE_E_PARSE);
    assert_string_equal(hone_error_get()->what, "a.json: line 7");
    assert_string_equal(hone_error_get()->detail, "the detail");
    assert_string_equal(hone_error_get()->hint, "the hint");
    assert_int_equal(hone_fail_at("%s:%d", "recipe.lua", 3), HONE_E_PARSE);
    assert_string_equal(hone_error_get()->what, "recipe.lua:3: a.json: line 7");
    assert_string_equal(hone_error_get()->hint, "the hint");
    hone_fail(HONE_E_IO, "other");
    assert_string_equal(hone_error_get()->detail, "");
    assert_string_equal(hone_error_get()->hint, "");
    /* the record itself as argument */
    hone_fail(HONE_E_FAIL, "again: %s", hone_error_get()->what);
    assert_string_equal(hone_error_get()->what, "again: other");
    hone_error_clear();
    assert_int_equal(hone_error_get()->code, HONE_OK);
    assert_string_equal(hone_error_get()->what, "");
}

static void test_failing_with_a_code_of_success_is_still_a_failure(void **state)
{
    (void)state;
    assert_int_equal(hone_fail(HONE_OK, "x"), HONE_E_FAIL);
    assert_int_equal(hone_fail(5, "x"), HONE_E_FAIL);
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char text[1200];
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA4", 2);
    text[sizeof text - 1] = 0;
    text[sizeof text - 2] = 0;
    hone_fail(HONE_E_FAIL, "x%s", text);
    const char *what = hone_error_get()->what;
    size_t n = strlen(what);
    assert_true(n < sizeof hone_error_get()->what && n > sizeof hone_error_get()->what - 4);
    assert_int_equal((unsigned char)what[n - 1], 0xA4);
    hone_fail_at("y");
    n = strlen(hone_error_get()->what);
    assert_int_equal(n, sizeof hone_error_get()->what - 2); /* one byte short: no half character */
    assert_int_equal((unsigned char)hone_error_get()->what[n - 1], 0xA4);
}

static void *other_thread(void *arg)
{
    hone_error *out = arg;
    assert_int_equal(hone_error_get()->code, HONE_OK);
    hone_fail(HONE_E_TIMEOUT, "there");
    *out = *hone_error_get();
    return NULL;
}

static void test_each_thread_has_its_own_and_can_hand_it_over(void **state)
{
    (void)state;
    hone_error theirs;
    pthread_t t;
    hone_fail(HONE_E_IO, "here");
    assert_int_equal(pthread_create(&t, NULL, other_thread, &theirs), 0);
    pthread_join(t, NULL);
    assert_string_equal(hone_error_get()->what, "here");
    assert_int_equal(hone_error_set(&theirs), HONE_E_TIMEOUT);
    assert_string_equal(hone_error_get()->what, "there");
}

static void test_errno_becomes_the_right_code(void **state)
{
    (void)state;
    const struct {
        int e;
        hone_status s;
    } rows[] = {{ENOSPC, HONE_E_NO_SPACE}, {EDQUOT, HONE_E_NO_SPACE}, {ENOENT, HONE_E_NOT_FOUND},
                {ENOMEM, HONE_E_NOMEM},    {EACCES, HONE_E_IO},       {EIO, HONE_E_IO}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        errno = rows[i].e;
        assert_int_equal(hone_fail_errno("f%d", 1), rows[i].s);
        assert_int_equal(errno, rows[i].e);
        assert_int_equal(strncmp(hone_error_get()->what, "f1: ", 4), 0);
    }
}

static void test_every_code_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_string_equal(hone_status_name(HONE_OK), "OK");
    assert_string_equal(hone_status_name(HONE_E_PARSE), "E_PARSE");
    assert_string_equal(hone_status_text(HONE_E_PARSE), "malformed input");
    assert_string_equal(hone_status_name(-999), "E_?");
    for (hone_status s = HONE_E_INTERRUPTED; s <= HONE_OK; s++)
        assert_string_not_equal(hone_status_name(s), "E_?");
}

static void test_did_you_mean_finds_slips_and_nothing_else(void **state)
{
    (void)state;
    const char *const names[] = {"math_answer", "exact_match", "regex", "format", "length", NULL};
    assert_string_equal(hone_closest("math_anwser", names), "math_answer");
    assert_string_equal(hone_closest("math-answer", names), "math_answer");
    assert_string_equal(hone_closest("Regex", names), "regex");
    assert_string_equal(hone_closest("math", names), "math_answer");
    assert_string_equal(hone_closest("fromat", names), "format");
    assert_null(hone_closest("tokenizer", names));
    assert_null(hone_closest("x", names));
    assert_null(hone_closest("", names));
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_null(hone_closest(longest, names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_detail_and_hint_are_kept_apart),
        cmocka_unit_test(test_failing_with_a_code_of_success_is_still_a_failure),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_each_thread_has_its_own_and_can_hand_it_over),
        cmocka_unit_test(test_errno_becomes_the_right_code),
        cmocka_unit_test(test_every_code_has_a_name_and_a_text),
        cmocka_unit_test(test_did_you_mean_finds_slips_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
