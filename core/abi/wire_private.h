/* wire_private.h - plans of the marshaller, and the layout of its bytes. Internal to core/abi/wire*.c.
 *
 * Bytes of a call: head, one hone__wire_arg for each argument, then what they point at. Bytes of a result:
 * result head, for each argument where its returned struct begins (0: none), the arrays the callee fills, then records of
 * sinks (each the bytes of a call with offsets from its own begin), then returned structs and texts. */
#ifndef HONE_CORE_ABI_WIRE_PRIVATE_H
#define HONE_CORE_ABI_WIRE_PRIVATE_H
#include "abi/wire.h"

#include <string.h>

/* What stands at a member's place and cannot be copied as it is. */
enum {
    HONE__OP_STR,      /* hone_str */
    HONE__OP_CSTR,     /* k const char * in place */
    HONE__OP_VALUE,    /* hone_value */
    HONE__OP_BYTES,    /* pointer to numbers, or to structs without pointers */
    HONE__OP_STRS,     /* pointer to n hone_str */
    HONE__OP_CSTRS,    /* pointer to n const char * */
    HONE__OP_VALUES,   /* pointer to n hone_value */
    HONE__OP_STRUCTS,  /* pointer to n structs */
    HONE__OP_INNER,    /* k structs in place */
    HONE__OP_POINTERS, /* k pointers in place to n numbers each */
    HONE__OP_ZERO,     /* travels as zero: unwanted, opaque, a callback */
    HONE__OP_SIZE      /* struct_size */
};

/* The array that a member pointed at last. Samples of a group point at one row: such an array travels once, and is
 * rebuilt once. Writer and reader go through the members in the same order, so each finds what the other found, and what the reader
 * copies is never more than the writer wrote. */
enum { HONE__AGAIN = 8 };
typedef struct hone__again {
    uint64_t at, n; /* offset; the writer's address in `p`; n 0: none yet */
    const void *p;
} hone__again;

typedef struct hone__plan hone__plan;
typedef struct hone__op {
    uint8_t kind, align;             /* align of an element */
    uint8_t count_wide, count2_wide; /* 1: u64 */
    uint8_t again;                   /* number of its hone__again + 1; 0: it has none */
    uint16_t flags;                  /* HONE_M_* */
    uint32_t offset, count_offset, count2_offset, elem;
    uint32_t k;     /* how many in place; bytes of ZERO */
    uint32_t width; /* bytes at offset */
    int required;   /* a count above 0 needs elements */
    uint32_t end;   /* bytes of the struct that must be there for it */
    hone__plan *of; /* STRUCTS, INNER */
    const char *name;
} hone__op;
struct hone__plan {
    const hone_struct_desc *desc;
    hone__op *ops;
    uint32_t n_ops, size;
    int32_t size_at;                             /* offset of struct_size, -1 */
    uint8_t flat;                                /* nothing but numbers */
    uint8_t mutables, callbacks, outcome, zeros; /* has such operations */
};

/* How an argument travels. */
enum {
    HONE__ARG_SELF,
    HONE__ARG_CALL,
    HONE__ARG_SINK,
    HONE__ARG_NUM,
    HONE__ARG_STR,
    HONE__ARG_CSTR,
    HONE__ARG_DATA /* a pointer to elements, or a struct by value */
};
/* What an element is made of. */
enum { HONE__EL_BYTES, HONE__EL_STR, HONE__EL_CSTR, HONE__EL_VALUE, HONE__EL_STRUCT };

typedef struct hone__arg_plan {
    uint8_t how, el, align;
    uint8_t flat; /* EL_BYTES, or a struct of numbers: an output of it lies in the fixed part */
    uint32_t elem;
    hone__plan *of;
    hone_wire_slot **sink; /* callbacks of a sink, or of a struct that has some */
    size_t n_sink;
} hone__arg_plan;

struct hone_wire_slot {
    const hone_slot *slot;
    const char *place; /* "hone.reward/1 score" */
    hone_sig sig;
    ffi_cif cif;
    ffi_type *types[HONE_SIG_MAX];
    ffi_type by[HONE_SIG_MAX + 1]; /* types of structs by value, and of a returned text */
    ffi_type *by_elements[HONE_SIG_MAX + 1][9];
    hone__arg_plan args[HONE_SIG_MAX];
    uint32_t stride[HONE_SIG_MAX]; /* what a stride argument travels as */
    uint32_t code;        /* slot number, or number of the callback | argument << 16 | 1 << 31 */
    uint8_t text;         /* its strings are promised to be UTF-8 */
    uint8_t appends;      /* a callback without outputs: can be delivered later */
    ffi_closure *closure; /* of a callback: appends or asks */
    void *closure_code;
    uint32_t fn_offset;
};

