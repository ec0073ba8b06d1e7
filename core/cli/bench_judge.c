/* bench_judge.c - `hone bench judge`: what a local judge costs.
 *
 * Labels: prompts of random ids with one token for each level behind them, all levels as children of one prefill beside a prefill a
 * level; the limit is 2N flops a prompt token at the speed of sgemm. Answers: sequences decoding together, free and within a JSON
 * Schema that no answer of this length can leave; the difference is what masks cost, at first, when they are made, and then, when
 * they are looked up. What is compared takes turns, and the best of the rounds counts. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_run.h"
#include "cli/env.h"
#include "cli/out.h"
#include "ops/cpu.h"
#include "train/update.h"

#include <stdio.h>
#include <string.h>

struct work {
    int64_t items, prompt, levels, sequences, tokens, rounds;
};

struct figures {
    double together_s, separate_s; /* all items */
    double free_s, guided_s;       /* all new tokens but the first of each */
    double first_us, mask_us;      /* masks, a token: in the first run, and later */
    double tokens;                 /* of free_s and guided_s */
    uint64_t states;
};

static double least(double a, double b)
{
    return a > 0 && a < b ? a : b;
}

/* ---- labels ------------------------------------------------------------------------------------------------ */

static hone_status labels(hone_bench_run *r, const struct work *w, int together, double *seconds)
{
    const size_t n = (size_t)w->items, k = (size_t)w->levels;
    const size_t n_trees = together ? n : n * k, per = together ? k : 1;
    int32_t *ids = hone_alloc(n * (size_t)w->prompt * sizeof *ids);
    int32_t *level = hone_alloc(k * sizeof *level);
    hone_train_seq *seqs = hone_calloc(n * k, sizeof *seqs);
    hone_train_tree *trees = hone_calloc(n_trees, sizeof *trees);
    float *out = hone_calloc(n * k, sizeof *out);
    hone_status s = ids && level && seqs && trees && out ? HONE_OK : HONE_E_NOMEM;
    if (s < 0)
        goto done;
    hone__bench_ids(r, 1, ids, n * (size_t)w->prompt);
    hone__bench_ids(r, 2, level, k);
    for (size_t i = 0; i < n * k; i++)
        seqs[i] = (hone_train_seq){.ids = &level[i % k], .n = 1};
    for (size_t i = 0; i < n_trees; i++)
        trees[i] = (hone_train_tree){ids + i / (n_trees / n) * (size_t)w->prompt, (size_t)w->prompt,
                                     seqs + i * per, per};
    const double t = hone_now_s();
    s = hone_policy_logprobs(r->policy, trees, n_trees, 1.0, HONE_ADAPTERS_ACTIVE, 0, out);
    *seconds = hone_now_s() - t;
done:
    hone_free(ids);
    hone_free(level);
    hone_free(seqs);
    hone_free(trees);
    hone_free(out);
    return s;
}

/* ---- answers ----------------------------------------------------------------------------------------------- */

static hone_status answers(hone_bench_run *r, const struct work *w, hone_grammar *g,
                           double *seconds, hone_gen_stats *stats)
{
    hone_gen *gen;
    const size_t n = (size_t)(w->sequences * 64);
    int32_t *ids = hone_alloc(n * sizeof *ids);
    hone_gen_prompt *prompts = hone_calloc((size_t)w->sequences, sizeof *prompts);
    hone_status s = ids && prompts ? hone_policy_gen(r->policy, &gen) : HONE_E_NOMEM;
    if (s < 0)
        goto done;
    hone__bench_ids(r, 3, ids, n);
    for (int64_t i = 0; i < w->sequences; i++)
        prompts[i] = (hone_gen_prompt){.ids = ids + i * 64,
                                       .n = 64,
                                       .first_sample = (uint64_t)i,
                                       .n_samples = 1,
                                       .grammar = g};
    const hone_gen_params p = {.rule = {.temperature = 1, .top_p = 1, .repetition_penalty = 1},
                               .seed = 1,
                               .max_tokens = (int32_t)w->tokens,
                               .ignore_stop_ids = 1,
                               .adapters = HONE_ADAPTERS_ACTIVE,
                               .max_sequences = (uint32_t)w->sequences};
    s = hone_gen_run(gen, prompts, (size_t)w->sequences, &p);
    if (s >= 0) {
        hone_gen_get_stats(gen, stats);
        *seconds = stats->decode_s;
    }
done:
    hone_free(prompts);
    hone_free(ids);
    return s;
}

