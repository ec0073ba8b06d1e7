/* trace.c - see trace.h.
 *
 * Each thread that ends a span has a row: a ring of events, and sums by name and phase. Both are written by their own thread
 * alone, under the row's lock, which nobody else takes before the end: a thread that outlives its trace (a reward that hangs)
 * finds its row closed. Rows are made under one lock, which the end takes first: then no further one comes. A span counts
 * for itself what its inner spans did not: each end adds its length to the thread's `inner`, which the span around it takes
 * off its own.
 *
 * The file is in the Trace Event Format (complete events, "ph": "X", microseconds since recording began), which
 * chrome://tracing and ui.perfetto.dev read. Complete events nest whatever older ones a ring has lost. */
#include "base/trace.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 512, SUMS = 256 };

struct event {
    uint64_t start, end;
    char name[HONE_TRACE_NAME];
    uint8_t kind, phase;
    hone_trace_detail d;
};

struct sum {
    char name[HONE_TRACE_NAME];
    uint32_t kind, phase;
    uint64_t calls, ns, waited; /* ns: without inner spans */
};

struct row {
    pthread_mutex_t lock;
    uint64_t trace; /* whose row this is */
    int closed;     /* its thread writes no more */
    char name[HONE_TRACE_NAME];
    struct event *events;
    uint64_t n; /* ended so far: the ring holds the last `capacity` of them */
    struct sum *sums;
    size_t n_sums;
    uint64_t unsummed; /* ends of names for which there was no room */
};

int hone__trace_on;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct row rows[ROWS];
static uint64_t trace; /* number of the trace that is open, or was last */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER; /* of rows */
static int n_rows;                                         /* made; ROWS: no more of them */
static uint64_t homeless;                                  /* spans of threads without a ring */
static size_t capacity;
static char *target; /* NULL: none is open */
static uint64_t origin, since,
    recorded; /* ns: of the first event, of this recording, of those before */

static _Thread_local struct {
    struct row *row;
    uint64_t trace, inner, waited;
    uint32_t phase;
    char name[HONE_TRACE_NAME];
} mine;

static const char *const phases[HONE_TRACE_PHASES] = {"",        "prefill", "decode",  "score",
                                                      "forward", "replay",  "backward"};
static const char *const kinds[] = {"", "op", "work", "tasks", "wait"};

static void make_locks(void)
{
    for (int i = 0; i < ROWS; i++)
        pthread_mutex_init(&rows[i].lock, NULL);
}

static void copy_name(char to[HONE_TRACE_NAME], const char *name)
{
    size_t n = strlen(name);
    n = n < HONE_TRACE_NAME ? n : HONE_TRACE_NAME - 1;
    memcpy(to, name, n);
    to[n] = '\0';
}

/* ---- recording ------------------------------------------------------------------------------------ */

/* The calling thread's row of the open trace, made when it has none; NULL: there is no room for one. */
static struct row *my_row(const char *name)
{
    const uint64_t now = __atomic_load_n(&trace, __ATOMIC_ACQUIRE);
    if (mine.trace == now)
        return mine.row;
    mine.trace = now;
    mine.row = NULL;
    mine.inner = mine.waited = 0;
    pthread_mutex_lock(&making);
    struct row *r = now == trace && n_rows < ROWS ? &rows[n_rows] : NULL;
    struct event *events = r ? hone_calloc(capacity, sizeof *events) : NULL;
    struct sum *sums = r ? hone_calloc(SUMS, sizeof *sums) : NULL;
    if (events && sums) {
        pthread_mutex_lock(&r->lock); /* a thread of an older trace may look at it just now */
        r->trace = now;
        r->closed = 0;
        copy_name(r->name, name);
        r->events = events;
        r->sums = sums;
        r->n = r->n_sums = r->unsummed = 0;
        pthread_mutex_unlock(&r->lock);
        n_rows++;
        mine.row = r;
    } else {
        hone_free(events);
        hone_free(sums);
    }
    pthread_mutex_unlock(&making);
    return mine.row;
}

