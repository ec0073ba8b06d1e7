/* data_dedup.c - `hone data dedup`: rows that are the same, or nearly, once. */
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/dedup.h"

#include <stdio.h>

static int near_too, no_verify;
static int64_t words = 5, bands = 20, band_rows = 6, seed = 1;
static double threshold = 0.8;
static const char *fold = "space";

static void put_summary(void *ctx, hone_jw *w)
{
    const hone_dedup_result *r = ctx;
    hone_jw_ki64(w, "rows", (int64_t)r->clusters.pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->clusters.pass.bad);
    hone_jw_ki64(w, "kept", (int64_t)r->kept);
    hone_jw_ki64(w, "exact", (int64_t)r->dropped_same);
    if (near_too) {
        hone_jw_ki64(w, "near", (int64_t)r->dropped_near);
        hone_jw_ki64(w, "candidates", (int64_t)r->clusters.candidates);
        hone_jw_ki64(w, "compared", (int64_t)r->clusters.compared);
    }
}

static hone_status prepare(hone_cli_step *step, hone_cluster_spec *spec)
{
    HONE_TRY(hone_fold_parse(fold, &spec->fold));
    if (threshold <= 0 || threshold > 1)
        return hone_fail(HONE_E_USAGE, "--threshold is above 0 and at most 1");
    if (words < 1 || words > 64 || bands < 1 || bands > HONE_MINHASH_MAX || band_rows < 1 ||
        band_rows > HONE_MINHASH_MAX)
        return hone_fail(HONE_E_USAGE, "--ngram is from 1 to 64, --bands and --rows from 1 to %d",
                         HONE_MINHASH_MAX);
    spec->columns = hone__step_args.columns;
    spec->near = near_too;
    spec->words = (uint32_t)words;
    spec->bands = (uint32_t)bands;
    spec->rows = (uint32_t)band_rows;
    spec->seed = (uint64_t)seed;
    spec->threshold = threshold;
    spec->verify = !no_verify;
    spec->skip_bad = hone__step_args.skip_bad;
    hone_jw_kcstr(&step->w, "normalise", fold);
    if (near_too) {
        hone_jw_ki64(&step->w, "ngram", words);
        hone_jw_ki64(&step->w, "bands", bands);
        hone_jw_ki64(&step->w, "rows", band_rows);
        hone_jw_ki64(&step->w, "seed", seed);
        hone_jw_kf64(&step->w, "threshold", threshold);
        hone_jw_kbool(&step->w, "verify", !no_verify);
    }
    return HONE_OK;
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
    hone_cluster_spec what = {0};
    hone_dedup_result result = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "dedup");
    if (s >= 0)
        s = prepare(&step, &what);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, rest.v, NULL, 0);
    if (s >= 0)
        s = hone_dedup_run(&what, hone__step_args.report != NULL, step.input, step.pool, step.job,
                           &result);
    return hone_cli_step_close(&step, s, put_summary, &result);
}
