/* trace.h - where time goes: spans of every thread, written as one Chrome trace and summed in a table.
 *
 *   hone_trace_open("steps.json", 0)       before the work: an unwritable name fails here
 *   hone_trace_record(1)                   ... the work ... hone_trace_record(0)
 *   hone_trace_close(&table)               writes the file, whole or not at all
 * and where work is done:
 *   hone_trace_span span;
 *   hone_trace_begin(&span, "draw tokens", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
 *   ... (spans of one thread nest; a return without an end costs only that span)
 *   hone_trace_end(&span, NULL);
 *
 * While nothing is recorded, begin and end are a load and a branch each. While it is, a span goes to a ring of its thread,
 * made when the thread shows up: the newest spans stay, and how many older ones were overwritten is said in the file and in the
 * table. The table's sums are of all spans, overwritten ones included. Nothing here changes what is computed. */
#ifndef HONE_CORE_BASE_TRACE_H
#define HONE_CORE_BASE_TRACE_H
#include "base/buf.h"

#include <stdint.h>

enum {
    HONE_TRACE_OP = 1, /* one call of an op by the executor */
    HONE_TRACE_WORK,   /* anything else that a thread does: a decode step, a call of a reward */
    HONE_TRACE_TASKS,  /* one thread's share of a job; it lies in the span that started the job */
    HONE_TRACE_WAIT /* it does nothing, or wakes others: beside the sums of what lies around it */
};
enum {
    HONE_TRACE_NO_PHASE,
    HONE_TRACE_PREFILL,
    HONE_TRACE_DECODE,
    HONE_TRACE_SCORE,
    HONE_TRACE_FORWARD, /* of training */
    HONE_TRACE_REPLAY,
    HONE_TRACE_BACKWARD,
    HONE_TRACE_PHASES
};
enum { HONE_TRACE_SHAPES = 4, HONE_TRACE_NAME = 32, HONE_TRACE_EVENTS = 1 << 18 };

/* What stands in "args". */
typedef struct hone_trace_detail {
    int32_t layer;        /* -1: none */
    uint32_t n_in, n_out; /* shapes used: inputs, then outputs */
    int64_t rows[HONE_TRACE_SHAPES], cols[HONE_TRACE_SHAPES];
    int64_t tasks; /* taken by this thread; 0: not said */
} hone_trace_detail;

typedef struct hone_trace_span {
    uint64_t start; /* ns; 0: not recorded. The rest is trace.c's */
    uint64_t inner, waited;
    uint32_t kind, phase, outer_phase;
    char name[HONE_TRACE_NAME], outer[HONE_TRACE_NAME];
} hone_trace_span;

/* One trace at a time. `events` a thread: 0 is HONE_TRACE_EVENTS. Fails with E_IO, E_NOT_FOUND ... when the file could not be
 * written, E_INVALID when `path` is no plain file, E_STATE when a trace is open.            [control-thread] */
hone_status hone_trace_open(const char *path, size_t events);
/* Starts, or stops, recording; the calling thread is the one whose time the table shares out. Nothing without an open
 * trace.                                                                                       [control-thread] */
void hone_trace_record(int on);
/* Writes the file and appends the table to `table` (NULL: none). The trace is over, whatever is returned. Nothing is written when
 * nothing was ever recorded, or none is open.                                                                               [control-thread] */
hone_status hone_trace_close(hone_buf *table);
/* Names the calling thread and makes its ring (cut at 31 bytes). For threads that live long; others are "thread". [any-thread] */
void hone_trace_thread(const char *name);
/* The innermost span of this thread, "" without one.                                            [any-thread] */
void hone_trace_current(char name[HONE_TRACE_NAME], uint32_t *phase);

extern int hone__trace_on; /* read and written atomically */
void hone__trace_begin(hone_trace_span *s, const char *name, uint32_t kind, uint32_t phase);
void hone__trace_end(const hone_trace_span *s, const hone_trace_detail *d);

static inline int hone_trace_on(void)
{
    return __builtin_expect(__atomic_load_n(&hone__trace_on, __ATOMIC_RELAXED), 0);
}

/* `name` is copied.                                                                              [any-thread] */
static inline void hone_trace_begin(hone_trace_span *s, const char *name, uint32_t kind,
                                    uint32_t phase)
{
    s->start = 0;
    if (hone_trace_on())
        hone__trace_begin(s, name, kind, phase);
}

/* d NULL: no args beyond the phase.                                                              [any-thread] */
static inline void hone_trace_end(const hone_trace_span *s, const hone_trace_detail *d)
{
    if (__builtin_expect(s->start != 0, 0))
        hone__trace_end(s, d);
}
#endif