void hone_trace_thread(const char *name)
{
    if (__atomic_load_n(&target, __ATOMIC_ACQUIRE))
        (void)my_row(name);
}

void hone_trace_current(char name[HONE_TRACE_NAME], uint32_t *phase)
{
    memcpy(name, mine.name, HONE_TRACE_NAME);
    *phase = mine.phase;
}

void hone__trace_begin(hone_trace_span *s, const char *name, uint32_t kind, uint32_t phase)
{
    copy_name(s->name, name);
    s->kind = kind;
    s->phase = phase;
    if (kind == HONE_TRACE_OP || kind == HONE_TRACE_WORK) {
        memcpy(s->outer, mine.name, sizeof s->outer);
        memcpy(mine.name, s->name, sizeof mine.name);
        s->outer_phase = mine.phase;
        mine.phase = phase;
        s->inner = mine.inner;
        s->waited = mine.waited;
        mine.inner = mine.waited = 0;
    }
    s->start = hone_now_ns();
}

static void add_up(struct row *r, const struct sum *x)
{
    size_t i = 0;
    while (i < r->n_sums && (r->sums[i].phase != x->phase || r->sums[i].kind != x->kind ||
                             strcmp(r->sums[i].name, x->name) != 0))
        i++;
    if (i == SUMS) {
        r->unsummed += x->calls;
        return;
    }
    struct sum *to = &r->sums[i];
    if (i == r->n_sums) {
        r->n_sums++;
        *to = *x;
        return;
    }
    to->calls += x->calls;
    to->ns += x->ns;
    to->waited += x->waited;
}

void hone__trace_end(const hone_trace_span *s, const hone_trace_detail *d)
{
    const uint64_t end = hone_now_ns(), ns = end - s->start;
    uint64_t own = ns, waited = 0;
    if (s->kind == HONE_TRACE_OP || s->kind == HONE_TRACE_WORK) {
        own = ns > mine.inner ? ns - mine.inner : 0;
        waited = mine.waited;
        mine.inner = s->inner + ns;
        mine.waited = s->waited;
        memcpy(mine.name, s->outer, sizeof mine.name);
        mine.phase = s->outer_phase;
    } else if (s->kind == HONE_TRACE_WAIT) {
        mine.waited += ns;
    }
    if (!hone_trace_on())
        return;
    struct row *r = my_row("thread");
    if (!r) {
        __atomic_fetch_add(&homeless, 1, __ATOMIC_RELAXED);
        return;
    }
    pthread_mutex_lock(&r->lock);
    if (r->trace == mine.trace && !r->closed) {
        struct event *e = &r->events[r->n++ % capacity];
        e->start = s->start;
        e->end = end;
        memcpy(e->name, s->name, sizeof e->name);
        e->kind = (uint8_t)s->kind;
        e->phase = (uint8_t)s->phase;
        e->d = d ? *d : (hone_trace_detail){.layer = -1};
        struct sum one = {
            .kind = s->kind, .phase = s->phase, .calls = 1, .ns = own, .waited = waited};
        memcpy(one.name, s->name, sizeof one.name);
        add_up(r, &one);
    }
    pthread_mutex_unlock(&r->lock);
}

/* ---- the file --------------------------------------------------------------------------------------- */

static double micro(uint64_t ns)
{
    return (double)ns / 1000.0;
}

