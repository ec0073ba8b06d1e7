/* judge_rubric.c - `hone judge rubric`: what a rubric is (show), and what two of them differ in (diff). */
#include "base/json.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/out.h"
#include "judge/changes.h"
#include "judge/rubric.h"

#include <stdio.h>
#include <string.h>

static int json;

static void print_levels(const hone_level *l, size_t n, const char *indent)
{
    for (size_t i = 0; i < n; i++)
        printf("%s%-8.*s %6.3g  %.*s\n", indent, (int)l[i].label.len, l[i].label.ptr, l[i].value,
               (int)l[i].text.len, l[i].text.ptr);
}

static void print_rubric(const hone_rubric *r)
{
    const hone_value *log = hone_value_get(&r->root, "changelog");
    printf("%.*s %.*s  (%s)\nsha256 %s\nscore  %.4g to %.4g\n", (int)r->id.len, r->id.ptr,
           (int)r->version.len, r->version.ptr, hone_shape_name(r->shape), r->hash, r->min, r->max);
    if (r->task.len)
        printf("\n%.*s\n", (int)r->task.len, r->task.ptr);
    if (r->n_scale) {
        printf("\nscale\n");
        print_levels(r->scale, r->n_scale, "  ");
    }
    for (size_t i = 0; i < r->n_criteria; i++) {
        const hone_rubric_criterion *c = &r->criteria[i];
        printf("\n%.*s  (weight %.4g%s)  %.*s\n", (int)c->id.len, c->id.ptr, c->weight,
               c->gating ? ", gating" : "", (int)c->text.len, c->text.ptr);
        if (c->kind == HONE_CRITERION_PROGRAM)
            printf("  verified by the reward %.*s\n", (int)c->verifier.len, c->verifier.ptr);
        else if (c->own_choices)
            print_levels(c->levels, c->n_levels, "  ");
    }
    for (size_t i = 0; log && i < log->u.list.n; i++) {
        hone_str version = {"", 0}, text = {"", 0}, date = {"", 0};
        const hone_value *e = &log->u.list.items[i];
        (void)hone_value_string(e, "version", version, &version);
        (void)hone_value_string(e, "date", date, &date);
        (void)hone_value_string(e, "text", text, &text);
        printf("%s%.*s %.*s  %.*s\n", i ? "" : "\nchanges\n", (int)version.len, version.ptr,
               (int)date.len, date.ptr, (int)text.len, text.ptr);
    }
}

static int run_show(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"json", HONE_ARG_FLAG, &json, NULL, "the canonical JSON that is hashed"}, {0}};
    static const hone_args spec = {"judge rubric show",
                                   "RUBRIC.lua [options]",
                                   "Prints a rubric: its levels, weights, hash and changes.",
                                   options,
                                   NULL,
                                   1,
                                   1};
    hone_rest rest;
    hone_rubric *r;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const hone_status s = hone_rubric_read_file(rest.v[0], &r);
    if (s < 0)
        return hone_cli_fail(s);
    if (json)
        printf("%.*s\n", (int)r->json.len, r->json.ptr);
    else
        print_rubric(r);
    hone_rubric_destroy(r);
    return HONE_EXIT_OK;
}

static hone_status print_diff(const hone_rubric *a, const hone_rubric *b)
{
    hone_buf out;
    hone_jw w;
    hone_status s;
    hone_buf_init(&out, 1 << 26);
    if (json) {
        hone_jw_init(&w, &out, 0);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "from", a->hash);
        hone_jw_kcstr(&w, "to", b->hash);
        hone_jw_kbool(&w, "same", strcmp(a->hash, b->hash) == 0);
        hone_jw_key(&w, "changes");
        s = hone_changes_json(&a->root, &b->root, &w);
        hone_jw_end(&w);
    } else {
        hone_buf_addf(&out, "%.*s %.*s %.12s -> %.*s %.*s %.12s\n", (int)a->id.len, a->id.ptr,
                      (int)a->version.len, a->version.ptr, a->hash, (int)b->id.len, b->id.ptr,
                      (int)b->version.len, b->version.ptr, b->hash);
        s = hone_changes_text(&a->root, &b->root, &out);
        if (s >= 0 && strcmp(a->hash, b->hash) == 0)
            hone_buf_adds(&out,
                          "the same for a judge: labels and gates of one hold for the other\n");
        else if (s >= 0 && hone_str_same(a->version, b->version))
            hone_buf_adds(&out, "both are of one version: give the new one a number of its own\n");
    }
    if (s >= 0)
        s = hone_buf_check(&out, "the changes");
    if (s >= 0)
        printf("%s%s", out.ptr, json ? "\n" : "");
    hone_buf_release(&out);
    return s;
}

static int run_diff(int argc, char **argv)
{
    static const hone_arg options[] = {{"json", HONE_ARG_FLAG, &json, NULL, "as JSON"}, {0}};
    static const hone_args spec = {
        "judge rubric diff",
        "A.lua B.lua [options]",
        "Says what two rubrics differ in, place by place. Exits 0 when they are\n"
        "the same for a judge, 1 when a gate or labels of A do not hold for B.",
        options,
        NULL,
        2,
        2};
    hone_rest rest;
    hone_rubric *a = NULL, *b = NULL;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_rubric_read_file(rest.v[0], &a);
    if (s >= 0)
        s = hone_rubric_read_file(rest.v[1], &b);
    if (s >= 0)
        s = print_diff(a, b);
    const int same = s >= 0 && strcmp(a->hash, b->hash) == 0;
    hone_rubric_destroy(a);
    hone_rubric_destroy(b);
    return s < 0 ? hone_cli_fail(s) : same ? HONE_EXIT_OK : HONE_EXIT_FAILED;
}

int hone_cli_judge_rubric(int argc, char **argv)
{
    static const hone_args spec = {"judge rubric",
                                   "PART [arguments]",
                                   "  show  a rubric: its levels, weights, hash and changes\n"
                                   "  diff  what two rubrics differ in",
                                   NULL,
                                   NULL,
                                   0,
                                   -1};
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return run_show(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "diff") == 0)
        return run_diff(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        hone_args_help(&spec);
        return HONE_EXIT_OK;
    }
    return hone_cli_usage("judge rubric", argc > 1 ? "unknown part \"%s\"" : "show or diff?",
                          argc > 1 ? argv[1] : "");
}
