/* validate.c - `hone plugin validate`: which tests, the processes they run in, and the table (see validate.h).
 *
 * Tests run in phases, several processes at a time: what runs no code or only loads it; then every component is made;
 * then called; then everything else. A test that guards others (a gate) and does not pass makes those behind it
 * skips, so that a plugin which hangs at once is not waited for forty times. A child is this program started again by
 * posix_spawn in a process group of its own; when it is over, or its time is, the whole group is killed.
 *
 * Nothing of the plugin is loaded here: which components there are is what the child of library.load wrote down. */
#include "cli/validate.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/paths.h"
#include "cli/out.h"
#include "cli/validate_verb.h"
#include "lua/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
enum { JOBS_MAX = 8, PAGE_FD = 3 };

static hone_arg_list sets, paths, allow;
static int json, in_process;
static const char *only;
static int64_t seed = 1;
static double limit_s = 10;

typedef struct component {
    char *id, *kind;
    hone_component_info info; /* kind, provides and caps alone */
    const char *provides[16];
    const hone__vkind *work;
    const char *stopped; /* the gate that did not pass */
} component;

typedef struct job {
    const hone__vtest *test;
    component *c; /* NULL: of the file */
    uint32_t result;
    char *text;
    /* while it runs */
    hone__vpage *page;
    pid_t pid;
    int again; /* the second process of a test that wants two */
    uint64_t digest, deadline;
    FILE *out, *err;
} job;

static int is_lua; /* the file: its calls take longer */

/* How long a test may take. */
static double seconds_of(const job *j)
{
    return limit_s * (j->test->flags & HONE__VT_SLOW || is_lua ? 3 : 1);
}

typedef struct validation {
    char path[PATH_MAX];
    const char *component; /* the only one wanted, or NULL */
    char work_dir[64];
    job *jobs;
    size_t n, cap;
    component *components;
    size_t n_components;
    char *list; /* what the components' names point into */
    const char *stopped;
    int at_once;
} validation;

static const hone__vkind *const kinds[] = {
    &hone__v_reward,    &hone__v_judge,     &hone__v_tokenizer,
    &hone__v_optimizer, &hone__v_objective, &hone__v_advantage,
    &hone__v_source,    &hone__v_model,     &hone__v_environment};

const hone__vkind *hone__v_kind(const hone_component_info *info)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; info->c.provides && info->c.provides[i]; i++)
            if (strcmp(info->c.kind, kinds[k]->kind) == 0 &&
                strcmp(info->c.provides[i], kinds[k]->iface) == 0)
                return kinds[k];
    return NULL;
}

static const char *word(uint32_t result)
{
    static const char *const words[] = {"?", "pass", "fail", "crash", "skip", "warn"};
    return words[result <= HONE__V_WARN ? result : 0];
}

/* ---- the child ------------------------------------------------------------------------------------ */

/* Words: FD TEST COMPONENT WORK_DIR SEED PATH [SETTING...]; COMPONENT "-": none. */
int hone_cli_plugin_validate_one(int argc, char **argv)
{
    hone_arg_list mine = {.n = 0};
    struct rlimit none = {0, 0};
    char *end;
    if (argc < 7)
        return HONE_EXIT_USAGE;
    int fd = (int)strtol(argv[1], &end, 10);
    hone__vpage *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*end || page == MAP_FAILED)
        return HONE_EXIT_USAGE;
    close(fd);
    setrlimit(RLIMIT_CORE, &none);
    for (int i = 7; i < argc; i++) {
        if (strncmp(argv[i], "--allow=", 8) == 0 && allow.n < HONE_ARG_LIST_MAX - 1)
            allow.v[allow.n++] = argv[i] + 8;
        else if (mine.n < HONE_ARG_LIST_MAX)
            mine.v[mine.n++] = argv[i];
    }
    hone__v v = {.page = page,
                 .component = strcmp(argv[3], "-") == 0 ? NULL : argv[3],
                 .work_dir = argv[4],
                 .seed = strtoull(argv[5], NULL, 10),
                 .path = argv[6],
                 .sets = &mine,
                 .allow = allow.v};
    v.lua = strlen(v.path) > 4 && strcmp(v.path + strlen(v.path) - 4, ".lua") == 0;
    const hone__vtest *test = NULL;
    test = hone__v_test(argv[2]);
    if (!test)
        return HONE_EXIT_USAGE;
    hone__v_fence_signals(page);
    hone__v_run_one(&v, test);
    fflush(NULL);
    _exit(0);
}

