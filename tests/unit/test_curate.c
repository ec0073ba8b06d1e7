/* test_curate.c - input, job, lineage, leaks and the steps on them, in process: where rows are, what is told, every allocation failed. */
#include "curate/dedup.h"
#include "curate/filter.h"
#include "curate/leak.h"
#include "curate/mix.h"
#include "curate/select.h"
#include "curate/split.h"
#include "support.h"

#include <math.h>

static hone_pool *pool;

/* The path of a name; the same text each time. */
static const char *in_scratch(const char *name)
{
    static char path[32][256];
    static int n;
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s/%s", scratch_dir(), name);
    for (int i = 0; i < n; i++)
        if (strcmp(path[i], wanted) == 0)
            return path[i];
    assert_true(n < 32);
    memcpy(path[n], wanted, sizeof wanted);
    return path[n++];
}

static const char *write_text(const char *name, const char *text)
{
    const char *path = in_scratch(name);
    assert_int_equal(hone_file_replace(path, text, strlen(text)), HONE_OK);
    return path;
}

static void expect_file(const char *path, const char *want)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 24);
    assert_int_equal(hone_file_read(path, 1 << 20, &b) < 0 ? -1 : 0, 0);
    assert_string_equal(b.ptr, want);
    hone_buf_release(&b);
}

static hone_input *open_lines(const char *const *paths, size_t n)
{
    const hone_input_spec spec = {.paths = paths, .n = n, .lines = 1};
    hone_input *in = NULL;
    if (hone_input_open(&spec, &in) < 0)
        fail_msg("%s", hone_error_get()->what);
    return in;
}

static void test_rows_have_lines_and_places(void **state)
{
    const char *paths[] = {write_text("a.jsonl", "\xEF\xBB\xBF{\"a\":1}\r\n\n \t\n{\"a\":2}\n"),
                           write_text("empty.jsonl", "\n\n"),
                           write_text("b.jsonl", "{\"b\":1}\n  {\"b\":2} ")};
    static const char *const want[] = {"{\"a\":1}", "{\"a\":2}", "{\"b\":1}", "{\"b\":2}"};
    static const uint64_t lines[] = {1, 4, 1, 2}, files[] = {0, 0, 2, 2}, of[] = {1, 2, 1, 2};
    uint64_t places[4];
    hone_input_place at[5];
    const hone_input_row *rows;
    size_t n, k = 0;
    hone_buf b;
    (void)state;
    hone_input *in = open_lines(paths, 3);
    hone_input_limit(in, 1);
    for (; at[k] = hone_input_tell(in), hone_input_next(in, &rows, &n) > 0; k++) {
        assert_int_equal(n, 1);
        assert_true(k < 4 && hone_str_eq(rows->text, want[k]) && rows->line == lines[k] &&
                    rows->n == k);
        assert_true(rows->file == files[k] && rows->of == of[k]);
        places[k] = rows->place;
    }
    assert_int_equal(k, 4);
    hone_buf_init(&b, 1 << 20);
    for (size_t i = 4; i-- > 0;) { /* back to each place, and each row alone */
        assert_int_equal(hone_input_seek(in, &at[i]), HONE_OK);
        assert_int_equal(hone_input_next(in, &rows, &n), 1);
        assert_true(hone_str_eq(rows->text, want[i]) && rows->line == lines[i] && rows->n == i);
        assert_int_equal(hone_input_fetch(in, places[i], &b), HONE_OK);
        assert_non_null(strstr(b.ptr, want[i]));
    }
    hone_buf_release(&b);
    hone_input_close(in);
}

