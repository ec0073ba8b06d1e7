/* wire_plan.c - from a slot's description to a plan of what must be done for each call. See wire.h.
 *
 * Key idea: a struct travels as its own bytes, and only members that are pointers need an operation; so a plan is the
 * short list of those, found once. A member that is not wanted, a callback and an opaque pointer become
 * operations that write zeros.
 *
 * Does not: touch arguments. Invariant: a plan that was made can be written and read whatever the arguments are.
 * Source: plugin-abi.md 3a; the libffi manual for struct types. */
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { NEST = 8 }; /* structs in structs, sinks in sinks */

struct planner {
    const hone_iface_desc *iface;
    const char *const *wants;
    int text;
    uint8_t *again; /* how many members have a number */
};

/* ---- structs ----------------------------------------------------------------------------------- */

static int is_named(const hone_struct_desc *d, const char *name)
{
    return strcmp(d->name, name) == 0;
}

/* Are members of this struct chosen by `wants`? Those of hone's own samples and items are. */
static int chosen(const struct planner *p, const hone_struct_desc *d)
{
    return p->wants && (is_named(d, "hone_sample") || is_named(d, "hone_judge_item"));
}

static int wanted(const struct planner *p, const char *name)
{
    for (size_t i = 0; p->wants[i]; i++)
        if (strcmp(p->wants[i], name) == 0)
            return 1;
    return 0;
}

static void plan_free(hone__plan *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->n_ops; i++)
        plan_free(p->ops[i].of);
    hone_free(p->ops);
    hone_free(p);
}

static void count_of(hone__op *op, const hone_struct_desc *d, const hone_member *m)
{
    const hone_member *c;
    if (!(m->flags & HONE_M_ARRAY))
        return;
    c = hone_desc_member_at(d, m->count_offset);
    op->count_offset = m->count_offset;
    op->count_wide = c->type == HONE_T_U64;
    if (op->end < m->count_offset + c->elem_size)
        op->end = m->count_offset + c->elem_size;
    if (m->flags & HONE_M_PRODUCT) {
        c = hone_desc_member_at(d, m->count2_offset);
        op->count2_offset = m->count2_offset;
        op->count2_wide = c->type == HONE_T_U64;
        if (op->end < m->count2_offset + c->elem_size)
            op->end = m->count2_offset + c->elem_size;
    }
}

static int shares_count(const hone_struct_desc *d, const hone_member *m)
{
    for (size_t i = 0; d->members[i]; i++)
        if (d->members[i] != m && (d->members[i]->flags & HONE_M_ARRAY) &&
            d->members[i]->count_offset == m->count_offset)
            return 1;
    return (m->flags & (HONE_M_INLINE | HONE_M_PRODUCT | HONE_M_PLUS1)) != 0;
}

static hone_status plan_struct(const struct planner *pl, const hone_struct_desc *d, int depth,
                               hone__plan **out);

