/* clock.c - see clock.h. Clocks of the kernel, memory figures of /proc/self/status. */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t hone_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double hone_now_s(void)
{
    return (double)hone_now_ns() * 1e-9;
}

uint64_t hone_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void hone_date_utc(char out[16])
{
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm) || strftime(out, 16, "%Y%m%d-%H%M%S", &tm) != 15)
        memcpy(out, "00000000-000000", 16);
}

double hone_process_age_s(void)
{
    char text[1024];
    unsigned long long ticks = 0;
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')'); /* the name before it may hold anything; field 3 follows */
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (!p || sscanf(p, " %llu", &ticks) != 1)
        return 0;
    return (double)read_clock(CLOCK_BOOTTIME) * 1e-9 - (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

int64_t hone_process_status(int64_t pid, const char *name)
{
    char line[256];
    int64_t value = -1;
    const size_t n = strlen(name);
    if (pid)
        snprintf(line, sizeof line, "/proc/%lld/status", (long long)pid);
    else
        snprintf(line, sizeof line, "/proc/self/status");
    FILE *f = fopen(line, "re");
    while (f && value < 0 && fgets(line, sizeof line, f)) {
        long long number;
        if (strncmp(line, name, n) == 0 && sscanf(line + n, " %lld", &number) == 1)
            value = number;
    }
    if (f)
        fclose(f);
    return value;
}

/* The number of a line "Name:   123 kB" of /proc/self/status, in bytes; 0 when it is not there. */
static uint64_t status_bytes(const char *name)
{
    const int64_t kb = hone_process_status(0, name);
    return kb > 0 ? (uint64_t)kb * 1024 : 0;
}

uint64_t hone_peak_rss(void)
{
    return status_bytes("VmHWM:");
}

uint64_t hone_rss(void)
{
    return status_bytes("VmRSS:");
}

int hone_peak_rss_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (!f)
        return 0;
    const int wrote = fputs("5", f) >= 0;
    return fclose(f) == 0 && wrote;
}

int hone_cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns)
{
    const uint64_t end = hone_now_ns() + ns;
    const struct timespec ts = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};
    return pthread_cond_timedwait(cond, lock, &ts) == ETIMEDOUT;
}
