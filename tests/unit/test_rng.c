/* Random numbers: known answers, purity, distribution, permutations; math64 beside libm. */
#include "support.h"

#include "base/hash.h"
#include "base/math64.h"
#include "base/rng.h"

#include <math.h>

static const hone_rng_key key = {.seed = 7, .purpose = HONE_RNG_USER, .step = 3, .sample = 11};

/* Random123 1.14, tests/kat_vectors, philox4x32 10 */
static void test_philox_gives_the_published_answers(void **state)
{
    (void)state;
    static const uint32_t rows[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        hone_philox4x32(rows[i], rows[i] + 4, out);
        assert_memory_equal(out, rows[i] + 6, sizeof out);
    }
}

/* What a recorded run depends on: these may never change. */
static void test_streams_are_fixed_for_ever(void **state)
{
    (void)state;
    char hex[65];
    hone_sha256 h;
    hone_sha256_init(&h);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t p[5] = {hone_rng_u32(&key, i), hone_rng_u64(&key, i),
                         hone_rng_below(&key, i, 1000003), hone_rng_permute(&key, i, 20000),
                         hone_rng_permute(&key, i % 50, 50)};
        double d[2] = {hone_rng_uniform(&key, i), hone_rng_normal(&key, i)};
        hone_sha256_add(&h, p, sizeof p);
        hone_sha256_add(&h, d, sizeof d);
    }
    hone_sha256_hex(&h, hex);
    assert_string_equal(hex, "85dc6665f8dcf4473ed7f8f3a8b568dd36a97d670f03afa9efa2b7b441386065");
}

static void test_each_part_of_the_key_matters(void **state)
{
    (void)state;
    hone_rng_key k[10];
    for (int i = 0; i < 10; i++)
        k[i] = key;
    k[1].seed++;
    k[2].purpose++;
    k[3].pad++;
    k[4].step++;
    k[5].sample++;
    k[6].step += (uint64_t)1 << 32;
    k[7].sample += (uint64_t)1 << 32;
    k[8].seed += (uint64_t)1 << 63;
    k[9].step = key.sample;
    k[9].sample = key.step;
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < i; j++)
            assert_true(hone_rng_u64(&k[i], 5) != hone_rng_u64(&k[j], 5));
    assert_true(hone_rng_u64(&key, 0) != hone_rng_u64(&key, (uint64_t)1 << 33));
    assert_true((uint32_t)hone_rng_u64(&key, 0) != hone_rng_u32(&key, 0)); /* kinds share no bits */
}

static void test_uniform_and_normal_have_their_moments(void **state)
{
    (void)state;
    enum { N = 400000 };
    double m[2] = {0}, v[2] = {0}, q = 0, lag = 0, last = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = hone_rng_uniform(&key, i), z = hone_rng_normal(&key, i);
        assert_true(u >= 0.0 && u < 1.0);
        m[0] += u;
        v[0] += (u - 0.5) * (u - 0.5);
        m[1] += z;
        v[1] += z * z;
        q += z * z * z * z;
        lag += z * last;
        last = z;
    }
    assert_true(fabs(m[0] / N - 0.5) < 0.002 && fabs(v[0] / N - 1.0 / 12) < 0.0005);
    assert_true(fabs(m[1] / N) < 0.008 && fabs(v[1] / N - 1) < 0.012);
    assert_true(fabs(q / N - 3) < 0.1 && fabs(lag / N) < 0.008);
}

