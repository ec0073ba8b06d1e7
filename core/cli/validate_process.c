/* validate_process.c - what a plugin must leave as it found it, and what it must not ask the system for (validate.h).
 *
 * A snapshot holds the process's working folder, mask, locale, signal handlers, descriptors, threads, children,
 * environment, floating-point mode, limits, timers and how much was printed; comparing two gives the differences in
 * words. The other half is a seccomp filter that turns calls which open files, make sockets or start processes into
 * a signal: the handler writes down what was asked for where the plugin was running, lets reading through (with a
 * mark in a register that the filter knows) and refuses the rest, so that nothing happens outside the test. What the
 * host reads for a plugin (a rubric, a model) is opened by hone__open_read alone, and so is told from what the plugin opens.
 *
 * Does not: hold anybody back (the box does); a plugin that installs a handler of its own for SIGSYS dies of it.
 * Source: seccomp(2), seccomp_unotify(2) for the reading of arguments. */
#include "cli/validate.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <langinfo.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

extern char **environ;
_Thread_local int hone__v_inside;

/* ---- the snapshot ------------------------------------------------------------------------------- */

enum { MAX_FD = 1024, MAX_SIGNAL = 64, LINK = 96 };

struct hone__vproc {
    char cwd[PATH_MAX], locale[256];
    char fds[MAX_FD][LINK]; /* what each descriptor is, "" for closed */
    void (*handlers[MAX_SIGNAL + 1])(int);
    sigset_t mask;
    mode_t umask;
    uint64_t env;
    int round;
    unsigned modes; /* of floating point */
    int threads, children, nice;
    long child_faults;
    struct rlimit limits[RLIM_NLIMITS];
    int timer;
    int64_t printed[2];
};

static void describe_fd(int fd, char out[LINK])
{
    char link[64];
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, LINK - 1);
    out[n > 0 ? n : 0] = 0;
    if (n > 0 && strlen(out) < LINK / 2 && fstat(fd, &st) == 0)
        snprintf(out + n, LINK - (size_t)n, " (%lu)", (unsigned long)st.st_ino);
}

static int count_threads(void)
{
    char **names;
    size_t n;
    if (hone_list_dir("/proc/self/task", &names, &n) < 0)
        return 1;
    hone_names_free(names, n);
    return (int)n;
}

static unsigned read_modes(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3Fu; /* without the flags of what has happened */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (unsigned)fpcr;
#else
    return 0;
#endif
}

