/* sandbox.h - what a program that nobody trusts may do, and starting one.
 *
 *   hone_sandbox_policy p = {.memory = 512 << 20, .cpu_s = 10, .tmp = folder};
 *   hone_spawn how = {.argv = argv, .in = pipe_in, .out = pipe_out, .err = pipe_err, .policy = &p};
 *   hone_child child;
 *   HONE_TRY(hone_sandbox_spawn(&how, &child));
 *   ... talk to it ...
 *   hone_child_end(&child, &status);
 *
 * Key idea: the host never forks. Its one spawning thread, which lives as long as the process (the kernel sends a
 * parent-death signal when the thread that started a child ends), posix_spawns the program `hone-box` with every
 * descriptor closed and every signal at its default; hone-box reads the policy from a memfd, enters it while it has one
 * thread and has run nothing foreign, and then runs the program asked for (or, for a plugin, loads it: box.h).
 *
 * What holds a program back, each as far as the kernel goes: rlimits; Landlock (files, TCP, signals, abstract sockets)
 * by the version asked at run time; seccomp (sockets, other processes, modes and times of files, mounts, keys, bpf,
 * io_uring, and processes of its own without EXEC); for programs also namespaces (processes, network, IPC, mounts), and
 * control groups where they can be written. Processes are counted by a control group, else by RLIMIT_NPROC, else (root) by a
 * supervisor that is asked before each fork (sandbox_count.c); where none of them works EXEC is refused. `hone_sandbox_check` refuses where Landlock or seccomp is missing, unless
 * told that a weak box will do. A path that is allowed is allowed with everything below it; without grants only the
 * system's libraries can be read and nothing written. stat() of other paths is not hidden.
 *
 * Does not: hide which files exist, stop timing attacks, or defend against faults of the kernel.
 * HONE_SANDBOX_WITHOUT=landlock,seccomp,namespaces,cgroup,count in the environment makes these look missing (for tests and
 * for a look at an older kernel). Source: plugin-abi.md section 7; landlock(7), seccomp(2), prctl(2). */
#ifndef HONE_CORE_SANDBOX_SANDBOX_H
#define HONE_CORE_SANDBOX_SANDBOX_H
#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

#define HONE_GRANT_NET (1u << 0)  /* sockets of the internet */
#define HONE_GRANT_EXEC (1u << 1) /* start programs (which the same policy holds) */

typedef struct hone_sandbox_policy {
    uint32_t grants; /* HONE_GRANT_*; a program started by hone_sandbox_spawn needs EXEC */
    const char *const
        *read_paths; /* FS_READ: files and folders, NULL-terminated; or NULL. With EXEC they can be
                                       * executed as well */
    const char *const *write_paths; /* FS_WRITE: read, written, made and removed; or NULL */
    const char *tmp;                /* a folder of its own, which exists: as write_paths; or NULL */
    uint64_t
        tmp_bytes;   /* > 0: a tmpfs of this size is mounted on tmp where the kernel lets us (only
                                       * the box sees it, and it is gone with it) */
    uint64_t memory; /* bytes of data each process may have, and all together where control groups
                                       * can be written; 0: no limit */
    uint64_t file_size;  /* of one file, in bytes; 0: no limit */
    uint32_t cpu_s;      /* seconds of CPU in the life of a process; 0: no limit */
    uint32_t processes;  /* with EXEC: processes and threads at once; 0: no limit */
    uint32_t open_files; /* descriptors a process may have; 0: 256 */
    uint32_t allow_weak; /* go on where Landlock or seccomp is missing */
    /* Filled by hone_sandbox_spawn and hone-box, zero otherwise. */
    const char *const *cgroups; /* folders of control groups to join */
    uint32_t own_pids;          /* it is alone in a namespace of processes */
    uint32_t own_user;          /* RLIMIT_NPROC counts its processes */
    uint32_t counted;           /* a control group does */
    uint32_t count_sock;        /* its supervisor does: where it is told; 0: not */
    const char *without;        /* HONE_SANDBOX_WITHOUT of hone; or NULL */
} hone_sandbox_policy;

/* What this machine can, for this user. */
typedef struct hone_sandbox_can {
    uint32_t landlock;   /* version of its ABI; 0: none */
    uint32_t seccomp;    /* 1: filters */
    uint32_t namespaces; /* 1: of processes, network, IPC and mounts */
    uint32_t cgroup;     /* 2 or 1: its version, where hone may make groups with limits; 0: none */
    uint32_t tmpfs;      /* 1: private tmpfs */
    uint32_t count;      /* 1: processes of a box with EXEC can be counted, by whatever */
} hone_sandbox_can;

