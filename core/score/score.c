/* score.c - the scheduler of score.h: workers, batches, deadlines.
 *
 * One lock guards the queues; it is never held while a plugin runs. A call record owns everything the plugin
 * may touch (samples by a reference to the job, outcomes, notes), so a call that returns after its deadline
 * writes only to memory that nobody reads. States of a call: QUEUED -> RUNNING -> DONE, or RUNNING -> EXPIRED
 * (by the control thread) -> freed when it returns at last. */
#include "score/score.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "score/call.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_LOST 4
#define ERROR_LIMIT_MIN_SAMPLES 64 /* of which a share means something */
#define ALL_FAILED_SAMPLES 16      /* all of them: it does not work */

typedef struct component {
    hone_score_component c;
    char *id;
    int busy;      /* a call of a component that is not REENTRANT runs */
    int set_aside; /* its instance never came back and could not be renewed */
    uint64_t n_samples, n_failed;
} component;

struct hone_scorer {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    component *comps;
    size_t n_comps;
    hone__call *queue, **queue_tail;     /* for workers */
    hone__call *control, **control_tail; /* for the control thread */
    uint32_t n_workers, n_alive, refs;
    int stopping;
    uint64_t next_call;
};

struct hone_score_job {
    hone_scorer *s;
    hone_score_params p;
    hone_arena arena;
    hone_sample *samples;
    uint8_t *present;
    hone_score_result *results; /* n_comps x n_samples */
    uint8_t *have;              /* n_comps x n_samples: result is there */
    hone__call *live;           /* calls queued or running */
    size_t pending;             /* results still missing among handed-in samples */
    hone_status failed;
    hone_error error;
    double *lat; /* n_comps x max calls */
    size_t *n_lat;
    size_t max_lat;
    uint32_t refs;
};

static hone_score_pump pump;
static uint32_t lost_calls;

void hone_score_set_pump(const hone_score_pump *p)
{
    if (p)
        pump = *p;
    else
        memset(&pump, 0, sizeof pump);
}

uint32_t hone_score_lost(void)
{
    return __atomic_load_n(&lost_calls, __ATOMIC_ACQUIRE);
}

/* ---- life of scorer and job ------------------------------------------------------------------------- */

static void scorer_unref(hone_scorer *s)
{
    /* under the lock */
    int last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    for (size_t i = 0; i < s->n_comps; i++)
        hone_free(s->comps[i].id);
    hone_free(s->comps);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    hone_free(s);
}

static void job_free(hone_score_job *job)
{
    hone_arena_release(&job->arena);
    hone_free(job->samples);
    hone_free(job->present);
    hone_free(job->results);
    hone_free(job->have);
    hone_free(job->lat);
    hone_free(job->n_lat);
    hone_free(job);
}

static void call_free(hone__call *call)
{
    hone_score_job *job = call->job;
    hone__call_release(call);
    if (--job->refs == 0)
        job_free(job);
}

static void *worker(void *arg);

static hone_status spawn(hone_scorer *s)
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

hone_status hone_scorer_create(const hone_score_component *comps, size_t n, uint32_t n_workers,
                               hone_scorer **out)
{
    hone_scorer *s = hone_calloc(1, sizeof *s);
    if (!s)
        return HONE_E_NOMEM;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &attr);
    pthread_cond_init(&s->done, &attr);
    pthread_condattr_destroy(&attr);
    s->refs = 1;
    s->queue_tail = &s->queue;
    s->control_tail = &s->control;
    s->comps = hone_calloc(n ? n : 1, sizeof *s->comps);
    hone_status st = s->comps ? HONE_OK : HONE_E_NOMEM;
    int any_worker = 0;
    for (size_t i = 0; st >= 0 && i < n; i++) {
        s->comps[i].c = comps[i];
        s->comps[i].id = hone_strdup(comps[i].id);
        s->comps[i].c.id = s->comps[i].id;
        s->n_comps = i + 1;
        if (!s->comps[i].id)
            st = HONE_E_NOMEM;
        if (!comps[i].vt ||
            (!comps[i].vt->score && !HONE_HAS(comps[i].vt, hone_reward_v1, score_tokens) &&
             !HONE_HAS(comps[i].vt, hone_reward_v1, score_groups)))
            st = hone_fail(HONE_E_INVALID, "reward %s offers no way to score", comps[i].id);
        if (!comps[i].on_control)
            any_worker = 1;
    }
    s->n_workers = n_workers ? n_workers : 1;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; st >= 0 && any_worker && i < s->n_workers; i++)
        st = spawn(s);
    pthread_mutex_unlock(&s->lock);
    if (st < 0) {
        hone_scorer_destroy(s);
        return st;
    }
    *out = s;
    return HONE_OK;
}

