/* log.c - see log.h.
 *
 * A line is formatted on the caller's stack (cut at 2 KB, whole characters) and handed to the sink
 * under one lock, so lines never mix. A sink that logs would deadlock; it must not. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_LEVELS = HONE_LOG_HOST_MISBEHAVING + 1 };
static const char *const level_names[N_LEVELS] = {
    "debug", "info", "warn", "error", "plugin misbehaving", "host misbehaving"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static hone_log_fn sink;
static void *sink_ctx;
static atomic_uint least = HONE_LOG_INFO;
static _Atomic uint64_t counts[N_LEVELS];

static void read_environment(void)
{
    const char *want = getenv("HONE_LOG");
    for (unsigned i = 0; want && i <= HONE_LOG_ERROR; i++)
        if (strcmp(want, level_names[i]) == 0)
            atomic_store(&least, i);
}

uint32_t hone_log_level(uint32_t level)
{
    pthread_once(&once, read_environment); /* what is set here is not undone later */
    return atomic_exchange(&least, level);
}

void hone_log_sink(hone_log_fn fn, void *ctx)
{
    pthread_mutex_lock(&lock);
    sink = fn;
    sink_ctx = ctx;
    pthread_mutex_unlock(&lock);
}

uint64_t hone_log_count(uint32_t level)
{
    return level < N_LEVELS ? atomic_load(&counts[level]) : 0;
}

void hone_log(uint32_t level, const char *who, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    pthread_once(&once, read_environment);
    if (level >= N_LEVELS)
        level = HONE_LOG_ERROR;
    atomic_fetch_add(&counts[level], 1);
    if (level < atomic_load(&least))
        return;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0)
        n = snprintf(text, sizeof text, "(a line that could not be formatted)");
    size_t len = (size_t)n;
    if (len >= sizeof text) {
        len = sizeof text - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    while (len > 0 && text[len - 1] == '\n')
        len--;
    text[len] = 0;
    pthread_mutex_lock(&lock);
    if (sink)
        sink(sink_ctx, level, who, text, len);
    else
        fprintf(stderr, "%s: %s%s%s%s\n", level_names[level], text, who ? " (" : "", who ? who : "",
                who ? ")" : "");
    pthread_mutex_unlock(&lock);
}
