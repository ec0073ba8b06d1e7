/* judge_calibrate.c - `hone judge calibrate`: reads labels, verdicts and items, prints what judge/calibrate.h makes of them.
 *
 * The rows are streamed (joined.h keeps what fits). The document goes to the store of judges, where the gate looks for it;
 * there a reading of the test split is counted too. A store that is not there is made only for that. (judges.md 6) */
#include "judge/calibrate.h"

#include "cli/component.h"
#include "cli/judge.h"
#include "cli/judge_report.h"
#include "cli/judge_measure.h"
#include "cli/out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *labels_path, *verdicts_path, *items_path, *split_text, *shape_text, *criterion;
static const char *levels_text, *scale_text, *store;
static double threshold = (double)NAN, tie, epsilon;
static int64_t replicates, seed, most;
static int json, skip_bad;
static hone_arg_list reports, paths;

static const hone_arg options[] = {
    {"labels", HONE_ARG_STR, &labels_path, "F", "labels of experts: JSONL, CSV or JSON"},
    {"verdicts", HONE_ARG_STR, &verdicts_path, "V", "what the judge said (hone judge run)"},
    {"items", HONE_ARG_STR, &items_path, "I", "the items: prompts, completions, columns"},
    {"split", HONE_ARG_STR, &split_text, "S", "few-shot, dev, test or all (all)"},
    {"shape", HONE_ARG_STR, &shape_text, "S", "pointwise or pairwise (told by the labels)"},
    {"criterion", HONE_ARG_STR, &criterion, "ID", "one criterion instead of the score"},
    {"levels", HONE_ARG_STR, &levels_text, "1,2,3", "the scale (the values of the labels)"},
    {"threshold", HONE_ARG_F64, &threshold, "X", "good is X or more (the middle of the scale)"},
    {"judge-scale", HONE_ARG_STR, &scale_text, "LO,HI", "the judge's scale, where it is another"},
    {"tie", HONE_ARG_F64, &tie, "X", "pairwise: a score from -X to X is a tie (0)"},
    {"epsilon", HONE_ARG_F64, &epsilon, "X", "alternative-annotator test: .2, .15 or .1 (.2)"},
    {"replicates", HONE_ARG_I64, &replicates, "N", "of the bootstrap (1000)"},
    {"seed", HONE_ARG_I64, &seed, "N", "of the bootstrap (0)"},
    {"at-most", HONE_ARG_I64, &most, "N", "keep a random N items (200000)"},
    {"skip-bad", HONE_ARG_FLAG, &skip_bad, NULL, "leave malformed rows out and count them"},
    {"report", HONE_ARG_LIST, &reports, "F", "F.md, F.html or F.json (several times)"},
    {"store", HONE_ARG_STR, &store, "F", "the store of judges (judges.sqlite)"},
    {"json", HONE_ARG_FLAG, &json, NULL, "as JSON"},
    {"plugin-path", HONE_ARG_LIST, &paths, "PATH", "a folder of plugins, or a .so (several times)"},
    {0}};

/* ---- options ---------------------------------------------------------------------------------------------- */

/* "1,2,5" -> numbers; -1 when it is no such list. */
static int numbers_of(const char *text, double *out, int most_numbers)
{
    int n = 0;
    for (const char *end; *text; text = end + (*end == ',')) {
        if (n == most_numbers)
            return -1;
        out[n] = hone_parse_f64(text, &end);
        if (end == text || (*end && *end != ',') || !isfinite(out[n++]))
            return -1;
    }
    return n;
}

