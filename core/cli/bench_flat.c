/* bench_flat.c - `hone bench flat`: what a long run holds: memory, descriptors, threads, boxes, over 2,000 steps of GRPO.
 *
 * A recipe of its own trains the tiny model with a reward in a box, writes checkpoints, and says every so many steps that
 * it has come so far; then its process and its boxes are looked at (/proc). The first half of the run is warm-up: caches
 * fill, boxes start, the first checkpoints are written. In the second half memory may grow by 512 bytes a step at most (least
 * squares), and the smallest of the other numbers in the last quarter may not pass those in the second: then the run is
 * flat. (A look may fall on a moment in which a file is open; what is kept is there at every look, so the smallest grows.)
 *
 * --leak makes the recipe keep so many bytes a step: to see that it would be found. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_run.h"
#include "cli/bench_watch.h"
#include "cli/out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES_MAX = 4096, ARGS = 16 };
#define BYTES_A_STEP 512.0

static const char recipe[] =
    "local hone = require \"hone\"\n"
    "local p = hone.params { steps = { 2000, \"updates\" }, every = { 20, \"steps between\" },\n"
    "  save = { 250, \"steps between checkpoints\" }, leak = { 0, \"bytes kept a step\" } }\n"
    "local run = hone.run { name = \"flat\", seed = 7, checkpoint = { every = p.save } }\n"
    "local policy = run:policy { model = \"tiny\", optimizer = { \"adamw\", lr = 1e-4 } }\n"
    "local rows, kept = {}, {}\n"
    "for i = 1, 16 do\n"
    "  rows[i] = { prompt = \"Leo has \" .. i .. \" stickers and gets one more. How many?\",\n"
    "    answer = tostring(i + 1) }\n"
    "end\n"
    "local rewards = { hone.reward(\"math_answer\", { reference = \"answer\", box = true }) }\n"
    "rewards.workers = 1 -- more of them start boxes of their own, but when they first meet\n"
    "for step, prompts in run:steps(p.steps,\n"
    "    hone.rows(rows):shuffle(run.seed):epochs():batches(2)) do\n"
    "  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 8, rewards = rewards })\n"
    "  policy:update { rollout, objective = \"grpo\", advantage = \"group\" }\n"
    "  if p.leak > 0 then kept[#kept + 1] = string.rep(\"x\", p.leak - 50) .. step end\n"
    "  if step % p.every == 0 then run:say(\"step %d\", step) end\n"
    "end\n";

/* What is watched: a row of the table, and a line of a chart. */
enum { MEMORY, BOX_MEMORY, DESCRIPTORS, THREADS, BOXES, KINDS };
static const struct {
    const char *key, *label;
    double scale;
    int memory;
} kinds[KINDS] = {
    {"memory_mb", "memory, MB", 1e-6, 1},
    {"boxes_memory_mb", "memory of boxes, MB", 1e-6, 1},
    {"descriptors", "descriptors", 1, 0},
    {"threads", "threads", 1, 0},
    {"boxes", "boxes", 1, 0},
};

struct series {
    double step[SAMPLES_MAX], y[KINDS][SAMPLES_MAX];
    size_t n;
};

struct growth {
    double first, last, most;
    double before, after; /* held in the second quarter, and in the last */
    double a_step;        /* slope of the second half */
    int flat;
};

static void take(struct series *s, double step, const hone_watch *w)
{
    if (s->n == SAMPLES_MAX)
        return;
    s->step[s->n] = step;
    s->y[MEMORY][s->n] = w->resident;
    s->y[BOX_MEMORY][s->n] = w->boxes_resident;
    s->y[DESCRIPTORS][s->n] = w->descriptors;
    s->y[THREADS][s->n] = w->threads;
    s->y[BOXES][s->n] = w->boxes;
    s->n++;
}

static double slope(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xy = 0, xx = 0;
    for (size_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
    }
    return xx > 0 ? xy / xx : 0;
}

/* What is held all the time: of memory the median, of what is counted the smallest. */
static double held(const double *y, size_t n, int memory)
{
    double sorted[SAMPLES_MAX], least = y[0];
    if (memory) {
        memcpy(sorted, y, n * sizeof *y);
        return hone__bench_median(sorted, n);
    }
    for (size_t i = 1; i < n; i++)
        least = fmin(least, y[i]);
    return least;
}

