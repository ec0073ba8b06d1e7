/* memory.c - see memory.h. /proc/meminfo, and memory.max (version 2) or memory.limit_in_bytes
 * (version 1) of the process's control group and of those above it: the smallest of them holds.
 *
 * Inside a container the group's own path is often not below the mount, and the mount itself is the
 * group; so a path that is not there is no failure, and the walk up ends at the mount. */
#include "base/memory.h"

#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 4096 };

/* A small file into `text`; empty when it is not there. */
static void slurp(const char *path, char *text, size_t n)
{
    FILE *f = fopen(path, "re");
    size_t got = f ? fread(text, 1, n - 1, f) : 0;
    text[got] = '\0';
    if (f)
        fclose(f);
}

static uint64_t meminfo(const char *text, const char *key)
{
    const char *p = strstr(text, key);
    return p ? strtoull(p + strlen(key), NULL, 10) * 1024 : 0;
}

static void take_smaller(const char *dir, const char *leaf, uint64_t *least)
{
    char path[PATH_ROOM + 64], text[64];
    int n = snprintf(path, sizeof path, "%s/%s", dir, leaf);
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    slurp(path, text, sizeof text);
    uint64_t v = strtoull(text, NULL, 10); /* "max" is 0 */
    if (v && (*least == 0 || v < *least))
        *least = v;
}

/* From root/group up to root. */
static void walk(const char *root, const char *group, size_t len, const char *leaf, uint64_t *least)
{
    char dir[PATH_ROOM];
    int n = snprintf(dir, sizeof dir, "%s%.*s", root, (int)len, group);
    if (n < 0 || (size_t)n >= sizeof dir)
        return;
    for (;;) {
        take_smaller(dir, leaf, least);
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= strlen(root) || !slash)
            return;
        *slash = '\0';
    }
}

uint64_t hone_memory_group_limit(const char *root, const char *self)
{
    char v1[PATH_ROOM];
    uint64_t least = 0;
    int n = snprintf(v1, sizeof v1, "%s/memory", root);
    while (*self && n > 0 && (size_t)n < sizeof v1) { /* lines "number:controllers:/path" */
        const char *end = strchrnul(self, '\n'), *a = memchr(self, ':', (size_t)(end - self));
        const char *b = a ? memchr(a + 1, ':', (size_t)(end - a - 1)) : NULL;
        if (b) {
            size_t len = (size_t)(end - b - 1);
            if (b == a + 1)
                walk(root, b + 1, len, "memory.max", &least);
            else if (strncmp(a + 1, "memory:", 7) == 0)
                walk(v1, b + 1, len, "memory.limit_in_bytes", &least);
        }
        self = *end ? end + 1 : end;
    }
    return least;
}

void hone_memory_get(hone_memory_facts *out)
{
    char text[8192];
    slurp("/proc/meminfo", text, sizeof text);
    out->total = meminfo(text, "MemTotal:");
    out->free = meminfo(text, "MemAvailable:");
    slurp("/proc/self/cgroup", text, sizeof text);
    out->limit = hone_memory_group_limit("/sys/fs/cgroup", text);
    if (out->total && out->limit >= out->total)
        out->limit = 0;
}

hone_status hone_memory_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "kMGT";
    const char *end;
    double v = hone_parse_f64(text, &end), scale = 1;
    const char *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
    if (unit) {
        for (const char *p = units; p <= unit; p++)
            scale *= 1024;
        end++;
    }
    if (end == text || *end || !(v * scale >= 1) || v * scale >= ldexp(1, 62)) {
        hone_fail(HONE_E_USAGE, "\"%s\" is no amount of memory", text);
        return hone_fail_hint("for instance 800M or 1.5G (k, M, G, T)");
    }
    *bytes = (uint64_t)(v * scale);
    return HONE_OK;
}
