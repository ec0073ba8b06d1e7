/* test_tape - recording, planning and running, on graphs of the small ops and on ops of the test's
 * own. */
#include "components.h"

#include "base/rng.h"
#include "graph/tape.h"
#include "ops/attrs.h"
#include "ops/registry.h"
#include "tensor/pool.h"

#include <math.h>

static hone_pool *pool;
static hone_tape *tape;

static uint32_t bits(uint64_t what, uint64_t i)
{
    hone_rng_key k = {what, HONE_RNG_USER, 0, 0, 0};
    return hone_rng_u32(&k, i);
}

static float centred(uint64_t what, uint64_t i)
{
    return (float)bits(what, i) / 2147483648.0f - 1.0f;
}

/* ---- ops of the test ------------------------------------------------------------------------- */
/* y = 2x, without a backward; and z = 2x with one; and one that fails. */
static hone_status twice_infer(hone_shape_ctx *c)
{
    c->n_out = 1;
    c->out[0] = c->in[0];
    return HONE_OK;
}

static hone_status twice_fwd(const hone_op_args *a, const hone_exec *ex)
{
    const float *x = a->in[0].data;
    float *y = a->out[0].data;
    (void)ex;
    for (int64_t i = 0; i < a->in[0].rows * a->in[0].cols; i++)
        y[i] = 2.0f * x[i];
    return HONE_OK;
}

static hone_status failing_fwd(const hone_op_args *a, const hone_exec *ex)
{
    (void)a;
    (void)ex;
    return HONE_E_LIMIT;
}

static hone_status refusing_infer(hone_shape_ctx *c)
{
    snprintf(c->error, sizeof c->error, "only odd rows");
    return HONE_E_SHAPE;
}

static hone_status wild_infer(hone_shape_ctx *c)
{
    c->n_out = 1;
    c->out[0].rows = -4;
    return HONE_OK;
}

static const hone_op op_twice = {
    .struct_size = sizeof(hone_op), .name = "test_twice/1", .infer = twice_infer, .fwd = twice_fwd};
static const hone_op op_fail = {.struct_size = sizeof(hone_op),
                                .name = "test_fail/1",
                                .infer = twice_infer,
                                .fwd = failing_fwd};
static const hone_op op_refuse = {.struct_size = sizeof(hone_op),
                                  .name = "test_refuse/1",
                                  .infer = refusing_infer,
                                  .fwd = twice_fwd};
static const hone_op op_wild = {
    .struct_size = sizeof(hone_op), .name = "test_wild/1", .infer = wild_infer, .fwd = twice_fwd};
static const hone_op *const pack[] = {&op_twice, &op_fail, &op_refuse, &op_wild, NULL};

static int setup(void **state)
{
    (void)state;
    assert_ok(hone_pool_create(2, &pool));
    assert_ok(hone_tape_create(hone_pool_exec(pool), &tape));
    assert_ok(hone_op_register_pack(pack));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hone_op_unregister_pack(pack);
    hone_tape_destroy(tape);
    hone_pool_destroy(pool);
    return 0;
}

static hone_tensor unary(const char *name, hone_tensor x)
{
    hone_tensor y;
    hone_tape_op(tape, name, &x, 1, NULL, 0, &y, 1);
    return y;
}

static hone_tensor binary(const char *name, hone_tensor a, hone_tensor b)
{
    hone_tensor in[2] = {a, b}, y;
    hone_tape_op(tape, name, in, 2, NULL, 0, &y, 1);
    return y;
}

/* ---- random graphs against an interpreter ---------------------------------------------------- */
enum { ROWS = 3, COLS = 5, N = ROWS * COLS, VARS = 4, MAX_NODES = 48 };
enum { K_ADD, K_SUB, K_MUL, K_SCALE, K_TANH, K_SIGMOID, K_ADD_RMSNORM, K_COUNT };

struct gnode {
    int kind, a, b;    /* values by number; VARS leaves first */
    double v[N], g[N]; /* value and gradient in double */
    double sum[N];     /* add_rmsnorm: the sum, which is value number `index + 1` */
    hone_tensor t;
};

