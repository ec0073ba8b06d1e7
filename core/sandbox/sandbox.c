/* sandbox.c - the policy itself: as JSON for hone-box, what the kernel can, and entering it.
 *
 * Order of entering: limits, then no new privileges and no capabilities, then Landlock (which opens paths), then
 * seccomp, after which nothing more can be set up. What the kernel lacks is looked up with
 * HONE_SANDBOX_WITHOUT taken off, so that a test sees what an older kernel would do.
 * Source: sandbox.h; capabilities(7), setrlimit(2). */
#include "sandbox/sandbox.h"

#include "sandbox/sandbox_count.h"
#include "sandbox/sandbox_kernel.h"
#include "base/alloc.h"
#include "base/json.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { OPEN_FILES = 256 };

/* ---- what there is ------------------------------------------------------------------------------- */

int hone__sandbox_without(const char *what)
{
    const char *p = getenv("HONE_SANDBOX_WITHOUT");
    size_t n = strlen(what);
    while (p && *p) {
        size_t k = strcspn(p, ",");
        if (k == n && memcmp(p, what, n) == 0)
            return 1;
        p += k;
        p += *p == ',';
    }
    return 0;
}

hone_sandbox_can hone__sandbox_kernel_can(void)
{
    hone_sandbox_can can = {0, 0, 0, 0, 0, 0};
    uint32_t act = SECCOMP_RET_ERRNO;
    if (!hone__sandbox_without("landlock"))
        can.landlock = hone__landlock_version();
    if (!hone__sandbox_without("seccomp") &&
        syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &act) == 0)
        can.seccomp = 1;
    return can;
}

static hone_sandbox_can asked;
static pthread_once_t asked_once = PTHREAD_ONCE_INIT;

static void ask(void)
{
    asked = hone__sandbox_kernel_can();
    hone__sandbox_probe_more(&asked);
}

const hone_sandbox_can *hone_sandbox_probe(void)
{
    pthread_once(&asked_once, ask);
    return &asked;
}

void hone_sandbox_describe(const hone_sandbox_can *can, hone_buf *out)
{
    const char *missing[6];
    size_t n = 0, there = 0;
    if (can->landlock)
        hone_buf_addf(out, "%sLandlock %u", there++ ? ", " : "", can->landlock);
    else
        missing[n++] = "Landlock (files are not held back)";
    if (can->seccomp)
        hone_buf_addf(out, "%sseccomp", there++ ? ", " : "");
    else
        missing[n++] = "seccomp (system calls are not held back)";
    if (can->namespaces)
        hone_buf_addf(out, "%snamespaces", there++ ? ", " : "");
    else
        missing[n++] = "namespaces (processes left behind are found by their group only)";
    if (can->tmpfs)
        hone_buf_addf(out, "%sprivate tmpfs", there++ ? ", " : "");
    if (can->cgroup)
        hone_buf_addf(out, "%scontrol groups %u", there++ ? ", " : "", can->cgroup);
    else
        missing[n++] = "control groups (memory is limited process by process)";
    if (!can->count)
        missing[n++] = "a count of processes (a box that starts programs is refused)";
    for (size_t i = 0; i < n; i++)
        hone_buf_addf(out, "%s%s", i ? ", " : (there ? "; missing: " : "missing: "), missing[i]);
}

hone_status hone_sandbox_check(const hone_sandbox_can *can, int allow_weak)
{
    if ((can->landlock && can->seccomp) || allow_weak)
        return HONE_OK;
    hone_fail(HONE_E_REFUSED, "a box here would hold nothing back: this kernel has no %s",
              !can->landlock ? (can->seccomp ? "Landlock" : "Landlock and no seccomp") : "seccomp");
    return hone_fail_hint(
        "a kernel with both (Linux 5.13 and later), or --allow=weak-box: then only "
        "limits of memory, time and files hold");
}

/* ---- entering ------------------------------------------------------------------------------------ */

