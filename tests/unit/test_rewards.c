/* The shipped rewards: what they score, what they refuse, and real golds. */
#include "reward_cases.h"

#include "math_cases.h"
#include "math_more_cases.h"

/* ---- each reward ----------------------------------------------------------------------------------- */

static void test_exact_match_normalises_both_sides(void **state)
{
    (void)state;
    EXPECT("exact_match", NULL, {" 19 \n", "{\"answer\":19}", 1}, {"19.0", "{\"answer\":19}", 0},
           {"a  b", "{\"answer\":\"a b\"}", 1}, {"A b", "{\"answer\":\"a b\"}", 0},
           {"", "{\"answer\":\"\"}", 1}, {"b", "{\"answer\":[\"a\",\"b\"]}", 1},
           {"c", "{\"answer\":[\"a\",\"b\"]}", 0}, {"0.5", "{\"answer\":0.5}", 1},
           {"true", "{\"answer\":true}", 1});
    EXPECT(
        "exact_match", "{\"prefix\":\"Answer:\"}", {"11-3=8\nAnswer: 19", "{\"answer\":\"19\"}", 1},
        {"Answer: 8\nAnswer: 19\nbye", "{\"answer\":\"19\"}", 1}, {"19", "{\"answer\":\"19\"}", 0},
        {"Answer: 19 apples", "{\"answer\":\"19\"}", 0}, {"Answer:", "{\"answer\":\"19\"}", 0});
    EXPECT("exact_match",
           "{\"ignore_case\":true,\"ignore_punctuation\":true,\"ignore_articles\":true}",
           {"The Cat, sat!", "{\"answer\":\"cat sat\"}", 1},
           {"thecat sat", "{\"answer\":\"cat sat\"}", 0}, {"an a the", "{\"answer\":\"\"}", 1});
    EXPECT("exact_match", "{\"mode\":\"contains\",\"reference\":\"gold\"}",
           {"it is Paris.", "{\"gold\":\"Paris\"}", 1},
           {"it is London", "{\"gold\":\"Paris\"}", 0});
    EXPECT("exact_match", "{\"mode\":\"starts\"}", {"yes, because", "{\"answer\":\"yes\"}", 1},
           {"oh yes", "{\"answer\":\"yes\"}", 0});
}

static void test_a_missing_reference_is_an_error_or_an_abstention(void **state)
{
    (void)state;
    static const char *const names[] = {"exact_match", "math_answer"};
    for (size_t k = 0; k < 2; k++) {
        hone_instance *inst = open_reward(names[k], NULL);
        answer a = score(inst, "5", "{\"other\":1,\"answer\":null}");
        assert_int_equal(a.status, HONE_ERROR);
        assert_non_null(strstr(a.reason, "no column \"answer\""));
        a = score(inst, "5", "{\"answer\":{}}");
        assert_int_equal(a.status, HONE_ERROR);
        hone_instance_unref(inst);
        inst = open_reward(names[k], "{\"on_missing\":\"abstain\"}");
        a = score(inst, "5", NULL);
        assert_int_equal(a.status, HONE_ABSTAIN);
        hone_instance_unref(inst);
    }
}

