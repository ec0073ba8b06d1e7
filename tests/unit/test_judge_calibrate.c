/* test_judge_calibrate.c - joining rows (judge/joined.h), the figures of a calibration (judge/calibrate.h), groups
 * (judge/within.h), and the forms of a report (judge/report.h, web/judge_page.h). */
#include "support.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "judge/ask.h"
#include "judge/report.h"
#include "judge/within.h"
#include "web/judge_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void add(hone_joined *j, int kind, uint64_t number, const char *json)
{
    hone_arena a;
    hone_value row;
    hone_arena_init(&a, 0);
    assert_int_equal(hone_json_parse(json, strlen(json), "row", &a, &row), HONE_OK);
    assert_int_equal(hone_joined_add(j, kind, "rows", number, &row), HONE_OK);
    hone_arena_release(&a);
}

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

static const hone_joined_item *of(const hone_joined *j, const char *id)
{
    return hone_joined_find(j, hone_str_c(id));
}

/* ---- joining ---- */

static void test_rows_of_one_id_meet_whatever_the_order(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    hone_joined j;
    hone_joined_init(&j, &o);
    add(&j, HONE_ROWS_LABELS, 1, "{\"item\":7,\"expert\":\"a\",\"score\":4}");
    add(&j, HONE_ROWS_VERDICTS, 1, "{\"id\":\"7\",\"status\":\"ok\",\"score\":3,\"repeat\":0}");
    add(&j, HONE_ROWS_VERDICTS, 2, "{\"id\":7.0,\"status\":\"ok\",\"score\":5,\"repeat\":1}");
    add(&j, HONE_ROWS_VERDICTS, 3, "{\"id\":\"7\",\"status\":\"truncated\",\"score\":1}");
    add(&j, HONE_ROWS_ITEMS, 7, "{\"prompt\":\"p\",\"completion\":\"four\"}");
    add(&j, HONE_ROWS_LABELS, 2, "{\"id\":\"7\",\"expert\":\"b\",\"score\":\"\"}");
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(j.n_items, 1);
    assert_int_equal(j.n, 1);
    assert_int_equal(j.empty, 1);
    const hone_joined_item *it = of(&j, "7");
    assert_non_null(it);
    assert_true(hone_joined_score(it) == 4); /* of ok verdicts only */
    assert_int_equal(it->status[HONE_JOINED_TRUNCATED], 1);
    assert_int_equal(it->length, 4);
    assert_true(j.ratings[0].value == 4);
    hone_joined_release(&j);
}

static void test_a_status_without_its_number_is_not_ok(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    hone_joined j;
    hone_joined_init(&j, &o);
    add(&j, HONE_ROWS_VERDICTS, 1, "{\"id\":\"a\",\"status\":\"ok\",\"score\":null}");
    add(&j, HONE_ROWS_VERDICTS, 2, "{\"id\":\"b\",\"score\":2}");
    add(&j, HONE_ROWS_VERDICTS, 3, "{\"id\":\"c\",\"status\":\"refused\",\"score\":9}");
    assert_int_equal(of(&j, "a")->status[HONE_JOINED_UNPARSED], 1);
    assert_true(isnan(hone_joined_score(of(&j, "a"))));
    assert_true(hone_joined_score(of(&j, "b")) == 2);
    assert_true(isnan(hone_joined_score(of(&j, "c"))));
    hone_joined_release(&j);
}

static void test_items_of_a_prompt_share_a_split(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    hone_joined j;
    char row[200];
    hone_joined_init(&j, &o);
    for (int i = 0; i < 2000; i++) {
        snprintf(row, sizeof row,
                 "{\"item\":\"i%d\",\"expert\":\"a\",\"score\":%d,\"prompt_id\":\"p%d\"}", i, i % 5,
                 i / 4);
        add(&j, HONE_ROWS_LABELS, 1, row);
    }
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    for (int i = 0; i < 2000; i += 4)
        for (int k = 1; k < 4; k++) {
            char a[16], b[16];
            snprintf(a, sizeof a, "i%d", i);
            snprintf(b, sizeof b, "i%d", i + k);
            assert_int_equal(hone_joined_split(of(&j, a)), hone_joined_split(of(&j, b)));
        }
    assert_int_equal(j.moved.n, 0);
    assert_int_equal(j.n_prompts, 500);
    assert_in_range(j.split_items[HONE_SPLIT_FEW_SHOT], 100, 300); /* 10 % */
    assert_in_range(j.split_items[HONE_SPLIT_DEV], 750, 1050);     /* 45 % */
    hone_joined_release(&j);
}

