/* test_sandbox.c - what a policy forbids, seen from inside: each case runs a small shell or Python program in a box.
 *
 * The programs print what they could do; a case fails when the wall it names is taken out. Cases that need Landlock,
 * seccomp or namespaces are skipped, saying so, where the kernel lacks them. */
#include "sandbox/sandbox.h"
#include "base/arena.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIND_EXEC "/bin/sh"

typedef struct ran {
    char out[8192];
    size_t n;
    int status;
} ran;

/* Runs a shell script under `p`; its output and how it ended. */
static ran run(const hone_sandbox_policy *p, const char *script)
{
    const char *argv[] = {FIND_EXEC, "-c", script, NULL};
    int to[2];
    ran r = {.n = 0, .status = -1};
    hone_child child;
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    hone_spawn how = {.argv = argv, .in = -1, .out = to[1], .err = to[1], .policy = p};
    hone_status s = hone_sandbox_spawn(&how, &child);
    close(to[1]);
    if (s < 0)
        print_message("%s\n", hone_error_get()->what);
    assert_int_equal(s, HONE_OK);
    while (r.n < sizeof r.out - 1) {
        ssize_t k = read(to[0], r.out + r.n, sizeof r.out - 1 - r.n);
        if (k <= 0)
            break;
        r.n += (size_t)k;
    }
    r.out[r.n] = 0;
    close(to[0]);
    assert_int_equal(hone_child_wait(&child, 20000, &r.status), 1);
    hone_child_end(&child, NULL);
    return r;
}

static void expect(const hone_sandbox_policy *p, const char *script, const char *want)
{
    ran r = run(p, script);
    if (!strstr(r.out, want))
        fail_msg("%s\nsaid: %s\nwanted: %s", script, r.out, want);
}

static int full_box(void)
{
    const hone_sandbox_can *can = hone_sandbox_probe();
    if (can->landlock && can->seccomp)
        return 1;
    print_message("skipped: no Landlock or no seccomp here\n");
    skip();
    return 0;
}

static char folder[64];
static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hone-sandbox-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}
static int drop_folder(void **state)
{
    char cmd[128];
    (void)state;
    snprintf(cmd, sizeof cmd, "rm -rf %s", folder);
    return system(cmd) == 0 ? 0 : -1;
}

static void a_program_runs_and_its_end_is_seen(void **state)
{
    (void)state;
    hone_sandbox_policy p = {.allow_weak = 1};
    ran r = run(&p, "echo hello; exit 3");
    assert_string_equal(r.out, "hello\n");
    assert_true(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 3);
    r = run(&p, "kill -SEGV $$");
    assert_true(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGSEGV);
    r = run(&p, "exec /no/such/program");
    assert_int_equal(WEXITSTATUS(r.status), 127);
}

