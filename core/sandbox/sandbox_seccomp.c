/* sandbox_seccomp.c - which system calls a box may make.
 *
 * A list of what is forbidden, in groups, beside rules that look at arguments: families of sockets, flags of clone, the
 * process a signal goes to. Forbidden calls fail with EPERM, so that a program can say what went wrong; clone3, whose
 * flags no filter can see, is ENOSYS, and libc then uses clone. A second, three-line filter makes every call ENOSYS that
 * is newer than this file. Calls of another architecture kill the process (libseccomp's default).
 *
 * A list of what is allowed would be shorter of surprises for us and longer for authors: every libc and every language's
 * runtime would have to be on it. Files and the network have a second wall (Landlock, namespaces).
 * Source: seccomp(2), seccomp_rule_add(3). */
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_kernel.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* SCMP_SYS gives a negative number where this machine lacks the call: adding a rule for it is harmless. */
static const int forbidden[] = {
    /* rings, other processes' memory and descriptors */
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    HONE_SYS_pidfd_open,
    HONE_SYS_pidfd_getfd,
    HONE_SYS_pidfd_send_signal,
    HONE_SYS_process_madvise,
    HONE_SYS_process_mrelease,
    /* modes, owners, times and attributes of files */
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    HONE_SYS_fchmodat2,
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(utime),
    SCMP_SYS(utimes),
    SCMP_SYS(futimesat),
    SCMP_SYS(utimensat),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(removexattr),
    SCMP_SYS(lremovexattr),
    SCMP_SYS(fremovexattr),
    /* mounts, namespaces, handles that go past paths */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    HONE_SYS_mount_setattr,
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(fanotify_init),
    /* the kernel itself */
    SCMP_SYS(bpf),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    /* what outlives a process */
    SCMP_SYS(shmget),
    SCMP_SYS(semget),
    SCMP_SYS(msgget),
    SCMP_SYS(mq_open),
    /* signals that carry data, to anybody */
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(tkill),
};
static const int of_processes[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
                                   SCMP_SYS(vfork)};

static const unsigned new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                       CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static int deny(scmp_filter_ctx f, int call)
{
    return seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), call, 0);
}

/* Without NET none of any family; with it what names and connections need. */
static int sockets(scmp_filter_ctx f, int net)
{
    if (!net)
        return deny(f, SCMP_SYS(socket));
    static const unsigned fine[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    const uint32_t no = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    unsigned highest = 0, known = 0;
    int e = 0;
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        known |= 1u << fine[i];
        highest = fine[i] > highest ? fine[i] : highest;
    }
    for (unsigned family = 0; e == 0 && family < highest; family++)
        if (!(known >> family & 1))
            e = seccomp_rule_add(f, no, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, family));
    if (e == 0)
        e = seccomp_rule_add(f, no, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_GT, highest));
    if (e == 0) /* raw packets */
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                             SCMP_A1_32(SCMP_CMP_MASKED_EQ, 0xF, SOCK_RAW));
    return e;
}

static int processes(scmp_filter_ctx f, int exec)
{
    int e = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), HONE_SYS_clone3, 0);
    if (exec) { /* of its own, in the same namespaces */
        for (unsigned bit = 1; e == 0 && bit; bit <<= 1)
            if (new_namespaces & bit)
                e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                     SCMP_A0_32(SCMP_CMP_MASKED_EQ, bit, bit));
        return e;
    }
    for (size_t i = 0; e == 0 && i < sizeof of_processes / sizeof *of_processes; i++)
        e = deny(f, of_processes[i]);
    if (e == 0) /* threads only */
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0_32(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return e;
}

/* A signal goes to the box itself, or, with EXEC, to what the namespace or Landlock leaves in reach. */
static int signals(scmp_filter_ctx f, int exec, int bounded)
{
    pid_t self = getpid();
    if (exec && bounded)
        return 0;
    if (exec)
        return deny(f, SCMP_SYS(kill));
    int e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1,
                             SCMP_A0_32(SCMP_CMP_NE, (unsigned)self));
    if (e == 0)
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
                             SCMP_A0_32(SCMP_CMP_NE, (unsigned)self));
    /* SIGKILL to itself would look as if somebody else had ended it. */
    if (e == 0)
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1,
                             SCMP_A1_32(SCMP_CMP_EQ, SIGKILL));
    if (e == 0)
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
                             SCMP_A2_32(SCMP_CMP_EQ, SIGKILL));
    if (e == 0) /* limits of others; 0 is the caller */
        e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
                             SCMP_A0_32(SCMP_CMP_GT, 0));
    return e;
}

static int odd_arguments(scmp_filter_ctx f)
{
    const uint32_t no = SCMP_ACT_ERRNO(EPERM);
    int e = seccomp_rule_add(f, no, SCMP_SYS(prctl), 1, SCMP_A0_32(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
    if (e == 0) /* typing into a terminal */
        e = seccomp_rule_add(f, no, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI));
    if (e == 0)
        e = seccomp_rule_add(f, no, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, TIOCLINUX));
    if (e == 0)
        e = seccomp_rule_add(f, no, SCMP_SYS(personality), 1,
                             SCMP_A0_32(SCMP_CMP_NE, 0xFFFFFFFFu)); /* asking is fine */
    return e;
}

/* Calls newer than this file are as if the kernel were older. */
static int refuse_newer(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, HONE_SYS_last_known, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0 ? 0 : -errno;
}

hone_status hone__seccomp_enter(const hone_sandbox_policy *p, uint32_t landlock, int own_pids)
{
    int exec = (p->grants & HONE_GRANT_EXEC) != 0, net = (p->grants & HONE_GRANT_NET) != 0;
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    if (!f)
        return hone_fail(HONE_E_NOMEM, "box: no memory for its filter");
    int e = refuse_newer();
    for (size_t i = 0; e == 0 && i < sizeof forbidden / sizeof *forbidden; i++)
        e = deny(f, forbidden[i]);
    if (e == 0)
        e = sockets(f, net);
    if (e == 0)
        e = processes(f, exec);
    if (e == 0)
        e = signals(f, exec, own_pids || landlock >= 6);
    if (e == 0)
        e = odd_arguments(f);
    if (e == 0)
        e = seccomp_load(f);
    seccomp_release(f);
    if (e != 0) {
        errno = -e;
        return hone_fail_errno("box: its filter of system calls");
    }
    return HONE_OK;
}
