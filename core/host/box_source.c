/* box_source.c - a source whose plugin runs in a box, as the host sees it: an ordinary hone.source/1.
 *
 * Key idea: the host always knows where a fresh box would have to begin. The box tells its position behind every batch,
 * and seek and push_down are remembered; so when a box dies in the middle of a read, another one is started, told the
 * columns, sought to the batch that was asked for, its stream opened, and the call repeated: no row is lost, none comes
 * twice. A source without position and seek can only be begun anew, which is done where nothing was read yet, and is an
 * error that says so elsewhere. A death the plugin caused itself is repeated once.
 *
 * A batch is copied out of the box's memory first and checked afterwards (abi/arrow.h): nothing of the box is followed. A
 * fresh box whose columns are others than those of the first is refused.
 * Does not: cut batches (one larger than the box's memory is an error with a hint), read ahead.
 * Invariants: calls hold the proxy's lock; `life` is the box that stands where `where` says.
 * Source: plugin-abi.md section 7. */
#include "host/box_source.h"

#include "abi/arrow.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

enum { OUTSIDE_MAX = 1000, OWN_MAX = 2 };
static const uint64_t default_ns = 300000000000u; /* of one call: a database may think for long */

typedef enum { AT_START, AT_POSITION, AT_LOST } place;

struct hone__box_source {
    hone_source_v1 table;
    hone__offered *o;
    uint64_t life; /* hone__proxy.starts of the box that is as it should be */
    place where;
    hone_buf at; /* of AT_POSITION */
    int can_seek;
    int pushed, all_columns; /* push_down was taken, and with what */
    hone_arena kept;
    hone_str *columns, filter;
    size_t n_columns;
    int64_t limit;
    int open;
    hone_buf schema; /* flat; empty: the stream told none */
    struct ArrowSchema shape;
    int schema_code;                 /* errno of get_schema */
    int64_t skipped, skipped_before; /* rows left out as far as is known; by boxes that are gone */
    char error[HONE__ROWS_TEXT_MAX + 1]; /* of the stream's last call */
};

/* ---- one attempt ---------------------------------------------------------------------------------- */

static hone_status clean_text(const char *p, size_t n, char *out, size_t room)
{
    hone_buf b;
    hone_buf_init(&b, 4 * (size_t)HONE__ROWS_TEXT_MAX);
    hone_status s = hone_utf8_clean((hone_str){p, n}, &b);
    size_t k = s < 0 ? 0 : b.len < room - 1 ? b.len : room - 1;
    for (size_t i = 0; i < k; i++)
        out[i] = b.ptr[i] ? b.ptr[i] : ' ';
    while (k && ((unsigned char)out[k - 1] & 0xc0) == 0x80 && k == room - 1)
        k--; /* a character that was cut */
    out[k] = 0;
    hone_buf_release(&b);
    return s;
}

static uint64_t call_ns(const hone__box_source *s)
{
    const uint64_t told = s->o->proxy->inst->call_ns;
    return told ? told : default_ns;
}

/* Rings for an op of the stream. With HONE__BOX_ANSWERED the head is in *head, its sizes sound, and *body is what follows
 * it: still the box's. */
static hone_status ring(hone__box_source *s, uint32_t op, int *how, hone__rows_head *head,
                        const unsigned char **body)
{
    hone__proxy *p = s->o->proxy;
    const size_t size = HONE__BOX_RESULT_ROOM - sizeof *head;
    const hone__box_done *done = (hone__box_done *)(void *)p->box.out;
    const unsigned char *at = p->box.out + HONE__BOX_HEAD;
    *how = hone__box_ring(&p->box, op, 0, 0, 0, hone_now_ns() + call_ns(s), NULL, NULL);
    if (*how != HONE__BOX_ANSWERED)
        return HONE_OK;
    hone_status st = *(const volatile int32_t *)&done->status;
    if (st < 0)
        return hone__box_failure(&p->box);
    memcpy(head, at, sizeof *head);
    *body = at + sizeof *head;
    if (op == HONE__BOX_OP_CLOSE)
        return HONE_OK;
    if (head->bytes > size || (head->bytes & 7) || head->position > HONE__ROWS_POSITION_MAX ||
        head->text > HONE__ROWS_TEXT_MAX || head->bytes + head->position + head->text > size ||
        head->kind > HONE__ROWS_ERROR || head->skipped < 0)
        return hone_fail(HONE_E_MISBEHAVED, "its box answers oddly");
    return HONE_OK;
}

