/* generate.c - hone generate and hone chat: one completion, or a conversation. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/env.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "hone/reward.h"

#include <stdio.h>
#include <string.h>

/* The options both verbs share. */
static struct {
    int64_t max_tokens, top_k, seed;
    double temperature, top_p, min_p, penalty;
    int greedy, json, raw, ignore_eos;
    const char *prompt, *ids, *system, *storage, *precision, *adapter, *grammar, *schema;
    hone_arg_list stop;
} o = {.max_tokens = 256, .temperature = 1, .top_p = 1, .penalty = 1};

typedef struct printed {
    hone_buf text, ids;
    uint32_t finish;
    int stream, n;
} printed;

static hone_status on_token(void *ctx, size_t prompt, uint64_t sample, int32_t id, hone_str fresh)
{
    printed *p = ctx;
    (void)prompt;
    (void)sample;
    HONE_TRY(hone_buf_addf(&p->ids, "%s%d", p->n++ ? "," : "", id));
    if (p->stream) {
        fwrite(fresh.ptr, 1, fresh.len, stdout);
        fflush(stdout);
    }
    return HONE_OK;
}

static hone_status on_finish(void *ctx, const hone_completion *c)
{
    printed *p = ctx;
    p->finish = c->finish;
    return hone_buf_add_str(&p->text, c->text);
}

/* --grammar or --schema, or NULL. */
static hone_status read_grammar(hone_grammar **out)
{
    const char *path = o.grammar ? o.grammar : o.schema;
    hone_buf text;
    *out = NULL;
    if (!path)
        return HONE_OK;
    hone_buf_init(&text, (size_t)1 << 24);
    hone_status s = hone_file_read(path, (size_t)1 << 24, &text);
    if (s >= 0 && o.grammar)
        s = hone_grammar_parse(hone_buf_str(&text), path, out);
    else if (s >= 0)
        s = hone_grammar_schema(hone_buf_str(&text), path, out);
    hone_buf_release(&text);
    return s;
}

static hone_status run(hone_policy *p, const int32_t *ids, size_t n, printed *out)
{
    hone_gen *g;
    hone_str stops[HONE_ARG_LIST_MAX];
    for (int i = 0; i < o.stop.n; i++)
        stops[i] = hone_str_c(o.stop.v[i]);
    hone_gen_prompt prompt = {.ids = ids, .n = n, .n_samples = 1};
    hone_gen_params gp = {.rule = {.temperature = o.temperature,
                                   .greedy = o.greedy,
                                   .top_k = (int32_t)o.top_k,
                                   .top_p = o.top_p,
                                   .min_p = o.min_p,
                                   .repetition_penalty = o.penalty},
                          .seed = (uint64_t)o.seed,
                          .max_tokens = (int32_t)o.max_tokens,
                          .stop_ids = p->text ? p->text->stop_ids : NULL,
                          .n_stop_ids = p->text ? p->text->n_stop_ids : 0,
                          .stop_strings = stops,
                          .n_stop_strings = (size_t)o.stop.n,
                          .ignore_stop_ids = o.ignore_eos,
                          .adapters = HONE_ADAPTERS_ACTIVE,
                          .ctx = out,
                          .on_token = on_token,
                          .on_finish = on_finish};
    HONE_TRY(read_grammar(&prompt.grammar));
    hone_status s = hone_policy_gen(p, &g);
    if (s >= 0)
        s = hone_gen_run(g, &prompt, 1, &gp);
    hone_grammar_unref(prompt.grammar);
    return s;
}

static void print_json(const printed *p)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)1 << 28);
    hone_jw_init(&w, &b, 0);
    hone_jw_str(&w, hone_buf_str(&p->text));
    printf("{\"ids\":[%s],\"text\":%s,\"finish\":\"%s\"}\n", p->ids.ptr, b.ptr,
           p->finish == HONE_FINISH_STOP ? "stop" : "length");
    hone_buf_release(&b);
}

static hone_status user_prompt(hone_policy *p, hone_str text, hone_tokens *t)
{
    hone_message m[2];
    size_t n = 0;
    hone_value list;
    hone_arena a;
    if (o.raw || !p->text || !p->text->chat)
        return hone_policy_encode_text(p, text, t);
    if (o.system)
        m[n++] = (hone_message){hone_str_c("system"), hone_str_c(o.system)};
    m[n++] = (hone_message){hone_str_c("user"), text};
    hone_arena_init(&a, 0);
    hone_status s = hone_chat_messages(m, n, &a, &list);
    if (s >= 0)
        s = hone_policy_encode_messages(p, &list, NULL, t, NULL);
    hone_arena_release(&a);
    return s;
}

