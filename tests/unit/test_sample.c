/* test_sample.c - one token from one row of logits (gen/sample.h): which tokens each rule leaves, what
 * their log-probs are, how often they come, and rows that make no distribution. */
#include "support.h"

#include "base/rng.h"
#include "gen/sample.h"
#include "ops/kern/rows.h"

#include <math.h>

#define N 8
#define DRAWS 20000

static const float row[N] = {0.5f, -1.0f, 2.0f, 0.0f, 1.5f, 2.0f, -3.0f, 1.0f};

static hone_sample_rule rule(double temperature)
{
    return (hone_sample_rule){.temperature = temperature, .top_p = 1, .repetition_penalty = 1};
}

static hone_choice choose_at(const hone_sample_rule *r, const float *z, double u)
{
    float work[3 * N];
    hone_choice c = {-1, 0, 0};
    assert_ok(hone_sample_choose(r, z, N, NULL, 0, u, work, &c));
    assert_in_range(c.id, 0, N - 1);
    return c;
}

/* softmax(z / t) over the ids in `set` (a bit each), in double */
static void distribution(const float *z, double t, unsigned set, double *p)
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += p[i] = set >> i & 1 ? exp((double)z[i] / t) : 0;
    for (int i = 0; i < N; i++)
        p[i] /= sum;
}

/* The ids that come at all when u goes through [0,1) in fine steps. */
static unsigned support_of(const hone_sample_rule *r)
{
    unsigned set = 0;
    for (int i = 0; i < 4096; i++)
        set |= 1u << choose_at(r, row, i / 4096.0).id;
    return set;
}

static unsigned bits(const char *ids)
{
    unsigned set = 0;
    for (; *ids; ids++)
        set |= 1u << (*ids - '0');
    return set;
}

static void greedy_takes_the_largest_and_the_lowest_id_among_equals(void **state)
{
    hone_sample_rule r = rule(0);
    double p[N];
    (void)state;
    r.greedy = 1;
    distribution(row, 1, 0xff, p);
    for (int i = 0; i < 8; i++) {
        hone_choice c = choose_at(&r, row, i / 8.0);
        assert_int_equal(c.id, 2);
        assert_true(fabs((double)c.full - log(p[2])) < 1e-5);
        assert_true(c.logprob == c.full);
    }
}

static void full_is_the_trainers_log_probability_bit_for_bit(void **state)
{
    static const double ts[] = {0.25, 0.7, 1, 1.3, 4};
    const hone_rows_kernels *k = HONE_KERNEL_PICK(rows);
    (void)state;
    for (size_t i = 0; i < sizeof ts / sizeof *ts; i++) {
        float inv_t = (float)(1.0 / ts[i]), lse = k->row_lse(row, N, inv_t, NULL);
        hone_sample_rule r = rule(ts[i]), cut = r;
        double p[N];
        cut.top_k = 3;
        distribution(row, ts[i], 0xff, p);
        for (int j = 0; j < 64; j++) {
            hone_choice c = choose_at(&r, row, j / 64.0), d = choose_at(&cut, row, j / 64.0);
            float want = row[c.id] * inv_t - lse;
            assert_memory_equal(&c.full, &want, sizeof want);
            assert_memory_equal(&c.logprob, &want, sizeof want);
            assert_true(fabs((double)c.full - log(p[c.id])) < 1e-5);
            want = row[d.id] * inv_t - lse; /* a truncated set leaves `full` as it is */
            assert_memory_equal(&d.full, &want, sizeof want);
            assert_true(d.logprob > d.full);
        }
    }
}

static void top_k_leaves_the_k_largest_the_lower_id_first(void **state)
{
    static const char *const sets[] = {"01234567", "2", "25", "254", "2547", "25470"};
    (void)state;
    for (int k = 0; k < 6; k++) {
        hone_sample_rule r = rule(1.5);
        r.top_k = k;
        assert_int_equal(support_of(&r), bits(sets[k]));
    }
    hone_sample_rule r = rule(1);
    r.top_k = 1000; /* more than there are */
    assert_int_equal(support_of(&r), 0xff);
}

static void top_p_leaves_the_smallest_set_with_that_mass(void **state)
{
    static const int order[N] = {2, 5, 4, 7, 0, 3, 1, 6};
    double p[N], mass = 0;
    unsigned set = 0;
    (void)state;
    distribution(row, 1, 0xff, p);
    for (int i = 0; i < N; i++) {
        hone_sample_rule r = rule(1);
        set |= 1u << order[i];
        r.top_p = mass + p[order[i]] / 2; /* the token that crosses it belongs to the set */
        assert_int_equal(support_of(&r), set);
        mass += p[order[i]];
    }
}

static void min_p_is_a_share_of_the_likeliest(void **state)
{
    hone_sample_rule r = rule(1);
    (void)state;
    /* shares of the likeliest: 4: e^-.5 = .607, 7: e^-1 = .368, 0: .223, 3: .135, 1: .050, 6: .007 */
    r.min_p = 0.61;
    assert_int_equal(support_of(&r), bits("25"));
    r.min_p = 0.6;
    assert_int_equal(support_of(&r), bits("254"));
    r.min_p = 0.2;
    assert_int_equal(support_of(&r), bits("25470"));
    r.temperature = 0.5; /* the shares are squared: 7 has .135 now */
    assert_int_equal(support_of(&r), bits("254"));
}

