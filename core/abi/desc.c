/* desc.c - checks, writes and hashes interface descriptions. See desc.h.
 *
 * A description from a plugin is data from outside: it is checked once, at load, so that marshallers can
 * trust it. In C the compiler has checked most of this already (sdk/include/hone/desc.h); the checks
 * here also cover descriptions made by hand and by other languages.
 * Source: plugin-abi.md section 3a. */
#include "abi/desc.h"

#include "base/error.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

enum { STRUCT_MAX = 65536, ROWS_MAX = 256 };

static const struct {
    uint32_t type;
    uint32_t size; /* 0: the row says */
    const char *name;
} types[] = {
    {HONE_T_U8, 1, "u8"},         {HONE_T_CHAR, 1, "char"},        {HONE_T_I32, 4, "i32"},
    {HONE_T_U32, 4, "u32"},       {HONE_T_I64, 8, "i64"},          {HONE_T_U64, 8, "u64"},
    {HONE_T_F32, 4, "f32"},       {HONE_T_F64, 8, "f64"},          {HONE_T_STR, 16, "str"},
    {HONE_T_VALUE, 24, "value"},  {HONE_T_CSTR, 8, "cstr"},        {HONE_T_STRUCT, 0, "struct"},
    {HONE_T_OPAQUE, 8, "opaque"}, {HONE_T_SIZE, 4, "struct_size"}, {HONE_T_PAD, 0, "pad"},
    {HONE_T_FUNC, 8, "function"},
};
enum { N_TYPES = sizeof types / sizeof *types };
HONE_STATIC_ASSERT(sizeof(hone_str) == 16 && sizeof(hone_value) == 24, "sizes of the table above");

const char *hone_desc_type_name(uint32_t type)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == type)
            return types[i].name;
    return NULL;
}

const hone_slot *hone_desc_slot(const hone_struct_desc *table, const char *name)
{
    for (size_t i = 0; table->slots && table->slots[i]; i++)
        if (strcmp(table->slots[i]->name, name) == 0)
            return table->slots[i];
    return NULL;
}

const hone_member *hone_desc_member(const hone_struct_desc *s, const char *name)
{
    for (size_t i = 0; s->members[i]; i++)
        if (strcmp(s->members[i]->name, name) == 0)
            return s->members[i];
    return NULL;
}

const hone_member *hone_desc_member_at(const hone_struct_desc *s, uint32_t offset)
{
    for (size_t i = 0; s->members[i]; i++)
        if (s->members[i]->offset == offset)
            return s->members[i];
    return NULL;
}

static size_t read_count(const hone_struct_desc *s, uint32_t offset, const void *base)
{
    const hone_member *c = hone_desc_member_at(s, offset);
    uint32_t small;
    uint64_t big;
    if (c->type == HONE_T_U32) {
        memcpy(&small, (const char *)base + offset, sizeof small);
        return small;
    }
    memcpy(&big, (const char *)base + offset, sizeof big);
    return (size_t)big;
}

hone_status hone_desc_count(const hone_struct_desc *s, const hone_member *m, const void *base,
                            size_t *out)
{
    if (!(m->flags & HONE_M_ARRAY)) {
        *out = m->flags & HONE_M_INLINE ? m->count2_offset : 1;
        return HONE_OK;
    }
    size_t n = read_count(s, m->count_offset, base);
    int fits = 1;
    if (m->flags & HONE_M_PLUS1)
        fits = n != SIZE_MAX && ++n;
    if (m->flags & HONE_M_PRODUCT) {
        size_t n2 = read_count(s, m->count2_offset, base);
        fits = fits && (n2 == 0 || n <= SIZE_MAX / n2);
        n *= n2;
    }
    if (!fits || (m->elem_size && n > SIZE_MAX / 2 / m->elem_size))
        return hone_fail(HONE_E_RANGE, "%s.%s: its count is out of range", s->name, m->name);
    *out = n;
    return HONE_OK;
}

/* ---- soundness --------------------------------------------------------------------------------- */

static int counts(const hone_struct_desc *s, uint32_t offset)
{
    const hone_member *c = hone_desc_member_at(s, offset);
    return c && !c->flags && (c->type == HONE_T_U32 || c->type == HONE_T_U64);
}

