/* env.h - what a verb that computes needs: the plugins found and the threads. */
#ifndef HONE_CORE_CLI_ENV_H
#define HONE_CORE_CLI_ENV_H
#include "train/policy.h"

/* The working folder is the project folder. On failure *env holds nothing. [control-thread] */
hone_status hone_cli_env_open(hone_env *env);
void hone_cli_env_close(hone_env *env);
/* For a verb that opened its own registry: what components may ask of models ("model:M"; there is no policy). The pool is
 * env's; env->registry stays the verb's. [control-thread] */
hone_status hone_cli_desk_open(hone_registry *r, hone_env *env);
void hone_cli_desk_close(hone_env *env); /* before the registry goes */
/* "5,17,9" -> ids; E_USAGE naming the place. *ids is the caller's (hone_free). */
hone_status hone_cli_ids(const char *text, int32_t **ids, size_t *n);
/* A frozen policy of model M, with an adapter unless NULL; what both options below say, NULL: f32. */
hone_status hone_cli_policy(hone_env *env, const char *model, const char *adapter,
                            const char *storage, const char *precision, hone_policy **out);
/* All of stdin, at most 256 MiB. */
hone_status hone_cli_stdin(hone_buf *out);
#define HONE_CLI_ADAPTER(at)                                                                       \
    {                                                                                              \
        "adapter", HONE_ARG_STR, at, "FOLDER", "with an adapter, as hone or PEFT saved it"         \
    }
/* Rows of a table of options: how weights lie in memory and are multiplied (nn/model.h). */
#define HONE_CLI_STORAGE(at)                                                                       \
    {                                                                                              \
        "storage", HONE_ARG_STR, at, "TYPE",                                                       \
            "of frozen weights in memory: f32, bf16, f16, q8_0, q4_0, q4_1, q4_k, keep (as in "    \
            "the file) (f32)"                                                                      \
    }
#define HONE_CLI_PRECISION(at)                                                                     \
    {                                                                                              \
        "precision", HONE_ARG_STR, at, "TYPE",                                                     \
            "of products over quantised weights: f32, or int8 (sums of integers; faster) (f32)"    \
    }
#endif
