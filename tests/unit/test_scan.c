/* test_scan.c - the text of a row: what it takes, what it refuses, and that it refuses what the reader of JSON refuses. */
#include "curate/scan.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/rng.h"
#include "support.h"

static const char *text_of(hone_scan *s, const char *row)
{
    hone_status st = hone_scan_row(s, hone_str_c(row));
    if (st < 0)
        fail_msg("%s: %s", row, hone_error_get()->what);
    return s->text.ptr;
}

static void test_all_strings_in_order_but_silent_keys(void **state)
{
    hone_scan s;
    (void)state;
    assert_int_equal(hone_scan_init(&s, NULL), HONE_OK);
    assert_string_equal(
        text_of(&s, "{\"id\":\"7\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
                    "{\"role\":\"x\",\"content\":\"b\\n\"}],\"n\":4,\"z\":{\"k\":\"c\"}}"),
        "a\nb\n\nc\n");
    assert_int_equal(s.n, 3);
    assert_int_equal(hone_scan_piece(&s, 1).len, 2);
    assert_string_equal(text_of(&s, " { } "), "");
    assert_int_equal(s.n, 0);
    hone_scan_release(&s);
}

static void test_columns_in_the_order_of_their_names(void **state)
{
    hone_scan s;
    (void)state;
    assert_int_equal(hone_scan_init(&s, "b,m.c,n"), HONE_OK);
    assert_string_equal(
        text_of(&s,
                "{\"n\":-1.50e2,\"m\":[{\"c\":\"1\",\"d\":\"-\"},{\"c\":[\"2\",{\"role\":\"3\"}]}],"
                "\"b\":true,\"c\":\"no\"}"),
        "true\n1\n2\n3\n-1.50e2\n");
    assert_int_equal(hone_scan_row(&s, hone_str_c("{\"b\":null,\"m\":{\"c\":1}}")),
                     HONE_E_NOT_FOUND);
    assert_non_null(strstr(hone_error_get()->what, "\"n\""));
    assert_string_equal(text_of(&s, "{\"b\":null,\"m\":{\"c\":1},\"n\":null}"), "1\n");
    hone_scan_release(&s);
    assert_int_equal(hone_scan_init(&s, "a,,b"), HONE_E_USAGE);
    assert_int_equal(hone_scan_init(&s, "a..b"), HONE_E_USAGE);
    assert_int_equal(hone_scan_init(&s, "a.b.c.d.e.f.g.h.i"), HONE_E_USAGE);
}

/* A column and what lies within it, named both: the inner text comes twice. */
static void test_overlapping_columns(void **state)
{
    hone_scan s;
    (void)state;
    assert_int_equal(hone_scan_init(&s, "a.b,a"), HONE_OK);
    assert_string_equal(text_of(&s, "{\"a\":{\"b\":\"x\",\"c\":\"y\"}}"), "x\nx\ny\n");
    hone_scan_release(&s);
}

static void test_escapes(void **state)
{
    hone_scan s;
    (void)state;
    assert_int_equal(hone_scan_init(&s, "\xC3\xA9"), HONE_OK);
    assert_string_equal(
        text_of(&s, "{\"\\u00e9\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20AC\\ud83d\\uDE00 plain text "
                    "that is long\"}"),
        "\"\\/\b\f\n\r\t\xE2\x82\xAC\xF0\x9F\x98\x80 plain text that is long\n");
    hone_scan_release(&s);
}

static const char *const refused[] = {"",
                                      "[]",
                                      "1",
                                      "{",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{\"a\":1}{",
                                      "{\"a\":1} x",
                                      "{\"a\":tru}",
                                      "{\"a\":nul}",
                                      "{\"a\":01}",
                                      "{\"a\":-}",
                                      "{\"a\":1.}",
                                      "{\"a\":.5}",
                                      "{\"a\":1e}",
                                      "{\"a\":+1}",
                                      "{\"a\":\"\\x\"}",
                                      "{\"a\":\"\\u12G4\"}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\\udc00\"}",
                                      "{\"a\":\"\\ud800\\u0041\"}",
                                      "{\"a\":\"\n\"}",
                                      "{\"a\":\"\x01\"}",
                                      "{\"a\":\"\xC0\xAF\"}",
                                      "{\"a\":\"\xED\xA0\x80\"}",
                                      "{\"a\":\"\xFF\"}",
                                      "{\"a\":\"\xE2\x82\"}",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":{\"b\":1,\"\\u0062\":2}}",
                                      "{'a':1}",
                                      "{\"a\":[1 2]}",
                                      "{\"a\":[1,]}",
                                      "{\"a\":NaN}",
                                      "{a:1}",
                                      "{\"a\":\"b}",
                                      "{\"a\":1}\v"};

static void test_what_is_no_row_is_refused_with_its_byte(void **state)
{
    hone_scan s;
    (void)state;
    assert_int_equal(hone_scan_init(&s, NULL), HONE_OK);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (hone_scan_row(&s, hone_str_c(refused[i])) != HONE_E_PARSE)
            fail_msg("taken: %s", refused[i]);
        assert_int_equal(strncmp(hone_error_get()->what, "byte ", 5), 0);
    }
    assert_string_equal(text_of(&s, "{\"a\":\"b\"}"), "b\n"); /* and the scanner is as it was */
    hone_scan_release(&s);
}

