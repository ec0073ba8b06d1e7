/* judge_open.h - a judge from the command line: --judge J [--set key=value]... [--policy M].
 *
 * J is the name of a judge component ("rubric"), or of a reward, which is then asked as one; the path of a plugin file; or FILE.lua: either data, a table of
 * settings whose `judge` names the component ("rubric" when it does not), read without any function in reach; or code of the
 * recipe language that returns a judge (hone.judge, hone.jury, ...). --set changes settings of the first three, and
 * parameters (hone.params) of code. Files that settings name are looked for beside FILE.lua, in the current folder and
 * in HONE_DATA.
 *
 * The judge lives in what a recipe would live in: registry, grants, desk, Lua state. With --policy M the model M is
 * there as the run's policy, for judges whose backend is the policy. One judge at a time in a process. [control-thread] */
#ifndef HONE_CORE_CLI_JUDGE_OPEN_H
#define HONE_CORE_CLI_JUDGE_OPEN_H
#include "cli/args.h"
#include "hone/judge.h"
#include "host/registry.h"
#include "train/policy.h"

typedef struct hone_cli_judge_args {
    const char *judge, *policy;
    const char *storage; /* of the policy's weights; NULL: f32 */
    hone_arg_list sets, allow;
} hone_cli_judge_args;

/* Rows of a table of options; `a` is a static hone_cli_judge_args. */
#define HONE_CLI_JUDGE_OPTIONS(a)                                                                  \
    {"judge", HONE_ARG_STR, &(a).judge, "J",                                                       \
     "judge component, its .so, or a Lua file: settings, or code that returns a judge"},           \
        {"set", HONE_ARG_LIST, &(a).sets, "KEY=VALUE", "a setting of the judge"},                  \
        {"policy", HONE_ARG_STR, &(a).policy, "M", "model that judges of the backend policy ask"}, \
    {                                                                                              \
        "allow", HONE_ARG_LIST, &(a).allow, "GRANT", "as for hone run"                             \
    }

typedef struct hone_cli_judge {
    hone_ref ref; /* hone.judge/1 */
    hone_instance *instance;
    hone_env *env;       /* for whoever needs rows, or the policy's other uses */
    hone_policy *policy; /* of --policy, or NULL */
    char spec
        [65]; /* SHA-256 of its spec; "" when it tells none (then nothing is remembered of it) */
    const char *spec_json; /* "" then */
    char rubric[160];      /* "id@hash", or "" */
    const char *name;      /* J as given */
    void *opened;
} hone_cli_judge;

/* E_USAGE without --judge. The arguments must outlive it. */
hone_status hone_cli_judge_open(const hone_cli_judge_args *a, hone_cli_judge *out);
void hone_cli_judge_close(hone_cli_judge *j); /* what is all zero is allowed */
#endif
