/* bench_run.c - see bench_run.h. */
#include "cli/bench_run.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/paths.h"
#include "ops/cpu.h"
#include "ops/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Matrices a token meets: all linears, and the head once (tied or not); the embedding is a look-up.
 */
static void met_params(hone_bench_run *r)
{
    const hone_model *m = r->policy->model;
    for (hone_param i = 0; i < hone_params_count(m->params); i++) {
        const hone_param_item *p = hone_params_item(m->params, i);
        if (p && !p->is_vector && p->adapter < 0 &&
            (i != m->info.embed || m->info.head == m->info.embed)) {
            const hone_view v = hone_params_view(m->params, i);
            r->params += (double)p->rows * (double)p->cols;
            r->bytes += (double)hone_storage_bytes(&v);
        }
    }
}

hone_status hone__bench_open(const hone_bench_setup *setup, hone_bench_run *r)
{
    hone_registry_opts none = {0};
    hone_policy_config config = {.model = setup->model,
                                 .precision = setup->precision,
                                 .lora.rank = (int32_t)setup->lora,
                                 .optimizer = setup->train ? "adamw" : NULL};
    memset(r, 0, sizeof *r);
    hone_status s = hone__yard_check(setup->yardstick);
    if (s >= 0)
        s = hone_cpu_check();
    if (s >= 0)
        s = hone_storage_parse(setup->storage, &config.storage);
    if (s >= 0)
        s = hone_registry_open(&none, &r->env.registry);
    if (s >= 0)
        s = hone_pool_create((uint32_t)setup->threads, &r->env.pool);
    const double t = hone_now_s();
    if (s >= 0)
        s = hone_policy_create(&r->env, &config, &r->policy);
    r->load_s = hone_now_s() - t;
    if (s < 0) {
        hone__bench_close(r);
        return s;
    }
    met_params(r);
    hone__yard_before(&r->yard, r->env.pool, hone__yard_buffer(r->bytes), setup->yardstick);
    return HONE_OK;
}

void hone__bench_close(hone_bench_run *r)
{
    hone_policy_destroy(r->policy);
    hone_pool_destroy(r->env.pool);
    if (r->env.registry)
        hone_registry_close(r->env.registry);
    memset(r, 0, sizeof *r);
}

void hone__bench_ids(const hone_bench_run *r, uint64_t seed, int32_t *ids, size_t n)
{
    const uint64_t vocab = (uint64_t)r->policy->model->info.vocab_size;
    uint64_t x = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int32_t)((x >> 33) % vocab);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hone__bench_median(double *v, size_t n)
{
    if (n == 0)
        return 0.0;
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

hone_status hone__bench_folder(char **out)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = hone_path_join(tmp && tmp[0] == '/' ? tmp : "/tmp", "hone-bench-XXXXXX");
    if (!dir)
        return HONE_E_NOMEM;
    if (!mkdtemp(dir)) {
        hone_status s = hone_fail_errno("cannot make a folder like %s", dir);
        hone_free(dir);
        return s;
    }
    *out = dir;
    return HONE_OK;
}

static hone_status read_to_end(int fd, hone_buf *out)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hone_fail_errno("cannot read what it prints");
        if (n == 0)
            return HONE_OK;
        if (out)
            HONE_TRY(hone_buf_add(out, chunk, (size_t)n));
    }
}

/* The environment with one variable set: the caller frees the array, not its texts. */
static char **with(const char *set)
{
    const size_t name = strcspn(set, "=") + 1;
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    char **env = hone_calloc(n + 2, sizeof *env);
    for (size_t i = 0; env && i < n; i++)
        if (strncmp(environ[i], set, name) != 0)
            env[k++] = environ[i];
    if (env)
        env[k] = (char *)set;
    return env;
}

hone_status hone__bench_spawn(char **argv, const char *set, hone_bench_process *p)
{
    posix_spawn_file_actions_t files;
    int pipe_[2];
    char **env = set ? with(set) : environ;
    if (!env)
        return HONE_E_NOMEM;
    hone_status s = pipe2(pipe_, O_CLOEXEC) == 0 ? HONE_OK : hone_fail_errno("cannot make a pipe");
    if (s < 0)
        goto out;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, pipe_[1], STDOUT_FILENO);
    const int e = posix_spawn(&p->pid, hone_paths_program(), &files, NULL, argv, env);
    posix_spawn_file_actions_destroy(&files);
    close(pipe_[1]);
    p->out = pipe_[0];
    if (e != 0) {
        close(pipe_[0]);
        s = hone_fail(HONE_E_IO, "cannot start %s: %s", hone_paths_program(), strerror(e));
    }
out:
    if (set)
        hone_free(env);
    return s;
}

hone_status hone__bench_wait(char **argv, hone_bench_process *p)
{
    int status = 0;
    close(p->out);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return HONE_OK;
    return hone_fail(HONE_E_FAIL, "hone %s %s did not end well", argv[1], argv[2] ? argv[2] : "");
}

hone_status hone__bench_child(char **argv, const char *set, hone_buf *out)
{
    hone_bench_process p;
    HONE_TRY(hone__bench_spawn(argv, set, &p));
    const hone_status s = read_to_end(p.out, out), ended = hone__bench_wait(argv, &p);
    return s < 0 ? s : ended;
}
