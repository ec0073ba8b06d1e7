/* test_linear.c - linear/1 with bias and adapters, embed/1: values and gradients against float64
 * and finite differences, bits that ignore mode, sets, threads and micro-batches, and only what is
 * wanted. */
#include "ops/kernels.h"
#include "ops/linear.h"
#include "support.h"
#include "tensor/pool.h"

#include <math.h>

enum { T = 67, K = 45, N = 70, R0 = 5, R1 = 16, INPUTS = 7 };

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

static uint64_t seed;
static float number(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((int64_t)(seed >> 33) - (1 << 30)) * 0x1p-30f;
}

/* x, W, bias, A0, B0, A1, B1 as plain rows; weights are panelled for the op. */
static const struct {
    int64_t rows, cols;
    int panels;
} shapes[INPUTS] = {{T, K, 0},  {N, K, 1},  {1, N, 0}, {R0, K, 1},
                    {N, R0, 1}, {R1, K, 1}, {N, R1, 1}};
enum { X, W, BIAS, A0, B0, A1, B1 };
static const hone_linear_attr attr = {1, 2, {0.5f, 1.75f, 0, 0}};

enum { FLOATS = 96 * 64 }; /* more than any of them, panelled */
struct data {
    float rows[INPUTS][FLOATS]; /* plain rows */
    float in[INPUTS][FLOATS];   /* as the op reads them */
    float g[T * N];             /* upstream gradient */
};
struct result {
    float y[T * N];
    float d[INPUTS][FLOATS];
};

static struct data *make(void)
{
    struct data *p = hone_calloc(1, sizeof *p);
    assert_non_null(p);
    seed = 3;
    for (int i = 0; i < INPUTS; i++) {
        for (int64_t j = 0; j < shapes[i].rows * shapes[i].cols; j++)
            p->rows[i][j] = number();
        if (shapes[i].panels)
            hone_panels_pack(p->rows[i], shapes[i].cols, shapes[i].rows, shapes[i].cols, p->in[i]);
        else
            memcpy(p->in[i], p->rows[i], sizeof p->in[i]);
    }
    for (int i = 0; i < T * N; i++)
        p->g[i] = number();
    return p;
}

static void infer(hone_shape_ctx *c, hone_shape *in, uint32_t mode, uint32_t needs, int64_t rows)
{
    for (int i = 0; i < INPUTS; i++)
        in[i] = (hone_shape){shapes[i].rows, shapes[i].cols, HONE_F32,
                             shapes[i].panels ? HONE_PANELS : HONE_ROWS};
    in[0].rows = rows;
    *c = (hone_shape_ctx){.struct_size = sizeof *c,
                          .mode = mode,
                          .n_in = INPUTS,
                          .needs_grad = needs,
                          .in = in,
                          .attr = &attr};
}

/* Tokens t0..t1: forward, and backward adding to r->d, for the inputs in `needs`. */
static void run(hone_pool *pool, const struct data *p, uint32_t mode, uint32_t needs, int64_t t0,
                int64_t t1, int fresh, struct result *r)
{
    hone_shape in[INPUTS];
    hone_shape_ctx c;
    infer(&c, in, mode, needs, t1 - t0);
    assert_int_equal(hone_op_linear.infer(&c), HONE_OK);
    const size_t shared = c.shared_scratch > c.shared_scratch_bwd ? c.shared_scratch
                                                                  : c.shared_scratch_bwd;
    assert_int_equal(hone_pool_reserve(pool, c.thread_scratch, shared), HONE_OK);
    hone_view vin[INPUTS], din[INPUTS], extra[1] = {{0}};
    uint8_t is_fresh[INPUTS];
    static float kept[T * (R0 + R1)];
    for (int i = 0; i < INPUTS; i++) {
        vin[i] = (hone_view){(void *)p->in[i], HONE_F32,   in[i].layout,
                             in[i].rows,       in[i].cols, in[i].cols};
        din[i] = vin[i];
        din[i].data = needs >> i & 1 ? r->d[i] : NULL;
        is_fresh[i] = (uint8_t)fresh;
    }
    vin[0].data = (void *)(p->in[0] + t0 * K);
    if (din[0].data)
        din[0].data = r->d[0] + t0 * K;
    if (c.n_extra) {
        assert_int_equal(c.extra[0].cols, R0 + R1);
        extra[0] = (hone_view){kept, HONE_F32, HONE_ROWS, t1 - t0, R0 + R1, R0 + R1};
    }
    const hone_view out = {r->y + t0 * N, HONE_F32, HONE_ROWS, t1 - t0, N, N};
    const hone_view dout = {(void *)(p->g + t0 * N), HONE_F32, HONE_ROWS, t1 - t0, N, N};
    hone_op_args args = {.struct_size = sizeof args,
                         .mode = mode,
                         .n_in = INPUTS,
                         .n_out = 1,
                         .n_extra = c.n_extra,
                         .in = vin,
                         .out = &out,
                         .extra = extra,
                         .dout = &dout,
                         .din = din,
                         .din_fresh = is_fresh,
                         .attr = &attr};
    assert_int_equal(hone_op_linear.fwd(&args, hone_pool_exec(pool)), HONE_OK);
    if (!needs)
        return;
    /* what infer did not ask to keep is gone by now */
    for (int i = 0; i < INPUTS; i++)
        if (!(c.saves_in >> i & 1))
            vin[i].data = NULL;
    assert_int_equal(hone_op_linear.bwd(&args, hone_pool_exec(pool)), HONE_OK);
}

