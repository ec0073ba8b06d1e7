/* A text taken in parts: what is written does not depend on threads and sizes, failures come in order, memory is bounded. */
#include "support.h"

#include "base/error.h"
#include "text/parts.h"

#include <string.h>

typedef struct job {
    hone_str text;
    size_t at, step; /* read so far; most bytes a read gives */
    size_t longest;  /* part that was worked on */
    size_t fail_work, fail_write,
        fail_read; /* number of the part, or byte, that fails; SIZE_MAX: none */
    int no_cut;
    hone_buf out;
    uint64_t next;
} job;

static hone_status job_read(void *ctx, void *p, size_t n, size_t *got)
{
    job *j = ctx;
    size_t left = j->text.len - j->at, k = n < j->step ? n : j->step;
    if (j->at >= j->fail_read)
        return hone_fail(HONE_E_IO, "read");
    *got = k < left ? k : left;
    if (*got)
        memcpy(p, j->text.ptr + j->at, *got);
    j->at += *got;
    return HONE_OK;
}

static hone_status job_cut(void *ctx, hone_str text, size_t *at)
{
    const job *j = ctx;
    const char *end = j->no_cut ? NULL : memrchr(text.ptr, ' ', text.len);
    *at = end ? (size_t)(end - text.ptr) + 1 : 0;
    return HONE_OK;
}

static hone_status job_work(void *ctx, const hone_part *part, hone_buf *out)
{
    job *j = ctx;
    for (size_t i = 0; i < part->text.len; i++)
        hone_buf_addc(out, (char)(part->text.ptr[i] ^ 1));
    if (part->number == j->fail_work)
        return hone_fail(HONE_E_INVALID, "work %d", (int)part->number);
    return HONE_OK;
}

static hone_status job_write(void *ctx, const hone_part *part, hone_str out, hone_status failed)
{
    job *j = ctx;
    assert_int_equal(part->number, j->next++);
    if (failed >= 0)
        assert_int_equal(part->offset, j->out.len);
    if (part->text.len > j->longest)
        j->longest = part->text.len;
    hone_buf_add_str(&j->out, out);
    if (failed < 0)
        return hone_fail_at("part %d", (int)part->number);
    return part->number == j->fail_write ? hone_fail(HONE_E_NO_SPACE, "write") : HONE_OK;
}

static hone_status run(job *j, uint32_t threads, size_t size, size_t most)
{
    hone_pool *pool;
    hone_parts p = {j, job_read, job_cut, job_work, job_write, size, most, 0};
    assert_int_equal(hone_pool_create(threads, &pool), HONE_OK);
    j->at = j->next = j->longest = 0;
    hone_buf_clear(&j->out);
    hone_status s = hone_parts_run(&p, pool);
    hone_pool_destroy(pool);
    return s;
}

static job make_job(char *text, size_t n)
{
    job j = {.text = {text, n},
             .step = SIZE_MAX,
             .fail_work = SIZE_MAX,
             .fail_write = SIZE_MAX,
             .fail_read = SIZE_MAX};
    for (size_t i = 0; i < n; i++)
        text[i] = i % 9 == 8 ? ' ' : (char)('a' + i * 7 % 23);
    hone_buf_init(&j.out, 1 << 20);
    return j;
}

static void test_what_is_written_depends_on_no_thread_or_size(void **state)
{
    (void)state;
    static char text[20000];
    static const size_t sizes[] = {1, 2, 8, 9, 10, 100, 4096, 1 << 20},
                        lengths[] = {0, 1, 9, 20000};
    for (size_t k = 0; k < 4; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (uint32_t threads = 1; threads < 4; threads++) {
                job j = make_job(text, lengths[k]);
                j.step = i & 1 ? 3 : SIZE_MAX;
                assert_int_equal(run(&j, threads, sizes[i], 1 << 20), HONE_OK);
                assert_int_equal(j.out.len, lengths[k]);
                for (size_t b = 0; b < lengths[k]; b++)
                    assert_int_equal(j.out.ptr[b], text[b] ^ 1);
                assert_true(j.next >= 1);                    /* no text is one part */
                assert_true(j.longest <= 2 * sizes[i] + 20); /* no part is more than it must be */
                hone_buf_release(&j.out);
            }
}

static void test_the_earliest_failure_counts_and_nothing_follows_it(void **state)
{
    (void)state;
    static char text[20000];
    for (uint32_t threads = 1; threads < 4; threads++) {
        job j = make_job(text, sizeof text);
        j.fail_work = 7;
        j.fail_write = 11;
        assert_int_equal(run(&j, threads, 90, 1 << 20), HONE_E_INVALID);
        assert_string_equal(hone_error_get()->what, "part 7: work 7");
        assert_int_equal(j.next, 8);
        assert_int_equal(j.out.len, 8 * 90); /* what the part gave before it failed is there */
        j.fail_work = SIZE_MAX;
        assert_int_equal(run(&j, threads, 90, 1 << 20), HONE_E_NO_SPACE);
        assert_int_equal(j.next, 12);
        j.fail_write = SIZE_MAX;
        j.fail_read = 900;
        assert_int_equal(run(&j, threads, 90, 1 << 20), HONE_E_IO);
        assert_int_equal(j.out.len, 900);
        hone_buf_release(&j.out);
    }
}

static void test_a_part_without_a_place_to_cut_grows_to_the_limit(void **state)
{
    (void)state;
    static char text[20000];
    job j = make_job(text, sizeof text);
    j.no_cut = 1;
    assert_int_equal(run(&j, 2, 10, 1 << 20), HONE_OK);
    assert_int_equal(j.next, 1);
    assert_int_equal(j.out.len, sizeof text);
    assert_int_equal(run(&j, 2, 10, sizeof text + 1), HONE_OK);
    assert_int_equal(run(&j, 2, 10, 5000), HONE_E_LIMIT);
    assert_int_equal(j.out.len, 0);
    assert_true(j.at <= 5000);
    hone_buf_release(&j.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_depends_on_no_thread_or_size),
        cmocka_unit_test(test_the_earliest_failure_counts_and_nothing_follows_it),
        cmocka_unit_test(test_a_part_without_a_place_to_cut_grows_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
