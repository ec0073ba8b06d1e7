/* work.c - running the calls of score.h: workers, deadlines, another try, waiting.
 *
 * A call record owns everything the plugin may touch (samples by a reference to the job, outcomes, notes), so a
 * call that returns after its deadline writes only to memory that nobody reads. States of a call: QUEUED ->
 * RUNNING -> DONE, or RUNNING -> EXPIRED (by the control thread) -> freed when it returns at last. A call that
 * is tried again is a new call. */
#include "sandbox/pin.h"
#include "score/job.h"
#include "host/trail.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/trace.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define MAX_LOST 4
#define BOX_GRACE_NS 5000000000u

enum { LOOK_NS = 20000000 }; /* how often deadlines are looked at */

static hone_score_pump pump, desk;
static uint32_t lost_calls;

void hone_score_set_pump(const hone_score_pump *p)
{
    if (p)
        pump = *p;
    else
        memset(&pump, 0, sizeof pump);
}

void hone_score_set_desk(const hone_score_pump *p)
{
    if (p)
        desk = *p;
    else
        memset(&desk, 0, sizeof desk);
}

uint32_t hone_score_lost(void)
{
    return __atomic_load_n(&lost_calls, __ATOMIC_ACQUIRE);
}

void hone__call_free(hone__call *call)
{
    hone_score_job *job = call->job;
    hone__call_drop(call);
    if (--job->refs == 0)
        hone__job_free(job);
}

static void *worker(void *arg);

hone_status hone__scorer_spawn(hone_scorer *s)
{
    pthread_t t;
    int e = pthread_create(&t, NULL, worker, s);
    if (e != 0) {
        errno = e;
        return hone_fail_errno("cannot start a reward worker");
    }
    pthread_detach(t);
    s->n_alive++;
    s->refs++;
    return HONE_OK;
}

/* ---- outcomes --------------------------------------------------------------------------------------- */

/* Makes what a finished call answered final: journalled, then readable; PENDING is left out. Takes the lock. */
static void deliver(hone_score_job *job, hone__call *call, hone_score_result *res)
{
    hone_scorer *s = job->s;
    const hone__comp *c = &s->comps[call->comp];
    hone_status st = HONE_OK;
    size_t n = 0;
    for (size_t i = 0; i < call->n; i++) /* asked only because others of its group passed */
        if (job->gate[call->comp * job->p.n_samples + call->index[i]] != HONE__CELL_PASSED)
            res[i] = hone__job_kept_out(job, call->comp, call->index[i]);
    if (job->p.journal) {
        hone_journal_record *recs = hone_calloc(call->n, sizeof *recs);
        if (!recs)
            st = HONE_E_NOMEM;
        for (size_t i = 0; st >= 0 && i < call->n; i++) {
            if (res[i].status == HONE_PENDING)
                continue;
            recs[n++] = (hone_journal_record){.step = job->p.step,
                                              .sample = job->p.first_sample + call->index[i],
                                              .component = c->id,
                                              .status = res[i].status,
                                              .score = res[i].score,
                                              .notes = res[i].notes,
                                              .reason = res[i].reason,
                                              .token_scores = res[i].token_scores,
                                              .n_token_scores = res[i].n_token_scores};
        }
        if (st >= 0 && n)
            st = hone_journal_put(job->p.journal, recs, n);
        hone_free(recs);
    }
    for (size_t i = 0; c->c.cache && i < call->n; i++)
        hone_score_cache_put(c->c.cache, call->keys + i * HONE_SCORE_KEY, &res[i]);
    pthread_mutex_lock(&s->lock);
    if (st < 0)
        hone__job_fail(job, st);
    for (size_t i = 0; i < call->n; i++)
        if (res[i].status != HONE_PENDING)
            hone__job_settle(job, call->comp, call->index[i], &res[i]);
    pthread_mutex_unlock(&s->lock);
}

/* Errors that may be tried again go into a new call, and are PENDING in `res`: those samples alone, or all of the
 * call where the component's answers depend on the company. Takes the lock. */
