/* report.c - see report.h: the table of figures, and the two forms that need no page. */
#include "judge/report.h"

#include "judge/figure.h"

#include <math.h>
#include <string.h>

static const hone_report_row calibration[] = {
    {"The experts among themselves", "ceiling.kappa_w", "weighted kappa",
     "1: they always agree, 0: as by chance; distances squared"},
    {NULL, "ceiling.ac2", "Gwet's AC2", "the same, steadier where one level is rare"},
    {NULL, "ceiling.alpha", "Krippendorff's alpha", "the same for any number of experts"},
    {NULL, "ceiling.accuracy", "the same level", "share of pairs of experts"},
    {NULL, "ceiling.icc2", "ICC(2)", "share of variance that is the items'"},
    {NULL, "ceiling.same_expert_twice", "the same expert twice", "share of equal ratings"},
    {"The judge and the experts", "agreement.kappa_w", "weighted kappa",
     "compare with the experts' own"},
    {NULL, "agreement.ac2", "Gwet's AC2", ""},
    {NULL, "agreement.alpha", "Krippendorff's alpha", ""},
    {NULL, "agreement.icc2", "ICC(2)", "with the experts' mean"},
    {NULL, "agreement.kappa", "Cohen's kappa", "without weights"},
    {NULL, "agreement.accuracy", "the same level", "share of pairs of judge and expert"},
    {NULL, "agreement.tau_b", "Kendall's tau-b", "order of all items"},
    {NULL, "agreement.spearman", "Spearman", "order of all items"},
    {NULL, "agreement.pearson", "Pearson", ""},
    {NULL, "agreement.pairwise_accuracy", "pairwise accuracy",
     "pairs of one prompt in the experts' order; a tie of the judge is half right"},
    {NULL, "agreement.pairwise_accuracy_with_ties", "pairwise accuracy with ties",
     "a tie is right where the experts tie"},
    {"Whole lists", "lists.tau_b", "Kendall's tau-b", "judge and expert, mean over lists"},
    {NULL, "lists.tau_b_experts", "the same, experts", "two experts"},
    {NULL, "lists.top1", "the same best", "the judge's best is the expert's"},
    {NULL, "lists.top1_experts", "the same, experts", "two experts"},
    {NULL, "lists.order_top1", "another best when shuffled", "two verdicts in different orders"},
    {"The judge minus the experts", "difference.kappa_w", "weighted kappa",
     "the gate asks for more than -.10"},
    {NULL, "difference.ac2", "Gwet's AC2", "or this one"},
    {"Good and bad", "tpr", "sensitivity (TPR)", "good ones that the judge calls good"},
    {NULL, "tnr", "specificity (TNR)", "bad ones that it calls bad"},
    {NULL, "precision", "precision", "called good, and good"},
    {"Verdicts", "unparsed.rate", "without a number", "unparsed, refused or truncated"},
    {NULL, "swap_inconsistency", "another verdict when swapped", "pairs shown in both orders"},
    {"Within a prompt", "reliability.rho", "reliability (rho)",
     "share of the variance within a prompt that is the completions'"},
    {NULL, "reliability.zero_variance", "groups without a difference",
     "all completions of a prompt score the same"},
    {NULL, "reliability.tie_share", "ties", "pairs of one prompt with equal scores"},
    {NULL, "reliability.flip_once", "advantages that change sign",
     "between two single runs of the judge"},
    {"The scores", "bias", "bias", "mean of judge minus experts"},
    {NULL, "calibration.ece", "calibration error (ECE)", "scores brought to 0..1"},
    {NULL, "calibration.brier", "Brier score", "scores brought to 0..1"},
    {NULL, "prevalence.raw", "share of good, by the judge", "all judged items"},
    {NULL, "prevalence.corrected", "share of good, corrected", "for what the judge gets wrong"},
    {NULL, "ppi_mean", "mean, prediction-powered", "experts' mean over all judged items (PPI++)"},
    {"Weighted by how items were chosen", "weighted.accuracy", "the same level",
     "share of pairs of judge and expert"},
    {NULL, "weighted.bias", "bias", "mean of judge minus experts"},
    {NULL, "weighted.good", "share of good, by the experts", ""},
    {NULL, "weighted.mean", "mean, by the experts", ""},
    {NULL, NULL, NULL, NULL}};

