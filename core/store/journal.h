/* journal.h - outcomes by (step, sample, component), on disk before they are used.
 *
 * An append-only file of checksummed records; opening reads what is whole and drops a torn tail. A resumed
 * run looks here first, so a time-out, an error or a remote verdict is the same the second time.
 * A record also keeps the notes (JSON text) and, when there are any, per-token scores. The file keeps all
 * records; memory those of the steps that may still be asked for (hone_journal_done). Thread-safe. */
#ifndef HONE_CORE_STORE_JOURNAL_H
#define HONE_CORE_STORE_JOURNAL_H
#include "base/buf.h"

typedef struct hone_journal hone_journal;
typedef struct hone_journal_record {
    uint64_t step, sample;
    const char *component; /* the reward's id in the recipe */
    uint32_t status;       /* HONE_SCORE ... HONE_TIMEOUT */
    float score;
    hone_str notes;  /* JSON map text or empty */
    hone_str reason; /* why error/timeout/abstain, or empty */
    const float *token_scores;
    size_t n_token_scores;
} hone_journal_record;

hone_status hone_journal_open(const char *path, hone_journal **out); /* created when absent */
void hone_journal_close(hone_journal *j);
hone_status hone_journal_put(hone_journal *j, const hone_journal_record *recs,
                             size_t n); /* one write(2) for all */
/* 1 and *out when recorded, 0 otherwise. Borrowed until its step is dropped, or until close. */
int hone_journal_get(hone_journal *j, uint64_t step, uint64_t sample, const char *component,
                     hone_journal_record *out);
/* Step `step` has ended: what was recorded HONE_JOURNAL_STEPS steps before it or earlier leaves memory, so that a long run
 * does not grow. A resumed run, which opens the file anew, has all of it again. */
enum { HONE_JOURNAL_STEPS = 8 };
void hone_journal_done(hone_journal *j, uint64_t step);
#endif
