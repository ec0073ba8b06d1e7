/* arrow.h - schemas and batches of the Arrow C data interface: what is read of it, and as flat bytes that cross a border.
 *
 *   box      hone_arrow_put_schema, hone_arrow_put_batch     structs of the plugin -> bytes
 *   host     hone_arrow_take_schema, hone_arrow_take_batch   bytes -> structs of its own, every one of them checked
 *
 * Known formats: null, bool, integers of 8 to 64 bits, half, float, double, utf8 and binary (32 and 64-bit offsets, fixed
 * size), dates, times and timestamps, lists, fixed lists, structs, dictionaries of these. Decimals, views, run-end encoding,
 * unions and maps are refused by name.
 *
 * The bytes hold no pointer and no size that the schema does not give: a node for each array (rows, the part of eight that
 * is skipped, whether it may hold nulls), then its buffers, each padded to eight bytes, then its children and its
 * dictionary. A slice of a large array travels as the slice. Bytes of a schema: a node for each column in the same order.
 *
 * Invariants: `take` trusts no byte. What it gives is inside one block of memory: offsets rise and end where their values
 * end, children have the rows that their parents point to, indices are within their dictionary, counts of nulls are
 * counted here, utf8 is UTF-8. `put` and the `check` functions follow the pointers of whoever made the structs, which
 * gives no sizes: they belong into the process that made them. [any-thread]
 * Source: Arrow C data interface, columnar format 1.4. */
#ifndef HONE_CORE_ABI_ARROW_H
#define HONE_CORE_ABI_ARROW_H
#include "base/error.h"
#include "hone/arrow.h"

enum { HONE_ARROW_DEPTH = 32 }; /* columns within columns */

/* ---- formats ------------------------------------------------------------------------------------- */

size_t hone_arrow_width(const char *format);       /* bytes of a fixed-width number, else 0 */
int64_t hone_arrow_fixed_size(const char *format); /* n of "w:n" and "+w:n", else -1 */
int hone_arrow_is_text(const char *format);        /* utf8 or binary with offsets */
int hone_arrow_is_list(const char *format);        /* with offsets, or of fixed size */
int hone_arrow_is_wide(const char *format);        /* its offsets have 64 bits */
/* The value of `key` in a schema's metadata; {NULL, 0} when absent. */
hone_str hone_arrow_metadata(const char *metadata, const char *key);
/* utf8 whose cells hold JSON (HONE_SOURCE_JSON). */
int hone_arrow_is_json(const struct ArrowSchema *column);

/* A struct of columns of known formats? E_UNSUPPORTED naming the column, E_MISBEHAVED, E_LIMIT. */
hone_status hone_arrow_check_schema(const struct ArrowSchema *schema);
/* Has the batch the schema's shape: children, lengths, buffers? E_MISBEHAVED naming the column. */
hone_status hone_arrow_check_batch(const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch);

/* ---- flat bytes ---------------------------------------------------------------------------------- */

typedef struct hone_arrow_place {
    unsigned char *at; /* aligned to 8 */
    size_t size, used; /* used: what it took, or would have taken at least */
} hone_arrow_place;
/* E_LIMIT: it does not fit. The schema, and a batch that has its shape, were checked before. */
hone_status hone_arrow_put_schema(const struct ArrowSchema *schema, hone_arrow_place *to);
hone_status hone_arrow_put_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                 hone_arrow_place *to);
/* A schema of its own, which has passed hone_arrow_check_schema; *out is untouched on failure. */
hone_status hone_arrow_take_schema(const void *bytes, size_t n, struct ArrowSchema *out_own);
/* A batch over `bytes_own`, which hone_alloc gave and which belongs to the batch from now on: freed here on failure.
 * `schema` came from hone_arrow_take_schema, and nobody else writes to the bytes. E_MISBEHAVED naming the column. */
hone_status hone_arrow_take_batch(const struct ArrowSchema *schema, void *bytes_own, size_t n,
                                  struct ArrowArray *out_own);
#endif
