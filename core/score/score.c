/* score.c - scorers and jobs of score.h: which samples go into which call.
 *
 * A sample becomes ready for a component when it is there and its gate (if any) has spoken. A component that is
 * BATCH_INVARIANT gets what is ready, in calls of its batch size; any other one gets whole groups, always the
 * same, so that what a plugin sees together never depends on who finished first or on a resume. What the journal
 * or the cache knows is not asked again. */
#include "score/job.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_LIMIT_MIN_SAMPLES 64 /* of which a share means something */
#define ALL_FAILED_SAMPLES 16      /* all of them: it does not work */
#define SLOW_CALLS 16              /* at once, of a REENTRANT component that is SLOW */
#define MAX_WORKERS 64

/* ---- life of a scorer ------------------------------------------------------------------------------- */

void hone__scorer_unref(hone_scorer *s)
{
    int last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    for (size_t i = 0; i < s->n_comps; i++) {
        hone_free(s->comps[i].id);
        hone_free(s->comps[i].lanes);
    }
    hone_free(s->comps);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    hone_free(s);
}

static int can_score(const hone_reward_v1 *vt)
{
    return vt && (vt->score || HONE_HAS(vt, hone_reward_v1, score_tokens) ||
                  HONE_HAS(vt, hone_reward_v1, score_groups));
}

static hone_status set_up(hone__comp *c, const hone_score_component *from)
{
    c->c = *from;
    c->gate = HONE__NONE;
    c->id = hone_strdup(from->id);
    c->c.id = c->id;
    c->n_lanes = 1 + from->n_more;
    c->lanes = hone_calloc(c->n_lanes, sizeof *c->lanes);
    if (!c->id || !c->lanes)
        return HONE_E_NOMEM;
    c->lanes[0].l = from->lane;
    for (size_t i = 1; i < c->n_lanes; i++)
        c->lanes[i].l = from->more[i - 1];
    c->c.more = NULL;
    if (from->watch)
        c->c.weight = 0;
    for (size_t i = 0; i < c->n_lanes; i++)
        if (!can_score(c->lanes[i].l.vt))
            return hone_fail(HONE_E_INVALID, "reward %s offers no way to score", from->id);
    int slow = (from->caps & HONE_CAP_SLOW) != 0;
    int groups = HONE_HAS(from->lane.vt, hone_reward_v1, score_groups);
    c->whole = groups || !(from->caps & HONE_CAP_BATCH_INVARIANT);
    c->batch = from->batch ? from->batch : slow ? 1 : 0;
    if (!(from->caps & HONE_CAP_REENTRANT))
        c->limit = 1;
    else
        c->limit = from->concurrency ? from->concurrency : slow ? SLOW_CALLS : UINT32_MAX;
    if (from->n_more && (from->on_control || (from->caps & HONE_CAP_STATEFUL))) {
        hone_fail(HONE_E_INVALID, "reward %s: several calls at once are not possible", from->id);
        return hone_fail_hint(from->on_control
                                  ? "a reward written in Lua runs on one thread: leave "
                                    "concurrency out"
                                  : "it is STATEFUL, so what it answers depends on the order of "
                                    "calls: leave concurrency out");
    }
    if (from->batch && c->whole) {
        hone_fail(HONE_E_INVALID, "reward %s: its batches cannot be chosen", from->id);
        return hone_fail_hint("it is not BATCH_INVARIANT or looks at groups, so it always sees "
                              "whole groups: leave batch out");
    }
    if (c->whole)
        c->batch = 0;
    if (from->cache && (c->whole || !(from->caps & HONE_CAP_PURE))) {
        hone_fail(HONE_E_INVALID, "reward %s: its outcomes cannot be remembered", from->id);
        return hone_fail_hint("only those of a component that is PURE and BATCH_INVARIANT depend "
                              "on the sample alone: leave cache out");
    }
    return HONE_OK;
}

static hone_status find_gates(hone_scorer *s)
{
    for (size_t i = 0; i < s->n_comps; i++) {
        hone__comp *c = &s->comps[i];
        for (size_t k = 0; c->c.gate && k < s->n_comps; k++)
            if (strcmp(s->comps[k].id, c->c.gate) == 0)
                c->gate = k;
        if (c->gate != HONE__NONE && s->comps[c->gate].c.watch && !c->c.watch) {
            hone_fail(HONE_E_INVALID, "reward %s: its gate \"%s\" only watches", c->id, c->c.gate);
            return hone_fail_hint("what watch = true says is seen by nothing that trains");
        }
        if (c->c.gate && c->gate == HONE__NONE) {
            hone_fail(HONE_E_INVALID, "reward %s: its gate \"%s\" is not among the rewards", c->id,
                      c->c.gate);
            return hone_fail_hint("give the rewards one list, with the gate in it (weight = 0 if "
                                  "it is nothing but a gate)");
        }
        if (c->c.gate && !(isfinite(c->c.gate_at) && isfinite(c->c.otherwise)))
            return hone_fail(HONE_E_INVALID, "reward %s: the numbers of its gate are not finite",
                             c->id);
    }
    for (size_t i = 0; i < s->n_comps; i++) {
        size_t steps = 0;
        for (size_t k = s->comps[i].gate; k != HONE__NONE; k = s->comps[k].gate)
            if (steps++ > s->n_comps)
                return hone_fail(HONE_E_INVALID, "reward %s: it waits for itself as its gate",
                                 s->comps[i].id);
    }
    for (size_t i = 0; i < s->n_comps; i++)
        s->comps[i].c.gate = NULL; /* the number is enough; the text is the caller's */
    return HONE_OK;
}

