/* source.c - chains of rows: the two beginnings (a source plugin, a list) and what all links share.
 *
 * A source is read batch by batch. Before each batch its position is noted, so the state of the chain's
 * beginning is that position and the number of rows already taken from the batch. A source without
 * positions is restored by reading up to the row. The stages are in stages.c. */
#include "train/source_private.h"

#include "abi/config.h"
#include "base/alloc.h"
#include "hone/source.h"
#include "train/arrow_rows.h"

#include <errno.h>
#include <string.h>

/* ---- any link ------------------------------------------------------------------------------------- */

void hone_data_close(hone_data *d)
{
    while (d) {
        hone_data *up = d->up;
        d->ops->close(d);
        hone_free(d);
        d = up;
    }
}

hone_status hone_data_next(hone_data *d, hone_arena *arena, hone_value *row)
{
    return d->ops->next(d, arena, row);
}

hone_status hone_data_rewind(hone_data *d, uint64_t epoch)
{
    return d->ops->rewind(d, epoch);
}

int64_t hone_data_count(hone_data *d)
{
    return d->ops->count(d);
}

int64_t hone_data_skipped(hone_data *d)
{
    return d->ops->skipped ? d->ops->skipped(d) : d->up ? hone_data_skipped(d->up) : 0;
}

hone_status hone_data_save(hone_data *d, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "stage", d->ops->name);
    HONE_TRY(d->ops->save(d, w));
    if (d->up && !d->ops->own_up) {
        hone_jw_key(w, "up");
        HONE_TRY(hone_data_save(d->up, w));
    }
    hone_jw_end(w);
    return w->out->failed;
}

hone_status hone_data_restore(hone_data *d, const hone_value *state)
{
    const hone_value *stage = hone_value_get(state, "stage");
    if (!stage || stage->type != HONE_STRING || !hone_str_eq(stage->u.str, d->ops->name)) {
        int known = stage && stage->type == HONE_STRING && stage->u.str.len < 64;
        hone_fail(HONE_E_STATE,
                  "data: the saved state is of another chain: it has \"%.*s\" where \"%s\" stands",
                  known ? (int)stage->u.str.len : 1, known ? stage->u.str.ptr : "?", d->ops->name);
        return hone_fail_hint(
            "the recipe's source, map, shuffle, ... must be those that were saved");
    }
    if (d->up && !d->ops->own_up) {
        const hone_value *up = hone_value_get(state, "up");
        if (!up)
            return hone_fail(HONE_E_STATE, "data: the saved state of \"%s\" has no \"up\"",
                             d->ops->name);
        HONE_TRY(hone_data_restore(d->up, up));
    }
    return d->ops->restore(d, state);
}

hone_status hone__data_read_count(const hone_value *state, const char *key, uint64_t *out)
{
    const hone_value *v = hone_value_get(state, key);
    if (!v || v->type != HONE_I64 || v->u.i64 < 0)
        return hone_fail(HONE_E_STATE, "data: the saved state has no count \"%s\"", key);
    *out = (uint64_t)v->u.i64;
    return HONE_OK;
}

static const hone_data_ops source_ops;

/* ---- a source plugin ------------------------------------------------------------------------------ */

typedef struct source_data {
    hone_data link;
    hone_instance *inst;
    void *self;
    const hone_source_v1 *vt;
    struct ArrowArrayStream stream; /* release NULL: not open */
    struct ArrowSchema schema;
    struct ArrowArray batch; /* release NULL: none */
    int64_t at;              /* row of the batch that comes next */
    uint64_t row;            /* rows handed out since the start */
    hone_buf
        before; /* position of the batch's first row, or of the next batch when there is none */
    int ended;
} source_data;

enum { POSITION_MAX = 1 << 20 };

static hone_status put_position(const hone_bytes_sink *sink, const void *bytes, size_t n)
{
    return hone_buf_add(sink->ctx, bytes, n);
}

static int has_position(const source_data *d)
{
    return HONE_HAS(d->vt, hone_source_v1, position) && HONE_HAS(d->vt, hone_source_v1, seek);
}

static hone_status note_position(source_data *d)
{
    hone_bytes_sink sink = {sizeof sink, 0, &d->before, put_position};
    if (!has_position(d))
        return HONE_OK;
    hone_buf_clear(&d->before);
    hone_instance_enter(d->inst);
    return hone_instance_leave(d->inst, "position", d->vt->position(d->self, &sink));
}

static void drop_batch(source_data *d)
{
    if (d->batch.release)
        d->batch.release(&d->batch);
    memset(&d->batch, 0, sizeof d->batch);
    d->at = 0;
}

static void drop_stream(source_data *d)
{
    drop_batch(d);
    if (d->schema.release)
        d->schema.release(&d->schema);
    if (d->stream.release)
        d->stream.release(&d->stream);
    memset(&d->schema, 0, sizeof d->schema);
    memset(&d->stream, 0, sizeof d->stream);
}

