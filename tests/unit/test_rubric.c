/* test_rubric.c - data in Lua (judge/data.h), rubrics (judge/rubric.h), what lint says of them (judge/lint.h). */
#include "support.h"

#include "judge/data.h"
#include "judge/lint.h"

#include <math.h>
#include <string.h>

static const char good[] =
    "local scale = { min = 1, max = 3, anchors = { 'wrong', 'right with gaps', 'right and whole' } "
    "}\n"
    "return { id = 'q', version = '1', task = 'Answers.', scale = scale,\n"
    "  changelog = { { version = '1', text = 'first' } },\n"
    "  criteria = {\n"
    "    { id = 'correct', text = 'Does the answer state what is true?', weight = 2 },\n"
    "    { id = 'rude', text = 'Does it insult somebody?', weight = -1, choices = { 'no', 'yes' } "
    "},\n"
    "    { id = 'digits', kind = 'program', gating = { needs = .5, cap = .25 },\n"
    "      verifier = { reward = 'regex', pattern = '[0-9]' } } } }\n";

static hone_rubric *read_rubric(const char *text)
{
    hone_rubric *r = NULL;
    assert_ok(hone_rubric_read(text, strlen(text), "r.lua", &r));
    return r;
}

static void refused(const char *text, hone_status code, const char *part)
{
    hone_rubric *r = (hone_rubric *)1;
    const hone_status s = hone_rubric_read(text, strlen(text), "r.lua", &r);
    if (s != code || !strstr(hone_error_get()->what, part))
        print_error("%s\n-> %d %s\n", text, s, hone_error_get()->what);
    assert_int_equal(s, code);
    assert_non_null(strstr(hone_error_get()->what, part));
    assert_ptr_equal(r, (hone_rubric *)1);
}

static void a_rubric_is_read_with_its_choices_scaled(void **state)
{
    (void)state;
    hone_rubric *r = read_rubric(good);
    assert_int_equal(r->n_criteria, 3);
    assert_int_equal(r->criteria[0].n_levels, 3);
    assert_true(r->criteria[0].levels[1].value == .5);
    assert_true(r->scale[1].value == 2);
    assert_true(hone_str_eq(r->scale[2].label, "3"));
    assert_true(hone_str_eq(r->criteria[1].levels[0].label, "no"));
    assert_int_equal(r->criteria[2].kind, HONE_CRITERION_PROGRAM);
    assert_true(r->criteria[2].gating && r->criteria[2].cap == .25);
    assert_true(r->max == 1 && fabs(r->min + 1.0 / 3) < 1e-12);
    hone_rubric_destroy(r);
}

static void a_score_is_weighted_and_capped_by_what_gates(void **state)
{
    (void)state;
    hone_rubric *r = read_rubric(good);
    double score;
    hone_rubric_score(r, (const double[]){1, 0, 1}, &score);
    assert_true(score == 1);
    hone_rubric_score(r, (const double[]){1, 1, 1}, &score); /* (2 - 1 + 1) / 3 */
    assert_true(fabs(score - 2.0 / 3) < 1e-12);
    hone_rubric_score(r, (const double[]){1, 0, .4}, &score);
    assert_true(score == .25);
    hone_rubric_score(r, (const double[]){0, 1, .4}, &score); /* below the cap already */
    assert_true(fabs(score - (-.6 / 3)) < 1e-12);
    hone_rubric_score(r, (const double[]){NAN, 0, 1}, &score);
    assert_true(isnan(score));
    hone_rubric_destroy(r);
}

static void a_gate_opens_at_the_middle_unless_it_is_told(void **state)
{
    (void)state;
    hone_rubric *r = read_rubric("return { id = 'q', criteria = { { id = 'safe', text = 'Is it "
                                 "safe?', weight = 0, gating = true, "
                                 "choices = { 'no', 'yes' } }, { id = 'short', text = 'Is it "
                                 "short?', choices = { 'no', 'yes' } } } }");
    double score;
    hone_rubric_score(r, (const double[]){.6, .9}, &score);
    assert_true(score == .9);
    hone_rubric_score(r, (const double[]){.4, .9}, &score);
    assert_true(score == 0);
    hone_rubric_score(r, (const double[]){NAN, .9}, &score);
    assert_true(isnan(score));
    hone_rubric_destroy(r);
}

