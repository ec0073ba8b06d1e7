/* bench_page.c - see bench_page.h: a table of figures beside their limits, and a chart for each law of scale. */
#include "web/bench_page.h"

#include "base/alloc.h"
#include "base/file.h"
#include "web/chart.h"
#include "web/html.h"

#include <math.h>
#include <string.h>

enum { POINTS = 4096 };

static const hone_value *list_in(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_LIST ? v : NULL;
}

static hone_str text_in(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_STRING ? v->u.str : (hone_str){"", 0};
}

static void cell(hone_buf *b, double v, double scale)
{
    char text[32];
    hone__web_number(v * scale, text);
    hone_buf_addf(b, "<td class=\"num\">%s</td>", text);
}

static const struct {
    const char *head, *key;
    double scale;
} columns[] = {
    {"limit", "limit", 1},
    {"share, %", "of_limit", 100},
    {"peak, MB", "peak_mb", 1},
    {"sgemm, GFLOP/s", "sgemm_gflops", 1},
    {"memory, GB/s", "read_gb_per_s", 1},
    {"apart, %", "spread", 100},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void figures(hone_buf *b, const hone_value *list)
{
    hone_buf_adds(
        b,
        "<section><h2>Figures</h2><p class=\"sub\">Medians. The limit is what the machine could "
        "do: a plain matrix product (sgemm) or one reading of the weights (memory), both measured "
        "in the process of the figure, just before and after it, and apart is how far the two lie "
        "from each other: the machine did something else. Peak: resident memory of the work."
        "</p>\n<div class=\"wide\"><table><thead><tr><th>work</th><th class=\"num\">figure</th>"
        "<th>unit</th>");
    for (size_t k = 0; k < COLUMNS; k++)
        hone_buf_addf(b, "<th class=\"num\">%s</th>", columns[k].head);
    hone_buf_adds(b, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *f = &list->u.list.items[i];
        hone_buf_adds(b, "<tr><td>");
        hone__web_text(b, text_in(f, "name"));
        hone_buf_adds(b, "</td>");
        cell(b, hone_value_number(hone_value_get(f, "value")), 1);
        hone_buf_adds(b, "<td>");
        hone__web_text(b, text_in(f, "unit"));
        hone_buf_adds(b, "</td>");
        for (size_t k = 0; k < COLUMNS; k++)
            cell(b, hone_value_number(hone_value_get(f, columns[k].key)), columns[k].scale);
        hone_buf_adds(b, "</tr>\n");
    }
    hone_buf_adds(b, "</tbody></table></div></section>\n");
}

static const char *copy(hone_arena *a, hone_str s)
{
    return hone_arena_strndup(a, s.ptr, s.len);
}

static hone_status line(hone_arena *a, const hone_value *v, hone__web_series *s)
{
    const hone_value *x = list_in(v, "x"), *y = list_in(v, "y");
    if (!x || !y || x->u.list.n != y->u.list.n || x->u.list.n > POINTS)
        return hone_fail(HONE_E_INVALID, "a law of scale without as many figures as places");
    const size_t n = x->u.list.n;
    double *at = hone_arena_calloc(a, 2 * n + 1, sizeof *at);
    s->label = copy(a, text_in(v, "label"));
    if (!s->label || !at)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        at[i] = hone_value_number(&x->u.list.items[i]);
        at[n + i] = hone_value_number(&y->u.list.items[i]);
    }
    s->x = at;
    s->y = at + n;
    s->n = n;
    return HONE_OK;
}

static hone_status chart(hone_buf *b, hone_arena *a, const hone_value *v)
{
    const hone_value *lines = list_in(v, "series");
    hone__web_chart c = {.kind = HONE_CHART_LINES, .zero = 1};
    if (!lines || lines->u.list.n > HONE_CHART_SERIES)
        return hone_fail(HONE_E_INVALID, "a law of scale without its series");
    c.title = copy(a, text_in(v, "title"));
    c.note = copy(a, text_in(v, "note"));
    c.x_name = copy(a, text_in(v, "x"));
    if (!c.title || !c.note || !c.x_name)
        return HONE_E_NOMEM;
    for (; c.n < lines->u.list.n; c.n++) {
        c.s[c.n].color = (int)c.n;
        HONE_TRY(line(a, &lines->u.list.items[c.n], &c.s[c.n]));
    }
    c.places = c.n && c.s[0].n <= 8;
    hone__web_chart_write(b, &c);
    return b->failed;
}

static void chip(hone_buf *b, const char *what, hone_str value)
{
    if (!value.len)
        return;
    hone_buf_addf(b, "<li>%s <b>", what);
    hone__web_text(b, value);
    hone_buf_adds(b, "</b></li>");
}

static hone_status page(hone_buf *b, hone_arena *a, const hone_value *r)
{
    static const char *const chips[] = {"cpu", "kernels", "version"};
    const hone_value *list = list_in(r, "figures"), *scale = list_in(r, "scale");
    if (!list || !scale)
        return hone_fail(HONE_E_INVALID, "no figures of `hone bench all`");
    hone_buf_adds(
        b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" "
           "content=\"width=device-width,initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">"
           "<title>hone bench all</title>\n<style>");
    hone_buf_adds(b, hone__web_css);
    hone_buf_adds(
        b, ".wide{overflow-x:auto}.wide td{white-space:nowrap}.wide th{vertical-align:bottom}"
           "section>.sub{max-width:70ch}");
    hone_buf_adds(b, "</style></head><body>\n<header><h1>");
    hone__web_text(b, text_in(r, "model"));
    hone_buf_adds(b, "</h1><p class=\"sub mono\">hone bench all</p><ul class=\"chips\">");
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
        chip(b, chips[i], text_in(r, chips[i]));
    hone_buf_addf(
        b, "<li>threads <b>%.0f</b></li><li>runs of each <b>%.0f</b></li></ul></header>\n<main>",
        hone_value_number(hone_value_get(r, "threads")),
        hone_value_number(hone_value_get(r, "repeat")));
    if (list->u.list.n)
        figures(b, list);
    if (scale->u.list.n)
        hone_buf_adds(b, "<section><h2>Scale</h2><div class=\"charts\">\n");
    for (size_t i = 0; i < scale->u.list.n; i++)
        HONE_TRY(chart(b, a, &scale->u.list.items[i]));
    if (scale->u.list.n)
        hone_buf_adds(b, "</div></section>\n");
    hone_buf_adds(b, "</main></body></html>\n");
    return b->failed;
}

hone_status hone_bench_page_write(const hone_value *report, const char *path)
{
    hone_buf b;
    hone_arena a;
    hone_buf_init(&b, (size_t)64 << 20);
    hone_arena_init(&a, 0);
    hone_status s = page(&b, &a, report);
    if (s >= 0)
        s = hone_file_replace(path, b.ptr, b.len);
    hone_arena_release(&a);
    hone_buf_release(&b);
    return s;
}
