/* marshal.h - between C memory that a description explains and Lua values. Internal to core/lua.
 *
 * C to Lua: structs and arrays become views, userdata that read the C memory when indexed and are valid until
 * the call they belong to returns (afterwards using one is an error). Lua to C: tables become structs in the
 * frame's arena. All functions here raise on error: they run inside a protected call. */
#ifndef HONE_CORE_LUA_MARSHAL_H
#define HONE_CORE_LUA_MARSHAL_H
#include "abi/desc.h"
#include "lua/state_private.h"

#include <ffi.h>

/* One call in progress between Lua and C: what its views and temporaries live in. */
typedef struct hone__frame {
    uint64_t id; /* 0: not in use */
    hone_arena arena;
} hone__frame;
enum { HONE_FRAMES = 2 * HONE_LUA_DEPTH };

typedef struct hone__view {
    uint64_t magic;
    uint64_t frame_id;
    uint32_t frame, index; /* which frame; position in the array it came from */
    const hone_struct_desc *desc;
    char *base;
    size_t n, stride;
    uint16_t type; /* HONE_T_STRUCT or an element type (arrays) */
    uint8_t array, writable;
    const void *extra; /* batches of a reward: the notes sink */
} hone__view;

/* A slot or callback, prepared for libffi. */
typedef struct hone__slot {
    const hone_slot *slot;
    const hone_struct_desc *table; /* whose slot it is */
    hone_sig sig;
    ffi_cif cif;
    ffi_type *types[HONE_SIG_MAX];
    int needs_arena; /* some argument is built in the frame's arena */
} hone__slot;

typedef struct hone__ffi {
    void *ctx; /* hone_ctx of the call that is running */
    hone__frame frames[HONE_FRAMES];
    uint64_t next_id;
    hone__slot **slots; /* prepared so far */
    size_t n_slots, cap_slots;
} hone__ffi;

hone__ffi *hone__ffi_of(hone_lua *l); /* made at first use; NULL: no memory */
/* The slot, prepared once; raises when its signature is unsound (it was checked at load). */
hone__slot *hone__ffi_slot(lua_State *L, const hone_slot *slot, const hone_struct_desc *table,
                           const hone_struct_desc *const *structs);
/* Makes s callable on views of the struct it belongs to: view:name(...). Raises. */
void hone__add_callback(lua_State *L, hone__slot *s);
ffi_type *hone__ffi_result_type(const hone_sig *sig);

/* A frame to work in: its number, or -1 when calls are nested too deep (error set). */
int hone__frame_push(hone_lua *l);
void hone__frame_pop(hone_lua *l, int frame);

/* A struct, or n of them, as a view. */
hone__view *hone__push_view(lua_State *L, int frame, const hone_struct_desc *d, const void *base,
                            int writable);
hone__view *hone__push_array(lua_State *L, int frame, uint16_t type, const hone_struct_desc *d,
                             const void *base, size_t n, size_t stride, int writable);
/* The live view at index, or raises. */
hone__view *hone__check_view(lua_State *L, int index);
hone__view *hone__test_view(lua_State *L, int index);

/* One element of a type at `at`, onto the stack. */
void hone__push_elem(lua_State *L, int frame, uint16_t type, const hone_struct_desc *of,
                     const void *at);
/* A struct as a table of its own, which may be kept: its scalars and texts. */
void hone__push_copy(lua_State *L, int frame, const hone_struct_desc *d, const void *base);
/* The Lua value at index into `at`; what it points at goes into the arena. `what` names it in errors. */
void hone__read_elem(lua_State *L, int index, hone_arena *arena, uint16_t type,
                     const hone_struct_desc *of, void *at, const char *what);
/* A table into a whole struct (zeroed first). */
void hone__read_struct(lua_State *L, int index, hone_arena *arena, const hone_struct_desc *d,
                       void *at, const char *what);
/* After a call: arrays that the callee may write, of the struct at `base` that was read from the table at
 * index, back into that table's own lists. */
void hone__copy_back(lua_State *L, int index, const hone_struct_desc *d, const void *base);
/* Arena memory, zeroed; raises. */
void *hone__arena_need(lua_State *L, hone_arena *a, size_t n, size_t size);

/* Calls a C function by its prepared slot: Lua arguments from `first` on; `self` for self and this. Pushes
 * the results (see iface.h) and returns how many. */
int hone__call_slot(lua_State *L, hone__slot *s, void (*fn)(void), void *self, int first,
                    hone_instance *inst);
#endif