/* Asks the kernel, once; later calls give the same. [any-thread] */
const hone_sandbox_can *hone_sandbox_probe(void);
/* "Landlock 7, seccomp, namespaces, control groups 1", and what is missing. [any-thread] */
void hone_sandbox_describe(const hone_sandbox_can *can, hone_buf *out);
/* OK when boxes hold here; else E_REFUSED naming what is missing, unless allow_weak. [any-thread] */
hone_status hone_sandbox_check(const hone_sandbox_can *can, int allow_weak);

/* This process, and all it starts, are held by the policy from now on; cannot be undone. With one thread only.
 * E_REFUSED where the kernel cannot and policy->allow_weak is 0. [control-thread] */
hone_status hone_sandbox_enter(const hone_sandbox_policy *policy);

/* ---- programs ------------------------------------------------------------------------------------ */

typedef struct hone_spawn {
    const char *const *argv; /* NULL-terminated; argv[0] a path, or a name looked for along PATH */
    const char *const *env;  /* NULL-terminated "NAME=value"; NULL: PATH, LANG=C.UTF-8 and TMPDIR */
    const char *cwd;         /* NULL: policy->tmp, else / */
    int in, out, err; /* descriptors that become 0, 1, 2; -1: /dev/null. The caller's stay open */
    const int *pass;  /* descriptors that become 3, 4, ...; at most 16 */
    size_t n_pass;
    const hone_sandbox_policy
        *policy; /* read before the call returns; EXEC is added for argv[0] itself */
} hone_spawn;

typedef struct hone_child {
    pid_t pid;
    int pidfd; /* readable once it has died; poll it beside the pipes. -1: kernel before 5.3 */
    char cgroup[2][256]; /* its control groups, removed by hone_child_end; "" for none */
} hone_child;

/* Starts it. What goes wrong inside (no such program, refused by the kernel) is one line "hone-box: ..." on its
 * stderr and exit status 127. The child and all it started die with this process. [any-thread] */
hone_status hone_sandbox_spawn(const hone_spawn *how, hone_child *out);
/* Has it died? Waits at most timeout_ms (-1: for ever). 1: dead, reaped, *status as waitpid gives it; 0: it lives.
 * [any-thread] */
int hone_child_wait(hone_child *child, int timeout_ms, int *status);
/* Kills it with all it started, reaps it, frees what belongs to it; fine on a dead one, and on a zeroed struct.
 * *status (may be NULL) as waitpid gives it. [any-thread] */
void hone_child_end(hone_child *child, int *status);
/* CPU time and resident bytes of its own (files and shared memory not counted) that it uses now, without children; 0 where
 * it has died. [any-thread] */
void hone_child_usage(const hone_child *child, uint64_t *cpu_ns, uint64_t *rss);
/* Was a process of its control group ended for want of memory? 0 where that is not known. [any-thread] */
int hone_child_was_short_of_memory(const hone_child *child);
/* "killed by signal 9 (Killed)", "exited with status 3". [any-thread] */
void hone_child_status_text(int status, hone_buf *out);
/* Path of the program hone-box: beside this program, in the folder above (test programs), or installed. */
const char *hone_sandbox_program(void);

/* ---- between the files of this module, and for hone-box -------------------------------------------- */
struct hone_arena;
hone_status hone__sandbox_policy_write(const hone_sandbox_policy *p, hone_buf *out); /* JSON */
hone_status hone__sandbox_policy_read(const char *text, size_t len, struct hone_arena *arena,
                                      hone_sandbox_policy *out);
/* As hone_sandbox_spawn, but hone-box gets these words ("plugin", ...) instead of a program to run; the descriptor of
 * the policy is the last word. */
hone_status hone__sandbox_spawn_box(const hone_spawn *how, hone_child *out);
hone_status hone__landlock_enter(const hone_sandbox_policy *p, uint32_t version);
hone_status hone__seccomp_enter(const hone_sandbox_policy *p, uint32_t landlock, int own_pids);
uint32_t hone__landlock_version(void);
hone_sandbox_can hone__sandbox_kernel_can(void);      /* Landlock and seccomp, asked now */
int hone__sandbox_without(const char *what);          /* named in HONE_SANDBOX_WITHOUT */
void hone__sandbox_probe_more(hone_sandbox_can *can); /* namespaces and control groups */
/* hone-box: what follows "exec", "probe"; they give its exit status. */
int hone__sandbox_main_exec(int policy_fd, const char *cwd, char **argv);
int hone__sandbox_main_probe(void);
hone_status hone__sandbox_read_policy(int fd, struct hone_arena *arena, hone_sandbox_policy *out);
/* With EXEC makes the namespaces it can and forks into them (only the process inside returns, with own_pids set);
 * joins the control groups. Before hone_sandbox_enter. */
hone_status hone__sandbox_isolate(hone_sandbox_policy *p);
hone_status hone__sandbox_begin(hone_sandbox_policy *p);
#endif
