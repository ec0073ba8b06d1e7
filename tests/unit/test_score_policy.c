/* test_score_policy.c - what a reward may ask of the scheduler (score/score.h): calls at once, batch size, another
 * try, a gate, and remembered outcomes (score/cache.h). Threads wait on conditions, never on a clock. */
#include "support.h"

#include "base/file.h"
#include "score/cache.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

enum { MOST_CALLS = 64, MOST_IDS = 16 };

typedef struct probe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls, inside, most, wait_for;
    int tries[MOST_CALLS]; /* of each sample */
    size_t n[MOST_CALLS];  /* of each call */
    uint64_t ids[MOST_CALLS][MOST_IDS];
} probe;

#define PROBE                                                                                      \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

/* What the first letter of the completion says: s its id as score, z zero, a abstains, e an error, t an error at
 * the first try and its id at the second. */
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    probe *p = self;
    (void)call;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < n && i < MOST_IDS && p->calls < MOST_CALLS; i++)
        p->ids[p->calls][i] = hone_sample_at(in, in_stride, i)->id;
    if (p->calls < MOST_CALLS)
        p->n[p->calls] = n;
    p->calls++;
    p->inside++;
    p->most = p->inside > p->most ? p->inside : p->most;
    pthread_cond_broadcast(&p->changed);
    while (p->inside < p->wait_for && p->most < p->wait_for)
        pthread_cond_wait(&p->changed, &p->lock);
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        const hone_value note = {.type = HONE_I64, .u.i64 = (int64_t)s->id};
        int tried = s->id < MOST_CALLS ? p->tries[s->id]++ : 0;
        char what = s->completion.ptr[0];
        if (what == 'e' || (what == 't' && !tried))
            hone_outcome_set(out, out_stride, i, HONE_ERROR, 0);
        else if (what == 'a')
            hone_outcome_set(out, out_stride, i, HONE_ABSTAIN, 0);
        else
            hone_outcome_set(out, out_stride, i, HONE_SCORE, what == 'z' ? 0 : (float)s->id);
        notes->put(notes, i, hone_str_c("seen"), &note);
    }
    p->inside--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return HONE_OK;
}

static const hone_reward_v1 table = {.struct_size = sizeof table, .score = score};
static const hone_reward_v1 group_table = {.struct_size = sizeof group_table,
                                           .score_groups = score};

static hone_score_component component_of(const char *id, probe *p, uint64_t caps)
{
    return (hone_score_component){.id = id, .lane = {&table, p, NULL}, .weight = 1, .caps = caps};
}

/* Scores samples 0.. with these completions, in groups. */
static hone_score_job *scored(hone_scorer *s, const char *what, size_t group)
{
    hone_score_params p = {.n_samples = strlen(what), .group_size = group, .error_limit = 1};
    hone_score_job *job = NULL;
    assert_ok(hone_score_begin(s, &p, &job));
    for (size_t i = 0; i < p.n_samples; i++) {
        hone_sample one = {.id = i, .prompt = {"q", 1}, .completion = {what + i, 1}};
        assert_ok(hone_score_add(job, i, &one));
    }
    assert_ok(hone_score_wait(job));
    return job;
}

/* Of component c: s scored its id, z zero, a, e as above, -: -1 with the note that the gate is closed. */
static void outcomes_are(const hone_score_job *job, size_t c, const char *want)
{
    for (size_t i = 0; want[i]; i++) {
        const hone_score_result *r = hone_score_get(job, c, i);
        uint32_t status = want[i] == 'a' ? HONE_ABSTAIN : want[i] == 'e' ? HONE_ERROR : HONE_SCORE;
        float number = want[i] == 's' ? (float)i : want[i] == '-' ? -1.0f : 0.0f;
        assert_int_equal(r->status, status);
        assert_true(status != HONE_SCORE || r->score == number);
        assert_int_equal(want[i] == '-', r->notes.len && strstr(r->notes.ptr, "closed") != NULL);
    }
}

