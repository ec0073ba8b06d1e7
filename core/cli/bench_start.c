/* bench_start.c - `hone bench start`: what somebody waits for before the first step is done.
 *
 * Runs a recipe for one step in a process of its own and a folder that goes away, and reads what the
 * run wrote into timings.jsonl: time/since_start (from the start of the process, plan, loading and
 * evaluations included, to the end of step 1) and time/eval (evaluations before and in it). Medians
 * over some runs. Threads: HONE_THREADS, as ever.
 *
 * --grpo is one step of the recipe grpo that does not change with the recipe's own defaults: the
 * embedded model, all of it trained, 4 prompts of about 100 of its tokens, 8 samples of at most 32 (28
 * on average), and rewards that differ within groups, so that there is something to train on. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_run.h"
#include "cli/bench_yard.h"
#include "cli/out.h"
#include "cli/trace.h"

#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 100 };

/* hone run RECIPE k=v... steps=1 --run-dir DIR --quiet [--trace FILE], its output thrown away. */
static hone_status run_once(char **recipe, int n, const char *dir, const char *trace)
{
    char **argv = hone_calloc((size_t)n + 10, sizeof *argv);
    int k = 0;
    if (!argv)
        return HONE_E_NOMEM;
    argv[k++] = (char *)"hone";
    argv[k++] = (char *)"run";
    for (int i = 0; i < n; i++)
        argv[k++] = recipe[i];
    argv[k++] = (char *)"steps=1";
    argv[k++] = (char *)"--run-dir";
    argv[k++] = (char *)dir;
    argv[k++] = (char *)"--quiet";
    if (trace) {
        argv[k++] = (char *)"--trace";
        argv[k++] = (char *)trace;
    }
    hone_status s = hone__bench_child(argv, NULL, NULL);
    hone_free(argv);
    return s;
}

/* ---- one step of GRPO ------------------------------------------------------------------------------ */

enum { QUESTIONS = 64, GRPO_WORDS = 9 };

