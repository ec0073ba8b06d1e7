/* The template interpreter: what Jinja2 renders, byte for byte; what hone refuses, with the line; limits. */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "text/jinja.h"

/* Renders `source` with the JSON map `vars`; the status, text (or "") in *out. */
static hone_status render_opt(const char *source, const char *vars, hone_jinja_options *opt,
                              hone_buf *out)
{
    hone_arena arena;
    hone_value v;
    hone_jinja *t = NULL;
    hone_arena_init(&arena, 0);
    hone_buf_clear(out);
    assert_int_equal(hone_json_parse(vars, strlen(vars), "vars", &arena, &v), HONE_OK);
    hone_status s = hone_jinja_create(hone_str_c(source), "t", &t);
    if (s >= 0)
        s = hone_jinja_render(t, &v, opt, out);
    hone_jinja_destroy(t);
    hone_arena_release(&arena);
    return s;
}

static hone_status render(const char *source, const char *vars, hone_buf *out)
{
    return render_opt(source, vars, NULL, out);
}

static void renders(const char *source, const char *vars, const char *want)
{
    hone_buf out;
    hone_buf_init(&out, 1 << 20);
    hone_status s = render(source, vars, &out);
    if (s < 0)
        fprintf(stderr, "%s\n", hone_error_get()->what);
    assert_int_equal(s, HONE_OK);
    assert_string_equal(out.ptr, want);
    hone_buf_release(&out);
}

/* Fails with `code`, and the message holds `text`. */
static void refuses(const char *source, const char *vars, hone_status code, const char *text)
{
    hone_buf out;
    hone_buf_init(&out, 1 << 20);
    hone_buf_adds(&out, "");
    hone_status s = render(source, vars, &out);
    if (s != code || !strstr(hone_error_get()->what, text))
        fprintf(stderr, "%.100s: %d %s\n", source, s, s < 0 ? hone_error_get()->what : out.ptr);
    assert_int_equal(s, code);
    assert_non_null(strstr(hone_error_get()->what, text));
    assert_int_equal(out.len, 0);
    hone_buf_release(&out);
}

static hone_str str_at(const hone_value *v, const char *key)
{
    const hone_value *s = hone_value_get(v, key);
    hone_str none = {NULL, 0};
    return s && s->type == HONE_STRING ? s->u.str : none;
}

/* Lines of templates with what Jinja2 made of them (tests/golden/make_jinja_cases.py). */
static void render_all(const char *path, size_t least)
{
    hone_buf file, out;
    hone_arena arena;
    hone_value vars, row;
    hone_str source = {NULL, 0};
    size_t cases = 0;
    hone_jinja_options opt = {.now = 1700000000};
    hone_buf_init(&file, 1 << 24);
    hone_buf_init(&out, 1 << 24);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_file_read(source_path(path), 1 << 24, &file), HONE_OK);
    memset(&vars, 0, sizeof vars);
    for (char *p = file.ptr, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        assert_int_equal(hone_json_parse(p, (size_t)(end - p), "case", &arena, &row), HONE_OK);
        if (hone_value_get(&row, "vars"))
            vars = *hone_value_get(&row, "vars");
        if (hone_value_get(&row, "source"))
            source = str_at(&row, "source");
        hone_str want = str_at(&row, "text");
        if (!want.ptr && !hone_value_get(&row, "error"))
            continue; /* for those behind it */
        hone_jinja *t = NULL;
        hone_buf_clear(&out);
        hone_status s = hone_jinja_create(source, "case", &t);
        if (s >= 0)
            s = hone_jinja_render(t, &vars, &opt, &out);
        hone_jinja_destroy(t);
        int as_wanted = want.ptr ? s >= 0 && hone_str_same(hone_buf_str(&out), want) : s < 0;
        if (!as_wanted)
            fprintf(stderr, "%.*s\n  got  %s\n  want %.*s\n", (int)source.len, source.ptr,
                    s < 0 ? hone_error_get()->what : out.ptr, (int)want.len,
                    want.ptr ? want.ptr : "");
        assert_true(as_wanted);
        cases++;
    }
    assert_true(cases >= least);
    hone_buf_release(&out);
    hone_buf_release(&file);
    hone_arena_release(&arena);
}

