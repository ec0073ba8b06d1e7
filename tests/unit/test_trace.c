/* test_trace.c - a trace has every span of every thread, nested; what a ring lost is counted; its file is whole or not there;
 * and the work does not notice. */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/trace.h"
#include "graph/tape.h"
#include "tensor/pool.h"

#include <pthread.h>
#include <sys/stat.h>

static const char *file(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
    return path;
}

static void work(const char *name, int inner)
{
    hone_trace_span span;
    hone_trace_begin(&span, name, HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    for (int i = 0; i < inner; i++)
        work("inner", 0);
    hone_trace_end(&span, NULL);
}

struct read {
    hone_arena arena;
    hone_value json;
    const hone_value *events;
    hone_buf table;
    int64_t dropped;
};

static void finish(struct read *r, const char *path)
{
    hone_arena_init(&r->arena, 0);
    hone_buf_init(&r->table, 1 << 20);
    assert_ok(hone_trace_close(&r->table));
    assert_ok(hone_json_parse_file(path, 0, &r->arena, &r->json));
    r->events = hone_value_get(&r->json, "traceEvents");
    assert_non_null(r->events);
    assert_int_equal(r->events->type, HONE_LIST);
    assert_ok(hone_value_i64(hone_value_path(&r->json, "otherData"), "dropped", -1, &r->dropped));
}

static void release(struct read *r)
{
    hone_arena_release(&r->arena);
    hone_buf_release(&r->table);
}

static const char *text_of(const hone_value *map, const char *key)
{
    static char text[4][64];
    static int turn;
    hone_str z = {"", 0};
    assert_ok(hone_value_string(map, key, z, &z));
    char *out = text[turn = (turn + 1) % 4];
    snprintf(out, sizeof text[0], "%.*s", (int)z.len, z.ptr);
    return out;
}

/* Complete spans called `name` (of thread tid; -1: any). */
static int count(const struct read *r, const char *name, int64_t tid)
{
    int n = 0;
    for (size_t i = 0; i < r->events->u.list.n; i++) {
        const hone_value *e = &r->events->u.list.items[i];
        int64_t t;
        assert_ok(hone_value_i64(e, "tid", -1, &t));
        n += strcmp(text_of(e, "ph"), "X") == 0 && strcmp(text_of(e, "name"), name) == 0 &&
             (tid < 0 || t == tid);
    }
    return n;
}

/* Spans of one thread lie in each other or apart, and are sorted. */
static void check_nesting(const struct read *r)
{
    double ends[64], from = 0;
    int64_t of = -1;
    int depth = 0;
    for (size_t i = 0; i < r->events->u.list.n; i++) {
        const hone_value *e = &r->events->u.list.items[i];
        double ts, dur;
        int64_t tid;
        if (strcmp(text_of(e, "ph"), "X") != 0)
            continue;
        assert_ok(hone_value_f64(e, "ts", -1, &ts));
        assert_ok(hone_value_f64(e, "dur", -1, &dur));
        assert_ok(hone_value_i64(e, "tid", -1, &tid));
        assert_true(ts >= 0 && dur >= 0);
        if (tid != of) {
            of = tid;
            depth = 0;
            from = 0;
        }
        assert_true(ts >= from);
        from = ts;
        while (depth && ts >= ends[depth - 1] - 1e-6)
            depth--;
        assert_true(depth == 0 || ts + dur <= ends[depth - 1] + 1e-6);
        assert_true(depth < 64);
        ends[depth++] = ts + dur;
    }
}

static void test_spans_nest_and_add_up(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct read r;
    snprintf(path, sizeof path, "%s", file("nest.json"));
    assert_ok(hone_trace_open(path, 0));
    work("before recording", 0);
    hone_trace_record(1);
    work("outer", 3);
    work("outer", 0);
    hone_trace_record(0);
    work("after recording", 0);
    finish(&r, path);
    assert_int_equal(count(&r, "outer", 0), 2);
    assert_int_equal(count(&r, "inner", 0), 3);
    assert_int_equal(count(&r, "before recording", -1), 0);
    assert_int_equal(count(&r, "after recording", -1), 0);
    assert_int_equal(r.dropped, 0);
    check_nesting(&r);
    assert_non_null(strstr(r.table.ptr, "outer"));
    assert_non_null(strstr(r.table.ptr, "none was dropped"));
    release(&r);
}

/* The share of a span is without what its inner spans took. */
static void test_a_spans_own_time_is_without_inner_spans(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct read r;
    hone_trace_span outer, inner;
    snprintf(path, sizeof path, "%s", file("own.json"));
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    hone_trace_begin(&outer, "around", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_trace_begin(&inner, "sleeps", HONE_TRACE_WORK, HONE_TRACE_DECODE);
    usleep(20000);
    hone_trace_end(&inner, NULL);
    hone_trace_end(&outer, NULL);
    finish(&r, path);
    double around = 0, sleeps = 0;
    const char *line = strstr(r.table.ptr, "around");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "around %*d %lf", &around), 1);
    line = strstr(r.table.ptr, "sleeps");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "sleeps decode %*d %lf", &sleeps), 1);
    assert_true(sleeps >= 20);
    assert_true(around < sleeps);
    release(&r);
}

