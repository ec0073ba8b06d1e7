/* hone/desc.h - an interface, described as data beside its C struct.
 *
 * From one description come the Lua binding, the box proxy, the validator's fuzzer, record and replay, and the
 * reference. Structs are plain C structs; HONE_DESCRIBE lists a row for each member. A row takes offset and
 * size from the compiler, its type from _Generic (a row whose kind does not fit its member does not compile), and a
 * static assertion adds up the sizes of all rows: a member that was left out, or implicit padding, does not
 * compile either. So a struct and its description cannot disagree.
 *
 *   typedef struct acme_point { double x, y; } acme_point;
 *   HONE_DESCRIBE(point_desc, acme_point, HONE_STRUCT_FROZEN, (NUM, x), (NUM, y))
 *   typedef struct acme_map_v1 {
 *       uint32_t struct_size, reserved;
 *       hone_status (*nearest)(void *self, const acme_point *points_bor, size_t n, size_t stride, acme_point *out);
 *   } acme_map_v1;
 *   HONE_DESCRIBE_IFACE(map_desc, acme_map_v1, "com.acme.map/1", "com.acme.kind.map",
 *                       (&point_desc), (SIZE, struct_size), (PAD, reserved),
 *                       (SLOT, nearest, 0, "self, points:[acme_point; n, stride], n:size, stride:size, "
 *                                          "out:out acme_point -> status", "the point nearest to the first"))
 *
 * The signature of a slot names every C argument in order, in a small closed grammar (docs/abi.md has it as
 * EBNF with worked lines). What it cannot say is not allowed in a remotable interface. Description macros are C11;
 * a C++ plugin keeps its descriptions in a .c file. (plugin-abi.md 3a) */
#ifndef HONE_DESC_H
#define HONE_DESC_H
#include "hone/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HONE_T_U8 = 1,
    HONE_T_CHAR = 2,
    HONE_T_I32 = 3,
    HONE_T_U32 = 4,
    HONE_T_I64 = 5,
    HONE_T_U64 = 6, /* size_t is one */
    HONE_T_F32 = 7,
    HONE_T_F64 = 8,
    HONE_T_STR = 9,    /* hone_str by value */
    HONE_T_VALUE = 10, /* hone_value by value */
    HONE_T_CSTR = 11,  /* const char *, NUL-terminated */
    HONE_T_STRUCT = 12,
    HONE_T_OPAQUE = 13, /* a pointer that means something to its owner only */
    HONE_T_SIZE = 14,   /* struct_size: filled by whoever makes the struct */
    HONE_T_PAD = 15,    /* reserved: zero */
    HONE_T_FUNC = 16    /* a callback: described by the struct's slots */
};
/* What stands at `offset`: an element, or ... */
#define HONE_M_ARRAY                                                                               \
    (1u << 0) /* a pointer to elements: as many as the member at count_offset says */
#define HONE_M_PLUS1 (1u << 1)    /* one more than that */
#define HONE_M_PRODUCT (1u << 2)  /* times the member at count2_offset */
#define HONE_M_INLINE (1u << 3)   /* count2_offset elements (or pointers, with ARRAY) in place */
#define HONE_M_NULLABLE (1u << 4) /* may be NULL */
#define HONE_M_MUTABLE (1u << 5)  /* the callee writes the elements */

#define HONE_STRUCT_FROZEN (1u << 0) /* never grows: arrays of it need no stride */
#define HONE_STRUCT_SINK                                                                           \
    (1u << 1) /* an object with callbacks (slots), lent until the call returns */

#define HONE_SLOT_OPTIONAL (1u << 0)
#define HONE_SLOT_BATCH (1u << 1)       /* splitting a batch over several calls is allowed */
#define HONE_SLOT_CANCELLABLE (1u << 2) /* takes a hone_call */
#define HONE_SLOT_LOCAL (1u << 3) /* takes things that cannot leave the process: never remoted */

struct hone_struct_desc;

