/* fuzz_arrow.c - rows that come out of a box: any bytes as a schema and a batch of it give rows or an error, no byte outside
 * of them is read, and rows that were taken once come again the same when they are sent on.
 *
 * The input: two bytes, how long the flat schema is (arrow_private.h), the schema, the batch. */
#include "abi/arrow.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "train/arrow_rows.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 300, AGAIN = 1 << 22 };

static hone_status take(const struct ArrowSchema *schema, const void *bytes, size_t n,
                        struct ArrowArray *out)
{
    void *own = hone_alloc(n ? n : 1);
    if (!own)
        return HONE_E_NOMEM;
    memcpy(own, bytes, n);
    return hone_arrow_take_batch(schema, own, n, out);
}

/* A hash of the first rows; those that cannot be read count as such. */
static uint64_t rows(const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
    uint64_t h = (uint64_t)batch->length;
    hone_arena a;
    hone_buf b;
    hone_arena_init(&a, 1 << 24);
    hone_buf_init(&b, 1 << 24);
    for (int64_t i = 0; i < batch->length && i < ROWS; i++) {
        hone_value row;
        hone_jw w;
        hone_buf_clear(&b);
        hone_jw_init(&w, &b, 0);
        if (hone__arrow_row(schema, batch, i, "fuzz", &a, &row) >= 0)
            hone_jw_value(&w, &row);
        h = hone_xxh64(b.ptr, b.len, h);
        hone_arena_clear(&a);
    }
    hone_buf_release(&b);
    hone_arena_release(&a);
    return h;
}

static void send_on(const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
    struct ArrowSchema schema2;
    struct ArrowArray batch2;
    unsigned char *room = hone_alloc(2 * (size_t)AGAIN);
    hone_arrow_place s = {room, AGAIN, 0}, b = {room + AGAIN, AGAIN, 0};
    if (hone_arrow_check_batch(schema, batch) < 0 || hone_arrow_put_schema(schema, &s) < 0 ||
        hone_arrow_take_schema(room, s.used, &schema2) < 0)
        abort(); /* it was taken before */
    if (hone_arrow_put_batch(schema, batch, &b) >= 0) {
        if (take(&schema2, b.at, b.used, &batch2) < 0 ||
            rows(schema, batch) != rows(&schema2, &batch2))
            abort();
        batch2.release(&batch2);
    }
    schema2.release(&schema2);
    hone_free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ArrowSchema schema;
    struct ArrowArray batch;
    size_t n = size >= 2 ? (size_t)(data[0] | data[1] << 8) : 0;
    if (size < 2 || n > size - 2)
        return 0;
    if (hone_arrow_take_schema(data + 2, n, &schema) < 0)
        return 0;
    if (take(&schema, data + 2 + n, size - 2 - n, &batch) >= 0) {
        (void)rows(&schema, &batch);
        if (size < 1 << 16)
            send_on(&schema, &batch);
        batch.release(&batch);
    }
    schema.release(&schema);
    return 0;
}