static void test_every_case_renders_as_jinja2_does(void **state)
{
    (void)state;
    render_all("tests/golden/jinja_cases.jsonl", 1000);
}

static void test_templates_of_the_kinds_that_models_publish(void **state)
{
    (void)state;
    render_all("tests/golden/jinja_families.jsonl", 100);
}

static void test_shared_chat_templates(void **state)
{
    (void)state;
    const char *path = shared_path("goldens/chat_templates.jsonl");
    static const char *const names[] = {"messages", "tools", "add_generation_prompt", "bos_token",
                                        "eos_token"};
    if (!path)
        skip_without("goldens/chat_templates.jsonl");
    hone_buf file, out, raised;
    hone_arena arena;
    hone_value row;
    size_t cases = 0, errors = 0;
    hone_buf_init(&file, 1 << 26);
    hone_buf_init(&out, 1 << 24);
    hone_buf_init(&raised, 1 << 16);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_file_read(path, 1 << 26, &file), HONE_OK);
    for (char *p = file.ptr, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        assert_int_equal(hone_json_parse(p, (size_t)(end - p), "golden", &arena, &row), HONE_OK);
        hone_pair pairs[5];
        hone_value vars = {.type = HONE_MAP, .u.map = {pairs, 0}};
        for (int i = 0; i < 5; i++)
            if (hone_value_get(&row, names[i])) {
                pairs[vars.u.map.n].key = hone_str_c(names[i]);
                pairs[vars.u.map.n++].value = *hone_value_get(&row, names[i]);
            }
        hone_jinja *t;
        hone_jinja_options opt = {.now = HONE_JINJA_NO_CLOCK, .raised = &raised};
        hone_buf_clear(&out);
        assert_int_equal(hone_jinja_create(str_at(&row, "source"), "golden", &t), HONE_OK);
        hone_status s = hone_jinja_render(t, &vars, &opt, &out);
        hone_jinja_destroy(t);
        hone_str error = str_at(&row, "error");
        if (error.ptr) {
            static const char prefix[] = "TemplateError: ";
            assert_int_equal(s, HONE_E_REFUSED);
            assert_int_equal(raised.len + sizeof prefix - 1, error.len);
            assert_memory_equal(raised.ptr, error.ptr + sizeof prefix - 1, raised.len);
            errors++;
        } else {
            assert_int_equal(s, HONE_OK);
            hone_str want = str_at(&row, "rendered");
            assert_int_equal(out.len, want.len);
            assert_memory_equal(out.ptr, want.ptr, want.len);
        }
        cases++;
    }
    assert_int_equal(cases, 120);
    assert_int_equal(errors, 8);
    hone_buf_release(&raised);
    hone_buf_release(&out);
    hone_buf_release(&file);
    hone_arena_release(&arena);
}

static void test_errors_name_the_line(void **state)
{
    (void)state;
    refuses("a\nb\n{{ x | nosuch }}", "{}", HONE_E_UNSUPPORTED, "t:3: filter \"nosuch\"");
    refuses("{% if x %}\n{{ x is nosuch }}{% endif %}", "{}", HONE_E_UNSUPPORTED,
            "t:2: test \"nosuch\"");
    refuses("\n{% import 'x' %}", "{}", HONE_E_UNSUPPORTED, "t:2: statement \"import\"");
    refuses("{{ x.y.z }}", "{\"x\":{}}", HONE_E_SCRIPT, "t:1: \"y\" is undefined");
    refuses("{% for i in a %}\n\n{{ i + 'x' }}{% endfor %}", "{\"a\":[1]}", HONE_E_SCRIPT,
            "t:3: unsupported operand types for +");
    refuses("{% for i in a %}x", "{}", HONE_E_PARSE, "endfor");
    refuses("{{ 'abc }}", "{}", HONE_E_PARSE, "t:1: string is not closed");
    refuses("x {{ 1 + }}", "{}", HONE_E_PARSE, "expected an expression");
    refuses("{{ s.encode('utf-8') }}", "{\"s\":\"a\"}", HONE_E_UNSUPPORTED, "str.encode()");
    refuses("{% autoescape true %}{% endautoescape %}", "{}", HONE_E_UNSUPPORTED, "autoescape");
    refuses("{{ 9223372036854775807 + 1 }}", "{}", HONE_E_UNSUPPORTED, "64 bits");
    refuses("{{ (a|safe) % 1 }}", "{\"a\":\"x\"}", HONE_E_UNSUPPORTED, "|safe");
    refuses("{% break %}", "{}", HONE_E_PARSE, "outside of a loop");
}

