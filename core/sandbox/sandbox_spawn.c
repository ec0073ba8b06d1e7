/* sandbox_spawn.c - starting hone-box, and ending it: the host's side of sandbox.h.
 *
 * One thread starts every child and never ends, because the parent-death signal that a child asks for comes at the end
 * of the thread that started it. It uses posix_spawn: no fork without exec, so nothing of the host (locks, memory,
 * descriptors) is ever seen by foreign code. Descriptors are first copied to high numbers, then put in
 * their places, and everything above is closed.
 *
 * A child is reaped by whoever holds its hone_child: the host reaps no other children. Its control groups are made here
 * (one for memory and processes, or two in the first version) and removed after its death.
 * Source: posix_spawn(3), pidfd_open(2), cgroups(7). */
#include "sandbox/sandbox.h"

#include "sandbox/sandbox_count.h"
#include "sandbox/sandbox_kernel.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PASS = 16, MAX_FDS = MAX_PASS + 4, MAX_WORDS = 256, HIGH = 64 };

/* ---- the program --------------------------------------------------------------------------------- */

static char box_path[PATH_MAX + 16];
static pthread_once_t box_once = PTHREAD_ONCE_INIT;

static int beside(const char *dir, size_t n, const char *rest)
{
    int k = snprintf(box_path, sizeof box_path, "%.*s%s", (int)n, dir, rest);
    return k > 0 && (size_t)k < sizeof box_path && access(box_path, X_OK) == 0;
}

static void find_program(void)
{
    static const char *const ways[] = {"/hone-box", "/../hone-box", "/../../hone-box"};
    const char *env = getenv("HONE_BOX"), *self = hone_paths_program();
    const char *slash = strrchr(self, '/');
    if (env && *env && strlen(env) < sizeof box_path) {
        memcpy(box_path, env, strlen(env) + 1);
        return;
    }
    for (size_t i = 0; slash && i < sizeof ways / sizeof *ways; i++)
        if (beside(self, (size_t)(slash - self), ways[i]))
            return;
    memcpy(box_path, "/hone-box", sizeof "/hone-box"); /* not found: the error names it */
}

const char *hone_sandbox_program(void)
{
    pthread_once(&box_once, find_program);
    return box_path;
}

/* ---- the thread ---------------------------------------------------------------------------------- */

typedef struct request {
    const char *path;
    char *const *argv;
    char *const *env;
    const int *fds; /* become 0, 1, ... */
    size_t n_fds;
    pid_t pid;
    int error, done;
    struct request *next;
} request;

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_work = PTHREAD_COND_INITIALIZER, queue_done = PTHREAD_COND_INITIALIZER;
static request *queue;
static int started;

static int spawn_now(request *r)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int high[MAX_FDS], e, n = 0;
    e = posix_spawn_file_actions_init(&files);
    if (e)
        return e;
    e = posix_spawnattr_init(&attr);
    if (e) {
        posix_spawn_file_actions_destroy(&files);
        return e;
    }
    sigemptyset(&none);
    sigfillset(&all);
    for (; e == 0 && (size_t)n < r->n_fds; n++) {
        high[n] = fcntl(r->fds[n], F_DUPFD_CLOEXEC, HIGH);
        if (high[n] < 0) {
            e = errno;
            break;
        }
        e = posix_spawn_file_actions_adddup2(&files, high[n], n);
    }
    if (e == 0)
        e = posix_spawn_file_actions_addclosefrom_np(&files, (int)r->n_fds);
    if (e == 0)
        e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSID);
    if (e == 0)
        e = posix_spawnattr_setsigdefault(&attr, &all);
    if (e == 0)
        e = posix_spawnattr_setsigmask(&attr, &none);
    if (e == 0)
        e = posix_spawn(&r->pid, r->path, &files, &attr, r->argv, r->env);
    for (int i = 0; i < n; i++)
        close(high[i]);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return e;
}

static void *spawner(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&queue_lock);
    for (;;) {
        request *r = queue;
        if (!r) {
            pthread_cond_wait(&queue_work, &queue_lock);
            continue;
        }
        queue = r->next;
        pthread_mutex_unlock(&queue_lock);
        int e = spawn_now(r);
        pthread_mutex_lock(&queue_lock);
        r->error = e;
        r->done = 1;
        pthread_cond_broadcast(&queue_done);
    }
    return NULL;
}

/* Under the lock. */
static hone_status start_thread(void)
{
    pthread_t t;
    sigset_t all, before;
    if (started)
        return HONE_OK;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&t, NULL, spawner, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e) {
        errno = e;
        return hone_fail_errno("box: the thread that starts boxes");
    }
    pthread_detach(t);
    started = 1;
    return HONE_OK;
}

