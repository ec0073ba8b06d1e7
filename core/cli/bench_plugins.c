/* bench_plugins.c - `hone bench plugins`: what a call costs when the component does nothing; `hone plugin bench P`: what
 * one component's calls cost. In process, in a box, from Lua; by batch size. (plugin-abi.md 7, 8, 9) */
#include "host/grant.h"
#include "base/alloc.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_yard.h"
#include "cli/bench_plugins.h"
#include "cli/component.h"
#include "cli/out.h"
#include "cli/plugin_trust.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLE_BYTES = 2500 };

static hone_arg_list paths, sets, allow;
static int json;
static double seconds = 0.5;

struct place { /* where it was measured */
    const char *name, *key;
    int done;
    hone_cli_calls calls;
    char why[512]; /* why not */
};

static void put_calls(hone_jw *w, const struct place *p)
{
    hone_jw_key(w, p->key);
    hone_jw_map(w);
    if (!p->done) {
        hone_jw_kcstr(w, "not_measured", p->why);
        hone_jw_end(w);
        return;
    }
    hone_cli_put_ns(w, "call", p->calls.call[0]);
    hone_cli_put_ns(w, "sample", p->calls.sample);
    hone_jw_key(w, "batches");
    hone_jw_list(w);
    for (size_t i = 0; i < HONE_CLI_BATCHES; i++) {
        hone_jw_map(w);
        hone_jw_ki64(w, "n", (int64_t)hone_cli_batches[i]);
        hone_cli_put_ns(w, "call", p->calls.call[i]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

static void print_ns(hone_cli_ns ns)
{
    printf(" %10.1f %10.1f", ns.min, ns.median);
}

static void print_calls(const struct place *p)
{
    if (!p->done) {
        printf("%-12s not measured: %s\n", p->name, p->why);
        return;
    }
    for (size_t i = 0; i < HONE_CLI_BATCHES; i++) {
        printf("%-12s %6zu", i ? "" : p->name, hone_cli_batches[i]);
        print_ns(p->calls.call[i]);
        printf(" %10.1f\n", p->calls.call[i].median / (double)hone_cli_batches[i]);
    }
    printf("%-12s %6s", "", "+1");
    print_ns(p->calls.sample);
    printf("\n");
}

static void failed(struct place *p)
{
    snprintf(p->why, sizeof p->why, "%s", hone_error_get()->what);
}

/* An instance of `name`; box: in a box, whatever it is. */
static hone_status open_one(hone_registry *r, const char *name, const hone_arg_list *settings,
                            int box, hone_arena *arena, hone_instance **out)
{
    const hone_pair pair = {hone_str_c("box"), {.type = HONE_BOOL, .u.boolean = 1}};
    const hone_value boxed = {.type = HONE_MAP, .u.map = {&pair, 1}};
    const hone_component_info *info;
    hone_value all;
    if (hone_registry_is_file(name))
        HONE_TRY(hone_registry_add_file(r, name));
    hone_status s = hone_registry_find_iface(r, NULL, HONE_IFACE_REWARD, name, &info);
    if (s < 0)
        HONE_TRY(hone_registry_find(r, NULL, name, &info));
    HONE_TRY(hone_cli_settings(info->c.fields, settings, box ? &boxed : NULL, arena, &all));
    return hone_instance_create_info(r, info, &all, out);
}

static int untrusted(const hone_instance *inst)
{
    const hone_plugin *p = hone_instance_info(inst)->plugin;
    return p && p->trust == HONE_PLUGIN_UNTRUSTED;
}

/* In process, boxed and (lua) from Lua. */
static hone_status measure(hone_registry *r, hone_cli_load *load, const char *name,
                           const hone_arg_list *settings, struct place *p, char id[128])
{
    hone_arena arena;
    hone_instance *inst = NULL;
    hone_arena_init(&arena, 0);
    hone_status s = open_one(r, name, settings, 0, &arena, &inst);
    if (s >= 0) {
        snprintf(id, 128, "%s", hone_instance_id(inst));
        p[0].done = !untrusted(inst);
        if (p[0].done)
            s = hone_cli_time_instance(load, inst, seconds, &p[0].calls);
        else
            snprintf(p[0].why, sizeof p[0].why,
                     "nobody trusts this file (hone plugin trust FILE says that you do)");
        if (s >= 0 && p[0].done) {
            p[2].done = hone_cli_time_from_lua(r, inst, seconds, &p[2].calls) >= 0;
            if (!p[2].done)
                failed(&p[2]);
        } else {
            snprintf(p[2].why, sizeof p[2].why, "it does not run in this process");
        }
        hone_instance_unref(inst);
    }
    inst = NULL;
    if (s >= 0) {
        hone_status b = open_one(r, name, settings, 1, &arena, &inst);
        if (b >= 0)
            b = hone_cli_time_instance(load, inst, seconds, &p[1].calls);
        p[1].done = b >= 0;
        if (b < 0)
            failed(&p[1]);
        hone_instance_unref(inst);
    }
    hone_arena_release(&arena);
    return s;
}

static void head(void)
{
    printf("%-12s %6s %10s %10s %10s\n", "ns of a call", "batch", "min", "median", "a sample");
}

static int print_json(hone_buf *b, hone_status s)
{
    if (s >= 0)
        s = b->failed;
    if (s >= 0)
        printf("%s\n", b->ptr);
    hone_buf_release(b);
    return hone_cli_fail(s);
}

#define PLACES                                                                                     \
    {                                                                                              \
        {"in process", "in_process", 0, {{{0, 0}}, {0, 0}}, ""},                                   \
            {"boxed", "boxed", 0, {{{0, 0}}, {0, 0}}, ""},                                         \
            {"from Lua", "from_lua", 0, {{{0, 0}}, {0, 0}}, ""},                                   \
    }

/* ---- hone plugin bench --------------------------------------------------------------------------- */

int hone_cli_plugin_bench(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"set", HONE_ARG_LIST, &sets, "K=V", "a setting of the component"},
        {"seconds", HONE_ARG_F64, &seconds, "S", "for each place where it is measured (0.5)"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "PLUGIN:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {"hone plugin bench math_answer",
                                           "hone plugin bench ./my_reward.so --json", NULL};
    static const hone_args spec = {
        "plugin bench",
        "COMPONENT|FILE.so [options]",
        "Nanoseconds of a call into a reward or judge by batch size: in process, in a box,\n"
        "from Lua; the best and the median of short windows, samples of 2.5 KB.",
        options,
        examples,
        1,
        1};
    struct place p[] = PLACES;
    char id[128] = "";
    hone_rest rest;
    hone_registry *r = NULL;
    hone_cli_load *load = NULL;
    hone_status s;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!(seconds > 0 && seconds <= 60))
        return hone_cli_usage("plugin bench", "--seconds is a number above 0, at most 60");
    HONE_TRY_GOTO(hone_cli_open_registry(&paths, &r), done);
    HONE_TRY_GOTO(hone_registry_allow(r, allow.v), done);
    HONE_TRY_GOTO(hone_cli_load_create(SAMPLE_BYTES, &load), done);
    HONE_TRY_GOTO(measure(r, load, rest.v[0], &sets, p, id), done);
    if (json) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 1 << 20);
        hone_jw_init(&w, &b, 0);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "component", id);
        hone_jw_kcstr(&w, "unit", "ns");
        hone_jw_ki64(&w, "sample_bytes", SAMPLE_BYTES);
        for (int i = 0; i < 3; i++)
            put_calls(&w, &p[i]);
        hone_jw_end(&w);
        hone_cli_load_free(load);
        hone_registry_close(r);
        return print_json(&b, s);
    }
    printf("%s, samples of %d bytes\n\n", id, SAMPLE_BYTES);
    head();
    for (int i = 0; i < 3; i++)
        print_calls(&p[i]);
