/* judge_calibrate.c - `hone judge calibrate`: reads labels, verdicts and items, prints what judge/calibrate.h makes of them.
 *
 * The rows are streamed (joined.h keeps what fits). The document goes to the store of judges, where the gate looks for it;
 * there a reading of the test split is counted too. A store that is not there is made only for that. (judges.md 6) */
#include "judge/calibrate.h"

#include "base/alloc.h"
#include "base/file.h"
#include "cli/component.h"
#include "cli/judge.h"
#include "cli/judge_report.h"
#include "cli/judge_measure.h"
#include "cli/out.h"
#include "judge/within.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *labels_path, *verdicts_path, *items_path, *split_text, *shape_text, *criterion;
static const char *levels_text, *scale_text, *store;
static double threshold = (double)NAN, tie, epsilon;
static int64_t replicates, seed, most;
static int json, skip_bad;
static hone_cli_judge_args judge;
static const char *groups_path, *batch;
static int64_t repeats = 1;
static int orders, all_items, settled;
static hone_arg_list reports, paths;

static const hone_arg options[] = {
    {"labels", HONE_ARG_STR, &labels_path, "F",
     "labels of experts: JSONL, CSV (those of the store)"},
    {"batch", HONE_ARG_STR, &batch, "B", "labels of the store: of this batch only"},
    {"verdicts", HONE_ARG_STR, &verdicts_path, "V", "what the judge said (hone judge run)"},
    {"items", HONE_ARG_STR, &items_path, "I", "the items: prompts, completions, columns"},
    HONE_CLI_JUDGE_OPTIONS(judge),
    {"repeats", HONE_ARG_I64, &repeats, "M", "with --judge: times that each is asked (1)"},
    {"orders", HONE_ARG_FLAG, &orders, NULL, "with --judge: pairs in both orders"},
    {"all", HONE_ARG_FLAG, &all_items, NULL,
     "with --judge: items without a label too, for the mean and the share of good"},
    {"groups", HONE_ARG_STR, &groups_path, "G",
     "completions of prompts: several verdicts of each, or with --judge rows to be judged"},
    {"split", HONE_ARG_STR, &split_text, "S", "few-shot, dev, test or all (all)"},
    {"shape", HONE_ARG_STR, &shape_text, "S", "pointwise, pairwise or listwise (told by the rows)"},
    {"criterion", HONE_ARG_STR, &criterion, "ID", "one criterion instead of the score"},
    {"levels", HONE_ARG_STR, &levels_text, "1,2,3", "the scale (the values of the labels)"},
    {"threshold", HONE_ARG_F64, &threshold, "X", "good is X or more (the middle of the scale)"},
    {"judge-scale", HONE_ARG_STR, &scale_text, "LO,HI", "the judge's scale, where it is another"},
    {"tie", HONE_ARG_F64, &tie, "X", "pairwise: a score from -X to X is a tie (0)"},
    {"epsilon", HONE_ARG_F64, &epsilon, "X", "alternative-annotator test: .2, .15 or .1 (.2)"},
    {"replicates", HONE_ARG_I64, &replicates, "N", "of the bootstrap (1000)"},
    {"seed", HONE_ARG_I64, &seed, "N", "of the bootstrap (0)"},
    {"at-most", HONE_ARG_I64, &most, "N", "keep a random N items (200000)"},
    {"settled", HONE_ARG_FLAG, &settled, NULL,
     "what a lead settled is the truth of its item (else: the experts' consensus)"},
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
    if (judge.judge && (verdicts_path || !items_path))
        return hone_cli_usage(verb, "--judge J judges --items I; it takes the place of --verdicts");
    if (repeats < 1 || repeats > 1000)
        return hone_cli_usage(verb, "--repeats is 1 to 1000");
    *rows = (hone_joined_opts){.split = HONE_SPLIT_ALL,
                               .criterion = criterion,
                               .skip_bad = skip_bad,
                               .settled = settled,
                               .max_items = most > 0 ? (size_t)most : 0};
    if (split_text && (rows->split = hone_split_of(split_text)) < 0)
        return hone_cli_usage(verb, "--split is one of few-shot, dev, test, all");
    if (shape_text)
        rows->shape = strcmp(shape_text, "pointwise") == 0  ? HONE_SHAPE_POINTWISE
                      : strcmp(shape_text, "pairwise") == 0 ? HONE_SHAPE_PAIRWISE
                      : strcmp(shape_text, "listwise") == 0 ? HONE_SHAPE_LISTWISE
                                                            : -1;
    if (rows->shape < 0)
        return hone_cli_usage(verb, "--shape is pointwise, pairwise or listwise");
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

/* Lists are told by their rows: a ranking, or more than two candidates for a judge that is asked now. */
static hone_status find_shape(hone_registry *r, hone_joined *j)
{
    int list = j->opts.shape == HONE_SHAPE_LISTWISE;
    if (!j->opts.shape) {
        HONE_TRY(hone_cli_judge_is_list(r, verdicts_path, HONE_ROWS_VERDICTS, &list));
        if (!list)
            HONE_TRY(hone_cli_judge_is_list(r, labels_path, HONE_ROWS_LABELS, &list));
        if (!list && judge.judge)
            HONE_TRY(hone_cli_judge_is_list(r, items_path, HONE_ROWS_ITEMS, &list));
    }
    if (!list)
        return HONE_OK;
    if (criterion)
        return hone_fail(HONE_E_INVALID, "--criterion: a list is ranked as a whole");
    if (settled)
        return hone_fail(HONE_E_INVALID, "--settled: leads settle labels of answers and pairs, "
                                         "not rankings");
    j->opts.shape = HONE_SHAPE_LISTWISE;
    j->shape = HONE_SHAPE_PAIRWISE;
    return HONE_OK;
}

/* Labels first: with a judge to ask, only what has one is judged. */
static hone_status read_all(hone_joined *j, hone_book *book, char *labels_hash)
{
    hone_registry *r;
    HONE_TRY(hone_cli_open_registry(&paths, &r));
    hone_status s = find_shape(r, j);
    const int lists = j->opts.shape == HONE_SHAPE_LISTWISE;
    if (s >= 0 && lists && items_path) /* they name the candidates that labels are of */
        s = hone_cli_judge_read(r, items_path, HONE_ROWS_ITEMS, j);
    if (s < 0)
        ;
    else if (labels_path)
        s = hone_cli_judge_read(r, labels_path, HONE_ROWS_LABELS, j);
    else
        s = hone_cli_judge_labels(book, batch, j, labels_hash);
    if (s >= 0 && items_path && !judge.judge && !lists)
        s = hone_cli_judge_read(r, items_path, HONE_ROWS_ITEMS, j);
    if (s >= 0 && verdicts_path)
        s = hone_cli_judge_read(r, verdicts_path, HONE_ROWS_VERDICTS, j);
    hone_registry_close(r);
    if (s >= 0 && judge.judge) {
        const hone_cli_judge_asking asking = {.judge = &judge,
                                              .items = items_path,
                                              .repeats = repeats,
                                              .orders = orders,
                                              .labelled = !all_items};
        s = hone_cli_judge_ask(&asking, book, j);
    }
    return s < 0 ? s : hone_joined_finish(j);
}

/* ---- groups ----------------------------------------------------------------------------------------------- */

static hone_status read_groups(hone_joined *j, hone_book *book)
{
    const hone_joined_opts rows = {
        .split = HONE_SPLIT_ALL, .criterion = criterion, .skip_bad = skip_bad, .keep_scores = 1};
    const hone_cli_judge_asking asking = {
        .judge = &judge, .items = groups_path, .repeats = repeats > 1 ? repeats : 2};
    hone_registry *r;
    hone_joined_init(j, &rows);
    if (judge.judge) {
        HONE_TRY(hone_cli_judge_ask(&asking, book, j));
        return hone_joined_finish(j);
    }
    HONE_TRY(hone_cli_open_registry(&paths, &r));
    hone_status s = hone_cli_judge_read(r, groups_path, HONE_ROWS_VERDICTS, j);
    hone_registry_close(r);
    return s < 0 ? s : hone_joined_finish(j);
}

typedef struct groups {
    hone_joined rows;
    hone_within within;
    hone_cli_judge_origin origin;
} groups;

static void put_groups(void *ctx, hone_jw *w)
{
    const groups *g = ctx;
    hone_jw_key(w, "reliability");
    hone_within_json(&g->within, &g->rows, NULL, &g->origin.about, w);
}

static hone_status keep_groups(const groups *g, hone_book *book)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)64 << 20);
    hone_jw_init(&w, &b, 2);
    hone_within_json(&g->within, &g->rows, NULL, &g->origin.about, &w);
    hone_status s = hone_buf_check(&b, "the report");
    if (s >= 0)
        s = hone_book_put_run(book, "reliability", g->origin.about.spec ? g->origin.about.spec : "",
                              hone_buf_str(&b), NULL);
    hone_buf_release(&b);
    return s;
}

