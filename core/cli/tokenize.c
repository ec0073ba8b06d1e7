/* tokenize.c - `hone tokenize M`: text on stdin to ids, pieces and their places; ids back to text. */
#include "base/alloc.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/tokenize.h"
#include "cli/verbs.h"
#include "tensor/pool.h"
#include "train/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int json, whole, decode, add, plain, compare, cut;
static int64_t threads, part_size;

static uint32_t flags(void)
{
    return (plain ? 0 : HONE_ENCODE_SPECIAL) | (add ? HONE_ENCODE_ADD : 0) |
           (cut ? HONE_ENCODE_TRUNCATE : 0);
}

/* "1,2 3" or {"ids": [...]} */
static hone_status read_ids(hone_str text, hone_tokens *t)
{
    hone_tokens_clear(t);
    const char *p = text.ptr, *end = text.ptr + text.len;
    if (text.len && *p == '{') {
        const char *open = memchr(p, '[', text.len), *close = memchr(p, ']', text.len);
        if (!open || !close || close < open)
            return hone_fail(HONE_E_PARSE, "{\"ids\": [...]} is needed, found: %.*s",
                             (int)(text.len < 60 ? text.len : 60), text.ptr);
        p = open + 1;
        end = close;
    }
    while (p < end) {
        if (strchr(" ,\t\r\n[]", *p)) {
            p++;
            continue;
        }
        char *after;
        errno = 0;
        long v = strtol(p, &after, 10);
        if (after == p || errno || v < 0 || v > INT32_MAX)
            return hone_fail(HONE_E_PARSE, "an id is needed, found: %.*s",
                             (int)(end - p < 30 ? end - p : 30), p);
        HONE_TRY(hone_tokens_add1(t, (int32_t)v));
        p = after;
    }
    return HONE_OK;
}

static hone_status decode_line(const hone_tokenizer *tk, hone_str text, hone_tokens *t,
                               hone_buf *line)
{
    hone_buf out;
    HONE_TRY(read_ids(text, t));
    hone_buf_init(&out, HONE_BUF_MAX_DEFAULT);
    hone_status s = hone_tokenizer_decode(tk, t->ids, t->n, 0, &out);
    if (s >= 0 && json) {
        hone_jw w;
        hone_buf_clear(line);
        hone_jw_init(&w, line, 0);
        hone_jw_map(&w);
        hone_jw_kstr(&w, "text", hone_buf_str(&out));
        hone_jw_end(&w);
        printf("%s\n", line->ptr);
    } else if (s >= 0) {
        fwrite(out.ptr, 1, out.len, stdout);
        putchar('\n');
    }
    hone_buf_release(&out);
    return s;
}

static hone_status read_stdin(hone_buf *text)
{
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof part, stdin)) > 0)
        hone_buf_add(text, part, n);
    return text->failed < 0 && text->failed != HONE_E_NOMEM
               ? hone_fail(HONE_E_LIMIT, "stdin is longer than 1 GiB")
               : hone_buf_check(text, "stdin");
}

static hone_status all_of_stdin(const hone_tokenizer *tk, hone_tokens *t, hone_buf *line)
{
    hone_buf text;
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    hone_status s = read_stdin(&text);
    if (s >= 0)
        s = decode_line(tk, hone_buf_str(&text), t, line);
    hone_buf_release(&text);
    return s;
}

static hone_status lines_of_stdin(const hone_tokenizer *tk, hone_tokens *t, hone_buf *line)
{
    char *text = NULL;
    size_t cap = 0, number = 0;
    ssize_t n;
    hone_status s = HONE_OK;
    while (s >= 0 && (n = getline(&text, &cap, stdin)) >= 0) {
        number++;
        hone_str str = {text, (size_t)n - (n > 0 && text[n - 1] == '\n')};
        s = decode_line(tk, str, t, line);
        if (s < 0)
            hone_fail_at("stdin:%zu", number);
    }
    free(text);
    return s;
}