static void log_probability_is_of_the_set_that_was_sampled_from(void **state)
{
    hone_sample_rule r = rule(0.8);
    double p[N];
    (void)state;
    r.top_k = 4;
    r.min_p = 0.5; /* of 2, 5, 4, 7 only 2, 5 and 4: e^(-.5/.8) = .535, e^(-1/.8) = .287 */
    distribution(row, 0.8, bits("254"), p);
    for (int i = 0; i < 64; i++) {
        hone_choice c = choose_at(&r, row, i / 64.0);
        assert_true(p[c.id] > 0);
        assert_true(fabs((double)c.logprob - log(p[c.id])) < 1e-5);
    }
}

static void penalty_divides_positive_and_multiplies_negative_logits_once(void **state)
{
    static const int32_t seen[] = {2, 6, 2, -1, N, 5, 2};
    float work[3 * N], z[N], before[N];
    hone_sample_rule r = rule(1);
    double p[N], q[N];
    (void)state;
    r.repetition_penalty = 2;
    memcpy(z, row, sizeof z);
    z[2] = z[5] = 1;
    z[6] = -6;
    distribution(z, 1, 0xff, p);
    distribution(row, 1, 0xff, q);
    memcpy(before, row, sizeof before);
    for (int i = 0; i < 256; i++) {
        hone_choice c;
        assert_ok(hone_sample_choose(&r, row, N, seen, 7, i / 256.0, work, &c));
        assert_true(fabs((double)c.logprob - log(p[c.id])) < 1e-5);
        assert_true(fabs((double)c.full - log(q[c.id])) < 1e-5);
    }
    assert_memory_equal(row, before, sizeof before);
    r.greedy = 1;
    hone_choice c;
    assert_ok(hone_sample_choose(&r, row, N, seen, 7, 0.5, work, &c));
    assert_int_equal(c.id, 4);
}

static void frequencies(const hone_sample_rule *r, unsigned set, uint64_t seed)
{
    hone_rng_key key = {.seed = seed, .purpose = HONE_RNG_USER};
    long count[N] = {0};
    double p[N];
    distribution(row, r->temperature, set, p);
    for (uint64_t i = 0; i < DRAWS; i++)
        count[choose_at(r, row, hone_rng_uniform(&key, i)).id]++;
    for (int i = 0; i < N; i++) {
        double sigma = sqrt(DRAWS * p[i] * (1 - p[i]));
        if (fabs((double)count[i] - DRAWS * p[i]) > 4 * sigma)
            fail_msg("token %d came %ld times, expected %.1f +- %.1f", i, count[i], DRAWS * p[i],
                     sigma);
    }
}

static void tokens_come_as_often_as_they_should(void **state)
{
    hone_sample_rule r = rule(1);
    (void)state;
    frequencies(&r, 0xff, 1);
    r.temperature = 2;
    frequencies(&r, 0xff, 2);
    r.top_k = 3;
    frequencies(&r, bits("254"), 3);
    r.top_k = 0;
    r.min_p = 0.55; /* at temperature 2: 4 has e^-.25 = .78, 7 e^-.5 = .61, 0 e^-.75 = .47 */
    frequencies(&r, bits("2547"), 4);
}

static void the_ends_of_the_unit_interval_are_tokens_with_mass(void **state)
{
    float z[N];
    hone_sample_rule r = rule(1);
    (void)state;
    memcpy(z, row, sizeof z);
    z[0] = z[1] = z[7] = -INFINITY;
    assert_int_equal(choose_at(&r, z, 0).id, 2);
    assert_int_equal(choose_at(&r, z, nextafter(1, 0)).id, 6);
    r.top_p = 0.99999;
    assert_true(isfinite(choose_at(&r, z, nextafter(1, 0)).logprob));
}

static void one_finite_logit_is_certain(void **state)
{
    float z[N];
    hone_sample_rule r = rule(0.7);
    (void)state;
    for (int i = 0; i < N; i++)
        z[i] = -INFINITY;
    z[3] = -40;
    for (int i = 0; i < 8; i++) {
        hone_choice c = choose_at(&r, z, i / 8.0);
        assert_int_equal(c.id, 3);
        assert_true(fabs((double)c.logprob) < 1e-5);
    }
    r.top_k = 5; /* tokens without mass do not come because the set has room */
    assert_int_equal(choose_at(&r, z, nextafter(1, 0)).id, 3);
}

