/* sandbox_run.c - hone-box's side of starting a program: namespaces, then the policy, then exec.
 *
 * With EXEC a policy wants processes of its own to be found and ended: hone-box unshares and becomes a supervisor,
 *     hone-box (supervisor, waits)  ->  init (process 1 of the namespace, reaps)  ->  the program
 * and when any of the three dies, so do those to its right: the kernel ends a namespace with its process 1. An ordinary
 * user gets there through a user namespace in which it stays itself. What the kernel refuses is left out; the policy
 * tells the filter (own_pids), so that signals are then not allowed at all.
 *
 * Runs in a process with one thread and nothing of the host in it. Its texts go to stderr, "hone-box: ...", and the
 * exit status is 127: the host reads both.
 * Source: pid_namespaces(7), user_namespaces(7), cgroups(7). */
#include "sandbox/sandbox.h"

#include "sandbox/sandbox_count.h"
#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 127 };

static void put(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));
    (void)n; /* there is nobody else to tell */
}

static int failed(void)
{
    const hone_error *e = hone_error_get();
    put("hone-box: ");
    put(e->what);
    put("\n");
    return FAILED;
}

hone_status hone__sandbox_read_policy(int fd, hone_arena *arena, hone_sandbox_policy *out)
{
    hone_buf b;
    char chunk[4096];
    ssize_t n;
    hone_status s = HONE_OK;
    hone_buf_init(&b, 1 << 20);
    while (s >= 0 && (n = read(fd, chunk, sizeof chunk)) != 0)
        s = n < 0 ? hone_fail_errno("box policy") : hone_buf_add(&b, chunk, (size_t)n);
    close(fd);
    if (s >= 0)
        s = hone__sandbox_policy_read(b.ptr, b.len, arena, out);
    if (s >= 0 && out->without)
        setenv("HONE_SANDBOX_WITHOUT", out->without, 1);
    hone_buf_release(&b);
    return s;
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* 0 none, 1 namespaces, 2 among them one of users. */
static int unshare_all(int net)
{
    const int flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS | (net ? 0 : CLONE_NEWNET);
    const unsigned uid = geteuid(), gid = getegid();
    char map[64];
    if (hone__sandbox_without("namespaces"))
        return 0;
    if (unshare(flags) == 0)
        return 1;
    if (unshare(flags | CLONE_NEWUSER) != 0)
        return 0;
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    if (write_text("/proc/self/setgroups", "deny") != 0 ||
        write_text("/proc/self/uid_map", map) != 0)
        return 0;
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    return write_text("/proc/self/gid_map", map) == 0 ? 2 : 0;
}

static int private_mounts(const hone_sandbox_policy *p)
{
    char size[64];
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -1;
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL); /* its own processes */
    if (!p->tmp || !p->tmp_bytes)
        return 0;
    snprintf(size, sizeof size, "size=%llu,mode=0700", (unsigned long long)p->tmp_bytes);
    return mount("tmpfs", p->tmp, "tmpfs", MS_NOSUID | MS_NODEV, size);
}

/* All but these; -1: none. */
static void close_all(int but, int but2, int but3)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    for (int fd = 3; fd < 256; fd++)
        if (fd != but && fd != but2 && fd != but3)
            close(fd);
}

/* Ends as the program did, so that the host sees it. */
static void end_as(int status)
{
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        kill(getpid(), WTERMSIG(status));
        _exit(128 + WTERMSIG(status)); /* a signal that ends nobody */
    }
    _exit(WEXITSTATUS(status));
}

/* What the supervisor of a box counts with; sock -1: nothing. */
typedef struct counting {
    int sock, proc;
    long most, own;
} counting;

/* report -1: `init` is the program itself. */
static void supervise(pid_t init, int report, const counting *c)
{
    int status = 0, told;
    close_all(report, c->sock, c->proc);
    if (c->sock >= 0)
        hone__count_serve(c->sock, c->proc, init, c->most, c->own);
    if (report < 0)
        hone__count_kill(c->proc, init);
    ssize_t n = report >= 0 ? read(report, &told, sizeof told) : 0;
    while (waitpid(init, &status, 0) < 0 && errno == EINTR)
        ;
    end_as(n == (ssize_t)sizeof told ? told : status);
}

static void reap(pid_t program, int report)
{
    int status;
    close_all(report, -1, -1);
    for (;;) {
        pid_t got = waitpid(-1, &status, 0);
        if (got < 0 && errno != EINTR)
            _exit(FAILED);
        if (got != program)
            continue;
        ssize_t n = write(report, &status, sizeof status);
        _exit(n == (ssize_t)sizeof status ? 0 : FAILED); /* and everybody else with it */
    }
}

/* Dies with its parent, also with one that died just before. */
static void bind_to(int alive)
{
    struct pollfd p = {alive, POLLIN, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&p, 1, 0) > 0)
        _exit(FAILED);
    close(alive);
}

