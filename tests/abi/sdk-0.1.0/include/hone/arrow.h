/* hone/arrow.h - the Arrow C data interface and C stream interface: three struct layouts, no library.
 *
 * Written from the public specification (arrow.apache.org/docs/format/CDataInterface.html and
 * CStreamInterface.html), whose layout is fixed for good. The guards are the specification's, so that
 * this header and another copy of the same structs live together.
 *
 * Ownership: who holds a struct calls its release once, which sets release to NULL; moving is a copy of
 * the bytes with the old one's release set to NULL. A child is released by its parent. */
#ifndef HONE_ARROW_H
#define HONE_ARROW_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char
        *format; /* "u" utf8, "l" int64, "g" float64, "b" bool, "+s" struct, "+l" list, ... */
    const char *name;
    const char *
        metadata; /* int32 count, then per pair int32 length, bytes, int32 length, bytes; or NULL */
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *); /* [any-thread] */
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count; /* -1: not known */
    int64_t offset;     /* into every buffer, in elements */
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *); /* [any-thread] */
    void *private_data;
};
#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    /* 0, or an errno code: then get_last_error tells. */
    int (*get_schema)(struct ArrowArrayStream *,
                      struct ArrowSchema *out); /* [control-thread & active] */
    /* The next batch; at the end `out` is released (release == NULL). */
    int (*get_next)(struct ArrowArrayStream *,
                    struct ArrowArray *out); /* [control-thread & active] */
    /* Text until the next call, or NULL. */
    const char *(*get_last_error)(struct ArrowArrayStream *); /* [control-thread & active] */
    void (*release)(struct ArrowArrayStream *);               /* [control-thread & !active] */
    void *private_data;
};
#endif

#ifdef __cplusplus
}
#endif
#endif
