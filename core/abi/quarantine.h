/* quarantine.h - files whose code ended its box again and again: what is remembered of them, and the refusal.
 *
 *   quarantine.json   hone-quarantine-1   files: sha256, path, id, count, since, deaths; beside trust.json
 *
 * Key idea: a death counts when it was the plugin's own doing and was reproduced (the same call ended a fresh box again;
 * box_retry.c decides), and at HONE_QUARANTINE_AT counts the file is refused, by its sha256: a new build is another file.
 * What is remembered says when, what, in which call, on which sample, and the stack as module+offset.
 *
 * The file is one, written whole and replaced atomically under a lock, so that any number of processes may count. One that
 * cannot be read is an error that names it, never an empty list. Does not: end what runs (a run that began goes on), count
 * deaths of what ships with hone, or trust anything in the file beyond its form. (plugin-abi.md 7, "Death") */
#ifndef HONE_CORE_ABI_QUARANTINE_H
#define HONE_CORE_ABI_QUARANTINE_H
#include "base/arena.h"
#include "base/buf.h"

#define HONE_QUARANTINE_AT 3
#define HONE_QUARANTINE_LOADING "loading" /* as a call: it died before it had an instance */

typedef struct hone_death {
    const char *when;  /* "2026-01-31T12:00:00Z" */
    const char *what;  /* "killed by signal 11 (Segmentation fault)" */
    const char *call;  /* "score", "create", "loading", ... */
    const char *stack; /* "my.so+0x12a6 libc.so.6+0x3c050", or "" */
    int64_t sample;    /* of the batch, or -1 */
} hone_death;

typedef struct hone_quarantined {
    const char *sha256, *path, *id, *since;
    int64_t count; /* of all; deaths holds the last ones, the latest at the end */
    hone_death *deaths;
    size_t n;
} hone_quarantined;

typedef struct hone_quarantine {
    hone_arena arena;
    hone_quarantined *files;
    size_t n;
} hone_quarantine;

/* Strict; `name` goes into errors, what it gives lives in out->arena, which must be initialised. E_PARSE. [any-thread] */
hone_status hone_quarantine_parse(const char *text, size_t n, const char *name,
                                  hone_quarantine *out);
hone_status hone_quarantine_write(const hone_quarantine *q, hone_buf *out);

char *hone_quarantine_path(void); /* new string; NULL without a home or memory */
/* The user's; one that is not there is empty. E_REFUSED when others may write it. [any-thread] */
hone_status hone_quarantine_open(hone_quarantine *out);
void hone_quarantine_release(hone_quarantine *q);
const hone_quarantined *hone_quarantine_find(const hone_quarantine *q, const char *sha256);

/* Counts one more; d->when is filled in. *count (or NULL) is how many there are now. [any-thread] */
hone_status hone_quarantine_add(const char *sha256, const char *path, const char *id,
                                const hone_death *d, int64_t *count);
/* Forgets a file, or with NULL all of them, also where the file cannot be read. *n: how many were forgotten (0 with
 * NULL, where nobody can know). [any-thread] */
hone_status hone_quarantine_clear(const char *sha256, size_t *n);
/* OK, or E_REFUSED with why, since when and what to run, for a file of this hash. describing: only a file that died while
 * it was loaded is refused. `name` is the file's, for texts. [any-thread] */
hone_status hone_quarantine_judge(const hone_quarantine *q, const char *name, const char *sha256,
                                  int describing);
/* How it last died, as one sentence without the stack: "killed by signal 11 (Segmentation fault) in score, sample 4". */
hone_status hone_death_text(const hone_death *d, hone_buf *out);
#endif