static void the_hash_is_of_the_words_and_not_of_how_they_are_written(void **state)
{
    (void)state;
    static const char a[] = "return { id = 'x', task = 't', scale = { min = 1, max = 2 } }";
    static const char same[] = "--[[ other ]] local s = { max = 2, min = 2 - 1 } return { scale = "
                               "s, task = 't', id = 'x', "
                               "changelog = { { text = 'new' } } }";
    static const char other[] = "return { id = 'x', task = 'T', scale = { min = 1, max = 2 } }";
    hone_rubric *x = read_rubric(a), *y = read_rubric(same), *z = read_rubric(other), *copy;
    assert_string_equal(x->hash, y->hash);
    assert_string_not_equal(x->hash, z->hash);
    assert_int_equal(x->json.len,
                     strlen("{\"id\":\"x\",\"scale\":{\"max\":2,\"min\":1},\"task\":\"t\"}"));
    assert_memory_equal(
        x->json.ptr, "{\"id\":\"x\",\"scale\":{\"max\":2,\"min\":1},\"task\":\"t\"}", x->json.len);
    assert_ok(hone_rubric_from_value(&y->root, "recipe", &copy));
    assert_string_equal(copy->hash, x->hash);
    hone_rubric_destroy(x);
    hone_rubric_destroy(y);
    hone_rubric_destroy(z);
    hone_rubric_destroy(copy);
}

static void data_can_reach_no_function_and_ends(void **state)
{
    (void)state;
    refused("return { id = os.time() }", HONE_E_SCRIPT, "nil value (global 'os')");
    refused("return { id = ('x'):rep(9) }", HONE_E_SCRIPT, "index a string value");
    refused("return { id = _ENV.print }", HONE_E_INVALID, "a table with names"); /* it is nil */
    refused("return { id = function() end }", HONE_E_PARSE, "id: a function is no data");
    refused("while true do end", HONE_E_SCRIPT, "computes too much");
    refused("local function f() return f() end return f()", HONE_E_SCRIPT, "computes too much");
    refused("local s = 'x' while true do s = s .. s end", HONE_E_LIMIT, "more memory");
    refused("local s = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' for i = 1, 16 do s = s .. "
            "s end "
            "for i = 1, 99999 do local t = s .. i end return {}",
            HONE_E_LIMIT, "more memory"); /* never much at one time */
    refused("\x1bLua", HONE_E_PARSE, "compiled Lua");
    refused("return 3", HONE_E_PARSE, "returns no table");
    refused("return {", HONE_E_PARSE, "r.lua:1:");
    refused("return { id = 'x', task = '\\xff' }", HONE_E_PARSE, "task: the text is not UTF-8");
    refused("return { id = 'x', task = 't', scale = { min = 1, max = 0/0 } }", HONE_E_PARSE,
            "scale.max: the number is not finite");
    refused("local t = { } t.scale = t return t", HONE_E_PARSE,
            "scale: the table is inside itself: a cycle");
    refused("return { id = 'x', criteria = { 1, nil, 3 } }", HONE_E_PARSE, "gap");
    refused("return { id = 'x', criteria = { 1, a = 2 } }", HONE_E_PARSE, "not both");
    refused("return { [1.5] = 'x' }", HONE_E_PARSE, "a key is neither");
    refused("local t = {} for i = 1, 30 do t = { t, t } end return { id = t }", HONE_E_LIMIT,
            "more than");
    refused("local t = {} for i = 1, 40 do t = { t } end return { id = t }", HONE_E_PARSE,
            "too deep");
}