static hone_scorer *scorer_of(const hone_score_component *c, size_t n, uint32_t workers)
{
    hone_scorer *s = NULL;
    assert_ok(hone_scorer_create(c, n, workers, &s));
    return s;
}

static void as_many_calls_at_once_as_are_allowed(void **state)
{
    (void)state;
    for (uint32_t most = 1; most <= 3; most++) {
        for (int lanes = 0; lanes < 2; lanes++) {
            probe p = PROBE;
            hone_score_lane more[2] = {{&table, &p, NULL}, {&table, &p, NULL}};
            hone_score_component c = component_of("r", &p, lanes ? 0 : HONE_CAP_REENTRANT);
            p.wait_for = (int)most; /* no call goes on before so many are inside */
            if (lanes) {
                c.more = more;
                c.n_more = most - 1;
            } else {
                c.concurrency = most;
            }
            hone_scorer *s = scorer_of(&c, 1, 8);
            hone_score_job *job = scored(s, "ssssssssssssssssssss", 1);
            assert_int_equal(p.calls, 20);
            assert_int_equal(p.most, most);
            hone_score_end(job);
            hone_scorer_destroy(s);
        }
    }
}

static void batches_have_the_size_asked_for(void **state)
{
    static const struct {
        uint64_t caps;
        uint32_t batch;
        size_t sizes[5];
    } cases[] = {{HONE_CAP_BATCH_INVARIANT, 4, {4, 4, 2}},
                 {HONE_CAP_BATCH_INVARIANT, 100, {10}},
                 {HONE_CAP_BATCH_INVARIANT, 0, {3, 3, 3, 1}},
                 {0, 0, {3, 3, 3, 1}}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        probe p = PROBE;
        hone_score_component c = component_of("r", &p, cases[k].caps);
        c.batch = cases[k].batch;
        hone_scorer *s = scorer_of(&c, 1, 1);
        hone_score_job *job = scored(s, "ssssssssss", 3);
        outcomes_are(job, 0, "ssssssssss");
        for (int i = 0; i < 5; i++)
            assert_int_equal(i < p.calls ? p.n[i] : 0, cases[k].sizes[i]);
        hone_score_end(job);
        hone_scorer_destroy(s);
    }
    probe p = PROBE; /* one that is slow gets each sample as it finishes */
    hone_score_component c = component_of("r", &p, HONE_CAP_BATCH_INVARIANT | HONE_CAP_SLOW);
    hone_scorer *s = scorer_of(&c, 1, 1);
    hone_score_job *job = scored(s, "sss", 3);
    assert_int_equal(p.calls, 3);
    hone_score_end(job);
    hone_scorer_destroy(s);
}

static void errors_are_tried_again_alone_or_with_their_company(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        probe p = PROBE;
        hone_score_component c = component_of("r", &p, alone ? HONE_CAP_BATCH_INVARIANT : 0);
        uint64_t cached, retried;
        c.retries = 2;
        hone_scorer *s = scorer_of(&c, 1, 1);
        hone_score_job *job = scored(s, "stesss", 3);
        outcomes_are(job, 0, "ssesss"); /* e fails three times, t once */
        assert_int_equal(p.calls, 4);
        assert_int_equal(p.tries[2], 3);
        assert_int_equal(p.tries[1], alone ? 2 : 3);
        assert_int_equal(p.tries[0], alone ? 1 : 3);
        assert_int_equal(p.tries[3], 1);
        hone_score_counts(job, 0, &cached, &retried);
        assert_int_equal(retried, 2);
        hone_score_end(job);
        hone_scorer_destroy(s);
    }
}