static void put_shapes(hone_jw *w, const char *key, const hone_trace_detail *d, uint32_t from,
                       uint32_t to)
{
    if (from >= to)
        return;
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (uint32_t i = from; i < to; i++) {
        hone_jw_list(w);
        hone_jw_i64(w, d->rows[i]);
        hone_jw_i64(w, d->cols[i]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static void put_event(hone_jw *w, const struct event *e, uint32_t thread)
{
    const uint32_t most = HONE_TRACE_SHAPES;
    const uint32_t n_in = e->d.n_in < most ? e->d.n_in : most;
    const uint32_t n = n_in + (e->d.n_out < most - n_in ? e->d.n_out : most - n_in);
    hone_jw_map(w);
    hone_jw_kcstr(w, "name", e->name);
    hone_jw_kcstr(w, "cat", kinds[e->kind]);
    hone_jw_kcstr(w, "ph", "X");
    hone_jw_kf64(w, "ts", micro(e->start > origin ? e->start - origin : 0));
    hone_jw_kf64(w, "dur", micro(e->end - (e->start > origin ? e->start : origin)));
    hone_jw_ki64(w, "pid", 1);
    hone_jw_ki64(w, "tid", thread);
    hone_jw_key(w, "args");
    hone_jw_map(w);
    if (e->phase)
        hone_jw_kcstr(w, "phase", phases[e->phase]);
    if (e->d.layer >= 0)
        hone_jw_ki64(w, "layer", e->d.layer);
    put_shapes(w, "in", &e->d, 0, n_in);
    put_shapes(w, "out", &e->d, n_in, n);
    if (e->d.tasks)
        hone_jw_ki64(w, "tasks", e->d.tasks);
    hone_jw_end(w);
    hone_jw_end(w);
}

static void put_name(hone_jw *w, const char *what, uint32_t thread, const char *name)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "name", what);
    hone_jw_kcstr(w, "ph", "M");
    hone_jw_ki64(w, "pid", 1);
    hone_jw_ki64(w, "tid", thread);
    hone_jw_key(w, "args");
    hone_jw_map(w);
    hone_jw_kcstr(w, "name", name);
    hone_jw_end(w);
    hone_jw_end(w);
}

/* By start; what ends later, and so lies around the other, first. */
static int by_start(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->end < y->end) - (x->end > y->end);
}

static int is_mine(const struct row *r)
{
    return r->trace == trace && r->events;
}

static uint64_t lost_of(const struct row *r)
{
    return r->n > capacity ? r->n - capacity : 0;
}

static uint64_t dropped(void)
{
    uint64_t n = __atomic_load_n(&homeless, __ATOMIC_RELAXED);
    for (int i = 0; i < ROWS; i++)
        n += is_mine(&rows[i]) ? lost_of(&rows[i]) : 0;
    return n;
}

/* One line: what is in `b`, after a comma unless it is the first. Empties it. */
static hone_status put_line(hone_writer *w, hone_buf *b, int *n)
{
    HONE_TRY(hone_buf_check(b, "trace"));
    HONE_TRY(hone_writer_add(w, *n ? ",\n" : "\n", *n ? 2 : 1));
    *n = 1;
    HONE_TRY(hone_writer_add(w, b->ptr, b->len));
    hone_buf_clear(b);
    return HONE_OK;
}

static hone_status put_row(hone_writer *w, hone_buf *b, uint32_t i, int *n)
{
    struct row *r = &rows[i];
    const size_t have = r->n < capacity ? (size_t)r->n : capacity;
    hone_jw j;
    hone_jw_init(&j, b, 0);
    put_name(&j, "thread_name", i, r->name);
    HONE_TRY(put_line(w, b, n));
    qsort(r->events, have, sizeof *r->events, by_start);
    for (size_t k = 0; k < have; k++) {
        hone_jw_init(&j, b, 0);
        put_event(&j, &r->events[k], i);
        HONE_TRY(put_line(w, b, n));
    }
    return HONE_OK;
}

