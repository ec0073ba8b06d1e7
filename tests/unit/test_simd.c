/* test_simd.c - the vector functions and the kernels over a row of logits.
 *
 * exp, log, tanh, sigmoid: distance from double in units of the last place, over their whole
 * range, and the same bits in every kernel set for every float tried. log-sum-exp, softmax,
 * entropy, gradient, argmax: against double, at odd lengths. */
#include "ops_support.h"

#include "ops/kern/rows.h"

static const hone_rows_kernels *kernels_of(int set)
{
    return HONE_KERNEL_OF(rows, set);
}

/* |got - want| in ulps of want */
static double ulps(float got, double want)
{
    float w = (float)want;
    if (got == w)
        return 0;
    double ulp = (double)nextafterf(fabsf(w), INFINITY) - (double)fabsf(w);
    return fabs((double)got - want) / ulp;
}
static double f_exp(double x)
{
    return exp(x);
}
static double f_log(double x)
{
    return log(x);
}
static double f_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double f_tanh(double x)
{
    return tanh(x);
}
static double f_logsigmoid(double x)
{
    return x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

static void test_functions_are_within_their_ulps(void **state)
{
    (void)state;
    static const struct {
        int op;
        double (*f)(double);
        float from, to;
        int geometric;
        double most;
    } f[] = {
        {HONE_EW_EXP, f_exp, -86.0f, 88.7f, 0, 1.1},
        {HONE_EW_EXP, f_exp, -1e-3f, 1e-3f, 0, 1.0},
        {HONE_EW_LOG, f_log, 1.2e-38f, 3e38f, 1, 1.1},
        {HONE_EW_LOG, f_log, 0.5f, 2.0f, 0, 1.1},
        {HONE_EW_SIGMOID, f_sigmoid, -80.0f, 80.0f, 0, 2.5},
        {HONE_EW_TANH, f_tanh, -10.0f, 10.0f, 0, 2.0},
        {HONE_EW_TANH, f_tanh, 1e-30f, 10.0f, 1, 2.0},
        {HONE_EW_LOGSIGMOID, f_logsigmoid, -80.0f, 80.0f, 0, 2.0},
    };
    enum { N = 40000 };
    float *x = malloc(N * 4), *y[HONE_CPU_SETS];
    for (int s = 0; s < HONE_CPU_SETS; s++)
        y[s] = malloc(N * 4);
    for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
        for (int j = 0; j < N; j++) {
            double u = (double)j / (N - 1), a = (double)f[i].from, b = (double)f[i].to;
            x[j] = (float)(f[i].geometric ? a * pow(b / a, u) : a + (b - a) * u);
        }
        EACH_SET(set)
        {
            kernels_of(set)->unary(f[i].op, x, y[set], N, 0, 0);
            double worst = 0, at = 0;
            for (int j = 0; j < N; j++)
                if (ulps(y[set][j], f[i].f((double)x[j])) > worst) {
                    worst = ulps(y[set][j], f[i].f((double)x[j]));
                    at = (double)x[j];
                }
            if (worst > f[i].most)
                fprintf(stderr, "function %d: %.3f ulp at %.9g\n", f[i].op, worst, at);
            assert_true(worst <= f[i].most);
            assert_memory_equal(y[set], y[HONE_CPU_C], N * 4);
        }
    }
    for (int s = 0; s < HONE_CPU_SETS; s++)
        free(y[s]);
    free(x);
}

