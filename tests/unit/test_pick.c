/* test_pick.c - batches: probabilities that are what they say, signals from verdict rows. */
#include "judge/pick.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N = 60, WANT = 12, DRAWS = 20000 };

static void make_signals(double *s)
{
    const hone_rng_key k = {.seed = 3, .purpose = HONE_RNG_USER};
    for (size_t i = 0; i < (size_t)N * HONE_PICK_SIGNALS; i++)
        s[i] = hone_rng_uniform(&k, i) < 0.3 ? (double)NAN : hone_rng_normal(&k, 1000 + i);
}

static void test_inclusion_is_as_often_as_it_says(void **state)
{
    double s[N * HONE_PICK_SIGNALS], p[N], sum = 0;
    size_t hits[N] = {0}, uniform = 0;
    hone_pick out[WANT];
    (void)state;
    make_signals(s);
    assert_int_equal(hone_pick_probabilities(s, N, WANT, p), HONE_OK);
    for (size_t i = 0; i < N; i++) {
        assert_true(p[i] >= HONE_PICK_UNIFORM * WANT / N - 1e-12 && p[i] <= 1);
        sum += p[i];
    }
    assert_true(fabs(sum - WANT) < 1e-9);
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        assert_int_equal(hone_pick_draw(s, N, WANT, seed, out), HONE_OK);
        for (size_t k = 0; k < WANT; k++) {
            assert_true(k == 0 || out[k].item > out[k - 1].item);
            assert_true(out[k].probability == p[out[k].item]);
            hits[out[k].item]++;
            uniform += strcmp(out[k].why, "uniform") == 0;
        }
    }
    for (size_t i = 0; i < N; i++) { /* 4.5 standard errors */
        const double f = (double)hits[i] / DRAWS;
        assert_true(fabs(f - p[i]) < 4.5 * sqrt(p[i] * (1 - p[i]) / DRAWS) + 1e-9);
    }
    const double share = (double)uniform / ((double)DRAWS * WANT);
    assert_true(fabs(share - HONE_PICK_UNIFORM) < 0.01);
}

static void test_what_promises_more_is_likelier(void **state)
{
    double s[N * HONE_PICK_SIGNALS], p[N];
    (void)state;
    for (size_t i = 0; i < (size_t)N * HONE_PICK_SIGNALS; i++)
        s[i] = (double)NAN;
    for (size_t i = 0; i < N; i++)
        s[i * HONE_PICK_SIGNALS + HONE_PICK_ENTROPY] = (double)i;
    assert_int_equal(hone_pick_probabilities(s, N, WANT, p), HONE_OK);
    for (size_t i = 1; i < N; i++)
        assert_true(p[i] > p[i - 1]);
    assert_true(fabs(p[0] - HONE_PICK_UNIFORM * WANT / N) < 1e-12);
    /* nearly all wanted: the likeliest are certain, nobody is above 1 */
    double sum = 0;
    assert_int_equal(hone_pick_probabilities(s, N, N - 2, p), HONE_OK);
    for (size_t i = 0; i < N; i++) {
        assert_true(p[i] > 0 && p[i] <= 1);
        sum += p[i];
    }
    assert_true(fabs(sum - (N - 2)) < 1e-9 && p[N - 1] == 1);
}

static void test_nothing_known_is_a_uniform_draw(void **state)
{
    hone_pick out[N];
    double p[N], same[N * HONE_PICK_SIGNALS];
    (void)state;
    for (size_t i = 0; i < (size_t)N * HONE_PICK_SIGNALS; i++)
        same[i] = 7;
    const double *const inputs[] = {NULL, same};
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(hone_pick_draw(inputs[k], N, WANT, 1, out), HONE_OK);
        for (size_t i = 0; i < WANT; i++) {
            assert_string_equal(out[i].why, "uniform");
            assert_true(out[i].probability == (double)WANT / N);
        }
    }
    assert_int_equal(hone_pick_draw(NULL, N, 10 * N, 1, out), HONE_OK);
    for (size_t i = 0; i < N; i++)
        assert_true(out[i].item == i && out[i].probability == 1);
    assert_int_equal(hone_pick_draw(NULL, 0, 5, 1, out), HONE_OK);
    assert_int_equal(hone_pick_probabilities(NULL, 0, 5, p), HONE_OK);
    assert_int_equal(hone_pick_draw(NULL, N, 0, 1, out), HONE_OK);
}