static void test_prompts_are_the_same_whatever_is_read_first(void **state)
{
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    uint64_t first[8] = {0};
    for (int o = 0; o < 6; o++) {
        const hone_joined_opts opts = {.split = HONE_SPLIT_ALL, .keep_scores = 1};
        hone_joined j;
        char row[200];
        hone_joined_init(&j, &opts);
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 8; i++) {
                if (orders[o][k] == HONE_ROWS_ITEMS)
                    snprintf(row, sizeof row, "{\"id\":%d,\"prompt\":\"q%d\",\"completion\":\"c\"}",
                             i, i / 4);
                else if (orders[o][k] == HONE_ROWS_VERDICTS)
                    snprintf(row, sizeof row, "{\"id\":%d,\"score\":%d}", i, i % 3);
                else if (i % 2) /* only some have a label, and it names the prompt */
                    snprintf(row, sizeof row, "{\"item\":%d,\"score\":1,\"prompt_id\":\"n%d\"}", i,
                             i / 4);
                else
                    continue;
                add(&j, orders[o][k], (uint64_t)i + 1, row);
            }
        assert_int_equal(hone_joined_finish(&j), HONE_OK);
        for (int i = 0; i < 8; i++) {
            snprintf(row, sizeof row, "%d", i);
            const hone_joined_item *it = of(&j, row);
            if (o == 0)
                first[i] = it->cluster;
            assert_true(it->cluster == first[i]);
            assert_true(it->cluster == first[i / 4 * 4]);
        }
        assert_true(first[0] != first[4]);
        hone_joined_release(&j);
    }
}

static void test_a_verdict_and_an_item_name_a_prompt_alike(void **state)
{
    (void)state;
    const char text[] = "{\"id\":\"a\",\"prompt\":\"why\",\"completion\":\"c\"}";
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .keep_scores = 1};
    hone_joined j;
    hone_arena a;
    hone_value row;
    hone_ask_item item;
    char verdict[200];
    hone_arena_init(&a, 0);
    assert_int_equal(hone_json_parse(text, strlen(text), "row", &a, &row), HONE_OK);
    assert_int_equal(hone_ask_item_read("rows", &row, 1, &a, &item), HONE_OK);
    snprintf(verdict, sizeof verdict, "{\"id\":\"b\",\"score\":1,\"prompt_id\":\"%.*s\"}",
             (int)item.prompt_id.len, item.prompt_id.ptr);
    hone_joined_init(&j, &o);
    add(&j, HONE_ROWS_ITEMS, 1, text);
    add(&j, HONE_ROWS_VERDICTS, 1, verdict);
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_true(of(&j, "a")->cluster == of(&j, "b")->cluster);
    hone_joined_release(&j);
    hone_arena_release(&a);
}

static void test_an_item_without_a_split_goes_with_its_prompt(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .keep_scores = 1};
    hone_joined j;
    char row[200];
    hone_joined_init(&j, &o);
    for (int i = 0; i < 40; i++) {
        snprintf(row, sizeof row,
                 "{\"item\":\"a%d\",\"score\":1,\"prompt_id\":%d,\"split\":\"few-shot\"}", i, i);
        add(&j, HONE_ROWS_LABELS, 1, row);
        snprintf(row, sizeof row, "{\"id\":\"b%d\",\"score\":1,\"prompt_id\":\"%d\"}", i, i);
        add(&j, HONE_ROWS_VERDICTS, 1, row);
    }
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(j.split_items[HONE_SPLIT_FEW_SHOT], 80);
    assert_int_equal(j.moved.n, 0);
    hone_joined_release(&j);
}