static struct growth growth_of(const struct series *s, int kind)
{
    const double *y = s->y[kind];
    const size_t half = s->n / 2;
    struct growth g = {.first = y[0], .last = y[s->n - 1]};
    for (size_t i = 0; i < s->n; i++)
        g.most = fmax(g.most, y[i]);
    const size_t quarter = half - s->n / 4;
    g.before = held(y + s->n / 4, quarter, kinds[kind].memory);
    g.after = held(y + s->n - quarter, quarter, kinds[kind].memory);
    g.a_step = slope(s->step + half, y + half, s->n - half);
    g.flat = kinds[kind].memory ? g.a_step <= BYTES_A_STEP : g.after <= g.before;
    return g;
}

/* ---- the run -------------------------------------------------------------------------------------- */

/* Lines "step N" of what it prints, as they come. */
static hone_status watch(const hone_bench_process *p, struct series *s)
{
    char line[256];
    FILE *f = fdopen(dup(p->out), "r");
    long step;
    if (!f)
        return hone_fail_errno("cannot read what it prints");
    while (fgets(line, sizeof line, f)) {
        hone_watch w;
        if (sscanf(line, "step %ld", &step) == 1 && hone__watch(p->pid, &w) >= 0)
            take(s, (double)step, &w);
    }
    fclose(f);
    return HONE_OK;
}

static hone_status run(const char *dir, int64_t steps, int64_t every, int64_t leak,
                       struct series *out)
{
    hone_buf b;
    char numbers[4][48];
    hone_bench_process p;
    char *file = hone_path_join(dir, "flat.lua"), *folder = hone_path_join(dir, "run");
    hone_buf_init(&b, sizeof recipe + 64);
    hone_buf_adds(&b, recipe);
    hone_status s = file && folder ? b.failed : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_file_replace(file, b.ptr, b.len);
    const int64_t save = steps >= 16 ? steps / 8 : 2;
    snprintf(numbers[0], sizeof numbers[0], "steps=%lld", (long long)steps);
    snprintf(numbers[1], sizeof numbers[1], "every=%lld", (long long)every);
    snprintf(numbers[2], sizeof numbers[2], "leak=%lld", (long long)leak);
    snprintf(numbers[3], sizeof numbers[3], "save=%lld", (long long)save);
    char *argv[ARGS] = {(char *)"hone", (char *)"run", file,       numbers[0],
                        numbers[1],     numbers[2],    numbers[3], (char *)"--run-dir",
                        folder,         NULL};
    if (s >= 0)
        s = hone__bench_spawn(argv, NULL, &p);
    if (s >= 0) {
        const hone_status looked = watch(&p, out);
        s = hone__bench_wait(argv, &p);
        s = s < 0 ? s : looked;
    }
    if (s >= 0 && out->n < 4)
        s = hone_fail(HONE_E_FAIL, "the run was looked at %zu times: too few to tell", out->n);
    hone_buf_release(&b);
    hone_free(file);
    hone_free(folder);
    return s;
}

/* ---- telling -------------------------------------------------------------------------------------- */

static void put_chart(hone_jw *w, const struct series *s, const char *title, const char *note,
                      int from, int to)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "title", title);
    hone_jw_kcstr(w, "note", note);
    hone_jw_kcstr(w, "x", "steps");
    hone_jw_key(w, "series");
    hone_jw_list(w);
    for (int k = from; k < to; k++) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "label", kinds[k].label);
        for (int axis = 0; axis < 2; axis++) {
            hone_jw_key(w, axis ? "y" : "x");
            hone_jw_list(w);
            for (size_t i = 0; i < s->n; i++)
                hone_jw_f64(w, axis ? s->y[k][i] * kinds[k].scale : s->step[i]);
            hone_jw_end(w);
        }
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

static hone_status put_json(const struct series *s, int64_t steps, int flat, const hone_yard *y)
{
    hone_buf b;
    hone_jw w;
    char title[128];
    hone_buf_init(&b, (size_t)16 << 20);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "steps", steps);
    hone_jw_kbool(&w, "flat", flat);
    hone_jw_key(&w, "growth");
    hone_jw_map(&w);
    for (int k = 0; k < KINDS; k++) {
        const struct growth g = growth_of(s, k);
        hone_jw_key(&w, kinds[k].key);
        hone_jw_map(&w);
        hone_jw_kf64(&w, "first", g.first * kinds[k].scale);
        hone_jw_kf64(&w, "second_quarter", g.before * kinds[k].scale);
        hone_jw_kf64(&w, "last_quarter", g.after * kinds[k].scale);
        hone_jw_kf64(&w, "most", g.most * kinds[k].scale);
        hone_jw_kf64(&w, "last", g.last * kinds[k].scale);
        hone_jw_kf64(&w, kinds[k].memory ? "bytes_a_step" : "a_step", g.a_step);
        hone_jw_kbool(&w, "flat", g.flat);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_key(&w, "charts");
    hone_jw_list(&w);
    const struct growth g = growth_of(s, MEMORY);
    char note[256];
    snprintf(title, sizeof title, "Over %lld steps: memory, MB", (long long)steps);
    snprintf(
        note, sizeof note,
        "GRPO of the tiny model with a reward in a box. In the second half memory grows by %.0f "
        "bytes a step.",
        g.a_step);
    put_chart(&w, s, title, note, MEMORY, DESCRIPTORS);
    snprintf(title, sizeof title, "Over %lld steps: counts", (long long)steps);
    put_chart(&w, s, title, "Open descriptors and threads of the run, and the boxes it started.",
              DESCRIPTORS, KINDS);
    hone_jw_end(&w);
    hone__yard_json(y, &w);
    hone_jw_end(&w);
    const hone_status st = b.failed;
    if (st >= 0)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return st;
}