static const double norm_w[COLS] = {0.5, 1.5, -1.0, 2.0, 1.0};

static void interpret(struct gnode *n, int i)
{
    const double *a = n[n[i].a].v, *b = n[n[i].b].v;
    for (int k = 0; k < N; k++)
        switch (n[i].kind) {
        case K_ADD:
            n[i].v[k] = a[k] + b[k];
            break;
        case K_SUB:
            n[i].v[k] = a[k] - b[k];
            break;
        case K_MUL:
            n[i].v[k] = a[k] * b[k];
            break;
        case K_SCALE:
            n[i].v[k] = 0.7 * a[k];
            break;
        case K_TANH:
            n[i].v[k] = tanh(a[k]);
            break;
        case K_SIGMOID:
            n[i].v[k] = 1.0 / (1.0 + exp(-a[k]));
            break;
        }
    for (int r = 0; n[i].kind == K_ADD_RMSNORM && r < ROWS; r++) {
        double sq = 0.0;
        for (int c = 0; c < COLS; c++) {
            n[i].sum[r * COLS + c] = a[r * COLS + c] + b[r * COLS + c];
            sq += n[i].sum[r * COLS + c] * n[i].sum[r * COLS + c];
        }
        for (int c = 0; c < COLS; c++) {
            n[i].v[r * COLS + c] = n[i].sum[r * COLS + c] / sqrt(sq / COLS + 1e-3) * norm_w[c];
            n[i + 1].v[r * COLS + c] = n[i].sum[r * COLS + c];
        }
    }
}

static void differentiate(struct gnode *n, int i)
{
    double *ga = n[n[i].a].g, *gb = n[n[i].b].g, *g = n[i].g;
    const double *a = n[n[i].a].v, *b = n[n[i].b].v, *v = n[i].v;
    for (int k = 0; k < N; k++)
        switch (n[i].kind) {
        case K_ADD:
            ga[k] += g[k];
            gb[k] += g[k];
            break;
        case K_SUB:
            ga[k] += g[k];
            gb[k] -= g[k];
            break;
        case K_MUL: {
            double da = g[k] * b[k], db = g[k] * a[k];
            ga[k] += da;
            gb[k] += db;
            break;
        }
        case K_SCALE:
            ga[k] += 0.7 * g[k];
            break;
        case K_TANH:
            ga[k] += g[k] * (1.0 - v[k] * v[k]);
            break;
        case K_SIGMOID:
            ga[k] += g[k] * v[k] * (1.0 - v[k]);
            break;
        }
    for (int r = 0; n[i].kind == K_ADD_RMSNORM && r < ROWS; r++) {
        double sq = 0.0, dot = 0.0, rstd;
        const double *s = n[i].sum + r * COLS;
        for (int c = 0; c < COLS; c++)
            sq += s[c] * s[c];
        rstd = 1.0 / sqrt(sq / COLS + 1e-3);
        for (int c = 0; c < COLS; c++)
            dot += g[r * COLS + c] * norm_w[c] * s[c] * rstd;
        for (int c = 0; c < COLS; c++) {
            double d = rstd * (g[r * COLS + c] * norm_w[c] - s[c] * rstd * dot / COLS) +
                       n[i + 1].g[r * COLS + c];
            ga[r * COLS + c] += d;
            gb[r * COLS + c] += d;
        }
    }
}

static hone_tensor record(struct gnode *n, int i, hone_tensor w)
{
    hone_scalar_attr scale = {0.7f};
    hone_norm_attr norm = {1e-3f, 0.0f, 0, 0};
    hone_tensor in[3] = {n[n[i].a].t, n[n[i].b].t, w}, y[2];
    switch (n[i].kind) {
    case K_ADD:
        return binary("add/1", in[0], in[1]);
    case K_SUB:
        return binary("sub/1", in[0], in[1]);
    case K_MUL:
        return binary("mul/1", in[0], in[1]);
    case K_TANH:
        return unary("tanh/1", in[0]);
    case K_SIGMOID:
        return unary("sigmoid/1", in[0]);
    case K_SCALE:
        hone_tape_op(tape, "scale/1", in, 1, &scale, sizeof scale, y, 1);
        return y[0];
    default:
        hone_tape_op(tape, "add_rmsnorm/1", in, 3, &norm, sizeof norm, y, 2);
        n[i + 1].t = y[0];
        return y[1];
    }
}