static hone_status submit(request *r)
{
    pthread_mutex_lock(&queue_lock);
    hone_status s = start_thread();
    if (s >= 0) {
        r->next = queue;
        queue = r;
        pthread_cond_signal(&queue_work);
        while (!r->done)
            pthread_cond_wait(&queue_done, &queue_lock);
    }
    pthread_mutex_unlock(&queue_lock);
    if (s >= 0 && r->error) {
        errno = r->error;
        s = hone_fail_errno("box: cannot start %s", r->path);
        if (r->error == ENOENT)
            hone_fail_hint("hone-box belongs beside hone: install both, or set HONE_BOX");
    }
    return s;
}

/* ---- control groups ------------------------------------------------------------------------------ */

static int write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t len = strlen(text);
    ssize_t n = write(fd, text, len);
    close(fd);
    return n == (ssize_t)len ? 0 : -1;
}

static int write_number(const char *dir, const char *name, uint64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return write_file(dir, name, text);
}

/* The group of this process in the hierarchy that has `controller` ("" for version 2), as a folder. */
static int own_group(const char *controller, char out[200])
{
    char line[512];
    FILE *f = fopen("/proc/self/cgroup", "re");
    int found = 0;
    if (!f)
        return 0;
    while (!found && fgets(line, sizeof line, f)) {
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        list++;
        path[strcspn(path, "\n")] = 0;
        if (strcmp(path, "/") == 0)
            *path = 0;
        if (!*controller && !*list)
            found = snprintf(out, 200, "/sys/fs/cgroup%s", path) < 200;
        for (char *one = list; *controller && one && *one && !found;) {
            size_t n = strcspn(one, ",");
            if (n == strlen(controller) && memcmp(one, controller, n) == 0)
                found = snprintf(out, 200, "/sys/fs/cgroup/%s%s", controller, path) < 200;
            one += n + (one[n] == ',');
        }
    }
    fclose(f);
    return found;
}

static atomic_uint group_number;

/* A new group below `parent` in out; 0 when there is none or it lacks the file `must`. */
static int new_group(const char *parent, const char *must, unsigned number, char out[256])
{
    char file[320];
    int n = snprintf(out, 256, "%s/hone-%ld-%u", parent, (long)getpid(), number);
    if (n < 0 || n >= 256 || mkdir(out, 0755) != 0)
        return 0;
    snprintf(file, sizeof file, "%s/%s", out, must);
    if (access(file, W_OK) == 0)
        return 1;
    rmdir(out);
    return 0;
}

/* Groups with the policy's limits, as far as this user may make them. Version of the hierarchy, or 0. */
static uint32_t make_groups(uint64_t memory, uint32_t processes, char out[2][256])
{
    char parent[200];
    unsigned number = atomic_fetch_add(&group_number, 1);
    out[0][0] = out[1][0] = 0;
    if (hone__sandbox_without("cgroup"))
        return 0;
    if (own_group("", parent) && new_group(parent, "pids.max", number, out[0])) {
        if (processes)
            write_number(out[0], "pids.max", processes);
        if (memory) {
            write_number(out[0], "memory.max", memory);
            write_number(out[0], "memory.swap.max", 0);
        }
        return 2;
    }
    out[0][0] = 0;
    if (processes &&
        (!own_group("pids", parent) || !new_group(parent, "pids.max", number, out[0]) ||
         write_number(out[0], "pids.max", processes) != 0)) {
        if (out[0][0])
            rmdir(out[0]);
        out[0][0] = 0;
    }
    if (memory && (!own_group("memory", parent) ||
                   !new_group(parent, "memory.limit_in_bytes", number, out[1]) ||
                   write_number(out[1], "memory.limit_in_bytes", memory) != 0)) {
        if (out[1][0])
            rmdir(out[1]);
        out[1][0] = 0;
    }
    return out[0][0] || out[1][0] ? 1 : 0;
}

/* Kills whoever is left in a group, and removes it. */
static void end_group(char dir[256])
{
    char path[320], line[64];
    for (int tries = 0; dir[0] && tries < 200; tries++) {
        if (rmdir(dir) == 0 || errno == ENOENT)
            break;
        if (write_file(dir, "cgroup.kill", "1") != 0) {
            snprintf(path, sizeof path, "%s/cgroup.procs", dir);
            FILE *f = fopen(path, "re");
            while (f && fgets(line, sizeof line, f)) {
                long pid = strtol(line, NULL, 10);
                if (pid > 1)
                    kill((pid_t)pid, SIGKILL);
            }
            if (f)
                fclose(f);
        }
        struct timespec ts = {0, 1000000};
        nanosleep(&ts, NULL);
    }
    dir[0] = 0;
}