/* What an errno of a stream means here, with the stream's own text. */
static hone_status stream_failed(source_data *d, int code, const char *call)
{
    const char *text = d->stream.get_last_error ? d->stream.get_last_error(&d->stream) : NULL;
    hone_status s = code == EINVAL                       ? HONE_E_PARSE
                    : code == ENOMEM                     ? HONE_E_NOMEM
                    : code == ENOENT                     ? HONE_E_NOT_FOUND
                    : code == EFBIG || code == EOVERFLOW ? HONE_E_LIMIT
                    : code == ENOTSUP || code == ENOSYS  ? HONE_E_UNSUPPORTED
                                                         : HONE_E_IO;
    if (text && *text) {
        hone_error e =
            *hone_error_get(); /* a source of the host's own has said more than the text */
        if (e.code < 0 && strcmp(e.what, text) == 0)
            return hone_error_set(&e);
        hone_buf shown; /* a server's address may hold a secret */
        hone_buf_init(&shown, 1 << 20);
        hone_str said = {text, strlen(text)};
        if (hone_config_redact(hone_instance_config(d->inst), said, &shown) >= 0)
            said = hone_buf_str(&shown);
        hone_fail(s, "%.*s", (int)said.len, said.ptr);
        hone_buf_release(&shown);
        return s;
    }
    return hone_fail(s, "%s: %s failed: %s", hone_instance_id(d->inst), call, strerror(code));
}

static hone_status open_stream(source_data *d)
{
    hone_instance_enter(d->inst);
    HONE_TRY(hone_instance_leave(d->inst, "open", d->vt->open(d->self, &d->stream)));
    if (!d->stream.release || !d->stream.get_schema || !d->stream.get_next)
        return hone_fail(HONE_E_MISBEHAVED, "%s: open gave no stream", hone_instance_id(d->inst));
    hone_instance_enter(d->inst);
    int code = d->stream.get_schema(&d->stream, &d->schema);
    hone_instance_leave(d->inst, "get_schema", HONE_OK);
    if (code)
        return stream_failed(d, code, "get_schema");
    hone_status s = hone_arrow_check_schema(&d->schema);
    return s < 0 ? hone_fail_at("%s", hone_instance_id(d->inst)) : HONE_OK;
}

/* The next batch into d->batch: 1, or 0 at the end. */
static hone_status next_batch(source_data *d)
{
    drop_batch(d);
    HONE_TRY(note_position(d));
    if (!d->stream.release)
        HONE_TRY(open_stream(d));
    hone_instance_enter(d->inst);
    int code = d->stream.get_next(&d->stream, &d->batch);
    hone_instance_leave(d->inst, "get_next", HONE_OK);
    if (code) {
        memset(&d->batch, 0, sizeof d->batch);
        return stream_failed(d, code, "get_next");
    }
    if (!d->batch.release) {
        d->ended = 1;
        return 0;
    }
    hone_status s = hone_arrow_check_batch(&d->schema, &d->batch);
    if (s < 0) {
        drop_batch(d);
        return hone_fail_at("%s", hone_instance_id(d->inst));
    }
    return 1;
}

static hone_status source_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    source_data *d = (source_data *)link;
    if (d->ended)
        return 0;
    while (!d->batch.release || d->at >= d->batch.length) {
        hone_status s = next_batch(d);
        if (s <= 0)
            return s;
    }
    hone_status s = hone__arrow_row(&d->schema, &d->batch, d->at, hone_instance_id(d->inst), arena,
                                    row);
    if (s < 0)
        return hone_fail_at("row %llu", (unsigned long long)d->row + 1);
    d->at++;
    d->row++;
    return 1;
}

static hone_status seek(source_data *d, const void *position, size_t n)
{
    drop_batch(d);
    d->ended = 0;
    if (!HONE_HAS(d->vt, hone_source_v1, seek)) {
        drop_stream(d); /* a source without seek starts over when it is opened again */
        return n == 0
                   ? HONE_OK
                   : hone_fail(HONE_E_UNSUPPORTED, "%s: it cannot seek", hone_instance_id(d->inst));
    }
    hone_instance_enter(d->inst);
    return hone_instance_leave(d->inst, "seek", d->vt->seek(d->self, position, n));
}

static hone_status source_rewind(hone_data *link, uint64_t epoch)
{
    source_data *d = (source_data *)link;
    (void)epoch;
    HONE_TRY(seek(d, NULL, 0));
    d->row = 0;
    return HONE_OK;
}

