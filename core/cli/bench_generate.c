/* bench_generate.c - `hone bench generate`: prefill and decode, in tokens a second.
 *
 * `sequences` prompts of random ids, all decoding together at temperature 1, end tokens ignored.
 * Beside the figures stand their limits: prefill against 2N flops a token at the speed of sgemm,
 * decode against one reading of all weights a step at the bandwidth measured here. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/env.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_run.h"
#include "cli/out.h"
#include "ops/blas.h"
#include "tensor/region.h"

#include <stdio.h>
#include <string.h>

struct work {
    int64_t sequences, prompt, tokens;
};

static hone_status run(hone_bench_run *r, const struct work *w, hone_gen_stats *stats)
{
    hone_gen *gen;
    const size_t n = (size_t)(w->sequences * w->prompt);
    int32_t *ids = hone_alloc(n * sizeof *ids);
    hone_gen_prompt *prompts = hone_calloc((size_t)w->sequences, sizeof *prompts);
    hone_status s = ids && prompts ? hone_policy_gen(r->policy, &gen) : HONE_E_NOMEM;
    if (s < 0)
        goto out;
    hone__bench_ids(r, 1, ids, n);
    for (int64_t i = 0; i < w->sequences; i++)
        prompts[i] = (hone_gen_prompt){.ids = ids + i * w->prompt,
                                       .n = (size_t)w->prompt,
                                       .first_sample = (uint64_t)i,
                                       .n_samples = 1};
    hone_gen_params p = {.rule = {.temperature = 1, .top_p = 1, .repetition_penalty = 1},
                         .seed = 1,
                         .max_tokens = 2,
                         .ignore_stop_ids = 1,
                         .adapters = HONE_ADAPTERS_ACTIVE,
                         .max_sequences = (uint32_t)w->sequences};
    HONE_TRY_GOTO(hone_gen_run(gen, prompts, (size_t)w->sequences, &p),
                  out); /* plans, and touches memory */
    p.max_tokens = (int32_t)w->tokens;
    HONE_TRY_GOTO(hone_gen_run(gen, prompts, (size_t)w->sequences, &p), out);
    hone_gen_get_stats(gen, stats);
out:
    hone_free(prompts);
    hone_free(ids);
    return s;
}

struct reading {
    const hone_exec *ex;
    const float *p;
    size_t n;
    float *sums; /* 64 floats a task: keeps the reads alive */
};

static void read_task(void *arg, int64_t task, uint32_t thread)
{
    const struct reading *r = arg;
    const size_t parts = 4 * r->ex->n_threads;
    const size_t i0 = r->n / parts * (size_t)task, i1 = r->n / parts * (size_t)(task + 1);
    float sum[16] = {0};
    (void)thread;
    for (size_t i = i0; i + 16 <= i1; i += 16)
        for (int j = 0; j < 16; j++)
            sum[j] += r->p[i + (size_t)j];
    memcpy(r->sums + 64 * task, sum, sizeof sum);
}

static void read_all(void *arg)
{
    const struct reading *r = arg;
    r->ex->parallel(r->ex, 4 * (int64_t)r->ex->n_threads, read_task, arg);
}

/* Bytes a second of reading a buffer as large as the weights (64 to 512 MB). */
static double bandwidth(const hone_bench_run *r)
{
    double bytes = r->bytes;
    bytes = bytes < 64e6 ? 64e6 : bytes > 512e6 ? 512e6 : bytes;
    hone_region mem, sums;
    const hone_exec *ex = hone_pool_exec(r->env.pool);
    if (hone_region_init(&mem, "benchmark", (size_t)bytes) < 0)
        return 0;
    if (hone_region_init(&sums, "benchmark", (size_t)ex->n_threads * 4 * 64 * sizeof(float)) < 0) {
        hone_region_release(&mem);
        return 0;
    }
    memset(mem.base, 0, mem.size);
    struct reading job = {ex, mem.base, mem.size / sizeof(float), sums.base};
    const double s = hone_bench_median(read_all, &job, 0.25);
    hone_region_release(&mem);
    hone_region_release(&sums);
    return bytes / s;
}