typedef struct hone_member {
    uint32_t struct_size;
    uint16_t type, flags; /* HONE_T_*, HONE_M_* */
    const char *name;
    uint32_t offset, count_offset, count2_offset, elem_size;
    const struct hone_struct_desc *of; /* STRUCT */
} hone_member;

typedef struct hone_slot {
    uint32_t struct_size;
    uint32_t offset, flags; /* HONE_SLOT_* */
    uint32_t reserved;
    const char *name, *sig, *doc;
} hone_slot;

typedef struct hone_struct_desc {
    uint32_t struct_size;
    uint32_t size, align, flags; /* HONE_STRUCT_* */
    const char *name;
    const hone_member *const *members; /* NULL-terminated, by offset */
    const hone_slot *const *slots;     /* callbacks of a SINK, NULL-terminated */
} hone_struct_desc;

typedef struct hone_iface_desc {
    uint32_t struct_size, reserved;
    const char *id, *kind;
    const hone_struct_desc *table;          /* the vtable: its slots are the interface's calls */
    const hone_struct_desc *const *structs; /* those the signatures name, NULL-terminated */
} hone_iface_desc;

#ifndef __cplusplus
/* ---- rows: (KIND, member, ...) ----------------------------------------------------------------------
 * (SIZE, m)                  struct_size             (PAD, m)              reserved bytes
 * (NUM, m)                   a number                (STR, m) (VALUE, m) (CSTR, m) (OPAQUE, m)
 * (NUMS, m, n, flags)        pointer to n numbers    (NUMS2, m, n, n2, flags)   n x n2 numbers
 * (STRS, m, n, flags)        pointer to n hone_str   (STRUCTS, m, n, desc, flags)  pointer to n frozen structs
 * (INNUMS, m, k)             k numbers in place      (INCSTRS, m, k)            k strings in place
 * (INPTRS, m, k, n, flags)   k pointers to n numbers in place
 * (INNER, m, k, desc)        k structs in place
 * (SLOT, m, flags, sig, doc) a function pointer
 * n, n2: members of the same struct. */
#define HONE_M_(S, m) (((S *)0)->m)
#define HONE_TYPE_(x)                                                                              \
    _Generic((x), uint8_t                                                                          \
             : HONE_T_U8, char                                                                     \
             : HONE_T_CHAR, int32_t                                                                \
             : HONE_T_I32, uint32_t                                                                \
             : HONE_T_U32, int64_t                                                                 \
             : HONE_T_I64, uint64_t                                                                \
             : HONE_T_U64, float                                                                   \
             : HONE_T_F32, double                                                                  \
             : HONE_T_F64)
#define HONE_ROW_MAKE_(S, m, type, flags, count, count2, elem, of)                                 \
    &(const hone_member){sizeof(hone_member),                                                      \
                         (type),                                                                   \
                         (flags),                                                                  \
                         #m,                                                                       \
                         offsetof(S, m),                                                           \
                         (count),                                                                  \
                         (count2),                                                                 \
                         (elem),                                                                   \
                         (of)},

#define HONE_ROW_SIZE(S, m)                                                                        \
    HONE_ROW_MAKE_(S, m, _Generic(HONE_M_(S, m), uint32_t : HONE_T_SIZE), 0, 0, 0, 4, NULL)
#define HONE_ROW_PAD(S, m) HONE_ROW_MAKE_(S, m, HONE_T_PAD, 0, 0, 0, sizeof(HONE_M_(S, m)), NULL)
#define HONE_ROW_NUM(S, m)                                                                         \
    HONE_ROW_MAKE_(S, m, HONE_TYPE_(HONE_M_(S, m)), 0, 0, 0, sizeof(HONE_M_(S, m)), NULL)
#define HONE_ROW_STR(S, m)                                                                         \
    HONE_ROW_MAKE_(S, m,                                                                           \
                   _Generic(HONE_M_(S, m), hone_str                                                \
                            : HONE_T_STR),                                                         \
                   0, 0, 0, sizeof(hone_str), NULL)
