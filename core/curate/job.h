/* job.h - one step of `hone data` at work: what it writes, what it remembers, how it goes on after a kill.
 *
 * All that is being made lies in the folder OUT.work beside the output, and appears at its place, whole, when the step ends; then
 * the folder goes. journal.json there says what the step is (verb, settings, inputs with sizes and times), how far it came (a JSON
 * value of the step's own) and how long each output was then. The same command started again goes on from there: outputs are cut
 * back to those lengths, so they have the same bytes as if nothing had happened. Another command, or changed inputs, starts anew.
 * One process has the folder (a lock on it).
 *
 * An output is the rows, and beside it its lineage (lineage.h); a report holds one line of JSON for each row left out or found. To standard
 * output rows are written as they come: nothing is gone back to, no lineage is kept, and the folder is a temporary one.
 *
 * Invariants: a kept row is written with the bytes it was read with, unless the step gives it others; nothing depends on
 * the clock. All calls [control-thread]. */
#ifndef HONE_CORE_CURATE_JOB_H
#define HONE_CORE_CURATE_JOB_H
#include "curate/input.h"
#include "curate/lineage.h"

typedef struct hone_job hone_job;

typedef struct hone_job_spec {
    const char *verb;       /* "dedup" */
    hone_str settings;      /* JSON map: what decides the output */
    hone_input *input;      /* whose rows they are; borrowed */
    const char *const *out; /* paths of the outputs; none: standard output */
    size_t n_out;
    const char *report; /* a path, or NULL */
    int no_lineage;
    int fresh;                 /* what was begun before is not gone on with */
    uint64_t checkpoint_bytes; /* of input between two notes in the journal; 0: 64 MiB */
} hone_job_spec;

hone_status hone_job_open(const hone_job_spec *spec, hone_job **out);
/* What is not finished stays in the folder, so that it can be gone on with; NULL is allowed. */
void hone_job_close(hone_job *j);
/* What was noted last: a map, or NULL when the step begins. Good until close. */
const hone_value *hone_job_state(const hone_job *j);
/* Was there something to go on with? */
int hone_job_resumed(const hone_job *j);
/* All is made, and only hone_job_finish is missing. */
int hone_job_finished(const hone_job *j);
const char *hone_job_folder(const hone_job *j);
/* A new string FOLDER/name. */
char *hone_job_path(const hone_job *j, const char *name);

/* The row, kept in output `k`; `text` NULL: as it was read. */
hone_status hone_job_keep(hone_job *j, size_t k, const hone_input_row *row, const hone_str *text);
uint64_t hone_job_kept(const hone_job *j, size_t k);
/* A line of the report, which begins as {"file":..,"line":.. and is ended by the caller with hone_job_told. NULL: there is no report. */
hone_jw *hone_job_tell(hone_job *j, const hone_input_row *row);
hone_status hone_job_told(hone_job *j);

/* Has enough been read since the last note that a new one is due? */
int hone_job_due(const hone_job *j, const hone_input_place *place);
uint64_t hone_job_step(const hone_job *j); /* bytes between two notes */
/* Makes all outputs lasting and notes the state: a map that `put` writes the members of. */
hone_status hone_job_note(hone_job *j, void (*put)(void *ctx, hone_jw *w), void *ctx);
/* Everything in its place; the folder is gone. What `put` writes is the state that one finds who was killed in the midst of it. */
hone_status hone_job_finish(hone_job *j, void (*put)(void *ctx, hone_jw *w), void *ctx);

/* A place as a member of such a state, and back. */
void hone_job_put_place(hone_jw *w, const hone_input_place *place);
hone_status hone_job_get_place(const hone_value *state, hone_input_place *place);
/* A count in a state; E_STATE when it is not there. */
hone_status hone_job_get_count(const hone_value *state, const char *key, uint64_t *out);
#endif