/* Objects like a judge's replies, more of them than fit. */
static const char schema[] =
    "{\"type\":\"array\",\"minItems\":10000,\"items\":{\"type\":\"object\",\"properties\":{"
    "\"reasoning\":{\"type\":\"string\",\"maxLength\":400},\"verdict\":{\"enum\":[1,2,3,4,5]}},"
    "\"required\":[\"reasoning\",\"verdict\"],\"additionalProperties\":false}}";

static hone_status measure(hone_bench_run *r, const struct work *w, struct figures *f)
{
    hone_gen_stats st;
    hone_grammar *g;
    double t;
    HONE_TRY(hone_grammar_schema(hone_str_c(schema), "bench", &g));
    hone_status s = labels(r, w, 1, &t); /* plans, and touches memory */
    for (int64_t i = 0; s >= 0 && i < w->rounds; i++) {
        s = labels(r, w, 1, &t);
        f->together_s = least(f->together_s, t);
        if (s >= 0)
            s = labels(r, w, 0, &t);
        f->separate_s = least(f->separate_s, t);
    }
    if (s >= 0)
        s = answers(r, w, NULL, &t, &st);
    if (s >= 0)
        s = answers(r, w, g, &t, &st);
    if (s >= 0)
        f->first_us = 1e6 * st.grammar_s / (double)st.new_tokens;
    for (int64_t i = 0; s >= 0 && i < w->rounds; i++) {
        s = answers(r, w, NULL, &t, &st);
        f->free_s = least(f->free_s, t);
        if (s >= 0)
            s = answers(r, w, g, &t, &st);
        f->guided_s = least(f->guided_s, t);
        f->mask_us = least(f->mask_us, 1e6 * st.grammar_s / (double)st.new_tokens);
        f->tokens = (double)st.new_tokens - (double)w->sequences;
        f->states = st.grammar_states;
    }
    hone_grammar_unref(g);
    return s;
}

