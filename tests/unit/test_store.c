/* test_store.c - the run directory and the outcome journal (store/run.h, store/journal.h): one writer,
 * files cut back to a checkpoint's marks, damage named, and what a killed or refused write leaves. */
#include "support.h"

#include "base/file.h"
#include "hone/reward.h"
#include "store/journal.h"
#include "store/run.h"

#include <math.h>

static hone_str str(const char *z)
{
    return (hone_str){z, strlen(z)};
}

static void write_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* A whole file; owned by the caller. */
static hone_buf read_all(const char *path)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 24);
    assert_ok(hone_file_read(path, 1 << 24, &b));
    return b;
}

static void holds(const char *path, const char *want)
{
    hone_buf b = read_all(path);
    assert_int_equal(b.len, strlen(want));
    assert_memory_equal(b.ptr, want, b.len);
    hone_buf_release(&b);
}

static const char *in_run(const hone_run *run, const char *name)
{
    static char path[8][512];
    static int turn;
    char *out = path[turn = (turn + 1) & 7];
    snprintf(out, sizeof path[0], "%s/%s", hone_run_dir(run), name);
    return out;
}

/* A fresh run with the run.json that marks a folder as one. */
static hone_run *fresh(const char *name)
{
    hone_run *run = NULL;
    assert_ok(hone_run_create(NULL, NULL, scratch_path(name), &run));
    write_text(in_run(run, "run.json"), "{}");
    return run;
}

static void checkpoint(hone_run *run, uint64_t step, const char *content, uint32_t keep)
{
    const char *dir = NULL;
    char path[600];
    assert_ok(hone_checkpoint_begin(run, step, &dir));
    snprintf(path, sizeof path, "%s/weights", dir);
    write_text(path, content);
    snprintf(path, sizeof path, "%s/state.json", dir);
    write_text(path, "{}");
    assert_ok(hone_checkpoint_commit(run, keep));
}

