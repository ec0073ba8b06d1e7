/* test_gemm.c - matrix products over panels: each element is one chain of fused multiply-adds, bit
 * for bit, whatever the kernel set, the number of rows, their position, the threads and the
 * micro-batches.
 *
 * The definition is written out below as plain loops over fmaf; every product of every set is
 * compared with it by bytes, and it is itself compared with float64. */
#include "base/alloc.h"
#include "ops/kernels.h"
#include "support.h"
#include "tensor/pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hone_pool *pools[2]; /* 1 and 3 threads */

static int setup(void **state)
{
    (void)state;
    const uint32_t threads[2] = {1, 3};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hone_pool_create(threads[i], &pools[i]), HONE_OK);
        assert_int_equal(hone_pool_reserve(pools[i], HONE_GEMM_SCRATCH, 4096), HONE_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        hone_pool_destroy(pools[i]);
    return 0;
}

static uint64_t seed = 1;
static float number(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((int64_t)(seed >> 33) - (1 << 30)) * 0x1p-29f; /* [-2, 2) */
}

static float *numbers(int64_t n)
{
    float *p = hone_alloc((size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++)
        p[i] = number();
    return p;
}

static float *copy(const float *p, int64_t n)
{
    float *q = hone_alloc((size_t)n * sizeof *q);
    assert_non_null(q);
    memcpy(q, p, (size_t)n * sizeof *q);
    return q;
}

static int64_t at_panel(int64_t n, int64_t k, int64_t K)
{
    return (n / 32 * K + k) * 32 + n % 32;
}

static float weight(const hone_gemm *g, int64_t n, int64_t k)
{
    return ((const float *)g->w)[at_panel(n, k, g->K)];
}

/* ---- the definition
 * ------------------------------------------------------------------------------ */
static void ref_fwd(const hone_gemm *g, float *y)
{
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t n = 0; n < g->N; n++) {
            float acc = 0.0f;
            for (int64_t k = 0; k < g->K; k++)
                acc = fmaf(g->x[m * g->ldx + k], weight(g, n, k), acc);
            float *o = y + m * g->ldy + n;
            acc = g->add ? fmaf(g->alpha, acc, *o) : g->alpha * acc;
            *o = g->bias ? acc + g->bias[n] : acc;
        }
}

static void ref_dx(const hone_gemm *g, float *dx, int64_t ld)
{
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t k = 0; k < g->K; k++) {
            float acc = 0.0f;
            for (int64_t n = 0; n < g->N; n++)
                acc = fmaf(g->y[m * g->ldy + n], weight(g, n, k), acc);
            float *o = dx + m * ld + k;
            *o = g->add ? fmaf(g->alpha, acc, *o) : g->alpha * acc;
        }
}

static void ref_dw(const hone_gemm *g, float *dw)
{
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t k = 0; k < g->K; k++) {
            float *o = dw + at_panel(n, k, g->K), acc = g->add ? *o : 0.0f;
            for (int64_t t = 0; t < g->M; t++)
                acc = fmaf(g->x[t * g->ldx + k], g->y[t * g->ldy + n], acc);
            *o = acc;
        }
}

