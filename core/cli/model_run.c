/* model_run.c - `hone model logprobs` and `hone model export`.
 *
 * logprobs computes a whole text as one segment in SCORE mode: logprobs[i] is of ids[i+1] given ids[..i];
 * the logits of the last position are shown by their ten largest and their log-sum-exp. export writes a
 * Hugging Face folder from any model hone reads, row by row from file to file. */
#include "host/registry.h"
#include "base/alloc.h"
#include "base/json.h"
#include "cli/env.h"
#include "cli/args.h"
#include "cli/model.h"
#include "cli/out.h"
#include "nn/choose.h"
#include "nn/forest.h"
#include "nn/hf.h"
#include "train/policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOP = 10 };

/* ---- logprobs --------------------------------------------------------------------------------------- */
typedef struct scores {
    float *logprobs; /* n - 1 */
    int32_t top_id[TOP];
    float top[TOP];
    int n_top;
    double logsumexp;
} scores;

static void read_last(const float *logits, int64_t vocab, scores *out)
{
    float largest = -INFINITY;
    double sum = 0;
    out->n_top = 0;
    for (int64_t v = 0; v < vocab; v++) {
        int at = out->n_top;
        largest = logits[v] > largest ? logits[v] : largest;
        while (at > 0 && logits[v] > out->top[at - 1])
            at--;
        if (at == TOP)
            continue;
        if (out->n_top < TOP)
            out->n_top++;
        for (int k = out->n_top - 1; k > at; k--) {
            out->top[k] = out->top[k - 1];
            out->top_id[k] = out->top_id[k - 1];
        }
        out->top[at] = logits[v];
        out->top_id[at] = (int32_t)v;
    }
    for (int64_t v = 0; v < vocab; v++)
        sum += exp((double)logits[v] - (double)largest);
    out->logsumexp = (double)largest + log(sum);
}

/* out->logprobs must have room for n - 1. */
static hone_status score(hone_policy *p, const int32_t *ids, int64_t n, scores *out)
{
    hone_forest forest;
    hone_tensor lp = HONE_NONE, logits;
    hone_forest_init(&forest);
    int32_t segment = hone_forest_segment(&forest, -1, ids, n);
    hone_status s = segment < 0 ? segment : HONE_OK;
    if (s >= 0 && n > 1) {
        int64_t first = hone_forest_targets(&forest, segment, 1, n - 1);
        s = first < 0 ? (hone_status)first : HONE_OK;
    }
    if (s >= 0)
        s = hone_forest_logits(&forest, n - 1);
    const hone_batch *batch = s >= 0 ? hone_forest_build(&forest) : NULL;
    if (s >= 0 && !batch)
        s = hone_error_get()->code;
    if (s >= 0)
        s = hone_model_begin(p->model, p->tape, HONE_MODE_SCORE, batch, NULL);
    if (s < 0)
        goto out;
    hone_tensor hidden = hone_model_hidden(p->model, p->tape);
    if (n > 1) {
        lp = hone_model_logprob(p->model, p->tape, hidden, 1.0f, NULL);
        hone_tape_keep(p->tape, lp);
    }
    logits = hone_model_logits(p->model, p->tape, hidden);
    hone_tape_keep(p->tape, logits);
    HONE_TRY_GOTO(hone_tape_forward(p->tape), out);
    if (n > 1) {
        hone_view v = hone_tape_value(p->tape, lp);
        for (int64_t i = 0; i < n - 1; i++)
            out->logprobs[i] = ((const float *)v.data)[i * v.ld];
    }
    hone_view v = hone_tape_value(p->tape, logits);
    read_last(v.data, v.cols, out);
out:
    hone_forest_release(&forest);
    return s;
}

