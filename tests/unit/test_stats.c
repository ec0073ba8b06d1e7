/* test_stats.c - pass@k, bootstrap intervals (train/stats.h) and the merging of metrics
 * (train/metrics.h). */
#include "support.h"

#include "base/rng.h"
#include "train/metrics.h"
#include "train/stats.h"

#include <math.h>

/* ---- pass@k ---- */

static double choose(uint32_t n, uint32_t k)
{
    double c = 1;
    for (uint32_t i = 0; i < k; i++)
        c = c * (double)(n - i) / (double)(i + 1);
    return k > n ? 0 : c;
}

static void pass_at_k_is_the_share_of_subsets_with_a_right_one(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 24; n++) {
        for (uint32_t c = 0; c <= n; c++) {
            for (uint32_t k = 1; k <= n; k++) {
                double want = 1 - choose(n - c, k) / choose(n, k);
                assert_true(fabs(hone_pass_at_k(n, c, k) - want) < 1e-12);
            }
        }
    }
}

static void pass_at_k_counts_subsets_one_by_one(void **state)
{
    (void)state;
    /* n = 6, samples 0 and 1 right, every subset of 3 written out as bits */
    int subsets = 0, good = 0;
    for (unsigned bits = 0; bits < 64; bits++) {
        if (__builtin_popcount(bits) == 3) {
            subsets++;
            good += (bits & 3) != 0;
        }
    }
    assert_true(fabs(hone_pass_at_k(6, 2, 3) - (double)good / (double)subsets) < 1e-12);
}

static void pass_at_1_is_the_share_and_large_n_does_not_overflow(void **state)
{
    (void)state;
    assert_true(fabs(hone_pass_at_k(8, 3, 1) - 0.375) < 1e-12);
    assert_true(hone_pass_at_k(10000, 0, 100) == 0);
    assert_true(hone_pass_at_k(10000, 10000, 1) == 1);
    /* 1 - C(9900,100)/C(10000,100) by logarithms of the gamma function */
    double want = 1 - exp(2 * lgamma(9901) - lgamma(9801) - lgamma(10001));
    assert_true(fabs(hone_pass_at_k(10000, 100, 100) - want) < 1e-9);
}

/* ---- bootstrap ---- */

static void bootstrap_is_a_function_of_values_and_seed(void **state)
{
    double v[50];
    hone_interval a, b, c;
    (void)state;
    for (size_t i = 0; i < 50; i++)
        v[i] = (double)((i * 37) % 50);
    assert_ok(hone_bootstrap(v, 50, 7, &a));
    assert_ok(hone_bootstrap(v, 50, 7, &b));
    assert_ok(hone_bootstrap(v, 50, 8, &c));
    assert_memory_equal(&a.mean, &b.mean, sizeof a.mean);
    assert_memory_equal(&a.lo, &b.lo, sizeof a.lo);
    assert_memory_equal(&a.hi, &b.hi, sizeof a.hi);
    assert_true(a.mean == 24.5 && a.n == 50);
    assert_true(c.lo != a.lo || c.hi != a.hi);
}

/* The definition: 2,000 resamples of as many values, each drawn by its place. */
static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void define(const double *v, size_t n, uint64_t seed, double *lo, double *hi)
{
    static double means[2000];
    for (size_t r = 0; r < 2000; r++) {
        const hone_rng_key key = {.seed = seed, .purpose = HONE_RNG_BOOTSTRAP, .step = r};
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += v[hone_rng_below(&key, i, n)];
        means[r] = sum / (double)n;
    }
    qsort(means, 2000, sizeof *means, by_value);
    *lo = means[50];
    *hi = means[1949];
}

static void bootstrap_is_its_definition_to_the_bit(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n += 6)
        for (size_t one = 0; one < 3; one++) { /* values that differ, one that does, none */
            double v[40], lo, hi;
            hone_interval i;
            for (size_t k = 0; k < n; k++)
                v[k] = one == 0 ? 0.1 * (double)(k % 7) : one == 1 && k == n / 2 ? 0.7 : 0.1;
            define(v, n, n, &lo, &hi);
            assert_ok(hone_bootstrap(v, n, n, &i));
            assert_memory_equal(&i.lo, &lo, sizeof lo);
            assert_memory_equal(&i.hi, &hi, sizeof hi);
        }
}

