/* parts.c - see parts.h.
 *
 * Two locks: one for what is read, one for what is written; nobody holds both. A thread takes a number with
 * its part and always comes to its turn, if only to say that it failed, so that no turn is waited for in vain:
 * this needs no more than that the threads which took a number go on, however few there are. */
#include "text/parts.h"

#include "base/alloc.h"
#include "base/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef struct line { /* of parts */
    const hone_parts *p;
    pthread_mutex_t in, out;
    pthread_cond_t turned;
    atomic_int stop; /* no further part is taken */
    /* under `in` */
    hone_buf have; /* read, not yet taken */
    uint64_t number, offset;
    int end; /* all is read */
    /* under `out` */
    uint64_t turn;
    hone_status failed;
    hone_error error;
} line;

static hone_status read_more(line *l)
{
    size_t got = 0, n = l->p->size;
    if (l->have.len >= l->p->most)
        return hone_fail(HONE_E_LIMIT, "%zu bytes, and no place to cut them", l->have.len);
    if (n > l->p->most - l->have.len)
        n = l->p->most - l->have.len;
    HONE_TRY(hone_buf_reserve(&l->have, n));
    HONE_TRY(l->p->read(l->p->ctx, l->have.ptr + l->have.len, n, &got));
    l->have.len += got;
    l->end = got == 0;
    return HONE_OK;
}

/* The next part into `text`, which becomes its owner. */
static hone_status take(line *l, hone_buf *text, hone_part *part)
{
    size_t want = l->p->size, at = 0;
    while (!at && !l->end) {
        while (!l->end && l->have.len < want) {
            HONE_TRY(read_more(l));
            if (l->p->eager)
                break;
        }
        if (!l->end)
            HONE_TRY(l->p->cut(l->p->ctx, hone_buf_str(&l->have), &at));
        if (!at && !l->end && want < 2 * l->have.len)
            want = 2 * l->have.len < l->p->most ? 2 * l->have.len : l->p->most;
        if (!at && !l->end && l->have.len >= l->p->most)
            HONE_TRY(read_more(l)); /* which says that it is too much */
    }
    if (l->end)
        at = l->have.len;
    hone_buf swap = *text;
    *text = l->have;
    l->have = swap;
    hone_buf_clear(&l->have);
    hone_status s = hone_buf_add(&l->have, text->ptr + at, text->len - at);
    text->len = at;
    part->text = hone_buf_str(text);
    part->offset = l->offset;
    part->last = l->end;
    l->offset += at;
    return s;
}

static hone_status next(line *l, hone_buf *text, hone_part *part, int *any)
{
    hone_status s = HONE_OK;
    pthread_mutex_lock(&l->in);
    *any = !atomic_load(&l->stop) && !(l->end && l->number);
    if (*any) {
        memset(part, 0, sizeof *part);
        s = take(l, text, part);
        part->number = l->number++;
        if (s < 0)
            l->end = 1;
    }
    pthread_mutex_unlock(&l->in);
    return s;
}

static void one_by_one(void *arg, int64_t task, uint32_t thread)
{
    line *l = arg;
    hone_buf text, out;
    (void)task;
    (void)thread;
    hone_buf_init(&text, l->p->most + 1);
    hone_buf_init(&out, HONE_BUF_MAX_DEFAULT * 16);
    for (;;) {
        hone_part part;
        int any;
        hone_status s = next(l, &text, &part, &any);
        if (!any)
            break;
        hone_buf_clear(&out);
        if (s >= 0)
            s = l->p->work(l->p->ctx, &part, &out);
        pthread_mutex_lock(&l->out);
        while (l->turn != part.number)
            pthread_cond_wait(&l->turned, &l->out);
        if (l->failed >= 0) {
            s = l->p->write(l->p->ctx, &part, hone_buf_str(&out), s);
            if (s < 0) {
                l->failed = s;
                l->error = *hone_error_get();
                atomic_store(&l->stop, 1);
            }
        }
        l->turn++;
        pthread_cond_broadcast(&l->turned);
        pthread_mutex_unlock(&l->out);
    }
    hone_buf_release(&text);
    hone_buf_release(&out);
}

hone_status hone_parts_run(const hone_parts *p, hone_pool *pool)
{
    line l = {.p = p};
    const hone_exec *ex = hone_pool_exec(pool);
    pthread_mutex_init(&l.in, NULL);
    pthread_mutex_init(&l.out, NULL);
    pthread_cond_init(&l.turned, NULL);
    hone_buf_init(&l.have, p->most + 1);
    ex->parallel(ex, hone_pool_threads(pool), one_by_one, &l);
    hone_buf_release(&l.have);
    pthread_cond_destroy(&l.turned);
    pthread_mutex_destroy(&l.out);
    pthread_mutex_destroy(&l.in);
    return l.failed < 0 ? hone_error_set(&l.error) : HONE_OK;
}
