/* judge_page.c - see judge_page.h: what is known, the figures with their intervals drawn, who says what, slices, the curve.
 *
 * A figure is a row: its name, a drawing of its interval on the scale of its section, the numbers. Drawings are SVG without
 * text, so that they stretch to any width; the numbers beside them say the same. On a phone a row becomes three lines. */
#include "web/judge_page.h"

#include "base/file.h"
#include "judge/figure.h"
#include "judge/report.h"
#include "web/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char css[] =
    ".fig{display:grid;grid-template-columns:minmax(11rem,1.3fr) minmax(8rem,2fr) "
    "minmax(11rem,1fr);gap:.1rem "
    "1rem;align-items:center;border-bottom:1px solid var(--rule);padding:.45rem 0}"
    ".fig h3 span{display:block;font-weight:400;font-size:.8rem;color:var(--soft)}"
    ".fig svg{width:100%;height:1.5rem;display:block}"
    ".fig .num{font-variant-numeric:tabular-nums;font-size:.92rem}.fig .num "
    "small{color:var(--soft)}"
    ".fig .why{grid-column:2/4;color:var(--soft);font-size:.88rem}"
    ".axis{stroke:var(--rule);stroke-width:1;vector-effect:non-scaling-stroke}"
    ".whisker{stroke:var(--c);stroke-width:2.5;vector-effect:non-scaling-stroke}"
    ".ref{stroke:var(--c4);stroke-width:1.5;stroke-dasharray:4 3;vector-effect:non-scaling-stroke}"
    ".ends{display:grid;grid-template-columns:minmax(11rem,1.3fr) minmax(8rem,2fr) "
    "minmax(11rem,1fr);gap:1rem;font-size:.78rem;color:var(--soft)}"
    ".ends div{display:flex;justify-content:space-between}"
    ".matrix{width:auto}.matrix td{text-align:center;min-width:3.4rem;border:1px solid var(--rule)}"
    ".matrix th{text-align:center}.matrix .cell{position:relative}"
    ".matrix .cell i{position:absolute;inset:0;background:var(--c0);opacity:var(--o)}"
    ".matrix .cell b{position:relative;font-weight:600}"
    ".wide{overflow-x:auto}.square{max-width:24rem}"
    ".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1."
    "5rem}"
    ".first{font-size:1.05rem;font-weight:600}"
    "@media(max-width:720px){.fig{grid-template-columns:1fr}.fig "
    ".why{grid-column:1}.ends{grid-template-columns:"
    "1fr}.ends span{display:none}.matrix td{min-width:2.3rem;padding:.35rem .2rem}}";

/* ---- parts of the document -------------------------------------------------------------------------------- */

static hone_str text_in(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_STRING ? v->u.str : (hone_str){"", 0};
}

static const hone_value *list_in(const hone_value *map, const char *path)
{
    const hone_value *v = hone_value_path(map, path);
    return v && v->type == HONE_LIST ? v : NULL;
}

/* ---- a figure --------------------------------------------------------------------------------------------- */

typedef struct range {
    double lo, hi;
} range;

static void widen(range *r, const hone_figure *f)
{
    if (f->why)
        return;
    double lo = isfinite(f->lo) ? f->lo : f->value, hi = isfinite(f->hi) ? f->hi : f->value;
    r->lo = lo < r->lo ? lo : r->lo;
    r->hi = hi > r->hi ? hi : r->hi;
}

static double at(const range *r, double v)
{
    return r->hi > r->lo ? 1000 * (v - r->lo) / (r->hi - r->lo) : 500;
}