/* As many as can be used at once. */
static uint32_t useful_workers(const hone_scorer *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_comps; i++) {
        const hone__comp *c = &s->comps[i];
        if (!c->c.on_control)
            n += c->n_lanes * (uint64_t)(c->limit == UINT32_MAX ? 1 : c->limit);
    }
    return n > MAX_WORKERS ? MAX_WORKERS : n < 2 ? 2 : (uint32_t)n;
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
        s->n_comps = i + 1;
        st = set_up(&s->comps[i], &comps[i]);
        if (!comps[i].on_control)
            any_worker = 1;
    }
    if (st >= 0)
        st = find_gates(s);
    s->n_workers = n_workers ? n_workers : useful_workers(s);
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; st >= 0 && any_worker && i < s->n_workers; i++)
        st = hone__scorer_spawn(s);
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
    hone__scorer_unref(s); /* lost threads keep it alive until they return */
}

size_t hone_scorer_count(const hone_scorer *s)
{
    return s->n_comps;
}

const hone_score_component *hone_scorer_component(const hone_scorer *s, size_t i)
{
    return &s->comps[i].c;
}

/* ---- life of a job ---------------------------------------------------------------------------------- */

void hone__job_free(hone_score_job *job)
{
    hone_arena_release(&job->arena);
    hone_free(job->samples);
    hone_free(job->present);
    hone_free(job->results);
    hone_free(job->have);
    hone_free(job->gate);
    hone_free(job->ready);
    hone_free(job->seen);
    hone_free(job->n_ready);
    hone_free(job->n_seen);
    hone_free(job->n_cached);
    hone_free(job->n_retried);
    hone_free(job->lat);
    hone_free(job->n_lat);
    hone_free(job);
}

hone_status hone_score_begin(hone_scorer *s, const hone_score_params *p, hone_score_job **out)
{
    hone_score_job *job = hone_calloc(1, sizeof *job);
    if (!job)
        return HONE_E_NOMEM;
    size_t n = p->n_samples, nc = s->n_comps ? s->n_comps : 1, cells = 0;
    job->s = s;
    job->p = *p;
    job->refs = 1;
    if (job->p.group_size == 0)
        job->p.group_size = 1;
    job->n_groups = n / job->p.group_size + (n % job->p.group_size != 0);
    hone_arena_init(&job->arena, (size_t)8 << 30);
    if (!hone_mul_size(n ? n : 1, nc, &cells)) {
        hone__job_free(job);
        return hone_fail(HONE_E_LIMIT, "%zu samples are too many for one job", n);
    }
    job->max_lat = n + 1;
    job->samples = hone_calloc(n ? n : 1, sizeof *job->samples);
    job->present = hone_calloc(n ? n : 1, 1);
    job->results = hone_calloc(cells, sizeof *job->results);
    job->have = hone_calloc(cells, 1);
    job->gate = hone_calloc(cells, 1);
    job->ready = hone_calloc(cells, sizeof *job->ready);
    job->seen = hone_calloc(cells, sizeof *job->seen);
    job->n_ready = hone_calloc(nc, sizeof *job->n_ready);
    job->n_seen = hone_calloc(nc, sizeof *job->n_seen);
    job->n_cached = hone_calloc(nc, sizeof *job->n_cached);
    job->n_retried = hone_calloc(nc, sizeof *job->n_retried);
    job->lat = hone_calloc(cells + nc, sizeof *job->lat);
    job->n_lat = hone_calloc(nc, sizeof *job->n_lat);
    if (!job->samples || !job->present || !job->results || !job->have || !job->gate ||
        !job->ready || !job->seen || !job->n_ready || !job->n_seen || !job->n_cached ||
        !job->n_retried || !job->lat || !job->n_lat) {
        hone__job_free(job);
        return HONE_E_NOMEM;
    }
    *out = job;
    return HONE_OK;
}

/* ---- gates ------------------------------------------------------------------------------------------ */