static double loss(double (*in)[FLOATS], const struct data *p)
{
    double sum = 0;
    for (int64_t t = 0; t < T; t++) {
        double u[R0 + R1] = {0};
        for (int r = 0; r < R0; r++)
            for (int k = 0; k < K; k++)
                u[r] += in[X][t * K + k] * in[A0][r * K + k] * (double)attr.scale[0];
        for (int r = 0; r < R1; r++)
            for (int k = 0; k < K; k++)
                u[R0 + r] += in[X][t * K + k] * in[A1][r * K + k] * (double)attr.scale[1];
        for (int n = 0; n < N; n++) {
            double y = in[BIAS][n];
            for (int k = 0; k < K; k++)
                y += in[X][t * K + k] * in[W][n * K + k];
            for (int r = 0; r < R0; r++)
                y += u[r] * in[B0][n * R0 + r];
            for (int r = 0; r < R1; r++)
                y += u[R0 + r] * in[B1][n * R1 + r];
            sum += y * (double)p->g[t * N + n];
        }
    }
    return sum;
}

static struct result *result_make(void)
{
    struct result *r = hone_calloc(1, sizeof *r);
    assert_non_null(r);
    return r;
}

static int64_t place(int i, int64_t row, int64_t col)
{
    return shapes[i].panels ? (row / 32 * shapes[i].cols + col) * 32 + row % 32
                            : row * shapes[i].cols + col;
}

static void test_values_and_gradients_equal_float64(void **state)
{
    (void)state;
    static double in[INPUTS][FLOATS];
    struct data *p = make();
    struct result *r = result_make();
    run(pools[1], p, HONE_MODE_TRAIN, 0x7F, 0, T, 1, r);
    double sum = 0;
    for (int i = 0; i < T * N; i++)
        sum += (double)r->y[i] * (double)p->g[i];
    for (int i = 0; i < INPUTS; i++)
        for (int64_t j = 0; j < FLOATS; j++)
            in[i][j] = (double)p->rows[i][j];
    assert_true(fabs(sum - loss(in, p)) < 2e-3);
    for (int i = 0; i < INPUTS; i++)
        for (int s = 0; s < 12; s++) {
            const int64_t row = (s * 31 + 1) % shapes[i].rows, col = (s * 17 + 2) % shapes[i].cols;
            double *x = &in[i][row * shapes[i].cols + col], old = *x;
            *x = old + 0.25; /* each input alone is linear: differences are exact */
            const double up = loss(in, p);
            *x = old - 0.25;
            const double slope = (up - loss(in, p)) / 0.5;
            *x = old;
            const double got = (double)r->d[i][place(i, row, col)];
            assert_true(fabs(slope - got) < 1e-4 * (1 + fabs(slope)));
        }
    hone_free(r);
    hone_free(p);
}

static void test_bits_ignore_modes_sets_threads_and_micro_batches(void **state)
{
    (void)state;
    struct data *p = make();
    struct result *want = result_make();
    for (int i = 0; i < INPUTS; i++) /* gradients that are there already */
        for (int64_t j = 0; j < shapes[i].rows * shapes[i].cols; j++)
            want->d[i][place(i, j / shapes[i].cols, j % shapes[i].cols)] = p->rows[i][j] * 0.3f;
    struct result *start = result_make();
    *start = *want;
    assert_int_equal(hone_cpu_use(HONE_CPU_C), HONE_OK);
    run(pools[0], p, HONE_MODE_TRAIN, 0x7F, 0, T, 0, want);
    for (int set = 0; set <= hone_cpu_get()->best; set++)
        for (int i = 0; i < 2; i++) {
            assert_int_equal(hone_cpu_use(set), HONE_OK);
            struct result *r = result_make();
            *r = *start;
            const int64_t cuts[] = {0, 1, 30, 31, T};
            for (int k = 0; k < 4; k++)
                run(pools[i], p, HONE_MODE_TRAIN, 0x7F, cuts[k], cuts[k + 1], 0, r);
            assert_memory_equal(r, want, sizeof *r);
            memset(r->y, 0, sizeof r->y);
            for (int k = 0; k < 4; k++)
                run(pools[i], p, HONE_MODE_DECODE, 0, cuts[k], cuts[k + 1], 0, r);
            assert_memory_equal(r->y, want->y, sizeof r->y);
            hone_free(r);
        }
    hone_free(start);
    hone_free(want);
    hone_free(p);
}