struct shape {
    int64_t M, N, K;
};
static const struct shape shapes[] = {
    {1, 1, 1},      {1, 3, 17},      {2, 17, 3},     {3, 129, 129}, {4, 33, 5},    {5, 64, 64},
    {6, 100, 31},   {7, 32, 129},    {8, 200, 48},   {13, 40, 33},  {14, 129, 17}, {15, 3, 129},
    {17, 161, 65},  {29, 96, 3},     {43, 130, 65},  {129, 17, 33}, {1, 576, 300}, {3, 320, 200},
    {300, 40, 700}, {270, 1100, 40}, {1100, 40, 35},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* A product with all of its buffers; leading dimensions larger than the rows. */
struct data {
    hone_gemm g;
    float *x, *w, *y, *bias, *dx, *dw;
    int64_t nx, nw, ny, lddx;
};

static void make(struct data *d, struct shape s)
{
    memset(d, 0, sizeof *d);
    hone_gemm *g = &d->g;
    *g = (hone_gemm){.M = s.M, .N = s.N, .K = s.K, .wtype = HONE_F32, .alpha = 1.0f};
    g->ldx = s.K + 5;
    g->ldy = s.N + 3;
    d->lddx = g->ldx;
    d->nx = s.M * g->ldx;
    d->ny = s.M * g->ldy;
    d->nw = hone_panel_floats(s.N, s.K);
    d->x = numbers(d->nx);
    d->y = numbers(d->ny);
    d->dx = numbers(d->nx);
    d->bias = numbers(s.N);
    float *rows = numbers(s.N * s.K);
    d->w = numbers(d->nw);
    hone_panels_pack(rows, s.K, s.N, s.K, d->w);
    for (int64_t i = 0; i < s.N * s.K; i++)
        rows[i] = number();
    d->dw = numbers(d->nw);
    hone_panels_pack(rows, s.K, s.N, s.K, d->dw);
    hone_free(rows);
    g->x = d->x;
    g->w = d->w;
    g->y = d->y;
}

static void release(struct data *d)
{
    hone_free(d->x);
    hone_free(d->w);
    hone_free(d->y);
    hone_free(d->bias);
    hone_free(d->dx);
    hone_free(d->dw);
}

#define SAME(a, b, n) assert_memory_equal(a, b, (size_t)(n) * sizeof(float))

/* Runs `check` for every set and both pools. */
static void everywhere(void (*check)(const hone_exec *ex, struct data *d), struct data *d)
{
    const int used = hone_cpu_get()->used;
    for (int set = 0; set <= hone_cpu_get()->best; set++) {
        assert_int_equal(hone_cpu_use(set), HONE_OK);
        for (int i = 0; i < 2; i++)
            check(hone_pool_exec(pools[i]), d);
    }
    assert_int_equal(hone_cpu_use(used), HONE_OK);
}

static void check_fwd(const hone_exec *ex, struct data *d)
{
    const struct {
        int add, bias;
        float alpha;
    } ends[] = {{0, 0, 1.0f}, {0, 1, 1.0f}, {1, 0, 0.37f}, {0, 0, 1.7f}, {1, 1, 1.0f}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        float *want = copy(d->y, d->ny), *got = copy(d->y, d->ny);
        hone_gemm g = d->g;
        g.add = ends[i].add;
        g.alpha = ends[i].alpha;
        g.bias = ends[i].bias ? d->bias : NULL;
        ref_fwd(&g, want);
        g.y = got;
        hone_gemm_fwd(ex, &g);
        SAME(want, got, d->ny);
        hone_free(want);
        hone_free(got);
    }
}

static void test_forward_is_one_chain_bit_for_bit(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        struct data d;
        make(&d, shapes[i]);
        everywhere(check_fwd, &d);
        release(&d);
    }
}

/* Products of the rows of *d with weights of several widths, as one job and as the definition has each. */
static void check_together(const hone_exec *ex, struct data *d)
{
    static const int64_t widths[][HONE_GEMM_TOGETHER] = {{64, 64, 64}, {129, 1, 33}, {3, 320, 96}};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        for (int n = 1; n <= HONE_GEMM_TOGETHER; n++) {
            hone_gemm g[HONE_GEMM_TOGETHER];
            float *want[HONE_GEMM_TOGETHER], *got[HONE_GEMM_TOGETHER], *w[HONE_GEMM_TOGETHER];
            float *bias = numbers(widths[i][0]);
            int64_t ny[HONE_GEMM_TOGETHER];
            for (int k = 0; k < n; k++) {
                g[k] = d->g;
                g[k].N = widths[i][k];
                g[k].ldy = widths[i][k] + k;
                g[k].bias = k == 0 ? bias : NULL;
                ny[k] = g[k].M * g[k].ldy;
                float *rows = numbers(g[k].N * g[k].K);
                w[k] = numbers(hone_panel_floats(g[k].N, g[k].K));
                hone_panels_pack(rows, g[k].K, g[k].N, g[k].K, w[k]);
                hone_free(rows);
                g[k].w = w[k];
                want[k] = numbers(ny[k]);
                got[k] = copy(want[k], ny[k]);
                ref_fwd(&g[k], want[k]);
                g[k].y = got[k];
            }
            hone_gemm_fwd_together(ex, g, n);
            for (int k = 0; k < n; k++) {
                SAME(want[k], got[k], ny[k]);
                hone_free(want[k]);
                hone_free(got[k]);
                hone_free(w[k]);
            }
            hone_free(bias);
        }
    }
}

