/* Configuration tables: what is accepted, what is refused and how it is said, what is shown. */
#include "support.h"

#include "abi/config.h"
#include "base/file.h"
#include "base/log.h"

#include <math.h>

enum { ALPHA, COUNT, FLAG, URL, KEY, MODE, ITEMS, TABLE, ANY, FILE_, JUDGE };
static const hone_field renamed = {sizeof(hone_field),
                                   HONE_FIELD_I64,
                                   0,
                                   0,
                                   "count",
                                   "number",
                                   "how many",
                                   NULL,
                                   NULL,
                                   NULL,
                                   4,
                                   1,
                                   64};
static const hone_field *const fields[] = {
    HONE_F64("alpha", .5, 0, 1, HONE_LIVE, "weight of the format bonus"),
    &renamed,
    HONE_FLAG("flag", 1, 0, "a switch"),
    HONE_STR("url", "http://localhost", 0, "endpoint"),
    HONE_STR("key", NULL, HONE_SECRET, "secret of the endpoint"),
    HONE_ENUM("mode", "strict", "strict|loose", 0, "how"),
    HONE_LIST_OF("items", 0, "a list"),
    HONE_MAP_OF("table", 0, "a map"),
    HONE_ANY("any", 0, "anything"),
    HONE_PATH("file", NULL, 0, "a file"),
    HONE_COMPONENT("judge", "hone.judge/1", 0, "who judges"),
    NULL};
static const hone_field *const demanding[] = {
    HONE_STR("name", NULL, HONE_REQUIRED, "what it is called"), NULL};

static hone_status build(const hone_field *const *table, const char *json,
                         const hone_config_env *env, hone_config **out)
{
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone_json_parse(json, strlen(json), NULL, &a, &v);
    if (s >= 0)
        s = hone_config_create("org.test", table, &v, env, out);
    hone_arena_release(&a); /* the configuration holds nothing of what was given */
    return s;
}

static void check_text(hone_str s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.ptr, want, s.len);
}

static void test_defaults_are_filled(void **state)
{
    (void)state;
    hone_config *c;
    assert_ok(hone_config_create("org.test", fields, NULL, NULL, &c));
    assert_true(c->f64(c, ALPHA) == .5 && c->i64(c, COUNT) == 4 && c->i64(c, FLAG) == 1);
    check_text(c->str(c, URL), "http://localhost");
    assert_null(c->str(c, KEY).ptr);
    check_text(c->str(c, MODE), "strict");
    assert_int_equal(c->i64(c, MODE), 0);
    assert_null(c->value(c, ITEMS));
    assert_false(c->is_set(c, ALPHA));
    hone_ref ref;
    assert_fails(c->component(c, JUDGE, &ref), HONE_E_NOT_FOUND, "judge: not set");
    hone_config_destroy(c);
}

static void test_given_values_are_kept_apart_from_the_callers(void **state)
{
    (void)state;
    hone_config *c;
    assert_ok(
        build(fields,
              "{\"alpha\":1,\"count\":8.0,\"flag\":false,\"url\":\"x\\u0000y\",\"mode\":\"loose\","
              "\"items\":[1,[2]],\"table\":{\"a\":1},\"any\":3,\"file\":\"f.txt\"}",
              NULL, &c));
    assert_true(c->f64(c, ALPHA) == 1 && c->i64(c, COUNT) == 8 && c->i64(c, FLAG) == 0 &&
                c->i64(c, MODE) == 1);
    assert_int_equal(c->str(c, URL).len, 3); /* NUL inside is text like any other */
    assert_int_equal(c->value(c, ITEMS)->u.list.n, 2);
    assert_int_equal(c->value(c, TABLE)->u.map.n, 1);
    assert_int_equal(c->value(c, ANY)->u.i64, 3);
    check_text(c->str(c, FILE_), "f.txt");
    assert_true(c->is_set(c, ALPHA));
    hone_config_destroy(c);
    /* an empty Lua table may be either */
    assert_ok(build(fields, "{\"items\":{},\"table\":[],\"alpha\":null}", NULL, &c));
    assert_int_equal(c->value(c, ITEMS)->type, HONE_LIST);
    assert_int_equal(c->value(c, TABLE)->type, HONE_MAP);
    assert_true(c->f64(c, ALPHA) == .5);
    hone_config_destroy(c);
}