static void test_a_gradient_nobody_wants_costs_nothing(void **state)
{
    (void)state;
    struct data *p = make();
    struct result *all = result_make();
    run(pools[0], p, HONE_MODE_TRAIN, 0x7F, 0, T, 1, all);
    const uint32_t cases[] = {1u << X,
                              1u << W,
                              1u << BIAS,
                              1u << A0 | 1u << B0,
                              1u << B1,
                              1u << A1,
                              1u << X | 1u << A0 | 1u << B0 | 1u << A1 | 1u << B1};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct result *r = result_make();
        run(pools[0], p, HONE_MODE_TRAIN, cases[c], 0, T, 1, r); /* reads only what infer keeps */
        for (int i = 0; i < INPUTS; i++)
            if (cases[c] >> i & 1)
                assert_memory_equal(r->d[i], all->d[i], sizeof r->d[i]);
        hone_free(r);
    }
    hone_shape in[INPUTS];
    hone_shape_ctx c;
    infer(&c, in, HONE_MODE_TRAIN, 1u << X, T); /* nothing but dx: x itself is not kept */
    assert_int_equal(hone_op_linear.infer(&c), HONE_OK);
    assert_int_equal(c.saves_in, 1u << W | 1u << A0 | 1u << B0 | 1u << A1 | 1u << B1);
    assert_int_equal(c.n_extra, 0);
    infer(&c, in, HONE_MODE_TRAIN, 1u << W, T); /* W alone: no weight is read */
    assert_int_equal(hone_op_linear.infer(&c), HONE_OK);
    assert_int_equal(c.saves_in, 1u << X);
    hone_free(all);
    hone_free(p);
}

static void test_shapes_that_do_not_fit_are_named(void **state)
{
    (void)state;
    hone_shape in[INPUTS];
    hone_shape_ctx c;
    infer(&c, in, HONE_MODE_TRAIN, 0, T);
    in[W].cols = 46;
    assert_int_equal(hone_op_linear.infer(&c), HONE_E_SHAPE);
    assert_non_null(strstr(c.error, "x (67, 45) and W (70, 46)"));
    infer(&c, in, HONE_MODE_TRAIN, 0, T);
    in[BIAS].cols = 69;
    assert_int_equal(hone_op_linear.infer(&c), HONE_E_SHAPE);
    assert_non_null(strstr(c.error, "bias"));
    infer(&c, in, HONE_MODE_TRAIN, 0, T);
    in[B1].cols = 15;
    assert_int_equal(hone_op_linear.infer(&c), HONE_E_SHAPE);
    assert_non_null(strstr(c.error, "adapter 1"));
    infer(&c, in, HONE_MODE_TRAIN, 1u << W, T);
    in[W].dtype = HONE_BF16;
    assert_int_equal(hone_op_linear.infer(&c), HONE_E_TYPE);
    infer(&c, in, HONE_MODE_TRAIN, 0, T);
    in[W].dtype = HONE_BF16; /* frozen is fine */
    assert_int_equal(hone_op_linear.infer(&c), HONE_OK);
    c.n_in = 5;
    assert_int_equal(hone_op_linear.infer(&c), HONE_E_INVALID);
}

/* ---- embed/1
 * --------------------------------------------------------------------------------------- */
enum { VOCAB = 75, TOKENS = 300, WIDTH = 61 };

