/* job.h - what score.c and work.c share: components with their instances, a scorer's queues, a job's results.
 *
 * Internal to core/score. score.c decides which samples go into which call (groups, batches, gates, what is known
 * already); work.c runs calls (workers, deadlines, another try) and makes their outcomes final. One lock, the
 * scorer's, guards all of it; it is never held while a plugin scores. */
#ifndef HONE_CORE_SCORE_JOB_H
#define HONE_CORE_SCORE_JOB_H
#include "base/arena.h"
#include "score/cache.h"
#include "score/call.h"

#include <pthread.h>

typedef struct hone__lane {
    hone_score_lane l;
    uint32_t running; /* calls in it, those given up not counted */
    int set_aside;    /* its instance never came back and could not be renewed */
} hone__lane;

typedef struct hone__comp {
    hone_score_component
        c; /* id and gate point to copies of its own; `more` is not used after create */
    char *id;
    hone__lane *lanes;
    size_t n_lanes;
    uint32_t limit; /* most calls in one lane at once */
    size_t gate;    /* number of the component, or HONE__NONE */
    int whole;      /* sees whole groups, and the same again on every try */
    size_t batch;   /* of those that are not `whole`: most samples a call; 0: a group's */
    uint64_t n_samples, n_failed;
} hone__comp;

#define HONE__NONE SIZE_MAX

struct hone_scorer {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    hone__comp *comps;
    size_t n_comps;
    hone__call *queue, **queue_tail;     /* for workers */
    hone__call *control, **control_tail; /* for the control thread */
    uint32_t n_workers, n_alive, refs;
    int stopping;
    uint64_t next_call;
};

enum { HONE__CELL_WAITS, HONE__CELL_PASSED, HONE__CELL_KEPT_OUT, HONE__CELL_UNKNOWN };

struct hone_score_job {
    hone_scorer *s;
    hone_score_params p;
    hone_arena arena;
    hone_sample *samples;
    uint8_t *present;
    size_t n_groups;
    /* n_comps x n_samples */
    hone_score_result *results;
    uint8_t *have; /* result is there */
    uint8_t *gate; /* HONE__CELL_* */
    size_t *ready; /* samples that wait for a batch to fill, in order of readiness */
    /* n_comps x n_groups */
    size_t *seen; /* samples of the group whose gate is known */
    /* n_comps */
    size_t *n_ready, *n_seen;
    uint64_t *n_cached, *n_retried;
    hone__call *live; /* calls queued or running */
    size_t pending;   /* results still missing among handed-in samples */
    hone_status failed;
    hone_error error;
    double *lat; /* n_comps x max calls */
    size_t *n_lat;
    size_t max_lat;
    uint32_t refs;
};

/* All under the lock. */
void hone__job_free(hone_score_job *job);
void hone__job_fail(hone_score_job *job, hone_status st);
/* One result becomes final, the first one wins; what waited for it as its gate goes on. */
void hone__job_settle(hone_score_job *job, size_t comp, size_t sample, const hone_score_result *r);
/* Queues a call; `call` belongs to the scorer from here. */
void hone__job_enqueue(hone_score_job *job, hone__call *call);
hone_status hone__scorer_spawn(hone_scorer *s);
void hone__scorer_unref(hone_scorer *s); /* drops the lock */
void hone__call_free(hone__call *call);
/* The error when too large a share of a component's samples failed. */
hone_status hone__job_check_failures(hone_score_job *job);
/* The outcome of a sample that its gate kept out. */
hone_score_result hone__job_kept_out(const hone_score_job *job, size_t comp, size_t sample);
#endif
