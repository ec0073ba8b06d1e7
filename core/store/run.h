/* run.h - the run directory: what a run leaves behind, crash-safe.
 *
 *   run.json recipe.lua log.txt metrics.jsonl timings.jsonl rollouts.jsonl.zst outcomes.journal
 *   checkpoints/step-000100/  model/  report.html                              (architecture.md)
 *
 * The key idea: everything that is compared bit for bit (metrics, rollouts) is an append-only file whose
 * length stands in the checkpoint, so resuming is cutting the files back to the checkpoint and going on.
 * A checkpoint is a folder written beside its place with SHA256SUMS, fsynced and renamed. Nothing a clock
 * says goes to metrics or rollouts. One process owns a run directory (a lock file with flock). */
#ifndef HONE_CORE_STORE_RUN_H
#define HONE_CORE_STORE_RUN_H
#include "base/file.h"

typedef struct hone_run hone_run;

/* runs/<name>-<yyyymmdd-hhmmss>-<4 hex>/ below `runs_dir` (created). `name` is cleaned to [a-z0-9-_.].
 * `exact_dir` (or NULL) names the folder itself instead: it must not exist. [control-thread] */
hone_status hone_run_create(const char *runs_dir, const char *name, const char *exact_dir,
                            hone_run **out);
/* An existing run, locked for writing; E_STATE when another process holds it. */
hone_status hone_run_open(const char *dir, hone_run **out);
void hone_run_close(hone_run *run); /* flushes; releases the lock */
const char *hone_run_dir(const hone_run *run);
/* A new string dir/name; free with hone_free. */
char *hone_run_path(const hone_run *run, const char *name);

/* One line (no newline inside) each; flushed to the kernel before return. */
hone_status hone_run_metrics(hone_run *run, hone_str json_line);
hone_status hone_run_timings(hone_run *run, hone_str json_line);
hone_status hone_run_log(hone_run *run, hone_str text);
/* The rollouts of one step as one zstd frame (level 3, checksum) holding whole JSON lines. */
hone_status hone_run_rollouts(hone_run *run, hone_str json_lines);

/* Lengths of metrics.jsonl and rollouts.jsonl.zst now: they go into state.json of a checkpoint. */
void hone_run_marks(const hone_run *run, uint64_t *metrics_bytes, uint64_t *rollout_bytes);
/* Cut both back (resume). E_PARSE when a file is shorter than its mark. */
hone_status hone_run_cut(hone_run *run, uint64_t metrics_bytes, uint64_t rollout_bytes);

/* ---- checkpoints ---- */
/* Starts step-%06llu beside its place; *dir_out (owned by the run, until commit) is where files go. */
hone_status hone_checkpoint_begin(hone_run *run, uint64_t step, const char **dir_out);
/* Writes SHA256SUMS over every file there, fsyncs, renames, removes older ones beyond `keep` (0 = keep all). */
hone_status hone_checkpoint_commit(hone_run *run, uint32_t keep);
void hone_checkpoint_abandon(hone_run *run);
/* Steps of complete checkpoints, ascending; free with hone_free. Leftovers of killed writes are ignored
 * (and removed by hone_run_open). */
hone_status hone_checkpoint_list(const char *run_dir, uint64_t **steps, size_t *n);
/* Checks SHA256SUMS of one; E_PARSE names the file that differs. */
hone_status hone_checkpoint_verify(const char *run_dir, uint64_t step);

/* ---- rollouts, reading ---- */
/* Calls fn for every JSON line in order; a truncated last frame ends the reading without an error and sets
 * *truncated. */
hone_status hone_rollouts_read(const char *path, hone_status (*fn)(void *ctx, hone_str line),
                               void *ctx, int *truncated);
#endif