static void test_rows_longer_than_the_window(void **state)
{
    const size_t n = 5 << 20;
    char *text = hone_alloc(n + 40);
    const hone_input_row *rows;
    size_t got;
    (void)state;
    memset(text, 'x', n);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + n - 2, "\"}\n{\"b\":1}\n", 12);
    const char *path = write_text("long.jsonl", text);
    hone_input *in = open_lines(&path, 1);
    assert_int_equal(hone_input_next(in, &rows, &got), 1);
    assert_int_equal(rows[0].text.len, n);
    if (got == 1)
        assert_int_equal(hone_input_next(in, &rows, &got), 1);
    assert_true(hone_str_eq(rows[got - 1].text, "{\"b\":1}"));
    hone_input_close(in);
    hone_free(text);
}

/* ---- lineage ---------------------------------------------------------------------------------------------------------- */

static void test_lineage_is_cut_back_and_read_along(void **state)
{
    const char *data = in_scratch("d.jsonl");
    char *path = hone_lineage_name(data);
    hone_lineage *l;
    hone_lineage_reader *r;
    hone_origin o = {.hash = {0x0123456789abcdefull, 0xfedcba9876543210ull}, .own = 77};
    hone_str file, steps;
    uint32_t again;
    (void)state;
    assert_int_equal(hone_lineage_look(data, &r), HONE_OK);
    assert_null(r);
    assert_int_equal(hone_lineage_open(path, 0, &l), HONE_OK);
    assert_int_equal(hone_lineage_file(l, hone_str_c("x.jsonl"), &o.file), HONE_OK);
    assert_int_equal(hone_lineage_chain(l, hone_str_c("[1]"), &o.chain), HONE_OK);
    for (uint64_t i = 1; i <= 3000; i++) {
        o.line = 2 * i;
        assert_int_equal(hone_lineage_put(l, &o), HONE_OK);
        if (i == 2500)
            assert_int_equal(hone_lineage_commit(l), HONE_OK);
    }
    hone_lineage_close(l); /* 500 rows were not committed */
    assert_int_equal(hone_lineage_open(path, 2501, &l), HONE_E_STATE);
    assert_int_equal(hone_lineage_open(path, 2000, &l), HONE_OK);
    assert_int_equal(hone_lineage_file(l, hone_str_c("x.jsonl"), &again), HONE_OK);
    assert_int_equal(again, o.file);
    assert_int_equal(hone_lineage_chain(l, hone_str_c("[2]"), &o.chain), HONE_OK);
    o.line = 5;
    assert_int_equal(hone_lineage_put(l, &o), HONE_OK);
    assert_int_equal(hone_lineage_commit(l), HONE_OK);
    hone_lineage_close(l);
    static const uint64_t asked[] = {1, 2, 3, 900, 1999, 2000, 2001, 7, 2001};
    assert_int_equal(hone_lineage_look(data, &r), HONE_OK);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        hone_origin got = {.own = 77};
        assert_int_equal(hone_lineage_read(r, asked[i], &got, &file, &steps), HONE_OK);
        assert_true(got.line == (asked[i] > 2000 ? 5 : 2 * asked[i]) &&
                    got.hash.high == o.hash.high && got.hash.low == o.hash.low);
        assert_true(hone_str_eq(file, "x.jsonl") &&
                    hone_str_eq(steps, asked[i] > 2000 ? "[2]" : "[1]"));
    }
    assert_int_equal(hone_lineage_read(r, 2002, &o, &file, &steps), HONE_E_STATE);
    o.own = 78; /* the data file's row is not the one that was written */
    assert_int_equal(hone_lineage_read(r, 3, &o, &file, &steps), HONE_E_STATE);
    hone_lineage_reader_close(r);
    hone_free(path);
    write_text("e.jsonl.lineage",
               "this is no database, and long enough to be seen as none, whatever else it may be");
    assert_int_equal(hone_lineage_look(in_scratch("e.jsonl"), &r), HONE_E_PARSE);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------- */

typedef hone_status (*step_fn)(hone_input *in, hone_job *job);