static void test_a_full_ring_keeps_the_newest_and_counts_the_rest(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct read r;
    snprintf(path, sizeof path, "%s", file("ring.json"));
    assert_ok(hone_trace_open(path, 10));
    hone_trace_record(1);
    work("old", 0);
    for (int i = 0; i < 24; i++)
        work("new", 0);
    finish(&r, path);
    assert_int_equal(count(&r, "new", 0), 10);
    assert_int_equal(count(&r, "old", 0), 0);
    assert_int_equal(r.dropped, 15);
    check_nesting(&r);
    assert_non_null(strstr(r.table.ptr, "15 spans dropped"));
    const char *line = strstr(r.table.ptr, "new"); /* sums know of all */
    int calls = 0;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "new %d", &calls), 1);
    assert_int_equal(calls, 24);
    release(&r);
}

static void task(void *arg, int64_t i, uint32_t thread)
{
    (void)thread;
    ((_Atomic int64_t *)arg)[i]++;
    usleep(200);
}

static void test_threads_of_a_pool_have_names_and_share_a_job(void **state)
{
    (void)state;
    enum { TASKS = 40 };
    static _Atomic int64_t runs[TASKS];
    char path[PATH_MAX];
    struct read r;
    hone_pool *p;
    hone_trace_span span;
    int64_t tasks = 0, n;
    int named = 0;
    snprintf(path, sizeof path, "%s", file("pool.json"));
    assert_ok(hone_trace_open(path, 0));
    assert_ok(hone_pool_create(3, &p));
    hone_trace_record(1);
    hone_trace_begin(&span, "job", HONE_TRACE_OP, HONE_TRACE_BACKWARD);
    hone_pool_exec(p)->parallel(hone_pool_exec(p), TASKS, task, runs);
    hone_trace_end(&span, &(hone_trace_detail){
                              .layer = 7, .n_in = 1, .n_out = 1, .rows = {2, 3}, .cols = {4, 5}});
    hone_trace_record(0);
    hone_pool_destroy(p);
    finish(&r, path);
    check_nesting(&r);
    int ops = 0;
    for (size_t i = 0; i < r.events->u.list.n; i++) {
        const hone_value *e = &r.events->u.list.items[i], *args = hone_value_get(e, "args");
        assert_non_null(args);
        named += strcmp(text_of(e, "name"), "thread_name") == 0 &&
                 strncmp(text_of(args, "name"), "helper ", 7) == 0;
        if (strcmp(text_of(e, "name"), "job") != 0)
            continue;
        assert_string_equal(text_of(args, "phase"), "backward");
        assert_ok(hone_value_i64(args, "tasks", 0, &n));
        tasks += n;
        if (strcmp(text_of(e, "cat"), "op") == 0) {
            const hone_value *in = hone_value_get(args, "in"), *out = hone_value_get(args, "out");
            ops++;
            assert_ok(hone_value_i64(args, "layer", -1, &n));
            assert_int_equal(n, 7);
            assert_int_equal(in->u.list.n, 1);
            assert_int_equal(in->u.list.items[0].u.list.items[1].u.i64, 4);
            assert_int_equal(out->u.list.items[0].u.list.items[0].u.i64, 3);
        }
    }
    assert_int_equal(ops, 1);
    assert_int_equal(tasks, TASKS); /* every task once, whoever took it */
    assert_int_equal(named, 2);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(runs[i], 1);
    release(&r);
}

static void add_op(hone_tape *t, float out[4])
{
    const float a[4] = {1, 2, 3, 4}, b[4] = {0.5f, 0.25f, 1e-8f, -4};
    assert_ok(hone_tape_begin(t, NULL, HONE_MODE_TRAIN, NULL, NULL));
    hone_tensor in[2] = {hone_tape_input(t, 2, 2, HONE_F32, a), hone_tape_variable(t, 2, 2, b)};
    hone_tensor y;
    assert_ok(hone_tape_op(t, "mul/1", in, 2, NULL, 0, &y, 1));
    hone_tape_root(t, y);
    assert_ok(hone_tape_forward(t));
    assert_ok(hone_tape_seed(t, y, a));
    memcpy(out, hone_tape_value(t, y).data, 4 * sizeof *out);
    assert_ok(hone_tape_backward(t));
}

