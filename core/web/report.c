/* report.c - the page: head, what happened, curves, outcomes, times, samples, what ran (see report.h).
 *
 * Everything is put together in one buffer and replaced into its place, so a reader sees the old page
 * or the new one. A section for which a run has no numbers is left out, not shown empty. */
#include "web/report.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "web/html.h"
#include "web/report_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------------- */

static void release(hone__web_run *r)
{
    hone_free(r->samples.items);
    hone_free(r->tokens);
    hone_free(r->seconds);
    hone__web_table_release(&r->metrics);
    hone__web_table_release(&r->timings);
    hone_arena_release(&r->arena);
}

static hone_status table(const char *dir, const char *name, hone__web_table *t)
{
    char *path = hone_path_join(dir, name);
    hone_status s = path ? hone__web_table_read(path, t) : HONE_E_NOMEM;
    hone_free(path);
    return s;
}

/* The last part of the path, without slashes at its end; "." gets the folder's own name. */
static void label(const char *dir, char *out, size_t size)
{
    size_t n = strlen(dir), from;
    while (n > 1 && dir[n - 1] == '/')
        n--;
    for (from = n; from > 0 && dir[from - 1] != '/';)
        from--;
    snprintf(out, size, "%.*s", (int)(n - from), dir + from);
}

static hone_status read_run(const char *dir, size_t samples, hone__web_run *r)
{
    r->dir = dir;
    label(dir, r->label, sizeof r->label);
    HONE_TRY(hone_run_meta_read(dir, &r->arena, &r->meta));
    HONE_TRY(hone_run_state_get(dir, &r->meta, &r->state));
    HONE_TRY(table(dir, "metrics.jsonl", &r->metrics));
    HONE_TRY(table(dir, "timings.jsonl", &r->timings));
    HONE_TRY(hone__web_axes(r));
    char *path = hone_path_join(dir, "tables.json");
    hone_status s = path ? HONE_OK : HONE_E_NOMEM;
    if (path && hone_file_exists(path))
        s = hone_json_parse_file(path, 0, &r->arena, &r->tables);
    hone_free(path);
    HONE_TRY(s);
    path = hone_path_join(dir, "rollouts.jsonl.zst");
    s = path ? hone__web_samples_read(path, samples, &r->arena, &r->samples) : HONE_E_NOMEM;
    hone_free(path);
    return s;
}

/* ---- head ----------------------------------------------------------------------------------------- */

/* "sha256-<base64>" of the script: the only one the page may run. */
static void script_hash(char out[64])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char hex[65];
    unsigned char raw[33] = {0};
    hone_sha256_of(hone__web_js, strlen(hone__web_js), hex);
    for (int i = 0; i < 64; i++) {
        int v = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;
        raw[i / 2] = (unsigned char)(raw[i / 2] | v << (i % 2 ? 0 : 4));
    }
    size_t k = (size_t)snprintf(out, 64, "sha256-");
    for (int i = 0; i < 33; i += 3) {
        uint32_t v = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        for (int d = 18; d >= 0; d -= 6)
            out[k++] = digits[v >> d & 63];
    }
    out[k - 1] = '='; /* 32 bytes: one digit of padding */
    out[k] = '\0';
}

/* A value as text: strings as they are, the rest as JSON. */
static void value(hone_buf *b, const hone_value *v)
{
    hone_buf json;
    hone_jw w;
    if (v->type == HONE_STRING) {
        hone__web_text(b, v->u.str);
        return;
    }
    hone_buf_init(&json, (size_t)1 << 26);
    hone_jw_init(&w, &json, 0);
    hone_jw_value(&w, v);
    if (json.failed < 0)
        b->failed = json.failed;
    hone__web_text(b, hone_buf_str(&json));
    hone_buf_release(&json);
}

static const hone_value *text_in(const hone_value *meta, const char *key)
{
    const hone_value *v = hone_value_path(meta, key);
    return v && v->type == HONE_STRING && v->u.str.len ? v : NULL;
}

static void chips(hone_buf *b, const hone__web_run *r)
{
    const hone_value *params = hone_value_get(&r->meta, "params");
    if (!params || params->type != HONE_MAP || params->u.map.n == 0)
        return;
    hone_buf_adds(b, "<ul class=\"chips\" aria-label=\"parameters\">");
    for (size_t i = 0; i < params->u.map.n; i++) {
        hone_buf_adds(b, "<li>");
        hone__web_text(b, params->u.map.pairs[i].key);
        hone_buf_adds(b, " <b>");
        value(b, &params->u.map.pairs[i].value);
        hone_buf_adds(b, "</b></li>");
    }
    hone_buf_adds(b, "</ul>");
}