#define HONE_ROW_VALUE(S, m)                                                                       \
    HONE_ROW_MAKE_(S, m,                                                                           \
                   _Generic(HONE_M_(S, m), hone_value                                              \
                            : HONE_T_VALUE),                                                       \
                   0, 0, 0, sizeof(hone_value), NULL)
#define HONE_ROW_CSTR(S, m)                                                                        \
    HONE_ROW_MAKE_(S, m, _Generic(HONE_M_(S, m), const char *: HONE_T_CSTR), 0, 0, 0, sizeof(char *), NULL)
#define HONE_ROW_OPAQUE(S, m)                                                                      \
    HONE_ROW_MAKE_(S, m, _Generic(HONE_M_(S, m), void *: HONE_T_OPAQUE, const void *: HONE_T_OPAQUE), 0, 0, 0, sizeof(void *), NULL)
#define HONE_ROW_NUMS(S, m, n, flags)                                                              \
    HONE_ROW_MAKE_(S, m, HONE_TYPE_(*HONE_M_(S, m)), HONE_M_ARRAY | (flags), offsetof(S, n), 0,    \
                   sizeof(*HONE_M_(S, m)), NULL)
#define HONE_ROW_NUMS2(S, m, n, n2, flags)                                                         \
    HONE_ROW_MAKE_(S, m, HONE_TYPE_(*HONE_M_(S, m)), HONE_M_ARRAY | HONE_M_PRODUCT | (flags),      \
                   offsetof(S, n), offsetof(S, n2), sizeof(*HONE_M_(S, m)), NULL)
#define HONE_ROW_STRS(S, m, n, flags)                                                              \
    HONE_ROW_MAKE_(S, m,                                                                           \
                   _Generic(*HONE_M_(S, m), hone_str                                               \
                            : HONE_T_STR),                                                         \
                   HONE_M_ARRAY | (flags), offsetof(S, n), 0, sizeof(hone_str), NULL)
#define HONE_ROW_STRUCTS(S, m, n, desc, flags)                                                     \
    HONE_ROW_MAKE_(S, m, HONE_T_STRUCT, HONE_M_ARRAY | (flags), offsetof(S, n), 0,                 \
                   sizeof(*HONE_M_(S, m)), &(desc))
#define HONE_ROW_INNUMS(S, m, k)                                                                   \
    HONE_ROW_MAKE_(S, m, HONE_TYPE_(*HONE_M_(S, m)), HONE_M_INLINE, 0, (k),                        \
                   sizeof(*HONE_M_(S, m)), NULL)
#define HONE_ROW_INCSTRS(S, m, k)                                                                  \
    HONE_ROW_MAKE_(S, m, _Generic(*HONE_M_(S, m), const char *: HONE_T_CSTR), HONE_M_INLINE, 0, (k), sizeof(char *), NULL)
#define HONE_ROW_INPTRS(S, m, k, n, flags)                                                         \
    HONE_ROW_MAKE_(S, m, HONE_TYPE_(**HONE_M_(S, m)), HONE_M_ARRAY | HONE_M_INLINE | (flags),      \
                   offsetof(S, n), (k), sizeof(**HONE_M_(S, m)), NULL)
#define HONE_ROW_INNER(S, m, k, desc)                                                              \
    HONE_ROW_MAKE_(S, m, HONE_T_STRUCT, HONE_M_INLINE, 0, (k), sizeof(HONE_M_(S, m)) / (k), &(desc))
#define HONE_ROW_SLOT(S, m, flags, sig, doc)                                                       \
    HONE_ROW_MAKE_(S, m, HONE_T_FUNC, 0, 0, 0, sizeof(HONE_M_(S, m)), NULL)