static void what_a_gate_keeps_out_is_not_asked(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) { /* the gate stands first or last */
        probe gate = PROBE, p = PROBE;
        hone_score_component c[2], *g = &c[order], *r = &c[1 - order];
        *g = component_of("format", &gate, HONE_CAP_BATCH_INVARIANT);
        *r = component_of("costly", &p, HONE_CAP_BATCH_INVARIANT);
        r->gate = "format";
        r->otherwise = -1;
        hone_scorer *s = scorer_of(c, 2, 2);
        hone_score_job *job = scored(s, "zsszaessz", 3); /* sample 0 scores 0 as well */
        outcomes_are(job, (size_t)order, "zsszaessz");
        outcomes_are(job, 1 - (size_t)order, "-ss-aass-");
        assert_int_equal(p.tries[0] + p.tries[3] + p.tries[4] + p.tries[5] + p.tries[8], 0);
        hone_score_end(job);
        hone_scorer_destroy(s);
    }
}

static void a_gate_may_want_more_than_zero_and_stand_behind_another(void **state)
{
    probe a = PROBE, b = PROBE, p = PROBE;
    hone_score_component c[3] = {component_of("a", &a, HONE_CAP_BATCH_INVARIANT),
                                 component_of("b", &b, HONE_CAP_BATCH_INVARIANT),
                                 component_of("c", &p, HONE_CAP_BATCH_INVARIANT)};
    (void)state;
    c[1].gate = "a";
    c[1].gate_at = 2;
    c[1].otherwise = -1;
    c[2].gate = "b";
    c[2].gate_at = 4;
    c[2].otherwise = -1;
    c[2].batch = 2;
    hone_scorer *s = scorer_of(c, 3, 2);
    hone_score_job *job = scored(s, "sssssss", 7);
    outcomes_are(job, 1, "--sssss");
    outcomes_are(job, 2, "----sss");
    assert_int_equal(p.calls, 2);
    hone_score_end(job);
    hone_scorer_destroy(s);
}

static void whole_groups_stay_whole_behind_a_gate(void **state)
{
    (void)state;
    for (int relative = 0; relative < 2; relative++) {
        probe gate = PROBE, p = PROBE;
        hone_score_component c[2] = {component_of("format", &gate, HONE_CAP_BATCH_INVARIANT),
                                     component_of("relative", &p, 0)};
        c[1].lane.vt = relative ? &group_table : &table;
        c[1].gate = "format";
        c[1].otherwise = -1;
        hone_scorer *s = scorer_of(c, 2, 2);
        hone_score_job *job = scored(s, "zszzzz", 3);
        outcomes_are(job, 1, "-s----");
        assert_int_equal(p.calls, 1); /* the second group has nobody who passed */
        assert_int_equal(p.n[0], 3);
        hone_score_end(job);
        hone_scorer_destroy(s);
    }
}

static void control_rewards_wait_for_gates_of_workers(void **state)
{
    probe gate = PROBE, p = PROBE;
    hone_score_component c[2] = {component_of("format", &gate, HONE_CAP_BATCH_INVARIANT),
                                 component_of("lua", &p, 0)};
    (void)state;
    c[1].on_control = 1;
    c[1].gate = "format";
    c[1].otherwise = -1;
    hone_scorer *s = scorer_of(c, 2, 1);
    hone_score_job *job = scored(s, "zssszs", 2);
    outcomes_are(job, 1, "-sss-s");
    hone_score_end(job);
    hone_scorer_destroy(s);
}

static void what_cannot_be_is_refused(void **state)
{
    probe p = PROBE;
    hone_score_lane more = {&table, &p, NULL};
    hone_scorer *s = NULL;
    hone_score_component c[2] = {component_of("a", &p, 0), component_of("b", &p, 0)};
    (void)state;
    c[0].gate = "c";
    assert_fails(hone_scorer_create(c, 2, 1, &s), HONE_E_INVALID, "not among the rewards");
    c[0].gate = "b";
    c[1].gate = "a";
    assert_fails(hone_scorer_create(c, 2, 1, &s), HONE_E_INVALID, "waits for itself");
    c[1].gate = "b";
    assert_fails(hone_scorer_create(c, 2, 1, &s), HONE_E_INVALID, "waits for itself");
    c[0].gate_at = (double)NAN;
    c[1].gate = NULL;
    assert_fails(hone_scorer_create(c, 2, 1, &s), HONE_E_INVALID, "not finite");
    c[0] = component_of("a", &p, 0);
    c[0].batch = 2;
    assert_fails(hone_scorer_create(c, 1, 1, &s), HONE_E_INVALID, "batches");
    c[0] = component_of("a", &p, HONE_CAP_STATEFUL);
    c[0].more = &more;
    c[0].n_more = 1;
    assert_fails(hone_scorer_create(c, 1, 1, &s), HONE_E_INVALID, "several calls at once");
    c[0].caps = 0;
    c[0].on_control = 1;
    assert_fails(hone_scorer_create(c, 1, 1, &s), HONE_E_INVALID, "several calls at once");
}

