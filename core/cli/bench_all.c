/* bench_all.c - `hone bench all`: every figure beside its limit, the median of some runs, and how cost grows with work.
 *
 * A figure is one number of one benchmark (or the time that a command takes), run in a process of its own, so that its
 * peak memory is its own and its limit was measured just before and after. Rounds go through all figures in turn: what
 * else the machine does then falls on all of them. A benchmark that fails tells why on stderr and has no figure. A lesser
 * kernel set is compared with OpenBLAS's kernels of the same instructions; plain C has no limit, and a small
 * model, for it has no fused multiply-add but by calls.
 *
 * Does not measure anything itself, but for the time of whole commands. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_all.h"
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

enum { REPEAT_MAX = HONE_BENCH_REPEAT };

/* A row: `command` in words, M standing for the model and F for the text file; the number is at `value` of its JSON (dotted;
 * NULL: the time of the command), the share of the limit at `share` (NULL: none). less: fewer is better. */
static const struct figure {
    const char *name, *unit, *command, *value, *share;
    int less;
} figures[] = {
    {"full fine-tuning, 4 x 256", "tokens/s", "bench train M --steps 3", "tokens_per_s", "of_limit",
     0},
    {"full fine-tuning, 4 x 256, AVX2", "tokens/s", "HONE_CPU=avx2 bench train M --steps 3",
     "tokens_per_s", "of_limit", 0},
    {"full fine-tuning, tiny, 4 x 64, plain C", "tokens/s",
     "HONE_CPU=c bench train tiny --steps 1 --tokens 64", "tokens_per_s", NULL, 0},
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
    {"verdicts by 5 labels, prompts of 256", "verdicts/s", "bench judge M --rounds 1 --tokens 16",
     "verdicts_per_s", "verdicts_of_limit", 0},
    {"decode, 16, f32, within a schema", "tokens/s", "bench judge M --rounds 1 --items 1",
     "guided_tokens_per_s", "guided_of_limit", 0},
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

/* ---- all of them ---------------------------------------------------------------------------------- */

struct row {
    double value[REPEAT_MAX], share[REPEAT_MAX], peak[REPEAT_MAX];
    double sgemm[REPEAT_MAX], read[REPEAT_MAX], spread[REPEAT_MAX];
    size_t n;
    int failed;
};

struct result {
    double value, share, peak_mb, sgemm, read, spread; /* NAN: not told */
};

static hone_status run_one(const hone_bench_asked *q, const struct figure *f, struct result *out)
{
    hone_arena a;
    hone_value v;
    *out = (struct result){(double)NAN, (double)NAN, (double)NAN,
                           (double)NAN, (double)NAN, (double)NAN};
    hone_arena_init(&a, 0);
    const double t = hone_now_s();
    hone_status s = hone__bench_command(q, f->command, "", &a, f->value ? &v : NULL);
    if (s >= 0 && !f->value)
        out->value = 1e3 * (hone_now_s() - t);
    else if (s >= 0) {
        out->value = hone__bench_number(&v, f->value);
        out->share = f->share ? hone__bench_number(&v, f->share) : (double)NAN;
        out->peak_mb = hone__bench_number(&v, "peak_mb");
        out->sgemm = hone__bench_number(&v, "sgemm_gflops");
        out->read = hone__bench_number(&v, "read_gb_per_s");
        out->spread = fmax(hone__bench_number(&v, "yard.sgemm_gflops.spread"),
                           hone__bench_number(&v, "yard.read_gb_per_s.spread"));
    }
    hone_arena_release(&a);
    return s;
}

static hone_status measure_figures(const hone_bench_asked *q, struct row *rows)
{
    for (int64_t round = 0; round < q->repeat; round++)
        for (size_t i = 0; i < FIGURES; i++) {
            struct result r;
            if (!hone__bench_wanted(q, figures[i].name) || rows[i].failed)
                continue;
            hone_status s = run_one(q, &figures[i], &r);
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
            rows[i].sgemm[k] = r.sgemm;
            rows[i].read[k] = r.read;
            rows[i].spread[k] = r.spread;
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
    optional(w, "sgemm_gflops", hone__bench_median(r->sgemm, r->n));
    optional(w, "read_gb_per_s", hone__bench_median(r->read, r->n));
    optional(w, "spread", hone__bench_median(r->spread, r->n));
    hone_jw_kcstr(w, "command", f->command);
    hone_jw_key(w, "runs");
    hone_jw_list(w);
    for (size_t i = 0; i < r->n; i++)
        hone_jw_f64(w, r->value[i]);
    hone_jw_end(w);
    hone_jw_end(w);
}

static hone_status write_all(const hone_bench_asked *q, int scale, hone_buf *out)
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
    if (s >= 0 && scale)
        s = hone__bench_scale(q, &w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_free(rows);
    return s < 0 ? s : out->failed;
}

static void show_chart(const hone_value *chart)
{
    const hone_value *lines = hone_value_get(chart, "series");
    const hone_str title = hone_value_get(chart, "title")->u.str,
                   x_name = hone_value_get(chart, "x")->u.str;
    printf("\n%.*s, by %.*s\n", (int)title.len, title.ptr, (int)x_name.len, x_name.ptr);
    for (size_t i = 0; i < lines->u.list.n; i++) {
        const hone_value *l = &lines->u.list.items[i], *x = hone_value_get(l, "x"),
                         *y = hone_value_get(l, "y");
        const hone_str label = hone_value_get(l, "label")->u.str;
        const size_t n = x->u.list.n, step = n > 8 ? (n - 1) / 4 : 1;
        printf("  %-42.*s", (int)label.len, label.ptr);
        for (size_t k = 0; k < n; k += step)
            printf("  %.6g: %.4g", hone__bench_number(&x->u.list.items[k], ""),
                   hone__bench_number(&y->u.list.items[k], ""));
        putchar('\n');
    }
}

static void show(const hone_value *report)
{
    const hone_value *list = hone_value_get(report, "figures"),
                     *scale = hone_value_get(report, "scale");
    printf("%-44s %10s %-9s %10s %6s %8s %7s %6s %6s\n", "work", "figure", "", "limit", "share",
           "peak MB", "sgemm", "GB/s", "apart");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *f = &list->u.list.items[i];
        const double share = hone__bench_number(f, "of_limit"),
                     peak = hone__bench_number(f, "peak_mb");
        printf("%-44.*s %10.4g %-9.*s", (int)hone_value_get(f, "name")->u.str.len,
               hone_value_get(f, "name")->u.str.ptr, hone__bench_number(f, "value"),
               (int)hone_value_get(f, "unit")->u.str.len, hone_value_get(f, "unit")->u.str.ptr);
        const double sgemm = hone__bench_number(f, "sgemm_gflops"),
                     read = hone__bench_number(f, "read_gb_per_s"),
                     spread = hone__bench_number(f, "spread");
        if (isfinite(share))
            printf(" %10.4g %5.0f%%", hone__bench_number(f, "limit"), 100 * share);
        else if (isfinite(peak))
            printf(" %10s %6s", "", "");
        if (isfinite(peak))
            printf(" %8.0f", peak);
        if (isfinite(sgemm) && isfinite(read))
            printf(" %7.0f %6.1f %5.0f%%", sgemm, read, 100 * spread);
        putchar('\n');
    }
    for (size_t i = 0; i < scale->u.list.n; i++)
        show_chart(&scale->u.list.items[i]);
}

int hone_cli_bench_all(int argc, char **argv)
{
    hone_bench_asked q = {.repeat = 3, .yardstick = 1};
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
