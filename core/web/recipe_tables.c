/* recipe_tables.c - the tables a recipe made (run:table): tables.json of the run directory, as it stands.
 *
 * A map of { columns: [text], rows: [[text or number]] } by title; what has another form is passed over. */
#include "base/json.h"
#include "web/html.h"
#include "web/report.h"
#include "web/report_int.h"

static void cell(hone_buf *b, const char *tag, const hone_value *v)
{
    hone_buf_addf(b, "<%s>", tag);
    if (v->type == HONE_STRING)
        hone__web_text(b, v->u.str);
    else if (v->type == HONE_I64)
        hone_buf_addf(b, "%lld", (long long)v->u.i64);
    else if (v->type == HONE_F64)
        hone_buf_addf(b, "%.6g", v->u.f64);
    hone_buf_addf(b, "</%s>", tag);
}

static size_t table(hone_buf *b, hone_str title, const hone_value *v)
{
    const hone_value *columns = hone_value_get(v, "columns"), *rows = hone_value_get(v, "rows");
    if (!columns || columns->type != HONE_LIST || !rows || rows->type != HONE_LIST)
        return 0;
    hone_buf_adds(b, "<h3>");
    hone__web_text(b, title);
    hone_buf_adds(b, "</h3><table class=\"made\"><thead><tr>");
    for (size_t i = 0; i < columns->u.list.n; i++)
        cell(b, "th", &columns->u.list.items[i]);
    hone_buf_adds(b, "</tr></thead><tbody>");
    for (size_t r = 0; r < rows->u.list.n; r++) {
        const hone_value *row = &rows->u.list.items[r];
        if (row->type != HONE_LIST)
            continue;
        hone_buf_adds(b, "<tr>");
        for (size_t i = 0; i < row->u.list.n; i++)
            cell(b, i ? "td" : "th", &row->u.list.items[i]);
        hone_buf_adds(b, "</tr>");
    }
    hone_buf_adds(b, "</tbody></table>\n");
    return 1;
}

void hone__web_recipe_tables(hone_buf *b, const hone__web_run *runs, size_t n)
{
    size_t start = b->len, drawn = 0;
    hone_buf_adds(b, "<section id=\"tables\"><h2>Tables</h2>");
    for (size_t r = 0; r < n; r++) {
        const hone_value *all = &runs[r].tables;
        for (size_t i = 0; all->type == HONE_MAP && i < all->u.map.n; i++) {
            if (n > 1 && i == 0) {
                hone_buf_adds(b, "<h3>");
                hone__web_textz(b, runs[r].label);
                hone_buf_adds(b, "</h3>");
            }
            drawn += table(b, all->u.map.pairs[i].key, &all->u.map.pairs[i].value);
        }
    }
    hone_buf_adds(b, "</section>\n");
    if (!drawn && b->failed >= 0) {
        b->len = start;
        b->ptr[start] = '\0';
    }
}
