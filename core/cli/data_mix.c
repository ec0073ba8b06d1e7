/* data_mix.c - `hone data mix`: rows of several files in one, by weight. */
#include "base/json.h"
#include "cli/data_step.h"
#include "cli/out.h"
#include "curate/steps.h"

#include <stdio.h>
#include <string.h>

static int64_t rows, seed = 1;
static int stop_first, repeat, by_bytes;
static char paths[HONE_MIX_MAX][1024], *names[HONE_MIX_MAX];

typedef struct mixing {
    hone_mix_spec spec;
    hone_mix_result result;
    hone_input *in[HONE_MIX_MAX];
} mixing;

static void put_summary(void *ctx, hone_jw *w)
{
    const mixing *m = ctx;
    hone_mix_told((const char *const *)names, &m->spec, &m->result, w);
}

static hone_status prepare(hone_cli_step *step, mixing *m, int n, char **files)
{
    if (n > HONE_MIX_MAX)
        return hone_fail(HONE_E_USAGE, "at most %d files", HONE_MIX_MAX);
    for (int i = 0; i < n; i++) {
        const char *eq = strrchr(files[i], '='), *end = "";
        const size_t len = eq ? (size_t)(eq - files[i]) : strlen(files[i]);
        m->spec.weight[i] = eq ? hone_parse_f64(eq + 1, &end) : 1;
        if ((eq && (end == eq + 1 || *end)) || !(m->spec.weight[i] > 0) || len == 0 ||
            len >= sizeof paths[i])
            return hone_fail(HONE_E_USAGE, "%s: FILE or FILE=WEIGHT with a weight above 0",
                             files[i]);
        memcpy(paths[i], files[i], len);
        names[i] = paths[i];
        const char *one = names[i];
        HONE_TRY(hone_cli_step_input(step, &one, 1, &m->in[i]));
    }
    m->spec.n = (size_t)n;
    m->spec.seed = (uint64_t)seed;
    m->spec.rows = rows > 0 ? (uint64_t)rows : 0;
    m->spec.stop = stop_first;
    m->spec.repeat = repeat;
    m->spec.by_bytes = by_bytes;
    return hone_mix_settings(&m->spec, &step->w);
}

int hone_cli_data_mix(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"count", HONE_ARG_I64, &rows, "N", "so many rows (until all files are at their end)"},
        {"seed", HONE_ARG_I64, &seed, "N", "of the draws (1)"},
        {"by-bytes", HONE_ARG_FLAG, &by_bytes, NULL, "weights are shares of bytes, not of rows"},
        {"stop-first", HONE_ARG_FLAG, &stop_first, NULL, "end with the first file that ends"},
        {"repeat", HONE_ARG_FLAG, &repeat, NULL, "a file that ends begins anew; with --count"},
        HONE_CLI_STEP_OPTIONS,
        {0}};
    static const char *const examples[] = {
        "hone data mix rows.jsonl=0.3 samples.jsonl=0.7 --count 100 --repeat --out mixed.jsonl",
        NULL};
    static const hone_args spec = {"data mix",
                                   "FILE=WEIGHT... [options]",
                                   "Rows of several files, each drawn as often as its weight says.",
                                   options,
                                   examples,
                                   1,
                                   -1};
    hone_rest rest;
    hone_cli_step step;
    static mixing m;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_step_begin(&step, "mix");
    if (s >= 0)
        s = prepare(&step, &m, rest.n, rest.v);
    if (s >= 0)
        s = hone_cli_step_open(&step, rest.n, names, NULL, 0);
    if (s >= 0)
        s = hone_mix_run(&m.spec, m.in, step.job, &m.result);
    for (int i = 0; i < HONE_MIX_MAX; i++) /* before the registry that their sources are of */
        hone_input_close(m.in[i]);
    return hone_cli_step_close(&step, s, put_summary, &m);
}
