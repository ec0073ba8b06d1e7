/* test_params - the parameter store: panels and rows, flat gradients, adapters, copies; and loading
 * from a reader. */
#include "support.h"

#include "nn/model.h"
#include "tensor/pool.h"

#include <math.h>

static hone_param declare(hone_params *p, const char *name, const char *role, int64_t rows,
                          int64_t cols, uint32_t init)
{
    hone_param_spec s;
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.name = name;
    s.role = role;
    s.rows = rows;
    s.cols = cols;
    s.init = init;
    s.init_std = 0.5f;
    return hone_params_declare(p, &s);
}

/* a 40 x 7 matrix of role q, a vector of 5, a 3 x 33 matrix of role up. */
static hone_params *small(void)
{
    hone_params *p;
    assert_ok(hone_params_create(&p));
    assert_int_equal(declare(p, "layers.0.a.weight", "q", 40, 7, HONE_INIT_NORMAL), 0);
    assert_int_equal(declare(p, "layers.0.b", "norm", 5, 0, HONE_INIT_ONE), 1);
    assert_int_equal(declare(p, "layers.0.c.weight", "up", 3, 33, HONE_INIT_ZERO), 2);
    assert_ok(hone_params_seal(p));
    return p;
}

static void test_rows_go_in_and_out_of_panels(void **state)
{
    hone_params *p = small();
    float in[40 * 7], out[40 * 7];
    hone_view v = hone_params_view(p, 0);
    const float *stored = v.data;
    (void)state;
    for (int i = 0; i < 280; i++)
        in[i] = (float)i + 1.0f;
    assert_ok(hone_params_set_rows(p, 0, 0, 25, in));
    assert_ok(hone_params_set_rows(p, 0, 25, 15, in + 175)); /* across the panel's border */
    assert_ok(hone_params_get_rows(p, 0, 0, 40, out));
    assert_memory_equal(in, out, sizeof in);
    assert_ok(hone_params_get_rows(p, 0, 30, 5, out));
    assert_memory_equal(in + 210, out, 35 * sizeof *in);
    for (int r = 0; r < 64; r++)
        for (int c = 0; c < 7; c++)
            assert_true(stored[((r / 32) * 7 + c) * 32 + r % 32] ==
                        (r < 40 ? in[r * 7 + c] : 0.0f));
    assert_true((uintptr_t)v.data % 64 == 0 && (uintptr_t)hone_params_view(p, 1).data % 64 == 0);
    assert_int_equal(v.layout, HONE_PANELS);
    v = hone_params_view(p, 1);
    assert_true(v.layout == HONE_ROWS && v.rows == 1 && v.cols == 5);
    assert_fails(hone_params_get_rows(p, 0, 39, 2, out), HONE_E_RANGE, "layers.0.a.weight");
    assert_fails(hone_params_get_rows(p, 9, 0, 1, out), HONE_E_NOT_FOUND, "9");
    assert_fails(hone_params_get_grad_rows(p, 0, 0, 1, out), HONE_E_STATE, "no gradient");
    hone_params_destroy(p);
}

static void test_declarations_are_checked(void **state)
{
    hone_params *p;
    (void)state;
    assert_ok(hone_params_create(&p));
    assert_fails(hone_params_seal(p), HONE_E_INVALID, "no parameters");
    assert_int_equal(declare(p, "a", "q", 4, 4, 0), 0);
    assert_fails(declare(p, "a", "q", 4, 4, 0), HONE_E_EXISTS, "a is declared twice");
    assert_fails(declare(p, "b", "q", 0, 4, 0), HONE_E_SHAPE, "0 x 4");
    assert_fails(declare(p, "b", "q", (int64_t)1 << 40, (int64_t)1 << 40, 0), HONE_E_SHAPE,
                 "b cannot be");
    assert_fails(declare(p, "", "q", 4, 4, 0), HONE_E_INVALID, "without a name");
    assert_ok(hone_params_seal(p));
    assert_fails(declare(p, "b", "q", 4, 4, 0), HONE_E_STATE, "before");
    assert_int_equal(hone_params_find(p, "a"), 0);
    assert_int_equal(hone_params_find(p, "b"), -1);
    hone_params_destroy(p);
}