static void take_error(hone__box_source *s, const hone__rows_head *head, const unsigned char *body)
{
    s->error[0] = 0;
    (void)clean_text((const char *)body, (size_t)head->text, s->error, sizeof s->error);
}

/* An errno, whatever the box says. */
static int errno_of(int32_t code)
{
    return code > 0 && code < 4096 ? code : EIO;
}

static hone_status take_schema(hone__box_source *s, const hone__rows_head *head,
                               const unsigned char *body)
{
    hone_buf b;
    struct ArrowSchema shape;
    s->schema_code = head->kind == HONE__ROWS_ERROR ? errno_of(head->code) : 0;
    if (s->schema_code) {
        take_error(s, head, body);
        return HONE_OK;
    }
    if (head->kind != HONE__ROWS_SCHEMA)
        return hone_fail(HONE_E_MISBEHAVED, "its box answers oddly");
    hone_buf_init(&b, HONE__BOX_OUT);
    hone_status st = hone_buf_add(&b, body, (size_t)head->bytes);
    if (st >= 0 && s->shape.release &&
        (b.len != s->schema.len || memcmp(b.ptr, s->schema.ptr, b.len) != 0))
        st = hone_fail(HONE_E_MISBEHAVED, "a fresh box gives other columns than the one before");
    else if (st >= 0 && !s->shape.release &&
             (st = hone_arrow_take_schema(b.ptr, b.len, &shape)) >= 0) {
        hone_buf_release(&s->schema);
        s->schema = b;
        s->shape = shape;
        return HONE_OK;
    }
    hone_buf_release(&b);
    return st;
}

static hone_status try_open(hone__box_source *s, int *how)
{
    hone__rows_head head;
    const unsigned char *body;
    hone_status st = ring(s, HONE__BOX_OP_OPEN, how, &head, &body);
    return st < 0 || *how != HONE__BOX_ANSWERED ? st : take_schema(s, &head, body);
}

static hone_status try_slot(hone__box_source *s, const char *name, void *const *args, int *how,
                            hone_wire_ret *ret)
{
    const hone_wire_slot *slot = hone_wire_find(s->o->wire, name);
    memset(ret, 0, sizeof *ret);
    return slot ? hone__proxy_try(s->o, slot, args, 0, how, ret)
                : hone_fail(HONE_E_UNSUPPORTED, "it has no %s", name);
}

static hone_status try_seek(hone__box_source *s, const void *at, size_t n, int *how)
{
    void *self = s;
    hone_wire_ret ret;
    void *args[] = {&self, &at, &n};
    hone_status st = try_slot(s, "seek", args, how, &ret);
    return st < 0 ? st : *how == HONE__BOX_ANSWERED ? ret.i32 : HONE_OK;
}

static hone_status try_push(hone__box_source *s, const hone_str *columns, size_t n, hone_str filter,
                            int64_t limit, int *how)
{
    void *self = s;
    hone_wire_ret ret;
    void *args[] = {&self, &columns, &n, &filter, &limit};
    hone_status st = try_slot(s, "push_down", args, how, &ret);
    return st < 0 ? st : *how == HONE__BOX_ANSWERED ? ret.i32 : HONE_OK;
}

static hone_status try_number(hone__box_source *s, const char *name, int *how, hone_wire_ret *ret)
{
    void *self = s;
    void *args[] = {&self};
    return try_slot(s, name, args, how, ret);
}

/* ---- a box that stands where it should ------------------------------------------------------------ */

static hone_status hint_lost(const hone__box_source *s)
{
    const hone_plugin *plugin = s->o->proxy->inst->info->plugin;
    return hone_fail_hint(
        "a source with position and seek is taken up where it was; begin this one "
        "anew, or look at it alone: hone plugin validate %s",
        plugin ? plugin->path : s->o->proxy->inst->info->c.id);
}

static hone_status lost(const hone__box_source *s)
{
    hone_fail(HONE_E_MISBEHAVED, "its box is gone, and it has no position to go on from");
    return hint_lost(s);
}

static int stands(const hone__box_source *s)
{
    return s->o->proxy->alive && s->life == s->o->proxy->starts;
}

