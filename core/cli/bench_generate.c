/* bench_generate.c - `hone bench generate`: prefill and decode, in tokens a second.
 *
 * `sequences` prompts of random ids, all decoding together at temperature 1, end tokens ignored.
 * Beside the figures stand their limits: prefill against 2N flops a token at the speed of sgemm,
 * decode against one reading of all weights a step at the bandwidth of a buffer of their size, or, where that
 * takes longer and sums are of floats, against 2N flops a token. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/env.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_run.h"
#include "cli/out.h"
#include "cli/trace.h"
#include "ops/cpu.h"

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
    hone_cli_trace_start();
    HONE_TRY_GOTO(hone_gen_run(gen, prompts, (size_t)w->sequences, &p), out);
    hone_gen_get_stats(gen, stats);
out:
    hone_free(prompts);
    hone_free(ids);
    return s;
}

int hone_cli_bench_generate(int argc, char **argv)
{
    struct work w = {16, 64, 64};
    hone_bench_setup setup = {.yardstick = 1};
    const char *trace = NULL;
    int json = 0;
    const hone_arg options[] = {
        {"sequences", HONE_ARG_I64, &w.sequences, "N", "decoding together (16)"},
        {"prompt", HONE_ARG_I64, &w.prompt, "N", "tokens a prompt (64)"},
        {"tokens", HONE_ARG_I64, &w.tokens, "N", "new tokens each (64)"},
        {"threads", HONE_ARG_I64, &setup.threads, "N", "threads (all processors)"},
        HONE_CLI_STORAGE(&setup.storage),
        HONE_CLI_PRECISION(&setup.precision),
        HONE_CLI_YARD(&setup.yardstick),
        HONE_CLI_TRACE(&trace),
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
    hone_status s = hone_cli_trace_open(trace);
    if (s >= 0)
        s = hone__bench_open(&setup, &r);
    if (s < 0)
        return hone_cli_fail(hone_cli_trace_close(trace, s));
    s = run(&r, &w, &st);
    hone_cli_trace_stop();
    if (s >= 0) {
        hone__yard_after(&r.yard);
        const double sgemm = hone__yard_sgemm(&r.yard), read = hone__yard_read(&r.yard);
        const double prefill = (double)st.prompt_tokens / st.prefill_s;
        /* the first new token of each comes from the prefill */
        const double decoded = (double)st.new_tokens - (double)w.sequences;
        const double decode = decoded / st.decode_s;
        const double prefill_limit = sgemm * 1e9 / (2 * r.params);
        double decode_limit = read * 1e9 / r.bytes * (double)w.sequences;
        if (!setup.precision && prefill_limit > 0 && prefill_limit < decode_limit)
            decode_limit = prefill_limit;
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
            hone_jw_kf64(&j, "load_s", r.load_s);
            hone_jw_kf64(&j, "prefill_limit_tokens_per_s", prefill_limit);
            hone_jw_kf64(&j, "decode_limit_tokens_per_s", decode_limit);
            hone__yard_json(&r.yard, &j);
            hone_jw_kcstr(&j, "kernels", hone_cpu_set_name(hone_cpu_get()->used));
            hone_jw_ki64(&j, "threads", hone_pool_threads(r.env.pool));
            hone_jw_kcstr(&j, "storage", setup.storage ? setup.storage : "f32");
            hone_jw_kcstr(&j, "precision", setup.precision ? setup.precision : "f32");
            hone_jw_end(&j);
            printf("%s\n", b.ptr);
            hone_buf_release(&b);
        } else {
            printf("prefill %.0f tokens/s (limit %.0f: 2N flops at %.0f GFLOP/s of sgemm)\n"
                   "decode  %.0f tokens/s (limit %.0f: weights read at %.1f GB/s, or 2N "
                   "flops)\npeak    %.0f MB\n",
                   prefill, prefill_limit, sgemm, decode, decode_limit, read, r.yard.peak_mb);
            hone__yard_print(&r.yard);
        }
    }
    hone__bench_close(&r);
    return hone_cli_fail(hone_cli_trace_close(trace, s));
}
