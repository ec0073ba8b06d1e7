/* data_step.h - what the verbs of `hone data` that write rows share: their options, input, job, threads, summary.
 *
 *   static const hone_arg options[] = {..., HONE_CLI_STEP_OPTIONS, {0}};
 *   hone_cli_step step;
 *   s = hone_cli_step_open(&step, "dedup", settings, rest.n, rest.v);
 *   ... hone_dedup_run(..., step.input, step.pool, step.job, ...)
 *   return hone_cli_step_close(&step, s);
 */
#ifndef HONE_CORE_CLI_DATA_STEP_H
#define HONE_CORE_CLI_DATA_STEP_H
#include "cli/args.h"
#include "curate/pass.h"

typedef struct hone_cli_step_args {
    hone_arg_list plugin_paths, sets, allow, out;
    const char *source, *columns, *report;
    int skip_bad, fresh, json, no_lineage;
    int64_t checkpoint_mb;
} hone_cli_step_args;
extern hone_cli_step_args hone__step_args;

/* Rows of a table of options. */
#define HONE_CLI_STEP_OPTIONS                                                                      \
    {"out", HONE_ARG_LIST, &hone__step_args.out, "FILE",                                           \
     "where the rows go, whole when the step ends (standard output)"},                             \
        {"report", HONE_ARG_STR, &hone__step_args.report, "FILE",                                  \
         "a line of JSON for each row left out: which, and why"},                                  \
        {"columns", HONE_ARG_STR, &hone__step_args.columns, "A,B.C",                               \
         "the columns that are the row's text (all its strings)"},                                 \
        {"json", HONE_ARG_FLAG, &hone__step_args.json, NULL, "the summary as JSON"},               \
        {"skip-bad", HONE_ARG_FLAG, &hone__step_args.skip_bad, NULL,                               \
         "leave malformed rows out and count them"},                                               \
        {"fresh", HONE_ARG_FLAG, &hone__step_args.fresh, NULL,                                     \
         "begin anew, also where the same step was interrupted"},                                  \
        {"no-lineage", HONE_ARG_FLAG, &hone__step_args.no_lineage, NULL, "write no FILE.lineage"}, \
        {"checkpoint-mb", HONE_ARG_I64, &hone__step_args.checkpoint_mb, "N",                       \
         "megabytes of input between two notes to go on from (64)"},                               \
        {"source", HONE_ARG_STR, &hone__step_args.source, "NAME",                                  \
         "the source component (auto: told by name and content)"},                                 \
        {"set", HONE_ARG_LIST, &hone__step_args.sets, "KEY=VALUE",                                 \
         "a setting of the source (several times)"},                                               \
        {"allow", HONE_ARG_LIST, &hone__step_args.allow, "GRANT",                                  \
         "SOURCE:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},                                  \
    {                                                                                              \
        "plugin-path", HONE_ARG_LIST, &hone__step_args.plugin_paths, "PATH",                       \
            "a folder of plugins, or a .so (several times)"                                        \
    }

typedef struct hone_cli_step {
    hone_registry *registry;
    hone_input *input;
    hone_pool *pool;
    hone_job *job;
    hone_buf settings; /* the JSON map that decides the output */
    hone_jw w;         /* into it, while it is open */
    const char *verb;
    int to_file; /* the rows go to files, so standard output is free for the summary */
} hone_cli_step;

/* Between begin and open the verb writes members of its settings to step->w. [control-thread] */
hone_status hone_cli_step_begin(hone_cli_step *step, const char *verb);
/* Opens input and job. `out` NULL: those of --out (at most one). [control-thread] */
hone_status hone_cli_step_open(hone_cli_step *step, int n, char **paths, const char *const *out,
                               size_t n_out);
/* Prints the summary, which `put` writes the members of, after the rows: on standard output when these went to a file, else on
 * standard error; or the failure. The exit code. [control-thread] */
int hone_cli_step_close(hone_cli_step *step, hone_status s, void (*put)(void *ctx, hone_jw *w),
                        void *ctx);
/* Another data file's rows with the same --source settings, for a verb that reads a second one. [control-thread] */
hone_status hone_cli_step_input(hone_cli_step *step, const char *const *paths, size_t n,
                                hone_input **out);

int hone_cli_data_dedup(int argc, char **argv);
int hone_cli_data_decontaminate(int argc, char **argv);
int hone_cli_data_filter(int argc, char **argv);
int hone_cli_data_select(int argc, char **argv);
int hone_cli_data_split(int argc, char **argv);
int hone_cli_data_mix(int argc, char **argv);
#endif
