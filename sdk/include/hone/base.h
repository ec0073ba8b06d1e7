/* hone/base.h - the words every other header of the SDK is written in.
 *
 * Status codes, strings, dynamic values, export and layout macros. Everything that crosses the
 * plugin border is built from these. Compiles alone as C11 and C++17, needs no other file.
 *
 * Invariants: a status is 0 or negative; a hone_str may hold NUL and need not end in one; a
 * hone_value is a borrowed tree, at most HONE_VALUE_DEPTH deep. (plugin-abi.md, sections 3-5) */
#ifndef HONE_BASE_H
#define HONE_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define HONE_EXTERN_C extern "C"
#define HONE_STATIC_ASSERT(cond, text) static_assert(cond, text)
extern "C" {
#else
#define HONE_EXTERN_C
#define HONE_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define HONE_EXPORT HONE_EXTERN_C __attribute__((visibility("default")))

#define HONE_EPOCH 1u
#define HONE_SDK_VERSION 0x000101u /* 0xMMmmpp: 0.1.1 */

/* code, value, text. The one list; hone_status_name() and docs/abi.md are made from it. */
#define HONE_STATUS_LIST(X)                                                                        \
    X(OK, 0, "ok")                                                                                 \
    X(E_FAIL, -1, "failed")                                                                        \
    X(E_NOMEM, -2, "out of memory")                                                                \
    X(E_INVALID, -3, "invalid argument")                                                           \
    X(E_UNSUPPORTED, -4, "not supported")                                                          \
    X(E_NOT_FOUND, -5, "not found")                                                                \
    X(E_IO, -6, "input/output error")                                                              \
    X(E_NO_SPACE, -7, "no space left")                                                             \
    X(E_PARSE, -8, "malformed input")                                                              \
    X(E_RANGE, -9, "out of range")                                                                 \
    X(E_TYPE, -10, "wrong type")                                                                   \
    X(E_SHAPE, -11, "shapes do not fit")                                                           \
    X(E_STATE, -12, "not possible in this state")                                                  \
    X(E_ABI, -13, "incompatible plugin")                                                           \
    X(E_GONE, -14, "removed from this interface")                                                  \
    X(E_REFUSED, -15, "refused")                                                                   \
    X(E_CANCELLED, -16, "cancelled")                                                               \
    X(E_TIMEOUT, -17, "deadline passed")                                                           \
    X(E_SCRIPT, -18, "script error")                                                               \
    X(E_LIMIT, -19, "limit exceeded")                                                              \
    X(E_MISBEHAVED, -20, "plugin broke the contract")                                              \
    X(E_EXISTS, -21, "already there")                                                              \
    X(E_USAGE, -22, "usage error")                                                                 \
    X(E_INTERRUPTED, -23, "interrupted")

typedef int32_t hone_status;
enum {
#define HONE_X(name, value, text) HONE_##name = value,
    HONE_STATUS_LIST(HONE_X)
#undef HONE_X
};

/* A run of bytes, borrowed. UTF-8 where a contract says text; may hold NUL. */
typedef struct hone_str {
    const char *ptr;
    size_t len;
} hone_str;

/* A dynamic value: what a data row's cell, a configuration or a metadata table holds. Borrowed.
 * Maps keep insertion order and have unique keys. Unknown types mean "unsupported". FROZEN. */
enum {
    HONE_NULL = 0,
    HONE_BOOL = 1,
    HONE_I64 = 2,
    HONE_F64 = 3,
    HONE_STRING = 4, /* UTF-8 text */
    HONE_BYTES = 5,
    HONE_LIST = 6,
    HONE_MAP = 7
};
#define HONE_VALUE_DEPTH 64
typedef struct hone_value {
    uint32_t type;
    uint32_t reserved;
    union {
        int64_t boolean; /* 0 or 1 */
        int64_t i64;
        double f64;
        hone_str str; /* HONE_STRING, HONE_BYTES */
        struct {
            const struct hone_value *items;
            size_t n;
        } list;
        struct {
            const struct hone_pair *pairs;
            size_t n;
        } map;
    } u;
} hone_value;
typedef struct hone_pair {
    hone_str key;
    hone_value value;
} hone_pair;

/* One message of a conversation, one named cell of a data row. FROZEN. */
typedef struct hone_message {
    hone_str role, content;
} hone_message;
typedef struct hone_column {
    hone_str name;
    hone_value value;
} hone_column;

/* A versioned interface with its object: what the host hands to a plugin. */
typedef struct hone_ref {
    void *self;
    const void *vt;
} hone_ref;

static inline hone_str hone_str_c(const char *z)
{
    hone_str s;
    s.ptr = z;
    s.len = 0;
    if (z)
        while (z[s.len])
            s.len++;
    return s;
}

/* Is member `f` of `*p` there, as far as the struct_size of the other side goes, and not NULL? */
#define HONE_HAS(p, T, f) ((p)->struct_size >= offsetof(T, f) + sizeof((p)->f) && (p)->f != NULL)

#ifdef __cplusplus
}
#endif
#endif