static hone_status try_again(hone_scorer *s, hone__call *call, hone_score_result *res)
{
    hone_score_job *job = call->job;
    const hone__comp *c = &s->comps[call->comp];
    size_t failed = 0, k = 0;
    hone__call *again = NULL;
    for (size_t i = 0; i < call->n; i++)
        failed += res[i].status == HONE_ERROR;
    if (!failed || call->tries >= c->c.retries)
        return HONE_OK;
    HONE_TRY(hone__call_create(c->whole ? call->n : failed, &again));
    for (size_t i = 0; i < call->n; i++) {
        if (!c->whole && res[i].status != HONE_ERROR)
            continue;
        again->index[k] = call->index[i];
        again->in[k] = call->in[i];
        memcpy(again->keys + k * HONE_SCORE_KEY, call->keys + i * HONE_SCORE_KEY, HONE_SCORE_KEY);
        k++;
    }
    hone_log(HONE_LOG_INFO, c->id, "%zu of %zu samples gave errors and are tried again: %.*s",
             failed, call->n, (int)(call->error.code < 0 ? strlen(call->error.what) : 0),
             call->error.what);
    for (size_t i = 0; i < call->n; i++)
        if (c->whole || res[i].status == HONE_ERROR)
            res[i] = (hone_score_result){.status = HONE_PENDING};
    again->comp = call->comp;
    again->tries = call->tries + 1;
    pthread_mutex_lock(&s->lock);
    job->n_retried[call->comp]++;
    hone__job_enqueue(job, again);
    pthread_mutex_unlock(&s->lock);
    return HONE_OK;
}

/* ---- running calls ---------------------------------------------------------------------------------- */

static void unlink_call(hone_score_job *job, hone__call *call)
{
    for (hone__call **at = &job->live; *at; at = &(*at)->next_live) {
        if (*at == call) {
            *at = call->next_live;
            return;
        }
    }
}

/* Runs one call without the lock and hands its results over. Returns 1 when the call had expired. */
static int run_call(hone_scorer *s, hone__call *call)
{
    hone_score_job *job = call->job;
    hone__comp *c = &s->comps[call->comp];
    uint64_t t0 = hone_now_ns();
    const uint32_t was = hone_trail_watch(c->c.watch != 0);
    hone_status st = hone__call_run(call);
    hone_trail_watch(was);
    double seconds = (double)(hone_now_ns() - t0) * 1e-9;
    pthread_mutex_lock(&s->lock);
    int expired = call->state == HONE__CALL_EXPIRED;
    if (!expired) {
        call->state = HONE__CALL_DONE; /* from here the deadline no longer applies */
        call->lane->running--;
        if (job->n_lat[call->comp] < job->max_lat)
            job->lat[call->comp * job->max_lat + job->n_lat[call->comp]++] = seconds;
    }
    pthread_mutex_unlock(&s->lock);
    if (!expired) {
        int late = call->call.deadline_ns && hone_now_ns() > call->call.deadline_ns;
        hone_score_result *res = hone__call_results(call, st, late && c->c.on_control);
        st = res ? try_again(s, call, res) : HONE_E_NOMEM;
        if (res)
            deliver(job, call, res);
        pthread_mutex_lock(&s->lock);
        if (st < 0)
            hone__job_fail(job, hone_fail(st, "no memory for the outcomes of %s", c->id));
        unlink_call(job, call);
        pthread_cond_broadcast(&s->done);
        pthread_cond_broadcast(&s->work); /* a call of the same component may wait for us */
        pthread_mutex_unlock(&s->lock);
    }
    return expired;
}

static int is_aside(const hone__lane *lane)
{
    return lane->set_aside || hone_instance_is_set_aside(lane->l.instance);
}

/* Under the lock: the instance in which a call may run now; it is entered, and hone__call_run leaves it. */
static hone__lane *enter_lane(hone__comp *c)
{
    for (size_t i = 0; i < c->n_lanes; i++) {
        hone__lane *lane = &c->lanes[i];
        /* The same instance may stand under another name here, or in another scorer. */
        if (lane->set_aside || lane->running >= c->limit)
            continue;
        const uint32_t was = hone_trail_watch(c->c.watch != 0);
        const int entered = hone_instance_try_enter(lane->l.instance);
        hone_trail_watch(was);
        if (entered)
            return lane;
    }
    return NULL;
}

/* Under the lock: the next call that may run now, or NULL. */
static hone__call *take(hone_scorer *s, hone__call **head, hone__call ***tail)
{
    for (hone__call **at = head; *at; at = &(*at)->next) {
        hone__call *call = *at;
        hone__comp *c = &s->comps[call->comp];
        hone__lane *lane = enter_lane(c);
        if (!lane)
            continue;
        *at = call->next;
        if (*tail == &call->next)
            *tail = at;
        call->next = NULL;
        lane->running++;
        call->state = HONE__CALL_RUNNING;
        call->lane = lane;
        call->use = lane->l;
        call->call.deadline_ns = hone_now_ns() +
                                 (uint64_t)((c->c.timeout_s > 0 ? c->c.timeout_s : 60.0) * 1e9);
        return call;
    }
    return NULL;
}