static const hone_report_row reliability[] = {
    {"Within a group", "rho", "reliability (rho)",
     "share of the variance within a prompt that is the completions'"},
    {NULL, "zero_variance", "groups without a difference", "all completions score the same"},
    {NULL, "tie_share", "ties", "pairs of one prompt with equal scores"},
    {NULL, "flip_once", "advantages that change sign", "between two single runs of the judge"},
    {NULL, "tau_within", "tau-b with experts, within prompts", ""},
    {NULL, NULL, NULL, NULL}};

const hone_report_row *hone_judge_report_rows(hone_str kind)
{
    return hone_str_eq(kind, "calibration")   ? calibration
           : hone_str_eq(kind, "reliability") ? reliability
                                              : NULL;
}

/* ---- parts ------------------------------------------------------------------------------------------------ */

static hone_str text_in(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_STRING ? v->u.str : (hone_str){"", 0};
}

static int64_t count_in(const hone_value *map, const char *key)
{
    int64_t n;
    return hone_value_i64(map, key, -1, &n) < 0 ? -1 : n;
}

static const hone_value *list_in(const hone_value *map, const char *path)
{
    const hone_value *v = hone_value_path(map, path);
    return v && v->type == HONE_LIST ? v : NULL;
}

/* Text of a document in a line of a terminal or a table: no control characters, no markup. */
static void add_plain(hone_buf *b, hone_str s, int markdown)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 32 || c == 127)
            hone_buf_addc(b, ' ');
        else if (markdown && strchr("|<>[]*_`\\#&!", c) && c)
            hone_buf_addf(b, "\\%c", c);
        else
            hone_buf_addc(b, s.ptr[i]);
    }
}

hone_status hone_judge_report_head(const hone_value *r, hone_buf *b)
{
    static const struct {
        const char *key, *one, *many;
    } counts[] = {{"items", "item", "items"},
                  {"prompts", "prompt", "prompts"},
                  {"groups", "group", "groups"},
                  {"experts", "expert", "experts"},
                  {"labels", "label", "labels"},
                  {"judged", "judged", "judged"},
                  {"unlabelled", "judged without a label", "judged without a label"},
                  {"completions", "completion", "completions"}};
    hone_str shape = text_in(r, "shape"), split = text_in(r, "split");
    const char *comma = "";
    if (shape.len) {
        add_plain(b, shape, 0);
        comma = ", ";
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t n = count_in(r, counts[i].key);
        if (n < 0)
            continue;
        hone_buf_addf(b, "%s%lld %s", comma, (long long)n, n == 1 ? counts[i].one : counts[i].many);
        comma = ", ";
    }
    if (text_in(r, "criterion").len) {
        hone_buf_adds(b, ", criterion ");
        add_plain(b, text_in(r, "criterion"), 0);
    }
    if (split.len) {
        hone_buf_adds(b, ", split ");
        add_plain(b, split, 0);
    }
    if (count_in(r, "test_reads") > 0)
        hone_buf_addf(b, ", reading %lld of the test split", (long long)count_in(r, "test_reads"));
    return b->failed;
}

static int digits_of(const hone_figure *f)
{
    return fabs(f->value) >= 100 ? 1 : 3;
}

/* "passed: the judge is as good as 3 of 3 experts", or why not known. */
static void alt_test(const hone_value *r, hone_buf *b)
{
    const hone_value *t = hone_value_get(r, "alt_test");
    const hone_value *passed = t ? hone_value_get(t, "passed") : NULL;
    if (!t || t->type != HONE_MAP)
        return;
    hone_buf_adds(b, "alternative-annotator test: ");
    if (passed && passed->type == HONE_BOOL) {
        hone_buf_addf(b, "%s (winning rate %.2f against %lld experts, epsilon %.2f)",
                      passed->u.boolean ? "passed" : "not passed",
                      hone_value_number(hone_value_get(t, "winning_rate")),
                      (long long)count_in(t, "experts"),
                      hone_value_number(hone_value_get(t, "epsilon")));
    } else {
        hone_buf_adds(b, "unknown: ");
        add_plain(b, text_in(t, "why"), 0);
    }
}

