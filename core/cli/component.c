/* component.c - see component.h. */
#include "cli/component.h"

#include "hone/source.h"
#include "host/grant.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

hone_status hone_cli_open_registry(const hone_arg_list *plugin_paths, hone_registry **out)
{
    const char *list[HONE_ARG_LIST_MAX + 1];
    for (int i = 0; i < plugin_paths->n; i++)
        list[i] = plugin_paths->v[i];
    list[plugin_paths->n] = NULL;
    hone_registry_opts o = {.paths = list, .project = "."};
    return hone_registry_open(&o, out);
}

static const hone_field *field_named(const hone_field *const *fields, hone_str name)
{
    for (size_t i = 0; fields && fields[i]; i++)
        if (hone_str_eq(name, fields[i]->name) ||
            (fields[i]->old_name && hone_str_eq(name, fields[i]->old_name)))
            return fields[i];
    return NULL;
}

/* Text stays text where the table wants text; elsewhere JSON, and what is no JSON is text. */
static hone_status read_value(const hone_field *field, const char *text, hone_arena *arena,
                              hone_value *out)
{
    hone_str raw = hone_str_c(text);
    memset(out, 0, sizeof *out);
    if (field &&
        (field->type == HONE_FIELD_STR || field->type == HONE_FIELD_ENUM ||
         field->type == HONE_FIELD_PATH ||
         (field->type == HONE_FIELD_COMPONENT && *text != '{'))) /* {"component":NAME,...} */
        goto is_text;
    if (hone_json_parse(text, raw.len, "--set", arena, out) >= 0)
        return HONE_OK;
    const char *end; /* ".1" and "+3" are numbers too, though not of JSON */
    double x = hone_parse_f64(text, &end);
    if (end != text && !*end) {
        out->type = HONE_F64;
        out->u.f64 = x;
        return HONE_OK;
    }
is_text:
    out->type = HONE_STRING;
    out->u.str = hone_arena_str(arena, raw);
    return out->u.str.len == raw.len ? HONE_OK : HONE_E_NOMEM;
}

static hone_pair *place_for(hone_pair *pairs, size_t *n, hone_str key)
{
    for (size_t i = 0; i < *n; i++)
        if (hone_str_same(pairs[i].key, key))
            return &pairs[i];
    pairs[*n].key = key;
    return &pairs[(*n)++];
}

hone_status hone_cli_settings(const hone_field *const *fields, const hone_arg_list *sets,
                              const hone_value *more, hone_arena *arena, hone_value *out)
{
    size_t n_more = more && more->type == HONE_MAP ? more->u.map.n : 0, n = 0;
    hone_pair *pairs = hone_arena_calloc(arena, n_more + (size_t)sets->n + 1, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n_more; i++)
        place_for(pairs, &n, more->u.map.pairs[i].key)->value = more->u.map.pairs[i].value;
    for (int i = 0; i < sets->n; i++) {
        const char *eq = strchr(sets->v[i], '=');
        if (!eq || eq == sets->v[i]) {
            hone_fail(HONE_E_USAGE, "--set %s: a setting is given as name=value", sets->v[i]);
            return HONE_E_USAGE;
        }
        hone_str key = hone_arena_str(arena, (hone_str){sets->v[i], (size_t)(eq - sets->v[i])});
        if (!key.len)
            return HONE_E_NOMEM;
        hone_pair *p = place_for(pairs, &n, key);
        HONE_TRY(read_value(field_named(fields, key), eq + 1, arena, &p->value));
    }
    memset(out, 0, sizeof *out);
    out->type = HONE_MAP;
    out->u.map.pairs = pairs;
    out->u.map.n = n;
    return HONE_OK;
}

hone_status hone_cli_instance(hone_registry *r, const char *kind, const char *iface,
                              const char *name, const hone_arg_list *sets, const hone_value *more,
                              hone_arena *arena, hone_instance **out, hone_ref *ref)
{
    const hone_component_info *info;
    hone_value settings;
    if (hone_registry_is_file(name)) /* the command line may name any file, as with --plugin-path */
        HONE_TRY(hone_registry_add_file(r, name));
    HONE_TRY(hone_registry_find_iface(r, kind, iface, name, &info));
    HONE_TRY(hone_cli_settings(info->c.fields, sets, more, arena, &settings));
    HONE_TRY(hone_instance_create_info(r, info, &settings, out));
    hone_status s = hone_instance_ref(*out, iface, ref);
    if (s < 0) {
        hone_instance_unref(*out);
        *out = NULL;
    }
    return s;
}

hone_status hone_cli_open_data_set(hone_registry *r, const char *source, const char *path,
                                   const char *on_error, const hone_arg_list *sets, hone_data **out)
{
    char place[PATH_MAX];
    const char *folder = getenv("HONE_DATA");
    if (path && path[0] != '/' && access(path, F_OK) != 0 && folder && *folder) {
        snprintf(place, sizeof place, "%s/%s", folder, path);
        if (access(place, F_OK) == 0)
            path = place;
    }
    hone_arena arena;
    const hone_component_info *info;
    hone_value all;
    hone_pair pairs[2];
    hone_value settings = {.type = HONE_MAP, .u.map = {pairs, 0}};
    if (path)
        pairs[settings.u.map.n++] = (hone_pair){hone_str_c("path"),
                                                {.type = HONE_STRING, .u.str = hone_str_c(path)}};
    if (on_error)
        pairs[settings.u.map.n++] = (hone_pair){
            hone_str_c("on_error"), {.type = HONE_STRING, .u.str = hone_str_c(on_error)}};
    hone_arena_init(&arena, 0);
    source = source ? source : "auto";
    hone_status s = HONE_OK;
    if (hone_registry_is_file(source)) /* the command line may name any file */
        s = hone_registry_add_file(r, source);
    if (s >= 0)
        s = hone_registry_find_iface(r, HONE_KIND_SOURCE, HONE_IFACE_SOURCE, source, &info);
    if (s >= 0 && path && access(path, F_OK) == 0) /* both were typed by the user */
        s = hone_registry_allow_read(r, info, path);
    if (s >= 0)
        s = hone_cli_settings(info->c.fields, sets, &settings, &arena, &all);
    if (s >= 0)
        s = hone_data_open(r, source, &all, out);
    hone_arena_release(&arena);
    return s;
}

hone_status hone_cli_open_data(hone_registry *r, const char *source, const char *path,
                               const char *on_error, hone_data **out)
{
    static const hone_arg_list none;
    return hone_cli_open_data_set(r, source, path, on_error, &none, out);
}