static int read_options(hone_joined_opts *rows, hone_calib_opts *o, double *levels)
{
    static const char verb[] = "judge calibrate";
    double scale[2];
    if (!labels_path)
        return hone_cli_usage(verb, "--labels F is missing");
    *rows = (hone_joined_opts){.split = HONE_SPLIT_ALL,
                               .criterion = criterion,
                               .skip_bad = skip_bad,
                               .max_items = most > 0 ? (size_t)most : 0};
    if (split_text && (rows->split = hone_split_of(split_text)) < 0)
        return hone_cli_usage(verb, "--split is one of few-shot, dev, test, all");
    if (shape_text)
        rows->shape = strcmp(shape_text, "pointwise") == 0  ? HONE_SHAPE_POINTWISE
                      : strcmp(shape_text, "pairwise") == 0 ? HONE_SHAPE_PAIRWISE
                                                            : -1;
    if (rows->shape < 0)
        return hone_cli_usage(verb, "--shape is pointwise or pairwise");
    *o = (hone_calib_opts){.tie = tie,
                           .epsilon = epsilon,
                           .has_threshold = !isnan(threshold),
                           .threshold = threshold,
                           .seed = (uint64_t)seed};
    if (replicates < 0 || replicates > 100000 || most < 0)
        return hone_cli_usage(verb, "--replicates is 1 to 100000, --at-most a number of items");
    o->replicates = (uint32_t)replicates;
    if (!(tie >= 0 && tie < 1) || !(epsilon >= 0 && epsilon < 1))
        return hone_cli_usage(verb, "--tie and --epsilon are 0 or more and below 1");
    if (levels_text) {
        int n = numbers_of(levels_text, levels, HONE_CALIB_LEVELS);
        if (n < 2)
            return hone_cli_usage(verb, "--levels is a list of 2 to %d numbers", HONE_CALIB_LEVELS);
        o->levels = levels;
        o->n_levels = (size_t)n;
    }
    if (scale_text) {
        if (numbers_of(scale_text, scale, 2) != 2 || !(scale[1] > scale[0]))
            return hone_cli_usage(verb, "--judge-scale is two ascending numbers");
        o->has_scale = 1;
        o->scale_lo = scale[0];
        o->scale_hi = scale[1];
    }
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static hone_status read_all(hone_joined *j)
{
    hone_registry *r;
    HONE_TRY(hone_cli_open_registry(&paths, &r));
    hone_status s = HONE_OK;
    if (items_path)
        s = hone_cli_judge_read(r, items_path, HONE_ROWS_ITEMS, j);
    if (s >= 0 && verdicts_path)
        s = hone_cli_judge_read(r, verdicts_path, HONE_ROWS_VERDICTS, j);
    if (s >= 0)
        s = hone_cli_judge_read(r, labels_path, HONE_ROWS_LABELS, j);
    hone_registry_close(r);
    return s < 0 ? s : hone_joined_finish(j);
}

/* ---- the documents ---------------------------------------------------------------------------------------- */

/* Does this reading show the test split? */
static int reads_test(const hone_joined *j)
{
    return j->opts.split == HONE_SPLIT_TEST || j->opts.split == HONE_SPLIT_ALL;
}

static hone_status document(const hone_joined *j, const hone_calib_opts *o, hone_buf *out)
{
    hone_calibration c;
    hone_cli_judge_origin origin;
    hone_book *book = NULL;
    hone_jw w;
    const char *const files[][2] = {
        {"labels", labels_path}, {"verdicts", verdicts_path}, {"items", items_path}, {NULL, NULL}};
    HONE_TRY(hone_cli_judge_origin_of(j, files, &origin));
    HONE_TRY(hone_calibrate(j, o, &c));
    hone_status s = hone_cli_judge_store(store, j->opts.split == HONE_SPLIT_TEST, &book);
    if (s >= 0 && book && reads_test(j))
        s = hone_book_count_test(book, origin.data[0].sha256, &origin.about.test_reads);
    if (s >= 0) {
        hone_jw_init(&w, out, 2);
        hone_calibration_json(&c, &origin.about, &w);
        s = hone_buf_check(out, "the report");
    }
    if (s >= 0 && book)
        s = hone_book_put_run(book, "calibration", j->spec, hone_buf_str(out), NULL);
    hone_book_close(book);
    hone_calibration_release(&c);
    return s;
}

int hone_cli_judge_calibrate(int argc, char **argv)
{
    static const char *const examples[] = {
        "hone judge calibrate --labels labels.csv",
        "hone judge calibrate --labels labels.csv --verdicts verdicts.jsonl --report judge.html",
        NULL};
    static const hone_args spec = {
        "judge calibrate",
        "--labels F [--verdicts V] [--items I] [options]",
        "Compares a judge with experts: how far experts agree with each other, how far the judge\n"
        "agrees with them, where it is biased, how often it gives no number. Every figure has an\n"
        "interval over prompts, or says why there is none.\n"
        "A label has item, expert and score, or choice (a, b, tie); a verdict id, status, score.\n"
        "A reading of the test split is counted in the store.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    hone_joined_opts rows;
    hone_calib_opts o;
    hone_joined j;
    hone_buf doc;
    double levels[HONE_CALIB_LEVELS];
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    int code = read_options(&rows, &o, levels);
    if (code)
        return code;
    if (hone_cli_judge_report_names(&reports) < 0)
        return hone_cli_fail(HONE_E_USAGE);
    hone_buf_init(&doc, (size_t)64 << 20);
    hone_joined_init(&j, &rows);
    hone_status s = read_all(&j);
    if (s >= 0)
        s = document(&j, &o, &doc);
    if (s >= 0)
        s = hone_cli_judge_report(hone_buf_str(&doc), &reports, json);
    hone_joined_release(&j);
    hone_buf_release(&doc);
    return hone_cli_fail(s);
}
