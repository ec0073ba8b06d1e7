/* rundir.h - a run directory as its readers see it: its state, its tables of numbers, its samples.
 *
 * Nothing here takes the run's lock for longer than a look, and nothing is written: a run may go on
 * while it is read. A last line without its line break (the writer was killed or is writing) is left
 * out and counted; any other malformed line is an error with file:line. */
#ifndef HONE_CORE_WEB_RUNDIR_H
#define HONE_CORE_WEB_RUNDIR_H
#include "base/arena.h"
#include "base/error.h"

enum { HONE_RUN_RESUMABLE = 1, HONE_RUN_RUNNING, HONE_RUN_FINISHED, HONE_RUN_STOPPED };
typedef struct hone_run_state {
    int what;            /* one of the above; STOPPED: neither finished nor with a checkpoint */
    int failed;          /* RESUMABLE or STOPPED: by an error, which run.json has as "failed" */
    uint64_t checkpoint; /* step of the newest whole checkpoint, 0 = none */
} hone_run_state;
/* `meta` is its run.json. RUNNING: another process holds the lock (a run that wrote "finished" counts
 * as finished even then: it may be the one that asks).                             [control-thread] */
hone_status hone_run_state_get(const char *dir, const hone_value *meta, hone_run_state *out);
/* "finished", "running", "resumable from step 100", "stopped without a checkpoint"; one
 * that an error ended: "failed; resumable from step 100", "failed without a checkpoint". */
void hone_run_state_text(const hone_run_state *s, char out[64]);
/* run.json of `dir` into the arena; E_NOT_FOUND "is no run directory" with a hint. */
hone_status hone_run_meta_read(const char *dir, hone_arena *arena, hone_value *out);

/* ---- numbers -------------------------------------------------------------------------------------- */

typedef struct hone__web_column {
    char *name;
    double *v; /* (n_rows), NAN where the row lacks it */
} hone__web_column;
typedef struct hone__web_table {
    double *step; /* (n_rows), ascending */
    size_t n_rows, cap;
    hone__web_column *cols; /* in order of first mention */
    size_t n_cols, cap_cols;
    int cut;          /* the last line was not whole */
    size_t cols_left; /* further names, left out */
} hone__web_table;
enum { HONE_WEB_COLUMNS = 400 };

/* metrics.jsonl or timings.jsonl: one object a line with a number "step"; other members that are no
 * numbers are left out. A step that is not above the one before (the run went back to a checkpoint)
 * replaces what followed it. A missing file is an empty table. Release in any case. */
hone_status hone__web_table_read(const char *path, hone__web_table *t);
void hone__web_table_release(hone__web_table *t);
/* One such object as the next row. E_PARSE for anything else. */
hone_status hone__web_table_add(hone__web_table *t, const hone_value *row);
/* NULL when there is no such column. */
const double *hone__web_column_get(const hone__web_table *t, const char *name);

/* ---- samples -------------------------------------------------------------------------------------- */

typedef struct hone__web_sample {
    int64_t step, sample, group, tokens;
    double reward, advantage; /* NAN where there is none */
    int left_out;
    hone_str prompt, completion, finish;
    hone_value outcomes; /* map of id -> { status, score, reason } */
} hone__web_sample;
typedef struct hone__web_samples {
    hone__web_sample *items;
    size_t n, cap;
    size_t n_all;            /* samples in the file */
    size_t steps_all, steps; /* steps in the file; those chosen */
    size_t shortened;        /* texts that were cut to HONE_WEB_TEXT bytes */
    int truncated;           /* the file ends within a frame */
} hone__web_samples;
enum { HONE_WEB_TEXT = 16384 };

/* Chooses whole steps: the first, the last and evenly spaced ones between, at most `limit` samples in
 * all (of a larger single step its first ones). Texts live in `arena`; items: free with hone_free. */
hone_status hone__web_samples_read(const char *path, size_t limit, hone_arena *arena,
                                   hone__web_samples *out);
#endif
