/* test_linear_logprob.c - the head: log-probs, entropy and gradients against float64 and finite
 * differences; bits that ignore blocks, micro-batches, threads, kernel sets and row positions; the
 * sampler's logits give the trainer's log-probs exactly. */
#include "ops/kern/rows.h"
#include "ops/kernels.h"
#include "ops/linear.h"
#include "support.h"
#include "tensor/pool.h"

#include <math.h>

enum { T = 330, C = 37, V = 203, N = 320 }; /* more targets than a block; odd sizes */

static hone_pool *pools[2];

static int setup(void **state)
{
    (void)state;
    assert_int_equal(hone_pool_create(1, &pools[0]), HONE_OK);
    assert_int_equal(hone_pool_create(3, &pools[1]), HONE_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hone_pool_destroy(pools[0]);
    hone_pool_destroy(pools[1]);
    return 0;
}

static uint64_t seed = 7;
static float number(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((int64_t)(seed >> 33) - (1 << 30)) * 0x1p-30f;
}

static float *numbers(int64_t n)
{
    float *p = hone_alloc((size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++)
        p[i] = number();
    return p;
}

/* Everything one call needs; targets t of row rows[t]. */
struct head {
    float *h, *w, *wrows, *g, *ge;
    int32_t rows[N], ids[N];
    int64_t n;
};

static void make(struct head *p, int scattered)
{
    seed = 7;
    p->h = numbers(T * C);
    p->wrows = numbers(V * C);
    p->w = numbers(hone_panel_floats(V, C));
    hone_panels_pack(p->wrows, C, V, C, p->w);
    p->g = numbers(N);
    p->ge = numbers(N);
    p->n = N;
    for (int t = 0; t < N; t++) {
        p->rows[t] = t;
        p->ids[t] = (int32_t)((seed = seed * 6364136223846793005u + 1) >> 33) % V;
    }
    if (scattered) { /* gaps, and rows with two and three targets, one of them across target 256 */
        int32_t r = 0;
        for (int t = 0; t < N; t++) {
            r += t % 10 == 3 || t == 256 || t == 257 ? 0 : 1;
            r += t % 37 == 5;
            p->rows[t] = r;
        }
        assert_true(r < T);
    }
}

static void release(struct head *p)
{
    hone_free(p->h);
    hone_free(p->w);
    hone_free(p->wrows);
    hone_free(p->g);
    hone_free(p->ge);
}

struct result {
    float logp[N], entropy[N];
    float dh[T * C];
    float *dw;
};

enum { GRAD_H = 1, GRAD_W = 2 };

static hone_status run(hone_pool *pool, const struct head *p, hone_linear_logprob_attr at,
                       uint32_t needs, int64_t t0, int64_t t1, int fresh, struct result *r)
{
    hone_batch batch = {.struct_size = sizeof batch,
                        .n_tokens = T,
                        .n_targets = t1 - t0,
                        .target_row = p->rows + t0,
                        .target_id = p->ids + t0};
    const hone_shape in[2] = {{T, C, HONE_F32, HONE_ROWS}, {V, C, HONE_F32, HONE_PANELS}};
    hone_shape_ctx c = {.struct_size = sizeof c,
                        .n_in = 2,
                        .needs_grad = needs,
                        .in = in,
                        .mode = needs ? HONE_MODE_TRAIN : HONE_MODE_SCORE,
                        .attr = &at,
                        .batch = &batch};
    const hone_op *op = &hone_op_linear_logprob;
    assert_int_equal(op->infer(&c), HONE_OK);
    assert_int_equal(c.out[0].rows, t1 - t0);
    size_t thread = c.thread_scratch, shared = c.shared_scratch;
    if (c.thread_scratch_bwd > thread)
        thread = c.thread_scratch_bwd;
    if (c.shared_scratch_bwd > shared)
        shared = c.shared_scratch_bwd;
    assert_int_equal(hone_pool_reserve(pool, thread, shared), HONE_OK);
    const hone_exec *ex = hone_pool_exec(pool);
    const int64_t n = t1 - t0;
    hone_view vin[2] = {{p->h, HONE_F32, HONE_ROWS, T, C, C},
                        {p->w, HONE_F32, HONE_PANELS, V, C, C}};
    hone_view out[2] = {{r->logp + t0, HONE_F32, HONE_ROWS, n, 1, 1},
                        {r->entropy + t0, HONE_F32, HONE_ROWS, n, 1, 1}};
    hone_view extra[2] = {{0}}, dout[2], din[2] = {{0}};
    float *kept[2] = {NULL, NULL};
    for (uint32_t i = 0; i < c.n_extra; i++) {
        kept[i] = numbers(c.extra[i].rows * c.extra[i].cols);
        extra[i] = (hone_view){kept[i],         HONE_F32,        HONE_ROWS,
                               c.extra[i].rows, c.extra[i].cols, c.extra[i].cols};
    }
    dout[0] = (hone_view){p->g + t0, HONE_F32, HONE_ROWS, n, 1, 1};
    dout[1] = (hone_view){p->ge + t0, HONE_F32, HONE_ROWS, n, 1, 1};
    if (needs & GRAD_H)
        din[0] = (hone_view){r->dh, HONE_F32, HONE_ROWS, T, C, C};
    if (needs & GRAD_W)
        din[1] = (hone_view){r->dw, HONE_F32, HONE_PANELS, V, C, C};
    const uint8_t is_fresh[2] = {(uint8_t)fresh, (uint8_t)fresh};
    const hone_op_args args = {.struct_size = sizeof args,
                               .mode = c.mode,
                               .n_in = 2,
                               .n_out = c.n_out,
                               .n_extra = c.n_extra,
                               .in = vin,
                               .out = out,
                               .extra = extra,
                               .dout = dout,
                               .din = din,
                               .din_fresh = is_fresh,
                               .attr = &at,
                               .batch = &batch};
    hone_status s = op->fwd(&args, ex);
    if (s == HONE_OK && needs)
        s = op->bwd(&args, ex);
    hone_free(kept[0]);
    hone_free(kept[1]);
    return s;
}

static struct result *result_make(void)
{
    struct result *r = hone_calloc(1, sizeof *r);
    assert_non_null(r);
    r->dw = hone_calloc((size_t)hone_panel_floats(V, C), sizeof(float));
    assert_non_null(r->dw);
    return r;
}

static void result_free(struct result *r)
{
    hone_free(r->dw);
    hone_free(r);
}

static void same(const struct result *a, const struct result *b, int with_w)
{
    assert_memory_equal(a->logp, b->logp, sizeof a->logp);
    assert_memory_equal(a->entropy, b->entropy, sizeof a->entropy);
    assert_memory_equal(a->dh, b->dh, sizeof a->dh);
    if (with_w)
        assert_memory_equal(a->dw, b->dw, (size_t)hone_panel_floats(V, C) * sizeof(float));
}

/* ---- float64
 * --------------------------------------------------------------------------------------- */
static double ref_row(const double *h, const double *w, const hone_linear_logprob_attr *at, int id,
                      double *entropy)
{
    static double z[V];
    double top = -1e300, sum = 0, e = 0;
    for (int v = 0; v < V; v++) {
        double s = 0;
        for (int c = 0; c < C; c++)
            s += h[c] * w[v * C + c];
        s *= (double)at->logit_scale;
        if (at->softcap > 0.0f)
            s = (double)at->softcap * tanh(s / (double)at->softcap);
        z[v] = s * (double)at->inv_temperature;
        top = z[v] > top ? z[v] : top;
    }
    for (int v = 0; v < V; v++)
        sum += exp(z[v] - top);
    const double lse = top + log(sum);
    for (int v = 0; v < V; v++)
        e -= exp(z[v] - lse) * (z[v] - lse);
    *entropy = e;
    return z[id] - lse;
}

static const hone_linear_logprob_attr settings[] = {
    {1.0f, 0.0f, 1.0f, 1}, {1.0f / 0.7f, 0.0f, 1.0f, 1}, {1.0f, 3.0f, 1.0f, 1},
    {0.8f, 5.0f, 0.5f, 1}, {1.0f, 0.0f, 0.25f, 1},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static void test_log_probs_and_entropy_equal_float64(void **state)
{
    (void)state;
    struct head p;
    make(&p, 1);
    static double h[T * C], w[V * C];
    for (int i = 0; i < T * C; i++)
        h[i] = (double)p.h[i];
    for (int i = 0; i < V * C; i++)
        w[i] = (double)p.wrows[i];
    struct result *r = result_make();
    for (int i = 0; i < N_SETTINGS; i++) {
        assert_int_equal(run(pools[1], &p, settings[i], 0, 0, N, 1, r), HONE_OK);
        for (int t = 0; t < N; t++) {
            double e, l = ref_row(h + p.rows[t] * C, w, &settings[i], p.ids[t], &e);
            assert_true(fabs(l - (double)r->logp[t]) < 4e-6 * (1 + fabs(l)));
            assert_true(fabs(e - (double)r->entropy[t]) < 4e-6 * (1 + fabs(e)));
        }
    }
    result_free(r);
    release(&p);
}

static double loss(const struct head *p, const double *h, const double *w,
                   const hone_linear_logprob_attr *at, int row)
{
    double sum = 0, e;
    for (int t = 0; t < N; t++) {
        if (row >= 0 && p->rows[t] != row)
            continue;
        sum += (double)p->g[t] * ref_row(h + p->rows[t] * C, w, at, p->ids[t], &e);
        if (at->want_entropy)
            sum += (double)p->ge[t] * e;
    }
    return sum;
}

static void check_gradients(const struct head *p, const struct result *r,
                            const hone_linear_logprob_attr *at, int with_w)
{
    static double h[T * C], w[V * C];
    for (int i = 0; i < T * C; i++)
        h[i] = (double)p->h[i];
    for (int i = 0; i < V * C; i++)
        w[i] = (double)p->wrows[i];
    const double step = 1e-5;
    const int rows[] = {p->rows[0], p->rows[3], p->rows[100], p->rows[260], p->rows[N - 1]};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int c = 0; c < C; c += 9) {
            double *x = &h[rows[i] * C + c], old = *x;
            *x = old + step;
            const double up = loss(p, h, w, at, rows[i]);
            *x = old - step;
            const double down = loss(p, h, w, at, rows[i]);
            *x = old;
            assert_true(fabs((up - down) / (2 * step) - (double)r->dh[rows[i] * C + c]) < 2e-5);
        }
    const int ids[] = {0, 33, p->ids[5], V - 1};
    for (size_t i = 0; with_w && i < sizeof ids / sizeof *ids; i++) {
        const int c = 11;
        double *x = &w[ids[i] * C + c], old = *x;
        *x = old + step;
        const double up = loss(p, h, w, at, -1);
        *x = old - step;
        const double down = loss(p, h, w, at, -1);
        *x = old;
        const double got = (double)r->dw[(ids[i] / 32 * C + c) * 32 + ids[i] % 32];
        assert_true(fabs((up - down) / (2 * step) - got) < 1e-4);
    }
}

static void test_gradients_equal_finite_differences(void **state)
{
    (void)state;
    struct head p;
    for (int scattered = 0; scattered < 2; scattered++) {
        make(&p, scattered);
        for (int i = 0; i < N_SETTINGS; i++) {
            struct result *r = result_make();
            assert_int_equal(run(pools[1], &p, settings[i], GRAD_H | GRAD_W, 0, N, 1, r), HONE_OK);
            check_gradients(&p, r, &settings[i], 1);
            result_free(r);
            /* frozen head, no entropy: the direction kept by forward */
            hone_linear_logprob_attr at = settings[i];
            at.want_entropy = 0;
            r = result_make();
            assert_int_equal(run(pools[1], &p, at, GRAD_H, 0, N, 1, r), HONE_OK);
            check_gradients(&p, r, &at, 0);
            /* entropies that are only looked at: the same gradient bit for bit, whatever comes for them */
            for (uint32_t needs = GRAD_H; needs <= (GRAD_H | GRAD_W); needs += GRAD_W) {
                struct result *bare = result_make(), *shown = result_make(), *both = result_make();
                at.want_entropy = HONE_ENTROPY_NONE;
                assert_int_equal(run(pools[1], &p, at, needs, 0, N, 1, bare), HONE_OK);
                at.want_entropy = HONE_ENTROPY_SHOWN;
                assert_int_equal(run(pools[1], &p, at, needs, 0, N, 1, shown), HONE_OK);
                at.want_entropy = HONE_ENTROPY_TRAINED;
                assert_int_equal(run(pools[1], &p, at, needs, 0, N, 1, both), HONE_OK);
                assert_memory_equal(bare->dh, shown->dh, sizeof bare->dh);
                if (needs & GRAD_W)
                    assert_memory_equal(bare->dw, shown->dw, (size_t)V * C * sizeof(float));
                assert_memory_equal(bare->logp, shown->logp, sizeof bare->logp);
                assert_memory_equal(both->entropy, shown->entropy, sizeof both->entropy);
                result_free(bare);
                result_free(shown);
                result_free(both);
            }
            result_free(r);
        }
        release(&p);
    }
}

static void test_rows_without_a_target_get_no_gradient(void **state)
{
    (void)state;
    struct head p;
    make(&p, 1);
    uint8_t has[T] = {0};
    for (int t = 0; t < N; t++)
        has[p.rows[t]] = 1;
    for (uint32_t needs = GRAD_H; needs <= (GRAD_H | GRAD_W); needs += GRAD_W) {
        struct result *r = result_make();
        for (int i = 0; i < T * C; i++)
            r->dh[i] = NAN; /* fresh: holds anything */
        hone_linear_logprob_attr at = {1.0f, 0.0f, 1.0f, 0};
        assert_int_equal(run(pools[0], &p, at, needs, 0, N, 1, r), HONE_OK);
        for (int i = 0; i < T * C; i++)
            assert_int_equal(r->dh[i] != 0.0f, has[i / C]);
        result_free(r);
    }
    release(&p);
}

static void test_bits_ignore_sets_threads_blocks_and_micro_batches(void **state)
{
    (void)state;
    const uint32_t needs[2] = {GRAD_H | GRAD_W, GRAD_H};
    for (int scattered = 0; scattered < 2; scattered++)
        for (int which = 0; which < 2; which++) {
            struct head p;
            make(&p, scattered);
            hone_linear_logprob_attr at = settings[3];
            at.want_entropy = which == 0;
            struct result *want = result_make();
            assert_int_equal(hone_cpu_use(HONE_CPU_C), HONE_OK);
            assert_int_equal(run(pools[0], &p, at, needs[which], 0, N, 0, want), HONE_OK);
            for (int set = 0; set <= hone_cpu_get()->best; set++)
                for (int i = 0; i < 2; i++) {
                    assert_int_equal(hone_cpu_use(set), HONE_OK);
                    struct result *r = result_make();
                    assert_int_equal(run(pools[i], &p, at, needs[which], 0, N, 0, r), HONE_OK);
                    same(want, r, 1);
                    result_free(r);
                    /* cuts at row borders; micro-batches add to what is stored */
                    r = result_make();
                    const int64_t cuts[] = {0, 1, 70, 258, 300, N};
                    for (int k = 0; k < 5; k++)
                        assert_int_equal(
                            run(pools[i], &p, at, needs[which], cuts[k], cuts[k + 1], 0, r),
                            HONE_OK);
                    same(want, r, 1);
                    result_free(r);
                }
            result_free(want);
            release(&p);
        }
}

static void test_sampler_logits_give_the_trainer_s_log_probs(void **state)
{
    (void)state;
    struct head p;
    make(&p, 1);
    const hone_linear_logprob_attr at = {1.0f / 0.7f, 5.0f, 0.5f, 0};
    struct result *r = result_make();
    assert_int_equal(run(pools[1], &p, at, 0, 0, N, 1, r), HONE_OK);
    const hone_logits_attr lat = {5.0f, 0.5f};
    for (int t = 0; t < N; t += 13) {
        const int n = t % 5 + 1;
        int32_t rows[5];
        for (int i = 0; i < n; i++)
            rows[i] = p.rows[(t + i * 7) % N];
        hone_batch batch = {
            .struct_size = sizeof batch, .n_tokens = T, .n_logit_rows = n, .logit_rows = rows};
        const hone_shape in[2] = {{T, C, HONE_F32, HONE_ROWS}, {V, C, HONE_F32, HONE_PANELS}};
        hone_shape_ctx c = {.struct_size = sizeof c,
                            .n_in = 2,
                            .in = in,
                            .mode = HONE_MODE_DECODE,
                            .attr = &lat,
                            .batch = &batch};
        assert_int_equal(hone_op_logits.infer(&c), HONE_OK);
        assert_int_equal(c.out[0].rows, n);
        assert_int_equal(c.out[0].cols, V);
        assert_int_equal(hone_pool_reserve(pools[0], c.thread_scratch, c.shared_scratch), HONE_OK);
        float z[5 * (V + 3)];
        const hone_view vin[2] = {{p.h, HONE_F32, HONE_ROWS, T, C, C},
                                  {p.w, HONE_F32, HONE_PANELS, V, C, C}};
        const hone_view out = {z, HONE_F32, HONE_ROWS, n, V, V + 3};
        const hone_op_args args = {.struct_size = sizeof args,
                                   .mode = HONE_MODE_DECODE,
                                   .n_in = 2,
                                   .n_out = 1,
                                   .in = vin,
                                   .out = &out,
                                   .attr = &lat,
                                   .batch = &batch};
        assert_int_equal(hone_op_logits.fwd(&args, hone_pool_exec(pools[0])), HONE_OK);
        for (int i = 0; i < n; i++) {
            const float *row = z + i * (V + 3);
            const float lse = hone_rows()->row_lse(row, V, at.inv_temperature, NULL);
            const int tt = (t + i * 7) % N;
            const float logp = row[p.ids[tt]] * at.inv_temperature - lse;
            assert_memory_equal(&logp, &r->logp[tt], sizeof logp);
        }
    }
    result_free(r);
    release(&p);
}

static void test_nan_stays_in_its_row(void **state)
{
    (void)state;
    struct head p;
    make(&p, 0);
    p.h[40 * C + 3] = NAN;
    struct result *r = result_make();
    assert_int_equal(run(pools[1], &p, settings[0], 0, 0, N, 1, r), HONE_OK);
    for (int t = 0; t < N; t++) {
        assert_int_equal(isnan(r->logp[t]) != 0, t == 40);
        assert_int_equal(isnan(r->entropy[t]) != 0, t == 40);
    }
    result_free(r);
    release(&p);
}

static void test_impossible_targets_are_refused(void **state)
{
    (void)state;
    struct head p;
    make(&p, 0);
    struct result *r = result_make();
    p.ids[17] = V;
    assert_int_equal(run(pools[0], &p, settings[0], 0, 0, N, 1, r), HONE_E_RANGE);
    assert_non_null(strstr(hone_error_get()->what, "target 17 is id 203 of 203"));
    p.ids[17] = 0;
    p.rows[9] = 3;
    assert_int_equal(run(pools[0], &p, settings[0], 0, 0, N, 1, r), HONE_E_RANGE);
    p.rows[9] = 9;
    p.rows[N - 1] = T;
    assert_int_equal(run(pools[0], &p, settings[0], 0, 0, N, 1, r), HONE_E_RANGE);
    result_free(r);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_probs_and_entropy_equal_float64),
        cmocka_unit_test(test_gradients_equal_finite_differences),
        cmocka_unit_test(test_rows_without_a_target_get_no_gradient),
        cmocka_unit_test(test_bits_ignore_sets_threads_blocks_and_micro_batches),
        cmocka_unit_test(test_sampler_logits_give_the_trainer_s_log_probs),
        cmocka_unit_test(test_nan_stays_in_its_row),
        cmocka_unit_test(test_impossible_targets_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