static void test_a_given_split_holds_and_a_torn_prompt_is_told(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_TEST};
    hone_joined j;
    hone_joined_init(&j, &o);
    add(&j, HONE_ROWS_LABELS, 1,
        "{\"item\":\"a\",\"expert\":\"x\",\"score\":1,\"prompt_id\":\"p\",\"split\":\"test\"}");
    add(&j, HONE_ROWS_LABELS, 2,
        "{\"item\":\"b\",\"expert\":\"x\",\"score\":2,\"prompt_id\":\"p\",\"split\":\"dev\"}");
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(j.n, 1);
    assert_string_equal(j.items[j.order[0]].id, "a");
    assert_int_equal(j.moved.n, 1);
    hone_joined_release(&j);
}

static void test_more_items_than_fit_leave_the_same_sample_of_both_files(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .max_items = 100};
    hone_joined j;
    char row[200];
    hone_joined_init(&j, &o);
    for (int i = 0; i < 3000; i++)
        for (int e = 0; e < 2; e++) {
            snprintf(row, sizeof row, "{\"item\":\"i%d\",\"expert\":\"e%d\",\"score\":%d}", i, e,
                     i % 7);
            add(&j, HONE_ROWS_LABELS, 1, row);
        }
    for (int i = 0; i < 3000; i++) {
        snprintf(row, sizeof row, "{\"id\":\"i%d\",\"score\":%d}", i, i % 7);
        add(&j, HONE_ROWS_VERDICTS, 1, row);
    }
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_in_range(j.n_items, 20, 100);
    assert_int_equal(j.n, j.n_items); /* each has its verdict */
    assert_int_equal(j.n_more, 0);
    assert_int_equal(j.unknown.n, 0);
    assert_int_equal(j.n_ratings, 2 * j.n);
    assert_int_equal(j.rows[HONE_ROWS_LABELS], 6000);
    assert_true(j.share <= 100.0 / 3000 * 2 && j.share > 0);
    for (size_t i = 0; i < j.n; i++) /* and its own rating */
        assert_true(j.ratings[j.begin[i]].value == hone_joined_score(&j.items[j.order[i]]));
    hone_joined_release(&j);
}

static void test_a_second_rating_of_an_expert_replaces_the_first_unless_it_is_a_duplicate(
    void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    hone_joined j;
    hone_joined_init(&j, &o);
    add(&j, HONE_ROWS_LABELS, 1, "{\"item\":\"a\",\"expert\":\"x\",\"score\":1}");
    add(&j, HONE_ROWS_LABELS, 2, "{\"item\":\"a\",\"expert\":\"x\",\"score\":5}");
    add(&j, HONE_ROWS_LABELS, 3, "{\"item\":\"b\",\"expert\":\"x\",\"score\":1}");
    add(&j, HONE_ROWS_LABELS, 4,
        "{\"item\":\"b\",\"expert\":\"x\",\"score\":5,\"duplicate\":true}");
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(j.contradictory.n, 1);
    assert_string_equal(j.contradictory.named[0], "a");
    assert_int_equal(j.n_again, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(j.ratings[i].value == (j.items[j.order[i]].id[0] == 'a' ? 5 : 1));
    hone_joined_release(&j);
}

static void test_malformed_rows_are_errors_or_counted(void **state)
{
    (void)state;
    static const char *const labels[] = {"{\"expert\":\"a\",\"score\":1}",
                                         "{\"item\":\"a\",\"expert\":\"a\",\"score\":\"x\"}",
                                         "{\"item\":\"a\",\"choice\":\"first\"}",
                                         "{\"item\":\"a\",\"score\":1,\"probability\":-1}",
                                         "{\"item\":\"a\",\"score\":1,\"split\":\"all\"}",
                                         "{\"item\":\"a\",\"score\":1e99}"};
    for (int skip = 0; skip < 2; skip++) {
        const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .skip_bad = skip};
        hone_joined j;
        hone_joined_init(&j, &o);
        for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
            assert_int_equal(try_add(&j, HONE_ROWS_LABELS, labels[i]),
                             skip ? HONE_OK : HONE_E_INVALID);
        assert_int_equal(try_add(&j, HONE_ROWS_VERDICTS, "{\"id\":\"a\",\"status\":\"fine\"}"),
                         skip ? HONE_OK : HONE_E_INVALID);
        assert_int_equal(j.bad, skip ? 7 : 0);
        hone_joined_release(&j);
    }
}

