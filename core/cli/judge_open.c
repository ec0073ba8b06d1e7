/* judge_open.c - see judge_open.h. */
#include "cli/judge_open.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/component.h"
#include "hone/reward.h"
#include "judge/ask.h"
#include "judge/data.h"
#include "judge/key.h"
#include "lua/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct opened {
    hone_recipe_options options;
    const char *allow[2 * HONE_ARG_LIST_MAX + 2]; /* --allow, and reading of what was named */
    hone_recipe *recipe;
    hone_arena arena;
    char *spec;
    hone_ref reward; /* J is one: what is asked */
} opened;

static void no_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *value)
{
    (void)notes;
    (void)sample;
    (void)name;
    (void)value;
}

static hone_status put_outcomes(const hone_verdict_sink *sink, size_t item, const hone_outcome *out,
                                size_t k)
{
    uint32_t ranking[HONE_ASK_CANDIDATES];
    hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE, .score = (double)NAN};
    for (size_t c = 0; c < k && v.status == HONE_SCORE; c++)
        if (out[c].status != HONE_SCORE || !isfinite(out[c].score)) {
            v.status = out[c].status == HONE_ABSTAIN ? HONE_ABSTAIN : HONE_ERROR;
            v.reasoning = hone_str_c("the reward has no score");
        }
    if (k == 1)
        v.score = (double)out[0].score;
    if (k == 2)
        v.score = (out[0].score > out[1].score) - (out[0].score < out[1].score);
    for (uint32_t c = 0; c < k; c++) { /* by insertion: equal ones stay in order */
        uint32_t at = c;
        for (; at > 0 && out[ranking[at - 1]].score < out[c].score; at--)
            ranking[at] = ranking[at - 1];
        ranking[at] = c;
    }
    if (k > 2 && v.status == HONE_SCORE) {
        v.ranking = ranking;
        v.n_ranking = k;
    }
    return sink->put(sink, item, &v);
}

/* ---- a reward as a judge -------------------------------------------------------------------------------------------- */

/* Each candidate is a sample; of several the better score is the better candidate, of two the score says which. */
static hone_status judge_by_reward(void *self, const hone_call *call, const hone_judge_item *items,
                                   size_t n, size_t stride, const hone_verdict_sink *sink)
{
    const opened *o = self;
    const hone_reward_v1 *vt = o->reward.vt;
    const hone_notes silent = {sizeof silent, 0, NULL, no_note};
    hone_arena a;
    hone_status s = HONE_OK;
    hone_arena_init(&a, (size_t)1 << 30);
    for (size_t i = 0; i < n && s >= 0; i++) {
        const hone_judge_item *it = (const hone_judge_item *)(const void *)((const char *)items +
                                                                            i * stride);
        const size_t k = it->n_candidates;
        hone_sample *samples = hone_arena_calloc(&a, k, sizeof *samples);
        hone_outcome *out = hone_arena_calloc(&a, k, sizeof *out);
        if (!samples || !out)
            s = HONE_E_NOMEM;
        for (size_t c = 0; c < k && s >= 0; c++)
            samples[c] = (hone_sample){.id = it->id + c,
                                       .group = it->id,
                                       .prompt = it->prompt,
                                       .completion = it->candidates[c],
                                       .messages = it->messages,
                                       .n_messages = it->n_messages,
                                       .columns = it->columns,
                                       .n_columns = it->n_columns};
        if (s >= 0)
            s = vt->score(o->reward.self, call, samples, k, sizeof *samples, out, sizeof *out,
                          &silent);
        if (s >= 0)
            s = put_outcomes(sink, i, out, k);
        hone_arena_clear(&a);
    }
    hone_arena_release(&a);
    return s;
}

static const hone_judge_v1 by_reward = {.struct_size = sizeof by_reward, .judge = judge_by_reward};

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
    hone_status s = hone_registry_find_iface(r, HONE_KIND_JUDGE, HONE_IFACE_JUDGE, name, &info);
    if (s == HONE_E_NOT_FOUND) { /* a reward, such as one of somebody's that asks a model */
        const hone_error e = *hone_error_get();
        if (hone_registry_find_iface(r, HONE_KIND_REWARD, HONE_IFACE_REWARD, name, &info) < 0)
            return hone_error_set(&e);
    } else if (s < 0)
        return s;
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

static hone_status take_ref(opened *o, hone_cli_judge *j)
{
    if (strcmp(hone_instance_info(j->instance)->c.kind, HONE_KIND_REWARD) != 0)
        return hone_instance_ref(j->instance, HONE_IFACE_JUDGE, &j->ref);
    HONE_TRY(hone_instance_ref(j->instance, HONE_IFACE_REWARD, &o->reward));
    const hone_reward_v1 *vt = o->reward.vt;
    if (!vt->score)
        return hone_fail(HONE_E_UNSUPPORTED,
                         "%s: it scores whole groups or tokens, no single answers", j->name);
    j->ref = (hone_ref){o, &by_reward};
    return HONE_OK;
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

/* Who tells no spec is known by what it is: component, file, settings (judge/key.h). */
static hone_status spec_by_key(opened *o, hone_cli_judge *j)
{
    char key[65];
    hone_buf json;
    hone_buf_init(&json, (size_t)1 << 26);
    hone_status s = hone_judge_key(j->instance, key, &json);
    if (s > 0) {
        o->spec = hone_strndup(json.ptr, json.len);
        s = o->spec ? HONE_OK : HONE_E_NOMEM;
    }
    if (o->spec) {
        j->spec_json = o->spec;
        memcpy(j->spec, key, sizeof j->spec);
    }
    hone_buf_release(&json);
    return s;
}

static hone_status read_spec(opened *o, hone_cli_judge *j)
{
    hone_value spec;
    j->spec_json = "";
    hone_str text = hone_judge_spec(j->instance);
    if (!text.len)
        return spec_by_key(o, j);
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

/* Files that the command line names may be read, wherever they lie. */
static hone_status allow_named(const hone_cli_judge_args *a, opened *o)
{
    const char *const *names = hone_args_typed();
    int n = 0;
    for (; n < a->allow.n; n++)
        o->allow[n] = a->allow.v[n];
    for (; *names && n < 2 * HONE_ARG_LIST_MAX; names++) {
        const size_t room = strlen(*names) + sizeof "fs-read:";
        if (!hone_file_exists(*names))
            continue;
        char *grant = hone_arena_alloc(&o->arena, room);
        if (!grant)
            return HONE_E_NOMEM;
        snprintf(grant, room, "fs-read:%s", *names);
        o->allow[n++] = grant;
    }
    o->allow[n] = NULL;
    return HONE_OK;
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
                                       .allow = o->allow,
                                       .no_run = 1,
                                       .quiet = 1};
    char *dir = is_lua(a->judge) ? hone_path_dir(a->judge) : hone_strdup(".");
    hone_status s = allow_named(a, o);
    if (s >= 0)
        s = dir ? hone_recipe_open(&o->options, dir, &o->recipe) : HONE_E_NOMEM;
    hone_free(dir);
    if (s >= 0) {
        j.env = &o->recipe->env;
        s = open_policy(a, o, &j.policy);
    }
    if (s >= 0)
        s = is_lua(a->judge) ? from_file(a, o, &j.instance)
                             : by_name(a, o, a->judge, NULL, &j.instance);
    if (s >= 0)
        s = take_ref(o, &j);
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
