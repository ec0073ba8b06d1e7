/* data_select.c - `hone data select`: the rows with the best scores, and the most diverse of them. */
#include "cli/data_step.h"
#include "cli/env.h"
#include "cli/out.h"
#include "curate/ifd.h"
#include "curate/steps.h"
#include "curate/verdicts.h"

#include <math.h>

static const char *by, *embedding, *ifd_model, *question, *answer, *verdicts, *judge, *as, *adapter;
static int lowest, raw;
static double least, most, share;
static int64_t top, diverse, seed = 1, max_tokens = 2048;

/* A source of scores that is not a column. */
typedef struct scorer {
    hone_env env;
    hone_policy *policy;
    hone_ifd *ifd;
    hone_verdicts *verdicts;
} scorer;

static int has_score(void)
{
    return by || ifd_model || verdicts;
}

typedef struct selecting {
    hone_select_spec spec;
    hone_select_result result;
} selecting;

static void put_summary(void *ctx, hone_jw *w)
{
    const selecting *x = ctx;
    hone_select_told(&x->spec, has_score(), &x->result, w);
}

static hone_status prepare(hone_cli_step *step, hone_select_spec *spec)
{
    if ((by != NULL) + (ifd_model != NULL) + (verdicts != NULL) > 1)
        return hone_fail(HONE_E_USAGE, "--by, --ifd and --verdicts are three different scores");
    if (!has_score() && !diverse)
        return hone_fail(HONE_E_USAGE,
                         "--by COLUMN, --ifd MODEL, --verdicts STORE or --diverse N is missing");
    if (ifd_model && (!question || !answer))
        return hone_fail(HONE_E_USAGE, "--ifd needs --question COLUMNS and --answer COLUMNS");
    if (judge && !verdicts)
        return hone_fail(HONE_E_USAGE, "--judge is one of --verdicts STORE");
    if (top < 0 || diverse < 0)
        return hone_fail(HONE_E_USAGE, "--top and --diverse count rows");
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
    spec->as = as;
    if (ifd_model) {
        hone_jw_kcstr(&step->w, "ifd", ifd_model);
        hone_jw_kcstr(&step->w, "adapter", adapter);
        hone_jw_kcstr(&step->w, "question", question);
        hone_jw_kcstr(&step->w, "answer", answer);
        hone_jw_kbool(&step->w, "raw", raw);
        hone_jw_ki64(&step->w, "max_tokens", max_tokens);
    }
    if (verdicts) {
        hone_jw_kcstr(&step->w, "verdicts", verdicts);
        hone_jw_kcstr(&step->w, "judge", judge);
    }
    return hone_select_settings(spec, has_score(), &step->w);
}

static hone_status open_scorer(hone_cli_step *step, hone_select_spec *spec, scorer *k)
{
    if (verdicts) {
        HONE_TRY(hone_verdicts_open(verdicts, judge, step->input, &k->verdicts));
        spec->score = hone_verdicts_score;
        spec->ctx = k->verdicts;
    }
    if (!ifd_model)
        return HONE_OK;
    HONE_TRY(hone_cli_env_open(&k->env));
    HONE_TRY(hone_cli_policy(&k->env, ifd_model, adapter, NULL, NULL, &k->policy));
    HONE_TRY(hone_ifd_create(k->policy, question, answer, raw, (uint64_t)max_tokens, &k->ifd));
    spec->score = hone_ifd_score;
    spec->ctx = k->ifd;
    spec->every = 64;
    return HONE_OK;
}

static void close_scorer(scorer *k)
{
    hone_verdicts_close(k->verdicts);
    hone_ifd_destroy(k->ifd);
    hone_policy_destroy(k->policy);
    if (k->env.pool)
        hone_cli_env_close(&k->env);
}

int hone_cli_data_select(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"by", HONE_ARG_STR, &by, "A.B", "the column of the score"},
        {"ifd", HONE_ARG_STR, &ifd_model, "MODEL",
         "the score is the instruction-following difficulty with this model"},
        HONE_CLI_ADAPTER(&adapter),
        {"question", HONE_ARG_STR, &question, "A,B.C", "ifd: columns of the instruction"},
        {"answer", HONE_ARG_STR, &answer, "A,B.C", "ifd: columns of the answer"},
        {"raw", HONE_ARG_FLAG, &raw, NULL, "ifd: without the model's chat template"},
        {"max-tokens", HONE_ARG_I64, &max_tokens, "N", "ifd: longer texts are cut there (2048)"},
        {"verdicts", HONE_ARG_STR, &verdicts, "STORE",
         "the score is what a judge said of the row (judges.sqlite)"},
        {"judge", HONE_ARG_STR, &judge, "HASH", "verdicts: the beginning of the judge's spec hash"},
        {"as", HONE_ARG_STR, &as, "NAME", "the score is written into the rows as this column"},
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
        "hone data select rows.jsonl --ifd tiny --question prompt --answer completion --max 1 "
        "--top 5 --as ifd --out hard.jsonl",
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
    selecting x = {0};
    scorer score = {0};
    least = most = NAN;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "select");
    if (s >= 0)
        s = prepare(&step, &x.spec);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, NULL, 0);
    if (s >= 0)
        s = open_scorer(&step, &x.spec, &score);
    if (s >= 0)
        s = hone_select_run(&x.spec, step.input, step.pool, step.job, &x.result);
    int code = hone_cli_step_close(&step, s, put_summary, &x);
    close_scorer(&score);
    return code;
}