/* The operation for a member; kind ZERO with k = 0: none is needed. */
static hone_status plan_member(const struct planner *pl, const hone_struct_desc *d,
                               const hone_member *m, int depth, hone__plan *p, hone__op *op)
{
    int array = m->flags & HONE_M_ARRAY, in_place = m->flags & HONE_M_INLINE;
    uint32_t each = array ? (uint32_t)sizeof(void *) : m->elem_size;
    memset(op, 0, sizeof *op);
    op->kind = HONE__OP_ZERO;
    op->flags = m->flags;
    op->offset = m->offset;
    op->elem = m->elem_size;
    op->align = m->elem_size >= 8 ? 8 : (uint8_t)m->elem_size;
    op->k = in_place ? m->count2_offset : 1;
    op->width = each * op->k;
    op->end = m->offset + op->width;
    op->name = m->name;
    if (m->type == HONE_T_OPAQUE || m->type == HONE_T_FUNC) {
        p->callbacks |= m->type == HONE_T_FUNC;
        op->k = op->width;
        return HONE_OK;
    }
    if (m->type == HONE_T_SIZE) {
        op->kind = HONE__OP_SIZE;
        p->size_at = (int32_t)m->offset;
        return HONE_OK;
    }
    if (m->type == HONE_T_STRUCT) {
        HONE_TRY(plan_struct(pl, m->of, depth + 1, &op->of));
        if (op->of->mutables || op->of->callbacks || (array && in_place))
            return hone_fail(HONE_E_UNSUPPORTED, "%s.%s: what it holds cannot leave the process",
                             d->name, m->name);
        if (op->of->flat && op->of->size_at < 0 && !array) {
            op->k = 0;
            return HONE_OK;
        }
        op->align = (uint8_t)(m->of->align > 8 ? 8 : m->of->align);
        op->kind = !array ? HONE__OP_INNER : op->of->flat ? HONE__OP_BYTES : HONE__OP_STRUCTS;
    } else if (m->type == HONE_T_STR) {
        op->kind = array ? HONE__OP_STRS : HONE__OP_STR;
    } else if (m->type == HONE_T_VALUE) {
        op->kind = array ? HONE__OP_VALUES : HONE__OP_VALUE;
    } else if (m->type == HONE_T_CSTR) {
        op->kind = array ? HONE__OP_CSTRS : HONE__OP_CSTR;
    } else if (array) {
        op->kind = in_place ? HONE__OP_POINTERS : HONE__OP_BYTES;
    } else {
        op->k = 0; /* numbers, reserved bytes */
        return HONE_OK;
    }
    if ((array && in_place && op->kind != HONE__OP_POINTERS) ||
        (in_place && (op->kind == HONE__OP_STR || op->kind == HONE__OP_VALUE)))
        return hone_fail(HONE_E_UNSUPPORTED, "%s.%s: such a member cannot travel", d->name,
                         m->name);
    count_of(op, d, m);
    if (op->kind == HONE__OP_STRS || op->kind == HONE__OP_VALUES || op->kind == HONE__OP_STRUCTS)
        op->again = *pl->again < HONE__AGAIN ? ++*pl->again : 0;
    /* NULL may stand for "not given" only where another array says that the count means something */
    op->required = !(m->flags & HONE_M_NULLABLE) || (array && !shares_count(d, m));
    if (m->flags & HONE_M_MUTABLE) {
        if (op->kind != HONE__OP_BYTES && op->kind != HONE__OP_POINTERS)
            return hone_fail(HONE_E_UNSUPPORTED, "%s.%s: the callee may fill numbers only", d->name,
                             m->name);
        p->mutables = 1;
    }
    if (chosen(pl, d) && !wanted(pl, m->name)) {
        plan_free(op->of);
        op->of = NULL;
        op->kind = HONE__OP_ZERO;
        op->k = op->width;
        op->flags = 0;
    }
    return HONE_OK;
}

/* Counts of arrays none of which is wanted travel as zero too. */
static void zero_counts(const struct planner *pl, const hone_struct_desc *d, hone__plan *p)
{
    if (!chosen(pl, d))
        return;
    for (size_t c = 0; d->members[c]; c++) {
        int counts = 0, used = 0;
        for (size_t i = 0; d->members[i]; i++) {
            const hone_member *m = d->members[i];
            if ((m->flags & HONE_M_ARRAY) && m->count_offset == d->members[c]->offset) {
                counts = 1;
                used |= wanted(pl, m->name);
            }
        }
        if (!counts || used)
            continue;
        hone__op *op = &p->ops[p->n_ops++];
        memset(op, 0, sizeof *op);
        op->kind = HONE__OP_ZERO;
        op->offset = d->members[c]->offset;
        op->k = op->width = d->members[c]->elem_size;
        op->end = op->offset + op->k;
        op->name = d->members[c]->name;
    }
}

