/* pin.c - see pin.h. Source: plugin-abi.md section 7, Wake-up; sched_setaffinity(2). */
#include "sandbox/pin.h"

#include "base/clock.h"

#include <sched.h>

#define LONG_NS 200000u

static _Thread_local struct {
    int keep, held, cpu;
    uint64_t since; /* when the call began */
    cpu_set_t own;  /* where it may run else */
} me;

static void let_go(void)
{
    if (me.held)
        sched_setaffinity(0, sizeof me.own, &me.own);
    me.held = 0;
}

void hone_pin_keep(int on)
{
    me.keep = on;
    if (!on)
        let_go();
}

int hone__pin_enter(void)
{
    unsigned cpu = 0;
    cpu_set_t one;
    me.since = me.keep ? hone_now_ns() : 0;
    if (me.held)
        return me.cpu;
    if (getcpu(&cpu, NULL) != 0 || cpu >= CPU_SETSIZE ||
        sched_getaffinity(0, sizeof me.own, &me.own) != 0)
        return -1;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (CPU_COUNT(&me.own) > 1)
        me.held = sched_setaffinity(0, sizeof one, &one) == 0;
    me.cpu = (int)cpu;
    return me.cpu;
}

void hone__pin_leave(void)
{
    if (me.held && (!me.keep || hone_now_ns() - me.since > LONG_NS))
        let_go();
}
