/* plugin_replay.c - `hone plugin replay`: recorded calls made again, by the same component or by another build of it.
 *
 * What HONE_RECORD=FILE wrote is everything the component was told, so a fault can be looked at without the model, the
 * data or the recipe that led to it: under a debugger, or with a build that has a sanitizer. (plugin-abi.md 3a) */
#include "host/grant.h"
#include "host/record.h"
#include "base/alloc.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench_plugins.h"
#include "cli/component.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hone_arg_list paths, sets, allow;
static int json;
static const char *plugin;
static int64_t only;

typedef struct replaying {
    hone_registry *registry;
    hone_instance *inst;
    hone_str component, settings; /* what inst was made from */
    hone_arena arena;
    size_t same, differ, fresh, skipped;
} replaying;

/* Recorded settings without secrets, which were not written down, and without what this component lacks. */
static hone_status settings_of(replaying *p, const hone_component_info *info, hone_str text,
                               hone_value *out)
{
    size_t n = 0;
    HONE_TRY(hone_json_parse(text.len ? text.ptr : "{}", text.len ? text.len : 2, "settings",
                             &p->arena, out));
    if (out->type != HONE_MAP)
        return hone_fail(HONE_E_PARSE, "recorded settings are no map");
    hone_pair *pairs = hone_arena_calloc(&p->arena, out->u.map.n + 1, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < out->u.map.n; i++)
        for (size_t k = 0; info->c.fields && info->c.fields[k]; k++)
            if (hone_str_eq(out->u.map.pairs[i].key, info->c.fields[k]->name) &&
                !(info->c.fields[k]->flags & HONE_SECRET) &&
                out->u.map.pairs[i].value.type != HONE_NULL)
                pairs[n++] = out->u.map.pairs[i];
    out->u.map.pairs = pairs;
    out->u.map.n = n;
    return HONE_OK;
}

static hone_status instance_for(replaying *p, const hone_record *r)
{
    char name[256], iface[128];
    const hone_component_info *info;
    hone_value recorded, all;
    if (p->inst && hone_str_same(p->component, r->component) &&
        hone_str_same(p->settings, r->settings))
        return HONE_OK;
    hone_instance_unref(p->inst);
    p->inst = NULL;
    snprintf(name, sizeof name, "%.*s", (int)r->component.len, r->component.ptr);
    snprintf(iface, sizeof iface, "%.*s", (int)r->iface.len, r->iface.ptr);
    const char *want = plugin ? plugin : name;
    hone_status s = hone_registry_find_iface(p->registry, NULL, iface, want, &info);
    if (s < 0) {
        if (!plugin)
            hone_fail_hint("--plugin FILE.so or NAME says which component makes the calls of %s",
                           name);
        return s;
    }
    HONE_TRY(settings_of(p, info, r->settings, &recorded));
    HONE_TRY(hone_cli_settings(info->c.fields, &sets, &recorded, &p->arena, &all));
    HONE_TRY(hone_instance_create_info(p->registry, info, &all, &p->inst));
    p->component = r->component;
    p->settings = r->settings;
    return HONE_OK;
}

static hone_status replay_one(replaying *p, const hone_record *r, size_t number)
{
    static const char *const words[] = {"same", "differs", "new"};
    int verdict = HONE_REPLAY_NEW;
    hone_buf text;
    HONE_TRY(instance_for(p, r));
    hone_buf_init(&text, 1 << 20);
    hone_status s = hone_record_replay(p->registry, p->inst, r, &verdict, &text);
    if (s >= 0) {
        p->same += verdict == HONE_REPLAY_SAME;
        p->differ += verdict == HONE_REPLAY_DIFFERS;
        p->fresh += verdict == HONE_REPLAY_NEW;
    }
    if (s >= 0 && json) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 1 << 21);
        hone_jw_init(&w, &b, 0);
        hone_jw_map(&w);
        hone_jw_ki64(&w, "call", (int64_t)number);
        hone_jw_kcstr(&w, "component", hone_instance_id(p->inst));
        hone_jw_kstr(&w, "interface", r->iface);
        hone_jw_kstr(&w, "slot", r->slot);
        hone_jw_kcstr(&w, "result", words[verdict]);
        if (text.len)
            hone_jw_kstr(&w, "differs", hone_buf_str(&text));
        hone_jw_end(&w);
        printf("%s\n", b.ptr);
        hone_buf_release(&b);
    } else if (s >= 0 && verdict != HONE_REPLAY_SAME) {
        printf("call %zu, %s of %.*s: %s\n%s", number, hone_instance_id(p->inst), (int)r->iface.len,
               r->iface.ptr,
               verdict == HONE_REPLAY_NEW ? "no result was recorded; it returned now"
                                          : "differs from what was recorded",
               text.ptr);
    }
    hone_buf_release(&text);
    return s;
}