static hone_status plan_struct(const struct planner *pl, const hone_struct_desc *d, int depth,
                               hone__plan **out)
{
    size_t n = 0;
    hone_status s = HONE_E_NOMEM;
    while (d->members[n])
        n++;
    if (depth > NEST)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: structs are nested too deep", d->name);
    hone__plan *p = hone_calloc(1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    p->desc = d;
    p->size = d->size;
    p->size_at = -1;
    p->outcome = is_named(d, "hone_outcome") && d->size == sizeof(hone_outcome);
    p->ops = hone_calloc(2 * n + 1, sizeof *p->ops);
    if (!p->ops)
        goto fail;
    for (size_t i = 0; i < n; i++) {
        hone__op op;
        s = plan_member(pl, d, d->members[i], depth, p, &op);
        if (s < 0) {
            plan_free(op.of);
            goto fail;
        }
        if (op.kind == HONE__OP_ZERO && op.k == 0)
            plan_free(op.of);
        else
            p->ops[p->n_ops++] = op;
    }
    zero_counts(pl, d, p);
    for (uint32_t i = 0; i < p->n_ops; i++)
        p->zeros |= p->ops[i].kind == HONE__OP_ZERO;
    p->flat = p->n_ops == 0 || (p->n_ops == 1 && p->size_at >= 0);
    *out = p;
    return HONE_OK;
fail:
    plan_free(p);
    return s;
}

/* ---- arguments --------------------------------------------------------------------------------- */

ffi_type *hone_wire_scalar(uint8_t base)
{
    switch (base) {
    case HONE_T_U8:
        return &ffi_type_uint8;
    case HONE_T_CHAR:
        return &ffi_type_schar;
    case HONE_T_I32:
    case HONE_A_TENSOR:
    case HONE_A_PARAM:
    case HONE_A_STATUS:
        return &ffi_type_sint32;
    case HONE_T_U32:
        return &ffi_type_uint32;
    case HONE_T_I64:
        return &ffi_type_sint64;
    case HONE_T_U64:
        return &ffi_type_uint64;
    case HONE_T_F32:
        return &ffi_type_float;
    case HONE_T_F64:
        return &ffi_type_double;
    case HONE_A_VOID:
        return &ffi_type_void;
    default:
        return &ffi_type_pointer;
    }
}

static ffi_type *str_type(hone_wire_slot *s, size_t i)
{
    ffi_type *t = &s->by[i];
    t->type = FFI_TYPE_STRUCT;
    t->elements = s->by_elements[i];
    t->elements[0] = &ffi_type_pointer;
    t->elements[1] = &ffi_type_uint64;
    return t;
}

static hone_status struct_type(hone_wire_slot *s, size_t i, const hone_struct_desc *d)
{
    ffi_type *t = &s->by[i];
    t->type = FFI_TYPE_STRUCT;
    t->elements = s->by_elements[i];
    for (size_t k = 0; d->members[k]; k++) {
        if (k == 8 || d->members[k]->flags || d->members[k]->type > HONE_T_F64)
            return hone_fail(HONE_E_UNSUPPORTED, "%s: a %s cannot go by value", s->place, d->name);
        t->elements[k] = hone_wire_scalar((uint8_t)d->members[k]->type);
    }
    s->types[i] = t;
    return HONE_OK;
}

static hone_status plan_slot(const struct planner *pl, const hone_slot *slot,
                             const hone_struct_desc *owner, uint32_t code, int depth,
                             hone_wire_slot **out);
static void slot_free(hone_wire_slot *s);

/* Callbacks of struct `d`, as slots of argument i. */
static hone_status plan_callbacks(const struct planner *pl, hone_wire_slot *s, size_t i,
                                  const hone_struct_desc *d, int depth)
{
    hone__arg_plan *a = &s->args[i];
    size_t n = 0;
    while (d->slots && d->slots[n])
        n++;
    a->sink = hone_calloc(n + 1, sizeof *a->sink);
    if (!a->sink)
        return HONE_E_NOMEM;
    for (; a->n_sink < n; a->n_sink++)
        HONE_TRY(plan_slot(pl, d->slots[a->n_sink], d,
                           0x80000000u | (uint32_t)i << 16 | (uint32_t)a->n_sink, depth + 1,
                           &a->sink[a->n_sink]));
    return HONE_OK;
}

static hone_status plan_arg(const struct planner *pl, hone_wire_slot *s, size_t i, int depth)
{
    const hone_sig_arg *g = &s->sig.args[i];
    hone__arg_plan *a = &s->args[i];
    int pointer = g->array || g->dir == HONE_DIR_OUT || g->dir == HONE_DIR_INOUT ||
                  g->base == HONE_T_VALUE || g->base == HONE_T_STRUCT;
    s->types[i] = pointer ? &ffi_type_pointer : hone_wire_scalar(g->base);
    a->elem = (uint32_t)hone_sig_elem_size(g);
    a->align = a->elem >= 8 ? 8 : (uint8_t)a->elem;
    switch (g->base) {
    case HONE_A_SELF:
    case HONE_A_THIS:
        a->how = HONE__ARG_SELF;
        return i == 0
                   ? HONE_OK
                   : hone_fail(HONE_E_UNSUPPORTED, "%s: self is not the first argument", s->place);
    case HONE_A_CALL:
        a->how = HONE__ARG_CALL;
        return HONE_OK;
    case HONE_A_SINK:
        a->how = HONE__ARG_SINK;
        a->elem = g->of->size;
        HONE_TRY(plan_struct(pl, g->of, 0, &a->of));
        return plan_callbacks(pl, s, i, g->of, depth);
    case HONE_A_CTX:
    case HONE_A_CONFIG:
    case HONE_A_STREAM:
        return hone_fail(HONE_E_UNSUPPORTED, "%s: %s cannot leave the process", s->place, g->name);
    default:
        break;
    }
    if (!pointer) {
        a->how = g->base == HONE_T_STR    ? HONE__ARG_STR
                 : g->base == HONE_T_CSTR ? HONE__ARG_CSTR
                                          : HONE__ARG_NUM;
        if (g->base == HONE_T_STR)
            s->types[i] = str_type(s, i);
        return HONE_OK;
    }
    a->how = HONE__ARG_DATA;
    a->el = g->base == HONE_T_STR      ? HONE__EL_STR
            : g->base == HONE_T_CSTR   ? HONE__EL_CSTR
            : g->base == HONE_T_VALUE  ? HONE__EL_VALUE
            : g->base == HONE_T_STRUCT ? HONE__EL_STRUCT
                                       : HONE__EL_BYTES;
    a->flat = a->el == HONE__EL_BYTES;
    if (a->el == HONE__EL_STRUCT) {
        HONE_TRY(plan_struct(pl, g->of, 0, &a->of));
        a->flat = a->of->flat;
        a->align = (uint8_t)(g->of->align > 8 ? 8 : g->of->align);
        if (g->dir == HONE_DIR_BY)
            HONE_TRY(struct_type(s, i, g->of));
        if (a->of->callbacks) {
            if (g->array || g->dir == HONE_DIR_BY)
                return hone_fail(HONE_E_UNSUPPORTED, "%s: callbacks in an array", s->place);
            HONE_TRY(plan_callbacks(pl, s, i, g->of, depth));
        }
    }
    if (g->array && !a->flat && (g->dir == HONE_DIR_OUT || g->dir == HONE_DIR_INOUT))
        return hone_fail(HONE_E_UNSUPPORTED, "%s: %s: a returned array of what has pointers",
                         s->place, g->name);
    if (!g->array && g->dir == HONE_DIR_INOUT && a->el != HONE__EL_STRUCT && !a->flat)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: %s: such an argument cannot travel both ways",
                         s->place, g->name);
    return HONE_OK;
}

