/* box_host.c - one hone-box as the host sees it: starting, greeting, waking, watching, ending.
 *
 * While a call runs, its caller waits at a futex in the box's memory, at first for a millisecond, then longer, and at
 * each waking looks after the box: lines it printed, messages, whether it lives, how much memory it has, the
 * deadline. So there is no thread to watch boxes, a death is seen within 20 ms, and an answer at once. The same thread
 * serves the call-backs of its call (box_reach.c).
 *
 * Nothing that comes from a box is believed: lengths are bounded before they are read, texts are cut and go through the
 * log. A box is killed by its whole session and control group.
 * Source: plugin-abi.md section 7. */
#include "host/box.h"

#include "host/box_proto.h"
#include "abi/config.h"
#include "sandbox/pin.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

enum { LINE_MAX_BYTES = 2000, LINES_A_CALL = 100, SAID_MAX = 1500, SLICE_MAX_NS = 20000000 };
static const uint64_t greeting_ns = 20000000000u, grace_ns = 100000000u;

static hone__box_bell *bell(const hone__box *b)
{
    return (hone__box_bell *)(void *)b->in;
}

static hone__box_done *done(const hone__box *b)
{
    return (hone__box_done *)(void *)b->out;
}

/* ---- what it says -------------------------------------------------------------------------------- */

static void log_line(hone__box *b, uint32_t level, const char *text, size_t n)
{
    hone_buf shown;
    hone_str s = {text, n};
    if (++b->n_lines == LINES_A_CALL + 1)
        hone_log(HONE_LOG_WARN, b->who, "more than %d lines in one call: the rest is left out",
                 LINES_A_CALL);
    if (b->n_lines > LINES_A_CALL)
        return;
    hone_buf_init(&shown, 1 << 16);
    if (b->redact && hone_config_redact(b->redact, s, &shown) >= 0)
        s = hone_buf_str(&shown);
    hone_log(level, b->who, "%.*s", (int)s.len, s.ptr);
    hone_buf_release(&shown);
}

/* "hone-box: crashed in score: my.so+0x12a6 ...": the call and the frames. A plugin could print the same, so it is a hint. */
static void note_crash(hone__box *b, hone_str line)
{
    static const char crashed[] = "hone-box: crashed in ";
    const size_t n = sizeof crashed - 1;
    if (line.len <= n || memcmp(line.ptr, crashed, n) != 0)
        return;
    const char *at = line.ptr + n, *end = line.ptr + line.len;
    const char *colon = memchr(at, ':', (size_t)(end - at));
    if (!colon)
        return;
    snprintf(b->doing, sizeof b->doing, "%.*s", (int)(colon - at), at);
    for (colon++; colon < end && *colon == ' ';)
        colon++;
    snprintf(b->stack, sizeof b->stack, "%.*s", (int)(end - colon), colon);
}

/* A line of stderr, for the text of a death; without secrets, since errors are shown and kept. */
static void note_said(hone__box *b, hone_str line)
{
    hone_buf shown;
    hone_buf_init(&shown, 1 << 16);
    if (b->redact && hone_config_redact(b->redact, line, &shown) >= 0)
        line = hone_buf_str(&shown);
    if (b->said.len + line.len + 1 < SAID_MAX) {
        hone_buf_add_str(&b->said, line);
        hone_buf_addc(&b->said, '\n');
    }
    hone_buf_release(&shown);
}