static void bootstrap_is_as_wide_as_the_normal_interval(void **state)
{
    enum { N = 400 };
    static double v[N];
    double mean = 0, var = 0;
    hone_interval r;
    hone_rng_key key = {.seed = 3, .purpose = HONE_RNG_USER};
    (void)state;
    for (size_t i = 0; i < N; i++)
        mean += v[i] = hone_rng_normal(&key, i);
    mean /= N;
    for (size_t i = 0; i < N; i++)
        var += (v[i] - mean) * (v[i] - mean);
    double half = 1.959964 * sqrt(var / N) / sqrt(N);
    assert_ok(hone_bootstrap(v, N, 1, &r));
    assert_true(fabs(r.mean - mean) < 1e-12);
    /* a 2.5 % quantile of 2,000 resamples has a standard error near 5 % of the half width */
    assert_true(fabs((r.mean - r.lo) / half - 1) < 0.2);
    assert_true(fabs((r.hi - r.mean) / half - 1) < 0.2);
}

static void bootstrap_leaves_nan_out_and_knows_nothing_of_nothing(void **state)
{
    const double v[] = {(double)NAN, 1, (double)NAN, 3}, same[] = {2, 2, 2};
    hone_interval r;
    (void)state;
    assert_ok(hone_bootstrap(v, 4, 1, &r));
    assert_true(r.n == 2 && r.mean == 2 && r.lo >= 1 && r.hi <= 3 && r.lo < r.hi);
    assert_ok(hone_bootstrap(same, 3, 1, &r));
    assert_true(r.mean == 2 && r.lo == 2 && r.hi == 2);
    assert_ok(hone_bootstrap(v, 1, 1, &r));
    assert_true(r.n == 0 && isnan(r.mean) && isnan(r.lo) && isnan(r.hi));
    assert_ok(hone_bootstrap(NULL, 0, 1, &r));
    assert_true(r.n == 0 && isnan(r.mean));
}

static hone_status bootstrap_three(void)
{
    const double v[] = {1, 2, 3};
    hone_interval r;
    return hone_bootstrap(v, 3, 1, &r);
}

static void bootstrap_survives_no_memory(void **state)
{
    (void)state;
    assert_survives_no_memory(bootstrap_three());
}

/* ---- metrics ---- */

static double value_of(const hone_metrics *m, const char *name)
{
    double v = -12345;
    assert_true(hone_metrics_get(m, name, &v));
    return v;
}

static void metrics_do_not_depend_on_the_split(void **state)
{
    static const double value[] = {3, -1, 4, 1, 5, -9}, weight[] = {1, 2, 3, 4, 5, 6};
    (void)state;
    for (size_t cut = 0; cut <= 6; cut++) {
        hone_metrics a, b;
        hone_metrics_init(&a);
        hone_metrics_init(&b);
        for (size_t i = 0; i < 6; i++) {
            hone_metrics *to = i < cut ? &a : &b;
            hone_metrics_add(to, "mean", HONE_METRIC_MEAN, value[i], weight[i]);
            hone_metrics_add(to, "sum", HONE_METRIC_SUM, value[i], weight[i]);
            hone_metrics_add(to, "min", HONE_METRIC_MIN, value[i], weight[i]);
            hone_metrics_add(to, "max", HONE_METRIC_MAX, value[i], weight[i]);
        }
        hone_metrics_merge(&a, &b);
        /* (3*1 - 1*2 + 4*3 + 1*4 + 5*5 - 9*6) / 21 */
        assert_true(fabs(value_of(&a, "mean") - -12.0 / 21) < 1e-12);
        assert_true(value_of(&a, "sum") == 3);
        assert_true(value_of(&a, "min") == -9);
        assert_true(value_of(&a, "max") == 5);
        assert_int_equal(a.n, 4);
        hone_metrics_release(&a);
        hone_metrics_release(&b);
    }
}