static void test_products_of_one_input_in_one_job_keep_their_bits(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        struct data d;
        if (shapes[i].M > 300)
            continue;
        make(&d, shapes[i]);
        everywhere(check_together, &d);
        release(&d);
    }
}

static void check_dx(const hone_exec *ex, struct data *d)
{
    for (int i = 0; i < 3; i++) {
        float *want = copy(d->dx, d->nx), *got = copy(d->dx, d->nx);
        hone_gemm g = d->g;
        g.add = i > 0;
        g.alpha = i == 2 ? 0.37f : 1.0f;
        ref_dx(&g, want, d->lddx);
        hone_gemm_dx(ex, &g, got, d->lddx);
        SAME(want, got, d->nx);
        hone_free(want);
        hone_free(got);
    }
}

static void test_input_gradient_is_one_chain_bit_for_bit(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        struct data d;
        make(&d, shapes[i]);
        everywhere(check_dx, &d);
        release(&d);
    }
}

static void check_dw(const hone_exec *ex, struct data *d)
{
    for (int add = 0; add < 2; add++) {
        float *want = copy(d->dw, d->nw), *got = copy(d->dw, d->nw);
        hone_gemm g = d->g;
        g.add = add;
        if (!add) /* a fresh buffer may hold anything, in the padding too */
            for (int64_t i = 0; i < d->nw; i++)
                got[i] = NAN;
        ref_dw(&g, want);
        hone_gemm_dw(ex, &g, got);
        SAME(want, got, d->nw);
        hone_free(want);
        hone_free(got);
    }
}

static void test_weight_gradient_is_one_chain_from_the_stored_one(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        struct data d;
        make(&d, shapes[i]);
        everywhere(check_dw, &d);
        release(&d);
    }
}

static void check_split(const hone_exec *ex, struct data *d)
{
    float *whole = copy(d->dw, d->nw), *parts = copy(d->dw, d->nw);
    float *db = copy(d->bias, d->g.N), *db_parts = copy(d->bias, d->g.N);
    hone_gemm g = d->g;
    g.add = 1;
    hone_gemm_dw(ex, &g, whole);
    hone_gemm_columns(ex, g.M, g.N, g.y, g.ldy, 1, db);
    const int64_t cuts[] = {0, 1, 8, 9, 100, d->g.M};
    for (size_t i = 0; i + 1 < sizeof cuts / sizeof *cuts; i++) {
        g = d->g;
        g.add = 1;
        g.M = cuts[i + 1] - cuts[i];
        g.x += cuts[i] * g.ldx;
        g.y += cuts[i] * g.ldy;
        hone_gemm_dw(ex, &g, parts);
        hone_gemm_columns(ex, g.M, g.N, g.y, g.ldy, 1, db_parts);
    }
    SAME(whole, parts, d->nw);
    SAME(db, db_parts, d->g.N);
    hone_free(whole);
    hone_free(parts);
    hone_free(db);
    hone_free(db_parts);
}

static void test_weight_gradient_ignores_micro_batches(void **state)
{
    (void)state;
    struct data d;
    make(&d, (struct shape){613, 70, 45});
    everywhere(check_split, &d);
    release(&d);
}

static void check_columns(const hone_exec *ex, struct data *d)
{
    for (int add = 0; add < 2; add++) {
        float *want = copy(d->bias, d->g.N), *got = copy(d->bias, d->g.N);
        for (int64_t n = 0; n < d->g.N; n++) {
            float s = add ? want[n] : 0.0f;
            for (int64_t t = 0; t < d->g.M; t++)
                s += d->y[t * d->g.ldy + n];
            want[n] = s;
        }
        hone_gemm_columns(ex, d->g.M, d->g.N, d->y, d->g.ldy, add, got);
        SAME(want, got, d->g.N);
        hone_free(want);
        hone_free(got);
    }
}