static void test_ops_of_a_tape_are_named_with_phase_and_shapes(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct read r;
    hone_pool *p;
    hone_tape *t;
    float plain[4], traced[4];
    int forward = 0, backward = 0;
    snprintf(path, sizeof path, "%s", file("ops.json"));
    assert_ok(hone_pool_create(1, &p));
    assert_ok(hone_tape_create(hone_pool_exec(p), &t));
    add_op(t, plain);
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    add_op(t, traced);
    finish(&r, path);
    assert_memory_equal(plain, traced, sizeof plain);
    for (size_t i = 0; i < r.events->u.list.n; i++) {
        const hone_value *e = &r.events->u.list.items[i], *args = hone_value_get(e, "args");
        if (strcmp(text_of(e, "name"), "mul/1") != 0)
            continue;
        forward += strcmp(text_of(args, "phase"), "forward") == 0;
        backward += strcmp(text_of(args, "phase"), "backward") == 0;
        assert_int_equal(hone_value_get(args, "in")->u.list.n, 2);
        assert_int_equal(hone_value_get(args, "out")->u.list.n, 1);
    }
    assert_int_equal(forward, 1);
    assert_int_equal(backward, 1);
    release(&r);
    hone_tape_destroy(t);
    hone_pool_destroy(p);
}

static void test_a_file_that_cannot_be_written_fails_at_once(void **state)
{
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", file("none/trace.json"));
    assert_int_equal(hone_trace_open(path, 0), HONE_E_NOT_FOUND);
    assert_non_null(strstr(hone_error_get()->what, "none/trace.json"));
    assert_non_null(strstr(hone_error_get()->hint, "folder"));
    assert_int_equal(hone_trace_open(scratch_dir(), 0), HONE_E_INVALID);
    assert_non_null(strstr(hone_error_get()->what, "a folder"));
    assert_int_equal(hone_trace_open("/dev/null", 0), HONE_E_INVALID);
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    hone_trace_record(1); /* nothing is open */
    assert_false(hone_trace_on());
    assert_ok(hone_trace_close(NULL));
}

static void test_a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    char path[PATH_MAX];
    char **names;
    size_t n, temporary = 0;
    hone_buf b;
    snprintf(path, sizeof path, "%s", file("full.json"));
    assert_ok(hone_file_replace(path, "old", 3));
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    work("something", 0);
    hone_file_fault_after(100);
    assert_int_equal(hone_trace_close(NULL), HONE_E_NO_SPACE);
    hone_file_fault_after(-1);
    hone_buf_init(&b, 100);
    assert_ok(hone_file_read(path, 100, &b));
    assert_int_equal(b.len, 3);
    hone_buf_release(&b);
    assert_ok(hone_list_dir(scratch_dir(), &names, &n));
    for (size_t i = 0; i < n; i++)
        temporary += strstr(names[i], ".tmp-") != NULL;
    hone_names_free(names, n);
    assert_int_equal(temporary, 0);
    assert_ok(hone_trace_open(path, 0)); /* it is over */
    assert_int_equal(hone_trace_open(path, 0), HONE_E_STATE);
    assert_ok(hone_trace_close(NULL));
}

static void test_nothing_recorded_writes_nothing(void **state)
{
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", file("empty.json"));
    assert_ok(hone_trace_open(path, 0));
    assert_ok(hone_trace_close(NULL));
    assert_false(hone_file_exists(path));
}

struct late {
    pthread_barrier_t begun, over;
};