static void a_metric_without_weight_is_not_there(void **state)
{
    hone_metrics m, other;
    hone_buf b;
    hone_jw w;
    double v = 7;
    (void)state;
    hone_metrics_init(&m);
    hone_metrics_init(&other);
    hone_metrics_add(&other, "a", HONE_METRIC_MEAN, 5, 0);
    hone_metrics_merge(&m, &other);
    assert_false(hone_metrics_get(&m, "a", &v));
    assert_false(hone_metrics_get(&m, "b", &v));
    assert_true(v == 7);
    hone_metrics_add(&m, "z", HONE_METRIC_SUM, 2, 0);
    hone_metrics_set(&m, "c", 0.5);
    hone_metrics_add(&m, "a", HONE_METRIC_MEAN, 4, 0.5);
    hone_buf_init(&b, 4096);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_metrics_write(&m, &w); /* in the order of first mention */
    hone_jw_end(&w);
    static const char want[] = "{\"a\":4,\"z\":2,\"c\":0.5}";
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.ptr, want, b.len);
    hone_buf_release(&b);
    hone_metrics_clear(&m);
    assert_false(hone_metrics_get(&m, "c", &v));
    hone_metrics_release(&m);
    hone_metrics_release(&other);
}

static void not_a_number_is_not_hidden_by_a_minimum_or_maximum(void **state)
{
    hone_metrics m, n;
    (void)state;
    hone_metrics_init(&m);
    hone_metrics_init(&n);
    hone_metrics_add(&m, "min", HONE_METRIC_MIN, 1, 1);
    hone_metrics_add(&m, "max", HONE_METRIC_MAX, 1, 1);
    hone_metrics_add(&n, "min", HONE_METRIC_MIN, (double)NAN, 1);
    hone_metrics_add(&n, "max", HONE_METRIC_MAX, (double)NAN, 1);
    hone_metrics_merge(&m, &n);
    hone_metrics_add(&m, "min", HONE_METRIC_MIN, -5, 1);
    hone_metrics_add(&m, "max", HONE_METRIC_MAX, 5, 1);
    assert_true(isnan(value_of(&m, "min")) && isnan(value_of(&m, "max")));
    hone_metrics_release(&m);
    hone_metrics_release(&n);
}

static void a_name_longer_than_is_kept_is_still_one_metric(void **state)
{
    char name[120];
    hone_metrics m, n;
    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    hone_metrics_init(&m);
    hone_metrics_init(&n);
    hone_metrics_add(&m, name, HONE_METRIC_SUM, 1, 1);
    hone_metrics_add(&m, name, HONE_METRIC_SUM, 2, 1);
    hone_metrics_add(&n, name, HONE_METRIC_SUM, 4, 1);
    hone_metrics_merge(&m, &n);
    assert_int_equal(m.n, 1);
    assert_true(value_of(&m, name) == 7);
    hone_metrics_release(&m);
    hone_metrics_release(&n);
}

static void no_memory_is_remembered(void **state)
{
    hone_metrics m;
    (void)state;
    hone_metrics_init(&m);
    hone_alloc_fail_after(1, 0);
    hone_metrics_set(&m, "a", 1);
    hone_alloc_fail_after(0, 0);
    hone_metrics_set(&m, "b", 1);
    assert_int_equal(m.failed, HONE_E_NOMEM);
    hone_metrics_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pass_at_k_is_the_share_of_subsets_with_a_right_one),
        cmocka_unit_test(pass_at_k_counts_subsets_one_by_one),
        cmocka_unit_test(pass_at_1_is_the_share_and_large_n_does_not_overflow),
        cmocka_unit_test(bootstrap_is_a_function_of_values_and_seed),
        cmocka_unit_test(bootstrap_is_its_definition_to_the_bit),
        cmocka_unit_test(bootstrap_is_as_wide_as_the_normal_interval),
        cmocka_unit_test(bootstrap_leaves_nan_out_and_knows_nothing_of_nothing),
        cmocka_unit_test(bootstrap_survives_no_memory),
        cmocka_unit_test(metrics_do_not_depend_on_the_split),
        cmocka_unit_test(a_metric_without_weight_is_not_there),
        cmocka_unit_test(not_a_number_is_not_hidden_by_a_minimum_or_maximum),
        cmocka_unit_test(a_name_longer_than_is_kept_is_still_one_metric),
        cmocka_unit_test(no_memory_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