static void test_bias_gradient_is_one_chain(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        struct data d;
        make(&d, shapes[i]);
        everywhere(check_columns, &d);
        release(&d);
    }
}

static void test_a_row_does_not_depend_on_its_neighbours(void **state)
{
    (void)state;
    struct data d;
    make(&d, (struct shape){61, 100, 90});
    const hone_exec *ex = hone_pool_exec(pools[1]);
    float *all = copy(d.y, d.ny), *some = copy(d.y, d.ny);
    hone_gemm g = d.g;
    g.y = all;
    hone_gemm_fwd(ex, &g);
    for (int64_t m = 1; m <= 18; m++)
        for (int64_t first = 0; first + m <= 61; first += 11) {
            g.M = m;
            g.x = d.x + first * g.ldx;
            g.y = some;
            hone_gemm_fwd(ex, &g);
            for (int64_t r = 0; r < m; r++)
                SAME(some + r * g.ldy, all + (first + r) * g.ldy, g.N);
        }
    hone_free(all);
    hone_free(some);
    release(&d);
}

static void test_products_agree_with_float64(void **state)
{
    (void)state;
    struct data d;
    make(&d, (struct shape){33, 129, 500});
    const hone_exec *ex = hone_pool_exec(pools[0]);
    hone_gemm g = d.g;
    float *dx = copy(d.dx, d.nx), *dw = copy(d.dw, d.nw), *y = copy(d.y, d.ny);
    g.y = y;
    hone_gemm_fwd(ex, &g);
    g.y = d.y;
    hone_gemm_dx(ex, &g, dx, d.lddx);
    hone_gemm_dw(ex, &g, dw);
    /* each product is at most 4: 500 of them round by less than 500 * 500*4 * 2^-24 */
    for (int64_t m = 0; m < g.M; m++) {
        for (int64_t n = 0; n < g.N; n++) {
            double s = 0;
            for (int64_t k = 0; k < g.K; k++)
                s += (double)d.x[m * g.ldx + k] * (double)weight(&g, n, k);
            assert_true(fabs(s - (double)y[m * g.ldy + n]) < 1e-3);
        }
        for (int64_t k = 0; k < g.K; k++) {
            double s = 0;
            for (int64_t n = 0; n < g.N; n++)
                s += (double)d.y[m * g.ldy + n] * (double)weight(&g, n, k);
            assert_true(fabs(s - (double)dx[m * d.lddx + k]) < 1e-3);
        }
    }
    for (int64_t n = 0; n < g.N; n++)
        for (int64_t k = 0; k < g.K; k++) {
            double s = 0;
            for (int64_t t = 0; t < g.M; t++)
                s += (double)d.y[t * g.ldy + n] * (double)d.x[t * g.ldx + k];
            assert_true(fabs(s - (double)dw[at_panel(n, k, g.K)]) < 1e-3);
        }
    hone_free(dx);
    hone_free(dw);
    hone_free(y);
    release(&d);
}

static void test_nan_reaches_its_row_and_no_other(void **state)
{
    (void)state;
    struct data d;
    make(&d, (struct shape){20, 50, 40});
    float *y = copy(d.y, d.ny);
    d.x[7 * d.g.ldx + 39] = NAN;
    hone_gemm g = d.g;
    g.y = y;
    hone_gemm_fwd(hone_pool_exec(pools[1]), &g);
    for (int64_t m = 0; m < g.M; m++)
        for (int64_t n = 0; n < g.N; n++)
            assert_int_equal(isnan(y[m * g.ldy + n]) != 0, m == 7);
    hone_gemm_dw(hone_pool_exec(pools[1]), &d.g, d.dw);
    for (int64_t n = 0; n < 64;
         n++) /* padding stays 0: it is summed by nobody, but norms read it */
        for (int64_t k = 0; k < g.K; k++) {
            const float v = d.dw[at_panel(n, k, g.K)];
            if (n >= g.N)
                assert_true(v == 0.0f);
            else
                assert_int_equal(isnan(v) != 0, k == 39);
        }
    hone_free(y);
    release(&d);
}

