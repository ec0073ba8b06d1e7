/* test_judge_listwise.c - lists of candidates that a judge and experts put in order (judge/listwise.h): figures worked out by
 * hand, and rows that make no sense. */
#include "support.h"

#include "judge/calibrate.h"
#include "judge/gate.h"
#include "judge/listwise.h"
#include "judge/report.h"
#include "web/judge_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static hone_status try_add(hone_joined *j, int kind, const char *json)
{
    hone_arena a;
    hone_value row;
    hone_arena_init(&a, 0);
    assert_int_equal(hone_json_parse(json, strlen(json), "row", &a, &row), HONE_OK);
    hone_status s = hone_joined_add(j, kind, "rows", 1, &row);
    hone_arena_release(&a);
    return s;
}

static void add(hone_joined *j, int kind, const char *json)
{
    if (try_add(j, kind, json) != HONE_OK)
        fail_msg("%s: %s", json, hone_error_get()->what);
}

static void open_lists(hone_joined *j)
{
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .shape = HONE_SHAPE_LISTWISE};
    hone_joined_init(j, &o);
}

#define ITEM(j, json) add(j, HONE_ROWS_ITEMS, json)
#define VERDICT(j, json) add(j, HONE_ROWS_VERDICTS, json)
#define LABEL(j, json) add(j, HONE_ROWS_LABELS, json)

static void close_to(const hone_figure *f, double value, size_t n)
{
    assert_null(f->why);
    if (fabs(f->value - value) > 1e-12 || f->n != n)
        fail_msg("%.15g (n = %zu) where %.15g (n = %zu) is wanted", f->value, f->n, value, n);
}

/* A: two verdicts, mean places .5, .5, 2; ann 0 > 1 > 2, bob 0 > 2 > 1. B: all say 1 > 0. C: no verdict in order; ann 2 > 0 = 1. */
static void fill(hone_joined *j)
{
    open_lists(j);
    VERDICT(j, "{\"id\":\"A\",\"status\":\"ok\",\"score\":null,\"ranking\":[0,1,2],"
               "\"order\":[0,1,2]}");
    VERDICT(j, "{\"id\":\"A\",\"status\":\"ok\",\"score\":null,\"ranking\":[1,0,2],"
               "\"order\":[2,1,0]}");
    VERDICT(j, "{\"id\":\"B\",\"status\":\"ok\",\"scores\":[1,4.5]}");
    VERDICT(j, "{\"id\":\"C\",\"status\":\"unparsed\",\"score\":null}");
    LABEL(j, "{\"item\":\"A\",\"expert\":\"ann\",\"ranking\":[0,1,2]}");
    LABEL(j, "{\"item\":\"A\",\"expert\":\"bob\",\"candidate\":0,\"score\":5}");
    LABEL(j, "{\"item\":\"A\",\"expert\":\"bob\",\"candidate\":\"1\",\"score\":3}");
    LABEL(j, "{\"item\":\"A\",\"expert\":\"bob\",\"candidate\":2,\"score\":4}");
    LABEL(j, "{\"item\":\"B\",\"expert\":\"ann\",\"ranking\":\"1 > 0\"}");
    LABEL(j, "{\"item\":\"B\",\"expert\":\"bob\",\"first\":1,\"second\":\"0\",\"choice\":\"a\"}");
    LABEL(j, "{\"item\":\"C\",\"expert\":\"ann\",\"ranking\":\"2>0=1\"}");
    LABEL(j, "{\"item\":\"C\",\"expert\":\"bob\",\"candidate\":2,\"score\":\"\"}");
    ITEM(j, "{\"id\":\"C\",\"prompt\":\"p\",\"candidates\":[\"a\",\"bb\",\"ccc\"]}");
}