static hone_status run_step(step_fn fn, const char *verb, const char *const *paths, size_t n,
                            const char *out, const char *report)
{
    const hone_input_spec spec = {.paths = paths, .n = n, .lines = 1};
    hone_input *in = NULL;
    hone_job *job = NULL;
    hone_status s = hone_input_open(&spec, &in);
    const char *outs[2] = {out, in_scratch("second.jsonl")};
    if (s >= 0) {
        const hone_job_spec what = {.verb = verb,
                                    .settings = {"{}", 2},
                                    .input = in,
                                    .out = outs,
                                    .n_out = fn && strcmp(verb, "split") == 0 ? 2 : 1,
                                    .report = report,
                                    .no_lineage = strcmp(verb, "mix") != 0 &&
                                                  strcmp(verb, "dedup") != 0};
        s = hone_job_open(&what, &job);
    }
    if (s >= 0)
        s = fn(in, job);
    hone_job_close(job);
    hone_input_close(in);
    return s;
}

static hone_status near_step(hone_input *in, hone_job *job)
{
    const hone_cluster_spec spec = {.fold = HONE_FOLD_SPACE,
                                    .near = 1,
                                    .words = 3,
                                    .bands = 8,
                                    .rows = 2,
                                    .seed = 1,
                                    .threshold = 0.5,
                                    .verify = 1,
                                    .memory = 1024};
    hone_dedup_result r;
    return hone_dedup_run(&spec, 1, in, pool, job, &r);
}

static hone_status filter_step(hone_input *in, hone_job *job)
{
    static const char *const settings[] = {"min_words=4"};
    hone_quality q;
    hone_filter_result r;
    HONE_TRY(hone_quality_init(&q, NULL, settings, 1));
    return hone_filter_run(&q, NULL, 0, in, pool, job, &r);
}

static hone_status leak_step(hone_input *in, hone_job *job)
{
    const char *path = in_scratch("items.jsonl");
    const hone_input_spec items_spec = {.paths = &path, .n = 1, .lines = 1};
    const hone_leak_spec spec = {.words = 4, .least = 2};
    hone_input *items = NULL;
    hone_leaks *l = NULL;
    hone_leak_result r;
    hone_status s = hone_input_open(&items_spec, &items);
    if (s >= 0)
        s = hone_leaks_create(&spec, items, pool, &l);
    if (s >= 0)
        s = hone_leaks_run(l, items, in, pool, job, &r);
    hone_leaks_destroy(l);
    hone_input_close(items);
    return s;
}

static hone_status select_step(hone_input *in, hone_job *job)
{
    const hone_select_spec spec = {.by = "s",
                                   .min = (double)NAN,
                                   .max = (double)NAN,
                                   .top = 5,
                                   .diverse = 2,
                                   .seed = 1,
                                   .as = "x"};
    hone_select_result r;
    return hone_select_run(&spec, in, pool, job, &r);
}

static hone_status split_step(hone_input *in, hone_job *job)
{
    const hone_cluster_spec near = {
        .near = 1, .words = 3, .bands = 8, .rows = 2, .seed = 1, .threshold = 0.5, .verify = 1};
    const hone_split_spec spec = {.share = {0.5, 0.5}, .n = 2, .seed = 1, .near = &near};
    hone_split_result r;
    return hone_split_run(&spec, in, pool, job, &r);
}

static hone_status mix_step(hone_input *in, hone_job *job)
{
    const hone_mix_spec spec = {.weight = {1}, .n = 1, .seed = 1};
    hone_mix_result r;
    return hone_mix_run(&spec, &in, job, &r);
}

static const char rows[] = "{\"t\":\"one two three four five six seven\",\"s\":1}\n"
                           "{\"t\":\"eight nine ten\",\"s\":2.5}\n"
                           "{\"t\":\"one two three four five six eleven\",\"s\":3}\n"
                           "{\"t\":\"eight  nine ten\",\"s\":4}\n"
                           "{\"t\":\"something else altogether, it seems\",\"s\":5}\n";