/* Whole lines of buffer i go to the log; what is too long for a line is cut into several. */
static void log_lines(hone__box *b, int i, int all)
{
    hone_buf *lines = &b->lines[i];
    size_t at = 0;
    while (at < lines->len) {
        const char *p = lines->ptr + at, *end = memchr(p, '\n', lines->len - at);
        size_t n = end ? (size_t)(end - p) : lines->len - at;
        if (!end && !all && n < LINE_MAX_BYTES)
            break;
        size_t shown = n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES;
        static const char own[] = "hone-box: ";
        int ours = i == 1 && shown > sizeof own && memcmp(p, own, sizeof own - 1) == 0;
        if (shown && !ours) /* what hone-box says of a crash is in the text of the death */
            log_line(b, HONE_LOG_INFO, p, shown);
        if (ours)
            note_crash(b, (hone_str){p, shown});
        if (i == 1)
            note_said(b, (hone_str){p, shown});
        at += shown + (end && shown == n);
        if (shown == 0 && !end)
            break;
    }
    memmove(lines->ptr, lines->ptr + at, lines->len - at);
    lines->len -= at;
}

static void drain_pipe(hone__box *b, int i)
{
    char chunk[4096];
    for (int turns = 0; turns < 64; turns++) {
        ssize_t n = read(b->pipes[i], chunk, sizeof chunk);
        if (n <= 0)
            break;
        if (hone_buf_add(&b->lines[i], chunk, (size_t)n) < 0)
            hone_buf_clear(&b->lines[i]);
        log_lines(b, i, 0);
    }
}

/* A whole message at the front of what came: its kind, else 0. */
static uint32_t next_message(hone__box *b, hone_str *body)
{
    hone__box_message m;
    if (b->incoming.len < sizeof m)
        return 0;
    memcpy(&m, b->incoming.ptr, sizeof m);
    if (m.len > HONE__BOX_MESSAGE_MAX || m.len > b->incoming.len - sizeof m)
        return 0;
    body->ptr = b->incoming.ptr + sizeof m;
    body->len = m.len;
    return m.kind;
}

static void drop_message(hone__box *b)
{
    hone__box_message m;
    memcpy(&m, b->incoming.ptr, sizeof m);
    size_t n = sizeof m + m.len;
    memmove(b->incoming.ptr, b->incoming.ptr + n, b->incoming.len - n);
    b->incoming.len -= n;
}

static void receive(hone__box *b)
{
    char chunk[16384];
    for (int turns = 0; turns < 64; turns++) {
        ssize_t n = recv(b->sock, chunk, sizeof chunk, MSG_DONTWAIT);
        b->deaf |= n == 0;
        if (n <= 0)
            break;
        if (hone_buf_add(&b->incoming, chunk, (size_t)n) < 0) {
            hone_buf_clear(&b->incoming);
            break;
        }
    }
}

/* Log lines out of the way; stops at a message that somebody waits for. */
static uint32_t take_logs(hone__box *b, hone_str *body)
{
    uint32_t kind;
    while ((kind = next_message(b, body)) == HONE__BOX_LOG) {
        uint32_t level = body->len ? (unsigned char)body->ptr[0] : 0;
        if (body->len > 1)
            log_line(b, level <= HONE_LOG_HOST_MISBEHAVING ? level : HONE_LOG_WARN, body->ptr + 1,
                     body->len - 1);
        drop_message(b);
    }
    return kind;
}

static void listen_to(hone__box *b)
{
    hone_str body;
    drain_pipe(b, 0);
    drain_pipe(b, 1);
    receive(b);
    take_logs(b, &body);
}

hone_status hone__box_failure(hone__box *b)
{
    hone_str body;
    hone_status s = HONE_E_FAIL;
    listen_to(b);
    if (next_message(b, &body) == HONE__BOX_FAILED) {
        s = hone__box_read_error(body, b->who);
        drop_message(b);
    } else {
        s = hone_fail(HONE_E_MISBEHAVED, "its box failed without a text");
    }
    return s;
}

/* ---- starting ------------------------------------------------------------------------------------ */

static hone_status shared_memory(size_t size, int seals, int prot, int *fd, unsigned char **map)
{
    *fd = memfd_create("hone-box", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0)
        return hone_fail_errno("box: its memory");
    void *p = mmap(NULL, size, prot, MAP_SHARED, *fd, 0);
    if (p == MAP_FAILED)
        return hone_fail_errno("box: mapping its memory");
    *map = p;
    if (fcntl(*fd, F_ADD_SEALS, seals) != 0)
        return hone_fail_errno("box: sealing its memory");
    return HONE_OK;
}