static void repeats_needed(const hone_value *r, hone_buf *b)
{
    const hone_value *m = hone_value_get(r, "repeats_needed");
    const char *comma = "verdicts a completion needs: ";
    for (size_t i = 0; m && m->type == HONE_MAP && i < m->u.map.n; i++) {
        const hone_pair *p = &m->u.map.pairs[i];
        hone_buf_adds(b, comma);
        if (p->value.type == HONE_I64)
            hone_buf_addf(b, "%lld", (long long)p->value.u.i64);
        else
            hone_buf_adds(b, "no number is enough");
        hone_buf_adds(b, " for a reliability of ");
        add_plain(b, p->key, 0);
        comma = ", ";
    }
}

/* Sentences that belong to a kind, one a line, each after `mark`. */
static void sentences(const hone_value *r, hone_buf *b, const char *mark, int markdown)
{
    hone_buf line;
    hone_buf_init(&line, 1 << 16);
    alt_test(r, &line);
    if (line.len)
        hone_buf_addf(b, "%s%s\n", mark, line.ptr);
    hone_buf_clear(&line);
    repeats_needed(r, &line);
    if (line.len)
        hone_buf_addf(b, "%s%s\n", mark, line.ptr);
    hone_buf_release(&line);
    const hone_value *notes = list_in(r, "notes");
    for (size_t i = 0; notes && i < notes->u.list.n; i++) {
        if (notes->u.list.items[i].type != HONE_STRING)
            continue;
        hone_buf_adds(b, mark);
        add_plain(b, notes->u.list.items[i].u.str, markdown);
        hone_buf_addc(b, '\n');
    }
}

static hone_status known(const hone_value *r, const hone_report_row **rows)
{
    *rows = r->type == HONE_MAP ? hone_judge_report_rows(text_in(r, "kind")) : NULL;
    return *rows ? HONE_OK
                 : hone_fail(HONE_E_INVALID,
                             "the report: its kind is not calibration or reliability");
}

/* ---- text ------------------------------------------------------------------------------------------------- */

hone_status hone_judge_report_text(const hone_value *r, hone_buf *b)
{
    const hone_report_row *rows, *section = NULL;
    hone_arena a;
    hone_figure f;
    HONE_TRY(known(r, &rows));
    hone_arena_init(&a, 0);
    hone_judge_report_head(r, b);
    hone_buf_addc(b, '\n');
    for (; rows->path; rows++) {
        if (rows->section)
            section = rows;
        if (!hone_figure_at(r, rows->path, &a, &f))
            continue;
        if (section) {
            hone_buf_addf(b, "\n%s\n", section->section);
            section = NULL;
        }
        hone_buf_addf(b, "  %-34s ", rows->label);
        hone_figure_text(b, &f, digits_of(&f));
        hone_buf_addc(b, '\n');
    }
    hone_buf_addc(b, '\n');
    sentences(r, b, "- ", 0);
    hone_arena_release(&a);
    return hone_buf_check(b, "the report");
}

/* ---- Markdown --------------------------------------------------------------------------------------------- */

static void md_figure(const hone_figure *f, hone_buf *b)
{
    if (f->why) {
        hone_buf_adds(b, "unknown | ");
        add_plain(b, hone_str_c(f->why), 1);
        hone_buf_addf(b, " | %zu", f->n);
    } else if (hone_figure_has_interval(f)) {
        hone_buf_addf(b, "%.3f | %.3f to %.3f | %zu", f->value, f->lo, f->hi, f->n);
    } else {
        hone_buf_addf(b, "%.3f | ", f->value);
        add_plain(b, hone_str_c(f->note ? f->note : "no interval"), 1);
        hone_buf_addf(b, " | %zu", f->n);
    }
}