done:
    hone_cli_load_free(load);
    hone_registry_close(r);
    return hone_cli_fail(s);
}

/* ---- hone bench plugins -------------------------------------------------------------------------- */

static void line(const char *what, hone_cli_ns ns, double limit)
{
    printf("%-46s", what);
    print_ns(ns);
    printf(" %10.0f\n", limit);
}

static void null_text(const struct place *p, const hone_cli_lua_times *lua, hone_cli_ns write,
                      hone_cli_ns rebuild)
{
    printf("%-46s %10s %10s %10s\n", "ns", "min", "median", "wanted");
    line("in process: a call", p[0].calls.call[0], 100);
    line("in process: a sample more", p[0].calls.sample, 10);
    if (p[1].done) {
        line("boxed: a call", p[1].calls.call[0], 8000);
        line("boxed: a sample more", p[1].calls.sample, 400);
    } else {
        printf("boxed: not measured: %s\n", p[1].why);
    }
    line("a sample of 2.5 KB to bytes", write, 150);
    line("a sample of 2.5 KB from bytes, all checked", rebuild, 60);
    line("Lua calls C: a number", lua->scalar, 150);
    line("Lua calls C: a text of 500 bytes", lua->text, 250);
    line("C calls a reward in Lua: a sample", lua->cross, 100);
    line("... that reads a number", lua->number, 150);
    line("... that reads the completion", lua->completion, 350);
}

