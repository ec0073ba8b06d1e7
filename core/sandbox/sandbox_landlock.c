/* sandbox_landlock.c - which files, ports and processes are in reach: Landlock, as far as the kernel's version goes.
 *
 * Everything the running version can forbid is forbidden, and paths of the policy are allowed again: the system's
 * libraries and devices without memory always; with EXEC also its programs and what they read at start; with NET what
 * finding a name needs. Opened descriptors (the box's socket, its memfds) are not touched. A path that is not there is
 * passed over when it is the system's, and an error when the policy names it.
 * Source: landlock(7); Documentation/userspace-api/landlock.rst. */
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ = 1, WRITE = 2, RUN = 4, DEVICE = 8 };

typedef struct place {
    const char *path;
    int how;
} place;

static const place always[] = {
    {"/lib", READ},
    {"/lib32", READ},
    {"/lib64", READ},
    {"/usr/lib", READ},
    {"/usr/lib32", READ},
    {"/usr/lib64", READ},
    {"/usr/local/lib", READ},
    {"/usr/share/zoneinfo", READ},
    {"/usr/share/locale", READ},
    {"/etc/ld.so.cache", READ},
    {"/etc/localtime", READ},
    {"/dev/null", READ | WRITE | DEVICE},
    {"/dev/zero", READ | DEVICE},
    {"/dev/full", READ | WRITE | DEVICE},
    {"/dev/random", READ | DEVICE},
    {"/dev/urandom", READ | DEVICE},
};
static const place to_run[] = {
    {"/bin", READ | RUN},           {"/sbin", READ | RUN},     {"/usr", READ | RUN},
    {"/lib", READ | RUN},           {"/lib64", READ | RUN},    {"/opt", READ | RUN},
    {"/etc/alternatives", READ},    {"/etc/ld.so.conf", READ}, {"/etc/ld.so.conf.d", READ},
    {"/etc/passwd", READ},          {"/etc/group", READ},      {"/etc/nsswitch.conf", READ},
    {"/etc/ssl/openssl.cnf", READ},
};
static const place to_connect[] = {
    {"/etc/hosts", READ},
    {"/etc/resolv.conf", READ},
    {"/etc/nsswitch.conf", READ},
    {"/etc/host.conf", READ},
    {"/etc/gai.conf", READ},
    {"/etc/services", READ},
    {"/etc/protocols", READ},
    {"/etc/ssl", READ},
    {"/etc/pki", READ},
    {"/etc/ca-certificates", READ},
    {"/usr/share/ca-certificates", READ},
    {"/run/systemd/resolve", READ},
};

uint32_t hone__landlock_version(void)
{
    long v = syscall(HONE_SYS_landlock_create_ruleset, NULL, 0, HONE_LL_CREATE_VERSION);
    return v > 0 ? (uint32_t)v : 0;
}

/* What a version can forbid on files. */
static uint64_t handled(uint32_t version)
{
    uint64_t fs = HONE_LL_FS_V1;
    if (version >= 2)
        fs |= HONE_LL_FS_REFER;
    if (version >= 3)
        fs |= HONE_LL_FS_TRUNCATE;
    if (version >= 5)
        fs |= HONE_LL_FS_IOCTL_DEV;
    return fs;
}

static uint64_t rights(int how, uint64_t all)
{
    uint64_t r = 0;
    if (how & READ)
        r |= HONE_LL_FS_READ_FILE | HONE_LL_FS_READ_DIR;
    if (how & RUN)
        r |= HONE_LL_FS_EXECUTE;
    if (how & DEVICE)
        r |= HONE_LL_FS_IOCTL_DEV;
    if ((how & WRITE) && (how & DEVICE))
        r |= HONE_LL_FS_WRITE_FILE | HONE_LL_FS_TRUNCATE;
    else if (how & WRITE) /* everything but running and devices */
        r |= HONE_LL_FS_V1 | HONE_LL_FS_REFER | HONE_LL_FS_TRUNCATE;
    if ((how & WRITE) && !(how & RUN))
        r &= ~HONE_LL_FS_EXECUTE;
    r &= ~(HONE_LL_FS_MAKE_CHAR | HONE_LL_FS_MAKE_BLOCK);
    return r & all;
}

/* Rights that mean something for a file; the others are for folders. */
static const uint64_t of_files = HONE_LL_FS_EXECUTE | HONE_LL_FS_WRITE_FILE | HONE_LL_FS_READ_FILE |
                                 HONE_LL_FS_TRUNCATE | HONE_LL_FS_IOCTL_DEV;

static hone_status allow(int ruleset, const char *path, int how, uint64_t all, int must)
{
    struct hone_ll_path rule = {0, -1};
    struct stat st;
    hone_status s = HONE_OK;
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return must ? hone_fail_errno("box: allowing %s", path) : HONE_OK;
    rule.allowed = rights(how, all);
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed &= of_files;
    if (syscall(HONE_SYS_landlock_add_rule, ruleset, HONE_LL_RULE_PATH_BENEATH, &rule, 0) != 0)
        s = hone_fail_errno("box: allowing %s", path);
    close(rule.parent_fd);
    return s;
}

static hone_status allow_all(int ruleset, const char *const *paths, int how, uint64_t all)
{
    for (size_t i = 0; paths && paths[i]; i++)
        HONE_TRY(allow(ruleset, paths[i], how, all, 1));
    return HONE_OK;
}

static hone_status allow_places(int ruleset, const place *p, size_t n, uint64_t all)
{
    for (size_t i = 0; i < n; i++)
        HONE_TRY(allow(ruleset, p[i].path, p[i].how, all, 0));
    return HONE_OK;
}
#define PLACES(a) (a), sizeof(a) / sizeof *(a)

static hone_status fill(int ruleset, const hone_sandbox_policy *p, uint64_t all)
{
    int exec = (p->grants & HONE_GRANT_EXEC) != 0, run = exec ? RUN : 0;
    HONE_TRY(allow_places(ruleset, PLACES(always), all));
    if (exec)
        HONE_TRY(allow_places(ruleset, PLACES(to_run), all));
    if (p->grants & HONE_GRANT_NET)
        HONE_TRY(allow_places(ruleset, PLACES(to_connect), all));
    HONE_TRY(allow_all(ruleset, p->read_paths, READ | run, all));
    HONE_TRY(allow_all(ruleset, p->write_paths, READ | WRITE | run, all));
    return p->tmp ? allow(ruleset, p->tmp, READ | WRITE | run, all, 1) : HONE_OK;
}

hone_status hone__landlock_enter(const hone_sandbox_policy *p, uint32_t version)
{
    struct hone_ll_ruleset rules = {handled(version), 0, 0};
    size_t size = sizeof rules.fs;
    if (version >= 4) {
        size = offsetof(struct hone_ll_ruleset, scoped);
        if (!(p->grants & HONE_GRANT_NET))
            rules.net = HONE_LL_NET_BIND_TCP | HONE_LL_NET_CONNECT_TCP;
    }
    if (version >= 6) {
        size = sizeof rules;
        rules.scoped = HONE_LL_SCOPE_ABSTRACT_UNIX | HONE_LL_SCOPE_SIGNAL;
    }
    int fd = (int)syscall(HONE_SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return hone_fail_errno("box: Landlock");
    hone_status s = fill(fd, p, rules.fs);
    if (s >= 0 && syscall(HONE_SYS_landlock_restrict_self, fd, 0) != 0)
        s = hone_fail_errno("box: entering Landlock");
    close(fd);
    return s;
}
