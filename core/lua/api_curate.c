/* api_curate.c - the steps of `hone data` for recipes, and what synthesis asks of a text: is it new, is it leaked.
 *
 *   core.curate(step, { inputs = paths, out = paths, report = path or nil, set = table, known = key or nil, keep = list }, policy)
 *       -> key, what it came to (a table), or nil when `known` is its key and the outputs are there
 *       step: dedup, decontaminate, filter, select, split, mix: settings as the command's options (curate/steps.h); a policy for set.ifd.
 *       "keep": row n of the input stays as it is (keep[n] true), becomes keep[n] (a text), or is left out (false); all of `set` is noted as the step's settings
 *   core.rouge_l(a, b) -> ROUGE-L                                                        (curate/novelty.h)
 *   core.novelty() -> texts     core.novelty_add(texts, text)     core.novelty_compared(texts) -> n
 *   core.novelty_look(texts, text, least) -> score, number from 1; or nil
 *   core.leaks(paths, settings) -> evaluation sets     core.leaks_look(sets, text) -> path, line; or nil      (curate/leak.h)
 *
 * A key is a hash of the step, its settings and its inputs (names, sizes, times of change), so that a run that is resumed does not
 * do again what is there. Everything here runs on the control thread. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "curate/ifd.h"
#include "curate/novelty.h"
#include "curate/steps.h"
#include "curate/verdicts.h"
#include "lua/recipe.h"

#include <math.h>
#include <string.h>

#define HONE_LUA_NOVELTY "hone.novelty"
#define HONE_LUA_LEAKS "hone.leaks"

enum { PATHS_MAX = HONE_MIX_MAX };

typedef struct step {
    lua_State *L;
    hone_recipe *r;
    hone_policy *policy; /* of ifd; or NULL */
    hone_arena a;
    hone_value all, set;
    const char *in_paths[PATHS_MAX], *out_paths[PATHS_MAX], *against[PATHS_MAX];
    size_t n_in, n_out, n_against;
    const char *name, *report, *columns, *known;
    int skip_bad, scored;
    hone_input *in, *items, *parts[PATHS_MAX];
    hone_job *job;
    hone_buf settings;
    hone_jw w;
    char key[65];
    hone_cluster_spec cluster;
    hone_leak_spec leak;
    hone_select_spec select;
    hone_split_spec split;
    hone_mix_spec mix;
    hone_quality quality;
    hone_phrases *bad;
    hone_leaks *leaks;
    hone_verdicts *verdicts;
    hone_ifd *ifd;
    union {
        hone_dedup_result dedup;
        hone_leak_result leak;
        hone_filter_result filter;
        hone_select_result select;
        hone_split_result split;
        hone_mix_result mix;
        uint64_t kept[2]; /* of "keep": rows, kept */
    } out;
} step;

/* ---- settings ------------------------------------------------------------------------------------------------------- */