/* ---- spawning ------------------------------------------------------------------------------------ */

static hone_status policy_fd(const hone_sandbox_policy *p, int *out)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_status s = hone__sandbox_policy_write(p, &b);
    int fd = s >= 0 ? memfd_create("policy", MFD_CLOEXEC) : -1;
    if (s >= 0 && (fd < 0 || write(fd, b.ptr, b.len) != (ssize_t)b.len || lseek(fd, 0, SEEK_SET)))
        s = hone_fail_errno("box: its policy");
    if (s < 0 && fd >= 0)
        close(fd);
    hone_buf_release(&b);
    if (s >= 0)
        *out = fd;
    return s;
}

/* PATH of this process, a neutral language, TMPDIR. */
static const char *const *plain_env(const hone_sandbox_policy *p, char room[2][PATH_MAX + 8],
                                    const char *env[4])
{
    const char *path = getenv("PATH");
    size_t n = 0;
    if (path && strlen(path) < PATH_MAX) {
        snprintf(room[0], PATH_MAX + 8, "PATH=%s", path);
        env[n++] = room[0];
    } else {
        env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
    }
    env[n++] = "LANG=C.UTF-8";
    if (p->tmp && strlen(p->tmp) < PATH_MAX) {
        snprintf(room[1], PATH_MAX + 8, "TMPDIR=%s", p->tmp);
        env[n++] = room[1];
    }
    env[n] = NULL;
    return env;
}