static void test_wrong_values_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        hone_status code;
        const char *what, *hint;
    } bad[] = {
        {"{\"alpha\":\"1\"}", HONE_E_TYPE, "org.test: alpha: wants a number, got a string", ""},
        {"{\"alpha\":1.5}", HONE_E_RANGE, "alpha: 1.5 is out of range: 0 to 1", ""},
        {"{\"alpha\":-1e-9}", HONE_E_RANGE, "alpha: -1e-09 is out of range", ""},
        {"{\"count\":0}", HONE_E_RANGE, "count: 0 is out of range: 1 to 64", ""},
        {"{\"count\":2.5}", HONE_E_TYPE, "count: wants an integer", ""},
        {"{\"count\":65}", HONE_E_RANGE, "count: 65", ""},
        {"{\"number\":65}", HONE_E_RANGE, "count: 65", ""},
        {"{\"number\":1,\"count\":1}", HONE_E_INVALID, "the same setting", ""},
        {"{\"flag\":1}", HONE_E_TYPE, "flag: wants a boolean", ""},
        {"{\"mode\":\"strickt\"}", HONE_E_INVALID, "\"strickt\" is none of strict|loose",
         "did you mean \"strict\"?"},
        {"{\"mode\":\"strict|loose\"}", HONE_E_INVALID, "is none of", ""},
        {"{\"mode\":\"\"}", HONE_E_INVALID, "is none of", ""},
        {"{\"items\":3}", HONE_E_TYPE, "items: wants a list", ""},
        {"{\"table\":[1]}", HONE_E_TYPE, "table: wants a map", ""},
        {"{\"alhpa\":1}", HONE_E_INVALID, "it has no setting \"alhpa\"", "did you mean \"alpha\"?"},
        {"{\"zzzzzzzzzz\":1}", HONE_E_INVALID, "it has no setting", "its settings: alpha, count"},
        {"{\"judge\":\"x\"}", HONE_E_UNSUPPORTED, "judge: components cannot be made here", ""},
        {"{\"judge\":{}}", HONE_E_INVALID, "judge: the map has no key \"component\"",
         "component = \"NAME\""},
        {"[1]", HONE_E_TYPE, "must be a map, not a list", ""},
    };
    hone_config *c = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(build(fields, bad[i].json, NULL, &c), bad[i].code, bad[i].what);
        assert_non_null(strstr(hone_error_get()->hint, bad[i].hint));
        assert_null(c);
    }
    assert_fails(build(demanding, "{}", NULL, &c), HONE_E_INVALID, "name: is required");
    hone_pair nan = {hone_str_c("alpha"), {.type = HONE_F64, .u.f64 = (double)NAN}};
    hone_value v = {.type = HONE_MAP, .u.map = {&nan, 1}};
    assert_fails(hone_config_create("org.test", fields, &v, NULL, &c), HONE_E_RANGE,
                 "not a number");
}

static void test_old_names_work_with_a_warning(void **state)
{
    (void)state;
    hone_config *c;
    uint64_t warned = hone_log_count(HONE_LOG_WARN);
    assert_ok(build(fields, "{\"number\":9}", NULL, &c));
    assert_int_equal(c->i64(c, COUNT), 9);
    assert_int_equal(hone_log_count(HONE_LOG_WARN), warned + 1);
    hone_config_destroy(c);
}