static void summary(hone_buf *b, const hone__web_run *r)
{
    static const char *const keys[] = {"recipe", "machine.cpu"};
    char state[64];
    int said = 0;
    hone_run_state_text(&r->state, state);
    hone_buf_adds(b, "<p class=\"sub\">");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const hone_value *v = text_in(&r->meta, keys[i]);
        if (!v)
            continue;
        hone_buf_adds(b, said++ ? " \xC2\xB7 " : "");
        if (i == 0)
            hone__web_recipe(b, &r->meta);
        else
            hone__web_text(b, v->u.str);
    }
    hone_buf_adds(b, said ? " \xC2\xB7 " : "");
    if (r->metrics.n_rows)
        hone_buf_addf(b, "step %.0f \xC2\xB7 ", r->metrics.step[r->metrics.n_rows - 1]);
    hone_buf_addf(b, "%s</p>", state);
}

static void title(hone_buf *b, const hone__web_run *runs, size_t n)
{
    const hone_value *name = text_in(&runs->meta, "name");
    if (n > 1) {
        hone_buf_addf(b, "%zu runs side by side", n);
        return;
    }
    if (name) {
        hone__web_text(b, name->u.str);
        hone_buf_adds(b, " \xE2\x80\x93 ");
    }
    hone__web_textz(b, runs->label);
}

static void head(hone_buf *b, const hone__web_run *runs, size_t n)
{
    char hash[64];
    script_hash(hash);
    hone_buf_addf(b,
                  "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "style-src 'unsafe-inline'; script-src '%s'; img-src data:\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<link rel=\"icon\" href=\"data:,\"><title>",
                  hash);
    title(b, runs, n);
    hone_buf_adds(b, "</title>\n<style>");
    hone_buf_adds(b, hone__web_css);
    hone_buf_adds(b, "</style></head><body>\n<header><h1>");
    if (n == 1) {
        const hone_value *name = text_in(&runs->meta, "name");
        if (name)
            hone__web_text(b, name->u.str);
        else
            hone__web_textz(b, runs->label);
        hone_buf_adds(b, "</h1><p class=\"sub mono\">");
        hone__web_textz(b, runs->label);
        hone_buf_adds(b, "</p>");
        summary(b, runs);
        chips(b, runs);
    } else {
        hone_buf_addf(b, "%zu runs side by side</h1>", n);
        for (size_t i = 0; i < n; i++) {
            hone_buf_addf(b, "<div class=\"run c%zu\"><h3>%zu. ", i % 8, i + 1);
            hone__web_textz(b, runs[i].label);
            hone_buf_adds(b, "</h3>");
            summary(b, &runs[i]);
            chips(b, &runs[i]);
            hone_buf_adds(b, "</div>");
        }
    }
    hone_buf_adds(b, "</header>\n");
}

/* ---- samples -------------------------------------------------------------------------------------- */

