/* hone/desc.h - an interface, described as data beside its C struct.
 *
 * From one description come the Lua binding, the box proxy, the validator's fuzzer, record and replay,
 * and the reference. The members of a struct are described by HONE_MEMBER_* rows, which take offset and
 * size from the compiler and refuse a row whose type does not fit its member; HONE_STRUCT_* checks that
 * the rows cover every byte of the struct, so that a member without a row does not compile (C) or is
 * refused by hone_desc_check (C++). Slots carry a signature in the small grammar below.
 *
 *   sig     = [ arg { ", " arg } ] " -> " result .
 *   result  = "status" | scalar | "str" | "void" | "tensor" | "param" | "ptr" .
 *   arg     = name ":" type .
 *   type    = scalar | "str" | "cstr" | "value" | "call" | "self"
 *           | "in " struct | "out " struct | "inout " struct          a single struct, by pointer
 *           | "in [" elem ";" count [ ", " stride ] "]"                array read
 *           | "out [" elem ";" count [ ", " stride ] "]"               array written
 *           | "sink " struct                                           host's callback object, until return
 *           | "stream" | "state " dir | "tensor" | "param" | "ctx" | "bytes" dir .
 *   scalar  = "u8" | "i32" | "u32" | "i64" | "u64" | "size" | "f32" | "f64" | "bool" .
 * docs/abi.md has it whole with one worked line per interface. (plugin-abi.md 3a) */
#ifndef HONE_DESC_H
#define HONE_DESC_H
#include "hone/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hone_struct_desc;

typedef struct hone_member {
    uint32_t struct_size;
    uint32_t reserved;
    const char *name;
    uint16_t type, flags;
    uint32_t offset, count_offset, elem_size;
    const struct hone_struct_desc *of;
} hone_member;

typedef struct hone_struct_desc {
    uint32_t struct_size;
    uint32_t size, align, flags; /* HONE_STRUCT_* */
    const char *name;
    const hone_member *const *members; /* NULL-terminated, by offset */
} hone_struct_desc;

typedef struct hone_slot {
    uint32_t struct_size;
    uint32_t offset, flags; /* HONE_SLOT_* */
    uint32_t reserved;
    const char *name, *sig, *doc;
} hone_slot;

typedef struct hone_iface_desc {
    uint32_t struct_size;
    uint32_t size; /* of the vtable */
    const char *id, *kind;
    const hone_slot *const *slots;           /* NULL-terminated, by offset */
    const hone_struct_desc *const *structs;  /* those the slots name, NULL-terminated */
} hone_iface_desc;

#ifdef __cplusplus
}
#endif
#endif
