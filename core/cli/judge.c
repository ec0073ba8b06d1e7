/* judge.c - `hone judge`: which part of it. Each part is a file of its own, judge_<part>.c (judge.h). (judges.md) */
#include "base/error.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/out.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

int hone_cli_judge(int argc, char **argv)
{
    static const struct {
        const char *name, *summary;
        int (*run)(int argc, char **argv);
    } parts[] = {
        /* in the order of docs/judges.md */
        {"lint", "what is wrong with a rubric, before any model is asked", hone_cli_judge_lint},
        {"rubric", "shows a rubric, or what two of them differ in", hone_cli_judge_rubric},
        {"render", "the exact prompts of one item", hone_cli_judge_render},
        {"run", "asks a judge about the rows of a file: verdicts, filter, pairs, check",
         hone_cli_judge_run},
        {"calibrate", "a judge beside experts: agreement, bias, intervals",
         hone_cli_judge_calibrate},
        {"draw", "several completions of each prompt, from the policy that will be trained",
         hone_cli_judge_draw},
        {"reliability", "can it tell completions of one prompt apart", hone_cli_judge_reliability},
        {"attack", "items changed in ways that must not raise their score", hone_cli_judge_attack},
        {"gate", "may it drive training? the record that hone run asks for", hone_cli_judge_gate},
        {"disagree", "where judge and experts differ, and what to mend", hone_cli_judge_disagree},
        {"label", "a page on which experts label items", hone_cli_judge_label},
    };
    enum { N = sizeof parts / sizeof *parts };
    const char *names[N + 1];
    static const char *const examples[] = {"hone judge lint --help", NULL};
    char about[4096];
    size_t len = 0;
    for (size_t i = 0; i < N; i++) {
        names[i] = parts[i].name;
        len += (size_t)snprintf(about + len, sizeof about - len, "%s  %-11s  %s", i ? "\n" : "",
                                parts[i].name, parts[i].summary);
    }
    names[N] = NULL;
    if (argc < 2)
        return hone_cli_usage("judge", "what? lint, ...");
    for (size_t i = 0; i < N; i++)
        if (strcmp(argv[1], parts[i].name) == 0)
            return parts[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        const hone_args spec = {"judge", "PART [arguments]", about, NULL, examples, 0, -1};
        hone_args_help(&spec);
        return HONE_EXIT_OK;
    }
    const char *close = hone_closest(argv[1], names);
    return close ? hone_cli_usage("judge", "unknown part \"%s\" (did you mean \"%s\"?)", argv[1],
                                  close)
                 : hone_cli_usage("judge", "unknown part \"%s\"", argv[1]);
}
