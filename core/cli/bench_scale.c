/* bench_scale.c - how cost grows with work, and that it grows with nothing else: the charts of `hone bench all --scale`.
 *
 * A law is one command at some x, run as often as figures are; its charts are numbers of what the command prints, medians.
 * Points that cannot be measured (a model of fewer positions) are left out, and the command said why. What does not change
 * when x grows should be flat, and the note says what is not, and why. */
#include "base/alloc.h"
#include "cli/bench_all.h"
#include "cli/bench_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 4, LINES = 3, CHARTS = 3, COMMANDS = 2 };

/* A line is a number of what command `from` prints; a_unit (0: none): so many times it for each unit of x. */
struct line {
    const char *label, *value;
    int from;
    double a_unit;
};
struct chart {
    const char *title, *note;
    struct line lines[LINES + 1];
};
static const struct law {
    const char *x_name;
    const char *commands[COMMANDS + 1];
    const char *x[POINTS + 1];
    struct chart charts[CHARTS + 1];
} laws[] = {
    {"threads",
     {"bench train M --batch 2 --tokens 128 --steps 2 --threads X"},
     {"1", "2", "3"},
     {{"Threads: training, tokens/s",
       "Full fine-tuning, 2 x 128 tokens a step. The limit is sgemm on as many threads, 6N flops a "
       "token: threads beyond the processors share them.",
       {{"tokens/s", "tokens_per_s", 0, 0},
        {"limit on as many threads, tokens/s", "limit_tokens_per_s", 0, 0}}}}},
    {"samples a prompt",
     {"bench grpo M --prompts 2 --prompt-tokens 100 --tokens 16 --steps 1 --samples X"},
     {"2", "8", "32"},
     {{"Samples: tokens that generation computes",
       "2 prompts of 100 tokens, 16 new tokens a sample. Prompts are read once, whatever the "
       "number of samples: counted by the generator. The third line is what reading a prompt for "
       "each sample would be.",
       {{"prompt tokens read", "prompt_tokens_read", 0, 0},
        {"new tokens", "new_tokens", 0, 0},
        {"prompt tokens, if read for each sample", "prompt_tokens_of_samples", 0, 0}}},
      {"Samples: new tokens/s",
       "Sequences decode together: the weights are read once for all of them, so more of them are "
       "faster until arithmetic is the limit.",
       {{"new tokens/s", "generate_tokens_per_s", 0, 0}}},
      {"Samples: cost of one, ms",
       "Generation and update, divided by samples. It falls: the prompts, the optimizer's step and "
       "reading the weights are shared by more of them.",
       {{"ms a sample", "sample_ms", 0, 0}}}}},
    {"tokens a sequence",
     {"bench train M --batch Y --steps 1 --tokens X"},
     {"64", "256", "512", "2048"},
     {{"Length: training, tokens/s",
       "Full fine-tuning, always 2,048 tokens a step. A token attends to all before it, which is "
       "work that grows with the length: the limit is sgemm on 6N flops and attention's.",
       {{"tokens/s", "tokens_per_s", 0, 0},
        {"limit with attention, tokens/s", "limit_with_attention_tokens_per_s", 0, 0}}}}},
    {"rows",
     {"bench start sft model=tiny data=R --runs 1", "bench start S data=R --runs 1"},
     {"1000", "10000", "100000"},
     {{"Rows of data: time",
       "To the end of the first step, seconds. sft shuffles, so it reads every row first; the "
       "other "
       "recipe reads every row, keeps none, and then does a step.",
       {{"sft, shuffled, s", "first_step_without_eval_s", 0, 0},
        {"every row streamed, then a step, s", "first_step_without_eval_s", 1, 0}}},
      {"Rows of data: time for a row, us",
       "The same divided by the rows. It falls to what reading a row costs, and stays there: the "
       "start "
       "of the program and the step are paid for once.",
       {{"sft, shuffled, us a row", "first_step_without_eval_s", 0, 1e6},
        {"streamed, us a row", "first_step_without_eval_s", 1, 1e6}}},
      {"Rows of data: memory",
       "Peak, MB. A shuffle holds every row; a stream holds none that has passed, and is flat.",
       {{"sft, shuffled, MB", "peak_mb", 0, 0}, {"streamed, MB", "peak_mb", 1, 0}}}}},
};
enum { LAWS = sizeof laws / sizeof *laws };