/* One random graph: values of its roots and gradients of its variables, as the interpreter has
 * them. Checkpointing in blocks of random size must not change a bit. */
static void check_graph(uint64_t seed, uint32_t every, float *grads)
{
    static struct gnode n[MAX_NODES + 2];
    float data[N], want_w[COLS];
    int count = VARS + 8 + (int)(bits(seed, 0) % (MAX_NODES - VARS - 8)), roots[3];
    hone_tape_options o = {.checkpoint_every = every};
    const hone_graph_v1 *graph = hone_tape_graph();
    hone_tensor w;
    memset(n, 0, sizeof n);
    assert_ok(hone_tape_begin(tape, NULL, HONE_MODE_TRAIN, NULL, &o));
    for (int c = 0; c < COLS; c++)
        want_w[c] = (float)norm_w[c];
    w = hone_tape_input(tape, 1, COLS, HONE_F32, want_w);
    for (int i = 0; i < VARS; i++) {
        for (int k = 0; k < N; k++) {
            data[k] = centred(seed * 7 + 1, (uint64_t)(i * N + k));
            n[i].v[k] = (double)data[k];
        }
        n[i].t = hone_tape_variable(tape, ROWS, COLS, data);
    }
    for (int i = VARS; i < count; i++) {
        uint32_t r = bits(seed * 7 + 2, (uint64_t)i);
        n[i].kind = (int)(r % K_COUNT);
        n[i].a = (int)(r / 16 % (uint32_t)i);
        n[i].b = r / 4096 % 4 ? i - 1 - (int)(r / 65536 % (uint32_t)(i < 6 ? i : 6))
                              : (int)(r / 65536 % (uint32_t)i);
        if (r >> 28 < 3)
            n[i].a = n[i].b; /* the same tensor twice */
        if (bits(seed * 7 + 3, (uint64_t)i) % 5 == 0)
            graph->block(tape, i);
        n[i].t = record(n, i, w);
        assert_ok(hone_tape_status(tape));
        interpret(n, i);
        if (n[i].kind == K_ADD_RMSNORM) {
            n[i + 1].kind = -1;
            i++;
            if (i == count)
                count++;
        }
    }
    graph->block(tape, -1);
    for (int k = 0; k < 3; k++) {
        roots[k] = k == 0
                       ? count - 1
                       : VARS + (int)(bits(seed * 7 + 4, (uint64_t)k) % (uint32_t)(count - VARS));
        hone_tape_root(tape, n[roots[k]].t);
    }
    assert_ok(hone_tape_forward(tape));
    for (int k = 0; k < 3; k++) {
        const float *got = hone_tape_value(tape, n[roots[k]].t).data;
        int again = 0;
        assert_non_null(got);
        for (int j = 0; j < N; j++) {
            data[j] = centred(seed * 7 + 5, (uint64_t)(roots[k] * N + j));
            if (fabs((double)got[j] - n[roots[k]].v[j]) > 1e-5 * (1.0 + fabs(n[roots[k]].v[j])))
                fail_with("seed %llu root %d: %g, not %g", (unsigned long long)seed, roots[k],
                          (double)got[j], n[roots[k]].v[j]);
        }
        for (int j = 0; j < k; j++)
            again |= roots[j] == roots[k];
        if (k == 1 || again) /* a root without a seed counts as zero */
            continue;
        assert_ok(hone_tape_seed(tape, n[roots[k]].t, data));
        for (int j = 0; j < N; j++)
            n[roots[k]].g[j] += (double)data[j];
    }
    assert_ok(hone_tape_backward(tape));
    for (int i = count - 1; i >= VARS; i--)
        if (n[i].kind >= 0)
            differentiate(n, i);
    for (int i = 0; i < VARS; i++) {
        const float *g = hone_tape_grad(tape, n[i].t).data;
        for (int k = 0; k < N; k++) {
            double got = g ? (double)g[k] : 0.0;
            if (fabs(got - n[i].g[k]) > 1e-4 * (1.0 + fabs(n[i].g[k])))
                fail_with("seed %llu checkpoint %u variable %d: gradient %g, not %g",
                          (unsigned long long)seed, every, i, got, n[i].g[k]);
            grads[i * N + k] = (float)got;
        }
    }
}