static void test_initial_values_depend_on_the_seed_alone(void **state)
{
    hone_params *p = small(), *q = small();
    float a[280], b[280];
    double sum = 0.0, sq = 0.0;
    (void)state;
    assert_ok(hone_params_init_values(p, 3));
    assert_ok(hone_params_init_values(q, 3));
    assert_true(hone_params_checksum(p) == hone_params_checksum(q));
    assert_ok(hone_params_init_values(q, 4));
    assert_true(hone_params_checksum(p) != hone_params_checksum(q));
    assert_ok(hone_params_get_rows(p, 0, 0, 40, a));
    for (int i = 0; i < 280; i++) {
        sum += (double)a[i];
        sq += (double)a[i] * (double)a[i];
    }
    assert_true(fabs(sum / 280.0) < 0.1 && fabs(sqrt(sq / 280.0) - 0.5) < 0.06);
    assert_ok(hone_params_get_rows(p, 1, 0, 1, b));
    assert_true(b[0] == 1.0f && b[4] == 1.0f);
    hone_params_destroy(p);
    hone_params_destroy(q);
}

static void test_gradients_are_flat_and_of_what_is_trainable(void **state)
{
    hone_params *p = small();
    hone_params_sizes sizes;
    size_t n;
    float row[33] = {0};
    (void)state;
    assert_ok(hone_params_need_grads(p, &n));
    assert_int_equal(n, 64 * 7 + 16 + 32 * 33);
    assert_ptr_equal(hone_params_item(p, 2)->grad,
                     hone_params_grads(p) + hone_params_item(p, 2)->flat);
    hone_params_item(p, 2)->grad[0] = 3.0f;
    hone_params_item(p, 1)->grad[2] = 4.0f;
    assert_true(hone_params_grad_sq(p) == 25.0);
    assert_ok(hone_params_get_grad_rows(p, 2, 0, 1, row));
    assert_true(row[0] == 3.0f);
    hone_params_zero_grads(p);
    assert_true(hone_params_grad_sq(p) == 0.0);
    hone_params_set_trainable(p, 0, 0); /* drops them */
    assert_null(hone_params_grads(p));
    assert_int_equal(hone_params_flat_length(p), 16 + 32 * 33);
    assert_ok(hone_params_need_grads(p, &n));
    assert_int_equal(n, 16 + 32 * 33);
    assert_null(hone_params_item(p, 0)->grad);
    assert_int_equal(hone_params_item(p, 1)->flat, 0);
    hone_params_get_sizes(p, &sizes);
    assert_int_equal(sizes.n_params, 280 + 5 + 99);
    assert_int_equal(sizes.n_trainable, 5 + 99);
    hone_params_destroy(p);
}

static void test_norm_is_the_same_on_any_threads(void **state)
{
    hone_params *p;
    hone_pool *pool;
    float *g;
    double one, part[7], sum = 0;
    size_t n;
    (void)state;
    assert_ok(hone_params_create(&p));
    declare(p, "w", "q", 640, 700, 0);
    assert_ok(hone_params_seal(p));
    assert_ok(hone_params_need_grads(p, &n));
    g = hone_params_grads(p);
    for (size_t i = 0; i < n; i++)
        g[i] = (float)((i * 7919) % 1009) * 0.001f - 0.5f;
    one = hone_params_grad_sq(p);
    assert_ok(hone_pool_create(3, &pool));
    assert_int_equal(hone_params_chunks(p), 7);
    hone_params_grad_sq_chunks(p, hone_pool_exec(pool), 0, 3, part);
    hone_params_grad_sq_chunks(p, hone_pool_exec(pool), 3, 4, part + 3);
    for (size_t i = 0; i < 7; i++)
        sum += part[i];
    assert_true(one == sum);
    g[n - 1] = NAN;
    assert_true(isnan(hone_params_grad_sq(p)));
    hone_pool_destroy(pool);
    hone_params_destroy(p);
}

