/* score.h - scheduling of rewards: batches, deadlines, outcomes.
 *
 * A scorer holds reward instances with their settings and worker threads. A job scores the samples of one
 * rollout: samples are handed in as they finish, each component's calls run on workers while generation goes
 * on, every (sample, component) gets exactly one outcome, journalled before it can be read. How many calls of a
 * component run at once, how large they are, how often they are tried again, whether another component's outcome
 * must let a sample pass first, and whether answers are remembered (cache.h) is each component's own setting.
 *
 * Same bytes whatever the timing: a batch is one whole group (or, for BATCH_INVARIANT components, any
 * samples that are ready), so what a plugin sees together never depends on who finished first. Late results
 * are dropped: arguments live in a refcounted call record that the call alone writes to; after a deadline
 * the thread is replaced (at most 4 lost, then the run stops) and the instance set aside, its .so never
 * released. Rewards written in Lua run on the control thread: hone_score_wait() pumps them through the
 * function table that the Lua layer registers. (architecture.md step 4, plugin-abi.md 5) */
#ifndef HONE_CORE_SCORE_SCORE_H
#define HONE_CORE_SCORE_SCORE_H
#include "host/registry.h"
#include "base/error.h"
#include "hone/reward.h"
#include "store/journal.h"

/* One instance of a component. */
typedef struct hone_score_lane {
    const hone_reward_v1 *vt;
    void *self;
    hone_instance *instance; /* which `self` is; NULL: none behind it. Borrowed */
} hone_score_lane;

typedef struct hone_score_component {
    const char *id; /* as in the recipe and the metrics: "math_answer" */
    hone_score_lane lane;
    /* Further instances with the same settings, so that a component that is not REENTRANT works on several
     * batches at once. None where it is STATEFUL or runs on the control thread. Borrowed until create returns */
    const hone_score_lane *more;
    size_t n_more;
    uint64_t caps; /* HONE_CAP_* of the component */
    double weight; /* 0: scored and reported, not part of the reward */
    int watch; /* 1: its outcomes are for metrics and files alone, nothing that trains sees them: weight 0, no
                * gate of others */
    double timeout_s; /* deadline of one call; 0 = 60 s */
    int on_control;   /* 1: runs on the control thread, in poll and wait (Lua) */
    uint32_t
        concurrency; /* most calls at once of a REENTRANT one; 0 = 16 when SLOW, else no limit */
    uint32_t batch; /* most samples a call of a BATCH_INVARIANT one; 0: 1 when SLOW, else a group */
    uint32_t
        retries; /* how often a batch with errors is tried again: only the samples concerned where it is
                           * BATCH_INVARIANT, else all of it. Time-outs are not */
    /* Id of the component that decides whether this one is asked, or NULL. A sample passes when that one scores
     * above 0 (gate_at 0), or at least gate_at. What does not pass gets the score `otherwise` without being asked
     * (where a whole group is asked because one passes: whatever was answered); where the gate has no score,
     * this one abstains. */
    const char *gate;
    double gate_at, otherwise;
    struct hone_score_cache
        *cache; /* of a component that is PURE and BATCH_INVARIANT; NULL: none. Borrowed */
    const char *cache_spec;   /* hash of component, plugin and settings: hone_score_cache_spec */
    const char *const *wants; /* sample members that its answers depend on, or NULL for all */
    /* A fresh instance after a call passed its deadline and the old one was set aside; NULL: later samples of
     * this component get the outcome error. [control-thread] */
    hone_status (*renew)(void *renew_ctx, hone_score_lane *lane);
    void *renew_ctx;
} hone_score_component;

typedef struct hone_scorer hone_scorer;
/* n_workers 0: as many as the components can use at once, at most 64. E_INVALID: a component that offers no way to
 * score, a gate that is not there or stands behind itself, lanes or a batch that the component's capabilities
 * forbid. */
hone_status hone_scorer_create(const hone_score_component *comps, size_t n, uint32_t n_workers,
                               hone_scorer **out);
void hone_scorer_destroy(
    hone_scorer *s); /* waits for running calls, except those past their deadline */
size_t hone_scorer_count(const hone_scorer *s);
const hone_score_component *hone_scorer_component(const hone_scorer *s, size_t i);

typedef struct hone_score_job hone_score_job;
/* `n_samples` in groups of `group_size` (the last may be smaller). journal may be NULL. `error_limit`: share of
 * samples of one component that may be error or timeout before the job fails (0.2), 1 = never; looked at from
 * 64 samples on, and from 16 on when all of them failed. */
typedef struct hone_score_params {
    uint64_t step;
    uint64_t first_sample; /* number of sample 0 in the journal */
    size_t n_samples, group_size;
    hone_journal *journal;
    double error_limit;
} hone_score_params;
hone_status hone_score_begin(hone_scorer *s, const hone_score_params *p, hone_score_job **out);
/* Hands sample number `index` in; everything is copied. [any one thread at a time] */
hone_status hone_score_add(hone_score_job *job, size_t index, const hone_sample *sample_bor);
/* Runs control-thread calls that are ready and enforces deadlines; returns at once when there are none. Called
 * between decode steps, so that rewards written in Lua run while generation goes on. [control-thread] */
hone_status hone_score_poll(hone_score_job *job);
/* Waits until every handed-in sample has all of its outcomes. [control-thread] */
hone_status hone_score_wait(hone_score_job *job);
/* Result of (component, sample) after wait: status, score, notes (JSON text or empty), reason. Borrowed until end. */
typedef struct hone_score_result {
    uint32_t status;
    float score;
    hone_str notes, reason;
    const float *token_scores;
    size_t n_token_scores;
} hone_score_result;
const hone_score_result *hone_score_get(const hone_score_job *job, size_t component, size_t sample);
/* Seconds per call: median and 95th percentile of this job; for timings.jsonl. */
void hone_score_latency(const hone_score_job *job, size_t component, double *p50_s, double *p95_s);
/* How many outcomes of this job came from the cache, and how many calls were tried again. */
void hone_score_counts(const hone_score_job *job, size_t component, uint64_t *cached,
                       uint64_t *retried);
void hone_score_end(hone_score_job *job);

/* Registered by the Lua layer at start: run queued control-thread work for at most `max_ns`; returns 1 when
 * something ran. */
typedef struct hone_score_pump {
    int (*pump)(void *ctx, uint64_t max_ns);
    void *ctx;
} hone_score_pump;
void hone_score_set_pump(const hone_score_pump *pump);
/* The same for requests that rewards make of the run's models (train/desk.h): served in poll and wait. */
void hone_score_set_desk(const hone_score_pump *desk);
/* Calls that passed their deadline and have not come back. While there are any, the process must end by _exit. */
uint32_t hone_score_lost(void);
#endif