static void test_raise_exception_gives_its_text(void **state)
{
    (void)state;
    hone_buf out, raised, expected;
    hone_jinja_options opt = {.now = HONE_JINJA_NO_CLOCK, .raised = &raised};
    hone_buf_init(&out, 1 << 16);
    hone_buf_init(&raised, 1 << 16);
    hone_buf_init(&expected, 1 << 16);
    assert_int_equal(
        render_opt("abc{{ raise_exception('no ' ~ ('system ' * 100)) }}", "{}", &opt, &out),
        HONE_E_REFUSED);
    hone_buf_adds(&expected, "no ");
    for (int i = 0; i < 100; i++)
        hone_buf_adds(&expected, "system ");
    assert_string_equal(raised.ptr, expected.ptr);
    assert_int_equal(out.len, 0);
    hone_buf_release(&out);
    hone_buf_release(&raised);
    hone_buf_release(&expected);
}

static void test_the_clock_is_the_callers(void **state)
{
    (void)state;
    hone_buf out;
    hone_jinja_options opt = {.now = 86400 * 59};
    hone_buf_init(&out, 1 << 16);
    assert_int_equal(render_opt("{{ strftime_now('%d %b %Y') }}", "{}", &opt, &out), HONE_OK);
    assert_string_equal(out.ptr, "01 Mar 1970");
    renders("{% if strftime_now is defined %}clock{% else %}none{% endif %}", "{}", "none");
    hone_buf_release(&out);
}

static void test_generation_blocks_give_spans(void **state)
{
    (void)state;
    hone_buf out;
    hone_byte_spans spans;
    hone_jinja_options opt = {.now = HONE_JINJA_NO_CLOCK, .generation = &spans};
    hone_buf_init(&out, 1 << 16);
    hone_byte_spans_init(&spans);
    assert_int_equal(
        render_opt("{% for x in l %}<{% generation %}{{ x }}{% endgeneration %}>{% endfor %}",
                   "{\"l\":[\"ab\",\"\",\"cde\"]}", &opt, &out),
        HONE_OK);
    assert_string_equal(out.ptr, "<ab><><cde>");
    assert_int_equal(spans.n, 3);
    assert_int_equal(spans.v[0].begin, 1);
    assert_int_equal(spans.v[0].end, 3);
    assert_int_equal(spans.v[1].begin, spans.v[1].end);
    assert_int_equal(spans.v[2].begin, 7);
    assert_int_equal(spans.v[2].end, 10);
    hone_byte_spans_release(&spans);
    hone_byte_spans_init(&spans);
    assert_int_equal(
        render_opt("{% generation %}a{% endgeneration %}{{ nope.x }}", "{}", &opt, &out),
        HONE_E_SCRIPT);
    assert_int_equal(spans.n, 0);
    assert_int_equal(
        render_opt("{% set x %}{% generation %}a{% endgeneration %}{% endset %}", "{}", &opt, &out),
        HONE_E_UNSUPPORTED);
    hone_byte_spans_release(&spans);
    hone_buf_release(&out);
}