static void test_regex_searches_matches_whole_and_counts(void **state)
{
    (void)state;
    EXPECT("regex", "{\"pattern\":\"^\\\\d+$\"}", {"12", NULL, 1}, {"12a", NULL, 0},
           {"x\n12", NULL, 0});
    EXPECT("regex", "{\"pattern\":\"^\\\\d+$\",\"multiline\":true}", {"x\n12", NULL, 1});
    EXPECT("regex", "{\"pattern\":\"a+\",\"mode\":\"full\"}", {"aaa", NULL, 1}, {"aaab", NULL, 0},
           {"", NULL, 0});
    EXPECT("regex", "{\"pattern\":\"ab?\",\"mode\":\"count\",\"max_count\":4}",
           {"ab a x a", NULL, .75}, {"aaaaaaa", NULL, 1}, {"", NULL, 0});
    EXPECT("regex", "{\"pattern\":\"x*\",\"mode\":\"count\",\"max_count\":4}",
           {"\xC3\xA4", NULL, .5}, {"", NULL, .25});
    EXPECT("regex", "{\"pattern\":\"SORRY\",\"ignore_case\":true,\"invert\":true}",
           {"sorry", NULL, 0}, {"fine", NULL, 1});
    EXPECT("regex", "{\"pattern\":\"= *(-?\\\\d+)\",\"group\":1}", {"x = 7", "{\"answer\":7}", 1},
           {"x = 8", "{\"answer\":7}", 0}, {"none", "{\"answer\":7}", 0});
    hone_instance *inst;
    assert_true(try_component("org.hone.reward.regex", "{\"pattern\":\"(a\"}", &inst) < 0);
    assert_true(try_component("org.hone.reward.regex", NULL, &inst) < 0);
    /* a pattern that would run for ever is an error of the sample */
    inst = open_reward("regex", "{\"pattern\":\"^(a+)+$\"}");
    answer a = score(inst, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", NULL);
    assert_int_equal(a.status, HONE_ERROR);
    assert_non_null(strstr(a.reason, "limit"));
    hone_instance_unref(inst);
}

static void test_format_requires_parts_in_order(void **state)
{
    (void)state;
    EXPECT("format", "{\"preset\":\"boxed\"}", {"so \\boxed{5}", NULL, 1}, {"\\boxed{}", NULL, 0},
           {"\\boxed{5", NULL, 0}, {"\\boxed{} \\boxed{\\frac{1}{2}}", NULL, 1}, {"5", NULL, 0});
    EXPECT("format", "{\"preset\":\"hash\"}", {"a\n#### 5\n", NULL, 1}, {"#### 5\nmore", NULL, 0},
           {"a\n####", NULL, 0});
    EXPECT("format", "{\"preset\":\"answer\"}", {"a\nAnswer: 5", NULL, 1},
           {"the Answer: 5", NULL, 0});
    EXPECT("format", "{\"preset\":\"think_answer\"}",
           {"<think>x</think>\n<answer>y</answer> ", NULL, 1},
           {"<think>x</think> and <answer>y</answer>", NULL, 0},
           {"<answer>y</answer><think>x</think>", NULL, 0},
           {"<think>x</think><answer> </answer>", NULL, 0},
           {"<think><think>x</think><answer>y</answer>", NULL, 0});
    EXPECT("format", "{\"parts\":[\"A:\",\"B:\"]}", {"A: 1 B: 2", NULL, 1}, {"B: 2 A: 1", NULL, 0},
           {"A: 1", NULL, 0});
    EXPECT("format", "{\"parts\":[\"A:\",\"B:\"],\"partial\":true,\"once\":true}",
           {"A: 1 B: 2", NULL, 1}, {"A: 1", NULL, .5}, {"A: A: B:", NULL, .5}, {"", NULL, 0});
    EXPECT("format", "{\"pattern\":\"\\\\{.*\\\\}\"}", {"{a\nb}", NULL, 1}, {"x{a}", NULL, 0});
    hone_instance *inst;
    assert_fails(try_component("org.hone.reward.format", NULL, &inst), HONE_E_INVALID,
                 "nothing is required");
    assert_fails(try_component("org.hone.reward.format", "{\"parts\":[1]}", &inst), HONE_E_INVALID,
                 "part 1");
}

static void test_length_falls_over_its_soft_edge(void **state)
{
    (void)state;
    EXPECT("length", "{\"value\":4}", {"abcd", NULL, 1}, {"abcde", NULL, 0},
           {"\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", NULL, 1});
    EXPECT("length", "{\"value\":2,\"soft\":4,\"unit\":\"words\"}", {"a b", NULL, 1},
           {" a  b c ", NULL, .75}, {"a b c d e f g", NULL, 0});
    EXPECT("length", "{\"value\":4,\"soft\":2,\"mode\":\"target\"}", {"abc", NULL, .5},
           {"abcd", NULL, 1}, {"abcde", NULL, .5}, {"", NULL, 0});
    EXPECT("length", "{\"value\":4,\"soft\":4,\"mode\":\"min\"}", {"abcdefgh", NULL, 1},
           {"abc", NULL, .75}, {"", NULL, 0});
}

static void test_repetition_is_the_share_of_seen_ngrams(void **state)
{
    (void)state;
    EXPECT("repetition", "{\"n\":1}", {"a b c d", NULL, 0}, {"a A a a", NULL, -.75}, {"", NULL, 0});
    EXPECT("repetition", "{\"n\":2,\"max_penalty\":2}", {"a b a b a", NULL, -1},
           {"a b c a", NULL, 0}, {"a b", NULL, 0});
}

static void test_json_valid_looks_where_it_is_told(void **state)
{
    (void)state;
    EXPECT("json_valid", NULL, {" [1,2] ", NULL, 1}, {"{\"a\":1", NULL, 0},
           {"text {\"a\":1}", NULL, 0}, {"", NULL, 0}, {"7", NULL, 1});
    EXPECT("json_valid", "{\"find\":\"first\",\"type\":\"object\"}",
           {"text {\"a\":\"}\"} more", NULL, 1}, {"[1]", NULL, 0}, {"{", NULL, 0});
    EXPECT("json_valid", "{\"find\":\"fence\",\"keys\":[\"a\"]}",
           {"x\n```json\n{\"a\":1}\n```\n", NULL, 1}, {"```\n{\"b\":1}\n```", NULL, 0},
           {"{\"a\":1}", NULL, 0}, {"```[1]```", NULL, 0});
}

/* ---- mathematics ------------------------------------------------------------------------------------ */

static void test_math_answer_compares_meaning(void **state)
{
    (void)state;
#define Q(x) "{\"answer\":\"" x "\"}"
    EXPECT(
        "math_answer", NULL, {"\\boxed{\\frac{1}{2}}", Q("0.5"), 1},
        {"\\boxed{\\frac12}", Q("1/2"), 1}, {"\\boxed{0.5}", Q("\\\\dfrac{1}{2}"), 1},
        {"\\boxed{0.51}", Q("1/2"), 0}, {"#### 1,234", Q("1234"), 1},
        {"#### 1234", Q("12#### 1,234"), 1}, {"The answer is 18 dollars a day.", Q("18"), 1},
        {"answer: $18.00", Q("18"), 1}, {"so we get 18", Q("18"), 1},
        {"She sells 9 for $2 each, making $18 a day", Q("18"), 1}, {"9 * $2 = $18", Q("18"), 1},
        {"He pays $5 and gets $3 back, so $2.", Q("2"), 1},
        {"It costs $5 and we know $x = 7$", Q("7"), 1}, {"thus $90 \\text{ degrees}$", Q("90"), 1},
        {"18 or 19", Q("18"), 0}, {"it is 28%", Q("28"), 1}, {"\\boxed{28\\%}", Q("0.28"), 1},
        {"\\boxed{28\\%}", Q("280"), 0}, {"-5", Q("-5"), 1}, {"10-5", Q("5"), 1}, {"5", Q("-5"), 0},
        {"nothing", Q("5"), 0}, {"", Q("5"), 0}, {"\\boxed{2\\sqrt{2}}", Q("\\\\sqrt{8}"), 1},
        {"\\boxed{x+1}", Q("1+x"), 1}, {"\\boxed{x-1}", Q("1-x"), 0},
        {"\\boxed{2(x+1)}", Q("2x+2"), 1}, {"\\boxed{x=5}", Q("5"), 1},
        {"\\boxed{(1,2)}", Q("(1, 2)"), 1}, {"\\boxed{(2,1)}", Q("(1,2)"), 0},
        {"\\boxed{\\{2,1\\}}", Q("\\\\{1,2\\\\}"), 1}, {"\\boxed{1,2}", Q("2, 1"), 1},
        {"\\boxed{[0,9)}", Q("(0,9)"), 0}, {"\\boxed{(0,9)}", Q("0<x<9"), 1},
        {"\\boxed{x\\le 2}", Q("(-\\\\infty,2]"), 1}, {"\\boxed{x \\leq 2}", Q("2 \\\\geq x"), 1},
        {"\\boxed{3\\pm 2\\sqrt{2}}", Q("3-2\\\\sqrt2, 3+2\\\\sqrt2"), 1},
        {"\\boxed{1\\frac{4}{5}}", Q("9/5"), 1}, {"\\boxed{137 \\frac{1}{2}}", Q("137.5"), 1},
        {"\\boxed{90^\\circ}", Q("90"), 1}, {"\\boxed{\\text{Evelyn}}", Q("Evelyn"), 1},
        {"\\boxed{\\text{Kevin}}", Q("Evelyn"), 0}, {"\\boxed{\\text{(C)}}", Q("C"), 1},
        {"\\boxed{B}", Q("\\\\text{(C)}"), 0}, {"\\boxed{10,\\!080}", Q("10080"), 1},
        {"\\boxed{6-5i}", Q("-5i+6"), 1}, {"\\boxed{y=2x+3}", Q("-2x+y-3=0"), 1},
        {"\\boxed{y=2x+4}", Q("-2x+y-3=0"), 0}, {"\\boxed{4210_5}", Q("4210_{5}"), 1},
        {"\\boxed{4210_6}", Q("4210_{5}"), 0}, {"\\boxed{1000001}", Q("1000000"), 0},
        {"\\boxed{3.14}", Q("\\\\pi"), 0},
        {"\\boxed{12345678901234567891}", Q("12345678901234567890"), 0},
        {"\\boxed{12345678901234567890}", Q("12,345,678,901,234,567,890"), 1},
        {"\\boxed{\\begin{pmatrix} 1 & 2 \\\\ 3 & 4\\end{pmatrix}}",
         Q("\\\\begin{bmatrix}1&2\\\\\\\\3&4\\\\end{bmatrix}"), 1},
        {"\\boxed{\\begin{pmatrix} 1 & 2 \\\\ 3 & 5\\end{pmatrix}}",
         Q("\\\\begin{bmatrix}1&2\\\\\\\\3&4\\\\end{bmatrix}"), 0},
        {"\\boxed{(2,12)\\cup(12,102)}", Q("(12,102)\\\\cup(2,12)"), 1}, {"AZYUK2A", Q("2"), 0},
        {"\\boxed{1\\sqrt{19}}", Q("1"), 0}, {"\\boxed{", Q("1"), 0},
        {"\\boxed{{{{{}}}}}", Q("1"), 0});
#undef Q
    EXPECT("math_answer", "{\"extract\":\"boxed\"}", {"5", "{\"answer\":5}", 0},
           {"\\boxed{5}", "{\"answer\":5}", 1});
    EXPECT("math_answer", "{\"extract\":\"last_number\"}", {"1/2 then 3/4", "{\"answer\":0.75}", 1},
           {"\\boxed{5} 6", "{\"answer\":5}", 0});
    EXPECT("math_answer", "{\"tolerance\":0.01}", {"\\boxed{3.14}", "{\"answer\":\"\\\\pi\"}", 1},
           {"\\boxed{3.2}", "{\"answer\":\"\\\\pi\"}", 0});
}

static void test_gsm8k_golds_score_1_and_shuffled_ones_0(void **state)
{
    (void)state;
    size_t n, equal = 0;
    const hone_value *rows = read_jsonl("assets/data/gsm8k/test.jsonl", 2000, &n);
    if (!rows)
        skip_without("assets/data/gsm8k/test.jsonl");
    assert_int_equal(n, 1319);
    hone_instance *inst = open_reward("math_answer", NULL);
    for (size_t i = 0; i < n; i++) {
        hone_str gold = text_of(&rows[i], "answer"),
                 other = text_of(&rows[(i + 611) % n], "answer");
        answer a = score_text(inst, gold.ptr, gold.len, &rows[i]);
        if (a.status != HONE_SCORE || a.score != 1)
            fail_with("row %zu: its own answer scores %g", i + 1, (double)a.score);
        a = score_text(inst, other.ptr, other.len, &rows[i]);
        hone_str x = {strstr(gold.ptr, "#### "), 0}, y = {strstr(other.ptr, "#### "), 0};
        x.len = (size_t)(gold.ptr + gold.len - x.ptr);
        y.len = (size_t)(other.ptr + other.len - y.ptr);
        int same = hone_str_same(x, y);
        equal += (size_t)same;
        if (a.score != (same ? 1.0f : 0.0f))
            fail_with("row %zu: %.*s against %.*s scores %g", i + 1, (int)y.len, y.ptr, (int)x.len,
                      x.ptr, (double)a.score);
    }
    assert_true(equal < 60);
    hone_instance_unref(inst);
}

/* `text` with its last "\nA: " said in another way. */
static hone_str say(hone_str text, const char *how)
{
    for (size_t i = text.len > 4 ? text.len - 4 : 0; i > 0; i--) {
        if (memcmp(text.ptr + i, "\nA: ", 4) != 0)
            continue;
        size_t n = strlen(how);
        char *p = hone_arena_alloc(&arena, text.len + n);
        memcpy(p, text.ptr, i);
        memcpy(p + i, how, n);
        memcpy(p + i + n, text.ptr + i + 4, text.len - i - 4);
        return (hone_str){p, text.len - 4 + n};
    }
    return text;
}

/* 5,276 solutions of four models, labelled right or wrong, each with its answer in three forms. */
static void test_verdicts_on_model_solutions_equal_the_labels(void **state)
{
    (void)state;
    static const char *const forms[] = {"\n#### ", "\nThe answer is ", "\nSo it is "};
    size_t n, seen = 0;
    const hone_value *rows = read_jsonl("assets/data/gsm8k/example_model_solutions.jsonl", 2000,
                                        &n);
    if (!rows)
        skip_without("assets/data/gsm8k/example_model_solutions.jsonl");
    hone_instance *inst = open_reward("math_answer", NULL);
    for (size_t i = 0; i < n; i++) {
        hone_pair column = {hone_str_c("answer"), {.type = HONE_STRING}};
        hone_value row = {.type = HONE_MAP, .u.map = {&column, 1}};
        column.value.u.str = say(text_of(&rows[i], "ground_truth"), forms[0]);
        for (size_t k = 0; k < rows[i].u.map.n; k++) {
            const hone_value *v = &rows[i].u.map.pairs[k].value;
            int right;
            if (v->type != HONE_MAP)
                continue;
            assert_ok(hone_value_bool(v, "is_correct", 0, &right));
            for (size_t f = 0; f < 3; f++) {
                hone_str text = say(text_of(v, "solution"), forms[f]);
                answer a = score_text(inst, text.ptr, text.len, &row);
                if ((a.score == 1) != right)
                    fail_with("row %zu: scored %g: %.*s", i + 1, (double)a.score, (int)text.len,
                              text.ptr);
            }
            seen++;
        }
    }
    assert_int_equal(seen, 5276);
    hone_instance_unref(inst);
}

static void test_math500_golds_score_1_and_shuffled_ones_0(void **state)
{
    (void)state;
    size_t n, missed = 0, false_hits = 0;
    const hone_value *rows = read_jsonl("assets/data/math500/test.jsonl", 1000, &n);
    if (!rows)
        skip_without("assets/data/math500/test.jsonl");
    assert_int_equal(n, 500);
    hone_instance *inst = open_reward("math_answer", NULL);
    for (size_t i = 0; i < n; i++) {
        hone_str gold = text_of(&rows[i], "answer");
        for (size_t k = 0; k < 12; k++) {
            hone_str other = k ? text_of(&rows[(i + 41 * k) % n], "answer") : gold;
            char text[1200];
            snprintf(text, sizeof text, "Therefore the answer is $\\boxed{%.*s}$.", (int)other.len,
                     other.ptr);
            answer a = score_text(inst, text, strlen(text), &rows[i]);
            if (k == 0 && a.score != 1) {
                missed++;
                print_error("missed: %.*s\n", (int)gold.len, gold.ptr);
            }
            if (k && a.score == 1 && !hone_str_same(gold, other) && !strstr(other.ptr, "^\\circ") &&
                !strstr(gold.ptr, "^\\circ")) { /* 30 degrees are 30 */
                false_hits++;
                print_error("false: %.*s for %.*s\n", (int)other.len, other.ptr, (int)gold.len,
                            gold.ptr);
            }
        }
        hone_str solution = text_of(&rows[i], "solution");
        answer a = score_text(inst, solution.ptr, solution.len, &rows[i]);
        if (a.score != 1) {
            missed++;
            print_error("solution of %.*s: %s\n", (int)gold.len, gold.ptr, a.notes[0]);
        }
    }
    assert_int_equal(missed, 0);
    assert_int_equal(false_hits, 0);
    hone_instance_unref(inst);
}

/* The score of `text` where `reference` is the row's. */
static double math_score_of(hone_instance *inst, hone_str reference, hone_str text)
{
    hone_pair column = {hone_str_c("answer"), {.type = HONE_STRING, .u.str = reference}};
    const hone_value row = {.type = HONE_MAP, .u.map = {&column, 1}};
    const answer a = score_text(inst, text.ptr, text.len, &row);
    assert_int_equal(a.status, HONE_SCORE);
    return (double)a.score;
}

static void check_pair(hone_instance *inst, const char *reference, const char *given, int want)
{
    char formula[400], text[400];
    snprintf(formula, sizeof formula, "$%s$", reference);
    snprintf(text, sizeof text, "Therefore $\\boxed{%s}$.", given);
    if (math_score_of(inst, hone_str_c(formula), hone_str_c(text)) != want)
        fail_with("%s for %s: not %d", given, reference, want);
}

/* n pairs of answers, each of the two as the reference. */
static void check_pairs(hone_instance *inst, const char *const (*pairs)[2], size_t n, double want)
{
    for (size_t i = 0; i < n; i++) {
        check_pair(inst, pairs[i][0], pairs[i][1], want);
        check_pair(inst, pairs[i][1], pairs[i][0], want);
        if (want == 1)
            check_pair(inst, pairs[i][0], pairs[i][0], 1);
    }
}

static void check_place(hone_instance *inst, const char *reference, const char *completion,
                        int want)
{
    if (math_score_of(inst, hone_str_c(reference), hone_str_c(completion)) != want)
        fail_with("\"%s\" for %s: not %d", completion, reference, want);
}

static void test_math_answer_tells_answers_apart(void **state)
{
    (void)state;
    hone_instance *inst = open_reward("math_answer", NULL);
    check_pairs(inst, math_equal_cases, sizeof math_equal_cases / sizeof *math_equal_cases, 1);
    check_pairs(inst, math_more_equal, sizeof math_more_equal / sizeof *math_more_equal, 1);
    check_pairs(inst, math_different_cases,
                sizeof math_different_cases / sizeof *math_different_cases, 0);
    check_pairs(inst, math_more_different, sizeof math_more_different / sizeof *math_more_different,
                0);
    for (size_t i = 0; i < sizeof math_place_cases / sizeof *math_place_cases; i++)
        check_place(inst, math_place_cases[i].reference, math_place_cases[i].completion,
                    math_place_cases[i].want);
    for (size_t i = 0; i < sizeof math_more_places / sizeof *math_more_places; i++)
        check_place(inst, math_more_places[i].reference, math_more_places[i].completion,
                    math_more_places[i].want);
    hone_instance_unref(inst);
}

/* Prints what share of each kind is right. */
static void test_math_verify_cases(void **state)
{
    (void)state;
    const char *path = shared_path("assets/reference/math-verify-cases.json");
    hone_value v;
    size_t right = 0, false_positive = 0, n_kinds = 0;
    struct {
        hone_str name;
        size_t right, all;
    } kinds[40];
    if (!path)
        skip_without("assets/reference/math-verify-cases.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &v));
    hone_instance *inst = open_reward("math_answer", NULL);
    for (size_t i = 0; i < v.u.list.n; i++) {
        const hone_value *c = &v.u.list.items[i];
        const hone_str kind = text_of(c, "test");
        int64_t want;
        size_t k = 0;
        assert_ok(hone_value_i64(c, "expected", -1, &want));
        const double got = math_score_of(inst, text_of(c, "gold"), text_of(c, "pred"));
        while (k < n_kinds && !hone_str_same(kinds[k].name, kind))
            k++;
        assert_true(k < 40);
        if (k == n_kinds) {
            kinds[n_kinds].name = kind;
            kinds[n_kinds].right = kinds[n_kinds].all = 0;
            n_kinds++;
        }
        kinds[k].all++;
        kinds[k].right += got == (double)want;
        right += got == (double)want;
        false_positive += got == 1 && want == 0;
    }
    for (size_t k = 0; k < n_kinds; k++)
        print_message("%-40.*s %zu of %zu\n", (int)kinds[k].name.len, kinds[k].name.ptr,
                      kinds[k].right, kinds[k].all);
    print_message("%zu of %zu, %zu false positives\n", right, v.u.list.n, false_positive);
    assert_int_equal(v.u.list.n, 125);
    assert_int_equal(right, 125);
    assert_int_equal(false_positive, 0);
    hone_instance_unref(inst);
}

/* ---- batches ---------------------------------------------------------------------------------------- */

static void test_hostile_completions_get_an_outcome(void **state)
{
    (void)state;
    static const char *const names[] = {"math_answer", "exact_match", "length", "repetition",
                                        "json_valid"};
    enum { BIG = 1 << 20 };
    char *big = hone_alloc(BIG);
    hone_value row;
    assert_ok(hone_json_parse("{\"answer\":\"5\"}", 14, NULL, &arena, &row));
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        hone_instance *inst = open_reward(names[k], NULL);
        static const char fills[] = "({[\\$a1,-|^_\"#\xFF";
        for (size_t f = 0; f < sizeof fills; f++) { /* also NUL */
            memset(big, fills[f], BIG);
            answer a = score_text(inst, big, BIG, &row);
            assert_true(a.status == HONE_SCORE || a.status == HONE_ERROR);
            a = score_text(inst, big, 200, &row);
            assert_int_equal(a.status, HONE_SCORE);
        }
        static const char *const patterns[] = {"\\frac{",
                                               "a1",
                                               "\\boxed{1},",
                                               "$1$ and ",
                                               "\\boxed{x}\\boxed{",
                                               "so 1 ",
                                               "x = 1, ",
                                               "1 000 ",
                                               "\\left(",
                                               "1+",
                                               "-",
                                               "\\begin{pmatrix}1&",
                                               "|x<",
                                               "{1}",
                                               "\\sqrt[3]",
                                               "\\cup(",
                                               "!^",
                                               "answer is"};
        for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
            const size_t len = strlen(patterns[p]);
            memcpy(big, "\\boxed{", 7);
            for (size_t i = 7; i + len < BIG; i += len)
                memcpy(big + i, patterns[p], len);
            for (size_t f = 0; f < 4;
                 f++) { /* with the head and without, long and as long as is read */
                const size_t from = f & 1 ? 7 : 0, n = f & 2 ? 4000 : BIG - 64;
                assert_true(score_text(inst, big + from, n, &row).status != HONE_PENDING);
            }
        }
        hone_instance_unref(inst);
    }
    hone_free(big);
}

