/* test_book.c - the store of judges (judge/book.h): what is put is there, whoever opens it next and however the writer ended;
 * files that are not its own stay as they are. */
#include "support.h"

#include "base/file.h"
#include "judge/book.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

static hone_str str(const char *z)
{
    return hone_str_c(z);
}

static hone_book *open_book(const char *name)
{
    hone_book *b = NULL;
    assert_ok(hone_book_open(scratch_path(name), &b));
    return b;
}

static hone_label label(const char *item, const char *expert, double score)
{
    return (hone_label){.item = str(item),
                        .expert = str(expert),
                        .score = score,
                        .seconds = (double)NAN,
                        .probability = (double)NAN};
}

typedef struct seen {
    size_t n;
    double sum;
    char last[64], at[64], slices[64];
    double probability;
} seen;

static hone_status look(void *ctx, const hone_label *l)
{
    seen *s = ctx;
    s->n++;
    s->sum += isnan(l->score) ? 0 : l->score;
    s->probability = l->probability;
    snprintf(s->last, sizeof s->last, "%.*s/%.*s/%.*s", (int)l->item.len, l->item.ptr,
             (int)l->expert.len, l->expert.ptr, (int)l->choice.len, l->choice.ptr);
    snprintf(s->at, sizeof s->at, "%.*s", (int)l->at.len, l->at.ptr);
    snprintf(s->slices, sizeof s->slices, "%.*s", (int)l->slices.len, l->slices.ptr);
    return HONE_OK;
}

static int64_t count(hone_book *b, const char *sql)
{
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_prepare_v2(hone_book_db(b), sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return n;
}

static void test_labels_come_back_and_the_last_word_counts(void **state)
{
    (void)state;
    hone_book *b = open_book("labels.sqlite");
    hone_label l[3] = {label("i1", "ann", 4), label("i1", "bob", 2),
                       label("i2", "ann", (double)NAN)};
    l[2].choice = str("tie");
    l[2].slices = str("{\"language\":\"de\"}");
    l[2].probability = 0.25;
    l[2].at = str("2026-01-02T03:04:05Z");
    assert_ok(hone_book_put_labels(b, l, 3));
    seen s = {0};
    assert_int_equal(hone_book_labels(b, NULL, NULL, look, &s), 3);
    assert_true(s.sum == 6);
    assert_string_equal(s.last, "i2/ann/tie");
    assert_string_equal(s.at, "2026-01-02T03:04:05Z");
    assert_string_equal(s.slices, "{\"language\":\"de\"}");
    assert_true(s.probability == 0.25);
    hone_label changed = label("i1", "ann", 5), twice = label("i1", "ann", 3);
    twice.duplicate = 1;
    assert_ok(hone_book_put_labels(b, &changed, 1));
    assert_ok(hone_book_put_labels(b, &twice, 1)); /* a second reading is no change of mind */
    hone_book_close(b);
    b = open_book("labels.sqlite");
    s = (seen){0};
    assert_int_equal(hone_book_labels(b, NULL, "ann", look, &s), 3);
    assert_true(s.sum == 8);
    assert_int_equal(count(b, "SELECT count(*) FROM expert_label"), 5);
    assert_int_equal(count(b, "SELECT count(*) FROM expert_label AS o JOIN expert_label AS n ON "
                              "o.replaced = n.id WHERE o.score = 4 AND n.score = 5"),
                     1);
    assert_int_equal(hone_book_drop_label(b, str("i1"), str("ann"), 0), 1);
    assert_int_equal(hone_book_drop_label(b, str("i1"), str("ann"), 0), 0);
    assert_int_equal(hone_book_labels(b, NULL, "ann", look, &s), 2);
    hone_book_close(b);
}

static void test_a_bad_label_stores_none_of_its_batch(void **state)
{
    (void)state;
    hone_book *b = open_book("bad.sqlite");
    hone_label l[2] = {label("i1", "ann", 4), label("i2", "ann", (double)INFINITY)};
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "label 2 (item \"i2\")");
    l[1] = label("i2", "ann", (double)NAN);
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "neither score, choice nor");
    l[1].choice = str("c");
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "it is a, b or tie");
    l[1] = label("", "ann", 1);
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "names no item");
    l[1] = label("i2", "ann", 1);
    l[1].probability = 0;
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "probability");
    l[1].probability = 1;
    l[1].split = str("train");
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "few-shot, dev or test");
    l[1].split = str("dev");
    l[1].criteria = str("[1]");
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "a map is wanted");
    l[1].criteria = str("{\"a\":[]}");
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_INVALID, "criterion a");
    l[1].criteria = str("{\"a\":");
    assert_fails(hone_book_put_labels(b, l, 2), HONE_E_PARSE, "criteria");
    seen s = {0};
    assert_int_equal(hone_book_labels(b, NULL, NULL, look, &s), 0);
    hone_book_close(b);
}