static void null_json(const struct place *p, const hone_cli_lua_times *lua, hone_cli_ns write,
                      hone_cli_ns rebuild, const hone_yard *yard, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "unit", "ns");
    hone_jw_ki64(w, "sample_bytes", SAMPLE_BYTES);
    put_calls(w, &p[0]);
    put_calls(w, &p[1]);
    hone_jw_key(w, "lua");
    hone_jw_map(w);
    hone_cli_put_ns(w, "call_number", lua->scalar);
    hone_cli_put_ns(w, "call_text_500", lua->text);
    hone_cli_put_ns(w, "sample", lua->cross);
    hone_cli_put_ns(w, "sample_number", lua->number);
    hone_cli_put_ns(w, "sample_completion", lua->completion);
    hone_jw_end(w);
    hone_jw_key(w, "wire");
    hone_jw_map(w);
    hone_cli_put_ns(w, "write", write);
    hone_cli_put_ns(w, "rebuild", rebuild);
    hone_jw_end(w);
    hone__yard_json(yard, w);
    hone_jw_end(w);
}

int hone_cli_bench_plugins(int argc, char **argv)
{
    static double yardstick = 1;
    static const hone_arg options[] = {
        {"seconds", HONE_ARG_F64, &seconds, "S", "for each figure (0.5)"},
        HONE_CLI_YARD(&yardstick),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {"hone bench plugins --json", NULL};
    static const hone_args spec = {
        "bench plugins",
        "[options]",
        "Nanoseconds of calls into components that do nothing: in process, in a box, to and\n"
        "from Lua, beside what is wanted of them.",
        options,
        examples,
        0,
        0};
    static const hone_arg_list none;
    struct place p[] = PLACES;
    hone_cli_lua_times lua;
    hone_cli_ns write = {0, 0}, rebuild = {0, 0};
    char id[128];
    hone_rest rest;
    hone_registry *r = NULL;
    hone_cli_load *load = NULL;
    hone_pool *pool = NULL;
    hone_yard yard;
    hone_buf b;
    hone_jw w;
    hone_status s;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!(seconds > 0 && seconds <= 60))
        return hone_cli_usage("bench plugins", "--seconds is a number above 0, at most 60");
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&w, &b, 0);
    HONE_TRY_GOTO(hone__yard_check(yardstick), done);
    HONE_TRY_GOTO(hone_cli_open_registry(&paths, &r), done);
    HONE_TRY_GOTO(hone_cli_load_create(SAMPLE_BYTES, &load), done);
    HONE_TRY_GOTO(hone_pool_create(0, &pool), done);
    hone__yard_before(&yard, pool, HONE_YARD_MEMORY, yardstick);
    HONE_TRY_GOTO(measure(r, load, "null", &none, p, id), done);
    HONE_TRY_GOTO(hone_cli_time_wire(load, seconds, &write, &rebuild), done);
    HONE_TRY_GOTO(hone_cli_time_lua(r, load, seconds / 2, &lua), done);
    hone__yard_after(&yard);
    if (json) {
        null_json(p, &lua, write, rebuild, &yard, &w);
        s = b.failed;
        if (s >= 0)
            printf("%s\n", b.ptr);
    } else {
        null_text(p, &lua, write, rebuild);
        hone__yard_print(&yard);
    }
done:
    hone_pool_destroy(pool);
    hone_buf_release(&b);
    hone_cli_load_free(load);
    hone_registry_close(r);
    return hone_cli_fail(s);
}