static int start(validation *a, job *j)
{
    char fd_text[16], seed_text[24], zone[] = "TZ=XYZ-7";
    const char *argv[16 + 2 * HONE_ARG_LIST_MAX];
    hone_buf grants;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t all, none;
    size_t n = 0, n_env = 0;
    int s = -1, fd = memfd_create("hone-validate", MFD_CLOEXEC);
    j->out = tmpfile();
    j->err = tmpfile();
    if (fd < 0 || !j->out || !j->err || ftruncate(fd, sizeof *j->page) != 0)
        goto failed;
    j->page = mmap(NULL, sizeof *j->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (j->page == MAP_FAILED) {
        j->page = NULL;
        goto failed;
    }
    snprintf(fd_text, sizeof fd_text, "%d", PAGE_FD);
    snprintf(seed_text, sizeof seed_text, "%lld", (long long)seed);
    const char *words[] = {"hone",      "plugin",      "validate-one",
                           fd_text,     j->test->name, j->c ? j->c->id : "-",
                           a->work_dir, seed_text,     a->path};
    for (; n < sizeof words / sizeof *words; n++)
        argv[n] = words[n];
    for (int i = 0; i < sets.n; i++)
        argv[n++] = sets.v[i];
    hone_buf_init(&grants, 1 << 20); /* "--allow=...", one behind the other, each with its NUL */
    for (int i = 0; i < allow.n; i++) {
        hone_buf_addf(&grants, "--allow=%s", allow.v[i]);
        hone_buf_addc(&grants, 0);
    }
    for (size_t at = 0; grants.failed >= 0 && at < grants.len; at += strlen(grants.ptr + at) + 1)
        argv[n++] = grants.ptr + at;
    argv[n] = NULL;
    while (environ[n_env])
        n_env++;
    char **env = hone_calloc(n_env + 2, sizeof *env);
    if (!env) {
        hone_buf_release(&grants);
        goto failed;
    }
    for (size_t i = 0; i < n_env; i++)
        env[i] = environ[i];
    if (j->again) /* another process also has another surrounding */
        env[n_env] = zone;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, fd, PAGE_FD);
    posix_spawn_file_actions_adddup2(&files, fileno(j->out), 1);
    posix_spawn_file_actions_adddup2(&files, fileno(j->err), 2);
    s = posix_spawn(&j->pid, hone_paths_program(), &files, &attr, (char **)(uintptr_t)argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    hone_free(env);
    j->deadline = hone_now_ns() + (uint64_t)(1e9 * seconds_of(j));
    hone_buf_release(&grants);
failed:
    if (fd >= 0)
        close(fd);
    if (s != 0) {
        j->pid = 0;
        j->result = HONE__V_FAIL;
        j->text = hone_strdup("no process could be started for this test");
    }
    return s == 0;
}

/* The last line the child wrote to stderr: "terminate called after ...", "*** stack smashing ...". */
static void last_line(FILE *f, char *out, size_t size)
{
    char text[2048];
    long at = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
    fseek(f, at > (long)sizeof text - 1 ? at - (long)sizeof text + 1 : 0, SEEK_SET);
    size_t n = fread(text, 1, sizeof text - 1, f);
    while (n && text[n - 1] == '\n')
        n--;
    text[n] = 0;
    char *line = strrchr(text, '\n');
    while (line && strncmp(line + 1, "  hint: ", 8) == 0) { /* what hone says to do about a crash */
        *line = 0;
        line = strrchr(text, '\n');
    }
    snprintf(out, size, "%.300s", line ? line + 1 : text);
}

static void settle(job *j, uint32_t result, const char *fmt, ...) HONE_PRINTF(3, 4);
static void settle(job *j, uint32_t result, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    j->result = result;
    j->text = hone_strdup(text);
}

static void release(job *j)
{
    if (j->page)
        munmap(j->page, sizeof *j->page);
    if (j->out)
        fclose(j->out);
    if (j->err)
        fclose(j->err);
    j->page = NULL;
    j->out = j->err = NULL;
    j->pid = 0;
}

/* What the ended child's page and status say. 1: it has to run once more. */
static int conclude(job *j, int status, int late)
{
    hone__vpage *p = j->page;
    char said[400] = "", stage[sizeof p->stage + sizeof p->with + 16], fault[sizeof p->fault];
    p->text[sizeof p->text - 1] = p->stage[sizeof p->stage - 1] = p->with[sizeof p->with - 1] =
        p->fault[sizeof p->fault - 1] = 0; /* the plugin may have written anywhere */
    snprintf(stage, sizeof stage, "%s%s%s", p->stage, p->with[0] ? " with " : "", p->with);
    memcpy(fault, p->fault, sizeof fault);
    last_line(j->err, said, sizeof said);
    const char *colon = said[0] ? ": " : "";
    if (late)
        settle(j, HONE__V_FAIL, "did not come back within %g s, in %s", seconds_of(j), stage);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        settle(j, HONE__V_FAIL,
               "started a process without EXEC (system, popen or posix_spawn), in %s", stage);
    else if (WIFSIGNALED(status))
        settle(j, HONE__V_CRASH, "%s in %s%s%s%s%s", strsignal(WTERMSIG(status)), stage,
               fault[0] ? ": " : "", fault, fault[0] ? "" : colon, fault[0] ? "" : said);
    else if (!p->done)
        settle(j, HONE__V_CRASH, "the process ended with exit status %d in %s%s%s",
               WEXITSTATUS(status), stage, colon, said);
    else if (p->result == HONE__V_PASS && (j->test->flags & HONE__VT_TWICE) && !j->again) {
        j->digest = p->digest;
        j->again = 1;
        release(j);
        return 1;
    } else if (p->result == HONE__V_PASS && j->again && p->digest != j->digest)
        settle(j, HONE__V_FAIL,
               "the same batch gives another result in another process, though "
               "it says %s",
               strstr(j->test->name, "pure") ? "PURE" : "DETERMINISTIC");
    else
        settle(j, p->result >= HONE__V_PASS && p->result <= HONE__V_WARN ? p->result : HONE__V_FAIL,
               "%s", j->test->flags & HONE__VT_GATE && p->result == HONE__V_PASS ? "" : p->text);
    return 0;
}

static void reap(validation *a, job **running, size_t *n)
{
    sigset_t child;
    uint64_t now = hone_now_ns(), soonest = now + 1000000000;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (size_t i = 0; i < *n;) {
        job *j = running[i];
        int status = 0, late = now >= j->deadline;
        if (late)
            kill(-j->pid, SIGKILL);
        pid_t ended = waitpid(j->pid, &status, late ? 0 : WNOHANG);
        if (ended == 0) {
            if (j->deadline < soonest)
                soonest = j->deadline;
            i++;
            continue;
        }
        kill(-j->pid, SIGKILL); /* what it started */
        running[i] = running[--*n];
        if (conclude(j, status, late) && start(a, j))
            running[(*n)++] = j;
        else if (!j->text)
            settle(j, HONE__V_FAIL, "no second process could be started");
        if (strcmp(j->test->name, "library.load") == 0 && j->result == HONE__V_PASS && !a->list)
            a->list = hone_strdup(j->page->text);
        if (j->result)
            release(j);
        return;
    }
    uint64_t wait = soonest > now ? soonest - now : 0;
    sigtimedwait(&child, NULL,
                 &(struct timespec){(time_t)(wait / 1000000000), (long)(wait % 1000000000)});
}

/* In this process, for a debugger. */
static void run_here(validation *a, job *j)
{
    static hone__vpage page;
    memset(&page, 0, sizeof page);
    hone__v v = {.page = &page,
                 .path = a->path,
                 .component = j->c ? j->c->id : NULL,
                 .work_dir = a->work_dir,
                 .sets = &sets,
                 .allow = allow.v,
                 .seed = (uint64_t)seed};
    v.lua = strlen(v.path) > 4 && strcmp(v.path + strlen(v.path) - 4, ".lua") == 0;
    hone__v_run_one(&v, j->test);
    settle(j, page.result, "%s",
           page.result == HONE__V_PASS && (j->test->flags & HONE__VT_GATE) ? "" : page.text);
    if (strcmp(j->test->name, "library.load") == 0 && j->result == HONE__V_PASS && !a->list)
        a->list = hone_strdup(page.text);
}

/* Runs the jobs from `from` on that have no result yet and that `wanted` takes. */
static void run_phase(validation *a, int (*wanted)(const job *j))
{
    job *running[JOBS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < a->n || n;) {
        job *j = i < a->n ? &a->jobs[i] : NULL;
        if (j && (j->result || !wanted(j))) {
            i++;
        } else if (j && (a->stopped || (j->c && j->c->stopped))) {
            settle(j, HONE__V_SKIP, "%s did not pass", a->stopped ? a->stopped : j->c->stopped);
            i++;
        } else if (j && in_process) {
            run_here(a, j);
            i++;
        } else if (j && n < (size_t)a->at_once) {
            if (start(a, j))
                running[n++] = j;
            i++;
        } else {
            reap(a, running, &n);
        }
    }
    for (size_t i = 0; i < a->n; i++) {
        job *j = &a->jobs[i];
        if (!wanted(j) || !(j->test->flags & HONE__VT_GATE) || j->result == HONE__V_PASS ||
            j->result == HONE__V_WARN || only)
            continue;
        if (j->c && !j->c->stopped)
            j->c->stopped = j->test->name;
        if (!j->c && !a->stopped)
            a->stopped = j->test->name;
    }
}

static int is_file_test(const job *j)
{
    return !j->c;
}
static int is_create(const job *j)
{
    return j->c && strcmp(j->test->name, "instance.create") == 0;
}
static int is_call(const job *j)
{
    return j->c && strcmp(j->test->name, "instance.call") == 0;
}
static int is_any(const job *j)
{
    (void)j;
    return 1;
}

/* ---- which ---------------------------------------------------------------------------------------- */

static int chosen(const char *name)
{
    const char *dot = strchr(name, '.');
    return !only || strcmp(only, name) == 0 || strcmp(only, dot + 1) == 0 ||
           (strlen(only) == (size_t)(dot - name) && strncmp(only, name, strlen(only)) == 0);
}

static hone_status add(validation *a, const hone__vtest *t, component *c)
{
    for (; t && t->name; t++) {
        if (!chosen(t->name))
            continue;
        if (a->n == a->cap) {
            size_t cap = a->cap ? 2 * a->cap : 64;
            job *more = hone_reallocarray(a->jobs, cap, sizeof *more);
            if (!more)
                return HONE_E_NOMEM;
            a->jobs = more;
            a->cap = cap;
        }
        a->jobs[a->n] = (job){.test = t, .c = c};
        a->n++;
    }
    return HONE_OK;
}

/* From the lines of library.load. */
static hone_status read_components(validation *a)
{
    size_t lines = 0;
    for (const char *p = a->list; p && *p; p++)
        lines += *p == '\n';
    a->components = hone_calloc(lines + 1, sizeof *a->components);
    if (!a->components)
        return HONE_E_NOMEM;
    char *at = a->list;
    for (size_t i = 0; i < lines; i++) {
        component *c = &a->components[a->n_components];
        char *field[4], *end = strchr(at, '\n');
        *end = 0;
        for (int k = 0; k < 4; k++) {
            field[k] = at ? at : end;
            at = at ? strchr(at, '\t') : NULL;
            if (at)
                *at++ = 0;
        }
        at = end + 1;
        if (a->component && strcmp(a->component, field[0]) != 0)
            continue;
        c->id = field[0];
        c->kind = field[1];
        size_t n = 0;
        for (char *p = field[2]; p && *p && n < 15;) {
            c->provides[n++] = p;
            p = strchr(p, ',');
            if (p)
                *p++ = 0;
        }
        c->info.c.kind = c->kind;
        c->info.c.provides = c->provides;
        c->work = hone__v_kind(&c->info);
        a->n_components++;
    }
    for (size_t i = 0; i < a->n_components; i++) {
        component *c = &a->components[i];
        HONE_TRY(add(a, hone__v_instance_tests, c));
        HONE_TRY(add(a, hone__v_fuzz_tests, c));
        if (c->work)
            HONE_TRY(add(a, c->work->tests, c));
    }
    return HONE_OK;
}

const hone__vtest *hone__v_test(const char *name)
{
    const hone__vtest *tables[3 + sizeof kinds / sizeof *kinds] = {
        hone__v_library_tests, hone__v_instance_tests, hone__v_fuzz_tests};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        tables[3 + k] = kinds[k]->tests;
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++)
        for (const hone__vtest *t = tables[k]; t && t->name; t++)
            if (strcmp(t->name, name) == 0)
                return t;
    return NULL;
}