/* The interval on the range; `reference` (NAN: none) as a dashed line. */
static void draw(hone_buf *b, const range *r, const hone_figure *f, double reference, int color)
{
    hone_buf_adds(b,
                  "<svg viewBox=\"0 0 1000 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                  "<line class=\"axis\" x1=\"0\" x2=\"1000\" y1=\"12\" y2=\"12\"/>");
    if (r->lo < 0 && r->hi > 0)
        hone_buf_addf(b, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"2\" y2=\"22\"/>",
                      at(r, 0), at(r, 0));
    if (isfinite(reference) && reference >= r->lo && reference <= r->hi)
        hone_buf_addf(b, "<line class=\"ref\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"24\"/>",
                      at(r, reference), at(r, reference));
    if (hone_figure_has_interval(f))
        hone_buf_addf(b,
                      "<line class=\"whisker c%d\" x1=\"%.1f\" x2=\"%.1f\" y1=\"12\" y2=\"12\"/>",
                      color, at(r, f->lo), at(r, f->hi));
    hone_buf_addf(b,
                  "<line class=\"whisker c%d\" x1=\"%.1f\" x2=\"%.1f\" y1=\"4\" y2=\"20\"/></svg>",
                  color, at(r, f->value), at(r, f->value));
}

static void put_number(hone_buf *b, double v, int sign)
{
    hone_buf_addf(
        b, sign ? (fabs(v) >= 100 ? "%+.1f" : "%+.3f") : (fabs(v) >= 100 ? "%.1f" : "%.3f"), v);
}

static void row(hone_buf *b, const char *label, hone_str label_text, const char *meaning,
                const hone_figure *f, const range *r, double reference, int color)
{
    hone_buf_adds(b, "<div class=\"fig\"><h3>");
    if (label)
        hone__web_textz(b, label);
    else
        hone__web_text(b, label_text);
    if (meaning && *meaning) {
        hone_buf_adds(b, "<span>");
        hone__web_textz(b, meaning);
        hone_buf_adds(b, "</span>");
    }
    hone_buf_adds(b, "</h3>");
    if (f->why) {
        hone_buf_adds(b, "<div class=\"why\">unknown: ");
        hone__web_textz(b, f->why);
        hone_buf_adds(b, "</div></div>\n");
        return;
    }
    draw(b, r, f, reference, color);
    hone_buf_adds(b, "<div class=\"num\"><b>");
    put_number(b, f->value, 0);
    hone_buf_adds(b, "</b>");
    if (hone_figure_has_interval(f)) {
        hone_buf_adds(b, " [");
        put_number(b, f->lo, 0);
        hone_buf_adds(b, ", ");
        put_number(b, f->hi, 0);
        hone_buf_adds(b, "]");
    }
    hone_buf_addf(b, " <small>n = %zu", f->n);
    if (f->note) {
        hone_buf_adds(b, "; ");
        hone__web_textz(b, f->note);
    }
    hone_buf_adds(b, "</small></div></div>\n");
}

static void ends(hone_buf *b, const range *r)
{
    char lo[32], hi[32];
    hone__web_number(r->lo, lo);
    hone__web_number(r->hi, hi);
    hone_buf_addf(b, "<div class=\"ends\"><span></span><div><b>%s</b><b>%s</b></div></div>\n", lo,
                  hi);
}

/* One section of the table: rows[0] opens it. Returns the rows taken. */
static size_t section(hone_buf *b, const hone_value *r, hone_arena *a, const hone_report_row *rows)
{
    hone_figure f, ceiling;
    range scale = {0, 1};
    size_t n = 1, some = 0;
    int own = strcmp(rows->section, "The scores") == 0 || strncmp(rows->path, "weighted.", 9) == 0;
    int difference = strncmp(rows->path, "difference.", 11) == 0;
    if (difference)
        scale = (range){-0.2, 0.2};
    if (strcmp(rows->section, "Verdicts") == 0)
        scale.hi = 0.1;
    while (rows[n].path && !rows[n].section)
        n++;
    for (size_t i = 0; i < n; i++)
        if (hone_figure_at(r, rows[i].path, a, &f)) {
            some = 1;
            widen(&scale, &f);
        }
    if (!some)
        return n;
    hone_buf_adds(b, "<section><h2>");
    hone__web_textz(b, rows->section);
    hone_buf_adds(b, "</h2>\n");
    if (strncmp(rows->path, "agreement.", 10) == 0)
        hone_buf_adds(
            b, "<p class=\"sub\">The dashed line is the same measure among the experts.</p>\n");
    if (difference)
        hone_buf_adds(
            b,
            "<p class=\"sub\">The dashed line is the gate's: the whole interval must lie right of "
            "it.</p>\n");
    for (size_t i = 0; i < n; i++) {
        double reference = difference ? -0.10 : (double)NAN;
        char path[64];
        range mine = scale;
        if (!hone_figure_at(r, rows[i].path, a, &f))
            continue;
        if (own) { /* unlike things: each on its own scale */
            mine = (range){0, 1};
            widen(&mine, &f);
        }
        if (strncmp(rows[i].path, "agreement.", 10) == 0 && !strstr(rows[i].path, "icc")) {
            snprintf(path, sizeof path, "ceiling.%s", rows[i].path + 10);
            if (hone_figure_at(r, path, a, &ceiling) && !ceiling.why)
                reference = ceiling.value;
        }
        row(b, rows[i].label, (hone_str){"", 0}, rows[i].meaning, &f, &mine, reference,
            strncmp(rows[i].path, "ceiling.", 8) == 0 ? 1 : 0);
    }
    if (!own)
        ends(b, &scale);
    hone_buf_adds(b, "</section>\n");
    return n;
}

