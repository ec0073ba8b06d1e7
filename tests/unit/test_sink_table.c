/* test_sink_table.c - the table of the csv sink is taken up where a run is resumed, and only a table of this sink. */
#include "../../plugins/sink/files/files.c"

#include "../../plugins/sink/files/csv.c"

#include "support.h"

#include "base/buf.h"
#include "base/file.h"
#include "hone/testing.h"

const hone_component files_tensorboard = {.id = "org.hone.sink.other"};

static hone_pair number(const char *name, double v)
{
    return (hone_pair){.key = hone_str_c(name), .value = {.type = HONE_F64, .u.f64 = v}};
}

static const char *table_path(void)
{
    return scratch_path("metrics.csv");
}

static hone_status resume(hone_test *t, const char *old, size_t n, double from)
{
    assert_int_equal(hone_file_replace(table_path(), old, n), HONE_OK);
    assert_true(hone_test_begin(t, "csv", NULL));
    hone_pair run[2] = {number("from_step", from),
                        {.key = hone_str_c("dir"),
                         .value = {.type = HONE_STRING, .u.str = hone_str_c(scratch_dir())}}};
    const hone_value v = {.type = HONE_MAP, .u.map = {run, 2}};
    return ((const hone_sink_v1 *)hone_test_iface(t, HONE_IFACE_SINK))
        ->event(t->self, hone_str_c("run"), &v);
}

static void expect(const char *want, size_t n)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    assert_true(hone_file_read(table_path(), 1 << 20, &b) >= 0);
    if (b.len != n || memcmp(b.ptr, want, n) != 0)
        fail_msg("the table is\n%s", b.ptr);
    hone_buf_release(&b);
}

static void step(hone_test *t, double n, const char *name, double v)
{
    hone_pair pairs[2] = {number("step", n), number(name, v)};
    const hone_value fields_of = {.type = HONE_MAP, .u.map = {pairs, 2}};
    assert_int_equal(((const hone_sink_v1 *)hone_test_iface(t, HONE_IFACE_SINK))
                         ->event(t->self, hone_str_c("step"), &fields_of),
                     HONE_OK);
}

static void finish(hone_test *t)
{
    hone_test_end(t);
    assert_int_equal(hone_test_failures, 0);
}

static void test_a_resumed_run_goes_on_with_its_columns(void **state)
{
    static const char old[] = "step,loss,\"a \"\"b\"\", c\"\n1,0.5,\n2,0.25,1e-05\n3,9,9\n4,8";
    static const char now[] =
        "step,loss,\"a \"\"b\"\", c\",kl\n1,0.5,,\n2,0.25,1e-05,\n3,,7,\n4,,,-0.125\n";
    hone_test t;
    (void)state;
    assert_int_equal(resume(&t, old, sizeof old - 1, 2), HONE_OK);
    step(&t, 1, "loss", 99); /* was there already */
    step(&t, 3, "a \"b\", c", 7);
    step(&t, 4, "kl", -0.125);
    finish(&t);
    expect(now, sizeof now - 1);
}

static void test_an_empty_file_becomes_a_table(void **state)
{
    hone_test t;
    (void)state;
    assert_int_equal(resume(&t, "", 0, 0), HONE_OK);
    step(&t, 1, "loss", 2);
    finish(&t);
    expect("step,loss\n1,2\n", 14);
}

/* Whatever else stands there stays as it is, and the run is told. */
static void test_what_is_no_such_table_is_not_touched(void **state)
{
#define BAD(text)                                                                                  \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
    static const struct {
        const char *text;
        size_t n;
    } bad[] = {
        BAD("x"),
        BAD("step,loss"), /* no line */
        BAD("loss,step\n1,2\n"),
        BAD("steps,loss\n1,2\n"),
        BAD("step,\n1,2\n"),
        BAD("step,loss,loss\n1,2,3\n"),
        BAD("step,\"loss\n1,2\n"),
        BAD("step,\"loss\"x\n1,2\n"),
        BAD("step,loss\r\n1,2\r\n"), /* a spreadsheet wrote it again */
        BAD("step,lo\0ss\n1,2\n"),
        BAD("step,loss\n,2\n"),
        BAD("step,loss\n-1,2\n"),
        BAD("step,loss\n1.5,2\n"),
        BAD("step,loss\n12345678901234567,2\n"),
        BAD("step,loss\n1\n"),
        BAD("step,loss\n1,2,3\n"),
        BAD("step,loss\n1,none\n"),
        BAD("step,loss\n1,\"2\"\n"),
        BAD("step,loss\n1,\0\n"),
        BAD("step,loss\n1,2\n\n"),
        BAD("step\n1,\n"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hone_test t;
        if (resume(&t, bad[i].text, bad[i].n, 100) != HONE_E_PARSE)
            fail_msg("case %zu was taken up: %s", i, bad[i].text);
        assert_non_null(strstr(t.error, "is not a table that this sink wrote"));
        step(&t, 101, "loss", 1);
        finish(&t);
        expect(bad[i].text, bad[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_resumed_run_goes_on_with_its_columns),
        cmocka_unit_test(test_an_empty_file_becomes_a_table),
        cmocka_unit_test(test_what_is_no_such_table_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