/* As other verbs do, but what it meets does not count: deaths are what one looks for here. */
static hone_status open_registry(hone_registry **out)
{
    const hone_registry_opts o = {.paths = paths.v, .project = ".", .trial = 1};
    return hone_registry_open(&o, out);
}

static hone_status replay_all(replaying *p, const hone_records *all)
{
    if (only < 0 || (uint64_t)only > all->n)
        return hone_fail(HONE_E_USAGE, "--call %lld: the file has %zu calls", (long long)only,
                         all->n);
    if (plugin && hone_registry_is_file(plugin))
        HONE_TRY(hone_registry_add_file(p->registry, plugin));
    for (size_t i = 0; i < all->n; i++)
        if (!only || (size_t)only == i + 1) {
            hone_status s = replay_one(p, &all->v[i], i + 1);
            if (s == HONE_E_NOT_FOUND && !p->inst) { /* of a recipe, say: the others can be made */
                if (!p->skipped++)
                    hone_cli_fail(s);
                continue;
            }
            if (s < 0)
                return hone_fail_at("call %zu", i + 1);
        }
    return HONE_OK;
}

int hone_cli_plugin_replay(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"plugin", HONE_ARG_STR, &plugin, "NAME|FILE.so",
         "the component that makes the calls, instead of the recorded one"},
        {"set", HONE_ARG_LIST, &sets, "K=V", "a setting, instead of the recorded one"},
        {"call", HONE_ARG_I64, &only, "N", "only this call, from 1"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "PLUGIN:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one line of JSON a call"},
        {0}};
    static const char *const examples[] = {
        "HONE_RECORD=calls.rec hone score --reward ./my_reward.so --data samples.jsonl",
        "hone plugin replay calls.rec", "hone plugin replay calls.rec --plugin ./my_reward.so",
        NULL};
    static const hone_args spec = {
        "plugin replay",
        "FILE [options]",
        "Makes the calls again that HONE_RECORD=FILE wrote down, with the recorded settings,\n"
        "and says where results differ (exit 1). HONE_RECORD_OF=NAME records one component only.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    hone_records all = {0};
    replaying p = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    unsetenv("HONE_RECORD"); /* what is made again is not recorded again */
    hone_arena_init(&p.arena, 0);
    hone_status s = hone_records_read(rest.v[0], &all);
    if (s >= 0)
        s = open_registry(&p.registry);
    if (s >= 0)
        s = hone_registry_allow(p.registry, allow.v);
    if (s >= 0)
        s = replay_all(&p, &all);
    if (s >= 0 && !json) {
        printf("%zu calls: %zu the same, %zu differ", p.same + p.differ + p.fresh, p.same,
               p.differ);
        if (p.fresh)
            printf(", %zu without a recorded result", p.fresh);
        if (p.skipped)
            printf("; %zu more are of components that are not here", p.skipped);
        printf("\n");
    }
    int code = s < 0 ? hone_cli_fail(s) : p.differ || p.skipped ? HONE_EXIT_FAILED : HONE_EXIT_OK;
    hone_instance_unref(p.inst);
    hone_registry_close(p.registry);
    if (s >= 0 || all.v)
        hone_records_free(&all);
    hone_arena_release(&p.arena);
    return code;
}