hone_status hone__box_settings(const hone_config *cfg, hone_jw *w)
{
    return hone_config_export(cfg, w);
}

static hone_status send_hello(const hone__box_spec *spec, const hone__box *b)
{
    hone_buf text;
    hone_jw w;
    hone_buf_init(&text, HONE__BOX_MESSAGE_MAX);
    hone_jw_init(&w, &text, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "protocol", HONE__BOX_PROTOCOL);
    hone_jw_kcstr(&w, "name", spec->file);
    hone_jw_kcstr(&w, "component", spec->id);
    hone_jw_ki64(&w, "seed", (int64_t)spec->seed);
    hone_status s = HONE_OK;
    if (spec->cfg) {
        hone_jw_key(&w, "config");
        s = hone__box_settings(spec->cfg, &w);
    }
    if (s >= 0)
        hone_jw_end(&w);
    if (s >= 0)
        s = hone_buf_check(&text, "a box's settings");
    hone__box_message m = {HONE__BOX_HELLO, (uint32_t)text.len};
    if (s >= 0) {
        const char *parts[2] = {(const char *)&m, text.ptr};
        const size_t sizes[2] = {sizeof m, text.len};
        for (int i = 0; s >= 0 && i < 2; i++)
            for (size_t at = 0; s >= 0 && at < sizes[i];) {
                struct pollfd p = {b->sock, POLLOUT, 0};
                ssize_t n = send(b->sock, parts[i] + at, sizes[i] - at,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                    n = poll(&p, 1, 10000) > 0 ? 0 : -1;
                if (n < 0) {
                    s = HONE_OK; /* it is dead: waiting for its greeting says why */
                    break;
                }
                at += (size_t)n;
            }
    }
    if (text.cap)
        explicit_bzero(text.ptr, text.len); /* secrets were in it */
    hone_buf_release(&text);
    return s;
}

/* Who ended it, as far as that can be known: a box cannot send itself SIGKILL, so that one is from outside, or
 * from the kernel for want of memory. */
static int whose_death(hone__box *b)
{
    hone_child_wait(&b->child, 1000, &b->status);
    listen_to(b);
    log_lines(b, 0, 1);
    log_lines(b, 1, 1);
    if (!WIFSIGNALED(b->status))
        return HONE__BOX_DIED;
    switch (WTERMSIG(b->status)) {
    case SIGKILL:
        return hone_child_was_short_of_memory(&b->child) ? HONE__BOX_GREEDY : HONE__BOX_KILLED;
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
        return HONE__BOX_KILLED;
    default:
        return HONE__BOX_DIED;
    }
}

static int kill_for(hone__box *b, int why)
{
    kill(b->child.pid, SIGKILL);
    hone_child_wait(&b->child, 1000, &b->status);
    listen_to(b);
    return why;
}

static int broke(hone__box *b, const char *rule)
{
    snprintf(b->broke, sizeof b->broke, "%.250s", rule);
    return kill_for(b, HONE__BOX_BROKE);
}

/* The call-back that the box waits for. */
static int serve(hone__box *b)
{
    uint32_t asked = atomic_load_explicit(&done(b)->asked, memory_order_acquire);
    if (asked == b->asked)
        return HONE__BOX_ANSWERED; /* served before its message was read */
    if (asked != b->asked + 1 || !b->serve)
        return broke(b, "it asks for what it may not: a call-back in a call-back");
    b->asked = asked;
    hone_status s = b->serve(b->serve_ctx, b);
    if (s < 0)
        return broke(b, hone_error_get()->what);
    atomic_store_explicit(&bell(b)->answered, asked, memory_order_release);
    hone__box_wake(&bell(b)->answered);
    return HONE__BOX_ANSWERED;
}

/* A box that ended before its greeting: whose doing, and what is known of it. */
static void note_end(const hone__box *b, int how, const char *id, hone__box_end *end)
{
    hone_buf what;
    hone_buf_init(&what, sizeof end->what - 1);
    hone_child_status_text(b->status, &what);
    /* 126 and 127 are hone-box's own */
    end->own = how == HONE__BOX_DIED && !(WIFEXITED(b->status) && (WEXITSTATUS(b->status) == 126 ||
                                                                   WEXITSTATUS(b->status) == 127));
    snprintf(end->what, sizeof end->what, "%s", what.ptr ? what.ptr : "");
    snprintf(end->doing, sizeof end->doing, "%s",
             *b->doing ? b->doing : (*id ? "its start" : "loading"));
    snprintf(end->stack, sizeof end->stack, "%s", b->stack);
    hone_buf_release(&what);
}

static hone_status await_greeting(hone__box *b, const char *id, hone_buf *ready,
                                  hone__box_end *ended)
{
    uint64_t end = hone_now_ns() + greeting_ns;
    hone_str body;
    for (;;) {
        listen_to(b);
        int dead = hone_child_wait(&b->child, b->deaf ? 100 : 0, &b->status);
        if (dead)
            listen_to(b);
        uint32_t kind = next_message(b, &body);
        if (kind == HONE__BOX_ASK) {
            drop_message(b);
            if (serve(b) != HONE__BOX_ANSWERED)
                return hone_fail(HONE_E_MISBEHAVED, "its box did not start: %s", b->broke);
            continue;
        }
        if (kind == HONE__BOX_READY) {
            hone_status s = hone_buf_add_str(ready, body);
            drop_message(b);
            return s;
        }
        if (kind == HONE__BOX_FAILED)
            return hone__box_read_error(body, b->who);
        if (dead || b->deaf || hone_now_ns() > end) {
            hone_buf why;
            hone_buf_init(&why, 4096);
            if (dead) {
                log_lines(b, 1, 1);
                hone__box_why(b, HONE__BOX_DIED, &why);
            } else {
                hone_buf_adds(&why, b->deaf ? "it closed its socket" : "no answer within 20 s");
            }
            hone_status s = HONE_E_MISBEHAVED;
            if (dead && WIFEXITED(b->status) && WEXITSTATUS(b->status) == 127)
                s = HONE_E_REFUSED;
            int whose = dead ? whose_death(b) : HONE__BOX_LATE;
            if (whose == HONE__BOX_KILLED)
                s = HONE_E_INTERRUPTED;
            if (dead)
                note_end(b, whose, id, ended);
            s = hone_fail(s, "its box did not start: %.400s", why.ptr);
            hone_buf_release(&why);
            return s;
        }
        struct pollfd p[4] = {{b->sock, POLLIN, 0},
                              {b->pipes[0], POLLIN, 0},
                              {b->pipes[1], POLLIN, 0},
                              {b->child.pidfd, POLLIN, 0}};
        poll(p, b->child.pidfd >= 0 ? 4 : 3, b->child.pidfd >= 0 ? 1000 : 20);
    }
}

hone_status hone__box_start(const hone__box_spec *spec, hone__box *b, hone_buf *ready,
                            hone__box_end *end)
{
    const int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    int pair[2] = {-1, -1}, pipes[2][2] = {{-1, -1}, {-1, -1}}, in = -1, out = -1;
    hone_status s;
    memset(b, 0, sizeof *b);
    memset(end, 0, sizeof *end);
    b->child.pidfd = b->sock = b->pipes[0] = b->pipes[1] = b->out_fd = -1;
    b->who = *spec->id ? spec->id : spec->who;
    b->redact = spec->cfg;
    b->memory = spec->policy.memory;
    b->serve = spec->serve;
    b->serve_ctx = spec->serve_ctx;
    hone_buf_init(&b->lines[0], 1 << 20);
    hone_buf_init(&b->lines[1], 1 << 20);
    hone_buf_init(&b->incoming, HONE__BOX_MESSAGE_MAX + (1 << 20));
    hone_buf_init(&b->said, SAID_MAX);
    HONE_TRY_GOTO(shared_memory(HONE__BOX_IN, sealed | F_SEAL_FUTURE_WRITE, PROT_READ | PROT_WRITE,
                                &in, &b->in),
                  fail);
    HONE_TRY_GOTO(shared_memory(HONE__BOX_OUT, sealed, PROT_READ, &out, &b->out), fail);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        pipe2(pipes[0], O_CLOEXEC | O_NONBLOCK) != 0 ||
        pipe2(pipes[1], O_CLOEXEC | O_NONBLOCK) != 0) {
        s = hone_fail_errno("box: its channels");
        goto fail;
    }
    for (int i = 0; i < 2; i++) /* the box writes until there is room */
        fcntl(pipes[i][1], F_SETFL, 0);
    const int pass[] = {pair[1], spec->plugin, in, out};
    hone_spawn how = {.in = -1,
                      .out = pipes[0][1],
                      .err = pipes[1][1],
                      .pass = pass,
                      .n_pass = sizeof pass / sizeof *pass,
                      .policy = &spec->policy};
    HONE_TRY_GOTO(hone__sandbox_spawn_box(&how, &b->child), fail);
    b->sock = pair[0];
    b->pipes[0] = pipes[0][0];
    b->pipes[1] = pipes[1][0];
    pair[0] = pipes[0][0] = pipes[1][0] = -1;
    s = send_hello(spec, b);
fail:
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
        for (int k = 0; k < 2; k++)
            if (pipes[i][k] >= 0)
                close(pipes[i][k]);
    }
    if (in >= 0)
        close(in);
    if (s >= 0) {
        b->out_fd = out;
        out = -1;
    }
    if (out >= 0)
        close(out);
    if (s >= 0)
        s = await_greeting(b, spec->id, ready, end);
    if (s < 0)
        hone__box_stop(b);
    return s;
}