static void test_random_graphs_match_an_interpreter(void **state)
{
    float a[VARS * N], b[VARS * N];
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        check_graph(seed, 0, a);
        for (uint32_t every = 1; every <= 3; every++) {
            check_graph(seed, every, b);
            assert_memory_equal(a, b, sizeof a);
        }
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */
static void begin(uint32_t mode)
{
    assert_ok(hone_tape_begin(tape, NULL, mode, NULL, NULL));
}

static const float six[6] = {1, 2, 3, 4, 5, 6};

static void test_the_first_failure_is_kept(void **state)
{
    hone_tensor a, b, c;
    hone_shape sh;
    (void)state;
    begin(HONE_MODE_SCORE);
    hone_tape_graph()->block(tape, 7);
    a = hone_tape_input(tape, 2, 3, HONE_F32, six);
    b = hone_tape_input(tape, 3, 2, HONE_F32, six);
    assert_ok(hone_tape_shape(tape, b, &sh));
    assert_true(sh.rows == 3 && sh.cols == 2);
    c = binary("add/1", a, b);
    assert_int_equal(c, -1);
    assert_int_equal(unary("neg/1", c), -1);
    assert_int_equal(unary("no_such_op/1", a), -1);
    assert_fails(hone_tape_forward(tape), HONE_E_SHAPE, "add/1 (layer 7)");
    assert_non_null(strstr(hone_error_get()->what, "2x3, 3x2"));
    assert_fails(hone_tape_status(tape), HONE_E_SHAPE, "add/1");
    begin(HONE_MODE_SCORE); /* a new recording starts clean */
    assert_ok(hone_tape_status(tape));
    unary("no_such_op/1", hone_tape_input(tape, 2, 3, HONE_F32, six));
    assert_fails(hone_tape_forward(tape), HONE_E_NOT_FOUND, "no_such_op");
}

static void test_misbehaving_ops_are_named(void **state)
{
    (void)state;
    begin(HONE_MODE_SCORE);
    unary("test_refuse/1", hone_tape_input(tape, 2, 3, HONE_F32, six));
    assert_fails(hone_tape_forward(tape), HONE_E_SHAPE, "test_refuse/1: only odd rows; inputs 2x3");
    begin(HONE_MODE_SCORE);
    unary("test_wild/1", hone_tape_input(tape, 2, 3, HONE_F32, six));
    assert_fails(hone_tape_forward(tape), HONE_E_MISBEHAVED, "test_wild/1");
    begin(HONE_MODE_SCORE);
    hone_tape_graph()->block(tape, 2);
    unary("test_fail/1", hone_tape_input(tape, 2, 3, HONE_F32, six));
    assert_fails(hone_tape_forward(tape), HONE_E_LIMIT, "test_fail/1 (layer 2) forward");
    assert_fails(hone_tape_forward(tape), HONE_E_LIMIT, "test_fail/1");
}

static void test_a_gradient_without_backward_is_an_error(void **state)
{
    hone_tensor x, y;
    const float *v;
    (void)state;
    begin(HONE_MODE_TRAIN);
    x = hone_tape_variable(tape, 2, 3, six);
    y = unary("test_twice/1", x);
    hone_tape_root(tape, binary("add/1", x, y));
    assert_fails(hone_tape_forward(tape), HONE_E_UNSUPPORTED, "test_twice/1");
    begin(HONE_MODE_TRAIN); /* fine where no gradient goes: a constant, or a detached value */
    x = hone_tape_variable(tape, 2, 3, six);
    y = unary("test_twice/1", hone_tape_input(tape, 2, 3, HONE_F32, six));
    y = binary("mul/1", x, y);
    hone_tape_root(tape, y);
    assert_ok(hone_tape_forward(tape));
    assert_ok(hone_tape_seed(tape, y, six));
    assert_ok(hone_tape_backward(tape));
    v = hone_tape_grad(tape, x).data;
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(v[i] - 2.0f * six[i] * six[i]) < 1e-6f);
    begin(HONE_MODE_TRAIN);
    x = hone_tape_variable(tape, 2, 3, six);
    y = binary("add/1", x, unary("detach/1", unary("test_twice/1", x)));
    hone_tape_root(tape, y);
    assert_ok(hone_tape_forward(tape));
    assert_ok(hone_tape_seed(tape, y, six));
    assert_ok(hone_tape_backward(tape));
    v = hone_tape_grad(tape, x).data;
    for (int i = 0; i < 6; i++)
        assert_true(v[i] == six[i]);
}