static int64_t source_count(hone_data *link)
{
    source_data *d = (source_data *)link;
    if (!HONE_HAS(d->vt, hone_source_v1, row_count))
        return -1;
    hone_instance_enter(d->inst);
    int64_t n = d->vt->row_count(d->self);
    hone_instance_leave(d->inst, "row_count", HONE_OK);
    return n;
}

static int64_t source_skipped(hone_data *link)
{
    source_data *d = (source_data *)link;
    if (!HONE_HAS(d->vt, hone_source_v1, skipped))
        return 0;
    hone_instance_enter(d->inst);
    int64_t n = d->vt->skipped(d->self);
    hone_instance_leave(d->inst, "skipped", HONE_OK);
    return n;
}

static const char hex_digits[] = "0123456789abcdef";

static hone_status source_save(hone_data *link, hone_jw *w)
{
    source_data *d = (source_data *)link;
    hone_buf hex;
    hone_jw_kcstr(w, "source", hone_instance_id(d->inst));
    hone_jw_ki64(w, "row", (int64_t)d->row);
    hone_jw_kbool(w, "ended", d->ended);
    if (!has_position(d))
        return HONE_OK;
    if (!d->batch.release && !d->ended)
        HONE_TRY(note_position(d));
    hone_buf_init(&hex, 2 * POSITION_MAX);
    for (size_t i = 0; i < d->before.len; i++) {
        unsigned char c = (unsigned char)d->before.ptr[i];
        hone_buf_addc(&hex, hex_digits[c >> 4]);
        hone_buf_addc(&hex, hex_digits[c & 15]);
    }
    hone_status s = hex.failed;
    if (s >= 0) {
        hone_jw_kstr(w, "position", hone_buf_str(&hex));
        hone_jw_ki64(w, "at", d->batch.release ? d->at : 0);
    }
    hone_buf_release(&hex);
    return s;
}

static int hex_value(char c)
{
    const char *p = c ? strchr(hex_digits, c) : NULL;
    return p ? (int)(p - hex_digits) : -1;
}

static hone_status read_hex(const hone_value *v, hone_buf *out)
{
    if (!v || v->type != HONE_STRING || v->u.str.len % 2)
        return hone_fail(HONE_E_STATE, "data: the saved state has no position");
    for (size_t i = 0; i < v->u.str.len; i += 2) {
        int hi = hex_value(v->u.str.ptr[i]), lo = hex_value(v->u.str.ptr[i + 1]);
        if (hi < 0 || lo < 0)
            return hone_fail(HONE_E_STATE, "data: the saved position is not hexadecimal");
        hone_buf_addc(out, (char)(hi << 4 | lo));
    }
    return out->failed;
}

static hone_status skip_rows(source_data *d, uint64_t n)
{
    hone_arena scratch;
    hone_value row;
    hone_status s = 1;
    hone_arena_init(&scratch, 0);
    while (n-- > 0 && s > 0) {
        s = source_next(&d->link, &scratch, &row);
        hone_arena_clear(&scratch);
    }
    hone_arena_release(&scratch);
    return s < 0    ? s
           : s == 0 ? hone_fail(HONE_E_STATE, "data: there are fewer rows than were read before")
                    : HONE_OK;
}

static hone_status source_restore(hone_data *link, const hone_value *state)
{
    source_data *d = (source_data *)link;
    const hone_value *id = hone_value_get(state, "source");
    uint64_t row = 0, at = 0;
    int ended;
    hone_buf position;
    if (!id || id->type != HONE_STRING || !hone_str_eq(id->u.str, hone_instance_id(d->inst)))
        return hone_fail(HONE_E_STATE, "data: the saved state is of another source than %s",
                         hone_instance_id(d->inst));
    HONE_TRY(hone__data_read_count(state, "row", &row));
    HONE_TRY(hone_value_bool(state, "ended", 0, &ended));
    if (!has_position(d)) {
        HONE_TRY(source_rewind(link, 0));
        HONE_TRY(skip_rows(d, row));
        d->ended = ended;
        return HONE_OK;
    }
    HONE_TRY(hone__data_read_count(state, "at", &at));
    hone_buf_init(&position, POSITION_MAX);
    hone_status s = read_hex(hone_value_get(state, "position"), &position);
    if (s >= 0)
        s = seek(d, position.ptr, position.len);
    while (s >= 0 && at > 0) { /* the batches need not be cut as they were */
        s = next_batch(d);
        if (s == 0)
            s = hone_fail(HONE_E_STATE, "data: %s has fewer rows than were read before",
                          hone_instance_id(d->inst));
        if (s < 0)
            break;
        d->at = at < (uint64_t)d->batch.length ? (int64_t)at : d->batch.length;
        at -= (uint64_t)d->at;
    }
    if (s >= 0) {
        d->row = row;
        d->ended = ended;
        s = HONE_OK;
        if (ended) { /* the position to save again is the end's */
            hone_buf_clear(&d->before);
            s = hone_buf_add(&d->before, position.ptr, position.len);
        }
    }
    hone_buf_release(&position);
    return s;
}

