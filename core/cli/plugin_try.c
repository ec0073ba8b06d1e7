/* plugin_try.c - `hone plugin try`: what a reward says of a file of samples, as its author wants to see it.
 *
 * The rows go through the scoring layer as with `hone score`. Shown are the outcomes, a histogram of the scores, how long
 * calls take, and the ten strangest samples: those whose outcome few others have (bits: minus the logarithm of its share), or
 * whose completion is far from the usual length (distance from the median length in deviations, beyond three). A score
 * that differs between equal samples is stranger than both. (plugin-abi.md 9) */
#include "host/grant.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "cli/bench_plugins.h"
#include "cli/component.h"
#include "cli/env.h"
#include "cli/out.h"
#include "cli/score_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 10, STRANGEST = 10, SHOWN = 160, WIDTH = 40 };

static hone_arg_list paths, sets, allow;
static int json, skip_bad;
static const char *data, *source;
static double deadline = 60;

typedef struct tried {
    uint64_t number, what; /* what: hash of the row but its id */
    uint32_t status;
    float score;
    double length, strange;
    uint32_t bin;    /* of the score; BINS + status otherwise */
    uint8_t unequal; /* an equal sample has another outcome */
    char reason[96];
} tried;

typedef struct trying {
    hone_registry *registry;
    hone_env env; /* what it may ask of models */
    hone_instance *inst;
    hone_scorer *scorer;
    tried *v;
    size_t n, cap;
    double *p50, *p95; /* of each job */
    size_t jobs, cap_jobs;
    size_t status[5];
    size_t bins[BINS + 5];
    double low, high, sum, square, median_length, deviation;
    size_t order[STRANGEST], n_order;
    struct text {
        hone_str id, prompt, completion;
    } texts[STRANGEST];
    hone_arena arena;
} trying;

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* ---- collecting -------------------------------------------------------------------------------- */

static hone_status grow(void *array, size_t *cap, size_t n, size_t size)
{
    void **p = array;
    if (n < *cap)
        return HONE_OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *q = hone_reallocarray(*p, more, size);
    if (!q)
        return HONE_E_NOMEM;
    *p = q;
    *cap = more;
    return HONE_OK;
}

static hone_status keep_latency(trying *t, const hone_score_job *job)
{
    size_t cap = t->cap_jobs;
    HONE_TRY(grow(&t->p50, &cap, t->jobs, sizeof *t->p50));
    HONE_TRY(grow(&t->p95, &t->cap_jobs, t->jobs, sizeof *t->p95));
    hone_score_latency(job, 0, &t->p50[t->jobs], &t->p95[t->jobs]);
    t->jobs++;
    return HONE_OK;
}

/* Of everything in the row but its id. */
static hone_status content(const hone_value *row, uint64_t *out)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    for (size_t i = 0; i < row->u.map.n; i++) {
        if (hone_str_eq(row->u.map.pairs[i].key, "id"))
            continue;
        hone_jw_init(&w, &b, 0);
        hone_jw_str(&w, row->u.map.pairs[i].key);
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, &row->u.map.pairs[i].value);
    }
    *out = hone_xxh64(b.ptr, b.len, 0);
    hone_status s = b.failed;
    hone_buf_release(&b);
    return s;
}

static hone_status collect(void *ctx, const hone_score_job *job, const hone_value *rows,
                           const hone_sample *samples, size_t n, uint64_t first)
{
    trying *t = ctx;
    HONE_TRY(keep_latency(t, job));
    for (size_t i = 0; i < n; i++) {
        const hone_score_result *r = hone_score_get(job, 0, i);
        HONE_TRY(grow(&t->v, &t->cap, t->n, sizeof *t->v));
        tried *x = &t->v[t->n++];
        memset(x, 0, sizeof *x);
        x->number = first + i;
        x->status = r->status;
        x->score = r->status == HONE_SCORE ? r->score : 0;
        x->length = (double)samples[i].completion.len;
        HONE_TRY(content(&rows[i], &x->what));
        size_t cut = r->reason.len < sizeof x->reason ? r->reason.len : sizeof x->reason - 1;
        while (cut < r->reason.len && cut > 0 && ((unsigned char)r->reason.ptr[cut] & 0xC0) == 0x80)
            cut--; /* not inside a character */
        if (cut)
            memcpy(x->reason, r->reason.ptr, cut);
    }
    return HONE_OK;
}