void hone_scorer_destroy(hone_scorer *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = 1;
    pthread_cond_broadcast(&s->work);
    while (s->n_alive > 0)
        pthread_cond_wait(&s->done, &s->lock);
    scorer_unref(s); /* lost threads keep it alive until they return */
}

size_t hone_scorer_count(const hone_scorer *s)
{
    return s->n_comps;
}

const hone_score_component *hone_scorer_component(const hone_scorer *s, size_t i)
{
    return &s->comps[i].c;
}

hone_status hone_score_begin(hone_scorer *s, const hone_score_params *p, hone_score_job **out)
{
    hone_score_job *job = hone_calloc(1, sizeof *job);
    if (!job)
        return HONE_E_NOMEM;
    size_t n = p->n_samples, cells = 0;
    job->s = s;
    job->p = *p;
    job->refs = 1;
    if (job->p.group_size == 0)
        job->p.group_size = 1;
    hone_arena_init(&job->arena, (size_t)8 << 30);
    job->max_lat = n + 1;
    if (!hone_mul_size(n ? n : 1, s->n_comps ? s->n_comps : 1, &cells)) {
        job_free(job);
        return hone_fail(HONE_E_LIMIT, "%zu samples are too many for one job", n);
    }
    job->samples = hone_calloc(n ? n : 1, sizeof *job->samples);
    job->present = hone_calloc(n ? n : 1, 1);
    job->results = hone_calloc(cells, sizeof *job->results);
    job->have = hone_calloc(cells, 1);
    job->lat = hone_calloc(cells + s->n_comps + 1, sizeof *job->lat);
    job->n_lat = hone_calloc(s->n_comps + 1, sizeof *job->n_lat);
    if (!job->samples || !job->present || !job->results || !job->have || !job->lat || !job->n_lat) {
        job_free(job);
        return HONE_E_NOMEM;
    }
    *out = job;
    return HONE_OK;
}

/* ---- results ---------------------------------------------------------------------------------------- */

static void job_fail(hone_score_job *job, hone_status st)
{
    if (job->failed >= 0) {
        job->failed = st;
        job->error = *hone_error_get();
    }
}

/* Under the lock: one result becomes final. The first one wins. */
static void settle(hone_score_job *job, size_t ci, size_t si, const hone_score_result *r)
{
    size_t cell = ci * job->p.n_samples + si;
    if (job->have[cell])
        return;
    hone_score_result *to = &job->results[cell];
    *to = *r;
    to->notes = hone_arena_str(&job->arena, r->notes);
    to->reason = hone_arena_str(&job->arena, r->reason);
    to->token_scores = NULL;
    if (r->n_token_scores) {
        float *t = hone_arena_alloc(&job->arena, r->n_token_scores * sizeof *t);
        if (t)
            memcpy(t, r->token_scores, r->n_token_scores * sizeof *t);
        to->token_scores = t;
        to->n_token_scores = t ? r->n_token_scores : 0;
    }
    job->have[cell] = 1;
    job->pending--;
    component *c = &job->s->comps[ci];
    c->n_samples++;
    if (r->status == HONE_ERROR || r->status == HONE_TIMEOUT)
        c->n_failed++;
}

