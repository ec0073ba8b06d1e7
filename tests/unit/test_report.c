/* test_report.c - the report page and the reading of run directories, on runs made by the writer itself. */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "store/run.h"
#include "web/html.h"
#include "web/report.h"
#include "web/rundir.h"

#include <math.h>

static const char meta_text[] =
    "{\"name\":\"demo <b>\",\"recipe\":\"/a/b/demo.lua\",\"seed\":7,\"finished\":true,\"steps\":3,"
    "\"params\":{\"lr\":0.001,\"note\":\"</title><script>alert(1)</script>\"},"
    "\"machine\":{\"cpu\":\"Some CPU\",\"threads\":2},"
    "\"plugins\":[{\"name\":\"rewards\",\"sha256\":\"00ff00ff\",\"components\":[\"org.x.y "
    "1.0.0\"]}]}";

static void put(const char *dir, const char *name, const char *text)
{
    char *path = hone_path_join(dir, name);
    assert_ok(hone_file_replace(path, text, strlen(text)));
    hone_free(path);
}

static void line(hone_run *run, hone_status (*write)(hone_run *, hone_str), const char *text)
{
    assert_ok(write(run, hone_str_c(text)));
}

static void rollout(hone_run *run, int step, int n, const char *completion)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 24);
    for (int i = 0; i < n; i++) {
        hone_jw w;
        hone_jw_init(&w, &b, 0);
        hone_jw_map(&w);
        hone_jw_ki64(&w, "step", step);
        hone_jw_ki64(&w, "sample", i);
        hone_jw_ki64(&w, "group", i / 2);
        hone_jw_kcstr(&w, "prompt", "what?");
        hone_jw_kcstr(&w, "completion", completion);
        hone_jw_kcstr(&w, "finish", "stop");
        hone_jw_key(&w, "ids");
        hone_jw_list(&w);
        hone_jw_i64(&w, 5);
        hone_jw_end(&w);
        hone_jw_key(&w, "outcomes");
        hone_jw_map(&w);
        hone_jw_key(&w, "exact");
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "status", i ? "score" : "timeout");
        hone_jw_kf64(&w, "score", 1);
        hone_jw_end(&w);
        hone_jw_end(&w);
        hone_jw_kf64(&w, "reward", 0.25 * i);
        hone_jw_kf64(&w, "advantage", i - 1);
        hone_jw_end(&w);
        hone_buf_addc(&b, '\n');
    }
    assert_ok(hone_run_rollouts(run, hone_buf_str(&b)));
    hone_buf_release(&b);
}

static void add_steps(hone_run *run)
{
    for (int i = 1; i <= 3; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"step\":%d,\"loss\":%g,\"reward/mean\":%g,\"reward/exact/mean\":%g,\"reward/"
                 "exact/abstain\":0,"
                 "\"reward/exact/error\":0.25,\"reward/exact/timeout\":0,\"mine/own\":%d}",
                 i, 3.0 / i, 0.2 * i, 0.2 * i, i);
        line(run, hone_run_metrics, text);
        snprintf(text, sizeof text,
                 "{\"step\":%d,\"tokens_per_s\":100,\"time/generate\":1,\"time/train\":2,\"time/"
                 "total\":4}",
                 i);
        line(run, hone_run_timings, text);
    }
}

/* A whole run of 3 steps; returns its folder. */
static const char *make_run(const char *name, const char *completion)
{
    const char *dir = scratch_path(name);
    hone_run *run;
    assert_ok(hone_run_create(NULL, name, dir, &run));
    put(dir, "run.json", meta_text);
    add_steps(run);
    for (int i = 1; i <= 3; i++)
        rollout(run, i, 4, completion);
    hone_run_close(run);
    return dir;
}

static char *page_of(const char *const *dirs, size_t n)
{
    hone_buf b;
    const char *out = scratch_path("page.html");
    assert_ok(hone_report_write(dirs, n, out));
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    assert_ok(hone_file_read(out, HONE_BUF_MAX_DEFAULT, &b));
    return hone_buf_detach(&b, NULL);
}

static int has(const char *page, const char *text)
{
    return strstr(page, text) != NULL;
}