static hone_status text_of(step *t, const hone_value *from, const char *key, const char **out)
{
    const hone_value *v = hone_value_get(from, key);
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    if (v->type != HONE_STRING)
        return hone_fail(HONE_E_TYPE, "%s is a text", key);
    *out = hone_arena_strndup(&t->a, v->u.str.ptr, v->u.str.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status texts_of(step *t, const hone_value *from, const char *key, const char **out,
                            size_t *n)
{
    const hone_value *v = hone_value_get(from, key);
    *n = 0;
    if (!v || v->type == HONE_NULL || (v->type == HONE_MAP && !v->u.map.n))
        return HONE_OK;
    if (v->type != HONE_LIST || v->u.list.n > PATHS_MAX)
        return hone_fail(HONE_E_TYPE, "%s is a list of at most %d texts", key, PATHS_MAX);
    for (size_t i = 0; i < v->u.list.n; i++) {
        const hone_value *x = &v->u.list.items[i];
        if (x->type != HONE_STRING)
            return hone_fail(HONE_E_TYPE, "%s: entry %zu is no text", key, i + 1);
        out[i] = hone_arena_strndup(&t->a, x->u.str.ptr, x->u.str.len);
        if (!out[i])
            return HONE_E_NOMEM;
    }
    *n = v->u.list.n;
    return HONE_OK;
}

/* The path of a file that the recipe may read. */
static hone_status may_read(step *t, const char **path)
{
    char *found = NULL;
    HONE_TRY(hone_recipe_file(t->r, *path, &found));
    const char *plain = found; /* reports and lineage name it as it was given */
    while (plain[0] == '.' && plain[1] == '/')
        plain += 2;
    *path = hone_arena_strndup(&t->a, plain, strlen(plain));
    hone_free(found);
    return *path ? HONE_OK : HONE_E_NOMEM;
}

/* A number of settings that are whole and not below 0. */
static hone_status count_of(const hone_value *set, const char *key, uint64_t dflt, uint64_t most,
                            uint64_t *out)
{
    int64_t x = 0;
    HONE_TRY(hone_value_i64(set, key, (int64_t)dflt, &x));
    if (x < 0 || (uint64_t)x > most)
        return hone_fail(HONE_E_USAGE, "%s is a whole number from 0 to %llu", key,
                         (unsigned long long)most);
    *out = (uint64_t)x;
    return HONE_OK;
}

static hone_status small_of(const hone_value *set, const char *key, uint32_t dflt, uint32_t *out)
{
    uint64_t x = 0;
    HONE_TRY(count_of(set, key, dflt, 1 << 20, &x));
    *out = (uint32_t)x;
    return HONE_OK;
}

static hone_status open_rows(void *ctx, const char *path, hone_data **out)
{
    step *t = ctx;
    hone_pair pairs[2] = {
        {hone_str_c("path"), {.type = HONE_STRING, .u.str = hone_str_c(path)}},
        {hone_str_c("on_error"), {.type = HONE_STRING, .u.str = hone_str_c("skip")}}};
    const hone_value settings = {.type = HONE_MAP, .u.map = {pairs, t->skip_bad ? 2 : 1}};
    HONE_TRY(hone__lua_may_run(t->r, "auto", &settings));
    return hone_data_open(t->r->env.registry, "auto", &settings, out);
}

static hone_status open_input(step *t, const char **paths, size_t n, hone_input **out)
{
    for (size_t i = 0; i < n; i++)
        HONE_TRY(may_read(t, &paths[i]));
    const hone_input_spec spec = {.paths = paths, .n = n, .lines = 1, .open = open_rows, .ctx = t};
    return hone_input_open(&spec, out);
}

/* ---- the steps ------------------------------------------------------------------------------------------------------ */

#define BANDS "near", "threshold", "ngram", "bands", "rows", "verify"

static hone_status dedup_spec(step *t)
{
    hone_cluster_spec *c = &t->cluster;
    const char *fold = "space";
    *c = (hone_cluster_spec)HONE_CLUSTER_DEFAULTS;
    HONE_TRY(text_of(t, &t->set, "normalise", &fold));
    HONE_TRY(hone_fold_parse(fold, &c->fold));
    HONE_TRY(hone_value_bool(&t->set, "near", 0, &c->near));
    HONE_TRY(hone_value_bool(&t->set, "verify", 1, &c->verify));
    HONE_TRY(hone_value_f64(&t->set, "threshold", c->threshold, &c->threshold));
    HONE_TRY(small_of(&t->set, "ngram", c->words, &c->words));
    HONE_TRY(small_of(&t->set, "bands", c->bands, &c->bands));
    HONE_TRY(small_of(&t->set, "rows", c->rows, &c->rows));
    HONE_TRY(count_of(&t->set, "seed", c->seed, INT64_MAX, &c->seed));
    c->columns = t->columns;
    c->skip_bad = t->skip_bad;
    return hone_dedup_settings(c, &t->w);
}

static hone_status dedup_run(step *t)
{
    return hone_dedup_run(&t->cluster, t->report != NULL, t->in, t->r->env.pool, t->job,
                          &t->out.dedup);
}

static void dedup_told(const step *t, hone_jw *w)
{
    hone_dedup_told(&t->cluster, &t->out.dedup, w);
}

static hone_status leak_spec(step *t)
{
    hone_leak_spec *k = &t->leak;
    HONE_TRY(small_of(&t->set, "ngram", 13, &k->words));
    HONE_TRY(small_of(&t->set, "min_words", 5, &k->least));
    HONE_TRY(hone_value_f64(&t->set, "share", 0, &k->share));
    HONE_TRY(text_of(t, &t->set, "against_columns", &k->item_columns));
    HONE_TRY(texts_of(t, &t->set, "against", t->against, &t->n_against));
    if (!t->n_against)
        return hone_fail(HONE_E_USAGE, "against is missing: the evaluation sets");
    k->columns = t->columns;
    k->skip_bad = t->skip_bad;
    HONE_TRY(open_input(t, t->against, t->n_against, &t->items));
    return hone_leak_settings(k, t->items, &t->w);
}

static hone_status leak_run(step *t)
{
    HONE_TRY(hone_leaks_create(&t->leak, t->items, t->r->env.pool, &t->leaks));
    return hone_leaks_run(t->leaks, t->items, t->in, t->r->env.pool, t->job, &t->out.leak);
}

static void leak_told(const step *t, hone_jw *w)
{
    hone_leak_told(t->leaks, t->items, &t->out.leak, w);
}

static hone_status filter_spec(step *t)
{
    const char *sets = NULL, *limits[PATHS_MAX], *bad = NULL;
    size_t n;
    HONE_TRY(text_of(t, &t->set, "rules", &sets));
    HONE_TRY(text_of(t, &t->set, "bad_words", &bad));
    HONE_TRY(texts_of(t, &t->set, "limits", limits, &n));
    HONE_TRY(hone_quality_init(&t->quality, sets || n ? sets : "gopher", limits, n));
    if (bad) {
        char hash[65];
        HONE_TRY(may_read(t, &bad));
        HONE_TRY(hone_phrases_read(bad, &t->bad));
        HONE_TRY(hone_sha256_file(bad, hash));
        t->quality.bad_words = t->bad;
        hone_jw_kcstr(&t->w, "bad_words", hash);
    }
    hone_quality_settings(&t->quality, &t->w);
    return HONE_OK;
}

static hone_status filter_run(step *t)
{
    return hone_filter_run(&t->quality, t->columns, t->skip_bad, t->in, t->r->env.pool, t->job,
                           &t->out.filter);
}

static void filter_told(const step *t, hone_jw *w)
{
    hone_filter_told(&t->out.filter, w);
}

static hone_status select_spec(step *t)
{
    hone_select_spec *k = &t->select;
    const char *store = NULL, *judge = NULL, *question = NULL, *answer = NULL;
    uint64_t most = 0;
    int raw = 0;
    HONE_TRY(text_of(t, &t->set, "by", &k->by));
    HONE_TRY(text_of(t, &t->set, "as", &k->as));
    HONE_TRY(text_of(t, &t->set, "embedding", &k->embedding));
    HONE_TRY(text_of(t, &t->set, "verdicts", &store));
    HONE_TRY(text_of(t, &t->set, "judge", &judge));
    HONE_TRY(text_of(t, &t->set, "question", &question));
    HONE_TRY(text_of(t, &t->set, "answer", &answer));
    HONE_TRY(hone_value_bool(&t->set, "lowest", 0, &k->lowest));
    HONE_TRY(hone_value_bool(&t->set, "raw", 0, &raw));
    HONE_TRY(hone_value_f64(&t->set, "min", (double)NAN, &k->min));
    HONE_TRY(hone_value_f64(&t->set, "max", (double)NAN, &k->max));
    HONE_TRY(hone_value_f64(&t->set, "share", 0, &k->share));
    HONE_TRY(count_of(&t->set, "top", 0, INT64_MAX, &k->top));
    HONE_TRY(count_of(&t->set, "diverse", 0, INT64_MAX, &k->diverse));
    HONE_TRY(count_of(&t->set, "seed", 1, INT64_MAX, &k->seed));
    HONE_TRY(count_of(&t->set, "max_tokens", 2048, 1 << 20, &most));
    k->columns = t->columns;
    k->skip_bad = t->skip_bad;
    if ((k->by != NULL) + (t->policy != NULL) + (store != NULL) > 1)
        return hone_fail(HONE_E_USAGE, "by, ifd and verdicts are three different scores");
    if (judge && !store)
        return hone_fail(HONE_E_USAGE, "judge is one of verdicts");
    if (t->policy && (!question || !answer))
        return hone_fail(HONE_E_USAGE, "ifd needs question and answer: names of columns");
    t->scored = k->by || t->policy || store;
    if (store) {
        HONE_TRY(may_read(t, &store));
        hone_jw_kcstr(&t->w, "verdicts", store);
        hone_jw_kcstr(&t->w, "judge", judge);
        HONE_TRY(hone_verdicts_open(store, judge, t->in, &t->verdicts));
        k->score = hone_verdicts_score;
        k->ctx = t->verdicts;
    }
    if (t->policy) {
        const char *model = NULL;
        HONE_TRY(text_of(t, &t->set, "ifd", &model));
        hone_jw_kcstr(&t->w, "ifd", model);
        hone_jw_kcstr(&t->w, "question", question);
        hone_jw_kcstr(&t->w, "answer", answer);
        hone_jw_kbool(&t->w, "raw", raw);
        hone_jw_ki64(&t->w, "max_tokens", (int64_t)most);
        HONE_TRY(hone_ifd_create(t->policy, question, answer, raw, most, &t->ifd));
        k->score = hone_ifd_score;
        k->ctx = t->ifd;
        k->every = 64;
    }
    return hone_select_settings(k, t->scored, &t->w);
}

static hone_status select_run(step *t)
{
    return hone_select_run(&t->select, t->in, t->r->env.pool, t->job, &t->out.select);
}

static void select_told(const step *t, hone_jw *w)
{
    hone_select_told(&t->select, t->scored, &t->out.select, w);
}

/* Numbers of a list, as many as there are files. */
static hone_status numbers_of(const step *t, const char *key, size_t n, double *out)
{
    const hone_value *v = hone_value_get(&t->set, key);
    if (!v || v->type != HONE_LIST || v->u.list.n != n)
        return hone_fail(HONE_E_USAGE, "%s: a number for each of %zu files is wanted", key, n);
    for (size_t i = 0; i < n; i++)
        out[i] = hone_value_number(&v->u.list.items[i]);
    return HONE_OK;
}

static hone_status split_spec(step *t)
{
    hone_split_spec *k = &t->split;
    int near = 0;
    if (t->n_out > HONE_SPLIT_MAX)
        return hone_fail(HONE_E_USAGE, "at most %d files", HONE_SPLIT_MAX);
    k->n = t->n_out;
    HONE_TRY(numbers_of(t, "shares", t->n_out, k->share));
    HONE_TRY(text_of(t, &t->set, "group", &k->group));
    HONE_TRY(hone_value_bool(&t->set, "near", 0, &near));
    HONE_TRY(count_of(&t->set, "seed", 1, INT64_MAX, &k->seed));
    if (k->group && near)
        return hone_fail(HONE_E_USAGE,
                         "group and near say different things of what stays together");
    t->cluster = (hone_cluster_spec)HONE_CLUSTER_DEFAULTS;
    HONE_TRY(hone_value_f64(&t->set, "threshold", .8, &t->cluster.threshold));
    t->cluster.near = 1;
    t->cluster.columns = t->columns;
    t->cluster.skip_bad = k->skip_bad = t->skip_bad;
    k->near = near ? &t->cluster : NULL;
    k->group = k->group ? k->group : t->columns;
    return hone_split_settings(k, &t->w);
}

static hone_status split_run(step *t)
{
    return hone_split_run(&t->split, t->in, t->r->env.pool, t->job, &t->out.split);
}

static void split_told(const step *t, hone_jw *w)
{
    hone_split_told(t->out_paths, t->n_out, &t->out.split, w);
}

static hone_status mix_spec(step *t)
{
    hone_mix_spec *k = &t->mix;
    k->n = t->n_in;
    HONE_TRY(numbers_of(t, "weights", t->n_in, k->weight));
    HONE_TRY(count_of(&t->set, "count", 0, INT64_MAX, &k->rows));
    HONE_TRY(count_of(&t->set, "seed", 1, INT64_MAX, &k->seed));
    HONE_TRY(hone_value_bool(&t->set, "repeat", 0, &k->repeat));
    HONE_TRY(hone_value_bool(&t->set, "stop_first", 0, &k->stop));
    HONE_TRY(hone_value_bool(&t->set, "by_bytes", 0, &k->by_bytes));
    for (size_t i = 0; i < t->n_in; i++)
        HONE_TRY(open_input(t, &t->in_paths[i], 1, &t->parts[i]));
    return hone_mix_settings(k, &t->w);
}

static hone_status mix_run(step *t)
{
    return hone_mix_run(&t->mix, t->parts, t->job, &t->out.mix);
}

static void mix_told(const step *t, hone_jw *w)
{
    hone_mix_told(t->in_paths, &t->mix, &t->out.mix, w);
}

/* What a recipe decided of each row: the list at stack index 2, field keep, which stands at index 4. */
static hone_status keep_spec(step *t)
{
    if (!lua_istable(t->L, 4))
        return hone_fail(HONE_E_USAGE, "keep is a list of texts");
    for (size_t i = 0; i < t->set.u.map.n; i++) {
        hone_jw_key_str(&t->w, t->set.u.map.pairs[i].key);
        hone_jw_value(&t->w, &t->set.u.map.pairs[i].value);
    }
    return HONE_OK;
}

static hone_status keep_run(step *t)
{
    const hone_input_row *rows;
    size_t n;
    hone_status s = HONE_OK;
    while (s >= 0 && (s = hone_input_next(t->in, &rows, &n)) > 0)
        for (size_t i = 0; s >= 0 && i < n; i++) {
            hone_str text;
            const int type = lua_rawgeti(t->L, 4, (lua_Integer)rows[i].n + 1);
            t->out.kept[0]++;
            if (type == LUA_TBOOLEAN && lua_toboolean(t->L, -1)) {
                t->out.kept[1]++;
                s = hone_job_keep(t->job, 0, &rows[i], NULL);
            } else if (type == LUA_TSTRING) {
                t->out.kept[1]++;
                text.ptr = lua_tolstring(t->L, -1, &text.len);
                s = hone_job_keep(t->job, 0, &rows[i], &text);
            }
            lua_pop(t->L, 1);
        }
    return s < 0 ? s : hone_job_finish(t->job, NULL, NULL);
}

static void keep_told(const step *t, hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)t->out.kept[0]);
    hone_jw_ki64(w, "kept", (int64_t)t->out.kept[1]);
}