static hone_status check_member(const char *who, const hone_struct_desc *s, const hone_member *m,
                                uint32_t *end)
{
    uint32_t known = 0, size = 0;
    if (m->struct_size < sizeof *m || !m->name || !*m->name || !hone_desc_type_name(m->type))
        return hone_fail(HONE_E_ABI, "%s: %s: a member has no name or an unknown type", who,
                         s->name);
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == m->type)
            known = types[i].size;
    if ((known && m->elem_size != known) || m->elem_size == 0 || m->elem_size > STRUCT_MAX)
        return hone_fail(HONE_E_ABI, "%s: %s.%s: elements of %u bytes cannot be %s", who, s->name,
                         m->name, m->elem_size, hone_desc_type_name(m->type));
    if (m->type == HONE_T_STRUCT && (!m->of || m->of->size != m->elem_size))
        return hone_fail(HONE_E_ABI, "%s: %s.%s: its struct is not described", who, s->name,
                         m->name);
    if ((m->flags & HONE_M_ARRAY) && m->type == HONE_T_STRUCT &&
        !(m->of->flags & HONE_STRUCT_FROZEN))
        return hone_fail(HONE_E_ABI, "%s: %s.%s: an array without stride of a struct that may grow",
                         who, s->name, m->name);
    if ((m->flags & HONE_M_INLINE) && (m->count2_offset == 0 || m->count2_offset > STRUCT_MAX))
        return hone_fail(HONE_E_ABI, "%s: %s.%s: how many stand in place?", who, s->name, m->name);
    if (m->flags & HONE_M_ARRAY) {
        size = sizeof(void *);
        if (!counts(s, m->count_offset) ||
            ((m->flags & HONE_M_PRODUCT) && !counts(s, m->count2_offset)))
            return hone_fail(HONE_E_ABI, "%s: %s.%s: no member counts its elements", who, s->name,
                             m->name);
    } else {
        size = m->elem_size;
    }
    if (m->flags & HONE_M_INLINE)
        size = size * m->count2_offset > STRUCT_MAX ? STRUCT_MAX + 1 : size * m->count2_offset;
    if (m->offset < *end || m->offset > s->size || size > s->size - m->offset)
        return hone_fail(HONE_E_ABI,
                         "%s: %s.%s: overlaps the member before it, or lies outside the struct",
                         who, s->name, m->name);
    if (m->offset != *end)
        return hone_fail(HONE_E_ABI, "%s: %s: bytes %u to %u before %s have no row", who, s->name,
                         *end, m->offset, m->name);
    *end = m->offset + size;
    return HONE_OK;
}

static hone_status check_slots(const char *who, const hone_struct_desc *s,
                               const hone_struct_desc *const *structs)
{
    for (size_t i = 0; s->slots && s->slots[i]; i++) {
        const hone_slot *slot = s->slots[i];
        hone_sig sig;
        char place[256];
        if (i >= ROWS_MAX || slot->struct_size < sizeof *slot || !slot->name || !slot->sig)
            return hone_fail(HONE_E_ABI, "%s: %s: slot number %zu is not complete", who, s->name,
                             i);
        const hone_member *m = hone_desc_member_at(s, slot->offset);
        if (!m || m->type != HONE_T_FUNC || strcmp(m->name, slot->name) != 0)
            return hone_fail(HONE_E_ABI, "%s: %s: no function pointer at slot %s", who, s->name,
                             slot->name);
        snprintf(place, sizeof place, "%s: %s.%s", who, s->name, slot->name);
        HONE_TRY(hone_sig_parse(place, slot->sig, structs, s, &sig));
    }
    for (size_t i = 0; s->members[i]; i++)
        if (s->members[i]->type == HONE_T_FUNC && !hone_desc_slot(s, s->members[i]->name))
            return hone_fail(HONE_E_ABI, "%s: %s.%s: a function without a signature", who, s->name,
                             s->members[i]->name);
    return HONE_OK;
}

static hone_status check_struct(const char *who, const hone_struct_desc *s,
                                const hone_struct_desc *const *structs)
{
    uint32_t end = 0;
    if (!s || s->struct_size < sizeof *s || !s->name || !s->members || s->size == 0 ||
        s->size > STRUCT_MAX)
        return hone_fail(HONE_E_ABI, "%s: a struct description is not complete", who);
    for (size_t i = 0; s->members[i]; i++) {
        if (i >= ROWS_MAX)
            return hone_fail(HONE_E_ABI, "%s: %s: more than %d members", who, s->name, ROWS_MAX);
        HONE_TRY(check_member(who, s, s->members[i], &end));
    }
    if (end != s->size)
        return hone_fail(HONE_E_ABI, "%s: %s: bytes %u to %u have no row", who, s->name, end,
                         s->size);
    return check_slots(who, s, structs);
}

hone_status hone_desc_check(const char *who, const hone_iface_desc *d)
{
    char place[200];
    if (d->struct_size < sizeof *d || !d->id || !strchr(d->id, '/') || !d->table || !d->structs)
        return hone_fail(
            HONE_E_ABI,
            "%s: an interface description has no id of the form name/1, no table or no structs",
            who);
    snprintf(place, sizeof place, "%s: %s", who, d->id);
    for (size_t i = 0; d->structs[i]; i++) {
        if (i >= ROWS_MAX)
            return hone_fail(HONE_E_ABI, "%s: more than %d structs", place, ROWS_MAX);
        HONE_TRY(check_struct(place, d->structs[i], d->structs));
        for (size_t k = 0; k < i; k++)
            if (strcmp(d->structs[i]->name, d->structs[k]->name) == 0)
                return hone_fail(HONE_E_ABI, "%s: %s is described twice", place,
                                 d->structs[i]->name);
    }
    return check_struct(place, d->table, d->structs);
}

