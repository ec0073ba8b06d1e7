/* api_calibrate.c - a judge beside experts, for recipes.
 *
 *   core.calibrate(labels, verdicts, items, options) -> report     rows (data), nil for what there is not
 *       options: split, shape, criterion, levels, threshold, judge_scale { lo, hi }, tie, epsilon, replicates, seed, skip_bad, settled
 *   core.reliability(verdicts, items, labels, options) -> report
 *   core.judge_report(report, "html" | "md" | "text") -> text
 *
 * The report is the JSON document of `hone judge calibrate` (docs/judges.md, section 7) as a table; what is null there is absent. */
#include "lua/api.h"

#include "base/json.h"
#include "judge/report.h"
#include "judge/within.h"
#include "train/source.h"
#include "web/judge_page.h"

#include <math.h>
#include <string.h>

typedef struct settings {
    hone_joined_opts rows;
    hone_calib_opts calib;
    double levels[HONE_CALIB_LEVELS];
    const char *policy;
} settings;

/* ---- settings --------------------------------------------------------------------------------------------- */

static hone_status numbers_of(const hone_value *list, const char *key, double *out, size_t most,
                              size_t *n)
{
    const hone_value *v = hone_value_get(list, key);
    *n = 0;
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    if (v->type != HONE_LIST || v->u.list.n > most || v->u.list.n < 2)
        return hone_fail(HONE_E_TYPE, "%s: a list of 2 to %zu numbers", key, most);
    for (size_t i = 0; i < v->u.list.n; i++) {
        const hone_value *x = &v->u.list.items[i];
        if (x->type != HONE_F64 && x->type != HONE_I64)
            return hone_fail(HONE_E_TYPE, "%s: a list of numbers", key);
        out[(*n)++] = x->type == HONE_F64 ? x->u.f64 : (double)x->u.i64;
    }
    return HONE_OK;
}

static hone_status text_of(const hone_value *map, const char *key, hone_arena *a, const char **out)
{
    hone_str s = {NULL, 0};
    HONE_TRY(hone_value_string(map, key, s, &s));
    *out = s.ptr ? hone_arena_strndup(a, s.ptr, s.len) : NULL;
    return s.ptr && !*out ? HONE_E_NOMEM : HONE_OK;
}

static hone_status check_keys(const hone_value *map)
{
    static const char *const names[] = {"split",   "shape",      "criterion", "levels",
                                        "tie",     "threshold",  "epsilon",   "judge_scale",
                                        "seed",    "replicates", "skip_bad",  "policy",
                                        "at_most", "settled",    NULL};
    for (size_t i = 0; map->type == HONE_MAP && i < map->u.map.n; i++) {
        hone_str key = map->u.map.pairs[i].key;
        size_t k = 0;
        while (names[k] && !hone_str_eq(key, names[k]))
            k++;
        if (names[k])
            continue;
        char z[64];
        size_t n = key.len < 63 ? key.len : 63;
        memcpy(z, key.ptr, n);
        z[n] = '\0';
        const char *close = hone_closest(z, names);
        hone_fail(HONE_E_INVALID, "unknown setting \"%s\"", z);
        return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_INVALID;
    }
    return HONE_OK;
}