static void embed(hone_pool *pool, const float *table, const int32_t *tokens, int64_t n,
                  float scale, float *y, const float *dy, float *dtable, int fresh,
                  hone_status want)
{
    const hone_embed_attr at = {scale};
    const hone_batch batch = {.struct_size = sizeof batch, .n_tokens = n, .tokens = tokens};
    const hone_shape in = {VOCAB, WIDTH, HONE_F32, HONE_PANELS};
    hone_shape_ctx c = {.struct_size = sizeof c,
                        .mode = HONE_MODE_TRAIN,
                        .n_in = 1,
                        .needs_grad = 1,
                        .in = &in,
                        .attr = &at,
                        .batch = &batch};
    assert_int_equal(hone_op_embed.infer(&c), HONE_OK);
    assert_int_equal(c.out[0].rows, n);
    const hone_view w = {(void *)table, HONE_F32, HONE_PANELS, VOCAB, WIDTH, WIDTH};
    const hone_view out = {y, HONE_F32, HONE_ROWS, n, WIDTH, WIDTH};
    const hone_view dout = {(void *)dy, HONE_F32, HONE_ROWS, n, WIDTH, WIDTH};
    const hone_view din = {dtable, HONE_F32, HONE_PANELS, VOCAB, WIDTH, WIDTH};
    const uint8_t is_fresh = (uint8_t)fresh;
    const hone_op_args args = {.struct_size = sizeof args,
                               .mode = HONE_MODE_TRAIN,
                               .n_in = 1,
                               .n_out = 1,
                               .in = &w,
                               .out = &out,
                               .dout = &dout,
                               .din = &din,
                               .din_fresh = &is_fresh,
                               .attr = &at,
                               .batch = &batch};
    assert_int_equal(hone_op_embed.fwd(&args, hone_pool_exec(pool)), want);
    if (want == HONE_OK)
        assert_int_equal(hone_op_embed.bwd(&args, hone_pool_exec(pool)), HONE_OK);
}

static void test_embedding_gathers_rows_and_scatters_in_token_order(void **state)
{
    (void)state;
    static float rows[VOCAB * WIDTH], table[96 * WIDTH], y[TOKENS * WIDTH], dy[TOKENS * WIDTH];
    static float want[96 * WIDTH], got[96 * WIDTH];
    int32_t tokens[TOKENS];
    seed = 9;
    for (int i = 0; i < VOCAB * WIDTH; i++)
        rows[i] = number();
    for (int i = 0; i < TOKENS * WIDTH; i++)
        dy[i] = number();
    for (int t = 0; t < TOKENS; t++)
        tokens[t] = t % 3 ? t * 7 % VOCAB : 5; /* a third of them one token */
    hone_panels_pack(rows, WIDTH, VOCAB, WIDTH, table);
    for (int i = 0; i < VOCAB * WIDTH; i++) /* the chain of each element, token by token */
        want[(i / WIDTH / 32 * WIDTH + i % WIDTH) * 32 + i / WIDTH % 32] = rows[i];
    for (int t = 0; t < TOKENS; t++)
        for (int c = 0; c < WIDTH; c++) {
            float *o = &want[(tokens[t] / 32 * WIDTH + c) * 32 + tokens[t] % 32];
            *o = *o + 1.5f * dy[t * WIDTH + c];
        }
    for (int i = 0; i < 2; i++) {
        memcpy(got, table, sizeof got);
        embed(pools[i], table, tokens, TOKENS, 1.5f, y, dy, got, 0, HONE_OK);
        assert_memory_equal(got, want, sizeof got);
        for (int t = 0; t < TOKENS; t++)
            for (int c = 0; c < WIDTH; c++)
                assert_true(y[t * WIDTH + c] == 1.5f * rows[tokens[t] * WIDTH + c]);
        memcpy(got, table, sizeof got); /* micro-batches */
        embed(pools[i], table, tokens, 100, 1.5f, y, dy, got, 0, HONE_OK);
        embed(pools[i], table, tokens + 100, 200, 1.5f, y, dy + 100 * WIDTH, got, 0, HONE_OK);
        assert_memory_equal(got, want, sizeof got);
        embed(pools[i], table, tokens, 1, 1.0f, y, dy, got, 1,
              HONE_OK); /* fresh: nothing but its own */
        for (int j = 0; j < 96 * WIDTH; j++)
            assert_true(got[j] == 0.0f || (j % 32 == 5 && j < 32 * WIDTH));
    }
    tokens[7] = VOCAB;
    embed(pools[0], table, tokens, TOKENS, 1.0f, y, dy, got, 1, HONE_E_RANGE);
    assert_non_null(strstr(hone_error_get()->what, "token 7"));
    tokens[7] = -1;
    embed(pools[0], table, tokens, TOKENS, 1.0f, y, dy, got, 1, HONE_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_gradients_equal_float64),
        cmocka_unit_test(test_bits_ignore_modes_sets_threads_and_micro_batches),
        cmocka_unit_test(test_a_gradient_nobody_wants_costs_nothing),
        cmocka_unit_test(test_shapes_that_do_not_fit_are_named),
        cmocka_unit_test(test_embedding_gathers_rows_and_scatters_in_token_order),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
