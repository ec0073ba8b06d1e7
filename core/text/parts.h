/* parts.h - a long text taken part by part: read, cut, worked on by several threads, written in order.
 *
 * Each of the pool's threads takes the next part (one at a time: reading and cutting is cheap), works on it
 * alone, and waits for its turn to write. So what is written does not depend on the number of threads,
 * and memory on the parts in flight alone: a text of any length passes through. A part ends where `cut` says; where it
 * knows no place, more is read, up to `most` bytes.
 *
 * Of several failures the one of the earliest part counts; what that part gave before it failed is written. */
#ifndef HONE_CORE_TEXT_PARTS_H
#define HONE_CORE_TEXT_PARTS_H
#include "base/buf.h"
#include "tensor/pool.h"

typedef struct hone_part {
    hone_str text;
    uint64_t offset; /* of the text in all that is read */
    uint64_t number; /* from 0 */
    int last;        /* nothing follows; a text of no bytes is one part that is first and last */
} hone_part;

typedef struct hone_parts {
    void *ctx;
    /* Up to n bytes of what comes next to p; *got == 0: there is no more. [any-thread, one at a time] */
    hone_status (*read)(void *ctx, void *p, size_t n, size_t *got);
    /* Where `text`, which more follows, may be cut: 0 < *at <= text.len; 0: more must be seen. [as read] */
    hone_status (*cut)(void *ctx, hone_str text, size_t *at);
    /* Makes `out` of the part; it is empty before. [any-thread] */
    hone_status (*work)(void *ctx, const hone_part *part, hone_buf *out);
    /* The parts in order; its status is the part's. failed: what `work` (or reading) gave, whose text is the
     * thread's error; `out` is what there was before. [any-thread, one at a time] */
    hone_status (*write)(void *ctx, const hone_part *part, hone_str out, hone_status failed);
    size_t size; /* bytes of a part, about */
    size_t most; /* of a part */
    int eager;   /* a part is taken after each read: somebody types */
} hone_parts;

/* [control-thread] */
hone_status hone_parts_run(const hone_parts *p, hone_pool *pool);
#endif
