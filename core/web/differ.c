/* differ.c - several runs beside each other: what they were asked to do differently, and what they wrote for one prompt.
 *
 * run.json is taken apart into names with dots and plain values; a row of the table is a name whose values are not the same
 * in all runs. What follows from having run (steps, times, alarms) is no configuration and is left out. Samples are
 * compared by the page's script: prompts that several runs have samples of, and the words in which completions differ. */
#include "base/alloc.h"
#include "base/json.h"
#include "web/html.h"
#include "web/report.h"
#include "web/report_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 600, NAME_BYTES = 160 };

typedef struct flat { /* names of one run, and their values as text */
    char (*name)[NAME_BYTES];
    char **text;
    size_t n;
    hone_status failed;
} flat;

static void keep(flat *f, const char *name, const hone_value *v)
{
    hone_buf b;
    hone_jw w;
    if (f->n == NAMES || f->failed < 0)
        return;
    hone_buf_init(&b, 1 << 20);
    if (v->type == HONE_STRING) {
        hone_buf_add_str(&b, v->u.str);
    } else {
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, v);
    }
    hone_buf_addc(&b, '\0');
    snprintf(f->name[f->n], NAME_BYTES, "%s", name);
    f->text[f->n] = b.failed < 0 ? NULL : hone_strdup(b.ptr);
    if (!f->text[f->n])
        f->failed = HONE_E_NOMEM;
    else
        f->n++;
    hone_buf_release(&b);
}

static void take_apart(flat *f, const char *name, const hone_value *v, int depth)
{
    if (v->type != HONE_MAP || depth == 6) {
        keep(f, name, v);
        return;
    }
    for (size_t i = 0; i < v->u.map.n; i++) {
        char deeper[NAME_BYTES];
        snprintf(deeper, sizeof deeper, "%s.%.*s", name, (int)v->u.map.pairs[i].key.len,
                 v->u.map.pairs[i].key.ptr);
        take_apart(f, deeper, &v->u.map.pairs[i].value, depth + 1);
    }
}

static void plugins_of(flat *f, const hone_value *list)
{
    for (size_t i = 0; list && list->type == HONE_LIST && i < list->u.list.n; i++) {
        const hone_value *name = hone_value_get(&list->u.list.items[i], "name"),
                         *sha = hone_value_get(&list->u.list.items[i], "sha256");
        char key[NAME_BYTES];
        if (!name || name->type != HONE_STRING || !sha)
            continue;
        snprintf(key, sizeof key, "plugin %.*s", (int)name->u.str.len, name->u.str.ptr);
        keep(f, key, sha);
    }
}

static hone_status flatten(const hone_value *meta, flat *f)
{
    static const char *const wanted[] = {"recipe",  "recipe_sha256", "seed",    "from",   "params",
                                         "methods", "models",        "machine", "fitted", "sinks"};
    memset(f, 0, sizeof *f);
    f->name = hone_calloc(NAMES, sizeof *f->name);
    f->text = hone_calloc(NAMES, sizeof *f->text);
    if (!f->name || !f->text)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const hone_value *v = hone_value_get(meta, wanted[i]);
        if (v)
            take_apart(f, wanted[i], v, 0);
    }
    plugins_of(f, hone_value_get(meta, "plugins"));
    return f->failed;
}

static void release(flat *f)
{
    for (size_t i = 0; f->text && i < f->n; i++)
        hone_free(f->text[i]);
    hone_free(f->text);
    hone_free(f->name);
}

static const char *text_of(const flat *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->name[i], name) == 0)
            return f->text[i];
    }
    return NULL;
}

static int differs(const flat *f, size_t n, const char *name)
{
    const char *first = text_of(&f[0], name);
    for (size_t r = 1; r < n; r++) {
        const char *t = text_of(&f[r], name);
        if (!t != !first || (t && strcmp(t, first) != 0))
            return 1;
    }
    return 0;
}

/* Whether each run's value is that of its parameter of this name (the run's seed is most often the recipe's parameter). */
static int told_as_parameter(const flat *f, size_t n, const char *name)
{
    char parameter[NAME_BYTES + 8];
    snprintf(parameter, sizeof parameter, "params.%s", name);
    for (size_t r = 0; r < n; r++) {
        const char *t = text_of(&f[r], name), *p = text_of(&f[r], parameter);
        if (!t != !p || (t && strcmp(t, p) != 0))
            return 0;
    }
    return 1;
}