static void *worker(void *arg)
{
    hone_scorer *s = arg;
    hone__call_thread_init();
    hone_trace_thread("rewards");
    pthread_mutex_lock(&s->lock);
    for (;;) {
        hone__call *call = take(s, &s->queue, &s->queue_tail);
        if (call) {
            pthread_mutex_unlock(&s->lock);
            hone_pin_keep(1); /* as long as there is one call after another */
            int expired = run_call(s, call);
            pthread_mutex_lock(&s->lock);
            hone__call_free(call);
            if (expired) {
                /* This thread was replaced while the call hung: it ends here. */
                __atomic_sub_fetch(&lost_calls, 1, __ATOMIC_ACQ_REL);
                hone__scorer_unref(s);
                return NULL;
            }
            continue;
        }
        hone_pin_keep(0);
        if (s->stopping)
            break;
        if (!s->queue) {
            pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        /* what waits may wait for an instance that another scorer is in */
        (void)hone_cond_wait_ns(&s->work, &s->lock, LOOK_NS);
    }
    s->n_alive--;
    pthread_cond_broadcast(&s->done);
    hone__scorer_unref(s);
    return NULL;
}

/* Under the lock, which it drops: a queued call of a component whose instances were all set aside gives errors. They
 * may still be inside the calls that hang, so they must not be entered. */
static void refuse(hone_score_job *job, hone__call *call)
{
    static const char why[] = "its instance was set aside after a call that never returned";
    hone_scorer *s = job->s;
    for (hone__call **at = &s->queue; *at; at = &(*at)->next) {
        if (*at != call)
            continue;
        *at = call->next;
        if (s->queue_tail == &call->next)
            s->queue_tail = at;
        break;
    }
    unlink_call(job, call);
    pthread_mutex_unlock(&s->lock);
    hone_score_result *res = hone_calloc(call->n, sizeof *res);
    for (size_t i = 0; res && i < call->n; i++) {
        res[i].status = HONE_ERROR;
        res[i].reason = (hone_str){why, sizeof why - 1};
    }
    if (res)
        deliver(job, call, res);
    hone_free(res);
    pthread_mutex_lock(&s->lock);
    if (!res)
        hone__job_fail(job, hone_fail(HONE_E_NOMEM, "no memory for the outcomes of a reward"));
    hone__call_free(call);
}

static int all_aside(const hone__comp *c)
{
    for (size_t i = 0; i < c->n_lanes; i++)
        if (!is_aside(&c->lanes[i]))
            return 0;
    return 1;
}

/* Under the lock: what has passed its deadline gives timeout, its thread is given up, its instance set aside. */
static void enforce_deadlines(hone_score_job *job)
{
    hone_scorer *s = job->s;
    uint64_t now = hone_now_ns();
    for (hone__call *call = job->live, *next; call; call = next) {
        next = call->next_live;
        hone__comp *c = &s->comps[call->comp];
        if (call->state == HONE__CALL_QUEUED && all_aside(c)) {
            refuse(job, call);
            next = job->live;
            continue;
        }
        uint64_t end = call->call.deadline_ns;
        if (call->state == HONE__CALL_RUNNING && hone_instance_is_boxed(call->use.instance))
            end += BOX_GRACE_NS; /* its box is killed at the deadline, and the call comes back */
        if (call->state != HONE__CALL_RUNNING || c->c.on_control || now <= end)
            continue;
        call->state = HONE__CALL_EXPIRED;
        __atomic_store_n(&call->cancel_word, 1, __ATOMIC_RELEASE);
        unlink_call(job, call);
        call->refs++;
        job->refs++;
        s->n_alive--;
        uint32_t lost = __atomic_add_fetch(&lost_calls, 1, __ATOMIC_ACQ_REL);
        hone_log(HONE_LOG_WARN, c->id,
                 "a call for %zu samples passed its deadline of %g s and is given up", call->n,
                 c->c.timeout_s > 0 ? c->c.timeout_s : 60.0);
        if (lost > MAX_LOST) {
            hone_status st = hone_fail(HONE_E_TIMEOUT,
                                       "reward %s: %u calls hang and never returned", c->id, lost);
            hone_fail_hint(
                "the reward loops or waits without end; look at it with: hone score --reward %s",
                c->id);
            hone__job_fail(job, st);
        } else if (hone__scorer_spawn(s) < 0) {
            hone__job_fail(job, HONE_E_FAIL);
        }
        call->lane->running--;
        if (!(c->c.caps & HONE_CAP_REENTRANT)) {
            hone_instance_set_aside(call->use.instance);
            if (!c->c.renew || c->c.renew(c->c.renew_ctx, &call->lane->l) < 0)
                call->lane->set_aside = 1;
        }
        pthread_mutex_unlock(&s->lock);
        hone_score_result *res = hone__call_expired_results(call);
        if (res)
            deliver(job, call, res);
        hone__call_free_results(res, call->n);
        pthread_mutex_lock(&s->lock);
        if (!res) /* its samples stay without an outcome: whoever waits must not */
            hone__job_fail(job, hone_fail(HONE_E_NOMEM, "no memory for the outcomes of %s", c->id));
        hone__call_free(call);
        pthread_cond_broadcast(&s->work);
        next = job->live; /* the list may have changed meanwhile */
    }
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

/* Under the lock; drops it while a call runs. 1 when something ran. */
static int run_control(hone_scorer *s)
{
    hone__call *call = take(s, &s->control, &s->control_tail);
    if (!call)
        return 0;
    pthread_mutex_unlock(&s->lock);
    run_call(s, call);
    pthread_mutex_lock(&s->lock);
    hone__call_free(call);
    return 1;
}

hone_status hone_score_poll(hone_score_job *job)
{
    hone_scorer *s = job->s;
    pthread_mutex_lock(&s->lock);
    while (job->failed >= 0 && run_control(s))
        ;
    enforce_deadlines(job);
    hone_status st = job->failed;
    pthread_mutex_unlock(&s->lock);
    if (desk.pump)
        desk.pump(desk.ctx, 0);
    if (pump.pump)
        pump.pump(pump.ctx, 0);
    return st < 0 ? hone_error_set(&job->error) : HONE_OK;
}

hone_status hone_score_wait(hone_score_job *job)
{
    hone_scorer *s = job->s;
    for (size_t i = 0; i < job->p.n_samples; i++) {
        if (!job->present[i])
            return hone_fail(HONE_E_STATE, "sample %zu was never handed in", i);
    }
    pthread_mutex_lock(&s->lock);
    while (job->failed >= 0 && job->pending > 0) {
        if (run_control(s))
            continue;
        enforce_deadlines(job);
        if (job->pending == 0 || job->failed < 0)
            break;
        if (pump.pump || desk.pump) {
            pthread_mutex_unlock(&s->lock);
            if (desk.pump)
                desk.pump(desk.ctx, 1000000);
            if (pump.pump)
                pump.pump(pump.ctx, 1000000);
            pthread_mutex_lock(&s->lock);
        }
        if (job->pending > 0)
            (void)hone_cond_wait_ns(&s->done, &s->lock, pump.pump || desk.pump ? 200000 : LOOK_NS);
    }
    hone_status st = job->failed < 0 ? hone_error_set(&job->error) : hone__job_check_failures(job);
    pthread_mutex_unlock(&s->lock);
    return st;
}

void hone_score_end(hone_score_job *job)
{
    if (!job)
        return;
    hone_scorer *s = job->s;
    pthread_mutex_lock(&s->lock);
    /* Control calls that never ran (the job failed) are dropped; worker calls finish by themselves. */
    for (hone__call **at = &s->control; *at;) {
        hone__call *call = *at;
        if (call->job != job) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        if (s->control_tail == &call->next)
            s->control_tail = at;
        unlink_call(job, call);
        hone__call_free(call);
    }
    for (hone__call **at = &s->queue; *at;) {
        hone__call *call = *at;
        if (call->job != job) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        if (s->queue_tail == &call->next)
            s->queue_tail = at;
        unlink_call(job, call);
        hone__call_free(call);
    }
    while (job->live) {
        enforce_deadlines(job);
        if (job->live && desk.pump) { /* a call may wait for an answer of a model */
            pthread_mutex_unlock(&s->lock);
            desk.pump(desk.ctx, 0);
            pthread_mutex_lock(&s->lock);
        }
        if (!job->live)
            break;
        (void)hone_cond_wait_ns(&s->done, &s->lock, LOOK_NS);
    }
    int last = --job->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        hone__job_free(job);
}
