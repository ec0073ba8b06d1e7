/* data_dedup.c - `hone data dedup`: rows that are the same, or nearly, once. */
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/steps.h"

static int near_too, no_verify;
static int64_t words = 5, bands = 20, band_rows = 6, seed = 1;
static double threshold = 0.8;
static const char *fold = "space";

typedef struct deduping {
    hone_cluster_spec spec;
    hone_dedup_result result;
} deduping;

static void put_summary(void *ctx, hone_jw *w)
{
    const deduping *d = ctx;
    hone_dedup_told(&d->spec, &d->result, w);
}

static hone_status prepare(hone_cli_step *step, hone_cluster_spec *spec)
{
    HONE_TRY(hone_fold_parse(fold, &spec->fold));
    if (words < 0 || words > UINT32_MAX || bands < 0 || bands > UINT32_MAX || band_rows < 0 ||
        band_rows > UINT32_MAX)
        words = 0; /* which is refused with the others */
    spec->columns = hone__step_args.columns;
    spec->near = near_too;
    spec->words = (uint32_t)words;
    spec->bands = (uint32_t)bands;
    spec->rows = (uint32_t)band_rows;
    spec->seed = (uint64_t)seed;
    spec->threshold = threshold;
    spec->verify = !no_verify;
    spec->skip_bad = hone__step_args.skip_bad;
    return hone_dedup_settings(spec, &step->w);
}

int hone_cli_data_dedup(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"near", HONE_ARG_FLAG, &near_too, NULL,
         "nearly the same, too (MinHash over word n-grams)"},
        {"normalise", HONE_ARG_STR, &fold, "HOW",
         "what does not matter for the same: none, space, case (and space), words (and "
         "punctuation) "
         "(space)"},
        {"threshold", HONE_ARG_F64, &threshold, "J", "near: Jaccard of the n-grams (0.8)"},
        {"ngram", HONE_ARG_I64, &words, "N", "near: words of an n-gram (5)"},
        {"bands", HONE_ARG_I64, &bands, "B", "near: bands of the signature (20)"},
        {"rows", HONE_ARG_I64, &band_rows, "R", "near: values of a band (6)"},
        {"seed", HONE_ARG_I64, &seed, "N", "near: of the hash functions (1)"},
        {"no-verify", HONE_ARG_FLAG, &no_verify, NULL,
         "near: an equal band is enough, the true Jaccard is not computed"},
        HONE_CLI_STEP_OPTIONS,
        {0}};
    static const char *const examples[] = {
        "hone data dedup train.jsonl --out unique.jsonl",
        "hone data dedup rows.jsonl --near --columns prompt,completion --out unique.jsonl --report "
        "dropped.jsonl",
        NULL};
    static const hone_args spec = {
        "data dedup",
        "FILE... [options]",
        "Of rows that are the same, or nearly the same, the first stays.",
        options,
        examples,
        1,
        -1};
    hone_rest rest;
    hone_cli_step step;
    deduping d = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "dedup");
    if (s >= 0)
        s = prepare(&step, &d.spec);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, NULL, 0);
    if (s >= 0)
        s = hone_dedup_run(&d.spec, hone__step_args.report != NULL, step.input, step.pool, step.job,
                           &d.result);
    return hone_cli_step_close(&step, s, put_summary, &d);
}
