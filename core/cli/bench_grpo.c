/* bench_grpo.c - `hone bench grpo`: one step of group-relative training: generate, then update.
 *
 * `prompts` prompts of random ids, `samples` completions each, end tokens ignored so that every run
 * does the same work; advantages alternate, so that every completion has a gradient; the objective
 * is grpo without a reference. Rewards are left out: they run beside generation. Medians; the first
 * step, which plans, is not counted. */
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
#include <string.h>

enum { STEPS_MAX = 1000 };

struct work {
    int64_t prompts, samples, prompt_tokens, tokens, steps, micro;
};

struct rollout {
    const struct work *w;
    int32_t *prompt_ids; /* prompts x prompt_tokens */
    int32_t *ids;        /* samples x tokens, by sample number */
    float *logp, *full;
    hone_train_seq *seqs; /* prompts x samples */
    hone_train_tree *trees;
    hone_gen_prompt *prompts;
};

static hone_status keep(void *ctx, const hone_completion *c)
{
    struct rollout *r = ctx;
    const size_t place = (size_t)c->sample, tokens = (size_t)r->w->tokens;
    memcpy(r->ids + place * tokens, c->ids, c->n * sizeof *c->ids);
    memcpy(r->logp + place * tokens, c->logprob, c->n * sizeof *c->logprob);
    memcpy(r->full + place * tokens, c->full, c->n * sizeof *c->full);
    r->seqs[place] = (hone_train_seq){.ids = r->ids + place * tokens,
                                      .n = c->n,
                                      .sampler_logp = r->logp + place * tokens,
                                      .full_logp = r->full + place * tokens,
                                      .seq_advantage = place % 2 ? -1.0 : 1.0,
                                      .group = (uint32_t)c->prompt};
    return HONE_OK;
}

static hone_status reserve(struct rollout *r, const struct work *w)
{
    const size_t n = (size_t)(w->prompts * w->samples), tokens = n * (size_t)w->tokens;
    memset(r, 0, sizeof *r);
    r->w = w;
    r->prompt_ids = hone_calloc((size_t)(w->prompts * w->prompt_tokens), sizeof *r->prompt_ids);
    r->ids = hone_calloc(tokens, sizeof *r->ids);
    r->logp = hone_calloc(tokens, sizeof *r->logp);
    r->full = hone_calloc(tokens, sizeof *r->full);
    r->seqs = hone_calloc(n, sizeof *r->seqs);
    r->trees = hone_calloc((size_t)w->prompts, sizeof *r->trees);
    r->prompts = hone_calloc((size_t)w->prompts, sizeof *r->prompts);
    return r->prompt_ids && r->ids && r->logp && r->full && r->seqs && r->trees && r->prompts
               ? HONE_OK
               : HONE_E_NOMEM;
}

static void release(struct rollout *r)
{
    hone_free(r->prompt_ids);
    hone_free(r->ids);
    hone_free(r->logp);
    hone_free(r->full);
    hone_free(r->seqs);
    hone_free(r->trees);
    hone_free(r->prompts);
}

struct times {
    double generate, train, step;
    double mismatch;    /* largest difference of sampler and trainer log-probs */
    hone_gen_stats gen; /* of the last step */
};

