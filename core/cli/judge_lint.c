/* judge_lint.c - `hone judge lint`: reads rubrics and says what is wrong with them (judge/lint.h). */
#include "base/json.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/out.h"
#include "judge/lint.h"

#include <stdio.h>

static int json, strict;

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
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    for (int i = 0; i < rest.n; i++) {
        hone_lint l;
        hone_rubric *r = NULL;
        hone_lint_init(&l);
        hone_status s = hone_lint_file(&l, rest.v[i], NULL);
        if (s >= 0 && json) {
            hone_buf b;
            hone_jw w;
            hone_buf_init(&b, 1 << 24);
            hone_jw_init(&w, &b, 0);
            if (hone_rubric_read_file(rest.v[i], &r) < 0)
                r = NULL;
            hone_lint_json(&l, r, &w);
            hone_rubric_destroy(r);
            if ((s = hone_buf_check(&b, "lint")) >= 0)
                printf("%s\n", b.ptr);
            hone_buf_release(&b);
        } else if (s >= 0)
            print_problems(&l, rest.v[i]);
        errors += l.errors;
        warnings += l.warnings;
        hone_lint_release(&l);
        if (s < 0)
            return hone_cli_fail(s);
    }
    if (!json && errors + warnings)
        printf("%zu errors, %zu warnings\n", errors, warnings);
    else if (!json)
        printf("nothing to object to\n");
    return errors || (strict && warnings) ? HONE_EXIT_FAILED : HONE_EXIT_OK;
}
