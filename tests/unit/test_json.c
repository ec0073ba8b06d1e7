/* JSON in and out: exactness, refusals with their place, limits, the writer's misuse. */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "base/messages.h"
#include "base/rng.h"

#include <float.h>
#include <locale.h>
#include <math.h>

static hone_arena arena;
static hone_value value;

static int setup(void **state)
{
    (void)state;
    hone_arena_init(&arena, 0);
    memset(&value, 0, sizeof value);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hone_arena_release(&arena);
    return 0;
}

static hone_status parse(const char *z)
{
    return hone_json_parse(z, strlen(z), NULL, &arena, &value);
}

static void test_whole_numbers_keep_64_bits(void **state)
{
    (void)state;
    assert_ok(parse("[9223372036854775807,-9223372036854775808,9007199254740993,0,-7]"));
    const hone_value *v = value.u.list.items;
    assert_int_equal(value.u.list.n, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(v[i].type, HONE_I64);
    assert_true(v[0].u.i64 == INT64_MAX && v[1].u.i64 == INT64_MIN);
    assert_true(v[2].u.i64 == 9007199254740993);
    assert_true(v[3].u.i64 == 0 && v[4].u.i64 == -7);
    assert_ok(parse("[9223372036854775808,-9223372036854775809,1.0,1e2,-0,18446744073709551616]"));
    v = value.u.list.items;
    for (int i = 0; i < 6; i++)
        assert_int_equal(v[i].type, HONE_F64);
    assert_true(v[0].u.f64 == 0x1p63 && v[3].u.f64 == 100.0);
    assert_true(v[4].u.f64 == 0.0 && signbit(v[4].u.f64));
}

static void test_strings_decode_with_every_escape(void **state)
{
    (void)state;
    assert_ok(parse("{\"a\\u0000b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20ac\\ud83d\\ude00\","
                    "\"z\":\"x\\u0000\\\\u0000 \\u00e4\\ud83d\\ude00\\n\",\"raw\":\"\xC3\xA4\"}"));
    assert_int_equal(value.u.map.n, 3);
    assert_int_equal(value.u.map.pairs[0].key.len, 3);
    assert_memory_equal(value.u.map.pairs[0].key.ptr, "a\0b", 4);
    assert_string_equal(value.u.map.pairs[0].value.u.str.ptr,
                        "\"\\/\b\f\n\r\t\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    hone_str s = value.u.map.pairs[1].value.u.str;
    const char want[] = "x\0\\u0000 \xC3\xA4\xF0\x9F\x98\x80\n";
    assert_int_equal(s.len, sizeof want - 1);
    assert_memory_equal(s.ptr, want, sizeof want);
    assert_string_equal(hone_value_get(&value, "raw")->u.str.ptr, "\xC3\xA4");
}

static void test_errors_name_line_and_column(void **state)
{
    (void)state;
    const char *z = "{\n  \"a\": 1,\n  \"b\": tru\n}";
    assert_fails(hone_json_parse(z, strlen(z), "c.json", &arena, &value), HONE_E_PARSE,
                 "c.json:3:8: ");
    assert_non_null(strstr(hone_error_get()->detail, "\"b\": tru"));
    assert_int_equal(value.type, HONE_NULL); /* untouched */
}

static void test_malformed_text_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } rows[] = {
        {"", "ends where a value"},
        {"   ", "ends where a value"},
        {"[1,2", "list that does not end"},
        {"{\"a\":1", "object that does not end"},
        {"[1,]", "missing or malformed"},
        {"{\"a\":1,}", "comma before the end"},
        {"{a:1}", "key in quotes"},
        {"{\"a\" 1}", "':' is expected"},
        {"[1 2]", "',' or ']'"},
        {"{\"a\":1 \"b\":2}", "',' or '}'"},
        {"[1}", "',' or ']'"},
        {"1 2", "text after the end"},
        {"{} x", "text after the end"},
        {"nul", "missing or malformed"},
        {"NaN", "NaN"},
        {"[Infinity]", "Infinity"},
        {"-Infinity", "missing or malformed"},
        {"01", "begin with 0"},
        {"-", "missing or malformed"},
        {"+1", "missing or malformed"},
        {".5", "missing or malformed"},
        {"1.", "after the point"},
        {"1e", "exponent"},
        {"1e+", "exponent"},
        {"0x10", "text after the end"},
        {"1e999", "too large"},
        {"\"abc", "does not end"},
        {"\"a\\", "does not end"},
        {"\"a\\q\"", "unknown escape"},
        {"\"\\u12g4\"", "four hexadecimal"},
        {"\"\\u12", "four hexadecimal"},
        {"\"\\ud800\"", "first half"},
        {"\"\\ud800\\u0041\"", "first half"},
        {"\"\\udc00\"", "second half"},
        {"\"a\nb\"", "line break inside"},
        {"\"a\tb\"", "control character"},
        {"\"\xC3\"", "UTF-8"},
        {"\"\xC0\x80\"", "UTF-8"},
        {"\"\xED\xA0\x80\"", "UTF-8"},
        {"\"\xF4\x90\x80\x80\"", "UTF-8"},
        {"\"\xE0\x9F\xBF\"", "UTF-8"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "same key twice"},
        {"{\"a\":1,\"\\u0061\":3}", "same key twice"},
        {"// c\n1", "missing or malformed"},
        {"'a'", "missing or malformed"},
        {"1111111111222222222233333333334444444444555555555566666666667777", "63 characters"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_fails(parse(rows[i].text), HONE_E_PARSE, rows[i].what);
    assert_fails(hone_json_parse("[1\0]", 4, NULL, &arena, &value), HONE_E_PARSE, "',' or ']'");
    assert_fails(hone_json_parse("\"a\0b\"", 5, NULL, &arena, &value), HONE_E_PARSE, "control");
    /* cut anywhere, a text is refused (and nothing is read past its end: see the asan pass) */
    const char *whole = "{\"k\":[true,null,-1.5e-3,\"\\ud83d\\ude00\xE2\x82\xAC\",{\"x\":[]}]}";
    for (size_t n = 0; n < strlen(whole); n++) {
        char *cut = hone_strndup(whole, n), *exact = malloc(n ? n : 1);
        memcpy(exact, cut, n);
        assert_int_equal(hone_json_parse(exact, n, NULL, &arena, &value), HONE_E_PARSE);
        free(exact);
        hone_free(cut);
    }
    assert_ok(parse(whole));
}

static void test_a_twin_among_many_keys_is_found(void **state)
{
    (void)state;
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_buf_addc(&b, '{');
    for (int i = 0; i < 3000; i++)
        hone_buf_addf(&b, "%s\n\"k%d\":%d", i ? "," : "", i, i);
    hone_buf_adds(&b, "}");
    assert_ok(hone_json_parse(b.ptr, b.len, NULL, &arena, &value));
    assert_int_equal(value.u.map.n, 3000);
    int64_t v = 0;
    assert_ok(hone_value_i64(&value, "k2999", -1, &v));
    assert_int_equal(v, 2999);
    b.len--;
    hone_buf_adds(&b, ",\n\"k17\":0}");
    assert_fails(hone_json_parse(b.ptr, b.len, NULL, &arena, &value), HONE_E_PARSE,
                 "JSON:3002:1: the same key twice");
    hone_buf_release(&b);
}

static void test_depth_is_limited_at_512(void **state)
{
    (void)state;
    char *z = malloc(20001);
    memset(z, '[', 10000);
    memset(z + 10000, ']', 10000);
    z[20000] = 0;
    assert_fails(hone_json_parse(z, 20000, NULL, &arena, &value), HONE_E_PARSE, "512 deep");
    assert_fails(hone_json_parse(z + 10000 - 513, 1026, NULL, &arena, &value), HONE_E_PARSE,
                 "512 deep");
    assert_ok(hone_json_parse(z + 10000 - 512, 1024, NULL, &arena, &value));
    for (int i = 0; i < 10000; i++)
        memcpy(z + 5 * (i % 4000), "{\"a\":", 5);
    assert_fails(hone_json_parse(z, 20000, NULL, &arena, &value), HONE_E_PARSE, "512 deep");
    free(z);
}

static void test_a_byte_order_mark_is_let_pass(void **state)
{
    (void)state;
    assert_ok(parse("\xEF\xBB\xBF{\"a\":1}"));
    assert_int_equal(hone_value_get(&value, "a")->u.i64, 1);
}

static void test_files_have_a_size_limit(void **state)
{
    (void)state;
    const char *path = scratch_path("a.json");
    assert_ok(hone_file_replace(path, "[1,2,3]", 7));
    assert_ok(hone_json_parse_file(path, 7, &arena, &value));
    assert_int_equal(value.u.list.n, 3);
    assert_fails(hone_json_parse_file(path, 6, &arena, &value), HONE_E_LIMIT, "longer than 6");
    assert_fails(hone_json_parse_file(scratch_path("none"), 0, &arena, &value), HONE_E_NOT_FOUND,
                 "none");
}

static void test_typed_reads_default_convert_and_refuse(void **state)
{
    (void)state;
    int64_t i = 0;
    double d = 0;
    int b = 0;
    hone_str s = {NULL, 0};
    assert_ok(parse(
        "{\"i\":3,\"f\":2.0,\"h\":2.5,\"t\":true,\"s\":\"x\",\"n\":null,\"o\":{\"p\":{\"q\":9}},"
        "\"big\":1e300}"));
    assert_ok(hone_value_i64(&value, "i", 0, &i));
    assert_int_equal(i, 3);
    assert_ok(hone_value_i64(&value, "f", 0, &i));
    assert_int_equal(i, 2);
    assert_ok(hone_value_i64(&value, "n", 77, &i));
    assert_int_equal(i, 77);
    assert_fails(hone_value_i64(&value, "h", 0, &i), HONE_E_TYPE, "\"h\" must be a whole number");
    assert_fails(hone_value_i64(&value, "big", 0, &i), HONE_E_TYPE, "big");
    assert_fails(hone_value_i64(&value, "s", 0, &i), HONE_E_TYPE, "not a string");
    assert_int_equal(i, 77);
    assert_ok(hone_value_f64(&value, "i", 0, &d));
    assert_true(d == 3.0);
    assert_ok(hone_value_f64(&value, "absent", 0.5, &d));
    assert_true(d == 0.5);
    assert_fails(hone_value_f64(&value, "t", 0, &d), HONE_E_TYPE, "\"t\"");
    assert_ok(hone_value_bool(&value, "t", 0, &b));
    assert_int_equal(b, 1);
    assert_fails(hone_value_bool(&value, "i", 0, &b), HONE_E_TYPE, "\"i\"");
    assert_ok(hone_value_string(&value, "s", hone_str_c("d"), &s));
    assert_true(hone_str_eq(s, "x"));
    assert_fails(hone_value_string(&value, "o", hone_str_c("d"), &s), HONE_E_TYPE, "\"o\"");
    assert_int_equal(hone_value_path(&value, "o.p.q")->u.i64, 9);
    assert_null(hone_value_path(&value, "o.x.q"));
    assert_null(hone_value_path(&value, "i.x"));
    assert_null(hone_value_get(NULL, "i"));
}

static void test_copies_are_deep_and_equal(void **state)
{
    (void)state;
    hone_arena other;
    hone_value copy, was;
    hone_arena_init(&other, 0);
    assert_ok(parse("{\"a\":[1,2.5,\"x\",null,true,{\"b\":[]}],\"c\":{}}"));
    was = value;
    assert_ok(hone_value_copy(&other, &value, &copy));
    assert_true(hone_value_equal(&was, &copy));
    assert_true(copy.u.map.pairs != was.u.map.pairs);
    hone_arena_release(&arena);
    hone_arena_init(&arena, 0);
    assert_ok(parse("{\"c\":{},\"a\":[1.0,2.5,\"x\",null,true,{\"b\":[]}]}"));
    assert_true(hone_value_equal(&value, &copy)); /* any order, 1 is 1.0 */
    assert_ok(parse("{\"c\":{},\"a\":[1,2.5,\"x\",null,true,{\"b\":[0]}]}"));
    assert_false(hone_value_equal(&value, &copy));
    assert_ok(parse("{\"c\":{}}"));
    assert_false(hone_value_equal(&value, &copy));
    hone_arena_release(&other);
}

/* ---- numbers as text -------------------------------------------------------------------------- */

static void test_doubles_are_written_short_and_read_back_equal(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {{0.1, "0.1"},
                {1e30, "1e+30"},
                {-3, "-3"},
                {0.0, "0"},
                {-0.0, "-0"},
                {1.0 / 3, "0.3333333333333333"},
                {5e-324, "5e-324"},
                {DBL_MAX, "1.7976931348623157e+308"},
                {0.1 + 0.2, "0.30000000000000004"},
                {123456789012345680.0, "1.2345678901234568e+17"},
                {1e15, "1e+15"},
                {100.0, "100"}};
    char out[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(hone_format_f64(rows[i].v, out), strlen(rows[i].text));
        assert_string_equal(out, rows[i].text);
    }
    hone_format_f32(0.1f, out);
    assert_string_equal(out, "0.1");
    hone_format_f32(16777216.0f, out);
    assert_string_equal(out, "16777216");
    hone_format_f32(1e-45f, out);
    assert_string_equal(out, "1e-45");
    hone_rng_key k = {1, HONE_RNG_USER, 0, 0, 0};
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t u = hone_rng_u64(&k, i);
        uint32_t w = (uint32_t)u;
        double d;
        float f;
        memcpy(&d, &u, sizeof d);
        memcpy(&f, &w, sizeof f);
        if (isfinite(d)) {
            assert_true(hone_format_f64(d, out) < 32);
            assert_true(hone_parse_f64(out, NULL) == d);
        }
        if (isfinite(f)) {
            hone_format_f32(f, out);
            assert_true(strtof(out, NULL) == f);
        }
    }
}

static void test_numbers_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    char out[32];
    const char *end;
    const char *got = setlocale(LC_ALL, "de_DE.UTF-8");
    if (!got)
        got = setlocale(LC_ALL, "fr_FR.UTF-8");
    hone_format_f64(0.5, out);
    assert_string_equal(out, "0.5");
    assert_true(hone_parse_f64("0.25,", &end) == 0.25);
    assert_string_equal(end, ",");
    assert_ok(parse("[0.5,1.25e1]"));
    assert_true(value.u.list.items[1].u.f64 == 12.5);
    setlocale(LC_ALL, "C");
    if (!got)
        fprintf(stderr, "no locale with a decimal comma is installed; only C was tried\n");
}