static void test_figures_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    hone_joined j;
    hone_calibration c;
    const hone_calib_opts o = {0};
    fill(&j);
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(hone_calibrate(&j, &o, &c), HONE_OK);
    assert_int_equal(c.shape, HONE_SHAPE_LISTWISE);
    assert_int_equal(c.items, 3);
    assert_int_equal(c.judged, 2);
    assert_int_equal(c.unlabelled, 0);
    assert_int_equal(c.prompts, 3);
    assert_int_equal(c.experts, 2);
    assert_int_equal(c.labels, 7);
    assert_int_equal(c.pairs, 7); /* 3 of A, 1 of B, 3 of C */
    assert_int_equal(c.least, 2);
    assert_int_equal(c.most, 3);
    /* what the experts prefer: A 0 over 1 (the judge: level, half), A 0 over 2, B; on A's 1 and 2 they differ */
    close_to(&c.pairwise_accuracy, 2.5 / 3, 3);
    close_to(&c.pairwise_ties, 2.0 / 4, 4);
    close_to(&c.accuracy, 5.0 / 8, c.accuracy.n);
    close_to(&c.ceiling_accuracy, 3.0 / 4, c.ceiling_accuracy.n);
    /* A: with ann 2/sqrt(2 * 3), with bob (1 - 1)/...; B 1 */
    close_to(&c.list_tau, (2 / sqrt(6) / 2 + 1) / 2, 2);
    close_to(&c.experts_tau, (1.0 / 3 + 1) / 2, 2);
    /* A: one of the judge's two best is the experts'; B the same */
    close_to(&c.list_top, .75, 2);
    close_to(&c.experts_top, 1, 2);
    /* A in two orders: 0 and 1 change places, 0 and 2, 1 and 2 do not; the best is another */
    close_to(&c.swap_inconsistency, 1.0 / 3, 3);
    close_to(&c.order_top, 1, 1);
    close_to(&c.unparsed, 1.0 / 4, c.unparsed.n);
    assert_int_equal(c.status[HONE_JOINED_OK], 3);
    assert_int_equal(c.status[HONE_JOINED_UNPARSED], 1);
    hone_calibration_release(&c);
    hone_joined_release(&j);
}

static void test_what_makes_no_sense_of_a_ranking_says_why(void **state)
{
    (void)state;
    hone_joined j;
    hone_calibration c;
    const hone_calib_opts o = {0};
    fill(&j);
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(hone_calibrate(&j, &o, &c), HONE_OK);
    const hone_figure *const none[] = {&c.ece,   &c.brier,    &c.bias,       &c.ppi_mean,
                                       &c.icc2,  &c.tpr,      &c.tnr,        &c.precision,
                                       &c.tau_b, &c.spearman, &c.prevalence, &c.prevalence_raw};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_true(none[i]->why && (strstr(none[i]->why, "list")));
    assert_int_equal(c.isotonic.n, 0);
    hone_buf b, text;
    hone_jw w;
    hone_arena a;
    hone_value doc;
    const hone_calib_about about = {.spec = "s", .version = "0", .test_reads = -1};
    hone_buf_init(&b, 1 << 24);
    hone_buf_init(&text, 1 << 24);
    hone_jw_init(&w, &b, 0);
    hone_calibration_json(&c, &about, &w);
    hone_arena_init(&a, 0);
    assert_int_equal(hone_json_parse(b.ptr, b.len, "document", &a, &doc), HONE_OK);
    assert_non_null(strstr(b.ptr, "\"shape\":\"listwise\""));
    assert_non_null(strstr(b.ptr, "\"threshold\":null"));
    assert_int_equal(hone_judge_report_text(&doc, &text), HONE_OK);
    assert_non_null(strstr(text.ptr, "Whole lists"));
    assert_non_null(strstr(text.ptr, "listwise, 3 items, 3 prompts"));
    hone_buf_clear(&text);
    assert_int_equal(hone_judge_report_md(&doc, &text), HONE_OK);
    assert_non_null(strstr(text.ptr, "| the same best | 0.750 |"));
    hone_buf_clear(&text);
    assert_int_equal(hone_judge_page(&doc, &text), HONE_OK);
    assert_non_null(strstr(text.ptr, "another best when shuffled"));
    /* the gate has the line on the order of showing, and none on good and bad */
    const hone_gate_evidence e = {.calibration = &doc,
                                  .spec = "s",
                                  .key = "k",
                                  .policy = "",
                                  .judge = "j",
                                  .rubric = "",
                                  .now = "2026-01-31T23:59:59Z"};
    hone_gate g;
    int swap = 0, pairs = 0;
    if (hone_gate_decide(&e, &g) != HONE_OK)
        fail_msg("%s", hone_error_get()->what);
    for (size_t i = 0; i < g.n; i++) {
        swap += strcmp(g.lines[i].line, "swap") == 0 && !g.lines[i].value.why;
        pairs += strcmp(g.lines[i].line, "pairwise_accuracy") == 0 && !g.lines[i].value.why;
        assert_string_not_equal(g.lines[i].line, "tpr");
    }
    assert_int_equal(swap + 2 * pairs, 3);
    hone_gate_release(&g);
    hone_arena_release(&a);
    hone_buf_release(&b);
    hone_buf_release(&text);
    hone_calibration_release(&c);
    hone_joined_release(&j);
}