/* `open` n times, `middle`, `close` n times */
static char *nested(const char *open, size_t n, const char *middle, const char *close)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 26);
    for (size_t i = 0; i < n; i++)
        hone_buf_adds(&b, open);
    hone_buf_adds(&b, middle);
    for (size_t i = 0; i < n; i++)
        hone_buf_adds(&b, close);
    return hone_buf_detach(&b, NULL);
}

static void test_hostile_templates_end(void **state)
{
    (void)state;
    static const struct {
        const char *open, *middle, *close, *before, *after;
    } deep[] = {{"(", "1", ")", "{{ ", " }}"},
                {"[", "1", "]", "{{ ", " }}"},
                {"not ", "x", "", "{{ ", " }}"},
                {"- ", "1", "", "{{ ", " }}"},
                {"{% if x %}", "", "{% endif %}", "", ""},
                {"{% for x in [1] %}", "", "{% endfor %}", "", ""},
                {"1 + ", "1", "", "{{ ", " }}"},
                {"", "x", " | upper", "{{ ", " }}"},
                {"", "x", ".a", "{{ ", " }}"},
                {"", "x", "[0]", "{{ ", " }}"},
                {"1 if 1 else ", "1", "", "{{ ", " }}"},
                {"", "", " | trim", "{% set x", " %}{% endset %}"},
                {"x and ", "x", "", "{{ ", " }}"},
                {"{'a': ", "1", "}", "{{ ", " }}"}};
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        char *inside = nested(deep[i].open, 100000, deep[i].middle, deep[i].close);
        char *whole = nested(deep[i].before, 1, inside, deep[i].after);
        refuses(whole, "{\"x\":[]}", HONE_E_LIMIT, "t:1:");
        hone_free(inside);
        hone_free(whole);
    }
    refuses("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "{}",
            HONE_E_LIMIT, "MiB of memory");
    refuses("{% set r = range(99999) %}{% for a in r %}{{ r|length + r|sum - r[0] }}{% endfor %}",
            "{}", HONE_E_LIMIT, "steps");
    refuses("{{ 'a' * 99999999999 }}", "{}", HONE_E_LIMIT, "longer");
    refuses("{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + "
            "ns.s %}{% endfor %}",
            "{}", HONE_E_LIMIT, "longer");
    refuses("{% set ns = namespace(l=[1,2]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l "
            "%}{% endfor %}",
            "{}", HONE_E_LIMIT, "");
    refuses("{{ range(10000000)|list }}", "{}", HONE_E_LIMIT, "");
    refuses("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{}", HONE_E_LIMIT, "");
    refuses("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a|tojson }}", "{}", HONE_E_SCRIPT,
            "");
    refuses("{{ '%10001d' % 1 }}", "{}", HONE_E_LIMIT, "width");
    refuses("{{ '{:10001}'.format(1) }}", "{}", HONE_E_LIMIT, "width");
    refuses("{{ '{:.301f}'.format(1) }}", "{}", HONE_E_LIMIT, "precision");
    refuses(
        "{% for i in range(99999) %}{% for k in range(999) %}{% set x = '%9999d' % i %}{% endfor "
        "%}{% endfor %}",
        "{}", HONE_E_LIMIT, "");
    refuses("{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}", "{}", HONE_E_LIMIT,
            "loops call each other");
    refuses("{% set ns = namespace() %}{% set ns.a = [ns, ns] %}{{ ns }}", "{}", HONE_E_LIMIT, "");
    refuses("{{ 'a'.expandtabs(99999999999) }}", "{}", HONE_E_LIMIT, "");
    refuses("{{ [1]|slice(99999999999)|list }}", "{}", HONE_E_RANGE, "slice");
    refuses("{{ 'a'.ljust(99999999999) }}", "{}", HONE_E_LIMIT, "");
    refuses("{{ 2 ** 9999999 }}", "{}", HONE_E_UNSUPPORTED, "64 bits");
    refuses("{{ (-9223372036854775807 - 1) // -1 }}", "{}", HONE_E_UNSUPPORTED, "64 bits");
    renders("{{ (-9223372036854775807 - 1) % -1 }}", "{}", "0");
    refuses("{{ x|batch(99999999999)|list }}", "{\"x\":[1]}", HONE_E_RANGE, "batch");
    refuses("{{ x[:: -9223372036854775807 - 1] }}{{ 1/0 }}", "{\"x\":[1,2]}", HONE_E_SCRIPT,
            "division");
}