static void test_below_is_in_range_and_even(void **state)
{
    (void)state;
    int count[7] = {0};
    for (uint64_t i = 0; i < 70000; i++) {
        uint64_t v = hone_rng_below(&key, i, 7);
        assert_true(v < 7);
        count[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_true(count[i] > 9600 && count[i] < 10400);
    assert_int_equal(hone_rng_below(&key, 1, 1), 0);
    uint64_t huge = ((uint64_t)1 << 63) + 1; /* half of all draws are rejected */
    for (uint64_t i = 0; i < 100; i++)
        assert_true(hone_rng_below(&key, i, huge) < huge);
}

static void test_draws_side_by_side_are_the_single_ones(void **state)
{
    static const uint64_t limits[] = {1, 7, 500, 1000003, ((uint64_t)1 << 63) + 1};
    static const size_t counts[] = {0, 1, 2, 15, 16, 17, 100};
    hone_rng_key k = {.seed = 9, .purpose = 4, .step = (uint64_t)1 << 33, .sample = 5};
    (void)state;
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            uint64_t out[101];
            out[counts[c]] = 4711;
            hone_rng_below_each(&k, limits[l], counts[c], out);
            for (size_t i = 0; i < counts[c]; i++)
                assert_true(out[i] == hone_rng_below(&k, i, limits[l]));
            assert_true(out[counts[c]] == 4711);
        }
}

static void test_permutations_hit_each_place_once(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 8, 63, 64, 65, 100, 1000, 4096, 4097, 70000};
    static unsigned char seen[70000];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint64_t n = sizes[s], fixed = 0;
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t p = hone_rng_permute(&key, i, n);
            assert_true(p < n && !seen[p]);
            seen[p] = 1;
            fixed += p == i;
        }
        if (n >= 65)
            assert_true(fixed < 12); /* one is expected */
    }
    /* all orders of three, about equally often; and the place of element 0 among 100 */
    int orders[27] = {0}, places[10] = {0};
    hone_rng_key k = key;
    for (k.step = 0; k.step < 6000; k.step++) {
        orders[hone_rng_permute(&k, 0, 3) * 9 + hone_rng_permute(&k, 1, 3) * 3 +
               hone_rng_permute(&k, 2, 3)]++;
        places[hone_rng_permute(&k, 0, 100) / 10]++;
    }
    int kinds = 0;
    for (int i = 0; i < 27; i++) {
        kinds += orders[i] > 0;
        assert_true(orders[i] == 0 || (orders[i] > 850 && orders[i] < 1150));
    }
    assert_int_equal(kinds, 6);
    for (int i = 0; i < 10; i++)
        assert_true(places[i] > 480 && places[i] < 720);
    assert_true(hone_rng_permute(&key, UINT64_MAX - 1, UINT64_MAX) < UINT64_MAX);
}

static void test_purposes_by_name_stay_clear_of_the_numbered_ones(void **state)
{
    (void)state;
    assert_true(hone_rng_purpose("com.acme.x") >= 0x10000);
    assert_true(hone_rng_purpose("com.acme.x") != hone_rng_purpose("com.acme.y"));
    assert_int_equal(hone_rng_purpose("com.acme.x"), hone_rng_purpose("com.acme.x"));
}

/* ---- math64 ----------------------------------------------------------------------------------- */

static double ulps(double got, long double want)
{
    int e;
    double w = (double)want;
    if (!isfinite(w))
        return got == w ? 0 : 99;
    frexp(w, &e);
    if (w == 0 || e < -1021) /* subnormal: one size for all */
        e = -1021;
    return (double)(fabsl((long double)got - want) / ldexpl(1, e - 53));
}

static void test_math_is_within_one_ulp(void **state)
{
    (void)state;
    double worst[5] = {0};
    for (uint64_t i = 0; i < 200000; i++) {
        double u = hone_rng_uniform(&key, i), v = hone_rng_uniform(&key, i + 1000000);
        double x[3] = {(u - 0.5) * 1480, u - 0.5, ldexp(u - 0.5, -(int)(i % 60))};
        double p[3] = {u * 4, ldexp(u, (int)(i % 2000) - 1000), 1 + ldexp(u - 0.5, -(int)(i % 50))};
        double a[3] = {(u - 0.5) * 20, ldexp(u - 0.5, (int)(i % 63)),
                       (double)(i / 3) * 1.5707963267948966};
        for (int j = 0; j < 3; j++) {
            worst[0] = fmax(worst[0], ulps(hone_math_exp(x[j]), expl(x[j])));
            worst[1] = fmax(worst[1], ulps(hone_math_log(p[j]), logl(p[j])));
            worst[2] = fmax(worst[2], ulps(hone_math_sin(a[j]), sinl(a[j])));
            worst[3] = fmax(worst[3], ulps(hone_math_cos(a[j]), cosl(a[j])));
            worst[4] = fmax(
                worst[4], ulps(hone_math_pow(p[j], (v - 0.5) * 300), powl(p[j], (v - 0.5) * 300)));
        }
    }
    fprintf(stderr, "ulp: exp %.3f log %.3f sin %.3f cos %.3f pow %.3f\n", worst[0], worst[1],
            worst[2], worst[3], worst[4]);
    for (int i = 0; i < 5; i++)
        assert_true(worst[i] < 1.0);
    assert_true(hone_math_sin(1e22) == -0.85220084976718880);
    assert_true(hone_math_cos(1e300) == -0.57538611195754910);
}

