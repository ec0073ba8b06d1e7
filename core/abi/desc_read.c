/* desc_read.c - the description of an interface, back from its JSON: of a sidecar, or of a plugin in a box.
 *
 * So an interface of a third party is known without a byte of its plugin in this process. What comes out has passed
 * hone_desc_check, like a description in C; texts and tables live in the arena. Names of types that are none are looked
 * up among the description's own structs, which may refer to each other in any order.
 * Source: plugin-abi.md 3a; the writer is hone_desc_json. */
#include "abi/desc.h"

#include <string.h>

enum { ROWS = 1000, SIZE_MOST = 1 << 20 };

static hone_status bad(const char *who, const char *what)
{
    return hone_fail(HONE_E_PARSE, "%s: the description of an interface: %s", who, what);
}

/* A text of one line; *out stays NULL when it is absent and may be. */
static hone_status text(const char *who, const hone_value *map, const char *key, int must,
                        hone_arena *arena, const char **out)
{
    hone_str s = {NULL, 0};
    if (map->type != HONE_MAP)
        return bad(who, "something is no map");
    HONE_TRY(hone_value_string(map, key, s, &s));
    if (!s.ptr)
        return must ? bad(who, "a name is missing") : HONE_OK;
    if (memchr(s.ptr, 0, s.len) || (must && !s.len))
        return bad(who, "a name is empty or holds a NUL");
    *out = hone_arena_strndup(arena, s.ptr, s.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status number(const char *who, const hone_value *map, const char *key, uint32_t *out)
{
    int64_t v = -1;
    HONE_TRY(hone_value_i64(map, key, -1, &v));
    if (v < 0 || v > SIZE_MOST)
        return bad(who, "a number is missing or out of range");
    *out = (uint32_t)v;
    return HONE_OK;
}

static hone_status flags(const char *who, const hone_value *map, const char *const *names,
                         uint32_t *out)
{
    const hone_value *list = hone_value_get(map, "flags");
    *out = 0;
    if (!list)
        return HONE_OK;
    if (list->type != HONE_LIST)
        return bad(who, "flags are no list");
    for (size_t i = 0; i < list->u.list.n; i++) {
        unsigned k = 0;
        while (names[k] && !(list->u.list.items[i].type == HONE_STRING &&
                             hone_str_eq(list->u.list.items[i].u.str, names[k])))
            k++;
        if (!names[k])
            return bad(who, "an unknown flag");
        *out |= 1u << k;
    }
    return HONE_OK;
}

static hone_status list_of(const char *who, const hone_value *map, const char *key, int must,
                           const hone_value **out, size_t *n)
{
    const hone_value *list = hone_value_get(map, key);
    *n = 0;
    *out = NULL;
    if (!list)
        return must ? bad(who, "a list is missing") : HONE_OK;
    if (list->type != HONE_LIST || list->u.list.n > ROWS)
        return bad(who, "a list is none, or too long");
    *out = list->u.list.items;
    *n = list->u.list.n;
    return HONE_OK;
}

static uint32_t type_named(const char *name)
{
    for (uint32_t t = HONE_T_U8; t <= HONE_T_FUNC; t++)
        if (t != HONE_T_STRUCT && hone_desc_type_name(t) &&
            strcmp(hone_desc_type_name(t), name) == 0)
            return t;
    return 0;
}

static hone_status read_slots(const char *who, const hone_value *v, hone_arena *arena,
                              const hone_slot *const **out)
{
    static const char *const names[] = {"optional", "batch", "cancellable", "local", NULL};
    const hone_value *items;
    size_t n;
    HONE_TRY(list_of(who, v, "slots", 0, &items, &n));
    const hone_slot **list = hone_arena_calloc(arena, n + 1, sizeof *list);
    hone_slot *slots = hone_arena_calloc(arena, n ? n : 1, sizeof *slots);
    if (!list || !slots)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        list[i] = &slots[i];
        slots[i].struct_size = sizeof slots[i];
        HONE_TRY(text(who, &items[i], "name", 1, arena, &slots[i].name));
        HONE_TRY(text(who, &items[i], "sig", 1, arena, &slots[i].sig));
        HONE_TRY(text(who, &items[i], "doc", 0, arena, &slots[i].doc));
        HONE_TRY(number(who, &items[i], "offset", &slots[i].offset));
        HONE_TRY(flags(who, &items[i], names, &slots[i].flags));
    }
    *out = list;
    return HONE_OK;
}

/* The offset of the member whose name stands under `key`. */
static hone_status offset_of(const char *who, const hone_struct_desc *s, const hone_value *v,
                             const char *key, hone_arena *arena, uint32_t *out)
{
    const char *name = NULL;
    HONE_TRY(text(who, v, key, 1, arena, &name));
    const hone_member *m = hone_desc_member(s, name);
    if (!m)
        return bad(who, "what counts a member is no member");
    *out = m->offset;
    return HONE_OK;
}

static hone_status read_members(const char *who, const hone_value *v, hone_struct_desc *s,
                                const hone_struct_desc *const *structs, hone_arena *arena)
{
    static const char *const names[] = {"array",    "plus1",   "product", "inline",
                                        "nullable", "mutable", NULL};
    const hone_value *items;
    size_t n;
    HONE_TRY(list_of(who, v, "members", 1, &items, &n));
    const hone_member **list = hone_arena_calloc(arena, n + 1, sizeof *list);
    hone_member *rows = hone_arena_calloc(arena, n ? n : 1, sizeof *rows);
    if (!list || !rows)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        hone_member *m = &rows[i];
        const char *type = NULL;
        uint32_t bits = 0;
        m->struct_size = sizeof *m;
        HONE_TRY(text(who, &items[i], "name", 1, arena, &m->name));
        HONE_TRY(text(who, &items[i], "type", 1, arena, &type));
        HONE_TRY(number(who, &items[i], "offset", &m->offset));
        HONE_TRY(number(who, &items[i], "elem_size", &m->elem_size));
        HONE_TRY(flags(who, &items[i], names, &bits));
        m->flags = (uint16_t)bits;
        m->type = (uint16_t)type_named(type);
        for (size_t k = 0; !m->type && structs[k]; k++)
            if (strcmp(structs[k]->name, type) == 0)
                m->of = structs[k];
        if (!m->type && !m->of)
            return bad(who, "a member has an unknown type");
        if (m->of)
            m->type = HONE_T_STRUCT;
        list[i] = m;
    }
    s->members = list; /* all of them, before one counts another */
    for (size_t i = 0; i < n; i++) {
        if (rows[i].flags & HONE_M_ARRAY)
            HONE_TRY(offset_of(who, s, &items[i], "count", arena, &rows[i].count_offset));
        if (rows[i].flags & HONE_M_PRODUCT)
            HONE_TRY(offset_of(who, s, &items[i], "times", arena, &rows[i].count2_offset));
        else if (rows[i].flags & HONE_M_INLINE)
            HONE_TRY(number(who, &items[i], "in_place", &rows[i].count2_offset));
    }
    return HONE_OK;
}