void hone__box_stop(hone__box *b)
{
    if (b->child.pid > 0 || b->child.pidfd >= 0 || b->child.cgroup[0][0] || b->child.cgroup[1][0])
        hone_child_end(&b->child, NULL);
    if (b->sock >= 0 && b->in) {
        listen_to(b);
        log_lines(b, 0, 1);
        log_lines(b, 1, 1);
    }
    if (b->sock >= 0)
        close(b->sock);
    if (b->out_fd >= 0)
        close(b->out_fd);
    for (int i = 0; i < 2; i++) {
        if (b->pipes[i] >= 0)
            close(b->pipes[i]);
        hone_buf_release(&b->lines[i]);
    }
    hone_buf_release(&b->incoming);
    hone_buf_release(&b->said);
    if (b->in)
        munmap(b->in, HONE__BOX_IN);
    if (b->out)
        munmap(b->out, HONE__BOX_OUT);
    memset(b, 0, sizeof *b);
    b->child.pidfd = b->sock = b->pipes[0] = b->pipes[1] = b->out_fd = -1;
}

void hone__box_give_back(hone__box *b, size_t at, size_t size)
{
    /* `in` cannot be given back: its seal forbids that, docs/decisions.md */
    (void)fallocate(b->out_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size);
}

void hone__box_why(const hone__box *b, int how, hone_buf *out)
{
    if (how == HONE__BOX_LATE)
        hone_buf_adds(out, "the deadline passed");
    else if (how == HONE__BOX_GREEDY)
        hone_buf_adds(out, "more memory or CPU time than its limit");
    else if (how == HONE__BOX_BROKE)
        hone_buf_adds(out, b->broke);
    else
        hone_child_status_text(b->status, out);
    size_t n = b->said.len;
    while (n && b->said.ptr[n - 1] == '\n')
        n--;
    if (n)
        hone_buf_addf(out, "; it said: %.*s", (int)n, b->said.ptr);
}