static void test_near_step_keeps_the_first(void **state)
{
    const char *path = write_text("rows.jsonl", rows), *out = in_scratch("near.jsonl"),
               *report = in_scratch("near.rep");
    char want[512];
    (void)state;
    assert_int_equal(run_step(near_step, "dedup", &path, 1, out, report), HONE_OK);
    expect_file(out, "{\"t\":\"one two three four five six seven\",\"s\":1}\n{\"t\":\"eight nine "
                     "ten\",\"s\":2.5}\n"
                     "{\"t\":\"something else altogether, it seems\",\"s\":5}\n");
    snprintf(
        want, sizeof want,
        "{\"file\":\"%s\",\"line\":3,\"why\":\"near\",\"kept\":{\"file\":\"%s\",\"line\":1}}\n"
        "{\"file\":\"%s\",\"line\":4,\"why\":\"exact\",\"kept\":{\"file\":\"%s\",\"line\":2}}\n",
        path, path, path, path);
    expect_file(report, want);
    assert_false(hone_file_exists(in_scratch("near.jsonl.work")));
}

static void test_split_place_is_a_share(void **state)
{
    hone_split_spec spec = {.share = {0.2, 0.5}, .n = 2, .seed = 3};
    size_t count[3] = {0};
    (void)state;
    for (uint64_t i = 0; i < 20000; i++)
        count[hone_split_place(&spec, hone_xxh128(&i, sizeof i))]++;
    assert_true(fabs((double)count[0] / 20000 - 0.2) < 0.015 &&
                fabs((double)count[1] / 20000 - 0.5) < 0.02);
    spec.share[1] = 0.8; /* nothing is left over by rounding */
    for (uint64_t i = 0; i < 20000; i++)
        assert_true(hone_split_place(&spec, hone_xxh128(&i, sizeof i)) < 2);
}

static const struct {
    const char *verb;
    step_fn fn;
} steps[] = {{"clusters", near_step}, {"filter", filter_step}, {"decontaminate", leak_step},
             {"select", select_step}, {"split", split_step},   {"mix", mix_step}};

/* Whatever allocation fails: an error, no output, nothing lost; and the next try gives all of it. */
static void test_every_allocation_may_fail(void **state)
{
    const char *path = write_text("rows.jsonl", rows);
    (void)state;
    write_text("items.jsonl", "{\"q\":\"three four\",\"a\":\"five six\"}\n{\"q\":\"nine ten\"}\n");
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        const char *out = in_scratch("torture.jsonl"), *report = in_scratch("torture.rep");
        hone_status s = HONE_E_NOMEM;
        uint64_t n = 1;
        for (; s < 0 && n < 3000; n++) {
            size_t blocks, after, bytes;
            hone_alloc_stats(&blocks, &bytes);
            hone_alloc_fail_after(n, 1);
            s = run_step(steps[k].fn, steps[k].verb, &path, 1, out, report);
            hone_alloc_fail_after(0, 0);
            hone_alloc_stats(&after, &bytes);
            if (after != blocks)
                fail_msg("%s: allocation %llu: %zu blocks are lost", steps[k].verb,
                         (unsigned long long)n, after - blocks);
            if (s < 0 && s != HONE_E_NOMEM)
                fail_msg("%s: allocation %llu: %s %s", steps[k].verb, (unsigned long long)n,
                         hone_status_name(s), hone_error_get()->what);
            if (s < 0 && n < 20)
                assert_false(hone_file_exists(out));
        }
        assert_int_equal(s, HONE_OK);
        assert_true(n > 20 && hone_file_exists(out));
        unlink(out);
        unlink(report);
    }
}

static int make_pool(void **state)
{
    (void)state;
    return hone_pool_create(1, &pool);
}

static int drop_pool(void **state)
{
    (void)state;
    hone_pool_destroy(pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_have_lines_and_places),
        cmocka_unit_test(test_rows_longer_than_the_window),
        cmocka_unit_test(test_lineage_is_cut_back_and_read_along),
        cmocka_unit_test(test_near_step_keeps_the_first),
        cmocka_unit_test(test_split_place_is_a_share),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