/* Is there any test that --only names? */
static int only_names_one(void)
{
    const hone__vtest *tables[3 + sizeof kinds / sizeof *kinds] = {
        hone__v_library_tests, hone__v_instance_tests, hone__v_fuzz_tests};
    const char *names[256];
    size_t n = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        tables[3 + k] = kinds[k]->tests;
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++)
        for (const hone__vtest *t = tables[k]; t && t->name; t++) {
            if (chosen(t->name))
                return 1;
            if (n < 255)
                names[n++] = t->name;
        }
    names[n] = NULL;
    const char *close = hone_closest(only, names);
    if (close)
        hone_cli_usage("plugin validate", "there is no test \"%s\" (did you mean \"%s\"?)", only,
                       close);
    else
        hone_cli_usage("plugin validate", "there is no test \"%s\"", only);
    return 0;
}

/* The children search where --plugin-path says, for what describes or is needed by what they test. */
static hone_status pass_paths(void)
{
    const char *before = getenv("HONE_PLUGIN_PATH");
    hone_buf b;
    if (paths.n == 0)
        return HONE_OK;
    hone_buf_init(&b, 1 << 20);
    for (int i = 0; i < paths.n; i++) {
        char full[PATH_MAX];
        hone_buf_addf(&b, "%s%s", i ? ":" : "", realpath(paths.v[i], full) ? full : paths.v[i]);
    }
    if (before && *before)
        hone_buf_addf(&b, ":%s", before);
    hone_status s = hone_buf_check(&b, "--plugin-path");
    if (s >= 0 && setenv("HONE_PLUGIN_PATH", b.ptr, 1) != 0)
        s = hone_fail_errno("--plugin-path");
    hone_buf_release(&b);
    return s;
}

