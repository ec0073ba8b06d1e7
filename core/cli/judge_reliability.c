/* judge_reliability.c - `hone judge reliability`: groups of completions, each judged several times, and what judge/within.h
 * makes of them. The document goes to the store of judges, where there is one. (judges.md 7) */
#include "cli/judge.h"
#include "cli/judge_report.h"
#include "cli/judge_measure.h"
#include "cli/out.h"
#include "judge/within.h"

#include <stdio.h>

static const char *verdicts_path, *items_path, *labels_path, *policy_hash, *store;
static int64_t replicates, seed, most;
static int json, skip_bad;
static hone_cli_judge_args judge;
static int64_t repeats = 2;
static hone_arg_list reports, paths;

static const hone_arg options[] = {
    {"verdicts", HONE_ARG_STR, &verdicts_path, "V",
     "several verdicts of each completion (hone judge run)"},
    {"items", HONE_ARG_STR, &items_path, "I", "the completions: prompt, completion"},
    {"labels", HONE_ARG_STR, &labels_path, "F", "labels of experts, for the order within prompts"},
    HONE_CLI_JUDGE_OPTIONS(judge),
    {"repeats", HONE_ARG_I64, &repeats, "M", "with --judge: times that each is asked (2)"},
    {"of-policy", HONE_ARG_STR, &policy_hash, "HASH", "the policy whose completions they are"},
    {"replicates", HONE_ARG_I64, &replicates, "N", "of the bootstrap (1000)"},
    {"seed", HONE_ARG_I64, &seed, "N", "of the bootstrap (0)"},
    {"at-most", HONE_ARG_I64, &most, "N", "keep a random N completions (200000)"},
    {"skip-bad", HONE_ARG_FLAG, &skip_bad, NULL, "leave malformed rows out and count them"},
    {"report", HONE_ARG_LIST, &reports, "F", "F.md, F.html or F.json (several times)"},
    {"store", HONE_ARG_STR, &store, "F", "the store of judges (judges.sqlite)"},
    {"json", HONE_ARG_FLAG, &json, NULL, "as JSON"},
    {"plugin-path", HONE_ARG_LIST, &paths, "PATH", "a folder of plugins, or a .so (several times)"},
    {0}};

static hone_status read_all(hone_joined *j, hone_book *book)
{
    const hone_cli_judge_asking asking = {.judge = &judge, .items = items_path, .repeats = repeats};
    hone_registry *r;
    HONE_TRY(hone_cli_open_registry(&paths, &r));
    hone_status s = HONE_OK;
    if (labels_path)
        s = hone_cli_judge_read(r, labels_path, HONE_ROWS_LABELS, j);
    if (s >= 0 && items_path && !judge.judge)
        s = hone_cli_judge_read(r, items_path, HONE_ROWS_ITEMS, j);
    if (s >= 0 && verdicts_path)
        s = hone_cli_judge_read(r, verdicts_path, HONE_ROWS_VERDICTS, j);
    hone_registry_close(r);
    if (s >= 0 && judge.judge)
        s = hone_cli_judge_ask(&asking, book, j);
    return s < 0 ? s : hone_joined_finish(j);
}

static hone_status document(const hone_joined *j, hone_book *book, hone_buf *out)
{
    hone_within within;
    hone_cli_judge_origin origin;
    hone_jw w;
    const char *const files[][2] = {
        {"verdicts", verdicts_path}, {"items", items_path}, {"labels", labels_path}, {NULL, NULL}};
    HONE_TRY(hone_cli_judge_origin_of(j, files, &origin));
    HONE_TRY(hone_within_measure(j, (uint32_t)replicates, (uint64_t)seed, &within));
    hone_jw_init(&w, out, 2);
    hone_within_json(&within, j, policy_hash, &origin.about, &w);
    hone_status s = hone_buf_check(out, "the report");
    if (s >= 0 && book)
        s = hone_book_put_run(book, "reliability", origin.about.spec ? origin.about.spec : "",
                              hone_buf_str(out), NULL);
    hone_within_release(&within);
    return s;
}

int hone_cli_judge_reliability(int argc, char **argv)
{
    static const char *const examples[] = {
        "hone judge reliability --verdicts verdicts.jsonl",
        "hone judge reliability --verdicts verdicts.jsonl --labels labels.csv", NULL};
    static const hone_args spec = {
        "judge reliability",
        "(--verdicts V | --judge J --items I) [--items I] [--labels F] [options]",
        "Can the judge tell completions of one prompt apart? Takes several verdicts of each\n"
        "completion (rows with the same id, \"repeat\" 0, 1, ...) and groups by prompt_id; says "
        "which\n"
        "share of a completion's score is its own, how often all of a group score the same, and "
        "how\n"
        "many repeats would be needed.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    hone_joined j;
    hone_buf doc;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!verdicts_path == !judge.judge || (judge.judge && !items_path))
        return hone_cli_usage("judge reliability", "--verdicts V, or --judge J with --items I");
    if (repeats < 1 || repeats > 64)
        return hone_cli_usage("judge reliability", "--repeats is 1 to 64");
    if (replicates < 0 || replicates > 100000 || most < 0)
        return hone_cli_usage("judge reliability",
                              "--replicates is 1 to 100000, --at-most a number of completions");
    if (hone_cli_judge_report_names(&reports) < 0)
        return hone_cli_fail(HONE_E_USAGE);
    const hone_joined_opts rows = {
        .split = HONE_SPLIT_ALL, .skip_bad = skip_bad, .keep_scores = 1, .max_items = (size_t)most};
    hone_buf_init(&doc, (size_t)64 << 20);
    hone_joined_init(&j, &rows);
    hone_book *book = NULL;
    hone_status s = hone_cli_judge_store(store, judge.judge != NULL, &book);
    if (s >= 0)
        s = read_all(&j, book);
    if (s >= 0)
        s = document(&j, book, &doc);
    if (s >= 0)
        s = hone_cli_judge_report(hone_buf_str(&doc), &reports, json);
    const int code = hone_cli_fail(s);
    hone_book_close(book);
    hone_joined_release(&j);
    hone_buf_release(&doc);
    return code;
}
