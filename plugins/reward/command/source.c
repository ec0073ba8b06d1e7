/* source.c - the source "command": a program that is asked for rows, some at a time.
 *
 * Position: how many rows were handed on, and the program's own position where it gives one (any JSON value beside its
 * rows). Seeking gives that value back to it; a program that gives none is started anew and its first rows are dropped,
 * so its rows must be the same each time. The same way goes on after the program died.
 *
 * A position ends a batch of the stream, so a request never asks for more than one batch. */
#include "command.h"
#include "feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { F_TIMEOUT = F_MORE };
static const hone_field *const fields[] = {
    COMMAND_FIELDS, HONE_F64("timeout", 60, 0.01, 86400, 0, "seconds for an answer"), NULL};
static const char magic[8] = {'h', 'o', 'n', 'e', 'c', 'm', 'd', '1'};
enum { POSITION = 16, POSITION_MAX = 1 << 20 };

typedef struct source {
    feed f; /* first: fill gets it */
    command c;
    double timeout_s;
    uint64_t rows;     /* handed on */
    jtext own;         /* the program's position after them; empty: none */
    int placed, ended; /* the program stands there; it has no more */
} source;

static hone_process_wait wait_of(const source *s)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    hone_process_wait w = {sizeof w, 0,
                           (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec +
                               (uint64_t)(s->timeout_s * 1e9),
                           NULL};
    return w;
}

/* One request: `n` rows, after seeking where `seek` is not NULL. */
static hone_status ask(source *s, size_t n, const char *seek, size_t seek_len, answer *a)
{
    command *c = &s->c;
    program *p = &c->programs[0];
    const hone_process_wait w = wait_of(s);
    command_begin(c, p);
    jtext_raw(&c->out, ",\"rows\":");
    jtext_integer(&c->out, (int64_t)n);
    if (seek) {
        jtext_raw(&c->out, ",\"seek\":");
        jtext_bytes(&c->out, seek, seek_len);
    }
    hone_status st = command_send(c, p, &w);
    if (st >= 0)
        st = command_receive(c, p, &w, a);
    if (st < 0)
        return st;
    const hone_value *list = member(a->root, "rows");
    if (n && (!list || list->type != HONE_LIST))
        st = command_fail(c, HONE_E_PARSE, "the program's answer has no list \"rows\"");
    else if (list && list->type == HONE_LIST && list->u.list.n > n)
        st = command_fail(c, HONE_E_SHAPE, "the program gave %zu rows when %zu were asked for",
                          list->u.list.n, n);
    if (st < 0)
        answer_release(c, a);
    return st;
}

static size_t rows_of(const answer *a)
{
    const hone_value *list = member(a->root, "rows");
    return list && list->type == HONE_LIST ? list->u.list.n : 0;
}

static int ends(const answer *a)
{
    double end = 0;
    return (number_of(member(a->root, "end"), &end) && end != 0) || rows_of(a) == 0;
}

/* Puts a fresh program where we stand. */
static hone_status place(source *s)
{
    answer a = {NULL, NULL};
    int own = s->own.n > 0;
    hone_status st = ask(s, 0, own ? s->own.p : "null", own ? s->own.n : 4, &a);
    if (st < 0)
        return st;
    answer_release(&s->c, &a);
    for (uint64_t left = own ? 0 : s->rows; left > 0;) {
        st = ask(s, left < FEED_ROWS ? (size_t)left : FEED_ROWS, NULL, 0, &a);
        if (st < 0)
            return st;
        size_t got = rows_of(&a);
        int end = ends(&a);
        answer_release(&s->c, &a);
        left -= got;
        if (end && left > 0) {
            return command_fail(
                &s->c, HONE_E_STATE,
                "the program gave %llu rows this time, where there were %llu before",
                (unsigned long long)(s->rows - left), (unsigned long long)s->rows);
        }
    }
    s->placed = 1;
    return HONE_OK;
}

static int code_of(hone_status s)
{
    return s == HONE_E_NOMEM                        ? ENOMEM
           : s == HONE_E_STATE                      ? ESTALE
           : s == HONE_E_PARSE || s == HONE_E_SHAPE ? EINVAL
           : s == HONE_E_LIMIT                      ? EFBIG
                                                    : EIO;
}