/* Two stories with their question and the beginning of a third: the model goes on writing it. */
static hone_status write_questions(const char *path)
{
    hone_buf b;
    hone_buf_init(&b, (size_t)1 << 20);
    for (int i = 0; i < QUESTIONS; i++)
        hone_buf_addf(&b,
                      "{\"question\": \"Leo has %d stickers. Leo buys 3. Leo loses 4. How many "
                      "stickers does Leo "
                      "have? Mia has 7 points. Mia wins 5. Mia drops 2. How many points does Mia "
                      "have? Tom has "
                      "14 dollars. Tom earns 8. Tom pays 6. How many dollars does Tom have? Ida "
                      "has a box with "
                      "9 balls. Ida takes out 5. Sam sees 9 birds. 4 come. 3 fly off. Sam\", "
                      "\"answer\": \"%d\"}\n",
                      10 + i, 9 + i);
    hone_status s = b.failed;
    if (s >= 0)
        s = hone_file_replace(path, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

/* The recipe in words, its questions in `dir`; *data is the caller's to free. */
static hone_status grpo_words(const char *dir, char **words, char **data)
{
    static const char *const fixed[GRPO_WORDS - 1] = {
        "grpo", "model=tiny",    "lora=0",       "prompts=4",
        "n=8",  "max_tokens=32", "instruction=", "pattern=[^34]*"};
    hone_buf b;
    hone_buf_init(&b, (size_t)1 << 16);
    hone_buf_addf(&b, "data=%s/questions.jsonl", dir);
    hone_status s = b.failed;
    if (s >= 0)
        s = write_questions(b.ptr + strlen("data="));
    *data = s >= 0 ? hone_strdup(b.ptr) : NULL;
    hone_buf_release(&b);
    for (int i = 0; i < GRPO_WORDS - 1; i++)
        words[i] = (char *)(uintptr_t)fixed[i];
    words[GRPO_WORDS - 1] = *data;
    return s < 0 || *data ? s : HONE_E_NOMEM;
}

/* The first line of timings.jsonl. */
static hone_status read_times(const char *dir, double *whole, double *eval, double *peak_mb)
{
    hone_buf b;
    hone_arena a;
    hone_value v;
    char *path = hone_path_join(dir, "timings.jsonl");
    hone_buf_init(&b, (size_t)1 << 24);
    hone_arena_init(&a, 0);
    hone_status s = path ? hone_file_read(path, (size_t)1 << 24, &b) : HONE_E_NOMEM;
    const char *end = s >= 0 && b.len ? memchr(b.ptr, '\n', b.len) : NULL;
    if (s >= 0 && !end)
        s = hone_fail(HONE_E_FAIL, "the recipe has done no step");
    if (s >= 0)
        s = hone_json_parse(b.ptr, (size_t)(end - b.ptr), path, &a, &v);
    if (s >= 0)
        s = hone_value_f64(&v, "time/since_start", 0, whole);
    if (s >= 0)
        s = hone_value_f64(&v, "time/eval", 0, eval);
    if (s >= 0)
        s = hone_value_f64(&v, "memory/peak_mb", 0, peak_mb);
    hone_free(path);
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s;
}

/* recipe NULL: one step of GRPO. */
static hone_status measure(char **recipe, int n, int64_t runs, const char *trace, double *whole,
                           double *rest, double *peak_mb)
{
    double all[RUNS_MAX], without[RUNS_MAX];
    char *dir, *data = NULL, *grpo[GRPO_WORDS];
    HONE_TRY(hone__bench_folder(&dir));
    hone_status s;
    char *run = hone_path_join(dir, "run");
    s = run ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0 && !recipe) {
        s = grpo_words(dir, grpo, &data);
        recipe = grpo;
        n = GRPO_WORDS;
    }
    for (int64_t i = 0; s >= 0 && i < runs; i++) {
        double eval = 0;
        s = run_once(recipe, n, run, i + 1 == runs ? trace : NULL);
        if (s >= 0)
            s = read_times(run, &all[i], &eval, peak_mb);
        if (s >= 0) {
            without[i] = all[i] - eval;
            s = hone_remove_tree(run);
        }
    }
    hone_error e = *hone_error_get();
    (void)hone_remove_tree(dir);
    if (s >= 0) {
        *whole = hone__bench_median(all, (size_t)runs);
        *rest = hone__bench_median(without, (size_t)runs);
    }
    hone_free(run);
    hone_free(data);
    hone_free(dir);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

int hone_cli_bench_start(int argc, char **argv)
{
    static char quickstart[] = "quickstart";
    char *dflt[] = {quickstart, NULL};
    int64_t runs = 3;
    const char *trace = NULL;
    int json = 0, grpo = 0;
    double yardstick = 1;
    hone_pool *pool = NULL;
    hone_yard yard;
    const hone_arg options[] = {
        {"runs", HONE_ARG_I64, &runs, "N", "runs, of which the median counts (3)"},
        {"grpo", HONE_ARG_FLAG, &grpo, NULL, "one step of GRPO on the embedded model: 4 x 8 x 32"},
        HONE_CLI_YARD(&yardstick),
        {"trace", HONE_ARG_STR, &trace, "FILE", "of the last run, as hone run --trace writes it"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench start --runs 1",
                                           "hone bench start --grpo --runs 1", NULL};
    const hone_args spec = {
        "bench start",
        "[RECIPE [key=value ...]] [options]",
        "Seconds from the start of hone to the end of the first step of a recipe\n"
        "(quickstart), with its evaluations before training and without them.",
        options,
        examples,
        0,
        -1};
    hone_rest rest;
    double whole = 0, without = 0, peak_mb = 0;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (grpo && rest.n)
        return hone_cli_usage("bench start", "--grpo: is a recipe itself");
    if (runs < 1 || runs > RUNS_MAX)
        return hone_cli_usage("bench start", "--runs: between 1 and %d", RUNS_MAX);
    char **recipe = rest.n ? rest.v : grpo ? NULL : dflt;
    const char *name = recipe ? recipe[0] : "GRPO, 4 x 8 x 32";
    hone_status s = hone__yard_check(yardstick);
    if (s >= 0) /* the last run writes it: a name that will not do is told now */
        s = hone_cli_trace_open(trace);
    s = hone_cli_trace_close(trace, s);
    if (s >= 0)
        s = hone_pool_create(0, &pool);
    if (s < 0)
        return hone_cli_fail(s);
    hone__yard_before(&yard, pool, HONE_YARD_MEMORY, yardstick);
    s = measure(recipe, rest.n ? rest.n : 1, runs, trace, &whole, &without, &peak_mb);
    if (s < 0) {
        hone_pool_destroy(pool);
        return hone_cli_fail(s);
    }
    hone__yard_after(&yard);
    yard.peak_mb = peak_mb; /* of the run, and not of this process */
    if (json) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 1 << 12);
        hone_jw_init(&w, &b, 0);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "recipe", name);
        hone_jw_kf64(&w, "first_step_s", whole);
        hone_jw_kf64(&w, "first_step_without_eval_s", without);
        hone_jw_ki64(&w, "runs", runs);
        hone__yard_json(&yard, &w);
        hone_jw_end(&w);
        printf("%s\n", b.ptr);
        hone_buf_release(&b);
    } else {
        printf("%.2f s from the start to the end of step 1 of %s; %.2f s without evaluations; "
               "peak %.0f MB\n",
               whole, name, without, peak_mb);
        hone__yard_print(&yard);
    }
    hone_pool_destroy(pool);
    return hone_cli_finish(HONE_EXIT_OK);
}
