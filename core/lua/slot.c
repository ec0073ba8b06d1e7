/* slot.c - the calls of interfaces, prepared for libffi.
 *
 * Key idea: a signature is parsed once a state, when the first handle or component of its interface is made;
 * from then on a call has a ffi_cif, the parsed arguments, and whether it needs memory. The callbacks of the
 * sinks that a slot is given are prepared with it. Source: the libffi manual, plugin-abi.md sections 3a and 8. */
#include "lua/marshal.h"

#include "abi/wire.h"
#include "base/alloc.h"

hone__ffi *hone__ffi_of(hone_lua *l)
{
    if (!l->ffi) {
        hone__ffi *f = hone_calloc(1, sizeof *f);
        if (!f)
            return NULL;
        for (int i = 0; i < HONE_FRAMES; i++)
            hone_arena_init(&f->frames[i].arena, 0);
        l->ffi = f;
    }
    return l->ffi;
}

static ffi_type *str_elements[] = {&ffi_type_pointer, &ffi_type_uint64, NULL};
static ffi_type str_type = {0, 0, FFI_TYPE_STRUCT, str_elements};

ffi_type *hone__ffi_result_type(const hone_sig *sig)
{
    return sig->result == HONE_T_STR ? &str_type : hone_wire_scalar(sig->result);
}

/* A small struct by value: scalars only. */
static ffi_type *by_value(lua_State *L, hone_lua *l, const hone_struct_desc *d)
{
    size_t n = 0;
    while (d->members[n])
        n++;
    ffi_type *t = hone__arena_need(L, &l->arena, 1, sizeof *t);
    t->type = FFI_TYPE_STRUCT;
    t->elements = hone__arena_need(L, &l->arena, n + 1, sizeof *t->elements);
    for (size_t i = 0; i < n; i++) {
        if (d->members[i]->flags || d->members[i]->type > HONE_T_F64)
            luaL_error(L, "a %s cannot be passed by value", d->name);
        t->elements[i] = hone_wire_scalar((uint8_t)d->members[i]->type);
    }
    return t;
}

static int pointer_arg(const hone_sig_arg *a)
{
    return a->array || a->dir == HONE_DIR_OUT || a->dir == HONE_DIR_INOUT ||
           a->base == HONE_T_VALUE || (a->base == HONE_T_STRUCT && a->dir != HONE_DIR_BY);
}

hone__slot *hone__ffi_slot(lua_State *L, const hone_slot *slot, const hone_struct_desc *table,
                           const hone_struct_desc *const *structs)
{
    hone_lua *l = hone_lua_of(L);
    hone__ffi *f = hone__ffi_of(l);
    if (!f)
        hone_lua_raise(L);
    for (size_t i = 0; i < f->n_slots; i++)
        if (f->slots[i]->slot == slot)
            return f->slots[i];
    if (f->n_slots == f->cap_slots) {
        size_t cap = f->cap_slots ? 2 * f->cap_slots : 64;
        hone__slot **more = hone_reallocarray(f->slots, cap, sizeof *more);
        if (!more)
            hone_lua_raise(L);
        f->slots = more;
        f->cap_slots = cap;
    }
    hone__slot *s = hone__arena_need(L, &l->arena, 1, sizeof *s);
    s->slot = slot;
    s->table = table;
    hone_lua_check(L, hone_sig_parse(slot->name, slot->sig, structs, table, &s->sig));
    for (size_t i = 0; i < s->sig.n; i++) {
        const hone_sig_arg *a = &s->sig.args[i];
        if (a->base == HONE_T_STRUCT && a->dir == HONE_DIR_BY)
            s->types[i] = by_value(L, l, a->of);
        else if (pointer_arg(a))
            s->types[i] = &ffi_type_pointer;
        else
            s->types[i] = a->base == HONE_T_STR ? &str_type : hone_wire_scalar(a->base);
        s->needs_arena |= pointer_arg(a) || a->base == HONE_A_SINK || (a->base == HONE_T_STRUCT);
    }
    if (ffi_prep_cif(&s->cif, FFI_DEFAULT_ABI, s->sig.n, hone__ffi_result_type(&s->sig),
                     s->types) != FFI_OK)
        luaL_error(L, "%s: libffi cannot make such a call", slot->name);
    f->slots[f->n_slots++] = s;
    /* the callbacks of the sinks it is given become callable too */
    for (size_t i = 0; i < s->sig.n; i++) {
        const hone_sig_arg *a = &s->sig.args[i];
        if ((a->base == HONE_A_SINK || a->base == HONE_T_STRUCT) && a->of != table)
            for (size_t k = 0; a->of->slots && a->of->slots[k]; k++)
                hone__add_callback(L, hone__ffi_slot(L, a->of->slots[k], a->of, structs));
    }
    return s;
}