/* ---- who says what, the curve ----------------------------------------------------------------------------- */

static void matrix(hone_buf *b, const hone_value *r)
{
    const hone_value *levels = list_in(r, "confusion.levels"),
                     *counts = list_in(r, "confusion.counts");
    if (!levels || !counts || !levels->u.list.n || counts->u.list.n != levels->u.list.n)
        return;
    const size_t q = levels->u.list.n;
    double most = 1;
    for (size_t i = 0; i < q; i++)
        for (size_t k = 0;
             counts->u.list.items[i].type == HONE_LIST && k < counts->u.list.items[i].u.list.n;
             k++) {
            double v = hone_value_number(&counts->u.list.items[i].u.list.items[k]);
            most = v > most ? v : most;
        }
    hone_buf_adds(
        b, "<div><h2>Who says what</h2><p class=\"sub\">Rows: the experts' consensus. Columns: the "
           "judge.</p><div class=\"wide\"><table class=\"matrix\"><thead><tr><th></th>");
    for (size_t i = 0; i < q; i++)
        hone_buf_addf(b, "<th scope=\"col\">%g</th>", hone_value_number(&levels->u.list.items[i]));
    hone_buf_adds(b, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < q; i++) {
        const hone_value *line = &counts->u.list.items[i];
        hone_buf_addf(b, "<tr><th scope=\"row\">%g</th>",
                      hone_value_number(&levels->u.list.items[i]));
        for (size_t k = 0; line->type == HONE_LIST && k < line->u.list.n; k++) {
            double v = hone_value_number(&line->u.list.items[k]);
            hone_buf_addf(b, "<td class=\"cell\"><i style=\"--o:%.2f\"></i><b>%.0f</b></td>",
                          0.45 * v / most, v);
        }
        hone_buf_adds(b, "</tr>\n");
    }
    hone_buf_adds(b, "</tbody></table></div></div>\n");
}

enum { BOX = 300, PAD = 34 };

static double plot_x(const range *r, double v)
{
    return PAD + (BOX - PAD - 8) * at(r, v) / 1000;
}

static double plot_y(const range *r, double v)
{
    return BOX - PAD - (BOX - PAD - 8) * at(r, v) / 1000;
}