static void test_output_past_the_limit_is_an_error(void **state)
{
    (void)state;
    hone_buf out;
    hone_jinja_options opt = {.now = HONE_JINJA_NO_CLOCK, .max_output = 1000};
    hone_buf_init(&out, 1 << 20);
    assert_int_equal(
        render_opt("{% for i in range(200) %}1234567890{% endfor %}", "{}", &opt, &out),
        HONE_E_LIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(
        render_opt("{% for i in range(100) %}1234567890{% endfor %}", "{}", &opt, &out), HONE_OK);
    assert_int_equal(out.len, 1000);
    hone_buf_release(&out);
}

static void test_output_is_appended_and_taken_back(void **state)
{
    (void)state;
    hone_buf out;
    hone_value none = {.type = HONE_MAP};
    hone_jinja *t;
    hone_buf_init(&out, 1 << 16);
    hone_buf_adds(&out, "before ");
    assert_int_equal(hone_jinja_create(hone_str_c("{{ 1 }}{{ 1 / 0 }}"), NULL, &t), HONE_OK);
    assert_int_equal(hone_jinja_render(t, &none, NULL, &out), HONE_E_SCRIPT);
    assert_string_equal(out.ptr, "before ");
    hone_jinja_destroy(t);
    hone_buf_release(&out);
}

static void test_every_failed_allocation_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    static const char source[] =
        "{% macro m(a, b=[1]) %}{{ a ~ b }}{% endmacro %}{% for k, v in d.items() %}{{ m(k) }}{{ "
        "v|tojson }}"
        "{% set x %}{{ [v, k]|join('-') }}{% endset %}{{ x|upper }}{% endfor %}";
    size_t before, after, bytes;
    hone_arena arena;
    hone_value v;
    static const char vars[] = "{\"d\":{\"a\":[1,2],\"b\":\"x\"}}";
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_json_parse(vars, strlen(vars), NULL, &arena, &v), HONE_OK);
    hone_alloc_stats(&before, &bytes);
    int done = 0;
    for (uint64_t n = 1; n < 500 && !done; n++) {
        hone_jinja *t = NULL;
        hone_buf out;
        hone_buf_init(&out, 1 << 16);
        hone_alloc_fail_after(n, 0);
        hone_status s = hone_jinja_create(hone_str_c(source), "t", &t);
        if (s >= 0)
            s = hone_jinja_render(t, &v, NULL, &out);
        hone_alloc_fail_after(0, 0);
        hone_jinja_destroy(t);
        done = s >= 0;
        if (!done)
            assert_int_equal(s, HONE_E_NOMEM);
        else
            assert_string_equal(out.ptr, "a[1][1, 2][1, 2]-Ab[1]\"x\"X-B");
        hone_buf_release(&out);
        hone_alloc_stats(&after, &bytes);
        assert_int_equal(after, before);
    }
    assert_true(done);
    hone_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_renders_as_jinja2_does),
        cmocka_unit_test(test_templates_of_the_kinds_that_models_publish),
        cmocka_unit_test(test_shared_chat_templates),
        cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_raise_exception_gives_its_text),
        cmocka_unit_test(test_the_clock_is_the_callers),
        cmocka_unit_test(test_generation_blocks_give_spans),
        cmocka_unit_test(test_hostile_templates_end),
        cmocka_unit_test(test_output_past_the_limit_is_an_error),
        cmocka_unit_test(test_output_is_appended_and_taken_back),
        cmocka_unit_test(test_every_failed_allocation_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
