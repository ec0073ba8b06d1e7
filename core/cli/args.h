/* args.h - long options, GNU style, from a table that is also the help text.
 *
 *   static const char *prompt; static int greedy; static int64_t max = 256;
 *   static const hone_arg options[] = {
 *       {"prompt", HONE_ARG_STR, &prompt, "TEXT", "what the model continues"},
 *       {"greedy", HONE_ARG_FLAG, &greedy, NULL, "take the likeliest token"},
 *       {"max-tokens", HONE_ARG_I64, &max, "N", "at most so many new tokens (256)"},
 *       {0}};
 *   static const char *const examples[] = {"hone generate tiny --prompt 'Leo has'", NULL};
 *   static const hone_args spec = {"generate", "MODEL [options]", "Continues a text.", options,
 *                                  examples, 1, 1};
 *   hone_rest rest;
 *   if (!hone_args_parse(&spec, argc, argv, &rest))
 *       return rest.exit;
 *
 * --name value and --name=value; --name and --no-name for flags; "--" ends the options; "-" is a
 * positional. An unknown option, a missing or malformed value, too few or too many positionals are
 * usage errors (exit 2) with a suggestion. --help prints the table and exits 0. */
#ifndef HONE_CORE_CLI_ARGS_H
#define HONE_CORE_CLI_ARGS_H
#include "base/error.h"

enum {
    HONE_ARG_FLAG = 1, /* int: 1, or 0 by --no-name */
    HONE_ARG_STR,      /* const char *, points into argv */
    HONE_ARG_I64,      /* int64_t */
    HONE_ARG_F64,      /* double */
    HONE_ARG_LIST      /* hone_arg_list: may be given several times */
};
enum { HONE_ARG_LIST_MAX = 64 };
typedef struct hone_arg_list {
    const char *v[HONE_ARG_LIST_MAX + 1]; /* ends with NULL, where it began as zeros */
    int n;
} hone_arg_list;

typedef struct hone_arg {
    const char *name; /* without dashes; NULL ends the table */
    int type;
    void *out; /* untouched when the option is not given */
    const char *meta, *help;
} hone_arg;

typedef struct hone_args {
    const char *verb, *usage, *about; /* "model info", "MODEL [options]", some lines of text */
    const hone_arg *options;          /* or NULL */
    const char *const *examples;      /* whole command lines, NULL-terminated, or NULL */
    int min, max;                     /* positionals; max -1 = any number */
} hone_args;

typedef struct hone_rest {
    int n; /* positionals, argv's own array reordered; v[n] == NULL */
    char **v;
    int exit;
} hone_rest;

/* Parses argv[1..]. Returns 1 to go on; 0 when the verb is over, with rest->exit. [control-thread] */
int hone_args_parse(const hone_args *spec, int argc, char **argv, hone_rest *rest);
/* The values of text options (not of lists) that were parsed so far, NULL-terminated: what the user named. [control-thread] */
const char *const *hone_args_typed(void);
/* Prints what --help prints, on stdout. */
void hone_args_help(const hone_args *spec);
#endif
