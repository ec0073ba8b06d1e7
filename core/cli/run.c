/* run.c - hone run, hone resume: execute a recipe, or go on with one. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/trace.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/trace.h"
#include "cli/verbs.h"
#include "lua/plan.h"
#include "lua/recipe.h"
#include "score/score.h"
#include "tensor/region.h"
#include "web/report.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_signal(int sig)
{
    static volatile sig_atomic_t times;
    if (++times > 1) { /* the second one does not wait for the step */
        signal(sig, SIG_DFL);
        raise(sig);
        return;
    }
    hone_recipe_interrupt();
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

/* The page of a run that ended well; a report that cannot be written does not undo the run. */
static void report(const char *dir, int quiet)
{
    const char *dirs[] = {dir};
    char *page = hone_path_join(dir, "report.html");
    if (hone_report_write(dirs, 1, NULL) < 0)
        hone_log(HONE_LOG_WARN, "report", "%s", hone_error_get()->what);
    else if (!quiet && page)
        printf("report %s\n", page);
    hone_free(page);
}

/* Does it fit? A run that does not ends here, before anything was computed or written. */
static hone_status look_ahead(hone_recipe_options *o)
{
    hone_plan p;
    const uint32_t level = hone_log_level(HONE_LOG_ERROR); /* warnings are for the run itself */
    hone_status s = hone_plan_make(o, &p);
    hone_log_level(level);
    /* A file that is not there is not there a moment later either, unless the run itself makes it. Other
     * errors may be of the plan alone, which has no values; the run meets them if they are real. */
    int missing = p.stopped == HONE_E_NOT_FOUND || p.stopped == HONE_E_PARSE ||
                  p.stopped == HONE_E_IO;
    if (s >= 0 && ((!p.fits && p.stopped == HONE_E_LIMIT) || (missing && !p.wrote) ||
                   p.stopped == HONE_E_USAGE))
        s = hone_error_set(&p.error);
    if (s >= 0 && p.chosen[0] && !o->quiet)
        printf("to fit into %.1f MB (%s): %s\n", (double)p.allowed / 1048576.0, p.allowed_by,
               p.chosen);
    o->tune = p.tune;
    if (s >= 0 && p.fits && p.allowed > p.program)
        hone_region_limit((size_t)(p.allowed - p.program));
    hone_plan_release(&p);
    return s;
}