/* ---- figures ---- */

static void every_figure_holds_or_says_why(const hone_value *v, size_t *figures)
{
    if (v->type == HONE_MAP && hone_value_get(v, "value") && hone_value_get(v, "lo") &&
        hone_value_get(v, "n")) {
        const hone_value *x = hone_value_get(v, "value");
        (*figures)++;
        if (x->type == HONE_NULL)
            assert_non_null(hone_value_get(v, "why"));
    }
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++)
        every_figure_holds_or_says_why(&v->u.map.pairs[i].value, figures);
    for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
        every_figure_holds_or_says_why(&v->u.list.items[i], figures);
}

/* Calibrates what was joined, and goes through all forms of the report; E_INVALID where nothing joins. */
static hone_status through(hone_joined *j, const hone_calib_opts *o, hone_calibration *keep)
{
    hone_calibration c;
    hone_within within;
    hone_buf b, page;
    hone_jw w;
    hone_arena a;
    hone_value report;
    size_t figures = 0;
    const hone_calib_about about = {.version = "0", .test_reads = -1};
    hone_status s = hone_joined_finish(j);
    if (s < 0)
        return s;
    s = hone_calibrate(j, o, &c);
    if (s < 0)
        return s;
    hone_buf_init(&b, 1 << 24);
    hone_buf_init(&page, 1 << 24);
    hone_arena_init(&a, 0);
    hone_jw_init(&w, &b, 0);
    hone_calibration_json(&c, &about, &w);
    assert_int_equal(b.failed, HONE_OK);
    assert_int_equal(hone_json_parse(b.ptr, b.len, "report", &a, &report), HONE_OK);
    every_figure_holds_or_says_why(&report, &figures);
    assert_true(figures > 20);
    assert_int_equal(hone_judge_page(&report, &page), HONE_OK);
    hone_buf_clear(&page);
    assert_int_equal(hone_judge_report_md(&report, &page), HONE_OK);
    hone_buf_clear(&page);
    assert_int_equal(hone_judge_report_text(&report, &page), HONE_OK);
    assert_null(strstr(page.ptr, "nan"));
    assert_null(strstr(page.ptr, "inf]"));
    if (j->opts.keep_scores) {
        assert_int_equal(hone_within_measure(j, 100, 1, &within), HONE_OK);
        hone_buf_clear(&b);
        hone_jw_init(&w, &b, 0);
        hone_within_json(&within, j, NULL, &about, &w);
        assert_int_equal(hone_json_parse(b.ptr, b.len, "report", &a, &report), HONE_OK);
        every_figure_holds_or_says_why(&report, &figures);
        assert_int_equal(hone_judge_page(&report, &page), HONE_OK);
        hone_within_release(&within);
    }
    hone_arena_release(&a);
    hone_buf_release(&b);
    hone_buf_release(&page);
    if (keep)
        *keep = c;
    else
        hone_calibration_release(&c);
    return HONE_OK;
}

/* n items of two a prompt, experts right with the share `skill`, the judge's score by `judge`. */
static void fill(hone_joined *j, int n, double skill, double (*judge)(double quality, double u))
{
    char row[240];
    for (int i = 0; i < n; i++) {
        const hone_rng_key key = {.seed = 3, .purpose = HONE_RNG_USER, .sample = (uint64_t)i};
        const double quality = (double)(1 + hone_rng_below(&key, 0, 5));
        for (unsigned e = 0; e < 3; e++) {
            const double says = hone_rng_uniform(&key, 10 + e) < skill
                                    ? quality
                                    : (double)(1 + hone_rng_below(&key, 20 + e, 5));
            snprintf(row, sizeof row,
                     "{\"item\":\"i%d\",\"expert\":\"e%u\",\"score\":%.0f,\"prompt_id\":\"p%d\"}",
                     i, e, says, i / 2);
            add(j, HONE_ROWS_LABELS, 1, row);
        }
        snprintf(row, sizeof row, "{\"id\":\"i%d\",\"status\":\"ok\",\"score\":%g,\"length\":%d}",
                 i, judge(quality, hone_rng_uniform(&key, 1)), 10 + i % 90);
        add(j, HONE_ROWS_VERDICTS, 1, row);
    }
}