static hone_status read_struct(const char *who, const hone_value *v, hone_struct_desc *s,
                               const hone_struct_desc *const *structs, hone_arena *arena)
{
    static const char *const names[] = {"frozen", "sink", NULL};
    static const hone_member *const no_members[] = {NULL};
    s->struct_size = sizeof *s;
    s->members = no_members;
    HONE_TRY(text(who, v, "name", 1, arena, &s->name));
    HONE_TRY(number(who, v, "size", &s->size));
    HONE_TRY(number(who, v, "align", &s->align));
    HONE_TRY(flags(who, v, names, &s->flags));
    HONE_TRY(read_slots(who, v, arena, &s->slots));
    return read_members(who, v, s, structs, arena);
}

hone_status hone_desc_read(const hone_value *v, const char *who, hone_arena *arena,
                           const hone_iface_desc **out)
{
    const hone_value *items;
    size_t n;
    hone_iface_desc *d = hone_arena_calloc(arena, 1, sizeof *d);
    hone_struct_desc *table = hone_arena_calloc(arena, 1, sizeof *table);
    if (!d || !table)
        return HONE_E_NOMEM;
    d->struct_size = sizeof *d;
    HONE_TRY(text(who, v, "id", 1, arena, &d->id));
    HONE_TRY(text(who, v, "kind", 0, arena, &d->kind));
    HONE_TRY(list_of(who, v, "structs", 1, &items, &n));
    const hone_struct_desc **list = hone_arena_calloc(arena, n + 1, sizeof *list);
    hone_struct_desc *structs = hone_arena_calloc(arena, n ? n : 1, sizeof *structs);
    if (!list || !structs)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) { /* names first: structs refer to each other */
        HONE_TRY(text(who, &items[i], "name", 1, arena, &structs[i].name));
        list[i] = &structs[i];
    }
    for (size_t i = 0; i < n; i++)
        HONE_TRY(read_struct(who, &items[i], &structs[i], list, arena));
    const hone_value *t = hone_value_get(v, "table");
    if (!t)
        return bad(who, "it has no table");
    HONE_TRY(read_struct(who, t, table, list, arena));
    d->structs = list;
    d->table = table;
    HONE_TRY(hone_desc_check(who, d));
    *out = d;
    return HONE_OK;
}
