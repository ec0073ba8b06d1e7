/* test_judge_changes.c - what differs between two data tables (judge/changes.h). */
#include "support.h"

#include "judge/changes.h"
#include "judge/data.h"

#include <string.h>

static hone_arena arena;

static hone_value data_of(const char *text)
{
    hone_value v;
    assert_int_equal(hone_data_read(text, strlen(text), "t", &arena, &v), HONE_OK);
    return v;
}

static void expect(const char *a, const char *b, const char *want)
{
    hone_buf text;
    const hone_value x = data_of(a), y = data_of(b);
    hone_buf_init(&text, 1 << 20);
    assert_int_equal(hone_changes_text(&x, &y, &text), HONE_OK);
    assert_string_equal(text.ptr, want);
    hone_buf_release(&text);
}

static void test_equal_tables_have_no_changes(void **state)
{
    (void)state;
    expect("return { a = 1, b = { 'x', { c = true } } }",
           "return { b = { 'x', { c = true } }, a = 1 }", "");
}

static void test_texts_are_compared_by_line(void **state)
{
    (void)state;
    expect("return { t = 'a\\nb\\nc\\nd' }", "return { t = 'a\\nx\\nc\\nd\\ne' }",
           "t\n  - b\n  + x\n  + e\n");
    expect("return { t = 'a\\nb' }", "return { t = 'b\\na' }", "t\n  - a\n  + a\n");
    expect("return { t = '' }", "return { t = 'a' }", "t\n  - \n  + a\n");
}

static void test_what_is_in_one_alone_is_told(void **state)
{
    (void)state;
    expect("return { a = 1, n = { k = 2 } }", "return { b = 'z', n = { k = 3 } }",
           "a\n  - 1\nn.k\n  - 2\n  + 3\nb\n  + z\n");
    expect("return { a = 'x' }", "return { a = { 'x' } }", "a\n  - x\n  + [\"x\"]\n");
}

static void test_entries_with_ids_are_matched_by_them(void **state)
{
    (void)state;
    expect("return { c = { { id = 'p', w = 1 }, { id = 'q', w = 2 } } }",
           "return { c = { { id = 'q', w = 3 }, { id = 'p', w = 1 } } }", "c[q].w\n  - 2\n  + 3\n");
    expect("return { c = { { id = 'p', w = 1 } } }", "return { c = { { id = 'r', w = 1 } } }",
           "c[p]\n  - {\"id\":\"p\",\"w\":1}\nc[r]\n  + {\"id\":\"r\",\"w\":1}\n");
    expect("return { c = { 'a', 'b' } }", "return { c = { 'a' } }", "c[2]\n  - b\n");
}

/* Names longer than the room for a place are cut, and nothing is written beyond it. */
static void test_deep_places_are_cut(void **state)
{
    (void)state;
    char a[4096] = "return ", b[4096];
    for (int i = 0; i < 25; i++)
        strcat(a, "{ a_name_of_forty_bytes_or_so_of_some_level = ");
    strcpy(b, a);
    strcat(a, "1");
    strcat(b, "2");
    for (int i = 0; i < 25; i++) {
        strcat(a, "}");
        strcat(b, "}");
    }
    hone_buf text;
    const hone_value x = data_of(a), y = data_of(b);
    hone_buf_init(&text, 1 << 20);
    assert_int_equal(hone_changes_text(&x, &y, &text), HONE_OK);
    assert_true(text.len < 600 && strstr(text.ptr, "  - 1\n  + 2\n"));
    hone_buf_release(&text);
}

static void test_as_json(void **state)
{
    (void)state;
    hone_buf text;
    hone_jw w;
    const hone_value x = data_of("return { t = 'a\\nb' }"), y = data_of("return { t = 'a\\nc' }");
    hone_buf_init(&text, 1 << 20);
    hone_jw_init(&w, &text, 0);
    assert_int_equal(hone_changes_json(&x, &y, &w), HONE_OK);
    assert_string_equal(text.ptr, "[{\"place\":\"t\",\"removed\":[\"b\"],\"added\":[\"c\"]}]");
    hone_buf_release(&text);
}

static void test_a_small_buffer_is_an_error(void **state)
{
    (void)state;
    hone_buf text;
    const hone_value x = data_of("return { t = 'a' }"), y = data_of("return { t = 'b' }");
    hone_buf_init(&text, 4);
    assert_true(hone_changes_text(&x, &y, &text) < 0);
    hone_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_tables_have_no_changes),
        cmocka_unit_test(test_texts_are_compared_by_line),
        cmocka_unit_test(test_what_is_in_one_alone_is_told),
        cmocka_unit_test(test_entries_with_ids_are_matched_by_them),
        cmocka_unit_test(test_deep_places_are_cut),
        cmocka_unit_test(test_as_json),
        cmocka_unit_test(test_a_small_buffer_is_an_error),
    };
    hone_arena_init(&arena, 0);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hone_arena_release(&arena);
    return failed;
}