/* What the experts say on average where the judge says x. */
static void curve(hone_buf *b, const hone_value *r)
{
    const hone_value *knots = list_in(r, "calibration.isotonic");
    range x = {INFINITY, -INFINITY}, y;
    char t[32];
    for (size_t i = 0; knots && i < knots->u.list.n; i++) {
        const hone_value *p = &knots->u.list.items[i];
        if (p->type != HONE_LIST || p->u.list.n != 2)
            return;
        for (size_t k = 0; k < 2; k++) {
            double v = hone_value_number(&p->u.list.items[k]);
            if (!isfinite(v))
                return;
            x.lo = v < x.lo ? v : x.lo;
            x.hi = v > x.hi ? v : x.hi;
        }
    }
    if (!(x.hi > x.lo) || knots->u.list.n < 2)
        return;
    y = x;
    hone_buf_addf(
        b,
        "<div><h2>What a score means</h2><p class=\"sub\">The experts' mean rating for each score "
        "of "
        "the judge, as a curve that never falls (isotonic); dashed: the same number.</p>"
        "<figure class=\"square\"><svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" "
        "aria-label=\"experts' mean by the judge's score\"><g class=\"grid\">",
        BOX, BOX);
    for (int i = 0; i <= 4; i++) {
        double v = x.lo + (x.hi - x.lo) * i / 4;
        hone__web_number(v, t);
        hone_buf_addf(b, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", PAD, BOX - 8,
                      plot_y(&y, v), plot_y(&y, v));
        hone_buf_addf(b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", PAD - 5,
                      plot_y(&y, v) + 4, t);
        hone_buf_addf(b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", plot_x(&x, v),
                      BOX - PAD + 15, i == 4 ? "end" : "middle", t);
    }
    hone_buf_addf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">the judge's score</text></g>",
                  (BOX + PAD) / 2, BOX - 3);
    hone_buf_addf(b,
                  "<line class=\"ref\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/><path "
                  "class=\"line c0\" d=\"",
                  plot_x(&x, x.lo), plot_y(&y, x.lo), plot_x(&x, x.hi), plot_y(&y, x.hi));
    for (size_t i = 0; i < knots->u.list.n; i++) {
        const hone_value *p = knots->u.list.items[i].u.list.items;
        hone_buf_addf(b, "%c%.1f %.1f", i ? 'L' : 'M', plot_x(&x, hone_value_number(&p[0])),
                      plot_y(&y, hone_value_number(&p[1])));
    }
    hone_buf_adds(b, "\"/></svg></figure></div>\n");
}

/* ---- slices, failures by length, levels -------------------------------------------------------------------- */

static void slices(hone_buf *b, const hone_value *r, hone_arena *a)
{
    const hone_value *list = list_in(r, "slices");
    hone_figure f, all;
    range scale = {0, 0};
    char label[400];
    if (!list || !list->u.list.n)
        return;
    for (size_t i = 0; i < list->u.list.n; i++)
        if (hone_figure_read(&list->u.list.items[i], "bias", a, &f) >= 0)
            widen(&scale, &f);
    double reference = hone_figure_at(r, "bias", a, &all) && !all.why ? all.value : (double)NAN;
    hone_buf_adds(b, "<section><h2>Bias by slice</h2><p class=\"sub\">Mean of judge minus experts; "
                     "right of zero the "
                     "judge is the milder one. The dashed line is the bias over all items.</p>\n");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *s = &list->u.list.items[i];
        hone_str column = text_in(s, "column"), value = text_in(s, "value");
        if (hone_figure_read(s, "bias", a, &f) < 0)
            continue;
        snprintf(label, sizeof label, "%.*s: %.*s", (int)(column.len < 90 ? column.len : 90),
                 column.ptr, (int)(value.len < 240 ? value.len : 240), value.ptr);
        row(b, NULL, hone_str_c(label), NULL, &f, &scale, reference, 0);
    }
    ends(b, &scale);
    hone_buf_adds(b, "</section>\n");
}

static void failures(hone_buf *b, const hone_value *r, hone_arena *a)
{
    const hone_value *list = list_in(r, "unparsed.by_length");
    hone_figure f;
    range scale = {0, 0.02};
    char label[120], lo[32], hi[32];
    if (!list || list->u.list.n < 2)
        return;
    for (size_t i = 0; i < list->u.list.n; i++)
        if (hone_figure_read(&list->u.list.items[i], "rate", a, &f) >= 0)
            widen(&scale, &f);
    hone_buf_adds(
        b, "<section><h2>Verdicts without a number, by length</h2><p class=\"sub\">Bytes of the "
           "completion.</p>\n");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *s = &list->u.list.items[i];
        if (hone_figure_read(s, "rate", a, &f) < 0)
            continue;
        hone__web_number(hone_value_number(hone_value_get(s, "lo")), lo);
        hone__web_number(hone_value_number(hone_value_get(s, "hi")), hi);
        snprintf(label, sizeof label, "%s to %s bytes", lo, hi);
        row(b, label, (hone_str){"", 0}, NULL, &f, &scale, (double)NAN, 0);
    }
    ends(b, &scale);
    hone_buf_adds(b, "</section>\n");
}