static hone_status steps(hone_bench_run *b, const struct work *w, struct times *out)
{
    double generate[STEPS_MAX], train[STEPS_MAX], whole[STEPS_MAX];
    struct rollout r;
    hone_metrics metrics;
    hone_instance *inst = NULL;
    hone_ref ref;
    hone_gen *gen;
    hone_metrics_init(&metrics);
    hone_status s = reserve(&r, w);
    if (s >= 0)
        s = hone_policy_gen(b->policy, &gen);
    if (s >= 0)
        s = hone_instance_create(b->env.registry, HONE_KIND_OBJECTIVE, "grpo", NULL, &inst);
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
                                  .max_length = (double)w->tokens,
                                  .micro_tokens = (size_t)w->micro,
                                  .full_is_old = 1,
                                  .measure_mismatch = 1};
    out->mismatch = 0;
    for (int64_t i = 0; i <= w->steps; i++) {
        if (i == 1)
            hone_cli_trace_start();
        hone__bench_ids(b, (uint64_t)i, r.prompt_ids, (size_t)(w->prompts * w->prompt_tokens));
        for (int64_t k = 0; k < w->prompts; k++) {
            const int32_t *ids = r.prompt_ids + k * w->prompt_tokens;
            r.prompts[k] = (hone_gen_prompt){.ids = ids,
                                             .n = (size_t)w->prompt_tokens,
                                             .first_sample = (uint64_t)(k * w->samples),
                                             .n_samples = (uint32_t)w->samples};
            r.trees[k] = (hone_train_tree){.prompt = ids,
                                           .n_prompt = (size_t)w->prompt_tokens,
                                           .seqs = r.seqs + k * w->samples,
                                           .n_seqs = (size_t)w->samples};
        }
        const hone_gen_params p = {.rule = {.temperature = 1, .top_p = 1, .repetition_penalty = 1},
                                   .seed = 1,
                                   .step = (uint64_t)i,
                                   .max_tokens = (int32_t)w->tokens,
                                   .ignore_stop_ids = 1,
                                   .adapters = HONE_ADAPTERS_ACTIVE,
                                   .ctx = &r,
                                   .on_finish = keep,
                                   .max_sequences = (uint32_t)(w->prompts * w->samples)};
        hone_metrics_clear(&metrics);
        const double t0 = hone_now_s();
        HONE_TRY_GOTO(hone_gen_run(gen, r.prompts, (size_t)w->prompts, &p), out);
        const double t1 = hone_now_s();
        hone_gen_get_stats(gen, &out->gen);
        HONE_TRY_GOTO(hone_policy_step(b->policy, r.trees, (size_t)w->prompts, &u, &metrics), out);
        const double t2 = hone_now_s();
        double m = 0;
        if (hone_metrics_get(&metrics, "mismatch/max", &m) && m > out->mismatch)
            out->mismatch = m;
        if (i > 0) {
            generate[i - 1] = t1 - t0;
            train[i - 1] = t2 - t1;
            whole[i - 1] = t2 - t0;
        }
    }
    out->generate = hone__bench_median(generate, (size_t)w->steps);
    out->train = hone__bench_median(train, (size_t)w->steps);
    out->step = hone__bench_median(whole, (size_t)w->steps);
out:
    hone_metrics_release(&metrics);
    hone_instance_unref(inst);
    release(&r);
    return s;
}

/* Seconds that the parts of a step would take at the machine's own speed: prompts once and every completion forward and
 * backward at the speed of sgemm (6N flops a token, 4N with adapters), and for each new token of all sequences
 * either one reading of the weights or their 2N flops, whichever takes longer. */
static double limit_of(const hone_bench_run *r, const struct work *w, int64_t lora)
{
    const double flops = hone__yard_sgemm(&r->yard) * 1e9, bw = hone__yard_read(&r->yard) * 1e9;
    if (!(flops > 0 && bw > 0))
        return 0; /* no yardstick, no limit */
    const double prompts = (double)(w->prompts * w->prompt_tokens);
    const double sequences = (double)(w->prompts * w->samples);
    const double products = sequences * 2 * r->params / flops, reading = r->bytes / bw;
    return prompts * 2 * r->params / flops +
           (double)w->tokens * (products > reading ? products : reading) +
           (prompts + sequences * (double)w->tokens) * (lora ? 4 : 6) * r->params / flops;
}