/* A file, or the file of a component on the search path. */
static hone_status locate(validation *a, const char *name)
{
    size_t n = strlen(name);
    is_lua = n > 4 && strcmp(name + n - 4, ".lua") == 0;
    if (is_lua || hone_registry_is_file(name)) {
        if (!realpath(name, a->path))
            return hone_fail_errno("%s", name);
        return HONE_OK;
    }
    hone_registry *r;
    const hone_component_info *info;
    const char *list[HONE_ARG_LIST_MAX + 1];
    for (int i = 0; i < paths.n; i++)
        list[i] = paths.v[i];
    list[paths.n] = NULL;
    hone_registry_opts o = {.paths = list, .project = ".", .trial = 1};
    HONE_TRY(hone_registry_open(&o, &r));
    hone_status s = hone_registry_find(r, NULL, name, &info);
    if (s >= 0 && !realpath(info->plugin->path, a->path))
        s = hone_fail_errno("%s", info->plugin->path);
    if (s >= 0 && !(a->component = hone_strdup(info->c.id)))
        s = HONE_E_NOMEM;
    hone_registry_close(r);
    return s;
}

/* ---- the table ------------------------------------------------------------------------------------ */

static void count(const validation *a, const component *c, int all, size_t n[HONE__V_WARN + 1])
{
    memset(n, 0, (HONE__V_WARN + 1) * sizeof *n);
    for (size_t i = 0; i < a->n; i++)
        if (all || a->jobs[i].c == c)
            n[a->jobs[i].result <= HONE__V_WARN ? a->jobs[i].result : 0]++;
}