static hone_status take(source *s, const answer *a)
{
    const hone_value *list = member(a->root, "rows"), *position = member(a->root, "position");
    jtext row = {.mem = &s->f.mem};
    hone_status st = HONE_OK;
    for (size_t i = 0; st >= 0 && i < list->u.list.n; i++) {
        const hone_value *v = &list->u.list.items[i];
        jtext_clear(&row);
        jtext_value(&row, v);
        if (v->type != HONE_MAP)
            st = command_fail(&s->c, HONE_E_PARSE, "row %llu of the program is no JSON object",
                              (unsigned long long)(s->rows + i + 1));
        else if (row.failed || batch_add(&s->f.out, row.p, row.n))
            st = command_fail(&s->c, HONE_E_NOMEM, "out of memory for the program's rows");
    }
    jtext_release(&row);
    if (st < 0) {
        feed_clear(&s->f);
        return st;
    }
    if (list->u.list.n) { /* a position is that of the last row */
        jtext_clear(&s->own);
        if (position && position->type != HONE_NULL)
            jtext_value(&s->own, position);
        if (s->own.failed || s->own.n > POSITION_MAX)
            return command_fail(&s->c, HONE_E_LIMIT, "the program's position is too long");
    }
    s->rows += list->u.list.n;
    s->ended = ends(a);
    return HONE_OK;
}

static int fill(feed *f)
{
    source *s = (source *)f;
    answer a = {NULL, NULL};
    hone_status st = HONE_E_IO;
    if (s->ended)
        return 0;
    for (int k = 0; k <= s->c.retries && st == HONE_E_IO; k++) {
        st = s->placed ? HONE_OK : place(s);
        if (st >= 0)
            st = ask(s, FEED_ROWS, NULL, 0, &a);
        if (st < 0)
            s->placed = 0;
    }
    if (st >= 0) {
        st = take(s, &a);
        s->placed = st >= 0; /* it is past rows that were not taken */
        answer_release(&s->c, &a);
    }
    return st < 0 ? feed_fail(f, code_of(st), "%s", s->c.why) : 0;
}

/* ---- the interface --------------------------------------------------------------------------------------- */

static hone_status source_open(void *self, struct ArrowArrayStream *out)
{
    source *s = self;
    feed_open(&s->f, out);
    return HONE_OK;
}

static hone_status source_position(void *self, const hone_bytes_sink *sink)
{
    const source *s = self;
    unsigned char head[POSITION];
    memcpy(head, magic, sizeof magic);
    put64(head + 8, s->rows);
    hone_status st = sink->put(sink, head, sizeof head);
    return st >= 0 && s->own.n ? sink->put(sink, s->own.p, s->own.n) : st;
}

static hone_status source_seek(void *self, const void *position, size_t n)
{
    source *s = self;
    const unsigned char *p = position;
    if (n && (n < POSITION || n > POSITION + POSITION_MAX || memcmp(p, magic, sizeof magic) != 0 ||
              memchr(p + POSITION, '\n', n - POSITION)))
        return hone_host_fail(s->c.host, HONE_E_INVALID, "this is not a position of this source");
    jtext_clear(&s->own);
    if (n > POSITION)
        jtext_bytes(&s->own, (const char *)p + POSITION, n - POSITION);
    if (s->own.failed)
        return hone_host_fail(s->c.host, HONE_E_NOMEM, "out of memory");
    s->rows = n ? get64(p + 8) : 0;
    s->placed = s->ended = 0;
    feed_clear(&s->f);
    return HONE_OK;
}

static int64_t source_row_count(void *self)
{
    (void)self;
    return -1;
}

static const hone_source_v1 table = {
    sizeof(hone_source_v1), 0,    source_open, source_position, source_seek,
    source_row_count,       NULL, NULL};
static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    hone_status st = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    source *s = st < 0 ? NULL : memory_resize(&mem, NULL, 0, sizeof *s);
    if (!s)
        return st < 0 ? st : hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(s, 0, sizeof *s);
    s->c.mem = mem;
    s->own.mem = &s->c.mem;
    s->timeout_s = cfg->f64(cfg, F_TIMEOUT);
    feed_init(&s->f, &mem, host, fill);
    st = command_open(&s->c, "source", 1, host, cfg);
    if (st < 0)
        memory_resize(&mem, s, sizeof *s, 0);
    else
        *self_out = s;
    return st;
}

static void destroy(void *self)
{
    source *s = self;
    memory mem = s->c.mem;
    command_close(&s->c);
    jtext_release(&s->own);
    feed_release(&s->f);
    memory_resize(&mem, s, sizeof *s, 0);
}

HONE_DEFINE_SOURCE(source_command, table, .id = "org.hone.source.command", .version = "0.1.0",
                   .vendor = "hone", .license = "MIT",
                   .summary = "rows that a program of yours makes", .url = "", .caps = COMMAND_CAPS,
                   .fields = fields, .needs = command_needs, .create = create, .destroy = destroy);