static double knows(double quality, double u)
{
    (void)u;
    return quality;
}

static double guesses(double quality, double u)
{
    (void)quality;
    return 1 + floor(5 * u);
}

static double milder(double quality, double u)
{
    (void)u;
    return quality < 5 ? quality + 1 : 5;
}

static void test_a_judge_that_knows_beats_the_experts_and_one_that_guesses_does_not(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    const hone_calib_opts co = {.replicates = 300};
    hone_joined j;
    hone_calibration good, bad;
    hone_joined_init(&j, &o);
    fill(&j, 300, 0.6, knows);
    assert_int_equal(through(&j, &co, &good), HONE_OK);
    hone_joined_release(&j);
    hone_joined_init(&j, &o);
    fill(&j, 300, 0.6, guesses);
    assert_int_equal(through(&j, &co, &bad), HONE_OK);
    hone_joined_release(&j);
    assert_true(good.difference_kappa_w.lo > 0);
    assert_true(bad.difference_kappa_w.hi < -0.1);
    assert_true(bad.kappa_w.lo < 0 && bad.kappa_w.hi > 0);
    assert_true(good.alt_test.passed && !bad.alt_test.passed);
    assert_true(good.pairwise_accuracy.lo > 0.7 && bad.pairwise_accuracy.hi < 0.65);
    assert_int_equal(good.n_levels, 5);
    assert_true(good.threshold == 3.5);
    assert_true(good.ceiling_kappa_w.value == bad.ceiling_kappa_w.value);
    hone_calibration_release(&good);
    hone_calibration_release(&bad);
}

static void test_a_mild_judge_has_a_bias_and_still_the_order(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    const hone_calib_opts co = {.replicates = 200};
    hone_joined j;
    hone_calibration c;
    hone_joined_init(&j, &o);
    fill(&j, 200, 1, milder);
    assert_int_equal(through(&j, &co, &c), HONE_OK);
    assert_true(c.ceiling_kappa_w.value == 1);
    assert_true(c.bias.lo > 0.6);
    assert_true(c.spearman.value > 0.9);
    assert_true(c.prevalence_raw.value > 0.5 && c.tnr.value < 0.7 && c.tpr.value == 1);
    hone_calibration_release(&c);
    hone_joined_release(&j);
}

static void test_a_judge_on_another_scale_is_brought_to_the_labels(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    const hone_calib_opts plain = {.replicates = 100};
    const hone_calib_opts scaled = {
        .replicates = 100, .has_scale = 1, .scale_lo = 0, .scale_hi = 100};
    hone_joined j;
    hone_calibration c;
    char row[200];
    for (int way = 0; way < 3; way++) {
        hone_joined_init(&j, &o);
        for (int i = 0; i < 60; i++) {
            snprintf(row, sizeof row, "{\"item\":\"i%d\",\"expert\":\"e\",\"score\":%d}", i,
                     1 + i % 5);
            add(&j, HONE_ROWS_LABELS, 1, row);
            snprintf(row, sizeof row, "{\"id\":\"i%d\",\"score\":%g}", i,
                     i % 5 * (way == 2 ? 0.25 : 25));
            add(&j, HONE_ROWS_VERDICTS, 1, row);
        }
        assert_int_equal(through(&j, way == 1 ? &scaled : &plain, &c), HONE_OK);
        int told = 0;
        for (size_t i = 0; i < c.n_notes; i++)
            told |= strstr(c.notes[i], way == 2 ? "from 0 to 1" : "another scale") != NULL;
        assert_int_equal(told, way != 1);
        assert_true(way ? c.kappa_w.value == 1 : c.kappa_w.value < 0.8);
        assert_true(c.spearman.value > 0.999999);
        hone_calibration_release(&c);
        hone_joined_release(&j);
    }
}