static void test_calls_out_of_order_are_refused(void **state)
{
    hone_tensor x, y;
    (void)state;
    begin(HONE_MODE_TRAIN);
    x = hone_tape_variable(tape, 2, 3, six);
    y = unary("neg/1", x);
    assert_fails(hone_tape_backward(tape), HONE_E_STATE, "backward");
    assert_ok(hone_tape_forward(tape));
    assert_fails(hone_tape_seed(tape, y, six), HONE_E_INVALID, "root");
    assert_fails(hone_tape_forward(tape), HONE_E_STATE, "forward");
    assert_int_equal(unary("neg/1", x), -1);
    begin(HONE_MODE_SCORE);
    x = hone_tape_input(tape, 2, 3, HONE_F32, six);
    assert_ok(hone_tape_forward(tape));
    assert_fails(hone_tape_backward(tape), HONE_E_STATE, "TRAIN");
    assert_fails(hone_tape_begin(tape, NULL, 9, NULL, NULL), HONE_E_INVALID, "mode 9");
    begin(HONE_MODE_SCORE);
    assert_int_equal(hone_tape_input(tape, 0, 3, HONE_F32, six), -1);
    assert_fails(hone_tape_forward(tape), HONE_E_SHAPE, "0 x 3");
    begin(HONE_MODE_SCORE);
    assert_int_equal(hone_tape_graph()->param(tape, 3), -1);
    assert_fails(hone_tape_forward(tape), HONE_E_INVALID, "parameter 3");
}

/* ---- values and plans ------------------------------------------------------------------------ */
static void test_values_that_are_asked_for_survive(void **state)
{
    hone_tensor x, first, y;
    const float *v;
    (void)state;
    begin(HONE_MODE_SCORE);
    x = hone_tape_input(tape, 2, 3, HONE_F32, six);
    first = unary("neg/1", x);
    y = first;
    for (int i = 0; i < 10; i++)
        y = unary("neg/1", y);
    hone_tape_keep(tape, first);
    assert_ok(hone_tape_forward(tape));
    v = hone_tape_value(tape, first).data;
    for (int i = 0; i < 6; i++)
        assert_true(v[i] == -six[i]);
    v = hone_tape_value(tape, y).data; /* nobody reads it: kept by itself */
    for (int i = 0; i < 6; i++)
        assert_true(v[i] == -six[i]);
    begin(HONE_MODE_SCORE);
    first = unary("neg/1", hone_tape_input(tape, 2, 3, HONE_F32, six));
    unary("neg/1", first);
    assert_ok(hone_tape_forward(tape));
    assert_null(hone_tape_value(tape, first).data);
}

static void test_cheap_results_are_replayed_not_kept(void **state)
{
    hone_tape_stats stats;
    hone_tensor a, b, y;
    const float *g;
    (void)state;
    begin(HONE_MODE_TRAIN);
    a = hone_tape_variable(tape, 2, 3, six);
    b = hone_tape_variable(tape, 2, 3, six);
    y = binary("mul/1", binary("mul/1", a, b),
               a); /* the inner product is read by the outer backward */
    hone_tape_root(tape, y);
    assert_ok(hone_tape_forward(tape));
    hone_tape_get_stats(tape, &stats);
    assert_int_equal(stats.kept_bytes, 0);
    assert_ok(hone_tape_seed(tape, y, six));
    assert_ok(hone_tape_backward(tape));
    g = hone_tape_grad(tape, a).data; /* d(a b a)/da = 2 a b */
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(g[i] - 2.0f * six[i] * six[i] * six[i]) <= 1e-5f * g[i]);
}