/* ---- cache ----------------------------------------------------------------------------------------- */

static const uint64_t PURE = HONE_CAP_PURE | HONE_CAP_BATCH_INVARIANT;

static void a_remembered_outcome_is_not_asked_for_again(void **state)
{
    const char *path = scratch_path("outcomes.sqlite");
    char spec[2][65];
    (void)state;
    unlink(path);
    hone_score_cache_spec("org.test.reward.r", "00", hone_str_c("{}"), spec[0]);
    hone_score_cache_spec("org.test.reward.r", "01", hone_str_c("{}"), spec[1]);
    for (int again = 0; again < 3; again++) { /* the third time the plugin is another one */
        probe p = PROBE;
        hone_score_cache *cache = NULL;
        uint64_t cached, retried;
        assert_ok(hone_score_cache_open(path, 0, &cache));
        hone_score_component c = component_of("r", &p, PURE);
        static const char *const wants[] = {"completion", NULL};
        c.cache = cache;
        c.cache_spec = spec[again == 2];
        c.wants = wants;
        hone_scorer *s = scorer_of(&c, 1, 1);
        hone_score_job *job = scored(s, "zae", 3);
        outcomes_are(job, 0, "zae");
        hone_score_counts(job, 0, &cached, &retried);
        assert_int_equal(cached, again == 1 ? 2 : 0); /* an error is never remembered */
        assert_int_equal(p.calls, 1);
        assert_int_equal(p.n[0], again == 1 ? 1 : 3);
        const hone_score_result *r = hone_score_get(job, 0, 0);
        assert_int_equal(r->notes.len, strlen("{\"seen\":0}"));
        assert_memory_equal(r->notes.ptr, "{\"seen\":0}", r->notes.len);
        hone_score_end(job);
        hone_scorer_destroy(s);
        hone_score_cache_close(cache);
    }
    probe p = PROBE;
    hone_score_cache *cache = NULL;
    hone_scorer *s = NULL;
    assert_ok(hone_score_cache_open(path, 0, &cache));
    hone_score_component c = component_of("r", &p, HONE_CAP_PURE);
    c.cache = cache;
    assert_fails(hone_scorer_create(&c, 1, 1, &s), HONE_E_INVALID, "cannot be remembered");
    hone_score_cache_close(cache);
}

