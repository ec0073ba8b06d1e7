/* call.h - one batch call of a reward: everything the plugin may touch, and what it answered.
 *
 * Internal to core/score. The record is private to the call until it is DONE; call.c runs it and turns what
 * came back into typed results: PENDING after success is the error "not answered", a score that is not finite
 * is an error, a failed call gives error to what it left unanswered. */
#ifndef HONE_CORE_SCORE_CALL_H
#define HONE_CORE_SCORE_CALL_H
#include "base/buf.h"
#include "score/score.h"

enum { HONE__CALL_QUEUED, HONE__CALL_RUNNING, HONE__CALL_DONE, HONE__CALL_EXPIRED };

typedef struct hone__call {
    struct hone__call *next, *next_live;
    struct hone_score_job *job;
    size_t comp, n;
    size_t *index;   /* sample numbers */
    hone_sample *in; /* shallow: strings live in the job */
    hone_outcome *out;
    hone_buf *notes;   /* one JSON map in the making per sample */
    hone_buf *reasons; /* the note "reason" per sample: why error or abstention */
    hone_buf *tokens;  /* per-token scores per sample */
    hone_call call;
    uint32_t cancel_word;
    int state;
    uint32_t refs;
    unsigned char *keys;     /* of the cache, HONE_SCORE_KEY bytes each */
    uint32_t tries;          /* before this one */
    struct hone__lane *lane; /* the scorer's */
    hone_score_lane use;     /* the instance, entered when the call was taken */
    hone_error error;
    hone_score_result *res;
} hone__call;

hone_status hone__call_create(size_t n, hone__call **out); /* refs = 1 */
void hone__call_drop(hone__call *call);                    /* one reference */
void hone__call_shrink(hone__call *call, size_t n);        /* it has only n samples */
void hone__call_thread_init(void);                         /* floating-point mode of a worker */
/* Calls the plugin: the first present of score_groups, score_tokens, score. Keeps its error text. */
hone_status hone__call_run(hone__call *call);
/* n results, owned by the call; NULL on no memory. late: what is unanswered is a time-out. */
hone_score_result *hone__call_results(hone__call *call, hone_status st, int late);
/* Of a call that still runs: what it has answered so far, time-out for the rest; free with
 * hone__call_free_results. Notes are left out: they may be half-written. */
hone_score_result *hone__call_expired_results(const hone__call *call);
void hone__call_free_results(hone_score_result *res, size_t n);
#endif