/* ---- a call --------------------------------------------------------------------------------------- */

static int look_after(hone__box *b, uint64_t deadline_ns, const uint32_t *cancelled,
                      uint32_t *cancel)
{
    uint64_t cpu, rss, now = hone_now_ns();
    listen_to(b);
    if (hone_child_wait(&b->child, 0, &b->status))
        return whose_death(b);
    if (cancel && cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
        __atomic_store_n(cancel, 1, __ATOMIC_RELEASE);
    if (deadline_ns && now >= deadline_ns && cancel)
        __atomic_store_n(cancel, 1, __ATOMIC_RELEASE);
    if (deadline_ns && now >= deadline_ns + grace_ns)
        return kill_for(b, HONE__BOX_LATE);
    hone_child_usage(&b->child, &cpu, &rss);
    if (!b->cpu_before)
        b->cpu_before = cpu ? cpu : 1;
    if (b->cpu_ns && cpu > b->cpu_before && cpu - b->cpu_before > b->cpu_ns)
        return kill_for(b, HONE__BOX_GREEDY);
    if (b->memory && rss > b->memory)
        return kill_for(b, HONE__BOX_GREEDY);
    return HONE__BOX_ANSWERED;
}

int hone__box_ring(hone__box *b, uint32_t op, uint32_t offer, uint64_t len, int pin,
                   uint64_t deadline_ns, const uint32_t *cancelled, uint32_t *cancel)
{
    hone__box_bell *w = bell(b);
    const hone__box_done *d = done(b);
    const uint32_t seq = b->seq + 1;
    int cpu = -1, end = HONE__BOX_ANSWERED;
    uint64_t slice = 1000000, look_ns = 0;
    if (pin)
        cpu = hone__pin_enter();
    w->op = op;
    w->offer = offer;
    w->len = len;
    w->cpu = cpu;
    b->seq = seq;
    b->n_lines = 0;
    hone_buf_clear(&b->said);
    b->deadline_ns = deadline_ns;
    b->cancelled = cancelled;
    b->cpu_before = 0;
    if (atomic_load_explicit(&d->asked, memory_order_relaxed) != b->asked) {
        end = broke(b, "it asks the host for something outside of a call");
        goto out;
    }
    atomic_store_explicit(&w->seq, seq, memory_order_release);
    hone__box_wake(&w->seq);
    for (;;) {
        struct timespec ts = {0, (long)slice};
        uint32_t event = atomic_load_explicit(&d->event, memory_order_acquire);
        if (atomic_load_explicit(&d->seq, memory_order_acquire) == seq)
            break;
        int asks = atomic_load_explicit(&d->asked, memory_order_acquire) != b->asked;
        if (asks) {
            end = serve(b);
            if (end != HONE__BOX_ANSWERED)
                break;
            uint64_t now = hone_now_ns();
            if (now < look_ns)
                continue; /* what asks and asks is looked after as well */
            look_ns = now + SLICE_MAX_NS;
        } else {
            hone__box_wait(&d->event, event, &ts);
            if (atomic_load_explicit(&d->seq, memory_order_acquire) == seq)
                break;
            if (atomic_load_explicit(&d->asked, memory_order_relaxed) != b->asked)
                continue;
        }
        end = look_after(b, deadline_ns, cancelled, cancel);
        if (end != HONE__BOX_ANSWERED)
            break;
        slice = slice < SLICE_MAX_NS / 2 ? 2 * slice : SLICE_MAX_NS;
    }
out:
    if (pin)
        hone__pin_leave();
    uint32_t sent = atomic_load_explicit(&d->messages, memory_order_relaxed);
    if (sent != b->messages || slice > 1000000) {
        b->messages = sent;
        listen_to(b);
    }
    return end;
}