hone_score_result hone__job_kept_out(const hone_score_job *job, size_t ci, size_t si)
{
    static const char notes[] = "{\"gate\":\"closed\"}",
                      why[] = "the reward that is its gate has no score";
    const hone__comp *c = &job->s->comps[ci];
    if (job->gate[ci * job->p.n_samples + si] == HONE__CELL_KEPT_OUT)
        return (hone_score_result){.status = HONE_SCORE,
                                   .score = (float)c->c.otherwise,
                                   .notes = {notes, sizeof notes - 1}};
    return (hone_score_result){.status = HONE_ABSTAIN, .reason = {why, sizeof why - 1}};
}

static uint8_t gate_of(const hone_score_job *job, size_t ci, size_t si)
{
    const hone__comp *c = &job->s->comps[ci];
    if (c->gate == HONE__NONE)
        return HONE__CELL_PASSED;
    size_t cell = c->gate * job->p.n_samples + si;
    const hone_score_result *r = &job->results[cell];
    if (!job->have[cell])
        return HONE__CELL_WAITS;
    if (r->status != HONE_SCORE)
        return HONE__CELL_UNKNOWN;
    double score = (double)r->score, at = c->c.gate_at;
    return (at != 0 ? score >= at : score > 0) ? HONE__CELL_PASSED : HONE__CELL_KEPT_OUT;
}

/* ---- calls ------------------------------------------------------------------------------------------ */

void hone__job_enqueue(hone_score_job *job, hone__call *call)
{
    hone_scorer *s = job->s;
    call->job = job;
    call->call.id = ++s->next_call;
    job->refs++;
    call->next_live = job->live;
    job->live = call;
    if (s->comps[call->comp].c.on_control) {
        *s->control_tail = call;
        s->control_tail = &call->next;
        pthread_cond_broadcast(&s->done); /* the control thread may wait for what workers do */
    } else {
        *s->queue_tail = call;
        s->queue_tail = &call->next;
        pthread_cond_signal(&s->work);
    }
}

/* Settles what journal or cache know. 1: it did; `key` (unless NULL) is set where the cache was asked in vain. */
static int known(hone_score_job *job, size_t ci, size_t si, unsigned char *key)
{
    const hone__comp *c = &job->s->comps[ci];
    hone_journal_record rec;
    hone_score_result r;
    if (job->p.journal &&
        hone_journal_get(job->p.journal, job->p.step, job->p.first_sample + si, c->id, &rec)) {
        r = (hone_score_result){rec.status, rec.score,        rec.notes,
                                rec.reason, rec.token_scores, rec.n_token_scores};
        hone__job_settle(job, ci, si, &r);
        return 1;
    }
    if (!c->c.cache ||
        hone_score_cache_key(c->c.cache_spec, c->c.wants, &job->samples[si], key) < 0 ||
        !hone_score_cache_get(c->c.cache, key, &job->arena, &r))
        return 0;
    job->n_cached[ci]++;
    hone__job_settle(job, ci, si, &r);
    return 1;
}

/* A call of component ci over those of `list` that have no outcome yet; of all of it for one that is `whole`. */
static hone_status dispatch(hone_score_job *job, size_t ci, const size_t *list, size_t n)
{
    hone__comp *c = &job->s->comps[ci];
    hone__call *call = NULL;
    size_t missing = 0, k = 0;
    HONE_TRY(hone__call_create(n, &call));
    for (size_t i = 0; i < n; i++) {
        unsigned char *key = call->keys + k * HONE_SCORE_KEY;
        int is_known = job->have[ci * job->p.n_samples + list[i]] || known(job, ci, list[i], key);
        missing += !is_known;
        if (c->whole || !is_known) {
            call->index[k] = list[i];
            call->in[k++] = job->samples[list[i]];
        }
    }
    if (missing == 0) {
        hone__call_drop(call);
        return HONE_OK;
    }
    hone__call_shrink(call, k);
    call->comp = ci;
    hone__job_enqueue(job, call);
    return HONE_OK;
}

/* A group of a component that sees whole groups, or a group's worth of one that does not. */
static hone_status dispatch_group(hone_score_job *job, size_t ci, size_t group)
{
    size_t n = job->p.n_samples, from = group * job->p.group_size, k = 0, passed = 0;
    size_t to = from + job->p.group_size < n ? from + job->p.group_size : n;
    const uint8_t *gate = job->gate + ci * n;
    int whole = job->s->comps[ci].whole;
    for (size_t i = from; i < to; i++)
        passed += gate[i] == HONE__CELL_PASSED;
    size_t *list = hone_arena_alloc(&job->arena, (to - from) * sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = from; i < to; i++) {
        if (gate[i] == HONE__CELL_PASSED || (whole && passed)) {
            list[k++] = i;
        } else {
            hone_score_result r = hone__job_kept_out(job, ci, i);
            hone__job_settle(job, ci, i, &r);
        }
    }
    return k ? dispatch(job, ci, list, k) : HONE_OK;
}