static const struct {
    const char *name;
    hone_status (*spec)(step *t);
    hone_status (*run)(step *t);
    void (*told)(const step *t, hone_jw *w);
    const char *const *settings; /* names; NULL: any */
} steps[] = {
    {"dedup", dedup_spec, dedup_run, dedup_told,
     (const char *const[]){"columns", "skip_bad", "normalise", "seed", BANDS, NULL}},
    {"decontaminate", leak_spec, leak_run, leak_told,
     (const char *const[]){"columns", "skip_bad", "against", "against_columns", "ngram",
                           "min_words", "share", NULL}},
    {"filter", filter_spec, filter_run, filter_told,
     (const char *const[]){"columns", "skip_bad", "rules", "limits", "bad_words", NULL}},
    {"select", select_spec, select_run, select_told,
     (const char *const[]){"columns",  "skip_bad", "by",         "as",     "embedding",
                           "verdicts", "judge",    "question",   "answer", "lowest",
                           "raw",      "min",      "max",        "share",  "top",
                           "diverse",  "seed",     "max_tokens", "ifd",    NULL}},
    {"split", split_spec, split_run, split_told,
     (const char *const[]){"columns", "skip_bad", "shares", "group", "near", "threshold", "seed",
                           NULL}},
    {"mix", mix_spec, mix_run, mix_told,
     (const char *const[]){"weights", "count", "seed", "repeat", "stop_first", "by_bytes", NULL}},
    {"keep", keep_spec, keep_run, keep_told, NULL}};