static void print_json(const hone_tokens *t, const scores *r)
{
    hone_buf text;
    hone_jw w;
    hone_buf_init(&text, (size_t)256 << 20);
    hone_jw_init(&w, &text, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "ids");
    hone_jw_list(&w);
    for (size_t i = 0; i < t->n; i++)
        hone_jw_i64(&w, t->ids[i]);
    hone_jw_end(&w);
    hone_jw_key(&w, "logprobs");
    hone_jw_list(&w);
    for (size_t i = 0; i + 1 < t->n; i++)
        hone_jw_f32(&w, r->logprobs[i]);
    hone_jw_end(&w);
    hone_jw_key(&w, "last_top");
    hone_jw_list(&w);
    for (int i = 0; i < r->n_top; i++) {
        hone_jw_list(&w);
        hone_jw_i64(&w, r->top_id[i]);
        hone_jw_f32(&w, r->top[i]);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_kf64(&w, "last_logsumexp", r->logsumexp);
    hone_jw_end(&w);
    printf("%s\n", text.ptr);
    hone_buf_release(&text);
}

/* The text of one id, quoted as JSON so that white space shows. */
static void print_piece(const hone_policy *p, int32_t id)
{
    hone_buf piece, shown;
    hone_jw w;
    hone_buf_init(&piece, 1 << 16);
    hone_buf_init(&shown, 1 << 20);
    hone_jw_init(&w, &shown, 0);
    if (p->text && p->text->tokenizer_instance &&
        hone_tokenizer_decode(&p->text->tokenizer, &id, 1, 0, &piece) >= 0)
        hone_jw_str(&w, hone_buf_str(&piece));
    printf("%8d  %s", id, shown.ptr);
    hone_buf_release(&piece);
    hone_buf_release(&shown);
}

static void print_text(const hone_policy *p, const hone_tokens *t, const scores *r)
{
    double sum = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (i == 0)
            printf("%12s", "");
        else
            printf("%12.6f", (double)r->logprobs[i - 1]);
        print_piece(p, t->ids[i]);
        printf("\n");
        if (i > 0)
            sum += (double)r->logprobs[i - 1];
    }
    printf("sum %.6f", sum);
    if (t->n > 1)
        printf(", perplexity %.4f", exp(-sum / (double)(t->n - 1)));
    printf("\nnext:\n");
    for (int i = 0; i < r->n_top; i++) {
        printf("%12.6f", (double)r->top[i] - r->logsumexp);
        print_piece(p, r->top_id[i]);
        printf("\n");
    }
}

/* "5,17,9" into t. */
static hone_status parse_ids(const char *list, hone_tokens *t)
{
    const char *at = list;
    while (*at) {
        int64_t id = 0;
        const char *begin = at;
        for (; *at >= '0' && *at <= '9' && id < INT32_MAX; at++)
            id = 10 * id + (*at - '0');
        if (at == begin || id >= INT32_MAX || (*at && *at != ',') || (*at == ',' && !at[1]))
            return hone_fail(HONE_E_USAGE, "--ids: \"%s\" is no list of ids such as 5,17,9", list);
        HONE_TRY(hone_tokens_add1(t, (int32_t)id));
        at += *at == ',';
    }
    return HONE_OK;
}

static hone_status run_logprobs(hone_policy *p, const char *text, const char *ids, int json)
{
    hone_tokens tokens;
    scores r = {0};
    hone_status s;
    hone_tokens_init(&tokens, 0);
    if (ids) {
        s = parse_ids(ids, &tokens);
    } else if (!p->text || !p->text->tokenizer_instance) {
        s = hone_fail(HONE_E_INVALID, "%s has no tokenizer", p->model_path);
        hone_fail_hint("give ids instead: --ids 5,17,9");
    } else {
        s = hone_policy_encode_text(p, hone_str_c(text), &tokens);
    }
    if (s >= 0 && tokens.n == 0)
        s = hone_fail(HONE_E_USAGE, "an empty text has no log-probs");
    for (size_t i = 0; s >= 0 && i < tokens.n; i++)
        if (tokens.ids[i] >= p->model->info.vocab_size)
            s = hone_fail(HONE_E_RANGE, "id %d is past the vocabulary of %lld", tokens.ids[i],
                          (long long)p->model->info.vocab_size);
    if (s < 0)
        goto out;
    r.logprobs = hone_calloc(tokens.n, sizeof *r.logprobs);
    s = r.logprobs ? score(p, tokens.ids, (int64_t)tokens.n, &r) : HONE_E_NOMEM;
    if (s >= 0 && json)
        print_json(&tokens, &r);
    else if (s >= 0)
        print_text(p, &tokens, &r);
out:
    hone_free(r.logprobs);
    hone_tokens_release(&tokens);
    return s;
}

