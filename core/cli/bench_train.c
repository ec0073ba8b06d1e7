/* bench_train.c - `hone bench train`: supervised steps, full or with adapters, in tokens a second.
 *
 * The work is one optimizer step on `batch` sequences of `tokens` random ids, every token but the
 * first a target, through the same hone_policy_step that training uses. The limit is arithmetic at
 * the speed of sgemm on the same threads, measured before and after: 6N flops a token when all
 * weights train, 4N with adapters (N: weights a token meets). Medians; the first step, which plans,
 * is not counted. */
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
#include "train/update.h"

#include <stdio.h>

enum { STEPS_MAX = 1000 };

struct work {
    int64_t batch, tokens, steps, micro, checkpoint;
};

static hone_status steps(hone_bench_run *r, const struct work *w, double *step_s)
{
    hone_instance *inst = NULL;
    hone_ref ref;
    hone_metrics metrics;
    double took[STEPS_MAX];
    const size_t n = (size_t)(w->batch * w->tokens);
    int32_t *ids = hone_alloc(n * sizeof *ids);
    hone_train_seq *seqs = hone_calloc((size_t)w->batch, sizeof *seqs);
    hone_train_tree *trees = hone_calloc((size_t)w->batch, sizeof *trees);
    hone_status s = ids && seqs && trees ? HONE_OK : HONE_E_NOMEM;
    hone_metrics_init(&metrics);
    if (s >= 0)
        s = hone_instance_create(r->env.registry, HONE_KIND_OBJECTIVE, "sft", NULL, &inst);
    if (s >= 0)
        s = hone_instance_ref(inst, HONE_IFACE_OBJECTIVE, &ref);
    if (s < 0)
        goto out;
    const hone_update_params u = {.objective = ref.vt,
                                  .objective_self = ref.self,
                                  .objective_instance = inst,
                                  .temperature = 1,
                                  .lr = 1e-9,
                                  .clip = 1,
                                  .micro_tokens = (size_t)w->micro,
                                  .checkpoint_every = (uint32_t)w->checkpoint};
    for (int64_t i = 0; i < w->batch; i++) {
        seqs[i] = (hone_train_seq){.ids = ids + i * w->tokens, .n = (size_t)w->tokens};
        trees[i] = (hone_train_tree){.seqs = &seqs[i], .n_seqs = 1};
    }
    for (int64_t i = 0; i <= w->steps; i++) {
        if (i == 1)
            hone_cli_trace_start();
        hone__bench_ids(r, (uint64_t)i, ids, n);
        hone_metrics_clear(&metrics);
        const double t = hone_now_s();
        HONE_TRY_GOTO(hone_policy_step(r->policy, trees, (size_t)w->batch, &u, &metrics), out);
        if (i > 0)
            took[i - 1] = hone_now_s() - t;
    }
    *step_s = hone__bench_median(took, (size_t)w->steps);
out:
    hone_metrics_release(&metrics);
    hone_instance_unref(inst);
    hone_free(trees);
    hone_free(seqs);
    hone_free(ids);
    return s;
}

/* Tokens a second at the speed of sgemm when attention is counted too, on chains of so many tokens: forward 2 T H D flops a
 * token and layer under a causal mask, backward 2.5 times that. Layers that see less of the past are counted as if not. */
static double limit_of_length(const hone_bench_run *r, const struct work *w, double flops,
                              double sgemm)
{
    const hone_model_info *m = &r->policy->model->info;
    const double attention = 7.0 * (double)w->tokens * (double)m->n_heads * (double)m->head_dim *
                             (double)m->n_layers;
    return sgemm * 1e9 / (flops + attention);
}