static float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* A 16-bit weight gives the bits of the same weight widened to 32. */
static void test_half_weights_equal_their_widened_selves(void **state)
{
    (void)state;
    struct data d;
    make(&d, (struct shape){5, 70, 1200});
    const int64_t n = d.nw;
    uint16_t *h = hone_alloc((size_t)n * sizeof *h);
    assert_non_null(h);
    float *want = copy(d.y, d.ny), *got = copy(d.y, d.ny);
    float *dx = copy(d.dx, d.nx), *want_dx = copy(d.dx, d.nx);
    float *third[3] = {copy(d.y, d.ny), copy(d.y, d.ny), copy(d.y, d.ny)};
    for (int t = 0; t < 2; t++) {
        for (int64_t i = 0; i < n; i++) {
            uint16_t v = (uint16_t)(i * 40503u);
            if (t == 0) { /* bf16: keep the exponent moderate */
                v = (uint16_t)((v & 0x80FFu) | 0x3F00u);
                d.w[i] = as_float((uint32_t)v << 16);
            } else { /* f16: subnormals too */
                if ((v & 0x7C00u) == 0x7C00u)
                    v &= 0x83FFu;
                const double mag = (v & 0x7C00u)
                                       ? ldexp((double)((v & 0x3FFu) | 0x400u), (v >> 10 & 31) - 25)
                                       : ldexp((double)(v & 0x3FFu), -24);
                d.w[i] = (float)(v & 0x8000u ? -mag : mag);
            }
            h[i] = v;
        }
        const int used = hone_cpu_get()->used;
        for (int set = 0; set <= hone_cpu_get()->best; set++) {
            assert_int_equal(hone_cpu_use(set), HONE_OK);
            const hone_exec *ex = hone_pool_exec(pools[1]);
            hone_gemm g = d.g;
            g.y = want;
            hone_gemm_fwd(ex, &g);
            g.w = h;
            g.wtype = t ? HONE_F16 : HONE_BF16;
            g.y = got;
            hone_gemm_fwd(ex, &g);
            SAME(want, got, d.ny);
            hone_gemm mixed[3] = {g, g,
                                  g}; /* one job, of which the middle one is stored otherwise */
            mixed[0].w = mixed[2].w = d.w;
            mixed[0].wtype = mixed[2].wtype = HONE_F32;
            for (int k = 0; k < 3; k++) {
                memset(third[k], 0, (size_t)d.ny * sizeof(float));
                mixed[k].y = third[k];
            }
            hone_gemm_fwd_together(ex, mixed, 3);
            for (int k = 0; k < 3; k++)
                for (int64_t m = 0; m < g.M; m++)
                    SAME(want + m * g.ldy, third[k] + m * g.ldy, g.N);
            g.y = d.y;
            hone_gemm_dx(ex, &g, dx, d.lddx);
            g.w = d.w;
            g.wtype = HONE_F32;
            hone_gemm_dx(ex, &g, want_dx, d.lddx);
            SAME(want_dx, dx, d.nx);
            float row[1200];
            const hone_view v = {h, t ? HONE_F16 : HONE_BF16, HONE_PANELS, 70, 1200, 1200};
            hone_panel_row(&v, 37, row);
            for (int64_t k = 0; k < 1200; k++)
                assert_true(row[k] == d.w[at_panel(37, k, 1200)]);
        }
        assert_int_equal(hone_cpu_use(used), HONE_OK);
    }
    for (int k = 0; k < 3; k++)
        hone_free(third[k]);
    hone_free(h);
    hone_free(want);
    hone_free(got);
    hone_free(dx);
    hone_free(want_dx);
    release(&d);
}

