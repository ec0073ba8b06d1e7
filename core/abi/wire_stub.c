/* wire_stub.c - a table of C functions, made of closures, that one handler answers. See wire.h.
 *
 * What stands behind a proxy: the caller sees an ordinary vtable. A call costs the closure's entry and one call of
 * the handler. Source: plugin-abi.md 3a, the libffi manual, "The closure API". */
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

struct entry {
    const hone_wire_slot *slot;
    hone_wire_handler handler;
    ffi_closure *closure;
};
struct hone_wire_stub {
    void *table;
    struct entry *entries;
    size_t n;
};

static void called(ffi_cif *cif, void *ret, void **args, void *ud)
{
    const struct entry *e = ud;
    hone_wire_ret r;
    void *self;
    (void)cif;
    memset(&r, 0, sizeof r);
    memcpy(&self, args[0], sizeof self);
    e->handler(self, e->slot, args, &r);
    hone__wire_return(e->slot, &r, ret);
}

static int present(const hone_struct_desc *table, const hone_slot *slot, const void *like)
{
    uint32_t size;
    void (*fn)(void);
    if (!like)
        return 1;
    const hone_member *m = table->members[0];
    if (m->type == HONE_T_SIZE) {
        memcpy(&size, (const char *)like + m->offset, sizeof size);
        if (size < slot->offset + sizeof fn)
            return 0;
    }
    memcpy(&fn, (const char *)like + slot->offset, sizeof fn);
    return fn != NULL;
}

/* Members of a table that are data (flags) are those of `like`. */
static void copy_numbers(const hone_struct_desc *d, const void *like, char *table)
{
    uint32_t size = d->size;
    if (like && d->members[0]->type == HONE_T_SIZE)
        memcpy(&size, like, sizeof size);
    for (size_t i = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        if (m->type == HONE_T_SIZE)
            memcpy(table + m->offset, &d->size, sizeof d->size);
        else if (like && !m->flags && m->type <= HONE_T_F64 && m->offset + m->elem_size <= size)
            memcpy(table + m->offset, (const char *)like + m->offset, m->elem_size);
    }
}

hone_status hone_wire_stub_create(const hone_wire *w, const void *like, hone_wire_handler handler,
                                  hone_wire_stub **out)
{
    const hone_struct_desc *d = w->desc->table;
    hone_status s = HONE_E_NOMEM;
    hone_wire_stub *stub = hone_calloc(1, sizeof *stub);
    if (!stub)
        return s;
    stub->table = hone_calloc(1, d->size);
    stub->entries = hone_calloc(w->n + 1, sizeof *stub->entries);
    if (!stub->table || !stub->entries)
        goto fail;
    copy_numbers(d, like, stub->table);
    for (size_t i = 0; i < w->n; i++) {
        struct entry *e = &stub->entries[stub->n];
        void *code;
        if (!w->slots[i] || !present(d, w->slots[i]->slot, like) || w->slots[i]->sig.n == 0 ||
            w->slots[i]->args[0].how != HONE__ARG_SELF)
            continue;
        e->slot = w->slots[i];
        e->handler = handler;
        e->closure = ffi_closure_alloc(sizeof *e->closure, &code);
        stub->n++;
        if (!e->closure ||
            ffi_prep_closure_loc(e->closure, hone_wire_cif(e->slot), called, e, code) != FFI_OK) {
            hone_fail(HONE_E_UNSUPPORTED, "%s: the system refuses to make a callback", w->desc->id);
            s = hone_fail_hint("libffi needs memory that may be executed; is it forbidden here?");
            goto fail;
        }
        memcpy((char *)stub->table + e->slot->fn_offset, &code, sizeof code);
    }
    *out = stub;
    return HONE_OK;
fail:
    hone_wire_stub_free(stub);
    return s;
}

const void *hone_wire_stub_table(const hone_wire_stub *stub)
{
    return stub->table;
}

void hone_wire_stub_free(hone_wire_stub *stub)
{
    if (!stub)
        return;
    for (size_t i = 0; i < stub->n; i++)
        if (stub->entries[i].closure)
            ffi_closure_free(stub->entries[i].closure);
    hone_free(stub->entries);
    hone_free(stub->table);
    hone_free(stub);
}
