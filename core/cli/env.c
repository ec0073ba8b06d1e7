/* env.c - see env.h. */
#include "cli/env.h"

#include "base/alloc.h"
#include "ops/cpu.h"
#include "score/score.h"
#include "train/desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

hone_status hone_cli_env_open(hone_env *env)
{
    hone_registry_opts ro = {.project = "."};
    memset(env, 0, sizeof *env);
    HONE_TRY(hone_cpu_check());
    hone_status s = hone_registry_open(&ro, &env->registry);
    if (s >= 0)
        s = hone_pool_create(0, &env->pool);
    if (s < 0)
        hone_cli_env_close(env);
    return s;
}

void hone_cli_env_close(hone_env *env)
{
    hone_pool_destroy(env->pool);
    if (env->registry)
        hone_registry_close(env->registry);
    memset(env, 0, sizeof *env);
}

static int serve_desk(void *ctx, uint64_t max_ns)
{
    (void)max_ns;
    return hone_desk_serve(ctx) > 0;
}

hone_status hone_cli_desk_open(hone_registry *r, hone_env *env)
{
    memset(env, 0, sizeof *env);
    env->registry = r;
    HONE_TRY(hone_cpu_check());
    HONE_TRY(hone_pool_create(0, &env->pool));
    HONE_TRY(hone_desk_open(env));
    hone_score_pump pump = {serve_desk, env->desk};
    hone_score_set_desk(&pump);
    return HONE_OK;
}

void hone_cli_desk_close(hone_env *env)
{
    hone_score_set_desk(NULL);
    hone_desk_drop(env->desk);
    hone_pool_destroy(env->pool);
    env->pool = NULL;
}

hone_status hone_cli_ids(const char *text, int32_t **ids_out, size_t *n_out)
{
    size_t n = 0;
    int32_t *ids = hone_calloc(strlen(text) / 2 + 1, sizeof *ids);
    if (!ids)
        return HONE_E_NOMEM;
    for (const char *p = text;; p++) {
        char *end;
        errno = 0;
        long v = strtol(p, &end, 10);
        if (end == p || errno || v < 0 || v > INT32_MAX || (*end && *end != ',')) {
            hone_free(ids);
            return hone_fail(HONE_E_USAGE,
                             "--ids %.60s: token ids separated by commas are wanted (5,17,9)",
                             text);
        }
        ids[n++] = (int32_t)v;
        p = end;
        if (!*p)
            break;
    }
    *ids_out = ids;
    *n_out = n;
    return HONE_OK;
}

hone_status hone_cli_policy(hone_env *env, const char *model, const char *adapter,
                            const char *storage, const char *precision, hone_policy **out)
{
    hone_policy_config cfg = {.model = model, .precision = precision, .lora.from = adapter};
    HONE_TRY(hone_storage_parse(storage, &cfg.storage));
    return hone_policy_create(env, &cfg, out);
}

hone_status hone_cli_stdin(hone_buf *out)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hone_fail_errno("cannot read standard input");
        if (n == 0)
            return HONE_OK;
        if (out->len + (size_t)n > (size_t)256 << 20)
            return hone_fail(HONE_E_LIMIT, "standard input is longer than 256 MiB");
        HONE_TRY(hone_buf_add(out, chunk, (size_t)n));
    }
}
