/* process.c - hone.process/1: programs spoken to in lines.
 *
 * One loop does everything: it waits for room on the program's standard input, for bytes on its standard output and
 * on its standard error, whichever the caller asked for, so that neither side can block the other by writing. Lines of
 * standard error go to the log under the component's id; the last of them are kept, since they mostly say why a
 * program ended.
 *
 * Does not: know what the lines mean, restart, retry (the plugin does).
 * Invariants: an ended program stays ended; a line that was handed out lives until the next call on its process. */
#include "host/process.h"

#include "host/grant.h"
#include "sandbox/launch.h"
#include "host/registry_private.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_CHUNK = 1 << 16,
    LOG_LINE = 4096,    /* a longer line of standard error is logged in pieces */
    MAX_LOGGED = 2000,  /* lines of one process */
    TAIL = 400,         /* bytes of standard error that go into an error */
    LOOK_EVERY_MS = 20, /* at the word that cancels */
    END_GRACE_MS = 500,
    STOP_GRACE_MS = 100
};

_Thread_local int hone__process_at_work;

typedef struct process {
    hone_instance *inst;
    hone__launched run;
    hone_buf lines; /* what it wrote; handed out up to `at`, searched up to `seen` */
    size_t at, seen;
    hone_buf log;    /* the line of standard error in the making */
    char last[TAIL]; /* the last whole line of it */
    uint64_t n_logged;
    char why[512]; /* the last failure */
    size_t line_max;
    int ended, status, late;
} process;

/* ---- standard error ------------------------------------------------------------------------------------ */

static void log_line(process *p)
{
    hone_str line = hone_buf_str(&p->log);
    while (line.len && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
        line.len--;
    if (line.len) {
        size_t n = line.len < sizeof p->last - 1 ? line.len : sizeof p->last - 1;
        memcpy(p->last, line.ptr, n);
        p->last[n] = '\0';
        if (p->n_logged < MAX_LOGGED)
            p->inst->host.log(&p->inst->host, HONE_LEVEL_INFO, line);
        else if (p->n_logged == MAX_LOGGED)
            hone_host_log(&p->inst->host, HONE_LEVEL_WARN,
                          "more than %d lines on standard error: the rest is left out", MAX_LOGGED);
        p->n_logged++;
    }
    hone_buf_clear(&p->log);
}

static void take_log(process *p, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' || p->log.len >= LOG_LINE)
            log_line(p);
        if (bytes[i] != '\n')
            hone_buf_addc(&p->log, bytes[i] ? bytes[i] : ' ');
    }
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Reads what is there. 1: something came; 0: nothing now, or the end (the descriptor is closed then). */
static int drain(process *p, int *fd, int is_log, hone_status *failed)
{
    char chunk[READ_CHUNK];
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n > 0 && is_log)
        take_log(p, chunk, (size_t)n);
    else if (n > 0 && hone_buf_add(&p->lines, chunk, (size_t)n) < 0)
        *failed = p->lines.failed;
    else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        shut(fd);
    return n > 0;
}

/* Writes without a SIGPIPE when nobody reads any more. As write(2). */
static ssize_t write_quietly(int fd, const char *p, size_t n)
{
    const struct timespec now = {0, 0};
    sigset_t pipe_, before, waiting;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigpending(&waiting);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before);
    ssize_t done = write(fd, p, n);
    int e = errno;
    if (done < 0 && e == EPIPE && !sigismember(&waiting, SIGPIPE))
        while (sigtimedwait(&pipe_, NULL, &now) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = e;
    return done;
}

static int find_line(process *p)
{
    const char *nl = p->seen < p->lines.len
                         ? memchr(p->lines.ptr + p->seen, '\n', p->lines.len - p->seen)
                         : NULL;
    p->seen = nl ? (size_t)(nl - p->lines.ptr) : p->lines.len;
    return nl != NULL;
}

static void drain_log(process *p)
{
    hone_status ignored = HONE_OK;
    while (p->run.err >= 0 && drain(p, &p->run.err, 1, &ignored))
        ;
}

/* It has ended, or will not say anything any more: how, in words. */
static hone_status say_ended(process *p)
{
    hone_buf how;
    for (int waited = 0; !p->ended && waited < END_GRACE_MS; waited += 20) {
        drain_log(p); /* one that waits for room there does not end */
        p->ended = hone_child_wait(&p->run.child, 20, &p->status);
    }
    drain_log(p);
    log_line(p);
    hone_buf_init(&how, 1 << 10);
    if (p->ended)
        hone_child_status_text(p->status, &how);
    else
        hone_buf_adds(&how, "closed its standard output");
    hone_fail(HONE_E_IO, "the program %s%s%s", how.ptr, p->last[0] ? ": " : "", p->last);
    hone_buf_release(&how);
    return HONE_E_IO;
}

