/* launch.h - starting a program in a box: what of it is found where, what it may see, how it is ended.
 *
 * Internal to core. A program gets three pipes, a working folder of its own, an environment of a few names and
 * nothing else of the host's. */
#ifndef HONE_CORE_SANDBOX_LAUNCH_H
#define HONE_CORE_SANDBOX_LAUNCH_H
#include "sandbox/sandbox.h"
#include "hone/host.h"

typedef struct hone__launch {
    const hone_process_spec *spec; /* the host's size */
    int net;                       /* NET was granted */
    int weak;                      /* resource limits alone will do (--allow=weak-box) */
    const char *const *read_more;  /* granted paths, NULL-terminated; or NULL */
    const char *const *write_more;
} hone__launch;

typedef struct hone__launched {
    hone_child child;
    int in, out, err; /* the host's ends, not blocking; -1 once closed */
    char *folder;     /* the working folder, where the host made it; or NULL */
} hone__launched;

/* Outputs untouched on failure. [any-thread] */
hone_status hone__launch_start(const hone__launch *how, hone__launched *out);
/* Kills it and all it started, waits for its end, removes its folder. [any-thread] */
void hone__launch_finish(hone__launched *l);
#endif