/* A box is there, and has been told what the one before was told. *how: it died of it. */
static hone_status stand(hone__box_source *s, int *how)
{
    hone__proxy *p = s->o->proxy;
    hone_wire_ret ret = {0};
    if (stands(s))
        return HONE_OK;
    if (s->where == AT_LOST || (s->where == AT_POSITION && !s->can_seek))
        return lost(s);
    HONE_TRY(hone__proxy_revive(p));
    if (s->pushed)
        HONE_TRY(try_push(s, s->all_columns ? NULL : s->columns, s->n_columns, s->filter, s->limit,
                          how));
    if (*how == HONE__BOX_ANSWERED && s->where == AT_POSITION)
        HONE_TRY(try_seek(s, s->at.ptr, s->at.len, how));
    if (*how == HONE__BOX_ANSWERED && s->open)
        HONE_TRY(try_open(s, how));
    if (*how == HONE__BOX_ANSWERED && s->table.skipped)
        HONE_TRY(try_number(s, "skipped", how, &ret));
    if (*how != HONE__BOX_ANSWERED)
        return HONE_OK;
    s->life = p->starts;
    s->skipped_before = s->skipped - ret.i64; /* what it knows of is counted already */
    return HONE_OK;
}

typedef struct attempt {
    hone_status (*run)(hone__box_source *s, struct attempt *a, int *how);
    const char *call;
    hone_wire_ret ret;
    const void *bytes;
    size_t n;
    hone_str filter;
    int64_t limit;
    struct ArrowArray *out;
    int code;
} attempt;