int hone_cli_bench_train(int argc, char **argv)
{
    struct work w = {4, 256, 5, 0, 0};
    hone_bench_setup setup = {.train = 1, .yardstick = 1};
    const char *trace = NULL;
    int json = 0;
    const hone_arg options[] = {
        {"batch", HONE_ARG_I64, &w.batch, "N", "sequences a step (4)"},
        {"tokens", HONE_ARG_I64, &w.tokens, "N", "tokens a sequence (256)"},
        {"lora", HONE_ARG_I64, &setup.lora, "R",
         "adapters of rank R on all linears; 0: all weights train (0)"},
        {"steps", HONE_ARG_I64, &w.steps, "N", "steps that are timed (5)"},
        {"threads", HONE_ARG_I64, &setup.threads, "N", "threads (all processors)"},
        HONE_CLI_STORAGE(&setup.storage),
        HONE_CLI_PRECISION(&setup.precision),
        HONE_CLI_YARD(&setup.yardstick),
        {"micro-tokens", HONE_ARG_I64, &w.micro, "N", "tokens a micro-batch (automatic)"},
        {"checkpoint-every", HONE_ARG_I64, &w.checkpoint, "N",
         "activation checkpointing; 0: none (0)"},
        HONE_CLI_TRACE(&trace),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench train tiny --steps 2",
                                           "hone bench train tiny --lora 16 --steps 2 --json",
                                           NULL};
    const hone_args spec = {
        "bench train",
        "MODEL [options]",
        "Tokens a second of supervised training on random tokens, and the share of what\n"
        "the arithmetic would take at the speed of sgemm.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (w.batch < 1 || w.batch > 4096 || w.tokens < 2 || w.tokens > 1 << 20 || w.steps < 1 ||
        w.steps > STEPS_MAX || w.micro < 0 || w.checkpoint < 0 || setup.lora < 0 ||
        setup.lora > 4096 || setup.threads < 0 || setup.threads > HONE_POOL_MAX)
        return hone_cli_usage("bench train", "a number is out of range");
    setup.model = rest.v[0];
    hone_bench_run r;
    double step_s = 0;
    hone_status s = hone_cli_trace_open(trace);
    if (s >= 0)
        s = hone__bench_open(&setup, &r);
    if (s < 0)
        return hone_cli_fail(hone_cli_trace_close(trace, s));
    s = steps(&r, &w, &step_s);
    hone_cli_trace_stop();
    if (s >= 0) {
        hone__yard_after(&r.yard);
        const double sgemm = hone__yard_sgemm(&r.yard);
        const double rate = (double)(w.batch * w.tokens) / step_s;
        const double limit = sgemm * 1e9 / ((setup.lora ? 4 : 6) * r.params);
        const double of_limit = limit > 0 ? rate / limit : 0;
        if (json) {
            hone_buf b;
            hone_jw j;
            hone_buf_init(&b, 1 << 16);
            hone_jw_init(&j, &b, 0);
            hone_jw_map(&j);
            hone_jw_kf64(&j, "tokens_per_s", rate);
            hone_jw_kf64(&j, "step_s", step_s);
            hone_jw_kf64(&j, "limit_tokens_per_s", limit);
            hone_jw_kf64(&j, "limit_with_attention_tokens_per_s",
                         limit_of_length(&r, &w, (setup.lora ? 4 : 6) * r.params, sgemm));
            hone_jw_kf64(&j, "of_limit", of_limit);
            hone__yard_json(&r.yard, &j);
            hone_jw_kcstr(&j, "kernels", hone_cpu_set_name(hone_cpu_get()->used));
            hone_jw_ki64(&j, "threads", hone_pool_threads(r.env.pool));
            hone_jw_kcstr(&j, "storage", setup.storage ? setup.storage : "f32");
            hone_jw_kcstr(&j, "precision", setup.precision ? setup.precision : "f32");
            hone_jw_end(&j);
            printf("%s\n", b.ptr);
            hone_buf_release(&b);
        } else {
            printf("%.1f tokens/s, %.3f s a step, peak %.0f MB; %.0f %% of %.0f tokens/s (%dN "
                   "flops at %.0f "
                   "GFLOP/s of sgemm)\n",
                   rate, step_s, r.yard.peak_mb, 100 * of_limit, limit, setup.lora ? 4 : 6, sgemm);
            hone__yard_print(&r.yard);
        }
    }
    hone__bench_close(&r);
    return hone_cli_fail(hone_cli_trace_close(trace, s));
}
