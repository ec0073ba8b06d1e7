/* unit_test.c - the reward "unit_test": the code in a completion, run with the tests of its row.
 *
 * The work is done by sdk/python/hone_unit_test.py in a box: a warm interpreter that forks for each case, under limits,
 * and cleans up behind it. Here are the settings, and what it means when a case gets through: one that ends the whole
 * box when it is alone has the score 0, whatever it did. */
#include "command.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum {
    U_LANGUAGE,
    U_TESTS,
    U_ENTRY,
    U_PREFIX,
    U_COMPILER,
    U_SCORE,
    U_WALL,
    U_CPU,
    U_MEMORY,
    U_PROCESSES,
    U_FILE,
    U_TMP,
    U_OUTPUT,
    U_WORKERS,
    U_APART
};
static const hone_field *const fields[] = {
    HONE_ENUM("language", "python", "python|c", 0, "of the code and its tests"),
    HONE_STR("tests", "", 0,
             "column with the tests, a text or a list of them; else test_list, test, tests"),
    HONE_STR("entry_point", "entry_point", 0, "column with the name that the code must define"),
    HONE_STR("prefix", "prompt", 0,
             "column that stands before code which does not define that name"),
    HONE_STR("compiler", "cc", 0, "program that compiles C"),
    HONE_ENUM("score", "all", "all|share", 0, "1 when all tests pass; or the share that passes"),
    HONE_F64("wall_s", 10, 0.05, 3600, 0, "seconds that a case may take"),
    HONE_INT("cpu_s", 10, 1, 3600, 0, "seconds of CPU of each of its processes"),
    HONE_INT("memory_mb", 512, 32, 1 << 20, 0, "memory of each of its processes"),
    HONE_INT("processes", 16, 1, 4096, 0, "processes and threads of a case at one time"),
    HONE_INT("file_mb", 16, 1, 1 << 20, 0, "longest file"),
    HONE_INT("tmp_mb", 64, 1, 1 << 20, 0, "of its private temporary folder"),
    HONE_INT("output_kb", 256, 1, 1 << 20, 0, "of what it may print"),
    HONE_INT("workers", 2, 1, MAX_WORKERS, 0, "cases at one time, each in a box"),
    HONE_FLAG("apart", 1, 0, "code and tests in two processes; 0: in one, for tests that need it"),
    NULL};

static void put_setting(command *c, int field, int *first)
{
    const hone_config *cfg = c->cfg;
    const hone_field *f = fields[field];
    jtext_key(&c->hello, f->name, first);
    if (f->type == HONE_FIELD_STR)
        jtext_string(&c->hello, cfg->str(cfg, (uint32_t)field));
    else if (f->type == HONE_FIELD_F64)
        jtext_number(&c->hello, cfg->f64(cfg, (uint32_t)field));
    else if (field == U_LANGUAGE)
        jtext_raw(&c->hello, cfg->i64(cfg, U_LANGUAGE) ? "\"c\"" : "\"python\"");
    else
        jtext_integer(&c->hello, cfg->i64(cfg, (uint32_t)field));
}

/* Its namespace of processes beside ours tells the runner whether it is alone in one: then it may kill everybody. */
static void put_greeting(command *c)
{
    char ns[64];
    int first = 1;
    ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns);
    jtext_raw(&c->hello, "{\"hone\":1,\"kind\":\"unit_test\",\"settings\":{");
    for (int i = 0; fields[i]; i++)
        put_setting(c, i, &first);
    jtext_key(&c->hello, "host_pids", &first);
    jtext_string(&c->hello, (hone_str){ns, n > 0 ? (size_t)n : 0});
    jtext_raw(&c->hello, "}}\n");
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    const uint64_t mb = 1 << 20;
    reward *r;
    hone_status s = reward_new(host, &r);
    if (s < 0)
        return s;
    command *c = &r->c;
    r->independent = r->guilty = r->tells_time = 1;
    c->retries = 1;
    c->start_s = 60;
    s = command_init(c, "unit_test", (size_t)cfg->i64(cfg, U_WORKERS), host, cfg);
    if (s < 0)
        goto done;
    c->argv[c->n_argv++] = hone_str_c("python3");
    c->argv[c->n_argv++] = hone_str_c("-I");
    c->argv[c->n_argv++] = hone_str_c("sdk:python/hone_unit_test.py");
    /* the runner, the tests and two processes of the box beside those of a case */
    c->spec.processes = (uint32_t)cfg->i64(cfg, U_PROCESSES) + 5;
    c->spec.memory_bytes = 2 * (uint64_t)cfg->i64(cfg, U_MEMORY) * mb + 256 * mb;
    c->spec.tmp_bytes = (uint64_t)cfg->i64(cfg, U_TMP) * mb;
    c->spec.file_bytes = (uint64_t)cfg->i64(cfg, U_FILE) * mb;
    put_greeting(c);
    s = command_ready(c);
done:
    if (s < 0)
        reward_destroy(r);
    else
        *self_out = r;
    return s;
}

HONE_DEFINE_REWARD(reward_unit_test, reward_table, .id = "org.hone.reward.unit_test",
                   .version = "0.1.0", .vendor = "hone", .license = "MIT",
                   .summary = "code in completions, run with its row's tests", .url = "",
                   .caps = HONE_CAP_SLOW | HONE_CAP_BATCH_INVARIANT | HONE_CAP_FS_READ |
                           HONE_CAP_EXEC,
                   .fields = fields, .needs = command_needs, .create = create,
                   .destroy = reward_destroy);