/* ---- adapters -------------------------------------------------------------------------------- */
static void test_adapters_stand_beside_the_base(void **state)
{
    static const char *const roles[] = {"q", NULL}, *const bad[] = {"q", "zz", NULL};
    hone_params *p = small(), *c;
    hone_adapter_spec spec = {.name = "one", .rank = 4, .alpha = 8.0f, .roles = roles, .seed = 1};
    hone_adapter_info info;
    hone_lora l[4];
    float a[28], b[160];
    uint64_t base, sum;
    (void)state;
    assert_ok(hone_params_init_values(p, 1));
    base = hone_params_checksum(p);
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    assert_int_equal(hone_params_count(p), 5);
    assert_int_equal(hone_params_find(p, "base_model.model.layers.0.a.lora_A.one.weight"), 3);
    assert_int_equal(hone_params_item(p, 4)->rows, 40);
    assert_int_equal(hone_params_item(p, 4)->cols, 4);
    assert_int_equal(hone_params_item(p, 4)->target, 0);
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_EXISTS, "one");
    spec.name = "two";
    spec.roles = bad;
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_NOT_FOUND, "\"zz\"");
    spec.roles = roles;
    spec.rank = 0;
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_RANGE, "rank 0");
    assert_int_equal(hone_params_count(p), 5);
    spec.rank = 2;
    spec.alpha = 1.0f;
    assert_int_equal(hone_params_add_adapter(p, &spec), 1);
    assert_int_equal(hone_params_loras(p, 0, HONE_ADAPTERS_ACTIVE, l, 4), 2);
    assert_true(l[0].scale == 2.0f && l[1].scale == 0.5f && l[1].a == 5 && l[1].b == 6);
    assert_int_equal(hone_params_loras(p, 0, 2, l, 4), 1);
    assert_int_equal(l[0].a, 5);
    assert_int_equal(hone_params_loras(p, 2, HONE_ADAPTERS_ACTIVE, l, 4), 0);
    assert_int_equal(hone_params_loras(p, 0, HONE_ADAPTERS_NONE, l, 4), 0);
    assert_ok(hone_params_get_rows(p, 3, 0, 4, a));
    assert_ok(hone_params_get_rows(p, 4, 0, 40, b));
    for (int i = 0; i < 28; i++)
        assert_true(a[i] != 0.0f && fabs((double)a[i]) <= 1.0 / sqrt(7.0));
    for (int i = 0; i < 160; i++)
        assert_true(b[i] == 0.0f);
    assert_ok(hone_params_adapter_info(p, 0, &info));
    assert_true(info.scale == 2.0f && info.n_params == 28 + 160 && strcmp(info.roles, "q") == 0);

    assert_ok(hone_params_drop_adapter(p, 0)); /* leaves a hole: the other keeps its numbers */
    assert_null(hone_params_item(p, 3));
    assert_int_equal(hone_params_find_adapter(p, "two"), 1);
    assert_int_equal(hone_params_loras(p, 0, HONE_ADAPTERS_ACTIVE, l, 4), 1);
    assert_int_equal(l[0].a, 5);
    sum = hone_params_checksum(p);
    assert_ok(hone_params_copy(p, &c));
    assert_true(hone_params_checksum(c) == sum);
    assert_int_equal(hone_params_loras(c, 0, HONE_ADAPTERS_ACTIVE, l, 4), 1);
    assert_true(hone_params_item(c, 5)->data != hone_params_item(p, 5)->data);
    hone_params_destroy(c);
    assert_ok(hone_params_drop_adapter(p, 1));
    assert_fails(hone_params_drop_adapter(p, 1), HONE_E_NOT_FOUND, "1");
    assert_true(hone_params_checksum(p) == base);
    hone_params_destroy(p);
}

static void test_merging_adds_the_product(void **state)
{
    static const char *const roles[] = {"q", NULL};
    hone_params *p = small();
    hone_adapter_spec spec = {.rank = 2, .alpha = 1.0f, .roles = roles, .seed = 1}; /* scale 1/2 */
    float a[14], b[80], w[280], got[280];
    (void)state;
    assert_ok(hone_params_init_values(p, 1));
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    assert_int_equal(hone_params_find_adapter(p, "default"), 0);
    for (int i = 0; i < 80; i++)
        b[i] = (float)(i % 7) - 3.0f;
    assert_ok(hone_params_set_rows(p, 4, 0, 40, b));
    assert_ok(hone_params_get_rows(p, 3, 0, 2, a));
    assert_ok(hone_params_get_rows(p, 0, 0, 40, w));
    assert_ok(hone_params_get_merged_rows(p, 0, 0, 0, 40, got));
    assert_memory_equal(w, got, sizeof w);
    assert_ok(hone_params_get_merged_rows(p, 0, HONE_ADAPTERS_ACTIVE, 0, 40, got));
    for (int r = 0; r < 40; r++)
        for (int c = 0; c < 7; c++) {
            double want = (double)w[r * 7 + c] + 0.5 * ((double)b[r * 2] * (double)a[c] +
                                                        (double)b[r * 2 + 1] * (double)a[7 + c]);
            assert_true(fabs((double)got[r * 7 + c] - want) < 1e-6);
        }
    hone_params_destroy(p);
}