static void a_rubric_that_cannot_measure_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("return {}", HONE_E_INVALID, "a table with names");
    refused("return { id = 'x', wieght = 1 }", HONE_E_INVALID, "\"wieght\" is not known");
    refused("return { id = 'a b', task = 't', scale = { min = 1, max = 2 } }", HONE_E_INVALID,
            "letters, digits");
    refused("return { id = 'x', task = 't' }", HONE_E_INVALID, "levels are missing");
    refused("return { id = 'x', scale = { min = 1, max = 2 } }", HONE_E_INVALID, "what to look at");
    refused("return { id = 'x', task = 't', scale = { min = 1, max = 3, anchors = { 'a', 'b' } } }",
            HONE_E_INVALID, "3 levels and 2 anchors");
    refused("return { id = 'x', task = 't', scale = { 'one' } }", HONE_E_INVALID,
            "levels are missing");
    refused("return { id = 'x', task = 't', scale = { min = 1, max = 10 } }", HONE_E_INVALID,
            "\"1\" begins \"10\"");
    refused("return { id = 'x', task = 't', scale = { { label = 'a', value = 1 }, { label = 'b', "
            "value = 1 } } }",
            HONE_E_INVALID, "each worth more");
    refused("return { id = 'x', task = 't', scale = { 'a', 'a' } }", HONE_E_INVALID, "begins");
    refused("return { id = 'x', criteria = { { id = 'a', text = 'b', weight = 0, choices = { 'n', "
            "'y' } } } }",
            HONE_E_INVALID, "sum to zero");
    refused("return { id = 'x', criteria = { { id = 'a', text = 'b' } } }", HONE_E_INVALID,
            "criteria[1]: it has no choices");
    refused("return { id = 'x', criteria = { { id = 'a', text = 'b', choices = { 'n', 'y' } }, "
            "{ id = 'a', text = 'c', choices = { 'n', 'y' } } } }",
            HONE_E_INVALID, "criteria[2]: another criterion");
    refused("return { id = 'x', criteria = { { id = 'a', text = 'b', choices = { 'n', 'y' }, "
            "examples = { { completion = 'c', "
            "label = 'maybe' } } } } }",
            HONE_E_INVALID, "a label of its criterion");
    refused("return { id = 'x', shape = 'round', task = 't' }", HONE_E_INVALID,
            "pointwise, pairwise");
    refused("return { id = 'x', shape = 'pairwise', task = 't', scale = { 'n', 'y' } }",
            HONE_E_INVALID, "only pointwise");
    refused("return { id = 'x', criteria = { { id = 'p', kind = 'program' } } }", HONE_E_INVALID,
            "verifier");
    refused(
        "return { id = 'x', task = 't', scale = { 'n', 'y' }, examples = { { prompt = 'p' } } }",
        HONE_E_INVALID, "examples[1]");
}

/* ---- lint ------------------------------------------------------------------------------------------------ */

static int finds(const char *text, const char *rule, int level)
{
    hone_rubric *r = read_rubric(text);
    hone_lint l;
    int found = 0;
    hone_lint_init(&l);
    assert_ok(hone_lint_rubric(&l, r, NULL));
    for (size_t i = 0; i < l.n; i++)
        found += strcmp(l.problems[i].rule, rule) == 0 && l.problems[i].level == level;
    assert_int_equal(l.errors + l.warnings, l.n);
    if (!*rule)
        found = (int)l.n;
    hone_lint_release(&l);
    hone_rubric_destroy(r);
    return found;
}

#define HEAD                                                                                       \
    "return { id = 'x', version = '1', task = 't', changelog = { { version = '1', text = 'f' } "   \
    "}, "
#define YN "choices = { 'no', 'yes' }"

static void a_rubric_without_faults_gets_no_problem(void **state)
{
    (void)state;
    assert_int_equal(finds(good, "", 0), 0);
}

static void lint_finds_what_judges_would_differ_on(void **state)
{
    (void)state;
    assert_int_equal(finds(HEAD "criteria = { { id = 'a', text = 'Is it true and short?', " YN
                                " } } }",
                           "compound", 0),
                     1);
    assert_int_equal(
        finds(HEAD "criteria = { { id = 'a', text = 'True? Short?', " YN " } } }", "compound", 0),
        1);
    assert_int_equal(finds(HEAD "criteria = { { id = 'a', text = 'Is the sand white?', " YN
                                " } } }",
                           "compound", 0),
                     0);
    assert_int_equal(finds(HEAD "criteria = { { id = 'a', text = 'Is the tone APPROPRIATE?', " YN
                                " } } }",
                           "vague", 0),
                     1);
    assert_int_equal(
        finds(HEAD "criteria = { { id = 'a', text = 'Is it not short?', weight = -1, " YN " }, "
                   "{ id = 'b', text = 'Does it name a source?', " YN " } } }",
              "polarity", 0),
        1);
    assert_int_equal(
        finds(HEAD "criteria = { { id = 'a', text = 'Does the answer cite sources?', " YN " }, "
                   "{ id = 'b', text = 'Does it cite the sources?', " YN " } } }",
              "duplicate", 1),
        1);
    assert_int_equal(
        finds(HEAD
              "criteria = { { id = 'a', text = 'Does the answer cite two newspaper sources?', " YN
              " }, "
              "{ id = 'b', text = 'Does it cite newspaper sources?', " YN " } } }",
              "overlap", 0),
        1);
    assert_int_equal(finds(HEAD "criteria = { { id = 'a', text = 'Is it short?', weight = 0, " YN
                                " }, "
                                "{ id = 'b', text = 'Does it name a source?', " YN " } } }",
                           "dead", 0),
                     1);
    assert_int_equal(finds("return { id = 'x', version = '1', shape = 'pairwise', task = 't', "
                           "criteria = { { id = 'a', text = 'Is it short?', gating = true } } }",
                           "dead", 1),
                     1);
}

