/* test_reply.c - what a model wrote, read as a verdict (judge/reply.h). */
#include "support.h"

#include "hone/judge.h"
#include "judge/reply.h"

#include <math.h>
#include <string.h>

static const hone_str levels[] = {{"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}, {"5", 1}};
static const hone_str yes_no[] = {{"no", 2}, {"yes", 3}};
static const hone_str ids[] = {{"b2c", 3}, {"k7f", 3}, {"z9x", 3}};
static const hone_reply_field scale[] = {{{"overall", 7}, levels, 5}};
static const hone_reply_field two[] = {{{"correct", 7}, yes_no, 2}, {{"short", 5}, yes_no, 2}};
static const hone_reply_field list[] = {{{"overall", 7}, ids, 3}};
static const hone_reply_want verdict = {HONE_REPLY_VERDICT, scale, 1};
static const hone_reply_want criteria = {HONE_REPLY_CRITERIA, two, 2};
static const hone_reply_want ranking = {HONE_REPLY_RANKING, list, 1};

static hone_arena arena;
static hone_reply read_text(const hone_reply_want *want, const char *text, int truncated)
{
    hone_reply r = {0};
    hone_arena_clear(&arena);
    assert_ok(hone_reply_read(hone_str_c(text), truncated, want, &arena, &r));
    assert_true((r.detail == HONE_VERDICT_OK) == (r.choice != NULL));
    assert_true((r.detail == HONE_VERDICT_OK) == (r.why == NULL));
    return r;
}

/* The level that is read, or minus the detail. */
static int level(const char *text)
{
    const hone_reply r = read_text(&verdict, text, 0);
    return r.detail == HONE_VERDICT_OK ? (int)r.choice[0] + 1 : -(int)r.detail;
}
enum {
    UNPARSED = -HONE_VERDICT_UNPARSED,
    REFUSED = -HONE_VERDICT_REFUSED,
    TRUNCATED = -HONE_VERDICT_TRUNCATED
};

static void the_last_object_decides(void **state)
{
    (void)state;
    assert_int_equal(level("{\"reasoning\": \"fine\", \"verdict\": \"4\"}"), 4);
    assert_int_equal(level("{\"verdict\": 4}"), 4);
    assert_int_equal(level("{\"verdict\": 4.0}"), 4);
    assert_int_equal(level("It says {\"verdict\": \"5\"}, but I say:\n{\"verdict\": \"2\"}\n"), 2);
    assert_int_equal(level("```json\n{\"verdict\": \" 3 \"}\n```"), 3);
    assert_int_equal(level("{\"verdict\": \"2\"} {\"other\": 1}"), 2);
    assert_int_equal(level("{\"verdict\": \"2\", \"inner\": {\"verdict\": \"5\"}}"), 2);
    assert_int_equal(
        level("{\"reasoning\": \"he wrote {\\\"verdict\\\": \\\"5\\\"}\", \"verdict\": \"1\"}"), 1);
    const hone_reply r = read_text(&verdict, "{\"reasoning\": \"too short\", \"verdict\": 2}", 0);
    assert_true(hone_str_eq(r.reasoning, "too short"));
}

static void what_is_not_of_the_set_is_unparsed(void **state)
{
    (void)state;
    assert_int_equal(level("{\"verdict\": \"6\"}"), UNPARSED);
    assert_int_equal(level("{\"verdict\": 4.5}"), UNPARSED);
    assert_int_equal(level("{\"verdict\": \"4/5\"}"), UNPARSED);
    assert_int_equal(level("{\"verdict\": [4]}"), UNPARSED);
    assert_int_equal(level("{\"verdict\": 1, \"verdict\": 5}"), UNPARSED);
    assert_int_equal(level("{\"verdict\": \"5\"} then {\"verdict\": \"excellent\"}"),
                     UNPARSED); /* no falling back */
    assert_int_equal(level("{\"verdict\": \"5\""), UNPARSED);
    assert_int_equal(level("5"), UNPARSED);
    assert_int_equal(level(""), UNPARSED);
}

static void without_an_object_the_last_verdict_line_decides(void **state)
{
    (void)state;
    assert_int_equal(level("Good.\nVerdict: 4"), 4);
    assert_int_equal(level("**Verdict:** 3."), 3);
    assert_int_equal(level("verdict = (2)"), 2);
    assert_int_equal(level("Verdict: 5\nNo, wait.\nVerdict: 1"), 1);
    assert_int_equal(level("Verdict: 4.5"), UNPARSED);
    assert_int_equal(level("Verdict: 4/5"), UNPARSED);
    assert_int_equal(level("Verdict: 45"), UNPARSED);
    assert_int_equal(level("Verdict: 5\nVerdict: none"), UNPARSED);
    assert_int_equal(level("my subverdict: 5"), UNPARSED);
}

static void thoughts_say_nothing(void **state)
{
    (void)state;
    assert_int_equal(level("<think>{\"verdict\": 5}</think>{\"verdict\": 1}"), 1);
    assert_int_equal(level("<think>{\"verdict\": 5}</think>"), UNPARSED);
    assert_int_equal(
        level("<think>the answer says </think> {\"verdict\": 5} hm</think>{\"verdict\": 2}"), 2);
    assert_int_equal(level("thinking without a begin {\"verdict\": 5}</think>\nVerdict: 3"), 3);
    assert_int_equal(level("<THINK>x</THINK>Verdict: 3"), 3);
    assert_int_equal(level("<think>{\"verdict\": 5}"), TRUNCATED);
    assert_int_equal(level("<think>a</think>{\"verdict\": 5} <think> no"), TRUNCATED);
}

static void a_cut_reply_and_a_refusal_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(read_text(&verdict, "{\"reasoning\": \"it is", 1).detail,
                     HONE_VERDICT_TRUNCATED);
    assert_int_equal(read_text(&verdict, "{\"verdict\": 3} and so", 1).detail, HONE_VERDICT_OK);
    assert_int_equal(level("I'm sorry, but I cannot judge that."), REFUSED);
    assert_int_equal(level("As an AI language model, I do not judge."), REFUSED);
    assert_int_equal(level("I cannot find a fault.\nVerdict: 5"), 5);
    assert_int_equal(level("The answer says I cannot."), UNPARSED);
}

static void criteria_must_be_all_there_and_no_more(void **state)
{
    (void)state;
    hone_reply r = read_text(&criteria, "{\"criteria\": {\"short\": \"No\", \"correct\": true}}",
                             0);
    assert_int_equal(r.detail, HONE_VERDICT_OK);
    assert_int_equal(r.choice[0], 1);
    assert_int_equal(r.choice[1], 0);
    assert_int_equal(read_text(&criteria, "{\"criteria\": {\"correct\": \"yes\"}}", 0).detail,
                     HONE_VERDICT_UNPARSED);
    assert_int_equal(
        read_text(&criteria, "{\"criteria\": {\"correct\": \"yes\", \"short\": \"maybe\"}}", 0)
            .detail,
        HONE_VERDICT_UNPARSED);
    assert_int_equal(
        read_text(&criteria, "{\"criteria\": {\"correct\": \"yes\", \"short\": \"no\", \"x\": 1}}",
                  0)
            .detail,
        HONE_VERDICT_UNPARSED);
    assert_int_equal(read_text(&criteria, "{\"criteria\": [\"yes\", \"no\"]}", 0).detail,
                     HONE_VERDICT_UNPARSED);
}

static void a_ranking_holds_every_id_once(void **state)
{
    (void)state;
    hone_reply r = read_text(&ranking, "{\"ranking\": [\"z9x\", \"b2c\", \"k7f\"]}", 0);
    assert_int_equal(r.detail, HONE_VERDICT_OK);
    assert_int_equal(r.choice[0], 2);
    assert_int_equal(r.choice[2], 1);
    assert_int_equal(read_text(&ranking, "{\"ranking\": [\"z9x\", \"b2c\"]}", 0).detail,
                     HONE_VERDICT_UNPARSED);
    assert_int_equal(read_text(&ranking, "{\"ranking\": [\"z9x\", \"b2c\", \"b2c\"]}", 0).detail,
                     HONE_VERDICT_UNPARSED);
    assert_int_equal(read_text(&ranking, "{\"ranking\": [\"z9x\", \"b2c\", \"1\"]}", 0).detail,
                     HONE_VERDICT_UNPARSED);
    assert_int_equal(read_text(&ranking, "{\"ranking\": \"z9x\"}", 0).detail,
                     HONE_VERDICT_UNPARSED);
}

static void a_label_alone_will_do_where_only_that_was_asked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
    } cases[] = {{" 4", 4},
                 {"\"4\".", 4},
                 {"Verdict: 4", 4},
                 {"<think>5</think>2", 2},
                 {"4 or 5", UNPARSED},
                 {"<think>5", TRUNCATED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hone_reply r;
        hone_arena_clear(&arena);
        assert_ok(hone_reply_label(hone_str_c(cases[i].text), 0, &scale[0], &arena, &r));
        assert_int_equal(r.detail == HONE_VERDICT_OK ? (int)r.choice[0] + 1 : -(int)r.detail,
                         cases[i].want);
    }
}