static void criteria(hone_buf *b, const hone_value *r, hone_arena *a)
{
    const hone_value *list = list_in(r, "criteria");
    hone_figure f;
    range scale = {0, 0.5};
    if (!list || !list->u.list.n)
        return;
    for (size_t i = 0; i < list->u.list.n; i++)
        if (hone_figure_read(&list->u.list.items[i], "contrast", a, &f) >= 0)
            widen(&scale, &f);
    hone_buf_adds(b, "<section><h2>Criteria</h2><p class=\"sub\">How far each tells completions of "
                     "one prompt apart: "
                     "standard deviation within a prompt, as a share of the scale.</p>\n");
    for (size_t i = 0; i < list->u.list.n; i++)
        if (hone_figure_read(&list->u.list.items[i], "contrast", a, &f) >= 0)
            row(b, NULL, text_in(&list->u.list.items[i], "id"), NULL, &f, &scale, (double)NAN, 0);
    ends(b, &scale);
    hone_buf_adds(b, "</section>\n");
}

static void histogram(hone_buf *b, const hone_value *r)
{
    const hone_value *list = list_in(r, "histogram");
    double most = 1;
    if (!list || !list->u.list.n)
        return;
    for (size_t i = 0; i < list->u.list.n; i++) {
        double v = hone_value_number(hone_value_get(&list->u.list.items[i], "n"));
        most = v > most ? v : most;
    }
    hone_buf_adds(b, "<section><h2>Scores given</h2><div class=\"wide\"><table><thead><tr><th "
                     "class=\"num\">score</th><th "
                     "class=\"num\">verdicts</th><th></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *s = &list->u.list.items[i];
        double v = hone_value_number(hone_value_get(s, "n"));
        hone_buf_addf(
            b,
            "<tr><td class=\"num\">%g</td><td class=\"num\">%.0f</td><td style=\"width:70%%\"><svg "
            "class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" width=\"100%%\" "
            "height=\"12\" "
            "aria-hidden=\"true\"><rect class=\"area c0\" width=\"%.1f\" "
            "height=\"10\"/></svg></td></tr>\n",
            hone_value_number(hone_value_get(s, "level")), v, 1000 * v / most);
    }
    hone_buf_adds(b, "</tbody></table></div></section>\n");
}

/* ---- the page --------------------------------------------------------------------------------------------- */

static void notes(hone_buf *b, const hone_value *r)
{
    const hone_value *list = list_in(r, "notes"), *passed = hone_value_path(r, "alt_test.passed");
    const hone_value *alt = hone_value_get(r, "alt_test"), *m = hone_value_get(r, "repeats_needed");
    hone_buf_adds(b, "<section><h2>What this says, and what it cannot</h2><ul class=\"story\">\n");
    if (alt && passed && passed->type == HONE_BOOL) {
        hone_buf_addf(b,
                      "<li>The alternative-annotator test is <b>%s</b>: the judge does as well as "
                      "%.0f %% of the "
                      "experts.</li>\n",
                      passed->u.boolean ? "passed" : "not passed",
                      100 * hone_value_number(hone_value_get(alt, "winning_rate")));
    } else if (alt) {
        hone_buf_adds(b, "<li>The alternative-annotator test was not made: ");
        hone__web_text(b, text_in(alt, "why"));
        hone_buf_adds(b, ".</li>\n");
    }
    for (size_t i = 0; m && m->type == HONE_MAP && i < m->u.map.n; i++) {
        hone_buf_adds(b, i ? ", " : "<li>Verdicts a completion needs: ");
        if (m->u.map.pairs[i].value.type == HONE_I64)
            hone_buf_addf(b, "%lld", (long long)m->u.map.pairs[i].value.u.i64);
        else
            hone_buf_adds(b, "no number is enough");
        hone_buf_adds(b, " for a reliability of ");
        hone__web_text(b, m->u.map.pairs[i].key);
    }
    if (m && m->type == HONE_MAP && m->u.map.n)
        hone_buf_adds(b, ".</li>\n");
    for (size_t i = 0; list && i < list->u.list.n; i++) {
        if (list->u.list.items[i].type != HONE_STRING)
            continue;
        hone_buf_adds(b, "<li>");
        hone__web_text(b, list->u.list.items[i].u.str);
        hone_buf_adds(b, "</li>\n");
    }
    hone_buf_adds(b, "</ul></section>\n");
}