static void test_candidates_by_their_own_ids(void **state)
{
    (void)state;
    hone_joined j;
    hone_calibration c;
    const hone_calib_opts o = {0};
    open_lists(&j);
    ITEM(&j, "{\"id\":\"A\",\"prompt\":\"p\",\"candidates\":[\"x\",\"y\",\"z\"],"
             "\"ids\":[\"c7\",2,\"c9\"]}");
    VERDICT(&j, "{\"id\":\"A\",\"ranking\":[2,0,1]}");
    LABEL(&j, "{\"item\":\"c9\",\"expert\":\"ann\",\"score\":5}");
    LABEL(&j, "{\"item\":2,\"expert\":\"ann\",\"score\":1}"); /* an id, not a place */
    LABEL(&j, "{\"item\":\"c7\",\"expert\":\"ann\",\"score\":3}");
    LABEL(&j, "{\"item\":\"c7\",\"expert\":\"ann\",\"score\":0,\"duplicate\":true}");
    LABEL(&j, "{\"item\":\"A\",\"expert\":\"bob\",\"ranking\":[\"c9\",[\"c7\",\"2\"]]}");
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(hone_calibrate(&j, &o, &c), HONE_OK);
    close_to(&c.pairwise_accuracy, 1, 2); /* 0 and 1: ann prefers, bob does not */
    close_to(&c.list_tau, (1 + 2 / sqrt(6)) / 2, 1);
    close_to(&c.list_top, 1, 1);
    assert_int_equal(c.prompts, 1);
    hone_calibration_release(&c);
    hone_joined_release(&j);
}

static void test_pairs_of_one_list_are_one_prompt(void **state)
{
    (void)state;
    hone_joined j;
    char row[200];
    open_lists(&j); /* nobody names a prompt */
    for (int i = 0; i < 6; i++) {
        snprintf(row, sizeof row, "{\"id\":\"L%d\",\"ranking\":[0,1,2,3]}", i);
        VERDICT(&j, row);
        snprintf(row, sizeof row, "{\"item\":\"L%d\",\"expert\":\"e\",\"scores\":[4,3,null,1]}", i);
        LABEL(&j, row);
    }
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(j.n, 18); /* of four candidates three have a level */
    assert_int_equal(j.n_prompts, 6);
    hone_joined_release(&j);
    open_lists(&j); /* one row names it: the others of the list follow */
    VERDICT(&j, "{\"id\":\"A\",\"ranking\":[0,1,2],\"prompt_id\":\"q\"}");
    VERDICT(&j, "{\"id\":\"B\",\"ranking\":[0,1,2]}");
    LABEL(&j, "{\"item\":\"A\",\"ranking\":[0,1,2]}");
    LABEL(&j, "{\"item\":\"B\",\"ranking\":[0,1],\"prompt_id\":\"q\",\"split\":\"dev\"}");
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(j.n, 4);
    assert_int_equal(j.n_prompts, 1);
    hone_joined_release(&j);
}