static void *outlive(void *arg)
{
    struct late *l = arg;
    hone_trace_span span;
    hone_trace_thread("late");
    hone_trace_begin(&span, "hangs", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    pthread_barrier_wait(&l->begun);
    pthread_barrier_wait(&l->over);
    hone_trace_end(&span, NULL);
    work("later", 0);
    return NULL;
}

static void test_a_thread_may_outlive_the_trace(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct read r;
    struct late l;
    pthread_t t;
    snprintf(path, sizeof path, "%s", file("late.json"));
    pthread_barrier_init(&l.begun, NULL, 2);
    pthread_barrier_init(&l.over, NULL, 2);
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    assert_int_equal(pthread_create(&t, NULL, outlive, &l), 0);
    pthread_barrier_wait(&l.begun);
    finish(&r, path);
    assert_int_equal(count(&r, "hangs", -1), 0);
    release(&r);
    assert_ok(hone_trace_open(path, 0)); /* another trace, in which that thread is new */
    hone_trace_record(1);
    pthread_barrier_wait(&l.over);
    pthread_join(t, NULL);
    finish(&r, path);
    assert_int_equal(count(&r, "later", 1), 1);
    release(&r);
    pthread_barrier_destroy(&l.begun);
    pthread_barrier_destroy(&l.over);
}

/* A return between begin and end costs that span, and the names around it come back. */
static void test_a_span_without_an_end_costs_only_itself(void **state)
{
    (void)state;
    char path[PATH_MAX], name[HONE_TRACE_NAME];
    uint32_t phase;
    struct read r;
    hone_trace_span outer, lost;
    snprintf(path, sizeof path, "%s", file("lost.json"));
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    hone_trace_begin(&outer, "outer", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_trace_begin(&lost, "lost", HONE_TRACE_WORK, HONE_TRACE_DECODE);
    hone_trace_current(name, &phase);
    assert_string_equal(name, "lost");
    assert_int_equal(phase, HONE_TRACE_DECODE);
    hone_trace_end(&outer, NULL);
    hone_trace_current(name, &phase);
    assert_string_equal(name, "");
    assert_int_equal(phase, HONE_TRACE_NO_PHASE);
    work("next", 1);
    finish(&r, path);
    assert_int_equal(count(&r, "lost", -1), 0);
    assert_int_equal(count(&r, "outer", 0), 1);
    assert_int_equal(count(&r, "next", 0), 1);
    check_nesting(&r);
    release(&r);
}

static void *one_span(void *arg)
{
    hone_trace_thread("worker");
    work(arg, 0);
    return NULL;
}

static void test_threads_of_one_name_are_one_in_the_table(void **state)
{
    (void)state;
    char path[PATH_MAX], name[] = "shared";
    struct read r;
    int calls = 0;
    snprintf(path, sizeof path, "%s", file("same.json"));
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    for (int i = 0; i < 3; i++) {
        pthread_t t;
        assert_int_equal(pthread_create(&t, NULL, one_span, name), 0);
        pthread_join(t, NULL);
    }
    finish(&r, path);
    for (int64_t tid = 1; tid <= 3; tid++)
        assert_int_equal(count(&r, "shared", tid), 1);
    const char *line = strstr(r.table.ptr, "shared");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "shared %d", &calls), 1);
    assert_int_equal(calls, 3);
    assert_null(strstr(line + 1, "shared"));
    release(&r);
}

/* More names than the table has room for: the file has all, the table says what it lacks. */
static void test_too_many_names_are_said(void **state)
{
    (void)state;
    char path[PATH_MAX], name[16];
    struct read r;
    snprintf(path, sizeof path, "%s", file("many.json"));
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "name %d", i);
        work(name, 0);
    }
    finish(&r, path);
    assert_int_equal(count(&r, "name 299", 0), 1);
    assert_non_null(strstr(r.table.ptr, "44 spans of too many names"));
    release(&r);
}

/* Names from outside (components') may be long and hold anything. */
static void test_names_are_cut_and_quoted(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct read r;
    snprintf(path, sizeof path, "%s", file("names.json"));
    assert_ok(hone_trace_open(path, 0));
    hone_trace_record(1);
    work("a \"quoted\"\\ name\n", 0);
    work("0123456789012345678901234567890123456789", 0);
    finish(&r, path);
    assert_int_equal(count(&r, "a \"quoted\"\\ name\n", 0), 1);
    assert_int_equal(count(&r, "0123456789012345678901234567890", 0), 1);
    release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_nest_and_add_up),
        cmocka_unit_test(test_a_spans_own_time_is_without_inner_spans),
        cmocka_unit_test(test_a_full_ring_keeps_the_newest_and_counts_the_rest),
        cmocka_unit_test(test_threads_of_a_pool_have_names_and_share_a_job),
        cmocka_unit_test(test_ops_of_a_tape_are_named_with_phase_and_shapes),
        cmocka_unit_test(test_a_file_that_cannot_be_written_fails_at_once),
        cmocka_unit_test(test_a_full_disk_leaves_the_old_file),
        cmocka_unit_test(test_nothing_recorded_writes_nothing),
        cmocka_unit_test(test_a_thread_may_outlive_the_trace),
        cmocka_unit_test(test_a_span_without_an_end_costs_only_itself),
        cmocka_unit_test(test_threads_of_one_name_are_one_in_the_table),
        cmocka_unit_test(test_too_many_names_are_said),
        cmocka_unit_test(test_names_are_cut_and_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