/* The attempt, on as many boxes as it takes. */
static hone_status call(hone__box_source *s, attempt *a)
{
    hone__proxy *p = s->o->proxy;
    unsigned own = 0, outside = 0;
    hone_error why;
    hone_status st;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        int how = HONE__BOX_ANSWERED;
        st = stand(s, &how);
        if (st >= 0 && how == HONE__BOX_ANSWERED)
            st = a->run(s, a, &how);
        if (st < 0 || how == HONE__BOX_ANSWERED)
            break;
        int mine = hone__proxy_bury(p, a->call, how, -1, own + 1 >= OWN_MAX, &why);
        if (mine)
            own++;
        else
            outside++;
        if (how == HONE__BOX_LATE || own >= OWN_MAX || outside > OUTSIDE_MAX ||
            (mine && s->where == AT_LOST)) {
            st = hone_error_set(&why);
            if (mine && s->where == AT_LOST)
                hint_lost(s);
            if (how == HONE__BOX_LATE)
                hone_fail_hint("a call of it has %.3g s: timeout = SECONDS gives it more",
                               (double)call_ns(s) / 1e9);
            break;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return st;
}

/* ---- the slots that travel -------------------------------------------------------------------------- */

static hone_status keep_place(hone__box_source *s, const void *bytes, size_t n)
{
    hone_buf_clear(&s->at);
    hone_status st = hone_buf_add(&s->at, bytes, n);
    s->where = st < 0 ? AT_LOST : n ? AT_POSITION : AT_START;
    return st;
}

static hone_status keep_bytes(const hone_bytes_sink *sink, const void *bytes, size_t n)
{
    return hone_buf_add(sink->ctx, bytes, n);
}

static hone_status run_position(hone__box_source *s, attempt *a, int *how)
{
    void *self = s;
    hone_buf b;
    hone_buf_init(&b, HONE__ROWS_POSITION_MAX);
    const hone_bytes_sink own = {sizeof own, 0, &b, keep_bytes}, *sink = &own;
    void *args[] = {&self, &sink};
    hone_status st = try_slot(s, a->call, args, how, &a->ret);
    if (st >= 0 && *how == HONE__BOX_ANSWERED) {
        st = a->ret.i32;
        if (st >= 0 && b.len)
            st = keep_place(s, b.ptr, b.len);
    }
    hone_buf_release(&b);
    return st;
}

static hone_status position(void *self, const hone_bytes_sink *sink)
{
    hone__box_source *s = self;
    attempt a = {.run = run_position, .call = "position"};
    if (s->where != AT_POSITION) /* else it came with the batch */
        HONE_TRY(call(s, &a));
    return s->where == AT_POSITION ? sink->put(sink, s->at.ptr, s->at.len) : HONE_OK;
}

static hone_status run_seek(hone__box_source *s, attempt *a, int *how)
{
    HONE_TRY(try_seek(s, a->bytes, a->n, how));
    return *how == HONE__BOX_ANSWERED ? keep_place(s, a->bytes, a->n) : HONE_OK;
}

static hone_status seek(void *self, const void *bytes, size_t n)
{
    hone__box_source *s = self;
    attempt a = {.run = run_seek, .call = "seek", .bytes = bytes, .n = n};
    if (n > HONE__ROWS_POSITION_MAX)
        return hone_fail(HONE_E_LIMIT, "a position of %zu bytes", n);
    if (s->where == AT_LOST && !stands(s)) /* whatever was lost, this is where it goes on */
        s->where = AT_START;
    return call(s, &a);
}

static hone_status run_number(hone__box_source *s, attempt *a, int *how)
{
    return try_number(s, a->call, how, &a->ret);
}

static int64_t row_count(void *self)
{
    attempt a = {.run = run_number, .call = "row_count"};
    return call(self, &a) < 0 ? -1 : a.ret.i64;
}

static int64_t skipped(void *self)
{
    hone__box_source *s = self;
    attempt a = {.run = run_number, .call = "skipped"};
    if (stands(s) && call(s, &a) >= 0)
        s->skipped = s->skipped_before + a.ret.i64;
    return s->skipped;
}

static hone_status keep_push(hone__box_source *s, const hone_str *columns, size_t n,
                             hone_str filter, int64_t limit)
{
    hone_arena_clear(&s->kept);
    s->columns = hone_arena_calloc(&s->kept, n + 1, sizeof *s->columns);
    if (!s->columns)
        return HONE_E_NOMEM;
    for (size_t i = 0; columns && i < n; i++)
        s->columns[i] = hone_arena_str(&s->kept, columns[i]);
    s->filter = hone_arena_str(&s->kept, filter);
    s->all_columns = columns == NULL;
    s->n_columns = n;
    s->limit = limit;
    s->pushed = 1;
    return HONE_OK;
}

static hone_status run_push(hone__box_source *s, attempt *a, int *how)
{
    HONE_TRY(try_push(s, a->bytes, a->n, a->filter, a->limit, how));
    return *how == HONE__BOX_ANSWERED ? keep_push(s, a->bytes, a->n, a->filter, a->limit) : HONE_OK;
}

static hone_status push_down(void *self, const hone_str *columns, size_t n, hone_str filter,
                             int64_t limit)
{
    attempt a = {.run = run_push,
                 .call = "push_down",
                 .bytes = columns,
                 .n = n,
                 .filter = filter,
                 .limit = limit};
    return call(self, &a);
}

/* ---- the stream ------------------------------------------------------------------------------------- */

/* A failure of the host's or the box's, as a stream tells it: the whole error stays the thread's, its text is this one. */
static int told(hone__box_source *s, hone_status st)
{
    hone_fail_at("%s", s->o->proxy->inst->info->c.id);
    snprintf(s->error, sizeof s->error, "%s", hone_error_get()->what);
    switch (st) {
    case HONE_E_NOMEM:
        return ENOMEM;
    case HONE_E_LIMIT:
        return EFBIG;
    case HONE_E_UNSUPPORTED:
        return ENOTSUP;
    default:
        return EIO;
    }
}

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    hone__box_source *s = stream->private_data;
    if (s->schema_code)
        return s->schema_code;
    hone_status st = hone_arrow_take_schema(s->schema.ptr, s->schema.len, out);
    return st < 0 ? told(s, st) : 0;
}

/* What a batch's answer says about where the next one begins. */
static hone_status keep_answer(hone__box_source *s, const hone__rows_head *head,
                               const unsigned char *body)
{
    s->skipped = s->skipped_before + head->skipped;
    if (!head->positioned) {
        s->where = AT_LOST;
        return HONE_OK;
    }
    hone_buf_clear(&s->at); /* copied before anybody looks at it */
    hone_status st = hone_buf_add(&s->at, body + head->bytes, (size_t)head->position);
    s->where = st < 0 ? AT_LOST : s->at.len ? AT_POSITION : AT_START;
    return st;
}

