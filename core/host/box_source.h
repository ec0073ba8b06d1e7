/* box_source.h - hone.source/1 over the border of a box: between box_source.c (host) and box_source_serve.c (hone-box).
 *
 * Position, seek, row_count, skipped and push_down travel like every other call (wire.h). The stream does not: the box is
 * asked to open it, for its next batch and to close it, and answers with a head, then flat bytes (abi/arrow.h), then the
 * position behind the batch, then a text. (plugin-abi.md 7) */
#ifndef HONE_CORE_HOST_BOX_SOURCE_H
#define HONE_CORE_HOST_BOX_SOURCE_H
#include "host/box_proxy.h"
#include "hone/source.h"

enum { HONE__ROWS_END = 0, HONE__ROWS_SCHEMA = 1, HONE__ROWS_BATCH = 2, HONE__ROWS_ERROR = 3 };
enum { HONE__ROWS_POSITION_MAX = 1 << 20, HONE__ROWS_TEXT_MAX = 4000 };

/* In front of an answer, behind the page of `out`. What follows is `bytes` (padded to eight), `position`, `text`. */
typedef struct hone__rows_head {
    uint32_t kind;  /* HONE__ROWS_* */
    int32_t code;   /* of ERROR: the stream's errno */
    uint64_t bytes; /* of the schema or the batch */
    uint64_t position, text;
    uint32_t positioned; /* 1: `position` is where the next batch begins */
    uint32_t reserved;
    int64_t skipped; /* rows left out so far */
} hone__rows_head;
HONE_STATIC_ASSERT(sizeof(hone__rows_head) == 48, "no padding");

/* hone-box: the answer to `op` into the `size` bytes at `out`; *len of them. A status < 0 has its text set. */
hone_status hone__rows_serve(hone_instance *inst, uint32_t op, unsigned char *out, size_t size,
                             uint64_t *len);

/* Host: the table of a source in a box, whose `self` it is too. NULL: no memory. */
typedef struct hone__box_source hone__box_source;
hone__box_source *hone__box_source_create(hone__offered *o);
const hone_source_v1 *hone__box_source_table(const hone__box_source *s);
void hone__box_source_free(hone__box_source *s);
#endif