static void sources(hone_buf *b, const hone_value *r)
{
    static const char *const keys[] = {"spec", "rubric", "policy", "at", "hone"};
    const hone_value *data = hone_value_get(r, "data");
    hone_buf_adds(b, "<section><h2>Where it is from</h2><table class=\"facts\"><tbody>\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        hone_str v = text_in(r, keys[i]);
        if (!v.len)
            continue;
        hone_buf_addf(b, "<tr><th>%s</th><td class=\"mono\">", keys[i]);
        hone__web_text(b, v);
        hone_buf_adds(b, "</td></tr>\n");
    }
    for (size_t i = 0; data && data->type == HONE_MAP && i < data->u.map.n; i++) {
        hone_buf_adds(b, "<tr><th>");
        hone__web_text(b, data->u.map.pairs[i].key);
        hone_buf_adds(b, "</th><td>");
        hone__web_text(b, text_in(&data->u.map.pairs[i].value, "path"));
        hone_buf_adds(b, "<br><span class=\"mono sha\">");
        hone__web_text(b, text_in(&data->u.map.pairs[i].value, "sha256"));
        hone_buf_adds(b, "</span></td></tr>\n");
    }
    hone_buf_adds(b, "</tbody></table></section>\n");
}

static hone_status page(hone_buf *b, const hone_value *r, hone_arena *a)
{
    const hone_report_row *rows = r->type == HONE_MAP ? hone_judge_report_rows(text_in(r, "kind"))
                                                      : NULL;
    hone_buf head;
    if (!rows)
        return hone_fail(HONE_E_INVALID, "the report: its kind is not calibration or reliability");
    hone_buf_init(&head, 1 << 16);
    hone_judge_report_head(r, &head);
    hone_buf_adds(
        b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" "
           "content=\"width=device-width,initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">"
           "<title>hone judge: ");
    hone__web_text(b, text_in(r, "kind"));
    hone_buf_adds(b, "</title>\n<style>");
    hone_buf_adds(b, hone__web_css);
    hone_buf_adds(b, css);
    hone_buf_adds(b, "</style></head><body>\n<header><h1>Judge: ");
    hone__web_text(b, text_in(r, "kind"));
    hone_buf_adds(b, "</h1><p class=\"sub\">");
    hone__web_textz(b, head.ptr);
    hone_buf_adds(b, "</p></header>\n<main>\n");
    hone_buf_release(&head);
    notes(b, r);
    while (rows->path)
        rows += section(b, r, a, rows);
    if (list_in(r, "confusion.levels")) {
        hone_buf_adds(b, "<section class=\"two\">\n");
        matrix(b, r);
        curve(b, r);
        hone_buf_adds(b, "</section>\n");
    }
    failures(b, r, a);
    slices(b, r, a);
    criteria(b, r, a);
    histogram(b, r);
    sources(b, r);
    hone_buf_adds(b, "</main></body></html>\n");
    return hone_buf_check(b, "the page");
}

hone_status hone_judge_page(const hone_value *report, hone_buf *out)
{
    hone_arena a;
    hone_arena_init(&a, 0);
    hone_status s = page(out, report, &a);
    hone_arena_release(&a);
    return s;
}

hone_status hone_judge_page_write(const hone_value *report, const char *path)
{
    hone_buf b;
    hone_buf_init(&b, (size_t)64 << 20);
    hone_status s = hone_judge_page(report, &b);
    if (s >= 0)
        s = hone_file_replace(path, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}