static hone_status plan_and_run(hone_recipe_options *o, const char *dir)
{
    hone_trace_span span;
    hone_trace_begin(&span, "plan the run", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_status s = o->help ? HONE_OK : look_ahead(o);
    hone_trace_end(&span, NULL);
    HONE_TRY(s);
    hone_trace_begin(&span, "recipe", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    s = hone_recipe_run(o);
    hone_trace_end(&span, NULL);
    hone_trace_begin(&span, "report", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    if (s >= 0 && dir[0])
        report(dir, o->quiet);
    hone_trace_end(&span, NULL);
    return s;
}

static int execute(hone_recipe_options *o, const char *trace)
{
    char dir[PATH_MAX] = "";
    catch_signals();
    o->dir_out = dir;
    o->dir_out_size = sizeof dir;
    hone_status s = hone_cli_trace_open(trace);
    if (s >= 0) {
        hone_cli_trace_start();
        s = hone_cli_trace_close(trace, plan_and_run(o, dir));
    }
    int code = hone_cli_finish(hone_cli_fail(s));
    if (hone_score_lost() > 0) { /* a plugin's call still runs: nothing may be torn down under it */
        fflush(NULL);
        _exit(code);
    }
    return code;
}

static int dry(const hone_recipe_options *o, int json)
{
    hone_plan p;
    hone_status s = hone_plan_make(o, &p);
    if (s >= 0)
        printf("%s\n", json ? p.json : p.text);
    if (s >= 0 && p.stopped < 0)
        s = hone_error_set(&p.error);
    hone_plan_release(&p);
    return hone_cli_finish(hone_cli_fail(s));
}

/* `hone run RECIPE --help` is the recipe's own help: its parameters. */
static int recipe_help(int argc, char **argv)
{
    int help = 0, name = 0;
    for (int i = 1; i < argc; i++) {
        help |= strcmp(argv[i], "--help") == 0;
        name |= argv[i][0] != '-';
    }
    return help && name;
}

int hone_cli_run(int argc, char **argv)
{
    static const char *runs, *run_dir, *from;
    static int dry_run, json, quiet, no_gate;
    static const char *memory, *trace;
    static int64_t seed = -1;
    static hone_arg_list allow, sinks;
    static int unknown;
    static const hone_arg options[] = {
        {"runs", HONE_ARG_STR, &runs, "DIR", "folder of run directories (runs)"},
        {"run-dir", HONE_ARG_STR, &run_dir, "DIR", "the run directory itself; must not exist"},
        {"from", HONE_ARG_STR, &from, "RUN[@STEP]", "branch off a checkpoint of another run"},
        {"seed", HONE_ARG_I64, &seed, "N", "instead of the recipe's seed"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "net, exec, fs-read:PATH, fs-write:PATH, PLUGIN:net, weak-box"},
        {"allow-unknown-config", HONE_ARG_FLAG, &unknown, NULL,
         "ignore keys of a model's configuration that hone does not know"},
        {"dry-run", HONE_ARG_FLAG, &dry_run, NULL,
         "print the plan: memory, steps, what loads; train nothing"},
        {"json", HONE_ARG_FLAG, &json, NULL, "with --dry-run: the plan as JSON"},
        {"memory", HONE_ARG_STR, &memory, "SIZE",
         "what the run may take, such as 800M or 1.5G (what the machine has)"},
        {"no-gate", HONE_ARG_FLAG, &no_gate, NULL,
         "train on a judge without a gate record (written into the run)"},
        {"sink", HONE_ARG_LIST, &sinks, "NAME[:K=V,...]",
         "metrics also go there: tensorboard, csv, or another sink (several times)"},
        HONE_CLI_TRACE(&trace),
        {"quiet", HONE_ARG_FLAG, &quiet, NULL, "no progress, no samples"},
        {0}};
    static const char *const examples[] = {
        "hone run quickstart",
        "hone run quickstart --dry-run",
        "hone run grpo --help",
        "hone run sft model=tiny data=rows.jsonl steps=20 lr=1e-4",
        "hone run grpo --sink tensorboard --sink csv",
        NULL};
    static const hone_args spec = {
        "run",
        "RECIPE [key=value ...] [options]",
        "Runs a recipe: a .lua file, or one that hone ships (quickstart, sft, dpo, grpo, ...).\n"
        "hone run RECIPE --help shows the recipe's parameters.",
        options,
        examples,
        1,
        -1};
    hone_rest rest;
    int help = recipe_help(argc, argv);
    if (help) {
        int k = 0;
        for (int i = 0; i < argc; i++) {
            if (strcmp(argv[i], "--help") != 0)
                argv[k++] = argv[i];
        }
        argv[k] = NULL;
        argc = k;
    }
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    for (int i = 1; i < rest.n; i++) {
        if (!strchr(rest.v[i], '='))
            return hone_cli_usage("run", "\"%s\": parameters are given as key=value", rest.v[i]);
    }
    char *path;
    hone_status s = hone_recipe_locate(rest.v[0], &path);
    if (s < 0)
        return hone_cli_fail(s);
    hone_recipe_options o = {.recipe = path,
                             .set = (const char *const *)rest.v + 1,
                             .runs_dir = runs,
                             .run_dir = run_dir,
                             .from = from,
                             .help = help,
                             .quiet = quiet,
                             .no_gate = no_gate,
                             .sinks = sinks.v,
                             .allow = allow.v,
                             .allow_unknown_config = unknown};
    if (seed >= 0) {
        o.seed = (uint64_t)seed;
        o.has_seed = 1;
    }
    if (memory)
        s = hone_memory_parse(memory, &o.memory);
    int code = s < 0 ? hone_cli_fail(s) : dry_run && !help ? dry(&o, json) : execute(&o, trace);
    hone_free(path);
    return code;
}

/* The texts of a list of run.json, NULL-terminated. */
static hone_status texts(hone_arena *a, const hone_value *list, const char ***out)
{
    const size_t n = list && list->type == HONE_LIST ? list->u.list.n : 0;
    const char **v = hone_arena_calloc(a, n + 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        const hone_value *x = &list->u.list.items[i];
        v[i] = x->type == HONE_STRING ? hone_arena_strndup(a, x->u.str.ptr, x->u.str.len) : "";
        if (!v[i])
            return HONE_E_NOMEM;
    }
    *out = v;
    return v ? HONE_OK : HONE_E_NOMEM;
}

int hone_cli_resume(int argc, char **argv)
{
    static int force, quiet, no_gate;
    static const char *memory, *trace;
    static hone_arg_list allow;
    static int unknown;
    static const hone_arg options[] = {
        {"force", HONE_ARG_FLAG, &force, NULL,
         "go on although recipe, plugins or model changed (written into the run)"},
        {"no-gate", HONE_ARG_FLAG, &no_gate, NULL, "as for hone run"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT", "as for hone run"},
        {"allow-unknown-config", HONE_ARG_FLAG, &unknown, NULL, "as for hone run"},
        {"memory", HONE_ARG_STR, &memory, "SIZE", "as for hone run"},
        HONE_CLI_TRACE(&trace),
        {"quiet", HONE_ARG_FLAG, &quiet, NULL, "no progress, no samples"},
        {0}};
    static const char *const examples[] = {"hone resume runs/quickstart-20260131-120000-1a2b",
                                           NULL};
    static const hone_args spec = {
        "resume",
        "RUN [options]",
        "Goes on with a run from its last checkpoint, to the same bytes as if it had\n"
        "never stopped.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_arena a;
    hone_value meta;
    hone_str recipe = {NULL, 0};
    const char **set = NULL, **sinks = NULL;
    hone_arena_init(&a, 0);
    char *path = hone_path_join(rest.v[0], "run.json");
    hone_status s = path ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0 && !hone_file_exists(path)) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s is no run directory (no run.json)", rest.v[0]);
        hone_fail_hint("hone runs lists the runs of this folder");
    }
    if (s >= 0)
        s = hone_json_parse_file(path, 0, &a, &meta);
    if (s >= 0)
        s = hone_value_string(&meta, "recipe", recipe, &recipe);
    if (s >= 0 && !recipe.ptr)
        s = hone_fail(HONE_E_PARSE, "%s names no recipe", path);
    if (s >= 0)
        s = texts(&a, hone_value_get(&meta, "set"), &set);
    if (s >= 0)
        s = texts(&a, hone_value_get(&meta, "sinks"), &sinks);
    int64_t seed = 0, micro = 0, every = 0;
    if (s >= 0)
        s = hone_value_i64(&meta, "seed", 0, &seed);
    const hone_value *fitted = s >= 0 ? hone_value_get(&meta, "fitted") : NULL;
    if (fitted &&
        fitted->type == HONE_MAP) { /* the split it ran with, so that sums keep their bits */
        s = hone_value_i64(fitted, "micro_tokens", 0, &micro);
        if (s >= 0)
            s = hone_value_i64(fitted, "checkpoint_every", 0, &every);
        if (s >= 0 && (micro < 0 || micro > INT32_MAX || every < 0 || every > INT32_MAX))
            s = hone_fail(HONE_E_PARSE, "%s: \"fitted\" is out of range", path);
    }
    const char *file = s >= 0 ? hone_arena_strndup(&a, recipe.ptr, recipe.len) : NULL;
    int code;
    if (s >= 0 && !file)
        s = HONE_E_NOMEM;
    if (s < 0) {
        code = hone_cli_fail(s);
    } else {
        hone_recipe_options o = {
            .recipe = file,
            .set = set,
            .resume = rest.v[0],
            .force = force,
            .quiet = quiet,
            .no_gate = no_gate,
            .sinks = sinks,
            .seed = (uint64_t)seed,
            .has_seed = 1,
            .tune = {.micro_tokens = (uint32_t)micro, .checkpoint_every = (uint32_t)every},
            .allow = allow.v,
            .allow_unknown_config = unknown};
        if (memory)
            s = hone_memory_parse(memory, &o.memory);
        code = s < 0 ? hone_cli_fail(s) : execute(&o, trace);
    }
    hone_free(path);
    hone_arena_release(&a);
    return code;
}
