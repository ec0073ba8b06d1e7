/* memory.h - how much memory this machine, and the control group the process is in, have. */
#ifndef HONE_CORE_BASE_MEMORY_H
#define HONE_CORE_BASE_MEMORY_H
#include "base/error.h"

typedef struct hone_memory_facts {
    uint64_t total,
        free; /* bytes of the machine: all, and what may be had now (MemAvailable); 0: unknown */
    uint64_t limit; /* of the control group or one above it, when below total; 0: none */
} hone_memory_facts;
/* Cannot fail: what cannot be read is 0.                                        [any-thread] */
void hone_memory_get(hone_memory_facts *out);
/* The smallest limit on the way from the group of `self` (the text of /proc/self/cgroup) up to the
 * mount `root` ("/sys/fs/cgroup"), version 2 or 1; 0 when there is none.           [any-thread] */
uint64_t hone_memory_group_limit(const char *root, const char *self);
/* "200M", "1.5G", "800000": bytes, k M G T being powers of 1024. E_USAGE for anything else, or 0. */
hone_status hone_memory_parse(const char *text, uint64_t *bytes);
#endif
