/* data_decontaminate.c - `hone data decontaminate`: leaves rows out that hold pieces of evaluation sets. */
#include "base/hash.h"
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/steps.h"

static hone_arg_list against;
static const char *against_columns;
static int64_t words = 13, least = 5;
static double share;

typedef struct told {
    hone_leak_result result;
    hone_leaks *leaks;
    hone_input *items;
} told;

static void put_summary(void *ctx, hone_jw *w)
{
    const told *t = ctx;
    hone_leak_told(t->leaks, t->items, &t->result, w);
}

static hone_status prepare(hone_cli_step *step, hone_leak_spec *spec, told *t)
{
    if (!against.n)
        return hone_fail(HONE_E_USAGE, "--against FILE is missing: the evaluation set");
    if (words < 0 || words > 1000 || least < 0 || least > 1000)
        words = 0; /* which is refused */
    *spec = (hone_leak_spec){.words = (uint32_t)words,
                             .least = (uint32_t)least,
                             .share = share,
                             .columns = hone__step_args.columns,
                             .item_columns = against_columns,
                             .skip_bad = hone__step_args.skip_bad};
    HONE_TRY(hone_cli_step_input(step, against.v, (size_t)against.n, &t->items));
    return hone_leak_settings(spec, t->items, &step->w);
}

int hone_cli_data_decontaminate(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"against", HONE_ARG_LIST, &against, "FILE", "an evaluation set (several times)"},
        {"against-columns", HONE_ARG_STR, &against_columns, "A,B.C",
         "of the evaluation sets: the columns that are an item's text (all its strings)"},
        {"ngram", HONE_ARG_I64, &words, "N", "so many words in a row are a leak (13)"},
        {"min-words", HONE_ARG_I64, &least, "N",
         "an item with fewer words is not looked for; one with fewer than --ngram as a whole (5)"},
        {"share", HONE_ARG_F64, &share, "X",
         "of an item's n-grams that a row must hold (0: one is enough)"},
        HONE_CLI_STEP_OPTIONS,
        {0}};
    static const char *const examples[] = {"hone data decontaminate rows.jsonl --against "
                                           "samples.jsonl --out clean.jsonl --report hits.jsonl",
                                           NULL};
    static const hone_args spec = {"data decontaminate",
                                   "FILE... --against FILE [options]",
                                   "Leaves rows out that hold pieces of evaluation sets.",
                                   options,
                                   examples,
                                   1,
                                   -1};
    hone_rest rest;
    hone_cli_step step;
    hone_leak_spec what;
    told t = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "decontaminate");
    if (s >= 0)
        s = prepare(&step, &what, &t);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, NULL, 0);
    if (s >= 0)
        s = hone_leaks_create(&what, t.items, step.pool, &t.leaks);
    if (s >= 0)
        s = hone_leaks_run(t.leaks, t.items, step.input, step.pool, step.job, &t.result);
    int code = hone_cli_step_close(&step, s, put_summary, &t);
    hone_leaks_destroy(t.leaks);
    hone_input_close(t.items);
    return code;
}
