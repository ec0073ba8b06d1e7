/* bench_watch.c - see bench_watch.h. Source: proc(5), proc_pid_status, proc_pid_fd, proc_tid_children. */
#include "cli/bench_watch.h"

#include "base/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEEP = 8 }; /* of processes that start processes */

/* Entries of a folder whose names are numbers: of each, `each` (unless NULL). -1: no such folder. */
static double numbers_in(const char *path, void (*each)(void *, long), void *arg)
{
    DIR *d = opendir(path);
    double n = 0;
    if (!d)
        return -1;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        n++;
        if (each)
            each(arg, strtol(e->d_name, NULL, 10));
    }
    closedir(d);
    return n;
}

struct family {
    hone_watch *out;
    pid_t pid;
    int depth;
};

static void look_at_children(hone_watch *out, pid_t pid, int depth);

/* What thread `tid` of a process started. */
static void look_at_thread(void *arg, long tid)
{
    const struct family *in = arg;
    char path[96];
    long child;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)in->pid, tid);
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%ld", &child) == 1) {
        const double kb = (double)hone_process_status(child, "VmRSS:");
        if (kb < 0)
            continue;
        in->out->boxes++;
        in->out->boxes_resident += kb * 1024;
        if (in->depth < DEEP)
            look_at_children(in->out, (pid_t)child, in->depth + 1);
    }
    if (f)
        fclose(f);
}

static void look_at_children(hone_watch *out, pid_t pid, int depth)
{
    char path[64];
    struct family in = {out, pid, depth};
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    (void)numbers_in(path, look_at_thread, &in);
}

hone_status hone__watch(pid_t pid, hone_watch *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    hone_watch w = {.resident = 1024 * (double)hone_process_status(pid, "VmRSS:"),
                    .descriptors = numbers_in(path, NULL, NULL),
                    .threads = (double)hone_process_status(pid, "Threads:")};
    if (w.resident < 0 || w.descriptors < 0 || w.threads < 0)
        return hone_fail(HONE_E_NOT_FOUND, "process %ld has ended", (long)pid);
    look_at_children(&w, pid, 0);
    *out = w;
    return HONE_OK;
}