static hone_status check_names(const step *t, size_t k)
{
    for (size_t i = 0; steps[k].settings && i < t->set.u.map.n; i++) {
        const hone_str key = t->set.u.map.pairs[i].key;
        size_t at = 0;
        while (steps[k].settings[at] && !hone_str_eq(key, steps[k].settings[at]))
            at++;
        if (steps[k].settings[at])
            continue;
        char name[64] = "";
        memcpy(name, key.ptr, key.len < sizeof name - 1 ? key.len : sizeof name - 1);
        const char *close = hone_closest(name, steps[k].settings);
        hone_fail(HONE_E_USAGE, "there is no setting \"%s\"", name);
        return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_USAGE;
    }
    return HONE_OK;
}

/* Everything up to the key: settings checked and written down. */
static hone_status begin(step *t, size_t k)
{
    const hone_value *set = hone_value_get(&t->all, "set");
    hone_buf what;
    hone_jw w;
    t->set = set && set->type == HONE_MAP ? *set : (hone_value){.type = HONE_MAP};
    HONE_TRY(check_names(t, k));
    HONE_TRY(texts_of(t, &t->all, "inputs", t->in_paths, &t->n_in));
    HONE_TRY(texts_of(t, &t->all, "out", t->out_paths, &t->n_out));
    HONE_TRY(text_of(t, &t->all, "report", &t->report));
    HONE_TRY(text_of(t, &t->all, "known", &t->known));
    if (steps[k].settings) {
        HONE_TRY(text_of(t, &t->set, "columns", &t->columns));
        HONE_TRY(hone_value_bool(&t->set, "skip_bad", 0, &t->skip_bad));
    }
    for (size_t i = 0; i < t->n_out; i++)
        HONE_TRY(hone__lua_may_write(t->r, t->out_paths[i]));
    if (t->report)
        HONE_TRY(hone__lua_may_write(t->r, t->report));
    HONE_TRY(open_input(t, t->in_paths, t->n_in, &t->in));
    hone_jw_init(&t->w, &t->settings, 0);
    hone_jw_map(&t->w);
    HONE_TRY(steps[k].spec(t));
    if (t->columns)
        hone_jw_kcstr(&t->w, "columns", t->columns);
    if (t->skip_bad)
        hone_jw_kbool(&t->w, "skip_bad", 1);
    hone_jw_end(&t->w);
    HONE_TRY(t->settings.failed);
    hone_buf_init(&what, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &what, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "step", t->name);
    hone_jw_kstr(&w, "settings", hone_buf_str(&t->settings));
    hone_jw_kbool(&w, "report", t->report != NULL);
    hone_jw_key(&w, "inputs");
    hone_status s = hone_input_identity(t->in, &w);
    hone_jw_end(&w);
    s = s < 0 ? s : hone_buf_check(&what, "the step");
    if (s >= 0)
        hone_sha256_of(what.ptr, what.len, t->key);
    hone_buf_release(&what);
    return s;
}