static void test_a_batch_keeps_its_order_and_stops_when_cancelled(void **state)
{
    (void)state;
    hone_instance *inst = open_reward("length", "{\"value\":2}");
    hone_ref ref;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
    const hone_reward_v1 *vt = ref.vt;
    struct wide { /* strides larger than the structs */
        hone_sample s;
        char pad[40];
    } samples[5];
    struct wide_out {
        hone_outcome o;
        double pad;
    } out[5];
    uint32_t cancelled = 0;
    hone_call call = {.struct_size = sizeof call, .n = 5, .cancelled = &cancelled};
    memset(samples, 0, sizeof samples);
    memset(out, 0, sizeof out);
    for (size_t i = 0; i < 5; i++)
        samples[i].s.completion = hone_str_c(&"aaaaa"[4 - i]);
    assert_ok(vt->score(ref.self, &call, &samples[0].s, 5, sizeof samples[0], &out[0].o,
                        sizeof out[0], NULL));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(out[i].o.status, HONE_SCORE);
        assert_true(out[i].o.score == (i < 2 ? 1.0f : 0.0f));
    }
    memset(out, 0, sizeof out);
    cancelled = 1;
    hone_instance_enter(inst);
    assert_int_equal(
        hone_instance_leave(inst, "score",
                            vt->score(ref.self, &call, &samples[0].s, 5, sizeof samples[0],
                                      &out[0].o, sizeof out[0], NULL)),
        HONE_E_CANCELLED);
    assert_int_equal(out[0].o.status, HONE_PENDING);
    hone_instance_unref(inst);
}