/* ---- the documents ---------------------------------------------------------------------------------------- */

/* The gate takes "calibration": what was measured of a whole judge, and not on the items that its rubric was made with. */
static const char *kind_of(const hone_joined *j)
{
    return j->opts.criterion                      ? "criterion"
           : j->opts.split == HONE_SPLIT_DEV      ? "calibration of dev"
           : j->opts.split == HONE_SPLIT_FEW_SHOT ? "calibration of few-shot"
                                                  : "calibration";
}

/* Does this reading show the test split? */
static int reads_test(const hone_joined *j)
{
    return j->opts.split == HONE_SPLIT_TEST || j->opts.split == HONE_SPLIT_ALL;
}

static hone_status document(const hone_joined *j, const hone_calib_opts *o, groups *g,
                            hone_book *book, const char *labels_hash, hone_buf *out)
{
    hone_calibration c;
    hone_cli_judge_origin origin;
    hone_jw w;
    const char *const files[][2] = {
        {"labels", labels_path}, {"verdicts", verdicts_path}, {"items", items_path}, {NULL, NULL}};
    const char *const of_groups[][2] = {{"groups", groups_path}, {NULL, NULL}};
    HONE_TRY(hone_cli_judge_origin_of(j, files, &origin));
    if (!labels_path) { /* the store's labels are known by what they say */
        hone_calib_source *to = &origin.data[origin.about.n_data++];
        *to = (hone_calib_source){.name = "labels", .path = hone_book_path(book)};
        memcpy(to->sha256, labels_hash, 65);
    }
    if (g)
        HONE_TRY(hone_cli_judge_origin_of(&g->rows, of_groups, &g->origin));
    HONE_TRY(hone_calibrate(j, o, &c));
    hone_status s = HONE_OK;
    if (g) {
        origin.about.more = put_groups;
        origin.about.more_ctx = g;
    }
    if (book && reads_test(j))
        s = hone_book_count_test(book, labels_path ? origin.data[0].sha256 : labels_hash,
                                 &origin.about.test_reads);
    if (s >= 0) {
        hone_jw_init(&w, out, 2);
        hone_calibration_json(&c, &origin.about, &w);
        s = hone_buf_check(out, "the report");
    }
    if (s >= 0 && book)
        s = hone_book_put_run(book, kind_of(j), origin.about.spec ? origin.about.spec : "",
                              hone_buf_str(out), NULL);
    if (s >= 0 && book && g)
        s = keep_groups(g, book);
    hone_calibration_release(&c);
    return s;
}