static void test_lerp_moves_towards_the_other(void **state)
{
    hone_params *p = small(), *q = small(), *other;
    float a[5];
    (void)state;
    assert_ok(hone_params_init_values(p, 1));
    assert_ok(hone_params_lerp(p, q, 0.25f)); /* q is zero */
    assert_ok(hone_params_get_rows(p, 1, 0, 1, a));
    assert_true(a[0] == 0.75f);
    assert_ok(hone_params_create(&other));
    declare(other, "x", "q", 4, 4, 0);
    assert_ok(hone_params_seal(other));
    assert_fails(hone_params_lerp(p, other, 0.5f), HONE_E_SHAPE, "3 and 1");
    hone_params_destroy(other);
    hone_params_destroy(p);
    hone_params_destroy(q);
}

static hone_status whole_life(void)
{
    static const char *const roles[] = {"q", "up", NULL};
    hone_adapter_spec spec = {.name = "one", .rank = 4, .alpha = 8.0f, .roles = roles, .seed = 1};
    hone_params *p, *c = NULL;
    float rows[14];
    hone_param i;
    hone_status s = hone_params_create(&p);
    if (s < 0)
        return s;
    s = i = declare(p, "a.weight", "q", 40, 7, 0);
    if (s >= 0)
        s = i = declare(p, "b.weight", "up", 4, 7, 0);
    if (s >= 0)
        s = hone_params_seal(p);
    if (s >= 0)
        s = hone_params_add_adapter(p, &spec);
    if (s >= 0)
        s = hone_params_need_grads(p, NULL);
    if (s >= 0)
        s = hone_params_copy(p, &c);
    if (s >= 0)
        s = hone_params_get_merged_rows(c, 0, HONE_ADAPTERS_ACTIVE, 0, 2, rows);
    hone_params_destroy(c);
    hone_params_destroy(p);
    return s < 0 ? s : HONE_OK;
}

static void test_a_life_survives_without_memory(void **state)
{
    (void)state;
    assert_survives_no_memory(whole_life());
}

/* ---- loading --------------------------------------------------------------------------------- */
struct file {
    const char *names[8];
    int64_t rows[8], cols[8];
    size_t n;
    int fail_at;
    int64_t read[8], done[8]; /* rows so far */
};

static int32_t file_find(void *ctx, const char *name, hone_tensor_entry *e)
{
    struct file *f = ctx;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->names[i], name) == 0) {
            e->rows = f->rows[i];
            e->cols = f->cols[i];
            e->id = i;
            return 1;
        }
    return 0;
}

/* Element (r, c) of tensor i is i * 10000 + r * 100 + c. */
static hone_status file_read(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n,
                             float *out)
{
    struct file *f = ctx;
    int64_t cols = e->cols ? e->cols : e->rows;
    if (f->fail_at == (int)e->id)
        return hone_fail(HONE_E_IO, "the disk is gone");
    __atomic_fetch_add(&f->read[e->id], n, __ATOMIC_SEQ_CST);
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < cols; c++)
            out[r * cols + c] = (float)((int64_t)e->id * 10000 + (first + r) * 100 + c);
    return HONE_OK;
}

/* Rows are let go of once they were read, and not before. */
static void file_done(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n)
{
    struct file *f = ctx;
    const int64_t now = __atomic_add_fetch(&f->done[e->id], n, __ATOMIC_SEQ_CST);
    assert_true(first >= 0 && now <= __atomic_load_n(&f->read[e->id], __ATOMIC_SEQ_CST));
}

static const char *file_name(void *ctx, size_t i)
{
    return ((struct file *)ctx)->names[i];
}

static hone_tensor_reader reader(struct file *f, int gguf)
{
    hone_tensor_reader r = {.ctx = f,
                            .place = "weights",
                            .gguf = gguf,
                            .find = file_find,
                            .read = file_read,
                            .done = file_done,
                            .n_tensors = f->n,
                            .name = file_name};
    return r;
}

