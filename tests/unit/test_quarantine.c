/* test_quarantine.c - what is remembered of plugins that ended their box: counting, limits, the refusal, two writers. */
#include "support.h"

#include "abi/quarantine.h"
#include "base/file.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char place[PATH_MAX];

static int begin(void **state)
{
    (void)state;
    char cwd[PATH_MAX - 64];
    assert_non_null(getcwd(cwd, sizeof cwd));
    snprintf(place, sizeof place, "%s/quarantine-%ld", cwd, (long)getpid());
    setenv("XDG_CONFIG_HOME", place, 1);
    umask(022);
    return 0;
}

static int end(void **state)
{
    (void)state;
    hone_remove_tree(place);
    return 0;
}

static hone_status died(const char *sha, const char *call, int64_t sample, int64_t *count)
{
    const hone_death d = {NULL, "killed by signal 11", call, "x.so+0x10", sample};
    return hone_quarantine_add(sha, "/p/x.so", "com.acme.x", &d, count);
}

static hone_status judged(const char *sha, int describing)
{
    hone_quarantine q;
    assert_int_equal(hone_quarantine_open(&q), HONE_OK);
    hone_status s = hone_quarantine_judge(&q, "x.so", sha, describing);
    hone_quarantine_release(&q);
    return s;
}

static void test_the_third_death_refuses_the_file_and_no_other(void **state)
{
    (void)state;
    int64_t n = 0;
    size_t gone = 9;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(judged(HASH_A, 0), HONE_OK);
        assert_int_equal(died(HASH_A, "score", i, &n), HONE_OK);
        assert_int_equal(n, i);
    }
    assert_int_equal(judged(HASH_A, 0), HONE_E_REFUSED);
    assert_non_null(strstr(hone_error_get()->what, "3 times since 2"));
    assert_non_null(strstr(hone_error_get()->detail, "in score, sample 3"));
    assert_non_null(strstr(hone_error_get()->hint, "hone plugin quarantine show x.so"));
    assert_int_equal(judged(HASH_A, 1), HONE_OK); /* it loads: it may be described */
    assert_int_equal(judged(HASH_B, 0), HONE_OK);
    assert_int_equal(hone_quarantine_clear(HASH_B, &gone), HONE_OK);
    assert_int_equal(gone, 0);
    assert_int_equal(hone_quarantine_clear(HASH_A, &gone), HONE_OK);
    assert_int_equal(gone, 1);
    assert_int_equal(judged(HASH_A, 0), HONE_OK);
}

static void test_what_dies_while_loading_is_not_even_described(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(died(HASH_A, HONE_QUARANTINE_LOADING, -1, NULL), HONE_OK);
    assert_int_equal(judged(HASH_A, 1), HONE_E_REFUSED);
}

static void test_the_last_eight_are_kept_and_all_are_counted(void **state)
{
    (void)state;
    hone_quarantine q;
    for (int i = 0; i < 20; i++)
        assert_int_equal(died(HASH_A, "score", i, NULL), HONE_OK);
    assert_int_equal(hone_quarantine_open(&q), HONE_OK);
    const hone_quarantined *f = hone_quarantine_find(&q, HASH_A);
    assert_non_null(f);
    assert_int_equal(f->count, 20);
    assert_int_equal(f->n, 8);
    assert_int_equal(f->deaths[0].sample, 12);
    assert_int_equal(f->deaths[7].sample, 19);
    hone_quarantine_release(&q);
}

static void test_texts_from_a_plugin_play_no_tricks(void **state)
{
    (void)state;
    char lots[5000];
    hone_quarantine q;
    memset(lots, 'x', sizeof lots - 1);
    lots[sizeof lots - 1] = 0;
    const hone_death d = {NULL, lots, "sc\033[2Jore", "x.so+0x1\n\x7f \xff", 0};
    assert_int_equal(hone_quarantine_add(HASH_A, "/p/\nx.so", "com.acme.x", &d, NULL), HONE_OK);
    assert_int_equal(hone_quarantine_open(&q), HONE_OK);
    assert_string_equal(q.files[0].deaths[0].call, "sc?[2Jore");
    assert_string_equal(q.files[0].path, "/p/?x.so");
    assert_true(strlen(q.files[0].deaths[0].what) < 400);
    hone_quarantine_release(&q);
}

static void test_many_files_push_out_those_that_nobody_refuses(void **state)
{
    (void)state;
    char sha[65];
    hone_quarantine q;
    for (int i = 0; i < 3; i++)
        assert_int_equal(died(HASH_A, "score", i, NULL), HONE_OK);
    for (int i = 0; i < 501; i++) {
        snprintf(sha, sizeof sha, "%064x", (unsigned)i);
        assert_int_equal(died(sha, "score", 0, NULL), HONE_OK);
    }
    assert_int_equal(hone_quarantine_open(&q), HONE_OK);
    assert_int_equal(q.n, 500);
    assert_non_null(hone_quarantine_find(&q, HASH_A));
    assert_non_null(hone_quarantine_find(&q, sha)); /* the latest */
    snprintf(sha, sizeof sha, "%064x", 0u);
    assert_null(hone_quarantine_find(&q, sha)); /* the oldest */
    hone_quarantine_release(&q);
}

static void test_a_cut_file_is_an_error_and_stays(void **state)
{
    (void)state;
    hone_buf b;
    hone_quarantine q;
    char *path = hone_quarantine_path();
    assert_non_null(path);
    assert_int_equal(died(HASH_A, "score", 1, NULL), HONE_OK);
    hone_buf_init(&b, 1 << 20);
    assert_int_equal(hone_file_read(path, 1 << 20, &b), HONE_OK);
    for (size_t n = 0; n + 2 < b.len; n++) {
        memset(&q, 0, sizeof q);
        hone_arena_init(&q.arena, 0);
        assert_true(hone_quarantine_parse(b.ptr, n, "q", &q) < 0);
        hone_quarantine_release(&q);
    }
    assert_int_equal(hone_file_replace(path, b.ptr, b.len / 2), HONE_OK);
    assert_true(died(HASH_A, "score", 2, NULL) < 0); /* counts nothing into a file it cannot read */
    assert_non_null(strstr(hone_error_get()->hint, "clear --all"));
    uint64_t size = 0;
    assert_int_equal(hone_file_size(path, &size), HONE_OK);
    assert_int_equal(size, b.len / 2);
    hone_buf_release(&b);
    hone_free(path);
}

static void test_two_processes_lose_no_count(void **state)
{
    (void)state;
    enum { EACH = 40 };
    pid_t child[2];
    for (int c = 0; c < 2; c++) {
        child[c] = fork();
        if (child[c] == 0) {
            for (int i = 0; i < EACH; i++)
                if (died(HASH_A, "score", i, NULL) < 0)
                    _exit(1);
            _exit(0);
        }
    }
    for (int c = 0; c < 2; c++) {
        int status = 1;
        assert_int_equal(waitpid(child[c], &status, 0), child[c]);
        assert_int_equal(status, 0);
    }
    hone_quarantine q;
    assert_int_equal(hone_quarantine_open(&q), HONE_OK);
    assert_int_equal(q.files[0].count, 2 * EACH);
    hone_quarantine_release(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_third_death_refuses_the_file_and_no_other, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_what_dies_while_loading_is_not_even_described, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_the_last_eight_are_kept_and_all_are_counted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_texts_from_a_plugin_play_no_tricks, begin, end),
        cmocka_unit_test_setup_teardown(test_many_files_push_out_those_that_nobody_refuses, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_cut_file_is_an_error_and_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_two_processes_lose_no_count, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
