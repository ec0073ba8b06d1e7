/* test_pool.c - the thread pool runs every task once, wakes and stops, and flushes denormals. */
#include "support.h"
#include "tensor/pool.h"

#include <sched.h>
#include <stdatomic.h>

enum { MANY = 4096 };
struct job {
    _Atomic int runs[MANY];
    _Atomic uint32_t threads_seen;
    const hone_exec *ex;
};

static void count_task(void *arg, int64_t task, uint32_t thread)
{
    struct job *j = arg;
    atomic_fetch_add(&j->runs[task], 1);
    atomic_fetch_or(&j->threads_seen, 1u << thread);
}

static void test_every_task_runs_once_in_every_job(void **state)
{
    (void)state;
    static struct job j;
    for (uint32_t threads = 1; threads <= 9; threads += 2) {
        hone_pool *p;
        assert_int_equal(hone_pool_create(threads, &p), HONE_OK);
        assert_int_equal(hone_pool_threads(p), threads);
        const hone_exec *ex = hone_pool_exec(p);
        assert_int_equal(ex->n_threads, threads);
        memset(&j, 0, sizeof j);
        int64_t expected[MANY] = {0};
        for (int round = 0; round < 400; round++) {
            const int64_t n = round % 7 == 0 ? MANY / 8 : round % 5;
            ex->parallel(ex, n, count_task, &j);
            for (int64_t i = 0; i < n; i++)
                expected[i]++;
            if (round % 100 == 50)
                usleep(2000); /* long enough for helpers to fall asleep */
        }
        for (int i = 0; i < MANY; i++)
            assert_int_equal(j.runs[i], expected[i]);
        assert_int_equal(j.threads_seen >> threads, 0);
        hone_pool_destroy(p);
    }
}

static void hold_task(void *arg, int64_t task, uint32_t thread)
{
    struct job *j = arg;
    (void)task;
    atomic_fetch_or(&j->threads_seen, 1u << thread);
    for (int i = 0; i < 20000 && j->threads_seen != 7u; i++)
        usleep(100); /* up to two seconds: until all three are here */
}

static void test_helpers_take_part(void **state)
{
    (void)state;
    static struct job j;
    hone_pool *p;
    assert_int_equal(hone_pool_create(3, &p), HONE_OK);
    const hone_exec *ex = hone_pool_exec(p);
    for (int round = 0; round < 3; round++) {
        atomic_store(&j.threads_seen, 0);
        ex->parallel(ex, 3, hold_task, &j);
        assert_int_equal(j.threads_seen, 7);
        usleep(3000);
    }
    hone_pool_destroy(p);
}

static void one_task(void *arg, int64_t task, uint32_t thread)
{
    (void)task;
    *(uint32_t *)arg = thread + 1;
}

static void test_one_task_runs_in_place(void **state)
{
    (void)state;
    hone_pool *p;
    assert_int_equal(hone_pool_create(3, &p), HONE_OK);
    for (int i = 0; i < 100; i++) {
        uint32_t where = 0;
        hone_pool_exec(p)->parallel(hone_pool_exec(p), 1, one_task, &where);
        assert_int_equal(where, 1);
    }
    hone_pool_destroy(p);
}

static void scratch_task(void *arg, int64_t task, uint32_t thread)
{
    struct job *j = arg;
    (void)task;
    unsigned char *s = j->ex->thread_scratch(j->ex, thread);
    assert_int_equal((uintptr_t)s % 64, 0);
    memset(s, (int)thread + 1, 100000);
    sched_yield();
    for (int i = 0; i < 100000; i += 999)
        assert_int_equal(s[i], thread + 1); /* nobody else writes here */
}

static void test_scratch_is_each_thread_s_own_and_grows(void **state)
{
    (void)state;
    static struct job j;
    hone_pool *p;
    assert_int_equal(hone_pool_create(3, &p), HONE_OK);
    assert_int_equal(hone_pool_reserve(p, 1000, 10), HONE_OK);
    assert_int_equal(hone_pool_reserve(p, 100000, 100000), HONE_OK);
    assert_int_equal(hone_pool_reserve(p, 10, 10), HONE_OK); /* never shrinks */
    j.ex = hone_pool_exec(p);
    memset(j.ex->shared_scratch, 7, 100000);
    j.ex->parallel(j.ex, 50, scratch_task, &j);
    hone_pool_destroy(p);
}

static void denormal_task(void *arg, int64_t task, uint32_t thread)
{
    volatile float tiny = 1e-38f, denormal = 1e-40f;
    (void)thread;
    ((float *)arg)[2 * task] = tiny * 0.01f;         /* the result would be denormal */
    ((float *)arg)[2 * task + 1] = denormal * 1e10f; /* the operand is */
}

static void test_denormals_are_zero_on_every_thread(void **state)
{
    (void)state;
    hone_pool *p;
    float out[400];
    for (int i = 0; i < 400; i++)
        out[i] = 1.0f;
    assert_int_equal(hone_pool_create(3, &p), HONE_OK);
    hone_pool_exec(p)->parallel(hone_pool_exec(p), 200, denormal_task, out);
    for (int i = 0; i < 400; i++)
        assert_true(out[i] == 0.0f);
    hone_pool_destroy(p);
}

static void test_thread_count_comes_from_the_environment(void **state)
{
    (void)state;
    hone_pool *p = NULL;
    setenv("HONE_THREADS", "5", 1);
    assert_int_equal(hone_pool_create(0, &p), HONE_OK);
    assert_int_equal(hone_pool_threads(p), 5);
    hone_pool_destroy(p);
    const char *const wrong[] = {"0", "-1", "two", "2x", "100000"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("HONE_THREADS", wrong[i], 1);
        p = NULL;
        assert_int_equal(hone_pool_create(0, &p), HONE_E_USAGE);
        assert_null(p);
        assert_non_null(strstr(hone_error_get()->what, wrong[i]));
    }
    setenv("HONE_THREADS", "", 1); /* as if unset */
    assert_int_equal(hone_pool_create(0, &p), HONE_OK);
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_int_equal(hone_pool_threads(p), CPU_COUNT(&set));
    hone_pool_destroy(p);
    assert_int_equal(hone_pool_create(HONE_POOL_MAX + 1, &p), HONE_E_RANGE);
}

static void test_a_pool_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    size_t blocks, bytes, blocks_after, bytes_after;
    hone_alloc_stats(&blocks, &bytes);
    hone_pool *p = NULL;
    hone_alloc_fail_after(1, 1);
    assert_int_equal(hone_pool_create(3, &p), HONE_E_NOMEM);
    hone_alloc_fail_after(0, 0);
    assert_null(p);
    hone_alloc_stats(&blocks_after, &bytes_after);
    assert_int_equal(blocks, blocks_after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_runs_once_in_every_job),
        cmocka_unit_test(test_helpers_take_part),
        cmocka_unit_test(test_one_task_runs_in_place),
        cmocka_unit_test(test_scratch_is_each_thread_s_own_and_grows),
        cmocka_unit_test(test_denormals_are_zero_on_every_thread),
        cmocka_unit_test(test_thread_count_comes_from_the_environment),
        cmocka_unit_test(test_a_pool_without_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
