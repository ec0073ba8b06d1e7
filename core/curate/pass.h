/* pass.h - once over all rows: work on each by several threads, decide in order.
 *
 * Rows come in batches; `work` is called for each of a batch on the pool's threads and writes what it found into the row's slot, `take` is then
 * called for each in order on one thread and keeps, drops or remembers. So what is decided does not depend on the number of
 * threads. Between batches the pass is noted in the job's journal when enough was read, and goes on there after a kill.
 *
 * A row whose text cannot be had (no JSON, a column missing) ends the pass with its file and line, or is left out and counted.
 * Source of the pattern: text/parts.h, which does the same for a text without rows. */
#ifndef HONE_CORE_CURATE_PASS_H
#define HONE_CORE_CURATE_PASS_H
#include "curate/job.h"
#include "curate/scan.h"
#include "tensor/pool.h"

enum { HONE_PASS_THREADS = HONE_POOL_MAX };

typedef struct hone_pass {
    void *ctx;
    const char *columns; /* of the text, as hone_scan_init takes them */
    size_t slot;         /* bytes a row's slot has; zeroed before each call */
    /* The row's text is in `scan`. A failure is the row's: see skip_bad. NULL: the text is not needed, rows are not read.
     * [any-thread] */
    hone_status (*work)(void *ctx, uint32_t thread, const hone_input_row *row, hone_scan *scan,
                        void *slot);
    /* [control-thread] */
    hone_status (*take)(void *ctx, const hone_input_row *row, void *slot);
    /* What a slot holds, of rows that came to nothing for a failure; NULL: nothing. */
    void (*drop)(void *ctx, void *slot);
    /* Members of the state noted beside the place, and what is to be lasting before; NULL: nothing. */
    hone_status (*before_note)(void *ctx);
    void (*note)(void *ctx, hone_jw *w);
    int skip_bad;
    uint64_t every; /* a note after so many rows, too; 0: by what was read alone */
} hone_pass;

typedef struct hone_pass_counts {
    uint64_t rows, bad;  /* read in all; malformed */
    uint64_t bytes;      /* of rows read by this process */
    char first_bad[512]; /* why, of the first; or "" */
} hone_pass_counts;

/* `job` NULL: nothing is noted. Starts where the input is; counts go on from what *counts says. [control-thread] */
hone_status hone_pass_run(const hone_pass *p, hone_input *in, hone_pool *pool, hone_job *job,
                          hone_pass_counts *counts);
#endif