/* Elements travel without gaps: a stride argument travels as the size of an element. */
static hone_status plan_strides(hone_wire_slot *s)
{
    for (size_t i = 0; i < s->sig.n; i++) {
        int k = s->sig.args[i].stride;
        if (k < 0)
            continue;
        if (s->stride[k] && s->stride[k] != s->args[i].elem)
            return hone_fail(HONE_E_UNSUPPORTED, "%s: one stride for elements of two sizes",
                             s->place);
        s->stride[k] = s->args[i].elem;
    }
    return HONE_OK;
}

static hone_status plan_closure(hone_wire_slot *s)
{
    int outputs = s->sig.result != HONE_A_STATUS && s->sig.result != HONE_A_VOID;
    for (size_t i = 0; i < s->sig.n; i++)
        outputs |= s->sig.args[i].dir == HONE_DIR_OUT || s->sig.args[i].dir == HONE_DIR_INOUT ||
                   s->args[i].how == HONE__ARG_SINK || s->args[i].n_sink ||
                   (s->args[i].of && s->args[i].of->mutables);
    s->appends = !outputs;
    if (s->sig.n == 0 || s->args[0].how != HONE__ARG_SELF)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: a callback without this cannot travel", s->place);
    s->closure = ffi_closure_alloc(sizeof *s->closure, &s->closure_code);
    if (!s->closure || ffi_prep_closure_loc(s->closure, &s->cif, hone__wire_callback, s,
                                            s->closure_code) != FFI_OK) {
        hone_fail(HONE_E_UNSUPPORTED, "%s: the system refuses to make a callback", s->place);
        return hone_fail_hint("libffi needs memory that may be executed; is it forbidden here?");
    }
    return HONE_OK;
}