static void test_a_draw_is_the_seeds(void **state)
{
    double s[N * HONE_PICK_SIGNALS];
    hone_pick a[WANT], b[WANT], c[WANT];
    (void)state;
    make_signals(s);
    assert_int_equal(hone_pick_draw(s, N, WANT, 5, a), HONE_OK);
    assert_int_equal(hone_pick_draw(s, N, WANT, 5, b), HONE_OK);
    assert_int_equal(hone_pick_draw(s, N, WANT, 6, c), HONE_OK);
    size_t other = 0;
    for (size_t i = 0; i < WANT; i++) {
        assert_int_equal(a[i].item, b[i].item);
        other += a[i].item != c[i].item;
    }
    assert_true(other > 0);
}

static hone_status add(hone_pick_pool *p, const char *json)
{
    hone_arena arena;
    hone_value v;
    hone_arena_init(&arena, 0);
    hone_status s = hone_json_parse(json, strlen(json), NULL, &arena, &v);
    assert_int_equal(s, HONE_OK);
    s = hone_pick_pool_add(p, &v);
    hone_arena_release(&arena);
    return s;
}

static void test_signals_come_from_verdicts(void **state)
{
    const hone_str ids[] = {hone_str_c("x"), hone_str_c("y"), hone_str_c("7")};
    hone_pick_pool *p = NULL;
    (void)state;
    assert_int_equal(hone_pick_pool_create(ids, 3, 0.5, &p), HONE_OK);
    assert_int_equal(
        add(p, "{\"id\":\"x\",\"status\":\"ok\",\"score\":0.5,\"entropy\":1,\"spec\":\"a\"}"), 1);
    assert_int_equal(add(p, "{\"id\":\"x\",\"status\":\"ok\",\"score\":0.9,\"entropy\":2,\"spec\":"
                            "\"b\",\"order\":[1,0]}"),
                     1);
    assert_int_equal(add(p, "{\"id\":7,\"status\":\"unparsed\",\"score\":null,\"entropy\":0.5}"),
                     1);
    assert_int_equal(add(p, "{\"id\":\"y\",\"score\":3}"), 1);
    assert_int_equal(add(p, "{\"id\":\"unknown\",\"score\":3}"), 0);
    assert_true(add(p, "{\"score\":3}") < 0);
    assert_true(add(p, "{\"id\":\"y\",\"score\":\"high\"}") < 0);
    assert_true(add(p, "{\"id\":[1]}") < 0);
    assert_true(add(p, "[1]") < 0);
    hone_pick_pool_fresh(p, 1, 1);
    const double *s = hone_pick_pool_signals(p), *y = s + HONE_PICK_SIGNALS,
                 *z = y + HONE_PICK_SIGNALS;
    assert_true(s[HONE_PICK_ENTROPY] == 1.5);
    assert_true(fabs(s[HONE_PICK_SWAP] - 0.4) < 1e-12);
    assert_true(fabs(s[HONE_PICK_JURY] - 0.4 / sqrt(2)) < 1e-12);
    assert_true(fabs(s[HONE_PICK_THRESHOLD] + 0.2) < 1e-12);
    assert_true(isnan(s[HONE_PICK_POLICY]) && y[HONE_PICK_POLICY] == 1);
    assert_true(isnan(y[HONE_PICK_ENTROPY]) && isnan(y[HONE_PICK_SWAP]) &&
                isnan(y[HONE_PICK_JURY]));
    assert_true(z[HONE_PICK_ENTROPY] == 0.5 && isnan(z[HONE_PICK_THRESHOLD]));
    hone_pick_pool_destroy(p);
    const hone_str twice[] = {hone_str_c("x"), hone_str_c("x")};
    assert_int_equal(hone_pick_pool_create(twice, 2, 0, &p), HONE_E_EXISTS);
}

static void test_no_memory_is_an_error_and_leaks_nothing(void **state)
{
    double s[N * HONE_PICK_SIGNALS];
    hone_pick out[WANT];
    size_t before, after, bytes;
    (void)state;
    make_signals(s);
    hone_alloc_stats(&before, &bytes);
    for (uint64_t k = 1; k < 12; k++) {
        hone_alloc_fail_after(k, 1);
        hone_status st = hone_pick_draw(s, N, WANT, 1, out);
        hone_alloc_fail_after(0, 0);
        assert_true(st == HONE_E_NOMEM || (st == HONE_OK && k > 6));
    }
    hone_alloc_stats(&after, &bytes);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inclusion_is_as_often_as_it_says),
        cmocka_unit_test(test_what_promises_more_is_likelier),
        cmocka_unit_test(test_nothing_known_is_a_uniform_draw),
        cmocka_unit_test(test_a_draw_is_the_seeds),
        cmocka_unit_test(test_signals_come_from_verdicts),
        cmocka_unit_test(test_no_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