static void test_special_values(void **state)
{
    (void)state;
    const float in[16] = {0.0f,  -0.0f,  INFINITY, -INFINITY, NAN,    1.0f,   -1.0f,   1e-40f,
                          89.0f, -89.0f, -104.0f,  3e38f,     -3e38f, 88.72f, -1e-30f, 1e-30f};
    float y[16];
    EACH_SET(set)
    {
        const hone_rows_kernels *k = kernels_of(set);
        k->unary(HONE_EW_EXP, in, y, 16, 0, 0);
        assert_true(y[0] == 1 && y[1] == 1 && y[2] == INFINITY && y[3] == 0 && isnan(y[4]));
        assert_true(y[7] == 1 && y[8] == INFINITY && y[9] == 0 && y[10] == 0 && y[11] == INFINITY &&
                    y[12] == 0);
        assert_true(isfinite(y[13]) && y[13] > 3.3e38f);
        k->unary(HONE_EW_LOG, in, y, 16, 0, 0);
        assert_true(y[0] == -INFINITY && y[1] == -INFINITY && y[2] == INFINITY && isnan(y[3]) &&
                    isnan(y[4]));
        assert_true(y[5] == 0 && isnan(y[6]) && y[7] == -INFINITY && isnan(y[14]));
        k->unary(HONE_EW_SIGMOID, in, y, 16, 0, 0);
        assert_true(y[0] == 0.5f && y[2] == 1 && y[3] == 0 && isnan(y[4]) && y[11] == 1 &&
                    y[12] == 0);
        k->unary(HONE_EW_TANH, in, y, 16, 0, 0);
        assert_true(y[0] == 0 && signbit(y[1]) && y[2] == 1 && y[3] == -1 && isnan(y[4]) &&
                    y[12] == -1);
        assert_true(y[14] == -1e-30f && y[15] == 1e-30f);
        k->unary(HONE_EW_RELU, in, y, 16, 0, 0);
        assert_true(y[0] == 0 && y[3] == 0 && y[2] == INFINITY && isnan(y[4]));
        k->unary(HONE_EW_CLAMP, in, y, 16, -2, 2);
        assert_true(y[2] == 2 && y[3] == -2 && isnan(y[4]) && y[5] == 1);
    }
}

/* Every bit pattern of a coarse sweep: what the sets make of odd numbers is the same. */
static void test_sets_agree_on_all_kinds_of_floats(void **state)
{
    (void)state;
    enum { N = 1 << 14 };
    float *x = malloc(N * 4), *a = malloc(N * 4), *b = malloc(N * 4);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t u = i << 18 | (i * 2654435761u >> 14 & 0x3ffff);
        memcpy(&x[i], &u, 4);
    }
    for (int op = 0; op < HONE_EW_UNARY_COUNT; op++) {
        kernels_of(HONE_CPU_C)->unary(op, x, a, N, -0.7f, 0.9f);
        EACH_SET(set)
        {
            kernels_of(set)->unary(op, x, b, N, -0.7f, 0.9f);
            for (int i = 0; i < N; i++)
                if (memcmp(&a[i], &b[i], 4) && !(isnan(a[i]) && isnan(b[i]))) {
                    fprintf(stderr, "op %d of %.9g (%a): %.9g, set %d %.9g\n", op, (double)x[i],
                            (double)x[i], (double)a[i], set, (double)b[i]);
                    assert_true(0);
                }
        }
    }
    free(x);
    free(a);
    free(b);
}

static void test_logits_of_a_row(void **state)
{
    (void)state;
    static const int64_t lens[] = {1, 2, 15, 16, 17, 63, 64, 65, 129, 1000, 49152};
    EACH_SET(set) for (size_t l = 0; l < sizeof lens / sizeof *lens; l++)
    {
        int64_t n = lens[l], target = n / 2;
        const hone_rows_kernels *k = kernels_of(set);
        float *z = malloc((size_t)n * 4), *p = malloc((size_t)n * 4), *g = malloc((size_t)n * 4),
              top;
        ops_seed = 7;
        for (int64_t i = 0; i < n; i++)
            z[i] = ops_number() * 5;
        double it = (double)0.7f, max = -HUGE_VAL, sum = 0, h = 0;
        for (int64_t i = 0; i < n; i++)
            max = it * (double)z[i] > max ? it * (double)z[i] : max;
        for (int64_t i = 0; i < n; i++)
            sum += exp(it * (double)z[i] - max);
        double lse = max + log(sum);
        for (int64_t i = 0; i < n; i++)
            h -= exp(it * (double)z[i] - lse) * (it * (double)z[i] - lse);
        float got = k->row_lse(z, n, 0.7f, &top), ent;
        assert_true(fabs((double)got - lse) < 2e-6 * (1 + fabs(lse)));
        assert_true(fabs((double)top - max) < 1e-6 * (1 + fabs(max)));
        float again = k->row_lse(z, n, 0.7f, NULL);
        assert_memory_equal(&got, &again, 4);
        ent = k->row_entropy(z, n, 0.7f, got);
        assert_true(fabs((double)ent - h) < 1e-5 * (1 + h));
        k->row_softmax(z, n, 0.7f, got, p);
        k->row_logprob_grad(z, n, 0.7f, got, target, 1.5f, 0.0f, 0.0f, g, 0);
        for (int64_t i = 0; i < n; i++) {
            double pi = exp(it * (double)z[i] - lse);
            assert_true(fabs((double)p[i] - pi) < 1e-5 * (pi + 1e-9));
            assert_true(fabs((double)g[i] - it * 1.5 * ((i == target) - pi)) < 2e-6);
        }
        k->row_logprob_grad(z, n, 0.7f, got, target, 0.0f, 2.0f, ent, g,
                            1); /* adds the entropy's gradient */
        for (int64_t i = 0; i < n; i++) {
            double pi = exp(it * (double)z[i] - lse), lp = it * (double)z[i] - lse;
            assert_true(fabs((double)g[i] - it * (1.5 * ((i == target) - pi) - 2 * pi * (lp + h))) <
                        1e-5);
        }
        /* the same bits in place, and in every set */
        float *q = malloc((size_t)n * 4);
        memcpy(q, z, (size_t)n * 4);
        k->row_softmax(q, n, 0.7f, got, q);
        assert_memory_equal(q, p, (size_t)n * 4);
        float c = kernels_of(HONE_CPU_C)->row_lse(z, n, 0.7f, NULL);
        assert_memory_equal(&c, &got, 4);
        c = kernels_of(HONE_CPU_C)->row_entropy(z, n, 0.7f, got);
        assert_memory_equal(&c, &ent, 4);
        /* a position that decoding rules out */
        z[0] = -INFINITY;
        if (n > 1) {
            assert_true(isfinite(k->row_lse(z, n, 1.0f, NULL)));
            assert_true(isfinite(k->row_entropy(z, n, 1.0f, k->row_lse(z, n, 1.0f, NULL))));
            k->row_softmax(z, n, 1.0f, k->row_lse(z, n, 1.0f, NULL), q);
            assert_true(q[0] == 0);
        }
        z[n - 1] = NAN;
        assert_true(isnan(k->row_lse(z, n, 1.0f, NULL)));
        free(z);
        free(p);
        free(g);
        free(q);
    }
}