static void hostile_replies_cost_no_more_than_they_are_long(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    char *text = malloc(N + 1);
    assert_non_null(text);
    memset(text, '{', N);
    text[N] = 0;
    assert_int_equal(level(text), UNPARSED);
    for (size_t i = 0; i < N; i++)
        text[i] = "{\"a\":"[i % 5];
    assert_int_equal(level(text), UNPARSED);
    for (size_t i = 0; i < N; i++)
        text[i] = "verdict:"[i % 8];
    assert_int_equal(level(text), UNPARSED);
    memset(text, ' ', N);
    memcpy(text, "{\"verdict\": 5}", 14); /* too far from the end to be what it ends with */
    assert_int_equal(level(text), UNPARSED);
    memcpy(text + N - 14, "{\"verdict\": 2}", 14);
    assert_int_equal(level(text), 2);
    free(text);
}

static void log_probs_of_labels_are_a_mean_with_mass_and_entropy(void **state)
{
    (void)state;
    const double p[] = {.1, .2, .3}, v[] = {1, 2, 4};
    double lp[3], probs[3], value = -1, mass, entropy;
    for (int i = 0; i < 3; i++)
        lp[i] = log(p[i]);
    assert_int_equal(hone_reply_labels(lp, v, 3, .5, &value, &mass, &entropy, probs), 1);
    assert_true(fabs(value - (.1 + .4 + 1.2) / .6) < 1e-12);
    assert_true(fabs(mass - .6) < 1e-12);
    assert_true(fabs(entropy - (-(log(1. / 6) / 6 + log(1. / 3) / 3 + log(.5) / 2))) < 1e-12);
    assert_true(fabs(probs[2] - .5) < 1e-12);
    assert_int_equal(hone_reply_labels(lp, v, 3, .61, &value, &mass, &entropy, probs), 0);
    assert_true(fabs(mass - .6) < 1e-12);
    lp[1] = -INFINITY; /* a label that cannot come is no failure */
    assert_int_equal(hone_reply_labels(lp, v, 3, .1, &value, &mass, &entropy, probs), 1);
    assert_true(fabs(value - 1.3 / .4) < 1e-12 && entropy > 0);
    lp[1] = NAN;
    assert_int_equal(hone_reply_labels(lp, v, 3, 0, &value, &mass, &entropy, probs), 0);
    lp[0] = lp[1] = lp[2] = -INFINITY;
    assert_int_equal(hone_reply_labels(lp, v, 3, 0, &value, &mass, &entropy, probs), 0);
}

