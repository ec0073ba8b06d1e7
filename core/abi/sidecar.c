/* sidecar.c - a plugin's description as canonical JSON, and back. See sidecar.h.
 *
 * Written and read by one list of members, so the two directions cannot drift; the reader applies the
 * loader's own checks to what it has read. Unknown keys are passed over (a newer writer), unknown
 * capability names too. Source: plugin-abi.md sections 2, 3a. */
#include "abi/sidecar.h"

#include "abi/config.h"
#include "abi/desc.h"
#include "abi/loader.h"
#include "base/alloc.h"

#include <string.h>

static const struct {
    unsigned bit;
    const char *name;
} caps_names[] = {{0, "PURE"},     {1, "DETERMINISTIC"}, {2, "REENTRANT"}, {3, "BATCH_INVARIANT"},
                  {4, "STATEFUL"}, {5, "SLOW"},          {6, "GPU"},       {32, "NET"},
                  {33, "FS_READ"}, {34, "FS_WRITE"},     {35, "EXEC"}};
#define N(a) (sizeof(a) / sizeof *(a))

const char *hone_cap_name(unsigned bit)
{
    for (size_t i = 0; i < N(caps_names); i++)
        if (caps_names[i].bit == bit)
            return caps_names[i].name;
    return NULL;
}

void hone_sidecar_caps(uint64_t caps, hone_jw *w)
{
    hone_jw_list(w);
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = hone_cap_name(bit);
        if ((caps >> bit & 1) && name)
            hone_jw_cstr(w, name);
    }
    hone_jw_end(w);
}

static void write_names(const char *key, const char *const *names, hone_jw *w)
{
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (size_t i = 0; names && names[i]; i++)
        hone_jw_cstr(w, names[i]);
    hone_jw_end(w);
}

/* The string members of a component, in the order they are written. */
static const struct {
    const char *key;
    size_t offset;
    int required;
} texts[] = {{"id", offsetof(hone_component, id), 1},
             {"kind", offsetof(hone_component, kind), 1},
             {"version", offsetof(hone_component, version), 1},
             {"vendor", offsetof(hone_component, vendor), 0},
             {"license", offsetof(hone_component, license), 0},
             {"summary", offsetof(hone_component, summary), 0},
             {"url", offsetof(hone_component, url), 0}};

void hone_sidecar_component(const hone_component *given, hone_jw *w)
{
    hone_component c = hone__component_of(given);
    hone_jw_map(w);
    for (size_t i = 0; i < N(texts); i++) {
        const char *z;
        memcpy(&z, (const char *)&c + texts[i].offset, sizeof z);
        hone_jw_kcstr(w, texts[i].key, z);
    }
    hone_jw_key(w, "caps");
    hone_sidecar_caps(c.caps, w);
    hone_jw_key(w, "fields");
    hone_config_fields_json(c.fields, w);
    write_names("needs", c.needs, w);
    write_names("provides", c.provides, w);
    if (c.wants)
        write_names("wants", c.wants, w);
    hone_jw_end(w);
}

static void write_version(const char *key, uint32_t v, hone_jw *w)
{
    char text[32];
    snprintf(text, sizeof text, "%u.%u.%u", v >> 16, v >> 8 & 0xFF, v & 0xFF);
    hone_jw_kcstr(w, key, text);
}

void hone_sidecar_write(const hone_entry *entry, hone_jw *w)
{
    const hone_magic *m = entry->magic;
    hone_jw_map(w);
    hone_jw_ki64(w, "hone", 1);
    hone_jw_key(w, "magic");
    hone_jw_map(w);
    hone_jw_ki64(w, "epoch", m->epoch);
    write_version("sdk", m->sdk, w);
    write_version("need", m->need, w);
    hone_jw_ki64(w, "ptr_size", m->ptr_size);
    hone_jw_ki64(w, "int_size", m->int_size);
    hone_jw_ki64(w, "float_size", m->float_size);
    hone_jw_end(w);
    hone_jw_key(w, "components");
    hone_jw_list(w);
    for (size_t i = 0; entry->components[i]; i++)
        hone_sidecar_component(entry->components[i], w);
    hone_jw_end(w);
    if (entry->ifaces && entry->ifaces[0]) {
        hone_jw_key(w, "interfaces");
        hone_jw_list(w);
        for (size_t i = 0; entry->ifaces[i]; i++)
            hone_desc_json(entry->ifaces[i], 1, w);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static hone_status bad(const char *name, const char *what)
{
    hone_fail(HONE_E_PARSE, "%s: %s", name, what);
    return hone_fail_hint("write it again: hone plugin describe PLUGIN.so --write");
}

static hone_status read_version(const hone_value *map, const char *key, const char *name,
                                uint32_t *out)
{
    hone_str s = {NULL, 0};
    unsigned part[3] = {0, 0, 0};
    size_t n = 0;
    HONE_TRY(hone_value_string(map, key, s, &s));
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        if (ch == '.' && n < 2)
            n++;
        else if (ch >= '0' && ch <= '9' && part[n] < 1000)
            part[n] = part[n] * 10 + (unsigned)(ch - '0');
        else
            return bad(name, "a version is not of the form 1.2.3");
    }
    if (!s.len || part[0] > 0xFFFF || part[1] > 0xFF || part[2] > 0xFF)
        return bad(name, "a version is not of the form 1.2.3");
    *out = part[0] << 16 | part[1] << 8 | part[2];
    return HONE_OK;
}

static hone_status read_size(const hone_value *map, const char *key, const char *name, int64_t max,
                             int64_t *out)
{
    int64_t v = -1;
    HONE_TRY(hone_value_i64(map, key, -1, &v));
    if (v < 0 || v > max)
        return bad(name, "a number of its magic block is missing or out of range");
    *out = v;
    return HONE_OK;
}

static hone_status read_names(const hone_value *map, const char *key, const char *name,
                              hone_arena *arena, const char *const **out)
{
    const hone_value *list = hone_value_get(map, key);
    if (!list)
        return HONE_OK;
    if (list->type != HONE_LIST || list->u.list.n > 1000)
        return bad(name, "a list of names is no list");
    const char **names = hone_arena_calloc(arena, list->u.list.n + 1, sizeof *names);
    if (!names)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *v = &list->u.list.items[i];
        if (v->type != HONE_STRING || memchr(v->u.str.ptr, 0, v->u.str.len))
            return bad(name, "a list of names holds something else");
        names[i] = hone_arena_strndup(arena, v->u.str.ptr, v->u.str.len);
        if (!names[i])
            return HONE_E_NOMEM;
    }
    *out = names;
    return HONE_OK;
}

