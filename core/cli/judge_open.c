/* judge_open.c - see judge_open.h. */
#include "cli/judge_open.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/component.h"
#include "judge/data.h"
#include "lua/recipe.h"

#include <stdio.h>
#include <string.h>

typedef struct opened {
    hone_recipe_options options;
    hone_recipe *recipe;
    hone_arena arena;
    char *spec;
} opened;

static int is_lua(const char *name)
{
    const size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".lua") == 0;
}

/* ---- the three kinds of J ------------------------------------------------------------------------------------- */

static hone_status by_name(const hone_cli_judge_args *a, opened *o, const char *name,
                           const hone_value *more, hone_instance **out)
{
    hone_registry *r = o->recipe->env.registry;
    const hone_component_info *info;
    hone_value settings;
    if (hone_registry_is_file(name))
        HONE_TRY(hone_registry_add_file(r, name));
    HONE_TRY(hone_registry_find_iface(r, HONE_KIND_JUDGE, HONE_IFACE_JUDGE, name, &info));
    HONE_TRY(hone_cli_settings(info->c.fields, &a->sets, more, &o->arena, &settings));
    return hone_instance_create_info(r, info, &settings, out);
}

/* Settings without `judge`, which names the component. */
static hone_status from_data(const hone_cli_judge_args *a, opened *o, const hone_value *data,
                             hone_instance **out)
{
    hone_str name = hone_str_c("rubric");
    if (data->type != HONE_MAP) {
        hone_fail(HONE_E_INVALID, "%s: a table of settings is wanted", a->judge);
        return hone_fail_hint("return { rubric = \"rubric.lua\", backend = \"policy\" }");
    }
    HONE_TRY(hone_value_string(data, "judge", name, &name));
    hone_pair *pairs = hone_arena_calloc(&o->arena, data->u.map.n + 1, sizeof *pairs);
    char *zname = hone_arena_strndup(&o->arena, name.ptr, name.len);
    if (!pairs || !zname)
        return HONE_E_NOMEM;
    hone_value settings = {.type = HONE_MAP, .u.map = {pairs, 0}};
    for (size_t i = 0; i < data->u.map.n; i++)
        if (!hone_str_eq(data->u.map.pairs[i].key, "judge"))
            pairs[settings.u.map.n++] = data->u.map.pairs[i];
    hone_status s = by_name(a, o, zname, &settings, out);
    if (s < 0)
        hone_fail_at("%s", a->judge);
    return s;
}

static hone_status from_file(const hone_cli_judge_args *a, opened *o, hone_instance **out)
{
    hone_value data;
    hone_status s = hone_data_read_file(a->judge, &o->arena, &data);
    if (s >= 0)
        return from_data(a, o, &data, out);
    if (s != HONE_E_SCRIPT) /* it is no data, and no code either */
        return s;
    return hone_recipe_component(o->recipe, a->judge, HONE_KIND_JUDGE, out);
}

/* ---- what it tells of itself ------------------------------------------------------------------------------------ */

static void read_rubric(const hone_value *spec, char out[160])
{
    const hone_value *r = hone_value_get(spec, "rubric");
    hone_str id = {"", 0}, hash = {"", 0};
    out[0] = '\0';
    if (r && r->type == HONE_STRING) {
        snprintf(out, 160, "%.*s", (int)(r->u.str.len < 159 ? r->u.str.len : 159), r->u.str.ptr);
        return;
    }
    if (!r || r->type != HONE_MAP || hone_value_string(r, "id", id, &id) < 0 ||
        hone_value_string(r, "hash", hash, &hash) < 0 || !hash.len)
        return;
    snprintf(out, 160, "%.*s@%.*s", (int)(id.len < 80 ? id.len : 80), id.ptr,
             (int)(hash.len < 64 ? hash.len : 64), hash.ptr);
}

static hone_status read_spec(opened *o, hone_cli_judge *j)
{
    const hone_judge_v1 *vt = j->ref.vt;
    hone_value spec;
    j->spec_json = "";
    if (!HONE_HAS(vt, hone_judge_v1, spec))
        return HONE_OK;
    hone_str text = vt->spec(j->ref.self);
    if (!text.len)
        return HONE_OK;
    hone_status s = hone_json_parse(text.ptr, text.len, "its spec", &o->arena, &spec);
    if (s >= 0 && spec.type != HONE_MAP)
        s = hone_fail(HONE_E_PARSE, "its spec is no map");
    if (s < 0)
        return hone_fail_at("%s", hone_instance_id(j->instance));
    o->spec = hone_strndup(text.ptr, text.len);
    if (!o->spec)
        return HONE_E_NOMEM;
    j->spec_json = o->spec;
    hone_sha256_of(text.ptr, text.len, j->spec);
    read_rubric(&spec, j->rubric);
    return HONE_OK;
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

static hone_status open_policy(const hone_cli_judge_args *a, opened *o, hone_policy **out)
{
    hone_policy_config cfg = {.name = "policy", .model = a->policy};
    if (!a->policy)
        return HONE_OK;
    if (a->storage)
        HONE_TRY(hone_storage_parse(a->storage, &cfg.storage));
    return hone_policy_create(&o->recipe->env, &cfg, out);
}

hone_status hone_cli_judge_open(const hone_cli_judge_args *a, hone_cli_judge *out)
{
    hone_cli_judge j = {0};
    if (!a->judge) {
        hone_fail(HONE_E_USAGE, "--judge J is missing");
        return hone_fail_hint("the name of a judge component, its .so, or a Lua file");
    }
    if (is_lua(a->judge) && !hone_file_exists(a->judge))
        return hone_fail(HONE_E_NOT_FOUND, "there is no file %s", a->judge);
    opened *o = hone_calloc(1, sizeof *o);
    if (!o)
        return HONE_E_NOMEM;
    hone_arena_init(&o->arena, 0);
    j.opened = o;
    j.name = a->judge;
    o->options = (hone_recipe_options){.recipe = is_lua(a->judge) ? a->judge : NULL,
                                       .set = a->sets.v,
                                       .allow = a->allow.v,
                                       .no_run = 1,
                                       .quiet = 1};
    char *dir = is_lua(a->judge) ? hone_path_dir(a->judge) : hone_strdup(".");
    hone_status s = dir ? hone_recipe_open(&o->options, dir, &o->recipe) : HONE_E_NOMEM;
    hone_free(dir);
    if (s >= 0) {
        j.env = &o->recipe->env;
        s = open_policy(a, o, &j.policy);
    }
    if (s >= 0)
        s = is_lua(a->judge) ? from_file(a, o, &j.instance)
                             : by_name(a, o, a->judge, NULL, &j.instance);
    if (s >= 0)
        s = hone_instance_ref(j.instance, HONE_IFACE_JUDGE, &j.ref);
    if (s >= 0)
        s = read_spec(o, &j);
    if (s < 0) {
        const hone_error e = *hone_error_get();
        hone_cli_judge_close(&j);
        return hone_error_set(&e);
    }
    *out = j;
    return HONE_OK;
}

void hone_cli_judge_close(hone_cli_judge *j)
{
    opened *o = j->opened;
    if (!o)
        return;
    hone_instance_unref(j->instance);
    hone_policy_destroy(j->policy);
    hone_recipe_close(o->recipe);
    hone_arena_release(&o->arena);
    hone_free(o->spec);
    hone_free(o);
    memset(j, 0, sizeof *j);
}