static void test_every_failed_allocation_is_an_error_and_no_leak(void **state)
{
    (void)state;
    static const char *const settings[][2] = {
        {"org.hone.reward.math_answer", "{}"},
        {"org.hone.reward.exact_match", "{}"},
        {"org.hone.reward.regex", "{\"pattern\":\"a+\"}"},
        {"org.hone.reward.format", "{\"parts\":[\"so\"]}"},
        {"org.hone.reward.repetition", "{}"},
        {"org.hone.reward.json_valid", "{\"find\":\"first\"}"}};
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++)
        assert_one_life(settings[k][0], settings[k][1]);
}

/* By hand: the cat sat on the mat / the cat is on the mat. 1-grams: 5 of 6; 2-grams: the cat, on the, the mat: 3 of 5;
 * common subsequence: the cat on the mat, 5 of 6. BLEU: p = 5/6, 4/6, 2/5, 1/4 (one added to both from 2 on). */
static void test_overlap_counts_wording(void **state)
{
    (void)state;
    static const char cat[] = "{\"answer\":\"The cat is on the mat.\"}";
    EXPECT("overlap", "{\"measure\":\"rouge1\"}", {"the cat sat on the mat", cat, 5. / 6},
           {"the the the", cat, 4. / 9}, {"", cat, 0}, {"dog", cat, 0},
           {"THE, cat! is; on (the) mat", cat, 1});
    EXPECT("overlap", "{\"measure\":\"rouge1\",\"value\":\"precision\"}", {"the cat", cat, 1},
           {"the the the", cat, 2. / 3});
    EXPECT("overlap", "{\"measure\":\"rouge1\",\"value\":\"recall\"}", {"the cat", cat, 2. / 6});
    EXPECT("overlap", "{\"measure\":\"rouge2\"}", {"the cat sat on the mat", cat, 3. / 5},
           {"the", cat, 0});
    EXPECT("overlap", NULL, {"the cat sat on the mat", cat, 5. / 6}, {"mat the on", cat, 4. / 9},
           {"on the mat the cat is", cat, .5}, {"a b", "{\"answer\":[\"x\",\"a b\"]}", 1});
    EXPECT("overlap", "{\"measure\":\"bleu\"}",
           {"the cat sat on the mat", cat, pow(5. / 6 * 4 / 6 * 2 / 5 * 1 / 4, .25)},
           {"the cat is on the mat", cat, 1}, {"dog", cat, 0},
           {"the cat", cat, exp(1 - 6. / 2) * pow(1. * 2 / 2 * 1 / 1 * 1 / 1, .25)});
    hone_instance *inst = open_reward("overlap", NULL);
    assert_int_equal(score(inst, "a", "{}").status, HONE_ERROR);
    hone_instance_unref(inst);
}