static hone_status read_component(const hone_value *map, const char *name, hone_arena *arena,
                                  hone_component *c)
{
    if (map->type != HONE_MAP)
        return bad(name, "a component is no map");
    c->struct_size = sizeof *c;
    for (size_t i = 0; i < N(texts); i++) {
        hone_str s = {NULL, 0};
        HONE_TRY(hone_value_string(map, texts[i].key, s, &s));
        if ((texts[i].required && !s.len) || (s.len && memchr(s.ptr, 0, s.len)))
            return bad(name, "a component has no usable id, kind or version");
        const char *z = hone_arena_strndup(arena, s.ptr ? s.ptr : "", s.len);
        if (!z)
            return HONE_E_NOMEM;
        memcpy((char *)c + texts[i].offset, &z, sizeof z);
    }
    const hone_value *caps = hone_value_get(map, "caps");
    for (size_t i = 0; caps && caps->type == HONE_LIST && i < caps->u.list.n; i++)
        for (size_t k = 0; k < N(caps_names); k++)
            if (caps->u.list.items[i].type == HONE_STRING &&
                hone_str_eq(caps->u.list.items[i].u.str, caps_names[k].name))
                c->caps |= 1ull << caps_names[k].bit;
    const hone_value *fields = hone_value_get(map, "fields");
    if (fields)
        HONE_TRY(hone_config_fields_read(fields, arena, &c->fields));
    HONE_TRY(read_names(map, "needs", name, arena, &c->needs));
    HONE_TRY(read_names(map, "provides", name, arena, &c->provides));
    HONE_TRY(read_names(map, "wants", name, arena, &c->wants));
    return hone__loader_check_component(name, c, 0);
}

hone_status hone_sidecar_read(const hone_value *v, const char *name, hone_arena *arena,
                              hone_sidecar *out)
{
    hone_sidecar r;
    int64_t form = 0, n = 0;
    memset(&r, 0, sizeof r);
    if (v->type != HONE_MAP)
        return bad(name, "is no sidecar: not a map");
    HONE_TRY(hone_value_i64(v, "hone", 0, &form));
    if (form != 1)
        return bad(name, "is no sidecar that this hone reads: \"hone\" is not 1");
    const hone_value *magic = hone_value_get(v, "magic"), *list = hone_value_get(v, "components");
    if (!magic || magic->type != HONE_MAP)
        return bad(name, "has no magic block");
    r.magic.struct_size = sizeof r.magic;
    HONE_TRY(read_size(magic, "epoch", name, UINT32_MAX, &n));
    r.magic.epoch = (uint32_t)n;
    HONE_TRY(read_version(magic, "sdk", name, &r.magic.sdk));
    HONE_TRY(read_version(magic, "need", name, &r.magic.need));
    HONE_TRY(read_size(magic, "ptr_size", name, 255, &n));
    r.magic.ptr_size = (uint8_t)n;
    HONE_TRY(read_size(magic, "int_size", name, 255, &n));
    r.magic.int_size = (uint8_t)n;
    HONE_TRY(read_size(magic, "float_size", name, 255, &n));
    r.magic.float_size = (uint8_t)n;
    HONE_TRY(hone__loader_check_magic(name, &r.magic));
    if (!list || list->type != HONE_LIST || list->u.list.n > 1000)
        return bad(name, "has no list of components");
    r.n = list->u.list.n;
    r.components = hone_arena_calloc(arena, r.n ? r.n : 1, sizeof *r.components);
    if (!r.components)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < r.n; i++) {
        HONE_TRY(read_component(&list->u.list.items[i], name, arena, &r.components[i]));
        for (size_t k = 0; k < i; k++)
            if (strcmp(r.components[i].id, r.components[k].id) == 0)
                return bad(name, "two components have the same id");
    }
    const hone_value *ifaces = hone_value_get(v, "interfaces");
    if (ifaces) {
        if (ifaces->type != HONE_LIST || ifaces->u.list.n > 1000)
            return bad(name, "its interfaces are no list");
        const hone_iface_desc **all = hone_arena_calloc(arena, ifaces->u.list.n + 1, sizeof *all);
        if (!all)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < ifaces->u.list.n; i++)
            HONE_TRY(hone_desc_read(&ifaces->u.list.items[i], name, arena, &all[i]));
        HONE_TRY(hone_desc_check_ifaces(name, all));
        r.ifaces = all;
    }
    *out = r;
    return HONE_OK;
}