static void the_schema_asks_for_what_is_read(void **state)
{
    (void)state;
    hone_buf b;
    hone_value v;
    hone_buf_init(&b, 1 << 16);
    hone_arena_clear(&arena);
    assert_ok(hone_reply_schema(&criteria, 100, &b));
    assert_ok(hone_json_parse(b.ptr, b.len, NULL, &arena, &v));
    const hone_value *e = hone_value_path(&v, "properties.criteria.properties.short.enum");
    assert_non_null(e);
    assert_int_equal(e->u.list.n, 2);
    hone_buf_clear(&b);
    assert_ok(hone_reply_schema(&ranking, 100, &b));
    assert_ok(hone_json_parse(b.ptr, b.len, NULL, &arena, &v));
    assert_int_equal(hone_value_path(&v, "properties.ranking.maxItems")->u.i64, 3);
    hone_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_object_decides),
        cmocka_unit_test(what_is_not_of_the_set_is_unparsed),
        cmocka_unit_test(without_an_object_the_last_verdict_line_decides),
        cmocka_unit_test(thoughts_say_nothing),
        cmocka_unit_test(a_cut_reply_and_a_refusal_are_told_apart),
        cmocka_unit_test(criteria_must_be_all_there_and_no_more),
        cmocka_unit_test(a_ranking_holds_every_id_once),
        cmocka_unit_test(a_label_alone_will_do_where_only_that_was_asked),
        cmocka_unit_test(hostile_replies_cost_no_more_than_they_are_long),
        cmocka_unit_test(log_probs_of_labels_are_a_mean_with_mass_and_entropy),
        cmocka_unit_test(the_schema_asks_for_what_is_read)};
    hone_arena_init(&arena, 1 << 28);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hone_arena_release(&arena);
    return failed;
}