static void put_text(const struct series *s, int64_t steps, int flat, const hone_yard *y)
{
    printf("%lld steps of GRPO, tiny model, a reward in a box; %zu looks, held in quarters\n\n"
           "%-22s %8s %8s %8s %8s %8s  %s\n",
           (long long)steps, s->n, "", "first", "2nd", "4th", "last", "most",
           "growth in the second half");
    for (int k = 0; k < KINDS; k++) {
        const struct growth g = growth_of(s, k);
        const double scale = kinds[k].scale;
        printf("%-22s %8.4g %8.4g %8.4g %8.4g %8.4g  ", kinds[k].label, g.first * scale,
               g.before * scale, g.after * scale, g.last * scale, g.most * scale);
        if (kinds[k].memory)
            printf("%.0f bytes a step%s\n", g.a_step, g.flat ? "" : ": it grows");
        else
            printf("%s\n", g.flat ? "none" : "it grows");
    }
    printf("\n%s\n", flat ? "flat" : "not flat");
    hone__yard_print(y);
}

int hone_cli_bench_flat(int argc, char **argv)
{
    int64_t steps = 2000, every = 20, leak = 0;
    int json = 0, flat = 1;
    double yardstick = 1;
    const hone_arg options[] = {
        {"steps", HONE_ARG_I64, &steps, "N", "updates (2000)"},
        {"every", HONE_ARG_I64, &every, "N", "steps between two looks (20)"},
        {"leak", HONE_ARG_I64, &leak, "BYTES", "that the recipe keeps a step, to see it found (0)"},
        HONE_CLI_YARD(&yardstick),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench flat", "hone bench flat --steps 400 --json",
                                           NULL};
    const hone_args spec = {
        "bench flat",
        "[options]",
        "Memory, descriptors, threads and boxes of a long run of GRPO with a reward in a box:\n"
        "whether they grow once it is warm.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    char *dir = NULL;
    hone_pool *pool = NULL;
    hone_yard yard;
    struct series *s = NULL;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (steps < 40 || steps > 10000000 || every < 1 || steps / every < 4 ||
        steps / every > SAMPLES_MAX)
        return hone_cli_usage("bench flat", "--steps: at least 40, and 4 to %d times --every",
                              SAMPLES_MAX);
    if (leak < 0 || leak > 1 << 20)
        return hone_cli_usage("bench flat", "--leak: 0 to %d", 1 << 20);
    hone_status st = hone__yard_check(yardstick);
    if (st >= 0)
        st = hone_pool_create(0, &pool);
    if (st >= 0)
        st = (s = hone_calloc(1, sizeof *s)) ? HONE_OK : HONE_E_NOMEM;
    if (st >= 0)
        st = hone__bench_folder(&dir);
    if (st >= 0) {
        hone__yard_before(&yard, pool, HONE_YARD_MEMORY, yardstick);
        st = run(dir, steps, every, leak, s);
    }
    if (st >= 0) {
        hone__yard_after(&yard);
        yard.peak_mb = 0;
        for (size_t i = 0; i < s->n; i++)
            yard.peak_mb = fmax(yard.peak_mb, s->y[MEMORY][i] / (double)(1 << 20));
        for (int k = 0; k < KINDS; k++)
            flat &= growth_of(s, k).flat;
        if (json)
            st = put_json(s, steps, flat, &yard);
        else
            put_text(s, steps, flat, &yard);
    }
    hone_error e = *hone_error_get();
    if (dir)
        (void)hone_remove_tree(dir);
    hone_free(dir);
    hone_free(s);
    hone_pool_destroy(pool);
    if (st < 0)
        st = hone_error_set(&e);
    return hone_cli_finish(hone_cli_fail(st));
}