static void files_outside_the_policy_are_out_of_reach(void **state)
{
    (void)state;
    char path[128];
    if (!full_box())
        return;
    snprintf(path, sizeof path, "%s/secret", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("the secret", f);
    fclose(f);
    char read_it[256], write_it[256], link_it[512];
    snprintf(read_it, sizeof read_it, "cat %s", path);
    snprintf(write_it, sizeof write_it, "echo x >%s/new; echo done", folder);
    snprintf(link_it, sizeof link_it, "cat /proc/1/root%s; cat /proc/self/root%s", path, path);
    hone_sandbox_policy none = {0};
    expect(&none, read_it, "Permission denied");
    expect(&none, write_it, "Permission denied");
    assert_null(strstr(run(&none, link_it).out, "the secret"));
    const char *paths[] = {folder, NULL};
    hone_sandbox_policy reads = {.read_paths = paths};
    expect(&reads, read_it, "the secret");
    expect(&reads, write_it, "Permission denied");
    hone_sandbox_policy writes = {.write_paths = paths};
    expect(&writes, write_it, "done");
    assert_null(strstr(run(&writes, write_it).out, "denied"));
    const char *missing[] = {"/no/such/folder", NULL};
    hone_sandbox_policy wrong = {.read_paths = missing};
    ran r = run(&wrong, "echo ran");
    assert_non_null(strstr(r.out, "/no/such/folder"));
    assert_int_equal(WEXITSTATUS(r.status), 127);
}

static void modes_and_times_stay(void **state)
{
    (void)state;
    if (!full_box())
        return;
    const char *paths[] = {folder, NULL};
    hone_sandbox_policy p = {.write_paths = paths};
    char script[512];
    snprintf(script, sizeof script, "cd %s; echo a >f; chmod 777 f; touch -d @0 f; echo end",
             folder);
    ran r = run(&p, script);
    assert_non_null(strstr(r.out, "end"));
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/f", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_not_equal(st.st_mode & 0777, 0777);
    assert_int_not_equal(st.st_mtime, 0);
}

static const char *python(void)
{
    return access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3 -c " : NULL;
}

static void expect_python(const hone_sandbox_policy *p, const char *code, const char *want)
{
    char script[2048];
    if (!python()) {
        print_message("skipped: no /usr/bin/python3\n");
        skip();
    }
    snprintf(script, sizeof script, "%s '%s'", python(), code);
    expect(p, script, want);
}

static void sockets_need_a_grant(void **state)
{
    (void)state;
    if (!full_box())
        return;
    static const char code[] = "import socket\n"
                               "for f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):\n"
                               "    try:\n"
                               "        socket.socket(f, socket.SOCK_STREAM)\n"
                               "        print(\"opened\")\n"
                               "    except OSError as e:\n"
                               "        print(\"errno\", e.errno)\n";
    hone_sandbox_policy none = {0}, net = {.grants = HONE_GRANT_NET};
    expect_python(&none, code, "errno 1\nerrno 1\nerrno 1");
    expect_python(&net, code, "opened\nopened\nopened");
    expect_python(&net,
                  "import socket\n"
                  "try:\n"
                  "    socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)\n"
                  "except OSError as e:\n"
                  "    print(\"errno\", e.errno)\n",
                  "errno 97");
}

static void calls_that_no_plugin_needs_are_refused(void **state)
{
    (void)state;
    if (!full_box())
        return;
    /* mount, unshare, ptrace, bpf, keyctl, io_uring_setup, pidfd_open, process_vm_readv, userfaultfd, chroot, and
     * one from the future; numbers of x86-64 and, after them, of the table that all newer machines share. */
    static const char code[] = "import ctypes, platform\n"
                               "c = ctypes.CDLL(None, use_errno=True)\n"
                               "x = platform.machine() == \"x86_64\"\n"
                               "n = [165,272,101,321,250,425,434,310,323,161] if x else "
                               "[40,97,117,280,219,425,434,270,282,51]\n"
                               "for k in n:\n"
                               "    ctypes.set_errno(0)\n"
                               "    c.syscall(k, 0, 0, 0, 0, 0, 0)\n"
                               "    print(ctypes.get_errno(), end=\" \")\n"
                               "c.syscall(468, 0, 0, 0, 0, 0)\n"
                               "print(ctypes.get_errno())\n";
    hone_sandbox_policy none = {0};
    expect_python(&none, code, "1 1 1 1 1 1 1 1 1 1 38");
}

static void limits_hold(void **state)
{
    (void)state;
    hone_sandbox_policy p = {.allow_weak = 1, .memory = 200u << 20, .cpu_s = 1, .file_size = 4096};
    const char *paths[] = {folder, NULL};
    p.write_paths = paths;
#ifdef HONE_SANITIZED /* its runtime in hone-box needs more before the program begins */
    p.memory = 0;
#else
    expect_python(&p,
                  "try:\n    b = bytearray(400 << 20)\n    print(\"got\")\nexcept MemoryError:\n   "
                  " print(\"no memory\")",
                  "no memory");
#endif
    char script[256];
    snprintf(script, sizeof script, "head -c 100000 /dev/zero >%s/big; wc -c <%s/big", folder,
             folder);
    expect(&p, script, "4096");
    ran r = run(&p, "while :; do :; done");
    assert_true(WIFSIGNALED(r.status) &&
                (WTERMSIG(r.status) == SIGXCPU || WTERMSIG(r.status) == SIGKILL));
    expect(&p, "ulimit -c; ulimit -n", "0\n256");
}

static void a_fork_bomb_is_counted_and_ended(void **state)
{
    (void)state;
    const hone_sandbox_can *can = hone_sandbox_probe();
    if (!full_box())
        return;
    /* as many as it may have, and the next one is refused, whoever counts: a group, a limit, the supervisor */
    static const char bomb[] = "import os, time\nn = 0\ntry:\n    while n < 100:\n        if "
                               "os.fork() == 0: time.sleep(1)\n"
                               "        n += 1\nexcept OSError as e: print('refused after', n, "
                               "e.errno)\nelse: print('all')";
    static const char *const without[] = {"", "cgroup", "cgroup,namespaces"};
    hone_sandbox_policy p = {.processes = 16};
    char script[512];
    snprintf(script, sizeof script, "exec python3 -c \"%s\"", bomb);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        setenv("HONE_SANDBOX_WITHOUT", without[i], 1);
        ran r = run(&p, script);
        unsetenv("HONE_SANDBOX_WITHOUT");
        int n = 0,
            error = 0; /* a limit of the user's counts what else the user does, and hone-box */
        if (sscanf(r.out, "refused after %d %d", &n, &error) != 2 || error != EAGAIN || n < 8 ||
            n > (getuid() == 0 ? 15 : 24))
            fail_msg("without \"%s\": %s", without[i], r.out);
    }
    if (getuid() == 0) { /* the supervisor ends what was left behind, namespace or not */
        setenv("HONE_SANDBOX_WITHOUT", "cgroup,namespaces", 1);
        run(&p, "setsid sleep 78.25 </dev/null >/dev/null 2>&1 & sleep 0.1");
        unsetenv("HONE_SANDBOX_WITHOUT");
        assert_int_not_equal(system("pgrep -f 'sleep 78[.]25' >/dev/null"), 0);
    }
    setenv("HONE_SANDBOX_WITHOUT", "cgroup,count", 1);
    ran none = run(&p, "echo ran");
    unsetenv("HONE_SANDBOX_WITHOUT");
    if (getuid() == 0)
        assert_non_null(strstr(none.out, "processes cannot be counted here"));
    else
        assert_non_null(strstr(none.out, "ran"));
    if (can->namespaces) { /* 30 s sleepers are gone with their box: the run above was not held up by their pipe */
        ran r = run(&p, "sleep 77.25 & sleep 77.25 & echo left");
        assert_non_null(strstr(r.out, "left"));
        assert_int_not_equal(system("pgrep -f 'sleep 77[.]25' >/dev/null"), 0);
    }
}

