/* main.c - `hone VERB ...`: finds the verb and calls it. Everything else is in the verbs. */
#include "base/error.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "judge/judging.h"
#include "ops/matmul.h"
#include "host/crash.h"
#include "ops/cpu.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name, *group, *summary;
    int (*run)(int argc, char **argv);
} verbs[] = {
#define HONE_X(function, name, group, summary) {name, group, summary, hone_cli_##function},
    HONE_CLI_VERBS(HONE_X)
#undef HONE_X
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static const char *const groups[][2] = {
    {"run", "train"},
    {"model", "models and text"},
    {"data", "data"},
    {"plugin", "plugins and formulas"},
    {"tool", "this installation"},
};

static void print_help(void)
{
    printf("usage: hone VERB [arguments]\n\n"
           "Post-training of language models: rewards, tokenizers, optimizers as plugins in C,\n"
           "runs described by a recipe in Lua.\n");
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        int any = 0;
        for (int i = 0; i < N_VERBS; i++) {
            if (strcmp(verbs[i].group, groups[g][0]) != 0)
                continue;
            if (!any)
                printf("\n%s:\n", groups[g][1]);
            any = 1;
            printf("  %-12s %s\n", verbs[i].name, verbs[i].summary);
        }
    }
    printf("\n`hone VERB --help` tells more. `hone --version` prints the version.\n");
}

static const struct verb *find(const char *name)
{
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[N_VERBS + 1];
    for (int i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    names[N_VERBS] = NULL;
    const char *close = hone_closest(name, names);
    if (close)
        return hone_cli_usage(NULL, "unknown verb \"%s\" (did you mean \"%s\"?)", name, close);
    return hone_cli_usage(NULL, "unknown verb \"%s\"", name);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        hone_cli_usage(NULL, "a verb is missing");
        return hone_cli_finish(HONE_EXIT_USAGE);
    }
    hone_registry_on_open(hone_judging_offer);
    hone_registry_on_open(hone_matmul_offer);
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        (strcmp(name, "help") == 0 && argc == 2)) {
        print_help();
        return hone_cli_finish(HONE_EXIT_OK);
    }
    if (strcmp(name, "--version") == 0) {
        printf("hone %u.%u.%u\n", HONE_SDK_VERSION >> 16, HONE_SDK_VERSION >> 8 & 0xFF,
               HONE_SDK_VERSION & 0xFF);
        return hone_cli_finish(HONE_EXIT_OK);
    }
    char help[] = "--help";
    char *ask[] = {argv[1], help, NULL};
    if (strcmp(name, "help") == 0) {
        const struct verb *v = find(argv[2]);
        ask[0] = argv[2];
        return hone_cli_finish(v ? v->run(2, ask) : unknown(argv[2]));
    }
    const struct verb *v = find(name);
    int validates = strcmp(name, "plugin") == 0 && argc > 2 && strcmp(argv[2], "validate") == 0;
    if (!validates) /* its tests run in children that have a report of their own */
        hone_crash_watch();
    const hone_status cpu =
        hone_cpu_check(); /* a HONE_CPU that cannot be honoured is no surprise later */
    if (v && cpu < 0)
        return hone_cli_finish(hone_cli_fail(cpu));
    return hone_cli_finish(v ? v->run(argc - 1, argv + 1) : unknown(name));
}