struct points {
    double x[POINTS], y[CHARTS][LINES][POINTS]; /* NAN: not measured */
    size_t n;
};

/* Medians at one x; *done: something was measured. */
static hone_status at(const hone_bench_asked *q, const struct law *law, const char *x,
                      struct points *p, int *done)
{
    double all[CHARTS][LINES][HONE_BENCH_REPEAT];
    size_t k[COMMANDS] = {0};
    for (int64_t round = 0; round < q->repeat; round++)
        for (int c = 0; c < COMMANDS && law->commands[c]; c++) {
            hone_arena a;
            hone_value v;
            hone_arena_init(&a, 0);
            const hone_status s = hone__bench_command(q, law->commands[c], x, &a, &v);
            for (int i = 0; s >= 0 && i < CHARTS && law->charts[i].title; i++)
                for (int j = 0; j < LINES && law->charts[i].lines[j].label; j++)
                    if (law->charts[i].lines[j].from == c)
                        all[i][j][k[c]] = hone__bench_number(&v, law->charts[i].lines[j].value);
            hone_arena_release(&a);
            if (s == HONE_E_NOMEM || s == HONE_E_INTERRUPTED)
                return s;
            k[c] += s >= 0;
        }
    *done = k[0] > 0 || k[1] > 0;
    for (int i = 0; *done && i < CHARTS && law->charts[i].title; i++)
        for (int j = 0; j < LINES && law->charts[i].lines[j].label; j++) {
            const size_t n = k[law->charts[i].lines[j].from];
            const double a_unit = law->charts[i].lines[j].a_unit;
            p->y[i][j][p->n] = n ? hone__bench_median(all[i][j], n) : (double)NAN;
            if (a_unit > 0)
                p->y[i][j][p->n] *= a_unit / strtod(x, NULL);
        }
    return HONE_OK;
}

static void write_line(hone_jw *w, const char *label, const double *x, const double *y, size_t n)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "label", label);
    for (int axis = 0; axis < 2; axis++) {
        hone_jw_key(w, axis ? "y" : "x");
        hone_jw_list(w);
        for (size_t i = 0; i < n; i++)
            if (isfinite(y[i]))
                hone_jw_f64(w, axis ? y[i] : x[i]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static hone_status write_law(const hone_bench_asked *q, hone_jw *w, const struct law *law)
{
    struct points p = {.n = 0};
    for (size_t i = 0; i < POINTS && law->x[i]; i++) {
        int done = 0;
        HONE_TRY(at(q, law, law->x[i], &p, &done));
        if (done)
            p.x[p.n++] = strtod(law->x[i], NULL);
    }
    for (int i = 0; i < CHARTS && law->charts[i].title; i++) {
        const struct chart *c = &law->charts[i];
        hone_jw_map(w);
        hone_jw_kcstr(w, "title", c->title);
        hone_jw_kcstr(w, "note", c->note);
        hone_jw_kcstr(w, "x", law->x_name);
        hone_jw_key(w, "series");
        hone_jw_list(w);
        for (int j = 0; j < LINES && c->lines[j].label; j++)
            write_line(w, c->lines[j].label, p.x, p.y[i][j], p.n);
        hone_jw_end(w);
        hone_jw_end(w);
    }
    return HONE_OK;
}

/* A long run's charts come as `hone bench flat` writes them. */
static hone_status write_flat(const hone_bench_asked *q, hone_jw *w)
{
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    const hone_status s = hone__bench_command(q, "bench flat", "", &a, &v);
    const hone_value *charts = s >= 0 ? hone_value_get(&v, "charts") : NULL;
    for (size_t i = 0; charts && charts->type == HONE_LIST && i < charts->u.list.n; i++)
        hone_jw_value(w, &charts->u.list.items[i]);
    hone_arena_release(&a);
    return s == HONE_E_NOMEM || s == HONE_E_INTERRUPTED ? s : HONE_OK;
}

hone_status hone__bench_scale(const hone_bench_asked *q, hone_jw *w)
{
    for (size_t i = 0; i < LAWS; i++)
        if (hone__bench_wanted(q, laws[i].charts[0].title))
            HONE_TRY(write_law(q, w, &laws[i]));
    return hone__bench_wanted(q, "Over 2,000 steps") ? write_flat(q, w) : HONE_OK;
}