hone_status hone__data_push_down(hone_data *link, const hone_str *columns, size_t n, int64_t limit)
{
    while (!columns && strcmp(link->ops->name, "select") == 0)
        link = link->up; /* it changes no number of rows */
    source_data *d = (source_data *)link;
    hone_str no_filter = {"", 0};
    if (link->ops != &source_ops || d->stream.release || d->row || d->ended ||
        !HONE_HAS(d->vt, hone_source_v1, push_down))
        return 0;
    hone_instance_enter(d->inst);
    hone_status s = hone_instance_leave(d->inst, "push_down",
                                        d->vt->push_down(d->self, columns, n, no_filter, limit));
    return s == HONE_E_UNSUPPORTED ? 0 : s < 0 ? s : 1;
}

static void source_close(hone_data *link)
{
    source_data *d = (source_data *)link;
    drop_stream(d);
    hone_buf_release(&d->before);
    hone_instance_unref(d->inst);
}

static const hone_data_ops source_ops = {"source",       source_next,    source_rewind,
                                         source_count,   source_skipped, source_save,
                                         source_restore, source_close,   0};

hone_status hone_data_open_instance(hone_instance *inst, hone_data **out)
{
    hone_ref ref;
    HONE_TRY(hone_instance_ref(inst, HONE_IFACE_SOURCE, &ref));
    source_data *d = hone_calloc(1, sizeof *d);
    if (!d)
        return HONE_E_NOMEM;
    d->link.ops = &source_ops;
    d->inst = hone_instance_addref(inst);
    d->self = ref.self;
    d->vt = ref.vt;
    hone_buf_init(&d->before, POSITION_MAX);
    *out = &d->link;
    return HONE_OK;
}

hone_status hone_data_open(hone_registry *r, const char *name, const hone_value *settings,
                           hone_data **out)
{
    hone_instance *inst;
    HONE_TRY(hone_instance_create(r, HONE_KIND_SOURCE, name, settings, &inst));
    hone_status s = hone_data_open_instance(inst, out);
    hone_instance_unref(inst);
    return s;
}

/* ---- a list in memory ----------------------------------------------------------------------------- */

typedef struct list_data {
    hone_data link;
    hone_arena arena;
    hone_value list;
    uint64_t at;
} list_data;

static hone_status list_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    list_data *d = (list_data *)link;
    if (d->at >= d->list.u.list.n)
        return 0;
    HONE_TRY(hone_value_copy(arena, &d->list.u.list.items[d->at], row));
    d->at++;
    return 1;
}
static hone_status list_rewind(hone_data *link, uint64_t epoch)
{
    (void)epoch;
    ((list_data *)link)->at = 0;
    return HONE_OK;
}
static int64_t list_count(hone_data *link)
{
    return (int64_t)((list_data *)link)->list.u.list.n;
}
static hone_status list_save(hone_data *link, hone_jw *w)
{
    list_data *d = (list_data *)link;
    hone_jw_ki64(w, "at", (int64_t)d->at);
    hone_jw_ki64(w, "n", (int64_t)d->list.u.list.n);
    return HONE_OK;
}
static hone_status list_restore(hone_data *link, const hone_value *state)
{
    list_data *d = (list_data *)link;
    uint64_t at = 0, n = 0;
    HONE_TRY(hone__data_read_count(state, "at", &at));
    HONE_TRY(hone__data_read_count(state, "n", &n));
    if (n != d->list.u.list.n || at > n)
        return hone_fail(HONE_E_STATE, "data: the list had %llu rows and has %zu now",
                         (unsigned long long)n, d->list.u.list.n);
    d->at = at;
    return HONE_OK;
}
static void list_close(hone_data *link)
{
    hone_arena_release(&((list_data *)link)->arena);
}
static const hone_data_ops list_ops = {"list",    list_next,    list_rewind, list_count, NULL,
                                       list_save, list_restore, list_close,  0};

hone_status hone_data_open_list(const hone_value *list, hone_data **out)
{
    if (list->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "data: rows are given as a list");
    for (size_t i = 0; i < list->u.list.n; i++)
        if (list->u.list.items[i].type != HONE_MAP)
            return hone_fail(HONE_E_TYPE, "data: row %zu is no table", i + 1);
    list_data *d = hone_calloc(1, sizeof *d);
    if (!d)
        return HONE_E_NOMEM;
    d->link.ops = &list_ops;
    hone_arena_init(&d->arena, (size_t)8 << 30);
    hone_status s = hone_value_copy(&d->arena, list, &d->list);
    if (s < 0) {
        hone_data_close(&d->link);
        return s;
    }
    *out = &d->link;
    return HONE_OK;
}