static hone_status run_next(hone__box_source *s, attempt *a, int *how)
{
    hone__rows_head head;
    const unsigned char *body;
    hone_status st = ring(s, HONE__BOX_OP_NEXT, how, &head, &body);
    if (st < 0 || *how != HONE__BOX_ANSWERED)
        return st;
    if (head.kind == HONE__ROWS_ERROR) {
        a->code = errno_of(head.code);
        take_error(s, &head, body);
        return HONE_OK;
    }
    if (head.kind == HONE__ROWS_SCHEMA || (head.kind == HONE__ROWS_END && head.bytes))
        return hone_fail(HONE_E_MISBEHAVED, "its box answers oddly");
    if (head.kind == HONE__ROWS_BATCH) {
        void *own = hone_alloc(head.bytes ? (size_t)head.bytes : 1);
        if (!own)
            return HONE_E_NOMEM;
        memcpy(own, body, (size_t)head.bytes); /* the box may go on writing: checked is the copy */
        HONE_TRY(hone_arrow_take_batch(&s->shape, own, (size_t)head.bytes, a->out));
    }
    st = keep_answer(s, &head, body);
    if (st < 0 && a->out->release)
        a->out->release(a->out);
    return st;
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    hone__box_source *s = stream->private_data;
    attempt a = {.run = run_next, .call = "get_next", .out = out};
    memset(out, 0, sizeof *out);
    s->error[0] = 0;
    if (!s->shape.release)
        return EINVAL;
    hone_status st = call(s, &a);
    if (st < 0)
        memset(out, 0, sizeof *out);
    return st < 0 ? told(s, st) : a.code;
}

static const char *stream_error(struct ArrowArrayStream *stream)
{
    const hone__box_source *s = stream->private_data;
    return s->error[0] ? s->error : NULL;
}

static void drop_schema(hone__box_source *s)
{
    if (s->shape.release)
        s->shape.release(&s->shape);
    hone_buf_clear(&s->schema);
    s->schema_code = 0;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    hone__box_source *s = stream->private_data;
    hone__proxy *p = s->o->proxy;
    hone__rows_head head;
    const unsigned char *body;
    hone_error why;
    int how;
    pthread_mutex_lock(&p->lock);
    if (stands(s)) {
        (void)ring(s, HONE__BOX_OP_CLOSE, &how, &head, &body);
        if (how != HONE__BOX_ANSWERED) /* a call that comes later begins in a fresh one */
            (void)hone__proxy_bury(p, "release", how, -1, 0, &why);
    }
    s->open = 0;
    drop_schema(s);
    pthread_mutex_unlock(&p->lock);
    stream->release = NULL;
}

static hone_status run_open(hone__box_source *s, attempt *a, int *how)
{
    (void)a;
    return try_open(s, how);
}

static hone_status open_stream(void *self, struct ArrowArrayStream *out)
{
    hone__box_source *s = self;
    attempt a = {.run = run_open, .call = "open"};
    if (s->open)
        return hone_fail(HONE_E_INVALID, "a stream of it is open already");
    drop_schema(s);
    HONE_TRY(call(s, &a));
    s->open = 1;
    *out = (struct ArrowArrayStream){stream_schema, stream_next, stream_error, stream_release, s};
    return HONE_OK;
}

/* ---- the table -------------------------------------------------------------------------------------- */

hone__box_source *hone__box_source_create(hone__offered *o)
{
    const hone_source_v1 *has = o->stub ? hone_wire_stub_table(o->stub) : NULL;
    hone__box_source *s = hone_calloc(1, sizeof *s);
    if (!s || !has) {
        hone_free(s);
        return NULL;
    }
    s->table = (hone_source_v1){.struct_size = sizeof s->table,
                                .open = open_stream,
                                .position = has->position ? position : NULL,
                                .seek = has->seek ? seek : NULL,
                                .row_count = has->row_count ? row_count : NULL,
                                .skipped = has->skipped ? skipped : NULL,
                                .push_down = has->push_down ? push_down : NULL};
    s->o = o;
    s->can_seek = has->position && has->seek;
    s->life = o->proxy->starts;
    s->where = AT_START;
    hone_buf_init(&s->at, HONE__ROWS_POSITION_MAX);
    hone_buf_init(&s->schema, HONE__BOX_OUT);
    hone_arena_init(&s->kept, 0);
    return s;
}

const hone_source_v1 *hone__box_source_table(const hone__box_source *s)
{
    return &s->table;
}

void hone__box_source_free(hone__box_source *s)
{
    if (!s)
        return;
    drop_schema(s);
    hone_buf_release(&s->at);
    hone_buf_release(&s->schema);
    hone_arena_release(&s->kept);
    hone_free(s);
}