static int is_there(const step *t)
{
    if (!t->known || strcmp(t->known, t->key) != 0)
        return 0;
    for (size_t i = 0; i < t->n_out; i++)
        if (!hone_file_exists(t->out_paths[i]))
            return 0;
    return !t->report || hone_file_exists(t->report);
}

static hone_status work(step *t, size_t k, hone_value *result)
{
    const hone_job_spec spec = {.verb = t->name,
                                .settings = hone_buf_str(&t->settings),
                                .input = t->in,
                                .out = t->out_paths,
                                .n_out = t->n_out,
                                .report = t->report};
    hone_buf told;
    hone_jw w;
    if (!t->n_out)
        return hone_fail(HONE_E_USAGE, "an output is missing");
    HONE_TRY(hone_job_open(&spec, &t->job));
    HONE_TRY(steps[k].run(t));
    hone_job_close(t->job);
    t->job = NULL;
    hone_buf_init(&told, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &told, 0);
    hone_jw_map(&w);
    steps[k].told(t, &w);
    hone_jw_end(&w);
    hone_status s = hone_buf_check(&told, "the summary");
    if (s >= 0)
        s = hone_json_parse(told.ptr, told.len, "the summary", &t->a, result);
    hone_buf_release(&told);
    return s;
}

static int l_curate(lua_State *L)
{
    static step t; /* some KB; recipes are executed one at a time */
    const char *verb = luaL_checkstring(L, 1);
    hone_value result = {.type = HONE_NULL};
    size_t k = 0;
    while (k < sizeof steps / sizeof *steps && strcmp(verb, steps[k].name) != 0)
        k++;
    luaL_argcheck(L, k < sizeof steps / sizeof *steps, 1, "there is no such step");
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    memset(&t, 0, sizeof t);
    t.policy = lua_isnil(L, 3) ? NULL : hone__lua_check(L, 3, HONE_LUA_POLICY);
    lua_getfield(L, 2, "keep");
    lua_pushnil(L); /* it is no part of the settings */
    lua_setfield(L, 2, "keep");
    lua_getfield(L, 2, "name");
    t.L = L;
    t.r = hone__lua_recipe(L);
    hone_arena_init(&t.a, (size_t)1 << 30);
    hone_buf_init(&t.settings, HONE_BUF_MAX_DEFAULT);
    hone_status s = hone__lua_options(L, 2, &t.a, &t.all);
    t.name = lua_isstring(L, 5) ? lua_tostring(L, 5) : verb;
    if (s >= 0)
        s = begin(&t, k);
    const int there = s >= 0 && is_there(&t);
    if (s >= 0 && !there)
        s = work(&t, k, &result);
    if (s >= 0) {
        lua_pushstring(L, t.key);
        if (there)
            lua_pushnil(L);
        else
            hone_lua_push_value(L, &result);
    } else {
        hone_fail_at("%s", t.name);
    }
    hone_job_close(t.job);
    hone_leaks_destroy(t.leaks);
    hone_verdicts_close(t.verdicts);
    hone_ifd_destroy(t.ifd);
    hone_phrases_free(t.bad);
    for (size_t i = 0; i < t.n_in && i < PATHS_MAX; i++)
        hone_input_close(t.parts[i]);
    hone_input_close(t.items);
    hone_input_close(t.in);
    hone_buf_release(&t.settings);
    hone_arena_release(&t.a);
    return s < 0 ? hone_lua_raise(L) : 2;
}