static void test_loading_reports_everything_that_does_not_fit(void **state)
{
    struct file good = {
        {"layers.0.a.weight", "layers.0.b", "layers.0.c.weight", "x.rotary_emb.inv_freq"},
        {40, 5, 3, 4},
        {7, 0, 33, 0},
        4,
        -1,
        {0},
        {0}};
    struct file bad = {{"layers.0.a.weight", "layers.0.c.weight", "extra.weight"},
                       {41, 3, 1},
                       {7, 33, 1},
                       3,
                       -1,
                       {0},
                       {0}};
    hone_model m;
    hone_tensor_reader r;
    hone_pool *pool;
    float row[33];
    (void)state;
    memset(&m, 0, sizeof m);
    m.params = small();
    r = reader(&good, 0);
    assert_ok(hone_pool_create(2, &pool));
    assert_ok(hone_model_load(&m, &r, hone_pool_exec(pool)));
    assert_ok(hone_params_get_rows(m.params, 0, 33, 1, row));
    assert_true(row[6] == 3306.0f);
    assert_ok(hone_params_get_rows(m.params, 2, 2, 1, row));
    assert_true(row[32] == 20232.0f);
    assert_ok(hone_params_get_rows(m.params, 1, 0, 1, row));
    assert_true(row[4] == 10004.0f);
    assert_true(good.done[0] == 40 && good.done[1] == 1 && good.done[2] == 3 && good.done[3] == 0);
    r = reader(&bad, 0);
    m.info.embed = 1; /* not tied */
    assert_fails(hone_model_load(&m, &r, NULL), HONE_E_SHAPE, "1 missing (layers.0.b)");
    assert_non_null(strstr(hone_error_get()->what, "layers.0.a.weight is 41x7, not 40x7"));
    assert_non_null(
        strstr(hone_error_get()->what, "1 that the model does not have (extra.weight)"));
    good.fail_at = 2;
    r = reader(&good, 0);
    assert_fails(hone_model_load(&m, &r, hone_pool_exec(pool)), HONE_E_IO,
                 "weights: the disk is gone");
    assert_true(good.done[2] == 3);
    hone_params_destroy(m.params);
    hone_pool_destroy(pool);
}

static void test_permuted_rows_are_put_back(void **state)
{
    struct file f = {{"q", "qb"}, {8, 8}, {3, 0}, 2, -1, {0}, {0}};
    hone_param_spec s;
    hone_tensor_reader r;
    hone_model m;
    float row[8];
    /* two heads of four rows: the file has 0 2 1 3 | 4 6 5 7 of the original order (pairs side by
     * side) */
    static const int64_t original[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    (void)state;
    memset(&m, 0, sizeof m);
    assert_ok(hone_params_create(&m.params));
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.name = "q.weight";
    s.gguf_name = "q";
    s.rows = 8;
    s.cols = 3;
    s.gguf_permute_heads = 2;
    assert_int_equal(hone_params_declare(m.params, &s), 0);
    s.name = "q.bias";
    s.gguf_name = "qb";
    s.cols = 0;
    assert_int_equal(hone_params_declare(m.params, &s), 1);
    assert_ok(hone_params_seal(m.params));
    r = reader(&f, 1);
    assert_ok(hone_model_load(&m, &r, NULL));
    for (int64_t k = 0; k < 8; k++) {
        assert_int_equal(hone_model_gguf_row(k, 8, 2), original[k]);
        assert_ok(hone_params_get_rows(m.params, 0, original[k], 1, row));
        assert_true(row[1] == (float)(k * 100 + 1));
        assert_ok(hone_params_get_rows(m.params, 1, 0, 1, row));
        assert_true(row[original[k]] == (float)(10000 + k));
    }
    assert_int_equal(hone_model_gguf_row(5, 9, 2), 5); /* no whole heads: as it is */
    assert_int_equal(hone_model_gguf_row(5, 8, 0), 5);
    hone_params_destroy(m.params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_go_in_and_out_of_panels),
        cmocka_unit_test(test_declarations_are_checked),
        cmocka_unit_test(test_initial_values_depend_on_the_seed_alone),
        cmocka_unit_test(test_gradients_are_flat_and_of_what_is_trainable),
        cmocka_unit_test(test_norm_is_the_same_on_any_threads),
        cmocka_unit_test(test_adapters_stand_beside_the_base),
        cmocka_unit_test(test_merging_adds_the_product),
        cmocka_unit_test(test_lerp_moves_towards_the_other),
        cmocka_unit_test(test_a_life_survives_without_memory),
        cmocka_unit_test(test_loading_reports_everything_that_does_not_fit),
        cmocka_unit_test(test_permuted_rows_are_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