static hone_status limit(int what, rlim_t soft, rlim_t hard, const char *name)
{
    struct rlimit now, want = {soft, hard};
    if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < want.rlim_max) {
        want.rlim_max = now.rlim_max; /* never more than there was */
        if (want.rlim_cur > want.rlim_max)
            want.rlim_cur = want.rlim_max;
    }
    if (setrlimit((__rlimit_resource_t)what, &want) != 0)
        return hone_fail_errno("box: the limit of %s", name);
    return HONE_OK;
}

static hone_status limits(const hone_sandbox_policy *p)
{
    rlim_t files = p->open_files ? p->open_files : OPEN_FILES;
    int exec = (p->grants & HONE_GRANT_EXEC) != 0;
    struct rlimit core;
    HONE_TRY(limit(RLIMIT_CORE, 1, 1, "core dumps"));
    if (getrlimit(RLIMIT_CORE, &core) != 0 ||
        core.rlim_cur != 1)                 /* 0 does not bind a program that */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* core_pattern names, 1 does: core(5) */
    HONE_TRY(limit(RLIMIT_MEMLOCK, 0, 0, "locked memory"));
    HONE_TRY(limit(RLIMIT_MSGQUEUE, 0, 0, "message queues"));
    HONE_TRY(limit(RLIMIT_NOFILE, files, files, "open files"));
    if (p->cpu_s)
        HONE_TRY(limit(RLIMIT_CPU, p->cpu_s, (rlim_t)p->cpu_s + 1, "CPU time"));
    if (p->file_size)
        HONE_TRY(limit(RLIMIT_FSIZE, p->file_size, p->file_size, "files"));
    if (p->processes && exec && p->own_user)
        HONE_TRY(limit(RLIMIT_NPROC, p->processes, p->processes, "processes"));
#ifdef HONE_SANITIZED
    if (!exec) /* shadow memory is data to the kernel: terabytes of it */
        return HONE_OK;
#endif
    if (p->memory)
        HONE_TRY(limit(RLIMIT_DATA, p->memory, p->memory, "memory"));
    return HONE_OK;
}

static hone_status drop_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    for (int cap = 0; cap < 64; cap++)
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* refused to ordinary users, who have none to lose */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &head, none) != 0)
        return hone_fail_errno("box: giving up capabilities");
    return HONE_OK;
}

hone_status hone_sandbox_enter(const hone_sandbox_policy *policy)
{
    hone_sandbox_can can = hone__sandbox_kernel_can();
    HONE_TRY(hone_sandbox_check(&can, (int)policy->allow_weak));
    HONE_TRY(limits(policy));
    HONE_TRY(drop_capabilities());
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return hone_fail_errno("box: no new privileges");
    if (policy->count_sock) {
        hone_status s = hone__count_begin((int)policy->count_sock);
        if (s < 0 && !policy->allow_weak)
            return s;
    }
    if (can.landlock)
        HONE_TRY(hone__landlock_enter(policy, can.landlock));
    if (can.seccomp)
        HONE_TRY(hone__seccomp_enter(policy, can.landlock, (int)policy->own_pids));
    return HONE_OK;
}

/* ---- as JSON ------------------------------------------------------------------------------------- */

static void write_paths(hone_jw *w, const char *key, const char *const *paths)
{
    if (!paths)
        return;
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (size_t i = 0; paths[i]; i++)
        hone_jw_cstr(w, paths[i]);
    hone_jw_end(w);
}

/* Numbers of 64 bits as they are: JSON's integers are exact here. */
static const struct {
    const char *name;
    size_t offset, size;
} numbers[] = {
#define NUMBER(m)                                                                                  \
    {                                                                                              \
#m, offsetof(hone_sandbox_policy, m), sizeof(((hone_sandbox_policy *)0)->m)                \
    }
    NUMBER(grants),   NUMBER(tmp_bytes), NUMBER(memory),     NUMBER(file_size),
    NUMBER(cpu_s),    NUMBER(processes), NUMBER(open_files), NUMBER(allow_weak),
    NUMBER(own_pids), NUMBER(own_user),  NUMBER(counted),
};

