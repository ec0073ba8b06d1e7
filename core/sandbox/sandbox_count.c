/* sandbox_count.c - how many processes a box with EXEC may have, where neither control groups nor RLIMIT_NPROC count them.
 *
 * The kernel's limit of processes does not bind root. So the box's first process gives itself a filter that asks before
 * each clone, fork and vfork, and hands the asking end to its supervisor, which stands outside of the box: it says EAGAIN
 * when there are as many as the policy allows. It keeps an upper bound (what it counted last, plus what it let begin since) and
 * counts anew only when that is reached, by the tree of parents in /proc; it is a subreaper, so what loses its parent stays in
 * the tree. Threads count, as they do for control groups.
 *
 * Processes that were let begin and are not there yet may be missed by a count, so for a moment there may be as many
 * again; never more, because each of them had to ask. Does not: decide anything from arguments, which could change after.
 * Source: seccomp_unotify(2), proc_pid_stat(5), PR_SET_CHILD_SUBREAPER in prctl(2). */
#include "sandbox/sandbox.h"

#include "sandbox/sandbox_count.h"
#include "sandbox/sandbox_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_fork /* machines with clone alone */
#define SYS_fork SYS_clone
#define SYS_vfork SYS_clone
#endif

/* ---- in the box ---------------------------------------------------------------------------------- */

static int send_fd(int sock, int fd)
{
    char room[CMSG_SPACE(sizeof fd)] = {0}, byte = 1;
    struct iovec one = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(sock, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

hone_status hone__count_begin(int sock)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code / sizeof *code, code};
    int fd = hone__sandbox_without("count") ? -1
                                            : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                                           SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
    int sent = fd >= 0 && send_fd(sock, fd) == 0;
    if (fd >= 0)
        close(fd);
    close(sock);
    return sent
               ? HONE_OK
               : hone_fail(HONE_E_REFUSED, "processes cannot be counted here: no control groups to "
                                           "write, and the kernel does not ask before a fork");
}

int hone__count_possible(void)
{
    uint32_t ask = SECCOMP_RET_USER_NOTIF;
    return !hone__sandbox_without("count") &&
           (geteuid() != 0 || syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &ask) == 0);
}

/* ---- outside of it ------------------------------------------------------------------------------- */

enum { TASKS_MAX = 32768 };
typedef struct task {
    pid_t pid, parent;
    int threads, ours, alive;
} task;
static task tasks[TASKS_MAX];
static size_t n_tasks;

/* One line of /proc/PID/stat: "pid (name) S parent ... threads"; a name may hold anything. 0: it has died. */
static int read_task(int proc, const char *pid, task *out)
{
    char path[64], line[1024];
    long threads = 0;
    int parent = 0;
    char state = 0;
    snprintf(path, sizeof path, "%.20s/stat", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n <= 0)
        return 0;
    line[n] = 0;
    const char *p = strrchr(line, ')');
    if (!p ||
        sscanf(p + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
               &state, &parent, &threads) != 3)
        return 0;
    *out = (task){(pid_t)strtol(pid, NULL, 10), parent, threads > 0 ? (int)threads : 1, 0,
                  state != 'Z' && state != 'X'};
    return 1;
}

/* Threads of all below this process; -1 where that cannot be seen. */
static long count_tasks(int proc)
{
    const pid_t self = getpid();
    size_t n = 0;
    long total = 0;
    int changed = 1, seen = 0;
    int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return -1;
    for (struct dirent *e; n < TASKS_MAX && (e = readdir(dir));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            n += (size_t)read_task(proc, e->d_name, &tasks[n]);
    closedir(dir);
    n_tasks = n;
    if (n == TASKS_MAX)
        return -1;
    for (size_t i = 0; i < n; i++)
        seen |= tasks[i].ours = tasks[i].pid == self;
    while (changed) {
        changed = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n && !tasks[i].ours; k++)
                if (tasks[k].ours && tasks[k].pid == tasks[i].parent) {
                    tasks[i].ours = changed = 1;
                    total += tasks[i].threads;
                }
    }
    return seen ? total : -1;
}

int hone__count_proc(void)
{
    return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int receive_fd(int sock)
{
    int fd = -1;
    char room[CMSG_SPACE(sizeof fd)] = {0}, byte;
    struct iovec one = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* One question: may one more begin? */
static void answer(int listener, int proc, pid_t but, long most, long own, long *bound)
{
    union { /* the kernel's structs may be longer than those compiled with */
        struct seccomp_notif it;
        char room[1024];
    } ask;
    union {
        struct seccomp_notif_resp it;
        char room[1024];
    } say;
    int status;
    memset(&ask, 0, sizeof ask);
    memset(&say, 0, sizeof say);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) != 0)
        return;
    if (*bound >= most) {
        for (pid_t got; (got = waitpid(-1, &status, WNOHANG | WNOWAIT | __WALL)) > 0 && got != but;)
            waitpid(got, &status, WNOHANG | __WALL); /* orphans that came to us */
        long n = count_tasks(proc);
        *bound = n < 0 ? most : n - own;
    }
    say.it.id = ask.it.id;
    if (*bound < most) {
        ++*bound;
        say.it.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        say.it.error = -EAGAIN;
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &say);
}

void hone__count_serve(int sock, int proc, pid_t child, long most, long own)
{
    int pidfd = (int)syscall(HONE_SYS_pidfd_open, child, 0), listener = -1;
    long bound = most; /* the first question counts */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    while (pidfd >= 0) {
        struct pollfd p[2] = {{pidfd, POLLIN, 0}, {listener >= 0 ? listener : sock, POLLIN, 0}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[0].revents)
            break;
        if (listener >= 0 && p[1].revents & POLLIN)
            answer(listener, proc, child, most, own, &bound);
        else if (listener >= 0 && p[1].revents)
            listener = -1, sock = -1; /* nobody is left who could ask: poll passes over it */
        else if (p[1].revents) {
            listener = receive_fd(sock);
            if (listener < 0)
                sock = -1; /* it has begun without: a weak box */
        }
    }
    if (pidfd >= 0)
        close(pidfd);
}

void hone__count_kill(int proc, pid_t but)
{
    const struct timespec pause = {0, 1000000};
    for (int tries = 0; tries < 200;
         tries++) { /* what is forked meanwhile is found by the next look */
        int left = 0;
        if (count_tasks(proc) <= 0)
            return;
        for (size_t i = 0; i < n_tasks; i++)
            if (tasks[i].ours && tasks[i].pid != getpid() && tasks[i].pid != but &&
                tasks[i].alive) {
                kill(tasks[i].pid, SIGKILL);
                left = 1;
            }
        for (size_t i = 0; i < n_tasks; i++)
            if (tasks[i].ours && tasks[i].parent == getpid() && tasks[i].pid != but)
                waitpid(tasks[i].pid, NULL, WNOHANG | __WALL);
        if (!left)
            return;
        nanosleep(&pause, NULL);
    }
}

long hone__count_of_user(void)
{
    long n = 0;
    char path[64];
    int proc = hone__count_proc();
    DIR *dir = proc >= 0 ? fdopendir(proc) : NULL;
    if (!dir)
        return 0;
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        task t;
        snprintf(path, sizeof path, "%.20s", e->d_name);
        if (*path >= '1' && *path <= '9' && fstatat(dirfd(dir), path, &st, 0) == 0 &&
            st.st_uid == geteuid() && read_task(dirfd(dir), path, &t))
            n += t.threads;
    }
    closedir(dir);
    return n;
}