static void test_rows_that_make_no_sense_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        int kind;
        const char *row, *word;
    } bad[] = {
        {HONE_ROWS_VERDICTS, "{\"id\":\"A\",\"ranking\":[0,1]}",
         "orders 2 candidates, the list has 3"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"A\",\"ranking\":[0,1,1]}", "candidate 1 twice"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"A\",\"ranking\":[0,1,3]}", "none of the list's 3"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[0,1,3]}", "leaves a candidate out"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[0,-1]}", "names a candidate"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[0,64]}", "names a candidate"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[0]}", "one candidate"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[]}", "one candidate"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"scores\":[1]}", "one candidate"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"scores\":[1,null]}", "has no score"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"scores\":[1,\"x\"]}", "no finite number"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"status\":\"ok\",\"score\":3}", "neither \"ranking\""},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"status\":\"great\",\"ranking\":[0,1]}", "status"},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[0,1],\"order\":[0,0]}", "\"order\""},
        {HONE_ROWS_VERDICTS, "{\"id\":\"N\",\"ranking\":[0,1],\"order\":[0]}", "\"order\""},
        {HONE_ROWS_ITEMS, "{\"id\":\"A\",\"candidates\":[\"a\",\"b\",\"c\"]}", "another item"},
        {HONE_ROWS_ITEMS, "{\"id\":\"N\",\"candidates\":[\"a\"]}", "one candidate"},
        {HONE_ROWS_ITEMS, "{\"id\":\"N\",\"completion\":\"a\"}", "no list \"candidates\""},
        {HONE_ROWS_ITEMS, "{\"id\":\"N\",\"candidates\":[\"a\",\"b\"],\"ids\":[\"c\"]}",
         "one each"},
        {HONE_ROWS_ITEMS, "{\"id\":\"N\",\"candidates\":[\"a\",\"b\"],\"ids\":[\"c\",\"c\"]}",
         "another candidate has"},
        {HONE_ROWS_ITEMS, "{\"id\":\"M\",\"candidates\":[\"a\",\"b\"],\"ids\":[\"d\",\"y\"]}",
         "another candidate has"},
        {HONE_ROWS_LABELS, "{\"expert\":\"e\",\"ranking\":[0,1]}", "no \"item\""},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"ranking\":[0]}", "one candidate"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"ranking\":\"0>1>0\"}", "candidate 0 twice"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"ranking\":\"0>>1\"}", "names a candidate"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"ranking\":5}", "no list"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"scores\":[1,2]}", "one number for each"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"candidate\":3,\"score\":1}", "none of the list's 3"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"candidate\":\"nobody\",\"score\":1}",
         "none of the list's"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"candidate\":1,\"score\":\"x\"}", "no finite number"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"score\":1}", "a label of a list has"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"first\":1,\"second\":1,\"choice\":\"a\"}", "itself"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"first\":1,\"choice\":\"a\"}", "names a candidate"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"first\":0,\"second\":1,\"choice\":\"c\"}",
         "a, b, tie"},
        {HONE_ROWS_LABELS, "{\"item\":\"A\",\"first\":0,\"second\":1,\"score\":2}",
         "neither choice"},
    };
    hone_joined j;
    open_lists(&j);
    ITEM(&j, "{\"id\":\"A\",\"candidates\":[\"a\",\"b\",\"c\"],\"ids\":[\"x\",\"y\",\"z\"]}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (try_add(&j, bad[i].kind, bad[i].row) != HONE_E_INVALID ||
            !strstr(hone_error_get()->what, bad[i].word))
            fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].row, hone_error_get()->what, bad[i].word);
    }
    hone_joined_release(&j);
}

static void test_labels_that_compare_nothing_are_an_error(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"{\"id\":\"A\",\"ranking\":[0,1,2]}", "{\"item\":\"Z\",\"ranking\":[0,1]}",
         "no label is of a list that was judged"},
        {"{\"id\":\"A\",\"ranking\":[0,1,2]}", "{\"item\":\"A\",\"candidate\":1,\"score\":4}",
         "no expert compared two candidates"},
        {"{\"id\":\"A\",\"ranking\":[0,1,2]}", "{\"item\":\"A\",\"candidate\":1,\"score\":null}",
         "has a rating"},
    };
    hone_joined j;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_lists(&j);
        VERDICT(&j, rows[i][0]);
        LABEL(&j, rows[i][1]);
        assert_int_equal(hone_joined_finish(&j), HONE_E_INVALID);
        assert_non_null(strstr(hone_error_get()->what, rows[i][2]));
        hone_joined_release(&j);
    }
    open_lists(&j); /* labels came first: what they name is known only now */
    LABEL(&j, "{\"item\":\"A\",\"candidate\":5,\"score\":4}");
    LABEL(&j, "{\"item\":\"A\",\"candidate\":1,\"score\":4}");
    VERDICT(&j, "{\"id\":\"A\",\"ranking\":[0,1,2]}");
    assert_int_equal(hone_joined_finish(&j), HONE_E_INVALID);
    assert_non_null(strstr(hone_error_get()->what, "candidate 5 of a list of 3"));
    hone_joined_release(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_are_those_worked_out_by_hand),
        cmocka_unit_test(test_what_makes_no_sense_of_a_ranking_says_why),
        cmocka_unit_test(test_candidates_by_their_own_ids),
        cmocka_unit_test(test_pairs_of_one_list_are_one_prompt),
        cmocka_unit_test(test_rows_that_make_no_sense_are_refused_with_the_reason),
        cmocka_unit_test(test_labels_that_compare_nothing_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