/* ---- novelty -------------------------------------------------------------------------------------------------------- */

static hone_str check_text(lua_State *L, int index)
{
    hone_str text;
    text.ptr = luaL_checklstring(L, index, &text.len);
    luaL_argcheck(L, hone_utf8_valid(text), index, "the text is no UTF-8");
    return text;
}

static void novelty_release(void *p)
{
    hone_novelty_destroy(p);
}

static int l_novelty(lua_State *L)
{
    hone_novelty *n = NULL;
    if (hone_novelty_create(&n) < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, n, HONE_LUA_NOVELTY);
    return 1;
}

static int l_novelty_add(lua_State *L)
{
    hone_novelty *n = hone__lua_check(L, 1, HONE_LUA_NOVELTY);
    if (hone_novelty_add(n, check_text(L, 2)) < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_novelty_look(lua_State *L)
{
    hone_novelty *n = hone__lua_check(L, 1, HONE_LUA_NOVELTY);
    double score = 0;
    size_t which = HONE_NOVELTY_NONE;
    if (hone_novelty_look(n, check_text(L, 2), luaL_checknumber(L, 3), &which, &score) < 0)
        return hone_lua_raise(L);
    if (which == HONE_NOVELTY_NONE)
        return 0;
    lua_pushnumber(L, score);
    lua_pushinteger(L, (lua_Integer)which + 1);
    return 2;
}

static int l_novelty_compared(lua_State *L)
{
    hone_novelty *n = hone__lua_check(L, 1, HONE_LUA_NOVELTY);
    lua_pushinteger(L, (lua_Integer)hone_novelty_compared(n));
    return 1;
}

static int l_rouge_l(lua_State *L)
{
    hone_novelty *n = NULL;
    double score = 0;
    size_t which;
    const hone_str a = check_text(L, 1), b = check_text(L, 2);
    hone_status s = hone_novelty_create(&n);
    if (s >= 0)
        s = hone_novelty_add(n, b);
    if (s >= 0)
        s = hone_novelty_look(n, a, 0, &which, &score);
    hone_novelty_destroy(n);
    if (s < 0)
        return hone_lua_raise(L);
    lua_pushnumber(L, score);
    return 1;
}

/* ---- leaks ---------------------------------------------------------------------------------------------------------- */

typedef struct leak_box {
    hone_leaks *leaks;
    hone_input *items;
} leak_box;

static void leaks_release(void *p)
{
    leak_box *b = p;
    hone_leaks_destroy(b->leaks);
    hone_input_close(b->items);
    hone_free(b);
}

static int l_leaks(lua_State *L)
{
    static step t;
    leak_box *b = hone_calloc(1, sizeof *b);
    if (!b)
        return hone_lua_raise(L);
    hone__lua_push(L, b, HONE_LUA_LEAKS);
    memset(&t, 0, sizeof t);
    t.r = hone__lua_recipe(L);
    hone_arena_init(&t.a, 0);
    hone_buf_init(&t.settings, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&t.w, &t.settings, 0);
    hone_jw_map(&t.w);
    hone_status s = hone__lua_options(L, 1, &t.a, &t.set);
    if (s >= 0)
        s = leak_spec(&t);
    b->items = t.items;
    if (s >= 0)
        s = hone_leaks_create(&t.leak, b->items, t.r->env.pool, &b->leaks);
    hone_buf_release(&t.settings);
    hone_arena_release(&t.a);
    return s < 0 ? hone_lua_raise(L) : 1;
}

static int l_leaks_look(lua_State *L)
{
    const leak_box *b = hone__lua_check(L, 1, HONE_LUA_LEAKS);
    uint32_t file = 0;
    uint64_t line = 0;
    hone_status s = hone_leaks_look(b->leaks, check_text(L, 2), &file, &line);
    if (s < 0)
        return hone_lua_raise(L);
    if (s == 0)
        return 0;
    lua_pushstring(L, hone_input_path(b->items, file));
    lua_pushinteger(L, (lua_Integer)line);
    return 2;
}

void hone__lua_open_curate(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"curate", l_curate},
                                     {"novelty", l_novelty},
                                     {"novelty_add", l_novelty_add},
                                     {"novelty_look", l_novelty_look},
                                     {"novelty_compared", l_novelty_compared},
                                     {"rouge_l", l_rouge_l},
                                     {"leaks", l_leaks},
                                     {"leaks_look", l_leaks_look},
                                     {NULL, NULL}};
    hone__lua_type(L, HONE_LUA_NOVELTY, novelty_release);
    hone__lua_type(L, HONE_LUA_LEAKS, leaks_release);
    luaL_setfuncs(L, funcs, 0);
}