/* A writer that is killed in the middle of things: what was said to be stored is there, what was not is not. */
static void test_what_was_stored_survives_kill_9(void **state)
{
    (void)state;
    const char *path = scratch_path("killed.sqlite");
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        hone_book *b = NULL;
        hone_label l = label("kept", "ann", 1), lost = label("lost", "ann", 1);
        if (hone_book_open(path, &b) < 0 || hone_book_put_labels(b, &l, 1) < 0 ||
            hone_book_begin(b) < 0 || hone_book_put_labels(b, &lost, 1) < 0)
            _exit(1);
        if (write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char c;
    close(told[1]);
    assert_int_equal(read(told[0], &c, 1), 1);
    close(told[0]);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    hone_book *b = NULL;
    assert_ok(hone_book_look(path, &b));
    seen s = {0};
    assert_int_equal(hone_book_labels(b, NULL, NULL, look, &s), 1);
    assert_string_equal(s.last, "kept/ann/");
    hone_book_close(b);
}

static void test_two_writers_take_turns(void **state)
{
    (void)state;
    const char *path = scratch_path("two.sqlite");
    enum { EACH = 40 };
    pid_t child[2];
    for (int k = 0; k < 2; k++) {
        child[k] = fork();
        if (child[k] == 0) {
            hone_book *b = NULL;
            char item[32];
            if (hone_book_open(path, &b) < 0)
                _exit(1);
            for (int i = 0; i < EACH; i++) {
                snprintf(item, sizeof item, "i%d", i);
                hone_label l = label(item, k ? "ann" : "bob", i);
                if (hone_book_put_labels(b, &l, 1) < 0)
                    _exit(2);
            }
            hone_book_close(b);
            _exit(0);
        }
    }
    for (int k = 0; k < 2; k++) {
        int status = 1;
        assert_int_equal(waitpid(child[k], &status, 0), child[k]);
        assert_int_equal(status, 0);
    }
    hone_book *b = open_book("two.sqlite");
    seen s = {0};
    assert_int_equal(hone_book_labels(b, NULL, NULL, look, &s), 2 * EACH);
    hone_book_close(b);
}

static void write_text(const char *path, const char *text)
{
    assert_ok(hone_file_replace(path, text, strlen(text)));
}

static void test_files_of_others_are_refused_and_left_alone(void **state)
{
    (void)state;
    hone_book *b = NULL;
    const char *text = scratch_path("notes.txt"), *theirs = scratch_path("theirs.sqlite"),
               *newer = scratch_path("newer.sqlite"), *cut = scratch_path("cut.sqlite");
    write_text(text,
               "this is a text, and rather longer than the sixteen bytes of a header.......\n");
    assert_fails(hone_book_open(text, &b), HONE_E_PARSE, "notes.txt");
    assert_non_null(strstr(hone_error_get()->hint, "--store"));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(theirs, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE verdict (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_fails(hone_book_open(theirs, &b), HONE_E_REFUSED, "no store of judges");
    assert_int_equal(sqlite3_open(theirs, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO verdict VALUES (1)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    hone_book_close(open_book("newer.sqlite"));
    assert_int_equal(sqlite3_open(newer, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_fails(hone_book_open(newer, &b), HONE_E_REFUSED, "version 2, this hone knows 1");
    hone_book_close(open_book("cut.sqlite"));
    assert_ok(hone_file_truncate(cut, 5000));
    assert_true(hone_book_open(cut, &b) < 0);
    assert_fails(hone_book_open(scratch_dir(), &b), HONE_E_IO, scratch_dir());
    assert_ok(hone_book_look(scratch_path("absent.sqlite"), &b));
    assert_null(b);
    assert_false(hone_file_exists(scratch_path("absent.sqlite")));
}

static void test_items_verdicts_and_runs_are_found_again(void **state)
{
    (void)state;
    hone_book *b = open_book("found.sqlite");
    hone_arena a;
    hone_str got, prompt, at;
    int64_t id = 0, times = 0;
    hone_arena_init(&a, 0);
    assert_ok(hone_book_put_item(b, str("7"), str("p"), str("{\"prompt\":\"x\"}")));
    assert_ok(hone_book_put_item(b, str("7"), str("p"), str("{\"prompt\":\"x\"}")));
    assert_fails(hone_book_put_item(b, str("7"), str("p"), str("{\"prompt\":\"y\"}")),
                 HONE_E_EXISTS, "\"7\"");
    assert_int_equal(hone_book_get_item(b, str("7"), &a, &prompt, &got), 1);
    assert_string_equal(prompt.ptr, "p");
    assert_string_equal(got.ptr, "{\"prompt\":\"x\"}");
    assert_int_equal(hone_book_get_item(b, str("8"), &a, &prompt, &got), 0);
    hone_book_verdict v = {.key = "k",
                           .spec = "s",
                           .input = "i",
                           .item = str("7"),
                           .json = str("{\"score\":1}"),
                           .cost = (double)NAN,
                           .latency_ms = 2};
    assert_int_equal(hone_book_get_verdict(b, "k", &a, &got), 0);
    assert_ok(hone_book_put_verdict(b, &v));
    v.json = str("{\"score\":2}");
    assert_ok(hone_book_put_verdict(b, &v));
    assert_int_equal(hone_book_get_verdict(b, "k", &a, &got), 1);
    assert_string_equal(got.ptr, "{\"score\":2}");
    assert_int_equal(count(b, "SELECT count(*) FROM call"), 2);
    assert_ok(hone_book_put_rubric(b, "h", str("tone"), str("1"), str("{}")));
    assert_int_equal(hone_book_get_rubric(b, "h", &a, &got), 1);
    assert_ok(hone_book_put_spec(b, "s", str("{\"a\":1}")));
    assert_int_equal(hone_book_get_spec(b, "s", &a, &got), 1);
    assert_string_equal(got.ptr, "{\"a\":1}");
    assert_ok(hone_book_put_run(b, "calibration", "s", str("1"), &id));
    assert_ok(hone_book_put_run(b, "attack", "s", str("2"), NULL));
    assert_ok(hone_book_put_run(b, "attack", "t", str("3"), NULL));
    assert_int_equal(hone_book_last_run(b, "attack", "s", &a, &got, &at), 1);
    assert_string_equal(got.ptr, "2");
    assert_int_equal(hone_book_last_run(b, "attack", NULL, &a, &got, &at), 1);
    assert_string_equal(got.ptr, "3");
    assert_int_equal(hone_book_last_run(b, "calibration", "t", &a, &got, &at), 0);
    assert_int_equal(count(b, "SELECT count(*) FROM calibration_run"), 1);
    assert_ok(hone_book_count_test(b, "d", &times));
    assert_ok(hone_book_count_test(b, "d", &times));
    assert_int_equal(times, 2);
    hone_gate_row g = {.key = str("k"),
                       .policy = str("p"),
                       .spec = str("s"),
                       .verdict = str("GO"),
                       .at = str("a"),
                       .expires = str("e"),
                       .json = str("{}"),
                       .seal = str("z")},
                  got_row;
    assert_ok(hone_book_put_gate(b, &g, NULL));
    g.verdict = str("NO-GO");
    assert_ok(hone_book_put_gate(b, &g, NULL));
    assert_int_equal(hone_book_get_gate(b, "k", "p", &a, &got_row), 1);
    assert_string_equal(got_row.verdict.ptr, "NO-GO"); /* the later decision counts */
    assert_int_equal(got_row.voided.len, 0);
    assert_int_equal(hone_book_get_gate(b, "k", "q", &a, &got_row), 0);
    assert_int_equal(hone_book_void_gate(b, "k", "drift"), 2);
    assert_int_equal(hone_book_get_gate(b, "k", NULL, &a, &got_row), 1);
    assert_string_equal(got_row.voided.ptr, "drift");
    hone_arena_release(&a);
    hone_book_close(b);
}

static void test_what_is_rolled_back_was_never_there(void **state)
{
    (void)state;
    hone_book *b = open_book("rolled.sqlite");
    hone_label l = label("i", "ann", 1), wrong = label("", "ann", 1);
    assert_ok(hone_book_begin(b));
    assert_fails(hone_book_begin(b), HONE_E_STATE, "a transaction is open");
    assert_ok(hone_book_put_labels(b, &l, 1));
    hone_book_rollback(b);
    assert_int_equal(count(b, "SELECT count(*) FROM expert_label"), 0);
    assert_ok(hone_book_begin(b));
    assert_ok(hone_book_put_labels(b, &l, 1));
    assert_fails(hone_book_put_labels(b, &wrong, 1), HONE_E_INVALID, "label 1");
    assert_ok(hone_book_commit(b));
    assert_int_equal(count(b, "SELECT count(*) FROM expert_label"), 1);
    hone_book_close(b);
}

static hone_status write_and_read(const char *path)
{
    hone_book *b = NULL;
    hone_arena a;
    hone_str got;
    hone_label l = label("i", "ann", 1);
    hone_arena_init(&a, 0);
    hone_status s = hone_book_open(path, &b);
    if (s >= 0)
        s = hone_book_put_labels(b, &l, 1);
    if (s >= 0)
        s = hone_book_put_item(b, str("i"), str("p"), str("{}"));
    if (s >= 0)
        s = hone_book_get_item(b, str("i"), &a, &got, &got);
    hone_book_close(b);
    hone_arena_release(&a);
    return s;
}

static void test_no_memory_is_said(void **state)
{
    (void)state;
    const char *path = scratch_path("torture.sqlite");
    assert_survives_no_memory(write_and_read(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_come_back_and_the_last_word_counts),
        cmocka_unit_test(test_a_bad_label_stores_none_of_its_batch),
        cmocka_unit_test(test_what_was_stored_survives_kill_9),
        cmocka_unit_test(test_two_writers_take_turns),
        cmocka_unit_test(test_files_of_others_are_refused_and_left_alone),
        cmocka_unit_test(test_items_verdicts_and_runs_are_found_again),
        cmocka_unit_test(test_what_is_rolled_back_was_never_there),
        cmocka_unit_test(test_no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