static void print(const hone_bench_run *r, const struct work *w, const struct figures *f, int json)
{
    const double sgemm = hone__yard_sgemm(&r->yard), read = hone__yard_read(&r->yard);
    const double items = (double)w->items;
    const double limit = sgemm * 1e9 / (2 * r->params * (double)w->prompt);
    double decode_limit = read * 1e9 / r->bytes * (double)w->sequences;
    if (sgemm > 0 && sgemm * 1e9 / (2 * r->params) < decode_limit)
        decode_limit = sgemm * 1e9 / (2 * r->params);
    const double together = items / f->together_s, separate = items / f->separate_s;
    const double plain = f->tokens / f->free_s, guided = f->tokens / f->guided_s;
    if (!json) {
        printf("labels   %.2f verdicts/s from one prefill (limit %.2f: 2N flops a prompt token at "
               "%.0f GFLOP/s of "
               "sgemm)\n         %.2f from a prefill a level: one prefill is %.2f times as fast\n"
               "answers  %.0f tokens/s within a schema, %.0f free (limit %.0f): %+.1f %%\n"
               "         masks %.1f us a token when they are made, %.2f after; %llu states\n"
               "peak     %.0f MB\n",
               together, limit, sgemm, separate, f->separate_s / f->together_s, guided, plain,
               decode_limit, 100 * (f->guided_s / f->free_s - 1), f->first_us, f->mask_us,
               (unsigned long long)f->states, r->yard.peak_mb);
        hone__yard_print(&r->yard);
        return;
    }
    hone_buf b;
    hone_jw j;
    hone_buf_init(&b, 1 << 16);
    hone_jw_init(&j, &b, 0);
    hone_jw_map(&j);
    hone_jw_kf64(&j, "verdicts_per_s", together);
    hone_jw_kf64(&j, "verdicts_limit_per_s", limit);
    hone_jw_kf64(&j, "verdicts_of_limit", limit > 0 ? together / limit : 0);
    hone_jw_kf64(&j, "separate_per_s", separate);
    hone_jw_kf64(&j, "one_prefill_times", f->separate_s / f->together_s);
    hone_jw_kf64(&j, "free_tokens_per_s", plain);
    hone_jw_kf64(&j, "guided_tokens_per_s", guided);
    hone_jw_kf64(&j, "guided_of_limit", decode_limit > 0 ? guided / decode_limit : 0);
    hone_jw_kf64(&j, "guided_overhead", f->guided_s / f->free_s - 1);
    hone_jw_kf64(&j, "mask_us_first", f->first_us);
    hone_jw_kf64(&j, "mask_us", f->mask_us);
    hone_jw_ki64(&j, "states", (int64_t)f->states);
    hone__yard_json(&r->yard, &j);
    hone_jw_kcstr(&j, "kernels", hone_cpu_set_name(hone_cpu_get()->used));
    hone_jw_ki64(&j, "threads", hone_pool_threads(r->env.pool));
    hone_jw_end(&j);
    printf("%s\n", b.ptr);
    hone_buf_release(&b);
}

int hone_cli_bench_judge(int argc, char **argv)
{
    struct work w = {4, 256, 5, 16, 48, 2};
    hone_bench_setup setup = {.yardstick = 1};
    int json = 0;
    const hone_arg options[] = {
        {"items", HONE_ARG_I64, &w.items, "N", "judged by labels (4)"},
        {"prompt", HONE_ARG_I64, &w.prompt, "N", "tokens of each one's prompt (256)"},
        {"levels", HONE_ARG_I64, &w.levels, "N", "labels of one token (5)"},
        {"sequences", HONE_ARG_I64, &w.sequences, "N", "answers decoding together (16)"},
        {"tokens", HONE_ARG_I64, &w.tokens, "N", "new tokens each (48)"},
        {"rounds", HONE_ARG_I64, &w.rounds, "N", "of which the best counts (2)"},
        {"threads", HONE_ARG_I64, &setup.threads, "N", "threads (all processors)"},
        HONE_CLI_STORAGE(&setup.storage),
        HONE_CLI_YARD(&setup.yardstick),
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {
        "hone bench judge tiny --items 2 --prompt 64 --tokens 16", NULL};
    const hone_args spec = {
        "bench judge",
        "MODEL [options]",
        "Verdicts a second by labels, and what keeping to a schema costs a token.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (w.items < 1 || w.items > 4096 || w.prompt < 1 || w.prompt > 1 << 20 || w.levels < 2 ||
        w.levels > 1024 || w.sequences < 1 || w.sequences > 4096 || w.tokens < 2 ||
        w.tokens > 1 << 16 || w.rounds < 1 || w.rounds > 1000 || setup.threads < 0 ||
        setup.threads > HONE_POOL_MAX)
        return hone_cli_usage("bench judge", "a number is out of range");
    setup.model = rest.v[0];
    hone_bench_run r;
    struct figures f = {0};
    hone_status s = hone__bench_open(&setup, &r);
    if (s < 0)
        return hone_cli_fail(s);
    s = measure(&r, &w, &f);
    if (s >= 0) {
        hone__yard_after(&r.yard);
        print(&r, &w, &f, json);
    }
    hone__bench_close(&r);
    return hone_cli_fail(s);
}
