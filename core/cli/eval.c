/* eval.c - hone eval, hone lua: recipes of one line.
 *
 * eval is the recipe scripts/lib/hone/eval_verb.lua with parameters from the command line; lua executes a file or
 * standard input with `hone` loaded. */
#include "base/alloc.h"
#include "base/paths.h"
#include "cli/args.h"
#include "cli/env.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "lua/recipe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static hone_status run_lib(const char *leaf, const char *const *set, const char *const *allow)
{
    char *path = hone_path_join(hone_paths_lib(), leaf);
    if (!path)
        return HONE_E_NOMEM;
    hone_recipe_options o = {.recipe = path, .set = set, .no_run = 1, .allow = allow};
    hone_status s = hone_recipe_run(&o);
    hone_free(path);
    return s;
}

int hone_cli_eval(int argc, char **argv)
{
    static const char *data, *reward = "exact_match", *prompt_key, *judge;
    static hone_arg_list settings, allow, prompts;
    static int json, raw;
    static int64_t n = 1, k = 1, max_tokens = 256, limit, seed;
    static double temperature;
    static const hone_arg options[] = {
        {"data", HONE_ARG_STR, &data, "FILE",
         "JSON or JSONL rows with prompt (or messages, question) and the columns the reward reads"},
        {"reward", HONE_ARG_STR, &reward, "NAME", "reward component (exact_match)"},
        {"judge", HONE_ARG_STR, &judge, "J",
         "a judge instead of a reward: component, or Lua file; --set reference=COLUMN names its "
         "reference"},
        {"set", HONE_ARG_LIST, &settings, "KEY=VALUE",
         "a setting of the reward or judge; may be given several times"},
        {"prompt", HONE_ARG_LIST, &prompts, "FILE",
         "a prompt for the rows; several are compared on the same rows, paired"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT", "as for hone run"},
        {"prompt-column", HONE_ARG_STR, &prompt_key, "NAME", "column that holds the prompt"},
        {"n", HONE_ARG_I64, &n, "N", "samples a prompt (1)"},
        {"k", HONE_ARG_I64, &k, "K", "pass@1 .. pass@K (1)"},
        {"temperature", HONE_ARG_F64, &temperature, "T", "0: greedy when n is 1, else 1"},
        {"max-tokens", HONE_ARG_I64, &max_tokens, "N", "new tokens a sample (256)"},
        {"limit", HONE_ARG_I64, &limit, "N", "only the first N rows (0: all)"},
        {"seed", HONE_ARG_I64, &seed, "N", "of draws and intervals (0)"},
        {"raw", HONE_ARG_FLAG, &raw, NULL, "prompts as they are, without the chat template"},
        {"json", HONE_ARG_FLAG, &json, NULL, "print one JSON object"},
        {0}};
    static const char *const examples[] = {
        "hone eval smollm2-135m-instruct --data gsm8k/test.jsonl --reward math_answer --set "
        "reference=answer --limit 50",
        NULL};
    static const hone_args spec = {
        "eval",
        "MODEL --data FILE [options]",
        "Scores a model's answers: mean and pass@k with 95 % intervals by bootstrap over prompts.\n"
        "With --prompt twice or more: the prompts compared on the same rows, paired.",
        options,
        examples,
        1,
        1};
    static char buf[16][512];
    const char *set[16 + 2 * HONE_ARG_LIST_MAX + 1];
    static char extra[HONE_ARG_LIST_MAX][600], files[HONE_ARG_LIST_MAX][4200];
    hone_rest rest;
    int m = 0;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!data)
        return hone_cli_usage("eval", "--data FILE is missing");
    snprintf(buf[m++], 512, "model=%s", rest.v[0]);
    snprintf(buf[m++], 512, "data=%s", data);
    snprintf(buf[m++], 512, "reward=%s", reward);
    snprintf(buf[m++], 512, "n=%lld", (long long)n);
    snprintf(buf[m++], 512, "k=%lld", (long long)k);
    snprintf(buf[m++], 512, "temperature=%.17g", temperature);
    snprintf(buf[m++], 512, "max_tokens=%lld", (long long)max_tokens);
    snprintf(buf[m++], 512, "limit=%lld", (long long)limit);
    snprintf(buf[m++], 512, "seed=%lld", (long long)seed);
    snprintf(buf[m++], 512, "raw=%s", raw ? "true" : "false");
    snprintf(buf[m++], 512, "json=%s", json ? "true" : "false");
    if (prompt_key)
        snprintf(buf[m++], 512, "prompt_column=%s", prompt_key);
    if (judge)
        snprintf(buf[m++], 512, "judge=%s", judge);
    for (int i = 0; i < m; i++)
        set[i] = buf[i];
    for (int i = 0; i < prompts.n; i++) {
        snprintf(files[i], sizeof files[i], "prompt.%d=%s", i + 1, prompts.v[i]);
        set[m++] = files[i];
    }
    for (int i = 0; i < settings.n; i++) {
        snprintf(extra[i], sizeof extra[i], "set.%s", settings.v[i]);
        set[m++] = extra[i];
    }
    set[m] = NULL;
    return hone_cli_finish(hone_cli_fail(run_lib("hone/eval_verb.lua", set, allow.v)));
}

int hone_cli_lua(int argc, char **argv)
{
    static hone_arg_list allow;
    static const hone_arg options[] = {
        {"allow", HONE_ARG_LIST, &allow, "GRANT", "as for hone run; for a file"}, {0}};
    static const char *const examples[] = {
        "hone lua notes.lua", "echo 'print(require \"hone\".hash \"x\")' | hone lua", NULL};
    static const hone_args spec = {
        "lua",
        "[FILE [key=value ...]]",
        "Executes a file, or standard input line by line, with the recipe language loaded.",
        options,
        examples,
        0,
        -1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (rest.n == 0)
        return hone_cli_finish(hone_cli_fail(hone_recipe_shell(isatty(STDIN_FILENO))));
    hone_recipe_options o = {
        .recipe = rest.v[0], .set = (const char *const *)rest.v + 1, .allow = allow.v};
    return hone_cli_finish(hone_cli_fail(hone_recipe_run(&o)));
}
