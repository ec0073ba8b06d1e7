/* sig.h - the signature of a slot, parsed.
 *
 *   "self, call, in:[hone_sample; n, in_stride], n:size, in_stride:size, out:out [hone_outcome; n, out_stride],
 *    out_stride:size, notes:sink hone_notes -> status"
 *
 * One entry per C argument, in order, with what a marshaller must know: which argument counts which
 * array, what a pointer points at, in which direction. (desc.h, docs/abi.md) */
#ifndef HONE_CORE_ABI_SIG_H
#define HONE_CORE_ABI_SIG_H
#include "base/buf.h"
#include "hone/desc.h"

enum { HONE_SIG_MAX = 16 };

/* Bases besides HONE_T_U8 .. HONE_T_STRUCT. */
enum {
    HONE_A_SELF = 32, /* void *: the instance */
    HONE_A_THIS,      /* the sink that the slot belongs to */
    HONE_A_CALL,      /* const hone_call * */
    HONE_A_SINK,      /* a host object with callbacks */
    HONE_A_CTX,       /* hone_ctx *: opaque */
    HONE_A_CONFIG,    /* const hone_config * */
    HONE_A_STREAM,    /* struct ArrowArrayStream * */
    HONE_A_TENSOR,    /* int32_t handle */
    HONE_A_PARAM,     /* int32_t handle */
    HONE_A_STATUS,
    HONE_A_VOID
};
enum {
    HONE_DIR_IN = 0,
    HONE_DIR_OUT = 1,
    HONE_DIR_INOUT = 2,
    HONE_DIR_BY = 3 /* a struct by value */
};
enum { HONE_ROLE_COUNT = 1, HONE_ROLE_STRIDE = 2 };

typedef struct hone_sig_arg {
    char name[28];
    uint8_t base, dir;
    uint8_t array;        /* elements at a pointer, `count` or `fixed` of them */
    uint8_t nullable;     /* may be NULL */
    uint8_t role;         /* HONE_ROLE_*: it counts, or is the stride of, other arguments */
    int8_t count, stride; /* argument numbers, -1 */
    uint32_t fixed;
    const hone_struct_desc *of; /* STRUCT, SINK, THIS */
} hone_sig_arg;

typedef struct hone_sig {
    hone_sig_arg args[HONE_SIG_MAX];
    uint8_t n;
    uint8_t result; /* a base */
} hone_sig;

/* Parses `sig`; struct names are looked up in `structs`, `owner` is the struct the slot belongs to. `who`
 * goes in front of errors (E_ABI, with the place). [any-thread] */
hone_status hone_sig_parse(const char *who, const char *sig, const hone_struct_desc *const *structs,
                           const hone_struct_desc *owner, hone_sig *out);
/* Bytes of one element of an argument: of the scalar, the struct, the pointer. */
size_t hone_sig_elem_size(const hone_sig_arg *a);
/* As a C parameter list without names: "void *, const hone_call *, ...", result in front: for tests and docs. */
void hone_sig_c(const hone_sig *sig, const char *name, hone_buf *out);
#endif