/* ---- what is usual, what is strange -------------------------------------------------------------- */

static void histogram(trying *t)
{
    size_t scored = 0;
    for (size_t i = 0; i < t->n; i++) {
        const tried *x = &t->v[i];
        t->status[x->status < 5 ? x->status : HONE_ERROR]++;
        if (x->status != HONE_SCORE)
            continue;
        double s = (double)x->score;
        if (!scored || s < t->low)
            t->low = s;
        if (!scored || s > t->high)
            t->high = s;
        scored++;
        t->sum += s;
        t->square += s * s;
    }
    for (size_t i = 0; i < t->n; i++) {
        tried *x = &t->v[i];
        double place = t->high > t->low ? ((double)x->score - t->low) / (t->high - t->low) * BINS
                                        : 0;
        x->bin = x->status != HONE_SCORE ? BINS + (x->status < 5 ? x->status : HONE_ERROR)
                 : place >= BINS         ? BINS - 1
                                         : (uint32_t)place;
        t->bins[x->bin]++;
    }
}

static hone_status usual_length(trying *t)
{
    double *v = hone_calloc(t->n + 1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < t->n; i++)
        v[i] = t->v[i].length;
    qsort(v, t->n, sizeof *v, by_value);
    t->median_length = v[t->n / 2];
    for (size_t i = 0; i < t->n; i++)
        v[i] = fabs(log1p(t->v[i].length) - log1p(t->median_length));
    qsort(v, t->n, sizeof *v, by_value);
    t->deviation = 1.4826 * v[t->n / 2]; /* of a normal distribution */
    if (t->deviation < 0.1)
        t->deviation = 0.1;
    hone_free(v);
    return HONE_OK;
}