#define HONE_SLOT_SIZE(S, ...)
#define HONE_SLOT_PAD(S, ...)
#define HONE_SLOT_NUM(S, ...)
#define HONE_SLOT_STR(S, ...)
#define HONE_SLOT_VALUE(S, ...)
#define HONE_SLOT_CSTR(S, ...)
#define HONE_SLOT_OPAQUE(S, ...)
#define HONE_SLOT_NUMS(S, ...)
#define HONE_SLOT_NUMS2(S, ...)
#define HONE_SLOT_STRS(S, ...)
#define HONE_SLOT_STRUCTS(S, ...)
#define HONE_SLOT_INNUMS(S, ...)
#define HONE_SLOT_INCSTRS(S, ...)
#define HONE_SLOT_INPTRS(S, ...)
#define HONE_SLOT_INNER(S, ...)
#define HONE_SLOT_SLOT(S, m, flags, sig, doc)                                                      \
    &(const hone_slot){sizeof(hone_slot), offsetof(S, m), (flags), 0, #m, (sig), (doc)},

/* ---- one row after the other, at most 32 -------------------------------------------------------------- */
#define HONE_STRIP_(...) __VA_ARGS__
#define HONE_ROW_(S, row) HONE_ROW_1_(S, HONE_STRIP_ row)
#define HONE_ROW_1_(S, ...) HONE_ROW_2_(S, __VA_ARGS__)
#define HONE_ROW_2_(S, kind, ...) HONE_ROW_##kind(S, __VA_ARGS__)
#define HONE_SLOTROW_(S, row) HONE_SLOTROW_1_(S, HONE_STRIP_ row)
#define HONE_SLOTROW_1_(S, ...) HONE_SLOTROW_2_(S, __VA_ARGS__)
#define HONE_SLOTROW_2_(S, kind, ...) HONE_SLOT_##kind(S, __VA_ARGS__)
#define HONE_SIZEROW_(S, row) HONE_SIZEROW_1_(S, HONE_STRIP_ row, )
#define HONE_SIZEROW_1_(S, ...) HONE_SIZEROW_2_(S, __VA_ARGS__)
#define HONE_SIZEROW_2_(S, kind, m, ...) +sizeof(HONE_M_(S, m))

#define HONE_E1_(F, S, x) F(S, x)
#define HONE_E2_(F, S, x, ...) F(S, x) HONE_E1_(F, S, __VA_ARGS__)
#define HONE_E3_(F, S, x, ...) F(S, x) HONE_E2_(F, S, __VA_ARGS__)
#define HONE_E4_(F, S, x, ...) F(S, x) HONE_E3_(F, S, __VA_ARGS__)
#define HONE_E5_(F, S, x, ...) F(S, x) HONE_E4_(F, S, __VA_ARGS__)
#define HONE_E6_(F, S, x, ...) F(S, x) HONE_E5_(F, S, __VA_ARGS__)
#define HONE_E7_(F, S, x, ...) F(S, x) HONE_E6_(F, S, __VA_ARGS__)
#define HONE_E8_(F, S, x, ...) F(S, x) HONE_E7_(F, S, __VA_ARGS__)
#define HONE_E9_(F, S, x, ...) F(S, x) HONE_E8_(F, S, __VA_ARGS__)
#define HONE_E10_(F, S, x, ...) F(S, x) HONE_E9_(F, S, __VA_ARGS__)
#define HONE_E11_(F, S, x, ...) F(S, x) HONE_E10_(F, S, __VA_ARGS__)
#define HONE_E12_(F, S, x, ...) F(S, x) HONE_E11_(F, S, __VA_ARGS__)
#define HONE_E13_(F, S, x, ...) F(S, x) HONE_E12_(F, S, __VA_ARGS__)
#define HONE_E14_(F, S, x, ...) F(S, x) HONE_E13_(F, S, __VA_ARGS__)
#define HONE_E15_(F, S, x, ...) F(S, x) HONE_E14_(F, S, __VA_ARGS__)
#define HONE_E16_(F, S, x, ...) F(S, x) HONE_E15_(F, S, __VA_ARGS__)
#define HONE_E17_(F, S, x, ...) F(S, x) HONE_E16_(F, S, __VA_ARGS__)
#define HONE_E18_(F, S, x, ...) F(S, x) HONE_E17_(F, S, __VA_ARGS__)
#define HONE_E19_(F, S, x, ...) F(S, x) HONE_E18_(F, S, __VA_ARGS__)
#define HONE_E20_(F, S, x, ...) F(S, x) HONE_E19_(F, S, __VA_ARGS__)
#define HONE_E21_(F, S, x, ...) F(S, x) HONE_E20_(F, S, __VA_ARGS__)
#define HONE_E22_(F, S, x, ...) F(S, x) HONE_E21_(F, S, __VA_ARGS__)
#define HONE_E23_(F, S, x, ...) F(S, x) HONE_E22_(F, S, __VA_ARGS__)
#define HONE_E24_(F, S, x, ...) F(S, x) HONE_E23_(F, S, __VA_ARGS__)
#define HONE_E25_(F, S, x, ...) F(S, x) HONE_E24_(F, S, __VA_ARGS__)
#define HONE_E26_(F, S, x, ...) F(S, x) HONE_E25_(F, S, __VA_ARGS__)
#define HONE_E27_(F, S, x, ...) F(S, x) HONE_E26_(F, S, __VA_ARGS__)
#define HONE_E28_(F, S, x, ...) F(S, x) HONE_E27_(F, S, __VA_ARGS__)
#define HONE_E29_(F, S, x, ...) F(S, x) HONE_E28_(F, S, __VA_ARGS__)
#define HONE_E30_(F, S, x, ...) F(S, x) HONE_E29_(F, S, __VA_ARGS__)
#define HONE_E31_(F, S, x, ...) F(S, x) HONE_E30_(F, S, __VA_ARGS__)
#define HONE_E32_(F, S, x, ...) F(S, x) HONE_E31_(F, S, __VA_ARGS__)
#define HONE_NTH_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, \
                  a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, n, ...)    \
    n