static void test_math_has_the_same_bits_everywhere(void **state)
{
    (void)state;
    char hex[65];
    hone_sha256 h;
    hone_sha256_init(&h);
    for (uint64_t i = 0; i < 50000; i++) {
        double u = hone_rng_uniform(&key, i), s = ldexp(u, (int)(i % 1200) - 100);
        double r[5] = {hone_math_exp((u - 0.5) * 1500), hone_math_log(s), hone_math_sin(s),
                       hone_math_cos(s), hone_math_pow(s, (u - 0.5) * 4)};
        hone_sha256_add(&h, r, sizeof r);
    }
    hone_sha256_hex(&h, hex);
    assert_string_equal(hex, "98032d7fe22c893fc30149de917446f3d04fc863ede09e2fa697d511f533848f");
}

static int same(double a, double b)
{
    return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b);
}

static void test_math_special_values_are_those_of_the_standard(void **state)
{
    (void)state;
    const double v[] = {
        0.0,         -0.0,        1,      -1,     2,        -2,         3,           -3,
        0.5,         -0.5,        1.5,    -2.5,   INFINITY, -INFINITY,  NAN,         5e-324,
        -5e-324,     1e308,       -1e308, 1e-308, 0x1p53,   0x1p53 + 2, -0x1p53 - 1, 1e17,
        1 - 0x1p-53, 1 + 0x1p-52, 710,    -746,   1023,     1024,       -1074,       -1075};
    enum { N = sizeof v / sizeof *v };
    for (int i = 0; i < N; i++) {
        double e = hone_math_exp(v[i]), l = hone_math_log(v[i]);
        double s = hone_math_sin(v[i]), c = hone_math_cos(v[i]);
        assert_true(isfinite(exp(v[i])) && exp(v[i]) != 0 ? ulps(e, expl(v[i])) < 1
                                                          : same(e, exp(v[i])));
        assert_true(isfinite(log(v[i])) && log(v[i]) != 0 ? ulps(l, logl(v[i])) < 1
                                                          : same(l, log(v[i])));
        assert_true(isfinite(v[i]) ? ulps(c, cosl(v[i])) < 1 || fabs(v[i]) > 1e18 : isnan(c));
        assert_true(isfinite(v[i]) ? ulps(s, sinl(v[i])) < 1 || fabs(v[i]) > 1e18 : isnan(s));
        if (v[i] == 0)
            assert_true(same(s, v[i]));
        for (int j = 0; j < N; j++) {
            double want = pow(v[i], v[j]), got = hone_math_pow(v[i], v[j]);
            int ok = isfinite(want) && want != 0 ? ulps(got, powl(v[i], v[j])) < 1
                                                 : same(got, want);
            if (!ok)
                fprintf(stderr, "pow(%a, %a) = %a, libm %a\n", v[i], v[j], got, want);
            assert_true(ok);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_gives_the_published_answers),
        cmocka_unit_test(test_streams_are_fixed_for_ever),
        cmocka_unit_test(test_each_part_of_the_key_matters),
        cmocka_unit_test(test_uniform_and_normal_have_their_moments),
        cmocka_unit_test(test_below_is_in_range_and_even),
        cmocka_unit_test(test_draws_side_by_side_are_the_single_ones),
        cmocka_unit_test(test_permutations_hit_each_place_once),
        cmocka_unit_test(test_purposes_by_name_stay_clear_of_the_numbered_ones),
        cmocka_unit_test(test_math_is_within_one_ulp),
        cmocka_unit_test(test_math_has_the_same_bits_everywhere),
        cmocka_unit_test(test_math_special_values_are_those_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
