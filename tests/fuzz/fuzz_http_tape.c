/* fuzz_http_tape.c - any bytes as a recording of hone.http/1: it is refused, or each line of it is an answer, which recorded
 * behind them and read again is the same; a last line that is cut goes. The bytes are also a body of their own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/arena.h"
#include "base/json.h"
#include "host/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINES = 32 };

static void begin(hone__http_exchange *x)
{
    memset(x, 0, sizeof *x);
    hone_buf_init(&x->body, (size_t)1 << 30);
    hone_buf_init(&x->head, (size_t)1 << 30);
    x->url = (char *)(uintptr_t) "https://example.org/v1?key=1";
    x->method = (char *)(uintptr_t) "POST";
}

static void end(hone__http_exchange *x)
{
    hone_buf_release(&x->body);
    hone_buf_release(&x->head);
}

/* NULL: refused. */
static hone__http_tape *tape(const char *what, const char *path)
{
    hone__http_tape *t = NULL;
    unsetenv("HONE_HTTP_RECORD");
    unsetenv("HONE_HTTP_REPLAY");
    setenv(what, path, 1);
    return hone__http_tape_open(&t) < 0 ? NULL : t;
}

static int same(hone_str a, hone_str b)
{
    return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void check_same(const hone__http_exchange *a, const hone__http_exchange *b)
{
    if (a->status != b->status || a->attempts != b->attempts || a->lost != b->lost ||
        a->latency_ns != b->latency_ns)
        abort();
    if (a->status < 0 ? strcmp(a->why, b->why) != 0
                      : a->code != b->code || !same(hone_buf_str(&a->body), hone_buf_str(&b->body)))
        abort();
}

/* `x` is recorded at the end of the file at `path` and read again, into y. */
static void go_round(const char *path, hone__http_exchange *x)
{
    hone__http_exchange y;
    begin(&y);
    memset(x->key, 'f', 64);
    x->occurrence = 7777;
    hone__http_tape *t = tape("HONE_HTTP_RECORD", path);
    if (!t || hone__http_tape_replays(t) || hone__http_tape_record(t, x) < 0)
        abort();
    hone__http_tape_close(t);
    t = tape("HONE_HTTP_REPLAY", path);
    memcpy(y.key, x->key, sizeof y.key);
    y.occurrence = x->occurrence;
    if (!t || !hone__http_tape_replays(t) || hone__http_tape_replay(t, &y) < 0)
        abort();
    check_same(x, &y);
    hone__http_tape_close(t);
    end(&y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    hone_arena arena;
    hone_value v;
    int64_t n;
    hone_str key;
    hone__http_exchange x;
    const int fd = memfd_create("tape", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    hone_arena_init(&arena, (size_t)64 << 20);
    hone__http_tape *t = tape("HONE_HTTP_REPLAY", path);
    const char *at = (const char *)data, *nl;
    size_t left = size;
    for (int i = 0; t && i < LINES && (nl = left ? memchr(at, '\n', left) : NULL) != NULL; i++) {
        if (hone_json_parse(at, (size_t)(nl - at), NULL, &arena, &v) < 0 ||
            hone_value_string(&v, "request", (hone_str){"", 0}, &key) < 0 || key.len != 64 ||
            hone_value_i64(&v, "n", 0, &n) < 0 || n < 0)
            abort(); /* such a line is refused */
        begin(&x);
        memcpy(x.key, key.ptr, 64);
        x.occurrence = (uint64_t)n;
        if (hone__http_tape_replay(t, &x) >= 0 && x.status != HONE_E_NOT_FOUND &&
            x.status != HONE_E_CANCELLED && x.attempts)
            go_round(path, &x);
        end(&x);
        left -= (size_t)(nl - at) + 1;
        at = nl + 1;
    }
    hone__http_tape_close(t);
    begin(&x); /* the body of an answer is any bytes */
    x.attempts = 1;
    x.code = 200;
    if (hone_buf_add(&x.body, data, size) < 0 || hone_buf_add(&x.head, data, size) < 0 ||
        ftruncate(fd, 0) != 0)
        abort();
    go_round(path, &x);
    end(&x);
    hone_arena_release(&arena);
    close(fd);
    return 0;
}