int hone_cli_bench_generate(int argc, char **argv)
{
    struct work w = {16, 64, 64};
    hone_bench_setup setup = {0};
    int json = 0;
    const hone_arg options[] = {
        {"sequences", HONE_ARG_I64, &w.sequences, "N", "decoding together (16)"},
        {"prompt", HONE_ARG_I64, &w.prompt, "N", "tokens a prompt (64)"},
        {"tokens", HONE_ARG_I64, &w.tokens, "N", "new tokens each (64)"},
        {"threads", HONE_ARG_I64, &setup.threads, "N", "threads (all processors)"},
        HONE_CLI_STORAGE(&setup.storage),
        HONE_CLI_PRECISION(&setup.precision),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench generate tiny --tokens 16", NULL};
    const hone_args spec = {"bench generate",
                            "MODEL [options]",
                            "Tokens a second of reading prompts and of writing completions.",
                            options,
                            examples,
                            1,
                            1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (w.sequences < 1 || w.sequences > 4096 || w.prompt < 1 || w.prompt > 1 << 20 ||
        w.tokens < 2 || w.tokens > 1 << 20 || setup.threads < 0 || setup.threads > HONE_POOL_MAX)
        return hone_cli_usage("bench generate", "a number is out of range");
    setup.model = rest.v[0];
    hone_bench_run r;
    hone_gen_stats st = {0};
    hone_status s = hone__bench_open(&setup, &r);
    if (s < 0)
        return hone_cli_fail(s);
    s = run(&r, &w, &st);
    if (s >= 0) {
        hone__bench_again(&r);
        const double bw = bandwidth(&r);
        const double prefill = (double)st.prompt_tokens / st.prefill_s;
        /* the first new token of each comes from the prefill */
        const double decoded = (double)st.new_tokens - (double)w.sequences;
        const double decode = decoded / st.decode_s;
        const double prefill_limit = r.sgemm_gflops * 1e9 / (2 * r.params);
        const double decode_limit = bw / r.bytes * (double)w.sequences;
        if (json) {
            hone_buf b;
            hone_jw j;
            hone_buf_init(&b, 1 << 16);
            hone_jw_init(&j, &b, 0);
            hone_jw_map(&j);
            hone_jw_kf64(&j, "prefill_tokens_per_s", prefill);
            hone_jw_kf64(&j, "decode_tokens_per_s", decode);
            hone_jw_kf64(&j, "prefill_s", st.prefill_s);
            hone_jw_kf64(&j, "decode_s", st.decode_s);
            hone_jw_kf64(&j, "prefill_of_limit", prefill_limit > 0 ? prefill / prefill_limit : 0);
            hone_jw_kf64(&j, "decode_of_limit", decode_limit > 0 ? decode / decode_limit : 0);
            hone_jw_kf64(&j, "sgemm_gflops", r.sgemm_gflops);
            hone_jw_kf64(&j, "read_gb_per_s", bw * 1e-9);
            hone_jw_kf64(&j, "peak_mb", hone__bench_peak_mb());
            hone_jw_ki64(&j, "threads", hone_pool_threads(r.env.pool));
            hone_jw_kcstr(&j, "storage", setup.storage ? setup.storage : "f32");
            hone_jw_kcstr(&j, "precision", setup.precision ? setup.precision : "f32");
            hone_jw_end(&j);
            printf("%s\n", b.ptr);
            hone_buf_release(&b);
        } else {
            printf(
                "prefill %.0f tokens/s (limit %.0f: 2N flops at %.0f GFLOP/s of sgemm)\n"
                "decode  %.0f tokens/s (limit %.0f: weights read at %.1f GB/s)\npeak    %.0f MB\n",
                prefill, prefill_limit, r.sgemm_gflops, decode, decode_limit, bw * 1e-9,
                hone__bench_peak_mb());
        }
    }
    hone__bench_close(&r);
    return hone_cli_fail(s);
}