int hone__cli_model_logprobs(int argc, char **argv)
{
    static int json, allow;
    static const char *text, *ids, *storage, *precision, *adapter;
    static int64_t threads;
    static const hone_arg options[] = {
        {"text", HONE_ARG_STR, &text, "TEXT", "the text to score"},
        {"ids", HONE_ARG_STR, &ids, "5,17,9", "token ids instead of a text"},
        HONE_CLI_ADAPTER(&adapter),
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        HONE_CLI_STORAGE(&storage),
        HONE_CLI_PRECISION(&precision),
        {"allow-unknown-config", HONE_ARG_FLAG, &allow, NULL,
         "ignore configuration keys hone does not know"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {"hone model logprobs tiny --text 'Leo has 3 red pens.'",
                                           NULL};
    static const hone_args spec = {
        "model logprobs",
        "MODEL --text TEXT [options]",
        "Shows how likely a model finds each token of a text, given those before it.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!text == !ids)
        return hone_cli_usage("model logprobs", "give --text or --ids");
    hone_env env = {0};
    hone_registry_opts none = {0};
    hone_policy *p = NULL;
    hone_policy_config config = {.model = rest.v[0],
                                 .flags = allow ? HONE_MODEL_ALLOW_UNKNOWN : 0,
                                 .precision = precision,
                                 .lora.from = adapter};
    hone_status s = threads < 0 || threads > HONE_POOL_MAX
                        ? hone_fail(HONE_E_USAGE, "--threads: 1 to %d", HONE_POOL_MAX)
                        : hone_storage_parse(storage, &config.storage);
    if (s >= 0)
        s = hone_registry_open(&none, &env.registry);
    if (s >= 0)
        s = hone_pool_create((uint32_t)threads, &env.pool);
    if (s >= 0)
        s = hone_policy_create(&env, &config, &p);
    if (s >= 0)
        s = run_logprobs(p, text, ids, json);
    int code = hone_cli_fail(s);
    if (p)
        hone_policy_destroy(p);
    hone_pool_destroy(env.pool);
    if (env.registry)
        hone_registry_close(env.registry);
    return code;
}

/* ---- export ----------------------------------------------------------------------------------------- */
static hone_status run_export(const char *from, const char *to, const hone_hf_options *given,
                              uint32_t flags)
{
    hone_weights *w = NULL;
    hone_registry *registry = NULL;
    hone_registry_opts none = {0};
    hone_instance *inst = NULL;
    hone_model *model = NULL;
    hone_tensor_reader reader;
    hone_hf_options o = *given;
    hone_status s = hone_weights_open(from, 0, &w);
    if (s >= 0)
        s = hone_registry_open(&none, &registry);
    if (s >= 0)
        s = hone_model_choose(registry, hone_weights_format(w), hone_weights_config(w),
                              hone_weights_path(w), flags | HONE_MODEL_DECLARED, &inst, &model);
    if (s >= 0) {
        hone_weights_reader(w, &reader);
        o.like = w;
        o.from = &reader;
        s = hone_hf_write(to, model, &o);
    }
    hone_model_destroy(model);
    hone_instance_unref(inst);
    if (registry)
        hone_registry_close(registry);
    hone_weights_close(w);
    return s;
}

int hone__cli_model_export(int argc, char **argv)
{
    static const char *dtype = "bf16";
    static int overwrite, allow;
    static int64_t shard_mb;
    static const hone_arg options[] = {
        {"dtype", HONE_ARG_STR, &dtype, "TYPE", "f32, bf16 or f16 (bf16)"},
        {"shard-mb", HONE_ARG_I64, &shard_mb, "N",
         "at most so many megabytes a file (0: one file)"},
        {"overwrite", HONE_ARG_FLAG, &overwrite, NULL, "replace a folder that is there"},
        {"allow-unknown-config", HONE_ARG_FLAG, &allow, NULL,
         "ignore configuration keys hone does not know"},
        {0}};
    static const char *const examples[] = {"hone model export tiny out-f32 --dtype f32", NULL};
    static const hone_args spec = {
        "model export",
        "MODEL FOLDER [options]",
        "Writes a model as a folder in Hugging Face layout: config.json,\n"
        "model.safetensors, tokenizer. The folder appears whole or not at all.",
        options,
        examples,
        2,
        2};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const hone_file_type *type = hone_file_type_named(dtype);
    if (!type || !type->narrow || !type->safetensors)
        return hone_cli_usage("model export", "--dtype: f32, bf16 or f16, not \"%s\"", dtype);
    if (shard_mb < 0 || shard_mb > INT64_MAX / 1000000)
        return hone_cli_usage("model export", "--shard-mb: 0 or more");
    hone_hf_options o = {.type = type->id,
                         .flags = overwrite ? HONE_HF_OVERWRITE : 0,
                         .shard_bytes = (uint64_t)shard_mb * 1000000};
    return hone_cli_fail(
        run_export(rest.v[0], rest.v[1], &o, allow ? HONE_MODEL_ALLOW_UNKNOWN : 0));
}