static void test_items_that_were_looked_for_do_not_stand_for_all(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    const hone_calib_opts co = {.replicates = 100};
    hone_joined j;
    hone_calibration c;
    char row[200];
    hone_joined_init(&j, &o);
    for (int i = 0; i < 60;
         i++) { /* 40 of 40 hard ones, where the judge is wrong; 20 of 200 easy ones */
        const int hard = i < 40;
        snprintf(row, sizeof row, "{\"item\":%d,\"expert\":\"e\",\"score\":1,\"probability\":%g}",
                 i, hard ? 1.0 : 0.1);
        add(&j, HONE_ROWS_LABELS, 1, row);
        snprintf(row, sizeof row, "{\"id\":%d,\"score\":%d}", i, hard ? 0 : 1);
        add(&j, HONE_ROWS_VERDICTS, 1, row);
    }
    assert_int_equal(through(&j, &co, &c), HONE_OK);
    assert_true(fabs(c.accuracy.value - 20.0 / 60) < 1e-12);
    assert_true(c.weighted && fabs(c.w_accuracy.value - 200.0 / 240) < 1e-12);
    assert_true(fabs(c.w_bias.value + 40.0 / 240) < 1e-12);
    assert_true(c.w_mean.value == 1);
    hone_calibration_release(&c);
    hone_joined_release(&j);
}

static void test_a_crowd_of_experts_costs_no_items(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL};
    const hone_calib_opts co = {.replicates = 20};
    hone_joined j;
    hone_calibration c;
    char row[200];
    hone_joined_init(&j, &o);
    for (int i = 0; i < 9000; i++) { /* as a matrix, 18 million cells */
        for (int e = 0; e < 2; e++) {
            snprintf(row, sizeof row, "{\"item\":%d,\"expert\":%d,\"score\":%d}", i,
                     (i + e * 7) % 2000, i % 3);
            add(&j, HONE_ROWS_LABELS, 1, row);
        }
        snprintf(row, sizeof row, "{\"id\":%d,\"score\":%d}", i, i % 3);
        add(&j, HONE_ROWS_VERDICTS, 1, row);
    }
    assert_int_equal(through(&j, &co, &c), HONE_OK);
    assert_int_equal(c.items, 9000);
    assert_int_equal(c.labels, 18000);
    assert_int_equal(c.experts, 2000);
    assert_true(c.kappa_w.value == 1 && c.ceiling_kappa_w.value == 1);
    hone_calibration_release(&c);
    hone_joined_release(&j);
}

typedef struct draw {
    hone_rng_key key;
    uint64_t at;
} draw;

static unsigned pick(draw *d, uint64_t n)
{
    return (unsigned)hone_rng_below(&d->key, d->at++, n);
}