static void nest(char *out, size_t depth)
{
    memcpy(out, "{\"a\":", 5);
    memset(out + 5, '[', depth);
    memset(out + 5 + depth, ']', depth);
    memcpy(out + 5 + 2 * depth, "}", 2);
}

static void test_depth_is_the_readers(void **state)
{
    static char row[4096];
    hone_scan s;
    hone_arena a;
    hone_value v;
    (void)state;
    hone_arena_init(&a, 0);
    assert_int_equal(hone_scan_init(&s, NULL), HONE_OK);
    for (size_t d = HONE_JSON_DEPTH - 3; d < HONE_JSON_DEPTH + 3; d++) {
        nest(row, d);
        hone_status mine = hone_scan_row(&s, hone_str_c(row));
        hone_status reader = hone_json_parse(row, strlen(row), NULL, &a, &v);
        if ((mine < 0) != (reader < 0))
            fail_msg("depth %zu: %d, the reader %d", d, mine, reader);
    }
    hone_scan_release(&s);
    hone_arena_release(&a);
}

static void test_many_keys_are_compared_too(void **state)
{
    hone_buf b;
    hone_scan s;
    (void)state;
    hone_buf_init(&b, 1 << 20);
    assert_int_equal(hone_scan_init(&s, NULL), HONE_OK);
    for (int twice = 0; twice < 2; twice++) {
        hone_buf_clear(&b);
        hone_buf_addc(&b, '{');
        for (int i = 0; i < 500; i++)
            hone_buf_addf(&b, "%s\"k%d\":%d", i ? "," : "", twice && i == 499 ? 250 : i, i);
        hone_buf_addc(&b, '}');
        assert_int_equal(hone_scan_row(&s, hone_buf_str(&b)), twice ? HONE_E_PARSE : HONE_OK);
    }
    hone_scan_release(&s);
    hone_buf_release(&b);
}

/* Rows spoiled at random: both take them or both refuse them. Numbers the reader cannot hold are its own business. */
static void test_refuses_what_the_reader_refuses(void **state)
{
    static const char seed[] = "{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\n\",\"\xC3\xA9\"],\"b\":{"
                               "\"c\":\"\\ud83d\\ude00\",\"d\":{}},\"e\":[]}";
    static const char bytes[] = "{}[]\",:\\u0019eE+-.tfn \t\n\x80\xC3\xE2\xFF\x01";
    const hone_rng_key k = {.seed = 11, .purpose = HONE_RNG_USER};
    hone_arena a;
    hone_scan s;
    size_t taken = 0;
    (void)state;
    hone_arena_init(&a, 0);
    assert_int_equal(hone_scan_init(&s, NULL), HONE_OK);
    for (uint64_t i = 0; i < 60000; i++) {
        char row[sizeof seed];
        hone_value v;
        memcpy(row, seed, sizeof seed);
        size_t n = sizeof seed - 1 - (i % 3 == 0 ? hone_rng_below(&k, 9 * i + 8, 5) : 0);
        for (uint64_t c = 0; c < 1 + i % 3; c++)
            row[hone_rng_below(&k, 9 * i + 2 * c, sizeof seed - 1)] =
                bytes[hone_rng_below(&k, 9 * i + 2 * c + 1, sizeof bytes - 1)];
        hone_status reader = hone_json_parse(row, n, NULL, &a, &v);
        hone_status mine = hone_scan_row(&s, (hone_str){row, n});
        if (reader >= 0 && v.type != HONE_MAP)
            reader = HONE_E_PARSE;
        if ((mine < 0) != (reader < 0))
            fail_msg("%.*s: %d %s, the reader %d", (int)n, row, mine, hone_error_get()->what,
                     reader);
        taken += mine >= 0;
        hone_arena_clear(&a);
    }
    assert_true(taken > 1000);
    hone_scan_release(&s);
    hone_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_strings_in_order_but_silent_keys),
        cmocka_unit_test(test_columns_in_the_order_of_their_names),
        cmocka_unit_test(test_overlapping_columns),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_what_is_no_row_is_refused_with_its_byte),
        cmocka_unit_test(test_depth_is_the_readers),
        cmocka_unit_test(test_many_keys_are_compared_too),
        cmocka_unit_test(test_refuses_what_the_reader_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
