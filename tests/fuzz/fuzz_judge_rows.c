/* Rows of labels, verdicts and items: a line a row, its first character the kind (I, V, anything else: a label). Whatever they
 * say, the document is JSON without NaN, and every form of the report can be made. The whole input is tried as a document too. */
#include "judge/report.h"
#include "judge/within.h"
#include "web/judge_page.h"

#include <stdlib.h>
#include <string.h>

static void forms(const hone_value *report, int must)
{
    hone_buf b;
    hone_buf_init(&b, (size_t)64 << 20);
    if ((hone_judge_page(report, &b) < 0 && must) || (b.len && !strstr(b.ptr, "</html>") && must))
        abort();
    if (strstr(b.ptr, "<script"))
        abort();
    hone_buf_clear(&b);
    if (hone_judge_report_md(report, &b) < 0 && must)
        abort();
    hone_buf_clear(&b);
    if (hone_judge_report_text(report, &b) < 0 && must)
        abort();
    for (size_t i = 0; i < b.len; i++)
        if (((unsigned char)b.ptr[i] < 32 && b.ptr[i] != '\n') || b.ptr[i] == 127)
            abort();
    hone_buf_release(&b);
}

static void document(const hone_buf *b)
{
    hone_arena a;
    hone_value report;
    hone_arena_init(&a, 0);
    if (b->failed || hone_json_parse(b->ptr, b->len, "document", &a, &report) < 0)
        abort();
    forms(&report, 1);
    hone_arena_release(&a);
}

static void figures(hone_joined *j)
{
    static const hone_calib_about about = {.version = "0", .test_reads = -1};
    const hone_calib_opts o = {.replicates = 5};
    hone_calibration c;
    hone_within within;
    hone_buf b;
    hone_jw w;
    if (hone_joined_finish(j) < 0)
        return;
    hone_buf_init(&b, (size_t)64 << 20);
    hone_jw_init(&w, &b, 0);
    if (hone_calibrate(j, &o, &c) >= 0) {
        hone_calibration_json(&c, &about, &w);
        document(&b);
        hone_calibration_release(&c);
    }
    if (j->opts.keep_scores && hone_within_measure(j, 5, 1, &within) >= 0) {
        hone_buf_clear(&b);
        hone_jw_init(&w, &b, 0);
        hone_within_json(&within, j, NULL, &about, &w);
        document(&b);
        hone_within_release(&within);
    }
    hone_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    hone_arena a;
    hone_value row;
    hone_joined j;
    hone_arena_init(&a, 0);
    if (hone_json_parse(text, n, "document", &a, &row) >= 0)
        forms(&row, 0);
    if (n < 2) {
        hone_arena_release(&a);
        return 0;
    }
    const hone_joined_opts o = {.split = data[0] & 3,
                                .keep_scores = data[0] >> 2 & 1,
                                .criterion = data[0] >> 3 & 1 ? "c" : NULL,
                                .max_items = data[0] >> 4 & 1 ? 8 : 0,
                                .shape = (data[0] & 0xa0) == 0xa0 ? HONE_SHAPE_LISTWISE : 0,
                                .skip_bad = 1};
    hone_joined_init(&j, &o);
    uint64_t number = 0;
    for (size_t at = 1; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        const size_t len = end ? (size_t)(end - text) - at : n - at;
        const char kind = text[at];
        hone_arena_clear(&a);
        if (len > 1 && hone_json_parse(text + at + 1, len - 1, "row", &a, &row) >= 0)
            (void)hone_joined_add(&j,
                                  kind == 'I'   ? HONE_ROWS_ITEMS
                                  : kind == 'V' ? HONE_ROWS_VERDICTS
                                                : HONE_ROWS_LABELS,
                                  "rows", ++number, &row);
        at += len + 1;
    }
    figures(&j);
    hone_joined_release(&j);
    hone_arena_release(&a);
    return 0;
}