#define KEEPS(schema, ...) EXPECT("json_valid", "{\"schema\":" schema "}", __VA_ARGS__)
static void test_json_keeps_to_a_schema(void **state)
{
    (void)state;
    KEEPS("{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\"}},"
          "\"additionalProperties\":false}",
          {"{\"a\":1}", NULL, 1}, {"{\"a\":1.0}", NULL, 1}, {"{\"a\":1.5}", NULL, 0},
          {"{}", NULL, 0}, {"{\"a\":1,\"b\":2}", NULL, 0}, {"[1]", NULL, 0}, {"no", NULL, 0});
    KEEPS("{\"type\":[\"string\",\"null\"],\"minLength\":2,\"maxLength\":3,\"pattern\":\"^[a-"
          "z\u00e4]+$\"}",
          {"\"ab\"", NULL, 1}, {"null", NULL, 1}, {"\"a\"", NULL, 0}, {"\"abcd\"", NULL, 0},
          {"\"A1\"", NULL, 0}, {"\"\xC3\xA4\xC3\xA4\xC3\xA4\"", NULL, 1}, {"7", NULL, 0});
    KEEPS("{\"minimum\":0,\"exclusiveMaximum\":1,\"multipleOf\":0.1}", {"0", NULL, 1},
          {"0.3", NULL, 1}, {"1", NULL, 0}, {"-0.1", NULL, 0}, {"0.25", NULL, 0},
          {"\"text\"", NULL, 1});
    KEEPS(
        "{\"items\":{\"enum\":[1,\"x\",null]},\"minItems\":1,\"maxItems\":3,\"uniqueItems\":true}",
        {"[1,\"x\"]", NULL, 1}, {"[]", NULL, 0}, {"[2]", NULL, 0}, {"[1,1.0]", NULL, 0},
        {"[1,\"x\",null,1]", NULL, 0});
    KEEPS("{\"prefixItems\":[{\"const\":\"a\"},{\"type\":\"number\"}],\"items\":false}",
          {"[\"a\",2]", NULL, 1}, {"[\"a\"]", NULL, 1}, {"[\"b\",2]", NULL, 0},
          {"[\"a\",2,3]", NULL, 0});
    KEEPS("{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":5}],\"not\":{\"const\":3}}",
          {"2", NULL, 1}, {"6", NULL, 0}, {"5.5", NULL, 1}, {"3", NULL, 0}, {"1.5", NULL, 0});
    KEEPS("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\"}],\"allOf\":[true]}",
          {"\"a\"", NULL, 1}, {"{}", NULL, 0});
    KEEPS("{\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{\"kids\":{\"items\":{\"$ref\":"
          "\"#/$defs/tree\"}}}}},"
          "\"$ref\":\"#/$defs/tree\"}",
          {"{\"kids\":[{\"kids\":[]}]}", NULL, 1}, {"{\"kids\":[{\"kids\":[1]}]}", NULL, 0},
          {"[]", NULL, 0});
}