static hone_status spawn(const char *mode, const hone_spawn *how, hone_child *out)
{
    char room[2][PATH_MAX + 8], last[16], parent[24];
    const char *own_env[4], *words[MAX_WORDS], *groups[3];
    int fds[MAX_FDS], null = -1, fd = -1;
    size_t n_words = 0, n_groups = 0;
    hone_child child = {.pidfd = -1};
    hone_sandbox_policy p = *how->policy;
    hone_status s = HONE_OK;
    if (how->n_pass > MAX_PASS)
        return hone_fail(HONE_E_INVALID, "box: %zu descriptors to pass, %d are possible",
                         how->n_pass, MAX_PASS);
    if ((how->in < 0 || how->out < 0 || how->err < 0) &&
        (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
        return hone_fail_errno("/dev/null");
    if (p.memory || (p.processes && (p.grants & HONE_GRANT_EXEC)))
        make_groups(p.memory, p.grants & HONE_GRANT_EXEC ? p.processes : 0, child.cgroup);
    for (int i = 0; i < 2; i++)
        if (child.cgroup[i][0])
            groups[n_groups++] = child.cgroup[i];
    groups[n_groups] = NULL;
    p.cgroups = groups;
    p.counted = child.cgroup[0][0] != 0;
    p.without = getenv("HONE_SANDBOX_WITHOUT");
    HONE_TRY_GOTO(policy_fd(&p, &fd), fail);
    fds[0] = how->in >= 0 ? how->in : null;
    fds[1] = how->out >= 0 ? how->out : null;
    fds[2] = how->err >= 0 ? how->err : null;
    for (size_t i = 0; i < how->n_pass; i++)
        fds[3 + i] = how->pass[i];
    fds[3 + how->n_pass] = fd;
    snprintf(last, sizeof last, "%zu", 3 + how->n_pass);
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    words[n_words++] = "hone-box";
    words[n_words++] = mode;
    words[n_words++] = parent;
    words[n_words++] = last;
    words[n_words++] = how->cwd ? how->cwd : (p.tmp ? p.tmp : "/");
    for (size_t i = 0; how->argv && how->argv[i]; i++) {
        if (n_words + 1 >= MAX_WORDS) {
            s = hone_fail(HONE_E_LIMIT, "box: more than %d arguments", MAX_WORDS - 8);
            goto fail;
        }
        words[n_words++] = how->argv[i];
    }
    words[n_words] = NULL;
    request r = {
        .path = hone_sandbox_program(),
        .argv = (char *const *)(uintptr_t)words,
        .env = (char *const *)(uintptr_t)(how->env ? how->env : plain_env(&p, room, own_env)),
        .fds = fds,
        .n_fds = 4 + how->n_pass};
    HONE_TRY_GOTO(submit(&r), fail);
    child.pid = r.pid;
    child.pidfd = (int)syscall(HONE_SYS_pidfd_open, r.pid, 0);
    *out = child;
fail:
    if (s < 0)
        for (int i = 0; i < 2; i++)
            end_group(child.cgroup[i]);
    if (fd >= 0)
        close(fd);
    if (null >= 0)
        close(null);
    return s;
}

hone_status hone_sandbox_spawn(const hone_spawn *how, hone_child *out)
{
    hone_sandbox_policy p = *how->policy;
    hone_spawn h = *how;
    hone_sandbox_can can = hone__sandbox_kernel_can();
    if (!how->argv || !how->argv[0])
        return hone_fail(HONE_E_INVALID, "box: no program to run");
    HONE_TRY(hone_sandbox_check(&can, (int)p.allow_weak));
    p.grants |= HONE_GRANT_EXEC;
    h.policy = &p;
    return spawn("exec", &h, out);
}

hone_status hone__sandbox_spawn_box(const hone_spawn *how, hone_child *out)
{
    return spawn("plugin", how, out);
}

void hone__sandbox_probe_more(hone_sandbox_can *can)
{
    static const char *const probe[] = {NULL};
    const hone_sandbox_policy p = {0};
    hone_spawn how = {.argv = probe, .in = -1, .out = -1, .err = -1, .policy = &p};
    hone_child child;
    char groups[2][256];
    int status;
    can->cgroup = make_groups(1 << 28, 64, groups);
    can->count = groups[0][0] || hone__count_possible();
    end_group(groups[0]);
    end_group(groups[1]);
    if (spawn("probe", &how, &child) < 0)
        return;
    hone_child_wait(&child, 5000, &status);
    hone_child_end(&child, &status);
    if (WIFEXITED(status) && WEXITSTATUS(status) < 4) {
        can->namespaces = WEXITSTATUS(status) & 1;
        can->tmpfs = WEXITSTATUS(status) >> 1 & 1;
    }
}

/* ---- the life of a child ------------------------------------------------------------------------- */

int hone_child_wait(hone_child *child, int timeout_ms, int *status)
{
    uint64_t end = hone_now_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
    if (child->pid <= 0)
        return 1;
    for (;;) {
        pid_t got = waitpid(child->pid, status, WNOHANG);
        if (got == child->pid || (got < 0 && errno == ECHILD)) {
            child->pid = 0;
            return 1;
        }
        uint64_t now = hone_now_ns();
        int left = timeout_ms < 0 ? 1000 : (now < end ? (int)((end - now) / 1000000u) + 1 : 0);
        if (left == 0)
            return 0;
        struct pollfd p = {child->pidfd, POLLIN, 0};
        poll(&p, 1, child->pidfd >= 0 ? left : (left < 5 ? left : 5));
    }
}

void hone_child_end(hone_child *child, int *status)
{
    int own = 0;
    if (!status)
        status = &own;
    if (child->pid > 0) {
        kill(-child->pid, SIGKILL); /* its session began as its group */
        kill(child->pid, SIGKILL);
        hone_child_wait(child, -1, status);
    }
    if (child->pidfd > 0)
        close(child->pidfd);
    for (int i = 0; i < 2; i++)
        end_group(child->cgroup[i]);
    child->pid = 0;
    child->pidfd = -1;
}

void hone_child_usage(const hone_child *child, uint64_t *cpu_ns, uint64_t *rss)
{
    char path[64];
    struct timespec ts;
    clockid_t clock;
    unsigned long long pages[3] = {0, 0, 0};
    *cpu_ns = *rss = 0;
    if (child->pid <= 0)
        return;
    if (clock_getcpuclockid(child->pid, &clock) == 0 && clock_gettime(clock, &ts) == 0)
        *cpu_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)child->pid);
    FILE *f = fopen(path, "re");
    char line[128];
    if (f && fgets(line, sizeof line, f)) {
        char *at = line;
        for (int i = 0; i < 3; i++) /* all, resident, of files or shared */
            pages[i] = strtoull(at, &at, 10);
        *rss = (pages[1] > pages[2] ? pages[1] - pages[2] : 0) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    if (f)
        fclose(f);
}

int hone_child_was_short_of_memory(const hone_child *child)
{
    static const char *const files[] = {"memory.events", "memory.oom_control"};
    char path[320], line[128];
    for (int i = 0; i < 4; i++) {
        if (!child->cgroup[i / 2][0])
            continue;
        snprintf(path, sizeof path, "%s/%s", child->cgroup[i / 2], files[i % 2]);
        FILE *f = fopen(path, "re");
        int killed = 0;
        while (f && !killed && fgets(line, sizeof line, f))
            killed = strncmp(line, "oom_kill ", 9) == 0 && strtol(line + 9, NULL, 10) > 0;
        if (f)
            fclose(f);
        if (killed)
            return 1;
    }
    return 0;
}

void hone_child_status_text(int status, hone_buf *out)
{
    if (WIFSIGNALED(status))
        hone_buf_addf(out, "killed by signal %d (%s)", WTERMSIG(status),
                      sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "unknown");
    else
        hone_buf_addf(out, "exited with status %d", WEXITSTATUS(status));
}