/* ---- bytes ------------------------------------------------------------------------------------- */

#define HONE__WIRE_CALL 0x6c6c6163u   /* "call" */
#define HONE__WIRE_RESULT 0x746c7372u /* "rslt" */

typedef struct hone__wire_head {
    uint32_t magic, code;
    uint64_t id, len, there;
    uint32_t cancelled, n_args;
    uint64_t fixed, reserved[2];
} hone__wire_head;
typedef struct hone__wire_arg {
    uint64_t a, b;
} hone__wire_arg;
HONE_STATIC_ASSERT(sizeof(hone__wire_head) == 64 && sizeof(hone__wire_arg) == 16, "no padding");

enum { HONE__NONE, HONE__BEGUN, HONE__DONE };
typedef struct hone__wire_result {
    uint32_t magic, code;
    uint64_t id;
    uint32_t state, lost;
    uint64_t end;        /* of all complete records */
    uint64_t used;       /* of everything, once DONE */
    uint64_t ret[2];     /* a returned text: offset and length */
    uint64_t text[3][2]; /* error: what, detail, hint: offset and length */
    int32_t error;
    uint32_t reserved;
    uint64_t out[HONE_SIG_MAX]; /* where the returned struct of an argument begins, 0 = none */
} hone__wire_result;
HONE_STATIC_ASSERT(sizeof(hone__wire_result) == 240, "no padding");

/* Where the outputs of each argument begin in the result, from the call's arguments as C has them. `counts`: the
 * struct elements of arguments, which MUTABLE members count in. E_RANGE when sizes overflow. */
typedef struct hone__layout {
    size_t at[HONE_SIG_MAX], end;
} hone__layout;
hone_status hone__wire_layout(const hone_wire_slot *s, void *const *args, hone__layout *out);
/* Number of elements of argument i, its stride, its pointer. */
size_t hone__wire_count(const hone_wire_slot *s, size_t i, void *const *args);
size_t hone__wire_stride(const hone_wire_slot *s, size_t i, void *const *args);
/* Elements of a member, read from a struct: 0 on overflow with *bad set. */
static inline size_t hone__wire_count_at(const char *base, uint32_t offset, int wide)
{
    uint64_t big;
    uint32_t small;
    if (wide) {
        memcpy(&big, base + offset, sizeof big);
        return (size_t)big;
    }
    memcpy(&small, base + offset, sizeof small);
    return small;
}

static inline size_t hone__wire_member_count(const hone__op *op, const char *base, int *over)
{
    size_t n = hone__wire_count_at(base, op->count_offset, op->count_wide), bytes;
    if (op->flags & HONE_M_PLUS1)
        *over |= __builtin_add_overflow(n, 1, &n);
    if (op->flags & HONE_M_PRODUCT)
        *over |= __builtin_mul_overflow(
            n, hone__wire_count_at(base, op->count2_offset, op->count2_wide), &n);
    *over |= __builtin_mul_overflow(n, (size_t)op->elem, &bytes);
    return *over ? 0 : n;
}
/* Bytes of a struct that are there: its struct_size, at most the plan's size. */
size_t hone__wire_avail(const hone__plan *p, const void *base);

/* Bytes of a callback's call at `at`, with offsets; E_LIMIT. */
hone_status hone__wire_append(const hone_wire_slot *s, void *const *args, char *at, size_t room,
                              size_t *len);
/* One struct or value with what it points at, offsets from `base`, first byte free at *used. */
hone_status hone__wire_put_out(const hone__arg_plan *a, const void *elem, char *base, size_t size,
                               size_t *used, uint64_t *at);

/* Checked reading, of private memory. */
typedef struct hone__reader {
    const char *base;
    size_t len, budget;
    hone_arena *arena;
    const char *place; /* for errors */
    size_t *refused;
    int text;
    int returned; /* a struct on its way back: MUTABLE arrays do not come with it */
    struct {
        uint64_t at, len;
    } valid[16]; /* texts that were found to be UTF-8 before: equal ones travel once */
    hone__again again[HONE__AGAIN];
} hone__reader;
hone_status hone__wire_read_data(hone__reader *r, const hone__arg_plan *a, uint64_t at, size_t n,
                                 const char *name, void **out);
hone_status hone__wire_read_str(hone__reader *r, uint64_t at, uint64_t len, const char *name,
                                int text, hone_str *out);
/* Makes an outcome sound; 1 when it was not. */
int hone__wire_sane_outcome(void *outcome);

/* Puts a returned value where a closure of the slot has to leave it. */
void hone__wire_return(const hone_wire_slot *s, const hone_wire_ret *r, void *ret);
void hone__wire_callback(ffi_cif *cif, void *ret, void **args, void *slot); /* ffi closure */
#endif