/* ---- writer ----------------------------------------------------------------------------------- */

static hone_buf buf;
static hone_jw w;

static void start(int indent)
{
    hone_buf_release(&buf);
    hone_buf_init(&buf, 1 << 20);
    hone_jw_init(&w, &buf, indent);
}

static void test_writer_puts_commas_and_quotes(void **state)
{
    (void)state;
    buf.cap = 0;
    start(0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "a", "x\"\\\n\t\r\x01");
    hone_jw_key(&w, "l");
    hone_jw_list(&w);
    hone_jw_i64(&w, INT64_MIN);
    hone_jw_f64(&w, 0.1);
    hone_jw_f32(&w, 0.1f);
    hone_jw_f64(&w, (double)NAN);
    hone_jw_f32(&w, INFINITY);
    hone_jw_bool(&w, 1);
    hone_jw_cstr(&w, NULL);
    hone_jw_list(&w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_jw_kbool(&w, "b", 0);
    hone_jw_ki64(&w, "i", 1);
    hone_jw_kf64(&w, "f", 2.5);
    hone_jw_end(&w);
    assert_int_equal(buf.failed, HONE_OK);
    assert_string_equal(buf.ptr,
                        "{\"a\":\"x\\\"\\\\\\n\\t\\r\\u0001\",\"l\":[-9223372036854775808,0.1,0.1,"
                        "null,null,true,null,[]],\"b\":false,\"i\":1,\"f\":2.5}");
    start(2);
    hone_jw_map(&w);
    hone_jw_key(&w, "a");
    hone_jw_list(&w);
    hone_jw_i64(&w, 1);
    hone_jw_i64(&w, 2);
    hone_jw_end(&w);
    hone_jw_key(&w, "e");
    hone_jw_map(&w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    assert_string_equal(buf.ptr, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"e\": {}\n}");
    hone_buf_release(&buf);
}

static void test_writer_replaces_invalid_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {{"a\xFFz", "\"a\xEF\xBF\xBDz\""},
                {"\xC3", "\"\xEF\xBF\xBD\""},
                {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
                {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
                {"\xF0\x9F\x98\x80\xC3\xA4", "\"\xF0\x9F\x98\x80\xC3\xA4\""},
                {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(0);
        hone_jw_str(&w, hone_str_c(rows[i].in));
        assert_string_equal(buf.ptr, rows[i].out);
    }
    start(0);
    hone_jw_str(&w, (hone_str){"a\0b", 3});
    assert_string_equal(buf.ptr, "\"a\\u0000b\"");
    hone_buf_release(&buf);
}

static void test_writer_misuse_is_an_error(void **state)
{
    (void)state;
    start(0);
    hone_jw_end(&w);
    assert_int_equal(buf.failed, HONE_E_STATE);
    start(0);
    hone_jw_map(&w);
    hone_jw_i64(&w, 1);
    assert_int_equal(buf.failed, HONE_E_STATE);
    start(0);
    hone_jw_list(&w);
    hone_jw_key(&w, "a");
    assert_int_equal(buf.failed, HONE_E_STATE);
    start(0);
    hone_jw_map(&w);
    hone_jw_key(&w, "a");
    hone_jw_end(&w);
    assert_int_equal(buf.failed, HONE_E_STATE);
    start(0);
    hone_jw_map(&w);
    hone_jw_key(&w, "a");
    hone_jw_key(&w, "b");
    assert_int_equal(buf.failed, HONE_E_STATE);
    start(0);
    hone_jw_i64(&w, 1);
    hone_jw_i64(&w, 2);
    assert_int_equal(buf.failed, HONE_E_STATE);
    start(0);
    for (int i = 0; i < 512; i++)
        hone_jw_list(&w);
    assert_int_equal(buf.failed, HONE_OK);
    hone_jw_list(&w);
    assert_int_equal(buf.failed, HONE_E_STATE);
    hone_buf_release(&buf);
}

static void test_what_is_written_reads_back_equal(void **state)
{
    (void)state;
    const char *z =
        "{\"a\":[1,2.5,\"\xC3\xA4\\u0000\",null,true,{\"b\":[]},-1e-300],\"c\":{\"d\":{}}}";
    hone_value again;
    assert_ok(parse(z));
    for (int indent = 0; indent < 3; indent++) {
        start(indent);
        hone_jw_value(&w, &value);
        assert_int_equal(buf.failed, HONE_OK);
        assert_ok(hone_json_parse(buf.ptr, buf.len, NULL, &arena, &again));
        assert_true(hone_value_equal(&value, &again));
    }
    hone_buf_release(&buf);
}

static hone_status read_and_write(void)
{
    hone_arena a;
    hone_value v;
    hone_buf b;
    hone_jw j;
    const char *z =
        "{\"a\":[1,2.5,\"x\\u0000\",{\"b\":[]}],\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,"
        "\"7\":1,\"8\":1,\"9\":1,\"10\":1,\"11\":1,\"12\":1,\"13\":1}";
    hone_arena_init(&a, 0);
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&j, &b, 1);
    hone_status s = hone_json_parse(z, strlen(z), NULL, &a, &v);
    if (s == HONE_OK) {
        hone_jw_value(&j, &v);
        s = b.failed;
    }
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s;
}

static void test_no_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    assert_survives_no_memory(read_and_write());
}

static void test_the_goldens_read(void **state)
{
    (void)state;
    const char *path = shared_path("goldens/smollm2.json");
    if (!path)
        skip_without("goldens/smollm2.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &value));
    assert_int_equal(value.type, HONE_MAP);
}

static void test_a_row_tells_its_conversation(void **state)
{
    (void)state;
    hone_messages m = {NULL, 7};
    hone_str prompt = hone_str_c("as it was");
    assert_ok(parse("{\"prompt\":\"p\"}"));
    assert_ok(hone_messages_of_row(&value, &arena, &prompt, &m));
    assert_true(hone_str_eq(prompt, "p") && !m.at && m.n == 0);
    assert_ok(
        parse("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
              "\"b\"},{\"role\":\"assistant\"}]}"));
    assert_ok(hone_messages_of_row(&value, &arena, &prompt, &m));
    assert_true(hone_str_eq(prompt, "b") && m.n == 3 && hone_str_eq(m.at[2].content, ""));
    /* the list in `prompt` goes before the other column */
    assert_ok(parse("{\"prompt\":[{\"role\":\"user\",\"content\":\"c\"}],\"messages\":[]}"));
    assert_ok(hone_messages_of_row(&value, &arena, &prompt, &m));
    assert_true(hone_str_eq(prompt, "c") && m.n == 1);
    assert_ok(parse("{\"messages\":[{\"role\":\"user\"},7]}"));
    assert_int_equal(hone_messages_of_row(&value, &arena, &prompt, &m), HONE_E_TYPE);
    assert_non_null(strstr(hone_error_get()->what, "entry 2"));
    assert_true(hone_str_eq(prompt, "c") && m.n == 1);
    assert_ok(parse("{\"messages\":[{\"role\":7}]}"));
    assert_int_equal(hone_messages_of_row(&value, &arena, &prompt, &m), HONE_E_TYPE);
}

#define json_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        json_test(test_whole_numbers_keep_64_bits),
        json_test(test_strings_decode_with_every_escape),
        json_test(test_errors_name_line_and_column),
        json_test(test_malformed_text_is_refused),
        json_test(test_a_twin_among_many_keys_is_found),
        json_test(test_depth_is_limited_at_512),
        json_test(test_a_byte_order_mark_is_let_pass),
        json_test(test_files_have_a_size_limit),
        json_test(test_typed_reads_default_convert_and_refuse),
        json_test(test_copies_are_deep_and_equal),
        json_test(test_doubles_are_written_short_and_read_back_equal),
        json_test(test_numbers_do_not_depend_on_the_locale),
        json_test(test_writer_puts_commas_and_quotes),
        json_test(test_writer_replaces_invalid_utf8),
        json_test(test_writer_misuse_is_an_error),
        json_test(test_what_is_written_reads_back_equal),
        json_test(test_no_memory_is_an_error_and_leaks_nothing),
        json_test(test_a_row_tells_its_conversation),
        json_test(test_the_goldens_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
