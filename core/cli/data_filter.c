/* data_filter.c - `hone data filter`: leaves rows out whose text the rules of Gopher, C4 or FineWeb speak against. */
#include "base/hash.h"
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/steps.h"

#include <stdio.h>

static const char *rule_sets, *bad_words;
static hone_phrases *bad;
static hone_arg_list rules;
static int list;
static hone_quality quality;

static void put_summary(void *ctx, hone_jw *w)
{
    hone_filter_told(ctx, w);
}

static int list_rules(void)
{
    for (size_t i = 0; i < hone_quality_n(); i++) {
        const hone_quality_rule *r = &hone_quality_rules[i];
        char name[64], limit[32];
        size_t n = hone_format_f64(r->limit, limit);
        snprintf(name, sizeof name, "%s.%s", hone_quality_set_name(r->set), r->name);
        printf("%-48s %-6.*s  %s\n", name, (int)n, limit, r->about);
    }
    return hone_cli_finish(HONE_EXIT_OK);
}

static hone_status prepare(hone_cli_step *step)
{
    HONE_TRY(hone_quality_init(&quality, rule_sets || rules.n ? rule_sets : "gopher", rules.v,
                               (size_t)rules.n));
    if (bad_words) {
        char hash[65];
        HONE_TRY(hone_phrases_read(bad_words, &bad));
        HONE_TRY(hone_sha256_file(bad_words, hash));
        quality.bad_words = bad;
        hone_jw_kcstr(&step->w, "bad_words", hash);
    }
    hone_quality_settings(&quality, &step->w);
    return HONE_OK;
}

int hone_cli_data_filter(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"rules", HONE_ARG_STR, &rule_sets, "SET,SET",
         "gopher, gopher_repetition, c4, fineweb, all (gopher)"},
        {"rule", HONE_ARG_LIST, &rules, "NAME=LIMIT",
         "another limit of a rule, or off (several times)"},
        {"bad-words", HONE_ARG_STR, &bad_words, "FILE",
         "c4: words and phrases, one a line, that a text may not have"},
        {"list", HONE_ARG_FLAG, &list, NULL, "prints all rules with their limits"},
        HONE_CLI_STEP_OPTIONS,
        {0}};
    static const char *const examples[] = {
        "hone data filter --list",
        "hone data filter rows.jsonl --rules gopher,gopher_repetition --columns completion --out "
        "good.jsonl --report dropped.jsonl",
        "hone data filter rows.jsonl --rules c4 --rule min_sentences=3 --out good.jsonl", NULL};
    static const hone_args spec = {"data filter",
                                   "FILE... [options]",
                                   "Leaves rows out whose text published rules speak against.",
                                   options,
                                   examples,
                                   0,
                                   -1};
    hone_rest rest;
    hone_cli_step step;
    static hone_filter_result result;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (list)
        return list_rules();
    if (!rest.n)
        return hone_cli_usage("data filter", "FILE is missing");
    hone_status s = hone_cli_step_begin(&step, "filter");
    if (s >= 0)
        s = prepare(&step);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, NULL, 0);
    if (s >= 0)
        s = hone_filter_run(&quality, hone__step_args.columns, hone__step_args.skip_bad, step.input,
                            step.pool, step.job, &result);
    int code = hone_cli_step_close(&step, s, put_summary, &result);
    hone_phrases_free(bad);
    return code;
}