static int by_content(const void *a, const void *b)
{
    const tried *const *x = a, *const *y = b;
    if ((*x)->what != (*y)->what)
        return (*x)->what < (*y)->what ? -1 : 1;
    return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

static hone_status equal_samples(trying *t)
{
    tried **v = hone_calloc(t->n + 1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < t->n; i++)
        v[i] = &t->v[i];
    qsort(v, t->n, sizeof *v, by_content);
    for (size_t begin = 0, end; begin < t->n; begin = end) {
        int differ = 0;
        for (end = begin; end < t->n && v[end]->what == v[begin]->what; end++)
            differ |= v[end]->status != v[begin]->status || v[end]->score < v[begin]->score ||
                      v[end]->score > v[begin]->score;
        for (size_t i = begin; differ && i < end; i++)
            v[i]->unequal = 1;
    }
    hone_free(v);
    return HONE_OK;
}

static double length_deviations(const trying *t, const tried *x)
{
    return fabs(log1p(x->length) - log1p(t->median_length)) / t->deviation;
}

static void strangest(trying *t)
{
    for (size_t i = 0; i < t->n; i++) {
        tried *x = &t->v[i];
        double far = length_deviations(t, x);
        x->strange = -log2((double)t->bins[x->bin] / (double)t->n) + (far > 3 ? far : 0) +
                     (x->unequal ? 100 : 0);
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t k = t->n_order;
        if (t->v[i].strange < 0.1) /* as nearly all others are */
            continue;
        while (k > 0 && t->v[t->order[k - 1]].strange < t->v[i].strange)
            k--;
        if (k >= STRANGEST)
            continue;
        size_t last = t->n_order < STRANGEST ? t->n_order++ : STRANGEST - 1;
        memmove(&t->order[k + 1], &t->order[k], (last - k) * sizeof *t->order);
        t->order[k] = i;
    }
}

/* The first characters of a text on one line. */
static hone_str shorten(trying *t, hone_str s)
{
    size_t n = s.len < SHOWN ? s.len : SHOWN;
    while (n < s.len && n > 0 && ((unsigned char)s.ptr[n] & 0xC0) == 0x80)
        n--; /* not inside a character */
    char *p = hone_arena_strndup(&t->arena, s.ptr ? s.ptr : "", n);
    for (size_t i = 0; p && i < n; i++)
        if ((unsigned char)p[i] < 0x20)
            p[i] = ' ';
    return (hone_str){p, p ? n : 0};
}

/* The texts of the strangest, from the file again: only those are kept in memory. */
static hone_status fetch_texts(trying *t)
{
    hone_data *rows;
    hone_arena arena;
    hone_value row;
    hone_sample sample;
    hone_status s;
    uint64_t number = 0;
    HONE_TRY(hone_cli_open_data(t->registry, source, data, skip_bad ? "skip" : NULL, &rows));
    hone_arena_init(&arena, 0);
    while ((s = hone_data_next(rows, &arena, &row)) > 0) {
        number++;
        for (size_t k = 0; k < t->n_order; k++) {
            if (t->v[t->order[k]].number != number)
                continue;
            s = hone_cli_sample(data, &row, number, &arena, &sample);
            if (s < 0)
                goto done;
            const hone_value *id = hone_value_get(&row, "id");
            t->texts[k].prompt = shorten(t, sample.prompt);
            t->texts[k].completion = shorten(t, sample.completion);
            if (id && id->type == HONE_STRING)
                t->texts[k].id = shorten(t, id->u.str);
        }
        hone_arena_clear(&arena);
    }
done:
    hone_arena_release(&arena);
    hone_data_close(rows);
    return s;
}

static void why(const trying *t, const tried *x, char *to, size_t size)
{
    double far = length_deviations(t, x);
    size_t same = t->bins[x->bin];
    int n = 0;
    if (x->unequal)
        n += snprintf(to, size, "an equal sample has another outcome; ");
    n += snprintf(to + n, size - (size_t)n, "%zu of %zu have %s", same, t->n,
                  x->status == HONE_SCORE ? "a score near this" : "this outcome");
    if (far > 3)
        snprintf(to + n, size - (size_t)n, "; %.0f bytes long where the median is %.0f", x->length,
                 t->median_length);
}

/* ---- printing ---------------------------------------------------------------------------------- */

static double bound(const trying *t, int bin)
{
    return t->low + (t->high - t->low) * bin / BINS;
}

static int bins_of(const trying *t)
{
    return t->high > t->low ? BINS : 1;
}

static void latency(trying *t, double *p50, double *p95)
{
    qsort(t->p50, t->jobs, sizeof *t->p50, by_value);
    qsort(t->p95, t->jobs, sizeof *t->p95, by_value);
    *p50 = t->jobs ? t->p50[t->jobs / 2] : 0;
    *p95 = t->jobs ? t->p95[t->jobs - 1] : 0;
}

static void print_text(trying *t)
{
    static const int kinds[] = {HONE_SCORE, HONE_ABSTAIN, HONE_ERROR, HONE_TIMEOUT};
    size_t scored = t->status[HONE_SCORE], most = 1;
    double mean = scored ? t->sum / (double)scored : 0, p50, p95;
    double var = scored ? t->square / (double)scored - mean * mean : 0;
    printf("%s: %zu samples\n\n", hone_instance_id(t->inst), t->n);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (t->status[kinds[i]])
            printf("  %-8s %8zu  %5.1f %%\n", hone_cli_status_word((uint32_t)kinds[i]),
                   t->status[kinds[i]], 100.0 * (double)t->status[kinds[i]] / (double)t->n);
    latency(t, &p50, &p95);
    printf("  a batch of %d: %.3f ms median, %.3f ms at most\n", HONE_CLI_SCORE_BATCH, 1e3 * p50,
           1e3 * p95);
    if (scored) {
        printf("\nscores from %g to %g, mean %.4f, deviation %.4f\n", t->low, t->high, mean,
               sqrt(var > 0 ? var : 0));
        for (int i = 0; i < bins_of(t); i++)
            most = t->bins[i] > most ? t->bins[i] : most;
        for (int i = 0; i < bins_of(t); i++) {
            int bar = (int)((t->bins[i] * WIDTH + most - 1) / most);
            printf("  %10.4g %8zu  %.*s\n", bound(t, i), t->bins[i], bar,
                   "########################################");
        }
    }
    if (t->n_order)
        printf("\nthe strangest samples:\n");
    for (size_t k = 0; k < t->n_order; k++) {
        const tried *x = &t->v[t->order[k]];
        char text[256];
        why(t, x, text, sizeof text);
        printf("  row %llu%s%.*s  %s", (unsigned long long)x->number,
               t->texts[k].id.len ? ", " : "", (int)t->texts[k].id.len,
               t->texts[k].id.len ? t->texts[k].id.ptr : "", hone_cli_status_word(x->status));
        if (x->status == HONE_SCORE)
            printf(" %g", (double)x->score);
        printf("%s%s%s: %s\n    prompt      %.*s\n    completion  %.*s\n", x->reason[0] ? " (" : "",
               x->reason, x->reason[0] ? ")" : "", text, (int)t->texts[k].prompt.len,
               t->texts[k].prompt.len ? t->texts[k].prompt.ptr : "",
               (int)t->texts[k].completion.len,
               t->texts[k].completion.len ? t->texts[k].completion.ptr : "");
    }
}

static void put_strange(trying *t, hone_jw *w)
{
    hone_jw_key(w, "strangest");
    hone_jw_list(w);
    for (size_t k = 0; k < t->n_order; k++) {
        const tried *x = &t->v[t->order[k]];
        char text[256];
        why(t, x, text, sizeof text);
        hone_jw_map(w);
        hone_jw_ki64(w, "row", (int64_t)x->number);
        hone_jw_kcstr(w, "status", hone_cli_status_word(x->status));
        if (x->status == HONE_SCORE) {
            hone_jw_key(w, "score");
            hone_jw_f32(w, x->score);
        } else if (x->reason[0]) {
            hone_jw_kcstr(w, "reason", x->reason);
        }
        hone_jw_kcstr(w, "why", text);
        hone_jw_kstr(w, "prompt", t->texts[k].prompt);
        hone_jw_kstr(w, "completion", t->texts[k].completion);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static hone_status print_json(trying *t)
{
    size_t scored = t->status[HONE_SCORE];
    double mean = scored ? t->sum / (double)scored : 0, p50, p95;
    double var = scored ? t->square / (double)scored - mean * mean : 0;
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 24);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "component", hone_instance_id(t->inst));
    hone_jw_ki64(&w, "samples", (int64_t)t->n);
    hone_jw_key(&w, "outcomes");
    hone_jw_map(&w);
    for (uint32_t i = HONE_SCORE; i <= HONE_TIMEOUT; i++)
        hone_jw_ki64(&w, hone_cli_status_word(i), (int64_t)t->status[i]);
    hone_jw_end(&w);
    if (scored) {
        hone_jw_kf64(&w, "mean", mean);
        hone_jw_kf64(&w, "std", sqrt(var > 0 ? var : 0));
    }
    hone_jw_key(&w, "histogram");
    hone_jw_list(&w);
    for (int i = 0; scored && i < bins_of(t); i++) {
        hone_jw_map(&w);
        hone_jw_kf64(&w, "from", bound(t, i));
        hone_jw_kf64(&w, "to", bins_of(t) == 1 ? t->high : bound(t, i + 1));
        hone_jw_ki64(&w, "n", (int64_t)t->bins[i]);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    latency(t, &p50, &p95);
    hone_jw_key(&w, "batch_ms");
    hone_jw_map(&w);
    hone_jw_kf64(&w, "median", 1e3 * p50);
    hone_jw_kf64(&w, "most", 1e3 * p95);
    hone_jw_end(&w);
    put_strange(t, &w);
    hone_jw_end(&w);
    hone_status s = b.failed;
    if (s >= 0)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

static hone_status try_it(trying *t, const char *name)
{
    hone_ref ref;
    hone_data *rows;
    HONE_TRY(hone_cli_open_registry(&paths, &t->registry));
    HONE_TRY(hone_registry_allow(t->registry, allow.v));
    HONE_TRY(hone_cli_desk_open(t->registry, &t->env));
    HONE_TRY(hone_cli_instance(t->registry, HONE_KIND_REWARD, HONE_IFACE_REWARD, name, &sets, NULL,
                               &t->arena, &t->inst, &ref));
    hone_score_component c = {.id = hone_instance_info(t->inst)->short_name,
                              .lane = {ref.vt, ref.self, t->inst},
                              .caps = hone_instance_caps(t->inst),
                              .weight = 1,
                              .timeout_s = deadline,
                              .batch = HONE_CLI_SCORE_BATCH};
    if (!(c.caps & HONE_CAP_BATCH_INVARIANT))
        c.batch = 0;
    HONE_TRY(hone_scorer_create(&c, 1, 0, &t->scorer));
    HONE_TRY(hone_cli_open_data(t->registry, source, data, skip_bad ? "skip" : NULL, &rows));
    hone_status s = hone_cli_score_rows(t->scorer, rows, data, collect, t);
    hone_data_close(rows);
    if (s >= 0 && t->n == 0)
        s = hone_fail(HONE_E_INVALID, "%s: it has no rows", data);
    HONE_TRY(s);
    histogram(t);
    HONE_TRY(usual_length(t));
    HONE_TRY(equal_samples(t));
    strangest(t);
    HONE_TRY(fetch_texts(t));
    if (json)
        return print_json(t);
    print_text(t);
    return HONE_OK;
}

int hone_cli_plugin_try(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"data", HONE_ARG_STR, &data, "FILE", "rows with prompt, completion and any columns"},
        {"set", HONE_ARG_LIST, &sets, "K=V", "a setting of the reward"},
        {"source", HONE_ARG_STR, &source, "NAME",
         "the source component (json for an array, else jsonl)"},
        {"skip-bad", HONE_ARG_FLAG, &skip_bad, NULL, "leave malformed rows out"},
        {"deadline", HONE_ARG_F64, &deadline, "S", "seconds for a batch of 64 (60)"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "PLUGIN:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {
        "hone plugin try ./my_reward.so --data samples.jsonl",
        "hone plugin try length --set value=200 --data samples.jsonl --json", NULL};
    static const hone_args spec = {
        "plugin try",
        "REWARD|FILE.so --data FILE [options]",
        "What a reward says of a file of samples: outcomes, a histogram of the scores, how long\n"
        "it takes, and the ten strangest samples. `hone score` has every outcome.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!data)
        return hone_cli_usage("plugin try", "--data FILE is missing");
    if (!(deadline > 0))
        return hone_cli_usage("plugin try", "--deadline is a number of seconds");
    trying *t = hone_calloc(1, sizeof *t);
    if (!t)
        return hone_cli_fail(HONE_E_NOMEM);
    hone_arena_init(&t->arena, 0);
    int code = hone_cli_fail(try_it(t, rest.v[0]));
    hone_scorer_destroy(t->scorer);
    hone_instance_unref(t->inst);
    hone_cli_desk_close(&t->env);
    hone_registry_close(t->registry);
    hone_arena_release(&t->arena);
    hone_free(t->v);
    hone_free(t->p50);
    hone_free(t->p95);
    hone_free(t);
    return code;
}