int hone_cli_tokenize(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"json", HONE_ARG_FLAG, &json, NULL, "one {\"ids\": [...]} a line"},
        {"whole", HONE_ARG_FLAG, &whole, NULL, "all of stdin is one text, not each line"},
        {"decode", HONE_ARG_FLAG, &decode, NULL,
         "the other way: ids (1,2,3 or {\"ids\": [1,2,3]}) to text"},
        {"add", HONE_ARG_FLAG, &add, NULL, "add what the tokenizer puts around a text (bos, eos)"},
        {"truncate", HONE_ARG_FLAG, &cut, NULL, "cut to the length that tokenizer.json asks for"},
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"part", HONE_ARG_I64, &part_size, "BYTES", "taken at a time by each thread (1048576)"},
        {"compare", HONE_ARG_FLAG, &compare, NULL,
         "two tokenizers on the same text: sizes, and where they differ"},
        {"plain", HONE_ARG_FLAG, &plain, NULL, "text that spells a special token is text"},
        {0}};
    static const char *const examples[] = {
        "echo 'Hello world' | hone tokenize tiny",
        "echo 'Hello world' | hone tokenize tiny --json",
        "hone tokenize tiny --whole --json < rows.jsonl",
        "echo 10,11,12 | hone tokenize tiny --decode",
        "echo 'Hello world' | hone tokenize --compare tiny smollm2-135m-instruct",
        NULL};
    static const hone_args spec = {
        "tokenize",
        "MODEL|TOKENIZER [OTHER] [options]",
        "Turns each line of stdin into token ids: of a model, or of a tokenizer's file or folder.",
        options,
        examples,
        1,
        2};
    hone_rest rest;
    hone_text_side *text = NULL, *other = NULL;
    hone_registry *registry = NULL;
    hone_registry_opts ro = {.project = "."};
    hone_tokens t;
    hone_buf line;
    hone_status s;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (compare != (rest.n == 2) || (compare && decode))
        return hone_cli_usage("tokenize", compare
                                              ? "--compare takes two tokenizers, and no --decode"
                                              : "one tokenizer is taken, two with --compare");
    if (threads < 0 || threads > HONE_POOL_MAX || part_size < 0 || part_size > 1 << 28)
        return hone_cli_usage("tokenize", "--threads is 0 to 256, --part up to 256 MiB");
    hone_tokens_init(&t, 0);
    hone_buf_init(&line, HONE_BUF_MAX_DEFAULT);
    HONE_TRY_GOTO(hone_registry_open(&ro, &registry), done);
    hone_env env = {.registry = registry};
    HONE_TRY_GOTO(hone_text_side_open(&env, rest.v[0], &text), done);
    if (!text->tokenizer_instance) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s: it has no tokenizer", rest.v[0]);
        goto done;
    }
    if (compare) {
        HONE_TRY_GOTO(hone_text_side_open(&env, rest.v[1], &other), done);
        if (!other->tokenizer_instance) {
            s = hone_fail(HONE_E_NOT_FOUND, "%s: it has no tokenizer", rest.v[1]);
            goto done;
        }
        HONE_TRY_GOTO(read_stdin(&line), done);
        s = hone__tokenize_compare(&text->tokenizer, &other->tokenizer, (const char *const *)rest.v,
                                   hone_buf_str(&line), flags(), json);
        goto done;
    }
    if (!decode) {
        hone__tokenize_how how = {flags(), json, whole, (uint32_t)threads, (size_t)part_size};
        s = hone__tokenize_stdin(&text->tokenizer, &how);
        goto done;
    }
    s = whole ? all_of_stdin(&text->tokenizer, &t, &line)
              : lines_of_stdin(&text->tokenizer, &t, &line);
done:
    hone_text_side_unref(text);
    hone_text_side_unref(other);
    hone_registry_close(registry);
    hone_tokens_release(&t);
    hone_buf_release(&line);
    return hone_cli_fail(s);
}