/* Journals what a finished call answered, then makes it readable. Takes the lock. */
static void deliver(hone_score_job *job, hone__call *call, const hone_score_result *res)
{
    hone_scorer *s = job->s;
    hone_status st = HONE_OK;
    if (job->p.journal) {
        hone_journal_record *recs = hone_calloc(call->n, sizeof *recs);
        if (!recs)
            st = HONE_E_NOMEM;
        for (size_t i = 0; st >= 0 && i < call->n; i++) {
            recs[i].step = job->p.step;
            recs[i].sample = job->p.first_sample + call->index[i];
            recs[i].component = s->comps[call->comp].id;
            recs[i].status = res[i].status;
            recs[i].score = res[i].score;
            recs[i].notes = res[i].notes;
            recs[i].reason = res[i].reason;
            recs[i].token_scores = res[i].token_scores;
            recs[i].n_token_scores = res[i].n_token_scores;
        }
        if (st >= 0)
            st = hone_journal_put(job->p.journal, recs, call->n);
        hone_free(recs);
    }
    pthread_mutex_lock(&s->lock);
    if (st < 0)
        job_fail(job, st);
    for (size_t i = 0; i < call->n; i++)
        settle(job, call->comp, call->index[i], &res[i]);
    pthread_mutex_unlock(&s->lock);
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
    component *c = &s->comps[call->comp];
    uint64_t t0 = hone_now_ns();
    hone_status st = hone__call_run(call);
    double seconds = (double)(hone_now_ns() - t0) * 1e-9;
    pthread_mutex_lock(&s->lock);
    int expired = call->state == HONE__CALL_EXPIRED;
    if (!expired) {
        call->state = HONE__CALL_DONE; /* from here the deadline no longer applies */
        c->busy = 0;
        if (job->n_lat[call->comp] < job->max_lat)
            job->lat[call->comp * job->max_lat + job->n_lat[call->comp]++] = seconds;
    }
    pthread_mutex_unlock(&s->lock);
    if (!expired) {
        int late = call->call.deadline_ns && hone_now_ns() > call->call.deadline_ns;
        hone_score_result *res = hone__call_results(call, st, late && c->c.on_control);
        if (res)
            deliver(job, call, res);
        pthread_mutex_lock(&s->lock);
        if (!res)
            job_fail(job, hone_fail(HONE_E_NOMEM, "no memory for the outcomes of %s", c->id));
        unlink_call(job, call);
        pthread_cond_broadcast(&s->done);
        pthread_cond_broadcast(&s->work); /* a call of the same component may wait for us */
        pthread_mutex_unlock(&s->lock);
    }
    return expired;
}

/* Under the lock: the next call that may run now, or NULL. Its instance is entered; hone__call_run leaves it. */
static hone__call *take(hone_scorer *s, hone__call **head, hone__call ***tail)
{
    for (hone__call **at = head; *at; at = &(*at)->next) {
        hone__call *call = *at;
        component *c = &s->comps[call->comp];
        if (c->set_aside || (c->busy && !(c->c.caps & HONE_CAP_REENTRANT)))
            continue;
        /* The same instance may stand under another name here, or in another scorer. */
        if (!hone_instance_try_enter(c->c.instance))
            continue;
        *at = call->next;
        if (*tail == &call->next)
            *tail = at;
        call->next = NULL;
        c->busy = 1;
        call->state = HONE__CALL_RUNNING;
        call->vt = c->c.vt;
        call->self = c->c.self;
        call->instance = c->c.instance;
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
    pthread_mutex_lock(&s->lock);
    for (;;) {
        hone__call *call = take(s, &s->queue, &s->queue_tail);
        if (call) {
            pthread_mutex_unlock(&s->lock);
            int expired = run_call(s, call);
            pthread_mutex_lock(&s->lock);
            call_free(call);
            if (expired) {
                /* This thread was replaced while the call hung: it ends here. */
                __atomic_sub_fetch(&lost_calls, 1, __ATOMIC_ACQ_REL);
                scorer_unref(s);
                return NULL;
            }
            continue;
        }
        if (s->stopping)
            break;
        if (!s->queue) {
            pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        struct timespec ts; /* what waits may wait for an instance that another scorer is in */
        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_nsec += 20000000;
        if (ts.tv_nsec >= 1000000000) {
            ts.tv_sec++;
            ts.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&s->work, &s->lock, &ts);
    }
    s->n_alive--;
    pthread_cond_broadcast(&s->done);
    scorer_unref(s);
    return NULL;
}

/* Under the lock, which it drops: a queued call of an instance that was set aside gives errors. The instance
 * may still be inside the call that hangs, so it must not be entered. */
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
        job_fail(job, hone_fail(HONE_E_NOMEM, "no memory for the outcomes of a reward"));
    call_free(call);
}

/* Under the lock: what has passed its deadline gives timeout, its thread is given up, its instance set aside. */
static void enforce_deadlines(hone_score_job *job)
{
    hone_scorer *s = job->s;
    uint64_t now = hone_now_ns();
    for (hone__call *call = job->live, *next; call; call = next) {
        next = call->next_live;
        component *c = &s->comps[call->comp];
        if (call->state == HONE__CALL_QUEUED &&
            (c->set_aside || hone_instance_is_set_aside(c->c.instance))) {
            refuse(job, call);
            next = job->live;
            continue;
        }
        if (call->state != HONE__CALL_RUNNING || c->c.on_control || now <= call->call.deadline_ns)
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
            job_fail(job, st);
        } else if (spawn(s) < 0) {
            job_fail(job, HONE_E_FAIL);
        }
        if (!(c->c.caps & HONE_CAP_REENTRANT)) {
            hone_instance_set_aside(c->c.instance);
            if (!c->c.renew || c->c.renew(c->c.renew_ctx, &c->c) < 0)
                c->set_aside = 1;
            c->busy = 0;
        }
        pthread_mutex_unlock(&s->lock);
        hone_score_result *res = hone__call_expired_results(call);
        if (res)
            deliver(job, call, res);
        hone__call_free_results(res, call->n);
        pthread_mutex_lock(&s->lock);
        if (!res) /* its samples stay without an outcome: whoever waits must not */
            job_fail(job, hone_fail(HONE_E_NOMEM, "no memory for the outcomes of %s", c->id));
        call_free(call);
        pthread_cond_broadcast(&s->work);
        next = job->live; /* the list may have changed meanwhile */
    }
}