static hone_status chain(int64_t rows, int length)
{
    static float data[4096];
    hone_tensor y;
    begin(HONE_MODE_SCORE);
    y = hone_tape_input(tape, rows, 8, HONE_F32, data);
    for (int i = 0; i < length; i++)
        y = unary("sigmoid/1", y);
    return hone_tape_forward(tape);
}

static void test_plans_are_shared_by_shape(void **state)
{
    hone_tape_stats a, b;
    (void)state;
    assert_ok(chain(100, 20));
    hone_tape_get_stats(tape, &a);
    assert_true(a.plan_bytes <= 3 * 100 * 8 * 4); /* twenty results, two alive at a time */
    assert_ok(chain(100, 20));
    hone_tape_get_stats(tape, &b);
    assert_int_equal(a.plan_misses, b.plan_misses);
    assert_int_equal(a.plan_hits + 1, b.plan_hits);
    assert_ok(chain(99, 20)); /* same size class */
    hone_tape_get_stats(tape, &b);
    assert_int_equal(a.plan_misses, b.plan_misses);
    assert_ok(chain(200, 20));
    hone_tape_get_stats(tape, &b);
    assert_int_equal(a.plan_misses + 1, b.plan_misses);
    for (int n = 1; n <= 60; n++) /* more plans than are kept: old ones go, results stay right */
        assert_ok(chain(16, n));
    hone_tape_get_stats(tape, &b);
    assert_true(b.plans_cached <= 48);
    assert_ok(chain(100, 20));
}

static void test_a_profile_counts_calls(void **state)
{
    hone_tape_profile row[4];
    (void)state;
    assert_int_equal(hone_tape_get_profile(tape, row, 4), 0);
    assert_ok(hone_tape_set_profile(tape, 1));
    assert_ok(chain(10, 7));
    assert_int_equal(hone_tape_get_profile(tape, row, 4), 1);
    assert_string_equal(row[0].op, "sigmoid/1");
    assert_int_equal(row[0].calls_fwd, 7);
    assert_int_equal(row[0].calls_bwd, 0);
    assert_ok(hone_tape_set_profile(tape, 0));
    assert_int_equal(hone_tape_get_profile(tape, row, 4), 0);
}

static void test_planning_survives_without_memory(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 200; nth++) {
        hone_tape *t;
        size_t before, after;
        hone_status s;
        hone_alloc_stats(&before, NULL);
        hone_alloc_fail_after(nth, 0);
        s = hone_tape_create(hone_pool_exec(pool), &t);
        if (s >= 0) {
            hone_tensor x, y;
            s = hone_tape_begin(t, NULL, HONE_MODE_TRAIN, NULL, NULL);
            x = hone_tape_variable(t, 2, 3, six);
            hone_tape_op(t, "tanh/1", &x, 1, NULL, 0, &y, 1);
            hone_tape_root(t, y);
            s = hone_tape_forward(t);
            if (s >= 0)
                s = hone_tape_seed(t, y, six);
            if (s >= 0)
                s = hone_tape_backward(t);
            hone_tape_destroy(t);
        }
        hone_alloc_fail_after(0, 0);
        hone_alloc_stats(&after, NULL);
        assert_int_equal(before, after);
        if (s >= 0)
            return;
        assert_int_equal(s, HONE_E_NOMEM);
    }
    fail_with("planning never succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs_match_an_interpreter),
        cmocka_unit_test(test_the_first_failure_is_kept),
        cmocka_unit_test(test_misbehaving_ops_are_named),
        cmocka_unit_test(test_a_gradient_without_backward_is_an_error),
        cmocka_unit_test(test_calls_out_of_order_are_refused),
        cmocka_unit_test(test_values_that_are_asked_for_survive),
        cmocka_unit_test(test_cheap_results_are_replayed_not_kept),
        cmocka_unit_test(test_plans_are_shared_by_shape),
        cmocka_unit_test(test_a_profile_counts_calls),
        cmocka_unit_test(test_planning_survives_without_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