static void test_secrets_are_read_and_never_shown(void **state)
{
    (void)state;
    hone_config *c;
    hone_buf b;
    hone_jw w;
    char json[400];
    const char *path = scratch_path("secret");
    setenv("HONE_TEST_SECRET", "from-env", 1);
    assert_ok(hone_file_replace(path, "from-file\r\n", 11));
    assert_ok(build(fields, "{\"key\":\"env:HONE_TEST_SECRET\"}", NULL, &c));
    check_text(c->str(c, KEY), "from-env");
    hone_config_destroy(c);
    snprintf(json, sizeof json, "{\"key\":\"file:%s\"}", path);
    assert_ok(build(fields, json, NULL, &c));
    check_text(c->str(c, KEY), "from-file");
    hone_config_destroy(c);
    assert_ok(build(fields, "{\"key\":\"letmein\",\"url\":\"http://letmein@x\"}", NULL, &c));
    hone_buf_init(&b, 4096);
    hone_jw_init(&w, &b, 0);
    hone_config_json(c, &w);
    assert_non_null(strstr(b.ptr, "\"key\":\"(secret)\""));
    hone_buf_clear(&b);
    assert_ok(hone_config_redact(c, hone_str_c("letmein, or letmeinletmei"), &b));
    assert_string_equal(b.ptr, "(secret), or (secret)letmei");
    hone_buf_release(&b);
    hone_config_destroy(c);
    assert_fails(build(fields, "{\"key\":\"env:HONE_TEST_NOT_THERE\"}", NULL, &c), HONE_E_NOT_FOUND,
                 "key: the environment has no HONE_TEST_NOT_THERE");
    assert_fails(build(fields, "{\"key\":\"file:/nowhere\"}", NULL, &c), HONE_E_NOT_FOUND,
                 "org.test: key: ");
}

static char misread_text[256];
static void note_misread(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(misread_text, sizeof misread_text, "%s", text);
}
static hone_status deny(void *ctx, hone_str given, char **out)
{
    (void)ctx;
    if (hone_str_eq(given, "no"))
        return hone_fail(HONE_E_REFUSED, "not among the files the recipe was given");
    *out = hone_strdup("/resolved");
    return HONE_OK;
}

static void test_wrong_reads_and_paths_go_to_the_surroundings(void **state)
{
    (void)state;
    hone_config_env env = {.misread = note_misread, .path = deny};
    hone_config *c;
    assert_ok(build(fields, "{\"file\":\"yes\"}", &env, &c));
    check_text(c->str(c, FILE_), "/resolved");
    assert_true(c->f64(c, MODE) == 0);
    assert_string_equal(misread_text,
                        "reads setting \"mode\" as a number, which is not the type of its row");
    assert_null(c->str(c, 99).ptr);
    assert_non_null(strstr(misread_text, "number 99"));
    hone_config_destroy(c);
    assert_fails(build(fields, "{\"file\":\"no\"}", &env, &c), HONE_E_REFUSED,
                 "org.test: file: not among");
}

static void test_help_and_schema_come_from_the_table(void **state)
{
    (void)state;
    hone_buf b;
    hone_jw w;
    hone_arena a;
    hone_value v;
    hone_buf_init(&b, 1 << 16);
    hone_config_help(fields, &b);
    assert_non_null(strstr(b.ptr, "alpha=NUMBER"));
    assert_non_null(strstr(b.ptr, "weight of the format bonus (default 0.5; 0 to 1; live)"));
    assert_non_null(strstr(b.ptr, "env:NAME or file:PATH"));
    hone_buf_clear(&b);
    hone_jw_init(&w, &b, 0);
    hone_config_schema(fields, &w);
    hone_arena_init(&a, 0);
    assert_ok(hone_json_parse(b.ptr, b.len, "schema", &a, &v));
    assert_int_equal(hone_value_path(&v, "additionalProperties")->u.boolean, 0);
    assert_int_equal(hone_value_path(&v, "properties.count.maximum")->u.i64, 64);
    assert_int_equal(hone_value_path(&v, "properties.mode.enum")->u.list.n, 2);
    hone_arena_release(&a);
    hone_buf_release(&b);
}

