/* bench_all.c - `hone bench all`: every figure beside its limit, the median of some runs, and how cost grows with work.
 *
 * A figure is one number of one benchmark (or the time that a command takes), run in a process of its own, so that its
 * peak memory is its own and its limit was measured just before and after. Rounds go through all figures in turn: what
 * else the machine does then falls on all of them. A benchmark that fails tells why on stderr and has no figure.
 *
 * Does not measure anything itself, but for the time of whole commands. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_run.h"
#include "cli/out.h"
#include "ops/cpu.h"
#include "hone/plugin.h"
#include "tensor/pool.h"
#include "web/bench_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 24, REPEAT_MAX = 25, POINTS = 4 };

/* A row: `command` in words, M standing for the model and F for the text file; the number is at `value` of its JSON (dotted;
 * NULL: the time of the command), the share of the limit at `share` (NULL: none). less: fewer is better. */
static const struct figure {
    const char *name, *unit, *command, *value, *share;
    int less;
} figures[] = {
    {"full fine-tuning, 4 x 256", "tokens/s", "bench train M --steps 3", "tokens_per_s", "of_limit",
     0},
    {"LoRA r16, 4 x 256", "tokens/s", "bench train M --lora 16 --steps 3", "tokens_per_s",
     "of_limit", 0},
    {"LoRA r16, weights bf16", "tokens/s", "bench train M --lora 16 --steps 3 --storage bf16",
     "tokens_per_s", "of_limit", 0},
    {"GRPO step, 2 x 8 x 64, prompts of 50", "s", "bench grpo M --steps 2", "step_s", "of_limit",
     1},
    {"GRPO step, tiny, 4 x 8 x 32, prompts of 100", "s",
     "bench grpo tiny --prompts 4 --samples 8 --prompt-tokens 100 --tokens 32 --steps 5", "step_s",
     "of_limit", 1},
#define DECODE(N, name, options)                                                                   \
    {                                                                                              \
        "decode, " N ", " name, "tokens/s", "bench generate M --tokens 48 --sequences " options,   \
            "decode_tokens_per_s", "decode_of_limit", 0                                            \
    }
    DECODE("1", "f32", "1"),
    DECODE("1", "bf16", "1 --storage bf16"),
    DECODE("1", "q8_0", "1 --storage q8_0"),
    DECODE("1", "q8_0, int8", "1 --storage q8_0 --precision int8"),
    DECODE("1", "q4_0", "1 --storage q4_0"),
    DECODE("1", "q4_0, int8", "1 --storage q4_0 --precision int8"),
    DECODE("1", "q4_1, int8", "1 --storage q4_1 --precision int8"),
    DECODE("1", "q4_k, int8", "1 --storage q4_k --precision int8"),
    DECODE("16", "f32", "16"),
    DECODE("16", "bf16", "16 --storage bf16"),
    DECODE("16", "q8_0, int8", "16 --storage q8_0 --precision int8"),
    DECODE("16", "q4_0, int8", "16 --storage q4_0 --precision int8"),
#undef DECODE
    {"prefill, 256 tokens", "tokens/s", "bench generate M --sequences 1 --prompt 256 --tokens 2",
     "prefill_tokens_per_s", "prefill_of_limit", 0},
    {"attention, 256 tokens", "GFLOP/s", "bench ops", "figures.0.forward_gflops",
     "figures.0.forward_share", 0},
    {"attention, 2000 tokens", "GFLOP/s", "bench ops", "figures.1.forward_gflops",
     "figures.1.forward_share", 0},
    {"tokenizing, one thread", "MB/s", "bench tokenize M --input F", "mb_per_s", "of_limit", 0},
    {"hone --version", "ms", "--version", NULL, NULL, 1},
    {"loading, f32", "s", "bench generate M --sequences 1 --prompt 1 --tokens 2", "load_s", NULL,
     1},
    {"loading, as in the file", "s",
     "bench generate M --sequences 1 --prompt 1 --tokens 2 --storage keep", "load_s", NULL, 1},
    {"first step of GRPO, tiny, 4 x 8 x 32", "s", "bench start --grpo --runs 1", "first_step_s",
     NULL, 1},
    {"first step of quickstart", "s", "bench start --runs 1", "first_step_without_eval_s", NULL, 1},
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* How cost grows: X in `command` stands for each of x; R for a file of that many rows. */
static const struct law {
    const char *title, *note, *unit, *command, *value;
    const char *x[POINTS];
} laws[] = {
    {"Threads",
     "training, tokens/s",
     "tokens/s",
     "bench train M --batch 2 --tokens 128 --steps 2 --threads X",
     "tokens_per_s",
     {"1", "2", "3"}},
    {"Samples a prompt",
     "generation, new tokens/s: a prompt is paid for once",
     "tokens/s",
     "bench grpo M --prompts 2 --prompt-tokens 100 --tokens 16 --steps 1 --samples X",
     "generate_tokens_per_s",
     {"2", "8", "32"}},
    {"Tokens a sequence",
     "training, tokens/s",
     "tokens/s",
     "bench train M --batch 1 --steps 2 --tokens X",
     "tokens_per_s",
     {"64", "256", "512", "2048"}},
    {"Rows of data",
     "seconds to the first step of SFT",
     "s",
     "bench start sft model=tiny data=R --runs 1",
     "first_step_without_eval_s",
     {"1000", "10000", "100000"}},
};
enum { LAWS = sizeof laws / sizeof *laws };

struct asked {
    const char *model, *text, *only, *dir;
    int64_t repeat;
    double yardstick;
};

/* ---- one run -------------------------------------------------------------------------------------- */

/* The number at a dotted path of keys and places; NAN. */
static double number_at(const hone_value *v, const char *path)
{
    while (v && *path) {
        char key[64];
        const size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        if (v->type == HONE_LIST) {
            const size_t i = (size_t)(key[0] - '0');
            v = i < v->u.list.n ? &v->u.list.items[i] : NULL;
        } else {
            v = hone_value_get(v, key);
        }
        path += n + (path[n] == '.');
    }
    return v && v->type == HONE_F64   ? v->u.f64
           : v && v->type == HONE_I64 ? (double)v->u.i64
                                      : (double)NAN;
}

static hone_status rows_file(const struct asked *q, const char *rows, hone_arena *a, char **path)
{
    hone_buf b;
    char *own = hone_path_join(q->dir, rows);
    hone_buf_init(&b, (size_t)1 << 28);
    const int64_t n = strtoll(rows, NULL, 10);
    for (int64_t i = 0; i < n; i++)
        hone_buf_addf(&b, "{\"prompt\": \"Leo has %lld stickers.\", \"completion\": \"%lld\"}\n",
                      (long long)i, (long long)i);
    hone_status s = own ? b.failed : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_file_replace(own, b.ptr, b.len);
    hone_buf_clear(&b);
    if (s >= 0) {
        hone_buf_addf(&b, "data=%s", own);
        s = b.failed;
    }
    *path = s >= 0 ? hone_arena_strndup(a, b.ptr, b.len) : NULL;
    hone_free(own);
    hone_buf_release(&b);
    return s < 0 || *path ? s : HONE_E_NOMEM;
}

static hone_str whole(const char *z)
{
    return (hone_str){z, strlen(z)};
}

/* What a word of a command is in this run. E_NOT_FOUND: it stands for something that was not given. */
static hone_status word_of(const struct asked *q, hone_str word, const char *x, hone_arena *a,
                           char **out)
{
    char *rows;
    hone_str is = word;
    if (hone_str_eq(word, "M"))
        is = whole(q->model);
    else if (hone_str_eq(word, "X"))
        is = whole(x);
    else if (hone_str_eq(word, "F") && !q->text)
        return hone_fail(HONE_E_NOT_FOUND, "no text was given");
    else if (hone_str_eq(word, "F"))
        is = whole(q->text);
    else if (hone_str_eq(word, "data=R")) {
        HONE_TRY(rows_file(q, x, a, &rows));
        is = whole(rows);
    }
    *out = hone_arena_strndup(a, is.ptr, is.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status words_of(const struct asked *q, const char *command, const char *x,
                            hone_arena *a, char **argv)
{
    int k = 0;
    argv[k++] = (char *)"hone";
    for (const char *p = command; *p && k < WORDS - 3;) {
        const size_t len = strcspn(p, " ");
        HONE_TRY(word_of(q, (hone_str){p, len}, x, a, &argv[k++]));
        p += len + (p[len] == ' ');
    }
    if (strcmp(command, "--version") == 0)
        return HONE_OK;
    char *seconds = hone_arena_alloc(a, 32);
    if (!seconds)
        return HONE_E_NOMEM;
    snprintf(seconds, 32, "--yardstick=%g", q->yardstick);
    argv[k++] = seconds;
    argv[k++] = (char *)"--json";
    return HONE_OK;
}

struct result {
    double value, share, peak_mb;
};

static hone_status run_one(const struct asked *q, const char *command, const char *x,
                           const char *value, const char *share, struct result *out)
{
    char *argv[WORDS + 1] = {0};
    hone_arena a;
    hone_buf text;
    hone_value v;
    *out = (struct result){(double)NAN, (double)NAN, (double)NAN};
    hone_arena_init(&a, 0);
    hone_buf_init(&text, (size_t)1 << 24);
    hone_status s = words_of(q, command, x, &a, argv);
    if (s >= 0) {
        const double t = hone_now_s();
        s = hone__bench_child(argv, &text);
        if (s >= 0 && !value)
            out->value = 1e3 * (hone_now_s() - t);
        else if (s >= 0)
            s = hone_json_parse(text.ptr, text.len, command, &a, &v);
        if (s >= 0 && value) {
            out->value = number_at(&v, value);
            out->share = share ? number_at(&v, share) : (double)NAN;
            out->peak_mb = number_at(&v, "peak_mb");
        }
    }
    hone_buf_release(&text);
    hone_arena_release(&a);
    return s;
}

/* ---- all of them ---------------------------------------------------------------------------------- */

struct row {
    double value[REPEAT_MAX], share[REPEAT_MAX], peak[REPEAT_MAX];
    size_t n;
    int failed;
};

static int wanted(const struct asked *q, const char *name)
{
    return !q->only || strstr(name, q->only);
}

static hone_status measure_figures(const struct asked *q, struct row *rows)
{
    for (int64_t round = 0; round < q->repeat; round++)
        for (size_t i = 0; i < FIGURES; i++) {
            struct result r;
            if (!wanted(q, figures[i].name) || rows[i].failed)
                continue;
            hone_status s = run_one(q, figures[i].command, "", figures[i].value, figures[i].share,
                                    &r);
            if (s == HONE_E_NOMEM || s == HONE_E_INTERRUPTED)
                return s;
            if (s < 0 || isnan(r.value)) {
                rows[i].failed = 1;
                continue;
            }
            const size_t k = rows[i].n++;
            rows[i].value[k] = r.value;
            rows[i].share[k] = r.share;
            rows[i].peak[k] = r.peak_mb;
        }
    return HONE_OK;
}

static void optional(hone_jw *w, const char *key, double v)
{
    if (isfinite(v))
        hone_jw_kf64(w, key, v);
}

static void write_figure(hone_jw *w, const struct figure *f, struct row *r)
{
    const double value = hone__bench_median(r->value, r->n),
                 share = hone__bench_median(r->share, r->n);
    hone_jw_map(w);
    hone_jw_kcstr(w, "name", f->name);
    hone_jw_kcstr(w, "unit", f->unit);
    hone_jw_kf64(w, "value", value);
    if (isfinite(share) && share > 0) {
        hone_jw_kf64(w, "limit", f->less ? value * share : value / share);
        hone_jw_kf64(w, "of_limit", share);
    }
    optional(w, "peak_mb", hone__bench_median(r->peak, r->n));
    hone_jw_kcstr(w, "command", f->command);
    hone_jw_key(w, "runs");
    hone_jw_list(w);
    for (size_t i = 0; i < r->n; i++)
        hone_jw_f64(w, r->value[i]);
    hone_jw_end(w);
    hone_jw_end(w);
}

static hone_status write_law(const struct asked *q, hone_jw *w, const struct law *law)
{
    double x[POINTS], y[POINTS];
    size_t n = 0;
    for (size_t i = 0; i < POINTS && law->x[i]; i++) {
        double values[REPEAT_MAX];
        size_t k = 0;
        for (int64_t round = 0; round < q->repeat; round++) {
            struct result r;
            hone_status s = run_one(q, law->command, law->x[i], law->value, NULL, &r);
            if (s == HONE_E_NOMEM || s == HONE_E_INTERRUPTED)
                return s;
            if (s < 0 || isnan(r.value))
                break; /* it said why: a model of fewer positions, say */
            values[k++] = r.value;
        }
        if (k) {
            x[n] = strtod(law->x[i], NULL);
            y[n++] = hone__bench_median(values, k);
        }
    }
    hone_jw_map(w);
    hone_jw_kcstr(w, "title", law->title);
    hone_jw_kcstr(w, "note", law->note);
    hone_jw_kcstr(w, "unit", law->unit);
    hone_jw_kcstr(w, "command", law->command);
    for (int axis = 0; axis < 2; axis++) {
        hone_jw_key(w, axis ? "y" : "x");
        hone_jw_list(w);
        for (size_t i = 0; i < n; i++)
            hone_jw_f64(w, axis ? y[i] : x[i]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    return HONE_OK;
}

static hone_status write_all(const struct asked *q, int scale, hone_buf *out)
{
    const hone_cpu *c = hone_cpu_get();
    hone_jw w;
    hone_pool *pool;
    char version[32];
    HONE_TRY(hone_pool_create(0, &pool));
    struct row *rows = hone_calloc(FIGURES, sizeof *rows);
    hone_status s = rows ? measure_figures(q, rows) : HONE_E_NOMEM;
    hone_jw_init(&w, out, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "model", q->model);
    hone_jw_kcstr(&w, "cpu", c->brand);
    hone_jw_kcstr(&w, "kernels", hone_cpu_set_name(c->used));
    snprintf(version, sizeof version, "%u.%u.%u", HONE_SDK_VERSION >> 16,
             HONE_SDK_VERSION >> 8 & 0xFF, HONE_SDK_VERSION & 0xFF);
    hone_jw_kcstr(&w, "version", version);
    hone_jw_ki64(&w, "threads", hone_pool_threads(pool));
    hone_pool_destroy(pool);
    hone_jw_ki64(&w, "repeat", q->repeat);
    hone_jw_key(&w, "figures");
    hone_jw_list(&w);
    for (size_t i = 0; s >= 0 && i < FIGURES; i++)
        if (rows[i].n && !rows[i].failed)
            write_figure(&w, &figures[i], &rows[i]);
    hone_jw_end(&w);
    hone_jw_key(&w, "scale");
    hone_jw_list(&w);
    for (size_t i = 0; s >= 0 && scale && i < LAWS; i++)
        if (wanted(q, laws[i].title))
            s = write_law(q, &w, &laws[i]);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_free(rows);
    return s < 0 ? s : out->failed;
}

static void show(const hone_value *report)
{
    const hone_value *list = hone_value_get(report, "figures"),
                     *scale = hone_value_get(report, "scale");
    printf("%-44s %10s %-9s %10s %6s %8s\n", "work", "figure", "", "limit", "share", "peak MB");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *f = &list->u.list.items[i];
        const double share = number_at(f, "of_limit"), peak = number_at(f, "peak_mb");
        printf("%-44.*s %10.4g %-9.*s", (int)hone_value_get(f, "name")->u.str.len,
               hone_value_get(f, "name")->u.str.ptr, number_at(f, "value"),
               (int)hone_value_get(f, "unit")->u.str.len, hone_value_get(f, "unit")->u.str.ptr);
        if (isfinite(share))
            printf(" %10.4g %5.0f%%", number_at(f, "limit"), 100 * share);
        else if (isfinite(peak))
            printf(" %10s %6s", "", "");
        if (isfinite(peak))
            printf(" %8.0f", peak);
        putchar('\n');
    }
    for (size_t i = 0; i < scale->u.list.n; i++) {
        const hone_value *l = &scale->u.list.items[i], *x = hone_value_get(l, "x"),
                         *y = hone_value_get(l, "y");
        printf("%-44.*s", (int)hone_value_get(l, "title")->u.str.len,
               hone_value_get(l, "title")->u.str.ptr);
        for (size_t k = 0; k < x->u.list.n; k++)
            printf("  %g: %.4g", number_at(&x->u.list.items[k], ""),
                   number_at(&y->u.list.items[k], ""));
        printf("  %.*s\n", (int)hone_value_get(l, "unit")->u.str.len,
               hone_value_get(l, "unit")->u.str.ptr);
    }
}

int hone_cli_bench_all(int argc, char **argv)
{
    struct asked q = {.repeat = 3, .yardstick = 1};
    const char *page = NULL;
    int json = 0, scale = 0;
    const hone_arg options[] = {
        {"repeat", HONE_ARG_I64, &q.repeat, "N",
         "runs of each figure, of which the median counts (3)"},
        {"only", HONE_ARG_STR, &q.only, "TEXT", "figures whose name has this in it"},
        {"input", HONE_ARG_STR, &q.text, "FILE", "the text that is tokenized"},
        HONE_CLI_YARD(&q.yardstick),
        {"scale", HONE_ARG_FLAG, &scale, NULL,
         "threads, samples, tokens and rows too: how cost grows"},
        {"report", HONE_ARG_STR, &page, "FILE", "one HTML page of it all, with --scale"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {
        "hone bench all tiny --repeat 1",
        "hone bench all smollm2-135m-instruct --report bench.html", NULL};
    const hone_args spec = {
        "bench all",
        "[MODEL] [options]",
        "Every figure beside the limit of the machine, in processes of their own.",
        options,
        examples,
        0,
        1};
    hone_rest rest;
    hone_buf out;
    hone_arena a;
    hone_value report;
    char *dir = NULL;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (q.repeat < 1 || q.repeat > REPEAT_MAX)
        return hone_cli_usage("bench all", "--repeat: between 1 and %d", REPEAT_MAX);
    if (hone__yard_check(q.yardstick) < 0)
        return hone_cli_fail(HONE_E_USAGE);
    q.model = rest.n ? rest.v[0] : "tiny";
    hone_buf_init(&out, (size_t)1 << 24);
    hone_arena_init(&a, 0);
    hone_status s = hone__bench_folder(&dir);
    q.dir = dir;
    if (s >= 0)
        s = write_all(&q, scale || page, &out);
    if (s >= 0)
        s = hone_json_parse(out.ptr, out.len, "the figures", &a, &report);
    if (s >= 0 && hone_value_get(&report, "figures")->u.list.n == 0 &&
        hone_value_get(&report, "scale")->u.list.n == 0)
        s = hone_fail(HONE_E_FAIL, "nothing was measured");
    if (s >= 0 && page)
        s = hone_bench_page_write(&report, page);
    if (s >= 0 && json)
        printf("%s\n", out.ptr);
    else if (s >= 0)
        show(&report);
    hone_error e = *hone_error_get();
    if (dir)
        (void)hone_remove_tree(dir);
    hone_free(dir);
    hone_arena_release(&a);
    hone_buf_release(&out);
    if (s < 0)
        s = hone_error_set(&e);
    return hone_cli_finish(hone_cli_fail(s));
}