/* ---- handing in ------------------------------------------------------------------------------------- */

static hone_status copy_sample(hone_arena *a, const hone_sample *in, hone_sample *out)
{
    *out = *in;
    out->prompt = hone_arena_str(a, in->prompt);
    out->completion = hone_arena_str(a, in->completion);
    hone_message *m = hone_arena_calloc(a, in->n_messages ? in->n_messages : 1, sizeof *m);
    hone_column *cols = hone_arena_calloc(a, in->n_columns ? in->n_columns : 1, sizeof *cols);
    int32_t *tok = hone_arena_calloc(a, in->n_tokens ? in->n_tokens : 1, sizeof *tok);
    if (!m || !cols || !tok)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < in->n_messages; i++) {
        m[i].role = hone_arena_str(a, in->messages[i].role);
        m[i].content = hone_arena_str(a, in->messages[i].content);
    }
    for (size_t i = 0; i < in->n_columns; i++) {
        cols[i].name = hone_arena_str(a, in->columns[i].name);
        HONE_TRY(hone_value_copy(a, &in->columns[i].value, &cols[i].value));
    }
    if (in->n_tokens)
        memcpy(tok, in->tokens, in->n_tokens * sizeof *tok);
    out->messages = m;
    out->columns = cols;
    out->tokens = tok;
    if (in->logprobs) {
        float *lp = hone_arena_calloc(a, in->n_tokens ? in->n_tokens : 1, sizeof *lp);
        if (!lp)
            return HONE_E_NOMEM;
        memcpy(lp, in->logprobs, in->n_tokens * sizeof *lp);
        out->logprobs = lp;
    }
    return HONE_OK;
}

/* Under the lock: a call of component ci over samples [from, to) that have no outcome yet. */
static hone_status dispatch(hone_score_job *job, size_t ci, size_t from, size_t to)
{
    hone_scorer *s = job->s;
    component *c = &s->comps[ci];
    size_t missing = 0;
    for (size_t i = from; i < to; i++) {
        hone_journal_record rec;
        if (job->p.journal &&
            hone_journal_get(job->p.journal, job->p.step, job->p.first_sample + i, c->id, &rec)) {
            hone_score_result r = {rec.status, rec.score,        rec.notes,
                                   rec.reason, rec.token_scores, rec.n_token_scores};
            settle(job, ci, i, &r);
        } else {
            missing++;
        }
    }
    if (missing == 0)
        return HONE_OK;
    /* A plugin whose answers depend on the company of samples sees the same company after a resume. */
    int whole = !(c->c.caps & HONE_CAP_BATCH_INVARIANT);
    hone__call *call = NULL;
    HONE_TRY(hone__call_create(whole ? to - from : missing, &call));
    size_t k = 0;
    for (size_t i = from; i < to; i++) {
        if (whole || !job->have[ci * job->p.n_samples + i]) {
            call->index[k] = i;
            call->in[k++] = job->samples[i];
        }
    }
    call->job = job;
    call->comp = ci;
    call->call.id = ++s->next_call;
    job->refs++;
    call->next_live = job->live;
    job->live = call;
    if (c->c.on_control) {
        *s->control_tail = call;
        s->control_tail = &call->next;
    } else {
        *s->queue_tail = call;
        s->queue_tail = &call->next;
        pthread_cond_signal(&s->work);
    }
    return HONE_OK;
}

