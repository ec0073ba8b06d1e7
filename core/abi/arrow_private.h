/* arrow_private.h - the flat bytes that arrow_put.c writes and arrow_take.c reads. Nobody else includes it. */
#ifndef HONE_CORE_ABI_ARROW_PRIVATE_H
#define HONE_CORE_ABI_ARROW_PRIVATE_H
#include "abi/arrow.h"
#include "hone/desc.h"

/* Of an array: its buffers follow, then children, then the dictionary. */
typedef struct hone__arrow_node {
    int64_t length;
    uint32_t skew;  /* 0 to 7: rows in front of it that its buffers begin with */
    uint32_t nulls; /* 1: a validity bitmap comes first */
} hone__arrow_node;
HONE_STATIC_ASSERT(sizeof(hone__arrow_node) == 16, "no padding");

/* Of a schema: format, name and metadata follow, padded together. */
typedef struct hone__arrow_column {
    uint32_t format, name,
        metadata; /* bytes; `name` and `metadata` count from 1, 0: there is none */
    uint32_t n_children, dictionary, flags;
} hone__arrow_column;
HONE_STATIC_ASSERT(sizeof(hone__arrow_column) == 24, "no padding");

enum {
    HONE__ARROW_FORMAT_MAX = 256,
    HONE__ARROW_NAME_MAX = 1 << 16,
    HONE__ARROW_META_MAX = 1 << 20
};
enum { HONE__ARROW_COLUMNS_MAX = 1 << 16 }; /* of one schema, in all depths */

/* Rows in front of and in an array, as its buffers hold them. */
static inline size_t hone__arrow_bits(uint64_t n)
{
    return (size_t)((n + 7) / 8);
}
static inline size_t hone__arrow_pad(size_t n)
{
    return (n + 7) & ~(size_t)7;
}
#endif