static void lint_finds_levels_that_say_nothing(void **state)
{
    (void)state;
    assert_int_equal(finds(HEAD "scale = { min = 1, max = 3 } }", "missing-anchor", 1), 1);
    assert_int_equal(finds(HEAD "scale = { min = 1, max = 3, anchors = { 'a', '', 'c' } } }",
                           "missing-anchor", 0),
                     1);
    assert_int_equal(
        finds(HEAD "scale = { min = 1, max = 3, anchors = { 'a', 'b', 'a' } } }", "duplicate", 1),
        1);
    assert_int_equal(
        finds(
            HEAD
            "scale = { min = 1, max = 8, anchors = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' } } }",
            "many-levels", 0),
        1);
}

static void lint_finds_examples_that_would_spoil_the_test(void **state)
{
    (void)state;
    const char *const scale = HEAD "scale = { min = 1, max = 2, anchors = { 'a', 'b' } }, ";
    char text[1000];
    snprintf(text, sizeof text,
             "%s examples = { { completion = 'c', verdict = 2, split = 'test' } } }", scale);
    assert_int_equal(finds(text, "example-split", 1), 1);
    snprintf(text, sizeof text, "%s examples = { { completion = 'c', verdict = 3 } } }", scale);
    assert_int_equal(finds(text, "example", 1), 1);
    snprintf(text, sizeof text,
             "%s examples = { { completion = 'c', verdict = 2, split = 'few-shot' } } }", scale);
    assert_int_equal(finds(text, "", 0), 0);
    assert_int_equal(finds("return { id = 'x', version = '2', task = 't', scale = { 'no', 'yes' }, "
                           "changelog = { { version = '1', text = 'f' } } }",
                           "version", 0),
                     1);
}

static long two_for_long_words(void *ctx, hone_str label)
{
    (void)ctx;
    return label.len > 3 ? 2 : 1;
}

static void lint_finds_labels_of_several_tokens(void **state)
{
    (void)state;
    static const hone_lint_tokens tokens = {NULL, two_for_long_words, "toy"};
    hone_rubric *r = read_rubric(HEAD "scale = { 'bad', 'middling', 'top' } }");
    hone_lint l;
    hone_lint_init(&l);
    assert_ok(hone_lint_rubric(&l, r, &tokens));
    assert_int_equal(l.n, 1);
    assert_string_equal(l.problems[0].rule, "label-tokens");
    assert_non_null(strstr(l.problems[0].text, "\"middling\" is 2 tokens of toy"));
    hone_lint_release(&l);
    hone_rubric_destroy(r);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 400; n++) {
        hone_rubric *r = NULL;
        hone_alloc_fail_after(n, 0);
        const hone_status s = hone_rubric_read(good, strlen(good), "r.lua", &r);
        hone_alloc_fail_after(0, 0);
        assert_true(s >= 0 ? r != NULL : s == HONE_E_NOMEM || s == HONE_E_LIMIT);
        hone_rubric_destroy(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rubric_is_read_with_its_choices_scaled),
        cmocka_unit_test(a_score_is_weighted_and_capped_by_what_gates),
        cmocka_unit_test(a_gate_opens_at_the_middle_unless_it_is_told),
        cmocka_unit_test(the_hash_is_of_the_words_and_not_of_how_they_are_written),
        cmocka_unit_test(data_can_reach_no_function_and_ends),
        cmocka_unit_test(a_rubric_that_cannot_measure_is_refused_with_its_place),
        cmocka_unit_test(a_rubric_without_faults_gets_no_problem),
        cmocka_unit_test(lint_finds_what_judges_would_differ_on),
        cmocka_unit_test(lint_finds_levels_that_say_nothing),
        cmocka_unit_test(lint_finds_examples_that_would_spoil_the_test),
        cmocka_unit_test(lint_finds_labels_of_several_tokens),
        cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