/* Small data of every odd kind: each report is whole, and no figure is neither a number nor a reason. */
static void test_no_data_brings_out_a_figure_without_value_or_reason(void **state)
{
    (void)state;
    size_t whole = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        draw d = {.key = {.seed = seed, .purpose = HONE_RNG_USER}};
        const int pairwise = (int)pick(&d, 2), n = (int)pick(&d, 24);
        const int experts = 1 + (int)pick(&d, 4);
        const int continuous = !pick(&d, 3), one_class = !pick(&d, 4), constant = !pick(&d, 4);
        const int split = seed % 3 ? HONE_SPLIT_ALL : (int)pick(&d, 4);
        const hone_joined_opts o = {.split = split, .keep_scores = (int)pick(&d, 2)};
        const hone_calib_opts co = {.replicates = 20, .tie = pick(&d, 2) ? 0.3 : 0};
        hone_joined j;
        char row[300];
        hone_joined_init(&j, &o);
        for (int i = 0; i < n; i++) {
            static const char *const choices[] = {"a", "b", "tie"};
            for (int e = 0; e < experts; e++) {
                if (pick(&d, 3) == 0)
                    continue;
                if (pairwise)
                    snprintf(row, sizeof row,
                             "{\"item\":\"i%d\",\"expert\":\"e%d\",\"choice\":\"%s\",\"prompt_id\":"
                             "\"p%d\"}",
                             i, e, choices[one_class ? 0 : pick(&d, 3)], i / 3);
                else
                    snprintf(row, sizeof row, "{\"item\":\"i%d\",\"expert\":\"e%d\",\"score\":%g}",
                             i, e,
                             one_class    ? 2
                             : continuous ? hone_rng_normal(&d.key, d.at++) * 1e6
                                          : (double)pick(&d, 4));
                add(&j, HONE_ROWS_LABELS, 1, row);
            }
            for (unsigned r = 0; r < 2; r++) {
                static const char *const names[] = {"ok", "ok", "ok", "unparsed", "timeout"};
                const double score = constant   ? 1
                                     : pairwise ? hone_rng_uniform(&d.key, d.at++) * 2 - 1
                                                : (double)pick(&d, 5);
                const int id = pick(&d, 9) ? i : i + 100;
                const unsigned status = pick(&d, 5), topic = pick(&d, 3), clear = pick(&d, 2);
                snprintf(row, sizeof row,
                         "{\"id\":\"i%d\",\"status\":\"%s\",\"score\":%g,\"repeat\":%u,\"order\":[%"
                         "u,%u],"
                         "\"topic\":\"%u\",\"criteria\":{\"c\":%u},\"prompt_id\":\"p%d\"}",
                         id, names[status], score, r, r, 1 - r, topic, clear, i / 3);
                add(&j, HONE_ROWS_VERDICTS, 1, row);
            }
        }
        hone_status s = through(&j, &co, NULL);
        assert_true(s == HONE_OK || s == HONE_E_INVALID);
        whole += s == HONE_OK;
        hone_joined_release(&j);
    }
    assert_true(whole > 200);
}

static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .keep_scores = 1};
    const hone_calib_opts co = {.replicates = 10};
    hone_joined j;
    hone_calibration c;
    hone_within within;
    size_t before, after, bytes;
    hone_joined_init(&j, &o);
    fill(&j, 12, 0.7, guesses);
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    hone_alloc_stats(&before, &bytes);
    for (uint64_t n = 1;; n++) {
        hone_alloc_fail_after(n, 0);
        hone_status s = hone_calibrate(&j, &co, &c);
        if (s >= 0) {
            hone_status t = hone_within_measure(&j, 10, 1, &within);
            hone_alloc_fail_after(0, 0);
            hone_calibration_release(&c);
            if (t >= 0) {
                hone_within_release(&within);
                break;
            }
            assert_int_equal(t, HONE_E_NOMEM);
        } else {
            assert_int_equal(s, HONE_E_NOMEM);
        }
        hone_alloc_fail_after(0, 0);
        hone_alloc_stats(&after, &bytes);
        assert_int_equal(after, before);
        assert_true(n < 100000);
    }
    hone_joined_release(&j);
}

/* ---- groups ---- */

static void test_rho_is_the_completions_share(void **state)
{
    (void)state;
    const hone_joined_opts o = {.split = HONE_SPLIT_ALL, .keep_scores = 1};
    hone_joined j;
    hone_within w;
    char row[200];
    hone_joined_init(&j, &o);
    for (int p = 0; p < 100; p++)
        for (int i = 0; i < 4; i++)
            for (unsigned r = 0; r < 2; r++) {
                const hone_rng_key c = {.seed = 3,
                                        .purpose = HONE_RNG_USER,
                                        .step = (uint64_t)p,
                                        .sample = (uint64_t)i};
                const double x = 10 * p + hone_rng_normal(&c, 0) + hone_rng_normal(&c, 10 + r);
                snprintf(row, sizeof row,
                         "{\"id\":\"%d-%d\",\"prompt_id\":\"%d\",\"score\":%.17g,\"repeat\":%u}", p,
                         i, p, x, r);
                add(&j, HONE_ROWS_VERDICTS, 1, row);
            }
    assert_int_equal(hone_joined_finish(&j), HONE_OK);
    assert_int_equal(hone_within_measure(&j, 300, 1, &w), HONE_OK);
    /* var_c = var_e = 1, two repeats: rho = 1/(1 + 1/2) */
    assert_true(w.r.rho.lo < 2.0 / 3 && w.r.rho.hi > 2.0 / 3);
    assert_true(fabs(w.r.var_c - 1) < 0.25 && fabs(w.r.var_e - 1) < 0.25);
    assert_int_equal(w.r.groups, 100);
    uint64_t total = 0;
    for (size_t i = 0; i < w.n_levels; i++)
        total += w.counts[i];
    assert_int_equal(total, 800);
    hone_within_release(&w);
    hone_joined_release(&j);
}

