/* Files: all or nothing, a full disk, folders; hashes, clocks and the log beside them. */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *content(const char *path, size_t *n)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 26);
    assert_ok(hone_file_read(path, b.max, &b));
    return hone_buf_detach(&b, n);
}

static void assert_holds(const char *path, const char *want)
{
    size_t n;
    char *got = content(path, &n);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(got, want, n);
    hone_free(got);
}

/* How many names the scratch folder `dir` holds: nothing may be left over beside the target. */
static size_t count_names(const char *dir)
{
    char **names;
    size_t n;
    assert_ok(hone_list_dir(dir, &names, &n));
    hone_names_free(names, n);
    return n;
}

static void test_replace_is_all_or_nothing_on_a_full_disk(void **state)
{
    (void)state;
    assert_ok(hone_mkdirs(scratch_path("r")));
    const char *path = scratch_path("r/a.txt");
    assert_ok(hone_file_replace(path, "old", 3));
    for (int64_t room = 0; room < 8; room++) {
        hone_file_fault_after(room);
        assert_fails(hone_file_replace(path, "new text", 8), HONE_E_NO_SPACE,
                     "a.txt: cannot write");
        assert_true(hone_error_get()->hint[0] != 0);
        hone_file_fault_after(-1);
        assert_holds(path, "old");
        assert_int_equal(count_names(scratch_path("r")), 1);
    }
    hone_file_fault_after(8);
    assert_ok(hone_file_replace(path, "new text", 8));
    hone_file_fault_after(-1);
    assert_holds(path, "new text");
    assert_ok(hone_file_replace(path, NULL, 0));
    assert_holds(path, "");
}

static void test_read_adds_and_respects_both_limits(void **state)
{
    (void)state;
    const char *path = scratch_path("read.txt");
    hone_buf b;
    hone_buf_init(&b, 100);
    assert_ok(hone_file_replace(path, "0123456789", 10));
    assert_fails(hone_file_read(path, 9, &b), HONE_E_LIMIT, "longer than 9");
    assert_int_equal(b.len, 0);
    assert_ok(hone_file_read(path, 10, &b));
    assert_ok(hone_file_read(path, 10, &b));
    assert_string_equal(b.ptr, "01234567890123456789");
    assert_int_equal(b.max, 100);
    assert_fails(hone_file_read(scratch_path("absent"), 10, &b), HONE_E_NOT_FOUND, "absent");
    assert_fails(hone_file_read(scratch_dir(), 10, &b), HONE_E_IO, "folder");
    assert_int_equal(b.len, 20);
    hone_buf_release(&b);
    hone_buf_init(&b, 1 << 20); /* a file whose size lies */
    assert_ok(hone_file_read("/proc/self/status", 1 << 20, &b));
    assert_true(b.len > 100);
    assert_fails(hone_file_read("/dev/zero", 1 << 18, &b), HONE_E_LIMIT, "/dev/zero");
    hone_buf_release(&b);
}

static void test_writer_appears_only_when_closed(void **state)
{
    (void)state;
    hone_writer w;
    assert_ok(hone_mkdirs(scratch_path("w")));
    const char *path = scratch_path("w/big.bin");
    char *piece = hone_alloc(300000);
    memset(piece, 'p', 300000);
    assert_ok(hone_writer_create(&w, path));
    for (int i = 0; i < 10; i++) {
        assert_ok(hone_writer_add(&w, "xyz", 3));
        assert_ok(hone_writer_add(&w, piece, 100000 + (size_t)i * 20000));
    }
    assert_int_equal(w.written, 30 + 10 * 100000 + 20000 * 45);
    uint64_t total = w.written, size = 0;
    assert_false(hone_file_exists(path));
    assert_ok(hone_writer_close(&w));
    assert_ok(hone_file_size(path, &size));
    assert_int_equal(size, total);
    size_t n;
    char *got = content(path, &n), *at = got;
    for (int i = 0; i < 10; i++) {
        assert_memory_equal(at, "xyz", 3);
        assert_memory_equal(at + 3, piece, 100000 + (size_t)i * 20000);
        at += 3 + 100000 + (size_t)i * 20000;
    }
    hone_free(got);
    hone_free(piece);
    assert_ok(hone_writer_create(&w, path));
    assert_ok(hone_writer_add(&w, "gone", 4));
    hone_writer_abandon(&w);
    assert_int_equal(hone_writer_add(&w, "x", 1), HONE_E_STATE);
    assert_int_equal(count_names(scratch_path("w")), 1);
    assert_ok(hone_file_size(path, &size));
    assert_int_equal(size, total);
}

