/* follow.h - metrics.jsonl and timings.jsonl of a run that is going on, read as they grow.
 *
 * A look reads what came since the last one. A file that is shorter now, or no longer holds the line that was read last
 * where it stood, was cut back (the run was resumed) or is another one: it is read anew from its beginning. A last
 * line without its line break is left for the next look; any other that cannot be read is passed over and counted. */
#ifndef HONE_CORE_WEB_FOLLOW_H
#define HONE_CORE_WEB_FOLLOW_H
#include "web/rundir.h"

typedef struct hone__follow {
    char *path;
    hone__web_table table;
    uint64_t at;        /* bytes read: whole lines */
    uint64_t last_from; /* where the last of them begins */
    uint64_t last_hash;
    size_t passed_over; /* lines that cannot be read */
    size_t anew;        /* how often the file was read anew */
} hone__follow;

/* `path` is copied; the file need not be there yet. Release in any case. [control-thread] */
hone_status hone__follow_open(hone__follow *f, const char *path);
/* *fresh: the last rows, those of steps above the highest of the look before. */
hone_status hone__follow_look(hone__follow *f, size_t *fresh);
void hone__follow_release(hone__follow *f);
#endif
