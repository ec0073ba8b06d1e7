/* data_select.c - `hone data select`: the rows with the best scores, and the most diverse of them. */
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/select.h"

#include <math.h>

static const char *by, *embedding;
static int lowest;
static double least, most, share;
static int64_t top, diverse, seed = 1;

static void put_summary(void *ctx, hone_jw *w)
{
    const hone_select_result *r = ctx;
    hone_jw_ki64(w, "rows", (int64_t)r->pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->pass.bad);
    if (by) {
        hone_jw_ki64(w, "scored", (int64_t)r->scored);
        hone_jw_ki64(w, "within", (int64_t)r->within);
    }
    hone_jw_ki64(w, "kept", (int64_t)r->kept);
    hone_jw_ki64(w, "dropped", (int64_t)r->dropped);
    if (by && r->kept) {
        hone_jw_kf64(w, "least", r->least);
        hone_jw_kf64(w, "most", r->most);
    }
    if (diverse)
        hone_jw_kf64(w, "radius", r->radius);
}

static hone_status prepare(hone_cli_step *step, hone_select_spec *spec)
{
    if (!by && (top || share != 0 || !isnan(least) || !isnan(most)))
        return hone_fail(HONE_E_USAGE, "--by COLUMN is missing: which score?");
    if (!by && !diverse)
        return hone_fail(HONE_E_USAGE, "--by COLUMN or --diverse N is missing");
    if (by && !top && share == 0 && isnan(least) && isnan(most) && !diverse)
        return hone_fail(HONE_E_USAGE, "--top, --share, --min, --max or --diverse is missing");
    if (top < 0 || diverse < 0 || share < 0 || share > 1)
        return hone_fail(HONE_E_USAGE, "--top and --diverse count rows, --share is from 0 to 1");
    *spec = (hone_select_spec){.by = by,
                               .lowest = lowest,
                               .min = least,
                               .max = most,
                               .top = (uint64_t)top,
                               .share = share,
                               .diverse = (uint64_t)diverse,
                               .columns = hone__step_args.columns,
                               .embedding = embedding,
                               .seed = (uint64_t)seed,
                               .skip_bad = hone__step_args.skip_bad};
    if (by)
        hone_jw_kcstr(&step->w, "by", by);
    hone_jw_kbool(&step->w, "lowest", lowest);
    hone_jw_kf64(&step->w, "min", least);
    hone_jw_kf64(&step->w, "max", most);
    hone_jw_ki64(&step->w, "top", top);
    hone_jw_kf64(&step->w, "share", share);
    hone_jw_ki64(&step->w, "diverse", diverse);
    if (embedding)
        hone_jw_kcstr(&step->w, "embedding", embedding);
    hone_jw_ki64(&step->w, "seed", seed);
    return HONE_OK;
}

int hone_cli_data_select(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"by", HONE_ARG_STR, &by, "A.B", "the column of the score"},
        {"top", HONE_ARG_I64, &top, "N", "the N best"},
        {"share", HONE_ARG_F64, &share, "X", "this share of those that have a score"},
        {"min", HONE_ARG_F64, &least, "X", "a score of at least X"},
        {"max", HONE_ARG_F64, &most, "X", "a score of at most X"},
        {"lowest", HONE_ARG_FLAG, &lowest, NULL, "the lowest score is the best"},
        {"diverse", HONE_ARG_I64, &diverse, "N", "of these N that are least like each other"},
        {"embedding", HONE_ARG_STR, &embedding, "A.B",
         "diverse: a column with a list of numbers (word 3-grams of the text)"},
        {"seed", HONE_ARG_I64, &seed, "N", "diverse: of the hash functions (1)"},
        HONE_CLI_STEP_OPTIONS,
        {0}};
    static const char *const examples[] = {
        "hone data select scored.jsonl --by judge.score --top 10 --out best.jsonl",
        "hone data select scored.jsonl --by judge.score --min 0.5 --diverse 2 --columns prompt "
        "--out few.jsonl",
        NULL};
    static const hone_args spec = {"data select",
                                   "FILE... [options]",
                                   "The rows with the best scores, and the most diverse of them.",
                                   options,
                                   examples,
                                   1,
                                   -1};
    hone_rest rest;
    hone_cli_step step;
    hone_select_spec what;
    hone_select_result result = {0};
    least = most = NAN;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "select");
    if (s >= 0)
        s = prepare(&step, &what);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, NULL, 0);
    if (s >= 0)
        s = hone_select_run(&what, step.input, step.pool, step.job, &result);
    return hone_cli_step_close(&step, s, put_summary, &result);
}