static hone_status write_file(void)
{
    static const char head[] = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
    hone_writer w;
    hone_buf b;
    hone_jw j;
    int n = 0;
    hone_buf_init(&b, 1 << 16);
    HONE_TRY(hone_writer_create(&w, target));
    hone_status s = hone_writer_add(&w, head, sizeof head - 1);
    hone_jw_init(&j, &b, 0);
    put_name(&j, "process_name", 0, "hone");
    if (s >= 0)
        s = put_line(&w, &b, &n);
    for (uint32_t i = 0; s >= 0 && i < ROWS; i++)
        if (is_mine(&rows[i]))
            s = put_row(&w, &b, i, &n);
    if (s >= 0) {
        hone_buf_addf(&b, "\n],\"otherData\":{\"dropped\":%llu}}\n", (unsigned long long)dropped());
        s = hone_buf_check(&b, "trace");
    }
    if (s >= 0)
        s = hone_writer_add(&w, b.ptr, b.len);
    hone_buf_release(&b);
    if (s < 0) {
        hone_writer_abandon(&w);
        return s;
    }
    return hone_writer_close(&w);
}

/* ---- the table --------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct sum *x = *(const struct sum *const *)a, *y = *(const struct sum *const *)b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void put_sums(hone_buf *out, const struct row *r, double total)
{
    const struct sum *order[SUMS];
    size_t n = 0;
    double named = 0;
    for (size_t i = 0; i < r->n_sums; i++)
        if (r->sums[i].kind == HONE_TRACE_OP || r->sums[i].kind == HONE_TRACE_WORK)
            order[n++] = &r->sums[i];
    if (n)
        qsort(order, n, sizeof *order, by_time);
    for (size_t i = 0; i < n; i++) {
        const double ns = (double)order[i]->ns;
        named += ns;
        hone_buf_addf(out, "%-31s %-8s %9llu %11.3f %5.1f %% %9.3f\n", order[i]->name,
                      phases[order[i]->phase], (unsigned long long)order[i]->calls, ns * 1e-6,
                      100 * ns / total, (double)order[i]->waited * 1e-6);
    }
    if (r == &rows[0])
        hone_buf_addf(out, "%-31s %-8s %9s %11.3f %5.1f %%\n", "(nothing of these)", "", "",
                      (total - named) * 1e-6, 100 * (total - named) / total);
}

static void put_thread(hone_buf *out, const struct row *r, double total)
{
    uint64_t busy = 0, waits = 0, waited = 0;
    for (size_t i = 0; i < r->n_sums; i++) {
        const struct sum *s = &r->sums[i];
        if (s->kind == HONE_TRACE_TASKS)
            busy += s->ns;
        if (s->kind == HONE_TRACE_WAIT) {
            waits += s->calls;
            waited += s->ns;
        }
    }
    if (busy || waits)
        hone_buf_addf(out, "%-31s tasks %5.1f %% of the time; waits %llu, %.3f ms\n", r->name,
                      100 * (double)busy / total, (unsigned long long)waits, (double)waited * 1e-6);
}

/* Threads of one name (one pool after another, workers of rewards) are one in the table. */
static void join_namesakes(void)
{
    for (int i = 0; i < ROWS; i++) {
        for (int k = i + 1; is_mine(&rows[i]) && k < ROWS; k++) {
            if (!is_mine(&rows[k]) || strcmp(rows[k].name, rows[i].name) != 0)
                continue;
            for (size_t n = 0; n < rows[k].n_sums; n++)
                add_up(&rows[i], &rows[k].sums[n]);
            rows[i].unsummed += rows[k].unsummed;
            rows[k].n_sums = rows[k].unsummed = 0;
        }
    }
}