static hone_status settings_of(const hone_value *map, hone_arena *a, settings *out)
{
    const char *split, *shape;
    double scale[2], seed, replicates, most;
    size_t n;
    memset(out, 0, sizeof *out);
    HONE_TRY(check_keys(map));
    HONE_TRY(text_of(map, "split", a, &split));
    HONE_TRY(text_of(map, "shape", a, &shape));
    HONE_TRY(text_of(map, "criterion", a, &out->rows.criterion));
    HONE_TRY(text_of(map, "policy", a, &out->policy));
    out->rows.split = split ? hone_split_of(split) : HONE_SPLIT_ALL;
    if (out->rows.split < 0)
        return hone_fail(HONE_E_INVALID, "split is one of few-shot, dev, test, all");
    out->rows.shape = !shape                            ? 0
                      : strcmp(shape, "pointwise") == 0 ? HONE_SHAPE_POINTWISE
                      : strcmp(shape, "pairwise") == 0  ? HONE_SHAPE_PAIRWISE
                      : strcmp(shape, "listwise") == 0  ? HONE_SHAPE_LISTWISE
                                                        : -1;
    if (out->rows.shape < 0)
        return hone_fail(HONE_E_INVALID, "shape is pointwise, pairwise or listwise");
    HONE_TRY(hone_value_bool(map, "skip_bad", 0, &out->rows.skip_bad));
    HONE_TRY(hone_value_bool(map, "settled", 0, &out->rows.settled));
    HONE_TRY(hone_value_f64(map, "at_most", 0, &most));
    HONE_TRY(hone_value_f64(map, "threshold", (double)NAN, &out->calib.threshold));
    HONE_TRY(hone_value_f64(map, "tie", 0, &out->calib.tie));
    HONE_TRY(hone_value_f64(map, "epsilon", 0, &out->calib.epsilon));
    HONE_TRY(hone_value_f64(map, "seed", 0, &seed));
    HONE_TRY(hone_value_f64(map, "replicates", 0, &replicates));
    if (!(most >= 0 && most <= 1e9) || !(replicates >= 0 && replicates <= 100000) ||
        !(seed >= 0 && seed < 1e15) || !(out->calib.tie >= 0 && out->calib.tie < 1) ||
        !(out->calib.epsilon >= 0 && out->calib.epsilon < 1))
        return hone_fail(HONE_E_RANGE, "tie and epsilon are in [0, 1), replicates at most 100000");
    out->rows.max_items = (size_t)most;
    out->calib.has_threshold = !isnan(out->calib.threshold);
    out->calib.seed = (uint64_t)seed;
    out->calib.replicates = (uint32_t)replicates;
    HONE_TRY(numbers_of(map, "levels", out->levels, HONE_CALIB_LEVELS, &out->calib.n_levels));
    out->calib.levels = out->calib.n_levels ? out->levels : NULL;
    HONE_TRY(numbers_of(map, "judge_scale", scale, 2, &n));
    out->calib.has_scale = n == 2;
    out->calib.scale_lo = n ? scale[0] : 0;
    out->calib.scale_hi = n ? scale[1] : 0;
    return HONE_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static hone_status take(hone_data *d, int kind, const char *name, hone_joined *j)
{
    hone_arena arena;
    hone_value row;
    hone_status s;
    uint64_t number = 0;
    if (!d)
        return HONE_OK;
    hone_arena_init(&arena, 0);
    while ((s = hone_data_next(d, &arena, &row)) > 0) {
        s = hone_joined_add(j, kind, name, ++number, &row);
        if (s < 0)
            break;
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    return s;
}

static int push_json(lua_State *L, const hone_buf *b, hone_status s)
{
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    if (s >= 0)
        s = hone_buf_check(b, "the report");
    if (s >= 0)
        s = hone_json_parse(b->ptr, b->len, "the report", &a, &v);
    if (s >= 0)
        hone_lua_push_value(L, &v);
    hone_arena_release(&a);
    return s < 0 ? s : 1;
}

static hone_data *data_or_nil(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? NULL : hone__lua_data(L, index);
}

static void about_of(const hone_joined *j, hone_calib_about *out)
{
    *out = (hone_calib_about){.spec = j->several_specs ? NULL : j->spec,
                              .rubric = j->several_rubrics ? NULL : j->rubric,
                              .criterion = j->opts.criterion,
                              .version = NULL,
                              .test_reads = -1};
}

/* Measures joined rows and writes the document. */
typedef hone_status (*documenter)(const hone_joined *j, const settings *set,
                                  const hone_calib_about *about, hone_jw *w);

static hone_status calibration_document(const hone_joined *j, const settings *set,
                                        const hone_calib_about *about, hone_jw *w)
{
    hone_calibration c;
    HONE_TRY(hone_calibrate(j, &set->calib, &c));
    hone_calibration_json(&c, about, w);
    hone_calibration_release(&c);
    return HONE_OK;
}

static hone_status reliability_document(const hone_joined *j, const settings *set,
                                        const hone_calib_about *about, hone_jw *w)
{
    hone_within within;
    HONE_TRY(hone_within_measure(j, set->calib.replicates, set->calib.seed, &within));
    hone_within_json(&within, j, set->policy, about, w);
    hone_within_release(&within);
    return HONE_OK;
}

/* The document of the rows as a table, under the options at index 4. Each of the rows may be NULL. */
static int measured(lua_State *L, hone_data *labels, hone_data *verdicts, hone_data *items,
                    int keep_scores, documenter document)
{
    hone_arena a;
    hone_value map;
    hone_joined j;
    settings set;
    hone_buf b;
    hone_jw w;
    hone_calib_about about;
    hone_arena_init(&a, 0);
    hone_buf_init(&b, (size_t)64 << 20);
    hone_status s = hone__lua_options(L, 4, &a, &map);
    if (s >= 0)
        s = settings_of(&map, &a, &set);
    if (s >= 0 && keep_scores && set.rows.shape == HONE_SHAPE_LISTWISE)
        s = hone_fail(HONE_E_INVALID, "reliability: a ranking has no variance within a prompt");
    if (s >= 0) {
        if (keep_scores)
            set.rows.keep_scores = 1;
        hone_joined_init(&j, &set.rows);
        s = take(items, HONE_ROWS_ITEMS, "items", &j);
        if (s >= 0)
            s = take(verdicts, HONE_ROWS_VERDICTS, "verdicts", &j);
        if (s >= 0)
            s = take(labels, HONE_ROWS_LABELS, "labels", &j);
        if (s >= 0)
            s = hone_joined_finish(&j);
        if (s >= 0) {
            about_of(&j, &about);
            hone_jw_init(&w, &b, 0);
            s = document(&j, &set, &about, &w);
        }
        hone_joined_release(&j);
    }
    hone_arena_release(&a);
    s = push_json(L, &b, s);
    hone_buf_release(&b);
    return s < 0 ? hone_lua_raise(L) : 1;
}

static int l_calibrate(lua_State *L)
{
    hone_data *labels = hone__lua_data(L, 1), *verdicts = data_or_nil(L, 2),
              *items = data_or_nil(L, 3);
    return measured(L, labels, verdicts, items, 0, calibration_document);
}

static int l_reliability(lua_State *L)
{
    hone_data *verdicts = hone__lua_data(L, 1), *items = data_or_nil(L, 2),
              *labels = data_or_nil(L, 3);
    return measured(L, labels, verdicts, items, 1, reliability_document);
}

static int l_judge_report(lua_State *L)
{
    const char *form = luaL_checkstring(L, 2);
    hone_arena a;
    hone_value report;
    hone_buf b;
    hone_arena_init(&a, 0);
    hone_buf_init(&b, (size_t)64 << 20);
    hone_status s = hone_lua_to_value(L, 1, &a, &report);
    if (s >= 0)
        s = strcmp(form, "html") == 0   ? hone_judge_page(&report, &b)
            : strcmp(form, "md") == 0   ? hone_judge_report_md(&report, &b)
            : strcmp(form, "text") == 0 ? hone_judge_report_text(&report, &b)
                                        : hone_fail(HONE_E_INVALID, "a report is html, md or text");
    if (s >= 0)
        lua_pushlstring(L, b.ptr, b.len);
    hone_arena_release(&a);
    hone_buf_release(&b);
    return s < 0 ? hone_lua_raise(L) : 1;
}

void hone__lua_open_calibrate(lua_State *L)
{
    lua_pushcfunction(L, l_calibrate);
    lua_setfield(L, -2, "calibrate");
    lua_pushcfunction(L, l_reliability);
    lua_setfield(L, -2, "reliability");
    lua_pushcfunction(L, l_judge_report);
    lua_setfield(L, -2, "judge_report");
}