static hone_status plan_slot(const struct planner *pl, const hone_slot *slot,
                             const hone_struct_desc *owner, uint32_t code, int depth,
                             hone_wire_slot **out)
{
    if (depth > 2)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: sinks are nested too deep", slot->name);
    hone_wire_slot *s = hone_calloc(1, sizeof *s);
    hone_status st = HONE_E_NOMEM;
    if (!s)
        return st;
    size_t n = strlen(pl->iface->id) + strlen(slot->name) + 2;
    char *place = hone_alloc(n);
    if (!place)
        goto fail;
    memcpy(place, pl->iface->id, strlen(pl->iface->id));
    place[strlen(pl->iface->id)] = ' ';
    memcpy(place + strlen(pl->iface->id) + 1, slot->name, strlen(slot->name) + 1);
    s->place = place;
    s->slot = slot;
    s->code = code;
    s->text = (uint8_t)pl->text;
    s->fn_offset = slot->offset;
    st = hone_sig_parse(place, slot->sig, pl->iface->structs, owner, &s->sig);
    if (st < 0)
        goto fail;
    for (size_t i = 0; i < s->sig.n; i++) {
        st = plan_arg(pl, s, i, depth);
        if (st < 0)
            goto fail;
    }
    st = plan_strides(s);
    if (st < 0)
        goto fail;
    ffi_type *ret = s->sig.result == HONE_T_STR ? str_type(s, HONE_SIG_MAX)
                                                : hone_wire_scalar(s->sig.result);
    if (ffi_prep_cif(&s->cif, FFI_DEFAULT_ABI, s->sig.n, ret, s->types) != FFI_OK) {
        st = hone_fail(HONE_E_UNSUPPORTED, "%s: libffi cannot make such a call", place);
        goto fail;
    }
    if (depth) {
        st = plan_closure(s);
        if (st < 0)
            goto fail;
    }
    *out = s;
    return HONE_OK;
fail:
    slot_free(s);
    return st;
}

static void slot_free(hone_wire_slot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < HONE_SIG_MAX; i++) {
        plan_free(s->args[i].of);
        for (size_t k = 0; k < s->args[i].n_sink; k++)
            slot_free(s->args[i].sink[k]);
        hone_free(s->args[i].sink);
    }
    if (s->closure)
        ffi_closure_free(s->closure);
    hone_free((char *)(uintptr_t)s->place);
    hone_free(s);
}

/* ---- an interface ------------------------------------------------------------------------------ */

hone_status hone_wire_open(const hone_iface_desc *desc, const char *const *wants, hone_wire **out)
{
    uint8_t again;
    struct planner pl = {desc, wants, 0, &again};
    size_t n = 0;
    while (desc->table->slots && desc->table->slots[n])
        n++;
    /* Ids and bytes of tokens are no text; what a third party's hone_str holds is its own affair. */
    pl.text = hone_desc_builtin(desc->id) == desc && strncmp(desc->id, "hone.tokenizer/", 15) != 0;
    hone_wire *w = hone_calloc(1, sizeof *w);
    if (!w)
        return HONE_E_NOMEM;
    w->desc = desc;
    w->slots = hone_calloc(n + 1, sizeof *w->slots);
    if (!w->slots) {
        hone_free(w);
        return HONE_E_NOMEM;
    }
    for (w->n = 0; w->n < n; w->n++) {
        const hone_slot *slot = desc->table->slots[w->n];
        if (slot->flags & HONE_SLOT_LOCAL)
            continue;
        again = 0; /* a slot's own: a call is of one */
        hone_status s = plan_slot(&pl, slot, desc->table, (uint32_t)w->n, 0, &w->slots[w->n]);
        if (s == HONE_E_NOMEM) {
            hone_wire_close(w);
            return s;
        }
    }
    *out = w;
    return HONE_OK;
}

void hone_wire_close(hone_wire *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        slot_free(w->slots[i]);
    hone_free(w->slots);
    hone_free(w);
}

const hone_wire_slot *hone_wire_find(const hone_wire *w, const char *slot)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->slots[i] && strcmp(w->slots[i]->slot->name, slot) == 0)
            return w->slots[i];
    return NULL;
}

const hone_slot *hone_wire_desc(const hone_wire_slot *s)
{
    return s->slot;
}

const hone_sig *hone_wire_sig(const hone_wire_slot *s)
{
    return &s->sig;
}

ffi_cif *hone_wire_cif(const hone_wire_slot *s)
{
    return (ffi_cif *)(uintptr_t)&s
        ->cif; /* libffi's calls take it without const and do not write */
}

const hone_wire_slot *const *hone_wire_sink(const hone_wire_slot *s, size_t arg, size_t *n)
{
    *n = s->args[arg].n_sink;
    return (const hone_wire_slot *const *)s->args[arg].sink;
}
