/* prompt.c - `hone prompt`: versioned prompts (judge/prompt.h): shown, compared, improved.
 *
 * improve is the recipe scripts/lib/hone/prompt_verb.lua with parameters from the command line: a run like any other, with
 * a folder of its own, which hone resume goes on with. */
#include "base/alloc.h"
#include "base/paths.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "judge/changes.h"
#include "judge/prompt.h"
#include "lua/recipe.h"

#include <stdio.h>
#include <string.h>

static void write_version(hone_jw *w, const char *key, const hone_prompt *p)
{
    hone_jw_key(w, key);
    hone_jw_map(w);
    hone_jw_key(w, "id");
    hone_jw_str(w, p->id);
    hone_jw_key(w, "hash");
    hone_jw_cstr(w, p->hash);
    hone_jw_end(w);
}

static int diff(int argc, char **argv)
{
    static int json;
    static const hone_arg options[] = {{"json", HONE_ARG_FLAG, &json, NULL, "as JSON"}, {0}};
    static const hone_args spec = {
        "prompt diff",
        "A.lua B.lua [--json]",
        "What differs between two prompts, by place: texts by line, examples, variables. Their\n"
        "hashes differ exactly when something other than the changelog does.",
        options,
        NULL,
        2,
        2};
    hone_rest rest;
    hone_prompt *a = NULL, *b = NULL;
    hone_buf text;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_buf_init(&text, (size_t)1 << 28);
    hone_status s = hone_prompt_read_file(rest.v[0], &a);
    if (s >= 0)
        s = hone_prompt_read_file(rest.v[1], &b);
    if (s >= 0 && json) {
        hone_jw w;
        hone_jw_init(&w, &text, 0);
        hone_jw_map(&w);
        write_version(&w, "a", a);
        write_version(&w, "b", b);
        hone_jw_key(&w, "same");
        hone_jw_bool(&w, strcmp(a->hash, b->hash) == 0);
        hone_jw_key(&w, "changes");
        s = hone_changes_json(&a->root, &b->root, &w);
        hone_jw_end(&w);
        hone_buf_addc(&text, '\n');
    } else if (s >= 0) {
        hone_buf_addf(&text, "%.*s@%.12s -> %.*s@%.12s%s\n", (int)a->id.len, a->id.ptr, a->hash,
                      (int)b->id.len, b->id.ptr, b->hash,
                      strcmp(a->hash, b->hash) == 0 ? " (the same prompt)" : "");
        s = hone_changes_text(&a->root, &b->root, &text);
    }
    if (s >= 0)
        s = hone_buf_check(&text, "the comparison");
    if (s >= 0)
        fwrite(text.ptr, 1, text.len, stdout);
    hone_buf_release(&text);
    hone_prompt_destroy(a);
    hone_prompt_destroy(b);
    return hone_cli_finish(hone_cli_fail(s));
}