static void a_row_without_a_distribution_is_an_error(void **state)
{
    static const float bad[] = {(float)NAN, INFINITY, -INFINITY};
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        for (int greedy = 0; greedy < 2; greedy++) {
            for (int k = 0; k < 4; k += 3) {
                float z[N], work[3 * N];
                hone_choice c = {-7, 1, 1};
                hone_sample_rule r = rule(1);
                r.greedy = greedy;
                r.top_k = k;
                for (int i = 0; i < N; i++)
                    z[i] = bad[b];
                assert_fails(hone_sample_choose(&r, z, N, NULL, 0, 0.5, work, &c), HONE_E_FAIL, "");
                assert_int_equal(c.id, -7);
                if (b == 2)
                    continue;
                for (int at = 0; at < N; at += 7) { /* one bad logit is enough, wherever */
                    memcpy(z, row, sizeof z);
                    z[at] = bad[b];
                    assert_fails(hone_sample_choose(&r, z, N, NULL, 0, 0.5, work, &c), HONE_E_FAIL,
                                 "finite");
                    assert_int_equal(c.id, -7);
                }
            }
        }
    }
}

static void a_penalty_does_not_make_a_bad_row_good(void **state)
{
    static const int32_t seen[] = {0, 1, 2};
    float z[N], work[3 * N];
    hone_sample_rule r = rule(1);
    hone_choice c;
    (void)state;
    r.repetition_penalty = 1.5;
    memcpy(z, row, sizeof z);
    z[1] = -INFINITY;
    assert_ok(hone_sample_choose(&r, z, N, seen, 3, 0.5, work, &c));
    z[1] = (float)NAN;
    assert_fails(hone_sample_choose(&r, z, N, seen, 3, 0.5, work, &c), HONE_E_FAIL, "finite");
}

static void a_rule_that_makes_no_distribution_names_its_field(void **state)
{
    (void)state;
    hone_sample_rule r = rule(1);
    assert_ok(hone_sample_rule_check(&r));
    r.temperature = 0;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "temperature");
    r.temperature = (double)NAN;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "temperature");
    r.greedy = 1;
    assert_ok(hone_sample_rule_check(&r));
    r = rule(1);
    r.top_k = -1;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "top_k");
    r = rule(1);
    r.top_p = 0;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "top_p");
    r.top_p = (double)NAN;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "top_p");
    r = rule(1);
    r.min_p = 1;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "min_p");
    r = rule(1);
    r.repetition_penalty = 0;
    assert_fails(hone_sample_rule_check(&r), HONE_E_RANGE, "repetition_penalty");
}

/* Sums go by runs of ids (sample.c): no run, its ends or one without mass may shift a choice. */
static void the_choice_in_a_long_row_is_the_inverse_of_the_sum_in_id_order(void **state)
{
    enum { LONG = 1003, FIRST = 300, LAST = 760 };
    static float z[LONG], work[3 * LONG];
    static double upto[LONG];
    hone_sample_rule r = rule(1);
    hone_rng_key key = {7, HONE_RNG_SAMPLE, 0, 0, 0};
    double sum = 0;
    int wanted = 0, id = FIRST;
    (void)state;
    for (int i = 0; i < LONG; i++) {
        const int none = i < FIRST || i > LAST || i % 5 == 0;
        z[i] = none ? -INFINITY : (float)(4 * hone_rng_uniform(&key, (uint64_t)i));
        upto[i] = sum += none ? 0 : exp((double)z[i]);
    }
    for (int i = 0; i < 5000; i++) {
        const double u = (i + 0.5) / 5000;
        hone_choice c;
        while (upto[id] <= u * sum)
            id++;
        assert_ok(hone_sample_choose(&r, z, LONG, NULL, 0, u, work, &c));
        const double near = fabs(upto[c.id] - u * sum) / sum; /* exp is not the test's */
        assert_true(c.id == id || (near < 1e-6 && abs(c.id - id) <= 2));
        wanted += c.id == id;
    }
    assert_true(wanted > 4990);
    hone_choice c;
    assert_ok(hone_sample_choose(&r, z, LONG, NULL, 0, 0.0, work, &c));
    assert_int_equal(c.id, FIRST + 1);
    assert_ok(hone_sample_choose(&r, z, LONG, NULL, 0, 1.0, work, &c));
    assert_int_equal(c.id, LAST - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_largest_and_the_lowest_id_among_equals),
        cmocka_unit_test(full_is_the_trainers_log_probability_bit_for_bit),
        cmocka_unit_test(top_k_leaves_the_k_largest_the_lower_id_first),
        cmocka_unit_test(top_p_leaves_the_smallest_set_with_that_mass),
        cmocka_unit_test(min_p_is_a_share_of_the_likeliest),
        cmocka_unit_test(log_probability_is_of_the_set_that_was_sampled_from),
        cmocka_unit_test(penalty_divides_positive_and_multiplies_negative_logits_once),
        cmocka_unit_test(tokens_come_as_often_as_they_should),
        cmocka_unit_test(the_ends_of_the_unit_interval_are_tokens_with_mass),
        cmocka_unit_test(the_choice_in_a_long_row_is_the_inverse_of_the_sum_in_id_order),
        cmocka_unit_test(one_finite_logit_is_certain),
        cmocka_unit_test(a_row_without_a_distribution_is_an_error),
        cmocka_unit_test(a_penalty_does_not_make_a_bad_row_good),
        cmocka_unit_test(a_rule_that_makes_no_distribution_names_its_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