static void print_counts(const size_t n[HONE__V_WARN + 1])
{
    printf("%zu passed, %zu failed, %zu crashed", n[HONE__V_PASS], n[HONE__V_FAIL],
           n[HONE__V_CRASH]);
    if (n[HONE__V_WARN])
        printf(", %zu warned", n[HONE__V_WARN]);
    if (n[HONE__V_SKIP])
        printf(", %zu skipped", n[HONE__V_SKIP]);
    printf("\n");
}

static void print_part(const validation *a, const component *c, int brief)
{
    static const char *const marks[] = {"?", "ok", "FAIL", "CRASH", "skip", "warn"};
    for (size_t i = 0; i < a->n; i++) {
        const job *j = &a->jobs[i];
        if (j->c != c || (brief && (j->result == HONE__V_PASS || j->result == HONE__V_SKIP)))
            continue;
        const int said = j->text && j->text[0], pass = j->result == HONE__V_PASS;
        printf("  %-5s  %-24s  %s%s%s%s\n", marks[j->result <= HONE__V_WARN ? j->result : 0],
               j->test->name, pass || !said ? j->test->about : "", pass && said ? " (" : "",
               said ? j->text : "", pass && said ? ")" : "");
    }
}

static void print_table(const validation *a)
{
    size_t n[HONE__V_WARN + 1];
    int brief = a->n_components > 1 && !only;
    printf("%s\n", a->path);
    print_part(a, NULL, 0);
    for (size_t i = 0; i < a->n_components; i++) {
        const component *c = &a->components[i];
        count(a, c, 0, n);
        printf("%s%s  (%s)%s", brief && i ? "" : "\n", c->id, c->kind, brief ? "  " : "\n");
        if (brief)
            print_counts(n);
        print_part(a, c, brief);
    }
    count(a, NULL, 1, n);
    printf("\n");
    print_counts(n);
    for (size_t i = 0; i < a->n; i++) {
        const job *j = &a->jobs[i];
        if (j->result != HONE__V_FAIL && j->result != HONE__V_CRASH)
            continue;
        printf(
            "to see one: gdb --args hone plugin validate %s --only %s --in-process --seed %lld\n",
            a->path, j->test->name, (long long)seed);
        break;
    }
}

