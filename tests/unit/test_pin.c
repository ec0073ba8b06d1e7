/* A caller of boxes is held on one processor, as long as it says, and no longer. */
#include "support.h"

#include "sandbox/pin.h"

#include <sched.h>

static int cpus(void)
{
    cpu_set_t now;
    assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
    return CPU_COUNT(&now);
}

static void test_a_call_holds_its_thread(void **state)
{
    (void)state;
    int before = cpus();
    int cpu = hone__pin_enter();
    assert_true(cpu >= 0);
    assert_int_equal(cpus(), 1);
    assert_int_equal(sched_getcpu(), cpu);
    hone__pin_leave();
    assert_int_equal(cpus(), before);
}

static void test_who_keeps_is_held_until_it_lets_go(void **state)
{
    (void)state;
    int before = cpus();
    hone_pin_keep(1);
    assert_int_equal(cpus(), before); /* nothing was called yet */
    int cpu = hone__pin_enter();
    hone__pin_leave();
    if (before > 1) /* unless this took 0.2 ms, it is held still */
        assert_true(cpus() == 1 || cpus() == before);
    assert_true(hone__pin_enter() >= 0 && cpu >= 0);
    assert_int_equal(cpus(), 1);
    hone__pin_leave();
    hone_pin_keep(0);
    assert_int_equal(cpus(), before);
}

static void test_a_long_call_lets_go_in_any_case(void **state)
{
    (void)state;
    int before = cpus();
    hone_pin_keep(1);
    hone__pin_enter();
    usleep(2000);
    hone__pin_leave();
    assert_int_equal(cpus(), before);
    hone_pin_keep(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_holds_its_thread),
        cmocka_unit_test(test_who_keeps_is_held_until_it_lets_go),
        cmocka_unit_test(test_a_long_call_lets_go_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
