/* sandbox_kernel.h - what the kernel calls things that are newer than the headers of Debian 12.
 *
 * Numbers and bits of the kernel's interface to programs, which never change: Landlock past its second version, system
 * calls past Linux 6.1, whose numbers are the same on every machine hone runs on (the common table of calls since
 * 424). Which of them the running kernel knows is asked at run time.
 * Included by the sandbox's files alone. Source: include/uapi/linux/landlock.h, scripts/syscall.tbl of Linux 6.18. */
#ifndef HONE_CORE_SANDBOX_SANDBOX_KERNEL_H
#define HONE_CORE_SANDBOX_SANDBOX_KERNEL_H
#include <stdint.h>
#include <sys/syscall.h>

/* ---- Landlock ---- */
#define HONE_LL_FS_EXECUTE (1ull << 0)
#define HONE_LL_FS_WRITE_FILE (1ull << 1)
#define HONE_LL_FS_READ_FILE (1ull << 2)
#define HONE_LL_FS_READ_DIR (1ull << 3)
#define HONE_LL_FS_MAKE_CHAR (1ull << 6)
#define HONE_LL_FS_MAKE_BLOCK (1ull << 11)
#define HONE_LL_FS_V1 ((1ull << 13) - 1)
#define HONE_LL_FS_REFER (1ull << 13)     /* version 2 */
#define HONE_LL_FS_TRUNCATE (1ull << 14)  /* version 3 */
#define HONE_LL_FS_IOCTL_DEV (1ull << 15) /* version 5 */
#define HONE_LL_NET_BIND_TCP (1ull << 0)  /* version 4 */
#define HONE_LL_NET_CONNECT_TCP (1ull << 1)
#define HONE_LL_SCOPE_ABSTRACT_UNIX (1ull << 0) /* version 6 */
#define HONE_LL_SCOPE_SIGNAL (1ull << 1)
#define HONE_LL_CREATE_VERSION (1u << 0)
#define HONE_LL_RULE_PATH_BENEATH 1

struct hone_ll_ruleset { /* a kernel reads the prefix it knows */
    uint64_t fs, net, scoped;
};
struct hone_ll_path {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

/* ---- calls ---- */
enum {
    HONE_SYS_landlock_create_ruleset = 444,
    HONE_SYS_landlock_add_rule = 445,
    HONE_SYS_landlock_restrict_self = 446,
    HONE_SYS_pidfd_send_signal = 424,
    HONE_SYS_pidfd_open = 434,
    HONE_SYS_clone3 = 435,
    HONE_SYS_pidfd_getfd = 438,
    HONE_SYS_process_madvise = 440,
    HONE_SYS_mount_setattr = 442,
    HONE_SYS_process_mrelease = 448,
    HONE_SYS_fchmodat2 = 452,
    HONE_SYS_last_known =
        462 /* mseal; what came after sets attributes of files, or nobody needs it */
};
#endif