static size_t times(const char *page, const char *text)
{
    size_t n = 0;
    for (const char *p = page; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

static void test_page_shows_every_part_of_a_run(void **state)
{
    (void)state;
    const char *dir = make_run("parts", "an answer");
    char *page = page_of(&dir, 1);
    assert_true(has(page, "<h3>Reward</h3>") && has(page, "<h3>Loss</h3>") &&
                has(page, "<h3>mine/own</h3>"));
    assert_true(has(page, "id=\"outcomes\"") && has(page, "id=\"times\"") &&
                has(page, "id=\"samples\""));
    assert_true(has(page, "Some CPU") && has(page, "sha256 00ff00ff") &&
                has(page, "org.x.y 1.0.0"));
    assert_true(has(page, "demo.lua</b> finished after step <b>3</b>"));
    assert_true(has(page, "25 % failed")); /* the outcomes that were no scores */
    assert_true(has(page, "25 % generating, 50 % training"));
    assert_true(has(page, "All 12 samples of 3 steps."));
    assert_true(has(page, "[\"exact\",\"timeout\",1,\"\"]"));
    hone_free(page);
}

static void test_text_of_files_is_inert(void **state)
{
    (void)state;
    const char *dir = make_run("inert",
                               "</script><!--<script><img src=x onerror=alert(1)>&amp;\x01");
    char *page = page_of(&dir, 1);
    assert_false(has(page, "<img") || has(page, "<!--") || has(page, "alert(1)</script>"));
    assert_true(has(page, "\\u003c/script\\u003e\\u003c!--"));
    assert_true(has(page, "demo &lt;b&gt;") && has(page, "&lt;/title&gt;&lt;script&gt;alert(1)"));
    assert_int_equal(times(page, "<script"), 2); /* the data block and the page's own */
    assert_int_equal(times(page, "</script"), 2);
    assert_true(has(page, "default-src 'none'") && has(page, "script-src 'sha256-"));
    assert_false(has(page, " src=") && !has(page, "img src=x")); /* only inside the sample's text */
    hone_free(page);
    hone_buf b;
    hone_buf_init(&b, 100);
    hone__web_text(&b, (hone_str){"a\xff<\"'&\x02", 7});
    assert_string_equal(b.ptr, "a\xEF\xBF\xBD&lt;&quot;&#39;&amp;\xEF\xBF\xBD");
    hone_buf_release(&b);
}

static void test_keys_that_are_not_there_are_absent(void **state)
{
    (void)state;
    const char *dir = scratch_path("sft");
    hone_run *run;
    assert_ok(hone_run_create(NULL, "sft", dir, &run));
    put(dir, "run.json", "{\"recipe\":\"sft.lua\"}");
    line(run, hone_run_metrics, "{\"step\":1,\"loss\":2.5}");
    hone_run_close(run);
    char *page = page_of(&dir, 1);
    assert_true(has(page, "<h3>Loss</h3>"));
    assert_false(has(page, "<h3>Reward") || has(page, "id=\"outcomes\"") ||
                 has(page, "id=\"times\"") || has(page, "id=\"samples\"") ||
                 has(page, "href=\"#samples\"") || has(page, "nan"));
    hone_free(page);
}

static void test_a_run_without_a_step_has_a_page(void **state)
{
    (void)state;
    const char *dir = scratch_path("young");
    assert_ok(hone_mkdirs(dir));
    put(dir, "run.json", "{\"recipe\":\"x.lua\"}");
    char *page = page_of(&dir, 1);
    assert_true(has(page, "has not completed a step; it left no checkpoint"));
    assert_false(has(page, "id=\"curves\""));
    hone_free(page);
}

static void test_a_killed_run_is_reported_as_far_as_it_came(void **state)
{
    (void)state;
    const char *dir = make_run("killed", "an answer");
    put(dir, "run.json", "{\"recipe\":\"x.lua\"}");
    char *metrics = hone_path_join(dir, "metrics.jsonl"),
         *rollouts = hone_path_join(dir, "rollouts.jsonl.zst");
    uint64_t size;
    assert_ok(hone_file_size(metrics, &size));
    assert_ok(hone_file_truncate(metrics, size - 9));
    assert_ok(hone_file_size(rollouts, &size));
    assert_ok(hone_file_truncate(rollouts, size - 9));
    char *page = page_of(&dir, 1);
    assert_true(has(page, "stopped after step <b>2</b>"));
    assert_true(has(page, "The last record of metrics and samples was cut off"));
    hone_free(page);
    hone_free(metrics);
    hone_free(rollouts);
}

static void test_damage_is_named_with_its_place(void **state)
{
    (void)state;
    const char *out = scratch_path("never.html"), *none = scratch_path("nowhere"),
               *dir = make_run("damaged", "x");
    assert_fails(hone_report_write(&none, 1, out), HONE_E_NOT_FOUND, "is no run directory");
    assert_fails(hone_report_write(&dir, 0, out), HONE_E_INVALID, "1 to 8 runs");
    put(dir, "metrics.jsonl", "{\"step\":1}\n{\"step\":oops}\n{\"step\":3}\n");
    assert_fails(hone_report_write(&dir, 1, out), HONE_E_PARSE, "metrics.jsonl:2");
    put(dir, "metrics.jsonl", "{\"step\":1}\n[]\n");
    assert_fails(hone_report_write(&dir, 1, out), HONE_E_PARSE, "metrics.jsonl:2");
    put(dir, "metrics.jsonl", "");
    put(dir, "rollouts.jsonl.zst", "this is no zstd stream");
    assert_fails(hone_report_write(&dir, 1, out), HONE_E_PARSE, "rollouts.jsonl.zst");
    put(dir, "run.json", "{\"a\":");
    assert_fails(hone_report_write(&dir, 1, out), HONE_E_PARSE, "run.json");
    assert_false(hone_file_exists(out));
}

static void test_tables_of_the_recipe_are_shown_as_text(void **state)
{
    (void)state;
    const char *dir = make_run("tables", "x"), *out = scratch_path("tables.html");
    put(dir, "tables.json",
        "{\"forgetting\":{\"columns\":[\"after\",\"<b>\"],\"rows\":[[\"one\",\"0.5 [0.4, "
        "0.6]\"],7,[\"two\",3,0.25]]},"
        "\"odd\":{\"columns\":3},\"odder\":1}");
    char *page = page_of(&dir, 1);
    assert_non_null(strstr(page, "<section id=\"tables\">"));
    assert_non_null(strstr(page, "<h3>forgetting</h3>"));
    assert_non_null(strstr(page, "<th>after</th><th>&lt;b&gt;</th>"));
    assert_non_null(strstr(page, "<tr><th>one</th><td>0.5 [0.4, 0.6]</td></tr>"));
    assert_non_null(strstr(page, "<tr><th>two</th><td>3</td><td>0.25</td></tr>"));
    assert_null(strstr(page, "<h3>odd"));
    hone_free(page);
    put(dir, "tables.json", "{\"cut\":");
    assert_fails(hone_report_write(&dir, 1, out), HONE_E_PARSE, "tables.json");
}

static void test_same_files_give_the_same_page(void **state)
{
    (void)state;
    const char *dir = make_run("same", "an answer");
    char *a = page_of(&dir, 1), *b = page_of(&dir, 1);
    assert_string_equal(a, b);
    hone_free(a);
    hone_free(b);
}

static void test_several_runs_share_a_chart(void **state)
{
    (void)state;
    const char *dirs[2] = {make_run("first", "a"), make_run("second", "b")};
    char *page = page_of(dirs, 2);
    assert_true(has(page, "2 runs side by side"));
    /* by step and by time; these runs do not tell their tokens */
    assert_int_equal(times(page, "<h3>Loss</h3>"), 2);
    const char *loss = strstr(page, "<h3>Loss</h3>"), *end = strstr(loss, "</figure>");
    assert_true(strstr(page, "by by-step") < loss && loss < strstr(page, "by by-tokens"));
    assert_true(strstr(page, "by by-time") < strstr(end, "<h3>Loss</h3>"));
    const char *one = strstr(loss, ">first</span>"), *two = strstr(loss, ">second</span>");
    assert_true(one && two && one < end && two < end);
    assert_true(has(page, "<select id=\"run\""));
    hone_free(page);
}

static void test_a_seed_that_is_a_parameter_is_told_once(void **state)
{
    (void)state;
    const char *dirs[2] = {make_run("one", "a"), make_run("other", "a")};
    put(dirs[0], "run.json", "{\"name\":\"a\",\"seed\":7,\"params\":{\"seed\":7}}");
    put(dirs[1], "run.json", "{\"name\":\"a\",\"seed\":8,\"params\":{\"seed\":8}}");
    for (int told = 1; told <= 2; told++) {
        char *page = page_of(dirs, 2), *from = strstr(page, "<section id=\"differences\">");
        assert_non_null(from);
        *strstr(from, "</section>") = '\0';
        assert_int_equal(times(from, "<th scope=\"row\">seed</th>"), told);
        hone_free(page);
        put(dirs[1], "run.json", "{\"name\":\"a\",\"seed\":9,\"params\":{\"seed\":8}}");
    }
}

static void test_samples_are_whole_steps_first_last_and_between(void **state)
{
    (void)state;
    const char *dir = scratch_path("long");
    hone_run *run;
    hone_arena a;
    hone__web_samples s;
    assert_ok(hone_run_create(NULL, "long", dir, &run));
    for (int i = 1; i <= 50; i++)
        rollout(run, i, 4, "x");
    hone_run_close(run);
    char *path = hone_path_join(dir, "rollouts.jsonl.zst");
    hone_arena_init(&a, 0);
    assert_ok(hone__web_samples_read(path, 22, &a, &s));
    assert_int_equal(s.n_all, 200);
    assert_int_equal(s.steps_all, 50);
    assert_int_equal(s.n, 20); /* 5 steps of 4 */
    assert_int_equal(s.steps, 5);
    assert_int_equal(s.items[0].step, 1);
    assert_int_equal(s.items[4].step, 13);
    assert_int_equal(s.items[19].step, 50);
    hone_free(s.items);
    assert_ok(hone__web_samples_read(path, 3, &a, &s)); /* not even one step: a part of the last */
    assert_int_equal(s.n, 3);
    assert_int_equal(s.items[0].step, 50);
    hone_free(s.items);
    hone_arena_release(&a);
    hone_free(path);
}

static void test_steps_done_again_replace_what_followed(void **state)
{
    (void)state;
    hone__web_table t;
    const char *path = scratch_path("again.jsonl");
    const char *text =
        "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":2}\n{\"step\":3,\"a\":3}\n{\"step\":2,\"a\":5}\n";
    assert_ok(hone_file_replace(path, text, strlen(text)));
    assert_ok(hone__web_table_read(path, &t));
    assert_int_equal(t.n_rows, 2);
    assert_true(hone__web_column_get(&t, "a")[1] == 5.0);
    assert_null(hone__web_column_get(&t, "b"));
    hone__web_table_release(&t);
}

static void test_state_tells_running_from_resumable(void **state)
{
    (void)state;
    hone_run_state s;
    hone_run *run;
    const char *ckpt, *dir = scratch_path("states");
    hone_value meta = {.type = HONE_MAP};
    char text[64];
    assert_ok(hone_run_create(NULL, "states", dir, &run));
    assert_ok(hone_run_state_get(dir, &meta, &s));
    assert_int_equal(s.what, HONE_RUN_RUNNING);
    assert_ok(hone_checkpoint_begin(run, 40, &ckpt));
    assert_ok(hone_checkpoint_commit(run, 0));
    hone_run_close(run);
    assert_ok(hone_run_state_get(dir, &meta, &s));
    hone_run_state_text(&s, text);
    assert_string_equal(text, "resumable from step 40");
    const char *young = scratch_path("young-state");
    assert_ok(hone_mkdirs(young));
    assert_ok(hone_run_state_get(young, &meta, &s));
    assert_int_equal(s.what, HONE_RUN_STOPPED);
}

static void test_numbers_for_people(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.123456, "0.1235"}, {12345.6, "12,346"}, {-1234567, "-1,234,567"},
                 {-0.0, "0"},          {1e-6, "1e-06"},     {(double)NAN, "-"},
                 {9999, "9999"}};
    char out[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hone__web_number(cases[i].v, out);
        assert_string_equal(out, cases[i].text);
    }
    hone__web_duration(252, out);
    assert_string_equal(out, "4 min 12 s");
    hone__web_duration(7500, out);
    assert_string_equal(out, "2 h 5 min");
}

static void test_report_survives_no_memory(void **state)
{
    (void)state;
    const char *dir = make_run("poor", "x"), *out = scratch_path("poor.html");
    assert_survives_no_memory(hone_report_write(&dir, 1, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_shows_every_part_of_a_run),
        cmocka_unit_test(test_text_of_files_is_inert),
        cmocka_unit_test(test_keys_that_are_not_there_are_absent),
        cmocka_unit_test(test_a_run_without_a_step_has_a_page),
        cmocka_unit_test(test_a_killed_run_is_reported_as_far_as_it_came),
        cmocka_unit_test(test_damage_is_named_with_its_place),
        cmocka_unit_test(test_tables_of_the_recipe_are_shown_as_text),
        cmocka_unit_test(test_same_files_give_the_same_page),
        cmocka_unit_test(test_several_runs_share_a_chart),
        cmocka_unit_test(test_a_seed_that_is_a_parameter_is_told_once),
        cmocka_unit_test(test_samples_are_whole_steps_first_last_and_between),
        cmocka_unit_test(test_steps_done_again_replace_what_followed),
        cmocka_unit_test(test_state_tells_running_from_resumable),
        cmocka_unit_test(test_numbers_for_people),
        cmocka_unit_test(test_report_survives_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