hone_status hone_desc_check_ifaces(const char *who, const hone_iface_desc *const *ifaces)
{
    for (size_t i = 0; ifaces && ifaces[i]; i++) {
        char mine[65], theirs[65];
        if (i >= ROWS_MAX)
            return hone_fail(HONE_E_ABI, "%s: more than %d interfaces", who, ROWS_MAX);
        HONE_TRY(hone_desc_check(who, ifaces[i]));
        const hone_iface_desc *other = hone_desc_builtin(ifaces[i]->id);
        for (size_t k = 0; !other && k < i; k++)
            if (strcmp(ifaces[k]->id, ifaces[i]->id) == 0)
                other = ifaces[k];
        if (!other)
            continue;
        HONE_TRY(hone_desc_hash(ifaces[i], mine));
        HONE_TRY(hone_desc_hash(other, theirs));
        if (strcmp(mine, theirs) != 0) {
            hone_fail(HONE_E_ABI, "%s: describes %s otherwise than this hone (%.12s, not %.12s)",
                      who, ifaces[i]->id, mine, theirs);
            return hone_fail_hint("a change of an interface is a new id: its revision counts up");
        }
    }
    return HONE_OK;
}

/* ---- JSON and hash ----------------------------------------------------------------------------- */

static void flag_names(uint32_t value, const char *const *names, hone_jw *w)
{
    hone_jw_key(w, "flags");
    hone_jw_list(w);
    for (unsigned i = 0; names[i]; i++)
        if (value >> i & 1)
            hone_jw_cstr(w, names[i]);
    hone_jw_end(w);
}

static void slots_json(const hone_struct_desc *s, int with_docs, hone_jw *w)
{
    static const char *const names[] = {"optional", "batch", "cancellable", "local", NULL};
    hone_jw_key(w, "slots");
    hone_jw_list(w);
    for (size_t i = 0; s->slots && s->slots[i]; i++) {
        const hone_slot *slot = s->slots[i];
        hone_jw_map(w);
        hone_jw_kcstr(w, "name", slot->name);
        hone_jw_ki64(w, "offset", slot->offset);
        if (slot->flags)
            flag_names(slot->flags, names, w);
        hone_jw_kcstr(w, "sig", slot->sig);
        if (with_docs && slot->doc)
            hone_jw_kcstr(w, "doc", slot->doc);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static void struct_json(const hone_struct_desc *s, int with_docs, hone_jw *w)
{
    static const char *const names[] = {"frozen", "sink", NULL};
    static const char *const mnames[] = {"array",    "plus1",   "product", "inline",
                                         "nullable", "mutable", NULL};
    hone_jw_map(w);
    hone_jw_kcstr(w, "name", s->name);
    hone_jw_ki64(w, "size", s->size);
    hone_jw_ki64(w, "align", s->align);
    if (s->flags)
        flag_names(s->flags, names, w);
    hone_jw_key(w, "members");
    hone_jw_list(w);
    for (size_t i = 0; s->members[i]; i++) {
        const hone_member *m = s->members[i];
        hone_jw_map(w);
        hone_jw_kcstr(w, "name", m->name);
        hone_jw_kcstr(w, "type",
                      m->type == HONE_T_STRUCT ? m->of->name : hone_desc_type_name(m->type));
        hone_jw_ki64(w, "offset", m->offset);
        hone_jw_ki64(w, "elem_size", m->elem_size);
        if (m->flags)
            flag_names(m->flags, mnames, w);
        if (m->flags & HONE_M_ARRAY)
            hone_jw_kcstr(w, "count", hone_desc_member_at(s, m->count_offset)->name);
        if (m->flags & HONE_M_PRODUCT)
            hone_jw_kcstr(w, "times", hone_desc_member_at(s, m->count2_offset)->name);
        if (m->flags & HONE_M_INLINE)
            hone_jw_ki64(w, "in_place", m->count2_offset);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    if (s->slots && s->slots[0])
        slots_json(s, with_docs, w);
    hone_jw_end(w);
}

void hone_desc_json(const hone_iface_desc *d, int with_docs, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "id", d->id);
    hone_jw_kcstr(w, "kind", d->kind);
    hone_jw_key(w, "table");
    struct_json(d->table, with_docs, w);
    hone_jw_key(w, "structs");
    hone_jw_list(w);
    for (size_t i = 0; d->structs[i]; i++)
        struct_json(d->structs[i], with_docs, w);
    hone_jw_end(w);
    hone_jw_end(w);
}

hone_status hone_desc_hash(const hone_iface_desc *d, char out[65])
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 24);
    hone_jw_init(&w, &b, 0);
    hone_desc_json(d, 0, &w);
    hone_status s = b.failed;
    if (s >= 0)
        hone_sha256_of(b.ptr, b.len, out);
    hone_buf_release(&b);
    return s;
}
