/* args.c - see args.h.
 *
 * One pass over argv: options write to where their table entry points, positionals are moved to the
 * front of argv. Nothing is written for an option that is not given, so defaults are the initial
 * values of the caller's variables. */
#include "cli/args.h"

#include "base/json.h"
#include "cli/out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 96 };

/* Texts that the options of the last command line had. */
enum { TYPED = 64 };
static const char *typed[TYPED + 1];
static int n_typed;

const char *const *hone_args_typed(void)
{
    typed[n_typed] = NULL;
    return typed;
}

static const hone_arg *find(const hone_arg *options, const char *name, size_t n)
{
    for (const hone_arg *o = options; o && o->name; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static int usage_unknown(const hone_args *spec, const char *name, size_t n)
{
    const char *names[MAX_OPTIONS + 2];
    char given[64];
    int k = 0;
    names[k++] = "help";
    for (const hone_arg *o = spec->options; o && o->name && k <= MAX_OPTIONS; o++)
        names[k++] = o->name;
    names[k] = NULL;
    snprintf(given, sizeof given, "%.*s", (int)(n < 63 ? n : 63), name);
    const char *close = hone_closest(given, names);
    if (close)
        return hone_cli_usage(spec->verb, "unknown option --%s (did you mean --%s?)", given, close);
    return hone_cli_usage(spec->verb, "unknown option --%s", given);
}

/* Stores one value; 0, or the exit code of a usage error already printed. */
static int store(const hone_args *spec, const hone_arg *o, const char *value)
{
    char *end = NULL;
    const char *rest = NULL;
    switch (o->type) {
    case HONE_ARG_STR:
        if (n_typed < TYPED)
            typed[n_typed++] = value;
        *(const char **)o->out = value;
        return 0;
    case HONE_ARG_I64: {
        errno = 0;
        long long v = strtoll(value, &end, 10);
        if (end == value || *end || errno)
            return hone_cli_usage(spec->verb, "--%s wants a whole number, not \"%s\"", o->name,
                                  value);
        *(int64_t *)o->out = v;
        return 0;
    }
    case HONE_ARG_F64: {
        double v = hone_parse_f64(value, &rest);
        if (rest == value || *rest)
            return hone_cli_usage(spec->verb, "--%s wants a number, not \"%s\"", o->name, value);
        *(double *)o->out = v;
        return 0;
    }
    default: {
        hone_arg_list *list = o->out;
        if (list->n == HONE_ARG_LIST_MAX)
            return hone_cli_usage(spec->verb, "--%s given more than %d times", o->name,
                                  HONE_ARG_LIST_MAX);
        list->v[list->n++] = value;
        return 0;
    }
    }
}

/* One option at argv[*at]; *at moves past its value. 0, or an exit code. */
static int take(const hone_args *spec, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2, *eq = strchr(name, '=');
    size_t n = eq ? (size_t)(eq - name) : strlen(name);
    const hone_arg *o = find(spec->options, name, n);
    if (!o && n > 3 && memcmp(name, "no-", 3) == 0) {
        o = find(spec->options, name + 3, n - 3);
        if (o && o->type == HONE_ARG_FLAG && !eq) {
            *(int *)o->out = 0;
            return 0;
        }
        o = NULL;
    }
    if (!o)
        return usage_unknown(spec, name, n);
    if (o->type == HONE_ARG_FLAG) {
        if (eq)
            return hone_cli_usage(spec->verb, "--%s takes no value", o->name);
        *(int *)o->out = 1;
        return 0;
    }
    if (eq)
        return store(spec, o, eq + 1);
    if (*at + 1 >= argc)
        return hone_cli_usage(spec->verb, "--%s wants a value (%s)", o->name,
                              o->meta ? o->meta : "VALUE");
    return store(spec, o, argv[++*at]);
}

void hone_args_help(const hone_args *spec)
{
    printf("usage: hone %s%s%s\n", spec->verb, spec->usage && *spec->usage ? " " : "",
           spec->usage ? spec->usage : "");
    if (spec->about)
        printf("\n%s\n", spec->about);
    printf("\noptions:\n");
    for (const hone_arg *o = spec->options; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->meta ? " " : "",
                 o->meta ? o->meta : "");
        printf("  %-24s %s\n", left, o->help ? o->help : "");
    }
    printf("  %-24s %s\n", "--help", "this text");
    if (spec->examples && spec->examples[0]) {
        printf("\nexamples:\n");
        for (const char *const *e = spec->examples; *e; e++)
            printf("  %s\n", *e);
    }
}

int hone_args_parse(const hone_args *spec, int argc, char **argv, hone_rest *rest)
{
    int kept = 0, only_positionals = 0;
    for (int i = 1; i < argc; i++) {
        char *a = argv[i];
        if (only_positionals || a[0] != '-' || a[1] == 0) {
            argv[1 + kept++] = a;
        } else if (strcmp(a, "--") == 0) {
            only_positionals = 1;
        } else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            hone_args_help(spec);
            rest->exit = HONE_EXIT_OK;
            return 0;
        } else if (a[1] != '-') {
            rest->exit = hone_cli_usage(spec->verb, "unknown option %s (options begin with --)", a);
            return 0;
        } else {
            rest->exit = take(spec, argc, argv, &i);
            if (rest->exit)
                return 0;
        }
    }
    rest->exit = HONE_EXIT_OK;
    if (kept < spec->min)
        rest->exit = hone_cli_usage(spec->verb, "too few arguments (usage: hone %s %s)", spec->verb,
                                    spec->usage ? spec->usage : "");
    else if (spec->max >= 0 && kept > spec->max)
        rest->exit = hone_cli_usage(spec->verb, "one argument too many: \"%s\"",
                                    argv[1 + spec->max]);
    if (rest->exit)
        return 0;
    if (1 + kept < argc)
        argv[1 + kept] = NULL;
    rest->n = kept;
    rest->v = argv + 1;
    return 1;
}