static void test_a_device_or_a_pipe_stays_one(void **state)
{
    const char *pipe_path = scratch_path("named-pipe");
    struct stat st;
    char text[8] = {0};
    (void)state;
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    const int reader = open(pipe_path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(hone_file_replace(pipe_path, "hello", 5), HONE_OK);
    assert_int_equal(read(reader, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(lstat(pipe_path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    close(reader);
    unlink(pipe_path);
    /* through a link, as /dev/stdout is one: where that would go wrong it would be the link that is lost */
    assert_int_equal(symlink("/dev/null", pipe_path), 0);
    assert_int_equal(hone_file_replace(pipe_path, "x", 1), HONE_OK);
    assert_int_equal(lstat(pipe_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink(pipe_path);
}

static void test_writer_errors_stick_and_leave_the_target(void **state)
{
    (void)state;
    hone_writer w;
    assert_ok(hone_mkdirs(scratch_path("s")));
    const char *path = scratch_path("s/a");
    assert_ok(hone_file_replace(path, "old", 3));
    assert_ok(hone_writer_create(&w, path));
    assert_ok(hone_writer_add(&w, "abcdef", 6));
    hone_file_fault_after(2);
    assert_int_equal(hone_writer_flush(&w, 0), HONE_E_NO_SPACE);
    hone_file_fault_after(-1);
    assert_int_equal(hone_writer_add(&w, "x", 1), HONE_E_NO_SPACE);
    assert_int_equal(hone_writer_close(&w), HONE_E_NO_SPACE);
    assert_holds(path, "old");
    assert_int_equal(count_names(scratch_path("s")), 1);
    assert_fails(hone_writer_create(&w, scratch_path("no/such/dir")), HONE_E_NOT_FOUND,
                 "no/such/dir");
}

static void test_append_goes_on_where_the_file_ends(void **state)
{
    (void)state;
    hone_writer w;
    const char *path = scratch_path("log");
    assert_ok(hone_writer_append(&w, path));
    assert_int_equal(w.written, 0);
    assert_ok(hone_writer_add(&w, "one\n", 4));
    assert_ok(hone_writer_flush(&w, 1));
    assert_holds(path, "one\n");
    assert_ok(hone_writer_close(&w));
    assert_ok(hone_writer_append(&w, path));
    assert_int_equal(w.written, 4);
    assert_ok(hone_writer_add(&w, "two\n", 4));
    assert_int_equal(w.written, 8);
    assert_ok(hone_writer_close(&w));
    assert_holds(path, "one\ntwo\n");
    assert_ok(hone_file_truncate(path, 4));
    assert_holds(path, "one\n");
    assert_int_equal(hone_file_truncate(scratch_path("absent"), 0), HONE_E_NOT_FOUND);
}

static void test_mapped_files(void **state)
{
    (void)state;
    hone_mapped m = {NULL, 5};
    const char *path = scratch_path("map");
    assert_ok(hone_file_replace(path, "mapped", 6));
    assert_ok(hone_file_map(path, &m));
    assert_int_equal(m.len, 6);
    assert_memory_equal(m.ptr, "mapped", 6);
    hone_file_unmap(&m);
    hone_file_unmap(&m);
    assert_ok(hone_file_replace(path, "", 0));
    assert_ok(hone_file_map(path, &m));
    assert_true(m.ptr == NULL && m.len == 0);
    assert_fails(hone_file_map(scratch_dir(), &m), HONE_E_IO, "regular");
    assert_int_equal(hone_file_map(scratch_path("absent"), &m), HONE_E_NOT_FOUND);
}

static void test_folders(void **state)
{
    (void)state;
    char **names = NULL;
    size_t n = 9;
    const char *top = scratch_path("tree");
    assert_ok(hone_mkdirs(scratch_path("tree/b/c//d/")));
    assert_ok(hone_mkdirs(scratch_path("tree/b")));
    assert_true(hone_file_is_dir(scratch_path("tree/b/c/d")));
    assert_ok(hone_list_dir(scratch_path("tree/b/c/d"), &names, &n));
    assert_int_equal(n, 0);
    hone_names_free(names, n);
    assert_ok(hone_file_replace(scratch_path("tree/Z"), "z", 1));
    assert_ok(hone_file_replace(scratch_path("tree/a"), "a", 1));
    assert_ok(hone_file_copy(scratch_path("tree/a"), scratch_path("tree/b/copy")));
    assert_holds(scratch_path("tree/b/copy"), "a");
    assert_int_equal(symlink("/etc", scratch_path("tree/link")), 0);
    assert_ok(hone_list_dir(top, &names, &n));
    assert_int_equal(n, 4);
    assert_string_equal(names[0], "Z"); /* by bytes, not by a locale */
    assert_string_equal(names[1], "a");
    assert_string_equal(names[2], "b");
    hone_names_free(names, n);
    assert_fails(hone_mkdirs(scratch_path("tree/a/x")), HONE_E_IO, "cannot be made");
    assert_int_equal(hone_mkdirs(""), HONE_E_INVALID);
    assert_ok(hone_remove_tree(top)); /* the link goes, /etc stays */
    assert_false(hone_file_exists(top));
    assert_true(hone_file_exists("/etc/passwd"));
    assert_ok(hone_remove_tree(top));
    assert_int_equal(hone_list_dir(top, &names, &n), HONE_E_NOT_FOUND);
}

static void test_paths_join_and_part(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "b", "a/b"},      {"a", "/b", "/b"},
        {"", "b", "b"},    {"/", "b", "/b"},   {"a/b", "c/d", "a/b/c/d"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *z = hone_path_join(rows[i][0], rows[i][1]);
        assert_string_equal(z, rows[i][2]);
        hone_free(z);
    }
    static const char *const dirs[][3] = {
        {"/a/b", "/a", "b"}, {"b", ".", "b"}, {"/b", "/", "b"}, {"a/", "a", ""}};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        char *z = hone_path_dir(dirs[i][0]);
        assert_string_equal(z, dirs[i][1]);
        assert_string_equal(hone_path_base(dirs[i][0]), dirs[i][2]);
        hone_free(z);
    }
}

static hone_status write_and_list(void)
{
    char **names;
    size_t n;
    hone_buf b;
    HONE_TRY(hone_file_replace(scratch_path("oom"), "x", 1));
    HONE_TRY(hone_file_copy(scratch_path("oom"), scratch_path("oom2")));
    HONE_TRY(hone_mkdirs(scratch_path("oomd/x")));
    HONE_TRY(hone_list_dir(scratch_dir(), &names, &n));
    hone_names_free(names, n);
    hone_buf_init(&b, 100);
    hone_status s = hone_file_read(scratch_path("oom2"), 100, &b);
    hone_buf_release(&b);
    return s;
}

static void test_no_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    assert_survives_no_memory(write_and_list());
    char **names;
    size_t n;
    assert_ok(hone_list_dir(scratch_dir(), &names, &n));
    for (size_t i = 0; i < n; i++)
        assert_null(strstr(names[i], ".tmp-"));
    hone_names_free(names, n);
}

/* ---- hashes, clocks, log ---------------------------------------------------------------------- */

static void test_sha256_gives_the_published_answers(void **state)
{
    (void)state;
    char hex[65];
    hone_sha256_of("abc", 3, hex); /* FIPS 180-2, appendix B */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hone_sha256_of(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char *million = hone_alloc(1000000);
    memset(million, 'a', 1000000);
    assert_ok(hone_file_replace(scratch_path("m"), million, 1000000));
    hone_free(million);
    assert_ok(hone_sha256_file(scratch_path("m"), hex));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(hone_sha256_file(scratch_path("absent"), hex), HONE_E_NOT_FOUND);
    assert_int_equal(hone_sha256_file(scratch_dir(), hex), HONE_E_IO);
    assert_true(hone_xxh64("", 0, 0) == 0x2D06800538D394C2u); /* xxHash's own self-test */
    assert_true(hone_xxh64(NULL, 0, 0) == hone_xxh64("", 0, 0));
    assert_true(hone_xxh64("a", 1, 0) != hone_xxh64("a", 1, 1));
}

static void test_clocks_go_forward(void **state)
{
    (void)state;
    uint64_t a = hone_now_ns(), c = hone_cpu_ns();
    volatile double x = 0;
    for (int i = 0; i < 1000000; i++)
        x += i;
    assert_true(hone_now_ns() > a);
    assert_true(hone_cpu_ns() > c);
    char date[16];
    hone_date_utc(date);
    assert_int_equal(strlen(date), 15);
    assert_int_equal(date[8], '-');
    assert_true(strncmp(date, "20", 2) == 0);
    assert_true(hone_rss() > 100000);
    assert_true(hone_peak_rss() >= hone_rss() / 2);
}

static void test_the_peak_of_memory_begins_anew(void **state)
{
    (void)state;
    enum { SIZE = 64 << 20 };
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    memset(p, 1, SIZE);
    assert_int_equal(p[SIZE / 2], 1);
    munmap(p, SIZE); /* not the heap, where a sanitizer keeps what is freed */
    const uint64_t before = hone_peak_rss();
    if (!hone_peak_rss_reset())
        skip(); /* a kernel without clear_refs */
    assert_true(hone_peak_rss() < before - SIZE / 2);
}

static char logged[4096];
static void keep(void *ctx, uint32_t level, const char *who, const char *text, size_t len)
{
    assert_ptr_equal(ctx, logged);
    assert_int_equal(strlen(text), len);
    snprintf(logged, sizeof logged, "%u|%s|%s", level, who ? who : "-", text);
}

static void test_log_counts_filters_and_hands_on(void **state)
{
    (void)state;
    uint64_t warns = hone_log_count(HONE_LOG_WARN), debugs = hone_log_count(HONE_LOG_DEBUG);
    hone_log_sink(keep, logged);
    hone_log_level(HONE_LOG_INFO);
    hone_log(HONE_LOG_WARN, "me", "x %d\n", 3);
    assert_string_equal(logged, "2|me|x 3");
    hone_log(HONE_LOG_DEBUG, NULL, "not shown");
    assert_string_equal(logged, "2|me|x 3");
    hone_log_level(HONE_LOG_DEBUG);
    hone_log(HONE_LOG_DEBUG, NULL, "shown");
    assert_string_equal(logged, "0|-|shown");
    assert_int_equal(hone_log_count(HONE_LOG_WARN), warns + 1);
    assert_int_equal(hone_log_count(HONE_LOG_DEBUG), debugs + 2);
    char *longer = malloc(5000);
    memset(longer, 'l', 4999);
    longer[4999] = 0;
    hone_log(HONE_LOG_ERROR, NULL, "%s", longer);
    assert_int_equal(strlen(logged), 4 + 2047);
    free(longer);
    hone_log_sink(NULL, NULL);
    hone_log_level(HONE_LOG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_is_all_or_nothing_on_a_full_disk),
        cmocka_unit_test(test_read_adds_and_respects_both_limits),
        cmocka_unit_test(test_writer_appears_only_when_closed),
        cmocka_unit_test(test_a_device_or_a_pipe_stays_one),
        cmocka_unit_test(test_writer_errors_stick_and_leave_the_target),
        cmocka_unit_test(test_append_goes_on_where_the_file_ends),
        cmocka_unit_test(test_mapped_files),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_paths_join_and_part),
        cmocka_unit_test(test_no_memory_is_an_error_and_leaks_nothing),
        cmocka_unit_test(test_sha256_gives_the_published_answers),
        cmocka_unit_test(test_clocks_go_forward),
        cmocka_unit_test(test_the_peak_of_memory_begins_anew),
        cmocka_unit_test(test_log_counts_filters_and_hands_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