static void look(hone__vproc *p)
{
    struct rusage use;
    struct itimerval timer;
    struct stat st;
    memset(p, 0, sizeof *p);
    fflush(NULL);
    if (!getcwd(p->cwd, sizeof p->cwd))
        snprintf(p->cwd, sizeof p->cwd, "(gone)");
    snprintf(p->locale, sizeof p->locale, "%s, decimal point \"%s\", %s, %s", nl_langinfo(CODESET),
             nl_langinfo(RADIXCHAR), nl_langinfo(DAY_1), nl_langinfo(CRNCYSTR));
    for (int i = 0; i < MAX_FD; i++)
        describe_fd(i, p->fds[i]);
    for (int i = 1; i <= MAX_SIGNAL; i++) {
        struct sigaction act;
        if (sigaction(i, NULL, &act) == 0)
            p->handlers[i] = act.sa_handler;
    }
    sigprocmask(SIG_SETMASK, NULL, &p->mask);
    p->umask = umask(022);
    umask(p->umask);
    for (char **e = environ; e && *e; e++)
        p->env = hone_xxh64(*e, strlen(*e), p->env);
    p->round = fegetround();
    p->modes = read_modes();
    p->threads = count_threads();
    errno = 0;
    p->children = waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD;
    getrusage(RUSAGE_CHILDREN, &use);
    p->child_faults = use.ru_minflt;
    p->nice = getpriority(PRIO_PROCESS, 0);
    for (int i = 0; i < (int)RLIM_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &p->limits[i]);
    getitimer(ITIMER_REAL, &timer);
    p->timer = timer.it_value.tv_sec || timer.it_value.tv_usec;
    for (int i = 0; i < 2; i++)
        p->printed[i] = fstat(i + 1, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

hone__vproc *hone__v_proc_take(void)
{
    hone__vproc *p = hone_calloc(1, sizeof *p);
    if (p)
        look(p);
    return p;
}

void hone__v_proc_free(hone__vproc *p)
{
    hone_free(p);
}

static void say(hone_buf *out, const char *fmt, ...) HONE_PRINTF(2, 3);
static void say(hone_buf *out, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hone_buf_addf(out, "%s%s", out->len ? "; " : "", text);
}

int hone__v_proc_changed(const hone__vproc *a, uint64_t caps, hone_buf *out)
{
    hone__vproc *b = hone_calloc(1, sizeof *b);
    if (!b)
        return 0;
    /* A thread that was joined leaves the table a moment later. */
    for (int i = 0; i < 50 && count_threads() > a->threads; i++)
        nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
    look(b);
    if (strcmp(a->cwd, b->cwd) != 0)
        say(out, "changed the working directory to %s", b->cwd);
    if (strcmp(a->locale, b->locale) != 0)
        say(out, "changed the locale: %s", b->locale);
    for (int i = 0; i < MAX_FD; i++) {
        if (strcmp(a->fds[i], b->fds[i]) == 0)
            continue;
        if (!b->fds[i][0])
            say(out, "closed descriptor %d", i);
        else if (!a->fds[i][0])
            say(out, "left descriptor %d open: %s", i, b->fds[i]);
        else
            say(out, "replaced descriptor %d by %s", i, b->fds[i]);
    }
    for (int i = 1; i <= MAX_SIGNAL; i++)
        if (a->handlers[i] != b->handlers[i])
            say(out, "changed the signal handler of %s", strsignal(i));
    if (memcmp(&a->mask, &b->mask, sizeof a->mask) != 0)
        say(out, "changed the signal mask");
    if (a->umask != b->umask)
        say(out, "changed the umask to %03o", (unsigned)b->umask);
    if (a->env != b->env)
        say(out, "changed the environment");
    if (a->round != b->round || a->modes != b->modes)
        say(out, "changed the floating-point mode");
    if (b->threads > a->threads)
        say(out, "left threads behind: %d", b->threads - a->threads);
    if (b->children)
        say(out, "left a child process behind");
    else if (b->child_faults != a->child_faults && !(caps & HONE_CAP_EXEC))
        say(out, "started a child process");
    if (a->nice != b->nice)
        say(out, "changed the priority");
    if (memcmp(a->limits, b->limits, sizeof a->limits) != 0)
        say(out, "changed a resource limit");
    if (a->timer != b->timer)
        say(out, "set a timer");
    if (b->printed[0] != a->printed[0])
        say(out, "wrote to stdout");
    if (b->printed[1] != a->printed[1])
        say(out, "wrote to stderr (host->log is for that)");
    hone_free(b);
    return out->len > 0;
}

/* ---- calls of the system ------------------------------------------------------------------------ */

enum { MARK = 0x686f6e65 };
static char seen[512];
static const char *const *allowed;
static uint64_t granted;
static pid_t main_thread;

const char *hone__v_trap_seen(void)
{
    return seen[0] ? seen : NULL;
}

/* What libc reads on its own behalf; resolvers and TLS, where NET was granted. */
static int harmless(const char *path)
{
    static const char *const begins[] = {"/proc/self/",
                                         "/sys/devices/system/",
                                         "/etc/localtime",
                                         "/usr/share/zoneinfo",
                                         "/usr/lib/locale/",
                                         "/usr/share/locale",
                                         "/etc/ld.so.cache",
                                         "/dev/null",
                                         "/dev/urandom",
                                         "/dev/random",
                                         "/usr/lib/x86_64-linux-gnu/gconv",
                                         "/usr/lib/aarch64-linux-gnu/gconv"};
    static const char *const of_net[] = {"/etc/resolv.conf",   "/etc/hosts",    "/etc/host.conf",
                                         "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
                                         "/etc/ssl/",          "/usr/lib/ssl/", "/etc/pki/"};
    size_t n = strlen(path);
    for (size_t i = 0; (granted & HONE_CAP_NET) && i < sizeof of_net / sizeof *of_net; i++)
        if (strncmp(path, of_net[i], strlen(of_net[i])) == 0)
            return 1;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(path, begins[i], strlen(begins[i])) == 0)
            return 1;
    for (size_t i = 0; allowed && allowed[i]; i++)
        if (strncmp(path, allowed[i], strlen(allowed[i])) == 0)
            return 1;
    return (n > 3 && strcmp(path + n - 3, ".so") == 0) || strstr(path, ".so.") != NULL;
}

static void report(const char *what, const char *path)
{
    if (!seen[0])
        snprintf(seen, sizeof seen, "%s%s%.200s", what, *path ? ": " : "", path);
}

static int in_plugin(void)
{
    if (hone__process_at_work)
        return 0;
    return hone__v_inside || (pid_t)syscall(SYS_gettid) != main_thread;
}

static long opened(long nr, const long a[5])
{
    int at = nr != SYS_openat
#ifdef SYS_openat2
             && nr != SYS_openat2
#endif
        ;
    const char *path = (const char *)(at ? a[0] : a[1]);
    int flags = (int)(at ? a[1] : a[2]);
#ifdef SYS_openat2
    if (nr == SYS_openat2)
        flags = *(const int *)a[2];
#endif
#ifdef SYS_creat
    if (nr == SYS_creat)
        flags = O_WRONLY | O_CREAT;
#endif
    int writing = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (in_plugin() && path) {
        if (writing && !(granted & HONE_CAP_FS_WRITE) && strcmp(path, "/dev/null") != 0) {
            report("opened a file for writing without FS_WRITE", path);
            return -EACCES;
        }
        if (!writing && !hone__open_at_work && !(granted & HONE_CAP_FS_READ) && !harmless(path))
            report("opened a file without FS_READ", path);
    }
    long r = syscall(nr, a[0], a[1], a[2], a[3], a[4], (long)MARK);
    return r < 0 ? -errno : r;
}

static long asked(long nr, const long a[5])
{
    switch (nr) {
    case SYS_socket:
        if (in_plugin())
            report("made a socket without NET", "");
        return in_plugin() ? -EACCES : syscall(nr, a[0], a[1], a[2], a[3], a[4], (long)MARK);
    case SYS_clone:
    case SYS_execve:
    case SYS_execveat:
#ifdef SYS_fork
    case SYS_fork:
    case SYS_vfork:
#endif
        report("started a process without EXEC", "");
        return -EPERM;
    case SYS_ptrace:
        report("traces another process", "");
        return -EPERM;
    default:
        return opened(nr, a);
    }
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    int saved = errno;
    (void)sig;
#if defined(__x86_64__)
    greg_t *g = u->uc_mcontext.gregs;
    const long a[5] = {g[REG_RDI], g[REG_RSI], g[REG_RDX], g[REG_R10], g[REG_R8]};
    g[REG_RAX] = asked(info->si_syscall, a);
#elif defined(__aarch64__)
    unsigned long long *g = u->uc_mcontext.regs;
    const long a[5] = {(long)g[0], (long)g[1], (long)g[2], (long)g[3], (long)g[4]};
    g[0] = (unsigned long long)asked(info->si_syscall, a);
#else
    (void)u;
    (void)info;
#endif
    errno = saved;
}

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

hone_status hone__v_trap_start(const char *const *allowed_paths, uint64_t caps)
{
#ifndef ARCH
    (void)allowed_paths;
    (void)caps;
    return hone_fail(HONE_E_UNSUPPORTED, "calls of the system cannot be watched here");
#else
    const long opens[] = {SYS_openat,
#ifdef SYS_open
                          SYS_open, SYS_creat,
#endif
#ifdef SYS_openat2
                          SYS_openat2,
#endif
                          SYS_ptrace};
    const long starts[] = {
#ifdef SYS_fork
        SYS_fork, SYS_vfork,
#endif
        SYS_execve, SYS_execveat};
    struct sock_filter f[64];
    unsigned n = 0;
#define LOAD(offset) f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define UNLESS(k, over)                                                                            \
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (over))
#define GIVE(what) f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (what))
    const unsigned number = offsetof(struct seccomp_data, nr),
                   arch = offsetof(struct seccomp_data, arch),
                   mark = offsetof(struct seccomp_data, args) + 5 * sizeof(uint64_t),
                   first = offsetof(struct seccomp_data, args);
    struct sigaction act;
    struct sock_fprog program = {0, f};
    LOAD(arch);
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    GIVE(SECCOMP_RET_ALLOW);
    LOAD(mark);
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, 0, 1);
    GIVE(SECCOMP_RET_ALLOW);
    LOAD(number);
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        UNLESS((unsigned)opens[i], 1);
        GIVE(SECCOMP_RET_TRAP);
    }
    if (!(caps & HONE_CAP_NET)) {
        UNLESS(SYS_socket, 1);
        GIVE(SECCOMP_RET_TRAP);
    }
    if (!(caps & HONE_CAP_EXEC)) {
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            UNLESS((unsigned)starts[i], 1);
            GIVE(SECCOMP_RET_TRAP);
        }
#ifdef SYS_clone3
        UNLESS(SYS_clone3, 1); /* its flags lie in memory: libc goes on with clone */
        GIVE(SECCOMP_RET_ERRNO | ENOSYS);
#endif
        UNLESS(SYS_clone, 4);
        LOAD(first);
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
        GIVE(SECCOMP_RET_ALLOW);
        GIVE(SECCOMP_RET_TRAP);
    }
    GIVE(SECCOMP_RET_ALLOW);
#undef LOAD
#undef UNLESS
#undef GIVE
    allowed = allowed_paths;
    granted = caps;
    main_thread = (pid_t)syscall(SYS_gettid);
    /* A program that a granted plugin has started inherits no filter: the thread that starts it is there, and has none. */
    const unsigned long threads = caps & HONE_CAP_EXEC ? 0 : SECCOMP_FILTER_FLAG_TSYNC;
    memset(&act, 0, sizeof act);
    act.sa_sigaction = on_sigsys;
    act.sa_flags = SA_SIGINFO | SA_NODEFER;
    program.len = (unsigned short)n;
    if (sigaction(SIGSYS, &act, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, threads, &program) != 0)
        return hone_fail_errno("watching calls of the system");
    return HONE_OK;
#endif
}