static void the_key_is_what_the_component_wants(void **state)
{
    static const char *const text[] = {"completion", NULL}, *const row[] = {"columns", NULL};
    hone_message m = {{"user", 4}, {"hi", 2}};
    int32_t tokens[2] = {1, 2};
    float logprobs[2] = {-1, -2};
    hone_column col = {.name = {"answer", 6}, .value = {.type = HONE_I64, .u.i64 = 4}};
    hone_sample a = {.id = 1,
                     .prompt = {"p", 1},
                     .completion = {"c", 1},
                     .messages = &m,
                     .n_messages = 1,
                     .tokens = tokens,
                     .logprobs = logprobs,
                     .n_tokens = 2,
                     .columns = &col,
                     .n_columns = 1};
    unsigned char k[HONE_SCORE_KEY], same[HONE_SCORE_KEY], other[HONE_SCORE_KEY];
    (void)state;
    assert_ok(hone_score_cache_key("spec", NULL, &a, k));
    hone_sample b = a;
    b.id = 7;
    b.group = 9;
    assert_ok(hone_score_cache_key("spec", NULL, &b, same));
    assert_memory_equal(k, same, sizeof k);
    assert_ok(hone_score_cache_key("spek", NULL, &a, other));
    assert_memory_not_equal(k, other, sizeof k);
    for (int i = 0; i < 9; i++) { /* each member counts */
        hone_column four = col;
        hone_message you = m;
        b = a;
        four.value.u.i64 = 5;
        you.content = (hone_str){"ho", 2};
        switch (i) {
        case 0:
            b.prompt.ptr = "q";
            break;
        case 1:
            b.completion.ptr = "d";
            break;
        case 2:
            b.messages = &you;
            break;
        case 3:
            b.n_messages = 0;
            break;
        case 4:
            b.n_tokens = 1;
            break;
        case 5:
            b.logprobs = NULL;
            break;
        case 6:
            b.columns = &four;
            break;
        case 7:
            b.finish = 1;
            break;
        default:
            b.turn = 1;
            break;
        }
        assert_ok(hone_score_cache_key("spec", NULL, &b, other));
        assert_memory_not_equal(k, other, sizeof k);
        assert_ok(hone_score_cache_key("spec", text, &a, same));
        assert_ok(hone_score_cache_key("spec", text, &b, other));
        assert_int_equal(memcmp(same, other, sizeof same) == 0, i != 1);
        assert_ok(hone_score_cache_key("spec", row, &a, same));
        assert_ok(hone_score_cache_key("spec", row, &b, other));
        assert_int_equal(memcmp(same, other, sizeof same) == 0, i != 6);
    }
    b = a; /* where one text ends and the next begins counts as well */
    b.prompt = (hone_str){"pc", 2};
    b.completion = (hone_str){"", 0};
    assert_ok(hone_score_cache_key("spec", NULL, &b, other));
    assert_memory_not_equal(k, other, sizeof k);
}

static void the_file_keeps_what_is_new_and_a_bad_one_is_said(void **state)
{
    const char *path = scratch_path("some.sqlite");
    hone_score_cache *c = NULL;
    hone_arena a;
    hone_score_result r = {.status = HONE_SCORE}, got;
    unsigned char key[HONE_SCORE_KEY] = {0};
    (void)state;
    unlink(path);
    hone_arena_init(&a, 0);
    assert_ok(hone_score_cache_open(path, 10, &c));
    for (int i = 0; i < 20; i++) {
        key[0] = (unsigned char)i;
        r.score = (float)i;
        hone_score_cache_put(c, key, &r);
    }
    hone_score_cache_close(c);
    assert_ok(hone_score_cache_open(path, 10, &c)); /* more than ten: the newest five stay */
    for (int i = 0; i < 20; i++) {
        key[0] = (unsigned char)i;
        assert_int_equal(hone_score_cache_get(c, key, &a, &got), i >= 15);
        if (i >= 15)
            assert_true(got.score == (float)i);
    }
    hone_score_cache_close(c);
    assert_ok(hone_file_replace(path, "this is no database, and it is long enough", 42));
    assert_fails(hone_score_cache_open(path, 0, &c), HONE_E_IO, "some.sqlite");
    hone_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_calls_at_once_as_are_allowed),
        cmocka_unit_test(batches_have_the_size_asked_for),
        cmocka_unit_test(errors_are_tried_again_alone_or_with_their_company),
        cmocka_unit_test(what_a_gate_keeps_out_is_not_asked),
        cmocka_unit_test(a_gate_may_want_more_than_zero_and_stand_behind_another),
        cmocka_unit_test(whole_groups_stay_whole_behind_a_gate),
        cmocka_unit_test(control_rewards_wait_for_gates_of_workers),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_remembered_outcome_is_not_asked_for_again),
        cmocka_unit_test(the_key_is_what_the_component_wants),
        cmocka_unit_test(the_file_keeps_what_is_new_and_a_bad_one_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
