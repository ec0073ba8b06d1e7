/* bench_watch.h - what a process and the processes it started hold now, as /proc tells: for `hone bench flat`. */
#ifndef HONE_CORE_CLI_BENCH_WATCH_H
#define HONE_CORE_CLI_BENCH_WATCH_H
#include "base/error.h"

#include <sys/types.h>

typedef struct hone_watch {
    double resident, boxes_resident; /* bytes: of the process; of all that it started, together */
    double descriptors, threads;     /* of the process */
    double boxes;                    /* processes that it started, and those that they started */
} hone_watch;

/* E_NOT_FOUND: it has ended. A child that ends meanwhile is not counted. [any-thread] */
hone_status hone__watch(pid_t pid, hone_watch *out);
#endif
