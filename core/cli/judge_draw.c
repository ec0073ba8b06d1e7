/* judge_draw.c - `hone judge draw`: several completions of each prompt, as items for `hone judge reliability` and the gate.
 *
 * What reinforcement learning asks of a judge is whether it tells completions of one prompt apart that the policy really writes, so
 * they are drawn from it as training draws them. Each row carries the checksum of the policy, which the gate compares with the
 * one that is trained. The same seed gives the same rows. (judges.md 7) */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/component.h"
#include "cli/env.h"
#include "cli/judge.h"
#include "cli/out.h"
#include "train/rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 16, ROW_MAX = 64 << 20 };

static const char *policy_name, *prompts_path, *out_path, *storage, *source, *column;
static int64_t n = 8, max_tokens = 256, limit, seed, top_k;
static double temperature = 1, top_p = 1;
static int raw;

typedef struct draw {
    hone_env env;
    hone_policy *policy;
    hone_data *rows;
    hone_writer out;
    char checksum[17];
    uint64_t prompts, written;
} draw;

static int is_own(hone_str key)
{
    static const char *const own[] = {"id",         "prompt_id", "prompt", "completion",
                                      "candidates", "finish",    "policy", "messages"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (hone_str_eq(key, own[i]))
            return 1;
    return 0;
}

/* The row with `prompt` from --prompt-column or `question` where it has neither prompt nor messages. */
static hone_status with_prompt(hone_value *row, uint64_t number, hone_arena *arena)
{
    if (row->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "%s: row %" PRIu64 " is no map of columns", prompts_path,
                         number);
    const hone_value *from = column ? hone_value_get(row, column) : NULL;
    if (!column && (hone_value_get(row, "prompt") || hone_value_get(row, "messages")))
        return HONE_OK;
    if (!column)
        from = hone_value_get(row, "question");
    if (!from || from->type != HONE_STRING) {
        hone_fail(HONE_E_NOT_FOUND, "%s: row %" PRIu64 " has no %s", prompts_path, number,
                  column ? column : "prompt, messages or question");
        return hone_fail_hint("--prompt-column NAME says which column is the prompt");
    }
    hone_pair *pairs = hone_arena_calloc(arena, row->u.map.n + 1, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    size_t k = 0;
    for (size_t i = 0; i < row->u.map.n; i++)
        if (!hone_str_eq(row->u.map.pairs[i].key, "prompt") &&
            !hone_str_eq(row->u.map.pairs[i].key, "messages"))
            pairs[k++] = row->u.map.pairs[i];
    pairs[k++] = (hone_pair){hone_str_c("prompt"), *from};
    row->u.map.pairs = pairs;
    row->u.map.n = k;
    return HONE_OK;
}

static hone_status write_sample(draw *d, const hone_value *row, uint64_t number, uint32_t k,
                                const hone_rollout_sample *s)
{
    hone_buf b, id;
    hone_jw w;
    const hone_value *given = hone_value_get(row, "id"), *prompt = hone_value_get(row, "prompt"),
                     *messages = hone_value_get(row, "messages"),
                     *cluster = hone_value_get(row, "prompt_id");
    hone_buf_init(&b, ROW_MAX);
    hone_buf_init(&id, ROW_MAX);
    if (given && given->type == HONE_STRING)
        hone_buf_add_str(&id, given->u.str);
    else if (given && given->type == HONE_I64)
        hone_buf_addf(&id, "%" PRId64, given->u.i64);
    else
        hone_buf_addf(&id, "%" PRIu64, number);
    const size_t of_row = id.len;
    hone_buf_addf(&id, "/%" PRIu32, k);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kstr(&w, "id", hone_buf_str(&id));
    hone_jw_key(&w, "prompt_id");
    if (cluster)
        hone_jw_value(&w, cluster);
    else
        hone_jw_str(&w, (hone_str){id.ptr, of_row});
    hone_jw_key(&w, prompt ? "prompt" : "messages");
    hone_jw_value(&w, prompt ? prompt : messages);
    hone_jw_kstr(&w, "completion", s->text);
    for (size_t i = 0; i < row->u.map.n; i++)
        if (!is_own(row->u.map.pairs[i].key)) {
            hone_jw_key_str(&w, row->u.map.pairs[i].key);
            hone_jw_value(&w, &row->u.map.pairs[i].value);
        }
    hone_jw_kcstr(&w, "finish", s->finish == HONE_FINISH_LENGTH ? "length" : "stop");
    hone_jw_kcstr(&w, "policy", d->checksum);
    hone_jw_end(&w);
    hone_buf_addc(&b, '\n');
    hone_status st = hone_buf_check(&b, "a row");
    if (st >= 0)
        st = hone_buf_check(&id, "an id");
    if (st >= 0)
        st = hone_writer_add(&d->out, b.ptr, b.len);
    d->written += st >= 0;
    hone_buf_release(&b);
    hone_buf_release(&id);
    return st;
}

static hone_status draw_batch(draw *d, const hone_value *rows, size_t count)
{
    const hone_rollout_params p = {.n = (uint32_t)n,
                                   .max_tokens = (int32_t)max_tokens,
                                   .rule = {.temperature = temperature,
                                            .top_k = (int32_t)top_k,
                                            .top_p = top_p,
                                            .repetition_penalty = 1},
                                   .seed = (uint64_t)seed,
                                   .first_sample = d->prompts * (uint64_t)n,
                                   .raw = raw,
                                   .error_limit = 1};
    hone_rollout *r = NULL;
    HONE_TRY(hone_rollout_draw(d->policy, rows, count, &p, &r));
    hone_status s = HONE_OK;
    for (size_t i = 0; i < r->n_samples && s >= 0; i++) {
        const hone_rollout_sample *x = &r->samples[i];
        s = write_sample(d, &rows[x->prompt], d->prompts + x->prompt + 1,
                         (uint32_t)(i % r->group_size), x);
    }
    hone_rollout_destroy(r);
    d->prompts += count;
    return s;
}

static hone_status draw_all(draw *d)
{
    hone_status s = 1;
    while (s > 0 && (limit <= 0 || d->prompts < (uint64_t)limit)) {
        hone_value rows[BATCH];
        hone_arena arena;
        size_t k = 0;
        hone_arena_init(&arena, 0);
        while (k < BATCH && (limit <= 0 || d->prompts + k < (uint64_t)limit)) {
            s = hone_data_next(d->rows, &arena, &rows[k]);
            if (s <= 0)
                break;
            s = with_prompt(&rows[k], d->prompts + k + 1, &arena);
            if (s < 0)
                break;
            s = 1;
            k++;
        }
        const hone_status read = s;
        if (s >= 0 && k)
            s = draw_batch(d, rows, k);
        if (s >= 0)
            s = read;
        hone_arena_release(&arena);
    }
    if (s >= 0 && d->prompts == 0)
        s = hone_fail(HONE_E_INVALID, "%s: there is no row in it", prompts_path);
    return s < 0 ? s : HONE_OK;
}

static hone_status run(void)
{
    draw d;
    memset(&d, 0, sizeof d);
    HONE_TRY(hone_cli_env_open(&d.env));
    hone_status s = hone_cli_policy(&d.env, policy_name, NULL, storage, NULL, &d.policy);
    if (s >= 0) {
        snprintf(d.checksum, sizeof d.checksum, "%016" PRIx64,
                 hone_params_checksum_base(d.policy->model->params));
        s = hone_cli_open_data(d.env.registry, source, prompts_path, NULL, &d.rows);
    }
    if (s >= 0) {
        s = hone_writer_create(&d.out, out_path);
        if (s >= 0) {
            s = draw_all(&d);
            if (s >= 0) {
                s = hone_writer_close(&d.out);
            } else {
                const hone_error e = *hone_error_get();
                hone_writer_abandon(&d.out);
                hone_error_set(&e);
            }
        }
    }
    const hone_error e = *hone_error_get();
    if (s >= 0)
        printf("%" PRIu64 " completions of %" PRIu64 " prompts from policy %s: %s\n", d.written,
               d.prompts, d.checksum, out_path);
    hone_data_close(d.rows);
    hone_policy_destroy(d.policy);
    hone_cli_env_close(&d.env);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

int hone_cli_judge_draw(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"policy", HONE_ARG_STR, &policy_name, "M", "the model that will be trained"},
        {"prompts", HONE_ARG_STR, &prompts_path, "FILE", "rows with prompt, messages or question"},
        {"out", HONE_ARG_STR, &out_path, "FILE", "the items, as JSONL"},
        {"n", HONE_ARG_I64, &n, "N", "completions a prompt (8)"},
        {"max-tokens", HONE_ARG_I64, &max_tokens, "N", "new tokens a completion (256)"},
        {"temperature", HONE_ARG_F64, &temperature, "T", "as training draws (1)"},
        {"top-k", HONE_ARG_I64, &top_k, "N", "0: all (0)"},
        {"top-p", HONE_ARG_F64, &top_p, "P", "1: all (1)"},
        {"limit", HONE_ARG_I64, &limit, "N", "only the first N prompts (0: all)"},
        {"seed", HONE_ARG_I64, &seed, "N", "of the draws (0)"},
        {"prompt-column", HONE_ARG_STR, &column, "NAME", "column that holds the prompt"},
        {"source", HONE_ARG_STR, &source, "NAME", "what reads the file (told by the file)"},
        HONE_CLI_STORAGE(&storage),
        {"raw", HONE_ARG_FLAG, &raw, NULL, "prompts as they are, without the chat template"},
        {0}};
    static const hone_args spec = {
        "judge draw",
        "--policy M --prompts FILE --out FILE [options]",
        "Draws several completions of each prompt from the policy, as training would: items for\n"
        "hone judge reliability and hone judge gate --groups. Columns of the rows travel along.",
        options,
        NULL,
        0,
        0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!policy_name || !prompts_path || !out_path)
        return hone_cli_usage("judge draw", "--policy M, --prompts FILE and --out FILE are needed");
    if (n < 2 || n > 4096 || max_tokens < 1 || max_tokens > INT32_MAX || limit < 0 || seed < 0 ||
        top_k < 0 || top_k > INT32_MAX)
        return hone_cli_usage("judge draw", "--n is 2 to 4096, --max-tokens at least 1, --limit, "
                                            "--seed and --top-k not negative");
    return hone_cli_finish(hone_cli_fail(run()));
}