static hone_status generate(const char *model)
{
    hone_env env;
    hone_policy *p = NULL;
    hone_tokens t;
    hone_buf in;
    int32_t *given = NULL;
    size_t n_given = 0;
    printed out = {.stream = !o.json};
    hone_tokens_init(&t, 0);
    hone_buf_init(&in, (size_t)1 << 29);
    hone_buf_init(&out.text, (size_t)1 << 28);
    hone_buf_init(&out.ids, (size_t)1 << 28);
    hone_status s = hone_cli_env_open(&env);
    if (s < 0)
        return s;
    if (o.ids)
        HONE_TRY_GOTO(hone_cli_ids(o.ids, &given, &n_given), done);
    HONE_TRY_GOTO(hone_cli_policy(&env, model, o.adapter, o.storage, o.precision, &p), done);
    if (!o.ids) {
        if (!o.prompt || strcmp(o.prompt, "-") == 0)
            HONE_TRY_GOTO(hone_cli_stdin(&in), done);
        else
            HONE_TRY_GOTO(hone_buf_adds(&in, o.prompt), done);
        HONE_TRY_GOTO(user_prompt(p, hone_buf_str(&in), &t), done);
    }
    HONE_TRY_GOTO(run(p, o.ids ? given : t.ids, o.ids ? n_given : t.n, &out), done);
    if (o.json)
        print_json(&out);
    else
        fputc('\n', stdout);
done:
    hone_free(given);
    hone_tokens_release(&t);
    hone_buf_release(&in);
    hone_buf_release(&out.text);
    hone_buf_release(&out.ids);
    hone_policy_destroy(p);
    hone_cli_env_close(&env);
    return s;
}

int hone_cli_generate(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"prompt", HONE_ARG_STR, &o.prompt, "TEXT",
         "what the model continues; - (and no --prompt) reads standard input"},
        {"ids", HONE_ARG_STR, &o.ids, "5,17,9", "token ids instead of text; no template"},
        {"raw", HONE_ARG_FLAG, &o.raw, NULL,
         "the text as it is, without the model's chat template"},
        {"system", HONE_ARG_STR, &o.system, "TEXT", "system message"},
        {"greedy", HONE_ARG_FLAG, &o.greedy, NULL, "take the likeliest token"},
        {"max-tokens", HONE_ARG_I64, &o.max_tokens, "N", "at most so many new tokens (256)"},
        {"temperature", HONE_ARG_F64, &o.temperature, "T", "of sampling (1)"},
        {"top-k", HONE_ARG_I64, &o.top_k, "K", "only the K likeliest tokens (0: all)"},
        {"top-p", HONE_ARG_F64, &o.top_p, "P", "only the smallest set with mass P (1: all)"},
        {"min-p", HONE_ARG_F64, &o.min_p, "P",
         "only tokens at least P times as likely as the likeliest (0)"},
        {"repetition-penalty", HONE_ARG_F64, &o.penalty, "R", "1: none"},
        {"seed", HONE_ARG_I64, &o.seed, "N", "of the draws (0)"},
        {"stop", HONE_ARG_LIST, &o.stop, "TEXT",
         "stop before this text; may be given several times"},
        {"ignore-eos", HONE_ARG_FLAG, &o.ignore_eos, NULL, "go on past the end token"},
        {"grammar", HONE_ARG_STR, &o.grammar, "FILE", "keep to this grammar (GBNF)"},
        {"schema", HONE_ARG_STR, &o.schema, "FILE",
         "answer with JSON that this JSON Schema describes"},
        HONE_CLI_ADAPTER(&o.adapter),
        HONE_CLI_STORAGE(&o.storage),
        HONE_CLI_PRECISION(&o.precision),
        {"json", HONE_ARG_FLAG, &o.json, NULL,
         "{\"ids\":[],\"text\":\"\",\"finish\":\"stop|length\"}"},
        {0}};
    static const char *const examples[] = {
        "hone generate tiny --prompt 'Leo has 11 stickers. Leo loses 3. Leo finds 8. How many "
        "stickers are left?' --greedy",
        "hone generate smollm2-135m-instruct --prompt 'The capital of France is' --raw --greedy "
        "--max-tokens 8 --json",
        NULL};
    static const hone_args spec = {
        "generate", "MODEL [options]", "Continues a text: streams, or prints JSON.",
        options,    examples,          1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (o.ids && o.prompt)
        return hone_cli_usage("generate", "--prompt and --ids exclude each other");
    if (o.grammar && o.schema)
        return hone_cli_usage("generate", "--grammar and --schema exclude each other");
    if (o.max_tokens < 1 || o.max_tokens > INT32_MAX)
        return hone_cli_usage("generate", "--max-tokens must be at least 1");
    return hone_cli_finish(hone_cli_fail(generate(rest.v[0])));
}