static hone_status work(const hone_joined_opts *rows, const hone_calib_opts *o, hone_buf *out)
{
    hone_joined j;
    hone_book *book = NULL;
    char labels_hash[65] = "";
    groups *g = groups_path ? hone_calloc(1, sizeof *g) : NULL;
    hone_status s = groups_path && !g ? HONE_E_NOMEM : HONE_OK;
    hone_joined_init(&j, rows);
    if (s >= 0)
        s = hone_cli_judge_store(
            store, rows->split == HONE_SPLIT_TEST || judge.judge || !labels_path, &book);
    if (s >= 0)
        s = read_all(&j, book, labels_hash);
    if (s >= 0 && g)
        s = read_groups(&g->rows, book);
    if (s >= 0 && g)
        s = hone_within_measure(&g->rows, (uint32_t)replicates, (uint64_t)seed, &g->within);
    if (s >= 0)
        s = document(&j, o, g, book, labels_hash, out);
    const hone_error e = *hone_error_get();
    if (g) {
        hone_within_release(&g->within);
        hone_joined_release(&g->rows);
        hone_free(g);
    }
    hone_book_close(book);
    hone_joined_release(&j);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

int hone_cli_judge_calibrate(int argc, char **argv)
{
    static const char *const examples[] = {
        "hone judge calibrate --labels labels.csv",
        "hone judge calibrate --labels labels.csv --verdicts verdicts.jsonl --report judge.html",
        NULL};
    static const hone_args spec = {
        "judge calibrate",
        "[--labels F] [--verdicts V | --judge J --items I] [--items I] [options]",
        "Compares a judge with experts: how far experts agree with each other, how far the judge\n"
        "agrees with them, where it is biased, how often it gives no number. Every figure has an\n"
        "interval over prompts, or says why there is none.\n"
        "A label has item, expert and score, choice (a, b, tie) or ranking; a verdict id, status,\n"
        "score or ranking.\n"
        "Without --verdicts, --judge J is asked about the items that have a label (answers are\n"
        "remembered in the store). A reading of the test split is counted in the store.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    hone_joined_opts rows;
    hone_calib_opts o;
    hone_buf doc;
    double levels[HONE_CALIB_LEVELS];
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    int code = read_options(&rows, &o, levels);
    if (code)
        return code;
    if (hone_cli_judge_report_names(&reports) < 0)
        return hone_cli_fail(HONE_E_USAGE);
    if (!labels_path && !store && !hone_file_exists(hone_book_where(NULL)))
        return hone_cli_usage("judge calibrate",
                              "--labels F is missing, and there is no store here");
    hone_buf_init(&doc, (size_t)64 << 20);
    hone_status s = work(&rows, &o, &doc);
    if (s >= 0)
        s = hone_cli_judge_report(hone_buf_str(&doc), &reports, json);
    hone_buf_release(&doc);
    return hone_cli_fail(s);
}