hone_status hone_score_add(hone_score_job *job, size_t index, const hone_sample *sample_bor)
{
    hone_scorer *s = job->s;
    if (index >= job->p.n_samples)
        return hone_fail(HONE_E_RANGE, "sample %zu of %zu", index, job->p.n_samples);
    pthread_mutex_lock(&s->lock);
    hone_status st = HONE_OK;
    if (job->present[index])
        st = hone_fail(HONE_E_STATE, "sample %zu was handed in twice", index);
    if (st >= 0)
        st = copy_sample(&job->arena, sample_bor, &job->samples[index]);
    if (st >= 0) {
        job->present[index] = 1;
        job->pending += s->n_comps;
        size_t g = job->p.group_size, from = index / g * g;
        size_t to = from + g < job->p.n_samples ? from + g : job->p.n_samples;
        int whole = 1;
        for (size_t i = from; i < to; i++)
            whole &= job->present[i];
        for (size_t ci = 0; st >= 0 && ci < s->n_comps; ci++) {
            const hone_score_component *c = &s->comps[ci].c;
            int single = (c->caps & HONE_CAP_BATCH_INVARIANT) && (c->caps & HONE_CAP_SLOW) &&
                         !HONE_HAS(c->vt, hone_reward_v1, score_groups);
            if (single)
                st = dispatch(job, ci, index, index + 1);
            else if (whole)
                st = dispatch(job, ci, from, to);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return st;
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
    call_free(call);
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
    if (pump.pump)
        pump.pump(pump.ctx, 0);
    return st < 0 ? hone_error_set(&job->error) : HONE_OK;
}

static hone_status check_failures(hone_score_job *job)
{
    double limit = job->p.error_limit;
    for (size_t ci = 0; ci < job->s->n_comps && limit < 1; ci++) {
        component *c = &job->s->comps[ci];
        int all = c->n_samples >= ALL_FAILED_SAMPLES && c->n_failed == c->n_samples;
        if (!all && (c->n_samples < ERROR_LIMIT_MIN_SAMPLES ||
                     (double)c->n_failed <= limit * (double)c->n_samples))
            continue;
        hone_str why = {"", 0};
        for (size_t i = 0; i < job->p.n_samples; i++) {
            const hone_score_result *r = &job->results[ci * job->p.n_samples + i];
            if ((r->status == HONE_ERROR || r->status == HONE_TIMEOUT) && r->reason.len)
                why = r->reason;
        }
        hone_status st = hone_fail(HONE_E_FAIL, "reward %s failed on %llu of %llu samples", c->id,
                                   (unsigned long long)c->n_failed,
                                   (unsigned long long)c->n_samples);
        hone_fail_detail("the last reason: %.*s", (int)(why.len < 700 ? why.len : 700), why.ptr);
        hone_fail_hint("try it alone with: hone score --reward %s --data FILE; the share that may "
                       "fail is error_limit (%g)",
                       c->id, limit);
        return st;
    }
    return HONE_OK;
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
        if (pump.pump) {
            pthread_mutex_unlock(&s->lock);
            pump.pump(pump.ctx, 1000000);
            pthread_mutex_lock(&s->lock);
        }
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_nsec += pump.pump ? 200000 : 20000000; /* 20 ms: how often deadlines are looked at */
        if (ts.tv_nsec >= 1000000000) {
            ts.tv_sec++;
            ts.tv_nsec -= 1000000000;
        }
        if (job->pending > 0)
            pthread_cond_timedwait(&s->done, &s->lock, &ts);
    }
    hone_status st = job->failed < 0 ? hone_error_set(&job->error) : check_failures(job);
    pthread_mutex_unlock(&s->lock);
    return st;
}

const hone_score_result *hone_score_get(const hone_score_job *job, size_t component_index,
                                        size_t sample)
{
    return &job->results[component_index * job->p.n_samples + sample];
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void hone_score_latency(const hone_score_job *job, size_t ci, double *p50_s, double *p95_s)
{
    size_t n = job->n_lat[ci];
    double *v = job->lat + ci * job->max_lat;
    *p50_s = *p95_s = 0;
    if (n == 0)
        return;
    qsort(v, n, sizeof *v, by_double);
    *p50_s = v[(n - 1) / 2];
    *p95_s = v[(n * 95 + 99) / 100 - 1];
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
        call_free(call);
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
        call_free(call);
    }
    while (job->live) {
        enforce_deadlines(job);
        if (!job->live)
            break;
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_sec += 1;
        pthread_cond_timedwait(&s->done, &s->lock, &ts);
    }
    int last = --job->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        job_free(job);
}
