/* template.c - `hone template M`: messages through a model's chat template, or through a file's.
 *
 * A template that calls raise_exception gives {"error": its text} and exit 1. --show-mask shows which tokens (or
 * bytes, without a tokenizer) are the assistant's. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "train/policy.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILE = 64 << 20 };

static const char *messages_path, *tools_path, *template_path, *bos, *eos;
static int json, generation, show_mask;
static hone_arg_list vars;

typedef struct job {
    hone_arena arena;
    hone_registry *registry;
    hone_text_side *side; /* or NULL */
    hone_chat *own;       /* of --template */
    const hone_chat *chat;
    hone_value messages, tools, extra;
    hone_chat_options opt;
    hone_buf text, raised;
    hone_byte_spans spans;
    hone_tokens tokens;
} job;

static hone_status read_json(job *j, const char *path, hone_value *out)
{
    if (strcmp(path, "-") != 0)
        return hone_json_parse_file(path, MAX_FILE, &j->arena, out);
    hone_buf b;
    char part[65536];
    size_t n;
    hone_buf_init(&b, MAX_FILE);
    while ((n = fread(part, 1, sizeof part, stdin)) > 0)
        hone_buf_add(&b, part, n);
    char *text = b.failed < 0 ? NULL : hone_arena_strndup(&j->arena, b.ptr, b.len);
    size_t len = b.len;
    hone_status s = b.failed < 0 ? hone_fail(HONE_E_LIMIT, "stdin is too long") : HONE_OK;
    hone_buf_release(&b);
    return s < 0 ? s : text ? hone_json_parse(text, len, "stdin", &j->arena, out) : HONE_E_NOMEM;
}