/* A sample that is there may have become ready for component ci. */
static hone_status offer(hone_score_job *job, size_t ci, size_t si)
{
    const hone__comp *c = &job->s->comps[ci];
    size_t n = job->p.n_samples, g = si / job->p.group_size, cell = ci * n + si;
    size_t group_n = n - g * job->p.group_size < job->p.group_size ? n - g * job->p.group_size
                                                                   : job->p.group_size;
    if (job->gate[cell] != HONE__CELL_WAITS)
        return HONE_OK;
    job->gate[cell] = gate_of(job, ci, si);
    if (job->gate[cell] == HONE__CELL_WAITS)
        return HONE_OK;
    size_t seen = ++job->seen[ci * job->n_groups + g], all = ++job->n_seen[ci];
    if (c->batch == 0)
        return seen == group_n ? dispatch_group(job, ci, g) : HONE_OK;
    if (job->gate[cell] != HONE__CELL_PASSED) {
        hone_score_result r = hone__job_kept_out(job, ci, si);
        hone__job_settle(job, ci, si, &r);
    } else {
        job->ready[ci * n + job->n_ready[ci]++] = si;
    }
    size_t k = job->n_ready[ci];
    if (k == 0 || (k < c->batch && all < n))
        return HONE_OK;
    job->n_ready[ci] = 0;
    return dispatch(job, ci, job->ready + ci * n, k);
}

void hone__job_fail(hone_score_job *job, hone_status st)
{
    if (job->failed >= 0) {
        job->failed = st;
        job->error = *hone_error_get();
    }
}

void hone__job_settle(hone_score_job *job, size_t ci, size_t si, const hone_score_result *r)
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
    hone__comp *c = &job->s->comps[ci];
    c->n_samples++;
    if (r->status == HONE_ERROR || r->status == HONE_TIMEOUT)
        c->n_failed++;
    for (size_t k = 0; k < job->s->n_comps; k++) {
        hone_status st = job->s->comps[k].gate == ci ? offer(job, k, si) : HONE_OK;
        if (st < 0)
            hone__job_fail(job, st);
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
        for (size_t ci = 0; st >= 0 && ci < s->n_comps; ci++)
            st = offer(job, ci, index);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- results ---------------------------------------------------------------------------------------- */

/* What to run next: a component of the recipe's own has no file to try. */
static void hint_alone(const hone__comp *c, double limit)
{
    const hone_instance *inst = c->c.lane.instance;
    const char *id = inst ? hone_instance_id(inst) : c->id;
    if (strncmp(id, "recipe.", 7) == 0)
        hone_fail_hint("it is a function of the recipe, and the reason says where in it; the share "
                       "that may fail is "
                       "error_limit (%g)",
                       limit);
    else
        hone_fail_hint("try it alone with: hone score --reward %s --data FILE; look for a fault "
                       "with: hone plugin "
                       "validate %s; the share that may fail is error_limit (%g)",
                       id, id, limit);
}

hone_status hone__job_check_failures(hone_score_job *job)
{
    double limit = job->p.error_limit;
    for (size_t ci = 0; ci < job->s->n_comps && limit < 1; ci++) {
        const hone__comp *c = &job->s->comps[ci];
        int all = c->n_samples >= ALL_FAILED_SAMPLES && c->n_failed == c->n_samples;
        if (!all && (c->n_samples < ERROR_LIMIT_MIN_SAMPLES ||
                     (double)c->n_failed <= limit * (double)c->n_samples))
            continue;
        hone_str why = {"", 0};
        size_t last = 0;
        for (size_t i = 0; i < job->p.n_samples; i++) {
            const hone_score_result *r = &job->results[ci * job->p.n_samples + i];
            if ((r->status == HONE_ERROR || r->status == HONE_TIMEOUT) && r->reason.len)
                why = r->reason, last = i;
        }
        hone_status st = hone_fail(HONE_E_FAIL, "reward %s failed on %llu of %llu samples", c->id,
                                   (unsigned long long)c->n_failed,
                                   (unsigned long long)c->n_samples);
        hone_fail_detail("the last, sample %llu of step %llu: %.*s",
                         (unsigned long long)(job->p.first_sample + last),
                         (unsigned long long)job->p.step, (int)(why.len < 700 ? why.len : 700),
                         why.ptr);
        hint_alone(c, limit);
        return st;
    }
    return HONE_OK;
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

void hone_score_counts(const hone_score_job *job, size_t ci, uint64_t *cached, uint64_t *retried)
{
    *cached = job->n_cached[ci];
    *retried = job->n_retried[ci];
}
