/* key.c - see key.h. The key is the hash of a JSON document that anybody can look at: hone judge gate --json prints it. */
#include "judge/key.h"

#include "abi/config.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "hone/judge.h"

#include <string.h>

enum { DEEPEST = 16 };

hone_str hone_judge_spec(hone_instance *inst)
{
    void *self;
    const hone_judge_v1 *vt = hone_instance_iface(inst, HONE_IFACE_JUDGE, &self);
    if (!vt || !HONE_HAS(vt, hone_judge_v1, spec))
        return (hone_str){NULL, 0};
    return vt->spec(self);
}

static hone_status write_instance(hone_jw *w, hone_instance *inst, int deep);

/* The content of the file that a setting names; what is no file counts as the text it is. */
static hone_status write_path(hone_jw *w, hone_str path, hone_arena *arena)
{
    char sha[65];
    char *z = hone_arena_strndup(arena, path.ptr ? path.ptr : "", path.len);
    if (!z)
        return HONE_E_NOMEM;
    if (!path.len || !hone_file_exists(z) || hone_file_is_dir(z)) {
        hone_jw_str(w, path);
        return HONE_OK;
    }
    HONE_TRY(hone_sha256_file(z, sha));
    hone_jw_map(w);
    hone_jw_kcstr(w, "file", sha);
    hone_jw_end(w);
    return HONE_OK;
}

static const hone_field *row_of(const hone_component *c, hone_str key, uint32_t *number)
{
    for (uint32_t i = 0; c->fields && c->fields[i]; i++)
        if (hone_str_eq(key, c->fields[i]->name)) {
            *number = i;
            return c->fields[i];
        }
    return NULL;
}

static int is_path(const hone_field *row)
{
    return row && row->type == HONE_FIELD_PATH;
}

static hone_status write_setting(hone_jw *w, hone_instance *inst, const hone_field *row,
                                 uint32_t number, const hone_value *v, hone_arena *arena, int deep)
{
    hone_ref ref;
    const char *iface;
    void *keep = NULL;
    if (is_path(row) && v->type == HONE_STRING)
        return write_path(w, v->u.str, arena);
    if (row && row->type == HONE_FIELD_COMPONENT && v->type != HONE_NULL) {
        HONE_TRY(hone_config_component_at(hone_instance_config(inst), number, &ref, &iface, &keep));
        return write_instance(w, keep, deep + 1);
    }
    hone_jw_value(w, v);
    return HONE_OK;
}

static hone_status write_settings(hone_jw *w, hone_instance *inst, int tells, hone_arena *arena,
                                  int deep)
{
    const hone_component *c = &hone_instance_info(inst)->c;
    hone_buf text;
    hone_jw tw;
    hone_value all;
    hone_buf_init(&text, (size_t)1 << 26);
    hone_jw_init(&tw, &text, 0);
    hone_config_json(hone_instance_config(inst), &tw);
    hone_status s = hone_buf_check(&text, "settings");
    if (s >= 0)
        s = hone_json_parse(text.ptr, text.len, "settings", arena, &all);
    hone_buf_release(&text);
    if (s < 0)
        return s;
    hone_jw_key(w, "settings");
    hone_jw_map(w);
    for (size_t i = 0; all.type == HONE_MAP && i < all.u.map.n && s >= 0; i++) {
        const hone_pair *p = &all.u.map.pairs[i];
        uint32_t number = 0;
        const hone_field *row = row_of(c, p->key, &number);
        if (row && row->flags & HONE_SECRET) /* another key to the same door */
            continue;
        if (tells &&
            is_path(row)) /* what of it counts is in the spec, as it was when it was read */
            continue;
        hone_jw_key_str(w, p->key);
        s = write_setting(w, inst, row, number, &p->value, arena, deep);
    }
    hone_jw_end(w);
    return s;
}

/* What it is called: a reward that is asked as a judge too is the judge of that name in its file, so that what was measured of
 * the one holds for the other. */
static const char *id_of(const hone_component_info *info, hone_instance *inst)
{
    void *self;
    if (strcmp(info->c.kind, HONE_KIND_REWARD) != 0 ||
        !hone_instance_iface(inst, HONE_IFACE_JUDGE, &self))
        return info->c.id;
    for (size_t i = 0; info->plugin->components && info->plugin->components[i]; i++) {
        const hone_component_info *other = info->plugin->components[i];
        if (strcmp(other->c.kind, HONE_KIND_JUDGE) == 0 &&
            strcmp(other->short_name, info->short_name) == 0)
            return other->c.id;
    }
    return info->c.id;
}

static hone_status write_instance(hone_jw *w, hone_instance *inst, int deep)
{
    const hone_component_info *info = hone_instance_info(inst);
    char sha[65] = "";
    hone_arena arena;
    if (deep > DEEPEST)
        return hone_fail(HONE_E_LIMIT, "components inside components, %d deep", deep);
    if (info->plugin)
        HONE_TRY(hone_plugin_sha256(info->plugin, sha));
    const hone_str spec = hone_judge_spec(inst);
    hone_arena_init(&arena, (size_t)1 << 27);
    hone_jw_map(w);
    hone_jw_kcstr(w, "component", info->plugin ? id_of(info, inst) : info->c.kind);
    hone_jw_kcstr(w, "version", info->plugin ? info->c.version : "");
    hone_jw_kcstr(w, "file", sha);
    hone_status s = write_settings(w, inst, spec.len != 0, &arena, deep);
    if (spec.len) {
        char hash[65];
        hone_sha256_of(spec.ptr, spec.len, hash);
        hone_jw_kcstr(w, "spec", hash);
    } else if (!info->plugin && s >= 0)
        s = 1; /* written in Lua, and it does not tell what it is */
    hone_jw_end(w);
    hone_arena_release(&arena);
    return s;
}

hone_status hone_judge_key(hone_instance *inst, char key[65], hone_buf *json)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)1 << 26);
    hone_jw_init(&w, &b, 0);
    hone_status s = write_instance(&w, inst, 0);
    if (s >= 0 && b.failed < 0)
        s = hone_buf_check(&b, "a judge's key");
    key[0] = '\0';
    if (s == 0) {
        hone_sha256_of(b.ptr, b.len, key);
        if (json)
            hone_buf_add(json, b.ptr, b.len);
    }
    hone_buf_release(&b);
    return s < 0 ? s : s == 0;
}