/* --set name=value: JSON where it is JSON, else text. */
static hone_status read_vars(job *j)
{
    hone_pair *pairs = hone_arena_calloc(&j->arena, (size_t)vars.n + 1, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    for (int i = 0; i < vars.n; i++) {
        const char *eq = strchr(vars.v[i], '=');
        if (!eq)
            return hone_fail(HONE_E_USAGE, "--set %s: name=value is needed", vars.v[i]);
        pairs[i].key.ptr = vars.v[i];
        pairs[i].key.len = (size_t)(eq - vars.v[i]);
        if (hone_json_parse(eq + 1, strlen(eq + 1), NULL, &j->arena, &pairs[i].value) < 0) {
            pairs[i].value.type = HONE_STRING;
            pairs[i].value.u.str = hone_str_c(eq + 1);
        }
    }
    j->extra.type = HONE_MAP;
    j->extra.u.map.pairs = pairs;
    j->extra.u.map.n = (size_t)vars.n;
    j->opt.extra = &j->extra;
    return HONE_OK;
}

static hone_status open_template(job *j, const char *model)
{
    if (template_path) {
        hone_buf source;
        hone_buf_init(&source, MAX_FILE);
        hone_status s = hone_file_read(template_path, MAX_FILE, &source);
        if (s >= 0)
            s = hone_chat_create(hone_buf_str(&source), template_path, hone_str_c(bos),
                                 hone_str_c(eos), &j->own);
        hone_buf_release(&source);
        j->chat = j->own;
        return s;
    }
    hone_registry_opts ro = {.project = "."};
    HONE_TRY(hone_registry_open(&ro, &j->registry));
    hone_env env = {.registry = j->registry};
    HONE_TRY(hone_text_side_open(&env, model, &j->side));
    j->chat = j->side->chat;
    if (!j->chat) {
        hone_fail(HONE_E_NOT_FOUND, "%s: it has no chat template", model);
        return hone_fail_hint("give one with --template FILE.jinja");
    }
    return HONE_OK;
}

static int has_tokenizer(const job *j)
{
    return j->side && j->side->tokenizer_instance;
}

static hone_status render(job *j)
{
    if (!show_mask) {
        HONE_TRY(hone_chat_render(j->chat, &j->messages, &j->opt, &j->text));
        if (!has_tokenizer(j) || !json)
            return HONE_OK;
        return hone_tokenizer_encode(&j->side->tokenizer, hone_buf_str(&j->text),
                                     HONE_ENCODE_SPECIAL, &j->tokens);
    }
    HONE_TRY(hone_chat_render_spans(j->chat, &j->messages, &j->opt, &j->text, &j->spans));
    if (has_tokenizer(j))
        return hone_chat_encode(j->chat, &j->side->tokenizer, &j->messages, &j->opt, &j->tokens);
    return HONE_OK;
}

static void write_json(const job *j, hone_buf *out)
{
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_kstr(&w, "text", hone_buf_str(&j->text));
    if (has_tokenizer(j)) {
        hone_jw_key(&w, "ids");
        hone_jw_list(&w);
        for (size_t i = 0; i < j->tokens.n; i++)
            hone_jw_i64(&w, j->tokens.ids[i]);
        hone_jw_end(&w);
    }
    if (show_mask && has_tokenizer(j)) {
        hone_jw_key(&w, "mask");
        hone_jw_list(&w);
        for (size_t i = 0; i < j->tokens.n; i++)
            hone_jw_i64(&w, j->tokens.mask[i]);
        hone_jw_end(&w);
    }
    if (show_mask) {
        hone_jw_key(&w, "assistant");
        hone_jw_list(&w);
        for (size_t i = 0; i < j->spans.n; i++) {
            hone_jw_list(&w);
            hone_jw_i64(&w, (int64_t)j->spans.v[i].begin);
            hone_jw_i64(&w, (int64_t)j->spans.v[i].end);
            hone_jw_end(&w);
        }
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
}

/* The text with the assistant's bytes between marks: colour on a terminal, [[ ]] elsewhere. */
static void write_marked(const job *j, hone_buf *out)
{
    int colour = isatty(STDOUT_FILENO);
    size_t at = 0;
    hone_byte_spans tokens;
    const hone_byte_spans *spans = &j->spans;
    hone_byte_spans_init(&tokens);
    if (has_tokenizer(j)) { /* what is trained on, to the token */
        for (size_t i = 0; i < j->tokens.n; i++) {
            hone_span32 s = j->tokens.spans[i];
            if (!j->tokens.mask[i])
                continue;
            if (tokens.n && tokens.v[tokens.n - 1].end == s.begin)
                tokens.v[tokens.n - 1].end = s.end;
            else if (hone_byte_spans_add(&tokens, s.begin, s.end) < 0)
                break;
        }
        spans = &tokens;
    }
    for (size_t i = 0; i < spans->n; i++) {
        hone_buf_add(out, j->text.ptr + at, spans->v[i].begin - at);
        hone_buf_adds(out, colour ? "\033[32m" : "[[");
        hone_buf_add(out, j->text.ptr + spans->v[i].begin, spans->v[i].end - spans->v[i].begin);
        hone_buf_adds(out, colour ? "\033[0m" : "]]");
        at = spans->v[i].end;
    }
    hone_buf_add(out, j->text.ptr + at, j->text.len - at);
    hone_byte_spans_release(&tokens);
}

static int print(const job *j, hone_status s)
{
    hone_buf out;
    hone_buf_init(&out, HONE_BUF_MAX_DEFAULT);
    if (s == HONE_E_REFUSED && j->raised.len && json) {
        hone_jw w;
        hone_jw_init(&w, &out, 0);
        hone_jw_map(&w);
        hone_jw_kstr(&w, "error", hone_buf_str(&j->raised));
        hone_jw_end(&w);
        printf("%s\n", out.ptr);
        hone_buf_release(&out);
        return HONE_EXIT_FAILED;
    }
    if (s < 0) {
        hone_cli_fail(s);
        return s == HONE_E_USAGE ? HONE_EXIT_USAGE
                                 : HONE_EXIT_FAILED; /* a template's refusal is a failure */
    }
    if (json)
        write_json(j, &out);
    else if (show_mask)
        write_marked(j, &out);
    else
        hone_buf_add_str(&out, hone_buf_str(&j->text));
    s = hone_buf_check(&out, "the rendering");
    if (s >= 0)
        fwrite(out.ptr, 1, out.len, stdout);
    if (s >= 0 && (out.len == 0 || out.ptr[out.len - 1] != '\n'))
        putchar('\n');
    hone_buf_release(&out);
    return hone_cli_fail(s);
}

int hone_cli_template(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"messages", HONE_ARG_STR, &messages_path, "FILE", "a JSON array of messages; - is stdin"},
        {"tools", HONE_ARG_STR, &tools_path, "FILE", "a JSON array of tool descriptions"},
        {"template", HONE_ARG_STR, &template_path, "FILE",
         "a Jinja file instead of a model's template"},
        {"bos", HONE_ARG_STR, &bos, "TEXT", "bos_token for --template"},
        {"eos", HONE_ARG_STR, &eos, "TEXT", "eos_token for --template"},
        {"set", HONE_ARG_LIST, &vars, "NAME=VALUE",
         "another variable of the template (several times)"},
        {"add-generation-prompt", HONE_ARG_FLAG, &generation, NULL,
         "end where the assistant begins to write"},
        {"show-mask", HONE_ARG_FLAG, &show_mask, NULL,
         "mark what the assistant wrote: what is trained on"},
        {"json", HONE_ARG_FLAG, &json, NULL, "{\"text\": \"\", \"ids\": []}"},
        {0}};
    static const char *const examples[] = {
        "echo '[{\"role\":\"user\",\"content\":\"Hi\"}]' | hone "
        "template smollm2-135m-instruct --messages - --add-generation-prompt",
        NULL};
    static const hone_args spec = {"template",
                                   "[MODEL] --messages FILE [options]",
                                   "Renders messages through a chat template.",
                                   options,
                                   examples,
                                   0,
                                   1};
    hone_rest rest;
    hone_status s;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!messages_path)
        return hone_cli_usage("template", "--messages FILE is needed");
    if (!template_path == !rest.n)
        return hone_cli_usage("template", "either a model or --template FILE is needed");
    if (show_mask && generation)
        return hone_cli_usage(
            "template", "--show-mask shows whole conversations: without --add-generation-prompt");
    job j;
    memset(&j, 0, sizeof j);
    hone_arena_init(&j.arena, 0);
    hone_buf_init(&j.text, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&j.raised, HONE_BUF_MAX_DEFAULT);
    hone_byte_spans_init(&j.spans);
    hone_tokens_init(&j.tokens, HONE_TOKENS_SPANS | HONE_TOKENS_MASK);
    j.opt.add_generation_prompt = generation;
    j.opt.now = (int64_t)time(NULL);
    j.opt.raised = &j.raised;
    s = read_json(&j, messages_path, &j.messages);
    if (s >= 0 && tools_path) {
        s = read_json(&j, tools_path, &j.tools);
        j.opt.tools = &j.tools;
    }
    if (s >= 0)
        s = read_vars(&j);
    if (s >= 0)
        s = open_template(&j, rest.v[0]);
    if (s >= 0)
        s = render(&j);
    int code = print(&j, s);
    hone_text_side_unref(j.side);
    hone_chat_destroy(j.own);
    hone_registry_close(j.registry);
    hone_tokens_release(&j.tokens);
    hone_byte_spans_release(&j.spans);
    hone_buf_release(&j.raised);
    hone_buf_release(&j.text);
    hone_arena_release(&j.arena);
    return code;
}
