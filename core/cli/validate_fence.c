/* validate_fence.c - memory for what a plugin is given, with a forbidden page right behind it (validate.h).
 *
 * Pieces are taken from the end down, so the first one lies against the forbidden page: an array one element too
 * long, or a string read as if it ended in NUL, touches it. Inputs are read-only during the call; when it has
 * returned, the whole place is forbidden (and kept so where a test asks for it), so that a pointer which was kept
 * is found at its next use. The signal handler looks the address up in a table of all places and writes its name
 * into the shared page before the process dies of the signal as it would have.
 *
 * The table is fixed in size and only ever read by the handler; a place's row is filled before it is used. */
#include "cli/validate.h"

#include "base/file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROWS = 512, PAGE = 65536 }; /* at least a page of any machine */
enum { FREE, OPEN, READONLY, GONE };

typedef struct row {
    char *base, *end;
    const char *name;
    atomic_int state;
} row;
static row rows[ROWS];
static pthread_mutex_t rows_lock = PTHREAD_MUTEX_INITIALIZER;
static hone__vpage *shared;
static size_t oldest;

static row *row_of(const char *base)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].base == base && atomic_load(&rows[i].state) != FREE)
            return &rows[i];
    return NULL;
}

/* An empty row; when there is none, the oldest place that is kept is given back. */
static row *new_row(void)
{
    for (size_t i = 0; i < ROWS; i++)
        if (atomic_load(&rows[i].state) == FREE)
            return &rows[i];
    for (size_t i = 0; i < ROWS; i++) {
        row *r = &rows[(oldest + i) % ROWS];
        if (atomic_load(&r->state) != GONE)
            continue;
        oldest = (oldest + i + 1) % ROWS;
        munmap(r->base, (size_t)(r->end - r->base) + PAGE);
        return r;
    }
    return NULL;
}

hone_status hone__v_fence_open(hone__vfence *f, size_t size, const char *name)
{
    size = (size + PAGE) / PAGE * PAGE;
    char *p = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p + size, PAGE, PROT_NONE) != 0)
        return hone_fail_errno("a place for the arguments of a call");
    pthread_mutex_lock(&rows_lock);
    row *r = new_row();
    if (r) {
        r->base = p;
        r->end = p + size;
        r->name = name;
        atomic_store(&r->state, OPEN);
    }
    pthread_mutex_unlock(&rows_lock);
    if (!r) {
        munmap(p, size + PAGE);
        return hone_fail(HONE_E_LIMIT, "too many calls at once");
    }
    *f = (hone__vfence){p, p + size, size, p + size, name};
    return HONE_OK;
}

void *hone__v_fence_take(hone__vfence *f, size_t n, size_t align)
{
    uintptr_t at = (uintptr_t)f->at;
    if (n > (size_t)(f->at - f->base))
        return NULL;
    at = (at - n) / align * align;
    if (at < (uintptr_t)f->base)
        return NULL;
    f->at = (char *)at;
    return f->at;
}

void hone__v_fence_readonly(hone__vfence *f)
{
    mprotect(f->base, f->size, PROT_READ);
    atomic_store(&row_of(f->base)->state, READONLY);
}

void hone__v_fence_close(hone__vfence *f, int keep)
{
    if (!f->base)
        return;
    row *r = row_of(f->base);
    if (keep) {
        mprotect(f->base, f->size, PROT_NONE);
        madvise(f->base, f->size, MADV_DONTNEED);
        atomic_store(&r->state, GONE);
    } else {
        atomic_store(&r->state, FREE);
        munmap(f->base, f->size + PAGE);
    }
    memset(f, 0, sizeof *f);
}

/* ---- texts in a fence --------------------------------------------------------------------------- */

hone_str hone__v_put(hone__vfence *f, const char *p, size_t n)
{
    char *to = hone__v_fence_take(f, n, 1);
    if (!to)
        return (hone_str){NULL, 0};
    memcpy(to, p, n);
    return (hone_str){to, n};
}

hone_str hone__v_put_text(hone__vfence *f, const char *z)
{
    return hone__v_put(f, z, strlen(z));
}

/* Text number i of those that are hard to read. */
hone_str hone__v_odd_text(hone__vfence *f, size_t i)
{
    static const struct {
        const char *p;
        size_t n;
    } odd[] = {{"", 0},
               {"\0", 1},
               {"a\0b", 3},
               {"\xff\xfe\xfd", 3},
               {"\xc3", 1},
               {"\xe2\x82", 2},
               {"\xed\xa0\x80", 3},
               {"\xf4\x90\x80\x80", 4},
               {"7\xc0\x80", 3},
               {"{\"a\": [[[[[[[[", 14},
               {"\\boxed{", 7},
               {"\\boxed{\\frac{1}{", 16},
               {"1e999999999", 11},
               {"%s%n", 4},
               {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", 11},
               {"\r\n\t\v", 4}};
    i %= sizeof odd / sizeof *odd + 1;
    if (i < sizeof odd / sizeof *odd)
        return hone__v_put(f, odd[i].p, odd[i].n);
    char *to = hone__v_fence_take(f, HONE__V_MEGABYTE, 1);
    if (to)
        memset(to, '(', HONE__V_MEGABYTE);
    return (hone_str){to, to ? HONE__V_MEGABYTE : 0};
}

/* ---- when it is touched ------------------------------------------------------------------------ */

/* Only what is safe in a handler: copies into the page. */
static void put(const char *a, const char *b)
{
    size_t at = 0;
    for (; *a && at + 1 < sizeof shared->fault; a++)
        shared->fault[at++] = *a;
    for (; *b && at + 1 < sizeof shared->fault; b++)
        shared->fault[at++] = *b;
    shared->fault[at] = 0;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    const char *p = info->si_addr;
    (void)context;
    if (shared && (sig == SIGSEGV || sig == SIGBUS) && !shared->fault[0]) {
        for (size_t i = 0; i < ROWS; i++) {
            int state = atomic_load(&rows[i].state);
            if (state == FREE || p < rows[i].base || p >= rows[i].end + PAGE)
                continue;
            if (state == GONE)
                put("borrowed memory was used after the call had returned: ", rows[i].name);
            else if (p >= rows[i].end)
                put("past the end of ", rows[i].name);
            else
                put("written, though read-only: ", rows[i].name);
            break;
        }
        if (!shared->fault[0] && (uintptr_t)p < PAGE)
            put("a NULL pointer was followed", "");
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

void hone__v_fence_signals(hone__vpage *page)
{
    static char stack[1 << 16];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction act;
    shared = page;
    sigaltstack(&other, NULL);
    memset(&act, 0, sizeof act);
    act.sa_sigaction = on_signal;
    act.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
}
