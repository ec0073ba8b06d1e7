/* feed.c - what sources that make their rows themselves share: the stream, its errors, lists of names.
 *
 * The rows are JSON texts gathered in a batch (batch.c). A failure comes after the rows before it: fill has put
 * them into the batch, they are handed out, and the next call of fill finds the same failure at the first row. */
#include "feed.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int feed_fail(feed *f, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->error, sizeof f->error, fmt, ap);
    va_end(ap);
    return code;
}

hone_status feed_status(int e)
{
    return e == ENOENT    ? HONE_E_NOT_FOUND
           : e == ENOMEM  ? HONE_E_NOMEM
           : e == ENOTSUP ? HONE_E_UNSUPPORTED
           : e == ESTALE  ? HONE_E_STATE
           : e == EPERM   ? HONE_E_REFUSED
           : e == EINVAL  ? HONE_E_INVALID
                          : HONE_E_IO;
}

uint64_t feed_hash(uint64_t h, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ c[i]) * 1099511628211u;
    return h;
}

static int stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    feed *f = s->private_data;
    return batch_schema(&f->mem, out) ? feed_fail(f, ENOMEM, "out of memory") : 0;
}

static int stream_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    feed *f = s->private_data;
    f->error[0] = 0;
    int e = f->fill(f);
    if (e && f->out.n == 0)
        return e;
    if (f->out.n == 0) {
        memset(out, 0, sizeof *out);
        return 0;
    }
    return batch_hand_out(&f->out, out) ? feed_fail(f, ENOMEM, "out of memory") : 0;
}

static const char *stream_error(struct ArrowArrayStream *s)
{
    feed *f = s->private_data;
    return f->error[0] ? f->error : NULL;
}

static void stream_release(struct ArrowArrayStream *s)
{
    s->release = NULL;
}

void feed_init(feed *f, const memory *mem, const hone_host *host, int (*fill)(feed *f))
{
    f->mem = *mem;
    f->host = host;
    f->fill = fill;
    f->error[0] = 0;
    batch_init(&f->out, mem);
}

void feed_open(feed *f, struct ArrowArrayStream *out)
{
    *out = (struct ArrowArrayStream){stream_schema, stream_next, stream_error, stream_release, f};
}

void feed_clear(feed *f)
{
    f->out.n = f->out.len = 0;
}

void feed_release(feed *f)
{
    batch_release(&f->out);
}

/* ---- names ---------------------------------------------------------------------------------------------- */

int names_add(const memory *mem, names *v, const char *p, size_t n)
{
    int e = text_add(mem, &v->t, p, n);
    if (!e)
        e = text_add(mem, &v->t, "", 1);
    v->n += !e;
    return e;
}

int names_split(const memory *mem, names *v, const char *list, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && list[end] != ',')
            end++;
        size_t from = i, to = end;
        while (from < to && list[from] == ' ')
            from++;
        while (to > from && list[to - 1] == ' ')
            to--;
        int e = to > from ? names_add(mem, v, list + from, to - from) : 0;
        if (e)
            return e;
        i = end + 1;
    }
    return 0;
}

const char *names_at(const names *v, size_t i)
{
    const char *p = v->t.p;
    while (i-- > 0)
        p += strlen(p) + 1;
    return p;
}

int names_find(const names *v, const char *name)
{
    const char *p = v->t.p;
    for (size_t i = 0; i < v->n; i++, p += strlen(p) + 1)
        if (strcmp(p, name) == 0)
            return (int)i;
    return -1;
}

void names_free(const memory *mem, names *v)
{
    text_free(mem, &v->t);
    v->n = 0;
}

void names_join(const names *v, char *out, size_t size)
{
    const char *p = v->t.p;
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < v->n && at + 4 < size; i++, p += strlen(p) + 1) {
        int k = snprintf(out + at, size - at, "%s%s", i ? ", " : "", p);
        at += k > 0 ? (size_t)k : 0;
    }
}
