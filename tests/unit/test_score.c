/* test_score.c - the scheduler of rewards (score/score.h), with function tables made here: every kind
 * of answer has one outcome, batches do not depend on who finished first, nothing is entered twice that
 * may not be, and a call that hangs costs its own samples only. Threads wait on conditions, never on a
 * clock; the one short deadline is the thing under test. */
#include "support.h"

#include "base/alloc.h"
#include "score/score.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>

typedef struct probe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls, inside, most, wait_for, hang, hung, control_calls, wrong_thread;
    size_t batch_n[64];
    uint64_t first_id[64];
    pthread_t home;
} probe;

#define PROBE                                                                                      \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static void enter(probe *p, const hone_sample *in, size_t n)
{
    pthread_mutex_lock(&p->lock);
    if (p->calls < 64) {
        p->batch_n[p->calls] = n;
        p->first_id[p->calls] = in->id;
    }
    p->calls++;
    p->inside++;
    p->most = p->inside > p->most ? p->inside : p->most;
    p->wrong_thread += !pthread_equal(p->home, pthread_self());
    pthread_cond_broadcast(&p->changed);
    while (p->inside < p->wait_for && p->most < p->wait_for)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void leave(probe *p)
{
    pthread_mutex_lock(&p->lock);
    p->inside--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* While a call may still be inside. */
static int calls_of(probe *p)
{
    pthread_mutex_lock(&p->lock);
    int n = p->calls;
    pthread_mutex_unlock(&p->lock);
    return n;
}

static void release(probe *p)
{
    pthread_mutex_lock(&p->lock);
    p->hang = 0;
    pthread_cond_broadcast(&p->changed);
    while (p->hung > 0)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* The completion says what to answer. */
static hone_status score_said(void *self, const hone_call *call, const hone_sample *in, size_t n,
                              size_t in_stride, hone_outcome *out, size_t out_stride,
                              const hone_notes *notes)
{
    probe *p = self;
    hone_status st = HONE_OK;
    (void)call;
    enter(p, in, n);
    for (size_t i = 0; i < n && st >= 0; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        hone_value why = {.type = HONE_STRING};
        why.u.str = hone_str_c("it says so");
        switch (s->completion.ptr[0]) {
        case 's':
            hone_outcome_set(out, out_stride, i, HONE_SCORE, (float)s->id * 0.5f);
            break;
        case 'a':
            notes->put(notes, i, hone_str_c("reason"), &why);
            hone_outcome_set(out, out_stride, i, HONE_ABSTAIN, 0);
            break;
        case 'e':
            notes->put(notes, i, hone_str_c("reason"), &why);
            hone_outcome_set(out, out_stride, i, HONE_ERROR, 0);
            break;
        case 'n':
            hone_outcome_set(out, out_stride, i, HONE_SCORE, (float)NAN);
            break;
        case 'u':
            hone_outcome_set(out, out_stride, i, 77, 0);
            break;
        case 'y': /* long enough for another worker to come in, if it may */
            for (int k = 0; k < 500; k++)
                sched_yield();
            hone_outcome_set(out, out_stride, i, HONE_SCORE, 1);
            break;
        case 'f':
            st = hone_fail(HONE_E_INVALID, "sample %d cannot be read", (int)s->id);
            break;
        case 'h': /* hangs until the test lets it go */
            pthread_mutex_lock(&p->lock);
            p->hung++;
            pthread_cond_broadcast(&p->changed);
            while (p->hang)
                pthread_cond_wait(&p->changed, &p->lock);
            p->hung--;
            pthread_cond_broadcast(&p->changed);
            pthread_mutex_unlock(&p->lock);
            hone_outcome_set(out, out_stride, i, HONE_SCORE, 99);
            break;
        case 'm':
            st = HONE_E_FAIL; /* and does not say why */
            break;
        default: /* unanswered */
            break;
        }
    }
    leave(p);
    return st;
}

static const hone_reward_v1 said = {.struct_size = sizeof said, .score = score_said};

static hone_score_component component_of(const char *id, probe *p)
{
    return (hone_score_component){.id = id, .lane = {&said, p, NULL}, .weight = 1};
}

static hone_scorer *scorer_of(const hone_score_component *c, size_t n, uint32_t workers)
{
    hone_scorer *s = NULL;
    assert_ok(hone_scorer_create(c, n, workers, &s));
    return s;
}

static hone_score_job *begin(hone_scorer *s, size_t n, size_t group, hone_journal *journal,
                             uint64_t step)
{
    hone_score_params p = {.step = step,
                           .first_sample = 100 * step,
                           .n_samples = n,
                           .group_size = group,
                           .journal = journal,
                           .error_limit = 1};
    hone_score_job *job = NULL;
    assert_ok(hone_score_begin(s, &p, &job));
    return job;
}

/* Hands in a sample whose text does not outlive the call. */
static void add(hone_score_job *job, size_t index, char what)
{
    char text[2] = {what, 0};
    hone_sample s = {.id = index, .prompt = {"q", 1}, .completion = {text, 1}};
    assert_ok(hone_score_add(job, index, &s));
    text[0] = '?';
}

static void result_is(const hone_score_job *job, size_t comp, size_t sample, uint32_t status,
                      float score, const char *reason)
{
    const hone_score_result *r = hone_score_get(job, comp, sample);
    if (r->status != status || r->reason.len != strlen(reason) ||
        memcmp(r->reason.ptr, reason, r->reason.len) != 0)
        print_error("sample %zu: status %u, \"%.*s\"\n", sample, r->status, (int)r->reason.len,
                    r->reason.ptr);
    assert_int_equal(r->status, status);
    assert_int_equal(r->reason.len, strlen(reason));
    if (r->reason.len)
        assert_memory_equal(r->reason.ptr, reason, r->reason.len);
    if (status == HONE_SCORE)
        assert_true(r->score == score);
}

static void every_answer_has_its_outcome(void **state)
{
    probe p = PROBE;
    hone_score_component c = component_of("r", &p);
    hone_scorer *s = scorer_of(&c, 1, 1);
    hone_score_job *job = begin(s, 9, 6, NULL, 0);
    const char *what = "saenu.sfs"; /* a group of six that answers, one of three that fails */
    (void)state;
    for (size_t i = 0; i < 9; i++)
        add(job, i, what[i]);
    assert_ok(hone_score_wait(job));
    result_is(job, 0, 0, HONE_SCORE, 0, "");
    result_is(job, 0, 1, HONE_ABSTAIN, 0, "it says so");
    result_is(job, 0, 2, HONE_ERROR, 0, "it says so");
    result_is(job, 0, 3, HONE_ERROR, 0, "the score is not finite");
    result_is(job, 0, 4, HONE_ERROR, 0, "unknown outcome status");
    result_is(job, 0, 5, HONE_ERROR, 0, "not answered");
    result_is(job, 0, 6, HONE_SCORE, 3, ""); /* answered before the call failed */
    result_is(job, 0, 7, HONE_ERROR, 0, "sample 7 cannot be read");
    result_is(job, 0, 8, HONE_ERROR, 0, "sample 7 cannot be read");
    assert_int_equal(hone_score_get(job, 0, 1)->notes.len, strlen("{\"reason\":\"it says so\"}"));
    assert_memory_equal(hone_score_get(job, 0, 1)->notes.ptr, "{\"reason\":\"it says so\"}",
                        hone_score_get(job, 0, 1)->notes.len);
    hone_score_end(job);
    hone_scorer_destroy(s);
}

static void a_batch_is_one_whole_group_whatever_the_order(void **state)
{
    static const size_t orders[3][8] = {
        {0, 1, 2, 3, 4, 5, 6, 7}, {7, 3, 6, 0, 1, 5, 2, 4}, {4, 0, 5, 1, 7, 6, 2, 3}};
    (void)state;
    for (int o = 0; o < 3; o++) {
        probe p = PROBE;
        hone_score_component c = component_of("r", &p);
        hone_scorer *s = scorer_of(&c, 1, 2);
        hone_score_job *job = begin(s, 8, 3, NULL, 0);
        int seen = 0;
        for (size_t i = 0; i < 8; i++)
            add(job, orders[o][i], 's');
        assert_ok(hone_score_wait(job));
        for (size_t i = 0; i < 8; i++)
            result_is(job, 0, i, HONE_SCORE, (float)i * 0.5f, "");
        assert_int_equal(calls_of(&p), 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(p.first_id[i] % 3, 0);
            assert_int_equal(p.batch_n[i], p.first_id[i] == 6 ? 2 : 3);
            seen |= 1 << (p.first_id[i] / 3);
        }
        assert_int_equal(seen, 7);
        hone_score_end(job);
        hone_scorer_destroy(s);
    }
}

static void handing_in_is_checked(void **state)
{
    probe p = PROBE;
    hone_score_component c = component_of("r", &p), none = c;
    hone_scorer *s = scorer_of(&c, 1, 1), *bad = NULL;
    hone_score_job *job = begin(s, 2, 2, NULL, 0);
    hone_sample sample = {.completion = {"s", 1}};
    static const hone_reward_v1 empty = {.struct_size = sizeof empty};
    (void)state;
    add(job, 0, 's');
    assert_fails(hone_score_add(job, 0, &sample), HONE_E_STATE, "twice");
    assert_fails(hone_score_add(job, 2, &sample), HONE_E_RANGE, "sample 2 of 2");
    assert_fails(hone_score_wait(job), HONE_E_STATE, "sample 1");
    hone_score_end(job);
    hone_scorer_destroy(s);
    none.lane.vt = &empty;
    assert_fails(hone_scorer_create(&none, 1, 1, &bad), HONE_E_INVALID, "no way to score");
}

static void only_a_reentrant_reward_is_entered_twice(void **state)
{
    (void)state;
    for (int reentrant = 0; reentrant < 2; reentrant++) {
        probe p = PROBE;
        hone_score_component c = component_of("r", &p);
        c.caps = reentrant ? HONE_CAP_REENTRANT : 0;
        p.wait_for = reentrant ? 3 : 0; /* no call goes on before three are inside */
        hone_scorer *s = scorer_of(&c, 1, 3);
        hone_score_job *job = begin(s, 48, 2, NULL, 0);
        for (size_t i = 0; i < 48; i++)
            add(job, i, 's');
        assert_ok(hone_score_wait(job));
        assert_int_equal(calls_of(&p), 24);
        assert_int_equal(p.most, reentrant ? 3 : 1);
        hone_score_end(job);
        hone_scorer_destroy(s);
    }
}

static void control_rewards_run_on_the_calling_thread(void **state)
{
    probe p = PROBE, q = PROBE;
    hone_score_component c[2] = {component_of("lua", &p), component_of("c", &q)};
    (void)state;
    c[0].on_control = 1;
    p.home = q.home = pthread_self();
    hone_scorer *s = scorer_of(c, 2, 2);
    hone_score_job *job = begin(s, 6, 2, NULL, 0);
    for (size_t i = 0; i < 4; i++)
        add(job, i, 's');
    assert_int_equal(calls_of(&p), 0); /* handing in does not run them */
    assert_ok(hone_score_poll(job));
    assert_int_equal(calls_of(&p), 2);
    add(job, 4, 's');
    add(job, 5, 'a');
    assert_ok(hone_score_wait(job));
    assert_int_equal(calls_of(&p), 3);
    assert_int_equal(p.wrong_thread, 0);
    assert_int_equal(q.wrong_thread, 3);
    for (size_t i = 0; i < 5; i++) {
        result_is(job, 0, i, HONE_SCORE, (float)i * 0.5f, "");
        result_is(job, 1, i, HONE_SCORE, (float)i * 0.5f, "");
    }
    result_is(job, 0, 5, HONE_ABSTAIN, 0, "it says so");
    hone_score_end(job);
    hone_scorer_destroy(s);
}

static void a_journalled_outcome_is_not_asked_for_again(void **state)
{
    const char *path = scratch_path("outcomes.journal");
    (void)state;
    for (int again = 0; again < 2; again++) {
        probe p = PROBE;
        hone_score_component c = component_of("r", &p);
        hone_scorer *s = scorer_of(&c, 1, 2);
        hone_journal *j = NULL;
        assert_ok(hone_journal_open(path, &j));
        hone_score_job *job = begin(s, 4, 2, j, 1);
        for (size_t i = 0; i < 4; i++)
            add(job, i, "sae."[i]);
        assert_ok(hone_score_wait(job));
        assert_int_equal(calls_of(&p), again ? 0 : 2);
        result_is(job, 0, 0, HONE_SCORE, 0, "");
        result_is(job, 0, 1, HONE_ABSTAIN, 0, "it says so");
        result_is(job, 0, 2, HONE_ERROR, 0, "it says so");
        result_is(job, 0, 3, HONE_ERROR, 0, "not answered");
        hone_score_end(job);
        job = begin(s, 4, 2, j, 2 + (uint64_t)again); /* another step is asked for */
        for (size_t i = 0; i < 4; i++)
            add(job, i, 's');
        assert_ok(hone_score_wait(job));
        assert_int_equal(calls_of(&p), again ? 2 : 4);
        hone_score_end(job);
        hone_journal_close(j);
        hone_scorer_destroy(s);
    }
}

static void a_hanging_call_costs_its_own_samples_only(void **state)
{
    static probe p = PROBE, q = PROBE; /* the lost thread uses it until it is let go */
    hone_score_component c[2] = {component_of("slow", &p), component_of("fine", &q)};
    (void)state;
    p.hang = 1;
    c[0].caps = HONE_CAP_REENTRANT;
    c[0].timeout_s = 1;
    hone_scorer *s = scorer_of(c, 2, 1);
    hone_score_job *job = begin(s, 6, 2, NULL, 0);
    for (size_t i = 0; i < 6; i++)
        add(job, i, "sssh.s"[i]); /* sample 2 is answered before its call hangs */
    assert_ok(hone_score_wait(job));
    assert_int_equal(hone_score_lost(), 1);
    result_is(job, 0, 0, HONE_SCORE, 0, "");
    result_is(job, 0, 1, HONE_SCORE, 0.5f, "");
    result_is(job, 0, 2, HONE_SCORE, 1, "");
    result_is(job, 0, 3, HONE_TIMEOUT, 0, "the deadline passed");
    result_is(job, 0, 4, HONE_ERROR, 0, "not answered");
    result_is(job, 0, 5, HONE_SCORE, 2.5f, "");
    for (size_t i = 0; i < 3; i++)
        result_is(job, 1, i, HONE_SCORE, (float)i * 0.5f, "");
    release(&p); /* what comes back late is dropped */
    result_is(job, 0, 3, HONE_TIMEOUT, 0, "the deadline passed");
    hone_score_end(job);
    hone_scorer_destroy(s);
}

static hone_status renew(void *ctx, hone_score_lane *lane)
{
    lane->vt = &said;
    lane->self = ctx;
    return HONE_OK;
}

static void a_hung_instance_is_set_aside_or_renewed(void **state)
{
    (void)state;
    for (int renewed = 0; renewed < 2; renewed++) {
        static probe old[2] = {PROBE, PROBE};
        probe fresh = PROBE, *p = &old[renewed];
        hone_score_component c = component_of("r", p);
        p->hang = 1;
        c.timeout_s = 1;
        c.renew = renewed ? renew : NULL;
        c.renew_ctx = &fresh;
        hone_scorer *s = scorer_of(&c, 1, 2);
        hone_journal *j = NULL;
        hone_journal_record rec;
        assert_ok(hone_journal_open(scratch_path(renewed ? "renewed" : "aside"), &j));
        hone_score_job *job = begin(s, 6, 2, j, 0);
        add(job, 0, 'h');
        for (size_t i = 1; i < 6; i++) /* the two groups behind wait in the queue */
            add(job, i, 's');
        assert_ok(hone_score_wait(job));
        for (size_t i = 0; i < 2; i++)
            result_is(job, 0, i, HONE_TIMEOUT, 0, "the deadline passed");
        for (size_t i = 2; i < 6; i++) {
            if (renewed)
                result_is(job, 0, i, HONE_SCORE, (float)i * 0.5f, "");
            else
                result_is(job, 0, i, HONE_ERROR, 0,
                          "its instance was set aside after a call that never returned");
        }
        assert_int_equal(calls_of(p), 1); /* never entered while a call is still inside */
        assert_int_equal(calls_of(&fresh), renewed ? 2 : 0);
        hone_score_end(job);
        job = begin(s, 1, 1, j, 1);
        add(job, 0, 's');
        assert_ok(hone_score_wait(job));
        assert_int_equal(hone_score_get(job, 0, 0)->status, renewed ? HONE_SCORE : HONE_ERROR);
        hone_score_end(job);
        /* so that a resumed run sees the same */
        assert_true(hone_journal_get(j, 0, 5, "r", &rec) && hone_journal_get(j, 1, 100, "r", &rec));
        assert_int_equal(rec.status, renewed ? HONE_SCORE : HONE_ERROR);
        hone_journal_close(j);
        release(p);
        hone_scorer_destroy(s);
    }
}

/* A component of the test's own whose one instance is `*behind`. */
static probe *behind;
static hone_status behind_create(const hone_host *host, const hone_config *cfg, void **self)
{
    (void)host;
    (void)cfg;
    *self = behind;
    return HONE_OK;
}
static void behind_destroy(void *self)
{
    (void)self;
}
static const void *behind_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_REWARD) == 0 ? &said : NULL;
}

static hone_instance *instance_of(hone_registry **r, probe *p)
{
    static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
    static const hone_component once = {.struct_size = sizeof once,
                                        .id = "org.test.reward.once",
                                        .kind = HONE_KIND_REWARD,
                                        .version = "1",
                                        .provides = provides,
                                        .create = behind_create,
                                        .destroy = behind_destroy,
                                        .get_iface = behind_iface};
    static const hone_registry_opts nothing = {.only_paths = 1};
    const hone_component_info *info;
    hone_instance *inst = NULL;
    behind = p;
    assert_ok(hone_registry_open(&nothing, r));
    assert_ok(hone_registry_add(*r, &once, &info));
    assert_ok(hone_instance_create_info(*r, info, NULL, &inst));
    return inst;
}

static void one_instance_under_two_names_is_entered_once(void **state)
{
    probe p = PROBE;
    hone_registry *r;
    hone_instance *inst = instance_of(&r, &p);
    hone_score_component c[2] = {component_of("a", &p), component_of("b", &p)};
    (void)state;
    c[0].lane.instance = c[1].lane.instance = inst;
    hone_scorer *s = scorer_of(c, 2, 3), *t = scorer_of(c, 1, 1); /* two scorers, too */
    hone_score_job *job = begin(s, 60, 2, NULL, 0), *other = begin(t, 30, 1, NULL, 0);
    for (size_t i = 0; i < 60; i++) {
        add(job, i, 'y');
        if (i < 30)
            add(other, i, 'y');
    }
    assert_ok(hone_score_wait(job));
    assert_ok(hone_score_wait(other));
    assert_int_equal(calls_of(&p), 90);
    assert_int_equal(p.most, 1);
    for (size_t i = 0; i < 60; i++)
        result_is(job, 1, i, HONE_SCORE, 1, "");
    hone_score_end(job);
    hone_score_end(other);
    /* a failure without a text is said to be the plugin's */
    job = begin(s, 1, 1, NULL, 1);
    add(job, 0, 'm');
    assert_ok(hone_score_wait(job));
    result_is(job, 0, 0, HONE_ERROR, 0,
              "org.test.reward.once: score failed (failed) without saying why");
    hone_score_end(job);
    hone_scorer_destroy(s);
    hone_scorer_destroy(t);
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void an_instance_that_hangs_is_set_aside_for_everybody(void **state)
{
    static probe p = PROBE;
    hone_registry *r;
    hone_instance *inst = instance_of(&r, &p);
    hone_score_component c = component_of("a", &p);
    (void)state;
    p.hang = 1;
    c.timeout_s = 1;
    c.lane.instance = inst;
    hone_scorer *s = scorer_of(&c, 1, 1), *t = scorer_of(&c, 1, 1);
    hone_score_job *job = begin(s, 1, 1, NULL, 0);
    add(job, 0, 'h');
    assert_ok(hone_score_wait(job));
    result_is(job, 0, 0, HONE_TIMEOUT, 0, "the deadline passed");
    assert_int_equal(hone_instance_try_enter(inst), 0);
    hone_score_end(job);
    job = begin(t, 1, 1, NULL, 0);
    add(job, 0, 's');
    assert_ok(hone_score_wait(job));
    result_is(job, 0, 0, HONE_ERROR, 0,
              "its instance was set aside after a call that never returned");
    assert_int_equal(calls_of(&p), 1);
    hone_score_end(job);
    release(&p);
    hone_scorer_destroy(s);
    hone_scorer_destroy(t);
    while (hone_score_lost() > 0) /* the thread that was given up is on its way out */
        sched_yield();
    hone_instance_unref(inst);
    hone_registry_close(r);
}

/* Whichever allocation fails while a deadline passes: the one who waits comes back. */
static void lack_of_memory_at_a_deadline_leaves_nobody_waiting(void **state)
{
    static probe probes[24];
    int failures = 0;
    hone_status st = HONE_OK;
    (void)state;
    for (uint64_t nth = 1; nth < 24; nth++) {
        probe *p = &probes[nth];
        *p = (probe)PROBE;
        p->hang = 1;
        hone_score_component c = component_of("r", p);
        c.timeout_s = 0.02;
        hone_scorer *s = scorer_of(&c, 1, 1);
        hone_score_job *job = begin(s, 4, 2, NULL, 0);
        for (size_t i = 0; i < 4; i++)
            add(job, i, i ? 's' : 'h');
        pthread_mutex_lock(&p->lock);
        while (p->hung == 0)
            pthread_cond_wait(&p->changed, &p->lock);
        pthread_mutex_unlock(&p->lock);
        hone_alloc_fail_after(nth, 0);
        st = hone_score_wait(job);
        hone_alloc_fail_after(0, 0);
        if (st < 0) {
            assert_int_equal(st, HONE_E_NOMEM);
            assert_true(hone_error_get()->what[0]);
            failures++;
        }
        hone_score_end(job);
        release(p);
        hone_scorer_destroy(s);
        while (hone_score_lost() > 0)
            sched_yield();
    }
    assert_ok(st); /* the last failure would have come after all of them */
    assert_true(failures >= 2);
}

static void too_many_failures_stop_the_run_but_only_of_many_samples(void **state)
{
    probe p = PROBE;
    hone_score_component c = component_of("broken", &p);
    hone_scorer *s = scorer_of(&c, 1, 1);
    hone_score_params params = {.n_samples = 15, .group_size = 1, .error_limit = 0.2};
    hone_score_job *job = NULL;
    (void)state;
    assert_ok(hone_score_begin(s, &params, &job));
    for (size_t i = 0; i < 15; i++)
        add(job, i, 'e');
    assert_ok(hone_score_wait(job)); /* 15 of 15, but of too few to judge */
    hone_score_end(job);
    params.n_samples = 1;
    assert_ok(hone_score_begin(s, &params, &job));
    add(job, 0, 'e');
    assert_fails(hone_score_wait(job), HONE_E_FAIL, "broken failed on 16 of 16");
    assert_non_null(strstr(hone_error_get()->detail, "it says so"));
    hone_score_end(job);
    hone_scorer_destroy(s);

    s = scorer_of(&c, 1, 1); /* 62 of 63 are a share of too few, and not all */
    params.n_samples = 63;
    assert_ok(hone_score_begin(s, &params, &job));
    for (size_t i = 0; i < 63; i++)
        add(job, i, i ? 'e' : 's');
    assert_ok(hone_score_wait(job));
    hone_score_end(job);
    hone_scorer_destroy(s);

    s = scorer_of(&c, 1, 1);
    params.n_samples = 100;
    assert_ok(hone_score_begin(s, &params, &job));
    for (size_t i = 0; i < 100; i++)
        add(job, i, i < 20 ? 'e' : i < 60 ? 'a' : 's'); /* abstentions do not count */
    assert_ok(hone_score_wait(job));
    hone_score_end(job);
    hone_scorer_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_its_outcome),
        cmocka_unit_test(a_batch_is_one_whole_group_whatever_the_order),
        cmocka_unit_test(handing_in_is_checked),
        cmocka_unit_test(only_a_reentrant_reward_is_entered_twice),
        cmocka_unit_test(control_rewards_run_on_the_calling_thread),
        cmocka_unit_test(a_journalled_outcome_is_not_asked_for_again),
        cmocka_unit_test(a_hanging_call_costs_its_own_samples_only),
        cmocka_unit_test(a_hung_instance_is_set_aside_or_renewed),
        cmocka_unit_test(one_instance_under_two_names_is_entered_once),
        cmocka_unit_test(an_instance_that_hangs_is_set_aside_for_everybody),
        cmocka_unit_test(lack_of_memory_at_a_deadline_leaves_nobody_waiting),
        cmocka_unit_test(too_many_failures_stop_the_run_but_only_of_many_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