static hone_status print_json(const validation *a)
{
    hone_buf b;
    hone_jw w;
    size_t n[HONE__V_WARN + 1];
    hone_buf_init(&b, 1 << 28);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "plugin", a->path);
    hone_jw_ki64(&w, "seed", seed);
    hone_jw_key(&w, "tests");
    hone_jw_list(&w);
    for (size_t i = 0; i < a->n; i++) {
        const job *j = &a->jobs[i];
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "component", j->c ? j->c->id : NULL);
        hone_jw_kcstr(&w, "test", j->test->name);
        hone_jw_kcstr(&w, "result", word(j->result));
        hone_jw_kcstr(&w, "text", j->text ? j->text : "");
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    count(a, NULL, 1, n);
    for (uint32_t r = HONE__V_PASS; r <= HONE__V_WARN; r++)
        hone_jw_ki64(&w, word(r), (int64_t)n[r]);
    hone_jw_end(&w);
    hone_status s = hone_buf_check(&b, "the results");
    if (s >= 0)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

/* ---- the verb ------------------------------------------------------------------------------------- */

static hone_status run_all(validation *a)
{
    sigset_t child, before;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    a->at_once = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (int)cores;
    const char *wanted = only;
    validation look = {.at_once = 1};
    memcpy(look.path, a->path, sizeof look.path);
    memcpy(look.work_dir, a->work_dir, sizeof look.work_dir);
    hone_status s;
    if (only &&
        !chosen("library.load")) { /* which components there are has to be known all the same */
        only = "library.load";
        s = add(&look, hone__v_library_tests, NULL);
        if (s >= 0)
            run_phase(&look, is_any);
        only = wanted;
        a->list = look.list;
        if (s >= 0 && !a->list) {
            s = hone_fail(HONE_E_ABI, "%s: %s", a->path, look.n ? look.jobs[0].text : "");
            hone_fail_hint("hone plugin validate without --only says more");
        }
        for (size_t i = 0; i < look.n; i++)
            hone_free(look.jobs[i].text);
        hone_free(look.jobs);
        if (s < 0)
            return s;
    }
    HONE_TRY(add(a, hone__v_library_tests, NULL));
    run_phase(a, is_file_test);
    HONE_TRY(a->list ? read_components(a) : HONE_OK);
    run_phase(a, is_create);
    run_phase(a, is_call);
    run_phase(a, is_any);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return HONE_OK;
}