/* ---- chat --------------------------------------------------------------------------------------------- */

typedef struct dialogue {
    hone_arena arena;
    hone_message *m;
    size_t n, cap;
} dialogue;

static hone_status say(dialogue *d, const char *role, hone_str content)
{
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 16;
        hone_message *grown = hone_reallocarray(d->m, cap, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        d->m = grown;
        d->cap = cap;
    }
    d->m[d->n++] = (hone_message){hone_str_c(role), hone_arena_str(&d->arena, content)};
    return HONE_OK;
}

static hone_status reply(hone_policy *p, dialogue *d)
{
    hone_value list;
    hone_tokens t;
    printed out = {.stream = 1};
    hone_tokens_init(&t, 0);
    hone_buf_init(&out.text, (size_t)1 << 28);
    hone_buf_init(&out.ids, (size_t)1 << 28);
    hone_status s = hone_chat_messages(d->m, d->n, &d->arena, &list);
    if (s >= 0)
        s = hone_policy_encode_messages(p, &list, NULL, &t, NULL);
    if (s >= 0)
        s = run(p, t.ids, t.n, &out);
    if (s >= 0)
        s = say(d, "assistant", hone_buf_str(&out.text));
    fputc('\n', stdout);
    hone_tokens_release(&t);
    hone_buf_release(&out.text);
    hone_buf_release(&out.ids);
    return s;
}

static hone_status converse(const char *model)
{
    hone_env env;
    hone_policy *p = NULL;
    dialogue d = {0};
    char line[65536];
    HONE_TRY(hone_cli_env_open(&env));
    hone_arena_init(&d.arena, (size_t)1 << 30);
    hone_status s = hone_cli_policy(&env, model, o.adapter, o.storage, o.precision, &p);
    if (s >= 0 && (!p->text || !p->text->chat)) {
        s = hone_fail(HONE_E_INVALID, "%s has no chat template", model);
        hone_fail_hint("continue plain text with: hone generate %s --prompt TEXT", model);
    }
    if (s >= 0 && o.system)
        s = say(&d, "system", hone_str_c(o.system));
    if (s >= 0)
        fputs("An empty line ends the conversation.\n", stderr);
    while (s >= 0) {
        fputs("> ", stderr);
        if (!fgets(line, sizeof line, stdin))
            break;
        line[strcspn(line, "\n")] = '\0';
        if (!line[0])
            break;
        s = say(&d, "user", hone_str_c(line));
        if (s >= 0)
            s = reply(p, &d);
    }
    hone_free(d.m);
    hone_arena_release(&d.arena);
    hone_policy_destroy(p);
    hone_cli_env_close(&env);
    return s;
}

int hone_cli_chat(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"system", HONE_ARG_STR, &o.system, "TEXT", "system message"},
        {"greedy", HONE_ARG_FLAG, &o.greedy, NULL, "take the likeliest token"},
        {"max-tokens", HONE_ARG_I64, &o.max_tokens, "N", "longest reply (256)"},
        {"temperature", HONE_ARG_F64, &o.temperature, "T", "of sampling (1)"},
        {"top-p", HONE_ARG_F64, &o.top_p, "P", "only the smallest set with mass P (1: all)"},
        {"seed", HONE_ARG_I64, &o.seed, "N", "of the draws (0)"},
        HONE_CLI_ADAPTER(&o.adapter),
        HONE_CLI_STORAGE(&o.storage),
        HONE_CLI_PRECISION(&o.precision),
        {0}};
    static const char *const examples[] = {
        "hone chat smollm2-135m-instruct --system 'You are terse.'", NULL};
    static const hone_args spec = {
        "chat",  "MODEL [options]", "A conversation in the terminal, a line a turn.",
        options, examples,          1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (o.max_tokens < 1 || o.max_tokens > INT32_MAX)
        return hone_cli_usage("chat", "--max-tokens must be at least 1");
    return hone_cli_finish(hone_cli_fail(converse(rest.v[0])));
}
