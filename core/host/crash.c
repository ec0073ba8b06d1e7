/* crash.c - see crash.h.
 *
 * Key idea: the handler runs on a stack of its own, writes two lines made of what it finds without allocating, and
 * lets the signal take its course, so that exit codes and core dumps are what they were. What it says of a thread that
 * is in no plugin is where hone itself crashed.
 * Does not: catch _exit and quick_exit, nor a crash of a worker thread that has no stack left. */
#include "host/crash.h"
#include "host/registry_private.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH = 16, FRAMES = 12, SHOWN = 5, LINE = 1024 };

static _Thread_local struct {
    const hone_component_info *info;
    const char *doing;
} calls[DEPTH];
static _Thread_local unsigned depth;

void hone__crash_enter(const hone_component_info *info)
{
    if (depth < DEPTH) {
        calls[depth].info = info;
        calls[depth].doing = NULL;
    }
    depth++;
}

void hone__crash_leave(void)
{
    if (depth)
        depth--;
}

void hone_crash_doing(const char *call)
{
    if (depth && depth <= DEPTH)
        calls[depth - 1].doing = call;
}

/* The innermost component that this thread is in, or NULL; *doing: its call, or NULL. */
static const hone_component_info *current(const char **doing)
{
    unsigned at = depth < DEPTH ? depth : DEPTH;
    *doing = at ? calls[at - 1].doing : NULL;
    return at ? calls[at - 1].info : NULL;
}

static void say(const char *line)
{
    ssize_t k = write(STDERR_FILENO, line, strlen(line));
    (void)k;
}

static void say_what_next(const hone_component_info *info)
{
    say(!hone_kind_shares_memory(info->c.kind)
            ? "  hint: box = true among its settings (--set box=true) runs it in a process of its "
              "own, where "
              "it costs its own samples; gdb --args hone ... leads to the line\n"
            : "  hint: gdb --args hone ... leads to the line; hone plugin validate looks for it\n");
}

/* " file+0x12 file name+0x34 ...": what addr2line -e takes. */
__attribute__((noinline)) static void add_frames(char *line, size_t size,
                                                 const hone_component_info *info)
{
    void *frames[FRAMES];
    Dl_info where;
    int n = backtrace(frames, FRAMES), shown = 0;
    size_t at = strlen(line);
    for (int i = 3; i < n && shown < SHOWN && at < size;
         i++) { /* behind this, the handler and its frame */
        if (!dladdr(frames[i], &where) || !where.dli_fname)
            continue;
        const char *slash = strrchr(where.dli_fname, '/'),
                   *file = slash ? slash + 1 : where.dli_fname;
        int copy = strncmp(where.dli_fname, "/proc/", 6) == 0 && info && info->plugin;
        size_t off = (size_t)((char *)frames[i] - (char *)where.dli_fbase);
        int k = snprintf(line + at, size - at, "%s%s%s+0x%zx", shown++ ? " " : ": ",
                         copy ? info->plugin->name : file, copy ? ".so" : "", off);
        at += k > 0 ? (size_t)k : 0;
    }
}

static void crashed(int sig)
{
    char line[LINE];
    const char *doing;
    const hone_component_info *info = current(&doing);
    const char *name = strsignal(
        sig); /* glibc: no allocation for the signals below without a locale */
    if (info)
        snprintf(line, sizeof line, "hone: %s crashed%s%s (%s), and hone with it", info->c.id,
                 doing ? " in " : "", doing ? doing : "", name ? name : "?");
    else
        snprintf(line, sizeof line, "hone: crashed (%s)", name ? name : "?");
    add_frames(line, sizeof line - 1, info);
    say(line);
    say("\n");
    if (info)
        say_what_next(info);
    raise(sig);
}

/* A plugin called exit: whatever it gave as a code, the work is not done. */
static void on_exit_in_plugin(void)
{
    char line[LINE];
    const char *doing;
    const hone_component_info *info = current(&doing);
    if (!info)
        return;
    depth = 0;
    fflush(stdout);
    snprintf(line, sizeof line, "hone: %s ended the process%s%s: it called exit\n", info->c.id,
             doing ? " in " : "", doing ? doing : "");
    say(line);
    say_what_next(info);
    _exit(1);
}

void hone__crash_on_signal(void (*fn)(int sig))
{
#ifdef HONE_SANITIZED
    (void)fn;
#else
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static char stack[64 << 10];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction a;
    void *frame[1];
    backtrace(frame, 1); /* loads its library now */
    memset(&a, 0, sizeof a);
    a.sa_handler = fn;
    a.sa_flags = (int)(SA_ONSTACK | SA_NODEFER | SA_RESETHAND);
    sigaltstack(&alt, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &a, NULL);
#endif
}

void hone_crash_watch(void)
{
    atexit(on_exit_in_plugin);
    hone__crash_on_signal(crashed);
}