hone_status hone__sandbox_policy_write(const hone_sandbox_policy *p, hone_buf *out)
{
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *at = (const char *)p + numbers[i].offset;
        uint64_t v = 0;
        uint32_t v32;
        if (numbers[i].size == sizeof v32) {
            memcpy(&v32, at, sizeof v32);
            v = v32;
        } else {
            memcpy(&v, at, sizeof v);
        }
        if (v > INT64_MAX)
            v = 0; /* no limit */
        if (v)
            hone_jw_ki64(&w, numbers[i].name, (int64_t)v);
    }
    write_paths(&w, "read_paths", p->read_paths);
    write_paths(&w, "write_paths", p->write_paths);
    write_paths(&w, "cgroups", p->cgroups);
    if (p->tmp)
        hone_jw_kcstr(&w, "tmp", p->tmp);
    if (p->without)
        hone_jw_kcstr(&w, "without", p->without);
    hone_jw_end(&w);
    return hone_buf_check(out, "a box's policy");
}

static hone_status read_paths(const hone_value *v, const char *key, hone_arena *arena,
                              const char *const **out)
{
    const hone_value *list = hone_value_get(v, key);
    if (!list)
        return HONE_OK;
    if (list->type != HONE_LIST)
        return hone_fail(HONE_E_TYPE, "box policy: %s is no list", key);
    const char **paths = hone_arena_calloc(arena, list->u.list.n + 1, sizeof *paths);
    if (!paths)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *item = &list->u.list.items[i];
        if (item->type != HONE_STRING)
            return hone_fail(HONE_E_TYPE, "box policy: %s holds something that is no path", key);
        paths[i] = hone_arena_strndup(arena, item->u.str.ptr, item->u.str.len);
        if (!paths[i])
            return HONE_E_NOMEM;
    }
    *out = paths;
    return HONE_OK;
}

hone_status hone__sandbox_policy_read(const char *text, size_t len, struct hone_arena *arena,
                                      hone_sandbox_policy *out)
{
    hone_sandbox_policy p;
    hone_value v;
    hone_str tmp = {NULL, 0}, without = {NULL, 0};
    memset(&p, 0, sizeof p);
    HONE_TRY(hone_json_parse(text, len, "box policy", arena, &v));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t n = 0;
        char *at = (char *)&p + numbers[i].offset;
        HONE_TRY(hone_value_i64(&v, numbers[i].name, 0, &n));
        if (n < 0 || (numbers[i].size == sizeof(uint32_t) && n > UINT32_MAX))
            return hone_fail(HONE_E_RANGE, "box policy: %s is %lld", numbers[i].name, (long long)n);
        uint32_t n32 = (uint32_t)n;
        memcpy(at, numbers[i].size == sizeof n32 ? (void *)&n32 : (void *)&n, numbers[i].size);
    }
    HONE_TRY(read_paths(&v, "read_paths", arena, &p.read_paths));
    HONE_TRY(read_paths(&v, "write_paths", arena, &p.write_paths));
    HONE_TRY(read_paths(&v, "cgroups", arena, &p.cgroups));
    HONE_TRY(hone_value_string(&v, "tmp", tmp, &tmp));
    HONE_TRY(hone_value_string(&v, "without", without, &without));
    if (without.ptr) {
        p.without = hone_arena_strndup(arena, without.ptr, without.len);
        if (!p.without)
            return HONE_E_NOMEM;
    }
    if (tmp.ptr) {
        p.tmp = hone_arena_strndup(arena, tmp.ptr, tmp.len);
        if (!p.tmp)
            return HONE_E_NOMEM;
    }
    *out = p;
    return HONE_OK;
}