#define HONE_EACH_(F, S, ...)                                                                      \
    HONE_NTH_(__VA_ARGS__, HONE_E32_, HONE_E31_, HONE_E30_, HONE_E29_, HONE_E28_, HONE_E27_,       \
              HONE_E26_, HONE_E25_, HONE_E24_, HONE_E23_, HONE_E22_, HONE_E21_, HONE_E20_,         \
              HONE_E19_, HONE_E18_, HONE_E17_, HONE_E16_, HONE_E15_, HONE_E14_, HONE_E13_,         \
              HONE_E12_, HONE_E11_, HONE_E10_, HONE_E9_, HONE_E8_, HONE_E7_, HONE_E6_, HONE_E5_,   \
              HONE_E4_, HONE_E3_, HONE_E2_, HONE_E1_, )                                            \
    (F, S, __VA_ARGS__)

#define HONE_DESCRIBE(var, S, flags, ...)                                                          \
    HONE_STATIC_ASSERT((0 HONE_EACH_(HONE_SIZEROW_, S, __VA_ARGS__)) == sizeof(S),                 \
                       #S ": a member has no row, a row is there twice, or there is padding");     \
    static const hone_member *const var##_members[] = {HONE_EACH_(HONE_ROW_, S, __VA_ARGS__)       \
                                                           NULL};                                  \
    static const hone_slot *const var##_slots[] = {HONE_EACH_(HONE_SLOTROW_, S, __VA_ARGS__)       \
                                                       NULL};                                      \
    static const hone_struct_desc var = {sizeof(hone_struct_desc),                                 \
                                         sizeof(S),                                                \
                                         _Alignof(S),                                              \
                                         (flags),                                                  \
                                         #S,                                                       \
                                         var##_members,                                            \
                                         var##_slots};
/* `structs`: (&a, &b, ...): the descriptions that the signatures name; (NULL) when they name none. */
#define HONE_DESCRIBE_IFACE(var, VT, id_, kind_, structs_, ...)                                    \
    HONE_DESCRIBE(var##_table, VT, 0, __VA_ARGS__)                                                 \
    static const hone_struct_desc *const var##_structs[] = {HONE_STRIP_ structs_, NULL};           \
    static const hone_iface_desc var = {                                                           \
        sizeof(hone_iface_desc), 0, (id_), (kind_), &var##_table, var##_structs};
#endif

#ifdef __cplusplus
}
#endif
#endif
