/* judge_lint.c - `hone judge lint`: reads rubrics and says what is wrong with them (judge/lint.h). */
#include "base/json.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/out.h"
#include "judge/lint.h"
#include "train/policy.h"

#include <stdio.h>
#include <string.h>

static int json, strict;
static const char *tokenizer;

/* Tokens of a label as a model writes it: behind a colon, with a space in front. */
static long count_tokens(void *ctx, hone_str label)
{
    const hone_text_side *t = ctx;
    char text[80];
    hone_tokens ids;
    if (label.len >= sizeof text)
        return HONE_E_LIMIT;
    text[0] = ' ';
    memcpy(text + 1, label.ptr, label.len);
    hone_tokens_init(&ids, 0);
    const hone_status s = hone_tokenizer_encode(&t->tokenizer, (hone_str){text, label.len + 1}, 0,
                                                &ids);
    const long n = s < 0 ? s : (long)ids.n;
    hone_tokens_release(&ids);
    return n;
}

static hone_status open_tokenizer(hone_env *env, hone_text_side **out)
{
    static const hone_registry_opts opts = {.project = "."};
    if (!tokenizer)
        return HONE_OK;
    HONE_TRY(hone_registry_open(&opts, &env->registry));
    HONE_TRY(hone_text_side_open(env, tokenizer, out));
    return (*out)->tokenizer_instance
               ? HONE_OK
               : hone_fail(HONE_E_NOT_FOUND, "%s: it has no tokenizer", tokenizer);
}

static void print_problems(const hone_lint *l, const char *path)
{
    for (size_t i = 0; i < l->n; i++)
        printf("%s: %s: %s: %s [%s]\n", path,
               l->problems[i].level == HONE_LINT_ERROR ? "error" : "warning", l->problems[i].place,
               l->problems[i].text, l->problems[i].rule);
}

int hone_cli_judge_lint(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"tokenizer", HONE_ARG_STR, &tokenizer, "MODEL",
         "labels that are several tokens of this model are named"},
        {"strict", HONE_ARG_FLAG, &strict, NULL, "warnings fail too"},
        {"json", HONE_ARG_FLAG, &json, NULL, "as JSON: one object a file"},
        {0}};
    static const hone_args spec = {
        "judge lint",
        "RUBRIC.lua... [options]",
        "Says what is wrong with rubrics before any model is asked: criteria that ask two\n"
        "things, vague words, missing anchors, overlaps, criteria that are dead or there twice.\n"
        "Exits 1 when there is an error.",
        options,
        NULL,
        1,
        -1};
    hone_rest rest;
    size_t errors = 0, warnings = 0;
    hone_env env = {0};
    hone_text_side *text = NULL;
    hone_status s;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    s = open_tokenizer(&env, &text);
    const hone_lint_tokens tokens = {text, count_tokens, tokenizer};
    for (int i = 0; i < rest.n && s >= 0; i++) {
        hone_lint l;
        hone_rubric *r = NULL;
        hone_lint_init(&l);
        s = hone_lint_file(&l, rest.v[i], text ? &tokens : NULL);
        if (s >= 0 && json) {
            hone_buf b;
            hone_jw w;
            hone_buf_init(&b, 1 << 24);
            hone_jw_init(&w, &b, 0);
            if (hone_rubric_read_file(rest.v[i], &r) < 0) {
                r = NULL; /* that it cannot be read is among the problems */
                s = hone_error_get()->code == HONE_E_NOMEM ? HONE_E_NOMEM : HONE_OK;
            }
            hone_lint_json(&l, r, &w);
            hone_rubric_destroy(r);
            if (s >= 0 && (s = hone_buf_check(&b, "lint")) >= 0)
                printf("%s\n", b.ptr);
            hone_buf_release(&b);
        } else if (s >= 0)
            print_problems(&l, rest.v[i]);
        errors += l.errors;
        warnings += l.warnings;
        hone_lint_release(&l);
    }
    hone_text_side_unref(text);
    const int code = s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
    if (env.registry)
        hone_registry_close(env.registry);
    if (s < 0)
        return code;
    if (!json && errors + warnings)
        printf("%zu errors, %zu warnings\n", errors, warnings);
    else if (!json)
        printf("nothing to object to\n");
    return errors || (strict && warnings) ? HONE_EXIT_FAILED : HONE_EXIT_OK;
}