static hone_status put_table(hone_buf *out)
{
    const double total = recorded ? (double)recorded : 1.0;
    const uint64_t lost = dropped();
    uint64_t unsummed = 0;
    join_namesakes();
    hone_buf_addf(out, "%-31s %-8s %9s %11s %7s %9s\n", "what", "phase", "calls", "ms", "share",
                  "waits ms");
    for (int i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        int works = 0;
        for (size_t k = 0; is_mine(r) && k < r->n_sums; k++)
            works |= r->sums[k].kind == HONE_TRACE_OP || r->sums[k].kind == HONE_TRACE_WORK;
        if (works && i > 0)
            hone_buf_addf(out, "beside it, thread %s:\n", r->name);
        if (works || (i == 0 && is_mine(r)))
            put_sums(out, r, total);
    }
    hone_buf_addf(out, "\n");
    for (int i = 0; i < ROWS; i++)
        if (is_mine(&rows[i])) {
            put_thread(out, &rows[i], total);
            unsummed += rows[i].unsummed;
        }
    if (unsummed)
        hone_buf_addf(out, "%llu spans of too many names are not in the table\n",
                      (unsigned long long)unsummed);
    hone_buf_addf(out, "%.3f s recorded; a span's time is without spans in it%s\n", total * 1e-9,
                  lost ? "" : ", and none was dropped");
    if (lost)
        hone_buf_addf(
            out, "%llu spans dropped: the file has the last %zu of each thread, the table all\n",
            (unsigned long long)lost, capacity);
    return hone_buf_check(out, "trace");
}

/* ---- the life of a trace ----------------------------------------------------------------------------- */

/* Can the file be made? Nothing stays behind. */
static hone_status try_file(const char *path)
{
    struct stat st;
    hone_writer w;
    hone_status s = HONE_OK;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        s = hone_fail(HONE_E_INVALID, "%s: a trace is written into a file, and this is %s", path,
                      S_ISDIR(st.st_mode) ? "a folder" : "none");
        hone_fail_hint("give the name of a file, such as %s", "trace.json");
        return s;
    }
    s = hone_writer_create(&w, path);
    if (s < 0) {
        hone_fail_hint("the folder of the trace must exist, and be one that can be written to");
        return s;
    }
    hone_writer_abandon(&w);
    return HONE_OK;
}

hone_status hone_trace_open(const char *path, size_t events)
{
    if (target)
        return hone_fail(HONE_E_STATE, "%s: a trace is open already", target);
    HONE_TRY(try_file(path));
    char *name = hone_strdup(path);
    if (!name)
        return HONE_E_NOMEM;
    pthread_once(&once, make_locks);
    capacity = events ? events : HONE_TRACE_EVENTS;
    origin = since = recorded = 0;
    __atomic_store_n(&homeless, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&making);
    n_rows = 0;
    __atomic_store_n(&trace, trace + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&making);
    if (!my_row("main")) {
        hone_free(name);
        return HONE_E_NOMEM;
    }
    __atomic_store_n(&target, name, __ATOMIC_RELEASE);
    return HONE_OK;
}

void hone_trace_record(int on)
{
    if (!target || !!on == hone_trace_on())
        return;
    const uint64_t now = hone_now_ns();
    if (on) {
        since = now;
        origin = origin ? origin : now;
    } else {
        recorded += now - since;
    }
    __atomic_store_n(&hone__trace_on, !!on, __ATOMIC_RELEASE);
}

hone_status hone_trace_close(hone_buf *table)
{
    if (!target)
        return HONE_OK;
    hone_trace_record(0);
    pthread_mutex_lock(&making);
    n_rows = ROWS;
    pthread_mutex_unlock(&making);
    for (int i = 0; i < ROWS; i++) {
        pthread_mutex_lock(&rows[i].lock);
        rows[i].closed = 1;
        pthread_mutex_unlock(&rows[i].lock);
    }
    hone_status s = origin ? write_file() : HONE_OK;
    if (s >= 0 && table && origin)
        s = put_table(table);
    for (int i = 0; i < ROWS; i++) {
        hone_free(rows[i].events);
        hone_free(rows[i].sums);
        rows[i].events = NULL;
        rows[i].sums = NULL;
        rows[i].n = rows[i].n_sums = 0;
    }
    char *name = target;
    __atomic_store_n(&target, NULL, __ATOMIC_RELEASE);
    hone_free(name);
    return s;
}