static hone_status look_at_clock(const hone_process_wait *w, int *wait_ms)
{
    *wait_ms = -1;
    if (!w)
        return HONE_OK;
    if (w->cancelled && __atomic_load_n(w->cancelled, __ATOMIC_RELAXED))
        return hone_fail(HONE_E_CANCELLED, "cancelled");
    if (w->cancelled)
        *wait_ms = LOOK_EVERY_MS;
    if (!w->deadline_ns)
        return HONE_OK;
    uint64_t now = hone_now_ns();
    if (now >= w->deadline_ns)
        return hone_fail(HONE_E_TIMEOUT, "the program did not answer before the deadline");
    uint64_t left = (w->deadline_ns - now) / 1000000 + 1;
    if (*wait_ms < 0 || left < (uint64_t)*wait_ms)
        *wait_ms = left > 60000 ? 60000 : (int)left;
    return HONE_OK;
}

/* Until `out` is written, or, where `out` is NULL, until there is a whole line. */
static hone_status turn(process *p, hone_str *out, const hone_process_wait *w)
{
    for (;;) {
        hone_status s = HONE_OK;
        int wait_ms;
        if (out ? out->len == 0 : find_line(p))
            return HONE_OK;
        if (!out && p->lines.len - p->at > p->line_max)
            return hone_fail(HONE_E_LIMIT, "the program wrote a line of more than %zu bytes",
                             p->line_max);
        if (p->ended || (out ? p->run.in < 0 : p->run.out < 0))
            return say_ended(p);
        HONE_TRY(look_at_clock(w, &wait_ms));
        struct pollfd fds[3] = {
            {p->run.out, POLLIN, 0}, {p->run.err, POLLIN, 0}, {out ? p->run.in : -1, POLLOUT, 0}};
        if (poll(fds, 3, wait_ms) < 0 && errno != EINTR)
            return hone_fail_errno("cannot wait for a program");
        if (fds[0].revents)
            drain(p, &p->run.out, 0, &s);
        if (fds[1].revents)
            drain(p, &p->run.err, 1, &s);
        if (s < 0)
            return s;
        if (!fds[2].revents)
            continue;
        ssize_t n = write_quietly(p->run.in, out->ptr, out->len);
        if (n > 0) {
            out->ptr += n;
            out->len -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            shut(&p->run.in);
        }
    }
}

/* ---- the interface --------------------------------------------------------------------------------------- */

static hone_status failed(process *p, hone_status s)
{
    const hone_error *e = hone_error_get();
    const char *text = e->code < 0 ? e->what : hone_status_text(s);
    size_t n = strlen(text) < sizeof p->why ? strlen(text) : sizeof p->why - 1;
    memcpy(p->why, text, n);
    p->why[n] = '\0';
    p->late |= s == HONE_E_TIMEOUT || s == HONE_E_CANCELLED;
    return hone__host_failed(s);
}

static hone_str process_why(void *self, const void *process_)
{
    (void)self;
    return hone_str_c(((const process *)process_)->why);
}

static hone_status process_send(void *self, void *process_, hone_str bytes,
                                const hone_process_wait *wait)
{
    (void)self;
    hone_status s = turn(process_, &bytes, wait);
    return s < 0 ? failed(process_, s) : s;
}

static hone_status process_receive(void *self, void *process_, const hone_process_wait *wait,
                                   hone_str *line)
{
    process *p = process_;
    (void)self;
    if (p->at == p->lines.len) {
        hone_buf_clear(&p->lines);
        p->at = p->seen = 0;
    } else if (p->at > (size_t)1 << 20) {
        memmove(p->lines.ptr, p->lines.ptr + p->at, p->lines.len - p->at);
        p->lines.len -= p->at;
        p->seen -= p->at;
        p->at = 0;
    }
    hone_status s = turn(p, NULL, wait);
    if (s < 0)
        return failed(p, s);
    line->ptr = p->lines.ptr + p->at;
    line->len = p->seen - p->at;
    if (line->len && line->ptr[line->len - 1] == '\r')
        line->len--;
    p->at = p->seen = p->seen + 1;
    return HONE_OK;
}

static void process_free(process *p)
{
    hone__process_at_work++;
    hone__launch_finish(&p->run);
    hone__process_at_work--;
    hone_buf_release(&p->lines);
    hone_buf_release(&p->log);
    hone_free(p);
}