static void test_panels_round_trip_with_zero_padding(void **state)
{
    (void)state;
    float *rows = numbers(45 * 7), back[45 * 7], row[7];
    float *panels = numbers(hone_panel_floats(45, 7));
    hone_panels_pack(rows, 7, 45, 7, panels);
    hone_panels_unpack(panels, 45, 7, back, 7);
    SAME(rows, back, 45 * 7);
    for (int64_t k = 0; k < 7; k++)
        for (int64_t n = 45; n < 64; n++)
            assert_true(panels[at_panel(n, k, 7)] == 0.0f);
    const hone_view v = {panels, HONE_F32, HONE_PANELS, 45, 7, 7};
    hone_panel_row(&v, 33, row);
    SAME(row, rows + 33 * 7, 7);
    hone_free(rows);
    hone_free(panels);
}

/* A spilled accumulator costs more than half the speed and no result, so only this test sees it. */
static void test_kernels_keep_accumulators_in_registers(void **state)
{
    (void)state;
#if defined(HONE_SANITIZED) || !defined(__OPTIMIZE__) ||                                           \
    !(defined(__x86_64__) || defined(__aarch64__))
    skip();
#else
    char command[4400], program[4096], line[512];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
#if defined(__x86_64__)
    static const char *const tiles[] = {"14", "8", "7", "6", "4", "3", "2", "1"};
    static const char *const types[] = {"tile_",      "tile_bf16_", "tile_f16_",
                                        "tile_q8_0_", "tile_q4_0_", "tile_q4_k_",
                                        "int_q8_0_",  "int_q4_0_",  "int_q4_k_"};
#else /* those that plain C lacks, whose functions have the same names and use the same registers here */
    static const char *const tiles[] = {"6", "5"};
    static const char *const types[] = {"tile_", "tile_bf16_", "tile_f16_"};
#endif
    enum { TILES = sizeof tiles / sizeof *tiles, TYPES = sizeof types / sizeof *types };
    int fmas = 0, spilt = 0, instrumented = 0;
    for (size_t i = 0; i < TILES * TYPES; i++) {
        const char *type = types[i / TILES], *rows = tiles[i % TILES];
        snprintf(command, sizeof command,
                 "objdump -d --no-show-raw-insn --disassemble=%s%s '%s' 2>/dev/null", type, rows,
                 program);
        FILE *f = popen(command, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
            /* the second line: AArch64, whose 16-byte registers have this name where they are moved */
            const int vector = strstr(line, "%zmm") || strstr(line, "%ymm") ||
                               (strstr(line, "\tq") && strstr(line, "[sp"));
            fmas += strstr(line, "vfmadd") || strstr(line, "fmla");
            instrumented |= strstr(line, "__ubsan") !=
                            NULL; /* a sanitizer without a macro of its own */
            if (vector &&
                (strstr(line, "(%rsp)") || strstr(line, "(%rbp)") || strstr(line, "[sp"))) {
                print_message("%s%s spills: %s", type, rows, line);
                spilt++;
            }
        }
        pclose(f);
    }
    if (instrumented)
        skip();
    if (fmas == 0) {
        print_message("objdump is not there: nothing was looked at\n");
        skip();
    }
    assert_true(fmas > 300);
    assert_int_equal(spilt, 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_is_one_chain_bit_for_bit),
        cmocka_unit_test(test_products_of_one_input_in_one_job_keep_their_bits),
        cmocka_unit_test(test_input_gradient_is_one_chain_bit_for_bit),
        cmocka_unit_test(test_weight_gradient_is_one_chain_from_the_stored_one),
        cmocka_unit_test(test_weight_gradient_ignores_micro_batches),
        cmocka_unit_test(test_bias_gradient_is_one_chain),
        cmocka_unit_test(test_a_row_does_not_depend_on_its_neighbours),
        cmocka_unit_test(test_products_agree_with_float64),
        cmocka_unit_test(test_nan_reaches_its_row_and_no_other),
        cmocka_unit_test(test_half_weights_equal_their_widened_selves),
        cmocka_unit_test(test_panels_round_trip_with_zero_padding),
        cmocka_unit_test(test_kernels_keep_accumulators_in_registers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