/* ---- Pearson beside Spearman ---- */

static void test_pearson_is_that_of_the_definition(void **state)
{
    (void)state;
    const double x[] = {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 5, NAN, 1e9 + 8}, y[] = {2, 1, 4, 3, 9, 7};
    double mx = (1 + 2 + 3 + 5 + 8) / 5.0, my = 17 / 5.0, xx = 0, yy = 0, xy = 0;
    hone_figure f;
    for (size_t i = 0; i < 6; i++)
        if (!isnan(x[i])) {
            const double a = x[i] - 1e9 - mx, b = y[i] - my;
            xx += a * a;
            yy += b * b;
            xy += a * b;
        }
    assert_int_equal(hone_rank_pearson(x, y, 6, NULL, &f), HONE_OK);
    assert_null(f.why);
    assert_true(fabs(f.value - xy / sqrt(xx * yy)) < 1e-12);
    assert_int_equal(f.n, 5);
    const double same[] = {3, 3, 3, 3, 3, 3};
    assert_int_equal(hone_rank_pearson(x, same, 6, NULL, &f), HONE_OK);
    assert_non_null(f.why);
}

/* ---- reports ---- */

static void test_a_document_of_another_kind_is_no_report(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "{\"kind\":\"gate\"}", "[]", "3", "{\"kind\":7}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hone_arena a;
        hone_buf b;
        hone_value v;
        hone_arena_init(&a, 0);
        hone_buf_init(&b, 1 << 20);
        assert_int_equal(hone_json_parse(texts[i], strlen(texts[i]), "report", &a, &v), HONE_OK);
        assert_int_equal(hone_judge_page(&v, &b), HONE_E_INVALID);
        assert_int_equal(hone_judge_report_md(&v, &b), HONE_E_INVALID);
        assert_int_equal(hone_judge_report_text(&v, &b), HONE_E_INVALID);
        hone_buf_release(&b);
        hone_arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_one_id_meet_whatever_the_order),
        cmocka_unit_test(test_a_status_without_its_number_is_not_ok),
        cmocka_unit_test(test_items_of_a_prompt_share_a_split),
        cmocka_unit_test(test_prompts_are_the_same_whatever_is_read_first),
        cmocka_unit_test(test_a_verdict_and_an_item_name_a_prompt_alike),
        cmocka_unit_test(test_items_that_were_looked_for_do_not_stand_for_all),
        cmocka_unit_test(test_an_item_without_a_split_goes_with_its_prompt),
        cmocka_unit_test(test_a_crowd_of_experts_costs_no_items),
        cmocka_unit_test(test_a_given_split_holds_and_a_torn_prompt_is_told),
        cmocka_unit_test(test_more_items_than_fit_leave_the_same_sample_of_both_files),
        cmocka_unit_test(
            test_a_second_rating_of_an_expert_replaces_the_first_unless_it_is_a_duplicate),
        cmocka_unit_test(test_malformed_rows_are_errors_or_counted),
        cmocka_unit_test(test_a_judge_that_knows_beats_the_experts_and_one_that_guesses_does_not),
        cmocka_unit_test(test_a_mild_judge_has_a_bias_and_still_the_order),
        cmocka_unit_test(test_a_judge_on_another_scale_is_brought_to_the_labels),
        cmocka_unit_test(test_no_data_brings_out_a_figure_without_value_or_reason),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
        cmocka_unit_test(test_rho_is_the_completions_share),
        cmocka_unit_test(test_pearson_is_that_of_the_definition),
        cmocka_unit_test(test_a_document_of_another_kind_is_no_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