static void others_cannot_be_signalled(void **state)
{
    (void)state;
    if (!full_box())
        return;
    char script[128];
    hone_sandbox_policy p = {0};
    pid_t other = fork();
    if (other == 0) {
        pause();
        _exit(0);
    }
    snprintf(script, sizeof script, "kill -9 %ld; kill -9 -1; echo tried", (long)other);
    run(&p, script);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void a_private_tmpfs_is_small_and_unseen(void **state)
{
    (void)state;
    if (!hone_sandbox_probe()->tmpfs || !full_box()) {
        print_message("skipped: no private tmpfs here\n");
        skip();
    }
    hone_sandbox_policy p = {.tmp = folder, .tmp_bytes = 1 << 20};
    expect(&p, "head -c 4000000 /dev/zero >big; wc -c <big; echo here >small; cat small; pwd",
           "1048576\n");
    char path[128];
    snprintf(path, sizeof path, "%s/small", folder);
    assert_int_equal(access(path, F_OK), -1);
}

static void nothing_of_the_host_is_inherited(void **state)
{
    (void)state;
    hone_sandbox_policy p = {.allow_weak = 1};
    int fd = open("/dev/null", O_RDWR); /* without CLOEXEC, on purpose */
    assert_true(fd >= 0);
    setenv("HONE_TEST_SECRET", "hush", 1);
    signal(SIGTERM, SIG_IGN);
    expect_python(
        &p,
        "import os, signal\n"
        "n = 0\n"
        "for f in range(3, 64):\n"
        "    try:\n        os.fstat(f)\n        n += 1\n    except OSError:\n        pass\n"
        "print(\"open\", n, os.environ.get(\"HONE_TEST_SECRET\"), "
        "signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)",
        "open 0 None True");
    signal(SIGTERM, SIG_DFL);
    unsetenv("HONE_TEST_SECRET");
    close(fd);
}

static void a_child_ends_with_all_it_started(void **state)
{
    (void)state;
    const char *argv[] = {FIND_EXEC, "-c", "sleep 78.5 & sleep 78.5", NULL};
    hone_sandbox_policy p = {.allow_weak = 1};
    hone_spawn how = {.argv = argv, .in = -1, .out = -1, .err = -1, .policy = &p};
    hone_child child;
    int status = 0;
    assert_int_equal(hone_sandbox_spawn(&how, &child), HONE_OK);
    assert_int_equal(hone_child_wait(&child, 200, &status), 0);
    pid_t pid = child.pid;
    hone_child_end(&child, &status);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped: no zombie */
    if (hone_sandbox_probe()->namespaces) {
        usleep(20000);
        assert_int_not_equal(system("pgrep -f 'sleep 78[.]5' >/dev/null"), 0);
    }
}

static void what_is_missing_is_refused_by_name(void **state)
{
    (void)state;
    hone_sandbox_can can = {0, 1, 1, 0, 0, 1};
    assert_int_equal(hone_sandbox_check(&can, 0), HONE_E_REFUSED);
    assert_non_null(strstr(hone_error_get()->what, "Landlock"));
    assert_non_null(strstr(hone_error_get()->hint, "--allow=weak-box"));
    assert_int_equal(hone_sandbox_check(&can, 1), HONE_OK);
    can.landlock = 1;
    can.seccomp = 0;
    assert_int_equal(hone_sandbox_check(&can, 0), HONE_E_REFUSED);
    assert_non_null(strstr(hone_error_get()->what, "seccomp"));
    setenv("HONE_SANDBOX_WITHOUT", "landlock", 1);
    const char *argv[] = {FIND_EXEC, "-c", "echo x", NULL};
    hone_sandbox_policy p = {0};
    hone_spawn how = {.argv = argv, .in = -1, .out = -1, .err = -1, .policy = &p};
    hone_child child;
    assert_int_equal(hone_sandbox_spawn(&how, &child), HONE_E_REFUSED);
    p.allow_weak = 1;
    assert_int_equal(hone_sandbox_spawn(&how, &child), HONE_OK);
    hone_child_end(&child, NULL);
    unsetenv("HONE_SANDBOX_WITHOUT");
}

static void a_policy_survives_its_json(void **state)
{
    (void)state;
    const char *paths[] = {"/a \"b\"", "/c", NULL};
    hone_sandbox_policy p = {.grants = 3,
                             .read_paths = paths,
                             .tmp = "/t",
                             .tmp_bytes = 1ull << 40,
                             .memory = 5,
                             .file_size = 6,
                             .cpu_s = 7,
                             .processes = 8,
                             .open_files = 9,
                             .allow_weak = 1},
                        q;
    hone_buf b;
    hone_arena arena;
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, 4096);
    assert_int_equal(hone__sandbox_policy_write(&p, &b), HONE_OK);
    assert_int_equal(hone__sandbox_policy_read(b.ptr, b.len, &arena, &q), HONE_OK);
    assert_string_equal(q.read_paths[0], "/a \"b\"");
    assert_null(q.read_paths[2]);
    assert_null(q.write_paths);
    assert_string_equal(q.tmp, "/t");
    assert_true(q.grants == 3 && q.tmp_bytes == 1ull << 40 && q.memory == 5 && q.file_size == 6 &&
                q.cpu_s == 7 && q.processes == 8 && q.open_files == 9 && q.allow_weak == 1);
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"cpu_s\":-1}",
                                      "{\"cpu_s\":4294967296}",
                                      "{\"read_paths\":1}",
                                      "{\"read_paths\":[1]}",
                                      "{\"tmp\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (i != 1)
            assert_true(hone__sandbox_policy_read(bad[i], strlen(bad[i]), &arena, &q) < 0);
    hone_buf_release(&b);
    hone_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_and_its_end_is_seen),
        cmocka_unit_test(files_outside_the_policy_are_out_of_reach),
        cmocka_unit_test(modes_and_times_stay),
        cmocka_unit_test(sockets_need_a_grant),
        cmocka_unit_test(calls_that_no_plugin_needs_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_fork_bomb_is_counted_and_ended),
        cmocka_unit_test(others_cannot_be_signalled),
        cmocka_unit_test(a_private_tmpfs_is_small_and_unseen),
        cmocka_unit_test(nothing_of_the_host_is_inherited),
        cmocka_unit_test(a_child_ends_with_all_it_started),
        cmocka_unit_test(what_is_missing_is_refused_by_name),
        cmocka_unit_test(a_policy_survives_its_json),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
