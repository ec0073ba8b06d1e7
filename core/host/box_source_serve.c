/* box_source_serve.c - hone-box's side of a source: its stream, batch by batch, as flat bytes in the out memory.
 *
 * One stream at a time. The position is asked for behind every batch, in the same call, so that the host can always start
 * a fresh box at the exact place. Pointers of the plugin's structs are followed here and nowhere else: a batch that is none
 * crashes this process or is refused by name, and the host checks the bytes again.
 * Source: plugin-abi.md section 7; Arrow C stream interface. */
#include "host/box_source.h"

#include "abi/arrow.h"

#include <errno.h>
#include <string.h>

static struct {
    struct ArrowArrayStream stream; /* release NULL: not open */
    struct ArrowSchema schema;
} rows;

typedef struct answer {
    unsigned char *out;
    size_t size, used;
    hone__rows_head head;
} answer;

static void drop_stream(void)
{
    if (rows.schema.release)
        rows.schema.release(&rows.schema);
    if (rows.stream.release)
        rows.stream.release(&rows.stream);
    memset(&rows, 0, sizeof rows);
}

static void add(answer *a, const void *p, size_t n)
{
    if (n)
        memcpy(a->out + a->used, p, n);
    a->used += n;
}

/* The errno of a stream's call and what it says about it. */
static hone_status stream_failed(answer *a, int code)
{
    const char *text = rows.stream.get_last_error ? rows.stream.get_last_error(&rows.stream) : NULL;
    size_t n = text ? strlen(text) : 0;
    n = n < HONE__ROWS_TEXT_MAX ? n : HONE__ROWS_TEXT_MAX;
    a->head.kind = HONE__ROWS_ERROR;
    a->head.code = code;
    a->head.bytes = 0;
    a->used = sizeof a->head;
    add(a, text, n);
    a->head.text = n;
    return HONE_OK;
}

static hone_status open_rows(hone_instance *inst, const hone_source_v1 *vt, void *self, answer *a)
{
    hone_arrow_place to = {a->out + sizeof a->head, a->size - sizeof a->head, 0};
    drop_stream();
    if (!HONE_HAS(vt, hone_source_v1, open))
        return hone_fail(HONE_E_UNSUPPORTED, "it has no open");
    hone_instance_enter(inst);
    HONE_TRY(hone_instance_leave(inst, "open", vt->open(self, &rows.stream)));
    if (!rows.stream.release || !rows.stream.get_schema || !rows.stream.get_next) {
        memset(&rows, 0, sizeof rows);
        return hone_fail(HONE_E_MISBEHAVED, "open gave no stream");
    }
    hone_instance_enter(inst);
    int code = rows.stream.get_schema(&rows.stream, &rows.schema);
    hone_instance_leave(inst, "get_schema", HONE_OK);
    if (code) {
        memset(&rows.schema, 0, sizeof rows.schema);
        return stream_failed(a, code);
    }
    hone_status s = hone_arrow_check_schema(&rows.schema);
    if (s >= 0)
        s = hone_arrow_put_schema(&rows.schema, &to);
    if (s < 0) {
        drop_stream();
        return s;
    }
    a->head.kind = HONE__ROWS_SCHEMA;
    a->head.bytes = to.used;
    a->used = sizeof a->head + to.used;
    return HONE_OK;
}

static hone_status put_position(const hone_bytes_sink *sink, const void *bytes, size_t n)
{
    answer *a = sink->ctx;
    if (n > HONE__ROWS_POSITION_MAX - a->head.position || n > a->size - a->used)
        return hone__host_failed(
            hone_fail(HONE_E_LIMIT, "a position of more than %d bytes", HONE__ROWS_POSITION_MAX));
    add(a, bytes, n);
    a->head.position += n;
    return HONE_OK;
}

/* Behind a batch. A source that cannot tell is one that cannot be taken up again: no error here. */
static void note_position(hone_instance *inst, const hone_source_v1 *vt, void *self, answer *a)
{
    const hone_bytes_sink sink = {sizeof sink, 0, a, put_position};
    const size_t before = a->used;
    if (HONE_HAS(vt, hone_source_v1, position) && HONE_HAS(vt, hone_source_v1, seek)) {
        hone_instance_enter(inst);
        a->head.positioned = hone_instance_leave(inst, "position", vt->position(self, &sink)) >= 0;
    }
    if (!a->head.positioned) {
        a->used = before;
        a->head.position = 0;
    }
    if (HONE_HAS(vt, hone_source_v1, skipped)) {
        hone_instance_enter(inst);
        a->head.skipped = vt->skipped(self);
        hone_instance_leave(inst, "skipped", HONE_OK);
    }
}

static hone_status put_batch(answer *a, const struct ArrowArray *batch)
{
    /* what comes behind it has to fit too */
    const size_t behind = HONE__ROWS_POSITION_MAX + HONE__ROWS_TEXT_MAX + 64;
    hone_arrow_place to = {a->out + sizeof a->head, a->size - sizeof a->head - behind, 0};
    HONE_TRY(hone_arrow_check_batch(&rows.schema, batch));
    hone_status s = hone_arrow_put_batch(&rows.schema, batch, &to);
    if (s == HONE_E_LIMIT && to.used > to.size) {
        s = hone_fail(HONE_E_LIMIT, "a batch of %lld rows is too large for a box: it holds %zu MB",
                      (long long)batch->length, to.size >> 20);
        hone_fail_hint("the source has to give batches of fewer rows");
    }
    if (s < 0)
        return s;
    a->head.kind = HONE__ROWS_BATCH;
    a->head.bytes = to.used;
    a->used = sizeof a->head + to.used;
    return HONE_OK;
}

static hone_status next_rows(hone_instance *inst, const hone_source_v1 *vt, void *self, answer *a)
{
    struct ArrowArray batch;
    hone_status s = HONE_OK;
    memset(&batch, 0, sizeof batch);
    if (!rows.stream.release)
        return hone_fail(HONE_E_INVALID, "its stream is not open");
    hone_instance_enter(inst);
    int code = rows.stream.get_next(&rows.stream, &batch);
    hone_instance_leave(inst, "get_next", HONE_OK);
    if (code)
        return stream_failed(a, code);
    a->head.kind = HONE__ROWS_END;
    if (batch.release) {
        s = put_batch(a, &batch);
        if (batch.release)
            batch.release(&batch);
    }
    if (s >= 0)
        note_position(inst, vt, self, a);
    return s;
}

hone_status hone__rows_serve(hone_instance *inst, uint32_t op, unsigned char *out, size_t size,
                             uint64_t *len)
{
    answer a = {.out = out, .size = size, .used = sizeof a.head};
    void *self;
    const hone_source_v1 *vt = hone_instance_iface(inst, HONE_IFACE_SOURCE, &self);
    hone_status s = HONE_OK;
    *len = 0;
    if (!vt)
        return hone_fail(HONE_E_UNSUPPORTED, "it is no source");
    if (op == HONE__BOX_OP_OPEN)
        s = open_rows(inst, vt, self, &a);
    else if (op == HONE__BOX_OP_NEXT)
        s = next_rows(inst, vt, self, &a);
    else
        drop_stream();
    if (s < 0)
        return s;
    memcpy(out, &a.head, sizeof a.head);
    *len = a.used;
    return HONE_OK;
}