static void steps_are(const hone_run *run, const uint64_t *want, size_t n)
{
    uint64_t *steps = NULL;
    size_t k = 0;
    assert_ok(hone_checkpoint_list(hone_run_dir(run), &steps, &k));
    assert_int_equal(k, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(steps[i], want[i]);
    hone_free(steps);
}

/* ---- the directory ---- */

static void a_run_has_one_writer(void **state)
{
    hone_run *run = fresh("one-writer"), *second = NULL;
    char dir[512];
    (void)state;
    snprintf(dir, sizeof dir, "%s", hone_run_dir(run));
    assert_fails(hone_run_open(dir, &second), HONE_E_STATE, "in use");
    assert_non_null(strstr(hone_error_get()->what, dir));
    assert_null(second);
    assert_ok(hone_run_metrics(run, str("{\"step\":1}"))); /* the refused one broke nothing */
    hone_run_close(run);
    assert_ok(hone_run_open(dir, &second));
    hone_run_close(second);
}

static void a_run_is_never_made_over_another(void **state)
{
    hone_run *run = fresh("twice"), *second = NULL;
    (void)state;
    assert_fails(hone_run_create(NULL, NULL, hone_run_dir(run), &second), HONE_E_EXISTS, "already");
    assert_null(second);
    hone_run_close(run);
    assert_fails(hone_run_open(scratch_path("no-such-run"), &second), HONE_E_NOT_FOUND, "run.json");
    assert_null(second);
}

static void names_become_safe_folder_names(void **state)
{
    hone_run *run = NULL;
    (void)state;
    assert_ok(hone_run_create(scratch_path("runs"), "../My Run/1", NULL, &run));
    const char *leaf = hone_path_base(hone_run_dir(run));
    assert_int_equal(strncmp(leaf, "-.-my-run-1-", 12), 0);
    assert_non_null(strstr(hone_run_dir(run), "/runs/"));
    hone_run_close(run);
}

static void lines_are_there_when_the_call_returns_and_go_on_after_opening(void **state)
{
    hone_run *run = fresh("lines");
    uint64_t m = 9, r = 9;
    char dir[512];
    (void)state;
    hone_run_marks(run, &m, &r);
    assert_true(m == 0 && r == 0);
    assert_ok(hone_run_metrics(run, str("{\"step\":1}")));
    assert_ok(hone_run_log(run, str("hello")));
    holds(in_run(run, "metrics.jsonl"), "{\"step\":1}\n");
    holds(in_run(run, "log.txt"), "hello\n");
    snprintf(dir, sizeof dir, "%s", hone_run_dir(run));
    hone_run_close(run);
    assert_ok(hone_run_open(dir, &run));
    hone_run_marks(run, &m, &r);
    assert_int_equal(m, 11);
    assert_ok(hone_run_metrics(run, str("{\"step\":2}")));
    holds(in_run(run, "metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
    hone_run_close(run);
}

static void cutting_gives_the_bytes_of_the_mark(void **state)
{
    hone_run *run = fresh("cut");
    uint64_t m, r, m2, r2;
    (void)state;
    assert_ok(hone_run_metrics(run, str("{\"step\":1}")));
    assert_ok(hone_run_rollouts(run, str("{\"a\":1}\n{\"a\":2}\n")));
    hone_run_marks(run, &m, &r);
    hone_buf metrics = read_all(in_run(run, "metrics.jsonl"));
    hone_buf rollouts = read_all(in_run(run, "rollouts.jsonl.zst"));
    assert_int_equal(metrics.len, m);
    assert_int_equal(rollouts.len, r);
    for (int i = 0; i < 2;
         i++) { /* what is written after a cut stands where the cut-off part was */
        assert_ok(hone_run_metrics(run, str("{\"step\":2}")));
        assert_ok(hone_run_rollouts(run, str("{\"a\":3}\n")));
        hone_run_marks(run, &m2, &r2);
        assert_int_equal(m2, m + 11);
        assert_true(r2 > r);
        assert_ok(hone_run_cut(run, m, r));
        hone_run_marks(run, &m2, &r2);
        assert_true(m2 == m && r2 == r);
        hone_buf now = read_all(in_run(run, "metrics.jsonl"));
        assert_int_equal(now.len, metrics.len);
        assert_memory_equal(now.ptr, metrics.ptr, now.len);
        hone_buf_release(&now);
        now = read_all(in_run(run, "rollouts.jsonl.zst"));
        assert_int_equal(now.len, rollouts.len);
        assert_memory_equal(now.ptr, rollouts.ptr, now.len);
        hone_buf_release(&now);
    }
    hone_buf_release(&metrics);
    hone_buf_release(&rollouts);
    hone_run_close(run);
}

static void a_file_shorter_than_its_mark_is_an_error_that_cuts_nothing(void **state)
{
    hone_run *run = fresh("short");
    uint64_t m, r;
    (void)state;
    assert_ok(hone_run_metrics(run, str("{\"step\":1}")));
    assert_ok(hone_run_rollouts(run, str("{}\n")));
    hone_run_marks(run, &m, &r);
    assert_fails(hone_run_cut(run, m + 1, r), HONE_E_PARSE, "metrics.jsonl");
    assert_fails(hone_run_cut(run, 0, r + 1), HONE_E_PARSE, "rollouts.jsonl.zst");
    holds(in_run(run, "metrics.jsonl"), "{\"step\":1}\n");
    hone_run_close(run);
}

/* ---- checkpoints ---- */

static void checkpoints_are_listed_by_number_verified_and_pruned(void **state)
{
    hone_run *run = fresh("list");
    (void)state;
    steps_are(run, NULL, 0);
    checkpoint(run, 2000000, "c", 0); /* more digits than the name is padded to */
    checkpoint(run, 5, "a", 0);
    checkpoint(run, 100, "b", 0);
    steps_are(run, (const uint64_t[]){5, 100, 2000000}, 3);
    assert_ok(hone_checkpoint_verify(hone_run_dir(run), 5));
    assert_ok(hone_checkpoint_verify(hone_run_dir(run), 2000000));
    checkpoint(run, 5, "again", 0); /* the same step replaces */
    holds(in_run(run, "checkpoints/step-000005/weights"), "again");
    checkpoint(run, 2000001, "d", 2);
    steps_are(run, (const uint64_t[]){2000000, 2000001}, 2);
    assert_fails(hone_checkpoint_commit(run, 0), HONE_E_STATE, "no checkpoint");
    hone_run_close(run);
}

static void damage_is_named(void **state)
{
    hone_run *run = fresh("damage");
    (void)state;
    checkpoint(run, 7, "0123456789", 0);
    write_text(in_run(run, "checkpoints/step-000007/weights"), "0123456780");
    assert_fails(hone_checkpoint_verify(hone_run_dir(run), 7), HONE_E_PARSE, "step-000007/weights");
    write_text(in_run(run, "checkpoints/step-000007/weights"), "01234");
    assert_fails(hone_checkpoint_verify(hone_run_dir(run), 7), HONE_E_PARSE, "step-000007/weights");
    write_text(in_run(run, "checkpoints/step-000007/weights"), "0123456789");
    assert_ok(hone_checkpoint_verify(hone_run_dir(run), 7));
    assert_int_equal(unlink(in_run(run, "checkpoints/step-000007/weights")), 0);
    assert_true(hone_checkpoint_verify(hone_run_dir(run), 7) < 0);
    assert_non_null(strstr(hone_error_get()->what, "step-000007/weights"));
    write_text(in_run(run, "checkpoints/step-000007/SHA256SUMS"), "abc\n");
    assert_fails(hone_checkpoint_verify(hone_run_dir(run), 7), HONE_E_PARSE, "SHA256SUMS");
    char line[200];
    snprintf(line, sizeof line, "%064d  ../../run.json\n", 0);
    write_text(in_run(run, "checkpoints/step-000007/SHA256SUMS"), line);
    assert_fails(hone_checkpoint_verify(hone_run_dir(run), 7), HONE_E_PARSE, "no file name");
    assert_true(hone_checkpoint_verify(hone_run_dir(run), 8) < 0);
    hone_run_close(run);
}

static void an_unfinished_checkpoint_is_no_checkpoint(void **state)
{
    hone_run *run = fresh("unfinished");
    const char *dir = NULL;
    char run_dir[512], path[600];
    (void)state;
    checkpoint(run, 1, "a", 0);
    assert_ok(hone_checkpoint_begin(run, 2, &dir));
    snprintf(path, sizeof path, "%s/weights", dir);
    write_text(path, "half");
    steps_are(run, (const uint64_t[]){1}, 1);
    hone_checkpoint_abandon(run);
    assert_false(hone_file_exists(path));
    snprintf(run_dir, sizeof run_dir, "%s", hone_run_dir(run));
    hone_run_close(run);

    /* what a killed process leaves */
    snprintf(path, sizeof path, "%s/checkpoints/.tmp-000002", run_dir);
    assert_ok(hone_mkdirs(path));
    snprintf(path, sizeof path, "%s/checkpoints/.tmp-000002/weights", run_dir);
    write_text(path, "half");
    assert_ok(hone_run_open(run_dir, &run));
    snprintf(path, sizeof path, "%s/checkpoints/.tmp-000002", run_dir);
    assert_false(hone_file_exists(path));
    steps_are(run, (const uint64_t[]){1}, 1);
    assert_ok(hone_checkpoint_verify(run_dir, 1));
    hone_run_close(run);
}

static void a_full_disk_leaves_the_last_checkpoint_and_whole_lines(void **state)
{
    hone_run *run = fresh("full");
    const char *dir = NULL;
    char path[600];
    uint64_t m, r, m2, r2;
    (void)state;
    assert_ok(hone_run_metrics(run, str("{\"step\":1}")));
    checkpoint(run, 1, "first", 1);
    hone_run_marks(run, &m, &r);

    hone_file_fault_after(4); /* in the middle of a line */
    assert_true(hone_run_metrics(run, str("{\"step\":2}")) < 0);
    hone_file_fault_after(-1);
    holds(in_run(run, "metrics.jsonl"), "{\"step\":1}\n");
    hone_file_fault_after(4);
    assert_true(hone_run_rollouts(run, str("{\"a\":1}\n")) < 0);
    hone_file_fault_after(-1);
    hone_run_marks(run, &m2, &r2);
    assert_true(m2 == m && r2 == r);

    assert_ok(hone_checkpoint_begin(run, 2, &dir));
    snprintf(path, sizeof path, "%s/weights", dir);
    write_text(path, "second");
    hone_file_fault_after(10); /* while the sums are written */
    assert_true(hone_checkpoint_commit(run, 1) < 0);
    hone_file_fault_after(-1);
    steps_are(run, (const uint64_t[]){1}, 1);
    assert_ok(hone_checkpoint_verify(hone_run_dir(run), 1));
    holds(in_run(run, "checkpoints/step-000001/weights"), "first");

    checkpoint(run, 2, "second", 1); /* and with room again it goes on */
    assert_ok(hone_run_metrics(run, str("{\"step\":2}")));
    holds(in_run(run, "metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
    steps_are(run, (const uint64_t[]){2}, 1);
    hone_run_close(run);
}

/* ---- rollouts, reading ---- */

static hone_status gather(void *ctx, hone_str line)
{
    HONE_TRY(hone_buf_add_str(ctx, line));
    return hone_buf_addc(ctx, '|');
}

static hone_status stop_at_second(void *ctx, hone_str line)
{
    (void)line;
    return ++*(int *)ctx == 2 ? hone_fail(HONE_E_STATE, "enough") : HONE_OK;
}

static void rollouts_come_back_frame_by_frame(void **state)
{
    hone_run *run = fresh("rollouts");
    hone_buf got, big;
    int truncated = 7, calls = 0;
    uint64_t m, first, second;
    (void)state;
    hone_buf_init(&got, 1 << 24);
    assert_ok(hone_rollouts_read(in_run(run, "rollouts.jsonl.zst"), gather, &got, &truncated));
    assert_true(got.len == 0 && truncated == 0);
    assert_ok(hone_run_rollouts(run, str("{\"a\":1}\n{\"a\":2}\n")));
    hone_run_marks(run, &m, &first);
    assert_ok(hone_run_rollouts(run, str("{\"a\":3}\n")));
    assert_ok(hone_rollouts_read(in_run(run, "rollouts.jsonl.zst"), gather, &got, &truncated));
    assert_int_equal(truncated, 0);
    assert_int_equal(got.len, strlen("{\"a\":1}|{\"a\":2}|{\"a\":3}|"));
    assert_memory_equal(got.ptr, "{\"a\":1}|{\"a\":2}|{\"a\":3}|", got.len);
    assert_fails(
        hone_rollouts_read(in_run(run, "rollouts.jsonl.zst"), stop_at_second, &calls, NULL),
        HONE_E_STATE, "enough");
    assert_int_equal(calls, 2);

    /* a last frame cut anywhere: the frames before it are all there, and it is said */
    hone_run_marks(run, &m, &second);
    hone_buf all = read_all(in_run(run, "rollouts.jsonl.zst"));
    for (size_t n = (size_t)first + 1; n < second; n++) {
        write_file(scratch_path("torn.zst"), all.ptr, n);
        hone_buf_clear(&got);
        truncated = 0;
        assert_ok(hone_rollouts_read(scratch_path("torn.zst"), gather, &got, &truncated));
        assert_int_equal(truncated, 1);
        assert_true(got.len >= 16);
        assert_memory_equal(got.ptr, "{\"a\":1}|{\"a\":2}|", 16);
    }
    all.ptr[first + 6] ^= 0x55; /* damage inside is an error, not a short file */
    all.ptr[second - 1] ^= 0x55;
    write_file(scratch_path("bad.zst"), all.ptr, (size_t)second);
    assert_fails(hone_rollouts_read(scratch_path("bad.zst"), gather, &got, &truncated),
                 HONE_E_PARSE, "bad.zst");
    hone_buf_release(&all);

    /* lines and a frame larger than any block of the decompressor */
    hone_buf_init(&big, 1 << 24);
    for (int i = 0; i < 60000; i++)
        assert_ok(hone_buf_addf(&big, "{\"row\":%d,\"x\":%d}\n", i, i * 7919 % 10007));
    assert_ok(hone_run_cut(run, m, 0));
    assert_ok(hone_run_rollouts(run, hone_buf_str(&big)));
    hone_buf_clear(&got);
    assert_ok(hone_rollouts_read(in_run(run, "rollouts.jsonl.zst"), gather, &got, &truncated));
    assert_int_equal(truncated, 0);
    assert_int_equal(got.len, big.len);
    for (size_t i = 0; i < got.len; i++) {
        if (got.ptr[i] == '|')
            got.ptr[i] = '\n';
    }
    assert_memory_equal(got.ptr, big.ptr, big.len);
    hone_buf_release(&big);
    hone_buf_release(&got);
    hone_run_close(run);
}

/* ---- the journal ---- */

static hone_journal_record record(uint64_t step, uint64_t sample, const char *component,
                                  float score)
{
    return (hone_journal_record){.step = step,
                                 .sample = sample,
                                 .component = component,
                                 .status = HONE_SCORE,
                                 .score = score};
}

static void a_journal_keeps_everything_of_a_record(void **state)
{
    static const float tokens[] = {0.25f, -1, 3};
    const char *path = scratch_path("all.journal");
    hone_journal *j = NULL;
    hone_journal_record r[2] = {record(3, 1ull << 40, "a", 0.5f), record(3, 1ull << 40, "b", 0)},
                        got;
    (void)state;
    r[0].notes = str("{\"x\":1}");
    r[0].token_scores = tokens;
    r[0].n_token_scores = 3;
    r[1].status = HONE_TIMEOUT;
    r[1].reason = str("the deadline passed");
    assert_ok(hone_journal_open(path, &j));
    assert_false(hone_journal_get(j, 3, 1ull << 40, "a", &got));
    assert_ok(hone_journal_put(j, r, 2));
    for (int again = 0; again < 2; again++) { /* from memory, then from the file */
        assert_true(hone_journal_get(j, 3, 1ull << 40, "a", &got));
        assert_true(got.status == HONE_SCORE && got.score == 0.5f && got.n_token_scores == 3);
        assert_memory_equal(got.token_scores, tokens, sizeof tokens);
        assert_int_equal(got.notes.len, 7);
        assert_memory_equal(got.notes.ptr, "{\"x\":1}", 7);
        assert_int_equal(got.reason.len, 0);
        assert_true(hone_journal_get(j, 3, 1ull << 40, "b", &got));
        assert_true(got.status == HONE_TIMEOUT && got.n_token_scores == 0);
        assert_int_equal(got.reason.len, 19);
        assert_memory_equal(got.reason.ptr, "the deadline passed", 19);
        assert_false(hone_journal_get(j, 3, 0, "a", &got));
        assert_false(hone_journal_get(j, 4, 1ull << 40, "a", &got));
        assert_false(hone_journal_get(j, 3, 1ull << 40, "ab", &got));
        hone_journal_close(j);
        assert_ok(hone_journal_open(path, &j));
    }
    hone_journal_close(j);
}

static void the_first_record_of_a_key_wins(void **state)
{
    const char *path = scratch_path("first.journal");
    hone_journal *j = NULL;
    hone_journal_record a = record(1, 2, "r", 0.25f), b = record(1, 2, "r", 0.75f), got;
    (void)state;
    assert_ok(hone_journal_open(path, &j));
    assert_ok(hone_journal_put(j, &a, 1));
    assert_ok(hone_journal_put(j, &b, 1));
    assert_true(hone_journal_get(j, 1, 2, "r", &got) && got.score == 0.25f);
    hone_journal_close(j);
    assert_ok(hone_journal_open(path, &j));
    assert_true(hone_journal_get(j, 1, 2, "r", &got) && got.score == 0.25f);
    hone_journal_close(j);
}

/* What a long run holds in memory does not grow; the file keeps it all. */
static void a_journal_forgets_steps_long_past(void **state)
{
    const char *path = scratch_path("long.journal");
    hone_journal *j = NULL;
    hone_journal_record got;
    size_t most = 0;
    (void)state;
    assert_ok(hone_journal_open(path, &j));
    size_t blocks, before, now = 0;
    hone_alloc_stats(&blocks, &before);
    for (uint64_t step = 1; step <= 200; step++) {
        hone_journal_record r = record(step, 0, "r", (float)step);
        assert_ok(hone_journal_put(j, &r, 1));
        assert_true(hone_journal_get(j, step, 0, "r", &got) && got.score == (float)step);
        hone_journal_done(j, step);
        assert_true(hone_journal_get(j, step, 0, "r", &got)); /* a step may be asked for again */
        hone_alloc_stats(&blocks, &now);
        most = step == 50 ? now - before : most;
    }
    assert_true(now - before <= most + 4096);
    assert_true(hone_journal_get(j, 200 - HONE_JOURNAL_STEPS + 1, 0, "r", &got));
    assert_false(hone_journal_get(j, 200 - HONE_JOURNAL_STEPS, 0, "r", &got));
    hone_journal_close(j);
    assert_ok(hone_journal_open(path, &j));
    assert_true(hone_journal_get(j, 1, 0, "r", &got) && got.score == 1);
    hone_journal_close(j);
}

static void a_torn_tail_is_dropped_wherever_it_is_torn(void **state)
{
    const char *path = scratch_path("torn.journal");
    hone_journal *j = NULL;
    hone_journal_record r = record(1, 0, "r", 1), got;
    (void)state;
    assert_ok(hone_journal_open(path, &j));
    assert_ok(hone_journal_put(j, &r, 1));
    r.sample = 1;
    assert_ok(hone_journal_put(j, &r, 1));
    hone_journal_close(j);
    hone_buf all = read_all(path);
    size_t one = all.len / 2;
    for (size_t n = one; n <= all.len; n++) {
        hone_buf now;
        write_file(path, all.ptr, n);
        if (n == all.len) { /* whole, but a byte differs */
            all.ptr[n - 1] ^= 1;
            write_file(path, all.ptr, n);
        }
        assert_ok(hone_journal_open(path, &j));
        assert_true(hone_journal_get(j, 1, 0, "r", &got));
        assert_false(hone_journal_get(j, 1, 1, "r", &got));
        now = read_all(path);
        assert_int_equal(now.len, one);
        hone_buf_release(&now);
        r.score = 5; /* what is added stands where the tail was */
        assert_ok(hone_journal_put(j, &r, 1));
        hone_journal_close(j);
        assert_ok(hone_journal_open(path, &j));
        assert_true(hone_journal_get(j, 1, 1, "r", &got) && got.score == 5);
        hone_journal_close(j);
    }
    hone_buf_release(&all);
}

static void a_record_that_does_not_fit_on_the_disk_is_not_there(void **state)
{
    const char *path = scratch_path("full.journal");
    hone_journal *j = NULL;
    hone_journal_record r = record(1, 0, "r", 1), got;
    (void)state;
    assert_ok(hone_journal_open(path, &j));
    assert_ok(hone_journal_put(j, &r, 1));
    r.sample = 1;
    hone_file_fault_after(20);
    assert_true(hone_journal_put(j, &r, 1) < 0);
    hone_file_fault_after(-1);
    assert_false(hone_journal_get(j, 1, 1, "r", &got));
    r.sample = 2;
    assert_ok(hone_journal_put(j, &r, 1));
    hone_journal_close(j);
    assert_ok(hone_journal_open(path, &j));
    assert_true(hone_journal_get(j, 1, 0, "r", &got));
    assert_false(hone_journal_get(j, 1, 1, "r", &got));
    assert_true(hone_journal_get(j, 1, 2, "r", &got));
    hone_journal_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_has_one_writer),
        cmocka_unit_test(a_run_is_never_made_over_another),
        cmocka_unit_test(names_become_safe_folder_names),
        cmocka_unit_test(lines_are_there_when_the_call_returns_and_go_on_after_opening),
        cmocka_unit_test(cutting_gives_the_bytes_of_the_mark),
        cmocka_unit_test(a_file_shorter_than_its_mark_is_an_error_that_cuts_nothing),
        cmocka_unit_test(checkpoints_are_listed_by_number_verified_and_pruned),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(an_unfinished_checkpoint_is_no_checkpoint),
        cmocka_unit_test(a_full_disk_leaves_the_last_checkpoint_and_whole_lines),
        cmocka_unit_test(rollouts_come_back_frame_by_frame),
        cmocka_unit_test(a_journal_keeps_everything_of_a_record),
        cmocka_unit_test(the_first_record_of_a_key_wins),
        cmocka_unit_test(a_journal_forgets_steps_long_past),
        cmocka_unit_test(a_torn_tail_is_dropped_wherever_it_is_torn),
        cmocka_unit_test(a_record_that_does_not_fit_on_the_disk_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
