/* pass.c - see pass.h. A task is some rows in a row, so that a thread's cache has them; slots lie in one array. */
#include "curate/pass.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_A_TASK = 16 };

typedef struct running {
    const hone_pass *p;
    hone_pool *pool;
    hone_job *job;
    hone_pass_counts *counts;
    hone_scan scan[HONE_PASS_THREADS];
    const hone_input_row *rows;
    size_t n;
    unsigned char *slots;
    hone_status *failed; /* of each row */
    size_t room;
    size_t first; /* row that failed, and how: the earliest is what is told */
    hone_error error;
    pthread_mutex_t lock;
} running;

static void work_on(void *arg, int64_t task, uint32_t thread)
{
    running *r = arg;
    const size_t from = (size_t)task * ROWS_A_TASK;
    const size_t to = from + ROWS_A_TASK < r->n ? from + ROWS_A_TASK : r->n;
    for (size_t i = from; i < to; i++) {
        void *slot = r->slots + i * r->p->slot;
        hone_scan *scan = &r->scan[thread];
        hone_status s = hone_scan_row(scan, r->rows[i].text);
        if (s >= 0)
            s = r->p->work(r->p->ctx, thread, &r->rows[i], scan, slot);
        r->failed[i] = s < 0 ? s : HONE_OK;
        if (s >= 0)
            continue;
        pthread_mutex_lock(&r->lock);
        if (i < r->first) {
            r->first = i;
            r->error = *hone_error_get();
        }
        pthread_mutex_unlock(&r->lock);
    }
}

static hone_status make_room(running *r, size_t n)
{
    if (n <= r->room)
        return HONE_OK;
    size_t bytes;
    if (!hone_mul_size(n, r->p->slot ? r->p->slot : 1, &bytes))
        return hone_fail(HONE_E_LIMIT, "too many rows in a batch");
    hone_free(r->slots);
    hone_free(r->failed);
    r->room = 0;
    r->slots = hone_alloc(bytes);
    r->failed = hone_calloc(n, sizeof *r->failed);
    if (!r->slots || !r->failed)
        return HONE_E_NOMEM;
    r->room = n;
    return HONE_OK;
}

/* Is the failure one of the row, which may be left out? */
static int of_the_row(hone_status s)
{
    return s == HONE_E_PARSE || s == HONE_E_NOT_FOUND || s == HONE_E_TYPE || s == HONE_E_INVALID;
}

static hone_status tell_place(running *r, hone_input *in, size_t i)
{
    hone_error_set(&r->error);
    return hone_fail_at("%s:%llu", hone_input_path(in, r->rows[i].file),
                        (unsigned long long)r->rows[i].line);
}

static hone_status take_batch(running *r, hone_input *in, size_t *taken)
{
    const hone_exec *ex = hone_pool_exec(r->pool);
    r->first = SIZE_MAX;
    if (r->p->work) {
        memset(r->slots, 0, r->n * r->p->slot);
        ex->parallel(ex, (int64_t)((r->n + ROWS_A_TASK - 1) / ROWS_A_TASK), work_on, r);
    }
    for (size_t i = 0; i < r->n; i++) {
        *taken = i;
        r->counts->rows++;
        r->counts->bytes += r->rows[i].text.len + 1;
        if (r->p->work && r->failed[i] < 0) {
            if (!r->p->skip_bad || !of_the_row(r->failed[i]))
                return i == r->first ? tell_place(r, in, i) : hone_error_set(&r->error);
            if (!r->counts->bad++) {
                tell_place(r, in, i);
                snprintf(r->counts->first_bad, sizeof r->counts->first_bad, "%s",
                         hone_error_get()->what);
            }
            continue;
        }
        *taken = i + 1;
        HONE_TRY(r->p->take(r->p->ctx, &r->rows[i], r->slots + i * r->p->slot));
    }
    return HONE_OK;
}

static hone_status batch(running *r, hone_input *in)
{
    size_t taken = 0;
    HONE_TRY(make_room(r, r->n));
    hone_status s = take_batch(r, in, &taken);
    if (s < 0 && r->p->drop)
        for (size_t i = taken; i < r->n; i++)
            if (r->failed[i] >= 0)
                r->p->drop(r->p->ctx, r->slots + i * r->p->slot);
    return s;
}

typedef struct noting {
    running *r;
    hone_input_place place;
} noting;

static void put_note(void *ctx, hone_jw *w)
{
    const noting *n = ctx;
    hone_job_put_place(w, &n->place);
    hone_jw_ki64(w, "bad", (int64_t)n->r->counts->bad);
    if (n->r->p->note)
        n->r->p->note(n->r->p->ctx, w);
}

hone_status hone_pass_run(const hone_pass *p, hone_input *in, hone_pool *pool, hone_job *job,
                          hone_pass_counts *counts)
{
    running *r = hone_calloc(1, sizeof *r);
    if (!r)
        return HONE_E_NOMEM;
    r->p = p;
    r->pool = pool;
    r->job = job;
    r->counts = counts;
    pthread_mutex_init(&r->lock, NULL);
    hone_status s = HONE_OK;
    uint32_t threads = hone_pool_threads(pool);
    uint64_t noted = counts->rows;
    for (uint32_t t = 0; s >= 0 && p->work && t < threads; t++)
        s = hone_scan_init(&r->scan[t], p->columns);
    while (s >= 0 && (s = hone_input_next(in, &r->rows, &r->n)) > 0) {
        s = batch(r, in);
        noting n = {r, hone_input_tell(in)};
        const int many = p->every && counts->rows - noted >= p->every;
        if (s < 0 || !job || !(many || hone_job_due(job, &n.place)))
            continue;
        noted = counts->rows;
        if (p->before_note)
            s = p->before_note(p->ctx);
        if (s >= 0)
            s = hone_job_note(job, put_note, &n);
    }
    for (uint32_t t = 0; t < threads; t++)
        hone_scan_release(&r->scan[t]);
    pthread_mutex_destroy(&r->lock);
    hone_free(r->slots);
    hone_free(r->failed);
    hone_free(r);
    return s < 0 ? s : HONE_OK;
}