static void process_stop(void *self, void *process_)
{
    process *p = process_;
    (void)self;
    if (!p)
        return;
    shut(&p->run.in);
    /* One that did not answer in time is not waited for. */
    for (int waited = p->late ? STOP_GRACE_MS : 0; !p->ended && waited < STOP_GRACE_MS;
         waited += 2) {
        hone_status ignored = HONE_OK;
        drain_log(p);
        hone_buf_clear(&p->lines); /* nobody reads it any more */
        if (p->run.out >= 0)
            drain(p, &p->run.out, 0, &ignored);
        p->ended = hone_child_wait(&p->run.child, 2, &p->status);
    }
    drain_log(p);
    log_line(p);
    process_free(p);
}

/* The plugin's struct brought to the host's size, defaults filled in. */
static hone_process_spec spec_of(const hone_process_spec *given)
{
    hone_process_spec s = {0};
    size_t n = given->struct_size < sizeof s ? given->struct_size : sizeof s;
    memcpy(&s, given, n);
    s.struct_size = sizeof s;
    if (!s.memory_bytes)
        s.memory_bytes = (uint64_t)4 << 30;
    if (!s.tmp_bytes)
        s.tmp_bytes = (uint64_t)256 << 20;
    if (!s.file_bytes)
        s.file_bytes = s.tmp_bytes;
    if (!s.processes)
        s.processes = 64;
    if (!s.line_bytes)
        s.line_bytes = (uint64_t)64 << 20;
    return s;
}

/* Granted paths, in memory of the caller's. */
static const char **paths_of(const hone_instance *inst, uint64_t cap)
{
    size_t n = 0;
    while (hone_registry_granted_path(inst->reg, inst->info, cap, n))
        n++;
    const char **list = hone_calloc(n + 1, sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        list[i] = hone_registry_granted_path(inst->reg, inst->info, cap, i);
    return list;
}

static hone_status process_start(void *self, const hone_process_spec *given, void **process_own)
{
    hone_instance *inst = self;
    hone_status s;
    if (given->struct_size < offsetof(hone_process_spec, read))
        return hone__host_failed(
            hone_fail(HONE_E_INVALID, "start: struct_size is %u", given->struct_size));
    hone_process_spec spec = spec_of(given);
    const char **read_more = paths_of(inst, HONE_CAP_FS_READ),
               **write_more = paths_of(inst, HONE_CAP_FS_WRITE);
    process *p = hone_calloc(1, sizeof *p);
    if (!p || !read_more || !write_more) {
        s = HONE_E_NOMEM;
        goto done;
    }
    p->inst = inst;
    p->line_max = (size_t)spec.line_bytes;
    hone_buf_init(&p->lines, (size_t)spec.line_bytes + 2 * READ_CHUNK);
    hone_buf_init(&p->log, 2 * LOG_LINE);
    p->run.in = p->run.out = p->run.err = -1;
    hone__launch how = {
        .spec = &spec,
        .net = (hone_registry_granted(inst->reg, inst->info) & HONE_CAP_NET) != 0,
        .weak = hone_registry_weak_box(inst->reg),
        .read_more = read_more,
        .write_more = write_more,
    };
    hone__process_at_work++;
    s = hone__launch_start(&how, &p->run);
    hone__process_at_work--;
done:
    hone_free(read_more);
    hone_free(write_more);
    if (s < 0) {
        if (p)
            process_free(p);
        return hone__host_failed(s);
    }
    *process_own = p;
    return HONE_OK;
}

static const hone_process_v1 process_v1 = {sizeof(hone_process_v1),
                                           0,
                                           process_start,
                                           process_send,
                                           process_receive,
                                           process_stop,
                                           process_why};

hone_status hone__process_make(void *ctx, hone_instance *inst, hone_ref *out)
{
    (void)ctx;
    if (!inst)
        return hone_fail(HONE_E_STATE,
                         "hone.process/1 belongs to an instance: ask for it in create");
    HONE_TRY(hone_registry_need(inst->reg, inst->info, HONE_CAP_EXEC));
    const hone_sandbox_can *can = hone_sandbox_probe();
    HONE_TRY(hone_sandbox_check(can, hone_registry_weak_box(inst->reg)));
    if (!can->landlock || !can->seccomp)
        hone_log(HONE_LOG_WARN, inst->info->c.id,
                 "its program runs in a weak box: limits of memory, time and files, nothing else");
    out->self = inst;
    out->vt = &process_v1;
    return HONE_OK;
}