/* No namespace, but somebody has to count: the program is a child. Only it returns. */
static hone_status watch_alone(const counting *c, int theirs)
{
    int alive[2];
    if (pipe(alive) != 0)
        return hone_fail_errno("box: a pipe");
    pid_t program = fork();
    if (program < 0)
        return hone_fail_errno("box: its process");
    if (program > 0) {
        close(theirs);
        close(alive[0]);
        fcntl(alive[1], F_DUPFD, 256);
        supervise(program, -1, c);
    }
    close(alive[1]);
    close(c->sock);
    if (c->proc >= 0)
        close(c->proc);
    bind_to(alive[0]);
    return HONE_OK;
}

hone_status hone__sandbox_isolate(hone_sandbox_policy *p)
{
    int report[2], alive[2], alive2[2], count[2] = {-1, -1};
    counting c = {-1, -1, p->processes, 0};
    const int by_hand = p->processes && !p->counted, root = geteuid() == 0;
    c.proc = by_hand && root ? hone__count_proc() : -1; /* before another one is mounted there */
    int how = unshare_all((p->grants & HONE_GRANT_NET) != 0);
    if (by_hand && how != 2 && !root) { /* the limit is of all that the user has */
        p->processes += (uint32_t)hone__count_of_user();
        p->own_user = 1;
    }
    if (by_hand && root) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, count) != 0)
            return hone_fail_errno("box: a socket");
        c.sock = count[0];
        p->count_sock = (uint32_t)count[1];
    }
    if (how == 0)
        return c.sock >= 0 ? watch_alone(&c, count[1]) : HONE_OK;
    c.own = 1; /* process 1 of the namespace */
    if (pipe(report) != 0 || pipe(alive) != 0)
        return hone_fail_errno("box: a pipe");
    pid_t init = fork();
    if (init < 0)
        return hone_fail_errno("box: process 1 of its namespace");
    if (init > 0) {
        close(report[1]);
        close(alive[0]);
        fcntl(alive[1], F_DUPFD, 256); /* kept open as long as the supervisor lives */
        supervise(init, report[0], &c);
    }
    close(alive[1]);
    close(report[0]);
    if (c.sock >= 0)
        close(c.sock);
    if (c.proc >= 0)
        close(c.proc);
    bind_to(alive[0]);
    if (private_mounts(p) != 0 && p->tmp_bytes && p->tmp)
        put("hone-box: no private tmpfs here: the folder itself is used\n");
    if (pipe(alive2) != 0)
        return hone_fail_errno("box: a pipe");
    pid_t program = fork();
    if (program < 0)
        return hone_fail_errno("box: its process");
    if (program > 0) {
        fcntl(alive2[1], F_DUPFD, 256);
        reap(program, report[1]);
    }
    close(alive2[1]);
    close(report[1]);
    bind_to(alive2[0]);
    p->own_pids = 1;
    p->own_user |= how == 2;
    return HONE_OK;
}

static hone_status join_groups(const hone_sandbox_policy *p)
{
    char path[320];
    for (size_t i = 0; p->cgroups && p->cgroups[i]; i++) {
        snprintf(path, sizeof path, "%s/cgroup.procs", p->cgroups[i]);
        if (write_text(path, "0") != 0)
            return hone_fail_errno("box: %s", path);
    }
    return HONE_OK;
}

hone_status hone__sandbox_begin(hone_sandbox_policy *p)
{
    if (p->grants & HONE_GRANT_EXEC)
        HONE_TRY(hone__sandbox_isolate(p));
    return join_groups(p);
}

int hone__sandbox_main_exec(int fd, const char *cwd, char **argv)
{
    hone_sandbox_policy p;
    hone_arena arena;
    hone_arena_init(&arena, 1 << 20);
    if (hone__sandbox_read_policy(fd, &arena, &p) < 0 || hone__sandbox_begin(&p) < 0)
        return failed();
    if (chdir(cwd) != 0) {
        hone_fail_errno("%s", cwd);
        return failed();
    }
    if (hone_sandbox_enter(&p) < 0)
        return failed();
    unsetenv("HONE_SANDBOX_WITHOUT");
    execvp(argv[0], argv);
    hone_fail_errno("%s: cannot be started in its box", argv[0]);
    return failed();
}

/* Bit 0: namespaces, bit 1: a private tmpfs. */
int hone__sandbox_main_probe(void)
{
    int status = 0;
    if (unshare_all(0) == 0)
        return 0;
    pid_t init = fork(); /* a namespace of processes works once there is one in it */
    if (init == 0) {
        const hone_sandbox_policy p = {.tmp = "/tmp", .tmp_bytes = 1 << 16};
        _exit(private_mounts(&p) == 0 ? 3 : 1);
    }
    if (init < 0 || waitpid(init, &status, 0) != init || !WIFEXITED(status))
        return 0;
    return WEXITSTATUS(status);
}