static void test_argmax_is_the_first_largest(void **state)
{
    (void)state;
    EACH_SET(set)
    {
        const hone_rows_kernels *k = kernels_of(set);
        float z[70];
        assert_int_equal(k->row_argmax(z, 0), -1);
        for (int64_t n = 1; n <= 70; n++)
            for (int64_t at = 0; at < n; at += 3) {
                for (int64_t i = 0; i < n; i++)
                    z[i] = -5.0f - (float)(i % 3);
                z[at] = z[n - 1] = -1.0f; /* twice */
                assert_int_equal(k->row_argmax(z, n), at);
                z[n / 2] = NAN;
                assert_int_equal(k->row_argmax(z, n), -1);
            }
        for (int i = 0; i < 70; i++)
            z[i] = -INFINITY;
        assert_int_equal(k->row_argmax(z, 70), 0);
    }
}

static void test_softcap_and_small_sums(void **state)
{
    (void)state;
    EACH_SET(set)
    {
        const hone_rows_kernels *k = kernels_of(set);
        float z[37], y[37];
        double s = 0, d = 0;
        for (int i = 0; i < 37; i++) {
            z[i] = y[i] = ops_number() * 20;
            s += (double)z[i];
        }
        float r[37];
        for (int i = 0; i < 37; i++) {
            r[i] = z[36 - i];
            d += (double)z[i] * (double)r[i];
        }
        assert_true(fabs((double)k->row_sum(z, 37) - s) < 1e-4);
        assert_true(fabs((double)k->row_dot(z, r, 37) - d) < 1e-2);
        k->row_softcap(y, 37, 0.5f, 3.0f);
        for (int i = 0; i < 37; i++)
            assert_true(fabs((double)y[i] - 3 * tanh(0.5 * (double)z[i] / 3)) < 1e-6 * 3);
        memcpy(y, z, sizeof y);
        k->row_softcap(y, 37, 0.5f, 0.0f);
        for (int i = 0; i < 37; i++)
            assert_true(y[i] == 0.5f * z[i]);
        k->row_softcap(y, 37, 1.0f, 0.0f);
        assert_true(y[3] == 0.5f * z[3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_are_within_their_ulps),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_sets_agree_on_all_kinds_of_floats),
        cmocka_unit_test(test_logits_of_a_row),
        cmocka_unit_test(test_argmax_is_the_first_largest),
        cmocka_unit_test(test_softcap_and_small_sums),
    };
    return cmocka_run_group_tests(tests, ops_setup, ops_teardown);
}