static int told_before(const flat *f, size_t run, const char *name)
{
    for (size_t r = 0; r < run; r++) {
        if (text_of(&f[r], name))
            return 1;
    }
    return 0;
}

static void put_row(hone_buf *b, const flat *f, const hone__web_run *runs, size_t n,
                    const char *name)
{
    hone_buf_adds(b, "<tr><th scope=\"row\">");
    hone__web_textz(b, strncmp(name, "params.", 7) == 0 ? name + 7 : name);
    hone_buf_adds(b, "</th>");
    for (size_t r = 0; r < n; r++) {
        const char *t = text_of(&f[r], name);
        hone_str s = hone_str_c(t ? t : "\xE2\x80\x93");
        const int cut = s.len > 400;
        if (cut)
            for (s.len = 400; s.len && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80;)
                s.len--;
        hone_buf_adds(b, "<td data-label=\"");
        hone__web_textz(b, runs[r].label);
        hone_buf_adds(b, "\">");
        hone__web_text(b, s);
        hone_buf_adds(b, cut ? "...</td>" : "</td>");
    }
    hone_buf_adds(b, "</tr>");
}

void hone__web_differences(hone_buf *b, const hone__web_run *runs, size_t n)
{
    flat f[HONE_REPORT_RUNS] = {{0}};
    size_t rows = 0;
    hone_status s = HONE_OK;
    for (size_t r = 0; s >= 0 && r < n; r++)
        s = flatten(&runs[r].meta, &f[r]);
    if (s < 0)
        b->failed = s;
    hone_buf_adds(b, "<section id=\"differences\"><h2>What differs</h2>");
    for (size_t r = 0; s >= 0 && r < n; r++) {
        for (size_t i = 0; i < f[r].n; i++) {
            if (told_before(f, r, f[r].name[i]) || !differs(f, n, f[r].name[i]) ||
                told_as_parameter(f, n, f[r].name[i]))
                continue;
            if (rows++ == 0) {
                hone_buf_adds(b, "<table class=\"differ\"><thead><tr><th scope=\"col\"></th>");
                for (size_t k = 0; k < n; k++) {
                    hone_buf_addf(b, "<th scope=\"col\">%zu. ", k + 1);
                    hone__web_textz(b, runs[k].label);
                    hone_buf_adds(b, "</th>");
                }
                hone_buf_adds(b, "</tr></thead><tbody>");
            }
            put_row(b, f, runs, n, f[r].name[i]);
        }
    }
    hone_buf_adds(b,
                  rows ? "</tbody></table></section>\n"
                       : "<p>Recipe, parameters, models and plugins are the same.</p></section>\n");
    for (size_t r = 0; r < n; r++)
        release(&f[r]);
}

void hone__web_one_prompt(hone_buf *b)
{
    hone_buf_adds(b,
                  "<section id=\"one\"><h2>One prompt</h2><p class=\"lead\">What each run wrote "
                  "for it, its last step "
                  "first. Words that the first run's first sample has not are marked.</p>"
                  "<div class=\"controls\"><label class=\"wide\">prompt<select id=\"shared\" "
                  "autocomplete=\"off\"></select></label></div><div id=\"beside\" class=\"beside\" "
                  "aria-live=\"polite\"></div></section>\n");
}

hone_status hone__web_axes(hone__web_run *run)
{
    const hone__web_table *m = &run->metrics, *t = &run->timings;
    const double *tokens = hone__web_column_get(m, "tokens"),
                 *total = hone__web_column_get(t, "time/total");
    double sum = 0, seconds = 0;
    run->tokens = tokens && m->n_rows ? hone_calloc(m->n_rows, sizeof(double)) : NULL;
    run->seconds = total && m->n_rows ? hone_calloc(m->n_rows, sizeof(double)) : NULL;
    if ((tokens && m->n_rows && !run->tokens) || (total && m->n_rows && !run->seconds))
        return HONE_E_NOMEM;
    for (size_t i = 0, k = 0; i < m->n_rows; i++) {
        if (run->tokens) {
            sum += isfinite(tokens[i]) ? tokens[i] : 0;
            run->tokens[i] = sum;
        }
        if (!run->seconds)
            continue;
        for (; k < t->n_rows && t->step[k] <= m->step[i]; k++)
            seconds += isfinite(total[k]) ? total[k] : 0;
        run->seconds[i] = k && t->step[k - 1] == m->step[i] ? seconds : (double)NAN;
    }
    return HONE_OK;
}