static void test_a_schema_that_says_nothing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *part;
    } bad[] = {{"{\"schema\":3}", "a map, true or false"},
               {"{\"schema\":{\"typ\":\"object\"}}", "\"typ\" is not known"},
               {"{\"schema\":{\"type\":\"text\"}}", "names no type"},
               {"{\"schema\":{\"properties\":{\"a\":{\"minItems\":-1}}}}", "is no count"},
               {"{\"schema\":{\"pattern\":\"(\"}}", "missing closing"},
               {"{\"schema\":{\"$ref\":\"#/$defs/x\"}}", "points at nothing"},
               {"{\"schema\":{\"$ref\":\"http://x\"}}", "points at nothing"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hone_instance *inst = NULL;
        if (try_component("org.hone.reward.json_valid", bad[i].schema, &inst) >= 0 ||
            !strstr(hone_error_get()->what, bad[i].part))
            fail_with("%s: %s", bad[i].schema, hone_error_get()->what);
    }
    /* one that turns in a circle has no answer, and says so */
    hone_instance *inst = open_reward("json_valid", "{\"schema\":{\"$ref\":\"#\"}}");
    answer a = score(inst, "1", NULL);
    assert_int_equal(a.status, HONE_ERROR);
    assert_non_null(strstr(a.reason, "too long"));
    hone_instance_unref(inst);
    inst = open_reward("json_valid", "{\"schema\":{\"required\":[\"a\"]}}");
    a = score(inst, "{}", NULL);
    assert_true(a.status == HONE_SCORE && a.score == 0);
    assert_string_equal(a.notes[0], "schema=it breaks \"required\"");
    hone_instance_unref(inst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_overlap_counts_wording),
        T(test_json_keeps_to_a_schema),
        T(test_a_schema_that_says_nothing_is_refused),
        T(test_exact_match_normalises_both_sides),
        T(test_a_missing_reference_is_an_error_or_an_abstention),
        T(test_regex_searches_matches_whole_and_counts),
        T(test_format_requires_parts_in_order),
        T(test_length_falls_over_its_soft_edge),
        T(test_repetition_is_the_share_of_seen_ngrams),
        T(test_json_valid_looks_where_it_is_told),
        T(test_math_answer_compares_meaning),
        T(test_gsm8k_golds_score_1_and_shuffled_ones_0),
        T(test_verdicts_on_model_solutions_equal_the_labels),
        T(test_math500_golds_score_1_and_shuffled_ones_0),
        T(test_math_answer_tells_answers_apart),
        T(test_math_verify_cases),
        T(test_hostile_completions_get_an_outcome),
        T(test_every_failed_allocation_is_an_error_and_no_leak),
        T(test_a_batch_keeps_its_order_and_stops_when_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