int hone_cli_plugin_validate(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"json", HONE_ARG_FLAG, &json, NULL, "as JSON: every test with its result and text"},
        {"only", HONE_ARG_STR, &only, "TEST", "one test, or all of library, instance, reward, ..."},
        {"set", HONE_ARG_LIST, &sets, "K=V",
         "a setting (several times); COMPONENT.K=V or KIND.COMPONENT.K=V for one of several"},
        {"seed", HONE_ARG_I64, &seed, "N", "of everything that is drawn by chance (1)"},
        {"in-process", HONE_ARG_FLAG, &in_process, NULL, "run in this process, for a debugger"},
        {"timeout", HONE_ARG_F64, &limit_s, "S", "seconds a test may take (10)"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT", "as for hone run: NAME:exec, NAME:net, ..."},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {0}};
    static const char *const examples[] = {
        "hone plugin validate ./my_reward.so", "hone plugin validate math_answer --only instance",
        "hone plugin validate ./my_reward.lua --json",
        "gdb --args hone plugin validate ./my_reward.so --only instance.call --in-process", NULL};
    static const hone_args spec = {
        "plugin validate",
        "FILE.so|FILE.lua|COMPONENT [options]",
        "Tests a plugin as the platform promises it: each test in a process of its own with a\n"
        "time limit. A result is pass, fail, crash, skip or warn; exit 1 when one failed or\n"
        "crashed. The file runs on this machine with your rights.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    size_t n[HONE__V_WARN + 1];
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!(limit_s > 0))
        return hone_cli_usage("plugin validate", "--timeout is a number of seconds");
    if (only && !only_names_one())
        return HONE_EXIT_USAGE;
    validation *a = hone_calloc(1, sizeof *a);
    hone_status s = a ? locate(a, rest.v[0]) : HONE_E_NOMEM;
    if (s >= 0) {
        const char *tmp = getenv("TMPDIR");
        snprintf(a->work_dir, sizeof a->work_dir, "%s/hone-validate-XXXXXX",
                 tmp && *tmp == '/' && strlen(tmp) < 32 ? tmp : "/tmp");
        if (!mkdtemp(a->work_dir))
            s = hone_fail_errno("%s", a->work_dir);
    }
    int made = s >= 0, code;
    if (s >= 0)
        s = pass_paths();
    if (s >= 0)
        s = run_all(a);
    if (s >= 0 && json)
        s = print_json(a);
    else if (s >= 0)
        print_table(a);
    code = hone_cli_fail(s);
    if (s >= 0) {
        count(a, NULL, 1, n);
        code = n[HONE__V_FAIL] + n[HONE__V_CRASH] + n[0] ? HONE_EXIT_FAILED : HONE_EXIT_OK;
    }
    if (made) {
        const hone_error e = *hone_error_get();
        hone_remove_tree(a->work_dir);
        hone_error_set(&e);
    }
    for (size_t i = 0; a && i < a->n; i++)
        hone_free(a->jobs[i].text);
    if (a) {
        hone_free(a->jobs);
        hone_free(a->components);
        hone_free(a->list);
        hone_free((char *)(uintptr_t)a->component);
    }
    hone_free(a);
    return code;
}