static int improve(int argc, char **argv)
{
    static const char *prompt, *data, *judge, *writer, *propose, *reference, *run_dir, *runs;
    static hone_arg_list settings, allow;
    static int raw;
    static int64_t proposals = 20, minibatch = 4, budget = 2000, max_tokens = 256, limit, seed = 0;
    static double holdout = 0.4;
    static const hone_arg options[] = {
        {"prompt", HONE_ARG_STR, &prompt, "FILE", "the prompt to begin with"},
        {"data", HONE_ARG_STR, &data, "FILE", "rows with the columns that the prompt names"},
        {"judge", HONE_ARG_STR, &judge, "J", "judge component, or a Lua file of one"},
        {"set", HONE_ARG_LIST, &settings, "KEY=VALUE", "a setting of the judge"},
        {"reference", HONE_ARG_STR, &reference, "NAME", "column that the judge gets as reference"},
        {"writer", HONE_ARG_STR, &writer, "MODEL", "model that writes proposals (MODEL itself)"},
        {"propose", HONE_ARG_STR, &propose, "FILE.lua",
         "returns function(ctx) that writes proposals instead of a model"},
        {"proposals", HONE_ARG_I64, &proposals, "N", "proposals (20)"},
        {"minibatch", HONE_ARG_I64, &minibatch, "N", "rows a proposal is first tried on (4)"},
        {"budget", HONE_ARG_I64, &budget, "N", "judged answers in the search (2000)"},
        {"holdout", HONE_ARG_F64, &holdout, "SHARE", "of the rows, never seen by the search (0.4)"},
        {"limit", HONE_ARG_I64, &limit, "N", "only the first N rows (0: all)"},
        {"max-tokens", HONE_ARG_I64, &max_tokens, "N", "new tokens an answer (256)"},
        {"raw", HONE_ARG_FLAG, &raw, NULL, "prompts without the chat template"},
        {"seed", HONE_ARG_I64, &seed, "N", "of all that is drawn (0)"},
        {"runs", HONE_ARG_STR, &runs, "DIR", "folder of run directories (runs)"},
        {"run-dir", HONE_ARG_STR, &run_dir, "DIR", "the run directory itself; must not exist"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT", "as for hone run"},
        {0}};
    static const hone_args spec = {
        "prompt improve",
        "MODEL --prompt FILE --data FILE --judge J [options]",
        "Looks for a better prompt, so that prompting is tried before training: a model writes\n"
        "templates from the worst-judged answers, a Pareto set over items keeps those that are\n"
        "best on some, and rows that the search never saw decide, with an interval. A run like\n"
        "any other: hone resume goes on with it, RUN/improve-prompt.json is the report and\n"
        "RUN/improve-proposals.jsonl has every proposal.",
        options,
        NULL,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!prompt || !data || !judge)
        return hone_cli_usage("prompt improve", "--%s is missing",
                              !prompt ? "prompt FILE"
                              : !data ? "data FILE"
                                      : "judge J");
    enum { OWN = 18, ROOM = 4200 };
    const char *set[OWN + HONE_ARG_LIST_MAX + 1];
    hone_arena a;
    hone_arena_init(&a, 0);
    int m = 0;
    hone_status s = HONE_OK;
    const struct {
        const char *key, *text;
    } texts[] = {{"model", rest.v[0]}, {"prompt", prompt},       {"data", data},
                 {"judge", judge},     {"reference", reference}, {"writer", writer},
                 {"propose", propose}};
    const struct {
        const char *key;
        int64_t v;
    } numbers[] = {{"proposals", proposals}, {"minibatch", minibatch},   {"budget", budget},
                   {"limit", limit},         {"max_tokens", max_tokens}, {"seed", seed}};
    char line[ROOM];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i].text)
            continue;
        if (snprintf(line, sizeof line, "%s=%s", texts[i].key, texts[i].text) >= ROOM)
            return hone_cli_usage("prompt improve", "--%s is too long", texts[i].key);
        set[m++] = hone_arena_strndup(&a, line, strlen(line));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(line, sizeof line, "%s=%lld", numbers[i].key, (long long)numbers[i].v);
        set[m++] = hone_arena_strndup(&a, line, strlen(line));
    }
    snprintf(line, sizeof line, "holdout=%.17g", holdout);
    set[m++] = hone_arena_strndup(&a, line, strlen(line));
    set[m++] = raw ? "raw=true" : "raw=false";
    for (int i = 0; i < settings.n; i++) {
        if (snprintf(line, sizeof line, "set.%s", settings.v[i]) >= ROOM)
            return hone_cli_usage("prompt improve", "--set is too long");
        set[m++] = hone_arena_strndup(&a, line, strlen(line));
    }
    set[m] = NULL;
    for (int i = 0; i < m; i++)
        if (!set[i])
            s = HONE_E_NOMEM;
    char *path = hone_path_join(hone_paths_lib(), "hone/prompt_verb.lua");
    if (!path)
        s = HONE_E_NOMEM;
    if (s >= 0) {
        hone_recipe_options o = {.recipe = path,
                                 .set = set,
                                 .runs_dir = runs,
                                 .run_dir = run_dir,
                                 .seed = (uint64_t)seed,
                                 .has_seed = 1,
                                 .allow = allow.v};
        s = hone_recipe_run(&o);
    }
    hone_free(path);
    hone_arena_release(&a);
    return hone_cli_finish(hone_cli_fail(s));
}

int hone_cli_prompt(int argc, char **argv)
{
    static const char *const examples[] = {"hone prompt diff --help", NULL};
    static const hone_args spec = {
        "prompt",
        "diff|improve [arguments]",
        "diff      what differs between two prompts\n"
        "improve   looks for a better prompt, before anything is trained",
        NULL,
        examples,
        0,
        -1};
    if (argc < 2)
        return hone_cli_usage("prompt", "what? diff or improve");
    if (strcmp(argv[1], "diff") == 0)
        return diff(argc - 1, argv + 1);
    if (strcmp(argv[1], "improve") == 0)
        return improve(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        hone_args_help(&spec);
        return HONE_EXIT_OK;
    }
    return hone_cli_usage("prompt", "unknown part \"%s\" (diff, improve)", argv[1]);
}
