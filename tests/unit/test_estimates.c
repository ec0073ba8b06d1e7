/* test_estimates.c - what is told of a step's log-probs, against numbers computed by hand. */
#include "support.h"

#include "train/estimates.h"
#include "train/metrics.h"

#include <math.h>

typedef struct rig {
    float full[2][3];
    hone_train_seq seq[2];
    const hone_train_seq *list[2];
    size_t begin[3], tok[3];
    double logp[3];
    hone__trained t;
    hone_metrics m;
} rig;

/* Two sequences: tokens 2 and 1 of a sampled one, one token of another. */
static int begin(void **state)
{
    static rig r;
    memset(&r, 0, sizeof r);
    r.full[0][2] = -1.0f;
    r.full[0][1] = -2.0f;
    r.full[1][0] = -0.5f;
    for (size_t i = 0; i < 2; i++) {
        r.seq[i].full_logp = r.full[i];
        r.list[i] = &r.seq[i];
    }
    r.begin[1] = 2;
    r.begin[2] = 3;
    r.tok[0] = 2;
    r.tok[1] = 1;
    r.logp[0] = -1.0 + log(2);
    r.logp[1] = -2.0 - log(2);
    r.logp[2] = -0.5;
    r.t = (hone__trained){
        .seq = r.list, .seq_begin = r.begin, .tok = r.tok, .logp = r.logp, .n_seq = 2};
    hone_metrics_init(&r.m);
    *state = &r;
    return 0;
}

static int end(void **state)
{
    hone_metrics_release(&((rig *)*state)->m);
    return 0;
}

static void is(const rig *r, const char *name, double want)
{
    double got;
    if (!hone_metrics_get(&r->m, name, &got))
        fail_msg("there is no %s", name);
    if (!(fabs(got - want) < 1e-12))
        fail_msg("%s is %.17g, not %.17g", name, got, want);
}

static int has(const rig *r, const char *name)
{
    return hone__estimate_weight(&r->m, name) > 0;
}

static void test_ratio_kl_and_mismatch_of_three_tokens(void **state)
{
    rig *r = *state; /* ratios 2, 1/2, 1 */
    hone__estimate_mismatch(&r->t, &r->m);
    hone__estimate_policy(&r->t, 0, 0, &r->m);
    is(r, "mismatch/mean", 2 * log(2) / 3);
    is(r, "mismatch/max", log(2));
    is(r, "ratio/mean", 3.5 / 3);
    is(r, "ratio/min", 0.5);
    is(r, "ratio/max", 2);
    is(r, "ratio/ess", 3.5 * 3.5 / (3 * 5.25));
    is(r, "clip/low", 0);
    is(r, "kl/k1", 0);
    is(r, "kl/k3", (2 - 1 - log(2) + 0.5 - 1 + log(2)) / 3);
}

static void test_what_an_objective_told_is_not_told_again(void **state)
{
    rig *r = *state;
    hone__estimate_policy(&r->t, 1, 0, &r->m);
    assert_true(!has(r, "ratio/mean") && !has(r, "clip/low") && has(r, "kl/k3"));
    hone_metrics_clear(&r->m);
    hone__estimate_policy(&r->t, 0, 1, &r->m);
    assert_true(has(r, "ratio/ess") && !has(r, "kl/k1") && !has(r, "kl/k3"));
}

static void test_given_sequences_have_lengths_and_no_ratio(void **state)
{
    rig *r = *state;
    r->seq[0].full_logp = r->seq[1].full_logp = NULL;
    hone__estimate_mismatch(&r->t, &r->m);
    hone__estimate_policy(&r->t, 0, 0, &r->m);
    hone__estimate_lengths(&r->t, &r->m);
    assert_true(!has(r, "ratio/mean") && !has(r, "mismatch/mean") && !has(r, "kl/k1"));
    assert_true(!has(r, "entropy"));
    is(r, "length/truncated", 0);
    is(r, "length/mean", 1.5);
    is(r, "length/min", 1);
    is(r, "length/max", 2);
}

static void test_given_sequences_have_entropy_and_a_share_of_cut_ones(void **state)
{
    static const double entropy[] = {1, 2, 6};
    rig *r = *state;
    r->seq[0].full_logp = r->seq[1].full_logp = NULL;
    r->seq[1].truncated = 1;
    r->t.entropy = entropy;
    hone__estimate_lengths(&r->t, &r->m);
    is(r, "entropy", 3);
    is(r, "length/truncated", 0.5);
}

static void test_sampled_sequences_have_no_length_here(void **state)
{
    rig *r = *state;
    r->seq[1].full_logp = NULL;
    hone__estimate_policy(&r->t, 0, 0, &r->m);
    hone__estimate_lengths(&r->t, &r->m);
    is(r, "length/max", 1);
    is(r, "ratio/mean", 1.25); /* of the two sampled tokens */
}

/* One log-prob that is no number: no bound of the ratio is told as if it were not there. */
static void test_what_is_no_number_is_not_hidden(void **state)
{
    static const char *const names[] = {"mismatch/mean", "mismatch/max", "ratio/mean", "ratio/min",
                                        "ratio/max",     "kl/k1",        "kl/k3"};
    rig *r = *state;
    for (size_t at = 0; at < 3; at++) {
        const double kept = r->logp[at];
        hone_metrics_clear(&r->m);
        r->logp[at] = (double)NAN;
        hone__estimate_mismatch(&r->t, &r->m);
        hone__estimate_policy(&r->t, 0, 0, &r->m);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            double got;
            assert_true(hone_metrics_get(&r->m, names[i], &got));
            if (!isnan(got))
                fail_msg("%s is %g with token %zu no number", names[i], got, at);
        }
        r->logp[at] = kept;
    }
}

static void test_no_tokens_tell_nothing(void **state)
{
    rig *r = *state;
    r->t.n_seq = 0;
    hone__estimate_mismatch(&r->t, &r->m);
    hone__estimate_policy(&r->t, 0, 0, &r->m);
    hone__estimate_lengths(&r->t, &r->m);
    assert_int_equal(r->m.n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_ratio_kl_and_mismatch_of_three_tokens),
        T(test_what_an_objective_told_is_not_told_again),
        T(test_given_sequences_have_lengths_and_no_ratio),
        T(test_given_sequences_have_entropy_and_a_share_of_cut_ones),
        T(test_sampled_sequences_have_no_length_here),
        T(test_what_is_no_number_is_not_hidden),
        T(test_no_tokens_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