static void test_tables_survive_the_sidecars_form(void **state)
{
    (void)state;
    const hone_field *const *tables[] = {fields, demanding};
    for (int i = 0; i < 2; i++) {
        hone_buf one, two;
        hone_jw w;
        hone_arena a;
        hone_value v;
        const hone_field *const *back;
        hone_buf_init(&one, 1 << 16);
        hone_buf_init(&two, 1 << 16);
        hone_arena_init(&a, 0);
        hone_jw_init(&w, &one, 0);
        hone_config_fields_json(tables[i], &w);
        assert_ok(hone_json_parse(one.ptr, one.len, "fields", &a, &v));
        assert_ok(hone_config_fields_read(&v, &a, &back));
        hone_jw_init(&w, &two, 0);
        hone_config_fields_json(back, &w);
        assert_string_equal(one.ptr, two.ptr);
        assert_ok(hone_config_check_table("back", back));
        hone_buf_release(&one);
        hone_buf_release(&two);
        hone_arena_release(&a);
    }
}

static void test_unsound_tables_are_refused(void **state)
{
    (void)state;
    const struct {
        const hone_field *row;
        const char *why;
    } bad[] = {
        {HONE_F64(NULL, 0, 0, 0, 0, ""), "no usable name"},
        {HONE_F64("a b", 0, 0, 0, 0, ""), "no usable name"},
        {HONE_F64("x", 0, 2, 1, 0, ""), "its range is empty"},
        {HONE_F64("x", 3, 0, 1, 0, ""), "out of its own range"},
        {HONE_F64("x", (double)NAN, 0, 1, 0, ""), "not a number"},
        {HONE_INT("x", .5, 0, 1, 0, ""), "no exact integer"},
        {HONE_ENUM("x", NULL, NULL, 0, ""), "an enum without choices"},
        {HONE_ENUM("x", "c", "a|b", 0, ""), "is none of a|b"},
        {HONE_COMPONENT("x", NULL, 0, ""), "without an interface"},
        {HONE_INT("x", 0, 0, 1, HONE_SECRET, ""), "only a string can be secret"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const hone_field *const table[] = {bad[i].row, NULL};
        assert_fails(hone_config_check_table("org.test", table), HONE_E_ABI, bad[i].why);
    }
}

static void test_a_row_of_an_older_sdk_is_read_by_its_size(void **state)
{
    (void)state;
    hone_field old = {.struct_size = offsetof(hone_field, choices),
                      .type = HONE_FIELD_STR,
                      .name = "x",
                      .dflt_str = "d",
                      .choices = "must not be looked at",
                      .dflt = (double)NAN};
    const hone_field *const table[] = {&old, NULL};
    hone_config *c;
    assert_ok(hone_config_create("org.test", table, NULL, NULL, &c));
    check_text(c->str(c, 0), "d");
    hone_config_destroy(c);
}

static void test_a_field_of_a_later_hone_is_refused_only_when_given(void **state)
{
    (void)state;
    hone_field later = {.struct_size = sizeof later + 64, .type = 77, .name = "x"};
    const hone_field *const table[] = {&later, NULL};
    hone_config *c;
    assert_ok(hone_config_create("org.test", table, NULL, NULL, &c));
    hone_config_destroy(c);
    assert_fails(build(table, "{\"x\":1}", NULL, &c), HONE_E_UNSUPPORTED, "type 77");
}

static void test_key_value_texts_are_read_as_the_row_wants(void **state)
{
    (void)state;
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
#define VALUE(key, text)                                                                           \
    hone_config_value_of("org.test", fields, hone_str_c(key), hone_str_c(text), &a, &v)
    assert_ok(VALUE("alpha", "0.25"));
    assert_true(v.type == HONE_F64 && v.u.f64 == .25);
    assert_ok(VALUE("number", "12"));
    assert_int_equal(v.u.i64, 12);
    assert_ok(VALUE("url", "12"));
    assert_int_equal(v.type, HONE_STRING);
    assert_ok(VALUE("items", "[1,2]"));
    assert_int_equal(v.type, HONE_LIST);
    assert_ok(VALUE("any", "not json"));
    assert_int_equal(v.type, HONE_STRING);
    assert_fails(VALUE("flag", "yes"), HONE_E_TYPE, "flag: \"yes\" is no boolean");
    assert_fails(VALUE("nope", "1"), HONE_E_NOT_FOUND, "nope");
#undef VALUE
    hone_arena_release(&a);
}

static hone_status build_all(void)
{
    hone_config *c;
    HONE_TRY(build(fields,
                   "{\"alpha\":1,\"key\":\"env:HONE_TEST_SECRET\",\"url\":\"abc\",\"items\":[1,[2]]"
                   ",\"mode\":\"loose\"}",
                   NULL, &c));
    hone_config_destroy(c);
    return HONE_OK;
}

static const hone_field *const live[] = {
    HONE_F64("factor", 1, 0, 10, HONE_LIVE, "live"),
    HONE_STR("key", NULL, HONE_LIVE | HONE_SECRET, "live as well"),
    HONE_STR("url", "here", 0, "for good"), NULL};

static hone_status change(const hone_config *c, const char *json, hone_config **out)
{
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone_json_parse(json, strlen(json), NULL, &a, &v);
    if (s >= 0)
        s = hone_config_change(c, &v, out);
    hone_arena_release(&a); /* it holds nothing of what was given */
    return s;
}

static void test_live_settings_change_and_others_do_not(void **state)
{
    hone_config *c, *d = NULL;
    hone_buf b;
    (void)state;
    assert_ok(build(live, "{\"key\":\"first secret\",\"url\":\"there\"}", NULL, &c));
    assert_fails(change(c, "{\"url\":\"x\"}", &d), HONE_E_INVALID, "url does not change while");
    assert_fails(change(c, "{\"factor\":11}", &d), HONE_E_RANGE, "factor");
    assert_fails(change(c, "{\"facto\":1}", &d), HONE_E_INVALID, "no setting \"facto\"");
    assert_fails(change(c, "3", &d), HONE_E_TYPE, "must be a map");
    assert_null(d);
    assert_ok(change(c, "{\"factor\":2,\"key\":\"second\"}", &d));
    assert_true(d->f64(d, 0) == 2 && c->f64(c, 0) == 1);
    check_text(d->str(d, 2), "there"); /* what is not named stays */
    check_text(d->str(d, 1), "second");
    hone_config_behind(d, c);
    hone_str kept = c->str(c, 2);
    hone_buf_init(&b, 1000);
    assert_ok(hone_config_redact(d, hone_str_c("first secret, second"), &b));
    check_text(hone_buf_str(&b), "(secret), (secret)");
    check_text(kept, "there");
    c = d;
    assert_ok(change(c, "{\"factor\":null}", &d)); /* the default again */
    assert_true(d->f64(d, 0) == 1);
    hone_config_behind(d, c);
    hone_buf_release(&b);
    hone_config_destroy(d);
}

static void test_lack_of_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_no_memory(build_all());
}

int main(void)
{
    hone_log_level(HONE_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_filled),
        cmocka_unit_test(test_given_values_are_kept_apart_from_the_callers),
        cmocka_unit_test(test_wrong_values_are_refused_by_name),
        cmocka_unit_test(test_old_names_work_with_a_warning),
        cmocka_unit_test(test_secrets_are_read_and_never_shown),
        cmocka_unit_test(test_wrong_reads_and_paths_go_to_the_surroundings),
        cmocka_unit_test(test_help_and_schema_come_from_the_table),
        cmocka_unit_test(test_tables_survive_the_sidecars_form),
        cmocka_unit_test(test_unsound_tables_are_refused),
        cmocka_unit_test(test_a_row_of_an_older_sdk_is_read_by_its_size),
        cmocka_unit_test(test_a_field_of_a_later_hone_is_refused_only_when_given),
        cmocka_unit_test(test_key_value_texts_are_read_as_the_row_wants),
        cmocka_unit_test(test_live_settings_change_and_others_do_not),
        cmocka_unit_test(test_lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