static void sample_row(hone_jw *w, size_t run, const hone__web_sample *x, size_t prompt)
{
    hone_jw_list(w);
    hone_jw_i64(w, (int64_t)run);
    hone_jw_i64(w, x->step);
    hone_jw_i64(w, x->sample);
    hone_jw_i64(w, x->tokens);
    hone_jw_f64(w, x->reward); /* NAN: null */
    hone_jw_f64(w, x->advantage);
    hone_jw_i64(w, x->left_out);
    hone_jw_str(w, x->finish);
    hone_jw_i64(w, (int64_t)prompt);
    hone_jw_str(w, x->completion);
    hone_jw_list(w);
    for (size_t c = 0; x->outcomes.type == HONE_MAP && c < x->outcomes.u.map.n; c++) {
        const hone_pair *p = &x->outcomes.u.map.pairs[c];
        const hone_value *status = hone_value_get(&p->value, "status");
        const hone_value *score = hone_value_get(&p->value, "score");
        const hone_value *reason = hone_value_get(&p->value, "reason");
        hone_jw_list(w);
        hone_jw_str(w, p->key);
        hone_jw_str(w, status && status->type == HONE_STRING ? status->u.str : hone_str_c("error"));
        if (score && (score->type == HONE_F64 || score->type == HONE_I64))
            hone_jw_value(w, score);
        else
            hone_jw_null(w);
        hone_jw_str(w, reason && reason->type == HONE_STRING ? reason->u.str : hone_str_c(""));
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

/* { runs: [], prompts: [], rows: [] }; samples of a group share their prompt's text. */
static void sample_data(hone_buf *b, const hone__web_run *runs, size_t n)
{
    hone_buf json;
    hone_jw w;
    size_t k = 0;
    hone_buf_init(&json, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &json, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "runs");
    hone_jw_list(&w);
    for (size_t r = 0; r < n; r++)
        hone_jw_cstr(&w, runs[r].label);
    hone_jw_end(&w);
    for (int rows = 0; rows < 2; rows++) {
        const hone_str *before = NULL;
        k = 0;
        hone_jw_key(&w, rows ? "rows" : "prompts");
        hone_jw_list(&w);
        for (size_t r = 0; r < n; r++) {
            for (size_t i = 0; i < runs[r].samples.n; i++) {
                const hone__web_sample *x = &runs[r].samples.items[i];
                int fresh = !before || !hone_str_same(*before, x->prompt);
                k += fresh != 0;
                before = &x->prompt;
                if (rows)
                    sample_row(&w, r, x, k - 1);
                else if (fresh)
                    hone_jw_str(&w, x->prompt);
            }
        }
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_buf_adds(b, "<script type=\"application/json\" id=\"sample-data\">");
    hone__web_json(b, hone_buf_str(&json));
    hone_buf_adds(b, "</script>\n");
    if (json.failed < 0)
        b->failed = json.failed;
    hone_buf_release(&json);
}

/* Which samples are here, and which are not. */
static void selection(hone_buf *b, const hone__web_run *r, int many)
{
    const hone__web_samples *s = &r->samples;
    char n[32], all[32];
    if (s->n_all == 0 && !many)
        return;
    hone__web_number((double)s->n, n);
    hone__web_number((double)s->n_all, all);
    hone_buf_adds(b, "<p class=\"lead\">");
    if (many) {
        hone__web_textz(b, r->label);
        hone_buf_adds(b, ": ");
    }
    if (s->n_all == 0)
        hone_buf_adds(b, "no samples.");
    else if (s->n == s->n_all)
        hone_buf_addf(b, "All %s samples of %zu %s.", all, s->steps_all,
                      s->steps_all == 1 ? "step" : "steps");
    else if (s->steps == 1)
        hone_buf_addf(b, "%s samples of the last step; the other %zu of %s are left out.", n,
                      s->n_all - s->n, all);
    else
        hone_buf_addf(
            b,
            "%s of %s samples: those of %zu of %zu steps, the first, the last and evenly spaced "
            "ones "
            "between. The others are left out here; all of them are in rollouts.jsonl.zst.",
            n, all, s->steps, s->steps_all);
    if (s->shortened)
        hone_buf_addf(b, " %zu texts longer than %d bytes are cut.", s->shortened, HONE_WEB_TEXT);
    hone_buf_adds(b, "</p>");
}

static void samples(hone_buf *b, const hone__web_run *runs, size_t n)
{
    static const char *const columns[][3] = {{"step", "step", "num w-n"},
                                             {"reward", "reward", "num w-n"},
                                             {"advantage", "advantage", "num w-m"},
                                             {"", "outcomes", "w-o"},
                                             {"", "prompt", ""},
                                             {"", "completion", ""}};
    hone_buf_adds(b, "<section id=\"samples\"><h2>Samples</h2>");
    for (size_t r = 0; r < n; r++)
        selection(b, &runs[r], n > 1);
    hone_buf_adds(
        b, "<div class=\"controls\"><label class=\"wide\">search in prompt and completion"
           "<input id=\"search\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"></label>"
           "<label>order<select id=\"order\" autocomplete=\"off\">"
           "<option value=\"reward down\">highest reward first</option>"
           "<option value=\"reward up\">lowest reward first</option>"
           "<option value=\"advantage down\">highest advantage first</option>"
           "<option value=\"advantage up\">lowest advantage first</option>"
           "<option value=\"step up\">first step first</option>"
           "<option value=\"step down\">last step first</option>"
           "<option value=\"tokens down\">longest first</option>"
           "<option value=\"tokens up\">shortest first</option></select></label>");
    if (n > 1) {
        hone_buf_adds(
            b,
            "<label>run<select id=\"run\" autocomplete=\"off\"><option value=\"-1\">all</option>");
        for (size_t r = 0; r < n; r++) {
            hone_buf_addf(b, "<option value=\"%zu\">%zu. ", r, r + 1);
            hone__web_textz(b, runs[r].label);
            hone_buf_adds(b, "</option>");
        }
        hone_buf_adds(b, "</select></label>");
    }
    hone_buf_adds(
        b,
        "</div><noscript><p>The table of samples needs the page's script.</p></noscript>"
        "<table><caption class=\"status\" id=\"count\" aria-live=\"polite\"></caption><thead><tr>");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        hone_buf_addf(b, "<th scope=\"col\" class=\"%s\">", columns[i][2]);
        if (columns[i][0][0])
            hone_buf_addf(b, "<button type=\"button\" data-key=\"%s\">%s</button></th>",
                          columns[i][0], columns[i][1]);
        else
            hone_buf_addf(b, "%s</th>", columns[i][1]);
    }
    hone_buf_adds(
        b, "</tr></thead><tbody id=\"rows\"></tbody></table>"
           "<p><button id=\"more\" type=\"button\" hidden>show 50 more</button></p></section>\n");
    sample_data(b, runs, n);
}

/* ---- what ran ------------------------------------------------------------------------------------- */

static void fact(hone_buf *b, hone_str key, const hone_value *v)
{
    hone_buf_adds(b, "<tr><th scope=\"row\">");
    hone__web_text(b, key);
    hone_buf_adds(b, "</th><td>");
    if (v->type == HONE_MAP && v->u.map.n) {
        for (size_t i = 0; i < v->u.map.n; i++) {
            hone_buf_adds(b, i ? "<br>" : "");
            hone__web_text(b, v->u.map.pairs[i].key);
            hone_buf_adds(b, ": ");
            value(b, &v->u.map.pairs[i].value);
        }
    } else {
        value(b, v);
    }
    hone_buf_adds(b, "</td></tr>");
}

static void plugin(hone_buf *b, const hone_value *p)
{
    const hone_value *name = text_in(p, "name"), *sha = text_in(p, "sha256");
    const hone_value *list = hone_value_get(p, "components");
    hone_buf_adds(b, "<tr><th scope=\"row\">");
    if (name)
        hone__web_text(b, name->u.str);
    hone_buf_adds(b, "</th><td>");
    if (list && list->type == HONE_LIST && list->u.list.n) {
        int fold = list->u.list.n > 4;
        if (fold)
            hone_buf_addf(b, "<details><summary>%zu components</summary>", list->u.list.n);
        for (size_t i = 0; i < list->u.list.n; i++) {
            hone_buf_adds(b, i ? "<br>" : "");
            value(b, &list->u.list.items[i]);
        }
        hone_buf_adds(b, fold ? "</details>" : "<br>");
    }
    if (sha) {
        hone_buf_adds(b, "<span class=\"mono sha\">sha256 ");
        hone__web_text(b, sha->u.str);
        hone_buf_adds(b, "</span>");
    }
    hone_buf_adds(b, "</td></tr>");
}

static void facts(hone_buf *b, const hone__web_run *r, int many)
{
    const hone_value *plugins = hone_value_get(&r->meta, "plugins");
    if (many) {
        hone_buf_adds(b, "<h3>");
        hone__web_textz(b, r->label);
        hone_buf_adds(b, "</h3>");
    }
    hone_buf_adds(b, "<table class=\"facts\"><tbody>");
    for (size_t i = 0; i < r->meta.u.map.n; i++) {
        const hone_pair *p = &r->meta.u.map.pairs[i];
        if (!hone_str_eq(p->key, "plugins") && !hone_str_eq(p->key, "finished") &&
            !hone_str_eq(p->key, "alarms"))
            fact(b, p->key, &p->value);
    }
    hone_buf_adds(b, "</tbody></table>");
    if (!plugins || plugins->type != HONE_LIST || plugins->u.list.n == 0)
        return;
    hone_buf_adds(b, "<h3 style=\"margin-top:1.2rem\">Plugins</h3><table class=\"facts\"><tbody>");
    for (size_t i = 0; i < plugins->u.list.n; i++)
        plugin(b, &plugins->u.list.items[i]);
    hone_buf_adds(b, "</tbody></table>");
}

/* ---- the page ------------------------------------------------------------------------------------- */

static void navigation(hone_buf *b, hone_str body)
{
    static const char *const parts[][2] = {
        {"story", "What happened"}, {"differences", "What differs"}, {"tables", "Tables"},
        {"curves", "Curves"},       {"outcomes", "Outcomes"},        {"times", "Time"},
        {"one", "One prompt"},      {"samples", "Samples"},          {"facts", "What ran"}};
    char id[64];
    hone_buf_adds(b, "<nav aria-label=\"sections\"><ul>");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int n = snprintf(id, sizeof id, "<section id=\"%s\">", parts[i][0]);
        if (memmem(body.ptr, body.len, id, (size_t)n))
            hone_buf_addf(b, "<li><a href=\"#%s\">%s</a></li>", parts[i][0], parts[i][1]);
    }
    hone_buf_adds(b, "</ul></nav>\n");
}

static void page(hone_buf *b, const hone__web_run *runs, size_t n)
{
    hone_buf body;
    size_t n_samples = 0;
    hone_buf_init(&body, HONE_BUF_MAX_DEFAULT);
    hone_buf_adds(&body, "<section id=\"story\"><h2>What happened</h2>");
    for (size_t r = 0; r < n; r++) {
        if (n > 1) {
            hone_buf_adds(&body, "<h3>");
            hone__web_textz(&body, runs[r].label);
            hone_buf_adds(&body, "</h3>");
        }
        hone__web_story(&body, &runs[r]);
        n_samples += runs[r].samples.n;
    }
    hone_buf_adds(&body, "</section>\n");
    hone__web_recipe_tables(&body, runs, n);
    if (n > 1)
        hone__web_differences(&body, runs, n);
    hone__web_curves(&body, runs, n);
    hone__web_outcomes(&body, runs, n);
    hone__web_times(&body, runs, n);
    if (n > 1 && n_samples)
        hone__web_one_prompt(&body);
    if (n_samples)
        samples(&body, runs, n);
    hone_buf_adds(&body, "<section id=\"facts\"><h2>What ran</h2>");
    for (size_t r = 0; r < n; r++)
        facts(&body, &runs[r], n > 1);
    hone_buf_adds(&body, "</section>\n");
    head(b, runs, n);
    navigation(b, hone_buf_str(&body));
    hone_buf_adds(b, "<main>\n");
    hone_buf_add_str(b, hone_buf_str(&body));
    hone_buf_adds(
        b,
        "</main>\n<footer><p>Made by <code>hone report</code> from the files of the run directory. "
        "This page needs nothing else and asks for nothing.</p></footer>\n<script>");
    hone_buf_adds(b, hone__web_js);
    hone_buf_adds(b, "</script>\n</body></html>\n");
    if (body.failed < 0)
        b->failed = body.failed;
    hone_buf_release(&body);
}

hone_status hone_report_write(const char *const *run_dirs, size_t n, const char *out_path)
{
    hone_status s = HONE_OK;
    char *own = NULL;
    hone_buf b;
    size_t read = 0;
    if (n == 0 || n > HONE_REPORT_RUNS)
        return hone_fail(HONE_E_INVALID, "a report shows 1 to %d runs, not %zu", HONE_REPORT_RUNS,
                         n);
    hone__web_run *runs = hone_calloc(n, sizeof *runs);
    if (!runs)
        return HONE_E_NOMEM;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    for (; s >= 0 && read < n; read++) {
        hone_arena_init(&runs[read].arena, (size_t)2 << 30);
        s = read_run(run_dirs[read], HONE_REPORT_SAMPLES / n, &runs[read]);
    }
    if (s >= 0) {
        page(&b, runs, n);
        s = b.failed < 0 ? b.failed : HONE_OK;
    }
    if (s >= 0 && !out_path) {
        own = hone_path_join(run_dirs[0], "report.html");
        out_path = own;
        s = own ? HONE_OK : HONE_E_NOMEM;
    }
    if (s >= 0)
        s = hone_file_replace(out_path, b.ptr, b.len);
    for (size_t i = 0; i < read; i++)
        release(&runs[i]);
    hone_free(runs);
    hone_free(own);
    hone_buf_release(&b);
    return s;
}