static void md_confusion(const hone_value *r, hone_buf *b)
{
    const hone_value *levels = list_in(r, "confusion.levels"),
                     *counts = list_in(r, "confusion.counts");
    if (!levels || !counts || !levels->u.list.n || counts->u.list.n != levels->u.list.n)
        return;
    const size_t q = levels->u.list.n;
    hone_buf_adds(b,
                  "\n## Who says what\n\nRows: the experts' consensus; columns: the judge.\n\n| |");
    for (size_t i = 0; i < q; i++)
        hone_buf_addf(b, " %g |", hone_value_number(&levels->u.list.items[i]));
    hone_buf_adds(b, "\n|---|");
    for (size_t i = 0; i < q; i++)
        hone_buf_adds(b, "---:|");
    hone_buf_addc(b, '\n');
    for (size_t i = 0; i < q; i++) {
        const hone_value *row = &counts->u.list.items[i];
        hone_buf_addf(b, "| **%g** |", hone_value_number(&levels->u.list.items[i]));
        for (size_t k = 0; row->type == HONE_LIST && k < row->u.list.n; k++)
            hone_buf_addf(b, " %.0f |", hone_value_number(&row->u.list.items[k]));
        hone_buf_addc(b, '\n');
    }
}

static void md_slices(const hone_value *r, hone_arena *a, hone_buf *b)
{
    const hone_value *list = list_in(r, "slices");
    hone_figure f;
    if (!list || !list->u.list.n)
        return;
    hone_buf_adds(b,
                  "\n## Slices\n\n| column | value | items | bias | interval | weighted kappa |\n"
                  "|---|---|---:|---:|---|---:|\n");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *s = &list->u.list.items[i];
        if (s->type != HONE_MAP)
            continue;
        hone_buf_adds(b, "| ");
        add_plain(b, text_in(s, "column"), 1);
        hone_buf_adds(b, " | ");
        add_plain(b, text_in(s, "value"), 1);
        hone_buf_addf(b, " | %lld | ", (long long)count_in(s, "n"));
        if (hone_figure_read(s, "bias", a, &f) >= 0 && hone_figure_has(&f))
            hone_buf_addf(b, "%+.3f | %.3f to %.3f | ", f.value, f.lo, f.hi);
        else
            hone_buf_adds(b, "unknown | | ");
        if (hone_figure_read(s, "agreement", a, &f) >= 0 && hone_figure_has(&f))
            hone_buf_addf(b, "%.3f |\n", f.value);
        else
            hone_buf_adds(b, "unknown |\n");
    }
}

static void md_sources(const hone_value *r, hone_buf *b)
{
    static const char *const keys[] = {"spec", "rubric", "policy", "at", "hone"};
    const hone_value *data = hone_value_get(r, "data");
    hone_buf_adds(b, "\n## Where it is from\n\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        hone_str v = text_in(r, keys[i]);
        if (!v.len)
            continue;
        hone_buf_addf(b, "- %s: ", keys[i]);
        add_plain(b, v, 1);
        hone_buf_addc(b, '\n');
    }
    for (size_t i = 0; data && data->type == HONE_MAP && i < data->u.map.n; i++) {
        const hone_pair *p = &data->u.map.pairs[i];
        hone_buf_adds(b, "- ");
        add_plain(b, p->key, 1);
        hone_buf_adds(b, ": ");
        add_plain(b, text_in(&p->value, "path"), 1);
        hone_buf_adds(b, ", SHA-256 ");
        add_plain(b, text_in(&p->value, "sha256"), 1);
        hone_buf_addc(b, '\n');
    }
}

hone_status hone_judge_report_md(const hone_value *r, hone_buf *b)
{
    const hone_report_row *rows, *section = NULL;
    hone_arena a;
    hone_figure f;
    HONE_TRY(known(r, &rows));
    hone_arena_init(&a, 0);
    hone_buf_addf(b, "# Judge: %s\n\n", rows == calibration ? "calibration" : "reliability");
    hone_judge_report_head(r, b);
    hone_buf_adds(b, ".\n\n");
    sentences(r, b, "- ", 1);
    for (; rows->path; rows++) {
        if (rows->section)
            section = rows;
        if (!hone_figure_at(r, rows->path, &a, &f))
            continue;
        if (section) {
            hone_buf_addf(
                b,
                "\n## %s\n\n| figure | value | 95 %% interval | n | |\n|---|---:|---|---:|---|\n",
                section->section);
            section = NULL;
        }
        hone_buf_addf(b, "| %s | ", rows->label);
        md_figure(&f, b);
        hone_buf_addf(b, " | %s |\n", rows->meaning);
    }
    md_confusion(r, b);
    md_slices(r, &a, b);
    md_sources(r, b);
    hone_arena_release(&a);
    return hone_buf_check(b, "the report");
}
