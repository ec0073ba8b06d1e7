/* data_split.c - `hone data split`: rows into several files, groups whole. */
#include "base/json.h"
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/steps.h"

#include <stdio.h>
#include <string.h>

static hone_arg_list into;
static const char *group;
static int near_groups;
static int64_t seed = 1;
static double threshold = 0.8;
static const char *names[HONE_SPLIT_MAX];
static char paths[HONE_SPLIT_MAX][1024];

static void put_summary(void *ctx, hone_jw *w)
{
    hone_split_told(names, (size_t)into.n, ctx, w);
}

static hone_status prepare(hone_cli_step *step, hone_split_spec *spec, hone_cluster_spec *clusters)
{
    if (!into.n || into.n > HONE_SPLIT_MAX)
        return hone_fail(HONE_E_USAGE,
                         "--into FILE=SHARE is missing, such as --into train.jsonl=0.9");
    for (int i = 0; i < into.n; i++) {
        const char *eq = strrchr(into.v[i], '='), *end = "";
        spec->share[i] = eq ? hone_parse_f64(eq + 1, &end) : 0;
        if (!eq || eq == into.v[i] || end == eq + 1 || *end || !(spec->share[i] > 0) ||
            (size_t)(eq - into.v[i]) >= sizeof paths[i])
            return hone_fail(HONE_E_USAGE, "--into %s: FILE=SHARE with a share above 0", into.v[i]);
        memcpy(paths[i], into.v[i], (size_t)(eq - into.v[i]));
        names[i] = paths[i];
    }
    if (hone__step_args.out.n)
        return hone_fail(HONE_E_USAGE, "split writes to --into FILE=SHARE, not to --out");
    if (group && near_groups)
        return hone_fail(HONE_E_USAGE,
                         "--group and --near say different things of what stays together");
    spec->n = (size_t)into.n;
    spec->seed = (uint64_t)seed;
    spec->group = group ? group : hone__step_args.columns;
    spec->skip_bad = hone__step_args.skip_bad;
    *clusters = (hone_cluster_spec){.columns = hone__step_args.columns,
                                    .fold = HONE_FOLD_SPACE,
                                    .near = 1,
                                    .words = 5,
                                    .bands = 20,
                                    .rows = 6,
                                    .seed = 1,
                                    .threshold = threshold,
                                    .verify = 1,
                                    .skip_bad = hone__step_args.skip_bad};
    spec->near = near_groups ? clusters : NULL;
    return hone_split_settings(spec, &step->w);
}

int hone_cli_data_split(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"into", HONE_ARG_LIST, &into, "FILE=SHARE", "an output and its share (several times)"},
        {"group", HONE_ARG_STR, &group, "A,B.C",
         "rows with equal columns stay together (rows with equal text)"},
        {"near", HONE_ARG_FLAG, &near_groups, NULL, "rows that are nearly the same stay together"},
        {"threshold", HONE_ARG_F64, &threshold, "J", "near: Jaccard of the word 5-grams (0.8)"},
        {"seed", HONE_ARG_I64, &seed, "N", "another division (1)"},
        HONE_CLI_STEP_OPTIONS,
        {0}};
    static const char *const examples[] = {
        "hone data split rows.jsonl --group prompt --into most.jsonl=0.9 --into rest.jsonl=0.1",
        "hone data split rows.jsonl --near --into most.jsonl=0.8 --into rest.jsonl=0.2", NULL};
    static const hone_args spec = {"data split",
                                   "FILE... --into FILE=SHARE [options]",
                                   "Divides rows by a hash of their group, so that nothing leaks.",
                                   options,
                                   examples,
                                   1,
                                   -1};
    hone_rest rest;
    hone_cli_step step;
    hone_split_spec what = {0};
    hone_cluster_spec clusters;
    hone_split_result result = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "split");
    if (s >= 0)
        s = prepare(&step, &what, &clusters);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, names, what.n);
    if (s >= 0)
        s = hone_split_run(&what, step.input, step.pool, step.job, &result);
    return hone_cli_step_close(&step, s, put_summary, &result);
}