int hone_cli_bench_grpo(int argc, char **argv)
{
    struct work w = {2, 8, 50, 64, 3, 0};
    hone_bench_setup setup = {.train = 1, .yardstick = 1};
    const char *trace = NULL;
    int json = 0;
    const hone_arg options[] = {
        {"prompts", HONE_ARG_I64, &w.prompts, "N", "prompts a step (2)"},
        {"samples", HONE_ARG_I64, &w.samples, "N", "completions a prompt (8)"},
        {"prompt-tokens", HONE_ARG_I64, &w.prompt_tokens, "N", "tokens a prompt (50)"},
        {"tokens", HONE_ARG_I64, &w.tokens, "N", "new tokens a completion (64)"},
        {"lora", HONE_ARG_I64, &setup.lora, "R",
         "adapters of rank R on all linears; 0: all weights train (0)"},
        {"steps", HONE_ARG_I64, &w.steps, "N", "steps that are timed (3)"},
        {"threads", HONE_ARG_I64, &setup.threads, "N", "threads (all processors)"},
        HONE_CLI_STORAGE(&setup.storage),
        HONE_CLI_PRECISION(&setup.precision),
        HONE_CLI_YARD(&setup.yardstick),
        {"micro-tokens", HONE_ARG_I64, &w.micro, "N", "tokens a micro-batch (automatic)"},
        HONE_CLI_TRACE(&trace),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench grpo tiny --steps 1", NULL};
    const hone_args spec = {"bench grpo",
                            "MODEL [options]",
                            "Seconds of one GRPO step: generation of groups and the update.",
                            options,
                            examples,
                            1,
                            1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (w.prompts < 1 || w.prompts > 4096 || w.samples < 1 || w.samples > 4096 ||
        w.prompt_tokens < 1 || w.prompt_tokens > 1 << 20 || w.tokens < 1 || w.tokens > 1 << 20 ||
        w.steps < 1 || w.steps > STEPS_MAX || w.micro < 0 || setup.lora < 0 || setup.lora > 4096 ||
        setup.threads < 0 || setup.threads > HONE_POOL_MAX)
        return hone_cli_usage("bench grpo", "a number is out of range");
    setup.model = rest.v[0];
    hone_bench_run r;
    struct times t = {0};
    hone_status s = hone_cli_trace_open(trace);
    if (s >= 0)
        s = hone__bench_open(&setup, &r);
    if (s < 0)
        return hone_cli_fail(hone_cli_trace_close(trace, s));
    s = steps(&r, &w, &t);
    hone_cli_trace_stop();
    if (s >= 0) {
        hone__yard_after(&r.yard);
        const double limit = limit_of(&r, &w, setup.lora);
        const double new_tokens = (double)(w.prompts * w.samples * w.tokens);
        if (json) {
            hone_buf b;
            hone_jw j;
            hone_buf_init(&b, 1 << 16);
            hone_jw_init(&j, &b, 0);
            hone_jw_map(&j);
            hone_jw_kf64(&j, "step_s", t.step);
            hone_jw_kf64(&j, "generate_s", t.generate);
            hone_jw_kf64(&j, "train_s", t.train);
            hone_jw_kf64(&j, "generate_tokens_per_s", new_tokens / t.generate);
            hone_jw_kf64(&j, "sample_ms", 1e3 * t.step / (double)(w.prompts * w.samples));
            hone_jw_ki64(&j, "prompt_tokens_read", (int64_t)t.gen.prompt_tokens);
            hone_jw_ki64(&j, "new_tokens", (int64_t)t.gen.new_tokens);
            hone_jw_ki64(&j, "prompt_tokens_of_samples", w.prompts * w.samples * w.prompt_tokens);
            hone_jw_kf64(&j, "limit_s", limit);
            hone_jw_kf64(&j, "of_limit", limit / t.step);
            hone_jw_kf64(&j, "mismatch_max", t.mismatch);
            hone__yard_json(&r.yard, &j);
            hone_jw_kcstr(&j, "kernels", hone_cpu_set_name(hone_cpu_get()->used));
            hone_jw_ki64(&j, "threads", hone_pool_threads(r.env.pool));
            hone_jw_kcstr(&j, "storage", setup.storage ? setup.storage : "f32");
            hone_jw_kcstr(&j, "precision", setup.precision ? setup.precision : "f32");
            hone_jw_end(&j);
            printf("%s\n", b.ptr);
            hone_buf_release(&b);
        } else {
            printf("%.3f s a step: generation %.3f (%.0f tokens/s), update %.3f; %llu "
                   "prompt tokens read once for %lld samples; sampler against trainer log-probs: "
                   "at most %g apart; peak %.0f MB; %.0f %% of the speed of its parts' "
                   "limits (%.3f s), sgemm %.0f "
                   "GFLOP/s\n",
                   t.step, t.generate, new_tokens / t.generate, t.train,
                   (unsigned long long)t.gen.prompt_tokens, (long long)(w.prompts * w.samples),
                   t.mismatch, r.yard.peak_mb, 100 * limit / t.step, limit,
                   hone__yard_sgemm(&r.yard));
            hone__yard_print(&r.yard);
        }
    }
    hone__bench_close(&r);
    return hone_cli_fail(hone_cli_trace_close(trace, s));
}
